"""Remarks: of each kind in the catalogue the example, in which it is made, and the right program, in which nothing is."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.doctor.diagnose import diagnose
from engine.doctor.lineage.record.running import Runs, Trials
from engine.doctor.lineage.remarks import output
from engine.doctor.lineage.remarks.remark import Remark
from engine.doctor.lineage.remarks.told import remarks
from engine.doctor.lineage.verdict.run_verdict import RunVerdict
from engine.doctor.lineage.verdict.verdict import judged
from engine.doctor.mistakes.catalogue import CATALOGUE
from engine.doctor.mistakes.mistake import Mistake
from engine.doctor.mistakes.programs import PROGRAMS
from engine.doctor.run.launch import Wishes
from engine.doctor.run.program import ProgramFile
from tests.engine.doctor.lineage.programs import TAGGER, changed

Examined = Callable[[str], tuple[RunVerdict, list[Remark]]]
KINDS = [m for m in CATALOGUE.values() if m.remark and m.example is not None]


@pytest.fixture(scope="module")
def examined(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Examined]:
    """The verdict and the remarks on a text; all texts in one process, each once."""
    path = tmp_path_factory.mktemp("remarks") / "program.py"
    path.write_text("")
    known: dict[str, tuple[RunVerdict, list[Remark]]] = {}

    with Trials(Runs(ProgramFile(path, ""), Wishes(stand=path.parent))) as trials:

        def examine(text: str) -> tuple[RunVerdict, list[Remark]]:
            if text not in known:
                record = trials.recorded({"program.py": text}, 20, rounds=2)
                assert record is not None
                verdict = judged(record)
                known[text] = verdict, remarks(record, verdict, {"program.py": ast.parse(text)})
            return known[text]

        yield examine


@pytest.mark.parametrize("mistake", KINDS, ids=lambda mistake: mistake.id)
def test_a_remark_is_made_of_the_example_and_of_no_right_program(mistake: Mistake, examined: Examined) -> None:
    example = mistake.example
    assert example is not None
    _, seen = examined(example.wrong_text)
    assert [(remark.id, remark.place.number) for remark in seen] == [(mistake.id, example.wrong_line)]
    assert examined(example.right_text)[1] == []


def test_a_softmax_of_several_rows_at_once(examined: Examined) -> None:
    text = changed(PROGRAMS["batch"], ("e.sum(axis=1, keepdims=True)", "e.sum()"))
    assert [remark.id for remark in examined(text)[1]] == ["softmax-wrong-axis"]
    assert "4 rows add up to 1 together" in examined(text)[1][0].says


ATTENTION = changed(
    PROGRAMS["stacked"],
    (
        "    error = high[1:] @ w - target\n    loss = 0.5 * np.sum(error ** 2)\n",
        "    scores = np.exp(high[1:] @ Q)\n    shares = scores / scores.sum(axis=0)\n"
        "    error = high[1:] @ w - target\n    loss = 0.5 * np.sum(error ** 2) + 1e-9 * np.sum((shares.T @ high[1:]) ** 2)\n",
    ),
)
"""Heads of attention: their shares add up to 1 over the steps."""


def test_a_softmax_over_the_steps_is_attention(examined: Examined) -> None:
    assert examined(ATTENTION)[1] == []


def test_a_reset_gate_times_the_state_is_no_output_gate(examined: Examined) -> None:
    """In a GRU r * h is a gate times what is added up from step to step, too: but that is the state itself."""
    text = changed(
        PROGRAMS["lstm"],
        ("tc = np.tanh(c)\n        h = o * tc", "tc, h = o * c, c"),
        ("np.concatenate([x, h])", "np.concatenate([x, h + tc])"),
        (
            "h, c, loss, kept = rng.randn(H), rng.randn(H)",
            "h, c, tc, loss, kept = rng.randn(H), rng.randn(H), rng.randn(H)",
        ),
    )
    assert "cell-without-tanh" not in [remark.id for remark in examined(text)[1]]


MEASURE = changed(
    PROGRAMS["lstm"], ("loss += 0.5 * (y - target) ** 2", "error += np.abs(y - target)"), ("loss, kept", "error, kept")
)


def test_a_measure_beside_the_loss_is_no_verdict(examined: Examined) -> None:
    verdict, seen = examined(MEASURE)
    assert verdict.verdict == "right"
    assert [remark.id for remark in seen] == ["gradient-of-another-loss"]


ERRORS = changed(
    TAGGER,
    ("        loss -= np.log(ps[-1][label])\n", ""),
    ("        dy = ps[t].copy()\n        dy[labels[t]] -= 1\n", "        dy = -ps[t]\n        dy[labels[t]] += 1\n"),
    ("weight -= 0.1", "weight += 0.1"),
    ("dy", "errors"),
)


def test_entries_of_what_the_way_back_begins_with_are_no_loss(examined: Examined) -> None:
    """No loss is computed at all."""
    verdict, seen = examined(ERRORS)
    assert (verdict.verdict, seen) == ("right", [])


def test_gradients_of_another_loss_than_the_one_computed_are_wrong(examined: Examined) -> None:
    example = CATALOGUE["gradient-of-another-loss"].example
    assert example is not None
    verdict, seen = examined(example.wrong_text)
    assert verdict.verdict == "wrong"
    assert "the cross-entropy" in seen[0].says


def test_no_verdict_is_made_with_losses_of_which_no_wrong_gradient_is_one(
    examined: Examined, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "of_round", lambda *_, **__: pytest.fail("all is looked up once more"))
    verdict, seen = examined(changed(TAGGER, ("dy = ps[t].copy()", "dy = ps[t] ** 2")))
    assert (verdict.verdict, seen) == ("wrong", [])


def test_a_state_that_begins_anew_is_not_remarked_upon_and_a_precomputed_input_is_none(examined: Examined) -> None:
    text = changed(
        PROGRAMS["batch"],
        (
            "X, Y = rng.randn(B, T, D)",
            "data = rng.randn(B, T, D)\nX, Y = (data - data.mean(axis=0)) / data.std(axis=0)",
        ),
    )
    assert examined(text)[1] == []


ONCE = ("range(3):\n    xs", "range(1):\n    xs")


def test_a_weight_without_a_gradient_in_the_only_round_leaves_it_open(examined: Examined) -> None:
    text = changed(
        PROGRAMS["loop"],
        ONCE,
        ("        dWh += np.outer(dz, hs[t])\n", ""),
        ("dWx, dWh, dWy", "dWx, dWy"),
        ("m in (Wx, Wh, Wy", "m in (Wx, Wy"),
        ("zip((Wx, Wh, Wy", "zip((Wx, Wy"),
    )
    verdict, _ = examined(text)
    assert verdict.verdict == "undecided"
    assert any(left.startswith("Wh: it moves the loss") for left in verdict.not_compared)


def test_an_input_that_is_the_same_at_all_steps_is_no_weight(examined: Examined) -> None:
    same = ("xs, labels = rng.randn(T, D), rng", "xs, labels = [np.array([0.5, -0.3])] * T, rng")
    for changes in ((ONCE, same), (same,)):
        verdict, seen = examined(changed(PROGRAMS["loop"], *changes))
        assert (verdict.verdict, seen) == ("right", [])


GATHERED = """
for step in range(3):
    total, sums = 0.0, [np.zeros_like(m) for m in (U, W, V, b, c)]
    for _ in range(2):
        xs, labels = rng.randn(T, D), rng.randint(0, K, T)
        hs, ps, loss = forward(xs, labels)
        total += loss / 2
        for s, grad in zip(sums, backward(xs, labels, hs, ps)):
            s += grad / 2
    for weight, s in zip((U, W, V, b, c), sums):
        weight -= 0.1 * s
