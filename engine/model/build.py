"""The program of a network: its tables of equations put together, differentiated, and laid out in blocks of lines."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from engine.language.derive import CUT, FULL, NEXT, OUT, REVERSE, STEPS, SUFFIXES, backward, gradient
from engine.language.equation import TIME, Equation, TableError, contributions, equation, infer
from engine.language.expression import Binary, Call, Expression, Name, Number, Sum, parse, rewrite
from engine.language.functions import Axes
from engine.model.layers import INPUT, Layer, output, outputs
from engine.model.network import Network
from engine.model.program import Block, Line, Loop, Phase, Program, Quantity, cuts_flow
from engine.tables.given import ENTRIES, FLOW_CUT, FLOW_CUT_REVERSE, MASK
from engine.tables.heads import LOGITS
from engine.tables.optimizers import PARAMETER, UPDATE_NUMBER, named, norm_equations, update_equations


def build(network: Network, steps: int, *, masked: bool = False) -> Program:
    """The program of a network over `steps` time steps, `masked` where samples differ in length.

    Raises TableError when a table's shapes do not fit.
    """
    cell, layers = network.table, network.layers
    every = network.predict == "every"
    loops = [_LayerLines(layer, _step(layer, network, masked=masked)) for layer in layers]
    read_out, loss = _read_out(network, steps), _loss(network, masked=masked and every)
    given = _given(network, masked=masked)
    lines = [line for loop in loops for line in loop.lines]
    known = _known(network, given, lines, [*read_out, loss])
    parameters = tuple(network.parameter_axes)
    made = made_of_parameters(lines, parameters, network.sizes)
    loops = [replace(loop, lines=[line for line in loop.lines if line not in made]) for loop in loops]
    if every:
        loops[-1] = replace(loops[-1], head=[*read_out, loss])
    written = {line.target for line in lines}
    outer = [name.name for line in read_out for name in line.reads if name.name in written]
    back_out = [] if every else backward([[*read_out, loss]], known, parameters=parameters, outer=outer, root="loss")
    back_of = [_backward(loop, loops, network, known, made, [] if every else outer) for loop in loops]
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
        cut=_cut(network, reverse=loop.layer.reverse),
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


def _known(
    network: Network, given: Mapping[str, Quantity], step: Sequence[Equation], head: Sequence[Equation]
) -> dict[str, Axes]:
    """The axes of every name that a line of the forward pass or the loss reads or writes; TableError where they do not fit."""
    cell = network.table
    known: dict[str, Axes] = {
        **dict.fromkeys(("B", "T", *network.sizes), ()),
        **network.parameter_axes,
        **network.state_axes,
        **{name: quantity.axes for name, quantity in given.items()},
    }
    reserved = {*known, *network.hyperparameters, UPDATE_NUMBER, "loss"} - {*network.parameter_axes, *cell.states}
    for line in step:
        if line.target in reserved:
            raise TableError(
                f"the cell {cell.name} calls a quantity {line.target}, which means something else; rename it"
            )
        if early := next((n.name for n in line.reads if n.step and n.name not in cell.states), None):
            raise TableError(f"{line.target} reads {early}_prev, but {early} is not a state of the cell {cell.name}")
        known[line.target] = _inferred(line, known)
    for line in head:
        known[line.target] = _inferred(line, known)
    return known


def _step(layer: Layer, network: Network, *, masked: bool) -> list[Equation]:
    """The lines of one time step of a layer."""
    lines = [equation(source.format(activation=network.activation)) for source in layer.table.equations]
    lines = [_kept_when_padded(line) if masked and line.target in layer.table.states else line for line in lines]
    return [_turned_round(line) for line in lines] if layer.reverse else lines


def _turned_round(line: Equation) -> Equation:
    """A line of the reverse direction: what it reads of the step before is the step after."""
    return replace(line, expression=_at(line.expression, lambda name: -name.step))


def _at(expression: Expression, step: Callable[[Name], int]) -> Expression:
    """A tree with every name read at another step."""
    return rewrite(expression, lambda node: Name(node.name, step(node)) if isinstance(node, Name) else None)


def _read_out(network: Network, steps: int) -> list[Equation]:
    """The lines from the states to the logits and probabilities; of the last step alone each direction's own last state is read."""
    read = output(network.layers)
    sources = [*read.lines, *network.head.equations]
    lines = [equation(source.format(output=read.name)) for source in sources]
    if network.predict == "every":
        return lines
    reverse = {layer.output for layer in network.layers if layer.reverse}
    return [
        replace(line, expression=_at(line.expression, lambda name: 1 - steps if name.name in reverse else 0))
        for line in lines
    ]


