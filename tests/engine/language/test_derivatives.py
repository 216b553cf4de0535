"""Derivatives: of each function, of each rule of the tree, of each line of each table alone, and of whole gated cells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import autograd
import autograd.numpy as anp
import numpy as np
import pytest

from engine import Network, Tape, record
from engine.errors import InputError
from engine.language.derive import backward
from engine.language.equation import Equation, TableError, contributions, equation, infer
from engine.language.evaluate import evaluate
from engine.language.expression import Call, Name, Number, parse, walk
from engine.language.functions import ACTIVATIONS, FUNCTIONS, Axes, Function
from engine.language.printing import show
from engine.tables.cells import BY_NAME, CELLS, Cell
from engine.tables.heads import HEADS, READ_OUT
from tests.engine.strategies import Source

Array = np.ndarray[Any, Any]
SIZES = {"B": 4, "T": 6, "D": 2, "H": 3, "P": 2, "C": 5}
SMALLEST = 1e-30
"""The complex step: f(u + iεv) = f(u) + iε·f'(u)v without any cancellation, so ε may be as small as one likes."""

GATES = "ifgo"
LSTM = Cell(
    name="lstm-like",
    equations=(
        *(f"z{k} = x @ Wx{k} + h_prev @ Wh{k} + b{k}" for k in GATES),
        "i = sigmoid(zi)",
        "f = sigmoid(zf)",
        "g = tanh(zg)",
        "o = sigmoid(zo)",
        "c = f * c_prev + i * g",
        "h = o * tanh(c)",
    ),
    parameters={
        f"{kind}{k}": axes for k in GATES for kind, axes in (("Wx", ("D", "H")), ("Wh", ("H", "H")), ("b", ("H",)))
    },
    states=("h", "c"),
    output="h",
)
LSTM_NAMED, GRU = CELLS["lstm"], CELLS["gru"]


def _made_up(name: str, *equations: str, **parameters: Axes) -> Cell:
    return Cell(name, equations, parameters, ("a",), "a")


MADE_UP = (
    _made_up("residual", "a = a_prev + tanh(x @ Wx + a_prev @ Wa)", Wx=("D", "H"), Wa=("H", "H")),
    _made_up("minus", "z = x @ Wx - a_prev @ Wa", "a = tanh(z)", Wx=("D", "H"), Wa=("H", "H")),
    _made_up("diagonal", "a = tanh(x @ Wx + a_prev * wa + ba)", Wx=("D", "H"), wa=("H",), ba=("H",)),
    _made_up("decay by the input", "a = sigmoid(x @ Wg) * a_prev + x @ Wx", Wg=("D", "H"), Wx=("D", "H")),
    _made_up("decay named", "keep = sigmoid(x @ Wg)", "a = keep * a_prev + x @ Wx", Wg=("D", "H"), Wx=("D", "H")),
    _made_up("scalar weight", "z = x @ Wx + s * a_prev", "a = tanh(z)", Wx=("D", "H"), s=()),
    _made_up("quotient", "a = (x @ Wx + a_prev) / (1 + a_prev ** 2)", Wx=("D", "H")),
    _made_up("weight used twice", "z = tanh(a_prev @ Wa) @ Wa + x @ Wx", "a = tanh(z)", Wx=("D", "H"), Wa=("H", "H")),
    _made_up("transposed weight", "a = tanh(x @ Wx.T + a_prev @ Wa.T)", Wx=("H", "D"), Wa=("H", "H")),
    _made_up(
        "layer norm",
        *(
            "u = x @ Wx + a_prev @ Wa",
            "m = mean(u)",
            "s = sqrt(variance(u) + 1e-5)",
            "z = g * (u - m) / s + b",
            "a = tanh(z)",
        ),
        Wx=("D", "H"),
        Wa=("H", "H"),
        g=("H",),
        b=("H",),
    ),
    _made_up(
        "root mean square",
        *("u = x @ Wx + a_prev @ Wa", "a = tanh(g * u / sqrt(mean(u ** 2) + 1e-5)) * exp(-mean(u) ** 2)"),
        Wx=("D", "H"),
        Wa=("H", "H"),
        g=("H",),
    ),
    _made_up(
        "decay made of a parameter, read twice",
        *("lam = exp(-exp(nu))", "gamma = sqrt(1 - lam ** 2)", "a = lam * a_prev + gamma * (x @ Wx)"),
        Wx=("D", "H"),
        nu=("H",),
    ),
    _made_up(
        "low rank, and a factor of it alone",
        *("R = U @ V.T", "a = tanh(x @ Wx + a_prev @ R + a_prev @ U)"),
        Wx=("D", "H"),
        U=("H", "H"),
        V=("H", "H"),
    ),
    _made_up("two readers", "u = x @ Wx + a_prev @ Wa", "v = u * u", "a = tanh(u + v)", Wx=("D", "H"), Wa=("H", "H")),
)
TABLES = (*BY_NAME.values(), LSTM, *MADE_UP)


