"""Names of lines with a term too few or too many, and of conditions that keep one back."""

from __future__ import annotations

import ast
import re

from engine.doctor.lineage.record.reading import RecordedArray
from engine.doctor.mending.edits.atoms import atoms_in
from engine.doctor.mending.edits.edits import calls_own
from engine.doctor.mending.edits.expression_text import text_of
from engine.doctor.mending.naming.correction import Correction, read_by
from engine.doctor.mending.naming.slopes import slopes


def of_missing_term(c: Correction) -> str:
    roles = c.roles
    if roles is None or not c.added or c.after is None:
        return "future-gradient-dropped" if _is_added_at_the_end(c) else ""
    of_output = c.weights and not any(w.recurrent or w.inner for w in c.weights)
    if " if " in c.old and (of_output or _is_added_in_a_branch(c)):
        return "output-gradient-dropped"
    if is_dropped_recurrence(c):
        return "recurrence-dropped"
    backward = [r for r in c.added if r.first >= c.first or not (roles.is_forward(r) or roles.is_given(r))]
    if any(_comes_from_later_lines(c, r) for r in backward) and " if " not in c.old:
        return "future-gradient-dropped"
    if not backward or all(roles.is_given(r) for r in c.added):
        return "delta-without-target" if " - " in c.mended and any(roles.is_given(r) for r in c.added) else ""
    weights = [w for r in c.added if (w := roles.weight(r)) is not None]
    after = roles.of(c.after)
    weights += [w for r in backward if (w := after.weight_behind(r)) is not None]
    known = [w for r in read_by(c.before) if (w := roles.weight(r) or roles.weight_behind(r)) is not None]
    weights = [w for w in weights if w not in known]  # what the line has anyway is another use of it
    if any(w.recurrent for w in weights):
        return "gate-term-forgotten"
    if weights:
        return "layer-above-not-handed-down" if weights[0].inner else "output-gradient-dropped"
    return ""


def is_dropped_recurrence(c: Correction) -> bool:
    """Whether the line as it stands computes nothing, or zeros, for what comes back through the recurrent weights."""
    roles, after, record = c.roles, c.after, c.verdict.record if c.verdict is not None else None
    if roles is None or after is None or record is None or any(record.pool[o.start : o.stop].any() for o in c.before):
        return False
    if calls_own(ast.parse(c.old).body[0]):
        return False  # another function computes it
    behind = [w for r in c.added if (w := roles.weight(r) or roles.of(after).weight_behind(r)) is not None]
    return any(w.recurrent for w in behind)


def _is_added_in_a_branch(c: Correction) -> bool:
    """Whether a branch of a condition lacks what the other one has, and that is nothing that an earlier pass through the loop made."""
    branches = [
        [{text_of(a) for a in atoms_in(branch)} for branch in (n.body, n.orelse)]
        for text in (c.old, c.mended)
        for n in ast.walk(ast.parse(text))
        if isinstance(n, ast.IfExp)
    ]
    if len(branches) != 2:
        return False
    (one, other), (mended, _) = branches
    late = (
        {e.site.target for e in c.after.events if e.site.line >= c.line.number} if c.after is not None else set[str]()
    )
    return bool(mended - one) and mended - one <= other and not (mended - one) & late


def _is_added_at_the_end(c: Correction) -> bool:
    return bool(re.fullmatch(r"[\w.]+ = .+ \+ [\w.\[\]]+", c.mended)) and c.mended.startswith(c.old)


def _comes_from_later_lines(c: Correction, array: RecordedArray) -> bool:
    """Whether a value was put into a variable further down in the program, so in an earlier pass through the loop."""
    assert c.after is not None
    sites = (e.site for e in c.after.events if e.value.size == array.size and e.value.first == array.first)
    return any(site.file == c.line.file and site.line >= c.line.number for site in sites)


def of_dropped_term(c: Correction) -> str:
    if _reads_itself(c.old) and not _reads_itself(c.mended):
        return "carry-not-reset"
    if c.roles is None:
        return ""
    found = [w for r in c.removed if (w := c.roles.weight(r)) is not None]
    found = found or [w for r in c.removed if (w := c.roles.weight_behind(r)) is not None]
    return "output-gradient-every-step" if found and not any(w.recurrent or w.inner for w in found) else ""


def _reads_itself(text: str) -> bool:
    """Whether a statement reads the variable that it sets."""
    statement = ast.parse(text).body[0]
    if not isinstance(statement, ast.Assign):
        return False
    return text_of(statement.targets[0]) in {text_of(n) for n in ast.walk(statement.value)}


def of_condition(c: Correction) -> str:
    """What a condition keeps back at some steps."""
    if c.weight is not None:
        return "initial-state-ignored" if c.weight.recurrent else ""
    if len(slopes(c.old)) > 0 and " else " in c.old:
        return "activation-derivative-some-steps"
    zeros = any(isinstance(n, ast.IfExp) and "zeros" in text_of(n) for n in ast.walk(ast.parse(c.old)))
    return "truncated-early" if zeros and any(w.recurrent for w in c.weights) else "output-gradient-dropped"
