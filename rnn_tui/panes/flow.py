"""Quantities over time, units × time: they fill from left to right in the forward pass and from right to left in the backward pass."""

from __future__ import annotations

import math

import numpy as np
from rich.cells import cell_len

from engine.language.derive import OUT, gradient
from engine.language.functions import Array
from rnn_tui.panes.around.strip import DECADES
from rnn_tui.panes.pictured import FlowPart, at_flow
from rnn_tui.panes.shared.gains import GAINS, draw_gains, last_gain
from rnn_tui.panes.shared.legend import padding_key
from rnn_tui.panes.shared.time_axis import GAINS_FROM, LEFT, RIGHT, TimeAxis, present, time_axis
from rnn_tui.panes.shared.words import flow_meaning, flows_with
from rnn_tui.render.canvas import Canvas, shortened
from rnn_tui.render.curve import curve
from rnn_tui.render.heatmap import heatmap
from rnn_tui.render.heatmap import height as picture_height
from rnn_tui.render.inks import ColorMode
from rnn_tui.render.numbers import number
from rnn_tui.render.palette import ENDED, NOT_YET, PAD, scale_of
from rnn_tui.render.pooling import block_of, pool
from rnn_tui.shown.frame import DIFFERENCE, ORIGINAL, Frame
from rnn_tui.shown.targets import ToPosition

FULL = 8
"""Lines that a quantity should have, at most, before a further one is shown below it."""
GAINS_BELOW = 5
"""Lines for the gains below the pictures where there is no room beside them."""
CURVE = 5
CURVED_FROM = 20
"""Lines from which on there is room for the curve below the pictures."""
LEAST = 3
"""Lines that a flow of the same gradient gets at least: they are to be seen together."""


def draw_flow(frame: Frame, width: int, height: int) -> Canvas:
    """Rows are units, columns time steps; of several samples the value of largest magnitude, or the chosen sample's.

    Where there is room, the gradient's flows stand below on its scale, and then other quantities in time; all on one time axis.
    """
    if frame.selection.reach and frame.selection.page == "flow":
        from rnn_tui.panes.reach import draw_reach  # loaded when it is asked for

        return draw_reach(frame, width, height)
    look, name, view = frame.look, frame.flowing, frame.view
    canvas = Canvas(width, height, look.canvas)
    compared = frame.selection.beside and frame.as_original is not None
    names, scales = ([name], {}) if compared else _names(frame, height)
    curved = CURVE if frame.selection.page == "flow" and height >= CURVED_FROM and not compared else 0
    fewer = names if compared else _names(frame, height - curved)[0]
    if [one for one in names if one in scales] == [one for one in fewer if one in scales]:
        names = fewer
    else:  # flows that belong together come first
        curved = 0
    scale = ", log" if len(names) == 1 and not compared and frame.tone(view.tape[name], name).log else ""
    title = "flow" if len(names) > 1 else f"flow · {frame.writer.spelling.name(name)}"
    canvas.frame(0, 0, width, height, _titled(frame, title + scale, width - 6), look.border, look.bold)
    axis = time_axis(view.program, width)
    gains = GAINS if width >= GAINS_FROM and gradient(frame.output) in names else 0
    room = max(1, width - LEFT - RIGHT - gains)
    if compared:
        _beside(frame, canvas, name, axis, room)
        end = height
    elif len(names) == 1:
        top = 1 if height < 9 else 2
        lines = _picture(frame, canvas, name, axis, top, max(1, height - curved - 3 - top), frozenset())
        axis.numbers(canvas, top + lines, present(frame.view), look)
        told = "" if gains or name != gradient(frame.output) else last_gain(frame, width - 4)
        if told:
            canvas.text(2, top + lines + 1, told, look.backward)
        else:
            _norms(frame, canvas, name, top + lines + 1, axis, room)
        end = top + lines + 2
    else:
        below = 0 if gains or gradient(frame.output) not in names else GAINS_BELOW
        below = below if height - 3 - below > LEAST * len(names) else 0
        end = _several(frame, canvas, names, scales, axis, room, height - curved - below)
    if curved:
        _curve(frame, canvas, axis, min(end + 1, height - 1 - curved))
    if gains:
        draw_gains(frame, canvas, axis.end + RIGHT, 2, width - 1, height - 1)
    elif len(names) > 1 and gradient(frame.output) in names and height - 1 - curved - end > 2:
        draw_gains(frame, canvas, RIGHT, end, width - 1, height - 1 - curved)
    if _ended(frame, axis).any():
        padding_key(frame, canvas, 2, height - 1)
    return canvas


def _titled(frame: Frame, title: str, room: int) -> str:
    """The title with what is shown of the samples; what the axes are, where that fits, too."""
    only = frame.sample if frame.samples > 1 else 0
    which = f"largest of {frame.samples}" if only is None else f"sample {frame.number_of(only)}"
    whole = f"{title} · {which}{' samples' if only is None else ''}: units × time"
    return whole if cell_len(whole) <= room else f"{title} · {which}"


