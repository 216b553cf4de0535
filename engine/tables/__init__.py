"""The equations themselves: cells, heads and optimizers, and the checks that a user's cell must pass."""
