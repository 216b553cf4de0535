"""Looks for the corrected line: small changes of a wrong line are tried until one makes every gradient right. Only a
change that was tried is proposed."""

from __future__ import annotations

import ast
import copy
import itertools
from collections.abc import Callable, Iterator, Sequence

from engine.doctor.read.source import SourceFile
from engine.doctor.read.syntax import called_name
from engine.doctor.run import clock
from engine.doctor.vocabulary import roles

SECONDS = 1.0
MOST = 240
Verify = Callable[[str], bool]
"""Whether a program's text gives right gradients."""


def mend(
    source: SourceFile, tree: ast.Module, lines: Sequence[int], verify: Verify, *, seconds: float = SECONDS
) -> tuple[str, ...] | None:
    """For each of the lines (one or two) its corrected text, where a small change of all of them makes the gradients right."""
    deadline = clock.now() + seconds
    spans = [_statement(tree, line) for line in lines]
    if any(span is None for span in spans):
        return None
    ways = [list(itertools.islice(_changed(node, tree), MOST)) for node in spans if node is not None]
    for choice in _by_size(ways):
        if clock.now() > deadline:
            return None
        text = _replaced(source, [(node, new) for node, new in zip(spans, choice, strict=True) if node is not None])
        if text is not None and verify(text):
            return choice
    return None


def _by_size(ways: Sequence[Sequence[str]]) -> Iterator[tuple[str, ...]]:
    """Every choice of one change each, those that are likelier for both first."""
    if len(ways) == 1:
        yield from ((way,) for way in ways[0])
        return
    longest = sum(len(way) for way in ways)
    for total in range(longest):
        for k in range(min(total + 1, len(ways[0]))):
            if total - k < len(ways[1]):
                yield ways[0][k], ways[1][total - k]


def _statement(tree: ast.Module, line: int) -> ast.stmt | None:
    """The innermost simple statement, or the head of the loop, at a line."""
    best: ast.stmt | None = None
    for node in ast.walk(tree):
        if not isinstance(node, ast.stmt):
            continue
        end = node.end_lineno or node.lineno
        if isinstance(node, ast.For | ast.While):
            end = node.body[0].lineno - 1 if node.body[0].lineno > node.lineno else node.lineno
        elif isinstance(node, ast.FunctionDef | ast.ClassDef | ast.If | ast.With | ast.Try):
            continue
        if node.lineno <= line <= end and (best is None or node.lineno >= best.lineno):
            best = node
    return best


def _replaced(source: SourceFile, changes: Sequence[tuple[ast.stmt, str]]) -> str | None:
    lines = source.lines
    for node, new in sorted(changes, key=lambda change: -change[0].lineno):
        start, end = node.lineno - 1, (node.end_lineno or node.lineno) - 1
        if isinstance(node, ast.For | ast.While):
            end = max(start, node.body[0].lineno - 2) if node.body[0].lineno > node.lineno else start
        first, last = lines[start], lines[end]
        if not (first.isascii() and last.isascii()) or (
            isinstance(node, ast.For | ast.While) and node.body[0].lineno == node.lineno
        ):
            return None
        tail = "" if isinstance(node, ast.For | ast.While) else last[node.end_col_offset :]
        lines[start : end + 1] = [first[: node.col_offset] + new + tail]
    return "\n".join(lines)


def _changed(node: ast.stmt, tree: ast.Module) -> Iterator[str]:
    """The statement's text with one small change, the usual ones first."""
    seen = {ast.unparse(node)}
    if isinstance(node, ast.For | ast.While):
        for text in _heads(node, tree):
            if text not in seen:
                seen.add(text)
                yield text
        return
    surroundings = _Surroundings(node, tree)
    for changed in itertools.chain(_inner(node, surroundings), _whole(node, surroundings)):
        try:
            text = ast.unparse(ast.fix_missing_locations(changed))
        except (ValueError, AttributeError):
            continue
        if text not in seen:
            seen.add(text)
            yield text


