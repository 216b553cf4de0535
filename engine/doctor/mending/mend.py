"""The wrong line and its correction: small edits of the lines that a wrong gradient was made by.

An edit is tried where its line runs, in a second identical run; what survives is put into the program and run, and is
the correction when all gradients are right then. Its kind is the mistake's name.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from engine.doctor.lineage.gradients.optimizers import unlimited
from engine.doctor.lineage.record.reading import Record
from engine.doctor.lineage.record.running import Runs, Trials
from engine.doctor.lineage.verdict.run_verdict import RunVerdict
from engine.doctor.mending.around.blocks import (
    begun,
    exchanged,
    for_the_last_output,
    interchanged,
    masked,
    never_kept,
    reordered,
    stepped_early,
    unconditional,
)
from engine.doctor.mending.around.carries import never_handed_on
from engine.doctor.mending.around.forward import copied, of_output
from engine.doctor.mending.around.kept import kept_of_each_step
from engine.doctor.mending.around.unshown import (
    accumulations,
    carried,
    handed_on,
    inserted,
    looped,
    of_floats,
    rebound,
    scaled,
    stored_elsewhere,
    taken_up,
    through_softmax,
    turned_round,
    unstored,
    without_targets,
)
from engine.doctor.mending.edits import edits
from engine.doctor.mending.edits.atoms import atoms_in, transposed
from engine.doctor.mending.edits.expression_text import text_of
from engine.doctor.mending.naming import unedited
from engine.doctor.mending.trials.places import EditPlace, places_of
from engine.doctor.mending.trials.probing import HELPS, LIKELY, UNLIKELY, Prober, Survivor, failing, survivors
from engine.doctor.mending.trials.proposal import Blamed, Proposal, differing, instead, of_edit
from engine.doctor.mending.trials.trying import TRIALS, Partial, Trial

__all__ = ["Blamed", "blamed"]

OTHERS = 40
"""So many edits of lines that do not fail are kept, of those that are likeliest."""
CALLERS = 4
"""So many calls of the program's own functions are looked at where a line of one fails."""
UNLIKELY_ONES = 64
"""So many edits are tried at last, of those that nothing speaks for."""
SEVERAL, RIVALS = 8, 10
"""So many wrong lines are corrected one after the other; so many likely edits are tried in a program in which one is."""


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
        return unstored(part, verdict) or _makers(texts, part, verdict)
    with Trials(runs, record.modules) as trials:
        trial = Trial(runs, texts, verdict, record, trials, returned)
        try:
            runs.says("wrong; looking for the line")
            return (
                sorted(_searched(trial, places), key=lambda each: (each.file, each.line))
                or _in_part(trial)
                or _suspected(trial, places)
                or unstored(part, verdict)
                or _makers(texts, part, verdict)
            )
        except KeyboardInterrupt:  # what is known so far is told
            known = _in_part(trial) or _suspected(trial, places) or _makers(texts, part, verdict)
            return [replace(each, more=True) for each in known]
        finally:
            runs.says("")


def _searched(trial: Trial, every: list[EditPlace], most: int = SEVERAL, *, narrow: bool = False) -> list[Blamed]:
    """The correction: one change, or one that makes some gradients right, or its line right, and what corrects the program with it, or
    else unlikely changes. `narrow` is the search in a program with such a change: what is likely, and no more."""
    prober = Prober(
        trial.trials, trial.verdict, [text_of(a) for t in trial.texts.values() for a in atoms_in(ast.parse(t))]
    )
    trial.is_total = prober.is_total
    found = [] if narrow else _at_first_sight(trial, every)
    if found:
        return found
    later = list[Survivor]()
    places = every
    for missing in (False, True):
        answers = prober.probed(trial.texts, places, missing=missing)
        if answers is None:
            break
        suspects, others = survivors(answers)
        failed = failing(answers)
        trial.suspected = trial.suspected or failed[:3]
        found = _found(trial, handed_on(every)) if missing else []
        found = (
            found or _found(trial, _edits(s for s in suspects if s[0][0] == HELPS)) or _step_by_step(trial, most - 1)
        )
        if not found and missing:
            found = _of_carries(trial, prober, every) or _step_by_step(trial, most - 1)
            found = found or ([] if narrow else _around(trial, prober, every))
        likely = _edits(s for s in suspects if s[0][0] == LIKELY)
        found = found or _found(trial, likely, RIVALS if narrow else TRIALS) or _step_by_step(trial, most - 1)
        if found:
            return found
        later += [s for s in suspects if s[0][0] == UNLIKELY] + _sources_first(others, failed)[:OTHERS]
        places = [*failed[:4], *_beside(places, failed)]
    if narrow:
        return []
    first = trial.suspected
    return (
        (_with_the_rest(trial, trial.partial, most - 1) if most > 1 else [])
        or _found(trial, interchanged(first), 8)
        or _found(trial, through_softmax(trial.verdict, every), 6)
        or _found(trial, reordered(first), 24)
        or _found(trial, inserted(first), 48)
        or _found(trial, _edits(_sources_first(later, first)), UNLIKELY_ONES)
        or _found(trial, of_output(trial.texts, trial.verdict), 3)
    )


