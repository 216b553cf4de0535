"""Random trees, models and data for the tests of the engine, and NumPy source as a notation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from hypothesis import strategies as st

from engine import Network
from engine.language.expression import Binary, Call, Expression, Name, Negative, Number, Transpose
from engine.language.functions import ACTIVATIONS
from engine.language.printing import NumpySyntax

ACTIVATION_NAMES = tuple(ACTIVATIONS)
SMOOTH = ("tanh", "sigmoid", "identity")


class Source(NumpySyntax):
    """A tree as NumPy source, which `parse` reads back."""

    def name(self, name: Name) -> str:
        return name.name + ("_prev" if name.step < 0 else "")

    def power(self, base: str, exponent: str) -> str:
        return f"{base} ** {exponent}"

    def call(self, node: Call, arguments: list[str]) -> str:
        return f"{node.function}({', '.join(arguments)})"


NAMES = st.sampled_from([Name("a"), Name("a", -1), Name("Wx"), Name("z"), Name("b2")])
NUMBERS = st.sampled_from([0, 1, 2, 3, 0.5, 0.25, 12.0]).map(Number)


def _larger(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    return st.one_of(
        st.builds(Binary, st.sampled_from(["+", "-", "*", "/", "**", "@", ">"]), inner, inner),
        st.builds(Negative, inner.filter(lambda e: not isinstance(e, Number))),
        st.builds(Transpose, inner.filter(lambda e: not isinstance(e, Number))),
        st.builds(Call, st.sampled_from(["tanh", "relu"]), st.tuples(inner)),
        st.builds(Call, st.just("cross_entropy"), st.tuples(inner, inner)),
    )


def trees() -> st.SearchStrategy[Expression]:
    """Any tree that source can say, whether it makes sense or not."""
    return st.recursive(NAMES | NUMBERS, _larger, max_leaves=12)


def _larger_matrix(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    condition = st.builds(Binary, st.just(">"), inner, inner | st.just(Number(0)))
    return st.one_of(
        st.builds(Binary, st.sampled_from(["+", "-", "*", "/", "@"]), inner, inner),
        st.builds(Binary, st.sampled_from(["+", "-", "*", "/"]), NUMBERS, inner),
        st.builds(Binary, st.sampled_from(["+", "-", "*", "/"]), inner, NUMBERS),
        st.builds(Binary, st.just("*"), inner, condition),
        st.builds(Binary, st.just("**"), inner, NUMBERS),
        st.builds(Negative, inner.filter(lambda e: not isinstance(e, Number))),
        st.builds(Transpose, inner),
        st.builds(Call, st.sampled_from(["tanh", "relu", "sigmoid"]), st.tuples(inner)),
    )


def matrices() -> st.SearchStrategy[Expression]:
    """Trees that have a value when every name is a square matrix."""
    return st.recursive(NAMES, _larger_matrix, max_leaves=10)


@dataclass(frozen=True, eq=False)
class Case:
    """A network with data for it; `initial` are the initial states or None for zeros, `lengths` None where all samples are whole."""

    network: Network
    X: np.ndarray[Any, Any]
    y: np.ndarray[Any, Any]
    initial: dict[str, np.ndarray[Any, Any]] | None
    text: str
    lengths: np.ndarray[Any, Any] | None = None

    def __repr__(self) -> str:
        return self.text

    @property
    def cell(self) -> str:
        """The cell's name."""
        return self.network.table.name

    @property
    def marks(self) -> list[tuple[str, ...]]:
        """What follows a quantity's name in each direction of each layer."""
        units = self.network.units
        if self.network.bidirectional:
            return [(f"{number}", f"{number}r") for number, _ in enumerate(units, 1)]
        return [("",)] if len(units) == 1 else [(f"{number}",) for number, _ in enumerate(units, 1)]

    def keep(self, number: str, rows: int) -> np.ndarray[Any, Any]:
        """(B, T, H), of the read-out (B, 1, H): the mask of dropout of a layer, by its number."""
        network, layer = self.network, int(number or 1)
        units = network.units[layer - 1] * (2 if network.bidirectional else 1)
        drawn = np.random.default_rng((network.seed, 0, layer)).random((len(self.X), rows, units))
        assert network.dropout is not None
        return np.where(drawn < network.dropout, 0, 1 / (1 - network.dropout))

    @property
    def mask(self) -> np.ndarray[Any, Any]:
        """(T, B) booleans: which steps a sample has."""
        batch, steps, _ = self.X.shape
        return np.arange(steps)[:, None] < (np.full(batch, steps) if self.lengths is None else self.lengths)


