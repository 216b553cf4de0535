"""right, wrong or undecided: what was compared with what, and what could not be compared, round by round."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from engine.doctor.lineage.gradients.comparison import ComparedGradient
from engine.doctor.lineage.gradients.later_steps import (
    by_a_number,
    by_zero,
    dropped,
    handed_in,
    in_half_precision,
    not_followed,
    not_seen,
    of_another_pass,
    read_otherwise,
    reused,
    stepped_ahead,
)
from engine.doctor.lineage.gradients.never_stepped import never_stepped
from engine.doctor.lineage.gradients.optimizers import rates
from engine.doctor.lineage.gradients.unseen import NOTHING_CAME, unseen
from engine.doctor.lineage.record.array_names import ArrayNames
from engine.doctor.lineage.record.reading import Ids, Record
from engine.doctor.lineage.record.updates import found
from engine.doctor.lineage.record.windows import ends, window
from engine.doctor.lineage.the_loss.loss import ChosenLoss
from engine.doctor.lineage.verdict.meant import unless_it_grows
from engine.doctor.lineage.verdict.of_round import GIVEN, IN_WINDOWS, ONLY_ONE, SOME_STEPS, of_round, why_undecided
from engine.doctor.lineage.verdict.over_versions import NOT_YET, RUNS_ON, SINCE, RunRound, each_step, over_versions
from engine.doctor.lineage.verdict.run_verdict import RunVerdict, verdict_of

OF_A_CLASS = "line {} makes an array of this class, which is not followed: it may hold weights"


def judged(record: Record, same_as: ChosenLoss | None = None, taken: str = "", cut: bool = True) -> RunVerdict:
    """The verdict on a run: on each of its rounds, until one is wrong. `same_as` is the loss, where it is known by its
    name and line; `taken` a name of `loss.KNOWN`, where the loss is to be taken to be that; `cut` whether errors may go back some steps and
    no further."""
    made, left = _rounds(record, {}, same_as, taken, cut)
    if cut and not record.rounds and not any(verdict.verdict in ("right", "wrong") for verdict in made):
        for other, known in each_step(record):
            again = _rounds(other, known, same_as, taken, cut)[0]
            if again and (not made or again[-1].verdict == "right"):
                made, left = again, []
                break
    if not made:
        return RunVerdict("undecided", None, reason=why_undecided(record))
    whole = replace(_merged(made), rounds=tuple(made))
    if (
        whole.verdict == "wrong"
        and whole.loss is not None
        and (why := _not_seen(whole.record or record, whole.loss, whole.compared))
    ):
        return replace(whole, verdict="undecided", compared=(), reason=why)
    first = made[0]
    if whole.verdict == "right" and first.record and first.loss and (zeros := by_zero(first.record, first.loss)):
        return replace(whole, verdict="wrong", compared=(*whole.compared, *zeros), record=first.record, round=0)
    if whole.verdict == "right" and first.record is not None:
        left += dropped(record, first.record, first.compared)
        left += by_a_number(first.record, first.loss) if first.loss is not None else []
        left += [f"{name}: {OF_A_CLASS.format(record.lines[line].number)}" for name, line in record.classes.items()]
    if whole.verdict == "right" and first.record is not None and first.loss is not None:
        left += read_otherwise(first.record, first.loss, whole.compared, [(v.record, v.loss) for v in made[1:2]])
    if whole.verdict == "right" and left:
        whole = replace(whole, verdict="undecided", not_compared=(*whole.not_compared, *left))
    if whole.verdict == "right":
        whole = _with_all_weights(whole, made)
    return _whole(record, whole, [row.gradient for verdict in made for row in verdict.compared])


def is_cut(conventions: Iterable[str]) -> bool:
    """Whether errors go back some steps and no further by these conventions, or over several rounds."""
    begins = SOME_STEPS.partition("{")[0]
    return any(said in (GIVEN, IN_WINDOWS, RUNS_ON, SINCE) or said.startswith(begins) for said in conventions)


def _rounds(
    record: Record, known: dict[int, str], same_as: ChosenLoss | None, taken: str, cut: bool
) -> tuple[list[RunVerdict], list[str]]:
    """The verdicts on the rounds of a record, until one is wrong, and what makes a right one none. `known` says what arrays are called."""
    known = {**rates(record), **known}
    begin, made, left = 0, list[RunVerdict](), list[str]()
    rounds, put_off = list[RunRound](), None
    for end in ends(record):
        part = window(record, begin, end)
        agreed = made and any(row.status == "right" for row in made[0].compared)
        verdict = of_round(part, known, made[0].loss if agreed else same_as, taken, cut, later=bool(agreed))
        if agreed and verdict.loss is None:
            verdict = _of_others(part, known, verdict, cut)
        rounds.append(RunRound(record, begin, end, dict(known), verdict.loss))
        if cut and (verdict.loss is None or verdict.verdict == "wrong" or verdict.reason == ONLY_ONE):
            ran_on = next((each.loss for each in made if RUNS_ON in each.conventions), None)
            other = over_versions(rounds, verdict.loss if verdict.verdict == "wrong" else None, ran_on)
            if other is not None and any(row.reason == NOT_YET for row in other.compared):
                put_off = put_off or [*made, replace(verdict, record=part, round=len(made))]
            verdict = other or verdict
        steps = [o for row in verdict.compared if row.update is not None for o in row.update.made]
        if not steps:  # a round that shows nothing ends with its updates, too
            sure = [s for group in found(part, ArrayNames(part, known)) for s in group if s.sure]
            steps = [made for s in sure for made in s.every]
        left = left or reused(part, known)
        known.update(_versions(part, verdict, known))
        if steps:
            begin = max(o.stop for o in steps)
        if verdict.loss is not None and not (agreed and of_another_pass(part, verdict.loss, verdict.compared)):
            made.append(replace(verdict, record=part, round=len(made)))
        if made and made[-1].verdict == "wrong":
            break
    if put_off and any(row.reason == NOT_YET for row in _merged(made).compared):
        return put_off, left
    return made, left


def _not_seen(record: Record, chosen: ChosenLoss, rows: Sequence[ComparedGradient]) -> str:
    """Why gradients that are not right may be those of another loss, or of other weights; "" where nothing says so."""
    reasons = (not_followed, in_half_precision, not_seen, handed_in, stepped_ahead, of_another_pass)
    return next((said for reason in reasons if (said := reason(record, chosen, rows))), "")


def _of_others(record: Record, known: Mapping[int, str], verdict: RunVerdict, cut: bool) -> RunVerdict:
    """The verdict on a later round in which the loss of the first is not computed: that of what no round before has stepped, as the second
    of two networks is, with a loss that is called so."""
    names = ArrayNames(record, known)
    steps = [s for group in found(record, names) for s in group if s.sure and len(s.by) > 2]
    if all(int(ids[0]) in known for s in steps for ids in s.levels[-1:]):
        return verdict
    other = of_round(record, known, None, "", cut)
    is_new = all(r.update is not None and r.update.sure and int(r.own[0]) not in known for r in other.compared)
    if other.loss is None or not is_new or other.loss.assumed or other.loss_doubtful:
        return verdict
    rows = tuple(unless_it_grows(row, other.loss) for row in other.compared)
    return other if rows == other.compared else replace(other, verdict="undecided", compared=rows)


def _with_all_weights(verdict: RunVerdict, rounds: Sequence[RunVerdict]) -> RunVerdict:
    """A right verdict with the weights that are not stepped: right only if their gradients are, too."""
    first, later = rounds[0], rounds[1].record if len(rounds) > 1 else None
    if RUNS_ON in rounds[0].conventions:  # its first loss was made from a state of the round before
        later = None
    if first.record is None or first.loss is None or not any(r.update for r in first.compared):
        return verdict
    made, left = never_stepped(first.record, later, first.loss, [*first.compared, *verdict.compared])
    told = verdict_of(first.loss, [*verdict.compared, *made], True) if made else verdict
    told = replace(verdict, verdict=told.verdict, compared=told.compared)
    if told.verdict == "right" and left:
        return replace(told, verdict="undecided", not_compared=(*told.not_compared, *left))
    return told


def _whole(record: Record, verdict: RunVerdict, compared_: Sequence[Ids]) -> RunVerdict:
    """A right verdict only where no other backward pass of the program ran that nothing compared came from."""
    others = unseen(record, compared_) if verdict.verdict == "right" else []
    if not others:
        return verdict
    told = tuple(f"{function}: {NOTHING_CAME}" for function in others)
    return replace(verdict, verdict="undecided", not_compared=(*verdict.not_compared, *told))


def _merged(rounds: Sequence[RunVerdict]) -> RunVerdict:
    """Of several rounds the wrong one; of right ones the first, with what was zero or was not seen there compared in another."""
    last = rounds[-1]
    if last.verdict == "wrong" or len(rounds) == 1:
        return last
    first = rounds[0]
    if any(row.status in ("wrong", "zero") for row in first.compared):
        return first  # undecided, for its loss is doubtful
    rows = list(first.compared)
    owners = _owners(rounds)
    for row in [r for r in rows if r.status == "not compared"]:
        own = int(row.own[0])
        found = [
            r
            for v in rounds[1:]
            for r in v.compared
            if r.line == row.line and r.status == "right" and len(r.own) == len(row.own)
            if owners.get(int(r.own[0]), own) == own
        ]
        if found:
            rows[rows.index(row)] = replace(found[0], name=row.name)
    seen, before = {row.line for row in rows}, {int(row.own[0]) for row in first.compared}
    first_step = min((o.start for row in first.compared if row.update is not None for o in row.update.made), default=0)
    for row in [r for r in rounds[1].compared if r.update is not None]:
        # what was there before the first step, and was not stepped then, is another network's
        if row.line not in seen or (int(row.own[0]) < first_step and int(row.own[0]) not in before):
            rows.append(row)
    left = tuple(f"{r.name}: {r.reason}" for r in rows if r.status == "not compared")
    left += first.not_compared if first.reason == ONLY_ONE else ()
    verdict = "undecided" if left or not rows else "right"
    said = tuple(dict.fromkeys(said for v in rounds if v is first or v.verdict == "right" for said in v.conventions))
    return replace(first, verdict=verdict, compared=tuple(rows), not_compared=left, conventions=said)


def _owners(rounds: Sequence[RunVerdict]) -> dict[int, int]:
    """By the first number of what updates made, that of the array that was stepped, as it was when it was stepped first."""
    owners: dict[int, int] = {}
    for row in (row for verdict in rounds for row in verdict.compared):
        first = int(row.own[0])
        made = row.update.made if row.update is not None else ()
        owners.update({operation.start: owners.get(first, first) for operation in made})
    return owners


def _versions(record: Record, verdict: RunVerdict, known: Mapping[int, str]) -> dict[int, str]:
    """What the results of a round's updates are called: as what they step, also where what came back was compared and not the step. Arrays
    of one name are told apart: by its name a number that was stepped alone is known to belong to one."""
    made: dict[int, str] = {}
    counts = Counter[str]()
    for row in verdict.compared:
        counts[row.name] += 1
        if row.update is not None:
            name = row.name if counts[row.name] == 1 else f"{row.name} ({counts[row.name]})"
            made.update({operation.start: name for operation in row.update.made})
    others = {int(row.own[0]): row.name for row in verdict.compared if row.update is None and row.status == "right"}
    for step in (s for group in found(record, ArrayNames(record, known)) for s in group if s.sure) if others else ():
        name = next((others[first] for ids in step.levels if (first := int(ids[0])) in others), "")
        made.update({operation.start: name for operation in step.every if name})
    return made
