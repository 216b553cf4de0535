"""Remarks about what happens inside a step: an activation on an activation, an LSTM's state without its tanh."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from engine.doctor.lineage.record.carry_back import reached
from engine.doctor.lineage.record.derivatives import PRODUCTS
from engine.doctor.lineage.record.reading import Ids, RecordedArray, RecordedOperation
from engine.doctor.lineage.remarks.output import is_output
from engine.doctor.lineage.remarks.remark import Remark, RemarkedRun

Activation = tuple[str, Ids, RecordedOperation]
"""An activation's name, the numbers that it is applied to, and the first of its operations."""


def activated_twice(seen: RemarkedRun) -> Iterator[Remark]:
    """An activation of what an activation made: the same one in a step, or any before the output."""
    for operation in seen.of_the_forward_pass("tanh", "expit", "divide"):
        outer = _activation(seen, operation)
        if outer is None:
            continue
        name, argument, begin = outer
        made = seen.maker(argument)
        inner = _activation(seen, made[0]) if made is not None else None
        if made is None or inner is None:
            continue
        last = name in ("softmax", "sigmoid") and is_output(seen, operation)
        if not last and inner[0] != name:
            continue
        line = seen.place(made[0]).number
        where = "on the same line" if line == seen.place(begin).number else f"in line {line}"
        yield Remark(
            "output-activation-twice" if last else "activation-twice",
            seen.place(begin),
            f"{name} is applied to what {inner[0]} made {where}",
        )


def _activation(seen: RemarkedRun, operation: RecordedOperation) -> Activation | None:
    """Which activation an operation ends."""
    operands = operation.operands
    if operation.name in ("tanh", "expit"):
        return ("tanh" if operation.name == "tanh" else "sigmoid"), operands[0].ids().ravel(), operation
    if operation.name == "maximum" and len(operands) == 2:
        one, two = sorted(operands, key=lambda r: r.size)
        zero = one.size == 1 and not float(seen.record.pool[one.first]) and seen.record.maker(one.first) < 0
        return ("relu", two.ids().ravel(), operation) if zero and two.size > 1 else None
    if operation.name != "divide" or len(operands) != 2:
        return None
    below = seen.maker(operands[1].ids().ravel())
    if below is None:
        return None
    if below[0].name == "sum":
        return _softmax(seen, operands[0], below[0])
    return _sigmoid(seen, below)


def _softmax(seen: RemarkedRun, above: RecordedArray, total: RecordedOperation) -> Activation | None:
    """exp(z) / sum(exp(z)), of z or of z less its largest."""
    ids: Ids = above.ids().ravel()
    made, summed = seen.maker(ids), seen.maker(total.operands[0].ids().ravel())
    if made is None or summed is None or made[0].name != "exp" or summed[0].name != "exp":
        return None
    ids = made[0].operands[0].ids().ravel()
    before = seen.maker(ids)
    if before is not None and before[0].name == "subtract":
        one, two = before[0].operands
        if one.shape == before[0].shape and two.size < one.size:
            ids = one.ids().ravel()
    return "softmax", ids, made[0]


def _sigmoid(seen: RemarkedRun, below: tuple[RecordedOperation, Ids]) -> Activation | None:
    """1 / (1 + exp(-z)), whose divisor is given."""
    operation, places = below
    for wanted in ("add", "exp", "negative"):
        if operation.name != wanted:
            return None
        inside = next((r for r in operation.operands if r.shape == operation.shape and r.size > 1), None)
        if inside is None:
            return None
        ids = inside.ids().ravel()[places]
        if wanted == "negative":
            return "sigmoid", ids, operation
        made = seen.maker(ids)
        if made is None:
            return None
        operation, places = made
    return None


def without_tanh(seen: RemarkedRun) -> Iterator[Remark]:
    """h = o * c, where c = f * c + i * g is added up from step to step and meets no other function, and h goes into later gates."""
    gated = [
        (o, c, gate) for o in seen.of_the_forward_pass("multiply") if (pair := _gated(seen, o)) for c, gate in [pair]
    ]
    if not gated:
        return
    multiplied, activated = (np.zeros(len(seen.record.pool), bool) for _ in range(2))
    for operation in seen.of_the_forward_pass(*PRODUCTS, "tanh", "expit", "exp", "maximum"):
        for reference in operation.operands:
            (multiplied if operation.name in PRODUCTS else activated)[reference.ids()] = True
    cells = [c for _, c, _ in gated]
    if any(activated[c].any() or multiplied[c].any() for c in cells):
        return
    states = [o for o, _, _ in gated if multiplied[o.start : o.stop].any()]
    if states and reached(seen.record, [gated[-1][2]])[states[0].start : states[0].stop].any():
        says = "the state is a gate times the cell itself (h = o * c), where an LSTM takes the cell's tanh (h = o * tanh(c))"
        yield Remark("cell-without-tanh", seen.place(states[0]), says)


def _gated(seen: RemarkedRun, operation: RecordedOperation) -> tuple[Ids, RecordedArray] | None:
    """The cell and the gate of a product of both, None for any other."""
    if operation.size < 2 or len(operation.operands) != 2:
        return None
    for gate, other in (operation.operands, operation.operands[::-1]):
        if gate.shape != other.shape:
            return None
        ids = other.ids().ravel()
        closing, cell = seen.maker(gate.ids().ravel()), seen.maker(ids)
        if closing is None or cell is None or cell[0].name != "add":
            continue
        activation = _activation(seen, closing[0])
        if activation is not None and activation[0] == "sigmoid" and _is_added_up(seen, cell[0]):
            return ids, gate
    return None


def _is_added_up(seen: RemarkedRun, cell: RecordedOperation) -> bool:
    """Whether an addition is f * c + i * g, where c is what the same line made in a step before."""
    for reference in cell.operands:
        made = seen.maker(reference.ids().ravel())
        if made is None or made[0].name != "multiply":
            return False
        for inside in made[0].operands:
            before = seen.maker(inside.ids().ravel())
            if before is not None and before[0].name == "add" and before[0].line == cell.line:
                return True
    return False
