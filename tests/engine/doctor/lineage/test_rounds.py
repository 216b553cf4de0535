"""When a run has seen enough, and which additions are updates."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.doctor.lineage.record.array_names import ArrayNames
from engine.doctor.lineage.record.updates import found
from engine.doctor.lineage.verdict.of_round import GIVEN
from engine.doctor.recording.tracing.store import OPERATION
from tests.engine.doctor.lineage.programs import LONG as TAGGER
from tests.engine.doctor.lineage.programs import changed, run, verdict_on
from tests.engine.doctor.lineage.trained import LONG, network

SAMPLE = """
h = np.zeros((H, 1))
for _ in range(4):
    h = np.tanh(Wxh @ np.ones((I, 1)) + Whh @ h + bh)
    y = Why @ h + by
"""


def test_a_run_that_is_cut_is_a_record_with_its_end_told(tmp_path: Path) -> None:
    record = run(tmp_path, "import numpy as np\nx = np.ones(100)\nwhile True:\n    y = x * 2.0\n", numbers=2_000)
    assert record.outcome["ended"] == "full"
    assert 1_800 < len(record.pool) + OPERATION * len(record.operations) <= 2_000 + OPERATION


def test_weights_that_are_tried_out_before_training_come_round_where_they_are_trained(tmp_path: Path) -> None:
    verdict = verdict_on(tmp_path, network(training=LONG, before=SAMPLE), numbers=200_000)
    assert verdict.verdict == "right"
    assert verdict.record is not None
    assert verdict.record.outcome["ended"] == "update"


def test_adding_a_bias_in_a_sample_is_no_update_of_it(tmp_path: Path) -> None:
    verdict = verdict_on(tmp_path, network(before=SAMPLE))
    assert {c.name for c in verdict.compared} == {"Wxh", "Whh", "Why", "bh", "by"}
    assert all(c.status == "right" for c in verdict.compared)


READ_ON = """
import numpy as np
rng = np.random.RandomState(0)
W, b = rng.randn(3, 3), rng.randn(3)
for step in range(2):
    h, loss = np.ones(3), 0.0
    for t in range(9):
        z = W @ h + b
        h = np.tanh(z)
    W -= 0.1 * np.outer(h, h)
    b -= 0.1 * h
"""


def test_of_an_array_that_is_stepped_the_sums_that_a_line_reads_on_are_looked_at_once(tmp_path: Path) -> None:
    record = run(tmp_path, READ_ON)
    groups = found(record, ArrayNames(record))
    lines = [[record.lines[step.made.line].number for step in group] for group in groups]
    assert sorted(lines) == [[8, 11], [10]]
    assert [step.sure for group in groups for step in group if record.lines[step.made.line].number > 9] == [True, True]


def test_weights_of_one_shape_that_a_sample_read_first_come_round_with_the_first_update(tmp_path: Path) -> None:
    text = network(("I, H, O, T = 3, 4, 3, 5", "I, H, O, T = 4, 4, 4, 5"), training=LONG, before=SAMPLE)
    record = run(tmp_path, text)
    assert [len(record.rounds), record.outcome["ended"]] == [8, "update"]


CHECKED = """
checked, wanted = rng.randn(3, D), np.array([1, 2, 0])
for w in (U, W, V, b, c):
    for index in np.ndindex(w.shape):
        before = w[index]
        for eps in (1e-6, -1e-6):
            w[index] = before + eps if eps > 0 else before - 1e-6
            forward(checked, wanted)
        w[index] = before
