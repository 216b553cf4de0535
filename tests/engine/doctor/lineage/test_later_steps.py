"""Steps that looked right, and what the rest of the run says of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.doctor.lineage.gradients.never_stepped import never_stepped
from engine.doctor.lineage.verdict.of_round import CHECKED as CHECKED_ONLY
from tests.engine.doctor.lineage.programs import TAGGER, changed, line_of, statuses, verdict_on

UPDATE = "    for weight, grad in zip((U, W, V, b, c), grads):\n        weight -= 0.1 * grad\n"
BOUND = "    U, V, b, c = U - 0.1 * grads[0], V - 0.1 * grads[2], b - 0.1 * grads[3], c - 0.1 * grads[4]\n    {} = W - 0.1 * grads[1]\n"


def test_a_step_whose_result_nobody_reads_is_no_update(tmp_path: Path) -> None:
    verdict = verdict_on(tmp_path, changed(TAGGER, (UPDATE, BOUND.format("W_new"))), rounds=2)
    read = line_of(TAGGER, "hs.append(np.tanh")
    assert verdict.verdict == "undecided"
    assert verdict.not_compared == (f"W: what its step makes is dropped: line {read} reads it again as it was",)
    assert verdict_on(tmp_path, changed(TAGGER, (UPDATE, BOUND.format("W"))), rounds=2).verdict == "right"


def test_gradients_from_states_of_half_precision_are_no_more_than_nearly_right(tmp_path: Path) -> None:
    half = ("hs, ps, loss = [np.zeros(H)], [], 0.0", "hs, ps, loss = [np.zeros(H, np.float16)], [], 0.0")
    kept = (
        "hs.append(np.tanh(U @ x + W @ hs[-1] + b))",
        "hs.append(np.tanh(U @ x + W @ hs[-1] + b).astype(np.float16))",
    )
    verdict = verdict_on(tmp_path, changed(TAGGER, half, kept))
    line = line_of(TAGGER, "hs, ps, loss = [")
    assert verdict.verdict == "undecided" and f", and line {line} keeps numbers in half precision" in verdict.reason
    wrong = ("dW += np.outer(dz, hs[t])", "dW += np.outer(dz, hs[t + 1])")
    assert verdict_on(tmp_path, changed(TAGGER, half, kept, wrong)).verdict == "wrong"


def test_steps_in_a_function_that_keeps_them_to_itself_are_no_updates(tmp_path: Path) -> None:
    lost = (
        "    def apply(U, W, V, b, c):\n" + BOUND.format("W").replace("    ", "        ") + "    apply(U, W, V, b, c)\n"
    )
    text = changed(TAGGER, (UPDATE, lost))
    verdict = verdict_on(tmp_path, text)
    assert verdict.verdict == "undecided"
    assert {left.split(":")[0] for left in verdict.not_compared} == {"U", "W", "V", "b", "c"}


def test_a_gradient_that_is_used_again_in_the_next_round_is_not_that_round_s(tmp_path: Path) -> None:
    once = "    if step == 0:\n        grads = [0.1 * g for g in backward(xs, labels, hs, ps)]\n"
    made = "    grads = backward(xs, labels, hs, ps)\n"
    text = changed(TAGGER, (made, once), ("weight -= 0.1 * grad", "weight -= grad"))
    verdict = verdict_on(tmp_path, text, rounds=2)
    assert verdict.verdict == "undecided"
    assert all("computed before its last update" in left for left in verdict.not_compared)
    assert len(verdict.not_compared) == 5


ONE_LEFT_OUT = UPDATE.replace("(U, W, V, b, c), grads)", "(U, V, b, c), [g for k, g in enumerate(grads) if k != 1])")


def test_a_weight_that_is_changed_by_one_number_is_not_stepped_by_its_gradient(tmp_path: Path) -> None:
    for step in ("    W -= 0.1\n", "    W = W - 0.1\n"):
        text = changed(TAGGER, (UPDATE, ONE_LEFT_OUT + step))
        verdict = verdict_on(tmp_path, text, rounds=2)
        assert verdict.verdict == "undecided"
        told = f"W: line {line_of(text, step.strip())} changes all of it by the same number, which is no gradient"
        assert verdict.not_compared == (told,)


def test_a_weight_that_is_stepped_by_a_single_zero_has_a_gradient_that_is_zero(tmp_path: Path) -> None:
    """As where its gradient begins with 0, and is added up at steps that this sample does not have."""
    verdict = verdict_on(tmp_path, changed(TAGGER, (UPDATE, ONE_LEFT_OUT + "    W -= 0.1 * 0\n")), rounds=2)
    assert (verdict.verdict, verdict.round) == ("wrong", 0)
    assert statuses(verdict) == {"U": "right", "W": "zero", "V": "right", "b": "right", "c": "right"}


def test_weights_through_which_nothing_moves_the_loss_are_left_uncompared(tmp_path: Path) -> None:
    """Behind read-out weights of zero, which alone are stepped, dL/d(every other weight) is zero."""
    verdict = verdict_on(tmp_path, changed(TAGGER, ("rng.randn(K, H) * 0.5\n", "np.zeros((K, H))\n")), rounds=2)
    first = verdict.rounds[0]
    assert first.record is not None and first.loss is not None
    _, left = never_stepped(first.record, None, first.loss, [row for row in first.compared if row.name == "V"])
    assert "b: no update steps it, and dL/d(it) is zero" in left


def test_what_an_imported_module_trains_by_itself_is_not_what_the_program_trains(tmp_path: Path) -> None:
    (tmp_path / "other.py").write_text(TAGGER + "size = 4\n")
    wrong = changed(
        TAGGER,
        ("import numpy as np", "import numpy as np\nfrom other import size"),
        ("D, H, K, T = 3, 4,", "D, H, K, T = 3, size,"),
    )
    verdict = verdict_on(tmp_path, changed(wrong, ("later = W.T @ dz", "later = W @ dz")), rounds=1)
    assert verdict.verdict == "wrong"
    assert verdict.record is not None
    assert {verdict.record.lines[row.update.line].file for row in verdict.compared if row.update} == {"program.py"}
    only = verdict_on(tmp_path, "import other\n", rounds=1)
    assert only.verdict == "right"


LOOP = """
xs, labels = rng.randn(T, D), rng.randint(0, K, T)
loss = forward(xs, labels)[2]
for step in range(3):
    grads = backward(xs, labels, *forward(xs, labels, 0)[:2])
    for weight, grad in zip((U, W, V, b, c), grads):
        weight -= 0.1 * grad
    loss = forward(xs, labels)[2]
    xs, labels = rng.randn(T, D), rng.randint(0, K, T)
