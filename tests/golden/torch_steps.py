"""Small recurrent networks stepped by hand in PyTorch, in the project's names, every intermediate kept with its gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

STATES = {"rnn": ("a",), "lstm": ("h", "c"), "gru": ("h",)}
GATES = {"rnn": ("",), "lstm": ("i", "f", "g", "o"), "gru": ("r", "z", "n")}  # in PyTorch's order


@dataclass(frozen=True)
class Case:
    """One file: the options are engine.Network's."""

    name: str
    options: dict[str, Any]
    ragged: bool = False
    sizes: tuple[int, int, int, int, int] = (3, 5, 1, 4, 2)  # B T D H C, no two alike

    def __getattr__(self, option: str) -> Any:
        defaults = {"activation": "tanh", "predict": "last", "loss": "cross-entropy", "reduction": "mean"}
        return self.options.get(option, defaults.get(option))


@dataclass(frozen=True)
class Values:
    """The data and weights of a case; `mask` (T, B) says which steps a sample has."""

    X: Tensor
    y: Tensor
    lengths: Tensor
    initial: dict[str, Tensor]
    weights: dict[str, Tensor]

    @property
    def mask(self) -> Tensor:
        return torch.arange(self.X.shape[1])[:, None] < self.lengths


@dataclass
class Graph:
    """Every intermediate by name, a row a step; `a/out`, `a/next` and `a/full` are places on the ways out of a state."""

    rows: dict[str, list[Tensor]] = field(default_factory=dict)

    def keep(self, name: str, tensor: Tensor) -> Tensor:
        tensor.retain_grad()
        self.rows.setdefault(name, []).append(tensor)
        return tensor


# The networks, step by step


def rnn(case: Case, keep: Callable[..., Tensor], state: Callable[..., Tensor], x: Tensor, prev: Any, W: Any) -> None:
    z = keep("z", x @ W["Wx"] + prev["a"] @ W["Wa"] + W["ba"])
    state("a", getattr(torch, case.activation)(z))


def lstm(case: Case, keep: Callable[..., Tensor], state: Callable[..., Tensor], x: Tensor, prev: Any, W: Any) -> None:
    z = {q: keep(f"z{q}", x @ W[f"Wx{q}"] + prev["h"] @ W[f"Wh{q}"] + W[f"b{q}"]) for q in "ifgo"}
    i, f, g, o = (keep(q, (torch.tanh if q == "g" else torch.sigmoid)(z[q])) for q in "ifgo")
    c = state("c", f * prev["c"] + i * g)
    state("h", o * keep("tanh_c", torch.tanh(c)))


def gru(case: Case, keep: Callable[..., Tensor], state: Callable[..., Tensor], x: Tensor, prev: Any, W: Any) -> None:
    r, z = (keep(q, torch.sigmoid(keep(f"z{q}", x @ W[f"Wx{q}"] + prev["h"] @ W[f"Wh{q}"] + W[f"b{q}"]))) for q in "rz")
    hn = keep("hn", prev["h"] @ W["Whn"] + W["bhn"])
    n = keep("n", torch.tanh(keep("zn", x @ W["Wxn"] + W["bn"] + r * hn)))
    state("h", (1 - z) * n + z * prev["h"])


STEP = {"rnn": rnn, "lstm": lstm, "gru": gru}


def forward(case: Case, values: Values, cut: Tensor) -> tuple[Graph, list[Tensor]]:
    """The graph, and what each step's loss adds to the whole. Where `cut` (T, B) holds, nothing flows back from that step."""
    graph, losses, mask = Graph(), [], values.mask
    states = {name: graph.keep(name, initial.clone()) for name, initial in values.initial.items()}
    for t, x in enumerate(values.X.unbind(1)):
        valid, blocked = mask[t, :, None], cut[t, :, None]
        read = {s: graph.keep(f"{s}/next", value.clone()) for s, value in states.items()}
        prev = {s: graph.keep(f"{s}/full", torch.where(blocked, v.detach(), v)) for s, v in read.items()}
        out: dict[str, Tensor] = {}

        def state(name: str, new: Tensor, valid: Tensor = valid, prev: Any = prev, out: Any = out) -> Tensor:
            states[name] = graph.keep(name, torch.where(valid, new, prev[name]))
            out[name] = graph.keep(f"{name}/out", states[name].clone())
            return out[name]

        STEP[case.cell](case, graph.keep, state, graph.keep("x", x.clone()), prev, values.weights)
        if case.predict == "every" or t == len(mask) - 1:
            logits = graph.keep("logits", out[STATES[case.cell][0]] @ values.weights["Wy"] + values.weights["by"])
            y, counted = (values.y[:, t], mask[t]) if case.predict == "every" else (values.y, mask[0])
            losses.append((counted * each(case, logits, y)).sum() / entries(case, values))
    return graph, losses


