"""The statements of a program that wrong gradients were made by, and how often each ran."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from engine.doctor.lineage.gradients.comparison import ComparedGradient
from engine.doctor.lineage.gradients.gradients import DEEPEST
from engine.doctor.lineage.record.arrays import whole_numbers
from engine.doctor.lineage.record.carry_back import reached, touched
from engine.doctor.lineage.record.derivatives import PRODUCTS
from engine.doctor.lineage.record.matching import compared
from engine.doctor.lineage.record.place_by_place import made_place_by_place
from engine.doctor.lineage.record.reading import Record, RecordedArray, RecordedOperation, UserLine
from engine.doctor.lineage.the_loss.loss import adjoint_of, forward_of
from engine.doctor.lineage.the_loss.terms import carried_apart
from engine.doctor.lineage.verdict.run_verdict import RunVerdict
from engine.doctor.mending.edits.atoms import atoms_in
from engine.doctor.mending.edits.expression_text import text_of
from engine.doctor.mending.edits.made_again import forward_values


@dataclass(eq=False)
class EditPlace:
    """A statement of one of the program's files, its function's atoms, and how often it ran before the round and until its end."""

    file: str
    statement: ast.stmt
    body: list[ast.stmt]
    atoms: list[str]
    before: int = 0
    total: int = 0
    given: bool = False
    mistaken: bool = False
    moves: bool = False
    takes: bool = False
    """Whether it takes a value of the forward pass as it is, for the way back: an entry, or a copy. Nothing says what that should be but
    what is made of it."""
    repeats: bool = False
    """Whether its block is a loop's."""
    lost: bool = False
    """Whether nothing of what comes back from the loss goes into what it makes, though a gradient comes of it."""
    apart: bool = False
    """Whether no right gradient was made by it."""
    steps: bool = False
    """Whether it is an optimizer's: it works place by place on what comes in for several arrays, or steps one."""
    arguments: tuple[str, ...] = ()
    """Those of its function."""
    values: tuple[str, ...] = ()
    """Expressions of the forward pass that may be made again where it runs."""

    @property
    def line(self) -> UserLine:
        return UserLine(self.file, self.statement.lineno)


def places_of(texts: Mapping[str, str], record: Record, verdict: RunVerdict) -> list[EditPlace]:
    """The statements that the wrong gradients were made by."""
    part = verdict.record
    assert part is not None
    made, moved = _slice_lines(part, verdict, [r for r in verdict.compared if r.status in ("wrong", "zero")])
    taking = _taking_lines(texts, part, verdict, {*made, *moved})
    own, moving = {*made, *moved, *taking}, set(moved)
    right = set(_slice_lines(part, verdict, [r for r in verdict.compared if r.status == "right"])[0])
    (given, lost), mistaken = _given_lines(part, verdict), _mistaken(verdict)
    begin, of_steps = _begin(part, verdict), _of_steps(part, verdict)
    made_forward, runs = _forward_lines(part, verdict), _runs(record, part, begin, _end(part, verdict))
    places: list[EditPlace] = []
    for file, text in texts.items():
        numbers = sorted(line.number for line in own if line.file == file)
        tree = ast.parse(text)
        values = tuple(forward_values(tree, {line.number for line in made_forward if line.file == file} - {*numbers}))
        for place in statements(file, tree):
            first, last = place.statement.lineno, place.statement.end_lineno or 0
            if any(first <= n <= last for n in numbers):
                place.before, place.total = runs.get(place.line, (0, 0))
                place.given, place.moves = place.line in given, place.line in moving
                place.takes = place.line in taking
                place.lost, place.steps = place.line in lost, place.line in of_steps
                place.mistaken, place.apart = place.line in mistaken, place.line not in right
                place.values = values
                places.append(place)
    return [p for p in places if p.total > p.before]


def _forward_lines(record: Record, verdict: RunVerdict) -> set[UserLine]:
    """The lines that give arrays of the forward pass a name."""
    assert verdict.loss is not None
    forward = forward_of(record, verdict.loss)
    events = record.events
    named = events.where(lambda kind: kind.site.kind == "assign") & (events.sizes > 1) & forward[events.firsts]
    sites = (events.kinds[k].site for k in whole_numbers(np.unique(events.spots[named])))
    return {UserLine(site.file, site.line) for site in sites}


