"""Corrections that no single value shows: of loops, carries, sums, and of gradients that nothing reads."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import numpy as np

from engine.doctor.lineage.record.matching import compared
from engine.doctor.lineage.record.reading import Floats, Record, RecordedEvent, UserLine
from engine.doctor.lineage.the_loss.loss import adjoint_of, forward_of
from engine.doctor.lineage.verdict.verdict import RunVerdict
from engine.doctor.mending.around.carries import handed_nowhere, never_updated
from engine.doctor.mending.around.loops import counted, headers
from engine.doctor.mending.edits import edits, entries, multiples
from engine.doctor.mending.edits.atoms import atoms_in, text_of
from engine.doctor.mending.edits.wholes import SOFTMAX_JACOBIANS
from engine.doctor.mending.naming import names
from engine.doctor.mending.trials.places import EditPlace
from engine.doctor.mending.trials.probing import Survivor
from engine.doctor.mending.trials.trying import TRIALS, Blamed, Trial

CARRIES = 6
"""So many updates of a carry are tried."""


def carried(trial: Trial, is_right: Callable[[Floats], bool]) -> Blamed | None:
    """A carry that is read at every step and never updated, though what it should be may be there."""
    part = trial.verdict.record
    assert part is not None
    for file, text in trial.texts.items():
        trial.left = CARRIES
        for statement, made in islice(handed_nowhere(ast.parse(text), file, part, is_right), CARRIES):
            if trial.holds(file, statement, made):
                id, old = "carry-never-updated", text_of(statement)
                return Blamed(file, statement.lineno, id, old, made, True, trial.corrected)
        trial.left = CARRIES
        for statement, made, replaces in islice(never_updated(ast.parse(text), trial.verdict), CARRIES):
            if trial.holds(file, statement, made):
                id = "recurrence-dropped" if replaces else "carry-never-updated"
                return Blamed(file, statement.lineno, id, text_of(statement), made, True, trial.corrected)
    return None


def looped(trial: Trial, places: Sequence[EditPlace]) -> Blamed | None:
    """A loop around lines that made the gradients, that runs over other steps, or in another order."""
    trial.left = TRIALS
    for file in dict.fromkeys(p.file for p in places):
        lines = {p.statement.lineno for p in places if p.file == file}
        for loop, made, order in headers(ast.parse(trial.texts[file]), lines):
            if trial.holds(file, loop.iter, made):
                old, target = text_of(loop.iter), text_of(loop.target)
                id = names.of_loop(old, made, order=order)
                head = f"for {target} in "
                return Blamed(file, loop.lineno, id, f"{head}{old}:", f"{head}{made}:", True, trial.corrected)
        for statement, part, made, id in counted(ast.parse(trial.texts[file]), lines):
            if trial.holds(file, part, made):
                old = text_of(statement).partition("\n")[0]
                return Blamed(file, statement.lineno, id, old, old.replace(text_of(part), made), True, trial.corrected)
    return None


def inserted(trial: Trial, places: Sequence[EditPlace]) -> Blamed | None:
    """A statement that is missing: one like another one with the entry next to it, or at the end of a block."""
    for place in places:
        trial.left = CARRIES
        for statement, other in _alike(place):
            made = f"{text_of(statement)}; {other}"
            if (found := trial.blames(place.file, statement, "inserted", made)) is not None:
                return found
    trial.left = TRIALS
    return next((found for p in places[:2] if (found := _inserted(trial, p)) is not None), None)


def through_softmax(trial: Trial, every: Sequence[EditPlace]) -> Blamed | None:
    """dL/dp where dL/d(what softmax was applied to) is meant: softmax's derivative is missing after it."""
    trial.left = CARRIES
    at = {(p.file, p.statement.lineno): p for p in every}
    for event, p in _of_probabilities(trial.verdict):
        place = at.get((event.site.file, event.site.line))
        if place is None:
            continue
        for form in SOFTMAX_JACOBIANS:
            made = f"{text_of(place.statement)}; {event.name} = {form.format(d=event.name, p=p)}"
            if (found := trial.blames(place.file, place.statement, "delta", made)) is not None:
                return found
    return None


