"""The user's program beside the reference: the source with its current line, the value that this line computed, and
what is wrong with it."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.style import Style

from engine.explain.line_parts import Part
from rnn_tui.panes.program.equation import draw_parts
from rnn_tui.panes.program.listing import DONE
from rnn_tui.panes.program.source import DIFFERS, WRONG, ListedSource, draw_listed, gradients_told, mistakes_told
from rnn_tui.panes.why import name_of
from rnn_tui.render.canvas import Canvas, StyledText, draw_lines, fitting, shortened
from rnn_tui.render.numbered import numbered
from rnn_tui.render.numbers import number, shape
from rnn_tui.shown.frame import Frame
from rnn_tui.shown.targets import ToCell

if TYPE_CHECKING:
    from engine.doctor.walk.lockstep import LineValue, Operand

GAP, LEAST, MOST, LABEL = 3, 8, 11, 24
"""Columns between two arrays, the width of a number's cell, that of a label."""
INVITATION = (
    ("Your own backward pass, stepped beside the reference.", True),
    ("", False),
    (
        "Press `enter` and give the path of the file in which you wrote it: a function, a class, a script or a notebook.",
        False,
    ),
    ("It is run, with your rights, in a process of its own. From the command line: rnn-tui MINE.py", False),
)


def draw_source(frame: Frame, width: int, height: int) -> Canvas:
    """The user's source: the line that ran last, which lines compute right values, which do not, and how to correct them."""
    lockstep, execution = frame.lockstep, frame.execution
    if lockstep is None:
        return Canvas(width, height, frame.look.canvas)
    function = f" · {lockstep.report.function}" if lockstep.report.function else ""
    files = lockstep.files
    which = f" · {files.index(lockstep.file) + 1} of {len(files)} files" if len(files) > 1 else ""
    listed = ListedSource(
        f"{lockstep.name}{function}{which}",
        lockstep.source,
        lockstep.mistakes,
        None if execution is None else range(execution.line, execution.end + 1),
        frame.selection.source,
        lockstep.blamed,
        lockstep.states,
    )
    return draw_listed(listed, frame.look, width, height)


def draw_beside(frame: Frame, width: int, height: int) -> Canvas:
    """The value that the line computed, the reference's value, and the difference, on one colour scale; without a file, how to give one."""
    look, execution = frame.look, frame.execution
    canvas = Canvas(width, height, look.canvas)
    if execution is None or frame.lockstep is None:
        canvas.frame(0, 0, width, height, "yours", look.border, look.bold)
        _paragraphs(frame, canvas, INVITATION)
        return canvas
    made = frame.made
    judged, style = _judged(made, frame) if made is not None else ("", look.dim)
    source = frame.lockstep.source
    title = f"{source.place(execution.line)}: {source.line(execution.line)}"
    canvas.frame(0, 0, width, height, fitting(title, width - 8 - len(judged)), look.border, look.bold)
    if judged:
        canvas.text(width - 4 - len(judged), 0, f" {judged} ", style)
    whose = _sample_of(frame)
    if whose:
        canvas.text(width - 4 - len(whose), height - 1, f" {whose} ", look.accent)
    if frame.beside is not None:
        if not _with_numbers(frame.beside, canvas):
            draw_parts(frame.beside, canvas)
        return canvas
    for y, event in enumerate(execution.ran.made[: height - 2], 1):
        value = float(frame.lockstep.walk.value(event))
        made_here = f"{event.name or 'result'} = {number(value, 12, 6, trim=True)}"
        canvas.text(3, y, shortened(made_here, width - 6), look.text)
    return canvas


