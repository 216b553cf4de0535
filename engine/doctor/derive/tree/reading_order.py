"""Which names statements read before they write them, and which are read after a statement: what it writes there matters."""

from __future__ import annotations

import ast
from collections.abc import Collection, Sequence

from engine.doctor.derive.tree.statements import all_statements, blocks, enclosing, targets


def loaded(node: ast.AST) -> set[str]:
    """The names that are read in an expression or statement."""
    read = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    return read | {
        n.target.id for n in ast.walk(node) if isinstance(n, ast.AugAssign) and isinstance(n.target, ast.Name)
    }


def read_first(statements: Sequence[ast.stmt], written: Collection[str] = ()) -> set[str]:
    """The names that statements read, before they write them; those `written` before them are not counted."""
    known, found = set(written), set[str]()
    for statement in statements:
        inner = known | {t.id for t in targets(statement) if isinstance(t, ast.Name) and isinstance(statement, ast.For)}
        inside = [*blocks(statement)] if not isinstance(statement, ast.FunctionDef | ast.ClassDef) else []
        within = {id(n) for block in inside for s in block for n in ast.walk(s)}
        found |= {n for part in ast.iter_child_nodes(statement) if id(part) not in within for n in loaded(part)} - inner
        for block in inside:
            found |= read_first(block, inner)
        if isinstance(statement, ast.AugAssign):
            found |= loaded(statement) - known
        if isinstance(statement, ast.Assign):
            known |= {t.id for t in targets(statement) if isinstance(t, ast.Name)}
    return found


def read_after(tree: ast.Module, statement: ast.stmt) -> set[str]:
    """The names that may be read after a statement: further on in its function, in the next round of a loop around it, and in functions."""
    found = set[str]()
    for outer, block in reversed(enclosing(tree, statement.lineno) or []):
        rest = block[next(k for k, s in enumerate(block) if s is outer) + 1 :]
        found |= read_first(rest)
        if isinstance(outer, ast.For | ast.While) and outer is not statement:
            found |= read_first(outer.body)
        if isinstance(outer, ast.FunctionDef):
            return found
    functions = (n for n in all_statements(tree.body) if isinstance(n, ast.FunctionDef | ast.ClassDef))
    for one in functions:
        found |= loaded(one) - {n.id for n in ast.walk(one) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return found
