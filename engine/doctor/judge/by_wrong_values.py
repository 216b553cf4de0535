"""Where a named mistake is, as far as that follows from which values are wrong."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.doctor.judge.timeline import ComparedValue, Timeline
from engine.doctor.vocabulary import roles
from engine.doctor.vocabulary.targets import final_name, read_names

_BEFORE = {
    "activation-derivative-missing",
    "activation-derivative-some-steps",
    "activation-derivative-of-another",
    "wa-not-applied",
    "future-gradient-dropped",
    "output-gradient-dropped",
    "recurrence-dropped",
}
"""Mistakes whose line computes what is right for something else: a later one is the first that is wrong."""


_STORED = {"state-aliased", "last-sample-only"}


_SUMMED = {"initial-state-ignored", "overwritten-not-accumulated", "averaged-over-time"}


def place(
    line_up: Timeline, id_: str, quantity: str, kind: str, parameters: Sequence[str], loop_line: int | None
) -> ComparedValue | int | None:
    """Where a named mistake is: at a value, or at the line of a loop. `kind` is line, loop, missing or forward."""
    first = line_up.first_wrong()
    if kind == "loop" and loop_line is not None:
        return loop_line
    if id_ in ("softmax-wrong-axis", "output-activation-twice"):
        return _forward(line_up, id_) or first
    if id_ in _STORED:
        return _stored(line_up) or first
    if id_ == "weights-updated-during-backward":
        return _updated(line_up) or first
    if id_ in ("batch-not-averaged", "delta-sign", "delta-without-target") and quantity == "dlogits":
        return next((s for s in line_up.seen if s.of("dlogits") and not s.strictly and not s.is_part), None) or first
    if id_ == "batch-not-averaged":
        return next((s for s in line_up.seen if s.of("dlogits") and not s.strictly and not s.is_part), None) or first
    if id_ == "wa-applied-twice" and first is not None:
        return _second_product(line_up, first)
    if id_ == "probabilities-overwritten":
        changed = (s for s in line_up.seen[line_up.start :] if s.event.site.kind == "after" and s.of("dlogits"))
        return next(changed, None) or first
    name = quantity.partition(" ")[0].removeprefix("d")
    if id_ == "gradients-not-reset":
        return next(line_up.sites_of(name if name in roles.PARAMETERS else "Wa"), None) or first
    wanted = [name] if name in roles.PARAMETERS else [p for p in parameters if id_ in _SUMMED]
    for parameter in wanted:
        found = _of_weight(line_up, parameter, id_)
        if found is not None:
            return found
    if id_ in _BEFORE and first is not None:
        return _before(line_up, first)
    return first


def in_helper(line_up: Timeline, found: ComparedValue | int | None) -> ComparedValue | int | None:
    """The line of the helper that a line calls for the derivative, where what that helper returns is never right."""
    line = found.line if isinstance(found, ComparedValue) else found
    own = [s for s in line_up.seen if s.line == line]
    if not own:
        return found
    called = frozenset(n for s in own for n in read_names(s.event.site.source))
    results = [
        s
        for s in line_up.seen[line_up.start :]
        if s.event.site.kind == "return" and s.event.site.function.rpartition(".")[2] in called
    ]
    if (
        not results
        or any(s.right for s in results)
        or any(s.event.site.function == own[0].event.site.function for s in results)
    ):
        return found
    sizes = {np.asarray(s.event.value).size for s in own}
    return results[0] if np.asarray(results[0].event.value).size in sizes else found


def _second_product(line_up: Timeline, first: ComparedValue) -> ComparedValue:
    """Of the lines that multiply by the recurrent weights and are wrong, the second one, or the only one."""
    products = [
        s
        for s in line_up.seen[line_up.index(first) :]
        if not s.right
        and not s.is_part
        and _is_product(s.event.site.source)
        and any(roles.parameter(n) == "Wa" for n in read_names(s.event.site.source))
    ]
    lines = list(dict.fromkeys(s.line for s in products))
    return next((s for s in products if s.line == lines[1]), first) if len(lines) > 1 else (products or [first])[0]


def _is_product(source: str) -> bool:
    return any(sign in source for sign in ("@", "dot(", "matmul(", "einsum("))


def _forward(line_up: Timeline, id_: str) -> ComparedValue | None:
    """The line between the logits, which are right, and the outputs, which are not."""
    tape = line_up.reference.problem.tape
    size = int(np.asarray(tape["logits"]).size)
    seen = line_up.seen
    start = next((k for k, s in enumerate(seen) if s.of("logits")), 0)
    after = [s for s in seen[start + 1 :] if not s.right and s.event.array is not None and s.event.array.size <= size]
    if id_ == "output-activation-twice":
        return after[0] if after else None
    return next((s for s in after if "/" in s.event.site.source and not s.is_part), None) or next(iter(after), None)


def _stored(line_up: Timeline) -> ComparedValue | None:
    """The line that stores the states."""
    output = line_up.reference.problem.network.table.output
    states = [s for s in line_up.seen if s.of(output) and not s.is_part]
    forward = [s for s in states if s.event.site.kind in ("assign", "append", "after") and not s.event.site.plain]
    return forward[0] if forward else None


def _updated(line_up: Timeline) -> ComparedValue | None:
    """The line that changes the recurrent weights."""
    weight = np.asarray(line_up.reference.problem.parameters["Wa"])
    for seen in line_up.seen[line_up.start :]:
        if (
            roles.parameter(final_name(seen.event.target)) == "Wa"
            and seen.event.array is not None
            and not seen.is_part
            and (
                seen.event.array.shape == weight.shape
                and not seen.of("Wa")
                and seen.event.site.kind in ("assign", "after")
            )
        ):
            return seen
    return None


def _of_weight(line_up: Timeline, parameter: str, id_: str) -> ComparedValue | None:
    """The line that makes a parameter's gradient, or adds to it."""
    named = [s for s in line_up.sites_of(parameter) if not s.is_part]
    if id_ == "overwritten-not-accumulated":
        looped = [s for s in named if s.event.site.loops and s.event.site.kind == "assign"]
        return looped[-1] if looped else None
    if id_ == "initial-state-ignored":
        summed = [s for s in named if s.event.site.loops and s.event.site.kind in ("increment", "assign")]
        return (summed or named or [None])[-1]
    size = np.asarray(line_up.reference.problem.parameters[parameter]).size
    wrong = [s for s in named if not s.right] or [s for s in named if not s.strictly]
    if wrong:
        return wrong[0]
    own = [s for s in line_up.seen[line_up.start :] if not s.right and not s.is_part]
    own = [s for s in own if np.asarray(s.event.value).size == size and s.event.target]
    computed = [s for s in named if not s.event.site.plain]
    return next(iter(own), None) or next(iter(computed), None)


