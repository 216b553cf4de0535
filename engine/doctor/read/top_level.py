"""What a file does at its top level, besides defining, importing and assigning."""

from __future__ import annotations

import ast
from dataclasses import replace

from engine.doctor.read.source import SourceFile
from engine.doctor.recording.calls.guesses import BACKWARD, RATE


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
    """The file without what its top level does besides defining, importing and assigning, and without what a backward pass, or what trains,
    gives back there; lines keep their numbers."""
    lines, back = list(source.lines), _going_back(source.tree())
    for statement in source.tree().body:
        assigns = isinstance(statement, ast.Assign | ast.AnnAssign) and not _called(statement) & back
        if _does_something(statement) and not assigns:
            last = statement.end_lineno or statement.lineno
            lines[statement.lineno - 1 : last] = ["pass", *[""] * (last - statement.lineno)]
    return replace(source, text="\n".join(lines))


def _going_back(tree: ast.Module) -> set[str]:
    """The names of functions that call, at whatever depth, what is called as backward passes are."""
    called = {n.name: _called(n) for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}
    found = {name for names in (called, *called.values(), _called(tree)) for name in names if BACKWARD.search(name)}
    while more := {name for name, inside in called.items() if inside & found} - found:
        found |= more
    return found


def _called(node: ast.AST) -> set[str]:
    functions = [inner.func for inner in ast.walk(node) if isinstance(inner, ast.Call)]
    return {getattr(f, "id", getattr(f, "attr", "")) for f in functions}


def leaves_something_out(source: SourceFile) -> bool:
    """Whether something was left out of a file: a `pass` at its top level stands for it."""
    return any(isinstance(statement, ast.Pass) for statement in source.tree().body)


def adds_gradients(source: SourceFile) -> bool:
    """Whether a file adds gradients to weights, as `W += rate * dW`."""
    tree = source.tree()
    added = [n.value for n in ast.walk(tree) if isinstance(n, ast.AugAssign) and isinstance(n.op, ast.Add)]
    added += [n.right for n in ast.walk(tree) if isinstance(n, ast.BinOp) and isinstance(n.op, ast.Add)]
    products = [n for n in added if isinstance(n, ast.BinOp) and isinstance(n.op, ast.Mult)]
    names = [getattr(side, "id", getattr(side, "attr", "")) for n in products for side in (n.left, n.right)]
    return any(RATE.match(name) for name in names)
