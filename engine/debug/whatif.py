"""What if: the program run with edited numbers; the original run is never changed.

    branch = what_if(debugger, "da@3[0,5] = 0", iteration=2)   a debugger in which it is so; `branch.undone` is the one before

A row or a weight is set in one iteration (a weight before it begins); later iterations follow from the update that
results. Inputs, labels, initial states and the activation stay as they are set. See `engine.debug.edits` for the
language.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property, lru_cache

import numpy as np

from engine.debug.debugger import Debugger
from engine.debug.edits import ACTIVATION, Edit, parse_edit
from engine.debug.pace import part
from engine.debug.recordings import Batch, Checkpoints, TrainingState
from engine.debug.replay import places, replay
from engine.debug.view import View
from engine.errors import InputError
from engine.language.functions import ACTIVATIONS, Array
from engine.model.network import Network, choose
from engine.model.program import Program
from engine.recording.checks import check_batch, check_initial
from engine.recording.measures import Measured
from engine.recording.plan import Plan, Progress, plan
from engine.recording.tape import Tape
from engine.tables.given import MASK
from engine.text import clean

AT_REST = 16
"""Training states that the run before the last edit keeps, which is only there to come back to; the one before that keeps half of them."""


def what_if(debugger: Debugger, *texts: str, iteration: int = 0) -> Branch:
    """A debugger at the same point with the edits made, on top of earlier ones; InputError for an edit that does not fit."""
    new = [parse_edit(text, iteration) for text in texts]
    edits = (*debugger.edits, *new) if isinstance(debugger, Branch) else tuple(new)
    original = debugger.original if isinstance(debugger, Branch) else debugger
    branch = Branch(original, edits, debugger)
    branch.tape(iteration)  # refuse now what cannot be edited
    hand_over(debugger, branch)
    kept, undone = AT_REST, debugger
    # The further back, the less: however many edits there are, they take little memory.
    while isinstance(undone, Branch):
        undone.rest(kept)
        kept, undone = max(1, kept // 2), undone.undone
    return branch


def hand_over(source: Debugger, target: Debugger) -> None:
    """Copies position, breakpoints and watches to another debugger of the same program."""
    target.position, target.breakpoints, target.watches = source.position, source.breakpoints, source.watches


class Branch(Debugger):
    """The debugger `original` with edits; up to the first edit's iteration it is the original itself.

    `undone` is the debugger before the last edit: the very same object.
    """

    def __init__(self, original: Debugger, edits: tuple[Edit, ...], undone: Debugger) -> None:
        self.original, self.edits, self.undone = original, edits, undone
        self.first = min(edit.iteration for edit in edits)
        for edit in edits:
            goes_on = edit.t == 0 and original.batches.goes_on(edit.iteration)
            if goes_on and is_data(edit, original.network, original.program):
                raise InputError(
                    f"{edit.place} is what iteration {edit.iteration - 1} ended in (--stateful); set it there, or other numbers here"
                )
        whole = original.data(0)
        super().__init__(
            _with_activation(original.network, edits),
            whole.X,
            whole.y,
            initial=whole.initial,
            lengths=whole.lengths,
            batch_size=original.batches.size,
            stateful=original.batches.stateful,
            checkpoints=original.plan.checkpoints,
        )
        self.pace, self._tapes_kept, self._seconds = original.pace, original._tapes_kept, original._seconds
        self._data_until = lru_cache(maxsize=8)(self._edited_data)
        self._other_plans: dict[tuple[str, int], Plan] = {}
        self._starts = Checkpoints(original.start(self.first), self.first)
        self.history = original.history.until(self.first)

    def tape(self, iteration: int) -> Tape:
        """The recording of an iteration, with its edits; before the first edit it is the original's."""
        return self.original.tape(iteration) if iteration < self.first else super().tape(iteration)

    def start(self, iteration: int, report: Callable[[int, Measured], None] | None = None) -> TrainingState:
        """What an iteration starts from, see `Debugger.start`; edits of weights come on top."""
        return (self.original if iteration <= self.first else super()).start(iteration, report)

    def data(self, iteration: int) -> Batch:
        """All samples, as they are in an iteration: inputs, labels and initial states stay as they were set last."""
        return self._data_until(sum(edit.iteration <= iteration for edit in self._of_data))

    @property
    def original_view(self) -> View:
        """What the present point shows where nothing is edited."""
        view = self.view
        tape = self.original.tape(view.point.iteration)
        return replace(view, line=tape.plan.program.line_at(view.position), tape=tape)

    @cached_property
    def _of_data(self) -> list[Edit]:
        return [edit for edit in self.edits if self._is_data(edit)]

    def _is_data(self, edit: Edit) -> bool:
        return is_data(edit, self.network, self.program)

    def _edited_data(self, count: int) -> Batch:
        """The samples after the first `count` edits of them."""
        whole = self.original.data(0)
        for edit in sorted(self._of_data, key=lambda edit: edit.iteration)[:count]:
            whole = _set_data(self.network, whole, edit, self.batches.indices(edit.iteration))
        return whole

    def _plan(self, iteration: int, size: int) -> Plan:
        activations = [e.value for e in self.edits if e.name == ACTIVATION and e.iteration <= iteration]
        if not activations:
            return self.original._plan(iteration, size)
        key = str(activations[-1]), size
        if key not in self._other_plans:
            network = replace(self.original.network, activation=key[0])
            masked, checkpoints = MASK in self.program.quantities, self.plan.checkpoints
            self._other_plans[key] = plan(network, size, self.program.steps, masked=masked, checkpoints=checkpoints)
        return self._other_plans[key]

    def _run(
        self,
        iteration: int,
        prepared: Plan,
        batch: Batch,
        start: TrainingState,
        into: dict[str, Array] | None,
        progress: Progress | None,
    ) -> Tape:
        edits_here = [
            e for e in self.edits if e.iteration == iteration and e.name != ACTIVATION and not self._is_data(e)
        ]
        weights = [edit for edit in edits_here if edit.name in prepared.network.parameter_axes]
        begin = replace(start, parameters=_set_weights(start.parameters, weights))
        of_lines = [edit for edit in edits_here if edit not in weights]
        recorded = 0.5 if of_lines else 1
        tape = super()._run(iteration, prepared, batch, begin, into, part(progress, 0, recorded))
        return replay(tape, of_lines, part(progress, recorded, 1))


