"""Branches that a loop takes one way in some rounds and the other way in others: on the way back the same test chooses."""

from __future__ import annotations

import ast
from abc import abstractmethod
from collections.abc import Sequence

from engine.doctor.derive.backward.sums import GradientSums
from engine.doctor.derive.derived import AS_BEFORE, DerivedLine, Refused
from engine.doctor.derive.forward.steps import singular
from engine.doctor.derive.tree.syntax_of import parsed, path

_OPPOSITE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.GtE,
    ast.LtE: ast.Gt,
    ast.Gt: ast.LtE,
    ast.GtE: ast.Lt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
}


class BothWays(GradientSums):
    """Goes back through such branches."""

    @abstractmethod
    def block(self, body: Sequence[ast.stmt]) -> None:
        """Goes back through statements."""

    def branch(self, statement: ast.If) -> None:
        """Each way's lines under its test; what only one of them leaves a gradient for begins with zeros in the other."""
        if self.forward.is_active(statement.test):
            raise Refused("which way is taken depends on the weights")
        live, owned, symbols = set(self.live), set(self.owned), dict(self.symbols)
        ways: list[tuple[list[DerivedLine], set[str], set[str]]] = []
        for body in (statement.body, statement.orelse):
            self.live, self.owned, self.symbols = set(live), set(owned), dict(symbols)
            ways.append((self._made_of(body), self.live, self.owned))
            if {name: ast.unparse(node) for name, node in self.symbols.items()} != {
                name: ast.unparse(node) for name, node in symbols.items()
            }:
                raise Refused("a branch changes what a number is multiplied by")
        self.statement = statement
        self.live = ways[0][1] | ways[1][1]
        self.owned = {n for n in self.live if all(n in own or n not in here for _, here, own in ways)}
        for k, (lines, here, _) in enumerate(ways):
            missing = [name for name in sorted(self.live - here) if self._is_made_before(name, statement)]
            if not lines and not missing:
                continue
            test = self.values.text(statement.test, statement)
            condition = _opposite(test) if k else test
            self.emit(f"if {ast.unparse(condition)}:", AS_BEFORE, kind="branch", of=statement.lineno)
            self.depth += 1
            for name in missing:
                self.emit(f"{name} = np.zeros_like({self._value_of(name)})", "nothing comes back this way", makes=name)
            self.depth -= 1
            self.lines += lines

    def _is_made_before(self, gradient: str, statement: ast.If) -> bool:
        """Whether something that has this gradient is made before a branch, or in the round before; else nothing seeks it there."""
        order = self.forward.order[statement]
        names = (
            n for n in self.forward.definitions if gradient in (self.values.names.gradient_name(n), f"d{singular(n)}")
        )
        made = (d for name in names for d in self.forward.definitions[name])
        return bool(self.forward.loops[statement]) or any(d.order < order for d in made)

    def _made_of(self, body: Sequence[ast.stmt]) -> list[DerivedLine]:
        outer, self.lines = self.lines, []
        self.depth += 1
        self.block(body)
        self.depth -= 1
        made, self.lines = self.lines, outer
        return made

    def _value_of(self, gradient: str) -> str:
        """What has a gradient of that name: an array of its shape."""
        names = [name for name in self.forward.definitions if self.values.names.gradient_name(name) == gradient]
        containers = [c for c in self.forward.definitions if self.steps.get(c) and f"d{singular(c)}" == gradient]
        if not names and not containers:
            raise Refused(f"what {gradient} is the gradient of is not known in a branch")
        return names[0] if names else self.steps.last_text(containers[0])


def _opposite(test: ast.expr) -> ast.expr:
    """`t < k` of `t >= k`; of other tests their negation."""
    if isinstance(test, ast.Compare) and len(test.ops) == 1 and type(test.ops[0]) in _OPPOSITE:
        return ast.Compare(test.left, [_OPPOSITE[type(test.ops[0])]()], test.comparators)
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return test.operand
    return parsed(f"not {ast.unparse(test)}" if path(test) else f"not ({ast.unparse(test)})")
