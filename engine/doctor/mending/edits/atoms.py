"""The atoms of expressions: names, attributes and entries; what an edit may put in another's place."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar, cast

Node = TypeVar("Node", bound=ast.AST)

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


def filled(form: str, **parts: ast.expr) -> ast.expr:
    """A form such as `{e} * (1 - {a})` with expressions in its places: its text is parsed once, not once for all that is put in."""
    return replaced(parsed(form.format_map({name: name for name in parts})), lambda node: parts.get(_name_of(node)))


def _name_of(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def replaced(node: ast.expr, change: Callable[[ast.expr], ast.expr | None]) -> ast.expr:
    """An expression in which what `change` answers for a part of it stands in that part's place; what has no such part is shared."""
    return cast("ast.expr", _changed(node, change))


def _changed(node: ast.AST, change: Callable[[ast.expr], ast.expr | None]) -> ast.AST:
    other = change(node) if isinstance(node, ast.expr) else None
    if other is not None:
        return other
    changes: dict[str, object] = {}
    for name, inside in ast.iter_fields(node):
        if isinstance(inside, ast.AST):
            if (new := _changed(inside, change)) is not inside:
                changes[name] = new
        elif isinstance(inside, list):
            entries = cast("list[object]", inside)
            made = [_changed(one, change) if isinstance(one, ast.AST) else one for one in entries]
            if any(one is not old for one, old in zip(made, entries, strict=True)):
                changes[name] = made
    return _with(node, changes) if changes else node


def _with(node: Node, fields: Mapping[str, object]) -> Node:
    """A node with other values in some fields: `copy.copy` takes several times as long."""
    made = type(node).__new__(type(node))
    made.__dict__.update(node.__dict__, **fields)
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
    if isinstance(step, int):
        return [*tree[:step], replaced_in(tree[step], rest, made), *tree[step + 1 :]]
    return _with(tree, {step: replaced_in(getattr(tree, step), rest, made)})
