"""A notation applied to one program: from the engine's names to the notation's, and back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from itertools import chain, count

from engine.language.derive import NEXT, OUT, gradient
from engine.model.program import Program
from engine.notation.layout import Layout
from engine.notation.tables import NG, Notation
from engine.tables.cells import Cell
from engine.tables.optimizers import PARAMETER, prefixes


class Spelling:
    """The names of a notation for the quantities of a program (none: the engine's own).

    The cell's names go before those of the read-out: where a source uses one letter for both, the read-out keeps the
    engine's. `reserved` names are not given to anything.
    """

    def __init__(
        self,
        notation: Notation = NG,
        cell: Cell | None = None,
        program: Program | None = None,
        reserved: frozenset[str] = frozenset(),
    ) -> None:
        self.notation = notation
        cell_names = cell.names.get(notation.name, dict[str, str]()) if cell is not None else dict[str, str]()
        self._given: Mapping[str, str] = {**notation.names, **cell_names}
        self._all = _names(program)
        self._states = _states(program)
        self._prefixes = ("", gradient(""), *prefixes())
        primal = primal_names(program) if program is not None else ()
        mine = [name for name in primal if name not in notation.names or name in cell_names]
        rest = [name for name in primal if name not in mine]
        self._names = _distinct([*mine, *rest], self._given, reserved)
        self._names[PARAMETER] = notation.parameter
        self._shown: dict[str, str] = {}

    @classmethod
    def beside(
        cls, meanings: Mapping[str, frozenset[str]], notation: Notation, cell: Cell | None, program: Program
    ) -> Spelling:
        """The names beside a program of somebody's, where each of its names stands for those quantities: what is called there like another
        quantity here, or its gradient like that one's, keeps the engine's name."""
        reserved: frozenset[str] = frozenset()
        while True:
            spelling = cls(notation, cell, program, reserved)
            other = {spelling.name(one) for one in primal_names(program) if spelling._means_another(one, meanings)}
            if other <= reserved:
                return spelling
            reserved |= other

    def _means_another(self, quantity: str, meanings: Mapping[str, frozenset[str]]) -> bool:
        named = [(one, meanings.get(self.name(one))) for one in (quantity, gradient(quantity))]
        return any(meant and one not in meant for one, meant in named)

    @property
    def layout(self) -> Layout:
        """The layout of the arrays."""
        return self.notation.layout

    def name(self, name: str) -> str:
        """What the notation calls a quantity, a parameter, a gradient or a flow."""
        if name not in self._shown:
            self._shown[name] = self._spelt(name)
        return self._shown[name]

    def _spelt(self, name: str) -> str:
        if name in self._names:
            return self._names[name]
        if name in self._given:
            return self._given[name]
        prefix, base, suffix = self._taken_apart(name)
        if not prefix and not suffix:
            return name
        shown = self._given.get(gradient(base)) if prefix == "d" else None
        if shown is None:
            shown = (self.notation.gradient if prefix == "d" else prefix) + self._names[base]
        return shown + suffix

    def kept(self, name: str) -> str:
        """A program's name for the array that keeps a quantity over time."""
        shown = self.name(name)
        return self.notation.kept.get(shown, shown)

    def in_engine_names(self, text: str) -> str:
        """A text typed with the notation's names, rewritten with the engine's; other words stay as they are.

        A row may be written as it stands in an equation: `da_3` is da@3.
        """
        rows = re.sub(r"([^\W\d]\w*?)_(\d+)(?!\w)", self._row, text)
        return re.sub(r"[^\W\d]\w*", lambda word: self._back.get(word[0], word[0]), rows)

    def in_its_names(self, text: str) -> str:
        """The reverse: a text in the engine's names, rewritten with the notation's."""
        known = {*self._back.values()}
        return re.sub(r"[^\W\d]\w*", lambda word: self.name(word[0]) if word[0] in known else word[0], text)

    def _row(self, word: re.Match[str]) -> str:
        return f"{word[1]}@{word[2]}" if word[1] in self._back and word[0] not in self._back else word[0]

    @cached_property
    def _back(self) -> dict[str, str]:
        return {self.name(name): name for name in (*self._flows, *self._all)}

    @property
    def _flows(self) -> Iterable[str]:
        """The two flows into each state's gradient, also where no line writes them."""
        states = (name for name in self._all if name.startswith(gradient("")) and name[1:] in self._states)
        return [name + flow for name in states for flow in (OUT, NEXT)]

    def _taken_apart(self, name: str) -> tuple[str, str, str]:
        """Prefix, the quantity it is about, suffix: ("d", "a", "_next")."""
        for prefix in self._prefixes:
            rest = name.removeprefix(prefix)
            for base in (rest, *(rest[: at.start()] for at in re.finditer("_", rest))):
                if base in self._names and name.startswith(prefix):
                    return prefix, base, rest[len(base) :]
        return "", name, ""


def primal_names(program: Program) -> tuple[str, ...]:
    """What the forward pass reads and writes, and the parameters: everything that has a gradient."""
    later = {line.name for line in program.lines if line.phase in ("backward", "update")}
    return (*(name for name in program.quantities if name not in later), *program.parameters)


def _names(program: Program | None) -> Iterable[str]:
    return () if program is None else (*program.quantities, *program.parameters, *program.updates)


def _states(program: Program | None) -> frozenset[str]:
    if program is None:
        return frozenset()
    return frozenset(name for name, quantity in program.quantities.items() if quantity.rows == "T+1")


def _distinct(names: Iterable[str], given: Mapping[str, str], reserved: frozenset[str]) -> dict[str, str]:
    """A name for each, no two alike: the given one, else the engine's, else that followed by underscores."""
    result: dict[str, str] = {}
    for name in names:
        choices = chain((given.get(name, name), name), (name + "_" * further for further in count(1)))
        result[name] = next(choice for choice in choices if choice not in {*result.values(), *reserved})
    return result
