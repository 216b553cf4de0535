"""Why: every number of every tape is the sum of its terms, and every factor is a number of a tape, bit for bit."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import Debugger, InputError, Network
from engine.explain.address import CellAddress
from engine.explain.terms import explain
from engine.explain.why import origin, parse_place, to_json, why, zero_reason
from engine.session import open_session
from tests.examples import examples

B, T, D, H, C = 3, 4, 2, 3, 2
EPS = {"float64": np.finfo(np.float64).eps, "float32": np.finfo(np.float32).eps}


@st.composite
def debuggers(draw: st.DrawFn) -> Debugger:
    """A small network of any cell, head, truncation, clipping and optimizer, on random data."""
    cell = draw(st.sampled_from(["rnn", "lstm", "gru"]))
    predict, loss = (
        draw(st.sampled_from(["last", "every"])),
        draw(st.sampled_from(["cross-entropy", "binary", "squared"])),
    )
    outputs = 1 if loss == "binary" else C
    network = Network(
        inputs=D,
        hidden=H,
        outputs=outputs,
        cell=cell,
        activation=draw(st.sampled_from(["tanh", "relu", "sigmoid", "identity"])),
        predict=predict,
        loss=loss,
        reduction=draw(st.sampled_from(["mean", "sum"])),
        dtype=draw(st.sampled_from(["float64", "float32"])),
        seed=draw(st.integers(0, 99)),
        optimizer=draw(st.sampled_from(["sgd", "momentum", "adam"])),
        clip_norm=draw(st.sampled_from([None, 0.05, 10.0])),
        clip_value=draw(st.sampled_from([None, 0.01])),
        truncate=draw(st.sampled_from([None, 1, 2])),
        truncate_by=draw(st.sampled_from(["window", "chunk"])),
        init_scale=1.5,
        bidirectional=draw(st.sampled_from([False, False, True])),
    )
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    one_each = (B, T) if predict == "every" else (B,)
    y = rng.normal(size=(*one_each, outputs)) if loss == "squared" else rng.integers(0, 2, one_each)
    lengths = np.array([4, 2, 3]) if draw(st.booleans()) else None
    initial = {name: rng.normal(size=(B, H)) for name in network.table.states}
    return Debugger(network, rng.normal(size=(B, T, D)), y, lengths=lengths, initial=initial)


def drawn_cell(data: st.DataObject, debugger: Debugger) -> CellAddress:
    """Any cell of iteration 0 or 1: of a quantity, a gradient or one step's term of it, a weight, the update's own."""
    iteration = data.draw(st.integers(0, 1))
    program = debugger.program
    name = data.draw(st.sampled_from([*program.quantities, *program.parameters, *program.updates]))
    array = debugger.tape(iteration)[name]
    quantity = program.quantities.get(name)
    t = None
    if quantity is not None and quantity.rows:
        t = data.draw(st.sampled_from(quantity.steps(T)))
        array = array[0]
    index = tuple(data.draw(st.integers(0, n - 1)) for n in array.shape)
    return CellAddress(name, iteration, t, index)


def value_of(debugger: Debugger, place: dict[str, Any]) -> float:
    tape = debugger.tape(place["iteration"])
    return float(np.asarray(tape.at(place["quantity"], place["t"]))[tuple(place["index"])])


def check_factor(debugger: Debugger, factor: dict[str, Any]) -> None:
    if "quantity" in factor:
        stored = value_of(debugger, factor)
        assert stored == factor["value"] or (math.isnan(stored) and factor["value"] == "NaN"), factor
    for inner in factor.get("of", ()):
        check_factor(debugger, inner)


@examples(240)
@given(st.data(), debuggers())
def test_terms_add_up_and_factors_are_the_tapes_numbers(data: st.DataObject, debugger: Debugger) -> None:
    cell = drawn_cell(data, debugger)
    found = why(debugger, cell)
    stored = debugger.tape(cell.iteration).at(cell.name, cell.t)[cell.index]
    assert found.value == stored
    answer = to_json(debugger, cell)
    json.dumps(answer, allow_nan=False)
    terms: Any = answer["terms"]
    if not terms:
        given = cell.name in debugger.program.parameters and cell.iteration == 0
        quantity = debugger.program.quantities.get(cell.name)
        ends = (0, T) if quantity is None or not quantity.reverse else (T + 1, 1)  # the initial state, the last step
        assert given or (quantity is not None and (quantity.given or cell.t in ends))
        return
    total = math.fsum(term["value"] for term in terms)
    size = sum(abs(term["value"]) for term in terms)
    eps = EPS[debugger.network.dtype]
    assert abs(total - found.value) <= 8 * eps * size + 1e-300, answer["equation"]
    for term in terms:
        product = math.prod(factor["value"] for factor in term["factors"])
        assert product == pytest.approx(term["value"], rel=1e-12, abs=1e-300)
        for factor in term["factors"]:
            check_factor(debugger, factor)


COUNTS = [
    ({}, "z@3[0,1]", D + H + 1),
    ({}, "a@3[0,1]", 1),
    ({}, "logits[0,1]", H + 1),
    ({}, "loss", B),
    ({}, "da@2[0,1]", H),
    ({}, "da@4[0,1]", C),
    ({}, "dWa[0,1]", T * B),
    ({}, "dWa@3[0,1]", B),
    ({}, "dba[1]", T * B),
    ({"predict": "every"}, "loss", T * B),
    ({"predict": "every"}, "da@2[0,1]", 2),
    ({"predict": "every"}, "dWy[0,1]", T * B),
    ({"cell": "lstm"}, "zi@3[0,1]", D + H + 1),
    ({"cell": "lstm"}, "c@3[0,1]", 2),
    ({"cell": "lstm"}, "dh@2[0,1]", 4 * H),
    ({"cell": "gru"}, "h@3[0,1]", 3),
    ({"clip_norm": 1.0}, "gnorm_squared", D * H + H * H + H + H * C + C),
    ({"optimizer": "momentum"}, "vWa[0,1]", 2),
]


@pytest.mark.parametrize(("options", "text", "count"), COUNTS)
def test_there_are_as_many_terms_as_the_mathematics_has(options: dict[str, Any], text: str, count: int) -> None:
    network = Network(inputs=D, hidden=H, outputs=C, **options)
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, (B, T) if network.predict == "every" else B)
    debugger = Debugger(network, rng.normal(size=(B, T, D)), y)
    found = why(debugger, parse_place(text, debugger, 0))
    assert len(found.values) == len(found.terms) == count


def test_a_weight_is_explained_by_the_update_before() -> None:
    debugger = open_session(None, {"optimizer": "adam"}).debugger
    assert not len(why(debugger, CellAddress("Wa", 0, None, (0, 1))).values)
    answer: Any = to_json(debugger, CellAddress("Wa", 2, None, (0, 1)))
    (old, step) = answer["terms"]
    assert old["factors"] == [
        {"quantity": "Wa", "iteration": 1, "t": None, "index": [0, 1], "value": float(debugger.tape(1)["Wa"][0, 1])}
    ]
    assert any("function" in factor for factor in step["factors"])
    moment: Any = to_json(debugger, CellAddress("mWa", 2, None, (0, 1)))
    earlier = [f for term in moment["terms"] for f in term["factors"] if f.get("quantity") == "mWa"]
    assert [factor["iteration"] for factor in earlier] == [1]


def test_the_rest_is_one_sum() -> None:
    debugger = open_session(None, {}).debugger
    whole: Any = to_json(debugger, CellAddress("dWa", 0, None, (2, 3)))
    short: Any = to_json(debugger, CellAddress("dWa", 0, None, (2, 3)), top=4)
    assert len(short["terms"]) == 5
    assert short["terms"][-1]["rest"] == len(whole["terms"]) - 4
    assert short["terms"][-1]["factors"] == []
    assert math.fsum(t["value"] for t in short["terms"]) == pytest.approx(whole["value"], rel=1e-12)
    largest = sorted((abs(t["value"]) for t in whole["terms"]), reverse=True)[:4]
    assert [abs(t["value"]) for t in short["terms"][:4]] == largest


def test_zero_in_words() -> None:
    debugger = open_session("dying_relu", {}).debugger
    tape = debugger.tape(0)
    z, da = tape["z"], tape["da"]
    t, b, h = map(int, np.argwhere((z < 0) & (da[1:] != 0))[0])
    cell = CellAddress("dz", 0, t + 1, (b, h))
    assert zero_reason(debugger, cell, why(debugger, cell)) == f"0 because z@{t + 1}[{b},{h}] ≤ 0 (ReLU off)"
    dead = int(np.flatnonzero((z <= 0).all(axis=(0, 1)))[0])
    cell = CellAddress("dWa", 0, None, (0, dead))
    assert (
        zero_reason(debugger, cell, why(debugger, cell))
        == f"0 because unit {dead} was off at every t for every sample (ReLU)"
    )
    alive = CellAddress("loss", 0, None, ())
    assert zero_reason(debugger, alive, why(debugger, alive)) is None


@pytest.mark.parametrize(
    ("text", "why_not"),
    [
        ("nope[0]", "no quantity nope"), ("da[0,0]", "in time; name the step"), ("Wa@3[0,0]", "not in time"),
        ("da@99[0,0]", "time steps 0 to 10"), ("da@3[0]", "not a cell"), ("Wa[99,0]", "not a cell"), ("da@x[0,0]", "form"),
    ],
)  # fmt: skip
def test_places_that_are_none(text: str, why_not: str) -> None:
    debugger = open_session(None, {}).debugger
    with pytest.raises(InputError, match=why_not):
        why(debugger, parse_place(text, debugger, 0))


def test_what_no_line_made_comes_from_somewhere() -> None:
    tape = open_session(None, {"optimizer": "momentum", "dropout": 0.5}).debugger.tape(0)
    said = {name: origin(tape, name).partition(":")[0] for name in ("a", "x", "y", "Wa", "keep", "vWa", "da_next")}
    assert said == {
        "a": "the state before the first step",
        "x": "given with the data",
        "y": "given with the data",
        "Wa": "a weight as it was at the start",
        "keep": "drawn for dropout, anew in each iteration",
        "vWa": "0 before the first update",
        "da_next": "0 because nothing flows this way at this time step",
    }


def test_the_gradient_of_an_initial_state_is_the_flow_into_it() -> None:
    debugger = open_session("sonnet", {"cell": "lstm", "bidirectional": True}).debugger
    tape, steps = debugger.tape(0), debugger.program.steps
    for name, t in (("dc1", 0), ("dc1r", steps + 1)):
        explanation = why(debugger, parse_place(f"{name}@{t}[0,1]", debugger, 0))
        assert (explanation.name, explanation.value) == (name, tape.at(name, t)[0, 1])
        assert len(explanation.values) == 1 and explanation.value == explanation.values.sum() != 0
        assert len(explain(tape, name, t, (0, 1)).values) == 1, "what stands of the cell at the cursor"
    assert origin(tape, "dc1_next").startswith("what flows into the last state from elsewhere")
    assert origin(tape, "dc1_out").startswith("0 because nothing flows this way")


def test_what_a_window_cuts_off_is_of_the_loss_that_is_too_far_away() -> None:
    debugger = open_session("delayed_recall", {"bidirectional": True}).debugger  # K is 3, T is 16
    for name, t, loss in (("da1_cut", 3, 7), ("da1r_cut", 8, 4)):
        cell = parse_place(f"{name}@{t}[0,0]", debugger, 0)
        ((factor,),) = (term.factors for term in why(debugger, cell).largest(1)[0])
        assert [(of.name, of.t) for of in factor.of] == [("dlogits", loss)]
    for place in ("da1_cut@14[0,0]", "da1r_cut@2[0,0]"):
        cell = parse_place(place, debugger, 0)
        assert zero_reason(debugger, cell, why(debugger, cell)) == "0 because no loss is 4 steps away"
