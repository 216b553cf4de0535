"""Prints a plain NumPy program for one model and its data: what a person would write by hand, made from the same equations.

It reads the data file, draws the same weights, runs forward and backward in loops over time, and prints the loss and every gradient, in
the names and the layout of a notation. It needs NumPy and nothing of this project.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.codegen.beforehand import dropout_masks
from engine.codegen.data import Inputs
from engine.codegen.passes import beyond_window, kept_at_first, phases, update
from engine.codegen.source import RESERVED, Style, indented
from engine.files.weights import SAFETENSORS, TORCH, Weights
from engine.language.derive import gradient
from engine.language.functions import Axes
from engine.model.weights_recipe import Piece
from engine.notation import NOTATIONS, Layout, Spelling, stored
from engine.session import Session
from engine.tables.cells.base import Start
from engine.tables.heads import READ_OUT

LONGEST = 120
"""Characters beyond which a line is broken."""


def program_text(session: Session) -> str:
    """The program for a session's model on its data; with the option iteration > 0 it first trains that many iterations."""
    plan, iteration = session.debugger.plan, session.options["iteration"]
    notation = NOTATIONS[session.options["notation"]]
    style = Style(plan, Spelling(notation, plan.network.table, plan.program, RESERVED))
    inputs = Inputs(session, style)
    turned = ".T" if style.spelling.layout.columns else ""
    initial = {name: variable + turned for name, variable in inputs.states.items()}
    carried = _carried(session, style)
    initial |= {
        state: f"{name}_last if iteration % {session.debugger.batches.per_epoch} else {initial.get(state, '0')}"
        for state, name in carried.items()
    }
    body = [
        *phases(style, ("forward", "loss"), "# ---- forward ----", initial),
        *phases(
            style, ("backward",), "# ---- backward: dq is the gradient of the loss with respect to q ----", initial
        ),
    ]
    done = session.debugger.start(0).updates
    number = (f"{done} + iteration" if done else "iteration") if iteration else str(done)
    given = not {*plan.network.masks}.isdisjoint(session.debugger.initial)
    body = [*dropout_masks(style, number, given=given), *body]
    if inputs.batched:
        body = [*inputs.each("iteration" if iteration else "0"), *body]
    if iteration:
        trained = [f"    if iteration < {iteration}:", *indented(update(style, "(iteration + 1)"), "        "), ""]
        if carried:
            trained[1:1] = [
                f"        {name}_last = {name}[T]  # where the next one goes on" for name in carried.values()
            ]
        begun = [f"{name}_last = 0  # no iteration before the first" for name in carried.values()]
        body = [*kept_at_first(style), *begun, f"for iteration in range({iteration} + 1):", *indented(body), *trained]
    parts = [
        _heading(session, style),
        "import numpy as np",
        "",
        *style.definitions(),
        *inputs.source(),
        *_weights(session, style),
        *beyond_window(style),
        *body,
        *_report(style),
    ]
    if not iteration:
        follows = [*kept_at_first(style), *update(style, "1")]
        parts += ["", "# the update that would follow:", *(f"# {line}" for line in follows)]
    return "\n".join(parts) + "\n"


def _carried(session: Session, style: Style) -> dict[str, str]:
    """The states that go on from one iteration to the next, and their arrays' names; none where only the first iteration is run."""
    if not session.debugger.batches.stateful or not session.options["iteration"]:
        return {}
    quantities, states = style.plan.program.quantities, style.plan.network.table.states
    return {state: style.spelling.kept(state) for state in states if not quantities[state].reverse}


def _heading(session: Session, style: Style) -> str:
    data, network, layout = session.data, style.plan.network, style.spelling.layout
    steps, features = data.X.shape[1:]
    kind = f"{network.activation} " if network.table.has_activation else ""
    outputs = "classes" if network.head.output_a_class else "output" if network.outputs == 1 else "outputs"
    lying = "Columns are samples" if layout.columns else "Rows are samples"
    projected = "" if network.projection is None else f" projected to {network.projection} values"
    both = projected + " in each of two directions" if network.bidirectional else ""
    weights = ", weights are (out, in)" if layout.turned_weights else ""
    return (
        f'"""{_plain(data.name)}: forward and backward pass (backpropagation through time) of a {kind}{network.table.name}, '
        f"in plain NumPy.\n\n{len(data.X)} samples, {steps} time steps of {features} {'value' if features == 1 else 'values'}, "
        f"{' and '.join(map(str, network.units))} units{both}, {network.outputs} {outputs}. {lying}{weights}.\n"
        f"Names and layout: {style.spelling.notation.source}.\n{style.spelling.notation.remark}".rstrip()
        + '\n"""'
    )


def _plain(text: str) -> str:
    return text.replace("\\", "/").replace('"', "'")


