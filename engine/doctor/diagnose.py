"""The doctor itself: from a file to a report."""

from __future__ import annotations

import ast
import contextlib
import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.cells import Cell
from engine.doctor import clipping, clock, comparing, failures, layouts, parts, placing
from engine.doctor.anatomy import Function, Program, program
from engine.doctor.calls import FAR, Recipe, Unknown, recipes
from engine.doctor.conventions import of_weights
from engine.doctor.instrument import Site, instrument
from engine.doctor.losses import Loss, agrees, another_loss
from engine.doctor.matching import Reference
from engine.doctor.names import has_weights, readings
from engine.doctor.naming import constants, kept_between_calls
from engine.doctor.placing import Compared, Scales, Seen, Timeline
from engine.doctor.problem import Measure, Measurement, Problem, is_simple, kind_of
from engine.doctor.process import MEMORY, SECONDS, Ended, Process
from engine.doctor.report import Place, Report
from engine.doctor.returned import is_loss
from engine.doctor.scale import Scale, find_scale, scales
from engine.doctor.side_by_side import Arrays
from engine.doctor.source import Source, Unreadable, read_source
from engine.doctor.stacking import is_bias
from engine.doctor.trying import BRIEF_SECONDS, Run, Subject, Trial, search
from engine.doctor.values import is_array
from engine.errors import InputError
from engine.text import clean

WHOLE = 4.0
"""Seconds for a whole diagnosis, as far as it is up to the doctor."""


class CannotRun(Exception):
    """The code could not be examined: one sentence, and the line it is about."""

    def __init__(self, sentence: str, line: int | None = None) -> None:
        super().__init__(sentence)
        self.line = line


@dataclass(frozen=True, eq=False)
class Patient:
    """A program, loaded in its process."""

    program: Program
    process: Process
    sites: Sequence[Site]
    loops: Sequence[tuple[int, str]] = ()
    notes: tuple[str, ...] = ()

    @property
    def source(self) -> Source:
        """Its text."""
        return self.program.source

    def time_left(self) -> float:
        """Seconds that may still be spent on what is only convenient."""
        return max(0.0, min(1.0, WHOLE - (clock.now() - self.process.started)))

    def failed(self, failure: Mapping[str, Any], seconds: float = SECONDS) -> str:
        """The sentence for a failure."""
        return failures.sentence(failure, self.source, self.program.tree, seconds, MEMORY)


def diagnose(path: Path, function: str | None = None, cells: Sequence[Cell] = ()) -> Report:
    """What is wrong in the backward pass at `path`, where and why, or that it is right. `cells` are cells of one's own that it may be of.

    The file is run, in a process of its own with limits of time and memory. Raises InputError when there is no such file, or no
    function of the name that is asked for; whatever else goes wrong is part of the report.
    """
    try:
        return diagnose_source(read_source(path), function, cells)
    except Unreadable as error:
        return Report("cannot-run", clean(path.name), reason=str(error), reason_line=error.line)


def diagnose_source(source: Source, function: str | None = None, cells: Sequence[Cell] = ()) -> Report:
    """The same for a text that is already read."""
    name = clean(source.path.name)
    try:
        found = replace(program(source, source.tree()), cells=tuple(cells))
        main = _main(found, function, name)
    except Unreadable as error:
        return Report("cannot-run", name, reason=str(error), reason_line=error.line)
    with Process(source) as process, np.errstate(all="ignore"):
        try:
            return _in_cells(replace(_examined(found, main, process), file=name), source)
        except CannotRun as error:
            return Report("cannot-run", name, main.name if main else "", reason=str(error), reason_line=error.line)
        except Ended as ended:
            return Report("cannot-run", name, main.name if main else "", reason=f"the code {ended}")
        except InputError:
            raise
        except Exception as error:  # a sentence is better than a traceback
            return Report("cannot-run", name, main.name if main else "", reason=_own_failure(error))


def _own_failure(error: Exception) -> str:
    """What to say of an error in the doctor itself."""
    return (
        f"the doctor itself failed ({type(error).__name__}: {clean(str(error), 80)}); please report this with the file"
    )


