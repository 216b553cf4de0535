"""The forward pass as its statements: what each writes, and in which loops it stands."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field

from engine.doctor.derive.forward.flat_pass import FlatPass
from engine.doctor.derive.tree.shapes import SeenShapes
from engine.doctor.derive.tree.syntax_of import base, path, reads

Loops = tuple[ast.For, ...]


@dataclass(frozen=True, eq=False)
class Definition:
    """A statement that writes a name, path or container, and the loops of the block that it stands in."""

    statement: ast.stmt
    loops: Loops
    body: Sequence[ast.stmt]
    order: int


@dataclass(eq=False)
class ForwardPass:
    """`body` are the statements up to the loss, `last` is the one after which the backward pass stands, in `function`, if in one."""

    body: list[ast.stmt]
    last: ast.stmt
    loss: str
    function: ast.FunctionDef | None
    shapes: SeenShapes
    definitions: dict[str, list[Definition]] = field(default_factory=dict[str, list[Definition]])
    order: dict[ast.stmt, int] = field(default_factory=dict[ast.stmt, int])
    loops: dict[ast.stmt, Loops] = field(default_factory=dict[ast.stmt, Loops])
    parameters: list[str] = field(default_factory=list[str])
    active: set[str] = field(default_factory=set[str])
    leading: set[str] = field(default_factory=set[str])
    """The names of what the loss is made from."""
    flat: FlatPass = field(default_factory=FlatPass)
    indents: dict[tuple[int, int], int] = field(default_factory=dict[tuple[int, int], int])
    """How far the block is indented in which a statement stands, by the statement's line and column: several may stand on one line."""

    def indent(self, statement: ast.stmt) -> str:
        """The white space before a line beside a statement."""
        return " " * self.indents.get((statement.lineno, statement.col_offset), statement.col_offset)

    def moved_behind(self, statement: ast.stmt, body: Sequence[ast.stmt]) -> ast.For | None:
        """The loop of a block in whose text a statement stands that was moved behind it."""
        around = (
            s for s in body if isinstance(s, ast.For) and s.lineno < statement.lineno <= (s.end_lineno or s.lineno)
        )
        return next(around, None)

    def is_on_the_way(self, name: str) -> bool:
        """Whether it is made from the sought parameters, and the loss from it."""
        return name in self.active and name in self.leading

    def is_active(self, node: ast.AST) -> bool:
        """Whether an expression depends on the sought parameters."""
        return any(self.is_sought(one) for one in reads(node))

    def is_sought(self, node: ast.expr) -> bool:
        return path(node) in self.active or base(node) in self.active
