"""Names of lines with a factor too few or too many."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from engine.doctor.lineage.record.derivatives import PRODUCTS
from engine.doctor.lineage.record.matching import same
from engine.doctor.lineage.record.reading import RecordedOperation
from engine.doctor.mending.naming.correction import Correction
from engine.doctor.mending.naming.scales import of_factor, scale_name
from engine.doctor.recording.calls.guesses import RATE


def of_missing_factor(c: Correction) -> str:
    roles = c.roles
    if c.mended.count(" / ") > c.old.count(" / ") and c.verdict is not None and not c.added:
        factors = [
            r.bare.factor for r in c.verdict.compared if r.bare is not None and r.bare.right and r.status == "wrong"
        ]
        return of_factor(c, factors[0]) if factors else ""
    more = len(_SLOPE.findall(c.mended)) > len(_SLOPE.findall(c.old))
    if roles is None or not c.added:
        return "activation-derivative-missing" if more else of_scale(c)
    weights = [w for r in c.added if (w := roles.weight(r)) is not None]
    if weights:
        return "wa-not-applied" if weights[0].recurrent else ""
    if (roles if c.after is None else roles.of(c.after)).are_mask(c.added):
        return "mask-forgotten" if not more else "activation-derivative-missing"
    return "activation-derivative-missing" if more else ""


_SLOPE = re.compile(r"1 - [^()+]*\*\* ?2|\*\* ?2|> 0|\* \(1 - ")


def of_dropped_factor(c: Correction) -> str:
    roles = c.roles
    if roles is not None and c.before:
        old, new = _products(c.before), _products(c.corrected)
        if c.after is not None and old > new and any(w.recurrent for w in c.weights):
            return "wa-applied-twice"
    return of_scale(c) or of_number(c) or "factor-too-many"


def _products(operations: Sequence[RecordedOperation]) -> int:
    return sum(o.name in PRODUCTS for o in operations)


def of_scale(c: Correction) -> str:
    """A number that the whole is multiplied by."""
    if c.roles is None:
        return "averaged-over-time" if _COUNT.search(c.old) and not _COUNT.search(c.mended) else ""
    if (c.removed or c.added) and c.corrected:  # where the line only hands on, all that it read is removed
        return ""
    return scale_name(c) or of_number(c)


def of_number(c: Correction) -> str:
    """What a gradient is multiplied by that is right otherwise: the number of steps, of samples, or the rate of the updates."""
    if c.verdict is None:
        return ""
    wrong = [c.row] if c.row is not None else [r for r in c.verdict.compared if r.status == "wrong"]
    factors = [r.bare.factor for r in wrong if r.bare is not None and r.bare.right]
    if not factors or not all(same(f, factors[0]) for f in factors):
        return ""
    others = [r.bare.factor for r in c.verdict.compared if r.status == "right" and r.bare is not None]
    return of_factor(c, factors[0] / (others[0] if others else 1.0)) or _rate(c)


def _rate(c: Correction) -> str:
    """Whether what is left out is called as rates of updates are."""
    old, mended = ({n.id for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Name)} for text in (c.old, c.mended))
    return "learning-rate-in-gradient" if any(RATE.match(name) for name in old - mended) else ""


_COUNT = re.compile(r"/ (?:\(?len\(|T\b|n_?steps|seq|steps|time)", re.I)
