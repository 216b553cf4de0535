"""`rnn-tui show`: one quantity as a heatmap with numbers, as text for standard output."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from rich.console import Console
from rich.segment import Segment, Segments

from engine.debug.debugger import Debugger
from engine.debug.difference import difference, differences
from engine.errors import InputError
from engine.explain.address import CellAddress
from engine.explain.ledger import ledger
from engine.explain.length import length
from engine.explain.line_parts import writer_for
from engine.explain.reach import reach
from engine.explain.term_reader import Factor
from engine.explain.why import equation_text, origin, why, zero_reason
from engine.language.functions import Array, axis_word
from engine.recording.tape import Tape
from engine.text import clean, listed
from rnn_tui.render.colorbar import colorbar
from rnn_tui.render.inks import MODES, ColorMode
from rnn_tui.render.numbered import numbered
from rnn_tui.render.numbers import MINUS, exact, number, shape
from rnn_tui.render.palette import BERLIN, scale_of, signed_codes

_SYSTEMS = {"truecolor": "truecolor", "256": "256", "16": "standard", "none": None}
CELL = 10


def picture(
    tape: Tape,
    name: str,
    t: int | None,
    index: tuple[int, ...],
    mode: str,
    *,
    original: Tape | None = None,
    note: str = "",
    spelt: Callable[[str], str] = str,
) -> str:
    """What `show` prints, by how much it differs from `original` where there is one; InputError for no such quantity, step or cell.

    `note` stands below the heading; names are written as they are `spelt`.
    """
    quantity = tape.plan.program.quantities.get(name)
    if index and t is None and quantity is not None and quantity.rows:
        example = f"{spelt(name)}@1[{','.join(map(str, index))}]"
        raise InputError(f"{spelt(name)} is in time; name the step too, for example {example}")
    source = tape if original is None else differences(original, tape)
    array, heading, rows, columns = _select(source, name, t, spelt)
    heading = spelt(name) + heading.removeprefix(name)
    if index or array.ndim == 0:
        return f"{_cell(array, index, spelt(name), t)}\n"
    matrix = np.atleast_2d(array)
    first = tape.plan.program.steps_of(name).start if rows == "t" else 0
    compared = "" if original is None else f"edited − original: {_first(original, tape, name)}"
    heading = "\n".join(text for text in (heading, note, compared) if text)
    return _text(matrix, heading, rows, columns, first, mode)


def ledger_text(tape: Tape, name: str, t: int | None, index: tuple[int, ...], mode: str) -> str:
    """What `show 'ledger dWa[2,3]'` prints: every addend of the cell, with the sums over samples, over steps and over all."""
    if t is not None:
        raise InputError(f"a ledger is over all steps; leave @{t} away")
    entries = ledger(tape, name, index)
    table = np.concatenate([entries.addends, entries.of_steps[:, None]], axis=1)
    total = np.append(entries.of_samples, entries.addends.sum())
    cell = f"{name}[{','.join(map(str, index))}]"
    heading = (
        f"{cell} = {exact(entries.value, tape[name].dtype)}: what each sample (columns) adds at each step (rows); "
        "the last column and the last row are their sums"
    )
    return _text(np.concatenate([table, total[None]]), heading, "t", "sample", entries.steps[0], mode, summed=True)


def reach_text(tape: Tape, mode: str) -> str:
    """What `show reach` prints: how much of each step's loss arrives at each step."""
    output = tape.plan.program.output
    heading = f"‖∂L_s/∂{output}_t‖: rows are the losses of the steps s, columns the steps t"
    return _text(reach(tape)[:, 1:], heading, "s", "t", 1, mode, from_one=True)


