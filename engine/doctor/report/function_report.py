"""Examines one function: calls it with problems that hide no mistake; recipe and layout are found by trying."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Mapping, Set
from dataclasses import replace
from typing import Any

from engine.doctor.judge import ablation
from engine.doctor.judge.repair import Verify
from engine.doctor.judge.timeline import Compared, Scales
from engine.doctor.mistakes.variants.naming import constants, kept_between_calls
from engine.doctor.mistakes.variants.naming import notes as harmless
from engine.doctor.read.syntax import UserFunction, UserProgram
from engine.doctor.recognise import clipping
from engine.doctor.recognise.call_recipes import CallRecipe, Unknown, recipes
from engine.doctor.recognise.driver import driver
from engine.doctor.recognise.layout_search import CallAttempt, search
from engine.doctor.recognise.likeliest_reading import likeliest, scale_of
from engine.doctor.recognise.loaded_program import CannotRun, LoadedProgram, is_of_loss
from engine.doctor.recognise.losses import Loss, agrees, another_loss
from engine.doctor.recognise.program_under_test import BRIEF_SECONDS, ProgramUnderTest
from engine.doctor.recognise.reduction import Scale, find_scale
from engine.doctor.reference import layouts, tolerances
from engine.doctor.reference.packed_values import Arrays
from engine.doctor.reference.problem import Problem, is_simple, kind_of
from engine.doctor.reference.reductions import scales
from engine.doctor.reference.values import Reference
from engine.doctor.report.conventions import notes_of, of_call
from engine.doctor.report.exceptions import raised
from engine.doctor.report.explain import OTHER_LOSS, located, unless_forward_unknown, without_read_out
from engine.doctor.report.report import Report
from engine.doctor.run.instrument import instrument
from engine.doctor.run.process import Ended, Process
from engine.doctor.vocabulary.readings import has_weights, readings


def readings_of_arguments(user_program: UserProgram, main: UserFunction) -> list[CallRecipe]:
    """The ways to call the function in every reading of its names. Raises Unknown where there is none."""
    ways: list[CallRecipe] = []
    unknown: Unknown | None = None
    for names in readings(user_program.words_around(main), user_program.cells):
        try:
            ways_of_reading = recipes(replace(user_program, names=names), main)
        except Unknown as error:
            unknown = unknown or error
            continue
        ways += ways_of_reading if names.simple else [way for way in ways_of_reading if has_weights(names, way.given)]
    if not ways and unknown is not None:
        raise unknown
    return ways


def load_program(user_program: UserProgram, main: UserFunction, process: Process) -> LoadedProgram:
    """The module run in its process, up to where its functions exist; CannotRun when it fails."""
    made = instrument(user_program.source.tree())
    loaded = LoadedProgram(user_program, process, made.sites, made.loops)
    answer = load(loaded, main, user_program.source.text)
    if "error" in answer:
        raise CannotRun(loaded.failed(answer["error"]), answer["error"].get("line"))
    skipped = answer["result"]["skipped"]
    notes = [f"{user_program.source.place(s['line'])} was left out: {loaded.failed(s, 1.0)}" for s in skipped[:2]]
    if others := user_program.rivals(main):
        notes.append(f"{main.name} was examined; there is {', '.join(others[:4])} too: name it with --function")
    return replace(loaded, notes=tuple(notes))


def _demonstrations(user_program: UserProgram, main: UserFunction) -> list[int]:
    """The lines of top-level statements that only use the function that is examined: they may fail or take too long."""
    lines: list[int] = []
    users = {f.node.name for f in user_program.functions if user_program.calls(f, main) or f is main}
    if main.owner is not None:
        users |= {main.owner.name}
    for statement in user_program.tree.body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom):
            continue
        called = {n.id for n in ast.walk(statement) if isinstance(n, ast.Name)} | {
            n.attr for n in ast.walk(statement) if isinstance(n, ast.Attribute)
        }
        if called & users and statement.lineno > main.node.lineno:
            lines.append(statement.lineno)
    return lines


def examine_function(user_program: UserProgram, main: UserFunction, process: Process) -> Report:
    """The report on a function, called in the way whose forward pass is the reference's."""
    loaded = load_program(user_program, main, process)
    try:
        ways = readings_of_arguments(user_program, main)
    except Unknown as error:
        raise CannotRun(str(error), main.node.lineno) from None
    attempt = search(process, loaded.sites, ways)
    made = driver(attempt.recipe, attempt.problem, attempt.layout) if attempt.problem is not None else ""
    try:
        return replace(_examined(loaded, attempt), driver=made)
    except CannotRun as refused:
        refused.driver = made
        raise


