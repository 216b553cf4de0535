"""Gradients that vanish or explode on the way back through time, and how much of them truncation removes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from engine.explain.findings.base import Finding, Scene, short
from engine.explain.flow import cuts
from engine.explain.reach import reach
from engine.language.derive import CUT, FULL, gradient
from engine.language.functions import Array
from engine.model.layers import Layer
from engine.model.program import carries_losses

VANISHED = 1e-6
"""Serious below a millionth of where it began: beside the last steps' terms the rest is hardly more than float32's rounding (6e-8)."""
FADED = 1e-3
"""Worth knowing below a thousandth: an untrained network often starts so, and still learns."""
EXPLODED = 1e3
"""Serious beyond a thousandfold: steps that help the first steps' weights are then far too large for the last ones'."""
GROWN = 1e2


def vanishing(scene: Scene) -> Iterator[Finding]:
    """The error fades on its way: the t where it falls below a share of what it was at the last step.

    With a loss at every step the gradient of the last loss is followed, and it is never serious: every step has a loss near by.
    """
    for layer in scene.tape.plan.network.layers:
        yield from _vanishing(scene, layer)


def _vanishing(scene: Scene, layer: Layer) -> Iterator[Finding]:
    norms, bottom = _error(scene, layer)
    last = norms[-1]
    if not last > 0 or not np.isfinite(last):
        return
    share = norms / last
    least = share[bottom:]
    every = scene.tape.plan.network.predict == "every"
    if not (least < FADED).any():
        return
    grave = bool((least < VANISHED).any()) and not every
    t = bottom + int(np.flatnonzero(least < (VANISHED if grave else FADED))[-1])
    name = gradient(layer.table.output)
    of = "the last step's loss: " if every else ""
    if share[t] == 0:
        text = f"{of}no gradient reaches t = {t} or a step before it: {_norm(scene, name)} is 0 there, {short(last)} at t = {_last(scene)}"
    else:
        text = (
            f"{of}{_norm(scene, name)} falls below {short(VANISHED if grave else FADED)} of its last value at t = {t}: "
            f"{short(last)} at t = {_last(scene)}, {short(norms[bottom])} at t = {bottom}{_mean(norms, bottom)}"
        )
    yield Finding("vanishing", text, "serious" if grave else "note", _at(scene, name, t), name, t)


def exploding(scene: Scene) -> Iterator[Finding]:
    """The error grows on its way: the t where it exceeds a multiple of what it was at the last step."""
    for layer in scene.tape.plan.network.layers:
        yield from _exploding(scene, layer)


def _exploding(scene: Scene, layer: Layer) -> Iterator[Finding]:
    norms, bottom = _error(scene, layer)
    last = norms[-1]
    if not last > 0 or not np.isfinite(last):
        return
    share = norms[bottom:] / last
    limit = EXPLODED if (share > EXPLODED).any() else GROWN
    if not (share > limit).any():
        return
    t = bottom + int(np.flatnonzero(share > limit)[-1])
    name = gradient(layer.table.output)
    text = (
        f"{_norm(scene, name)} exceeds {limit:g} times its last value at t = {t}: "
        f"{short(last)} at t = {_last(scene)}, {short(norms[bottom])} at t = {bottom}{_mean(norms, bottom)}"
    )
    yield Finding("exploding", text, "serious" if limit == EXPLODED else "note", _at(scene, name, t), name, t)


def truncated(scene: Scene) -> Iterator[Finding]:
    """Truncation takes away more of a state's flow than it lets through, over all steps."""
    tape, program = scene.tape, scene.program
    for state in tape.plan.network.table.states:
        name = gradient(state)
        if name + CUT not in program.quantities:
            continue
        cut = tape.norms(name + CUT)
        full = tape.norms(name + FULL)
        kept = np.linalg.norm(tape[name + FULL].astype(float) - tape[name + CUT], axis=(1, 2))
        taken, left = float(np.linalg.norm(cut)), float(np.linalg.norm(kept))
        if taken > left:
            t = int(cut.argmax())
            text = (
                f"truncation cuts more than it keeps: ‖{scene.spell(name + CUT)}‖ {short(taken)} over all steps, {short(left)} flows on; "
                f"most at t = {t}, {short(float(cut[t]))} of {short(float(full[t]))}"
            )
            position = scene.position(program.written(name + CUT, t))
            yield Finding("truncation", text, "note", position, name + CUT, t)


def _error(scene: Scene, layer: Layer) -> tuple[Array, int]:
    """(T+1,) the norm over all states of a layer of the gradient at t = 0..T, and the first t that truncation lets it reach."""
    tape, network, steps = scene.tape, scene.tape.plan.network, scene.program.steps
    with np.errstate(all="ignore"):
        if network.predict == "every":
            norms = [reach(tape, state, first=steps)[0] for state in layer.table.states]
        else:
            norms = [tape.norms(gradient(state)) for state in layer.table.states]
        total = np.hypot.reduce(np.array(norms), axis=0)
    bottom = max((cut.t for cut in cuts(tape)), default=1)
    if carries_losses(network) and network.truncate is not None:
        bottom = max(1, steps - network.truncate)
    return total, min(bottom, steps)


def _norm(scene: Scene, name: str) -> str:
    return f"‖{scene.spell(name)}_t‖"


def _last(scene: Scene) -> int:
    return scene.program.steps


def _mean(norms: Array, bottom: int) -> str:
    """The mean gain of a step, where there is one."""
    steps = len(norms) - 1 - bottom
    ratio = float(norms[bottom] / norms[-1])
    return f" (gain {short(ratio ** (1 / steps))} a step)" if steps and 0 < ratio < float("inf") else ""


def _at(scene: Scene, name: str, t: int) -> int:
    return scene.position(scene.program.written(name, t))