def _text(
    matrix: Array,
    heading: str,
    rows: str,
    columns: str,
    first: int,
    mode: str,
    *,
    summed: bool = False,
    from_one: bool = False,
) -> str:
    """A heading, statistics and a table of numbers; `summed` says that the last row and column are sums."""
    console = Console(
        file=io.StringIO(),
        color_system=_SYSTEMS[mode],
        force_terminal=mode != "none",
        width=10**6,
        legacy_windows=False,
    )
    console.print(heading, markup=False, highlight=False)
    entries = matrix[:-1, :-1] if summed else matrix
    console.print(_statistics(entries), markup=False, highlight=False)
    console.print("")
    heads = [f"{columns} {i + from_one}" for i in range(matrix.shape[1] - summed)] + ["sum"] * summed
    marks = [str(i + first) if rows else "" for i in range(matrix.shape[0] - summed)] + ["sum"] * summed
    for line in _table(matrix, rows, heads, marks, MODES[mode]):
        console.print(Segments([*line, Segment.line()]), end="")
    if matrix.size > 1 and mode != "none":
        console.print("")
        for line in colorbar(BERLIN, MODES[mode], 43, scale_of(matrix)):
            console.print(Segments([Segment("      "), *line, Segment.line()]), end="")
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def _first(original: Tape, edited: Tape, name: str) -> str:
    """Where a quantity first differs, in words."""
    first = difference(original, edited, name)
    if first.point is None:
        return "nothing differs"
    if first.offset == -1:
        return f"{first.count} of {first.values.size} differ, from the start"
    when = "" if first.point.t is None else f", t = {first.point.t}"
    return f"{first.count} of {first.values.size} differ, first after {first.point.phase}{when}, {first.point.line}"


def _select(tape: Tape, name: str, t: int | None, spelt: Callable[[str], str]) -> tuple[Array, str, str, str]:
    """The array, its heading, and what its rows and columns are."""
    program = tape.plan.program
    if name not in tape:
        known = listed(map(spelt, (*program.quantities, *program.parameters)))
        raise InputError(f"there is no quantity '{clean(name, 40)}'; there are {known}")
    if t is None:
        return _whole(tape, name)
    quantity = program.quantities.get(name)
    line = next(program.writers(name), None)
    if line is not None and line.equation.accumulate:
        _check_step(spelt(name), t, range(1, program.steps + 1))
        return tape.term(line, t), f"{name}@{t}: the term of step {t}", *_names(quantity.axes if quantity else ())
    if (quantity is not None and not quantity.rows) or name in tape.parameters:
        raise InputError(f"{spelt(name)} is not in time; show it without @{t}")
    _check_step(spelt(name), t, program.steps_of(name))
    row = tape.at(name, t)
    return row, f"{name}@{t}  {shape(row.shape)}", *_names(tape.plan.axes.get(name, ("B", "H")))


def _whole(tape: Tape, name: str) -> tuple[Array, str, str, str]:
    array = tape[name]
    if array.ndim < 3:
        axes = tape.plan.axes.get(name, ())
        return array, f"{name}  {shape(array.shape)}{_loop_note(tape, name)}", *_names(axes)
    largest = np.take_along_axis(array, np.abs(array).argmax(axis=1)[:, None], axis=1)[:, 0]
    column = _names(tape.plan.axes.get(name, ("B", "H")))[1]
    held = tape.plan.program.steps_of(name)
    steps = f"rows: t = {held[0]} to {held[-1]}"
    several = "" if array.shape[1] == 1 else f", of {array.shape[1]} samples the largest value by magnitude"
    return largest, f"{name}  {steps}{several}", "t", column


def _loop_note(tape: Tape, name: str) -> str:
    lines = list(tape.plan.program.writers(name))
    return "  the sum over all time steps" if lines and lines[0].equation.accumulate else ""


def _names(axes: tuple[str, ...]) -> tuple[str, str]:
    named = [*map(axis_word, axes)]
    return (named[0], named[1]) if len(named) == 2 else ("", named[0] if named else "")


def _check_step(name: str, t: int, steps: range) -> None:
    if t not in steps:
        raise InputError(f"{name} has the time steps {steps[0]} to {steps[-1]}, not {t}")


