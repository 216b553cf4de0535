"""The catalogue's mistakes planted into every style, one at a time and in pairs, and the table of how they are named and placed."""

from __future__ import annotations

import numpy as np

from engine.doctor.reference.problem import Problem
from tests.engine.doctor.problems import Measurement, make_problem
from tests.engine.doctor.styles import STYLES
from tests.engine.doctor.styles.style import Planted, Style, plant, plant_both, run

TOLERANCE = 1e-9


def singles(style: Style) -> list[Planted]:
    """Every mistake that the style can have, by itself."""
    return [plant(style, id, edits) for id, ways in style.plants.items() for edits in ways]


def sampled_singles() -> list[Planted]:
    """Every mistake once, each time in another style."""
    found: dict[str, Planted] = {}
    for number, id in enumerate(sorted({id for style in STYLES for id in style.plants})):
        able = [style for style in STYLES if style.plants.get(id)]
        style = able[number % len(able)]
        found[id] = plant(style, id, style.plants[id][-1])
    return list(found.values())


def pairs(style: Style, number: int, seed: int = 0) -> list[Planted]:
    """A sample of two mistakes at once, neither of which hides the other."""
    rng = np.random.default_rng(seed)
    ids = [id for id, ways in style.plants.items() if ways and id != "gradients-not-reset"]
    found: list[Planted] = []
    while len(found) < number:
        first, second = (ids[n] for n in sorted(rng.choice(len(ids), 2, replace=False)))
        edits = (first, style.plants[first][0]), (second, style.plants[second][0])
        planted = plant_both(style, *edits)
        if planted and not any(_same(style, planted, plant(style, *alone)) for alone in edits):
            found.append(planted)
    return found


def _same(style: Style, one: Planted, other: Planted) -> bool:
    """Whether two programs cannot be told apart by what they return."""
    problem = problem_of(style)
    first, second = run(style, one.source)(problem), run(style, other.source)(problem)
    if first.error or second.error or not np.allclose(first.loss or 0, second.loss or 0, equal_nan=True):
        return bool(first.error)
    return all(np.allclose(value, second.gradients[n], rtol=1e-9, atol=1e-12) for n, value in first.gradients.items())


def problem_of(style: Style, **sizes: int) -> Problem:
    """A problem that the style's program solves."""
    return style.prepared(make_problem(**{**style.problem, **sizes}))


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
