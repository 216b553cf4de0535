"""The program: which lines there are, in which order they run, and how points are named and numbered."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import InputError, Network, Point, Program
from engine.language.functions import FUNCTIONS
from engine.model.blocks import START, Loop
from engine.model.build import build
from engine.notation import Writer
from engine.recording.plan import plan
from tests.examples import examples

PARAMETERS = ("Wx", "Wa", "ba", "Wy", "by")
Row = tuple[str, int | None, str, str | None]


def program(steps: int, **options: Any) -> Program:
    return build(Network(inputs=2, hidden=3, outputs=4, **options), steps)


def contract(steps: int) -> list[Row]:
    """(phase, t, line, parameter) of one iteration, from the contract's own words."""
    rows: list[Row] = [("forward", t, line, None) for t in range(1, steps + 1) for line in ("z", "a")]
    rows += [("forward", steps, line, None) for line in ("logits", "p")]
    rows += [("loss", None, "loss", None)]
    rows += [("backward", steps, line, None) for line in ("dlogits", "dWy", "dby", "da")]
    rows += [
        ("backward", t, line, None) for t in range(steps, 0, -1) for line in ("dz", "dx", "dWx", "dWa", "dba", "da")
    ]
    return rows + [("update", None, "W", name) for name in PARAMETERS]


@pytest.mark.parametrize("steps", [1, 2, 3, 10])
def test_the_lines_run_in_the_order_of_the_contract(steps: int) -> None:
    prog = program(steps)
    assert prog.point(0) == Point(0, "forward", 0, START)
    points = [prog.point(position) for position in range(1, prog.length + 1)]
    assert [(p.phase, p.t, p.line, p.parameter) for p in points] == contract(steps)
    assert {p.iteration for p in points} == {0}
    assert prog.length == 8 * steps + 12
    lines = [prog.line_at(position) for position in range(1, prog.length + 1)]
    assert [line and line.name for line in lines] == [p.line for p in points]
    assert [line and line.block for line in lines] == [p.block for p in points]
    assert prog.line_at(0) is None


@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid", "identity"])
def test_every_activation_has_the_same_lines(activation: str) -> None:
    prog = program(2, activation=activation)
    rows = [(p.phase, p.t, p.line, p.parameter) for p in map(prog.point, range(1, prog.length + 1))]
    assert rows == contract(2)


@examples(25)
@given(st.integers(1, 12))
def test_points_and_positions_are_each_others_inverse(steps: int) -> None:
    prog = program(steps)
    points = [prog.point(position) for position in range(3 * prog.length + 1)]
    assert [prog.position(point) for point in points] == list(range(3 * prog.length + 1))
    assert len(set(points)) == len(points)
    assert [point.iteration for point in points[1:]] == [i for i in range(3) for _ in range(prog.length)]
    one = points[1 : prog.length + 1]
    for iteration in (1, 2):
        later = points[1 + iteration * prog.length : 1 + (iteration + 1) * prog.length]
        assert [(p.phase, p.t, p.line, p.parameter, p.block) for p in later] == [
            (p.phase, p.t, p.line, p.parameter, p.block) for p in one
        ]


def test_points_by_their_coordinates() -> None:
    prog = program(3)
    rows = contract(3)
    for offset, (phase, t, line, parameter) in enumerate(rows):
        first = rows.index((phase, t, line, parameter))
        point: Any = Point(2, phase, t, line, parameter)  # pyright: ignore[reportArgumentType]
        # Two lines are named da at t = T: without a block, the read-out's is meant.
        assert prog.position(point) == 1 + 2 * prog.length + first
        assert first == offset or (t, line) == (3, "da")
    assert prog.position(Point(0, "update", None, "W")) == prog.position(Point(0, "update", None, "W", "Wx"))
    assert prog.position(Point(0, "forward", None, "logits")) == prog.position(Point(0, "forward", 3, "logits"))


def test_the_two_lines_that_write_da_at_the_last_step() -> None:
    prog = program(3)
    read_out, loop = prog.writers("da")
    assert prog.position(Point(0, "backward", 3, "da", block=read_out.block)) == 13
    assert prog.position(Point(0, "backward", 3, "da", block=loop.block)) == 19
    assert prog.position(Point(0, "backward", 2, "da")) == 25
    assert (read_out.equation.step, loop.equation.step) == (0, -1)


@pytest.mark.parametrize(
    "point",
    [
        Point(0, "forward", 1, "y"),
        Point(0, "forward", 1, "dz"),
        Point(0, "backward", 1, "z"),
        Point(0, "forward", 0, "z"),
        Point(0, "forward", 4, "z"),
        Point(0, "forward", -1, "z"),
        Point(0, "forward", None, "z"),
        Point(0, "backward", 0, "da"),
        Point(0, "forward", 2, "logits"),
        Point(0, "loss", 3, "loss"),
        Point(0, "update", None, "W", "Wq"),
        Point(0, "update", None, "Wx"),
        Point(0, "forward", 1, "z", block=1),
        Point(0, "backward", 2, "da", block=3),
    ],
    ids=str,
)
def test_a_point_that_does_not_exist_is_refused(point: Point) -> None:
    with pytest.raises(InputError, match=f"no line {point.line!r} in the {point.phase} pass"):
        program(3).position(point)