def _cell(array: Array, index: tuple[int, ...], name: str, t: int | None) -> str:
    label = name + ("" if t is None else f"@{t}")
    if len(index) != array.ndim or any(not 0 <= i < n for i, n in zip(index, array.shape, strict=False)):
        raise InputError(f"{label} has the shape {shape(array.shape)}; {list(index)} is not a cell of it")
    return exact(float(array[index]), array.dtype).replace(MINUS, "-")


def _statistics(matrix: Array) -> str:
    finite = matrix[np.isfinite(matrix)]
    zeros = f"zeros {np.mean(matrix == 0):.0%}"
    norm = f"‖·‖ {number(length(matrix), trim=True)}"
    if not finite.size:
        return f"{norm}  no finite value"
    return (
        f"min {number(float(finite.min()), trim=True)}  max {number(float(finite.max()), trim=True)}  {zeros}  {norm}"
    )


def _table(matrix: Array, rows: str, columns: list[str], marks: list[str], mode: ColorMode) -> list[list[Segment]]:
    codes = signed_codes(matrix, scale_of(matrix))
    head = f"{rows[:6]:<7}" + "".join(f"{column:>{CELL}}" for column in columns)
    body = numbered(matrix, codes, BERLIN, mode, CELL)
    lines = [[Segment(head)]]
    for mark, line in zip(marks, body, strict=True):
        lines.append([Segment(f"{mark:>5}  "), *line])
    return lines


def explained(debugger: Debugger, cell: CellAddress, top: int, notation: str = "ng", *, lying: bool = False) -> str:
    """The arithmetic behind a cell as text: its equation, its largest terms with their numbers, the sum against what is stored.

    In the names of a notation; indices are the engine's, or, if `lying`, those of the arrays as they lie in the notation.
    """
    explanation = why(debugger, cell)
    writer = writer_for(debugger.plan, notation)
    spelling = writer.spelling

    def written(name: str, when: str, index: tuple[int, ...]) -> str:
        axes = writer.axes.get(name, ())
        laid = spelling.layout.index(index, axes) if lying and len(axes) == len(index) else index
        return f"{spelling.name(name)}{when}" + (f"[{','.join(map(str, laid))}]" if index else "")

    lines = [f"{written(cell.name, cell.when, cell.index)} = {exact(explanation.value)}   iteration {cell.iteration}"]
    text = equation_text(writer, cell, explanation)
    if not text:
        return "\n".join([*lines, origin(debugger.tape(cell.iteration), cell.name)])
    lines.append(text)
    reason = zero_reason(debugger, cell, explanation)
    if reason:
        lines.append(reason)
    terms, rest, others = explanation.largest(top)
    lines.append(f"{len(explanation.values)} {'term' if len(explanation.values) == 1 else 'terms, largest first'}:")
    lines += [
        f"{number(term.value, 13, 6):>14} = {' × '.join(_factor_text(f, written) for f in term.factors)}"
        for term in terms
    ]
    if others:
        lines.append(f"{number(rest, 13, 6):>14} = the other {others}")
    total = explanation.total
    lines.append(f"{number(total, 13, 6):>14} = their sum; stored is {number(explanation.value, 13, 6).strip()}")
    return "\n".join(lines)


def _factor_text(factor: Factor, written: Callable[[str, str, tuple[int, ...]], str]) -> str:
    """A factor and its value; `written` makes of a name, a row and an index the text of a cell."""

    def cell(one: Factor) -> str:
        return written(one.name, "" if one.t is None else f"@{one.t}", one.index or ())

    value = number(factor.value, 10, 5, trim=True).strip()
    if factor.of:
        before, between, after = factor.around
        return f"{before}{between.join(map(cell, factor.of))}{after} {value}"
    return value if factor.index is None and not factor.name.isidentifier() else f"{cell(factor)} {value}"
