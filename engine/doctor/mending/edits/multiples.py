"""Edits of a statement that makes a multiple of what it should: without one of its numbers, or divided by another."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from engine.doctor.mending.edits.atoms import replaced
from engine.doctor.mending.edits.edits import Slot, StatementEdit
from engine.doctor.mending.edits.expression_text import text_of


def unscaled(statement: ast.stmt) -> Iterator[StatementEdit]:
    """The statement's whole expression without one of the numbers that parts of it are multiplied or divided by."""
    value = getattr(statement, "value", None)
    if not isinstance(value, ast.expr):
        return
    numbers = [text_of(n) for inside in ast.walk(value) for n in _number_in(inside)]
    for number in dict.fromkeys(numbers):
        made = text_of(replaced(value, lambda n, number=number: _without(n, number)))
        yield StatementEdit(statement.lineno, "factor-dropped", made, text_of(value), None, Slot(statement, ("value",)))


def divided(statement: ast.Assign, number: str) -> StatementEdit:
    """The statement's whole expression divided by a number."""
    made = ast.BinOp(statement.value, ast.Div(), ast.parse(number, mode="eval").body)
    return StatementEdit(
        statement.lineno, "factor-missing", text_of(made), text_of(statement.value), None, Slot(statement, ("value",))
    )


def _number_in(node: ast.AST) -> Iterator[ast.expr]:
    """What a product or quotient may be multiplied or divided by: a number, or a name."""
    match node:
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            yield from (side for side in (left, right) if isinstance(side, (ast.Constant, ast.Name, ast.Attribute)))
        case ast.BinOp(op=ast.Div(), right=right):
            yield right
        case _:
            pass


def _without(node: ast.AST, number: str) -> ast.expr | None:
    """A product or quotient without this number; None for anything else."""
    match node:
        case ast.BinOp(left=left, op=ast.Mult() | ast.Div(), right=right) if text_of(right) == number:
            return left
        case ast.BinOp(left=left, op=ast.Mult(), right=right) if text_of(left) == number:
            return right
        case _:
            return None
