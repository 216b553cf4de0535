"""Values of called functions, as the place of the backward pass can read them: by another name, out of what is returned, made again, or
kept for it from now on."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import cast

from engine.doctor.derive.derived import AS_BEFORE, KEPT, DerivedLine, Keep, Refused
from engine.doctor.derive.forward.branches import ending
from engine.doctor.derive.forward.flat_pass import Called
from engine.doctor.derive.forward.passes import ForwardPass
from engine.doctor.derive.tree.statements import all_statements, appended
from engine.doctor.derive.tree.syntax_of import base, parsed, path
from engine.doctor.derive.tree.syntax_of import called as called_name
from engine.doctor.derive.values.keeping import kept_before


def reached(
    forward: ForwardPass, lines: Sequence[DerivedLine], keeps: Sequence[Keep]
) -> tuple[list[DerivedLine], list[Keep]]:
    """The lines, with what they read of called functions made known before them, and what is to be kept for that."""
    reach = _Reach(forward, keeps)
    body = reach.all_renamed(lines)
    first: list[DerivedLine] = []
    while missing := [n for n in reads_of([*first, *body]) if n in reach.hidden and n not in reach.known]:
        made = reach.make_known(missing[0])
        if made:
            first[:0] = reach.all_renamed([made])
    unnamed = [DerivedLine(f"{n} = {text}", AS_BEFORE, kind="init") for n, text in forward.flat.unnamed.items()]
    first = [*(line for line in unnamed if line.text.partition(" = ")[0] in reads_of([*first, *body])), *first]
    return reach.all_renamed(_beside_readers(first, body)), [*keeps, *reach.keeps]


def _beside_readers(first: Sequence[DerivedLine], lines: Sequence[DerivedLine]) -> list[DerivedLine]:
    """The lines, and before each of what makes values known where the call begins that alone reads it; the others before all."""
    body, left = list(lines), list[DerivedLine]()
    for line in reversed(first):
        names = stored_names(line.text)
        readers = [one for one in body if names & names_in(one.text)]
        if not readers or any(names & names_in(one.text) for one in left) or line.why != AS_BEFORE:
            left.insert(0, line)
            continue
        common = readers[0].calls
        while any(one.calls[: len(common)] != common for one in readers):
            common = common[:-1]
        start = _start(body, common)
        while common and body[start].text.startswith(" "):
            common = common[:-1]
            start = _start(body, common)
        if not common:
            left.insert(0, line)
        else:
            body.insert(start, replace(line, calls=common))
    return [*left, *body]


def _start(lines: Sequence[DerivedLine], calls: tuple[int, ...]) -> int:
    """Where the lines of a call begin."""
    return next(k for k, one in enumerate(lines) if one.calls[: len(calls)] == calls)


class _Reach:
    def __init__(self, forward: ForwardPass, keeps: Sequence[Keep]) -> None:
        flat = forward.flat
        self._forward, self.hidden = forward, dict(flat.hidden)
        self._first = list(keeps)
        self.keeps: list[Keep] = []
        self.known: set[str] = set()
        self._named: dict[str, str] = dict(flat.held)
        self._fields = flat.fields
        self.returned: dict[ast.FunctionDef, list[str]] = {}
        self.received: dict[ast.stmt, list[str]] = {}
        self._calls: dict[str, str] = {}
        """Calls that receive more than they did, where they are made again."""
        for called in list(flat.calls):
            inside = range(called.function.lineno, (called.function.end_lineno or 0) + 1)
            for keep in keeps:
                written = parsed_statement(keep.text)
                if keep.after in inside and isinstance(written, ast.Assign) and path(written.targets[0]):
                    self.hidden[path(written.targets[0])] = called
        for statement in all_statements(forward.body):
            if (
                isinstance(statement, ast.Assign)
                and len(statement.targets) == 1
                and isinstance(statement.value, ast.Name)
            ):
                name, other = statement.value.id, path(statement.targets[0])
                is_local = name in self.hidden or name in flat.unnamed
                if is_local and other and other not in self.hidden and not forward.loops[statement]:
                    self._named.setdefault(name, other)

    def all_renamed(self, lines: Sequence[DerivedLine]) -> list[DerivedLine]:
        """The lines with the names by which the place of the backward pass knows the values; not those that a line before gave another."""
        made: list[DerivedLine] = []
        written: set[str] = set()
        for line in lines:
            made.append(replace(line, text=self._renamed(line.text, written)))
            written |= stored_names(line.text)
        return made

    def _renamed(self, text: str, written: set[str]) -> str:
        named = {name: other for name, other in self._named.items() if name not in written}
        if text.strip() in self._calls:
            text = text.replace(text.strip(), self._calls[text.strip()])
        if not names_in(text) & {*named, *self._fields}:
            return text
        indent = text[: len(text) - len(text.lstrip())]
        statement = parsed_statement(text)
        changed = _Renaming(named, self._fields).visit(statement)
        shown = ast.unparse(ast.fix_missing_locations(changed))
        return indent + (shown.split("\n")[0] if text.strip().endswith(":") else shown)

    def make_known(self, name: str) -> DerivedLine | None:
        """A line that makes a name known; None where it is known from now on by what is kept."""
        self.known.add(name)
        for statement in all_statements(self._forward.body):
            if not isinstance(statement, ast.Assign) or self._forward.loops[statement]:
                continue
            target, value = statement.targets[0], statement.value
            if isinstance(value, ast.Tuple) and path(target) and path(target) not in self.hidden:
                parts = [ast.unparse(e) if isinstance(e, ast.Name) else "_" for e in value.elts]
                if name in parts:
                    self.known |= set(parts)
                    return DerivedLine(f"{', '.join(parts)} = {path(target)}", KEPT, kind="init")
        once = self._made_again(name)
        if once is not None:
            return DerivedLine(ast.unparse(once), AS_BEFORE, kind="init")
        self.keeps += [keep for keep in kept_before(self._forward, [name]) if keep not in self._first]
        self._keep(name, self.hidden[name])
        return None

    def _keep(self, name: str, called: Called) -> None:
        function = called.function
        end = ending(function, self._forward.shapes)
        own = self._forward.flat.own_name(name)
        indent = self._forward.indent(end)
        returns = any(isinstance(n, ast.Return) for n in ast.walk(end))
        after = end.lineno - 1 if returns else end.end_lineno or end.lineno
        if called.receiver:
            self._named[name] = f"{called.receiver}.{own}"
            self.keeps.append(Keep(after, "", f"{indent}self.{own} = {own}", "for the backward pass"))
            return
        self._return(name, own, called)

    def _return(self, name: str, own: str, called: Called) -> None:
        """The function returns it too, and its caller gives it its name."""
        function, statement = called.function, called.statement
        end = ending(function, self._forward.shapes)
        self.returned.setdefault(function, []).append(own)
        self.received.setdefault(statement, []).append(name)
        value = end.value if isinstance(end, ast.Return) else None
        values = [*(value.elts if isinstance(value, ast.Tuple) else [value] if value is not None else [])]
        shown = ", ".join([*map(ast.unparse, values), *self.returned[function]])
        keep = Keep(end.lineno, "", f"{self._forward.indent(end)}return {shown}", "returned too", replaces=True)
        if (
            not isinstance(statement, ast.Assign)
            or statement.value is not called.call
            or not isinstance(end, ast.Return)
        ):
            raise Refused(f"{own} of {function.name} is not known afterwards; return it")
        target = statement.targets[0]
        given = [
            *map(
                ast.unparse, target.elts if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) else [target]
            )
        ]
        left = ", ".join([*given, *self.received[statement]])
        text = f"{self._forward.indent(statement)}{left} = {ast.unparse(statement.value)}"
        self._calls[ast.unparse(statement)] = text.strip()
        call = Keep(statement.lineno, "", text, "what is returned now", replaces=True)
        self.keeps = [k for k in self.keeps if not (k.replaces and k.after in (keep.after, call.after))] + [keep, call]
        if called.inside is not None:
            self.hidden[name] = called.inside
            self.known.discard(name)

    def _made_again(self, name: str) -> ast.stmt | None:
        """The one statement that gives a name its value, where that depends on no weights and on no round of a loop, or is a weight that
        something else holds."""
        made = self._forward.definitions.get(name, [])
        if len(made) != 1 or made[0].loops:
            return None
        statement = made[0].statement
        value = path(getattr(statement, "value", statement))
        is_held = bool({name, self._forward.flat.shown(value)} & {*self._forward.parameters}) and bool(value)
        is_held = is_held or self._forward.flat.unpacks(statement) is not None
        if name in self._forward.active and not is_held:
            return None
        if not isinstance(statement, ast.Assign) or appended(statement) is not None:
            return None
        drawn = any(isinstance(n, ast.Attribute) and n.attr in DRAWN for n in ast.walk(statement.value))
        return None if drawn or self._is_changed(name) else statement

    def _is_changed(self, name: str) -> bool:
        """Whether a statement is a call of or with it, as `random.shuffle(items)` and `items.sort()` are."""
        calls = (s.value for s in all_statements(self._forward.body) if isinstance(s, ast.Expr) and not appended(s))
        called = (one for one in calls if isinstance(one, ast.Call) and called_name(one) != "print")
        return any(name in map(base, (*one.args, getattr(one.func, "value", one.func))) for one in called)


DRAWN = (
    "randn",
    "rand",
    "normal",
    "uniform",
    "random",
    "standard_normal",
    "choice",
    "randint",
    "integers",
    "permutation",
)
"""Values that are another each time."""


class _Renaming(ast.NodeTransformer):
    def __init__(self, named: Mapping[str, str], fields: Mapping[str, tuple[str, tuple[str, ...]]]) -> None:
        self._named, self._fields = named, fields

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return parsed(self._named[node.id]) if node.id in self._named and isinstance(node.ctx, ast.Load) else node

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        """An entry of what objects hold as the attribute of the object that it is."""
        if not isinstance(node.value, ast.Name) or node.value.id not in self._fields:
            return self.generic_visit(node)
        container, attributes = self._fields[node.value.id]
        index = cast("ast.expr", self.visit(node.slice))
        made: ast.expr = ast.Subscript(cast("ast.expr", self.visit(parsed(container))), index, ast.Load())
        for attribute in attributes:
            made = ast.Attribute(made, attribute, ast.Load())
        return made


def parsed_statement(text: str) -> ast.stmt:
    """The statement of a line; of a loop's first line the loop."""
    text = text.strip()
    return ast.parse(f"{text} pass" if text.endswith(":") else text).body[0]


