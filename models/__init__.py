"""The vocabulary of the house: frozen nouns that every floor speaks.

Nothing is imported here on purpose: a workflow that needs one type must not pull in SQLModel.
"""
