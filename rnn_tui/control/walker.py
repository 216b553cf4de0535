"""What keys and clicks do on the walk through the user's own run; knows no screen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.doctor.walk.stops import WalkStops
from engine.doctor.walk.terms import RecordedNumber
from engine.doctor.walk.walk import ProgramWalk
from rnn_tui.keys.command import Command
from rnn_tui.keys.walk_bindings import WALK_COMMANDS, WALK_FOOTER
from rnn_tui.render.numbers import matrix_text, shape
from rnn_tui.shown.card import LessonCard
from rnn_tui.shown.look import Look
from rnn_tui.shown.selection import NUMBERS
from rnn_tui.shown.targets import ToCell, ToCrumb, ToOperand, ToPosition, ToSource, cell_at
from rnn_tui.shown.walk_frame import WalkChoice, WalkFrame, pictures_of

if TYPE_CHECKING:
    from engine.doctor.derive.beside import LinesBelow

WALK_SPEEDS = (1, 2, 4, 8, 16, 32)
"""Lines a second."""


class Walker:
    """One walk and the user's choices; `say` shows a message."""

    def __init__(
        self, walk: ProgramWalk, look: Look, say: Callable[[str], None], commands: tuple[Command, ...] = WALK_COMMANDS
    ) -> None:
        self.walk, self.look, self.say, self.commands = walk, look, say, commands
        self.plain = walk
        self.stops = WalkStops(walk)
        self.choice = WalkChoice(at=walk.start)
        self.running = False
        self.speed = 3
        self.derived: LinesBelow | None = None
        """The derived backward pass, once it is there."""
        self.completed: tuple[ProgramWalk, Mapping[int, int]] | None = None
        """The walk through the program with that pass in its place, and where its lines are there."""
        self.lesson: Callable[[], LessonCard | None] = lambda: None
        """Makes the card of the lesson that goes on."""
        self.sought: Callable[[], bool] = lambda: False
        """Whether a learner is still to find what is wrong."""
        self.frame = self.refresh()

    @property
    def rate(self) -> int:
        """Lines a second while it runs."""
        return WALK_SPEEDS[self.speed]

    def refresh(self) -> WalkFrame:
        """Makes the frame of the present state."""
        stop = self.stops.at(self.choice.at)
        frame = WalkFrame(
            self.walk, self.choice, self.look, self._keys(), stopped=stop.text if stop else "", commands=self.commands
        )
        file = self._file(frame)
        set_here = frozenset(s.line for s in self.stops.stops if s.line is not None and s.file == file)
        self.frame = replace(
            frame, stops=set_here, below=self._below(frame), lesson=self.lesson(), marked=not self.sought()
        )
        return self.frame

    def _below(self, frame: WalkFrame) -> Mapping[int, Sequence[str]]:
        """The derived lines below those of the listed file."""
        below = self.derived.get(frame.file, {}) if self.derived and self.choice.derived else {}
        if self.completed is None or self.walk is self.plain or frame.file != self.walk.main:
            return below
        moved = self.completed[1]
        return {moved[line]: texts for line, texts in below.items() if line in moved}

    def _file(self, frame: WalkFrame) -> str:
        """The file that is listed, as breakpoints call it."""
        return "" if frame.file == self.walk.main else frame.file

    def _keys(self) -> tuple[tuple[str, str, str], ...]:
        by_action = {command.action: command for command in self.commands}
        names = {"run": f"pause ({by_action['faster'].footer_keys} {self.rate}/s)"} if self.running else {}
        names |= {"continue": "next wrong"} if not self.stops.stops else {}
        if self.choice.asked:
            names |= {"enter": "follow", "cell(0,-1)": "choose"}
        shown = [by_action[action] for action in WALK_FOOTER if self._works(action)]
        return tuple((entry.footer_keys, names.get(entry.action) or entry.footer, entry.action) for entry in shown)

    def _works(self, action: str) -> bool:
        match action:
            case "continue":
                return bool(self.stops.stops or (self.walk.differing and not self.sought()))
            case "back" | "close_why":
                return bool(self.choice.asked)
            case "operand(1)" | "toggle_breakpoint":
                return not self.choice.asked
            case _:
                return True

    def choose(self, **changes: object) -> bool:
        """Other choices, by the names of `WalkChoice`; whether they are others."""
        before = self.choice
        self.choice = replace(before, **changes)  # pyright: ignore[reportArgumentType]
        return self.choice != before

    def show_derived(self, *, shown: bool) -> bool:
        """Shows the derived backward pass, and walks through the program with it in its place; or hides it."""
        changed = self.choose(derived=shown)
        if self.completed is not None and shown == (self.walk is self.plain):
            walk, moved = self.completed
            moved, to = (moved, walk) if shown else ({new: old for old, new in moved.items()}, self.plain)
            line = self.walk.lines[self.choice.at]
            number = moved.get(line.line, 0) if line.file == self.walk.main else line.line
            same = (
                k for k, one in enumerate(to.lines) if (one.place, one.before) == ((line.file, number), line.before)
            )
            self.walk, self.stops = to, self.stops.moved_to(to, moved)
            self.choose(at=next(same, to.start), source=None, made=None, picture=0, asked=(), follow=0)
        return changed

    # Moves

    def go(self, to: int | None) -> bool:
        """To a line of the run, if there is one; the explanation closes."""
        if to is None or not 0 <= to < len(self.walk):
            return False
        same = self.walk.lines[to].place == self.walk.lines[self.choice.at].place
        kept = {} if same else {"made": None, "picture": 0}
        return self.choose(at=to, source=None, asked=(), follow=0, **kept)

    def step(self, lines: int) -> bool:
        """One line on or back."""
        return self.go(self.choice.at + lines)

    def same_line(self, direction: int) -> bool:
        """Where this line ran the time after, or before."""
        return self.go(self.walk.same_line(self.choice.at, direction))

    def phase(self, direction: int) -> bool:
        """To the end of the phase, or its start."""
        return self.go(self.walk.end_of_phase(self.choice.at, direction))

    def tick(self) -> bool:
        """One line on while it runs; stops at the end and at breakpoints."""
        moved = self.step(1)
        self.running = moved and self.stops.at(self.choice.at) is None
        return moved

    def run_faster(self, by: int) -> bool:
        """The next higher or lower speed."""
        before, self.speed = self.speed, max(0, min(self.speed + by, len(WALK_SPEEDS) - 1))
        return self.speed != before

    def seek(self, direction: int) -> bool:
        """To the next breakpoint or the one before; where none is set, to the line that makes what should be something else."""
        self.running = False
        if self.stops.stops:
            found = self.stops.next(self.choice.at, direction)
        else:
            found = self.walk.next_where(self.choice.at, direction, self.walk.differs)
        if found is None:
            where = "after" if direction > 0 else "before"
            what = "No breakpoint" if self.stops.stops else "Nothing that should be something else"
            self.say(f"{what} {where} this line.")
        return self.go(found)

    def to_line(self, line: int) -> bool:
        """To where a line runs next; round again at the end."""
        found = self.walk.to_line(self.choice.at, line, self.frame.file)
        if found is None:
            self.say(f"Line {line} made no number in this run.")
            return False
        if found == self.choice.at:
            return self.choose(source=None)
        return self.go(found)

    def list(self, step: int) -> bool:
        """Moves the cursor in the source, or among the numbers of an explanation."""
        if self.choice.asked:
            return self.follow(step)
        frame = self.refresh()
        now = self.choice.source or (frame.line.line if frame.file == frame.line.file else 1)
        return self.choose(source=max(1, min(now + step, len(frame.source.lines))))

    def toggle(self) -> None:
        """A breakpoint on the line under the cursor, or none."""
        frame = self.refresh()
        line = self.choice.source or (frame.line.line if frame.file == frame.line.file else 0)
        if not line:
            self.say("Choose a line with `↑` `↓` first, then press `b`.")
        elif not self.stops.toggle(line, self._file(frame)):
            return
        elif self.walk.to_line(-1, line, frame.file) is None:
            self.say(f"Line {line} made no number in this run: nothing will stop there.")

    # Cursor

    def cursor(self, rows: int, columns: int) -> bool:
        """Moves the cell cursor; among the numbers of an explanation where one is open."""
        if self.choice.asked:
            return self.follow(rows or columns)
        frame = self.refresh()
        (row, column), (most, wide) = frame.cell, frame.pictures[frame.picture].table.shape
        return self.choose(row=max(0, min(row + rows, most - 1)), column=max(0, min(column + columns, wide - 1)))

    def operand(self, step: int) -> bool:
        """The cursor into the next picture of this line, of all its values."""
        if self.choice.asked:
            return self.follow(step)
        frame = self.refresh()
        line = frame.line
        places = [
            (made, k)
            for made, event in enumerate(line.made)
            for k in range(len(pictures_of(self.walk, self.choice.at, event)))
        ]
        now = places.index((frame.made, frame.picture))
        made, picture = places[(now + step) % len(places)]
        return self.choose(made=made, picture=picture)

    def zoom(self) -> bool:
        """The picture at the cursor nearer: alone, then with its numbers, then beside the others again."""
        return self.choose(zoom=(self.choice.zoom + 1) % (NUMBERS + 1))

    def copied(self) -> tuple[str, str] | None:
        """The corrected line, where there is one; else the number at the cursor, as it reads back."""
        fixes = [one.fix for one in self.walk.report.diagnoses if one.fix and not self.sought()]
        if fixes:
            return "the corrected line", fixes[0]
        frame = self.refresh()
        picture, index = frame.pictures[frame.picture], frame.index
        place = f"[{','.join(map(str, index))}]" if index else ""
        return f"{picture.label}{place}", repr(float(picture.values[index]))

    def copied_all(self) -> tuple[str, str]:
        """The whole picture at the cursor, a line a row."""
        frame = self.refresh()
        picture = frame.pictures[frame.picture]
        return f"{picture.label} {shape(picture.values.shape)}", matrix_text(picture.matrix, "\t")

    # Why

    def enter(self) -> bool:
        """Goes to the chosen line; else asks why the number under the cursor is what it is, then follows the chosen number."""
        frame = self.refresh()
        if self.choice.source is not None:
            return self.to_line(self.choice.source)
        if self.choice.asked:
            numbers = frame.numbers
            if not numbers:
                return False
            return self.choose(asked=(*self.choice.asked, numbers[frame.followed]), follow=0)
        picture = frame.pictures[frame.picture]
        if picture.role in ("right", "difference"):
            row = self.walk.compared(frame.event)
            if picture.role == "right" and row is not None and row.own.size == frame.event.value.size:
                flat = int(frame.event.value.ids().ravel().tolist().index(int(frame.event.value.ids()[frame.index])))
                return self.choose(asked=(RecordedNumber(int(row.own.ravel()[flat]), gradient=True),), follow=0)
            self.say("Only numbers of your own run can be taken apart: `tab` leads to the value.")
            return True
        gradient = picture.role == "gradient"
        return self.choose(asked=(self.walk.number(frame.event, frame.index, gradient=gradient),), follow=0)

    def follow(self, step: int) -> bool:
        """The next number of the explanation."""
        last = len(self.refresh().numbers) - 1
        return self.choose(follow=max(0, min(self.choice.follow + step, last)))

    def back(self) -> bool:
        """To the question before; from the first one to the pictures."""
        return self.choose(asked=self.choice.asked[:-1], follow=0)

    def close(self) -> bool:
        """Closes the explanation, or the picture that is near, and lets the source follow again."""
        return self.choose(asked=(), follow=0, source=None, zoom=self.choice.zoom if self.choice.asked else 0)

    def click(self, target: object, x: int, y: int) -> bool:
        """What a click means."""
        match target:
            case ToSource(line=line):
                return self.to_line(line)
            case ToPosition(position=position):
                return self.go(position)
            case ToCell():
                row, column = cell_at(target, x, y)
                return self.choose(picture=target.part, row=row, column=column)
            case ToOperand(number=number):
                self.choose(follow=number)
                return self.enter()
            case ToCrumb(depth=depth):
                return self.choose(asked=self.choice.asked[:depth], follow=0)
            case _:
                return False
