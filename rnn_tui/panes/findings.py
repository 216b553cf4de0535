"""The findings about this iteration, a list; each jumps to the point where it can be seen."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.style import Style

from rnn_tui.panes.around.header import ARROWS
from rnn_tui.render.canvas import Canvas, shortened
from rnn_tui.shown.frame import Frame
from rnn_tui.shown.targets import ToFinding

if TYPE_CHECKING:
    from engine.explain.findings import Finding

INDENT = 4
MARKS = {"serious": "!", "note": "·"}
NOTHING = "nothing: all numbers are finite, units are alive, gradients reach the first step, updates have a usual size"


@dataclass(frozen=True)
class _ListedFinding:
    """A finding with its sentence broken into lines."""

    number: int
    finding: Finding
    lines: list[str]

    @property
    def height(self) -> int:
        return 1 + len(self.lines)


def draw_findings(frame: Frame, width: int, height: int) -> Canvas:
    """One entry a finding: its kind and place, its sentence below. The chosen one is always in sight; a click goes there."""
    look, listed = frame.look, frame.findings or ()
    canvas = Canvas(width, height, look.canvas)
    serious = sum(each.serious for each in listed)
    count = f"{serious} serious, {len(listed) - serious} to know" if listed else "nothing"
    about = "what is wrong · " if width >= 60 else ""
    title = f"{about}iteration {frame.view.point.iteration}: {count}"
    canvas.frame(0, 0, width, height, title, look.border, look.bold)
    room = max(10, width - INDENT - 2)
    if not listed:
        for y, line in enumerate(textwrap.wrap(NOTHING, room), 1):
            canvas.text(2, y, line, look.dim)
        return canvas
    entries = [_ListedFinding(number, each, textwrap.wrap(each.text, room)) for number, each in enumerate(listed)]
    first = _first(entries, frame.finding, height - 2)
    y = 1
    for entry in entries[first:]:
        if y + 1 > height - 1:
            break
        y += _entry(frame, canvas, entry, y) + (1 if height >= 30 else 0)
    above = f" {first} more above " if first else ""
    if above:
        canvas.text(2, height - 1, above, look.dim)
    return canvas


def _first(entries: list[_ListedFinding], chosen: int, lines: int) -> int:
    """The entry to begin with so that the chosen one fits."""
    gap = 1 if lines >= 28 else 0
    first = 0
    while first < chosen and sum(entry.height + gap for entry in entries[first : chosen + 1]) > lines:
        first += 1
    return first


def _entry(frame: Frame, canvas: Canvas, entry: _ListedFinding, y: int) -> int:
    """An entry at line y; how many lines it takes."""
    look, finding = frame.look, entry.finding
    chosen = entry.number == frame.finding
    lines = min(entry.height, canvas.height - 1 - y)
    style = look.error if finding.serious else look.accent
    if chosen:
        for line in range(y, y + lines):
            canvas.text(1, line, " " * (canvas.width - 2), look.chosen)
    back = look.chosen if chosen else Style()
    after = canvas.text(1, y, "▌" if chosen else " ", look.accent + back)
    after = canvas.text(after, y, f"{MARKS[finding.severity]} ", style + back)
    after = canvas.text(after, y, shortened(finding.kind, canvas.width - after - 1), style + back)
    place = _place(frame, finding)
    if after + cell_len(place) + 3 <= canvas.width - 1:
        canvas.text(canvas.width - 2 - cell_len(place), y, place, look.dim + back)
    for number, text in enumerate(entry.lines[: lines - 1], y + 1):
        canvas.text(INDENT, number, text, look.text + back)
    canvas.hit(1, y, canvas.width - 2, lines, ToFinding(entry.number))
    return lines


def _place(frame: Frame, finding: Finding) -> str:
    """`◀ t = 7  da`, with the iteration where that is another one."""
    program = frame.view.program
    point, line = program.point(finding.position), program.line_at(finding.position)
    name = frame.writer.spelling.name(point.parameter or finding.quantity)
    if line is not None and point.parameter is None and finding.t is None:
        name = frame.writer.spelling.name(line.name)
    when = f" t = {point.t}" if point.t is not None else ""
    other = f"iteration {point.iteration} " if point.iteration != frame.view.point.iteration else ""
    return f"{other}{ARROWS[point.phase]}{when}  {name}"
