"""Explains wrong gradients: the named mistakes, their lines, and the corrected lines."""

from __future__ import annotations

from dataclasses import replace

from engine.doctor.judge import by_wrong_values
from engine.doctor.judge.by_edited_values import Locator
from engine.doctor.judge.by_mistake import line_of
from engine.doctor.judge.inside_calls import refined
from engine.doctor.judge.place_of import place_of
from engine.doctor.judge.repair import Verify, mend
from engine.doctor.judge.timeline import ComparedValue, Timeline
from engine.doctor.judge.upstream import blamed
from engine.doctor.mistakes.catalogue import CATALOGUE
from engine.doctor.mistakes.variants.catalogue import PLACED
from engine.doctor.mistakes.variants.naming import constants, name
from engine.doctor.recognise.loaded_program import CannotRun, LoadedProgram, own_failure
from engine.doctor.recognise.losses import Loss
from engine.doctor.reference.problem import Measure, Problem, is_simple
from engine.doctor.reference.results import NamedMistake, Place
from engine.doctor.report.report import Report
from engine.doctor.run.process import Ended


def without_read_out(report: Report, other: Loss | None) -> Report:
    """The report without what is no mistake for the loss that the program computes."""
    if other is None or other.read_out is None:
        return report
    left = tuple(finding for finding in report.diagnoses if finding.id != other.read_out.id)
    return (
        replace(report, diagnoses=left, alternatives=()) if left else report
    )  # else that difference is all that is wrong


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
    loaded: LoadedProgram,
    report: Report,
    line_up: Timeline,
    measure: Measure,
    problem: Problem,
    verify: Verify,
) -> Report:
    """The report with names, places and corrected lines; `verify` tries a corrected text."""
    first = line_up.first_wrong()
    if first is not None:
        report = replace(report, first_divergence=place_of(loaded, line_up, first))
    try:
        named = _named(loaded, report, line_up, measure, problem)
        if not named.diagnoses and not named.loss_matches:
            return named  # the forward pass is not understood: no line can be corrected
        corrected = _mended(loaded, named, verify)
        if named.diagnoses or first is None or corrected is not named:
            return corrected
        elsewhere = blamed(line_up, first)
    except (CannotRun, Ended):
        raise
    except Exception as error:  # what was compared stands, whatever a program does to the search for a name
        return replace(report, notes=(*report.notes, f"no name was looked for: {own_failure(error)}"))
    if elsewhere is None:
        return named
    other, (quantity, t) = elsewhere
    place = replace(place_of(loaded, line_up, other), quantity=quantity, t=t)
    return _mended(loaded, replace(named, first_divergence=place), verify)


def _named(loaded: LoadedProgram, report: Report, line_up: Timeline, measure: Measure, problem: Problem) -> Report:
    """The report with the mistakes of the catalogue that explain the gradients, each at its line."""
    if not is_simple(problem):
        return replace(
            report, notes=(*report.notes, "mistakes are named for the simple RNN; this cell is compared and placed")
        )
    numbers = constants(loaded.source.tree())
    scaled = [number * factor for factor in _factors(line_up.base, measure) for number in numbers]
    naming = name(measure, problem, (*numbers, *scaled))
    locator = None
    if naming.hypothesis is not None and naming.comparison is not None:
        locator = Locator(line_up, loaded.loops, loaded.sites, report.function, naming.comparison, naming.hypothesis)
    findings: list[NamedMistake] = []
    loop = by_wrong_values.backward_loop(line_up, loaded.loops)
    for diagnosis in naming.diagnoses:
        for id_, title, quantity in zip(diagnosis.ids, diagnosis.titles, diagnosis.quantities, strict=True):
            line = line_of(locator, id_) if locator else None
            place_line = line or by_wrong_values.place(
                line_up, id_, quantity, PLACED[id_].place, diagnosis.parameters, loop
            )
            if id_ == "activation-derivative-missing" or (line is None and "derivative" in id_):
                place_line = by_wrong_values.in_helper(line_up, place_line)
            line = place_line.line if isinstance(place_line, ComparedValue) else place_line
            if (
                line is not None
                and PLACED[id_].place in ("line", "missing")
                and (better := refined(line_up, id_, quantity, line)) != line
            ):
                place_line = better
            place: Place | None = None
            if isinstance(place_line, int):
                place = Place(place_line, loaded.source.line(place_line), quantity)
            elif place_line is not None:
                place = place_of(loaded, line_up, place_line)
            findings.append(
                NamedMistake(id_, title, diagnosis.parameters, diagnosis.residual, place, CATALOGUE[id_].advice)
            )
    alternatives = tuple(other.ids for other in naming.alternatives)
    return replace(report, diagnoses=tuple(findings), alternatives=alternatives, notes=(*report.notes, *naming.notes))


def _factors(base: float, measure: Measure) -> tuple[float, ...]:
    """What a limit or a rate in the user's code is in our scale."""
    factors = {base, float(getattr(measure, "scale", 1.0))} - {1.0}
    return tuple(f for factor in factors for f in (1 / factor, factor))


def _mended(loaded: LoadedProgram, report: Report, verify: Verify) -> Report:
    """The report with the corrected lines, where a small change of the lines makes every gradient right."""
    places = [finding.place for finding in report.diagnoses] or [report.first_divergence]
    lines = list(dict.fromkeys(place.line for place in places if place is not None))
    if not 0 < len(lines) <= 2 or len(places) > 2:
        return report
    try:
        texts = mend(loaded.source, loaded.program.tree, lines, verify, seconds=loaded.time_left())
    except Ended:  # a changed line may do anything; the report is kept as it was
        texts = None
    if texts is None:
        return report
    by_line = dict(zip(lines, map(_without_nothing, texts), strict=True))
    if not report.diagnoses and report.first_divergence is not None:
        why = f"it should be: {by_line[report.first_divergence.line]}"
        return replace(report, first_divergence=replace(report.first_divergence, why=why))
    findings = [replace(f, fix=by_line[f.place.line]) if f.place else f for f in report.diagnoses]
    return replace(report, diagnoses=tuple(findings))


def _without_nothing(text: str) -> str:
    """A corrected line; one that would do nothing any more is to go."""
    left, sign, right = text.partition(" = ")
    return "nothing: take this line out" if sign and left.strip() == right.strip() else text