def _several(
    frame: Frame,
    canvas: Canvas,
    names: list[str],
    scales: dict[str, frozenset[str]],
    axis: TimeAxis,
    room: int,
    height: int,
) -> int:
    """Quantities one below the other: a line of text, the picture, the norms of the steps where they fit; the axis below the last.

    Gives back the line after that.
    """
    look = frame.look
    share = (height - 3) // len(names)
    each_step = int(axis.pitch >= 7 and axis.columns == axis.steps and share >= 5)
    y = 1
    for name in names:
        among = scales.get(name, frozenset())
        log = ", log" if frame.tone(frame.view.tape[name], name, among=among).log else ""
        style = look.backward if name.startswith("d") else look.forward
        after = canvas.text(LEFT, y, frame.writer.spelling.name(name), style)
        meaning = f" {flow_meaning(frame, name)}".rstrip() + log
        after = canvas.text(after, y, shortened(meaning, LEFT + room - after), look.dim)
        lines = _picture(frame, canvas, name, axis, y + 1, share - 1 - each_step, among)
        if each_step:
            _norms(frame, canvas, name, y + 1 + lines, axis, room)
        y += 1 + lines + each_step
    axis.numbers(canvas, y, present(frame.view), look)
    return y + 1


def _beside(frame: Frame, canvas: Canvas, name: str, axis: TimeAxis, room: int) -> None:
    """One quantity as edited, as it was and the difference, one below the other; the difference alone where there is no room."""
    frames = [("edited", frame), (ORIGINAL, frame.as_original), (DIFFERENCE, frame.as_difference)]
    shown = [(words, other) for words, other in frames if other is not None]
    shown = shown if canvas.height - 3 >= LEAST * len(shown) else shown[-1:]
    share = (canvas.height - 3) // len(shown)
    each_step = int(axis.pitch >= 7 and axis.columns == axis.steps and share >= 5)
    y = 1
    for words, other in shown:
        log = ", log" if other.tone(other.view.tape[name], name).log else ""
        style = frame.look.accent if words == DIFFERENCE else frame.look.text
        same = ": no change" if words == DIFFERENCE and not np.any(other.view.tape[name]) else log
        canvas.text(LEFT, y, shortened(f"{frame.writer.spelling.name(name)} {words}{same}", room), style)
        lines = _picture(other, canvas, name, axis, y + 1, share - 1 - each_step, frozenset())
        if each_step:
            _norms(other, canvas, name, y + 1 + lines, axis, room)
        y += 1 + lines + each_step
    axis.numbers(canvas, y, present(frame.view), frame.look)


