"""The picture at the cursor of a walk alone, near."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rnn_tui.panes.walk.value import scale_for
from rnn_tui.panes.zoom import Near, draw_near
from rnn_tui.render.canvas import Canvas
from rnn_tui.render.numbers import shape
from rnn_tui.render.palette import PAD, signed_codes
from rnn_tui.render.pooling import pool
from rnn_tui.shown.selection import NUMBERS
from rnn_tui.shown.walk_frame import WalkFrame


def draw_walk_zoom(frame: WalkFrame, width: int, height: int) -> Canvas:
    """As much of one of the value's pictures around the cursor as fits."""
    picture, scale = frame.pictures[frame.picture], scale_for(frame, frame.picture)

    def codes(rows: int, columns: int) -> NDArray[np.uint8]:
        coded = signed_codes(pool(np.where(picture.there, picture.table, 0.0), rows, columns), scale, frame.choice.log)
        if coded.shape == picture.table.shape:
            coded[~picture.there] = PAD
        return coded

    label = f"{picture.label} {shape(picture.values.shape)}"
    numbered, palette = frame.choice.zoom == NUMBERS, frame.look.palettes.signed
    near = Near(label, picture.table, frame.cell, numbered, codes, palette, frame.look, frame.picture)
    return draw_near(near, width, height)
