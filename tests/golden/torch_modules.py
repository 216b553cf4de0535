"""The same networks by torch.nn's own modules, to hold the stepped ones against before a trace is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_steps import GATES, STATES, Case, Values, cut_off, entries


@dataclass
class Modules:
    """torch.nn's RNN, LSTM or GRU and Linear with the weights of a case."""

    case: Case
    values: Values

    def __post_init__(self) -> None:
        case, W = self.case, {name: weight.detach() for name, weight in self.values.weights.items()}
        _, _, D, H, C = case.sizes
        kind = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[case.cell]
        options = {"nonlinearity": case.activation} if case.cell == "rnn" else {}
        self.recurrent = kind(D, H, batch_first=True, dtype=self.values.X.dtype, **options)
        self.linear = torch.nn.Linear(H, C, dtype=self.values.X.dtype)
        self.names = (
            [("Wx", "Wa", "ba")] if case.cell == "rnn" else [(f"Wx{q}", f"Wh{q}", f"b{q}") for q in GATES[case.cell]]
        )
        second = [torch.zeros(H) for _ in self.names[:-1]] + [W["bhn"] if case.cell == "gru" else torch.zeros(H)]
        with torch.no_grad():
            self.recurrent.weight_ih_l0.copy_(torch.cat([W[x].T for x, _, _ in self.names]))
            self.recurrent.weight_hh_l0.copy_(torch.cat([W[h].T for _, h, _ in self.names]))
            self.recurrent.bias_ih_l0.copy_(torch.cat([W[b] for _, _, b in self.names]))
            self.recurrent.bias_hh_l0.copy_(torch.cat(second))
            self.linear.weight.copy_(W["Wy"].T)
            self.linear.bias.copy_(W["by"])
        criterion = {"cross-entropy": "CrossEntropyLoss", "binary": "BCEWithLogitsLoss", "squared": "MSELoss"}
        self.criterion = getattr(torch.nn, criterion[case.loss])
        self.X = self.values.X.detach().clone().requires_grad_()
        self.initial = [self.values.initial[s].detach().clone().requires_grad_() for s in STATES[case.cell]]

    def run(self, X: Any, states: list[Tensor]) -> tuple[Any, list[Tensor]]:
        rows = [state[None] for state in states]
        output, final = self.recurrent(X, tuple(rows) if self.case.cell == "lstm" else rows[0])
        return output, [state[0] for state in (final if self.case.cell == "lstm" else (final,))]

    def loss(self, output: Tensor, y: Tensor, reduction: str) -> Tensor:
        logits = self.linear(output)
        if self.case.loss == "binary":
            return self.criterion(reduction=reduction)(logits[:, 0], y.to(logits.dtype))
        return self.criterion(reduction=reduction)(logits, y)

    def gradients(self) -> dict[str, Tensor]:
        weights = (self.recurrent.weight_ih_l0, self.recurrent.weight_hh_l0, self.recurrent.bias_ih_l0)
        rows = [torch.chunk(weight.grad, len(self.names)) for weight in weights]
        found = {
            name: part.T if part.ndim == 2 else part
            for own, parts in zip(zip(*self.names, strict=True), rows, strict=True)
            for name, part in zip(own, parts, strict=True)
        }
        found |= {"Wy": self.linear.weight.grad.T, "by": self.linear.bias.grad, "x": self.X.grad.transpose(0, 1)}
        if self.case.cell == "gru":
            found["bhn"] = torch.chunk(self.recurrent.bias_hh_l0.grad, 3)[-1]
        return found | {s: tensor.grad for s, tensor in zip(STATES[self.case.cell], self.initial, strict=True)}

    def at_once(self) -> Tensor:
        """All samples together, in a packed sequence, with the loss module's own reduction; knows no truncation."""
        mask, y = self.values.mask.T, self.values.y
        packed = torch.nn.utils.rnn.pack_padded_sequence(
            self.X, self.values.lengths, batch_first=True, enforce_sorted=False
        )
        output, final = self.run(packed, self.initial)
        if self.case.predict == "every":
            output = torch.nn.utils.rnn.pad_packed_sequence(output, batch_first=True)[0]
            return self.loss(output[mask], y[mask], self.case.reduction)
        return self.loss(final[0], y, self.case.reduction)

    def one_by_one(self) -> Tensor:
        """Each sample's each loss alone: the module starts where that loss is cut off, from a state that is only a number."""
        total = torch.zeros(())
        for b, length in enumerate(self.values.lengths.tolist()):
            for s in range(1, length + 1) if self.case.predict == "every" else [length]:
                cut, states = cut_off(self.case, s), [state[b : b + 1] for state in self.initial]
                if cut > 1:
                    states = self.run(self.X[b : b + 1, : cut - 1], states)[1]
                if cut:
                    states = [state.detach() for state in states]
                output, _ = self.run(self.X[b : b + 1, max(0, cut - 1) : s], states)
                y = self.values.y[b : b + 1]
                y = y[:, s - 1] if self.case.predict == "every" else y
                total = total + self.loss(output[:, -1], y, "sum") / entries(self.case, self.values)
        return total


def verify(case: Case, values: Values, found: dict[str, Any]) -> None:
    """Raises AssertionError unless torch.nn's modules give the trace's loss and gradients."""
    tolerance = 1e-12 if case.dtype == "float64" else 2e-6
    for way in (Modules.one_by_one,) if case.truncate else (Modules.one_by_one, Modules.at_once):
        modules = Modules(case, values)
        loss = way(modules)
        loss.backward()
        pairs = {"loss": (found["loss"], loss.detach())}
        for name, gradient in modules.gradients().items():
            own = found[f"d{name}"]
            pairs[f"d{name}"] = (own[0] if name in values.initial else own, gradient)
        for name, (own, theirs) in pairs.items():
            theirs = np.zeros_like(own) if theirs is None else theirs.numpy()
            error = np.abs(own - theirs).max() / max(np.abs(theirs).max(), 1e-3)
            assert own.shape == theirs.shape and error <= tolerance, f"{case.name}: {name} is off by {error:.1e}"
