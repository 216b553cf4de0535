"""What was seen of a run of the program: for each expression what it was, as `trials/seen.py` tells it; nothing of it is trusted."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from engine.doctor.run.outcome import Outcome

CONDITIONS = {"file", "folder", "program", "module", "input", "time"}
"""How a run ends for what lies outside the program."""
Position = tuple[int, int, int, int]


@dataclass(frozen=True)
class SeenValue:
    """What an expression once was.

    Of an array `kind` is NumPy's letter, `shape` its shape; `whole` the smallest, the largest and how many different whole numbers it
    holds; `sums` the axes along which its entries sum to 1, `total` whether they do all together; `maker` the expression that made it.
    Of a number `number` is its value, of a dict `keys` are its keys, of a list `inner` is the type of an entry.
    """

    type: str
    kind: str = ""
    shape: tuple[int, ...] = ()
    whole: tuple[int, int, int] | None = None
    sums: tuple[int, ...] = ()
    total: bool = False
    maker: Position | None = None
    number: float | None = None
    keys: tuple[str, ...] = ()
    inner: str = ""

    @property
    def is_array(self) -> bool:
        """Whether it is an array with axes."""
        return self.type == "array" and bool(self.shape)

    @property
    def is_probabilities(self) -> bool:
        """Whether it holds several numbers that sum to 1."""
        return self.type == "array" and max(self.shape, default=0) > 1 and (bool(self.sums) or self.total)


@dataclass(frozen=True)
class EntryStore:
    """A line that writes into entries: how many of them, how often one at most, and when for the last time."""

    line: int
    keys: int
    most: int
    last: int


def position(node: ast.expr | ast.stmt) -> Position:
    """Where a node stands."""
    return node.lineno, node.col_offset, node.end_lineno or node.lineno, node.end_col_offset or 0


class SeenRun:
    """A text, and what was seen when it ran. It is the program's own, or that of another `file` of it; `line` is then the last one in
    that file which an exception went through."""

    def __init__(
        self, text: str, outcome: Outcome, told: Mapping[str, Any], file: str = "", line: int | None = None
    ) -> None:
        self.text, self.outcome, self.file = text, outcome, file
        self._line = line
        self.tree = ast.parse(text)
        places = [_position(p) for p in told["places"]]
        self._values = {
            _position(place): tuple(_value(v, places) for v, _ in values) for place, values, _ in told["values"]
        }
        self._first = {_position(place): int(first) for place, _, first in told["values"]}
        self._places = places
        self.begun = {int(line): int(count) for line, count in told["begun"]}
        self.stores = tuple(EntryStore(*(int(n) for n in row)) for row in told["stores"])
        self.missing = tuple((int(line), str(name)) for line, name in told["missing"])
        self.gone = frozenset(str(name) for name in told["gone"])
        self.arguments = {str(k): tuple(str(a) for a in v) for k, v in dict(told["arguments"]).items()}

    def values(self, node: ast.expr) -> tuple[SeenValue, ...]:
        """All that an expression was; () where it was not evaluated."""
        return self._values.get(position(node), ())

    def arrays(self, node: ast.expr) -> tuple[SeenValue, ...]:
        """Those of its values that are arrays with axes."""
        return tuple(v for v in self.values(node) if v.is_array)

    def shape(self, node: ast.expr) -> tuple[int, ...] | None:
        """Its last new shape."""
        arrays = self.arrays(node)
        return arrays[-1].shape if arrays else None

    def first(self, node: ast.expr) -> int:
        """When it was first evaluated; 0 for never."""
        return self._first.get(position(node), 0)

    def number(self, node: ast.expr) -> int | None:
        """The whole number that it always was."""
        values = self.values(node)
        return int(values[0].number or 0) if len(values) == 1 and values[0].type == "int" else None

    @cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        """The node around each."""
        return {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """All nodes, in the order of the text."""
        found = [n for n in ast.walk(self.tree) if hasattr(n, "lineno")]
        return tuple(sorted(found, key=lambda n: (n.lineno, n.col_offset)))  # type: ignore[attr-defined]

    @cached_property
    def spelt(self) -> dict[str, list[ast.expr]]:
        """The expressions of each text, in the order of the whole text."""
        found: dict[str, list[ast.expr]] = {}
        for node in self.nodes:
            if isinstance(node, ast.expr):
                found.setdefault(ast.unparse(node), []).append(node)
        return found

    def node(self, place: Position) -> ast.expr | None:
        """The expression at a position."""
        return next((n for n in self.nodes if isinstance(n, ast.expr) and position(n) == place), None)

    def statement(self, node: ast.AST) -> ast.stmt:
        """The statement around a node."""
        while not isinstance(node, ast.stmt):
            node = self.parents[node]
        return node

    def functions(self, node: ast.AST) -> list[ast.FunctionDef]:
        """The functions around a node, the innermost first."""
        return [n for n in self.around(node) if isinstance(n, ast.FunctionDef)]

    def around(self, node: ast.AST) -> Iterator[ast.AST]:
        """What is around a node, the innermost first."""
        while node in self.parents:
            node = self.parents[node]
            yield node

    @cached_property
    def failed(self) -> ast.stmt | None:
        """The statement that did not complete, None where none failed."""
        line = self._line if self.file else self.outcome.ending.line
        if self.outcome.ending.kind != "exception" or line is None:
            return None
        inside = [
            n
            for n in self.nodes
            if isinstance(n, ast.stmt)
            and n.lineno <= line <= (n.end_lineno or n.lineno)
            and not isinstance(n, ast.FunctionDef | ast.ClassDef)
        ]
        return inside[-1] if inside else None

    def is_past(self, other: SeenRun) -> bool:
        """Whether this run came further than the other, which failed; the lines of both texts are the same."""
        failed, mine = other.failed, self.failed
        if failed is None or self.outcome.is_whole:
            return self.outcome.is_whole
        if self.outcome.ending.kind in CONDITIONS:
            line = self.outcome.ending.line or 0
            return self._has_begun(failed, other) and not failed.lineno <= line <= (failed.end_lineno or line)
        if self.outcome.ending.kind != "exception":
            return False
        if mine is None:  # it fails in another file
            return self._has_begun(failed, other)
        before, now = other.begun.get(failed.lineno, 0), self.begun.get(failed.lineno, 0)
        if now != before or mine.lineno != failed.lineno:
            return now > before or (now == before > 0 and mine.lineno != failed.lineno)
        if self.said == other.said:
            return False
        return self._pending(mine) < other._pending(failed)

    def _has_begun(self, failed: ast.stmt, other: SeenRun) -> bool:
        """Whether the statement at which the other failed began as often here."""
        return self.begun.get(failed.lineno, 0) >= other.begun.get(failed.lineno, 0) > 0

    def is_as_far(self, other: SeenRun) -> bool:
        """Whether this run came at least as far as the other."""
        failed, mine = other.failed, self.failed
        if self.outcome.ending.kind != "exception":
            return self.is_past(other)
        return self.is_past(other) or (failed is not None and mine is not None and mine.lineno == failed.lineno)

    @property
    def said(self) -> str:
        """What the exception says."""
        return f"{self.outcome.ending.type}: {self.outcome.ending.message}"

    def _pending(self, statement: ast.stmt) -> int:
        last = statement.end_lineno or statement.lineno
        return sum(statement.lineno <= p[0] <= last and p not in self._values for p in self._places)


def _position(place: Sequence[Any]) -> Position:
    line, column, last, end = (int(n) for n in place)
    return line, column, last, end


def _value(told: Sequence[Any], places: Sequence[Position]) -> SeenValue:
    name = str(told[0])
    if name == "array":
        kind, shape, numbers, maker = told[1:]
        whole = [int(n) for n in numbers[1:]] if numbers and numbers[0] == "whole" else []
        ones, total = numbers[1:] if numbers and numbers[0] == "sums" else ((), False)
        return SeenValue(
            "array",
            str(kind),
            tuple(int(n) for n in shape),
            (whole[0], whole[1], whole[2]) if len(whole) == 3 else None,
            tuple(int(axis) for axis in ones),
            bool(total),
            places[int(maker)] if 0 <= int(maker) < len(places) else None,
        )
    if name == "int":
        return SeenValue("int", number=int(told[1]))
    if name == "float":
        return SeenValue("float", number=float(told[1]))
    if name == "dict":
        return SeenValue("dict", keys=tuple(str(k) for k in told[1]))
    if name in ("list", "tuple") and len(told) > 2:
        return SeenValue(name, inner=str(told[2]), number=int(told[1]), shape=())
    return SeenValue(name)
