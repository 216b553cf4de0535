"""Programs in Python 2, converted line by line by `fissix`, the kept successor of Python's own `lib2to3`, where it is installed.

Only what leaves every line where it is will do: findings name lines of the user's file. What a text cannot show is that `/` between whole
numbers drops the remainder: so it does in runs of such programs, and whoever shows a finding on converted text says so.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import logging
import re
import warnings
from functools import cache, lru_cache
from typing import Any

_MOVING = {"reduce", "intern", "reload", "operator", "buffer", "idioms", "set_literal", "ws_comma"}
"""Conversions that add a line, or change what needs no change."""


def is_convertible() -> bool:
    """Whether the converter is installed."""
    return importlib.util.find_spec("fissix") is not None


def converted(text: str) -> str | None:
    """A program of Python 2 as Python 3, each line in its place; None when it is Python 3, is neither, or cannot be converted so."""
    return None if _is_python_3(text) or not is_convertible() else _refactored(text)


@lru_cache(maxsize=8)  # modules are converted for every run
def _refactored(text: str) -> str | None:
    whole = text if text.endswith("\n") else f"{text}\n"
    for given in (whole, _without_tabs(whole)):
        try:
            result = str(_tool().refactor_string(given, "program"))
        except Exception:  # the converter's parser has errors of several kinds for what is no Python at all
            return None
        if result == given:  # nothing in it is Python 2
            return None
        if result.count("\n") == whole.count("\n") and _is_python_3(result):
            return result
    return None


def _without_tabs(text: str) -> str:
    """The text indented with spaces alone: Python 2 takes a tab to go to the next column of eight."""
    return re.sub(r"(?m)^[ \t]+", lambda found: found[0].expandtabs(8), text)


def _is_python_3(text: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


@cache
def _tool() -> Any:
    refactor: Any = importlib.import_module("fissix.refactor")
    logging.getLogger("RefactoringTool").disabled = True
    fixes = [name for name in refactor.get_fixers_from_package("fissix.fixes") if _kind(name) not in _MOVING]
    return refactor.RefactoringTool(fixes)


def _kind(name: str) -> str:
    return name.rpartition("fix_")[2]
