"""Forms of expressions that the rules tell apart."""

from __future__ import annotations

import ast
from collections.abc import Callable

from engine.doctor.derive.tree.syntax_of import call, called, is_number, method, path


def is_simple(node: ast.expr) -> bool:
    """Whether it is a name or a number, with or without a sign."""
    return isinstance(node, ast.Name | ast.Constant) or (
        isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Name | ast.Constant)
    )


def core(node: ast.expr) -> ast.expr:
    """What an expression is without its indices."""
    while isinstance(node, ast.Subscript):
        node = node.value
    return node


def parts(node: ast.Subscript) -> list[ast.expr]:
    """The indices of all axes."""
    return node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]


def adds_axes(node: ast.Subscript) -> bool:
    """Whether an index only adds axes: `[:, None]`."""
    indices = parts(node)
    added = [k for k in indices if is_none(k) or ast.unparse(k) in ("np.newaxis", "numpy.newaxis")]
    whole = [k for k in indices if (isinstance(k, ast.Slice) and ast.unparse(k) == ":") or is_ellipsis(k)]
    return bool(added) and len(added) + len(whole) == len(indices)


def is_none(node: ast.expr) -> bool:
    """Whether it is `None`."""
    return isinstance(node, ast.Constant) and node.value is None


def is_ellipsis(node: ast.expr) -> bool:
    """Whether it is `...`."""
    return isinstance(node, ast.Constant) and node.value is ...


def is_entry(node: ast.Subscript) -> bool:
    """Whether it is a part of something that has a name."""
    inner = node
    while isinstance(inner, ast.Subscript) and not path(inner):
        inner = inner.value
    return bool(path(inner))


def softmax_of(left: ast.expr, right: ast.expr, name: ast.expr) -> tuple[ast.expr, str] | None:
    """u of exp(u) / exp(u).sum(axis=1, keepdims=True), and along which axis: `all` where it is of one number. `name` is what exp(u) is
    called, or the same as `left`."""
    over = right if isinstance(right, ast.Call) and called(right) == "sum" else None
    if over is None or called(left) != "exp" or not isinstance(left, ast.Call) or len(left.args) != 1:
        return None
    is_method = isinstance(over.func, ast.Attribute) and ast.unparse(over.func.value) == ast.unparse(name)
    summed = over.func.value if is_method and isinstance(over.func, ast.Attribute) else next(iter(over.args), None)
    given = {k.arg: ast.unparse(k.value) for k in over.keywords}
    if summed is None or ast.unparse(summed) != ast.unparse(name) or len(over.args) > (0 if is_method else 1):
        return None
    if not given:
        return left.args[0], "all"
    is_along = (
        set(given) == {"axis", "keepdims"} and given["keepdims"] == "True" and given["axis"].lstrip("-").isdigit()
    )
    return (left.args[0], given["axis"]) if is_along else None


def logistic(left: ast.expr, right: ast.expr) -> ast.expr | None:
    """u of 1 / (1 + exp(-u))."""
    if not is_number(left, 1) or not (isinstance(right, ast.BinOp) and isinstance(right.op, ast.Add)):
        return None
    for one, other in ((right.left, right.right), (right.right, right.left)):
        if is_number(one, 1) and called(other) == "exp" and isinstance(other, ast.Call):
            inner = other.args[0]
            if isinstance(inner, ast.UnaryOp) and isinstance(inner.op, ast.USub):
                return inner.operand
            if (
                isinstance(inner, ast.BinOp)
                and isinstance(inner.left, ast.UnaryOp)
                and isinstance(inner.op, ast.MatMult | ast.Mult)
            ):
                return ast.copy_location(ast.BinOp(inner.left.operand, inner.op, inner.right), inner)
    return None


def at(one: ast.expr, other: ast.expr) -> ast.expr:
    """`one @ other`."""
    return ast.BinOp(one, ast.MatMult(), other)


def product_like(node: ast.expr) -> Callable[[ast.expr, ast.expr], ast.expr]:
    """How a product is written as the program writes one."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if path(node.func.value) in ("np", "numpy"):
            function = ast.unparse(node.func)
            return lambda one, other: call(function, one, other)
        name = node.func.attr
        return lambda one, other: method(one, name, other)
    return at
