"""Names of lines that read another value than is meant: the same thing at another step, or another thing."""

from __future__ import annotations

import ast
import re

from engine.doctor.lineage.record.reading import RecordedArray
from engine.doctor.mending.naming.correction import Correction
from engine.doctor.mending.naming.factors import of_number
from engine.doctor.mending.naming.slopes import slope_name, slopes
from engine.doctor.mending.naming.terms import is_dropped_recurrence


def of_derivative(c: Correction) -> str:
    if (named := slope_name(c)) != "":
        return named
    if _calls(c.mended) < _calls(c.old):
        return "tanh-derivative-of-activation"
    forms = [sorted(s.form for s in slopes(text)) for text in (c.old, c.mended)]
    if forms[0] != forms[1] or not forms[0]:
        return "activation-derivative-of-another"
    pairs = zip(c.removed, c.added, strict=False)
    at_another_step = c.roles is not None and any(c.roles.siblings(r, a) for r, a in pairs)
    return "activation-derivative-wrong-step" if at_another_step else "wrong-variable"


def _calls(text: str) -> int:
    return sum(isinstance(n, ast.Call) for n in ast.walk(ast.parse(text)))


def of_value(c: Correction) -> str:
    """Another value is read: the same thing at another step, or another thing."""
    roles = c.roles
    if c.row is not None and c.row.bare is not None and c.row.bare.right:
        return of_number(c)
    if named := slope_name(c):
        return named
    if is_dropped_recurrence(c):
        return "recurrence-dropped"
    if roles is None or not c.added or not c.removed:
        return _in_comparison(c) or _in_index(c)
    pairs = list(zip(c.removed, c.added, strict=False))
    removed, added = next(
        ((r, a) for r, a in pairs if roles.siblings(r, a)), pairs[0]
    )  # at its first execution it may read a first state
    if c.weight is not None:
        return _in_gradient(c, removed, added)
    if not roles.is_forward(removed) or not roles.is_forward(added):
        return _of_flow(c) or _in_comparison(c)
    are_factors = roles.is_factor(removed) and roles.is_factor(added)
    # Of one step: a loop over the gates makes all of them on one line.
    if are_factors and not roles.follows(removed, added):
        return "gate-for-another"
    if roles.siblings(removed, added):
        if len({r.first for r in c.removed}) == 1 < len({r.first for r in c.added}):
            return "one-object-for-all-steps"
        derives = roles.is_activated(added) or roles.feeds_activation(added)
        return "activation-derivative-wrong-step" if derives else "wrong-step"
    if roles.argument(removed) == added.first or roles.argument(added) == removed.first:
        return "tanh-derivative-of-activation"
    return "gate-for-another" if are_factors else _in_index(c)


def _in_index(c: Correction) -> str:
    """Whether the statements differ in an index alone."""
    old, mended = (re.sub(r"\[[^][\"']*\]", "[]", text) for text in (c.old, c.mended))
    return "wrong-step" if old == mended else ""


def _in_comparison(c: Correction) -> str:
    """Whether what a mask is taken from comes from the way back."""
    if " > " not in c.old or " > " not in c.mended or c.roles is None or not c.removed:
        return ""
    return "" if any(c.roles.is_forward(r) for r in c.removed) else "relu-mask-from-gradient"


def _in_gradient(c: Correction, removed: RecordedArray, added: RecordedArray) -> str:
    """Another value in the product that is a parameter's gradient."""
    roles, weight = c.roles, c.weight
    assert roles is not None
    if weight is None or not (roles.is_forward(removed) or roles.is_given(removed)):
        return ""
    if weight.recurrent and roles.feeds_activation(removed) and not roles.siblings(removed, added):
        return "dwa-uses-preactivation"
    if weight.recurrent and roles.is_forward(removed):
        if not roles.siblings(removed, added):
            return _in_index(c)
        return "dwa-uses-current-state" if roles.place(removed) == roles.place(added) + 1 else "wrong-step"
    if roles.is_given(added):
        return "dwx-wrong-step" if roles.siblings(removed, added) else ""
    return "dwy-wrong-state"


def _of_flow(c: Correction) -> str:
    """Another value of the backward pass is read: the same before its activation's derivative."""
    roles = c.roles
    if roles is None or c.after is None:
        return ""
    recurrent = any(w.recurrent for w in c.weights)
    operations, record = c.after.operations, roles.record
    k = c.after.maker(c.added[0].first)
    if k < 0 or not recurrent or operations[k].name != "multiply":
        return ""
    lines = {record.operations[m].line for r in c.removed if (m := record.maker(r.first)) >= 0}
    makers = [operations[m] for r in operations[k].operands if (m := c.after.maker(r.first)) >= 0]
    sums = [r for maker in makers if maker.name == "add" for r in maker.operands]
    lines_before = {maker.line for maker in makers} | {
        operations[m].line for r in sums if (m := c.after.maker(r.first)) >= 0
    }
    return "recurrence-skips-derivative" if lines & lines_before else ""
