"""Models of every kind on small data: cells, read-outs, losses, lengths, truncation, optimizers, clipping, mini-batches."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from engine.session import Session, open_session

SAMPLES, STEPS = 3, 4
LENGTHS = np.array([4, 2, 3])
TRUNCATIONS: tuple[dict[str, Any], ...] = ({}, {"truncate": 2}, {"truncate": 2, "truncate-by": "chunk"})
CLIPS: tuple[dict[str, Any], ...] = (
    {},
    {"clip-norm": 0.05},
    {"clip-value": 0.01},
    {"clip-norm": 9.0, "clip-value": 0.5},
)


@dataclass(frozen=True)
class Model:
    """A model by its options, and whether its samples differ in length."""

    options: dict[str, Any] = field(default_factory=dict[str, Any])
    lengths: bool = True

    def __str__(self) -> str:
        return "-".join(str(value) for value in (*self.options.values(), "lengths" if self.lengths else "full"))

    def open(self, folder: Path) -> Session:
        """A session on data of its own, written into a folder."""
        rng = np.random.default_rng(7)
        each = (SAMPLES, STEPS) if self.options.get("predict") == "every" else (SAMPLES,)
        loss = self.options.get("loss", "cross-entropy")
        y = rng.normal(size=each) if loss == "squared" else rng.integers(0, 2, size=each)
        y.flat[:2] = (0, 1)  # both classes are there
        arrays = {"X": rng.normal(size=(SAMPLES, STEPS, 2)), "y": y}
        if self.lengths:
            arrays["lengths"] = LENGTHS
        path = folder / "data.npz"
        np.savez(path, **arrays)
        return open_session(path, {"hidden": 3, **self.options})


def models() -> list[Model]:
    """Every cell with every read-out and truncation; the other options so that each value meets many others."""
    rng = np.random.default_rng(3)
    found: list[Model] = []
    combined = product(("rnn", "lstm", "gru"), ("last", "every"), TRUNCATIONS)
    for number, (cell, predict, truncation) in enumerate(combined):
        batch: dict[str, Any] = {"batch-size": 2} if rng.integers(2) else {}
        options: dict[str, Any] = {
            "cell": cell,
            "predict": predict,
            "loss": ("cross-entropy", "binary", "squared")[number % 3 if number % 2 else int(rng.integers(3))],
            **truncation,
            "optimizer": ("sgd", "momentum", "adam")[int(rng.integers(3))],
            **CLIPS[int(rng.integers(4))],
            **batch,
        }
        found.append(Model(options, bool(rng.integers(2))))
    return found
