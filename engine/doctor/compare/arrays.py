"""Compares a user's arrays (from a framework or a C program) with the reference's. No code is run."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from engine.doctor.compare import states
from engine.doctor.compare.references import FileReading, arrays_of_trace, readings_in
from engine.doctor.compare.results import ArrayComparison, ArrayReport
from engine.doctor.reference import layouts
from engine.doctor.reference.results import GradientComparison
from engine.doctor.reference.tolerances import compare
from engine.doctor.vocabulary.packing import SECOND, held, is_role
from engine.errors import InputError
from engine.files.arrays import read_npz
from engine.files.raw import shown
from engine.files.trace import is_trace
from engine.language.functions import Array
from engine.recording.tape import Tape
from engine.text import clean

TOLERANCE = 1e-6
SINGLE = 1e-4
AFTER_A_FACTOR = 24
"""Ways that are tried after one in which everything is right but for one factor: other losses, a sum."""
TRIED = 300
"""Ways to read a file that are tried."""


def compare_arrays(path: Path, data: str | None, options: Mapping[str, Any]) -> ArrayReport:
    """The arrays in the NPZ file at `path` against the reference on `data` (None: the X and y in the file, or the built-in example).

    Weights in the file are used; else those that the options give. Where X and y are the file's, what the options do
    not say (activation, loss, every step or the last, ...) is found by trying. Raises InputError when nothing in it can
    be compared.
    """
    mine = read_npz(path, arrays_of_trace(path) if is_trace(path) else None)
    best, ratio = _nearest(mine, readings_in(path, mine, data, options))
    rows, reading = best or ([], None)
    if reading is None or not rows:
        names = ", ".join(clean(name, 30) for name in list(mine)[:8]) or "nothing"
        raise InputError(
            f"{shown(path)}: none of its arrays ({names}) has a known name, such as dWa, Whh_grad, a, p, loss"
        )
    used = {*reading.used, *(row.name for row in rows)}
    unknown = tuple(clean(name, 40) for name in mine if name not in used)
    return ArrayReport(clean(path.name), tuple(rows), unknown, reading.words, reading.conventions, ratio)


def _nearest(
    mine: Mapping[str, Array], readings: Iterator[FileReading]
) -> tuple[tuple[list[ArrayComparison], FileReading] | None, str]:
    """The reading in which most is right, with its rows; and the factor by which all differ in it, if that is all."""
    best: tuple[list[ArrayComparison], FileReading] | None = None
    by_factor: tuple[list[ArrayComparison], FileReading] | None = None
    ratio, left = "", AFTER_A_FACTOR
    for reading in itertools.islice(readings, TRIED):
        lines = [line.name for line in reading.tape.plan.program.lines]
        rows = sorted(_rows(mine, reading), key=lambda row: _order(lines, row.quantity))
        if rows and all(row.comparison.ok for row in rows):
            return (rows, reading), ""
        if best is None or _rank(rows) > _rank(best[0]):
            best = rows, reading
        if by_factor is None and (ratio := _ratio(rows, reading.tape)):
            by_factor = rows, reading  # right but for one factor, unless another loss fits
        left -= by_factor is not None
        if not left:
            break
    if best is not None and by_factor is not None and _gradients_right(best[0]):
        return best, ""
    return by_factor or best, ratio


def _gradients_right(rows: Sequence[ArrayComparison]) -> bool:
    """Whether most that depends on the loss is right."""
    right = [row.comparison.ok for row in rows if row.quantity == "loss" or row.quantity.startswith("d")]
    return 2 * sum(right) > len(right)


def _ratio(rows: Sequence[ArrayComparison], tape: Tape) -> str:
    """By what all gradients and the loss differ alike, as a fraction of B, T and the steps that count; "" when they do not."""
    of_loss = [row.comparison for row in rows if row.quantity == "loss" or row.quantity.startswith("d")]
    ratios = [each.norm_ratio for each in of_loss if each.norm_ratio is not None and (each.cosine or 0) > 1 - 1e-9]
    if (
        len(ratios) < max(2, len(of_loss))
        or abs(ratios[0] - 1) < TOLERANCE
        or np.ptp(ratios) > TOLERANCE * abs(ratios[0])
    ):
        return ""
    steps, batch = tape.plan.steps, tape.plan.batch
    valid = steps * batch if tape.lengths is None else int(tape.lengths.sum())
    counted = {"1": 1, "the samples": batch, "the steps": steps, "all steps of all samples": steps * batch}
    counted |= {"the steps that count": valid} if valid != steps * batch else {}
    for (above, p), (below, q) in itertools.permutations(counted.items(), 2):
        if abs(ratios[0] - p / q) <= 10 * TOLERANCE * p / q:
            return f"all are {ratios[0]:.4g} = {p}/{q} of the reference's: {above} over {below}"
    return f"all are {ratios[0]:.4g} of the reference's"


def _rank(rows: Sequence[ArrayComparison]) -> tuple[int, int]:
    return sum(row.comparison.ok for row in rows), len(rows)


_WORDS = {
    "h": "a",
    "hs": "a",
    "s": "a",
    "states": "a",
    "hidden_states": "a",
    "output": "a",
    "outputs": "logits",
    "scores": "logits",
    "probs": "p",
    "probabilities": "p",
    "y_hat": "p",
    "yhat": "p",
    "y_pred": "p",
    "cost": "loss",
    "dh": "da",
    "dhs": "da",
    "pre": "z",
    "delta_out": "dlogits",
    "dy": "dlogits",
}


def _quantities(name: str, reading: FileReading) -> tuple[str, list[Array]] | None:
    """What a name means in the reference, and the arrays that it may be; None for nothing known, and for what was given to it."""
    tape, cell = reading.tape, reading.tape.plan.network.table
    if name in reading.used:
        return None
    if (of_layers := states.of_layers(name, tape)) is not None:
        return of_layers
    if name in reading.gradients:
        return f"d{re.sub(r'^(d|grad_)|[._]grad$', '', name)}", [reading.gradients[name]]
    word = _WORDS.get(name.lower(), "")
    meant = name if name in tape else None
    role = None if meant else reading.meaning.gradient(name)
    if meant is None and role == "X":
        meant = "dx"
    if meant is None and role == "a0":
        return states.of_layers("da0", tape)
    if meant is None and role is not None and is_role(role, cell):
        return _gradient(role, reading)
    if meant is None:
        meant = {"a": cell.output, "da": f"d{cell.output}"}.get(word, word)
    if name not in tape and meant == cell.output and (outputs := states.outputs(tape)) is not None:
        return outputs
    if meant not in tape or meant in tape.parameters:
        return None
    if reading.states_only and meant not in {line.partition(" =")[0] for line in cell.equations}:
        return None
    whole = np.asarray(tape[meant])
    return meant, [whole, whole[1:]] if whole.ndim > 1 and len(whole) == tape.plan.steps + 1 else [whole]


def _gradient(role: str, reading: FileReading) -> tuple[str, list[Array]]:
    """The gradient of an array of parameters; of PyTorch's second bias it is that of the first where one would do."""
    cell, gradients = reading.tape.plan.network.table, reading.tape.gradients
    grid = held(role, cell, reading.layout.order)
    if role == SECOND:
        first = held("ba", cell, reading.layout.order)[0] if cell.torch else ("ba",)
        grid = (tuple(name or other for name, other in zip(grid[0], first, strict=True)),) if any(grid[0]) else (first,)
    blocks = [np.concatenate([np.atleast_2d(gradients[name]) for name in row], axis=-1) for row in grid]
    whole = np.concatenate(blocks)
    single = len(grid) == len(grid[0]) == 1
    gradient_found = gradients[grid[0][0]] if single else whole
    if (
        gradient_found.ndim == 2
        and gradient_found.shape[0] == gradient_found.shape[1]
        and layouts.is_turned(role, cell, reading.layout)
    ):
        gradient_found = (
            gradient_found.T
        )  # a square gradient lies as its weights do: which way round is no matter of taste
    return ", ".join(f"d{name}" for row in grid for name in row), [gradient_found]


