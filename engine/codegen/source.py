"""Writes expressions as NumPy source, in the names and the layout of a notation: `a[t - 1] @ Wa`, `Whh @ hs[t - 1]`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.language.derive import CUT
from engine.language.equation import TIME, Equation
from engine.language.expression import Call, Expression, Name, Sum, walk
from engine.language.functions import CARRIED, FUNCTIONS
from engine.language.printing import NumpySyntax, atom, show, upright
from engine.model.blocks import Quantity
from engine.notation import Spelling
from engine.notation.layout import COLUMN
from engine.notation.writer import LAST
from engine.recording.plan import Plan

_WORDS = (
    "np t k X trace data table text file cells codes classes known valid steps lengths chosen order epoch number rng bound weights "
    "load_file batch beyond_window iteration gradients name value print float int len range sum sorted"
)
RESERVED = frozenset({*_WORDS.split(), *(name for name, function in FUNCTIONS.items() if function.definition)})
"""What the program itself calls something: a cell's quantity of that name gets a line under it."""


@dataclass(frozen=True)
class Source(NumpySyntax):
    """How leaves and operators are written. `time` is the loop's variable, `values` are scalars written as numbers."""

    spelling: Spelling
    quantities: Mapping[str, Quantity]
    values: Mapping[str, str] = field(default_factory=dict[str, str])
    time: str = "t"
    dtype: str = ""
    local: Mapping[str, str] = field(default_factory=dict[str, str])
    """Quantities that have another variable here, and its name."""

    def name(self, name: Name) -> str:
        if name.name in self.values:
            return self.values[name.name]
        quantity = self.quantities.get(name.name)
        if quantity is None or not quantity.rows:
            return self.spelling.name(name.name)
        step = f"{self.time} {'-' if name.step < 0 else '+'} {abs(name.step)}" if name.step else self.time
        if self.time == LAST and name.step < 0:  # the last state of the reverse direction
            step = "1"
        elif self.time.isdigit():
            step = str(int(self.time) + name.step)
        if quantity.given:
            return given(self.spelling, quantity, step)
        return f"{self.local.get(name.name) or self.spelling.kept(name.name)}[{step}]"

    def call(self, node: Call, arguments: list[str]) -> str:
        if node.function == COLUMN:
            return upright(arguments[0])
        if node.function == CARRIED:
            return self._carried(node)
        source, _ = FUNCTIONS[node.function].printed(columns=self.spelling.layout.columns)
        text = source.format(*arguments, dtype=self.dtype)
        return atom(text) if source == "{0}" else text

    def sum(self, node: Sum, operand: str) -> str:
        if node.axis == TIME:
            return f"sum({operand} for t in range(1, T + 1))"
        if self.spelling.layout.columns and node.position == 1:
            return f"{atom(operand)}.sum(axis=1, keepdims=True)"
        return super().sum(node, operand)

    def _carried(self, node: Call) -> str:
        """What the loss just beyond the window adds, see `beyond_window`; nothing where there is no such loss."""
        loss, cut = node.arguments
        assert isinstance(loss, Name) and isinstance(cut, Name)
        whole = self.spelling.name(cut.name.removesuffix(CUT))
        there = f"t - {-loss.step} >= 1" if loss.step < 0 else f"t + {loss.step} <= T"
        sign, beyond = ("-", "t + 1") if loss.step < 0 else ("+", "t - 1")
        return f'(beyond_window(t {sign} {abs(loss.step)})["{whole}"][{beyond}] if {there} else 0)'


def given(spelling: Spelling, quantity: Quantity, step: str) -> str:
    """The row of a step of what is known beforehand: it lies as the data do, step t in row t - 1; in columns, one array a step."""
    name = given_name(spelling, quantity.name)
    if spelling.layout.columns:
        return f"{name}[{step}]"
    return f"{name}[{step} - 1]" if spelling.notation.time_first else f"{name}[:, {step} - 1]"


def given_name(spelling: Spelling, name: str) -> str:
    """The variable that holds what is known beforehand; whole arrays of inputs are called X."""
    return "X" if name == "x" and not spelling.layout.columns else spelling.kept(name)


@dataclass(frozen=True, eq=False)
class Style:
    """What every line of one printed program needs: names, layout, shapes, dtype."""

    plan: Plan
    spelling: Spelling

    def source(self, time: str = "t", *, count: str = "", local: Mapping[str, str] | None = None) -> Source:
        """The printer for a block; `count` is the number of the update."""
        scalars = {name: repr(value) for name, value in self.plan.network.hyperparameters.items()}
        dtype = self.kind(", dtype=")
        quantities = dict(self.plan.program.quantities)
        return Source(self.spelling, quantities, {**scalars, "count": count}, time, dtype, local or {})

    def right(self, equation: Equation, source: Source) -> str:
        """The right-hand side of an equation as source."""
        return show(self.spelling.layout.equation(equation, self.plan.axes, spread=True), source)

    def shape(self, name: str) -> str:
        """The shape of a quantity at one step, in numbers."""
        quantity = self.plan.program.quantities.get(name)
        axes = self.plan.axes[name] if quantity is None else quantity.axes
        return str(self.spelling.layout.sizes(axes, self.plan.sizes))

    def letters(self, name: str) -> list[str]:
        """The axes of a quantity at one step, in letters."""
        return list(self.spelling.layout.shape(self.plan.axes[name]))

    def zeros(self, name: str) -> str:
        """The source of an array of zeros like a quantity."""
        letters = self.letters(name)
        return f"np.zeros(({', '.join(letters)}{',' if len(letters) == 1 else ''}){self.kind(', ')})"

    def kind(self, before: str) -> str:
        """The dtype as an argument, where it is not NumPy's default."""
        return "" if self.plan.network.dtype == "float64" else f"{before}np.{self.plan.network.dtype}"

    def definitions(self) -> list[str]:
        """The functions that NumPy does not have, where the model uses them."""
        used = {node.function for line in self.plan.program.lines for node in _calls(line.equation.expression)}
        functions: list[str] = []
        for name in (name for name in FUNCTIONS if name in used):
            _, definition = FUNCTIONS[name].printed(columns=self.spelling.layout.columns)
            functions += ["", *definition.splitlines(), ""] if definition else []
        return [*functions, ""] if functions else []


def _calls(expression: Expression) -> list[Call]:
    return [node for node in walk(expression) if isinstance(node, Call)]


def indented(lines: list[str], by: str = "    ") -> list[str]:
    """The lines, indented."""
    return [by + line if line else "" for line in lines]
