"""In the update."""
