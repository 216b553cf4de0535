"""Pages: what the body of the screen shows, and what the keys do that depend on it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TypeAlias

from rnn_tui.control.desk import Desk
from rnn_tui.control.stops import Stops
from rnn_tui.panes.pictured import flow_steps, pictured
from rnn_tui.render.numbers import matrix_text, shape
from rnn_tui.shown.frame import Frame
from rnn_tui.shown.pointed import cell_of_part
from rnn_tui.shown.targets import ToCell, cell_at

Heights: TypeAlias = dict[str, str | int]
"""Panes by name, and how high each is: in lines (7), or its share of what is left ("2fr")."""


class Page(ABC):
    """What one page shows and does; the defaults here are overridden by each page."""

    enters: str = ""
    """What Enter does, in the footer; empty: it asks why."""
    finishes: str = ""
    """What the keys of the phase's ends do, in the footer; empty: they go there."""
    needs_file: bool = False
    """Whether Enter asks for a file first."""
    zooms: bool = False
    """Whether the picture at the cursor can be zoomed into."""

    def __init__(self, desk: Desk, stops: Stops) -> None:
        self.desk = desk
        self.stops = stops

    @abstractmethod
    def panes(self, height: int) -> Heights:
        """The panes in the body of a screen of this height."""

    def body(self, height: int) -> Heights:
        """The panes that are seen: these, or the picture at the cursor alone."""
        return {**self.side(), "zoom": "1fr"} if self.desk.selection.zoom and self.can_zoom() else self.panes(height)

    def can_zoom(self) -> bool:
        """Whether there is a picture at the cursor that can be zoomed into."""
        return self.zooms and self.pictured().cell is not None

    def side(self) -> Heights:
        """The pane in the left column, which stays beside an explanation."""
        return {"listing": "1fr"}

    @property
    def below(self) -> str:
        """The pane below the body; "" for none."""
        return "inspector"

    @property
    def halved(self) -> bool:
        """Whether the left column is half of the screen."""
        return False

    def works(self, action: str) -> bool:
        """Whether one of the footer's actions that depend on the page does something here."""
        return False

    def fill(self, frame: Frame) -> Frame:
        """The frame with what only this page draws added."""
        return frame

    def opened(self) -> None:  # noqa: B027 - most pages have nothing to do
        """What is to be done when the page is turned to."""

    # Moves: False means that nothing moved

    def step(self, lines: int) -> bool:
        """Some lines on, or back when negative."""
        return self.desk.moved(self.desk.debugger.step(lines))

    def time_step(self, direction: int) -> bool:
        """One time step on or back; on the same line, the cell cursor stays in its picture."""
        debugger = self.desk.debugger
        before = self.stops.present
        moved = debugger.next() if direction > 0 else debugger.previous()
        return self.desk.moved(moved, keep_operand=before == self.stops.present)

    def phase(self, direction: int) -> bool:
        """To the end of the phase, or its start."""
        debugger = self.desk.debugger
        return self.desk.moved(debugger.finish() if direction > 0 else debugger.start_of_phase())

    def iteration(self, direction: int) -> bool:
        """To the same line and time step in the next iteration or the one before; what is under the cursor stays the same number."""
        return self.desk.moved(self.desk.debugger.iteration(direction), keep_operand=True)

    def tick(self) -> bool:
        """One time step on while it is running, or one line, and no further than the next breakpoint; False where it shall stop."""
        debugger = self.desk.debugger
        before = debugger.position
        moved = self.step(1) if self.desk.by_line else self.time_step(1)
        stop = self.stops.first_between(before, debugger.position)
        if stop is not None:
            self.stops.stop_at(stop)
        return moved and stop is None

    def seek(self, direction: int) -> bool | None:
        """Goes to the next place of interest that needs no breakpoint, or the one before; None on a page that has none."""
        return None

    def list(self, step: int) -> None:
        """Moves the cursor of the left column."""
        self.stops.list(step)

    # Cursor and questions

    def pictured(self) -> Frame:
        """The frame whose parts the cell cursor moves in."""
        return pictured(self.desk.frame)

    def cursor(self, rows: int, columns: int) -> None:
        """Moves the cursor; here the cell cursor inside its picture."""
        frame = self.pictured()
        if frame.cell is None or frame.inspected is None:
            return
        values = frame.parts[frame.inspected].values
        assert values is not None
        row = max(0, min(frame.cell[0] + rows, values.shape[0] - 1))
        column = max(0, min(frame.cell[1] + columns, values.shape[1] - 1))
        self.desk.choose(row=row, column=column)

    def tab(self, step: int) -> None:
        """The cursor into the next picture; here of this line."""
        frame = self.pictured()
        if frame.inspected is None:
            return
        pictures = [i for i, part in enumerate(frame.parts) if part.values is not None]
        at = pictures.index(frame.inspected)
        self.desk.choose(operand=pictures[(at + step) % len(pictures)])

    def next_layer(self, step: int) -> None:
        """What is shown of one layer and direction, of the next one."""
        frame = self.desk.frame
        outputs = frame.view.program.outputs
        self.desk.choose(layer=outputs[(outputs.index(frame.layer) + step) % len(outputs)])

    def copied(self) -> tuple[str, str] | None:
        """What the number at the cursor is called, and the number, as it reads back; None where there is none."""
        frame = self.pictured()
        if frame.inspected is None or frame.cell is None:
            return None
        part = frame.parts[frame.inspected]
        assert part.values is not None
        return f"{part.text}[{frame.cell[0]},{frame.cell[1]}]", repr(float(part.values[frame.cell]))

    def copied_all(self) -> tuple[str, str] | None:
        """The same of the whole picture at the cursor, a line a row."""
        frame = self.pictured()
        if frame.inspected is None:
            return None
        part = frame.parts[frame.inspected]
        assert part.values is not None
        return f"{part.text} {shape(part.values.shape)}", matrix_text(part.values, "\t")

    def enter(self) -> bool:
        """Explains the number under the cursor, or goes to it. False when neither is possible."""
        return True

    def click(self, target: object, x: int, y: int) -> bool:
        """What a click on a target of one of its panes asks for."""
        return True


