"""The functions that an equation may call, with derivatives written by hand as in a textbook.

Each works on arrays whose first axis is the batch and takes `out`, so that the compiled plan can write in place. A
derivative is an expression in `u` (the first argument), `v` (the second) and `n` (how many units a row of u has); where
the function's value appears in it, the name of the quantity that holds that value is used, so the derivative of
`a = tanh(z)` reads `1 − a²`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from engine.language.expression import Expression, Number, parse

Array: TypeAlias = npt.NDArray[Any]
Axes: TypeAlias = tuple[str, ...]

UNITS, PROJECTED = "H", "P"
"""The axis of a cell's units, and of what a projection makes of them."""
_ROWS_OF_UNITS = frozenset({UNITS, PROJECTED})


def axis_kind(axis: str) -> str:
    """The letter of an axis without the number of its layer: "H" of the units "H" or "H2"."""
    return axis[:1]


def axis_word(axis: str) -> str:
    """What one entry along an axis is called."""
    words = {"B": "sample", "D": "feature", "E": "value", "H": "unit", "P": "value", "C": "class"}
    return words.get(axis_kind(axis), axis)


def joined_axis(axis: str) -> str:
    """The axis of two rows of units side by side, twice as long: "HH1" of "H1"."""
    return axis_kind(axis) + axis


def is_joined(axis: str) -> bool:
    """Whether it is the axis of two rows of units side by side."""
    return axis[1:2] == axis_kind(axis)


def of_units(axes: Axes) -> bool:
    """Whether these are the axes of a row of units for each sample: (B, H) or (B, P), of whichever layer."""
    return len(axes) == 2 and axes[0] == "B" and axis_kind(axes[1]) in _ROWS_OF_UNITS


def from_unit_to_unit(axes: Axes) -> bool:
    """Whether these are the axes of weights from one step's units to the next one's: (H, H), of one layer."""
    return len(axes) == 2 and axes[0] == axes[1] and axis_kind(axes[0]) in _ROWS_OF_UNITS


@dataclass(frozen=True)
class Function:
    """A function of equations.

    `axes` gives the result's axes from the arguments'; `derivative` is d/du, or None where nothing flows through; `kink` says that
    the derivative jumps where u changes sign, `off` that the value and the derivative are 0 where u ≤ 0. `text` is the call on the screen
    (`{p}` the probabilities), `label` what sentences call the function. `rows` says that it works on a sample's whole row, `summand` that
    its value is the sum of this over the row's units.

    `source` is the call in a generated NumPy program (`{dtype}` an argument of it), `definition` what must stand above it there; `columns`
    are these two where samples are columns, if they differ. `kernel` is the function in terms of simpler ones, call by call as `compute`
    does it, for the compiled plan. `returns` are, where arguments stand side by side in the value, the functions that give each of them
    its part of the gradient. `origin` says of a function that only moves numbers where the one at place k of a row of n is from: which
    argument, and the place there.
    """

    name: str
    compute: Callable[..., Array]
    axes: Callable[[tuple[Axes, ...]], Axes]
    source: str
    text: str
    derivative: Expression | None = None
    kink: bool = False
    off: bool = False
    elementwise: bool = False
    rows: bool = False
    summand: Expression | None = None
    definition: str = ""
    columns: tuple[str, str] | None = None
    kernel: Expression | None = None
    label: str = ""
    returns: tuple[str, ...] = ()
    origin: Callable[[int, int], tuple[int, int]] | None = None

    @property
    def linear(self) -> bool:
        """Whether its derivative is the same everywhere."""
        return isinstance(self.derivative, Number)

    def printed(self, *, columns: bool) -> tuple[str, str]:
        """The call in a generated program whose samples are rows or columns, and what must stand above it."""
        return self.columns if columns and self.columns else (self.source, self.definition)


def _sigmoid(u: Array, out: Array | None = None) -> Array:
    # For large −u the exponential overflows to infinity, which makes 0. As 0.5 + 0.5 tanh(u/2) a small value would keep few digits, and it
    # would take longer.
    result = np.asarray(np.multiply(u, -1.0, out=out))
    with np.errstate(over="ignore"):
        np.exp(result, out=result)
    result += 1
    return np.divide(1, result, out=result)


def _relu(u: Array, out: Array | None = None) -> Array:
    return np.maximum(u, 0, out=out)


def _identity(u: Array, out: Array | None = None) -> Array:
    if out is None:
        return u.copy()
    np.copyto(out, u)
    return out


def _softmax(u: Array, out: Array | None = None) -> Array:
    result = np.subtract(u, u.max(axis=-1, keepdims=True), out=out)
    np.exp(result, out=result)
    result /= result.sum(axis=-1, keepdims=True)
    return result


def _cross_entropy(u: Array, v: Array, out: Array | None = None) -> Array:
    shifted = u - u.max(axis=-1, keepdims=True)
    picked = np.take_along_axis(shifted, v[..., None], axis=-1)[..., 0]
    return np.subtract(np.log(np.exp(shifted).sum(axis=-1)), picked, out=out)


