"""Watches torch modules while their own program trains them: the last iterations are kept, and one is recorded when something happens.

    with Watch(model, criterion, gradient_norm=100) as watched:
        for x, y in batches:
            loss = criterion(model(x), y)
            ...

What is kept of an iteration are copies: the inputs, the weights that they met, the targets, the loss. Nothing is computed with them
before one is looked at. torch is never imported.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, cast

from engine.debug.breakpoints import condition_of, everywhere
from engine.errors import InputError
from engine.files.trace import write_trace
from engine.in_memory import session_of
from engine.language.functions import Array
from engine.model.network import Network
from engine.model.pytorch import as_array
from engine.model.torch_parts import TorchParts, parts_of, unpacked
from engine.session import Session

LEARNT = 1e-3
"""A loss is better than the best one when it is lower by this share of it."""
CRITERIA = {"CrossEntropyLoss": "cross-entropy", "BCEWithLogitsLoss": "binary", "MSELoss": "squared"}


@dataclass(eq=False)
class Watched:
    """One iteration as it was kept: what the recurrent layer was given, the weights it met, and what became of it."""

    number: int
    inputs: Any
    initial: Any
    weights: tuple[dict[str, Any], dict[str, Any]]
    every: bool = False
    targets: Any = None
    loss: float = math.nan
    squares: list[Any] = field(default_factory=list[Any])
    """‖gradient‖² of each parameter, as the backward pass reached it."""


class _StopTraining(BaseException):
    """Leaves the user's loop, through whatever errors it handles itself; it never leaves the `with` statement."""


class Watch:
    """Keeps the last `keep` iterations of a training loop, and ends it at the first one at which something happens.

    What may happen: the loss is not finite; the norm of all gradients exceeds `gradient_norm`; the loss has not become better for `plateau`
    iterations; `when`, a condition of our language ("norm(dh@1) < 1e-6"), holds in the recording, which is then made of every iteration;
    Ctrl+C. The iteration is written to `path` as a trace, and handed to `found` with the reason. `model` is a module with one recurrent and
    one linear layer, or both as a tuple; `criterion` is torch's loss module; without it, `step(loss, y)` tells loss and targets. `options`
    are those of `engine.Network` that the modules leave open. Raises InputError for what cannot be watched.
    """

    def __init__(
        self,
        model: Any,
        criterion: Any = None,
        *,
        keep: int = 10,
        gradient_norm: float | None = None,
        plateau: int | None = None,
        when: str = "",
        path: str | Path = "watched.npz",
        found: Callable[[Session, str], None] | None = None,
        **options: Any,
    ) -> None:
        if keep < 1:
            raise InputError(f"keep must be 1 or more, not {keep}")
        both = cast("tuple[Any, Any]", model) if isinstance(model, tuple) else None
        self.parts = parts_of(model) if both is None else TorchParts(*both)
        self.criterion, self.options = criterion, {**_of_criterion(criterion), **options}
        of_network = {name: value for name, value in self.options.items() if name not in ("classes", "lengths")}
        Network.from_torch(self.parts.recurrent, self.parts.linear, **of_network)  # refuse now what cannot be shown
        self.iterations: deque[Watched] = deque(maxlen=keep)
        self.limit, self.plateau, self.when, self.path, self.found = gradient_norm, plateau, when, Path(path), found
        self.reason = ""
        """Why it ended; nothing as long as it goes on."""
        self._count, self._best, self._since = 0, math.inf, 0
        self._handles: list[Any] = []

    def __enter__(self) -> Self:
        recurrent, linear = self.parts.recurrent, self.parts.linear
        self._handles = [recurrent.register_forward_pre_hook(self._begun), linear.register_forward_hook(self._read_out)]
        if self.criterion is not None:
            self._handles.append(self.criterion.register_forward_hook(self._measured))
        if self.limit is not None:
            parameters = [value for module in (recurrent, linear) for value in module.parameters()]
            self._handles += [value.register_hook(self._reached) for value in parameters]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> bool:
        for handle in self._handles:
            handle.remove()
        self._handles = []
        if kind is None:
            self.reason = self.reason or self._gradient_reason()
        elif issubclass(kind, KeyboardInterrupt):
            self.reason = "interrupted"
        whole = [kept for kept in self.iterations if kept.targets is not None]
        if self.reason and whole and kind in (None, KeyboardInterrupt, _StopTraining):
            session = self.save(whole[-1])
            if self.found is not None:
                self.found(session, self.reason)
        return kind is _StopTraining

    # What the modules report

    def _begun(self, module: Any, arguments: tuple[Any, ...]) -> None:
        if not getattr(module, "training", True):
            return  # an evaluation in between is no iteration
        self._end_if(self._gradient_reason())
        inputs, initial = arguments[0], arguments[1] if len(arguments) > 1 else None
        kept = inputs if hasattr(inputs, "batch_sizes") else _copy(inputs)
        weights = tuple(
            {name: _copy(value) for name, value in each.state_dict().items()} for each in (module, self.parts.linear)
        )
        self.iterations.append(
            Watched(self._count, kept, initial, cast("tuple[dict[str, Any], dict[str, Any]]", weights))
        )
        self._count += 1

    def _read_out(self, module: Any, arguments: tuple[Any, ...], output: Any) -> None:
        if self.iterations and getattr(module, "training", True):
            samples = _samples(self.iterations[-1].inputs, self.parts.recurrent)
            self.iterations[-1].every = len(output.shape) == 3 or int(output.shape[0]) != samples

    def _measured(self, criterion: Any, arguments: tuple[Any, ...], loss: Any) -> None:
        if getattr(self.parts.recurrent, "training", True):
            self.step(loss, arguments[1])

    def _reached(self, gradient: Any) -> None:
        if self.iterations:
            self.iterations[-1].squares.append((gradient * gradient).sum())

    def step(self, loss: Any, y: Any) -> None:
        """Tells the loss and the targets of the iteration that runs; with `criterion` that happens by itself."""
        if not self.iterations:
            raise InputError("step(loss, y) comes after the model was called; the model has not been called yet")
        current = self.iterations[-1]
        current.targets, current.loss = _copy(y), float(as_array(loss))
        if not math.isfinite(current.loss):
            self._end_if(f"the loss of iteration {current.number} is {current.loss}")
        better = current.loss < self._best - LEARNT * abs(self._best) if math.isfinite(self._best) else True
        self._best, self._since = (current.loss, 0) if better else (self._best, self._since + 1)
        if self.plateau is not None and self._since >= self.plateau:
            self._end_if(f"the loss has not become better than {self._best:.6g} for {self.plateau} iterations")
        if self.when and self._holds(current):
            self._end_if(f"{self.when} holds in iteration {current.number}")

    def _end_if(self, reason: str) -> None:
        if reason:
            self.reason = reason
            raise _StopTraining(reason)

    def _gradient_reason(self) -> str:
        """Whether the gradients of the last iteration exceed the limit, once all of them are there."""
        if self.limit is None or not self.iterations or not self.iterations[-1].squares:
            return ""
        norm = math.sqrt(math.fsum(float(as_array(square)) for square in self.iterations[-1].squares))
        number = self.iterations[-1].number
        return "" if norm <= self.limit else f"the norm of the gradients of iteration {number} is {norm:.6g}"

    def _holds(self, kept: Watched) -> bool:
        debugger = self.session(kept).debugger
        condition = condition_of(self.when, debugger.program)
        return bool(everywhere(condition, debugger.tape(0), 0, debugger.lines).any())

    # What is kept, looked at

    def session(self, kept: Watched | int = -1) -> Session:
        """A kept iteration (by number, as `iterations` lists them: −1 is the last one) as a session, ready to step."""
        chosen = self.iterations[kept] if isinstance(kept, int) else kept
        if chosen.targets is None:
            raise InputError(
                "the targets are not known; give the criterion to watch, or call step(loss, y) in the loop"
            )
        rnn, linear = (
            _Then(module, weights)
            for module, weights in zip((self.parts.recurrent, self.parts.linear), chosen.weights, strict=True)
        )
        options: dict[str, Any] = {"predict": "every" if chosen.every else "last", **self.options}
        made = Network.from_torch(rnn, linear)
        initial = {} if chosen.initial is None else {"initial": _initial(made, chosen.initial)}
        y = as_array(chosen.targets)
        if options["predict"] == "every":
            y = _per_step(y, _shape(chosen.inputs))
        return session_of((rnn, linear), chosen.inputs, y, name=f"iteration {chosen.number}", **initial, **options)

    def save(self, kept: Watched | int = -1) -> Session:
        """Writes a kept iteration to `path` as a trace, and returns it as a session."""
        session = self.session(kept)
        write_trace(self.path, session.debugger.tape(0), meta={"data": session.data.name, "stopped": self.reason})
        return session