"""


def test_a_numerical_check_of_the_gradients_steps_no_weight(tmp_path: Path) -> None:
    record = run(tmp_path, changed(TAGGER, ("for step in range", CHECKED + "exit()\nfor step in range")))
    assert (record.outcome["ended"], record.rounds) == ("exit", ())
    verdict = verdict_on(tmp_path, changed(TAGGER, ("for step in range", CHECKED + "for step in range")))
    assert {c.name: c.status for c in verdict.compared} == dict.fromkeys(("U", "W", "V", "b", "c"), "right")


LOOP = "    for weight, grad in zip((U, W, V, b, c), grads):\n        weight -= 0.1 * grad\n"
"""The updates of the program; in their place:"""


def stepped(form: str) -> str:
    """The program with each of its weights `w` stepped as a form says."""
    each = "".join(form.format(w=w) for w in ("U", "W", "V", "b", "c"))
    return changed(TAGGER, (LOOP, "    dU, dW, dV, db, dc = grads\n" + each))


@pytest.mark.parametrize(
    "form",
    [
        "    {w} = 0.99 * {w} - 0.1 * d{w}\n",
        "    {w} = np.clip({w} - 0.1 * d{w}, -2, 2)\n",
        "    {w} = {w} - 0.1 * d{w}\n    {w} = {w} * min(1.0, 3.0 / np.linalg.norm({w} + 1e-9))\n",
        "    {w} = {w}.copy()\n    {w} -= 0.1 * d{w}\n",
        "    {w} = ({w} - 0.1 * d{w}).astype(np.float64)\n",
        "    {w}[:] = {w} - 0.1 * d{w}\n",
    ],
)
def test_a_weight_is_that_weight_when_it_is_scaled_limited_or_copied_as_it_is_stepped(
    tmp_path: Path, form: str
) -> None:
    verdict = verdict_on(tmp_path, stepped(form))
    assert verdict.verdict == "right"
    assert {c.name for c in verdict.compared} == {"U", "W", "V", "b", "c"}
    assert verdict.record is not None
    assert verdict.record.outcome["ended"] == "update"


def test_a_loss_that_was_made_from_gradients_calls_nothing_wrong(tmp_path: Path) -> None:
    """A step that is not seen as one: the loss of the last round depends on the first weights through all rounds before."""
    verdict = verdict_on(tmp_path, changed(stepped("    {w} = -0.1 * d{w} + {w}\n"), ("range(30)", "range(4)")))
    assert (verdict.verdict, verdict.compared) == ("undecided", ())
    assert verdict.reason.startswith("the loss was made from what line ")


LOOPS = """
import numpy as np
np.random.seed(3)
H, T = 3, 4
Wx, Wh, Wy = np.random.randn(H), np.random.randn(H, H) * 0.5, np.random.randn(H)

for step in range(20):
    x = np.random.randn(T)
    h = np.zeros((T + 1, H))
    for t in range(T):
        for j in range(H):
            z = Wx[j] * x[t]
            for k in range(H):
                z += Wh[j, k] * h[t, k]
            h[t + 1, j] = np.tanh(z)
    out = h[T] @ Wy
    loss = 0.5 * (out - 1.0) ** 2
    dWx, dWh, dWy, dh = np.zeros(H), np.zeros((H, H)), (out - 1.0) * h[T], (out - 1.0) * Wy
    for t in reversed(range(T)):
        before = np.zeros(H)
        for j in range(H):
            dz = dh[j] * (1 - h[t + 1, j] ** 2)
            dWx[j] += dz * x[t]
            for k in range(H):
                dWh[j, k] += dz * h[t, k]
                before[k] += dz * Wh[j, k]
        dh = before
    Wx -= 0.1 * dWx
    Wh -= 0.1 * dWh
    Wy -= 0.1 * dWy
"""


def test_weights_that_are_read_number_by_number_come_round_too(tmp_path: Path) -> None:
    verdict = verdict_on(tmp_path, LOOPS)
    assert verdict.verdict == "right"
    assert verdict.record is not None
    assert len(verdict.compared) == 3
    assert verdict.record.outcome["ended"] == "update"


def test_weights_that_are_stepped_number_by_number_come_round_too(tmp_path: Path) -> None:
    each = "    for i in np.ndindex({w}.shape):\n        {w}[i] = {w}[i] - 0.1 * d{w}[i]\n"
    text = LOOPS
    for w in ("Wx", "Wh", "Wy"):
        text = text.replace(f"    {w} -= 0.1 * d{w}\n", each.format(w=w))
    record = run(tmp_path, text)
    assert [record.outcome["ended"], len(record.rounds)] == ["update", 8]
    assert verdict_on(tmp_path, text).verdict == "right"


SQUARE = """import numpy as np

