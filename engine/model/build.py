"""The program of a network: its tables of equations put together, differentiated, and laid out in blocks of lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from engine.language.derive import CUT, FULL, NEXT, OUT, STEPS, SUFFIXES, backward, gradient
from engine.language.equation import TIME, Equation, TableError, equation, infer
from engine.language.expression import Binary, Call, Expression, Name, Number, Sum, parse
from engine.language.functions import Axes
from engine.model.layers import INPUT, Layer
from engine.model.network import Network
from engine.model.program import Block, Line, Loop, Phase, Program, Quantity, cuts_flow
from engine.tables.given import ENTRIES, FLOW_CUT, MASK
from engine.tables.heads import LOGITS
from engine.tables.optimizers import PARAMETER, UPDATE_NUMBER, named, norm_equations, update_equations


def build(network: Network, steps: int, *, masked: bool = False) -> Program:
    """The program of a network over `steps` time steps, `masked` where samples differ in length.

    Raises TableError when a table's shapes do not fit.
    """
    cell, head, layers = network.table, network.head, network.layers
    every = network.predict == "every"
    steps_of = [_step(layer, network, masked=masked) for layer in layers]
    step = [line for lines in steps_of for line in lines]
    read_out = [equation(source.format(output=cell.output)) for source in head.equations]
    loss = _loss(network, masked=masked and every)
    given = _given(network, masked=masked)
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
    for line in (*step, *read_out, loss):
        if early := next((n.name for n in line.reads if n.step < 0 and n.name not in cell.states), None):
            raise TableError(f"{line.target} reads {early}_prev, but {early} is not a state of the cell {cell.name}")
        known[line.target] = _inferred(line, known)
    parameters = tuple(network.parameter_axes)
    made = made_of_parameters(step, parameters, network.sizes)
    steps_of = [[line for line in lines if line not in made] for lines in steps_of]
    head_back = [*read_out, loss]
    back_out = [] if every else backward([head_back], known, parameters=parameters, outer=(cell.output,), root="loss")
    back_of = [
        backward(
            [lines, head_back] if every and top else [lines],
            known,
            states=layer.table.states,
            inputs=(INPUT,) if layer.reads == INPUT else (),
            parameters=(*parameters, *(line.target for line in made)),
            root="loss" if every and top else None,
            accumulate=True,
            cut=_cut(network),
            feeding=() if layer.reads == INPUT else (layer.reads,),
            fed=() if top else (layer.table.output,),
        )
        for layer, lines in zip(layers, steps_of, strict=True)
        for top in (layer is layers[-1],)
    ]
    begun = {line.target for lines in back_of for line in lines}
    back_made = backward(
        [made], known, parameters=parameters, begun=[n for n in known if gradient(n) in begun and n not in cell.states]
    )
    shared = {name.name for line in back_made for name in line.reads if name.name.endswith(STEPS)}
    back_of = [
        [replace(e, target=e.target + STEPS) if e.target + STEPS in shared else e for e in lines] for lines in back_of
    ]
    titles, outputs = [layer.title for layer in layers], {layer.title: layer.table.output for layer in layers}
    update = update_equations(network.rule, network.clip_norm, network.clip_value)
    plan: list[tuple[str, Phase, Loop, list[Equation]]] = [
        ("made of the parameters", "forward", Loop.ONCE, made),
        *(
            (title, "forward", Loop.UP, [*lines, *(read_out if every and lines is steps_of[-1] else [])])
            for title, lines in zip(titles, steps_of, strict=True)
        ),
        ("read-out", "forward", Loop.AT_T, [] if every else read_out),
        ("loss", "loss", Loop.ONCE, [loss]),
        ("read-out", "backward", Loop.AT_T, back_out),
        *((title, "backward", Loop.DOWN, lines) for title, lines in reversed([*zip(titles, back_of, strict=True)])),
        ("made of the parameters", "backward", Loop.ONCE, back_made),
        ("clipping", "update", Loop.ONCE, norm_equations(network.clip_norm)),
        ("update", "update", Loop.PARAMETERS, update),
    ]
    filled = [entry for entry in plan if entry[3]]
    blocks = tuple(
        Block(title, phase, loop, tuple(Line(n, i, phase, e) for i, e in enumerate(equations)), outputs.get(title, ""))
        for n, (title, phase, loop, equations) in enumerate(filled)
    )
    quantities = given | _quantities(blocks, known, cell.states)
    return Program(blocks, quantities, _updates(blocks, network), parameters, cell.output, steps)


def _step(layer: Layer, network: Network, *, masked: bool) -> list[Equation]:
    """The lines of one time step of a layer."""
    lines = [equation(source.format(activation=network.activation)) for source in layer.table.equations]
    return [_kept_when_padded(line) if masked and line.target in layer.table.states else line for line in lines]


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

    N counts the entries that the loss is averaged over; `cut` is 1 where nothing may flow from a step to the one before.
    """
    every = network.predict == "every"
    given = [Quantity("x", ("B", "D"), "T", True), Quantity("y", network.head.target_axes, "T" if every else "", True)]
    if masked:
        given.append(Quantity(MASK, ("B",), "T", True))
    if every and network.reduction == "mean":
        given.append(Quantity(ENTRIES, (), "", True))
    if cuts_flow(network):
        given.append(Quantity(FLOW_CUT, ("B",), "T", True))
    return {quantity.name: quantity for quantity in given}


def _cut(network: Network) -> Expression | None:
    """The part of a flow that truncation removes; in this expression the flow is `flow_prev` and that part `cut_off_prev`."""
    if network.truncate is None:
        return None
    if cuts_flow(network):
        return Binary("*", Name(FLOW_CUT), Name("flow", -1))
    return Call("carried", (Name(gradient(LOGITS), network.truncate), Name("cut_off", -1)))


def _quantities(blocks: tuple[Block, ...], known: Mapping[str, Axes], states: tuple[str, ...]) -> dict[str, Quantity]:
    """What the lines of forward, loss and backward write."""
    looped = {line.name for block in blocks if block.in_time for line in block.lines}
    result: dict[str, Quantity] = {}
    extended = {*states, *(gradient(s) + suffix for s in states for suffix in ("", OUT, NEXT, FULL, CUT))}
    for block in blocks:
        if block.phase == "update":
            continue
        for line in block.lines:
            name = line.name
            axes = known[_primal(name, known)]
            in_time = name in looped and not line.equation.accumulate
            rows: Literal["", "T", "T+1"] = ("T+1" if name in extended else "T") if in_time else ""
            result.setdefault(name, Quantity(name, axes, rows))
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
