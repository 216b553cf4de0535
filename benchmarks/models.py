"""The networks and data that are measured."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from engine.language.functions import Array
from engine.model.network import Network


class Shape(NamedTuple):
    """Samples, steps, features, units, classes; whether there is a loss at every step or one at the end."""

    B: int
    T: int
    D: int
    H: int
    C: int = 2
    every: bool = False

    def __str__(self) -> str:
        return f"B={self.B} T={self.T} D={self.D} H={self.H}{', a loss at every step' if self.every else ''}"


MIDDLE = Shape(32, 100, 8, 128, 4)
"""What the screen must still follow without delay."""


def samples(shape: Shape) -> tuple[Array, Array]:
    """X (B, T, D) and y, (B,) or (B, T), every class among the targets."""
    rng = np.random.default_rng(0)
    y = np.arange(shape.B * shape.T).reshape(shape.B, shape.T) if shape.every else np.arange(shape.B)
    return rng.normal(size=(shape.B, shape.T, shape.D)), y % shape.C


def network(shape: Shape, cell: str = "rnn", dtype: str = "float64") -> Network:
    """A network with softmax and cross-entropy, after the last step or after each."""
    predict = "every" if shape.every else "last"
    return Network(inputs=shape.D, outputs=shape.C, hidden=shape.H, cell=cell, dtype=dtype, predict=predict)


def write(shape: Shape, folder: Path) -> Path:
    """The samples as a file that rnn-tui opens."""
    path = folder / "samples.npz"
    X, y = samples(shape)
    np.savez(path, X=X, y=y)
    return path
