"""What kind of value an unknown object is: array, list, dict, number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeGuard, cast

import numpy as np

if TYPE_CHECKING:
    from engine.language.functions import Array  # the worker, which starts once for each program, needs no expressions


def is_array(value: Any) -> TypeGuard[Array]:
    """Whether it is an array."""
    return isinstance(value, np.ndarray)


def is_sequence(value: Any) -> TypeGuard[list[Any] | tuple[Any, ...]]:
    """Whether it is a list or a tuple."""
    return isinstance(value, list | tuple)


def is_dict(value: Any) -> TypeGuard[dict[Any, Any]]:
    """Whether it is a dict."""
    return isinstance(value, dict)


def is_whole(value: Any) -> TypeGuard[int]:
    """Whether it is a whole number, Python's or NumPy's."""
    return isinstance(value, int | np.integer)


def is_real(value: Any) -> TypeGuard[float]:
    """Whether it is a floating-point number, Python's or NumPy's."""
    return isinstance(value, float | np.floating)


def named_entries(value: Any) -> dict[str, Any] | None:
    """The entries of a named tuple by name; None for anything else."""
    names: Any = getattr(cast("Any", value), "_fields", None) if isinstance(value, tuple) else None
    return (
        {str(n): v for n, v in zip(names, value, strict=False)} if is_sequence(names) and is_sequence(value) else None
    )
