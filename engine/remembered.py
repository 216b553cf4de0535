"""Results kept for as long as there is what they were made from."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

Origin = TypeVar("Origin")
Rest = ParamSpec("Rest")
Result = TypeVar("Result")


def remembered(function: Callable[Concatenate[Origin, Rest], Result]) -> Callable[Concatenate[Origin, Rest], Result]:
    """A function that computes each result once for its arguments, and forgets all of them when the first argument goes.

    The first argument is an immutable object that is compared by identity (a program, a writer, a tape); the others are small values.
    A result must not refer to the first argument, which would then never go.
    """
    known: WeakKeyDictionary[Origin, dict[tuple[Any, ...], Result]] = WeakKeyDictionary()

    @wraps(function)
    def once(origin: Origin, /, *rest: Rest.args, **named: Rest.kwargs) -> Result:
        results = known.setdefault(origin, {})
        key = (*rest, *named.items())
        if key not in results:
            results[key] = function(origin, *rest, **named)
        return results[key]

    return once
