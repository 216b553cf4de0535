"""One iteration of a user's own training loop as it was kept, and the session that shows it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from engine.errors import InputError
from engine.in_memory import session_of
from engine.language.functions import Array
from engine.model.network import Network
from engine.model.pytorch import as_array
from engine.model.torch_embedding import numbers_of
from engine.model.torch_parts import TorchParts, at_every_step, samples_and_steps
from engine.session import Session

LIKE = 1e-4
"""Losses that differ by less of themselves are the same one: torch computes in float32."""


@dataclass(eq=False)
class Watched:
    """One iteration as it was kept: what the recurrent layer was given, the weights of each part, and what became of it."""

    number: int
    inputs: Any
    initial: Any
    weights: tuple[dict[str, Any], ...]
    numbers: Any = None
    """What the embedding was given before that."""
    shape: Any = ()
    """That of what the linear layer made."""
    targets: Any = None
    loss: float = math.nan
    squares: list[Any] = field(default_factory=list[Any])
    """‖gradient‖² of each parameter, as the backward pass reached it."""


def session_at(kept: Watched, parts: TorchParts, options: Mapping[str, Any]) -> Session:
    """A kept iteration of these modules as a session, ready to step; `options` are those of `engine.Network` that they leave open."""
    then = [_Then(module, weights) for module, weights in zip(parts.modules, kept.weights, strict=True)]
    *embedding, recurrent, linear = then
    y, inputs, said = as_array(kept.targets), kept.inputs, list[str]()
    if embedding:
        inputs = numbers_of(embedding[0], kept.numbers, kept.inputs)
    if inputs is None:
        embedding, inputs = [], kept.inputs
        said.append(
            f"the recurrent layer was given something else than {parts.embedding_name} looks up; We is not shown"
        )
    were = replace(parts, embedding=embedding[0] if embedding else None, recurrent=recurrent, linear=linear)
    shape = tuple(map(int, kept.shape))
    every = at_every_step(shape, *samples_and_steps(kept.inputs, recurrent), shape[-1])
    options = {"predict": "every" if every else "last", **options}
    if kept.initial is not None:
        options["initial"] = _initial(Network.from_torch(recurrent, linear), kept.initial)
    sessions = (
        session_of(were, inputs, each, name=f"iteration {kept.number}", **options)
        for each in (_per_step(y, *_axes(kept.inputs)) if options["predict"] == "every" else [y])
    )
    # Which of the targets' axes is which does not always show in their shape; the loss that was told does.
    closest = min(sessions, key=lambda made: abs(made.debugger.tape(0).loss - kept.loss))
    said += _another_loss(kept, closest)
    return replace(closest, data=replace(closest.data, said=(*closest.data.said, *said)))


def _another_loss(kept: Watched, session: Session) -> Iterator[str]:
    """That the loss which was told is not the recording's, where it is not: something between the modules is not seen here."""
    told, recorded = kept.loss, session.debugger.tape(0).loss
    if abs(told - recorded) > LIKE * max(abs(told), abs(recorded)):
        yield f"the loss of iteration {kept.number} was {told:.6g}, that of this recording is {recorded:.6g}"


class _Then:
    """A module as it was: its attributes, and the weights that it had."""

    def __init__(self, module: Any, weights: dict[str, Any]) -> None:
        self._module, self._weights = module, weights

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)

    def state_dict(self) -> dict[str, Any]:
        return self._weights


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
