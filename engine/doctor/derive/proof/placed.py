"""The program's text with the derived lines, what is kept for them, and functions beside its own, in their places."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from engine.doctor.derive.derived import BackwardFunction, Keep
from engine.doctor.derive.forward.passes import ForwardPass
from engine.doctor.derive.program.ready import ReadyProgram
from engine.doctor.read.source import SourceFile


def rest_of_line(program: ReadyProgram, forward: ForwardPass) -> str:
    """What stands behind an added loss on its line: the statement before which it was put."""
    last = forward.last
    line = program.source.lines[(last.end_lineno or last.lineno) - 1] if program.name else ""
    return line.encode()[last.end_col_offset or 0 :].decode().lstrip("; ")


def run_text(
    program: ReadyProgram,
    forward: ForwardPass,
    keeps: Sequence[Keep],
    lines: Sequence[str],
    functions: Sequence[BackwardFunction],
) -> str:
    """The text that is run: what stands behind an added loss comes after the lines."""
    end, rest = forward.last.end_lineno or forward.last.lineno, rest_of_line(program, forward)
    if not rest:
        return text_of(placed(program.source, forward, keeps, {end: lines}, functions))
    text = program.source.lines
    text[end - 1] = text[end - 1].removesuffix(rest).rstrip("; ")
    changed = replace(program.source, text="\n".join(text))
    return text_of(placed(changed, forward, keeps, {end: [*lines, rest]}, functions))


def text_of(lines: Sequence[tuple[int, str]]) -> str:
    """The text of a program's lines."""
    return "\n".join(line for _, line in lines)


def placed(
    source: SourceFile,
    forward: ForwardPass,
    keeps: Sequence[Keep],
    blocks: Mapping[int, Sequence[str]],
    functions: Sequence[BackwardFunction],
    left_out: Collection[int] = (),
) -> list[tuple[int, str]]:
    """The lines of the program, each with its number there (0: a new one), with what is to be kept, blocks of lines after the lines whose
    numbers they have, and functions beside its own; without the lines that are left out."""
    text = source.text.split("\n")
    added: dict[int, list[str]] = {}
    for keep in keeps:
        if not keep.replaces:
            added.setdefault(keep.after, []).append(keep.text)
    instead = {keep.after: [keep.text] for keep in keeps if keep.replaces} | {
        number: list[str]() for number in left_out
    }
    indent = forward.indent(forward.last)
    for after, lines in blocks.items():
        added.setdefault(after, []).extend(
            ["", *(f"{indent}{line}" if line else "" for line in lines)] if lines else []
        )
    for one in functions:
        added.setdefault(one.after, []).extend([*([] if one.indent else [""]), "", one.text()])
    result = [(0, line) for line in added.get(0, [])]
    for number, line in enumerate(text, 1):
        result += [(0, one) for one in instead[number]] if number in instead else [(number, line)]
        result += [(0, one) for one in added.get(number, [])]
    return [(number, one) for number, line in result for one in line.split("\n")]
