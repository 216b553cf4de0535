"""Programs that keep their matrices in lists of numbers: each list is an array, however it was made and however it is stepped."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.doctor.diagnose import diagnose
from engine.doctor.lineage.verdict.verdict import judged
from tests.engine.doctor.lineage.programs import TAGGER, changed, run, statuses, verdict_on

LISTS = """
import math, random
random.seed(4)
I, H, O = 3, 4, 2

def matrix(rows, columns):
    return [[random.random() * 0.8 - 0.4 for _ in range(columns)] for _ in range(rows)]

U = matrix(H, I)
W = matrix(H, H)
V = matrix(O, H)
b = [0.0] * H
xs = [[random.gauss(0, 1) for _ in range(I)] for _ in range(4)]
label = 1

def times(m, v):
    out = [0.0 for _ in m]
    for i in range(len(m)):
        for j in range(len(v)):
            out[i] += m[i][j] * v[j]
    return out

def transposed(m):
    return [list(column) for column in zip(*m)]

for epoch in range(3):
    hs = [[0.0] * H]
    for x in xs:
        z = [p + q + r for p, q, r in zip(times(U, x), times(W, hs[-1]), b)]
        hs.append([math.tanh(n) for n in z])
    scores = times(V, hs[-1])
    total = sum(math.exp(s) for s in scores)
    p = [math.exp(s) / total for s in scores]
    loss = -math.log(p[label])
    dy = p[:]
    dy[label] -= 1
    dU, dW = [[0.0] * I for _ in range(H)], [[0.0] * H for _ in range(H)]
    dV = [[e * h for h in hs[-1]] for e in dy]
    db = [0.0] * H
    dh = times(transposed(V), dy)
    for t in reversed(range(len(xs))):
        dz = [d * (1 - h * h) for d, h in zip(dh, hs[t + 1])]
        for i in range(H):
            db[i] += dz[i]
            for j in range(I):
                dU[i][j] += dz[i] * xs[t][j]
            for j in range(H):
                dW[i][j] += dz[i] * hs[t][j]
        dh = times(transposed(W), dz)
    for m, dm in ((U, dU), (W, dW), (V, dV)):
        for i in range(len(m)):
            for j in range(len(m[i])):
                m[i][j] -= 0.1 * dm[i][j]
    b = [n - 0.1 * d for n, d in zip(b, db)]
"""

MADE = "    return [[random.random() * 0.8 - 0.4 for _ in range(columns)] for _ in range(rows)]"
APPENDED = """    made = []
    for _ in range(rows):
        made.append([])
        for _ in range(columns):
            made[-1].append(random.uniform(-0.4, 0.4))
    return made"""
BY_ROW = """    made = []
    for _ in range(rows):
        row = [random.uniform(-0.4, 0.4) for _ in range(columns)]
        made.append(row)
    return made"""
FILLED = """    made = [[None] * columns for _ in range(rows)]
    for i in range(rows):
        for j in range(columns):
            made[i][j] = (2 * random.random() - 1) * math.sqrt(0.2)
    return made"""
STEP = """        for i in range(len(m)):
            for j in range(len(m[i])):
                m[i][j] -= 0.1 * dm[i][j]
