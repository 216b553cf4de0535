"""The lines of a backward pass while they are made: what they are called, and what is there already."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from engine.doctor.derive.backward.function_rules import FunctionRules
from engine.doctor.derive.backward.rules import Gradient
from engine.doctor.derive.derived import DerivedLine, LineKind
from engine.doctor.derive.forward.passes import ForwardPass
from engine.doctor.derive.forward.steps import Steps, singular
from engine.doctor.derive.tree.syntax_of import base, is_number, parsed, path
from engine.doctor.derive.values.values import ForwardValues


class BackwardLines(FunctionRules):
    """Writes lines; which rules say what they are is its heirs'. `lines` are what it made."""

    def __init__(
        self,
        forward: ForwardPass,
        steps: Steps,
        values: ForwardValues,
        helpers: Mapping[str, str],
        taken: set[str],
    ) -> None:
        super().__init__(forward.shapes, helpers)
        self.forward, self.steps, self.values, self.taken = forward, steps, values, taken
        self.skipped: set[ast.stmt] = set()
        self.lines: list[DerivedLine] = []
        self.gaps: list[tuple[int, str]] = []
        self.live: set[str] = set()
        self.owned: set[str] = set()
        self.symbols: dict[str, ast.expr] = {}
        self.zeros: dict[str, tuple[str, ast.For]] = {}
        """Zeros for what every round adds to, and the loop before which they stand."""
        self.deferred: list[tuple[str, Gradient]] | None = None
        self.deferred_for = ""
        self.depth: int = 0
        self.statement: ast.stmt = forward.last
        self.pieces: dict[str, dict[str, ast.expr]] = {}
        """Gradients of which the pieces are known, by their names: that of each index."""
        self.made: dict[str, str] = {}
        """The gradient's name of each parameter."""

    def _has(self, name: str) -> bool:
        return name in self.live or name in self.symbols

    def _key(self, node: ast.expr, *, writing: bool = False, is_append: bool = False) -> str:
        """What dL/d(it) is called."""
        name = path(node)
        if name and not is_append:
            return self.values.names.gradient_name(name)
        container = base(node)
        if is_append or (writing and self.steps.get(container) is not None):
            return f"d{singular(container)}"
        return f"d{container}"

    def _shape_of(self, target: ast.expr) -> tuple[int, ...] | None:
        value = getattr(self.statement, "value", None)
        return self.shapes.shape(value) if isinstance(value, ast.expr) else None

    def named(self, gradient: Gradient, hint: str) -> Gradient:
        """The gradient under a name of its own, where it is more than a name."""
        if isinstance(gradient.node, ast.Name) or (is_number(gradient.node, 1)):
            return gradient
        name = self.values.names.free_name(hint, self.statement)
        self.emit(f"{name} = {ast.unparse(gradient.node)}", self.why, makes=name, shape=gradient.shape)
        self.why = ""
        return Gradient(parsed(name), gradient.shape)

    def own_name(self, name: str) -> str:
        return self.forward.flat.own_name(name)

    def made_of(self, node: ast.expr) -> ast.expr:
        made = self.forward.definitions.get(node.id, []) if isinstance(node, ast.Name) else []
        here = self.forward.loops.get(self.statement)
        values = [d.statement.value for d in made if isinstance(d.statement, ast.Assign) and d.loops == here]
        return values[0] if len(made) == len(values) == 1 else node

    def value(self, node: ast.expr) -> ast.expr:
        return self.values.text(node, self.statement)

    def is_active(self, node: ast.expr) -> bool:
        return self.forward.is_active(node)

    def emit(
        self,
        text: str,
        why: str = "",
        *,
        makes: str = "",
        shape: tuple[int, ...] | None = None,
        kind: LineKind = "back",
        of: int | None = None,
    ) -> None:
        """One more line, if it says anything."""
        left, _, right = text.partition(" = ")
        if left == right:
            return
        self.why = ""
        at = of if of is not None else self.statement.lineno if kind in ("back", "head") else None
        flat = self.forward.flat
        calls = tuple(flat.calls.index(one) for one in reversed(flat.called_at.get(self.statement, [])))
        self.lines.append(DerivedLine("    " * self.depth + text, why, at, "", makes, shape, kind, calls))
