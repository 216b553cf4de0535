"""What is said of the cell under the cursor: its exact value, the arithmetic that made it, and the picture's statistics."""

from __future__ import annotations

import math

import numpy as np

from engine.debug.whatif import edit_of
from engine.explain.ledger import ledger
from engine.explain.length import length
from engine.explain.line_parts import Part
from engine.explain.terms import Explanation, explain, explain_update
from engine.explain.why import origin
from engine.language.derive import NEXT, gradient
from engine.language.functions import Array, axis_word, from_unit_to_unit
from rnn_tui.panes.program.arithmetic import arithmetic, index_text, lying, table
from rnn_tui.panes.program.equation import palette_of
from rnn_tui.panes.shared.subtotals import subtotals
from rnn_tui.panes.shared.words import (
    NORM,
    class_words,
    clipping_words,
    padding_words,
    prediction_words,
    since_before,
    truncation_words,
)
from rnn_tui.render.canvas import Canvas, StyledText, shortened
from rnn_tui.render.colorbar import colorbar
from rnn_tui.render.numbers import exact, number
from rnn_tui.shown.frame import Frame, result_of

STATISTICS = 42


def cell_lines(frame: Frame, part: Part, index: tuple[int, ...], room: int, height: int) -> list[StyledText]:
    """The number with its place, and the arithmetic, in so many lines."""
    look = frame.look
    assert part.values is not None and frame.cell is not None
    value = float(part.values[frame.cell])
    label = _label(frame, part, index)
    where = _where(frame, part, index)
    head: StyledText = [
        (label, look.accent),
        (f" = {exact(value, part.values.dtype)}", look.bold),
        (f"   {where}", look.dim),
    ]
    if part.role == "difference":
        return [head, [("edited − original, on a scale of its own", look.dim)]]
    notes: list[StyledText] = [[(note, look.accent)] for note in _notes(frame, part, index) if note]
    if edited := _edited(frame, part, index):
        notes.insert(0, [(edited, look.accent)])
    if part.name == NORM:
        head[2] = ("   √ of the sum of these squared:", look.dim)
        return [head, *_norms(frame, room, height - 1 - len(notes)), *notes]
    explanation = _explanation(frame, part, index)
    if explanation is None or not len(explanation.values):
        return [head, *notes, [(_origin(frame, part.name), look.dim)]]
    lines: list[StyledText] = []
    if len(explanation.steps) > 1:  # its largest terms are neither the largest steps nor the largest samples
        assert part.name is not None
        entries = ledger(frame.view.tape, part.name, index, explanation.steps[-1])
        lines = [[(text, look.text)] for text in subtotals(frame, entries, room)]
    if (left := height - 1 - len(notes) - len(lines)) > 0:
        lines += arithmetic(frame, explanation, room, left)
    if part.name is not None and part.name.endswith(NEXT):  # its flows say it too
        return [head, *lines, *notes]
    return [head, *notes, *lines]


def _origin(frame: Frame, name: str | None) -> str:
    """Where a number comes from that no line of this iteration made."""
    if name is None:
        return "computed within this line"
    is_weight = name in frame.view.tape.parameters
    return "a weight, drawn at the start or made by the last update" if is_weight else origin(frame.view.tape, name)


def _notes(frame: Frame, part: Part, index: tuple[int, ...]) -> list[str]:
    """Notes about a cell: that it is padding; at a line of truncation or clipping, how much was taken away."""
    notes: list[str] = []
    if _is_padding(frame, part):
        sample, t = (index[0], index[1] + 1) if part.over_time else (index[0], part.t or frame.view.point.t or 0)
        notes.append(padding_words(frame, sample, t))
    if part.role != "operand":
        notes += [truncation_words(frame), clipping_words(frame) if _is_clipping(part) else ""]
    return notes


def _is_clipping(part: Part) -> bool:
    return part.name is not None and (part.name == NORM or part.name.endswith(("_clipped", "_cut")))


def _is_padding(frame: Frame, part: Part) -> bool:
    return part.padding is not None and frame.cell is not None and bool(part.padding[frame.cell])


def _norms(frame: Frame, room: int, height: int) -> list[StyledText]:
    """The norms of all gradients, which make the one that is clipped; the last ones are left out where there is no room."""
    tape, look = frame.view.tape, frame.look
    cells = [
        f"‖{frame.writer.spelling.name(gradient(name))}‖ {number(length(slope), 9, 4, trim=True)}"
        for name, slope in tape.gradients.items()
    ]
    lines = table(cells, room, look.text)
    if len(lines) > height:
        lines = [*lines[: max(0, height - 1)], [*lines[max(0, height - 1)][:-1], ("…", look.dim)]]
    return lines


def _label(frame: Frame, part: Part, index: tuple[int, ...]) -> str:
    if part.name is None:
        return part.text + index_text(index)
    name = frame.writer.spelling.name(part.name) + ("" if part.t is None else f"@{part.t}")
    if part.role == "term" and frame.sample is not None:
        name += f",{frame.sample}"
    if part.role in ("original", "difference"):
        name = f"{part.text} {name}"
    return name + index_text(lying(frame, part.name, index))


