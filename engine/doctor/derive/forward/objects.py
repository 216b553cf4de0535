"""Objects of which each round has one of its own, `cells[t].h`: what they keep is an array by step, under a name of the block's own."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Collection, Sequence
from typing import cast

from engine.doctor.derive.forward.flat_pass import FlatPass
from engine.doctor.derive.forward.weights import BEFORE
from engine.doctor.derive.forward.written_out import COUNTERS
from engine.doctor.derive.tree.shapes import SeenShapes
from engine.doctor.derive.tree.statements import all_statements, appended, blocks, step_of, targets
from engine.doctor.derive.tree.syntax_of import base, called, names, parsed, path
from engine.doctor.vocabulary.roles import parameter


def with_objects_by_step(
    flat: FlatPass, shapes: SeenShapes, classes: Collection[str], local: Callable[..., str]
) -> list[ast.stmt]:
    """The block of a pass with what the objects of a list hold as entries of arrays: `h[t]` of `cells[t].h`, which `flat.fields` says.
    `local` gives one of several names that is free."""
    body = [_copied(s, flat, shapes) for s in flat.body] if classes else flat.body
    if not classes:
        return body
    body = _ObjectEntries(flat, shapes, classes, local).block(body)
    fields = _HeldByStep(flat, shapes, classes, local, body)
    body = [cast("ast.stmt", fields.visit(s)) for s in body]
    return _named_first(body, body, flat)


def _copied(statement: ast.stmt, flat: FlatPass, shapes: SeenShapes) -> ast.stmt:
    """A copy of a statement of which the same is known."""
    made = copy.deepcopy(statement)
    for old, new in zip(ast.walk(statement), ast.walk(made), strict=True):
        if isinstance(old, ast.stmt):
            flat.same(old, cast("ast.stmt", new))
        elif isinstance(old, ast.expr) and isinstance(new, ast.expr):
            shapes.same(old, new)
    return made


class _ObjectEntries:
    """Writes names of objects as the entries of the lists that they are in."""

    def __init__(self, flat: FlatPass, shapes: SeenShapes, classes: Collection[str], local: Callable[..., str]) -> None:
        self._flat, self._shapes, self._classes, self._local = flat, shapes, classes, local

    def block(self, body: Sequence[ast.stmt]) -> list[ast.stmt]:
        made: list[ast.stmt] = []
        rest = list(body)
        while rest:
            statement = rest.pop(0)
            if (entry := self._alias(statement)) is not None:
                name = path(statement.targets[0]) if isinstance(statement, ast.Assign) else ""
                self._put(rest, name, entry)
                continue
            if isinstance(statement, ast.For):
                self._loop(statement, made)
            for inner in blocks(statement):
                inner[:] = self.block(inner)
            made.append(statement)
        return made

    def _alias(self, statement: ast.stmt) -> ast.expr | None:
        """The entry of a list that a name is given, where that is an object: `cell = cells[t]`."""
        if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
            return None
        value = statement.value
        return value if not path(value) and entry_of(value) is not None and self._is_object(value) else None

    def _is_object(self, node: ast.expr) -> bool:
        return (self._shapes.of(node) or [""])[0] in self._classes

    def _put(self, body: Sequence[ast.stmt], name: str, entry: ast.expr) -> None:
        """Writes an entry in place of a name in these statements."""

        class _InPlace(ast.NodeTransformer):
            def visit_Name(self, node: ast.Name) -> ast.AST:
                is_it = node.id == name and isinstance(node.ctx, ast.Load)
                return ast.copy_location(copy.deepcopy(entry), node) if is_it else node

        for statement in body:
            _InPlace().visit(statement)
        inside = {id(one): one for s in all_statements(body) for one in self._flat.called_at.get(s, [])}
        for one in inside.values():
            if one.receiver and name in names(parsed(one.receiver)):
                one.receiver = ast.unparse(_InPlace().visit(parsed(one.receiver)))
            one.given = {own: ast.unparse(_InPlace().visit(parsed(text))) for own, text in one.given.items()}

    def _loop(self, loop: ast.For, before: Sequence[ast.stmt]) -> None:
        """Writes the loop over its count, and its object of each round as the entry that it is, or that it is put into at the end."""
        over = self._iterated(loop)
        puts = [put for s in loop.body if (put := self._put_away(s)) is not None]
        if not puts and not any(self._is_list(iterated) for iterated in over.values()):
            return
        step = self._counted(loop, over)
        if not step:
            return
        for name, iterated in over.items():
            if self._is_list(iterated):
                self._put(loop.body, name, ast.Subscript(iterated, ast.Name(step, ast.Load()), ast.Load()))
        for name, container, index in puts:
            first = _begun(container, before)
            counted = f"{step} + {first}" if first else step
            entry = ast.Subscript(container, index or parsed(counted), ast.Load())
            loop.body = [s for s in loop.body if not self._makes(s, name)]
            self._put(loop.body, name, entry)

    def _iterated(self, loop: ast.For) -> dict[str, ast.expr]:
        """What a loop's names are entries of."""
        name, target = called(loop.iter), loop.target
        arguments = loop.iter.args if isinstance(loop.iter, ast.Call) and name in ("zip", "enumerate") else [loop.iter]
        parts = target.elts if isinstance(target, ast.Tuple) and name in ("zip", "enumerate") else [target]
        parts = parts[1:] if name == "enumerate" else parts
        if name in ("range", "arange", "reversed") or len(parts) != len(arguments):
            return {}
        return {p.id: iterated for p, iterated in zip(parts, arguments, strict=True) if isinstance(p, ast.Name)}

    def _is_list(self, node: ast.expr) -> bool:
        of = self._shapes.of(node)
        return of is not None and of[0] in ("list", "tuple") and of[2] in self._classes

    def _counted(self, loop: ast.For, over: dict[str, ast.expr]) -> str:
        """What counts the rounds of a loop from 0 on, which it is written over; "" where it cannot be."""
        step, name = step_of(loop), called(loop.iter)
        arguments = loop.iter.args if isinstance(loop.iter, ast.Call) else []
        if name in ("range", "arange"):
            return step or "" if len(arguments) == 1 else ""
        if (name == "enumerate" and len(arguments) > 1) or not over:
            return ""
        step = step or self._local(*COUNTERS)
        first = next((one for one in over.values() if not self._is_list(one)), next(iter(over.values())))
        rounds = ast.Call(parsed("range"), [ast.Call(parsed("len"), [first], [])], [])
        entries = [(n, one) for n, one in over.items() if not self._is_list(one)]
        counted = ast.Name(step, ast.Load())
        read = [ast.Assign([ast.Name(n, ast.Store())], ast.Subscript(one, counted, ast.Load())) for n, one in entries]
        loop.target, loop.iter = ast.Name(step, ast.Store()), ast.copy_location(rounds, loop.iter)
        loop.body = [*(ast.copy_location(s, loop) for s in read), *loop.body]
        ast.fix_missing_locations(loop)
        return step

    def _put_away(self, statement: ast.stmt) -> tuple[str, ast.expr, ast.expr | None] | None:
        """The name of an object, the list that a statement puts it into, and at which index, if at one."""
        value = appended(statement)
        if value is not None and isinstance(value, ast.Name) and self._is_object(value):
            return value.id, next(targets(statement)), None
        value = statement.value if isinstance(statement, ast.Assign) else None
        target = next(targets(statement)) if isinstance(value, ast.Name) and self._is_object(value) else None
        if isinstance(value, ast.Name) and isinstance(target, ast.Subscript) and not path(target):
            return value.id, target.value, target.slice
        return None

    def _makes(self, statement: ast.stmt, name: str) -> bool:
        """Whether a statement makes the object."""
        return isinstance(statement, ast.Assign) and [path(t) for t in statement.targets] == [name]


