"""Quantities whose arrays lie side by side in memory, as columns of one: a product of matrices takes all of them at once.

A gated cell sends its gates' gradients back through a matrix each, dh = dzi @ Whi.T + dzf @ Whf.T + …: side by side they are one matrix
(dzi | dzf | …), which goes through the matrices stacked, and what the gates' weights get, x.T @ dzi, are columns of x.T @ (dzi | dzf | …).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.lib.stride_tricks import as_strided

from engine.language.expression import Binary, Expression, Name, Sum, Transpose, addends, substitute
from engine.language.functions import Array
from engine.model.blocks import Line
from engine.model.program import Program
from engine.recording.schedule import carried

_ANY = Name("any of them")


Group: TypeAlias = tuple[str, ...]
"""Quantities that lie side by side, in this order."""


@dataclass(frozen=True, eq=False)
class Beside:
    """What lies side by side in the recordings of a program; nothing where a step has few numbers (`large` is False): there rows with
    others between them cost more than calls that are saved."""

    program: Program
    large: bool

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """What a line that hands something to the next step of a backward loop multiplies by transposed matrices and adds up, where other
        lines take all of it or nothing: rows with others between them cost more, of which one product of all has to make up."""
        groups: list[Group] = []
        for block in self.program.looped("backward") if self.large else ():
            handed_on = carried(block)
            taken = {line.name: self._multiplied(line) for line in block.lines}
            for name, group in taken.items():
                apart = all({*other} in ({*group}, {*other} - {*group}) for other in taken.values())
                if name in handed_on and len(group) > 1 and apart and self.together(group, groups) is None:
                    groups.append(group)
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

    def together(self, wanted: Iterable[str], groups: Iterable[Group] | None = None) -> Group | None:
        """The group of just these quantities, or None."""
        wanted = {*wanted}
        return next((group for group in (self.groups if groups is None else groups) if {*group} == wanted), None)

    @cached_property
    def group_of(self) -> Mapping[str, Group]:
        """The group by each of its quantities."""
        return {name: group for group in self.groups for name in group}

    def __contains__(self, name: str) -> bool:
        return name in self.group_of

    @cached_property
    def families(self) -> Mapping[Expression, tuple[Group, str]]:
        """By the expression of a line that multiplies one of a group, or sums it over the samples, as there is one for each: the group, and
        which one it is about."""
        alike: dict[Expression, list[tuple[str, Expression]]] = {}
        for line in self.program.lines:
            match line.equation.expression:
                case Binary("@", _, Name(name=name, step=0)) | Sum(operand=Name(name=name, step=0)) if name in self:
                    alike.setdefault(_of_any(line.equation.expression, name), []).append(
                        (name, line.equation.expression)
                    )
                case _:
                    pass
        return {
            expression: (group, name)
            for lines in alike.values()
            if (group := self.together(name for name, _ in lines)) is not None
            for name, expression in lines
        }

    def shared(self, expression: Expression) -> Expression:
        """What is the same for all expressions that are computed together, and for no other."""
        return _of_any(expression, self.families[expression][1]) if expression in self.families else expression


def _of_any(expression: Expression, name: str) -> Expression:
    return substitute(expression, {Name(name): _ANY})


def side_by_side(values: Mapping[str, Array], group: Group, *, copied: bool) -> Array:
    """A group, among `values` by name, as one array: a view of them.

    Where they do not lie side by side (they were read from a file) it is a copy if `copied` allows that, else a ValueError.
    """
    first = values[group[0]]
    place, width, size = _address(first), 0, first.itemsize
    for name in group:
        array = values[name]
        if array.strides != first.strides or _address(array) != place + width * size:
            break
        width += array.shape[-1]
    else:
        if first.strides[-2:] >= (width * size, size):
            return as_strided(first, (*first.shape[:-1], width), first.strides)
    if not copied:
        raise ValueError(f"{', '.join(group)} do not lie side by side")
    return np.concatenate([values[name] for name in group], axis=-1)


def _address(array: Array) -> int:
    return array.__array_interface__["data"][0]
