"""The verdict on one round of a run: with the loss with which most of what was stepped, or came back, agrees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.doctor.lineage.gradients import returned
from engine.doctor.lineage.gradients.inputs import inputs
from engine.doctor.lineage.gradients.stepped import SteppedRows, always
from engine.doctor.lineage.record.array_names import ArrayNames
from engine.doctor.lineage.record.carry_back import depending, reached
from engine.doctor.lineage.record.matching import compared
from engine.doctor.lineage.record.moved import moved_for_a_check
from engine.doctor.lineage.record.reading import Floats, Ids, Record, RecordedArray
from engine.doctor.lineage.record.updates import found
from engine.doctor.lineage.the_loss import loss
from engine.doctor.lineage.the_loss.loss import NAMED, ChosenLoss
from engine.doctor.lineage.the_loss.truncation import in_windows, most_steps, shortened
from engine.doctor.lineage.verdict.meant import meant, with_its_penalty, with_other_losses
from engine.doctor.lineage.verdict.run_verdict import GradientRows, RunVerdict, best_of, score, verdict_of
from engine.doctor.recording.tracing.store import EVENTS, SINGLES

AS_GIVEN = "all are right if the state of the step before is taken as given"
GIVEN = "the state of the step before is taken as given: no error is carried back to it"
SOME_STEPS = "errors are carried back {} steps and no further"
IN_WINDOWS = "errors are carried back to where each window of steps begins, and no further"
NOT_SO_FAR = (
    "errors may go back some steps on purpose: with {:,} recorded numbers no more than {} are tried. "
    "Fewer units, steps or samples show the same mistakes"
)
TINY = float(np.finfo(float).tiny)
NUMBER_BY_NUMBER = (
    f"it computes number by number, and no update was seen in the first {SINGLES:,}: no more of them are followed. "
    "Fewer units, steps or samples show the same mistakes"
)
CROWDED = (
    f"{EVENTS:,} values were seen, and nothing could be compared yet: fewer samples or steps show the same mistakes"
)
FULL = {"singles": NUMBER_BY_NUMBER, "events": CROWDED}
"""By what limit a recording ended before anything could be compared."""
CHECKED = (
    "it computes only losses of weights that it moves one by one, as a check of gradients does: of which loss those are that it makes "
    "before is not seen"
)
NO_STEPS = "no loss was seen that is made from weights which the program steps, or whose gradients it returns"
ONLY_ONE = "only one gradient was found"


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
    sure = [s for group in steps for s in group if s.sure]
    sure = [s for s in sure if s.by.size > 1 or not _is_of_a_loss(record, names, s.by)]
    # no step is made from the loss, and the loss is made from no step, but of a state that is added to: other steps are made from it
    used = reached(record, [RecordedArray(s.by.shape, kept=s.by) for s in sure])
    last = [s.by for s in sure if not used[s.made.start : s.made.stop].any()]
    used |= depending(record, [ids for ids in last if ids.size > 1])  # `loss -= log(p)` looks like a step
    several = [s for group in steps if sum(len(s.by) for s in group if s.sure) > 1 for s in group if s.sure]
    inner = reached(record, [RecordedArray(s.by.shape, kept=s.by) for s in several])
    results = [np.arange(s.made.start, s.made.stop, dtype=np.int32) for s in several]
    stepped = depending(record, [ids for ids in results if not inner[ids].any()])
    tried = _losses(record, made_from, taken, same_as, stepped)
    tried = ([c for c in some if c.assumed or not used[c.ids].all()] for some in tried)
    compare: GradientRows = SteppedRows(record, steps, names)
    trusted = same_as is not None or bool(taken)
    best = best_of(record, tried, compare, trusted)
    if best is not None and same_as is None and not taken:
        best = meant(record, best, steps, compare)
    if best is not None:
        best = with_other_losses(record, best, steps, compare)
    is_given = same_as is not None and same_as.is_given
    if best is None or ((not later or is_given) and not score(best)[0]):
        others = [c for some in _losses(record, inputs(record), taken, same_as) for c in some]
        others = [c for c in others if c.assumed or (NAMED.search(c.name) and not used[c.ids].all())]
        rows = returned.rows(record, names, trusted=is_given)
        other = best_of(record, [others], rows, trusted)
        if other is not None and same_as is None and not taken:
            other = meant(record, other, steps, rows)
        # where functions are called nothing need be stepped: `dW[ids] += dout` is no update, though it looks like one
        is_better = other is not None and (best is None or (score(other), is_given) > (score(best), False))
        if other is not None and is_better and (is_given or score(other)[0] or not _is_stepped(best)):
            if best is not None and best.loss is not None and not is_given and _is_beside(other, best):
                best = verdict_of(best.loss, best.compared, True)
            else:
                best, compare = _more_than_one(other), rows
    if best is not None:
        best = with_its_penalty(record, best, steps, compare)
    if best is not None and best.verdict == "wrong" and cut:
        best = _cut(record, best, compare, trusted, later=later)
    return best or RunVerdict("undecided", None, reason=why_undecided(record))


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
    record: Record,
    made_from: Sequence[NDArray[np.int32]],
    taken: str,
    same_as: ChosenLoss | None,
    stepped: NDArray[np.bool_] | None = None,
) -> Iterator[list[ChosenLoss]]:
    """What may be the loss, the likeliest first; only the one that it is to be taken for, or that it was before (`same_as`), if it is.
    Those that the program does not compute are looked for only where they are needed. What was made from what is `stepped` belongs to the
    next round."""
    if same_as is not None:
        known = (
            loss.assumed(record, made_from) if same_as.assumed else loss.candidates(record, made_from, same_as, stepped)
        )
        yield [c for c in known if (c.name, c.line, c.assumed) == (same_as.name, same_as.line, same_as.assumed)]
        return
    computed = loss.candidates(record, made_from, None, stepped) if not taken else []
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


def _cut(record: Record, verdict: RunVerdict, compare: GradientRows, trusted: bool, *, later: bool) -> RunVerdict:
    """The verdict, if some gradients are right and the others are what they should be where errors go back some steps
    and no further, or to where their window begins. Where that is so of some of these alone, the others are wrong beside it."""
    wrong = [r for r in verdict.compared if r.status in ("wrong", "zero")]
    chosen = verdict.loss
    if chosen is None or not wrong or not any(r.status == "right" and len(r.own) > 2 for r in verdict.compared):
        return verdict
    forward = loss.forward_of(record, chosen)
    weights = [r.own for r in verdict.compared if len(r.own) > 2]
    gradients = [r.gradient for r in verdict.compared]
    one = min(wrong, key=lambda r: (len(r.own) <= 2, len(r.own)))
    several = [r for r in sorted(wrong, key=lambda r: len(r.own)) if len(r.own) > 2] or [one]
    in_part: list[tuple[int, RunVerdict]] = []

    def told(shorter: Floats, said: str = "") -> RunVerdict | None:
        """What is said where dL/d(every number) is so cut; None where that is not what all gradients are."""
        matches = (compared(record.pool[ids], shorter[row.own]) for row in several for ids in row.made_of())
        if not any(m is not None and m.right for m in matches):
            return None
        made = compare(chosen, lambda: shorter, forward, always)
        found = verdict_of(chosen, made, trusted) if made is not None and len(made) == len(verdict.compared) else None
        if found is None or found.verdict != "wrong":
            return found
        left = sum(r.status in ("wrong", "zero") for r in found.compared)
        if said and left < len(wrong):
            in_part.append((left, replace(found, conventions=(*found.conventions, said))))
        return None

    most, lacking = 0, one.right
    for steps, shorter, is_choice in shortened(record, chosen.seeds, weights, forward, gradients, later=later):
        most, lacking = steps + 1, one.right - shorter[one.own]
        said = SOME_STEPS.format(steps) if steps else GIVEN
        if (steps and not is_choice) or (found := told(shorter, said if steps else "")) is None:
            continue
        if not is_choice:  # a mistake where it is not meant, and all that is wrong
            return replace(verdict, conventions=(*verdict.conventions, AS_GIVEN))
        return replace(found, conventions=(*found.conventions, said))
    inside = in_windows(record, chosen.seeds, weights, forward, gradients)
    if inside is not None and (found := told(inside)) is not None:
        return replace(found, conventions=(*found.conventions, IN_WINDOWS))
    if in_part:
        return min(in_part, key=lambda each: each[0])[1]
    if most and most == most_steps(record) and _is_nearer(record.pool[one.gradient], one.right, lacking):
        return replace(verdict, verdict="undecided", compared=(), reason=NOT_SO_FAR.format(len(record.pool), most - 1))
    return verdict


def _is_nearer(gradient: Floats, right: Floats, left: Floats) -> bool:
    """Whether a gradient, but for its factor, lacks less of what is right than `left`: it may go back further."""
    gradient, right = gradient.ravel(), right.ravel()
    factor = float(gradient @ right) / max(float(right @ right), TINY)
    return float(np.linalg.norm(gradient - factor * right)) < abs(factor) * float(np.linalg.norm(left))


def why_undecided(record: Record) -> str:
    if record.outcome.get("ended") == "error":
        return "the program stopped before anything could be compared"
    if record.outcome.get("ended") == "full":
        return (
            f"{len(record.pool):,} numbers were recorded, and nothing could be compared yet: --limit allows more memory"
        )
    if record.outcome.get("ended") in FULL:
        return FULL[record.outcome["ended"]]
    return CHECKED if moved_for_a_check(record).any() else NO_STEPS
