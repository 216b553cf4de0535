"""The rules of differentiation for calls: NumPy's functions and methods, and functions of the program that compute what has a name."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from engine.doctor.derive.backward.rules import Gradient, NamedResult, Rules, Shape, joined
from engine.doctor.derive.derived import Refused
from engine.doctor.derive.tree.elementwise import derivative
from engine.doctor.derive.tree.syntax_of import (
    call,
    called,
    is_number,
    method,
    over,
    parsed,
    path,
    plus,
    times,
    transposed,
)

OPERATIONS: dict[str, type[ast.operator]] = {
    "add": ast.Add,
    "subtract": ast.Sub,
    "multiply": ast.Mult,
    "divide": ast.Div,
    "true_divide": ast.Div,
    "matmul": ast.MatMult,
    "dot": ast.MatMult,
    "power": ast.Pow,
}
MODULES = ("np", "numpy", "math", "copy")


@dataclass(frozen=True, eq=False)
class CarriedCall:
    """A call through which dL/d(its value) is carried: what it is a function of, its other arguments, and how its value is written."""

    node: ast.Call
    argument: ast.expr
    rest: list[ast.expr]
    d: Gradient
    result: NamedResult

    @property
    def name(self) -> str:
        return called(self.node)


class FunctionRules(Rules):
    """Carries gradients back through calls."""

    def called(self, node: ast.Call, d: Gradient, result: NamedResult) -> None:
        """By what is called: a helper of the program's, an operator's function, one that works number by number, or one of `_RULES`."""
        helper = self.helpers.get(path(node.func), "") if isinstance(node.func, ast.Name | ast.Attribute) else ""
        is_method = isinstance(node.func, ast.Attribute) and path(node.func.value) not in MODULES and not helper
        parts = [node.func.value, *node.args] if is_method and isinstance(node.func, ast.Attribute) else list(node.args)
        if not parts:
            raise Refused(f"no rule for {ast.unparse(node.func)}")
        one, name = CarriedCall(node, parts[0], parts[1:], d, result), called(node)
        if helper:
            self._helper(helper, one)
        elif name in OPERATIONS and one.rest:
            self.operation(OPERATIONS[name](), one.argument, one.rest[0], d, result, node)
        elif derivative(name) is not None:
            self.elementwise(name, one.argument, d, lambda: self.result_of(result, node))
        elif name in _RULES:
            _RULES[name](self, one)
        else:
            raise Refused(f"no rule for {ast.unparse(node.func)}")

    def _helper(self, kind: str, one: CarriedCall) -> None:
        kind, _, axis = kind.partition(" ")
        if kind != "softmax":
            self.elementwise(kind, one.argument, one.d, lambda: self.result_of(one.result, one.node))
            return
        self.softmax(one.argument, axis, one.d, lambda: self.result_of(one.result, one.node))

    def unchanged(self, one: CarriedCall) -> None:
        """Copies and other types."""
        self.push(one.argument, one.d, one.result)

    def maximum(self, one: CarriedCall) -> None:
        """`np.maximum(0, z)`, with a threshold that does not depend on the weights."""
        if not one.rest:
            raise Refused(f"no rule for {ast.unparse(one.node)[:60]}")
        other = one.rest[0]
        if self.is_active(one.argument) and self.is_active(other):
            raise Refused("a maximum of two values that both depend on the weights")
        active, threshold = (one.argument, other) if self.is_active(one.argument) else (other, one.argument)
        if not is_number(threshold, 0):
            raise Refused(f"no rule for {ast.unparse(one.node)[:60]}")
        self.elementwise("relu", active, one.d, lambda: self.result_of(one.result, active))

    def clipped(self, one: CarriedCall) -> None:
        """`np.clip(x, low, high)`."""
        if len(one.rest) != 2 or any(self.is_active(limit) for limit in one.rest):
            raise Refused(f"no rule for {ast.unparse(one.node)[:60]}")
        value, (low, high) = self.value(one.argument), map(self.value, one.rest)
        above, below = ast.Compare(value, [ast.Gt()], [low]), ast.Compare(value, [ast.Lt()], [high])
        self.why = "only what is between the limits passes"
        shape = joined(one.d.shape, self.shape(one.argument))
        self.push(one.argument, Gradient(times(one.d.node, ast.BinOp(above, ast.BitAnd(), below)), shape), None)

    def chosen(self, one: CarriedCall) -> None:
        """`np.where(condition, x, y)`."""
        if len(one.node.args) != 3:
            raise Refused(f"no rule for {ast.unparse(one.node)[:60]}")
        condition, (x, y), zero = self.value(one.argument), one.rest, ast.Constant(0)
        self.push(x, Gradient(call("np.where", condition, one.d.node, zero), one.d.shape), None)
        self.push(y, Gradient(call("np.where", condition, zero, one.d.node), one.d.shape), None)

    def outer(self, one: CarriedCall) -> None:
        """`np.outer(x, y)`."""
        x, y, d = one.argument, one.rest[0], one.d.node
        self.push(x, Gradient(ast.BinOp(d, ast.MatMult(), self.value(y)), self.shape(x)), None)
        self.push(y, Gradient(ast.BinOp(transposed(d), ast.MatMult(), self.value(x)), self.shape(y)), None)

    # Sums

    def summed(self, one: CarriedCall) -> None:
        """Sums and means, over some axes or all."""
        shape = self.shape(one.argument)
        axis = _axes(one.node, one.rest, len(shape))
        inner, own = one.d.node, one.d.shape
        if axis is not None and not _keyword(one.node, "keepdims", []) and own:
            for k in sorted(axis):
                index: list[ast.expr] = [*([ast.Slice()] * k), ast.Constant(None)]
                inner = ast.Subscript(inner, ast.Tuple(index) if len(index) > 1 else index[0])
            own = tuple(1 if k in axis else n for k, n in enumerate(shape))
        if one.name == "mean":
            inner = over(inner, self._counted(one.argument, axis, shape))
        self.push(one.argument, Gradient(inner, own), None)

    def _counted(self, argument: ast.expr, axes: tuple[int, ...] | None, shape: Shape) -> ast.expr:
        """How many numbers a mean is of, by the size of an array of the same shape."""
        same = [n for n in ast.walk(argument) if isinstance(n, ast.expr) and path(n) and self.shapes.shape(n) == shape]
        if not same:
            number = 1
            for k, n in enumerate(shape):
                number *= n if axes is None or k in axes else 1
            return ast.Constant(number)
        text = ast.unparse(self.sized(same[0]))
        if axes is None:
            return parsed(f"{text}.size" if shape else "1")
        lengths = [f"{text}.shape[{k}]" if k else f"len({text})" for k in axes]
        return parsed(lengths[0] if len(lengths) == 1 else f"({' * '.join(lengths)})")

    # Shapes

    def repeated(self, one: CarriedCall) -> None:
        """`np.tile`, `np.repeat`: sums over what was repeated are made where the gradient is put into the argument's shape."""
        if one.name == "repeat" and len(self.shape(one.argument)) != len(one.d.shape):
            raise Refused(f"no rule for {ast.unparse(one.node.func)}")
        self.push(one.argument, one.d, None)

    def reshaped(self, one: CarriedCall) -> None:
        """Other shapes of the same numbers."""
        full, shape = self.full(one.d, self.shape(one.node), one.node), self.shape(one.argument)
        if shape == full.shape:
            self.push(one.argument, full, one.result)
            return
        if len(shape) == 1:
            inner = method(full.node, "ravel")
        else:
            inner = method(full.node, "reshape", parsed(f"{ast.unparse(self.sized(one.argument))}.shape"))
        self.push(one.argument, Gradient(inner, shape), None)

    def transposed(self, one: CarriedCall) -> None:
        """`transpose`, `swapaxes`."""
        shape, rest = self.shape(one.argument), one.rest
        full = self.full(one.d, self.shape(one.node), one.node)
        if one.name == "swapaxes":
            self.push(one.argument, Gradient(method(full.node, "swapaxes", *rest), shape), None)
            return
        given = rest[0].elts if rest and isinstance(rest[0], ast.Tuple) else rest
        order = [k.value for k in given if isinstance(k, ast.Constant)]
        if not order:
            self.push(one.argument, Gradient(transposed(full.node), shape), None)
            return
        if len(order) != len(shape):
            raise Refused(f"no rule for {ast.unparse(one.node)[:60]}")
        back = [ast.Constant(order.index(k)) for k in range(len(order))]
        self.push(one.argument, Gradient(method(full.node, "transpose", *back), shape), None)

    # Several arrays in one

    def put_together(self, one: CarriedCall) -> None:
        """Arrays along an axis that they have, or a new one: written out, or a list of them."""
        if isinstance(one.argument, ast.Tuple | ast.List):
            (self._stacked if one.name in ("stack", "array") else self._concatenated)(one, one.argument.elts)
        elif one.name in ("array", "stack", "vstack", "asarray") and path(one.argument):
            self._list(one)
        elif one.name in ("array", "asarray"):
            self.unchanged(one)
        else:
            raise Refused(f"no rule for {ast.unparse(one.node.func)}")

    def _list(self, one: CarriedCall) -> None:
        axis = _keyword(one.node, "axis", one.rest)
        inner = self.full(one.d, self.shape(one.node), one.node).node
        if axis not in (None, 0):
            inner = call("np.moveaxis", inner, ast.Constant(axis), ast.Constant(0))
        if one.name == "vstack":
            inner = method(inner, "reshape", *(ast.Constant(k) for k in self.shape(one.argument)))
        self.push(one.argument, Gradient(inner, self.shape(one.argument)), None)

    def _stacked(self, one: CarriedCall, parts: list[ast.expr]) -> None:
        shape, axis = self.shape(one.node), int(_keyword(one.node, "axis", one.rest) or 0)
        d = self.named(self.full(one.d, shape, one.node), "joined")
        for k, part in enumerate(parts):
            index = ast.Tuple([*([ast.Slice()] * axis), ast.Constant(k)]) if axis else ast.Constant(k)
            self.push(part, Gradient(ast.Subscript(d.node, index), shape[:axis] + shape[axis + 1 :]), None)

    def _concatenated(self, one: CarriedCall, parts: list[ast.expr]) -> None:
        shape = self.shape(one.node)
        last = {"hstack": int(len(shape) > 1), "vstack": 0, "column_stack": 1}
        along = last[one.name] if one.name in last else int(_keyword(one.node, "axis", one.rest) or 0) % len(shape)
        d = self.named(self.full(one.d, shape, one.node), "joined")
        low: ast.expr | None = None
        for k, part in enumerate(parts):
            text = ast.unparse(self.value(part))
            size = parsed(f"{text}.shape[{along}]") if along else parsed(f"len({text})")
            high = None if k == len(parts) - 1 else size if low is None else plus(low, size)
            index: ast.expr = ast.Slice(low, high)
            if along:
                index = ast.Tuple([*([ast.Slice()] * along), index])
            self.push(part, Gradient(ast.Subscript(d.node, index), self.shape(part)), None)
            low = high


