"""What the panes say of padding, of the flows into a state, of truncation, clipping and mini-batches."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.model.blocks import Point
from engine.session import Session, open_session
from rnn_tui.panes import flow
from rnn_tui.panes.shared.time_axis import TimeAxis, listing_width, time_axis
from rnn_tui.panes.shared.words import clipping_words, flow_meaning, flow_words, padding_words, truncation_words
from rnn_tui.render import numbered
from rnn_tui.render.palette import ENDED, NOT_YET, PAD, ZERO
from rnn_tui.shown.frame import Frame
from tests.rnn_tui.panes.scene import PANES, SIZES, scene

LENGTHS = np.array([6, 3, 5])


@pytest.fixture
def codes(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """The codes of all pictures drawn."""
    seen: list[np.ndarray] = []
    for module in (flow, numbered):

        def recorded(codes: np.ndarray, *args: Any, real=module.heatmap, **kwargs: Any):
            seen.append(codes.copy())
            return real(codes, *args, **kwargs)

        monkeypatch.setattr(module, "heatmap", recorded)
    return seen


def opened(folder: Path, *, lengths: bool = True, **options: Any) -> Session:
    rng = np.random.default_rng(5)
    shape = (3, 6) if options.get("predict", "every") == "every" else (3,)
    arrays = {"X": rng.normal(size=(3, 6, 2)), "y": rng.integers(0, 2, size=shape) | np.eye(*shape, dtype=int)[0]}
    path = folder / "data.npz"
    np.savez(path, **(arrays | ({"lengths": LENGTHS} if lengths else {})))
    given = {name.replace("_", "-"): value for name, value in options.items()}
    return open_session(path, {"hidden": 4, "predict": "every", **given})


def at(session: Session, name: str, t: int | None = None, *, phase: str = "backward", **choices: Any) -> Frame:
    return scene(session, Point(0, phase, t, name), **choices)  # pyright: ignore[reportArgumentType]


def text(frame: Frame, pane: str, size: str = "120x36") -> str:
    return PANES[pane](frame, *SIZES[size][pane]).plain()


# Padding


def test_rows_of_samples_that_have_ended_are_padding_in_every_operand(tmp_path: Path, codes: list[np.ndarray]) -> None:
    frame = at(opened(tmp_path), "da", 4)
    PANES["line"](frame, 74, 14)
    pictures = [picture for picture in codes if picture.shape == (3, 4)]
    assert len(pictures) == 3
    for picture in pictures:
        np.testing.assert_array_equal(picture == ENDED, np.broadcast_to([[False], [True], [False]], (3, 4)))
    assert "╱╱╱ padding" in text(frame, "line")
    assert "padding" not in text(at(opened(tmp_path), "da", 3), "line")


def test_the_row_of_the_step_before_is_padding_only_if_that_step_is(tmp_path: Path) -> None:
    parts = at(opened(tmp_path), "a", 4, phase="forward").parts
    padding = {part.text: part.padding is not None for part in parts if part.values is not None}
    assert padding == {"mask_4": False, "z_4": True, "1 − mask_4": False, "a_3": False, "a_4": True}


def test_the_read_out_of_the_last_state_has_no_padding(tmp_path: Path) -> None:
    session = opened(tmp_path, predict="last")
    for name in ("logits", "p"):
        assert all(part.padding is None for part in at(session, name, 6, phase="forward").parts)
    assert all(part.padding is None for part in at(session, "da", 6).parts)
    assert any(part.padding is not None for part in at(session, "dz", 6).parts)


def axis_of(frame: Frame, width: int) -> TimeAxis:
    """The time axis of the strip on a screen of a width."""
    return time_axis(frame.view.program, width - listing_width(width), listing_width(width))


def hatched(frame: Frame, steps: int) -> list[list[bool]]:
    """For ‖a‖ and ‖da‖ in the strip, whether each step is hatched."""
    rows, axis = PANES["strip"](frame, 120, 4).plain().splitlines(), axis_of(frame, 120)
    return [[rows[y][axis.x(t)] == "╱" for t in range(1, steps + 1)] for y in (1, 3)]


@pytest.mark.parametrize("phase", ["forward", "backward"])
def test_steps_beyond_a_sample_in_strip_and_flow(tmp_path: Path, codes: list[np.ndarray], phase: str) -> None:
    session = opened(tmp_path)
    frame = at(session, "z" if phase == "forward" else "dz", 2, phase=phase, sample=1)
    assert hatched(frame, 6) == [[False] * 3 + [True] * 3] * 2
    codes.clear()
    PANES["flow"](frame, 74, 9)
    (shown,) = codes
    np.testing.assert_array_equal(shown[0] == ENDED, np.arange(7) > 3)
    assert NOT_YET in shown[0]
    assert hatched(at(session, "dz", 2), 6) == [[False] * 6] * 2  # another sample is still running


def test_all_samples_may_have_ended(tmp_path: Path, codes: list[np.ndarray]) -> None:
    np.savez(tmp_path / "short.npz", X=np.ones((2, 5, 1)), y=np.array([0, 1]), lengths=np.array([3, 2]))
    frame = scene(open_session(tmp_path / "short.npz", {}), 4)
    PANES["flow"](frame, 74, 9)
    (shown,) = codes
    np.testing.assert_array_equal(shown[0] == ENDED, np.arange(6) > 3)
    assert hatched(frame, 5) == [[False] * 3 + [True] * 2] * 2


def test_the_inspector_says_where_a_sample_ended(tmp_path: Path) -> None:
    session = opened(tmp_path)
    assert "padding: sample 1 ended at t = 3" in text(at(session, "da", 4, row=1), "inspector", "80x24")
    assert "padding" not in text(at(session, "da", 4, row=0), "inspector")
    over_time = scene(session, Point(0, "loss", None, "loss"), operand=1, row=2, column=5)
    assert "sample 2, t = 6" in text(over_time, "inspector")
    assert "padding: sample 2 ended at t = 5" in text(over_time, "inspector")
    assert padding_words(over_time, 2, 5) == ""


def test_zero_not_yet_padding_and_no_row_differ() -> None:
    assert len({ZERO, NOT_YET, ENDED, PAD}) == 4


# The flows into a state


def test_both_flows_and_their_sum_stand_together_on_one_scale(tmp_path: Path, codes: list[np.ndarray]) -> None:
    session = opened(tmp_path, lengths=False)
    frame = at(session, "da", 1, page="flow")
    tape = frame.view.tape
    for size, height in ((37, 16), (74, 23)):
        codes.clear()
        drawing = PANES["flow"](frame, size, height).plain()
        assert re.search("da = da_out \\+ da_next.*da_out ← this step's output.*da_next ← the next step", drawing, re.S)
        assert len(codes) == 3
        scale = max(np.abs(tape[name]).max() for name in ("da", "da_out", "da_next"))
        for name, picture in zip(("da", "da_out", "da_next"), codes, strict=True):
            assert frame.tone(tape[name], name, among=frozenset({"da", "da_out", "da_next"})).scale == scale
            assert (picture != PAD).any()
        assert (codes[1][:, 0] == PAD).all()  # no output at t = 0
        assert (codes[2][:, -1] == PAD).all()  # nothing comes from beyond T


@pytest.mark.parametrize("size", ["80x24", "120x36", "200x50"])
def test_the_inspector_names_both_flows(tmp_path: Path, size: str) -> None:
    shown = text(at(opened(tmp_path, lengths=False), "da", 3, row=1, column=2), "inspector", size)
    assert re.search(r"da_out@3\[1,2\] = \S+ +through this step's output", shown)
    assert re.search(r"da_next@3\[1,2\] = \S+ +through the next step", shown)


def test_the_flows_of_the_lstm(tmp_path: Path) -> None:
    session = opened(tmp_path, cell="lstm", lengths=False)
    frame = at(session, "dc", 3, page="flow")
    assert flow_words(frame, "dc_out") == "through this step's h"
    assert flow_words(frame, "dh_out") == "through this step's output"
    assert flow_meaning(frame, "dc") == "= dc_out + dc_next"
    shown = text(at(session, "dc", 3), "inspector")
    assert "through this step's h" in shown
    assert "through the next step" in shown
    drawing = PANES["flow"](frame, 74, 23).plain()
    assert all(f" {name} " in drawing for name in ("dh", "dh_out", "dh_next", "dc", "dc_out", "dc_next"))


def test_flows_without_a_line_can_be_looked_at(codes: list[np.ndarray]) -> None:
    frame = scene(at=Point(0, "backward", 7, "dz"), quantity="da_out", page="flow")
    drawing = PANES["flow"](frame, 74, 23).plain()
    assert "da_out ← this step's output" in drawing
    out = codes[1]
    assert (out[:, 8:10] == ZERO).all()
    assert (out[:, 10] != ZERO).any()


# Truncation


@pytest.mark.parametrize("cell", ["rnn", "lstm"])
@pytest.mark.parametrize("way", ["window", "chunk"])
@pytest.mark.parametrize("predict", ["last", "every"])
def test_what_was_cut_off_in_words(tmp_path: Path, cell: str, way: str, predict: str) -> None:
    session = opened(tmp_path, lengths=False, cell=cell, predict=predict, truncate=2, truncate_by=way)
    state = f"d{session.debugger.network.table.output}"
    for t in range(6, 0, -1):
        frame = at(session, f"{state}_cut", t)
        full, cut = (frame.view.tape.at(state + suffix, t - 1) for suffix in ("_full", "_cut"))
        words = truncation_words(frame)
        assert f"from t = {t} to t = {t - 1}" in words
        if cut.any():
            assert words.startswith("cut off")
            found = [float(number) for number in re.findall(r"‖ (\S+)", words)]
            assert found == pytest.approx([np.linalg.norm(cut), np.linalg.norm(full)], rel=0.01)
        else:
            assert words.startswith("nothing is cut off")
        assert words in text(frame, "inspector", "200x50").replace("\n", " ")
    assert truncation_words(at(session, "dz" if cell == "rnn" else "dzo", 3)) == ""


@pytest.mark.parametrize("width", [80, 120, 200])
def test_the_strip_marks_the_steps_between_which_the_flow_is_cut(tmp_path: Path, width: int) -> None:
    session = opened(tmp_path, lengths=False, truncate=2, truncate_by="chunk")
    frame = at(session, "dz", 6)
    rows, axis = PANES["strip"](frame, width, 3).plain().splitlines(), axis_of(frame, width)
    places = [i for i, character in enumerate(rows[2]) if character == "│"]
    assert places == [axis.x(3) - 1, axis.x(5) - 1]
    assert places == [i for i, character in enumerate(rows[0]) if character == "│" and i > axis.left]
    window = PANES["strip"](at(opened(tmp_path, predict="last", truncate=2), "dz", 6), width, 3).plain()
    assert "┆" in window  # the samples end at steps of their own
    own = PANES["strip"](at(opened(tmp_path, predict="last", truncate=2), "dz", 6, sample=2), width, 3).plain()
    assert "┆" not in own
    assert own.splitlines()[2].index("│") == axis.x(3) - 1


def test_a_window_for_each_loss_is_marked_from_where_losses_no_longer_reach(tmp_path: Path) -> None:
    session = opened(tmp_path, lengths=False, truncate=2)
    frame = at(session, "dz", 3)
    rows = PANES["strip"](frame, 120, 3).plain().splitlines()
    assert rows[2].index("│") == axis_of(frame, 120).x(5) - 1  # between 4 and 5: those of 3 and 4 flow on into a_2
    frame = at(session, "da_cut", 3)
    assert "it is what the loss of t = 5 alone sends back; it has come 2 steps" in text(frame, "inspector")


def test_in_the_reverse_direction_a_window_ends_ahead(tmp_path: Path) -> None:
    session = opened(tmp_path, lengths=False, truncate=2, bidirectional=True)
    frame = at(session, "dz1r", 3)
    rows = PANES["strip"](frame, 120, 3).plain().splitlines()
    assert rows[2].index("│") == axis_of(frame, 120).x(2) - 1  # between 1 and 2: those of 2 and 3 flow on into a1r_4
    frame = at(session, "da1r_cut", 3)
    assert "it is what the loss of t = 1 alone sends back; it has come 2 steps" in text(frame, "inspector")
    frame = at(session, "da1r_cut", 2)
    assert "no loss is more than 2 steps away yet" in text(frame, "inspector")


# Clipping, optimizers, mini-batches


@pytest.mark.parametrize("limit", [0.01, 100.0])
def test_clipping_by_norm_in_words(tmp_path: Path, limit: float) -> None:
    session = opened(tmp_path, clip_norm=limit)
    frame = scene(session, Point(0, "update", None, "gnorm"))
    tape = frame.view.tape
    norm = np.sqrt(sum((slope**2).sum() for slope in tape.gradients.values()))
    words = clipping_words(frame)
    assert words.startswith("gradients clipped: ‖g‖ " if norm > limit else "not clipped: ‖g‖ ")
    assert words.endswith(f"→ {limit:g}" if norm > limit else f"≤ {limit:g}")
    assert float(words.split()[-3]) == pytest.approx(norm, rel=0.01)
    assert words in text(frame, "header")
    for size in SIZES:
        shown = text(frame, "inspector", size)
        assert words in shown
        assert "‖dWx‖" in shown
    assert clipping_words(at(session, "dz", 3)) == ""


def test_clipping_by_value_in_words(tmp_path: Path) -> None:
    frame = scene(opened(tmp_path, clip_value=0.02), Point(0, "update", None, "W", "Wa"))
    slopes = np.concatenate([slope.ravel() for slope in frame.view.tape.gradients.values()])
    assert clipping_words(frame) == f"{(np.abs(slopes) >= 0.02).sum()} of {slopes.size} entries clipped to ±0.02"


@pytest.mark.parametrize("size", list(SIZES))
def test_numbers_stand_as_numbers(tmp_path: Path, size: str) -> None:
    session = opened(tmp_path, cell="lstm", clip_norm=0.5, optimizer="adam")
    frame = scene(session, Point(0, "update", None, "gnorm"))
    drawing = text(frame, "line", size)
    assert "√(" in drawing
    assert "▀" not in drawing
    assert f"= {float(frame.view.tape.updates['gnorm']):.4g}" in drawing
    assert "0.001  ·" in text(scene(session, Point(0, "update", None, "vW", "Wxi")), "line", "200x50")


def test_the_weights_view_shows_what_the_update_makes_of_a_gradient(tmp_path: Path) -> None:
    session = opened(tmp_path, clip_norm=0.5, optimizer="adam")
    first = scene(session, Point(0, "update", None, "mW", "Wa"))
    wide = text(first, "weights", "200x50")
    assert all(f"{name}" in wide for name in ("dWa_clipped", "dWa_cut", "mWa", "vWa", "mWa_hat", "vWa_hat"))
    narrow = text(first, "weights", "80x24")
    assert "mWa" in narrow
    assert "dWa@" in text(at(session, "dWa", 3), "weights", "80x24")


def test_mini_batches_are_named_by_their_samples(tmp_path: Path) -> None:
    session = opened(tmp_path, batch_size=2, lengths=False)
    for iteration in range(4):
        frame = scene(session, Point(iteration, "backward", 3, "dz"), row=0)
        batch = session.debugger.batches.indices(iteration)
        assert frame.samples == len(batch)
        assert f"epoch {iteration // 2} batch {iteration % 2 + 1}/2" in text(frame, "header", "200x50")
        assert f"batch {iteration % 2 + 1}/2" in text(frame, "header", "80x24")
        assert f"sample {batch[0]} (row 0)" in text(frame, "inspector")
        chosen = scene(session, Point(iteration, "backward", 3, "dz"), sample=1)
        assert f"sample {batch[min(1, len(batch) - 1)]}" in text(chosen, "flow")


# Wide lines


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize(("width", "height"), [(26, 10), (37, 10), (74, 14)])
def test_the_result_of_a_wide_line_is_in_sight_and_what_is_left_out_is_said(
    tmp_path: Path, cell: str, width: int, height: int
) -> None:
    session = opened(tmp_path, cell=cell, hidden=16, truncate=2)
    for each in session.debugger.program.lines:
        t = 4 if each.phase in ("forward", "backward") else None
        frame = scene(session, Point(0, each.phase, t, each.name))
        drawing = PANES["line"](frame, width, height).plain()
        inside = "\n".join(drawing.splitlines()[1:-1])
        result = [part for part in frame.parts if part.role in ("result", "total")][-1]
        assert result.text[:7] in inside, (each.name, drawing)
        shown = sum(part.text[:6] in inside for part in frame.parts if part.values is not None)
        assert shown == sum(part.values is not None for part in frame.parts) or "more parts" in drawing


def test_an_initial_state_of_either_direction_has_no_target(tmp_path: Path) -> None:
    session = opened(tmp_path, bidirectional=True, lengths=False)
    for name, t, read in (("z1", 1, "a1_0"), ("z1r", 6, "a1r_7")):
        frame = at(session, name, t, phase="forward")
        number = next(i for i, part in enumerate(frame.parts) if part.text == read)
        told = text(at(session, name, t, phase="forward", operand=number), "inspector")
        assert "target" not in told and read.replace("_", "@") in told
    assert "target" in text(at(session, "a1r", 6, phase="forward"), "inspector")
