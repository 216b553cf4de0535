"""Which scalar is the loss: for each decision a program that is judged falsely without it."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.doctor.lineage.remarks.told import remarks
from engine.doctor.lineage.verdict.verdict import judged
from tests.engine.doctor.lineage.programs import TAGGER, changed, line_of, run, statuses, verdict_on

RIGHT = dict.fromkeys(("U", "W", "V", "b", "c"), "right")


def test_of_several_scalars_the_one_that_the_updates_agree_with(tmp_path: Path) -> None:
    """A penalty, a norm and a smoothed loss are computed too."""
    text = changed(
        TAGGER,
        (
            "    grads = backward(",
            "    penalty_loss = loss + 0.1 * (W ** 2).sum()\n    cost = np.abs(ps[-1]).sum()\n    grads = backward(",
        ),
        ("    print(step, loss)", "    smooth_loss = 0.999 * 40.0 + loss * 0.001\n    print(step, loss, smooth_loss)"),
    )
    verdict = verdict_on(tmp_path, text)
    assert verdict.verdict == "right"
    assert verdict.loss is not None and verdict.loss.name == "loss"


def test_a_name_decides_between_losses_that_differ_by_a_factor(tmp_path: Path) -> None:
    text = changed(TAGGER, ("    grads = backward(", "    shown = loss / T\n    grads = backward("))
    verdict = verdict_on(tmp_path, text, rounds=1)
    assert verdict.loss is not None and verdict.loss.name == "loss"
    assert [round(row.match.factor, 6) for row in verdict.compared if row.match] == [-0.1] * 5


def test_gradients_of_several_sequences_belong_to_the_sum_of_their_losses(tmp_path: Path) -> None:
    text = changed(
        TAGGER,
        ("    grads = backward(xs, labels, hs, ps)\n", "    first = backward(xs, labels, hs, ps)\n"),
        (
            "    for weight, grad",
            "    xs, labels = rng.randn(T, D), rng.randint(0, K, T)\n    hs, ps, loss = forward(xs, labels)\n"
            "    grads = [one + two for one, two in zip(first, backward(xs, labels, hs, ps))]\n    for weight, grad",
        ),
    )
    verdict = verdict_on(tmp_path, text, rounds=1)
    assert verdict.verdict == "right"
    assert statuses(verdict) == RIGHT


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("the cross-entropy", []),
        (
            "half the squared error",
            [
                ("e = np.exp(V @ hs[-1] + c)\n        ps.append(e / e.sum())", "ps.append(V @ hs[-1] + c)"),
                ("dy[labels[t]] -= 1", "dy = dy - np.eye(K)[labels[t]]"),
            ],
        ),
        (
            "the binary cross-entropy",
            [
                (
                    "e = np.exp(V @ hs[-1] + c)\n        ps.append(e / e.sum())",
                    "ps.append(1 / (1 + np.exp(-(V @ hs[-1] + c))))",
                ),
                ("dy[labels[t]] -= 1", "dy = dy - np.eye(K)[labels[t]]"),
            ],
        ),
    ],
)
def test_a_loss_that_is_not_computed_is_one_of_three(tmp_path: Path, name: str, changes: list[tuple[str, str]]) -> None:
    text = changed(TAGGER, ("        loss -= np.log(ps[-1][label])\n", ""), *changes)
    verdict = verdict_on(tmp_path, text, rounds=1)
    assert verdict.verdict == "right"
    assert verdict.loss is not None and verdict.loss.assumed.startswith(name)


def test_without_an_update_what_is_returned_is_compared(tmp_path: Path) -> None:
    text = TAGGER.split("for step in")[0] + (
        "xs, labels = rng.randn(T, D), [0, 1, 2, 1, 0]\nhs, ps, loss = forward(xs, labels)\n"
        "dU, dW, dV, db, dc = backward(xs, labels, hs, ps)\n"
    )
    assert statuses(verdict_on(tmp_path, text)).items() >= RIGHT.items()
    wrong = verdict_on(tmp_path, changed(text, ("dh = V.T @ dy + later", "dh = V.T @ dy")))
    assert statuses(wrong).items() >= {**RIGHT, "U": "wrong", "W": "wrong", "b": "wrong"}.items()


def test_a_state_is_not_called_wrong_for_the_name_of_a_steps_gradient(tmp_path: Path) -> None:
    """`dh` is dL/dh of a step, not of the first state that is called h."""
    text = TAGGER.split("for step in")[0] + (
        "h = rng.randn(H) * 0.1\nxs, labels = rng.randn(T, D), [0, 1, 2, 1, 0]\nhs, ps, loss = forward(xs, labels)\n"
        "dU, dW, dV, db, dc = backward(xs, labels, hs, ps)\n"
    )
    text = changed(text, ("hs, ps, loss = [np.zeros(H)], [], 0.0", "hs, ps, loss = [h], [], 0.0"))
    verdict = verdict_on(tmp_path, text)
    assert verdict.verdict == "right"


def test_a_loss_by_upstream_and_output(tmp_path: Path) -> None:
    text = TAGGER.split("for step in")[0] + (
        "xs, labels = rng.randn(T, D), [0, 1, 2, 1, 0]\nhs, ps, _ = forward(xs, labels)\nout = np.array(hs[1:])\n"
        "upstream = rng.randn(*out.shape)\nloss = np.sum(out * upstream)\n"
        "dW, later = np.zeros_like(W), np.zeros(H)\nfor t in reversed(range(T)):\n    dz = (upstream[t] + later) * (1 - hs[t + 1] ** 2)\n"
        "    dW += np.outer(dz, hs[t])\n    later = W.T @ dz\n"
    )
    assert statuses(verdict_on(tmp_path, text))["W"] == "right"


def test_without_any_loss_nothing_is_said_about_the_code(tmp_path: Path) -> None:
    verdict = verdict_on(tmp_path, "import numpy as np\nW = np.ones((2, 2))\nprint(W @ W)\n")
    assert verdict.verdict == "undecided" and not verdict.compared


MEASURED = """    return hs, ps


