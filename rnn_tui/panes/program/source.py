"""The user's source with its line numbers: the line that ran last, marks beside lines, and the corrected line below a wrong one."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.style import Style

from rnn_tui.panes.program.listing import BREAK, DONE, HERE
from rnn_tui.render.canvas import Canvas, StyledText, shortened
from rnn_tui.shown.look import Look
from rnn_tui.shown.targets import ToSource

if TYPE_CHECKING:
    from engine.doctor.read.source import SourceFile
    from engine.doctor.reference.results import NamedMistake
    from engine.doctor.report.report import Report

WRONG, DIFFERS, SUSPECT, BACK = "✗", "≠", "?", "∂"
OUT, IN = "−", "+"
ROOMY = 40
"""Columns from which on there is room for the source as it is indented; in fewer by half of that."""
BREAKS = " ,([."
"""Behind these a line that is too long is broken."""


@dataclass(frozen=True, eq=False)
class ListedSource:
    """What is shown of a source.

    `findings` are the mistakes in it, `here` the lines that ran last, `chosen` the one under the cursor, `blamed` those with a mistake;
    `states` says of lines that what they computed is right or wrong, or that they may be the mistake; `stops` have a breakpoint.
    """

    title: str
    source: SourceFile
    findings: Sequence[NamedMistake]
    here: range | None
    chosen: int | None
    blamed: Collection[int]
    states: Mapping[int, str]
    stops: Collection[int] = ()
    below: Mapping[int, Sequence[str]] = field(default_factory=dict[int, Sequence[str]])
    """What is derived of a line, shown below it."""


def mistakes_told(report: Report, source: SourceFile, look: Look, width: int) -> list[StyledText]:
    """The mistakes by their names; of one that is not all the correction what it leaves wrong."""
    lines: list[StyledText] = []
    for finding in report.diagnoses:
        several = ", one of several" if finding.leaves else ""
        at = finding.place
        place = f"{at.shown if at.file else source.place(at.line)}{several}: " if at else ""
        named = textwrap.wrap(f"{WRONG} {place}{finding.title}", max(20, width), subsequent_indent="  ")
        lines += [[(part, look.error)] for part in named]
        lines[-1].append((f"  [{finding.id}]", look.dim))
        lines += [[(finding.effect, look.dim)]] if finding.effect else []
    return lines


def gradients_told(report: Report) -> str:
    """Which gradients are wrong, and which are right; "" where none was compared."""
    wrong = [name for name, comparison in report.parameters.items() if not comparison.ok]
    right = [name for name, comparison in report.parameters.items() if comparison.ok]
    told = "   ".join(f"{word}: {', '.join(names)}" for word, names in (("wrong", wrong), ("right", right)) if names)
    return told and f"{f'{report.compared_with}, ' if report.compared_with else ''}gradients {told}"


def draw_listed(listed: ListedSource, look: Look, width: int, height: int) -> Canvas:
    """As much of the source as fits, around the cursor, else around the line that ran last."""
    canvas = Canvas(width, height, look.canvas)
    canvas.frame(0, 0, width, height, listed.title, look.border, look.bold)
    rows = _rows(listed, width - 11)
    wanted = listed.chosen or (listed.here.start if listed.here else 1)
    at = next((y for y, row in enumerate(rows) if row.line >= wanted), 0)
    room = height - 2
    first = max(0, min(at - room // 2, len(rows) - room))
    for y, row in enumerate(rows[first : first + room], 1):
        _row(listed, look, canvas, y, row)
    if first > 0:
        canvas.text(width - 3, 0, "↑", look.dim)
    if first + room < len(rows):
        canvas.text(width - 3, height - 1, "↓", look.dim)
    return canvas


@dataclass(frozen=True)
class _SourceRow:
    """A line of the source, or of the remark below one."""

    line: int
    text: str
    said: bool = False
    back: bool = False
    sign: str = ""
    """As in a diff: that the line goes out, or comes in."""
    further: bool = False
    """Whether this is the rest of a line that is too long for one row."""


def _rows(listed: ListedSource, width: int) -> list[_SourceRow]:
    """The source, with the corrected line below a wrong one, column below column; the line that ran last, or is chosen, as a whole."""
    fixes: dict[int, list[NamedMistake]] = {}
    for finding in listed.findings:
        if finding.place is not None and finding.fix:
            fixes.setdefault(finding.place.line, []).append(finding)
    rows: list[_SourceRow] = []
    for line, text in enumerate(listed.source.lines, 1):
        text = text.expandtabs(4).rstrip()
        deep = len(text) - len(text.lstrip())
        indent = " " * (deep if width >= ROOMY else deep // 2)
        text = indent + text.lstrip()
        whole = line == listed.chosen or (listed.here is not None and line in listed.here)
        parts = _parts(text, indent, width) if whole else [text]
        sign = OUT if line in fixes else ""
        rows += [_SourceRow(line, part, sign="" if n else sign, further=n > 0) for n, part in enumerate(parts)]
        for finding in fixes.get(line, []):
            wrapped = [part for each in finding.fix.splitlines() for part in _parts(indent + each, indent, width)]
            rows += [_SourceRow(line, part, said=True, sign="" if n else IN) for n, part in enumerate(wrapped)]
        rows += [
            _SourceRow(line, f"{indent}{BACK} {said}", said=True, back=True) for said in listed.below.get(line, ())
        ]
    return rows


def _parts(text: str, indent: str, width: int) -> list[str]:
    """A line in rows of a width, broken behind a blank, comma, bracket or point where one is near the end."""
    deeper = " " * min(len(indent) + 4, width // 2)
    parts: list[str] = []
    while len(text) > width:
        behind = max(text.rfind(sign, 0, width) for sign in BREAKS) + 1
        end = behind if behind > width * 2 // 3 else width
        parts.append(text[:end].rstrip())
        text = deeper + text[end:].lstrip()
    return [*parts, text]


def _row(listed: ListedSource, look: Look, canvas: Canvas, y: int, row: _SourceRow) -> None:
    width = canvas.width
    here = listed.here is not None and row.line in listed.here and not row.said
    chosen = listed.chosen == row.line and not row.said
    under = look.band if here else look.chosen if chosen else Style()
    if here or chosen:
        canvas.fill(1, y, width - 2, 1, under)
    if row.sign:
        canvas.text(8, y, row.sign, (look.forward if row.said else look.error) + under)
    if row.said:
        canvas.text(9, y, shortened(row.text, width - 10), look.backward if row.back else look.forward)
        return
    canvas.hit(1, y, width - 2, 1, ToSource(row.line))
    if row.further:
        canvas.text(9, y, shortened(row.text, width - 10), (look.accent if here else look.text) + under)
        return
    blamed = row.line in listed.blamed
    state = listed.states.get(row.line, "own")
    mark, style = (
        (WRONG, look.error)
        if blamed
        else {"wrong": (DIFFERS, look.backward), "right": (DONE, look.dim), "suspect": (SUSPECT, look.error)}.get(
            state, (" ", look.dim)
        )
    )
    canvas.text(1, y, f"{_number(listed.source, row.line):>4}", (look.error if blamed else look.dim) + under)
    if row.line in listed.stops:
        canvas.text(5, y, BREAK, look.error + under)
    canvas.text(6, y, mark, style + under)
    if here and listed.here is not None and row.line == listed.here.start:
        canvas.text(7, y, HERE, look.accent + under)
    plain = look.dim if row.text.lstrip().startswith("#") else look.text
    canvas.text(9, y, shortened(row.text, width - 10), (look.accent if here else plain) + under)


def _number(source: SourceFile, line: int) -> str:
    """A line's number; of a notebook in its cell, with the cell where one begins: `3:1`."""
    starts = [k for k, first in enumerate(source.cells) if first <= line]
    if not starts:
        return str(line)
    number = line - source.cells[starts[-1]] + 1
    return f"{starts[-1] + 1}:1" if number == 1 else str(number)
