"""Remarks about the forward pass of a program that ran, and about what its updates do: what was seen, never a verdict."""
