"""What a hypothesis computes on the way: the value of every line at every step, as a program that makes the mistake would see it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.doctor.mistakes.variants.edited_backward import CELL, HEAD, Edits, Executor, Values
from engine.language.functions import Array


@dataclass(frozen=True, eq=False)
class TracedLine:
    """A line's value at step t: of all samples, and where it has samples, each one's in `rows`."""

    stage: str
    t: int
    value: Array
    rows: tuple[Array, ...] = ()


class EditedTrace:
    """The lines of an edited backward pass in the order in which they run."""

    def __init__(self, executor: Executor, edits: Mapping[str, Edits], common: Edits) -> None:
        """`edits` are those of each gradient's own lines, `common` those of everything before."""
        self.executor = executor
        with np.errstate(all="ignore"):
            self.steps = tuple(_steps(executor, edits, common))
        self._by_key = {(step.stage, step.t): step for step in self.steps}

    def get(self, stage: str, t: int) -> TracedLine | None:
        """A line's value at a step."""
        return self._by_key.get((stage, t))

    def of(self, stage: str) -> Iterator[TracedLine]:
        """A line's values in the order in which they are computed."""
        return (step for step in self.steps if step.stage == stage)


def _steps(executor: Executor, edits: Mapping[str, Edits], common: Edits) -> Iterator[TracedLine]:
    values = executor.stored(common)
    delta = executor.delta(common)
    for t in sorted(delta, reverse=True):
        yield _batch("dlogits", t, delta[t], values)
    yield from _terms(executor, edits, values, HEAD, delta)
    found: list[TracedLine] = []
    loop = executor.scan(common, lambda stage, t, value: found.append(_batch(stage, t, value, values)))
    yield from found
    yield from _terms(executor, edits, values, CELL, loop)


def _batch(stage: str, t: int, value: Any, values: Values) -> TracedLine:
    array = np.array(value, dtype=np.float64)
    batch = values["B"]
    rows = tuple(array[b : b + 1] for b in range(batch)) if array.ndim == 2 and len(array) == batch > 1 else ()
    return TracedLine(stage, t, array, rows)


def _terms(
    executor: Executor,
    edits: Mapping[str, Edits],
    values: Values,
    names: tuple[str, ...],
    received: Mapping[int, Array],
) -> Iterator[TracedLine]:
    """Each step's term of the gradients, of all samples and of each, and the sums so far (`sum dWa`)."""
    source = "dlogits" if names is HEAD else "dz"
    own = dict(values)
    for name in names:
        stage, terms = f"d{name}", list[Array]()
        for t, flow in received.items():
            line = executor.line(stage, t, edits.get(name, ()))
            own[source] = flow
            terms.append(np.array(line(own, t)))
            rows: list[Array] = []
            for b in range(values["B"]):
                own[source] = np.where(np.arange(len(flow))[:, None] == b, flow, 0.0)
                rows.append(np.array(line(own, t)))
            yield TracedLine(stage, t, terms[-1], tuple(rows))
            yield TracedLine(f"sum {stage}", t, executor.total(stage, terms, values, edits.get(name, ())))
