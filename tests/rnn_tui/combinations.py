"""Models of every kind on small data: cells, read-outs, losses, lengths, truncation, optimizers, clipping, mini-batches."""

from __future__ import annotations

from dataclasses import dataclass, field
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


_MODELS = (
    # Every two values of cell, truncation, loss and optimizer meet once. Of all pairs of values they hold 187 of 210.
    ("rnn", "every", 0, "cross-entropy", "adam", 1, True, True),
    ("rnn", "every", 1, "squared", "momentum", 2, False, False),
    ("rnn", "last", 2, "binary", "sgd", 3, False, True),
    ("lstm", "last", 0, "squared", "sgd", 2, True, True),
    ("lstm", "every", 1, "binary", "adam", 0, False, True),
    ("lstm", "last", 2, "cross-entropy", "momentum", 1, False, False),
    ("gru", "last", 0, "binary", "momentum", 0, True, False),
    ("gru", "every", 1, "cross-entropy", "sgd", 3, True, False),
    ("gru", "every", 2, "squared", "adam", 2, False, True),
)


def models() -> list[Model]:
    """Models in which each value of an option meets many values of the others; the last six have several layers or two directions."""
    layered = (
        (0, (3, 2), False),
        (3, (2, 3), False),
        (7, (2, 2, 3), False),
        (2, (2, 3), True),
        (8, 2, True),
        (4, (2, 3), True),
    )
    single = _single()
    return [
        *single,
        *(
            Model(
                {
                    **single[n].options,
                    "hidden": units,
                    "bidirectional": both,
                    "learn-initial": both,
                    **({"embedding": 2} if both else {"dropout": 0.5}),
                    **({"residual": True} if units == (2, 2, 3) else {}),
                    **({"cell": "lstmp", "projection": 2} if n == 4 else {}),
                },
                single[n].lengths,
            )
            for n, units, both in layered
        ),
    ]


def _single() -> list[Model]:
    return [
        Model(
            {
                "cell": cell,
                "predict": predict,
                "loss": loss,
                **TRUNCATIONS[truncation],
                "optimizer": optimizer,
                **CLIPS[clip],
                **({"batch-size": 2} if batches else {}),
            },
            lengths,
        )
        for cell, predict, truncation, loss, optimizer, clip, batches, lengths in _MODELS
    ]