def _rows(mine: Mapping[str, Array], reading: FileReading) -> Iterator[ArrayComparison]:
    for name, own in mine.items():
        quantities = _quantities(name, reading)
        if quantities is None:
            continue
        quantity, wanted = quantities
        tolerance = SINGLE if own.dtype.itemsize < 8 and own.dtype.kind == "f" else TOLERANCE
        array = own.astype(float)
        choices = [
            (compare(turned, ours, tolerance=tolerance), turned, ours)
            for ours in wanted
            for turned in (
                _turned(array, ours) if not _is_square(quantity, ours) else [array] if array.shape == ours.shape else []
            )
        ]
        if not choices:
            shape = tuple(wanted[0].shape)
            yield ArrayComparison(
                name,
                quantity,
                GradientComparison(False, note=f"its shape is {array.shape}, the reference's is {shape}"),
            )
            continue
        best = min(choices, key=lambda c: _error(c[0]))
        step = None if best[0].ok else _step(quantity, best[1], best[2], reading.tape, tolerance)
        yield ArrayComparison(name, quantity, best[0], step)


def _is_square(quantity: str, ours: Array) -> bool:
    """Whether an array is the gradient of square weights."""
    return quantity.startswith("dW") and ours.ndim == 2 and ours.shape[0] == ours.shape[1]


def _error(comparison: GradientComparison) -> float:
    return float("inf") if comparison.max_relative_error is None else comparison.max_relative_error


def _turned(array: Array, ours: Array) -> Iterator[Array]:
    """The array in every order of axes in which its shape is ours; axes of length one do not count."""
    squeezed = array.squeeze() if array.shape != ours.shape else array
    if squeezed.ndim != ours.ndim and squeezed.size == ours.size and ours.squeeze().shape == squeezed.shape:
        yield squeezed.reshape(ours.shape)
        return
    for order in itertools.permutations(range(squeezed.ndim)):
        if squeezed.ndim == ours.ndim and squeezed.transpose(order).shape == ours.shape:
            yield squeezed.transpose(order)


def _step(quantity: str, theirs: Array, ours: Array, tape: Tape, tolerance: float) -> int | None:
    """The step at which an array first diverges, in the order in which it is computed: gradients from the last one back."""
    held = tape.plan.program.quantities.get(quantity)
    if held is None or not held.rows:
        return None
    first = tape.plan.steps + 1 - len(ours)
    wrong = [
        k
        for k in range(len(ours))
        if np.abs(theirs[k] - ours[k]).max() > tolerance * max(float(np.abs(ours).max()), 1e-300)
    ]
    if not wrong:
        return None
    return first + (max(wrong) if quantity.startswith("d") else min(wrong))


def _order(lines: Sequence[str], quantity: str) -> int:
    first = quantity.partition(",")[0]
    return lines.index(first) if first in lines else len(lines)
