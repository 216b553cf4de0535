"""The targets that a file's arrays may be, and of which losses."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from engine.doctor.compare.ways import CANDIDATES, Known
from engine.doctor.reference.problem import Problem
from engine.language.functions import Array
from engine.tables.heads import HEADS

CLASS_LOSSES = tuple(name for name, head in HEADS.items() if head.output_a_class)
TWO_CLASS_LOSSES = tuple(name for name, head in HEADS.items() if head.two_classes)
NUMBER_LOSSES = tuple(name for name, head in HEADS.items() if not head.classes and head.predicts)


def with_targets(problem: Problem, known: Known) -> Iterator[Problem]:
    """The problem with the targets that the file's arrays may be, and each loss that these allow."""
    B, T = problem.X.shape[:2]
    C = problem.network.outputs
    seen, fits = list[Array](), False
    for _, value, _ in known.get("y", [])[: 4 * CANDIDATES]:
        if any(s.shape == value.shape and np.array_equal(s, value) for s in seen):
            continue
        if value.ndim > 1 and not value.any():
            continue  # before it is filled
        seen.append(value)
        for loss, predict, y in _target_readings(value, B, T, C):
            fits = True
            network = replace(problem.network, loss=loss, predict=predict)
            yield replace(problem, network=network, y=y)
    if not fits and B == 1:  # a target that is the variable of a loop, or one of those of all samples
        network = replace(problem.network, loss=(CLASS_LOSSES if C > 1 else TWO_CLASS_LOSSES)[0])
        yield from (replace(problem, network=network, y=np.array([c])) for c in range(max(C, 2)))


def _target_readings(value: Array, B: int, T: int, C: int) -> Iterator[tuple[str, str, Array]]:
    whole = value.dtype.kind in "iub" or bool(np.all(value == np.round(value)))
    flat = value.squeeze() if value.ndim > 1 else value
    for predict, shape in (("last", (B,)), ("every", (B, T)), ("every", (T, B))):
        every = predict == "every"
        numbers = value if value.shape == shape else flat if flat.shape == shape else None
        if numbers is None and value.size == int(np.prod(shape)) and B == 1:
            numbers = value.reshape(shape)
        if numbers is not None:
            turned = numbers.T if every and shape == (T, B) else numbers
            if C > 1 and whole and numbers.min() >= 0 and numbers.max() < C:
                yield from ((loss, predict, turned.astype(int)) for loss in CLASS_LOSSES)
            if C == 1 and whole and set(np.unique(numbers)) <= {0, 1}:
                yield from ((loss, predict, turned.astype(int)) for loss in TWO_CLASS_LOSSES)
            if C == 1:
                yield from ((loss, predict, turned.astype(float)[..., None]) for loss in NUMBER_LOSSES)
        sizes = (*shape, C)
        for order in itertools.permutations(range(len(sizes))):
            if value.shape != tuple(sizes[k] for k in order) or (every and shape == (T, B)):
                continue
            turned = value.transpose(np.argsort(order))
            if C > 1 and whole and np.array_equal(turned.sum(axis=-1), np.ones(shape)):
                yield from ((loss, predict, turned.argmax(axis=-1)) for loss in CLASS_LOSSES)
            yield from ((loss, predict, turned.astype(float)) for loss in NUMBER_LOSSES)
