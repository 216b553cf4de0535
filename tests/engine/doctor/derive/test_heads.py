"""The short form of dL/d(output), found by numbers: each form is computed here and compared with the derivative."""

from __future__ import annotations

import ast

import numpy as np
import pytest

from engine.doctor.derive.backward.heads import OutputValue, short_form

RNG = np.random.default_rng(1)


def softmax(z: np.ndarray, axis: int = -1) -> np.ndarray:
    e = np.exp(z - z.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def evaluated(lines: tuple[str, ...], names: dict[str, object]) -> np.ndarray:
    exec("\n".join(lines).replace("{0}", "dz"), {"np": np}, names)
    return np.asarray(names["dz"])


ROWS = ast.parse("loss = -np.mean(np.log(p[np.arange(m), y]))").body
STEP = ast.parse("loss += -np.log(ps[t][targets[t], 0])").body
NO_INDEX = ast.parse("loss = np.mean((out - y) ** 2)").body


def test_softmax_rows_with_classes_by_index() -> None:
    z, y = RNG.normal(size=(5, 2)), np.array([0, 1, 1, 0, 1])
    p = softmax(z)
    g = (p - np.eye(2)[y]) / 5
    found = short_form([OutputValue("z", (z,), (g,)), OutputValue("p", (p,), (g,))], ROWS, {"m": 5})
    assert found is not None
    assert found.of == "z"
    assert found.lines == ("{0} = p.copy()", "{0}[np.arange(m), y] -= 1", "{0} /= m")
    assert np.allclose(evaluated(found.lines, {"p": p, "y": y, "m": 5}), g)


def test_softmax_columns_by_step_and_its_logarithm() -> None:
    zs = [RNG.normal(size=(4, 1)) for _ in range(3)]
    ps = [softmax(z, 0) for z in zs]
    gs = [p - np.eye(4)[:, [k]] for k, p in enumerate(ps)]
    z = OutputValue("ys[t]", tuple(zs), tuple(gs))
    found = short_form([z, OutputValue("ps[t]", tuple(ps))], STEP, {})
    assert found is not None
    assert found.lines == ("{0} = ps[t].copy()", "{0}[targets[t], 0] -= 1")
    logs = OutputValue("logp", tuple(map(np.log, ps)))
    found = short_form([z, logs], ast.parse("loss -= logp[targets[t], 0]").body, {})
    assert found is not None
    assert found.lines[0] == "{0} = np.exp(logp)"


def test_one_hot_targets_in_columns() -> None:
    z = RNG.normal(size=(3, 4))
    p, y = softmax(z, 0), np.eye(3)[:, [0, 2, 1, 1]]
    values = [OutputValue("y", (y,)), OutputValue("z", (z,), ((p - y) / 4,)), OutputValue("p", (p,))]
    found = short_form(values, NO_INDEX, {"n": 3, "m": 4})
    assert found is not None
    assert found.lines == ("{0} = (p - y) / m",)


@pytest.mark.parametrize(
    ("factor", "shown"), [(1.0, "out - y"), (2 / 10, "2 * (out - y) / out.size"), (1 / 3, "(out - y) / T")]
)
def test_squared_error_with_the_factor_of_the_loss(factor: float, shown: str) -> None:
    out, y = RNG.normal(size=(5, 2)), RNG.normal(size=(5, 2))
    found = short_form([OutputValue("out", (out,), (factor * (out - y),)), OutputValue("y", (y,))], NO_INDEX, {"T": 3})
    assert found is not None
    assert found.lines == (f"{{0}} = {shown}",)
    assert np.allclose(evaluated(found.lines, {"out": out, "y": y, "T": 3}), factor * (out - y))


def test_sigmoid_with_binary_cross_entropy() -> None:
    z, y = RNG.normal(size=6), np.array([0.0, 1, 1, 0, 1, 0])
    p = 1 / (1 + np.exp(-z))
    values = [OutputValue("z", (z,), (p - y,)), OutputValue("p", (p,), ((p - y) / (p * (1 - p)),))]
    found = short_form([*values, OutputValue("labels", (y,))], NO_INDEX, {})
    assert found is not None
    assert (found.of, found.lines) == ("z", ("{0} = p - labels",))


def test_another_loss_has_no_short_form() -> None:
    z = RNG.normal(size=(5, 3))
    p, y = softmax(z), np.eye(3)[[0, 1, 2, 0, 1]]
    g = (p - y) * p
    assert (
        short_form([OutputValue("z", (z,), (g,)), OutputValue("p", (p,), (g,)), OutputValue("y", (y,))], ROWS, {})
        is None
    )
