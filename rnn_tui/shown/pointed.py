"""What the cell cursor is on."""

from __future__ import annotations

from engine.explain.address import CellAddress
from rnn_tui.shown.frame import Frame


def cell_of_part(frame: Frame) -> CellAddress | None:
    """The address of the cell under the cursor; None for a value inside the line's expression."""
    if frame.inspected is None or frame.cell is None:
        return None
    part, view = frame.parts[frame.inspected], frame.view
    if part.name is None or part.role in ("original", "difference"):
        return None
    iteration, index = view.point.iteration, part.index(*frame.cell)
    if part.role == "result" and part.name in view.tape.parameters:
        return CellAddress(part.name, iteration + 1, None, index)  # the value that the update has just written
    if part.role == "total":
        return CellAddress(part.name, iteration, None, index, reached=view.so_far(part.name))
    if part.role == "term":
        return CellAddress(part.name, iteration, part.t, index, one_step=True, sample=frame.selection.sample)
    return CellAddress(part.name, iteration, part.t, index)
