"""The line of a mistake, by its id: most by the value that it makes wrong, some in a way of their own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from engine.doctor.judge.by_edited_values import Locator
from engine.doctor.judge.recorded_run import gradient_of
from engine.doctor.mistakes.variants.edited_backward import OrderEdit, SumEdit
from engine.doctor.mistakes.variants.edited_trace import EditedTrace
from engine.doctor.mistakes.variants.tree_edits import CURVED, Variation
from engine.doctor.reference.values import Entry, same
from engine.language.functions import FUNCTIONS


def line_of(locator: Locator, id_: str) -> int | None:
    """The line of a mistake; None when it cannot be told this way."""
    if id_ == "gradients-not-reset":
        return locator.first_assigned(locator.hypothesis.kept)
    variation = next((v for v in locator.hypothesis.variations if v.id == id_), None)
    if variation is None:
        return None
    special = _SPECIAL.get(id_)
    if special is not None:
        return special(locator, variation)
    if any(isinstance(edit, OrderEdit) for edit in variation.edits):
        return locator.loop()
    return locator.by_value(variation)


def _probabilities(locator: Locator, variation: Variation) -> int | None:
    """Probabilities that are none of the right ones."""
    p = locator.executor.stored(variation.edits)["p"]
    hits = locator.hits_of(
        (p, *p) if locator.executor.every else (p, *(p[b : b + 1] for b in range(len(p)))), locator.events, 1.0
    )
    return hits[0].event.site.line if hits else None


def _activated(locator: Locator, variation: Variation) -> int | None:
    """Logits that have gone through another function."""
    values = locator.executor.stored(variation.edits)
    for function in (*CURVED, "softmax"):
        scores = FUNCTIONS[function].compute(values["logits"])
        if not any(np.allclose(FUNCTIONS[f].compute(scores), values["p"]) for f in ("softmax", "sigmoid", "identity")):
            continue
        rows = scores if locator.executor.every else [scores[b : b + 1] for b in range(len(scores))]
        own = (event for event in locator.events if not event.site.names)
        hits = locator.hits_of((scores, *rows), own, 1.0, parts=True)
        outermost = [h for h in hits if h.event.site.function == hits[-1].event.site.function]
        if outermost:
            return outermost[0].event.site.line
    return _probabilities(locator, variation)


def _stored_state(locator: Locator, variation: Variation) -> int | None:
    """Where the first step's state is put."""
    if not any(edit.stage in ("stored", "forward") for edit in variation.edits):
        return locator.added_to("dWa")
    first = locator.executor.values["a"][1]
    hits = locator.hits_of((first, *(first[b : b + 1] for b in range(len(first)))), locator.events, 1.0)
    put = [h for h in hits if h.event.site.kind in ("append", "after") or "[" in h.event.target]
    return (put or hits)[0].event.site.line if hits else None


def _overwritten_probabilities(locator: Locator, variation: Variation) -> int | None:
    """Where p becomes p − y."""
    del variation
    step = next(EditedTrace(locator.executor, {}, ()).of("dlogits"))
    for event in locator.events:
        if event.site.kind in ("after", "increment") and locator.hits(step, [event], exact=False):
            return event.site.line
    hits = locator.hits(step, locator.events, exact=False)
    return hits[0].event.site.line if hits else None


def _overwritten(locator: Locator, variation: Variation) -> int | None:
    """Where a step's term is assigned inside a loop, under the gradient's name if it has one."""
    before = locator.trace_without((variation,))
    stages = [e.stage.removeprefix("sum ") for e in variation.edits if isinstance(e, SumEdit)]
    for stage in (s for s in stages if locator.is_changed(s, before)):
        looped = [e for e in locator.in_loop() if e.site.kind in ("assign", "after")]
        own = [h.event for step in locator.trace.of(stage) for h in locator.hits(step, looped)]
        named = [e for e in own if gradient_of(e) == stage.removeprefix("d")]
        if own:
            return (named or own)[0 if named else -1].site.line
    return locator.by_value(variation)


def _dropped_flow(locator: Locator, variation: Variation) -> int | None:
    """Where what flows to the step before is lost; where no line makes it, at the end of the loop."""
    if not variation.rank:
        return locator.by_value(variation)
    return max((event.site.line for event in locator.in_loop()), default=None)


def _dropped_outputs(locator: Locator, variation: Variation) -> int | None:
    """Where only the last step's output still passes something on: all steps at once, zeros but for the last, or in the loop."""
    for stage in ("da_out", "dlogits"):
        steps = sorted(EditedTrace(locator.executor, {}, ()).of(stage), key=lambda step: step.t)
        if not steps:
            continue
        rows = np.array([step.value for step in steps])
        rows[:-1] = 0.0
        hits = locator.hits_of([rows, rows.swapaxes(0, 1)], locator.backward, locator.base)
        if hits:
            return hits[0].event.site.line
    return locator.by_value(variation)


def _without_derivative(locator: Locator, variation: Variation) -> int | None:
    """Where da is used as dz: where only the loop uses it, at the head of the loop, after which the derivative belongs."""
    line, loop = locator.by_value(variation), locator.loop()
    own = [e for e in locator.backward if e.site.line == line and e.site.kind != "part"]
    alone = variation.edits and all(getattr(edit, "when", None) is None for edit in variation.edits)
    return (
        loop
        if alone and own and loop and not any(e.site.loops for e in own) and own[0].site.function == locator.main
        else line
    )


def _updated_weights(locator: Locator, variation: Variation) -> int | None:
    """Where something near Wa, but not Wa, is made."""
    del variation
    weights = np.asarray(locator.executor.values["Wa"])
    entry = Entry("Wa", None, None, "value", weights)
    for event in locator.backward:
        value = event.array
        if value is None or value.shape != weights.shape or event.site.kind == "part" or same(value, entry):
            continue
        near = min(float(np.linalg.norm(value - w)) for w in (weights, weights.T))
        if near < 0.3 * float(np.linalg.norm(weights)):
            return event.site.line
    return None


_SPECIAL: dict[str, Callable[[Locator, Variation], int | None]] = {
    "softmax-wrong-axis": _probabilities,
    "output-activation-twice": _activated,
    "last-sample-only": _stored_state,
    "state-aliased": _stored_state,
    "overwritten-not-accumulated": _overwritten,
    "recurrence-dropped": _dropped_flow,
    "output-gradient-dropped": _dropped_outputs,
    "activation-derivative-missing": _without_derivative,
    "probabilities-overwritten": _overwritten_probabilities,
    "weights-updated-during-backward": _updated_weights,
}
