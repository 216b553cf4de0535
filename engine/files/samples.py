"""What every data file comes down to, whatever its format: samples as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from engine.errors import InputError

if TYPE_CHECKING:
    from engine.files.samples_csv import CsvLayout

Array = NDArray[Any]

_DIVISORS_SHOWN = 12


@dataclass(frozen=True, eq=False)
class Samples:
    """X (N, T, D) with its targets, and what else the file may give."""

    X: Array
    y: Array
    classes: tuple[str, ...]
    lengths: Array | None = None
    initial_state: Array | None = None
    initial_cell: Array | None = None
    layout: CsvLayout | None = None


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
        f"--timesteps can be set for {columns} columns: {choices} {unit}"
    )
