"""Edits are written as `ast.unparse` writes them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from engine.doctor.mending.edits.expression_text import text_of

SPECIMENS = Path(__file__).parents[1] / "specimens"


@pytest.mark.parametrize(
    "text",
    [
        "a - (b - c) + -d ** 2 ** e",
        "(a ** b) ** -c",
        "-(a + b) * (c * (d @ e)) / +f",
        "1 - (h[t - 1] > 0) * (a < b <= c)",
        "x[:, ::2, None], y[a,], z[()], w[lower:upper:step]",
        "(a, (b, c)), [d, (e,)], ()",
        "2 .real + 1.5.real + (-1).real + 1e400 + 1j + True",
        "np.sum(*rows, axis=(0, 1), **more)('a', \"it's\", 'back\\\\slash')",
        "(a if b else c).T + (not d) * f(lambda: e) + {**g}['h']",
        "a = b[0], c = d, e = (f, g)",
        "(a if b else c) + f(d if (e if f else g) else (h if i else j), (k if l else m) if n > o else p[q if r else s])",
        "dW[k] += x, y",
        "for t in range(3):\n    pass",
    ],
)
def test_corner_cases(text: str) -> None:
    (statement,) = ast.parse(text).body
    assert text_of(statement) == ast.unparse(statement)


def test_statements_of_programs() -> None:
    trees = [ast.parse(path.read_text()) for path in SPECIMENS.glob("*.py")]
    statements = [node for tree in trees for node in ast.walk(tree) if isinstance(node, (ast.Assign, ast.AugAssign))]
    assert len(statements) > 1000
    assert [text_of(node) for node in statements] == [ast.unparse(node) for node in statements]