def again(places: Sequence[EditPlace], texts: Mapping[str, str]) -> list[EditPlace]:
    """The same places in texts of which statements were replaced."""
    known = {(p.file, p.statement.lineno, p.statement.col_offset): p for p in places}
    made: list[EditPlace] = []
    for file in dict.fromkeys(p.file for p in places):
        for place in statements(file, ast.parse(texts[file])):
            old = known.get((file, place.statement.lineno, place.statement.col_offset))
            if old is not None:
                made.append(replace(old, statement=place.statement, body=place.body, atoms=place.atoms))
    return made


def _mistaken(verdict: RunVerdict) -> set[UserLine]:
    """Lines that step an array by the gradient of another one."""
    assert verdict.record is not None
    lines = verdict.record.lines
    rows = [row for row, _ in with_anothers(verdict)]
    return {lines[row.update.line] if row.update is not None else UserLine("", row.line) for row in rows}


def with_anothers(verdict: RunVerdict) -> Iterator[tuple[ComparedGradient, ComparedGradient]]:
    """What is stepped by, or given, the gradient of another array of its size, with that one."""
    assert verdict.record is not None
    pool = verdict.record.pool
    for row in [r for r in verdict.compared if r.status == "wrong"]:
        for other in verdict.compared:
            if other is not row and len(other.own) == len(row.own) > 2:
                matches = (compared(pool[ids], other.right) for ids in row.made_of())
                if any(match is not None and match.right for match in matches):
                    yield row, other


def _of_steps(record: Record, verdict: RunVerdict) -> set[UserLine]:
    """The lines that step arrays, and those before them that work place by place on what comes in for several arrays, for each on its own:
    what several gradients are made of is the way back, though it may be made place by place, too."""
    seen: dict[int, dict[int, set[str]]] = {}
    updates = [(row.name, row.update) for row in verdict.compared if row.update is not None]
    for name, update in updates:
        waiting = [update.by]
        for _ in range(DEEPEST):
            ids = waiting.pop() if waiting else None
            made = made_place_by_place(record, ids) if ids is not None else None
            if ids is not None and made is not None:
                seen.setdefault(made.line, {}).setdefault(int(ids[0]), set()).add(name)
                waiting += [ids for ids in made.arrays if (record.makers(ids) >= 0).all()]
    lines = {update.line for _, update in updates}
    for line, arrays in seen.items():
        if all(len(names) == 1 for names in arrays.values()) and len({name for (name,) in arrays.values()}) > 1:
            lines.add(line)
    return {record.lines[line] for line in lines}


def _given_lines(record: Record, verdict: RunVerdict) -> tuple[set[UserLine], set[UserLine]]:
    """Lines into which nothing goes that comes back from the loss: those that only compute forward values again, and those from which a
    gradient is made all the same."""
    assert verdict.loss is not None
    forward = forward_of(record, verdict.loss)
    adjoint = adjoint_of(record, verdict.loss)
    back = np.zeros(len(record.pool), bool)
    lines: dict[int, bool] = {}
    used = reached(record, [RecordedArray(row.gradient.shape, kept=row.gradient) for row in verdict.compared])
    begun = False
    for operation in record.operations:
        own = slice(operation.start, operation.stop)
        if forward[own].any():
            # half the square of an error: the error is the gradient, too
            match = compared(record.pool[own], adjoint[own]) if operation.name == "subtract" else None
            back[own] = match is not None and match.right
            continue
        moved = _is_difference(operation) or any(touched(back, r) for r in operation.operands)
        back[operation.start : operation.stop] = moved
        lines[operation.line] = lines.get(operation.line, False) or moved
        begun = begun or (moved and operation.name in PRODUCTS and bool(used[own].any()))
    moving = [row for row in verdict.compared if back[row.gradient].any()]
    if not moving or not begun:  # it begins with no difference, or only an optimizer has one: nothing tells where
        return set(), set()
    cut_off = [row for row in verdict.compared if row.status in ("wrong", "zero") and row not in moving]
    lost = set(_slice_lines(record, verdict, cut_off)[0])
    given = {record.lines[n] for n, moved in lines.items() if not moved}
    return given - lost, given & lost


