"""Same bits: what is computed twice with one plan is equal byte for byte; against naive evaluation it stays within rounding."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import engine.recording.compiled
import engine.recording.plan
import engine.recording.shared
import engine.recording.threads
from engine import Debugger, Tape, View, record
from engine.language.evaluate import evaluate
from engine.language.expression import Binary, Call, Derivative, Expression, Name, Negative, Number, Sum, Transpose
from engine.model.blocks import Loop
from engine.recording.compiled import CompiledBlock
from engine.recording.plan import plan
from engine.recording.record import record_with
from tests.engine.strategies import ACTIVATION_NAMES, Case, case, cases
from tests.examples import examples

Array = np.ndarray[Any, Any]


def tape_of(case: Case) -> Tape:
    return record(case.network, case.X, case.y, initial=case.initial)


def rerun(tape: Tape, t: int) -> Tape:
    """The same iteration computed again from step t on, the rows before taken from `tape`."""
    arrays = tape.plan.allocate()
    for name, array in tape.arrays.items():
        arrays[name][...] = array
    with np.errstate(all="ignore"):
        tape.plan.run(arrays, tape.parameters, forward_from=t)
    return Tape(tape.plan, arrays, tape.parameters)


def assert_same_bytes(first: Tape, second: Tape) -> None:
    assert set(first.arrays) == set(second.arrays)
    for name, array in first.arrays.items():
        assert array.tobytes() == second.arrays[name].tobytes(), name
    for name, array in first.parameters.items():
        assert array.tobytes() == second.parameters[name].tobytes(), name


def shown(view: View) -> dict[Any, bytes | None]:
    """Everything that can be seen at a point, as bytes."""
    steps = view.program.steps
    result: dict[Any, bytes | None] = {}
    for name, quantity in view.program.quantities.items():
        rows: list[int | None] = [None]
        if quantity.rows:
            rows = list(range(0 if quantity.rows == "T+1" else 1, steps + 1))
        for t in rows:
            value = view.value(name, t)
            result[name, t] = None if value is None else value.tobytes()
    for name in view.program.parameters:
        result[name] = view.parameter(name).tobytes()
        for t in range(1, steps + 1):
            term = view.term("d" + name, t)
            result["d" + name, "term", t] = None if term is None else term.tobytes()
    return result


@pytest.fixture(params=[0, 1, 2, 3], ids=lambda steps: f"{steps} steps a block" if steps else "one block")
def blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Blocks of 1, 2 or 3 steps for a batch of 4 and at most 5 units, with factors inside the loop as in large networks; 0: one block for
    all."""
    if request.param:
        monkeypatch.setattr(engine.recording.compiled, "MANY", 0)
        monkeypatch.setattr(engine.recording.plan, "BLOCK_VALUES", request.param * 20)
    return request.param


def blocked(steps: int = 7, **options: Any) -> Case:
    return case(batch=4, steps=steps, inputs=2, hidden=5, outputs=3, **options)


# The same bits


@examples(30)
@given(cases())
def test_recording_twice(case: Case) -> None:
    assert_same_bytes(tape_of(case), tape_of(case))


@pytest.mark.parametrize("activation", ACTIVATION_NAMES)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_recording_twice_in_blocks(blocks: int, activation: str, dtype: str) -> None:
    one = blocked(activation=activation, dtype=dtype)
    assert (
        plan(one.network, 4, 7).bounds
        == {
            0: [(0, 7)],
            1: [(t, t + 1) for t in range(7)],
            2: [(0, 1), (1, 3), (3, 5), (5, 7)],
            3: [(0, 1), (1, 4), (4, 7)],
        }[blocks]
    )
    assert_same_bytes(tape_of(one), tape_of(one))