def _names(frame: Frame, height: int) -> tuple[list[str], dict[str, frozenset[str]]]:
    """What to show from top to bottom, and for each the quantities it shares a scale with.

    The flowing quantity; on a page of its own the flows that add up to it and those of the other states; then as many others as fit.
    """
    quantities, name = frame.view.program.quantities, frame.flowing
    together = flows_with(frame, name)
    shown = [name]
    groups: list[list[str]] = [together]
    if frame.selection.page == "flow":
        states = [gradient(state) for state in frame.view.tape.plan.network.table.states]
        groups += [flows_with(frame, state) for state in states if state not in together and state + OUT in quantities]
        fitting = [groups[:count] for count in range(1, len(groups) + 1)]
        chosen = [quantity_name for quantity_name in fitting if sum(map(len, quantity_name)) * LEAST <= height - 3]
        shown = (
            [quantity_name for group in chosen[-1] for quantity_name in group]
            if chosen
            else together[: max(1, (height - 3) // (LEAST + 1))]
        )
        shown = shown if name in shown else [name]
    axes = quantities[together[0]].axes
    rest = [
        quantity_name
        for quantity_name, quantity in quantities.items()
        if quantity.rows and quantity_name not in (*together, *shown)
    ]
    others = sorted(
        rest,
        key=lambda quantity_name: (
            quantities[quantity_name].axes != axes,
            quantity_name.startswith("d") != name.startswith("d"),
        ),
    )
    units = frame.view.tape[together[0]].shape[-1]
    full = max(2 * LEAST, min(FULL, picture_height(units, frame.look.mode) + 2))  # with its name and its norms
    shown += others[: max(0, (height - 2) // full - len(shown))]
    return shown, {quantity_name: frozenset(group) for group in groups for quantity_name in group}


def _ended(frame: Frame, axis: TimeAxis) -> Array:
    """For each step whether it lies beyond the chosen sample's length (beyond that of all)."""
    padding = frame.view.tape.padding
    if padding is None:
        return np.zeros(axis.steps, dtype=bool)
    ended = np.asarray(padding.all(axis=1) if frame.sample is None else padding[:, frame.sample])
    return axis.placed(range(len(ended)), ended)


def _picture(
    frame: Frame, canvas: Canvas, name: str, axis: TimeAxis, top: int, lines: int, among: frozenset[str]
) -> int:
    """One quantity in at most `lines` lines from line `top`; how many lines that took."""
    if lines < 1:
        return 0
    look, view = frame.look, frame.view
    known, written = view.computed(name), view.written(name)
    never = (written < 0) & (name not in view.program.quantities or not _starts(frame, name))
    known = known | frame.ghost
    held = view.program.steps_of(name)
    known, never = axis.placed(held, known), axis.placed(held, never, True)
    values = view.tape.pooled(name, axis.columns, frame.sample)
    picture = pool(values.T, lines if look.mode is ColorMode.NONE else 2 * lines, axis.columns)
    size = 1 if picture_height(len(picture), look.mode, 1) <= lines else "half"
    codes = frame.codes(picture, name, among=among)
    for hidden, code in ((~known, NOT_YET), (_ended(frame, axis), ENDED), (never, PAD)):
        codes[:, axis.all_of(hidden)] = code
    palette = look.palettes.ghost if frame.ghost else look.palettes.signed
    rows = heatmap(codes, palette, look.mode, axis.pitch, size, _cursor(frame, name, axis, codes.shape[0]))
    canvas.rows(axis.left, top, rows)
    axis.mark(canvas, top, len(rows), present(frame.view), look)
    canvas.text(1, top, "  0", look.dim)
    if len(rows) > 1:
        canvas.text(1, top + len(rows) - 1, f"{values.shape[1] - 1:>3}", look.dim)
    _clickable(frame, canvas, name, top, len(rows), axis)
    return len(rows)


def _cursor(frame: Frame, name: str, axis: TimeAxis, rows: int) -> tuple[int, int] | None:
    """Where the cell cursor is in the picture of what flows, on the page of the flow."""
    here = at_flow(frame) if frame.selection.page == "flow" and name == frame.flowing else frame
    if here is frame or here.cell is None or not isinstance(part := here.parts[0], FlowPart) or part.values is None:
        return None
    return block_of(here.cell[0], part.values.shape[0], rows), axis.column_of(part.since + here.cell[1])


def _starts(frame: Frame, name: str) -> bool:
    """Whether what no line writes is given from the start: an input, an initial state."""
    return frame.view.program.quantities[name].given or not name.startswith("d")


def _clickable(frame: Frame, canvas: Canvas, name: str, top: int, lines: int, axis: TimeAxis) -> None:
    """A click on a column goes to the point where that row was written."""
    view = frame.view
    written, held = view.written(name), view.program.steps_of(name)
    for column in range(axis.columns):
        inside = axis.steps_in(column, held)
        if inside and written[inside.start - held.start] >= 0:
            position = 1 + view.point.iteration * view.program.length + int(written[inside.start - held.start])
            canvas.hit(axis.x(column), top, axis.pitch, lines, ToPosition(position))


def _norms(frame: Frame, canvas: Canvas, name: str, y: int, axis: TimeAxis, room: int) -> None:
    look, view = frame.look, frame.view
    written, norms = view.written(name), view.tape.norms(name, frame.sample)
    visible = view.computed(name) & (written >= 0)
    held = view.program.steps_of(name)
    visible = visible & ~_ended(frame, axis)[held.start : held.stop]
    style = look.backward if name.startswith("d") else look.forward
    if y >= canvas.height - 1 or not visible.any():
        return
    if axis.pitch >= 7 and axis.columns == axis.steps:
        canvas.text(1, y, "‖·‖", style)
        for row in np.flatnonzero(visible):
            text = number(float(norms[row]), 9, 2, trim=True)[: axis.pitch]
            canvas.text(axis.x(held[int(row)]), y, text.center(axis.pitch), style)
    else:
        seen = norms[visible]
        label = frame.writer.timed(name)
        ends = dict.fromkeys(number(float(end), 8, trim=True) for end in (seen.min(), seen.max()))
        canvas.text(LEFT, y, f"‖{label}‖ {' … '.join(ends)}"[:room], style)


def _curve(frame: Frame, canvas: Canvas, axis: TimeAxis, y: int) -> None:
    """The norm of the output's gradient by step as far as it is computed, else faintly; on the pictures' axis and the strip's scale."""
    look, view = frame.look, frame.view
    name = gradient(frame.output)
    held = view.program.steps_of(name)
    norms = axis.placed(held, view.tape.norms(name, frame.sample))
    visible = axis.placed(held, view.computed(name) | frame.ghost) & ~_ended(frame, axis)
    with np.errstate(all="ignore"):
        height = np.where(visible & (norms > 0), np.log10(norms), np.nan)
    known = norms[np.isfinite(height)]
    top = math.log10(scale_of(norms))
    label = f"‖{frame.writer.timed(name)}‖, log"
    after = canvas.text(LEFT, y, label, look.backward)
    if not known.size:
        canvas.text(after, y, ": once the error flows back", look.dim)
        return
    low, high = (number(float(end), 8, 2, trim=True) for end in (known.min(), known.max()))
    canvas.text(after, y, f": {low} … {high}", look.dim)
    width = max(1, (axis.columns - 1) * axis.pitch + 1)
    for line, text in enumerate(
        curve(np.fmax.reduceat(height, axis.starts), width, CURVE - 1, (top - DECADES, top)), y + 1
    ):
        canvas.text(axis.left + axis.pitch // 2, line, text, look.dim if frame.ghost else look.backward)
