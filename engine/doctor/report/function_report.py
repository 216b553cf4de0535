"""A function of the user's: called with problems that hide nothing, in the way and the layout that are found by trying."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Mapping, Set
from dataclasses import replace
from typing import Any

from engine.doctor.judge import ablation
from engine.doctor.judge.repair import Verify
from engine.doctor.judge.timeline import Compared, Scales
from engine.doctor.mistakes.naming import constants, kept_between_calls
from engine.doctor.mistakes.naming import notes as harmless
from engine.doctor.read.syntax import Function, Program
from engine.doctor.recognise import clipping
from engine.doctor.recognise.call_recipes import Recipe, Unknown, recipes
from engine.doctor.recognise.layout_search import Trial, search
from engine.doctor.recognise.likeliest_reading import likeliest, scale_of
from engine.doctor.recognise.loaded_program import CannotRun, Patient, is_of_loss
from engine.doctor.recognise.losses import Loss, agrees, another_loss
from engine.doctor.recognise.reduction import Scale, find_scale
from engine.doctor.recognise.subject import BRIEF_SECONDS, Subject
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


def readings_of_arguments(found: Program, main: Function) -> list[Recipe]:
    """The ways to call the function in every reading of its names. Raises Unknown where there is none."""
    ways: list[Recipe] = []
    unknown: Unknown | None = None
    for names in readings(found.words_around(main), found.cells):
        try:
            own = recipes(replace(found, names=names), main)
        except Unknown as error:
            unknown = unknown or error
            continue
        ways += own if names.simple else [way for way in own if has_weights(names, way.given)]
    if not ways and unknown is not None:
        raise unknown
    return ways


def loaded(found: Program, main: Function, process: Process) -> Patient:
    """The module run in its process, up to where its functions exist; CannotRun when it fails."""
    made = instrument(found.source.tree())
    patient = Patient(found, process, made.sites, made.loops)
    answer = load(patient, main, found.source.text)
    if "error" in answer:
        raise CannotRun(patient.failed(answer["error"]), answer["error"].get("line"))
    skipped = answer["result"]["skipped"]
    notes = [f"{found.source.place(s['line'])} was left out: {patient.failed(s, 1.0)}" for s in skipped[:2]]
    if others := found.rivals(main):
        notes.append(f"{main.name} was examined; there is {', '.join(others[:4])} too: name it with --function")
    return replace(patient, notes=tuple(notes))


def _demonstrations(found: Program, main: Function) -> list[int]:
    """The lines of top-level statements that only use the function that is examined: they may fail or take too long."""
    lines: list[int] = []
    users = {f.node.name for f in found.functions if found.calls(f, main) or f is main}
    if main.owner is not None:
        users |= {main.owner.name}
    for statement in found.tree.body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom):
            continue
        called = {n.id for n in ast.walk(statement) if isinstance(n, ast.Name)} | {
            n.attr for n in ast.walk(statement) if isinstance(n, ast.Attribute)
        }
        if called & users and statement.lineno > main.node.lineno:
            lines.append(statement.lineno)
    return lines


def examine_function(found: Program, main: Function, process: Process) -> Report:
    """The report on a function, called in the way whose forward pass is the reference's."""
    patient = loaded(found, main, process)
    try:
        ways = readings_of_arguments(found, main)
    except Unknown as error:
        raise CannotRun(str(error), main.node.lineno) from None
    return _examined(patient, search(process, patient.sites, ways))


def _examined(patient: Patient, trial: Trial) -> Report:
    """The report on the best way of calling that was found."""
    assert trial.run is not None and trial.problem is not None
    trial, explained = likeliest(trial, lambda other: _subject_of(patient, other))
    assert trial.run is not None
    base = Report("wrong", "", trial.recipe.main.name, notes=patient.notes)
    if trial.states == 0.0:
        _refuse_unrecognised(patient, trial)
    error = trial.run.error
    if error is not None and (not _in_backward(patient, trial) or is_of_loss(patient, error)):
        raise CannotRun(patient.failed(error, 1.5), error.get("line"))
    subject = _subject_of(patient, trial)
    if error is not None:
        assert trial.problem is not None
        unknown = Scale(1.0, "", "nothing")
        compared = Compared(patient.source, trial.run.events, Reference(trial.problem), _scales(trial, unknown))
        base = replace(base, compared=compared, conventions=of_call(trial, unknown))
        return raised(patient, error, base, trial.problem, _verifier(patient, trial, subject))
    if trial.outputs < 2.0 and "y" in trial.recipe.given and not explained:
        return _of_some_reading(patient, trial, base)
    return _compared(patient, trial, subject, base)


