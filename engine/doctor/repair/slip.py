"""A slip: what was seen, the change of the text that repairs it in memory, and the sentence."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from engine.doctor.repair.seen import SeenRun


@dataclass(frozen=True)
class TextChange:
    """A piece of the text, from a line and column (in bytes) to another, and what stands there instead; `shown` is what people are told
    stands there, where that is something else."""

    line: int
    column: int
    last: int
    end: int
    text: str
    shown: str | None = None


@dataclass(frozen=True)
class Slip:
    """Something wrong: `id` is its kind, `title` the sentence, `changes` repair it in memory. `fix` is what to write, "" where that is the
    changed line. `file` is one of the program's other files, "" for its own. `stops` says that Python or NumPy cannot run it, whatever it
    is meant to compute: it is no mistake in the mathematics."""

    id: str
    title: str
    line: int
    changes: tuple[TextChange, ...] = ()
    fix: str = ""
    stops: bool = False
    after: Slip | None = None
    file: str = ""


SlipKind = Callable[[SeenRun], Iterator[Slip]]
"""What finds the slips of a kind in a run."""


def instead(node: ast.expr | ast.stmt | ast.keyword, text: str, shown: str | None = None) -> TextChange:
    """Another text for a node."""
    return TextChange(
        node.lineno, node.col_offset, node.end_lineno or node.lineno, node.end_col_offset or 0, text, shown
    )


def before(node: ast.stmt | ast.arg, text: str, shown: str | None = None) -> TextChange:
    """A text in front of a node."""
    return TextChange(node.lineno, node.col_offset, node.lineno, node.col_offset, text, shown)


def after(node: ast.stmt, text: str, shown: str | None = None) -> TextChange:
    """A text behind a statement."""
    line, column = node.end_lineno or node.lineno, node.end_col_offset or 0
    return TextChange(line, column, line, column, text, shown)


def changed(text: str, changes: Iterable[TextChange]) -> str:
    """The text with its changes made; every line keeps its number."""
    lines = text.split("\n")
    for change in sorted(set(changes), key=lambda c: (c.line, c.column, c.last, c.end), reverse=True):
        first, last = change.line - 1, change.last - 1
        head = lines[first].encode()[: change.column].decode()
        tail = lines[last].encode()[change.end :].decode()
        lines[first : last + 1] = [head + change.text + tail, *[""] * (last - first)]
    return "\n".join(lines)
