"""The wrong line and its correction: small edits of the lines that a wrong gradient was made by.

An edit is tried where its line runs, in a second identical run; what survives is put into the program and run, and is
the correction when all gradients are right then. Its kind is the mistake's name.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from engine.doctor.lineage.record.reading import Record
from engine.doctor.lineage.record.running import Runs, Trials
from engine.doctor.lineage.verdict.verdict import RunVerdict
from engine.doctor.mending.around.blocks import begun, interchanged, reordered, stepped_early, unconditional
from engine.doctor.mending.around.forward import copied, of_output
from engine.doctor.mending.around.unshown import (
    accumulations,
    carried,
    handed_on,
    inserted,
    looped,
    scaled,
    stored_elsewhere,
    through_softmax,
    unstored,
    without_targets,
)
from engine.doctor.mending.edits import edits
from engine.doctor.mending.edits.atoms import atoms_in, text_of, transposed
from engine.doctor.mending.edits.edits import StatementEdit
from engine.doctor.mending.naming import unedited
from engine.doctor.mending.trials.places import EditPlace, again, places_of, replaced
from engine.doctor.mending.trials.probing import HELPS, LIKELY, UNLIKELY, Probed, Prober, Survivor, failing, survivors
from engine.doctor.mending.trials.trying import TRIALS, Blamed, Trial

__all__ = ["Blamed", "blamed"]

OTHERS = 40
"""So many edits of lines that do not fail are kept, of those that are likeliest."""
CALLERS = 4
"""So many calls of the program's own functions are looked at where a line of one fails."""
UNLIKELY_ONES = 64
"""So many edits are tried at last, of those that nothing speaks for."""
SEVERAL, RIVALS = 4, 6
"""So many wrong lines are corrected one after the other; so many corrections of each are compared."""


def blamed(
    runs: Runs, record: Record, verdict: RunVerdict, returned: Callable[[RunVerdict], RunVerdict] = lambda made: made
) -> list[Blamed]:
    """The lines to blame for a wrong verdict, the mended one first. `returned` judges by what called functions give back."""
    part = verdict.record
    if part is None or verdict.loss is None:
        return []
    known = [Blamed(part.lines[n].file, part.lines[n].number, id, "") for id, n in unedited.without_edit(verdict)]
    if known:
        kept = [b for b in known if b.id == "gradients-not-reset"]
        return list(dict.fromkeys(kept or known))
    texts = {file: text for file in dict.fromkeys(line.file for line in part.lines) if (text := runs.text_of(file))}
    places = places_of(texts, record, verdict)
    if not places:
        return unstored(part, verdict) or _makers(part, verdict)
    with Trials(runs, record.modules) as trials:
        trial = Trial(runs, texts, verdict, record, trials, returned)
        try:
            runs.says("wrong; looking for the line (Ctrl+C ends it)")
            return (
                _searched(trial, places)
                or _suspected(trial, places)
                or unstored(part, verdict)
                or _makers(part, verdict)
            )
        except KeyboardInterrupt:  # what is known so far is told
            return [replace(each, more=True) for each in _suspected(trial, places) or _makers(part, verdict)]
        finally:
            runs.says("")


def _searched(trial: Trial, every: list[EditPlace]) -> list[Blamed]:
    """One edit of a line that fails or helps others, then a missing term that helps, then `+=`, carries and loops, then other terms, then
    several lines, another order, and edits of lines that do not fail."""
    atoms = [text_of(a) for text in trial.texts.values() for a in atoms_in(ast.parse(text))]
    prober = Prober(trial.trials, trial.verdict, atoms)
    later: list[Survivor] = []
    places = every
    if (shared := copied(trial) or _settled(trial, scaled(trial, every))) is not None:
        return [shared]
    for missing in (False, True):
        answers = prober.probed(trial.texts, places, missing=missing)
        if answers is None:
            break
        suspects, others = survivors(answers)
        failed = failing(answers)
        trial.suspected = trial.suspected or failed[:3]
        found = _settled(trial, handed_on(every)) if missing else None
        found = found or _settled(trial, [s for s in suspects if s[0][0] == HELPS])
        if found is None and missing:
            found = _around(trial, prober, every)
        found = found or _settled(trial, [s for s in suspects if s[0][0] == LIKELY])
        if found is not None:
            return [found]
        later += [s for s in suspects if s[0][0] == UNLIKELY] + _sources_first(others, failed)[:OTHERS]
        places = [*failed[:4], *_beside(places, failed)]
    first = trial.suspected
    several = combined(trial) or chained(trial, prober, every) or interchanged(trial, first)
    if several:
        return several
    found = (
        through_softmax(trial, every)
        or reordered(trial, first)
        or inserted(trial, first)
        or _settled(trial, _sources_first(later, first), UNLIKELY_ONES)
    )
    found = found or of_output(trial)
    return [] if found is None else [found]


