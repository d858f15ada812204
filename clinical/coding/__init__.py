"""What codes, units and words mean: closed tables. What is not listed is not understood, and never guessed."""