def _in_cells(report: Report, source: Source) -> Report:
    """The report on a notebook, with cells beside the lines."""

    def told(place: Place | None) -> Place | None:
        return replace(place, where=source.place(place.line)) if place is not None and source.cells else place

    findings = tuple(replace(finding, place=told(finding.place)) for finding in report.diagnoses)
    return replace(report, diagnoses=findings, first_divergence=told(report.first_divergence))


def _main(found: Program, function: str | None, name: str) -> Function | None:
    if function is None:
        return found.backward()
    main = found.find(function)
    if main is None:
        own = [f.name for f in found.functions]
        near = difflib.get_close_matches(function, [*own, *(f.node.name for f in found.functions)], 1)
        meant = f"is {near[0]} meant? " if near else ""
        raise InputError(
            f"{name}: there is no function {clean(function, 60)}; {meant}it has {', '.join(own[:12]) or 'none'}"
        )
    return main


def _examined(found: Program, main: Function | None, process: Process) -> Report:
    if main is None:
        from engine.doctor.script import examine_script

        return examine_script(found, process)
    patient = loaded(found, main, process)
    try:
        ways = readings_of_arguments(found, main)
    except Unknown as error:
        raise CannotRun(str(error), main.node.lineno) from None
    trial = search(process, patient.sites, ways)
    return examine_trial(patient, trial)


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


def examine_trial(patient: Patient, trial: Trial) -> Report:
    """The report on the best way of calling that was found."""
    assert trial.run is not None and trial.problem is not None
    from engine.doctor.readings import likeliest

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
        compared = Compared(
            patient.source, trial.run.events, Reference(trial.problem), _scales(trial, Scale(1.0, "", "nothing"))
        )
        base = replace(base, compared=compared, conventions=_conventions(trial, Scale(1.0, "", "nothing")))
        problem, main = trial.problem, trial.recipe.main

        def verify(text: str) -> bool:
            if "error" in load(patient, main, text):
                return False
            changed = replace(subject, sites=instrument(ast.parse(text)).sites, seconds=BRIEF_SECONDS)(problem)
            compared = comparing.compare_all(problem, changed.gradients, changed.missing - trial.recipe.given)
            return bool(changed.gradients) and changed.error is None and all(each.ok for each in compared.values())

        from engine.doctor.raised import raised

        return raised(patient, error, base, problem, verify)
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


