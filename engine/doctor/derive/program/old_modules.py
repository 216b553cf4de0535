"""Modules of a program's folder that are in Python 2, as the program itself may be: converted in memory."""

from __future__ import annotations

import ast
import tokenize

from engine.doctor.lineage.record.running import Runs
from engine.doctor.read.python2 import converted


def with_modules_converted(runs: Runs) -> Runs:
    """The same runs, with the modules of the program's folder that it imports in Python 3."""
    texts: dict[str, str] = {}
    left, seen = [runs.program.text], set[str]()
    while left:
        for name in _imported(left.pop()) - seen:
            seen.add(name)
            try:
                with tokenize.open(runs.program.folder / f"{name}.py") as file:
                    text = file.read()
            except (OSError, SyntaxError, ValueError):
                continue
            if (new := converted(text)) is not None:
                texts[f"{name}.py"] = new
            left.append(new or text)
    return runs.with_texts(texts) if texts else runs


def _imported(text: str) -> set[str]:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return set()
    plain = {one.name for n in ast.walk(tree) if isinstance(n, ast.Import) for one in n.names}
    return plain | {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.module and not n.level}
