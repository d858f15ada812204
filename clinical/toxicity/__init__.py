"""What is toxic and how grave: the liver panel, QT, CTCAE grades, and what a physician puts down to another cause."""
