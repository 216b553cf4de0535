"""Products and powers number by number where the program has `np.matrix`: `*` and `**` are those of matrices there."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import replace

from engine.doctor.derive.derived import DerivedLine
from engine.doctor.derive.tree.syntax_of import call, parsed

MATRICES = ("matrix", "mat", "asmatrix", "bmat")


def has_matrices(tree: ast.AST) -> bool:
    """Whether a program makes arrays of that kind."""
    return any(isinstance(n, ast.Attribute) and n.attr in MATRICES for n in ast.walk(tree))


def number_by_number(lines: Sequence[DerivedLine]) -> list[DerivedLine]:
    """The lines with `np.multiply(a, b)` for `a * b` and `np.square(a)` for `a ** 2`, unless a single number is written there."""
    return [replace(line, text=_written(line.text)) for line in lines]


def _written(text: str) -> str:
    if text.rstrip().endswith(":") or "*" not in text:
        return text
    indent = text[: len(text) - len(text.lstrip())]
    statement = _Elementwise().visit(ast.parse(text.strip()).body[0])
    return indent + ast.unparse(ast.fix_missing_locations(statement))


class _Elementwise(ast.NodeTransformer):
    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.op, ast.Pow):
            is_square = isinstance(node.right, ast.Constant) and node.right.value == 2
            return call("np.square", node.left) if is_square else call("np.power", node.left, node.right)
        if isinstance(node.op, ast.Mult) and not (_is_number(node.left) or _is_number(node.right)):
            return call("np.multiply", node.left, node.right)
        return node

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        self.generic_visit(node)
        if not isinstance(node.op, ast.Mult) or _is_number(node.value):
            return node
        read = parsed(ast.unparse(node.target))
        return ast.Assign([node.target], call("np.multiply", read, node.value))


def _is_number(node: ast.expr) -> bool:
    return isinstance(node.operand if isinstance(node, ast.UnaryOp) else node, ast.Constant)
