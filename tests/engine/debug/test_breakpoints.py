"""Breakpoints and conditions: what they mean, where they stop, both ways, and that nothing else can be said in their language."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import Debugger, InputError, Network
from engine.debug.breakpoints import condition_of, everywhere, hits, messages, names_of, parse_breakpoint, value_at
from engine.debug.predicate_values import truth
from engine.debug.predicates import FUNCTIONS, parse
from engine.debug.stops import Lines, TapePoints
from engine.language.expression import ExpressionError
from engine.session import open_session
from tests.examples import examples

MODELS: tuple[dict[str, Any], ...] = (
    {"activation": "relu"},
    {"cell": "lstm", "predict": "every", "truncate": 2},
    {"cell": "gru", "optimizer": "adam", "clip_norm": 0.1},
    {"predict": "every", "loss": "squared", "optimizer": "momentum", "clip_value": 0.01},
)
B, T = 3, 4


def debugger_of(number: int, *, batch_size: int | None = None) -> Debugger:
    network = Network(inputs=2, hidden=3, outputs=2, seed=5, init_scale=2, **MODELS[number])
    rng = np.random.default_rng(number)
    every = network.predict == "every"
    y = rng.normal(size=(B, T, 2)) if network.loss == "squared" else rng.integers(0, 2, (B, T) if every else B)
    lengths = np.array([4, 2, 3]) if number % 2 else None
    return Debugger(network, rng.normal(size=(B, T, 2)), y, lengths=lengths, batch_size=batch_size)


DEBUGGERS = [debugger_of(number) for number in range(len(MODELS))]


# Conditions


def quantity_texts(debugger: Debugger) -> st.SearchStrategy[str]:
    program = debugger.program
    in_time = [name for name, quantity in program.quantities.items() if quantity.rows]
    others = [name for name in names_of(program) if name not in in_time]
    row = st.sampled_from(["", "@t", "@(t+1)", "@(t-1)", "@2", "[:]"])
    timed = st.tuples(st.sampled_from(in_time), row).map("".join)
    return st.one_of(timed, st.sampled_from(others))


def condition_texts(debugger: Debugger) -> st.SearchStrategy[str]:
    reduced = st.tuples(
        st.sampled_from(["norm", "max", "min", "mean", "sum", "argmax"]),
        st.sampled_from(["{}", "abs({})", "-{}"]),
        quantity_texts(debugger),
    ).map(lambda parts: f"{parts[0]}({parts[1].format(parts[2])})")
    number = st.one_of(reduced, st.sampled_from(["0", "0.1", "1e-3", "t", "t / 2", "iteration"]))
    comparison = st.tuples(number, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), number).map(" ".join)
    point = st.sampled_from(["t == 3", "phase == 'backward'", "phase != 'loss'", "line == 'da'", "t > 1", "True"])
    every = quantity_texts(debugger).map(lambda text: f"any({text} > 0.2)")
    atom = st.one_of(comparison, point, every)
    return st.one_of(
        atom, st.tuples(atom, st.sampled_from(["and", "or"]), atom).map(" ".join), atom.map("not ({})".format)
    )


@examples(150)
@given(st.data(), st.sampled_from(DEBUGGERS))
def test_all_points_at_once_and_one_by_one_are_the_same(data: st.DataObject, debugger: Debugger) -> None:
    condition = condition_of(data.draw(condition_texts(debugger)), debugger.program)
    tape = debugger.tape(0)
    found = everywhere(condition, tape, 0, debugger.lines)
    for offset in range(debugger.program.length):
        alone = truth(condition, TapePoints(tape, 0, np.array([offset]), debugger.lines))
        assert alone[0] == found[offset], debugger.program.point(1 + offset)


@examples(100)
@given(st.data(), st.integers(0, len(MODELS) - 1))
def test_reverse_continue_is_the_last_hit_of_a_search_forward(data: st.DataObject, number: int) -> None:
    """Over three iterations; stops of every kind together."""
    debugger = debugger_of(number, batch_size=data.draw(st.sampled_from([None, 2])))
    line = st.sampled_from(sorted({line.name for line in debugger.program.lines if line.phase != "update"}))
    condition = condition_texts(debugger)
    stop = st.one_of(
        line,
        st.tuples(line, condition).map(" if ".join),
        condition.map("if {}".format),
        st.sampled_from(["@2", "@3 sample 1"]),
        st.tuples(line, st.integers(1, 9)).map(lambda parts: f"{parts[0]} hit {parts[1]}"),
        st.sampled_from(["watch loss zero", "watch by[0] sign", "watch dby[1] sign"]),
    )
    for text in data.draw(st.lists(stop, min_size=1, max_size=3)):
        debugger.add(text)
    forward: list[int] = []
    end = 3 * debugger.program.length
    while (found := debugger.search(1, iterations=4)) is not None and found <= end:
        assert found > debugger.position
        debugger.go(found)
        forward.append(found)
    start = data.draw(st.integers(0, end))
    debugger.go(start)
    before = [position for position in forward if position < start]
    assert debugger.search(-1) == (before[-1] if before else None)
    backward: list[int] = []
    while debugger.reverse_continue():
        backward.append(debugger.position)
    assert backward == before[::-1]


CONDITIONS = [
    ("norm(da) < 1e-3", True),
    ("any(isnan(z))", True),
    ("max(abs(dWa)) > 5", True),
    ("norm(da@t) / norm(da@(t+1)) > 2", True),
    ("t == 3 and phase == 'backward'", True),
    ("a[0,1] > 0", True),
    ("a@3[0,1] > 0 or not any(a[:] > 2)", True),
    ("0 < t < 3", True),
    ("da", "an array, not true or false"),
    ("norm(da)", "a number, not true or false"),
    ("da@t < 1", "an array"),
    ("a[9,9] > 0", "outside the axes"),
    ("a[0,0,0] > 0", "indices for the axes"),
    ("phase < 'a'", "can only be compared"),
    ("phase == 3", "can only be compared"),
    ("(t > 1) + 1 > 0", "truth values are joined"),
    ("a + Wy > 0", "do not fit"),
    ("norm(a) and t", "join truth values"),
    ("a@phase > 0", "a time step is a number"),
    ("zzz > 0", "there is no quantity zzz"),
    ("open('x')", "there is no function open"),
    ("norm(a, 1) > 0", "takes one value"),
    ("a.shape > 0", "does not belong"),
    ("__import__('os')", "there is no function"),
    ("[x for x in a]", "does not belong"),
    ("lambda: 0", "does not belong"),
    ("a @ Wa > 0", "a time step is a number"),
    ("max(2 * -da@t) > 0", True),
    ("max|dz| < 1e-3 and |loss| > 0 or 2 * |Wa[0,1]| > 1", True),
    ("||da@t|| / ‖da@(t+1)‖ > 2 and not max|dz| > 1", True),
    ("max||dz|| > 0 and ‖da‖ > 0", True),
    ("max|dz < 1", "not belong"),
    ("any||isnan(z)", r"not an expression; write for example: norm\(dz\) < 0.1"),
    ("norm da < 1", r"norm takes brackets: norm\(da\)"),
    ("da@3(2,1) < 1", "the place of a number stands in square brackets"),
    ("norm(Wa@2) > 0 or norm(Wa[:]) > 0", True),
    ("norm(a) @ 2 > 0", "@ takes a row of a quantity"),
    ("norm(a > 1) > 0", "norm takes numbers"),
    ("a[-1] > 0", "an index is a whole number"),
    ("1 if t else 0", "does not belong"),
    ("t ==", "not an expression"),
    ("", "not an expression"),
]


@pytest.mark.parametrize(("text", "result"), CONDITIONS)
def test_what_can_be_said(text: str, result: bool | str) -> None:
    debugger = open_session(None, {}).debugger
    if result is True:
        everywhere(condition_of(text, debugger.program), debugger.tape(0), 0, debugger.lines)
    else:
        with pytest.raises(InputError, match=str(result)) as caught:
            everywhere(condition_of(text, debugger.program), debugger.tape(0), 0, debugger.lines)
        assert "column" in str(caught.value)


def test_an_error_points_at_its_column() -> None:
    with pytest.raises(ExpressionError) as caught:
        parse("norm(da) < 1 and foo(z) > 2", {"da": None, "z": None})
    assert caught.value.column == 18


PIECES = st.sampled_from(
    [*FUNCTIONS, "da", "Wa", "loss", "t", "phase", "'backward'", "(", ")", "[", "]", ",", ":", "@", "+", "-", "*", "/", "**",
     "<", "<=", "==", "and", "or", "not", "9", "1e999", "0", ".", "if", "lambda", "=", "0x", "é", "\n", "\\", "\0", " "]
)  # fmt: skip


@examples(1000)
@given(
    st.one_of(
        st.text(max_size=60), st.lists(PIECES, max_size=40).map(" ".join), st.lists(PIECES, max_size=40).map("".join)
    )
)
def test_only_its_own_error_ever_comes_out(text: str) -> None:
    debugger = DEBUGGERS[0]
    tape = debugger.tape(0)
    began = time.process_time()
    try:
        condition = parse(text, names_of(debugger.program))
        truth(condition, TapePoints(tape, 0, np.array([debugger.program.length - 1]), debugger.lines))
    except ExpressionError as error:
        assert 1 <= error.column <= len(text) + 2
    assert time.process_time() - began < 1  # a guard against what never ends, not a measurement


# Breakpoints


def test_breakpoints_as_people_write_them() -> None:
    debugger = open_session(None, {}).debugger
    program = debugger.program
    for text in (
        "dz", "dz@7", "@7", "dz if norm(dz) < 1e-3", "if any(isnan(z))", "dz sample 3", "dz hit 5", "dz log t, norm(dz)",
        "watch Wa[2,3] sign", "dz@7 sample 2 if max(dz) > 0 hit 2",
    ):  # fmt: skip
        (stop,) = parse_breakpoint(text, program, 10)
        assert stop.text(program) == text
        assert parse_breakpoint(stop.text(program), program, 10) == [stop]
    assert len(parse_breakpoint("da", program, 10)) == 2  # the read-out's line and the loop's
    (bare,) = parse_breakpoint("norm(da) < 1e-3", program, 10)
    assert bare.condition is not None
    for text, same in (
        ("norm(da@3) < 1 if iteration == 1", "if (norm(da@3) < 1) and (iteration == 1)"),
        ("max(abs(dz)) < 1 sample 3", "if max(abs(dz)) < 1 sample 3"),
    ):
        assert parse_breakpoint(text, program, 10) == parse_breakpoint(same, program, 10)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("nope", "names no line"), ("norm da", r"norm takes brackets: norm\(da\)"), ("dz@99", "from 1 to 10"), ("dz@x", "whole number"),
        ("dz sample 10", "from 0 to 9"),
        ("dz hit 0", "from 1"), ("", "names no line, time step or condition"), ("dz if", "names no line"),
        ("dz if foo", "there is no quantity foo"), ("watch Wa[2,3]", "must end with one of"), ("loss@3", "no line ever writes loss@3"),
        ("watch Wa sign", "needs one number"), ("dz if t > 1 if t > 2", "says something twice"),
    ],
)  # fmt: skip
def test_breakpoints_that_mean_nothing(text: str, why: str) -> None:
    debugger = open_session(None, {}).debugger
    with pytest.raises(InputError, match=why):
        debugger.add(text)
    assert not debugger.breakpoints


def test_the_start_is_before_the_first_step() -> None:
    debugger = DEBUGGERS[0]

    def value(text: str, offset: int) -> Any:
        return value_at(condition_of(text, debugger.program), debugger.tape(0), 0, offset, debugger.lines)

    assert [value("t", offset) for offset in (-1, 0)] == [0, 1]
    assert value("phase == 'forward' and line == 'start'", -1) and not value("line == 'start'", 0)
    assert value("z", -1) is None and value("z", 0) is not None


def test_a_breakpoint_is_the_same_in_every_notation() -> None:
    program = DEBUGGERS[0].program
    assert parse_breakpoint("dz if norm(dz) > 1", program, B, str.upper) == parse_breakpoint(
        "dz if norm(dz) > 1", program, B
    )


def test_a_sample_is_stopped_at_in_its_own_steps_and_where_it_is_in_the_batch() -> None:
    def steps(debugger: Debugger, text: str, iteration: int = 0) -> list[int | None]:
        (stop,) = parse_breakpoint(text, debugger.program, B)
        found = hits(stop, debugger.tape(iteration), iteration, Lines(debugger.program))
        return [debugger.program.point(1 + int(offset)).t for offset in found]

    ragged = debugger_of(1)
    assert [steps(ragged, f"h sample {k}") for k in range(B)] == [[1, 2, 3, 4], [1, 2], [1, 2, 3]]
    largest = float(ragged.tape(0)["h"][2][2].max())
    assert steps(ragged, f"h sample 2 if max(h) == {largest!r}") == [2]
    split = debugger_of(0, batch_size=2)
    batches = [split.tape(iteration).samples for iteration in range(2)]
    for k in range(B):
        seen = [steps(split, f"a sample {k}", iteration) for iteration in range(2)]
        assert seen == [[1, 2, 3, 4] if k in batch else [] for batch in batches]


def test_one_sample_is_seen_in_its_rows_and_by_its_number() -> None:
    split = debugger_of(2, batch_size=2)
    tape, lines = split.tape(0), Lines(split.program)
    assert tape.samples is not None
    sample = int(tape.samples[1])
    row = tape.at("h", 3)[1]

    def value(text: str) -> Any:
        return value_at(condition_of(text, split.program), tape, 0, split.program.length - 1, lines, sample)

    assert value("norm(h@3)") == pytest.approx(np.linalg.norm(row))
    assert value("h@3[1,2]") == row[2] and value("h[:][2,0,1]") == tape["h"][2][0, 1]  # cells are those of the batch
    assert value("norm(Wy)") == pytest.approx(np.linalg.norm(tape.updates.get("Wy", tape.parameters["Wy"])))
    assert value("norm(dWy)") == pytest.approx(np.linalg.norm(tape["dWy"]))
    (logged,) = split.add("h log norm(h), loss", sample=sample)
    said = messages(logged, tape, 0, split.program.offset(logged.line(split.program), 3), lines)  # pyright: ignore[reportArgumentType]
    assert said == [f"norm(h) of sample {sample} = {np.linalg.norm(row):.6g}", "loss = not computed yet"]
    assert split.add("dWy if norm(dWy) > 0", sample=sample)[0].sample is None, "a sum is of all samples"
    assert split.add("h if h[1,0] > 0", sample=sample)[0].sample is None, "it says itself of which sample"


def test_watchpoints_stop_where_the_number_changes() -> None:
    debugger = debugger_of(0)
    lines = Lines(debugger.program)
    values = [float(debugger.tape(0)["a"][t][0, 1]) for t in range(T + 1)]
    (zero,) = parse_breakpoint("watch a[0,1] zero", debugger.program, B)
    expected = [t for t in range(1, T + 1) if values[t] == 0 and values[t - 1] != 0]
    found = [debugger.program.point(1 + int(o)).t for o in hits(zero, debugger.tape(0), 0, lines)]
    assert found == expected


def test_a_hit_count_counts_from_the_first_point_on() -> None:
    debugger = debugger_of(0)
    debugger.add("a hit 6")
    assert debugger.continue_()
    point = debugger.program.point(debugger.position)
    assert (point.iteration, point.t, point.line) == (1, 2, "a")
    assert not debugger.continue_()
    debugger.go(5 * debugger.program.length)
    assert debugger.reverse_continue()
    assert debugger.program.point(debugger.position) == point


def test_logpoints_print_and_do_not_stop() -> None:
    debugger = debugger_of(0)
    debugger.add("a log t, norm(a)")
    assert not debugger.continue_()
    said = debugger.logged(0, debugger.program.length)
    assert len(said) == T
    assert said[0].endswith(f"t = 1, norm(a) = {np.linalg.norm(debugger.tape(0)['a'][1]):.6g}")


def test_watches_follow_the_point() -> None:
    debugger = debugger_of(0)
    watch = debugger.watch("norm(a)")
    assert debugger.watched(watch) == "0"
    debugger.go(2)
    assert float(debugger.watched(watch)) == pytest.approx(np.linalg.norm(debugger.tape(0)["a"][1]), rel=1e-5)
    assert debugger.watched(debugger.watch("da@1")) == "not computed yet"
    with pytest.raises(InputError, match="no quantity"):
        debugger.watch("nope")


def test_a_search_can_be_ended() -> None:
    debugger = debugger_of(0)
    debugger.add("if loss < -1")

    class Enough(Exception):
        pass

    def tick(iteration: int) -> None:
        if iteration == 3:
            raise Enough

    with pytest.raises(Enough):
        debugger.continue_(tick)
    assert debugger.position == 0


def test_errors_have_names_as_they_are_spelt() -> None:
    program = open_session(None, {}).debugger.program
    with pytest.raises(InputError, match=r"there are x, y, .*, dWhh, .* \(column 14 of 'norm\(dWhh\) > nope'\)"):
        condition_of("norm(dWa) > nope", program, lambda name: {"dWa": "dWhh"}.get(name, name))
    with pytest.raises(InputError, match="names no line; there are z, h, "):
        parse_breakpoint("nope", program, 1, lambda name: {"a": "h"}.get(name, name))
