"""Factors on gradients: which are a choice of the program, and which are a mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.doctor.lineage.verdict.verdict import judged
from engine.doctor.mending.trials.places import places_of
from tests.engine.doctor.lineage.programs import TAGGER, changed, line_of, runs_of, statuses, verdict_on
from tests.engine.doctor.lineage.trained import network

CLIP = """
def clip(d):
    size = np.linalg.norm(d)
    if size > 0.5:
        d /= size / 0.5

def scaled(d):
    return -0.1 * d
"""


def test_each_gradient_may_be_clipped_by_its_own_norm(tmp_path: Path) -> None:
    verdict = verdict_on(
        tmp_path, network(("        w -= 0.1 * d\n", "        clip(d)\n        w += scaled(d)\n"), before=CLIP)
    )
    assert verdict.verdict == "right"
    assert any("clip" in c for c in verdict.conventions)


def test_a_number_on_some_gradients_stays_a_mistake_beside_a_clip(tmp_path: Path) -> None:
    halved = ("    return loss, dWxh", "    dWhh /= T\n    return loss, dWxh")
    verdict = verdict_on(
        tmp_path, network(halved, ("        w -= 0.1 * d\n", "        clip(d)\n        w += scaled(d)\n"), before=CLIP)
    )
    assert verdict.verdict == "wrong"
    assert [c.name for c in verdict.compared if c.status == "wrong"] == ["Whh"]


def test_a_clip_by_the_spectral_norm_in_a_longer_product_is_one_too(tmp_path: Path) -> None:
    clip = (
        "    return loss, dWxh",
        "    dWhh = 1.0 * dWhh / np.linalg.norm(dWhh, ord=2)\n    return loss, dWxh",
    )
    assert verdict_on(tmp_path, network(clip)).verdict == "right"


def test_a_penalty_may_be_added_at_every_step(tmp_path: Path) -> None:
    text = changed(TAGGER, ("dW += np.outer(dz, hs[t])", "dW += np.outer(dz, hs[t]) + 0.01 * W"))
    verdict = verdict_on(tmp_path, text, rounds=2)
    assert verdict.verdict == "right"
    assert "a penalty on the weights is added to the gradient" in verdict.conventions
    wrong = changed(text, ("+ 0.01 * W", "+ 0.01 * W.T"))
    assert verdict_on(tmp_path, wrong, rounds=2).verdict == "wrong"


@pytest.mark.parametrize(("last", "verdict"), [("", "right"), ("dWhh /= T", "wrong")])
def test_gradients_may_be_summed_up_times_rates_of_their_own(tmp_path: Path, last: str, verdict: str) -> None:
    """Each gradient times what is called its rate; not times another number."""
    rates = "slow_rate, lr_out = 0.02, 0.3\n"
    sums = [("dWhh += da", "dWhh += slow_rate * da"), ("dWhy += dy", "dWhy += lr_out * dy")]
    steps = ("w -= 0.1 * d", "w -= d")
    others = (
        "return loss, dWxh",
        f"dWxh, dbh, dby = slow_rate * dWxh, dbh * lr_out, lr_out * dby; {last or 'pass'}\n    return loss, dWxh",
    )
    text = network(*sums, steps, others, before=rates)
    assert verdict_on(tmp_path, text, rounds=2).verdict == verdict


OPTIMIZERS = """
def slowly(grad):
    return -0.001 * grad


def fast(grad):
    return -0.1 * grad


