"""The commands that need no terminal: each takes parsed arguments and the given model options, and returns the exit code.

Standard output carries the result only.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import signal
import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import InputError
from engine.files.raw import shown
from engine.session import Session, open_session
from engine.text import clean

if TYPE_CHECKING:
    from engine.debug.debugger import Debugger
    from engine.doctor.run.launch import Wishes
    from engine.explain.gradcheck import GradientCheck
    from engine.notation import Spelling
    from engine.recording.measures import Measured


def _opened(arguments: argparse.Namespace, given: dict[str, Any]) -> Session:
    """The session; what was decided when the data were read is said on standard error."""
    session = open_session(arguments.data, given)
    for sentence in session.data.said:
        print(f"{shown(session.data.path)}: {sentence}", file=sys.stderr)
    return session


def trace(arguments: argparse.Namespace, given: dict[str, Any]) -> int:
    """`rnn-tui trace [DATA] -o FILE.npz`."""
    from engine.files.trace import write_trace

    session = _opened(arguments, given)
    output = Path(arguments.output)
    if output.exists() and output.samefile(session.data.path):
        raise InputError(f"{clean(output.name)} is the data itself; give -o another name")
    iteration = session.options["iteration"]
    debugger = _edited(session, arguments.set)
    meta = {"iteration": iteration, "classes": list(session.data.classes), "options": dict(session.options)}
    edits = {"what_if": texts} if (texts := _texts(debugger)) else {}
    write_trace(output, debugger.tape(iteration), meta={"data": session.data.name, **meta, **edits})
    print(f"wrote {arguments.output}", file=sys.stderr)
    return 0


def gradients(arguments: argparse.Namespace, given: dict[str, Any]) -> int:
    """`rnn-tui gradients [DATA] --weights FILE -o OUT.npz`."""
    from engine.files.weights import write_gradients

    if "weights" not in given:
        raise InputError("gradients are written as a weights file has its arrays; say which with --weights FILE")
    session = _opened(arguments, given)
    output, weights = Path(arguments.output), session.weights
    assert weights is not None
    if output.exists() and any(output.samefile(path) for path in (session.data.path, weights.path)):
        raise InputError(f"{clean(output.name)} is the data or the weights themselves; give -o another name")
    tape = _edited(session, arguments.set).tape(session.options["iteration"])
    names = write_gradients(output, weights, tape)
    if weights.recipe.words:
        print(f"{clean(weights.path.name)}: {weights.recipe.words}", file=sys.stderr)
    if "Wy" not in weights.recipe.pieces:
        print("the read-out is not in the file: it was drawn, and has no gradient here", file=sys.stderr)
    print(f"wrote {arguments.output}: {', '.join(clean(name, 60) for name in names)}", file=sys.stderr)
    return 0


def _edited(session: Session, edits: list[str]) -> Debugger:
    """The debugger with the edits of `--set` made, in the iteration asked for."""
    if not edits:
        return session.debugger
    from engine.debug.whatif import what_if

    return what_if(session.debugger, *edits, iteration=session.options["iteration"])


def _texts(debugger: Debugger) -> list[str]:
    """The edits in force."""
    from engine.debug.whatif import Branch

    return [edit.text for edit in debugger.edits] if isinstance(debugger, Branch) else []


def check(arguments: argparse.Namespace, given: dict[str, Any]) -> int:
    """`rnn-tui check [DATA]`: exit code 1 when a gradient is wrong."""
    from engine.explain.gradcheck import check as check_gradients

    session = _opened(arguments, given)
    debugger = session.debugger
    iteration = session.options["iteration"]
    batch = debugger.batch(iteration)
    report = check_gradients(
        debugger.network_at(iteration),
        batch.X,
        batch.y,
        initial=batch.initial,
        lengths=batch.lengths,
        updates=debugger.start(iteration).updates,
        tolerance=arguments.tolerance,
        everything=arguments.all,
    )
    if arguments.json:
        print(json.dumps(report.to_json(), indent=2, allow_nan=False))
    else:
        print(_table(report, _spelling(session)))
    return 0 if report.ok else 1


def _spelling(session: Session) -> Spelling:
    """The names of the notation that was chosen: what is typed may be in them, what is printed is."""
    from engine.explain.line_parts import writer_for

    return writer_for(session.debugger.plan, session.options["notation"]).spelling


def _color_mode(arguments: argparse.Namespace) -> str:
    """How deep the colours on standard output are: none when it is piped, unless they are asked for."""
    from rnn_tui import terminal

    piped = arguments.color == "auto" and not sys.stdout.isatty()
    return terminal.color_mode("none" if piped else arguments.color, os.environ)


def show(arguments: argparse.Namespace, given: dict[str, Any]) -> int:
    """`rnn-tui show QUANTITY [DATA]`."""
    from engine.debug.whatif import Branch
    from engine.notation import parse_cell
    from rnn_tui.show import ledger_text, picture, reach_text

    wanted = arguments.quantity.strip()
    cell = wanted.removeprefix("ledger ")
    name, t, index = parse_cell(cell)
    session = _opened(arguments, given)
    spelling = _spelling(session)
    name = spelling.in_engine_names(name)
    iteration = session.options["iteration"]
    debugger = _edited(session, arguments.set)
    tape, original = debugger.tape(iteration), None
    if arguments.difference:
        if not isinstance(debugger, Branch):
            raise InputError(
                "--difference compares with what --set changes; give --set too, for example --set 'da@3 = 0'"
            )
        original = debugger.original.tape(iteration)
    mode = _color_mode(arguments)
    special = cell != wanted or (name == "reach" and name not in tape)
    if special and original is not None:
        raise InputError(f"{clean(wanted, 40)} has no difference to show; leave --difference away")
    if cell != wanted:
        sys.stdout.write(ledger_text(tape, name, t, index, mode))
    elif special:
        sys.stdout.write(reach_text(tape, mode))
    else:
        note = f"what if: {'; '.join(texts)}" if (texts := _texts(debugger)) else ""
        called = spelling.name(name)
        sys.stdout.write(picture(tape, name, t, index, mode, original=original, note=note, called=called))
    return 0


def code(arguments: argparse.Namespace, given: dict[str, Any]) -> int:
    """`rnn-tui code [DATA]`."""
    from engine.codegen import program_text

    session: Session = _opened(arguments, given)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # inside a string of the program an escape means the same
    sys.stdout.write(program_text(session))
    return 0


def run(arguments: argparse.Namespace, given: dict[str, Any]) -> int:
    """`rnn-tui run [DATA] --break EXPR`: exit code 3 when the condition never holds. With `--findings` it prints the
    findings; exit code 0."""
    from engine.debug.breakpoints import condition_of, everywhere
    from engine.debug.view import place_text

    if arguments.findings and arguments.reverse:
        raise InputError("--reverse belongs to --break; leave it away")
    session = _opened(arguments, given)
    if arguments.findings:
        return _findings(session, arguments)
    debugger, first = session.debugger, session.options["iteration"]
    spelling = _spelling(session)
    condition = condition_of(spelling.in_engine_names(arguments.condition), debugger.program)
    stopped_at = None
    iterations = range(first, first + arguments.iterations)
    for iteration in reversed(iterations) if arguments.reverse else iterations:
        holds = everywhere(condition, debugger.tape(iteration), iteration, debugger.lines).nonzero()[0]
        if holds.size:
            offset = int(holds[-1 if arguments.reverse else 0])
            stopped_at = debugger.program.point(1 + iteration * debugger.program.length + offset)
            break
    if arguments.json:
        point = stopped_at and {
            "iteration": stopped_at.iteration,
            "phase": stopped_at.phase,
            "t": stopped_at.t,
            "line": stopped_at.line,
        }
        result = {"stopped": stopped_at is not None, "point": point, "expression": arguments.condition}
        print(json.dumps(result, allow_nan=False))
    elif stopped_at is not None:
        print(place_text(replace(stopped_at, line=spelling.name(stopped_at.line))))
    else:
        print(f"{clean(arguments.condition)} holds nowhere in {arguments.iterations} iterations", file=sys.stderr)
    return 0 if stopped_at is not None else 3


def _findings(session: Session, arguments: argparse.Namespace) -> int:
    """The findings of some iterations, each where it comes up first."""
    from engine.debug.view import place_text
    from engine.explain.findings import first_seen

    program, first = session.debugger.program, session.options["iteration"]
    results = [finding for _, finding in first_seen(session.debugger, range(first, first + arguments.iterations))]
    if arguments.json:
        result: list[dict[str, Any]] = []
        for finding in results:
            point = program.point(finding.position)
            place = {"iteration": point.iteration, "phase": point.phase, "t": point.t, "line": point.line}
            cell = {"quantity": finding.quantity, "index": None if finding.index is None else list(finding.index)}
            result.append(
                {"kind": finding.kind, "text": finding.text, "severity": finding.severity, "point": place, **cell}
            )
        print(json.dumps({"findings": result}, allow_nan=False, ensure_ascii=False))
        return 0
    for finding in results:
        mark = "!" if finding.serious else "·"
        print(f"{mark} {finding.kind}: {finding.text} ({place_text(program.point(finding.position))})")
    if not results:
        print("nothing is wrong", file=sys.stderr)
    return 0


def explain(arguments: argparse.Namespace, given: dict[str, Any]) -> int:
    """`rnn-tui explain CELL [DATA]`."""
    from engine.explain.why import parse_place, to_json
    from rnn_tui.show import explained

    session = _opened(arguments, given)
    spelling = _spelling(session)
    cell = parse_place(spelling.in_engine_names(arguments.number), session.debugger, session.options["iteration"])
    if arguments.json:
        print(json.dumps(to_json(session.debugger, cell, top=arguments.top), allow_nan=False, ensure_ascii=False))
    else:
        print(explained(session.debugger, cell, arguments.top or 20, session.options["notation"]))
    return 0


def train(arguments: argparse.Namespace, given: dict[str, Any]) -> int:
    """`rnn-tui train [DATA] --iterations N [-o WEIGHTS]`: an interrupt saves what there is and exits with 130."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from engine.files.weights import write_weights
    from engine.files.writing import place_of

    session = _opened(arguments, given)
    debugger, first = session.debugger, session.options["iteration"]
    last = first + arguments.iterations
    output = Path(arguments.output) if arguments.output else None
    if output is not None:
        place_of(output)  # before the work, not after it
    columns = (
        TextColumn("iteration"),
        MofNCompleteColumn(),
        BarColumn(),
        TextColumn("{task.description}"),
        TimeRemainingColumn(),
    )
    done = 0
    interrupted = False
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("", total=last)

        def report(iteration: int, figures: Measured) -> None:
            nonlocal done
            done = iteration + 1
            progress.update(task, completed=done, description=_figures(figures))

        try:
            debugger.start(last, report)
        except KeyboardInterrupt:
            interrupted = True
    parameters = debugger.start(done).parameters
    if output is not None:
        write_weights(output, parameters)
        print(f"wrote {clean(arguments.output)}, the weights after {done} updates", file=sys.stderr)
    if done:
        print(f"iteration {done - 1}  {_figures(debugger.history[done - 1])}")
    return 128 + signal.SIGINT if interrupted else 0


