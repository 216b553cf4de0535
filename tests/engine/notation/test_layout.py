"""Equations turned round: the rewritten tree, evaluated by NumPy on arrays as they lie in the notation, gives the same numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import Network
from engine.language.equation import Equation, equation, infer
from engine.language.evaluate import evaluate
from engine.language.expression import Call, Expression, Name, Sum, Transpose, parse, walk
from engine.language.functions import Axes
from engine.language.printing import show
from engine.notation import NOTATIONS, Layout
from engine.notation.layout import COLUMN
from engine.notation.tables import COLUMNS, ROWS, TURNED_WEIGHTS
from engine.recording.plan import plan
from tests.engine.strategies import Source
from tests.examples import examples

SIZES = {"B": 5, "D": 2, "H": 3, "C": 4}
KNOWN: dict[str, Axes] = {
    **dict.fromkeys(SIZES, ()),
    "x": ("B", "D"),
    "a": ("B", "H"),
    "g": ("B", "H"),
    "mask": ("B",),
    "Wx": ("D", "H"),
    "Wa": ("H", "H"),
    "U": ("D", "H"),
    "ba": ("H",),
    "d": ("D",),
    "s": (),
}
LAYOUTS = [ROWS, TURNED_WEIGHTS, COLUMNS]


def numbers(tree: Expression, layout: Layout, arrays: dict[str, Any]) -> Any:
    """A tree as NumPy has it, nothing made to fit: what is written must be enough."""
    match tree:
        case Call(function=function, arguments=(argument,)) if function == COLUMN:
            return numbers(argument, layout, arrays)[:, None]
        case Sum(operand=operand, position=position):
            keep = layout.columns and position == 1
            return numbers(operand, layout, arrays).sum(axis=position, keepdims=keep)
        case Transpose(operand=operand):
            return numbers(operand, layout, arrays).T
        case Name(name=name):
            return arrays[name]
        case Call(function="tanh", arguments=(argument,)):
            return np.tanh(numbers(argument, layout, arrays))
        case Call(function="sum", arguments=(argument,)):
            return np.sum(numbers(argument, layout, arrays))
        case Call(function="softmax", arguments=(argument,)):
            axis = 0 if layout.columns else 1
            raised = np.exp(numbers(argument, layout, arrays))
            return raised / raised.sum(axis=axis, keepdims=True)
    children = {f"k{i}": numbers(child, layout, arrays) for i, child in enumerate(_operands(tree))}
    return evaluate(_shallow(tree), lambda name: children[name.name])


def _operands(tree: Expression) -> list[Expression]:
    return [getattr(tree, field) for field in ("left", "right", "operand") if hasattr(tree, field)]


def _shallow(tree: Expression) -> Expression:
    from dataclasses import replace

    fields = [field for field in ("left", "right", "operand") if hasattr(tree, field)]
    return replace(tree, **{field: Name(f"k{i}") for i, field in enumerate(fields)}) if fields else tree


def check(layout: Layout, line: Equation) -> None:
    rng = np.random.default_rng(0)
    own = {name: rng.normal(size=tuple(SIZES[a] for a in axes)) for name, axes in KNOWN.items() if name not in SIZES}
    lying = {name: layout.array(value, KNOWN[name]) for name, value in own.items()}
    axes = infer(line.expression, KNOWN)
    expected = layout.array(np.asarray(evaluate(line.expression, lambda name: own[name.name], KNOWN)), axes)
    tree = layout.equation(line, {**KNOWN, line.target: axes}, spread=True)
    found = np.asarray(numbers(tree, layout, lying))
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


LINES = [
    "q = x @ Wx + a @ Wa + ba",
    "q = tanh(x @ Wx) * (a - g)",
    "q = mask * tanh(a) + (1 - mask) * g",
    "q = x.T @ (mask * g)",
    "q = (a * g).T @ a",
    "q = tanh(Wa) * (a.T @ g)",
    "q = Wx * d",
    "q = d * Wx + ba",
    "q = a @ Wa.T",
    "q = a @ (Wa + Wa.T)",
    "q = softmax(a @ Wa)",
    "q = g.T @ softmax(a)",
    "q = mask * (softmax(a) - g) / B",
    "q = s * a",
    "q = sum(a * g)",
    "q = sum(mask)",
    "q = ba * tanh(ba)",
    "q = -(a * 2) ** 2",
]


@pytest.mark.parametrize("layout", LAYOUTS, ids=["rows", "weights", "columns"])
@pytest.mark.parametrize("source", LINES)
def test_a_line(source: str, layout: Layout) -> None:
    own = source.replace("/ B", "/ 5")
    check(layout, equation(own))


@pytest.mark.parametrize("layout", LAYOUTS, ids=["rows", "weights", "columns"])
@pytest.mark.parametrize(
    "tree",
    [
        Sum("B", parse("a"), 0),
        Sum("B", parse("mask * a"), 0),
        Sum("H", parse("a * g"), 1),
        Sum("D", parse("Wx"), 0),
        Sum("H", Sum("B", parse("a * g"), 0), 0),
        Sum("B", Sum("H", parse("a * g"), 1), 0),
        Sum("H", parse("Wx * U"), 1),
    ],
    ids=str,
)
def test_a_sum_over_an_axis(tree: Expression, layout: Layout) -> None:
    check(layout, Equation("q", tree))


_PLACES = st.sampled_from(
    ["a", "g", "tanh(a)", "x @ Wx", "a @ Wa.T", "softmax(g)", "mask * a", "s * g", "x @ (Wx + U)"]
)


@examples(80)
@given(st.sampled_from(LAYOUTS), st.lists(_PLACES, min_size=1, max_size=4), st.data())
def test_any_sum_of_products(layout: Layout, factors: list[str], data: st.DataObject) -> None:
    operators = [data.draw(st.sampled_from([" * ", " + ", " - "])) for _ in factors[1:]]
    text = "".join(part for pair in zip([f"({f})" for f in factors], [*operators, ""], strict=True) for part in pair)
    text = data.draw(st.sampled_from([text, f"({text}).T @ g", f"x.T @ ({text})", f"({text}) + ba", f"({text}) @ Wa"]))
    check(layout, equation(f"q = {text}"))


def test_in_the_engines_layout_a_line_is_written_as_it_is() -> None:
    for line in plan(Network(inputs=2, outputs=3, cell="lstm"), 4, 3).program.lines:
        assert Layout().equation(line.equation, {}) is line.equation.expression


def test_nothing_is_transposed_twice_and_weights_stand_plain_in_the_forward_pass() -> None:
    for notation in ("karpathy", "wildml", "goodfellow"):
        for cell in ("rnn", "lstm", "gru"):
            prepared = plan(Network(inputs=2, outputs=3, cell=cell), 4, 3)
            for line in prepared.program.lines:
                if line.phase == "update":
                    continue
                tree = NOTATIONS[notation].layout.equation(line.equation, prepared.axes)
                turned = [node for node in walk(tree) if isinstance(node, Transpose)]
                assert all(isinstance(node.operand, Name) for node in turned)
                assert line.phase != "forward" or not turned


def test_shapes_and_cells() -> None:
    assert COLUMNS.shape(("B", "H")) == ("H", "B")
    assert COLUMNS.shape(("D", "H")) == ("H", "D")
    assert COLUMNS.shape(("H",)) == ("H", "1")
    assert COLUMNS.shape(("B",)) == ("B",)
    assert TURNED_WEIGHTS.shape(("B", "H")) == ("B", "H")
    assert TURNED_WEIGHTS.shape(("D", "H")) == ("H", "D")
    assert TURNED_WEIGHTS.shape(("H",)) == ("H",)
    assert COLUMNS.index((3, 5), ("B", "H")) == (5, 3)
    assert COLUMNS.index((3,), ("H",)) == (3, 0)
    assert COLUMNS.array(np.zeros((7, 5, 3)), ("B", "H")).shape == (7, 3, 5)
    assert show_source("q = x @ Wx", COLUMNS) == "Wx @ x"


def show_source(source: str, layout: Layout) -> str:
    line = equation(source)
    return show(layout.equation(line, {**KNOWN, "q": ("B", "H")}), Source())
