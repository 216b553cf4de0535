"""The arithmetic of a number in words and symbols: one product with its factors, or a sum with its largest terms."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from rich.cells import cell_len
from rich.style import Style

from engine.explain.term_reader import Factor, Term
from engine.explain.terms import Explanation
from engine.language.functions import CARRIED
from rnn_tui.panes.shared.words import carried_words, flow_words
from rnn_tui.render.canvas import StyledText
from rnn_tui.render.numbers import number
from rnn_tui.shown.frame import Frame

MOST = 24
"""No more terms than this are ever shown."""
OF_MOST = 4
"""Of a function of more numbers than this only the value is written."""
MINUS_ONE = "−1"


def arithmetic(frame: Frame, explanation: Explanation, room: int, height: int) -> list[StyledText]:
    """One product as symbols and numbers; a sum as its largest terms and the rest as one number."""
    look = frame.look
    count = len(explanation.values)
    first, _, _ = explanation.largest(MOST)
    if count == 1 and first[0].factors[-1].name == CARRIED and all(f.value == 1 for f in first[0].factors[:-1]):
        return [[(carried_words(frame), look.text)]]
    if count == 1:
        factors = first[0].factors
        lines: list[StyledText] = [[(f"= {' × '.join(_factor(frame, f) for f in factors)}", look.text)]]
        lines.append([(f"= {' × '.join(_value(f, alone=len(factors) == 1) for f in factors)}", look.text)])
        note = _note(frame, first[0])
        return lines + ([[(note, look.dim)]] if note else [])
    cells = [f"{_term(frame, term)} = {number(term.value, 10, 4, trim=True)}" for term in first]
    ways = [_way(frame, term) for term in first]
    if all(ways):
        wide = max(map(cell_len, cells))
        lines = [
            [(f"{cell:<{wide}}", look.text), (f"   {way}", look.dim)] for cell, way in zip(cells, ways, strict=True)
        ]
        return lines if height <= count else [[(f"sum of {count} flows", look.dim)], *lines]
    if not explanation.values.any():
        return [[(f"0 because every one of its {count} terms is 0, for example", look.dim)], [(cells[0], look.text)]]
    wide = max(cell_len(cell) for cell in cells) + 3
    per_line = max(1, room // wide)
    shown = cells[: per_line * max(1, height - 1)]
    rest, others = explanation.rest(len(shown))
    total = f"sum of {count} terms"
    if others:
        total += f", largest first; the other {others}: {number(rest, 9, 4, trim=True)}"
    return [[(total, look.dim)], *table(shown, room, look.text)]


def _value(factor: Factor, *, alone: bool) -> str:
    """A factor's value; of a function that is all there is, whose value stands above already, the values that it is of."""
    if not alone or not 1 <= len(factor.of) <= OF_MOST:
        return number(factor.value, 10, 5, trim=True)
    before, between, after = factor.around
    return f"{before}{between.join(number(inner.value, 10, 5, trim=True) for inner in factor.of)}{after}"


def _way(frame: Frame, term: Term) -> str:
    """Which way a flow comes that is all of a term, but for its sign."""
    factors = [factor for factor in term.factors if factor.name != MINUS_ONE]
    return flow_words(frame, factors[0].name) if len(factors) == 1 and factors[0].t is not None else ""


def _term(frame: Frame, term: Term) -> str:
    return " · ".join(_factor(frame, f) for f in term.factors)


def _factor(frame: Frame, factor: Factor) -> str:
    if factor.of:
        before, between, after = factor.around
        return f"{before}{between.join(_inside(frame, factor.of))}{after}"
    if factor.index is None:
        return factor.name
    return _cell(frame, factor, index_text(lying(frame, factor.name, factor.index)))


def _cell(frame: Frame, factor: Factor, index: str) -> str:
    time = "" if factor.t is None else f"@{factor.t}"
    was = " before" if frame.view.point.phase == "update" and factor.name in frame.view.tape.parameters else ""
    return f"{frame.writer.spelling.name(factor.name)}{time}{index}{was}"


def _inside(frame: Frame, factors: tuple[Factor, ...]) -> Iterator[str]:
    """What a function is of; the cells of a whole row as one, `logits@2[3,:]`."""
    for (name, _, row), group in groupby(
        factors, lambda factor: (factor.name, factor.t, factor.index and factor.index[:-1])
    ):
        first, *others = group
        if not others or row is None or first.index is None:
            yield from (_factor(frame, factor) for factor in (first, *others))
            continue
        places = (lying(frame, name, factor.index) for factor in (first, others[0]) if factor.index)
        index = ",".join(str(i) if i == j else ":" for i, j in zip(*places, strict=True))
        yield _cell(frame, first, f"[{index}]")


def _note(frame: Frame, term: Term) -> str:
    """Zero in words."""
    if term.value != 0:
        return ""
    for factor in term.factors:
        if factor.value == 0 and factor.of and factor.name.endswith("'"):
            inner = factor.of[0]
            return (
                f"0 because {_factor(frame, inner)} = {number(inner.value, 9, 4, trim=True)} switches the unit off here"
            )
        if factor.value == 0:
            return f"0 because {_factor(frame, factor)} is 0"
    return "0 because the product is smaller than the smallest number"


def lying(frame: Frame, name: str, index: tuple[int, ...]) -> tuple[int, ...]:
    """The index of a cell as the array lies in the notation."""
    axes = frame.writer.axes.get(name, ())
    return frame.writer.spelling.layout.index(index, axes) if len(axes) == len(index) else index


def index_text(index: tuple[int, ...]) -> str:
    return f"[{','.join(map(str, index))}]" if index else ""


def table(cells: list[str], room: int, style: Style) -> list[StyledText]:
    wide = max(map(cell_len, cells)) + 3
    per_line = max(1, room // wide)
    return [
        [(f"{cell:<{wide}}", style) for cell in cells[start : start + per_line]]
        for start in range(0, len(cells), per_line)
    ]
