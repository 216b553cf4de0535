"""From gradients that are wrong to what is wrong: names, lines, corrected lines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from engine.doctor.blaming import blamed
from engine.doctor.losses import Loss
from engine.doctor.naming_bridge import named
from engine.doctor.patient import CannotRun, Patient, own_failure, place_of
from engine.doctor.placing import Timeline
from engine.doctor.problem import Measure, Problem
from engine.doctor.process import Ended
from engine.doctor.report import Report


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
    try:
        found = named(patient, report, line_up, measure, problem, verify)
    except (CannotRun, Ended):
        raise
    except Exception as error:  # what was compared stands, whatever a program does to the search for a name
        return replace(report, notes=(*report.notes, f"no name was looked for: {own_failure(error)}"))
    if first is None or found.diagnoses:
        return found
    found_elsewhere = blamed(line_up, first)
    if found_elsewhere is None:
        return found
    other, (quantity, t) = found_elsewhere
    return replace(found, first_divergence=replace(place_of(patient, line_up, other), quantity=quantity, t=t))
