"""The rules of a verdict, each alone, on rows as the comparison makes them: no program is run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from engine.doctor.lineage.gradients.comparison import ComparedGradient
from engine.doctor.lineage.gradients.gradients import Walk
from engine.doctor.lineage.record.matching import Agreement
from engine.doctor.lineage.record.reading import Events, Operations, Record, RecordedArray, RecordedOperation, UserLine
from engine.doctor.lineage.record.updates import Update
from engine.doctor.lineage.the_loss.loss import LOSS, ChosenLoss
from engine.doctor.lineage.verdict import given_back, of_round, other_weights, run_verdict, verdict
from engine.doctor.lineage.verdict.differences import _changed, _not_followed, _shifts
from engine.doctor.lineage.verdict.factors import ADDED, one_factor
from engine.doctor.lineage.verdict.given_back import NEGATED, SCALED, is_by_scale, unless_scaled
from engine.doctor.lineage.verdict.of_round import ONLY_ONE
from engine.doctor.lineage.verdict.run_verdict import RunVerdict

LOSS_OF_ALL = ChosenLoss("loss", 9, ((RecordedArray((), 1), np.ones(())),), 1.0)
ASSUMED = replace(LOSS_OF_ALL, name="", assumed="the cross-entropy")
STEP = Update(7, (np.arange(6, dtype=np.int32),), np.arange(6, dtype=np.int32), np.ones(6), (), True)


def agreement(factor: float, *, error: float = 0.0) -> Agreement:
    return Agreement(factor, 1.0, error, error <= 1e-6)


def row(name: str, factor: float = -0.1, size: int = 6, status: str = "right", **more: Any) -> ComparedGradient:
    """A gradient of an array of `size` numbers, stepped by `factor` times itself."""
    start = 100 * ord(name[0])
    ids = np.arange(start, start + size, dtype=np.int32)
    given = {"match": agreement(factor), "bare": agreement(1.0), "update": STEP} | more
    return ComparedGradient(name, 7, status, own=ids, gradient=ids + 50, right=np.ones(size), **given)


def told(*rows: ComparedGradient, loss: ChosenLoss = LOSS_OF_ALL) -> tuple[dict[str, str], list[str]]:
    made, conventions = one_factor(rows, loss)
    return {each.name: each.status for each in made}, conventions


def test_gradients_of_one_factor_are_right() -> None:
    assert told(row("U"), row("V"), row("W")) == ({"U": "right", "V": "right", "W": "right"}, [])


def test_a_gradient_that_itself_has_another_factor_than_the_rest_is_wrong() -> None:
    made, conventions = one_factor([row("U"), row("V", -0.2, bare=agreement(2.0)), row("W")], LOSS_OF_ALL)
    assert [each.status for each in made] == ["right", "wrong", "right"]
    assert made[1].reason == "it is 2 times dL/d(it), others are not"
    assert conventions == []


def test_a_step_of_another_factor_alone_is_a_rate_of_its_own() -> None:
    statuses, conventions = told(row("U"), row("V", -0.3), row("W"))
    assert set(statuses.values()) == {"right"}
    assert conventions == ["each update has a rate or a clip of its own"]


def test_without_the_gradient_itself_the_factor_of_the_step_counts() -> None:
    made, _ = one_factor([row("U"), row("V", -0.25, bare=None), row("W")], LOSS_OF_ALL)
    assert (made[1].status, made[1].reason) == ("wrong", "it is -0.25 times dL/d(it), others are not")


def test_a_single_number_is_compared_by_its_factor_alone() -> None:
    assert told(row("b", size=1), row("W"))[0] == {"b": "right", "W": "right"}
    assert told(row("b", -0.3, size=1, bare=agreement(3.0)), row("V"), row("W"))[0]["b"] == "wrong"
    alone = row("b", -0.3, size=1, bare=agreement(3.0))
    made, _ = one_factor([alone], LOSS_OF_ALL)
    assert (made[0].status, made[0].reason) == (
        "not compared",
        "of a single number only the factor could be compared",
    )
    assert told(row("b", size=1))[0] == {"b": "right"}  # 1 times dL/d(it), and so its own gradient
    limited = replace(alone, walk=Walk(clipped=True))
    assert told(limited, row("V"), row("W"))[0]["b"] == "not compared"
    assert (
        told(replace(row("b", -0.3, size=2, bare=agreement(3.0)), walk=Walk(clipped=True)), row("V"))[0]["b"] == "wrong"
    )


def test_two_numbers_inside_a_step_count_with_the_factor_of_the_others() -> None:
    ids = np.arange(4, 6, dtype=np.int32)
    clipped = row("b", size=2, status="wrong", walk=Walk(clipped=True, small=[(ids, agreement(1.0))]))
    made, conventions = one_factor([clipped, row("W")], LOSS_OF_ALL)
    assert (made[0].status, made[0].match) == ("right", None)
    assert made[0].gradient is ids
    assert conventions == ["gradients are clipped"]
    other = replace(clipped, walk=Walk(clipped=True, small=[(ids, agreement(0.5))]))
    assert told(other, row("W")) == ({"b": "wrong", "W": "right"}, [])
    assert told(replace(clipped, walk=Walk(small=[(ids, agreement(1.0))])), row("W")) == (
        {"b": "right", "W": "right"},
        [],
    )
    assert told(replace(clipped, walk=Walk(clipped=True)), row("W"))[0]["b"] == "wrong"
    assert told(clipped)[0] == {"b": "wrong"}  # with nothing beside it there is no factor


def inside(name: str, factor: float, **more: Any) -> ComparedGradient:
    """A gradient that was found inside an optimizer's step."""
    return row(name, match=None, bare=agreement(factor), walk=Walk(**more))


