"""What is known before an iteration begins, beside the data and the parameters; no line of the program computes it."""

from __future__ import annotations

MASK = "mask"
"""(T, B), only where lengths differ: 1 at a step within the sample's length."""
FLOW_CUT = "cut"
"""(T, B), only where truncation cuts whole flows: 1 where nothing flows from a step to the one before."""
ENTRIES = "N"
"""How many entries a mean is taken over where every step has a loss."""
