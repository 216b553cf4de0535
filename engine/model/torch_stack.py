"""Several recurrent modules of torch's as one: each reads all that the one before it hands on, which is seen by running the model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast

import numpy as np

from engine.language.functions import Array
from engine.model.pytorch import as_array
from engine.model.torch_run import Run

_ALIKE = ("mode", "bidirectional", "batch_first", "proj_size")
"""The attributes in which the layers of one network do not differ."""
_NUMBERED = re.compile(r"(.*_l)(\d+)((?:_reverse)?)")


@dataclass(frozen=True, eq=False)
class Stack:
    """Recurrent modules, the first one below, with the attributes and the arrays that one module of all their layers would have."""

    modules: tuple[Any, ...]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.modules[-1], name)

    @property
    def input_size(self) -> int:
        """D."""
        return int(self.modules[0].input_size)

    @property
    def num_layers(self) -> int:
        """Of all of them."""
        return sum(int(module.num_layers) for module in self.modules)

    def state_dict(self) -> dict[str, Any]:
        """All their arrays, the layers numbered through."""
        arrays, below = dict[str, Any](), 0
        for module in self.modules:
            for name, value in module.state_dict().items():
                stem, layer, reverse = cast("re.Match[str]", _NUMBERED.fullmatch(name)).groups()
                arrays[f"{stem}{int(layer) + below}{reverse}"] = value
            below += int(module.num_layers)
        return arrays


def stacked(modules: Sequence[Any], run: Run) -> Stack | None:
    """The recurrent modules as one, in the order in which they ran; None where that is not what they are: each called once, with just what
    the one before handed on, and without an initial state but zeros."""
    calls = [call for call in run.calls if any(call.module is module for module in modules)]
    if len(calls) != len(modules) or any(not run.once(module) for module in modules):
        return None
    first = calls[0].module
    alike = all(getattr(call.module, name, None) == getattr(first, name, None) for call in calls for name in _ALIKE)
    joined = all(_same(below.made[0], above.given) for below, above in pairwise(calls))
    fresh = not any(state.any() for call in calls for state in _states(call.state))
    return Stack(tuple(call.module for call in calls)) if alike and joined and fresh else None


def _states(given: Any) -> list[Array]:
    """The initial states that a module was given."""
    if given is None:
        return []
    return [as_array(each) for each in (cast("tuple[Any, ...]", given) if isinstance(given, tuple) else (given,))]


def _same(handed: Any, given: Any) -> bool:
    """Whether two tensors, or PackedSequences, hold the same numbers."""
    packed = [hasattr(each, "batch_sizes") for each in (handed, given)]
    if any(packed):
        handed, given = (getattr(each, "data", each) for each in (handed, given))
    return len({*packed}) == 1 and np.array_equal(as_array(handed), as_array(given))
