"""Corrections that write out what other statements compute: products of a block, and values of the forward pass that nothing keeps."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np

from engine.doctor.lineage.record.reading import Record
from engine.doctor.lineage.record.running import Runs, Trials
from engine.doctor.lineage.verdict.run_verdict import RunVerdict
from engine.doctor.lineage.verdict.verdict import judged
from engine.doctor.mending.around.loops import in_the_first_round
from engine.doctor.mending.edits.edits import KINDS, of_statement
from engine.doctor.mending.edits.expression_text import text_of
from engine.doctor.mending.edits.made_again import forward_values, products, with_values
from engine.doctor.mending.naming.slopes import slopes
from engine.doctor.mending.trials.places import EditPlace, places_of
from engine.doctor.mending.trials.probing import Prober, survivors
from engine.doctor.recording.trials.terms import terms
from tests.engine.doctor.lineage.programs import runs_of

GATED = """
import numpy as np

rng = np.random.RandomState(4)
D, H, K, T = 3, 4, 2, 4
U, W, b = rng.randn(H, D) * 0.5, rng.randn(H, H) * 0.5, np.zeros(H)
F, d, V = rng.randn(H, D) * 0.5, np.zeros(H), rng.randn(K, H) * 0.5
for step in range(2):
    xs, ys = rng.randn(T, D), rng.randn(T, K)
    h, loss, fs, gs, hs, errors = np.zeros(H), 0.0, [], [], [], []
    for x, y in zip(xs, ys):
        f = 1 / (1 + np.exp(-(F @ x + d)))
        g = np.tanh(U @ x + W @ (f * h) + b)
        fs.append(f)
        gs.append(g)
        hs.append(h)
        h = (1 - f) * h + f * g
        errors.append(V @ h - y)
        loss += 0.5 * np.sum(errors[-1] ** 2)
    dU, dW, db, dF, dd, dV = (np.zeros_like(w) for w in (U, W, b, F, d, V))
    later = np.zeros(H)
    for t in reversed(range(T)):
        x, f, g, h = xs[t], fs[t], gs[t], hs[t]
        dV += np.outer(errors[t], (1 - f) * h + f * g)
        dh = V.T @ errors[t] + later
        dz = dh * f * (1 - g**2)
        dU += np.outer(dz, x)
        dW += np.outer(dz, f * h)
        db += dz
        df = dh * (g - h) + h * (W.T @ dz)
        da = df * f * (1 - f)
        dF += np.outer(da, x)
        dd += da
        later = dh * (1 - f) + f * (W.T @ dz)
    for weight, gradient in ((U, dU), (W, dW), (b, db), (F, dF), (d, dd), (V, dV)):
        weight -= 0.1 * gradient
    print(loss)
