"""Runs one iteration again with edited numbers: from one recording to a second one.

Line by line in the order of the program, each quantity is changed as soon as its line has written it, so what runs
later follows from it. A line runs again only where something it reads has changed, once with the old numbers and once
with the new ones; where both agree, the recorded numbers stay. So everything that an edit does not reach keeps its
bits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from engine.debug.edits import FLOW, Edit
from engine.errors import InputError
from engine.language.derive import NEXT, OUT, gradient
from engine.language.evaluate import evaluate
from engine.language.expression import Name
from engine.language.functions import Array
from engine.model.blocks import Block, Line
from engine.model.program import Program, carries_losses
from engine.recording.plan import Plan, Progress, reporter
from engine.recording.schedule import is_carried
from engine.recording.tape import Tape
from engine.text import clean, listed

LIMIT = 3_000_000
"""Line runs of an iteration; more would take minutes."""

QuantityRow = tuple[str, int]
"""A quantity and its row in time, 0 for what is not in time."""


def replay(tape: Tape, edits: Sequence[Edit], progress: Progress | None = None) -> Tape:
    """The iteration of `tape` with what its lines write changed by `edits`; `tape` itself stays as it is. `progress` is told the share
    that is done.

    Raises InputError for a place that no line writes, and for more than `LIMIT` line runs.
    """
    program = tape.plan.program
    if not edits:
        return tape
    if tape.plan.checkpoints:
        raise InputError(
            "this recording keeps checkpoints only, so no row can be set; weights, x and y can, or raise --memory-limit"
        )
    if program.length > LIMIT:
        raise InputError(f"an iteration of {program.length:,} line runs is too long to be run again line by line")
    rows: dict[QuantityRow, list[Edit]] = {}
    updates: dict[str, list[Edit]] = {}
    for edit in edits:
        if edit.name in program.updates:
            edit.within(tape.plan.shape(program.updates[edit.name]))
            updates.setdefault(edit.name, []).append(edit)
        for row in () if edit.name in program.updates else places(edit, tape.plan):
            rows.setdefault(row, []).append(edit)
    arrays = _Replay(tape, rows, progress).run() if rows else tape.arrays
    put = _putter(updates) if updates else None
    return Tape(
        tape.plan, arrays, tape.parameters, tape.updates_before, tape.kept, samples=tape.samples, change_update=put
    )


def places(edit: Edit, plan: Plan) -> list[QuantityRow]:
    """The rows that an edit of what lines write is about; InputError when no line writes them, or the index is not in them."""
    program, network = plan.program, plan.network
    if edit.name == FLOW and FLOW not in program.quantities:
        if edit.index:
            raise InputError(f"{FLOW} is all that flows back, of every state; leave the index away")
        if edit.t is not None and edit.t > plan.steps:
            raise InputError(f"nothing flows back from step {edit.t}; T is {plan.steps}")
        flows = _flows_back(program, network.table.states)
        return [
            row
            for name in flows
            for row in _rows(edit, name, plan, program.quantities[name].before)
            if row[1] != program.quantities[name].row(_last(program, name))
        ]
    name, hidden = edit.name, 0
    for suffix in (OUT, NEXT):
        # A flow that no line writes is the whole gradient, at the last step or before it.
        base = edit.name.removesuffix(suffix)
        if edit.name not in program.quantities and base != edit.name and base in program.quantities:
            name, hidden = base, 1 if suffix == OUT else 2
    if name not in program.quantities:
        known = listed((*program.quantities, *program.parameters, *program.updates, FLOW))
        raise InputError(f"there is no quantity '{clean(name, 40)}' to set; there are {known}")
    if program.quantities[name].given and name not in network.masks:
        raise InputError(
            f"{name} follows from the data and the options and cannot be set; set x, y or another quantity"
        )
    rows = _rows(edit, name, plan)
    if hidden:
        last = program.quantities[name].row(_last(program, name))
        rows = [row for row in rows if (row[1] == last) == (hidden == 1)]
        if not rows:
            raise InputError(f"{edit.place} is always 0 here: nothing flows this way at this step; set {name} instead")
    return rows


def _rows(edit: Edit, name: str, plan: Plan, shift: int = 0) -> list[QuantityRow]:
    """The rows of one quantity, `shift` steps away from those of the edit."""
    program, quantity = plan.program, plan.program.quantities[name]
    accumulates = any(line.equation.accumulate for line in program.writers(name))
    backward = all(line.phase == "backward" for line in program.writers(name))
    if backward and carries_losses(plan.network):
        raise InputError(
            f"{edit.place} cannot be set while each loss has a window of its own, for what is cut off belongs to a loss and not to "
            "a step; take --truncate-by chunk"
        )
    if edit.t is not None and (accumulates or not quantity.rows):
        why = (
            "is a sum over time; set it as a whole, or what its terms are made of" if accumulates else "is not in time"
        )
        raise InputError(f"{name} {why}; leave @{edit.t} away")
    edit.within(plan.shape(quantity)[1 if quantity.rows else 0 :])
    if not quantity.rows:
        return [(name, 0)]
    steps = quantity.steps(plan.steps)
    wanted = steps if edit.t is None else (edit.t + shift,)
    written = [t for t in wanted if t in steps and (quantity.given or program.written(name, t) >= 0)]
    if not written:
        raise InputError(f"{edit.place} is computed by no line; T is {plan.steps}")
    return [(name, quantity.row(t)) for t in written]


def _last(program: Program, name: str) -> int:
    """The step of a state that runs last: nothing flows back into it from a further one."""
    return 1 if program.quantities[name].reverse else program.steps


def _flows_back(program: Program, states: tuple[str, ...]) -> list[str]:
    """For each state what flows back to the step before."""
    flows = [gradient(state) + NEXT for state in states]
    return [name if name in program.quantities else name.removesuffix(NEXT) for name in flows]


def _putter(edits: Mapping[str, list[Edit]]) -> Callable[[str, Array], None]:
    """A function that makes the edits in the update's quantities, by their names."""

    def put(name: str, value: Array) -> None:
        for edit in edits.get(name, ()):
            edit.put(value)

    return put


