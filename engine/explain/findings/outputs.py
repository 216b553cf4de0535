"""What the network predicts: the same for every sample, and a loss that is that of guessing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from engine.explain.findings.base import Finding, Scene, short
from engine.language.functions import Array

ALIKE = 0.01
"""The spread of the predictions, as a share of that of the targets; of probabilities, in parts of one."""
NEAR = 0.02
"""How near to that of guessing a loss is called so."""


def equal_predictions(scene: Scene) -> Iterator[Finding]:
    """All predictions that count are alike although the targets are not."""
    tape, network = scene.tape, scene.tape.plan.network
    if not network.head.predicts:
        return
    counted = scene.counted() if network.predict == "every" else None
    name = "p" if network.head.classes else "logits"
    outputs, y = (
        np.asarray(rows if counted is None else rows[counted], dtype=float) for rows in (tape[name], tape["y"])
    )
    if len(outputs) < 2 or not np.isfinite(outputs).all() or not (y != y[0]).any():
        return
    loss = tape.loss if network.reduction == "mean" else np.inf
    if network.head.classes:
        spread, classes = float(np.ptp(outputs, axis=0).max()), network.head.class_count(network.outputs)
        if spread > ALIKE:
            return
        text = f"all predictions are alike: p is {_numbers(outputs.mean(axis=0))} for every sample, to {short(spread)}"
        if abs(loss - np.log(classes)) < NEAR * np.log(classes):
            text += f"; the loss {short(loss)} is ln {classes}, that of guessing"
    else:
        if (np.ptp(outputs, axis=0) > ALIKE * np.ptp(y, axis=0)).any():
            return
        text = (
            f"all predictions are alike: {short(outputs.min())} to {short(outputs.max())}, where y goes from {short(y.min())} to "
            f"{short(y.max())}; the mean of y is {short(y.mean())}"
        )
        if loss < (1 + NEAR) * y.var(axis=0).mean():
            text += f", and the loss {short(loss)} is that of always predicting it"
    yield Finding(
        "equal predictions", text, "note", scene.position(scene.program.written(name, scene.program.steps)), name
    )


def _numbers(values: Array) -> str:
    shown = ", ".join(short(float(value)) for value in values[:4])
    return f"({shown}, …)" if len(values) > 4 else f"({shown})" if len(values) > 1 else shown