def test_inside_an_optimizer_the_gradients_themselves_have_one_factor() -> None:
    assert told(inside("U", 1.0), inside("V", 1.0)) == ({"U": "right", "V": "right"}, [])
    made, _ = one_factor([inside("U", 1.0), inside("V", 0.5), inside("W", 1.0)], LOSS_OF_ALL)
    assert [each.status for each in made] == ["right", "wrong", "right"]
    assert made[1].reason == "it is 0.5 times dL/d(it), others are not"
    halves = {n: inside(n, 0.5) for n in "UV"}
    assert told(*halves.values(), inside("W", 0.25))[0] == {"U": "right", "V": "right", "W": "wrong"}
    assert told(inside("U", 0.5), inside("V", 0.25))[0] == {"U": "right", "V": "right"}  # which is odd is not known


def test_what_updates_do_is_a_convention() -> None:
    assert told(inside("U", 1.0, penalty=True, clipped=True))[1] == [
        "a penalty on the weights is added to the gradient",
        "gradients are clipped",
    ]
    assert told(row("U", status="not compared", walk=Walk(clipped=True)))[1] == []


@pytest.mark.parametrize(
    ("name", "reason"), [("loss", ADDED), ("likelihood", ""), ("total", "")], ids=["loss", "reward", "unnamed"]
)
def test_a_step_up_the_loss_is_said_and_held_against_a_loss_by_its_name(name: str, reason: str) -> None:
    made, conventions = one_factor([row("U", 0.1), row("b", 0.1, size=1)], replace(LOSS_OF_ALL, name=name))
    assert conventions == [ADDED]
    assert [each.reason for each in made] == [reason, ""]
    assert one_factor([row("U", 0.1)], ASSUMED)[0][0].reason == ""


def test_a_step_up_inside_an_optimizer_is_one_only_if_all_are() -> None:
    up = inside("U", 1.0, uphill=True)
    assert told(up)[1] == [ADDED]
    assert told(up, inside("V", 1.0))[1] == []
    assert told(up, row("V"))[1] == []  # one that is seen to go down
    assert told(row("U", -0.1))[1] == []


def test_right_wrong_or_undecided() -> None:
    def verdict_of(*rows: ComparedGradient, loss: ChosenLoss = LOSS_OF_ALL, trusted: bool = False) -> RunVerdict:
        return run_verdict.verdict_of(loss, rows, trusted)

    wrong, left = row("V", status="wrong"), row("b", status="not compared", reason="it is drawn")
    assert verdict_of(row("U"), row("W")).verdict == "right"
    assert verdict_of(row("U"), wrong).verdict == "wrong"
    assert verdict_of(row("U"), row("V", status="zero")).verdict == "wrong"
    assert verdict_of(wrong).verdict == "wrong"
    assert verdict_of(row("U", 0.1)).verdict == "wrong"  # up the loss
    open_ = verdict_of(row("U"), left)
    assert (open_.verdict, open_.not_compared) == ("undecided", ("b: it is drawn",))
    assert verdict_of(left).verdict == verdict_of(row("U", 0.1), left).verdict == "undecided"
    two = verdict_of(row("U", size=2), row("V", size=2))
    assert (two.verdict, two.not_compared[0]) == ("undecided", "U: any number is a factor times any other")
    assert verdict_of(row("U", size=3), row("V", size=2)).verdict == "right"
    for doubtful in (ASSUMED, replace(LOSS_OF_ALL, name="total")):
        assert verdict_of(wrong, loss=doubtful).verdict == "undecided"
        assert verdict_of(wrong, loss=doubtful, trusted=True).verdict == "wrong"
        assert verdict_of(wrong, row("U"), loss=doubtful).verdict == "wrong"
    assert verdict_of(row("U"), loss=ASSUMED).conventions == ("the loss was taken to be the cross-entropy",)
    assert verdict_of(row("U"), loss=replace(LOSS_OF_ALL, name="total")).loss_doubtful
    assert not verdict_of(row("U")).loss_doubtful
    assert not verdict_of(row("U"), loss=ASSUMED).loss_doubtful