def _begun(container: ast.expr, before: Sequence[ast.stmt]) -> int:
    """How many entries a list has before a loop."""
    made = [s for s in before if isinstance(s, ast.Assign) and path(s.targets[0]) == path(container)]
    return len(made[-1].value.elts) if made and isinstance(made[-1].value, ast.List) else 0


def entry_of(node: ast.expr) -> tuple[ast.Subscript, list[ast.Attribute]] | None:
    """The entry of a list that an attribute is of, and the attributes on the way, the outermost last: of `cells[t].state.h` `cells[t]`."""
    chain: list[ast.Attribute] = []
    while isinstance(node, ast.Attribute):
        chain.insert(0, node)
        node = node.value
    return (node, chain) if isinstance(node, ast.Subscript) and not path(node) and base(node) else None


class _HeldByStep(ast.NodeTransformer):
    """Writes what the entries of a list of objects hold as entries of arrays."""

    def __init__(
        self,
        flat: FlatPass,
        shapes: SeenShapes,
        classes: Collection[str],
        local: Callable[..., str],
        body: Sequence[ast.stmt],
    ) -> None:
        self._flat, self._shapes, self._classes, self._local = flat, shapes, classes, local
        self._written = {_field(t) for s in all_statements(body) for t in targets(s)} - {None}
        read = (entry_of(n) for s in body for n in ast.walk(s) if isinstance(n, ast.Subscript | ast.Attribute))
        roots = {one[0] for one in read if one is not None}
        self._lists = {ast.unparse(root.value) for root in roots if (shapes.of(root) or [""])[0] in classes}
        self._lists |= {one.receiver.rpartition("[")[0] for one in flat.calls if one.receiver.endswith("]")}
        self._names: dict[tuple[str, tuple[str, ...]], str] = {}

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if isinstance(node.func, ast.Attribute) and entry_of(node.func) is not None:
            node.func.value = cast("ast.expr", self.visit(node.func.value))
            node.args = [cast("ast.expr", self.visit(one)) for one in node.args]
            return node
        return self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        found = entry_of(node)
        if found is None or ast.unparse(found[0].value) not in self._lists:
            return self.generic_visit(node)
        root, chain = found
        is_written = isinstance(node.ctx, ast.Store)
        held = node if is_written else next((one for one in chain if self._is_value(one)), None)
        key = None if held is None else (ast.unparse(root.value), tuple(c.attr for c in chain[: chain.index(held) + 1]))
        if held is not node:
            return self.generic_visit(node)
        if key is None or (key not in self._written and not self._is_weight(node)):
            return node
        if key not in self._names:
            self._names[key] = self._local(key[1][-1])
            self._flat.fields[self._names[key]] = key
            self._flat.lengths[key[0]] = self._length(root.value)
        return ast.copy_location(ast.Subscript(ast.Name(self._names[key], ast.Load()), root.slice, node.ctx), node)

    def _length(self, holder: ast.expr) -> int:
        """How many objects a list has: it was seen where it is read, or where a method of an entry is called."""
        functions = (one.call.func for one in self._flat.calls if one.receiver.startswith(f"{ast.unparse(holder)}["))
        called_at = (
            f.value.value for f in functions if isinstance(f, ast.Attribute) and isinstance(f.value, ast.Subscript)
        )
        return next((n for one in (holder, *called_at) if (n := self._shapes.length(one)) is not None), 0)

    def _is_weight(self, node: ast.Attribute) -> bool:
        """Whether each object has a weight there of its own, as each layer has."""
        return parameter(node.attr) is not None and self._shapes.is_float(node)

    def _is_value(self, node: ast.Attribute) -> bool:
        """Whether an attribute is no object that holds others."""
        return (self._shapes.of(node) or [""])[0] not in self._classes


