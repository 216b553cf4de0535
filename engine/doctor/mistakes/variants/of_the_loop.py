"""Mistakes of the loop over time: the activation's derivative, what flows to the step before, the steps and their order."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from engine.doctor.mistakes.variants.edited_backward import (
    BACK,
    Edit,
    Edits,
    Executor,
    ForwardEdit,
    LineEdit,
    ScanEdit,
    StoredEdit,
    Values,
)
from engine.doctor.mistakes.variants.of_the_readout import read_out
from engine.doctor.mistakes.variants.tree_edits import (
    CURVED,
    Setting,
    Variation,
    after_first_step,
    back,
    before_last_step,
    called,
    derivative,
    first_step,
    last_step,
    line,
    no_derivative,
    order,
    scaled,
    slope,
    swapped,
)
from engine.language.expression import Binary, Call, Expression, Name, Number, parse, substitute
from engine.language.functions import ACTIVATIONS, Array

RATES = (0.1, 0.01, 0.001, 0.05, 0.5, 1.0, 0.005, 0.02, 0.2, 0.0001)
"""Learning rates tried beside the numbers in the user's code."""
LIMITS = (5.0, 1.0, 10.0, 0.1, 0.5, 2.0, 0.01, 0.05, 0.25, 3.0, 0.001)
"""Limits of clipping tried beside them."""


def variations(setting: Setting) -> Iterator[Variation]:
    """Every way known to make one of these mistakes."""
    yield from _derivatives(setting)
    yield from _misplaced_derivatives(setting)
    yield from _apart(setting)
    yield from _flows(setting)
    yield from _orders(setting)
    yield from _states(setting)


def _by_value(activation: str) -> Expression:
    """g'(z) by the activation's own value a, as programs written by hand have it; by z where the value does not say it."""
    function = ACTIVATIONS[activation]
    tree = substitute(slope(activation, "z"), {Call(activation, (Name("z"),)): Name("a")})
    return substitute(tree, {Name("z"): Name("a")}) if function.off else tree  # off: a is above 0 where z is


def _derivatives(setting: Setting) -> Iterator[Variation]:
    own = setting.activation
    for other in CURVED:
        if other != own:
            for tree in dict.fromkeys((_by_value(other), slope(other, "z"))):
                yield Variation("activation-derivative-of-another", (derivative(tree),))
    if ACTIVATIONS[own].linear:
        return
    yield Variation("activation-derivative-missing", (no_derivative(),))
    if ACTIVATIONS[own].off:
        yield Variation("relu-mask-from-gradient", (line("dz", "da * (da > 0)"),))
        yield Variation("relu-value-for-mask", (line("dz", "da * a"),))
        return
    yield Variation("tanh-derivative-of-activation", (derivative(slope(own, "a")),))
    by_value = _by_value(own)
    if by_value != slope(own, "z"):
        by_argument = substitute(by_value, {Name("a"): Name("z")})
        yield Variation("tanh-derivative-of-activation", (derivative(by_argument),), rank=1)
    if by_value == parse("1 - a ** 2"):
        yield Variation("tanh-derivative-misplaced-square", (derivative("(1 - a) ** 2"),))
        yield Variation("tanh-derivative-misplaced-square", (derivative("1 - a"),), rank=1)


def _misplaced_derivatives(setting: Setting) -> Iterator[Variation]:
    if ACTIVATIONS[setting.activation].linear:
        return
    right = _by_value(setting.activation)
    last = substitute(right, {Name("a"): Name("a_T"), Name("z"): Name("z_T")})
    for step, when in ((-1, None), (1, before_last_step)):
        yield Variation("activation-derivative-wrong-step", (derivative(_shifted(right, step), when),))
    yield Variation("activation-derivative-wrong-step", (derivative(last),))
    wrapped = derivative(last, first_step)
    yield Variation("activation-derivative-wrong-step", (derivative(_shifted(right, -1)), wrapped), rank=1)
    early = derivative(_shifted(right, -1), after_first_step)
    yield Variation("activation-derivative-wrong-step", (early,), rank=1)
    for rank, when in enumerate((before_last_step, last_step, first_step, after_first_step)):
        yield Variation("activation-derivative-some-steps", (no_derivative(when),), rank=int(rank > 1))


def _apart(setting: Setting) -> Iterator[Variation]:
    """Where every step's loss is carried back on its own, its first derivative and those after it are two lines."""
    activation = ACTIVATIONS[setting.activation]
    if not setting.every or activation.linear:
        return
    one, right, twice = Number(1), _by_value(activation.name), slope(activation.name, "a")
    later = _shifted(right, 1)
    for id, first, rest in (
        ("activation-derivative-some-steps", right, one),
        ("activation-derivative-some-steps", one, right),
        ("activation-derivative-wrong-step", right, later),
        *([] if activation.off else [("tanh-derivative-of-activation", right, twice)]),
        *([] if activation.off else [("tanh-derivative-of-activation", twice, right)]),
    ):
        tree = Binary("+", Binary("*", Name("da_out"), first), Binary("*", Name("da_next"), rest))
        when = before_last_step if rest == later else None
        yield Variation(id, (LineEdit("dz", partial(_put, tree), when),), rank=2)


