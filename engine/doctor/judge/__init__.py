"""Which values are right, and which line is wrong."""
