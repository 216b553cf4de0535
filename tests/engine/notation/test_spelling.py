"""Names: what each source writes, no two alike in any model, and back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import Network
from engine.explain.line_parts import writer_for
from engine.notation import NOTATIONS
from engine.recording.plan import Plan, plan
from engine.tables.cells import CELLS, Cell
from tests.examples import examples

Golden = Callable[[str, str], None]


def model(**options: object) -> Plan:
    network = Network(**{"inputs": 2, "outputs": 3, "hidden": 4, **options})  # pyright: ignore[reportArgumentType]
    return plan(network, 5, 6)


def listing(prepared: Plan, notation: str) -> list[str]:
    writer = writer_for(prepared, notation)
    return [writer.line(line) for line in prepared.program.lines]


@pytest.mark.parametrize("notation", ["ng", "pytorch", "karpathy", "wildml", "goodfellow"])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_the_listing_of_each_cell_in_each_notation(golden: Golden, cell: str, notation: str) -> None:
    prepared = model(cell=cell)
    layout = NOTATIONS[notation].layout
    shapes = {name: layout.sizes(axes, prepared.sizes) for name, axes in prepared.axes.items()}
    lines = [
        f"{text:<90} {shapes.get(line.name, '')}".rstrip()
        for line, text in zip(prepared.program.lines, listing(prepared, notation), strict=True)
    ]
    golden(f"notation-{cell}-{notation}", "\n".join(lines))


# As it stands in min-char-rnn, in the tutorial's bptt(), in equations 10.8 to 10.28 of the book, and in the documentation of nn.RNN.
SOURCES = {
    "karpathy": ["hraw_t = Wxh·x_t + Whh·h_{t-1} + bh", "h_t = tanh(hraw_t)", "y_t = Why·h_t + by", "dWhy += dy_t·h_tᵀ",
                 "dhraw_t = dh_t ⊙ (1 − h_t²)", "dWxh += dhraw_t·x_tᵀ", "dWhh += dhraw_t·h_{t-1}ᵀ", "dhnext_{t-1} = Whhᵀ·dhraw_t"],
    "wildml": ["s_t = tanh(z_t)", "z_t = U·x_t + W·s_{t-1} + b", "o_t = softmax(logits_t)", "dLdV += delta_o_t·s_tᵀ",
               "dLdW += delta_t·s_{t-1}ᵀ", "dLdU += delta_t·x_tᵀ", "delta_t = dLds_t ⊙ (1 − s_t²)", "θ ← θ − 0.1 · dLdθ"],
    "goodfellow": ["a^(t) = U·x^(t) + W·h^(t-1) + b", "h^(t) = tanh(a^(t))", "o^(t) = V·h^(t) + c", "yhat^(t) = softmax(o^(t))"],
    "pytorch": ["z_t = x_t·W_ihᵀ + h_{t-1}·W_hhᵀ + b", "logits_t = h_t·weightᵀ + bias", "dW_hh += dz_tᵀ·h_{t-1}"],
    "ng": ["z_t = x_t·Wx + a_{t-1}·Wa + ba", "a_t = tanh(z_t)", "da_t = da_out_t + da_next_t", "dWa += a_{t-1}ᵀ·dz_t"],
}  # fmt: skip


def test_beside_a_program_no_name_stands_for_something_else_than_there() -> None:
    meanings = {"s": {"logits"}, "delta": {"dz"}, "W": {"Wa"}, "a": {"x"}, "a_": {"x"}}
    writer = writer_for(model(), "wildml", {name: frozenset(quantities) for name, quantities in meanings.items()})
    names = {one: writer.spelling.name(one) for one in ("a", "da", "dz", "Wa", "dWa", "Wx")}
    assert names == {"a": "a__", "da": "dLda__", "dz": "delta", "Wa": "W", "dWa": "dLdW", "Wx": "U"}
    assert writer.spelling.in_engine_names("s + a__") == "s + a"


@pytest.mark.parametrize("notation", list(SOURCES))
def test_lines_as_the_source_has_them(notation: str) -> None:
    found = listing(model(predict="every"), notation)
    assert [line for line in SOURCES[notation] if line not in found] == []


USER = Cell(
    name="mine",
    equations=("o = x @ Wh + h_prev @ U", "targets = tanh(o)", "h = targets * h_prev + o"),
    parameters={"Wh": ("D", "H"), "U": ("H", "H")},
    states=("h",),
    output="h",
)


@examples(60)
@given(
    st.sampled_from([*CELLS.values(), USER]),
    st.sampled_from(["last", "every"]),
    st.sampled_from(["cross-entropy", "binary", "squared"]),
    st.sampled_from(["sgd", "momentum", "adam"]),
    st.none() | st.integers(1, 3),
    st.sampled_from(["window", "chunk"]),
    st.booleans(),
    st.sampled_from(list(NOTATIONS)),
)
def test_no_two_names_are_alike(
    cell: Cell, predict: str, loss: str, optimizer: str, truncate: int | None, by: str, clip: bool, notation: str
) -> None:
    prepared = model(
        cell=cell, predict=predict, loss=loss, outputs=1 if loss == "binary" else 3, optimizer=optimizer,
        truncate=truncate, truncate_by=by, clip_norm=1.0 if clip else None,
    )  # fmt: skip
    spelling = writer_for(prepared, notation).spelling
    program = prepared.program
    names = [*program.quantities, *program.parameters, *program.updates]
    shown = [spelling.name(name) for name in names]
    assert sorted(set(shown)) == sorted(shown)
    assert all(name.isidentifier() for name in shown)
    assert [spelling.in_engine_names(name) for name in shown] == names


def test_what_people_type_in_the_notations_names() -> None:
    spelling = writer_for(model(), "goodfellow").spelling
    assert spelling.in_engine_names("backward da@7") == "backward dz@7"
    assert spelling.in_engine_names("h@3") == "a@3"
    assert spelling.in_engine_names("iteration 3, 7") == "iteration 3, 7"


def test_where_the_cell_has_a_letter_the_read_out_keeps_ours() -> None:
    names = writer_for(model(cell="lstm"), "wildml").spelling
    assert (names.name("o"), names.name("p"), names.name("c"), names.name("by")) == ("o", "p", "c", "by")
    names = writer_for(model(cell="rnn"), "wildml").spelling
    assert (names.name("p"), names.name("by")) == ("o", "c")


def test_the_updates_lines_name_their_parameter() -> None:
    prepared = model(optimizer="adam", clip_norm=1.0)
    assert "gnorm_squared = Σ_θ Σ dθ²" in listing(prepared, "goodfellow")
    assert "vW ← 0.999 · vW + (1 − 0.999) · dW_clipped²" in listing(prepared, "karpathy")
    assert writer_for(prepared, "wildml").for_each == "for each parameter θ"
