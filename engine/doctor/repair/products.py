"""Matrix products and sums whose operands do not fit, or fit otherwise than is meant."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from engine.doctor.repair.dataflow import made_by
from engine.doctor.repair.seen import SeenRun
from engine.doctor.repair.slip import Slip, instead

Product = tuple[ast.expr, ast.expr]
Shape = tuple[int, ...]


def product_of(node: ast.AST) -> Product | None:
    """The two operands of a matrix product."""
    match node:
        case ast.BinOp(left=left, op=ast.MatMult(), right=right):
            return left, right
        case ast.Call(func=ast.Attribute(value=value, attr="dot" | "matmul"), args=[one]):
            return value, one
        case ast.Call(func=ast.Attribute(attr="dot" | "matmul"), args=[one, other]):
            return one, other
        case _:
            return None


def product_in(node: ast.AST) -> Product | None:
    """The operands of the outermost product inside."""
    return next((p for n in ast.walk(node) if (p := product_of(n)) is not None), None)


def misfit(seen: SeenRun) -> Iterator[Slip]:
    """The operands of a product do not fit: one is transposed, or they stand the other way round."""
    failed = seen.failed
    if failed is None:
        return
    for node in ast.walk(failed):
        operands = product_of(node)
        if operands is None or not isinstance(node, ast.expr):
            continue
        m, n = (seen.shape(operand) or () for operand in operands)
        if not m or not n or m[-1] == n[-2:][0]:
            continue
        for left, right, how in _orders(seen, *operands, m, n):
            text = f"np.dot({left}, {right})" if isinstance(node, ast.Call) else f"{left} @ {right}"
            title = f"{m} and {n} do not fit as the factors of a product; {how} they do"
            yield Slip("misfit", title, node.lineno, (instead(node, text),))


def _orders(seen: SeenRun, a: ast.expr, b: ast.expr, m: Shape, n: Shape) -> Iterator[tuple[str, str, str]]:
    """The ways in which two factors fit, the likeliest first: of a matrix and another than that the matrix is the one that is turned."""
    one, other, transposed, both = ast.unparse(a), ast.unparse(b), "with one transposed", "exchanged and transposed"
    if (len(m), len(n)) != (2, 2):
        if len(n) == 2 and m[-1] == n[1]:
            yield one, turned(b), transposed
        if len(m) == 2 and m[0] == n[-2:][0]:
            yield turned(a), other, transposed
        return
    if m[0] == n[0]:
        ways = [(turned(a), other, transposed), (turned(b), one, both)]
        yield from reversed(ways) if _is_of_errors(seen, a) else ways
    if m[1] == n[1]:
        yield one, turned(b), transposed
        yield other, turned(a), both
    if n[1] == m[0]:
        yield other, one, "exchanged"
        yield turned(a), turned(b), "both transposed"


def _is_of_errors(seen: SeenRun, node: ast.expr) -> bool:
    """Whether an operand was made from a difference of outputs and targets: it stands last in a product of inputs and errors."""
    place = seen.functions(node)[:1]
    made = [node, *(value for statement, value in made_by(seen, node, node) if seen.functions(statement)[:1] == place)]
    return any(isinstance(n, ast.BinOp) and isinstance(n.op, ast.Sub) for value in made for n in ast.walk(value))


def misfit_sum(seen: SeenRun) -> Iterator[Slip]:
    """Something is added to an array into which it fits only transposed."""
    failed = seen.failed
    if not isinstance(failed, ast.AugAssign) or "broadcast" not in seen.outcome.ending.message:
        return
    target, shape = ast.unparse(failed.target), seen.shape(failed.value)
    into: object = seen.outcome.ending.shapes.get(target)
    if shape is not None and len(shape) == 2 and into == list(shape[::-1]):
        title = f"{target} is {shape[::-1]}, and what is added to it is {shape}: transposed it fits"
        yield Slip("misfit", title, failed.lineno, (instead(failed.value, turned(failed.value)),))


def crossed(seen: SeenRun) -> Iterator[Slip]:
    """`(N,) - (N, 1)` makes (N, N): every number of one against every number of the other."""
    for node in seen.nodes:
        if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Add | ast.Sub | ast.Mult | ast.Div):
            continue
        for one, other in ((node.left, node.right), (node.right, node.left)):
            n, m = seen.shape(one), seen.shape(other)
            if n and m and len(n) == 1 and n[0] > 1 and m == (n[0], 1):
                flat, column = ast.unparse(one), ast.unparse(other)
                title = f"{flat} is {n} and {column} is {m}: together they make {(n[0], n[0])}, each against each"
                yield Slip("column-minus-row", title, node.lineno, (instead(one, f"{closed(one)}.reshape(-1, 1)"),))


def turned(node: ast.expr) -> str:
    """The text of a transposed operand."""
    if isinstance(node, ast.Attribute) and node.attr == "T":
        return ast.unparse(node.value)
    return f"{closed(node)}.T"


def closed(node: ast.expr) -> str:
    """The text of an operand, in parentheses where it needs them."""
    text = ast.unparse(node)
    stands_alone = isinstance(node, ast.Name | ast.Subscript | ast.Attribute | ast.Call) or text.isdigit()
    return text if stands_alone else f"({text})"
