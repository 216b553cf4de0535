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
    gives back there; lines keep their numbers. What a function gives a class as methods, it has from where the last of these stood."""
    lines, back, given = list(source.lines), _going_back(source.tree()), _given_methods(source.tree())
    for statement in reversed(source.tree().body):
        assigns = isinstance(statement, ast.Assign | ast.AnnAssign) and not _called(statement) & back
        if _does_something(statement) and not assigns:
            last = statement.end_lineno or statement.lineno
            lines[statement.lineno - 1 : last] = ["; ".join(given) or "pass", *[""] * (last - statement.lineno)]
            given = []
    text = "\n".join(lines)
    return replace(source, text=text, left_out=source.text) if text != source.text else source


def _given_methods(tree: ast.Module) -> list[str]:
    """The assignments within functions by which classes of the file are given functions of the file: `Network.backward = backward`."""
    classes = {n.name for n in tree.body if isinstance(n, ast.ClassDef)}
    functions = {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef)}
    made = dict[str, None]()
    for node in (inner for function in functions.values() for inner in ast.walk(function)):
        match node:
            case ast.Assign(targets=[ast.Attribute(value=ast.Name(id=owner))], value=ast.Name(id=name)):
                made.update({ast.unparse(node): None} if owner in classes and name in functions else {})
            case _:
                pass
    return list(made)


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


def adds_gradients(source: SourceFile) -> bool | None:
    """Whether a file adds gradients to weights, as `W += rate * dW`; None where a part of it was left out and no update is seen."""
    seen: set[bool] = set()
    for node in ast.walk(ast.parse(source.left_out) if source.left_out else source.tree()):
        match node:
            case (
                ast.AugAssign(op=ast.Add() | ast.Sub() as op, value=change)
                | ast.BinOp(op=ast.Add() | ast.Sub() as op, right=change)
            ):
                sign = _sign_of_step(change)
                seen |= {(sign > 0) == isinstance(op, ast.Add)} if sign else set()
            case _:
                pass
    return True if True in seen else False if seen or not source.left_out else None


def _sign_of_step(change: ast.expr) -> int:
    """1 for `rate * dW`, -1 for `-rate * dW`, 0 for what is no product with a rate."""
    match change:
        case ast.UnaryOp(op=ast.USub(), operand=inside):
            return -_sign_of_step(inside)
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return _sign_of_rate(left) or _sign_of_rate(right)
        case _:
            return 0


def _sign_of_rate(factor: ast.expr) -> int:
    match factor:
        case ast.UnaryOp(op=ast.USub(), operand=inside):
            return -_sign_of_rate(inside)
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return int(RATE.match(name) is not None)
        case _:
            return 0
