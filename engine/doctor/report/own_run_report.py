"""The user's own run: what its record shows, as a report."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePath

import numpy as np

from engine.doctor.lineage.gradients.comparison import ComparedGradient
from engine.doctor.lineage.gradients.missing_share import with_missing_shares
from engine.doctor.lineage.gradients.unseen import never_run
from engine.doctor.lineage.meanings import Meanings
from engine.doctor.lineage.record.array_names import ArrayNames
from engine.doctor.lineage.record.called_names import as_written
from engine.doctor.lineage.record.matching import Agreement, same
from engine.doctor.lineage.record.reading import Floats, Record, RecordedArray, UserLine
from engine.doctor.lineage.record.running import Runs
from engine.doctor.lineage.remarks.output import ANOTHER_LOSS
from engine.doctor.lineage.remarks.remark import Remark
from engine.doctor.lineage.remarks.told import remarks
from engine.doctor.lineage.the_loss.loss import given, of_several_numbers
from engine.doctor.lineage.verdict.differences import disagreement
from engine.doctor.lineage.verdict.followed_further import followed_further
from engine.doctor.lineage.verdict.given_back import as_returned, unless_scaled
from engine.doctor.lineage.verdict.made_up_shapes import as_narrow
from engine.doctor.lineage.verdict.other_weights import FURTHER, SOUGHT, hide_the_line, settled
from engine.doctor.lineage.verdict.run_verdict import RunVerdict
from engine.doctor.lineage.verdict.verdict import judged
from engine.doctor.mending.mend import Blamed, blamed
from engine.doctor.mending.naming.names import OVERWRITTEN
from engine.doctor.mending.trials.started import started_otherwise
from engine.doctor.mistakes.catalogue import CATALOGUE
from engine.doctor.read.source import SourceFile
from engine.doctor.read.top_level import adds_gradients
from engine.doctor.reference.results import GradientComparison, NamedMistake, Place
from engine.doctor.report.meanings import beside, rows
from engine.doctor.report.own_failure import OwnFailures
from engine.doctor.report.report import Report, Verdict
from engine.doctor.report.run_otherwise import run_on, run_otherwise
from engine.doctor.run.outcome import Outcome
from engine.text import clean

LOSSES = {
    "squared": "half the squared error",
    "cross-entropy": "the cross-entropy",
    "binary": "the binary cross-entropy",
}
"""The names of losses on the command line, and what lineage calls them."""
_CONVENTIONS = {
    "each update has": "rate",
    "a penalty": "penalty",
    "gradients are clipped": "clipping",
    "the update adds": "update",
    "the loss was taken": "loss",
    "seen from other": "first weights",
    "the line was looked for": "first weights",
    "all are right if": "truncation",
}


MOST_NAMED = 4
NOT_YET = "not seen to run before the first updates were complete, and no part of this verdict: {}"
LEFT_OUT = "left out: what was handed back before goes on from here"
NOT_REACHED = "what the file does besides defining functions ended the run before they were called"
LEFT = "its cell was left here, because only a later cell defines {name}"
NOT_FURTHER = "the correction was not looked for further"


@dataclass(frozen=True, eq=False)
class OwnRun:
    """The report on a run. `reason` says why it leaves the question open, "" where it does not; `compared` whether something was compared
    and is right. The rest is what it was made from, where there is any: `corrected` the verdict on the run of the corrected program."""

    report: Report
    reason: str = ""
    compared: bool = False
    record: Record | None = None
    verdict: RunVerdict | None = None
    meanings: Meanings | None = None
    corrected: RunVerdict | None = None


def examine_own_run(runs: Runs, source: SourceFile, *, whole: bool = False, mend: bool = True) -> OwnRun:
    """Runs the program, carries its loss back and compares. `source` is what its user sees of its text; with `whole` only a run counts
    that came to its end; without `mend` the line that is wrong is not looked for. Raises InputError where the interpreter asked for
    cannot be used."""
    outcome, record = runs.followed()
    for wishes, note in run_otherwise(runs, outcome, record):
        told = examine_own_run(replace(runs, wishes=wishes), source, whole=whole, mend=mend)
        if told.report.verdict in ("correct", "wrong"):
            return replace(told, report=replace(told.report, notes=(*note, *told.report.notes)))
    if outcome.note and Path(outcome.folder).is_dir():  # where its data lie: the runs that follow begin there
        runs = replace(runs, wishes=replace(runs.wishes, stand=Path(outcome.folder)))
    left = tuple(f"{source.place(line)}: {LEFT.format(name=name)}" for line, name in outcome.left if not whole)
    base = Report("undecided", clean(source.path.name), run=outcome.to_json(), notes=left)
    if isinstance(record, str) or (whole and not outcome.is_whole):
        return OwnRun(
            base, outcome.lacks() or record if isinstance(record, str) and outcome.is_whole else outcome.sentence()
        )
    if whole and not any(e.site.line > len(source.lines) and e.site.file == runs.name for e in record.events):
        return OwnRun(base, NOT_REACHED)
    failures, decided = OwnFailures(), None
    runs.says("it ran; carrying its loss back")
    with failures.when("it judged the run"):
        decided = _decided(runs, source, record, failures, whole=whole, mend=mend)
    if decided is None:
        runs.says("")
        return OwnRun(base, failures.said[-1], record=record)
    record, verdict, found = decided
    runs.says("looking up what its lines make")
    with failures.when("it looked for what gradients lack"):
        verdict = _with_missing_shares(verdict)
    seen, meanings = list[Remark](), None
    with failures.when("it looked for remarks"):
        seen = _remarked(runs, source, record, verdict)
    with failures.when("it looked up what the lines make"):
        meanings = Meanings(verdict)
        base = _with_meanings(base, source, meanings, found, runs.name)
    base = failures.told(base)
    base = replace(base, remarks=tuple((each.id, _sentence(source, each)) for each in seen))
    if verdict.verdict == "wrong" and not any(each.id and not each.leaves for each in found):
        found = [Blamed(r.place.file, r.place.number, r.id, "") for r in seen if r.id == ANOTHER_LOSS] or found
    told = _told(base, source, outcome, verdict, found, runs.name)
    runs.says("")
    corrected = next((each.corrected for each in found[::-1] if each.corrected is not None and not each.leaves), None)
    told = replace(told, record=record, verdict=verdict, meanings=meanings, corrected=corrected)
    stopped = told.report.verdict == "correct" and outcome.ending.kind == "stopped"
    return _with_what_comes_later(runs, source, told, mend=mend) if stopped and not whole else told


def _decided(
    runs: Runs, source: SourceFile, record: Record, failures: OwnFailures, *, whole: bool, mend: bool
) -> tuple[Record, RunVerdict, Sequence[Blamed]]:
    """The record that is judged, the verdict on it, and the lines to blame where it is wrong."""
    of_call, taken = given(record, runs.name, len(source.lines)), LOSSES.get(runs.wishes.loss, "")
    verdict = judged(record, of_call, taken)
    record, verdict = followed_further(runs, record, verdict, taken)
    verdict = settled(runs, verdict, taken) if of_call is None else verdict
    returned = partial(as_returned, name=runs.name, last_line=len(source.lines), is_added=adds_gradients(source))
    verdict = returned(verdict)
    verdict = as_narrow(verdict, runs.name, len(source.lines)) if whole else verdict
    record = verdict.record if verdict.shifted and verdict.record is not None else record
    found = list[Blamed]()
    if mend and verdict.verdict == "wrong":
        with failures.when("it looked for the correction"):
            search = replace(runs, ends="the search")  # what is known by then is told where Ctrl+C ends it
            start = (search, record, verdict)
            if verdict.shifted:
                start = started_otherwise(search, verdict, taken)
            elif not whole and hide_the_line(verdict):  # weights that are made up are large enough
                other = started_otherwise(search, verdict, taken, FURTHER)
                if other is not None:
                    start, verdict = other, replace(verdict, conventions=(*verdict.conventions, SOUGHT))
            found = blamed(*start, returned) if start is not None else []
    if whole and not any(each.verified for each in found):
        verdict = _if_something_agrees(unless_scaled(verdict) if mend else verdict)
        found = found if verdict.verdict == "wrong" else []
    if (mend or verdict.verdict == "right") and not any(
        each.verified for each in found
    ):  # else a run of the corrected program has shown as much
        verdict = _if_it_is_followed(runs, verdict)
        found = found if verdict.verdict == "wrong" else []
    return record, verdict, found


def _with_what_comes_later(runs: Runs, source: SourceFile, own: OwnRun, *, mend: bool) -> OwnRun:
    """With the backward passes of the program's files that had not run when it was stopped: the run is followed on to those that a later
    statement leads to; the others are noted, for a right verdict says nothing of them."""
    assert own.record is not None
    files = dict.fromkeys([runs.name, *(site.file for site in own.record.sites)])
    texts = {file: text for file in files if (text := runs.text_of(file)) is not None}
    left = _not_run(own.record, texts)
    on = run_on(runs, own.record, texts, left) if left else None
    if on is not None:
        later = examine_own_run(replace(runs, wishes=on[0]), source, mend=mend)
        still = left if later.record is None else [name for name in left if name in _not_run(later.record, texts)]
        notes = (*map(source.in_cells, on[1]), *later.report.notes)
        if len(still) < len(left) and later.report.verdict == "wrong":
            return replace(later, report=replace(later.report, notes=notes))
        if len(still) < len(left) and later.report.verdict == "correct":
            parameters = {**own.report.parameters, **_apart(later.report.parameters, own.report.parameters)}
            return replace(own, report=replace(own.report, parameters=parameters, notes=notes))
    note = NOT_YET.format(", ".join(clean(name, 60) for name in left[:MOST_NAMED]))
    return replace(own, report=replace(own.report, notes=(*own.report.notes, note))) if left else own


def _not_run(record: Record, texts: Mapping[str, str]) -> list[str]:
    return [name for file, text in texts.items() for name in never_run(record, file, ast.parse(text))]


def _apart(
    more: Mapping[str, GradientComparison], known: Mapping[str, GradientComparison]
) -> dict[str, GradientComparison]:
    """What else was compared, under names that are not taken yet."""
    return {f"{name}{' (later)' if name in known else ''}": each for name, each in more.items()}


def _with_missing_shares(verdict: RunVerdict) -> RunVerdict:
    if verdict.verdict != "wrong" or verdict.record is None or verdict.loss is None:
        return verdict
    return replace(verdict, compared=with_missing_shares(verdict.record, verdict.loss, verdict.compared))


def _remarked(runs: Runs, source: SourceFile, record: Record, verdict: RunVerdict) -> list[Remark]:
    """What is remarked; of a loss that is taken for the program's it is no remark that it is another."""
    seen = remarks(record, verdict, {runs.name: source.tree()})
    return [each for each in seen if not runs.wishes.loss or each.id != ANOTHER_LOSS]