def _examined(loaded: LoadedProgram, attempt: CallAttempt) -> Report:
    """The report on the call attempt that agreed best."""
    assert attempt.run is not None and attempt.problem is not None
    attempt, explained = likeliest(attempt, lambda other: _program_under_test(loaded, other))
    assert attempt.run is not None
    base = Report("wrong", "", attempt.recipe.main.name, notes=loaded.notes)
    if attempt.states == 0.0:
        _refuse_unrecognised(loaded, attempt)
    error = attempt.run.error
    if error is not None and (not _in_backward(loaded, attempt) or is_of_loss(loaded, error)):
        raise CannotRun(loaded.failed(error, 1.5), error.get("line"))
    tested = _program_under_test(loaded, attempt)
    if error is not None:
        assert attempt.problem is not None
        unknown = Scale(1.0, "", "nothing")
        compared = Compared(loaded.source, attempt.run.events, Reference(attempt.problem), _scales(attempt, unknown))
        base = replace(base, compared=compared, conventions=of_call(attempt, unknown))
        return raised(loaded, error, base, attempt.problem, _verifier(loaded, attempt, tested))
    if attempt.outputs < 2.0 and "y" in attempt.recipe.given and not explained:
        return _of_some_reading(loaded, attempt, base)
    return _compared(loaded, attempt, tested, base)


def _of_some_reading(loaded: LoadedProgram, attempt: CallAttempt, base: Report) -> Report:
    """Where no reading of the program has right outputs: the report on the reading that the fewest mistakes of the catalogue explain."""
    first: CannotRun | None = None
    best: Report | None = None
    for reading in (attempt, *attempt.others[:10]):
        assert reading.problem is not None
        for factor, words in scales(reading.problem, reading.layout.single).items():
            if best is not None and loaded.time_left() == 0.0:
                return best
            try:
                load(loaded, reading.recipe.main, loaded.source.text)
                tested = _program_under_test(loaded, reading)
                report = _compared(loaded, reading, tested, base, Scale(factor, words, "loss"))
            except CannotRun as error:
                first = first or error
                continue
            if len(report.diagnoses) == 1:
                return report
            best = best if best is not None and len(best.diagnoses) <= len(report.diagnoses) else report
        if best is not None or loaded.time_left() == 0.0:
            break
    if best is None:
        assert first is not None
        raise first
    return best


def load(loaded: LoadedProgram, main: UserFunction, text: str) -> Mapping[str, Any]:
    """Runs a text of the program in its process, so that one function can be called."""
    return loaded.process.ask(
        "load",
        file=str(loaded.process.file),
        name="program",
        text=text,
        lenient=True,
        demonstrations=_demonstrations(loaded.program, main),
        after=main.node.end_lineno,
    )


def _program_under_test(loaded: LoadedProgram, attempt: CallAttempt) -> ProgramUnderTest:
    return ProgramUnderTest(
        loaded.process,
        loaded.sites,
        attempt.recipe,
        attempt.layout,
        attempt.cell,
        attempt.activation,
        attempt.predict,
        attempt.loss,
        attempt.outputs_count,
    )


def _refuse_unrecognised(loaded: LoadedProgram, attempt: CallAttempt) -> None:
    assert attempt.run is not None
    error = attempt.run.error
    if error is not None:
        raise CannotRun(loaded.failed(error, 1.5), error.get("line"))
    raise CannotRun(
        f"{attempt.recipe.main.name} runs, but in no layout does its forward pass compute the states of {attempt.recipe.names}; "
        "check its arguments' names or give the function with --function",
        attempt.recipe.main.node.lineno,
    )


