"""What is wrong in a program of the user's own, what is missing in it, and how its arrays differ from the reference's."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import InputError
from engine.files.locate import seen
from engine.text import clean
from rnn_tui.commands.wishes import wishes_of

if TYPE_CHECKING:
    from engine.doctor.read.source import SourceFile


def doctor(arguments: argparse.Namespace, given: dict[str, Any]) -> int:
    """`rnn-tui doctor FILE -- ARGS`: exit code 0 right, 1 wrong, 2 undecided or could not run."""
    from engine.doctor.by_call import ExampleCalls
    from engine.doctor.diagnose import diagnose
    from engine.doctor.report.report import text

    wishes = wishes_of(arguments)
    if arguments.call and arguments.function:
        raise InputError("--call says what is called; it goes without --function")
    if arguments.example and not arguments.call:
        raise InputError("--data goes with --call, as --call 'loss_fun(X, y, params)'")
    example = (
        ExampleCalls(tuple(arguments.call), Path(arguments.example) if arguments.example else None)
        if arguments.call
        else None
    )
    report = diagnose(Path(arguments.file), arguments.function, wishes, sys.stderr, example)
    if arguments.json:
        print(json.dumps(report.to_json(), indent=2, allow_nan=False))
        return report.exit_code
    sys.stdout.write(text(report))
    if report.verdict == "wrong":
        function = f" --function {arguments.function}" if arguments.function else ""
        print(f"\nstep through it: rnn-tui {clean(arguments.file)}{clean(function)}")
    return report.exit_code


def derive(arguments: argparse.Namespace, given: dict[str, Any]) -> int:
    """`rnn-tui derive FILE -- ARGS`: exit code 0 derived, 1 part of it is left open and named."""
    _refuse_to_replace(arguments)
    from engine.doctor.derive.derive import derive
    from engine.doctor.derive.lesson.hints import hint
    from engine.doctor.derive.lesson.outline import outline
    from engine.doctor.diagnose import diagnose
    from engine.doctor.lineage.record.running import Runs
    from engine.doctor.read.notebook import with_lines
    from engine.doctor.read.source import Unreadable, read_source
    from engine.doctor.run.program import program_of

    path, wishes = Path(arguments.file), wishes_of(arguments)
    try:
        source = read_source(path)
        source.tree()
    except Unreadable as error:
        raise InputError(f"{clean(path.name)}: {error}") from None
    runs = Runs(program_of(source), wishes, sys.stderr)
    derived = derive(runs, source, arguments.taken_loss, arguments.function or "")
    source = derived.source or source
    if arguments.outline:
        sys.stdout.write(source.in_cells(outline(derived, source.text)))
    elif arguments.hint:
        report = None if source.files else diagnose(path, wishes=wishes)  # its lines are those of the one file
        sys.stdout.write(source.in_cells(hint(derived, source.text, arguments.hint, report)))
    elif arguments.output and derived.repairs:
        lines = ", ".join(str(one.line) for one in derived.repairs)
        raise InputError(f"{derived.file}: it does not run yet; derive without -o says what to write in line {lines}")
    elif arguments.output and derived.is_there:
        raise InputError(
            f"{derived.file}: its own backward pass makes every gradient, and right; nothing is to be added"
        )
    elif arguments.output and derived.stands_aside:
        raise InputError(
            f"{derived.file}: its own backward pass leaves no place for the derived lines; derive without -o gives them"
        )
    elif arguments.output and not derived.program:
        raise InputError(f"{derived.file}: its loss is not computed in it; derive without -o gives the lines")
    elif arguments.output:
        is_notebook = Path(arguments.output).suffix.lower() == ".ipynb"
        lines = derived.program.split("\n")
        text = with_lines(path, source.cells, lines, derived.numbers) if is_notebook else derived.program
        _write_new(Path(arguments.output), text)
    else:
        sys.stdout.write("".join(_told(line, source) for line in derived.text().splitlines(keepends=True)))
    return 1 if derived.gaps else 0


def _told(line: str, source: SourceFile) -> str:
    """A line of what is printed, those of a notebook told by their cells."""
    return source.in_cells(line) if line.startswith("#") else line


def _refuse_to_replace(parsed: argparse.Namespace) -> None:
    """`-o` names a new file, and goes without what prints no program."""
    if parsed.output is None:
        return
    if parsed.outline or parsed.hint:
        raise InputError("-o writes the whole program; it goes without --outline and --hint")
    if parsed.output.lower().endswith(".ipynb") and not parsed.file.lower().endswith(".ipynb"):
        raise InputError(f"{clean(parsed.file)} is no notebook; give -o a name that ends in .py")
    if seen(Path(parsed.output).exists):
        raise InputError(f"{clean(parsed.output)} is there already; give -o a new name")


def _write_new(path: Path, text: str) -> None:
    """Writes a file that is not there yet."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise InputError(f"{clean(str(path))} cannot be written: {error.strerror}") from None
    print(f"wrote {clean(str(path))}", file=sys.stderr)


def compare(arguments: argparse.Namespace, given: dict[str, Any]) -> int:
    """`rnn-tui compare MINE.npz [DATA]`: exit code 1 when an array is not the reference's."""
    from engine.doctor.compare.arrays import compare_arrays
    from engine.doctor.compare.results import text

    report = compare_arrays(Path(arguments.file), arguments.data, given)
    if arguments.json:
        print(json.dumps(report.to_json(), indent=2, allow_nan=False))
    else:
        sys.stdout.write(text(report))
    return 0 if report.ok else 1
