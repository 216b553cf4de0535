"""A plain NumPy program for one model and its data: what a person would write by hand, made from the same equations.

It reads the data file, draws the same weights, runs forward and backward in loops over time, and prints the loss and every gradient.
It needs NumPy and nothing of this project.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.equation import Equation
from engine.expression import Binary, Call, Name, Sum, show, walk
from engine.files.data import Data
from engine.files.weights import SAFETENSORS, Weights
from engine.functions import FUNCTIONS
from engine.network import Network
from engine.parameters import Piece
from engine.plan import Plan
from engine.program import Block, Line, Loop, Quantity
from engine.session import Session

_NOTES = {
    "loss": "one number for the whole batch",
    "+=": "the sum over time: step t adds its term",
    "-1": "what flows to the step before",
}


@dataclass(frozen=True)
class Source:
    """NumPy source: `a[t - 1] @ Wa`. `time` is the loop's variable."""

    quantities: dict[str, Quantity]
    time: str = "t"
    dtype: str = ""
    minus: str = "-"

    def name(self, name: Name) -> str:
        quantity = self.quantities.get(name.name)
        if quantity is None or not quantity.rows:
            return name.name
        if name.name == "x":
            return f"X[:, {self.time} - 1]"
        return f"{name.name}[{self.time}{f' - {-name.step}' if name.step else ''}]"

    def number(self, value: float) -> str:
        return repr(value)

    def operator(self, node: Binary) -> str:
        return f" {node.operator} "

    def power(self, base: str, exponent: str) -> str:
        return f"{base}**{exponent}"

    def indicator(self, condition: str) -> str:
        return f"({condition})"

    def call(self, node: Call, arguments: list[str]) -> str:
        return FUNCTIONS[node.function].source.format(*arguments, dtype=self.dtype)

    def transpose(self, operand: str) -> str:
        return f"{operand}.T"

    def sum(self, node: Sum, operand: str) -> str:
        atom = operand if operand.isidentifier() or operand.endswith("]") else f"({operand})"
        return f"{atom}.sum(axis=0)"


def program_text(session: Session) -> str:
    """The program for a session's model on its data; with the option iteration > 0 it first trains that many iterations."""
    plan, data, options = session.debugger.plan, session.data, session.options
    iteration = options["iteration"]
    body = [*_forward(plan, _initial(session)), *_backward(plan)]
    update = _update(plan)
    if iteration:
        body = [f"for iteration in range({iteration} + 1):", *_indented(body), f"    if iteration < {iteration}:"]
        body += [*_indented(_indented(update)), ""]
    parts = [
        _heading(plan.network, data),
        "import numpy as np",
        "",
        *_definitions(plan),
        *_data(data, plan, from_trace=session.from_trace),
        *_weights(session),
        *body,
        *_report(plan),
    ]
    if not iteration:
        parts += ["", "# the update that would follow:", *(f"# {line}" for line in update)]
    return "\n".join(parts) + "\n"


def _heading(network: Network, data: Data) -> str:
    steps, features = data.X.shape[1:]
    kind = f"{network.activation} " if network.table.has_activation else ""
    return (
        f'"""{_plain(data.name)}: forward and backward pass (backpropagation through time) of a {kind}{network.table.name}, '
        f"in plain NumPy.\n\n{len(data.X)} samples, {steps} time steps of {features} {'value' if features == 1 else 'values'}, "
        f'{network.hidden} units, {network.outputs} classes. Rows are samples; step t of the input is X[:, t - 1].\n"""'
    )


def _plain(text: str) -> str:
    return text.replace("\\", "/").replace('"', "'")


def _definitions(plan: Plan) -> list[str]:
    """The functions that NumPy does not have, where the model uses them."""
    used = {n.function for line in plan.program.lines for n in walk(line.equation.expression) if isinstance(n, Call)}
    sources = [FUNCTIONS[name].definition for name in FUNCTIONS if name in used and FUNCTIONS[name].definition]
    return [line for source in sources for line in ("", *source.splitlines(), "")] + ([""] if sources else [])


