"""Heads: the equations from the cell's output to the loss.

The loss and its derivative with respect to the logits are one line each (softmax and cross-entropy fused), so nothing flows through p.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.language.functions import Array, Axes

LOGITS = "logits"
"""What every head calls its outputs; truncation carries their gradients."""
PROBABILITIES = "p"
"""What a head for classes calls its predictions; they are only shown, nothing flows through them."""

READ_OUT: Mapping[str, Axes] = {"Wy": ("H", "C"), "by": ("C",)}
"""The parameters of the read-out, the same for every head: a linear layer."""


@dataclass(frozen=True)
class Head:
    """A read-out and the loss of one time step; `{output}` is the cell's output.

    The equations write the logits (B, C), and where targets are classes the probabilities p. `loss` is the loss of each entry; it is
    summed over the entries that count and then averaged: over the samples, with `over_outputs` over the outputs too.

    `classes` says that targets are classes, whole numbers from 0; otherwise they are a number for each output. `outputs` is the only C
    that makes sense, None where there are as many as classes or as numbers. One output for classes means two classes, 0 and 1, and p is
    the probability of class 1. `text` is the head in words. Where it `predicts` nothing, the targets are no answers.
    """

    name: str
    text: str
    equations: tuple[str, ...]
    loss: str
    classes: bool = True
    outputs: int | None = None
    over_outputs: bool = False
    predicts: bool = True

    @property
    def target_axes(self) -> Axes:
        """The axes of the targets of one time step."""
        return ("B",) if self.classes else ("B", "C")

    @property
    def two_classes(self) -> bool:
        """Whether one output tells two classes apart."""
        return self.classes and self.outputs == 1

    @property
    def output_a_class(self) -> bool:
        """Whether there is an output for each class."""
        return self.classes and self.outputs is None

    @property
    def prediction(self) -> str:
        """The quantity that says what is predicted."""
        return PROBABILITIES if self.classes else LOGITS

    def class_count(self, outputs: int) -> int:
        """How many classes a network of so many outputs tells apart; 0 where targets are numbers."""
        return 2 if self.two_classes else outputs if self.classes else 0

    def predicted(self, p: Array) -> Array:
        """The class (...) that probabilities (..., C) say: the largest one's, with one output whether it is above one half."""
        return (p[..., 0] > 0.5).astype(int) if self.two_classes else p.argmax(axis=-1)


CROSS_ENTROPY = Head(
    name="cross-entropy",
    text="softmax, cross-entropy",
    equations=("logits = {output} @ Wy + by", "p = softmax(logits)"),
    loss="cross_entropy(logits, y)",
)

BINARY = Head(
    name="binary",
    text="single sigmoid, cross-entropy",
    equations=("logits = {output} @ Wy + by", "p = sigmoid(logits)"),
    loss="binary_cross_entropy(logits, y)",
    outputs=1,
)

SQUARED = Head(
    name="squared",
    text="squared error",
    equations=("logits = {output} @ Wy + by",),
    loss="(logits - y) ** 2",
    classes=False,
    over_outputs=True,
)

GIVEN = Head(
    name="given",
    text="its gradient given",  # the loss is linear, so dL/dlogits is y: what comes back from a loss that is computed elsewhere
    equations=("logits = {output} @ Wy + by",),
    loss="logits * y",
    classes=False,
    predicts=False,
)

HEADS: dict[str, Head] = {head.name: head for head in (CROSS_ENTROPY, BINARY, SQUARED, GIVEN)}


def usual_head(*, classes: bool) -> Head:
    """The head of targets that are classes, or numbers, unless another one is asked for."""
    return next(head for head in HEADS.values() if head.classes == classes and head.outputs is None)
