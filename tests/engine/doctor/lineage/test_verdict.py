"""What is called right, wrong, and neither."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.codegen import program_text
from engine.session import open_session
from tests.engine.doctor.lineage.programs import (
    ADDING,
    NO_READ_OUT,
    TAGGER,
    changed,
    line_of,
    runs_of,
    statuses,
    verdict_on,
)
from tests.engine.doctor.lineage.trained import network

ADAM = (
    "    for weight, grad in zip((U, W, V, b, c), grads):\n        weight -= 0.1 * grad\n",
    "    for weight, grad, m, v in zip((U, W, V, b, c), grads, first, second):\n"
    "        m[...] = 0.9 * m + 0.1 * grad\n        v[...] = 0.999 * v + 0.001 * grad ** 2\n"
    "        weight -= 0.01 * (m / 0.1) / (np.sqrt(v / 0.001) + 1e-8)\n",
)
STATES = (
    "for step in range(3):",
    "first = [np.zeros_like(m) for m in (U, W, V, b, c)]\nsecond = [np.zeros_like(m) for m in (U, W, V, b, c)]\n"
    "for step in range(3):",
)
CLIP = ("    for weight, grad in", "    grads = [np.clip(g, -0.5, 0.5) for g in grads]\n    for weight, grad in")

ONE_OUTPUT = """
import numpy as np

def gradients(x, y, W, v, b, c):
    dW, dv, db, dc = np.zeros_like(W), np.zeros_like(v), np.zeros_like(b), 0.0
    loss = 0.0
    for k in range(len(x)):
        h = np.tanh(W @ x[k] + b)
        d = v @ h + c - y[k]
        loss += 0.5 * d ** 2
        dv += d * h
        dc += d
        dz = d * v * (1 - h**2)
        dW += np.outer(dz, x[k])
        db += dz
    return loss, dW, dv, db, dc

