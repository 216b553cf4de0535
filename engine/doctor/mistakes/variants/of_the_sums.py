"""Mistakes of one gradient's own line: what is multiplied, and how its terms are added up over time and samples."""

from __future__ import annotations

from collections.abc import Iterator

from engine.doctor.mistakes.variants.edited_backward import Edit, LineEdit, SumEdit, Values
from engine.doctor.mistakes.variants.of_the_readout import bias_not_summed
from engine.doctor.mistakes.variants.tree_edits import (
    WEIGHTS,
    Setting,
    Variation,
    added,
    before_last_step,
    first_step,
    last_step,
    operand,
    scaled,
    sum_of,
    swapped,
    wrapped_operand,
)
from engine.language.expression import Name, Transpose
from engine.language.functions import Array

_RECEIVED = {"dWx": "dz", "dWa": "dz", "dba": "dz", "dWy": "dlogits", "dby": "dlogits"}


def variations(setting: Setting) -> Iterator[Variation]:
    """Every way known to make one of these mistakes."""
    yield from _recurrent(setting)
    yield from _inputs()
    yield from _sums(setting)


def _recurrent(setting: Setting) -> Iterator[Variation]:
    yield Variation("dwa-uses-current-state", (operand("dWa", "a"),))
    earlier, no_first = operand("dWa", "z_prev"), scaled("dWa", "*", "0", first_step)
    for rank, first in enumerate((operand("dWa", "a_0", first_step), None, no_first)):
        yield Variation("dwa-uses-preactivation", (earlier, *([first] if first else [])), rank=int(rank > 1))
    yield Variation("dwa-uses-preactivation", (operand("dWa", "z"),), rank=1)
    yield Variation("initial-state-wraps", (operand("dWa", "a_T", first_step),))
    if setting.initial:
        yield Variation("initial-state-ignored", (no_first,))
    yield Variation("dwa-transposed", (LineEdit("dWa", Transpose),))
    yield from bias_not_summed("dba", "dz")
    for index in (-1, 0):
        yield Variation(
            "bias-gradient-not-summed", (added("dba", lambda terms, index=index: terms[index]),), rank=int(index == 0)
        )


def _inputs() -> Iterator[Variation]:
    wrapped, none = operand("dWx", "x_1", last_step), scaled("dWx", "*", "0", last_step)
    before, after = Name("x", -1), operand("dWx", Name("x", 1), before_last_step)
    yield Variation("dwx-wrong-step", (operand("dWx", before),))
    yield Variation("dwx-wrong-step", (operand("dWx", before), scaled("dWx", "*", "0", first_step)))
    yield Variation("dwx-wrong-step", (operand("dWx", before), operand("dWx", "x_1", first_step)))
    for last in (wrapped, none, None):  # round to the first, nothing, or the last one itself
        yield Variation("dwx-wrong-step", (after, *([last] if last else [])))
    yield Variation("dwx-wrong-step", (operand("dWx", "x_T"),))
    yield Variation("dwx-wrong-step", (operand("dWx", "x_1"),), rank=1)


def _sums(setting: Setting) -> Iterator[Variation]:
    summed = setting.summed
    last_term: tuple[Edit, ...] = tuple(added(target, lambda terms: terms[-1]) for target in summed)
    yield Variation("overwritten-not-accumulated", last_term, each=True)
    one_sample: list[Edit] = [
        swapped(target, received, f"{received} * last_sample") for target, received in _RECEIVED.items()
    ]
    yield Variation("overwritten-not-accumulated", (*one_sample, *last_term), each=True, rank=1)
    yield Variation("overwritten-not-accumulated", tuple(one_sample), each=True, rank=1)
    yield Variation("averaged-over-time", tuple(SumEdit(f"sum {target}", _over_time) for target in summed), each=True)
    for kept, id in ((slice(None, -1), "first-step-skipped"), (slice(1, None), "last-step-skipped")):
        dropped: tuple[Edit, ...] = tuple(
            added(target, lambda terms, kept=kept: sum_of(terms[kept])) for target in summed
        )
        yield Variation(id, dropped, each=True, rank=1)
    means: tuple[Edit, ...] = tuple(wrapped_operand(target, "batch_mean") for target in WEIGHTS)
    yield Variation("batch-means-multiplied", means, each=True)
    both = (*means, *(scaled(target, "/", "B") for target in WEIGHTS))
    yield Variation("batch-means-multiplied", both, each=True, rank=1)


def _over_time(terms: list[Array], values: Values) -> Array:
    return sum_of(terms) / values["T"]
