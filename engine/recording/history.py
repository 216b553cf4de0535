"""The figures of all iterations that were run, as rows of one array: of a million iterations, objects would take most of the memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from engine.language.functions import Array
from engine.recording.measures import Measured

FIGURES = 3
"""Loss, accuracy and the gradient's norm stand at the beginning of a row, the flows of each output behind them."""


class History(Mapping[int, Measured]):
    """`Measured` by iteration, from 0 on without a gap. It only grows at its end; `until` is what it was, or is, and stays so."""

    def __init__(self, rows: Array | None = None, outputs: tuple[str, ...] = ()) -> None:
        self._rows: Array = np.empty((0, FIGURES)) if rows is None else rows
        self._count, self._outputs = len(self._rows), outputs

    def append(self, measured: Measured) -> None:
        """Puts the figures of the next iteration behind those that are there."""
        accuracy = np.nan if measured.accuracy is None else measured.accuracy
        row = np.concatenate([[measured.loss, accuracy, measured.gradient_norm], *measured.flows.values()])
        if self._count == len(self._rows):  # in a new array: what was handed out keeps the old one
            more = np.empty((max(8, 2 * self._count), len(row)))
            more[: self._count] = self._rows[: self._count] if self._count else 0
            self._rows, self._outputs = more, tuple(measured.flows)
        self._rows[self._count] = row
        self._count += 1

    def until(self, count: int) -> History:
        """That of the first `count` iterations, or of all where they are fewer; it shares their numbers."""
        return History(self._rows[: min(count, self._count)], self._outputs)

    @property
    def losses(self) -> Array:
        """(iterations,)."""
        return self._rows[: self._count, 0]

    @property
    def accuracies(self) -> Array:
        """(iterations,); NaN where targets are numbers."""
        return self._rows[: self._count, 1]

    @property
    def gradient_norms(self) -> Array:
        """(iterations,)."""
        return self._rows[: self._count, 2]

    def flows(self, output: str) -> Array:
        """(iterations, steps), see `Measured.flows`."""
        columns = (self._rows.shape[1] - FIGURES) // len(self._outputs)
        first = FIGURES + columns * self._outputs.index(output)
        return self._rows[: self._count, first : first + columns]

    def __getitem__(self, iteration: int) -> Measured:
        if iteration not in self:
            raise KeyError(iteration)
        loss, accuracy, norm = map(float, self._rows[iteration, :FIGURES])
        flows = np.split(self._rows[iteration, FIGURES:], len(self._outputs))
        return Measured(
            loss, None if np.isnan(accuracy) else accuracy, norm, dict(zip(self._outputs, flows, strict=True))
        )

    def __contains__(self, iteration: object) -> bool:
        return isinstance(iteration, int | np.integer) and bool(0 <= iteration < self._count)

    def __iter__(self) -> Iterator[int]:
        return iter(range(self._count))

    def __len__(self) -> int:
        return self._count