def test_the_loss_that_agrees_best_has_most_right_gradients_then_its_name_then_fewest_wrong_ones() -> None:
    def score(*rows: ComparedGradient, doubtful: bool = False) -> run_verdict.Score:
        return run_verdict.score(RunVerdict("", LOSS_OF_ALL, rows, loss_doubtful=doubtful))

    right, wrong = row("U"), row("V", status="wrong")
    assert score(right, row("W")) > score(right, wrong) > score(right, wrong, row("X", status="zero"))
    assert score(right, row("W"), doubtful=True) > score(right) > score(right, doubtful=True)
    assert score(row("W", size=3)) == (1, True, 0, 1) > score(row("W", size=2)) == (0, True, 0, 0)  # two agree with any
    assert score(wrong) == score(wrong, row("X", status="zero"))  # none is right: fewer weights are no better
    assert score(right, row("b", status="not compared")) > score(right)


def test_of_losses_that_are_assumed_the_one_whose_gradients_are_the_programs() -> None:
    def may_be_another(*rows: ComparedGradient, loss: ChosenLoss = ASSUMED, word: str = "right") -> bool:
        return run_verdict._may_be_another(RunVerdict(word, loss, rows))

    doubled = row("U", bare=agreement(2.0))
    assert may_be_another(doubled)
    assert may_be_another(doubled, row("W"))
    assert may_be_another(row("W", size=3, bare=agreement(2.0)))
    assert not may_be_another(row("U"))
    assert not may_be_another(row("U", bare=agreement(-1.0)))
    assert not may_be_another(row("U", size=2, bare=agreement(2.0)), row("V", bare=None))
    assert not may_be_another(doubled, word="wrong")
    assert not may_be_another(doubled, loss=LOSS_OF_ALL)


def test_one_gradient_alone_is_not_all_of_a_network_that_steps_nothing() -> None:
    one = RunVerdict("right", LOSS_OF_ALL, (row("U", update=None), row("b", size=2, update=None)))
    alone = of_round._more_than_one(one)
    assert (alone.verdict, alone.reason, alone.not_compared) == (
        "undecided",
        ONLY_ONE,
        (f"the other weights: {ONLY_ONE}",),
    )
    two = replace(one, compared=(*one.compared, row("V", size=3)))
    wrong = replace(one, verdict="wrong")
    assert (of_round._more_than_one(two), of_round._more_than_one(wrong)) == (two, wrong)


def test_of_several_rounds_the_first_with_what_was_seen_later() -> None:
    left = row("b", status="not compared", reason="it is zero")
    first = RunVerdict("undecided", LOSS_OF_ALL, (row("U"), replace(left, line=8)), ("clipped",))
    later = replace(row("c"), line=8), replace(row("d"), line=20), replace(row("e", update=None), line=21)
    second = RunVerdict("right", LOSS_OF_ALL, (row("U"), *later), ("clipped", "added"))
    assert verdict._merged([first]) is first
    wrong = replace(second, verdict="wrong")
    assert verdict._merged([first, wrong]) is wrong
    doubtful = replace(first, compared=(row("U", status="wrong"),))
    assert verdict._merged([doubtful, second]) is doubtful
    whole = verdict._merged([first, second])
    assert (whole.verdict, whole.not_compared, whole.conventions) == ("right", (), ("clipped", "added"))
    assert [(each.name, each.line) for each in whole.compared] == [("U", 7), ("b", 8), ("d", 20)]
    assert whole.compared[1].own is later[0].own
    for other in (replace(later[0], line=9), replace(later[0], status="wrong"), replace(row("c", size=5), line=8)):
        whole = verdict._merged([first, replace(second, compared=(row("U"), other))])
        assert (whole.verdict, whole.not_compared) == ("undecided", ("b: it is zero",))
    assert verdict._merged([replace(first, compared=()), replace(second, compared=())]).verdict == "undecided"


