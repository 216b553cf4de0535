"""Mistakes of the read-out: the delta, the averaging, the gradients of Wy and by, and those of the forward pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product

import numpy as np

from engine.doctor.mistakes.variants.edited_backward import PARAMETERS, Edit, ForwardEdit, LineEdit, Values
from engine.doctor.mistakes.variants.tree_edits import (
    CURVED,
    Setting,
    Variation,
    added,
    delta,
    line,
    operand,
    scaled,
    slope,
    swapped,
)
from engine.language.expression import Binary, Call, Expression, Name, rewrite
from engine.language.functions import FUNCTIONS, Array

_FLAT = "(prediction - target) * prediction * (1 - prediction)"
_CENTRED = "prediction * ((prediction - target) - row_sum((prediction - target) * prediction))"
"""The squared error's derivative by the logits: through sigmoid, through softmax."""


def variations(setting: Setting) -> Iterator[Variation]:
    """Every way known to make one of these mistakes."""
    yield from _deltas(setting)
    yield from _forward(setting)
    yield from _averaging(setting)
    yield from _head_gradients(setting)


def _deltas(setting: Setting) -> Iterator[Variation]:
    yield Variation("delta-sign", (delta("target - prediction"),))
    yield Variation("delta-without-target", (delta("prediction"),))
    if not setting.head.classes:
        return
    if setting.head.output_a_class:
        yield Variation("delta-before-softmax", (delta("-target / prediction"),))
        yield Variation("softmax-jacobian-diagonal", (delta("target * (prediction - 1)"),))
        yield Variation("softmax-jacobian-diagonal", (delta("prediction * (1 - prediction)"),), rank=1)
        yield Variation("mse-delta-with-cross-entropy", (delta(_CENTRED),), rank=1)
        yield Variation("mse-delta-with-cross-entropy", (delta(f"2 * ({_CENTRED})"),), rank=1)
    else:
        yield Variation("delta-before-softmax", (delta("(prediction - target) / (prediction * (1 - prediction))"),))
    yield Variation("mse-delta-with-cross-entropy", (delta(_FLAT),))
    yield Variation("mse-delta-with-cross-entropy", (delta(f"2 * {_FLAT}"),))
    yield from consistent(setting)
    yield Variation("mse-delta-with-cross-entropy", (delta("2 * (prediction - target)"),), rank=1)
    yield from _overwritten(setting)


def consistent(setting: Setting) -> Iterator[Variation]:
    """Read-outs that are mistakes for the loss in question, and right for the squared error of the activated outputs."""
    if not setting.head.classes:
        for activation in CURVED:
            through = scaled("dlogits", "*", slope(activation, "logits"))
            yield Variation("output-activation-twice", (*_activated(activation, setting), through))
        forward = _activated("softmax", setting)
        yield Variation("output-activation-twice", (*forward, _through_softmax()), rank=1)
        return
    own = _CENTRED if setting.head.output_a_class else _FLAT
    outputs = ("1", "C") if setting.head.output_a_class else ("1",)
    for times, divisor in product((2, 1), outputs):
        edit = ForwardEdit(partial(_squared, setting, times, divisor))
        yield Variation("mse-delta-with-cross-entropy", (edit, delta(f"{times} * ({own}) / {divisor}")), rank=1)


def _through_softmax() -> Edit:
    """A gradient of probabilities carried through softmax."""
    p, g = Call("softmax", (Name("logits"),)), Name("received")
    whole = Binary("*", p, Binary("-", g, Call("row_sum", (Binary("*", g, p),))))
    return LineEdit("dlogits", lambda tree: rewrite(whole, lambda node: tree if node == g else None))


def _squared(setting: Setting, times: int, divisor: str, values: Values) -> Values:
    """The squared error of the probabilities as loss."""
    target = values["y"] if setting.head.two_classes else np.eye(values["C"])[values["y"]]
    error = times / 2 * ((values["p"] - target) ** 2).sum(axis=-1) / float(values.get(divisor, 1))
    return {"loss": float(error.mean() if setting.mean else error.sum())}


def _overwritten(setting: Setting) -> Iterator[Variation]:
    """delta = p; delta −= y: what reads p afterwards finds p − y, so that y is taken off twice, or the loss is no number."""
    broken = ForwardEdit(lambda _: {"loss": np.nan})
    twice = delta("prediction - 2 * target")
    yield Variation("probabilities-overwritten", (broken,))
    yield Variation("probabilities-overwritten", (twice,))
    yield Variation("probabilities-overwritten", (broken, twice))
    target = "onehot(y, C)" if setting.head.output_a_class else "y"
    entries = ("N" if setting.every else "B") if setting.mean else "1"
    for stage in ("dWy", "dby", "da_out"):
        yield Variation("probabilities-overwritten", (swapped(stage, "dlogits", f"dlogits - {target} / {entries}"),))


