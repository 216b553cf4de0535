"""The program's own functions that only compute: they may be called once more, beside the program."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from engine.doctor.recording.trials.expressions import SAFE

NEW = {"zeros", "zeros_like", "ones", "ones_like", "empty", "empty_like", "full", "copy", "list", "dict"}
"""Calls that make something new, which a function may write into."""


def safe_functions(texts: Mapping[str, str]) -> list[str]:
    """Names of what may be called once more: of libraries' functions, and of the program's own that write into nothing but what they made
    themselves, decide, loop and return, and call nothing but what is safe: all functions of such a name do. None of them calls itself. A
    function of the program's is not safe because one of NumPy's has its name."""
    by_name: dict[str, list[ast.FunctionDef]] = {}
    for text in texts.values():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                by_name.setdefault(node.name, []).append(node)
    found = SAFE - {*by_name}
    while more := {
        name
        for name, functions in by_name.items()
        if name not in found and all(_only_computes(f.body, _own(f)) and _called(f) <= found for f in functions)
    }:
        found |= more
    return sorted(found)


def _only_computes(body: list[ast.stmt], own: set[str]) -> bool:
    """Whether statements compute and no more; `own` are the variables whose values the function made."""
    for statement in body:
        match statement:
            case ast.Return() | ast.Expr(value=ast.Constant()) | ast.Pass():
                pass
            case ast.Assign(targets=targets) if all(_may_be_written(t, own) for t in targets):
                pass
            case ast.AugAssign(target=target) if _root(target) in own:
                pass
            case ast.Expr(value=ast.Call(func=ast.Attribute(attr="append", value=target))) if _root(target) in own:
                pass
            case ast.If() | ast.For() if _only_computes([*statement.body, *statement.orelse], own):
                pass
            case _:
                return False
    return True


def _may_be_written(target: ast.expr, own: set[str]) -> bool:
    if isinstance(target, ast.Tuple):
        return all(_may_be_written(t, own) for t in target.elts)
    return isinstance(target, ast.Name) or (isinstance(target, ast.Subscript) and _root(target) in own)


def _root(target: ast.expr) -> str:
    """The variable of an entry, "" where it is an attribute's."""
    while isinstance(target, ast.Subscript):
        target = target.value
    return target.id if isinstance(target, ast.Name) else ""


def _own(function: ast.FunctionDef) -> set[str]:
    """The variables that are assigned nothing but what is new."""
    new: set[str] = set()
    others = {a.arg for a in ast.walk(function.args) if isinstance(a, ast.arg)}
    for node in (n for s in function.body for n in ast.walk(s)):
        if (
            isinstance(node, ast.Assign)
            and len(node.targets) == 1
            and isinstance(node.targets[0], ast.Name)
            and _is_new(node.value)
        ):
            new.add(node.targets[0].id)
        elif isinstance(node, (ast.Assign, ast.For)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            others |= {
                n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
            }
    return new - others


def _is_new(value: ast.expr) -> bool:
    if isinstance(value, ast.Call):
        name = value.func.attr if isinstance(value.func, ast.Attribute) else getattr(value.func, "id", "")
        return name in NEW
    return isinstance(value, (ast.List, ast.ListComp, ast.Dict, ast.BinOp, ast.Constant))


def _called(function: ast.FunctionDef) -> set[str]:
    """The names of what is called; "" for what has none, or is no plain expression."""
    names: set[str] = set()
    for node in (n for s in function.body for n in ast.walk(s)):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            names |= {name} - {"append"}  # to what is its own, see above
        elif isinstance(node, (ast.Yield, ast.YieldFrom, ast.Await, ast.NamedExpr, ast.Lambda)):
            names.add("")
    return names
