"""The derivative of every operation that is recorded, as a textbook has it: a row an operation.

Each row gives, for each operand, its share of dL: g is dL/d(result), r the result, x (and y) the operands. Elementwise
rows give the share in the result's shape; it is summed to the operand's afterwards. Operations on whole arrays have
functions of their own below.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import log, pi, sqrt
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
MATRICES = 3
"""Of how many axes several matrices are."""
_2 = log(2.0)
_10 = log(10.0)


def _log_of_base(x: Floats) -> Floats:
    return np.log(np.where(x > 0, x, 1.0))


def _at_power(x: Floats, y: Floats) -> Floats:
    """dx**y/dx, which is 0 where y is 0, also at x = 0."""
    return np.where(y == 0, 0.0, y * np.power(x, np.where(y == 0, 1.0, y - 1)))


PRODUCTS = ("matmul", "dot", "einsum")
UNARY: dict[str, Callable[[Floats, Floats, Floats], Floats]] = {
    "negative": lambda g, r, x: -g,
    "exp": lambda g, r, x: g * r,
    "log": lambda g, r, x: g / x,
    "log2": lambda g, r, x: g / (x * _2),
    "log10": lambda g, r, x: g / (x * _10),
    "log1p": lambda g, r, x: g / (1 + x),
    "expm1": lambda g, r, x: g * (r + 1),
    "exp2": lambda g, r, x: g * r * _2,
    "tanh": lambda g, r, x: g * (1 - np.tanh(x) ** 2),
    "sqrt": lambda g, r, x: g / (2 * r),
    "cbrt": lambda g, r, x: g / (3 * r * r),
    "square": lambda g, r, x: 2 * g * x,
    "absolute": lambda g, r, x: g * np.sign(x),
    "reciprocal": lambda g, r, x: -g * r * r,
    "sin": lambda g, r, x: g * np.cos(x),
    "cos": lambda g, r, x: -g * np.sin(x),
    "tan": lambda g, r, x: g * (1 + r * r),
    "arcsin": lambda g, r, x: g / np.sqrt(1 - x * x),
    "arccos": lambda g, r, x: -g / np.sqrt(1 - x * x),
    "arctan": lambda g, r, x: g / (1 + x * x),
    "sinh": lambda g, r, x: g * np.cosh(x),
    "cosh": lambda g, r, x: g * np.sinh(x),
    "arcsinh": lambda g, r, x: g / np.sqrt(1 + x * x),
    "arccosh": lambda g, r, x: g / np.sqrt(x * x - 1),
    "arctanh": lambda g, r, x: g / (1 - x * x),
    "expit": lambda g, r, x: g * r * (1 - r),
    "erf": lambda g, r, x: g * 2 / sqrt(pi) * np.exp(-x * x),
    "softplus": lambda g, r, x: g / (1 + np.exp(-x)),
    "logit": lambda g, r, x: g / (x * (1 - x)),
    "gather": lambda g, r, x: g,
    "constant_of": lambda g, r, x: np.zeros_like(g),
}

Both = Callable[[Floats, Floats, Floats, Floats], Floats]
BINARY: dict[str, tuple[Both, Both]] = {
    "add": (lambda g, r, x, y: g, lambda g, r, x, y: g),
    "subtract": (lambda g, r, x, y: g, lambda g, r, x, y: -g),
    "multiply": (lambda g, r, x, y: g * y, lambda g, r, x, y: g * x),
    "divide": (lambda g, r, x, y: g / y, lambda g, r, x, y: -g * r / y),
    "power": (lambda g, r, x, y: g * _at_power(x, y), lambda g, r, x, y: g * r * _log_of_base(x)),
    "maximum": (lambda g, r, x, y: g * (x >= y), lambda g, r, x, y: g * (x < y)),
    "minimum": (lambda g, r, x, y: g * (x <= y), lambda g, r, x, y: g * (x > y)),
    "logaddexp": (lambda g, r, x, y: g * np.exp(x - r), lambda g, r, x, y: g * np.exp(y - r)),
    "arctan2": (lambda g, r, x, y: g * y / (x * x + y * y), lambda g, r, x, y: -g * x / (x * x + y * y)),
    "hypot": (lambda g, r, x, y: g * x / r, lambda g, r, x, y: g * y / r),
    "remainder": (lambda g, r, x, y: g, lambda g, r, x, y: -g * np.floor(x / y)),
    "constant_of": (lambda g, r, x, y: np.zeros_like(g), lambda g, r, x, y: np.zeros_like(g)),
}


def summed_to(g: Floats, shape: Sequence[int]) -> Floats:
    """`g` summed over the axes along which an operand of this shape was repeated."""
    if g.shape == tuple(shape):
        return g
    extra = g.ndim - len(shape)
    if extra > 0:
        g = g.sum(tuple(range(extra)))
    axes = tuple(a for a, n in enumerate(shape) if n == 1 and g.shape[a] != 1)
    return g.sum(axes, keepdims=True) if axes else g


def _spread(g: Floats, axes: Sequence[int], shape: Sequence[int]) -> Floats:
    """What a reduction over `axes` gave, handed back to every place of the operand."""
    kept = [1 if a in axes else n for a, n in enumerate(shape)]
    return np.broadcast_to(g.reshape(kept), shape)


def _matmul(g: Floats, x: Floats, y: Floats, which: int) -> Floats:
    """Share of one factor of x @ y; a vector counts as a matrix of one row (x) or one column (y)."""
    a = x.reshape(1, -1) if x.ndim == 1 else x
    b = y.reshape(-1, 1) if y.ndim == 1 else y
    if x.ndim == 1:
        g = np.expand_dims(g, -2) if y.ndim > 1 else g.reshape(1, 1)
    if y.ndim == 1 and x.ndim > 1:
        g = np.expand_dims(g, -1)
    made = np.matmul(g, np.swapaxes(b, -1, -2)) if which == 0 else np.matmul(np.swapaxes(a, -1, -2), g)
    target = (a if which == 0 else b).shape
    return summed_to(made, target).reshape((x if which == 0 else y).shape)


def _dot(g: Floats, x: Floats, y: Floats, which: int) -> Floats:
    """np.dot of more than two axes: the last of x with the last but one of y."""
    along = y.ndim - 2 if y.ndim > 1 else 0
    rest = [a for a in range(y.ndim) if a != along]
    after = list(range(x.ndim - 1, g.ndim))
    if which == 0:
        return np.tensordot(g, np.transpose(y, [*rest, along]), (after, list(range(len(rest)))))
    before = list(range(x.ndim - 1))
    made = np.tensordot(x, g, (before, before))
    return np.moveaxis(made, 0, along)


def _einsum(g: Floats, operands: Sequence[Floats], spec: str, which: int) -> Floats:
    """Share of one operand: the others and g, summed over what the operand does not have."""
    inside, out = spec.split("->")
    parts = inside.split(",")
    mine = parts[which]
    others = [(p, x) for k, (p, x) in enumerate(zip(parts, operands, strict=True)) if k != which]
    known = set(out).union(*[set(p) for p, _ in others])
    kept = "".join(dict.fromkeys(c for c in mine if c in known))
    made = np.einsum(",".join([out, *[p for p, _ in others]]) + "->" + kept, g, *[x for _, x in others])
    sizes = dict(zip(mine, operands[which].shape, strict=True))
    shape = [sizes[c] for c in kept]
    if made.shape != tuple(shape):  # an axis of one goes with a longer one
        repeated = tuple(k for k, c in enumerate(kept) if sizes[c] == 1)
        made = np.broadcast_to(made.sum(axis=repeated, keepdims=True), shape)
    if kept == mine:
        return made
    letters = "".join(dict.fromkeys(mine))
    made = np.broadcast_to(made.reshape([sizes[c] if c in kept else 1 for c in letters]), [sizes[c] for c in letters])
    if letters == mine:
        return made
    result = np.zeros(operands[which].shape)
    cast("Any", np.einsum)(result, [letters.index(c) for c in mine], list(range(len(letters))))[...] = made
    return result


def _product(g: Floats, r: Floats, x: Floats, axes: Sequence[int]) -> Floats:
    """Of a product over axes: the product of all others, also where one of them is 0."""
    moved = np.moveaxis(x, axes, range(len(axes)))
    flat = moved.reshape((-1, *moved.shape[len(axes) :]))
    before = np.concatenate((np.ones((1, *flat.shape[1:])), np.cumprod(flat, axis=0)[:-1]))
    after = np.concatenate((np.cumprod(flat[::-1], axis=0)[::-1][1:], np.ones((1, *flat.shape[1:]))))
    others = np.moveaxis((before * after).reshape(moved.shape), range(len(axes)), axes)
    return _spread(g, axes, x.shape) * others


def _after(g: Floats, axis: int) -> Floats:
    """The sum of g from each place on."""
    return np.flip(np.cumsum(np.flip(g, axis), axis), axis)


def _cumulative_product(g: Floats, x: Floats, axis: int) -> Floats:
    along = np.moveaxis(x, axis, 0)
    g = np.moveaxis(g, axis, 0)
    made = np.zeros_like(along)
    for k in range(len(along)):
        others = np.array(along)
        others[k] = 1.0
        made[k] = (np.cumprod(others, axis=0) * g)[k:].sum(axis=0)
    return np.moveaxis(made, 0, axis)


def share(
    name: str, g: Floats, r: Floats, operands: Sequence[Floats], which: int, parameters: Sequence[int] = ()
) -> Floats:
    """The share of dL that operand number `which` of an operation gets, in the operand's shape.

    `g` is dL/d(result), `r` the result, `parameters` the axes of a reduction or the characters of an einsum.
    KeyError for an operation that has no row.
    """
    x = operands[0]
    if name in BINARY and len(operands) == 2:
        return summed_to(BINARY[name][which](g, r, x, operands[1]), operands[which].shape)
    if name in UNARY and len(operands) == 1:
        return UNARY[name](g, r, x)
    special: dict[str, Callable[[], Any]] = {
        "sum": lambda: _spread(g, parameters, x.shape),
        "mean": lambda: _spread(g, parameters, x.shape) * (max(1, g.size) / max(1, x.size)),
        "prod": lambda: _product(g, r, x, parameters),
        "cumsum": lambda: _after(g, parameters[0]),
        "cumprod": lambda: _cumulative_product(g, x, parameters[0]),
        "matmul": lambda: _matmul(g, x, operands[1], which),
        "dot": lambda: _dot(g, x, operands[1], which),
        "einsum": lambda: _einsum(g, operands, "".join(map(chr, parameters)), which),
        "where": lambda: summed_to(_chosen(g, x, which), operands[which].shape),
    }
    return special[name]()


def shares(
    name: str,
    g: Floats,
    r: Floats,
    operands: Sequence[Floats],
    which: int,
    parameters: Sequence[int] = (),
) -> Floats | None:
    """The same of several operations at once, one a row: an operand that is the same one for all has one row. None for what is told one by
    one."""
    x, count, ndim = operands[which], len(g), g.ndim - 1
    shape = x.shape[1:]
    if name in BINARY and len(operands) == 2:
        one, two = (o.reshape(len(o), *(1,) * (g.ndim - o.ndim), *o.shape[1:]) for o in operands)
        made = np.broadcast_to(BINARY[name][which](g, r, one, two), g.shape)
        kept = (1,) * (ndim - len(shape)) + shape
        repeated = tuple(1 + axis for axis in range(ndim) if kept[axis] == 1 and g.shape[1 + axis] != 1)
        return made.sum(repeated).reshape(count, *shape) if repeated else made.reshape(count, *shape)
    if name in UNARY and len(operands) == 1 and shape == g.shape[1:]:
        return UNARY[name](g, r, x)
    if name == "sum":
        return _spread(g, [1 + axis for axis in parameters], (count, *shape))
    if name == "matmul" and all(o.ndim <= MATRICES for o in operands):
        one, two = operands
        columns = two if two.ndim == MATRICES else two[..., None]
        rows = one if one.ndim == MATRICES else one[:, None]
        g = g.reshape(count, rows.shape[1], columns.shape[2])
        made = np.matmul(g, columns.swapaxes(1, 2)) if which == 0 else np.matmul(rows.swapaxes(1, 2), g)
        return made.reshape(count, *shape)
    return None


def _chosen(g: Floats, condition: Floats, which: int) -> Floats:
    return np.zeros(g.shape) if which == 0 else g * (condition != 0) if which == 1 else g * (condition == 0)


NAMES = (
    frozenset(UNARY)
    | frozenset(BINARY)
    | {"sum", "mean", "prod", "cumsum", "cumprod", "matmul", "dot", "einsum", "where"}
)
