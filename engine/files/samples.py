"""Samples as arrays: what every data file is read into, whatever its format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError
from engine.files.cells import TableKind
from engine.files.series import Series
from engine.tables.heads import HEADS, Head

Array = NDArray[Any]

_DIVISORS_SHOWN = 12


@dataclass(frozen=True)
class Wanted:
    """What was asked for when reading: options by their command-line names; None leaves it to the file."""

    timesteps: int | None = None
    predict: str | None = None
    loss: str | None = None
    allow_nan: bool = False
    series: bool = False  # rows are time steps, not samples
    window: int | None = None
    ahead: int | None = None
    target: str | None = None
    drop: tuple[str, ...] = ()
    stateful: bool = False  # samples follow each other

    @property
    def head(self) -> Head | None:
        """The head of the loss that was asked for."""
        return HEADS[self.loss] if self.loss else None


@dataclass(frozen=True)
class TableLayout:
    """What is needed to read the file again in a few lines of NumPy."""

    kind: TableKind
    header: bool
    skip: int  # lines before the first row of data, the header and blank lines included
    target: int  # its column, counted from 0; the first of `targets`
    targets: tuple[int, ...]  # one column, or y1..yT
    features: tuple[int, ...]
    numeric_target: bool
    delimiter: str
    commas: bool  # numbers have a decimal comma


@dataclass(frozen=True, eq=False)
class Samples:
    """X (N, T, D) with its targets, one a sample (`predict` last) or one a step (every), and what else the file may give."""

    X: Array
    y: Array
    classes: tuple[str, ...]
    predict: str
    lengths: Array | None = None
    initial: Mapping[str, Array] = field(default_factory=dict[str, Array])
    layout: TableLayout | None = None
    series: Series | None = None
    said: tuple[str, ...] = ()  # what was decided without being asked


def within(lengths: Array | None, N: int, T: int) -> Array:
    """(N, T) booleans: whether a step is within its sample."""
    return np.ones((N, T), dtype=bool) if lengths is None else np.arange(T) < lengths[:, None]


def time_steps(file: str, columns: int, timesteps: int) -> int:
    """D, the values of one step, when `columns` values are folded into `timesteps` steps."""
    if columns % timesteps == 0:
        return columns // timesteps
    fitting = [count for count in range(1, columns + 1) if columns % count == 0]
    fitting = sorted(sorted(fitting, key=lambda count: abs(count - timesteps))[:_DIVISORS_SHOWN])
    *most, last = (str(count) for count in fitting)
    choices = f"{', '.join(most)} or {last}" if most else last
    unit = "time step" if fitting == [1] else "time steps"
    raise InputError(
        f"{file}: its {columns} columns of values do not fold into {timesteps} time steps; "
        f"--timesteps can be set for {columns} columns: {choices} {unit}; where each row is a time step, --series --window {timesteps}"
    )