def _where(frame: Frame, part: Part, index: tuple[int, ...]) -> str:
    if part.name == "loss" and part.values is not None and frame.sample is None and frame.loss_before is not None:
        change = since_before(float(part.values[0, 0]), frame.loss_before)
        return f"{change} since iteration {frame.view.point.iteration - 1}" if change else ""
    if part.over_time:
        return f"{_sample(frame, index[0])}, t = {index[1] + 1}"
    axes = frame.writer.axes.get(part.name or "", ())
    if len(axes) != len(index):
        return ""
    words = [
        _sample(frame, i) if axis == "B" else f"{axis_word(axis)} {i}" for axis, i in zip(axes, index, strict=True)
    ]
    if from_unit_to_unit(axes):
        words = [f"from unit {index[0]}", f"to unit {index[1]}"]
    if part.role == "term" and frame.sample is not None and part.t is not None:
        words = [f"step {part.t}, {_sample(frame, frame.sample)}", *words]
    if axes and axes[0] == "B" and frame.classes and part.name != "x" and not _is_padding(frame, part):
        words = _judged(frame, part, words, index[0])
    return ", ".join(words)


def _judged(frame: Frame, part: Part, words: list[str], row: int) -> list[str]:
    """The words on a number of a sample, and its target; of a prediction, first whether it is right. An initial state has no target."""
    tape, t = frame.view.tape, frame.view.point.t if part.t is None else part.t
    if (steps := frame.view.program.steps_of("y")) and t is not None and t not in steps:
        return words
    if part.name is None or part.name != tape.plan.network.head.prediction:
        return [*words, f"target {class_words(frame, int(tape.at('y', t)[row]))}"]
    return [f"{words[0]}: {prediction_words(frame, row, t)}"]


def _sample(frame: Frame, row: int) -> str:
    """A sample by its number in the data; in a mini-batch with its row."""
    sample_number = frame.number_of(row)
    return f"sample {sample_number}" if frame.view.tape.samples is None else f"sample {sample_number} (row {row})"


def _edited(frame: Frame, part: Part, index: tuple[int, ...]) -> str:
    """For a number that an edit changed: the edit, the original value, and the difference; "" where nothing is edited."""
    if frame.as_original is None or frame.inspected is None or frame.cell is None or part.role == "original":
        return ""
    plan, iteration = frame.view.tape.plan, frame.view.point.iteration
    edit = edit_of(frame.edits, plan, part.name or "", iteration, part.t, index) if part.role != "term" else None
    text = [f"put in by what if: {edit.text}"] if edit else []
    others = frame.as_original.parts
    other = others[frame.inspected] if frame.inspected < len(others) else None
    if other is not None and other.values is not None and part.values is not None and other.name == part.name:
        now, was = float(part.values[frame.cell]), float(other.values[frame.cell])
        if now != was and not (math.isnan(now) and math.isnan(was)):
            text.append(f"was {number(was, 10, 5, trim=True)}, changed by {number(now - was, 10, 4, trim=True)}")
    return " · ".join(text)


def _explanation(frame: Frame, part: Part, index: tuple[int, ...]) -> Explanation | None:
    if part.role == "original" and frame.as_original is not None:
        original = frame.as_original
        return _explanation(original, original.parts[result_of(original.parts)], index)
    view = frame.view
    if part.role == "result" and part.name is not None and view.point.phase == "update":
        return explain_update(view.tape, part.name, index)
    if part.name is None or part.name in view.tape.parameters:
        return None
    if part.name in view.program.updates:
        return explain(view.tape, part.name, None, index)
    reached = view.so_far(part.name) if part.role == "total" else None
    sample = frame.sample if part.role == "term" else None
    if part.role == "operand" and view.program.quantities[part.name].rows == "" and part.t is None:
        return explain(view.tape, part.name, None, index)
    return explain(view.tape, part.name, part.t, index, reached=reached, one_step=part.role == "term", sample=sample)


def draw_statistics(frame: Frame, canvas: Canvas, part: Part, x: int, y: int, height: int) -> None:
    """Extremes and zeros of the cell's array, and the colours with their scale."""
    look = frame.look
    values: Array = part.values if part.values is not None else np.zeros(1)
    if part.padding is not None and not part.padding.all():
        values = values[~part.padding]
    finite = values[np.isfinite(values)]
    if finite.size:
        low, high = number(float(finite.min()), 9, 3, trim=True), number(float(finite.max()), 9, 3, trim=True)
        text = f"min {low}  max {high}  zeros {np.mean(values == 0):.0%}"
    else:
        text = "no finite value"
    broken = values.size - finite.size
    canvas.text(x, y, shortened(text, STATISTICS - 3), look.dim)
    if broken:
        canvas.text(x, y + 1, f"{broken} NaN or infinite", look.error)
    if height < 3:
        return
    name = None if part.role == "difference" else part.name
    tone = frame.tone(values, name, in_line=True)
    palette = palette_of(frame, part)
    bar = colorbar(palette, look.mode, 35, tone.scale, palette is look.palettes.unsigned, tone.log)
    canvas.rows(x, y + min(2, height - 2), bar)