# Helpers


def draw(axes: Axes, rng: np.random.Generator, sizes: Mapping[str, int] = SIZES) -> Array:
    """Values of at least 0.3 in size and of both signs: no kink and no zero is near."""
    shape = tuple(sizes[axis] for axis in axes)
    return np.asarray(rng.uniform(0.3, 1.3, shape) * rng.choice([-1.0, 1.0], shape))


def vjp(eq: Equation, name: Name, scope: Mapping[Name, Any], known: Mapping[str, Axes], given: Array) -> Array:
    """dL/dname by the engine's rules when dL/dtarget is `given`."""
    axes = {**known, "G": infer(eq.expression, known)}
    paths = [path for reached, path in contributions(eq.expression, Name("G"), axes) if reached == name]
    values = {**scope, Name("G"): given}
    return np.asarray(sum(np.asarray(evaluate(path, values.__getitem__, axes), dtype=float) for path in paths))


def jvp(eq: Equation, name: Name, scope: Mapping[Name, Any], known: Mapping[str, Axes], direction: Array) -> Array:
    """The change of the equation's value in a direction: by the complex step, or by central differences away from kinks."""

    def at(step: complex) -> Any:
        return evaluate(eq.expression, {**scope, name: scope[name] + step * direction}.__getitem__, known)

    if by_differences(eq):
        return (at(1e-4) - at(-1e-4)) / 2e-4
    return np.imag(at(SMALLEST * 1j)) / SMALLEST


def by_differences(eq: Equation) -> bool:
    """Whether the complex step will not do: a kink, and a function that NumPy has for real numbers only."""
    called = (FUNCTIONS[node.function] for node in walk(eq.expression) if isinstance(node, Call))
    return any(function.kink or not takes_complex(function) for function in called)


def takes_complex(function: Function) -> bool:
    arguments = (np.ones((1, 2), complex), np.zeros(1, int))
    try:
        function.compute(
            *arguments[: 1 if function.elementwise or function.summand or function.name in ("sum", "softmax") else 2]
        )
    except TypeError:
        return False
    return True


def source_of(eq: Equation) -> str:
    return show(eq.expression, Source())


def check(
    eq: Equation,
    name: Name,
    known: Mapping[str, Axes],
    scope: Mapping[Name, Any],
    sizes: Mapping[str, int] = SIZES,
) -> None:
    """⟨vjp(G), V⟩ = ⟨G, jvp(V)⟩ for a random G and a random direction V; the message names the derivative."""
    rng = np.random.default_rng(7)
    given = draw(infer(eq.expression, known), rng, sizes)
    direction = draw(known[name.name], rng, sizes)
    received = np.broadcast_to(vjp(eq, name, scope, known, given), direction.shape)
    by_rule = float(np.sum(received * direction))
    by_step = float(np.sum(given * jvp(eq, name, scope, known, direction)))
    scale = float(np.sum(np.abs(received * direction))) + abs(by_step)
    assert abs(by_rule - by_step) <= (1e-6 if by_differences(eq) else 1e-12) * scale, (
        f"{eq.target} wrt {Source().name(name)}: {by_rule:.15g} by the rules, {by_step:.15g} by a step in a random direction"
    )
    assert scale > 1e-6, f"{eq.target} wrt {Source().name(name)}: nothing flows, so nothing is tested"


