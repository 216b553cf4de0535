"""What a file does at its top level, besides defining, importing and assigning."""

from __future__ import annotations

import ast
from dataclasses import replace

from engine.doctor.read.source import SourceFile


def statically_runs(tree: ast.Module) -> bool:
    """Whether a module's top level does anything but define and import: then running it may show something."""
    return any(_does_something(statement) for statement in tree.body)


def _does_something(statement: ast.stmt) -> bool:
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef() | ast.Import() | ast.ImportFrom() | ast.Pass():
            return False
        case ast.Expr(value=ast.Constant()):
            return False
        case ast.Assign() | ast.AnnAssign():
            return any(isinstance(node, ast.Call) for node in ast.walk(statement))
        case ast.Try():
            return any(_does_something(inner) for inner in statement.body)
        case _:
            return True


def without_its_run(source: SourceFile) -> SourceFile:
    """The file without what its top level does besides defining, importing and assigning; lines keep their numbers."""
    lines = list(source.lines)
    for statement in source.tree().body:
        if _does_something(statement) and not isinstance(statement, ast.Assign | ast.AnnAssign):
            last = statement.end_lineno or statement.lineno
            lines[statement.lineno - 1 : last] = ["pass", *[""] * (last - statement.lineno)]
    return replace(source, text="\n".join(lines))
