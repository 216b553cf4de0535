"""Forward, loss, backward and update as lines of the program, each with its shape beside it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from engine.codegen.source import Source, Style, indented
from engine.language.derive import CUT, FULL, NEXT, gradient, whole
from engine.language.equation import Equation
from engine.language.expression import Name
from engine.model.blocks import Block, Line, Loop
from engine.model.program import carried_over
from engine.recording.schedule import is_carried
from engine.tables.heads import LOGITS

_NOTES = {
    "loss": "one number for the whole batch",
    "+=": "the sum over time: step t adds its term",
    "-1": "what flows to the step before",
    "+1": "what flows to the step after",
    FULL: "what would flow to the step before",
    CUT: "what truncation takes from it",
}

LONGEST = 130
"""Characters of a line with a note beside it."""
ALIGNED = 80
"""Where the shapes beside the lines stand at most; those of longer lines follow at once."""


def phases(style: Style, wanted: tuple[str, ...], heading: str, initial: dict[str, str] | None = None) -> list[str]:
    """The lines of some phases; `initial` holds the source of every initial state that is not zero, and of every flow that
    begins with something."""
    lines, stored = [heading], set[str]()
    for block in style.plan.program.blocks:
        if block.phase in wanted:
            lines += _storage(style, block, stored)
            written = {line.name for line in block.lines if block.in_time}
            begun = {name: source for name, source in (initial or {}).items() if name in written}
            for name, variable in begun.items():
                reverse = style.plan.program.quantities[name].reverse
                row = ("1" if reverse else "T") if name.endswith(NEXT) else "T + 1" if reverse else "0"
                lines.append(f"{style.spelling.kept(name)}[{row}] = {variable}")
            lines += _lines(style, block)
    return [*lines, ""]


def _storage(style: Style, block: Block, stored: set[str]) -> list[str]:
    """Arrays for what is kept in time, one row a step, and zeros for sums over time to start from."""
    spelling, lines = style.spelling, list[str]()
    for line in block.lines:
        name, quantity = line.name, style.plan.program.quantities[line.name]
        if name in stored or not (quantity.rows or line.equation.accumulate):
            continue
        stored.add(name)
        if line.equation.accumulate:
            lines.append(f"{spelling.name(name)} = np.zeros_like({spelling.name(whole(name).removeprefix('d'))})")
        else:
            row, rows = ("T + 1", "T + 2") if quantity.reverse else ("0", "T + 1")
            zero = f", row {row} the initial state" if quantity.rows == "T+1" and block.phase == "forward" else ""
            shape = ", ".join([rows, *style.letters(name)])
            note = f"  # row t is step t{zero}"
            lines.append(f"{spelling.kept(name)} = np.zeros(({shape}){style.kind(', ')}){note}")
    return lines


def _lines(style: Style, block: Block) -> list[str]:
    indent = "    " if block.in_time else ""
    source = style.source({Loop.AT_1: "1", Loop.AT_T: "T"}.get(block.loop, "t"))
    texts = [indent + _written(style, line.equation, source) for line in block.lines]
    width = min(ALIGNED, max(map(len, texts)))
    code = [
        _beside(f"{text:<{width}}  # ", style.shape(line.name), note)
        for text, line, note in zip(texts, block.lines, _notes(block), strict=True)
    ]
    loop = {Loop.UP: ["for t in range(1, T + 1):"], Loop.DOWN: ["for t in range(T, 0, -1):"]}.get(block.loop, [])
    return [*loop, *code]


def _written(style: Style, equation: Equation, source: Source) -> str:
    target = source.name(Name(equation.target, equation.step))
    return f"{target} {'+=' if equation.accumulate else '='} {style.right(equation, source)}"


def _beside(text: str, shape: str, note: str) -> str:
    """A line with its shape (unless it is a number) and a note beside it, where there is room."""
    shape = "" if shape == "()" else shape
    whole = f"{text}{shape} {note}" if shape else text + note
    return whole if note and len(whole) <= LONGEST else (text + shape).removesuffix("  # ").rstrip()


def _notes(block: Block) -> list[str]:
    """For each line a note on what is easily got wrong, once in a block."""
    result: list[str] = []
    said: set[str] = set()
    for line in block.lines:
        kind = line.name
        if line.equation.accumulate:
            kind = "+="
        elif line.equation.step and block.in_time:
            kind = next((suffix for suffix in (FULL, CUT) if line.name.endswith(suffix)), f"{line.equation.step:+d}")
        result.append("" if kind in said else _NOTES.get(kind, ""))
        said.add(kind)
    return result


def beyond_window(style: Style) -> list[str]:
    """A function for what truncation by a window takes away, where every step has a loss; nothing for any other model.

    It carries the gradient of one loss alone back through the same lines, as far as it may go and one step further.
    """
    program, window = style.plan.program, style.plan.network.truncate
    loops = program.looped("backward")
    if not any(is_carried(line.equation) for block in loops for line in block.lines):
        return []
    backward = [line for block in loops for line in block.lines]
    lines = {line for line in backward if _on_the_way(line, backward)}
    flows = {line.name: line.name.removesuffix(NEXT) + FULL for line in backward if _hands_back(line)}
    logits = gradient(LOGITS)
    local = {
        name: f"{style.spelling.name(name)}_k" for name in (*flows, *(line.name for line in backward if line in lines))
    }
    source = style.source("k", local=local)
    body: list[str] = []
    for of in dict.fromkeys(whole(name).removeprefix("d") for name in local):
        alike = [variable for name, variable in local.items() if whole(name).removeprefix("d") == of]
        zeros = f"np.zeros_like({style.spelling.kept(of)})"
        several = f"({zeros} for _ in range({len(alike)}))"
        body.append(f"{', '.join(alike)} = {zeros if len(alike) == 1 else several}")
    body.append(f"{local[logits]}[t] = {style.spelling.kept(logits)}[t]")
    first = last = "t"
    for loop, group in groupby(loops, lambda block: block.loop):
        if loop is Loop.UP:
            last = f"min(t + {window}, T)"
            body.append(f"for k in range({first}, {last} + 1):")
        else:
            first = f"max(t - {window}, 1)"
            body.append(f"for k in range({last}, {first} - 1, -1):")
        equations = [line.equation for block in group for line in block.lines if line in lines and line.name != logits]
        body += [f"    {_written(style, equation, source)}" for equation in equations]
        for flow, full in flows.items():
            step = next((equation.step for equation in equations if equation.target == full), 0)
            if step:
                body.append(f"    {source.name(Name(flow, step))} = {source.name(Name(full, step))}")
    result = ", ".join(f'"{style.spelling.name(full.removesuffix(FULL))}": {local[full]}' for full in flows.values())
    return [
        "",
        "def beyond_window(t):",
        f"    # the loss at step t alone, carried back as far as it may go, {window} step{'s' * (window != 1)}, and one further",
        *indented(body),
        f"    return {{{result}}}",
        "",
        "",
    ]


def _hands_back(line: Line) -> bool:
    """Whether a line writes what a state's gradient receives from this step, after truncation."""
    return line.equation.step != 0 and not line.name.endswith((FULL, CUT))


