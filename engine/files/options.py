"""The model's options: names, kinds, defaults and help, once for the command line and for project files. Standard library only.

The names to choose from are in `engine.registry`; the first one is the default, unless the data decide.
"""

from __future__ import annotations

import math
from types import MappingProxyType

from engine import registry
from engine.errors import InputError
from engine.size import Size
from engine.text import clean

TYPE_CHECKING = False  # typing would take a tenth of the time to `--help`
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from typing import Any

LARGEST = 2**31 - 1
LAYERS = 64
"""No more layers than this."""


class File(str):
    """The kind of an option that names a file; its value is the file's absolute path."""


class Option:
    """One option: a choice, a flag, a number with bounds (`above`: larger than; None: any finite number; `below`), a size, or a file.

    A text without choices may be any but an empty one. On the command line, a choice with a `suffix` may also be a user's file with that
    suffix; a project cannot name one. `several` allows a number for each layer, `64,32`, in a project `[64, 32]`, or several texts.
    """

    def __init__(
        self,
        kind: type[str | bool | int | float | Size | File],
        help: str,
        default: str | bool | int | float | tuple[str, ...] | None = None,
        choices: tuple[str, ...] = (),
        *,
        above: float | None = None,
        suffix: str = "",
        several: bool = False,
        most: float = LARGEST,
        below: float = math.inf,
    ) -> None:
        self.kind, self.help, self.default, self.choices = kind, help, default, choices
        self.above, self.below, self.most = above, below, most
        self.suffix, self.several = suffix, several

    def expected(self, given: object = None) -> str:
        """What is allowed, in words; of a number that is `given` and too large, how large it may be."""
        numbers = tuple[object, ...](given) if isinstance(given, tuple) else (given,)  # pyright: ignore[reportUnknownArgumentType]
        if self.most == LARGEST and any(isinstance(n, int | float) and abs(n) > LARGEST for n in numbers):
            return f"{self.expected()}, at most {LARGEST}"
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        if self.kind is bool:
            return "true or false"
        if self.kind is File:
            return "the name of a file"
        if self.kind is str:
            return "a list of names" if self.several else "a name"
        if self.kind is Size:
            return "a size, like 500M or 2G"
        noun = "whole number" if self.kind is int else "number"
        if self.above is None:
            return f"a {noun}"
        if self.most < LARGEST:
            return f"a {noun} from {int(self.above) + 1} to {int(self.most)}"
        if self.below < math.inf:
            return f"a {noun} above {self.above:g} and below {self.below:g}"
        each = ", or one for each layer: 64,32" if self.several else ""
        return (
            f"a {noun}, {int(self.above) + 1} or more{each}" if self.kind is int else f"a {noun} above {self.above:g}"
        )

    def accepts(self, value: object) -> bool:
        """Whether a value from a project is one of these."""
        if self.several and isinstance(value, list | tuple):
            numbers = list[object](value)  # pyright: ignore[reportUnknownArgumentType]
            return 0 < len(numbers) <= LAYERS and all(map(self._accepts, numbers))
        return self._accepts(value)

    def _accepts(self, value: object) -> bool:
        if self.choices:
            return isinstance(value, str) and value in self.choices
        if self.kind in (File, str):
            return isinstance(value, str) and bool(value.strip())
        if self.kind is Size:
            return isinstance(value, str) and _size(value) is not None
        if self.kind is bool or isinstance(value, bool):
            return self.kind is bool and isinstance(value, bool)
        if not isinstance(value, int | float) or (self.kind is int and not isinstance(value, int)):
            return False
        within = (self.above is None or value > self.above) and value < self.below
        return abs(value) <= self.most and math.isfinite(value) and within

    def parse(self, name: str, text: str) -> str | int | float | Size | Path | tuple[int, ...] | tuple[str, ...]:
        """The value of `--name text`, for a file its absolute path; InputError says what is allowed."""
        if self.kind is File or (self.suffix and text.lower().endswith(self.suffix)):
            from engine.files.locate import existing

            return existing(text, name)
        value = self._read(text)
        if value is None or not (self.kind is Size or self.accepts(value)):
            or_file = f", or a file that ends in {self.suffix}" if self.suffix else ""
            raise InputError(f"--{name} {clean(text, 40)} is not possible; it must be {self.expected(value)}{or_file}")
        return value

    def _read(self, text: str) -> str | int | float | tuple[int, ...] | tuple[str, ...] | None:
        """What the text says, None where it does not say one of this kind; whether it is allowed is seen later."""
        try:
            if self.kind is str and self.several:
                return tuple(part.strip() for part in text.split(",") if part.strip())
            if self.several and "," in text:
                return tuple(int(number) for number in text.split(","))
            return _KINDS.get(self.kind, str)(text)
        except ValueError:
            return None


