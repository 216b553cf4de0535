"""The page of the parameters, their gradients, and the ledger of the cell at the cursor."""

from __future__ import annotations

import numpy as np

from engine.explain.address import CellAddress
from engine.language.derive import gradient
from engine.language.functions import Array
from rnn_tui.control.pages import Heights, Page
from rnn_tui.panes.ledger import at_weight, matrix_of, summed_addends, weight_cell
from rnn_tui.panes.why import name_of
from rnn_tui.render.numbers import matrix_text
from rnn_tui.shown.pointed import cell_of_part
from rnn_tui.shown.targets import ToCell, ToWeight, cell_at


class WeightsPage(Page):
    """The parameters with their gradients."""

    zooms = True

    def panes(self, height: int) -> Heights:
        return {"listing": "1fr", "weights": "1fr"}

    def works(self, action: str) -> bool:
        return action in ("enter", "cell(0,-1)", "operand(1)")

    def cursor(self, rows: int, columns: int) -> None:
        frame = self.desk.frame
        cell, entries = weight_cell(frame), summed_addends(frame)
        if entries is None or frame.selection.addend is None:
            lines, wide = matrix_of(frame, cell.name, frame.view.parameter(cell.name)).shape
            row, column = (
                max(0, min(at + by, most - 1))
                for at, by, most in zip(cell.place, (rows, columns), (lines, wide), strict=True)
            )
            self.desk.choose(row=row, column=column, parameter=cell.name, addend=None)
        else:
            sample, t = at_weight(frame).cell or (0, 0)
            batch, steps = entries.addends.shape[1], len(entries.steps)
            at = max(0, min(sample + rows, batch - 1)), entries.steps[max(0, min(t + columns, steps - 1))]
            self.desk.choose(addend=at)

    def tab(self, step: int) -> None:
        """From a gradient into the ledger of its cell, and from there to the next gradient; back to the gradient before."""
        frame, name = self.desk.frame, weight_cell(self.desk.frame).name
        entries, inside = summed_addends(frame), frame.selection.addend is not None
        if step > 0 and not inside and entries is not None:
            sizes = np.abs(entries.addends)
            t, sample = np.unravel_index(int(sizes.argmax()), sizes.shape)  # the largest one, or the first NaN
            self.desk.choose(parameter=name, addend=(int(sample), entries.steps[int(t)]))
            return
        names = self.desk.debugger.program.parameters
        at = names.index(name) + (0 if step < 0 and inside else step)
        self.desk.choose(parameter=names[at % len(names)], addend=None)

    def enter(self) -> bool:
        addend = cell_of_part(self.pictured()) if self.desk.selection.addend else None
        if addend is not None and addend.one_step:
            self.desk.ask(addend)
            return True
        view, cell = self.desk.frame.view, weight_cell(self.desk.frame)
        slope = gradient(cell.name)
        self.desk.ask(CellAddress(slope, view.point.iteration, None, cell.cell, reached=view.so_far(slope)))
        return True

    def copied(self) -> tuple[str, str] | None:
        here = self.pictured()
        addend = cell_of_part(here) if self.desk.selection.addend is not None else None
        if addend is not None and addend.one_step:
            _, number = super().copied() or ("", "")
            return name_of(here, addend), number
        frame = self.desk.frame
        cell = weight_cell(frame)
        values = self._gradient(cell.name)
        if values is None:
            return None
        address = CellAddress(gradient(cell.name), frame.view.point.iteration, None, cell.cell)
        return name_of(frame, address), repr(float(values[cell.cell]))

    def copied_all(self) -> tuple[str, str] | None:
        frame, name = self.desk.frame, weight_cell(self.desk.frame).name
        values = self._gradient(name)
        text = "" if values is None else matrix_text(matrix_of(frame, name, values), "\t")
        return (f"{gradient(name)}", text) if text else None

    def _gradient(self, name: str) -> Array | None:
        """What a parameter's gradient is so far."""
        return self.desk.frame.view.gradient(gradient(name))

    def click(self, target: object, x: int, y: int) -> bool:
        if isinstance(target, ToWeight | ToCell):
            row, column = cell_at(target, x, y)
            if isinstance(target, ToCell) and self.desk.selection.addend is not None:
                entries = summed_addends(self.desk.frame)
                self.desk.choose(addend=(row, column + (entries.steps[0] if entries else 1)))
                return True
            name = target.parameter if isinstance(target, ToWeight) else weight_cell(self.desk.frame).name
            self.desk.choose(parameter=name, row=row, column=column, addend=None)
        return True
