"""The cell under the cursor: its exact value, the arithmetic that made it, and the picture's statistics."""

from __future__ import annotations

import numpy as np
from rich.cells import cell_len
from rich.style import Style

from engine.anatomy import Part
from engine.explain import Explanation, Factor, Term, explain, explain_update
from engine.functions import Array
from rnn_tui.frame import Frame
from rnn_tui.render.canvas import Canvas, shortened
from rnn_tui.render.colorbar import colorbar
from rnn_tui.render.numbers import exact, number

STATISTICS = 42
MOST = 24
"""No more terms than this are ever shown."""
WORDS = {"B": "sample", "D": "feature", "H": "unit", "C": "class"}


def draw_inspector(frame: Frame, width: int, height: int) -> Canvas:
    """On the left why the number is what it is, on the right what its array holds and what the colours mean."""
    look = frame.look
    canvas = Canvas(width, height, look.canvas)
    framed = height >= 6
    top, left = (1, 2) if framed else (0, 1)
    if framed:
        canvas.frame(0, 0, width, height, "why", look.border, look.bold)
    if frame.inspected is None or frame.cell is None:
        canvas.text(left, top, "Step onto a line to inspect its numbers.", look.dim)
        return canvas
    part = frame.parts[frame.inspected]
    index = part.index(*frame.cell)
    side = STATISTICS if width >= 100 else 0
    room = width - side - 2 * left
    lines = _lines(frame, part, index, room, height - 2 * top)
    for y, line in enumerate(lines[: height - 2 * top], top):
        x = left
        for text, style in line:
            x = canvas.text(x, y, shortened(text, room - (x - left)), style)
    if side:
        _statistics(frame, canvas, part, width - side, top, height - 2 * top)
    return canvas


Line = list[tuple[str, Style]]


def _lines(frame: Frame, part: Part, index: tuple[int, ...], room: int, height: int) -> list[Line]:
    look = frame.look
    assert part.values is not None and frame.cell is not None
    value = float(part.values[frame.cell])
    label = _label(frame, part, index)
    where = _where(frame, part, index)
    head: Line = [(label, look.accent), (f" = {exact(value, part.values.dtype)}", look.bold), (f"   {where}", look.dim)]
    explanation = _explanation(frame, part, index)
    if explanation is None or not len(explanation.values):
        origin = "an input" if part.name in ("x", "y") else "a weight, drawn at the start or made by the last update"
        return [head, [(origin if part.name else "computed within this line", look.dim)]]
    return [head, *_arithmetic(frame, explanation, label, room, height - 1)]


def _label(frame: Frame, part: Part, index: tuple[int, ...]) -> str:
    if part.name is None:
        return part.text + _index(index)
    name = frame.writer.spelling.name(part.name) + ("" if part.t is None else f"@{part.t}")
    if part.role == "term" and frame.sample is not None:
        name += f",{frame.sample}"
    return name + _index(_lying(frame, part.name, index))


def _lying(frame: Frame, name: str, index: tuple[int, ...]) -> tuple[int, ...]:
    """The index of a cell as the array lies in the notation."""
    axes = frame.writer.axes.get(name, ())
    return frame.writer.spelling.layout.index(index, axes) if len(axes) == len(index) else index


def _index(index: tuple[int, ...]) -> str:
    return f"[{','.join(map(str, index))}]" if index else ""


def _where(frame: Frame, part: Part, index: tuple[int, ...]) -> str:
    axes = frame.writer.axes.get(part.name or "", ())
    if len(axes) != len(index):
        return ""
    words = [f"{WORDS.get(axis, axis)} {i}" for axis, i in zip(axes, index, strict=True)]
    if axes == ("H", "H"):
        words = [f"from unit {index[0]}", f"to unit {index[1]}"]
    if axes and axes[0] == "B" and frame.classes and part.name not in ("x",):
        y = frame.view.tape.at("y", part.t or frame.view.point.t)
        target = int(y[index[0]])
        words.append(f"target {frame.classes[target]}" if target < len(frame.classes) else f"target {target}")
    return ", ".join(words)


