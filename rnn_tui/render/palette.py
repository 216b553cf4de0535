"""Values to colour codes, and what the codes look like.

A code is a uint8: 0..62 are levels (31 a sign, `ZERO` between them), above them the special codes. Code `ZERO` means
exactly zero: the smallest non-zero number is one level off, so that a dead unit can be told from a weak one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

RGB = tuple[int, int, int]

GHOST: Final = 0.4
"""How strong colours are of what has not been computed yet."""
STEPS: Final = 31
"""Levels of one sign."""
LEVELS: Final = 2 * STEPS + 1
ZERO: Final = STEPS
NAN: Final = 63
PLUS_INF: Final = 64
MINUS_INF: Final = 65
OVER: Final = 66
"""Finite, above the scale."""
UNDER: Final = 67
"""Finite, below −scale."""
NOT_YET: Final = 68
"""Not computed yet."""
PAD: Final = 69
"""No cell here."""
ENDED: Final = 70
"""Padding: the sample ended before this step."""
COUNT: Final = 71
"""How many codes there are."""


def scale_of(*arrays: ArrayLike) -> float:
    """The scale that all arrays share: the largest finite magnitude, 1.0 when there is none above zero."""
    largest = 0.0
    for array in arrays:
        magnitudes = np.abs(np.asarray(array, dtype=np.float64))
        largest = max(largest, float(np.max(magnitudes, initial=0.0, where=np.isfinite(magnitudes))))
    return largest or 1.0


def signed_codes(values: ArrayLike, scale: float, log: bool = False, floor: float = 1e-6) -> NDArray[np.uint8]:
    """Codes of the same shape as `values`: linear on ±scale, or logarithmic between floor*scale and scale.

    What is below the floor and not zero has the first level of its sign.
    """
    if not (0.0 < scale < np.inf and 0.0 < floor < 1.0):
        raise ValueError(f"scale {scale} must be positive and finite, floor {floor} between 0 and 1")
    numbers = np.asarray(values, dtype=np.float64)
    with np.errstate(all="ignore"):
        ratio = np.abs(numbers) / scale
        position = 1.0 + (STEPS - 1) * (1.0 - np.log(ratio) / np.log(floor)) if log else STEPS * ratio
        # ceil: equal bins, and nothing but zero in bin 0. fmin/fmax turn NaN (0/0, log 0) into a valid level.
        steps = np.fmax(np.fmin(np.ceil(position), STEPS), 1.0)
        codes = np.asarray((ZERO + np.sign(numbers) * steps).astype(np.uint8))
    within = ratio <= 1.0 + 1e-9
    if not within.all():
        codes[~within & (numbers > 0)] = OVER
        codes[~within & (numbers < 0)] = UNDER
        codes[np.isposinf(numbers)] = PLUS_INF
        codes[np.isneginf(numbers)] = MINUS_INF
        codes[np.isnan(numbers)] = NAN
    return codes


def one_sided_codes(values: ArrayLike, scale: float, log: bool = False, floor: float = 1e-6) -> NDArray[np.uint8]:
    """Codes 31..62 for norms. A negative number is no norm and gets UNDER, not the colour of a small one."""
    codes = signed_codes(values, scale, log, floor)
    codes[codes < ZERO] = UNDER
    return codes


@dataclass(frozen=True, eq=False)
class Palette:
    """Colours for the 63 levels and for what stands around them; compared by identity, so it can key a cache."""

    name: str
    table: tuple[RGB, ...]
    """63 colours; a one-sided palette repeats the zero colour below `ZERO`."""
    ramp_256: tuple[int, ...]
    """The same by hand among xterm's 256 colours, zero in the middle, or first if one-sided: xterm's few dark colours
    are so far apart that the nearest one to a weak value would be a grey without a sign."""
    ramp_16: tuple[int, ...]
    background: RGB
    text: RGB
    dim: RGB
    padding: RGB
    """A grey, since no level is one; hatched with `dim`."""
    cursor: RGB
    one_sided: bool = False

    @property
    def light(self) -> bool:
        """Whether it is meant for a light background."""
        return luminance(self.background) > 0.5


def luminance(color: RGB) -> float:
    """Relative luminance, 0 (black) to 1 (white), of an sRGB colour."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (part / 255 for part in color)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def rgb(code: str) -> RGB:
    """'4ea8ff' or '#4ea8ff' as numbers."""
    code = code.removeprefix("#")
    return int(code[0:2], 16), int(code[2:4], 16), int(code[4:6], 16)


def mixed(one: RGB, other: RGB, share: float) -> RGB:
    """The colour at `share` (0 to 1) of the way from one to the other."""
    red, green, blue = (round(a + share * (b - a)) for a, b in zip(one, other, strict=True))
    return red, green, blue


def code_of(color: RGB) -> str:
    """'#4ea8ff' of numbers."""
    return "#{:02x}{:02x}{:02x}".format(*color)


def _between(anchors: str, count: int) -> tuple[RGB, ...]:
    """`count` colours on the straight lines between evenly spaced anchors."""
    points = np.array([rgb(anchor) for anchor in anchors.split()], dtype=float)
    at = np.linspace(0, len(points) - 1, count)
    channels = [np.rint(np.interp(at, np.arange(len(points)), points[:, k])).astype(int) for k in range(3)]
    return tuple((int(r), int(g), int(b)) for r, g, b in zip(*channels, strict=True))


def _two_sided(negative: str, zero: str, positive: str) -> tuple[RGB, ...]:
    """Anchors from the strongest negative level to the weakest, zero, and from the weakest positive level on."""
    return (*_between(negative, STEPS), rgb(zero), *_between(positive, STEPS))