rng = np.random.RandomState(3)
T, N = 3, 4
x, y = rng.randn(T, 1, N), rng.randn(T, 1, N)
U, W, V = (rng.randn(N, N) * 0.5 for _ in range(3))
for epoch in range(40):
    h, hs, loss = np.zeros((1, N)), [np.zeros((1, N))], 0.0
    dU, dW, dV, dh = 0, 0, 0, 0
    for t in range(T):
        a = np.dot(x[t], U)
        r = np.dot(hs[-1], W)
        hs.append(np.tanh(a + r))
        out = np.dot(hs[-1], V)
        loss += 0.5 * ((out - y[t]) ** 2).sum()
    for t in reversed(range(T)):
        d = np.dot(hs[t + 1], V) - y[t]
        dz = (np.dot(d, V.T) + dh) * (1 - hs[t + 1] ** 2)
        dV, dU, dW = dV + np.dot(hs[t + 1].T, d), dU + np.dot(x[t].T, dz), dW + np.dot(hs[t].T, dz)
        dh = np.dot(dz, W.T)
    U = 1 * U - 0.1 * dU
    W = 1 * W - 0.1 * dW
    V = 1 * V - 0.1 * dV
"""


def test_three_weights_of_one_shape_come_round_with_the_first_update(tmp_path: Path) -> None:
    record = run(tmp_path, SQUARE)
    first = len(record.pool) // 8
    assert [record.outcome["ended"], len(record.rounds)] == ["update", 8]
    assert record.rounds[0][0] < 1.5 * first


def test_a_loss_is_not_left_for_a_part_of_it_with_which_nothing_agrees_either(tmp_path: Path) -> None:
    text = SQUARE.replace("(1 - hs[t + 1] ** 2)", "hs[t + 1]").replace(
        "d = np.dot(hs[t + 1], V) - y[t]", "d = y[t] ** 2"
    )
    verdict = verdict_on(
        tmp_path, text.replace("        loss +=", "        part = 0.5 * ((out - y[t]) ** 2).sum()\n        loss +=")
    )
    assert verdict.loss is not None
    assert (verdict.verdict, verdict.loss.name) == ("wrong", "loss")


ELMAN = """
import numpy as np

rng = np.random.RandomState(2)
U, W, V = rng.randn(3, 4), rng.randn(4, 4), rng.randn(4, 2)
context = np.zeros(4)
xs, ys = rng.randn(8, 3), rng.randn(8, 2)


def step(x):
    global context
    before, context = context, np.tanh(x @ U + context @ W)
    return before, context, context @ V


for k in range(40):
    x, y = xs[k % 8], ys[k % 8]
    before, h, out = step(x)
    error = out - y
    loss = 0.5 * (error ** 2).sum()
    dz = (V @ error) * (1 - h ** 2)
    dU, dW, dV = np.outer(x, dz), np.outer(before, dz), np.outer(h, error)
    U -= 0.1 * dU
    W -= 0.1 * dW
    V -= 0.1 * dV
    print(k, np.mean([(step(a)[2] - b) ** 2 for a, b in zip(xs, ys)]))
"""


def test_a_state_that_is_kept_may_be_taken_as_given(tmp_path: Path) -> None:
    """Elman's networks carry no error back to the state before. It was made by the weights as they are where the error was measured with
    them between two updates."""
    verdict = verdict_on(tmp_path, ELMAN, rounds=3)
    assert verdict.verdict == "right"
    assert GIVEN in verdict.conventions
    assert verdict_on(tmp_path, changed(ELMAN, ("(V @ error) *", "(V @ error + 0.1) *")), rounds=3).verdict == "wrong"


FAST_WEIGHTS = """
import numpy as np
rng = np.random.default_rng(0)
K, V = 0.3 * rng.normal(size=(3, 4)), rng.normal(size=(3, 5))
for step in range(3):
    xs, y = rng.normal(size=(5, 3)), rng.normal(size=5)
    keys, values = xs @ K, xs @ V
    S = np.zeros((6, 5, 4))
    for t in range(5):
        before = S[t]
        read = before @ keys[t]
        S[t + 1] = before + np.outer(values[t] - read, keys[t])
    out = S[5] @ keys[4]
    loss = 0.5 * ((out - y) ** 2).sum()
    dS, dkeys, dvalues = np.outer(out - y, keys[4]), np.zeros_like(keys), np.zeros_like(values)
    dkeys[4] = S[5].T @ (out - y)
    for t in reversed(range(5)):
        dvalues[t] = dS @ keys[t]
        dkeys[t] += dS.T @ (values[t] - S[t] @ keys[t]) - S[t].T @ dvalues[t]
        dS = dS - np.outer(dvalues[t], keys[t])
    K -= 0.01 * xs.T @ dkeys
    V -= 0.01 * xs.T @ dvalues
