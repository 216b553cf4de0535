"""What if: makes edits, shows the difference from the original run, and undoes them."""

from __future__ import annotations

from engine.debug.edits import ACTIVATION, FLIP, FLOW
from engine.debug.whatif import Branch, hand_over, what_if
from engine.errors import InputError
from engine.language.derive import gradient
from engine.language.functions import ACTIVATIONS, from_unit_to_unit
from rnn_tui.control.desk import Desk
from rnn_tui.shown.frame import Frame


class Edits:
    """Edits of what the debugger computes, in the language of `engine.debug.edits`.

    The cell under the cursor is what an edit changes. A method that returns a text leaves the value to be typed; one
    that returns None has made the edit, or said why it cannot be made.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def set_cell(self) -> str:
        """A new value of the cell under the cursor."""
        place = _cell(self._desk.frame)
        return f"{place} = " if place else ""

    def change_weight(self) -> str:
        """A new value of the weight under the cursor, or of one that leads from step to step."""
        frame, debugger = self._desk.frame, self._desk.debugger
        weights = debugger.program.parameters
        if _name(frame) in weights:
            return f"{_cell(frame)} = "
        square = [weight for weight in weights if from_unit_to_unit(debugger.network.parameter_axes[weight])]
        return f"{(square or list(weights))[0]}[0,0] = "

    def replace_activation(self) -> str | None:
        """Another activation."""
        network = self._desk.debugger.network
        if not network.table.has_activation:
            self._desk.say(f"The cell {network.table.name} has its own activations.")
            return None
        other = next(name for name in ACTIVATIONS if name != network.activation)
        return f"{ACTIVATION} = {other}"

    def flip_label(self) -> str | None:
        """Another label for the sample under the cursor."""
        frame, debugger = self._desk.frame, self._desk.debugger
        network, t = debugger.network, frame.view.point.t
        step = f"@{t or debugger.program.steps}" if network.predict == "every" else ""
        place = f"y{step}[{_sample(frame)}]"
        if network.head.class_count(network.outputs) == 2:
            return self._try(f"{place} = {FLIP}")
        return f"{place if network.head.classes else place[:-1] + ',0]'} = "

    def zero_gradient(self) -> None:
        """The gradient under the cursor, or of what is under it, becomes zero at this time step."""
        frame = self._desk.frame
        program, t = self._desk.debugger.program, _step(frame)
        name = _name(frame) or program.output
        backward = {line.name for line in program.lines if line.phase == "backward"}
        name = name if name in backward else gradient(name) if gradient(name) in backward else gradient(program.output)
        in_time = bool(program.quantities[name].rows)
        self._try(f"{name}{f'@{program.steps if t is None else t}' if in_time else ''} = 0")

    def cut_flow(self) -> None:
        """Nothing flows back from this time step to the one before."""
        t = self._desk.frame.view.point.t
        if not t:
            self._desk.say("Go to the time step from which nothing shall flow back.")
            return
        self._try(f"{FLOW}@{t} = 0")

    def _try(self, text: str) -> None:
        try:
            self.edit(text)
        except InputError as error:
            self._desk.say(str(error))

    def edit(self, text: str) -> None:
        """Runs the present iteration on with an edit; InputError for one that cannot be."""
        desk = self._desk
        desk.running = desk.training = False
        debugger, engine_text = desk.debugger, desk.writer.spelling.in_engine_names(text)
        desk.take(what_if(debugger, engine_text, iteration=debugger.view.point.iteration))

    def undo(self) -> None:
        """Takes the last edit back."""
        debugger = self._desk.debugger
        if not isinstance(debugger, Branch):
            self._desk.say("Nothing is set: `e` asks what to set.")
            return
        hand_over(debugger, debugger.undone)
        self._desk.take(debugger.undone)
        self._desk.say(f"undone: {debugger.edits[-1].text}")

    def beside(self) -> None:
        """The original and the difference beside the numbers, or no longer."""
        if not isinstance(self._desk.debugger, Branch):
            self._desk.say("Nothing is set, so there is only the original: `e` asks what to set.")
            return
        self._desk.choose(beside=not self._desk.selection.beside, operand=None)


def _name(frame: Frame) -> str | None:
    return None if frame.inspected is None else frame.parts[frame.inspected].name


def _step(frame: Frame) -> int | None:
    part = None if frame.inspected is None else frame.parts[frame.inspected]
    return part.t if part is not None and part.t is not None else frame.view.point.t


def _cell(frame: Frame) -> str:
    """The cell under the cursor in the language of edits; "" where it cannot be edited."""
    name = _name(frame)
    if name is None or frame.inspected is None or frame.cell is None:
        return ""
    part, program = frame.parts[frame.inspected], frame.view.program
    sums = any(line.equation.accumulate for line in program.writers(name))
    when = "" if part.t is None or sums else f"@{part.t}"
    index = ",".join(map(str, part.index(*frame.cell)))
    return f"{name}{when}" + (f"[{index}]" if index else "")


def _sample(frame: Frame) -> int:
    """The row in the batch of the chosen sample, or of the one under the cursor."""
    if frame.sample is not None:
        return frame.sample
    if frame.inspected is None or frame.cell is None:
        return 0
    part = frame.parts[frame.inspected]
    batched = frame.writer.axes.get(part.name or "", ())[:1] == ("B",)
    return part.index(*frame.cell)[0] if batched else 0