def _of_criterion(criterion: Any) -> dict[str, Any]:
    """What torch's loss module says of ours."""
    loss, reduction = CRITERIA.get(type(criterion).__name__), getattr(criterion, "reduction", "mean")
    return {**({"loss": loss} if loss else {}), **({"reduction": reduction} if reduction == "sum" else {})}


class _Then:
    """A module as it was: its attributes, and the weights that it had."""

    def __init__(self, module: Any, weights: dict[str, Any]) -> None:
        self._module, self._weights = module, weights

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)

    def state_dict(self) -> dict[str, Any]:
        return self._weights


def _copy(tensor: Any) -> Any:
    return tensor.detach().clone()


def _shape(inputs: Any) -> tuple[int, ...]:
    packed = unpacked(inputs)
    return packed[0].shape if packed else tuple(int(size) for size in inputs.shape)


def _per_step(y: Array, shape: tuple[int, ...]) -> Array:
    """Targets that a loss was given in one row, sample after sample, with the axes of the inputs again."""
    return y if y.shape[:2] == shape[:2] else y.reshape(*shape[:2], *y.shape[1:])


def _samples(inputs: Any, recurrent: Any) -> int:
    """B of what a recurrent layer is given."""
    if hasattr(inputs, "batch_sizes"):
        return int(inputs.batch_sizes[0])
    return int(inputs.shape[0 if getattr(recurrent, "batch_first", False) else 1])


def _initial(network: Network, given: Any) -> dict[str, Array]:
    """The initial states that a recurrent layer was given, (layers, B, H) or a tuple of two, by our names."""
    states = [as_array(each) for each in (cast("tuple[Any, ...]", given) if isinstance(given, tuple) else (given,))]
    named: dict[str, Array] = {}
    for number, layer in enumerate(network.layers):
        order = sorted(layer.table.states, key=lambda state: state != layer.table.output)
        named |= {state: array[number] for state, array in zip(order, states, strict=False)}
    return named