"""


def test_optimizers_have_rates_of_their_own(tmp_path: Path) -> None:
    """A factor that one line makes, of all that it steps, is its rate; among the arrays that it steps it is one."""
    update = "weight -= 0.1 * grad"
    by_two = "weight += (slowly if weight.shape == W.shape or weight.shape == U.shape else fast)(grad)"
    text = changed(TAGGER, ("def forward(", OPTIMIZERS.lstrip() + "def forward("), (update, by_two))
    verdict = verdict_on(tmp_path, text, rounds=1)
    assert verdict.verdict == "right"
    assert "each update has a rate or a clip of its own" in verdict.conventions
    wrong = changed(text, ("        db += dz\n", "        db += 2 * dz\n"))
    assert statuses(verdict_on(tmp_path, wrong, rounds=1))["b"] == "wrong"


def test_a_line_that_scales_one_gradient_is_no_optimizer(tmp_path: Path) -> None:
    update = "    for weight, grad in zip((U, W, V, b, c), grads):\n        weight -= 0.1 * grad\n"
    rates = "".join(f"    g{k} = 0.1 * grads[{k}]\n" for k in range(5))
    steps = "".join(f"    {name} -= g{k}\n" for k, name in enumerate("UWVbc"))
    assert verdict_on(tmp_path, changed(TAGGER, (update, rates + steps)), rounds=1).verdict == "right"
    halved = rates.replace("g1 = 0.1", "g1 = 0.05")
    verdict = verdict_on(tmp_path, changed(TAGGER, (update, halved + steps)), rounds=1)
    assert statuses(verdict)["W"] == "wrong"


def test_two_loops_of_one_rate_hide_no_factor(tmp_path: Path) -> None:
    update = "    for weight, grad in zip((U, W, V, b, c), grads):\n        weight -= 0.1 * grad\n"
    loops = "".join(
        f"    for weight, grad in zip({weights}, {grads}):\n        step = {rate} * grad\n        weight -= step\n"
        for weights, grads, rate in (("(U, W, b)", "(*grads[:2], grads[3])", 0.1), ("(V, c)", "grads[2::2]", 0.2))
    )
    assert verdict_on(tmp_path, changed(TAGGER, (update, loops)), rounds=1).verdict == "right"
    doubled = [("dV += np", "dV += 2 * np"), ("dc += dy", "dc += 2 * dy")]
    verdict = verdict_on(tmp_path, changed(TAGGER, (update, loops), *doubled), rounds=1)
    assert {name for name, status in statuses(verdict).items() if status == "wrong"} == {"V", "c"}


def test_a_clip_is_all_that_its_line_multiplies_by(tmp_path: Path) -> None:
    clip = "        d = d if np.linalg.norm(d) < 0.5 else 0.5 * (d / np.linalg.norm(d))\n        w -= 0.1 * d\n"
    verdict = verdict_on(tmp_path, network(("        w -= 0.1 * d\n", clip)))
    assert verdict.verdict == "right"


MOMENTUM = "        speed[k] = 0.8 * speed[k] - 0.1 * grad\n        weight += 0.8 * speed[k] - 0.1 * grad\n"
UPDATE = "    for weight, grad in zip((U, W, V, b, c), grads):\n        weight -= 0.1 * grad\n"
STEPS = "    for k, (weight, grad) in enumerate(zip((U, W, V, b, c), grads)):\n"


def test_the_factor_is_the_gradient_s_and_not_that_of_a_step_with_momentum(tmp_path: Path) -> None:
    before = ("for step in", "speed = [np.zeros_like(w) for w in (U, W, V, b, c)]\nfor step in")
    text = changed(TAGGER, (UPDATE, STEPS + MOMENTUM), before, ("dy[labels[t]] -= 1", "dy[labels[t]] -= 1; dy /= T"))
    verdict = verdict_on(tmp_path, text, rounds=2)
    assert verdict.verdict == "right"
    assert all(r.bare is not None and abs(r.bare.factor - 0.2) < 1e-9 for r in verdict.compared)
    uncomputed = ("        loss -= np.log(ps[-1][label])\n", "")
    penalty = ("dW += np.outer(dz, hs[t])", "dW += np.outer(dz, hs[t]) + 0.01 * W")
    verdict = verdict_on(tmp_path, changed(text, uncomputed, penalty, ("print(step, loss)", "pass")), rounds=2)
    assert verdict.verdict == "right"  # what the momentum is taken off is no target
    assert "a penalty on the weights is added to the gradient" in verdict.conventions


ADAM = """
        m[k] = 0.9 * m[k] + 0.1 * grad
        v[k] = 0.99 * v[k] + 0.01 * grad**2
        weight -= 0.01 * m[k] / (np.sqrt(v[k]) + 1e-8)
