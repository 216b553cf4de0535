"""The user's own run: what its record shows, as a report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine.doctor.lineage.comparison import ComparedGradient
from engine.doctor.lineage.matching import Agreement, same
from engine.doctor.lineage.mend import Blamed, blamed
from engine.doctor.lineage.running import Runs
from engine.doctor.lineage.verdict import RunVerdict, judged
from engine.doctor.mistakes.catalogue import CATALOGUE
from engine.doctor.read.source import SourceFile
from engine.doctor.recognise.loaded_program import own_failure
from engine.doctor.reference.results import GradientComparison, NamedMistake, Place
from engine.doctor.report.report import Report, Verdict
from engine.doctor.run.outcome import Outcome
from engine.text import clean

TITLES = {
    "transposed-too-often": "a matrix is transposed where it should not be",
    "overwritten-not-accumulated": "a sum over steps is overwritten: += is meant",
    "carry-not-reset": "what is handed on is added to what was there: = is meant",
    "factor-too-many": "a factor is too many",
    "wrong-step": "an index is off: another step, sample or entry is meant",
    "wrong-variable": "another variable is meant",
    "complement-forgotten": "1 − x is meant, not x",
    "parentheses": "parentheses: a factor is applied to another part of the sum than it should be",
    "sum-or-mean": "a mean is taken where a sum belongs, or the other way round",
    "wrong-axis": "the sum runs over another axis",
    "statement-missing": "a statement is missing after this line",
    "statements-in-wrong-order": "two statements stand in the wrong order",
    "gradients-added": "the gradients are right, but they are added: the loss grows",
    "gradient-never-stored": "the gradient is computed but never stored: what is used stays zero",
    "sign": "a sign is wrong",
    "exchanged": "two operands are exchanged",
    "derivative": "this is the derivative of another function",
    "term-dropped": "a term is too many",
    "term-missing": "a term is missing",
    "factor-missing": "a factor is missing",
    "deleted": "a statement is too many",
}
"""What mistakes are called that the catalogue of the reference's variants does not hold."""
_CONVENTIONS = {
    "each update has": "rate",
    "a penalty": "penalty",
    "gradients are clipped": "clipping",
    "the update adds": "update",
    "the loss was taken": "loss",
}


@dataclass(frozen=True, eq=False)
class OwnRun:
    """The report on a run. `reason` says why it leaves the question open, "" where it does not; `compared` whether something was compared
    and is right."""

    report: Report
    reason: str = ""
    compared: bool = False


def examine_own_run(runs: Runs, source: SourceFile) -> OwnRun:
    """Runs the program, carries its loss back and compares. Raises InputError where the interpreter asked for cannot be used."""
    outcome, record = runs.followed()
    base = Report("undecided", clean(source.path.name), run=outcome.to_json())
    if isinstance(record, str):
        return OwnRun(base, record if outcome.is_whole else outcome.sentence())
    try:
        verdict = judged(record)
        found = blamed(runs, record, verdict) if verdict.verdict == "wrong" else []
    except Exception as error:  # an error in the doctor is reported in a sentence, not as a traceback
        return OwnRun(base, own_failure(error))
    return _told(base, source, outcome, verdict, found)


def _told(base: Report, source: SourceFile, outcome: Outcome, verdict: RunVerdict, found: Sequence[Blamed]) -> OwnRun:
    words: dict[str, Verdict] = {"right": "correct", "wrong": "wrong"}
    report = replace(
        base,
        verdict=words.get(verdict.verdict, "undecided"),
        loss_matches=verdict.loss is not None and not verdict.loss.assumed,
        conventions=_conventions(verdict),
        parameters=_parameters(verdict),
        not_compared=tuple((r.name, r.reason) for r in verdict.compared if r.status == "not compared"),
    )
    if verdict.loss is not None:
        line, assumed = verdict.loss.line, verdict.loss.assumed
        report = replace(report, loss={"line": line, "source": source.line(line), "assumed": assumed or None})
    report = _blaming(report, source, found)
    reason = ""
    if report.verdict == "undecided":
        left = "; ".join(f"{name}: {why}" for name, why in report.not_compared[:4])
        reason = (outcome.sentence() if not outcome.is_whole else "") or left or verdict.reason
    return OwnRun(report, reason, any(c.status == "right" for c in verdict.compared))


def _blaming(report: Report, source: SourceFile, found: Sequence[Blamed]) -> Report:
    """The corrected line as a named mistake; lines of which one is wrong as candidates."""
    wrong = tuple(name for name, each in report.parameters.items() if not each.ok)
    mended = tuple(
        NamedMistake(each.id, _title(each.id), wrong, None, _place(source, each), clean(each.mended, 400))
        for each in found
        if each.id
    )
    candidates = () if mended else tuple(_place(source, each) for each in found)
    return replace(report, diagnoses=mended, candidates=candidates)


def _title(name: str) -> str:
    return CATALOGUE[name].title if name in CATALOGUE else TITLES.get(name, name)


def _place(source: SourceFile, each: Blamed) -> Place:
    if each.file == source.path.name:
        return Place(each.line, source.line(each.line), where=source.place(each.line) if source.cells else "")
    return Place(each.line, clean(each.old, 160), where=f"line {each.line} of {clean(each.file, 80)}")


def _parameters(verdict: RunVerdict) -> dict[str, GradientComparison]:
    """What was compared, by the names of the user's arrays."""
    made: dict[str, GradientComparison] = {}
    for each in verdict.compared:
        if each.status == "not compared":
            continue
        name, count = each.name, 1
        while name in made:
            count += 1
            name = f"{each.name} ({count})"
        made[clean(name, 60)] = _comparison(verdict, each)
    return made


def _comparison(verdict: RunVerdict, each: ComparedGradient) -> GradientComparison:
    ok = each.status == "right"
    line = _line_of(verdict, each)
    found = _measured(each)
    if found is None:
        return GradientComparison(ok, note=each.reason, line=line)
    cosine = abs(found.cosine) if ok else found.cosine
    return GradientComparison(
        ok, _finite(found.error), _finite(min(1.0, max(-1.0, cosine))), _finite(abs(found.factor)), each.reason, line
    )


def _measured(each: ComparedGradient) -> Agreement | None:
    """The gradient itself where it is known, else the step."""
    if each.bare is not None and (each.bare.right or each.match is None or not each.match.right):
        return each.bare
    return each.match


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _line_of(verdict: RunVerdict, each: ComparedGradient) -> int:
    """The line that made the gradient, else the one where it was used."""
    record = verdict.record
    if record is not None and each.gradient.size:
        k = record.maker(int(each.gradient.flat[0]))
        line = record.lines[record.operations[k].line].number if k >= 0 else 0
        return line or each.line
    return each.line


def _conventions(verdict: RunVerdict) -> dict[str, str]:
    made: dict[str, str] = {}
    for sentence in verdict.conventions:
        key = next((key for start, key in _CONVENTIONS.items() if sentence.startswith(start)), "also")
        made[key] = clean(sentence)
    factors = [f.factor for c in verdict.compared if c.status == "right" and (f := _measured(c)) is not None]
    bare = [abs(f) for f in factors]
    if bare and all(same(f, bare[0]) for f in bare) and not same(bare[0], 1.0):
        made["gradients"] = f"all are {bare[0]:.6g} times dL/d(parameter)"
    return made
