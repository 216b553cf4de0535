"""The data of a run's forward pass as samples and steps, and the outputs with what they are compared with."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.doctor.lineage.record.matching import compared, same
from engine.doctor.lineage.record.reading import Floats, Ids
from engine.doctor.recognise.products import ForwardProducts, ProductUse
from engine.language.functions import Array

RowPlaces = list[tuple[int, int]]
"""The sample and the step of each row."""


@dataclass(frozen=True, eq=False)
class RunSamples:
    """X (B, T, D), the state before each step (B, T, H), and how many steps count where they differ (B,)."""

    X: Array
    before: Array
    lengths: Array | None
    blocks: Sequence[int]
    """How many steps each run through the loop over time has."""
    at_once: int
    """How many samples go through that loop at once."""

    @property
    def shortest(self) -> int:
        """The steps that every sample has."""
        return min(self.blocks)

    def places(self, uses: Sequence[ProductUse]) -> Iterator[RowPlaces]:
        """What sample and step the rows of a weight's uses may be."""
        return self.of_rows([len(use.other) for use in uses])

    def readings(self, rows: int) -> Iterator[RowPlaces]:
        """The same of so many rows in one array."""
        yield from self.of_rows([rows] if len(self.blocks) == 1 else [self.at_once] * (rows // self.at_once))

    def of_rows(self, rows: Sequence[int]) -> Iterator[RowPlaces]:
        """The same of arrays of so many rows each: step by step, or all steps of each run at once, time or samples first."""
        r, runs = self.at_once, list(enumerate(self.blocks))
        if rows == [r] * sum(self.blocks):
            yield [(run * r + b, t) for run, T in runs for t in range(T) for b in range(r)]
        elif rows == [T * r for T in self.blocks]:
            yield [(run * r + b, t) for run, T in runs for t in range(T) for b in range(r)]
            if r > 1:
                yield [(run * r + b, t) for run, T in runs for b in range(r) for t in range(T)]
        if rows == [r] * len(self.blocks):
            yield [(run * r + b, T - 1) for run, T in runs for b in range(r)]


def samples_of(products: ForwardProducts) -> Iterator[RunSamples]:
    """The samples of the run, in each way to read its rows."""
    states = next((w for w in products.states if not w.uses[0].computed.any()), products.states[0])
    of_h = states.computed
    starts = [k for k, use in enumerate(states.uses) if k == 0 or not use.computed[of_h].any()]
    at_once = len(states.uses[0].other)
    if any(len(use.other) != at_once for use in states.uses):
        return
    blocks = [b - a for a, b in itertools.pairwise([*starts, len(states.uses)])]
    B, T = len(blocks) * at_once, max(blocks)
    short = np.repeat(blocks, at_once) if len(set(blocks)) > 1 else None
    before = np.zeros((B, T, int(of_h.sum())))
    skeleton = RunSamples(np.zeros((B, T, 0)), before, short, blocks, at_once)
    for (b, t), row in zip(next(skeleton.places(states.uses)), _rows(states.uses), strict=True):
        before[b, t] = row[of_h]
    reads = states if states.joined else next(iter(products.of_data), None)
    if reads is None:
        return
    of_x = ~reads.computed & ~(reads.ones if states.joined else np.zeros(len(reads.ones), bool))
    for places in skeleton.places(reads.uses):
        X = np.zeros((B, T, int(of_x.sum())))
        for (b, t), row in zip(places, _rows(reads.uses), strict=True):
            X[b, t] = row[of_x]
        yield RunSamples(X, before, short, blocks, at_once)


def _rows(uses: Sequence[ProductUse]) -> Floats:
    return np.concatenate([use.other for use in uses])


@dataclass(frozen=True, eq=False)
class RunTargets:
    """Targets y, and the loss, by its name, of which dL/d(logits) is the gradient up to a factor; `made` says that they are not the
    program's, but made so that it is."""

    loss: str
    y: Array
    made: bool = False


@dataclass(frozen=True, eq=False)
class Outputs:
    """The read-out of a run: its weights and their numbers, the logits of each row (n, C) with dL/d(them), and what these were compared
    with by a difference, where they were."""

    weights: Array
    bias: Array
    held: Mapping[str, Ids]
    logits: Array
    gradient: Array
    places: RowPlaces
    differs_from: Array | None
    samples: RunSamples

    @property
    def predict(self) -> str:
        """Whether the loss is of every step, or of the last."""
        return "every" if self._counted.sum() > len(self.samples.X) else "last"

    @property
    def _counted(self) -> NDArray[np.bool_]:
        """The rows that the loss was made from."""
        return np.any(self.gradient, axis=1)

    def targets(self) -> Iterator[RunTargets]:
        """What the outputs may be compared with, and how; at last what makes any dL/d(logits) one of the squared error."""
        G, every = self.gradient, self.predict == "every"
        B, T = self.samples.X.shape[:2]
        for each in _targets(self.logits, G, self.differs_from):
            whole = np.zeros((B, T, *each.y.shape[1:]), each.y.dtype)
            for (b, t), row in zip(self.places, each.y, strict=True):
                whole[b, t] = row
            ends = np.repeat(self.samples.blocks, self.samples.at_once) - 1
            yield replace(each, y=whole if every else whole[np.arange(B), ends])


def outputs_of(products: ForwardProducts, samples: RunSamples, states: Array, adjoint: Floats) -> Outputs | None:
    """The outputs of these states (B, T, H); None where there is no linear read-out of them. States that are multiplied by what is handed
    over, number by number, are their own outputs."""
    weight = products.read_out
    if weight is None:
        return _states_alone(products, samples, states, adjoint)
    if len(weight.ids) != states.shape[2]:
        return None
    pool, C = products.record.pool, weight.ids.shape[1]
    read = _rows(weight.uses)
    places = _places(read, samples.places(weight.uses), states)
    if places is None:
        return None
    sums = [products.sum_of(use) for use in weight.uses]
    biases = products.biases(sums[0].added, C)
    bias = _sum([pool[ids] for ids in biases], C)
    others = [_other(products, s.end, use, C) for s, use in zip(sums, weight.uses, strict=True)]
    return Outputs(
        pool[weight.ids],
        bias,
        {"Wy": weight.ids} | ({"by": biases[0]} if biases else {}),
        read @ pool[weight.ids] + bias,
        adjoint[np.concatenate([use.result for use in weight.uses])],
        places,
        np.concatenate([o for o in others if o is not None]) if all(o is not None for o in others) else None,
        samples,
    )


def _sum(vectors: Sequence[Floats], size: int) -> Floats:
    total: Floats = np.zeros(size)
    for vector in vectors:
        total += vector
    return total


def _states_alone(products: ForwardProducts, samples: RunSamples, states: Array, adjoint: Floats) -> Outputs | None:
    """The outputs of a program whose loss is a sum of states times what was handed over: the states, read out by the identity."""
    units = states.shape[2]
    for operation, values, factors in products.weighted(units * samples.at_once):
        gradient = factors * operation.result.of(adjoint)
        for rows, G in _as_rows(values, gradient, units):
            places = _places(rows, samples.readings(len(rows)), states)
            if places is not None:
                return Outputs(np.eye(units), _sum([], units), {}, rows, G, places, None, samples)
    return None


def _as_rows(values: Array, gradient: Array, units: int) -> Iterator[tuple[Array, Array]]:
    """Values and dL/d(them) as rows of so many units, which may be any axis, the last first."""
    for axis in reversed(range(values.ndim)):
        if values.shape[axis] == units:
            one, other = (np.moveaxis(array, axis, -1).reshape(-1, units) for array in (values, gradient))
            yield one, other


def _places(rows: Array, candidates: Iterable[RowPlaces], states: Array) -> RowPlaces | None:
    """Which samples and steps rows of states are."""
    return next((p for p in candidates if are_alike(rows, np.array([states[b, t] for b, t in p]))), None)


def _other(products: ForwardProducts, end: int, use: ProductUse, outputs: int) -> Array | None:
    """What a sum is subtracted from or what is subtracted from it, as rows."""
    found = products.read_by(end, "subtract")
    if found is None:
        return None
    values = np.broadcast_to(found[1].of(products.record.pool), products.record.operations[found[0]].shape)
    if values.size != len(use.other) * outputs:
        return None
    return values.reshape(outputs, -1).T if use.turned else values.reshape(-1, outputs)


def are_alike(given: Array, ours: Array) -> bool:
    """Whether two arrays are one, up to rounding."""
    agreement = compared(given.ravel(), ours.ravel())
    return agreement is not None and agreement.right and same(agreement.factor, 1.0)


def _targets(logits: Array, G: Array, differs_from: Array | None) -> Iterator[RunTargets]:
    """Of rows of outputs and dL/d(them) by each loss: which class, or which numbers, the targets are."""
    counted = G.any(axis=1)
    if differs_from is not None:
        yield RunTargets("squared", differs_from)
    if logits.shape[1] > 1:
        yield RunTargets("cross-entropy", np.where(counted, G.argmin(axis=1), 0))
    else:
        yield RunTargets("binary", np.where(counted, G[:, 0] < 0, 0).astype(int))
    yield RunTargets("squared", logits - G / 2, made=True)