rng = np.random.RandomState(0)
X, Y = rng.randn(5, 3), rng.randn(5)
W, v, b, c = rng.randn(4, 3), rng.randn(4), rng.randn(4), rng.randn()
loss, dW, dv, db, dc = gradients(X, Y, W, v, b, c)
"""


@pytest.mark.parametrize(
    ("changes", "convention"),
    [
        ([], ""),
        ([ADAM, STATES], ""),
        ([CLIP], "clipped"),
        ([("weight -= 0.1 * grad", "weight -= 0.1 * (grad + 0.01 * weight)")], "penalty"),
        (
            [
                (
                    "return dU, dW, dV, db, dc",
                    "norm = np.sqrt(sum((g ** 2).sum() for g in (dU, dW, dV, db, dc)))\n"
                    "    return [g / max(1.0, norm) for g in (dU, dW, dV, db, dc)]",
                )
            ],
            "",
        ),
        (
            [
                (
                    "U, W, V = rng.randn(H, D) * 0.5, rng.randn(H, H) * 0.5, rng.randn(K, H) * 0.5",
                    "U, W, V = [(rng.randn(*s) * 0.5).astype(np.float32) for s in ((H, D), (H, H), (K, H))]",
                )
            ],
            "",
        ),
        (
            [
                (
                    "b, c = rng",
                    "q, r = np.linalg.qr(rng.randn(H, H))\nq *= np.sign(np.diag(r))\nW = q\nb, c = rng",
                )
            ],
            "",
        ),
        (
            [
                (
                    "U, W, V = rng.randn(H, D) * 0.5, rng.randn(H, H) * 0.5, rng.randn(K, H) * 0.5\n",
                    "U, W, V = np.array(rng.randn(H, D)), rng.randn(H, H).copy(), np.copy(rng.randn(K, H))\n",
                ),
                ("b, c = rng.randn(H) * 0.1, np.zeros(K)", "b, c = np.array(rng.randn(H)), np.zeros(K).copy()"),
            ],
            "",
        ),
        (
            [
                (
                    "U, W, V = rng.randn(H, D) * 0.5, rng.randn(H, H) * 0.5, rng.randn(K, H) * 0.5\n",
                    "U, V = np.hstack([rng.randn(H, 1), np.zeros((H, D - 1))]), np.vstack([rng.randn(1, H)] * K)\n"
                    "W = np.concatenate([rng.randn(2, H), rng.randn(H - 2, H)])\n",
                ),
                ("b, c = rng.randn(H) * 0.1, np.zeros(K)", "b, c = np.array(rng.randn(H)), np.zeros(K).copy()"),
            ],
            "",
        ),
        ([("np.zeros_like(m) for m in (U, W, V, b, c)", "0 * m for m in (U, W, V, b, c)")], ""),
    ],
    ids=["plain", "adam", "clip", "penalty", "norm", "float32", "orthogonal", "copies", "put together", "times 0"],
)
def test_right_programs(tmp_path: Path, changes: list[tuple[str, str]], convention: str) -> None:
    verdict = verdict_on(tmp_path, changed(TAGGER, *changes), rounds=2)
    assert verdict.verdict == "right", [(r.name, r.status, r.reason) for r in verdict.compared]
    assert len(verdict.compared) == 5
    assert convention in " ".join(verdict.conventions)


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        (("later = W.T @ dz", "later = W @ dz"), "UWb"),
        (("dW += np.outer(dz, hs[t])", "dW += np.outer(dz, hs[t + 1])"), "W"),
        (("db += dz", "db += dz / T"), "b"),
        (("return dU, dW, dV, db, dc", "return dU, dW / T, dV, db, dc"), "W"),
        (("return dU, dW, dV, db, dc", "return dU, dW, dV, 0 * db, dc"), "b"),
        (("return dU, dW, dV, db, dc", "return dU, dW, dV * (np.arange(H) > 0), db, dc"), "V"),
    ],
)
def test_wrong_programs(tmp_path: Path, change: tuple[str, str], wrong: str) -> None:
    verdict = verdict_on(tmp_path, changed(TAGGER, change), rounds=1)
    assert verdict.verdict == "wrong"
    assert {name for name, status in statuses(verdict).items() if status in ("wrong", "zero")} == set(wrong)


def test_gradients_that_are_never_reset_are_wrong_in_the_second_round(tmp_path: Path) -> None:
    text = changed(
        TAGGER,
        ("    dU, dW, dV, db, dc = (np.zeros_like(m) for m in (U, W, V, b, c))\n", ""),
        ("def forward", "dU, dW, dV, db, dc = (np.zeros_like(m) for m in (U, W, V, b, c))\n\n\ndef forward"),
        ("        dc += dy", "        dc[...] += dy"),
        ("dV += ", "dV[...] += "),
        ("dU += ", "dU[...] += "),
        ("dW += ", "dW[...] += "),
        ("db += dz", "db[...] += dz"),
    )
    verdict = verdict_on(tmp_path, text, rounds=2)
    assert (verdict.verdict, verdict.round) == ("wrong", 1)


def test_an_update_that_adds_the_gradient_lets_the_loss_grow(tmp_path: Path) -> None:
    verdict = verdict_on(tmp_path, changed(TAGGER, ("weight -= 0.1", "weight += 0.1")), rounds=1)
    assert verdict.verdict == "wrong" and set(statuses(verdict).values()) == {"right"}
    assert "adds" in " ".join(verdict.conventions)


def test_zeros_are_not_compared_with_zeros(tmp_path: Path) -> None:
    """After one step from a zero state nothing is known of W."""
    verdict = verdict_on(tmp_path, changed(TAGGER, ("K, T = 3, 4, 3, 5", "K, T = 3, 4, 3, 1")), rounds=2)
    assert verdict.verdict == "undecided"
    assert statuses(verdict)["W"] == "not compared"


def test_what_was_zero_in_one_round_is_compared_in_another(tmp_path: Path) -> None:
    text = changed(
        TAGGER,
        (
            "for step in range(3):\n    xs, labels = rng.randn(T, D), rng.randint(0, K, T)",
            "for step in range(3):\n    T = 1 + step % 3\n    xs, labels = rng.randn(T, D), rng.randint(0, K, T)",
        ),
    )
    assert verdict_on(tmp_path, text).verdict == "right"
    assert verdict_on(tmp_path, changed(text, ("later = W.T @ dz", "later = W @ dz"))).verdict == "wrong"


def test_a_clipped_single_number_is_not_called_wrong(tmp_path: Path) -> None:
    """A weight of one number: whatever its step is, it is a factor times the right one."""
    text = changed(
        TAGGER,
        ("b, c = rng.randn(H) * 0.1, np.zeros(K)", "b, c = rng.randn(H) * 0.1, np.full(1, 0.3)"),
        ("e = np.exp(V @ hs[-1] + c)", "e = np.exp(V @ hs[-1] * c)"),
        ("        dc += dy\n", "        dc += (dy * (V @ hs[t + 1])).sum()\n"),
        ("dV += np.outer(dy, hs[t + 1])", "dV += np.outer(dy, hs[t + 1]) * c"),
        ("dh = V.T @ dy + later", "dh = V.T @ dy * c + later"),
        (
            "    for weight, grad in",
            "    grads = [*grads[:4], np.clip(grads[4], -0.01, 0.01)]\n    for weight, grad in",
        ),
    )
    verdict = verdict_on(tmp_path, text, rounds=1)
    assert {**statuses(verdict), "c": ""} == {"U": "right", "W": "right", "V": "right", "b": "right", "c": ""}
    assert verdict.verdict != "wrong"


@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_zeros_that_are_filled_step_by_step_are_no_gradient_yet(tmp_path: Path, cell: str) -> None:
    """The printed program fills `da` from the last step down, and the first row of `a` is an input of the loss."""
    verdict = verdict_on(tmp_path, program_text(open_session(None, {"cell": cell, "hidden": 8})))
    assert verdict.verdict == "right", verdict.compared
    assert {"Wy", "by"} <= set(statuses(verdict))


@pytest.mark.parametrize(
    "change", [("dV, db, dc", "dV, db / T, dc"), ("weight -= 0.01", "weight += 0.01")], ids=["factor", "uphill"]
)
def test_what_an_optimizer_s_first_step_hides(tmp_path: Path, change: tuple[str, str]) -> None:
    """Adam divides by the size of the gradient, so neither a factor nor, place by place, more than the sign can be seen in its step."""
    old, new = change
    change = (f"return dU, dW, {old}", f"return dU, dW, {new}") if "dV" in old else change
    verdict = verdict_on(tmp_path, changed(TAGGER, ADAM, STATES, change), rounds=2)
    assert verdict.verdict == "wrong"
    if "dV" in old:
        assert [r.name for r in verdict.compared if r.status == "wrong"] == ["b"]
    else:
        assert any("adds" in convention for convention in verdict.conventions)


ADAGRAD = (
    "        weight -= 0.1 * grad\n",
    "        mem = [m for w, m in zip((U, W, V, b, c), second) if w is weight][0]\n        mem += grad * grad\n"
    "        weight += -0.1 * grad / np.sqrt(mem + 1e-8)\n",
)


def test_a_gradient_so_small_that_an_optimizer_only_scales_it_has_no_factor_of_its_own(tmp_path: Path) -> None:
    """Beside 1e-8 the square of a gradient of 1e-7 is nothing: the step is 1000 times it."""
    small = (("+ b)", "+ 1e-7 * b)"), ("db += dz", "db += 1e-7 * dz"))
    single = (
        ("np.zeros(K)", "np.zeros(1)"),
        ("e = np.exp(V @ hs[-1] + c)", "e = np.exp(V @ hs[-1] + c * np.arange(K))"),
        ("dc += dy", "dc += dy @ np.arange(K)"),
    )
    verdict = verdict_on(tmp_path, changed(TAGGER, ADAGRAD, STATES, *small, *single), rounds=1)
    assert verdict.verdict == "right", verdict.compared
    assert {r.name for r in verdict.compared if r.match is not None} == {"b"}


def test_two_numbers_inside_an_optimizer_s_step_count_with_the_factor_of_the_others(tmp_path: Path) -> None:
    text = changed(TAGGER, ADAGRAD, STATES, ("D, H, K, T = 3, 4, 3, 5", "D, H, K, T = 3, 2, 3, 5"))
    assert statuses(verdict_on(tmp_path, text, rounds=2)) == dict.fromkeys("UWVbc", "right")
    text = changed(text, ("db += dz", "db += dz * np.array([1.0, -1.0])"))
    assert statuses(verdict_on(tmp_path, text, rounds=2))["b"] == "wrong"


UPDATE = "zip((U, W, V, b, c), grads):"
"""All weights of the tagger are stepped."""


def test_a_weight_that_is_never_stepped_counts_by_its_gradient(tmp_path: Path) -> None:
    without = (UPDATE, "zip((U, V, b, c), grads[:1] + grads[2:]):")
    right = verdict_on(tmp_path, changed(TAGGER, without), rounds=2)
    assert (right.verdict, right.compared[-1].name, right.compared[-1].update) == ("right", "W", None)
    wrong = verdict_on(
        tmp_path, changed(TAGGER, without, ("dW += np.outer(dz, hs[t])", "dW += np.outer(dz, hs[t + 1])")), rounds=2
    )
    assert (wrong.verdict, [r.name for r in wrong.compared if r.status == "wrong"]) == ("wrong", ["W"])


def test_a_weight_that_is_never_stepped_and_has_no_gradient_leaves_it_open(tmp_path: Path) -> None:
    without = (
        (UPDATE, "zip((U, V, b, c), grads):"),
        ("dU, dW, dV, db, dc", "dU, dV, db, dc"),
        ("for m in (U, W, V, b, c))", "for m in (U, V, b, c))"),
        ("        dW += np.outer(dz, hs[t])\n", ""),
    )
    verdict = verdict_on(tmp_path, changed(TAGGER, *without), rounds=2)
    assert verdict.verdict == "undecided"
    assert any(left.startswith("W: it moves the loss") for left in verdict.not_compared)


def test_gradients_of_a_program_that_stopped_on_the_way_are_not_called_wrong(tmp_path: Path) -> None:
    stops = ("later = W.T @ dz", "later = W.T @ dz\n        hs[t] = hs[t] @ np.ones(3 if t == 2 else H)")
    verdict = verdict_on(tmp_path, changed(TAGGER, stops), rounds=2)
    assert verdict.verdict == "undecided"
    assert any("stopped before it was complete" in left for left in verdict.not_compared) or not verdict.compared


def test_what_a_function_returned_with_the_loss_is_complete_though_the_program_stopped_then(tmp_path: Path) -> None:
    stops = ("    for w, d in zip(", "    print('%f' % np.ones(2))\n    for w, d in zip(")
    assert verdict_on(tmp_path, network(stops)).verdict == "right"
    wrong = verdict_on(tmp_path, network(stops, ("dWhh += da @ hs[t - 1].T", "dWhh += da @ hs[t].T")))
    assert (wrong.verdict, [r.name for r in wrong.compared if r.status == "wrong"]) == ("wrong", ["Whh"])


def test_a_clip_by_another_gradient_s_norm_is_a_clip(tmp_path: Path) -> None:
    clip = (
        "    for weight, grad in",
        "    grads = list(grads)\n    grads[4] = grads[4] / np.sqrt((grads[1] ** 2).sum())\n    for weight, grad in",
    )
    verdict = verdict_on(tmp_path, changed(TAGGER, clip), rounds=2)
    assert verdict.verdict == "right"
    assert "each update has a rate or a clip of its own" in verdict.conventions


def test_error_terms_that_are_kept_are_no_loss(tmp_path: Path) -> None:
    """The program computes no loss: it is taken to be the one that the error terms belong to, whatever they are called."""
    verdict = verdict_on(tmp_path, ADDING, rounds=2)
    assert verdict.verdict == "right"
    assert verdict.loss is not None
    assert verdict.loss.assumed.startswith("half the squared error")


def test_without_a_loss_nothing_is_called_wrong_in_a_later_round_either(tmp_path: Path) -> None:
    """Targets that are whole numbers of Python's cannot be told from numbers in the text, so the loss stays unknown."""
    verdict = verdict_on(
        tmp_path, changed(ADDING, ("rng.randint(0, 2, 5)", "[int(b) for b in rng.randint(0, 2, 5)]")), rounds=2
    )
    assert verdict.verdict == "undecided"


