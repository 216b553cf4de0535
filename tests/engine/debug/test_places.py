"""Points as people type them."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.debug.debugger import Debugger
from engine.debug.places import parse_place
from engine.errors import InputError
from engine.model.blocks import Point
from engine.notation.layout import Layout
from engine.session import open_session
from engine.text import clean
from tests.examples import examples

DEBUGGER = open_session(None, {}).debugger
LENGTH = DEBUGGER.program.length
HERE = {
    "start": 0,
    "forward": DEBUGGER.program.position(Point(0, "forward", 3, "z")),
    "backward": DEBUGGER.program.position(Point(0, "backward", 6, "dWx")),
    "later": DEBUGGER.program.position(Point(2, "update", None, "W", "Wa")),
}


def at(position: int) -> Debugger:
    DEBUGGER.go(position)
    return DEBUGGER


def position(phase: str, t: int | None, line: str, iteration: int = 0, parameter: str | None = None) -> int:
    return DEBUGGER.program.position(Point(iteration, phase, t, line, parameter))


FORMS = [
    ("7", "start", position("forward", 7, "a")),
    ("7", "forward", position("forward", 7, "a")),
    ("7", "backward", position("backward", 7, "dba")),
    ("7", "later", position("forward", 7, "a", 2)),
    ("t=7", "forward", position("forward", 7, "a")),
    ("@7", "forward", position("forward", 7, "a")),
    ("backward 7", "start", position("backward", 7, "dba")),
    ("7 backward", "start", position("backward", 7, "dba")),
    ("forward 7", "backward", position("forward", 7, "a")),
    ("backward, t = 7", "start", position("backward", 7, "dba")),
    ("dz@7", "start", position("backward", 7, "dz")),
    ("dz 7", "forward", position("backward", 7, "dz")),
    ("dWa@1", "forward", position("backward", 1, "dWa")),
    ("z@10", "backward", position("forward", 10, "z")),
    ("da@7", "start", position("backward", 8, "da")),
    ("da@0", "forward", position("backward", 1, "da")),
    ("da@10", "start", position("backward", 10, "da")),
    ("da@3[2,4]", "start", position("backward", 4, "da")),
    ("da_out@3", "start", position("backward", 4, "da")),
    ("dWa[2,3]", "start", position("backward", 1, "dWa")),
    ("dWa@4[2,3]", "start", position("backward", 4, "dWa")),
    ("x@4[2,0]", "backward", position("forward", 4, "z")),
    ("a@0[2,0]", "backward", position("forward", 1, "z")),
    ("loss", "start", position("loss", None, "loss")),
    ("loss", "later", position("loss", None, "loss", 2)),
    ("forward", "backward", position("forward", 1, "z")),
    ("backward", "start", position("backward", 10, "dlogits")),
    ("update", "start", position("update", None, "W", parameter="Wx")),
    ("logits", "start", position("forward", 10, "logits")),
    ("iteration 3", "forward", 1 + 3 * LENGTH),
    ("iteration=3", "forward", 1 + 3 * LENGTH),
    ("iteration 0", "later", 1),
    ("iteration 3 backward 7", "start", position("backward", 7, "dba", 3)),
    ("dz@7 iteration 2", "start", position("backward", 7, "dz", 2)),
    ("dWa@4,2[1,3]", "start", position("backward", 4, "dWa")),
    ("p[5,:]", "start", position("forward", 10, "p")),
    ("step 7", "backward", position("backward", 7, "dba")),
    ("sample 5", "later", HERE["later"]),
    ("logits sample 5", "start", position("forward", 10, "logits")),
    ("start", "later", 0),
    ("  start  ", "later", 0),
]


@pytest.mark.parametrize(
    "options", [{}, {"cell": "lstm"}, {"bidirectional": True}, {"predict": "every", "truncate": 3}]
)
@pytest.mark.parametrize("t", [1, 4, 10])
def test_a_step_is_where_its_own_rows_are_written(options: dict[str, object], t: int) -> None:
    data = "reber" if "predict" in options else None
    debugger = open_session(data, {name: value for name, value in options.items() if name != "predict"}).debugger
    for phase in ("forward", "backward"):
        debugger.go(parse_place(f"{phase} t={t}", debugger).position)
        assert (debugger.view.point.phase, debugger.view.point.t, debugger.view.row) == (phase, t, t)


@pytest.mark.parametrize(("text", "here", "expected"), FORMS)
def test_every_form(text: str, here: str, expected: int) -> None:
    assert parse_place(text, at(HERE[here])).position == expected


REFUSED = [
    ("", "write for example: da@3[2,4], backward 1 or norm(da) < 0.1"),
    ("   ", "name a number, a time step"),
    (",", "name a number, a time step"),
    ("norm da", "norm takes brackets, and its value is compared: norm(da) < 0.1"),
    ("iteration", "iteration needs its number, for example: iteration 3"),
    ("0", "time steps 1 to 10, not 0"),
    ("11", "time steps 1 to 10, not 11"),
    ("backward 11", "time steps 1 to 10"),
    ("dq", "there is no line dq"),
    ("dq@3", "there is no line dq"),
    ("loss 3", "no point of the program fits loss 3"),
    ("forward dz", "no point of the program fits"),
    ("backward z@3", "no point of the program fits"),
    ("-3", "not a place; write for example: da@3[2,4]"),
    ("7.5", "not a place"),
    ("dWa[2,9]", "dWa is 8 × 8"),
    ("da[2,3]", "name the step too: da@3[2,3]"),
    ("da[1,2,3]", "name the step too: da@1[2,3]"),
    ("da@3[10,0]", "da@3 is 10 × 8, counted from 0; it has no cell [10,0]"),
    ("p[10]", "p is 10 × 2, counted from 0; it has no cell [10,0]"),
    ("7 3", "7 3 names two time steps"),
    ("dWa 1 3", "a cell is written in brackets: da@3[2,4]"),
    ("p 5", "no point of the program fits p 5; p is not in time"),
    ("dWa@4,10[1,3]", "the batch has the rows 0 to 9, not 10"),
    ("sample 10", "samples 0 to 9, not 10"),
    ("[2,3]", "names a cell but no quantity"),
    ("7; quit", "not a place"),
    ("\x1b[2J", "␛[2J is not a place"),
    ("99999999999999999997", "9999"),
    ("dz@99999999999999999997", "9999"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
@pytest.mark.parametrize("here", list(HERE))
def test_refusals_say_what_would_be_right(text: str, message: str, here: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_place(text, at(HERE[here]))
    assert message in str(caught.value)
    assert str(caught.value).isprintable()


WORDS = st.sampled_from(
    [
        "iteration",
        "sample",
        "forward",
        "backward",
        "loss",
        "update",
        "start",
        "dz",
        "z",
        "W",
        "da",
        "p",
        "7",
        "0",
        "10",
        "@",
        "=",
        "t",
        ",",
    ]
)


def test_a_row_of_a_quantity_and_a_sample_are_places() -> None:
    row = parse_place("p[5]", at(0))
    assert (row.name, row.t, row.index) == ("p", None, (5, 0))
    with pytest.raises(InputError, match=r"p is 2 × 10, counted from 0; it has no cell \[5,0\]"):
        parse_place("p[5]", at(0), Layout(columns=True))
    assert parse_place("z@3 sample 4", at(0)).sample == 4
    assert parse_place("dWa@4,2[1,3]", at(0)).sample == 2
    batches = open_session(None, {"batch-size": 4}).debugger
    among = batches.tape(1).samples.tolist()
    found = parse_place(f"iteration 1 sample {among[2]}", batches)
    assert (found.sample, found.position) == (2, 1 + batches.program.length)
    other = next(sample for sample in range(10) if sample not in among)
    with pytest.raises(InputError, match=f"sample {other} is not in the batch of iteration 1"):
        parse_place(f"iteration 1 sample {other}", batches)


@examples(300)
@given(st.text(max_size=30) | st.lists(WORDS, max_size=5).map(" ".join), st.sampled_from(list(HERE)))
@example("iteration 999999999 dz@7", "start")
@example("t", "start")
def test_anything_typed_is_a_position_or_a_sentence(text: str, here: str) -> None:
    debugger = at(HERE[here])
    try:
        found = parse_place(text, debugger).position
    except InputError as error:
        assert str(error)
        assert clean(str(error), 10_000) == str(error)
    else:
        assert found >= 0
        assert debugger.program.position(debugger.program.point(found)) == found
    assert debugger.position == HERE[here]


@examples(100)
@given(st.integers(0, 3 * LENGTH))
def test_every_line_of_the_loops_can_be_named(number: int) -> None:
    point = DEBUGGER.program.point(number)
    line = DEBUGGER.program.line_at(number)
    if line is None:
        assert parse_place(point.line, at(0)).position == 0
        return
    row = "" if point.t is None else f"@{point.t + line.equation.step}"
    text = f"iteration {point.iteration} {point.phase} {point.line}{row}"
    found = DEBUGGER.program.point(parse_place(text, at(0)).position)
    assert (found.iteration, found.phase, found.t, found.line) == (point.iteration, point.phase, point.t, point.line)
