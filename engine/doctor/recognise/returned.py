"""What a call of the user's function gave back: gradients by the roles of arrays, and the loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from engine.doctor.read.kinds import is_array
from engine.doctor.read.syntax import UserFunction
from engine.doctor.recognise.call_recipes import CallRecipe
from engine.doctor.vocabulary.readings import Names
from engine.doctor.vocabulary.targets import grad_param
from engine.language.functions import Array

if TYPE_CHECKING:
    from engine.doctor.run.events import Event


def gradients_in(
    value: Any, fields: Mapping[str, Any], recipe: CallRecipe, shapes: Mapping[str, tuple[int, ...]]
) -> tuple[dict[str, Array], float | None]:
    """The gradients by the roles of arrays (in the user's layout) and the loss, from what a call returned or left on its instance.

    Names decide where they are known, else shapes (`shapes` of what was handed over).
    """
    names, main = recipe.names, recipe.main
    found: dict[str, Array] = {}
    loss: list[float] = []
    unnamed: list[Array] = []
    numbers = {name for name, shape in shapes.items() if not shape}

    def visit(item: Any, name: str) -> None:
        if is_array(item) or (isinstance(item, float) and (names.gradient(name) or names.parameter(name)) in numbers):
            array = np.asarray(item)
            if array.size == 1 and is_loss(name):
                loss.append(float(array.ravel()[0]))
                return
            meant = names.gradient(name) or names.parameter(name) or _state(names, name)
            if (
                meant is not None
                and meant in shapes
                and array.size != _count(shapes[meant])
                and any(array.size == _count(s) for s in shapes.values())
            ):
                meant = None  # called like one, shaped like another
            if meant is not None and meant not in found:
                found[meant] = array
            elif meant is None:
                unnamed.append(array)
        elif isinstance(item, dict):
            for key, inside in cast("dict[Any, Any]", item).items():
                visit(inside, str(key))
        elif isinstance(item, tuple | list):
            items = cast("list[Any]", item)
            for inside, own in zip(items, _names_of(name, main, len(items)), strict=True):
                visit(inside, own)
        elif isinstance(item, float) and (is_loss(name) or not name):
            loss.append(item)

    top = main.returned
    if isinstance(value, tuple) and len(cast("tuple[Any, ...]", value)) == len(top):
        for item, name in zip(cast("tuple[Any, ...]", value), top, strict=True):
            visit(item, name)
    else:
        visit(value, top[0] if len(top) == 1 else "")
    _by_shape(unnamed, found, shapes)
    if not found.keys() & shapes.keys():
        unnamed.clear()
        for name, item in fields.items():
            if names.gradient(name) or "grad" in name.lower() or name in ("d", "deltas"):
                visit(item, name)
        _by_shape(unnamed, found, shapes)
    return found, loss[0] if loss else None


def _state(names: Names, name: str) -> str | None:
    """The initial state that a name means: its gradient may be called so too."""
    found = names.role(name)
    return found if found in names.states else None


def _by_shape(unnamed: Sequence[Array], found: dict[str, Array], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Arrays without a name to the gradients that are not found yet."""
    for array in unnamed:
        for name in sorted(shapes, key=lambda n: array.shape != shapes[n]):
            same = array.shape == shapes[name] or sorted(s for s in array.shape if s > 1) == sorted(
                s for s in shapes[name] if s > 1
            )
            if name not in found and same:
                found[name] = array
                break


def recorded(events: Sequence[Event], names: Names, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Array]:
    """What is called a gradient in the code, as it was last: for a function that hands nothing back, such as one that updates the weights
    itself."""
    found: dict[str, Array] = {}
    for event in events:
        meant = grad_param(event.target, names) if event.target and event.site.kind in ("assign", "after") else None
        if (
            meant is not None
            and meant in shapes
            and is_array(event.value)
            and event.value.size == _count(shapes[meant])
        ):
            found[meant] = event.value
    return found


def _count(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape))


def is_loss(name: str) -> bool:
    """Whether a name is one that people give a loss."""
    lowered = name.lower()
    return lowered in ("l", "j", "e", "ce", "nll", "total", "error", "err") or any(
        w in lowered for w in ("loss", "cost", "entropy", "objective")
    )


def _names_of(name: str, main: UserFunction, count: int) -> list[str]:
    if name.startswith("[") and len(name.strip("[]").split(" ")) == count:
        return name.strip("[]").split(" ")
    prefix = f"{name}|"
    own = [n.removeprefix(prefix) for n in main.returned if n.startswith(prefix)]
    if len(own) == count:
        return own
    if len(main.returned) == count:
        return list(main.returned)
    return [""] * count
