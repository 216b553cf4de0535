"""What the data look like: inputs of a scale that saturates the first step, whole numbers like ids, zeros like padding."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from engine.explain.findings.base import Finding, Scene, short
from engine.explain.findings.units import END, MANY, applied, ends_of, share_of_range
from engine.language.expression import names
from engine.language.functions import Array

LARGE = 3.0
"""Inputs within ±3 are what standardised data are: at these a saturated first step is the weights' doing."""
ID = 50
"""Whole numbers up to so many may well be counts, or marks; beyond, with many different ones that come again, they are more likely ids."""
DIFFERENT = 20
VALUE = 0.1
"""Where so many of the other steps are zeros, too, a zero is a value."""
PADDED = 0.2
"""The share of samples that must begin or end in zeros; a zero now and then is a value."""


def input_scale(scene: Scene) -> Iterator[Finding]:
    """At t = 1 there is nothing but the inputs: where most units are at an end of their range there, it is the inputs' scale."""
    x = np.asarray(scene.tape["x"], dtype=float)[0]
    largest = float(np.abs(x).max(initial=0.0))
    if not LARGE < largest < float("inf"):
        return
    for use in applied(scene, off=False):
        if ends_of(use.function) is None or not _reads_input(scene, use.line.name):
            continue
        share = share_of_range(use.function, scene.over_time(use.argument, 0, 1))
        at_end = float(((share < END) | (share > 1 - END)).mean())
        if at_end >= MANY:
            values = np.asarray(scene.tape["x"], dtype=float)[scene.counted()]
            feature = int(np.abs(values).max(axis=0).argmax())
            low, high = values[:, feature].min(), values[:, feature].max()
            line = scene.spell(use.line.name)
            text = (
                f"the inputs saturate the first step: {at_end:.0%} of {line} at t = 1 are within {END:.1%} of an end of "
                f"{use.function}'s range; "
                f"x goes from {short(low)} to {short(high)} (feature {feature}): subtract its mean and divide by its spread"
            )
            yield Finding("input scale", text, "serious", scene.position(scene.program.offset(use.line, 1)), "x", 1)
            return


def _reads_input(scene: Scene, name: str) -> bool:
    """Whether a line reads x, or a quantity of the same step that does."""
    lines = {line.name: line.equation.expression for line in scene.cell_lines()}
    behind = {read.name for read in names(lines[name]) if not read.step}
    return "x" in behind or any(other in lines and other != name and _reads_input(scene, other) for other in behind)


def ids(scene: Scene) -> Iterator[Finding]:
    """Inputs that hold nothing but many different whole numbers, large ones among them, that come again and again."""
    x = scene.tape["x"][scene.counted()]
    for feature in range(x.shape[1]):
        values = x[:, feature]
        if not np.isfinite(values).all() or (values < 0).any() or (values != np.round(values)).any():
            continue
        different = len(np.unique(values))
        if values.max() >= ID and DIFFERENT <= different <= len(values) / 2:
            text = (
                f"x (feature {feature}) holds whole numbers from {values.min():.0f} to {values.max():.0f}, {different} different ones: "
                "if they are numbers of words or classes, they want one-hot vectors or an embedding; here a larger number is a larger input"
            )
            yield Finding("ids", text, "note", scene.position(0), "x", 1, (0, feature))


def padding(scene: Scene) -> Iterator[Finding]:
    """Samples of one length that begin or end in steps of nothing but zeros, some more than others."""
    if scene.tape.lengths is not None or scene.program.steps < 3:
        return
    zero = _zero(scene.tape["x"])
    mark = "say where samples end (lengths in an NPZ file, empty cells in a table)"
    for word, rows, remedy in (("end", zero[::-1], mark), ("begin", zero, f"move it behind the values and {mark}")):
        count = _leading(rows)
        some = count[(count > 1) & (count < len(rows))]
        elsewhere = (zero.sum() - count.sum()) / max(1, zero.size - count.sum())
        if len(some) >= max(2, PADDED * len(count)) and len(np.unique(some)) > 1 and elsewhere < VALUE:
            text = f"{len(some)} of {len(count)} samples {word} in {some.min()} to {some.max()} steps of zeros"
            t = len(rows) if word == "end" else 1
            yield Finding("padding", f"{text}: if that is padding, {remedy}", "note", scene.position(0), "x", t)


def _zero(rows: Array) -> Array:
    """(T, B) where all values of a step are 0."""
    return np.asarray(np.max(np.abs(rows), axis=2) == 0)


def _leading(rows: Array) -> Array:
    """(B,) how many rows from the first one on are true."""
    return np.asarray(np.logical_and.accumulate(rows, axis=0).sum(axis=0))
