"""Optimizers: equations that run once for each parameter W, with its gradient dW; `_prev` is the iteration before."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Optimizer:
    """The lines of an update; `hyperparameters` are the scalars they read."""

    name: str
    equations: tuple[str, ...]
    hyperparameters: tuple[str, ...] = ("lr",)


SGD = Optimizer(name="sgd", equations=("W = W_prev - lr * dW",))

OPTIMIZERS: dict[str, Optimizer] = {optimizer.name: optimizer for optimizer in (SGD,)}
