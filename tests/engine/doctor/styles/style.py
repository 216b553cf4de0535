"""What a style is: a source text, how it is called, and the mistakes that can be planted into it."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from engine.doctor.reference.problem import Problem
from tests.engine.doctor.problems import Measurement

Edit = tuple[str, str]
"""A line as it stands (without its indentation), and what stands there instead: any number of lines, "" for none; after an `@` they
stand one level further out."""
Plant = Sequence[Edit]


@dataclass(frozen=True)
class Style:
    """A correct program, the problem it solves, and for each id the ways to plant it.

    `call` runs the program's function, found in the namespace of the executed text, on a problem. `also` gives for an id texts of
    lines that count as right too.
    """

    name: str
    source: str
    problem: Mapping[str, Any]
    call: Callable[[Mapping[str, Any], Problem], Measurement]
    plants: Mapping[str, Sequence[Plant]]
    also: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    prepared: Callable[[Problem], Problem] = lambda problem: problem
    """The problem as the program can take it."""
    left_out: Sequence[str] = ()
    """How statements begin that are not run here: they need a file, a module or for ever."""


@dataclass(frozen=True)
class Planted:
    """A program with a mistake in it; `lines` count as the right place (from 1)."""

    style: str
    ids: tuple[str, ...]
    source: str
    lines: frozenset[int]


def plant(style: Style, id: str, edits: Plant) -> Planted:
    """The style's program with one mistake."""
    return _planted(style, (id,), edit(style.source, edits))


def plant_both(style: Style, first: tuple[str, Plant], second: tuple[str, Plant]) -> Planted | None:
    """The program with two mistakes; None where the second's line is gone."""
    try:
        source = edit(edit(style.source, first[1]), second[1])
    except LookupError:
        return None
    return _planted(style, (first[0], second[0]), source)


def edit(source: str, edits: Plant) -> str:
    """The text with whole lines replaced; LookupError when a line is not there exactly once."""
    lines = source.splitlines()
    for old, new in edits:
        at = [n for n, line in enumerate(lines) if line.strip() == old]
        if len(at) != 1:
            raise LookupError(f"{old!r} stands {len(at)} times in the source")
        indent = lines[at[0]][: -len(lines[at[0]].lstrip())]
        lines[at[0] : at[0] + 1] = [_indented(indent, line) for line in new.splitlines()]
    return "\n".join(lines) + "\n"


def _indented(indent: str, line: str) -> str:
    """With the indentation of the line it replaces; after an @ one level less."""
    return indent[4:] + line[1:] if line.startswith("@") else indent + line


def _planted(style: Style, ids: tuple[str, ...], source: str) -> Planted:
    """Right are the lines that are new, and where something is gone the line before and the one after."""
    old, new = style.source.splitlines(), source.splitlines()
    lines: set[int] = set()
    for kind, _, _, low, high in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind in ("replace", "insert"):
            lines |= set(range(low + 1, high + 1))
        elif kind == "delete":
            lines |= {low, low + 1}
    also = {text for id in ids for text in style.also.get(id, ())}
    lines |= {n for n, line in enumerate(new, start=1) if line.strip() in also}
    return Planted(style.name, ids, source, frozenset(lines))


def run(style: Style, source: str) -> Callable[[Problem], Measurement]:
    """Executes a text here and gives what measures it: for texts of our own only."""
    namespace: dict[str, Any] = {"__name__": style.name}
    tree = ast.parse(source)
    if style.left_out:
        lines = source.splitlines()
        kept = [node for node in tree.body if not lines[node.lineno - 1].startswith(tuple(style.left_out))]
        tree.body = [node for node in kept if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Import)] + [
            node for node in kept if ast.unparse(node).startswith("RNNNumpy.")
        ]
    exec(compile(tree, f"<{style.name}>", "exec"), namespace)

    def measure(problem: Problem) -> Measurement:
        try:
            found = style.call(namespace, problem)
            return replace(found, gradients={name: np.array(value) for name, value in found.gradients.items()})
        except Exception as error:  # what a mistake raises is part of what is measured
            return Measurement(None, {}, error=f"{type(error).__name__}: {error}")

    return measure


def with_tokens(problem: Problem) -> Problem:
    """The problem with inputs that are one of as many things as there are features."""
    numbers = np.random.default_rng(5).integers(0, problem.network.inputs, problem.X.shape[:2])
    return replace(problem, X=np.eye(problem.network.inputs)[numbers])
