"""Heads: the equations from the cell's output to the loss.

The loss and its derivative with respect to the logits are one line each (softmax and cross-entropy fused), so nothing flows through p.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.functions import Axes


@dataclass(frozen=True)
class Head:
    """A read-out and a loss; `{output}` is the cell's output, `{entries}` what the loss is divided by."""

    name: str
    equations: tuple[str, ...]
    loss: str
    parameters: Mapping[str, Axes]
    target_axes: Axes = ("B",)


CROSS_ENTROPY = Head(
    name="cross-entropy",
    equations=("logits = {output} @ Wy + by", "p = softmax(logits)"),
    loss="loss = sum(cross_entropy(logits, y))",
    parameters={"Wy": ("H", "C"), "by": ("C",)},
)

HEADS: dict[str, Head] = {head.name: head for head in (CROSS_ENTROPY,)}
