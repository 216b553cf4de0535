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
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self, cast

from engine.debug.breakpoints import condition_of, everywhere
from engine.errors import InputError
from engine.files.trace import write_trace
from engine.in_memory import session_of
from engine.language.functions import Array
from engine.model.build import build
from engine.model.network import Network
from engine.model.pytorch import as_array
from engine.model.torch_parts import TorchParts, at_every_step, parts_of, samples_and_steps
from engine.session import Session

LEARNT = 1e-3
"""A loss is better than the best one when it is lower by this share of it."""
LIKE = 1e-4
"""Losses that differ by less of themselves are the same one: torch computes in float32."""
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
        for name, number in (("keep", keep), ("plateau", plateau)):
            if number is not None and number < 1:
                raise InputError(f"{name} must be 1 or more, not {number}")
        both = cast("tuple[Any, Any]", model) if isinstance(model, tuple) else None
        self.parts = parts_of(model) if both is None else TorchParts(*both)
        self.criterion, self.options = criterion, {**_of_criterion(criterion), **options}
        of_network = {name: value for name, value in self.options.items() if name not in ("classes", "lengths")}
        # Refuse now what cannot be shown or asked.
        network = Network.from_torch(self.parts.recurrent, self.parts.linear, **{"predict": "every", **of_network})
        if when:
            condition_of(when, build(network, steps=2, masked=True))
        self.iterations: deque[Watched] = deque(maxlen=keep)
        self.limit, self.plateau, self.when, self.path, self.found = gradient_norm, plateau, when, Path(path), found
        self.reason = ""
        """Why it ended; nothing as long as it goes on."""
        self._count, self._best, self._since = 0, math.inf, 0
        self._handles: list[Any] = []

    def __enter__(self) -> Self:
        recurrent, linear = self.parts.recurrent, self.parts.linear
        begun = recurrent.register_forward_pre_hook(self._begun, with_kwargs=True)
        self._handles = [begun, linear.register_forward_hook(self._read_out)]
        if self.criterion is not None:
            self._handles.append(self.criterion.register_forward_hook(self._measured, with_kwargs=True))
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

    def _begun(self, module: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        if not getattr(module, "training", True):
            return  # an evaluation in between is no iteration
        self._end_if(self._gradient_reason())
        inputs, initial = (_copy(_argument(i, name, arguments, named)) for i, name in enumerate(("input", "hx")))
        weights = tuple(
            {name: _copy(value) for name, value in each.state_dict().items()} for each in (module, self.parts.linear)
        )
        self.iterations.append(
            Watched(self._count, inputs, initial, cast("tuple[dict[str, Any], dict[str, Any]]", weights))
        )
        self._count += 1

    def _read_out(self, module: Any, arguments: tuple[Any, ...], output: Any) -> None:
        if self.iterations and getattr(module, "training", True):
            current = self.iterations[-1]
            extent = samples_and_steps(current.inputs, self.parts.recurrent)
            current.every = at_every_step(tuple(map(int, output.shape)), *extent, int(output.shape[-1]))

    def _measured(self, criterion: Any, arguments: tuple[Any, ...], named: dict[str, Any], loss: Any) -> None:
        if getattr(self.parts.recurrent, "training", True):
            self.step(loss, _argument(1, "target", arguments, named))

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
        network = Network.from_torch(rnn, linear)
        initial = {} if chosen.initial is None else {"initial": _initial(network, chosen.initial)}
        y = as_array(chosen.targets)
        sessions = (
            session_of((rnn, linear), chosen.inputs, each, name=f"iteration {chosen.number}", **initial, **options)
            for each in (_per_step(y, *_axes(chosen.inputs)) if options["predict"] == "every" else [y])
        )
        # Which of the targets' axes is which does not always show in their shape; the loss that was told does.
        closest = min(sessions, key=lambda made: abs(made.debugger.tape(0).loss - chosen.loss))
        return replace(closest, data=replace(closest.data, said=(*closest.data.said, *_another_loss(chosen, closest))))

    def save(self, kept: Watched | int = -1) -> Session:
        """Writes a kept iteration to `path` as a trace, and returns it as a session."""
        session = self.session(kept)
        write_trace(self.path, session.debugger.tape(0), meta={"data": session.data.name, "stopped": self.reason})
        return session


def _another_loss(kept: Watched, session: Session) -> Iterator[str]:
    """That the loss which was told is not the recording's, where it is not: something between the modules is not seen here."""
    told, recorded = kept.loss, session.debugger.tape(0).loss
    if abs(told - recorded) > LIKE * max(abs(told), abs(recorded)):
        yield f"the loss of iteration {kept.number} was {told:.6g}, that of this recording is {recorded:.6g}"


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


def _argument(place: int, name: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """An argument of a module's call, whether it was given by its place or by its name; None where it was left out."""
    return arguments[place] if len(arguments) > place else named.get(name)


def _copy(given: Any) -> Any:
    """A copy of a tensor, of a tuple of them, of a PackedSequence; the loop may write into its own."""
    if hasattr(given, "batch_sizes"):
        return given._replace(data=_copy(given.data))
    if isinstance(given, tuple):
        return tuple(_copy(each) for each in cast("tuple[Any, ...]", given))
    return None if given is None else given.detach().clone()


def _axes(inputs: Any) -> tuple[int, int]:
    """The first two axes of what a recurrent layer is given, samples and steps in its own order; of a PackedSequence (B, T)."""
    return (
        samples_and_steps(inputs, None)
        if hasattr(inputs, "batch_sizes")
        else (int(inputs.shape[0]), int(inputs.shape[1]))
    )


def _per_step(y: Array, first: int, second: int) -> list[Array]:
    """The ways in which targets of every step, as a loss was given them, may have the inputs' first two axes; at least one."""
    shapes = dict.fromkeys([(first, second), (second, first)])
    joined = y.shape[:1] == (first * second,)
    apart = [y.reshape(*shape, *y.shape[1:]) for shape in shapes] if joined else [y]
    fitting = [each for each in apart if each.shape[:2] == (first, second)]
    fitting += [each.swapaxes(0, 1) for each in apart if each.shape[:2] == (second, first)]
    if not fitting:
        raise InputError(
            f"the targets have shape {y.shape}, the inputs {first}×{second} samples and steps; give step(loss, y) one target for each"
        )
    return fitting


def _initial(network: Network, given: Any) -> dict[str, Array]:
    """The initial states that a recurrent layer was given, (layers, B, H) or a tuple of two, by our names."""
    states = [as_array(each) for each in (cast("tuple[Any, ...]", given) if isinstance(given, tuple) else (given,))]
    named: dict[str, Array] = {}
    for number, layer in enumerate(network.layers):
        order = sorted(layer.table.states, key=lambda state: state != layer.table.output)
        named |= {state: array[number] for state, array in zip(order, states, strict=False)}
    return named