def each(case: Case, logits: Tensor, y: Tensor) -> Tensor:
    """A loss a sample, (B,)."""
    if case.loss == "squared":
        return ((logits - y) ** 2).sum(1)
    if case.loss == "binary":
        return functional.binary_cross_entropy_with_logits(logits[:, 0], y.to(logits.dtype), reduction="none")
    return functional.cross_entropy(logits, y, reduction="none")


def entries(case: Case, values: Values) -> int:
    """What the loss is divided by."""
    count = int(values.mask.sum()) if case.predict == "every" else len(values.y)
    return 1 if case.reduction == "sum" else count * (case.sizes[-1] if case.loss == "squared" else 1)


def cut_off(case: Case, s: int) -> int:
    """The step behind which the loss at step s sees nothing; 0 when it sees everything, the initial state included."""
    if not case.truncate:
        return 0
    if case.truncate_by == "chunk":
        return s - (s - 1) % case.truncate if s > case.truncate else 0
    return max(0, s - case.truncate)


def passes(case: Case, values: Values) -> Iterator[tuple[Tensor, slice]]:
    """The backward passes to add up: where each is cut, and which steps' losses it starts from.

    One is enough unless every step has a loss that reaches back a window of its own.
    """
    mask, steps = values.mask, torch.arange(1, case.sizes[1] + 1)[:, None]
    if case.truncate_by == "window" and case.predict == "every":
        for s in range(1, len(steps) + 1):
            yield mask & (steps == cut_off(case, s)), slice(s - 1, s)
    elif case.truncate_by == "chunk":
        yield mask & (steps > 1) & ((steps - 1) % case.truncate == 0), slice(None)
    else:
        yield mask & (steps == torch.tensor([cut_off(case, int(s)) for s in values.lengths])), slice(None)


def run(case: Case, values: Values) -> Iterator[tuple[Graph, Tensor, Tensor]]:
    """Forward and backward, pass by pass: the graph with gradients, where it was cut, the whole loss."""
    for cut, started in passes(case, values):
        graph, losses = forward(case, values, cut)
        torch.stack(losses[started]).sum().backward()
        yield graph, cut, torch.stack(losses).sum()


# Traces


def numbers(tensors: list[Tensor | None], like: Tensor) -> Any:
    return torch.stack([torch.zeros_like(like) if t is None else t.detach() for t in tensors]).numpy()


def trace(case: Case, values: Values) -> dict[str, Any]:
    """Every quantity and its gradient by the contract's names, the loss, and the gradients of weights."""
    result: dict[str, Any] = {}
    for graph, cut, loss in run(case, values):
        result["loss"] = loss.detach().numpy()
        for name, rows in graph.rows.items():
            if "/" not in name:
                result[name] = numbers(rows, rows[0])
            gradients = numbers([row.grad for row in rows], rows[0])
            for key, value in flows(name, gradients, cut.numpy()).items():
                if case.truncate or not key.endswith(("_full", "_cut")):
                    result[key] = result.get(key, 0) + value
    if case.predict == "last":
        result |= {name: result[name][0] for name in ("logits", "dlogits")}
    logits = torch.tensor(result["logits"])
    if case.loss != "squared":
        result["p"] = (torch.sigmoid(logits) if case.loss == "binary" else torch.softmax(logits, -1)).numpy()
    if case.ragged:
        result["mask"] = values.mask.to(logits.dtype).numpy()
    return result | {f"d{name}": weight.grad.numpy() for name, weight in values.weights.items()}


def flows(name: str, gradients: Any, cut: Any) -> dict[str, Any]:
    """The gradients at one place of the graph by the contract's names; flows are given as many rows as the state has."""
    base, _, place = name.partition("/")
    zero = np.zeros_like(gradients[:1])
    if place == "full":
        removed = gradients * cut[:, :, None]
        return {f"d{base}_full": np.concatenate([gradients, zero]), f"d{base}_cut": np.concatenate([removed, zero])}
    if place:
        rows = [zero, gradients] if place == "out" else [gradients, zero]
        return {f"d{base}_{place}": np.concatenate(rows)}
    return {f"d{base}": gradients}
