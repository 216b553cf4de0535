"""Derivatives of functions that work number by number: the engine's own, written in the user's names."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from engine.doctor.derive.tree.syntax_of import parsed
from engine.doctor.mending.edits.atoms import replaced
from engine.language.expression import Call, Name
from engine.language.functions import FUNCTIONS, Function
from engine.language.printing import NumpySyntax, show

BESIDE = {"log": "1 / u", "square": "2 * u", "sin": "np.cos(u)", "cos": "-np.sin(u)"}
"""Functions of NumPy's that no equation of the engine's calls: d/du, in u."""
_ARGUMENT = "u"


class _InNumpy(NumpySyntax):
    def name(self, name: Name) -> str:
        return name.name

    def call(self, node: Call, arguments: list[str]) -> str:
        return FUNCTIONS[node.function].source.format(*arguments)


@dataclass(frozen=True, eq=False)
class WrittenDerivative:
    """d f(u)/du: a tree in which `u` stands for the argument, and `value` for f(u) as it is written in NumPy, "" where it is not in it."""

    tree: ast.expr
    value: str = ""

    def of(self, argument: Callable[[], ast.expr], value: Callable[[], ast.expr]) -> ast.expr:
        """With these in their places; only what stands in the derivative is asked for."""

        def change(node: ast.expr) -> ast.expr | None:
            if self.value and ast.unparse(node) == self.value:
                return value()
            return argument() if isinstance(node, ast.Name) and node.id == _ARGUMENT else None

        return replaced(self.tree, change)


@cache
def derivative(function: str) -> WrittenDerivative | None:
    """The derivative of a function that is called so; None where none is known."""
    if function in BESIDE:
        return WrittenDerivative(parsed(BESIDE[function]))
    known = FUNCTIONS.get(function)
    if known is None or not known.elementwise or known.derivative is None or known.linear:
        return None
    return _of(known)


def _of(function: Function) -> WrittenDerivative:
    tree = parsed(show(function.derivative, _InNumpy()))  # pyright: ignore[reportArgumentType]
    if function.off:  # the value is above 0 where the argument is, and is what programs keep
        return WrittenDerivative(
            replaced(tree, lambda n: parsed("value") if isinstance(n, ast.Name) and n.id == _ARGUMENT else None),
            "value",
        )
    return WrittenDerivative(tree, ast.unparse(parsed(function.source.format(_ARGUMENT))))