def axes_of(table: Cell, equations: list[Equation]) -> dict[str, Axes]:
    known: dict[str, Axes] = {
        **dict.fromkeys(SIZES, ()),
        **table.parameters,
        **table.state_axes,
        "x": ("B", "D"),
    }
    for eq in equations:
        known[eq.target] = infer(eq.expression, known)
    return known


def scope_of(
    eq: Equation, known: Mapping[str, Axes], seed: int = 3, sizes: Mapping[str, int] = SIZES
) -> dict[Name, Any]:
    rng = np.random.default_rng(seed)
    scope: dict[Name, Any] = {Name(letter): size for letter, size in sizes.items()}
    rooted = any(isinstance(node, Call) and node.function == "sqrt" for node in walk(eq.expression))
    for name in eq.reads:
        if name.name == "y" and known["y"] == ("B",):
            scope[name] = rng.integers(0, 2, SIZES["B"])
        elif name.name not in SIZES:
            drawn = draw(known[name.name], rng, sizes)
            scope[name] = 0.7 * np.abs(drawn) if rooted else drawn  # the argument of a root is above 0
    return scope


def lines_of_tables() -> Iterator[Any]:
    for table in TABLES:
        for activation in ACTIVATIONS if table.has_activation else [next(iter(ACTIVATIONS))]:
            equations = [equation(source.format(activation=activation)) for source in table.equations]
            known = axes_of(table, equations)
            for eq in equations:
                for name in eq.reads:
                    label = f"{table.name} {activation}" if table.has_activation else table.name
                    yield pytest.param(eq, name, known, id=f"{label}: {eq.target} wrt {Source().name(name)}")


def lines_of_heads() -> Iterator[Any]:
    for head in HEADS.values():
        lines = [equation(source.format(output="a")) for source in (*head.equations, f"loss = sum({head.loss})")]
        known: dict[str, Axes] = {**dict.fromkeys(SIZES, ()), **READ_OUT, "a": ("B", "H"), "y": head.target_axes}
        for eq in lines:
            known[eq.target] = infer(eq.expression, known)
            for name in eq.reads:
                if eq.target != "p" and name.name != "y":
                    sizes = {**SIZES, "C": 1} if head.two_classes else SIZES
                    yield pytest.param(eq, name, known, sizes, id=f"{head.name}: {eq.target} wrt {name.name}")


# One function, one line, one rule at a time


@pytest.mark.parametrize(("eq", "name", "known"), list(lines_of_tables()))
def test_each_derivative_of_each_line_of_each_cell(eq: Equation, name: Name, known: dict[str, Axes]) -> None:
    check(eq, name, known, scope_of(eq, known))


@pytest.mark.parametrize(("eq", "name", "known", "sizes"), list(lines_of_heads()))
def test_each_derivative_of_each_line_of_each_head(
    eq: Equation, name: Name, known: dict[str, Axes], sizes: dict[str, int]
) -> None:
    check(eq, name, known, scope_of(eq, known, sizes=sizes), sizes)