def without_targets(trial: Trial, places: Sequence[EditPlace]) -> Blamed | None:
    """The target that is never taken off: `d[y] -= 1` after a line that makes d of outputs p, where the loss reads `log(p[y])`."""
    trial.left = CARRIES
    for file, text in trial.texts.items():
        chosen = [_chosen_by_target(n) for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Call)]
        for place in [p for p in places if p.file == file]:
            for output, index in dict.fromkeys(each for some in chosen for each in some):
                match place.statement:
                    case ast.Assign(targets=[target], value=value) if output in {text_of(a) for a in atoms_in(value)}:
                        made = f"{text_of(place.statement)}; {text_of(target)}[{index}] -= 1"
                        found = trial.blames(file, place.statement, "delta-without-target", made)
                        if found is not None:
                            return found
                    case _:
                        pass
    return None


def _chosen_by_target(call: ast.Call) -> list[tuple[str, str]]:
    """The entries that a logarithm is taken of, each as what it is an entry of and its index."""
    if "log" not in (getattr(call.func, "attr", ""), getattr(call.func, "id", "")):
        return []
    inside = [n for a in call.args for n in ast.walk(a) if isinstance(n, ast.Subscript)]
    return [(text_of(n.value), text_of(n)[len(text_of(n.value)) + 1 : -1]) for n in inside]


def _of_probabilities(verdict: RunVerdict) -> list[tuple[RecordedEvent, str]]:
    """The variables of the way back that are dL/dp for numbers p above 0 that add up to 1 along an axis, each with p's name."""
    record, loss = verdict.record, verdict.loss
    if record is None or loss is None:
        return []
    forward, adjoint = forward_of(record, loss), adjoint_of(record, loss)
    shares: dict[str, list[Floats]] = {}
    found: dict[tuple[str, str, int], tuple[RecordedEvent, str]] = {}
    for event in record.events:
        if event.value.size < 2 or not event.name.isidentifier():
            continue
        ids = event.value.ids()
        values = record.pool[ids]
        if forward[ids].any():
            if values.min() > 0 and any(np.allclose(values.sum(axis), 1.0) for axis in (0, -1)):
                shares.setdefault(event.name, []).append(adjoint[ids].ravel())
            continue
        for p, rights in shares.items():
            match = compared(values.ravel(), rights[-1]) if rights[-1].size == values.size else None
            if match is not None and match.right:
                found.setdefault((event.name, p, event.site.line), (event, p))
    return list(found.values())


def _inserted(trial: Trial, place: EditPlace) -> Blamed | None:
    """A factor of what a statement makes, at the end of its block."""
    last = place.body[-1]
    if not isinstance(last, (ast.Assign, ast.AugAssign, ast.Expr)):
        return None
    for name in [text_of(t) for t in getattr(place.statement, "targets", [])]:
        for other in [a for a in place.atoms[:14] if a != name]:
            made = f"{text_of(last)}; {name} = {name} * {other}"
            if (found := trial.blames(place.file, last, "inserted", made)) is not None:
                return found
    return None


def _alike(place: EditPlace) -> Iterator[tuple[ast.AugAssign, str]]:
    """What is added somewhere from an entry, and the like with the next entry, which nothing in the block reads, added next to it."""
    known = {text_of(n) for s in place.body for n in ast.walk(s) if isinstance(n, ast.Subscript)}
    for statement in place.body:
        match statement:
            case ast.AugAssign(
                target=ast.Subscript() as into, value=ast.Subscript(value=base, slice=ast.Constant(value=int(k)))
            ):
                for entry in [f"{text_of(base)}[{n}]" for n in (k + 1, k - 1) if n >= 0]:
                    if entry not in known:
                        for index in entries.beside(into.slice, text_of(into.slice)):
                            target = ast.Subscript(into.value, ast.parse(index, mode="eval").body, ast.Store())
                            value = ast.parse(entry, mode="eval").body
                            yield statement, text_of(ast.AugAssign(target, statement.op, value))
            case _:
                pass


