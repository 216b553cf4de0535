"""Programs with several mistakes, and mistakes that no edit of one line corrects."""

from __future__ import annotations

import ast
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from engine.doctor.diagnose import diagnose
from engine.doctor.lineage.record.reading import Record
from engine.doctor.lineage.record.running import Runs
from engine.doctor.lineage.the_loss.terms import carried_apart
from engine.doctor.lineage.verdict.other_weights import SOUGHT, settled
from engine.doctor.lineage.verdict.run_verdict import RunVerdict
from engine.doctor.lineage.verdict.verdict import judged
from engine.doctor.mending import mend
from engine.doctor.mending.around.carries import never_handed_on
from engine.doctor.mending.around.kept import kept_of_each_step
from engine.doctor.mending.around.loops import cut
from engine.doctor.mending.edits.expression_text import text_of
from engine.doctor.mending.mend import Blamed, blamed
from engine.doctor.mending.trials.places import places_of
from engine.doctor.mending.trials.started import started_otherwise
from tests.engine.doctor.lineage.programs import TAGGER, changed, runs_of

OUTPUTS = (
    ("hs, ps, loss = [np.zeros(H)], [], 0.0", "hs, ps, ys, loss = [np.zeros(H)], [], [], 0.0"),
    ("        e = np.exp(V @ hs[-1] + c)", "        ys.append(V @ hs[-1] + c)\n        e = np.exp(ys[-1])"),
    ("return hs, ps, loss", "return hs, ps, ys, loss"),
    ("def backward(xs, labels, hs, ps):", "def backward(xs, labels, hs, ps, ys):"),
    ("hs, ps, loss = forward", "hs, ps, ys, loss = forward"),
    ("grads = backward(xs, labels, hs, ps)", "grads = backward(xs, labels, hs, ps, ys)"),
)
"""The program with what goes into its softmax handed over."""


def _wrong(tmp_path: Path, text: str) -> tuple[Runs, Record, RunVerdict]:
    runs = runs_of(tmp_path, text, rounds=1)
    _, record = runs.followed()
    assert not isinstance(record, str)
    verdict = judged(record)
    assert verdict.verdict == "wrong"
    return runs, record, verdict


def test_three_lines_are_corrected_one_after_the_other(tmp_path: Path) -> None:
    """The first takes another value of the forward pass and makes two gradients wrong; the others only together make any right."""
    wrong = (
        ("dy = ps[t].copy()", "dy = np.copy(ys[t])"),
        ("dz = dh * (1 - hs[t + 1] ** 2)", "dz = (1 - hs[t + 1]) * hs[t + 1] * dh"),
        ("later = W.T @ dz", "later += W.T @ dz"),
    )
    found = blamed(*_wrong(tmp_path, changed(TAGGER, *OUTPUTS, *wrong)))
    assert [(each.mended, each.verified) for each in found] == [
        ("dy = np.copy(ps[t])", True),
        ("dz = dh * (1 - hs[t + 1] ** 2)", True),
        ("later = W.T @ dz", True),
    ]


IN_ONE = (
    ("def forward(xs, labels):", "def both(xs, labels):"),
    (
        "        hs.append(np.tanh(U @ x + W @ hs[-1] + b))",
        "        a = np.tanh(U @ x + W @ hs[-1] + b)\n        hs.append(a)",
    ),
    ("    return hs, ps, loss\n\n\ndef backward(xs, labels, hs, ps):\n", ""),
    ("    return dU, dW, dV, db, dc", "    return loss, (dU, dW, dV, db, dc)"),
    (
        "    hs, ps, loss = forward(xs, labels)\n    grads = backward(xs, labels, hs, ps)",
        "    loss, grads = both(xs, labels)",
    ),
    ("dz = dh * (1 - hs[t + 1] ** 2)", "dz = dh * (1 - a ** 2)"),
)
"""Both ways in one function; the way back reads what the last step forward left."""