@pytest.mark.parametrize(("factor", "verdict"), [("1.0", "right"), ("2.0", "undecided")])
def test_the_gradient_of_a_single_number_goes_by_its_name(tmp_path: Path, factor: str, verdict: str) -> None:
    """The bias of one output is no array: that the rest is right says nothing of it."""
    told = verdict_on(tmp_path, changed(ONE_OUTPUT, ("dc += d", f"dc += {factor} * d")))
    assert told.verdict == verdict
    assert [left.partition(":")[0] for left in told.not_compared] == ["c"] * (verdict == "undecided")


@pytest.mark.parametrize(
    "change",
    ["g - g.mean(axis=1, keepdims=True) if g.ndim > 1 else g", "g @ g.T @ g if g.ndim > 1 else g"],
    ids=["centered", "powers"],
)
def test_what_is_made_of_a_right_gradient_before_the_step_is_not_judged(tmp_path: Path, change: str) -> None:
    update = f"    for weight, grad in {UPDATE}\n"
    verdict = verdict_on(
        tmp_path, changed(TAGGER, (update, f"    grads = [{change} for g in grads]\n" + update)), rounds=1
    )
    assert verdict.verdict == "undecided"
    told = {row.name for row in verdict.compared if "it is right in line" in row.reason}
    assert told == {"U", "W", "V"}
    assert all(row.status == "right" for row in verdict.compared if row.name not in told)


