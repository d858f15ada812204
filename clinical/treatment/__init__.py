"""What was given, said and found in one treatment, and when a dose may be given by its dates."""
