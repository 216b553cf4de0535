"""What a called function gave back, and how it counts: each rule alone, on records made by hand."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from engine.doctor.lineage.record.reading import (
    Events,
    Floats,
    Ids,
    Operations,
    Record,
    RecordedArray,
    RecordedOperation,
    UserLine,
)
from engine.doctor.lineage.the_loss.loss import LOSS
from engine.doctor.lineage.verdict import given_back
from engine.doctor.lineage.verdict.given_back import NOTHING_ELSE, RETURNED, SCALED
from engine.doctor.lineage.verdict.of_round import ONLY_ONE
from engine.doctor.lineage.verdict.run_verdict import RunVerdict
from tests.engine.doctor.lineage.test_rules import ASSUMED, LOSS_OF_ALL, RECORD, agreement, row

RIGHT = np.array([1.0, 2.0, -3.0, 4.0])
WRONG = np.array([1.0, 2.0, -3.0, -4.0])


def recorded(**arrays: Floats) -> tuple[Record, dict[str, Ids]]:
    """A record of arrays that came from outside, and the numbers of each."""
    pool, ids, leaves = [0.0], dict[str, Ids](), list[tuple[int, int, int]]()
    for name, values in arrays.items():
        ids[name] = np.arange(len(pool), len(pool) + len(values), dtype=np.int32)
        leaves.append((len(pool), len(values), 1))
        pool.extend(values.tolist())
    lines = (UserLine("", 0), UserLine("program.py", 3))
    return Record(np.array(pool), Operations.of(()), Events.none(), np.array(leaves, np.int32), lines, (), (), {}), ids


def by_first(*arrays: Ids) -> dict[int, Ids]:
    return {int(ids[0]): ids for ids in arrays}


def handed(name: str = "_driver[0]", **more: Any) -> Any:
    """A gradient of four numbers of what was handed over, that is right on the way."""
    return replace(row(name, 1.0, 4, update=None), right=RIGHT, **more)


def test_an_array_is_right_up_to_a_factor() -> None:
    record, ids = recorded(same=RIGHT, scaled=-0.5 * RIGHT, wrong=WRONG, short=RIGHT[:3], zero=0 * RIGHT)
    assert [name for name in ids if given_back._is_right(record, ids[name], RIGHT)] == ["same", "scaled"]


def test_an_array_is_right_before_a_limit_that_it_went_through() -> None:
    record, ids = recorded(same=RIGHT, wrong=WRONG)
    for inside, is_right in ((ids["same"], True), (ids["wrong"], False)):
        limit = RecordedOperation("minimum", 1, 9, (4,), (RecordedArray((4,), int(inside[0]), (1,)),))
        limited = replace(
            record, operations=Operations.of((limit,)), pool=np.concatenate([record.pool, np.minimum(RIGHT, 1)])
        )
        assert given_back._is_right(limited, np.arange(9, 13, dtype=np.int32), RIGHT) is is_right


def test_a_step_is_made_of_what_it_steps() -> None:
    made, own = np.array([8, 9]), np.array([1, 2])
    assert given_back._is_step(RECORD, made, own)
    assert given_back._is_step(RECORD, made, np.array([4, 3]))
    assert not given_back._is_step(RECORD, made, np.array([5]))
    assert not given_back._is_step(RECORD, own, own)


def test_what_came_back_for_what_was_handed_over_counts() -> None:
    record, ids = recorded(right=RIGHT, wrong=WRONG, zero=0 * RIGHT, short=RIGHT[:3])

    def counted(one: Any, *back: str, left: tuple[str, ...] = ()) -> tuple[Any, dict[int, Ids]]:
        still = by_first(*(ids[name] for name in left))
        came = by_first(*(ids[name] for name in (*back, *left)))
        (made,) = given_back._by_what_is_returned(record, RunVerdict("right", LOSS_OF_ALL, (one,)), came, still)
        return made, still

    made, still = counted(handed(), "right", left=("wrong",))
    assert (made.status, made.reason, len(still)) == ("right", "", 1)
    made, still = counted(handed(), left=("wrong", "short"))
    assert (made.status, made.reason, list(still)) == ("wrong", RETURNED, [int(ids["short"][0])])
    assert made.gradient is ids["wrong"] and made.match is made.bare and not made.match.right
    assert counted(handed(), left=("zero",))[0].status == "zero"
    assert counted(handed(status="not compared"), left=("wrong",))[0].status == "wrong"
    for one, left in ((handed(), ("wrong", "zero")), (handed("W"), ("wrong",)), (handed(status="wrong"), ("wrong",))):
        made, still = counted(one, left=left)
        assert made is one and len(still) == len(left)


def test_a_multiple_of_what_was_right_on_the_way_has_the_factor_of_what_came_back() -> None:
    record, ids = recorded(half=0.5 * RIGHT, same=RIGHT, limited=0.3 * RIGHT, wrong=WRONG)
    one = handed()

    def factor_of(*back: str, given: Any = one) -> float:
        made = given_back._with_its_factor(record, given, [ids[name] for name in back])
        assert (made is given) or (made.gradient is ids[back[-1]] and made.bare is made.match)
        return made.match.factor

    assert factor_of("half") == pytest.approx(0.5)
    assert factor_of("same") == factor_of("limited") == factor_of("wrong") == factor_of() == 1.0
    assert factor_of("same", "half") == 1.0  # one of them is it
    assert factor_of("half", given=handed(status="not compared")) == 1.0
    assert factor_of("half", given=replace(one, match=agreement(0.5))) == 0.5


def test_only_what_comes_back_may_have_a_factor_too_much() -> None:
    record, ids = recorded(back=RIGHT, other=2 * RIGHT)
    back, wrong = by_first(ids["back"]), replace(handed(), status="wrong", match=agreement(1, error=1))
    other = np.array([4.0, 3.0, 2.0, 1.0])
    multiple = replace(handed(status="wrong"), right=other)  # it does not come back
    rows = [handed(), multiple, wrong]
    assert given_back._without_the_carry(record, rows, back) == [rows[0], wrong]
    assert given_back._without_the_carry(record, [multiple], back) == [multiple]
    assert given_back._without_the_carry(record, [handed(status="wrong")], back)[0].status == "wrong"


def test_those_that_came_back_have_one_factor() -> None:
    values = {"u": RIGHT, "v": RIGHT[::-1], "w": RIGHT * [1, -1, 1, 1]}
    record, ids = recorded(u=values["u"], v=values["v"], w=2 * values["w"])
    back = by_first(*ids.values())
    rows = [replace(handed(name), right=values[name.lower()]) for name in "UV"]
    twice = replace(handed("W"), right=values["w"], match=agreement(2.0), bare=agreement(2.0))
    on_the_way = replace(handed("X"), right=np.arange(4.0) + 7, match=agreement(9.0), bare=agreement(9.0))
    made = given_back._with_one_factor(record, [*rows, twice, on_the_way], back, LOSS_OF_ALL)
    assert [each.status for each in made] == ["right", "right", "wrong", "right"]
    assert made[3] is on_the_way
    right_after_all = replace(twice, status="wrong", match=agreement(1.0), bare=agreement(1.0), reason="so")
    made = given_back._with_one_factor(record, [*rows, right_after_all], back, LOSS_OF_ALL)
    assert [(each.status, each.reason) for each in made] == [("right", "")] * 3


def test_what_is_the_gradient_of_nothing_is_left() -> None:
    record, ids = recorded(known=RIGHT, wrong=WRONG, of_a_leaf=np.array([5.0, 5.0, 5.0, 6.0]), nothing=RIGHT[::-1] ** 3)
    adjoint = np.zeros(len(record.pool))
    adjoint[ids["known"]] = [5, 5, 5, 6]
    rows = (handed(), replace(handed("W", status="wrong"), right=RIGHT[::-1], gradient=ids["wrong"]))
    verdict = RunVerdict("wrong", LOSS_OF_ALL, rows)
    left = given_back._unexplained(record, verdict, by_first(*ids.values()), adjoint)
    assert list(left) == [int(ids["nothing"][0])]
    left = given_back._unexplained(record, verdict, by_first(*ids.values()), adjoint[:0])
    assert list(left) == [int(ids[name][0]) for name in ("of_a_leaf", "nothing")]


def test_what_is_left_is_the_gradient_of_the_one_array_of_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    record, ids = recorded(W=RIGHT, V=WRONG, b=RIGHT[:3], gW=RIGHT[::-1], gb=WRONG[:3])
    adjoint, forward = np.ones(len(record.pool)), np.ones(len(record.pool), bool)
    monkeypatch.setattr(given_back, "inputs", lambda record: [ids["W"], ids["V"], ids["b"]])
    monkeypatch.setattr(given_back, "forward_of", lambda record, loss: forward)

    def made(*left: str, seen: tuple[Any, ...] = ()) -> list[tuple[int, str]]:
        still = by_first(*(ids[name] for name in left))
        found = list(given_back._of_the_others(record, LOSS_OF_ALL, seen, still, adjoint))
        assert all(each.reason == NOTHING_ELSE and each.status == "wrong" for each in found)
        assert len(still) == len(left) - len(found)
        return [(int(each.own[0]), len(each.gradient)) for each in found]

    W, V, b = (int(ids[name][0]) for name in "WVb")
    known = replace(handed(), own=ids["V"])
    assert made("gW", "gb") == [(b, 3)]  # two arrays may have the other
    assert made("gW", "gb", seen=(known,)) == [(W, 4), (b, 3)]
    assert made("gW", seen=(replace(known, status="not compared"),)) == []
    assert made("gW", "V", seen=(known,)) == []  # nor may one have two
    forward[ids["V"]] = False
    assert made("gW") == [(W, 4)]
    forward[ids["V"]], adjoint[ids["W"]] = True, 0
    assert made("gW") == [(V, 4)]


def test_a_factor_of_all_is_wrong_where_it_is_seen_how_the_way_back_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    record, _ = recorded(any=RIGHT)
    begins: list[float] = []
    counts: list[float] = []
    monkeypatch.setattr(given_back, "at_the_begin", lambda record, loss: begins)
    monkeypatch.setattr(given_back, "_averaged_over", lambda record, loss: iter(counts))
    five = replace(handed("W"), match=agreement(5.0))

    def reasons(*rows: Any, loss: Any = LOSS_OF_ALL) -> list[str]:
        made = given_back._scaled_on_the_way(record, list(rows), loss)
        assert all((each.status == "wrong") == bool(each.reason) for each in made)
        return [each.reason for each in made]

    assert reasons(five) == [""]
    counts[:] = [4.0]
    assert reasons(five) == [""]
    counts[:] = [4.0, 5.0]
    assert reasons(five) == [f"it is 5 times dL/d(it){SCALED[0]}5"]
    assert reasons(replace(five, match=agreement(0.2))) == [f"it is 0.2 times dL/d(it){SCALED[0]}5"]
    begins[:] = [1.0, 2.0]
    assert SCALED[0] in reasons(five)[0]
    begins[:] = [1.0, 1.0]
    assert reasons(five) == [f"it is 5 times dL/d(it){SCALED[1]}"]
    stepped, single = row("U", 5.0), replace(row("b", 5.0, 1), update=None)
    assert reasons(five, stepped, single)[1:] == ["", ""]
    assert reasons(stepped, single) == ["", ""]
    assert reasons(five, handed("V")) == ["", ""]  # one has no factor
    assert reasons(replace(five, match=agreement(0.3))) == [""]  # it was computed
    for loss in (ASSUMED, replace(LOSS_OF_ALL, name=LOSS)):
        assert reasons(five, loss=loss) == [""]


def test_the_verdict_by_what_came_back(monkeypatch: pytest.MonkeyPatch) -> None:
    record, ids = recorded(right=RIGHT, negative=-RIGHT, wrong=WRONG, short=RIGHT[:3])
    back: dict[int, Ids] | None = None
    without: list[str] = []
    monkeypatch.setattr(given_back, "_given_back", lambda *given: (back, {}))
    monkeypatch.setattr(given_back, "adjoint_of", lambda record, loss: np.zeros(len(record.pool)))
    monkeypatch.setattr(given_back, "forward_of", lambda record, loss: np.zeros(len(record.pool), bool))
    monkeypatch.setattr(given_back, "_without_gradients", lambda *given: iter(without))
    monkeypatch.setattr(given_back, "_scaled_on_the_way", lambda record, rows, loss: rows)

    def said(
        *rows: Any, word: str = "right", is_added: bool | None = True, reason: str = "", **loss: str
    ) -> RunVerdict:
        own = RunVerdict(
            word, replace(LOSS_OF_ALL, **loss), rows, not_compared=("b: no",) * bool(reason), reason=reason
        )
        own = replace(own, record=record)
        made = given_back.as_returned(own, "mine.py", 9, is_added=is_added)
        assert made is own or back is not None
        return made

    one, down = handed(), handed(match=agreement(-1.0))
    assert said(one).verdict == "right"  # no function was called
    assert said(one, word="undecided", reason=ONLY_ONE).verdict == "undecided"
    back = by_first(ids["right"])
    assert said(one).verdict == said(one, is_added=None).verdict == "right"
    assert said(one, word="undecided").verdict == "undecided"
    alone = said(one, word="undecided", reason=ONLY_ONE)  # a part may have but one
    assert (alone.verdict, alone.reason, alone.not_compared) == ("right", "", ())
    wrong = replace(handed("W", status="wrong", match=agreement(1, error=1)), right=RIGHT[::-1], gradient=ids["wrong"])
    assert said(one, wrong, word="wrong").verdict == "wrong"
    assert (
        said(handed(status="wrong", gradient=ids["wrong"]), word="wrong").verdict == "right"
    )  # nothing but a factor, which all have
    assert said(word="wrong").verdict == "wrong"
    without[:] = ["W: none came"]
    assert (said(one).verdict, said(one).not_compared) == ("undecided", ("W: none came",))
    assert said(one, wrong, word="wrong").verdict == "wrong"
    without.clear()
    back = by_first(ids["right"], ids["short"])
    left = said(one)
    assert (left.verdict, left.not_compared) == ("undecided", (f"an array of 3 numbers: {given_back.NOTHING}",))
    back = by_first(ids["wrong"])
    made = said(one)
    assert (made.verdict, made.compared[0].reason) == ("wrong", RETURNED)
    assert said(handed(status="not compared"), word="undecided").verdict == "wrong"
    back = by_first(ids["negative"])
    assert said(down).verdict == "right"
    assert (said(down, is_added=None).verdict, said(down, is_added=None).reason) == ("undecided", given_back.OTHER_SIGN)
    assert said(down, is_added=False).compared[0].reason == given_back.NEGATED
    assert said(down, is_added=False).verdict == "wrong"
    assert said(down, is_added=False, name="total").reason == given_back.OTHER_SIGN


def test_a_weight_that_moves_the_loss_and_of_which_nothing_came_back_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    record, ids = recorded(W=RIGHT, x=WRONG, dx=RIGHT[::-1], other=WRONG[::-1] ** 3)
    adjoint = np.zeros(len(record.pool))
    adjoint[ids["W"]], adjoint[ids["x"]] = RIGHT**3, RIGHT[::-1]
    first = {name: int(one[0]) for name, one in ids.items()}
    uses = [SimpleNamespace(operands=[RecordedArray((4,), first[name], (1,)) for name in ("W", "x")])]
    weights = [SimpleNamespace(own={first["W"]}, uses=uses)]
    monkeypatch.setattr(given_back, "Roles", lambda *given: SimpleNamespace(weights=weights))
    monkeypatch.setattr(given_back, "_biases", lambda *given: [])
    monkeypatch.setattr(given_back, "inputs", lambda record: [ids["W"], ids["x"]])

    def named(*known: Any, back: str = "dx", adjoint: Floats = adjoint) -> list[str]:
        rows = [replace(handed(**more), own=ids[name]) for name, more in known]
        return list(given_back._without_gradients(record, LOSS_OF_ALL, rows, by_first(ids[back]), adjoint))

    nothing = dict[str, str]()
    assert named() == [f"the array made in line 3: {given_back.NONE_CAME}"]
    assert named(("x", {"status": "not compared"})) == named(("W", {"status": "not compared"})) == named()
    assert named(("x", nothing)) == []  # W is data then
    assert named(("W", nothing)) == []
    assert named(adjoint=0 * adjoint) == []  # it does not move the loss
    adjoint[ids["W"]] = WRONG[::-1] ** 3
    assert named(back="other") == []  # it came back after all
    weights[0].own = {first["x"] + 1}
    assert named() == []  # it was not handed over