def test_of_gradients_to_which_noise_is_added_those_that_are_returned_are_compared(tmp_path: Path) -> None:
    update = f"    for weight, grad in {UPDATE}\n"
    noise = "    grads = [g + 0.01 * rng.randn(*g.shape) for g in grads]\n"
    verdict = verdict_on(tmp_path, changed(TAGGER, (update, noise + update)), rounds=3)
    assert not any(row.status == "wrong" for each in verdict.rounds for row in each.compared)
    assert {row.name: row.status for row in verdict.rounds[0].compared if row.name in "UWVbc"} == dict.fromkeys(
        "UWVbc", "right"
    )


def test_a_read_out_without_a_gradient_leaves_it_open(tmp_path: Path) -> None:
    """It is read once a round, and meets what was computed there."""
    head, _, rest = NO_READ_OUT.partition("h = {0:")
    rest = rest.replace("h[3] - y)", "h[3] @ Q + q - y)").replace("dh = h[3] - y", "dh = (h[3] @ Q + q - y) @ Q.T")
    body = "\n    ".join(("h = {0:" + rest).splitlines())
    text = f"{head}Q, q = rng.normal(size=(4, 4)), np.zeros(4)\nfor step in range(3):\n    {body}\n"
    verdict = verdict_on(tmp_path, text, rounds=2)
    assert {row.name: row.status for row in verdict.compared} == {"V": "right", "W": "right"}
    assert {sentence.split(":")[0] for sentence in verdict.not_compared} == {"Q", "q"}
    assert verdict.verdict == "undecided"


