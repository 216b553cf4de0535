"""The walk through the user's own run: where one is, the source, and in words what the number under the cursor is."""

from __future__ import annotations

import textwrap

import numpy as np
from rich.cells import cell_len

from engine.doctor.reference.results import Place
from engine.text import clean
from rnn_tui.panes.around.header import ARROWS
from rnn_tui.panes.program.listing import DONE
from rnn_tui.panes.program.source import DIFFERS, WRONG, ListedSource, draw_listed, gradients_told, mistakes_told
from rnn_tui.render.canvas import Canvas, StyledText, draw_lines, shortened
from rnn_tui.render.numbers import number
from rnn_tui.render.pooling import block_of
from rnn_tui.shown.targets import Press, ToPosition
from rnn_tui.shown.walk_frame import WalkFrame

BARS = "▁▂▃▄▅▆▇█"
LEAST_DECADES, MOST_DECADES = 2.0, 12.0
"""How many powers of ten lie between the highest bar and the lowest, at least and at most."""
HERE_BELOW = "▲"


def place_words(frame: WalkFrame) -> str:
    """`line 35 · t = 3 of 0–11`, in a notebook `cell 2, line 5`; in another file with its name."""
    line = frame.line
    where = frame.walk.source.place(line.line) if frame.is_own else f"{clean(line.file, 30)} line {line.line}"
    return where + time_words(frame, frame.choice.at)


def line_words(frame: WalkFrame, file: str, line: int) -> str:
    """A line with its text, and its file where that is not the program's."""
    source = frame.walk.source_of(file)
    text = "" if source is None else f": {source.line(line)}"
    return f"{frame.walk.source.place(line) if file == frame.walk.main else f'{clean(file, 60)} line {line}'}{text}"


def time_words(frame: WalkFrame, at: int, short: bool = False) -> str:
    """Which time it is that a line runs, where it runs more than once: forward `t = 3 of 0–11`, in short `t=3`; on the way back, where the
    program's own t goes the other way, `time 4 of 12`."""
    times, before = frame.walk.times(at), frame.walk.lines[at].before
    if times < 2:
        return ""
    if frame.walk.phase(at) == "forward":
        return f" t={before}" if short else f" · t = {before} of 0–{times - 1}"
    return f" time {before + 1}" if short else f" · time {before + 1} of {times}"


def draw_walk_header(frame: WalkFrame, width: int, height: int) -> Canvas:
    """On the left the file; on the right the phase, the line and how often it ran before, the loss."""
    look, walk = frame.look, frame.walk
    canvas = Canvas(width, height, look.canvas)
    phase = walk.phase(frame.choice.at)
    right: StyledText = [
        (f"{ARROWS[phase]} {phase}", look.phase(phase)),
        (f"  {place_words(frame)}", look.accent),
        (f"   L {number(walk.loss.value, 8, trim=True)}", look.bold),
    ]
    length = sum(cell_len(text) for text, _ in right)
    x = canvas.text(1, 0, "rnn-tui", look.accent) + 2
    canvas.hit(1, 0, 7, 1, Press("app.palette"))
    room = width - length - x - 2
    x = canvas.text(x, 0, shortened(walk.report.file, room), look.bold)
    said = f" · L is {walk.loss.name} of {walk.source.place(walk.loss.line)}"
    if walk.loss.is_given:
        said = " · called with arguments that were made up"
    if not walk.loss.assumed and cell_len(said) <= width - length - x - 2:
        canvas.text(x, 0, said, look.dim)
    x = width - length - 1
    for text, style in right:
        x = canvas.text(x, 0, text, style)
    return canvas


