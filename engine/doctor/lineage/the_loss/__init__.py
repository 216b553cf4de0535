"""Which scalar is the loss, how the way back begins at it, and every value that is known from it."""
