"""One iteration of a user's own training loop as it was kept, and the session that shows it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np

from engine.errors import InputError
from engine.in_memory import session_of
from engine.language.derive import NEXT, gradient
from engine.language.functions import Array
from engine.model.layers import KEEP
from engine.model.network import Network
from engine.model.pytorch import as_array, width_of
from engine.model.torch_dropout import drops_between_layers, masks_of
from engine.model.torch_embedding import numbers_of
from engine.model.torch_parts import TorchParts, at_every_step, samples_and_steps, unpacked
from engine.model.torch_stack import layers_of
from engine.session import Session
from engine.watched_stack import NO_LAYERS, into_last, masks_between, refuse_read_elsewhere

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
    back: dict[str, Any] = field(default_factory=dict[str, Any])
    """What came back to the layer's output, h_n and c_n."""
    generator: Any = None
    """The state of torch's generator before the recurrent layer, where that drops something between its layers."""
    last: Any = None
    """h_n, where it does."""
    between: list[tuple[Any, Any] | None] = field(default_factory=list[tuple[Any, Any] | None])
    """Of modules one above the other what each handed on, and what the next was given, or a factor and where that is not 0 (None where
    nothing is dropped anywhere); None where the next was given a state as well."""
    goes_on: bool = False
    """Whether it began with the very states that the call before handed on, so that gradients flow back into that call."""
    cells: tuple[Any, ...] = ()
    """Of cells that the loop calls itself the calls (`watched_cells`)."""
    read: int = 0
    """How often the linear layer was called."""
    told: int = 0
    """How often loss and targets were told."""


def parts_of_state(state: Any) -> tuple[Any, ...]:
    """The tensors of a state, of the LSTM two; none of None."""
    return cast("tuple[Any, ...]", state) if isinstance(state, tuple) else () if state is None else (state,)


def keep_in(back: dict[str, Any], name: str, gradient: Any) -> None:
    """Keeps a gradient itself, which nothing writes into; where nothing came back torch gives None."""
    if gradient is not None:
        back[name] = gradient


def copy_of(given: Any) -> Any:
    """A copy of a tensor, of a tuple of them, of a PackedSequence; the loop may write into its own."""
    if given is None:
        return None
    if not isinstance(given, tuple):
        return given.detach().clone()
    parts: Any = cast("Any", given)
    if hasattr(parts, "batch_sizes"):
        return parts._replace(data=copy_of(parts.data))
    return tuple(copy_of(each) for each in parts)


def session_at(kept: Watched, parts: TorchParts, options: Mapping[str, Any]) -> Session:
    """A kept iteration of these modules as a session, ready to step; `options` are those of `engine.Network` that they leave open.

    The read-out is shown where it gives the layer what came back to it. Where it does not, since something else comes after the layer,
    the layer is shown alone, with what came back.
    """
    were, inputs, options, said = _then(kept, parts, options)
    if len(modules := layers_of(parts.recurrent)) > 1:
        return _of_several(kept, were, inputs, options, said, modules)
    masks = [] if kept.generator is None else masks_of(were.recurrent, kept.inputs, kept.generator)
    if masks:
        masks.append(np.ones_like(masks[-1]))
        dropped = _shown(kept, were, inputs, {**options, "dropout": were.recurrent.dropout, "masks": masks}, said)
        if _is_as_it_was(dropped, kept):
            told = "what PyTorch dropped between the layers is dropped here as well, drawn again from the state of its generator"
            return replace(dropped, data=replace(dropped.data, said=(told, *dropped.data.said)))
    return _shown(kept, were, inputs, options, said)


def _of_several(
    kept: Watched, were: TorchParts, inputs: Any, options: dict[str, Any], said: list[str], modules: Sequence[Any]
) -> Session:
    """Modules one above the other, with what was dropped between them."""
    if masks := masks_between(kept.between, kept.inputs, modules):
        largest = max(float(mask.max()) for mask in masks)
        options = {**options, "dropout": 1 - 1 / largest, "masks": masks}
        said = ["what was dropped between the modules is dropped here as well", *said]
    session = _shown(kept, were, inputs, options, said)
    if kept.last is not None and not _is_as_it_was(session, kept):
        raise InputError(NO_LAYERS)
    refuse_read_elsewhere(kept.back, kept.inputs, session.debugger.tape(0), modules)
    return session


