"""What if, on the screen: numbers put in, the difference to what really happened, and back again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.reactive import reactive
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Input, Static

from engine.anatomy import writer_for
from engine.debugger import Debugger
from engine.derive import gradient
from engine.edits import ACTIVATION, FLIP, FLOW
from engine.errors import InputError
from engine.functions import ACTIVATIONS
from engine.session import Session
from engine.whatif import Branch, hand_over, what_if
from rnn_tui.frame import Frame, Selection
from rnn_tui.screens.dialogs import PLAIN, Dialog

HELP = """\
= a number, *= a factor, = flip
cells da@3[0,5] · a sample da@3[0,:] · a row da@3 · all steps da
weights Wa[2,3] · labels y[4] = flip · inputs x@2[0,0]
flow@3 = 0: nothing flows back from step 3 · activation = relu
enter runs on with it, esc closes; the original is kept, u undoes"""


class EditScreen(Dialog[None]):
    """Asks what to set, and does it: `apply` takes the text and raises InputError for what cannot be."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close", "Close")]

    def __init__(self, text: str, apply: Callable[[str], None]) -> None:
        super().__init__()
        self._text, self._apply = text, apply

    def compose(self) -> ComposeResult:
        """One line to type into, filled as far as it is known."""
        with Vertical(classes="dialog") as box:
            box.border_title = "what if"
            yield Input(self._text, restrict=PLAIN, placeholder="da@3[0,5] = 0", select_on_focus=False)
            yield Static(Content(HELP), classes="note")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Sets it, or says why not."""
        if self._answered:
            return
        try:
            self._apply(event.value)
        except InputError as error:
            note = self.query_one(".note", Static)
            note.update(Content(str(error)))
            note.add_class("wrong")
            return
        self.answer()


class WhatIf(Screen[None]):
    """The part of the main screen that puts numbers in; the rest of it is in `rnn_tui.screens.main`."""

    frame: reactive[Frame | None] = reactive(None, init=False)
    """What is shown; every pane is bound to it."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.debugger = session.debugger
        self._notation: str = session.options["notation"]
        self._writer = writer_for(self.debugger.plan, self._notation)
        self._selection = Selection()
        self._timer: Timer | None = None
        self._training: Timer | None = None

    def _arrange(self) -> None:
        raise NotImplementedError

    def _show(self) -> None:
        raise NotImplementedError

    def _forget(self) -> None:
        """What is known of iterations that are no longer those of the debugger."""

    def _choose(self, **changes: object) -> None:
        self._selection = replace(self._selection, **changes)  # pyright: ignore[reportArgumentType]
        self._show()

    def _say(self, text: str) -> None:
        self.notify(text, markup=False, timeout=4)

    def _stop_running(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer = None

    def _stop_training(self) -> None:
        if self._training is not None:
            self._training.stop()
            self._training = None

    def action_set_cell(self) -> None:
        """Asks for a new value of the cell under the cursor."""
        place = _cell(self.frame) if self.frame else ""
        self._ask_edit(f"{place} = " if place else "")

    def action_change_weight(self) -> None:
        """Asks for a new value of the weight under the cursor, or of one that leads from step to step."""
        frame = self.frame
        if frame is None:
            return
        weights = self.debugger.program.parameters
        name = _name(frame)
        if name in weights:
            self._ask_edit(f"{_cell(frame)} = ")
            return
        square = [each for each in weights if self.debugger.network.parameter_axes[each] == ("H", "H")]
        self._ask_edit(f"{(square or list(weights))[0]}[0,0] = ")

    def action_replace_activation(self) -> None:
        """Asks for another activation."""
        network = self.debugger.network
        if not network.table.has_activation:
            self._say(f"The cell {network.table.name} has its own activations.")
            return
        other = next(each.name for each in ACTIVATIONS if each.name != network.activation)
        self._ask_edit(f"{ACTIVATION} = {other}")

    def action_flip_label(self) -> None:
        """Another label for the sample under the cursor."""
        frame = self.frame
        if frame is None:
            return
        network, t = self.debugger.network, frame.view.point.t
        step = f"@{t or self.debugger.program.steps}" if network.predict == "every" else ""
        place = f"y{step}[{_sample(frame)}]"
        if network.head.classes and (network.loss == "binary" or network.outputs == 2):
            self._try_edit(f"{place} = {FLIP}")
        else:
            self._ask_edit(f"{place if network.head.classes else place[:-1] + ',0]'} = ")

    def action_zero_gradient(self) -> None:
        """The gradient under the cursor, or of what is under it, becomes zero at this time step."""
        frame = self.frame
        if frame is None:
            return
        program, t = self.debugger.program, _step(frame)
        name = _name(frame) or program.output
        backward = {line.name for line in program.lines if line.phase == "backward"}
        name = name if name in backward else gradient(name) if gradient(name) in backward else gradient(program.output)
        in_time = bool(program.quantities[name].rows)
        self._try_edit(f"{name}{f'@{program.steps if t is None else t}' if in_time else ''} = 0")

    def action_cut_flow(self) -> None:
        """Nothing flows back from this time step to the one before."""
        t = self.frame.view.point.t if self.frame else None
        if not t:
            self._say("Go to the time step from which nothing shall flow back.")
            return
        self._try_edit(f"{FLOW}@{t} = 0")

    def action_undo_edit(self) -> None:
        """Takes the last edit back."""
        debugger = self.debugger
        if not isinstance(debugger, Branch):
            self._say("Nothing is set: e asks what to set.")
            return
        hand_over(debugger, debugger.undone)
        self._take(debugger.undone)
        self._say(f"undone: {debugger.edits[-1].text}")

    def action_beside(self) -> None:
        """Shows the original and the difference beside the numbers, or no longer."""
        if not isinstance(self.debugger, Branch):
            self._say("Nothing is set, so there is only the original: e asks what to set.")
            return
        self._choose(beside=not self._selection.beside, operand=None)

    def _ask_edit(self, text: str) -> None:
        self._stop_running()
        self.app.push_screen(EditScreen(text, self._edit))

    def _try_edit(self, text: str) -> None:
        try:
            self._edit(text)
        except InputError as error:
            self._say(str(error))

    def _edit(self, text: str) -> None:
        """Runs the present iteration on with an edit; InputError for one that cannot be."""
        self._stop_running()
        self._stop_training()
        own = self._writer.spelling.own(text)
        self._take(what_if(self.debugger, own, iteration=self.debugger.view.point.iteration))

    def _take(self, debugger: Debugger) -> None:
        """Goes on with another debugger at the same point."""
        self.debugger = debugger
        self._forget()
        self.session = replace(self.session, debugger=debugger)
        self._writer = writer_for(debugger.plan, self._notation)
        self._selection = replace(self._selection, asked=(), follow=0, operand=None)
        self._arrange()
        self._show()


def _name(frame: Frame) -> str | None:
    return None if frame.inspected is None else frame.parts[frame.inspected].name


def _step(frame: Frame) -> int | None:
    part = None if frame.inspected is None else frame.parts[frame.inspected]
    return part.t if part is not None and part.t is not None else frame.view.point.t


def _cell(frame: Frame) -> str:
    """The cell under the cursor as the language of edits has it; "" where there is none that can be set."""
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
