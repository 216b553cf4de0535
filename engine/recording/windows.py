"""Truncation by a window where each step has a loss: what is cut off, which belongs to a loss and not to a step.

The loss of step s goes back to step s − K in the forward direction of every layer, and on to step s + K in the reverse one. What is cut
off is what that loss alone would send one step further. The backward pass is linear in the gradients that come from the losses, so the
losses of a block of steps are carried together, each by one step at a time: all of them are at the same distance s − t from their own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

from engine.language.derive import CUT, FULL, NEXT, gradient
from engine.language.functions import Array
from engine.model.program import Program
from engine.recording.compiled import Carrier
from engine.tables.given import MASK
from engine.tables.heads import LOGITS

Rows: TypeAlias = Callable[[int, int], Mapping[str, Array]]
"""What the backward pass reads of the steps of some rows [low, high): of quantities in time these rows, and of states one more."""
Zeros: TypeAlias = Callable[[Iterable[str], int], dict[str, Array]]
"""So many rows of quantities, and of a state one more."""


def carry_losses(
    program: Program,
    carriers: Sequence[Carrier],
    spans: Sequence[tuple[int, int]],
    window: int,
    rows: Rows,
    zeros: Zeros,
    cuts: Mapping[str, Array],
) -> None:
    """Writes into `cuts` what each flow would receive from the loss just beyond the window, for the losses of each of the `spans`."""
    for cut in cuts.values():
        cut[...] = 0
    reach = min(window, program.steps + 1)  # from beyond all steps nothing arrives, however long the window is
    for low, high in spans:
        _Losses(program, carriers, low, high, rows, zeros).carry(reach, cuts)


class _Losses:
    """The losses of rows [low, high), on their way through the carriers, one after the other; what a later one reads is kept by its
    distance. At a distance the losses are at the rows [low − distance, high − distance), as far as there are such."""

    def __init__(
        self, program: Program, carriers: Sequence[Carrier], low: int, high: int, rows: Rows, zeros: Zeros
    ) -> None:
        self._program, self._carriers, self._rows, self._zeros = program, carriers, rows, zeros
        self._low, self._high = low, high
        self._kept: defaultdict[int, dict[str, Array]] = defaultdict(dict)

    def carry(self, reach: int, cuts: Mapping[str, Array]) -> None:
        """Carries them as far as they reach, and writes what they would send further."""
        for number, carrier in enumerate(self._carriers):
            earlier, later = self._carriers[:number], self._carriers[number + 1 :]
            arriving = {name for one in earlier for name in one.written} & carrier.reads
            read_later = {name for one in later for name in one.reads}
            alone = self._zeros(carrier.written | arriving, self._high - self._low)
            begun = [0, *(distance for distance, names in self._kept.items() if arriving & {*names})]
            distances = range(max(begun), -reach - 1, -1) if carrier.up else range(min(begun), reach + 1)
            for distance in distances:
                for name in arriving:
                    alone[name][...] = self._kept[distance].get(name, 0)
                self._run(carrier, alone, distance)
                self._kept[distance] |= {n: alone[n].copy() for n in carrier.written & read_later if alone[n].any()}
                if distance != distances[-1]:
                    _hand_on(carrier, alone)
            self._cut_off(carrier, alone, distances[-1], cuts)

    def _at(self, distance: int) -> tuple[int, int]:
        """The rows of the steps where they are."""
        return max(0, self._low - distance), min(self._program.steps, self._high - distance)

    def _run(self, carrier: Carrier, alone: dict[str, Array], distance: int) -> None:
        first, last = self._at(distance)
        if first >= last:
            return
        base, states = self._low - distance, {n for n in alone if self._program.quantities[n].rows == "T+1"}
        own = {name: array[first - base : last - base + (name in states)] for name, array in alone.items()}
        (carrier.onward if distance else carrier.first)({**self._rows(first, last), **own}, 0, last - first)
        if (of_losses := gradient(LOGITS)) in alone:
            alone[of_losses][...] = 0  # they have come in

    def _cut_off(self, carrier: Carrier, alone: Mapping[str, Array], distance: int, cuts: Mapping[str, Array]) -> None:
        first, last = self._at(distance)
        base = self._low - distance
        for name, cut in cuts.items():
            if (full := name.removesuffix(CUT) + FULL) in carrier.handed_on and first < last:
                sent = alone[full][first - base + carrier.up : last - base + carrier.up]
                rows = self._rows(first, last)
                if carrier.up and MASK in rows:
                    # Padded steps, which the reverse direction runs first, hand everything on.
                    sent = sent * rows[MASK][..., None]
                cut[first + carrier.up : last + carrier.up] = sent


def _hand_on(carrier: Carrier, alone: Mapping[str, Array]) -> None:
    """What a step sends arrives at the next one, whose rows are one further."""
    for full in (name for name in carrier.handed_on if name.endswith(FULL)):
        base = full.removesuffix(FULL)
        arrives = alone[base + NEXT] if base + NEXT in alone else alone[base]
        if carrier.up:
            arrives[:-1] = alone[full][1:]
        else:
            arrives[1:] = alone[full][:-1]
