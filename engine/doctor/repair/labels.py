"""The class indices of a program: what they are called, and how many classes there are."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from engine.doctor.repair.scopes import Scopes
from engine.doctor.repair.seen import SeenRun, SeenValue


@dataclass(frozen=True)
class Labels:
    """An array of class indices, its name, and how many classes it shows."""

    name: str
    classes: int

    def count(self, seen: SeenRun, where: ast.AST) -> str:
        """An expression for the number of classes, that can be evaluated at a place: a name that has this value there, else the labels'."""
        scopes = Scopes(seen.tree)
        functions = seen.functions(where)
        visible = scopes.visible(functions[0] if functions else seen.tree)
        for node in seen.nodes:
            if (
                isinstance(node, ast.Name)
                and node.id in visible
                and seen.number(node) == self.classes
                and "class" in node.id.lower()
            ):
                return node.id
        return f"len(np.unique({self.name}))" if self.name in visible else str(self.classes)


def against_labels(seen: SeenRun) -> Iterator[tuple[ast.BinOp, ast.expr, ast.expr]]:
    """Differences of a class index and the probabilities of all classes: the difference, the index, the probabilities."""
    for node in seen.nodes:
        if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Sub):
            continue
        for index, output in ((node.left, node.right), (node.right, node.left)):
            if is_index(seen, index) and any(
                _spread_over(i, p) for i in seen.values(index) for p in seen.arrays(output)
            ):
                yield node, index, output


def _spread_over(index: SeenValue, output: SeenValue) -> bool:
    """Whether one index stands against several probabilities."""
    if not output.is_probabilities:
        return False
    shape, spread = index.shape, output.shape
    if not shape or max(shape) == 1:
        return True
    return len(shape) == len(spread) and any(n == 1 < m for n, m in zip(shape, spread, strict=True))


def is_index(seen: SeenRun, node: ast.expr) -> bool:
    """Whether an expression was always a class index, or an array of them, not written in the text, and not always 0."""
    if isinstance(node, ast.Constant):
        return False
    values = seen.values(node)
    ranges = [
        (v.number, v.number) if v.type == "int" and v.number is not None else v.whole[:2] if v.whole else None
        for v in values
    ]
    return (
        bool(ranges)
        and all(r is not None and r[0] >= 0 for r in ranges)
        and any(r is not None and r[1] > 0 for r in ranges)
    )


def labels(seen: SeenRun) -> Labels | None:
    """The labels that outputs are compared with."""
    for _, index, _ in against_labels(seen):
        base = index
        while isinstance(base, ast.Subscript):
            base = base.value
        for value in seen.values(base):
            if isinstance(base, ast.Name | ast.Attribute) and value.whole is not None and value.whole[0] == 0:
                _, high, several = value.whole
                if several == high + 1 > 1:
                    return Labels(ast.unparse(base), several)
    return None
