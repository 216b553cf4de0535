"""The derived backward pass beside the walk through a program's run: below each forward line the lines that carry its gradient back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

from engine.doctor.derive.derive import derive
from engine.doctor.derive.derived import Derived, shape_text
from engine.doctor.lineage.record.running import Runs
from engine.doctor.read.source import SourceFile
from engine.doctor.run.program import program_of
from engine.doctor.walk.walk import ProgramWalk

LinesBelow = Mapping[str, Mapping[int, tuple[str, ...]]]
"""For each file and line of it what is shown below it."""


def derived_of(walk: ProgramWalk) -> Derived:
    """The backward pass of the program that is walked through. Raises InputError, see `derive`."""
    source = walk.source
    return derive(Runs(program_of(source), walk.wishes), source)


def below_lines(derived: Derived) -> LinesBelow:
    """Each derived line below the forward line that it goes back through, with its shape; gaps with their reasons."""

    def place(line: int, file: str) -> tuple[str, int]:
        return derived.source.origin(line) if derived.source is not None and derived.source.files else (file, line)

    below: dict[str, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    for line in derived.lines:
        if line.of is not None and line.kind in ("back", "head", "init"):
            shape = shape_text(line.shape)
            file, number = place(line.of, line.file)
            below[file][number].append(f"{line.text.strip()}{f'   {shape}' if shape else ''}")
    for gap in derived.gaps:
        file, number = place(gap.line, gap.file)
        below[file][number].append(f"not derived: {gap.why}")
    return {file: {line: tuple(texts) for line, texts in lines.items()} for file, lines in below.items()}


def completed(derived: Derived, source: SourceFile) -> SourceFile | None:
    """The program with the derived pass in its place; None where it cannot be put there, or nothing runs it."""
    if not derived.program or derived.made_up or source.from_python_2:
        return None
    numbers = [max(derived.numbers[:k], default=1) for k in range(1, len(derived.numbers) + 1)]
    cells = tuple(next(k for k, number in enumerate(numbers, 1) if number >= first) for first in source.cells)
    return replace(source, text=derived.program, cells=cells)


def moved_lines(derived: Derived) -> dict[int, int]:
    """Where the lines of a program's own file are in the text with the derived pass in its place."""
    own = derived.source.path.name if derived.source is not None else ""
    places = {
        k: derived.source.origin(number) if derived.source is not None else ("", number)
        for k, number in enumerate(derived.numbers, 1)
        if number
    }
    return {number: k for k, (file, number) in places.items() if file == own}
