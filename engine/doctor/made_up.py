"""Functions that nothing runs: each backward pass is called with arguments that are made up, and judged by its own lineage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from engine.doctor.called_again import called_again
from engine.doctor.lineage.running import Runs
from engine.doctor.read.source import SourceFile
from engine.doctor.read.syntax import UserProgram, program
from engine.doctor.recognise.calls import FoundCall, calls
from engine.doctor.recognise.passes import Pass, caller, passes
from engine.doctor.report.own_run_report import OwnRun, examine_own_run
from engine.doctor.report.report import Report
from engine.doctor.run.launch import Wishes
from engine.doctor.run.program import ProgramFile
from engine.text import clean

MADE_UP = "its functions were called with arguments that were made up"


def examine_functions(source: SourceFile, function: str | None, wishes: Wishes) -> list[Report]:
    """A report on each backward pass of a file that only defines, imports and assigns, or on the one that is named.

    A pass is wrong or right by its own lineage. That no arguments were found that fit is no mistake: then it could not be called."""
    found = program(source, source.tree())
    named = found.find(function) if function is not None else None
    if function is not None and named is None:
        return []
    examined = passes(found, named)
    return [_followed(source, each, wishes).report for each in _calls(source, found, examined, wishes)]


def beyond(source: SourceFile, function: str, reports: Sequence[Report]) -> list[Report]:
    """The reports on passes that the function is not, and does not call."""
    seen = _called(program(source, source.tree()), function)
    return [report for report in reports if report.function not in seen]


def follow_function(source: SourceFile, function: str | None, wishes: Wishes) -> OwnRun | None:
    """The call of the backward pass that is named, else of the first that could be called; None where there is none."""
    found = program(source, source.tree())
    named = found.find(function) if function is not None else None
    if function is not None and named is None:
        return None
    runs = (_followed(source, each, wishes) for each in _calls(source, found, passes(found, named), wishes))
    return next((own for own in runs if own.record is not None), None)


def _calls(source: SourceFile, found: UserProgram, examined: Sequence[Pass], wishes: Wishes) -> list[FoundCall]:
    """How each pass is called; one that cannot be called alone by the method that trains with it, where there is one."""
    if not examined:
        return []
    file = ProgramFile(source.path, source.text, source.cells)
    told = calls(file, examined, wishes)
    instead = {k: whole for k, each in enumerate(told) if not each.texts and (whole := caller(found, each.examined))}
    for k, each in zip(instead, calls(file, list(instead.values()), wishes) if instead else (), strict=True):
        told[k] = replace(each, examined=told[k].examined, reason=told[k].reason)
    return told


def _called(found: UserProgram, name: str) -> set[str]:
    """A function's name with those of all functions that it calls, at whatever depth."""
    seen, left = set[str](), [f for f in found.functions if f.name == name]
    while left:
        function = left.pop()
        if function.name not in seen:
            seen.add(function.name)
            left += [f for f in found.functions if f.node.name in function.called]
    return seen


def _followed(source: SourceFile, call: FoundCall, wishes: Wishes) -> OwnRun:
    """What one pass shows. Of several ways to call it that fit equally well one by which it is right counts, else the one by which a
    correction is found, else the one that agrees best."""
    made = [ProgramFile(source.path, text, source.cells) for text in call.texts]

    def examined(file: ProgramFile, *, mend: bool) -> OwnRun:
        return examine_own_run(Runs(file, replace(wishes, arguments=())), source, whole=True, mend=mend)

    best: OwnRun | None = None
    for mend in (False, True) if len(made) > 1 else (True,):
        for file in made:
            own = examined(file, mend=mend)
            if best is None or _rank(own) > _rank(best):
                best = own
            if own.report.verdict == "correct" or own.report.diagnoses:
                return _named(called_again(source, file.text, own, wishes), call)
    if best is not None:
        return _named(best, call)
    reason = f"it could not be called: {call.reason} (--call calls it as you say)"
    return OwnRun(Report("cannot-run", clean(source.path.name), call.examined.backward.name, reason=reason), reason)


def _named(own: OwnRun, call: FoundCall) -> OwnRun:
    """The report as one on that function."""
    report = replace(own.report, function=call.examined.backward.name, run=None, loss=None)
    report = replace(report, notes=(MADE_UP, *own.report.notes))
    if report.verdict not in ("correct", "wrong"):
        report = replace(report, verdict="undecided" if own.compared else "cannot-run", reason=own.reason)
    return replace(own, report=report)


def _rank(own: OwnRun) -> tuple[bool, int, int]:
    right = sum(each.ok for each in own.report.parameters.values())
    return own.report.verdict == "correct", right, len(own.report.diagnoses)


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
