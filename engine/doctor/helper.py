"""For users' tests: `assert_backward_correct(fn)`, which fails with the doctor's report."""

from __future__ import annotations

import ast
import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.doctor.read.source import SourceFile, read_source
from engine.doctor.report.report import text

_LOCALS = ".<locals>."
_PLAIN = (bool, int, float, str, type(None))


def assert_backward_correct(function: Callable[..., Any] | type) -> None:
    """Raises AssertionError with the doctor's report unless `function`, a hand-written backward pass, is right.

    The function (or method, or class with one; it may be defined inside a test) is found in the file it was defined in, which is run in a
    process of its own. Raises TypeError for a function without a file, and for a lambda or a partial, which have no name in it.
    """
    from engine.doctor.diagnose import of_functions
    from engine.doctor.run.launch import Wishes

    shown = getattr(function, "__name__", function)
    if isinstance(function, functools.partial) or shown == "<lambda>":
        raise TypeError(f"{shown!r} has no name in its file; give a function that a def makes")
    try:
        path = inspect.getsourcefile(inspect.unwrap(function))
    except TypeError:
        path = None
    if path is None or not Path(path).is_file():
        raise TypeError(f"{shown!r} is in no file; the doctor reads a function's source")
    source, name = read_source(Path(path)), str(getattr(function, "__qualname__", ""))
    if _LOCALS in name:
        source, name = _lifted(source, name, _plain_values(function)), name.rpartition(_LOCALS)[2]
    report = of_functions(source, name, Wishes())
    if report.verdict != "correct":
        raise AssertionError("\n" + text(report))


def _plain_values(function: Callable[..., Any] | type) -> Mapping[str, Any]:
    """The numbers and texts that a function takes from the one around it."""
    if isinstance(function, type):
        return {}
    outside = inspect.getclosurevars(inspect.unwrap(function)).nonlocals
    return {name: value for name, value in outside.items() if isinstance(value, _PLAIN)}


def _lifted(source: SourceFile, name: str, outside: Mapping[str, Any]) -> SourceFile:
    """The text with a function, and those beside it, at the top level in place of the one that they are defined in; lines keep their
    numbers."""
    tree = source.tree()
    scope: list[ast.stmt] = tree.body
    outermost: ast.stmt | None = None
    for part in name.rpartition(_LOCALS)[0].replace(_LOCALS, ".").split("."):
        inside = [n for n in scope if isinstance(n, ast.FunctionDef | ast.ClassDef) and n.name == part]
        if not inside:
            return source
        outermost, scope = outermost or inside[-1], inside[-1].body
    assert outermost is not None
    old = source.lines
    new = list(old)
    first = min([outermost.lineno, *(d.lineno for d in getattr(outermost, "decorator_list", ()))])
    new[first - 1 : outermost.end_lineno] = [""] * ((outermost.end_lineno or first) - first + 1)
    new[first - 1] = "; ".join(f"{name} = {value!r}" for name, value in outside.items())
    for node in (n for n in scope if isinstance(n, ast.FunctionDef | ast.ClassDef)):
        start = min([node.lineno, *(d.lineno for d in node.decorator_list)])
        for number in range(start - 1, node.end_lineno or start):
            line = old[number]
            new[number] = line[min(node.col_offset, len(line) - len(line.lstrip())) :]
    return replace(source, text="\n".join(new))
