"""What can stand in the way of a dose, one gate a file."""