class FlowPage(Page):
    """The flow of as many quantities as fit; the cell cursor is in the first one."""

    zooms = True

    def panes(self, height: int) -> Heights:
        return {"listing": "1fr", "flow": "1fr"}

    def can_zoom(self) -> bool:
        return self._there() and super().can_zoom()

    def works(self, action: str) -> bool:
        if action == "operand(1)":
            return self.desk.frame.selection.reach and len(self.desk.frame.view.program.outputs) > 1
        return action in ("enter", "cell(0,-1)") and self._there()

    def _there(self) -> bool:
        frame = self.desk.frame
        return not frame.selection.reach and bool(flow_steps(frame))

    def opened(self) -> None:
        """The cursor at the unit, and in what flows at the step, of the number that it is on in the line."""
        frame = self.desk.frame
        cell = cell_of_part(frame) if frame.selection.page != "flow" else None
        axes = frame.view.tape.plan.axes.get(cell.name, ()) if cell is not None else ()
        if cell is not None and axes[:1] == ("B",) and len(axes) == 2:
            self.desk.choose(unit=cell.index[1], step=cell.t if cell.name == frame.flowing else None)

    def cursor(self, rows: int, columns: int) -> None:
        frame = self.pictured()
        if not self._there() or frame.cell is None:
            self.desk.say("There is no cell of the flow yet: `→` runs the first line.")
            return
        steps, (row, column) = flow_steps(frame), frame.cell
        units = frame.view.tape[frame.flowing].shape[-1]
        self.desk.choose(
            unit=max(0, min(row + rows, units - 1)),
            step=steps.start + max(0, min(column + columns, len(steps) - 1)),
        )

    def tab(self, step: int) -> None:
        """There is one picture that the cursor can be in; reach is shown of the next layer."""
        if self.desk.frame.selection.reach:
            self.next_layer(step)

    def enter(self) -> bool:
        if self._there() and (cell := cell_of_part(self.pictured())) is not None:
            self.desk.ask(cell)
        return True

    def copied(self) -> tuple[str, str] | None:
        frame = self.pictured()
        cell = cell_of_part(frame) if self._there() else None
        if cell is None:
            return None
        from rnn_tui.panes.why import name_of

        return name_of(frame, cell), repr(float(self.desk.frame.view.tape.at(cell.name, cell.t)[cell.index]))

    def copied_all(self) -> tuple[str, str] | None:
        return super().copied_all() if self._there() else None

    def click(self, target: object, x: int, y: int) -> bool:
        if isinstance(target, ToCell):
            row, column = cell_at(target, x, y)
            self.desk.choose(unit=row, step=flow_steps(self.desk.frame).start + column)
        return True


class ProgramPage(Page):
    """This line as pictures, and the flow below it."""

    zooms = True

    def panes(self, height: int) -> Heights:
        if height < 24:
            return {"listing": "1fr", "line": "1fr"}
        return {"listing": "1fr", **({"line": "3fr", "flow": "2fr"} if height >= 30 else {"line": "1fr", "flow": 6})}

    def works(self, action: str) -> bool:
        return self.desk.debugger.position > 0 and action in ("enter", "cell(0,-1)", "operand(1)")

    def cursor(self, rows: int, columns: int) -> None:
        super().cursor(rows, columns)
        self._say_start()

    def tab(self, step: int) -> None:
        super().tab(step)
        self._say_start()

    def _say_start(self) -> None:
        if self.desk.debugger.position == 0:
            self.desk.say("Nothing is computed yet: `space` watches it, `→` runs the first line.")

    def enter(self) -> bool:
        self._say_start()
        frame = self.desk.frame
        if frame.inspected is not None and frame.cell is not None:
            cell = cell_of_part(frame)
            if cell is None:
                self.desk.say("This is computed within the line: ask one of its other numbers.")
            else:
                self.desk.ask(cell)
        return True

    def click(self, target: object, x: int, y: int) -> bool:
        if isinstance(target, ToCell):
            row, column = cell_at(target, x, y)
            self.desk.choose(operand=target.part, row=row, column=column)
        return True
