"""Loops over other steps than they should be, or in another order: edits of what a `for` runs over."""

from __future__ import annotations

import ast
import copy
from collections.abc import Collection, Iterator, Sequence
from typing import cast

from engine.doctor.mending.edits.atoms import is_atom
from engine.doctor.mending.edits.expression_text import text_of


def headers(tree: ast.Module, lines: set[int], training: Collection[int] = ()) -> Iterator[tuple[ast.For, str, bool]]:
    """Loops around these lines, the innermost first, those around lines of the `training` last: what each may be meant to run over, and
    whether that is another order."""
    loops = [
        n for n in ast.walk(tree) if isinstance(n, ast.For) and any(n.lineno < k <= (n.end_lineno or 0) for k in lines)
    ]
    sizes = list(_sizes(tree))
    for loop in sorted(loops, key=lambda n: (any(holds(n, k) for k in training), -n.lineno))[:3]:
        seen = {text_of(loop.iter)}
        for made, order in _of(loop.iter, sizes):
            if made not in seen:
                seen.add(made)
                yield loop, made, order


def cut(tree: ast.Module, lines: set[int]) -> Iterator[tuple[ast.For, str]]:
    """Loops back in a loop over the steps, of which one bound is the number of steps that errors go back: `max(0, K)` for `max(0, t - K)`;
    with what each may be meant to run over."""
    loops = [n for n in ast.walk(tree) if isinstance(n, ast.For) and any(holds(n, k) for k in lines)]
    for outer in [n for n in loops if isinstance(n.target, ast.Name)]:
        t = text_of(outer.target)
        for loop in [n for n in loops if n is not outer and holds(outer, n.lineno)]:
            for place, node in enumerate(ast.walk(loop.iter)):
                match node:
                    case ast.Call(func=ast.Name(id="max"), args=[ast.Constant(value=0), steps]):
                        if t not in {n.id for n in ast.walk(steps) if isinstance(n, ast.Name)}:
                            bound = f"max(0, {t} - {text_of(steps)})"
                            changed = _Replaced(place, ast.parse(bound, mode="eval").body)
                            yield loop, text_of(changed.of(copy.deepcopy(loop.iter)))
                    case _:
                        pass


def holds(statement: ast.stmt, line: int) -> bool:
    """Whether a line belongs to a statement."""
    return statement.lineno <= line <= (statement.end_lineno or 0)


def inside(scope: ast.AST) -> Iterator[ast.AST]:
    """What a function or module contains, without the functions in it."""
    for node in ast.iter_child_nodes(scope):
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield node
            yield from inside(node)


def counted(tree: ast.Module, lines: set[int]) -> Iterator[tuple[ast.stmt, ast.expr, str, str]]:
    """What `while` loops around these lines that count down begin with and end at: the statement, its part, what that may be meant to be,
    and the mistake's name then."""
    for loop in [n for n in ast.walk(tree) if isinstance(n, ast.While)]:
        if not any(loop.lineno < k <= (loop.end_lineno or 0) for k in lines):
            continue
        match loop.test:
            case ast.Compare(left=ast.Name(id=name), ops=[ast.Gt() | ast.GtE() as op], comparators=[low]):
                other = ">=" if isinstance(op, ast.Gt) else ">"
                yield loop, loop.test, f"{name} {other} {text_of(low)}", "first-step-skipped"
            case _:
                continue
        before = [n for n in ast.walk(tree) if isinstance(n, ast.Assign) and n.lineno < loop.lineno]
        starts = [n for n in before if [text_of(t) for t in n.targets] == [name]]
        for start in sorted(starts, key=lambda n: -n.lineno)[:1]:
            for made in (1, -1):
                yield start, start.value, text_of(_moved(start.value, made)), "last-step-skipped"


def in_the_first_round(
    tree: ast.Module, lines: set[int], stepped: set[int]
) -> Iterator[list[tuple[ast.stmt, ast.stmt]]]:
    """Of statements on these lines, in a loop that counts, what may be meant for its first round alone, each time as (statement, what may
    be meant): a term or the value of one; or one variable in all, which the loop does not set. A loop with a line that steps weights,
    `stepped`, is the training."""
    for loop in [n for n in ast.walk(tree) if isinstance(n, ast.For) and isinstance(n.target, ast.Name)]:
        if any(loop.lineno < line <= (loop.end_lineno or 0) for line in stepped):
            continue
        first = _first(loop.iter)
        own = [s for s in loop.body if isinstance(s, (ast.Assign, ast.AugAssign)) and s.lineno in lines]
        if first is None or not own:
            continue
        condition = ast.parse(f"{text_of(loop.target)} == {first}", mode="eval").body
        for statement in own:
            terms = [
                side for n in _sums(statement.value) for side in (n.left, n.right) if not isinstance(side, ast.Name)
            ]
            for part in (*terms, statement.value):
                yield [(statement, _under(statement, {id(part)}, condition))]
        named = [n for s in loop.body for n in ast.walk(s)]
        called = {id(n.func) for n in named if isinstance(n, ast.Call)}
        inside = [n for n in named if isinstance(n, ast.Name) and is_atom(n) and id(n) not in called]
        stored = {n.id for n in inside if isinstance(n.ctx, ast.Store)} | {text_of(loop.target)}
        for name in dict.fromkeys(n.id for n in inside if isinstance(n.ctx, ast.Load)):
            read = {id(n) for n in inside if n.id == name and name not in stored}
            parts = [s for s in loop.body if any(id(n) in read for n in ast.walk(s))]
            if len(parts) > 1 and all(isinstance(s, (ast.Assign, ast.AugAssign)) for s in parts):
                yield [(s, _under(s, read, condition)) for s in parts]


