"""Rows of a screen as a picture in a file."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence

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
    console.print(Segments([segment for row in rows for segment in (*row.simplify(), Segment.line())]), end="")
    drawing = re.sub(r"@font-face \{.*?\}\s*", "", console.export_svg(title="rnn-tui"), flags=re.DOTALL)
    return drawing.replace("Fira Code", FONTS)