def measured(xs, labels):
    ps = forward(xs, labels)[1]
    loss = -np.sum([np.log(p[label]) for p, label in zip(ps, labels)])
    return loss
"""


def test_the_loss_of_the_training_data_is_told_from_that_of_other_data_computed_after_it(tmp_path: Path) -> None:
    text = changed(
        TAGGER,
        ("        loss -= np.log(ps[-1][label])\n", ""),
        ("    return hs, ps, loss\n", MEASURED),
        (
            "    hs, ps, loss = forward",
            "    measured(xs, labels), measured(rng.randn(T, D), labels)\n    hs, ps = forward",
        ),
        ("    print(step, loss)\n", ""),
    )
    assert verdict_on(tmp_path, text).verdict == "right"


BITS = """
import numpy as np

rng = np.random.RandomState(1)
U, W, V = rng.randn(2, 4), rng.randn(4, 1), rng.randn(1, 1)
for step in range(9):
    xs, bits = rng.randint(0, 2, (6, 2)), [0, 1, 1, 0, 1, 0]
    hs, outs, total = [np.zeros((1, 1))], [], 0
    for x, bit in zip(xs, bits):
        hs.append(1 / (1 + np.exp(-(np.tanh(x[None] @ U) @ W + hs[-1]))))
        outs.append(1 / (1 + np.exp(-(hs[-1] @ V))))
        total += abs(outs[-1] - np.array([[bit]])).item()
    dU, dW, dV, later = np.zeros_like(U), np.zeros_like(W), np.zeros_like(V), np.zeros((1, 1))
    for t in reversed(range(6)):
        error = (outs[t] - np.array([[bits[t]]])) * outs[t] * (1 - outs[t])
        dz = (error @ V.T + later) * hs[t + 1] * (1 - hs[t + 1])
        a = np.tanh(xs[t][None] @ U)
        dV += hs[t + 1].T @ error
        dW += a.T @ dz
        dU += xs[t][:, None] @ (dz @ W.T * (1 - a ** 2))
        later = dz
    U -= 0.1 * dU
    W -= 0.1 * dW
    V -= 0.1 * dV
