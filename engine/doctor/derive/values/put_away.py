"""What a round puts away, as the program writes it: in a tuple, or as a copy."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from engine.doctor.derive.tree.syntax_of import called, parsed, path


def tuples_in(
    made: ast.stmt, put: ast.expr, packed: dict[str, ast.Assign]
) -> Iterator[tuple[ast.stmt, list[tuple[str, list[str]]]]]:
    """A tuple and those in it: the statement that makes the last one, and what is unpacked to come to it, names of entries by place."""
    value = made.value if isinstance(made, ast.Assign) and path(put) in packed else put
    if isinstance(value, ast.Tuple):
        given = [path(e) for e in value.elts]
        yield made, [("", given)]
        for name in given:
            if name in packed:
                for source, tuples in tuples_in(packed[name], parsed(name), packed):
                    yield source, [("", given), (name, tuples[0][1]), *tuples[1:]]


def copied(node: ast.expr) -> str:
    """What an expression is a copy of: `states` of `dict(states)` and `states.copy()`."""
    if not isinstance(node, ast.Call) or called(node) not in ("dict", "list", "copy", "deepcopy", "array"):
        return ""
    return path(node.args[0]) if node.args else path(node.func.value) if isinstance(node.func, ast.Attribute) else ""
