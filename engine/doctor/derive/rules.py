"""The rules of differentiation for NumPy's expressions: from dL/d(an expression) to dL/d(what it is made of)."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from engine.doctor.derive.shapes import SeenShapes, Shape
from engine.doctor.derive.steps import singular
from engine.doctor.derive.syntax_of import (
    base,
    call,
    called,
    is_number,
    method,
    minus,
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
SAME = (
    "copy",
    "deepcopy",
    "asarray",
    "array",
    "float",
    "float64",
    "astype",
    "squeeze",
    "ascontiguousarray",
    "atleast_2d",
    "item",
)
RESHAPED = ("reshape", "ravel", "flatten", "squeeze", "atleast_2d", "expand_dims", "item")
SAID = {
    "tanh": "tanh' = 1 - {0}**2",
    "sigmoid": "sigmoid' = {0} * (1 - {0})",
    "relu": "only what is above 0 passes",
    "softmax": "softmax: p * (d - sum(d * p))",
}


NamedResult = Callable[[], ast.expr | None] | None
"""How an expression's value is written, where it has a name; asked for only where it is needed."""


class Refused(Exception):
    """A line through which nothing is carried back, and why."""


@dataclass(frozen=True, eq=False)
class Gradient:
    """dL/d(something) as an expression. Where its shape is smaller, it stands for all numbers along the missing axes."""

    node: ast.expr
    shape: Shape


def fitted(gradient: Gradient, shape: Shape) -> Gradient:
    """Summed over the axes along which a value of that shape was repeated."""
    own = gradient.shape
    extra = len(own) - len(shape)
    if extra < 0 or own == shape:
        return gradient
    node = gradient.node
    if extra:
        axes = tuple(range(extra))
        node = (
            method(node, "sum", axis=axes[0] if extra == 1 else axes)
            if shape or extra < len(own)
            else method(node, "sum")
        )
        own = own[extra:]
    kept = tuple(k for k, (m, n) in enumerate(zip(own, shape, strict=True)) if n == 1 and m > 1)
    if kept:
        node = method(node, "sum", axis=kept[0] if len(kept) == 1 else kept, keepdims=True)
        own = tuple(1 if k in kept else n for k, n in enumerate(own))
    return Gradient(node, own)


def joined(one: Shape, other: Shape) -> Shape:
    """The shape of a product of two arrays, number by number."""
    length = max(len(one), len(other))
    a, b = (1,) * (length - len(one)) + one, (1,) * (length - len(other)) + other
    return tuple(max(m, n) for m, n in zip(a, b, strict=True))


