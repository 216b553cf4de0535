"""Expressions of other statements whose values have no name where a line runs, and that may be meant there: they are written out."""

from __future__ import annotations

import ast
from collections.abc import Container, Iterator, Sequence

from engine.doctor.mending.edits.atoms import is_atom, parsed
from engine.doctor.mending.edits.edits import StatementEdit, slots
from engine.doctor.mending.edits.expression_text import text_of
from engine.doctor.mending.edits.expressions import walk, with_part

MADE_AGAIN = "made-again"
MOST = 24
"""So many values of the forward pass are tried, so many products of a block."""


def products(body: Sequence[ast.stmt], statement: ast.stmt) -> list[str]:
    """The products of matrices that other statements of a block multiply, or add up: `W.T @ dz` in `dr = (W.T @ dz) * h`."""
    others = [value for s in body if s is not statement and isinstance(value := getattr(s, "value", None), ast.expr)]
    found = [text_of(node) for value in others for path, node in walk(value) if path and _multiplies(node)]
    return list(dict.fromkeys(f"({text})" if " @ " in text else text for text in found))[:MOST]


def _multiplies(node: ast.expr) -> bool:
    """Whether it is a product of matrices."""
    match node:
        case ast.BinOp(op=ast.MatMult()):
            return True
        case ast.Call(func=ast.Attribute(attr="dot" | "matmul")):
            return True
        case _:
            return False


def forward_values(tree: ast.AST, lines: Container[int]) -> list[str]:
    """What assignments on these lines compute, and what activations make inside of them: the values of a forward pass that a name, or a
    list, may no longer hold on the way back."""
    made: dict[str, None] = {}
    for node in ast.walk(tree):
        match node:
            case ast.Assign(value=value) if node.lineno in lines:
                sums = [value] if isinstance(value, ast.BinOp) else []
                activated = [n for _, n in walk(value) if isinstance(n, ast.Call) and _is_activation(n)]
                made |= dict.fromkeys(map(text_of, (*sums, *activated)))
            case _:
                pass
    return list(made)[-MOST:]


def _is_activation(call: ast.Call) -> bool:
    """Whether a function makes something of one expression: that of a product is none of its own."""
    return len(call.args) == 1 and not _multiplies(call) and not is_atom(call.args[0])


def with_values(statement: ast.stmt, values: Sequence[str]) -> Iterator[StatementEdit]:
    """A value of the forward pass, made again, in the place of an array that is read."""
    for slot in slots(statement):
        old = text_of(slot.get())
        for path, node in walk(slot.get()):
            if is_atom(node) and isinstance(getattr(node, "ctx", None), ast.Load):
                read = text_of(node)
                for other in values:
                    made = text_of(with_part(slot.get(), path, parsed(other)))
                    yield StatementEdit(statement.lineno, MADE_AGAIN, made, old, (read, other), slot)
