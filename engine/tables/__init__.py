"""The equations themselves: cells, heads and optimizers, and the checks that a table of one's own must pass."""
