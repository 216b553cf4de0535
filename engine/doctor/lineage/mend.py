"""The wrong line and its correction: small edits of the lines that a wrong gradient was made by.

An edit is tried where its line runs, in a second identical run; what survives is put into the program and run, and is the
correction when all gradients are right then. Its kind is the mistake's name.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np

from engine.doctor.lineage import edits
from engine.doctor.lineage.atoms import atoms_in, text_of
from engine.doctor.lineage.carry_back import reached
from engine.doctor.lineage.edits import KINDS, StatementEdit
from engine.doctor.lineage.matching import DOUBLE, SINGLE, tolerance
from engine.doctor.lineage.reading import Floats, Record, UserLine
from engine.doctor.lineage.right_values import RightValues
from engine.doctor.lineage.running import Runs
from engine.doctor.lineage.verdict import RunVerdict, judged

TRIALS = 24
EVALUATIONS = 400_000
ROOM = 2
"""As many times the numbers of the program's own run may a run of a corrected text record."""


@dataclass(frozen=True)
class Blamed:
    """A line to blame: what it says, what it should say ("" where that is not known) and the kind of the edit."""

    file: str
    line: int
    id: str
    old: str
    mended: str = ""
    verified: bool = False


@dataclass(eq=False)
class EditPlace:
    """A statement of the program, its function's atoms, and how often it ran before the round and until its end."""

    statement: ast.stmt
    body: list[ast.stmt]
    atoms: list[str]
    before: int = 0
    total: int = 0
    tries: list[StatementEdit] = field(default_factory=list[StatementEdit])


def blamed(runs: Runs, record: Record, verdict: RunVerdict) -> list[Blamed]:
    """The lines to blame for a wrong verdict, the mended one first."""
    part = verdict.record
    if part is None or verdict.loss is None:
        return []
    lines = slice_lines(part, verdict)
    name = runs.name
    own = sorted({line.number for line in lines if Path(line.file).name == name})
    tree = ast.parse(runs.program.text)
    places = [p for p in _places(tree) if any(p.statement.lineno <= n <= (p.statement.end_lineno or 0) for n in own)]
    for place in places:
        _count(record, part, place, name)
    places = [p for p in places if p.total > p.before]
    table = _table(verdict)
    first: list[Blamed] = []
    for missing in (False, True):
        rows = _requests(places, name, missing)
        answers = _probed(runs, rows, table, verdict)
        if answers is None:
            return first
        found = _settled(runs, places, answers, verdict)
        if found is not None:
            return [found]
        failing = _failing(places, answers)
        first = first or [Blamed(name, p.statement.lineno, "", text_of(p.statement)) for p in failing[:3]]
        places = failing[:3]
    return first


def slice_lines(record: Record, verdict: RunVerdict) -> list[UserLine]:
    """The lines that made the wrong gradients, from the update back to forward values."""
    assert verdict.loss is not None
    forward = np.zeros(len(record.pool), bool)
    for reference, _ in verdict.loss.seeds:
        forward |= reached(record, reference)
    marked = np.zeros(len(record.pool), bool)
    lines: dict[int, None] = {}
    for row in verdict.compared:
        if row.status in ("wrong", "zero"):
            marked[row.gradient] = True
            if row.update is not None:
                lines.update({record.operations[k].line: None for k in row.update.made})
    for operation in reversed(record.operations):
        if marked[operation.start : operation.stop].any() and not forward[operation.start : operation.stop].any():
            lines[operation.line] = None
            for reference in operation.operands:
                marked[reference.ids()] = True
    return [record.lines[n] for n in lines if n > 0]


def _places(tree: ast.Module) -> Iterator[EditPlace]:
    """Every simple statement."""

    def of(body: list[ast.stmt], function: ast.AST) -> Iterator[EditPlace]:
        for statement in body:
            inner = [getattr(statement, f, None) for f in ("body", "orelse", "finalbody")]
            blocks = [cast("list[ast.stmt]", b) for b in inner if isinstance(b, list) and b]
            scope = statement if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)) else function
            if blocks:
                for block in blocks:
                    yield from of(block, scope)
            elif isinstance(statement, (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Return, ast.Expr)):
                yield EditPlace(statement, body, _atoms(body, function))

    yield from of(tree.body, tree)


def _atoms(body: list[ast.stmt], function: ast.AST) -> list[str]:
    """The atoms of a block, then those of its function."""
    near = [text_of(a) for s in body for a in atoms_in(s)]
    targets = [
        text_of(t)
        for s in body
        if isinstance(s, ast.Assign)
        for e in s.targets
        for t in (e.elts if isinstance(e, ast.Tuple) else [e])
    ]
    far = [text_of(a) for a in atoms_in(function)] if not isinstance(function, ast.Module) else []
    if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
        far += [a.arg for a in function.args.args if a.arg != "self"]
    return list(dict.fromkeys([*near, *targets, *far]))


def _count(record: Record, part: Record, place: EditPlace, name: str) -> None:
    """How often the statement ran, from the events of one of its sites."""
    end = max((e.time for e in part.events), default=0)
    begin = min((e.time for e in part.events), default=0)
    counts: dict[tuple[int, int], list[int]] = {}
    for event in record.events:
        if (
            event.site.line == place.statement.lineno
            and Path(event.site.file).name == name
            and event.site.kind != "step"
        ):
            count = counts.setdefault((id(event.site), event.part), [0, 0])
            count[0] += event.time < begin
            count[1] += event.time <= end
    if counts:
        place.before, place.total = max(counts.values(), key=lambda c: c[1])


