"""Steps that looked right, and what the rest of the run says of them."""

from __future__ import annotations

from pathlib import Path

from tests.engine.doctor.lineage.programs import TAGGER, changed, line_of, verdict_on

UPDATE = "    for weight, grad in zip((U, W, V, b, c), grads):\n        weight -= 0.1 * grad\n"
BOUND = "    U, V, b, c = U - 0.1 * grads[0], V - 0.1 * grads[2], b - 0.1 * grads[3], c - 0.1 * grads[4]\n    {} = W - 0.1 * grads[1]\n"


def test_a_step_whose_result_nobody_reads_is_no_update(tmp_path: Path) -> None:
    verdict = verdict_on(tmp_path, changed(TAGGER, (UPDATE, BOUND.format("W_new"))), rounds=2)
    read = line_of(TAGGER, "hs.append(np.tanh")
    assert verdict.verdict == "undecided"
    assert verdict.not_compared == (f"W: what its step makes is dropped: line {read} reads it again as it was",)
    assert verdict_on(tmp_path, changed(TAGGER, (UPDATE, BOUND.format("W"))), rounds=2).verdict == "right"


def test_steps_in_a_function_that_keeps_them_to_itself_are_no_updates(tmp_path: Path) -> None:
    lost = (
        "    def apply(U, W, V, b, c):\n" + BOUND.format("W").replace("    ", "        ") + "    apply(U, W, V, b, c)\n"
    )
    text = changed(TAGGER, (UPDATE, lost), ("range(30)", "range(3)"))
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


def test_a_weight_that_is_changed_by_one_number_is_not_stepped_by_its_gradient(tmp_path: Path) -> None:
    one_left_out = UPDATE.replace(
        "(U, W, V, b, c), grads)", "(U, V, b, c), [g for k, g in enumerate(grads) if k != 1])"
    )
    for step in ("    W -= 0.1\n", "    W = W - 0.1\n"):
        text = changed(TAGGER, (UPDATE, one_left_out + step))
        verdict = verdict_on(tmp_path, text, rounds=2)
        assert verdict.verdict == "undecided"
        told = f"W: line {line_of(text, step.strip())} changes all of it by the same number, which is no gradient"
        assert verdict.not_compared == (told,)
