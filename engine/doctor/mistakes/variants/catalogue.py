"""The mistakes that the reference can compute, and where each is to be looked for.

Each is one or more executable variants of the reference: edits of its lines' trees where the mistake is one line, edits of what is
stored, of the loop or of the sums where it is about samples, order, aliasing or state between calls.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

from engine.doctor.mistakes.variants import of_the_loop, of_the_readout, of_the_sums
from engine.doctor.mistakes.variants.tree_edits import Setting, Variation
from engine.model.blocks import Line
from engine.model.program import Program

VariantPlace = Literal["line", "loop", "missing", "forward"]


@dataclass(frozen=True)
class PlacedVariant:
    """Where a mistake is to be looked for.

    `quantity` is what the concerned line of the reference writes ("back": what flows to the step before); "" where it depends on which
    gradients are wrong. `place` says whether the line is wrong, the loop, something missing after that line, or the forward pass.
    """

    quantity: str = ""
    place: VariantPlace = "line"


PLACED: dict[str, PlacedVariant] = {
    "delta-sign": PlacedVariant("dlogits"),
    "delta-without-target": PlacedVariant("dlogits"),
    "delta-before-softmax": PlacedVariant("dlogits"),
    "softmax-jacobian-diagonal": PlacedVariant("dlogits"),
    "mse-delta-with-cross-entropy": PlacedVariant("dlogits"),
    "softmax-wrong-axis": PlacedVariant("p", "forward"),
    "output-activation-twice": PlacedVariant("p", "forward"),
    "batch-not-averaged": PlacedVariant(),
    "batch-averaged-twice": PlacedVariant(),
    "dwy-wrong-state": PlacedVariant("dWy"),
    "activation-derivative-missing": PlacedVariant("dz"),
    "activation-derivative-of-another": PlacedVariant("dz"),
    "tanh-derivative-of-activation": PlacedVariant("dz"),
    "tanh-derivative-misplaced-square": PlacedVariant("dz"),
    "relu-mask-from-gradient": PlacedVariant("dz"),
    "relu-value-for-mask": PlacedVariant("dz"),
    "activation-derivative-wrong-step": PlacedVariant("dz"),
    "activation-derivative-some-steps": PlacedVariant("dz"),
    "relu-mask-at-zero": PlacedVariant("dz"),
    # Before recurrence-dropped, which computes the same on every-step outputs.
    "future-gradient-dropped": PlacedVariant("da", "missing"),
    "recurrence-dropped": PlacedVariant("back", "missing"),
    "wa-not-transposed": PlacedVariant("back"),
    "wa-applied-twice": PlacedVariant("back"),
    "wa-not-applied": PlacedVariant("back"),
    "recurrence-skips-derivative": PlacedVariant("back"),
    "scaled-every-step": PlacedVariant("back"),
    "carry-not-reset": PlacedVariant("back"),
    "output-gradient-every-step": PlacedVariant("back"),
    "output-gradient-dropped": PlacedVariant("da", "missing"),
    "time-order-forward": PlacedVariant("back", "loop"),
    "loop-over-wrong-axis": PlacedVariant("back", "loop"),
    "weights-updated-during-backward": PlacedVariant("back"),
    "first-step-skipped": PlacedVariant("back", "loop"),
    "last-step-skipped": PlacedVariant("back", "loop"),
    "truncated-early": PlacedVariant("back", "loop"),
    "overwritten-not-accumulated": PlacedVariant(),
    "averaged-over-time": PlacedVariant(),
    "dwa-uses-current-state": PlacedVariant("dWa"),
    "dwa-uses-preactivation": PlacedVariant("dWa"),
    "dwx-wrong-step": PlacedVariant("dWx"),
    "initial-state-wraps": PlacedVariant("dWa"),
    "initial-state-ignored": PlacedVariant("dWa"),
    "dwa-transposed": PlacedVariant("dWa"),
    "last-sample-only": PlacedVariant("a", "forward"),
    "batch-means-multiplied": PlacedVariant(),
    "bias-gradient-not-summed": PlacedVariant(),
    "gradients-not-reset": PlacedVariant(),
    "clipped-per-step": PlacedVariant("back"),
    "learning-rate-in-gradient": PlacedVariant(),
    "state-aliased": PlacedVariant("a", "forward"),
    "probabilities-overwritten": PlacedVariant("dlogits"),
    "initial-state-gradient-missing": PlacedVariant(),
}

RANKS = {id: rank for rank, id in enumerate(PLACED)}
"""Of mistakes that compute the same, the first is reported."""


@cache
def variations(setting: Setting) -> tuple[Variation, ...]:
    """Every executable variant that a setting admits, those of the catalogue's first mistakes first, usual ways before unusual ones."""
    found = [
        *of_the_readout.variations(setting),
        *of_the_loop.variations(setting),
        *of_the_sums.variations(setting),
    ]
    return tuple(sorted(found, key=lambda variation: (RANKS[variation.id], variation.rank)))


def concerned(id: str, program: Program, parameters: tuple[str, ...] = ()) -> str:
    """The quantity whose line a mistake concerns: `da (row t-1)`, `dWa`, `dlogits`; `parameters` are those whose gradients are wrong."""
    quantity = PLACED[id].quantity
    if quantity == "back":
        return f"{_back(program).equation.target} (row t-1)"
    if quantity:
        return quantity
    # One source for all that is wrong is the delta; else the first wrong gradient's own line.
    return "dlogits" if len(parameters) > 3 or not parameters else f"d{parameters[0]}"


def _back(program: Program) -> Line:
    return next(line for line in program.lines if line.equation.step < 0)
