"""The networks and data that are measured."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from engine.language.functions import Array
from engine.model.network import Network


class Shape(NamedTuple):
    """Samples, steps, features, units, classes."""

    B: int
    T: int
    D: int
    H: int
    C: int = 2

    def __str__(self) -> str:
        return f"B={self.B} T={self.T} D={self.D} H={self.H}"


MIDDLE = Shape(32, 100, 8, 128, 4)
"""What the screen must still follow without delay."""


def samples(shape: Shape) -> tuple[Array, Array]:
    """X (B, T, D) and y (B,), every class among the targets."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(shape.B, shape.T, shape.D)), np.arange(shape.B) % shape.C


def network(shape: Shape, cell: str = "rnn", dtype: str = "float64") -> Network:
    """A network with softmax and cross-entropy after the last step."""
    return Network(inputs=shape.D, outputs=shape.C, hidden=shape.H, cell=cell, dtype=dtype)


def write(shape: Shape, folder: Path) -> Path:
    """The samples as a file that rnn-tui opens."""
    path = folder / "samples.npz"
    X, y = samples(shape)
    np.savez(path, X=X, y=y)
    return path