"""


def test_a_single_number_in_an_optimizer_is_compared_as_the_arrays_beside_it_are(tmp_path: Path) -> None:
    text = changed(
        TAGGER,
        (UPDATE, STEPS + ADAM[1:]),
        ("for step in", "m, v = ([np.zeros_like(w) for w in (U, W, V, b, c)] for _ in range(2))\nfor step in"),
        ("e = np.exp(V @ hs[-1] + c)\n        ps.append(e / e.sum())", "ps.append(V @ hs[-1] + c)"),
        ("loss -= np.log(ps[-1][label])", "loss += 0.5 * ((ps[-1] - label) ** 2).sum()"),
        ("dy[labels[t]] -= 1", "dy -= labels[t]"),
        ("D, H, K, T = 3, 4, 3, 5", "D, H, K, T = 3, 4, 1, 5"),
        ("rng.randint(0, K, T)", "rng.randn(T)"),
    )
    verdict = verdict_on(tmp_path, text, rounds=1)
    assert verdict.verdict == "right", [(r.name, r.status, r.reason) for r in verdict.compared]
    wrong = verdict_on(tmp_path, changed(text, ("        dc += dy\n", "        dc += dy / T\n")), rounds=1)
    assert statuses(wrong)["c"] == "wrong"


def test_inside_an_optimizer_one_gradient_as_the_loss_has_it_is_not_what_the_others_should_be(tmp_path: Path) -> None:
    """Twice all but one: the one is odd, though its factor is 1."""
    text = changed(
        TAGGER,
        (UPDATE, STEPS + ADAM[1:]),
        ("for step in", "m, v = ([np.zeros_like(w) for w in (U, W, V, b, c)] for _ in range(2))\nfor step in"),
        ("return dU, dW, dV, db, dc", "return 2 * dU, 2 * dW, dV, 2 * db, 2 * dc"),
    )
    verdict = verdict_on(tmp_path, text, rounds=1)
    assert {name for name, status in statuses(verdict).items() if status == "wrong"} == {"V"}


def test_a_cell_that_only_tries_the_functions_counts_for_no_execution(tmp_path: Path) -> None:
    """What the lines made there is of other data, and nothing that was stepped came of it."""
    tried = "xs, labels = rng.randn(T, D), rng.randint(0, K, T)\nhs, ps, loss = forward(xs, labels)\n"
    text = changed(
        TAGGER, ("for step in", f"{tried}backward(xs, labels, hs, ps)\nfor step in"), ("db += dz", "db += dz / T")
    )
    runs = runs_of(tmp_path, text, rounds=1)
    _, record = runs.followed()
    assert not isinstance(record, str)
    places = places_of({runs.name: text}, record, judged(record))
    (found,) = [p for p in places if p.statement.lineno == line_of(text, "db += dz / T")]
    assert (found.before, found.total) == (5, 10)


def test_the_state_of_an_optimizer_may_begin_as_a_plain_zero(tmp_path: Path) -> None:
    """Then the first step has 0.1 times the gradient: a rate."""
    kept = ADAM.replace("0.9 * m[k]", "0.9 * m.get(k, 0)").replace("0.99 * v[k]", "0.99 * v.get(k, 0)")
    text = changed(TAGGER, (UPDATE, STEPS + kept[1:]), ("for step in", "m, v = {}, {}\nfor step in"))
    verdict = verdict_on(tmp_path, text, rounds=1)
    assert [round(row.bare.factor, 9) for row in verdict.compared if row.bare] == [1.0] * 5


def test_a_mean_of_gradients_that_is_changed_by_what_it_should_lose_and_gain_is_an_optimizer_s(tmp_path: Path) -> None:
    """What a clip changes is found as the gradient before it, and what it leaves in the mean: both are told as the gradient is."""
    means = "means = [np.zeros_like(w) for w in (U, W, V, b, c)]\nfor step in range"
    mean = "(U, W, V, b, c), grads, means):\n        np.clip(grad, -0.5, 0.5, out=grad)\n"
    mean += "        m += (0.9 - 1) * m + (1 - 0.9) * grad\n        weight -= 0.1 * m / (np.abs(m) + 0.01)\n"
    text = changed(
        TAGGER,
        ("for step in range", means),
        ("for weight, grad in zip((U", "for weight, grad, m in zip((U"),
        ("(U, W, V, b, c), grads):\n        weight -= 0.1 * grad\n", mean),
    )
    verdict = verdict_on(tmp_path, text)
    assert verdict.verdict == "right"
    assert {round(c.bare.factor, 9) for c in verdict.compared if c.bare is not None} == {1.0}


def test_a_choice_between_a_right_gradient_and_its_step_may_make_it_zero(tmp_path: Path) -> None:
    """Resilient propagation leaves a step out where the gradient's sign has changed."""
    text = changed(
        TAGGER,
        (
            "        weight -= 0.1 * grad\n",
            "        weight -= 0.1 * np.where(abs(grad) < (9 if grad is grads[0] else 0), grad, 0)\n",
        ),
    )
    verdict = verdict_on(tmp_path, text, rounds=1)
    assert statuses(verdict) == {**dict.fromkeys("WVbc", "not compared"), "U": "right"}