class _Surroundings:
    """What a line's function has: names, entries of containers, the recurrent weights, the batch size."""

    def __init__(self, node: ast.stmt, tree: ast.Module) -> None:
        functions = [
            f
            for f in ast.walk(tree)
            if isinstance(f, ast.FunctionDef) and f.lineno <= node.lineno <= (f.end_lineno or 0)
        ]
        self.scope: ast.AST = functions[-1] if functions else tree
        inside = [n for n in ast.walk(self.scope) if isinstance(n, ast.expr)]
        own = ast.unparse(node)
        names = dict.fromkeys(
            n.id for n in inside if isinstance(n, ast.Name) and n.id not in ("np", "range", "len", "reversed", "numpy")
        )
        if isinstance(self.scope, ast.FunctionDef):
            names |= dict.fromkeys(a.arg for a in self.scope.args.args)
        self.names = [
            n for n in names if not any(isinstance(f, ast.FunctionDef) and f.name == n for f in ast.walk(tree))
        ]
        entries = dict.fromkeys(
            ast.unparse(n) for n in inside if isinstance(n, ast.Subscript) and not _has_slice_only(n)
        )
        self.entries = [e for e in entries if len(e) < 40][:24]
        self.values = [*self.entries, *self.names][:44]
        self.wa = [n for n in (*self.names, *self.entries, "self.W") if roles.parameter(_last(n)) == "Wa"][:2]
        self.wa += [ast.unparse(n) for n in inside if isinstance(n, ast.Attribute) and roles.parameter(n.attr) == "Wa"][
            :1
        ]
        self.own = own


def _has_slice_only(node: ast.Subscript) -> bool:
    return isinstance(node.slice, ast.Slice)


def _last(text: str) -> str:
    return text.rstrip("]\"'").split("[")[-1].strip("\"'") if "[" in text else text


def _expression(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def _inner(node: ast.stmt, around: _Surroundings) -> Iterator[ast.stmt]:
    """One expression inside the statement changed."""
    places = [n for n in ast.walk(node) if isinstance(n, ast.expr)]
    for k, place in enumerate(places):
        for new in _expressions(place, around):
            twin = copy.deepcopy(node)
            target = [n for n in ast.walk(twin) if isinstance(n, ast.expr)][k]
            swapped = _Swap(target, new).visit(twin)
            if isinstance(swapped, ast.stmt):
                yield swapped


class _Swap(ast.NodeTransformer):
    def __init__(self, old: ast.expr, new: ast.expr) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        return self.new if node is self.old else self.generic_visit(node)


def _turned(node: ast.expr) -> ast.expr:
    if isinstance(node, ast.Attribute) and node.attr == "T":
        return node.value
    return ast.Attribute(node, "T", ast.Load())


def _expressions(node: ast.expr, around: _Surroundings) -> Iterator[ast.expr]:
    """What an expression may have been meant to be."""
    product = _product(node)
    if product is not None:
        left, right, make = product
        yield make(_turned(left), right)
        yield make(left, _turned(right))
        yield make(_turned(right), _turned(left))
        yield left
        yield right
    if isinstance(node, ast.BinOp):
        if isinstance(node.op, ast.Div | ast.Mult):
            yield node.left
        if isinstance(node.op, ast.Mult):
            yield node.right
        if isinstance(node.op, ast.Sub):
            yield ast.BinOp(node.right, ast.Sub(), node.left)
        if isinstance(node.op, ast.Add):
            yield node.left
            yield node.right
        if isinstance(node.op, ast.Pow) and isinstance(node.left, ast.BinOp) and isinstance(node.left.op, ast.Sub):
            yield ast.BinOp(node.left.left, ast.Sub(), ast.BinOp(node.left.right, ast.Pow(), node.right))
    if isinstance(node, ast.UnaryOp):
        yield node.operand
    if isinstance(node, ast.Call) and node.args:
        name = called_name(node)
        if name in ("tanh", "maximum", "clip", "zeros_like", "sigmoid", "relu", "softmax", "mean"):
            yield node.args[0]
        if name == "mean" and isinstance(node.func, ast.Attribute):
            yield ast.Call(ast.Attribute(node.func.value, "sum", ast.Load()), node.args, node.keywords)
    if isinstance(node, ast.Call):
        for k, keyword in enumerate(node.keywords):
            if keyword.arg == "axis" and isinstance(keyword.value, ast.Constant) and keyword.value.value in (0, 1, -1):
                other = ast.keyword("axis", ast.Constant(1 if keyword.value.value == 0 else 0))
                yield ast.Call(node.func, node.args, [*node.keywords[:k], other, *node.keywords[k + 1 :]])
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
        yield from _shifted(node)
    if isinstance(node, ast.Compare) and len(node.comparators) == 1:
        yield from (_expression(f"({value} > 0)") for value in around.values if value != ast.unparse(node.left))
    if isinstance(node, ast.Name | ast.Subscript) and isinstance(node.ctx, ast.Load):
        own = ast.unparse(node)
        yield from (_expression(value) for value in around.values if value != own)


def _product(node: ast.expr) -> tuple[ast.expr, ast.expr, Callable[[ast.expr, ast.expr], ast.expr]] | None:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
        return node.left, node.right, lambda a, b: ast.BinOp(a, ast.MatMult(), b)
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("dot", "matmul", "outer")
    ):
        function = node.func
        if len(node.args) == 2:
            return node.args[0], node.args[1], lambda a, b: ast.Call(function, [a, b], [])
        if len(node.args) == 1 and function.attr == "dot":
            return function.value, node.args[0], lambda a, b: ast.Call(ast.Attribute(a, "dot", ast.Load()), [b], [])
    return None


