"""What a mistake is called: the kind of the edit that corrects it, and what the corrected line reads instead.

What is read is told by its role in the record (`roles`): a weight that is recurrent, what an activation made, a mask, the same thing at
another step. So the names are the same for every architecture. Names are those of the catalogue.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from engine.doctor.lineage.gradients import gradients
from engine.doctor.lineage.record.carry_back import reached
from engine.doctor.lineage.record.matching import compared, same
from engine.doctor.lineage.record.reading import Floats, RecordedArray, RecordedOperation
from engine.doctor.lineage.roles import PRODUCTS, Roles
from engine.doctor.lineage.the_loss.loss import adjoint_of, forward_of
from engine.doctor.lineage.verdict.given_back import NEGATED
from engine.doctor.lineage.verdict.verdict import ADDED, ComparedGradient, RunVerdict
from engine.doctor.mending.atoms import atoms_in, text_of
from engine.doctor.mending.correction import Correction, read_by
from engine.doctor.mending.edits import calls_own
from engine.doctor.mending.scales import of_factor, scale_name
from engine.doctor.mending.slopes import slope_name, slopes
from engine.doctor.recording.calls.guesses import RATE

OTHERS = {
    "index": "wrong-step",
    "variable": "wrong-variable",
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
    named = _BY_KIND.get(correction.kind)
    return (named(correction) if named is not None else "") or OTHERS.get(correction.kind, correction.kind)


def _transpose(c: Correction) -> str:
    if c.mended.count(".T") < c.old.count(".T"):
        return "transposed-too-often"
    recurrent = [w.recurrent for w in c.weights]
    return "weights-not-transposed" if recurrent and not any(recurrent) else "wa-not-transposed"


def _accumulation(c: Correction) -> str:
    return "overwritten-not-accumulated" if "+=" in c.mended else "carry-not-reset"


def _derivative(c: Correction) -> str:
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


def _replaced(c: Correction) -> str:
    """Another value is read: the same thing at another step, or another thing."""
    roles = c.roles
    if c.row is not None and c.row.bare is not None and c.row.bare.right:
        return _number(c)
    if named := slope_name(c):
        return named
    if _is_dropped_recurrence(c):
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
    if roles.siblings(removed, added):
        if len({r.first for r in c.removed}) == 1 < len({r.first for r in c.added}):
            return "one-object-for-all-steps"
        derives = roles.is_activated(added) or roles.feeds_activation(added)
        return "activation-derivative-wrong-step" if derives else "wrong-step"
    if roles.argument(removed) == added.first or roles.argument(added) == removed.first:
        return "tanh-derivative-of-activation"
    if roles.is_factor(removed) and roles.is_factor(added):
        return "gate-for-another"
    return _in_index(c)


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
        after = roles.place(added) + 1
        return (
            "dwa-uses-current-state"
            if roles.siblings(removed, added) and roles.place(removed) == after
            else "wrong-step"
        )
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


def _factor_missing(c: Correction) -> str:
    roles = c.roles
    if c.mended.count(" / ") > c.old.count(" / ") and c.verdict is not None and not c.added:
        factors = [
            r.bare.factor for r in c.verdict.compared if r.bare is not None and r.bare.right and r.status == "wrong"
        ]
        return of_factor(c, factors[0]) if factors else ""
    more = len(_SLOPE.findall(c.mended)) > len(_SLOPE.findall(c.old))
    if roles is None or not c.added:
        return "activation-derivative-missing" if more else _scaled(c)
    weights = [w for r in c.added if (w := roles.weight(r)) is not None]
    if weights:
        return "wa-not-applied" if weights[0].recurrent else ""
    if (roles if c.after is None else roles.of(c.after)).are_mask(c.added):
        return "mask-forgotten" if not more else "activation-derivative-missing"
    return "activation-derivative-missing" if more else ""


_SLOPE = re.compile(r"1 - [^()+]*\*\* ?2|\*\* ?2|> 0|\* \(1 - ")


def _factor_dropped(c: Correction) -> str:
    roles = c.roles
    if roles is not None and c.before:
        old, new = _products(c.before), _products(c.corrected)
        if c.after is not None and old > new and any(w.recurrent for w in c.weights):
            return "wa-applied-twice"
    return _scaled(c) or _number(c) or "factor-too-many"


def _products(operations: Sequence[RecordedOperation]) -> int:
    return sum(o.name in PRODUCTS for o in operations)


def _scaled(c: Correction) -> str:
    """A number that the whole is multiplied by."""
    if c.roles is None:
        return "averaged-over-time" if _COUNT.search(c.old) and not _COUNT.search(c.mended) else ""
    if (c.removed or c.added) and c.corrected:  # where the line only hands on, all that it read is removed
        return ""
    return scale_name(c) or _number(c)


def _number(c: Correction) -> str:
    """What a gradient is multiplied by that is right otherwise: the number of steps, of samples, or the rate of the updates."""
    if c.verdict is None:
        return ""
    wrong = [c.row] if c.row is not None else [r for r in c.verdict.compared if r.status == "wrong"]
    factors = [r.bare.factor for r in wrong if r.bare is not None and r.bare.right]
    if not factors or not all(same(f, factors[0]) for f in factors):
        return ""
    others = [r.bare.factor for r in c.verdict.compared if r.status == "right" and r.bare is not None]
    return of_factor(c, factors[0] / (others[0] if others else 1.0)) or _rate(c)


def _rate(c: Correction) -> str:
    """Whether what is left out is called as rates of updates are."""
    old, mended = ({n.id for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Name)} for text in (c.old, c.mended))
    return "learning-rate-in-gradient" if any(RATE.match(name) for name in old - mended) else ""


_COUNT = re.compile(r"/ (?:\(?len\(|T\b|n_?steps|seq|steps|time)", re.I)


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


def _term_missing(c: Correction) -> str:
    roles = c.roles
    if roles is None or not c.added or c.after is None:
        return "future-gradient-dropped" if _is_added_at_the_end(c) else ""
    of_output = c.weights and not any(w.recurrent or w.inner for w in c.weights)
    if " if " in c.old and (of_output or _is_added_in_a_branch(c)):
        return "output-gradient-dropped"
    if _is_dropped_recurrence(c):
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


def _is_dropped_recurrence(c: Correction) -> bool:
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


def _term_dropped(c: Correction) -> str:
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


def _condition(c: Correction) -> str:
    """What a condition keeps back at some steps."""
    if c.weight is not None:
        return "initial-state-ignored" if c.weight.recurrent else ""
    if len(slopes(c.old)) > 0 and " else " in c.old:
        return "activation-derivative-some-steps"
    zeros = any(isinstance(n, ast.IfExp) and "zeros" in text_of(n) for n in ast.walk(ast.parse(c.old)))
    return "truncated-early" if zeros and any(w.recurrent for w in c.weights) else "output-gradient-dropped"


def _delta(c: Correction) -> str:
    if "(1 - " in c.old and c.old.count(" - ") == 1 and ".sum(" in c.mended:
        return "softmax-jacobian-diagonal"
    if _is_gradient_of_output(c):
        return "delta-before-softmax"
    if "(1 - " in c.old:
        return "mse-delta-with-cross-entropy" if c.old.count(" - ") > 1 else "softmax-jacobian-diagonal"
    if " / " in c.old and "-" in c.old:
        return "delta-before-softmax"
    return "delta-sign" if " - " in c.old else "delta-without-target"


def _is_gradient_of_output(c: Correction) -> bool:
    """Whether the line made dL/d(what the output's activation made) rightly, in the place of dL/d(what it was applied to)."""
    record, loss = (
        c.verdict.record if c.verdict is not None else None,
        c.verdict.loss if c.verdict is not None else None,
    )
    if record is None or loss is None or c.roles is None:
        return False
    adjoint, forward = adjoint_of(record, loss), c.roles.forward
    read = {r.first for o in c.before for r in o.operands}
    made = [record.pool[o.start : o.stop] for o in c.before if o.size > 1 and o.start not in read]
    rights = [adjoint[o.start : o.stop] for o in record.operations if forward[o.start] and o.size > 1]
    pairs = ((m, r) for m in made for r in rights if len(m) == len(r))
    return any((match := compared(m, r)) is not None and match.right for m, r in pairs)


def _exchanged(c: Correction) -> str:
    """A product the other way round is the transposed one; a difference has the other sign."""
    if re.search(r"@|dot|outer|matmul", c.old):
        return "dwa-transposed" if c.row is not None else ""
    return "delta-sign" if c.roles is not None and all(_is_output(c, r) for r in read_by(c.before)) else ""


def _is_output(c: Correction, array: RecordedArray) -> bool:
    assert c.roles is not None
    return c.roles.is_forward(array) or c.roles.is_given(array)


_BY_KIND: dict[str, Callable[[Correction], str]] = {
    "transpose": _transpose,
    "accumulation": _accumulation,
    "derivative": _derivative,
    "index": _replaced,
    "variable": _replaced,
    "factor-missing": _factor_missing,
    "factor-dropped": _factor_dropped,
    "term-missing": _term_missing,
    "term-dropped": _term_dropped,
    "condition": _condition,
    "delta": _delta,
    "exchanged": _exchanged,
    "sum-for-mean": _sum_or_mean,
}


def of_loop(old: str, new: str, *, order: bool) -> str:
    """The name of a loop that runs over other steps than it should, or in another `order`."""
    if order:
        return "time-order-forward"
    counted = [{n.id for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Name)} for text in (old, new)]
    if "shape" in old or counted[0] != counted[1]:
        return "loop-over-wrong-axis"
    return "first-step-skipped" if _first_differs(old, new) else "last-step-skipped"


