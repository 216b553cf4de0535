"""What the lines of a backward pass make: dL/d(a forward value), or the share of it through one line."""

from __future__ import annotations

import numpy as np
import pytest

from engine.doctor.lineage.meanings import SHARE, SUM, WHOLE, Meanings
from engine.doctor.lineage.record.looked_up import Lookup
from engine.doctor.lineage.verdict.verdict import judged
from engine.doctor.report import meanings as shown
from tests.engine.doctor.lineage.programs import TAGGER, changed, line_of, run

WRONG = changed(TAGGER, ("later = W.T @ dz", "later = W @ dz"))
STEP, OUTPUT = line_of(TAGGER, "hs.append(np.tanh"), line_of(TAGGER, "e = np.exp")


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> Meanings:
    return Meanings(judged(run(tmp_path_factory.mktemp("right"), TAGGER, rounds=1)))


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> Meanings:
    return Meanings(judged(run(tmp_path_factory.mktemp("wrong"), WRONG, rounds=1)))


@pytest.mark.parametrize(
    ("line", "name", "is_"),
    [
        ("dh = ", "dh", f"dL/d hs of line {STEP}, t = 3"),
        ("dz = ", "dz", f"dL/d (what tanh is taken of in line {STEP}), t = 3"),
        ("later = W", "later", f"dL/d hs through line {STEP}, t = 3"),
        ("dW +=", "dW", f"dL/d W through line {STEP}, t = 3"),
        ("dV +=", "dV", f"dL/d V through line {OUTPUT}, t = 3"),
    ],
)
def test_each_line_is_told_with_its_step(right: Meanings, line: str, name: str, is_: str) -> None:
    made = [m for m in right.all() if m.event.site.line == line_of(TAGGER, line) and m.event.site.kind != "step"]
    made = made[:4]  # the first state is zero, and dL/dW through it
    assert [m.before for m in made] == [0, 1, 2, 3]
    assert {m.event.name for m in made} == {name}
    assert str(made[1].is_) == is_
    assert [m.is_.t for m in made] == [4, 3, 2, 1]


def test_the_first_state_is_told_by_its_place(right: Meanings) -> None:
    made = [m for m in right.all() if m.event.name == "later"]
    assert str(made[4].is_) == "dL/d hs[0]"
    assert made[4].is_.t is None


def test_a_gradient_that_is_added_up_is_a_share_then_a_sum_then_all_of_it(right: Meanings) -> None:
    made = [m for m in right.all() if m.event.site.line == line_of(TAGGER, "dW +=")]
    assert [m.is_.kind for m in made if m.event.site.kind == "increment"] == [SHARE] * 4
    assert [m.is_.kind for m in made if m.event.site.kind == "step"] == [SHARE, SUM, SUM, WHOLE, WHOLE]
    returned = [m for m in right.all() if m.event.site.kind == "return"]
    assert [str(m.is_) for m in returned] == ["dL/d U", "dL/d W", "dL/d V", "dL/d b", "dL/d c"]


def test_what_a_value_equals_as_well_is_said(right: Meanings) -> None:
    """With one sample dL/db through a step is dL/d(what tanh is taken of)."""
    made = next(m for m in right.all() if m.event.name == "dz")
    assert [str(other) for other in made.coincides] == [f"dL/d b through line {STEP}, t = 4"]


def test_what_is_wrong_has_no_meaning_and_forward_values_have_none(wrong: Meanings) -> None:
    told = {(m.event.site.line, m.before) for m in wrong.all()}
    assert not any(line == line_of(TAGGER, "later = W") for line, _ in told)
    assert {before for line, before in told if line == line_of(TAGGER, "dz = ")} == {0}
    assert min(line for line, _ in told) > line_of(TAGGER, "return hs, ps, loss")


def test_the_wrong_line_is_shown_with_what_goes_into_it_and_what_it_should_make(
    right: Meanings, wrong: Meanings
) -> None:
    file, line = wrong.backward[0].site.file, line_of(TAGGER, "later = W")
    assert shown.beside(wrong, right.verdict, file, line) == (
        f"line {line_of(TAGGER, 'dz = ')}: dz is dL/d (what tanh is taken of in line {STEP}), t = 4",
        f"line {line}: later should be dL/d hs through line {STEP}, t = 4",
    )


def test_rows_are_limited_and_that_is_told(right: Meanings, monkeypatch: pytest.MonkeyPatch) -> None:
    file, last = right.backward[0].site.file, len(TAGGER.splitlines())
    rows, left = shown.rows(right, file, last)
    assert left == ""
    assert rows[2] == {
        "line": line_of(TAGGER, "dh = "),
        "is": f"dL/d hs of line {STEP}, t = 4",
        "of_line": STEP,
        "t": 4,
        "name": "dh",
        "before": 0,
        "factor": 1.0,
        "coincides_with": [],
        "file": None,
    }
    monkeypatch.setattr(shown, "MOST_ROWS", 20)
    fewer, left = shown.rows(right, file, last)
    assert len(fewer) <= 20
    assert {row["line"] for row in fewer} == {row["line"] for row in rows}
    assert str(len(rows)) in left


def test_arrays_are_found_whatever_their_factor_turned_or_not_and_only_those() -> None:
    rng = np.random.default_rng(0)
    one, two = rng.normal(size=(3, 4)), rng.normal(size=(3, 4))
    near = one + 1e-3 * two
    lookup = Lookup([one, near.T, np.zeros((3, 4)), np.full((3, 4), 2.0), np.array([5.0])], [], 1e-6)
    for k, value in enumerate((one / 3, two, near * -2, np.ones((3, 4)), np.array([1.0]))):
        lookup.add(value, SHARE, k, 0)
    lookup.finish()
    assert [[(hit.k, round(hit.factor, 9)) for hit in hits] for hits in lookup.hits] == [
        [(0, 3.0)],
        [(2, -0.5)],
        [],
        [],
        [],
    ]
