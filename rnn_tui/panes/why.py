"""The explanation of a number: the terms that add up to it; each number in them can be explained in turn."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from rich.cells import cell_len
from rich.style import Style

from engine.explain.address import CellAddress
from engine.explain.term_reader import Factor, Term
from engine.explain.terms import exact_sum
from engine.explain.why import cell_of, origin
from rnn_tui.panes.program.arithmetic import index_text, lying
from rnn_tui.panes.shared.subtotals import subtotals
from rnn_tui.render.canvas import Canvas, fitting, shortened
from rnn_tui.render.inks import ColorMode, inks
from rnn_tui.render.numbers import exact, number
from rnn_tui.render.palette import LEVELS
from rnn_tui.shown.exhibit import Asked
from rnn_tui.shown.frame import Frame
from rnn_tui.shown.targets import ToCrumb, ToOperand

TERMS = 60
"""The largest terms that are shown and can be followed; the rest stands as one sum."""
VALUE = 12
NARROW = 56
FACTOR = 28
"""Columns that a number takes with its name."""
BAR = 6
"""Columns of the bar behind a term's value; it is as long as the term is large beside the largest."""
EIGHTHS = " ▏▎▍▌▋▊▉█"
NEGATIVE, POSITIVE = LEVELS // 6, LEVELS - 1 - LEVELS // 6
"""Levels of colour that are strong on dark and on light."""


def draw_why(frame: Frame, width: int, height: int) -> Canvas:
    """The cell, its line, the largest terms with the chosen operand marked, the rest as one sum, and the sum against what is stored."""
    look = frame.look
    canvas = Canvas(width, height, look.canvas)
    asked = frame.asked
    if asked is None:
        return canvas
    cell, explanation = asked.path[-1], asked.explanation
    room = width - 4
    y = 1
    if len(asked.path) > 1:
        _crumbs(frame, canvas, asked, room)
        y = 2
    x = canvas.text(2, y, f"{name_of(frame, cell)} = ", look.accent)
    whole, left = exact(explanation.value), room + 2 - x
    x = canvas.text(x, y, whole if len(whole) <= left else number(explanation.value, left, max(4, left - 7)), look.bold)
    canvas.text(x, y, fitting(f"   iteration {cell.iteration}{_so_far(frame, cell)}", max(0, room - x)), look.dim)
    y += 1
    for text, style in ((asked.equation, look.text), (asked.reason or "", look.accent)):
        if text:
            canvas.text(2, y, shortened(text, room), style)
            y += 1
    blank = True
    if asked.ledger is not None:
        blank = height - y > 12
        # Where it is low one term, the rest and the sum come first.
        for text in subtotals(frame, asked.ledger, room)[: 2 if blank else max(0, height - y - 7)]:
            canvas.text(2, y, text, look.text)
            y += 1
    if len(explanation.values):
        _terms(frame, canvas, asked, y + blank, room)
    else:
        canvas.text(2, y + 1, shortened(origin(frame.view.tape, cell.name), room), look.dim)
        canvas.text(2, height - 2, shortened(frame.named("`backspace` returns · `esc` closes"), room), look.dim)
    # Last: a term that is too long for the pane does not go over its edge.
    canvas.frame(0, 0, width, height, f"why · {name_of(frame, cell)}", look.border, look.bold)
    return canvas


def _so_far(frame: Frame, cell: CellAddress) -> str:
    """Of a gradient that is not complete yet, the steps that are summed: `, t = 10…7`."""
    line = next(iter(frame.view.program.writers(cell.name)), None) if cell.reached is not None else None
    steps = range(0) if line is None else frame.view.program.summed(line)
    return f", t = {steps[0]}…{cell.reached}" if len(steps) and cell.reached != steps[-1] else ""


def name_of(frame: Frame, cell: CellAddress) -> str:
    """A cell as people write it, in the names and the layout on the screen."""
    return frame.writer.spelling.name(cell.name) + cell.when + index_text(lying(frame, cell.name, cell.index))