def test_two_directions_have_the_blocks_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a recording that is one block for each would be two, with a thread beside them that has little to do."""
    monkeypatch.setattr(engine.recording.plan, "BLOCK_VALUES", 4 * 5 * 7)
    one, both = (case(hidden=5, bidirectional=two).network for two in (False, True))
    assert plan(both, 4, 7).bounds == plan(one, 4, 7).bounds == [(0, 7)]


def test_the_first_of_several_blocks_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop waits for what is before it, and for what is after it on the way back, where nothing goes on beside it."""
    monkeypatch.setattr(engine.recording.plan, "BLOCK_VALUES", 4 * 5 * 8)
    network = blocked().network
    whole, divided, rest = ([high - low for low, high in plan(network, 4, steps).bounds] for steps in (8, 16, 19))
    assert (whole, divided, rest) == ([8], [2, 6, 8], [3, 8, 8])
    assert all(plan(network, 4, 19).block_of(row) == (row >= 3) + (row >= 11) for row in range(20))


def test_a_plan_may_be_used_again_and_leaves_no_trace_in_the_next_recording(blocks: int) -> None:
    one, other = blocked(), blocked(seed=5)
    prepared = plan(one.network, 4, 7)
    first = record_with(prepared, one.X, one.y, initial=one.initial)
    kept = {name: array.copy() for name, array in first.arrays.items()}
    record_with(prepared, other.X * np.nan, other.y, initial=other.initial)
    again = record_with(prepared, one.X, one.y, initial=one.initial)
    for name, array in kept.items():
        assert array.tobytes() == first[name].tobytes() == again[name].tobytes(), name


@pytest.mark.parametrize(
    "options",
    [
        {"cell": "lstm", "predict": "every"},
        {"cell": "gru", "hidden": (5, 4), "ragged": True},
        {"bidirectional": True, "dtype": "float32"},
    ],
    ids=" ".join,
)
def test_a_thread_beside_the_loop_changes_no_bit(monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]) -> None:
    monkeypatch.setattr(engine.recording.plan, "BLOCK_VALUES", 20)
    one = case(batch=4, steps=60, **{"hidden": 5, **options})
    tapes: list[Tape] = []
    for beside in (False, True):
        monkeypatch.setattr(engine.recording.threads, "beside", lambda beside=beside: beside)
        tapes.append(record(one.network, one.X, one.y, initial=one.initial, lengths=one.lengths))
    assert len(tapes[0].plan.bounds) > 50
    assert_same_bytes(*tapes)


def test_what_fails_beside_the_loop_fails_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(values: dict[str, Array], low: int, high: int) -> None: ...

    def full(values: dict[str, Array], low: int, high: int) -> None:
        raise MemoryError

    monkeypatch.setattr(engine.recording.threads, "beside", lambda: True)
    with pytest.raises(MemoryError):
        engine.recording.shared.through(CompiledBlock(nothing, (nothing,), (full,)), {}, [(0, 1), (1, 2)], lambda: None)


def test_what_is_left_after_the_loop_runs_here_too_each_part_in_the_order_of_the_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here, enough = threading.get_ident(), threading.Event()
    ran: dict[str, list[tuple[int, bool]]] = {"held up": [], "free": []}

    def nothing(values: dict[str, Array], low: int, high: int) -> None: ...

    def held_up(values: dict[str, Array], low: int, high: int) -> None:
        assert enough.wait(20)
        ran["held up"].append((low, threading.get_ident() == here))

    def free(values: dict[str, Array], low: int, high: int) -> None:
        ran["free"].append((low, threading.get_ident() == here))
        if low == 2:
            enough.set()

    monkeypatch.setattr(engine.recording.threads, "beside", lambda: True)
    spans = [(t, t + 1) for t in range(3)]
    engine.recording.shared.through(CompiledBlock(nothing, (nothing,), (held_up, free)), {}, spans, lambda: None)
    assert ran["free"] == [(0, True), (1, True), (2, True)]
    assert [low for low, _ in ran["held up"]] == [0, 1, 2]


def test_both_threads_go_through_the_loop_where_the_samples_are_halved(monkeypatch: pytest.MonkeyPatch) -> None:
    meeting, ran = threading.Barrier(2), list[tuple[int, int]]()

    def nothing(values: dict[str, Array], low: int, high: int) -> None: ...

    def loop(values: dict[str, Array], low: int, high: int) -> None:
        meeting.wait(20)
        ran.append((low, threading.get_ident()))

    monkeypatch.setattr(engine.recording.threads, "beside", lambda: True)
    engine.recording.shared.through(CompiledBlock(nothing, (loop, loop), ()), {}, [(0, 1), (1, 2)])
    assert [low for low, _ in ran] == [0, 0, 1, 1] and len({thread for _, thread in ran}) == 2


