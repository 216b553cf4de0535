"""Expressions: what is parsed, printed, refused, and computed from the tree."""

from __future__ import annotations

import ast
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.language.evaluate import evaluate
from engine.language.expression import (
    MAX_SOURCE,
    Binary,
    Call,
    Derivative,
    Expression,
    ExpressionError,
    Name,
    Negative,
    Number,
    Sum,
    Transpose,
    addends,
    factors,
    names,
    parse,
    product,
    substitute,
    total,
    walk,
)
from engine.language.functions import FUNCTIONS
from engine.language.printing import show
from engine.notation import Symbols
from tests.engine.strategies import Source, matrices, trees
from tests.examples import examples

VALUES: dict[str, Any] = {
    name: np.random.default_rng(number).uniform(0.5, 1.5, (3, 3))
    for number, name in enumerate(["a", "a_prev", "Wx", "z", "b2"])
}
SQUARE = Symbols(dict.fromkeys(VALUES, ("N", "N")), frozenset({"a", "z"}))
CELL = Symbols(
    {
        **dict.fromkeys(("a", "z", "da", "dz"), ("B", "H")),
        "x": ("B", "D"),
        "Wx": ("D", "H"),
        "Wa": ("H", "H"),
        "dWa": ("H", "H"),
        "ba": ("H",),
        "lr": (),
        "B": (),
        "y": ("B",),
        "logits": ("B", "C"),
    },
    frozenset({"x", "a", "z", "da", "dz"}),
)


def value(tree: Expression) -> Any:
    with np.errstate(all="ignore"):
        return evaluate(tree, lambda name: VALUES[Source().name(name)])


def read(symbols: str) -> Expression:
    """The tree of a text in symbols."""
    for old, new in (
        ("_{t-1}", "_prev"),
        ("_t", ""),
        ("1[", "("),
        ("]", ")"),
        ("⊙", "*"),
        (" · ", " * "),
        ("·", " @ "),
        ("ᵀ", ".T"),
        ("²", "**2"),
        ("³", "**3"),
        ("^", "**"),
        ("−", "-"),
    ):
        symbols = symbols.replace(old, new)
    return parse(symbols)


# Round trips


@examples(200)
@given(trees())
def test_what_is_printed_as_source_parses_to_the_same_tree(tree: Expression) -> None:
    assert parse(show(tree, Source())) == tree


@examples(120)
@given(matrices())
def test_the_printed_source_computes_what_the_tree_computes(tree: Expression) -> None:
    scope = {**VALUES, **{f.name: f.compute for f in FUNCTIONS.values()}}
    with np.errstate(all="ignore"):
        expected = eval(show(tree, Source()), {"__builtins__": {}}, scope)
    np.testing.assert_array_equal(value(tree), expected)


@examples(200)
@given(matrices())
def test_symbols_have_just_the_parentheses_that_the_meaning_needs(tree: Expression) -> None:
    text = show(tree, SQUARE)
    again = read(text)
    assert again == tree
    assert text.count("(") - text.count("h(") - text.count("u(") - text.count("d(") == _needed(tree)


def _needed(tree: Expression) -> int:
    """How many of the parentheses in Python's own spelling are not those of calls: `ast.unparse` writes no needless ones either.

    People, unlike Python, read a matrix product before the product in front of it, which therefore gets parentheses too.
    """
    text = ast.unparse(ast.parse(show(tree, Source()), mode="eval"))
    conditions = sum(isinstance(node, Binary) and node.operator == ">" for node in walk(tree))
    calls = sum(isinstance(node, Call) for node in walk(tree))
    matrix_products = [node for node in walk(tree) if isinstance(node, Binary) and node.operator == "@"]
    scaled = sum(isinstance(node.left, Binary) and node.left.operator in "*/" for node in matrix_products)
    return text.count("(") - calls - conditions + scaled


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x @ Wx + a_prev @ Wa + ba", "x_t·Wx + a_{t-1}·Wa + ba"),
        ("da * (1 - a ** 2)", "da_t ⊙ (1 − a_t²)"),
        ("da * (z > 0)", "da_t ⊙ 1[z_t > 0]"),
        ("a - (z - da)", "a_t − (z_t − da_t)"),
        ("a - z - da", "a_t − z_t − da_t"),
        ("(a - z) - da", "a_t − z_t − da_t"),
        ("a / (z * da)", "a_t / (z_t ⊙ da_t)"),
        ("a / z * da", "a_t / z_t ⊙ da_t"),
        ("(a * z) @ Wa", "(a_t ⊙ z_t)·Wa"),
        ("a @ Wa * z", "a_t·Wa ⊙ z_t"),
        ("a * (z @ Wa)", "a_t ⊙ (z_t·Wa)"),
        ("a * (z / da)", "a_t ⊙ (z_t / da_t)"),
        ("-a + z", "−a_t + z_t"),
        ("-(a + z)", "−(a_t + z_t)"),
        ("-a ** 2", "−a_t²"),
        ("(-a) ** 2", "(−a_t)²"),
        ("(a * z) ** 3", "(a_t ⊙ z_t)³"),
        ("a ** 0.5", "a_t^0.5"),
        ("a * -z", "a_t ⊙ −z_t"),
        ("(a @ Wa).T", "(a_t·Wa)ᵀ"),
        ("a_prev.T @ dz", "a_{t-1}ᵀ·dz_t"),
        ("tanh(z + a) * (1 - tanh(z))", "tanh(z_t + a_t) ⊙ (1 − tanh(z_t))"),
        ("lr * dWa", "lr · dWa"),
        ("sum(softmax(logits)) / B", "Σ softmax(logits) / B"),
    ],
)
def test_symbols(source: str, expected: str) -> None:
    assert show(parse(source), CELL) == expected


