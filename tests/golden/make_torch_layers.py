"""Writes what torch.nn's own modules of several layers and two directions give: tests/golden/torch-layers.npz, read by
tests/engine/recording/test_against_torch_layers.py.

    pip install torch==2.14.1 numpy
    python tests/golden/make_torch_layers.py

For each case: the options (JSON), X, y, lengths, the initial states, the state_dict, loss, dx, and the gradient of every entry of the
state_dict and of the initial states. Where a module drops what its layers hand on, the masks that it drew are stored too: the same draws
are made once more from the same seed, and layers stepped one by one with these masks must give what the module gave.
"""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from make_torch_traces import together
from torch import Tensor

VERSION = "2.14.1"
FILE = Path(__file__).parent / "torch-layers.npz"
SAMPLES, STEPS, INPUTS, UNITS, OUTPUTS, WIDE = 3, 4, 2, 2, 2, 3
"""UNITS is what a layer hands on; one that is projected has WIDE units."""
CELLS = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}
PROJECTED = "lstmp"
DROPOUT = 0.4


def cases() -> list[dict[str, Any]]:
    """Cells × layers × directions; predictions, losses and lengths take turns, so that each meets each cell and direction. Then dropout."""
    made = [
        {"cell": cell, "layers": layers, "bidirectional": both}
        for cell, layers, both in product(CELLS, (1, 2, 3, 4), (False, True))
    ]
    for number, case in enumerate(made):
        turn = number // 2 + number % 2
        case |= {"predict": ("last", "every")[turn % 2], "loss": ("cross-entropy", "squared")[turn // 2 % 2]}
        case |= {"ragged": (number + number // 4) % 2 == 1, "dropout": None}
    dropped = [{"cell": cell, "layers": 2, "bidirectional": False, "dropout": DROPOUT} for cell in CELLS]
    further = [{**case, "predict": "every", "loss": "squared", "ragged": False} for case in dropped]
    projected = [{**case, "cell": PROJECTED} for case in made if case["cell"] == "lstm" and case["layers"] < 3]
    return [*made, *further, *projected]


def loss_of(case: dict[str, Any], logits: Tensor, y: Tensor) -> Tensor:
    criterion = torch.nn.CrossEntropyLoss() if case["loss"] == "cross-entropy" else torch.nn.MSELoss()
    return criterion(logits, y)


def read(case: dict[str, Any], rnn: Any, linear: Any, X: Tensor, initial: Any, lengths: Tensor) -> tuple[Tensor, Any]:
    """The logits of all that counts, and where that is among (sample, step)."""
    packed = torch.nn.utils.rnn.pack_padded_sequence(X, lengths, batch_first=True, enforce_sorted=False)
    output, final = rnn(packed if case["ragged"] else X, initial)
    if case["predict"] == "last":
        state = final[0] if isinstance(final, tuple) else final
        ends = state[-2:] if case["bidirectional"] else state[-1:]
        return linear(torch.cat(tuple(ends), dim=1)), slice(None)
    if case["ragged"]:
        output = torch.nn.utils.rnn.pad_packed_sequence(output, batch_first=True)[0]
    counts = torch.arange(STEPS) < lengths[:, None]
    return linear(output[counts]), counts


def masks_of(case: dict[str, Any], rnn: Any, X: Tensor, initial: Any, seed: int) -> dict[str, Tensor]:
    """The masks that a module drew of the seed, (T, B, H) each; AssertionError where they do not give what it gave."""
    torch.manual_seed(seed)
    wanted, _ = rnn(X, initial)
    torch.manual_seed(seed)
    drawn = torch.empty(STEPS, SAMPLES, UNITS, dtype=X.dtype).bernoulli_(1 - DROPOUT) / (1 - DROPOUT)
    handed = X
    for layer in range(2):
        alone = CELLS[case["cell"]](handed.shape[-1], UNITS, batch_first=True, dtype=X.dtype)
        own = {name.replace("_l0", f"_l{layer}"): name for name in alone.state_dict()}
        alone.load_state_dict({own[name]: value for name, value in rnn.state_dict().items() if name in own})
        part = slice(layer, layer + 1)
        states = tuple(s[part] for s in initial) if case["cell"] == "lstm" else initial[part]
        handed, _ = alone(handed, states)
        handed = handed * drawn.transpose(0, 1) if layer == 0 else handed
    assert torch.allclose(handed, wanted, rtol=0, atol=1e-12), "these are not the masks that were drawn"
    return {"keep1": drawn}


def numbers_of(case: dict[str, Any], seed: int) -> dict[str, Any]:
    torch.manual_seed(seed)
    count = case["layers"] * (2 if case["bidirectional"] else 1)
    projected = case["cell"] == PROJECTED
    units = WIDE if projected else UNITS
    rnn = CELLS["lstm" if projected else case["cell"]](
        INPUTS,
        units,
        case["layers"],
        batch_first=True,
        bidirectional=case["bidirectional"],
        dropout=case["dropout"] or 0,
        **({"proj_size": UNITS} if projected else {}),
    ).double()
    linear = torch.nn.Linear(UNITS * (2 if case["bidirectional"] else 1), OUTPUTS).double()
    X = torch.randn(SAMPLES, STEPS, INPUTS, dtype=torch.double, requires_grad=True)
    states = {
        f"{name}0": (0.7 * torch.randn(count, SAMPLES, width, dtype=torch.double)).requires_grad_()
        for name, width in {"rnn": {"a": UNITS}, "gru": {"h": UNITS}}.get(
            case["cell"], {"h": UNITS, "c": units}
        ).items()
    }
    lengths = torch.tensor([STEPS, 2, 3] if case["ragged"] else [STEPS] * SAMPLES)
    entries = (SAMPLES, STEPS) if case["predict"] == "every" else (SAMPLES,)
    squared = case["loss"] == "squared"
    y = torch.randn(*entries, OUTPUTS, dtype=torch.double) if squared else torch.randint(0, OUTPUTS, entries)
    initial = tuple(states.values()) if len(states) > 1 else next(iter(states.values()))
    masks = masks_of(case, rnn, X, initial, seed) if case["dropout"] else {}
    torch.manual_seed(seed)
    logits, counted = read(case, rnn, linear, X, initial, lengths)
    loss = loss_of(case, logits, y[counted])
    loss.backward()
    weights = dict([*rnn.named_parameters(prefix="rnn"), *linear.named_parameters(prefix="fc")])
    found: dict[str, Any] = {"X": X, "y": y, "lengths": lengths, **states, **weights, **masks, "loss": loss}
    found |= {f"d{name}": value.grad for name, value in {**states, **weights}.items()}
    found["dx"] = X.grad.transpose(0, 1)
    return {name: value.detach().numpy().copy() for name, value in found.items()}


def main() -> None:
    assert torch.__version__.split("+")[0] == VERSION, (
        f"these are PyTorch {VERSION}'s numbers, not {torch.__version__}'s"
    )
    torch.set_num_threads(1)
    stored: dict[str, Any] = {}
    for number, case in enumerate(cases()):
        stored[f"case{number}"] = together(numbers_of(case, number))
    np.savez_compressed(FILE, cases=json.dumps(cases()), **stored)
    print(f"{len(stored)} cases, {FILE.stat().st_size / 1000:.0f} kB, in {FILE}")


if __name__ == "__main__":
    main()