def _under(statement: ast.stmt, parts: set[int], condition: ast.expr) -> ast.stmt:
    """A copy of a statement with some of its parts, told by their ids, times a condition."""
    copies: dict[int, ast.AST] = {}
    made = copy.deepcopy(statement, cast("dict[int, object]", copies))
    return cast("ast.stmt", _Times({id(copies[k]) for k in parts if k in copies}, condition).visit(made))


class _Times(ast.NodeTransformer):
    """Multiplies some parts by a condition."""

    def __init__(self, parts: set[int], condition: ast.expr) -> None:
        self.parts, self.condition = parts, condition

    def visit(self, node: ast.AST) -> ast.AST:
        is_meant = id(node) in self.parts
        found = self.generic_visit(node)
        return ast.BinOp(found, ast.Mult(), self.condition) if is_meant and isinstance(found, ast.expr) else found


def _sums(value: ast.expr) -> Iterator[ast.BinOp]:
    """A sum, and those that it is a sum of."""
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add):
        yield value
        yield from _sums(value.left)
        yield from _sums(value.right)


def _first(steps: ast.expr) -> str | None:
    """With what a loop that counts begins."""
    match steps:
        case ast.Call(func=ast.Name(id="reversed"), args=[ast.Call(func=ast.Name(id="range"), args=[*_, high])]):
            return text_of(_moved(high, -1))
        case ast.Call(func=ast.Name(id="range"), args=[_]):
            return "0"
        case ast.Call(func=ast.Name(id="range"), args=[low, *_]):
            return text_of(low)
        case _:
            return None


def _sizes(tree: ast.Module) -> Iterator[list[str]]:
    """The names of an array's lengths that are unpacked together, as in `B, T, D = X.shape`."""
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Tuple(elts=parts)], value=ast.Attribute(attr="shape")):
                yield [part.id for part in parts if isinstance(part, ast.Name)]
            case _:
                pass


def _of(steps: ast.expr, sizes: Sequence[Sequence[str]]) -> Iterator[tuple[str, bool]]:
    text = text_of(steps)
    match steps:
        case ast.Call(func=ast.Name(id="reversed"), args=[inside]):
            yield text_of(inside), True
        case ast.Call(func=ast.Name(id="range"), args=[_, _, _]):
            pass
        case _:
            yield f"reversed({text})", True
    for place, node in enumerate(ast.walk(steps)):
        others = [o for some in sizes if isinstance(node, ast.Name) and node.id in some for o in some if o != node.id]
        for other in (*_beside(node), *(ast.Name(name, ast.Load()) for name in dict.fromkeys(others))):
            changed = copy.deepcopy(steps)
            yield text_of(_Replaced(place, other).of(changed)), False


def _beside(node: ast.AST) -> Iterator[ast.expr | ast.Slice]:
    """The bounds of a `range` one further or at the first step, no bounds of a slice, and other axes of a shape."""
    match node:
        case ast.Call(func=ast.Name(id="range"), args=[low, high]):
            yield ast.Call(node.func, [high], [])
            yield _call(node, 1, 1)
            yield _call(node, 0, -1) if text_of(low) != "0" else node
        case ast.Call(func=ast.Name(id="range"), args=[_]):
            yield _call(node, 0, 1)
        case ast.Call(func=ast.Name(id="range"), args=[high, low, step]):
            yield _call(node, 1, -1)
            if text_of(step) == "-1" != text_of(low):
                yield ast.Call(node.func, [high, step, step], [])  # down to the first step
            yield _call(node, 0, 1)
        case ast.Slice(lower=low, upper=high, step=step) if step is not None and (low is not None or high is not None):
            yield ast.Slice(None, None, step)
        case ast.Subscript(value=ast.Attribute(attr="shape"), slice=ast.Constant(value=int(axis))):
            for other in (0, 1, 2):
                if other != axis:
                    yield ast.Subscript(node.value, ast.Constant(other), ast.Load())
        case _:
            return


def _call(call: ast.Call, which: int, by: int) -> ast.expr:
    arguments = list(call.args)
    arguments[which] = _moved(arguments[which], by)
    return ast.Call(call.func, arguments, [])


def _moved(bound: ast.expr, by: int) -> ast.expr:
    match bound:
        case ast.Constant(value=int(n)):
            return ast.parse(str(n + by), mode="eval").body
        case ast.BinOp(left=left, op=ast.Sub(), right=ast.Constant(value=1)) if by == 1:
            return left
        case ast.BinOp(left=left, op=ast.Sub(), right=ast.Constant(value=int(n))) if by == 1 and n > 1:
            return ast.BinOp(left, ast.Sub(), ast.Constant(n - 1))
        case ast.BinOp(left=left, op=ast.Add(), right=ast.Constant(value=1)) if by == -1:
            return left
        case _:
            return ast.BinOp(bound, ast.Add() if by > 0 else ast.Sub(), ast.Constant(1))


class _Replaced(ast.NodeTransformer):
    """Another expression in the place of the n-th node."""

    def __init__(self, place: int, other: ast.expr) -> None:
        self.place, self.other = place, other
        self.node: ast.AST | None = None

    def of(self, tree: ast.expr) -> ast.expr:
        self.node = next(n for k, n in enumerate(ast.walk(tree)) if k == self.place)
        changed = self.visit(tree)
        assert isinstance(changed, ast.expr)
        return changed

    def visit(self, node: ast.AST) -> ast.AST:
        return self.other if node is self.node else self.generic_visit(node)