@pytest.mark.parametrize("function", [f for f in FUNCTIONS.values() if f.elementwise], ids=lambda f: f.name)
def test_each_elementwise_function_has_its_derivative(function: Any) -> None:
    u = np.array([-40.0, -3.0, -0.5, -1e-3, 1e-3, 0.2, 1.0, 4.0, 40.0])
    u = np.abs(u) if function.name == "sqrt" else u
    by_hand = np.broadcast_to(evaluate(function.derivative, {Name("u"): u}.__getitem__), u.shape)
    if function.kink or not takes_complex(function):
        expected = (function.compute(u + 1e-4) - function.compute(u - 1e-4)) / 2e-4
        np.testing.assert_allclose(by_hand, expected, atol=1e-9 if function.kink else 1e-7, err_msg=f"{function.name}'")
    else:
        expected = np.imag(function.compute(u + SMALLEST * 1j)) / SMALLEST
        np.testing.assert_allclose(by_hand, expected, rtol=1e-9, atol=1e-15, err_msg=f"{function.name}'")


def test_relu_has_the_derivative_zero_at_zero() -> None:
    derivative = FUNCTIONS["relu"].derivative
    assert derivative is not None
    assert not evaluate(derivative, {Name("u"): np.zeros(3)}.__getitem__).any()


def test_cross_entropy_has_its_value_and_its_derivative() -> None:
    function = FUNCTIONS["cross_entropy"]
    assert function.derivative is not None
    rng = np.random.default_rng(1)
    u, v, direction = rng.normal(size=(6, 4)), rng.integers(0, 4, 6), rng.normal(size=(6, 4))

    def plain(logits: Array) -> Array:
        return np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(6), v]

    np.testing.assert_allclose(function.compute(u, v), plain(u), rtol=1e-13)
    by_hand = evaluate(function.derivative, {Name("u"): u, Name("v"): v, Name("C"): 4}.__getitem__)
    expected = np.imag(plain(u + SMALLEST * 1j * direction)) / SMALLEST
    np.testing.assert_allclose((by_hand * direction).sum(axis=1), expected, rtol=1e-12)


def test_functions_neither_overflow_nor_lose_the_loss_of_a_certain_mistake() -> None:
    huge = np.array([[1e4, -1e4, 0.0]])
    with np.errstate(all="raise", under="ignore"):
        np.testing.assert_array_equal(FUNCTIONS["softmax"].compute(huge), [[1, 0, 0]])
        np.testing.assert_array_equal(FUNCTIONS["cross_entropy"].compute(huge, np.array([1])), [2e4])
        np.testing.assert_array_equal(FUNCTIONS["sigmoid"].compute(huge), [[1, 0, 0.5]])


@pytest.mark.parametrize("function", list(FUNCTIONS.values()), ids=lambda f: f.name)
def test_a_function_computes_the_same_in_place_and_leaves_its_argument_alone(function: Any) -> None:
    rng = np.random.default_rng(2)
    u: Any = rng.normal(size=(5, 4))
    own: dict[str, tuple[Any, ...]] = {
        "cross_entropy": (u, rng.integers(0, 4, 5)),
        "binary_cross_entropy": (u[:, :1], rng.integers(0, 2, 5)),
        "onehot": (rng.integers(0, 4, 5), 4),
        "sqrt": (u := np.abs(u),),
        "joined": (u, u + 1),
        "min": (u, 0.5),
        "clip": (u, 0.5),
        "carried": (u[:, :2], rng.normal(size=(5, 4))),
    }
    arguments = own.get(function.name, (u,))
    kept = arguments[0].copy()
    fresh = function.compute(*arguments)
    np.testing.assert_array_equal(arguments[0], kept)
    out = np.full(np.shape(fresh), np.nan)
    function.compute(*arguments, out=out)
    assert out.tobytes() == np.asarray(fresh, dtype=float).tobytes()
    assert not np.shares_memory(fresh, arguments[0])
    if function.elementwise:
        function.compute(u, out=u)
        assert u.tobytes() == fresh.tobytes()


