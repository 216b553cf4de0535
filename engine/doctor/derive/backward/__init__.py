"""The forward pass backwards: the rules of differentiation, and the short form at the output."""
