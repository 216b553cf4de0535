"""The line to blame and what it should be: verified by running the corrected program."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from engine.doctor.diagnose import diagnose
from engine.doctor.lineage.verdict.verdict import judged
from engine.doctor.mending.around.carries import never_updated, read_nowhere
from engine.doctor.mending.mend import blamed
from engine.doctor.mending.trials import trying
from engine.doctor.report.report import text
from engine.doctor.run.launch import Wishes
from tests.engine.doctor.lineage.programs import NO_READ_OUT, TAGGER, changed, line_of, run, runs_of


@pytest.mark.parametrize(
    ("right", "wrong", "kind"),
    [
        ("later = W.T @ dz", "later = W @ dz", "wa-not-transposed"),
        ("db += dz", "db = dz", "overwritten-not-accumulated"),
        ("db += dz", "db + dz", "gradient-never-stored"),
        (
            "dh = V.T @ dy + later",
            "later = np.zeros(H)  # at each step\n        dh = V.T @ dy + later",
            "carry-overwritten",
        ),
        ("dz = dh * (1 - hs[t + 1] ** 2)", "dz = dh * (1 - np.tanh(hs[t + 1]) ** 2)", "tanh-derivative-of-activation"),
        (
            "dz = dh * (1 - hs[t + 1] ** 2)",
            "dz = np.diag(1 - np.tanh(hs[t + 1]) ** 2) @ dh",
            "tanh-derivative-of-activation",
        ),
    ],
)
def test_one_line(tmp_path: Path, right: str, wrong: str, kind: str) -> None:
    text = changed(TAGGER, (right, wrong))
    runs = runs_of(tmp_path, text, rounds=1)
    _, record = runs.followed()
    assert not isinstance(record, str)
    found = blamed(runs, record, judged(record))
    assert [(b.line, b.verified) for b in found] == [(line_of(text, wrong.splitlines()[0]), True)]
    assert found[0].id == kind


@pytest.mark.parametrize(
    ("right", "wrong", "fix"),
    [
        ("dz = dh * (1 - hs[t + 1] ** 2)", "dz = 1 - hs[t + 1] ** 2", "dz = (1 - hs[t + 1] ** 2) * dh"),
        ("later = W.T @ dz", "later = W.T @ dz * (hs[t + 1] > 0)", "later = W.T @ dz"),
    ],
)
def test_what_came_back_from_the_loss_is_left_out_of_a_line(tmp_path: Path, right: str, wrong: str, fix: str) -> None:
    """The first makes what the derivative alone is, and no error of it."""
    path = tmp_path / "mine.py"
    path.write_text(changed(TAGGER, (right, wrong)))
    (found,) = diagnose(path).diagnoses
    assert found.fix == fix


RELU = (
    ("hs.append(np.tanh(U @ x + W @ hs[-1] + b))", "hs.append(np.maximum(U @ x + W @ hs[-1] + b, 0))"),
    ("dz = dh * (1 - hs[t + 1] ** 2)", "dz = dh.copy()\n        dz[hs[t + 1] < 0] = 0"),
)


def test_a_mask_that_never_holds_is_wrong_at_its_bound(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(changed(TAGGER, *RELU))
    (found,) = diagnose(path).diagnoses
    assert found.fix == "dz[hs[t + 1] <= 0] = 0"


LEAKY = (
    ("h[t + 1] = np.tanh(x[t] @ V + h[t] @ W)", "h[t + 1] = k * h[t] + np.tanh(x[t] @ V + h[t] @ W)"),
    ("d = dh * (1 - h[t + 1] ** 2)", "d = dh * (1 - (h[t + 1] - k * h[t]) ** 2)"),
    ("rng = ", "k = 0.5\nrng = "),
)


def test_a_leaky_unit_s_error_keeps_so_much_of_itself(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(changed(NO_READ_OUT, *LEAKY))
    (found,) = diagnose(path).diagnoses
    assert found.fix == "dh = d @ W.T + dh * k"


def test_a_carry_that_is_nothing_by_itself_gets_what_it_should_carry(tmp_path: Path) -> None:
    """It begins with a plain 0 and stays so; what comes of the right value is seen in the next round only."""
    carried = (
        ("dh = d @ W.T\n", "later = d @ W.T\n"),
        ("dh = h[3] - y", "later, kept = h[3] - y, 0"),
        ("    d = dh", "    dh = later + kept\n    kept = kept * k\n    d = dh"),
    )
    path = tmp_path / "mine.py"
    path.write_text(changed(NO_READ_OUT, *LEAKY, *carried))
    (found,) = diagnose(path).diagnoses
    assert found.fix == "kept = dh * k"


def test_a_carry_that_is_handed_to_a_misspelt_name_may_have_one_axis_less(tmp_path: Path) -> None:
    """As in a well-known program that adds binary numbers: it begins as zeros of shape (H,), and the states are rows."""
    text = changed(
        NO_READ_OUT,
        (
            "x, y = rng.normal(size=(3, 5, 2)), rng.normal(size=(5, 4))",
            "x, y = rng.normal(size=(3, 1, 2)), rng.normal(size=(1, 4))",
        ),
        ("h = {0: np.zeros((5, 4))}", "h = {0: np.zeros((1, 4))}"),
        ("dh = d @ W.T\n", "future_delat = d\n"),
        ("dh = h[3] - y", "error, future_delta = h[3] - y, np.zeros(4)"),
        ("    d = dh", "    dh = future_delta.dot(W.T) + error * (t == 2)\n    d = dh"),
    )
    path = tmp_path / "mine.py"
    path.write_text(text)
    (found,) = diagnose(path).diagnoses
    assert (found.id, found.fix) == ("carry-never-updated", "future_delat = d; future_delta = future_delat")


@pytest.mark.parametrize(
    ("edits", "id", "fix"),
    [
        (
            [
                ("D, H, K, T = 3, 4", "D, H, K, T = 4, 4"),
                ("zip((U, W, V, b, c), grads)", "zip((W, U, V, b, c), grads)"),
            ],
            "exchanged",
            "(U, W, V, b, c)",
        ),
        (
            [
                ("D, H, K, T = 3, 4", "D, H, K, T = 4, 4"),
                ("    grads = backward(xs, labels, hs, ps)\n", "    gW, gU, *rest = backward(xs, labels, hs, ps)\n"),
                ("(U, W, V, b, c), grads):", "(U, W, V, b, c), (gU, gW, *rest)):"),
            ],
            "exchanged",
            "gU, gW, *rest = backward(xs, labels, hs, ps)",
        ),
        (
            [
                ("later = np.zeros(H)", "flow = np.zeros((T + 1, H), dtype=int)"),
                ("dh = V.T @ dy + later", "dh = V.T @ dy + flow[t + 1]"),
                ("later = W.T @ dz", "flow[t] = W.T @ dz"),
            ],
            "whole-number-array",
            "flow = np.zeros((T + 1, H), dtype=float)",
        ),
    ],
)
def test_what_stands_round_the_lines(tmp_path: Path, edits: list[tuple[str, str]], id: str, fix: str) -> None:
    path = tmp_path / "mine.py"
    path.write_text(changed(TAGGER, *edits))
    (found,) = diagnose(path).diagnoses
    assert (found.id, found.fix) == (id, fix)


def test_outputs_and_targets_that_are_both_divided_are_told_from_those_of_the_loss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`p / T` less `1 / T` is the gradient of the cross-entropy, here of other labels than the loss is made of."""
    monkeypatch.setattr(trying, "WORK", 25_000_000)
    divided = ("dy = ps[t].copy()", "dy = ps[t] / T"), ("dy[labels[t]] -= 1", "dy[xs[t].argmax()] -= 1 / T")
    path = tmp_path / "mine.py"
    path.write_text(changed(TAGGER, *divided, ("return hs, ps, loss", "return hs, ps, loss / T")))
    (found,) = diagnose(path).diagnoses
    assert found.id == "gradient-of-another-loss"