RULES: dict[str, Axes] = {
    **dict.fromkeys("uv", ("B", "H")),
    "x": ("B", "D"),
    "W": ("D", "H"),
    "V": ("H", "C"),
    "M": ("H", "D"),
    "b": ("H",),
    "e": ("H",),
    "m": ("B",),
    "s": (),
    "logits": ("B", "C"),
    "y": ("B",),
    **dict.fromkeys(SIZES, ()),
}
ON_RULES = [
    "u + v",
    "u - v",
    "v - (u - v)",
    "-(u - v) * v",
    "u * v",
    "u * u * v",
    "u * (u + v)",
    "u / v",
    "v / (u + v * v)",
    "1 / u",
    "2 * u - 3 / v",
    "u ** 2",
    "u ** 3 * v",
    "(u * u) ** 0.5",
    "u ** -1",
    "u / (1 + v ** 2)",
    "x @ W",
    "x @ W @ V",
    "x @ W + b",
    "(x @ W) * v",
    "(x @ W + b) * u - v",
    "-(x @ W)",
    "W @ V",
    "x @ M.T",
    "x.T @ u",
    "(x @ W).T @ u",
    "(u * v).T",
    "u.T @ v @ V",
    "u * b",
    "b * u + e",
    "u / b",
    "b / u",
    "b - u",
    "b * e",
    "s * u",
    "u / s",
    "s * b",
    "u + m",
    "m * u",
    "u / m",
    "m / u",
    "m * u + (1 - m) * v",
    "m * (x @ W + b)",
    "tanh(u) * v",
    "tanh(u * v + b)",
    "tanh(x @ W + b)",
    "tanh(tanh(u))",
    "tanh(u) ** 2",
    "sigmoid(x @ W) * tanh(v)",
    "relu(u * v)",
    "identity(u * v)",
    "cross_entropy(logits, y)",
    "cross_entropy(u @ V, y)",
    "m * cross_entropy(logits, y)",
    "sum(cross_entropy(logits, y)) / B",
    "sum(m * cross_entropy(logits, y)) / B",
    "sum(u)",
    "sum(u * v) / B",
    "sum(x @ W)",
    "sum(m * m)",
]


def _readers() -> Iterator[Any]:
    for source in ON_RULES:
        eq = equation(f"r = {source}")
        for name in eq.reads:
            if name.name not in {*SIZES, "y"}:
                yield pytest.param(eq, name, id=f"{source} wrt {name.name}")


@pytest.mark.parametrize(("eq", "name"), list(_readers()))
def test_each_rule_of_the_tree(eq: Equation, name: Name) -> None:
    check(eq, name, RULES, scope_of(eq, RULES))


@pytest.mark.parametrize("source", ["u * b", "m * u", "u + m", "u / b"])
def test_a_value_for_each_sample_and_one_for_each_unit_stay_apart_when_there_are_as_many(source: str) -> None:
    sizes = dict.fromkeys(SIZES, 3)
    rng = np.random.default_rng(0)
    u, b, m = (draw(RULES[name], rng, sizes) for name in "ubm")
    expected = {"u * b": u * b, "m * u": m[:, None] * u, "u + m": u + m[:, None], "u / b": u / b}[source]
    np.testing.assert_array_equal(
        evaluate(parse(source), {Name("u"): u, Name("b"): b, Name("m"): m}.__getitem__, RULES), expected
    )


def test_two_paths_into_one_name_come_as_two_contributions() -> None:
    paths = list(contributions(parse("u * v + u / v"), Name("G"), {**RULES, "G": ("B", "H")}))
    assert [name.name for name, _ in paths] == ["u", "v", "u", "v"]
    assert paths[0][1] == parse("G * v")
    assert paths[2][1] == parse("G / v")


@pytest.mark.parametrize("source", ["u > v", "u * (v > 0)", "u ** v", "softmax(u)", "onehot(y, C)", "2 ** u"])
def test_what_has_no_derivative_is_refused(source: str) -> None:
    known = {**RULES, "G": ("B", "H")}
    with pytest.raises(TableError):
        list(contributions(parse(source), Name("G"), known))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("u @ v", r"\(B, H\) by \(B, H\)"),
        ("x + u", r"\(B, D\) \+ \(B, H\)"),
        ("x @ b", r"\(B, D\) by \(H\)"),
        ("s @ W", r"\(\) by"),
        ("u * nobody", "'nobody'"),
        ("nofunction(u)", "'nofunction'"),
        ("b * m", r"\(H\) \* \(B\)"),
    ],
)
def test_shapes_that_do_not_fit_are_refused_by_name(source: str, message: str) -> None:
    with pytest.raises(TableError, match=message):
        infer(parse(source), RULES)


