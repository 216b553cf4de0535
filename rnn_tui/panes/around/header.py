"""The title line and the footer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.style import Style

from rnn_tui.panes.around.tabs import draw_tabs
from rnn_tui.panes.shared.words import clipping_words, keys_to, prediction_words, since_before
from rnn_tui.render.canvas import Canvas, StyledText, fitting, shortened
from rnn_tui.render.numbers import number
from rnn_tui.shown.frame import Frame
from rnn_tui.shown.targets import Press

if TYPE_CHECKING:
    from rnn_tui.shown.walk_frame import WalkFrame

ARROWS = {"forward": "▶", "loss": "●", "backward": "◀", "update": "↻"}

WRONG = "! "
"""Before the number of serious findings."""
NAMED = 11
"""Columns that the program's name takes."""


def draw_header(frame: Frame, width: int, height: int) -> Canvas:
    """On the left the session; on the right the present point, and the loss once it is computed."""
    look = frame.look
    canvas = Canvas(width, height, look.canvas)
    banner = bool(frame.edits) and height == 1 and width < 100
    # As much as leaves room for the names of the program and the data; at last in few words and without them.
    ways = [(False, 0, NAMED + cell_len(frame.name) + 2), (False, 1, NAMED)]
    roomy = [(True, 0, NAMED)] if width >= 100 and not banner else []
    tried = ((_right(frame, roomy=wide, few=2 if banner else few), left) for wide, few, left in (*roomy, *ways))
    right = next((said for said, left in tried if _wide(said) <= width - left), _right(frame, roomy=False, few=2))
    length = _wide(right)
    crowded = banner or length > width - NAMED
    x = 0 if crowded else canvas.text(1, 0, "rnn-tui", look.accent) + 2
    if not crowded:
        canvas.hit(1, 0, 7, 1, Press("app.palette"))
    room = width - length - x - 3
    after = draw_tabs(frame, canvas, 1) if height > 1 else 0
    if frame.edits:
        _banner(frame, canvas, *((x, 0, room) if height == 1 else (after + 2, height - 1, width - after - 3)))
    if not frame.edits or height > 1:
        x = canvas.text(x, 0, shortened(frame.name, room), look.bold)
        canvas.text(x, 0, fitting(f" · {_chosen(frame)}{frame.description}", room - (x - 10)), look.dim)
    x = width - length - 1
    for text, style in right:
        before, x = x, canvas.text(x, 0, text, style)
        if text.startswith(WRONG):
            canvas.hit(before, 0, x - before, 1, Press("page('findings')"))
    return canvas


def _chosen(frame: Frame) -> str:
    """The chosen sample, and what is predicted for it where that is computed, or nothing is: `sample 5: predicted mid 0.412 ✗ · `."""
    view, row = frame.view, frame.sample
    if row is None or frame.samples == 1:
        return ""
    prediction = view.tape.plan.network.head.prediction
    told = (
        frame.classes and not view.program.steps_of("y") and (view.position == 0 or view.value(prediction) is not None)
    )
    return f"sample {frame.number_of(row)}{f': {prediction_words(frame, row, None)}' if told else ''} · "


def _wide(said: StyledText) -> int:
    return sum(cell_len(text) for text, _ in said)


def _right(frame: Frame, *, roomy: bool, few: int) -> StyledText:
    """What goes on, or what is wrong and where we are; in `few` words without how the loss has changed, at 2 in the fewest."""
    if frame.busy:
        return [(frame.busy, frame.look.accent)]
    return [*_wrong(frame), *_place(frame, roomy=roomy, few=few)]


def _wrong(frame: Frame) -> StyledText:
    """How many serious things were found in this iteration."""
    serious = sum(finding.serious for finding in frame.findings or ())
    return [(f"{WRONG}{serious}", frame.look.error), ("   ", frame.look.dim)] if serious else []


