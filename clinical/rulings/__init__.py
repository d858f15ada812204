"""Whether a message may happen, one subject a file, behind one gate a command."""
