"""Turns an exception in the user's code into one sentence, with its line and a remedy."""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from engine.doctor.read.source import MOVED, RENAMED, SourceFile
from engine.text import clean

Failure = Mapping[str, Any]
_NO_ATTRIBUTE = re.compile(
    r"module 'numpy' has no attribute '(\w+)'|`?np\.(\w+)`? was (?:a deprecated alias|removed)|'(\w+)' was removed"
)


def sentence(failure: Failure, source: SourceFile, tree: ast.Module, seconds: float, memory: int) -> str:
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
        case "IndexError" | "SystemExit" if re.search(r"\bargv\b|parse_args", source.line(line or 0)):
            return f"{at} reads the command line, on which the doctor gives nothing; put the value into the file"
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
        case "TypeError" if "0-dimensional" in message or "length-1 arrays" in message or "size-1 arrays" in message:
            return f"{at} makes a number of an array, which NumPy does only for arrays without axes; write array.item()"
        case "UFuncTypeError" | "_UFuncOutputCastingError" if "Cannot cast" in message:
            return f"{at} adds decimals to an array of whole numbers; make that one with np.zeros, without dtype=int"
        case _:
            hint = _shapes(failure, source, tree)
            if kind == "ValueError" and hint and _MISFIT.search(message):
                return f"{at}: the shapes do not fit: {hint}"  # in words that say more than NumPy's own
            return f"{at} fails with {kind}: {message}{f'; {hint}' if hint else ''}"


_MISFIT = re.compile(r"core dimension|not aligned|could not be broadcast|same-kind")


def _name(failure: Failure, at: str, source: SourceFile, tree: ast.Module) -> str:
    quoted = re.search(r"['‘](\w+)['’]", str(failure["message"]))
    name = clean(str(failure.get("name") or (quoted[1] if quoted else "a name")), 40)
    if name in RENAMED:
        return f"{at} uses {name}, which Python 3 does not have; write {RENAMED[name]}"
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
    near = difflib.get_close_matches(name, _assigned(tree, line) - {name}, 1, 0.7)
    remedy = f"is {near[0]} meant?" if near else "define it, or correct the name"
    return f"{at} uses {name}, which exists nowhere before it; {remedy}"


def _assigned(tree: ast.Module, line: int) -> set[str]:
    """What has a name where a line stands: what its function assigns or takes, and what the module defines."""
    functions = [
        n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.lineno <= line <= (n.end_lineno or 0)
    ]
    scopes: list[ast.AST] = [*functions, *(s for s in tree.body if not isinstance(s, ast.ClassDef | ast.FunctionDef))]
    names = {s.name for s in tree.body if isinstance(s, ast.ClassDef | ast.FunctionDef)}
    for node in (n for scope in scopes for n in ast.walk(scope)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
    return names


def _moved(message: str, text: str) -> str | None:
    match = _NO_ATTRIBUTE.search(message)
    name = next((g for g in match.groups() if g), None) if match else None
    if name is None and "numpy" in message:
        name = next((m for m in re.findall(r"\bnp\.(\w+)", text) if m in MOVED), None)
    return name if name in MOVED else None


def _shapes(failure: Failure, source: SourceFile, tree: ast.Module) -> str:
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
    if added := _added(failure, tree, line, shapes):
        return added
    names = [f"{text} is {shape}" for text, shape in shapes.items() if shape and text.isidentifier()]
    return ", ".join(names[:4])


def _added(failure: Failure, tree: ast.Module, line: int, shapes: Mapping[str, tuple[int, ...]]) -> str:
    """What does not fit into what it is added to."""
    own = [
        tuple(int(n) for n in re.findall(r"\d+", part))
        for part in re.findall(r"\(([\d, ]*)\)", str(failure["message"]))
    ]
    for node in ast.walk(tree):
        if isinstance(node, ast.AugAssign) and node.lineno <= line <= (node.end_lineno or line) and len(own) >= 2:
            target = ast.unparse(node.target)
            into = shapes.get(target, own[0])
            other = next((shape for shape in own if shape != into), own[1])
            turned = f"; {_turned(node.value)} would fit" if other == into[::-1] else ""
            summed = "; sum over the other axis" if _sums(node.value) and not turned else ""
            return f"{target} is {into} and what is added to it, {ast.unparse(node.value)}, is {other}{turned}{summed}"
    return ""


def _sums(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("sum", "mean")


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
