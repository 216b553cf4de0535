"""What went wrong while the user's code ran, in one sentence with its line and a remedy."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from engine.doctor.source import MOVED, Source
from engine.text import clean

Failure = Mapping[str, Any]
_NO_ATTRIBUTE = re.compile(
    r"module 'numpy' has no attribute '(\w+)'|`?np\.(\w+)`? was (?:a deprecated alias|removed)|'(\w+)' was removed"
)


def sentence(failure: Failure, source: Source, tree: ast.Module, seconds: float, memory: int) -> str:
    """The sentence for a failure as the worker reports it."""
    kind, message, line = str(failure["kind"]), clean(str(failure["message"]), 200), failure.get("line")
    at = f"{source.place(line)} ({source.line(line)})" if isinstance(line, int) else "the program"
    match kind:
        case "Stopped" if message == "time":
            return f"it was still running after {seconds:g} s, at {at}; if that loop never ends, give it an end, or shorten the run"
        case "Stopped" if message == "endless":
            return f"{at} is a loop without end"
        case "Stopped":
            return f"it computed more than can be recorded, at {at}; shorten the run"
        case "MemoryError" | "_ArrayMemoryError":
            return (
                f"{at} needs more memory than the {memory >> 30} GB the doctor allows; does something grow without end?"
            )
        case "SystemExit":
            return f"{at} ends the program{'' if message == 'None' else f' (exit {message})'}; take that call out"
        case "KeyboardInterrupt" | "GeneratorExit":
            return f"{at} raises {kind}; take that out"
        case "RecursionError":
            return f"{at} calls itself without end; give the recursion an end"
        case "EOFError":
            return f"{at} asks for input, and there is nobody to answer; put the value into the file"
        case "ModuleNotFoundError" | "ImportError":
            return (
                f"{at} needs a module that is not here: {message}; put it beside this file or install it, "
                "or leave it out of this file"
            )
        case "FileNotFoundError":
            return f"{at} reads a file that is not beside the program: {message}; put it there, or make the data in the file"
        case "UnboundLocalError" | "NameError":
            return _name(failure, at, source, tree)
        case "AttributeError" if moved := _moved(message, source.line(line or 0)):
            return f"{at} uses np.{moved}, which NumPy no longer has; write {MOVED[moved]}"
        case "SyntaxError" | "IndentationError" | "TabError":
            return f"{at} is not Python: {message}"
        case _:
            hint = _shapes(failure, source, tree)
            return f"{at} fails with {kind}: {message}{f'; {hint}' if hint else ''}"


def _name(failure: Failure, at: str, source: Source, tree: ast.Module) -> str:
    found = re.search(r"['‘](\w+)['’]", str(failure["message"]))
    name = clean(str(failure.get("name") or (found[1] if found else "a name")), 40)
    if name in ("xrange", "raw_input", "unicode", "reduce", "long"):
        now = {"xrange": "range", "raw_input": "input", "unicode": "str", "reduce": "functools.reduce", "long": "int"}[
            name
        ]
        return f"{at} uses {name}, which Python 3 does not have; write {now}"
    line = failure.get("line") or 0
    later = [
        n.lineno
        for n in ast.walk(tree)
        if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store) and n.id == name and n.lineno >= line
    ]
    if name in ("np", "numpy"):
        return f"{at} uses {name}, which is not imported; write import numpy as np at the top"
    if later and min(later) > line:
        return f"{at} uses {name} before it exists: its first value comes in {source.place(min(later))}; give it one before, such as zeros"
    if later:
        return f"{at} uses {name} before it has a value; give it one before the line, such as zeros of its shape"
    return f"{at} uses {name}, which exists nowhere before it; define it, or correct the name"


def _moved(message: str, text: str) -> str | None:
    found = _NO_ATTRIBUTE.search(message)
    name = next((g for g in found.groups() if g), None) if found else None
    if name is None and "numpy" in message:
        name = next((m for m in re.findall(r"\bnp\.(\w+)", text) if m in MOVED), None)
    return name if name in MOVED else None


def _shapes(failure: Failure, source: Source, tree: ast.Module) -> str:
    """The operands' shapes, and the transpose that would make them fit."""
    shapes: dict[str, tuple[int, ...]] = {
        text: tuple(cast("list[int]", shape))
        for text, shape in dict(failure.get("shapes") or {}).items()
        if isinstance(shape, list)
    }
    line = failure.get("line") or 0
    for left, right in _products(tree, line):
        one, other = ast.unparse(left), ast.unparse(right)
        if one not in shapes or other not in shapes:
            continue
        a, b = shapes[one], shapes[other]
        if not a or not b or _fits(a, b):
            continue
        for turn_left, turn_right in ((True, False), (False, True), (True, True)):
            if _fits(a[::-1] if turn_left else a, b[::-1] if turn_right else b):
                mended = f"{_turned(left) if turn_left else one} @ {_turned(right) if turn_right else other}"
                return f"{one} is {a} and {other} is {b}: {mended} would fit"
        return f"{one} is {a} and {other} is {b}"
    names = [f"{text} is {shape}" for text, shape in shapes.items() if shape and text.isidentifier()]
    return ", ".join(names[:4])


def _products(tree: ast.Module, line: int) -> Iterator[tuple[ast.expr, ast.expr]]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.expr) or not node.lineno <= line <= (node.end_lineno or line):
            continue
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
            yield node.left, node.right
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in ("dot", "matmul") and len(node.args) == 2:
                yield node.args[0], node.args[1]
            elif node.func.attr == "dot" and len(node.args) == 1:
                yield node.func.value, node.args[0]


def _fits(a: Sequence[int], b: Sequence[int]) -> bool:
    return a[-1] == b[-2 if len(b) > 1 else 0]


def _turned(node: ast.expr) -> str:
    text = ast.unparse(node)
    if isinstance(node, ast.Attribute) and node.attr == "T":
        return ast.unparse(node.value)
    return f"{text}.T" if isinstance(node, ast.Name | ast.Subscript | ast.Attribute | ast.Call) else f"({text}).T"
