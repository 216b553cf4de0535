"""The rules of differentiation for NumPy's expressions: from dL/d(an expression) to dL/d(what it is made of)."""

from __future__ import annotations

import ast
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from engine.doctor.derive.backward.forms import (
    adds_axes,
    at,
    core,
    is_ellipsis,
    is_entry,
    is_simple,
    logistic,
    parts,
    product_like,
    softmax_of,
)
from engine.doctor.derive.derived import Refused
from engine.doctor.derive.forward.steps import singular
from engine.doctor.derive.tree.elementwise import derivative
from engine.doctor.derive.tree.shapes import SeenShapes, Shape
from engine.doctor.derive.tree.syntax_of import (
    base,
    call,
    called,
    is_number,
    method,
    minus,
    over,
    parsed,
    path,
    times,
    transposed,
)

NamedResult = Callable[[], ast.expr | None] | None
"""How an expression's value is written, where it has a name; asked for only where it is needed."""


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


ONLY_ABOVE = "only what is above 0 passes"


class Rules(ABC):
    """Carries gradients back through operators; what to do at names and calls, and how values are written, is its heirs'."""

    def __init__(self, shapes: SeenShapes, helpers: Mapping[str, str]) -> None:
        self.shapes, self.helpers = shapes, helpers
        self.why = ""

    @abstractmethod
    def add(self, node: ast.expr, gradient: Gradient) -> None:
        """Adds a contribution to dL/d(a name, path or entry)."""

    @abstractmethod
    def named(self, gradient: Gradient, hint: str) -> Gradient:
        """The gradient under a name of its own, where it is more than a name."""

    @abstractmethod
    def part_of(self, node: ast.Subscript, gradient: Gradient) -> Gradient:
        """dL/d(what has no name) of which a part is read: zeros but in that part."""

    @abstractmethod
    def value(self, node: ast.expr) -> ast.expr:
        """How a forward value is written in the backward pass."""

    @abstractmethod
    def sized(self, node: ast.expr) -> ast.expr:
        """What has the shape of a forward value, where only that is read."""

    @abstractmethod
    def is_active(self, node: ast.expr) -> bool:
        """Whether an expression depends on the sought parameters."""

    @abstractmethod
    def made_of(self, node: ast.expr) -> ast.expr:
        """The expression that a name was made by beside this statement; the node itself where it is none, or another one."""

    def result_of(self, result: NamedResult, node: ast.expr) -> ast.expr:
        """The node's value by its name, else made again."""
        named = result() if result is not None else None
        return named if named is not None else self.value(node)

    def push(self, node: ast.expr, gradient: Gradient, result: NamedResult) -> None:
        """Carries dL/d(node) on; `result` is how the node's value is written, where it has a name."""
        if not self.is_active(node):
            return
        shape = self.shape(node)
        gradient = fitted(gradient, shape)
        if isinstance(node, ast.Name | ast.Subscript) or path(node):
            if isinstance(node, ast.Subscript) and adds_axes(node):
                full = self.full(gradient, shape, node)
                index = [k if isinstance(k, ast.Slice) or is_ellipsis(k) else ast.Constant(0) for k in parts(node)]
                inner = ast.Subscript(full.node, ast.Tuple(index) if len(index) > 1 else index[0])
                self.push(node.value, Gradient(inner, self.shape(node.value)), None)
                return
            if isinstance(node, ast.Subscript) and not (path(node) or is_entry(node)):
                self.push(node.value, self.part_of(node, gradient), None)
                return
            if isinstance(node, ast.Subscript) and gradient.shape != shape:
                gradient = Gradient(gradient.node, shape)
            self.add(node, gradient)
        elif isinstance(node, ast.BinOp):
            self.operation(node.op, node.left, node.right, gradient, result, node)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            self.push(node.operand, Gradient(minus(gradient.node), gradient.shape), None)
        elif isinstance(node, ast.Attribute) and node.attr == "T":
            self.push(node.value, Gradient(transposed(self.full(gradient, shape, node).node), shape[::-1]), None)
        elif isinstance(node, ast.Call):
            self.called(node, gradient, result)
        else:
            raise Refused(f"no rule for {ast.unparse(node)[:60]}")

    def shape(self, node: ast.expr) -> Shape:
        """An expression's shape, as it was seen; that of the array that a list would make."""
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

    def operation(
        self, op: ast.operator, left: ast.expr, right: ast.expr, d: Gradient, result: NamedResult, node: ast.expr
    ) -> None:
        """Carries dL/d(left op right) on."""
        both = self.is_active(left) and self.is_active(right)
        if isinstance(op, ast.MatMult) and self.shape(left) and self.shape(right):
            self._product(
                left, right, self.named(self.full(d, self.shape(node), node), self._hint(node)) if both else d, node
            )
            return
        if isinstance(op, ast.Sub) and called(core(right)) in ("max", "amax"):
            self.why = ""
            self.push(left, d, None)  # what is taken off for the sake of large numbers changes no softmax
            return
        if both and isinstance(op, ast.Add | ast.Sub | ast.Mult | ast.Div) and not is_simple(d.node):
            d = self.named(d, self._hint(node))
        if isinstance(op, ast.Add | ast.Sub):
            self.push(left, d, None)
            self.push(right, Gradient(minus(d.node), d.shape) if isinstance(op, ast.Sub) else d, None)
        elif isinstance(op, ast.Mult | ast.MatMult):
            for one, other in ((left, right), (right, left)):
                if self.is_active(one):
                    self.push(one, Gradient(times(d.node, self.value(other)), joined(d.shape, self.shape(other))), None)
        elif isinstance(op, ast.Div):
            self._quotient(left, right, d, result)
        elif isinstance(op, ast.Pow) and not self.is_active(right):
            power = self.value(right)
            under = self.value(left)
            if is_number(power, 2):
                derivative = times(ast.Constant(2), under)
            else:
                derivative = times(power, ast.BinOp(under, ast.Pow(), ast.BinOp(power, ast.Sub(), ast.Constant(1))))
            self.push(left, Gradient(times(d.node, derivative), joined(d.shape, self.shape(left))), None)
        else:
            raise Refused(f"no rule for {ast.unparse(node)[:60]}")

    def _quotient(self, left: ast.expr, right: ast.expr, d: Gradient, result: NamedResult) -> None:
        inner = logistic(left, right)
        if inner is not None:
            self.elementwise("sigmoid", inner, d, lambda: self.result_of(result, ast.BinOp(left, ast.Div(), right)))
            return
        if (soft := softmax_of(self.made_of(left), right, left)) is not None:
            self.softmax(*soft, d, lambda: self.result_of(result, ast.BinOp(left, ast.Div(), right)))
            return
        shape = joined(d.shape, self.shape(right))
        if self.is_active(left):
            self.push(left, Gradient(over(d.node, self.value(right)), shape), None)
        if self.is_active(right):
            quotient = self.result_of(result, ast.BinOp(left, ast.Div(), right))
            node = over(times(minus(d.node), quotient), self.value(right))
            self.push(right, Gradient(node, joined(shape, self.shape(left))), None)

    def softmax(self, argument: ast.expr, axis: str, d: Gradient, result: Callable[[], ast.expr]) -> None:
        """Through a softmax along an axis, or over all numbers; `result` gives its value as it is written."""
        self.why = "softmax: p * (d - sum(d * p))"
        d = self.named(self.full(d, self.shape(argument), argument), "p")
        p = result()
        inner = times(d.node, p)
        total = method(inner, "sum") if axis == "all" else method(inner, "sum", axis=int(axis), keepdims=True)
        self.push(argument, Gradient(times(p, ast.BinOp(d.node, ast.Sub(), total)), self.shape(argument)), None)

    def _product(self, left: ast.expr, right: ast.expr, d: Gradient, node: ast.expr) -> None:
        """Matrix products; written as the program writes them."""
        write = product_like(node)
        m, n = self.shape(left), self.shape(right)
        a, b = (
            (self.value(left) if self.is_active(right) else left),
            (self.value(right) if self.is_active(left) else right),
        )
        if self.shapes.is_vector_once(left):
            a = call("np.atleast_2d", a)
        if self.is_active(left):
            if len(n) == 1:
                shown = times(d.node, b) if len(m) == 1 else call("np.outer", d.node, b)
            elif len(m) == 1 and len(n) == 2 and write is not at:
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

    def elementwise(self, name: str, argument: ast.expr, d: Gradient, result: Callable[[], ast.expr]) -> None:
        """Through a function that works number by number; `result` gives its value as it is written."""
        known = derivative(name)
        assert known is not None
        factor = known.of(lambda: self.value(argument), result)
        if known.value:
            written = result()
            has_name = isinstance(written, ast.Name | ast.Subscript | ast.Attribute) and not isinstance(
                known.tree, ast.Call
            )
            word = parsed((has_name and _of_one(self.own_name(base(written)))) or name)
            shown = ast.unparse(known.of(lambda: parsed("u"), lambda: word))
            self.why = ONLY_ABOVE if name == "relu" else f"{name}' = {shown}"
        inner = Gradient(times(d.node, factor), joined(d.shape, self.shape(argument)))
        if not isinstance(argument, ast.Name | ast.Subscript) and not path(argument):
            inner = self.named(inner, "z")
        self.push(argument, inner, None)

    def own_name(self, name: str) -> str:
        """What a name of the forward pass is called where it stands in the text."""
        return name

    def _hint(self, node: ast.expr) -> str:
        """What dL/d(node) is called after the d: `rh` of r * h and of rs[t] * hs[t - 1], z of what is longer."""
        sides = [node.left, node.right] if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult) else []
        sides = node.args if isinstance(node, ast.Call) and called(node) == "multiply" else sides
        words = [_of_one(self.own_name(base(one))) for one in sides if path(core(one))]
        return "".join(words) if len(words) == 2 and len(sides) == 2 else "z"

    @abstractmethod
    def called(self, node: ast.Call, d: Gradient, result: NamedResult) -> None:
        """Carries dL/d(a call's value) on."""


def _of_one(name: str) -> str:
    """What an entry of a list is called: `h` of `hs`, `all_h` and `h_kept`."""
    return name.removeprefix("all_") if name.startswith("all_") else singular(name).removesuffix("_kept")