def _at_first_sight(trial: Trial, every: list[EditPlace]) -> list[Blamed]:
    """What is seen without a probe."""
    return (
        _found(trial, of_floats(trial.texts, stated=True), 4)
        or _found(trial, taken_up(trial.texts, every), 8)
        or _found(trial, copied(trial.texts), 8)
        or _found(trial, masked(trial.texts, every, trial.record, idle=True), 8)
        or _found(trial, exchanged(trial.texts, trial.verdict, every), 12)
        or _found(trial, scaled(trial.texts, trial.verdict, every))
    )


def _step_by_step(trial: Trial, most: int) -> list[Blamed]:
    """Several wrong lines: one is corrected, and then what is wrong in the program with that. The first one is that by which some
    gradients became right, else that by which more of what the way back makes became what it should be."""
    change = trial.partial.proposal if trial.partial is not None else trial.best
    if most < 1 or trial.is_over or (trial.step is not None and trial.step.proposal is change):
        return []
    return _with_the_rest(trial, trial.partial or trial.by_values(), most, narrow=True)


def _of_carries(trial: Trial, prober: Prober, every: list[EditPlace]) -> list[Blamed]:
    """`+=` for `=`, what is never handed on, and what is lost."""
    return (
        _found(trial, accumulations(every))
        or _found(trial, rebound(trial.texts, trial.verdict), 8)
        or _found(trial, carried(trial.texts, trial.verdict, prober.is_right))
        or _found(trial, kept_of_each_step(trial.texts, trial.verdict, every), 8)
    )


def _around(trial: Trial, prober: Prober, every: list[EditPlace]) -> list[Blamed]:
    """What no single value shows: `+=` for `=`, carries, where it is put, loops, with what they begin, and conditions."""
    texts = trial.texts
    return (
        _found(trial, never_kept(texts, every), 8)
        or _found(trial, stored_elsewhere(every))
        or _found(trial, turned_round(every), 6)
        or _found(trial, looped(texts, every, trial.verdict))
        or _found(trial, for_the_last_output(texts, every))
        or _found(trial, begun(texts, every), 8)
        or _found(trial, unconditional(texts, every), 8)
        or _found(trial, of_floats(texts, stated=False), 6)
        or _found(trial, masked(texts, every, trial.record, idle=False), 8)
        or _found(trial, without_targets(texts, every), 6)
        or _found(trial, stepped_early(every), 8)
    )


def _edits(some: Iterable[Survivor]) -> Iterator[Proposal]:
    return (of_edit(place, edit) for _, place, edit in some)


def _found(trial: Trial, proposals: Iterable[Proposal], most: int = TRIALS) -> list[Blamed]:
    """The lines of the first change that makes all gradients right."""
    proposal = trial.first(proposals, most)
    if proposal is None:
        return []
    told = trial.told(proposal)
    source = trial.first(_at_its_source(proposal))
    return told if source is None else trial.told(source)


def _with_the_rest(trial: Trial, step: Partial | None, most: int, *, narrow: bool = False) -> list[Blamed]:
    """A change that makes something right, and what corrects the rest in the program with it."""
    if step is None or trial.is_over:
        return []
    source = trial.first(_at_its_source(step.proposal))
    if source is not None:
        return trial.told(source)
    if not step.repaired and trial.best is not step.proposal:  # at its source more becomes right
        step = trial.by_values() or step
    rest = trial.on(step)
    more = _searched(rest, places_of(rest.texts, rest.record, rest.verdict), most, narrow=narrow)
    trial.spent = rest.spent
    again = {(each.file, each.line) for each in more}  # what was put right once more: the last text is the line's
    made = [replace(each, verified=True, mends=(), leaves=()) for each in step.told]
    first = {(each.file, each.line): each.id for each in made}
    more = [replace(each, id=first.get((each.file, each.line), each.id)) for each in more]
    return [*(each for each in made if (each.file, each.line) not in again), *more] if more else []


