"""A call that was found for a function, written as a program's text: what calls it with arguments that are made up, below its own file.

Where the function takes dL/d(outputs) the loss is L = sum(upstream * outputs); the outputs are what the call before returned in that
shape.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np

from engine.doctor.recognise.call_recipes import CallRecipe
from engine.doctor.recording.driven import LOSS
from engine.doctor.reference.layouts import ArrayLayout
from engine.doctor.reference.problem import Problem

UPSTREAM = ("da", "dlogits")
_GRADIENT = re.compile(r"d_?[a-z]|grad|delta|up", re.I)
_HELPERS = """
import types as _driver_types

import numpy as _driver_np

_driver = _driver_types.SimpleNamespace()


def _driver_part(value, shape):
    if hasattr(value, "shape"):
        return value if value.shape == shape else None
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    found = [_driver_part(part, shape) for part in parts]
    return next((part for part in found if part is not None), None)


def _driver_like(value):
    return _driver_np.cos(_driver_np.arange(1.0, 1.0 + _driver_np.size(value))).reshape(_driver_np.shape(value))


def _driver_made(maker, fields):
    try:
        return maker(**fields)
    except TypeError:
        made = object.__new__(maker)
        made.__dict__.update(fields)
        return made


"""


def driver(recipe: CallRecipe, problem: Problem, layout: ArrayLayout) -> str:
    """The text that makes the calls of a recipe once, for one sample where it takes one at a time."""
    request = recipe.request(problem, layout, 0 if layout.single else None)
    lines = [f"{name} = {_written(value)}" for name, value in request["globals"].items()]
    if owner := request.get("instance"):
        lines.append(f"_driver_self = {owner['class']}({_named(owner['arguments'])})")
        lines += [f"_driver_self.{name} = {_written(value)}" for name, value in owner["attributes"].items()]
    last = recipe.calls[-1].arguments
    upstream = [a.name for a in last if a.role in UPSTREAM]
    if not upstream and "y" not in recipe.given:  # named as a gradient, and taken for the outputs themselves
        upstream = [a.name for a in last if a.role == "result" and not a.path and _GRADIENT.match(a.name)]
    seen: set[str] = set()
    for k, call in enumerate(request["calls"]):
        named: dict[str, Any] = dict(call["named"])
        if k and k == len(recipe.calls) - 1 and len(upstream) == 1:
            given = named.pop(upstream[0])
            made = f"_driver_like(_driver_{k - 1})" if isinstance(given, tuple) else _written(given)
            lines.append(f"_driver.{upstream[0]} = {made}")
            lines.append(f"_driver_outputs = _driver_part(_driver_{k - 1}, _driver.{upstream[0]}.shape)")
            lines.append(f"{LOSS} = _driver_np.sum(_driver_outputs * _driver.{upstream[0]})")
        lines += [f"_driver.{name} = {_written(value)}" for name, value in named.items() if name not in seen]
        seen |= named.keys()
        arguments = [f"{name}=_driver.{name}" for name in call["named"]]
        function = f"_driver_self.{call['function']}" if call["method"] else call["function"]
        lines.append(f"_driver_{k} = {function}({', '.join(arguments)})")
    return _HELPERS + "\n".join(lines) + "\n"


def _named(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={_written(value)}" for name, value in values.items())


def _written(value: Any) -> str:
    """A value as an expression that makes it."""
    if isinstance(value, np.ndarray | np.generic):
        array = np.asarray(cast("Any", value))
        return f"_driver_np.array({array.tolist()!r}, dtype={array.dtype.name!r}).reshape({array.shape!r})"
    if isinstance(value, dict):
        items = cast("dict[str, Any]", value).items()
        return "{" + ", ".join(f"{key!r}: {_written(item)}" for key, item in items) + "}"
    if isinstance(value, tuple) and len(cast("tuple[Any, ...]", value)) == 3 and value[0] in ("result", "made"):
        kind, what, rest = cast("tuple[str, Any, Any]", value)
        if kind == "made":
            return f"_driver_made({what}, {_written(rest)})"
        return f"_driver_{what}" + "".join(f"[{key!r}]" for key in rest)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_written(item) for item in cast("Sequence[Any]", value)) + "]"
    return repr(value)
