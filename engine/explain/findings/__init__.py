"""Automatic findings: what is wrong with an iteration, each a sentence and a place to jump to.

Everything follows from the tape and the equations, so it holds for every cell. The thresholds stand, with their
reasons, in the modules that use them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from engine.debug.debugger import Debugger
from engine.explain.findings.base import Finding, Kind, Scene, Severity
from engine.explain.findings.flows import exploding, truncated, vanishing
from engine.explain.findings.inputs import ids, input_scale, padding
from engine.explain.findings.non_finite import non_finite
from engine.explain.findings.outputs import equal_predictions
from engine.explain.findings.units import dead, saturated
from engine.explain.findings.updates import clipped, one_sided, update_sizes, zero_gradients
from engine.recording.plan import Plan

__all__ = ["Finding", "Kind", "Severity", "findings", "first_seen", "quick"]

QUICK_BYTES = 4 << 20
QUICK_STEPS = 50

_LOOKED_FOR = (
    non_finite, input_scale, dead, exploding, vanishing, zero_gradients, saturated, update_sizes, equal_predictions,
    clipped, truncated, one_sided, padding, ids,
)  # fmt: skip
"""Causes before effects: what is not finite or dead explains what comes after it."""


def findings(debugger: Debugger, iteration: int, spell: Callable[[str], str] = str) -> list[Finding]:
    """What is wrong or worth knowing in an iteration, the serious things first; `spell` writes names in a notation."""
    scene = Scene(debugger, iteration, spell)
    with np.errstate(all="ignore"):  # overflow is one of the things looked for
        results = [finding for look in _LOOKED_FOR for finding in look(scene)]
    return sorted(results, key=lambda finding: not finding.serious)


def quick(plan: Plan) -> bool:
    """Whether the findings take hardly longer than drawing a screen: few numbers, and no loss to carry back through many steps."""
    return plan.nbytes() <= QUICK_BYTES and (plan.network.predict == "last" or plan.steps <= QUICK_STEPS)


def first_seen(
    debugger: Debugger, iterations: Iterable[int], spell: Callable[[str], str] = str
) -> Iterator[tuple[int, Finding]]:
    """The findings of several iterations, with the iteration; each kind for each quantity only where it comes up first. `spell` writes
    names in a notation."""
    seen: set[tuple[str, str, str]] = set()
    for iteration in iterations:
        for finding in findings(debugger, iteration, spell):
            key = finding.kind, finding.quantity, finding.severity
            if key not in seen:
                seen.add(key)
                yield iteration, finding
