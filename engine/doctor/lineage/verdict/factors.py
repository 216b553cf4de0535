"""The factors by which right gradients differ from dL/d(their weights): one of all, a rate, a clip or a penalty is a choice of the
program; another one of some is a mistake."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from engine.doctor.lineage.gradients.comparison import ComparedGradient
from engine.doctor.lineage.gradients.stepped import ONE
from engine.doctor.lineage.record.matching import common, same
from engine.doctor.lineage.the_loss.loss import NAMED, ChosenLoss

OWN_RATES, CLIPPED = "each update has a rate or a clip of its own", "gradients are clipped"
OF_UPDATES = frozenset((OWN_RATES, CLIPPED))
"""Conventions of what updates make of right gradients, which are seen only where there are some."""


def one_factor(rows: Sequence[ComparedGradient], chosen: ChosenLoss) -> tuple[list[ComparedGradient], list[str]]:
    """One common factor over all gradients is a convention, a factor on some is a mistake."""
    conventions: list[str] = []
    direct = [r for r in rows if r.status == "right" and r.match is not None]
    rows = [_of_two_numbers(row, rows) for row in rows]
    made = list(rows)
    factor = common([r.match.factor for r in direct if r.match])
    odd = [r for r in direct if r.match and factor is not None and not same(r.match.factor, factor)]
    if odd:
        alone = _reference([r.bare.factor for r in direct if r.bare])
        odd = [r for r in direct if r.bare is None or alone is None or not same(r.bare.factor, alone)]
        if not odd:
            conventions.append(OWN_RATES)
    known = any(len(r.own) > ONE for r in direct) or sum(map(_is_one, direct)) > 1
    for row in [r for r in direct if len(r.own) <= ONE]:
        limited = row in odd and row.walk is not None and row.walk.clipped
        if limited or (not known and not _is_one(row)):
            made[made.index(row)] = replace(
                row, status="not compared", reason="of a single number only the factor could be compared"
            )
            odd = [r for r in odd if r is not row]
    odd += _odd_inside(rows, direct)
    for row in odd:
        factor_ = row.bare.factor if row.bare else row.match.factor if row.match else 0.0
        made[made.index(row)] = replace(
            row, status="wrong", reason=f"it is {factor_:.4g} times dL/d(it), others are not"
        )
    walks = [
        r.walk for r in rows if r.walk is not None and r.status == "right"
    ]  # one that is wrong may be made of anything
    if any(walk.penalty for walk in walks):
        conventions.append(PENALTY)
    if any(walk.clipped for walk in walks):
        conventions.append(CLIPPED)
    steps = [r for r in direct if r.update is not None and r.match is not None and len(r.own) > ONE]
    uphill = any(r.match.factor > 0 for r in steps if r.match)
    inside = _inside(rows)
    if not steps and inside and all(r.walk is not None and r.walk.uphill for r in inside):
        steps, uphill = inside, True
    if not odd and uphill:
        conventions.append(ADDED)
        if NAMED.search(chosen.name) and not LIKELIHOOD.search(chosen.name) and not chosen.assumed:
            added = [r for r in steps if r.match is None or r.match.factor > 0]
            made = [replace(r, reason=ADDED) if r in added else r for r in made]
    return made, conventions


def _of_two_numbers(row: ComparedGradient, rows: Sequence[ComparedGradient]) -> ComparedGradient:
    """A gradient of two numbers at most that is right within a step, with the factor of the others, as right."""
    if row.status != "wrong" or row.walk is None or not row.walk.small:
        return row
    right = [r for r in rows if r.status == "right" and r.bare is not None and len(r.own) > ONE]
    factor = _reference([r.bare.factor for r in right if r.bare is not None])
    found = [(ids, match) for ids, match in row.walk.small if factor is not None and same(match.factor, factor)]
    return replace(row, status="right", match=None, gradient=found[0][0], bare=found[0][1]) if found else row


def _inside(rows: Sequence[ComparedGradient]) -> list[ComparedGradient]:
    """Gradients that were found inside an optimizer's step."""
    return [r for r in rows if r.status == "right" and r.match is None and r.walk is not None]


def _odd_inside(rows: Sequence[ComparedGradient], direct: Sequence[ComparedGradient]) -> list[ComparedGradient]:
    """Of gradients inside an optimizer's steps, which hide a factor, those that have another one than the rest."""
    inside = [r for r in _inside(rows) if r.bare is not None]
    factors = [r.bare.factor for r in (*inside, *direct) if r.bare is not None and len(r.own) > ONE]
    shared = [f for f in (_reference(factors), common(factors)) if f is not None and _count(factors, f) > 1]
    if not shared:
        return []
    most = shared[0]
    return [r for r in inside if r.bare is not None and not same(r.bare.factor, most)]


def _count(factors: Sequence[float], factor: float) -> int:
    return sum(same(f, factor) for f in factors)


def _is_one(row: ComparedGradient) -> bool:
    return row.bare is not None and same(abs(row.bare.factor), 1.0)


PENALTY = "a penalty on the weights is added to the gradient"
ADDED = "the update adds the gradient: the loss grows"
LIKELIHOOD = re.compile(r"likelihood|^ll$|reward|score|objective|^[JL]$", re.I)


def _reference(factors: Sequence[float]) -> float | None:
    """What a gradient's factor should be: 1 where some have it (the loss as it is), else the factor that most share."""
    ones = [f for f in factors if same(abs(f), 1.0)]
    return common(ones or factors)
