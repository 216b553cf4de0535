# pyright: basic
"""What `/` means in Python 2: between whole numbers it drops the remainder."""

from __future__ import annotations

import ast
import builtins
import copy
import operator

OVER, STEP = "__rt_over__", "__rt_over_in_place__"


def floored(tree: ast.Module) -> ast.Module:
    """A module's tree in which `/` means that, unless the module itself asks for Python 3's."""
    asked = (n for n in tree.body if isinstance(n, ast.ImportFrom) and n.module == "__future__")
    if any(one.name == "division" for statement in asked for one in statement.names):
        return tree
    setattr(builtins, OVER, _meaning(operator.floordiv, operator.truediv))
    setattr(builtins, STEP, _meaning(operator.ifloordiv, operator.itruediv))
    return ast.fix_missing_locations(_Divisions().visit(tree))


def _meaning(of_whole_numbers, of_others):
    def divided(one, two):
        return of_whole_numbers(one, two) if _is_whole(one) and _is_whole(two) else of_others(one, two)

    return divided


def _is_whole(value):
    return isinstance(value, int) or getattr(getattr(value, "dtype", None), "kind", "") in ("i", "u")  # without NumPy


class _Divisions(ast.NodeTransformer):
    def visit_BinOp(self, node):
        self.generic_visit(node)
        return _called(OVER, node.left, node.right, node) if isinstance(node.op, ast.Div) else node

    def visit_AugAssign(self, node):
        self.generic_visit(node)
        if not isinstance(node.op, ast.Div):
            return node
        before = copy.copy(node.target)
        before.ctx = ast.Load()
        made = ast.Assign([node.target], _called(STEP, before, node.value, node), lineno=node.lineno)
        return ast.copy_location(made, node)


def _called(name, one, two, where):
    return ast.copy_location(ast.Call(ast.Name(name, ast.Load()), [one, two], []), where)