def _shown(kept: Watched, were: TorchParts, inputs: Any, options: dict[str, Any], said: Sequence[str]) -> Session:
    session, said = None, [*said]
    if were.linear is not None and kept.targets is not None:
        session = _with_read_out(kept, were, inputs, options)
    if session is None or (kept.back and not _comes_back(session, kept, were.recurrent)):
        session = _alone(kept, were, inputs, options)
    else:
        said += _another_loss(kept, session)
    return replace(session, data=replace(session.data, said=(*said, *session.data.said)))


def _then(
    kept: Watched, parts: TorchParts, options: Mapping[str, Any]
) -> tuple[TorchParts, Any, dict[str, Any], list[str]]:
    """The modules as they were, what they were given, the options with the initial states, and what is to be said."""
    then = iter([_Then(module, weights) for module, weights in zip(parts.modules, kept.weights, strict=True)])
    embedding = next(then) if parts.embedding is not None else None
    recurrent, linear, inputs, said = next(then), next(then, None), kept.inputs, list[str]()
    if embedding is not None:
        inputs = numbers_of(embedding, kept.numbers, kept.inputs)
    if inputs is None:
        embedding, inputs = None, kept.inputs
        said.append(
            f"the recurrent layer was given something else than {parts.embedding_name} looks up; We is not shown"
        )
    if kept.goes_on:
        said.append(
            "this is one call of several: it went on from the states of the call before, and its gradients are one share"
        )
    states = _initial(Network.from_torch(recurrent, None), kept.initial) if kept.initial is not None else None
    options = {**options, **({"initial": states} if states else {})}
    return replace(parts, embedding=embedding, recurrent=recurrent, linear=linear), inputs, options, said


def _with_read_out(kept: Watched, were: TorchParts, inputs: Any, options: Mapping[str, Any]) -> Session:
    shape, y = tuple(map(int, kept.shape)), as_array(kept.targets)
    every = at_every_step(shape, *samples_and_steps(kept.inputs, were.recurrent), shape[-1])
    options = _with_masks({"predict": "every" if every else "last", **options})
    sessions = (
        session_of(were, inputs, each, name=f"iteration {kept.number}", **options)
        for each in (_per_step(y, *_axes(kept.inputs)) if options["predict"] == "every" else [y])
    )
    # Which of the targets' axes is which does not always show in their shape; the loss that was told does.
    return min(sessions, key=lambda made: abs(made.debugger.tape(0).loss - kept.loss))


def _alone(kept: Watched, were: TorchParts, inputs: Any, options: Mapping[str, Any]) -> Session:
    """The recurrent layer without what comes after it."""
    y, said = _came_back(kept, were.recurrent, unseen="masks" not in options and drops_between_layers(were.recurrent))
    states = {**options.get("initial", {}), **_into_last_states(kept, were.recurrent)}
    if unpacked(kept.inputs) is None and not getattr(were.recurrent, "batch_first", True):
        y = y.swapaxes(0, 1)  # in the order of the layer's inputs
    given = {"loss": "given", "reduction": "sum", "predict": "every", "initial": states}
    options = _with_masks({**options, **given})
    session = session_of(replace(were, linear=None), inputs, y, name=f"iteration {kept.number}", **options)
    return replace(session, data=replace(session.data, said=(*session.data.said, said)))


def _with_masks(options: dict[str, Any]) -> dict[str, Any]:
    """Options of a session in which what the layers dropped are masks; where one prediction is made, that of the last layer is one row."""
    masks: list[Array] = options.pop("masks", [])
    if not masks:
        return options
    last = masks[-1] if options["predict"] == "every" else masks[-1][:, 0]
    drawn = {f"{KEEP}{number}": mask for number, mask in enumerate([*masks[:-1], last], 1)}
    return {**options, "initial": {**options.get("initial", {}), **drawn}}


