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
    return _kept(function, None)


def last_remembered(
    most: int,
) -> Callable[[Callable[Concatenate[Origin, Rest], Result]], Callable[Concatenate[Origin, Rest], Result]]:
    """The same for results that are large: of each first argument the `most` that were asked for last are kept."""
    return lambda function: _kept(function, most)


def _kept(
    function: Callable[Concatenate[Origin, Rest], Result], most: int | None
) -> Callable[Concatenate[Origin, Rest], Result]:
    known: WeakKeyDictionary[Origin, dict[tuple[Any, ...], Result]] = WeakKeyDictionary()

    @wraps(function)
    def once(origin: Origin, /, *rest: Rest.args, **named: Rest.kwargs) -> Result:
        results = known.setdefault(origin, {})
        key = (*rest, *named.items())
        made = results.pop(key) if key in results else function(origin, *rest, **named)
        results[key] = made  # the last one asked for is the last in it
        if most is not None and len(results) > most:
            del results[next(iter(results))]
        return made

    return once
