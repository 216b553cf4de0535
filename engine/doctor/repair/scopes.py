"""Which names a place in the text can see, and where they get their values."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from functools import cached_property

Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
Scope = ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda | Comprehension
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, *_COMPREHENSIONS)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
GIVEN = {*dir(builtins), "__file__", "__doc__", "__name__", "__builtins__", "__spec__", "__class__", "__package__"}


class Scopes:
    """The scopes of a text: what each binds (name: the nodes that do), and what each says is another's."""

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        self.outer: dict[Scope, Scope | None] = {tree: None}
        self.bound: dict[Scope, dict[str, list[ast.AST]]] = {tree: {}}
        self.read: dict[Scope, list[ast.Name]] = {tree: []}
        self.declared: dict[Scope, set[str]] = {tree: set()}
        self.is_open = False  # names may come from where nobody looks
        for statement in tree.body:
            self._visit(statement, tree)

    def _bind(self, scope: Scope, name: str, node: ast.AST) -> None:
        home: Scope = self.tree if name in self.declared[scope] else scope
        self.bound[home].setdefault(name, []).append(node)

    def _visit(self, node: ast.AST, scope: Scope) -> None:
        match node:
            case ast.Name(id=name):
                if isinstance(node.ctx, ast.Load):
                    self.read[scope].append(node)
                    self.is_open |= name in ("exec", "eval", "globals", "locals", "vars")
                else:
                    self._bind(scope, name, node)
            case ast.arg(arg=name):
                self._bind(scope, name, node)
            case ast.Import() | ast.ImportFrom():
                for alias in node.names:
                    self.is_open |= alias.name == "*"
                    self._bind(scope, alias.asname or alias.name.partition(".")[0], node)
            case ast.ExceptHandler(name=str(name)):
                self._bind(scope, name, node)
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                self.declared[scope].update(names)
            case ast.MatchAs() | ast.MatchStar() | ast.MatchMapping():
                self.is_open = True
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                self._bind(scope, name, node)
            case _:
                pass
        if isinstance(node, _SCOPES):
            self._enter(node, scope)
            return
        for child in ast.iter_child_nodes(node):
            self._visit(child, scope)

    def _enter(self, node: Scope, scope: Scope) -> None:
        self.outer[node] = scope
        self.bound[node], self.read[node], self.declared[node] = {}, [], set()
        if isinstance(node, _COMPREHENSIONS):
            for child in ast.iter_child_nodes(node):
                self._visit(child, node)
            return
        if isinstance(node, _FUNCTIONS):
            for given in [*node.args.defaults, *(d for d in node.args.kw_defaults if d is not None)]:
                self._visit(given, scope)
            for argument in ast.walk(node.args):
                if isinstance(argument, ast.arg):
                    self._visit(argument, node)
        if isinstance(node, ast.ClassDef):
            for base in node.bases:
                self._visit(base, scope)
        if isinstance(node, ast.Lambda):
            self._visit(node.body, node)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for decorator in node.decorator_list:
                self._visit(decorator, scope)
            for child in node.body:
                self._visit(child, node)

    def chain(self, scope: Scope) -> Iterator[Scope]:
        """The scopes that a scope can see, itself first; a class is seen only from directly inside."""
        at: Scope | None = scope
        while at is not None:
            if at is scope or not isinstance(at, ast.ClassDef):
                yield at
            at = self.outer[at]

    def visible(self, scope: Scope) -> dict[str, Scope]:
        """The names that a scope can see, with the scope that binds each."""
        seen: dict[str, Scope] = {}
        for each in self.chain(scope):
            for name in self.bound[each]:
                seen.setdefault(name, each)
        return seen

    @cached_property
    def undefined(self) -> list[tuple[ast.Name, Scope]]:
        """The reads of names that nothing binds."""
        if self.is_open:
            return []
        found: list[tuple[ast.Name, Scope]] = []
        for scope, names in self.read.items():
            known = self.visible(scope).keys() | GIVEN
            found += [(name, scope) for name in names if name.id not in known]
        return sorted(found, key=lambda pair: (pair[0].lineno, pair[0].col_offset))

    def unbound(self) -> Iterator[tuple[ast.Name, ast.AST, ast.FunctionDef]]:
        """Reads of a function's own variables that nothing before them gives a value to: the read, what binds the name, the function.

        Only sure ones: where a loop holds the read and another statement that binds the name, it may have a value.
        """
        for scope in [s for s in self.read if isinstance(s, ast.FunctionDef)]:
            for name, nodes in self.bound[scope].items():
                if name in self.declared[scope] or any(isinstance(n, ast.arg) for n in nodes):
                    continue
                steps = list({id(s): s for s in (_step(scope, node) for node in nodes)}.values())
                first = min(steps, key=_begins)
                early = [n for n in self._reads(scope, name) if (n.lineno, n.col_offset) < _begins(first)]
                if isinstance(first, ast.AugAssign) and isinstance(first.target, ast.Name):
                    early.append(first.target)
                if early and not _may_have_come_round(scope, early[0], first, steps):
                    yield early[0], first, scope

    def _reads(self, scope: Scope, name: str) -> list[ast.Name]:
        """The reads of a name in a scope, and in what is evaluated where it stands."""
        inner = [s for s, outer in self.outer.items() if outer is scope and isinstance(s, _COMPREHENSIONS)]
        own = [n for n in self.read[scope] if n.id == name]
        return own + [n for s in inner if name not in self.bound[s] for n in self._reads(s, name)]


def _step(scope: ast.FunctionDef, node: ast.AST) -> ast.AST:
    """The statement that binds a name, else the node itself."""
    for statement in ast.walk(scope):
        if isinstance(statement, ast.Assign | ast.AugAssign | ast.AnnAssign) and _holds(statement, node):
            return statement
    return node


def _holds(outer: ast.AST, node: ast.AST) -> bool:
    return any(n is node for n in ast.walk(outer))


def _may_have_come_round(scope: ast.FunctionDef, read: ast.Name, first: ast.AST, steps: list[ast.AST]) -> bool:
    """Whether another statement may have given the name its value in an earlier round of a loop."""
    others = [s for s in steps if s is not first] if _holds(first, read) else steps
    loops = [n for n in ast.walk(scope) if isinstance(n, ast.For | ast.While) and _holds(n, read)]
    return any(_holds(loop, other) for loop in loops for other in others)


def _begins(node: ast.AST) -> tuple[int, int]:
    """From where on the name has a value: after an assignment's end; a loop's variable from its start."""
    if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
        return node.end_lineno or 0, node.end_col_offset or 0
    return getattr(node, "lineno", 0), getattr(node, "col_offset", 0)
