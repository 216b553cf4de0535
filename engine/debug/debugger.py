"""The debugger without a screen: the present position, the moves, and what can be seen at a point.

Moving is arithmetic on positions; an iteration is recorded when it is first entered, and what a point shows is a view of that recording.
So every move has its exact inverse, across updates too.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from engine.debug.breakpoints import Breakpoint, hits, messages, names_of, parse_breakpoint, shown, value_at
from engine.debug.predicates import Predicate, parse
from engine.debug.stops import Lines
from engine.errors import InputError
from engine.language.derive import NEXT, OUT
from engine.language.expression import ExpressionError
from engine.language.functions import Array
from engine.model.network import Network
from engine.model.program import START, Line, Loop, Point, Program, when_written
from engine.recording.batches import Batches
from engine.recording.measures import Measured, measure
from engine.recording.plan import Plan, Progress, plan, refuse_too_large
from engine.recording.tape import Tape, check_batch, check_initial, check_lengths, record_with
from engine.text import clean

TAPES_KEPT = 4
OFFSETS_KEPT = 4096
SEARCHED = 1000
"""Iterations that a search for a breakpoint goes through at most."""
LOGGED = 100
Tick = Callable[[int], None]
WEIGHTS_LIMIT = 256 << 20


@dataclass(frozen=True, eq=False)
class View:
    """What can be seen at a point. Immutable: a front end may keep it."""

    position: int
    point: Point
    line: Line | None
    tape: Tape
    breakpoints: frozenset[Breakpoint]

    @property
    def program(self) -> Program:
        """The program being stepped through."""
        return self.tape.plan.program

    @property
    def offset(self) -> int:
        """The number of the line that ran last within this iteration; −1 at the start."""
        return -1 if self.position == 0 else (self.position - 1) % self.program.length

    def ran(self, line: Line) -> bool:
        """Whether every run of a line in this iteration is over."""
        block = self.program.blocks[line.block]
        runs = block.runs(self.program.steps, len(self.program.parameters))
        return self.offset >= self.program.offset(line) + (runs - 1) * len(block.lines)

    def computed(self, name: str) -> Array:
        """For a quantity in time: (rows,) booleans, which rows are computed at this point. Else a single boolean (a 0-d array)."""
        return np.asarray(self.offset >= self.written(name))

    def written(self, name: str) -> Array:
        """After which line of the iteration each row of a quantity (or the whole of it) is computed; −1: known from the start."""
        return when_written(self.program, name)

    def value(self, name: str, t: int | None = None) -> Array | None:
        """A quantity at step t as it is at this point: None while it is not computed, gradients as far as they are summed.

        For a quantity in time, t must be given; all its rows are `tape[name]`, of which `computed(name)` says which are computed.
        """
        quantity = self.program.quantities.get(name)
        if t is not None and not 0 <= t <= self.program.steps:
            raise InputError(f"there are the time steps 1 to {self.program.steps}, and 0 for initial states; not {t}")
        if name in self.program.updates:
            return self.tape.updates[name] if self.offset >= self.program.update_offset(name) else None
        if quantity is None:
            return self.parameter(name) if name in self.tape.parameters else self._flow(name, t)
        if quantity.rows and t is None:
            raise InputError(f"{name} is in time; name the step too, or take tape[{name!r}] and computed({name!r})")
        if quantity.rows == "T" and t == 0:
            raise InputError(f"{name} begins at t = 1")
        if name in self._accumulating:
            return self.gradient(name)
        row = quantity.row(t) if quantity.rows and t is not None else ()
        return self.tape.at(name, t) if self.computed(name)[row] else None

    def parameter(self, name: str) -> Array:
        """A parameter as it is at this point: the old one until its update line has run."""
        done = self.offset >= self.program.update_offset(name)
        return self.tape.updates[name] if done else self.tape.parameters[name]

    def summed_to(self, name: str) -> int | None:
        """The time step down to which a gradient is summed at this point; None before its first term."""
        (line,) = self.program.writers(name)
        if self.offset < self.program.offset(line):
            return None
        if self.program.blocks[line.block].loop is not Loop.DOWN:
            return self.program.steps
        runs = (self.offset - self.program.offset(line)) // self.program.run_length(line)
        return max(1, self.program.steps - runs)

    def gradient(self, name: str) -> Array | None:
        """dL/dparameter (by the gradient's name) as far as it is summed at this point."""
        t = self.summed_to(name)
        return None if t is None else self.tape.partial(name, t)

    def term(self, name: str, t: int) -> Array | None:
        """The term that step t adds to a gradient, `dWa@t`; None while that step has not been reached."""
        reached = self.summed_to(name)
        (line,) = self.program.writers(name)
        return None if reached is None or t < reached else self.tape.term(line, t)

    @cached_property
    def _accumulating(self) -> frozenset[str]:
        return frozenset(line.name for line in self.program.lines if line.equation.accumulate)

    def _flow(self, name: str, t: int | None) -> Array | None:
        if name not in self.tape:
            raise InputError(f"there is no quantity {name!r}; there are {', '.join(self.program.quantities)}")
        base = next(name.removesuffix(suffix) for suffix in (OUT, NEXT) if name.endswith(suffix))
        return None if self.value(base, t) is None else self.tape.at(name, t)


def _parameters_after(tape: Tape) -> dict[str, Array]:
    return {name: tape.updates[name] for name in tape.parameters}


@dataclass(frozen=True, eq=False)
class TrainingState:
    """What an iteration starts from: the parameters, what the optimizer keeps, and how many updates were made."""

    parameters: Mapping[str, Array]
    kept: Mapping[str, Array] = field(default_factory=dict[str, Array])
    updates: int = 0

    @property
    def nbytes(self) -> int:
        """The bytes it holds."""
        return sum(array.nbytes for array in (*self.parameters.values(), *self.kept.values()))


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
        self.kept[iteration] = start
        self.most = max(16, WEIGHTS_LIMIT // max(1, start.nbytes))
        if len(self.kept) > self.most:
            self.stride *= 2
            self.kept = {i: w for i, w in self.kept.items() if (i - self.first) % self.stride == 0}


def short_place(point: Point) -> str:
    """A point in few characters: `3 · t=7 dz`."""
    when = "" if point.t is None else f"t={point.t} "
    return START if point.line == START else f"{point.iteration} · {when}{point.parameter or point.line}"


def place_text(point: Point) -> str:
    """A point in a few words: `iteration 3, backward, t = 7, dz`."""
    if point.line == START:
        return START
    parts = [f"iteration {point.iteration}", point.phase, *([] if point.t is None else [f"t = {point.t}"])]
    return ", ".join((*parts, point.parameter or point.line))


class Debugger:
    """Steps through the forward pass, the loss, the backward pass and the update, iteration after iteration, and back.

    X is (N, T, D); y, `initial` and `lengths` are as for `record`, one row per sample. `batch_size` samples make an
    iteration, all of them when it is None: see `Batches`. Moves return whether anything changed; `view` is what the
    present point shows.
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
        start: TrainingState | None = None,
        checkpoints: bool = False,
        memory_limit: int | None = None,
    ) -> None:
        self._X, self._y = (array.copy() for array in check_batch(network, X, y))
        self.initial = check_initial(network, len(self._X), initial)
        self.lengths = check_lengths(self._X, lengths)
        self.network = network
        self.batches = Batches(len(self._X), batch_size, network.seed)
        size = len(self.batches.indices(0))
        masked = self.lengths is not None
        self.plan: Plan = plan(network, size, self._X.shape[1], masked=masked, checkpoints=checkpoints)
        refuse_too_large(self.plan, memory_limit)
        self.progress: Progress | None = None
        """Called with the share of a recording that is done; an exception from it ends the recording, and the debugger
        stays where it was."""
        self.position = 0
        self.breakpoints: frozenset[Breakpoint] = frozenset()
        self.watches: tuple[Predicate, ...] = ()
        self._plans = {size: self.plan}
        self._tapes_kept = (
            TAPES_KEPT if memory_limit is None else max(1, min(TAPES_KEPT, memory_limit // self.plan.nbytes() - 1))
        )
        self._starts = Checkpoints(start or TrainingState(network.weights))
        self._tapes: OrderedDict[int, Tape] = OrderedDict()
        self._buffers: dict[int, dict[str, Array]] = {}
        self._offsets: OrderedDict[tuple[Breakpoint, int], list[int]] = OrderedDict()
        self.history: dict[int, Measured] = {}
        """The figures of every iteration that has been run."""

    @property
    def program(self) -> Program:
        """The program being stepped through."""
        return self.plan.program

    @property
    def view(self) -> View:
        """What the present point shows."""
        point = self.program.point(self.position)
        tape = self.tape(point.iteration)
        return View(self.position, point, self.program.line_at(self.position), tape, self.breakpoints)

    def tape(self, iteration: int) -> Tape:
        """The recording of an iteration; computed when it is not kept."""
        if iteration in self._tapes:
            self._tapes.move_to_end(iteration)
            return self._tapes[iteration]
        start = self.start(iteration)
        while len(self._tapes) >= self._tapes_kept:  # free its memory before the next one is recorded
            self._tapes.popitem(last=False)
        tape = self._tapes[iteration] = self._record(iteration, start)
        return tape

    def start(self, iteration: int, report: Callable[[int, Measured], None] | None = None) -> TrainingState:
        """What an iteration starts from; iterations before it that have not been run are trained now. `report` is
        called for each of these; an exception from it ends the training, and the iterations trained by then are kept.
        """
        current = self._starts.nearest(iteration)
        start = self._starts.kept[current]
        while current < iteration:
            tape = self._tapes.get(current) or self._record(current, start, passing=True)
            start = TrainingState(_parameters_after(tape), tape.kept_after, start.updates + 1)
            self._starts.keep(current + 1, start)
            if report is not None:
                report(current, self.history[current])
            current += 1
        return start

    def batch(self, iteration: int) -> Batch:
        """The samples that an iteration works on."""
        data = self.data(iteration)
        if self.batches.whole:
            return data
        samples = self.batches.indices(iteration)
        initial = {name: state[samples] for name, state in data.initial.items()}
        return Batch(data.X[samples], data.y[samples], initial, None if data.lengths is None else data.lengths[samples])

    def data(self, iteration: int) -> Batch:
        """All samples, as they are in an iteration."""
        return Batch(self._X, self._y, self.initial, self.lengths)

    def network_at(self, iteration: int) -> Network:
        """The network with the weights that it has at the start of an iteration."""
        return replace(self.network, weights=self.tape(iteration).parameters)

    # Moves

    def go(self, to: Point | int) -> bool:
        """Goes to a point or a position; InputError when there is no such point."""
        position = self.program.position(to) if isinstance(to, Point) else max(0, to)
        moved, self.position = position != self.position, position
        return moved

    def step(self, lines: int = 1) -> bool:
        """Moves by a number of lines, back when it is negative."""
        return self.go(self.position + lines)

    def next(self) -> bool:
        """The same line at the next time step in the order of execution; at the edge of a loop, the end of what follows it."""
        return self._time_step(1)

    def previous(self) -> bool:
        """The same line at the time step before; at the edge of a loop, the end of what precedes it."""
        return self._time_step(-1)

    def finish(self) -> bool:
        """Goes to the end of the phase; from there to the end of the next phase."""
        if self.position == 0:
            return self.go(self.program.phase_range("forward").stop)
        base, offset = self._split()
        ends = [self.program.phase_range(block.phase).stop - 1 for block in self.program.blocks]
        later = [end for end in ends if end > offset]
        return self.go(1 + base + (later[0] if later else self.program.length + ends[0]))

    def start_of_phase(self) -> bool:
        """Goes to the first point of the phase; from there to the first point of the phase before."""
        if self.position == 0:
            return False
        base, offset = self._split()
        starts = sorted({self.program.phase_range(block.phase).start for block in self.program.blocks})
        earlier = [start for start in starts if start < offset]
        if earlier:
            return self.go(1 + base + earlier[-1])
        return self.go(1 + base - self.program.length + starts[-1] if base else 0)

    def continue_(self, tick: Tick | None = None) -> bool:
        """Goes on to the next breakpoint; stays where it is when there is none."""
        position = self.search(1, tick)
        return position is not None and self.go(position)

    def reverse_continue(self, tick: Tick | None = None) -> bool:
        """Goes back to the previous breakpoint; stays where it is when there is none."""
        position = self.search(-1, tick)
        return position is not None and self.go(position)

    # Breakpoints

    def toggle(self, line: Line, t: int | None = None) -> bool:
        """Sets a breakpoint on a line (at one time step only when `t` is given), or removes it; whether it is set now.

        Raises InputError when the line never runs at that step.
        """
        if t is not None and not self.program.runs_at(line, t):
            raise InputError(f"the line {line.name} never runs at t = {t}")
        breakpoint_ = Breakpoint(line.block, line.index, t)
        self.breakpoints = self.breakpoints ^ {breakpoint_}
        return breakpoint_ in self.breakpoints

    def remove(self, stop: Breakpoint) -> None:
        """Takes a breakpoint away."""
        self.breakpoints -= {stop}

    def add(self, text: str) -> list[Breakpoint]:
        """Sets the breakpoints that `text` means, see `engine.debug.breakpoints`; InputError when it means none."""
        stops = parse_breakpoint(text, self.program, len(self._X))
        for stop in stops:  # refuse now what does not fit these shapes
            hits(stop, self.tape(self._iteration()), self._iteration(), self.lines)
        self.breakpoints |= set(stops)
        return stops

    def watch(self, text: str) -> Predicate:
        """Adds a watch expression, to be evaluated at every stop; InputError when it is none."""
        try:
            watched = parse(text, names_of(self.program))
        except ExpressionError as error:
            raise InputError(clean(str(error), 400)) from None
        self.watches = (*(kept for kept in self.watches if kept != watched), watched)
        return watched

    def watched(self, expression: Predicate) -> str:
        """The value of a watch expression at the present point, in a few characters."""
        iteration = self._iteration()
        offset = -1 if self.position == 0 else (self.position - 1) % self.program.length
        return shown(value_at(expression, self.tape(iteration), iteration, offset, self.lines))

    def search(self, direction: int, tick: Tick | None = None, *, iterations: int = SEARCHED) -> int | None:
        """The nearest position after the present one (before it when `direction` is negative) at which a breakpoint stops.

        Looks through at most `iterations` further iterations. `tick` is called now and then with the iteration that is
        searched; an exception from it ends the search. None when nothing was found.
        """
        if not any(not stop.log for stop in self.breakpoints):
            return None
        base, offset = self._split() if self.position else (0, -1)
        first = base // self.program.length
        last = first + iterations if direction > 0 else max(0, first - iterations)
        for iteration in range(first, last + (1 if direction > 0 else -1), 1 if direction > 0 else -1):
            if tick is not None:
                tick(iteration)
            stops = self.stops_in(iteration)
            if iteration == first:
                stops = stops[bisect_right(stops, offset) :] if direction > 0 else stops[: bisect_left(stops, offset)]
            if stops:
                return 1 + iteration * self.program.length + stops[0 if direction > 0 else -1]
        return None

    def stops_in(self, iteration: int) -> list[int]:
        """The offsets at which an iteration stops, in order."""
        stops = [stop for stop in self.breakpoints if not stop.log]
        stopped = {offset for stop in stops for offset in self.offsets(stop, iteration)}
        return sorted(stopped)

    def offsets(self, stop: Breakpoint, iteration: int) -> list[int]:
        """The offsets of an iteration at which one breakpoint applies, its hit count included."""
        applying = self._all_offsets(stop, iteration)
        if stop.hit is None:
            return applying
        before = 0
        for earlier in range(iteration):
            before += len(self._all_offsets(stop, earlier))
            if before >= stop.hit:
                return []
        return applying[stop.hit - before - 1 : stop.hit - before]

    def _all_offsets(self, stop: Breakpoint, iteration: int) -> list[int]:
        if stop.fixed:
            return self._known_offsets(stop, 0)
        return self._known_offsets(stop, iteration)

    def _known_offsets(self, stop: Breakpoint, iteration: int) -> list[int]:
        key = stop, iteration
        if key not in self._offsets:
            self._offsets[key] = hits(stop, self.tape(iteration), iteration, self.lines).tolist()
            if len(self._offsets) > OFFSETS_KEPT:
                self._offsets.popitem(last=False)
        return self._offsets[key]

    def logged(self, start: int, stop: int) -> list[str]:
        """What logpoints print on the way from one position to a later one, the later one included; the last ones when there are many."""
        points = [logpoint for logpoint in self.breakpoints if logpoint.log]
        if not points or stop <= start:
            return []
        length = self.program.length
        result: list[str] = []
        for iteration in range(max(0, stop - 1) // length, max(0, start - 1) // length - 1, -1):
            passed = sorted(
                (offset, logpoint.text(self.program), logpoint)
                for logpoint in points
                for offset in self.offsets(logpoint, iteration)
            )
            for offset, _, logpoint in reversed(passed):
                if start < 1 + iteration * length + offset <= stop:
                    said = messages(logpoint, self.tape(iteration), iteration, offset, self.lines)
                    result.append(
                        f"{short_place(self.program.point(1 + iteration * length + offset))}: {', '.join(said)}"
                    )
                    if len(result) >= LOGGED:
                        return result[::-1]
        return result[::-1]

    @cached_property
    def lines(self) -> Lines:
        """The line, phase and time step of every offset of an iteration."""
        return Lines(self.program)

    def _iteration(self) -> int:
        return max(0, self.position - 1) // self.program.length

    def _split(self) -> tuple[int, int]:
        """The position of the iteration's first line less one, and the offset in the iteration."""
        iteration, offset = divmod(self.position - 1, self.program.length)
        return iteration * self.program.length, offset

    def _time_step(self, direction: int) -> bool:
        line = self.program.line_at(self.position)
        if line is not None:
            block = self.program.blocks[line.block]
            base, offset = self._split()
            target = offset + direction * len(block.lines)
            if block.loop in (Loop.UP, Loop.DOWN) and target in self.program.block_range(line.block):
                return self.go(1 + base + target)
        return self._group(direction)

    def _group(self, direction: int) -> bool:
        """The end of the group of lines (a time step of a loop, or a block outside one) after this one, or before."""
        if self.position == 0:
            return direction > 0 and self.go(len(self.program.blocks[0].lines))
        base, offset = self._split()
        number = next(n for n in range(len(self.program.blocks)) if offset in self.program.block_range(n))
        covered = self.program.block_range(number)
        if direction > 0:
            end = covered.stop - 1
            if self.program.blocks[number].loop not in (Loop.UP, Loop.DOWN) and offset < end:
                return self.go(1 + base + end)
            follower = self.program.blocks[(number + 1) % len(self.program.blocks)]
            looped = follower.loop in (Loop.UP, Loop.DOWN)
            length = len(follower.lines) * (
                1 if looped else follower.runs(self.program.steps, len(self.program.parameters))
            )
            return self.go(1 + base + end + length)
        return self.go(base + covered.start)

    def _record(self, iteration: int, start: TrainingState, *, passing: bool = False) -> Tape:
        """The tape of an iteration; an iteration that is only passed through is recorded into arrays that the next one uses again."""
        batch = self.batch(iteration)
        size = len(batch.X)
        prepared = self._plan(iteration, size)
        if passing and size not in self._buffers:
            self._buffers = {
                size: prepared.allocate(),
                **{s: b for s, b in self._buffers.items() if len(self._buffers) < 2},
            }
        tape = self._run(iteration, prepared, batch, start, self._buffers[size] if passing else None)
        if iteration not in self.history:
            self.history[iteration] = measure(tape)
        return tape

    def _plan(self, iteration: int, size: int) -> Plan:
        """How an iteration on that many samples is recorded."""
        prepared = self._plans.get(size)
        if prepared is None:
            prepared = self._plans[size] = replace(self.plan, batch=size)
        return prepared

    def _run(
        self, iteration: int, prepared: Plan, batch: Batch, start: TrainingState, into: dict[str, Array] | None
    ) -> Tape:
        tape = record_with(
            prepared,
            batch.X,
            batch.y,
            parameters=start.parameters,
            initial=batch.initial,
            lengths=batch.lengths,
            into=into,
            progress=self.progress,
        )
        chosen = None if self.batches.whole else self.batches.indices(iteration)
        return replace(tape, updates_before=start.updates, kept=start.kept, samples=chosen)