def test_there_is_no_iteration_before_the_first() -> None:
    with pytest.raises(InputError):
        program(3).position(Point(-1, "forward", 1, "z"))


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_when_each_row_is_written(steps: int) -> None:
    prog = program(steps)
    rows = contract(steps)

    def first(phase: str, t: int | None, line: str) -> int:
        return rows.index((phase, t, line, None))

    for t in range(1, steps + 1):
        for name, phase in (("z", "forward"), ("a", "forward"), ("dz", "backward"), ("dx", "backward")):
            assert prog.written(name, t) == first(phase, t, name)
        assert prog.written("dWa", t) == first("backward", t, "dWa")
    assert prog.written("da", steps) == first("backward", steps, "da")
    for t in range(steps):
        assert prog.written("da", t) == first("backward", t + 1, "dba") + 1
    for name in ("dWx", "dWa", "dba"):
        assert prog.written(name, None) == first("backward", steps, name)
    assert prog.written("logits", None) == first("forward", steps, "logits")
    assert prog.written("loss", None) == first("loss", None, "loss")
    assert prog.written("dWy", steps) == first("backward", steps, "dWy")
    assert (prog.written("x", 1), prog.written("a", 0), prog.written("Wa", None)) == (-1, -1, -1)


def test_blocks_cover_the_iteration_and_phases_cover_blocks() -> None:
    prog = program(3)
    ranges = [prog.block_range(number) for number in range(len(prog.blocks))]
    assert [n for covered in ranges for n in covered] == list(range(prog.length))
    assert [block.loop for block in prog.blocks] == [
        Loop.UP,
        Loop.AT_T,
        Loop.ONCE,
        Loop.AT_T,
        Loop.DOWN,
        Loop.PARAMETERS,
    ]
    assert [(r.start, r.stop) for r in map(prog.phase_range, ("forward", "loss", "backward", "update"))] == [
        (0, 8),
        (8, 9),
        (9, 31),
        (31, 36),
    ]


def test_quantities_have_the_axes_and_rows_of_the_contract() -> None:
    prog = program(3)
    found = {name: (quantity.axes, quantity.rows) for name, quantity in prog.quantities.items()}
    assert found == {
        **dict.fromkeys(("x", "dx"), (("B", "D"), "T")),
        **dict.fromkeys(("z", "dz"), (("B", "H"), "T")),
        **dict.fromkeys(("a", "da"), (("B", "H"), "T+1")),
        **dict.fromkeys(("logits", "p", "dlogits"), (("B", "C"), "")),
        "y": (("B",), ""),
        "loss": ((), ""),
        "dWx": (("D", "H"), ""),
        "dWa": (("H", "H"), ""),
        "dba": (("H",), ""),
        "dWy": (("H", "C"), ""),
        "dby": (("C",), ""),
    }
    assert (prog.quantities["z"].row(1), prog.quantities["a"].row(1), prog.quantities["a"].row(0)) == (0, 1, 0)
    assert prog.parameters == PARAMETERS


def test_the_listing_reads_like_a_textbook() -> None:
    prepared = plan(Network(inputs=2, hidden=3, outputs=4, activation="relu"), 5, 3)
    writer = Writer(prepared.program, prepared.axes, {"lr": "0.1"})
    assert [writer.line(line) for line in prepared.program.lines] == [
        "z_t = x_t·Wx + a_{t-1}·Wa + ba",
        "a_t = relu(z_t)",
        "logits = a_T·Wy + by",
        "p = softmax(logits)",
        f"loss = Σ {FUNCTIONS['cross_entropy'].text.format('logits', 'y', p='p')} / B",
        "dlogits = (p − onehot(y)) / B",
        "dWy = a_Tᵀ·dlogits",
        "dby = Σ_b dlogits",
        "da_T = dlogits·Wyᵀ",
        "dz_t = da_t ⊙ 1[z_t > 0]",
        "dx_t = dz_t·Wxᵀ",
        "dWx += x_tᵀ·dz_t",
        "dWa += a_{t-1}ᵀ·dz_t",
        "dba += Σ_b dz_t",
        "da_{t-1} = dz_t·Waᵀ",
        "W ← W − 0.1 · dW",
    ]
    assert [writer.title(block) for block in prepared.program.blocks if block.loop in (Loop.UP, Loop.DOWN)] == [
        "for t = 1 … T",
        "for t = T … 1",
    ]


@pytest.mark.parametrize(
    ("activation", "expected"),
    [
        ("tanh", "dz_2 = da_2 ⊙ (1 − a_2²)"),
        ("sigmoid", "dz_2 = da_2 ⊙ a_2 ⊙ (1 − a_2)"),
        ("relu", "dz_2 = da_2 ⊙ 1[z_2 > 0]"),
        ("identity", "dz_2 = da_2"),
    ],
)
def test_a_line_at_a_time_step(activation: str, expected: str) -> None:
    prepared = plan(Network(inputs=2, hidden=3, outputs=4, activation=activation), 5, 3)
    writer = Writer(prepared.program, prepared.axes)
    (line,) = prepared.program.writers("dz")
    assert writer.line(line, 2) == expected
    (_, last) = prepared.program.writers("da")
    assert writer.line(last, 2) == "da_1 = dz_2·Waᵀ"


def test_the_bytes_of_a_recording_are_known_before() -> None:
    prepared = plan(Network(inputs=2, hidden=3, outputs=4, dtype="float32"), 5, 3)
    arrays = prepared.allocate()
    assert prepared.nbytes() == sum(a.nbytes for a in arrays.values())
    assert all(a.ctypes.data % 64 == 0 for a in arrays.values())
    assert {name: a.dtype for name, a in arrays.items() if a.dtype != np.float32} == {"y": np.dtype(np.int64)}