def unstored(record: Record, verdict: RunVerdict) -> list[Blamed]:
    """A gradient that is zero though it was computed: the line that made it, or what becomes it when it is summed."""
    for row in verdict.compared:
        if row.status != "zero":
            continue
        right = row.right
        for event in reversed(record.events):
            values = record.pool[event.value.ids()] if event.value.size else np.zeros(0)
            shown = [values.ravel()] + ([values.sum(0).ravel()] if values.ndim > 1 else [])
            for one in shown:
                match = compared(one, right) if one.size == right.size else None
                if match is not None and match.right:
                    return [Blamed(event.site.file, event.site.line, "gradient-never-stored", event.site.text)]
    return []


def accumulations(places: list[EditPlace]) -> list[Survivor]:
    """`=` for `+=` at lines that run several times: no single value shows it."""
    often = [p for p in places if p.total - p.before > 1 and not p.given]
    written = [p for p in often if isinstance(p.statement, ast.Assign)]
    into = [p for p in places if isinstance(p.statement, ast.AugAssign)]
    made = [((0,), p, e) for p in written for e in edits.accumulation(p.statement)]
    repeated = [((0,), p, e) for p in into for e in edits.accumulation(p.statement) if e.kind == "repeated"]
    return [*made[:8], *repeated][:12]


def scaled(trial: Trial, places: Sequence[EditPlace]) -> list[Survivor]:
    """Where gradients are a multiple of what they should be: what they were multiplied by last, left out of the whole statement (of all
    entries of a tuple, or of what a comprehension makes), and the first lines after the loss divided by what the loss is divided by."""
    record, lines = trial.verdict.record, set[UserLine]()
    for row in trial.verdict.compared:
        if record is not None and row.status == "wrong" and row.match is not None and row.match.right:
            maker = record.maker(int(row.gradient[-1]))
            lines |= {record.lines[record.operations[maker].line]} if maker >= 0 else set()
    if not lines:
        return []
    made = [((0,), p, e) for p in places if p.line in lines for e in multiples.unscaled(p.statement)]
    return [*made, *_divided_as_the_loss(trial, places)]


def _divided_as_the_loss(trial: Trial, places: Sequence[EditPlace]) -> Iterator[Survivor]:
    loss = trial.verdict.loss
    if loss is None or loss.file not in trial.texts:
        return
    stated = [n for n in ast.walk(ast.parse(trial.texts[loss.file])) if getattr(n, "lineno", 0) == loss.line]
    numbers = [text_of(n.right) for n in stated if isinstance(n, ast.BinOp) and isinstance(n.op, ast.Div)]
    after = [p for p in places if p.file == loss.file and p.statement.lineno > loss.line]
    for place in sorted(after, key=lambda p: p.statement.lineno)[:3]:
        if isinstance(place.statement, ast.Assign):
            yield from (((0,), place, multiples.divided(place.statement, n)) for n in dict.fromkeys(numbers))


def stored_elsewhere(places: Sequence[EditPlace]) -> list[Survivor]:
    """What is put into an array at another index: no value shows it. First where no right gradient is made."""
    made = [((0,), p, e) for p in places if not p.given for e in edits.stored_elsewhere(p.statement, p.atoms)]
    return sorted(made, key=lambda survivor: not survivor[1].apart)


def handed_on(places: Sequence[EditPlace]) -> list[Survivor]:
    """`+=` for `=` where what is added to is handed on to the next step: the sum may as well lack the term that is there already."""
    often = [p for p in places if p.total - p.before > 1 and not p.given and isinstance(p.statement, ast.AugAssign)]
    found = [((0,), p, e) for p in often if _is_read_beside(p) for e in edits.accumulation(p.statement)]
    return [each for each in found if each[2].kind == "accumulation"][:4]


def _is_read_beside(place: EditPlace) -> bool:
    """Whether what a statement adds to is read by another statement of its block, as what is handed on to the next step is."""
    target = text_of(getattr(place.statement, "target", place.statement))
    others = [s for s in place.body if s is not place.statement]
    return any(text_of(a) == target for s in others for a in atoms_in(s))
