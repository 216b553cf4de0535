"""right, wrong or undecided: what was compared with what, and what could not be compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.doctor.lineage.gradients import returned
from engine.doctor.lineage.gradients.comparison import ComparedGradient
from engine.doctor.lineage.gradients.later_steps import by_a_number, by_zero, dropped, not_seen, reused
from engine.doctor.lineage.gradients.never_stepped import never_stepped
from engine.doctor.lineage.gradients.stepped import ONE, MayWin, SteppedRows, always
from engine.doctor.lineage.gradients.unseen import NOTHING_CAME, unseen
from engine.doctor.lineage.record.carry_back import depending, reached, reached_by_each
from engine.doctor.lineage.record.derivatives import PRODUCTS
from engine.doctor.lineage.record.matching import compared, same
from engine.doctor.lineage.record.reading import Floats, Ids, Record, RecordedArray
from engine.doctor.lineage.record.updates import ArrayNames, Step, found
from engine.doctor.lineage.record.windows import ends, window
from engine.doctor.lineage.the_loss import loss, penalty
from engine.doctor.lineage.the_loss.loss import NAMED, ChosenLoss
from engine.doctor.lineage.the_loss.truncation import in_windows, shortened
from engine.doctor.lineage.verdict.factors import ADDED, PENALTY, one_factor
from engine.doctor.recording.tracing.store import SINGLES

Score = tuple[int, bool, int, int]
GradientRows = Callable[[ChosenLoss, Callable[[], Floats], NDArray[np.bool_], MayWin], list[ComparedGradient] | None]
"""What is compared with what, for a loss, dL/d(every number), and which numbers it was made from; None where it cannot win."""


AS_GIVEN = "all are right if the state of the step before is taken as given"
GIVEN = "the state of the step before is taken as given: no error is carried back to it"
OF_ANOTHER = (
    "it is stepped, the loss of line {} does not depend on it, and its gradient is not that of the loss of line {}"
)
GROWS = "it is stepped so that the loss of line {} grows: right where that is meant, as in adversarial training"
ANOTHER_PENALTY = "it is right but for the penalty, which is not the derivative of the one in the loss"
IN_WINDOWS = "errors are carried back to where each window of steps begins, and no further"
NUMBER_BY_NUMBER = (
    f"it computes number by number, and no update was seen in the first {SINGLES:,}: no more of them are followed"
)
NO_STEPS = "the program computes no loss from weights that it steps, or whose gradients it returns"
ONLY_ONE = "only one gradient was found"


@dataclass(frozen=True, eq=False)
class RunVerdict:
    """`verdict` is right, wrong or undecided, for the loss that was chosen."""

    verdict: str
    loss: ChosenLoss | None
    compared: tuple[ComparedGradient, ...] = ()
    conventions: tuple[str, ...] = ()
    not_compared: tuple[str, ...] = ()
    reason: str = ""
    loss_doubtful: bool = False
    record: Record | None = None
    round: int = 0
    rounds: tuple[RunVerdict, ...] = ()
    """The verdicts on the rounds one by one, where this is the one on a run."""
    shifted: bool = False
    """Whether the program was run from other first weights, see `other_weights`."""


def judged(record: Record, same_as: ChosenLoss | None = None, taken: str = "", cut: bool = True) -> RunVerdict:
    """The verdict on a run: on each of its rounds, until one is wrong. `same_as` is the loss, where it is known by its
    name and line; `taken` a name of `loss.KNOWN`, where the loss is to be taken to be that; `cut` whether errors may go back some steps and
    no further."""
    begin, made, known, left = 0, list[RunVerdict](), dict[int, str](), list[str]()
    for end in ends(record):
        part = window(record, begin, end)
        agreed = made and any(row.status == "right" for row in made[0].compared)
        verdict = of_round(part, known, made[0].loss if agreed else same_as, taken, cut, later=bool(agreed))
        if agreed and verdict.loss is None:
            verdict = _of_others(part, known, verdict, cut)
        steps = [o for row in verdict.compared if row.update is not None for o in row.update.made]
        if not steps:  # a round that shows nothing ends with its updates, too
            steps = [s.made for group in found(part, ArrayNames(part, known)) for s in group if s.sure]
        left = left or reused(part, known)
        known.update(_versions(verdict))
        if steps:
            begin = max(o.stop for o in steps)
        if verdict.loss is not None:
            made.append(replace(verdict, record=part, round=len(made)))
        if verdict.verdict == "wrong":
            break
    if not made:
        return RunVerdict("undecided", None, reason=_why(record))
    whole = replace(_merged(made), rounds=tuple(made))
    if (
        whole.verdict == "wrong"
        and whole.loss is not None
        and (why := not_seen(whole.record or record, whole.loss, whole.compared))
    ):
        return replace(whole, verdict="undecided", compared=(), reason=why)
    first = made[0]
    if whole.verdict == "right" and first.record and first.loss and (zeros := by_zero(first.record, first.loss)):
        return replace(whole, verdict="wrong", compared=(*whole.compared, *zeros), record=first.record, round=0)
    if whole.verdict == "right" and first.record is not None:
        left += dropped(record, first.record, first.compared)
        left += by_a_number(first.record, first.loss) if first.loss is not None else []
    if whole.verdict == "right" and left:
        whole = replace(whole, verdict="undecided", not_compared=(*whole.not_compared, *left))
    if whole.verdict == "right":
        whole = _with_all_weights(whole, made)
    return _whole(record, whole, [row.gradient for verdict in made for row in verdict.compared])


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
    rows = tuple(_unless_it_grows(row, other.loss) for row in other.compared)
    return other if rows == other.compared else replace(other, verdict="undecided", compared=rows)


def _unless_it_grows(row: ComparedGradient, chosen: ChosenLoss) -> ComparedGradient:
    """The row of a second network's weight, not compared where its loss grows: one of two may be there to make it grow."""
    return replace(row, status="not compared", reason=GROWS.format(chosen.line)) if row.reason == ADDED else row