def draw_walk_strip(frame: WalkFrame, width: int, height: int) -> Canvas:
    """The whole run from left to right: how large the error is at each line, in powers of ten; marks where something is wrong."""
    look, walk = frame.look, frame.walk
    canvas = Canvas(width, height, look.canvas)
    label = "error "
    left, room = 1 + len(label), width - 2 - len(label)
    canvas.text(1, 0, label, look.dim)
    some_error = walk.magnitudes[walk.magnitudes > 0]
    largest, smallest = float(some_error.max(initial=0.0)), float(some_error.min(initial=np.inf))
    decades = min(MOST_DECADES, max(LEAST_DECADES, np.log10(largest / smallest))) if largest else 1.0
    columns = min(room, len(walk))
    pitch = room // columns
    for column in range(columns):
        some = range(column * len(walk) // columns, (column + 1) * len(walk) // columns)
        bar = _bar(float(walk.magnitudes[some.start : some.stop].max()), largest, decades)
        x = left + column * pitch
        canvas.text(x, 0, bar * pitch, look.phase(walk.phase(some.start)))
        if frame.marked and any(walk.differs(k) for k in some):
            canvas.text(x, 1, DIFFERS, look.error)
        canvas.hit(x, 0, pitch, height, ToPosition(some.start))
    canvas.text(left + pitch * block_of(frame.choice.at, len(walk), columns), 1, HERE_BELOW, look.accent)
    if height > 2:
        low = number(largest / 10**decades, 8, 2)
        words = f"█ is {number(largest, 8, 3, trim=True)}, ▁ is {low}: the largest |dL/d(number)| at each line; click to go there"
        canvas.text(left, 2, shortened(words, room), look.dim)
    return canvas


def _bar(size: float, largest: float, decades: float) -> str:
    if not size > 0 or not largest > 0:
        return "·"
    level = 1 + np.log10(size / largest) / decades
    return BARS[int(max(0, min(level * len(BARS), len(BARS) - 1)))]


def draw_walk_source(frame: WalkFrame, width: int, height: int) -> Canvas:
    """The source with the line that ran last: of the program's file, or of a module of its own."""
    walk, line, file = frame.walk, frame.line, frame.file
    findings = [d for d in walk.report.diagnoses if d.place is not None and _is_in(frame, d.place)]
    states = {walk.lines[at].line: "wrong" for at in walk.differing if walk.lines[at].file == file}
    states = states if frame.marked else {}
    states |= {place.line: "suspect" for place in walk.report.candidates if _is_in(frame, place)}
    here = range(line.line, walk.ends(file).get(line.line, line.line) + 1) if line.file == file else None
    chosen = frame.choice.source
    if frame.choice.asked:
        made, at = walk.places.line_of(frame.choice.asked[-1].number) or ("", 0)
        chosen = at if made == file and at else chosen
    title = walk.report.file if file == walk.main else clean(file, 80)
    blamed = {d.place.line for d in findings if d.place is not None}
    listed = ListedSource(title, frame.source, findings, here, chosen, blamed, states, frame.stops, frame.below)
    return draw_listed(listed, frame.look, width, height)


def _is_in(frame: WalkFrame, place: Place) -> bool:
    """Whether a place is in the file that is listed: of another file than the program's it says so."""
    _, elsewhere, file = place.where.partition(" of ")
    return file == frame.file if elsewhere else frame.file == frame.walk.main


def draw_walk_told(frame: WalkFrame, width: int, height: int) -> Canvas:
    """The number under the cursor, what the value is, and what the doctor says of the program."""
    look = frame.look
    canvas = Canvas(width, height, look.canvas)
    framed = height >= 6
    top, left = (1, 2) if framed else (0, 1)
    if framed:
        canvas.frame(0, 0, width, height, "this number", look.border, look.bold)
    room = width - 2 * left
    about = _followed(frame) if frame.numbers else [_number(frame), *_meant(frame)]
    lines = [*about, *_verdict(frame, room), *_reads(frame)]
    draw_lines(canvas, lines, (left, top), look.dim)
    return canvas


def _number(frame: WalkFrame) -> StyledText:
    """The number at the cursor in every picture."""
    look = frame.look
    index = frame.index
    place = f"[{', '.join(map(str, index))}]" if index else ""
    line: StyledText = [(f"{frame.pictures[0].label}{place} = ", look.accent)]
    names = {"gradient": "dL/d(it)", "right": "should be", "difference": "difference"}
    for k, picture in enumerate(frame.pictures):
        if k:
            line.append((f"   {names[picture.role]} ", look.dim))
        style = look.error if picture.role == "right" else look.bold
        line.append((number(float(picture.values[index]), 12, 6, trim=True), style))
    if frame.stopped:
        line.append((f"   stopped by {frame.stopped}", look.backward))
    return line


def _followed(frame: WalkFrame) -> list[StyledText]:
    """Of an explanation: the number that enter follows, and the line that made it."""
    look, walk = frame.look, frame.walk
    asked = frame.numbers[frame.followed]
    value = number(float(walk.record.pool[asked.number]), 12, 6, trim=True)
    name = walk.places.described(asked.number).text
    said: StyledText = [(f"{clean(name, 80)} = ", look.accent), (value, look.bold)]
    made = walk.places.line_of(asked.number)
    text = line_words(frame, *made) if made is not None else ""
    if walk.forward[asked.number]:  # the loss depends on it
        back = number(float(walk.adjoint[asked.number]), 12, 6, trim=True)
        said += [("   dL/d(it) ", look.dim), (back, look.bold)]
    return [said, [(text, look.dim)]]


def _meant(frame: WalkFrame) -> list[StyledText]:
    """What the value is, as far as that is known."""
    look, walk, event = frame.look, frame.walk, frame.event
    meanings = walk.meaning(event)
    row = walk.compared(event)
    if row is not None and row.status != "not compared":
        word = {"right": f"{DONE} the gradient of {row.name}", "zero": f"{WRONG} zero, as the gradient of {row.name}"}
        said = word.get(row.status, f"{WRONG} not the gradient of {row.name}")
        style = look.forward if row.status == "right" else look.error
        return [[(said, style), (f"   {clean(row.reason, 120)}", look.dim)]]
    if meanings:
        first, *others = meanings
        also = f"   (equal to {others[0]})" if others else ""
        return [[("it is ", look.dim), (first, look.backward), (also, look.dim)]]
    if walk.phase(frame.choice.at) in ("forward", "loss") and walk.gradient(event) is None:
        return [[("no way from it to the loss was recorded", look.dim)]]
    if walk.should_be(frame.choice.at, event) is not None:
        right = walk.should_mean(frame.choice.at, event)
        said = [("it should be ", look.dim), (right[0], look.backward)] if right else []
        return [said or [("the corrected program makes another value here", look.dim)]]
    return []


def _reads(frame: WalkFrame) -> list[StyledText]:
    """At a line with a mistake: what goes into it."""
    places = [d.place for d in frame.walk.report.diagnoses[:1] if d.place is not None]
    if not frame.is_own or frame.line.line not in [place.line for place in places]:
        return []
    return [[(clean(sentence, 200), frame.look.dim)] for sentence in frame.walk.report.beside]


def _verdict(frame: WalkFrame, room: int) -> list[StyledText]:
    """What the doctor says of the whole program."""
    look, report = frame.look, frame.walk.report
    lines = mistakes_told(report, frame.walk.source, look, room)
    if report.candidates:
        places = ", ".join(str(place.line) for place in report.candidates[:6])
        missing = "what else is wrong was not found" if report.diagnoses else "no correction was found"
        lines.append([(f"{WRONG} {missing}; look first at {places}", look.error)])
    if report.verdict == "correct" and report.parameters:
        lines.append([(f"{DONE} right: ", look.forward), (", ".join(report.parameters), look.text)])
    elif told := gradients_told(report):
        lines.append([(told, look.dim)])
    else:
        said = "No backward pass was found to compare: dL/d(value) is the loss carried back. Press `←` to walk back from the loss."
        said += "" if frame.choice.derived else " `m` shows the backward pass that is missing."
        lines += [[(part, look.dim)] for part in textwrap.wrap(frame.named(said), max(20, room))]
    return lines