"""


def test_of_numbers_that_overflow_nothing_is_called_wrong(tmp_path: Path) -> None:
    verdict = verdict_on(tmp_path, changed(FAST_WEIGHTS, ("K, V = 0.3 *", "K, V = 1e200 *")), rounds=3)
    assert verdict.verdict == "undecided"
    assert [row.reason for row in verdict.compared] == ["dL/d(it) is not finite"] * 2


def test_a_state_that_is_added_to_at_each_step_is_no_step_that_the_loss_comes_after(tmp_path: Path) -> None:
    verdict = verdict_on(tmp_path, FAST_WEIGHTS, rounds=3)
    assert verdict.loss is not None
    assert (verdict.verdict, verdict.loss.name) == ("right", "loss")
    assert {row.name for row in verdict.compared} == {"K", "V"}


GATED = """import numpy as np
rng = np.random.RandomState(0)
W, h = rng.randn(3, 3), np.zeros(3)
for x in rng.randn(100, 3):
    z = 1 / (1 + np.exp(-(W @ h + x)))
    h *= z
    h += (1 - z) * np.tanh(x + W @ x)
print((h * h).sum())
"""


def test_a_state_that_a_gate_scales_in_place_is_no_weight_that_comes_round(tmp_path: Path) -> None:
    assert run(tmp_path, GATED).rounds == ()


@pytest.mark.parametrize(
    "zero", ["Whh = np.zeros((H, H))", "Why = np.zeros((O, H))"], ids=["recurrent weights", "read-out"]
)
def test_weights_that_begin_as_zeros_make_no_choice_of_an_error_that_is_not_handed_back(
    tmp_path: Path, zero: str
) -> None:
    """The first round shows nothing of it; of a state that is kept, one step has a part in the loss."""
    forgotten = network(("        dnext = Whh.T @ da\n", ""), before=zero + "\n")
    assert verdict_on(tmp_path, forgotten, rounds=3).verdict == "wrong"


def test_an_update_before_the_training_loop_is_the_first_round(tmp_path: Path) -> None:
    """A notebook goes through the passes once, cell by cell, and then has them in a loop, on other lines."""
    training = network().partition("\nfor step")[2]
    once = "\n".join(line[4:] for line in training.splitlines()[1:])
    by = ("by = np.zeros((H, 1)), np.zeros((O, 1))", "by = np.zeros((H, 1)), np.zeros((1, 1))")
    read = ("        y = Why @ hs[t] + by\n", "        y = Why @ hs[t] + by * np.arange(O)[:, None]\n")
    sums = ("dby += dy", "dby += (dy * np.arange(O)[:, None]).sum(axis=0, keepdims=True)")
    verdict = verdict_on(tmp_path, network(by, sums, read, before=once), rounds=2)
    assert verdict.verdict == "right"
    assert len(verdict.rounds) == 2


def test_a_first_sequence_of_one_step_hides_nothing(tmp_path: Path) -> None:
    """Its recurrent weights are compared in a later round, whose operations are elsewhere in the record."""
    lengths = [
        ("range(T)", "range(len(inputs))"),
        ("for _ in range(len(inputs))]", "for _ in range(1 + 2 * step)]"),
        ("randint(0, O, T)", "randint(0, O, 1 + 2 * step)"),
    ]
    text = network(*lengths, training=network().partition("\nfor step")[2].join(["\nfor step", ""]))
    verdict = verdict_on(tmp_path, text, rounds=3)
    assert verdict.verdict == "right"
    assert {row.name for row in verdict.compared} == {"Wxh", "Whh", "Why", "bh", "by"}
    assert verdict_on(tmp_path, changed(text, ("        dnext = Whh.T @ da\n", "")), rounds=3).verdict == "wrong"


def test_a_velocity_that_is_added_to_the_weights_does_not_come_round_there(tmp_path: Path) -> None:
    """It is changed in place and read, behind that, where it was read in the update before: the weights are not stepped yet."""
    before = "speed = [np.zeros_like(w) for w in (Wxh, Whh, Why, bh, by)]\n"
    step = (
        "    for k, (w, d) in enumerate(zip((Wxh, Whh, Why, bh, by), (dWxh, dWhh, dWhy, dbh, dby))):\n"
        "        v = speed[k]\n        v *= 0.9\n        v -= 0.1 * d\n        w += v\n"
    )
    old = "    for w, d in zip((Wxh, Whh, Why, bh, by), (dWxh, dWhh, dWhy, dbh, dby)):\n        w -= 0.1 * d\n"
    verdict = verdict_on(tmp_path, network((old, step), before=before))
    assert verdict.verdict == "right", verdict.not_compared
    assert {row.name for row in verdict.compared} == {"Wxh", "Whh", "Why", "bh", "by"}


@pytest.mark.parametrize("wrong", [False, True])
def test_weights_that_are_looked_ahead_from_are_stepped_by_their_velocity_alone(tmp_path: Path, wrong: bool) -> None:
    """Nesterov's momentum: the loss is made of weights and velocities, and only the weights are compared."""
    before = "own = [Wxh, Whh, Why, bh, by]\nspeed = [np.zeros_like(w) for w in own]\n"
    training = """
for step in range(50):
    inputs, targets = batch()
    Wxh, Whh, Why, bh, by = (w + 0.9 * v for w, v in zip(own, speed))
    loss, *grads = passes(inputs, targets, np.zeros((H, 1)))
    for k in range(5):
        speed[k] = 0.9 * speed[k] - 0.1 * grads[k]
        own[k] = own[k] + speed[k]
"""
    text = network(*([("dnext = Whh.T @ da", "dnext = Whh @ da")] if wrong else []), before=before, training=training)
    verdict = verdict_on(tmp_path, text, rounds=3)
    assert verdict.verdict == ("wrong" if wrong else "right")
    assert not any(row.name.startswith("speed") for row in verdict.compared)