@pytest.mark.parametrize("source", ["z", "z + 1", "z[0] = x", "= x", "2z = x", "z = x +"])
def test_what_is_no_equation_is_refused(source: str) -> None:
    with pytest.raises(TableError):
        equation(source)


# Whole cells


def network(table: Cell, **options: Any) -> Network:
    return Network(inputs=2, hidden=3, outputs=5, cell=table, seed=11, init_scale=1.5, **options)


def data(table: Cell) -> tuple[Array, Array, dict[str, Array]]:
    rng = np.random.default_rng(12)
    X = rng.normal(size=(4, 6, 2))
    return (
        X,
        rng.integers(0, 5, 4),
        {name: rng.normal(size=(4, 1 if name in table.widths else 3)) for name in table.states},
    )


def naive_loss(table: Cell, parameters: Mapping[str, Array], X: Array, y: Array, states: Mapping[str, Array]) -> Any:
    """The mean cross-entropy, line by line; complex numbers pass."""
    equations = [equation(source.format(activation="tanh")) for source in table.equations]
    known = axes_of(table, equations)
    before = dict(states)
    for t in range(X.shape[1]):
        scope: dict[Name, Any] = {Name(n): v for n, v in parameters.items()}
        scope |= {Name(n, -1): v for n, v in before.items()} | {Name("x"): X[:, t]}
        for eq in equations:
            scope[Name(eq.target)] = evaluate(eq.expression, scope.__getitem__, known)
        before = {n: scope[Name(n)] for n in before}
    logits = before[table.output] @ parameters["Wy"] + parameters["by"]
    return np.mean(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(y)), y])


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_the_terms_of_the_steps_of_a_cell_add_up_to_its_gradients(table: Cell) -> None:
    net, (X, y, initial) = network(table), data(table)
    tape = record(net, X, y, initial=initial)
    for line in tape.plan.program.lines:
        if line.equation.accumulate:
            terms = [tape.term(line, t) for t in range(1, 7)]
            np.testing.assert_allclose(
                np.sum(terms, axis=0), tape[line.name], rtol=1e-11, atol=1e-14, err_msg=line.name
            )


def initial_gradient(tape: Tape, name: str) -> Array:
    """dL/d(initial state): what flows into row 0."""
    return np.asarray(tape["d" + name][0])


@pytest.mark.parametrize(
    "table", [table for table in TABLES if "softplus" not in str(table)], ids=lambda table: table.name
)
def test_a_cell_has_the_gradients_of_the_complex_step(table: Cell) -> None:
    net, (X, y, initial) = network(table), data(table)
    tape = record(net, X, y, initial=initial)
    assert tape.loss == pytest.approx(naive_loss(table, net.weights, X, y, initial), rel=1e-13)
    rng = np.random.default_rng(13)
    for name, given in net.weights.items():
        direction = rng.normal(size=given.shape)
        moved = {**net.weights, name: given + SMALLEST * 1j * direction}
        expected = np.imag(naive_loss(table, moved, X, y, initial)) / SMALLEST
        assert np.sum(tape.gradients[name] * direction) == pytest.approx(expected, rel=1e-10, abs=1e-14), (
            f"loss wrt {name}"
        )
    direction = rng.normal(size=X.shape)
    expected = np.imag(naive_loss(table, net.weights, X + SMALLEST * 1j * direction, y, initial)) / SMALLEST
    assert np.sum(tape["dx"] * np.moveaxis(direction, 0, 1)) == pytest.approx(expected, rel=1e-10), "loss wrt x"


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_row_0_of_a_states_gradient_is_that_of_the_initial_state(table: Cell) -> None:
    net, (X, y, initial) = network(table), data(table)
    tape = record(net, X, y, initial=initial)
    for name, given in initial.items():
        direction = np.random.default_rng(14).normal(size=given.shape)
        moved = {**initial, name: given + SMALLEST * 1j * direction}
        expected = np.imag(naive_loss(table, net.weights, X, y, moved)) / SMALLEST
        got = np.sum(initial_gradient(tape, name) * direction)
        assert got == pytest.approx(expected, rel=1e-10), f"loss wrt {name} at t = 0"


