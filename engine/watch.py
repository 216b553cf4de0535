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
from functools import partial
from pathlib import Path
from typing import Any, Self, cast
from weakref import ref

from engine.debug.breakpoints import condition_of, everywhere
from engine.errors import InputError
from engine.files.trace import write_trace
from engine.model.build import build
from engine.model.network import Network
from engine.model.torch_cells import SteppedCell
from engine.model.torch_dropout import drops_between_layers, generator_before
from engine.model.torch_parts import parts_of
from engine.model.torch_stack import kept_between, layers_of
from engine.session import Session
from engine.watched import Watched, copy_of, keep_in, parts_of_state, session_at
from engine.watched_cells import CellCalls, together

LEARNT = 1e-3
"""A loss is better than the best one when it is lower by this share of it."""
CRITERIA = {"CrossEntropyLoss": "cross-entropy", "BCEWithLogitsLoss": "binary", "MSELoss": "squared"}


class _StopTraining(BaseException):
    """Leaves the user's loop, through whatever errors it handles itself; it never leaves the `with` statement."""


class Watch:
    """Keeps the last `keep` iterations of a training loop, and ends it at the first one at which something happens.

    What may happen: the loss is not finite; the norm of all gradients exceeds `gradient_norm`; the loss has not become better for `plateau`
    iterations; `when`, a condition of our language ("norm(dh@1) < 1e-6"), holds in the recording, which is then made of every iteration;
    Ctrl+C. The iteration is written to `path` as a trace, and handed to `found` with the reason. `model` is a module with one recurrent
    layer, or cells that it calls itself once a step, and perhaps an embedding before it, or (embedding, recurrent, linear) as a tuple; what
    comes after the layer is shown where it is one linear layer and a loss of ours; `criterion` is torch's loss module; without it,
    `step(loss, y)` tells loss and targets. `options` are those of `engine.Network` that the modules leave open. Raises InputError for what
    cannot be watched.
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
        self.parts, _ = parts_of(model, read_out=False)
        self.criterion, self.options = criterion, {**_of_criterion(criterion), **options}
        of_network = {name: value for name, value in self.options.items() if name not in ("classes", "lengths")}
        if self.parts.linear is None:
            of_network["loss"] = "given"
        # Refuse now what cannot be shown or asked.
        modules = (self.parts.recurrent, self.parts.linear, self.parts.embedding)
        network = Network.from_torch(*modules, **{"predict": "every", **of_network})
        if when:
            condition_of(when, build(network, steps=2, masked=True))
        self.iterations: deque[Watched] = deque(maxlen=keep)
        self.limit, self.plateau, self.when, self.path, self.found = gradient_norm, plateau, when, Path(path), found
        self.reason = ""
        """Why it ended; nothing as long as it goes on."""
        self._count, self._best, self._since = 0, math.inf, 0
        self._numbers: Any = None
        self._ends: list[ref[Any]] = []
        self._handed: Any = None
        self._scales: list[float] = []
        self._parameters = [
            value
            for module in (self.parts.modules if isinstance(model, tuple) else (model,))
            for value in module.parameters()
        ]
        self._handles: list[Any] = []
        self._cells = [layer for layer in layers_of(self.parts.recurrent) if isinstance(layer, SteppedCell)]

    def __enter__(self) -> Self:
        recurrent, linear, embedding = self.parts.recurrent, self.parts.linear, self.parts.embedding
        for number, layer in enumerate(self._cells):
            called, handed_on = partial(self._stepped, number), partial(self._step_handed_on, number)
            self._handles.append(layer.cell.register_forward_pre_hook(called, with_kwargs=True))
            self._handles.append(layer.cell.register_forward_hook(handed_on))
        modules: tuple[Any, ...] = () if self._cells else layers_of(recurrent)
        for number, module in enumerate(modules):
            begun = self._went_on if number else self._begun
            self._handles.append(module.register_forward_pre_hook(begun, with_kwargs=True))
            place = "" if module is modules[-1] else f".{number}"
            self._handles.append(module.register_forward_hook(partial(self._handed_on, place)))
        if linear is not None:
            self._handles.append(linear.register_forward_hook(self._read_out))
        if embedding is not None:
            self._handles.append(embedding.register_forward_pre_hook(self._looked_up, with_kwargs=True))
        if self.criterion is not None:
            self._handles.append(self.criterion.register_forward_hook(self._measured, with_kwargs=True))
        if self.limit is not None:
            self._handles += [value.register_hook(self._reached) for value in self._parameters if value.requires_grad]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> bool:
        for handle in self._handles:
            handle.remove()
        self._handles = []
        if kind is None:
            self.reason = self.reason or self._backward_reason()
        elif issubclass(kind, KeyboardInterrupt):
            self.reason = "interrupted"
        whole = [kept for kept in self.iterations if self._whole(kept)]
        if self.reason and whole and kind in (None, KeyboardInterrupt, _StopTraining):
            session = self.save(whole[-1])
            if self.found is not None:
                self.found(session, self.reason)
        return kind is _StopTraining

    # What the modules report

    def _looked_up(self, module: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        self._numbers = copy_of(_argument(0, "input", arguments, named))

    def _begun(self, module: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        if not getattr(module, "training", True):
            return  # an evaluation in between is no iteration
        self._end_if(self._backward_reason())
        if not self._scales and not self._cells and len(layers_of(self.parts.recurrent)) > 1 and self.iterations:
            self._scales = self._seen_between(self.iterations[-1])
        if self.iterations and self.parts.linear is not None and self.iterations[-1].told < 2:
            self.iterations[-1].back.clear()  # as large as the layer's output, and mostly what the read-out gives
        inputs, initial = (copy_of(_argument(i, name, arguments, named)) for i, name in enumerate(("input", "hx")))
        weights = tuple(
            {name: copy_of(value) for name, value in each.state_dict().items()} for each in self.parts.modules
        )
        generator = generator_before(inputs) if drops_between_layers(module) else None
        given = parts_of_state(_argument(1, "hx", arguments, named))
        goes_on = bool(given) and [id(handed()) for handed in self._ends] == [*map(id, given)]
        self.iterations.append(
            Watched(self._count, inputs, initial, weights, self._numbers, generator=generator, goes_on=goes_on)
        )
        self._numbers = None
        self._count += 1

    def _stepped(self, place: int, cell: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """A step of a cell that the loop calls itself; the first one's first step begins an iteration."""
        if not getattr(cell, "training", True):
            return None
        given, state = (_argument(i, name, arguments, named) for i, name in enumerate(("input", "hx")))
        if not place and not (self.iterations and self.iterations[-1].cells[0].goes_on(state)):
            self._begun(self._cells[0], arguments, named)
            self.iterations[-1].cells = tuple(
                CellCalls(self.iterations[-1].back, f"{n}:") for n, _ in enumerate(self._cells)
            )
        if not self.iterations:
            return None
        return (given, self.iterations[-1].cells[place].called(given, state)), {}

    def _step_handed_on(self, place: int, cell: Any, arguments: tuple[Any, ...], output: Any) -> Any:
        if not self.iterations or not getattr(cell, "training", True):
            return None
        return self.iterations[-1].cells[place].handed_on(output, below=place + 1 < len(self._cells))

    def _seen_between(self, kept: Watched) -> list[float]:
        """What dropout multiplies with between modules one above the other, as a whole iteration shows; InputError where they are none."""
        if not self._whole(kept):
            return []
        self.session(kept)
        masks = [kept_between(*pair) for pair in kept.between if pair is not None]
        return [float(mask.max()) for mask in masks if mask is not None]

    def _went_on(self, module: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        """What a module is given that is above another one."""
        if self.iterations and getattr(module, "training", True):
            given, state = (_argument(i, name, arguments, named) for i, name in enumerate(("input", "hx")))
            between = self.iterations[-1].between
            if self._scales:  # the whole numbers were compared once
                dropped = max(self._scales) > 1
                between.append((self._scales[len(between)], getattr(given, "data", given) != 0 if dropped else None))
            else:
                zeros = all(not bool((each != 0).any()) for each in parts_of_state(state))
                between.append((self._handed, copy_of(given)) if zeros else None)

    def _handed_on(self, place: str, module: Any, arguments: tuple[Any, ...], output: Any) -> None:
        """Asks for what comes back to what the layer hands on; `place` is behind the names of what a module below another one does."""
        if not self.iterations or not getattr(module, "training", True) or not isinstance(output, tuple):
            return
        states, final = cast("tuple[Any, Any]", output)
        ends = parts_of_state(final)
        self._ends, self._handed = [ref(end) for end in ends], copy_of(states) if place and not self._scales else None
        handed = zip(
            ("output", "h_n", "c_n"), (states.data if hasattr(states, "batch_sizes") else states, *ends), strict=False
        )
        if self.iterations[-1].generator is not None or self._scales:
            self.iterations[-1].last = copy_of(ends[0])
        for name, tensor in handed:
            seen = bool(place) and name == "output" and bool(self._scales)  # that nothing else reads it
            if tensor.requires_grad and not seen:
                tensor.register_hook(partial(keep_in, self.iterations[-1].back, name + place))

    def _read_out(self, module: Any, arguments: tuple[Any, ...], output: Any) -> None:
        if self.iterations and getattr(module, "training", True):
            self.iterations[-1].shape = output.shape
            self.iterations[-1].read += 1

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
        current.targets, current.loss, current.told = copy_of(y), _number(loss), current.told + 1
        if not math.isfinite(current.loss):
            self._end_if(f"the loss of iteration {current.number} is {current.loss}")
        better = current.loss < self._best - LEARNT * abs(self._best) if math.isfinite(self._best) else True
        self._best, self._since = (current.loss, 0) if better else (self._best, self._since + 1)

    def _end_if(self, reason: str) -> None:
        if reason:
            self.reason = reason
            raise _StopTraining(reason)

    def _backward_reason(self) -> str:
        """What is to be seen of the last iteration once its backward pass has run."""
        if reason := self._gradient_reason():
            return reason
        if self.plateau is not None and self._since >= self.plateau:
            return f"the loss has not become better than {self._best:.6g} for {self.plateau} iterations"
        if self.when and self.iterations and self._whole(self.iterations[-1]) and self._holds(self.iterations[-1]):
            return f"{self.when} holds in iteration {self.iterations[-1].number}"
        return ""

    def _gradient_reason(self) -> str:
        """Whether the gradients of the last iteration exceed the limit, once all of them are there."""
        if self.limit is None or not self.iterations or not self.iterations[-1].squares:
            return ""
        norm = math.sqrt(math.fsum(map(_number, self.iterations[-1].squares)))
        number = self.iterations[-1].number
        return "" if norm <= self.limit else f"the norm of the gradients of iteration {number} is {norm:.6g}"

    def _holds(self, kept: Watched) -> bool:
        debugger = self.session(kept).debugger
        condition = condition_of(self.when, debugger.program)
        return bool(everywhere(condition, debugger.tape(0), kept.number, debugger.lines).any())

    # What is kept, looked at

    def session(self, kept: Watched | int = -1) -> Session:
        """A kept iteration (by number, as `iterations` lists them: −1 is the last one) as a session, ready to step."""
        chosen = self.iterations[kept] if isinstance(kept, int) else kept
        if not self._whole(chosen):
            raise InputError(
                "the targets are not known; give the criterion to watch, or call step(loss, y) in the loop"
            )
        return session_at(together(chosen) if chosen.cells else chosen, self.parts, self.options)

    def _whole(self, kept: Watched) -> bool:
        """Whether enough is known of an iteration to be shown."""
        return kept.targets is not None or bool(kept.back)

    def save(self, kept: Watched | int = -1) -> Session:
        """Writes a kept iteration to `path` as a trace, and returns it as a session."""
        session = self.session(kept)
        write_trace(self.path, session.debugger.tape(0), meta={"data": session.data.name, "stopped": self.reason})
        return session


def _of_criterion(criterion: Any) -> dict[str, Any]:
    """What torch's loss module says of ours."""
    loss, reduction = CRITERIA.get(type(criterion).__name__), getattr(criterion, "reduction", "mean")
    return {**({"loss": loss} if loss else {}), **({"reduction": reduction} if reduction == "sum" else {})}


def _argument(place: int, name: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """An argument of a module's call, whether it was given by its place or by its name; None where it was left out."""
    return arguments[place] if len(arguments) > place else named.get(name)


def _number(scalar: Any) -> float:
    """A scalar tensor as a number, or a number itself; of a loss for each sample or step (`reduction="none"`) the mean."""
    if getattr(scalar, "ndim", 0):
        scalar = scalar.mean()
    return float(scalar.item() if hasattr(scalar, "item") else scalar)
