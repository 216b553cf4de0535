"""With torch itself (`make torch` installs it): gradients of its modules, and what watching costs."""

from __future__ import annotations

import time
from contextlib import nullcontext
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest

from engine.in_memory import session_of
from engine.model.parameters import recipe
from engine.tables.cells import CELLS
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


class Words(torch.nn.Module):
    """An embedding, a layer, a read-out of its last output or of all, of packed sequences where there are lengths."""

    def __init__(
        self, kind: str, *, batch_first: bool, every: bool, padding: int | None, lengths: Any, **options: Any
    ) -> None:
        super().__init__()
        self.emb = torch.nn.Embedding(9, 3, padding_idx=padding, **options)
        self.rnn = getattr(torch.nn, kind)(3, 4, batch_first=batch_first)
        self.fc = torch.nn.Linear(4, 2)
        self.every, self.batch_first, self.lengths = every, batch_first, lengths

    def forward(self, X: Any) -> Any:
        e = self.emb(X)
        if self.lengths is not None:
            packed = torch.nn.utils.rnn.pack_padded_sequence(
                e, self.lengths, batch_first=self.batch_first, enforce_sorted=False
            )
            final = self.rnn(packed)[1]
            return self.fc((final[0] if isinstance(final, tuple) else final)[0])
        states = self.rnn(e)[0]
        return self.fc(states if self.every else states[:, -1] if self.batch_first else states[-1])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("padding", [None, 0, 3])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("form", ["last", "every", "packed", "sparse"])
def test_an_embedding_gets_torchs_gradient(
    tmp_path: Path, form: str, kind: str, batch_first: bool, padding: int | None, dtype: str
) -> None:
    torch.manual_seed(0)
    lengths = torch.tensor([2, 6, 3, 7]) if form == "packed" else None
    sparse = {"sparse": True} if form == "sparse" else {}
    every = form == "every"
    trained = Words(kind, batch_first=batch_first, every=every, padding=padding, lengths=lengths, **sparse)
    trained = trained.to(getattr(torch, dtype))
    X, y = torch.randint(0, 9, (4, 7)), torch.randint(0, 2, (4, 7) if every else (4,))
    X, y = (X, y) if batch_first else (X.T, y.T if every else y)
    criterion = torch.nn.CrossEntropyLoss()
    with Watch(trained, criterion, path=tmp_path / "w.npz", gradient_norm=1e9) as watch:
        criterion(trained(X).reshape(-1, 2), y.reshape(-1)).backward()
    wanted = trained.emb.weight.grad.to_dense().numpy()
    bounds = {"rtol": 1e-10, "atol": 1e-13} if dtype == "float64" else {"rtol": 1e-5, "atol": 1e-7}
    sessions = [watch.session(), *([session_of(trained, X, y)] if lengths is None else [])]
    for session in sessions:
        np.testing.assert_allclose(session.debugger.tape(0).gradients["We"], wanted, **bounds)


class Headed(torch.nn.Module):
    """A recurrent module, and after it what our read-outs are not."""

    def __init__(self, kind: str, read: str, *, layers: int, bidirectional: bool, lengths: Any) -> None:
        super().__init__()
        self.rnn = getattr(torch.nn, kind)(3, 4, num_layers=layers, bidirectional=bidirectional, batch_first=True)
        width = 8 if bidirectional else 4
        two = (torch.nn.Linear(width, 6), torch.nn.ReLU(), torch.nn.Linear(6, 2))
        self.head = torch.nn.Sequential(
            torch.nn.Dropout(0.3), *(two if read != "dropped" else (torch.nn.Linear(width, 2),))
        )
        self.read, self.lengths, self.bidirectional = read, lengths, bidirectional

    def forward(self, X: Any) -> Any:
        pack = torch.nn.utils.rnn.pack_padded_sequence
        given = X if self.lengths is None else pack(X, self.lengths, batch_first=True, enforce_sorted=False)
        output, final = self.rnn(given)
        if self.lengths is not None:
            output = torch.nn.utils.rnn.pad_packed_sequence(output, batch_first=True)[0]
        h_n = final[0] if isinstance(final, tuple) else final
        ends = torch.cat((h_n[-2], h_n[-1]), dim=1) if self.bidirectional else h_n[-1]
        return self.head({"mean": output.mean(dim=1), "every": output}.get(self.read, ends))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("layers", "bidirectional"), [(1, False), (1, True), (2, True)])
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("read", ["ends", "mean", "every", "dropped"])
def test_inside_a_layer_gradients_are_torchs_whatever_comes_after(
    tmp_path: Path, read: str, kind: str, layers: int, bidirectional: bool, packed: bool, dtype: str
) -> None:
    torch.manual_seed(0)
    lengths = torch.tensor([2, 6, 3, 5]) if packed else None
    trained = Headed(kind, read, layers=layers, bidirectional=bidirectional, lengths=lengths).to(getattr(torch, dtype))
    X, y = torch.randn(4, 6, 3, dtype=getattr(torch, dtype)), torch.randint(0, 2, (4, 6) if read == "every" else (4,))
    criterion = torch.nn.CrossEntropyLoss(label_smoothing=0.1)
    with Watch(trained, criterion, path=tmp_path / "w.npz") as watch:
        criterion(trained(X).reshape(-1, 2), y.reshape(-1)).backward()
    gradients = watch.session().debugger.tape(0).gradients
    arrays = {name: value.detach().numpy() for name, value in trained.rnn.named_parameters()}
    read_as = recipe({name: array.shape for name, array in arrays.items()}, tuple(CELLS.values()))
    found = read_as.gradients(arrays, gradients)
    for name, value in trained.rnn.named_parameters():
        wanted = value.grad.numpy()
        bound = (1e-10 if dtype == "float64" else 1e-5) * np.abs(wanted).max()
        np.testing.assert_allclose(found[name], wanted, rtol=0, atol=bound, err_msg=name)


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

    def steps(watch: Any) -> float:
        with watch:
            step()
            start = time.process_time()
            for _ in range(5):
                step()
            return time.process_time() - start

    def step() -> None:
        optimizer.zero_grad()
        criterion(trained(X), y).backward()
        optimizer.step()

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # those that wait busily count as processor time
    try:
        for limit in (None, 1e9):
            ways = (nullcontext(), Watch(trained, criterion, path=tmp_path / "w.npz", gradient_norm=limit))
            pairs = [[steps(way) for way in ways] for _ in range(41)]
            alone, ratio = median(pair[0] for pair in pairs) / 5, median(watched / plain for plain, watched in pairs)
            print(
                f"\na step takes {alone * 1e3:.1f} ms, watched {ratio - 1:+.1%}{' with gradient_norm' if limit else ''}"
            )
    finally:
        torch.set_num_threads(threads)
