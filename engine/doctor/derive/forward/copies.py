"""Statements with other names or expressions in them: changed copies, which stand where the first ones stand in the text."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from engine.doctor.derive.tree.elementwise import derivative
from engine.doctor.derive.tree.shapes import SeenShapes
from engine.doctor.derive.tree.syntax_of import called, names, parsed, path, written_into
from engine.doctor.mending.edits.atoms import replaced


def listed_sum(node: ast.AST) -> tuple[ast.GeneratorExp | ast.ListComp | None, list[ast.expr]]:
    """What a sum or mean is of, where that is written out entry by entry, and the functions that each entry goes through on the way."""
    through: list[ast.expr] = []
    if not isinstance(node, ast.Call) or called(node) not in ("sum", "mean") or len(node.args) != 1 or node.keywords:
        return None, through
    inner = node.args[0]
    while isinstance(inner, ast.Call) and len(inner.args) == 1 and derivative(called(inner)) is not None:
        through.append(inner.func)
        inner = inner.args[0]
    return (inner if isinstance(inner, ast.GeneratorExp | ast.ListComp) else None), through


def counted_over(over: ast.expr) -> ast.expr:
    """What has as many entries as a loop has rounds."""
    return over.args[0] if isinstance(over, ast.Call) and called(over) in ("zip", "enumerate") else over


def given_arguments(function: ast.FunctionDef, call: ast.Call, receiver: str) -> Iterator[tuple[str, ast.expr]]:
    """What each parameter of a function is given by a call."""
    parameters = [a.arg for a in function.args.args]
    if receiver and parameters:
        yield parameters[0], unplaced(receiver)
        parameters = parameters[1:]
    defaults = dict(zip(reversed(parameters), reversed(function.args.defaults), strict=False))
    keywords = {k.arg: k.value for k in call.keywords if k.arg}
    positional = dict(zip(parameters, call.args, strict=False))
    for name in parameters:
        value = positional.get(name) or keywords.get(name) or defaults.get(name)
        if value is not None:
            yield name, value


def unplaced(text: str) -> ast.expr:
    """An expression that stands nowhere in the text: put somewhere it takes the place of what it is put for."""
    made = parsed(text)
    for node in ast.walk(made):
        for attribute in ("lineno", "end_lineno"):
            node.__dict__.pop(attribute, None)
    return made


def stored_names(body: Sequence[ast.stmt]) -> list[str]:
    """The names that statements give values, without those that only a comprehension has."""
    found = [n.id for s in body for n in ast.walk(s) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
    inside = [
        n.id
        for s in body
        for c in ast.walk(s)
        if isinstance(c, ast.ListComp | ast.GeneratorExp | ast.DictComp | ast.SetComp)
        for g in c.generators
        for n in ast.walk(g.target)
        if isinstance(n, ast.Name)
    ]
    others = [name for s in body if isinstance(s, ast.Nonlocal | ast.Global) for name in s.names]
    return [name for name in dict.fromkeys(found) if name not in (*inside, *others)]


def written_names(statement: ast.stmt) -> set[str]:
    """The names that a statement writes."""
    return {n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def names_of_returned(value: ast.expr, statement: ast.stmt) -> dict[str, str]:
    """Which name of the caller a local that is returned gets."""
    if not isinstance(statement, ast.Assign) or not isinstance(statement.value, ast.Call):
        return {}
    target = statement.targets[0]
    if isinstance(target, ast.Name) and isinstance(value, ast.Name):
        return {value.id: target.id}
    if not isinstance(target, ast.Tuple | ast.List) or not isinstance(value, ast.Tuple | ast.List):
        return {}
    if len(target.elts) == len(value.elts):
        pairs = zip(target.elts, value.elts, strict=True)
        return {v.id: t.id for t, v in pairs if isinstance(t, ast.Name) and isinstance(v, ast.Name) and t.id != "_"}
    return {}


def only_counts(name: str, body: Sequence[ast.stmt]) -> bool:
    """Whether a name is that of loops' counters alone."""
    loops = [n.target for s in body for n in ast.walk(s) if isinstance(n, ast.For)]
    counted = {id(n) for target in loops for n in ast.walk(target)}
    return all(
        id(n) in counted
        for s in body
        for n in ast.walk(s)
        if isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Store)
    )


def packed_apart(body: list[ast.stmt], renamed: dict[str, str]) -> list[ast.stmt]:
    """Where `caches = (caches, x)` packs a list with others, the list gets a name of its own."""
    for k, statement in enumerate(body):
        if not (
            isinstance(statement, ast.Assign)
            and isinstance(statement.value, ast.Tuple)
            and isinstance(statement.targets[0], ast.Name)
        ):
            continue
        name = statement.targets[0].id
        if name in names(statement.value):
            other = {name: ast.Name(f"{name}_t", ast.Load())}
            renamed[f"{name}_t"] = f"{name}_t"
            value = replaced(statement.value, lambda n, other=other: other_name(n, other))
            packed = put_at(ast.Assign(statement.targets, value), statement)
            return [*(renamed_in(s, other) for s in body[:k]), packed, *body[k + 1 :]]
    return body