def _crumbs(frame: Frame, canvas: Canvas, asked: Asked, room: int) -> None:
    """The way here, the first question first; each leads back."""
    names = [name_of(frame, cell) for cell in asked.path]
    first = 0
    while first < len(names) - 1 and sum(cell_len(name) + 3 for name in names[first:]) > room - 2:
        first += 1
    x = canvas.text(2, 1, "… ▸ " if first else "", frame.look.dim)
    for number_, name in enumerate(names[first:], first):
        here = number_ == len(names) - 1
        start = x
        x = canvas.text(x, 1, shortened(name, room - x + 2), frame.look.accent if here else frame.look.dim)
        canvas.hit(start, 1, x - start, 1, ToCrumb(number_ + 1))
        if not here:
            x = canvas.text(x, 1, " ▸ ", frame.look.dim)


def _terms(frame: Frame, canvas: Canvas, asked: Asked, top: int, room: int) -> None:
    look, explanation = frame.look, asked.explanation
    count = len(explanation.values)
    terms, _, _ = explanation.largest(TERMS)
    places = list(numbered(terms))
    # Where it is narrow each number of a product has a line of its own.
    heights = [1 if room >= NARROW else 1 + len(term.factors) for term in terms]
    lines = max(1, canvas.height - top - 5)
    if lines < sum(heights) <= canvas.height - top - 3 and count == len(terms):  # whole rather than with the keys below
        lines = sum(heights)
    chosen = next((i for i, marked in enumerate(places) if asked.chosen in dict(marked)), 0)
    first = _first(heights, chosen, lines)
    what = "1 term" if count == 1 else f"{count} terms, largest first"
    canvas.text(2, top, fitting(f"{what}{f', from the {first + 1}th' if first else ''}", room), look.dim)
    y, shown = top + 1, first
    values = np.abs([term.value for term in terms])
    bars = min(room - BAR, VALUE + FACTOR * max(len(term.factors) for term in terms))  # no further away than needs be
    largest = float(np.max(values[np.isfinite(values)], initial=0)) if count > 1 else 0.0
    while shown < len(terms) and (y + heights[shown] <= top + 1 + lines or shown == first):
        _term(frame, canvas, terms[shown], dict(places[shown]), asked.chosen, y, room, bars, largest)
        y += heights[shown]
        shown += 1
    rest, others = explanation.rest(shown)
    bottom = canvas.height - 1
    if (first or others) and y < bottom - 1:
        hidden = exact_sum([*(term.value for term in terms[:first]), rest])
        canvas.text(2, y, f"{number(hidden, VALUE - 1, 5):>{VALUE}}", look.text)
        canvas.text(2 + VALUE, y, shortened(f" = the other {first + others}", room - VALUE), look.dim)
        y += 1
    total = explanation.total
    if y < bottom:
        x = canvas.text(2, y, f"{number(total, VALUE - 1, 5):>{VALUE}}", look.bold)
        whole, brief = _against(total, explanation.value, edited=asked.edited)
        canvas.text(x, y, whole if cell_len(whole) <= room - VALUE else shortened(brief, room - VALUE), look.dim)
    hint = frame.named("`h` `j` `k` `l` choose · `enter` follows · `backspace` returns · `esc` closes")
    if room < cell_len(hint):
        hint = frame.named("`h` `j` `k` `l` · `enter` · `backspace` · `esc`")
    if y < bottom - 1:
        canvas.text(2, canvas.height - 2, shortened(hint, room), look.dim)


def _first(heights: list[int], chosen: int, lines: int) -> int:
    """The first term to show so that the chosen one is in sight."""
    first = 0
    while first < chosen and sum(heights[first : chosen + 1]) > lines:
        first += 1
    return first


def _against(total: float, stored: float, *, edited: bool) -> tuple[str, str]:
    """What the sum is beside the stored number, in full and in few words."""
    if total == stored or (math.isnan(total) and math.isnan(stored)):
        return " = their sum; stored is the same", " = sum, as stored"
    cause = "put in" if edited else "rounding"
    differs = f"differs by {number(stored - total, 9, 1, trim=True)}"
    return f" = their sum; stored {differs} ({cause})", f" = sum, {differs}"


def numbered(terms: tuple[Term, ...]) -> Iterator[list[tuple[int, CellAddress]]]:
    """For each term the cells in it that can be followed, numbered through all terms."""
    count = 0
    for term in terms:
        cells = list(cells_in(term))
        yield list(enumerate(cells, count))
        count += len(cells)


