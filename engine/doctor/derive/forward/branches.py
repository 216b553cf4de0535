"""Branches of the forward pass, as a board would show them: what a loop does in its first or last round alone stands before or after the
loop, and of a branch that the run took one way the way that it took."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Mapping, Sequence
from typing import cast

from engine.doctor.derive.tree.shapes import SeenShapes
from engine.doctor.derive.tree.statements import blocks
from engine.doctor.derive.tree.syntax_of import called, parsed

Truth = Callable[[ast.expr], bool | None]
"""Whether a test holds; None where it is not known."""
_SIDES: dict[type[ast.cmpop], tuple[bool, bool, bool]] = {
    ast.Lt: (True, False, False),
    ast.LtE: (True, True, False),
    ast.Eq: (False, True, False),
    ast.NotEq: (True, False, True),
    ast.GtE: (False, True, True),
    ast.Gt: (False, False, True),
}
"""Whether a comparison holds below, at and above a number."""


def unrolled(loop: ast.For) -> list[ast.stmt]:
    """The loop with its first or last round apart, where branches of its body ask for them; else the loop."""
    if called(loop.iter) != "range" or not isinstance(loop.iter, ast.Call) or not isinstance(loop.target, ast.Name):
        return [loop]
    step, stop = loop.target.id, loop.iter.args[-1]
    if (len(loop.iter.args) > 1 and ast.unparse(loop.iter.args[0]) != "0") or len(loop.iter.args) > 2:
        return [loop]
    tests = [n.test for n in ast.walk(loop) if isinstance(n, ast.If)]
    for test in tests:
        if not isinstance(test, ast.Compare) or ast.unparse(test.left) != step or len(test.ops) > 1:
            continue
        if type(test.ops[0]) not in _SIDES:
            continue
        (end,) = test.comparators
        if _is_last(end, stop):
            return [_rounds(loop, [end], step, end, 0), *_round(loop, step, end, 1)]
        if ast.unparse(end) == "0":
            return [*_round(loop, step, end, 1), _rounds(loop, [ast.Constant(1), stop], step, end, 2)]
    return [loop]


def _is_last(end: ast.expr, stop: ast.expr) -> bool:
    """Whether a number is the last that is counted before `stop`."""
    return ast.unparse(stop) == f"{ast.unparse(end)} + 1" or ast.unparse(end) == f"{ast.unparse(stop)} - 1"


def _rounds(loop: ast.For, between: list[ast.expr], step: str, end: ast.expr, side: int) -> ast.stmt:
    """The other rounds of a loop."""
    made = copy.deepcopy(loop)
    made.iter = ast.fix_missing_locations(ast.copy_location(ast.Call(parsed("range"), list(between), []), loop.iter))
    made.body = _taken(made.body, _compared(step, end, side))
    return made


def _round(loop: ast.For, step: str, end: ast.expr, side: int) -> list[ast.stmt]:
    """The one round in which the counter is `end`."""

    class _Counted(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.AST:
            return copy.deepcopy(end) if node.id == step else node

    body = _taken(copy.deepcopy(loop.body), _compared(step, end, side))
    return [cast("ast.stmt", _Counted().visit(statement)) for statement in body]


def _compared(step: str, end: ast.expr, side: int) -> Truth:
    def truth(test: ast.expr) -> bool | None:
        is_it = isinstance(test, ast.Compare) and len(test.ops) == 1 and ast.unparse(test.left) == step
        if not is_it or not isinstance(test, ast.Compare) or ast.unparse(test.comparators[0]) != ast.unparse(end):
            return None
        return _SIDES.get(type(test.ops[0]), (None, None, None))[side]

    return truth


def _taken(body: list[ast.stmt], truth: Truth) -> list[ast.stmt]:
    """The statements, with those of a branch in its place where it is known which is taken."""
    made: list[ast.stmt] = []
    for statement in body:
        holds = truth(statement.test) if isinstance(statement, ast.If) else None
        if isinstance(statement, ast.If) and holds is not None:
            made += _taken(statement.body if holds else statement.orelse, truth)
        else:
            made.append(statement)
    return made


def as_run(statement: ast.If, shapes: SeenShapes) -> list[ast.stmt] | None:
    """The way that the run took at a branch every time; None where it took both, or where it is not known."""
    truths = shapes.truths(statement.test)
    if truths == {True}:
        return statement.body
    return statement.orelse if truths == {False} else None


def without_trying(statement: ast.Try, shapes: SeenShapes) -> list[ast.stmt] | None:
    """The statements of a `try` whose exceptions never came; None of others."""
    if any(shapes.ran(one.body[0]) for one in statement.handlers):
        return None
    return [*statement.body, *statement.orelse, *statement.finalbody]


def is_every_time(statement: ast.stmt, shapes: SeenShapes) -> bool:
    """Whether a block that a statement has was run every time: of a branch, of a `try` without exceptions, of a `with`."""
    if isinstance(statement, ast.Try):
        return without_trying(statement, shapes) is not None
    return isinstance(statement, ast.With) or (isinstance(statement, ast.If) and as_run(statement, shapes) is not None)


def chosen(statement: ast.stmt, shapes: SeenShapes) -> ast.stmt:
    """A statement with that side of `x if test else y` which the run took every time."""

    class _Sides(ast.NodeTransformer):
        def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
            truths = shapes.truths(node.test)
            side = node.body if truths == {True} else node.orelse if truths == {False} else node
            return self.generic_visit(side) if side is node else self.visit(side)

    has_sides = not any(True for _ in blocks(statement)) and any(isinstance(n, ast.IfExp) for n in ast.walk(statement))
    return cast("ast.stmt", _Sides().visit(copy.deepcopy(statement))) if has_sides else statement


def taken_ways(body: Sequence[ast.stmt], shapes: SeenShapes) -> list[ast.stmt]:
    """The statements of a block, with those of a branch in its place where the run took it the same way every time, up to its return."""
    made: list[ast.stmt] = []
    for statement in body:
        way = as_run(statement, shapes) if isinstance(statement, ast.If) else None
        made += [statement] if way is None else taken_ways(way, shapes)
        if made and isinstance(made[-1], ast.Return):
            break  # nothing after it ran
    return made


def ending(function: ast.FunctionDef, shapes: SeenShapes) -> ast.stmt:
    """The statement with which the run left a function."""
    return taken_ways(function.body, shapes)[-1]


def counted(statement: ast.While, starts: Mapping[str, ast.expr]) -> ast.For | None:
    """`while t < T: ...; t += 1` as the loop over a range that it is, also where it counts down, by more than 1, or first; None of others.
    `starts` are what numbers were set to before."""
    test = statement.test
    if (
        not isinstance(test, ast.Compare)
        or len(test.ops) != 1
        or not isinstance(test.left, ast.Name)
        or statement.orelse
    ):
        return None
    name, start = test.left.id, starts.get(test.left.id)
    inside = [n for s in statement.body for n in ast.walk(s)]
    written = [n for n in inside if isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Store)]
    if start is None or len(written) != 1 or any(isinstance(n, ast.Break | ast.Continue) for n in inside):
        return None
    for counting, rest, shift in (
        (statement.body[-1], statement.body[:-1], 0),
        (statement.body[0], statement.body[1:], 1),
    ):
        step = _step(counting, name)
        past = _PAST.get((type(test.ops[0]), step > 0)) if step else None
        if step and past is not None:
            first, stop = _plus(start, shift * step), _plus(test.comparators[0], past + shift * step)
            over = ast.Call(parsed("range"), _range(first, stop, step), [])
            made = ast.For(ast.Name(name, ast.Store()), over, rest, [])
            return ast.fix_missing_locations(ast.copy_location(made, statement))
    return None


_PAST: dict[tuple[type[ast.cmpop], bool], int] = {
    (ast.Lt, True): 0,
    (ast.LtE, True): 1,
    (ast.Gt, False): 0,
    (ast.GtE, False): -1,
}
"""How far beyond the number of a test the count ends, by the test and whether it goes up."""


def _step(statement: ast.stmt, name: str) -> int:
    """How much a statement adds to a count, `t += 1`, `t = t - 2`; 0 where it does something else."""
    match statement:
        case ast.AugAssign(ast.Name(one), ast.Add() | ast.Sub() as sign, ast.Constant(int(number))) if one == name:
            return number if isinstance(sign, ast.Add) else -number
        case ast.Assign(
            [ast.Name(one)], ast.BinOp(ast.Name(other), ast.Add() | ast.Sub() as sign, ast.Constant(int(number)))
        ) if one == other == name:
            return number if isinstance(sign, ast.Add) else -number
        case _:
            return 0


def _plus(node: ast.expr, number: int) -> ast.expr:
    """`node + number`, as short as it can be written."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return parsed(str(node.value + number))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub) and ast.unparse(node.right) == str(number):
        return node.left
    return parsed(f"({ast.unparse(node)}) {'-' if number < 0 else '+'} {abs(number)}") if number else node


def _range(start: ast.expr, stop: ast.expr, step: int) -> list[ast.expr]:
    between = [stop] if ast.unparse(start) == "0" and step == 1 else [start, stop]
    return [*between, *([parsed(str(step))] if step != 1 else [])]