def _figures(figures: Measured) -> str:
    right = "" if figures.accuracy is None else f"  accuracy {figures.accuracy:.1%}"
    return f"loss {figures.loss:.6g}{right}  ‖gradient‖ {figures.gradient_norm:.3g}"


def doctor(arguments: argparse.Namespace, given: dict[str, Any]) -> int:
    """`rnn-tui doctor FILE -- ARGS`: exit code 0 right, 1 wrong, 2 undecided or could not run."""
    from engine.doctor.by_call import ExampleCalls
    from engine.doctor.diagnose import diagnose
    from engine.doctor.report.report import text
    from engine.files.cell import read_cell

    cells = (read_cell(given["cell"]),) if isinstance(given.get("cell"), Path) else ()
    wishes = _wishes(arguments)
    if arguments.call and arguments.function:
        raise InputError("--call says what is called; it goes without --function")
    if arguments.example and not arguments.call:
        raise InputError("--data goes with --call, as --call 'loss_fun(X, y, params)'")
    example = (
        ExampleCalls(tuple(arguments.call), Path(arguments.example) if arguments.example else None)
        if arguments.call
        else None
    )
    report = diagnose(Path(arguments.file), arguments.function, cells, wishes, sys.stderr, example)
    if arguments.json:
        print(json.dumps(report.to_json(), indent=2, allow_nan=False))
        return report.exit_code
    sys.stdout.write(text(report))
    if report.verdict == "wrong" and report.compared is not None:
        if not report.diagnoses and not report.reason:
            from engine.doctor.report.lockstep import Lockstep
            from rnn_tui.show import beside_text

            sys.stdout.write(f"\n{beside_text(Lockstep(report, report.compared), _color_mode(arguments))}")
        function = f" --function {arguments.function}" if arguments.function else ""
        print(f"\nstep through it beside the reference: rnn-tui {clean(arguments.file)}{clean(function)}")
    return report.exit_code