def _is_difference(operation: RecordedOperation) -> bool:
    """Whether an operation may be the first of the way back: not 1 - h, which belongs to an activation's derivative."""
    return operation.name == "subtract" and (operation.operands[0].size > 1 or operation.result.size == 1)


def _slice_lines(
    record: Record, verdict: RunVerdict, rows: Sequence[ComparedGradient]
) -> tuple[list[UserLine], list[UserLine]]:
    """The lines that made these gradients, from the update back to forward values, and those that only handed values on."""
    assert verdict.loss is not None
    forward = forward_of(record, verdict.loss)
    marked = np.zeros(len(record.pool), bool)
    lines: dict[int, None] = {}
    for row in rows:
        marked[row.gradient] = True
        if row.update is not None:
            lines.update({operation.line: None for operation in row.update.made})
    for operation in reversed(record.operations):
        if marked[operation.start : operation.stop].any() and not forward[operation.start : operation.stop].any():
            lines[operation.line] = None
            for reference in operation.operands:
                marked[reference.ids()] = True
    made = [record.lines[n] for n in lines if n > 0]
    seen = [e.site for e in record.events if e.value.size and marked[e.value.first] and not forward[e.value.first]]
    return made, [one for one in dict.fromkeys(UserLine(s.file, s.line) for s in seen) if one not in made]


def _taking_lines(
    texts: Mapping[str, str], record: Record, verdict: RunVerdict, back: Collection[UserLine]
) -> set[UserLine]:
    """The lines in the blocks of these that only take a value of the forward pass: `y = ys[t]`, or a copy of it."""
    assert verdict.loss is not None
    forward = forward_of(record, verdict.loss)
    beside = {
        UserLine(file, s.lineno)
        for file, text in texts.items()
        for body in _bodies(ast.parse(text))
        if any(UserLine(file, s.lineno) in back for s in body if isinstance(s, SIMPLE))
        for s in body
    }
    seen = [e for e in record.events if e.value.size and forward[e.value.first] and e.site.kind == "assign"]
    lines = {UserLine(e.site.file, e.site.line): e.value.first for e in seen}
    made = {line: record.maker(first) for line, first in lines.items() if line in beside and line not in back}
    return {line for line, k in made.items() if k < 0 or record.lines[record.operations[k].line] != line}


def _bodies(tree: ast.AST) -> Iterator[list[ast.stmt]]:
    for node in ast.walk(tree):
        for field in ("body", "orelse", "finalbody"):
            body = getattr(node, field, None)
            if isinstance(body, list):
                yield cast("list[ast.stmt]", body)


SIMPLE = (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Return, ast.Expr)


def statements(file: str, tree: ast.Module) -> Iterator[EditPlace]:
    """Every simple statement."""

    def of(
        body: list[ast.stmt], function: ast.AST, owner: ast.ClassDef | None = None, *, repeats: bool = False
    ) -> Iterator[EditPlace]:
        atoms, arguments = _atoms(body, function, owner), _arguments(function)
        for statement in body:
            own = statement if isinstance(statement, ast.ClassDef) else owner
            inner = [getattr(statement, f, None) for f in ("body", "orelse", "finalbody")]
            blocks = [cast("list[ast.stmt]", b) for b in inner if isinstance(b, list) and b]
            scope = statement if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)) else function
            if blocks:
                for block in blocks:
                    yield from of(block, scope, own, repeats=isinstance(statement, (ast.For, ast.While)))
            elif isinstance(statement, SIMPLE):
                yield EditPlace(file, statement, body, atoms, repeats=repeats, arguments=arguments)

    yield from of(tree.body, tree)