"""
BOUND_AGAIN = """        m[:] = [[n - 0.1 * d for n, d in zip(*rows)] for rows in zip(m, dm)]
"""
RIGHT = {"U": "right", "W": "right", "V": "right", "b": "right"}


@pytest.mark.parametrize("made", [MADE, APPENDED, BY_ROW, FILLED], ids=["at once", "by number", "by row", "filled"])
def test_a_list_of_numbers_is_a_weight_however_it_was_made(tmp_path: Path, made: str) -> None:
    verdict = verdict_on(tmp_path, changed(LISTS, (MADE, made)))
    assert statuses(verdict) == RIGHT
    assert {row.name: len(row.own) for row in verdict.compared} == {"U": 12, "W": 16, "V": 8, "b": 4}
    assert verdict.verdict == "right"


def test_lists_that_are_made_anew_by_a_step_are_those_lists_still(tmp_path: Path) -> None:
    verdict = verdict_on(tmp_path, changed(LISTS, (STEP, BOUND_AGAIN)))
    assert statuses(verdict) == RIGHT
    assert verdict.record is not None
    assert verdict.record.outcome["ended"] == "end"
    assert len(verdict.rounds) == 3


def test_a_matrix_in_lists_that_is_not_transposed_makes_what_lies_before_it_wrong(tmp_path: Path) -> None:
    verdict = verdict_on(tmp_path, changed(LISTS, ("dh = times(transposed(W), dz)", "dh = times(W, dz)")))
    assert statuses(verdict) == {"U": "wrong", "W": "wrong", "V": "right", "b": "wrong"}


@pytest.mark.parametrize(
    "made",
    [
        "    return np.array([[random.random() - 0.5] * columns for _ in range(rows)])",
        "    made = []\n    for _ in range(rows):\n        row = []\n        for _ in range(columns):\n"
        "            row.append(random.random() - 0.5)\n        made.append(np.array(row))\n    return np.array(made)",
    ],
    ids=["numbers that stand at several places", "rows"],
)
def test_an_array_that_is_made_of_lists_of_numbers_is_a_weight(tmp_path: Path, made: str) -> None:
    weights = "U, W, V = rng.randn(H, D) * 0.5, rng.randn(H, H) * 0.5, rng.randn(K, H) * 0.5\n"
    function = (
        f"import random\ndef matrix(rows, columns):\n{made}\nU, W, V = matrix(H, D), matrix(H, H), matrix(K, H)\n"
    )
    record = run(tmp_path, changed(TAGGER, (weights, function)), rounds=2)
    assert record.outcome["ended"] == "update"
    assert statuses(judged(record)) == dict.fromkeys("UWVbc", "right")


def test_matrices_of_one_shape_that_one_function_reads_come_round(tmp_path: Path) -> None:
    one_shape = ("I, H, O = 3, 4, 2", "I, H, O = 4, 4, 4")
    record = run(tmp_path, changed(LISTS, one_shape), rounds=2)
    assert record.outcome["ended"] == "update"
    assert statuses(judged(record)) == RIGHT


def test_a_function_for_the_derivative_of_a_list_of_states_is_put_right(tmp_path: Path) -> None:
    slope = "def slope(v):\n    return [1 - math.tanh(n) ** 2 for n in v]\n\ndef times("
    used = "dz = [d * s for d, s in zip(dh, slope(hs[t + 1]))]"
    path = tmp_path / "mine.py"
    path.write_text(
        changed(LISTS, ("def times(", slope), ("dz = [d * (1 - h * h) for d, h in zip(dh, hs[t + 1])]", used))
    )
    (found,) = diagnose(path).diagnoses
    assert found.fix == "return [1 - n ** 2 for n in v]"


def test_a_weight_that_is_not_transposed_on_the_way_back_is_put_right_in_lists(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(changed(LISTS, ("dh = times(transposed(W), dz)", "dh = times(W, dz)")))
    (found,) = diagnose(path).diagnoses
    assert (found.id, found.fix) == ("wa-not-transposed", "dh = times(list(zip(*W)), dz)")


UNITS = """
import math, random
random.seed(1)


class Unit:
    def __init__(self, n):
        self.w, self.v = [random.uniform(-1, 1) for _ in range(n)], [0.0] * n


units = [Unit(4), Unit(3)]
for _ in range(6):
    x, cost, errors = [random.uniform(-1, 1) for _ in range(4)], 0.0, []
    for u in units:
        out = math.tanh(sum(a * b for a, b in zip(u.w, x)))
        cost += 0.5 * (out - 0.3) ** 2
        errors.append((out - 0.3) * (1 - out ** 2))
    for u, e in zip(units, errors):
        for k in range(len(u.w)):
            u.v[k] = 0.5 * u.v[k] - 0.1 * e * x[k]
            u.w[k] += u.v[k]
"""


@pytest.mark.parametrize(("index", "verdict"), [("k", "right"), ("k - 1", "wrong")])
def test_units_of_one_class_that_are_stepped_with_momentum_are_arrays_of_their_own(
    tmp_path: Path, index: str, verdict: str
) -> None:
    found = verdict_on(tmp_path, UNITS.replace("e * x[k]", f"e * x[{index}]"))
    assert found.verdict == verdict
    assert verdict == "wrong" or [len(each.compared) for each in found.rounds[:2]] == [2, 2]


THETA = """
import numpy as np

rng = np.random.default_rng(5)
theta = np.array([0.4, 0.7, 0.1, 0.9])
for x, y in zip(rng.normal(size=(20, 4)), rng.normal(size=20)):
    h = [0.0]
    for v in x:
        h.append(np.tanh(theta[0] * v + theta[1] * h[-1] + theta[2]))
    loss = 0.5 * (theta[3] * h[-1] - y) ** 2
    g = np.zeros(4)
    g[3] = (theta[3] * h[-1] - y) * h[-1]
    dh = (theta[3] * h[-1] - y) * theta[3]
    for t in range(4, 0, -1):
        dz = dh * (1 - h[t] ** 2)
        g[0] += dz * x[t - 1]
        g[1] += dz * h[t - 1]
        g[2] += dz
        dh = dz * theta[1]
    theta -= 0.05 * g
"""


def test_weights_may_be_the_entries_of_one_array(tmp_path: Path) -> None:
    """What is added to, entry by entry, and read for that alone is no weight that has come round."""
    verdict = verdict_on(tmp_path, THETA)
    assert [(row.name, row.status) for row in verdict.compared] == [("theta", "right")]
    assert verdict_on(tmp_path, changed(THETA, ("dh = dz * theta[1]", "dh = dz"))).verdict == "wrong"