def _around(trial: Trial, prober: Prober, every: list[EditPlace]) -> Blamed | None:
    """What no single value shows: `+=` for `=`, where it is put, carries, loops, with what they begin, and conditions."""
    return (
        _settled(trial, accumulations(every))
        or _settled(trial, stored_elsewhere(every))
        or carried(trial, prober.is_right)
        or looped(trial, every)
        or begun(trial, every)
        or unconditional(trial, every)
        or without_targets(trial, every)
        or stepped_early(trial, every)
    )


def _suspected(trial: Trial, every: Sequence[EditPlace]) -> list[Blamed]:
    """The lines that fail first; where a right gradient was made by all of them, lines of which that is not so."""
    apart = [p for p in every if p.apart and not (p.given or p.moves)]
    told = trial.suspected if any(p.apart for p in trial.suspected) or not trial.suspected else apart or trial.suspected
    return [Blamed(p.file, p.statement.lineno, "", text_of(p.statement), more=trial.is_over) for p in told[:3]]


def chained(trial: Trial, prober: Prober, places: Sequence[EditPlace]) -> list[Blamed]:
    """Several wrong lines: the one that fails first is corrected, then the next, until all gradients are right; [] where
    they never are."""
    texts = trial.texts
    made: list[tuple[EditPlace, str, str, str]] = []
    answers = prober.probed(texts, places, missing=False)
    try:
        for _ in range(SEVERAL):
            step = _furthest(trial, prober, places, answers) if answers is not None and not trial.is_over else None
            if step is None:
                return []
            place, edit, trial.texts, answers = step
            done = bool(made) and trial.makes_right(trial.texts)  # the first one alone was tried before
            made.append((place, edit.kind, text_of(place.statement), edit.statement))
            if done:
                return [trial.named(p.file, p.statement, kind, *texts) for p, kind, *texts in made]
            places = again(places, trial.texts)
        return []
    finally:
        trial.texts = texts


def _furthest(
    trial: Trial, prober: Prober, places: Sequence[EditPlace], answers: Sequence[Probed]
) -> tuple[EditPlace, StatementEdit, dict[str, str], list[Probed]] | None:
    """Of the edits of the line that fails first, among the lines that have one, that by which most of what the lines make is right, with
    the changed texts and what is said of them; of equal ones the likeliest."""
    best: tuple[int, EditPlace, StatementEdit, dict[str, str], list[Probed]] | None = None
    for place, edit in _first_survivors(answers):
        changed = replaced(trial.texts[place.file], place.statement, edit.statement)
        texts = {**trial.texts, place.file: changed}
        answered = prober.probed(texts, again(places, texts), missing=False)
        right = sum(each.original[0] for each in answered or ())
        if answered is not None and (best is None or right > best[0]):
            best = right, place, edit, texts, answered
    return None if best is None else best[1:]


def _first_survivors(answers: Sequence[Probed]) -> list[tuple[EditPlace, StatementEdit]]:
    suspects = [s for s in survivors(answers)[0] if s[0][0] != UNLIKELY]
    own = ([(p, edit) for _, p, edit in suspects if p is place] for place in failing(answers))
    return next((some[:RIVALS] for some in own if some), list[tuple[EditPlace, StatementEdit]]())