def is_data(edit: Edit, network: Network, program: Program) -> bool:
    """Whether it edits inputs, targets or initial states, which keep their edits in later iterations."""
    if edit.name not in network.table.states or network.learn_initial or edit.t is None:
        return edit.name in ("x", "y")
    return edit.t == program.quantities[edit.name].initial(program.steps)


def edit_of(
    edits: tuple[Edit, ...], plan: Plan, name: str, iteration: int, t: int | None, index: tuple[int, ...]
) -> Edit | None:
    """The edit that set a cell's value; None where its line, the data or the last update made it."""
    return next((edit for edit in reversed(edits) if _covers(edit, plan, name, iteration, t, index)), None)


def _covers(edit: Edit, plan: Plan, name: str, iteration: int, t: int | None, index: tuple[int, ...]) -> bool:
    later = iteration > edit.iteration and is_data(edit, plan.network, plan.program)
    inside = all(i in (None, at) for i, at in zip(edit.index, index, strict=False))
    if edit.name == ACTIVATION or not inside or not (later or iteration == edit.iteration):
        return False
    quantity, updates = plan.program.quantities.get(name), plan.program.updates
    if is_start(edit, plan.network, plan.program) or edit.name in updates or quantity is None:
        return edit.name == name and edit.t in (None, t)
    return (name, quantity.row(t) if quantity.rows and t is not None else 0) in places(edit, plan)


def is_start(edit: Edit, network: Network, program: Program) -> bool:
    """Whether it edits what an iteration starts from, not what its lines write."""
    return edit.name == ACTIVATION or edit.name in network.parameter_axes or is_data(edit, network, program)


def _with_activation(network: Network, edits: tuple[Edit, ...]) -> Network:
    """The network with the activation that was set last."""
    for edit in edits:
        if edit.name == ACTIVATION:
            if not network.table.has_activation:
                raise InputError(f"the cell {network.table.name} has its own activations; they cannot be replaced")
            choose(ACTIVATION, str(edit.value), ACTIVATIONS)
            network = replace(network, activation=str(edit.value))
    return network


def _set_weights(parameters: Mapping[str, Array], edits: list[Edit]) -> Mapping[str, Array]:
    result = dict(parameters)
    for edit in edits:
        if edit.t is not None:
            raise InputError(f"{edit.name} is not in time; leave @{edit.t} away")
        result[edit.name] = result[edit.name].copy()
        with np.errstate(all="ignore"):
            edit.put(result[edit.name])
        result[edit.name].flags.writeable = False
    return result


def _set_data(network: Network, data: Batch, edit: Edit, samples: Array) -> Batch:
    """All samples with an edit of those in a batch put in; InputError where it does not fit."""
    if edit.name not in ("x", "y"):
        hidden = network.sizes[network.state_axes[edit.name][1]]
        state = data.initial.get(edit.name, np.zeros((len(data.X), hidden), network.dtype)).copy()
        state[samples] = _put(edit, state[samples], in_time=False)
        initial = {**data.initial, edit.name: state}
        return replace(data, initial=check_initial(network, len(data.X), data.X.shape[1], initial))
    in_time = edit.name == "x" or network.predict == "every"
    array = (data.X if edit.name == "x" else data.y).copy()
    classes = edit.name == "y" and network.head.classes
    if classes and edit.action == "set" and not float(edit.value).is_integer():
        raise InputError(f"y holds the numbers of classes; {edit.text} is none")
    count = network.head.class_count(network.outputs)
    if classes and edit.action == "set" and not 0 <= float(edit.value) < count:
        raise InputError(f"this network has the classes 0 to {count - 1}; {clean(edit.text, 60)} is none of them")
    if classes and edit.action == "scale":
        raise InputError(f"y holds the numbers of classes; set one, or flip it: {edit.place} = flip")
    if classes and edit.action == "flip" and network.head.class_count(network.outputs) != 2:
        raise InputError(f"there are {network.outputs} classes; say which, for example {edit.place} = 0")
    if array.dtype.kind in "iub" and not classes:
        array = array.astype(network.dtype)
    array[samples] = _put(edit, array[samples], in_time=in_time, classes=classes)
    X, y = check_batch(network, array if edit.name == "x" else data.X, data.y if edit.name == "x" else array)
    return replace(data, X=X, y=y)


def _put(edit: Edit, batch: Array, *, in_time: bool, classes: bool = False) -> Array:
    """(B, T, ...) or (B, ...) with an edit put in, which counts time first."""
    rows = np.moveaxis(batch, 0, 1) if in_time else batch[None]
    if edit.t is not None and (edit.name == "y" and not in_time):
        raise InputError(f"there is one y a sample; leave @{edit.t} away")
    if in_time and edit.t is not None and not 1 <= edit.t <= len(rows):
        raise InputError(f"there are the time steps 1 to {len(rows)}, not {edit.t}")
    for t, row in enumerate(rows, 1):
        if in_time and edit.t not in (None, t):
            continue
        if classes and edit.action == "flip":
            where = edit.within(row.shape)
            row[where] = 1 - row[where]
        else:
            with np.errstate(all="ignore"):
                edit.put(row)
    return batch