CHECK = """
xs, labels, moved = rng.randn(T, D), rng.randint(0, K, T), 1e-4
grads = backward(xs, labels, *forward(xs, labels)[:2])
for m, grad in zip((W, V), grads[1:]):
    for i in range(2):
        m[i, 0] -= moved
        before = forward(xs, labels)[2]
        m[i, 0] += 2 * moved
        assert abs((forward(xs, labels)[2] - before) / (2 * moved) - grad[i, 0]) < 1e-6
        m[i, 0] -= moved
"""


def test_weights_that_a_numerical_check_moves_are_not_stepped_by_it(tmp_path: Path) -> None:
    verdict = verdict_on(
        tmp_path, changed(TAGGER, ("for step in range(3):", f"{CHECK}\nfor step in range(3):")), rounds=2
    )
    assert (verdict.verdict, sorted(row.name for row in verdict.compared)) == ("right", ["U", "V", "W", "b", "c"])


@pytest.mark.parametrize(("step", "word"), [("grad", "right"), ("(grad > 0)", "wrong")])
def test_the_gradient_s_size_alone_is_no_step(tmp_path: Path, step: str, word: str) -> None:
    root = ("weight -= 0.1 * grad", f"weight -= 0.1 * {step} / (1e-8 + np.sqrt(grad * grad))")
    verdict = verdict_on(tmp_path, changed(TAGGER, root), rounds=2)
    assert {row.name: row.status for row in verdict.compared} == dict.fromkeys("UWVbc", word)


