"""Forward passes put together from what people do differently: a few drawn ones are derived whole; and what is derived is short."""

from __future__ import annotations

import ast
import random
from pathlib import Path

import numpy as np
import pytest

from tests.engine.doctor.derive.test_derive import PROGRAMS, derived, made_of
from tests.engine.doctor.derive.variety import programs

EVERY = dict(programs())
DRAWN = [*random.Random(5).sample(sorted(EVERY), 11), "relu-dictionary-vector-squared-last-function"]
"""The last one has no unit that is on at the last step: most of its gradients are zero."""


@pytest.mark.parametrize("name", DRAWN)
def test_a_forward_pass_of_any_style_is_derived_whole(tmp_path: Path, name: str) -> None:
    made = made_of(tmp_path, EVERY[name])
    assert made.gaps == () and max(made.agreement.values()) < 1e-9
    ast.parse(made.program)


def test_the_drawn_ones_are_of_every_kind() -> None:
    kinds = {part for name in EVERY for part in name.split("-")}
    assert {part for name in DRAWN for part in name.split("-")} == kinds and len(EVERY) == 1080


BY_HAND = {
    "many_to_one": """
dscores = y_hat.copy()
dscores[np.arange(m), Y] -= 1
dscores /= m
dWya = a.T @ dscores
da = dscores @ Wya.T
dWax, dWaa = np.zeros_like(Wax), np.zeros_like(Waa)
for t in reversed(range(T_x)):
    dz = da * (a_kept[t + 1] > 0)
    dWax += X[:, t, :].T @ dz
    dWaa += a_kept[t].T @ dz
    da = dz @ Waa.T
""",
    "two_layers": """
dW1, dR1, db1 = np.zeros_like(W1), np.zeros_like(R1), np.zeros_like(b1)
dW2, dR2, db2 = np.zeros_like(W2), np.zeros_like(R2), np.zeros_like(b2)
dW3, db3 = np.zeros_like(W3), np.zeros_like(b3)
dh1_next, dh2_next = np.zeros((B, H1)), np.zeros((B, H2))
for t in reversed(range(T)):
    dlogits = probs[t].copy()
    dlogits[range(B), target[:, t]] -= 1
    dlogits /= B * T
    dW3 += h2[t + 1].T @ dlogits
    db3 += dlogits.sum(axis=0)
    dz2 = (dlogits @ W3.T + dh2_next) * (1 - h2[t + 1] ** 2)
    dW2 += h1[t + 1].T @ dz2
    dR2 += h2[t].T @ dz2
    db2 += dz2.sum(axis=0)
    dh2_next = dz2 @ R2.T
    dz1 = (dz2 @ W2.T + dh1_next) * (1 - h1[t + 1] ** 2)
    dW1 += inp[:, t].T @ dz1
    dR1 += h1[t].T @ dz1
    db1 += dz1.sum(axis=0)
    dh1_next = dz1 @ R1.T
""",
    "states_in_a_list": """
dscores = (p - labels) / 6
dV = dscores @ hs[-1].T
dh = V.T @ dscores
dU, dW, db = np.zeros_like(U), np.zeros_like(W), np.zeros_like(b)
for t in reversed(range(T)):
    xt, h_prev, h = caches[t]
    dz = dh * (h > 0)
    dU += dz @ xt.T
    dW += dz @ h_prev.T
    db += dz.sum(axis=1, keepdims=True)
    dh = W.T @ dz
""",
    "scalar_loops": """
dout = out - y
dwo = dout * h[T]
dh = dout * wo
dwx, dwh = np.zeros_like(wx), np.zeros_like(wh)
for t in reversed(range(T)):
    dh_prev = np.zeros(n_hid)
    for j in range(n_hid):
        ds = dh[j] * (1 - h[t + 1, j] ** 2)
        for i in range(n_in):
            dwx[j, i] += ds * x[t, i]
        for k in range(n_hid):
            dwh[j, k] += ds * h[t, k]
            dh_prev[k] += ds * wh[j, k]
    dh = dh_prev
""",
}
"""Backward passes as one writes them oneself, to forward passes that keep what these read."""


def _ran(text: str, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    known: dict[str, np.ndarray] = {}
    exec(compile(text, "program", "exec"), known)
    return {name: known[f"d{name}"] for name in names}


@pytest.mark.parametrize("name", list(BY_HAND))
def test_the_derived_pass_is_at_most_twice_as_long_as_one_by_hand(name: str) -> None:
    made, by_hand = derived(name), BY_HAND[name]
    program = (PROGRAMS / f"{name}.py").read_text("utf-8")
    names = tuple(made.agreement)
    for keep in sorted(made.keeps, key=lambda one: -one.after):
        lines = program.split("\n")
        program = "\n".join([*lines[: keep.after], keep.text, *lines[keep.after :]])
    ours, theirs = _ran(made.program, names), _ran(program + by_hand, names)
    for one in names:
        np.testing.assert_allclose(ours[one], theirs[one], rtol=1e-9, atol=1e-15)
    written = [line for line in made.lines if line.kind != "update"]
    assert len(written) <= 2 * len(by_hand.strip().split("\n"))