def test_a_sum_over_an_axis_in_symbols() -> None:
    assert show(Sum("B", parse("dz")), CELL) == "Σ_b dz_t"
    assert show(Sum("B", parse("dz + da")), CELL) == "Σ_b (dz_t + da_t)"


@pytest.mark.parametrize(
    ("time", "expected"),
    [("t", "a_{t-1} ⊙ z_t"), ("T", "a_1 ⊙ z_T"), ("3", "a_2 ⊙ z_3"), ("1", "a_0 ⊙ z_1"), (None, "a ⊙ z")],
)
def test_times_in_symbols(time: str | None, expected: str) -> None:
    assert show(parse("a_prev * z"), Symbols(CELL.axes, CELL.timed, time)) == expected


def test_a_derivative_is_shown_and_computed_by_its_formula() -> None:
    tree = Binary("*", Name("a"), Derivative("tanh", (Name("z"),), parse("1 - z ** 2")))
    assert show(tree, CELL) == "a_t ⊙ (1 − z_t²)"
    np.testing.assert_array_equal(value(tree), VALUES["a"] * (1 - VALUES["z"] ** 2))


# Names


def test_prev_is_the_step_before() -> None:
    assert parse("a_prev") == Name("a", -1)
    assert parse("a") == Name("a", 0)
    assert parse("preva + a_previous") == Binary("+", Name("preva"), Name("a_previous"))


def test_prev_of_nothing_is_no_name() -> None:
    with pytest.raises(ExpressionError):
        parse("_prev")


def test_names_come_once_in_order_and_steps_apart() -> None:
    assert names(parse("b2 * a_prev + tanh(a) @ b2.T - a_prev")) == (Name("b2"), Name("a", -1), Name("a"))


# Refusals


@pytest.mark.parametrize(
    ("source", "column"),
    [
        ("a + [1]", 5),
        ("a * {b}", 5),
        ("a + b[0]", 5),
        ("a + b.real", 5),
        ("a @ b.T.t", 5),
        ("1 - 'text'", 5),
        ("1 - True", 5),
        ("1 - None", 5),
        ("1 - 2j", 5),
        ("a + (b < c)", 6),
        ("a + (b == c)", 6),
        ("a > b > c", 1),
        ("a and b", 1),
        ("not a", 1),
        ("a + +b", 5),
        ("a + ~b", 5),
        ("a % b", 1),
        ("a // b", 1),
        ("a if b else c", 1),
        ("lambda: a", 1),
        ("a + tanh(u=b)", 5),
        ("a + tanh(*b)", 10),
        ("a + b.T(c)", 5),
        ("[v for v in a]", 1),
        ("(v := a)", 2),
        ("f'{a}'", 1),
        ("a, b", 1),
        ("...", 1),
        ("getattr(a, 'b')", 12),
        ("a ? b", 3),
    ],
)
def test_what_is_not_in_the_language_is_refused_with_its_column(source: str, column: int) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(source)
    assert caught.value.column == column
    assert f"column {column} " in str(caught.value)


@pytest.mark.parametrize(
    "source", ["", " ", "a +", "a b", "a; b", "a = b", "(a", "a)", "import os", "a\nb", "\0", "\ud800"]
)
def test_what_is_no_expression_is_refused(source: str) -> None:
    with pytest.raises(ExpressionError, match="not an expression"):
        parse(source)