def _with_meanings(base: Report, source: SourceFile, meanings: Meanings, found: Sequence[Blamed], main: str) -> Report:
    """What the lines of the backward pass make, and those before the line to blame."""
    listed, left = rows(meanings, main, len(source.lines))
    shown = [
        source.in_cells(sentence) if each.file == main else f"in {clean(each.file, 80)}, {sentence}"
        for each in found[:1]
        for sentence in beside(meanings, each.corrected, each.file, each.begins or each.line)
    ]
    return replace(base, meanings=tuple(listed), beside=tuple(shown), meanings_left=left)


def _if_it_is_followed(runs: Runs, verdict: RunVerdict) -> RunVerdict:
    """A verdict only where the program's own loss changes as the loss carried back says."""
    said = disagreement(runs, verdict) if verdict.verdict in ("right", "wrong") and not verdict.shifted else ""
    if not said:
        return verdict
    left = tuple(f"{as_written(row.name)}: {said}" for row in verdict.compared[:1])
    return replace(verdict, verdict="undecided", compared=(), not_compared=(*verdict.not_compared, *left), reason=said)


def _if_something_agrees(verdict: RunVerdict) -> RunVerdict:
    """Functions that were called are wrong only where something that they give back, or compute on the way, is right for a loss that is
    known, where several gradients are right for one that is assumed, or where a correction makes it right: else what they take may be
    another thing than what they were given."""
    record, loss = verdict.record, verdict.loss
    if verdict.verdict != "wrong" or record is None or loss is None:
        return verdict
    if sum(row.status == "right" and len(row.own) > FEW for row in verdict.compared) >= SEVERAL:
        return verdict
    if not loss.assumed and any(
        row.status == "right" or _is_in_part(record.pool[row.gradient], row.right) for row in verdict.compared
    ):
        return verdict
    if not loss.assumed and any(_is_product(record, meant.event.value) for meant in Meanings(verdict).all()):
        return verdict
    left = tuple(f"{as_written(row.name)}: {NOTHING_AGREES}" for row in verdict.compared)
    return replace(verdict, verdict="undecided", compared=(), not_compared=left)


