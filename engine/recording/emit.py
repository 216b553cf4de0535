"""Writes the Python source of a plan: one NumPy call per node, results written in place, scratch arrays where a node needs one.

A line is emitted in one of two settings that differ only in what a name stands for: one step (`z[t]`), or a block of consecutive
steps seen as one bigger batch (`z[low:high]` with its first two axes joined).

Many small matrix products are slow, so at one step those that share a side are computed as one. Products with the same
left side (`h_prev @ Whi`, `h_prev @ Whf`, …) become one product with a stack of the matrices, or with the matrices side by side
where they are not of one width; each line takes its array of the stack, or its columns. The products that a line adds up
(`dzi @ Whi.T + dzf @ Whf.T + …`) become one product of the left sides, side by side, with the matrices below each other. Left
sides that lie so in memory (`beside.py`) are taken as they lie, also over many steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate, pairwise
from types import CodeType
from typing import Any, TypeAlias, TypeGuard, TypeVar

import numpy as np

from engine.language.equation import Equation, infer, needs_column
from engine.language.expression import (
    Binary,
    Call,
    Derivative,
    Expression,
    Name,
    Negative,
    Number,
    Sum,
    Transpose,
    addends,
    names,
    substitute,
    total,
    walk,
)
from engine.language.functions import COMPUTE, FUNCTIONS, Array, Axes, compute_name
from engine.language.operators import OPERATORS
from engine.language.printing import transposed, upright
from engine.model.blocks import Quantity
from engine.recording.beside import Beside, Group, side_by_side

Runner: TypeAlias = Callable[[dict[str, Array], int, int], None]
"""A compiled part of a plan: works on rows [low, high) of the arrays it is given by name."""

_Bound = TypeVar("_Bound")
_IDENTIFIER = str.maketrans(".-+", "pmp")

_UFUNCS = frozenset(entry.ufunc for entry in OPERATORS.values())
_SPREADING = _UFUNCS - {"matmul"}
_IN_PLACE = _SPREADING | {"negative", "square"} | {compute_name(f.name) for f in FUNCTIONS.values() if f.elementwise}


@lru_cache(maxsize=256)
def _code(source: str) -> CodeType:
    """A function's text compiled: networks that differ in sizes alone have the same."""
    return compile(source, "<plan>", "exec")