class Rules:
    """Carries gradients back through expressions; what to do at names and how values are written is its heir's."""

    def __init__(self, shapes: SeenShapes, helpers: Mapping[str, str]) -> None:
        self.shapes, self.helpers = shapes, helpers
        self.why = ""

    def add(self, node: ast.expr, gradient: Gradient) -> None:
        raise NotImplementedError

    def named(self, gradient: Gradient, hint: str) -> Gradient:
        raise NotImplementedError

    def value(self, node: ast.expr) -> ast.expr:
        raise NotImplementedError

    def is_active(self, node: ast.expr) -> bool:
        raise NotImplementedError

    def result_of(self, result: NamedResult, node: ast.expr) -> ast.expr:
        """The node's value by its name, else made again."""
        named = result() if result is not None else None
        return named if named is not None else self.value(node)

    def push(self, node: ast.expr, gradient: Gradient, result: NamedResult) -> None:
        """Carries dL/d(node) on; `result` is how the node's value is written, where it has a name."""
        if not self.is_active(node):
            return
        shape = self._shape(node)
        gradient = fitted(gradient, shape)
        if isinstance(node, ast.Name | ast.Subscript) or path(node):
            if isinstance(node, ast.Subscript) and _adds_axes(node):
                full = self.full(gradient, shape, node)
                index = [k if isinstance(k, ast.Slice) or is_ellipsis(k) else ast.Constant(0) for k in _parts(node)]
                inner = ast.Subscript(full.node, ast.Tuple(index) if len(index) > 1 else index[0])
                self.push(node.value, Gradient(inner, self._shape(node.value)), None)
                return
            if isinstance(node, ast.Subscript) and not (path(node) or _is_entry(node)):
                raise Refused(f"a part of {ast.unparse(node.value)[:40]}")
            if isinstance(node, ast.Subscript) and gradient.shape != shape:
                gradient = Gradient(gradient.node, shape)
            self.add(node, gradient)
        elif isinstance(node, ast.BinOp):
            self._operation(node.op, node.left, node.right, gradient, result, node)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            self.push(node.operand, Gradient(minus(gradient.node), gradient.shape), None)
        elif isinstance(node, ast.Attribute) and node.attr == "T":
            self.push(node.value, Gradient(transposed(self.full(gradient, shape, node).node), shape[::-1]), None)
        elif isinstance(node, ast.Call):
            self._called(node, gradient, result)
        else:
            raise Refused(f"no rule for {ast.unparse(node)[:60]}")

    def _shape(self, node: ast.expr) -> Shape:
        shape = self.shapes.shape(node)
        if shape is None:
            of = self.shapes.of(node)
            if of is not None and of[0] in ("list", "tuple"):
                return (int(of[1]), *of[3])
            raise Refused(f"the shape of {ast.unparse(node)[:60]} was not seen")
        return shape

    def full(self, gradient: Gradient, shape: Shape, node: ast.expr) -> Gradient:
        """The gradient with all its axes."""
        if gradient.shape == shape:
            return gradient
        return Gradient(times(gradient.node, call("np.ones_like", self.value(node))), shape)

    # Operators

    def _operation(
        self, op: ast.operator, left: ast.expr, right: ast.expr, d: Gradient, result: NamedResult, node: ast.expr
    ) -> None:
        both = self.is_active(left) and self.is_active(right)
        if isinstance(op, ast.MatMult) and self._shape(left) and self._shape(right):
            self._product(
                left, right, self.named(self.full(d, self._shape(node), node), _hint(node)) if both else d, node
            )
            return
        if isinstance(op, ast.Sub) and called(_core(right)) in ("max", "amax"):
            self.why = ""
            self.push(left, d, None)  # what is taken off for the sake of large numbers changes no softmax
            return
        if both and isinstance(op, ast.Add | ast.Sub | ast.Mult | ast.Div) and not _is_simple(d.node):
            d = self.named(d, _hint(node))
        if isinstance(op, ast.Add | ast.Sub):
            self.push(left, d, None)
            self.push(right, Gradient(minus(d.node), d.shape) if isinstance(op, ast.Sub) else d, None)
        elif isinstance(op, ast.Mult | ast.MatMult):
            for one, other in ((left, right), (right, left)):
                if self.is_active(one):
                    self.push(
                        one, Gradient(times(d.node, self.value(other)), joined(d.shape, self._shape(other))), None
                    )
        elif isinstance(op, ast.Div):
            self._quotient(left, right, d, result)
        elif isinstance(op, ast.Pow) and not self.is_active(right):
            power = self.value(right)
            under = self.value(left)
            if is_number(power, 2):
                derivative = times(ast.Constant(2), under)
            else:
                derivative = times(power, ast.BinOp(under, ast.Pow(), ast.BinOp(power, ast.Sub(), ast.Constant(1))))
            self.push(left, Gradient(times(d.node, derivative), joined(d.shape, self._shape(left))), None)
        else:
            raise Refused(f"no rule for {ast.unparse(node)[:60]}")

    def _quotient(self, left: ast.expr, right: ast.expr, d: Gradient, result: NamedResult) -> None:
        inner = logistic(left, right)
        if inner is not None:
            self._elementwise("sigmoid", inner, d, lambda: self.result_of(result, ast.BinOp(left, ast.Div(), right)))
            return
        shape = joined(d.shape, self._shape(right))
        if self.is_active(left):
            self.push(left, Gradient(over(d.node, self.value(right)), shape), None)
        if self.is_active(right):
            quotient = self.result_of(result, ast.BinOp(left, ast.Div(), right))
            node = over(times(minus(d.node), quotient), self.value(right))
            self.push(right, Gradient(node, joined(shape, self._shape(left))), None)

    def _product(self, left: ast.expr, right: ast.expr, d: Gradient, node: ast.expr) -> None:
        """Matrix products; written as the program writes them."""
        write = _product_like(node)
        m, n = self._shape(left), self._shape(right)
        a, b = (
            (self.value(left) if self.is_active(right) else left),
            (self.value(right) if self.is_active(left) else right),
        )
        if self.shapes.is_vector_once(left):
            a = call("np.atleast_2d", a)
        if self.is_active(left):
            if len(n) == 1:
                shown = times(d.node, b) if len(m) == 1 else call("np.outer", d.node, b)
            elif len(m) == 1 and len(n) == 2 and write is not _at:
                shown = write(b, d.node)
            else:
                shown = write(d.node, transposed(b))
            self.push(left, Gradient(shown, m), None)
        if self.is_active(right):
            if len(m) == 1:
                shown = times(d.node, a) if len(n) == 1 else call("np.outer", a, d.node)
            elif len(m) > 2:
                flat = method(a, "reshape", ast.UnaryOp(ast.USub(), ast.Constant(1)), ast.Constant(m[-1]))
                other = method(d.node, "reshape", ast.UnaryOp(ast.USub(), ast.Constant(1)), ast.Constant(n[-1]))
                shown = write(transposed(flat), other)
            else:
                shown = write(transposed(a), d.node)
            self.push(right, Gradient(shown, n), None)

    # Functions

    def _called(self, node: ast.Call, d: Gradient, result: NamedResult) -> None:
        name = called(node)
        own = isinstance(node.func, ast.Name | ast.Attribute) and self.helpers.get(path(node.func))
        argument = node.args[0] if node.args else None
        if (
            isinstance(node.func, ast.Attribute)
            and path(node.func.value) not in ("np", "numpy", "math", "copy")
            and not own
        ):
            argument = node.func.value
            rest = list(node.args)
        else:
            rest = list(node.args[1:])
        if own and argument is not None:
            self._helper(own, argument, d, lambda: self.result_of(result, node))
        elif name in OPERATIONS and argument is not None and rest:
            self._operation(OPERATIONS[name](), argument, rest[0], d, result, node)
        elif name in ("maximum", "clip") and argument is not None and rest:
            self._maximum(node, argument, rest[0], d, result)
        elif name in ELEMENTWISE and argument is not None:
            self._elementwise(name, argument, d, lambda: self.result_of(result, node))
        elif name in ("sum", "mean") and argument is not None:
            self._summed(node, argument, rest, d, mean=name == "mean")
        elif name in ("concatenate", "hstack", "vstack", "column_stack", "stack", "array") and isinstance(
            argument, ast.Tuple | ast.List
        ):
            self._concatenated(node, argument, d)
        elif name in ("array", "stack", "asarray", "vstack") and argument is not None and path(argument):
            axis = _keyword(node, "axis", rest)
            inner = d.node if axis in (None, 0) else call("np.moveaxis", d.node, ast.Constant(axis), ast.Constant(0))
            if name == "vstack":
                inner = method(inner, "reshape", *(ast.Constant(k) for k in self._shape(argument)))
            self.push(argument, Gradient(inner, self._shape(argument)), None)
        elif name in RESHAPED and argument is not None:
            full = self.full(d, self._shape(node), node)
            inner = (
                full.node
                if self._shape(argument) == full.shape
                else method(full.node, "reshape", parsed(f"{ast.unparse(self.value(argument))}.shape"))
            )
            self.push(argument, Gradient(inner, self._shape(argument)), None)
        elif (
            name in ("tile", "repeat")
            and argument is not None
            and (name == "tile" or len(self._shape(argument)) == len(d.shape))
        ):
            self.push(argument, d, None)
        elif name in ("transpose", "swapaxes") and argument is not None:
            self._transposed(node, argument, rest, d)
        elif name == "outer" and argument is not None and rest:
            self.push(
                argument, Gradient(ast.BinOp(d.node, ast.MatMult(), self.value(rest[0])), self._shape(argument)), None
            )
            self.push(
                rest[0],
                Gradient(ast.BinOp(transposed(d.node), ast.MatMult(), self.value(argument)), self._shape(rest[0])),
                None,
            )
        elif name in SAME and argument is not None:
            self.push(argument, d, result)
        elif name == "where" and len(node.args) == 3:
            for k, zero in ((1, 2), (2, 1)):
                del zero
                parts = (
                    [self.value(node.args[0]), d.node, ast.Constant(0)]
                    if k == 1
                    else [self.value(node.args[0]), ast.Constant(0), d.node]
                )
                self.push(node.args[k], Gradient(call("np.where", *parts), d.shape), None)
        else:
            raise Refused(f"no rule for {ast.unparse(node.func)}")

    def _helper(self, kind: str, argument: ast.expr, d: Gradient, value: Callable[[], ast.expr]) -> None:
        kind, _, axis = kind.partition(" ")
        if kind != "softmax":
            self._elementwise(kind, argument, d, value)
            return
        self.why = SAID["softmax"]
        d = self.named(self.full(d, self._shape(argument), argument), "p")
        result = value()
        inner = times(d.node, result)
        total = method(inner, "sum") if axis == "all" else method(inner, "sum", axis=int(axis), keepdims=True)
        self.push(argument, Gradient(times(result, ast.BinOp(d.node, ast.Sub(), total)), self._shape(argument)), None)

    def _elementwise(self, name: str, argument: ast.expr, d: Gradient, result: Callable[[], ast.expr]) -> None:
        derivative, how = ELEMENTWISE[name]
        u = self.value(argument) if how == "u" else result()
        factor = derivative(u)
        has_name = isinstance(u, ast.Name | ast.Subscript | ast.Attribute)
        word = singular(base(u)) if has_name else name
        self.why = SAID[name].format(word) if name in SAID else self.why
        shape = joined(d.shape, self._shape(argument))
        node = over(d.node, u) if name == "log" else times(d.node, factor)
        inner = Gradient(node, shape)
        if not (isinstance(argument, ast.Name) or path(argument)):
            inner = self.named(inner, "z")
        self.push(argument, inner, None)

    def _maximum(self, node: ast.Call, one: ast.expr, other: ast.expr, d: Gradient, result: NamedResult) -> None:
        if self.is_active(one) and self.is_active(other):
            raise Refused("a maximum of two values that both depend on the weights")
        active = one if self.is_active(one) else other
        if called(node) == "clip" or not is_number(other if active is one else one, 0):
            raise Refused(f"no rule for {ast.unparse(node)[:60]}")
        self._elementwise("relu", active, d, lambda: self.result_of(result, active))

    def _summed(self, node: ast.Call, argument: ast.expr, rest: list[ast.expr], d: Gradient, *, mean: bool) -> None:
        shape = self._shape(argument)
        axis = _axes(node, rest, len(shape))
        keeps = bool(_keyword(node, "keepdims", []))
        inner, own = d.node, d.shape
        axes = axis or ()
        if axis is not None and not keeps and own:
            for k in sorted(axes):
                inner = _with_axis(inner, k, len(shape))
            own = tuple(1 if k in axes else n for k, n in enumerate(shape))
        if mean:
            inner = over(inner, self._counted(argument, axis, shape))
        self.push(argument, Gradient(inner, own), None)

    def _counted(self, argument: ast.expr, axes: tuple[int, ...] | None, shape: Shape) -> ast.expr:
        """How many numbers a mean is of, by the size of an array of the same shape."""
        same = [n for n in ast.walk(argument) if isinstance(n, ast.expr) and path(n) and self.shapes.shape(n) == shape]
        if not same:
            number = 1
            for k, n in enumerate(shape):
                number *= n if axes is None or k in axes else 1
            return ast.Constant(number)
        text = ast.unparse(self.value(same[0]))
        if axes is None:
            return parsed(f"{text}.size" if shape else "1")
        lengths = [f"{text}.shape[{k}]" if k else f"len({text})" for k in axes]
        return parsed(lengths[0] if len(lengths) == 1 else f"({' * '.join(lengths)})")

    def _concatenated(self, node: ast.Call, parts: ast.Tuple | ast.List, d: Gradient) -> None:
        name, shape = called(node), self._shape(node)
        axis = _keyword(node, "axis", node.args[1:])
        d = self.named(self.full(d, shape, node), "joined")
        if name in ("stack", "array"):
            for k, part in enumerate(parts.elts):
                index = ast.Tuple([*([ast.Slice()] * int(axis or 0)), ast.Constant(k)]) if axis else ast.Constant(k)
                self.push(
                    part,
                    Gradient(ast.Subscript(d.node, index), shape[: int(axis or 0)] + shape[int(axis or 0) + 1 :]),
                    None,
                )
            return
        along = {"hstack": (len(shape) > 1 and 1) or 0, "vstack": 0, "column_stack": 1}.get(name, int(axis or 0)) % len(
            shape
        )
        low: ast.expr | None = None
        for k, part in enumerate(parts.elts):
            own = self._shape(part)
            text = ast.unparse(self.value(part))
            size = parsed(f"{text}.shape[{along}]") if along else parsed(f"len({text})")
            high = None if k == len(parts.elts) - 1 else size if low is None else plus(low, size)
            index: ast.expr = ast.Slice(low, high)
            if along:
                index = ast.Tuple([*([ast.Slice()] * along), index])
            self.push(part, Gradient(ast.Subscript(d.node, index), own), None)
            low = high

    def _transposed(self, node: ast.Call, argument: ast.expr, rest: list[ast.expr], d: Gradient) -> None:
        given = ast.unparse(node)
        shape = self._shape(argument)
        full = self.full(d, self._shape(node), node)
        if called(node) == "swapaxes":
            self.push(argument, Gradient(method(full.node, "swapaxes", *rest), shape), None)
            return
        order = [
            k.value
            for k in (rest[0].elts if rest and isinstance(rest[0], ast.Tuple) else rest)
            if isinstance(k, ast.Constant)
        ]
        if not order:
            self.push(argument, Gradient(transposed(full.node), shape), None)
            return
        if len(order) != len(shape):
            raise Refused(f"no rule for {given[:60]}")
        back = [order.index(k) for k in range(len(order))]
        self.push(argument, Gradient(method(full.node, "transpose", *(ast.Constant(k) for k in back)), shape), None)