def _without_guesses(verdict: RunVerdict) -> RunVerdict:
    """Gradients that do not agree with a loss that is only a guess are not called wrong."""
    wrong = [row for row in verdict.compared if row.status in ("wrong", "zero")]
    if verdict.verdict != "undecided" or verdict.loss is None or not wrong:
        return verdict
    loss = verdict.loss.assumed or verdict.loss.name
    reason = f"no gradient is that of {loss}, but that it is the loss is a guess: --loss says what it is"
    own, gradients = [row.own for row in wrong], [row.gradient for row in wrong]
    array = of_several_numbers(verdict.record, own, gradients) if verdict.record is not None else None
    if array is not None:
        reason = (
            f"line {array.site.line}: {array.name} {OF_SEVERAL} ({array.value.size}), and no gradient is that of {loss}"
        )
    left = tuple(f"{as_written(row.name)}: {NOT_OF_THE_GUESS}" for row in wrong)
    kept = tuple(row for row in verdict.compared if row not in wrong)
    return replace(verdict, compared=kept, not_compared=(*verdict.not_compared, *left), reason=reason)


OF_SEVERAL = "is several numbers that are not added up to one loss"
NOT_OF_THE_GUESS = "it is not that of the loss which was guessed"
FEW, SEVERAL = 3, 2
"""By so many right gradients, of more numbers than that, a loss that is assumed is known to be meant."""
NOTHING_AGREES = "nothing that came back agrees with what was handed over, and no correction was found"


