"""The backward pass of a user's own forward pass, as lines that he can read and type."""
