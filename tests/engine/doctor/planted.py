"""The catalogue's mistakes planted into every style, one at a time and in pairs, and the table of how they are named and placed."""

from __future__ import annotations

import numpy as np

from engine.doctor.problem import Measurement, Problem, make_problem
from tests.engine.doctor.styles import STYLES
from tests.engine.doctor.styles.style import Planted, Style, plant, plant_both, run

TOLERANCE = 1e-9


def singles(style: Style) -> list[Planted]:
    """Every mistake that the style can have, by itself."""
    return [plant(style, id, edits) for id, ways in style.plants.items() for edits in ways]


def pairs(style: Style, number: int, seed: int = 0) -> list[Planted]:
    """A sample of two mistakes at once."""
    rng = np.random.default_rng(seed)
    ids = [id for id, ways in style.plants.items() if ways]
    found: list[Planted] = []
    while len(found) < number:
        first, second = (ids[n] for n in sorted(rng.choice(len(ids), 2, replace=False)))
        edits = style.plants[first][0], style.plants[second][0]
        if planted := plant_both(style, (first, edits[0]), (second, edits[1])):
            found.append(planted)
    return found


def problem_of(style: Style, **sizes: int) -> Problem:
    """A problem that the style's program solves."""
    return make_problem(**{**style.problem, **sizes})


def differs(planted: Planted, style: Style) -> str:
    """ "" when a planted program runs and its result, of the first call or of the second, is not right; else why not."""
    problem = problem_of(style)
    measure = run(style, planted.source)
    for measured in (measure(problem), measure(problem)):
        if measured.error:
            return measured.error
        if not right(measured, problem):
            return ""
    return "right here"


def right(measured: Measurement, problem: Problem) -> bool:
    """Whether loss and gradients are the reference's."""
    reference = problem.tape
    if measured.loss is not None and not np.isclose(measured.loss, reference.loss, rtol=TOLERANCE):
        return False
    scale = max(np.abs(value).max() for value in reference.gradients.values())
    return all(
        np.shape(value) == reference.gradients[name].shape
        and np.abs(value - reference.gradients[name]).max() <= TOLERANCE * scale
        for name, value in measured.gradients.items()
    )


__all__ = ["STYLES", "differs", "pairs", "problem_of", "singles"]