def test_data_that_is_shifted_by_a_gradient_is_no_weight(tmp_path: Path) -> None:
    """Adversarial samples: a second pass over inputs that were moved uphill."""
    moved = (
        "    for w, d in zip(",
        "    if step % 2:\n"
        "        inputs = [x + 0.1 * np.sign(Wxh.T @ dbh) for x in inputs]\n"
        "        loss, dWxh, dWhh, dWhy, dbh, dby = passes(inputs, targets, np.zeros((H, 1)))\n"
        "    for w, d in zip(",
    )
    verdict = verdict_on(tmp_path, network(moved))
    assert verdict.verdict == "right"
    assert {row.name for row in verdict.compared} == {"Wxh", "Whh", "Why", "bh", "by"}


DECAY = ("    for w, d in zip(", "    for w in (Wxh, Whh, Why):\n        w *= 1 - 0.1 * 0.01\n    for w, d in zip(")


def test_weights_that_decay_in_place_under_another_name_are_stepped(tmp_path: Path) -> None:
    loop = "    for w, d in zip((Wxh, Whh, Why, bh, by), (dWxh, dWhh, dWhy, dbh, dby)):\n        w -= 0.1 * d\n"
    apart = "    Wxh -= 0.1 * dWxh; Whh -= 0.1 * dWhh; Why -= 0.1 * dWhy; bh -= 0.1 * dbh; by -= 0.1 * dby\n"
    text = network((loop, DECAY[1].rpartition("    for")[0] + apart))
    assert {row.name for row in verdict_on(tmp_path, text).compared} == {"Wxh", "Whh", "Why", "bh", "by"}


