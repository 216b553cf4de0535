"""Recorded values against the reference: which of its quantities a value is, up to the order of its axes, sign and scale."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from engine.doctor.problem import Problem
from engine.functions import Array
from engine.program import Loop

TOLERANCE = 1e-7
"""Relative difference up to which two arrays are the same: what rounding and a small ε in a softmax may do."""
SINGLE = 3e-4
"""The same for arrays of float32."""
MOST_SAMPLES, MOST_STEPS = 64, 64


@dataclass(frozen=True, eq=False)
class Entry:
    """A reference value: quantity, step (None: all steps), sample (None: all). `kind` is value, term (of a sum over time), partial
    (that sum from T down to t) or derivative (g'(z_t))."""

    name: str
    t: int | None
    sample: int | None
    kind: str
    value: Array

    def __str__(self) -> str:
        time = "" if self.t is None else f"@{self.t}"
        return f"{self.name}{time}{'' if self.sample is None else f',{self.sample}'}"

    @property
    def quantities(self) -> tuple[str, ...]:
        """The quantities that lie side by side in it, most often one."""
        return tuple(self.name.split())

    @property
    def is_gradient(self) -> bool:
        """Whether it belongs to the backward pass."""
        return self.name.startswith("d") or self.kind == "derivative"


@dataclass(frozen=True)
class Match:
    """A value is `scale` times the entry, its axes in another order or not."""

    entry: Entry
    scale: float
    transposed: bool


def same(value: Array, entry: Entry) -> Match | None:
    """Whether a value is the entry, up to the order of its axes, sign and scale."""
    return _same(value, entry, TOLERANCE)


class Reference:
    """All values of a problem's tape that a hand-written program may compute, and the search among them."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.entries = list(_entries(problem))
        self._sizes: dict[int, list[int]] = {}
        for k, entry in enumerate(self.entries):
            self._sizes.setdefault(entry.value.size, []).append(k)
        prints = np.array([_fingerprint(entry.value) for entry in self.entries])
        self._prints = {size: prints[rows] for size, rows in self._sizes.items()}

    def matches(self, value: Array) -> list[Match]:
        """Every entry that the value is, the same scale first; [] for a value that is 0 or holds one number only."""
        flat = np.asarray(value, dtype=np.float64)
        tolerance = SINGLE if np.asarray(value).dtype == np.float32 else TOLERANCE
        if flat.size < 2 or flat.size not in self._sizes or not np.isfinite(flat).all() or not flat.any():
            return []
        own = _fingerprint(flat)
        near = np.flatnonzero((np.abs(self._prints[flat.size] - own) < 4 * tolerance).all(axis=1))
        found = [
            match
            for k in near
            if (match := _same(flat, self.entries[self._sizes[flat.size][k]], tolerance)) is not None
        ]
        return sorted(found, key=lambda m: (abs(math.log(abs(m.scale))) > tolerance, m.scale < 0, m.transposed))

    @cached_property
    def by_name(self) -> dict[tuple[str, int | None, int | None, str], Entry]:
        """Entries by name, step, sample and kind."""
        return {(e.name, e.t, e.sample, e.kind): e for e in self.entries}


def _fingerprint(value: Array) -> Array:
    """Two numbers that neither order, sign nor scale change."""
    magnitude = np.abs(np.asarray(value, dtype=np.float64)).ravel()
    norm = math.sqrt(float(magnitude @ magnitude))
    if norm == 0.0 or not math.isfinite(norm):
        return np.array([-1.0, -1.0])
    unit = magnitude / norm
    return np.array([float(unit.sum()) / math.sqrt(unit.size), float((unit**3).sum())])


def _same(value: Array, entry: Entry, tolerance: float) -> Match | None:
    squeezed, wanted = value.squeeze(), entry.value.squeeze()
    if squeezed.ndim != wanted.ndim or sorted(squeezed.shape) != sorted(wanted.shape):
        if squeezed.size != wanted.size:
            return None
        squeezed, wanted = squeezed.ravel(), wanted.ravel()  # folded: (B·T, H), or a matrix as one row
    norm = np.linalg.norm(wanted)
    for order in itertools.permutations(range(wanted.ndim)):
        turned = wanted.transpose(order)
        if turned.shape != squeezed.shape:
            continue
        scale = float(np.vdot(turned, squeezed) / norm**2)
        if scale and np.abs(squeezed - scale * turned).max() <= tolerance * abs(scale) * np.abs(wanted).max() * 10:
            return Match(entry, scale, order != tuple(range(wanted.ndim)))
    return None


def _entries(problem: Problem) -> Iterator[Entry]:
    tape = problem.tape
    program, B, T = tape.plan.program, tape.plan.batch, tape.plan.steps
    samples: Sequence[int] = range(B) if 1 < B <= MOST_SAMPLES else ()
    times = range(1, T + 1) if T <= MOST_STEPS else ()

    def both(name: str, t: int | None, value: Array, kind: str = "value", axis: int = 0) -> Iterator[Entry]:
        yield Entry(name, t, None, kind, value)
        for b in samples if value.ndim > axis and value.shape[axis] == B else ():
            yield Entry(name, t, b, kind, value.take([b], axis=axis))

    for name, value in (*tape.parameters.items(), *_targets(problem)):
        yield Entry(name, None, None, "value", value)
    for name, quantity in program.quantities.items():
        if name in ("y", "N", "loss", "mask", "cut"):
            continue
        value = np.asarray(tape[name], dtype=np.float64)
        if not quantity.rows:
            yield from both(name, None, value) if "B" in quantity.axes else [Entry(name, None, None, "value", value)]
            continue
        extra = quantity.rows == "T+1"
        for t in times:
            yield from both(name, t, value[t if extra else t - 1])
        if extra:
            yield from both(name, 0, value[0])
            yield Entry(name, None, None, "value", value[1:])
            yield Entry(name, None, None, "value", value[:-1])
        yield Entry(name, None, None, "value", value)
        for b in samples:
            yield Entry(name, None, b, "value", value[1 if extra else 0 :, b])
            if extra:
                yield Entry(name, None, b, "value", value[:, b])
                yield Entry(name, None, b, "value", value[:-1, b])
    yield from _derivatives(problem, both, times)
    yield from _sums(problem, times, samples)


def _targets(problem: Problem) -> list[tuple[str, Array]]:
    if not problem.network.head.classes or problem.network.outputs < 2:
        return []
    return [("onehot", np.eye(problem.network.outputs)[problem.y])]


def _derivatives(problem: Problem, both: Any, times: Sequence[int]) -> Iterator[Entry]:
    """g'(z_t), which many write as a line of its own."""
    tape = problem.tape
    if "z" not in tape or "a" not in tape:
        return
    a = tape["a"][1:]
    slope = {"tanh": 1 - a**2, "sigmoid": a * (1 - a), "relu": (tape["z"] > 0) * 1.0}.get(problem.network.activation)
    if slope is None:
        return
    for t in times:
        yield from both("a", t, slope[t - 1], "derivative")
    yield Entry("a", None, None, "derivative", slope)


def _sums(problem: Problem, times: Sequence[int], samples: Sequence[int]) -> Iterator[Entry]:
    """The terms of the gradients that are sums over time or samples, and those sums on the way."""
    tape = problem.tape
    program, T = tape.plan.program, tape.plan.steps
    for line in program.lines:
        name = line.name.removeprefix("d")
        if line.phase != "backward" or name not in tape.parameters:
            continue
        looped = program.blocks[line.block].loop is Loop.DOWN
        own_times = times if looped else (T,)
        over_samples = np.zeros_like(tape[line.name])
        for b in (None, *samples):
            total = np.zeros_like(tape[line.name])
            for t in reversed(own_times):
                term = tape.term(line, t, b)
                if term.shape != total.shape:
                    break
                total = total + term
                yield Entry(line.name, t, b, "term", term)
                if looped:
                    yield Entry(line.name, t, b, "partial", total)
                if b is not None:
                    yield Entry(line.name, t, b, "partial", over_samples + total)
            if b is not None:
                over_samples = over_samples + total
        if looped and own_times:
            forward_total = np.zeros_like(tape[line.name])
            for t in own_times:
                forward_total = forward_total + tape.term(line, t)
                yield Entry(line.name, t, None, "partial", forward_total)
