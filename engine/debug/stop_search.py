"""At which offsets of which iterations breakpoints apply: the search for the next stop, and what logpoints print on the way."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterable

from engine.debug.breakpoints import Breakpoint, hits, messages
from engine.debug.stops import Lines
from engine.debug.view import short_place
from engine.model.program import Program
from engine.recording.tape import Tape

OFFSETS_KEPT = 4096
LOGGED = 100
Tick = Callable[[int], None]
Recorded = Callable[[int], Tape]


class StopSearch:
    """Looks for breakpoints iteration by iteration; where one applies is kept.

    `tape` gives the recording of an iteration by its number.
    """

    def __init__(self, program: Program) -> None:
        self.lines = Lines(program)
        self._program = program
        self._offsets: OrderedDict[tuple[Breakpoint, int], list[int]] = OrderedDict()

    def search(
        self,
        tape: Recorded,
        stops: Iterable[Breakpoint],
        position: int,
        direction: int,
        tick: Tick | None,
        iterations: int,
    ) -> int | None:
        """The nearest position after this one (before it when `direction` is negative) at which a breakpoint stops.

        Looks through at most `iterations` further iterations. `tick` is called now and then with the iteration that is
        searched; an exception from it ends the search. None when nothing was found.
        """
        stops = [stop for stop in stops if not stop.log]
        if not stops:
            return None
        length = self._program.length
        first, offset = divmod(position - 1, length) if position else (0, -1)
        last = first + iterations if direction > 0 else max(0, first - iterations)
        for iteration in range(first, last + (1 if direction > 0 else -1), 1 if direction > 0 else -1):
            if tick is not None:
                tick(iteration)
            offsets = self.stops_in(tape, stops, iteration)
            if iteration == first:
                beyond = (
                    slice(bisect_right(offsets, offset), None) if direction > 0 else slice(bisect_left(offsets, offset))
                )
                offsets = offsets[beyond]
            if offsets:
                return 1 + iteration * length + offsets[0 if direction > 0 else -1]
        return None

    def stops_in(self, tape: Recorded, stops: Iterable[Breakpoint], iteration: int) -> list[int]:
        """The offsets at which an iteration stops, in order."""
        stopped = {offset for stop in stops if not stop.log for offset in self.offsets(tape, stop, iteration)}
        return sorted(stopped)

    def offsets(self, tape: Recorded, stop: Breakpoint, iteration: int) -> list[int]:
        """The offsets of an iteration at which one breakpoint applies, its hit count included."""
        applying = self._all_offsets(tape, stop, iteration)
        if stop.hit is None:
            return applying
        before = 0
        for earlier in range(iteration):
            before += len(self._all_offsets(tape, stop, earlier))
            if before >= stop.hit:
                return []
        return applying[stop.hit - before - 1 : stop.hit - before]

    def _all_offsets(self, tape: Recorded, stop: Breakpoint, iteration: int) -> list[int]:
        if stop.fixed:
            return self._known_offsets(tape, stop, 0)
        return self._known_offsets(tape, stop, iteration)

    def _known_offsets(self, tape: Recorded, stop: Breakpoint, iteration: int) -> list[int]:
        key = stop, iteration
        if key not in self._offsets:
            self._offsets[key] = hits(stop, tape(iteration), iteration, self.lines).tolist()
            if len(self._offsets) > OFFSETS_KEPT:
                self._offsets.popitem(last=False)
        return self._offsets[key]

    def logged(self, tape: Recorded, stops: Iterable[Breakpoint], start: int, stop: int) -> list[str]:
        """What logpoints print on the way from one position to a later one, the later one included; the last ones when there are many."""
        points = [logpoint for logpoint in stops if logpoint.log]
        if not points or stop <= start:
            return []
        program = self._program
        length = program.length
        result: list[str] = []
        for iteration in range(max(0, stop - 1) // length, max(0, start - 1) // length - 1, -1):
            passed = sorted(
                (offset, logpoint.text(program), logpoint)
                for logpoint in points
                for offset in self.offsets(tape, logpoint, iteration)
            )
            for offset, _, logpoint in reversed(passed):
                if start < 1 + iteration * length + offset <= stop:
                    said = messages(logpoint, tape(iteration), iteration, offset, self.lines)
                    point = program.point(1 + iteration * length + offset)
                    result.append(f"{short_place(point)}: {', '.join(said)}")
                    if len(result) >= LOGGED:
                        return result[::-1]
        return result[::-1]
