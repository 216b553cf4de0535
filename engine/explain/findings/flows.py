"""Gradients that vanish or explode on the way back through time, and how much of them truncation removes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from engine.explain.findings.base import Finding, Scene, short
from engine.explain.findings.way_back import WayBack, way_back
from engine.language.derive import CUT, FULL, gradient

VANISHED = 1e-6
"""Serious below a millionth of where it began: beside the last steps' terms the rest is hardly more than float32's rounding (6e-8)."""
FADED = 1e-3
"""Worth knowing below a thousandth: an untrained network often starts so, and still learns."""
EXPLODED = 1e3
"""Serious beyond a thousandfold: steps that help the first steps' weights are then far too large for the last ones'."""
GROWN = 1e2


def vanishing(scene: Scene) -> Iterator[Finding]:
    """The error fades on its way, counted from each sample's own end: where it falls below a share of what it was there.

    With a loss at every step the gradient of the last loss is followed, and it is never serious: every step has a loss near by.
    """
    for layer in scene.tape.plan.network.layers:
        way = way_back(scene, layer)
        if way is not None and (way.share < FADED).any():
            yield _vanishing(way, every=scene.tape.plan.network.predict == "every")


def _vanishing(way: WayBack, *, every: bool) -> Finding:
    grave = bool((way.share < VANISHED).any()) and not every
    limit = VANISHED if grave else FADED
    k = int(np.flatnonzero(way.share < limit)[0])
    of = f"the {'first' if way.layer.reverse else 'last'} step's loss: " if every else ""
    norm = _norm(way.scene, way.name)
    if way.share[k] == 0:
        further = "after" if way.layer.reverse else "before"
        reached = f"t = {way.t(k)} or a step {further} it: {norm} is 0 there, {short(way.first)} at t = {way.t(0)}"
        text = f"{of}no gradient reaches {f'the steps from {k} before a sample’s own end on' if way.apart else reached}"
    elif way.apart:
        text = f"{of}{norm} falls below {short(limit)} of what it is at each sample's own end {k} steps before it{way.gain(k)}"
    else:
        text = f"{of}{norm} falls below {short(limit)} of its last value at t = {way.t(k)}: {_from_to(way)}"
    return Finding("vanishing", text, "serious" if grave else "note", _at(way, k), way.name, way.t(k))


def exploding(scene: Scene) -> Iterator[Finding]:
    """The error grows on its way, counted from each sample's own end: where it exceeds a multiple of what it was there."""
    for layer in scene.tape.plan.network.layers:
        way = way_back(scene, layer)
        if way is not None and (way.share > GROWN).any():
            yield _exploding(way)


def _exploding(way: WayBack) -> Finding:
    limit = EXPLODED if (way.share > EXPLODED).any() else GROWN
    k = int(np.flatnonzero(way.share > limit)[0])
    norm = _norm(way.scene, way.name)
    if way.apart:
        text = f"{norm} exceeds {limit:g} times what it is at each sample's own end {k} steps before it{way.gain(k)}"
    else:
        text = f"{norm} exceeds {limit:g} times its last value at t = {way.t(k)}: {_from_to(way)}"
    return Finding("exploding", text, "serious" if limit == EXPLODED else "note", _at(way, k), way.name, way.t(k))


def _from_to(way: WayBack) -> str:
    """The gradient where it begins and ends, and the gain of a step between."""
    last = way.steps
    return f"{short(way.first)} at t = {way.t(0)}, {short(way.first * way.share[last])} at t = {way.t(last)}{way.gain(last)}"


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
            row = int(cut.argmax())
            t = program.steps_of(name)[row]
            text = (
                f"truncation cuts more than it keeps: ‖{scene.spell(name + CUT)}‖ {short(taken)} over all steps, {short(left)} flows on; "
                f"most at t = {t}, {short(float(cut[row]))} of {short(float(full[row]))}"
            )
            position = scene.position(program.written(name + CUT, t))
            yield Finding("truncation", text, "note", position, name + CUT, t)


def _norm(scene: Scene, name: str) -> str:
    return f"‖{scene.spell(name)}_t‖"


def _at(way: WayBack, k: int) -> int:
    return way.scene.position(way.scene.program.written(way.name, way.t(k)))
