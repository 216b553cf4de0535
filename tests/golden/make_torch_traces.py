"""Writes what PyTorch says about small networks: tests/golden/torch/*.npz, read by tests/engine/test_against_torch.py.

    pip install torch==2.13.0 numpy
    python tests/golden/make_torch_traces.py

Each file holds options (JSON), data and weights under the names of the data files (X, y, lengths, a0 ...), and every quantity with
its gradient under the names and in the shapes of ARCHITECTURE.md. The cells are stepped by hand, in the project's names, so that
autograd keeps every intermediate; before anything is written, loss and gradients are held against torch.nn's own modules.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_modules import verify
from torch_steps import GATES, STATES, Case, Values, run, trace

VERSION = "2.13.0"
HERE = Path(__file__).parent / "torch"
STEPS_TRAINED = 5
LOSSES = ("cross-entropy", "binary", "squared")
CELLS = ({"cell": "rnn"}, {"cell": "rnn", "activation": "relu"}, {"cell": "lstm"}, {"cell": "gru"})
OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": torch.optim.SGD,
    "momentum": lambda parameters, lr: torch.optim.SGD(parameters, lr, momentum=0.9),
    "adam": torch.optim.Adam,
}
KEPT = {"sgd": {}, "momentum": {"momentum_buffer": "v"}, "adam": {"exp_avg": "m", "exp_avg_sq": "v"}}


def forward_and_backward() -> Iterator[Case]:
    """Cells × predict × loss; over each four cells the four pairs of reduction and lengths, so that all combinations stand."""
    for (c, cell), (k, (predict, loss)) in product(enumerate(CELLS), enumerate(product(("last", "every"), LOSSES))):
        ragged, summed = divmod((c + k) % 4, 2)
        reduction, dtype = ("mean", "sum")[summed], ("float64", "float64", "float32")[(c + k // 2) % 3]
        options = {**cell, "predict": predict, "loss": loss, "reduction": reduction, "dtype": dtype}
        words = [*cell.values(), predict, loss, reduction, *(["lengths"] if ragged else []), dtype]
        yield Case("-".join(words), options, bool(ragged), (3, 5, 1, 4, 1 if loss == "binary" else 2))


def truncated() -> Iterator[Case]:
    """Both meanings, with and without a loss at every step; half of them with lengths."""
    for (c, cell), (k, (way, predict)) in product(
        enumerate((CELLS[0], CELLS[2], CELLS[3])), enumerate(product(("window", "chunk"), ("last", "every")))
    ):
        ragged = (c + k + k // 2) % 2 == 0
        options = {**cell, "predict": predict, "dtype": "float64", "truncate": 2, "truncate_by": way}
        words = [*cell.values(), way, predict, *(["lengths"] if ragged else [])]
        yield Case("-".join(words), options, ragged, (3, 6, 1, 4, 2))


def trained() -> Iterator[Case]:
    """Optimizers × clipping, each pair with one cell. The bounds are passed in some steps, or by some entries, and not in others."""
    clips = ({}, {"clip_norm": 0.1}, {"clip_value": 0.02})
    for (k, optimizer), (c, clip) in product(enumerate(OPTIMIZERS), enumerate(clips)):
        cell = (CELLS[0], CELLS[2], CELLS[3])[(k + c) % 3]
        options = {
            **cell,
            "dtype": "float64",
            "optimizer": optimizer,
            "lr": 0.05 if optimizer == "adam" else 0.5,
            **clip,
        }
        yield Case("-".join(["training", cell["cell"], optimizer, *clip]), options, sizes=(3, 4, 1, 2, 2))


# Files


def parameter_shapes(case: Case) -> dict[str, tuple[int, ...]]:
    _, _, D, H, C = case.sizes
    own: dict[str, tuple[int, ...]] = {"Wx": (D, H), "Wa": (H, H), "ba": (H,)}
    if case.cell != "rnn":
        own = {k: v for q in GATES[case.cell] for k, v in {f"Wx{q}": (D, H), f"Wh{q}": (H, H), f"b{q}": (H,)}.items()}
    return {**own, **({"bhn": (H,)} if case.cell == "gru" else {}), "Wy": (H, C), "by": (C,)}


def values_of(case: Case, seed: int) -> Values:
    """Drawn by NumPy. What stands in padded places is as good as any other value: none of it may matter."""
    (B, T, D, H, C), rng = case.sizes, np.random.default_rng(seed)
    kind = getattr(torch, case.dtype)

    def tensor(array: Any) -> Tensor:
        return torch.tensor(array, dtype=kind)

    entries = (B, T) if case.predict == "every" else (B,)
    squared = case.loss == "squared"
    return Values(
        tensor(rng.normal(size=(B, T, D))).requires_grad_(),
        tensor(rng.normal(size=(*entries, C))) if squared else torch.tensor(rng.integers(0, max(C, 2), entries)),
        torch.tensor(rng.permutation([T, *rng.integers(1, T, B - 1)]) if case.ragged else [T] * B),
        {s: tensor(0.7 * rng.normal(size=(B, H))).requires_grad_() for s in STATES[case.cell]},
        {n: tensor(rng.uniform(-0.9, 0.9, s)).requires_grad_() for n, s in parameter_shapes(case).items()},
    )


def train(case: Case, values: Values) -> dict[str, Any]:
    """Parameters before and after every step (6, ...), gradients before and after clipping, norms, the optimizer's averages (5, ...)."""
    found: dict[str, list[Any]] = {name: [weight.detach().numpy().copy()] for name, weight in values.weights.items()}
    optimizer = OPTIMIZERS[case.optimizer](values.weights.values(), lr=case.lr)

    def note(name: str, tensor: Tensor) -> None:
        found.setdefault(name, []).append(tensor.detach().numpy().copy())

    for _ in range(STEPS_TRAINED):
        optimizer.zero_grad()
        *_, (_, _, loss) = run(case, values)
        note("loss", loss)
        for name, weight in values.weights.items():
            note(f"d{name}", weight.grad)
        if case.clip_norm:
            note("gnorm", torch.nn.utils.clip_grad_norm_(values.weights.values(), case.clip_norm))
        if case.clip_value:
            torch.nn.utils.clip_grad_value_(values.weights.values(), case.clip_value)
        optimizer.step()
        for name, weight in values.weights.items():
            note(name, weight)
            if case.clip_norm or case.clip_value:
                note(f"d{name}_clipped", weight.grad)
            for key, letter in KEPT[case.optimizer].items():
                note(f"{letter}{name}", optimizer.state[weight][key])
    return {name: np.array(rows) for name, rows in found.items()}


