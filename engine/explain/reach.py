"""Which loss reaches which step: the gradient of the loss of each time step, carried back separately.

The backward pass is linear in the gradients that come from the losses, so each loss can be carried back alone; all of
them are carried at once, one step further back each time. Truncation cuts these flows where it cuts their sum.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from engine.errors import InputError
from engine.explain.flow import split
from engine.language.derive import CUT, NEXT, gradient
from engine.language.evaluate import evaluate
from engine.language.expression import Name
from engine.language.functions import Array
from engine.model.blocks import Line
from engine.model.build import build
from engine.model.program import Program, carries_losses
from engine.recording.figures import row_norms
from engine.recording.plan import Plan
from engine.recording.tape import Tape
from engine.remembered import remembered
from engine.tables.given import FLOW_CUT, FLOW_CUT_REVERSE, MASK
from engine.tables.heads import LOGITS

LIMIT = 100_000_000
"""T·T·B·H up to which all losses are carried back: about a second of work."""

_KNOWN: WeakKeyDictionary[Tape, dict[tuple[str, int | None], Array]] = WeakKeyDictionary()

LossRows = Mapping[str, Array]
"""Gradients by name, (S, B, ...): one row for every loss that is still on its way."""


def reach(tape: Tape, state: str | None = None, *, sample: int | None = None) -> Array:
    """‖∂L_s/∂state_t‖ for the losses s = 1..T (rows) and the rows of the state (columns: t = 0..T), over the batch or for one sample.

    L_s is what step s adds to the loss, as it is averaged; `state` is the cell's output when it is None. Where nothing flows from step s to
    step t it is 0. Raises InputError when there is one loss only, or too much to carry (`LIMIT`).
    """
    plan = tape.plan
    name = gradient(state or plan.program.output)
    if plan.network.predict != "every":
        raise InputError(
            "there is one loss only, at the last step; ‖da_t‖ itself says where it reaches (a loss a step: --predict every)"
        )
    if not fits(tape):
        raise InputError(
            f"T·T·B·H is more than {LIMIT:,}: too much to carry each step's loss back alone; take fewer samples, steps or units"
        )
    known = _KNOWN.setdefault(tape, {})
    if (name, sample) not in known:
        norms_of = _norms_of_runs if plan.network.bidirectional else _norms
        for state_gradient, norms in norms_of(tape, sample).items():
            known[state_gradient, sample] = norms
    return known[name, sample]


def fits(tape: Tape) -> bool:
    """Whether all losses can be carried back at once."""
    plan = tape.plan
    return plan.steps**2 * plan.batch * sum(plan.network.units) <= LIMIT


def _norms(tape: Tape, sample: int | None) -> dict[str, Array]:
    """The norms for every state, by its gradient's name."""
    steps, states = tape.plan.steps, [gradient(state) for state in tape.plan.network.table.states]
    result = {name: np.zeros((steps, steps + 1)) for name in states}
    with np.errstate(all="ignore"):
        for distance, rows in enumerate(_carried(tape)):
            # The losses s = 1..T have come to t = s − distance; those that have passed t = 0 are gone.
            losses = np.arange(max(1, distance), steps + 1)
            for name, norms in result.items():
                chosen = rows[name] if sample is None else rows[name][:, sample : sample + 1]
                norms[losses - 1, losses - distance] = np.linalg.norm(chosen.reshape(len(chosen), -1), axis=1)
    for norms in result.values():
        norms.flags.writeable = False
    return result


def _norms_of_runs(tape: Tape, sample: int | None) -> dict[str, Array]:
    """`_norms` where a loss flows both ways through time: one run of the backward pass for each loss."""
    rows = [one_loss(tape, s, sample) for s in range(1, tape.plan.steps + 1)]
    result = {name: np.stack([norms[name] for norms in rows]) for name in rows[0]}
    for norms in result.values():
        norms.flags.writeable = False
    return result