_KINDS: Mapping[type, Callable[[str], str | int | float]] = {int: int, float: float, Size: Size.parse}


def _size(text: str) -> Size | None:
    try:
        return Size.parse(text)
    except ValueError:
        return None


def _choice(help: str, names: tuple[str, ...], *, suffix: str = "", decided_by_data: bool = False) -> Option:
    return Option(str, help, None if decided_by_data else names[0], names, suffix=suffix)


OPTIONS: Mapping[str, Option] = MappingProxyType(
    {
        "cell": _choice(
            "the recurrent cell, or a file with one of your own",
            (*registry.CELLS, *registry.FURTHER_CELLS),
            suffix=".py",
        ),
        "activation": _choice("the activation of the rnn cell", registry.ACTIVATIONS),
        "hidden": Option(int, "H, units of the state; 64,32 makes two layers", 8, above=0, several=True),
        "layers": Option(
            int, "so many layers, each with H units, one above the other (default: one)", None, above=0, most=LAYERS
        ),
        "bidirectional": Option(
            bool, "each layer in two directions, the second from the last step to the first", False
        ),
        "embedding": Option(
            int,
            "E; the first layer reads x·We, E values a step; inputs that are classes are made one-hot",
            None,
            above=0,
        ),
        "dropout": Option(
            float,
            "P; that share of each layer's output is not handed on, drawn anew each iteration; the rest is divided by 1 − P",
            None,
            above=0,
            below=1,
        ),
        "residual": Option(bool, "a layer adds what the layer below hands on, where both have as many units", False),
        "projection": Option(
            int, "P, what a cell with a projection hands on of its H units (default: half of them)", None, above=0
        ),
        "learn-initial": Option(bool, "initial states are parameters, a0 of a, which start at zero", False),
        "outputs": Option(int, "C, outputs (default: the number of classes)", None, above=0),
        "series": Option(bool, "the rows of the data are time steps of one series, not samples", False),
        "window": Option(int, "rows of a series that make a sample (10)", None, above=0),
        "ahead": Option(
            int, "so many rows later is a sample's target (1; 0 where the target is no input)", None, above=-1
        ),
        "target": Option(str, "the column to predict, by name or number (default: label, target or y, else the last)"),
        "drop": Option(str, "a column to leave out; more than once, or NAME,NAME", (), several=True),
        "stateful": Option(
            bool, "an iteration starts from the states that the one before ended in; the gradient stops there", False
        ),
        "timesteps": Option(
            int, "T; the values of a row are folded into T steps (default: one value a step)", None, above=0
        ),
        "predict": _choice(
            "read out at the last step or at every one (default: as the data has targets)",
            registry.PREDICT,
            decided_by_data=True,
        ),
        "loss": _choice("the loss (default: as the targets are)", registry.LOSSES, decided_by_data=True),
        "reduction": _choice("mean or sum of the loss over all that counts", registry.REDUCTIONS),
        "dtype": _choice("precision", registry.DTYPES),
        "seed": Option(int, "seed of the initial weights", 0, above=-1),
        "init-scale": Option(float, "S; initial weights are uniform between ±S/√H", 1.0, above=0),
        "weights": Option(File, "start from these weights (NPZ, safetensors, .pt), which say the cell, H and C"),
        "iteration": Option(int, "start at this iteration, the ones before having been trained", 0, above=-1),
        "optimizer": _choice("the update rule", registry.OPTIMIZERS),
        "lr": Option(float, "learning rate", 0.1, above=0),
        "clip-norm": Option(float, "clip the norm of all gradients together to X", None, above=0),
        "clip-value": Option(float, "clip every entry of the gradients to ±X", None, above=0),
        "truncate": Option(int, "K; each loss reaches K steps back, or see --truncate-by", None, above=0),
        "truncate-by": _choice(
            "window: each loss reaches K steps back; chunk: nothing flows between chunks of K steps",
            registry.TRUNCATIONS,
        ),
        "batch-size": Option(int, "B, samples an iteration (default: all)", None, above=0),
        "notation": _choice("whose names and layout to write in", registry.NOTATIONS),
        "memory-limit": Option(Size, "largest memory of a recording, like 500M or 2G", Size(2 << 30)),
        "checkpoints": Option(bool, "keep some steps only and compute the others again when they are looked at", False),
        "allow-nan": Option(bool, "open data that holds NaN or infinity", False),
    }
)

DEFAULTS: Mapping[str, Any] = MappingProxyType({name: option.default for name, option in OPTIONS.items()})
