"""Modules that are not installed, in a program that imports them.

The import goes through, and what is imported can be passed on. It does nothing, and what it gives can be shown, printed and handed on as
well: a table that is printed, a console that is set up. Whoever computes with it, asks it for a decision, goes over it or derives a class
from it gets the ModuleNotFoundError that the import would have given. An import inside a `try`, which expects that, gives it at once, and
so does `from module import *`, after which nobody can tell whose a name is.
"""

# The user may have an ast of his own.

from __future__ import annotations

import ast
import importlib.machinery
import linecache
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

from .stubs import Stub, taken_apart

_USES = (
    "delitem next len bool contains array fspath mro_entries int float complex index neg pos abs invert reduce_ex "
    "eq ne lt le gt ge"
)
_BINARY = "add sub mul matmul truediv floordiv mod divmod pow lshift rshift and or xor"
"""Also with the operands turned round."""


class Absent(Stub):
    """A module that is not installed, or anything that came from it; `_of` is told when it is called and when it is needed."""

    def __init__(self, name: str, of: Absentees) -> None:
        super().__init__(name)
        self.__dict__.update(_of=of)

    def _given(self, name: str = "") -> Absent:
        return Absent(f"{self.__name__}.{name}", self.__dict__["_of"])

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        self.__dict__["_of"].is_called(self)
        return self._given()

    def __iter__(self) -> Iterator[Any]:
        number = taken_apart(sys._getframe(1))  # pyright: ignore[reportPrivateUsage]
        return iter([self._given() for _ in range(number)] if number else _needed(self))

    def __getitem__(self, key: Any) -> Any:
        return self._given()

    def __enter__(self) -> Any:
        return self._given()

    def __instancecheck__(self, instance: Any) -> bool:
        return False  # of what is not there: libraries ask what they are given, once a module of that name is loaded

    __subclasscheck__ = __instancecheck__
    __hash__ = types.ModuleType.__hash__


def top_of(thing: Absent) -> str:
    """The name of the module that something came from."""
    return thing.__name__.partition(".")[0]


def _needed(self: Absent, *arguments: Any, **named: Any) -> Any:
    top = top_of(self)
    self.__dict__["_of"].is_needed(top)
    raise ModuleNotFoundError(f"No module named {top!r}", name=top)


def _beside_text(self: Absent, other: Any) -> Any:
    return other if isinstance(other, str) else _needed(self)  # a colour before what is printed


for _use in (*_USES.split(), *_BINARY.split(), *(f"r{name}" for name in _BINARY.split())):
    setattr(Absent, f"__{_use}__", _beside_text if _use in ("add", "radd") else _needed)


def importing(frame: Any) -> Any:
    """The frame of the statement that imports, of one of the machinery that it calls; None where there is none."""
    while frame is not None and frame.f_code.co_filename.startswith("<frozen importlib._bootstrap"):
        frame = frame.f_back
    return frame


class Absentees:
    """Finds what no other finder has found, where the user's own code imports it. `unused` lists what was imported so and not used,
    `called` what was called and nothing was computed with, with the first line of the program that called it."""

    def __init__(self, users: Any, line: Callable[[Any], int]) -> None:
        self.users = tuple(users)
        self.line = line
        self.unused: list[str] = []
        self.called: dict[str, int] = {}
        self._trees: dict[str, Any] = {}

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        """A module that can only be imported."""
        frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
        package = sys.modules.get(fullname.rpartition(".")[0])
        if package is not None and not isinstance(package, Absent):
            return None  # `from collections import Iterable`: there is such a module, and no such name in it
        loader: Any = self
        return importlib.machinery.ModuleSpec(fullname, loader, is_package=True) if self._stands_for(frame) else None

    def create_module(self, spec: Any) -> types.ModuleType:
        """The module."""
        top = spec.name.partition(".")[0]
        if top not in self.unused and top not in self.called:
            self.unused.append(top)
        return Absent(spec.name, self)

    def exec_module(self, module: types.ModuleType) -> None:
        """There is nothing in it."""

    def is_called(self, thing: Absent) -> None:
        """Something of a module is called."""
        top = top_of(thing)
        if top in self.unused:
            self.unused.remove(top)
            self.called[top] = self.line(sys._getframe(1))  # pyright: ignore[reportPrivateUsage]

    def is_needed(self, top: str) -> None:
        """The run ends here, or would have: it is neither unused nor replaced."""
        if top in self.unused:
            self.unused.remove(top)
        self.called.pop(top, None)

    def _stands_for(self, frame: Any) -> bool:
        """Whether a statement of the user's imports it that nothing around it, or around a call of it, is ready to go without."""
        frame = importing(frame)
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
