"""Rewrites the user's source so that the value of every assignment is recorded; what the program computes is unchanged.

Recorded are the values of assignments, of the increments of `+=` and of the sum after it, of elements appended and
returned, and of the parts of such expressions; for each the loops around it and their variables. Each place in the text
is a `Site`.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Any

RECORD, AFTER, LOOP, ROUND = "__doctor_record__", "__doctor_after__", "__doctor_loop__", "__doctor_round__"
_CHANGING = {
    "clip",
    "add",
    "subtract",
    "multiply",
    "divide",
    "copyto",
    "put",
    "fill_diagonal",
    "maximum",
    "minimum",
    "at",
}


@dataclass(frozen=True)
class Site:
    """A place whose value is recorded.

    `kind` is assign, increment, after, append, return, part, or passed (a variable returned as it is). `target` is what it is
    assigned to, as text ("" for a part); `names` the targets where one value is unpacked; `function` where it is ("": the
    module itself); `loops` the numbers of the loops around it.
    """

    line: int
    end: int
    column: int
    kind: str
    target: str
    source: str
    function: str
    names: tuple[str, ...] = ()
    loops: tuple[int, ...] = ()
    plain: bool = False
    """Whether the value is only a name: nothing is computed here."""
    rows: bool = False
    """For a target that is part of an array: whether that part is replaced, not added to."""


@dataclass
class Instrumented:
    """The rewritten module, its sites by number, and its loops: line and variable."""

    tree: ast.Module
    sites: list[Site] = field(default_factory=list[Site])
    loops: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])


def instrument(tree: ast.Module) -> Instrumented:
    """`tree` rewritten (it is changed in place)."""
    result = Instrumented(tree)
    writer = _Instrumenter(result, frozenset(n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)))
    tree.body = writer.block(tree.body)
    ast.fix_missing_locations(tree)
    return result


class _Instrumenter:
    def __init__(self, result: Instrumented, defined: frozenset[str]) -> None:
        self.result = result
        self.defined = defined
        self.function: list[str] = []
        self.loops: list[int] = []

    # Statements

    def block(self, body: list[ast.stmt]) -> list[ast.stmt]:
        return [new for statement in body for new in self.statement(statement)]

    def statement(self, node: ast.stmt) -> list[ast.stmt]:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                outer, self.loops = self.loops, []
                self.function.append(node.name)
                node.body = self.block(node.body)
                self.function.pop()
                self.loops = outer
                return [node]
            case ast.Assign():
                return self._assign(node)
            case ast.AnnAssign() if node.value is not None:
                node.value = self.value(node.value, "assign", ast.unparse(node.target), node)
                return [node]
            case ast.AugAssign():
                node.value = self.value(node.value, "increment", ast.unparse(node.target), node)
                return [node, *self._after(node.target, node)]
            case ast.Return() if node.value is not None:
                node.value = self._returned(node.value, node)
                return [node]
            case ast.Expr(value=ast.Call()):
                return [node, *self._called(node)]
            case ast.For() | ast.While() | ast.AsyncFor():
                return self._loop(node)
            case _:
                for name, inside in ast.iter_fields(node):
                    if name in ("body", "orelse", "finalbody") and isinstance(inside, list):
                        setattr(node, name, self.block(inside))  # pyright: ignore[reportUnknownArgumentType]
                for handler in getattr(node, "handlers", []):
                    handler.body = self.block(handler.body)
                for case in getattr(node, "cases", []):
                    case.body = self.block(case.body)
                return [node]

    def _assign(self, node: ast.Assign) -> list[ast.stmt]:
        first = node.targets[0]
        if isinstance(first, ast.Tuple | ast.List):
            names = [ast.unparse(target) for target in first.elts]
            if isinstance(node.value, ast.Tuple | ast.List) and len(node.value.elts) == len(names):
                elements = zip(node.value.elts, names, strict=True)
                node.value.elts = [self.value(element, "assign", name, node) for element, name in elements]
            else:
                node.value = self.value(node.value, "assign", "", node, names=tuple(names))
            return [node]
        target = ast.unparse(first)
        names = tuple(ast.unparse(written) for written in node.targets) if len(node.targets) > 1 else ()
        if isinstance(node.value, ast.Dict):
            self._entries(node.value, "assign", node, target)
        else:
            node.value = self.value(node.value, "assign", target, node, names=names)
        after = self._after(first, node, arrays_only=True) if isinstance(first, ast.Subscript) else []
        return [node, *after]

    def _entries(self, value: ast.Dict, kind: str, node: ast.stmt, owner: str = "") -> None:
        for k, (key, item) in enumerate(zip(value.keys, value.values, strict=True)):
            if isinstance(key, ast.Constant):
                target = f"{owner}[{key.value!r}]" if owner else str(key.value)
                value.values[k] = self.value(item, kind, target, item)

    def _returned(self, value: ast.expr, node: ast.stmt) -> ast.expr:
        match value:
            case ast.Tuple() | ast.List():
                value.elts = [self._returned(element, node) for element in value.elts]
                return value
            case ast.Dict():
                self._entries(value, "return", node)
                return value
            case ast.Call(func=ast.Name(id="dict")):
                for keyword in value.keywords:
                    keyword.value = self.value(keyword.value, "return", keyword.arg or "", keyword.value)
                return value
            case _:
                return self.value(value, "return", "", value)

    def _called(self, node: ast.Expr) -> list[ast.stmt]:
        call = node.value
        assert isinstance(call, ast.Call)
        if not isinstance(call.func, ast.Attribute):
            return []
        if call.func.attr in ("append", "insert", "appendleft", "setdefault", "extend"):
            call.args = [self.value(a, "append", ast.unparse(call.func.value), node) for a in call.args]
            return []
        changed = [keyword.value for keyword in call.keywords if keyword.arg == "out"]
        if not changed and call.func.attr in _CHANGING and call.args:
            changed = call.args[:1]
        if not changed and call.func.attr in ("fill", "sort"):
            changed = [call.func.value]
        return [new for target in changed for new in self._after(target, node)]

    def _loop(self, node: ast.For | ast.While | ast.AsyncFor) -> list[ast.stmt]:
        number = len(self.result.loops)
        names: list[ast.Name] = []
        if not isinstance(node, ast.While):
            target = node.target.elts if isinstance(node.target, ast.Tuple | ast.List) else [node.target]
            names = [name for name in target if isinstance(name, ast.Name)]
        self.result.loops.append((node.lineno, names[0].id if names else ""))
        self.loops.append(number)
        node.body = [
            self._expression(ROUND, [ast.Constant(number), *map(_load, names[:1])], node),
            *self.block(node.body),
        ]
        self.loops.pop()
        node.orelse = self.block(node.orelse)
        return [self._expression(LOOP, [ast.Constant(number)], node), node]

    def _after(self, target: ast.expr, node: ast.stmt, *, arrays_only: bool = False) -> list[ast.stmt]:
        """Records the target after a statement: the whole array of which a part was written, or the entry of a dict or list."""
        base, key = target, ast.Constant(None)
        if isinstance(target, ast.Subscript):
            base = target.value
            sliced = any(isinstance(part, ast.Slice) for part in ast.walk(target.slice))
            key = ast.Constant(None) if sliced or arrays_only else _load(target.slice)
        if not all(isinstance(n, _SAFE) for n in ast.walk(key)):
            key = ast.Constant(None)
        if not all(isinstance(n, _SAFE) for n in ast.walk(base)):
            return []
        site = self._site(node, "after", ast.unparse(target), node, rows=arrays_only)
        return [self._expression(AFTER, [ast.Constant(site), _load(base), key], node)]

    # Expressions

    def value(self, value: ast.expr, kind: str, target: str, node: ast.AST, *, names: tuple[str, ...] = ()) -> ast.expr:
        if isinstance(value, ast.Lambda) and kind == "assign":
            return self._lambda(value, target)
        if isinstance(
            value, ast.Constant | ast.Lambda | ast.JoinedStr | ast.Starred | ast.Yield | ast.YieldFrom | ast.Await
        ):
            return value
        if kind == "return" and isinstance(value, ast.Name):
            kind = "passed"
        site = self._site(node, kind, target, value, names=names)
        return self._call(RECORD, [ast.Constant(site), self.parts(value)], value)

    def _lambda(self, value: ast.Lambda, name: str) -> ast.Lambda:
        """A small function of one line: what it returns."""
        outer, self.loops = self.loops, []
        self.function.append(name)
        value.body = self.value(value.body, "return", "", value.body)
        self.function.pop()
        self.loops = outer
        return value

    def parts(self, value: ast.expr) -> ast.expr:
        """The same expression with the values of its parts recorded too."""
        match value:
            case ast.BinOp():
                value.left, value.right = self._part(value.left), self._part(value.right)
            case ast.UnaryOp():
                value.operand = self._part(value.operand)
            case ast.Call():
                if not isinstance(value.func, ast.Name | ast.Attribute):
                    return value
                if isinstance(value.func, ast.Attribute):
                    value.func.value = self._part(value.func.value)
                value.args = [self._argument(argument, value.func) for argument in value.args]
            case ast.Attribute():
                value.value = self._part(value.value)
            case ast.List() | ast.Tuple():
                value.elts = [self._part(element) for element in value.elts]
            case ast.IfExp():
                value.body, value.orelse = self._part(value.body), self._part(value.orelse)
            case _:
                pass
        return value

    def _argument(self, value: ast.expr, function: ast.expr) -> ast.expr:
        """An argument of a call; of a program's own function what is cut out of an array, too."""
        name = (
            function.id
            if isinstance(function, ast.Name)
            else function.attr
            if isinstance(function, ast.Attribute)
            else ""
        )
        is_cut = isinstance(value, ast.Subscript) and any(isinstance(n, ast.Slice) for n in ast.walk(value.slice))
        if not is_cut or name not in self.defined:
            return self._part(value)
        return self._call(RECORD, [ast.Constant(self._site(value, "part", "", value)), value], value)

    def _part(self, value: ast.expr) -> ast.expr:
        if isinstance(value, ast.Attribute):
            value.value = self._part(value.value)
            return value
        if isinstance(value, ast.List | ast.Tuple):
            return self.parts(value)
        if not isinstance(value, ast.BinOp | ast.UnaryOp | ast.Call | ast.IfExp):
            return value
        site = self._site(value, "part", "", value)
        return self._call(RECORD, [ast.Constant(site), self.parts(value)], value)

    def _site(
        self, node: ast.AST, kind: str, target: str, value: ast.AST, *, names: tuple[str, ...] = (), rows: bool = False
    ) -> int:
        line, end = getattr(node, "lineno", 0), getattr(node, "end_lineno", 0)
        self.result.sites.append(
            Site(
                line,
                end or line,
                getattr(value, "col_offset", 0),
                kind,
                target,
                "" if kind == "after" else _text(value),
                ".".join(self.function),
                names,
                tuple(self.loops),
                isinstance(value, ast.Name | ast.Subscript | ast.Attribute),
                rows,
            )
        )
        return len(self.result.sites) - 1

    def _call(self, name: str, arguments: list[ast.expr], place: ast.AST) -> ast.Call:
        return ast.copy_location(ast.Call(ast.Name(name, ast.Load()), arguments, []), place)

    def _expression(self, name: str, arguments: list[ast.expr], place: ast.stmt) -> ast.stmt:
        return ast.copy_location(ast.Expr(self._call(name, arguments, place)), place)


_SAFE = (
    ast.Name,
    ast.Attribute,
    ast.Subscript,
    ast.Constant,
    ast.expr_context,
    ast.BinOp,
    ast.operator,
    ast.Tuple,
    ast.UnaryOp,
    ast.unaryop,
)


def _load(node: ast.expr) -> ast.expr:
    """A copy of a target as an expression to read."""
    copy: Any = ast.parse(ast.unparse(node), mode="eval").body
    return copy


def _text(node: ast.AST) -> str:
    """The text of an expression that may have been rewritten already: without the recording."""
    return ast.unparse(_Plain().visit(ast.parse(ast.unparse(node), mode="eval").body))


class _Plain(ast.NodeTransformer):
    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        return node.args[1] if isinstance(node.func, ast.Name) and node.func.id == RECORD else node
