"""What one round of a loop leaves to the next."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from engine.doctor.derive.forward.passes import Definition, ForwardPass
from engine.doctor.derive.tree.statements import targets
from engine.doctor.derive.tree.syntax_of import base, path, reads


def rebinds(one: Definition, name: str) -> bool:
    """Whether a statement gives a name another value."""
    return any(path(target) == name for target in targets(one.statement)) and not isinstance(one.statement, ast.Expr)


def is_read_before(forward: ForwardPass, loop: ast.For, name: str, inside: Sequence[Definition]) -> bool:
    """Whether a round reads what the round before left."""
    first = min(d.order for d in inside)
    for statement in ast.walk(loop):
        if isinstance(statement, ast.stmt) and not isinstance(statement, ast.For) and forward.order[statement] <= first:
            value = getattr(statement, "value", None)
            if isinstance(value, ast.expr) and any(path(n) == name or base(n) == name for n in reads(value)):
                return True
            if isinstance(statement, ast.AugAssign) and path(statement.target) == name:
                return True
    return False


def binds(statement: ast.stmt, name: str) -> bool:
    """Whether it gives the name another value, and does not only change what it holds."""
    if isinstance(statement, ast.Expr):
        return False
    return any(isinstance(t, ast.Name) and t.id == name for t in targets(statement))
