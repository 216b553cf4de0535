"""What the forward pass has to keep: a value of every round in a list, a first value under a name of its own."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator

from engine.doctor.derive.derived import Keep, Refused
from engine.doctor.derive.forward.carried import binds
from engine.doctor.derive.forward.flat_pass import BEFORE
from engine.doctor.derive.forward.passes import Definition, ForwardPass
from engine.doctor.derive.forward.steps import plus_number
from engine.doctor.derive.values.counters import Counters
from engine.doctor.derive.values.given_names import GivenNames
from engine.doctor.derive.values.rounds import RoundsBegin


def kept_before(forward: ForwardPass, texts: Collection[str]) -> Iterator[Keep]:
    """The lines that keep first values which these lines read, before their names are taken."""
    flat = forward.flat
    words = {word for text in texts for word in re.findall(r"[A-Za-z_]\w*", text)}
    for new in (one for one in flat.before if one in words):
        name, statement = flat.before[new]
        own, indent = flat.own_name(name), forward.indent(statement)
        yield Keep(statement.lineno - 1, "", f"{indent}{own}{BEFORE} = {own}", f"{own} has another value afterwards")


class Keeping:
    """Makes the lines that keep values. `keeps` are these lines, `needs_old` the values of which the rounds before are needed as well."""

    def __init__(
        self,
        forward: ForwardPass,
        names: GivenNames,
        begin: RoundsBegin,
        counters: Counters,
        old: frozenset[tuple[str, int]],
    ) -> None:
        self._forward, self._names, self._begin, self._counters, self._old = forward, names, begin, counters, old
        self.keeps: list[Keep] = []
        self.needs_old: set[tuple[str, int]] = set()
        self._lists: dict[tuple[str, int], str] = {}

    def kept(self, name: str, loop: ast.For, made: Definition, is_new: bool) -> str:
        """An entry of a list that is added to the forward pass."""
        is_last = self.until(name, made) == self.until("", made)
        key = (name if is_last else f"{name} of {made.order}", loop.lineno)
        if not is_new:
            self.needs_old.add(key)
        keeps_first = key in self._old
        if key not in self._lists:
            flat = self._forward.flat
            is_called = name in {**flat.hidden, **flat.held} or flat.within.get(loop) is not None
            own = flat.own_name(name) if is_called else name
            self._lists[key] = self._names.plural(own)
            plural, why = self._lists[key], f"{own} of every round"
            is_written_into = any(
                isinstance(d.statement, ast.AugAssign) for d in self._forward.definitions[name] if loop in d.loops
            )
            begun = f"{own}.copy()" if is_written_into else own  # what is kept is not to change with it
            first = f"[{begun}]" if keeps_first else "[]"
            self.keeps.append(Keep(loop.lineno - 1, "", self._forward.indent(loop) + f"{plural} = {first}", why))
            last = (
                made.statement
                if made.body is loop.body
                else next(s for s in loop.body if made.statement in list(ast.walk(s)))
            )
            end = self._in_text(loop, self._last_change(name, loop, last) if is_last else last)
            end = self._forward.moved_behind(end, loop.body) or end
            is_same = not binds(made.statement, name)
            kept = f"{own}.copy()" if is_same or is_written_into or not is_last else own
            self.keeps.append(
                Keep(end.end_lineno or end.lineno, "", self._forward.indent(end) + f"{plural}.append({kept})", why)
            )
        index = plus_number(self._counters.of(loop), int(keeps_first) - (not is_new))
        self._keep_all(self._lists[key], loop)
        return f"{self._lists[key]}[{ast.unparse(index)}]"

    def _keep_all(self, kept: str, loop: ast.For) -> None:
        """A list that each round of a loop around begins anew is kept in another one, and taken out of it where the round begins."""
        within = self._forward.flat.within
        for outer in self._forward.loops.get(loop, ())[-1:]:
            if within.get(outer) is not within.get(loop):
                if self._begin.calls_again(outer, loop):
                    return
                raise Refused(f"{kept} of each call of {getattr(within.get(loop), 'name', '')} is needed: return it")
            key, why = (kept, outer.lineno), f"{kept} of every round"
            if key not in self._lists:
                self._lists[key] = self._names.plural(kept)
                every, indent = self._lists[key], self._forward.indent
                self.keeps.append(Keep(outer.lineno - 1, "", f"{indent(outer)}{every} = []", why))
                self.keeps.append(Keep(loop.end_lineno or 0, "", f"{indent(loop)}{every}.append({kept})", why))
            entry = f"{self._lists[key]}[{self._counters.of(outer)}]"
            self._begin.unpackings.setdefault(outer, {})[entry] = [kept]
            self._keep_all(self._lists[key], outer)

    def until(self, name: str, made: Definition) -> float:
        """When a name that is written several times in a round gets its next value."""
        later = [
            d.order for d in self._forward.definitions.get(name, []) if d.body is made.body and binds(d.statement, name)
        ]
        return min((order for order in later if order > made.order), default=float("inf"))

    def _in_text(self, loop: ast.For, statement: ast.stmt) -> ast.stmt:
        """The statement of the loop's own text that a statement is run by: itself, or the call of its function."""
        statement = self._forward.flat.named_at.get(statement, statement)
        calls = [one.statement for one in self._forward.flat.called_at.get(statement, [])]
        inside = range(loop.lineno, (loop.end_lineno or loop.lineno) + 1)
        return next((s for s in (statement, *calls) if s.lineno in inside), statement)

    def _last_change(self, name: str, loop: ast.For, made: ast.stmt) -> ast.stmt:
        """The last statement of a loop that changes a value, as `hs.append(h)` changes hs."""
        changed = [s for s in loop.body for d in self._forward.definitions[name] if d.statement in list(ast.walk(s))]
        return changed[-1] if changed else made
