"""The peer of a recording: the same network in PyTorch, which keeps only what its own backward pass needs. Optional."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from benchmarks.models import Shape, samples
from engine.model.network import Network


def available() -> bool:
    """Whether PyTorch is installed here."""
    return find_spec("torch") is not None


def torch_step(network: Network, shape: Shape) -> Callable[[], object]:
    """Forward and backward of a torch.nn recurrent layer and a linear one, the gradient of the inputs included."""
    torch: Any = import_module("torch")
    dtype = getattr(torch, network.dtype)
    layer = getattr(torch.nn, network.table.name.upper())(shape.D, shape.H, batch_first=True, dtype=dtype)
    linear = torch.nn.Linear(shape.H, shape.C, dtype=dtype)
    loss = torch.nn.CrossEntropyLoss()
    X, y = samples(shape)
    inputs, targets = torch.from_numpy(X).to(dtype).requires_grad_(True), torch.from_numpy(y).flatten()

    def run() -> None:
        layer.zero_grad()
        linear.zero_grad()
        inputs.grad = None
        states = layer(inputs)[0]
        loss(linear(states.flatten(0, 1) if shape.every else states[:, -1]), targets).backward()

    return run
