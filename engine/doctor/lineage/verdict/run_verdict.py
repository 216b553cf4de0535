"""The verdict with one loss, and how well that loss agrees with what is compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.doctor.lineage.gradients.comparison import ComparedGradient
from engine.doctor.lineage.gradients.stepped import MayWin
from engine.doctor.lineage.record.carry_back import reached_by_each
from engine.doctor.lineage.record.matching import same
from engine.doctor.lineage.record.reading import Floats, Record
from engine.doctor.lineage.the_loss import loss
from engine.doctor.lineage.the_loss.loss import NAMED, ChosenLoss
from engine.doctor.lineage.verdict.factors import ADDED, one_factor

Score = tuple[int, bool, int, int]
GradientRows = Callable[[ChosenLoss, Callable[[], Floats], NDArray[np.bool_], MayWin], list[ComparedGradient] | None]
"""What is compared with what, for a loss, dL/d(every number), and which numbers it was made from; None where it cannot win."""


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


def best_of(
    record: Record, tried: Iterable[Sequence[ChosenLoss]], compare: GradientRows, trusted: bool
) -> RunVerdict | None:
    """The verdict with the loss that agrees best; a loss is left as soon as it cannot agree better than one before."""
    best: RunVerdict | None = None
    for some in tried:
        made_from = reached_by_each(record, [[reference for reference, _ in c.seeds] for c in some])
        for c, chosen in enumerate(some):
            open_ = best is None or _may_be_another(best)
            least = None if best is None or open_ else score(best)
            verdict = with_loss(record, chosen, (made_from & np.uint32(1 << c)) != 0, compare, least, trusted)
            if verdict is not None and (best is None or _rank(verdict) > _rank(best)):
                best = verdict
            if best is not None and best.verdict == "right" and not best.loss_doubtful and not _may_be_another(best):
                return best
    return best


def _rank(v: RunVerdict) -> tuple[Score, bool]:
    """How well a loss agrees; of several that agree as well, the one whose gradients are those of the program without a factor."""
    return score(v), not _may_be_another(v)


def _may_be_another(v: RunVerdict) -> bool:
    """Whether a loss that is only taken for the program's gives its gradients up to a factor: with one output every loss does."""
    rows = [r for r in v.compared if len(r.own) > 2 and r.bare is not None]
    taken = v.loss is not None and bool(v.loss.assumed)
    return taken and v.verdict == "right" and not all(same(abs(r.bare.factor), 1.0) for r in rows if r.bare)


def score(v: RunVerdict) -> Score:
    """How well a loss agrees with what is compared."""
    right = sum(c.status == "right" and len(c.own) > 2 for c in v.compared)
    bad = sum(c.status in ("wrong", "zero") for c in v.compared)
    return _scored(right, v.loss_doubtful, bad, len(v.compared))


def _scored(right: int, doubtful: bool, bad: int, most: int) -> Score:
    """The gradients that are right (any number is a factor times any other), the loss's name, then those that are not right. Where none is,
    the likeliest loss is not left for one that fewer weights had a part in."""
    return (right, not doubtful, -bad, most) if right else (0, not doubtful, 0, 0)


def with_loss(
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
    return verdict_of(chosen, rows, trusted) if rows else None


def _is_doubtful(chosen: ChosenLoss) -> bool:
    return not chosen.assumed and not NAMED.search(chosen.name)


def verdict_of(chosen: ChosenLoss, rows: Sequence[ComparedGradient], trusted: bool) -> RunVerdict:
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