def _forward(setting: Setting) -> Iterator[Variation]:
    if setting.head.output_a_class:
        axes: list[int | None] = [-2, None, *([0] if setting.every else [])]
        for rank, axis in enumerate(axes):
            for shifted in (False, True):  # by each row's own maximum, which only then makes a difference
                yield Variation(
                    "softmax-wrong-axis", (ForwardEdit(_normalised_over(axis, setting, shifted)),), rank=int(rank > 0)
                )
        yield Variation("output-activation-twice", _activated("softmax", setting), rank=1)
    for activation in CURVED:
        rank = int(activation != setting.activation)
        forward = _activated(activation, setting)
        through = scaled("dlogits", "*", slope(activation, "logits"))
        yield Variation("output-activation-twice", (*forward, through), rank=rank)
        yield Variation("output-activation-twice", forward, rank=rank)


def _normalised_over(axis: int | None, setting: Setting, shifted: bool) -> Callable[[Values], Values]:
    def change(values: Values) -> Values:
        logits: Array = values["logits"]
        exponentials = np.exp(logits - (logits.max(axis=-1, keepdims=True) if shifted else logits.max()))
        p = exponentials / exponentials.sum(axis=axis, keepdims=True)
        return {"p": p, "loss": _loss(p, values, setting)}

    return change


def read_out(setting: Setting, values: Values, state: Array) -> Values:
    """The read-out of other states: logits, p and loss."""
    logits: Array = state @ values["Wy"] + values["by"]
    p = logits
    if setting.head.classes:
        p = FUNCTIONS["softmax" if setting.head.output_a_class else "sigmoid"].compute(logits)
    return {"logits": logits, "p": p, "loss": _loss(p, values, setting)}


def _activated(function: str, setting: Setting) -> tuple[Edit, ...]:
    """Logits that go through a function before the read-out's own."""

    def change(values: Values) -> Values:
        scores: Array = FUNCTIONS[function].compute(values["logits"])
        p = scores
        if setting.head.classes:
            p = FUNCTIONS["softmax" if setting.head.output_a_class else "sigmoid"].compute(scores)
        return {"p": p, "loss": _loss(p, values, setting)}

    forward = ForwardEdit(change)
    return (forward, swapped("dlogits", "logits", "p")) if not setting.head.classes else (forward,)


def _loss(p: Array, values: Values, setting: Setting) -> float:
    """The loss of probabilities (of predictions, when squared), by definition."""
    y = values["y"]
    if not setting.head.classes:
        entries = (p - y) ** 2
    elif setting.head.two_classes:
        entries = -(y * np.log(p) + (1 - y) * np.log(1 - p))
    else:
        entries = -np.log(np.take_along_axis(p, y[..., None], axis=-1))
    return float(entries.mean() if setting.mean else entries.sum())


def _averaging(setting: Setting) -> Iterator[Variation]:
    for entries in ("B", "B * T", "T") if setting.every else ("B",):
        rank = int(entries == "T")
        if setting.mean and entries != "T":
            yield Variation("batch-not-averaged", _on_each("*", entries), each=True, rank=rank)
        if entries != "T":
            yield Variation("batch-averaged-twice", _on_each("/", entries), each=True, rank=rank)
    if setting.mean:
        if not setting.head.classes:
            yield Variation("batch-not-averaged", (LineEdit("dlogits", _not_divided),), rank=1)
        # In the delta for what flows back only, or for Wy and by only.
        yield Variation("batch-not-averaged", (scaled("da_out", "*", "B"),))
    yield Variation("batch-averaged-twice", (scaled("da_out", "/", "B"),))


def _on_each(operator: str, by: str) -> tuple[Edit, ...]:
    return tuple(scaled(f"d{name}", operator, by) for name in PARAMETERS)


def _not_divided(tree: Expression) -> Expression:
    return tree.left if isinstance(tree, Binary) and tree.operator == "/" else tree


def _head_gradients(setting: Setting) -> Iterator[Variation]:
    for rank, state in enumerate(("z", "a_prev", "a_T" if setting.every else "a_1")):
        yield Variation("dwy-wrong-state", (operand("dWy", state),), rank=int(rank > 1))
    yield from bias_not_summed("dby", "dlogits")
    if setting.every:
        yield Variation("bias-gradient-not-summed", (added("dby", lambda terms: terms[-1]),))
        yield Variation("bias-gradient-not-summed", (added("dby", lambda terms: terms[0]),), rank=1)


def bias_not_summed(target: str, received: str) -> Iterator[Variation]:
    """A bias' gradient that is not a sum over the batch: one sample's, the mean, or everything summed."""
    for sample in ("first_sample", "last_sample"):
        yield Variation("bias-gradient-not-summed", (swapped(target, received, f"{received} * {sample}"),))
    latest = added(target, lambda terms: terms[-1])
    yield Variation(
        "bias-gradient-not-summed", (swapped(target, received, f"{received} * last_sample"), latest), rank=1
    )
    yield Variation("bias-gradient-not-summed", (scaled(target, "/", "B"),))
    yield Variation("bias-gradient-not-summed", (line(target, f"total({received})"),))
