"""The program of a network: its tables of equations put together, differentiated, and laid out in blocks of lines."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from engine.language.derive import CUT, FULL, NEXT, OUT, REVERSE, STEPS, SUFFIXES, backward, gradient
from engine.language.equation import Equation, contributions
from engine.language.expression import Name
from engine.language.functions import Axes
from engine.model.blocks import Block, Line, Loop, Phase, Quantity
from engine.model.layers import INPUT, Layer
from engine.model.lines import (
    axes_of,
    cut_off,
    given_quantities,
    loss_line,
    made_of_parameters,
    read_out_lines,
    step_lines,
)
from engine.model.network import Network
from engine.model.program import Program
from engine.tables.optimizers import PARAMETER, named, norm_equations, update_equations


def build(network: Network, steps: int, *, masked: bool = False) -> Program:
    """The program of a network over `steps` time steps, `masked` where samples differ in length.

    Raises TableError when a table's shapes do not fit.
    """
    cell, layers = network.table, network.layers
    every = network.predict == "every"
    loops = [_LayerLines(layer, step_lines(layer, network, masked=masked)) for layer in layers]
    read_out, loss = read_out_lines(network, steps), loss_line(network, masked=masked and every)
    given = given_quantities(network, masked=masked)
    lines = [line for loop in loops for line in loop.lines]
    known = axes_of(network, given, lines, [*read_out, loss])
    parameters = tuple(network.parameter_axes)
    made = made_of_parameters(lines, parameters, network.sizes)
    loops = [replace(loop, lines=[line for line in loop.lines if line not in made]) for loop in loops]
    if every:
        loops[-1] = replace(loops[-1], head=[*read_out, loss])
    written = {line.target for line in lines}
    outer = [name.name for line in read_out for name in line.reads if name.name in written]
    back_out = [] if every else backward([[*read_out, loss]], known, parameters=parameters, outer=outer, root="loss")
    back_of = [_backward(loop, loops, network, known, made, [] if every else outer, masked=masked) for loop in loops]
    begun = {line.target for equations in back_of for line in equations}
    ahead = {name: STEPS for name in known if gradient(name) in begun and name not in cell.states}
    back_made = backward([made], known, parameters=parameters, begun=ahead)
    shared = {name.name for line in back_made for name in line.reads if name.name.endswith(STEPS)}
    back_of = [
        [replace(e, target=e.target + STEPS) if e.target + STEPS in shared else e for e in lines] for lines in back_of
    ]
    initial = [*_initial(layers, known, begun)]
    pairs = [*zip(loops, back_of, strict=True)]
    plan: list[_Entry] = [
        ("made of the parameters", "forward", Loop.ONCE, made),
        *((title, "forward", loop, lines) for title, loop, lines, _ in initial),
        *((loop.title, "forward", loop.order, [*loop.lines, *loop.head[:-1]]) for loop in loops),
        ("read-out", "forward", Loop.AT_T, [] if every else read_out),
        ("loss", "loss", Loop.ONCE, [loss]),
        ("read-out", "backward", Loop.AT_T, back_out),
        *((loop.title, "backward", loop.back, equations) for loop, equations in reversed(pairs)),
        *((title, "backward", loop, lines) for title, loop, _, lines in reversed(initial)),
        ("made of the parameters", "backward", Loop.ONCE, back_made),
        ("clipping", "update", Loop.ONCE, norm_equations(network.clip_norm)),
        ("update", "update", Loop.PARAMETERS, update_equations(network.rule, network.clip_norm, network.clip_value)),
    ]
    blocks = _blocks(plan, {layer.title: layer.table.output for layer in layers})
    reverse = {state for layer in layers if layer.reverse for state in layer.table.states}
    quantities = given | _quantities(blocks, known, cell.states, reverse)
    return Program(blocks, quantities, _updates(blocks, network), parameters, cell.output, steps)


_Entry: TypeAlias = tuple[str, Phase, Loop, list[Equation]]
"""A block's title, phase, loop and equations."""


@dataclass(frozen=True)
class _LayerLines:
    """The lines of one layer and direction at a time step; `head` are the read-out and the loss where they belong to the step."""

    layer: Layer
    lines: list[Equation]
    head: list[Equation] = field(default_factory=list[Equation])

    @property
    def title(self) -> str:
        return self.layer.title

    @property
    def order(self) -> Loop:
        """How its steps run in the forward pass."""
        return Loop.DOWN if self.layer.reverse else Loop.UP

    @property
    def back(self) -> Loop:
        """How its steps run in the backward pass."""
        return Loop.UP if self.layer.reverse else Loop.DOWN

    @property
    def reads(self) -> set[str]:
        """What it reads that it does not write itself."""
        lines = [*self.lines, *self.head]
        return {name.name for line in lines for name in line.reads} - {line.target for line in lines}

    @property
    def used(self) -> set[str]:
        """What its lines read of their own step, beside its states: each adds to the gradient of these."""
        lines = [*self.lines, *self.head]
        return {name.name for line in lines for name in line.reads if not name.step} - {*self.layer.table.states}


