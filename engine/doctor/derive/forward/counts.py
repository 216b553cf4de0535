"""Names that count the rounds of a loop beside its own count, `count = 0`, `count += 1`: they are that."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from engine.doctor.derive.forward.copies import renamed_in
from engine.doctor.derive.tree.statements import all_statements, targets
from engine.doctor.derive.tree.syntax_of import called, path


def with_one_count(body: Sequence[ast.stmt]) -> list[ast.stmt]:
    """The block with one name for the count of each loop over a range."""
    made = list(body)
    written = [path(t) for s in all_statements(made) for t in targets(s)]
    begun = {path(s.targets[0]) for s in made if isinstance(s, ast.Assign) and ast.unparse(s.value) == "0"}
    for loop in (s for s in made if isinstance(s, ast.For)):
        last, step = loop.body[-1], loop.target
        is_counted = isinstance(step, ast.Name) and called(loop.iter) == "range" and isinstance(loop.iter, ast.Call)
        if (
            not isinstance(step, ast.Name)
            or not is_counted
            or not isinstance(loop.iter, ast.Call)
            or len(loop.iter.args) != 1
        ):
            continue
        name = path(last.target) if isinstance(last, ast.AugAssign) and ast.unparse(last).endswith(" += 1") else ""
        if name in begun and written.count(name) == 2 and written.count(step.id) >= 1:
            other: dict[str, ast.expr] = {name: ast.Name(step.id, ast.Load())}
            loop.body = [renamed_in(s, other) for s in loop.body[:-1]]
    return made
