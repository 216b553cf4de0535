"""What is wrong with an activation's derivative: the derivative that stands in a line before and after its correction."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from engine.doctor.mending.edits.expression_text import text_of
from engine.doctor.mending.naming.correction import Correction

_DERIVATIVE = re.compile(r"^d_?(?=[a-z])|deriv|prime|grad|backward", re.I)
"""What functions for derivatives are called."""
_CALLED = {"square": "tanh", "logistic": "sig"}
"""What such a function of the usual activations is called by, by the form of the derivative of what they made."""


@dataclass(frozen=True)
class WrittenSlope:
    """A derivative as it is written: its form, and of what; `applied` where a function is applied to that first."""

    form: str
    of: str
    applied: bool


def slopes(text: str) -> list[WrittenSlope]:
    """The derivatives of the usual activations in a statement: `t > 0` that decides what is read is none."""
    tree = ast.parse(text)
    decides = [node.test for node in ast.walk(tree) if isinstance(node, ast.IfExp)]
    return [slope for node in ast.walk(tree) if node not in decides and (slope := _slope(node)) is not None]


def _slope(node: ast.AST) -> WrittenSlope | None:
    match node:
        case ast.BinOp(op=ast.Pow(), left=ast.BinOp(op=ast.Sub(), left=ast.Constant(value=1), right=x)):
            return _of("misplaced", x)
        case ast.BinOp(op=ast.Sub(), left=ast.Constant(value=1), right=ast.BinOp(op=ast.Pow(), left=x)):
            return _of("square", x)
        case ast.BinOp(op=ast.Sub(), left=ast.Constant(value=1), right=ast.BinOp(op=ast.Mult(), left=x, right=y)):
            return _of("square", x) if text_of(x) == text_of(y) else None
        case ast.BinOp(op=ast.Sub(), left=ast.Constant(value=1), right=x) if not isinstance(x, ast.BinOp):
            return _of("logistic", x)
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=[x]) if _DERIVATIVE.search(name):
            return WrittenSlope(name, text_of(x), False)
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=[x], keywords=[one]) if _asks_for_it(one):
            return WrittenSlope(f"{name}_{one.arg}", text_of(x), False)
        case ast.Compare(left=x, ops=[ast.Gt() | ast.GtE()], comparators=[ast.Constant()]):
            return _of("mask", x)
        case _:
            return None


def _asks_for_it(one: ast.keyword) -> bool:
    """Whether an argument asks a function for its derivative: `tanh(h, derivative=True)`."""
    asked = isinstance(one.value, ast.Constant) and one.value.value is True
    return asked and one.arg is not None and _DERIVATIVE.search(one.arg) is not None


def _of(form: str, of: ast.expr) -> WrittenSlope:
    if isinstance(of, ast.Call) and of.args and not (isinstance(of.func, ast.Attribute) and of.func.attr == "sum"):
        return WrittenSlope(form, text_of(of.args[0]), True)
    return WrittenSlope(form, text_of(of), False)


def slope_name(c: Correction) -> str:
    """The mistake's name where a derivative was replaced by another one, or was missing; "" where none was."""
    old, mended = (slopes(text) for text in (c.old, c.mended))
    gone, new = [s for s in old if s not in mended], [s for s in mended if s not in old]
    if any(s.form == "misplaced" for s in gone) or not new:
        return "tanh-derivative-misplaced-square" if any(s.form == "misplaced" for s in gone) and new else ""
    if not gone:
        return "activation-derivative-missing" if not old else ""
    one, other = gone[0], new[0]
    times = sum(text_of(n) == one.of for n in ast.walk(ast.parse(c.old)))
    if (one.form, other.form) == ("logistic", "square") and times == 1:  # 1 - a, for 1 - a ** 2
        return "tanh-derivative-misplaced-square"
    if _CALLED.get(other.form, "-") in one.form.lower():  # the function is this activation's, and takes another value
        return "tanh-derivative-of-activation"
    if one.form != other.form:
        return "activation-derivative-of-another"
    if one.applied and not other.applied:
        return "tanh-derivative-of-activation"
    if _name(one.of) == _name(other.of):
        return "activation-derivative-wrong-step"
    return ""


def _name(text: str) -> str:
    """The variable, without its indices."""
    return re.sub(r"\[.*\]", "", text)