def _put(tree: Expression, old: Expression) -> Expression:
    return tree


def _shifted(tree: Expression, step: int) -> Expression:
    return substitute(tree, {Name(name): Name(name, step) for name in ("a", "z")})


def _flows(setting: Setting) -> Iterator[Variation]:
    if setting.every:
        yield Variation("future-gradient-dropped", (line("da", "da_out"),))
        yield Variation("output-gradient-dropped", (line("da", "da_next", before_last_step),))
        yield Variation("output-gradient-dropped", (scaled("dlogits", "*", "0", before_last_step),), rank=1)
    else:
        every_step = "dz @ Wa.T + da_out"
        yield Variation("output-gradient-every-step", (back(every_step),))
    yield Variation("recurrence-dropped", (scaled(BACK, "*", "0"),))
    if not setting.every:  # no line for it at all: every step finds the last one's
        yield Variation("recurrence-dropped", (line(BACK, "da"),), rank=1)
    yield Variation("wa-not-transposed", (swapped(BACK, "Wa.T", "Wa"),))
    yield Variation("wa-applied-twice", (scaled(BACK, "@", "Wa.T"),))
    yield Variation("wa-not-applied", (swapped(BACK, "dz @ Wa.T", "dz"),))
    yield Variation("recurrence-skips-derivative", (swapped(BACK, "dz", "da"),))
    for by in ("B", "T"):
        yield Variation("scaled-every-step", (scaled(BACK, "/", by),))
        yield Variation("scaled-every-step", (scaled("dz", "/", by),))
        yield Variation("scaled-every-step", (scaled("dz", "/", by, before_last_step),), rank=1)
    carried = "da_next" if setting.every else "da"
    yield Variation("carry-not-reset", (scaled(BACK, "+", carried),))
    if setting.every:
        yield Variation("carry-not-reset", (scaled(BACK, "+", "da"),), rank=1)
    yield from _clipped(setting)


def _clipped(setting: Setting) -> Iterator[Variation]:
    for limit, rank in _numbers(setting, LIMITS):
        for function in ("clip", "within_norm"):
            yield Variation("clipped-per-step", (called(BACK, function, limit),), rank=rank, tuned=True)
            yield Variation("clipped-per-step", (called("dz", function, limit),), rank=rank, tuned=True)
            terms = tuple(called(target, function, limit) for target in setting.summed)
            yield Variation("clipped-per-step", terms, each=True, rank=rank + 1, tuned=True)


def _numbers(setting: Setting, usual: tuple[float, ...]) -> Iterator[tuple[float, int]]:
    """Numbers to try, with their ranks: those of the user's code that are no greater than the usual ones, and the usual ones, of which
    two come first."""
    own = dict.fromkeys(abs(number) for number in setting.constants if 0 < abs(number) <= max(usual))
    yield from ((number, 0) for number in own)
    yield from ((number, int(place > 1)) for place, number in enumerate(usual) if number not in own)


def _orders(setting: Setting) -> Iterator[Variation]:
    steps, batch = setting.steps, setting.batch
    yield Variation("time-order-forward", order(lambda steps, _: steps[::-1]))
    heads = (False, True) if setting.every else (False,)
    for head in heads:
        yield Variation("first-step-skipped", order(lambda steps, _: steps[:-1], head=head))
        yield Variation("last-step-skipped", order(lambda steps, _: steps[1:], head=head))
        if batch < steps:
            yield Variation(
                "loop-over-wrong-axis", order(lambda steps, batch: [t for t in steps if t <= batch], head=head)
            )
            yield Variation("loop-over-wrong-axis", order(lambda steps, batch: steps[:batch], head=head), rank=1)
    if batch < steps and not setting.every:
        shorter = ForwardEdit(partial(_shorter, setting))
        yield Variation(
            "loop-over-wrong-axis", (shorter, *order(lambda steps, batch: [t for t in steps if t <= batch]))
        )
    for k in range(1, steps):
        for head in heads:
            yield Variation("truncated-early", order(lambda steps, _, k=k: steps[:k], head=head))
        if setting.every and k > 1:
            yield Variation("truncated-early", (ScanEdit(partial(_windows, reach=k)),))
        if k > 1:
            cut = scaled(BACK, "*", "0", partial(_ends_run, k))
            yield Variation("truncated-early", (cut,), rank=1)
    for rate, rank in _numbers(setting, RATES):
        for early in (True, False):
            for total in (True, False):
                scan = ScanEdit(partial(_updating, rate=rate, early=early, total=total), frozenset({"dWa"}))
                yield Variation("weights-updated-during-backward", (scan,), rank=rank, tuned=True)