class Emitter:
    """Collects the source of one function `run(values, low, high)` over rows [low, high) of the recorded arrays."""

    def __init__(
        self, quantities: Mapping[str, Quantity], axes: Mapping[str, Axes], sizes: Mapping[str, int], beside: Beside
    ) -> None:
        self.quantities = quantities
        self.axes = dict(axes)
        self.sizes = dict(sizes)
        self.beside = beside
        self.groups: dict[str, Group] = {}
        self.narrow: set[str] = set()
        self.seen: set[str] = set()
        self.prologue: dict[str, str] = {}
        self.body: list[str] = []
        self.indent = "    "
        self.in_loop = False
        self.samples = slice(None)
        self.rows: dict[str, str] = {}
        self.constants: dict[str, float] = {}
        self.temporaries: dict[str, tuple[Axes, bool]] = {}
        self.free: list[str] = []
        self.families: dict[Expression, list[Binary]] = {}
        self.made: dict[Expression, str] = {}
        self.wide: dict[str, tuple[int, ...]] = {}

    def block_line(self, equation: Equation) -> None:
        """A line over all rows [low, high) at once; `+=` adds to what the target holds."""
        self._line(equation, "+" if equation.accumulate else "")

    def loop(self, lines: Sequence[tuple[Equation, str]], *, reverse: bool, samples: slice) -> None:
        """Lines that run once for each row t in [low, high), on some of the samples; one with an operator has, in its target, the part
        computed before."""
        if not lines:
            return
        self.samples = samples
        self.indent, self.in_loop, self.rows = "        ", True, {}
        self.families = self._families(equation.expression for equation, _ in lines)
        position = len(self.body)
        for equation, operator in lines:
            self._line(equation, operator)
        backwards = "[::-1]" if reverse else ""
        sources = ", ".join(f"{source}{backwards}" for source in self.rows.values())
        variables = f"{', '.join(self.rows)}, in zip({sources})" if self.rows else "_ in range(low, high)"
        self.body.insert(position, f"    for {variables}:")
        self.indent, self.in_loop, self.families, self.made = "    ", False, {}, {}

    def compile(self, dtype: str, block_steps: int) -> Runner:
        """The finished function; its scratch arrays are made whenever it runs."""
        head = [f"    {variable} = {source}" for variable, source in self.prologue.items()]
        source = "\n".join(["def run(values, scratch, low, high):", "    n = (high - low) * B", *head, *self.body, ""])
        namespace: dict[str, Any] = {name: getattr(np, name) for name in (*_UFUNCS, "negative", "square", "copyto")}
        namespace |= COMPUTE
        namespace |= {name: np.array(value, dtype) for name, value in self.constants.items()}
        namespace |= {
            "samples": self.samples,
            "reduce_sum": np.add.reduce,
            "joined": _joined,
            "side_by_side": side_by_side,
            **self.sizes,
        }
        exec(_code(source), namespace)
        shapes = {
            name: tuple(self._size(axis) * (block_steps if block and axis == "B" else 1) for axis in axes)
            for name, (axes, block) in self.temporaries.items()
        }
        shapes |= self.wide

        def run(values: dict[str, Array], low: int, high: int) -> None:
            scratch = {name: np.empty(shape, dtype) for name, shape in shapes.items()}
            namespace["run"](values, scratch, low, high)

        run.__doc__ = source
        return run

    def _size(self, axis: str) -> int:
        """How long an axis of a scratch array is: in a loop on some of the samples it holds these alone."""
        return len(range(self.sizes["B"])[self.samples]) if axis == "B" else self.sizes[axis]

    # Lines and nodes

    def _line(self, equation: Equation, operator: str) -> None:
        target = self._name(Name(equation.target, equation.step))
        expression = equation.expression
        if operator:
            value = self._value(expression)
            self._call(
                OPERATORS[operator].ufunc, [target, self._column(value, expression, self.axes[equation.target])], target
            )
            self._release(value)
        else:
            self._into(expression, target)

    def _into(self, expression: Expression, out: str) -> None:
        """Emits the calls that leave the expression's value in `out`."""
        match expression:
            case Derivative(body=body):
                self._into(body, out)
            case Negative(operand=operand):
                self._apply("negative", [operand], out, expression)
            case Binary("**", left, Number(value=2)):
                self._apply("square", [left], out, expression)
            case _ if expression in self.families:
                self._call("copyto", [out, self._value(expression)])
            case Binary("+" | "-") if len(products := self._to_gather(expression)) > 1:
                self._gathered(products, [term for term in addends(expression) if term not in products], out)
            case Binary(operator=operator, left=left, right=right):
                self._apply(OPERATORS[operator].ufunc, [left, right], out, expression)
            case Call(function=function, arguments=arguments) if kernel := FUNCTIONS[function].kernel:
                self._into(substitute(kernel, {Name("u"): arguments[0]}), out)
            case Call(function=function, arguments=arguments):
                self._apply(compute_name(function), list(arguments), out, expression)
            case Sum(operand=operand, position=position):
                value = self._value(operand)
                self.body.append(f"{self.indent}reduce_sum({value}, {position}, None, {out})")
                self._release(value)
            case Name() | Number() | Transpose():
                self._call("copyto", [out, self._value(expression)])

    def _apply(self, function: str, operands: list[Expression], out: str, whole: Expression) -> None:
        """function(*operands, out=out); the first compound operand that has the shape of the result is computed in `out` itself."""
        shape = infer(whole, self.axes)
        in_place = function in _IN_PLACE and out not in self.narrow  # rows with others between them are slow
        values: list[str] = []
        for operand in operands:
            if in_place and out not in values and self._compound(operand) and infer(operand, self.axes) == shape:
                self._into(operand, out)
                values.append(out)
            else:
                values.append(self._value(operand))
        spread = function in _SPREADING
        columns = [self._column(v, o, shape) if spread else v for v, o in zip(values, operands, strict=True)]
        self._call(function, columns, out)
        for value in values:
            if value != out:  # what was computed in `out` is not scratch
                self._release(value)

    def _value(self, expression: Expression) -> str:
        """Source for the expression's value, in a scratch array when it must be computed."""
        match expression:
            case _ if expression in self.families:
                return self._shared(expression)
            case _ if not self.in_loop and expression in self.beside.families:
                return self._with_its_group(expression)
            case Name():
                return self._name(expression)
            case Number(value=value):
                return self._bind(self.constants, f"k_{value!r}".translate(_IDENTIFIER), value)
            case Transpose(operand=Name(name=name)) if self.in_loop and name not in self.quantities:
                return self._joined((name,), transposed=True)
            case Transpose(operand=operand):
                return transposed(self._value(operand))
            case _:
                scratch = self._scratch(infer(expression, self.axes))
                self._into(expression, scratch)
                return scratch

    def _call(self, function: str, arguments: list[str], out: str | None = None) -> None:
        self.body.append(f"{self.indent}{function}({', '.join([*arguments, out] if out else arguments)})")

    def _column(self, value: str, operand: Expression, result: Axes) -> str:
        return upright(value) if needs_column(infer(operand, self.axes), result) else value

    def _compound(self, expression: Expression) -> bool:
        return not isinstance(expression, Name | Number | Transpose) and expression not in self.families

    # Products that are computed together

    def _shared(self, expression: Expression) -> str:
        """The part of the joined product that belongs to one product of its family; the first one asked for computes it."""
        if expression not in self.made:
            family = self.families[expression]
            left = family[0].left
            rows, columns = infer(left, self.axes)[0], [infer(p.right, self.axes)[1] for p in family]
            alike = len({self.sizes[axis] for axis in columns}) == 1
            whole, *parts = self._stack(rows, columns) if alike else self._wide(rows, columns)
            transposed = isinstance(family[0].right, Transpose)
            right = self._joined([_matrix(p) for p in family], transposed=transposed, axis=None if alike else 1)
            self._call("matmul", [self._value(left), right], whole)
            self.made.update(zip(family, parts, strict=True))
        return self.made[expression]

    def _to_gather(self, expression: Expression) -> list[Binary]:
        """The addends that are products of rows with a weight matrix, none of them transposed or all of them: at one step all, over many
        steps those whose rows are a group."""
        products = [p for p in addends(expression) if self._is_product(p) and p not in self.families]
        kinds = {isinstance(p.right, Transpose) for p in products}
        return products if len(kinds) == 1 and (self.in_loop or self._group_of(products)) else []

    def _group_of(self, products: Sequence[Binary]) -> Group | None:
        """The group that the left sides are, one each."""
        group = self.beside.together(p.left.name for p in products if isinstance(p.left, Name) and not p.left.step)
        return group if group and len(group) == len(products) else None

    def _gathered(self, products: list[Binary], rest: list[Expression], out: str) -> None:
        group = self._group_of(products)
        if group:
            wide = self._name(self._all_of(group))
            products.sort(key=lambda product: group.index(names(product.left)[0].name))
        else:
            wide, *parts = self._wide(
                infer(products[0].left, self.axes)[0], [infer(p.left, self.axes)[1] for p in products]
            )
            for part, product in zip(parts, products, strict=True):
                self._into(product.left, part)
        right = self._joined(
            [_matrix(p) for p in products], transposed=isinstance(products[0].right, Transpose), axis=0
        )
        if not rest:
            self._call("matmul", [wide, right], out)
            return
        self._into(total(rest), out)
        value = self._scratch(infer(products[0], self.axes))
        self._call("matmul", [wide, right], value)
        self._call("add", [out, value], out)
        self._release(value)

    def _with_its_group(self, expression: Expression) -> str:
        """The columns that are an expression's value where it is computed with its whole group in the place of one."""
        group, one = self.beside.families[expression]
        whole = substitute(expression, {Name(one): self._all_of(group)})
        if whole not in self.made:
            self.made[whole] = self._value(whole)
        widths = [self.sizes[self.axes[name][1]] for name in group]
        place = group.index(one)
        return f"{self.made[whole]}[..., {sum(widths[:place])}:{sum(widths[: place + 1])}]"

    def _all_of(self, group: Group) -> Name:
        """What stands for a whole group in an expression."""
        name = "_".join(group)
        axis = f"{name} axis"
        self.groups[name] = group
        self.axes[name] = "B", axis
        self.sizes[axis] = sum(self.sizes[self.axes[one][1]] for one in group)
        return Name(name)

    def _is_product(self, expression: Expression) -> TypeGuard[Binary]:
        """Whether it is a product of a quantity's rows with a weight matrix."""
        match expression:
            case Binary("@", Name() as left, Name(name=name) | Transpose(Name(name=name))):
                return name not in self.quantities and len(infer(left, self.axes)) == 2
            case _:
                return False

    def _families(self, lines: Iterable[Expression]) -> dict[Expression, list[Binary]]:
        """The products at one step that share their left side: for each of them, the whole family."""
        together: dict[tuple[Expression, bool], list[Binary]] = {}
        for node in dict.fromkeys(node for line in lines for node in walk(line)):
            if self._is_product(node) and not (isinstance(node.left, Name) and node.left.name in self.beside):
                together.setdefault((node.left, isinstance(node.right, Transpose)), []).append(node)
        return {node: family for family in together.values() if len(family) > 1 for node in family}

    def _stack(self, rows: str, columns: list[str]) -> list[str]:
        """A scratch array for several blocks of one width, one after the other, and those blocks, each of which is contiguous."""
        name = f"w{len(self.wide)}"
        self.wide[name] = len(columns), self._size(rows), self.sizes[columns[0]]
        self._bind(self.prologue, name, f"scratch[{name!r}]")
        return [name, *(self._bind(self.prologue, f"{name}_{k}", f"{name}[{k}]") for k in range(len(columns)))]

    def _wide(self, rows: str, columns: list[str]) -> list[str]:
        """A scratch array for several blocks of columns, and those blocks, which are views of it."""
        name = f"w{len(self.wide)}"
        edges = [0, *accumulate(self.sizes[axis] for axis in columns)]
        self.wide[name] = self._size(rows), edges[-1]
        self._bind(self.prologue, name, f"scratch[{name!r}]")
        parts = [
            self._bind(self.prologue, f"{name}_{low}", f"{name}[:, {low}:{high}]") for low, high in pairwise(edges)
        ]
        return [name, *parts]

    def _joined(self, matrices: Sequence[str], *, transposed: bool, axis: int | None = 0) -> str:
        variable = "_".join(["T" if transposed else "M", str(axis), *matrices])
        return self._bind(self.prologue, variable, f"joined(values, {tuple(matrices)!r}, {transposed}, {axis})")

    # Names and scratch

    def _name(self, name: Name) -> str:
        if name.name in self.sizes:
            return name.name
        if name.name in self.groups:
            return self._columns_of(self.groups[name.name])
        quantity = self.quantities.get(name.name)
        source = f"values[{name.name!r}]"
        some = self.in_loop and quantity is not None and quantity.axes[:1] == ("B",)
        if quantity is None or not quantity.rows:
            return self._bind(self.prologue, f"v_{name.name}", f"{source}[samples]" if some else source)
        shift = quantity.row(1 + name.step)
        variable = f"{name.name}_{'m' if name.step < 0 else ''}{abs(name.step)}"
        array = self._bind(self.prologue, f"v_{name.name}", source)
        span = f"low{shift:+d} : high{shift:+d}" if shift else "low:high"
        rows = f"{array}[{span}, samples]" if some else f"{array}[{span}]"
        result = f"{variable}_t" if self.in_loop else f"{variable}_b"
        if name.name in self.beside:
            self.narrow.add(result)
        if self.in_loop:
            return self._bind(self.rows, result, rows)
        return self._bind(self.prologue, result, f"{rows}.reshape(n, *{array}.shape[2:])")

    def _columns_of(self, group: Group) -> str:
        """A whole group; over many steps not before it is asked for: a copy would be one of what was there before."""
        source = f"side_by_side(values, {group!r}, copied={not self.in_loop})"
        if self.in_loop:
            return self._bind(self.rows, f"{'_'.join(group)}_t", f"{source}[low:high, samples]")
        variable = f"{'_'.join(group)}_b"
        if variable not in self.seen:
            self.seen.add(variable)
            self.body.append(f"{self.indent}{variable} = {source}[low:high].reshape(n, -1)")
        return variable

    @staticmethod
    def _bind(where: dict[str, _Bound], variable: str, source: _Bound) -> str:
        where.setdefault(variable, source)
        return variable

    def _scratch(self, axes: Axes) -> str:
        wanted = (axes, not self.in_loop)
        for name in self.free:
            if self.temporaries[name] == wanted:
                self.free.remove(name)
                return self._sliced(name)
        name = f"s{len(self.temporaries)}"
        self.temporaries[name] = wanted
        return self._sliced(name)

    def _sliced(self, name: str) -> str:
        axes, block = self.temporaries[name]
        rows = "[:n]" if block and "B" in axes else ""
        return self._bind(self.prologue, name, f"scratch[{name!r}]{rows}")

    def _release(self, value: str) -> None:
        name = value.removesuffix(".T")
        if name in self.temporaries and name not in self.free:
            self.free.append(name)


def _matrix(product: Binary) -> str:
    """The name of the weight matrix on the right of a product."""
    (name,) = names(product.right)
    return name.name


def _joined(values: dict[str, Array], matrices: tuple[str, ...], transposed: bool, axis: int | None) -> Array:
    """Weight matrices side by side (axis 1) or below each other (0), or as a stack of matrices (None), contiguous; kept among the values,
    so made once a run."""
    key = f"{' | '.join(matrices)} {transposed} {axis}"
    if key not in values:
        parts = [values[name].T if transposed else values[name] for name in matrices]
        shape, dtype = list(parts[0].shape), parts[0].dtype
        if axis is None:
            values[key] = np.stack(parts, out=np.empty((len(parts), *shape), dtype))
        else:
            shape[axis] = sum(part.shape[axis] for part in parts)
            values[key] = np.concatenate(parts, axis, out=np.empty(shape, dtype))
    return values[key]
