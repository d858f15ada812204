"""The rules: pure functions, one subject a file. No clock, database, setting or logger; a patient's data never raise.

`assess.py` folds them in the order of the clinical reference §3.5, `judge.py` rules on messages.
"""
