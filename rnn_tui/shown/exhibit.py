"""What a frame shows in place of the line: arrays side by side on one colour scale, or the explanation of a number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from engine.explain.address import CellAddress
from engine.explain.line_parts import Part

if TYPE_CHECKING:
    from engine.explain.ledger import Ledger
    from engine.explain.terms import Explanation


class Tone(NamedTuple):
    """A colour scale: the largest magnitude, whether it is logarithmic, and for a logarithmic one the share of the
    largest at which it begins."""

    scale: float
    log: bool
    floor: float


@dataclass(frozen=True, eq=False)
class Exhibit:
    """Arrays that are shown side by side on one colour scale, instead of those of the line."""

    parts: list[Part]
    tone: Tone


@dataclass(frozen=True, eq=False)
class Asked:
    """An open explanation: the path to it, its line, the reason where the number is 0, and which of its numbers is chosen."""

    path: tuple[CellAddress, ...]
    explanation: Explanation
    equation: str
    reason: str | None
    chosen: int
    edited: bool = False
    """The number was edited: its line computes another one."""
    ledger: Ledger | None = None
    """Of a gradient that is summed over steps and samples, what each of them adds."""
