"""What every door needs and no door owns: courses by their client, and what is looked up for a person."""