def _beside(places: list[EditPlace], failed: list[EditPlace]) -> list[EditPlace]:
    """What stands beside the first line that fails, and what is handed to functions: a share of what it should be looks right."""
    if not failed:
        return []
    body = failed[0].body
    at = body.index(failed[0].statement)
    others = [p for p in places if p not in failed[:4] and not p.given]
    near = [p for p in others if p.body is body and abs(body.index(p.statement) - at) <= 4]
    return near + [p for p in others if p.body is not body and edits.calls_own(p.statement)][:CALLERS]


def _sources_first(some: Sequence[Survivor], failed: Sequence[EditPlace]) -> list[Survivor]:
    """First the edits of lines that made what the first line that fails reads: what they hand on is right, and not what it should be. Of
    these and of the others first those that made no right gradient."""
    reads = {text_of(a) for a in atoms_in(failed[0].statement)} if failed else set[str]()

    def rank(survivor: Survivor) -> tuple[bool, bool, tuple[int, ...]]:
        order, place, _ = survivor
        targets = place.statement.targets if isinstance(place.statement, ast.Assign) else []
        beside = place.body is failed[0].body if failed else False
        return not (beside and any(text_of(t) in reads for t in targets)), not place.apart, order

    return sorted(some, key=rank)


def _makers(record: Record, verdict: RunVerdict) -> list[Blamed]:
    """The lines that made the wrong gradients last."""
    made: list[Blamed] = []
    for row in verdict.compared:
        k = record.maker(int(row.gradient[-1])) if row.status == "wrong" else -1
        line = record.lines[record.operations[k].line] if k >= 0 else None
        if line is not None and line.number:
            made.append(Blamed(line.file, line.number, "", ""))
    return list(dict.fromkeys(made))[:3]


def _settled(trial: Trial, some: Sequence[Survivor], most: int = TRIALS) -> Blamed | None:
    """The first edit that makes all gradients right."""
    trial.left = most
    for _, place, edit in some[:most]:
        if (found := trial.blames(place.file, place.statement, edit.kind, edit.statement)) is not None:
            return _at_its_source(trial, place, edit) or found
        if trial.repaired:
            trial.partly.append((trial.repaired, place, edit))
    return None


def combined(trial: Trial) -> list[Blamed]:
    """Edits of several lines, each of which makes other gradients right; [] where they do not make all right together."""
    wrong = {r.name for r in trial.verdict.compared if r.status in ("wrong", "zero")}
    chosen: dict[tuple[str, int], tuple[EditPlace, StatementEdit]] = {}
    for repaired, place, edit in trial.partly:
        if repaired & wrong and (place.file, place.statement.lineno) not in chosen:
            chosen[place.file, place.statement.lineno] = place, edit
            wrong -= repaired
    if wrong or len(chosen) < 2:
        return []
    texts = dict(trial.texts)
    for place, edit in sorted(chosen.values(), key=lambda each: -each[0].statement.lineno):
        texts[place.file] = replaced(texts[place.file], place.statement, edit.statement)
    if not trial.makes_right(texts):
        return []
    for place, edit in chosen.values():
        if (source := _at_its_source(trial, place, edit)) is not None:
            return [source]
    return [trial.named(p.file, p.statement, e.kind, text_of(p.statement), e.statement) for p, e in chosen.values()]


def _at_its_source(trial: Trial, place: EditPlace, edit: StatementEdit) -> Blamed | None:
    """A term that is missing from a variable may as well be missing where the variable was made, and what is turned where it is handed on
    may be turned there: that line is to blame."""
    at = place.body.index(place.statement)
    for source in reversed(place.body[:at]):
        match source:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                pass
            case _:
                continue
        made = ""
        if edit.kind == "term-missing":
            found = re.search(rf"\({name} ([-+]) ([^()]+)\)", edit.value)
            made = f"{text_of(value)} {found[1]} {found[2]}" if found else ""
        elif edit.kind == "transpose" and text_of(edit.slot.get()) == name:
            made = text_of(transposed(value))
        if made:
            trial.left = max(trial.left, 1)
            kind = "exchanged" if edit.kind == "transpose" else edit.kind
            return trial.blames(place.file, source, kind, f"{name} = {made}")
    return None
