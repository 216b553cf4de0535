"""What-if edits: the small language in which a number is set, scaled or flipped, on the command line and on the screen.

    da@3 = 0            a row            da@3[0,5] = 0     a cell             da@3[0,:] *= 0.5   all of sample 0, scaled
    da = 0              every row        Wa[2,3] = 0.5     a weight           x@2[0,1] = 1       an input
    y[4] = flip         a label          flow@3 = 0        all that flows back from step 3 to step 2
    activation = tanh   another network

An edit is data: nothing in it is ever run.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from engine.errors import InputError
from engine.text import clean

if TYPE_CHECKING:
    from engine.language.functions import Array

FLOW, ACTIVATION, FLIP = "flow", "activation", "flip"
"""Names that are no quantities: the flow of all states from one step back to the step before; the activation; the
opposite sign or label."""

Action = Literal["set", "scale", "flip", "activation"]
EditIndex = tuple[int | None, ...]

_EDIT = re.compile(
    r"(?P<name>[A-Za-z_]\w{0,79})"
    r"(?:\s*@\s*(?P<t>\d{1,9}))?"
    r"(?:\s*\[(?P<index>[^\]]*)\])?"
    r"\s*(?P<sign>\*?=)(?!=)"
    r"\s*(?P<value>.*)",
    re.ASCII | re.DOTALL,
)
_INDEX = re.compile(r"\d{1,9}|:", re.ASCII)
_FORM = "write for example da@3[0,5] = 0, Wa[2,3] *= 2, y[4] = flip or activation = tanh"


@dataclass(frozen=True)
class Edit:
    """A quantity, its time step (None: every step, or it is not in time), an index (None in it: all along that axis; (): everything).

    `value` is the number to put there or the factor, or the activation's name; `iteration` is the one that it belongs to.
    """

    name: str
    t: int | None
    index: EditIndex
    action: Action
    value: float | str
    iteration: int = 0

    @property
    def place(self) -> str:
        """`da@3[0,5]`."""
        inside = ",".join(":" if i is None else str(i) for i in self.index)
        return self.name + ("" if self.t is None else f"@{self.t}") + (f"[{inside}]" if inside else "")

    @property
    def text(self) -> str:
        """As it is written, `da@3[0,5] = 0`."""
        sign = "*=" if self.action == "scale" else "="
        value = self.value if isinstance(self.value, str) else f"{self.value:.17g}"
        short = value if isinstance(self.value, str) or float(f"{self.value:g}") != self.value else f"{self.value:g}"
        return f"{self.place} {sign} {FLIP if self.action == 'flip' else short}"

    def within(self, shape: tuple[int, ...]) -> tuple[slice | int, ...]:
        """The index in an array of this shape; InputError when it has no such cell."""
        bad = len(self.index) not in (0, len(shape))
        if bad or any(i is not None and i >= n for i, n in zip(self.index, shape, strict=False)):
            size = "×".join(map(str, shape)) or "a single number"
            raise InputError(f"{self.name} is {size} here; {self.place} is not a place in it (indices count from 0)")
        return tuple(slice(None) if i is None else i for i in self.index)

    def put(self, array: Array) -> None:
        """Makes the edit in an array."""
        where = self.within(array.shape)
        if self.action == "set":
            array[where] = self.value
        else:
            array[where] = array[where] * (float(self.value) if self.action == "scale" else -1)


def parse_edit(text: str, iteration: int = 0) -> Edit:
    """The edit that `text` means, for that iteration; InputError when it means none."""
    match = _EDIT.fullmatch(text.strip())
    if match is None:
        raise InputError(f"{clean(text, 60)} sets nothing; {_FORM}")
    name, value = match["name"], match["value"].strip()
    t = None if match["t"] is None else int(match["t"])
    index = _index(match["index"], text)
    if name == ACTIVATION:
        if t is not None or index or match["sign"] != "=":
            raise InputError(f"{ACTIVATION} is one for the whole network; write {ACTIVATION} = relu")
        return Edit(name, None, (), "activation", clean(value, 40), iteration)
    if value == FLIP and match["sign"] == "=":
        return Edit(name, t, index, "flip", 0.0, iteration)
    return Edit(name, t, index, "set" if match["sign"] == "=" else "scale", _number(value, text), iteration)


def _index(inside: str | None, text: str) -> EditIndex:
    if inside is None:
        return ()
    parts = [part.strip() for part in inside.split(",")]
    for part in parts:
        if not _INDEX.fullmatch(part):
            raise InputError(
                f"in {clean(text, 60)}, {clean(part, 20) or 'nothing'} is no index; take numbers from 0, or : for all along an axis"
            )
    return tuple(None if part == ":" else int(part) for part in parts)


def _number(value: str, text: str) -> float:
    try:
        return float(value.replace("−", "-"))
    except ValueError:
        said = f"{clean(value, 20)} is no number" if value else "the number is missing"
        raise InputError(f"in {clean(text, 60)}, {said}; {_FORM}") from None