def test_gradients_that_are_never_reset_are_named_where_an_optimizer_scales_them(tmp_path: Path) -> None:
    update = (
        "        s[k] *= 0.9\n        s[k] += 0.1 * grad ** 2\n        weight -= 0.01 * grad / (np.sqrt(s[k]) + 1e-6)\n"
    )
    made = "dU, dW, dV, db, dc = (np.zeros_like(m) for m in (U, W, V, b, c))\n"
    text = changed(
        TAGGER,
        ("    " + made, ""),
        ("def backward", f"{made}s = [np.zeros_like(m) for m in (U, W, V, b, c)]\n\n\ndef backward"),
        (
            "zip((U, W, V, b, c), grads):\n        weight -= 0.1 * grad\n",
            "zip(range(5), (U, W, V, b, c), grads):\n" + update,
        ),
        ("for weight, grad in", "for k, weight, grad in"),
        *((f"        d{w} += ", f"        d{w}[...] += ") for w in "VcUWb"),
    )
    path = tmp_path / "mine.py"
    path.write_text(text)
    assert {d.id for d in diagnose(path).diagnoses} == {"gradients-not-reset"}


def test_another_quantity_at_the_same_step_is_no_other_step(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    wide = ("D, H, K, T = 3, 4, 3, 5", "D, H, K, T = 3, 4, 4, 5")
    path.write_text(changed(TAGGER, wide, ("dW += np.outer(dz, hs[t])", "dW += np.outer(dz, ps[t])")))
    (found,) = diagnose(path).diagnoses
    assert (found.id, found.fix) == ("wrong-variable", "dW += np.outer(dz, hs[t])")


def test_an_entry_that_stands_nowhere_nearby_may_be_meant(tmp_path: Path) -> None:
    """The backward loop reads the states at t - 1 only, once the derivative, which reads them at t, is gone."""
    text = changed(
        TAGGER,
        ("later = np.zeros(H)\n", "hs, later = hs[1:] + hs[:1], np.zeros(H)\n"),
        ("np.outer(dy, hs[t + 1])", "np.outer(dy, forward(xs, labels)[0][t + 1])"),
        ("dz = dh * (1 - hs[t + 1] ** 2)", "dz = dh"),
        ("np.outer(dz, hs[t])", "np.outer(dz, hs[t - 1])"),
    )
    path = tmp_path / "mine.py"
    path.write_text(text)
    (found,) = diagnose(path).diagnoses
    assert found.id == "activation-derivative-missing"
    assert "(1 - hs[t] ** 2)" in found.fix


VIEWS = """
import numpy as np

rng = np.random.default_rng(1)
x, y = rng.normal(size=(6, 5, 2)), rng.normal(size=(5, 3))
flat = rng.normal(size=8 + 16 + 12) * 0.5


def views(flat):
    return {"V": flat[:8].reshape(2, 4), "W": flat[8:24].reshape(4, 4), "O": flat[24:].reshape(4, 3)}


for epoch in range(3):
    p = views(flat)
    h = [np.zeros((5, 4))]
    for t in range(6):
        h.append(np.tanh(x[t] @ p["V"] + h[t] @ p["W"]))
    error = h[6] @ p["O"] - y
    loss = 0.5 * np.sum(error ** 2)
    dflat = np.zeros_like(flat)
    g = views(dflat)
    g["O"] += h[6].T @ error
    dh = error @ p["O"].T
    for t in reversed(range(6)):
        dz = dh * (1 - h[t + 1] ** 2)
        g["V"] += x[t].T @ dz
        g["W"] = h[t].T @ dz
        dh = dz @ p["W"].T
    flat -= 0.01 * dflat
"""


def test_a_gradient_that_is_put_in_the_place_of_a_view_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(VIEWS)
    (found,) = diagnose(path).diagnoses
    assert (found.id, found.fix) == ("overwritten-not-accumulated", "g['W'] += h[t].T @ dz")


def test_where_every_weight_is_wrong_what_is_right_by_itself_need_not_be_found_again(tmp_path: Path) -> None:
    """dL/dy is looked up only as long as no step is right."""
    path = tmp_path / "mine.py"
    path.write_text(changed(NO_READ_OUT, ("dh = d @ W.T", "dh = d @ W")))
    (found,) = diagnose(path).diagnoses
    assert (found.id, found.fix) == ("wa-not-transposed", "dh = d @ W.T")


def test_gradients_that_are_added_or_never_reset_are_named_without_an_edit(tmp_path: Path) -> None:
    text = changed(TAGGER, ("weight -= 0.1", "weight += 0.1"))
    runs = runs_of(tmp_path, text, rounds=1)
    _, record = runs.followed()
    assert not isinstance(record, str)
    found = blamed(runs, record, judged(record))
    assert [(b.line, b.id) for b in found] == [(line_of(text, "weight += 0.1"), "gradients-added")]
    text = changed(
        TAGGER,
        ("    dU, dW, dV, db, dc = (np.zeros_like(m) for m in (U, W, V, b, c))\n", ""),
        ("def forward", "dU, dW, dV, db, dc = (np.zeros_like(m) for m in (U, W, V, b, c))\n\n\ndef forward"),
        ("        dc += dy", "        dc[...] += dy"),
        *((f"d{m} += ", f"d{m}[...] += ") for m in "VUWb"),
    )
    runs = runs_of(tmp_path, text, rounds=2)
    _, record = runs.followed()
    assert not isinstance(record, str)
    found = blamed(runs, record, judged(record))
    assert {b.id for b in found} == {"gradients-not-reset"}
    assert line_of(text, "dW[...] +=") in [b.line for b in found]


def test_a_line_of_a_helper_module_is_corrected_in_its_file(tmp_path: Path) -> None:
    begin, end = TAGGER.index("def backward"), TAGGER.index("for step")
    layers = "import numpy as np\n\n\n" + changed(
        TAGGER[begin:end], ("(xs, labels, hs, ps)", "(T, U, W, V, b, c, xs, labels, hs, ps)")
    )
    wrong = changed(layers, ("later = W.T @ dz", "later = W @ dz"), ("np.zeros(H)", "np.zeros(len(b))"))
    (tmp_path / "layers.py").write_text(wrong)
    text = changed(
        TAGGER[:begin] + TAGGER[end:],
        ("import numpy as np", "import csv\nimport numpy as np\nfrom layers import backward"),
        ("backward(xs", "backward(T, U, W, V, b, c, xs"),
    )
    runs = runs_of(tmp_path, text, rounds=1)
    _, record = runs.followed()
    assert not isinstance(record, str)
    assert "csv" in record.modules  # what is not its own is loaded once for all trials
    assert "layers" not in record.modules
    found = blamed(runs, record, judged(record))
    assert [(b.file, b.line, b.mended) for b in found] == [
        ("layers.py", line_of(wrong, "later = W @ dz"), "later = W.T @ dz")
    ]
    path = tmp_path / "mine.py"
    path.write_text(text)
    report = diagnose(path)
    assert report.to_json()["diagnoses"][0]["file"] == "layers.py"
    assert all(sentence.startswith("in layers.py, line ") for sentence in report.beside)


def test_two_lines_in_the_wrong_order(tmp_path: Path) -> None:
    first, second = "dy[labels[t]] -= 1", "dV += np.outer(dy, hs[t + 1])"
    text = changed(TAGGER, (f"{first}\n        {second}", f"{second}\n        {first}"))
    runs = runs_of(tmp_path, text, rounds=1)
    _, record = runs.followed()
    assert not isinstance(record, str)
    found = blamed(runs, record, judged(record))
    assert [(b.line, b.id) for b in found] == [(line_of(text, second), "statements-in-wrong-order")]
    assert found[0].mended == f"{first}; {second}"


def test_a_derivative_that_a_function_takes_of_what_is_activated_already(tmp_path: Path) -> None:
    """The function is not called once more to try it: what stands in its place may be of any shape."""
    wrong, slope = "dz = dh * tanh_prime(hs[t + 1])", "tanh_prime = np.vectorize(lambda x: 1 - np.tanh(x) ** 2)\n"
    text = changed(
        TAGGER, ("dz = dh * (1 - hs[t + 1] ** 2)", wrong), ("import numpy as np\n", "import numpy as np\n" + slope)
    )
    runs = runs_of(tmp_path, text, rounds=1)
    _, record = runs.followed()
    assert not isinstance(record, str)
    (found,) = blamed(runs, record, judged(record))
    assert (found.line, found.id, found.mended) == (
        line_of(text, wrong),
        "tanh-derivative-of-activation",
        "dz = dh * (1 - hs[t + 1] ** 2)",
    )


def test_a_carry_that_is_never_updated_in_a_round_that_ends_with_a_block(tmp_path: Path) -> None:
    text = changed(TAGGER, ("        later = W.T @ dz\n", "        if t == 0:\n            print(t)\n"))
    runs = runs_of(tmp_path, text, rounds=1)
    _, record = runs.followed()
    assert not isinstance(record, str)
    (found,) = blamed(runs, record, judged(record))
    assert (found.id, found.verified) == ("carry-never-updated", True)


def test_the_last_state_that_a_loop_reads_is_no_carry(tmp_path: Path) -> None:
    """Where all states are so small that tanh is linear, anything small in its place would be right."""
    text = changed(
        TAGGER,
        ("    later = np.zeros(H)\n", "    later, last = np.zeros(H), hs[-1]\n"),
        ("dz = dh * (1 - hs[t + 1] ** 2)", "dz = dh * (1 - last ** 2)"),
        ("        later = W.T @ dz\n", ""),
    )
    record = run(tmp_path, text)
    found = [made for _, made, _ in never_updated(ast.parse(text), judged(record))]
    assert found and all("; later = W.T @ " in made for made in found)


def test_a_carry_that_nothing_reads_is_taken_up(tmp_path: Path) -> None:
    text = changed(TAGGER, ("dh = V.T @ dy + later", "dh = np.zeros(H)\n        dh += V.T @ dy"))
    lines = {line_of(text, made) for made in ("dz = dh *", "db += dz")}
    ways = [made for _, made in read_nowhere(ast.parse(text), lines)]
    assert ways == ["dh = later", "dz = dh * (1 - hs[t + 1] ** 2) + later"]
    runs = runs_of(tmp_path, text, rounds=1)
    _, record = runs.followed()
    assert not isinstance(record, str)
    (found,) = blamed(runs, record, judged(record))
    assert (found.id, found.mended, found.verified) == ("future-gradient-dropped", "dh = later", True)


def test_the_search_is_bounded_and_can_be_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = runs_of(tmp_path, changed(TAGGER, ("later = W.T @ dz", "later = W @ (dz + 1)")), rounds=1)
    _, record = runs.followed()
    assert not isinstance(record, str)
    verdict = judged(record)
    monkeypatch.setattr(trying, "WORK", 0)
    bounded = blamed(runs, record, verdict)
    assert bounded
    assert all(each.more and not each.id for each in bounded)

    def ended(self: trying.Trial, texts: dict[str, str], **_: bool) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(trying.Trial, "makes_right", ended)
    assert [(each.line, each.more) for each in blamed(runs, record, verdict)] == [(b.line, True) for b in bounded]


@pytest.mark.parametrize("last", ["", "        if t:\n            pass\n        else:\n            pass\n"])
def test_a_carry_that_was_never_there(tmp_path: Path, last: str) -> None:
    """Whatever the round of the loop ends with, a block, too."""
    text = changed(
        TAGGER,
        ("    later = np.zeros(H)\n", ""),
        ("dh = V.T @ dy + later", "dh = V.T @ dy"),
        ("        later = W.T @ dz\n", last),
    )
    runs = runs_of(tmp_path, text, rounds=1)
    _, record = runs.followed()
    assert not isinstance(record, str)
    (found,) = blamed(runs, record, judged(record))
    assert (found.line, found.id, found.verified) == (line_of(text, "dh ="), "future-gradient-dropped", True)
    assert found.mended == "dh = V.T @ dy + dh_next  # dh_next = W.T @ dz of the round before, 0 at first"


CUT = """
import numpy as np

rng = np.random.default_rng(0)
D, H, N, T = 2, 3, 4, 4
X, wanted, Wy = rng.normal(size=(T, D, N)), rng.normal(size=(2, N)), rng.normal(size=(2, H))
Wz, Wo = rng.normal(size=(H, H + D)) * 0.5, rng.normal(size=(H, H + D)) * 0.5
for step in range(3):
    h, cache, loss = np.zeros((H, N)), [], 0.0
    for t in range(T):
        both = np.zeros((H + D, N))
        both[:H], both[H:] = h, X[t]
        z, o = np.tanh(Wz @ both), 1 / (1 + np.exp(-(Wo @ both)))
        h = z * o
        loss += 0.5 * ((Wy @ h - wanted) ** 2).sum()
        cache.append((both, z, o, h))
    dWz, dWo, dWy, dh_prevt = np.zeros_like(Wz), np.zeros_like(Wo), np.zeros_like(Wy), np.zeros((H, N))
    for t in reversed(range(T)):
        both, z, o, h = cache[t]
        dy = Wy @ h - wanted
        dWy += dy @ h.T
        dh = Wy.T @ dy + dh_prevt
        dz, do = dh * o * (1 - z**2), dh * z * o * (1 - o)
        dWz += dz @ both.T
        dWo += do @ both.T
        dh_prev = Wz[:, :H].T @ dz + Wo[:, :H].T @ do
    Wz -= 0.01 * dWz
    Wo -= 0.01 * dWo
    Wy -= 0.01 * dWy
"""


def test_a_carry_of_several_gates_that_is_made_and_not_handed_on(tmp_path: Path) -> None:
    """States and inputs are written into one array, whose gradient the gates give; the carry is a piece of it."""
    path = tmp_path / "mine.py"
    path.write_text(CUT)
    (found,) = diagnose(path).diagnoses
    assert (found.id, found.place and found.place.line) == ("carry-never-updated", 26)
    assert "dh_prevt = dh_prev" in found.fix
    path.write_text(CUT.replace("+ Wo[:, :H].T @ do\n", "+ Wo[:, :H].T @ do\n        dh_prevt = dh_prev\n"))
    assert diagnose(path).verdict == "correct"


TARGETS_BY_ENTRIES = """
import numpy as np
rng = np.random.RandomState(0)
V, H, T = 5, 4, 3
U, W, Y = rng.randn(V, H) * 0.5, rng.randn(H, H) * 0.5, rng.randn(H, V) * 0.5
text = rng.randint(0, V, 60)

def hot(sequence):
    batch = np.zeros((len(sequence), V))
    for i in range(len(sequence)):
        batch[i, sequence[i]] = 1.0
    return batch

def loss_gradient(out, wanted):
    return -1.0 * (wanted - out)

for step in range(3):
    x, wanted = hot(text[3 * step:3 * step + T]), hot(text[3 * step + 1:3 * step + T + 1])
    hs = [np.zeros((1, H))]
    for t in range(T):
        hs.append(np.tanh(x[t:t + 1] @ U + hs[-1] @ W))
    e = np.exp(np.vstack(hs[1:]) @ Y)
    p = e / e.sum(axis=1, keepdims=True)
    loss = np.sum((p - wanted) ** 2)
    delta = loss_gradient(p, wanted)
    dU, dW, dY, later = np.zeros_like(U), np.zeros_like(W), np.zeros_like(Y), np.zeros((1, H))
    for t in reversed(range(T)):
        dY += hs[t + 1].T @ delta[t:t + 1]
        dz = (delta[t:t + 1] @ Y.T + later) * (1 - hs[t + 1] ** 2)
        dU += x[t:t + 1].T @ dz
        dW += hs[t].T @ dz
        later = dz @ W.T
    for weight, slope in ((U, dU), (W, dW), (Y, dY)):
        weight -= 0.1 * slope
    print(loss)
"""


def test_taking_outputs_off_targets_is_no_early_step_of_a_weight(tmp_path: Path) -> None:
    """Targets that were filled entry by entry look like weights, and `wanted - out` like their step."""
    path = tmp_path / "mine.py"
    path.write_text(TARGETS_BY_ENTRIES)
    report = diagnose(path)
    assert [found.id for found in report.diagnoses] == ["delta-before-softmax"]
    assert [id for id, _ in report.remarks] == ["gradient-of-another-loss"]
    assert len(set(report.not_compared)) == len(report.not_compared)


ONE_OUTPUT = """
import numpy as np

rng = np.random.default_rng(3)
U, W, V = rng.normal(size=(4, 2)) * 0.5, rng.normal(size=(4, 4)) * 0.5, rng.normal(size=(3, 4)) * 0.5
b, c = np.zeros((4, 1)), np.zeros((3, 1))
for step in range(3):
    xs, wanted = rng.normal(size=(3, 2, 1)), rng.normal(size=(3, 1))
    hs = {-1: np.zeros((4, 1))}
    for t in range(3):
        hs[t] = np.tanh(U @ xs[t] + W @ hs[t - 1] + b)
    out = V @ hs[2] + c
    loss = 0.5 * ((out - wanted) ** 2).sum()
    dy = out - wanted
    dU, dW, dV, db, dc = (np.zeros_like(m) for m in (U, W, V, b, c))
    later = np.zeros((4, 1))
    for t in reversed(range(len(xs))):
        dV += dy @ hs[t].T
        dc += dy
        dh = V.T @ dy + later
        dz = dh * (1 - hs[t] ** 2)
        dU += dz @ xs[t].T
        dW += dz @ hs[t - 1].T
        db += dz
        later = W.T @ dz
    for weight, grad in zip((U, W, V, b, c), (dU, dW, dV, db, dc)):
        weight -= 0.1 * grad
"""
"""Its loss is that of the last step, and the output's error goes into every step."""


def test_an_output_s_error_belongs_to_the_first_round_of_a_loop_back(tmp_path: Path) -> None:
    before = changed(
        ONE_OUTPUT,
        ("        dV += dy @ hs[t].T\n        dc += dy\n", ""),
        ("    later = np.zeros((4, 1))\n", "    dV, dc, later = dy @ hs[2].T, dy, np.zeros((4, 1))\n"),
    )
    last = "(t == len(xs) - 1)"
    for program, mended in (
        (before, [f"dh = V.T @ dy * {last} + later"]),
        (ONE_OUTPUT, [f"dV += dy * {last} @ hs[t].T", f"dc += dy * {last}", f"dh = V.T @ (dy * {last}) + later"]),
    ):
        runs = runs_of(tmp_path, program, rounds=1)
        _, record = runs.followed()
        assert not isinstance(record, str)
        found = blamed(runs, record, judged(record))
        assert [(each.mended, each.id, each.verified) for each in found] == [
            (line, "output-gradient-every-step", True) for line in mended
        ]


def test_a_line_that_makes_some_gradients_right_is_told_where_others_stay_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of W's gradient no small edit makes anything; the carry that is not transposed is one."""
    monkeypatch.setattr(trying, "WORK", 15_000_000)
    path = tmp_path / "mine.py"
    nothing = ("dW += h[t].T @ d", "dW += np.sort(h[t].T @ d, axis=None).reshape(4, 4)")
    stepped = ("V -= 0.1 * dV\nW -= 0.1 * dW\n", "for weight, grad in ((V, dV), (W, dW)):\n    weight -= 0.1 * grad\n")
    path.write_text(changed(NO_READ_OUT, ("dh = d @ W.T", "dh = d @ W"), nothing, stepped))
    report = diagnose(path)
    (found,) = report.diagnoses
    assert (found.fix, found.parameters, found.leaves) == ("dh = d @ W.T", ("V",), ("W",))
    assert [place.source for place in report.candidates] == [nothing[1]]
    assert "run with this line changed: V right, W still wrong" in text(report)
    assert found.to_json()["leaves"] == ["W"]


def test_a_correction_of_a_statement_over_several_lines_is_that_of_the_line_that_changes(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(changed(TAGGER, ("dh = V.T @ dy + later", "dh = (\n            V.T @ dy\n            - later)")))
    (found,) = diagnose(path).diagnoses
    assert found.place is not None
    assert (found.place.source, found.fix) == ("dh = (", "dh = V.T @ dy + later")
    path.write_text(changed(TAGGER, ("dh = V.T @ dy + later", "dh = (V.T @ dy\n            + W @ later)")))
    path.write_text(path.read_text().replace("later = W.T @ dz", "later = dz"))
    (found,) = diagnose(path).diagnoses
    assert found.place is not None
    assert (found.place.source, found.fix) == ("+ W @ later)", "+ W.T @ later)")


def test_a_correction_changes_no_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What makes the gradients right by making another loss is none."""
    monkeypatch.setattr(trying, "WORK", 25_000_000)
    path = tmp_path / "mine.py"
    path.write_text(changed(TAGGER, ("loss -= np.log(ps[-1][label])", "loss -= ps[-1][label]")))
    report = diagnose(path)
    assert report.verdict == "wrong"
    assert [found.id for found in report.diagnoses] == ["gradient-of-another-loss"]


WRAPS = """
import numpy as np

rng = np.random.default_rng(1)
x, y = rng.normal(size=(3, 5, 2)), rng.normal(size=(5, 4))
V, W = rng.normal(size=(2, 4)), rng.normal(size=(4, 4))


def backward(h, dh):
    dV, dW, h0 = np.zeros_like(V), np.zeros_like(W), np.ones((5, 4))
    for t in reversed(range(3)):
        prev = h[t - 1, :]
        d = dh * (1 - h[t] ** 2)
        dV += x[t].T @ d
        dW += prev.T @ d
        dh = d @ W.T
    return dV, dW


h = np.zeros((3, 5, 4))
for t in range(3):
    h[t] = np.tanh(x[t] @ V + (h[t - 1] if t else np.ones((5, 4))) @ W)
loss = 0.5 * np.sum((h[2] - y) ** 2)
for weight, grad in zip((V, W), backward(h, h[2] - y)):
    weight -= 0.1 * grad
"""


def test_an_index_before_the_first_entry_is_put_right_where_the_state_gets_its_name(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(WRAPS)
    (found,) = diagnose(path).diagnoses
    assert (found.id, found.fix) == ("initial-state-wraps", "prev = h[t - 1, :] if t > 0 else h0")


def test_no_correction_makes_all_gradients_an_odd_multiple(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Huber's loss: what is large counts by its sign, times the bound; twice the small part makes all twice as much."""
    large = (
        "dy = ps[t].copy()\n        dy[labels[t]] -= 1",
        "r = ps[t] - labels[t]\n        dy = np.where(abs(r) < 0.5, r, np.sign(r))",
    )
    loss = (
        ("e = np.exp(V @ hs[-1] + c)\n        ps.append(e / e.sum())", "ps.append(V @ hs[-1] + c)"),
        (
            "loss -= np.log(ps[-1][label])",
            "r = ps[-1] - label\n        loss += np.where(abs(r) < 0.5, 0.5 * r * r, 0.5 * abs(r)).sum()",
        ),
    )
    monkeypatch.setattr(trying, "WORK", 25_000_000)
    path = tmp_path / "mine.py"
    path.write_text(changed(TAGGER, *loss, large))
    report = diagnose(path)
    assert report.verdict == "wrong"
    assert not any("r + r" in found.fix or "2 *" in found.fix for found in report.diagnoses)


def test_the_correction_is_looked_for_where_the_program_s_data_lie(tmp_path: Path) -> None:
    """It is started from the folder above, as an editor does."""
    path = tmp_path / "code" / "mine.py"
    path.parent.mkdir()
    (path.parent / "size.txt").write_text("4")
    read = ("D, H, K, T = 3, 4, 3, 5", "D, K, T = 3, 3, 5\nH = int(open('size.txt').read())")
    path.write_text(changed(TAGGER, read, ("later = W.T @ dz", "later = W @ dz")))
    (found,) = diagnose(path, wishes=Wishes(stand=tmp_path)).diagnoses
    assert found.fix == "later = W.T @ dz"


GATES = """
import numpy as np
rng = np.random.default_rng(7)
H = 3

class Cell:
    def __init__(self):
        self.V = rng.normal(size=(2, H))
        for gate in "fioc":
            setattr(self, "W_" + gate, rng.normal(size=(H, H + 2)) * 0.4)

    def forward(self, xs):
        h = c = np.zeros(H)
        self.kept = []
        for x in xs:
            v = np.hstack((h, x))
            f, i, o = [1 / (1 + np.exp(-getattr(self, "W_" + gate) @ v)) for gate in "fio"]
            k = np.tanh(self.W_c @ v)
            before, c = c, f * c + i * k
            h = o * np.tanh(c)
            self.kept.append((v, f, i, o, k, before, c))
        self.h = h
        return self.V @ h

    def backward(self, dy):
        d, dc = {gate: 0 for gate in "fioc"}, np.zeros(H)
        dV, dh = np.outer(dy, self.h), self.V.T @ dy
        for v, f, i, o, k, before, c in self.kept[::-1]:
            dc = dc + dh * o * (1 - np.tanh(c) ** 2)
            part = {"f": dc * before * f * (1 - f), "i": dc * k * i * (1 - i)}
            part.update({"o": dh * np.tanh(c) * o * (1 - o), "c": dc * i * (1 - k ** 2)})
            for gate in "fioc":
                d[gate] = d[gate] + np.outer(part[gate], v)
            dh = sum((getattr(self, "W_" + gate).T @ part[gate])[:H] for gate in "fioc")
            dc = dc * i
        self.V = self.V - 0.1 * dV
        return d

cell, xs, target = Cell(), rng.normal(size=(5, 2)), rng.normal(size=2)
for step in range(3):
    e = cell.forward(xs) - target
    loss = 0.5 * np.sum(e ** 2)
    for gate, gradient in cell.backward(e).items():
        setattr(cell, f"W_{gate}", getattr(cell, f"W_{gate}") - 0.1 * gradient)
"""


def test_gates_that_a_loop_makes_on_one_line_are_those_of_one_step(tmp_path: Path) -> None:
    """What takes one for another is named so; the weights are called as the attributes that `setattr` sets."""
    (tmp_path / "mine.py").write_text(GATES)
    report = diagnose(tmp_path / "mine.py", None, Wishes(stand=tmp_path))
    assert [(d.id, d.place and d.place.line) for d in report.diagnoses] == [
        ("gate-for-another", line_of(GATES, "dc = dc * i"))
    ]
    assert {"self.W_f", "self.W_c"} <= {*report.parameters} | {
        name.replace("cell.", "self.") for name in report.parameters
    }
