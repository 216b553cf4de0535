"""Which reading of a program is meant where none makes its gradients right: the one in which a mistake of the catalogue explains them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from engine.doctor.mistakes.variants.naming import is_single
from engine.doctor.recognise.layout_search import CallAttempt
from engine.doctor.recognise.program_under_test import ProgramUnderTest
from engine.doctor.recognise.reduction import Scale, find_scale
from engine.doctor.reference.reductions import scales
from engine.doctor.reference.values import Reference
from engine.doctor.run import clock

SECONDS = 1.2


def likeliest(
    attempt: CallAttempt, under_test_of: Callable[[CallAttempt], ProgramUnderTest]
) -> tuple[CallAttempt, bool]:
    """The trial itself when its gradients are right or a single mistake explains them, else the next best that one explains; and whether
    there is such a one."""
    if attempt.agrees or not attempt.others:
        return attempt, attempt.agrees
    deadline = clock.now() + SECONDS
    for other in sorted((attempt, *attempt.others), key=lambda each: each.rank, reverse=True):
        if clock.now() > deadline:
            break
        if other.done and _is_explained(other, under_test_of(other)):
            return other, True
    return attempt, False


def _is_explained(attempt: CallAttempt, tested: ProgramUnderTest) -> bool:
    problem, run = attempt.problem, attempt.run
    if problem is None or run is None or "y" not in attempt.recipe.given:
        return False
    measured = tested.measurement(problem, run)
    scale = find_scale(problem, run, measured, Reference(problem), attempt.layout.single)
    return _explaining(attempt, tested, scale) is not None


def scale_of(attempt: CallAttempt, tested: ProgramUnderTest, found: Scale) -> Scale:
    """The scale found by the loss; where none is found, or the loss is none of the right ones, the one with which a single mistake explains
    all."""
    return _explaining(attempt, tested, found) or found


def _explaining(attempt: CallAttempt, tested: ProgramUnderTest, found: Scale) -> Scale | None:
    problem, run = attempt.problem, attempt.run
    assert problem is not None and run is not None
    is_known = found.loss_agrees and found.source != "nothing"
    others = {} if is_known else scales(problem, attempt.layout.single)
    for scale in (
        found,
        *(replace(found, factor=factor, words=words, source="loss") for factor, words in others.items()),
    ):
        tested.scale, tested.unit = scale.factor, scale.words
        if is_single(tested.measurement(problem, run), problem):
            return scale
    return None
