"""Heads: the equations from the cell's output to the loss.

The loss and its derivative with respect to the logits are one line each (softmax and cross-entropy fused), so nothing flows through p.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.language.functions import Axes


@dataclass(frozen=True)
class Head:
    """A read-out and the loss of one time step; `{output}` is the cell's output.

    `loss` is summed over the entries that count and then averaged: over the samples, with `over_outputs` over the outputs too.
    `classes` says that targets are class indices.
    """

    name: str
    equations: tuple[str, ...]
    loss: str
    parameters: Mapping[str, Axes]
    target_axes: Axes = ("B",)
    classes: bool = True
    over_outputs: bool = False


CROSS_ENTROPY = Head(
    name="cross-entropy",
    equations=("logits = {output} @ Wy + by", "p = softmax(logits)"),
    loss="cross_entropy(logits, y)",
    parameters={"Wy": ("H", "C"), "by": ("C",)},
)

BINARY = Head(
    name="binary",
    equations=("logits = {output} @ Wy + by", "p = sigmoid(logits)"),
    loss="binary_cross_entropy(logits, y)",
    parameters={"Wy": ("H", "C"), "by": ("C",)},
)

SQUARED = Head(
    name="squared",
    equations=("logits = {output} @ Wy + by",),
    loss="(logits - y) ** 2",
    parameters={"Wy": ("H", "C"), "by": ("C",)},
    target_axes=("B", "C"),
    classes=False,
    over_outputs=True,
)

HEADS: dict[str, Head] = {head.name: head for head in (CROSS_ENTROPY, BINARY, SQUARED)}
