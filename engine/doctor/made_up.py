"""Functions that nothing runs: each backward pass is called with arguments that are made up, and judged by its own lineage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from engine.doctor.called_again import called_again
from engine.doctor.lineage.record.running import Runs
from engine.doctor.mistakes.catalogue import CATALOGUE
from engine.doctor.read.source import SourceFile
from engine.doctor.read.syntax import program
from engine.doctor.recognise.calls import FoundCall, calls
from engine.doctor.recognise.passes import caller, passes
from engine.doctor.report.own_run_report import OwnRun, examine_own_run
from engine.doctor.report.report import Report
from engine.doctor.run.launch import Wishes
from engine.doctor.run.program import program_of
from engine.text import clean

IGNORED = CATALOGUE["initial-state-ignored"]
MADE_UP = "its functions were called with arguments that were made up"


def examine_functions(source: SourceFile, function: str | None, wishes: Wishes) -> list[Report]:
    """A report on each backward pass of a file that only defines, imports and assigns, or on the one that is named, or on those of the
    class that is.

    A pass is wrong or right by its own lineage. That no arguments were found that fit is no mistake: then it could not be called. Raises
    InputError where there is no function of that name."""
    return [own.report for own in _examined(source, function, wishes)]


def follow_function(source: SourceFile, function: str | None, wishes: Wishes) -> OwnRun | None:
    """The call of the backward pass that is named, else of the first that could be called; None where there is none."""
    return next((own for own in _examined(source, function, wishes) if own.record is not None), None)


def _examined(source: SourceFile, function: str | None, wishes: Wishes) -> Iterator[OwnRun]:
    """What each pass shows that is asked for; where that stays open, what the method does that trains with it."""
    found = program(source.tree())
    every = [] if function is None else passes(found)
    of_class = [one for one in every if one.backward.owner is not None and one.backward.owner.name == function]
    named = found.named(function, clean(source.path.name)) if function is not None and not of_class else None
    asked = of_class or passes(found, named)
    file = program_of(source)
    for call in calls(file, asked, wishes) if asked else ():
        own = _followed(source, call, wishes)
        whole = caller(found, call.examined) if own.report.verdict not in ("correct", "wrong") else None
        if whole is not None:
            (trained,) = calls(file, [whole], wishes)
            by_training = _followed(source, replace(trained, examined=call.examined, reason=call.reason), wishes)
            is_told = by_training.report.verdict in ("correct", "wrong")
            own = by_training if is_told or own.record is None else own
        yield own


def _followed(source: SourceFile, call: FoundCall, wishes: Wishes) -> OwnRun:
    """What one pass shows. Of several ways to call it that fit equally well one by which it is right counts, else the one by which a
    correction is found, else the one that agrees best, or with which it is right from first states of zeros."""

    def examined(text: str, *, mend: bool) -> OwnRun:
        runs = Runs(program_of(source, text), replace(wishes, arguments=()))
        return examine_own_run(runs, source, whole=True, mend=mend)

    best: OwnRun | None = None
    for mend in (False, True) if len(call.texts) > 1 else (True,):
        for text in call.texts:
            own = examined(text, mend=mend)
            if best is None or _rank(own) > _rank(best):
                best = own
            if own.report.verdict == "correct" or own.report.diagnoses:
                return _named(called_again(source, text, own, wishes), call)
    for text in call.at_rest if best is not None and best.report.verdict == "wrong" else ():
        own = examined(text, mend=False)
        if best is not None and own.report.verdict == "correct" and _is_as_full(own, best):
            own = examined(text, mend=True)  # which asks more of what is right, too
            best = _from_rest(source, own, best) if own.report.verdict == "correct" else best
    if best is not None:
        return _named(best, call)
    reason = f"it could not be called: {call.reason} (--call calls it as you say)"
    return OwnRun(Report("cannot-run", clean(source.path.name), call.examined.backward.name, reason=reason), reason)


def _is_as_full(own: OwnRun, before: OwnRun) -> bool:
    """Whether no number of a gradient became zero: of one step from zeros, nothing that is multiplied by the state shows what it is."""
    rows, old = ({r.name: r.right for r in each.verdict.compared} if each.verdict else {} for each in (own, before))
    return bool(rows) and rows.keys() == old.keys() and not any(((rows[n] == 0) & (old[n] != 0)).any() for n in rows)


def _from_rest(source: SourceFile, own: OwnRun, before: OwnRun) -> OwnRun:
    """Right from first states of zeros, with a remark on what is not from others."""
    wrong = {name: row for name, row in before.report.parameters.items() if not row.ok}
    line = min((row.line for row in wrong.values() if row.line is not None), default=0)
    says = f"line {line}: right where the first state is zeros; with another one what is made for {', '.join(wrong)} is not"
    remarks = (*own.report.remarks, (IGNORED.id, source.in_cells(says)))
    return replace(own, report=replace(own.report, remarks=remarks))


def _named(own: OwnRun, call: FoundCall) -> OwnRun:
    """The report as one on that function."""
    report = replace(own.report, function=call.examined.backward.name, run=None, loss=None)
    with_flags = f"{MADE_UP}, and with {', '.join(call.flags)}" if call.flags else MADE_UP
    report = replace(report, notes=(with_flags, *own.report.notes))
    if report.verdict not in ("correct", "wrong"):
        report = replace(report, verdict="undecided" if own.compared else "cannot-run", reason=own.reason)
    return replace(own, report=report)


def _rank(own: OwnRun) -> tuple[bool, int, int, int]:
    right = sum(each.ok for each in own.report.parameters.values())
    return own.report.verdict == "correct", right, len(own.report.diagnoses), len(own.report.candidates)


def joined(reports: Sequence[Report]) -> Report:
    """One report of several passes of a file: wrong if one is, right only if all are; what stays open is named."""
    wrong, right = ([r for r in reports if r.verdict == verdict] for verdict in ("wrong", "correct"))
    left = [r for r in reports if r.verdict not in ("wrong", "correct")]
    base = (wrong or right or left)[0]
    others = [r for r in (*wrong, *right) if r is not base]
    words = [f"{r.function} was examined, too: it is {'wrong' if r.verdict == 'wrong' else 'right'}" for r in others]
    base = replace(
        base,
        notes=(*base.notes, *words),
        diagnoses=tuple(d for r in wrong for d in r.diagnoses),
        not_compared=(*base.not_compared, *((r.function, r.reason) for r in left if len(reports) > 1)),
    )
    if wrong or not left or len(reports) == 1:
        return base
    reason = "; ".join([*(f"{r.function} is right" for r in right), *(f"{r.function}: {r.reason}" for r in left)])
    verdict = "undecided" if any(r.verdict != "cannot-run" for r in reports) else "cannot-run"
    return replace(base, verdict=verdict, reason=reason)