def _before(line_up: Timeline, first: ComparedValue) -> ComparedValue:
    """The value from which the first wrong one was made: the last of a state's size before it."""
    if first.event.array is not None and not first.event.array.any():
        return first
    reference = line_up.reference
    hidden = reference.sizes("da", f"d{reference.problem.network.table.output}")
    for seen in reversed(line_up.seen[line_up.start : line_up.index(first)]):
        site = seen.event.site
        if seen.is_part or site.kind in ("increment", "after") or np.asarray(seen.event.value).size not in hidden:
            continue
        if any(not m.entry.is_gradient for m in seen.matches) or not seen.event.target:
            continue
        return seen
    return first


def backward_loop(line_up: Timeline, loops: Sequence[tuple[int, str]]) -> int | None:
    """The line of the loop over time in the backward pass: the innermost one around what adds to the weights' gradients."""
    votes: dict[int, float] = {}
    for seen in line_up.seen[line_up.start :]:
        site = seen.event.site
        if not site.loops or seen.is_part:
            continue
        cell = line_up.reference.problem.network.table
        sure = bool(line_up.meant(site.target) & cell.parameters.keys()) or seen.of("dz", "da", f"d{cell.output}")
        votes[site.loops[-1]] = votes.get(site.loops[-1], 0.0) + (1.0 if sure else 0.1)
    return loops[max(votes, key=lambda n: votes[n])][0] if votes else None
