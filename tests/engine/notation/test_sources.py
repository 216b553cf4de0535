"""The printed programs against the sources' own algorithms, written here as the sources write them: columns, one sample, loops."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.codegen import program_text
from engine.session import open_session
from tests.engine.codegen.test_codegen import ran

V, H, T = 5, 4, 7
Array = np.ndarray[Any, Any]


def sequence(folder: Path) -> tuple[list[int], list[int]]:
    """One sequence of characters as one-hot inputs, each to predict the next, in a data file."""
    rng = np.random.default_rng(2)
    inputs, targets = rng.integers(0, V, T), rng.permutation([*range(V), 0, 1])
    np.savez(folder / "data.npz", X=np.eye(V)[inputs][None], y=targets[None])
    return inputs.tolist(), targets.tolist()


def drawn(shapes: dict[str, tuple[int, ...]]) -> dict[str, Array]:
    rng = np.random.default_rng(3)
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


def printed(folder: Path, weights: dict[str, Array], notation: str, **options: Any) -> dict[str, Any]:
    np.savez(folder / "weights.npz", **weights)
    given = {"weights": folder / "weights.npz", "notation": notation, "reduction": "sum", "predict": "every", **options}
    return ran(program_text(open_session(folder / "data.npz", given)))[0]


def test_min_char_rnn(tmp_path: Path) -> None:
    inputs, targets = sequence(tmp_path)
    weights = drawn({"Wxh": (H, V), "Whh": (H, H), "Why": (V, H), "bh": (H, 1), "by": (V, 1)})
    xs: dict[int, Array] = {}
    ps: dict[int, Array] = {}
    hs = {-1: np.zeros((H, 1))}
    loss = 0.0
    for t, character in enumerate(inputs):
        xs[t] = np.eye(V)[:, [character]]
        hs[t] = np.tanh(weights["Wxh"] @ xs[t] + weights["Whh"] @ hs[t - 1] + weights["bh"])
        raised = np.exp(weights["Why"] @ hs[t] + weights["by"])
        ps[t] = raised / raised.sum()
        loss -= np.log(ps[t][targets[t], 0])
    d = {name: np.zeros_like(value) for name, value in weights.items()}
    dhnext = np.zeros((H, 1))
    for t in reversed(range(T)):
        dy = ps[t].copy()
        dy[targets[t]] -= 1
        d["Why"] += dy @ hs[t].T
        d["by"] += dy
        dhraw = (1 - hs[t] ** 2) * (weights["Why"].T @ dy + dhnext)
        d["bh"] += dhraw
        d["Wxh"] += dhraw @ xs[t].T
        d["Whh"] += dhraw @ hs[t - 1].T
        dhnext = weights["Whh"].T @ dhraw
    names = printed(tmp_path, weights, "karpathy")
    assert float(names["loss"]) == pytest.approx(loss, rel=1e-12)
    for name, expected in d.items():
        np.testing.assert_allclose(names[f"d{name}"], expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("reach", [1, 3])
def test_wildmls_bptt_with_its_truncation(tmp_path: Path, reach: int) -> None:
    x, y = sequence(tmp_path)
    weights = drawn({"U": (H, V), "V": (V, H), "W": (H, H)})
    s, o = np.zeros((T + 1, H)), np.zeros((T, V))  # s[-1] is the state before the first
    for t in range(T):
        s[t] = np.tanh(weights["U"][:, x[t]] + weights["W"] @ s[t - 1])
        o[t] = np.exp(weights["V"] @ s[t]) / np.exp(weights["V"] @ s[t]).sum()
    dLdU, dLdV, dLdW = (np.zeros_like(weights[name]) for name in "UVW")
    delta_o = o.copy()
    delta_o[np.arange(T), y] -= 1
    for t in reversed(range(T)):
        dLdV += np.outer(delta_o[t], s[t])
        delta_t = weights["V"].T @ delta_o[t] * (1 - s[t] ** 2)
        for step in range(t, max(-1, t - reach - 1), -1):
            dLdW += np.outer(delta_t, s[step - 1])
            dLdU[:, x[step]] += delta_t
            delta_t = weights["W"].T @ delta_t * (1 - s[step - 1] ** 2)
    names = printed(tmp_path, weights, "wildml", truncate=reach)
    for name, expected in (("dLdU", dLdU), ("dLdV", dLdV), ("dLdW", dLdW)):
        np.testing.assert_allclose(names[name], expected, rtol=1e-10, atol=1e-12)
