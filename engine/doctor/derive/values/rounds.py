"""What a round on the way back begins with: what the loop goes over, what is unpacked, what is made again."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence

from engine.doctor.derive.derived import Refused
from engine.doctor.derive.forward.flat_pass import Called
from engine.doctor.derive.forward.passes import Definition, ForwardPass
from engine.doctor.derive.tree.statements import targets
from engine.doctor.derive.tree.syntax_of import base, called, names, path
from engine.doctor.derive.values.counters import Counters

WrittenHere = Callable[[ast.expr, ast.stmt], ast.expr]
"""How an expression of a statement is written on the way back."""


class RoundsBegin:
    """What is needed where the rounds of loops begin; `unpackings` are the names that tuples are unpacked into, by what holds the tuple."""

    def __init__(self, forward: ForwardPass, counters: Counters, written: WrittenHere) -> None:
        self._forward, self._counters, self._written = forward, counters, written
        self._again: dict[ast.For, list[ast.stmt]] = {}
        self._remade: dict[ast.For, dict[int, str]] = {}
        self._called: dict[ast.For, Called] = {}
        self.unpackings: dict[ast.For, dict[str, list[str]]] = {}

    def call_again(self, loop: ast.For) -> str:
        """The call of a function that is called again where a round begins, "" where there is none."""
        if loop not in self._called:
            return ""
        call, statement = self._called[loop].call, self._called[loop].statement
        return ast.unparse(statement if isinstance(statement, ast.Assign) and statement.value is call else call)

    def top(self, loop: ast.For, used: set[str]) -> Iterator[str]:
        """What a round begins with: what it iterates over, and what it makes again."""
        for entry, given in self.unpackings.get(loop, {}).items():
            yield f"{', '.join(name if name.isidentifier() else '_' for name in given)} = {entry}"
        given = {name for names_ in self.unpackings.get(loop, {}).values() for name in names_}
        again = [s for s in self._again.get(loop, []) if not self._is_given(s, given)]
        remade = self._remade.get(loop, {}).items()
        call = self._called[loop].call if loop in self._called else None
        used = used | (names(call) if call is not None else set[str]())
        needed = used | {n for s in [*again, *(ast.parse(text) for _, text in remade)] for n in names(s)}
        for name, entry in self.entries(loop):
            if name in needed and not (name in given and len(self._forward.definitions[name]) == 1):
                yield f"{name} = {entry}"
        made = [(self._forward.order[s], ast.unparse(s)) for s in again]
        yield from _read([text for _, text in sorted([*made, *remade])], used)

    def _is_given(self, statement: ast.stmt, given: set[str]) -> bool:
        """Whether a statement makes only what was unpacked: a name that has one value in a round."""
        made = list(targets(statement))
        return bool(made) and all(path(one) in given and len(self._forward.definitions[path(one)]) == 1 for one in made)

    def entries(self, loop: ast.For) -> Iterator[tuple[str, str]]:
        """What a loop's names are in a round, where it iterates over arrays or lists."""
        name = called(loop.iter)
        if name in ("range", "arange", "reversed"):
            return
        step = self._counters.of(loop)
        arguments = loop.iter.args if isinstance(loop.iter, ast.Call) and name in ("zip", "enumerate") else [loop.iter]
        parts = (
            loop.target.elts if isinstance(loop.target, ast.Tuple) and name in ("zip", "enumerate") else [loop.target]
        )
        parts = parts[1:] if name == "enumerate" else parts
        for part, iterated in zip(parts, arguments, strict=False):
            across = iterated.value if isinstance(iterated, ast.Attribute) and iterated.attr == "T" else None
            text = ast.unparse(self._written(iterated if across is None else across, loop))
            if isinstance(part, ast.Name):
                yield part.id, f"{text}[{step}]" if across is None else f"{text}[:, {step}]"
            elif isinstance(part, ast.Tuple):
                for k, inner in enumerate(part.elts):
                    yield ast.unparse(inner), f"{text}[{step}][{k}]"

    def calls_again(self, loop: ast.For, statement: ast.stmt) -> bool:
        """Whether a statement is of a function with loops that each round of a loop calls, and that leaves its last call's values: it is
        called again where the round begins, with the same arguments."""
        flat = self._forward.flat
        around = flat.within.get(loop)
        for one in reversed(flat.called_at.get(statement, [])):
            is_called = (one.inside.function if one.inside is not None else None) is around
            is_called = is_called and loop.lineno <= one.statement.lineno <= (loop.end_lineno or 0)
            loops = (s for s in ast.walk(loop) if isinstance(s, ast.For) and s is not loop)
            if is_called and any(one in flat.called_at.get(s, []) for s in loops):
                if loop not in self._called:
                    self._called[loop] = one
                    for name in names(one.call):
                        if any(
                            loop in d.loops and d.statement is not loop for d in self._forward.definitions.get(name, [])
                        ):
                            self.make_again(loop, name)
                return self._called[loop] is one
        return False

    def make_again(self, loop: ast.For, name: str) -> None:
        again = self._again.setdefault(loop, [])
        for d in self._forward.definitions[name]:
            if isinstance(d.statement, ast.For) and d.statement is not loop and loop in d.loops:
                raise Refused("what a loop inside a round makes is not kept")
            if loop in d.loops and d.statement in _straight(loop.body) and d.statement not in again:
                again.append(d.statement)
                for other in sorted(names(d.statement) - {name}):
                    for made in self._forward.definitions.get(other, []):
                        if (
                            loop in made.loops
                            and made.statement in _straight(loop.body)
                            and other not in self._forward.active
                            and made.statement not in again
                        ):
                            self.make_again(loop, other)

    def remake(self, name: str, loop: ast.For, made: Definition) -> None:
        """A local of a function that a round calls, which nothing keeps, is computed again where the round begins."""
        remade = self._remade.setdefault(loop, {})
        if made.order not in remade and isinstance(made.statement, ast.Assign):
            if any(loop in d.loops[:-1] for d in self._forward.definitions[name]):
                raise Refused("what a loop inside a round makes is not kept")
            value = self._written(made.statement.value, made.statement)  # of `p = p / p.sum()` the first p as well
            remade[made.order] = f"{name} = {ast.unparse(value)}"
            for d in self._forward.definitions[name]:  # what is written into it part by part
                part = d.statement
                target = part.targets[0] if isinstance(part, ast.Assign) else None
                if isinstance(part, ast.Assign) and isinstance(target, ast.Subscript) and d.body is made.body:
                    index, value = self._written(target.slice, part), self._written(part.value, part)
                    written = ast.unparse(ast.Subscript(ast.Name(name), index, ast.Store()))
                    remade[d.order] = f"{written} = {ast.unparse(value)}"


def _read(texts: Sequence[str], used: set[str]) -> list[str]:
    """Those of some lines that make what is used, or what others of them need for that."""
    kept, needed = list[str](), set(used)
    for text in reversed(texts):
        (statement,) = ast.parse(text).body
        if {base(target).partition(".")[0].partition("[")[0] for target in targets(statement)} & needed or not list(
            targets(statement)
        ):
            kept.insert(0, text)
            needed |= names(statement)
    return kept


def _straight(body: Sequence[ast.stmt]) -> list[ast.stmt]:
    """The statements of a block and of the branches in it."""
    inside = [s for one in body if isinstance(one, ast.If) for s in _straight([*one.body, *one.orelse])]
    return [*body, *inside]
