"""On the way back: at which steps."""