def _field(node: ast.expr) -> tuple[str, tuple[str, ...]] | None:
    found = entry_of(node)
    return None if found is None or not found[1] else (ast.unparse(found[0].value), tuple(c.attr for c in found[1]))


def _named_first(body: Sequence[ast.stmt], whole: Sequence[ast.stmt], flat: FlatPass) -> list[ast.stmt]:
    """`cell.h = tanh(z)`, `h = cell.h` as `h = tanh(z)`, `cell.h = h`: a value under the name that the program itself gives it, which is
    put away then."""
    made = list(body)
    for k, statement in enumerate(made):
        for inner in blocks(statement):
            inner[:] = _named_first(inner, whole, flat)
        put = statement.targets[0] if isinstance(statement, ast.Assign) and len(statement.targets) == 1 else None
        if not isinstance(statement, ast.Assign) or not isinstance(put, ast.Subscript | ast.Attribute):
            continue
        if path(statement.value) or not (base(put) in flat.fields or _is_only_kept(put, whole)):
            continue
        if (after := _given_name(made[k + 1 :], put)) is not None:
            name, value = after.targets[0], statement.value
            after.targets, after.value = [put], ast.copy_location(ast.Name(path(name), ast.Load()), after.value)
            statement.targets, statement.value = [name], value
            flat.named_at[statement] = after
    return made


def _is_only_kept(put: ast.expr, whole: Sequence[ast.stmt]) -> bool:
    """Whether an attribute is read only to give its value a name."""
    held = path(put)
    read = [n for s in whole for n in ast.walk(s) if path(n) == held and isinstance(getattr(n, "ctx", None), ast.Load)]
    named = [s for s in all_statements(whole) if isinstance(s, ast.Assign) and path(s.value) == held]
    return bool(held) and len(read) == len([s for s in named if isinstance(s.targets[0], ast.Name)])


def _given_name(after: Sequence[ast.stmt], put: ast.expr) -> ast.Assign | None:
    """The statement that gives a name to what was just put away, where nothing before it reads either."""
    text = ast.unparse(put)
    for statement in after:
        is_it = isinstance(statement, ast.Assign) and ast.unparse(statement.value) == text
        name = statement.targets[0] if isinstance(statement, ast.Assign) and len(statement.targets) == 1 else None
        if is_it and isinstance(statement, ast.Assign) and isinstance(name, ast.Name):
            earlier = after[: after.index(statement)]
            is_next = not any(name.id in names(s) or text in ast.unparse(s) for s in earlier)
            return statement if is_next and not set(name.id.split("_")) & BEFORE else None
    return None
