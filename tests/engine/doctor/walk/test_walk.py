"""The walk through a user's own run: what each line made, dL/d(it), what it should be; moves, breakpoints, and terms."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.doctor.lineage.record.reading import RecordedEvent
from engine.doctor.opening import open_walk
from engine.doctor.read.source import SourceFile
from engine.doctor.walk.executed import ExecutedLine, called
from engine.doctor.walk.stops import WalkStops
from engine.doctor.walk.terms import RecordedNumber
from engine.doctor.walk.walk import ProgramWalk
from engine.errors import InputError
from tests.engine.doctor.walk.programs import FORWARD_ONLY, corrected_one, forward_only, wrong_one


@pytest.fixture(scope="module")
def forward() -> ProgramWalk:
    return forward_only()


@pytest.fixture(scope="module")
def wrong() -> ProgramWalk:
    return wrong_one()


@pytest.fixture(scope="module")
def corrected() -> ProgramWalk:
    return corrected_one()


def lines_of(walk: ProgramWalk, text: str) -> list[ExecutedLine]:
    number = 1 + next(k for k, line in enumerate(walk.source.lines) if line.strip().startswith(text))
    return [line for line in walk.lines if line.line == number]


def made(walk: ProgramWalk, text: str, before: int = 0) -> RecordedEvent:
    """What a line made, the last of it, when it had run so often before."""
    return next(line for line in lines_of(walk, text) if line.before == before).made[-1]


def derivative(walk: ProgramWalk, event: RecordedEvent) -> Any:
    made = walk.gradient(event)
    assert made is not None
    return made


def test_without_a_backward_pass_every_forward_line_has_its_derivative(forward: ProgramWalk) -> None:
    """Against central differences of the program's own function."""
    space: dict[str, Any] = {}
    exec(FORWARD_ONLY, space)

    def loss(name: str, index: tuple[int, ...], step: float) -> float:
        changed = {**space["p"], name: space["p"][name].copy()}
        changed[name][index] += step
        return space["forward"](changed, space["x"], space["y"])

    weights = {event.name: event for line in lines_of(forward, "p = ") for event in line.made}
    for name in ("U", "W", "V", "b"):
        found = derivative(forward, weights[f"p['{name}']"])
        for index in [(1, 0), (0, 0)] if found.ndim == 2 else [(2,)]:
            numeric = (loss(name, index, 1e-5) - loss(name, index, -1e-5)) / 2e-5
            assert found[index] == pytest.approx(numeric, rel=1e-6)


def test_it_can_be_walked_back_through_time_by_the_derivatives_alone(forward: ProgramWalk) -> None:
    """dL/ds of a step is what its mean hands back, and dL/dz of the step after through W."""
    s = derivative(forward, made(forward, "s = np.tanh", 1))
    z = derivative(forward, made(forward, "z = ", 2))
    weights = {event.name: forward.value(event) for line in lines_of(forward, "p = ") for event in line.made}
    out = derivative(forward, made(forward, "out = "))
    np.testing.assert_allclose(s, out @ weights["p['V']"].T / 4 + z @ weights["p['W']"].T, rtol=1e-12)


def test_what_the_loss_was_not_made_from_has_no_derivative(wrong: ProgramWalk) -> None:
    assert wrong.gradient(made(wrong, "dh = dz")) is None
    assert wrong.gradient(made(wrong, "h.append", 2)) is not None


def test_a_wrong_gradient_stands_beside_what_it_should_be(wrong: ProgramWalk) -> None:
    steps = [(at, e) for at, line in enumerate(wrong.lines) for e in line.made if e.site.kind == "step"]
    steps = [(at, e) for at, e in steps if e.name == "dW"]
    assert [wrong.should_be(at, e) is None for at, e in steps] == [True] * 5 + [False]
    at, last = steps[-1]
    right, row = wrong.should_be(at, last), wrong.compared(last)
    assert row is not None and right is not None and row.status == "wrong"
    weight = next(e for e in lines_of(wrong, "U, W, V")[0].made if e.name == "W")
    np.testing.assert_allclose(right, derivative(wrong, weight))
    assert wrong.differs(wrong.start)


