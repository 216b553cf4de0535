"""Values that a round makes in steps under one name, `h = W @ x`, `h += b`, `h = tanh(h)`: one statement where nothing else reads them."""

from __future__ import annotations

import ast
import copy
from collections.abc import Sequence
from typing import cast

from engine.doctor.derive.forward.flat_pass import FlatPass
from engine.doctor.derive.tree.shapes import SeenShapes
from engine.doctor.derive.tree.statements import all_statements
from engine.doctor.derive.tree.syntax_of import called, names

PRODUCTS = ("dot", "matmul", "outer")


def with_steps_in_one(body: Sequence[ast.stmt], flat: FlatPass, shapes: SeenShapes) -> list[ast.stmt]:
    """The block, with such statements in its loops as one."""
    made = list(body)
    for loop in (s for s in all_statements(made) if isinstance(s, ast.For)):
        block: list[ast.stmt] = []
        for statement in loop.body:
            one = _together(block[-1], statement, shapes) if block else None
            if one is None:
                block.append(statement)
                continue
            flat.same(statement, one)
            flat.named_at[one] = flat.named_at.get(statement, statement)
            block[-1] = one
        loop.body = block
    return made


def _together(first: ast.stmt, second: ast.stmt, shapes: SeenShapes) -> ast.stmt | None:
    """Two statements as one; None where the first is no new value of a name that the second alone reads, once, to give it another one."""
    target = first.targets[0] if isinstance(first, ast.Assign) and len(first.targets) == 1 else None
    if not isinstance(first, ast.Assign) or not isinstance(target, ast.Name) or not _is_new(first.value):
        return None
    if isinstance(second, ast.AugAssign) and isinstance(second.target, ast.Name) and second.target.id == target.id:
        if target.id in names(second.value) or not isinstance(second.op, ast.Add | ast.Sub | ast.Mult | ast.Div):
            return None
        value: ast.expr = ast.BinOp(first.value, second.op, second.value)
        shape, other = shapes.shape(first.value), shapes.shape(second.value)
        if shape is None or other is None or len(other) > len(shape):
            return None
        shapes.know(value, shape)
    elif isinstance(second, ast.Assign) and [ast.unparse(t) for t in second.targets] == [target.id]:
        reads = [n for n in ast.walk(second.value) if isinstance(n, ast.Name) and n.id == target.id]
        if len(reads) != 1 or not isinstance(second.value, ast.Call) or reads[0] not in second.value.args:
            return None
        value = copy.copy(second.value)
        value.args = [first.value if one is reads[0] else one for one in second.value.args]
    else:
        return None
    made = ast.Assign([target], value)
    return cast("ast.stmt", ast.fix_missing_locations(ast.copy_location(made, second)))


def _is_new(node: ast.expr) -> bool:
    """Whether an expression makes a new array, and is none that has another name."""
    return isinstance(node, ast.BinOp) or called(node) in PRODUCTS
