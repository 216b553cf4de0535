"""What each expression of the program was when it ran: its shape, whether it is a float, see `engine.doctor.recording.trials.seen`."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

Shape = tuple[int, ...]


class SeenShapes:
    """The kinds and shapes of the program's expressions, by their places in its text."""

    def __init__(self, seen: Mapping[str, Any]) -> None:
        self._known: dict[int, tuple[ast.expr, Shape]] = {}
        self._values: dict[tuple[int, ...], list[Any]] = {tuple(place): values for place, values, _ in seen["values"]}
        self._begun = {line for line, _ in seen["begun"]}

    def of(self, node: ast.expr) -> list[Any] | None:
        """What was seen of an expression most often; None where it was not evaluated."""
        if not hasattr(node, "lineno"):
            return None  # it was made, and stands nowhere in the text
        place = (node.lineno, node.col_offset, node.end_lineno or 0, node.end_col_offset or 0)
        values = self._values.get(place)
        return max(values, key=lambda one: one[1])[0] if values else None

    def function(self, node: ast.expr) -> tuple[str, bool] | None:
        """The name of the function that it was every time, and whether that is one of NumPy's."""
        if not hasattr(node, "lineno"):
            return None
        place = (node.lineno, node.col_offset, node.end_lineno or 0, node.end_col_offset or 0)
        found = {tuple(value[:2]) for value, _ in self._values.get(place, [])}
        ((kind, name),) = found if len(found) == 1 and len(next(iter(found))) == 2 else [("", "")]
        is_one = kind in ("function", "ufunc", "_ArrayFunctionDispatcher")
        return (str(name), kind != "function") if is_one else None

    def ran(self, statement: ast.stmt) -> bool:
        """Whether a statement was begun."""
        return statement.lineno in self._begun

    def truths(self, node: ast.expr) -> set[bool | None]:
        """Whether it was true or false when it was tested, None of what has no such value; empty where it was not evaluated."""
        if isinstance(node, ast.Constant):
            return {bool(node.value)}
        if not hasattr(node, "lineno"):
            return set()
        place = (node.lineno, node.col_offset, node.end_lineno or 0, node.end_col_offset or 0)
        return {_truth(value) for value, _ in self._values.get(place, [])}

    def length(self, node: ast.expr) -> int | None:
        """Over how many entries a loop over it goes."""
        value = self.of(node)
        if value is None or value[0] not in ("array", "list", "tuple"):
            return None
        return value[1] if value[0] != "array" else value[2][0] if value[2] else None

    def shape(self, node: ast.expr) -> Shape | None:
        """Its shape, () of a single number; None of what is no number."""
        if isinstance(node, ast.Constant):
            return () if isinstance(node.value, int | float) else None
        if id(node) in self._known:
            return self._known[id(node)][1]
        if isinstance(node, ast.UnaryOp):
            return self.shape(node.operand)
        value = self.of(node)
        if value is None:
            return None
        if value[0] == "array":
            return tuple(value[2])
        return () if value[0] in ("int", "float", "bool") else None

    def is_vector_once(self, node: ast.expr) -> bool:
        """Whether it was a matrix, and at times, as a first state, a vector."""
        if not hasattr(node, "lineno"):
            return False
        place = (node.lineno, node.col_offset, node.end_lineno or 0, node.end_col_offset or 0)
        return {len(value[2]) for value, _ in self._values.get(place, []) if value[0] == "array"} == {1, 2}

    def know(self, node: ast.expr, shape: Shape) -> None:
        """Says the shape of an expression that stands nowhere in the text."""
        self._known[id(node)] = (node, shape)

    def same(self, old: ast.expr, new: ast.expr) -> None:
        """Says that an expression is a copy of another one."""
        if id(old) in self._known:
            self._known[id(new)] = new, self._known[id(old)][1]

    def is_float(self, node: ast.expr) -> bool:
        """Whether it is a float, or an array of floats that are not all whole (zeros may become others)."""
        value = self.of(node)
        if value is None:
            return False
        if value[0] == "float":
            return True
        return (
            value[0] == "array"
            and value[1] == "f"
            and (not value[3] or value[3][0] != "whole" or 0 in value[3][1:3] or value[3][1] == value[3][2])
        )

    def is_float_array(self, node: ast.expr) -> bool:
        """Whether it is an array of floats, whatever they are."""
        value = self.of(node)
        return value is not None and value[0] == "array" and value[1] == "f"

    def is_labels(self, node: ast.expr) -> bool:
        """Whether it is an array of zeros and ones, of both."""
        value = self.of(node)
        return value is not None and value[0] == "array" and value[3] == ["whole", 0, 1, 2]

    def is_list_of_arrays(self, node: ast.expr) -> bool:
        """Whether it is a list whose first entry is an array."""
        value = self.of(node)
        return value is not None and value[0] == "list" and value[2] == "ndarray"

    def types(self, node: ast.expr) -> list[str]:
        """The types of the entries of a list, where they are unlike."""
        value = self.of(node)
        return list(value[4]) if value is not None and value[0] in ("list", "tuple") else []

    def is_index(self, node: ast.expr) -> bool:
        """Whether it is an array of whole numbers."""
        value = self.of(node)
        return value is not None and ((value[0] == "array" and value[1] in "iu") or value[0] in ("list", "range"))

    def is_binary(self, node: ast.expr) -> bool:
        """Whether it consists of zeros and ones."""
        place = (node.lineno, node.col_offset, node.end_lineno or 0, node.end_col_offset or 0)
        seen = [one for one, _ in self._values.get(place, [])]
        numbers = [
            v[3][1:3] if v[0] == "array" and v[3] and v[3][0] == "whole" else [v[1]] if v[0] == "int" else [2]
            for v in seen
        ]
        return bool(numbers) and all(set(some) <= {0, 1} for some in numbers)

    def whole(self, node: ast.expr) -> int | None:
        """The number that it was, if it was a whole one."""
        if isinstance(node, ast.Constant) and isinstance(node.value, int):
            return node.value
        value = self.of(node)
        return int(value[1]) if value is not None and value[0] == "int" else None


def _truth(value: Sequence[Any]) -> bool | None:
    if value[0] in ("bool", "int", "float", "list", "tuple"):
        return bool(value[1])
    return False if value[0] == "NoneType" else None
