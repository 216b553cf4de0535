"""Parameters without a gradient, gradients of one sign, and updates that are too large, too small or clipped."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from engine.explain.findings.base import Finding, Scene, short
from engine.explain.ledger import by_sample
from engine.explain.length import length
from engine.language.derive import gradient

LEAST, MOST = 1e-4, 1e-1
"""‖ΔW‖/‖W‖ of an update in its usual range: about 1e-3, a power of ten or two to either side."""
TOO_MUCH = 1.0
"""An update longer than the weights themselves leaves nothing of what they were."""
SAMPLES_LIMIT = 4_000_000
"""Numbers that the gradients of single samples may take."""


def zero_gradients(scene: Scene) -> Iterator[Finding]:
    """Parameters of which no entry gets a gradient. With a single step the recurrent weights have none by nature."""
    zero = [name for name, array in scene.tape.gradients.items() if not array.any()]
    if not zero:
        return
    name = gradient(zero[0])
    text = f"{_and_others(scene, [name, *(gradient(other) for other in zero[1:])], 'are', 'is')} 0 in all entries: nothing is learnt there"
    severity = "serious" if scene.program.steps > 1 else "note"
    yield Finding("zero gradient", text, severity, _complete(scene, name), name)


def one_sided(scene: Scene) -> Iterator[Finding]:
    """Parameters whose gradient has one sign in all entries and for every sample: the update can only move them all the same way."""
    batch = scene.tape.plan.batch
    if batch < 2:
        return
    names: list[str] = []
    for name, array in scene.tape.gradients.items():
        if array.size < 2 or not array.any() or (array.max() > 0) == (array.min() < 0):
            continue
        if batch * array.size > SAMPLES_LIMIT:
            continue
        samples = by_sample(scene.tape, gradient(name))
        if (samples >= 0).all() or (samples <= 0).all():
            names.append(gradient(name))
    if names:
        name = names[0]
        text = (
            f"{_and_others(scene, names, 'have', 'has')} one sign in all entries, for every sample: "
            "the update can only push all these weights the same way"
        )
        yield Finding("one-sided gradient", text, "note", _complete(scene, name), name)


def update_sizes(scene: Scene) -> Iterator[Finding]:
    """Updates that are large or small beside the weights, clipping and the optimizer included."""
    tape = scene.tape
    ratios: dict[str, float] = {}
    for name, before in tape.parameters.items():
        norm, change = length(before), length(tape.updates[name] - before)
        if norm and change == change and tape.gradients[name].any():  # neither NaN nor a parameter that begins at 0
            ratios[name] = change / norm
    large = sorted((n for n in ratios if ratios[n] > MOST), key=lambda n: -ratios[n])
    small = sorted((n for n in ratios if ratios[n] < LEAST), key=lambda n: ratios[n])
    for names, word in ((large, "large"), (small, "small")):
        if names:
            name, ratio = names[0], ratios[names[0]]
            label = scene.spell(name)
            others = (
                f"; so are those of {', '.join(map(scene.spell, names[1:4]))}{', …' if len(names) > 4 else ''}"
                if names[1:]
                else ""
            )
            text = f"the update of {label} is {word}: ‖Δ{label}‖/‖{label}‖ is {short(ratio)}, usual is {LEAST:g} to {MOST:g}{others}"
            position = scene.position(scene.program.update_offset(name))
            yield Finding("update size", text, "serious" if ratio > TOO_MUCH else "note", position, name)


def clipped(scene: Scene) -> Iterator[Finding]:
    """Clipping that takes something away."""
    tape, network = scene.tape, scene.tape.plan.network
    if network.clip_norm is not None:
        norm = float(tape.updates["gnorm"])
        if norm + 1e-6 > network.clip_norm:
            text = f"clipping fires: the norm of all gradients is {short(norm)}, they are scaled down to {network.clip_norm:g}"
            yield Finding("clipping", text, "note", scene.position(scene.program.update_offset("gnorm")), "gnorm")
    if network.clip_value is not None:
        count, size = tape.clipped_entries
        if count:
            names = (f"{gradient(name)}_clipped" for name in tape.parameters)
            name = next(n for n in names if (np.abs(tape.updates[n]) >= network.clip_value).any())
            text = f"clipping fires: {count} of {size} entries of the gradients are clipped to ±{network.clip_value:g}"
            yield Finding("clipping", text, "note", scene.position(scene.program.update_offset(name)), name)


def _complete(scene: Scene, name: str) -> int:
    """The point at which a parameter's gradient is complete."""
    summed = any(line.equation.accumulate for line in scene.program.writers(name))
    return scene.position(scene.program.written(name, 1 if summed else None))


def _and_others(scene: Scene, names: list[str], many: str, one: str) -> str:
    """`dWa and dba are`; `dWa is`."""
    first, *others = (scene.spell(name) for name in names)
    if not others:
        return f"{first} {one}"
    shown = others if len(others) < 5 else [*others[:3], f"{len(others) - 3} others"]
    return f"{', '.join([first, *shown[:-1]])} and {shown[-1]} {many}"