def _with_all_weights(verdict: RunVerdict, rounds: Sequence[RunVerdict]) -> RunVerdict:
    """A right verdict with the weights that are not stepped: right only if their gradients are, too."""
    first, later = rounds[0], rounds[1].record if len(rounds) > 1 else None
    if first.record is None or first.loss is None or not any(r.update for r in first.compared):
        return verdict
    made, left = never_stepped(first.record, later, first.loss, [*first.compared, *verdict.compared])
    told = _told(first.loss, [*verdict.compared, *made], True) if made else verdict
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
    seen, before = {row.line for row in rows}, {int(row.own[0]) for row in rows}
    first_step = min((o.start for row in rows if row.update is not None for o in row.update.made), default=0)
    for row in [r for r in rounds[1].compared if r.update is not None]:
        # what was there before the first step, and was not stepped then, is another network's
        if row.line not in seen or (int(row.own[0]) < first_step and int(row.own[0]) not in before):
            rows.append(row)
    left = tuple(f"{r.name}: {r.reason}" for r in rows if r.status == "not compared")
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


def _versions(verdict: RunVerdict) -> dict[int, str]:
    """What the results of a round's updates are called: as what they step."""
    made: dict[int, str] = {}
    for row in verdict.compared:
        if row.update is not None:
            made.update({operation.start: row.name for operation in row.update.made})
    return made


