"""Remarks about arguments: one that a function never reads, one that it overwrites before it reads it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from engine.doctor.lineage.record.carry_back import touched
from engine.doctor.lineage.record.reading import UserLine
from engine.doctor.lineage.remarks.remark import Remark, RemarkedRun

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def unread(seen: RemarkedRun) -> Iterator[Remark]:
    """Arguments of the functions in which the loss or a gradient was made."""
    ran = {
        (e.site.file, e.site.function)
        for e in seen.record.events
        if e.value.size and touched(seen.depends, e.value) and e.site.function
    }
    for file, tree in seen.trees.items():
        for name, function in _functions(tree, ""):
            if (file, name) not in ran:
                continue
            for argument, overwritten in _unread(function):
                how = "it is overwritten before it is read" if overwritten else "it is never read"
                place = UserLine(file, overwritten or argument.lineno)
                word = "argument-overwritten" if overwritten else "argument-never-read"
                yield Remark(word, place, f"{argument.arg} is an argument of {name.rsplit('.', 1)[-1]}, and {how}")


def _functions(node: ast.AST, name: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """All functions of a tree, by their names from the outside in."""
    for child in ast.iter_child_nodes(node):
        inner = name
        if isinstance(child, (*FUNCTIONS, ast.ClassDef)):
            inner = f"{name}.{child.name}" if name else child.name
        if isinstance(child, FUNCTIONS):
            yield inner, child
        yield from _functions(child, inner)


def _unread(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[tuple[ast.arg, int]]:
    """The arguments that a function does not read, and the line that overwrites each, 0 where none does."""
    given = function.args
    named = [*given.posonlyargs, *given.args, *given.kwonlyargs]
    if any(isinstance(n, ast.Name) and n.id in ("locals", "vars") for n in ast.walk(function)):
        return
    stepped = {n.target for n in ast.walk(function) if isinstance(n, ast.AugAssign) and isinstance(n.target, ast.Name)}
    for argument in named[1:] if named and named[0].arg in ("self", "cls") else named:
        if argument.arg.startswith("_"):
            continue
        uses = [n for s in function.body for n in ast.walk(s) if isinstance(n, ast.Name) and n.id == argument.arg]
        read = {n for n in uses if not isinstance(n.ctx, ast.Store)} | (set(uses) & stepped)
        if not read:
            yield argument, uses[0].lineno if uses else 0
            continue
        first = next(s for s in function.body if any(n in uses for n in ast.walk(s)))
        is_bound = isinstance(first, ast.Assign) and any(t in uses for t in first.targets)
        if is_bound and not any(n in read for n in ast.walk(first)):
            yield argument, first.lineno
