"""Corrections of what stands around the lines: loops, carries, conditions, order, the forward pass."""
