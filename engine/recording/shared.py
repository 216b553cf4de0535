"""A block's stages on all spans of steps, shared by two threads: this one and one beside it.

Each takes, of the tasks that can begin, the first in their order. Loops over time come first, for each waits for that of the span
before. What comes before a loop is made while the loop of the span before runs, what comes after it at most two loops later, while its
rows are still in the cache. No task reads what another one writes at the same time: `before` reads nothing of the loop, the loop of some
samples nothing of the others', and rows of a span are written by that span alone. Each part of `after` goes through the spans in their
order, so that every sum has the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Condition
from typing import NamedTuple

import numpy as np

from engine.language.functions import Array
from engine.recording import threads
from engine.recording.compiled import CompiledBlock, Runner

BEFORE, INSIDE, AFTER = "before", "inside", "after"


class _TaskName(NamedTuple):
    """A stage's part on the span of this number."""

    stage: str
    number: int
    part: int = 0


class _Task(NamedTuple):
    """What can begin when everything that it `needs` is done, and its place in the order."""

    name: _TaskName
    order: tuple[int, int]
    needs: frozenset[_TaskName]
    run: Callable[[], None]


def through(
    stages: CompiledBlock,
    values: dict[str, Array],
    spans: Sequence[tuple[int, int]],
    done: Callable[[], None] = lambda: None,
) -> None:
    """Runs a block on all spans, in their order, in two threads where that helps; `done` is told after each, and an exception from it ends
    the run."""
    if (len(spans) > 1 or len(stages.inside) > 1) and threads.beside():
        Shared(stages, values, spans).run(done)
        return
    for span in spans:
        stages.run(values, *span)
        done()


class Shared:
    """The tasks of a block, for two threads."""

    def __init__(self, stages: CompiledBlock, values: dict[str, Array], spans: Sequence[tuple[int, int]]) -> None:
        self._waiting = sorted(_tasks(stages, values, spans), key=lambda task: task.order)
        self._loops = [
            {_TaskName(INSIDE, number, part) for part in range(len(stages.inside))} for number in range(len(spans))
        ]
        self._done: set[_TaskName] = set()
        self._changed = Condition()

    def run(self, done: Callable[[], None]) -> None:
        """Runs all of them; `done` is told here of each span whose loop is done, and an exception from it, or from a task, ends the run."""
        helper = ThreadPoolExecutor(1, "recording", np.seterr, ("ignore",))
        try:
            beside = helper.submit(self._work)
            for _ in self._begun():
                while self._loops and self._loops[0] <= self._done:
                    del self._loops[0]
                    done()
            beside.result()
        finally:
            self._end()
            helper.shutdown()

    def _work(self) -> None:
        try:
            for _ in self._begun():
                pass
        except BaseException:
            self._end()
            raise

    def _begun(self) -> Iterator[None]:
        """Runs tasks until no other is left to begin, and comes back after each."""
        while (task := self._next()) is not None:
            task.run()
            with self._changed:
                self._done.add(task.name)
                self._changed.notify()
            yield

    def _next(self) -> _Task | None:
        """The next task, when one can begin; None where none is left."""
        with self._changed:
            while self._waiting:
                for place, task in enumerate(self._waiting):
                    if task.needs <= self._done:
                        return self._waiting.pop(place)
                self._changed.wait()
            return None

    def _end(self) -> None:
        """Nothing else begins."""
        with self._changed:
            self._waiting.clear()
            self._changed.notify()


def _tasks(stages: CompiledBlock, values: dict[str, Array], spans: Sequence[tuple[int, int]]) -> Iterator[_Task]:
    def task(runner: Runner, name: _TaskName, order: tuple[int, int], *needs: _TaskName) -> _Task:
        return _Task(
            name,
            order,
            frozenset(need for need in needs if need.number >= 0),
            partial(runner, values, *spans[name.number]),
        )

    for n in range(len(spans)):
        loops, earlier = (
            [_TaskName(INSIDE, number, part) for part in range(len(stages.inside))] for number in (n, n - 2)
        )
        yield task(stages.before, _TaskName(BEFORE, n), (n - 1, 1), *earlier)
        for loop, runner in zip(loops, stages.inside, strict=True):
            yield task(runner, loop, (n, 0), _TaskName(BEFORE, n), loop._replace(number=n - 1))
        for part, runner in enumerate(stages.after):
            yield task(runner, _TaskName(AFTER, n, part), (n + 2, 2), *loops, _TaskName(AFTER, n - 1, part))