@pytest.mark.parametrize(
    ("source", "column"), [("   [1]", 4), ("  a + [1]", 7), ("θ + [1]", 5), ("(a +\n [1])", 7)], ids=repr
)
def test_columns_count_the_characters_of_what_was_given(source: str, column: int) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(source)
    assert caught.value.column == column


def test_only_the_functions_given_may_be_called() -> None:
    allowed = frozenset({"tanh"})
    assert parse("1 - tanh(z)", allowed) == Binary("-", Number(1), Call("tanh", (Name("z"),)))
    with pytest.raises(ExpressionError, match="there is no function 'tan'") as caught:
        parse("1 - tan(z)", allowed)
    assert caught.value.column == 5
    with pytest.raises(ExpressionError, match="eval"):
        parse("tanh(eval(z))", allowed)


def test_a_source_that_is_too_long_is_refused() -> None:
    assert parse("a" * MAX_SOURCE) == Name("a" * MAX_SOURCE)
    with pytest.raises(ExpressionError, match="longer than"):
        parse("a" * (MAX_SOURCE + 1))


@pytest.mark.parametrize(
    "source",
    [
        "-" * 1999 + "a",
        "a" + "+a" * 999,
        "a" + ".T" * 999,
        "(" * 999 + "a" + ")" * 999,
        "tanh(" * 330 + "a" + ")" * 330,
    ],
    ids=["minus", "sum", "transpose", "parentheses", "calls"],
)
def test_deep_nesting_is_read_or_refused(source: str) -> None:
    try:
        tree = parse(source)
    except ExpressionError:
        return
    assert Name("a") in names(tree)


GRAMMAR = st.lists(
    st.sampled_from(
        ["a", "_prev", "tanh", "(", ")", ",", "+", "-", "*", "**", "/", "@", ">", ".T", ".", "1", "0.5", " ", "[", "'"]
    ),
    max_size=14,
).map("".join)


@examples(120)
@given(st.text(max_size=30) | GRAMMAR)
def test_any_text_is_an_expression_or_an_error_of_its_own_kind(text: str) -> None:
    try:
        tree = parse(text)
    except ExpressionError as error:
        assert error.column >= 1
    else:
        assert parse(show(tree, Source())) == tree


# Trees taken apart


@examples(80)
@given(matrices())
def test_the_addends_of_a_tree_add_up_to_it(tree: Expression) -> None:
    assert not any(isinstance(term, Binary) and term.operator in "+-" for term in addends(tree))
    np.testing.assert_allclose(value(total(addends(tree))), value(tree), rtol=1e-9, atol=1e-9)


@examples(80)
@given(matrices())
def test_the_factors_of_a_tree_multiply_to_it(tree: Expression) -> None:
    assert not any(isinstance(factor, Binary) and factor.operator == "*" for factor in factors(tree))
    np.testing.assert_allclose(value(product(factors(tree))), value(tree), rtol=1e-9, atol=1e-9)


def test_addends_of_a_difference_of_sums() -> None:
    a, z, b = Name("a"), Name("z"), Name("b2")
    assert addends(parse("a - (z - b2)")) == (a, Negative(z), Negative(Negative(b)))
    assert total([a, Negative(z)]) == parse("a - z")


def test_a_product_leaves_out_ones_and_divides_at_the_end() -> None:
    assert product([Number(1), Name("a"), Number(1)]) == Name("a")
    assert product([parse("1 / B"), Name("a"), Name("z")]) == parse("a * z / B")
    assert product([]) == Number(1)
    assert product([parse("1 / B")]) == parse("1 / B")


def test_substitution_reaches_into_every_kind_of_node() -> None:
    z, a = Name("z"), Name("a")
    for build in (
        lambda e: e,
        Negative,
        Transpose,
        lambda e: Sum("B", e),
        lambda e: Binary("@", e, Number(2)),
        lambda e: Binary("@", Number(2), e),
        lambda e: Call("cross_entropy", (Name("y"), e)),
        lambda e: Derivative("tanh", (e,), Binary("-", Number(1), e)),
    ):
        assert substitute(build(z), {z: a}) == build(a)
        assert substitute(build(z), {Name("z", -1): a}) == build(z)


def test_walking_meets_parents_first_and_left_before_right() -> None:
    tree = parse("-a + z.T @ tanh(b2)")
    assert [type(node).__name__ for node in walk(tree)] == [
        "Binary",
        "Negative",
        "Name",
        "Binary",
        "Transpose",
        "Name",
        "Call",
        "Name",
    ]
