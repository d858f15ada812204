"""What is open in a course: from whom, by when, how grave, and what meets it."""
