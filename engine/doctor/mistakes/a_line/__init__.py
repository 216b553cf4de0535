"""In any line."""