def cells_in(term: Term) -> Iterator[CellAddress]:
    """The cells of a term, those inside functions too, as they stand in it."""
    for factor in term.factors:
        for inner in factor.of or (factor,):
            cell = cell_of(inner)
            if cell is not None:
                yield cell


def _term(
    frame: Frame,
    canvas: Canvas,
    term: Term,
    marked: dict[int, CellAddress],
    chosen: int,
    y: int,
    room: int,
    bars: int,
    largest: float,
) -> None:
    """`−0.0019 = a@8[2,2] 0.457 × dz@9[2,3] −0.0042`: each number can be followed. Where there is room, how large the term is as a bar."""
    look = frame.look
    x = canvas.text(2, y, f"{number(term.value, VALUE - 1, 5):>{VALUE}}", look.text)
    x = canvas.text(x, y, " = ", look.dim)
    if room < NARROW:
        _bar(frame, canvas, term.value, largest, x, y)
    elif room >= NARROW + BAR:
        _bar(frame, canvas, term.value, largest, 2 + bars, y)
    places = iter(marked.items())
    for number_, factor in enumerate(term.factors):
        if room < NARROW:
            y += 1
            x = canvas.text(2, y, "  × " if number_ else "    ", look.dim)
        elif number_:
            x = _piece(canvas, " × ", x, y, room, look.dim)
        x = _factor(frame, canvas, factor, places, chosen, x, y, room)


def _bar(frame: Frame, canvas: Canvas, value: float, largest: float, x: int, y: int) -> None:
    """A bar in the colour of the value's sign."""
    look = frame.look
    if not 0 < abs(value) <= largest:
        return
    eighths = max(1, round(8 * BAR * abs(value) / largest))
    text = "█" * (eighths // 8) + EIGHTHS[eighths % 8].strip()
    plain = look.mode is ColorMode.NONE
    fill = None if plain else inks(look.palettes.signed, look.mode).fill[NEGATIVE if value < 0 else POSITIVE]
    canvas.text(x, y, text, look.text if fill is None else Style(color=fill))


def _factor(
    frame: Frame,
    canvas: Canvas,
    factor: Factor,
    places: Iterator[tuple[int, CellAddress]],
    chosen: int,
    x: int,
    y: int,
    room: int,
) -> int:
    look = frame.look
    value = number(factor.value, 10, 4, trim=True)
    if factor.of:
        before, between, after = factor.around
        x = _piece(canvas, before, x, y, room, look.dim)
        for number_, inner in enumerate(factor.of):
            if number_:
                x = _piece(canvas, between, x, y, room, look.dim)
            x = _cell(frame, canvas, inner, places, chosen, x, y, room)
        x = _piece(canvas, f"{after} ", x, y, room, look.dim)
    elif factor.index is not None:
        x = _cell(frame, canvas, factor, places, chosen, x, y, room)
        x = _piece(canvas, " ", x, y, room, look.dim)
    elif factor.name.isidentifier():
        x = _piece(canvas, factor.name + " ", x, y, room, look.dim)
    return _piece(canvas, value, x, y, room, look.text)


def _cell(
    frame: Frame,
    canvas: Canvas,
    factor: Factor,
    places: Iterator[tuple[int, CellAddress]],
    chosen: int,
    x: int,
    y: int,
    room: int,
) -> int:
    cell = cell_of(factor)
    if cell is None:
        return _piece(canvas, factor.name, x, y, room, frame.look.dim)
    place, _ = next(places)
    style = frame.look.accent + frame.look.chosen if place == chosen else _color(frame, cell)
    end = _piece(canvas, name_of(frame, cell), x, y, room, style)
    canvas.hit(x, y, end - x, 1, ToOperand(place))
    return end


def _color(frame: Frame, cell: CellAddress) -> Style:
    return frame.look.backward if cell.name.startswith("d") else frame.look.forward


def _piece(canvas: Canvas, text: str, x: int, y: int, room: int, style: Style) -> int:
    left = room + 2 - x
    return canvas.text(x, y, shortened(text, left), style) if left > 0 else x