def _first_differs(old: str, new: str) -> bool:
    """Whether two `range(...)` differ where the earliest step is: where one that counts up starts, one that counts down ends."""
    before, after = (ast.parse(text, mode="eval").body for text in (old, new))
    ranges = [
        [n for n in ast.walk(e) if isinstance(n, ast.Call) and ast.unparse(n.func) == "range"] for e in (before, after)
    ]
    one, two = ([ast.unparse(a) for a in calls[0].args] if calls else [] for calls in ranges)
    if len(one) == 3 and one[2].startswith("-"):
        return len(two) != 3 or one[1] != two[1]
    return len(one) != len(two) or (len(one) > 1 and one[0] != two[0])


def without_edit(verdict: RunVerdict) -> Iterator[tuple[str, int]]:
    """Mistakes that no edit of a backward line corrects, with the number of a line in the record: gradients that are added to the weights,
    gradients in which those of the round before are left, and weights that are stepped while gradients are still made with them."""
    if line := _stepped_early(verdict):
        yield "weights-updated-during-backward", line
    for row in verdict.compared:
        if row.reason == ADDED and row.update is not None:
            opposite = row.bare is not None and row.bare.factor < 0 and bool((row.update.signs < 0).all())
            line = _delta_line(verdict) if opposite else 0
            yield ("delta-sign", line) if line else ("gradients-added", row.update.line)
        elif row.reason == NEGATED and (line := _delta_line(verdict)):
            yield "delta-sign", line
        elif row.status == "wrong" and verdict.round > 0 and (line := _kept_from_before(verdict, row)):
            yield "gradients-not-reset", line