def _one_minus_square(r: ast.expr) -> ast.expr:
    return ast.BinOp(ast.Constant(1), ast.Sub(), ast.BinOp(r, ast.Pow(), ast.Constant(2)))


ELEMENTWISE: dict[str, tuple[Callable[[ast.expr], ast.expr], str]] = {
    "tanh": (_one_minus_square, "r"),
    "sigmoid": (lambda r: times(r, ast.BinOp(ast.Constant(1), ast.Sub(), r)), "r"),
    "relu": (lambda r: ast.Compare(r, [ast.Gt()], [ast.Constant(0)]), "r"),
    "exp": (lambda r: r, "r"),
    "log": (lambda u: over(ast.Constant(1), u), "u"),
    "sqrt": (lambda r: over(ast.Constant(0.5), r), "r"),
    "square": (lambda u: times(ast.Constant(2), u), "u"),
    "abs": (lambda u: call("np.sign", u), "u"),
    "sin": (lambda u: call("np.cos", u), "u"),
    "cos": (lambda u: minus(call("np.sin", u)), "u"),
}


def _hint(node: ast.expr) -> str:
    """What dL/d(node) is called after the d: `rh` of r * h, z of longer ones."""
    words = [n.id for n in ast.walk(node) if isinstance(n, ast.Name) and n.id not in ("np", "numpy", "self")]
    return "".join(words) if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult) and len(words) == 2 else "z"


