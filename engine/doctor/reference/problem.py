"""A network with its weights and data: what a user's program, or a file of arrays, is held beside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from engine.language.functions import Array
from engine.model.network import Network
from engine.recording.record import record
from engine.recording.tape import Tape


@dataclass(frozen=True, eq=False)
class Problem:
    """A network with its weights, and data for it, in our own names and rows.

    X is (B, T, D) float64; y whole numbers (B,), with predict "every" (B, T), and for the squared loss numbers with an axis of outputs
    more; `initial` gives initial states (B, H) by name, none of them meaning zeros; `lengths` (B,) how many steps count, or None.
    """

    network: Network
    X: Array
    y: Array
    initial: Mapping[str, Array] = field(default_factory=dict[str, Array])
    lengths: Array | None = None

    @cached_property
    def tape(self) -> Tape:
        """The reference: everything one iteration computes."""
        return record(self.network, self.X, self.y, initial=self.initial, lengths=self.lengths)

    @property
    def parameters(self) -> Mapping[str, Array]:
        """The weights by our names."""
        return self.network.weights


def kind_of(problem: Problem) -> str:
    """The network in words: a simple RNN, or which cell."""
    cell = problem.network.table
    return "a simple RNN" if cell.has_activation else f"the cell {cell.name}"