"""
APART = changed(
    TAGGER[: TAGGER.index("for step in range")] + LOOP,
    ("def forward(xs, labels):", "def forward(xs, labels, counted=1):"),
    ("        loss -= np.log(ps[-1][label])", "        if counted:\n            loss -= np.log(ps[-1][label])"),
)


def test_a_loss_that_is_computed_after_the_update_is_not_that_of_the_next_gradients(tmp_path: Path) -> None:
    """Once more from the same data it is that of the same pass: what is wrong by it is wrong."""
    assert verdict_on(tmp_path, APART, rounds=3).verdict == "right"
    assert verdict_on(tmp_path, changed(APART, ("later = W.T @ dz", "later = W @ dz")), rounds=3).verdict == "wrong"
    other = changed(APART, ("loss = forward(xs, labels)[2]\nfor", "loss = forward(2 * xs, labels)[2]\nfor"))
    verdict = verdict_on(tmp_path, other, rounds=1)
    assert verdict.verdict == "undecided"
    assert "was computed in another forward pass" in verdict.reason


def test_weights_that_are_moved_by_a_velocity_before_their_gradient_is_taken_are_stepped_by_it(tmp_path: Path) -> None:
    """They are right; where a gradient is wrong it is left open, for weights were moved ahead."""
    each = "    for w, v, d in zip((U, W, V, b, c), velocities, {}):\n        {}\n"
    loop = "for step in range(3):\n"
    begin = "velocities = [np.zeros_like(w) for w in (U, W, V, b, c)]\n" + loop
    steps = each.format("grads", "w -= 0.9 * v; v *= 0.9; v -= 0.1 * d; w += v")
    text = changed(TAGGER, (loop, begin + each.format("velocities", "w += 0.9 * v")), (UPDATE, steps))
    assert verdict_on(tmp_path, text, rounds=2).verdict == "right"
    verdict = verdict_on(tmp_path, changed(text, ("later = W.T @ dz", "later = W @ dz")), rounds=2)
    assert verdict.verdict == "undecided"
    assert "Nesterov" in verdict.reason


CHECKED = """
import numpy as np
rng = np.random.default_rng(0)
U, W, xs = rng.normal(size=(3, 2)), rng.normal(size=(3, 3)), rng.normal(size=(4, 2))


def states():
    hs = [np.zeros(3)]
    for x in xs:
        hs.append(np.tanh(U @ x + W @ hs[-1]))
    return hs


hs, dU, dW, dh = states(), np.zeros_like(U), np.zeros_like(W), np.ones(3)
for t in reversed(range(4)):
    dz = dh * (1 - hs[t + 1] ** 2)
    dU += np.outer(dz, xs[t])
    dW += np.outer(dz, hs[t])
    dh = W.T @ dz
for i in np.ndindex(W.shape):
    W[i] += 1e-3
    up = states()[-1].sum()
    W[i] -= 2 * 1e-3
    error = abs((up - states()[-1].sum()) / 2e-3 - dW[i])
    W[i] += 1e-3
"""


BEFORE_TRAINING = """
xs, labels = rng.randn(T, D), rng.randint(0, K, T)
for w in (U, W, V, b, c):
    for i in np.ndindex(w.shape):
        w[i] += 1e-4
        up = forward(xs, labels)[2]
        w[i] -= 2 * 1e-4
        down = forward(xs, labels)[2]
        w[i] += 1e-4
"""


@pytest.mark.parametrize(("transposed", "status"), [("W.T", "right"), ("W", "wrong")])
def test_weights_that_a_check_has_moved_back_are_those_that_are_trained(
    tmp_path: Path, transposed: str, status: str
) -> None:
    text = changed(
        TAGGER, ("for step in range", BEFORE_TRAINING + "for step in range"), ("W.T @ dz", f"{transposed} @ dz")
    )
    verdict = verdict_on(tmp_path, text, rounds=2)
    assert (verdict.verdict, statuses(verdict)["W"]) == (status, status)
    assert statuses(verdict).keys() == {"U", "W", "V", "b", "c"}


def test_a_loss_of_weights_that_a_check_has_moved_is_not_that_of_the_gradients(tmp_path: Path) -> None:
    """Nothing is trained, and what the gradients are of is nowhere computed from the weights as they are."""
    verdict = verdict_on(tmp_path, CHECKED)
    assert [verdict.verdict, verdict.compared, verdict.reason] == ["undecided", (), CHECKED_ONLY]