def _wishes(arguments: argparse.Namespace) -> Wishes:
    """How a program of the user's own is to be run."""
    from engine.doctor.run.launch import Wishes
    from engine.doctor.run.limits import Limits, limits

    return Wishes(
        arguments=arguments.arguments,
        python=arguments.python,
        network=arguments.network,
        limits=limits(arguments.limit) if arguments.limit else Limits(),
        loss=arguments.loss or "",
    )


def derive(arguments: argparse.Namespace, given: dict[str, Any]) -> int:
    """`rnn-tui derive FILE -- ARGS`: exit code 0 derived, 1 part of it is left open and named."""
    from engine.doctor.derive.derive import derive
    from engine.doctor.derive.hints import hint
    from engine.doctor.derive.outline import outline
    from engine.doctor.diagnose import diagnose
    from engine.doctor.lineage.running import Runs
    from engine.doctor.read.source import Unreadable, read_source
    from engine.doctor.run.program import ProgramFile

    path, wishes = Path(arguments.file), _wishes(arguments)
    try:
        source = read_source(path)
        source.tree()
    except Unreadable as error:
        raise InputError(f"{clean(path.name)}: {error}") from None
    runs = Runs(ProgramFile(path, source.text, source.cells), wishes, sys.stderr)
    derived = derive(runs, source, arguments.taken_loss, arguments.function or "")
    if arguments.outline:
        sys.stdout.write(outline(derived, source.text))
    elif arguments.hint:
        report = diagnose(path, wishes=wishes)
        sys.stdout.write(hint(derived, source.text, arguments.hint, report))
    elif arguments.output and derived.repairs:
        first = derived.repairs[0]
        raise InputError(
            f"{derived.file}: it does not run yet; line {first.line} is to be {first.text}; derive without -o says all"
        )
    elif arguments.output and not derived.program:
        raise InputError(f"{derived.file}: its loss is not computed in it; derive without -o gives the lines")
    elif arguments.output:
        _write_new(Path(arguments.output), derived.program)
    else:
        sys.stdout.write(derived.text())
    return 1 if derived.gaps else 0


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
    from engine.doctor.compare.arrays import compare_arrays, text

    report = compare_arrays(Path(arguments.file), arguments.data, given)
    if arguments.json:
        print(json.dumps(report.to_json(), indent=2, allow_nan=False))
    else:
        sys.stdout.write(text(report))
    return 0 if report.ok else 1


