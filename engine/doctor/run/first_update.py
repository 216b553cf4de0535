"""Notices when a recorded program has weights, and when it first updates them: recording may stop then, for training repeats itself."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from engine.doctor.read.kinds import is_array
from engine.doctor.vocabulary import roles
from engine.language.functions import Array

_WEIGHTS = re.compile(r"^[wuvbr](?![a-z])|^[wu][a-z]{1,4}$|^b[a-z]?$|weight|bias|param|theta|kernel", re.I)
_GRADIENT = re.compile(r"^d[A-Z_]|^d[a-z]{1,2}$|^grad|^delta")
NEAR = 0.5
"""How far an updated array may be from what it was, relative to its size."""


class Updates:
    """Tells by names and values; all it decides is how much is recorded.

    `has_weights` says whether any array is called like weights yet, `has_update` whether one was changed.
    """

    def __init__(self) -> None:
        self.has_update = False
        self.has_weights = False
        self._begun = False
        self._before: dict[tuple[str, tuple[int, ...]], Array] = {}

    def first(self, target: str, kind: str, value: Any) -> bool:
        """Whether this value is the first that looks like an updated array of weights, after a gradient was computed."""
        if self.has_update or kind not in ("assign", "after") or not is_array(value) or value.dtype.kind != "f":
            return False
        name = target.partition("[")[0].rpartition(".")[2]
        if not self._begun:
            self._begun = _GRADIENT.search(name) is not None
        if _GRADIENT.search(name) or (roles.parameter(name) is None and _WEIGHTS.search(name) is None):
            return False
        self.has_weights = True
        before = self._before.setdefault((target, value.shape), value)
        if not self._begun or before is value:
            return False
        distance, size = float(np.linalg.norm(value - before)), float(np.linalg.norm(before))
        self.has_update = 0.0 < distance < NEAR * size
        return self.has_update
