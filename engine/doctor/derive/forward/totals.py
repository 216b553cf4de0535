"""Numbers that each round of a loop puts into a list, of which only the sum or the mean is read: a sum that each round adds to, as the loss
of all steps is on paper."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Sequence
from typing import cast

from engine.doctor.derive.tree.shapes import SeenShapes
from engine.doctor.derive.tree.statements import all_statements, appended, targets
from engine.doctor.derive.tree.syntax_of import called, parsed, path


def with_totals(body: Sequence[ast.stmt], shapes: SeenShapes) -> list[ast.stmt]:
    """The block with such lists as sums."""
    put = {path(next(targets(s))) for s in all_statements(body) if _is_number(appended(s), shapes)}
    lists = {name for name in put if name and _is_only_summed(name, body, shapes)}
    return [cast("ast.stmt", _Totals(lists, shapes).visit(copy.deepcopy(s))) for s in body] if lists else list(body)


def _is_number(value: ast.expr | None, shapes: SeenShapes) -> bool:
    return value is not None and shapes.shape(value) == ()


def _is_only_summed(name: str, body: Sequence[ast.stmt], shapes: SeenShapes) -> bool:
    """Whether a list begins empty, gets numbers, and is read whole in sums and means."""
    made = [s for s in all_statements(body) if name in map(path, targets(s))]
    begun = [s for s in made if isinstance(s, ast.Assign) and isinstance(s.value, ast.List) and not s.value.elts]
    numbers = [s for s in made if _is_number(appended(s), shapes)]
    read = [n for s in body for n in ast.walk(s) if path(n) == name and isinstance(getattr(n, "ctx", None), ast.Load)]
    sums = [s for statement in body for s in _sums(statement, name)]
    return len(begun) == len(numbers) == 1 and len(made) == 2 and bool(sums) and len(read) == len(sums) + len(numbers)


def _sums(node: ast.AST, name: str) -> Iterator[ast.Call]:
    """The calls that make one number of a list."""
    for one in ast.walk(node):
        is_whole = isinstance(one, ast.Call) and len(one.args) == 1 and not one.keywords
        if isinstance(one, ast.Call) and is_whole and called(one) in ("sum", "mean") and path(one.args[0]) == name:
            yield one


class _Totals(ast.NodeTransformer):
    def __init__(self, lists: set[str], shapes: SeenShapes) -> None:
        self._lists, self._shapes = lists, shapes

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        if len(node.targets) == 1 and path(node.targets[0]) in self._lists:
            node.value = ast.copy_location(ast.Constant(0), node.value)
            return node
        return self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        value = appended(node)
        name = path(next(targets(node))) if value is not None else ""
        if value is None or name not in self._lists:
            return self.generic_visit(node)
        target = cast("ast.Name", parsed(name))
        target.ctx = ast.Store()
        return ast.fix_missing_locations(ast.copy_location(ast.AugAssign(target, ast.Add(), value), node))

    def visit_Call(self, node: ast.Call) -> ast.AST:
        name = path(node.args[0]) if len(node.args) == 1 else ""
        if name not in self._lists or node not in list(_sums(node, name)):
            return self.generic_visit(node)
        total, count = parsed(name), parsed(f"len({name})")
        made = total if called(node) == "sum" else ast.BinOp(total, ast.Div(), count)
        for one in (total, count, made):
            self._shapes.know(one, ())
        return made
