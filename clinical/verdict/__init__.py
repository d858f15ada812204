"""Whether the dose may be given, all gates together, and what happened outside them."""