def is_of_loss(patient: Patient, error: Mapping[str, Any]) -> bool:
    """Whether the line that failed computes the loss: part of the forward pass."""
    line = error.get("line") or 0
    return any(
        s.line <= line <= s.end and s.kind != "part" and is_loss(placing.base_name(s.target)) for s in patient.sites
    )


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
        parameters = {n: comparing.compare(value, other.gradients[n]) for n, value in measured.gradients.items()}
        return replace(
            base,
            verdict="correct",
            conventions=_conventions(trial, scale),
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
    tolerance = comparing.RIGHT_SINGLE if is_single_precision(run) else comparing.RIGHT
    missing = measured.missing - trial.recipe.given if "y" in trial.recipe.given else measured.missing
    parameters = comparing.compare_all(problem, measured.gradients, frozenset(missing), tolerance=tolerance)
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
            parameters = {n: comparing.compare(measured.gradients[n], own) for n, own in clipped.items()}
            base = replace(base, notes=(*base.notes, clipping.CLIPPED))
        elif clipping.CALM not in base.notes and clipping.is_at_limit(subject, problem, run, limits):
            calm = clipping.calm(problem, trial.recipe.given)
            again = replace(trial, problem=calm, run=subject.run(calm, record=True))
            found = _compared(patient, again, subject, replace(base, notes=(*base.notes, clipping.CALM)), scale)
            if found.verdict == "wrong":
                return found
    wrong = frozenset(name for name, each in parameters.items() if not each.ok)
    notes = [*base.notes, *_notes(trial, measured, problem)]
    report = replace(
        base,
        verdict="wrong" if wrong or not forward_ok else "correct",
        conventions=_conventions(trial, scale),
        loss_matches=forward_ok and scale.loss_agrees,
        parameters=parameters,
        notes=(*notes, *([] if scale.loss_agrees else [OTHER_LOSS])),
        compared=Compared(patient.source, run.events, reference, _scales(trial, scale, wrong)),
    )
    assert report.compared is not None
    loss_is_wrong = not scale.loss_agrees and measured.loss is not None
    if report.verdict == "correct" and not loss_is_wrong:
        from engine.doctor.naming import notes as harmless

        return replace(report, notes=(*report.notes, *harmless(subject, problem)))
    line_up = report.compared.timeline

    def verify(text: str) -> bool:
        answer = load(patient, trial.recipe.main, text)
        if "error" in answer:
            return False
        changed = replace(subject, sites=instrument(ast.parse(text)).sites, seconds=BRIEF_SECONDS)(problem)
        if changed.error is not None or set(changed.gradients) != set(measured.gradients):
            return False
        right = comparing.compare_all(problem, changed.gradients, frozenset(missing), tolerance=tolerance)
        return all(each.ok for each in right.values())

    found = located(patient, report, line_up, subject, problem, verify)
    if report.verdict == "correct":  # the gradients are; is there a known reason why the loss is not?
        return replace(found, verdict="wrong", first_divergence=None) if found.diagnoses else report
    found = without_read_out(found, other)
    if forward_ok and not found.diagnoses and "y" in trial.recipe.given:
        with contextlib.suppress(Ended):
            found = replace(found, pattern=_pattern(patient, trial, subject))
    return unless_forward_unknown(found, forward_ok)


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
    from engine.doctor.readings import scale_of

    return scale_of(trial, subject, scale), None


def _pattern(patient: Patient, trial: Trial, subject: Subject) -> dict[str, bool]:
    """Whether the gradients are right on problems that leave one part out: what has no name lies in the part that matters."""
    problems: dict[str, Problem | None] = {
        "T = 1": subject.another(steps=1),
        "B = 1": subject.another(batch=1),
        "H = 1": subject.another(hidden=1),
        "a0 = 0": subject.another(initial=False) if "a0" in trial.recipe.given else None,
        parts.LINEAR: parts.linear(subject.another()),
    }
    load(patient, trial.recipe.main, patient.source.text)
    result: dict[str, bool] = {}
    for name, problem in problems.items():
        measured = subject(problem) if problem is not None else None
        if problem is not None and measured is not None and measured.error is None:
            compared = comparing.compare_all(problem, measured.gradients, measured.missing - trial.recipe.given)
            result[name] = all(each.ok for each in compared.values())
    return result


def without_read_out(report: Report, other: Loss | None) -> Report:
    """The report without what is no mistake for the loss that the program computes."""
    if other is None or other.read_out is None:
        return report
    left = tuple(finding for finding in report.diagnoses if finding.id != other.read_out.id)
    return replace(report, diagnoses=left, alternatives=()) if left else report  # else it is all that is wrong


OTHER_LOSS = (
    "a loss is computed that is neither a mean nor a sum of this read-out's; the gradients were compared all the same"
)


def unless_forward_unknown(report: Report, forward_ok: bool) -> Report:
    """The report, unless its outputs are no known read-out's and no mistake of the catalogue explains that."""
    if not forward_ok and not any(finding.id in FORWARD for finding in report.diagnoses):
        raise CannotRun(
            "its states are right, but its outputs are not: "
            "they are neither softmax nor one sigmoid nor the plain values of state·Wy + by"
        )
    return report


FORWARD = ("softmax-wrong-axis", "output-activation-twice", "state-aliased", "last-sample-only")


def located(
    patient: Patient,
    report: Report,
    line_up: Timeline,
    measure: Measure,
    problem: Problem,
    verify: Callable[[str], bool],
) -> Report:
    """The report with names, places and corrected lines."""
    first = line_up.first_wrong()
    if first is not None:
        report = replace(report, first_divergence=place_of(patient, line_up, first))
    from engine.doctor.naming_bridge import named

    try:
        found = named(patient, report, line_up, measure, problem, verify)
    except (CannotRun, Ended):
        raise
    except Exception as error:  # what was compared stands, whatever a program does to the search for a name
        return replace(report, notes=(*report.notes, f"no name was looked for: {_own_failure(error)}"))
    if first is None or found.diagnoses:
        return found
    from engine.doctor.blaming import blamed

    found_elsewhere = blamed(line_up, first)
    if found_elsewhere is None:
        return found
    other, (quantity, t) = found_elsewhere
    return replace(found, first_divergence=replace(place_of(patient, line_up, other), quantity=quantity, t=t))


def place_of(patient: Patient, line_up: Timeline, seen: Seen) -> Place:
    """A wrong value's line, and what it should have been."""
    quantity, t = placing.expected(line_up, seen)
    site = seen.event.site
    return Place(site.line, patient.source.line(site.line), quantity, t, seen.event.sample)


def is_single_precision(run: Run) -> bool:
    """Whether a run computed in float32 anywhere."""
    return any(is_array(e.value) and e.value.dtype.kind == "f" and e.value.dtype.itemsize < 8 for e in run.events)


def _notes(trial: Trial, measured: Measurement, problem: Problem) -> list[str]:
    notes: list[str] = []
    if "a0" in trial.recipe.given and "a0" not in measured.gradients:
        notes.append(
            "the initial state's gradient is not returned; it is needed only where that state is learned or handed on"
        )
    far = [a.name for a in trial.recipe.arguments if a.role == "far"]
    if far:
        notes.append(f"{', '.join(far)} was set to {FAR}, so that nothing is cut")
    off = [a.name for a in trial.recipe.arguments if a.role == "off"]
    if off:
        notes.append(f"{', '.join(off)} was set to 0")
    return notes


AXES: Mapping[str, str] = {"B": "B", "T": "T", "D": "D", "H": "H", "C": "C", "1": "1"}


def shown_axes(layout: str) -> str:
    """`DBT` as `(D, B, T)`."""
    inside = ", ".join(AXES.get(letter.upper(), letter) for letter in layout)
    return f"({inside}{',' if len(layout) == 1 else ''})" if layout else "a number"


def _conventions(trial: Trial, scale: Scale) -> dict[str, str]:
    layout, given = trial.layout, trial.recipe.given
    found: dict[str, str] = {}
    if "X" in given:
        how = "whole numbers, made one-hot inside" if layout.tokens else ""
        one = ", one sample at a time" if layout.single else ""
        found["input"] = f"{shown_axes(layout.x)}{f' {how}' if how else ''}{one}"
    found |= of_weights(trial.cell, trial.activation, (a for a in sorted(given)), layout)
    if any(is_bias(role, trial.cell) for role in given):
        found["biases"] = shown_axes(layout.bias)
    if "a0" in given:
        found["initial state"] = shown_axes(layout.state)
    if "y" in given:
        kind = (
            "one-hot"
            if "C" in layout.y and trial.loss == "cross-entropy"
            else "classes"
            if trial.loss != "squared"
            else "numbers"
        )
        found["targets"] = f"{kind}, {shown_axes(layout.y.replace('l', ''))}"
    if "da" in given:
        found["da"] = f"supplied by the caller, {shown_axes(layout.upstream)}"
    if "dlogits" in given:
        axes = layout.upstream.replace("H", "C")
        found["dlogits"] = (
            f"supplied by the caller, {shown_axes(axes if trial.predict == 'every' else axes.replace('T', ''))}"
        )
    if "y" in given:
        found["predict"] = "the last step" if trial.predict == "last" else "every step"
        found["read-out"] = {
            "cross-entropy": "softmax, cross-entropy",
            "binary": "single sigmoid, cross-entropy",
            "squared": "squared error",
        }[trial.loss]
        if scale.words:
            how = {
                "gradients": " (no loss is computed; all gradients agree on it)",
                "delta": " (no loss is computed; the output's delta says so)",
            }
            found["reduction"] = scale.words + how.get(scale.source, "")
    names = ", ".join(f"{a.name} is {a.role}" for a in trial.recipe.arguments if a.role in _SHOWN and a.name != a.role)
    if names:
        found["names"] = names
    return found


_SHOWN = ("X", "y", "Wx", "Wa", "Wy", "ba", "by", "a0", "da", "dlogits")