"""


def test_a_running_mean_of_losses_is_no_penalty(examined: Examined) -> None:
    verdict, seen = examined(TAGGER[: TAGGER.index("for step in range")] + GATHERED)
    assert (verdict.verdict, seen) == ("right", [])


def test_a_penalty_on_states_that_no_gradient_has_is_remarked_upon(examined: Examined) -> None:
    text = changed(TAGGER, ("    grads = ", "    whole = loss + 0.1 * (np.array(hs) ** 2).sum()\n    grads = "))
    verdict, seen = examined(text)
    assert verdict.verdict == "right"
    assert [(r.id, r.place.number) for r in seen] == [
        ("penalty-without-gradient", text.splitlines().index("    grads = backward(xs, labels, hs, ps)"))
    ]


ONE_SAMPLE = """
for step in range(3):
    x, label = rng.randn(D), rng.randint(K)
    h = np.tanh(U @ x)
    e = np.exp(V @ h)
    p = e / e.sum()
    loss = -p[label]
    dy = p.copy()
    dy[label] -= 1
    dU, dV = np.outer(V.T @ dy * (1 - h ** 2), x), np.outer(dy, h)
    U -= 0.1 * dU
    V -= 0.1 * dV
"""


def test_gradients_that_are_another_multiple_at_each_update_are_those_of_another_loss(examined: Examined) -> None:
    """Of one sample they point the same way."""
    begin = TAGGER[: TAGGER.index("def forward")]
    verdict, seen = examined(begin + ONE_SAMPLE)
    assert verdict.verdict == "right"
    assert [r.id for r in seen] == ["gradient-of-another-loss"]
    verdict, seen = examined(begin + ONE_SAMPLE.replace("-p[label]", "-np.log(p[label])"))
    assert (verdict.verdict, seen) == ("right", [])


JORDAN = """
import numpy as np
rng = np.random.default_rng(0)
W, R, V = rng.normal(size=(3, 4)) * 0.4, rng.normal(size=(3, 1)) * 0.4, rng.normal(size=(1, 3)) * 0.4
before = np.zeros((1, 1))
for x, target in zip(rng.normal(size=(8, 4, 1)), rng.normal(size=(8, 1, 1))):
    h = np.tanh(W @ x + R @ before)
    y = V @ h
    loss = 0.5 * ((y - target) ** 2).sum()
    dh = V.T @ (y - target) * (1 - h ** 2)
    dV, dW, dR = (y - target) @ h.T, dh @ x.T, dh @ before.T
    V -= 0.1 * dV
    W -= 0.1 * dW
    R -= 0.1 * dR
    before = y.copy()
"""


def test_one_output_that_is_kept_for_the_next_step_is_a_state(tmp_path: Path) -> None:
    """A Jordan network that is stepped at every step is right as far as it goes, and it is said how far that is."""
    (tmp_path / "jordan.py").write_text(JORDAN)
    report = diagnose(tmp_path / "jordan.py", None, Wishes(stand=tmp_path))
    assert report.verdict == "correct"
    assert [id_ for id_, _ in report.remarks] == ["state-kept"]