def _of_some_reading(patient: Patient, trial: Trial, base: Report) -> Report:
    """No reading of the program has right outputs: the one of which a mistake of the catalogue says why, in as few ids as may be."""
    first: CannotRun | None = None
    best: Report | None = None
    for reading in (trial, *trial.others[:10]):
        assert reading.problem is not None
        for factor, words in scales(reading.problem, reading.layout.single).items():
            if best is not None and patient.time_left() == 0.0:
                return best
            try:
                load(patient, reading.recipe.main, patient.source.text)
                subject = _subject_of(patient, reading)
                report = _compared(patient, reading, subject, base, Scale(factor, words, "loss"))
            except CannotRun as error:
                first = first or error
                continue
            if len(report.diagnoses) == 1:
                return report
            best = best if best is not None and len(best.diagnoses) <= len(report.diagnoses) else report
        if best is not None or patient.time_left() == 0.0:
            break
    if best is None:
        assert first is not None
        raise first
    return best


def load(patient: Patient, main: Function, text: str) -> Mapping[str, Any]:
    """Runs a text of the program in its process, for the sake of one function."""
    return patient.process.ask(
        "load",
        file=str(patient.process.file),
        name="program",
        text=text,
        lenient=True,
        demonstrations=_demonstrations(patient.program, main),
        after=main.node.end_lineno,
    )


def _subject_of(patient: Patient, trial: Trial) -> Subject:
    return Subject(
        patient.process,
        patient.sites,
        trial.recipe,
        trial.layout,
        trial.cell,
        trial.activation,
        trial.predict,
        trial.loss,
        trial.outputs_count,
    )


def _refuse_unrecognised(patient: Patient, trial: Trial) -> None:
    assert trial.run is not None
    error = trial.run.error
    if error is not None:
        raise CannotRun(patient.failed(error, 1.5), error.get("line"))
    raise CannotRun(
        f"{trial.recipe.main.name} runs, but in no layout does its forward pass compute the states of {trial.recipe.names}; "
        "check its arguments' names or give the function with --function",
        trial.recipe.main.node.lineno,
    )


def _in_backward(patient: Patient, trial: Trial) -> bool:
    """Whether an exception came after the forward pass was done: then it is a finding."""
    assert trial.run is not None and trial.run.error is not None
    error = trial.run.error
    if error["kind"] in ("Stopped", "MemoryError", "_ArrayMemoryError", "SystemExit", "RecursionError", "EOFError"):
        return False
    own = "y" not in trial.recipe.given and len(trial.recipe.calls) > 1 and not trial.recipe.guessed
    return trial.states == 1.0 and (trial.outputs >= 2.0 or own)


def _compared(patient: Patient, trial: Trial, subject: Subject, base: Report, supposed: Scale | None = None) -> Report:
    problem, run = trial.problem, trial.run
    assert problem is not None and run is not None
    reference = Reference(problem, Arrays(trial.recipe.given, trial.layout.order))
    scale = supposed or Scale(1.0, "", "nothing")
    other = None
    if "y" in trial.recipe.given and supposed is None:
        scale, other = _scale_of(patient, trial, subject, reference)
    subject.scale, subject.unit = scale.factor, scale.words
    measured = subject.measurement(problem, run)
    if other is not None and agrees(other, measured):
        parameters = {n: tolerances.compare(value, other.gradients[n]) for n, value in measured.gradients.items()}
        return replace(
            base,
            verdict="correct",
            conventions=of_call(trial, scale),
            loss_matches=True,
            parameters=parameters,
            compared=Compared(patient.source, run.events, reference, _scales(trial, scale)),
        )
    main = trial.recipe.main
    if (
        (second := subject.second) is not None
        and not patient.program.resets(main)
        and kept_between_calls(subject, problem)
    ):
        measured = second(problem)
    tolerance = tolerances.RIGHT_SINGLE if run.is_single else tolerances.RIGHT
    missing = measured.missing - trial.recipe.given if "y" in trial.recipe.given else measured.missing
    parameters = tolerances.compare_all(problem, measured.gradients, frozenset(missing), tolerance=tolerance)
    if not measured.gradients:
        raise CannotRun(
            f"{trial.recipe.main.name} returns no gradients that could be told by name or shape; return them as a dict or tuple",
            trial.recipe.main.node.lineno,
        )
    if trial.states < 1.0:
        raise CannotRun(
            f"{trial.recipe.main.name} computes the states of {kind_of(problem)} at some steps only; is it another cell?",
            trial.recipe.main.node.lineno,
        )
    forward_ok = trial.outputs >= 2.0 or "y" not in trial.recipe.given
    if forward_ok and not all(each.ok for each in parameters.values()):
        limits = frozenset(constants(patient.program.tree)) - {0.0}
        clipped = clipping.expected(subject, problem, run, limits)
        if clipped is not None:
            parameters = {n: tolerances.compare(measured.gradients[n], own) for n, own in clipped.items()}
            base = replace(base, notes=(*base.notes, clipping.CLIPPED))
        elif clipping.CALM not in base.notes and clipping.is_at_limit(subject, problem, run, limits):
            calm = clipping.calm(problem, trial.recipe.given)
            again = replace(trial, problem=calm, run=subject.run(calm, record=True))
            found = _compared(patient, again, subject, replace(base, notes=(*base.notes, clipping.CALM)), scale)
            if found.verdict == "wrong":
                return found
    wrong = frozenset(name for name, each in parameters.items() if not each.ok)
    notes = [*base.notes, *notes_of(trial, measured)]
    report = replace(
        base,
        verdict="wrong" if wrong or not forward_ok else "correct",
        conventions=of_call(trial, scale),
        loss_matches=forward_ok and scale.loss_agrees,
        parameters=parameters,
        notes=(*notes, *([] if scale.loss_agrees else [OTHER_LOSS])),
        compared=Compared(patient.source, run.events, reference, _scales(trial, scale, wrong)),
    )
    assert report.compared is not None
    loss_is_wrong = not scale.loss_agrees and measured.loss is not None
    if report.verdict == "correct" and not loss_is_wrong:
        return replace(report, notes=(*report.notes, *harmless(subject, problem)))
    line_up = report.compared.timeline

    verify = _verifier(patient, trial, subject, tolerance=tolerance, returned=measured.gradients.keys())
    found = located(patient, report, line_up, subject, problem, verify)
    if report.verdict == "correct":  # the gradients are; is there a known reason why the loss is not?
        return replace(found, verdict="wrong", first_divergence=None) if found.diagnoses else report
    found = without_read_out(found, other)
    if forward_ok and not found.diagnoses and "y" in trial.recipe.given:
        with contextlib.suppress(Ended):
            found = replace(found, pattern=_pattern(patient, trial, subject))
    return unless_forward_unknown(found, forward_ok)


