"""A loss that a loop of its own adds up, of outputs that the loop before put away, belongs into that loop: each round's output and its
part of the loss stand together then, as in a program that adds the loss up at once."""

from __future__ import annotations

import ast
import copy
from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from typing import cast

from engine.doctor.derive.forward.flat_pass import FlatPass
from engine.doctor.derive.tree.shapes import SeenShapes
from engine.doctor.derive.tree.statements import appended, step_of, targets
from engine.doctor.derive.tree.syntax_of import base, called, names, parsed, path

COUNTERS = ("n", "i", "k", "j")
RANGES = ("range", "arange")
_WrittenEntry = tuple[list[str], ast.expr]
"""The index of an entry of a list or array that a round fills, and what it puts there."""


def fused(flat: FlatPass, weights: Collection[str], shapes: SeenShapes) -> list[ast.stmt] | None:
    """The block with such a loop put into the one before it, which has as many rounds; None where there is none. Arrays that a loop of
    another method of the same object reads stay: their gradient is what that method gives back."""
    heads = {name.partition("[")[0].partition(".")[0] for name in weights}
    return _fused(flat.body, flat, weights, heads, shapes)


def _fused(
    body: list[ast.stmt], flat: FlatPass, weights: Collection[str], heads: Collection[str], shapes: SeenShapes
) -> list[ast.stmt] | None:
    for inner in (s for s in body if isinstance(s, ast.For)):
        if (changed := _fused(inner.body, flat, weights, heads, shapes)) is not None:
            inner.body = changed
            return list(body)
    loops = [s for s in body if isinstance(s, ast.For)]
    for first, second in zip(reversed(loops[:-1]), reversed(loops[1:]), strict=True):
        start, end = body.index(first), body.index(second)
        between = body[start + 1 : end]
        written = _written(first)
        if any(path(n) in weights for n in ast.walk(second)) or not _is_as_long(first, second, shapes):
            continue
        if any(names(s) & written or _written(s) & names(first) for s in between):
            continue
        is_apart = flat.within.get(first) is not flat.within.get(second) and names(second) & {*heads}
        if (one := _joined(first, second, written, flat.fields if is_apart else None)) is not None:
            flat.together(first, second, one)
            return [*body[:start], *between, one, *body[end + 1 :]]
    return None


def _is_as_long(first: ast.For, second: ast.For, shapes: SeenShapes) -> bool:
    """Whether two loops have as many rounds, by what they are said to go over or by how many the run saw."""
    if ast.unparse(first.iter) == ast.unparse(second.iter):
        return True
    rounds = _rounds(first.iter, shapes)
    return rounds is not None and rounds == _rounds(second.iter, shapes)


def _rounds(over: ast.expr, shapes: SeenShapes) -> int | None:
    name, arguments = called(over), over.args if isinstance(over, ast.Call) else []
    if name in RANGES and len(arguments) == 1:
        (stop,) = arguments
        return (
            _rounds(stop.args[0], shapes)
            if isinstance(stop, ast.Call) and called(stop) == "len"
            else shapes.whole(stop)
        )
    if name in RANGES:
        return None
    if name in ("zip", "enumerate"):
        lengths = [_rounds(one, shapes) for one in arguments]
        return None if None in lengths else min(n for n in lengths if n is not None)
    return shapes.length(over)


def _written(statement: ast.stmt) -> set[str]:
    inside = (s for s in ast.walk(statement) if isinstance(s, ast.stmt))
    return {base(t).partition("[")[0].partition(".")[0] for s in inside for t in targets(s)} - {""}


def _joined(first: ast.For, second: ast.For, written: set[str], arrays: Container[str] | None) -> ast.For | None:
    """Both as one loop, where the second reads of the first nothing but the entries that the same round put away, into these `arrays`, or
    None for all and lists."""
    put = {path(next(targets(s))): value for s in first.body if (value := appended(s)) is not None and arrays is None}
    told = _told(second)
    if told is None or second.orelse or first.orelse:
        return None
    counter, entries = told
    header = _counted(first, counter or next(n for n in COUNTERS if n not in names(first) | names(second)))
    if header is None:
        return None
    made, own = header
    filled = {name: (k, v) for name, k, v in _filled(first, own) if arrays is None or name in arrays}
    if not put and not filled:
        return None
    known_entries = {name: ([own], value) for name, value in put.items()} | filled
    renamed = entries(own) | ({counter: parsed(own)} if counter else {})
    body = [_changed(copy.deepcopy(s), renamed, known_entries) for s in second.body]
    local = _written(second) | set(renamed)
    known = {own} | local | {n for _, value in known_entries.values() for n in names(value)}
    if any(_besides(s, filled) & (written - known) for s in body):
        return None
    made.body = [*first.body, *body]
    return made


