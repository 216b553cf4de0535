"""What the cell cursor moves in on each page; in the flow a unit at a time step, of several samples the one whose number is of largest
magnitude."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from engine.language.functions import Array
from rnn_tui.panes.shared.time_axis import TimePart
from rnn_tui.shown.exhibit import Exhibit
from rnn_tui.shown.frame import Frame


@dataclass(frozen=True)
class FlowPart(TimePart):
    """A quantity's units × steps as far as they are computed."""

    numbers: Array = field(default_factory=lambda: np.zeros((1, 1, 1)))
    """(samples, units) at that step: what is looked at."""

    def index(self, row: int, column: int) -> tuple[int, ...]:
        """The sample and the unit of the number that a cell shows."""
        of_unit = np.abs(self.numbers[:, row])
        return self.first + int(np.argmax(np.where(np.isnan(of_unit), np.inf, of_unit))), row


def flow_steps(frame: Frame) -> range:
    """The steps of what flows that are computed; none where its numbers are not units of samples, or no line writes them."""
    program, name = frame.view.program, frame.flowing
    held, known = program.steps_of(name), np.flatnonzero(frame.view.computed(name))
    if not known.size or name not in program.quantities or frame.view.tape[name].ndim != 3:
        return range(0)
    return range(held[int(known[0])], held[int(known[-1])] + 1)


def at_flow(frame: Frame) -> Frame:
    """The frame in which the cell cursor is in the flow; the frame itself where nothing of it is computed."""
    name, tape, steps = frame.flowing, frame.view.tape, flow_steps(frame)
    if not steps:
        return frame
    chosen = frame.selection.step if frame.selection.step is not None else frame.view.row
    t = max(steps[0], min(steps[-1] if chosen is None else chosen, steps[-1]))
    span = len(frame.view.program.span)
    values = tape.pooled(name, span, frame.sample).T[:, steps.start : steps.stop]
    numbers, first = tape.at(name, t), 0
    if frame.sample is not None:
        numbers, first = numbers[frame.sample : frame.sample + 1], frame.sample
    label = frame.writer.spelling.name(name)
    part = FlowPart("operand", label, values, values.shape, name, t, first=first, since=steps.start, numbers=numbers)
    tone = frame.tone(tape[name], name)
    return replace(
        frame.choose(operand=0, row=frame.selection.unit, column=t - steps.start),
        exhibit=Exhibit([part], tone),
        original=None,
    )


def pictured(frame: Frame) -> Frame:
    """The frame whose parts the cell cursor moves in: on the page of weights a gradient's, on that of the flow what flows, on that of the
    user's program its values'."""
    match frame.selection.page:
        case "weights":
            from rnn_tui.panes.ledger import at_weight  # with its page

            return at_weight(frame)
        case "flow":
            return at_flow(frame)
        case "yours":
            return frame.beside or frame
        case _:
            return frame
