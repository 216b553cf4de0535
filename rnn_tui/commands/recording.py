"""What an iteration's recording tells: numbers, why they are so, where a condition holds; and what training makes of the weights."""

from __future__ import annotations

import argparse
import io
import json
import math
import signal
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from engine.errors import InputError
from engine.text import clean
from rnn_tui.commands.shared import color_mode_of, edited, opened, output_of, spelling_of, texts_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.debug.debugger import Debugger
    from engine.explain.gradcheck import GradientCheck
    from engine.language.functions import Array
    from engine.model.blocks import Point
    from engine.notation import Spelling
    from engine.recording.measures import Measured
    from engine.session import Session


def trace(arguments: argparse.Namespace, given: dict[str, Any]) -> int:
    """`rnn-tui trace [DATA] -o FILE.npz`."""
    from engine.files.trace import write_trace

    session = opened(arguments, given)
    output = output_of(arguments, session)
    iteration = session.options["iteration"]
    debugger = edited(session, arguments.set)
    meta = {"iteration": iteration, "classes": list(session.data.classes), "options": dict(session.options)}
    edits = {"what_if": texts} if (texts := texts_of(debugger)) else {}
    write_trace(output, debugger.tape(iteration), meta={"data": session.data.name, **meta, **edits})
    print(f"wrote {arguments.output}", file=sys.stderr)
    return 0


def gradients(arguments: argparse.Namespace, given: dict[str, Any]) -> int:
    """`rnn-tui gradients [DATA] --weights FILE -o OUT.npz`."""
    from engine.files.weights import write_gradients

    if "weights" not in given:
        raise InputError("gradients are written as a weights file has its arrays; say which with --weights FILE")
    session = opened(arguments, given)
    weights = session.weights
    assert weights is not None
    output = output_of(arguments, session)
    tape = edited(session, arguments.set).tape(session.options["iteration"])
    names = write_gradients(output, weights, tape)
    if weights.recipe.words:
        print(f"{clean(weights.path.name)}: {weights.recipe.words}", file=sys.stderr)
    if "Wy" not in weights.recipe.pieces:
        print("the read-out is not in the file: it was drawn, and has no gradient here", file=sys.stderr)
    print(f"wrote {arguments.output}: {', '.join(clean(name, 60) for name in names)}", file=sys.stderr)
    return 0


def check(arguments: argparse.Namespace, given: dict[str, Any]) -> int:
    """`rnn-tui check [DATA]`: exit code 1 when a gradient is wrong, or cannot be compared because numbers are not finite."""
    from engine.explain.findings.base import Scene
    from engine.explain.findings.non_finite import non_finite
    from engine.explain.gradcheck import check as check_gradients

    session = opened(arguments, given)
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
    spelling = spelling_of(session)
    if math.isinf(report.max_relative_error):
        scene = Scene(debugger, iteration, spelling.name)
        report = replace(report, notes=tuple(finding.text for finding in non_finite(scene)) or report.notes)
    if arguments.json:
        print(json.dumps(report.to_json(), indent=2, allow_nan=False))
    else:
        print(_table(report, spelling))
    return 0 if report.ok else 1


def show(arguments: argparse.Namespace, given: dict[str, Any]) -> int:
    """`rnn-tui show QUANTITY [DATA]`."""
    from engine.debug.whatif import Branch
    from engine.notation import parse_cell
    from rnn_tui.show import ledger_text, picture, reach_text

    wanted = arguments.quantity.strip()
    cell = wanted.removeprefix("ledger ")
    name, t, index = parse_cell(cell)
    session = opened(arguments, given)
    spelling = spelling_of(session)
    name = spelling.in_engine_names(name)
    iteration = session.options["iteration"]
    debugger = edited(session, arguments.set)
    tape, original = debugger.tape(iteration), None
    if arguments.difference:
        if not isinstance(debugger, Branch):
            raise InputError(
                "--difference compares with what --set changes; give --set too, for example --set 'da@3 = 0'"
            )
        original = debugger.original.tape(iteration)
    mode = color_mode_of(arguments)
    special = cell != wanted or (name == "reach" and name not in tape)
    if special and original is not None:
        raise InputError(f"{clean(wanted, 40)} has no difference to show; leave --difference away")
    if cell != wanted:
        sys.stdout.write(ledger_text(tape, name, t, index, mode))
    elif special:
        sys.stdout.write(reach_text(tape, mode))
    else:
        note = f"what if: {'; '.join(texts)}" if (texts := texts_of(debugger)) else ""
        sys.stdout.write(picture(tape, name, t, index, mode, original=original, note=note, spelt=spelling.name))
    return 0


