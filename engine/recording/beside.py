"""Quantities whose arrays lie side by side in memory, as columns of one: a product of matrices takes all of them at once.

A gated cell sends its gates' gradients back through a matrix each, dh = dzi @ Whi.T + dzf @ Whf.T + …: side by side they are one matrix
(dzi | dzf | …), which goes through the matrices stacked, and what the gates' weights get, x.T @ dzi, are columns of x.T @ (dzi | dzf | …).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from engine.language.expression import Binary, Expression, Name, Sum, Transpose, addends, substitute
from engine.language.functions import Array
from engine.model.blocks import Line
from engine.model.program import Program
from engine.recording.schedule import carried

_ANY = Name("any of them")


@dataclass(frozen=True)
class Columns:
    """Neighbours in an array, and what a line reads where it takes all of them at once."""

    of: tuple[str, ...]

    @property
    def name(self) -> str:
        """What all of them together are called."""
        return "_".join(self.of)


@dataclass(frozen=True, eq=False)
class Beside:
    """The groups of a program's quantities that lie side by side, each in its order."""

    program: Program

    @cached_property
    def groups(self) -> tuple[tuple[str, ...], ...]:
        """What lines that hand something to the next step of a backward loop multiply by transposed matrices and add up."""
        groups: list[tuple[str, ...]] = []
        for block in self.program.looped("backward"):
            handed_on = carried(block)
            for line in block.lines:
                lefts = self._multiplied(line) if line.name in handed_on else ()
                if len(lefts) > 1 and not any({*group} & {*lefts} for group in groups):
                    groups.append(lefts)
        return tuple(groups)

    def _multiplied(self, line: Line) -> tuple[str, ...]:
        """The quantities of a step that a line multiplies by a transposed matrix each, and adds up."""
        found: list[str] = []
        for term in addends(line.equation.expression):
            match term:
                case Binary("@", Name(name=name, step=0), Transpose(Name(name=matrix))) if (
                    matrix in self.program.parameters and self.program.quantities[name].rows == "T"
                ):
                    found.append(name)
                case _:
                    pass
        return tuple(dict.fromkeys(found))

    def together(self, wanted: Iterable[str]) -> Columns | None:
        """These quantities as neighbours in the order in which they lie, or None where they are none."""
        for group in self.groups:
            places = sorted(group.index(name) for name in wanted if name in group)
            if len(places) == len({*wanted}) > 1 and places[-1] - places[0] == len(places) - 1:
                return Columns(group[places[0] : places[-1] + 1])
        return None

    def __contains__(self, name: str) -> bool:
        return any(name in group for group in self.groups)

    @cached_property
    def families(self) -> Mapping[Expression, tuple[Columns, str]]:
        """By the expression of a line that multiplies one of them, or sums it over the samples: the neighbours with which there are lines
        like it, and which one it is about."""
        alike: dict[Expression, list[tuple[str, Expression]]] = {}
        for line in self.program.lines:
            match line.equation.expression:
                case Binary("@", _, Name(name=name, step=0)) | Sum(operand=Name(name=name, step=0)) if name in self:
                    pattern = substitute(line.equation.expression, {Name(name): _ANY})
                    alike.setdefault(pattern, []).append((name, line.equation.expression))
                case _:
                    pass
        return {
            expression: (columns, name)
            for lines in alike.values()
            if (columns := self.together([name for name, _ in lines])) is not None
            for name, expression in lines
        }


def side_by_side(values: Mapping[str, Array], of: tuple[str, ...], *, copied: bool) -> Array:
    """Neighbours, among `values` by name, as one array: a view of them.

    Where they do not lie side by side (they were read from a file) it is a copy if `copied` allows that, else a ValueError.
    """
    arrays = [values[name] for name in of]
    first, width, size = arrays[0], 0, arrays[0].itemsize
    together = True
    for array in arrays:
        place = first.ctypes.data + width * size
        together = together and array.ctypes.data == place and array.strides == first.strides
        width += array.shape[-1]
    if together and first.strides[-2:] >= (width * size, size):
        return np.lib.stride_tricks.as_strided(first, (*first.shape[:-1], width), first.strides)
    if not copied:
        raise ValueError(f"{', '.join(of)} do not lie side by side")
    return np.concatenate(arrays, axis=-1)
