"""From a report of what is wrong to one that names the mistakes and their lines."""

from __future__ import annotations

from dataclasses import replace

from engine.doctor import placing
from engine.doctor.diagnose import Patient, place_of
from engine.doctor.locating import Locator
from engine.doctor.matching import Reference
from engine.doctor.naming import constants, name
from engine.doctor.placing import Timeline
from engine.doctor.problem import Measure, Problem
from engine.doctor.report import Finding, Place, Report
from engine.doctor.variants import CATALOGUE


def named(
    patient: Patient, report: Report, line_up: Timeline, reference: Reference, measure: Measure, problem: Problem
) -> Report:
    """The report with the mistakes of the catalogue that explain the gradients, each at its line."""
    naming = name(measure, problem, constants(patient.source.tree()))
    findings: list[Finding] = []
    loop = placing.backward_loop(line_up, patient.loops)
    locator = None
    if naming.hypothesis is not None and naming.comparison is not None:
        locator = Locator(line_up, patient.loops, naming.comparison, naming.hypothesis)
    for diagnosis in naming.diagnoses:
        for id_, title, quantity in zip(diagnosis.ids, diagnosis.titles, diagnosis.quantities, strict=True):
            line = locator.line(id_) if locator else None
            found = line or placing.place(line_up, id_, quantity, CATALOGUE[id_].place, reference, loop)
            place: Place | None = None
            if isinstance(found, int):
                place = Place(found, patient.source.line(found), quantity)
            elif found is not None:
                place = place_of(patient, line_up, found, reference)
            findings.append(Finding(id_, title, diagnosis.parameters, diagnosis.residual, place))
    alternatives = tuple(other.ids for other in naming.alternatives)
    return replace(report, diagnoses=tuple(findings), alternatives=alternatives, notes=(*report.notes, *naming.notes))