def _binary_cross_entropy(u: Array, v: Array, out: Array | None = None) -> Array:
    logit = u[..., 0]
    return np.subtract(np.logaddexp(0, logit), v * logit, out=out)


def _onehot(u: Array, v: int, out: Array | None = None) -> Array:
    result = np.empty((*u.shape, v)) if out is None else out
    result[...] = u[..., None] == np.arange(v)
    return result


def _sum(u: Array, out: Array | None = None) -> Array:
    return np.add.reduce(u, axis=None, out=out)


def _ones(u: Array, out: Array | None = None) -> Array:
    result = np.empty_like(u) if out is None else out
    result[...] = 1
    return result


def _mean(u: Array, out: Array | None = None) -> Array:
    return np.mean(u, axis=-1, out=out)


def _variance(u: Array, out: Array | None = None) -> Array:
    centred = u - u.mean(axis=-1, keepdims=True)
    return np.mean(centred * centred, axis=-1, out=out)


def _joined(u: Array, v: Array, out: Array | None = None) -> Array:
    return np.concatenate([u, v], axis=-1, out=out)


def _first_half(u: Array, out: Array | None = None) -> Array:
    return _identity(u[..., : u.shape[-1] // 2], out)


def _second_half(u: Array, out: Array | None = None) -> Array:
    return _identity(u[..., u.shape[-1] // 2 :], out)


def _softplus(u: Array, out: Array | None = None) -> Array:
    return np.logaddexp(0, u, out=out)


def _sqrt(u: Array, out: Array | None = None) -> Array:
    return np.sqrt(u, out=out)


def _min(u: Array, v: Array, out: Array | None = None) -> Array:
    return np.minimum(u, v, out=out)


def _clip(u: Array, v: float, out: Array | None = None) -> Array:
    return np.clip(u, -v, v, out=out)


CARRIED = "carried"
"""The function that stands for what a loss beyond a truncation window sends back; its value is recorded before the loop."""


def _carried(u: Array, v: Array, out: Array | None = None) -> Array:
    return _identity(v, out)  # its value is recorded before the loop over time, see `Plan`


def _same(axes: tuple[Axes, ...]) -> Axes:
    return axes[0]


def _twice(axes: tuple[Axes, ...]) -> Axes:
    return (*axes[0][:-1], joined_axis(axes[0][-1]))


def _half(axes: tuple[Axes, ...]) -> Axes:
    return (*axes[0][:-1], axes[0][-1][1:])


def _elementwise(
    name: str,
    compute: Callable[..., Array],
    source: str,
    derivative: str,
    *,
    kink: bool = False,
    off: bool = False,
    definition: str = "",
    kernel: str = "",
    label: str = "",
    text: str = "",
) -> Function:
    return Function(
        name,
        compute,
        _same,
        source,
        text or f"{name}({{0}})",
        parse(derivative),
        kink=kink,
        off=off,
        elementwise=True,
        definition=definition,
        kernel=parse(kernel) if kernel else None,
        label=label or name,
    )


def _of_units(name: str, compute: Callable[..., Array], source: str, derivative: str, *, summand: str) -> Function:
    """A number for each sample, made of its units; in `source` %d stands for the units' axis."""
    return Function(
        name,
        compute,
        lambda axes: axes[0][:-1],
        source % 1,
        f"{name}({{0}})",
        parse(derivative),
        rows=True,
        summand=parse(summand),
        columns=(source % 0, ""),
    )


def _part(name: str, compute: Callable[..., Array], place: int, text: str) -> Function:
    """One half of each row."""
    return Function(
        name,
        compute,
        _half,
        f"np.split({{0}}, 2, axis=1)[{place}]",
        text,
        columns=(f"np.split({{0}}, 2)[{place}]", ""),
        rows=True,
        origin=lambda k, n: (0, k + place * n),
    )


_SIGMOID = """\
def sigmoid(u):
    return 0.5 * (1 + np.tanh(0.5 * u))  # the same as 1 / (1 + exp(-u)), which overflows for large -u"""

_SOFTMAX = """\
def softmax(u):
    e = np.exp(u - u.max(axis=1, keepdims=True))  # the maximum is taken off so that nothing overflows
    return e / e.sum(axis=1, keepdims=True)"""

_SOFTMAX_COLUMNS = """\
def softmax(u):
    e = np.exp(u - u.max(axis=0))  # the maximum is taken off so that nothing overflows
    return e / e.sum(axis=0)"""

_CROSS_ENTROPY = """\
def cross_entropy(logits, y):
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(y)), y]"""

_CROSS_ENTROPY_COLUMNS = """\
def cross_entropy(logits, y):
    shifted = logits - logits.max(axis=0)
    return np.log(np.exp(shifted).sum(axis=0)) - shifted[y, np.arange(len(y))]"""

_BINARY_CROSS_ENTROPY = """\
def binary_cross_entropy(logits, y):
    return np.logaddexp(0, logits[:, 0]) - y * logits[:, 0]"""

_BINARY_CROSS_ENTROPY_COLUMNS = """\
def binary_cross_entropy(logits, y):
    return np.logaddexp(0, logits[0]) - y * logits[0]"""

ACTIVATIONS: dict[str, Function] = {
    function.name: function
    for function in (
        _elementwise("tanh", np.tanh, "np.tanh({0})", "1 - tanh(u) ** 2"),
        _elementwise("relu", _relu, "np.maximum({0}, 0)", "u > 0", kink=True, off=True, label="ReLU"),
        _elementwise(
            "sigmoid",
            _sigmoid,
            "sigmoid({0})",
            "sigmoid(u) * (1 - sigmoid(u))",
            definition=_SIGMOID,
            kernel="1 / (exp(-u) + 1)",
        ),
        _elementwise("identity", _identity, "{0}", "1"),
    )
}

FUNCTIONS: dict[str, Function] = {
    function.name: function
    for function in (
        *ACTIVATIONS.values(),
        # The probabilities are shown; the gradient goes from the loss to the logits in one step, so that log 0 cannot happen.
        Function(
            "softmax",
            _softmax,
            _same,
            "softmax({0})",
            "softmax({0})",
            definition=_SOFTMAX,
            columns=("softmax({0})", _SOFTMAX_COLUMNS),
            rows=True,
        ),
        Function(
            "cross_entropy",
            _cross_entropy,
            lambda axes: axes[1],
            "cross_entropy({0}, {1})",
            "−log {p}[{1}]",
            parse("softmax(u) - onehot(v, C)"),
            definition=_CROSS_ENTROPY,
            columns=("cross_entropy({0}, {1})", _CROSS_ENTROPY_COLUMNS),
            rows=True,
        ),
        Function(
            "binary_cross_entropy",
            _binary_cross_entropy,
            lambda axes: axes[1],
            "binary_cross_entropy({0}, {1})",
            "BCE({p}, {1})",
            parse("sigmoid(u) - v"),
            definition=_BINARY_CROSS_ENTROPY,
            columns=("binary_cross_entropy({0}, {1})", _BINARY_CROSS_ENTROPY_COLUMNS),
            rows=True,
        ),
        Function(
            "onehot",
            _onehot,
            lambda axes: (*axes[0], "C"),
            "np.eye({1}{dtype})[{0}]",
            "onehot({0})",
            columns=("np.eye({1}{dtype})[:, {0}]", ""),
            rows=True,
        ),
        Function("ones", _ones, _same, "np.ones_like({0})", "1"),
        Function("sum", _sum, lambda _: (), "np.sum({0})", "Σ {0}", parse("1"), rows=True),
        _elementwise("exp", np.exp, "np.exp({0})", "exp(u)"),
        _elementwise("softplus", _softplus, "np.logaddexp(0, {0})", "sigmoid(u)"),
        _elementwise("sqrt", _sqrt, "np.sqrt({0})", "0.5 / sqrt(u)", text="√({0})"),
        _elementwise("abs", np.abs, "np.abs({0})", "sign(u)", text="|{0}|", kink=True),
        _of_units("mean", _mean, "np.mean({0}, axis=%d)", "ones(u) / n", summand="u / n"),
        _of_units(
            "variance", _variance, "np.var({0}, axis=%d)", "2 * (u - mean(u)) / n", summand="(u - mean(u)) ** 2 / n"
        ),
        # Both directions' states side by side.
        Function(
            "joined",
            _joined,
            _twice,
            "np.concatenate([{0}, {1}], axis=1)",
            "[{0}, {1}]",
            columns=("np.concatenate([{0}, {1}])", ""),
            rows=True,
            returns=("first_half", "second_half"),
            origin=lambda k, n: divmod(k, n // 2),
        ),
        # Used in derivatives and updates only, through which nothing flows back.
        _part("first_half", _first_half, 0, "{0}[:H]"),
        _part("second_half", _second_half, 1, "{0}[H:]"),
        Function("sign", np.sign, _same, "np.sign({0})", "sign({0})"),
        Function("min", _min, _same, "np.minimum({0}, {1})", "min({0}, {1})"),
        Function("clip", _clip, _same, "np.clip({0}, -{1}, {1})", "clip({0}, ±{1})"),
        # With a truncation window: what a loss just out of reach would add to a flow, its gradient carried back step by step.
        Function(CARRIED, _carried, lambda axes: axes[1], "{1}", "carried back from {0}"),
    )
}


def compute_name(function: str) -> str:
    """The name of a function's `compute` in compiled source; no quantity can have it."""
    return f"f_{function}"


COMPUTE: Mapping[str, Callable[..., Array]] = {compute_name(f.name): f.compute for f in FUNCTIONS.values()}
"""What compiled source may call, by these names."""