@remembered
def one_loss(tape: Tape, loss: int, sample: int | None = None) -> dict[str, Array]:
    """‖∂L_s/∂state_t‖ for the loss of one step s, t = 0..T, by the gradient's name: one run of the backward pass.

    Of the quantity that this passes through in a step (z), too, where it is one alone; the row of the initial state is 0 there.
    """
    plan = tape.plan
    alone = _without_losses(plan)
    result = {gradient(state): np.zeros(plan.steps + 1) for state in plan.network.table.states}
    between, first = dict[str, Array](), dict[str, int]()
    for output in plan.program.outputs:
        if (found := split(plan.program, output, NEXT)) is not None:
            between[found.middle] = np.zeros(plan.steps + 1)
            first[found.middle] = plan.program.quantities[
                gradient(output)
            ].first  # of a step the row that the state has
    handed_on: dict[str, Array] = {}
    for low, high in [(0, plan.steps)] if plan.network.bidirectional else plan.bounds[::-1]:
        values = _of_window(tape, alone, loss, low, high)
        for name, row in handed_on.items():
            values[name][-1] = row
        if low < loss <= high:
            values[gradient(LOGITS)][loss - 1 - low] = tape.at(gradient(LOGITS), loss)
        with np.errstate(all="ignore"):
            _run_back(alone, values, high - low)
        handed_on = {name: values[name][0] for name in alone.carried("backward")}
        for name, norms in result.items():
            norms[low : high + 1] = row_norms(values[name] if sample is None else values[name][:, sample : sample + 1])
        for name, norms in between.items():
            rows = values[name] if sample is None else values[name][:, sample : sample + 1]
            norms[low + 1 - first[name] : high + 1 - first[name]] = row_norms(rows)
    return {**result, **between}


@remembered
def _without_losses(plan: Plan) -> Plan:
    """The plan of the backward loops alone, from the logits' gradient, which is given, to the step before.

    The window of the one loss that there is then cuts whole flows, at one step in each direction.
    """
    network, program = plan.network, plan.program
    if carries_losses(network):
        network = replace(network, truncate_by="chunk")
        program = build(network, plan.steps, masked=MASK in program.quantities)
    lines = _lines(program)
    blocks = tuple(
        replace(block, lines=tuple(line for line in block.lines if line in lines and line.name != gradient(LOGITS)))
        for block in program.looped("backward")
    )
    return replace(plan, network=network, program=replace(program, blocks=blocks))


def _of_window(tape: Tape, alone: Plan, loss: int, low: int, high: int) -> dict[str, Array]:
    """What these lines read in rows [low, high), with the window of a loss, and zeros where they write."""
    lines = [line for block in alone.program.blocks for line in block.lines]
    written, read = {line.name for line in lines}, {name.name for line in lines for name in line.equation.reads}
    values = {**tape.parameters, **alone.zeros(written | {gradient(LOGITS)}, high - low)}
    for name in read - {*values}:
        quantity = alone.program.quantities.get(name)
        if quantity is None:  # a size of the network
            continue
        beyond = quantity.rows == "T+1"
        if name in (FLOW_CUT, FLOW_CUT_REVERSE) and name not in tape:
            values[name] = _window(tape, loss, ahead=name == FLOW_CUT_REVERSE)[low:high]
        else:
            values[name] = np.asarray(tape[name][low : high + beyond] if quantity.rows else tape[name])
    return values


def _window(tape: Tape, loss: int, *, ahead: bool) -> Array:
    """(T, B) 1 where the flow of a step's loss ends: K steps back, or ahead in the reverse direction."""
    network, steps = tape.plan.network, np.arange(1, tape.plan.steps + 1)[:, None]
    reach = network.truncate or 0
    ends = (steps == (loss + reach if ahead else loss - reach)) & np.ones((1, tape.plan.batch), bool)
    return (ends if tape.padding is None else ends & ~tape.padding[1:]).astype(network.dtype)


def _run_back(alone: Plan, values: dict[str, Array], steps: int) -> None:
    """All steps of two directions, or of one a block of steps."""
    if alone.network.bidirectional:
        alone.run(values, {})
        return
    for block in alone.program.blocks:
        alone.run_block(block, values, 0, steps)
    for name in [line.name for block in alone.program.blocks for line in block.lines if line.name.endswith(NEXT)]:
        values[name.removesuffix(NEXT)][0] = values[name][0]  # of the step before, which is not run here, until it is


