"""A chart as it stands at an instant: its facts, corrections and versions, the calendar, and what was worked out before."""
