"""Expressions as trees: paths (`W`, `self.W`, `p["W"]`), what reads them, and small trees put together."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

KeywordValue = int | bool | tuple[int, ...]
"""What a keyword of a call is, where it is written out."""
STRUCTURE = ("shape", "size", "ndim", "dtype")
"""Attributes that no gradient goes through."""
COUNTS = (
    "len", "range", "int", "round", "print", "zeros", "ones", "zeros_like", "ones_like", "empty", "empty_like", "argmax", "argmin", "str",
    "isinstance", "sign", "floor", "arange", "eye", "shape", "ndim",
)  # fmt: skip
"""Functions that no gradient goes through."""


NUMBERED = "#"
"""What the keys of a list's entries begin with where they are paths: `params['#0']` is `params[0]`."""


def numbered(node: ast.AST) -> bool:
    """Whether it is the path of a list's entry."""
    return NUMBERED in path(node)


def shown_entries(text: str) -> str:
    """A text with paths of lists' entries as they are written in a program."""
    return re.sub(rf"\['{NUMBERED}(\d+)'\]", r"[\1]", text)


def path(node: ast.AST) -> str:
    """`W`, `self.W`, `p["W"]`; "" of what is none of these."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inner = path(node.value)
        return f"{inner}.{node.attr}" if inner and node.attr not in (*STRUCTURE, "T") else ""
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
        inner = path(node.value)
        return f"{inner}[{node.slice.value!r}]" if inner else ""
    return ""


def public(word: str) -> str:
    """The name of an attribute without what says that it is private: `W` of `_W`, `__W` and `_RNN__W`."""
    return re.sub(r"^(_[A-Za-z0-9]+_)?_+(?=[A-Za-z])", "", word)


def base(node: ast.expr) -> str:
    """The path of what an entry is of: `hs` of `hs[t][0]`."""
    while isinstance(node, ast.Subscript) and not path(node):
        node = node.value
    return path(node)


def called(node: ast.expr) -> str:
    """The last name of what is called: `dot` of `np.dot(...)` and of `x.dot(...)`."""
    if not isinstance(node, ast.Call):
        return ""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def written_into(statement: ast.stmt) -> tuple[str, ast.expr] | None:
    """The name and the value of `np.clip(x, -9, 9, out=x)`."""
    value = statement.value if isinstance(statement, ast.Expr) else None
    into = next((k.value for k in value.keywords if k.arg == "out"), None) if isinstance(value, ast.Call) else None
    if not isinstance(value, ast.Call) or not isinstance(into, ast.Name):
        return None
    rest = [k for k in value.keywords if k.arg != "out"]
    return into.id, ast.copy_location(ast.Call(value.func, value.args, rest), value)


def reads(node: ast.AST) -> Iterator[ast.expr]:
    """The paths and entries that an expression reads the numbers of, outermost first."""
    if isinstance(node, ast.Attribute) and node.attr in STRUCTURE:
        return
    if isinstance(node, ast.Call) and called(node) in COUNTS:
        return
    if isinstance(node, ast.Compare):
        return
    if isinstance(node, ast.Subscript | ast.Name | ast.Attribute) and base(node):
        yield node
        return
    parts = [node.func, *node.args, *(k.value for k in node.keywords)] if isinstance(node, ast.Call) else None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and parts is not None:
        parts[0] = node.func.value
    elif isinstance(node, ast.Call) and parts is not None:
        parts = parts[1:]
    for child in parts if parts is not None else ast.iter_child_nodes(node):
        yield from reads(child)


def names(node: ast.AST) -> set[str]:
    """All names in an expression or statement."""
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}


def parsed(text: str) -> ast.expr:
    """The tree of an expression."""
    return ast.parse(text, mode="eval").body


def plus(one: ast.expr, other: ast.expr) -> ast.expr:
    """`one + other`."""
    return ast.BinOp(one, ast.Add(), other)


def minus(one: ast.expr) -> ast.expr:
    """The opposite, without two signs."""
    if isinstance(one, ast.UnaryOp) and isinstance(one.op, ast.USub):
        return one.operand
    if isinstance(one, ast.Constant) and isinstance(one.value, int | float) and one.value > 0:
        return ast.UnaryOp(ast.USub(), one)
    if isinstance(one, ast.BinOp) and isinstance(one.op, ast.Mult | ast.Div):
        return ast.BinOp(minus(one.left), one.op, one.right)
    return ast.UnaryOp(ast.USub(), one)


def is_number(node: ast.expr, number: float) -> bool:
    """Whether it is this number."""
    return isinstance(node, ast.Constant) and node.value == number


def times(one: ast.expr, other: ast.expr) -> ast.expr:
    """A product; with 1 and −1 what it is."""
    if is_number(one, 1):
        return other
    if is_number(other, 1):
        return one
    if isinstance(one, ast.UnaryOp) and isinstance(one.op, ast.USub) and is_number(one.operand, 1):
        return minus(other)
    if isinstance(one, ast.BinOp) and isinstance(one.op, ast.Div) and is_number(one.left, 1):
        return over(other, one.right)
    if isinstance(other, ast.BinOp) and isinstance(other.op, ast.Div) and is_number(other.left, 1):
        return over(one, other.right)
    if isinstance(other, ast.BinOp) and isinstance(other.op, ast.Mult):
        first = other.left
        if is_number(one, 0.5) and is_number(first, 2):
            return other.right
        if (
            isinstance(one, ast.BinOp)
            and isinstance(one.op, ast.Div)
            and is_number(one.left, 0.5)
            and is_number(first, 2)
        ):
            return over(other.right, one.right)
        if not isinstance(first, ast.Constant):
            return times(times(one, first), other.right)
    return ast.BinOp(one, ast.Mult(), other)


def over(one: ast.expr, other: ast.expr) -> ast.expr:
    """A quotient; by 1 what it is."""
    if isinstance(one, ast.BinOp) and isinstance(one.op, ast.Mult) and is_number(one.left, 2) and is_number(other, 2):
        return one.right
    return one if is_number(other, 1) else ast.BinOp(one, ast.Div(), other)


def call(function: str, *arguments: ast.expr, **keywords: KeywordValue) -> ast.expr:
    """`function(arguments, keyword=value)`."""
    named = [ast.keyword(name, parsed(repr(value))) for name, value in keywords.items()]
    return ast.Call(parsed(function), list(arguments), named)


def method(node: ast.expr, name: str, *arguments: ast.expr, **keywords: KeywordValue) -> ast.expr:
    """`node.name(arguments, keyword=value)`."""
    named = [ast.keyword(key, parsed(repr(value))) for key, value in keywords.items()]
    return ast.Call(ast.Attribute(node, name, ast.Load()), list(arguments), named)


def transposed(node: ast.expr) -> ast.expr:
    """`x.T`; of `x.T` x, of a product `x.T @ y` `y.T @ x`."""
    if isinstance(node, ast.Attribute) and node.attr == "T":
        return node.value
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
        return ast.BinOp(transposed(node.right), node.op, transposed(node.left))
    if isinstance(node, ast.Call) and path(node.func) in ("np.dot", "numpy.dot", "np.matmul") and len(node.args) == 2:
        return ast.Call(node.func, [transposed(one) for one in reversed(node.args)], [])
    if (
        isinstance(node, ast.Call)
        and called(node) == "dot"
        and len(node.args) == 1
        and isinstance(node.func, ast.Attribute)
    ):
        return method(transposed(node.args[0]), "dot", transposed(node.func.value))
    return ast.Attribute(node, "T", ast.Load())