@pytest.mark.parametrize(
    "options",
    [
        {"cell": "lstm", "predict": "every"},
        {"cell": "gru", "hidden": (5, 4), "ragged": True, "dropout": 0.5},
        {"bidirectional": True, "dtype": "float32", "truncate": 3},
        {"cell": "layernorm", "learn_initial": True},
    ],
    ids=" ".join,
)
def test_samples_in_halves(monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]) -> None:
    """With a second thread, of large networks: else they are not, and what is recorded differs in rounding."""
    monkeypatch.setattr(engine.recording.plan, "BLOCK_VALUES", 60)
    monkeypatch.setattr(engine.recording.compiled, "MANY", 0)
    monkeypatch.setattr(engine.recording.threads, "beside", lambda: True)
    one = case(batch=5, steps=9, **{"hidden": 5, **options})
    whole = tape_of(one)
    monkeypatch.setattr(engine.recording.compiled, "LONG", 0)
    halved = tape_of(one)
    assert_same_bytes(halved, tape_of(one))
    assert_same_bytes(rerun(halved, 5), halved)
    for name, array in whole.arrays.items():
        near = 100 * float(np.finfo(one.network.dtype).eps)
        np.testing.assert_allclose(halved[name], array, rtol=near, atol=near, err_msg=name)
    checkpoints = plan(one.network, 5, 9, masked=one.lengths is not None, checkpoints=True)
    kept = [record_with(checkpoints, one.X, one.y, initial=one.initial, lengths=one.lengths) for _ in range(2)]
    for name, gradient in kept[0].gradients.items():
        assert gradient.tobytes() == kept[1].gradients[name].tobytes(), name
    monkeypatch.setattr(engine.recording.threads, "beside", lambda: False)
    assert_same_bytes(tape_of(one), whole)


def test_one_matrix_thread_unless_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = engine.recording.threads
    for name in threads.SETTINGS:
        monkeypatch.setenv(name, "")  # to be put back at the end
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    threads.one_matrix_thread()
    assert threads.asked() == {"OMP_NUM_THREADS": 3} and not threads.beside()
    monkeypatch.setenv("OMP_NUM_THREADS", "")
    threads.one_matrix_thread()
    assert set(threads.asked().values()) == {1} and len(threads.asked()) == len(threads.SETTINGS)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_running_again_from_every_step(blocks: int, activation: str) -> None:
    tape = tape_of(blocked(activation=activation))
    for t in range(1, 8):
        assert_same_bytes(rerun(tape, t), tape)


def test_running_again_takes_the_blocks_before_from_the_tape(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.recording.plan, "BLOCK_VALUES", 40)
    tape = tape_of(blocked())
    edited = {name: array.copy() for name, array in tape.arrays.items()}
    edited["a"][1] += 1
    again = rerun(Tape(tape.plan, edited, tape.parameters), 2)
    np.testing.assert_array_equal(again["a"][:2], edited["a"][:2])
    np.testing.assert_allclose(
        again["z"][1], tape["x"][1] @ tape["Wx"] + edited["a"][1] @ tape["Wa"] + tape["ba"], rtol=1e-13
    )
    assert not np.array_equal(again["logits"], tape["logits"])
    assert tape["a"].tobytes() != edited["a"].tobytes()


@examples(12)
@given(st.data())
def test_points_visited_in_any_order_show_the_same(data: st.DataObject) -> None:
    one = data.draw(cases())
    walked, jumped = (Debugger(one.network, one.X, one.y, initial=one.initial) for _ in range(2))
    positions = data.draw(
        st.lists(st.integers(0, 7 * walked.program.length), min_size=1, max_size=8, unique=True), "positions"
    )
    expected: dict[int, dict[Any, bytes | None]] = {}
    for position in sorted(positions):
        walked.go(position)
        expected[position] = shown(walked.view)
    for position in positions:
        jumped.go(position)
        assert shown(jumped.view) == expected[position], position
    for position in sorted(positions, reverse=True):
        walked.go(position)
        assert shown(walked.view) == expected[position], position


