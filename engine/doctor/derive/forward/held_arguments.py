"""Objects that a loop makes, `cell = Cell(Wx, Wh)`: what they hold of their arguments is read as these."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from typing import cast

from engine.doctor.derive.forward.call_targets import CallTargets
from engine.doctor.derive.forward.copies import given_arguments, single_statements, unplaced
from engine.doctor.derive.tree.shapes import SeenShapes
from engine.doctor.derive.tree.statements import targets
from engine.doctor.derive.tree.syntax_of import names, path
from engine.doctor.mending.edits.atoms import replaced


class HeldArguments:
    """What the attributes of such objects are, by the objects' names."""

    def __init__(self, shapes: SeenShapes, calls: CallTargets) -> None:
        self._shapes, self._calls = shapes, calls
        self._held: dict[str, dict[str, ast.expr]] = {}

    def made(self, statement: ast.stmt) -> None:
        """Takes note of a statement that makes an object."""
        call = statement.value if isinstance(statement, ast.Assign) else None
        name = path(statement.targets[0]) if isinstance(statement, ast.Assign) else ""
        function = self._calls.constructor(call) if isinstance(call, ast.Call) else None
        if function is not None and isinstance(call, ast.Call) and name:
            self._held[name] = dict(self._attributes(function, call))

    def _attributes(self, function: ast.FunctionDef, call: ast.Call) -> Iterator[tuple[str, ast.expr]]:
        """What a constructor puts into attributes that nothing else writes, where it is made of its arguments alone."""
        given = dict(given_arguments(function, self._with_entries(call), "self"))
        for statement in (one for s in function.body for one in single_statements(s)):
            target = statement.targets[0] if isinstance(statement, ast.Assign) else None
            if not isinstance(statement, ast.Assign) or not isinstance(target, ast.Attribute):
                continue
            value = statement.value
            is_plain = isinstance(value, ast.Name | ast.List | ast.Tuple) and names(value) <= {*given}
            if is_plain and names(value) and self._is_of_one_class(target.attr, function):
                yield target.attr, replaced(copy.deepcopy(value), lambda n: self._argument(n, given))

    def _is_of_one_class(self, attribute: str, function: ast.FunctionDef) -> bool:
        """Whether no other method of the class writes an attribute."""
        owner = next(c for c in self._calls.classes.values() if function in c.body)
        inside = (s for s in ast.walk(owner) if isinstance(s, ast.Assign | ast.AugAssign))
        return [path(t) for s in inside for t in targets(s)].count(f"self.{attribute}") == 1

    @staticmethod
    def _argument(node: ast.expr, given: dict[str, ast.expr]) -> ast.expr | None:
        return copy.deepcopy(given[node.id]) if isinstance(node, ast.Name) and node.id in given else None

    def _with_entries(self, call: ast.Call) -> ast.Call:
        """A call with the entries of a list that it is given, `Cell(*params)`, one by one."""
        made = copy.copy(call)
        made.args = [one for argument in call.args for one in self._entries(argument)]
        return made

    def _entries(self, argument: ast.expr) -> list[ast.expr]:
        of = self._shapes.of(argument.value) if isinstance(argument, ast.Starred) else None
        if not isinstance(argument, ast.Starred) or of is None or of[0] not in ("list", "tuple"):
            return [argument]
        return [unplaced(f"{ast.unparse(argument.value)}[{k}]") for k in range(int(of[1]))]

    def written(self, statement: ast.stmt, receiver: str) -> ast.stmt:
        """The statement of a method itself, with what its object holds of its arguments written as these."""
        held = self._held.get(receiver, {})

        class _Argument(ast.NodeTransformer):
            def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
                value = held.get(node.attr) if path(node.value) == receiver and isinstance(node.ctx, ast.Load) else None
                return copy.deepcopy(value) if value is not None else self.generic_visit(node)

        return cast("ast.stmt", _Argument().visit(statement)) if held else statement
