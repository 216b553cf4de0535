"""In the gradients of the weights."""