def test_training_twice_from_a_seed(blocks: int) -> None:
    one = blocked(steps=3)
    stepping, jumping = (Debugger(one.network, one.X, one.y) for _ in range(2))
    losses: list[float] = []
    for _ in range(5 * stepping.program.length + 1):
        stepping.step()
        if stepping.view.point.line == "loss":
            losses.append(stepping.view.tape.loss)
    assert stepping.view.point.iteration == 5
    assert_same_bytes(stepping.view.tape, jumping.tape(5))
    assert losses == [jumping.tape(iteration).loss for iteration in range(5)]
    assert len(set(losses)) == 5
    by_hand = dict(one.network.weights)
    for _ in range(5):
        gradients = record(one.network, one.X, one.y, parameters=by_hand).gradients
        by_hand = {name: value - 0.1 * gradients[name] for name, value in by_hand.items()}
    for name, value in by_hand.items():
        assert value.tobytes() == stepping.view.tape.parameters[name].tobytes(), name


# Partial gradients


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_a_gradient_summed_to_the_first_step_is_the_tapes(blocks: int, cell: str) -> None:
    tape = tape_of(blocked(cell=cell))
    apart = {name: array.copy() for name, array in tape.arrays.items()}  # as read from a file
    for arrays in (tape.arrays, apart):
        values = {**arrays, **tape.parameters}
        for name in tape.gradients:
            assert tape.plan.gradient(values, "d" + name, 1).tobytes() == tape["d" + name].tobytes(), name