OF_AN_OBJECT = """
import numpy as np

rng = np.random.RandomState(4)


class Net:
    def __init__(self):
        self.U, self.W, self.V = rng.randn(4, 3) * 0.5, rng.randn(4, 4) * 0.5, rng.randn(3, 4) * 0.5
        self.h = np.zeros(4)

    def forward(self, x):
        self.x, self.before = x, self.h
        self.h = np.tanh(self.U @ x + self.W @ self.h)
        e = np.exp(self.V @ self.h)
        self.p = e / e.sum()
        return self.p

    def backward(self, label, later):
        dy = self.p.copy()
        dy[label] -= 1
        dz = (self.V.T @ dy + later) * (1 - self.h**2)
        return np.outer(dz, self.x), np.outer(dz, self.before), np.outer(dy, self.h), self.W.T @ dz


net = Net()
for step in range(3):
    xs, labels = rng.randn(5, 3), rng.randint(0, 3, 5)
    loss = -sum(np.log(net.forward(x)[label]) for x, label in zip(xs, labels))
    sums, later = [0.0, 0.0, 0.0], np.zeros(4)
    for label in labels[::-1]:
        *parts, later = net.backward(label, later)
        sums = [whole + part for whole, part in zip(sums, parts)]
    for weight, grad in zip((net.U, net.W, net.V), sums):
        weight -= 0.1 * grad
    print(loss)
"""


@pytest.mark.parametrize(
    ("text", "stored", "taken"),
    [
        (changed(TAGGER, *IN_ONE), ["a_of_steps.append(a)"], "a_now = a_of_steps.pop(); dz = dh * (1 - a_now ** 2)"),
        (
            OF_AN_OBJECT,
            [
                "self.x_of_steps.append(self.x); self.before_of_steps.append(self.before)",
                "self.h_of_steps.append(self.h)",
            ],
            "p_now = self.p_of_steps.pop()",
        ),
    ],
    ids=["a variable", "attributes"],
)
def test_what_is_kept_of_the_last_step_only_is_kept_of_each(
    tmp_path: Path, text: str, stored: list[str], taken: str
) -> None:
    runs, record, verdict = _wrong(tmp_path, text)
    texts = {runs.name: runs.program.text}
    change = next(kept_of_each_step(texts, verdict, places_of(texts, record, verdict)))
    assert taken in change.mended
    assert all(any(says.endswith(each) for says in change.says) for each in stored)
    _, again = runs.with_texts(change.applied(texts)).followed()
    assert not isinstance(again, str)
    assert judged(again).verdict == "right"


def test_the_line_after_which_something_is_to_be_handed_on_is_named(tmp_path: Path) -> None:
    wrong = changed(
        TAGGER, ("        later = W.T @ dz\n", ""), ("dz = dh * (1 - hs[t + 1] ** 2)", "dz = dh * hs[t + 1]")
    )
    runs, _, verdict = _wrong(tmp_path, wrong)
    lines = range(len(wrong.splitlines()))
    (last,) = never_handed_on(ast.parse(wrong), runs.name, verdict, set(lines))
    assert text_of(last) == "db += dz"


def test_what_only_other_weights_show_is_corrected(tmp_path: Path) -> None:
    small = ("rng.randn(H, D) * 0.5, rng.randn(H, H) * 0.5", "rng.randn(H, D) * 1e-5, rng.randn(H, H) * 1e-5")
    bias = ("b, c = rng.randn(H) * 0.1, np.zeros(K)", "b, c = np.zeros(H), np.zeros(K)")
    wrong = ("dz = dh * (1 - hs[t + 1] ** 2)", "dz = dh * (1 - np.tanh(hs[t + 1]) ** 2)")
    runs = runs_of(tmp_path, changed(TAGGER, small, bias, wrong), rounds=1)
    _, record = runs.followed()
    assert not isinstance(record, str)
    assert judged(record).verdict == "right"
    started = started_otherwise(runs, settled(runs, judged(record)))
    assert started is not None
    (found,) = blamed(*started)
    assert (found.mended, found.verified) == ("dz = dh * (1 - hs[t + 1] ** 2)", True)


def test_a_loop_back_may_end_so_many_steps_before_its_step() -> None:
    text = "for t in range(T)[::-1]:\n    for k in range(max(0, most), t + 1)[::-1]:\n        d = W.T @ d\n"
    ((_, made),) = cut(ast.parse(text), {3})
    assert made == "range(max(0, t - most), t + 1)[::-1]"


