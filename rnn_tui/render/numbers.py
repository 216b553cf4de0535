"""Numbers as people read them.

Promises: one minus sign (U+2212) everywhere, no "-0", no non-zero number that looks like zero. A positive number has
nothing in front and a negative one the same digits after its minus, so right-justified columns align.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike

MINUS = "−"
_SMALLEST_FIXED = -4
_LEAST_POWER = -323
"""The least power of ten that is a number."""
_UNITS = ("kB", "MB", "GB", "TB", "PB")


def number(value: float, width: int = 9, digits: int = 4, *, trim: bool = False) -> str:
    """`value` with about `digits` significant digits in at most `width` (>= 7) columns, not padded.

    One column is kept for the sign. Exact zero is '0', whole numbers that fit have no decimals, what would need too
    many zeros is scientific ('3.100e−5'). `trim` drops trailing zeros behind the point ('0.06' for '0.06000').
    """
    return _written(float(value), width, digits, trim)


@lru_cache(maxsize=4096)  # most of the numbers on a screen stood there before
def _written(value: float, width: int, digits: int, trim: bool) -> str:
    if not math.isfinite(value) or value == 0.0:
        return _word(value)
    text = _magnitude(abs(value), max(width - 1, 1), digits)
    if trim:
        text = _trimmed(text)
    return (MINUS if value < 0 else "") + text.replace("-", MINUS)


def signed(value: float, width: int = 9, digits: int = 4, *, trim: bool = False) -> str:
    """Like `number`, with '+' in front of what is positive."""
    return ("+" if value > 0 else "") + number(value, width, digits, trim=trim)


def tens_of(values: ArrayLike, digits: int) -> int:
    """The power of ten by which numbers are divided so that the largest has this many digits before the point; 0 where all are whole
    numbers of so many digits already, or nothing is finite but 0."""
    sizes = np.abs(np.asarray(values, np.float64))
    sizes = sizes[np.isfinite(sizes)]
    largest = float(sizes.max(initial=0.0))
    if largest < 10**digits and np.array_equal(sizes, np.round(sizes)):
        return 0
    exponent = int(f"{largest:.{digits - 1}e}".rpartition("e")[2])  # as it is rounded: 999.6 is 1000
    return max(exponent - digits + 1, _LEAST_POWER)


def divided(value: float, tens: int) -> str:
    """`value` / 10**`tens` as a whole number: '−377'; '≈0' of what is not zero, but rounds to it."""
    if not math.isfinite(value) or value == 0.0:
        return _word(value)
    whole = f"{abs(value) / 10.0**tens:.0f}"
    return "≈0" if whole == "0" else (MINUS if value < 0 else "") + whole


def exact(value: float, dtype: DTypeLike = np.float64) -> str:
    """The shortest text that reads back as the same number of `dtype`; only the sign of a zero is lost ('0.0')."""
    scalar = np.asarray(value, dtype=dtype)[()]
    plain = float(scalar)
    if not math.isfinite(plain):
        return _word(plain)
    if plain == 0.0:
        return "0.0"
    return str(scalar).replace("-", MINUS)


def shape(dims: tuple[int, ...]) -> str:
    """'10×8' for (10, 8); a scalar is '1'."""
    return "×".join(str(size) for size in dims) or "1"


def size(count: float) -> str:
    """A number of bytes: '512 B', '1.5 kB', '45 MB' (1 kB is 1000 B)."""
    if count < 999.5:
        return f"{count:.0f} B"
    power = 1
    # 999.5 kB would print as 1000 kB.
    while count >= 999.5 * 1000**power and power < len(_UNITS):
        power += 1
    amount = count / 1000**power
    text = f"{amount:.1f}".removesuffix(".0") if amount < 9.95 else f"{amount:.0f}"
    return f"{text} {_UNITS[power - 1]}"


def matrix_text(values: ArrayLike, separator: str) -> str:
    """A matrix with numbers that read back as they are, a line a row."""
    return "".join(separator.join(map(repr, row)) + "\n" for row in np.atleast_2d(values).tolist())


def _word(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    return "0"


def _magnitude(value: float, room: int, digits: int) -> str:
    """A positive finite number in `room` columns: fixed if two significant digits fit, else scientific."""
    # The exponent after rounding to `digits`: 9.9996 counts as 10.00.
    exponent = int(f"{value:.{digits - 1}e}".rpartition("e")[2])
    whole = value.is_integer() and exponent < room
    decimals = 0 if whole else max(min(digits - 1 - exponent, room - 2 - max(exponent, 0)), 0)
    if whole or (_SMALLEST_FIXED <= exponent < room and exponent + 1 + decimals >= min(2, digits)):
        text = f"{value:.{decimals}f}"
        if len(text) <= room:
            return text
    return _scientific(value, room, digits)


def _scientific(value: float, room: int, digits: int) -> str:
    text = ""
    for decimals in range(digits - 1, -1, -1):
        mantissa, _, exponent = f"{value:.{decimals}e}".partition("e")
        text = f"{mantissa}e{int(exponent)}"
        if len(text) <= room:
            break
    return text


def _trimmed(text: str) -> str:
    mantissa, mark, exponent = text.partition("e")
    if "." in mantissa:
        mantissa = mantissa.rstrip("0").rstrip(".")
    return mantissa + mark + exponent