def test_beside_the_corrected_run_every_line_knows_what_it_should_make(
    wrong: ProgramWalk, corrected: ProgramWalk
) -> None:
    """The first difference is the wrong line's own: from then on all differ, and forward nothing does."""
    differing = [at for at in range(len(corrected)) if corrected.differs(at)]
    lines = [corrected.lines[at] for at in differing]
    assert (lines[0].line, lines[0].before) == (lines_of(wrong, "dh = dz")[0].line, 0)
    assert {corrected.phase(at) for at in differing} <= {"backward", "update"}
    assert corrected.start == differing[0]
    right = corrected.should_be(differing[0], lines[0].made[-1])
    state = made(corrected, "h.append", 4)
    np.testing.assert_allclose(right, derivative(corrected, state))
    assert corrected.meaning(made(corrected, "dh = V"))[0].startswith("dL/d h")
    assert corrected.meaning(lines[0].made[-1]) == ()


def test_lines_are_in_the_order_of_the_run_and_know_how_often_they_ran(wrong: ProgramWalk) -> None:
    assert [line.before for line in lines_of(wrong, "dz = ")] == [0, 1, 2, 3, 4, 5]
    phases = [wrong.phase(at) for at in range(len(wrong))]
    assert list(dict.fromkeys(phases)) == ["forward", "loss", "backward", "update"]
    assert phases == sorted(phases, key=["forward", "loss", "backward", "update"].index)
    at = next(k for k, line in enumerate(wrong.lines) if line is lines_of(wrong, "dz = ")[2])
    later, earlier = wrong.same_line(at, 1), wrong.same_line(at, -1)
    assert later is not None and earlier is not None
    assert (wrong.lines[later].before, wrong.lines[earlier].before) == (3, 1)
    assert wrong.same_line(later, -1) == at
    end = wrong.end_of_phase(at, 1)
    assert end is not None and phases[end : end + 2] == ["backward", "update"]
    assert wrong.to_line(at, wrong.lines[at].line) == later


def test_modules_of_the_program_are_listed_too(forward: ProgramWalk, tmp_path: Path) -> None:
    walk = copy(forward)
    walk.source = SourceFile(tmp_path / "mine.py", "import cells.gate\n")
    (tmp_path / "cells").mkdir()
    (tmp_path / "cells" / "gate.py").write_text("z = f(\n    x,\n)\n")
    module = walk.source_of("cells/gate.py")
    assert module is not None and module.line(1) == "z = f("
    assert walk.ends("cells/gate.py") == {1: 3}
    assert walk.source_of("../mine.py") is None and walk.source_of("cells/other.py") is None


def test_breakpoints_on_lines_and_conditions_in_the_users_names(wrong: ProgramWalk) -> None:
    stops = WalkStops(wrong)
    line = lines_of(wrong, "dz = ")[0].line
    assert stops.toggle(line)
    found = stops.next(0, 1)
    assert found is not None and wrong.lines[found].line == line
    assert not stops.toggle(line)
    values = [
        float(np.abs(wrong.value(e)).max())
        for name in ("dh = V", "dh = dz")
        for line_ in lines_of(wrong, name)
        for e in line_.made
    ]
    between = sorted(values)[-2:]
    stops.add(f"max(abs(dh)) > {sum(between) / 2}")
    hits = [k for k in range(len(wrong)) if stops.at(k)]
    assert len(hits) == 1 and max(values) == float(np.abs(wrong.value(wrong.lines[hits[0]].made[-1])).max())
    stops.remove(0)
    stops.add(f"{line} if t == 4")
    assert [wrong.lines[k].before for k in range(len(wrong)) if stops.at(k)] == [4]
    for text in ("max(abs(nothing)) > 1", "dh", "999", "dh[7] > 0"):
        with pytest.raises(InputError):
            stops.add(text)