def together(arrays: dict[str, Any]) -> Any:
    """One record with a field an array: in an NPZ file an array of its own takes as much room as the numbers in it."""
    record = np.zeros((), [(name, array.dtype, array.shape) for name, array in arrays.items()])
    for name, array in arrays.items():
        record[name] = array
    return record


def main() -> None:
    assert torch.__version__.split("+")[0] == VERSION, (
        f"these traces are PyTorch {VERSION}'s, not {torch.__version__}'s"
    )
    torch.set_num_threads(1)
    for path in HERE.glob("*.npz"):
        path.unlink()
    HERE.mkdir(exist_ok=True)
    for number, case in enumerate((*forward_and_backward(), *truncated(), *trained())):
        values = values_of(case, number)
        data: dict[str, Any] = {"X": values.X.detach(), "y": values.y}
        data |= {"lengths": values.lengths} if case.ragged else {}
        data |= {f"{name}0": state.detach() for name, state in values.initial.items()}
        data |= {name: weight.detach() for name, weight in values.weights.items()}
        data = {name: value.numpy().copy() for name, value in data.items()}
        if case.optimizer:
            found = train(case, values)
        else:
            found = trace(case, values)
            verify(case, values, found)
        np.savez_compressed(
            HERE / f"{case.name}.npz", options=json.dumps(case.options), trace=together({**data, **found})
        )
    size = sum(path.stat().st_size for path in HERE.iterdir())
    print(f"{number + 1} files, {size / 1000:.0f} kB, in {HERE}")


if __name__ == "__main__":
    main()
