"""Weights in a list or tuple, `Wx, Wh, b = self.params` and `params[0]`: each entry is one, as the entries of a dictionary are."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import cast

from engine.doctor.derive.forward.copies import renamed_in
from engine.doctor.derive.forward.flat_pass import FlatPass
from engine.doctor.derive.tree.shapes import SeenShapes
from engine.doctor.derive.tree.statements import all_statements, blocks, targets
from engine.doctor.derive.tree.syntax_of import NUMBERED, base, numbered, path
from engine.doctor.vocabulary.roles import parameter, role


def with_entries(flat: FlatPass, shapes: SeenShapes) -> list[ast.stmt]:
    """The block with such entries under paths of their own, in statements that give each one name."""
    entries = _ListEntries(flat, shapes)
    return _once(entries.placed([one for s in flat.body for one in entries.written(s)]))


def _once(body: Sequence[ast.stmt]) -> list[ast.stmt]:
    """The block in which each entry has one name, that it is given before the loops."""
    named: dict[str, str] = {}
    renamed: dict[str, ast.expr] = {}
    made: list[ast.stmt] = []
    every = [base(t) for s in all_statements(body) for t in targets(s)]

    def without(block: list[ast.stmt], before: list[ast.stmt]) -> list[ast.stmt]:
        rest: list[ast.stmt] = []
        for statement in block:
            entry = path(statement.value) if isinstance(statement, ast.Assign) and numbered(statement.value) else ""
            name = path(statement.targets[0]) if isinstance(statement, ast.Assign) else ""
            if entry and every.count(name) == 1:
                if named.setdefault(entry, name) == name:
                    before.append(statement)
                else:
                    renamed[name] = ast.Name(named[entry], ast.Load())
                continue
            for inner in blocks(statement) if isinstance(statement, ast.For) else ():
                inner[:] = without(inner, before)
            rest.append(statement)
        return rest

    for statement in body:
        before: list[ast.stmt] = []
        rest = without([statement], before)
        made += [*before, *rest]
    return [renamed_in(s, renamed) for s in made]


class _ListEntries(ast.NodeTransformer):
    def __init__(self, flat: FlatPass, shapes: SeenShapes) -> None:
        self._flat, self._shapes = flat, shapes
        self._reads = [
            n for s in flat.body for n in ast.walk(s) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)
        ]
        every = list(all_statements(flat.body))
        whole = (n for s in flat.body for n in ast.walk(s) if isinstance(n, ast.expr) and path(n))
        self._lists = {path(n): of for n in whole if (of := shapes.of(n)) is not None and of[0] in ("list", "tuple")}
        self._stored = [path(t) for s in every for t in targets(s)]
        self._literal = {
            path(s.targets[0]) for s in flat.body if isinstance(s, ast.Assign) and isinstance(s.value, ast.List)
        }

    def written(self, statement: ast.stmt) -> list[ast.stmt]:
        made = self.visit(statement)
        return cast("list[ast.stmt]", made) if isinstance(made, list) else [cast("ast.stmt", made)]

    def placed(self, body: list[ast.stmt]) -> list[ast.stmt]:
        """The block, each entry as it was seen at one of its places."""
        every = [n for s in body for n in ast.walk(s) if isinstance(n, ast.Subscript) and numbered(n)]
        seen = {path(n): n for n in every if self._shapes.of(n) is not None}
        for node in every:
            if self._shapes.of(node) is None and path(node) in seen:
                ast.copy_location(node, seen[path(node)])
        return body

    def visit_Assign(self, node: ast.Assign) -> ast.AST | Sequence[ast.AST]:
        self.generic_visit(node)
        target = node.targets[0]
        if isinstance(target, ast.Name) and numbered(node.value):
            self._named(target, node.value)
        if (
            not isinstance(target, ast.Tuple | ast.List)
            or len(node.targets) > 1
            or not self._holds(node.value, target.elts)
        ):
            return node
        made: list[ast.stmt] = []
        for k, one in enumerate(target.elts):
            entry = ast.Subscript(node.value, ast.Constant(f"{NUMBERED}{k}"), ast.Load())
            assigned = ast.fix_missing_locations(ast.copy_location(ast.Assign([one], entry), node))
            self._named(cast("ast.Name", one), entry)
            self._flat.same(node, assigned)
            made.append(assigned)
        return made

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        self.generic_visit(node)
        number = node.slice.value if isinstance(node.slice, ast.Constant) else None
        if type(number) is not int or number < 0 or not self._is_list(node.value):
            return node
        if self._shapes.of(node) is not None and not self._shapes.is_float(node):
            return node
        made = ast.copy_location(ast.Subscript(node.value, ast.Constant(f"{NUMBERED}{number}"), node.ctx), node)
        given = self._flat.entry_names.pop(ast.unparse(node), "")
        self._flat.entry_names.setdefault(path(made), given)
        return made

    def _named(self, name: ast.Name, entry: ast.expr) -> None:
        """An entry is called as the name that it is given, and was seen where that is read."""
        self._flat.entry_names[path(entry)] = self._flat.own_name(name.id)
        read = next((n for n in self._reads if n.id == name.id and self._shapes.of(n) is not None), None)
        if read is not None and self._shapes.of(entry) is None:
            ast.copy_location(entry, read)

    def _holds(self, node: ast.expr, names: Sequence[ast.expr]) -> bool:
        """Whether it is a list of arrays that has an entry for each of these names of weights."""
        of = self._lists.get(path(node))
        is_one = of is not None and of[1] == len(names) and self._is_list(node)
        return is_one and all(isinstance(n, ast.Name) and parameter(self._flat.own_name(n.id)) for n in names)

    def _is_list(self, node: ast.expr) -> bool:
        """Whether it is a list of weights, which nothing of the pass makes or changes."""
        name = path(node)
        of = self._lists.get(name)
        is_fixed = name not in self._stored or (self._stored.count(name) == 1 and name in self._literal)
        is_list = of is not None and of[2] in ("ndarray", "float", "float64")
        word = name.rpartition(".")[2]
        return bool(name) and is_fixed and is_list and (role(word) == "params" or parameter(word) is not None)
