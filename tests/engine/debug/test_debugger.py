"""The debugger against a model of it: a plain list of what runs, scanned from end to end."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import engine.debug.recordings
from engine import Breakpoint, Debugger, InputError, Line, Point, View, record
from engine.debug.moves import start_of_phase
from tests.engine.recording.test_same_bits import shown
from tests.engine.strategies import Case, case
from tests.examples import examples

Array = np.ndarray[Any, Any]
PARAMETERS = ("Wx", "Wa", "ba", "Wy", "by")
BLOCKS = (
    ("up", "forward", ("z", "a")),
    ("at T", "forward", ("logits", "p")),
    ("once", "loss", ("loss",)),
    ("at T", "backward", ("dlogits", "dWy", "dby", "da")),
    ("down", "backward", ("dz", "dx", "dWx", "dWa", "dba", "da")),
    ("parameters", "update", ("W",)),
)
SUMMED = ("dWx", "dWa", "dba")


@dataclass(frozen=True)
class Ran:
    """One line that ran."""

    iteration: int
    block: int
    phase: str
    t: int | None
    name: str
    index: int
    parameter: str | None = None

    @property
    def looped(self) -> bool:
        return BLOCKS[self.block][0] in ("up", "down")

    @property
    def group(self) -> Any:
        """What runs together: a time step of a loop, or a block outside one."""
        return self.iteration, self.block, self.t if self.looped else None


def history(steps: int, iterations: int) -> list[Ran]:
    """Everything that runs, in order."""
    result: list[Ran] = []
    for iteration in range(iterations):
        for block, (loop, phase, names) in enumerate(BLOCKS):
            times: dict[str, list[int | None]] = {
                "up": [*range(1, steps + 1)],
                "down": [*range(steps, 0, -1)],
                "at T": [steps],
                "once": [None],
            }
            for run in times.get(loop, PARAMETERS):
                t = run if isinstance(run, int) else None
                parameter = run if isinstance(run, str) else None
                result += [Ran(iteration, block, phase, t, name, i, parameter) for i, name in enumerate(names)]
    return result


@dataclass
class Model:
    """A debugger that looks at every point, one after the other. Position p is the state after `ran[p − 1]`."""

    ran: list[Ran]
    position: int = 0
    stops: set[tuple[int, int, int | None]] = field(default_factory=set)

    @property
    def here(self) -> Ran:
        return self.ran[self.position - 1]

    def last_of(self, key: Any, value: Any) -> int:
        return max(p for p, r in enumerate(self.ran, 1) if key(r) == value)

    def step(self, lines: int) -> int:
        return max(0, self.position + lines)

    def next(self) -> int:
        return self._time_step(range(self.position + 1, len(self.ran) + 1), 1)

    def previous(self) -> int:
        return self._time_step(range(self.position - 1, 0, -1), -1)

    def _time_step(self, others: range, direction: int) -> int:
        if self.position and self.here.looped:
            h = self.here
            for p in others:
                r = self.ran[p - 1]
                if (r.iteration, r.block, r.index) == (h.iteration, h.block, h.index):
                    return p
        if direction < 0:
            if not self.position:
                return 0
            block = (self.here.iteration, self.here.block)
            return min(p for p, r in enumerate(self.ran, 1) if (r.iteration, r.block) == block) - 1
        if not self.position:
            return self.last_of(lambda r: r.group, self.ran[0].group)
        block = (self.here.iteration, self.here.block)
        end = self.last_of(lambda r: (r.iteration, r.block), block)
        if not self.here.looped and self.position < end:
            return end
        return self.last_of(lambda r: r.group, self.ran[end].group)

    def finish(self) -> int:
        if not self.position:
            return self.last_of(lambda r: (r.iteration, r.phase), (0, "forward"))
        end = self.last_of(lambda r: (r.iteration, r.phase), (self.here.iteration, self.here.phase))
        if self.position < end:
            return end
        after = self.ran[end]
        return self.last_of(lambda r: (r.iteration, r.phase), (after.iteration, after.phase))

    def start_of_phase(self) -> int:
        if not self.position:
            return 0
        first = self._first_of_phase(self.here)
        if self.position > first:
            return first
        return self._first_of_phase(self.ran[first - 2]) if first > 1 else 0

    def _first_of_phase(self, of: Ran) -> int:
        key = (of.iteration, of.phase)
        return min(p for p, r in enumerate(self.ran, 1) if (r.iteration, r.phase) == key)

    def hit(self, position: int) -> bool:
        r = self.ran[position - 1]
        return (r.block, r.index, None) in self.stops or (r.block, r.index, r.t) in self.stops

    def continue_(self) -> int:
        later = range(self.position + 1, len(self.ran) + 1)
        return next((p for p in later if self.hit(p)), self.position)

    def reverse_continue(self) -> int:
        earlier = range(self.position - 1, 0, -1)
        return next((p for p in earlier if self.hit(p)), self.position)


def debugger(steps: int = 3, **options: Any) -> tuple[Debugger, Case]:
    one = case(batch=4, steps=steps, inputs=2, hidden=3, outputs=5, **options)
    return Debugger(one.network, one.X, one.y, initial=one.initial), one


def lines(debugger: Debugger) -> list[Line]:
    return list(debugger.program.lines)


def line_named(debugger: Debugger, name: str, last: bool = False) -> Line:
    return [line for line in debugger.program.lines if line.name == name][-1 if last else 0]


# Moves


MOVES = st.one_of(
    st.tuples(st.just("step"), st.integers(-9, 9).filter(bool)),
    st.tuples(st.sampled_from(["next", "previous", "finish", "start_of_phase", "continue_", "reverse_continue"])),
    st.tuples(st.just("toggle"), st.integers(0, 15), st.integers(0, 4)),
    st.tuples(st.just("go"), st.integers(0, 10**6)),
)


@examples(120)
@given(st.integers(1, 4), st.lists(MOVES, min_size=5, max_size=40))
def test_every_move_goes_where_the_model_goes(steps: int, moves: list[tuple[Any, ...]]) -> None:
    debug, _ = debugger(steps)
    model = Model(history(steps, 6))
    for name, *arguments in moves:
        # Start over well before the model's history ends: one move goes less than two iterations on.
        if model.position > 4 * debug.program.length:
            model.position = debug.program.length // 2
            debug.go(model.position)
        if name == "toggle":
            toggle_both(debug, model, steps, *arguments)
            continue
        if name == "go":
            to = arguments[0] % (3 * debug.program.length)
            moved = debug.go(to)
        else:
            to = getattr(model, name)(*arguments)
            moved = getattr(debug, name)(*arguments)
        assert debug.position == to, (name, arguments)
        assert moved == (to != model.position), (name, arguments)
        model.position = to


@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize("move", ["next", "previous", "finish", "start_of_phase"])
def test_a_move_from_every_point_of_two_iterations(steps: int, move: str) -> None:
    debug, _ = debugger(steps)
    model = Model(history(steps, 4))
    for model.position in range(2 * debug.program.length + 1):
        debug.go(model.position)
        getattr(debug, move)()
        assert debug.position == getattr(model, move)(), model.position
    assert start_of_phase(debug.program, 0) == 0


def test_the_same_point_of_another_iteration() -> None:
    debug, _ = debugger(2)
    length = debug.program.length
    assert debug.iteration(1) and debug.position == 1 + length  # from the start: its first line
    assert debug.iteration(-1) and debug.position == 1
    assert not debug.iteration(-1) and debug.position == 1
    debug.go(length)
    assert not debug.iteration(-1)
    assert debug.iteration(1) and debug.position == 2 * length
    assert debug.iteration(-1) and debug.position == length


def toggle_both(debug: Debugger, model: Model, steps: int, number: int, time: int) -> None:
    line = lines(debug)[number]
    t = {"up": time, "down": time, "at T": steps if time else 0}.get(BLOCKS[line.block][0], 0)
    t = t if 1 <= t <= steps else None
    stop = (line.block, line.index, t)
    model.stops ^= {stop}
    assert debug.toggle(line, row_at(line, t)) == (stop in model.stops)
    blocks = debug.program.blocks
    assert debug.breakpoints == {Breakpoint(b, i, row_at(blocks[b].lines[i], at)) for b, i, at in model.stops}


def row_at(line: Line, t: int | None) -> int | None:
    """The row that a line writes at step t of its loop."""
    return None if t is None else t + line.equation.step


@examples(60)
@given(
    st.integers(1, 4),
    st.lists(st.tuples(st.integers(0, 15), st.integers(0, 4)), min_size=1, max_size=4, unique=True),
    st.integers(0, 10**6),
)
def test_continuing_stops_at_every_hit_and_no_other_point(steps: int, stops: list[tuple[int, int]], start: int) -> None:
    debug, _ = debugger(steps)
    model = Model(history(steps, 5))
    for number, time in stops:
        toggle_both(debug, model, steps, number, time)
    start %= 2 * debug.program.length
    until = 4 * debug.program.length
    hits = [p for p in range(1, until + 1) if model.hit(p)]
    debug.go(start)
    forward: list[int] = []
    while debug.continue_() and debug.position <= until:
        forward.append(debug.position)
    assert forward == [p for p in hits if p > start]
    debug.go(until)
    back: list[int] = []
    while debug.reverse_continue():
        back.append(debug.position)
    assert back == [p for p in reversed(hits) if p < until]
    assert not debug.reverse_continue()


def test_without_breakpoints_continuing_stays() -> None:
    debug, _ = debugger()
    debug.go(17)
    assert (debug.continue_(), debug.reverse_continue(), debug.position) == (False, False, 17)


def test_a_breakpoint_shows_the_result_of_its_line() -> None:
    debug, _ = debugger(3)
    line = line_named(debug, "dz")
    debug.toggle(line, 2)
    assert debug.continue_()
    assert debug.view.point == Point(0, "backward", 2, "dz", block=line.block)
    assert debug.view.line == line
    assert debug.view.value("dz", 2) is not None
    assert debug.view.value("dz", 1) is None
    assert debug.view.breakpoints == {Breakpoint(line.block, line.index, 2)}
    assert not debug.toggle(line, 2)
    assert not debug.continue_()


@pytest.mark.parametrize(
    ("name", "t"),
    [("z", 0), ("z", 4), ("z", 99), ("dz", 0), ("dz", 4), ("dz", -3), ("logits", 2), ("loss", 1), ("W", 1)],
)
def test_a_breakpoint_where_its_line_never_runs_is_refused_or_never_stops(name: str, t: int) -> None:
    debug, _ = debugger(3)
    try:
        debug.toggle(line_named(debug, name), t)
    except InputError:
        assert not debug.breakpoints
    assert not debug.continue_()


def test_going_by_point_and_by_number() -> None:
    debug, _ = debugger(3)
    assert debug.go(Point(1, "backward", 2, "dWa"))
    here = debug.position
    assert not debug.go(here)
    assert debug.view.point.iteration == 1
    assert debug.go(-5)
    assert debug.position == 0
    assert not debug.step(-1)
    with pytest.raises(InputError):
        debug.go(Point(0, "forward", 4, "z"))
    assert debug.position == 0


def test_no_move_goes_before_the_start() -> None:
    debug, _ = debugger(3)
    with pytest.raises(InputError):
        debug.go(Point(-1, "forward", 1, "z"))
    assert debug.position == 0


# Every step has its inverse


@examples(20)
@given(st.integers(1, 3), st.integers(0, 10**6), st.integers(1, 200))
def test_back_is_the_exact_inverse_of_forward(steps: int, start: int, far: int) -> None:
    debug, _ = debugger(steps)
    debug.go(start % (2 * debug.program.length))
    before, seen = debug.position, shown(debug.view)
    line, point = debug.view.line, debug.view.point
    assert debug.step(far)
    shown(debug.view)
    assert debug.step(-far)
    assert (debug.position, debug.view.line, debug.view.point) == (before, line, point)
    assert shown(debug.view) == seen


def test_all_the_way_there_and_back_shows_the_same() -> None:
    debug, _ = debugger(2)
    there = [shown(debug.view)]
    for _ in range(2 * debug.program.length + 3):
        debug.step()
        there.append(shown(debug.view))
    assert all(before != after for before, after in pairwise(there))
    back = [shown(debug.view)]
    while debug.step(-1):
        back.append(shown(debug.view))
    assert back[::-1] == there


def test_a_view_is_immutable_and_stays_as_it_was() -> None:
    debug, _ = debugger(3)
    debug.go(20)
    view, seen = debug.view, shown(debug.view)
    with pytest.raises(dataclasses.FrozenInstanceError):
        view.position = 3  # pyright: ignore[reportAttributeAccessIssue]
    debug.toggle(line_named(debug, "z"))
    debug.go(9 * debug.program.length)
    shown(debug.view)
    assert (view.position, view.breakpoints) == (20, frozenset())
    assert shown(view) == seen


def test_what_was_given_may_be_changed_afterwards() -> None:
    debug, one = debugger(3)
    first = shown(debug.view)
    debug.go(5)
    seen = shown(debug.view)
    one.X[...] = 0
    one.y[...] = 0
    assert one.initial is not None
    one.initial["a"][...] = 0
    for iteration in range(1, 8):
        debug.tape(iteration)
    assert shown(debug.view) == seen
    debug.go(0)
    assert shown(debug.view) == first


# What can be seen


def rows(view: View, name: str) -> Iterator[int | None]:
    quantity = view.program.quantities[name]
    if quantity.rows:
        yield from range(0 if quantity.rows == "T+1" else 1, view.program.steps + 1)
    else:
        yield None


def writes(ran: Ran) -> tuple[str, int | None]:
    """The quantity and the row that a line writes."""
    if ran.name == "da":
        return "da", ran.t if BLOCKS[ran.block][0] == "at T" else (ran.t or 0) - 1
    return ran.name, ran.t if ran.looped and ran.name not in SUMMED else None


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_a_value_is_there_from_the_line_that_writes_it(steps: int) -> None:
    debug, one = debugger(steps)
    ran = history(steps, 2)
    tape = record(one.network, one.X, one.y, initial=one.initial)
    for position in range(2 * debug.program.length + 1):
        debug.go(position)
        view = debug.view
        iteration = ran[position - 1].iteration if position else 0
        there = {writes(r) for r in ran[:position] if r.iteration == iteration}
        there |= {("a", 0), ("y", None), *(("x", t) for t in range(1, steps + 1))}
        for name in view.program.quantities:
            computed = view.computed(name)
            expected = [(name, t) in there for t in rows(view, name)]
            assert np.atleast_1d(computed).tolist() == expected, (position, name)
            for t, shows in zip(rows(view, name), expected, strict=True):
                value = view.value(name, t)
                assert (value is not None) == shows, (position, name, t)
                if value is not None and name not in SUMMED:
                    assert value.tobytes() == view.tape.at(name, t).tobytes(), (position, name, t)
                    if not iteration:
                        assert value.tobytes() == tape.at(name, t).tobytes()
        assert view.line is None or view.line.name == ran[position - 1].name


def test_flows_are_there_with_their_gradient() -> None:
    debug, _ = debugger(3)
    for position in range(debug.program.length + 1):
        debug.go(position)
        for t in range(4):
            total = debug.view.value("da", t)
            for flow in ("da_out", "da_next"):
                value = debug.view.value(flow, t)
                assert (value is None) == (total is None)
                if value is not None:
                    np.testing.assert_array_equal(value, debug.view.tape[flow][t])
    with pytest.raises(InputError, match="'dq'"):
        debug.view.value("dq", 1)


def test_a_step_that_does_not_exist_shows_no_other_steps_value() -> None:
    debug, _ = debugger(3)
    debug.go(debug.program.length)
    for name, t in (("z", 0), ("z", 4), ("dz", 0), ("a", -1), ("a", 4), ("da", -1), ("da_next", -1), ("x", 0)):
        try:
            assert debug.view.value(name, t) is None, (name, t)
        except InputError:
            continue


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_gradients_grow_term_by_term(steps: int) -> None:
    debug, _ = debugger(steps, activation="sigmoid")
    ran = history(steps, 1)
    for position in range(debug.program.length + 1):
        debug.go(position)
        view = debug.view
        for name in (*SUMMED, "dWy", "dby"):
            done = [r.t for r in ran[:position] if r.name == name]
            assert view.summed_to(name) == (done[-1] if done else None), (position, name)
            terms = [view.term(name, t) for t in range(1, steps + 1)]
            assert [t for t, term in enumerate(terms, 1) if term is not None] == sorted(t for t in done if t)
            gradient, value = view.gradient(name), view.value(name)
            if not done:
                assert gradient is None
                assert value is None
                continue
            assert gradient is not None
            assert value is not None
            assert gradient.tobytes() == value.tobytes()
            np.testing.assert_allclose(gradient, sum(t for t in terms if t is not None), rtol=1e-12, atol=1e-16)
            if len(done) == steps:
                assert gradient.tobytes() == view.tape[name].tobytes()
            elif name in SUMMED:
                assert not np.allclose(gradient, view.tape[name], rtol=1e-9, atol=0)


def test_terms_are_products_of_their_own_step() -> None:
    debug, _ = debugger(3)
    debug.go(debug.program.length)
    tape = debug.view.tape
    for t in (1, 2, 3):
        term = debug.view.term("dWa", t)
        assert term is not None
        np.testing.assert_allclose(term, tape["a"][t - 1].T @ tape["dz"][t - 1], rtol=1e-14)


def test_parameters_change_at_their_line_and_keep_changed() -> None:
    debug, one = debugger(2)
    old = one.network.weights
    gradients = record(one.network, one.X, one.y, initial=one.initial).gradients
    new = {name: value - 0.1 * gradients[name] for name, value in old.items()}
    assert all(old[name].tobytes() != new[name].tobytes() for name in PARAMETERS)
    for position, r in enumerate([None, *history(2, 2)]):
        debug.go(position)
        iteration = r.iteration if r else 0
        for number, name in enumerate(PARAMETERS):
            changed = iteration == 1 or (r is not None and r.parameter in PARAMETERS[number:])
            if iteration == 1 and r is not None and r.parameter is not None:
                continue  # the second update
            expected = (new if changed else old)[name].tobytes()
            assert debug.view.parameter(name).tobytes() == expected, (position, name)
            assert (debug.view.value(name) is not None) and debug.view.value(name).tobytes() == expected  # pyright: ignore[reportOptionalMemberAccess]
    debug.go(2 * debug.program.length)
    last = {name: debug.view.parameter(name).tobytes() for name in PARAMETERS}
    debug.step()
    assert {name: debug.view.parameter(name).tobytes() for name in PARAMETERS} == last
    assert {name: value.tobytes() for name, value in debug.network_at(2).weights.items()} == last


def test_a_line_ran_when_its_last_run_is_over() -> None:
    debug, _ = debugger(3)
    ran = history(3, 1)
    for position in range(debug.program.length + 1):
        debug.go(position)
        for line in lines(debug):
            left = [r for r in ran[position:] if (r.block, r.index) == (line.block, line.index)]
            assert debug.view.ran(line) == (not left), (position, line.name)
        assert debug.view.offset == position - 1


# Memory


def test_weights_thinned_out_are_still_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.debug.recordings, "WEIGHTS_LIMIT", 0)
    debug, one = debugger(1)
    expected = [dict(one.network.weights)]
    for _ in range(70):
        gradients = record(one.network, one.X, one.y, parameters=expected[-1], initial=one.initial).gradients
        expected.append({name: value - 0.1 * gradients[name] for name, value in expected[-1].items()})
    order = [*range(71), *np.random.default_rng(0).permutation(71).tolist()]
    for iteration in order:
        debug.go(iteration * debug.program.length + 1)
        for name in PARAMETERS:
            assert debug.view.parameter(name).tobytes() == expected[iteration][name].tobytes(), (iteration, name)
        assert len(debug._starts.kept) <= 16
    assert debug._starts.stride > 1


def test_few_weights_are_all_kept_in_few_pieces() -> None:
    debug, _ = debugger(1)
    before = {iteration: dict(debug.start(iteration).parameters) for iteration in range(40)}
    debug.tape(40)
    kept = debug._starts.kept
    assert sorted(kept) == list(range(41))
    for iteration, parameters in before.items():
        for name, value in parameters.items():
            assert kept[iteration].parameters[name].tobytes() == value.tobytes()
            assert not kept[iteration].parameters[name].flags.writeable
    assert len({id(kept[9].parameters[name].base) for name in PARAMETERS}) == 1
    assert kept[9].nbytes < kept[0].nbytes


def test_the_tapes_used_last_are_kept() -> None:
    debug, _ = debugger(2)
    tapes = [debug.tape(iteration) for iteration in range(4)]
    assert all(debug.tape(iteration) is tapes[iteration] for iteration in (1, 2, 3, 0))
    debug.tape(4)
    assert debug.tape(0) is tapes[0]
    assert debug.tape(3) is tapes[3]
    assert debug.tape(1) is tapes[1], "who holds it keeps it"
    first = {name: array.copy() for name, array in tapes[1].arrays.items()}
    del tapes
    for iteration in range(4):
        debug.tape(2 + iteration)
    assert 1 not in debug._held, "what nobody holds is given back"
    assert all(debug.tape(1)[name].tobytes() == array.tobytes() for name, array in first.items())
    assert len(debug._tapes) == engine.debug.recordings.TAPES_KEPT == 4


def test_moving_within_an_iteration_records_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    debug, _ = debugger(3)
    tape = debug.view.tape
    monkeypatch.setattr(Debugger, "_record", lambda *_: pytest.fail("recorded again"))
    for position in range(debug.program.length):
        debug.go(position)
        assert debug.view.tape is tape
