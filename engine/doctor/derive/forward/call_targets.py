"""Of which function of the program's a call is."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from engine.doctor.derive.forward.branches import taken_ways
from engine.doctor.derive.forward.copies import single_statements
from engine.doctor.derive.tree.shapes import SeenShapes
from engine.doctor.derive.tree.syntax_of import path


class CallTargets:
    """Of which function of the program's each call is, as far as numbers go through it."""

    def __init__(self, tree: ast.Module, shapes: SeenShapes, helpers: Mapping[str, str]) -> None:
        self._shapes, self._helpers = shapes, helpers
        self.functions = {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef)}
        classes = [n for n in tree.body if isinstance(n, ast.ClassDef)]
        self.classes = {c.name: c for c in classes}
        methods = [(m.name, m) for c in classes for m in c.body if isinstance(m, ast.FunctionDef)]
        self._methods = {name: m for name, m in methods if sum(name == other for other, _ in methods) == 1}
        self._instances = {
            path(t): self.classes[s.value.func.id]
            for s in ast.walk(tree)
            if isinstance(s, ast.Assign) and isinstance(s.value, ast.Call) and isinstance(s.value.func, ast.Name)
            for t in s.targets
            if s.value.func.id in self.classes
        }
        self._aliases = aliases(tree, shapes)
        self.entries: dict[str, ast.ClassDef] = {}
        """The classes of objects in lists of unlike ones, by their paths."""
        self.nested: set[str] = set()
        """Functions within functions: they read what is around them, and need no arguments for it."""

    def of(self, call: ast.Call) -> tuple[ast.FunctionDef, str] | None:
        """The function that a call is of, and what `self` is in it; None where it is left as it is."""
        found, receiver = self._target(call)
        if found is None:
            return None
        name = _named(found)
        body = taken_ways(found.body, self._shapes)
        returns = [n for s in body for n in ast.walk(s) if isinstance(n, ast.Return)]
        is_plain = not returns or (len(returns) == 1 and returns[0] is body[-1])
        if name in self._helpers or not is_plain or found.args.vararg or found.args.kwarg:
            return None
        given = (*call.args, *(k.value for k in call.keywords))
        carries = receiver or any(self._carries(a) for a in given)
        from_outside = found.name in self.nested or any(self._shapes.is_index(a) for a in given)
        carries = carries or (self._shapes.is_float(call) and from_outside)
        return (found, receiver) if carries else None

    def constructor(self, call: ast.Call) -> ast.FunctionDef | None:
        """The `__init__` of the class of the program's that a call makes an object of."""
        own = self.classes.get(path(call.func))
        return None if own is None else self._method(own, "__init__")

    def helper(self, call: ast.Call) -> str:
        """What a call of one of the program's functions computes, where that has a name: `softmax`, `sigmoid`."""
        found, _ = self._target(call)
        return "" if found is None else self._helpers.get(_named(found), "").partition(" ")[0]

    def _target(self, call: ast.Call) -> tuple[ast.FunctionDef | None, str]:
        function = call.func
        if isinstance(function, ast.Name) and function.id in self.functions:
            return self.functions[function.id], ""
        if path(function) in self._instances:
            return self._method(self._instances[path(function)], "__call__"), path(function)
        if (own := self._class_of(function)) is not None:
            return self._method(own, "__call__"), ast.unparse(function)
        if isinstance(function, ast.Attribute):
            own, name = self._class_of(function.value), self._aliases.get(function.attr, function.attr)
            found = None if own is None else self._method(own, name)
            if found is None and path(function.value):
                found = self._methods.get(name)
            is_static = found is not None and any(path(d) == "staticmethod" for d in found.decorator_list)
            return found, "" if is_static else ast.unparse(function.value)
        return None, ""

    def _class_of(self, node: ast.expr) -> ast.ClassDef | None:
        """The class of the object that an expression is."""
        if path(node) in self.entries:
            return self.entries[path(node)]
        seen = self._shapes.of(node)
        return self.classes.get(seen[0]) if seen and isinstance(seen[0], str) else None

    def _method(self, of: ast.ClassDef, name: str) -> ast.FunctionDef | None:
        """A method of a class, or of those that it is made from."""
        again = (
            s for s in of.body if isinstance(s, ast.Assign) and name in map(path, s.targets)
        )  # `__call__ = forward`
        name = next((path(s.value) for s in again if path(s.value)), name)
        own = next((m for m in of.body if isinstance(m, ast.FunctionDef) and m.name == name), None)
        above = (self.classes[path(b)] for b in of.bases if path(b) in self.classes and path(b) != of.name)
        return own or next((found for one in above if (found := self._method(one, name)) is not None), None)

    @staticmethod
    def is_number(node: ast.expr) -> bool:
        """Whether it is a number, or counts from a name: `T - 1`, `len(x)`."""
        return not any(isinstance(n, ast.Subscript | ast.List | ast.Dict | ast.Attribute) for n in ast.walk(node))

    def _carries(self, node: ast.expr) -> bool:
        """Whether numbers go into a call here: arrays of floats, lists and dictionaries of them."""
        if isinstance(node, ast.Constant):
            return False
        of = self._shapes.of(node)
        if of is None:
            return False
        return of[1] == "f" if of[0] == "array" else of[0] in ("list", "tuple", "dict", *self.classes)


def _named(function: ast.FunctionDef) -> str:
    """A function as it is called, a method as of `self`."""
    is_method = bool(function.args.args) and function.args.args[0].arg == "self"
    return f"self.{function.name}" if is_method else function.name


def aliases(tree: ast.Module, shapes: SeenShapes) -> dict[str, str]:
    """Attributes that the run gave a method, `self.activation = self.relu`, by the method; none that had several."""
    found: dict[str, set[str]] = {}
    assigned = [one for s in ast.walk(tree) if isinstance(s, ast.Assign) for one in single_statements(s)]
    for s in (one for one in assigned if isinstance(one, ast.Assign)):
        if isinstance(s.value, ast.Attribute) and (shapes.of(s.value) or [""])[0] == "method":
            for target in (t for t in s.targets if isinstance(t, ast.Attribute)):
                found.setdefault(target.attr, set()).add(s.value.attr)
    return {name: next(iter(held)) for name, held in found.items() if len(held) == 1}
