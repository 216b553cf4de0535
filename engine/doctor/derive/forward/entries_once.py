"""Entries that a round writes several times, `ys[t] = ...`, `ys[t] = ys[t] / 2`: each value but the last has a name of its own."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Sequence
from typing import cast

from engine.doctor.derive.forward.flat_pass import FlatPass
from engine.doctor.derive.forward.steps import singular
from engine.doctor.derive.tree.shapes import SeenShapes
from engine.doctor.derive.tree.statements import all_statements, targets
from engine.doctor.derive.tree.syntax_of import base, parsed, path


def with_entries_once(
    body: Sequence[ast.stmt], flat: FlatPass, shapes: SeenShapes, local: Callable[..., str]
) -> list[ast.stmt]:
    """The block with such entries written once in each round. `local` gives a name that is free."""
    made = list(body)
    for loop in (s for s in all_statements(made) if isinstance(s, ast.For)):
        for container in dict.fromkeys(base(t) for s in loop.body for t in targets(s)):
            written = _written_again(loop, container)
            if written:
                loop.body = _once(loop.body, written, container, flat, shapes, local)
    return made


def _written_again(loop: ast.For, container: str) -> list[ast.stmt]:
    """The statements that write one entry of a container, where these are several of a round and none writes another entry."""
    every = [(s, t) for s in all_statements(loop.body) for t in targets(s) if container and base(t) == container]
    entries = {ast.unparse(t) for _, t in every if isinstance(t, ast.Subscript) and not path(t)}
    plain = [s for s, t in every if isinstance(t, ast.Subscript) and s in loop.body and _is_single(s)]
    is_again = len(every) > 1 and len(plain) == len(every) and len(entries) == 1
    return plain if is_again and isinstance(plain[0], ast.Assign) else []


def _is_single(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.AugAssign) or (isinstance(statement, ast.Assign) and len(statement.targets) == 1)


def _once(
    body: Sequence[ast.stmt],
    written: Sequence[ast.stmt],
    container: str,
    flat: FlatPass,
    shapes: SeenShapes,
    local: Callable[..., str],
) -> list[ast.stmt]:
    """The statements of a round, these with names for all values but the last."""
    text = ast.unparse(next(targets(written[0])))
    made: list[ast.stmt] = []
    name, shape = "", None

    class _EntryNamed(ast.NodeTransformer):
        def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
            if name and isinstance(node.ctx, ast.Load) and ast.unparse(node) == text:
                return ast.copy_location(ast.Name(name, ast.Load()), node)
            return self.generic_visit(node)

    for statement in body:
        one = cast("ast.stmt", _EntryNamed().visit(copy.deepcopy(statement))) if name else statement
        if isinstance(one, ast.AugAssign) and statement in written:
            read = ast.copy_location(ast.Name(name, ast.Load()), one.target)
            value = ast.copy_location(ast.BinOp(read, one.op, one.value), one)
            if shape is not None:
                shapes.know(read, shape)
                shapes.know(value, shape)
            one = ast.fix_missing_locations(ast.copy_location(ast.Assign([one.target], value), one))
        if isinstance(one, ast.Assign) and statement in written:
            name = "" if statement is written[-1] else local(singular(container))
            one.targets = [ast.Name(name, ast.Store())] if name else [parsed_target(text)]
            ast.fix_missing_locations(one)
            shape = shapes.shape(one.value)
            if name:
                flat.unnamed[name] = ast.unparse(one.value)
        if one is not statement:
            for old, new in zip(ast.walk(statement), ast.walk(one), strict=False):
                if isinstance(old, ast.stmt) and isinstance(new, ast.stmt):
                    flat.same(old, new)
            flat.same(statement, one)
        made.append(one)
    return made


def parsed_target(text: str) -> ast.expr:
    """The tree of what is written."""
    made = parsed(text)
    if isinstance(made, ast.Subscript):
        made.ctx = ast.Store()
    return made
