"""The singular values and eigenvalues of recurrent weights: by how much a step can lengthen or shorten a vector."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from engine.language.expression import Binary, Name, names, walk
from engine.language.functions import from_unit_to_unit
from engine.model.blocks import Block
from engine.model.program import Program
from engine.recording.tape import Tape
from engine.remembered import remembered


class Spectrum(NamedTuple):
    """A square matrix W: ‖v·Wᵀ‖/‖v‖ lies between its smallest and its largest singular value for every v.

    `radius` is the largest |eigenvalue|: the factor per step over many steps through W alone. NaN where W is not finite.
    """

    largest: float
    smallest: float
    radius: float


@remembered
def recurrent(program: Program) -> tuple[str, ...]:
    """The parameters that multiply a quantity of the step before, in the order of their lines."""
    return tuple(dict.fromkeys(name for block in program.looped("forward") for name in _recurrent(program, block)))


def _recurrent(program: Program, block: Block) -> Iterator[str]:
    carried: set[str] = set()
    for line in block.lines:
        for node in walk(line.equation.expression):
            if isinstance(node, Binary) and node.operator == "@" and isinstance(node.right, Name):
                before = any(name.step or name.name in carried for name in names(node.left))
                if before and node.right.name in program.parameters:
                    yield node.right.name
        if any(name.step or name.name in carried for name in line.equation.reads):
            carried.add(line.name)


@remembered
def spectrum(tape: Tape, name: str) -> Spectrum:
    """The spectrum of a square parameter as it is in this iteration."""
    matrix = tape.parameters[name].astype(np.float64)
    if not np.isfinite(matrix).all():
        return Spectrum(float("nan"), float("nan"), float("nan"))
    values = np.linalg.svd(matrix, compute_uv=False)
    radius = np.abs(np.linalg.eigvals(matrix)).max()
    return Spectrum(float(values[0]), float(values[-1]), float(radius))


def spectra(tape: Tape) -> dict[str, Spectrum]:
    """The spectra of all recurrent weights."""
    axes = tape.plan.network.parameter_axes
    square = [name for name in recurrent(tape.plan.program) if from_unit_to_unit(axes[name])]
    return {name: spectrum(tape, name) for name in square}