def _with_numbers(frame: Frame, canvas: Canvas) -> bool:
    """The arrays with the numbers in their cells, side by side or one below the other, if they fit."""
    pictures = [(place, part, part.values) for place, part in enumerate(frame.parts) if part.values is not None]
    (rows, columns), count = pictures[0][2].shape, len(pictures)
    inner, room = canvas.width - 4, canvas.height - 2
    beside = (inner - GAP * (count - 1)) // count
    ways = (
        (True, beside, rows + 1),
        (False, inner, count * (rows + 1)),
    )  # side by side or not; the columns of one picture, the lines of all
    fitting = [way for way in ways if way[1] // columns >= LEAST and way[2] <= room]
    if not fitting:
        return False
    across, wide, tall = fitting[0]
    cell = min(MOST, wide // columns)
    width = max(cell * columns, min(beside, LABEL)) if across else cell * columns
    left = 2 + (inner - (count * width + GAP * (count - 1) if across else width)) // 2
    top = 1 + (room - tall) // 2
    for n, (place, part, values) in enumerate(pictures):
        x, y = (left + n * (width + GAP), top) if across else (left, top + n * (rows + 1))
        label = _label(part, min(wide, canvas.width - 2 - x))
        canvas.text(x, y, label, frame.look.accent if place == frame.inspected else frame.look.text)
        codes = frame.codes(values, None)
        canvas.rows(x, y + 1, numbered(values, codes, frame.look.palettes.signed, frame.look.mode, cell, frame.cell))
        canvas.hit(x, y + 1, cell * columns, rows, ToCell(place, (rows, columns), (rows, columns), cell, 1))
    return True


def _label(part: Part, room: int) -> str:
    """A picture's name and shape; where there is no room for both the name, then without whose it is: the middle one is the reference's."""
    forms = (f"{part.text}  {shape(part.shape)}", part.text, part.text.partition(": ")[2] or part.text)
    return next((form for form in forms if cell_len(form) <= room), shortened(forms[-1], room))


def _sample_of(frame: Frame) -> str:
    """Of which sample alone the value is; of which step, its name and the header say."""
    entry = frame.made.entry if frame.made is not None else None
    return "" if entry is None or entry.sample is None else f"sample {entry.sample}"


def _judged(made: LineValue, frame: Frame) -> tuple[str, Style]:
    match made.state:
        case "right":
            return f"{DONE} the same", frame.look.forward
        case "wrong":
            return f"{DIFFERS} differs", frame.look.error
        case _ if frame.lockstep and frame.execution and frame.execution.line in frame.lockstep.blamed:
            return f"{WRONG} to be corrected", frame.look.error
        case _:
            return "on the way", frame.look.dim


def draw_told(frame: Frame, width: int, height: int) -> Canvas:
    """The number at the cursor in both programs, what the line reads, and what is wrong with the program."""
    look, lockstep = frame.look, frame.lockstep
    canvas = Canvas(width, height, look.canvas)
    framed = height >= 6
    top, left = (1, 2) if framed else (0, 1)
    if framed:
        canvas.frame(0, 0, width, height, "yours", look.border, look.bold)
    if lockstep is None:
        return canvas
    lines = [_number(frame, width - 2 * left), _operands(frame), *_verdict(frame, width - 2 * left)]
    draw_lines(canvas, [line for line in lines if line], (left, top), look.dim)
    return canvas


def _number(frame: Frame, room: int) -> StyledText:
    """The cell at the cursor: yours, the reference's (with its name where there is room), by how much they differ."""
    look, lockstep, made, beside = frame.look, frame.lockstep, frame.made, frame.beside
    if lockstep is None or made is None or beside is None or beside.cell is None:
        return [("This line makes no array.", look.dim)]
    row, column = beside.cell
    place = f"{made.target}[{row},{column}]" if made.theirs.ndim > 1 else f"{made.target}[{column}]"
    yours, *others = (float(picture[row, column]) for picture in made.pictures)
    line: StyledText = [(place, look.accent), (f" = {number(yours, 12, 6, trim=True)}", look.bold)]
    if not others:
        told = f"is {made.meaning}" if made.meaning else "no array of the reference is equal to it"
        return [*line, (f"   {told}", look.dim)]
    cell = lockstep.asked(frame.selection.execution, row, column)
    name = frame.times_reference + name_of(frame, cell) if cell is not None else frame.meant
    style = look.error if others[1] else look.forward
    same = f"   differs by {number(others[1], 9, 4, trim=True)}" if others[1] else "   the same"
    theirs = number(others[0], 12, 6, trim=True)
    called = "reference" if name else "should be"
    whole = sum(cell_len(text) for text, _ in line) + cell_len(f"   {called} {name} = {theirs}{same}")
    times = frame.times_reference.removesuffix(" × ")
    said = f"{called} {name} = " if name and whole <= room else f"{called} {f'(× {times}) ' if times else ''}"
    return [*line, (f"   {said}", look.dim), (theirs, look.bold), (same, style)]


def _operands(frame: Frame) -> StyledText:
    """What the line reads, and whether that is right already: then the mistake is in this line."""
    look, lockstep = frame.look, frame.lockstep
    assert lockstep is not None
    operands = lockstep.operands(frame.selection.execution)
    differs = frame.made is not None and frame.made.state == "wrong"
    inherited = any(operand.state == "wrong" for operand in operands)
    line: StyledText = [("reads ", look.dim)] if operands else []
    if differs and operands:
        line = (
            [("it reads what is wrong already: ", look.dim)]
            if inherited
            else [("wrong is this line, it reads ", look.error)]
        )
    for n, operand in enumerate(operands):
        wrong = operand.state == "wrong"
        mark = {"right": f"{DONE} ", "wrong": f"{DIFFERS} ", "own": ""}[operand.state]
        made = "" if operand.line is None else f" of {lockstep.source.place(operand.line)}"
        line.append((f"{'   ' if n else ''}{mark}{operand.name}", look.error if wrong else look.text))
        line.append((f"{_meaning(frame, operand)}{made}", look.dim))
    return line


def _meaning(frame: Frame, operand: Operand) -> str:
    from engine.doctor.walk.lockstep import described

    if operand.entry is None:
        return ""
    spell = frame.writer.spelling.name
    meaning = spell(operand.entry) if isinstance(operand.entry, str) else described(operand.entry, spell)
    return f" = {meaning}" if meaning != operand.name else ""


def _verdict(frame: Frame, width: int) -> list[StyledText]:
    """What the doctor says."""
    look, lockstep = frame.look, frame.lockstep
    assert lockstep is not None
    report = lockstep.report
    conventions = " · ".join(f"{name}: {text}" for name, text in lockstep.remarks.items())
    remarks: list[StyledText] = [[(part, look.dim)] for part in textwrap.wrap(conventions, max(20, width))]
    if report.verdict == "correct":
        right = "every gradient is dL/d(its weight), the loss carried back over this run."
        return [[("The backward pass is right: ", look.forward), (right, look.text)], *remarks]
    lines = mistakes_told(report, lockstep.source, look, width)
    if report.verdict == "wrong" and not report.diagnoses:
        lines.append([(f"{WRONG} wrong", look.error), (": no correction was found", look.dim)])
    if report.verdict != "wrong":
        lines += [[(part, look.text)] for part in textwrap.wrap(f"undecided: {report.reason}", max(20, width))]
    if told := gradients_told(report):
        lines.append([(told, look.dim)])
    return [*lines, *remarks]


def _paragraphs(frame: Frame, canvas: Canvas, paragraphs: tuple[tuple[str, bool], ...]) -> None:
    look = frame.look
    lines = [
        (part, bold)
        for text, bold in paragraphs
        for part in textwrap.wrap(frame.named(text), max(10, canvas.width - 6)) or [""]
    ]
    top = max(1, (canvas.height - len(lines)) // 2)
    for y, (text, bold) in enumerate(lines[: canvas.height - 2], top):
        canvas.text(3, y, text, look.bold if bold else look.text)