def _stepped_early(verdict: RunVerdict) -> int:
    """The line of an update whose result a gradient that is wrong was made from, in the same round; 0 where there is none."""
    record, loss = verdict.record, verdict.loss
    wrong = [row for row in verdict.compared if row.status == "wrong" and row.gradient.size]
    if record is None or loss is None or not wrong:
        return 0
    forward = forward_of(record, loss)
    made = reached(record, [RecordedArray(row.gradient.shape, kept=row.gradient) for row in wrong]) & ~forward
    for row in verdict.compared:
        steps = [record.operations[k] for k in row.update.made] if row.update is not None else []
        for step in steps:
            read = made[step.start : step.stop].any()
            if read and not any(np.isin(w.gradient, np.arange(step.start, step.stop)).any() for w in wrong):
                return step.line
    return 0


def _delta_line(verdict: RunVerdict) -> int:
    """The line that makes what an output gets, with the wrong sign: a difference from its target; 0 where there is none."""
    record, loss = verdict.record, verdict.loss
    if record is None or loss is None:
        return 0
    roles = Roles(record, loss, [row.own for row in verdict.compared])
    adjoint = adjoint_of(record, loss)
    rights = [adjoint[o.start : o.stop] for o in record.operations if roles.forward[o.start]]
    for event in record.events:
        ids = event.value.ids().ravel() if event.value.size else np.zeros(0, np.int32)
        if not ids.size or roles.forward[ids].any():
            continue
        maker = record.maker(int(ids[-1]))
        if maker >= 0 and any(len(r) == ids.size and _is_negative(record.pool[ids], r) for r in rights):
            return record.operations[maker].line  # what is made of it has the wrong sign, too, and comes later
    return 0


def _is_negative(values: Floats, right: Floats) -> bool:
    """Whether values are right but for their sign, and for a factor where they are several."""
    match = compared(values, right)
    return match is not None and match.right and match.factor < 0 and (len(right) > 1 or same(match.factor, -1.0))


def _kept_from_before(verdict: RunVerdict, row: ComparedGradient) -> int:
    """The line that adds to what was left of the round before, 0 where there is none."""
    record = verdict.record
    first = gradients.kept(record, row.walk, row.gradient, row.right) if record and row.walk else 0
    if record is None or not first:
        return 0
    reads = (o.line for o in record.operations if any(r.size and r.first == first for r in o.operands))
    return next(reads, row_line(row))


def row_line(row: ComparedGradient) -> int:
    """The number of the update's line."""
    return row.update.line if row.update is not None else 0
