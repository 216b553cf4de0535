"""Imports as Python 2 read them: a module of a package may name another one of the same package without a dot."""

# The user may have an importlib of his own.

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import sys
import types
from typing import Any

from .absent import importing


class OwnPackage:
    """Finds in the package of the user's module that imports it what no other finder has found. `found` lists such modules."""

    def __init__(self, users: Any) -> None:
        self.users = tuple(users)
        self.found: list[str] = []

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        """The module beside the one that imports it."""
        frame = importing(sys._getframe(1))  # pyright: ignore[reportPrivateUsage]
        if frame is None or "." in fullname or not frame.f_code.co_filename.startswith(self.users):
            return None
        package = frame.f_globals.get("__package__")
        if not package:
            return None
        whole = f"{package}.{fullname}"
        loader: Any = self
        there = importlib.util.find_spec(whole) is not None
        return importlib.machinery.ModuleSpec(fullname, loader, origin=whole) if there else None

    def create_module(self, spec: Any) -> types.ModuleType:
        """The module itself, by its whole name."""
        self.found.append(spec.name)
        module = importlib.import_module(spec.origin)
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        """It was run under its whole name, and that it keeps."""
        module.__spec__ = getattr(module.__spec__, "loader_state", None)
