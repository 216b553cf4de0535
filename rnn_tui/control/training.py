"""The page on which the network is trained and looked at as it learns."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.language.derive import gradient
from rnn_tui.control.pages import Heights, Page
from rnn_tui.control.search import EnoughError
from rnn_tui.frame import Frame
from rnn_tui.targets import ToIteration, moment_at

if TYPE_CHECKING:
    from rnn_tui.control.controller import Controller

TRAIN_FOR = 0.04
"""Seconds of training between two pictures of it."""
TRAIN_AT_MOST = 1000


class Training(Page):
    """Loss, accuracy and gradient by iteration and time step."""

    enters = "go there"

    def __init__(self, controller: Controller) -> None:
        super().__init__(controller)
        self.on = False
        """Whether it shall `train`, again and again."""
        self._trained = 0

    def panes(self, height: int) -> Heights:
        return {"listing": "1fr", "training": "1fr"}

    def works(self, action: str) -> bool:
        return action in ("enter", "train", "cell(0,-1)")

    def fill(self, frame: Frame) -> Frame:
        return replace(frame, history=dict(self.controller.debugger.history))

    def toggle(self) -> None:
        """Trains on, iteration after iteration; pauses when it does so already."""
        self.on = not self.on
        if self.on:
            self.controller.running = False
            self.controller.turn_to("training")
            self._trained = 1 + max(self.controller.debugger.history, default=-1)
            self.train()

    def train(self) -> None:
        """As many iterations as fit into a moment; at least one."""
        until = time.monotonic() + TRAIN_FOR

        def report(iteration: int, _: object) -> None:
            if time.monotonic() > until:
                raise EnoughError

        debugger = self.controller.debugger
        with contextlib.suppress(EnoughError):
            debugger.start(self._trained + TRAIN_AT_MOST, report)
        self._trained = max(debugger.history, default=-1) + 1
        self.controller.choose(moment=(self._trained - 1, self.controller.frame.moment[1]))

    def cursor(self, rows: int, columns: int) -> None:
        """By one time step or one iteration."""
        iteration, t = self.controller.frame.moment
        debugger = self.controller.debugger
        last, steps = max(debugger.history, default=0), debugger.program.steps
        self.controller.choose(moment=(max(0, min(iteration + columns, last)), max(1, min(t + rows, steps))))

    def enter(self) -> bool:
        """To the iteration and time step under the cursor: where its error arrives."""
        self.on = False
        iteration, t = self.controller.frame.moment
        program = self.controller.debugger.program
        written = int(program.written(gradient(program.output), t))
        self.controller.choose(page="program", moment=None)
        moved = self.controller.go(1 + iteration * program.length + written)
        self.controller.say("4 leads back to the training view")
        return moved

    def click(self, target: object, x: int, y: int) -> bool:
        """Moves the cursor; a second click on the same place goes there."""
        if not isinstance(target, ToIteration):
            return True
        moment = moment_at(target, x, y, self.controller.debugger.program.steps)
        again = moment == self.controller.selection.moment
        self.controller.choose(moment=moment)
        return self.enter() if again else True
