"""The doctor: finds what is wrong in a backward pass that someone wrote by hand.

`engine.doctor.diagnose.diagnose(path)` gives a report; `assert_backward_correct(function)` is for tests. The file is
run, with the user's rights, in a separate process.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.doctor.helper import assert_backward_correct
    from engine.doctor.report.report import Report

__all__ = ["Report", "assert_backward_correct"]

_HOMES = {"Report": "report.report", "assert_backward_correct": "helper"}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f"engine.doctor.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'engine.doctor' has no attribute {name!r}")