def test_a_weight_that_changes_in_a_way_that_was_not_seen_leaves_it_open(tmp_path: Path) -> None:
    whole = LOOPS.replace("    Wy -= 0.1 * dWy\n", "    Wy = np.eye(H) @ Wy - 0.1 * dWy\n")
    verdict = verdict_on(tmp_path, whole)
    assert verdict.verdict == "undecided"
    assert [left.partition(":")[0] for left in verdict.not_compared] == ["Wy"]


def test_a_weight_of_which_a_numerical_check_moved_one_entry_is_compared(tmp_path: Path) -> None:
    check = "Whh[1, 2] += 1e-5\npasses(*batch(), np.zeros((H, 1)))\nWhh[1, 2] -= 1e-5\n"
    verdict = verdict_on(tmp_path, network(before=check))
    assert verdict.verdict == "right"
    assert {"Wxh", "Whh", "Why", "bh", "by"} <= {row.name for row in verdict.compared}


TWO_NETWORKS = """
import numpy as np
rng = np.random.RandomState(2)

class Network:
    def __init__(self, seed):
        self.U, self.W, self.V = rng.randn(4, 3) / 2, rng.randn(4, 4) / 2, rng.randn(2, 4) / 2

    def forward(self, xs):
        self.xs, self.hs = xs, [np.zeros(4)]
        for x in xs:
            self.hs.append(np.tanh(self.U @ x + self.W @ self.hs[-1]))
        return self.V @ self.hs[-1]

    def backward(self, dy):
        dU, dW, dV = np.zeros((4, 3)), np.zeros((4, 4)), np.outer(dy, self.hs[-1])
        dh = self.V.T @ dy
        for t in range(len(self.xs) - 1, -1, -1):
            dz = dh * (1 - self.hs[t + 1] ** 2)
            dU += np.outer(dz, self.xs[t])
            dW += np.outer(dz, self.hs[t])
            dh = self.W.T @ dz
        self.grads = dU, dW, dV

    def step(self):
        for weight, grad in zip((self.U, self.W, self.V), self.grads):
            weight -= 0.1 * grad

one, two = Network(1), Network(2)
for step in range(4):
    y = rng.randn(2)
    error = one.forward(rng.randn(5, 3)) - y
    loss_one = 0.5 * (error ** 2).sum()
    one.backward(error)
    BETWEEN
    error = two.forward(rng.randn(5, 3)) - y
    loss_two = 0.5 * (error ** 2).sum()
    two.backward(OF_TWO)
    AFTER
"""


@pytest.mark.parametrize("steps", [("one.step()", "two.step()"), ("", "one.step(); two.step()")])
@pytest.mark.parametrize(("of_two", "verdict"), [("error", "right"), ("error ** 2", "undecided")])
def test_each_of_two_networks_is_compared_with_its_own_loss(
    tmp_path: Path, steps: tuple[str, str], of_two: str, verdict: str
) -> None:
    program = TWO_NETWORKS.replace("OF_TWO", of_two).replace("BETWEEN", steps[0]).replace("AFTER", steps[1])
    found = verdict_on(tmp_path, program)
    assert len(found.compared) == 6
    assert found.verdict == verdict


