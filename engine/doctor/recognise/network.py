"""Whether a run computes one of our networks: told by its numbers, never by its names.

The weights of the forward pass are handed to each cell of as many gates, in every order of these, until the states at every step are the
program's. The targets are those of which dL/d(logits), as it is carried back over the record, is the gradient. What is found was compared:
the states, and the gradient of every weight, up to one factor.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log

import numpy as np

from engine.doctor.lineage.gradients.inputs import inputs
from engine.doctor.lineage.record.matching import compared, same
from engine.doctor.lineage.record.reading import Floats, Ids, Record
from engine.doctor.lineage.the_loss.loss import ChosenLoss, adjoint_of
from engine.doctor.recognise.gates import Gate, order_of, pre_activations, pre_activations_of, weights_of
from engine.doctor.recognise.products import ForwardProducts
from engine.doctor.recognise.samples import Outputs, RunSamples, are_alike, outputs_of, samples_of
from engine.doctor.reference.forward import forward
from engine.doctor.reference.packed_values import Arrays
from engine.doctor.reference.problem import Problem
from engine.language.expression import Name
from engine.language.functions import ACTIVATIONS, Array
from engine.model.network import Network
from engine.tables.cells import BY_NAME, VARIANTS, Cell

LARGEST = 4_000_000
"""Of more states than these the reference is not recorded beside the run: it takes too long."""
FEW_SAMPLES, FEW_STEPS = 4, 6
"""So much of the data tells cells and orders of gates apart; what fits is then compared on all of it."""


@dataclass(frozen=True, eq=False)
class Recognised:
    """A problem of ours that a round of a run computes: its loss is `factor` times ours; with `made_targets` the targets are none of the
    program's, whose loss is another. `turned` says that its weights have their outputs first, `arrays` how it holds the parameters, `held`
    which numbers of the record each parameter is, (inputs, outputs)."""

    problem: Problem
    factor: float
    made_targets: bool
    turned: bool
    arrays: Arrays
    held: Mapping[str, Ids]


@dataclass(frozen=True, eq=False)
class _Fit:
    """A cell with weights by which the states are the program's."""

    cell: Cell
    activation: str
    order: Sequence[Gate]
    weights: Mapping[str, Array]
    held: Mapping[str, Ids]


def recognised(
    record: Record, loss: ChosenLoss, parameters: Sequence[Ids] = (), cells: Sequence[Cell] = (), unit: float = 1.0
) -> Recognised | None:
    """The network of ours that a round computes, None where it is none. `parameters` are what is known to be weights; `cells` are tried
    before those that come along. The program's own gradients are `unit` times those of its loss: of mean and sum that one is ours whose
    numbers are nearer to them."""
    adjoint = adjoint_of(record, loss)
    every_cell = (*cells, *BY_NAME.values(), *itertools.chain.from_iterable(VARIANTS.values()))
    for known in (parameters, inputs(record)) if parameters else (inputs(record),):
        found = next(_found(ForwardProducts(record, loss, known), adjoint, unit, every_cell), None)
        if found is not None:
            return found
    return None


def _found(products: ForwardProducts, adjoint: Floats, unit: float, cells: Sequence[Cell]) -> Iterator[Recognised]:
    made = pre_activations(products)
    if made is None:
        return
    for samples in samples_of(products):
        if samples.before.size > LARGEST:
            continue
        for fit in _fits(made, samples, cells):
            outputs = outputs_of(products, samples, _states(fit, samples, len(samples.X), samples.X.shape[1]), adjoint)
            if outputs is None:
                continue
            held = {**fit.held, **outputs.held}
            weights = {**fit.weights, "Wy": outputs.weights, "by": outputs.bias}
            found = next(_that_agree(fit, samples, outputs, adjoint, weights, held, unit), None)
            if found is not None:
                yield Recognised(*found, made[0].turned, order_of(fit.order, fit.cell), held)


