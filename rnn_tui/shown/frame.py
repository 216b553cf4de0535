"""The frame: all that the screen shows, as one immutable value: the debugger's view, and the user's choices of what to look at."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.debug.edits import Edit
from engine.debug.view import View
from engine.explain.line_parts import Part, anatomy
from engine.language.derive import CUT, gradient, whole
from engine.language.expression import Call
from engine.language.functions import Array
from engine.model.blocks import Quantity
from engine.notation import Writer
from engine.recording.history import History
from engine.recording.tape import Tape
from rnn_tui.keys.bindings import COMMANDS, with_keys
from rnn_tui.keys.command import Command
from rnn_tui.render.numbers import number
from rnn_tui.render.palette import ENDED, scale_of, signed_codes
from rnn_tui.render.pooling import pool
from rnn_tui.shown.exhibit import Asked, Exhibit, Tone
from rnn_tui.shown.look import Look
from rnn_tui.shown.selection import PageName, Selection

if TYPE_CHECKING:
    from engine.doctor.walk.lockstep import Execution, LineValue, Lockstep
    from engine.explain.findings import Finding
    from rnn_tui.shown.card import LessonCard


LOG_FROM = 30.0
_NOTHING = Quantity("", ())
_SHARES = ("sigmoid", "softmax")
_MASKS = ("mask", "cut", "cutr")


FLOOR = 1e-6
ORIGINAL, DIFFERENCE = "original", "edited − original"


@dataclass(frozen=True, eq=False)
class Frame:
    """Everything a pane needs to draw itself."""

    view: View
    writer: Writer
    selection: Selection
    look: Look
    name: str = ""
    description: str = ""
    title: str = ""
    look_for: str = ""
    said: tuple[str, ...] = ()
    """What was decided when the data were read."""
    loss_before: float | None = None
    """The loss of the iteration before, on the same samples."""
    batches: int = 1
    """Iterations in an epoch."""
    classes: tuple[str, ...] = ()
    asked: Asked | None = None
    notes: tuple[tuple[str, str], ...] = ()
    """Watched expressions with their values, and messages of logpoints (with an empty first part)."""
    stopped: str = ""
    """Which breakpoint has stopped the program here, and the values that it compares."""
    busy: str = ""
    """What a search that is under way is at."""
    history: History = field(default_factory=History)
    """The figures of the iterations that were run."""
    findings: tuple[Finding, ...] | None = None
    """The findings about this iteration; None when they are not computed."""
    keys: tuple[tuple[str, str, str], ...] = field(default=())
    """(keys, label, action) for the footer: only what works now."""
    tabs: tuple[tuple[str, PageName], ...] = ()
    """(key, view) for the header."""
    original: View | None = None
    """The same point where nothing is edited, when something is."""
    edits: tuple[Edit, ...] = ()
    """The edits in force."""
    compared: Tape | None = None
    """Another recording whose numbers are coloured on the same scale."""
    lockstep: Lockstep | None = None
    """The user's program, in step with the reference."""
    exhibit: Exhibit | None = None
    trail: tuple[range, ...] = ()
    """The time steps that each of the last pictures of a sweep has passed, the youngest first."""
    lesson: LessonCard | None = None
    """The step of a lesson."""
    commands: tuple[Command, ...] = COMMANDS
    """What can be done, with the user's keys."""

    def named(self, text: str) -> str:
        """A text with the user's keys in the place of those that it names."""
        return with_keys(text, self.commands)

    @cached_property
    def parts(self) -> list[Part]:
        """The line that ran last, taken apart; then, where that was asked for, the original result and the difference."""
        if self.exhibit is not None:
            return self.exhibit.parts
        parts = anatomy(self.view, self.writer, self.sample)
        if not parts or self.as_original is None or not self.selection.beside:
            return parts
        from engine.debug.difference import minus  # with the first what if

        edited, original = (pair[result_of(pair)] for pair in (parts, self.as_original.parts))
        assert edited.values is not None and original.values is not None
        change = replace(edited, role="difference", text="difference", values=minus(edited.values, original.values))
        beside = [Part("operator", "│"), replace(original, role="original", text=ORIGINAL)]
        return [*parts, *beside, Part("operator", "│"), change]

    @cached_property
    def as_original(self) -> Frame | None:
        """The frame where nothing is edited; None when nothing is."""
        if self.original is None:
            return None
        return replace(self.choose(beside=False), view=self.original, original=None, edits=(), compared=self.view.tape)

    @cached_property
    def as_difference(self) -> Frame | None:
        """The frame of differences, edited − original; None when nothing is edited."""
        if self.original is None:
            return None
        from engine.debug.difference import differences

        tape = differences(self.original.tape, self.view.tape)
        return replace(self.choose(beside=False), view=replace(self.view, tape=tape), original=None, edits=())

    @property
    def execution(self) -> Execution | None:
        """The line of the user's program that ran last."""
        return None if self.lockstep is None else self.lockstep.executions[self.selection.execution]

    @property
    def made(self) -> LineValue | None:
        """The value that this line computed, and the reference's value for it."""
        return None if self.lockstep is None else self.lockstep.value(self.selection.execution)

    @property
    def meant(self) -> str:
        """The quantity of the reference that this value is or should be; "" where there is none."""
        from engine.doctor.walk.lockstep import described

        entry = self.made.entry if self.made is not None else None
        return "" if entry is None else self.times_reference + described(entry, self.writer.spelling.name)

    @property
    def times_reference(self) -> str:
        """How many times the reference's number it is, `2.466 × `; "" where it is that number."""
        made = self.made
        return f"{number(made.scale, 8, trim=True)} × " if made is not None and made.is_scaled else ""

    @cached_property
    def beside(self) -> Frame | None:
        """The arrays of the user's line to show: its value, the reference's and the difference; None where it computed no array."""
        if self.made is None:
            return None
        pictures = self.made.pictures
        beside = f"reference: {self.meant}" if self.meant else "should be"
        labels = (f"yours: {self.made.target}", beside, "difference")
        roles = ("result", "original", "difference")
        parts: list[Part] = []
        for values, text, role in zip(pictures, labels, roles, strict=False):
            shape = self.made.theirs.shape if role == "result" else values.shape
            parts += [*([Part("operator", "│")] if parts else []), Part(role, text, values, shape)]
        scale = max(scale_of(values) for values in pictures)
        tone = Tone(scale, bool(self.selection.log), FLOOR)
        return replace(self.choose(beside=False), exhibit=Exhibit(parts, tone), original=None)

    @cached_property
    def inspected(self) -> int | None:
        """The part that the cell cursor is in."""
        pictures = [i for i, part in enumerate(self.parts) if part.values is not None]
        if not pictures:
            return None
        if self.selection.operand in pictures:
            return self.selection.operand
        wanted = ("result", "term") if self.selection.sample is not None else ("result", "total")
        results = [i for i in pictures if self.parts[i].role in wanted]
        return results[-1]

    @cached_property
    def cell(self) -> tuple[int, int] | None:
        """The cell cursor, inside the picture it is in."""
        if self.inspected is None:
            return None
        values = self.parts[self.inspected].values
        assert values is not None
        return min(self.selection.row, values.shape[0] - 1), min(self.selection.column, values.shape[1] - 1)

    @property
    def moment(self) -> tuple[int, int]:
        """The iteration and time step at the cursor of the training view."""
        point = self.view.point
        return self.selection.moment or (point.iteration, point.t or self.view.program.steps)

    @property
    def finding(self) -> int:
        """The number of the finding that is chosen."""
        return max(0, min(self.selection.finding, len(self.findings or ()) - 1))

    @property
    def output(self) -> str:
        """The output state of the layer whose line is at hand; of the last layer where no layer's is."""
        program, line = self.view.program, self.view.line
        return (program.blocks[line.block].output if line is not None else "") or program.output

    @property
    def layer(self) -> str:
        """The output state of the layer and direction that training and reach are shown of."""
        chosen = self.selection.layer
        return chosen if chosen in self.view.program.outputs else self.output

    @property
    def flowing(self) -> str:
        """The quantity in time that the flow shows."""
        if self.selection.quantity is not None:
            return self.selection.quantity
        output = self.output
        back = self.view.point.phase in ("backward", "update") or self.view.position == 0
        return gradient(output) if back else output

    @property
    def ghost(self) -> bool:
        """Whether the whole iteration stands there faintly, for nothing is computed yet: where there are colours for that."""
        return self.view.position == 0 and self.look.shaded

    @cached_property
    def _in_line(self) -> frozenset[str]:
        """The gradients in time that this line shows together: they get one scale, so that equal numbers look equal."""
        quantities = self.view.program.quantities
        names = {part.name for part in self.parts if part.name in quantities and part.role != "term"}
        return frozenset(name for name in names if name and name.startswith("d") and quantities[name].rows)

    @property
    def samples(self) -> int:
        """How many samples this iteration works on."""
        return self.view.tape.plan.batch

    @property
    def sample(self) -> int | None:
        """The chosen sample's row in the batch; None: all of them. A batch may be smaller than the one it was chosen in."""
        return None if self.selection.sample is None else min(self.selection.sample, self.samples - 1)

    def number_of(self, sample: int) -> int:
        """The number in the data of a sample of the batch."""
        batch = self.view.tape.samples
        return sample if batch is None else int(batch[sample])

    def is_share(self, name: str) -> bool:
        """Whether a quantity is what a sigmoid or softmax makes, or a mask: between 0 and 1, without a sign."""
        made = [line.equation.expression for line in self.view.program.lines if line.name == name]
        return name in _MASKS or any(isinstance(one, Call) and one.function in _SHARES for one in made)

    def rows_of(self, name: str) -> bool:
        """Whether a quantity, or a flow that no line writes, is in time."""
        return bool(
            self.view.program.quantities.get(name, self.view.program.quantities.get(whole(name), _NOTHING)).rows
        )

    def tone(
        self, values: Array, name: str | None, *, in_line: bool = False, among: frozenset[str] = frozenset()
    ) -> Tone:
        """How values of a quantity are coloured: on one scale for all its time steps; with no name, on one of their own.

        Those it stands among, and with `in_line` those of this line, share its scale.
        """
        if self.exhibit is not None:
            return self.exhibit.tone
        log = bool(self.selection.log)
        if name is None:
            return Tone(scale_of(values), log, FLOOR)
        tapes = [one for one in (self.view.tape, self.original and self.original.tape, self.compared) if one]
        if not self.rows_of(name):
            # A partial sum may be larger than the finished one.
            return Tone(max(scale_of(values), *(tape.scale(name) for tape in tapes)), log, FLOOR)
        together = self._in_line if in_line and name in self._in_line else among | {name}
        scale = max(tape.scale(one) for one in together for tape in tapes)
        # What truncation cut off may be of any size.
        deep = [one for one in together if not one.endswith(CUT)] or [name]
        floor = min(tape.scale(one) * tape.depth(one) for one in deep for tape in tapes) / scale
        if self.selection.log is None:
            log = floor * LOG_FROM < 1
        return Tone(scale, log, min(0.5, max(1e-30, floor)))

    def codes(
        self, values: Array, name: str | None, *, in_line: bool = False, among: frozenset[str] = frozenset()
    ) -> NDArray[np.uint8]:
        """Colour codes of values of a quantity."""
        tone = self.tone(values, name, in_line=in_line, among=among)
        return signed_codes(values, tone.scale, tone.log, tone.floor)

    def picture(
        self,
        values: Array,
        name: str | None,
        rows: int,
        columns: int,
        *,
        padding: Array | None = None,
        in_line: bool = False,
        among: frozenset[str] = frozenset(),
    ) -> NDArray[np.uint8]:
        """Colour codes of values pooled to at most rows × columns; where a block holds nothing but padding, it says so."""
        counted = values if padding is None else np.where(padding, 0, values)
        codes = self.codes(pool(counted, rows, columns), name, in_line=in_line, among=among)
        if padding is not None:
            codes[pool(~padding, rows, columns) == 0] = ENDED
        return codes

    def choose(self, **changes: object) -> Frame:
        """The frame with other choices."""
        return replace(self, selection=replace(self.selection, **changes))  # pyright: ignore[reportArgumentType]


def result_of(parts: list[Part]) -> int:
    """The index of the part that shows the result of a line; with a sample chosen, that sample's term of it."""
    return [i for i, part in enumerate(parts) if part.role in ("result", "term", "total")][-1]