def test_a_line_that_is_put_right_once_more_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """By what was wrong with it first, and as it is to be in the end."""
    first = Blamed("mine.py", 7, "wrong-variable", "a = b", mended="a = c[-1]")
    last = Blamed("mine.py", 7, "wrong-step", "a = c[-1]", mended="a = c[t]")
    other = Blamed("mine.py", 9, "sign", "d = e", mended="d = -e")
    proposal = SimpleNamespace(place=None, edit=None)
    trial = SimpleNamespace(is_over=False, first=lambda _: None, best=proposal, spent=0)
    trial.on = lambda _: SimpleNamespace(texts={}, record=None, verdict=None, spent=1)
    monkeypatch.setattr(mend, "places_of", lambda *_: [])
    monkeypatch.setattr(mend, "_searched", lambda *_, **__: [last, other])
    step = SimpleNamespace(proposal=proposal, repaired=frozenset({"W"}), told=[first])
    told: Any = mend._with_the_rest(cast("Any", trial), cast("Any", step), 2)
    assert [(each.line, each.id, each.mended) for each in told] == [
        (7, "wrong-variable", "a = c[t]"),
        (9, "sign", "d = -e"),
    ]


def test_a_line_that_small_weights_hide_is_named_beside_the_other(tmp_path: Path) -> None:
    """With states so small the derivative of tanh is 1, whatever it is taken of: the other line's correction alone would do."""
    small = TAGGER[TAGGER.index("rng.randn(H, D)") : TAGGER.index("\nb, c")]
    wrong = (
        (small, "[rng.randn(*s) * 2e-3 for s in ((H, D), (H, H), (K, H))]"),
        ("b, c = rng.randn(H) * 0.1", "b, c = np.zeros(H)"),
        ("dz = dh * (1 - hs[t + 1] ** 2)", "dz = dh * (1 - np.tanh(hs[t + 1]) ** 2)"),
        ("later = W.T @ dz", "later = W @ dz"),
    )
    (tmp_path / "small.py").write_text(changed(TAGGER, *wrong))
    report = diagnose(tmp_path / "small.py")
    assert [each.fix for each in report.diagnoses] == ["dz = dh * (1 - hs[t + 1] ** 2)", "later = W.T @ dz"]
    assert SOUGHT in report.conventions.values()


EACH_OUTPUT_BACK_ON_ITS_OWN = """    for t in range(T - 1, -1, -1):
        dy = ps[t].copy()
        dy[labels[t]] -= 1
        dV += np.outer(dy, hs[t + 1])
        dc += dy
        dz = (V.T @ dy) * (1 - hs[t + 1] ** 2)
        for k in range(t, max(-1, t - 4), -1):
            dU += np.outer(dz, xs[k])
            dW += np.outer(dz, hs[k])
            db += dz
            dz = (W @ dz) * (1 - hs[k] ** 2)
"""


def test_a_loop_back_for_each_of_many_outputs_is_corrected(tmp_path: Path) -> None:
    """What one output alone has of dL/d(a state) is nothing of the whole loss; how many steps back it goes is the program's choice."""
    back = TAGGER[TAGGER.index("    later = np.zeros(H)\n") : TAGGER.index("    return dU, dW, dV, db, dc")]
    text = changed(TAGGER, (back, EACH_OUTPUT_BACK_ON_ITS_OWN), ("D, H, K, T = 3, 4, 3, 5", "D, H, K, T = 3, 4, 3, 16"))
    runs, record, verdict = _wrong(tmp_path, text)
    assert verdict.record is not None and verdict.loss is not None
    apart = carried_apart(verdict.record, verdict.loss)
    assert apart is not None and len(apart.seeds) == 12 and apart.until < len(verdict.record.pool)
    (found,) = blamed(runs, record, verdict)
    assert (found.mended, found.verified) == ("dz = W.T @ dz * (1 - hs[k] ** 2)", True)


def test_outputs_that_go_back_together_are_not_taken_apart(tmp_path: Path) -> None:
    _, _, verdict = _wrong(tmp_path, changed(TAGGER, ("later = W.T @ dz", "later = W @ dz")))
    assert verdict.record is not None and verdict.loss is not None
    assert carried_apart(verdict.record, verdict.loss) is None
