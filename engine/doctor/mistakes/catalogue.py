"""The catalogue: ways a backward pass goes wrong, each with its id, a title, and where it is to be looked for.

Each is one or more executable variants of the reference: edits of its lines' trees where the mistake is one line, edits of what is
stored, of the loop or of the sums where it is about samples, order, aliasing or state between calls.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

from engine.doctor.mistakes import of_the_loop, of_the_readout, of_the_sums
from engine.doctor.mistakes.tree_edits import Setting, Variation
from engine.model.program import Line, Program

MistakePlace = Literal["line", "loop", "missing", "forward"]


@dataclass(frozen=True)
class Mistake:
    """One entry of the catalogue.

    `quantity` is what the concerned line of the reference writes ("back": what flows to the step before); "" where it depends on which
    gradients are wrong. `place` says whether the line is wrong, the loop, something missing after that line, or the forward pass.
    """

    id: str
    title: str
    quantity: str = ""
    place: MistakePlace = "line"


CATALOGUE: dict[str, Mistake] = {
    mistake.id: mistake
    for mistake in (
        Mistake("delta-sign", "the output's delta has the wrong sign: target minus prediction", "dlogits"),
        Mistake("delta-without-target", "the target is not subtracted in the output's delta", "dlogits"),
        Mistake(
            "delta-before-softmax",
            "the loss' derivative with respect to the probabilities is used as if it were that of the logits",
            "dlogits",
        ),
        Mistake(
            "softmax-jacobian-diagonal",
            "of softmax's derivative only the diagonal p(1−p) is used, no cross terms",
            "dlogits",
        ),
        Mistake(
            "mse-delta-with-cross-entropy",
            "the delta is that of the squared error, the loss is cross-entropy",
            "dlogits",
        ),
        Mistake("softmax-wrong-axis", "softmax is normalised over the wrong axis", "p", "forward"),
        Mistake(
            "output-activation-twice", "the logits go through a second activation before the output", "p", "forward"
        ),
        Mistake("batch-not-averaged", "the loss is a mean over the batch, the gradient a sum"),
        Mistake("batch-averaged-twice", "divided by the batch size once too often"),
        Mistake("dwy-wrong-state", "dWy is made from another state than the one the output reads", "dWy"),
        Mistake("activation-derivative-missing", "the activation's derivative is missing", "dz"),
        Mistake("activation-derivative-of-another", "the derivative is that of another activation", "dz"),
        Mistake(
            "tanh-derivative-of-activation",
            "the activation's derivative is taken at the wrong value: of a where z is meant, or the reverse",
            "dz",
        ),
        Mistake(
            "tanh-derivative-misplaced-square", "the square is misplaced or missing: the derivative is 1 − a²", "dz"
        ),
        Mistake(
            "relu-mask-from-gradient", "ReLU's mask is taken from the gradient instead of the pre-activation", "dz"
        ),
        Mistake("relu-value-for-mask", "ReLU's value is used as its derivative", "dz"),
        Mistake("activation-derivative-wrong-step", "the activation's derivative is that of another time step", "dz"),
        Mistake("activation-derivative-some-steps", "the activation's derivative is applied at some steps only", "dz"),
        Mistake("relu-mask-at-zero", "ReLU's mask counts a pre-activation of exactly 0 as on", "dz"),
        # Before recurrence-dropped, which computes the same on every-step outputs.
        Mistake(
            "future-gradient-dropped",
            "the gradient from the next step is not added to the output's own",
            "da",
            "missing",
        ),
        Mistake("recurrence-dropped", "nothing flows back from a step to the one before", "back", "missing"),
        Mistake("wa-not-transposed", "the recurrent weights are not transposed on the way back", "back"),
        Mistake("wa-applied-twice", "the recurrent weights are applied twice a step on the way back", "back"),
        Mistake("wa-not-applied", "the recurrent weights are not applied on the way back", "back"),
        Mistake("recurrence-skips-derivative", "the flow to the step before skips the activation's derivative", "back"),
        Mistake("scaled-every-step", "the flow is divided again at every time step", "back"),
        Mistake(
            "carry-not-reset", "the flow to the step before is added to the old one instead of replacing it", "back"
        ),
        Mistake(
            "output-gradient-every-step",
            "the output's gradient is added at every step, but only the last one predicts",
            "back",
        ),
        Mistake("output-gradient-dropped", "only the last step's output passes its gradient on", "da", "missing"),
        Mistake("time-order-forward", "the backward loop runs forward in time", "back", "loop"),
        Mistake("loop-over-wrong-axis", "the loop over time steps counts samples", "back", "loop"),
        Mistake(
            "weights-updated-during-backward", "the recurrent weights change while the gradient still flows", "back"
        ),
        Mistake("first-step-skipped", "the backward loop stops before the first step", "back", "loop"),
        Mistake("last-step-skipped", "the backward loop leaves the last step out", "back", "loop"),
        Mistake("truncated-early", "the backward loop stops before it has reached the first step", "back", "loop"),
        Mistake("overwritten-not-accumulated", "the gradient is overwritten where it should be added up"),
        Mistake("averaged-over-time", "the gradient is divided by the number of time steps"),
        Mistake(
            "dwa-uses-current-state", "dWa is made from the state of the same step instead of the one before", "dWa"
        ),
        Mistake("dwa-uses-preactivation", "dWa is made from the pre-activation instead of the state", "dWa"),
        Mistake("dwx-wrong-step", "dWx is made from the input of another time step", "dWx"),
        Mistake("initial-state-wraps", "at the first step, index −1 takes the last state for the initial one", "dWa"),
        Mistake("initial-state-ignored", "the initial state is left out of dWa", "dWa"),
        Mistake("dwa-transposed", "dWa is transposed", "dWa"),
        Mistake(
            "last-sample-only",
            "what was stored is overwritten by each sample: only the last one's is left",
            "a",
            "forward",
        ),
        Mistake("batch-means-multiplied", "means over the batch are multiplied, where products are to be summed"),
        Mistake("bias-gradient-not-summed", "the bias' gradient is not a sum over samples and steps"),
        Mistake("gradients-not-reset", "gradients are kept from the call before and added to"),
        Mistake("clipped-per-step", "the gradient is clipped inside the loop", "back"),
        Mistake("learning-rate-in-gradient", "the learning rate is multiplied into the gradient"),
        Mistake(
            "state-aliased", "one array is stored at every step, so all stored states are the last one", "a", "forward"
        ),
        Mistake(
            "probabilities-overwritten", "the probabilities are changed in place when the delta is made", "dlogits"
        ),
        Mistake("initial-state-gradient-missing", "the initial state's gradient is not returned"),
    )
}

RANKS = {id: rank for rank, id in enumerate(CATALOGUE)}
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
    quantity = CATALOGUE[id].quantity
    if quantity == "back":
        return f"{_back(program).equation.target} (row t-1)"
    if quantity:
        return quantity
    # One source for all that is wrong is the delta; else the first wrong gradient's own line.
    return "dlogits" if len(parameters) > 3 or not parameters else f"d{parameters[0]}"


def _back(program: Program) -> Line:
    return next(line for line in program.lines if line.equation.step < 0)