def _in_part(trial: Trial) -> list[Blamed]:
    """The changes that make some gradients right, one on top of the other, and the lines to look at for the rest."""
    step, rest = trial.step, trial.rest
    if step is None or rest is None:
        return trial.partial.told if trial.partial is not None else []
    further = _in_part(rest)
    if step.repaired or step.proposal.edit is None:
        return [*step.told, *(further or _suspected(rest, places_of(rest.texts, rest.record, rest.verdict)))]
    mended = [each for each in further if each.mends]
    own = [replace(each, mends=mended[0].mends, leaves=mended[0].leaves) for each in step.told] if mended else []
    return [*own, *(further if mended else [])]


def _suspected(trial: Trial, every: Sequence[EditPlace]) -> list[Blamed]:
    """What is never handed on to the step before; else the lines that fail first; where a right gradient was made by all of them, lines of
    which that is not so."""
    lost = [
        Blamed(file, last.lineno, "carry-never-updated", text_of(last))
        for file, text in trial.texts.items()
        for last in never_handed_on(
            ast.parse(text), file, trial.verdict, {p.statement.lineno for p in every if p.file == file}
        )
    ]
    if lost:
        return lost[:1]
    apart = [p for p in every if p.apart and not (p.given or p.takes or p.moves or p.steps)]
    told = trial.suspected if any(p.apart for p in trial.suspected) or not trial.suspected else apart or trial.suspected
    told = [p for p in told if not p.steps] or told
    return [Blamed(p.file, p.statement.lineno, "", text_of(p.statement), more=trial.is_over) for p in told[:3]]


def _beside(places: list[EditPlace], failed: list[EditPlace]) -> list[EditPlace]:
    """What stands beside the first line that fails, what hands on to it from round to round, and what is handed to functions: a share of
    what it should be looks right."""
    if not failed:
        return []
    body = failed[0].body
    at = body.index(failed[0].statement)
    others = [p for p in places if p not in failed[:4] and not p.given]
    reads = {text_of(a) for a in atoms_in(failed[0].statement)}
    same = [p for p in others if p.body is body]
    near = [p for p in same if abs(body.index(p.statement) - at) <= 4 or (p.repeats and _targets(p) & reads)]
    return near + [p for p in others if p.body is not body and edits.calls_own(p.statement)][:CALLERS]


def _sources_first(some: Sequence[Survivor], failed: Sequence[EditPlace]) -> list[Survivor]:
    """First the edits of lines that made what the first line that fails reads: what they hand on is right, and not what it should be. Of
    these and of the others first those that made no right gradient."""
    reads = {text_of(a) for a in atoms_in(failed[0].statement)} if failed else set[str]()

    def rank(survivor: Survivor) -> tuple[bool, bool, tuple[int, ...]]:
        order, place, _ = survivor
        beside = place.body is failed[0].body if failed else False
        return not (beside and bool(_targets(place) & reads)), not place.apart, order

    return sorted(some, key=rank)


def _targets(place: EditPlace) -> set[str]:
    return {text_of(t) for t in place.statement.targets} if isinstance(place.statement, ast.Assign) else set()


def _makers(texts: Mapping[str, str], record: Record, verdict: RunVerdict) -> list[Blamed]:
    """The lines that made the wrong gradients last, before they were limited."""
    made: list[Blamed] = []
    for row in verdict.compared:
        k = record.maker(int(unlimited(record, row.gradient)[-1])) if row.status == "wrong" else -1
        line = record.lines[record.operations[k].line] if k >= 0 else None
        if line is not None and line.number:
            lines = texts.get(line.file, "").splitlines()
            made.append(Blamed(line.file, line.number, "", lines[line.number - 1].strip() if lines else ""))
    return list(dict.fromkeys(made))[:3]


def _at_its_source(proposal: Proposal) -> Iterator[Proposal]:
    """A term that is missing from a variable may as well be missing where the variable was made, and what is turned where it is handed on
    may be turned there: that line is to blame."""
    place, edit = proposal.place, proposal.edit
    if place is None or edit is None:
        return
    for source in reversed(place.body[: place.body.index(place.statement)]):
        match source:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                pass
            case _:
                continue
        made = ""
        if edit.kind == "term-missing":
            found = re.search(rf"\({name} ([-+]) ([^()]+)\)", edit.value) or re.search(
                rf"(?<![\w.]){name} ([-+]) ([\w.\[\]]+)(?=\)|$|,)", edit.value
            )
            made = f"{text_of(value)} {found[1]} {found[2]}" if found else ""
        elif edit.kind == "transpose" and text_of(edit.slot.get()) == name:
            made = text_of(transposed(value))
        elif edit.kind in ("index", "wraps"):
            old, new = differing(place.statement, ast.parse(edit.statement).body[0])
            made = text_of(new) if text_of(old) == name else ""
        if made:
            yield instead(
                place.file, source, f"{name} = {made}", "exchanged" if edit.kind == "transpose" else edit.kind
            )
            return