def made_of_parameters(
    step: Sequence[Equation], parameters: Iterable[str], sizes: Iterable[str] = "DHC"
) -> list[Equation]:
    """The lines of a step that read nothing but parameters and dimensions, so that one run of them serves every time step."""
    made, known = list[Equation](), {*parameters, "B", "T", *sizes}
    for line in step:
        if all(name.name in known and not name.step for name in line.reads):
            made.append(line)
            known.add(line.target)
    return made


def _inferred(line: Equation, known: Mapping[str, Axes]) -> Axes:
    try:
        return infer(line.expression, known)
    except TableError as error:
        raise TableError(f"in the equation of {line.target}: {error}") from None


def _kept_when_padded(line: Equation) -> Equation:
    """A state's line, changed so that the state stays as it was beyond the sample's length."""
    padded = Binary("-", Number(1), Name(MASK))
    kept = Binary("*", padded, Name(line.target, -1))
    return Equation(line.target, Binary("+", Binary("*", Name(MASK), line.expression), kept))


def _loss(network: Network, *, masked: bool) -> Equation:
    """The head's loss summed over all entries that count, and divided by their number unless the sum is wanted."""
    entry = parse(network.head.loss)
    whole: Expression = Call("sum", (Binary("*", Name(MASK), entry) if masked else entry,))
    every = network.predict == "every"
    if every:
        whole = Sum(TIME, whole)
    if network.reduction == "mean":
        entries: Expression = Name(ENTRIES if every else "B")
        if network.head.over_outputs:
            entries = Binary("*", entries, Name("C"))
        whole = Binary("/", whole, entries)
    return Equation("loss", whole)


def _given(network: Network, *, masked: bool) -> dict[str, Quantity]:
    """What is known before an iteration begins, beside the parameters.

    N counts the entries that the loss is averaged over; `cut` is 1 where nothing may flow from a step to the one before. A mask of dropout
    has a row for each step, that of the read-out as many as the read-out runs.
    """
    every = network.predict == "every"
    given = [Quantity("x", ("B", "D"), "T", True), Quantity("y", network.head.target_axes, "T" if every else "", True)]
    if masked:
        given.append(Quantity(MASK, ("B",), "T", True))
    if every and network.reduction == "mean":
        given.append(Quantity(ENTRIES, (), "", True))
    if cuts_flow(network):
        names = (FLOW_CUT, FLOW_CUT_REVERSE) if network.bidirectional else (FLOW_CUT,)
        given += [Quantity(name, ("B",), "T", True) for name in names]
    dropped = [read for read in outputs(network.layers) if read.mask]
    given += [Quantity(r.mask, ("B", r.axis), "T" if every or r != dropped[-1] else "", True) for r in dropped]
    return {quantity.name: quantity for quantity in given}


def _cut(network: Network, *, reverse: bool) -> Expression | None:
    """The part of a flow that truncation removes; in this expression the flow is `flow_prev` and that part `cut_off_prev`."""
    if network.truncate is None:
        return None
    if cuts_flow(network):
        return Binary("*", Name(FLOW_CUT_REVERSE if reverse else FLOW_CUT), Name("flow", -1))
    return Call("carried", (Name(gradient(LOGITS), network.truncate), Name("cut_off", -1)))


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