def test_gradients_that_nothing_steps_are_beside_weights_that_are_stepped_by_wrong_ones() -> None:
    def is_beside(*rows: ComparedGradient, stepped: tuple[ComparedGradient, ...], loss: Any = LOSS_OF_ALL) -> bool:
        of = RunVerdict("wrong", loss, stepped)
        return of_round._is_beside(RunVerdict("right", LOSS_OF_ALL, rows), of)

    wrong, apart = row("V", status="wrong"), row("X", update=None)
    assert is_beside(apart, stepped=(wrong,))
    assert is_beside(apart, stepped=(row("V", size=3, status="wrong"),))
    assert is_beside(apart, replace(row("V"), status="wrong"), stepped=(replace(wrong, status="zero"),))
    assert not is_beside(apart, row("V", update=None), stepped=(wrong,))  # it is right after all
    assert not is_beside(apart, stepped=(row("V"),))
    assert not is_beside(apart, stepped=(row("V", size=2, status="wrong"),))
    for update in (None, replace(STEP, sure=False)):
        assert not is_beside(apart, stepped=(replace(wrong, update=update),))
    for loss in (None, ASSUMED, replace(LOSS_OF_ALL, line=3), replace(LOSS_OF_ALL, name="cost")):
        assert not is_beside(apart, stepped=(wrong,), loss=loss)


def test_gradients_are_told_by_their_steps_where_one_is_sure() -> None:
    unsure = row("U", update=replace(STEP, sure=False))
    assert of_round._is_stepped(RunVerdict("wrong", None, (unsure, row("V"))))
    assert not of_round._is_stepped(RunVerdict("wrong", None, (unsure, row("V", update=None))))
    assert not of_round._is_stepped(None)


def test_errors_that_go_back_some_steps_are_asked_for_only_where_some_gradients_are_right_and_others_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(of_round, "shortened", lambda *given, **more: pytest.fail("it is not asked for"))
    up, wrong = row("U", 0.1, reason=ADDED), row("V", status="wrong")
    for rows, loss in (((up,), LOSS_OF_ALL), ((wrong, row("b", size=2)), LOSS_OF_ALL), ((up, wrong), None)):
        own = RunVerdict("wrong", loss, rows)
        assert of_round._cut(RECORD, own, lambda *given: pytest.fail("not compared again"), True, later=False) is own


def test_why_nothing_was_compared_is_how_the_run_ended() -> None:
    for ended, says in (
        ("error", "stopped before anything could be compared"),
        ("full", "11 numbers were recorded, and nothing could be compared yet"),
        ("singles", of_round.NUMBER_BY_NUMBER),
        ("events", of_round.CROWDED),
        ("end", of_round.NO_STEPS),
    ):
        assert says in of_round.why_undecided(replace(RECORD, outcome={"ended": ended}))


RECORD = Record(
    np.array([0, 5, 4, 3, 2, 1, 12, 0.5, 2, 2, 4.0]),
    Operations.of(
        (
            RecordedOperation("divide", 1, 6, (), (RecordedArray((), 5), RecordedArray((), 1))),
            RecordedOperation("mean", 1, 7, (), (RecordedArray((2, 3), 1, (3, 1)),)),
            RecordedOperation("add", 1, 8, (2,), (RecordedArray((2,), 1, (1,)), RecordedArray((2,), 3, (1,)))),
        )
    ),
    Events.none(),
    np.array([[1, 5, 1]], np.int32),
    (UserLine("", 0), UserLine("program.py", 3)),
    (),
    (),
    {},
    constants=frozenset({7, 10}),
)
"""5, 4, 3, 2 and 1 came from outside; 7 and 10 are numbers of the text, 0.5 and 4."""


def test_a_factor_that_is_no_count_and_stands_nowhere_was_computed() -> None:
    for factor in (1.0, 5.0, -5.0, 1 / 7, 0.5, -0.5, 4.0, 9999.0):
        assert given_back._is_of_numbers(RECORD, factor), factor
    for factor in (0.3, 5.01, 10_001.0):
        assert not given_back._is_of_numbers(RECORD, factor), factor