def _is_as_it_was(session: Session, kept: Watched) -> bool:
    """Whether the last states of the layers and directions, of several modules those of the last one, are those that torch made."""
    tape, last = session.debugger.tape(0), as_array(kept.last)
    outputs = [layer.table.output for layer in session.debugger.network.layers][-len(last) :]
    ends = np.array([tape[state][0 if tape.plan.program.quantities[state].reverse else -1] for state in outputs])
    with np.errstate(all="ignore"):
        return bool(np.abs(ends - last).max() <= LIKE * max(1.0, np.abs(last).max()))


def _comes_back(session: Session, kept: Watched, recurrent: Any) -> bool:
    """Whether what comes back to the layer in a recording, from its read-out, is what came back to it."""
    if any(flow.any() for flow in _into_last_states(kept, recurrent).values()):
        return False
    tape, (y, _) = session.debugger.tape(0), _came_back(kept, recurrent)
    recorded = np.asarray(tape["dlogits"]) @ tape.parameters["Wy"].T
    wanted = y.sum(axis=1) if recorded.ndim == 2 else np.moveaxis(y, 1, 0)
    with np.errstate(all="ignore"):
        return bool(np.linalg.norm(recorded - wanted) <= LIKE * np.linalg.norm(wanted))


def _came_back(kept: Watched, recurrent: Any, *, unseen: bool = False) -> tuple[Array, str]:
    """dL/d(output) of a layer (B, T, H), with what came back to its last states; and what is to be said. `unseen` is whether it dropped
    what is not known here."""
    samples, steps = samples_and_steps(kept.inputs, recurrent)
    packed, time_first = unpacked(kept.inputs), not getattr(recurrent, "batch_first", True)
    directions = 2 if getattr(recurrent, "bidirectional", False) else 1
    units = width_of(recurrent)
    total, back = np.zeros((samples, steps, units * directions)), {n: as_array(g) for n, g in kept.back.items()}
    if "output" in back:
        rows = unpacked(kept.inputs._replace(data=back["output"])) if packed else None
        total += rows[0] if rows else back["output"].swapaxes(0, 1) if time_first else back["output"]
    ends = np.full(samples, steps) if packed is None else packed[1]
    top = back.get("h_n", np.zeros((directions, samples, units)))
    for way, came in enumerate(top[-directions:]):
        total[np.arange(samples), 0 if way else ends - 1, way * units : (way + 1) * units] += came
    exact = "what PyTorch dropped between its layers is not" if unseen else "every gradient is PyTorch's"
    said = (
        f"what comes after the recurrent layer is not shown; y is what came back from there, dL/d(output), and {exact}"
        if back
        else f"the backward pass of iteration {kept.number} had not come back to the layer: its gradients are 0 here"
    )
    if flows := _into_last_states(kept, recurrent):
        said += f"; what came back to last states stands in the last row of {', '.join(flows)}"
    return total, said


def _into_last_states(kept: Watched, recurrent: Any) -> dict[str, Array]:
    """What came back to c_n and to lower layers' h_n, by the flow into the last state; h_n of the last layer is its output at the end."""
    network = Network.from_torch(recurrent, None)
    directions = 2 if network.bidirectional else 1
    back = [into_last(kept.back, name, layers_of(recurrent), directions) for name in ("h_n", "c_n")]
    back[0][-directions:] = [None] * directions
    given = {gradient(state) + NEXT: value for state, value in _by_state(network, back).items()}
    return {flow: value for flow, value in given.items() if value.any()}


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
    return _by_state(
        network, [as_array(each) for each in (cast("tuple[Any, ...]", given) if isinstance(given, tuple) else (given,))]
    )


def _by_state(network: Network, arrays: Sequence[Sequence[Array | None] | Array]) -> dict[str, Array]:
    """Arrays (layers, B, H) of h and of c, where there are any, by the states of each layer and direction."""
    named: dict[str, Array] = {}
    for number, layer in enumerate(network.layers):
        order = sorted(layer.table.states, key=lambda state: state != layer.table.output)
        named |= {
            state: row
            for state, rows in zip(order, arrays, strict=False)
            if number < len(rows) and (row := rows[number]) is not None
        }
    return named
