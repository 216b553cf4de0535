"""PyTorch played by NumPy: its recurrent layers by the formulas of its documentation, on state_dict's arrays as they are (stacked, for
column vectors), and small stand-ins for tensors and modules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
GATES = {"rnn": 1, "gru": 3, "lstm": 4}


def state(
    cell: str, inputs: int = 2, hidden: int = 3, *, bias: bool = True, dtype: str = "float64", seed: int = 0
) -> dict[str, Array]:
    """A layer's state_dict with nothing alike in it."""
    rng = np.random.default_rng(seed)
    rows = GATES[cell] * hidden
    shapes: dict[str, tuple[int, ...]] = {"weight_ih_l0": (rows, inputs), "weight_hh_l0": (rows, hidden)}
    if bias:
        shapes |= {"bias_ih_l0": (rows,), "bias_hh_l0": (rows,)}
    return {name: rng.normal(size=shape).astype(dtype) for name, shape in shapes.items()}


def linear(hidden: int = 3, outputs: int = 2, *, bias: bool = True, dtype: str = "float64") -> dict[str, Array]:
    """A linear layer's state_dict."""
    rng = np.random.default_rng(99)
    arrays = {"weight": rng.normal(size=(outputs, hidden)), "bias": rng.normal(size=outputs)}
    return {name: array.astype(dtype) for name, array in arrays.items() if bias or name == "weight"}


def model(
    cell: str, *, prefixes: tuple[str, str] = ("rnn.", "fc."), bias: bool = True, **options: Any
) -> dict[str, Array]:
    """The state_dict of a module that holds both."""
    dtype = options.get("dtype", "float64")
    first, second = state(cell, bias=bias, **options), linear(bias=bias, dtype=dtype)
    return {prefixes[0] + k: v for k, v in first.items()} | {prefixes[1] + k: v for k, v in second.items()}


def sigmoid(z: Array) -> Array:
    return 1 / (1 + np.exp(-z))


def hidden_states(cell: str, arrays: Mapping[str, Array], X: Array, nonlinearity: str = "tanh") -> Array:
    """h_1 … h_T, (T, B, H), from X (B, T, D)."""
    W_ih, W_hh = arrays["weight_ih_l0"], arrays["weight_hh_l0"]
    b_ih, b_hh = (arrays.get(name, np.zeros(len(W_ih))) for name in ("bias_ih_l0", "bias_hh_l0"))
    h = c = np.zeros((len(X), W_hh.shape[1]))
    states: list[Array] = []
    for t in range(X.shape[1]):
        first, second = X[:, t] @ W_ih.T + b_ih, h @ W_hh.T + b_hh
        if cell == "rnn":
            h = {"tanh": np.tanh, "relu": lambda z: np.maximum(z, 0)}[nonlinearity](first + second)
        elif cell == "lstm":
            i, f, g, o = np.split(first + second, 4, axis=1)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
        else:
            (ir, iz, in_), (hr, hz, hn) = np.split(first, 3, axis=1), np.split(second, 3, axis=1)
            r, z = sigmoid(ir + hr), sigmoid(iz + hz)
            n = np.tanh(in_ + r * hn)
            h = (1 - z) * n + z * h
        states.append(h)
    return np.array(states)


def logits(h: Array, arrays: Mapping[str, Array]) -> Array:
    """The linear layer on h_T."""
    return h[-1] @ arrays["weight"].T + arrays.get("bias", 0.0)


class Tensor:
    """What a tensor with a gradient does: only detached and on the CPU it turns into an array."""

    def __init__(self, array: Array, steps: tuple[str, ...] = ()) -> None:
        self.array, self.steps, self.dtype = array, steps, f"torch.{array.dtype}"

    def detach(self) -> Tensor:
        return Tensor(self.array, (*self.steps, "detach"))

    def cpu(self) -> Tensor:
        return Tensor(self.array, (*self.steps, "cpu"))

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        if self.steps != ("detach", "cpu"):
            raise TypeError("Can't convert a cuda tensor that requires grad; use Tensor.detach().cpu() first")
        if self.dtype == "torch.complex64":
            raise TypeError("Got unsupported ScalarType BFloat16")
        return self.array


class Module:
    """A torch.nn module as far as it is looked at."""

    def __init__(self, arrays: dict[str, Array], **attributes: Any) -> None:
        self.arrays = arrays
        self.__dict__ |= {"num_layers": 1, "bidirectional": False, "proj_size": 0, "batch_first": True, **attributes}

    def state_dict(self) -> dict[str, Tensor]:
        return {name: Tensor(array) for name, array in self.arrays.items()}


def modules(cell: str = "rnn", *, dtype: str = "float64", **attributes: Any) -> tuple[Module, Module]:
    """A layer of 2 inputs and 3 units, and its read-out of 2 outputs."""
    return Module(state(cell, dtype=dtype), **attributes), Module(linear(dtype=dtype))


