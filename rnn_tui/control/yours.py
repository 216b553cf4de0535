"""The page of the user's program: moves step through that program, and the debugger follows in the reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rnn_tui.control.desk import Desk
from rnn_tui.control.pages import Heights, Page
from rnn_tui.control.stops import Stops
from rnn_tui.shown.targets import ToCell, ToSource, cell_at

if TYPE_CHECKING:
    from engine.doctor.walk.lockstep import Lockstep


class YoursPage(Page):
    """The user's source beside the values that its lines computed and those of the reference. Moves are those of the user's program."""

    def __init__(self, desk: Desk, stops: Stops) -> None:
        super().__init__(desk, stops)
        self.needs_file = desk.lockstep is None
        self._place, self._turned = 0, ("", -1)
        self.zooms = not self.needs_file
        if self.needs_file:
            self.enters = "open"

    @property
    def below(self) -> str:
        return super().below if self.needs_file else "told"

    @property
    def halved(self) -> bool:
        return not self.needs_file

    @property
    def _at(self) -> int:
        return self.desk.selection.execution

    def panes(self, height: int) -> Heights:
        return {**self.side(), "beside": "2fr", **({"line": "1fr"} if height >= 24 and not self.needs_file else {})}

    def side(self) -> Heights:
        return super().side() if self.needs_file else {"source": "1fr"}

    def works(self, action: str) -> bool:
        match action:
            case "enter":
                return True
            case "examine":
                return self.desk.lockstep is not None
            case "file":
                return self.desk.lockstep is not None and len(self.desk.lockstep.files) > 1
            case "continue":
                return self.desk.lockstep is not None and self.desk.lockstep.report.verdict == "wrong"
            case "cell(0,-1)" | "operand(1)":
                return self.desk.lockstep is not None and self.desk.lockstep.value(self._at) is not None
            case _:
                return False

    def opened(self) -> None:
        """Follows the debugger."""
        lockstep, position = self.desk.lockstep, self.desk.debugger.position
        if lockstep is not None and lockstep.reached(self._at) != position:
            self.desk.choose(execution=lockstep.at(position), source=None)

    # Moves

    def _go(self, lockstep: Lockstep, to: int | None) -> bool:
        """Goes to an execution, and the debugger to where the reference is then, if that is known."""
        same = lockstep is self.desk.lockstep
        if to is None or not 0 <= to < len(lockstep) or (same and to == self._at):
            return self.desk.moved(False)
        self.desk.lockstep = lockstep
        position, value = lockstep.reached(to), lockstep.value(to)
        if position is not None and self.desk.debugger.position != position:
            self.desk.debugger.go(position)
        own = value.entry.sample if value is not None and value.entry is not None else None
        sample = lockstep.samples[to] if own is None else own
        self.desk.moved(True, keep_operand=True)
        self.desk.choose(execution=to, source=None, sample=self.desk.selection.sample if sample is None else sample)
        return True

    def step(self, lines: int) -> bool:
        lockstep = self.desk.lockstep
        return super().step(lines) if lockstep is None else self._go(lockstep, self._at + lines)

    def time_step(self, direction: int) -> bool:
        lockstep = self.desk.lockstep
        if lockstep is None:
            return super().time_step(direction)
        return self._go(lockstep, lockstep.same_line(self._at, direction))

    def phase(self, direction: int) -> bool:
        lockstep = self.desk.lockstep
        return super().phase(direction) if lockstep is None else self._go(lockstep, lockstep.phase(self._at, direction))

    def iteration(self, direction: int) -> bool:
        return super().iteration(direction) if self.desk.lockstep is None else self.desk.moved(False)

    def file(self) -> bool:
        """The program's next file, at the same place of the run."""
        lockstep = self.desk.lockstep
        if lockstep is None or len(lockstep.files) < 2:
            self.desk.say("This is for a program of yours that is several files.")
            return False
        if self._turned != (lockstep.file, self._at):  # else the place that all files were turned to is kept
            self._place = lockstep.executions[self._at].at
        beside = lockstep.beside()
        moved = self._go(beside, beside.nearest(self._place))
        self._turned = beside.file, self._at
        return moved

    def tick(self) -> bool:
        return self.step(1) if self.desk.lockstep is not None else super().tick()

    def seek(self, direction: int) -> bool | None:
        """Goes to the next line whose value is wrong, or the one before."""
        lockstep = self.desk.lockstep
        if lockstep is None:
            return None
        moved = self._go(lockstep, lockstep.next_wrong(self._at, direction))
        if not moved:
            self.desk.say(f"Nothing {'after' if direction > 0 else 'before'} this differs from the reference.")
        return moved

    def list(self, step: int) -> None:
        lockstep = self.desk.lockstep
        if lockstep is None:
            return
        now = self.desk.selection.source or lockstep.executions[self._at].line
        self.desk.choose(source=max(1, min(now + step, len(lockstep.source.lines))))

    # Cursor and questions

    def copied(self) -> tuple[str, str] | None:
        """The corrected line, where there is one; else the number at the cursor."""
        fixes = [one.fix for one in self.desk.lockstep.report.diagnoses if one.fix] if self.desk.lockstep else []
        return ("the corrected line", fixes[0]) if fixes else super().copied()

    def enter(self) -> bool:
        """Why the reference has its number there; with another line chosen, goes to where that line runs."""
        lockstep, frame = self.desk.lockstep, self.desk.frame
        if lockstep is None:
            return False
        if frame.selection.source is not None:
            return self._to_line(lockstep, frame.selection.source)
        cell = frame.beside.cell if frame.beside is not None else None
        asked = None if cell is None else lockstep.asked(self._at, *cell)
        if asked is None:
            self.desk.say("The reference has no number here to explain.")
        else:
            self.desk.ask(asked)
        return True

    def _to_line(self, lockstep: Lockstep, line: int) -> bool:
        """To where a line runs next; round again at the end."""
        position = lockstep.runs(line, self._at)
        if position is None:
            self.desk.say("This line makes no number.")
            return True
        self.desk.choose(source=None)
        return self._go(lockstep, position) or True

    def click(self, target: object, x: int, y: int) -> bool:
        match target:
            case ToSource(line=line) if self.desk.lockstep is not None:
                return self._to_line(self.desk.lockstep, line)
            case ToCell():
                row, column = cell_at(target, x, y)
                self.desk.choose(operand=target.part, row=row, column=column)
            case _:
                pass
        return True