def _data(data: Data, plan: Plan, *, from_trace: bool) -> list[str]:
    steps, features = data.X.shape[1:]
    lines = ["# ---- data ----"]
    if from_trace:
        lines += [f"trace = np.load({str(data.path)!r})", 'X, y = np.moveaxis(trace["x"], 0, 1), trace["y"]']
    elif data.csv is None:
        lines += [f"data = np.load({str(data.path)!r})", f'X = data["X"].reshape(-1, {steps}, {features})']
        lines += ['classes, y = np.unique(data["y"], return_inverse=True)']
    else:
        layout = data.csv
        whole = all(name.lstrip("+-").isdigit() for name in data.classes)
        cast = "" if not layout.numeric_target else ".astype(int)" if whole else ".astype(float)"
        lines += [
            "table = np.loadtxt(",
            f"    {str(data.path)!r},",
            f"    delimiter={layout.delimiter!r}, skiprows={layout.skip}, dtype=str, comments=None, quotechar='\"',",
            '    encoding="utf-8-sig", ndmin=2,',
            ")",
            f"X = table[:, {_columns(layout.features)}].astype(float).reshape(-1, {steps}, {features})",
            f"classes, y = np.unique(np.char.strip(table[:, {layout.target}]){cast}, return_inverse=True)",
        ]
    if plan.network.dtype != "float64":
        lines += [f"X = X.astype(np.{plan.network.dtype})"]
    sizes = f"B, T, D = X.shape  # {', '.join(str(n) for n in (len(data.X), steps, features))}"
    return [*lines, sizes, f"H, C = {plan.network.hidden}, {plan.network.outputs}", ""]


def _columns(columns: tuple[int, ...]) -> str:
    first, last = columns[0], columns[-1]
    return f"{first}:{last + 1}" if columns == tuple(range(first, last + 1)) else f"{list(columns)}"


def _weights(session: Session) -> list[str]:
    network = session.debugger.network
    if session.from_trace:
        return ["# ---- weights ----", *(f"{name} = trace[{name!r}]" for name in network.parameter_axes), ""]
    if session.weights is not None:
        return _read(session.weights, network)
    scale, seed = session.options["init-scale"], session.options["seed"]
    lines = [
        "# ---- weights: uniform between -bound and +bound, always drawn in this order ----",
        f"rng = np.random.default_rng({seed})",
        f"bound = {'1' if scale == 1 else repr(scale)} / np.sqrt(H)",
    ]
    cast = "" if network.dtype == "float64" else f".astype(np.{network.dtype})"
    for name, axes in network.parameter_axes.items():
        size = ", ".join(axes) + ("," if len(axes) == 1 else "")
        lines.append(f"{name} = rng.uniform(-bound, bound, size=({size})){cast}")
    return [*lines, ""]


def _read(weights: Weights, network: Network) -> list[str]:
    """The parameters from their file, each from where it lies there."""
    path = str(weights.path)
    safe = weights.path.suffix.lower() == SAFETENSORS
    lines = ["# ---- weights ----"]
    lines += ["from safetensors.numpy import load_file", ""] if safe else []
    lines.append(f"weights = {'load_file' if safe else 'np.load'}({path!r})")
    kind = "float" if network.dtype == "float64" else f"np.{network.dtype}"
    for name, pieces in weights.recipe.pieces.items():
        addends = [_piece(piece) for piece in pieces]
        if len(addends) == 1:
            lines.append(f"{name} = {addends[0]}.astype({kind})")
        elif addends:
            total = " + ".join(f"{addend}.astype(float)" for addend in addends)
            lines.append(f"{name} = {total}" if kind == "float" else f"{name} = ({total}).astype({kind})")
        else:
            size = ", ".join(network.parameter_axes[name]) + ","
            lines.append(f"{name} = np.zeros(({size}), {kind})")
    return [*lines, ""]


def _piece(piece: Piece) -> str:
    rows = f"[{piece.rows[0]}:{piece.rows[1]}]" if piece.rows else ""
    return f"weights[{piece.array!r}]{rows}{'.T' if piece.transposed else ''}"


def _initial(session: Session) -> dict[str, str]:
    """The source of every initial state that is not zero."""
    names = session.debugger.initial
    if session.from_trace:
        return {name: f"trace[{name!r}][0]" for name in names}
    output = session.debugger.network.table.output
    return {name: 'data["a0" if "a0" in data else "h0"]' if name == output else f'data["{name}0"]' for name in names}


def _forward(plan: Plan, initial: dict[str, str]) -> list[str]:
    return _phase(plan, ("forward", "loss"), "# ---- forward ----", initial)


