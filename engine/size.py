"""Sizes of memory as people write them: 500M, 2G. Powers of 1024, as the system counts pages."""

from __future__ import annotations

import re

_UNITS = "KMGT"
_WRITTEN = rf"(\d+(?:\.\d+)?)\s*(?:([{_UNITS}])(?:i?B)?)?"


class Size(int):
    """A number of bytes, 1 or more, that prints as it would be written."""

    @classmethod
    def parse(cls, text: str) -> Size:
        """The size that is written; ValueError when it is none."""
        match = re.fullmatch(_WRITTEN, text.strip(), re.IGNORECASE)
        if match is None:
            raise ValueError(text)
        number, unit = match.groups()
        if len(text) > 40:
            raise ValueError(text)
        size = round(float(number) * 1024 ** (1 + _UNITS.index(unit.upper()) if unit else 0))
        if not 0 < size < 1 << 63:
            raise ValueError(text)
        return cls(size)

    def __str__(self) -> str:
        for power in range(len(_UNITS), 0, -1):
            if self >= 1024**power:
                return f"{self / 1024**power:.3g}{_UNITS[power - 1]}"
        return f"{int(self)} bytes"
