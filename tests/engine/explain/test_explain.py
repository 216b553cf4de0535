"""Why a number is what it is: terms that add up, factors that are the tape's own numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import Network
from engine.debug.debugger import Debugger
from engine.errors import InputError
from engine.explain.term_reader import Factor
from engine.explain.terms import Explanation, exact_sum, explain, explain_update, writer
from engine.recording.record import record
from engine.recording.tape import Tape
from engine.session import open_session
from tests.engine.strategies import Case, case, cases
from tests.examples import examples

EPS = {"float64": 2.0**-52, "float32": 2.0**-23}
SUMS = ("dWx", "dWa", "dba")
WRITTEN = ("z", "a", "logits", "p", "loss", "dlogits", "dWy", "dby", "da", "dz", "dx", *SUMS)


def tape_of(drawn: Case) -> Tape:
    return record(drawn.network, drawn.X, drawn.y, initial=drawn.initial)


def assert_adds_up(explanation: Explanation, dtype: str = "float64") -> None:
    values = [term.value for term in explanation.terms]
    size = math.fsum(map(abs, values))
    assert abs(math.fsum(values) - explanation.value) <= 8 * EPS[dtype] * size
    for term in explanation.terms:
        product = math.prod(factor.value for factor in term.factors)
        assert abs(product - term.value) <= 8 * 2.0**-52 * abs(term.value)


def assert_factor(tape: Tape, factor: Factor) -> None:
    """Equal to the tape bit for bit, a constant, or the function of such."""
    for inner in factor.of:
        assert_factor(tape, inner)
    program = tape.plan.program
    if factor.name in program.quantities or factor.name in program.parameters:
        assert factor.index is not None
        stored = tape.at(factor.name, factor.t)
        assert stored.ndim == len(factor.index)
        assert factor.value == float(stored[factor.index])
        if factor.name in program.quantities and program.quantities[factor.name].rows:
            assert factor.t is not None
    elif factor.of and factor.name.endswith("'"):
        (u,) = factor.of
        with np.errstate(all="ignore"):
            s = 1 / (1 + np.exp(-u.value))
            known = {"tanh'": 1 - np.tanh(u.value) ** 2, "relu'": float(u.value > 0), "sigmoid'": s * (1 - s)}
        tolerance = 1e-15 if tape["z"].dtype == np.float64 else 1e-6
        assert factor.value == pytest.approx(known[factor.name], rel=1e-6, abs=tolerance)
    elif factor.of:
        assert all(inner.name in program.quantities for inner in factor.of)
    else:
        assert factor.index is None or factor.name not in tape


def terms_expected(tape: Tape, name: str, t: int | None) -> int:
    sizes = tape.plan.sizes
    B, D, H, C, T = sizes["B"], sizes["D"], sizes["H"], sizes["C"], tape.plan.steps
    if name == "da":
        return C if t == T else H
    counts = {"z": D + H + 1, "logits": H + 1, "loss": B, "dlogits": 2, "dWy": B, "dby": B, "dx": H}
    return {**counts, **dict.fromkeys(SUMS, B * T)}.get(name, 1)


@st.composite
def cells_of(draw: st.DrawFn, tape: Tape, name: str) -> tuple[int | None, tuple[int, ...]]:
    quantity = tape.plan.program.quantities[name]
    if not quantity.rows:
        return None, tuple(draw(st.integers(0, n - 1)) for n in tape[name].shape)
    t = draw(st.integers(0 if name == "da" else 1, tape.plan.steps), "t")
    return t, tuple(draw(st.integers(0, n - 1)) for n in tape[name].shape[1:])


@examples(120)
@given(st.data(), cases(), st.sampled_from(WRITTEN))
def test_any_cell(data: st.DataObject, drawn: Case, name: str) -> None:
    tape = tape_of(drawn)
    t, index = data.draw(cells_of(tape, name))
    found = explain(tape, name, t, index)
    assert (found.name, found.t, found.index) == (name, t, index)
    assert found.value == float(tape.at(name, t)[index])
    assert found.line is not None
    assert found.line.name == name
    assert len(found.terms) == terms_expected(tape, name, t)
    assert_adds_up(found)
    for term in found.terms:
        for factor in term.factors:
            assert_factor(tape, factor)


@examples(30)
@given(st.data(), cases(dtype="float32"), st.sampled_from(WRITTEN))
def test_any_cell_in_single_precision(data: st.DataObject, drawn: Case, name: str) -> None:
    tape = tape_of(drawn)
    t, index = data.draw(cells_of(tape, name))
    found = explain(tape, name, t, index)
    assert found.value == float(tape.at(name, t)[index])
    assert_adds_up(found, "float32")
    for term in found.terms:
        for factor in term.factors:
            assert_factor(tape, factor)


@examples(60)
@given(st.data(), cases(), st.sampled_from(SUMS))
def test_a_sum_over_time(data: st.DataObject, drawn: Case, name: str) -> None:
    tape = tape_of(drawn)
    B, T = tape.plan.batch, tape.plan.steps
    _, index = data.draw(cells_of(tape, name))
    low = data.draw(st.integers(1, T), "reached")
    (line,) = tape.plan.program.writers(name)
    partial = explain(tape, name, None, index, reached=low)
    assert len(partial.terms) == B * (T - low + 1)
    assert_adds_up(partial)
    debugger = Debugger(drawn.network, drawn.X, drawn.y, initial=drawn.initial)
    debugger.go(1 + debugger.program.offset(line, low))
    so_far = debugger.view.gradient(name)
    assert so_far is not None
    assert partial.value == float(so_far[index])
    step = explain(tape, name, low, index, one_step=True)
    assert step.value == float(tape.term(line, low)[index])
    assert len(step.terms) == B
    assert_adds_up(step)
    samples = [explain(tape, name, low, index, one_step=True, sample=b) for b in range(B)]
    assert [len(each.terms) for each in samples] == [1] * B
    assert [each.terms[0] for each in samples] == list(step.terms)
    for each in samples:
        assert_adds_up(each)
    assert {factor.t for term in step.terms for factor in term.factors} <= {low, low - 1}


@pytest.mark.parametrize("name", ["dWy", "dby"])
def test_one_samples_share_of_the_read_outs_gradient(name: str) -> None:
    tape = tape_of(case())
    index = (0,) * tape[name].ndim
    for t in (None, tape.plan.steps):
        shares = [explain(tape, name, t, index, one_step=True, sample=b) for b in range(tape.plan.batch)]
        assert [len(share.terms) for share in shares] == [1] * tape.plan.batch
        for share in shares:
            assert_adds_up(share)
        assert math.fsum(share.value for share in shares) == pytest.approx(float(tape[name][index]), rel=1e-12)


def test_one_samples_share_of_a_whole_sum() -> None:
    tape = tape_of(case())
    shares = [explain(tape, "dWa", None, (0, 1), sample=b) for b in range(tape.plan.batch)]
    assert [len(share.terms) for share in shares] == [tape.plan.steps] * tape.plan.batch
    for share in shares:
        assert_adds_up(share)


@examples(40)
@given(st.data(), cases())
def test_what_no_line_writes_has_no_terms(data: st.DataObject, drawn: Case) -> None:
    tape = tape_of(drawn)
    for name in ("Wx", "Wa", "ba", "Wy", "by", "y"):
        index = tuple(data.draw(st.integers(0, n - 1)) for n in tape[name].shape)
        found = explain(tape, name, None, index)
        assert (found.value, found.line, found.terms) == (float(tape[name][index]), None, ())
    for name, t in (("x", 1), ("a", 0)):
        index = tuple(data.draw(st.integers(0, n - 1)) for n in tape[name].shape[1:])
        found = explain(tape, name, t, index)
        assert (found.value, found.line, found.terms) == (float(tape.at(name, t)[index]), None, ())


def test_the_writer_of_a_row() -> None:
    tape = tape_of(case())
    T = tape.plan.steps

    def block(name: str, t: int | None) -> tuple[str, bool] | None:
        line = writer(tape, name, t)
        return None if line is None else (line.phase, line.equation.step < 0)

    assert block("x", 1) is block("y", None) is block("Wa", None) is block("a", 0) is None
    assert block("a", 1) == block("z", T) == block("logits", None) == block("p", T) == ("forward", False)
    assert block("loss", None) == ("loss", False)
    assert block("da", T) == block("dz", T) == block("dWa", None) == block("dWa", 1) == ("backward", False)
    assert block("da", T - 1) == block("da", 0) == ("backward", True)


def test_zeros_are_explained() -> None:
    session = open_session(None, {})
    tape = session.debugger.tape(0)
    z, dz = tape["z"], tape["dz"]
    t, b, h = map(int, np.argwhere((z < 0) & (tape["da"][1:] != 0))[0])
    assert dz[t, b, h] == 0
    found = explain(tape, "dz", t + 1, (b, h))
    (term,) = found.terms
    assert found.value == term.value == 0
    assert term.factors[0] == Factor("da", float(tape["da"][t + 1, b, h]), t + 1, (b, h), iteration=0)
    switch = term.factors[1]
    assert (switch.name, switch.value) == ("relu'", 0.0)
    assert switch.of == (Factor("z", float(z[t, b, h]), t + 1, (b, h), iteration=0),)


def test_a_dead_unit_gets_zeros_only() -> None:
    tape = open_session("dying_relu", {}).debugger.tape(0)
    dead = int(np.flatnonzero((tape["z"] <= 0).all(axis=(0, 1)))[0])
    found = explain(tape, "dWa", None, (0, dead))
    assert found.value == 0
    assert {term.value for term in found.terms} == {0.0}
    assert len(found.terms) == tape.plan.steps * tape.plan.batch


def test_the_largest_terms_and_the_rest() -> None:
    tape = tape_of(case(batch=6, steps=7))
    found = explain(tape, "dWa", None, (1, 2))
    for count in (0, 1, 5, 42, 100):
        shown, rest, others = found.largest(count)
        assert len(shown) + others == len(found.terms)
        assert len(shown) == min(count, 42)
        assert [abs(term.value) for term in shown] == sorted((abs(term.value) for term in shown), reverse=True)
        assert math.fsum([rest, *(term.value for term in shown)]) == pytest.approx(found.value, rel=1e-9)
        hidden = [term.value for term in found.terms if term not in shown]
        assert not shown or max(map(abs, hidden), default=0) <= abs(shown[-1].value)


@pytest.mark.parametrize(
    ("values", "total"),
    [
        ([1e308, 1e308, -1e308], 1e308),
        ([1e308, 1e308], math.inf),
        ([math.inf, 1.0], math.inf),
        ([math.inf, -math.inf], math.nan),
        ([0.1] * 10, 1.0),
    ],
)
def test_sums_beyond_the_largest_number(values: list[float], total: float) -> None:
    assert exact_sum(values) == total or (math.isnan(total) and math.isnan(exact_sum(values)))


def test_nan_comes_first_among_the_largest() -> None:
    drawn = case()
    X = drawn.X.copy()
    X[2, 1, 0] = np.nan
    tape = record(drawn.network, X, drawn.y)
    found = explain(tape, "dWx", None, (0, 0))
    assert math.isnan(found.value)
    assert math.isnan(found.largest(1)[0][0].value)


def test_infinite_times_zero_is_said_to_be_nan_without_a_warning() -> None:
    drawn = case()
    Wx = np.full_like(drawn.network.weights["Wx"], np.inf)
    tape = record(drawn.network, np.zeros_like(drawn.X), drawn.y, parameters={**drawn.network.weights, "Wx": Wx})
    found = explain(tape, "z", 1, (0, 0))
    assert math.isnan(found.value)
    assert math.isnan(found.largest(1)[0][0].value)


@pytest.mark.parametrize("lr", [0.1, 0.003])
@pytest.mark.parametrize("parameter", ["Wx", "Wa", "ba", "Wy", "by"])
def test_an_update(parameter: str, lr: float) -> None:
    session = open_session(None, {"lr": lr})
    debugger = session.debugger
    tape, after = debugger.tape(0), debugger.tape(1)
    index = tuple(n - 1 for n in tape[parameter].shape)
    value = float(after[parameter][index])
    found = explain_update(tape, parameter, index)
    assert found.value == value
    assert_adds_up(found)
    old, change = found.terms
    assert old.factors == (Factor(parameter, float(tape[parameter][index]), None, index, iteration=0),)
    assert change.value == pytest.approx(-lr * float(tape[f"d{parameter}"][index]), rel=1e-15)
    assert {factor.name: factor.value for factor in change.factors} == {
        "−1": -1.0,
        "lr": lr,
        f"d{parameter}": float(tape[f"d{parameter}"][index]),
    }


NO_CELL: list[tuple[Any, ...]] = [
    ("nope", None, (0,)),
    ("z", 0, (0, 0)),
    ("z", 6, (0, 0)),
    ("z", -1, (0, 0)),
    ("a", 6, (0, 0)),
    ("a", -1, (0, 0)),
    ("x", 0, (0, 0)),
    ("z", None, (0, 0)),
    ("z", 3, ()),
    ("z", 3, (0,)),
    ("z", 3, (0, 0, 0)),
    ("z", 3, (4, 0)),
    ("z", 3, (0, 3)),
    ("z", 3, (-1, 0)),
    ("z", 3, (0, -1)),
    ("dWa", None, (3, 0)),
    ("dWa", None, ()),
    ("loss", None, (0,)),
    ("Wx", None, (2, 0)),
]


@pytest.mark.parametrize(("name", "t", "index"), NO_CELL)
def test_a_cell_that_does_not_exist(name: str, t: int | None, index: tuple[int, ...]) -> None:
    with pytest.raises(InputError):
        explain(tape_of(case()), name, t, index)


@pytest.mark.parametrize("t", [0, -1, 6])
def test_a_term_of_a_step_that_does_not_exist(t: int) -> None:
    with pytest.raises(InputError):
        explain(tape_of(case()), "dWa", t, (0, 0), one_step=True)


@pytest.mark.parametrize("loss", ["cross-entropy", "binary", "squared"])
@pytest.mark.parametrize("predict", ["last", "every"])
@pytest.mark.parametrize("sample", [None, 1])
def test_long_sums_are_read_off_in_the_same_order(loss: str, predict: str, sample: int | None) -> None:
    network = Network(inputs=1, outputs=1 if loss == "binary" else 2, hidden=2, predict=predict, loss=loss)
    rng = np.random.default_rng(1)
    each = (3, 4) if predict == "every" else (3,)
    y = rng.normal(size=(*each, 2)) if loss == "squared" else rng.integers(0, 2, size=each)
    tape = record(network, rng.normal(size=(3, 4, 1)), y, lengths=np.array([4, 2, 3]))
    why = explain(tape, "loss", None, (), sample=sample)
    np.testing.assert_allclose(why.values, [term.value for term in why.terms], rtol=1e-13)
    assert [why._term(i).factors for i in range(len(why.values))] == [term.factors for term in why.terms]
    assert sum(why.values) == pytest.approx(why.value, rel=1e-12)