def _verifier(
    patient: Patient,
    trial: Trial,
    subject: Subject,
    *,
    tolerance: float = tolerances.RIGHT,
    returned: Set[str] | None = None,
) -> Verify:
    """Tells whether a changed text of the program gives right gradients: those that it `returned` before, if it did."""
    problem = trial.problem
    assert problem is not None

    def verify(text: str) -> bool:
        if "error" in load(patient, trial.recipe.main, text):
            return False
        changed = replace(subject, sites=instrument(ast.parse(text)).sites, seconds=BRIEF_SECONDS)(problem)
        if (
            changed.error is not None
            or not changed.gradients
            or changed.gradients.keys() != (returned or changed.gradients.keys())
        ):
            return False
        needed = trial.recipe.given if returned is None or "y" in trial.recipe.given else frozenset[str]()
        right = tolerances.compare_all(problem, changed.gradients, changed.missing - needed, tolerance=tolerance)
        return all(each.ok for each in right.values())

    return verify


def _scales(trial: Trial, scale: Scale, wrong: frozenset[str] = frozenset()) -> Scales:
    """What the right scales and the ways round are in the user's code."""
    assert trial.problem is not None
    layout = trial.layout
    base = scale.factor * (len(trial.problem.X) if layout.single else 1)
    return Scales(base, wrong, layouts.turned(trial.cell, layout), trial.recipe.names, layout.order)


def _scale_of(patient: Patient, trial: Trial, subject: Subject, reference: Reference) -> tuple[Scale, Loss | None]:
    """The scale of the user's loss, and what that loss is besides the read-out's own, if it is another."""
    problem, run, single = trial.problem, trial.run, trial.layout.single
    assert problem is not None and run is not None
    measured = subject.measurement(problem, run)
    scale = find_scale(problem, run, measured, reference, single)
    if scale.loss_agrees and scale.source in ("loss", "gradients"):
        return scale, None
    other = another_loss(problem, run, measured, single, patient.program.tree) if is_simple(problem) else None
    if other is not None:
        subject.penalty = other.penalty
        return other.scale, other
    if scale.loss_agrees and scale.source != "nothing":
        return scale, None
    return scale_of(trial, subject, scale), None


def _pattern(patient: Patient, trial: Trial, subject: Subject) -> dict[str, bool]:
    """Whether the gradients are right on problems that leave one part out: what has no name lies in the part that matters."""
    problems: dict[str, Problem | None] = {
        "T = 1": subject.another(steps=1),
        "B = 1": subject.another(batch=1),
        "H = 1": subject.another(hidden=1),
        "a0 = 0": subject.another(initial=False) if "a0" in trial.recipe.given else None,
        ablation.LINEAR: ablation.linear(subject.another()),
    }
    load(patient, trial.recipe.main, patient.source.text)
    result: dict[str, bool] = {}
    for name, problem in problems.items():
        measured = subject(problem) if problem is not None else None
        if problem is not None and measured is not None and measured.error is None:
            compared = tolerances.compare_all(problem, measured.gradients, measured.missing - trial.recipe.given)
            result[name] = all(each.ok for each in compared.values())
    return result
