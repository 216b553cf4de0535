"""The lines of the forward pass and of the loss, as a network's tables give them, with the axes of all that they read and write."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from engine.language.derive import gradient
from engine.language.equation import TIME, Equation, TableError, equation, infer
from engine.language.expression import Binary, Call, Expression, Name, Number, Sum, parse, rewrite
from engine.language.functions import CARRIED, Axes
from engine.model.blocks import Quantity
from engine.model.layers import Layer, output, outputs
from engine.model.network import Network
from engine.model.program import cuts_flow
from engine.tables.given import ENTRIES, FLOW_CUT, FLOW_CUT_REVERSE, MASK
from engine.tables.heads import LOGITS
from engine.tables.optimizers import UPDATE_NUMBER


def axes_of(
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


def step_lines(layer: Layer, network: Network, *, masked: bool) -> list[Equation]:
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


def read_out_lines(network: Network, steps: int) -> list[Equation]:
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


def loss_line(network: Network, *, masked: bool) -> Equation:
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


def given_quantities(network: Network, *, masked: bool) -> dict[str, Quantity]:
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


def cut_off(network: Network, *, masked: bool, reverse: bool) -> Expression | None:
    """The part of a flow that truncation removes; in this expression the flow is `flow_prev` and that part `cut_off_prev`."""
    if network.truncate is None:
        return None
    if cuts_flow(network):
        return Binary("*", Name(FLOW_CUT_REVERSE if reverse else FLOW_CUT), Name("flow", -1))
    away = -network.truncate if reverse else network.truncate
    beyond = Call(CARRIED, (Name(gradient(LOGITS), away), Name("cut_off", -1)))
    # Padded steps, which the reverse direction runs first, hand everything on.
    return Binary("*", Name(MASK), beyond) if masked and reverse else beyond
