"""What is wrong with an iteration of many steps, against recording it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.measure import Row, alternate, milliseconds, ratios
from engine import Debugger, Network
from engine.explain.findings import findings

STEPS, UNITS, FEATURES = 5000, 128, 8
ROUNDS = 3


def measure() -> Iterator[Row]:
    """For each cell, with one prediction and with one at every step, recorded whole and with checkpoints."""
    for cell in ("rnn", "lstm", "gru"):
        for predict, batch in (("last", 4), ("every", 1)):
            for checkpoints in (False, True):
                yield _measure(cell, predict, batch, checkpoints)


def _measure(cell: str, predict: str, batch: int, checkpoints: bool) -> Row:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(batch, STEPS, FEATURES))
    y = rng.integers(0, 2, size=batch if predict == "last" else (batch, STEPS))
    network = Network(inputs=FEATURES, hidden=UNITS, outputs=2, cell=cell, predict=predict)
    debuggers: list[Debugger] = []

    def record() -> None:
        debuggers[:] = [Debugger(network, X, y, checkpoints=checkpoints)]
        debuggers[0].tape(0)

    took = alternate(
        {"record": lambda: milliseconds(record), "find": lambda: milliseconds(lambda: findings(debuggers[0], 0))},
        ROUNDS,
    )
    about = f"{cell} {predict} B={batch} T={STEPS} H={UNITS}{', checkpoints' if checkpoints else ''}"
    return Row(f"findings / record, {about}", "×", ratios(took["find"], took["record"]), 6 if checkpoints else 3)