_RULES: dict[str, Callable[[FunctionRules, CarriedCall], None]] = {
    **dict.fromkeys(("copy", "deepcopy", "float", "float64", "astype", "ascontiguousarray"), FunctionRules.unchanged),
    **dict.fromkeys(
        ("reshape", "ravel", "flatten", "squeeze", "atleast_2d", "expand_dims", "item"), FunctionRules.reshaped
    ),
    **dict.fromkeys(
        ("concatenate", "hstack", "vstack", "column_stack", "stack", "array", "asarray"), FunctionRules.put_together
    ),
    **dict.fromkeys(("transpose", "swapaxes"), FunctionRules.transposed),
    **dict.fromkeys(("tile", "repeat"), FunctionRules.repeated),
    **dict.fromkeys(("sum", "mean"), FunctionRules.summed),
    "maximum": FunctionRules.maximum,
    "where": FunctionRules.chosen,
    "clip": FunctionRules.clipped,
    "outer": FunctionRules.outer,
}


def _axes(node: ast.Call, rest: list[ast.expr], ndim: int) -> tuple[int, ...] | None:
    """The axes that a call names, counted from the front; None where it names none."""
    axis = _keyword(node, "axis", rest)
    if axis is None:
        return None
    some: list[Any] = list(axis) if isinstance(axis, tuple) else [axis]  # pyright: ignore[reportUnknownArgumentType]
    return tuple(int(k) % ndim for k in some)


def _keyword(node: ast.Call, name: str, rest: list[ast.expr]) -> Any:
    given = next((k.value for k in node.keywords if k.arg == name), rest[0] if rest else None)
    try:
        return ast.literal_eval(given) if given is not None else None
    except ValueError:
        raise Refused(f"{name}={ast.unparse(given)} is not written as a number") from None  # pyright: ignore[reportArgumentType]