def code(arguments: argparse.Namespace, given: dict[str, Any]) -> int:
    """`rnn-tui code [DATA]`."""
    from engine.codegen import program_text

    session: Session = opened(arguments, given)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # inside a string of the program an escape means the same
    sys.stdout.write(program_text(session))
    return 0


def run(arguments: argparse.Namespace, given: dict[str, Any]) -> int:
    """`rnn-tui run [DATA] --break EXPR`: exit code 3 when the condition never holds. With `--findings` it prints the
    findings; exit code 0."""
    from engine.debug.view import place_text

    if arguments.findings and arguments.reverse:
        raise InputError("--reverse belongs to --break; leave it away")
    session = opened(arguments, given)
    if arguments.findings:
        return _findings(session, arguments)
    debugger, first = session.debugger, session.options["iteration"]
    spelling = spelling_of(session)
    holding = _holding(spelling.in_engine_names(arguments.condition), debugger, spelling.name)
    stopped_at = None
    iterations = range(first, first + arguments.iterations)
    for iteration in reversed(iterations) if arguments.reverse else iterations:
        if (holds := holding(iteration)).size:
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
        print(place_text(_spelt(stopped_at, spelling.name)))
    else:
        count = "1 iteration" if arguments.iterations == 1 else f"{arguments.iterations} iterations"
        print(f"{clean(arguments.condition)} holds nowhere in {count}", file=sys.stderr)
    return 0 if stopped_at is not None else 3


def _holding(text: str, debugger: Debugger, spelt: Callable[[str], str]) -> Callable[[int], Array]:
    """Gives the offsets of an iteration at which a condition holds, or at which a breakpoint would stop that is written as in the app."""
    import numpy as np

    from engine.debug.breakpoints import condition_of, everywhere, hits, parse_breakpoint

    program, lines = debugger.program, debugger.lines
    if set(text) & set("<>=(|"):
        try:
            condition = condition_of(text, program, spelt)
        except InputError as error:
            refused = error
        else:
            return lambda iteration: everywhere(condition, debugger.tape(iteration), iteration, lines).nonzero()[0]
    else:
        refused = None
    try:
        stops = parse_breakpoint(text, program, debugger.batches.samples, spelt)
    except InputError:
        if refused is None:
            raise
        raise refused from None
    if any(stop.hit is not None or stop.log for stop in stops):
        raise InputError("a hit count and a log are for the app's breakpoints; leave them away")
    return lambda iteration: np.unique(
        np.concatenate([hits(stop, debugger.tape(iteration), iteration, lines) for stop in stops])
    )


def _spelt(point: Point, spell: Callable[[str], str]) -> Point:
    """A point with names as a notation has them."""
    return replace(point, line=spell(point.line), parameter=spell(point.parameter) if point.parameter else None)


def _findings(session: Session, arguments: argparse.Namespace) -> int:
    """The findings of some iterations, each where it comes up first."""
    from engine.debug.view import place_text
    from engine.explain.findings import first_seen

    program, first = session.debugger.program, session.options["iteration"]
    iterations, spell = range(first, first + arguments.iterations), spelling_of(session).name
    results = [finding for _, finding in first_seen(session.debugger, iterations, spell)]
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
        print(f"{mark} {finding.kind}: {finding.text} ({place_text(_spelt(program.point(finding.position), spell))})")
    if not results:
        print("nothing is wrong", file=sys.stderr)
    return 0


def explain(arguments: argparse.Namespace, given: dict[str, Any]) -> int:
    """`rnn-tui explain CELL [DATA]`."""
    from engine.explain.why import parse_place, to_json
    from rnn_tui.show import explained

    session = opened(arguments, given)
    spelling = spelling_of(session)
    number, iteration = spelling.in_engine_names(arguments.number), session.options["iteration"]
    cell = parse_place(number, session.debugger, iteration, spelling.name)
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

    session = opened(arguments, given)
    debugger, first = session.debugger, session.options["iteration"]
    last = first + arguments.iterations
    output = (
        output_of(arguments, session, weights_too=True) if arguments.output else None
    )  # before the work, not after it
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


def _table(report: GradientCheck, spelling: Spelling) -> str:
    """The check's result for people: one line per parameter, with its worst entry; where numbers are not finite, where that begins."""
    if math.isinf(report.max_relative_error):
        return "\n".join(
            [*report.notes, "the gradients are neither right nor wrong: numbers that are not finite cannot be compared"]
        )
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
    wrong = report.max_relative_error > report.tolerance
    verdict = "right" if report.ok else "WRONG" if wrong else "neither right nor wrong, for too little was tested"
    return "\n".join([*lines, f"the gradients are {verdict}: largest relative error {report.max_relative_error:.2e}"])
