"""What a condition or a watch expression is: a tree, its text, and what it reads."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from engine.language.expression import ExpressionError

_NAME = re.compile(r"[^\W\d]\w*")
_MAGNITUDE = re.compile(r"\babs\(([^()|]+)\)")
_OF_MAGNITUDE = re.compile(r"\b([a-z]+)\(abs\(([^()|]+)\)\)")

Index: TypeAlias = tuple[int | None, ...]
"""Places along the axes of a row; None takes all of them."""


@dataclass(frozen=True)
class Constant:
    """A number, a truth value, or a text to compare `phase` and `line` with."""

    value: float | bool | str


@dataclass(frozen=True)
class Word:
    """`t`, `iteration`, `phase` or `line` of the point."""

    name: str


@dataclass(frozen=True)
class Read:
    """A quantity: its row computed last, the row `row`, or with `all_rows` every row computed so far."""

    name: str
    column: int
    row: Condition | None = None
    all_rows: bool = False


@dataclass(frozen=True)
class Cells:
    """Some of the cells of a value."""

    operand: Condition
    index: Index
    column: int

    @property
    def names_sample(self) -> bool:
        """Whether a row's first number says of which sample of the batch a cell is."""
        axis = 1 if isinstance(self.operand, Read) and self.operand.all_rows else 0
        return isinstance(self.operand, Read) and len(self.index) > axis and self.index[axis] is not None


@dataclass(frozen=True)
class Apply:
    """A function of this language, or `not`, or a minus sign."""

    function: str
    operand: Condition
    column: int


@dataclass(frozen=True)
class Operation:
    """Two values and an arithmetic operator or a comparison."""

    operator: str
    left: Condition
    right: Condition
    column: int


@dataclass(frozen=True)
class Junction:
    """`and` (every operand) or `or` (any)."""

    every: bool
    operands: tuple[Condition, ...]
    column: int


Condition: TypeAlias = Constant | Word | Read | Cells | Apply | Operation | Junction


@dataclass(frozen=True)
class Predicate:
    """A parsed expression and its text; errors tell its names as they are `spelt`."""

    source: str
    tree: Condition
    spelt: Callable[[str], str] = field(default=str, compare=False)

    @property
    def text(self) -> str:
        """The source with magnitudes as on paper: max|dz|."""
        return _MAGNITUDE.sub(r"|\1|", _OF_MAGNITUDE.sub(r"\1|\2|", self.source))

    @property
    def told(self) -> str:
        """The text with the names as they are spelt."""
        return _told(self.text, self._shown)

    def error(self, message: str, column: int) -> ExpressionError:
        """That it does not fit the numbers that it is about."""
        return error_in(message, self.source, column, self._shown)

    @property
    def _shown(self) -> Mapping[str, str]:
        return {read.name: self.spelt(read.name) for read in self.reads}

    @property
    def reads(self) -> tuple[Read, ...]:
        """The distinct quantities it reads."""
        return tuple(dict.fromkeys(_reads(self.tree)))

    @property
    def over_samples(self) -> tuple[Read, ...]:
        """What it reads of which no sample is named by its number: all of the batch, or the one that is meant."""
        return tuple(dict.fromkeys(_over_samples(self.tree)))

    @property
    def words(self) -> frozenset[str]:
        """What it asks about the point."""
        return frozenset(node.name for node in _walk(self.tree) if isinstance(node, Word))


def error_in(message: str, source: str, column: int, shown: Mapping[str, str]) -> ExpressionError:
    """The error at a column of a text, with its names as they are shown."""
    return ExpressionError(message, _told(source, shown), len(_told(source[: column - 1], shown)) + 1)


def _told(text: str, shown: Mapping[str, str]) -> str:
    return _NAME.sub(lambda word: shown.get(word[0], word[0]), text)


def _children(node: Condition) -> tuple[Condition, ...]:
    match node:
        case Cells(operand=operand) | Apply(operand=operand):
            return (operand,)
        case Operation(left=left, right=right):
            return (left, right)
        case Junction(operands=operands):
            return operands
        case Read(row=row):
            return () if row is None else (row,)
        case Constant() | Word():
            return ()


def _walk(node: Condition) -> list[Condition]:
    return [node, *(below for child in _children(node) for below in _walk(child))]


def _over_samples(node: Condition) -> list[Read]:
    if isinstance(node, Cells) and node.names_sample:
        return []
    own = [node] if isinstance(node, Read) else []
    return [*own, *(read for child in _children(node) for read in _over_samples(child))]


def _reads(node: Condition) -> list[Read]:
    return [part for part in _walk(node) if isinstance(part, Read)]
