"""What must be drawn, measured and looked at, by when, until the end of monitoring."""