def _backward(plan: Plan) -> list[str]:
    return _phase(plan, ("backward",), "# ---- backward: dq is the gradient of the loss with respect to q ----")


def _phase(plan: Plan, phases: tuple[str, ...], heading: str, initial: dict[str, str] | None = None) -> list[str]:
    lines, stored = [heading], set[str]()
    for block in plan.program.blocks:
        if block.phase in phases:
            lines += _storage(plan, block, stored)
            lines += [f"{name}[0] = {source}" for name, source in (initial or {}).items() if block.loop is Loop.UP]
            lines += _lines(plan, block)
    return [*lines, ""]


def _storage(plan: Plan, block: Block, stored: set[str]) -> list[str]:
    """Arrays for what is kept in time, one row a step, and zeros for sums over time to start from."""
    kind = _kind(plan, ", ")
    lines: list[str] = []
    for line in block.lines:
        name, quantity = line.name, plan.program.quantities[line.name]
        if name in stored or not (quantity.rows or line.equation.accumulate):
            continue
        stored.add(name)
        if line.equation.accumulate:
            lines.append(f"{name} = np.zeros_like({name.removeprefix('d')})")
        else:
            zero = ", row 0 the initial state" if quantity.rows == "T+1" and block.phase == "forward" else ""
            lines.append(f"{name} = np.zeros((T + 1, {', '.join(quantity.axes)}){kind})  # row t is step t{zero}")
    return lines


def _lines(plan: Plan, block: Block) -> list[str]:
    indent = "    " if block.loop in (Loop.UP, Loop.DOWN) else ""
    code = [(indent + _source(plan, block, line), _note(plan, line)) for line in block.lines]
    width = max(len(source) for source, _ in code)
    loop = {Loop.UP: ["for t in range(1, T + 1):"], Loop.DOWN: ["for t in range(T, 0, -1):"]}.get(block.loop, [])
    return [*loop, *(f"{source:<{width}}  # {note}" for source, note in code)]


def _source(plan: Plan, block: Block, line: Line) -> str:
    notation = Source(dict(plan.program.quantities), "T" if block.loop is Loop.AT_T else "t", _kind(plan, ", dtype="))
    equation = line.equation
    target = notation.name(Name(equation.target, equation.step))
    return f"{target} {'+=' if equation.accumulate else '='} {show(equation.expression, notation)}"


def _note(plan: Plan, line: Line) -> str:
    """The shape, and what is easily got wrong."""
    shape = str(tuple(plan.sizes[axis] for axis in plan.program.quantities[line.name].axes))
    equation: Equation = line.equation
    if equation.accumulate:
        return f"{shape} {_NOTES['+=']}"
    if equation.step < 0:
        return f"{shape} {_NOTES['-1']}"
    return _NOTES.get(line.name, shape)


def _update(plan: Plan) -> list[str]:
    (block,) = (b for b in plan.program.blocks if b.loop is Loop.PARAMETERS)
    lines: list[str] = []
    for parameter in plan.program.parameters:
        names = {"W": parameter, "dW": f"d{parameter}"}
        values = {name: repr(value) for name, value in plan.network.hyperparameters.items()}
        for line in block.lines:
            notation = _Renamed({}, names={**names, **values})
            lines.append(f"{notation.name(Name(line.name))} = {show(line.equation.expression, notation)}")
    return lines


@dataclass(frozen=True)
class _Renamed(Source):
    """Source with names replaced: the update's W by a parameter, its scalars by their values."""

    names: dict[str, str] | None = None

    def name(self, name: Name) -> str:
        return (self.names or {}).get(name.name, name.name)


def _report(plan: Plan) -> list[str]:
    pairs = ", ".join(f'"d{name}": d{name}' for name in plan.program.parameters)
    return [
        f"gradients = {{{pairs}}}",
        'print(f"loss {float(loss):.12g}")',
        "for name, value in gradients.items():",
        '    print(f"\\n{name} {value.shape}")',
        "    print(value)",
    ]


def _kind(plan: Plan, before: str) -> str:
    """The dtype as an argument, where it is not NumPy's own default."""
    return "" if plan.network.dtype == "float64" else f"{before}np.{plan.network.dtype}"


def _indented(lines: list[str]) -> list[str]:
    return [f"    {line}" if line else "" for line in lines]
