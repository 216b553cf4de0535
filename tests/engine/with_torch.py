"""With torch itself (`make torch` installs it): gradients of its modules, and what watching costs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.in_memory import session_of
from engine.watch import Watch

torch: Any = pytest.importorskip("torch")


def model(kind: str, layers: int, inputs: int = 3, hidden: int = 4, outputs: int = 2) -> Any:
    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = getattr(torch.nn, kind)(inputs, hidden, num_layers=layers, batch_first=True)
            self.fc = torch.nn.Linear(hidden, outputs)

        def forward(self, X: Any) -> Any:
            return self.fc(self.rnn(X)[0][:, -1])

    return Model()


@pytest.mark.parametrize("layers", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_gradients_are_torchs(kind: str, layers: int) -> None:
    torch.manual_seed(0)
    trained, X, y = model(kind, layers).double(), torch.randn(5, 7, 3).double(), torch.tensor([0, 1, 1, 0, 1])
    inputs = X.clone().requires_grad_()
    torch.nn.functional.cross_entropy(trained(inputs), y).backward()
    session = session_of(trained, X, y)
    assert "logits is what the model computes" in session.data.said[0]
    tape = session.debugger.tape(0)
    np.testing.assert_allclose(np.moveaxis(tape["dx"], 0, 1), inputs.grad.numpy(), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(tape.gradients["Wy"], trained.fc.weight.grad.numpy().T, rtol=1e-10, atol=1e-12)


def test_a_loop_is_watched_and_a_nan_found(tmp_path: Path) -> None:
    trained, criterion = model("LSTM", 1), torch.nn.CrossEntropyLoss()
    seen: list[str] = []
    with Watch(trained, criterion, path=tmp_path / "w.npz", found=lambda session, reason: seen.append(reason)) as watch:
        for number in range(5):
            X, y = torch.randn(4, 6, 3) * (float("nan") if number == 3 else 1), torch.tensor([0, 1, 1, 0])
            criterion(trained(X), y).backward()
    assert seen == ["the loss of iteration 3 is nan"] and len(watch.iterations) == 4


def test_what_watching_costs(tmp_path: Path) -> None:
    """Printed, not asserted: B = 32, T = 100, H = 128."""
    trained, criterion = model("LSTM", 1, inputs=16, hidden=128), torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(trained.parameters(), lr=0.01)
    X, y = torch.randn(32, 100, 16), torch.randint(0, 2, (32,))

    def steps(count: int = 20) -> float:
        taken = []
        for _ in range(count):
            start = time.perf_counter()
            optimizer.zero_grad()
            criterion(trained(X), y).backward()
            optimizer.step()
            taken.append(time.perf_counter() - start)
        return sorted(taken)[count // 2]

    steps()
    alone = steps()
    with Watch(trained, criterion, path=tmp_path / "w.npz", gradient_norm=1e9):
        watched = steps()
    print(f"\na step takes {alone * 1e3:.1f} ms, watched {watched * 1e3:.1f} ms: {watched / alone - 1:+.1%}")
