"""Statements of a forward pass as they are gone back through: sums that are written out as loops, outputs with names, one name for one
thing."""

from __future__ import annotations

import ast
import copy
from collections.abc import Mapping
from typing import cast

from engine.doctor.derive.forward.call_targets import CallTargets
from engine.doctor.derive.forward.copies import counted_over, listed_sum, other_name, put_at, renamed_in, replaced_in
from engine.doctor.derive.forward.flat_pass import Called, FlatPass
from engine.doctor.derive.tree.shapes import SeenShapes
from engine.doctor.derive.tree.statements import blocks
from engine.doctor.derive.tree.syntax_of import called, names, parsed, path
from engine.doctor.mending.edits.atoms import replaced

MODULES = ("np", "numpy")
COUNTERS = ("t", "k", "i", "j", "n")
"""Names for what counts rounds."""


class WrittenOut:
    """Rewrites statements, and gives names that are free."""

    def __init__(self, tree: ast.Module, shapes: SeenShapes, helpers: Mapping[str, str], known: set[str]) -> None:
        self._shapes = shapes
        self._targets = CallTargets(tree, shapes, helpers)
        self._taken = set(known)
        self._stored_names = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        self._flat = FlatPass([])
        self._inside: list[Called] = []
        self._around: list[set[str]] = []
        self._counters: set[str] = set()
        self._called_otherwise: dict[str, ast.expr] = {}
        """Functions of NumPy's by the names that the program has for them."""

    def with_functions_named(self, statement: ast.stmt) -> ast.stmt:
        """NumPy's own name for a function of its that the program calls by another one, `dot = np.dot`."""
        value = statement.value if isinstance(statement, ast.Assign) else None
        if isinstance(statement, ast.Assign) and isinstance(value, ast.Attribute) and path(value.value) in MODULES:
            self._called_otherwise |= {path(t): value for t in statement.targets}
        other = {name: self._called_otherwise[name] for name in names(statement) & set(self._called_otherwise)}
        is_one = any(isinstance(n, ast.Call) and path(n.func) in other for n in ast.walk(statement))
        return renamed_in(copy.deepcopy(statement), other) if is_one and not any(blocks(statement)) else statement

    def with_own_target(self, loop: ast.For) -> ast.For:
        """`for y, p in zip(y, ps)` with another name for one y than for the other, `for _ in range(T)` with one for the count."""
        if isinstance(loop.target, ast.Name) and loop.target.id == "_":
            target = ast.copy_location(ast.Name(self._free(*COUNTERS), ast.Store()), loop.target)
            return ast.copy_location(ast.For(target, loop.iter, loop.body, loop.orelse), loop)
        targets = {n.id for n in ast.walk(loop.target) if isinstance(n, ast.Name)} & names(loop.iter)
        if not targets:
            return loop
        changed = copy.deepcopy(loop)
        new = {name: ast.Name(self._local(f"{name}_t", {}), ast.Load()) for name in targets}
        for name in new.values() if self._inside else ():
            self._flat.hidden.setdefault(name.id, self._inside[-1])
        changed.target = replaced(changed.target, lambda n: other_name(n, new))
        changed.body = [renamed_in(s, new) for s in changed.body]
        return changed

    def with_outputs_named(self, statement: ast.stmt) -> tuple[ast.stmt, list[ast.stmt]]:
        """A name for the output of which an entry is read at once, `-np.log(softmax(z)[y])`: its gradient is told from it."""
        for node in ast.walk(statement):
            if not isinstance(node, ast.Subscript) or not isinstance(node.value, ast.Call):
                continue
            if self._targets.helper(node.value) != "softmax":
                continue
            name = self._free("p", "probs")
            made = put_at(ast.Assign([ast.Name(name, ast.Store())], node.value), statement)
            read = ast.copy_location(ast.Name(name, ast.Load()), node.value)
            self._flat.unnamed[name] = ast.unparse(node.value)
            return replaced_in(statement, node.value, read), [made]
        return statement, []

    def summed(self, statement: ast.stmt) -> tuple[ast.stmt, list[ast.stmt]]:
        """`sum(... for ...)` and `np.sum(np.log([... for ...]))` as a loop before the statement."""
        for node in ast.walk(statement):
            inner, through = listed_sum(node)
            if inner is None or not isinstance(node, ast.Call) or len(inner.generators) != 1 or inner.generators[0].ifs:
                continue
            name = self._local("total", {})
            (over,) = inner.generators
            value = inner.elt
            for function in reversed(through):
                value = ast.Call(function, [value], [])
                self._shapes.know(value, ())
            adding = put_at(ast.AugAssign(ast.Name(name, ast.Store()), ast.Add(), value), statement)
            loop = put_at(ast.For(over.target, over.iter, [adding], []), statement)
            first = put_at(ast.Assign([ast.Name(name, ast.Store())], ast.Constant(0)), statement)
            read: ast.expr = ast.Name(name, ast.Load())
            shape = self._shapes.shape(inner.elt) or ()
            self._shapes.know(read, shape)
            inside = self._inside[-1] if self._inside else None
            for hidden in [name, *(n.id for n in ast.walk(over.target) if isinstance(n, ast.Name))] if inside else []:
                self._flat.hidden.setdefault(hidden, cast("Called", inside))
            if called(node) == "mean":
                count = parsed(f"len({ast.unparse(counted_over(over.iter))})")
                self._shapes.know(count, ())
                read = ast.BinOp(read, ast.Div(), count)
                self._shapes.know(read, shape)
            return replaced_in(statement, node, read), [first, loop]
        return statement, []

    def _free(self, *options: str) -> str:
        """The first of these names that is free, or the first with a number."""
        return self._local(next((n for n in options if n not in self._taken), options[0]), {})

    def _local(self, name: str, outer: Mapping[str, str], *, is_counter: bool = False) -> str:
        if name in outer:
            return outer[name]
        if is_counter and name in self._counters and not any(name in one for one in self._around):
            return name
        name = f"{name}_" if name.startswith("d") and name[1:] in self._stored_names else name  # no gradient's name
        new, k = name, 2
        while new in self._taken:
            new, k = f"{name}{k}", k + 1
        self._taken.add(new)
        return new