def sigmoid(u: Any) -> Any:
    return 1 / (1 + anp.exp(-u))


def lstm_loss(values: dict[str, Any], probe: dict[str, Any], y: Array) -> Any:
    """PyTorch's equations written out; a probe is an array of zeros added to a quantity, its gradient is the quantity's."""
    h, c = values["h0"], values["c0"]
    for t in range(len(values["x"])):
        x = values["x"][t]
        z = {k: x @ values[f"Wx{k}"] + h @ values[f"Wh{k}"] + values[f"b{k}"] + probe[f"z{k}"][t] for k in GATES}
        i, f, o = (sigmoid(z[k]) + probe[k][t] for k in "ifo")
        g = anp.tanh(z["g"]) + probe["g"][t]
        c = f * c + i * g + probe["c"][t]
        tanh_c = anp.tanh(c) + (probe["tanh_c"][t] if "tanh_c" in probe else 0)
        h = o * tanh_c + probe["h"][t]
    return read_out(h, values, y)


def gru_loss(values: dict[str, Any], probe: dict[str, Any], y: Array) -> Any:
    """PyTorch's equations written out, with probes."""
    h = values["h0"]
    for t in range(len(values["x"])):
        x = values["x"][t]
        r = sigmoid(x @ values["Wxr"] + h @ values["Whr"] + values["br"] + probe["zr"][t]) + probe["r"][t]
        z = sigmoid(x @ values["Wxz"] + h @ values["Whz"] + values["bz"] + probe["zz"][t]) + probe["z"][t]
        hn = h @ values["Whn"] + values["bhn"] + probe["hn"][t]
        n = anp.tanh(x @ values["Wxn"] + values["bn"] + r * hn + probe["zn"][t]) + probe["n"][t]
        h = (1 - z) * n + z * h + probe["h"][t]
    return read_out(h, values, y)


def read_out(h: Any, values: dict[str, Any], y: Array) -> Any:
    logits = h @ values["Wy"] + values["by"]
    largest = anp.max(logits, axis=1, keepdims=True)
    each = anp.log(anp.sum(anp.exp(logits - largest), axis=1)) + largest[:, 0] - logits[anp.arange(len(y)), y]
    return anp.mean(each)


@pytest.mark.parametrize(
    ("table", "reference"),
    [(LSTM, lstm_loss), (LSTM_NAMED, lstm_loss), (GRU, gru_loss)],
    ids=["lstm", "lstm-named", "gru"],
)
@pytest.mark.parametrize("steps", [1, 2, 6])
def test_a_gated_cell_has_autograds_gradients_in_every_quantity(table: Cell, reference: Any, steps: int) -> None:
    net, (X, y, initial) = network(table), data(table)
    X = X[:, :steps]
    tape = record(net, X, y, initial=initial)
    x = np.moveaxis(X, 0, 1)
    values = {**net.weights, "x": x, **{f"{name}0": given for name, given in initial.items()}}
    quantities = [source.partition(" =")[0] for source in table.equations]
    probe = {name: np.zeros((steps, 4, 3)) for name in quantities}
    assert tape.loss == pytest.approx(float(reference(values, probe, y)), rel=1e-13)
    by_values, by_probe = autograd.grad(lambda both: reference(*both, y))((values, probe))
    expected = {f"d{name}": by_probe[name] for name in quantities}
    expected |= {f"d{name}": by_values[name] for name in (*net.weights, "x")}
    for name, reference_value in expected.items():
        got = tape[name][1:] if name[1:] in table.states else tape[name]
        error = np.max(np.abs(got - reference_value)) / np.max(np.abs(reference_value))
        assert error <= 1e-10, f"{name}: {error}"


