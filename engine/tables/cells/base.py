"""What a cell is: a table of equations and the names of its parts. Nothing else in the project knows any cell by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from engine.language.functions import PROJECTED, UNITS, Axes, axis_kind

Start: TypeAlias = float | tuple[float, float] | Literal["identity"]
"""How a parameter starts that is not drawn: one number, numbers evenly spread over the units from one to another, the identity."""


@dataclass(frozen=True, eq=False)
class Cell:
    """A recurrent cell.

    `equations` are the lines of one time step in the order they run; `{activation}` in them is filled with the network's activation.
    They read the input `x` (B, D), parameters, quantities of the same step and states of the step before (`a_prev`).
    `states` are carried to the next step, `output` is the one the read-out reads. `parameters` maps each parameter to its axes,
    in the order in which initial weights are drawn, but for those that have a `start`. `source` says what the cell is and where it is from.

    `widths` names the axis of a state that is not one of units, H: of what a projection hands on, P.

    `names` says by notation what others call these quantities and parameters; what is not in it keeps its name.

    `initial` names, of states whose initial value is learned, the parameter that is it.

    `torch` says where PyTorch keeps them: for `weight_ih`, `weight_hh`, `bias_ih` and `bias_hh` (and `weight_hr`, a projection) the
    parameters in the order in which that array stacks them, H rows each. A parameter that several arrays hold is their sum; a parameter of
    weights has one array.
    """

    name: str
    equations: tuple[str, ...]
    parameters: Mapping[str, Axes]
    states: tuple[str, ...]
    output: str
    has_activation: bool = False
    meanings: Mapping[str, str] = field(default_factory=dict[str, str])
    names: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]])
    torch: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    start: Mapping[str, Start] = field(default_factory=dict[str, Start])
    initial: Mapping[str, str] = field(default_factory=dict[str, str])
    widths: Mapping[str, str] = field(default_factory=dict[str, str])
    source: str = ""

    @property
    def state_axes(self) -> dict[str, Axes]:
        """The axes of every state at one step."""
        return {state: ("B", self.widths.get(state, UNITS)) for state in self.states}

    @property
    def has_projection(self) -> bool:
        """Whether it has a size of its own beside D and H: P."""
        return PROJECTED in map(axis_kind, self.widths.values())