def of_round(
    record: Record,
    known: Mapping[int, str] | None = None,
    same_as: ChosenLoss | None = None,
    taken: str = "",
    cut: bool = True,
    *,
    later: bool = False,
) -> RunVerdict:
    """The verdict on one round: with the loss with which most of its updates agree. In a `later` one than the first they are all that is
    compared, if they were in the first."""
    names = ArrayNames(record, known)
    steps = found(record, names)
    if later and known:  # what came from outside since the last update is data, which may be shifted, too
        last = max(known)
        firsts = [int(group[0].levels[-1].flat[0]) for group in steps]
        steps = [s for s, n in zip(steps, firsts, strict=True) if n in known or n < last or record.maker(n) >= 0]
    made_from = loss.sources(steps)
    tried = _losses(record, made_from, taken, same_as)
    sure = [s for group in steps for s in group if s.sure]
    sure = [s for s in sure if s.by.size > 1 or not _is_of_a_loss(record, names, s.by)]
    # no step is made from the loss, and the loss is made from no step, but of a state that is added to: other steps are made from it
    used = reached(record, [RecordedArray(s.by.shape, kept=s.by) for s in sure])
    last = [s.by for s in sure if not used[s.made.start : s.made.stop].any()]
    used |= depending(record, [ids for ids in last if ids.size > 1])  # `loss -= log(p)` looks like a step
    tried = ([c for c in some if c.assumed or not used[c.ids].all()] for some in tried)
    compare: GradientRows = SteppedRows(record, steps, names)
    trusted = same_as is not None or bool(taken)
    best = _best(record, tried, compare, trusted)
    if best is not None and same_as is None and not taken:
        best = _meant(record, best, steps, compare)
    if best is not None:
        best = _with_other_losses(record, best, steps, compare)
    is_given = same_as is not None and same_as.is_given
    if best is None or ((not later or is_given) and not _score(best)[0]):
        inputs = returned.inputs(record)
        others = [c for some in _losses(record, inputs, taken, same_as) for c in some]
        others = [c for c in others if c.assumed or (NAMED.search(c.name) and not used[c.ids].all())]
        rows = returned.rows(record, names, trusted=is_given)
        other = _best(record, [others], rows, trusted)
        if other is not None and same_as is None and not taken:
            other = _meant(record, other, steps, rows)
        # where functions are called nothing need be stepped: `dW[ids] += dout` is no update, though it looks like one
        is_better = other is not None and (best is None or (_score(other), is_given) > (_score(best), False))
        if other is not None and is_better and (is_given or _score(other)[0] or not _is_stepped(best)):
            if best is not None and best.loss is not None and not is_given and _is_beside(other, best):
                best = _told(best.loss, best.compared, True)
            else:
                best, compare = _more_than_one(other), rows
    if best is not None:
        best = _with_its_penalty(record, best, steps, compare)
    if best is not None and best.verdict == "wrong" and cut:
        best = _cut(record, best, compare, trusted, later=later)
    return best or RunVerdict("undecided", None, reason=_why(record))


def _is_of_a_loss(record: Record, names: ArrayNames, number: Ids) -> bool:
    """Whether a number is a loss by its name, perhaps times a given number, as in `total += loss * len(batch)`."""
    while number.size:
        if any(NAMED.search(name) for name in names.all_of(number)):
            return True
        k = record.maker(int(number[0]))
        if k < 0 or record.operations[k].name not in ("multiply", "divide"):
            return False
        computed = [r for r in record.operations[k].operands if r.size == 1 and record.maker(r.first) >= 0]
        number = computed[0].ids().ravel() if len(computed) == 1 else number[:0]
    return False


def _is_stepped(verdict: RunVerdict | None) -> bool:
    """Whether something that is compared was surely stepped: gradients that are wrong, too, are then told by their steps alone."""
    return verdict is not None and any(row.update is not None and row.update.sure for row in verdict.compared)


def _is_beside(other: RunVerdict, stepped: RunVerdict) -> bool:
    """Whether what is right though it steps nothing is of other arrays than weights that are surely stepped by what is wrong: then it only
    shows that the loss, which the program computes, is meant."""
    wrong = [row for row in stepped.compared if row.status in ("wrong", "zero") and len(row.own) > 2]
    if stepped.loss is None or stepped.loss.assumed or not any(row.update and row.update.sure for row in wrong):
        return False
    known = {int(row.own[0]) for row in stepped.compared}
    apart = not any(row.status == "right" and int(row.own[0]) in known for row in other.compared)
    return (
        apart
        and other.loss is not None
        and (other.loss.line, other.loss.name) == (stepped.loss.line, stepped.loss.name)
    )


def _losses(
    record: Record, made_from: Sequence[NDArray[np.int32]], taken: str, same_as: ChosenLoss | None
) -> Iterator[list[ChosenLoss]]:
    """What may be the loss, the likeliest first; only the one that it is to be taken for, or that it was before (`same_as`), if it is.
    Those that the program does not compute are looked for only where they are needed."""
    if same_as is not None:
        known = loss.assumed(record, made_from) if same_as.assumed else loss.candidates(record, made_from, same_as)
        yield [c for c in known if (c.name, c.line, c.assumed) == (same_as.name, same_as.line, same_as.assumed)]
        return
    computed = loss.candidates(record, made_from) if not taken else []
    yield computed
    named = next((c for c in computed if NAMED.search(c.name)), None)
    stated = None if named is None or loss.MEASURED.search(named.name) else named
    others = [c for c in loss.assumed(record, made_from, stated) if taken in ("", c.name)]
    yield [c for c in others if named is None or loss.covers(record, c, named)]


