"""Loops backwards: what a round leaves to the next begins with zeros, and each round with what it needs of the forward pass."""

from __future__ import annotations

import ast
import re

from engine.doctor.derive.backward.rules import Gradient
from engine.doctor.derive.backward.ways import BothWays
from engine.doctor.derive.derived import AS_BEFORE, Refused
from engine.doctor.derive.forward.carried import is_read_before, rebinds
from engine.doctor.derive.forward.steps import singular
from engine.doctor.derive.tree.statements import targets
from engine.doctor.derive.tree.syntax_of import names, parsed


class LoopsBack(BothWays):
    """Makes of a loop one that runs the other way."""

    def loop(self, loop: ast.For) -> None:
        if not any(self.forward.is_sought(t) for s in ast.walk(loop) if isinstance(s, ast.stmt) for t in targets(s)):
            return
        carried = self._carried(loop)
        inits: list[tuple[str, str, tuple[int, ...] | None]] = []
        for name, value, shape in carried:
            if name not in self.live:
                inits.append((name, value if shape != () else "", shape))
                self.live.add(name)
                self.owned.add(name)
        outer, self.lines = self.lines, []
        live_before = set(self.live)
        self.depth += 1
        self.block(loop.body)
        self._unpacked(loop)
        body, self.lines = self.lines, outer
        self.depth -= 1
        if not body:
            self.live = live_before
            return
        self.statement = loop
        for name, value, shape in inits:
            value = f"np.zeros_like({self._read_here(value, loop)})" if value else "0.0"
            self.emit(
                f"{name} = {value}", "nothing comes back from after the last step", makes=name, shape=shape, kind="init"
            )
        for name in [name for name, (_, before) in self.zeros.items() if before is loop]:
            self.emit(f"{name} = {self.zeros.pop(name)[0]}", "", makes=name, kind="init")
            self.live.add(name)
            self.owned.add(name)
        self._with_count_known(loop)
        self.emit(self.values.counters.header(loop), "from the last round to the first", kind="loop", of=loop.lineno)
        self.depth += 1
        used = {word for line in body for word in re.findall(r"[A-Za-z_]\w*", line.text)}
        for text in self.values.begin.top(loop, used):
            self.emit(text, AS_BEFORE, kind="init")
        if call := self.values.begin.call_again(loop):
            self.emit(call, "the forward pass of this round again", kind="init")
        self.depth -= 1
        self.lines += body

    def _with_count_known(self, loop: ast.For) -> None:
        """Makes known what the rounds are counted by, where another loop's round makes it."""
        for name in names(loop.iter) - self.forward.active if self.forward.loops[loop] else ():
            self.values.text(ast.Name(name, ast.Load()), loop)

    def _read_here(self, value: str, loop: ast.For) -> str:
        """What a loop left, where a round of another one is gone back through: out of what is kept of that round."""
        if not self.forward.loops[loop]:
            return value
        try:
            return ast.unparse(self.values.text(parsed(value), loop, after=True))
        except Refused:
            return value  # its shape alone is read

    def _unpacked(self, loop: ast.For) -> None:
        """What iterating over a list that depends on the weights carries back to its entries."""
        for name, entry in self.values.begin.entries(loop):
            if f"d{name}" in self.live:
                self.live.discard(f"d{name}")
                self._entry(parsed(entry), Gradient(parsed(f"d{name}"), self.values.shape_of(name) or ()))

    def _carried(self, loop: ast.For) -> list[tuple[str, str, tuple[int, ...] | None]]:
        """What one round of a loop leaves to the next: the gradient's name, the value's text after the loop, its shape."""
        found: dict[str, tuple[str, tuple[int, ...] | None]] = {}
        for container in self.steps.in_loop(loop):
            if self.steps.is_carried(container):
                found[f"d{singular(container)}"] = (self.steps.last_text(container), self.steps.shape(container))
        for name, definitions in self.forward.definitions.items():
            if not self.forward.is_on_the_way(name) or not name.isidentifier() or self.steps.get(name) is not None:
                continue
            inside = [d for d in definitions if loop in d.loops and rebinds(d, name)]
            inside = [d for d in inside if d.statement not in self.skipped]
            if inside and is_read_before(self.forward, loop, name, inside) and f"d{name}" not in self.symbols:
                found[f"d{name}"] = (self.values.after_loop(name, loop), self.values.shape_of(name))
        return [(name, value, shape) for name, (value, shape) in found.items()]
