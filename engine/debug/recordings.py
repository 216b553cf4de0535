"""The iterations of a training: what each starts from, what it works on, and its recording, made when it is first asked for."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import accumulate
from weakref import WeakValueDictionary

import numpy as np

from engine.debug.pace import Pace
from engine.errors import InputError
from engine.language.functions import Array
from engine.model.network import Network
from engine.model.program import Program
from engine.recording.batches import Batches
from engine.recording.checks import check_batch, check_initial, check_lengths, refuse_too_large
from engine.recording.history import History
from engine.recording.measures import Measured, measure
from engine.recording.plan import Plan, Progress, plan
from engine.recording.record import record_with
from engine.recording.tape import Tape

TAPES_KEPT = 4
WEIGHTS_LIMIT = 16 << 20
OBJECT = 200
"""The bytes that an array takes besides its numbers: of a small network's weights that is most."""


class Packed(Mapping[str, Array]):
    """Arrays of one dtype by name, as they are now, in one piece, and each a read-only view of it when it is asked for."""

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self._places = _places(tuple((name, array.shape) for name, array in arrays.items()))
        self._numbers = np.concatenate([array.ravel() for array in arrays.values()])
        self._numbers.flags.writeable = False
        self.nbytes = self._numbers.nbytes + 2 * OBJECT

    def __getitem__(self, name: str) -> Array:
        place, shape = self._places[name]
        return self._numbers[place].reshape(shape)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def worth_packing(arrays: Mapping[str, Array]) -> bool:
    """Whether arrays take more as objects than by their numbers, and are of one dtype."""
    numbers = sum(array.nbytes for array in arrays.values())
    return numbers < OBJECT * len(arrays) and len({array.dtype for array in arrays.values()}) == 1


@lru_cache(maxsize=16)
def _places(shapes: tuple[tuple[str, tuple[int, ...]], ...]) -> Mapping[str, tuple[slice, tuple[int, ...]]]:
    """Where arrays of these names and shapes lie one after the other: the same object for all states of a training."""
    ends = accumulate(math.prod(shape) for _, shape in shapes)
    return {name: (slice(end - math.prod(shape), end), shape) for (name, shape), end in zip(shapes, ends, strict=True)}


def _bytes_of(arrays: Mapping[str, Array]) -> int:
    return arrays.nbytes if isinstance(arrays, Packed) else sum(array.nbytes + OBJECT for array in arrays.values())


@dataclass(frozen=True, eq=False)
class TrainingState:
    """What an iteration starts from: the parameters, what the optimizer keeps, how many updates were made, and the states that the
    iteration before ended in, where its samples follow that one's."""

    parameters: Mapping[str, Array]
    kept: Mapping[str, Array] = field(default_factory=dict[str, Array])
    updates: int = 0
    states: Mapping[str, Array] = field(default_factory=dict[str, Array])

    @property
    def nbytes(self) -> int:
        """The bytes it holds."""
        return sum(map(_bytes_of, (self.parameters, self.kept, self.states)))

    def packed(self) -> TrainingState:
        """The same in as few pieces as are worth it."""
        parameters, kept = (Packed(each) if worth_packing(each) else each for each in (self.parameters, self.kept))
        return replace(self, parameters=parameters, kept=kept)


@dataclass(frozen=True, eq=False)
class Batch:
    """Samples: X (B, T, D), y and lengths as for `record`, initial states (B, H) by name."""

    X: Array
    y: Array
    initial: Mapping[str, Array]
    lengths: Array | None


