"""Measuring: alternating runs, and rows of figures with their spread and bound."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

ENOUGH_FOR_P95 = 40


@dataclass(frozen=True)
class Row:
    """One figure: its measured values, and what its median (or its 95th percentile) must not exceed."""

    name: str
    unit: str
    values: Sequence[float]
    bound: float | None = None

    @property
    def median(self) -> float:
        """The middle value."""
        return statistics.median(self.values)

    @property
    def p95(self) -> float | None:
        """The 95th percentile, when there are enough values to speak of one."""
        if len(self.values) < ENOUGH_FOR_P95:
            return None
        return statistics.quantiles(self.values, n=20, method="inclusive")[-1]

    @property
    def verdict(self) -> str:
        """ok or over; empty without a bound."""
        if self.bound is None:
            return ""
        return "ok" if self.median <= self.bound else "over"


def alternate(actions: Mapping[str, Callable[[], float]], rounds: int, warm_up: int = 1) -> dict[str, list[float]]:
    """The values of every action, run in turn (A B A B ...), so that a busy minute meets all of them alike."""
    result: dict[str, list[float]] = {name: [] for name in actions}
    for number in range(-warm_up, rounds):
        for name, action in actions.items():
            value = action()
            if number >= 0:
                result[name].append(value)
    return result


def ratios(values: Sequence[float], peer: Sequence[float]) -> list[float]:
    """Round by round how many times its peer an action took."""
    return [mine / other for mine, other in zip(values, peer, strict=True)]


def one_thread() -> bool:
    """Whether the matrix libraries were told to use one thread; then processor time tells, which other programs hardly disturb."""
    return os.environ.get("OPENBLAS_NUM_THREADS") == os.environ.get("OMP_NUM_THREADS") == "1"


def milliseconds(action: Callable[[], object], repeat: int = 1) -> float:
    """How long one call takes, in milliseconds (of the processor time of all threads with `one_thread`), averaged over `repeat` calls."""
    clock = time.process_time if one_thread() else time.perf_counter
    start = clock()
    for _ in range(repeat):
        action()
    return (clock() - start) * 1000 / repeat


def elapsed(action: Callable[[], object]) -> float:
    """How long one call takes, in milliseconds of time that passes."""
    start = time.perf_counter()
    action()
    return (time.perf_counter() - start) * 1000
