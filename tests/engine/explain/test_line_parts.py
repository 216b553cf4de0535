"""A line taken apart: every picture is the quantity it says it is, and the parts compute the result."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.debug.debugger import Debugger
from engine.debug.view import View
from engine.explain.line_parts import Part, anatomy, line_text, writer_for
from engine.notation import NOTATIONS, Writer
from engine.session import open_session
from tests.engine.strategies import Case, case, cases
from tests.examples import examples

NOTATION = st.sampled_from(list(NOTATIONS))


def debugger_of(drawn: Case, notation: str = "ng") -> tuple[Debugger, Writer]:
    debugger = Debugger(drawn.network, drawn.X, drawn.y, initial=drawn.initial)
    return debugger, writer_for(debugger.plan, notation)


def built_in() -> tuple[Debugger, Writer]:
    session = open_session(None, {})
    debugger = session.debugger
    return debugger, Writer(debugger.program, debugger.plan.axes, {"lr": "0.1"})


def stored(view: View, part: Part) -> np.ndarray | None:
    """What the quantity that a part names holds, as the tape and the view say."""
    assert part.name is not None
    if part.name in view.tape.parameters:
        return view.parameter(part.name) if part.role == "result" else view.tape.parameters[part.name]
    if part.role == "total":
        return view.gradient(part.name)
    if part.role == "term":
        return None
    return view.tape.at(part.name, part.t)


@examples(120)
@given(st.data(), cases(), NOTATION)
def test_every_cell_of_every_picture_is_the_cell_it_says_it_is(data: st.DataObject, drawn: Case, notation: str) -> None:
    debugger, writer = debugger_of(drawn, notation)
    debugger.go(data.draw(st.integers(1, 2 * debugger.program.length), "position"))
    sample = data.draw(st.none() | st.integers(0, len(drawn.X) - 1), "sample")
    view = debugger.view
    parts = anatomy(view, writer, sample)
    assert parts
    for part in parts:
        if part.values is None:
            assert part.role == "operator"
            continue
        assert part.values.ndim == 2
        assert part.role != "operator"
        if part.name is None:
            continue
        whole = stored(view, part)
        if whole is None:
            continue
        seen = set()
        for row, column in np.ndindex(part.values.shape):
            index = part.index(row, column)
            assert len(index) == whole.ndim
            np.testing.assert_array_equal(part.values[row, column], whole[index])
            seen.add(index)
        assert len(seen) == part.values.size
        if sample is None:
            assert part.values.size == whole.size


@examples(60)
@given(st.data(), cases(), NOTATION)
def test_the_last_picture_is_what_the_line_wrote(data: st.DataObject, drawn: Case, notation: str) -> None:
    debugger, writer = debugger_of(drawn, notation)
    debugger.go(data.draw(st.integers(1, 2 * debugger.program.length), "position"))
    view = debugger.view
    assert view.line is not None
    parts = anatomy(view, writer)
    results = [part for part in parts if part.role in ("result", "total")]
    assert len(results) == 1
    assert results[0].name == (view.point.parameter or view.line.name)
    texts = [part.text for part in parts if part.role == "operator"]
    assert texts.count("=") + texts.count("←") == 1
    if view.point.phase == "update":
        assert parts[0].role == "result"
        assert texts[0] == "←"
    else:
        assert parts[-1] is results[0]
    if view.line.equation.accumulate:
        term, sign, total = parts[-3:]
        assert (term.role, sign.text, total.role) == ("term", "Σ", "total")
        assert term.text == f"{writer.spelling.name(view.line.name)}@{view.point.t}"
        lying = writer.spelling.layout.array(view.term(view.line.name, view.point.t), writer.axes[view.line.name])
        np.testing.assert_array_equal(np.ravel(term.values), lying.ravel())


@examples(40)
@given(st.data(), cases(), NOTATION)
def test_one_samples_terms_add_up_to_the_batchs(data: st.DataObject, drawn: Case, notation: str) -> None:
    debugger, writer = debugger_of(drawn, notation)
    name = data.draw(st.sampled_from(["dWx", "dWa", "dba", "dWy", "dby"]), "line")
    (line,) = debugger.program.writers(name)
    t = data.draw(st.integers(1, debugger.program.steps), "t") if line.equation.accumulate else None
    debugger.go(1 + debugger.program.offset(line, t))
    terms = []
    for sample in range(len(drawn.X)):
        (term,) = [part for part in anatomy(debugger.view, writer, sample) if part.role == "term"]
        terms.append(term.values)
    expected = debugger.view.term(name, t) if line.equation.accumulate else debugger.view.tape[name]
    lying = writer.spelling.layout.array(expected, writer.axes[name])
    np.testing.assert_allclose(np.sum(terms, axis=0).ravel(), lying.ravel(), rtol=1e-9, atol=1e-12)


def value_of(part: Part) -> np.ndarray:
    assert part.values is not None
    return part.values


def test_the_pictures_of_a_matrix_product() -> None:
    debugger, writer = built_in()
    debugger.go(1 + debugger.program.offset(next(debugger.program.writers("z")), 4))
    parts = anatomy(debugger.view, writer)
    assert [part.text for part in parts] == ["x_4", "·", "Wx", "+", "a_3", "·", "Wa", "+", "ba", "=", "z_4"]
    x, _, Wx, _, a, _, Wa, _, ba, _, z = parts
    np.testing.assert_allclose(
        value_of(x) @ value_of(Wx) + value_of(a) @ value_of(Wa) + value_of(ba), value_of(z), rtol=1e-12, atol=1e-15
    )


def at_line(name: str, t: int, notation: str) -> list[Part]:
    debugger, _ = built_in()
    *_, line = debugger.program.writers(name)
    debugger.go(1 + debugger.program.offset(line, t))
    return anatomy(debugger.view, writer_for(debugger.plan, notation))


def test_in_columns_the_factors_change_places_and_the_pictures_multiply_as_they_stand() -> None:
    parts = at_line("z", 4, "karpathy")
    assert [part.text for part in parts] == ["Wxh", "·", "x_4", "+", "Whh", "·", "h_3", "+", "bh", "=", "hraw_4"]
    Wxh, _, x, _, Whh, _, h, _, bh, _, hraw = parts
    assert [value_of(part).shape for part in (Wxh, x, bh, hraw)] == [(8, 1), (1, 10), (8, 1), (8, 10)]
    np.testing.assert_allclose(
        value_of(Wxh) @ value_of(x) + value_of(Whh) @ value_of(h) + value_of(bh), value_of(hraw), rtol=1e-12, atol=1e-15
    )


def test_weights_as_out_by_in_are_transposed_in_the_forward_pass_and_plain_in_the_backward_pass() -> None:
    parts = at_line("z", 4, "pytorch")
    assert [part.text for part in parts] == ["x_4", "·", "W_ihᵀ", "+", "h_3", "·", "W_hhᵀ", "+", "b", "=", "z_4"]
    assert value_of(parts[2]).shape == (1, 8)
    parts = at_line("dWa", 4, "pytorch")
    assert [part.text for part in parts] == ["dz_4ᵀ", "·", "h_3", "=", "dW_hh@4", "Σ", "dW_hh"]
    np.testing.assert_allclose(value_of(parts[0]) @ value_of(parts[2]), value_of(parts[4]), rtol=1e-12, atol=1e-18)
    parts = at_line("da", 4, "pytorch")
    assert [part.text for part in parts] == ["dz_4", "·", "W_hh", "=", "dh_3"]
    np.testing.assert_allclose(value_of(parts[0]) @ value_of(parts[2]), value_of(parts[4]), rtol=1e-12, atol=1e-18)


def test_the_pictures_of_a_derivative() -> None:
    debugger, writer = built_in()
    debugger.go(1 + debugger.program.offset(next(debugger.program.writers("dz")), 7))
    da, _, switch, _, dz = anatomy(debugger.view, writer)
    assert (da.text, switch.text, dz.text) == ("da_7", "1[z_7 > 0]", "dz_7")
    assert switch.name is None
    np.testing.assert_array_equal(value_of(da) * value_of(switch), value_of(dz))


def test_a_transposed_operand_says_which_cell_it_shows() -> None:
    debugger, writer = built_in()
    debugger.go(1 + debugger.program.offset(next(debugger.program.writers("dWa")), 7))
    parts = anatomy(debugger.view, writer)
    assert [part.text for part in parts] == ["a_6ᵀ", "·", "dz_7", "=", "dWa@7", "Σ", "dWa"]
    a = parts[0]
    assert (a.transposed, value_of(a).shape, a.index(2, 9)) == (True, (8, 10), (9, 2))
    np.testing.assert_allclose(value_of(parts[0]) @ value_of(parts[2]), value_of(parts[4]), rtol=1e-12, atol=1e-18)


def test_the_pictures_of_an_update() -> None:
    debugger, writer = built_in()
    debugger.go(debugger.program.length)
    parts = anatomy(debugger.view, writer)
    assert [part.text for part in parts] == ["by", "←", "by", "−", "0.1", "·", "dby"]
    np.testing.assert_allclose(
        value_of(parts[2]) - 0.1 * value_of(parts[6]), value_of(parts[0]), rtol=1e-15, atol=1e-18
    )


LINES = [
    ("z", 1, "z_1 = x_1·Wx + a_0·Wa + ba"),
    ("a", 3, "a_3 = relu(z_3)"),
    ("logits", None, "logits = a_10·Wy + by"),
    ("p", None, "p = softmax(logits)"),
    ("dz", 7, "dz_7 = da_7 ⊙ 1[z_7 > 0]"),
    ("dWa", 7, "dWa += a_6ᵀ·dz_7"),
    ("dba", 1, "dba += Σ_b dz_1"),
]


@pytest.mark.parametrize(("name", "t", "text"), LINES)
def test_the_line_with_its_time_step_put_in(name: str, t: int | None, text: str) -> None:
    debugger, writer = built_in()
    debugger.go(1 + debugger.program.offset(next(debugger.program.writers(name)), t))
    assert line_text(debugger.view, writer) == text


def test_what_flows_back_and_the_update_as_text() -> None:
    debugger, writer = built_in()
    texts = []
    for position in range(debugger.program.length + 1):
        debugger.go(position)
        texts.append(line_text(debugger.view, writer))
    assert texts[0] == ""
    assert "da_6 = dz_7·Waᵀ" in texts
    assert "da_10 = dlogits·Wyᵀ" in texts
    assert texts[-1] == "by ← by − 0.1 · dby"
    assert not [text for text in texts if "_t" in text or "{" in text or "_T" in text]
    assert all(texts[1:])


def test_the_start_has_no_parts() -> None:
    debugger, writer = debugger_of(case())
    assert anatomy(debugger.view, writer) == []
    assert anatomy(debugger.view, writer, 0) == []