def _is_simple(node: ast.expr) -> bool:
    return isinstance(node, ast.Name | ast.Constant) or (
        isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Name | ast.Constant)
    )


def _core(node: ast.expr) -> ast.expr:
    while isinstance(node, ast.Subscript):
        node = node.value
    return node


def _parts(node: ast.Subscript) -> list[ast.expr]:
    return node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]


def _adds_axes(node: ast.Subscript) -> bool:
    """Whether an index only adds axes: `[:, None]`."""
    parts = _parts(node)
    added = [k for k in parts if is_number_none(k) or ast.unparse(k) in ("np.newaxis", "numpy.newaxis")]
    whole = [k for k in parts if (isinstance(k, ast.Slice) and ast.unparse(k) == ":") or is_ellipsis(k)]
    return bool(added) and len(added) + len(whole) == len(parts)


def is_number_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def is_ellipsis(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is ...


def _is_entry(node: ast.Subscript) -> bool:
    inner = node
    while isinstance(inner, ast.Subscript) and not path(inner):
        inner = inner.value
    return bool(path(inner))


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


def _with_axis(node: ast.expr, axis: int, ndim: int) -> ast.expr:
    index: list[ast.expr] = [*([ast.Slice()] * axis), ast.Constant(None)]
    del ndim
    return ast.Subscript(node, ast.Tuple(index) if len(index) > 1 else index[0])


def _at(one: ast.expr, other: ast.expr) -> ast.expr:
    return ast.BinOp(one, ast.MatMult(), other)


def _product_like(node: ast.expr) -> Callable[[ast.expr, ast.expr], ast.expr]:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if path(node.func.value) in ("np", "numpy"):
            function = ast.unparse(node.func)
            return lambda one, other: call(function, one, other)
        name = node.func.attr
        return lambda one, other: method(one, name, other)
    return _at