"""
"""The absolute error is shown, and the gradients are those of the squared one; outputs and states are one number each, made by the same
lines."""


def test_a_target_of_1_is_a_target_like_any_other(tmp_path: Path) -> None:
    """`p - 1`, of an output that is one number, takes no 1 off an entry of several."""
    verdict = verdict_on(tmp_path, BITS, rounds=1)
    assert statuses(verdict) == {"U": "right", "W": "right", "V": "right"}
    assert verdict.loss is not None and len(verdict.loss.seeds) == 6


def test_an_error_of_inputs_that_are_single_numbers_is_no_penalty(tmp_path: Path) -> None:
    numbers = """rows, bits = [], [0, 1, 1, 0, 1, 0]
    for pair in rng.randint(0, 2, (6, 2)):
        rows.append([])
        for bit in pair:
            rows[-1].append(float(bit))
    xs = np.array(rows)
"""
    text = changed(
        BITS,
        ("xs, bits = rng.randint(0, 2, (6, 2)), [0, 1, 1, 0, 1, 0]\n", numbers),
        ("total += abs(", "error_of_one = 0.0 + ("),
        ("np.array([[bit]])).item()", "np.array([[bit]])).item() ** 2"),
    )
    record = run(tmp_path, text, rounds=2)
    assert [r.id for r in remarks(record, judged(record), {})] == []


TWO_CLASSES = """
import numpy as np

rng = np.random.RandomState(2)
U, W, V, c = rng.randn(4, 3) * 0.4, rng.randn(4, 4) * 0.4, rng.randn(2, 4) * 0.4, np.zeros(2)
for step in range(9):
    xs, hs, label = rng.randn(5, 3), [np.zeros(4)], step % 2
    for x in xs:
        hs.append(np.tanh(U @ x + W @ hs[-1]))
    p = np.exp(V @ hs[-1] + c)
    p /= p.sum()
    print(-np.log(p[label]))
    dy = p.copy()
    dy[label] -= 1
    dU, dW, dV, dh = np.zeros_like(U), np.zeros_like(W), np.outer(dy, hs[-1]), V.T @ dy
    for t in reversed(range(5)):
        dz = dh * (1 - hs[t + 1] ** 2)
        dU += np.outer(dz, xs[t])
        dW += np.outer(dz, hs[t])
        dh = W.T @ dz
    for weight, slope in ((U, dU), (W, dW), (V, dV), (c, dy)):
        weight -= 0.1 * slope
"""


def test_of_several_losses_that_fit_up_to_a_factor_the_one_without_is_taken(tmp_path: Path) -> None:
    """With two classes and one sample every loss of p has parallel gradients."""
    verdict = verdict_on(tmp_path, TWO_CLASSES, rounds=1)
    assert verdict.verdict == "right" and verdict.loss is not None
    assert verdict.loss.name == "the cross-entropy"


HEADS = changed(
    TAGGER,
    ("    return hs, ps, loss\n", "    last = R @ hs[-1] - len(xs)\n    return hs, ps, loss, last, (last**2).sum()\n"),
    ("b, c = ", "R = rng.randn(2, H) * 0.5\nb, c = "),
    (
        "hs, ps, loss = forward(xs, labels)",
        "hs, ps, first_loss, last, second_loss = forward(xs, labels)\n    loss = first_loss + second_loss",
    ),
    ("def backward(xs, labels, hs, ps):", "def backward(xs, labels, hs, ps, last):"),
    ("backward(xs, labels, hs, ps)\n    for", "backward(xs, labels, hs, ps, last)\n    for"),
    ("return dU, dW, dV, db, dc", "return dU, dW, dV, db, dc, np.outer(2 * last, hs[-1])"),
    ("zip((U, W, V, b, c), grads)", "zip((U, W, V, b, c, R), grads)"),
    ("later = np.zeros(H)", "later = 2 * R.T @ last"),
)


def test_a_part_of_the_loss_is_not_taken_for_it_where_weights_have_a_part_in_the_whole_alone(tmp_path: Path) -> None:
    assert statuses(verdict_on(tmp_path, HEADS, rounds=1)) == {**RIGHT, "R": "right"}
    text = changed(HEADS, ("later = 2 * R.T @ last", "later = np.zeros(H)"))
    verdict = verdict_on(tmp_path, text, rounds=1)
    assert verdict.loss is not None and verdict.loss.name == "loss"
    assert {name for name, status in statuses(verdict).items() if status == "wrong"} == {"U", "W", "b"}


def test_a_measure_with_which_the_gradients_agree_is_not_the_loss_beside_it(tmp_path: Path) -> None:
    """Weights of the classes that the gradient leaves out; the mean without them is printed."""
    weighted = (
        "loss -= np.log(ps[-1][label])",
        "nll = -np.log(ps[-1][label])\n        plain += nll\n        loss += (1 + label) * nll",
    )
    text = changed(
        TAGGER, weighted, ("hs, ps, loss = [np.zeros(H)], [], 0.0", "hs, ps, loss, plain = [np.zeros(H)], [], 0.0, 0.0")
    )
    verdict = verdict_on(tmp_path, text, rounds=1)
    assert verdict.verdict == "wrong"
    assert verdict.loss is not None and verdict.loss.name == "loss"


def test_a_loss_that_other_rounds_were_taken_from_is_found_in_each(tmp_path: Path) -> None:
    """One update a sequence, and one number for the loss of all: the first sequence is too short for a gradient of W."""
    text = changed(
        TAGGER,
        (
            "    xs, labels = rng.randn(T, D), rng.randint(0, K, T)\n",
            "    T = 1 + step\n    xs, labels = rng.randn(T, D), rng.randint(0, K, T)\n",
        ),
        ("    hs, ps, loss = forward(xs, labels)\n", "    hs, ps, own = forward(xs, labels)\n    loss -= -own\n"),
        ("for step in range(3):", "loss = 0.0\nfor step in range(3):"),
    )
    verdict = verdict_on(tmp_path, text, rounds=3)
    assert statuses(verdict) == RIGHT


def test_a_total_that_the_loss_is_added_to_hides_it_not(tmp_path: Path) -> None:
    text = changed(
        TAGGER,
        ("    print(step, loss)", "    seen += loss"),
        ("for step in range(3):", "seen = 0.0\nfor step in range(3):"),
    )
    verdict = verdict_on(tmp_path, text, rounds=1)
    assert verdict.loss is not None and verdict.loss.name == "loss" and not verdict.loss.assumed


WINDOWS = """
import numpy as np