def _shifted(node: ast.Subscript) -> Iterator[ast.expr]:
    """The entry of the step after and of the step before."""
    parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    for k, part in enumerate(parts):
        if isinstance(part, ast.Slice) or (isinstance(part, ast.Constant) and not isinstance(part.value, int)):
            continue
        for by in (1, -1):
            new = _moved(part, by)
            slices = [*parts[:k], new, *parts[k + 1 :]]
            inside = ast.Tuple(slices, ast.Load()) if isinstance(node.slice, ast.Tuple) else new
            yield ast.Subscript(node.value, inside, ast.Load())


def _moved(index: ast.expr, by: int) -> ast.expr:
    if isinstance(index, ast.BinOp) and isinstance(index.right, ast.Constant) and isinstance(index.right.value, int):
        sign = 1 if isinstance(index.op, ast.Add) else -1
        if isinstance(index.op, ast.Add | ast.Sub):
            total = sign * index.right.value + by
            return (
                index.left
                if total == 0
                else ast.BinOp(index.left, ast.Add() if total > 0 else ast.Sub(), ast.Constant(abs(total)))
            )
    if isinstance(index, ast.Constant) and isinstance(index.value, int):
        return ast.Constant(index.value + by)
    return ast.BinOp(index, ast.Add() if by > 0 else ast.Sub(), ast.Constant(1))


def _whole(node: ast.stmt, around: _Surroundings) -> Iterator[ast.stmt]:
    """The statement as a whole changed: = for +=, another factor, another term."""
    if isinstance(node, ast.AugAssign):
        yield ast.Assign([node.target], node.value)
    value = getattr(node, "value", None)
    if not isinstance(value, ast.expr):
        return
    if (
        isinstance(node, ast.Assign)
        and len(node.targets) == 1
        and isinstance(node.targets[0], ast.Name | ast.Subscript | ast.Attribute)
    ):
        yield ast.AugAssign(node.targets[0], ast.Add(), value)

    def with_value(new: ast.expr) -> ast.stmt:
        twin = copy.copy(node)
        twin.value = new  # pyright: ignore[reportAttributeAccessIssue]
        return twin

    for state in around.values:
        for slope in (f"(1 - {state} ** 2)", f"({state} > 0)", f"{state} * (1 - {state})"):
            yield with_value(ast.BinOp(value, ast.Mult(), _expression(slope)))
    for other in around.values:
        yield with_value(ast.BinOp(value, ast.Add(), _expression(other)))
        yield with_value(ast.BinOp(value, ast.Sub(), _expression(other)))
        yield with_value(ast.BinOp(value, ast.Div(), _expression(other)))
    for weight, other in itertools.product(around.wa, (ast.unparse(value), *around.names)):
        for text in (f"{other} @ {weight}.T", f"{weight}.T @ {other}", f"{other} @ {weight}"):
            yield with_value(_expression(text))


def _heads(node: ast.For | ast.While, tree: ast.Module) -> Iterator[str]:
    """Other ranges for a loop."""
    if isinstance(node, ast.While):
        return
    around = _Surroundings(node, tree)
    target = ast.unparse(node.target)
    own = ast.unparse(node.iter)
    counts = [n for n in around.names if roles.role(n) in ("T", None, "B") and len(n) < 14]
    lengths = dict.fromkeys(ast.unparse(n) for n in ast.walk(around.scope) if isinstance(n, ast.Call) and _is_length(n))
    bounds = [*_bounds(node.iter), *lengths, *counts]
    yield f"for {target} in reversed({own}):"
    if own.startswith("reversed("):
        yield f"for {target} in {own[9:-1]}:"
    for bound in dict.fromkeys(bounds):
        yield f"for {target} in reversed(range({bound})):"
        yield f"for {target} in range({bound}, 0, -1):"
    if isinstance(node.iter, ast.Subscript):
        yield f"for {target} in {ast.unparse(node.iter.value)}[::-1]:"


def _is_length(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Name) and node.func.id == "len" and len(node.args) == 1


def _bounds(node: ast.expr) -> list[str]:
    """What a range already speaks of, a little more and a little less."""
    found: list[str] = []
    for part in ast.walk(node):
        if isinstance(part, ast.Name | ast.Subscript | ast.Attribute | ast.BinOp | ast.Call):
            text = ast.unparse(part)
            if "range" not in text and "reversed" not in text:
                found += [text, f"{text} + 1", f"{text} - 1"]
    return found