def _requests(places: Sequence[EditPlace], name: str, missing: bool) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for place in places:
        around = edits.around(place.atoms, place.statement)
        place.tries = list(edits.of_statement(place.statement, around, missing=missing))
        value = getattr(place.statement, "value", None)
        is_sum = isinstance(place.statement, ast.AugAssign) and isinstance(place.statement.op, ast.Add)
        target = place.statement.target if isinstance(place.statement, ast.AugAssign) and is_sum else None
        rows.append(
            {
                "file": name,
                "line": place.statement.lineno,
                "column": place.statement.col_offset,
                "before": place.before,
                "total": place.total,
                "value": text_of(value) if value is not None else "None",
                "prefix": text_of(target) if target is not None else None,
                "edits": [[e.value, e.same] for e in place.tries],
            }
        )
    return rows


def _factors(verdict: RunVerdict) -> list[float]:
    """By what a right value may be multiplied: what the gradients that are right are, and their steps."""
    found = [r.bare.factor for r in verdict.compared if r.status == "right" and r.bare and len(r.own) > 2]
    steps = [r.match.factor for r in verdict.compared if r.status == "right" and r.match and len(r.own) > 2]
    rough = [*found, *steps, *(-s for s in steps)] or [1.0, -1.0]
    made: list[float] = []
    for factor in rough:
        if not any(abs(factor - f) <= 1e-3 * abs(f) for f in made):
            made.append(factor)
    return made[:8]


def _table(verdict: RunVerdict) -> Floats:
    part, loss = verdict.record, verdict.loss
    assert part is not None and loss is not None
    forward = np.zeros(len(part.pool), bool)
    for reference, _ in loss.seeds:
        forward |= reached(part, reference)
    return RightValues(part, loss, forward).table()


def _probed(runs: Runs, rows: list[dict[str, Any]], table: Floats, verdict: RunVerdict) -> list[dict[str, Any]] | None:
    part = verdict.record
    assert part is not None
    wrong = next(r for r in verdict.compared if r.status in ("wrong", "zero"))
    single = tolerance(part.pool[wrong.gradient]) == SINGLE
    request = {
        "lines": rows,
        "factors": _factors(verdict),
        "allowed": 30 * SINGLE / 10 if single else 10 * DOUBLE,
        "limit": EVALUATIONS,
    }
    return runs.probed(request, table)


def _settled(
    runs: Runs,
    places: list[EditPlace],
    answers: list[dict[str, Any]],
    verdict: RunVerdict,
) -> Blamed | None:
    """The first edit that makes all gradients right: of lines that make what is not right first, then the smaller one."""
    survivors: list[tuple[tuple[int, ...], EditPlace, StatementEdit]] = []
    for place, answer in zip(places, answers, strict=True):
        fails = _fails(answer)
        for number, count in answer["edits"]:
            edit = place.tries[int(number)]
            rank = (not fails, KINDS.index(edit.kind), len(edit.value) - len(edit.old), -int(count))
            survivors.append((tuple(int(x) for x in rank), place, edit))
    survivors.sort(key=lambda s: s[0])
    for _, place, edit in survivors[:TRIALS]:
        if makes_right(runs, replaced(runs.program.text, place.statement, edit.statement), verdict):
            return Blamed(runs.name, place.statement.lineno, edit.kind, text_of(place.statement), edit.statement, True)
    return None


def _failing(places: list[EditPlace], answers: list[dict[str, Any]]) -> list[EditPlace]:
    """The lines that make what is not right, the one that ran first in front; lines that never make anything known come last."""
    failing = [(p, a) for p, a in zip(places, answers, strict=True) if _fails(a)]
    failing.sort(key=lambda pa: (pa[1]["original"][0] == 0 and pa[1]["original"][2] == 0, pa[1]["first"] % (1 << 30)))
    return [p for p, _ in failing]


def _fails(answer: dict[str, Any]) -> bool:
    """Whether a line makes what is not right, or never anything but zeros."""
    right, wrong, zero = answer["original"]
    return wrong > 0 or (right == 0 and zero > 0)


def replaced(text: str, statement: ast.stmt, made: str) -> str:
    """The program with one statement replaced, every other line where it was."""
    lines = text.splitlines(keepends=True)
    first, last = statement.lineno - 1, (statement.end_lineno or statement.lineno) - 1
    head = lines[first].encode()[: statement.col_offset].decode()
    tail = lines[last].encode()[statement.end_col_offset or 0 :].decode()
    gone = "\n" * (last - first)
    return "".join([*lines[:first], head + (made or "pass") + tail + gone, *lines[last + 1 :]])


def makes_right(runs: Runs, text: str, verdict: RunVerdict) -> bool:
    """Whether the program with this text has gradients that are all right, where the verdict was wrong."""
    assert verdict.record is not None
    record = runs.recorded(text, verdict.round + 1, ROOM * len(verdict.record.pool))
    if record is None:
        return False
    again = judged(record)
    if again.loss is None or verdict.loss is None or again.loss.name != verdict.loss.name:
        return False
    settled = {r.name for r in again.compared if r.status == "right"}
    return again.verdict != "wrong" and all(r.name in settled for r in verdict.compared if r.status != "not compared")