def _more_than_one(verdict: RunVerdict) -> RunVerdict:
    """Of a network that steps nothing, one gradient is not all of them: it has weights before and after its units."""
    if verdict.verdict != "right" or sum(len(r.own) > 2 for r in verdict.compared) > 1:
        return verdict
    return replace(verdict, verdict="undecided", reason=ONLY_ONE, not_compared=(f"the other weights: {ONLY_ONE}",))


def _best(
    record: Record, tried: Iterable[Sequence[ChosenLoss]], compare: GradientRows, trusted: bool
) -> RunVerdict | None:
    """The verdict with the loss that agrees best; a loss is left as soon as it cannot agree better than one before."""
    best: RunVerdict | None = None
    for some in tried:
        made_from = reached_by_each(record, [[reference for reference, _ in c.seeds] for c in some])
        for c, chosen in enumerate(some):
            open_ = best is None or _may_be_another(best)
            least = None if best is None or open_ else _score(best)
            verdict = _with(record, chosen, (made_from & np.uint32(1 << c)) != 0, compare, least, trusted)
            if verdict is not None and (best is None or _rank(verdict) > _rank(best)):
                best = verdict
            if best is not None and best.verdict == "right" and not best.loss_doubtful and not _may_be_another(best):
                return best
    return best


def _meant(record: Record, verdict: RunVerdict, steps: Sequence[Sequence[Step]], compare: GradientRows) -> RunVerdict:
    """The verdict with another loss than the one that agrees best, where that is only a part of it or a measure beside it: one that it is a
    summand of, where weights that are stepped have a part in the whole alone, with gradients that are right for it; or one of the same
    forward pass that the program calls its loss, where it calls this one otherwise."""
    part = verdict.loss
    if verdict.verdict != "right" or part is None or part.assumed:
        return verdict
    inside = loss.forward_of(record, part)
    apart = [ids for group in steps for s in group if s.sure for ids in s.levels if not inside[ids].any()]
    beside = not loss.is_called_so(part)
    for other in loss.candidates(record, loss.sources(steps)) if apart or beside else ():
        forward = loss.forward_of(record, other)
        whole = any(forward[ids].any() for ids in apart) and loss.is_summand(record, part, other)
        if not whole and not (beside and loss.is_called_so(other) and _is_beside_it(record, part, other)):
            continue
        told = _with(record, other, forward, compare, None, trusted=True)
        if told is not None and (
            not whole or any(r.status == "right" and not inside[r.own].any() for r in told.compared)
        ):
            return told
    return verdict


def _with_other_losses(
    record: Record, verdict: RunVerdict, steps: Sequence[Sequence[Step]], compare: GradientRows
) -> RunVerdict:
    """A right verdict with the weights that another loss steps, as those of the second of two networks: they are compared with that, and
    told where they are not right for it. What is stepped towards other weights, as their running mean is, has no loss."""
    if verdict.verdict != "right" or verdict.loss is None:
        return verdict
    inside = loss.forward_of(record, verdict.loss)
    sure = [s for group in steps for s in group if s.sure and len(s.by) > 2]
    apart = [
        s for s in sure if not any(inside[ids].any() for ids in s.levels) and not _is_running_mean(record, s, sure)
    ]
    rows = {int(row.own[0]): row for row in verdict.compared}
    for other in loss.candidates(record, [s.levels[-1] for s in apart]) if apart else ():
        forward = loss.forward_of(record, other)
        if not NAMED.search(other.name) or not any(forward[ids].any() for s in apart for ids in s.levels):
            continue
        told = _with(record, other, forward, compare, None, trusted=True)
        for row in told.compared if told is not None else ():
            before, row = rows.get(int(row.own[0])), _unless_it_grows(row, other)
            if row.status in ("wrong", "zero"):
                row = replace(row, status="not compared", reason=OF_ANOTHER.format(verdict.loss.line, other.line))
            if not inside[row.own].any() and (before is None or before.status != "right"):
                rows[int(row.own[0])] = row
    left = [f"{r.name}: {r.reason}" for r in rows.values() if r.status == "not compared"]
    said = "undecided" if left else verdict.verdict
    return replace(verdict, verdict=said, compared=tuple(rows.values()), not_compared=tuple(left))