def _initial(
    layers: Sequence[Layer], known: Mapping[str, Axes], written: Collection[str]
) -> Iterator[tuple[str, Loop, list[Equation], list[Equation]]]:
    """Where initial states are parameters, for each direction a title, the step that runs first, and the lines forward and backward.

    `written` are the gradients and flows of the backward loops: an initial state has the flow from the first step alone.
    """
    for title, loop, reverse in (("initial state", Loop.AT_1, False), ("initial state, reverse", Loop.AT_T, True)):
        learned = [pair for layer in layers if layer.reverse == reverse for pair in layer.table.initial.items()]
        before = 1 if reverse else -1
        flow = {s: gradient(s) + (NEXT if gradient(s) + NEXT in written else "") for s, _ in learned}
        flows = {**known, **{name: known[state] for state, name in flow.items()}}
        ahead = [Equation(state, Name(parameter), step=before) for state, parameter in learned]
        back = [
            Equation(gradient(name.name), path)
            for state, parameter in learned
            for name, path in contributions(Name(parameter), Name(flow[state], before), flows)
        ]
        yield title, loop, ahead, back


def _backward(
    loop: _LayerLines,
    loops: Sequence[_LayerLines],
    network: Network,
    known: Mapping[str, Axes],
    made: Sequence[Equation],
    read_out: Sequence[str],
    *,
    masked: bool,
) -> list[Equation]:
    """The backward lines of a layer and direction.

    What several read gets its gradient from each of them, first from the one that runs last; that of the others is the part `_r`.
    `read_out` is what the read-out reads at the last step, which has written that row of its gradient.
    """
    number = loops.index(loop)
    states, parameters = network.table.states, (*network.parameter_axes, *(line.target for line in made))
    others = {INPUT, *(line.target for other in loops for line in other.lines)} - {
        *loop.layer.table.states,
        *parameters,
    }
    earlier = {name for other in loops[:number] for name in other.used}
    later = {name for other in loops[number + 1 :] for name in other.used}
    inputs = {
        name: REVERSE if name in earlier else OUT if name in states else ""
        for name in sorted(loop.reads & others, key=list(known).index)
    }
    outputs = loop.layer.table.output
    return backward(
        [loop.lines, loop.head] if loop.head else [loop.lines],
        known,
        states=loop.layer.table.states,
        inputs=inputs,
        parameters=parameters,
        root="loss" if loop.head else None,
        accumulate=True,
        cut=cut_off(network, masked=masked, reverse=loop.layer.reverse),
        begun=dict.fromkeys({*later, *read_out} - {*loop.layer.table.states}, REVERSE),
        fed=(outputs,) if outputs in later else (),
    )


def _blocks(plan: Sequence[_Entry], outputs: Mapping[str, str]) -> tuple[Block, ...]:
    """The blocks that have lines; `outputs` are the states that layers hand on, by their titles."""
    filled = [entry for entry in plan if entry[3]]
    return tuple(
        Block(title, phase, loop, tuple(Line(n, i, phase, e) for i, e in enumerate(equations)), outputs.get(title, ""))
        for n, (title, phase, loop, equations) in enumerate(filled)
    )


def _quantities(
    blocks: tuple[Block, ...], known: Mapping[str, Axes], states: tuple[str, ...], reverse: set[str]
) -> dict[str, Quantity]:
    """What the lines of forward, loss and backward write; `reverse` are the states of the reverse direction."""
    looped = {line.name for block in blocks if block.in_time for line in block.lines}
    result: dict[str, Quantity] = {}
    extended = {*states, *(gradient(s) + suffix for s in states for suffix in ("", OUT, NEXT, FULL, CUT))}
    for block in blocks:
        if block.phase == "update":
            continue
        for line in block.lines:
            name = line.name
            primal = _primal(name, known)
            in_time = {name, primal} & looped and not line.equation.accumulate
            rows: Literal["", "T", "T+1"] = ("T+1" if name in extended else "T") if in_time else ""
            result.setdefault(name, Quantity(name, known[primal], rows, reverse=rows == "T+1" and primal in reverse))
    return result


def _updates(blocks: tuple[Block, ...], network: Network) -> dict[str, Quantity]:
    """What the update's lines write besides the parameters: the quantities named after each of them."""
    result: dict[str, Quantity] = {}
    for block in blocks:
        for line in block.lines if block.phase == "update" else ():
            if block.loop is not Loop.PARAMETERS:
                result[line.name] = Quantity(line.name, ())
            elif line.name != PARAMETER:
                for parameter, axes in network.parameter_axes.items():
                    name = named(line.name, parameter)
                    result[name] = Quantity(name, axes)
    return result


def _primal(name: str, known: Mapping[str, Axes]) -> str:
    """The quantity that `name` is the gradient (or a flow) of; `name` itself when it is neither."""
    if name in known:
        return name
    base = name.removeprefix("d")
    suffix = next((s for s in SUFFIXES if base.endswith(s)), "")
    return base if base in known else base.removesuffix(suffix)