def _on_the_way(line: Line, lines: Sequence[Line]) -> bool:
    """Whether what flows to the step before depends on a line, what truncation does to it left out."""
    wanted = {other.name for other in lines if other.equation.step and other.name.endswith(FULL)}
    step_lines = [other for other in lines if other.equation.step == 0 and not other.equation.accumulate]
    while True:
        reads = {name.name for other in lines if other.name in wanted for name in other.equation.reads}
        more = wanted | {other.name for other in step_lines if other.name in reads}
        if more == wanted:
            break
        wanted = more
    return line.name in wanted


def update(style: Style, count: str) -> list[str]:
    """The update's lines, parameter by parameter; `count` is the source of the update's number."""
    program, source = style.plan.program, style.source(count=count)
    lines: list[str] = []
    for block in program.blocks:
        if block.phase != "update":
            continue
        for parameter in program.parameters if block.loop is Loop.PARAMETERS else (None,):
            equations = [program.at_parameter(line, parameter) for line in block.lines]
            lines += [_written(style, equation, source) for equation in equations]
    return lines


def kept_at_first(style: Style) -> list[str]:
    """What the optimizer keeps from one iteration to the next, before the first."""
    spelling = style.spelling
    kept = carried_over(style.plan.program)
    ordered = [name for name in style.plan.program.updates if name in kept]
    return [f"{spelling.name(name)} = {style.zeros(name)}" for name in ordered]
