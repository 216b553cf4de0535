"""What a run may use, and how its user says otherwise."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from engine.errors import InputError
from engine.text import clean

_UNITS = {"": 1.0, "s": 1.0, "min": 60.0, "h": 3600.0}
_SIZES = {"MB": 1 << 20, "GB": 1 << 30}
_LEAST, _MOST = 16 << 20, 1 << 44
"""Bytes of memory that can be meant."""


@dataclass(frozen=True)
class Limits:
    """What a run may use: seconds of computing, bytes of memory; and seconds for which it may wait without computing."""

    seconds: float = 60.0
    memory: int = 4 << 30
    waiting: float = 60.0

    @property
    def grace(self) -> float:
        """Seconds after its limit in which a program may still be stopped in its own words, and its record be written."""
        return 1.0 + self.seconds / 10

    def words(self) -> dict[str, float]:
        """As sentences name them."""
        return {"seconds": self.seconds, "gigabytes": self.memory / (1 << 30), "waiting": self.waiting}


def limits(text: str) -> Limits:
    """The limits that `--limit` gives: seconds of computing, memory, or both, as in `120`, `8GB` or `5min,8GB`. Raises InputError."""
    result = Limits()
    for part in text.split(","):
        found = re.fullmatch(r"\s*(\d{1,9}(?:\.\d{1,3})?)\s*(s|min|h|MB|GB|)\s*", part)
        value, unit = (float(found[1]), found[2]) if found else (0.0, "")
        if unit in _SIZES and _LEAST <= value * _SIZES[unit] <= _MOST:
            result = replace(result, memory=int(value * _SIZES[unit]))
        elif unit in _UNITS and value > 0:
            result = replace(result, seconds=value * _UNITS[unit])
        else:
            raise InputError(
                f"--limit {clean(text, 40)}: give seconds of computing, memory or both, as 120, 8GB or 5min,8GB"
            )
    return result