def cells(arguments: argparse.Namespace, given: dict[str, Any]) -> int:
    """`rnn-tui cells`."""
    from engine.tables.cells import BY_NAME

    if arguments.data or given:
        raise InputError("cells takes no further arguments")
    indent = max(map(len, BY_NAME)) + 2
    for name, cell in BY_NAME.items():
        print(f"{name:<{indent}}{cell.source}")
        for line in cell.equations:
            print(" " * indent + line.format(activation="activation"))
    print("\nTake one by its name: rnn-tui --cell lru; or write one of your own: rnn-tui --cell FILE.py")
    return 0


def shot(arguments: argparse.Namespace, given: dict[str, Any]) -> int:
    """`rnn-tui shot PLACE [DATA] -o FILE`."""
    import asyncio

    from engine.debug.places import parse_place
    from rnn_tui import terminal
    from rnn_tui.saving import kind_of

    output = Path(arguments.output)
    kind_of(output)
    session = open_session(arguments.data, given)
    if output.exists() and output.samefile(session.data.path):
        raise InputError(f"{clean(output.name)} is the data itself; give -o another name")
    session = replace(session, debugger=_edited(session, arguments.set))
    spelling = _spelling(session)
    place = parse_place(spelling.in_engine_names(arguments.place), session.debugger, spelling.layout)
    terminal.prepare_environment("truecolor", os.environ)
    from rnn_tui.app import DebuggerApp
    from rnn_tui.saving import save

    app = DebuggerApp(session, theme=arguments.theme)

    async def taken() -> str:
        async with app.run_test(size=arguments.size) as pilot:
            app.main.controller.visit(place)
            app.main.controller.turn_to(arguments.view)
            app.main.show()
            await pilot.pause()
            return save(output, app.main.shown)

    print(asyncio.run(taken()), file=sys.stderr)
    return 0