def test_a_copy_by_the_name_of_the_type_is_followed(tmp_path: Path) -> None:
    """And an attribute that has the type's name is what it is."""
    copied = (
        "hs.append(np.tanh(U @ x + W @ hs[-1] + b))",
        "hs.append(np.ndarray.copy(*[np.tanh(U @ x + W @ hs[-1] + b)]))",
    )
    box = "box = type('Box', (), {'ndarray': rng.randn(T * D)})\n    xs, labels = box.ndarray.reshape((T, D)), rng.randint"
    text = changed(TAGGER, copied, ("xs, labels = rng.randn(T, D), rng.randint", box))
    assert verdict_on(tmp_path, text).verdict == "right"


def test_the_method_of_an_array_of_whole_numbers_is_followed(tmp_path: Path) -> None:
    """NumPy asks nobody for `x.dot(d)`, where x is one."""
    bits = ("xs, labels = rng.randn(T, D), rng", "xs, labels = rng.randint(0, 2, (T, D)), rng")
    text = changed(TAGGER, bits, ("dU += np.outer(dz, xs[t])", "dU += xs[t][:, None].dot(dz[None]).T"))
    _, record = runs_of(tmp_path, text, rounds=1).followed()
    assert not isinstance(record, str)
    lines = {record.lines[o.line].number for o in record.operations if o.name in ("dot", "matmul")}
    assert line_of(text, "dU += xs[t]") in lines


def test_an_error_that_is_handed_in_leaves_it_open(tmp_path: Path) -> None:
    """It is the derivative of a loss that comes after this one, and that the program does not compute."""
    handed = ("later = np.zeros(H)", "later = np.ones(H)")
    verdict = verdict_on(tmp_path, changed(TAGGER, handed))
    assert verdict.verdict == "undecided"
    assert verdict.reason.startswith("line 28 adds to the error what was handed in")


TAUGHT = """
import numpy as np

rng = np.random.default_rng(0)
teacher = rng.normal(size=(3, 2))
W, U, V = rng.normal(size=(4, 4)) / 2, rng.normal(size=(3, 4)), rng.normal(size=(4, 2))
for step in range(3):
    xs, zero = rng.normal(size=(3, 5, 3)), np.zeros((5, 4))
    hs = [zero]
    for x in xs:
        hs.append(np.tanh(x @ U + hs[-1] @ W))
    error = hs[-1] @ V - sum(x @ teacher for x in xs)
    loss = (error**2).sum() / 2
    dV, dU, dW = hs[-1].T @ error, np.zeros_like(U), np.zeros_like(W)
    flow = zero
    flow = flow + error @ V.T
    for x, before, after in zip(xs[::-1], hs[-2::-1], hs[:0:-1]):
        dz = flow * (1 - after**2)
        dU += x.T @ dz
        dW += before.T @ dz
        flow = dz @ W.T
    U, V, W = U - 0.1 * dU, V - 0.1 * dV, W - 0.1 * dW
"""