@pytest.mark.parametrize("program", ["forward", "wrong"])
def test_the_terms_of_every_number_add_up_to_it(program: str, request: pytest.FixtureRequest) -> None:
    """For values, and for dL/d(value)."""
    walk: ProgramWalk = request.getfixturevalue(program)
    random = np.random.default_rng(0)
    apart = [0, 0]
    for line in walk.lines:
        event = line.made[-1]
        for number in random.choice(event.value.ids().ravel(), 3):
            for gradient in (False, True):
                asked = RecordedNumber(int(number), gradient)
                terms = walk.terms.of(asked)
                apart[gradient] += len(terms) > 1
                if terms:
                    assert sum(term.value for term in terms) == pytest.approx(
                        walk.terms.value(asked), rel=1e-9, abs=1e-14
                    )
                for term in terms:
                    if not term.function:
                        factors = [walk.terms.value(factor) for factor in term.factors]
                        assert term.scale * np.prod(factors) == pytest.approx(term.value, rel=1e-9, abs=1e-14)
    assert min(apart) > 10


def test_a_number_is_followed_down_to_data_and_weights(forward: ProgramWalk) -> None:
    """z[1, 2] of a step: products of x and U, of the state before and W, and b; each of them under its own name."""
    event = made(forward, "z = ", 1)
    terms = forward.terms.of(forward.number(event, (1, 2)))
    names = sorted([forward.places.described(f.number).text for f in term.factors] for term in terms)
    assert names[0] == ["p['b'][2]"] and names[1][1] == "p['W'][0, 2]" and names[-1] == ["x[1, 1, 1]", "p['U'][1, 2]"]
    assert len(names) == 1 + 5 + 2
    state = next(f for term in terms for f in term.factors if forward.places.described(f.number).text == "s[1, 0]")
    (product,) = forward.terms.of(state)
    tanh = forward.terms.of(product.factors[0])[0]
    assert tanh.function == "tanh"
    assert tanh.shares[0] == pytest.approx(1 - forward.terms.value(product.factors[0]) ** 2)
    weight = next(f for term in terms for f in term.factors if forward.places.described(f.number).name == "p['b']")
    assert forward.terms.of(weight) == []


FUNCTIONS = """import numpy as np

def forward(X, Wx, Wh, b):
    hs = [np.zeros((X.shape[0], Wh.shape[0]))]
    for t in range(X.shape[1]):
        hs.append(np.tanh(X[:, t] @ Wx + hs[-1] @ Wh + b))
    return hs

def backward(X, hs, Wh, dh):
    dWx, dWh, db = np.zeros((X.shape[2], len(Wh))), np.zeros_like(Wh), np.zeros(len(Wh))
    for t in reversed(range(X.shape[1])):
        dz = dh * (1 - hs[t + 1] ** 2)
        dWx += X[:, t].T @ dz
        dWh += hs[t].T @ dz
        db += dz.sum(axis=0)
        dh = dz @ Wh.T
    return dWx, dWh, db
"""


def test_of_a_program_that_stops_the_doctor_says_more(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("import numpy as np\n\nnp.ones(2) @ np.ones(3)\n")
    with pytest.raises(
        InputError, match=r"^mine\.py: line 3 .*; `rnn-tui doctor mine\.py` repairs it in memory and names"
    ):
        open_walk(tmp_path / "mine.py")


def test_a_file_of_functions_is_walked_as_its_backward_pass_was_called(tmp_path: Path) -> None:
    """dh is dL/d(the last state) of a list: the first choice, dL/d(every state), does not fit the loop."""
    (tmp_path / "mine.py").write_text(FUNCTIONS)
    walk = open_walk(tmp_path / "mine.py")
    assert walk.report.verdict == "correct"
    assert (walk.lines[0].line, walk.phase(walk.start)) == (4, "backward")
    assert max(line.line for line in walk.lines) <= FUNCTIONS.count("\n")
    made = walk.lines[next(at for at, line in enumerate(walk.lines) if line.line == 12)].made[0]
    terms = walk.terms.of(walk.number(made, (0, 0)))
    assert sum(term.value for term in terms) == pytest.approx(walk.value(made)[0, 0])


@pytest.mark.parametrize(
    ("sign", "words"), [("+=", "added to"), ("-=", "taken from"), ("*=", "factor of"), ("/=", "divisor of")]
)
def test_what_goes_into_a_value_in_place_is_called_by_the_operator(wrong: ProgramWalk, sign: str, words: str) -> None:
    event = lines_of(wrong, "dV +=")[0].made[0]
    site = replace(event.site, text=event.site.text.replace("+=", sign))
    assert called(replace(event, site=site)) == f"{words} dV"