def test_a_second_network_may_be_meant_to_make_its_loss_grow(tmp_path: Path) -> None:
    """As in adversarial training, where the first one is read again before the second is stepped."""
    between = "one.step(); one.forward(rng.randn(5, 3))"
    program = TWO_NETWORKS.replace("OF_TWO", "-error").replace("BETWEEN", between).replace("AFTER", "two.step()")
    found = verdict_on(tmp_path, program)
    assert found.verdict == "undecided"
    assert [row.status for row in found.compared] == ["right"] * 3 + ["not compared"] * 3


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        ("w -= 0.1 * (d - d * even)", "w -= 0.1 * (d * even)", "right"),
        ("w -= 0.1 * (d - d * even)", "w -= 0.2 * (d * even)", "wrong"),
        ("w -= 0.001 * w", "w -= 0.1 * d", "right"),
        ("w -= 0.1 * d", "w -= 0.001 * w", "right"),
        ("w -= 0.1 * d", "w -= 0.1 * d[::-1]", "undecided"),
    ],
)
def test_two_steps_of_one_weight_are_compared_in_all(tmp_path: Path, first: str, second: str, told: str) -> None:
    even = "even = np.arange(d.size).reshape(d.shape) % 2"
    steps = f"        {even}\n        {first}\n        {second}\n"
    verdict = verdict_on(tmp_path, network(("        w -= 0.1 * d\n", steps)))
    assert verdict.verdict == told


def test_what_is_made_of_weights_that_were_stepped_is_no_weight(tmp_path: Path) -> None:
    mean = "        w -= 0.1 * d\n    for a, w in zip(means, (Wxh, Whh, Why, bh, by)):\n        a *= 0.9\n        a += 0.1 * w\n"
    begin = "means = [w.copy() for w in (Wxh, Whh, Why, bh, by)]\nfor step in range(3):"
    verdict = verdict_on(tmp_path, network(("for step in range(3):", begin), ("        w -= 0.1 * d\n", mean)))
    assert verdict.verdict == "right"
    assert len(verdict.compared) == 5


def test_of_several_rates_that_are_tried_from_the_same_weights_the_last_is_the_step(tmp_path: Path) -> None:
    tried = "        old = w.copy()\n        for rate in (1.0, 0.1):\n            w[...] = old - rate * d\n"
    assert verdict_on(tmp_path, network(("        w -= 0.1 * d\n", tried))).verdict == "right"


def test_a_step_by_what_a_function_makes_that_is_not_followed_leaves_it_open(tmp_path: Path) -> None:
    solved = "        w -= 0.1 * np.linalg.solve(np.eye(len(d)) + d @ d.T, d)\n"
    verdict = verdict_on(
        tmp_path,
        network(
            ("        w -= 0.1 * d\n", solved),
            ("return loss, dWxh", "return dWxh"),
            ("loss, dWxh, dWhh, dWhy, dbh, dby = passes", "dWxh, dWhh, dWhy, dbh, dby = passes"),
        ),
    )
    assert verdict.verdict == "undecided"
    assert "solve" in verdict.reason


ENTRIES = """
import numpy as np
rng = np.random.default_rng(0)
W, V = rng.normal(size=(3, 3)) / 2, rng.normal(size=(2, 3)) / 2
for sample in range(9):
    x, h, out = rng.normal(size=3).tolist(), [], [0.0, 0.0]
    for i in range(3):
        z = 0.0
        for k in range(3):
            z += W[i][k] * x[k]
        h.append(np.tanh(z))
    for k in range(3):
        out[0] += V[0][k] * h[k]
        out[1] += V[1][k] * h[k]
    e = np.exp(out[0]), np.exp(out[1])
    loss = -np.log(e[0] / (e[0] + e[1]))
    for row in range(2):
        error = e[row] / (e[0] + e[1]) - (row == 0)
        for j in range(3):
            for k in range(3):
                W[j, k] -= 0.001 * error * V[row, j] * (1 - h[j] ** 2) * x[k]
            V[row, j] -= 0.001 * error * h[j]
"""


@pytest.mark.parametrize("derivative", ["(1 - h[j] ** 2)", "h[j]"])
def test_weights_stepped_entry_by_entry_for_one_output_after_the_other(tmp_path: Path, derivative: str) -> None:
    """V is read for its steps before all of it is stepped, and W comes round only where the next sample begins. It is stepped twice."""
    verdict = verdict_on(tmp_path, ENTRIES.replace("(1 - h[j] ** 2)", derivative))
    status = "wrong" if derivative == "h[j]" else "right"
    assert [verdict.verdict, {row.name: row.status for row in verdict.compared}] == [
        status,
        {"W": status, "V": "right"},
    ]