def _weights(session: Session, style: Style) -> list[str]:
    """The lines that draw the same weights, in the engine's shapes and order, and bring them into the notation's layout."""
    network, spelling, layout = style.plan.network, style.spelling, style.spelling.layout
    if session.from_trace:
        lines = ["# ---- weights ----"]
        for name, axes in network.parameter_axes.items():
            lines.append(f"{spelling.name(name)} = trace[{name!r}]{_laid(layout, axes)}")
        return [*lines, ""]
    alone = session.weights is not None and not READ_OUT.keys() <= session.weights.recipe.pieces.keys()
    if session.weights is not None and not alone:
        return _read(session.weights, style)
    scale = "1" if session.options["init-scale"] == 1 else repr(session.options["init-scale"])
    lines = [
        "# ---- weights: uniform between -bound and +bound, always drawn in this order ----",
        f"rng = np.random.default_rng({session.options['seed']})",
    ]
    cast = "" if network.dtype == "float64" else f".astype(np.{network.dtype})"
    bounds, bound = network.bounds, ""
    for name, axes in network.parameter_axes.items():
        if bounds[name] != bound:
            bound = bounds[name]
            lines.append(f"bound = {scale} / np.sqrt({bound})")
        size = ", ".join(axes) + ("," if len(axes) == 1 else "")
        drawn = _started(network.table.start.get(name), axes, size) + cast
        laid = _laid(layout, axes)
        shape = f"  # ({', '.join(layout.shape(axes))})" if laid else ""
        lines.append(f"{spelling.name(name)} = {drawn}{laid}{shape}")
    return [*lines, "", *(_read(session.weights, style) if session.weights is not None else ())]


def _started(start: Start | None, axes: Axes, size: str) -> str:
    """The source of a parameter as it starts: drawn (None), or as its cell says."""
    match start:
        case None:
            return f"rng.uniform(-bound, bound, size=({size}))"
        case "identity":
            return f"np.eye({axes[0]})"
        case (low, high):
            return f"np.linspace({low!r}, {high!r}, {axes[0]})"
        case number:
            return f"np.full(({size}), {number!r})"


def _laid(layout: Layout, axes: Axes) -> str:
    """What to write after an engine's weight to transpose it, or after a bias to make it a column."""
    return _turned(axes, Piece(""), layout)


def _turned(axes: Axes, piece: Piece, layout: Layout) -> str:
    """What to write after an array of a file to bring it into the notation's layout."""
    if len(axes) == 2:
        return ".T" if piece.transposed != layout.turns(axes) else ""
    column = len(layout.shape(axes)) > len(axes)
    return "" if piece.column == column else "[:, None]" if column else "[:, 0]"


def _read(weights: Weights, style: Style) -> list[str]:
    """The lines that read the parameters from their file."""
    network, layout, path = style.plan.network, style.spelling.layout, str(weights.path)
    suffix = weights.path.suffix.lower()
    lines = ["# ---- weights ----"]
    if suffix == SAFETENSORS:
        lines += ["from safetensors.numpy import load_file", "", f"weights = load_file({path!r})"]
    elif suffix in TORCH:
        loaded = f"torch.load({path!r}, map_location='cpu', weights_only=True)"
        lines += ["import torch", "", f"weights = {{name: value.numpy() for name, value in {loaded}.items()}}"]
    else:
        lines.append(f"weights = np.load({path!r})")
    kind = "float" if network.dtype == "float64" else f"np.{network.dtype}"
    for name, pieces in weights.recipe.pieces.items():
        axes, shown = network.parameter_axes[name], style.spelling.name(name)
        addends = [_piece(piece) + _turned(axes, piece, layout) for piece in pieces]
        if len(addends) == 1:
            lines.append(f"{shown} = {addends[0]}.astype({kind})")
        elif addends:
            total = " + ".join(f"{addend}.astype(float)" for addend in addends)
            lines.append(f"{shown} = {total}" if kind == "float" else f"{shown} = ({total}).astype({kind})")
        else:
            lines.append(f"{shown} = {style.zeros(name)}")
    learned = (name for name in network.table.initial.values() if name not in weights.recipe.pieces)
    lines += [f"{style.spelling.name(name)} = {style.zeros(name)}" for name in learned]
    return [*lines, ""]


def _piece(piece: Piece) -> str:
    places = ", ".join(str(place) if isinstance(place, int) else f"{place[0]}:{place[1]}" for place in piece.at)
    more = f" + {piece.more:g}" if piece.more else ""
    part = f"weights[{piece.array!r}]" + (f"[{places}]" if places else "")
    return f"({part}{more})" if more else part


def _gradients(style: Style) -> Iterator[tuple[str, str]]:
    """The gradients' names as they are printed, and their source; stacked as PyTorch's `.grad` are, where the notation is its."""
    spelling, network = style.spelling, style.plan.network
    arrays = stored(spelling, network)
    for name, parameters in arrays.items():
        sources = [spelling.name(gradient(parameter)) for parameter in parameters]
        source = f"np.concatenate([{', '.join(sources)}])" if len(sources) > 1 else sources[0]
        yield (f"{name}.grad" if spelling.notation.stacked else sources[0]), source


def _report(style: Style) -> list[str]:
    pairs = [f'"{name}": {source}' for name, source in _gradients(style)]
    line = f"gradients = {{{', '.join(pairs)}}}"
    return [
        *([line] if len(line) <= LONGEST else ["gradients = {", *(f"    {pair}," for pair in pairs), "}"]),
        'print(f"loss {float(loss):.12g}")',
        "for name, value in gradients.items():",
        '    print(f"\\n{name} {value.shape}")',
        "    print(value)",
    ]