def _ends_run(k: int, t: int, steps: int) -> bool:
    """Whether the flow is cut at t when it is cut every k steps."""
    return (steps - t + 1) % k == 0


def _shorter(setting: Setting, values: Values) -> Values:
    """A forward pass, too, that runs as many steps as there are samples."""
    state = values["a"].copy()
    state[-1] = state[values["B"]]
    return {"a": state, **read_out(setting, values, state[-1])}


def _windows(executor: Executor, values: Values, edits: Edits, reach: int) -> dict[int, Array]:
    """Every step's loss goes back on its own, and no further than `reach` steps."""
    delta = executor.delta(edits)
    total = {t: np.zeros_like(values["a"][0]) for t in range(executor.steps, 0, -1)}
    for start in range(executor.steps, 0, -1):
        values["da_next"] = np.zeros_like(values["a"][0])
        values["dlogits"] = delta[start]
        values["da_out"] = executor.line("da_out", start, edits)(values, start)
        for t in range(start, max(0, start - reach), -1):
            values["da"] = executor.line("da", t, edits)(values, t)
            values["dz"] = executor.line("dz", t, edits)(values, t)
            total[t] = total[t] + values["dz"]
            values["da_out"] = np.zeros_like(values["a"][0])
            values["da_next"] = executor.line(BACK, t, edits)(values, t)
    return total


def _updating(
    executor: Executor, values: Values, edits: Edits, *, rate: float, early: bool, total: bool
) -> dict[int, Array]:
    """Wa changed by its gradient inside the loop: by a step's term or by the sum so far, before or after the flow is handed back."""
    gradient = np.zeros_like(values["Wa"])
    pending: list[Array] = []

    def after(values: Values, t: int) -> None:
        nonlocal gradient
        term = executor.line("dWa", t, edits)(values, t)
        gradient = gradient + term if total else term
        if early:
            values["Wa"] = values["Wa"] - rate * gradient
        else:
            if pending:
                values["Wa"] = values["Wa"] - pending.pop()
            pending.append(rate * gradient)

    return executor.loop(values, executor.delta(edits), edits, after)


def _states(setting: Setting) -> Iterator[Variation]:
    """What was stored is not what had been computed."""
    every: tuple[str, ...] = ("logits", "p") if setting.every else ()
    for rank, (names, initial) in enumerate(
        (
            (("a", "z"), True),
            (("a", "z"), False),
            (("a",), True),
            (("a", "z", "x"), True),
            (("a", "z", *every), True),
            (("a", "z", "x", *every), True),
        )
    ):
        edit = StoredEdit(partial(_last_sample, names, initial))
        yield Variation("last-sample-only", (edit,), rank=int(rank > 2))
    alone: tuple[Edit, ...] = (scaled("dlogits", "*", "last_sample"),)
    yield Variation("last-sample-only", alone)
    if setting.mean:
        yield Variation("last-sample-only", (*alone, scaled("dlogits", "*", "B")), rank=1)
    if setting.every:
        for whole in (False, True):
            yield Variation("state-aliased", (ForwardEdit(partial(_aliased_before_output, setting, whole)),))
    for rank, (names, whole) in enumerate(((("a",), False), (("a",), True), (("a", "z"), False), (("a", "z"), True))):
        yield Variation("state-aliased", (StoredEdit(partial(_last_row, names, whole)),), rank=int(rank > 1))


def _aliased_before_output(setting: Setting, whole: bool, values: Values) -> Values:
    """The stored states are all the last one when the read-out comes to read them."""
    state = _last_row(("a",), whole, values)["a"]
    return {"a": state, **read_out(setting, values, state[1:])}


def _last_sample(names: tuple[str, ...], initial: bool, values: Values) -> Values:
    """Every sample's rows are the last sample's; the initial state's only with `initial`."""
    changed: Values = {}
    for name in names:
        if name in values:
            rows = np.broadcast_to(values[name][..., -1:, :], values[name].shape).copy()
            if name == "a" and not initial:
                rows[0] = values[name][0]
            changed[name] = rows
    return changed


def _last_row(names: tuple[str, ...], whole: bool, values: Values) -> Values:
    """Every step's rows are the last step's; the initial state's only with `whole`."""
    changed: Values = {}
    for name in names:
        rows = np.broadcast_to(values[name][-1], values[name].shape).copy()
        if name == "a" and not whole:
            rows[0] = values[name][0]
        changed[name] = rows
    return changed