def _in_backward(loaded: LoadedProgram, attempt: CallAttempt) -> bool:
    """Whether an exception came after the forward pass was done: then it is a finding."""
    assert attempt.run is not None and attempt.run.error is not None
    error = attempt.run.error
    if error["kind"] in ("Stopped", "MemoryError", "_ArrayMemoryError", "SystemExit", "RecursionError", "EOFError"):
        return False
    supplied = "y" not in attempt.recipe.given and len(attempt.recipe.calls) > 1 and not attempt.recipe.guessed
    return attempt.states == 1.0 and (attempt.outputs >= 2.0 or supplied)


def _compared(
    loaded: LoadedProgram, attempt: CallAttempt, tested: ProgramUnderTest, base: Report, supposed: Scale | None = None
) -> Report:
    problem, run = attempt.problem, attempt.run
    assert problem is not None and run is not None
    reference = Reference(problem, Arrays(attempt.recipe.given, attempt.layout.order))
    scale = supposed or Scale(1.0, "", "nothing")
    other = None
    if "y" in attempt.recipe.given and supposed is None:
        scale, other = _scale_of(loaded, attempt, tested, reference)
    tested.scale, tested.unit = scale.factor, scale.words
    measured = tested.measurement(problem, run)
    if other is not None and agrees(other, measured):
        parameters = {n: tolerances.compare(value, other.gradients[n]) for n, value in measured.gradients.items()}
        return replace(
            base,
            verdict="correct",
            conventions=of_call(attempt, scale),
            loss_matches=True,
            parameters=parameters,
            compared=Compared(loaded.source, run.events, reference, _scales(attempt, scale)),
        )
    main = attempt.recipe.main
    if (
        (second := tested.second) is not None
        and not loaded.program.resets(main)
        and kept_between_calls(tested, problem)
    ):
        measured = second(problem)
    tolerance = tolerances.RIGHT_SINGLE if run.is_single else tolerances.RIGHT
    missing = measured.missing - attempt.recipe.given if "y" in attempt.recipe.given else measured.missing
    parameters = tolerances.compare_all(problem, measured.gradients, frozenset(missing), tolerance=tolerance)
    if not measured.gradients:
        raise CannotRun(
            f"{attempt.recipe.main.name} returns no gradients that could be told by name or shape; return them as a dict or tuple",
            attempt.recipe.main.node.lineno,
        )
    if attempt.states < 1.0:
        raise CannotRun(
            f"{attempt.recipe.main.name} computes the states of {kind_of(problem)} at some steps only; is it another cell?",
            attempt.recipe.main.node.lineno,
        )
    forward_ok = attempt.outputs >= 2.0 or "y" not in attempt.recipe.given
    if forward_ok and not all(comparison.ok for comparison in parameters.values()):
        limits = frozenset(constants(loaded.program.tree)) - {0.0}
        clipped = clipping.expected(tested, problem, run, limits)
        if clipped is not None:
            parameters = {
                n: tolerances.compare(measured.gradients[n], clipped_gradient)
                for n, clipped_gradient in clipped.items()
            }
            base = replace(base, notes=(*base.notes, clipping.CLIPPED))
        elif clipping.CALM not in base.notes and clipping.is_at_limit(tested, problem, run, limits):
            calm = clipping.calm(problem, attempt.recipe.given)
            again = replace(attempt, problem=calm, run=tested.run(calm, record=True))
            explained = _compared(loaded, again, tested, replace(base, notes=(*base.notes, clipping.CALM)), scale)
            if explained.verdict == "wrong":
                return explained
    wrong = frozenset(name for name, comparison in parameters.items() if not comparison.ok)
    notes = [*base.notes, *notes_of(attempt, measured)]
    report = replace(
        base,
        verdict="wrong" if wrong or not forward_ok else "correct",
        conventions=of_call(attempt, scale),
        loss_matches=forward_ok and scale.loss_agrees,
        parameters=parameters,
        notes=(*notes, *([] if scale.loss_agrees else [OTHER_LOSS])),
        compared=Compared(loaded.source, run.events, reference, _scales(attempt, scale, wrong)),
    )
    assert report.compared is not None
    loss_is_wrong = not scale.loss_agrees and measured.loss is not None
    if report.verdict == "correct" and not loss_is_wrong:
        return replace(report, notes=(*report.notes, *harmless(tested, problem)))
    line_up = report.compared.timeline

    verify = _verifier(loaded, attempt, tested, tolerance=tolerance, returned=measured.gradients.keys())
    explained = located(loaded, report, line_up, tested, problem, verify)
    if report.verdict == "correct":  # the gradients are; is there a known reason why the loss is not?
        return replace(explained, verdict="wrong", first_divergence=None) if explained.diagnoses else report
    explained = without_read_out(explained, other)
    if forward_ok and not explained.diagnoses and "y" in attempt.recipe.given:
        with contextlib.suppress(Ended):
            explained = replace(explained, pattern=_pattern(loaded, attempt, tested))
    return unless_forward_unknown(explained, forward_ok)


