"""Corrections that no single value shows: of loops, carries, sums, and of gradients that nothing reads."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import numpy as np

from engine.doctor.lineage.matching import compared
from engine.doctor.lineage.reading import Floats, Record, UserLine
from engine.doctor.lineage.verdict import RunVerdict
from engine.doctor.mending import edits, naming
from engine.doctor.mending.atoms import atoms_in, text_of
from engine.doctor.mending.carries import handed_nowhere, never_updated
from engine.doctor.mending.loops import counted, headers
from engine.doctor.mending.places import EditPlace
from engine.doctor.mending.probing import Survivor
from engine.doctor.mending.trying import TRIALS, Blamed, Trial

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
                id = naming.of_loop(old, made, order=order)
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
                        for index in edits.beside(into.slice, text_of(into.slice)):
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


def scaled(places: Sequence[EditPlace], verdict: RunVerdict) -> list[Survivor]:
    """What gradients that are a multiple of what they should be were multiplied by last, left out of the whole statement: of all entries
    of a tuple, or of what a comprehension makes."""
    record, lines = verdict.record, set[UserLine]()
    for row in verdict.compared if record is not None else ():
        if record is not None and row.status == "wrong" and row.match is not None and row.match.right:
            maker = record.maker(int(row.gradient[-1]))
            lines |= {record.lines[record.operations[maker].line]} if maker >= 0 else set()
    return [((0,), p, e) for p in places if p.line in lines for e in edits.unscaled(p.statement)]


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