"""
"""Its last state of each step is kept nowhere: the way back reads it as the forward pass makes it."""
READ_OUT = "dV += np.outer(errors[t], (1 - f) * h + f * g)"
LATER = "later = dh * (1 - f) + f * (W.T @ dz)"


def _places(tmp_path: Path, text: str) -> tuple[Runs, Record, RunVerdict, dict[str, str], list[EditPlace]]:
    runs = runs_of(tmp_path, text, rounds=1)
    _, record = runs.followed()
    assert not isinstance(record, str)
    verdict, texts = judged(record), {runs.name: text}
    return runs, record, verdict, texts, places_of(texts, record, verdict)


def _suspected(tmp_path: Path, right: str, wrong: str, *, missing: bool) -> list[str]:
    """What the statement that made it wrong may be instead, after a run in which edits of it were tried, the likeliest first."""
    runs, record, verdict, texts, places = _places(tmp_path, GATED.replace(right, wrong))
    (place,) = [p for p in places if text_of(p.statement) == wrong]
    with Trials(runs, record.modules) as trials:
        answers = Prober(trials, verdict, []).probed(texts, [place], missing=missing)
    assert answers is not None
    return [edit.statement for _, _, edit in survivors(answers)[0]]


def test_a_state_that_is_kept_nowhere_is_made_again(tmp_path: Path) -> None:
    assert READ_OUT in _suspected(tmp_path, READ_OUT, "dV += np.outer(errors[t], h)", missing=False)


def test_a_term_that_another_line_has_a_part_of(tmp_path: Path) -> None:
    assert LATER in _suspected(tmp_path, LATER, "later = dh * (1 - f)", missing=True)


def test_a_product_of_two_arrays_for_another_one(tmp_path: Path) -> None:
    """The outer product of others than those that are multiplied, the other way round."""
    right, wrong = "dU += np.outer(dz, x)", "dU += np.dot(h.reshape(-1, 1), dh.reshape(1, -1)[:, :3])"
    assert right in _suspected(tmp_path, right, wrong, missing=True)


def test_the_way_back_of_several_biases_is_no_optimizer(tmp_path: Path) -> None:
    """It works place by place, too, but once for all of them."""
    *_, places = _places(tmp_path, GATED.replace(LATER, "later = dh * (1 - f)"))
    assert [text_of(p.statement) for p in places if p.steps] == ["weight -= 0.1 * gradient"]


def test_what_other_statements_compute() -> None:
    body = ast.parse("dr = np.dot(W.T, dz) * h\ndW += np.dot(dz, h.T)\ndu = (U @ dz) * f\nlater = dh * f").body
    assert products(body, body[-1]) == ["np.dot(W.T, dz)", "(U @ dz)"]
    forward = ast.parse("y = step(x)\nz = W @ x + b\nh = f * h + (1 - f) * np.tanh(z + U @ h)\nk = f")
    assert forward_values(forward, range(1, 5)) == [
        "W @ x + b",
        "f * h + (1 - f) * np.tanh(z + U @ h)",
        "np.tanh(z + U @ h)",
    ]
    statement = ast.parse("dV += np.outer(d, h.T)").body[0]
    assert "dV += np.outer(d, (W @ x + b).T)" in [e.statement for e in with_values(statement, ["W @ x + b"])]


def test_the_state_before_the_first_is_none() -> None:
    statement = ast.parse("dW += np.outer(dz, h[t])").body[0]
    made = {e.statement: e.kind for e in of_statement(statement, ["h[t]", "dz"])}
    assert made["dW += np.outer(dz, h[t - 1] if t > 0 else 0 * h[t])"] == "index"
    assert slopes("dW += np.outer(dz, h[t - 1] if t > 0 else 0 * h[t])") == []


def test_an_outer_product_may_be_meant() -> None:
    known = [("d", (3,)), ("h", (4,))]
    (made,) = [term for term in terms(known, (3, 4)) if term.by == "outer"]
    assert made.text == " + np.outer(d, h)"
    assert made.value(_Values()).shape == (3, 4)


class _Values:
    def value(self, text: str) -> np.ndarray:
        return {"d": np.ones(3), "h": np.ones(4)}[text]


def test_training_has_no_first_round_for_an_output() -> None:
    text = "for n in range(9):\n    for t in range(4):\n        d = e + f(t)\n    W -= d\n"
    found = list(in_the_first_round(ast.parse(text), {3, 4}, {4}))
    assert {text_of(s) for changes in found for s, _ in changes} == {"d = e + f(t)"}


def test_the_derivative_of_a_gate_is_no_softmax_s() -> None:
    """In a column the sum over the last axis is one number, and softmax's derivative the gate's own: the gate's is tried first."""
    statement = ast.parse("d = d * sigmoid(o) * (1 - sigmoid(o))").body[0]
    kinds = {e.statement: KINDS.index(e.kind) for e in of_statement(statement, ["o", "d"])}
    assert kinds["d = d * (o * (1 - o))"] < kinds["d = o * (d - (d * o).sum(axis=-1, keepdims=True))"]


def test_a_function_that_is_asked_for_its_derivative() -> None:
    assert [(s.form, s.of) for s in slopes("dz = dh * tanh(h[t], derivative=True)")] == [("tanh_derivative", "h[t]")]