def test_a_state_times_the_error_of_one_output_is_a_gradient_and_no_multiple_of_it(tmp_path: Path) -> None:
    """Its step is limited, so that it is found before that; the error alone is a single number."""
    text = changed(
        TAGGER,
        ("e = np.exp(V @ hs[-1] + c)\n        ps.append(e / e.sum())", "ps.append(V @ hs[-1] + c)"),
        ("        loss -= np.log(ps[-1][label])\n    return", "    loss = ((ps[-1] - label) ** 2).sum()\n    return"),
        ("D, H, K, T = 3, 4, 3, 5", "D, H, K, T = 3, 4, 1, 5"),
        (
            "        dy = ps[t].copy()\n        dy[labels[t]] -= 1\n        dV += np.outer(dy, hs[t + 1])\n        dc += dy\n",
            "",
        ),
        ("V.T @ dy + later", "later"),
        (
            "later = np.zeros(H)",
            "dy = 2 * (ps[-1] - labels[-1])\n    dV, dc = dy * hs[-1].reshape(1, -1), dy\n    later = V.T @ dy",
        ),
        ("rng.randint(0, K, T)", "10 * rng.randn(T)"),
        ("weight -= 0.1 * grad", "weight -= 0.1 * np.clip(grad, -1, 1)"),
    )
    verdict = verdict_on(tmp_path, text, rounds=1)
    assert statuses(verdict) == dict.fromkeys("UWVbc", "right")


@pytest.mark.parametrize(("size", "expected"), [("0.02", "right"), ("0.3", "wrong"), ("0.001", "wrong")])
def test_a_penalty_in_the_gradients_is_the_one_of_the_loss(tmp_path: Path, size: str, expected: str) -> None:
    penalised = ("    return hs, ps, loss", "    loss += 0.01 * (W ** 2).sum()\n    return hs, ps, loss")
    verdict = verdict_on(
        tmp_path, changed(TAGGER, penalised, ("    return dU,", f"    dW += {size} * W\n    return dU,"))
    )
    assert verdict.verdict == expected
    assert [r.name for r in verdict.compared if r.status == "wrong"] == ["W"] * (expected == "wrong")


NUMBERS = """
import math
xs, y = [[0.3, -0.2], [0.5, 0.1], [-0.4, 0.2]], 0.7
W = [[0.012, -0.01], [0.02, 0.005], [-0.011, 0.013]]
v = [0.01, -0.02, 0.015]
for _ in range(3):
    for x in xs:
        h = [math.tanh(sum(W[i][j] * x[j] for j in range(2))) for i in range(3)]
        out = sum(v[i] * h[i] for i in range(3))
        loss = (out - y) ** 2 / 2
        gv = [(out - y) * h[i] for i in range(3)]
        gW = [[(out - y) * v[i] * (1 - h[i] ** 2) * x[j] for j in range(2)] for i in range(3)]
        for i in range(3):
            step = gv[i] * 0.1
            v[i] -= step
            for j in range(2):
                step = gW[i][j] * 0.1
                W[i][j] -= step
"""


def test_an_error_computed_anew_for_each_number_is_no_state_of_an_optimizer(tmp_path: Path) -> None:
    """It is the same beside every number, and what it is multiplied with, a state of the forward pass, is no gradient."""
    verdict = verdict_on(tmp_path, NUMBERS, rounds=1)
    factors = {row.name: row.bare.factor for row in verdict.compared if row.status == "right" and row.bare}
    assert factors == pytest.approx({"v": 0.1, "W": 0.1})
