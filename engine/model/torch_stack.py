"""Several recurrent modules of torch's as one: each reads all that the one before it hands on, which is seen as the model runs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, cast

import numpy as np

from engine.language.functions import Array
from engine.model.pytorch import as_array, width_of
from engine.model.torch_run import Run

_ALIKE = ("mode", "bidirectional", "batch_first", "proj_size")
"""The attributes in which the layers of one network do not differ."""
_NUMBERED = re.compile(r"(.*_l)(\d+)((?:_reverse)?)")


@dataclass(frozen=True, eq=False)
class Stack:
    """Recurrent modules, the first one below, with the attributes and the arrays that one module of all their layers would have."""

    modules: tuple[Any, ...]
    dropout: ClassVar[float] = 0.0  # between its modules another one drops

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


def layers_of(recurrent: Any) -> tuple[Any, ...]:
    """The modules of a stack, or the one module."""
    modules = getattr(recurrent, "modules", None)  # of a module itself a method of that name
    return cast("tuple[Any, ...]", modules) if isinstance(modules, tuple) else (recurrent,)


def one_above_another(modules: Sequence[Any]) -> Stack | None:
    """The modules as one, in their order, where their attributes allow it; None where they do not, and where one drops something between
    layers of its own."""
    alike = all(getattr(each, name, None) == getattr(modules[0], name, None) for each in modules for name in _ALIKE)
    fitting = all(above.input_size == width_of(below) * (1 + below.bidirectional) for below, above in pairwise(modules))
    dropping = any(module.num_layers > 1 and module.dropout for module in modules)
    return Stack(tuple(modules)) if alike and fitting and not dropping else None


def kept_between(handed: Any, given: Any) -> Array | None:
    """What an output (B, T, H), or packed, was multiplied with before the next module was given it: ones, or a mask of dropout, 0 or
    1/(1 − P); None where that is not what became of it."""
    if hasattr(handed, "batch_sizes") != hasattr(given, "batch_sizes"):
        return None
    before, after = (as_array(getattr(each, "data", each)) for each in (handed, given))
    if before.shape != after.shape:
        return None
    with np.errstate(all="ignore"):
        factors = np.where(before == 0, 1, after / before)
        scale = float(np.max(factors, initial=1))
        mask = np.where(before == 0, scale, np.where(after == 0, 0, scale)).astype(before.dtype)
        exact = bool(np.all(np.abs(before * mask - after) <= 1e-5 * np.abs(after)))
    rectified = bool((before < 0).any() and not (after < 0).any())  # dropout would leave some of them
    return mask if exact and not rectified and (scale > 1 or mask.all()) else None


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
