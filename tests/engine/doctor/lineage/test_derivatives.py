"""Each row of the table of derivatives alone, against central differences."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from engine.doctor.lineage.record.derivatives import BINARY, NAMES, UNARY, share

RNG = np.random.default_rng(3)
NUMPY: dict[str, Callable[..., Any]] = {
    "expit": lambda x: 1 / (1 + np.exp(-x)),
    "softplus": lambda x: np.log1p(np.exp(x)),
    "logit": lambda x: np.log(x / (1 - x)),
    "gather": lambda x: x,
    "erf": np.vectorize(math.erf, otypes=[float]),
}
"""Functions that NumPy does not have."""
PIECEWISE = {"constant_of"}
"""No derivative flows, whatever the function."""


def differences(function: Callable[..., Any], operands: Sequence[Any], which: int, g: Any) -> Any:
    """dL/d(operand) of L = sum(g * function), by central differences."""
    made = np.zeros_like(operands[which])
    for place in np.ndindex(made.shape):
        values: list[float] = []
        for step in (1e-6, -1e-6):
            moved = [np.array(x) for x in operands]
            moved[which][place] += step
            values.append(float((g * function(*moved)).sum()))
        made[place] = (values[0] - values[1]) / 2e-6
    return made


def agrees(name: str, function: Callable[..., Any], operands: Sequence[Any], parameters: Sequence[int] = ()) -> None:
    r = np.asarray(function(*operands))
    g = RNG.normal(size=r.shape)
    for which in range(len(operands)):
        if name == "where" and which == 0:
            continue
        expected = differences(function, operands, which, g)
        assert share(name, g, r, operands, which, parameters) == pytest.approx(expected, rel=1e-5, abs=1e-7)


def test_the_table_has_a_row_for_every_operation_that_is_recorded() -> None:
    from engine.doctor.recording.tracing.codes import CODES

    assert set(CODES) == NAMES


@pytest.mark.parametrize("name", sorted(set(UNARY) - PIECEWISE))
def test_unary(name: str) -> None:
    x = RNG.uniform(0.1, 0.9, (2, 3)) + (1.0 if name == "arccosh" else 0.0)
    agrees(name, NUMPY.get(name) or getattr(np, name), [x])


@pytest.mark.parametrize("name", sorted(set(BINARY) - PIECEWISE))
@pytest.mark.parametrize("shapes", [((2, 3), (2, 3)), ((2, 3), (3,)), ((2, 1), (2, 3)), ((), (2, 3))])
def test_binary_also_where_an_operand_is_repeated(name: str, shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    x, y = RNG.uniform(1.3, 1.9, shapes[0]), RNG.uniform(0.3, 0.6, shapes[1])
    agrees(name, getattr(np, name), [np.asarray(x), np.asarray(y)])


def test_a_power_of_nothing_has_no_slope() -> None:
    assert share("power", np.ones(1), np.ones(1), [np.zeros(1), np.zeros(1)], 0).tolist() == [0.0]


@pytest.mark.parametrize("axes", [(0,), (1,), (0, 2), (0, 1, 2)])
@pytest.mark.parametrize("name", ["sum", "mean", "prod"])
def test_reductions(name: str, axes: tuple[int, ...]) -> None:
    x = RNG.normal(size=(2, 3, 4))
    x[0, 1, 2] = 0.0
    agrees(name, lambda a: getattr(np, name)(a, axis=axes), [x], axes)


@pytest.mark.parametrize("name", ["cumsum", "cumprod"])
@pytest.mark.parametrize("axis", [0, 1])
def test_cumulative(name: str, axis: int) -> None:
    agrees(name, lambda a: getattr(np, name)(a, axis=axis), [RNG.normal(size=(3, 4))], [axis])


SHAPES = [
    ((2, 3), (3, 4)),
    ((3,), (3, 4)),
    ((2, 3), (3,)),
    ((3,), (3,)),
    ((5, 2, 3), (3, 4)),
    ((5, 2, 3), (5, 3, 4)),
    ((5, 2, 3), (3,)),
    ((3,), (5, 3, 2)),
]


@pytest.mark.parametrize("shapes", SHAPES)
def test_matmul(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    agrees("matmul", np.matmul, [RNG.normal(size=s) for s in shapes])


@pytest.mark.parametrize(
    "shapes", [((2, 3, 4), (4, 5)), ((2, 3), (5, 3, 4)), ((2, 3, 4), (5, 4, 2)), ((2, 3, 4), (4,))]
)
def test_dot_of_more_axes(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    agrees("dot", np.dot, [RNG.normal(size=s) for s in shapes])


@pytest.mark.parametrize(
    ("spec", "shapes"),
    [
        ("abc,cf->abf", [(2, 3, 1), (4, 5)]),
        ("ij,jk->ik", [(2, 3), (3, 4)]),
        ("tbh,tbm->hm", [(2, 3, 4), (2, 3, 5)]),
        ("ij->i", [(2, 3)]),
        ("ii->i", [(3, 3)]),
        ("i,j->ij", [(2,), (3,)]),
        ("ij,ij,jk->k", [(2, 3), (2, 3), (3, 4)]),
        ("ij->", [(2, 3)]),
    ],
)
def test_einsum(spec: str, shapes: list[tuple[int, ...]]) -> None:
    agrees("einsum", lambda *x: np.einsum(spec, *x), [RNG.normal(size=s) for s in shapes], [ord(c) for c in spec])


def test_where_chooses() -> None:
    condition = np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    operands = [condition, RNG.normal(size=(2, 3)), RNG.normal(size=3)]
    agrees("where", lambda k, x, y: np.where(k != 0, x, y), operands)
