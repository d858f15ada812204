"""What a card says and never holds."""