def _carried(tape: Tape) -> Iterator[LossRows]:
    """For each distance 0, 1, ... T the gradients of every loss, that many steps back."""
    plan = tape.plan
    lines = _lines(plan.program, cut_elsewhere=carries_losses(plan.network))
    flows = [line.name for line in lines if line.equation.step]
    arrived: LossRows = {
        name: np.zeros((plan.steps, *plan.shape(plan.program.quantities[name])[1:]), plan.network.dtype)
        for name in flows
    }
    reaches = plan.network.truncate if carries_losses(plan.network) else None
    for distance in range(plan.steps + 1):
        low = max(1, distance) - distance  # the step that the earliest of these losses has reached
        at = range(low, plan.steps - distance + 1)
        if low == 0:  # before the first step no line runs: what has arrived is the gradient
            initial = {name: rows[:1] for name, rows in arrived.items()}
            at = range(1, at.stop)
            arrived = {name: rows[1:] for name, rows in arrived.items()}
            here, arrived = _one_step_back(tape, lines, at, arrived, from_losses=False)
            yield _whole(tape, here, initial)
        else:
            here, arrived = _one_step_back(tape, lines, at, arrived, from_losses=distance == 0)
            yield here
        if distance == reaches:
            arrived = {name: np.zeros_like(rows) for name, rows in arrived.items()}


def _whole(tape: Tape, here: LossRows, initial: LossRows) -> LossRows:
    """The row of t = 0, then those of the steps 1, 2, ..."""
    result: dict[str, Array] = {}
    for state in tape.plan.network.table.states:
        name = gradient(state)
        first = initial[name] if name in initial else initial[name + NEXT]
        result[name] = np.concatenate([first, here[name]])
    return result


def _lines(program: Program, *, cut_elsewhere: bool = False) -> list[Line]:
    """The lines of the backward loops on the way from the logits to the step before, without those of what is cut off where the window is
    counted elsewhere."""
    lines = [line for block in program.looped("backward") for line in block.lines]
    needed = {line.name for line in lines if line.equation.step}
    result: list[Line] = []
    for line in reversed(lines):
        if line.name in needed and not line.equation.accumulate and not (cut_elsewhere and line.name.endswith(CUT)):
            result.append(line)
            needed |= {name.name for name in line.equation.reads}
    return result[::-1]


def _one_step_back(
    tape: Tape, lines: list[Line], at: range, arrived: LossRows, *, from_losses: bool
) -> tuple[LossRows, dict[str, Array]]:
    """The gradients at the steps `at`, (S, B, ...), and what they hand to the steps before: many steps are one larger batch."""
    quantities, axes, batch = tape.plan.program.quantities, tape.plan.axes, tape.plan.batch
    here: dict[str, Array] = {name: _flat(rows) for name, rows in arrived.items()}
    back: dict[str, Array] = {}

    def lookup(name: Name) -> Any:
        own = back if name.step < 0 and name.name in arrived else here
        if name.name in own:
            return own[name.name]
        if name.step < 0 and name.name.endswith(CUT):
            return 0.0
        quantity = quantities.get(name.name)
        if quantity is None or not quantity.rows:
            return tape.lookup(name, None)
        start = quantity.row(at.start + name.step)
        return _flat(tape[name.name][start : start + len(at)])

    for line in lines:
        if line.name == gradient(LOGITS) and not from_losses:
            shape = (len(at) * batch, tape.plan.sizes["C"])
            here[line.name] = np.zeros(shape, tape.plan.network.dtype)
            continue
        value = np.asarray(evaluate(line.equation.expression, lookup, axes))
        (back if line.equation.step < 0 else here)[line.name] = value
    shaped = {name: rows.reshape(len(at), batch, *rows.shape[1:]) for name, rows in here.items()}
    return shaped, {name: back[name].reshape(len(at), batch, *back[name].shape[1:]) for name in arrived}


def _flat(rows: Array) -> Array:
    return rows.reshape(rows.shape[0] * rows.shape[1], *rows.shape[2:])
