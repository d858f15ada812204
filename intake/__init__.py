"""Readers of what hospitals send: bytes in, `LabResults` out, one a draw, and every entry that became none by name.

A reader understands the envelope (who is meant, when it was drawn, which words belong together) and keeps the sender's
words. What a code or a unit means is for `clinical`. Nothing is imported here on purpose.
"""
