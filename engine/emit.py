"""Writes the Python source of a plan: one NumPy call a node, results in place, scratch arrays where a node needs one.

A line is emitted in one of two settings that differ only in what a name stands for: one step (`z[t]`), or a block of consecutive
steps seen as one bigger batch (`z[low:high]` with its first two axes joined).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Mapping
from typing import Any

import numpy as np

from engine.equation import Equation, infer, needs_column
from engine.expression import Binary, Call, Derivative, Expression, Name, Negative, Number, Sum, Transpose
from engine.functions import FUNCTIONS, Array, Axes
from engine.program import Quantity

_UFUNCS = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide", "**": "power", ">": "greater", "@": "matmul"}

_SPREADING = frozenset(_UFUNCS.values()) - {"matmul"}
_IN_PLACE = _SPREADING | {"negative", "square"} | {f"f_{f.name}" for f in FUNCTIONS.values() if f.elementwise}


class Emitter:
    """Collects the source of one function `run(values, low, high)` over rows [low, high) of the recorded arrays."""

    def __init__(self, quantities: Mapping[str, Quantity], axes: Mapping[str, Axes], sizes: Mapping[str, int]) -> None:
        self.quantities = quantities
        self.axes = axes
        self.sizes = sizes
        self.prologue: dict[str, str] = {}
        self.body: list[str] = []
        self.indent = "    "
        self.in_loop = False
        self.bound: dict[str, str] = {}
        self.temporaries: dict[str, tuple[Axes, bool]] = {}
        self.free: list[str] = []

    def block_line(self, equation: Equation) -> None:
        """A line over all rows [low, high) at once; `+=` adds to what the target holds."""
        self._line(equation, "+" if equation.accumulate else "")

    def step_line(self, equation: Equation, operator: str) -> None:
        """A line at one step; with an operator the target already holds the part computed before the loop."""
        self._line(equation, operator)

    @contextlib.contextmanager
    def loop(self, *, reverse: bool) -> Generator[None]:
        """The lines emitted inside run once for each row t in [low, high)."""
        position = len(self.body)
        self.indent, self.in_loop, self.bound = "        ", True, {}
        yield
        loop = "range(high - 1, low - 1, -1)" if reverse else "range(low, high)"
        if len(self.body) > position:
            rows = [f"        {variable} = {source}" for variable, source in self.bound.items()]
            self.body[position:position] = [f"    for t in {loop}:", *rows]
        self.indent, self.in_loop, self.bound = "    ", False, {}

    def compile(self, dtype: str, block_steps: int) -> Callable[[Mapping[str, Array], int, int], None]:
        """The finished function; its scratch arrays are made when it first runs."""
        head = [f"    {variable} = {source}" for variable, source in self.prologue.items()]
        source = "\n".join(["def run(values, scratch, low, high):", "    n = (high - low) * B", *head, *self.body, ""])
        namespace: dict[str, Any] = {
            name: getattr(np, name) for name in (*_UFUNCS.values(), "negative", "square", "copyto")
        }
        namespace |= {f"f_{name}": function.compute for name, function in FUNCTIONS.items()}
        namespace |= {"reduce_sum": np.add.reduce, **self.sizes}
        exec(compile(source, "<plan>", "exec"), namespace)
        shapes = {name: self._shape(axes, block, block_steps) for name, (axes, block) in self.temporaries.items()}

        def run(values: Mapping[str, Array], low: int, high: int) -> None:
            scratch = {name: np.empty(shape, dtype) for name, shape in shapes.items()}
            namespace["run"](values, scratch, low, high)

        run.__doc__ = source
        return run

    def _shape(self, axes: Axes, block: bool, block_steps: int) -> tuple[int, ...]:
        return tuple(self.sizes[a] * (block_steps if block and a == "B" else 1) for a in axes)

    # Lines and nodes

    def _line(self, equation: Equation, operator: str) -> None:
        target = self._name(Name(equation.target, equation.step))
        expression = equation.expression
        if operator:
            value = self._value(expression)
            self._call(_UFUNCS[operator], [target, self._column(value, expression, self.axes[equation.target])], target)
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
            case Binary(operator=operator, left=left, right=right):
                self._apply(_UFUNCS[operator], [left, right], out, expression)
            case Call(function=function, arguments=arguments):
                self._apply(f"f_{function}", list(arguments), out, expression)
            case Sum(operand=operand, position=position):
                value = self._value(operand)
                self.body.append(f"{self.indent}reduce_sum({value}, {position}, None, {out})")
                self._release(value)
            case Name() | Number() | Transpose():
                self._call("copyto", [out, self._value(expression)])

    def _apply(self, function: str, operands: list[Expression], out: str, whole: Expression) -> None:
        """function(*operands, out=out); the first compound operand of the result's own shape is computed in `out` itself."""
        shape = infer(whole, self.axes)
        in_place = function in _IN_PLACE
        values: list[str] = []
        for operand in operands:
            if in_place and out not in values and _compound(operand) and infer(operand, self.axes) == shape:
                self._into(operand, out)
                values.append(out)
            else:
                values.append(self._value(operand))
        spread = function in _SPREADING
        columns = [self._column(v, o, shape) if spread else v for v, o in zip(values, operands, strict=True)]
        self._call(function, columns, out)
        for value in values:
            if value != out:  # what was computed in place belongs to the caller
                self._release(value)

    def _value(self, expression: Expression) -> str:
        """Source for the expression's value, in a scratch array when it must be computed."""
        match expression:
            case Name():
                return self._name(expression)
            case Number(value=value):
                return repr(value)
            case Transpose(operand=operand):
                return self._value(operand) + ".T"
            case _:
                scratch = self._scratch(infer(expression, self.axes))
                self._into(expression, scratch)
                return scratch

    def _call(self, function: str, arguments: list[str], out: str | None = None) -> None:
        end = f", out={out})" if out else ")"
        self.body.append(f"{self.indent}{function}({', '.join(arguments)}{end}")

    def _column(self, value: str, operand: Expression, result: Axes) -> str:
        return f"{value}[:, None]" if needs_column(infer(operand, self.axes), result) else value

    # Names and scratch

    def _name(self, name: Name) -> str:
        if name.name in self.sizes:
            return name.name
        quantity = self.quantities.get(name.name)
        source = f"values[{name.name!r}]"
        if quantity is None or not quantity.rows:
            return self._bind(self.prologue, f"v_{name.name}", source)
        shift = name.step + (1 if quantity.rows == "T+1" else 0)
        variable = f"{name.name}_{'m' if name.step < 0 else ''}{abs(name.step)}"
        array = self._bind(self.prologue, f"v_{name.name}", source)
        if self.in_loop:
            return self._bind(self.bound, f"{variable}_t", f"{array}[t{shift:+d}]" if shift else f"{array}[t]")
        rows = f"{array}[low{shift:+d} : high{shift:+d}]" if shift else f"{array}[low:high]"
        return self._bind(self.prologue, f"{variable}_b", f"{rows}.reshape(n, *{array}.shape[2:])")

    @staticmethod
    def _bind(where: dict[str, str], variable: str, source: str) -> str:
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


def _compound(expression: Expression) -> bool:
    return not isinstance(expression, Name | Number | Transpose)
