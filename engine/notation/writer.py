"""Writes equations for the screen: symbols and subscripts, in the names and the layout of a notation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.errors import InputError
from engine.language.equation import TIME
from engine.language.expression import Binary, Call, Expression, Name, Sum, children, walk
from engine.language.functions import FUNCTIONS, Axes
from engine.language.printing import show
from engine.model.blocks import Block, Line, Loop
from engine.model.program import Program
from engine.notation.spelling import Spelling
from engine.tables.optimizers import PARAMETER
from engine.text import clean

LAST = "T"
"""What the step of a block is called that runs at the last step alone."""


@dataclass(frozen=True)
class Symbols:
    """Textbook symbols: `x_t·Wx + a_{t-1}·Wa + ba`. `time` is the step's name ("t", "T", or a number), None outside time."""

    axes: Mapping[str, Axes]
    timed: frozenset[str]
    time: str | None = "t"
    values: Mapping[str, str] = field(default_factory=dict[str, str])
    spelling: Spelling = field(default_factory=Spelling)
    minus: str = "−"

    def name(self, name: Name) -> str:
        if name.name in self.values:
            return self.values[name.name]
        shown = self.spelling.name(name.name)
        if name.name not in self.timed or self.time is None:
            return shown
        time = superscript if self.spelling.notation.raised else subscript
        # At T, what is read or written at a step before is the first: the last state of the reverse direction.
        return shown + (time("1", 0) if self.time == LAST and name.step < 0 else time(self.time, name.step))

    def number(self, value: float) -> str:
        return f"{value:g}".replace("-", "−")

    def operator(self, node: Binary) -> str:
        if node.operator == "*":
            return " · " if self._is_number(node.left) or self._is_number(node.right) else " ⊙ "
        return {"@": "·", "-": " − "}.get(node.operator, f" {node.operator} ")

    def power(self, base: str, exponent: str) -> str:
        return base + _SUPERSCRIPTS.get(exponent, f"^{exponent}")

    def indicator(self, condition: str) -> str:
        return f"1[{condition}]"

    def call(self, node: Call, arguments: list[str]) -> str:
        return FUNCTIONS[node.function].text.format(*arguments, p=self.name(Name("p")))

    def transpose(self, operand: str) -> str:
        return f"{operand}ᵀ"

    def sum(self, node: Sum, operand: str) -> str:
        over = self.spelling.name(PARAMETER) if node.axis == PARAMETER else node.axis.lower()
        return f"Σ_{over} {operand}"

    def _is_number(self, expression: Expression) -> bool:
        """Whether its value is a single number."""
        if isinstance(expression, Name):
            return not self.axes.get(expression.name)
        if isinstance(expression, Call) and expression.function == "sum":
            return True
        return all(self._is_number(child) for child in children(expression))


_SUPERSCRIPTS = {"2": "²", "3": "³"}


def subscript(time: str, step: int) -> str:
    """`_t`, `_{t-1}`, and for numbers the number itself."""
    if time.lstrip("-").isdigit():
        return f"_{int(time) + step}"
    return f"_{time}" if step == 0 else f"_{{{time}{step:+d}}}"


def superscript(time: str, step: int) -> str:
    """`^(t)`, `^(t-1)`, and for numbers the number itself."""
    return f"^({int(time) + step})" if time.lstrip("-").isdigit() else f"^({time}{f'{step:+d}' if step else ''})"


class Writer:
    """Writes the lines of one program with textbook symbols, in a notation's spelling (none: the engine's own names and layout)."""

    def __init__(
        self,
        program: Program,
        axes: Mapping[str, Axes],
        values: Mapping[str, str] | None = None,
        spelling: Spelling | None = None,
    ) -> None:
        self.program = program
        self.spelling = spelling or Spelling()
        self.axes = {**axes, "W": (), "dW": (), **dict.fromkeys(values or {}, ())}
        self.timed_names = frozenset(name for name, quantity in program.quantities.items() if quantity.rows)
        self.values = dict(values or {})
        self._times = {block.lines[0].block: _time(block) for block in program.blocks}
        self._lines: dict[tuple[int, int, int | None], str] = {}
        self._turned: dict[tuple[int, int], Expression] = {}

    def symbols(self, block: Block, t: int | None = None) -> Symbols:
        """The symbols for a block; with `t` given, times are numbers."""
        time = self._times[block.lines[0].block]
        return Symbols(
            self.axes, self.timed_names, str(t) if time and t is not None else time, self.values, self.spelling
        )

    def line(self, line: Line, t: int | None = None) -> str:
        """A line as text: `dz_t = da_t ⊙ 1[z_t > 0]`."""
        key = line.block, line.index, t
        if key not in self._lines:
            self._lines[key] = self._line(line, t)
        return self._lines[key]

    def _line(self, line: Line, t: int | None) -> str:
        key = line.block, line.index
        if key not in self._turned:
            update = line.phase == "update"  # where every operation is element by element
            layout, equation = self.spelling.layout, line.equation
            self._turned[key] = equation.expression if update else layout.equation(equation, self.axes)
        text = self.expression(self._turned[key], self.program.blocks[line.block], t)
        return f"{self.target(line, t)} {assignment(line)} {text}"

    def target(self, line: Line, t: int | None = None) -> str:
        """What a line writes."""
        symbols = self.symbols(self.program.blocks[line.block], t)
        return symbols.name(Name(line.name, line.equation.step))

    def timed(self, name: str) -> str:
        """A quantity in time at any step: `a_t`."""
        return Symbols(self.axes, self.timed_names, "t", spelling=self.spelling).name(Name(name))

    def expression(self, expression: Expression, block: Block, t: int | None = None) -> str:
        """A tree as text, in a block; the tree is not rewritten for the layout, see `Layout.turned`."""
        return show(expression, self.symbols(block, t))

    def title(self, block: Block) -> str:
        """The heading of a block in the listing."""
        if not block.in_time:
            return block.title
        return f"{block.title}, {block.loop.value}" if block.title else block.loop.value

    @property
    def for_each(self) -> str:
        """The heading of what is done for each parameter."""
        return Loop.PARAMETERS.value.removesuffix(PARAMETER) + self.spelling.name(PARAMETER)


def _time(block: Block) -> str | None:
    """What the step is called in a block; None outside time."""
    trees = (line.equation.expression for line in block.lines)
    if any(isinstance(node, Sum) and node.axis == TIME for tree in trees for node in walk(tree)):
        return "t"
    return "t" if block.in_time else {Loop.AT_1: "1", Loop.AT_T: LAST}.get(block.loop)


def assignment(line: Line) -> str:
    """= or +=, or ← where a line of the update replaces what it reads."""
    if line.equation.accumulate:
        return "+="
    replaced = any(name.name == line.name and name.step < 0 for name in line.equation.reads)
    return "←" if replaced and line.phase == "update" else "="


def parse_cell(source: str) -> tuple[str, int | None, tuple[int, ...]]:
    """`da@3[0,5]` as ("da", 3, (0, 5)); InputError for anything else."""
    rest, index = source.strip(), ()
    try:
        if rest.endswith("]"):
            rest, _, inside = rest[:-1].partition("[")
            index = tuple(int(part) for part in inside.split(","))
        name, _, time = rest.partition("@")
        t = int(time) if time else None
    except ValueError:  # also of more digits than Python turns into a number
        raise InputError(f"{clean(source, 60)} is not of the form da@3[0,5]: name, @time step, [indices]") from None
    return name.strip(), t, index
