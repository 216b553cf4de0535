"""Plots that open no window: what is installed is used, and drawn to memory."""

# The user may have a pathlib of his own.

from __future__ import annotations

import functools
import types
from typing import Any

from .stubs import Finder, found_by_others

_WAITING = ("show", "pause", "ginput", "waitforbuttonpress")
"""What would wait for a window."""
_IDLE = {"matplotlib": ("use",), "matplotlib.style": ("use",), "matplotlib.pyplot": (*_WAITING, "hold")}
"""What does nothing: a style may be one that no longer exists, `hold` exists no more, and no number depends on them."""


def _unchanged(given: Any) -> Any:
    return given


class Windowless:
    """Lets matplotlib be found as ever, and takes from it what would open a window, wait for one, or fail by a style. `plain` is what is
    done with all that it is given to draw: it takes nothing that only passes for an array."""

    plain: Any = staticmethod(_unchanged)

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        """The module as the others find it, changed after it has been loaded."""
        if fullname not in _IDLE:
            return None
        spec = found_by_others(self, fullname, path, target)
        if spec is None or spec.loader is None or isinstance(spec.loader, Finder):
            return spec
        load = spec.loader.exec_module

        def exec_module(module: types.ModuleType) -> None:
            load(module)
            for name in _IDLE[fullname]:
                setattr(module, name, nothing)
            if fullname == "matplotlib.pyplot":
                self._settle(module)

        spec.loader.exec_module = exec_module
        return spec

    def _settle(self, pyplot: Any) -> None:
        """What pyplot itself does, and what it and axes draw."""
        if hasattr(pyplot, "switch_backend"):  # it calls it for the first figure
            pyplot.switch_backend = _always(pyplot.switch_backend, "agg")
        axes: Any = getattr(pyplot, "Axes", None)
        for owner in (pyplot, axes):
            functions: dict[str, Any] = {}
            for space in reversed(getattr(owner, "__mro__", (owner,))):
                functions.update(getattr(space, "__dict__", {}))
            for name, function in functions.items():
                if isinstance(function, types.FunctionType) and not name.startswith("_"):  # what is static gets no axes
                    setattr(owner, name, self._given_plain(function))

    def _given_plain(self, function: Any) -> Any:
        @functools.wraps(function)
        def called(*arguments: Any, **named: Any) -> Any:
            plain = self.plain
            return function(*map(plain, arguments), **{name: plain(value) for name, value in named.items()})

        return called


def _always(function: Any, argument: str) -> Any:
    """The function, with this argument whatever it is given."""

    def called(*arguments: Any, **named: Any) -> Any:
        return function(argument)

    return called


def nothing(*arguments: Any, **named: Any) -> None:
    """Does nothing."""
