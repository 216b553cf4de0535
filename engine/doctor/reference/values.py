"""Recorded values against the reference: which of its quantities a value is, up to the order of its axes, sign and scale."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from engine.doctor.reference.packed_values import Arrays, block, parameters, together
from engine.doctor.reference.problem import Problem
from engine.doctor.vocabulary.packing import Grid
from engine.language.evaluate import evaluate
from engine.language.expression import Call, Name
from engine.language.functions import FUNCTIONS, Array
from engine.model.blocks import Line

TOLERANCE = 1e-7
"""Relative difference up to which two arrays are the same: what rounding and a small ε in a softmax may do."""
SINGLE = 3e-4
"""The same for arrays of float32."""
MOST_SAMPLES, MOST_STEPS = 32, 512
"""Samples and steps that are told apart."""
SUMS = 32 << 20
"""Bytes of terms and partial sums of gradients; those of the largest weights, of single samples first, are left out beyond."""
MOST_MATCHES = 32
"""Entries that one value may be: where a gradient has vanished, sums of all earlier steps are the same."""
AT_ONCE = 1 << 20
"""Numbers of which fingerprints are taken at once."""


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
    """All values of a problem's tape that a hand-written program may compute, and the search among them.

    Values of one size are made when one of that size is looked for: a long recording has very many. `arrays` says which arrays of
    parameters the program has: what it may hold side by side. With `only`, it is those quantities' values alone.
    """

    def __init__(self, problem: Problem, arrays: Arrays | None = None, *, only: Collection[str] = ()) -> None:
        self.problem = problem
        self._makers: dict[int, list[_Maker]] = {}
        beside = _side_by_side(problem, arrays) if arrays is not None else ()
        for maker in (*_values(problem), *_derivatives(problem), *_sums(problem), *beside):
            if not only or maker.name in only:
                self._makers.setdefault(maker.size, []).append(maker)
        self._shelves: dict[int, _Shelf] = {}

    def matches(self, value: Array) -> list[Match]:
        """Every entry that the value is, the same scale first; [] for a value that is 0 or holds one number only."""
        flat = np.asarray(value, dtype=np.float64)
        tolerance = SINGLE if np.asarray(value).dtype == np.float32 else TOLERANCE
        if flat.size < 2 or flat.size not in self._makers or not np.isfinite(flat).all() or not flat.any():
            return []
        near = self._shelf(flat.size).near(flat, 4 * tolerance)
        matches = (match for entry in near if (match := _same(flat, entry, tolerance)) is not None)
        found = itertools.islice(matches, MOST_MATCHES)
        return sorted(found, key=lambda m: (abs(math.log(abs(m.scale))) > tolerance, m.scale < 0, m.transposed))

    def find(self, name: str, t: int | None, sample: int | None = None, kind: str = "value") -> Entry | None:
        """The entry of that name, step, sample and kind."""
        sizes = [size for size, makers in self._makers.items() if any(m.name == name for m in makers)]
        found = (self._shelf(size).by_key.get((name, t, sample, kind)) for size in reversed(sizes))
        return next((entry for entry in found if entry is not None), None)

    @cached_property
    def zeros(self) -> frozenset[str]:
        """Quantities in time that are 0 at some step."""
        tape = self.problem.tape
        rows = (name for name, quantity in tape.plan.program.quantities.items() if quantity.rows)
        return frozenset(
            name for name in rows if not np.asarray(tape[name]).reshape(len(tape[name]), -1).any(axis=1).all()
        )

    def sizes(self, *names: str) -> frozenset[int]:
        """The sizes that values of these quantities have."""
        return frozenset(size for size, makers in self._makers.items() if any(m.name in names for m in makers))

    def _shelf(self, size: int) -> _Shelf:
        if size not in self._shelves:
            self._shelves[size] = _Shelf([entry for maker in self._makers[size] for entry in maker.make()])
        return self._shelves[size]


@dataclass(frozen=True, eq=False)
class _Maker:
    """Entries of one quantity and one size that are not made yet."""

    name: str
    size: int
    make: Callable[[], Iterable[Entry]]


class _Shelf:
    """Entries of one size, in the order of their fingerprints."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = entries
        self.by_key = {(e.name, e.t, e.sample, e.kind): e for e in entries}
        step = max(1, AT_ONCE // entries[0].value.size) if entries else 1
        blocks = [entries[k : k + step] for k in range(0, len(entries), step)]
        prints = [_fingerprints(np.array([e.value.ravel() for e in block], dtype=np.float64)) for block in blocks]
        whole = np.concatenate(prints) if prints else np.empty((0, 2))
        self.order = np.argsort(whole[:, 0], kind="stable")
        self.prints = whole[self.order]
        self.norms = np.array([np.linalg.norm(e.value) for e in entries])[self.order]

    def near(self, value: Array, tolerance: float) -> list[Entry]:
        """The entries whose fingerprint is the value's, those of its scale first."""
        first, second = _fingerprints(value.reshape(1, -1))[0]
        low, high = np.searchsorted(self.prints[:, 0], (first - tolerance, first + tolerance))
        within = np.abs(self.prints[low:high, 1] - second) < tolerance
        places, own = self.order[low:high][within], float(np.linalg.norm(value))
        apart = np.abs(np.log(self.norms[low:high][within] / own)) > tolerance
        return [self.entries[k] for k in places[np.lexsort((places, apart))]]


def _fingerprints(rows: Array) -> Array:
    """For each row two numbers that neither order, sign nor scale change."""
    unit = np.abs(rows)
    norms = np.sqrt(np.einsum("ij,ij->i", unit, unit))
    valid = (norms > 0) & np.isfinite(norms)
    unit /= np.where(valid, norms, 1.0)[:, None]
    result = np.stack([unit.sum(axis=1) / math.sqrt(rows.shape[1]), np.einsum("ij,ij,ij->i", unit, unit, unit)], axis=1)
    result[~valid] = -1.0
    return result


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


def _values(problem: Problem) -> Iterator[_Maker]:
    """Recorded quantities: by step, by sample, and all steps in one array."""
    tape = problem.tape
    for name, value in (*tape.parameters.items(), *_targets(problem)):
        yield _single(name, value)
    for name, quantity in tape.plan.program.quantities.items():
        if name in ("y", "N", "loss", "mask", "cut"):
            continue
        value = np.asarray(tape[name], dtype=np.float64)
        if quantity.rows:
            yield from _rows(problem, name, value)
        else:
            yield _single(name, value)
            if "B" in quantity.axes:
                yield from _by_sample(problem, name, {None: value})


def _single(name: str, value: Array, kind: str = "value") -> _Maker:
    return _Maker(name, value.size, lambda: [Entry(name, None, None, kind, value)])


def _rows(problem: Problem, name: str, value: Array, kind: str = "value") -> Iterator[_Maker]:
    """A quantity in time, (T or T+1, B, ...): row by row, and whole."""
    T = problem.tape.plan.steps
    first = T + 1 - len(value)
    if T <= MOST_STEPS:
        rows: dict[int | None, Array] = dict(enumerate(value, first))
        yield _Maker(name, value[0].size, lambda: [Entry(name, t, None, kind, row) for t, row in rows.items()])
        yield from _by_sample(problem, name, rows, kind)
    wholes = [value] if first else [value[1:], value[:-1], value]
    for whole in wholes:
        yield _single(name, whole, kind)
        if kind == "value":
            yield from _by_sample(problem, name, {None: whole}, axis=1)


def _by_sample(
    problem: Problem, name: str, values: dict[int | None, Array], kind: str = "value", axis: int = 0
) -> Iterator[_Maker]:
    """The samples' parts of values by their step."""
    B, size = len(problem.X), next(iter(values.values())).size

    def make() -> Iterator[Entry]:
        for t, value in values.items():
            for b in range(min(B, MOST_SAMPLES)):
                yield Entry(name, t, b, kind, value[b : b + 1] if axis == 0 else value[:, b])

    if B > 1:
        yield _Maker(name, size // B, make)


def _targets(problem: Problem) -> list[tuple[str, Array]]:
    if not problem.network.head.classes or problem.network.outputs < 2:
        return []
    return [("onehot", np.eye(problem.network.outputs)[problem.y])]


def _derivatives(problem: Problem) -> Iterator[_Maker]:
    """g'(z_t), which many write as a line of its own."""
    tape = problem.tape
    program, T = tape.plan.program, tape.plan.steps
    for line in program.lines:
        call = line.equation.expression
        if line.phase != "forward" or not isinstance(call, Call) or program.quantities[line.name].axes != ("B", "H"):
            continue
        slope, argument = FUNCTIONS[call.function].derivative, call.arguments[0]
        if slope is not None and isinstance(argument, Name):
            u = np.asarray(tape[argument.name], dtype=np.float64)[-T:]
            value = 1.0 * np.asarray(evaluate(slope, lambda _, u=u: u))
            if value.shape == u.shape:
                yield from _rows(problem, line.name, value, "derivative")


def _side_by_side(problem: Problem, arrays: Arrays) -> Iterator[_Maker]:
    """What lies in one array with others of its kind."""
    tape = problem.tape
    for name, value in together(problem, arrays):
        yield from _rows(problem, name, value)
    for grid in parameters(problem, arrays):
        names = [name for row in grid for name in row]
        yield _single(" ".join(names), block(grid, tape.parameters))
        gradients = {name: np.asarray(tape[f"d{name}"]) for name in names}
        whole = block(grid, gradients)
        title = " ".join(f"d{name}" for name in names)
        yield _single(title, whole)
        yield _Maker(title, whole.size, lambda own=(problem, grid, names, title): _packed_sums(*own))


def _packed_sums(problem: Problem, grid: Grid, names: Sequence[str], title: str) -> Iterator[Entry]:
    """The terms and sums of an array that holds several gradients."""
    lines = {line.name: line for line in problem.tape.plan.program.lines if line.phase == "backward"}
    times = range(1, problem.tape.plan.steps + 1) if problem.tape.plan.steps <= MOST_STEPS else ()
    samples = min(len(problem.X), MOST_SAMPLES) if len(problem.X) > 1 else 0
    each = [_sums_of(problem, lines[f"d{name}"], times, samples, looped=True) for name in names]
    for entries in zip(*each, strict=True):
        values = {name: entry.value for name, entry in zip(names, entries, strict=True)}
        yield replace(entries[0], name=title, value=block(grid, values))


def _sums(problem: Problem) -> Iterator[_Maker]:
    """The terms of the gradients that are sums over time or samples, and those sums on the way: as many as memory allows."""
    tape = problem.tape
    program, B, T = tape.plan.program, tape.plan.batch, tape.plan.steps
    lines = [line for line in program.lines if line.phase == "backward" and line.name[1:] in tape.parameters]
    left, chosen = SUMS, list[tuple[Line, Sequence[int], bool, int]]()
    for line in sorted(lines, key=lambda line: tape[line.name].size):
        looped = program.blocks[line.block].in_time
        times = range(1, T + 1) if looped and T <= MOST_STEPS else () if looped else (T,)
        size = 3 * len(times) * tape[line.name].nbytes
        if size <= left:
            left -= size
            chosen.append((line, times, looped, size))
    for line, times, looped, size in chosen:
        kept = min(min(B, MOST_SAMPLES) if B > 1 else 0, left // max(size, 1))
        left -= kept * size
        own = (problem, line, times, kept, looped)
        yield _Maker(line.name, tape[line.name].size, lambda own=own: _sums_of(*own))


def _sums_of(problem: Problem, line: Line, times: Sequence[int], samples: int, looped: bool) -> Iterator[Entry]:
    tape = problem.tape
    zero: Array = np.zeros_like(tape[line.name])
    before = zero  # what earlier samples add
    for b in (None, *range(samples)):
        total = zero
        for t in reversed(times):
            term = tape.term(line, t, b)
            if term.shape != zero.shape:
                break
            total = total + term
            yield Entry(line.name, t, b, "term", term)
            if looped:
                yield Entry(line.name, t, b, "partial", total)
            if b is not None:
                yield Entry(line.name, t, b, "partial", before + total)
        if b is not None:
            before = before + total
    forward = zero
    for t in times if looped else ():
        forward = forward + tape.term(line, t)
        yield Entry(line.name, t, None, "partial", forward)