def _is_running_mean(record: Record, step: Step, steps: Sequence[Step]) -> bool:
    """Whether an array is stepped by a multiple of others that are stepped, or of their difference to it."""
    weights = {s.made.start for s in steps} | {int(ids[0]) for s in steps for ids in s.levels}
    k = record.maker(int(step.by[0]))
    operands = record.operations[k].operands if k >= 0 else ()
    inner = [record.maker(r.first) for r in operands if r.size > 1]
    operands = (*operands, *(r for m in inner if m >= 0 for r in record.operations[m].operands))
    return any(r.size > 1 and r.first in weights for r in operands)


def _is_beside_it(record: Record, one: ChosenLoss, other: ChosenLoss) -> bool:
    """Whether two losses come of one forward pass, and neither is a summand of the other."""
    forwards = [loss.forward_of(record, each) for each in (one, other)]
    if forwards[0][other.ids].any() or loss.is_summand(record, one, other):
        return False
    products = record.starts[record.operations.named(PRODUCTS)]
    ran = [forward[products] for forward in forwards]
    return bool(ran[0].any()) and np.array_equal(ran[0], ran[1])


def _with_its_penalty(
    record: Record, verdict: RunVerdict, steps: Sequence[Sequence[Step]], compare: GradientRows
) -> RunVerdict:
    """The verdict, where gradients are right but for a multiple of the weights: if the loss, or what the program calls so and this one is a
    summand of, has a penalty on the weights, that multiple is to be its derivative. One that only the step adds to what is right for the
    whole is the optimizer's."""
    added = {int(r.own[0]) for r in verdict.compared if r.walk is not None and r.walk.penalty and len(r.own) > ONE}
    if not added or verdict.loss is None or verdict.loss.assumed:
        return verdict
    weights = np.zeros(len(record.pool), bool)
    for row in verdict.compared:
        for ids in (row.own, *(row.update.levels if row.update is not None else ())):
            weights[ids] = True
    others = [c for c in loss.candidates(record, loss.sources(steps)) if NAMED.search(c.name)]
    for whole in (verdict.loss, *(c for c in others if loss.is_summand(record, verdict.loss, c))):
        parts = (part for reference, _ in whole.seeds for part in penalty.parts(record, reference.first))
        if not any(penalty.is_of_weights(record, part, weights) for part in parts):
            continue
        told = verdict
        if whole is not verdict.loss:
            told = _with(record, whole, loss.forward_of(record, whole), compare, None, trusted=True) or verdict
        bad = [r for r in told.compared if r.status == "wrong" or (r.walk is not None and r.walk.beside)]
        bad = [r for r in bad if int(r.own[0]) in added]
        rows = tuple(replace(r, status="wrong", reason=ANOTHER_PENALTY) if r in bad else r for r in told.compared)
        said = tuple(each for each in told.conventions if each != PENALTY or not bad)
        return replace(told, verdict="wrong" if bad else told.verdict, compared=rows, conventions=said)
    return verdict


def _rank(v: RunVerdict) -> tuple[Score, bool]:
    """How well a loss agrees; of several that agree as well, the one whose gradients are those of the program without a factor."""
    return _score(v), not _may_be_another(v)


def _may_be_another(v: RunVerdict) -> bool:
    """Whether a loss that is only taken for the program's gives its gradients up to a factor: with one output every loss does."""
    rows = [r for r in v.compared if len(r.own) > 2 and r.bare is not None]
    taken = v.loss is not None and bool(v.loss.assumed)
    return taken and v.verdict == "right" and not all(same(abs(r.bare.factor), 1.0) for r in rows if r.bare)


def _why(record: Record) -> str:
    if record.outcome.get("ended") == "error":
        return "the program stopped before anything could be compared"
    if record.outcome.get("ended") == "full":
        return (
            f"{len(record.pool):,} numbers were recorded, and nothing could be compared yet: --limit allows more memory"
        )
    if record.outcome.get("ended") == "singles":
        return NUMBER_BY_NUMBER
    return NO_STEPS


def _score(v: RunVerdict) -> Score:
    """How well a loss agrees with what is compared."""
    right = sum(c.status == "right" and len(c.own) > 2 for c in v.compared)
    bad = sum(c.status in ("wrong", "zero") for c in v.compared)
    return _scored(right, v.loss_doubtful, bad, len(v.compared))


def _scored(right: int, doubtful: bool, bad: int, most: int) -> Score:
    """The gradients that are right (any number is a factor times any other), the loss's name, then those that are not right. Where none is,
    the likeliest loss is not left for one that fewer weights had a part in."""
    return (right, not doubtful, -bad, most) if right else (0, not doubtful, 0, 0)