def with_named_state(statement: ast.stmt, attribute: str, name: str) -> ast.stmt:
    """The statement itself, with a name for every read and write of an attribute."""

    class _Held(ast.NodeTransformer):
        def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
            own = path(node) == attribute
            return ast.copy_location(ast.Name(name, node.ctx), node) if own else self.generic_visit(node)

    return cast("ast.stmt", _Held().visit(statement))


def renamed_in(statement: ast.stmt, every: Mapping[str, ast.expr]) -> ast.stmt:
    """The statement itself, with other expressions for some names."""

    class _Rename(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.AST:
            return other_name(node, every) or node

    return _Rename().visit(statement)


def with_other_values(statement: ast.stmt, read: Mapping[str, ast.expr], written: Mapping[str, ast.expr]) -> ast.stmt:
    """The statement itself, with other expressions for names that it reads, and other names for those that it writes."""

    class _OtherValues(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.AST:
            return other_name(node, read if isinstance(node.ctx, ast.Load) else written) or node

    return cast("ast.stmt", _OtherValues().visit(statement))


def with_private_names(statement: ast.stmt, receiver: str, owner: str) -> ast.stmt:
    """The statement of a class's method itself, with its private attributes as they are called outside: `net._RNN__W` of `self.__W`."""
    for node in ast.walk(statement) if receiver != "self" and owner else ():
        is_private = isinstance(node, ast.Attribute) and node.attr.startswith("__") and not node.attr.endswith("__")
        if isinstance(node, ast.Attribute) and is_private and path(node.value) == receiver:
            node.attr = f"_{owner.lstrip('_')}{node.attr}"
    return statement


def other_name(node: ast.expr, every: Mapping[str, ast.expr]) -> ast.expr | None:
    """Another expression for a name, in its place; None where it has none."""
    if not isinstance(node, ast.Name) or node.id not in every:
        return None
    new = every[node.id]
    if isinstance(new, ast.Name):
        return ast.copy_location(ast.Name(new.id, node.ctx), node)
    return new if hasattr(new, "lineno") else ast.copy_location(copy.deepcopy(new), node)


def with_calls(statement: ast.stmt, changed: Mapping[ast.Call, ast.expr]) -> ast.stmt:
    """A copy of a statement with other expressions for some of its calls."""

    class _Exchanged(ast.NodeTransformer):
        def visit_Call(self, node: ast.Call) -> ast.AST:
            return changed[node] if node in changed else self.generic_visit(node)

    return _Exchanged().visit(shallow_copy(statement))


def shallow_copy(statement: ast.stmt) -> ast.stmt:
    """A copy in which calls are still the same objects: their parents are new."""
    memo = {id(n): n for n in ast.walk(statement) if isinstance(n, ast.Call)}
    return copy.deepcopy(statement, memo)


def replaced_in(statement: ast.stmt, old: ast.AST, other: ast.expr) -> ast.stmt:
    """A copy of a statement with another expression for one of its own."""

    class _Other(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            return other if node is old else self.generic_visit(node)

    return cast("ast.stmt", _Other().visit(copy.deepcopy(statement, {id(old): old})))


def single_statements(statement: ast.stmt) -> list[ast.stmt]:
    """`a, b = x, y` as two statements, without what is named `_`."""
    if (
        not isinstance(statement, ast.Assign)
        or not isinstance(statement.value, ast.Tuple | ast.List)
        or not isinstance(statement.targets[0], ast.Tuple | ast.List)
    ):
        return [statement]
    pairs = list(zip(statement.targets[0].elts, statement.value.elts, strict=True))
    changed = [(ast.unparse(t), v) for t, v in pairs if ast.unparse(t) not in ("_", ast.unparse(v))]
    for name, value in changed:
        others = {other for other, _ in changed if other != name}
        if any(isinstance(n, ast.expr) and ast.unparse(n) in others for n in ast.walk(value)):
            return [statement]  # `a, b = b, a`: all at once
    return [put_at(ast.Assign([t], v), statement) for t, v in pairs if (ast.unparse(t), v) in changed]


def put_at(made: ast.stmt, statement: ast.stmt) -> ast.stmt:
    """A statement that was made, in the place of one of the text."""
    ast.copy_location(made, statement)
    return ast.fix_missing_locations(made)


def out_of_place(statement: ast.stmt, shapes: SeenShapes) -> ast.stmt:
    """`p /= p.sum()` and `np.clip(p, -9, 9, out=p)` as the assignments that they are, so that both values of p are seen."""
    if (into := written_into(statement)) is not None:
        return put_at(ast.Assign([ast.Name(into[0], ast.Store())], into[1]), statement)
    if not isinstance(statement, ast.AugAssign) or not isinstance(statement.target, ast.Name):
        return statement
    name = statement.target.id
    if name not in names(statement.value):
        return statement
    read = ast.copy_location(ast.Name(name, ast.Load()), statement.target)
    value = ast.copy_location(ast.BinOp(read, statement.op, statement.value), statement)
    made = put_at(ast.Assign([ast.Name(name, ast.Store())], value), statement)
    shape = next(
        (
            s
            for n in ast.walk(statement.value)
            if isinstance(n, ast.Name) and n.id == name and (s := shapes.shape(n)) is not None
        ),
        None,
    )
    if shape is not None:
        shapes.know(read, shape)
        shapes.know(value, shape)
    return made
