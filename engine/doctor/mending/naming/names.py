"""What a mistake is called: the kind of the edit that corrects it, and what the corrected line reads instead.

What is read is told by its role in the record (`roles`): a weight that is recurrent, what an activation made, a mask, the same thing at
another step. So the names are the same for every architecture. Names are those of the catalogue.
"""

from __future__ import annotations

import ast
from collections.abc import Callable

from engine.doctor.mending.edits.expression_text import text_of
from engine.doctor.mending.naming.correction import Correction
from engine.doctor.mending.naming.factors import of_dropped_factor, of_missing_factor
from engine.doctor.mending.naming.output import of_delta, of_exchange
from engine.doctor.mending.naming.terms import of_condition, of_dropped_term, of_missing_term
from engine.doctor.mending.naming.values import of_derivative, of_value

OVERWRITTEN = "carry-overwritten"
OTHERS = {
    "index": "wrong-step",
    "variable": "wrong-variable",
    "made-again": "wrong-variable",
    "complement": "complement-forgotten",
    "sum-for-mean": "sum-or-mean",
    "axis": "wrong-axis",
    "inserted": "statement-missing",
    "moved": "statements-in-wrong-order",
    "repeated": "repeated-rows-not-accumulated",
    "wraps": "initial-state-wraps",
    "clip": "clipped-per-step",
    "means": "batch-means-multiplied",
    "mask": "relu-value-for-mask",
    "masked": "relu-mask-from-gradient",
    "sum-missing": "bias-gradient-not-summed",
}
"""The names of kinds whose name does not depend on what is read; a kind that is not here is its own name."""


def name_of(correction: Correction) -> str:
    """The mistake's id; the kind of the edit where there is no other name."""
    if correction.kind != "masked" and "maximum(" in correction.old and "maximum(" not in correction.mended:
        return OTHERS["mask"]
    if _leaves_out(correction.old, correction.mended):
        return OVERWRITTEN
    named = _BY_KIND.get(correction.kind)
    return (named(correction) if named is not None else "") or OTHERS.get(correction.kind, correction.kind)


def _leaves_out(old: str, mended: str) -> bool:
    """Whether a correction gives a name its own value, of which the old line makes nothing: the line is to be left out."""
    match ast.parse(mended).body:
        case [ast.Assign(targets=[target], value=value)] if text_of(target) == text_of(value):
            before = [s.value for s in ast.parse(old).body if isinstance(s, ast.Assign)]
            made = (n for each in before for n in ast.walk(each) if isinstance(n, ast.expr))
            return not any(text_of(n) == text_of(target) for n in made)
        case _:
            return False


def _transpose(c: Correction) -> str:
    if c.mended.count(".T") < c.old.count(".T"):
        return "transposed-too-often"
    recurrent = [w.recurrent for w in c.weights]
    return "weights-not-transposed" if recurrent and not any(recurrent) else "wa-not-transposed"


def _axis(c: Correction) -> str:
    """The other letters of weights in a sum by index are these transposed."""
    return _transpose(c) if "einsum(" in c.old and c.weights else ""


def _accumulation(c: Correction) -> str:
    return "overwritten-not-accumulated" if "+=" in c.mended else "carry-not-reset"


def _sum_or_mean(c: Correction) -> str:
    return "bias-gradient-not-summed" if _is_of_a_bias(c) else ""


def _is_of_a_bias(c: Correction) -> bool:
    """Whether the line makes the gradient of what the forward pass adds and multiplies by nothing."""
    if c.row is None or c.roles is None:
        return False
    own = {int(n) for n in c.row.own.flat}
    uses = [
        o for o in c.roles.record.operations if c.roles.forward[o.start] and any(r.first in own for r in o.operands)
    ]
    return bool(uses) and all(o.name == "add" for o in uses)


_BY_KIND: dict[str, Callable[[Correction], str]] = {
    "transpose": _transpose,
    "accumulation": _accumulation,
    "axis": _axis,
    "derivative": of_derivative,
    "index": of_value,
    "variable": of_value,
    "factor-missing": of_missing_factor,
    "factor-dropped": of_dropped_factor,
    "term-missing": of_missing_term,
    "term-dropped": of_dropped_term,
    "condition": of_condition,
    "delta": of_delta,
    "jacobian": of_delta,
    "exchanged": of_exchange,
    "sum-for-mean": _sum_or_mean,
}


def of_loop(old: str, new: str, *, order: bool) -> str:
    """The name of a loop that runs over other steps than it should, or in another `order`."""
    if order:
        return "time-order-forward"
    counted = [{n.id for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Name)} for text in (old, new)]
    if "shape" in old or counted[1] - counted[0]:
        return "loop-over-wrong-axis"
    return "first-step-skipped" if _first_differs(old, new) else "last-step-skipped"


def _first_differs(old: str, new: str) -> bool:
    """Whether two `range(...)` differ where the earliest step is: where one that counts up starts, one that counts down ends."""
    before, after = (ast.parse(text, mode="eval").body for text in (old, new))
    ranges = [
        [n for n in ast.walk(e) if isinstance(n, ast.Call) and text_of(n.func) == "range"] for e in (before, after)
    ]
    one, two = ([text_of(a) for a in calls[0].args] if calls else [] for calls in ranges)
    if len(one) == 3 and one[2].startswith("-"):
        return len(two) != 3 or one[1] != two[1]
    return len(one) != len(two) or (len(one) > 1 and one[0] != two[0])
