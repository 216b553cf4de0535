"""What deriving a backward pass gives: its lines, what the forward pass has to keep for them, and what could not be derived."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

LineKind = Literal["init", "back", "loop", "update", "head"]
WIDTH = 48
"""Where comments begin, if the line is not longer."""


@dataclass(frozen=True)
class DerivedLine:
    """A line of the backward pass, with its indentation relative to the block that it stands in. `why` is a few words of mathematics, `of`
    the line of the forward pass whose gradient it carries back, `makes` the name that it writes and `shape` its value's."""

    text: str
    why: str = ""
    of: int | None = None
    file: str = ""
    makes: str = ""
    shape: tuple[int, ...] | None = None
    kind: LineKind = "back"


@dataclass(frozen=True)
class Keep:
    """A line to add after a line of the forward pass, or to write instead of it, which keeps for the backward pass what would be lost."""

    after: int
    file: str
    text: str
    why: str = ""
    replaces: bool = False


@dataclass(frozen=True)
class Gap:
    """A line of the forward pass through which nothing was derived, and why."""

    line: int
    file: str
    why: str


@dataclass(frozen=True, eq=False)
class Derived:
    """The backward pass of a program. `loss` says what the loss was taken to be; `agreement` is, for each parameter, how far its derived
    gradient is from the loss carried back over the record, relative to the array's norm; `program` is the program's text with what is
    to be kept and the backward pass in their places; `data` are the other arrays that the loss changes with, for which nothing is
    derived."""

    file: str
    loss: str
    keeps: tuple[Keep, ...] = ()
    lines: tuple[DerivedLine, ...] = ()
    gaps: tuple[Gap, ...] = ()
    agreement: Mapping[str, float] = field(default_factory=dict[str, float])
    program: str = ""
    data: tuple[str, ...] = ()

    def text(self) -> str:
        """The backward pass as it is printed: what is to be kept for it, then every line with the shape of what it makes and why."""
        said = [f"# The backward pass of {self.file}, from {self.loss}."]
        if self.data:
            said += [f"# Taken as data, so without gradients: {', '.join(self.data)}."]
        if self.keeps:
            said += ["# The forward pass has to keep for it:"]
            said += [
                f"#   {'instead of' if keep.replaces else 'after'} line {keep.after}:  {_with(keep.text.strip(), keep.why)}"
                for keep in self.keeps
            ]
        said += [f"# Not derived: line {gap.line}, {gap.why}." for gap in self.gaps]
        return "\n".join([*said, "", *map(_commented, self.lines)]) + "\n"


def shape_text(shape: tuple[int, ...] | None) -> str:
    """`(3, 4)`, as NumPy writes it; "" of a single number."""
    return str(tuple(shape)) if shape else ""


def _commented(line: DerivedLine) -> str:
    """A line with its comment: `dz = dh * (1 - h**2)  # (3, 4)  through z: tanh' = 1 - h**2`."""
    said = "  ".join(part for part in (shape_text(line.shape), line.why) if part)
    return _with(line.text, said)


def _with(text: str, said: str) -> str:
    return f"{text:<{WIDTH}}  # {said}" if said else text
