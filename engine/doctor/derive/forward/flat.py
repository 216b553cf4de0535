"""The forward pass in one block: the program's own functions that it calls, put in the place of their calls, under names that fit there.
The copied statements keep their places in the text, so what was seen of them holds."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from engine.doctor.derive.forward.branches import as_run, chosen, counted, taken_ways, unrolled, without_trying
from engine.doctor.derive.forward.copies import (
    given_arguments,
    names_of_returned,
    only_counts,
    other_name,
    out_of_place,
    packed_apart,
    put_at,
    renamed_in,
    single_statements,
    stored_names,
    unplaced,
    with_calls,
    with_named_state,
    with_other_values,
    with_private_names,
    written_names,
)
from engine.doctor.derive.forward.counts import with_one_count
from engine.doctor.derive.forward.entries_once import with_entries_once
from engine.doctor.derive.forward.flat_pass import Called, FlatPass
from engine.doctor.derive.forward.held_arguments import HeldArguments
from engine.doctor.derive.forward.in_one import with_steps_in_one
from engine.doctor.derive.forward.listed_weights import with_entries
from engine.doctor.derive.forward.objects import with_objects_by_step
from engine.doctor.derive.forward.unpacking import unpacked
from engine.doctor.derive.forward.written_out import WrittenOut
from engine.doctor.derive.tree.shapes import SeenShapes
from engine.doctor.derive.tree.statements import targets
from engine.doctor.derive.tree.syntax_of import NUMBERED, names, parsed, path, public
from engine.doctor.mending.edits.atoms import replaced


def flattened(
    tree: ast.Module,
    body: Sequence[ast.stmt],
    last: ast.stmt,
    shapes: SeenShapes,
    helpers: Mapping[str, str],
    until: ast.stmt | None = None,
) -> FlatPass:
    """The statements of a block, up to `last`, with the program's own functions in place of the calls that numbers go through.
    They end with `until`, where that is a statement of one of them."""
    known = {n for s in body if not isinstance(s, ast.FunctionDef | ast.ClassDef) for n in names(s)}
    return _Flattening(tree, shapes, helpers, known, until).made(list(body[: body.index(last) + 1]))


class _Flattening(WrittenOut):
    def __init__(
        self, tree: ast.Module, shapes: SeenShapes, helpers: Mapping[str, str], known: set[str], until: ast.stmt | None
    ) -> None:
        super().__init__(tree, shapes, helpers, known)
        self._until = until
        self._held = HeldArguments(shapes, self._targets)
        self._between: set[str] = set()
        """Names for what one entry of a list of objects leaves to the next: the caller of its method has none."""
        self._starts: dict[str, ast.expr] = {}
        """What names were set to that are numbers written out."""

    def made(self, body: list[ast.stmt]) -> FlatPass:
        self._flat.body = list(self._block(body))
        self._flat.body = with_one_count(self._flat.body)
        self._flat.body = with_entries(self._flat, self._shapes)
        for one in (s for s in self._flat.body if isinstance(s, ast.Assign) and path(s.targets[0]) in self._between):
            if path(one.targets[0]) not in self._flat.hidden:
                self._flat.unnamed[path(one.targets[0])] = ast.unparse(one.value)
        self._flat.body = with_entries_once(self._flat.body, self._flat, self._shapes, self._free)
        self._flat.body = with_steps_in_one(self._flat.body, self._flat, self._shapes)
        self._flat.body = with_objects_by_step(self._flat, self._shapes, self._targets.classes, self._free)
        self._flat.body = self._with_states(self._flat.body)
        return self._flat

    def _with_states(self, body: list[ast.stmt]) -> list[ast.stmt]:
        """States that an object holds, `self.h`, which a loop gives a new value each round, under names of their own in the block."""
        loops = [s for s in body if isinstance(s, ast.For)]
        held = {
            path(t): loop
            for loop in loops
            for s in ast.walk(loop)
            if isinstance(s, ast.Assign | ast.AugAssign) and self._shapes.shape(s.value)
            for t in targets(s)
            if isinstance(t, ast.Attribute) and path(t)
        }
        for attribute, loop in held.items():
            name = self._local(public(attribute.rpartition(".")[2]), {})
            function = self._flat.within.get(loop)
            holders = [one.receiver for one in self._flat.calls if one.function is function and one.receiver]
            holder = next((h for h in holders if attribute.startswith(f"{h}.")), "")
            self._flat.given_back[name] = f"self{attribute.removeprefix(holder)}" if holder else attribute
            self._flat.held[name] = attribute
            first = put_at(ast.Assign([ast.Name(name, ast.Store())], parsed(attribute)), loop)
            before = body.index(loop)
            begun = any(path(t) == attribute for s in body[:before] if isinstance(s, ast.Assign) for t in s.targets)
            body = [with_named_state(s, attribute, name) for s in body]
            body = body if begun else [*body[:before], first, *body[before:]]
        return body

    def _block(self, body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
        for statement in body:
            if isinstance(statement, ast.FunctionDef):
                self._targets.functions[statement.name] = statement
                self._targets.nested.add(statement.name)
            if isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.Nonlocal | ast.Global | ast.Assert):
                continue
            statement = chosen(self.with_functions_named(statement), self._shapes)
            if isinstance(statement, ast.Assign) and self._targets.is_number(statement.value):
                self._starts |= {path(t): statement.value for t in statement.targets}
            if isinstance(statement, ast.While):
                statement = counted(statement, self._starts) or statement
            one_way = as_run(statement, self._shapes) if isinstance(statement, ast.If) else None
            if isinstance(statement, ast.Try):
                one_way = without_trying(statement, self._shapes)
            if one_way is not None:
                yield from self._block(one_way)
            elif isinstance(statement, ast.For) and (types := self._unlike(statement)):
                yield from self._block(list(self._by_entry(statement, types)))
            elif isinstance(statement, ast.For):
                for one in unrolled(self.with_own_target(statement)):
                    yield from self._compound(one) if isinstance(one, ast.For) else self._block([one])
            elif isinstance(statement, ast.With | ast.If | ast.While | ast.Try):
                yield from self._compound(statement)
            else:
                yield from self._simple(statement)

    def _unlike(self, loop: ast.For) -> list[str]:
        """The classes of the objects that a loop goes over, where they are the program's and unlike, as the layers of a network are."""
        types = self._shapes.types(loop.iter) if path(loop.iter) and isinstance(loop.target, ast.Name) else []
        return types if all(one in self._targets.classes for one in types) else []

    def _by_entry(self, loop: ast.For, types: Sequence[str]) -> Iterator[ast.stmt]:
        """A loop's rounds one by one, its object written as the entry that it is: what one leaves to the next has a name of its own."""
        assert isinstance(loop.target, ast.Name)
        stored = [name for name in stored_names(loop.body) if name != loop.target.id]
        self._flat.handed_on |= set(stored)
        now: dict[str, ast.expr] = {}
        for k, of in enumerate(types):
            entry = ast.Subscript(unplaced(path(loop.iter)), ast.Constant(f"{NUMBERED}{k}"), ast.Load())
            self._targets.entries[path(entry)] = self._targets.classes[of]
            read = now | {loop.target.id: entry}
            is_last = k == len(types) - 1
            now = {} if is_last else {n: ast.Name(self._local(f"{n}_{k + 1}", {}), ast.Load()) for n in stored}
            self._between |= {ast.unparse(name) for name in now.values()}
            yield from (with_other_values(copy.deepcopy(s), read, now) for s in loop.body)

    def _compound(self, statement: ast.stmt) -> Iterator[ast.stmt]:
        changed = copy.copy(statement)
        counted = (
            {n.id for n in ast.walk(statement.target) if isinstance(n, ast.Name)}
            if isinstance(statement, ast.For)
            else set[str]()
        )
        self._around.append(counted)
        for name in ("body", "orelse", "finalbody"):
            block = getattr(statement, name, None)
            if isinstance(block, list):
                setattr(changed, name, list(self._block(cast("list[ast.stmt]", block))))
        self._around.pop()
        self._flat.within[changed] = self._inside[-1].function if self._inside else None
        self._counters |= counted
        yield changed

    def _simple(self, statement: ast.stmt) -> Iterator[ast.stmt]:
        if self._around:
            self._held.made(statement)
        statement, before = self.summed(statement)
        statement, named = self.with_outputs_named(statement)
        before = [*before, *named]
        if before:
            yield from self._block(before)
        calls = [n for n in ast.walk(statement) if isinstance(n, ast.Call) and self._function(n) is not None]
        for call in calls:
            function, _ = self._function(call) or (None, "")
            if function is not None and (parts := unpacked(statement, function, call)) is not None:
                self._flat.unpacked.append(parts)
                yield statement
                return
        if not calls:
            yield from (out_of_place(one, self._shapes) for one in single_statements(statement))
            return
        changed: dict[ast.Call, ast.expr] = {}
        inside = len(self._inside)
        put: list[Called] = []
        for call in reversed(calls):
            if any(call in list(ast.walk(other)) and call is not other for other in calls):
                continue  # an argument: the next time
            lines, changed[call], one = self._put(call, statement)
            put.append(one)
            yield from lines
        result = with_calls(statement, changed)
        if isinstance(result, ast.Expr) and not isinstance(result.value, ast.Call):
            return
        self._inside += put
        for one in single_statements(result):
            if not (
                isinstance(one, ast.Assign)
                and len(one.targets) == 1
                and ast.unparse(one.targets[0]) == ast.unparse(one.value)
            ):
                made = list(self._simple(one))
                if getattr(statement, "value", None) in changed and not path(getattr(one, "value", one)):
                    for line in made:  # what a function returns is a line of it
                        self._flat.called_at.setdefault(line, []).append(put[-1])
                yield from made
        del self._inside[inside:]

    # One call

    def _function(self, call: ast.Call) -> tuple[ast.FunctionDef, str] | None:
        """The function that a call is of, and what `self` is in it; None where it is left as it is, and inside of itself."""
        found = self._targets.of(call)
        return None if found is None or any(found[0] is one.function for one in self._inside) else found

    def _put(self, call: ast.Call, statement: ast.stmt) -> tuple[list[ast.stmt], ast.expr, Called]:
        function, receiver = self._function(call) or (None, "")
        assert function is not None
        ways = taken_ways(function.body, self._shapes)
        ends = next((k for k, s in enumerate(ways) if s is self._until), len(ways) - 1)
        body = copy.deepcopy(ways[: ends + 1])
        if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
            body = body[1:]
        end = body.pop() if isinstance(body[-1], ast.Return) else None
        value: ast.expr = end.value if isinstance(end, ast.Return) and end.value is not None else ast.Constant(None)
        stored = stored_names(body)
        written = written_names(statement)
        given = dict(given_arguments(function, call, receiver))
        before: list[ast.stmt] = []
        renames: dict[str, ast.expr] = {}
        renamed: dict[str, str] = {}
        outer = names_of_returned(value, statement)
        for name, argument in given.items():
            if name in stored and outer.get(name) == path(argument):
                renamed[name] = outer[name]  # `h = step(x, h)`: it has a new value there, and after the call
                self._flat.given_back[renamed[name]] = name
                continue
            if (
                name not in stored
                and (path(argument) or isinstance(argument, ast.Constant) or self._is_entry(argument))
                and not (names(argument) & written)
            ):
                renames[name] = argument
                self._flat.entry_names.setdefault(ast.unparse(argument), name)
                continue
            around = {a.arg for one in self._inside for a in one.function.args.args}
            is_other = name in around and isinstance(
                argument, ast.BinOp
            )  # the x of `activation(x)` in a cell that is given an x
            renamed[name] = self._local("z" if is_other and "z" not in self._taken else name, {})
            if renamed[name] != ast.unparse(argument):
                before.append(put_at(ast.Assign([ast.Name(renamed[name], ast.Store())], argument), statement))
        for name in stored:
            if name not in given:
                renamed[name] = self._local(name, outer, is_counter=only_counts(name, body))
                if renamed[name] in outer.values():
                    self._flat.given_back[renamed[name]] = name
        body = packed_apart(body, renamed)
        one = Called(function, statement, call, renamed, receiver, self._inside[-1] if self._inside else None)
        for name in renamed.values():
            if name not in outer.values() or name in self._between:
                self._flat.hidden.setdefault(name, one)
        every = renames | {name: ast.Name(new, ast.Load()) for name, new in renamed.items() if new != name}
        owner = next((name for name, of in self._targets.classes.items() if function in of.body), "")
        body = [self._held.written(with_private_names(renamed_in(s, every), receiver, owner), receiver) for s in body]
        value = replaced(value, lambda n: other_name(n, every))
        self._flat.calls.append(one)
        self._inside.append(one)
        one.given = {name: ast.unparse(argument) for name, argument in given.items()}
        first = list(self._block(before))
        lines = list(self._block(body))
        self._inside.pop()
        for inner in (n for line in lines for n in ast.walk(line) if isinstance(n, ast.stmt)):
            self._flat.called_at.setdefault(inner, []).append(one)
        return [*first, *lines], value, one

    def _is_entry(self, node: ast.expr) -> bool:
        """Whether an argument is a part of something: written as it is where it is read."""
        return isinstance(node, ast.Subscript) and not any(
            isinstance(n, ast.Call | ast.BinOp) for n in ast.walk(node.value)
        )