def _is_product(record: Record, value: RecordedArray) -> bool:
    """Whether several numbers were multiplied to make a value, and not only handed on."""
    maker = record.maker(value.first) if value.size > 3 else -1
    return maker >= 0 and record.operations[maker].name in ("multiply", "matmul", "dot")


def _is_in_part(values: Floats, right: Floats) -> bool:
    """Whether some numbers of a gradient are right, other than zeros."""
    alike = np.isclose(values, right, rtol=1e-6, atol=0) & (right != 0) if values.shape == right.shape else np.zeros(1)
    return int(alike.sum()) > 1


def _told(
    base: Report, source: SourceFile, outcome: Outcome, verdict: RunVerdict, found: Sequence[Blamed], main: str
) -> OwnRun:
    words: dict[str, Verdict] = {"right": "correct", "wrong": "wrong"}
    verdict = _without_guesses(verdict)
    elsewhere = verdict.loss is not None and verdict.loss.file not in ("", main)
    in_cells = str if elsewhere else source.in_cells
    report = replace(
        base,
        verdict=words.get(verdict.verdict, "undecided"),
        loss_matches=verdict.loss is not None and not verdict.loss.assumed,
        conventions={name: in_cells(says) for name, says in _conventions(verdict).items()},
        parameters=_parameters(verdict, source, main),
        not_compared=tuple(
            (name, why) for name, _, why in (left.partition(": ") for left in dict.fromkeys(verdict.not_compared))
        ),
    )
    if verdict.loss is not None:
        line, assumed = verdict.loss.line, verdict.loss.assumed
        said = f"{clean(verdict.loss.name)}, in {clean(verdict.loss.file)}" if elsewhere else source.line(line)
        where = in_cells(f"line {line}") + ("" if elsewhere else _which(verdict))
        told = {"line": line, "source": said, "assumed": in_cells(assumed) or None, "where": where}
        report = replace(report, loss=told)
    report = _blaming(report, source, found)
    reason = ""
    if report.verdict == "undecided":
        left = "; ".join(f"{name}: {why}" for name, why in report.not_compared[:4])
        lacks = "" if verdict.compared else outcome.lacks()
        reason = (outcome.sentence() if not outcome.is_whole else "") or lacks or verdict.reason or left
    return OwnRun(report, reason, any(c.status == "right" for c in verdict.compared))


def _which(verdict: RunVerdict) -> str:
    """Which of several values on its line the loss is."""
    record, loss = verdict.record, verdict.loss
    if record is None or loss is None or loss.assumed:
        return ""
    firsts = {reference.first for reference, _ in loss.seeds}
    seen = (e for e in record.events if e.site.line == loss.line and e.value.size == 1 and e.value.first in firsts)
    return next((f", {clean(e.name, 60)}" for e in seen if e.part > 0 and len(e.site.names) > 1), "")


def _blaming(report: Report, source: SourceFile, found: Sequence[Blamed]) -> Report:
    """The corrected line as a named mistake; lines of which one is wrong as candidates."""
    wrong = tuple(name for name, each in report.parameters.items() if not each.ok)
    found = [each for each in found if each.line <= len(source.lines) or each.file != source.path.name]
    mended = tuple(
        NamedMistake(
            each.id,
            _title(each.id),
            tuple(clean(as_written(name), 60) for name in each.mends) or (() if each.leaves else wrong),
            None,
            _place(source, each),
            LEFT_OUT if each.id == OVERWRITTEN else clean(each.mended, 400) or _advice(each.id),
            leaves=tuple(clean(as_written(name), 60) for name in each.leaves),
        )
        for each in found
        if each.id
    )
    candidates = tuple(_place(source, each) for each in found if not each.id)
    left = (*report.notes, NOT_FURTHER) if candidates and any(each.more for each in found) else report.notes
    return replace(report, diagnoses=mended, candidates=candidates, notes=left)