@lru_cache(maxsize=4096)  # every question about lines asks for the names in them again
def names_of(text: str) -> tuple[tuple[str, bool], ...]:
    """The names in a line as they come, and whether it gives each of them a value."""
    found = (n for n in ast.walk(parsed_statement(text)) if isinstance(n, ast.Name))
    return tuple((n.id, isinstance(n.ctx, ast.Store)) for n in found)


def names_in(text: str) -> set[str]:
    """The names in a line."""
    return {name for name, _ in names_of(text)}


def stored_names(text: str) -> set[str]:
    """The names that a line writes."""
    return {name for name, is_stored in names_of(text) if is_stored}


def reads_of(lines: Sequence[DerivedLine]) -> Iterator[str]:
    """The names that lines read before they write them."""
    written: set[str] = set()
    for line in lines:
        statement = parsed_statement(line.text)
        found = [n for n in ast.walk(statement) if isinstance(n, ast.Name)]
        stored = {n.id for n in found if isinstance(n.ctx, ast.Store)}
        inside = {
            n.id
            for c in ast.walk(statement)
            if isinstance(c, ast.comprehension)
            for n in ast.walk(c.target)
            if isinstance(n, ast.Name)
        }
        own = stored if isinstance(statement, ast.For) else inside
        for n in found:
            if isinstance(n.ctx, ast.Load) and n.id not in written and n.id not in own:
                yield n.id
        written |= stored - inside