def test_what_only_makes_the_targets_and_what_is_only_a_first_value_on_the_way_back_are_no_weights(
    tmp_path: Path,
) -> None:
    verdict = verdict_on(tmp_path, TAUGHT, rounds=2)
    assert (verdict.verdict, verdict.not_compared) == ("right", ())
    assert sorted(row.name for row in verdict.compared) == ["U", "V", "W"]


def test_squares_of_tiny_gradients_are_nothing_that_is_left_in_them(tmp_path: Path) -> None:
    """An optimizer's memory of 1e-12 beside a gradient of 1e-5 changes none of its digits that are compared."""
    growing = (
        ("for step in range(3):\n", "for step in range(4):\n    scale = 10.0 ** (step - 6)\n"),
        ("loss -= np.log(ps[-1][label])", "loss -= scale * np.log(ps[-1][label])"),
        ("dy = ps[t].copy()", "dy = scale * ps[t]"),
        ("dy[labels[t]] -= 1", "dy[labels[t]] -= scale"),
    )
    text = changed(TAGGER, ADAGRAD, STATES, *growing)
    assert statuses(verdict_on(tmp_path, text, rounds=4)) == dict.fromkeys("UWVbc", "right")


def test_with_a_weight_of_a_class_of_arrays_that_is_not_followed_nothing_is_right(tmp_path: Path) -> None:
    """Its gradient, which takes the wrong state here, has no row."""
    text = changed(
        TAGGER,
        (
            "c = rng.randn(H) * 0.1, np.zeros(K)\n",
            "c = rng.randn(H) * 0.1, np.zeros(K)\n\nclass Weight(np.ndarray):\n    pass\n\nW = W.view(Weight)\n",
        ),
        ("np.outer(dz, hs[t])", "np.outer(dz, hs[t + 1])"),
    )
    found = verdict_on(tmp_path, text)
    assert found.verdict == "undecided"
    assert any(left.startswith("Weight: line 12 makes an array of this class") for left in found.not_compared)


ORTHOGONAL = "W, _, _ = np.linalg.svd(rng.randn(H, H))\n"
PICKLED = "import pickle\nclass Kept:\n    pass\nkept = Kept()\nkept.W = W\nkept = pickle.loads(pickle.dumps(kept))\n"


@pytest.mark.parametrize(
    ("before", "read", "verdict"),
    [(ORTHOGONAL, "W", "wrong"), ("W = np.diag(W[0])\n", "W", "wrong"), (PICKLED, "kept.W", "undecided")],
)
def test_a_wrong_gradient_is_seen_wherever_its_weight_came_from(
    tmp_path: Path, before: str, read: str, verdict: str
) -> None:
    """From a result with names, or as a diagonal. An array that is read anew from an object that was loaded has no row, which is told."""
    text = changed(
        TAGGER,
        ("\ndef forward", before + "\ndef forward"),
        ("W @ hs[-1]", read + " @ hs[-1]"),
        ("W.T @ dz", read + ".T @ dz"),
        ("zip((U, W, V, b, c)", f"zip((U, {read}, V, b, c)"),
        ("np.outer(dz, hs[t])", "np.outer(dz, hs[t + 1])"),
    )
    found = verdict_on(tmp_path, text)
    assert found.verdict == verdict
    assert any("the loss is made from it in a way that was not followed" in left for left in found.not_compared) == (
        verdict == "undecided"
    )


def test_a_gradient_of_zeros_stays_one_behind_a_limit(tmp_path: Path) -> None:
    """The limit is not what made it zero."""
    verdict = verdict_on(tmp_path, changed(TAGGER, ("db += dz", "db + dz"), CLIP))
    assert statuses(verdict)["b"] == "zero"
    assert verdict.verdict == "wrong"