def _verifier(
    loaded: LoadedProgram,
    attempt: CallAttempt,
    tested: ProgramUnderTest,
    *,
    tolerance: float = tolerances.RIGHT,
    returned: Set[str] | None = None,
) -> Verify:
    """Tells whether a changed text of the program gives right gradients: those that it `returned` before, if it did."""
    problem = attempt.problem
    assert problem is not None

    def verify(text: str) -> bool:
        if "error" in load(loaded, attempt.recipe.main, text):
            return False
        changed = replace(tested, sites=instrument(ast.parse(text)).sites, seconds=BRIEF_SECONDS)(problem)
        if (
            changed.error is not None
            or not changed.gradients
            or changed.gradients.keys() != (returned or changed.gradients.keys())
        ):
            return False
        needed = attempt.recipe.given if returned is None or "y" in attempt.recipe.given else frozenset[str]()
        right = tolerances.compare_all(problem, changed.gradients, changed.missing - needed, tolerance=tolerance)
        return all(comparison.ok for comparison in right.values())

    return verify


def _scales(attempt: CallAttempt, scale: Scale, wrong: frozenset[str] = frozenset()) -> Scales:
    """What the right scales and the ways round are in the user's code."""
    assert attempt.problem is not None
    layout = attempt.layout
    base = scale.factor * (len(attempt.problem.X) if layout.single else 1)
    return Scales(base, wrong, layouts.turned(attempt.cell, layout), attempt.recipe.names, layout.order)


def _scale_of(
    loaded: LoadedProgram, attempt: CallAttempt, tested: ProgramUnderTest, reference: Reference
) -> tuple[Scale, Loss | None]:
    """The scale of the user's loss, and what that loss is besides the read-out's own, if it is another."""
    problem, run, single = attempt.problem, attempt.run, attempt.layout.single
    assert problem is not None and run is not None
    measured = tested.measurement(problem, run)
    scale = find_scale(problem, run, measured, reference, single)
    if scale.loss_agrees and scale.source in ("loss", "gradients"):
        return scale, None
    other = another_loss(problem, run, measured, single, loaded.program.tree) if is_simple(problem) else None
    if other is not None:
        tested.penalty = other.penalty
        return other.scale, other
    if scale.loss_agrees and scale.source != "nothing":
        return scale, None
    return scale_of(attempt, tested, scale), None


def _pattern(loaded: LoadedProgram, attempt: CallAttempt, tested: ProgramUnderTest) -> dict[str, bool]:
    """Whether the gradients are right on problems that leave one part out: what has no name lies in the part that matters."""
    problems: dict[str, Problem | None] = {
        "T = 1": tested.another(steps=1),
        "B = 1": tested.another(batch=1),
        "H = 1": tested.another(hidden=1),
        "a0 = 0": tested.another(initial=False) if "a0" in attempt.recipe.given else None,
        ablation.LINEAR: ablation.linear(tested.another()),
    }
    load(loaded, attempt.recipe.main, loaded.source.text)
    result: dict[str, bool] = {}
    for name, problem in problems.items():
        measured = tested(problem) if problem is not None else None
        if problem is not None and measured is not None and measured.error is None:
            compared = tolerances.compare_all(problem, measured.gradients, measured.missing - attempt.recipe.given)
            result[name] = all(comparison.ok for comparison in compared.values())
    return result