def _fits(made: Sequence[Gate], samples: RunSamples, cells: Sequence[Cell]) -> Iterator[_Fit]:
    """The cells, with the gates in every order, that make the program's states of its weights."""
    rows, steps = min(FEW_SAMPLES, len(samples.X)), min(FEW_STEPS, samples.shortest)
    for cell in cells:
        if len(pre_activations_of(cell)) != len(made):
            continue
        for order in itertools.permutations(made):
            weights, held = weights_of(order, cell)
            if weights.keys() != cell.parameters.keys():
                break
            for activation in ACTIVATIONS if cell.has_activation else (next(iter(ACTIVATIONS)),):
                fit = _Fit(cell, activation, order, weights, held)
                states = _states(fit, samples, rows, steps)
                if steps == 1 or are_alike(samples.before[:rows, 1:steps], states[:, : steps - 1]):
                    yield fit


def _states(fit: _Fit, samples: RunSamples, rows: int, steps: int) -> Array:
    """The outputs (B, T, H) of the first samples and steps."""
    start = {name: np.zeros((rows, samples.before.shape[2])) for name in fit.cell.states}
    start[fit.cell.output] = samples.before[:rows, 0]
    X = samples.X[:rows, :steps]
    with np.errstate(all="ignore"):
        passes = forward(fit.cell, fit.activation, fit.weights, X, start)
        return np.stack([look_up(Name(fit.cell.output)) for look_up in passes], axis=1)


def _that_agree(
    fit: _Fit,
    samples: RunSamples,
    outputs: Outputs,
    adjoint: Floats,
    weights: Mapping[str, Array],
    held: Mapping[str, Ids],
    unit: float,
) -> Iterator[tuple[Problem, float, bool]]:
    """The problems of which the program's gradients are multiples: with the mean or the sum as its loss, whichever is nearer; the factor;
    whether the targets are made."""
    B, T, D = samples.X.shape
    H, C = samples.before.shape[2], outputs.logits.shape[-1]
    given = samples.before[:, 0]
    initial = {fit.cell.output: given} if given.any() else {}
    for targets in outputs.targets():
        agreed: list[tuple[Problem, float, bool]] = []
        for reduction in ("mean", "sum"):
            network = Network(
                D,
                C,
                H,
                cell=fit.cell,
                activation=fit.activation,
                predict=outputs.predict,
                loss=targets.loss,
                reduction=reduction,
                weights=weights,
            )
            problem = Problem(network, samples.X, targets.y, initial, samples.lengths)
            factor = _factor(problem, adjoint, held)
            if factor is not None and (network.loss == "squared" or _is_count(factor, (B, T))):
                agreed.append((problem, factor, targets.made))
        if agreed:
            yield min(agreed, key=lambda found: abs(log(abs(found[1] * unit))))


def _is_count(factor: float, sizes: tuple[int, int]) -> bool:
    """Whether a loss is a sum or a mean over samples or steps of what ours is, perhaps halved: one sample's gradient has any factor."""
    of_sizes = ((1, size, 1 / size) for size in sizes)
    return any(same(factor, a * b * c) for a, b, c in itertools.product(*of_sizes, (0.5, 1, 2)))


def _factor(problem: Problem, adjoint: Floats, held: Mapping[str, Ids]) -> float | None:
    """How many times ours the program's loss is, where that holds for the gradient of every weight; None where it does not."""
    factors: list[float] = []
    for name, ids in held.items():
        ours, theirs = np.ravel(problem.tape.gradients[name]), adjoint[ids].ravel()
        if not ours.any() and not theirs.any():
            continue
        agreement = compared(theirs, ours)
        if agreement is None or not agreement.right:
            agreement = compared(_without_penalty(theirs, ours, np.ravel(problem.parameters[name])), ours)
        if agreement is None or not agreement.right:
            return None
        factors.append(agreement.factor)
    return factors[0] if factors and all(same(f, factors[0]) for f in factors) else None


def _without_penalty(gradient: Floats, ours: Floats, weights: Floats) -> Floats:
    """A gradient without the multiple of the weights in it that a penalty on their squares adds."""
    (_, share), *_ = np.linalg.lstsq(np.stack([ours, weights], axis=1), gradient, rcond=None)
    return gradient - share * weights
