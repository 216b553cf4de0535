"""Corrections of what stands around the lines that made a gradient: with what a loop begins, under which condition statements run, in
which order, and what two of them exchanged. No single value shows them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from engine.doctor.mending.edits.atoms import text_of
from engine.doctor.mending.trials.places import EditPlace
from engine.doctor.mending.trials.trying import Blamed, Trial

FEW = 8
"""So many corrections of one kind are tried."""
FURTHEST = 6
"""So far a statement is moved."""


def begun(trial: Trial, places: Sequence[EditPlace]) -> Blamed | None:
    """A loop that begins with what another one left, or that does not, because it is overwritten before."""
    trial.left = FEW
    for file, tree, lines in _files(trial, places):
        for carry in _carries(tree, lines):
            statement, loop = carry.start, carry.loop
            head = f"for {text_of(loop.target)} in {text_of(loop.iter)}:"
            if carry.overwritten:
                if trial.holds(file, statement, "pass"):
                    id = "layer-above-not-handed-down"
                    return Blamed(file, statement.lineno, id, text_of(statement), "", True, trial.corrected)
            else:
                first = f"{carry.name} = {text_of(carry.value)}"
                steps = f"({carry.name} := {text_of(carry.value)}, {text_of(loop.iter)})[1]"
                if trial.holds(file, loop.iter, steps):
                    return Blamed(file, loop.lineno, "carry-left-over", head, f"{first}; {head}", True, trial.corrected)
    return None


@dataclass(frozen=True)
class LoopCarry:
    """A variable that a loop hands on from step to step: the statement that gives it its first value, and whether that comes after another
    loop that made it, too (`overwritten`), or before (what that loop left is there)."""

    loop: ast.For
    name: str
    start: ast.Assign
    value: ast.expr
    overwritten: bool


def _carries(tree: ast.Module, lines: set[int]) -> Iterator[LoopCarry]:
    """The carries of the loops around these lines that another loop makes, too, before they begin or around them."""
    for scope in [n for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.Module))]:
        own = list(_inside(scope))
        loops = [n for n in own if isinstance(n, (ast.For, ast.While))]
        starts = [(n, name, value) for n in own if isinstance(n, ast.Assign) for name, value in _first_values(n)]
        for loop in [n for n in loops if isinstance(n, ast.For) and any(_holds(n, line) for line in lines)]:
            for name in _handed_on(loop):
                others = [k for k in loops if k is not loop and name in _stored(k) and k.lineno < loop.lineno]
                apart = [k for k in others if not _holds(k, loop.lineno)]
                before = [s for s in starts if s[1] == name and s[0].lineno < loop.lineno]
                before = [s for s in before if not any(_holds(k, s[0].lineno) for k in apart)]
                if not before or not others:
                    continue
                start, _, value = max(before, key=lambda s: s[0].lineno)
                after = [k for k in others if (k.end_lineno or 0) < start.lineno]
                left = [k for k in others if k.lineno > start.lineno]
                if left or after:
                    yield LoopCarry(loop, name, start, value, not left)


def _first_values(statement: ast.Assign) -> Iterator[tuple[str, ast.expr]]:
    """The names that a statement sets, each with its expression."""
    for target in statement.targets:
        match target, statement.value:
            case ast.Tuple(elts=targets), ast.Tuple(elts=values) if len(targets) == len(values):
                yield from ((t.id, v) for t, v in zip(targets, values, strict=True) if isinstance(t, ast.Name))
            case ast.Name(id=name), value:
                yield name, value
            case _:
                pass


def _inside(scope: ast.AST) -> Iterator[ast.AST]:
    """What a function or module contains, without the functions in it."""
    for node in ast.iter_child_nodes(scope):
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield node
            yield from _inside(node)


def _holds(statement: ast.stmt, line: int) -> bool:
    return statement.lineno <= line <= (statement.end_lineno or 0)


def _handed_on(loop: ast.For) -> list[str]:
    """The variables that a loop reads before it makes them anew."""
    read: dict[str, None] = {}
    stored: set[str] = set()
    for statement in loop.body:
        names = [n for n in ast.walk(statement) if isinstance(n, ast.Name)]
        read.update({n.id: None for n in names if isinstance(n.ctx, ast.Load) and n.id not in stored})
        stored |= {n.id for n in names if isinstance(n.ctx, ast.Store)}
    kept = {n.id for n in ast.walk(loop.target) if isinstance(n, ast.Name)}
    added = {n.target.id for n in ast.walk(loop) if isinstance(n, ast.AugAssign) and isinstance(n.target, ast.Name)}
    return [name for name in read if name in stored - kept - added]


def _stored(loop: ast.For | ast.While) -> set[str]:
    return {n.id for s in loop.body for n in ast.walk(s) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def unconditional(trial: Trial, places: Sequence[EditPlace]) -> Blamed | None:
    """Statements that run under a condition, and should always."""
    trial.left = FEW
    for file, tree, lines in _files(trial, places):
        guards = [
            n for n in ast.walk(tree) if isinstance(n, ast.If) and any(_holds(s, k) for s in n.body for k in lines)
        ]
        for guard in sorted(guards, key=lambda n: -n.lineno):
            if "__name__" not in text_of(guard.test) and trial.holds(file, guard.test, "True"):
                inside = "; ".join(text_of(s) for s in guard.body)
                named = trial.named(file, guard.body[0], "condition", f"if {text_of(guard.test)}: {inside}", inside)
                return Blamed(file, guard.lineno, named.id, named.old, inside, True, trial.corrected)
    return None


def stepped_early(trial: Trial, places: Sequence[EditPlace]) -> Blamed | None:
    """A weight that was handed over and is stepped while gradients are still made with it."""
    trial.left = FEW
    for place in [p for p in places if p.repeats and not p.given]:
        match place.statement:
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AugAssign(target=ast.Name(id=name)):
                pass
            case _:
                continue
        stepped = name in _names(place.statement)[0] and name in place.arguments
        if stepped and trial.holds(place.file, place.statement, "pass"):
            id, old = "weights-updated-during-backward", text_of(place.statement)
            return Blamed(place.file, place.statement.lineno, id, old, "", True, trial.corrected)
    return None


def reordered(trial: Trial, places: Sequence[EditPlace]) -> Blamed | None:
    """A statement on the other side of one that it reads from, or that reads from it."""
    for place in places:
        trial.left = FEW
        for other in _movable(place):
            first, second = (
                (place.statement, other) if other.lineno > place.statement.lineno else (other, place.statement)
            )
            made = f"{text_of(second)}; {text_of(first)}"
            at, gone = (first, second) if first is place.statement else (second, first)
            if (found := trial.blames(place.file, at, "moved", made, (gone, ""))) is not None:
                return found
    return None


def _movable(place: EditPlace) -> Iterator[ast.stmt]:
    """Statements of the block that change what a statement reads, or read what it changes, the nearest first."""
    body, at = place.body, place.body.index(place.statement)
    reads, writes = _names(place.statement)
    near = sorted(range(len(body)), key=lambda k: (abs(k - at), k < at))
    for k in near[1:]:
        other = body[k]
        if abs(k - at) > FURTHEST or not isinstance(other, (ast.Assign, ast.AugAssign, ast.Expr)):
            continue
        read, written = _names(other)
        if (reads & written or writes & read) and other.lineno != place.statement.lineno:
            yield other


def _names(statement: ast.stmt) -> tuple[set[str], set[str]]:
    """The variables that a statement reads, and those that it changes."""
    targets = getattr(statement, "targets", [getattr(statement, "target", None)])
    written = {n.id for t in targets if t is not None for n in ast.walk(t) if isinstance(n, ast.Name)}
    value = getattr(statement, "value", None)
    read = {n.id for n in ast.walk(value) if isinstance(n, ast.Name)} if value is not None else set[str]()
    return read | (written if isinstance(statement, ast.AugAssign) else set()), written


def interchanged(trial: Trial, places: Sequence[EditPlace]) -> list[Blamed]:
    """Two statements of which each has the other's value."""
    trial.left = FEW
    for place in places:
        at = place.body.index(place.statement)
        for other in place.body[at + 1 : at + 3]:
            pair = _with_each_others(place.statement, other)
            if pair is None:
                continue
            found = trial.blames(place.file, place.statement, "variable", pair[0], (other, pair[1]))
            if found is not None:
                return [
                    found,
                    Blamed(place.file, other.lineno, found.id, text_of(other), pair[1], True, found.corrected),
                ]
    return []


def _with_each_others(one: ast.stmt, other: ast.stmt) -> tuple[str, str] | None:
    """Both statements, each with the other's value; None where they are not of one kind."""
    match one, other:
        case ast.AugAssign(), ast.AugAssign() if type(one.op) is type(other.op):
            made = [ast.AugAssign(a.target, a.op, b.value) for a, b in ((one, other), (other, one))]
        case ast.Assign(), ast.Assign():
            made = [ast.Assign(a.targets, b.value, lineno=0) for a, b in ((one, other), (other, one))]
        case _:
            return None
    return (text_of(made[0]), text_of(made[1])) if text_of(one.value) != text_of(other.value) else None


def _files(trial: Trial, places: Sequence[EditPlace]) -> Iterator[tuple[str, ast.Module, set[int]]]:
    """The files of these places, each with its tree and the places' lines."""
    for file in dict.fromkeys(p.file for p in places):
        yield file, ast.parse(trial.texts[file]), {p.statement.lineno for p in places if p.file == file}
