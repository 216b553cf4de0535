"""Names that get another value while the first one is still needed: `hs = np.array(hs)`, `x = x.transpose(1, 0, 2)`."""

from __future__ import annotations

import ast
from collections.abc import Collection, Sequence
from typing import cast

from engine.doctor.derive.forward.flat_pass import FlatPass
from engine.doctor.derive.tree.shapes import SeenShapes
from engine.doctor.derive.tree.statements import all_statements, appended, targets
from engine.doctor.derive.tree.syntax_of import called, names, path

AS_ARRAY = ("array", "asarray", "stack")


def with_own_names(flat: FlatPass, sought: Collection[str], shapes: SeenShapes) -> list[ast.stmt] | None:
    """The block, in which a list that becomes an array of its entries is that array from the beginning, and the first value of a name that
    gets another one made from it has a name of its own; None where there are none. Only names that are sought are looked at."""
    for statement in flat.body:
        name = path(statement.targets[0]) if isinstance(statement, ast.Assign) and len(statement.targets) == 1 else ""
        before = flat.body[: flat.body.index(statement)]
        after = flat.body[len(before) + 1 :]
        if not isinstance(statement, ast.Assign) or name not in sought or not name.isidentifier():
            continue
        is_next = name in names(statement.value) or name in flat.handed_on
        if not is_next or not any(path(t) == name for s in before for t in targets(s)):
            continue
        if _is_same(statement.value, name, before):
            return [*before, *after]
        if isinstance(statement.value, ast.Name | ast.Tuple):
            continue
        return [*_renamed(before, statement, name, flat.named_before(name, statement), shapes), *after]
    return None


def _is_same(value: ast.expr, name: str, before: Sequence[ast.stmt]) -> bool:
    """Whether it is the array of a list's entries, by the same indices."""
    is_list = any(appended(s) is not None and path(next(targets(s))) == name for s in all_statements(before))
    is_whole = isinstance(value, ast.Call) and called(value) in AS_ARRAY and path(value.args[0]) == name
    rest = (
        [*value.args[1:], *(k.value for k in value.keywords if k.arg == "axis")] if isinstance(value, ast.Call) else []
    )
    return is_list and is_whole and all(ast.unparse(one) == "0" for one in rest)


def _renamed(
    before: Sequence[ast.stmt], statement: ast.stmt, name: str, new: str, shapes: SeenShapes
) -> list[ast.stmt]:
    """The statements up to one that takes a name, with another name for the first value."""

    class _FirstValue(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.AST:
            if node.id != name:
                return node
            other = ast.copy_location(ast.Name(new, node.ctx), node)
            if (shape := shapes.shape(node)) is not None:
                shapes.know(other, shape)
            return other

    if isinstance(statement, ast.Assign):
        statement.value = cast("ast.expr", _FirstValue().visit(statement.value))
    return [*(cast("ast.stmt", _FirstValue().visit(s)) for s in before), statement]