def _title(name: str) -> str:
    return CATALOGUE[name].title if name in CATALOGUE else name


def _advice(name: str) -> str:
    return CATALOGUE[name].advice if name in CATALOGUE else ""


def _place(source: SourceFile, each: Blamed) -> Place:
    if each.file == source.path.name:
        return Place(each.line, source.line(each.line), where=source.place(each.line) if source.cells else "")
    file = clean(each.file, 80)
    return Place(each.line, clean(each.old, 160), where=f"line {each.line} of {file}", file=file)


def _sentence(source: SourceFile, remark: Remark) -> str:
    line, file = remark.place.number, remark.place.file
    if file not in ("", source.path.name):
        return clean(f"line {line} of {file}: {remark.says}", 400)
    return clean(f"{source.place(line) if source.cells else f'line {line}'}: {remark.says}", 400)


def _parameters(verdict: RunVerdict, source: SourceFile, main: str) -> dict[str, GradientComparison]:
    """What was compared, by the names of the user's arrays."""
    made: dict[str, GradientComparison] = {}
    for each in verdict.compared:
        if each.status == "not compared":
            continue
        own = name = _own_name(verdict, each)
        count = 1
        while name in made:
            count += 1
            name = f"{own} ({count})"
        made[clean(as_written(name), 60)] = _placed(_comparison(each), _line_of(verdict, each), source, main)
    return made


def _own_name(verdict: RunVerdict, each: ComparedGradient) -> str:
    """The array's name; of an entry of a list that was handed over, what a called function unpacks it to."""
    if verdict.record is None or not (each.name.startswith("_driver") and each.name.endswith("]")):
        return each.name
    names = ArrayNames(verdict.record).all_of(each.own)
    return next((n for n in names if n.isidentifier() and not n.startswith("_driver")), each.name)


def _placed(compared: GradientComparison, line: UserLine, source: SourceFile, main: str) -> GradientComparison:
    """The same with the line that made the gradient: in a notebook by its cell, in another file with that. What calls functions, below
    the text, is not the user's."""
    number, file = line.number, line.file
    compared = replace(compared, note=source.in_cells(compared.note))
    if file not in ("", main):
        return replace(compared, line=number, where=f"{clean(PurePath(file).name, 16)}:{number}")
    if not 0 < number <= len(source.lines):
        return compared
    cell = source.place(number).replace("cell ", "").replace(", line ", ":") if source.cells else ""
    return replace(compared, line=number, where=cell)


def _comparison(each: ComparedGradient) -> GradientComparison:
    ok = each.status == "right"
    found = _measured(each)
    if found is None:
        return GradientComparison(ok, note=each.reason or ("it is zero" if each.status == "zero" else ""))
    cosine = abs(found.cosine) if ok else found.cosine
    return GradientComparison(
        ok, _finite(found.error), _finite(min(1.0, max(-1.0, cosine))), _finite(abs(found.factor)), each.reason
    )


def _measured(each: ComparedGradient) -> Agreement | None:
    """The gradient itself where it is known, else the step."""
    if each.bare is not None and (each.bare.right or each.match is None or not each.match.right):
        return each.bare
    return each.match


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _line_of(verdict: RunVerdict, each: ComparedGradient) -> UserLine:
    """The line that made the gradient, else the one where it was used."""
    record = verdict.record
    if record is not None and each.gradient.size:
        k = record.maker(int(each.gradient.flat[0]))
        if k >= 0 and record.lines[record.operations[k].line].number:
            return record.lines[record.operations[k].line]
    return UserLine("", each.line)


def _is_step(row: ComparedGradient) -> bool:
    """Whether the gradient that was found is what an update adds itself, with its rate in it: `W -= np.outer(rate * dz, x)`."""
    return row.update is not None and np.array_equal(row.gradient, row.update.by)


def _conventions(verdict: RunVerdict) -> dict[str, str]:
    made: dict[str, str] = {}
    for sentence in verdict.conventions:
        key = next((key for start, key in _CONVENTIONS.items() if sentence.startswith(start)), "also")
        made[key] = "; ".join(filter(None, (made.get(key) if key == "also" else "", clean(sentence))))
    right = [(c, abs(f.factor)) for c in verdict.compared if c.status == "right" and (f := _measured(c)) is not None]
    factor = right[0][1] if right else 1.0
    if all(same(f, factor) for _, f in right) and not same(factor, 1.0):
        some = "all" if all(c.status == "right" for c in verdict.compared) else "those that are right"
        some = f"the steps of {some}" if all(_is_step(c) for c, _ in right) else some
        made["gradients"] = f"{some} are {factor:.6g} times dL/d(parameter)"
    return made