def _atoms(body: list[ast.stmt], function: ast.AST, owner: ast.ClassDef | None) -> list[str]:
    """The atoms of a block, then those of its function, then what its class keeps."""
    near = [text_of(a) for s in body for a in atoms_in(s)]
    bound = [e for s in body if isinstance(s, ast.Assign) for e in s.targets]
    each = [t for e in bound for t in (e.elts if isinstance(e, ast.Tuple) else [e])]
    targets = [text_of(t.value if isinstance(t, ast.Starred) else t) for t in each]
    far = [text_of(a) for a in atoms_in(function)] if not isinstance(function, ast.Module) else []
    far += _arguments(function)
    kept = (
        [text_of(n) for n in ast.walk(owner) if isinstance(n, ast.Attribute) and text_of(n.value) == "self"]
        if owner
        else []
    )
    return list(dict.fromkeys([*near, *targets, *_unread(body, function), *far, *kept]))


def _unread(body: list[ast.stmt], function: ast.AST) -> list[str]:
    """What a function makes or is handed and never reads, at the indices of a block."""
    names = [n for n in ast.walk(function) if isinstance(n, ast.Name)]
    read = {n.id for n in names if isinstance(n.ctx, ast.Load)}
    made = dict.fromkeys([n.id for n in names if isinstance(n.ctx, ast.Store)] + [*_arguments(function)])
    entries = [n.slice for s in body for n in ast.walk(s) if isinstance(n, ast.Subscript)]
    at = dict.fromkeys(index.id for index in entries if isinstance(index, ast.Name))
    return [f"{name}[{index}]" for name in made if name not in read for index in at]


def _arguments(function: ast.AST) -> tuple[str, ...]:
    if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return ()
    return tuple(a.arg for a in function.args.args if a.arg != "self")


def _begin(part: Record, verdict: RunVerdict) -> int:
    """When the first value of the way back was made that a gradient was made from: what ran before made nothing of it, as where a cell of a
    notebook only tries the functions."""
    assert verdict.loss is not None
    used = reached(part, [RecordedArray(row.gradient.shape, kept=row.gradient) for row in verdict.compared])
    used &= ~forward_of(part, verdict.loss)
    made = (e for e in part.events if e.value.size and part.maker(e.value.first) >= 0 and used[e.value.ids()].any())
    return next((e.time for e in made), 0)


def _end(part: Record, verdict: RunVerdict) -> int:
    """Until when it is looked at what lines make: to the round's end, or as far as the terms of the loss are carried back one by one."""
    assert verdict.loss is not None
    apart = carried_apart(part, verdict.loss)
    return len(part.pool) if apart is None else apart.until


def _runs(record: Record, part: Record, begin: int, end: int) -> dict[UserLine, tuple[int, int]]:
    """How often the statement of each line ran before its round's way back began, and until the end, from the events of one of its
    sites."""
    events, kinds = record.events, record.events.kinds
    first, last = (int(bound) for bound in part.events.times[[0, -1]]) if len(part.events) else (0, 0)
    end = min(end, last)
    until = [events.times < begin, events.times <= end, events.times < first]
    counts = np.stack([np.bincount(events.spots[some], minlength=len(kinds)) for some in until], axis=1)
    sites: dict[UserLine, dict[tuple[bool, int, int], NDArray[np.int64]]] = defaultdict(dict)
    for kind, count in zip(kinds, counts, strict=True):
        site, key = kind.site, (kind.site.kind == "step", id(kind.site), kind.part)
        of_line = sites[UserLine(site.file, site.line)]
        of_line[key] = of_line.get(key, 0) + count
    made = dict[UserLine, tuple[int, int]]()
    for line, of_line in sites.items():
        assigned = [count for (is_step, *_), count in of_line.items() if not is_step and count.any()]
        seen = assigned or [*of_line.values()]  # of `p[y] -= 1` there is only the step
        before, total, at_least = whole_numbers(max(seen, key=lambda count: count[1]))
        made[line] = (before if before < total else at_least, total)  # what is made once, at the very beginning
    return made


def replaced(text: str, statement: ast.stmt | ast.expr, made: str) -> str:
    """The program with one statement replaced, every other line where it was."""
    lines = text.splitlines(keepends=True)
    first, last = statement.lineno - 1, (statement.end_lineno or statement.lineno) - 1
    head = lines[first].encode()[: statement.col_offset].decode()
    tail = lines[last].encode()[statement.end_col_offset or 0 :].decode()
    gone = "\n" * (last - first)
    return "".join([*lines[:first], head + (made or "pass") + tail + gone, *lines[last + 1 :]])