class Checkpoints:
    """The training states at the start of iterations: of all iterations while they fit into memory, then of every 2nd,
    4th, ...; the others are trained again from there."""

    def __init__(self, first: TrainingState, iteration: int = 0) -> None:
        self.kept: dict[int, TrainingState] = {iteration: first}
        self.first = iteration
        self.stride = 1
        self.most = 16

    def nearest(self, iteration: int) -> int:
        """The last kept iteration that is not after the one asked for."""
        return max(i for i in self.kept if i <= iteration)

    def keep(self, iteration: int, start: TrainingState) -> None:
        if (iteration - self.first) % self.stride:
            return
        start = self.kept[iteration] = start.packed()
        self.most = max(16, WEIGHTS_LIMIT // max(1, start.nbytes))
        self.thin(self.most)

    def thin(self, most: int) -> None:
        """Keeps at most so many, of every 2nd, 4th, ... iteration."""
        while len(self.kept) > most:
            self.stride *= 2
            self.kept = {i: w for i, w in self.kept.items() if (i - self.first) % self.stride == 0}


class Recordings:
    """The iterations of a training, recorded: any of them can be asked for, in any order.

    X is (N, T, D); y, `initial` and `lengths` are as for `record`, one row per sample. `batch_size` samples make an
    iteration, all of them when it is None, and with `stateful` it goes on from the states that the one before ended in: see `Batches`.
    """

    def __init__(
        self,
        network: Network,
        X: Array,
        y: Array,
        *,
        initial: Mapping[str, Array] | None = None,
        lengths: Array | None = None,
        batch_size: int | None = None,
        stateful: bool = False,
        start: TrainingState | None = None,
        checkpoints: bool = False,
        memory_limit: int | None = None,
    ) -> None:
        self._X, self._y = map(_unchanging, check_batch(network, X, y))
        self.initial = check_initial(network, len(self._X), self._X.shape[1], initial)
        if stateful and network.learn_initial:
            raise InputError("with --stateful states go on from window to window; leave --learn-initial away")
        self.lengths = check_lengths(self._X, lengths)
        self.network = network
        self.batches = Batches(len(self._X), batch_size, network.seed, stateful)
        size = len(self.batches.indices(0))
        masked = self.lengths is not None
        self.plan: Plan = plan(network, size, self._X.shape[1], masked=masked, checkpoints=checkpoints)
        refuse_too_large(self.plan, memory_limit)
        self.pace = Pace()
        """How long recordings may take, and how far the present one is."""
        self._plans = {size: self.plan}
        self._tapes_kept = (
            TAPES_KEPT if memory_limit is None else max(1, min(TAPES_KEPT, memory_limit // self.plan.nbytes() - 1))
        )
        self._starts = Checkpoints(start or TrainingState(network.weights))
        self._tapes: OrderedDict[int, Tape] = OrderedDict()
        self._held: WeakValueDictionary[int, Tape] = WeakValueDictionary()
        """All that somebody holds, as a screen what it shows: its memory is not free, so it need not be recorded again."""
        self._buffers: dict[int, dict[str, Array]] = {}
        self._seconds = 0.0
        """Processor time that the last recording took."""
        self.history = History()
        """The figures of every iteration that has been run."""

    @property
    def program(self) -> Program:
        """The program being stepped through."""
        return self.plan.program

    def tape(self, iteration: int) -> Tape:
        """The recording of an iteration; computed when it is not kept."""
        tape = self._held.get(iteration)
        if tape is None:
            start = self.start(iteration)
            self._make_room()  # free its memory before the next one is recorded
            tape = self._held[iteration] = self._record(iteration, start)
        elif iteration not in self._tapes:
            self._make_room()
        self._tapes[iteration] = tape
        self._tapes.move_to_end(iteration)
        return tape

    def _make_room(self) -> None:
        while len(self._tapes) >= self._tapes_kept:
            self._tapes.popitem(last=False)

    def start(self, iteration: int, report: Callable[[int, Measured], None] | None = None) -> TrainingState:
        """What an iteration starts from; iterations before it that have not been run are trained now. `report` is
        called for each of these; an exception from it ends the training, and the iterations trained by then are kept.
        """
        current, self.pace.wanted = self._starts.nearest(iteration), iteration
        start = self._starts.kept[current]
        while current < iteration:
            tape = self._tapes.get(current) or self._record(current, start, passing=True)
            states = _states_after(tape) if self.batches.goes_on(current + 1) else {}
            start = TrainingState(_parameters_after(tape), tape.kept_after, start.updates + 1, states)
            self._starts.keep(current + 1, start)
            if report is not None:
                report(current, self.history[current])
            current += 1
        return start

    def batch(self, iteration: int) -> Batch:
        """The samples that an iteration works on."""
        return self._batch(iteration, self.start(iteration).states if self.batches.goes_on(iteration) else {})

    def _batch(self, iteration: int, states: Mapping[str, Array]) -> Batch:
        data = self.data(iteration)
        if self.batches.whole:
            return data
        samples = self.batches.indices(iteration)
        initial = {name: state[samples] for name, state in data.initial.items()} | dict(states)
        return Batch(data.X[samples], data.y[samples], initial, None if data.lengths is None else data.lengths[samples])

    def data(self, iteration: int) -> Batch:
        """All samples, as they are in an iteration."""
        return Batch(self._X, self._y, self.initial, self.lengths)

    def network_at(self, iteration: int) -> Network:
        """The network with the weights that it has at the start of an iteration."""
        return replace(self.network, weights=self.tape(iteration).parameters)

    def rest(self, states: int) -> None:
        """Gives back the memory of what can be recorded again, with the same bits, from so many training states at most."""
        self._tapes.clear()
        self._held.clear()
        self._buffers.clear()
        self._starts.thin(states)

    def _record(self, iteration: int, start: TrainingState, *, passing: bool = False) -> Tape:
        """The tape of an iteration; an iteration that is only passed through is recorded into arrays that the next one uses again."""
        batch = self._batch(iteration, start.states)
        size = len(batch.X)
        prepared = self._plan(iteration, size)
        if passing and size not in self._buffers:
            self._buffers = {
                size: prepared.allocate(),
                **{s: b for s, b in self._buffers.items() if len(self._buffers) < 2},
            }
        progress, before = self.pace.begin(iteration, self._seconds), time.thread_time()
        tape = self._run(iteration, prepared, batch, start, self._buffers[size] if passing else None, progress)
        self._seconds = time.thread_time() - before
        if iteration not in self.history:
            self.history.append(measure(tape))
        return tape

    def _plan(self, iteration: int, size: int) -> Plan:
        """How an iteration on that many samples is recorded."""
        prepared = self._plans.get(size)
        if prepared is None:
            prepared = self._plans[size] = replace(self.plan, batch=size)
        return prepared

    def _run(
        self,
        iteration: int,
        prepared: Plan,
        batch: Batch,
        start: TrainingState,
        into: dict[str, Array] | None,
        progress: Progress | None,
    ) -> Tape:
        masks = () if iteration == 0 else self.network.masks  # those that are given are the first iteration's
        tape = record_with(
            prepared,
            batch.X,
            batch.y,
            parameters=start.parameters,
            initial={name: value for name, value in batch.initial.items() if name not in masks},
            lengths=batch.lengths,
            updates=start.updates,
            into=into,
            progress=progress,
        )
        chosen = None if self.batches.whole else self.batches.indices(iteration)
        return replace(tape, kept=start.kept, samples=chosen)


def _unchanging(array: Array) -> Array:
    """The array, where nobody can write to it, else a copy."""
    if not array.flags.writeable and array.flags.owndata:
        return array
    copy = array.copy()
    copy.flags.writeable = False
    return copy


def _parameters_after(tape: Tape) -> dict[str, Array]:
    return {name: tape.updates[name] for name in tape.parameters}


def _states_after(tape: Tape) -> dict[str, Array]:
    """Every state at step T, (B, H); those of the reverse direction come from what follows, and begin anew."""
    quantities = tape.plan.program.quantities
    return {name: np.array(tape[name][-1]) for name in tape.plan.network.table.states if not quantities[name].reverse}
