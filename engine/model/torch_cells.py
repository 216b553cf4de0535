"""A torch.nn.RNNCell, LSTMCell or GRUCell that the user's own loop calls once a step, as the layer that it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, ClassVar, cast

import numpy as np

from engine.language.functions import Array
from engine.model.pytorch import as_array
from engine.model.torch_run import ModuleCall, Run


@dataclass(frozen=True, eq=False)
class SteppedCell:
    """A cell with the attributes and the arrays of the module of one layer that computes the same."""

    cell: Any
    num_layers: ClassVar[int] = 1
    bidirectional: ClassVar[bool] = False
    batch_first: ClassVar[bool] = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self.cell, name)

    @property
    def mode(self) -> str:
        """What torch's modules call their equations."""
        gates = int(self.cell.weight_hh.shape[0]) // int(self.cell.hidden_size)
        return {4: "LSTM", 3: "GRU"}.get(gates, f"RNN_{getattr(self.cell, 'nonlinearity', 'tanh').upper()}")

    def state_dict(self) -> dict[str, Any]:
        """Its arrays, as those of layer 0."""
        return {f"{name}_l0": value for name, value in self.cell.state_dict().items()}


def as_layers(run: Run, cells: Sequence[Any]) -> tuple[dict[int, SteppedCell], Run]:
    """The cells that ran, where each went through the steps of one sequence, by their places among `cells`, and the run in which each was
    called once, with all steps."""
    layers: dict[int, SteppedCell] = {}
    calls = list(run.calls)
    for place, cell in enumerate(cells):
        own = [call for call in calls if call.module is cell]
        if own and not _is_chain(own):
            return {}, run
        if own:
            layers[place] = SteppedCell(cell)
            at = next(number for number, call in enumerate(calls) if call.module is cell)
            calls = [call for call in calls[:at] if call.module is not cell] + [
                _together(layers[place], own),
                *(call for call in calls[at:] if call.module is not cell),
            ]
    return layers, replace(run, calls=calls)


def _is_chain(calls: Sequence[ModuleCall]) -> bool:
    """Whether each call was given the state that the one before made, and rows of samples."""
    states = [(_arrays(call.state), _arrays(call.made)) for call in calls]
    handed = all(
        len(made) == len(given) and all(map(np.array_equal, made, given)) for (_, made), (given, _) in pairwise(states)
    )
    return handed and all(as_array(call.given).ndim == 2 for call in calls)


def _together(layer: SteppedCell, calls: Sequence[ModuleCall]) -> ModuleCall:
    """All steps as one call: what was given (B, T, D), and the outputs (B, T, H)."""
    given = np.stack([as_array(call.given) for call in calls], axis=1)
    outputs = np.stack([_arrays(call.made)[0] for call in calls], axis=1)
    return ModuleCall(layer, given, calls[0].state, (outputs, calls[-1].made))


def _arrays(state: Any) -> list[Array]:
    """A state, of the LSTM two, as arrays; none where none was given."""
    parts = cast("tuple[Any, ...]", state) if isinstance(state, tuple) else (state,)
    return [as_array(part) for part in parts if part is not None]