def case(
    *,
    batch: int = 4,
    steps: int = 5,
    inputs: int = 2,
    hidden: int | tuple[int, ...] = 3,
    outputs: int = 3,
    activation: str = "tanh",
    reduction: str = "mean",
    init_scale: float = 1.0,
    given: bool = True,
    ragged: bool = False,
    seed: int = 0,
    **options: Any,
) -> Case:
    """A case with everything said; the defaults have no two axes alike but H and C. What is in padded places is drawn like the rest."""
    text = (
        f"case({batch=}, {steps=}, {inputs=}, {hidden=}, {outputs=}, {activation=}, {reduction=}, {init_scale=}, "
        f"{given=}, {ragged=}, {seed=}, **{options})"
    )
    rng = np.random.default_rng(seed)
    network = Network(
        inputs=inputs,
        hidden=hidden,
        outputs=outputs,
        activation=activation,
        reduction=reduction,
        init_scale=init_scale,
        seed=seed,
        **options,
    )
    learned = {name: rng.normal(size=network.weights[name].shape) for name in network.table.initial.values()}
    network = replace(network, weights={**network.weights, **learned}) if learned else network
    X = rng.normal(size=(batch, steps, inputs))
    entries = (batch, steps) if network.predict == "every" else (batch,)
    classes = 2 if network.loss == "binary" else outputs
    y = rng.normal(size=(*entries, outputs)) if network.loss == "squared" else rng.integers(0, classes, entries)
    shapes = {
        state: tuple({"B": batch, **network.sizes}[a] for a in axes) for state, axes in network.state_axes.items()
    }
    initial = {state: rng.normal(size=shape) for state, shape in shapes.items()} if given and not learned else None
    lengths = rng.integers(1, steps + 1, batch) if ragged else None
    return Case(network, X, y, initial, text, lengths)


@st.composite
def cases(
    draw: st.DrawFn,
    activations: tuple[str, ...] = ACTIVATION_NAMES,
    scales: tuple[float, ...] = (0.3, 1.0, 2.5),
    **options: Any,
) -> Case:
    """Cases of every small shape."""
    return case(
        batch=draw(st.integers(1, 6), "batch"),
        steps=draw(st.integers(1, 7), "steps"),
        inputs=draw(st.integers(1, 4), "inputs"),
        hidden=options.pop("hidden", None) or draw(st.integers(1, 6), "hidden"),
        outputs=1 if options.get("loss") == "binary" else draw(st.integers(1, 5), "outputs"),
        activation=draw(st.sampled_from(activations), "activation"),
        reduction=draw(st.sampled_from(["mean", "sum"]), "reduction"),
        init_scale=draw(st.sampled_from(scales), "init_scale"),
        given=draw(st.booleans(), "given"),
        seed=draw(st.integers(0, 10_000), "seed"),
        **options,
    )


@st.composite
def all_cases(draw: st.DrawFn, **fixed: Any) -> Case:
    """Cells × layers × directions × heads × lengths × truncation, of every small shape."""
    units = st.integers(1, 6)
    options = {
        "hidden": draw(units | units | st.lists(units, min_size=2, max_size=3).map(tuple), "hidden"),
        "cell": draw(st.sampled_from(["rnn", "lstm", "gru"]), "cell"),
        "predict": draw(st.sampled_from(["every", "last"]), "predict"),
        "loss": draw(st.sampled_from(["cross-entropy", "binary", "squared"]), "loss"),
        "truncate": draw(st.none() | st.integers(1, 7), "truncate"),
        "truncate_by": draw(st.sampled_from(["window", "chunk"]), "truncate_by"),
        "ragged": draw(st.booleans(), "ragged"),
        "bidirectional": draw(st.sampled_from([False, False, True]), "bidirectional"),
        "learn_initial": draw(st.sampled_from([False, False, True]), "learn_initial"),
        "embedding": draw(st.sampled_from([None, None, 3]), "embedding"),
        "dropout": draw(st.sampled_from([None, None, 0.4]), "dropout"),
    }
    if isinstance(options["hidden"], tuple):
        options["residual"] = draw(st.booleans(), "residual")
        options["hidden"] = options["hidden"][:1] * len(options["hidden"]) if options["residual"] else options["hidden"]
    return draw(cases(**{**options, **fixed}))