def _with(
    record: Record,
    chosen: ChosenLoss,
    forward: NDArray[np.bool_],
    compare: GradientRows,
    least: Score | None,
    trusted: bool,
) -> RunVerdict | None:
    def may_win(right: int, bad: int, most: int) -> bool:
        return least is None or _scored(right, _is_doubtful(chosen) and bad > 0, bad, most) > least

    rows = compare(chosen, lambda: loss.adjoint_of(record, chosen), forward, may_win)
    return _told(chosen, rows, trusted) if rows else None


def _is_doubtful(chosen: ChosenLoss) -> bool:
    return not chosen.assumed and not NAMED.search(chosen.name)


def _told(chosen: ChosenLoss, rows: Sequence[ComparedGradient], trusted: bool) -> RunVerdict:
    rows, conventions = one_factor(rows, chosen)
    if chosen.assumed:
        conventions.append(f"the loss was taken to be {chosen.assumed}")
    left = [f"{r.name}: {r.reason}" for r in rows if r.status == "not compared"]
    bad, good = any(r.status in ("wrong", "zero") for r in rows), any(r.status == "right" for r in rows)
    verdict = "wrong" if bad else "right" if good and not left else "undecided"
    if verdict == "right" and all(len(r.own) <= 2 for r in rows):
        verdict, left = "undecided", [f"{r.name}: any number is a factor times any other" for r in rows]
    sound = any(r.status == "right" and len(r.own) > 2 for r in rows)
    if bad and not sound and not trusted and (chosen.assumed or _is_doubtful(chosen)):
        verdict = "undecided"
    if verdict == "right" and any(r.reason == ADDED for r in rows):
        verdict = "wrong"
    doubtful = _is_doubtful(chosen) and not (verdict == "right" and _are_its_own(rows))
    return RunVerdict(verdict, chosen, tuple(rows), tuple(conventions), tuple(left), loss_doubtful=doubtful)


def _are_its_own(rows: Sequence[ComparedGradient]) -> bool:
    """Whether the gradients of several arrays are those of a computed number as it is: then it is the loss, whatever it is called."""
    factors = [r.bare.factor for r in rows if len(r.own) > 2 and r.bare is not None]
    return len(factors) > 1 and all(same(abs(factor), 1.0) for factor in factors)


def _cut(record: Record, verdict: RunVerdict, compare: GradientRows, trusted: bool, *, later: bool) -> RunVerdict:
    """The verdict, if some gradients are right and the others are what they should be where errors go back some steps
    and no further, or to where their window begins."""
    wrong = [r for r in verdict.compared if r.status in ("wrong", "zero")]
    chosen = verdict.loss
    if chosen is None or not wrong or not any(r.status == "right" and len(r.own) > 2 for r in verdict.compared):
        return verdict
    forward = loss.forward_of(record, chosen)
    one = min(wrong, key=lambda r: (len(r.own) <= 2, len(r.own)))
    weights = [r.own for r in verdict.compared if len(r.own) > 2]
    gradients = [r.gradient for r in verdict.compared]

    def told(shorter: Floats) -> RunVerdict | None:
        """What is said where dL/d(every number) is so cut; None where that is not what all gradients are."""
        matches = (compared(record.pool[ids], shorter[one.own]) for ids in one.made_of())
        if not any(m is not None and m.right for m in matches):
            return None
        made = compare(chosen, lambda: shorter, forward, always)
        found = _told(chosen, made, trusted) if made is not None and len(made) == len(verdict.compared) else None
        return None if found is None or found.verdict == "wrong" else found

    for steps, shorter, is_choice in shortened(record, chosen.seeds, weights, forward, gradients, later=later):
        if (steps and not is_choice) or (found := told(shorter)) is None:
            continue
        if not is_choice:  # a mistake where it is not meant, and all that is wrong
            return replace(verdict, conventions=(*verdict.conventions, AS_GIVEN))
        said = f"errors are carried back {steps} steps and no further" if steps else GIVEN
        return replace(found, conventions=(*found.conventions, said))
    inside = in_windows(record, chosen.seeds, weights, forward, gradients)
    if inside is not None and (found := told(inside)) is not None:
        return replace(found, conventions=(*found.conventions, IN_WINDOWS))
    return verdict
