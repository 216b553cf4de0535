"""Which reading of a program is meant where none makes its gradients right: the one in which a mistake of the catalogue explains them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from engine.doctor.mistakes.naming import is_single
from engine.doctor.recognise.layout_search import Trial
from engine.doctor.recognise.reduction import Scale, find_scale
from engine.doctor.recognise.subject import Subject
from engine.doctor.reference.reductions import scales
from engine.doctor.reference.values import Reference
from engine.doctor.run import clock

SECONDS = 1.2


def likeliest(trial: Trial, subject_of: Callable[[Trial], Subject]) -> tuple[Trial, bool]:
    """The trial itself when its gradients are right or a single mistake explains them, else the next best that one explains; and whether
    there is such a one."""
    if trial.agrees or not trial.others:
        return trial, trial.agrees
    deadline = clock.now() + SECONDS
    for other in sorted((trial, *trial.others), key=lambda each: each.rank, reverse=True):
        if clock.now() > deadline:
            break
        if other.done and _is_explained(other, subject_of(other)):
            return other, True
    return trial, False


def _is_explained(trial: Trial, subject: Subject) -> bool:
    problem, run = trial.problem, trial.run
    if problem is None or run is None or "y" not in trial.recipe.given:
        return False
    measured = subject.measurement(problem, run)
    scale = find_scale(problem, run, measured, Reference(problem), trial.layout.single)
    return _explaining(trial, subject, scale) is not None


def scale_of(trial: Trial, subject: Subject, found: Scale) -> Scale:
    """The scale found by the loss; where none is found, or the loss is none of the right ones, the one with which a single mistake explains
    all."""
    return _explaining(trial, subject, found) or found


def _explaining(trial: Trial, subject: Subject, found: Scale) -> Scale | None:
    problem, run = trial.problem, trial.run
    assert problem is not None and run is not None
    is_known = found.loss_agrees and found.source != "nothing"
    others = {} if is_known else scales(problem, trial.layout.single)
    for scale in (
        found,
        *(replace(found, factor=factor, words=words, source="loss") for factor, words in others.items()),
    ):
        subject.scale, subject.unit = scale.factor, scale.words
        if is_single(subject.measurement(problem, run), problem):
            return scale
    return None
