"""With torch itself (`make torch` installs it): gradients of its modules, and what watching costs."""

from __future__ import annotations

import time
from contextlib import nullcontext
from copy import deepcopy
from functools import partial
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest

from engine.in_memory import session_of
from engine.model.parameters import recipe
from engine.tables.cells import BY_NAME
from engine.watch import Watch

torch: Any = pytest.importorskip("torch")

FLOAT32, OWN = 1e-6, 1e-5
"""In float32 of the largest entry of all gradients of a module, and of a gradient's own: where its terms nearly cancel it has fewer digits,
in torch as well."""


def model(kind: str, layers: int, inputs: int = 3, hidden: int = 4, outputs: int = 2) -> Any:
    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = getattr(torch.nn, kind)(inputs, hidden, num_layers=layers, batch_first=True)
            self.fc = torch.nn.Linear(hidden, outputs)

        def forward(self, X: Any) -> Any:
            return self.fc(self.rnn(X)[0][:, -1])

    return Model()


@pytest.mark.parametrize("loss", ["squared", "cross-entropy"])
@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("predict", ["last", "every"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("layers", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU", "LSTMP"])
def test_gradients_are_torchs(
    kind: str, layers: int, bidirectional: bool, predict: str, ragged: bool, loss: str, request: pytest.FixtureRequest
) -> None:
    """Every parameter's and the inputs', of a model whose sizes and numbers are drawn by the name of the case."""
    rng = np.random.default_rng([*request.node.name.encode()])
    torch.manual_seed(int(rng.integers(1 << 31)))
    D, H, C, B, T = (int(size) for size in rng.integers(2, 7, 5))
    options = {"num_layers": layers, "bidirectional": bidirectional, "batch_first": True}
    projected = {"hidden_size": H + 2, "proj_size": H} if kind == "LSTMP" else {"hidden_size": H}
    rnn = getattr(torch.nn, kind.removesuffix("P"))(D, **projected, **options).double()
    fc = torch.nn.Linear(H * (1 + bidirectional), C).double()
    X = torch.randn(B, T, D).double().requires_grad_()
    lengths = torch.as_tensor(rng.integers(1, T + 1, B) if ragged else np.full(B, T))
    lengths[0] = T
    pack = torch.nn.utils.rnn.pack_padded_sequence
    output, final = rnn(pack(X, lengths, batch_first=True, enforce_sorted=False))
    h_n = final[0] if isinstance(final, tuple) else final
    if predict == "every":
        counts = torch.arange(T) < lengths[:, None]
        logits = fc(torch.nn.utils.rnn.pad_packed_sequence(output, batch_first=True)[0])[counts]
    else:
        counts, logits = slice(None), fc(torch.cat((h_n[-2], h_n[-1]), dim=1) if bidirectional else h_n[-1])
    shape = (B, T) if predict == "every" else (B,)
    y = torch.randn(*shape, C).double() if loss == "squared" else torch.randint(0, C, shape)
    criterion = torch.nn.MSELoss() if loss == "squared" else torch.nn.CrossEntropyLoss()
    criterion(logits, y[counts]).backward()
    ends = lengths.numpy() if ragged else None
    session = session_of((rnn, fc), X, y, predict=predict, loss=loss, lengths=ends)
    tape = session.debugger.tape(0)
    wanted = {
        **{f"rnn.{name}": value for name, value in rnn.named_parameters()},
        **{f"fc.{name}": value for name, value in fc.named_parameters()},
    }
    arrays = {name: value.detach().numpy() for name, value in wanted.items()}
    read_as = recipe({name: array.shape for name, array in arrays.items()}, tuple(BY_NAME.values()))
    found = {**read_as.gradients(arrays, tape.gradients), "X": np.moveaxis(tape["dx"], 0, 1)}
    for name, value in {**wanted, "X": X}.items():
        given = value.grad.numpy()
        np.testing.assert_allclose(found[name], given, rtol=0, atol=1e-10 * np.abs(given).max(), err_msg=name)


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
    bounds = (
        {"rtol": 1e-10, "atol": 1e-13} if dtype == "float64" else {"rtol": 0, "atol": FLOAT32 * np.abs(wanted).max()}
    )
    sessions = [watch.session(), *([session_of(trained, X, y)] if lengths is None else [])]
    for session in sessions:
        np.testing.assert_allclose(session.debugger.tape(0).gradients["We"], wanted, **bounds)


class Headed(torch.nn.Module):
    """A recurrent module, and after it what our read-outs are not."""

    def __init__(self, kind: str, read: str, *, layers: int, bidirectional: bool, lengths: Any, dropout: float = 0.0):
        super().__init__()
        self.rnn = getattr(torch.nn, kind)(
            3, 4, num_layers=layers, bidirectional=bidirectional, batch_first=True, dropout=dropout
        )
        directions = 2 if bidirectional else 1
        width = 4 * directions * (layers * (2 if kind == "LSTM" else 1) + 1 if read == "all" else 1)
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
        if self.read == "all":  # of every layer and direction h_n and c_n, beside the output
            states = final if isinstance(final, tuple) else (final,)
            ends = torch.cat((output.mean(dim=1), *(state for each in states for state in each)), dim=1)
        return self.head({"mean": output.mean(dim=1), "every": output}.get(self.read, ends))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("layers", "bidirectional"), [(1, False), (1, True), (2, True)])
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("read", ["ends", "mean", "every", "dropped", "all"])
def test_inside_a_layer_gradients_are_torchs_whatever_comes_after(
    tmp_path: Path, read: str, kind: str, layers: int, bidirectional: bool, packed: bool, dtype: str
) -> None:
    torch.manual_seed(0)
    lengths = torch.tensor([2, 6, 3, 5]) if packed else None
    trained = Headed(kind, read, layers=layers, bidirectional=bidirectional, lengths=lengths).to(getattr(torch, dtype))
    X, y = torch.randn(4, 6, 3, dtype=getattr(torch, dtype)), torch.randint(0, 2, (4, 6) if read == "every" else (4,))
    found = watched_gradients(trained, X, y, tmp_path)
    largest = max(float(value.grad.abs().max()) for value in trained.rnn.parameters())
    for name, value in trained.rnn.named_parameters():
        wanted = value.grad.numpy()
        own = float(np.abs(wanted).max())
        bound = 1e-10 * own if dtype == "float64" else min(FLOAT32 * largest, OWN * own)
        np.testing.assert_allclose(found[name], wanted, rtol=0, atol=bound, err_msg=name)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("layers", "bidirectional"), [(2, False), (3, True)])
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("read", ["ends", "dropped", "all"])
def test_what_torch_drops_between_layers_is_dropped_here_as_well(
    tmp_path: Path, read: str, kind: str, layers: int, bidirectional: bool, packed: bool, dtype: str
) -> None:
    torch.manual_seed(0)
    lengths = torch.tensor([2, 6, 3, 5]) if packed else None
    options = {"layers": layers, "bidirectional": bidirectional, "lengths": lengths, "dropout": 0.4}
    trained = Headed(kind, read, **options).to(getattr(torch, dtype))
    if read == "dropped":
        trained.head[0].p = 0.0  # one linear layer and a loss of ours
    X, y = torch.randn(4, 6, 3, dtype=getattr(torch, dtype)), torch.randint(0, 2, (4,))
    generator = torch.get_rng_state()
    trained(X)
    after = torch.rand(3)
    torch.set_rng_state(generator)
    found = watched_gradients(trained, X, y, tmp_path)
    assert torch.equal(torch.rand(3), after)  # the loop's own draws stay what they were
    largest = max(float(value.grad.abs().max()) for value in trained.rnn.parameters())
    for name, value in trained.rnn.named_parameters():
        wanted = value.grad.numpy()
        own = float(np.abs(wanted).max())
        bound = 1e-10 * own if dtype == "float64" else min(FLOAT32 * largest, OWN * own)
        np.testing.assert_allclose(found[name], wanted, rtol=0, atol=bound, err_msg=name)


def watched_gradients(trained: Headed, X: Any, y: Any, folder: Path) -> dict[str, Any]:
    """Those of the recurrent module's parameters, of one watched step; torch has its own in `grad` then."""
    criterion = torch.nn.CrossEntropyLoss(label_smoothing=0.1)
    with Watch(trained, criterion, path=folder / "w.npz") as watch:
        criterion(trained(X).reshape(-1, 2), y.reshape(-1)).backward()
    arrays = {name: value.detach().numpy() for name, value in trained.rnn.named_parameters()}
    read_as = recipe({name: array.shape for name, array in arrays.items()}, tuple(BY_NAME.values()))
    return read_as.gradients(arrays, watch.session().debugger.tape(0).gradients)


def test_in_float32_both_round_alike(tmp_path: Path) -> None:
    """What float32 costs, here and in torch, each against torch in float64: terms are rounded, so no order of the sums would be better."""
    off: list[tuple[float, float, float]] = []
    for seed, kind, layers in product(range(8), ("RNN", "LSTM", "GRU"), (1, 2)):
        torch.manual_seed(seed)
        trained = Headed(kind, "all", layers=layers, bidirectional=True, lengths=None)
        trained.head[0].p = 0.0
        X, y = torch.randn(4, 6, 3), torch.randint(0, 2, (4,))
        found = watched_gradients(trained, X, y, tmp_path)
        exact = deepcopy(trained).double()
        exact.zero_grad()
        torch.nn.CrossEntropyLoss(label_smoothing=0.1)(exact(X.double()), y).backward()
        largest = max(float(value.grad.abs().max()) for value in exact.rnn.parameters())
        for (name, single), double in zip(trained.rnn.named_parameters(), exact.rnn.parameters(), strict=True):
            theirs, wanted = single.grad.numpy(), double.grad.numpy()
            pairs = ((found[name], theirs), (found[name], wanted), (theirs, wanted))
            apart, here, there = (float(np.abs(a - b).max() / largest) for a, b in pairs)
            off.append((apart, here, there))
    apart, ours, theirs = (np.array(column) for column in zip(*off, strict=True))
    print(
        f"\nfloat32: worst difference {apart.max():.1e}; off by {ours.max():.1e} here, by {theirs.max():.1e} in torch"
    )
    assert apart.max() <= FLOAT32
    assert np.sqrt((ours**2).mean()) <= 1.2 * np.sqrt((theirs**2).mean())


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


class OneAboveAnother(torch.nn.Module):
    """Two recurrent modules with dropout between them, or two cells in a loop of its own, and a read-out of the last step."""

    def __init__(self, kind: str, *, bidirectional: bool = False, cells: bool = False) -> None:
        super().__init__()
        both = 1 + bidirectional
        made = partial(getattr(torch.nn, f"{kind}Cell" if cells else kind), dtype=torch.float64)
        options = {} if cells else {"batch_first": True, "bidirectional": bidirectional}
        self.lower, self.upper = made(3, 5, **options), made(5 * both, 4, **options)
        self.drop, self.fc = torch.nn.Dropout(0.4), torch.nn.Linear(4 * both, 2, dtype=torch.float64)
        self.cells = cells

    def forward(self, X: Any) -> Any:
        if not self.cells:
            last = self.upper(self.drop(self.lower(X)[0]))[1]
            h = last[0] if isinstance(last, tuple) else last
            return self.fc(torch.cat(tuple(h), dim=1))
        below, above = None, None
        for t in range(X.shape[1]):
            below = self.lower(X[:, t], below)
            above = self.upper(below[0] if isinstance(below, tuple) else below, above)
        return self.fc(above[0] if isinstance(above, tuple) else above)


@pytest.mark.parametrize("form", ["one direction", "two directions", "cells"])
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_recurrent_modules_one_above_the_other_are_layers(tmp_path: Path, kind: str, form: str) -> None:
    """Debugged without dropout, and watched with what it left; of cells one after the other at each step."""
    torch.manual_seed(0)
    model = OneAboveAnother(kind, bidirectional=form == "two directions", cells=form == "cells")
    X, y, criterion = torch.randn(4, 6, 3).double(), torch.tensor([0, 1, 1, 0]), torch.nn.CrossEntropyLoss()
    sessions = [session_of(model.eval(), X, y)]
    criterion(model(X), y).backward()
    wanted = [torch.cat([p.grad.ravel() for p in (*model.lower.parameters(), *model.upper.parameters())]).numpy()]
    model.train().zero_grad()
    with Watch(model, criterion, path=tmp_path / "w.npz") as watch:
        criterion(model(X), y).backward()
    sessions.append(watch.session())
    wanted.append(torch.cat([p.grad.ravel() for p in (*model.lower.parameters(), *model.upper.parameters())]).numpy())
    for session, gradients in zip(sessions, wanted, strict=True):
        tape = session.debugger.tape(0)
        found = [
            np.concatenate([tape.gradients[name].T for name in held]).ravel()
            for layer in tape.plan.network.layers
            for held in layer.table.torch.values()
        ]
        np.testing.assert_allclose(np.concatenate(found), gradients, rtol=1e-10, atol=1e-14)
