"""Modules that are not installed, in a program that imports them and may never come to use them.

The import goes through, and what is imported can be passed on. Whoever uses it, calls it, takes an entry of it, computes with it or derives
a class from it, gets the ModuleNotFoundError that the import would have given. An import inside a `try`, which expects that, gives it at
once, and so does `from module import *`, after which nobody can tell whose a name is.
"""

# The user may have an ast of his own.

from __future__ import annotations

import ast
import importlib.machinery
import linecache
import sys
import types
from collections.abc import Callable
from typing import Any

_USES = (
    "call getitem setitem delitem iter next len bool contains enter exit array mro_entries int float complex index neg pos abs invert "
    "eq ne lt le gt ge str format"
)
_BINARY = "add sub mul matmul truediv floordiv mod divmod pow lshift rshift and or xor"
"""Also with the operands turned round."""


class Absent(types.ModuleType):
    """A module that is not installed, or anything imported from it; `used` is told when it is used."""

    def __init__(self, name: str, used: Callable[[str], None]) -> None:
        super().__init__(name)
        self.__dict__.update(__path__=[], _used=used)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return Absent(f"{self.__name__}.{name}", self.__dict__["_used"])

    def __instancecheck__(self, instance: Any) -> bool:
        return False  # of what is not there: libraries ask what they are given, once a module of that name is loaded

    __subclasscheck__ = __instancecheck__
    __hash__ = types.ModuleType.__hash__


def _needed(self: Absent, *arguments: Any, **named: Any) -> Any:
    top = self.__name__.partition(".")[0]
    self.__dict__["_used"](top)
    raise ModuleNotFoundError(f"No module named {top!r}", name=top)


for _use in (*_USES.split(), *_BINARY.split(), *(f"r{name}" for name in _BINARY.split())):
    setattr(Absent, f"__{_use}__", _needed)


class Absentees:
    """Finds what no other finder has found, where the user's own code imports it. `unused` lists what was imported so and not used."""

    def __init__(self, users: Any) -> None:
        self.users = tuple(users)
        self.unused: list[str] = []
        self._trees: dict[str, Any] = {}

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        """A module that can only be imported."""
        frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
        loader: Any = self
        return importlib.machinery.ModuleSpec(fullname, loader, is_package=True) if self._stands_for(frame) else None

    def create_module(self, spec: Any) -> types.ModuleType:
        """The module."""
        top = spec.name.partition(".")[0]
        if top not in self.unused:
            self.unused.append(top)
        return Absent(spec.name, self._is_used)

    def exec_module(self, module: types.ModuleType) -> None:
        """There is nothing in it."""

    def _is_used(self, name: str) -> None:
        if name in self.unused:
            self.unused.remove(name)

    def _stands_for(self, frame: Any) -> bool:
        """Whether a statement of the user's imports it that nothing around it, or around a call of it, is ready to go without."""
        while frame is not None and frame.f_code.co_filename.startswith("<frozen importlib._bootstrap"):
            frame = frame.f_back
        if frame is None or not self._is_users(frame) or self._imports_all(frame):
            return False
        while frame is not None:
            if self._is_users(frame) and self._is_in(frame, ast.Try, lambda node: bool(node.handlers), body=True):
                return False
            frame = frame.f_back
        return True

    def _is_users(self, frame: Any) -> bool:
        name = frame.f_code.co_filename
        return name.startswith(self.users) and "site-packages" not in name

    def _imports_all(self, frame: Any) -> bool:
        return self._is_in(frame, ast.ImportFrom, lambda node: node.names[0].name == "*")

    def _is_in(self, frame: Any, kind: Any, is_meant: Callable[[Any], bool], body: bool = False) -> bool:
        """Whether the line that a frame is at lies in such a statement, or in the body of one."""
        name = frame.f_code.co_filename
        if name not in self._trees:
            try:
                self._trees[name] = ast.parse("".join(linecache.getlines(name)))
            except (SyntaxError, ValueError, RecursionError):
                self._trees[name] = None
        tree = self._trees[name]
        if tree is None:
            return True
        statements: Any = (node for node in ast.walk(tree) if isinstance(node, kind) and is_meant(node))
        spans = ((each.lineno, (each.body[-1] if body else each).end_lineno) for each in statements)
        return any(first <= (frame.f_lineno or 0) <= last for first, last in spans)
