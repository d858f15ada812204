"""A search of the shipped rules over the orders of events: no unsafe infusion may start, and nothing may be lost."""
