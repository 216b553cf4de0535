"""The text of an expression as `ast.unparse` writes it, several times as fast: of each wrong line thousands of edits are written."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from typing import Any

_Written = tuple[str, int]
"""A text, and how strongly it holds together: what binds less than its place asks for stands in parentheses."""

_TUPLE, _TEST, _COMPARISON, _SUM, _PRODUCT, _SIGN, _POWER, _ATOM = range(8)
_OPERATORS: dict[type[ast.operator], _Written] = {
    ast.Add: ("+", _SUM),
    ast.Sub: ("-", _SUM),
    ast.Mult: ("*", _PRODUCT),
    ast.Div: ("/", _PRODUCT),
    ast.FloorDiv: ("//", _PRODUCT),
    ast.Mod: ("%", _PRODUCT),
    ast.MatMult: ("@", _PRODUCT),
    ast.Pow: ("**", _POWER),
}
_SIGNS: dict[type[ast.unaryop], str] = {ast.USub: "-", ast.UAdd: "+"}
_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}


def text_of(node: ast.AST) -> str:
    """The text of an expression or statement."""
    try:
        return _part(node, _TEST)
    except KeyError:  # something that is seldom written
        return ast.unparse(node)


def _part(node: ast.AST, least: int = _TEST) -> str:
    text, binds = _WRITERS[type(node)](node)
    return f"({text})" if binds < least else text


def _listed(nodes: Iterable[ast.AST]) -> str:
    return ", ".join([_part(node) for node in nodes])


def _name(node: ast.Name) -> _Written:
    return node.id, _ATOM


def _constant(node: ast.Constant) -> _Written:
    text = repr(node.value)
    if type(node.value) not in (int, float, bool, str) or "\\" in text or "inf" in text:
        raise KeyError(text)
    return text, _ATOM


def _attribute(node: ast.Attribute) -> _Written:
    space = " " if isinstance(node.value, ast.Constant) and isinstance(node.value.value, int) else ""
    return f"{_part(node.value, _ATOM)}{space}.{node.attr}", _ATOM


def _subscript(node: ast.Subscript) -> _Written:
    several = node.slice.elts if isinstance(node.slice, ast.Tuple) else []
    index = _entries(several) if several else _part(node.slice)
    return f"{_part(node.value, _ATOM)}[{index}]", _ATOM


def _slice(node: ast.Slice) -> _Written:
    lower, upper = (_part(end) if end else "" for end in (node.lower, node.upper))
    return f"{lower}:{upper}" + (f":{_part(node.step)}" if node.step else ""), _TEST


def _call(node: ast.Call) -> _Written:
    arguments = [_part(argument) for argument in node.args]
    arguments += [f"{k.arg}={_part(k.value)}" if k.arg else f"**{_part(k.value)}" for k in node.keywords]
    return f"{_part(node.func, _ATOM)}({', '.join(arguments)})", _ATOM


def _operation(node: ast.BinOp) -> _Written:
    sign, binds = _OPERATORS[type(node.op)]
    to_the_left = binds != _POWER
    left, right = _part(node.left, binds + (not to_the_left)), _part(node.right, binds + to_the_left)
    return f"{left} {sign} {right}", binds


def _signed(node: ast.UnaryOp) -> _Written:
    return _SIGNS[type(node.op)] + _part(node.operand, _SIGN), _SIGN


def _comparison(node: ast.Compare) -> _Written:
    pairs = zip(node.ops, node.comparators, strict=True)
    others = [f" {_COMPARISONS[type(op)]} {_part(value, _SUM)}" for op, value in pairs]
    return _part(node.left, _SUM) + "".join(others), _COMPARISON


def _choice(node: ast.IfExp) -> _Written:
    value, test = _part(node.body, _COMPARISON), _part(node.test, _COMPARISON)
    return f"{value} if {test} else {_part(node.orelse)}", _TEST


def _entries(entries: list[ast.expr]) -> str:
    return f"{_part(entries[0])}," if len(entries) == 1 else _listed(entries)


def _tuple(node: ast.Tuple) -> _Written:
    return (f"{_entries(node.elts)}", _TUPLE) if node.elts else ("()", _ATOM)


def _list(node: ast.List) -> _Written:
    return f"[{_listed(node.elts)}]", _ATOM


def _assignment(node: ast.Assign) -> _Written:
    return "".join(f"{_part(target, _TUPLE)} = " for target in node.targets) + _part(node.value), _TEST


def _augmented(node: ast.AugAssign) -> _Written:
    return f"{_part(node.target)} {_OPERATORS[type(node.op)][0]}= {_part(node.value)}", _TEST


def _expression(node: ast.Expr) -> _Written:
    return _part(node.value), _TEST


_WRITERS: dict[type[ast.AST], Callable[[Any], _Written]] = {
    ast.Name: _name,
    ast.Constant: _constant,
    ast.Attribute: _attribute,
    ast.Subscript: _subscript,
    ast.Slice: _slice,
    ast.Call: _call,
    ast.BinOp: _operation,
    ast.UnaryOp: _signed,
    ast.Compare: _comparison,
    ast.IfExp: _choice,
    ast.Tuple: _tuple,
    ast.List: _list,
    ast.Assign: _assignment,
    ast.AugAssign: _augmented,
    ast.Expr: _expression,
}
