"""Rows of a screen as a picture in a file."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from html import unescape
from itertools import groupby

from rich.cells import cell_len
from rich.console import Console
from rich.segment import Segment, Segments
from textual.strip import Strip

FONTS = "Fira Code, DejaVu Sans Mono, Menlo"


def svg(rows: Sequence[Strip]) -> str:
    """Rows of a screen as a picture, without fonts to be fetched."""
    width = max(row.cell_length for row in rows)
    console = Console(
        width=width,
        height=len(rows),
        file=io.StringIO(),
        force_terminal=True,
        force_jupyter=False,  # else a notebook shows every line as it is printed
        color_system="truecolor",
        record=True,
    )
    parts = [part for row in rows for part in (*_of_one_width(row.simplify()), Segment.line())]
    console.print(Segments(parts), end="")
    drawing = re.sub(r"@font-face \{.*?\}\s*", "", console.export_svg(title="rnn-tui"), flags=re.DOTALL)
    return _TEXT.sub(_as_wide_as_cells, drawing).replace("Fira Code", FONTS)


_TEXT = re.compile(r'textLength="([\d.]+)"([^>]*)>([^<]+)')


def _of_one_width(row: Strip) -> Iterator[Segment]:
    """The segments of a row, parted where characters of one cell and of two meet: each part is spaced evenly."""
    for text, style, _ in row:
        for _, characters in groupby(text, cell_len):
            yield Segment("".join(characters), style)


def _as_wide_as_cells(text: re.Match[str]) -> str:
    """A text as long as its cells are; Rich counts characters."""
    length = float(text[1]) * max(1, cell_len(unescape(text[3])[0]))
    return f'textLength="{length:g}"{text[2]}>{text[3]}'