def test_what_a_loss_is_divided_by_and_averaged_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(given_back, "forward_of", lambda record, loss: np.arange(11) != 9)
    assert list(given_back._averaged_over(RECORD, LOSS_OF_ALL)) == [5, 6, 2, 3]
    monkeypatch.setattr(given_back, "forward_of", lambda record, loss: np.arange(11) == 7)
    assert list(given_back._averaged_over(RECORD, LOSS_OF_ALL)) == [6, 2, 3]


def test_one_factor_of_all_is_right_unless_something_else_is_wrong() -> None:
    scaled = row("U", status="wrong", reason=f"it is 5 times dL/d(it){SCALED[0]}5")
    begun = replace(scaled, name="V", reason=f"it is 5 times dL/d(it){SCALED[1]}")
    wrong = row("W", status="wrong", reason="it is 2 times dL/d(it), others are not")
    by_scale = RunVerdict("wrong", LOSS_OF_ALL, (scaled, begun, row("X")))
    assert is_by_scale(by_scale)
    assert not is_by_scale(replace(by_scale, compared=(scaled, wrong)))
    assert not is_by_scale(replace(by_scale, compared=(scaled, row("W", status="zero"))))
    assert not is_by_scale(replace(by_scale, compared=(row("X"),)))
    right = unless_scaled(by_scale)
    assert (right.verdict, {(r.status, r.reason) for r in right.compared}) == ("right", {("right", "")})
    assert unless_scaled(replace(by_scale, not_compared=("b: no",))).verdict == "undecided"
    other = unless_scaled(replace(by_scale, compared=(scaled, wrong)))
    assert (other.verdict, [r.status for r in other.compared]) == ("wrong", ["right", "wrong"])
    assert unless_scaled(right) is right


def test_gradients_that_come_back_have_the_sign_of_a_loss_by_its_name() -> None:
    def by_sign(*rows: ComparedGradient, loss: ChosenLoss = LOSS_OF_ALL) -> list[tuple[str, str]]:
        return [(r.status, r.reason) for r in given_back._by_sign(list(rows), loss)]

    back, right = row("U", -1.0, update=None), ("right", "")
    assert by_sign(back, row("V", status="wrong", reason="so")) == [("wrong", NEGATED), ("wrong", "so")]
    assert by_sign(back, row("V", 1.0, update=None)) == [right, right]
    assert by_sign(back, row("V", -1.0)) == [right, right]  # a step down the loss
    assert by_sign(back, row("V", match=None, update=None)) == [right, right]
    for name in (LOSS, "log_likelihood", "total"):
        assert by_sign(back, loss=replace(LOSS_OF_ALL, name=name)) == [right]
    assert by_sign(back, loss=replace(ASSUMED, name="loss")) == [right]


def test_everything_has_the_other_sign_only_if_all_that_is_there_has() -> None:
    back = row("U", -1.0, update=None)
    assert given_back._is_negative([back, back])
    assert not given_back._is_negative([])
    for other in (row("V", 1.0, update=None), row("V", -1.0), row("V", -1.0, 1, update=None), row("V", match=None)):
        assert not given_back._is_negative([back, other])


def test_what_could_not_be_compared_gives_way_to_what_can() -> None:
    left, wrong = row("U", status="not compared"), row("V", status="wrong")
    again = [replace(row("U"), name="U again"), replace(row("V"), name="V again"), row("W")]
    made = given_back._with_the_others([left, wrong], again)
    assert [each.name for each in made] == ["V", "U again", "V again", "W"]


def test_weights_that_hide_what_is_wrong() -> None:
    near = np.array([1, 2, 2 + 1e-7, 1])
    for values in (np.full(6, 0.7), np.zeros(6), np.arange(6) * 1e-4, np.eye(3).ravel(), np.array([3.0]), 1e6 * near):
        assert other_weights._hides(values), values
    for values in (np.arange(6.0), np.arange(9.0), np.array([[1, 2], [2 + 1e-3, 1]]).ravel()):
        assert not other_weights._hides(values), values


def test_errors_of_gradients_as_large_as_rounding_are_none() -> None:
    pool = np.linspace(0.1, 1, 1000)
    record = replace(RECORD, pool=pool, operations=Operations.of(()))
    ids = np.arange(6, dtype=np.int32)
    near = replace(row("U"), gradient=ids, match=agreement(1, error=2e-4))
    assert other_weights._error(record, near) == 2e-4
    assert other_weights._error(record, replace(near, match=None, bare=agreement(1, error=3e-5))) == 3e-5
    assert other_weights._error(record, replace(near, match=None, bare=None)) == 0
    assert other_weights._error(record, replace(near, own=ids[:1])) == 0
    single = replace(record, pool=pool.astype(np.float32).astype(np.float64))
    assert other_weights._error(single, near) == 0
    far = replace(near, status="wrong", match=agreement(1, error=0.1))
    assert other_weights._is_far(record, RunVerdict("wrong", None, (near, far)))
    for status in ("wrong", "zero"):
        assert not other_weights._is_far(record, RunVerdict("wrong", None, (replace(near, status=status), far)))