class Trained(Module):
    """A module with the hooks and the call that torch's have."""

    def __init__(self, arrays: dict[str, Array], call: Any, **attributes: Any) -> None:
        super().__init__(arrays, **attributes)
        self.call, self.training = call, True
        self.hooks: dict[str, list[tuple[Any, bool]]] = {"before": [], "after": []}
        self.leaves = {name: Leaf(array) for name, array in arrays.items()}

    def _hook(self, when: str, hook: tuple[Any, bool]) -> Any:
        self.hooks[when].append(hook)
        return _Handle(self.hooks[when], hook)

    def register_forward_pre_hook(self, hook: Any, *, with_kwargs: bool = False) -> Any:
        return self._hook("before", (hook, with_kwargs))

    def register_forward_hook(self, hook: Any, *, with_kwargs: bool = False) -> Any:
        return self._hook("after", (hook, with_kwargs))

    def parameters(self) -> list[Leaf]:
        return list(self.leaves.values())

    def state_dict(self) -> dict[str, Any]:
        return self.leaves

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        for hook, with_kwargs in list(self.hooks["before"]):
            instead = hook(self, arguments, *([named] if with_kwargs else []))
            arguments, named = (arguments, named) if instead is None else instead
        output = self.call(self, *arguments, **named)
        for hook, with_kwargs in list(self.hooks["after"]):
            instead = hook(self, arguments, *([named] if with_kwargs else []), output)
            output = output if instead is None else instead
        return output


class Leaf(np.ndarray[Any, Any]):
    """A parameter, or any tensor that only has to be copied: an array with the names of torch's methods."""

    hooks: list[Any]
    requires_grad = True

    def __new__(cls, array: Any) -> Leaf:
        return np.asarray(array).view(cls)

    def __array_finalize__(self, _: Any) -> None:
        self.hooks = []

    def detach(self) -> Leaf:
        return self

    def cpu(self) -> Leaf:
        return self

    def clone(self) -> Leaf:
        return Leaf(self.copy())

    def register_hook(self, hook: Any) -> Any:
        self.hooks.append(hook)
        return _Handle(self.hooks, hook)


class _Handle:
    def __init__(self, hooks: list[Any], hook: Any) -> None:
        self.hooks, self.hook = hooks, hook

    def remove(self) -> None:
        self.hooks.remove(self.hook)


def both_directions(cell: str, arrays: Mapping[str, Array], X: Array) -> Array:
    """The outputs of a layer in as many directions as its arrays are of, (B, T, H) or (B, T, 2H)."""
    states = [hidden_states(cell, arrays, X)]
    if "weight_ih_l0_reverse" in arrays:
        back = {name.removesuffix("_reverse"): array for name, array in arrays.items() if name.endswith("_reverse")}
        states.append(hidden_states(cell, back, X[:, ::-1])[::-1])
    return np.swapaxes(np.concatenate(states, axis=2), 0, 1)


def network(
    cell: str = "lstm",
    *,
    embedding: Array | None = None,
    every: bool = False,
    outputs: int = 2,
    bidirectional: bool = False,
) -> Trained:
    """A module of one's own: perhaps an embedding, a layer of 3 units, a linear layer on its last output (of two directions each its own)
    or on all of them."""
    sizes = {"input_size": 2, "hidden_size": 3, "bidirectional": bidirectional}
    arrays = state(cell)
    if bidirectional:
        arrays |= {f"{name}_reverse": array for name, array in state(cell, seed=1).items()}
    width = 6 if bidirectional else 3
    rnn = Trained(arrays, lambda self, input, hx=None: both_directions(cell, self.leaves, np.asarray(input)), **sizes)
    fc = Trained(
        linear(width, outputs=outputs),
        lambda self, h: h @ self.leaves["weight"].T + self.leaves["bias"],
        in_features=width,
        out_features=outputs,
    )
    parts = {"rnn": rnn, "fc": fc}
    if embedding is not None:
        parts["emb"] = Trained(
            {"weight": embedding}, lambda self, X: embedding[X], num_embeddings=len(embedding), embedding_dim=2
        )
        parts["emb"].weight = Leaf(embedding)

    def forward(self: Trained, X: Any) -> Any:
        h = rnn(parts["emb"](np.asarray(X)) if "emb" in parts else Leaf(X))
        last = np.concatenate([h[:, -1, :3], h[:, 0, 3:]], axis=1)
        return fc(h if every else last)

    whole = Trained({}, forward)
    whole.named_modules = lambda: [("", whole), *parts.items()]
    whole.parameters = lambda: [leaf for part in parts.values() for leaf in part.parameters()]
    whole.parts = parts
    return whole
