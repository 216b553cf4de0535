"""In the forward pass."""