def test_a_loop_over_time_refuses_gates_that_do_not_lie_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would go on with a copy of what was there before."""
    monkeypatch.setattr(engine.recording.compiled, "MANY", 0)
    tape = tape_of(blocked(cell="lstm"))
    apart = {name: array.copy() for name, array in tape.arrays.items()}
    with pytest.raises(ValueError, match="dzo, dzg, dzf, dzi do not lie side by side"):
        tape.plan.run(apart, tape.parameters)


def test_a_gradient_summed_to_any_step_is_the_sum_of_the_terms(blocks: int) -> None:
    tape = tape_of(blocked())
    values = {**tape.arrays, **tape.parameters}
    for name in ("dWx", "dWa", "dba"):
        (line,) = tape.plan.program.writers(name)
        for t in range(1, 8):
            partial = tape.plan.gradient(values, name, t)
            naive = sum(tape.term(line, k) for k in range(7, t - 1, -1))
            bound = sum(magnitude(line.equation.expression, at(tape, k)) for k in range(t, 8))
            assert_within(partial, naive, bound, 4 * (8 - t), f"{name} down to t = {t}")
            assert partial.tobytes() == tape.plan.gradient(values, name, t).tobytes()


# Against naive evaluation


def at(tape: Tape, t: int | None) -> Callable[[Name], Any]:
    return lambda name: tape.lookup(name, t)


def magnitude(expression: Expression, lookup: Callable[[Name], Any]) -> Any:
    """|A|·|B| for every product, the sum of sizes for every sum: what rounding is measured against."""
    match expression:
        case Name() | Number() | Call():
            return np.abs(evaluate(expression, lookup))
        case Negative(operand=operand):
            return magnitude(operand, lookup)
        case Derivative(body=body):
            return magnitude(body, lookup)
        case Transpose(operand=operand):
            return magnitude(operand, lookup).T
        case Sum(operand=operand):
            return magnitude(operand, lookup).sum(axis=0)
        case Binary(operator=operator, left=left, right=right):
            first, second = magnitude(left, lookup), magnitude(right, lookup)
            return {
                "+": lambda: first + second,
                "-": lambda: first + second,
                "*": lambda: first * second,
                "/": lambda: first / second,
                "**": lambda: first**second,
                "@": lambda: first @ second,
                ">": lambda: np.ones(()),
            }[operator]()


def assert_within(got: Array, naive: Any, bound: Any, k: int, what: str) -> None:
    excess = np.abs(got.astype(float) - naive) - 2 * k * np.finfo(got.dtype).eps * bound
    assert np.all(excess <= 0), f"{what}: {np.max(excess):.3g} beyond rounding"


@pytest.mark.parametrize("activation", ACTIVATION_NAMES)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_every_line_stays_within_rounding_of_its_naive_evaluation(blocks: int, activation: str, dtype: str) -> None:
    tape = tape_of(blocked(activation=activation, dtype=dtype))
    program = tape.plan.program
    for line in program.lines:
        loop = program.blocks[line.block].loop
        if loop is Loop.PARAMETERS:
            continue
        times = range(1, 8) if loop in (Loop.UP, Loop.DOWN) else [7 if loop is Loop.AT_T else None]
        terms = [tape.term(line, t) for t in times]
        bounds = [magnitude(line.equation.expression, at(tape, t)) for t in times]
        if line.equation.accumulate:
            assert_within(tape[line.name], sum(terms), sum(bounds), 28, line.name)
            continue
        for t, term, bound in zip(times, terms, bounds, strict=True):
            row = tape.at(line.name, None if t is None else t + line.equation.step)
            assert_within(row, term, bound, 10, f"{line.name} at t = {t}")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_bounds_of_blocks_change_only_rounding(monkeypatch: pytest.MonkeyPatch, dtype: str) -> None:
    one = blocked(dtype=dtype)
    whole = tape_of(one)
    assert len(whole.plan.bounds) == 1
    for steps in (1, 2, 3, 6):
        monkeypatch.setattr(engine.recording.plan, "BLOCK_VALUES", steps * 20)
        parts = tape_of(one)
        assert len(parts.plan.bounds) > 1
        for name, array in whole.arrays.items():
            size = np.max(np.abs(array))
            assert np.max(np.abs(parts[name] - array)) <= 50 * np.finfo(dtype).eps * size, name


# Read-only


def test_everything_recorded_is_read_only() -> None:
    one = case(steps=3)
    tape = tape_of(one)
    flows = {name: tape[name] for name in ("da_out", "da_next")}
    for name, array in {**tape.arrays, **tape.parameters, **tape.gradients, **flows}.items():
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
        assert not tape.at(name).flags.writeable if name in tape else True
    with pytest.raises(TypeError):
        tape.arrays["z"] = np.zeros(3)  # pyright: ignore[reportIndexIssue]
    with pytest.raises(TypeError):
        tape.parameters["Wa"] = np.zeros(3)  # pyright: ignore[reportIndexIssue]
    with pytest.raises(TypeError):
        tape.gradients["Wa"] = np.zeros(3)  # pyright: ignore[reportIndexIssue]
    debugger = Debugger(one.network, one.X, one.y)
    debugger.go(debugger.program.length)
    assert not any(debugger.view.parameter(name).flags.writeable for name in one.network.weights)


def test_parameters_that_were_given_are_on_the_tape_for_good() -> None:
    one = case(steps=3)
    given = {name: value.copy() for name, value in one.network.weights.items()}
    tape = record(one.network, one.X, one.y, parameters=given)
    kept = tape["Wa"].tobytes()
    given["Wa"][...] = 0
    assert tape["Wa"].tobytes() == kept
    with pytest.raises(ValueError, match="read-only"):
        tape["Wa"][...] = 0


def test_recording_leaves_what_it_was_given_alone() -> None:
    one = case()
    assert one.initial is not None
    kept = one.X.copy(), one.y.copy(), one.initial["a"].copy()
    tape = tape_of(one)
    for before, after in zip(kept, (one.X, one.y, one.initial["a"]), strict=True):
        np.testing.assert_array_equal(before, after)
        assert after.flags.writeable
    assert not np.shares_memory(tape["x"], one.X)
    assert not np.shares_memory(tape["a"], one.initial["a"])