def config(arguments: argparse.Namespace, given: dict[str, Any]) -> int:
    """`rnn-tui config`: the settings in force, as a file that could stand there."""
    from rnn_tui.settings import read_settings, settings_path, settings_text

    path = settings_path()
    sys.stdout.write(settings_text(read_settings(path), path))
    return 0


def completion(arguments: argparse.Namespace, given: dict[str, Any]) -> int:
    """`rnn-tui completion SHELL`."""
    from rnn_tui.completion import shell_script

    print(shell_script(arguments.shell))
    return 0


def examples(arguments: argparse.Namespace, given: dict[str, Any]) -> int:
    """`rnn-tui examples`."""
    from engine.files.project import samples

    if arguments.data or given:
        raise InputError("examples takes no further arguments")
    listing = samples()
    indent = max(len(sample.name) for sample in listing) + 2
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize
    wrapper = textwrap.TextWrapper(max(columns, 2 * indent), subsequent_indent=" " * indent, break_on_hyphens=False)
    for sample in listing:
        for start, text in ((sample.name, sample.title), ("", sample.look_for)):
            wrapper.initial_indent = f"{start:<{indent}}"
            print(wrapper.fill(text))
    print("\nOpen one by its name: rnn-tui vanishing")
    return 0


def _table(report: GradientCheck, spelling: Spelling) -> str:
    """The check's result for people: one line per parameter, with its worst entry."""
    lines = [
        f"{'parameter':<10}{'checked':>8}{'kinks':>7}  {'max rel. error':>14}  {'worst entry':<14}{'analytic':>15}{'numeric':>15}"
    ]
    for parameter, comparison in report.parameters.items():
        name = spelling.name(parameter)
        start = f"{name:<10}{comparison.checked:>8}{comparison.kinks:>7}  "
        if (
            comparison.index is None
            or comparison.analytic is None
            or comparison.numeric is None
            or comparison.max_relative_error is None
        ):
            lines.append(f"{start}{'nothing compared':>14}")
            continue
        entry = f"{name}[{','.join(map(str, comparison.index))}]"
        lines.append(
            f"{start}{comparison.max_relative_error:>14.2e}  {entry:<14}{comparison.analytic:>15.6e}{comparison.numeric:>15.6e}"
        )
    lines += list(report.notes)
    verdict = "the gradients are right" if report.ok else "the gradients are WRONG"
    return "\n".join([*lines, f"{verdict}: largest relative error {report.max_relative_error:.2e}"])