rng = np.random.RandomState(1)
U, W, V = rng.randn(4, 3) * 0.4, rng.randn(4, 4) * 0.4, rng.randn(1, 4) * 0.4
xs, goal, total = rng.randn(12, 3), rng.randn(12), 0.0
contexts = [np.zeros(4)]
for t in range(12):
    contexts.append(np.tanh(U @ xs[t] + W @ contexts[-1]))
    total += 0.5 * ((V @ contexts[-1])[0] - goal[t]) ** 2
    if t < 2:
        continue
    hs = [contexts[t - 2]]
    for k in (t - 2, t - 1, t):
        hs.append(np.tanh(U @ xs[k] + W @ hs[-1]))
    error = V @ hs[-1] - goal[t]
    dh, dU, dW = V.T @ error, np.zeros_like(U), np.zeros_like(W)
    for k in (3, 2, 1):
        dz = dh * (1 - hs[k] ** 2)
        dU += np.outer(dz, xs[t - 3 + k])
        dW += np.outer(dz, hs[k - 1])
        dh = W.T @ dz
    U -= 0.1 * dU
    W -= 0.1 * dW
    V -= 0.1 * np.outer(error, hs[-1])
"""


def test_windows_that_are_computed_again_from_a_kept_state_have_a_loss_of_their_own(tmp_path: Path) -> None:
    """It was the output of the first pass, of which each gradient is a multiple, and then nothing that the next window has."""
    verdict = verdict_on(tmp_path, WINDOWS, rounds=3)
    assert verdict.verdict == "right", verdict.not_compared
    assert verdict.loss is not None
    assert verdict.loss.line == line_of(WINDOWS, "error = ")
    assert verdict_on(tmp_path, changed(WINDOWS, ("dh = W.T @ dz", "dh = W @ dz")), rounds=3).verdict != "right"


def test_a_target_that_is_taken_off_a_softmax_of_which_the_first_entry_was_compared_before(tmp_path: Path) -> None:
    text = changed(
        TAGGER,
        ("        loss -= np.log(ps[-1][label])\n", ""),
        ("        dy = ps[t].copy()\n", "        least = ps[t][0] - rng.rand()\n        dy = ps[t].copy()\n"),
        ("rng.randint(0, K, T)", "rng.randint(1, K, T)"),
    )
    verdict = verdict_on(tmp_path, text)
    assert verdict.verdict == "right" and verdict.loss is not None
    assert verdict.loss.assumed.startswith("the cross-entropy")