def _explanation(frame: Frame, part: Part, index: tuple[int, ...]) -> Explanation | None:
    view = frame.view
    if part.role == "result" and part.name is not None and view.point.phase == "update":
        return explain_update(view.tape, part.name, index)
    if part.name is None or part.name in view.tape.parameters:
        return None
    if part.name in view.program.updates:
        return explain(view.tape, part.name, None, index)
    reached = view.summed_to(part.name) if part.role == "total" else None
    sample = frame.sample if part.role == "term" else None
    if part.role == "operand" and view.program.quantities[part.name].rows == "" and part.t is None:
        return explain(view.tape, part.name, None, index)
    return explain(
        view.tape, part.name, part.t, index, down_to=reached or 1, one_step=part.role == "term", sample=sample
    )


def _arithmetic(frame: Frame, explanation: Explanation, label: str, room: int, height: int) -> list[Line]:
    """One product as symbols and numbers; a sum as its largest terms and the rest as one number."""
    look = frame.look
    count = len(explanation.values)
    first, _, _ = explanation.largest(MOST)
    if count == 1:
        factors = first[0].factors
        lines: list[Line] = [[(f"= {' × '.join(_factor(frame, f) for f in factors)}", look.text)]]
        lines.append([(f"= {' × '.join(number(f.value, 10, 5, trim=True) for f in factors)}", look.text)])
        note = _note(frame, first[0])
        return lines + ([[(note, look.dim)]] if note else [])
    cells = [f"{_term(frame, term)} = {number(term.value, 10, 4, trim=True)}" for term in first]
    if not explanation.values.any():
        return [[(f"0 because every one of its {count} terms is 0, for example", look.dim)], [(cells[0], look.text)]]
    wide = max(cell_len(cell) for cell in cells) + 3
    per_line = max(1, room // wide)
    shown = cells[: per_line * max(1, height - 1)]
    _, rest, others = explanation.largest(len(shown))
    total = f"sum of {count} terms"
    if others:
        total += f", largest first; the other {others}: {number(rest, 9, 4, trim=True)}"
    lines = [[(total, look.dim)]]
    for start in range(0, len(shown), per_line):
        lines.append([(f"{cell:<{wide}}", look.text) for cell in shown[start : start + per_line]])
    return lines


def _term(frame: Frame, term: Term) -> str:
    return " · ".join(_factor(frame, f) for f in term.factors)


def _factor(frame: Frame, factor: Factor) -> str:
    if factor.of:
        return f"{factor.name}({', '.join(_factor(frame, f) for f in factor.of)})"
    if factor.index is None:
        return factor.name
    time = "" if factor.t is None else f"@{factor.t}"
    return f"{frame.writer.spelling.name(factor.name)}{time}{_index(_lying(frame, factor.name, factor.index))}"


def _note(frame: Frame, term: Term) -> str:
    """Zero in words."""
    if term.value != 0:
        return ""
    for factor in term.factors:
        if factor.value == 0 and factor.of:
            inner = factor.of[0]
            return (
                f"0 because {_factor(frame, inner)} = {number(inner.value, 9, 4, trim=True)} switches the unit off here"
            )
        if factor.value == 0:
            return f"0 because {_factor(frame, factor)} is 0"
    return "0 because the product is smaller than the smallest number"


def _statistics(frame: Frame, canvas: Canvas, part: Part, x: int, y: int, height: int) -> None:
    look = frame.look
    values: Array = part.values if part.values is not None else np.zeros(1)
    finite = values[np.isfinite(values)]
    if finite.size:
        low, high = number(float(finite.min()), 9, 3, trim=True), number(float(finite.max()), 9, 3, trim=True)
        text = f"min {low}  max {high}  zeros {np.mean(values == 0):.0%}"
    else:
        text = "no finite value"
    broken = values.size - finite.size
    canvas.text(x, y, shortened(text, STATISTICS - 3), look.dim)
    if broken:
        canvas.text(x, y + 1, f"{broken} NaN or infinite", look.error)
    if height < 3:
        return
    name = part.name if part.role != "term" else None
    tone = frame.tone(values, name, in_line=True)
    bar = colorbar(look.palettes.signed, look.mode, 35, tone.scale, log=tone.log)
    canvas.rows(x, y + min(2, height - 2), bar)
