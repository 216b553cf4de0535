"""What a value was made by: the statements that give its names their values, in its own function and in those that it calls."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from engine.doctor.read.syntax import called_name
from engine.doctor.repair.seen import SeenRun

MadeBy = tuple[ast.stmt, ast.expr]


def made_by(seen: SeenRun, expression: ast.expr, where: ast.AST) -> Iterator[MadeBy]:
    """The statements that an expression was made by, directly and through others, with what each gives."""
    ahead = [(expression, seen.functions(where)[:1])]
    known = set[tuple[str, int]]()
    while ahead:
        at, place = ahead.pop()
        for name in (n.id for n in ast.walk(at) if isinstance(n, ast.Name)):
            key = (name, place[0].lineno if place else 0)
            if key in known:
                continue
            known.add(key)
            for made, value in _given(seen, name, place):
                yield made, value
                ahead.append((value, place))
        for call in (n for n in ast.walk(at) if isinstance(n, ast.Call)):
            for function in _called(seen, call):
                key = (function.name, -function.lineno)
                if key not in known:
                    known.add(key)
                    returned = [n for n in ast.walk(function) if isinstance(n, ast.Return) and n.value is not None]
                    ahead += [(n.value, [function]) for n in returned if n.value is not None]
                    yield from ((n, n.value) for n in returned if n.value is not None)


def _given(seen: SeenRun, name: str, place: list[ast.FunctionDef]) -> Iterator[MadeBy]:
    """What a function gives to a name, or to an entry of it."""
    for node in seen.nodes:
        if isinstance(node, ast.Assign | ast.AugAssign) and seen.functions(node)[:1] == place and not _is_step(node):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if name in {base(t) for target in targets for t in parts(target)}:
                yield node, node.value
        elif (
            isinstance(node, ast.Call) and appended_to(node) == name and node.args and seen.functions(node)[:1] == place
        ):
            yield seen.statement(node), node.args[0]


def _is_step(node: ast.Assign | ast.AugAssign) -> bool:
    """Whether a statement subtracts from what is there: weights do not come from their gradients."""
    if isinstance(node, ast.AugAssign):
        return isinstance(node.op, ast.Sub)
    value = node.value
    return (
        isinstance(value, ast.BinOp)
        and isinstance(value.op, ast.Sub)
        and ast.unparse(value.left) == ast.unparse(node.targets[0])
    )


def appended_to(call: ast.Call) -> str:
    """The list that a call appends to; "" for other calls."""
    return base(call.func.value) if isinstance(call.func, ast.Attribute) and call.func.attr == "append" else ""


def _called(seen: SeenRun, call: ast.Call) -> Iterator[ast.FunctionDef]:
    name = called_name(call)
    yield from (n for n in seen.nodes if isinstance(n, ast.FunctionDef) and n.name == name)


def parts(target: ast.expr) -> list[ast.expr]:
    """The targets of an assignment, one by one."""
    return target.elts if isinstance(target, ast.Tuple | ast.List) else [target]


def base(node: ast.expr) -> str:
    """The name that an entry belongs to; "" for what has none."""
    while isinstance(node, ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
