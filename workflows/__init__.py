"""What waits for what, for weeks. No threshold, no row, no time but `workflow.now()`, no loop over a set."""
