"""The user's program as a syntax tree: its functions and methods."""

from __future__ import annotations

import ast
import difflib
from dataclasses import dataclass
from functools import cached_property

from engine.errors import InputError
from engine.text import clean


@dataclass(frozen=True, eq=False)
class UserFunction:
    """A function of the program; `owner` is its class, if it is a method."""

    node: ast.FunctionDef
    owner: ast.ClassDef | None = None

    @property
    def name(self) -> str:
        """Its name, with its class's before it."""
        return f"{self.owner.name}.{self.node.name}" if self.owner else self.node.name

    @cached_property
    def parameters(self) -> tuple[tuple[str, ast.expr | None], ...]:
        """Its parameters with their defaults, without `self`."""
        arguments = self.node.args
        positional = [*arguments.posonlyargs, *arguments.args]
        defaults = [None] * (len(positional) - len(arguments.defaults)) + list(arguments.defaults)
        pairs = [(a.arg, d) for a, d in zip(positional, defaults, strict=True)]
        pairs += [(a.arg, d) for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]
        is_method = self.owner is not None and not any(
            isinstance(d, ast.Name) and d.id == "staticmethod" for d in self.node.decorator_list
        )
        return tuple(pairs[1:] if is_method and pairs else pairs)

    @cached_property
    def called(self) -> frozenset[str]:
        """The names of what it calls."""
        return frozenset(called_name(n) for n in ast.walk(self.node) if isinstance(n, ast.Call)) - {""}


def called_name(call: ast.Call) -> str:
    """The name of the function or method that is called, without what it belongs to; "" for what has none."""
    match call.func:
        case ast.Name(name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


@dataclass(frozen=True, eq=False)
class UserProgram:
    """A program's functions and methods, in the order of the file; of several of one name the last, which is the one that is called."""

    functions: tuple[UserFunction, ...]

    def find(self, name: str) -> UserFunction | None:
        """The function called so; of a class as `Class.method` or by the method's name alone."""
        return next((f for f in self.functions if name in (f.name, f.node.name)), None)

    def named(self, name: str, file: str) -> UserFunction:
        """The same of the program in `file`. Raises InputError where it has none."""
        found = self.find(name)
        if found is None:
            own = [f.name for f in self.functions]
            near = difflib.get_close_matches(name, [*own, *(f.node.name for f in self.functions)], 1)
            meant = f"is {near[0]} meant? " if near else ""
            every = ", ".join(own[:12]) or "none"
            raise InputError(clean(f"{file}: there is no function {name[:60]}; {meant}it has {every}", 400))
        return found


def program(tree: ast.Module) -> UserProgram:
    """The program of a syntax tree."""
    functions: list[UserFunction] = []
    classes: dict[str, ast.ClassDef] = {}
    for node in tree.body:
        inside = [node] if not isinstance(node, ast.If | ast.Try) else ast.walk(node)
        for inner in inside:
            if isinstance(inner, ast.FunctionDef):
                functions.append(UserFunction(inner))
            elif isinstance(inner, ast.ClassDef):
                classes[inner.name] = inner
                functions += [UserFunction(m, inner) for m in inner.body if isinstance(m, ast.FunctionDef)]
            elif isinstance(inner, ast.Assign):
                functions = [_owned(f, inner, classes) for f in functions]
    last = {f.name: f for f in functions}
    return UserProgram(
        tuple(f for f in functions if last[f.name] is f and (f.owner is None or classes[f.owner.name] is f.owner))
    )


def _owned(function: UserFunction, node: ast.Assign, classes: dict[str, ast.ClassDef]) -> UserFunction:
    """A function that a statement makes a method, as in `RNN.bptt = bptt`, which notebooks do."""
    match node:
        case ast.Assign(targets=[ast.Attribute(value=ast.Name(id=owner), attr=name)], value=ast.Name(id=own)):
            if own == name == function.node.name and owner in classes and function.owner is None:
                return UserFunction(function.node, classes[owner])
        case _:
            pass
    return function
