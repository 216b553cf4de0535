"""The program's own functions that only compute: they may be called once more, beside the program."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from engine.doctor.recording.trials.expressions import SAFE


def pure_functions(texts: Mapping[str, str]) -> list[str]:
    """Names of functions that assign to variables of their own, decide and return, and call nothing but each other and what is safe: all
    functions of such a name do. None of them calls itself."""
    by_name: dict[str, list[ast.FunctionDef]] = {}
    for text in texts.values():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                by_name.setdefault(node.name, []).append(node)
    found: set[str] = set()
    while more := {
        name
        for name, functions in by_name.items()
        if name not in found and all(_only_computes(f.body) and _called(f) <= {*SAFE, *found} for f in functions)
    }:
        found |= more
    return sorted(found)


def _only_computes(body: list[ast.stmt]) -> bool:
    for statement in body:
        match statement:
            case ast.Return() | ast.Expr(value=ast.Constant()) | ast.Pass():
                pass
            case ast.Assign(targets=targets) if all(_is_variable(t) for t in targets):
                pass
            case ast.If() if _only_computes(statement.body) and _only_computes(statement.orelse):
                pass
            case _:
                return False
    return True


def _is_variable(target: ast.expr) -> bool:
    return isinstance(target, ast.Name) or (isinstance(target, ast.Tuple) and all(map(_is_variable, target.elts)))


def _called(function: ast.FunctionDef) -> set[str]:
    """The names of what is called; "" for what has none, or is no plain expression."""
    names: set[str] = set()
    for node in (n for s in function.body for n in ast.walk(s)):
        if isinstance(node, ast.Call):
            names.add(node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", ""))
        elif isinstance(node, (ast.Yield, ast.YieldFrom, ast.Await, ast.NamedExpr, ast.Lambda)):
            names.add("")
    return names
