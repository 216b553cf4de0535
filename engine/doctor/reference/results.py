"""Results of an examination: a gradient's comparison, a place in the user's file, a named mistake."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class GradientComparison:
    """One parameter's gradient against the reference's; numbers are None where there is nothing to compare (no or a misshapen gradient)."""

    ok: bool
    max_relative_error: float | None = None
    cosine: float | None = None
    norm_ratio: float | None = None
    note: str = ""
    line: int | None = None
    """The line of the user's that made it, where that is known."""
    where: str = ""
    """In a notebook its cell and the line in it, as `3:12`; in another file than the program's that, as `layers.py:40`."""

    def to_json(self) -> dict[str, Any]:
        """The figures, and where the gradient was found."""
        return {
            "ok": self.ok,
            "line": self.line,
            "max_relative_error": self.max_relative_error,
            "cosine": self.cosine,
            "norm_ratio": self.norm_ratio,
        }


@dataclass(frozen=True)
class Place:
    """A line of the user's file, and what is wrong there: the reference's quantity it should be, at step t of a sample."""

    line: int
    source: str
    quantity: str = ""
    t: int | None = None
    sample: int | None = None
    why: str = ""
    where: str = ""
    """In a notebook the cell and its line."""
    file: str = ""
    """The file of the program that it is in, where that is not the one that was examined."""

    @property
    def shown(self) -> str:
        """`line 12`, in a notebook `cell 3, line 4`."""
        return self.where or f"line {self.line}"

    def to_json(self) -> dict[str, Any]:
        """Where, and of what."""
        return {"quantity": self.quantity, "t": self.t, "sample": self.sample, "line": self.line, "source": self.source}


@dataclass(frozen=True)
class NamedMistake:
    """A named mistake, its line and the line as it should be."""

    id: str
    title: str
    parameters: tuple[str, ...]
    residual: float | None
    place: Place | None = None
    fix: str = ""
    after: Place | None = None
    """The line that was repaired in memory before this was seen; None where it was seen in the program as it is."""
    leaves: tuple[str, ...] = ()
    """The parameters whose gradients stay wrong with the fix; `parameters` are those that it makes right."""

    @property
    def effect(self) -> str:
        """What a run with the fix showed, where some gradients stay wrong; "" where none does."""
        right, wrong = ", ".join(self.parameters), ", ".join(self.leaves)
        more = f"{right} right" if right else "more of what is made on the way back is right"
        return f"run with this line changed: {more}, {wrong} still wrong" if self.leaves else ""

    def to_json(self) -> dict[str, Any]:
        """The contract's entry."""
        return {
            "id": self.id,
            "title": self.title,
            "parameters": list(self.parameters),
            "residual": self.residual,
            "file": (self.place.file or None) if self.place else None,
            "line": self.place.line if self.place else None,
            "source": self.place.source if self.place else None,
            "fix": self.fix or None,
            "after": self.after.line if self.after else None,
            "leaves": list(self.leaves),
        }