def _filled(loop: ast.For, counter: str) -> Iterator[tuple[str, list[str], ast.expr]]:
    """The arrays of which each round fills the entry that it counts, `a[t]` or `a[:, t]`: the index, and what it puts there."""
    for statement in loop.body:
        put = statement.targets[0] if isinstance(statement, ast.Assign) and len(statement.targets) == 1 else None
        if isinstance(statement, ast.Assign) and isinstance(put, ast.Subscript):
            index = _index(put)
            while len(index) > 1 and index[-1] == ":":
                index.pop()
            if index[-1] == counter and set(index[:-1]) <= {":"}:
                yield path(put.value), index, statement.value


def _index(node: ast.Subscript) -> list[str]:
    return list(map(ast.unparse, node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]))


def _within(node: ast.expr, stored: Mapping[str, _WrittenEntry]) -> tuple[ast.expr, list[str]] | None:
    """Of an entry that the round puts away, or a part of it, what is put there, and the index of the part."""
    if not isinstance(node, ast.Subscript) or path(node.value) not in stored:
        return None
    index, value = stored[path(node.value)]
    read = _index(node)
    return (value, read[len(index) :]) if read[: len(index)] == index else None


def _besides(statement: ast.stmt, filled: Mapping[str, _WrittenEntry]) -> set[str]:
    """The names in a statement, without those of arrays of which it reads the entry that the round fills."""
    entries = (n for n in ast.walk(statement) if isinstance(n, ast.Subscript) and _within(n, filled) is not None)
    own = {id(m) for n in entries for m in ast.walk(n.value)}
    return {n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and id(n) not in own}


def _told(loop: ast.For) -> tuple[str, _Entries] | None:
    """What counts the rounds of a loop, "" for nothing, and what its other names are in a round."""
    name, target = called(loop.iter), loop.target
    arguments = loop.iter.args if isinstance(loop.iter, ast.Call) else []
    if name in RANGES and len(arguments) == 1 and isinstance(target, ast.Name):
        return target.id, _Entries([])
    parts = target.elts if isinstance(target, ast.Tuple) else [target]
    counter = ""
    if name == "enumerate" and len(arguments) == 1 and len(parts) == 2 and isinstance(parts[0], ast.Name):
        counter, parts = parts[0].id, parts[1:]
    elif name != "zip" and not path(loop.iter):
        return None
    iterated = arguments if name in ("zip", "enumerate") else [loop.iter]
    if len(parts) != len(iterated) or not all(isinstance(p, ast.Name) for p in parts):
        return None
    return counter, _Entries([(p.id, i) for p, i in zip(parts, iterated, strict=True) if isinstance(p, ast.Name)])


class _Entries:
    """What a loop's names are in a round that is counted by a name: entries of what it goes over."""

    def __init__(self, pairs: Sequence[tuple[str, ast.expr]]) -> None:
        self._pairs = pairs

    def __call__(self, counter: str) -> dict[str, ast.expr]:
        return {name: ast.Subscript(over, ast.Name(counter, ast.Load()), ast.Load()) for name, over in self._pairs}


def _counted(loop: ast.For, counter: str) -> tuple[ast.For, str] | None:
    """A copy of a loop whose rounds are counted from 0 on, and by which name."""
    own, made = step_of(loop), copy.copy(loop)
    if own is not None:
        is_from_0 = (
            isinstance(loop.iter, ast.Call) and called(loop.iter) in (*RANGES, "enumerate") and len(loop.iter.args) == 1
        )
        return (made, own) if is_from_0 else None
    if not path(loop.iter):
        return None
    made.target = ast.Tuple([ast.Name(counter, ast.Store()), loop.target], ast.Store())
    made.iter = ast.copy_location(ast.Call(ast.Name("enumerate", ast.Load()), [loop.iter], []), loop.iter)
    return ast.fix_missing_locations(made), counter


def _changed(statement: ast.stmt, renamed: Mapping[str, ast.expr], stored: Mapping[str, _WrittenEntry]) -> ast.stmt:
    """A statement of the second loop as it stands in the first; an entry that the round put away is what was put there."""

    class _PutAway(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.AST:
            other = copy.deepcopy(renamed.get(node.id, node))
            return self._own(ast.copy_location(other, node))

        def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
            return self._own(cast("ast.expr", self.generic_visit(node)))

        def _own(self, node: ast.expr) -> ast.expr:
            value, rest = _within(node, stored) or (node, [])
            if not path(value) or value is node:
                return node
            part = parsed(f"{ast.unparse(value)}[{', '.join(rest)}]") if rest else copy.deepcopy(value)
            return ast.copy_location(part, node)

    return ast.fix_missing_locations(cast("ast.stmt", _PutAway().visit(statement)))