@pytest.mark.parametrize("table", [LSTM, LSTM_NAMED], ids=lambda table: table.name)
def test_the_two_flows_into_c_add_up_to_its_gradient(table: Cell) -> None:
    net, (X, y, initial) = network(table), data(table)
    tape = record(net, X, y, initial=initial)
    np.testing.assert_allclose(tape["dc"], tape["dc_out"] + tape["dc_next"], rtol=1e-14, atol=0)
    through_h = tape["dh"][1:] * tape["o"] * (1 - np.tanh(tape["c"][1:]) ** 2)
    np.testing.assert_allclose(tape["dc_out"][1:], through_h, rtol=1e-12)
    np.testing.assert_allclose(tape["dc_next"][:-1], tape["dc"][1:] * tape["f"], rtol=1e-12)
    assert not tape["dc_next"][-1].any()


def test_the_lines_of_a_gated_backward_pass_come_in_a_textbooks_order() -> None:
    equations = [equation(source) for source in LSTM.equations]
    known = axes_of(LSTM, equations)
    lines = backward(
        [equations], known, states=LSTM.states, inputs={"x": ""}, parameters=tuple(LSTM.parameters), accumulate=True
    )
    parameters = ["d" + name for name in LSTM.parameters]
    assert [line.target for line in lines] == [
        *("dc_out", "dc", "do", "dg", "df", "di", "dzo", "dzg", "dzf", "dzi", "dx"),
        *parameters,
        *("dh", "dc_next"),
    ]
    assert [line.target for line in lines if line.step] == ["dh", "dc_next"]
    assert [line.target for line in lines if line.accumulate] == parameters


def test_the_derivative_of_a_call_reads_the_value_that_has_a_name() -> None:
    lines = backward([[equation("a = tanh(z)")]], {"a": ("B", "H"), "z": ("B", "H")}, states=("a",), inputs={"z": ""})
    assert [(line.target, line.reads) for line in lines] == [("dz", (Name("da"), Name("a")))]


def test_what_only_the_screen_shows_has_no_gradient() -> None:
    known: dict[str, Axes] = {"l": ("B", "C"), "p": ("B", "C"), "y": ("B",), "loss": (), "C": ()}
    lines = backward(
        [[equation("l = k"), equation("p = softmax(l)"), equation("loss = sum(cross_entropy(l, y))")]],
        {**known, "k": ("B", "C")},
        root="loss",
        parameters=("k",),
    )
    assert [line.target for line in lines] == ["dl", "dk"]
    assert lines[1].expression == Name("dl")


@pytest.mark.parametrize(
    "equations", [("z = x_prev @ Wx + a_prev @ Wa", "a = tanh(z)"), ("z = x @ Wx", "a = z_prev @ Wa + z")]
)
def test_the_step_before_is_there_for_states_only(equations: tuple[str, ...]) -> None:
    table = _made_up("no state", *equations, Wx=("D", "H"), Wa=("H", "H"))
    X, y, _ = data(table)
    with pytest.raises((TableError, InputError)):
        record(network(table), X, y)


def test_a_cell_whose_shapes_do_not_fit_is_refused() -> None:
    table = _made_up("wrong", "a = x @ Wa + a_prev @ Wa", Wa=("H", "H"))
    X, y, _ = data(table)
    with pytest.raises(TableError, match=r"\(B, D\) by \(H, H\)"):
        record(network(table), X, y)


def test_no_derivative_of_a_constant() -> None:
    assert list(contributions(Number(3), Name("G"), {"G": ()})) == []
