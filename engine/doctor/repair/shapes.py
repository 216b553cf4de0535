"""Slips in the shapes that a program gives its arrays: a first state or a bias of the wrong length, outputs of the wrong width."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from engine.doctor.repair.labels import labels
from engine.doctor.repair.products import product_in, product_of
from engine.doctor.repair.scopes import Scopes
from engine.doctor.repair.seen import SeenRun
from engine.doctor.repair.slip import Slip, TextChange, instead


def initial_rows(seen: SeenRun) -> Iterator[Slip]:
    """A state that begins with another number of rows than what is added to it has."""
    for node in seen.nodes:
        if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Add):
            continue
        for one, other in ((node.left, node.right), (node.right, node.left)):
            state, given = product_in(one), product_in(other)
            if state is None or given is None:
                continue
            for axis, (held, weights) in enumerate((state, state[::-1])):
                square = {v.shape for v in seen.arrays(weights) if len(v.shape) == 2 and v.shape[0] == v.shape[1]}
                wanted = {v.shape[axis] for v in seen.arrays(other) if len(v.shape) == 2}
                if square and len(wanted) == 1:
                    yield from _begun_otherwise(seen, held, axis, wanted.pop(), node)


def _begun_otherwise(seen: SeenRun, held: ast.expr, axis: int, rows: int, where: ast.expr) -> Iterator[Slip]:
    for value in seen.arrays(held):
        maker = seen.node(value.maker) if value.maker else None
        if len(value.shape) != 2 or value.shape[axis] == rows or maker is None:
            continue
        lengths = lengths_of(maker)
        if len(lengths) != 2 or not any(
            isinstance(n, ast.Attribute) and n.attr in ("zeros", "ones") for n in ast.walk(maker)
        ):
            continue
        what = ("row", "column")[axis]
        title = (
            f"the initial state has {value.shape[axis]} {what}s ({ast.unparse(lengths[axis])}), what is added to it in line "
            f"{where.lineno} has {rows}: a {what} for each sample that goes through at a time"
        )
        yield Slip("initial-state-rows", title, maker.lineno, (instead(lengths[axis], _called(seen, maker, rows)),))


def addend_lengths(seen: SeenRun) -> Iterator[Slip]:
    """What is added to a product and makes it longer along an axis, or does not fit it, as a bias of two columns beside a state of one."""
    for node in seen.nodes:
        if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Add):
            continue
        for bias, other in ((node.left, node.right), (node.right, node.left)):
            sums = [v.shape for v in seen.arrays(other) if len(v.shape) == 2]
            if product_in(bias) is None and product_in(other) is not None and sums:
                yield from _made_otherwise(seen, bias, sums[0], node.lineno)


def _made_otherwise(seen: SeenRun, bias: ast.expr, shape: tuple[int, ...], line: int) -> Iterator[Slip]:
    for value in seen.arrays(bias)[:1]:
        maker = seen.node(value.maker) if value.maker else None
        lengths = lengths_of(maker) if maker is not None and len(value.shape) == 2 else []
        unlike = [axis for axis in range(len(lengths)) if value.shape[axis] not in (1, shape[axis])]
        if maker is None or len(lengths) != 2 or len(unlike) != 1:
            continue
        title = f"{ast.unparse(bias)} is {value.shape}, and what it is added to in line {line} is {shape}"
        changes = (instead(lengths[unlike[0]], _called(seen, maker, shape[unlike[0]])),)
        if value.shape == shape[::-1]:
            changes = tuple(instead(one, ast.unparse(two)) for one, two in zip(lengths, lengths[::-1], strict=True))
        yield Slip("misfit", title, maker.lineno, changes)


def _called(seen: SeenRun, where: ast.AST, number: int) -> str:
    """The one name that has this value at a place, else the number."""
    functions = seen.functions(where)
    visible = Scopes(seen.tree).visible(functions[0] if functions else seen.tree)
    names = {n.id for n in seen.nodes if isinstance(n, ast.Name) and n.id in visible and seen.number(n) == number}
    return names.pop() if len(names) == 1 and number > 1 else str(number)


def lengths_of(maker: ast.expr) -> list[ast.expr]:
    """The lengths of the axes that a call which makes an array gives."""
    for call in ast.walk(maker):
        if not isinstance(call, ast.Call):
            continue
        name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        given = {k.arg: k.value for k in call.keywords}
        shape = given.get("size", given.get("shape"))
        if name in ("rand", "randn"):
            return call.args
        if name in ("zeros", "ones", "empty", "full", "random", "standard_normal") and call.args:
            shape = call.args[0]
        elif name in ("normal", "uniform") and len(call.args) > 2:
            shape = call.args[2]
        if isinstance(shape, ast.Tuple | ast.List):
            return shape.elts
    return []


def output_width(seen: SeenRun) -> Iterator[Slip]:
    """Weights that make the outputs, as many as there are steps where there are other classes."""
    found = labels(seen)
    if found is None:
        return
    arrays = [v for n in seen.nodes if isinstance(n, ast.expr) for v in seen.arrays(n)]
    outputs = {v.shape[-1] for v in arrays if v.is_probabilities} - {found.classes}
    for maker, axis in _weights(seen, outputs):
        lengths = lengths_of(maker)
        width = lengths[axis] if len(lengths) == 2 else None
        if width is None or ast.unparse(width) == ast.unparse(lengths[1 - axis]) or not _counts_steps(seen, width):
            continue
        title = (
            f"the output layer is as wide as there are steps ({ast.unparse(width)}); one number for each class is meant, and there are "
            f"{found.classes} classes"
        )
        text = found.count(seen, maker)
        yield Slip("output-width", title, maker.lineno, (instead(width, text), *_last_lengths(seen, width, text)))


def _weights(seen: SeenRun, outputs: set[int]) -> Iterator[tuple[ast.expr, int]]:
    """Where the weights of products were made that have as many outputs, and along which axis those lie."""
    for node in seen.nodes:
        operands = product_of(node)
        for axis, weights in ((1, operands[1]), (0, operands[0])) if operands else ():
            for value in seen.arrays(weights):
                maker = seen.node(value.maker) if value.maker else None
                if maker is not None and len(value.shape) == 2 and value.shape[axis] in outputs:
                    yield maker, axis


def _counts_steps(seen: SeenRun, width: ast.expr) -> bool:
    """Whether a length is also that of a loop in which products are taken: the steps."""
    text = ast.unparse(width)
    for loop in seen.nodes:
        if (
            isinstance(loop, ast.For)
            and isinstance(loop.iter, ast.Call)
            and text in map(ast.unparse, _parts(loop.iter))
        ):
            inside = [loop, *_called_in(seen, loop)]
            if any(product_of(n) for outer in inside for n in ast.walk(outer)):
                return True
    return False


def _called_in(seen: SeenRun, loop: ast.For) -> list[ast.FunctionDef]:
    """The file's functions that are called in a loop."""
    calls = [n.func for n in ast.walk(loop) if isinstance(n, ast.Call)]
    names = {f.id if isinstance(f, ast.Name) else getattr(f, "attr", "") for f in calls}
    return [n for n in seen.nodes if isinstance(n, ast.FunctionDef) and n.name in names]


def _parts(node: ast.expr) -> list[ast.expr]:
    return [n for n in ast.walk(node) if isinstance(n, ast.expr)]


def _last_lengths(seen: SeenRun, width: ast.expr, text: str) -> Iterator[TextChange]:
    """Where the same length is the last of a shape that something is given: it goes with the width."""
    for node in seen.nodes:
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node.func.attr != "reshape":
            continue
        for given in [*node.args, *(k.value for k in node.keywords)]:
            last = given.elts[-1] if isinstance(given, ast.Tuple) and len(given.elts) == 2 else given
            alone = not isinstance(given, ast.Tuple) and len(node.args) == 2 and given is node.args[1]
            if last is not width and ast.unparse(last) == ast.unparse(width) and (last is not given or alone):
                yield instead(last, text)