def _one_sided(anchors: str) -> tuple[RGB, ...]:
    colors = _between(anchors, STEPS + 1)
    return (colors[0],) * STEPS + colors


_DARK: dict[str, Any] = {
    "background": rgb("101114"),
    "text": rgb("d6d9df"),
    "dim": rgb("5c616b"),
    "padding": rgb("33363d"),
    "cursor": rgb("ffd75f"),
}
_LIGHT: dict[str, Any] = {
    "background": rgb("fbfaf8"),
    "text": rgb("24262b"),
    "dim": rgb("8b8f98"),
    "padding": rgb("d3d5da"),
    "cursor": rgb("9000f0"),
}

# Berlin and Vik: Fabio Crameri's scientific colour maps, MIT licence.
# Berlin's middle is as dark as the screen: here zero is just seen on it, and the weakest levels stand out from both.
_BERLIN_NEGATIVE, _BERLIN_ZERO = "9eb0ff 79abed 519fd3 3685ad 286886 1d4b61 1a3340", "1c1d20"
_BERLIN_POSITIVE = "4d2412 652a13 7d341e 9e513f be6f63 df8f89 ffadad"
_VIK_ANCHORS = (
    "001261 022b71 034481 0c5e92 307da6 619ebd 94bed2 c6dbe6 ece5e0 e9cab8 dbaa8d cf8c66 c27041 b2511d 912d06 731406 "
    "590008"
)
BERLIN = Palette(
    "berlin",
    _two_sided(_BERLIN_NEGATIVE, _BERLIN_ZERO, _BERLIN_POSITIVE),
    (147, 111, 74, 31, 24, 17, 232, 52, 88, 131, 167, 174, 217),
    (14, 12, 4, 0, 1, 9, 11),
    **_DARK,
)
VIK = Palette(
    "vik",
    _between(_VIK_ANCHORS, LEVELS),
    (17, 24, 31, 67, 110, 153, 255, 223, 180, 173, 130, 88, 52),
    (4, 12, 14, 15, 11, 9, 1),
    **_LIGHT,
)
FORWARD = Palette(
    "forward",
    _one_sided("0d1620 143350 2468ab 4ea8ff a6d4ff"),
    (232, 17, 18, 25, 32, 75, 117, 153),
    (0, 4, 12, 14, 15),
    one_sided=True,
    **_DARK,
)
BACKWARD = Palette(
    "backward",
    _one_sided("1e100a 4d2410 a04f2a ff8c5a ffc9ad"),
    (232, 52, 88, 130, 173, 209, 216, 223),
    (0, 1, 9, 11, 15),
    one_sided=True,
    **_DARK,
)
FORWARD_LIGHT = Palette(
    "forward-light",
    _one_sided("e9eef3 b5d3f2 5fa4e6 1e68b8 06305f"),
    (255, 153, 111, 68, 25, 18, 17),
    (15, 14, 12, 4, 0),
    one_sided=True,
    **_LIGHT,
)
UNSIGNED = Palette(
    "unsigned",
    _one_sided("1c1d20 2d2f35 44474f 5e626c 80858f"),
    (232, 236, 238, 240, 242, 244, 246),
    (0, 8, 7),
    one_sided=True,
    **_DARK,
)
"""Of what has no sign: masks, gates, probabilities."""
UNSIGNED_LIGHT = Palette(
    "unsigned-light",
    _one_sided("ece5e0 d9d5d1 c0bdba a5a3a0 8a8886"),
    (255, 253, 251, 249, 247, 245, 243),
    (15, 7, 8),
    one_sided=True,
    **_LIGHT,
)
BACKWARD_LIGHT = Palette(
    "backward-light",
    _one_sided("f3ece8 f7cfb9 ee9467 bb4c1c 5f1c04"),
    (255, 223, 216, 209, 166, 130, 88, 52),
    (15, 11, 9, 1, 0),
    one_sided=True,
    **_LIGHT,
)


_GHOST_256 = {
    False: (60, 60, 238, 237, 236, 235, 232, 235, 236, 237, 238, 95, 95),
    True: (146, 146, 250, 251, 253, 254, 255, 254, 253, 251, 250, 181, 181),
}


@dataclass(frozen=True)
class Palettes:
    """The palettes of one screen; `unsigned` is for what has no sign, `ghost` is the signed one, faint."""

    signed: Palette
    forward: Palette
    backward: Palette
    unsigned: Palette
    ghost: Palette


@lru_cache(maxsize=16)
def palettes(light: bool = False, background: RGB | None = None, dim: RGB | None = None) -> Palettes:
    """The palettes for a dark or light screen, on the panel's own `background` and with its `dim` text when they are given."""
    taken = (VIK, FORWARD_LIGHT, BACKWARD_LIGHT, UNSIGNED_LIGHT) if light else (BERLIN, FORWARD, BACKWARD, UNSIGNED)
    own: dict[str, Any] = {} if background is None else {"background": background, "dim": dim or taken[0].dim}
    signed, forward, backward, unsigned = (replace(palette, **own) if own else palette for palette in taken)
    return Palettes(signed, forward, backward, unsigned, _faint(signed))


def _faint(palette: Palette) -> Palette:
    """The same colours at `GHOST` of their strength on the background."""
    table = tuple(mixed(palette.background, color, GHOST) for color in palette.table)
    return replace(palette, name=f"{palette.name}-ghost", table=table, ramp_256=_GHOST_256[palette.light])
