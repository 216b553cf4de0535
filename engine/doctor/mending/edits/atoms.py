"""The atoms of expressions: names, attributes and entries; what an edit may put in another's place."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, cast

_MODULES = {
    "np",
    "numpy",
    "math",
    "random",
    "self",
    "range",
    "len",
    "print",
    "zip",
    "enumerate",
    "reversed",
    "sum",
    "int",
    "float",
    "True",
}


@lru_cache(4096)
def parsed(text: str) -> ast.expr:
    """The expression of a text: the same tree each time, which nobody changes."""
    return ast.parse(text, mode="eval").body


def is_atom(node: ast.AST) -> bool:
    """A name, an attribute of a name, or an entry of either with a plain index."""
    match node:
        case ast.Name():
            return node.id not in _MODULES
        case ast.Attribute():
            return node.attr not in ("T", "shape", "size") and (
                isinstance(node.value, ast.Name) and node.value.id not in ("np", "numpy", "math")
            )
        case ast.Subscript():
            base = node.value
            named = isinstance(base, (ast.Name, ast.Attribute)) and (is_atom(base) or isinstance(base, ast.Name))
            nested = isinstance(base, ast.Subscript) and is_atom(base)
            return (named or nested) and not any(isinstance(n, (ast.Call, ast.Lambda)) for n in ast.walk(node.slice))
        case _:
            return False


def atoms_in(node: ast.AST) -> Iterator[ast.expr]:
    """The largest atoms inside, in the order of the text."""
    if is_atom(node):
        assert isinstance(node, ast.expr)
        yield node
        return
    children = ast.iter_child_nodes(node)
    for child in children:
        if isinstance(node, ast.Call) and child is node.func and isinstance(child, (ast.Name, ast.Attribute)):
            if isinstance(child, ast.Attribute):
                yield from atoms_in(child.value)
            continue
        yield from atoms_in(child)


def replaced(node: ast.expr, change: Callable[[ast.expr], ast.expr | None]) -> ast.expr:
    """A copy of an expression; where `change` answers for a part of it, that stands in its place."""
    return cast("ast.expr", _copied(node, change))


def _copied(node: ast.AST, change: Callable[[ast.expr], ast.expr | None]) -> ast.AST:
    other = change(node) if isinstance(node, ast.expr) else None
    if other is not None:
        return other
    made = copy.copy(node)
    for name, inside in ast.iter_fields(node):
        if isinstance(inside, ast.AST):
            setattr(made, name, _copied(inside, change))
        elif isinstance(inside, list):
            entries = cast("list[object]", inside)
            setattr(made, name, [_copied(one, change) if isinstance(one, ast.AST) else one for one in entries])
    return made


def transposed(expression: ast.expr) -> ast.expr:
    """The transposed of an expression: of a product that of its factors, the other way round."""
    match expression:
        case ast.Attribute(value=inside, attr="T"):
            return inside
        case ast.BinOp(left=left, op=ast.MatMult(), right=right):
            return ast.BinOp(transposed(right), ast.MatMult(), transposed(left))
        case ast.Call(func=ast.Attribute(attr="dot" | "matmul"), args=[left, right], keywords=[]):
            return ast.Call(expression.func, [transposed(right), transposed(left)], [])
        case ast.Call(func=ast.Attribute(attr="outer"), args=[left, right], keywords=[]):
            return ast.Call(expression.func, [right, left], [])
        case _:
            return ast.Attribute(expression, "T", ast.Load())


def replaced_in(tree: Any, path: Sequence[str | int], made: ast.expr) -> Any:
    """A copy of a tree (or of a list of trees) with what lies at the end of `path` replaced; what lies beside it is
    shared."""
    if not path:
        return made
    step, rest = path[0], path[1:]
    changed = copy.copy(tree)
    if isinstance(step, int):
        changed[step] = replaced_in(tree[step], rest, made)
    else:
        setattr(changed, step, replaced_in(getattr(tree, step), rest, made))
    return changed
