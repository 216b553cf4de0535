"""The legend for padding: steps beyond a sample's length."""

from __future__ import annotations

import numpy as np

from rnn_tui.render.canvas import Canvas
from rnn_tui.render.heatmap import heatmap
from rnn_tui.render.palette import ENDED
from rnn_tui.shown.frame import Frame

PADDING = 13
"""Columns that the key to padding takes."""


def padding_key(frame: Frame, canvas: Canvas, x: int, y: int) -> int:
    """Draws a cell of padding and the word; returns the column after them. Draws nothing where there is no room."""
    if x + PADDING >= canvas.width:
        return x
    look = frame.look
    end = canvas.text(x, y, "     padding ", look.dim)
    canvas.rows(x + 1, y, heatmap(np.full((1, 1), ENDED, np.uint8), look.palettes.signed, look.mode, 3, 1))
    return end
