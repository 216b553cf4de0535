"""For tests: `assert_backward_correct(fn)`, which says what the doctor says."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.doctor.report import text


def assert_backward_correct(function: Callable[..., Any] | type) -> None:
    """Raises AssertionError with the doctor's report unless `function`, a hand-written backward pass, is right.

    The function (or method, or class with one) is found in the file it was defined in, which is run in a process of its own. Raises
    TypeError for a function without a file.
    """
    from engine.doctor.diagnose import diagnose

    try:
        path = inspect.getsourcefile(inspect.unwrap(function))
    except TypeError:
        path = None
    if path is None or not Path(path).is_file():
        raise TypeError(
            f"{getattr(function, '__name__', function)!r} is in no file; the doctor reads a function's source"
        )
    qualified: str = getattr(function, "__qualname__", "")
    name = None if isinstance(function, type) else qualified
    report = diagnose(Path(path), name)
    if report.verdict != "correct":
        raise AssertionError("\n" + text(report))
