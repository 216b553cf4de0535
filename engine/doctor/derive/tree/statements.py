"""Statements and loops: what they write, the blocks in them, what counts the rounds."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from engine.doctor.derive.tree.syntax_of import called


def targets(statement: ast.stmt) -> Iterator[ast.expr]:
    """What a statement writes; of `C.append(x)` the list."""
    if isinstance(statement, ast.Assign):
        for target in statement.targets:
            yield from target.elts if isinstance(target, ast.Tuple | ast.List) else [target]
    elif isinstance(statement, ast.AugAssign | ast.AnnAssign):
        yield statement.target
    elif isinstance(statement, ast.For):
        yield from (n for n in ast.walk(statement.target) if isinstance(n, ast.Name))
    elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call) and appended(statement) is not None:
        function = statement.value.func
        if isinstance(function, ast.Attribute):
            yield function.value


def appended(statement: ast.stmt) -> ast.expr | None:
    """What `C.append(x)` puts into the list."""
    if (
        isinstance(statement, ast.Expr)
        and called(statement.value) == "append"
        and isinstance(statement.value, ast.Call)
    ):
        return statement.value.args[0] if len(statement.value.args) == 1 else None
    return None


def all_statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a block and of the blocks in it."""
    for statement in body:
        yield statement
        if not isinstance(statement, ast.FunctionDef | ast.ClassDef):
            for block in blocks(statement):
                yield from all_statements(block)


def blocks(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    """The blocks of a statement."""
    for name in ("body", "orelse", "finalbody"):
        block = getattr(statement, name, None)
        if isinstance(block, list) and block and isinstance(block[0], ast.stmt):
            yield block


def step_of(loop: ast.For) -> str | None:
    """The variable that counts the rounds."""
    name = called(loop.iter)
    if isinstance(loop.target, ast.Name) and name in ("range", "arange", "reversed"):
        return loop.target.id
    if name == "enumerate" and isinstance(loop.target, ast.Tuple) and isinstance(loop.target.elts[0], ast.Name):
        return loop.target.elts[0].id
    return None


def stop_of(loop: ast.For) -> str | None:
    """Where a count that goes up ends, as text."""
    if called(loop.iter) in ("range", "arange") and isinstance(loop.iter, ast.Call) and len(loop.iter.args) <= 2:
        return ast.unparse(loop.iter.args[-1])
    if called(loop.iter) == "enumerate" and isinstance(loop.iter, ast.Call) and len(loop.iter.args) == 1:
        return f"len({ast.unparse(loop.iter.args[0])})"
    return None


def enclosing(tree: ast.Module, line: int, name: str = "") -> list[tuple[ast.stmt, list[ast.stmt]]] | None:
    """The statement of a line, of several the one that writes a name, and those that it stands in, outermost first, each with the block
    that it is of."""

    def search(body: list[ast.stmt]) -> list[tuple[ast.stmt, list[ast.stmt]]] | None:
        here = [s for s in body if s.lineno <= line <= (s.end_lineno or s.lineno)]
        for statement in here:
            for block in blocks(statement):
                if (inner := search(block)) is not None:
                    return [(statement, body), *inner]
        writing = (s for s in here if any(ast.unparse(t) == name for t in targets(s)))
        statement = next(writing, here[0] if here else None)
        return None if statement is None else [(statement, body)]

    return search(tree.body)