def test_a_loss_that_changes_as_told_agrees() -> None:
    """L = w · (3, -1): shifted weights change it by as much, or some number on the way was not followed."""
    record = Record(
        np.array([0, 2.0, 1.0, 5.0]),
        Operations.of(()),
        Events.none(),
        np.array([[1, 2, 1]], np.int32),
        RECORD.lines,
        (),
        (),
        {},
    )
    loss = ChosenLoss("loss", 3, ((RecordedArray((), 3), np.ones(())),), 5.0)
    adjoint, moved = np.array([0, 3.0, -1.0, 1.0]), np.array([0, 2.01, 1.02, 5.01])
    shifts = [(1, 2, 0.01)]
    right = _changed(record, replace(record, pool=moved), adjoint, shifts, loss)
    assert right is not None and right.agrees
    assert (right.seen, right.told) == pytest.approx((0.01, 0.01))
    other = _changed(record, replace(record, pool=np.add(moved, [0, 0, 0, 0.001])), adjoint, shifts, loss)
    assert other is not None and not other.agrees
    assert _changed(record, replace(record, pool=np.add(moved, [0, 0, 0, np.inf])), adjoint, shifts, loss) is None
    large = np.array([0, 0, 0, 1e14])  # rounding hides the change
    hidden = replace(record, pool=record.pool + large)
    assert _changed(hidden, replace(record, pool=moved + large), adjoint, shifts, loss) is None
    twice = replace(loss, seeds=((RecordedArray((), 3), np.full((), 2.0)),))
    doubled = _changed(record, replace(record, pool=moved), 2 * adjoint, shifts, twice)
    assert doubled is not None and doubled.agrees and doubled.seen == pytest.approx(0.02)


def test_what_comes_from_outside_and_changes_with_the_weights_was_not_followed() -> None:
    leaves = np.array([[1, 2, 1], [3, 2, 1], [7, 1, 1]], np.int32)
    record = Record(np.arange(8.0), Operations.of(()), Events.none(), leaves, RECORD.lines, (), (), {})
    adjoint, shifts = np.ones(8), [(1, 2, 0.1)]

    def said(*, more: float = 0.0, other: int = 0, adjoint: Any = adjoint, last: int = 6) -> str | None:
        moved = np.array([0, 0.1, 0.1, more, more, 0, 0, 9])
        again = replace(record, pool=record.pool + moved, leaves=leaves + np.array([0, other, 0]))
        return _not_followed(record, again, adjoint, shifts, last)

    assert said() == ""
    assert said(more=1e-4) == "what line 3 reads changes with the weights, but was not followed from them"
    assert said(more=1e-4, adjoint=np.zeros(8)) == ""  # it does not move the loss
    assert said(more=1.0) is None  # drawn anew
    assert said(last=7) is None  # so is what the loss comes after
    assert said(other=1) is None  # another run


def test_weights_are_moved_that_move_the_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    """By as much as their largest entry says; those in single precision not at all."""
    leaves = np.array([[0, 6, 1], [10, 6, 1], [20, 6, 1], [30, 6, 1], [40, 6, 1]], np.int32)
    pool = np.full(46, np.nan)
    pool[0:6], pool[10:16], pool[20:26], pool[40:46] = 0.3, 0, 0.5, 0.1
    record = replace(RECORD, pool=pool, operations=Operations.of(()), leaves=leaves)
    adjoint = np.where(np.arange(46) >= 40, 0, 1.0)
    rows = [
        replace(row(n), own=np.arange(k, k + 6, dtype=np.int32), update=None)
        for n, k in zip("UVWXY", leaves[:, 0], strict=True)
    ]
    one = replace(row("b"), own=np.arange(20, 21, dtype=np.int32), update=None)
    made = list(_shifts(record, RunVerdict("right", LOSS_OF_ALL, (*rows, one)), adjoint))
    assert made == [(0, 6, pytest.approx(3e-8)), (10, 6, pytest.approx(1e-7))]
