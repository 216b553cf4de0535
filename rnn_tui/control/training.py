"""The page on which the network is trained while its figures are shown."""

from __future__ import annotations

import math
import time
from dataclasses import replace

from engine.debug.debugger import Debugger
from engine.language.derive import gradient
from engine.recording.measures import Measured
from rnn_tui.control.desk import Desk
from rnn_tui.control.pages import Heights, Page
from rnn_tui.control.stops import Stops
from rnn_tui.control.work import EnoughError, Work
from rnn_tui.render.numbers import number
from rnn_tui.shown.frame import Frame
from rnn_tui.shown.targets import ToIteration, moment_at

TRAIN_FOR = 0.04
"""Seconds of training between two pictures of it."""
TRAIN_AT_MOST = 1000
MOVES = 100
"""So many moves of the cursor lead from the first iteration to the last at most."""


class TrainingSlice(Work):
    """As many iterations as fit into a moment; at least one."""

    said_after = 1

    def __init__(self, debugger: Debugger, trained: int) -> None:
        super().__init__(debugger)
        self._trained = self.iteration = trained

    @property
    def goes_on(self) -> bool:
        return True

    @property
    def doing(self) -> str:
        return f"training iteration {self.iteration}, `t` pauses"

    def do(self) -> None:
        until = time.monotonic() + TRAIN_FOR

        def report(iteration: int, measured: Measured) -> None:
            self.reached(iteration + 1)
            if time.monotonic() > until or not math.isfinite(measured.loss):
                raise EnoughError

        self.debugger.start(self._trained + TRAIN_AT_MOST, report)


class TrainingPage(Page):
    """Loss, accuracy and gradient by iteration and time step."""

    enters, finishes = "go there", "last, first"

    def __init__(self, desk: Desk, stops: Stops) -> None:
        super().__init__(desk, stops)
        self._trained = 0

    @property
    def below(self) -> str:
        return ""

    def panes(self, height: int) -> Heights:
        return {"training": "1fr"}

    def works(self, action: str) -> bool:
        if action == "operand(1)":
            return len(self.desk.debugger.program.outputs) > 1
        return action in ("enter", "train", "cell(0,-1)")

    def fill(self, frame: Frame) -> Frame:
        history = self.desk.debugger.history
        return replace(frame, history=history.until(len(history)))

    def toggle(self) -> None:
        """Trains on, iteration after iteration; pauses when it does so already."""
        last = len(self.desk.debugger.history) - 1
        broken = last >= 0 and not math.isfinite(self.desk.debugger.history[last].loss)
        self.desk.training = not self.desk.training and not broken
        if broken:
            self._stop_at(last)
        if self.desk.training:
            self.desk.running = False
            self.desk.choose(page="training", asked=(), follow=0)
            self._trained = len(self.desk.debugger.history)

    def slice(self) -> TrainingSlice:
        """The next moment of the training; what it has trained is then to be taken (`take`)."""
        return TrainingSlice(self.desk.debugger, self._trained)

    def take(self) -> None:
        """Shows what has been trained by now, and ends the training where the loss is no number."""
        debugger = self.desk.debugger
        self._trained = len(debugger.history)
        self.desk.choose(moment=(self._trained - 1, self.desk.frame.moment[1]))
        if self._trained and not math.isfinite(debugger.history[self._trained - 1].loss):
            self._stop_at(self._trained - 1)

    def _stop_at(self, iteration: int) -> None:
        """The loss is no number any more: training on would only repeat that."""
        self.desk.training = False
        self.desk.choose(page="training", moment=(iteration, self.desk.frame.moment[1]))
        loss = number(self.desk.debugger.history[iteration].loss)
        self.desk.say(
            f"Training stopped: the loss of iteration {iteration} is {loss}. `enter` goes there, then `5` says what is wrong."
        )

    def cursor(self, rows: int, columns: int) -> None:
        """By one time step or one iteration; by several iterations where there are so many that one would hardly be seen."""
        iteration, t = self.desk.frame.moment
        last, steps = self._last, self.desk.debugger.program.steps
        iteration += columns * max(1, last // MOVES)
        self.desk.choose(moment=(max(0, min(iteration, last)), max(1, min(t + rows, steps))))

    @property
    def _last(self) -> int:
        return max(0, len(self.desk.debugger.history) - 1)

    def phase(self, direction: int) -> bool:
        """The cursor to the last iteration, or to the first."""
        before = self.desk.frame.moment
        self.desk.choose(moment=(self._last if direction > 0 else 0, before[1]))
        return self.desk.selection.moment != before

    def tab(self, step: int) -> None:
        """The same of the next layer and direction."""
        self.next_layer(step)

    def enter(self) -> bool:
        """To the iteration and time step under the cursor: where its error arrives."""
        self.desk.training = False
        iteration, t = self.desk.frame.moment
        program = self.desk.debugger.program
        written = int(program.written(gradient(self.desk.frame.layer), t))
        self.desk.choose(page="program", moment=None)
        moved = self.desk.go(1 + iteration * program.length + written)
        self.desk.say("`4` leads back to the training view")
        return moved

    def click(self, target: object, x: int, y: int) -> bool:
        """Moves the cursor; a second click on the same place goes there."""
        if not isinstance(target, ToIteration):
            return True
        moment = moment_at(target, x, y, self.desk.debugger.program.steps)
        again = moment == self.desk.selection.moment
        self.desk.choose(moment=moment)
        return self.enter() if again else True