def _banner(frame: Frame, canvas: Canvas, x: int, y: int, room: int) -> None:
    """The edits in force, in a colour that cannot be overlooked; a click undoes the last one."""
    last, *before = reversed([edit.text for edit in frame.edits])
    end = frame.named(f" + {len(before)} (`u` undoes) " if before else " (`u` undoes) ")
    text = shortened(f" what if: {last}", room - len(end)) + end
    canvas.text(x, y, text, frame.look.accent + Style(reverse=True), Press("undo_edit"))


def _place(frame: Frame, *, roomy: bool, few: int) -> StyledText:
    look, view = frame.look, frame.view
    point = view.point
    if frame.selection.page == "training" and (known := frame.history.get(frame.moment[0])) is not None:
        before = frame.history.get(frame.moment[0] - 1) if frame.batches == 1 and not frame.edits else None
        return [(f"iteration {frame.moment[0]}", look.accent), *_loss(frame, known.loss, before and before.loss)]
    shown = _loss(frame, view.tape.loss, None if few else frame.loss_before)
    if view.value("loss") is None:
        shown = _ahead(frame, shown)
    if point.line == "start":
        return [("start", look.accent), *shown]
    color = look.phase(point.phase)
    epoch = ""
    if frame.batches > 1:
        epoch = f"batch {point.iteration % frame.batches + 1}/{frame.batches}"
        epoch = f"epoch {point.iteration // frame.batches} {epoch}  " if roomy else f"{epoch}  "
    iteration = f"iteration {point.iteration}  " if roomy or not (epoch or few > 1) else f"it. {point.iteration}  "
    parts = [(iteration + epoch, look.dim), (f"{ARROWS[point.phase]} {point.phase}", color)]
    if point.t is not None:
        parts.append((f"  t = {point.t}", look.accent))
    if view.line is not None and point.parameter is None and (roomy or view.row != point.t):
        name = frame.writer.spelling.name(view.line.name)
        parts.append((f"  {name}", look.text) if view.row is None else (f"  {name}@{view.row}", look.accent))
    clipped = clipping_words(frame) if roomy else ""
    if point.parameter is not None:
        parts.append((f"  {frame.writer.spelling.name(point.parameter)}", look.accent))
    if clipped:
        parts.append((f"  {clipped}", look.text))
    return [*parts, *shown]


def _loss(frame: Frame, loss: float, before: float | None) -> StyledText:
    """The loss, and what the last update made of it."""
    change = since_before(loss, before)
    shown: StyledText = [(f"   L {number(loss, 8, trim=True)}", frame.look.bold)]
    return [*shown, (f" ({change})", frame.look.dim)] if change else shown


def _ahead(frame: Frame, loss: StyledText) -> StyledText:
    """Where the loss is not computed yet: the keys that lead to it, if there are any here, and faintly what it will be."""
    look = frame.look
    (first, _), *rest = loss
    known = first.lstrip()
    keys = "" if frame.selection.page in ("training", "yours") else keys_to(frame, "loss")
    if not keys:
        return [(f"   → {known}", look.dim)]
    # No arrow: that is a key, too.
    return [
        (f"   {keys}", look.accent),
        (f" to loss {known.removeprefix('L ')}", look.dim),
        *rest,
    ]


def draw_footer(frame: Frame | WalkFrame, width: int, height: int) -> Canvas:
    """The keys that work now, as many as there is room for, and at the end always those for help and the way out; each can be clicked."""
    look = frame.look
    canvas = Canvas(width, height, look.canvas)
    always = [key for key in frame.keys if key[2] in ("help", "quit")]
    rooms = [width] * (height - 1) + [width - sum(map(_length, always))]
    x, y = 1, 0
    for key in [*(k for k in frame.keys if k not in always), *always]:
        while y < height - 1 and (key in always or x + _length(key) > rooms[y]):
            x, y = 1, y + 1
        if key not in always and x + _length(key) > rooms[y]:
            continue
        start, (keys, label, action) = x, key
        x = canvas.text(x, y, keys, look.accent)
        x = canvas.text(x + 1, y, label, look.dim)
        canvas.hit(start, y, x - start, 1, Press(action))
        x += 2
    return canvas


def _length(key: tuple[str, str, str]) -> int:
    return cell_len(key[0]) + cell_len(key[1]) + 3