class _Replay:
    def __init__(self, tape: Tape, edits: Mapping[QuantityRow, list[Edit]], progress: Progress | None) -> None:
        self.tape, self.edits, self.plan = tape, edits, tape.plan
        self.report = reporter(progress, sum(block.runs(self.plan.steps, 0) for block in self._run_again()))
        self.arrays = tape.plan.allocate()
        for name, array in tape.arrays.items():
            self.arrays[name][...] = array
        self.new = Tape(tape.plan, MappingProxyType(self.arrays), tape.parameters)
        self.changed: dict[str, set[int]] = {}

    def run(self) -> Mapping[str, Array]:
        """The new arrays, read-only."""
        with np.errstate(all="ignore"):
            for name, number in self.edits:
                if self.plan.program.quantities[name].given:
                    array = self.arrays[name]
                    self._written((name, number), array[number] if self.plan.program.quantities[name].rows else array)
            for block in self._run_again():
                self._block(block)
        for array in self.arrays.values():
            array.flags.writeable = False
        return self.new.arrays

    def _run_again(self) -> list[Block]:
        return [block for block in self.plan.program.blocks if block.phase != "update"]

    def _block(self, block: Block) -> None:
        backward = self.plan.program.looped("backward")
        if carries_losses(self.plan.network) and backward and block is backward[0]:
            self._carry()
        for t in [block.step(run, self.plan.steps) for run in range(block.runs(self.plan.steps, 0))]:
            for line in block.lines:
                if not line.equation.accumulate and not is_carried(line.equation):
                    self._line(line, t)
            self.report(1)
        if block.in_time and block.phase == "backward":
            for flow in [line.name for line in block.lines if line.name.endswith(NEXT)]:
                self._initial(flow, flow.removesuffix(NEXT))
            for line in block.lines:
                if line.equation.accumulate:
                    self._sum(line)

    def _line(self, line: Line, t: int | None) -> None:
        name = line.name
        at = None if t is None else t + line.equation.step
        key = name, self._row(name, at)
        reached = any(self._reached(read, t) for read in line.equation.reads)
        if not reached and key not in self.edits:
            return
        row = self.new.at(name, at)
        if reached:
            was, now = (
                evaluate(line.equation.expression, lambda n, tape=tape: tape.lookup(n, t), self.plan.axes)
                for tape in (self.tape, self.new)
            )
            row[...] = np.where(same(was, now), row, now)
        self._written(key, row)

    def _sum(self, line: Line) -> None:
        """A gradient that accumulates, summed again in the blocks in which it was recorded."""
        row, key = self.arrays[line.name], (line.name, 0)
        if any(name.name in self.changed for name in line.equation.reads):
            row[...] = self.plan.gradient({**self.arrays, **self.tape.parameters}, line.name)
        elif key not in self.edits:
            return
        self._written(key, row)

    def _initial(self, flow: str, whole: str) -> None:
        """The gradient of an initial state, which no line writes: its one flow."""
        row = self.plan.initial_row(flow)
        if row in self.changed.get(flow, ()):
            self.arrays[whole][row] = self.arrays[flow][row]
        self._written((whole, row), self.arrays[whole][row])

    def _carry(self) -> None:
        """What truncation cuts off the flow of each loss, which is computed before the loop."""
        if self.changed:
            self.plan.carry_losses({**self.arrays, **self.tape.parameters})
            for line in self.plan.program.lines:
                if is_carried(line.equation):
                    for row, values in enumerate(self.arrays[line.name]):
                        self._written((line.name, row), values)

    def _written(self, key: QuantityRow, row: Array) -> None:
        """Makes the edits of one row, and notes whether they, or a change in what the row was computed from, changed it."""
        for edit in self.edits.get(key, ()):
            edit.put(row)
        name, number = key
        before = self.tape.arrays[name]
        if not same(before[number] if self.plan.program.quantities[name].rows else before, row).all():
            self.changed.setdefault(name, set()).add(number)

    def _reached(self, name: Name, t: int | None) -> bool:
        rows = self.changed.get(name.name)
        if rows is None or t is None:
            return rows is not None
        return self._row(name.name, t + name.step) in rows

    def _row(self, name: str, t: int | None) -> int:
        quantity = self.plan.program.quantities[name]
        return quantity.row(t) if quantity.rows and t is not None else 0


def same(left: Array, right: Array) -> npt.NDArray[np.bool_]:
    """Where two arrays hold equal numbers, NaN being equal to NaN."""
    return np.asarray((left == right) | ((left != left) & (right != right)))
