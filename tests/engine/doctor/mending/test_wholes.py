"""Edits of whole expressions, and which of the program's functions may be called beside it."""

from __future__ import annotations

import ast

import pytest

from engine.doctor.mending.edits.edits import of_statement, slots
from engine.doctor.mending.edits.expression_text import text_of
from engine.doctor.mending.naming.slopes import slopes
from engine.doctor.mending.trials.pure import safe_functions
from engine.doctor.recording.trials.expressions import SAFE, compiled


@pytest.mark.parametrize(
    ("wrong", "kind", "right"),
    [
        ("dz = a * (1 - a) * da", "derivative", "dz = da * (1 - a ** 2)"),
        ("dz = da * (z > 0)", "derivative", "dz = da * (1 - a ** 2)"),
        ("dz = a * a * da", "derivative", "dz = (1 - a * a) * da"),
        ("dz = a ** 2 * da", "derivative", "dz = (1 - a ** 2) * da"),
        ("d = (p - y) * p * (1 - p) / n", "delta", "d = (p - y) / n"),
        ("d = (p - y) / (p * (1 - p))", "delta", "d = p - y"),
        ("dW = np.outer(a.mean(axis=0), dz.sum(axis=0))", "means", "dW = a.T @ dz"),
        ("dW = dot(np.sum(dz, axis=1), np.mean(a, axis=1).T)", "means", "dW = dot(dz, a.T)"),
        ("db += d[0, t]", "sum-missing", "db += d[:, t].sum(axis=0)"),
        ("db = np.sum(d) * np.ones_like(b)", "sum-missing", "db = d.sum(axis=1, keepdims=True)"),
        ("dW = f(d, h[:-1])", "index", "dW = f(d, h[1:])"),
        ("dW = f(d[1:], x[:-1])", "index", "dW = f(d[:], x[:])"),
        ("s = sigmoid(s) * (1 - sigmoid(s))", "derivative", "s = s * (1 - s)"),
        ("dW += outer_sum(d, h)", "exchanged", "dW += outer_sum(h, d)"),
        ("d = np.dot(W.T, np.dot(W.T, dz))", "factor-dropped", "d = np.dot(W.T, dz)"),
        ("dc = dc * f + (da + dz) * y", "variable", "dc = dc * f + (da * p + dz * y)"),
        ("dh = dz[D:]", "index", "dh = dz[:-D]"),
        ("dh = dz[:, :D]", "index", "dh = dz[:, D:]"),
        ("dE = f(x[i, j], d)", "index", "dE = f(x[j, i], d)"),
        ("ds = (1 - z) / n", "factor-missing", "ds = 0.5 * ((1 - z) / n)"),
        ("dA = np.hstack((df, di, dg))", "exchanged", "dA = np.hstack((df, dg, di))"),
        ("da = np.stack(das)", "axis", "da = np.stack(das, axis=1)"),
        ("d = d - y * d.sum(1, keepdims=True)", "axis", "d = d - y * d.sum(-1, keepdims=True)"),
        ("db = np.sum(dz, -1)", "axis", "db = np.sum(dz, 0)"),
        ("dh = np.einsum('bij,bj->bi', S, d)", "axis", "dh = np.einsum('bji,bj->bi', S, d)"),
        (
            "dh = times([[W[i][j] for j in n] for i in n], dz)",
            "index",
            "dh = times([[W[j][i] for j in n] for i in n], dz)",
        ),
        (
            "dz = [d * (1 - h) for d, h in zip(dh, hs)]",
            "complement",
            "dz = [d * (1 - (1 - h)) for d, h in zip(dh, hs)]",
        ),
    ],
)
def test_edits_of_several_places_at_once(wrong: str, kind: str, right: str) -> None:
    statement = ast.parse(wrong).body[0]
    made = {ast.dump(ast.parse(e.statement)): e.kind for e in of_statement(statement, ["a", "z", "da", "dz", "p", "y"])}
    assert made.get(ast.dump(ast.parse(right))) == kind


def test_a_product_with_a_weight_may_be_missing_inside() -> None:
    statement = ast.parse("d = d * (1 - s ** 2)").body[0]
    made = [e.statement for e in of_statement(statement, ["self.W"], missing=True)]
    assert "d = self.W.T @ d * (1 - s ** 2)" in made


def test_functions_that_only_compute_may_be_called_twice() -> None:
    text = """
def slope(s): return s * (1 - s)
def both(s):
    made = slope(s)
    return made if made.sum() > 0 else -made
def adds(total, s): total += s
def asks(s): return input(s)
def itself(s): return itself(s)
def stores(s): s[0] = 1
def times(W, v):
    out = [0.0 for _ in W]
    for i in range(len(W)):
        for j in range(len(v)):
            out[i] += W[i][j] * v[j]
    return out
def other(W):
    same = W
    same[0] += 1
    return same
def norm(s): return s.sum() if input() else 0
"""
    safe = set(safe_functions({"program.py": text}))
    assert safe - SAFE == {"both", "slope", "times"}
    assert SAFE - safe == {"norm"}


def test_derivatives_are_told_by_their_form() -> None:
    assert [(s.form, s.of, s.applied) for s in slopes("dz = da * (1 - np.tanh(z[t]) ** 2)")] == [
        ("square", "z[t]", True)
    ]
    assert [s.form for s in slopes("dz = da * (1 - a) ** 2")] == ["misplaced", "logistic"]
    assert [s.form for s in slopes("dz = da * (z > 0)")] == ["mask"]


def test_what_is_unpacked_into_a_call_is_no_expression() -> None:
    (statement,) = ast.parse("g = Gradients(*(np.zeros_like(p) for p in parts), d)").body
    assert [text_of(slot.get()) for slot in slots(statement)] == [
        "Gradients(*(np.zeros_like(p) for p in parts), d)",
        "d",
    ]
    assert list(of_statement(statement, ["x"]))


@pytest.mark.parametrize("text", ["loss = forward(*ahead)", "g = np.outer(d, *kept)", "g = np.dot(*pair)"])
def test_edits_of_what_is_unpacked_are_expressions(text: str) -> None:
    for edit in of_statement(ast.parse(text).body[0], ["x", "h[t]"]):
        ast.parse(edit.value, mode="eval")


def test_what_changes_what_it_reads_is_not_evaluated_once_more() -> None:
    assert compiled("np.subtract(W, rate * dW, out=W)") is None
    assert compiled("np.subtract(W, rate * dW, out=made)") is not None
