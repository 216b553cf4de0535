"""Small edits of a statement: what people mistake for one another. Each has a kind, which is the mistake's name.

An edit is text: the statement with one thing changed. `value` is the changed expression, where the edit is one of an expression that is
assigned, added, returned or handed on; `same` are two texts that must have the same shape for the edit to make sense.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from engine.doctor.lineage.atoms import atoms_in, is_atom, text_of

FACTORS = (
    "{e} * (1 - {a} ** 2)",
    "{e} * {a} * (1 - {a})",
    "{e} * ({a} > 0)",
    "{e} * {a}",
    "{e} * (1 - {a})",
    "{e} / {a}",
)
KINDS = (
    "transpose",
    "index",
    "sign",
    "exchanged",
    "derivative",
    "factor-dropped",
    "parentheses",
    "axis",
    "sum-for-mean",
    "variable",
    "factor-missing",
    "term-dropped",
    "term-missing",
    "accumulation",
    "moved",
    "deleted",
    "inserted",
)


@dataclass(frozen=True)
class StatementEdit:
    """`line` of the statement; `statement` its new text ("" where it is deleted); `value` the new expression or ""."""

    line: int
    kind: str
    statement: str
    value: str = ""
    same: tuple[str, str] | None = None
    old: str = ""


def of_statement(statement: ast.stmt, around: Sequence[str], *, missing: bool = False) -> Iterator[StatementEdit]:
    """The edits of one statement's expressions, or (`missing`) those that add a term. `around` are the atoms of its function."""
    for slot in _slots(statement):
        expression = slot.get()
        old = text_of(expression)
        seen = {old}
        for kind, made, same in _missing(expression, around) if missing else _of_expression(expression, around):
            text = text_of(made)
            if text in seen:
                continue
            seen.add(text)
            yield StatementEdit(statement.lineno, kind, slot.statement_with(made), text, same, old)


class _Slot:
    """A place in a statement that holds an expression."""

    def __init__(self, statement: ast.stmt, path: tuple[str | int, ...]) -> None:
        self.statement = statement
        self.path = path

    def get(self) -> ast.expr:
        node: object = self.statement
        for step in self.path:
            node = cast("list[ast.AST]", node)[step] if isinstance(step, int) else getattr(node, step)
        assert isinstance(node, ast.expr)
        return node

    def statement_with(self, made: ast.expr) -> str:
        changed = copy.deepcopy(self.statement)
        node: object = changed
        for step in self.path[:-1]:
            node = cast("list[ast.AST]", node)[step] if isinstance(step, int) else getattr(node, step)
        last = self.path[-1]
        if isinstance(last, int):
            cast("list[ast.expr]", node)[last] = made
        else:
            setattr(node, last, made)
        return text_of(changed)


def _slots(statement: ast.stmt) -> list[_Slot]:
    value = getattr(statement, "value", None)
    if isinstance(statement, (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Return)) and value is not None:
        if isinstance(value, ast.Tuple):
            return [_Slot(statement, ("value", "elts", k)) for k in range(len(value.elts))]
        if isinstance(value, ast.Dict):
            return [_Slot(statement, ("value", "values", k)) for k in range(len(value.values))]
        return [_Slot(statement, ("value",))]
    if isinstance(statement, ast.Expr) and isinstance(value, ast.Call):
        return [_Slot(statement, ("value", "args", k)) for k in range(len(value.args))]
    return []


Made = tuple[str, ast.expr, "tuple[str, str] | None"]


def _of_expression(expression: ast.expr, around: Sequence[str]) -> Iterator[Made]:
    for path, node in _walk(expression):
        for kind, made, same in _of_node(node, around):
            yield kind, _with(expression, path, made), same
    yield from _at_root(expression, around)


def _walk(expression: ast.expr) -> Iterator[tuple[tuple[str | int, ...], ast.expr]]:
    """Every expression inside, with the way to it."""
    stack: list[tuple[tuple[str | int, ...], ast.AST]] = [((), expression)]
    while stack:
        path, node = stack.pop()
        if isinstance(node, ast.expr):
            yield path, node
        if isinstance(node, (ast.Lambda, ast.ListComp, ast.GeneratorExp, ast.DictComp, ast.SetComp)):
            continue
        for field, inside in ast.iter_fields(node):
            if isinstance(inside, ast.AST):
                stack.append(((*path, field), inside))
            elif isinstance(inside, list):
                listed = enumerate(cast("list[object]", inside))
                stack += [((*path, field, k), x) for k, x in listed if isinstance(x, ast.AST)]


def _with(expression: ast.expr, path: tuple[str | int, ...], made: ast.expr) -> ast.expr:
    if not path:
        return made
    changed = copy.deepcopy(expression)
    node: object = changed
    for step in path[:-1]:
        node = cast("list[ast.AST]", node)[step] if isinstance(step, int) else getattr(node, step)
    if isinstance(path[-1], int):
        cast("list[ast.expr]", node)[path[-1]] = made
    else:
        setattr(node, path[-1], made)
    return changed


def _parsed(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def _of_node(node: ast.expr, around: Sequence[str]) -> Iterator[Made]:
    if isinstance(node, ast.BinOp):
        yield from _of_operation(node)
    if isinstance(node, ast.Call):
        yield from _of_call(node)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield "sign", node.operand, None
    if isinstance(node, ast.Attribute) and node.attr == "T":
        yield "transpose", node.value, None
    elif is_atom(node) and isinstance(getattr(node, "ctx", None), ast.Load):
        yield from _of_atom(node, around)
    if isinstance(node, ast.Subscript):
        yield from _of_index(node)


def _of_atom(node: ast.expr, around: Sequence[str]) -> Iterator[Made]:
    text = text_of(node)
    yield "transpose", _parsed(f"{text}.T"), None
    for other in around:
        if other != text:
            yield "variable", _parsed(other), (text, other)


def _of_operation(node: ast.BinOp) -> Iterator[Made]:
    left, right = node.left, node.right
    match node.op:
        case ast.Add() | ast.Sub():
            flipped = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
            yield "sign", ast.BinOp(left, flipped, right), None
            if isinstance(node.op, ast.Sub):
                yield "exchanged", ast.BinOp(right, node.op, left), None
            yield "term-dropped", left, None
            yield "term-dropped", right if isinstance(node.op, ast.Add) else ast.UnaryOp(ast.USub(), right), None
            if isinstance(right, ast.BinOp) and isinstance(right.op, (ast.Mult, ast.Div, ast.MatMult)):
                yield "parentheses", ast.BinOp(ast.BinOp(left, node.op, right.left), right.op, right.right), None
            if isinstance(left, ast.BinOp) and isinstance(left.op, (ast.Mult, ast.MatMult)):
                yield "parentheses", ast.BinOp(left.left, left.op, ast.BinOp(left.right, node.op, right)), None
            yield from _derivatives(node)
        case ast.Mult() | ast.Div():
            yield "factor-dropped", left, None
            if isinstance(node.op, ast.Mult):
                yield "factor-dropped", right, None
            if isinstance(left, ast.BinOp) and isinstance(left.op, (ast.Add, ast.Sub)):
                yield "parentheses", ast.BinOp(left.left, left.op, ast.BinOp(left.right, node.op, right)), None
            if isinstance(right, ast.BinOp) and isinstance(right.op, (ast.Add, ast.Sub)):
                yield "parentheses", ast.BinOp(ast.BinOp(left, node.op, right.left), right.op, right.right), None
        case ast.MatMult():
            yield "exchanged", ast.BinOp(right, node.op, left), None
        case ast.Pow():
            yield "factor-dropped", left, None
        case _:
            return


def _derivatives(node: ast.BinOp) -> Iterator[Made]:
    """`1 - x`, of some x: the derivative of another function, or of a value that is already activated."""
    if not (isinstance(node.left, ast.Constant) and node.left.value == 1 and isinstance(node.op, ast.Sub)):
        return
    inside = list(dict.fromkeys(text_of(n) for _, n in _walk(node.right) if is_atom(n)))
    for a in inside:
        for form in ("(1 - {a} ** 2)", "({a} * (1 - {a}))", "({a} > 0)", "(1 - np.tanh({a}) ** 2)", "(1 - {a})", "1.0"):
            yield "derivative", _parsed(form.format(a=a)), None


def _of_call(node: ast.Call) -> Iterator[Made]:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    if name in ("sum", "mean"):
        other = copy.deepcopy(node)
        assert isinstance(other.func, ast.Attribute)
        other.func.attr = "mean" if name == "sum" else "sum"
        yield "sum-for-mean", other, None
        for k, keyword in enumerate(node.keywords):
            if (
                keyword.arg == "axis"
                and isinstance(keyword.value, ast.Constant)
                and isinstance(keyword.value.value, int)
            ):
                other = copy.deepcopy(node)
                other.keywords[k].value = ast.Constant(1 - keyword.value.value if keyword.value.value in (0, 1) else 0)
                yield "axis", other, None
    if name in ("dot", "outer", "matmul") and len(node.args) == 2:
        yield "exchanged", ast.Call(node.func, node.args[::-1], node.keywords), None
    if name == "dot" and len(node.args) == 1 and isinstance(node.func, ast.Attribute):
        yield "exchanged", ast.Call(ast.Attribute(node.args[0], "dot", ast.Load()), [node.func.value], []), None
    if name == "tanh" and len(node.args) == 1:
        yield "derivative", node.args[0], None


def _of_index(node: ast.Subscript) -> Iterator[Made]:
    parts = list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]
    for k, part in enumerate(parts):
        if isinstance(part, ast.Slice) or (isinstance(part, ast.Constant) and not isinstance(part.value, int)):
            continue
        text = text_of(part)
        for made in _beside(part, text):
            changed = copy.deepcopy(node)
            if isinstance(changed.slice, ast.Tuple):
                changed.slice.elts[k] = _parsed(made)
            else:
                changed.slice = _parsed(made)
            yield "index", changed, None


def _beside(part: ast.expr, text: str) -> list[str]:
    if isinstance(part, ast.Constant) and isinstance(part.value, int):
        return [str(part.value + 1), str(part.value - 1)]
    made = [f"{text} + 1", f"{text} - 1"]
    if isinstance(part, ast.BinOp) and isinstance(part.right, ast.Constant) and isinstance(part.op, (ast.Add, ast.Sub)):
        made.insert(0, text_of(part.left))
    return made


def _at_root(expression: ast.expr, around: Sequence[str]) -> Iterator[Made]:
    """A factor or a term that is missing from the whole, or from the inside of a quotient or product."""
    text = text_of(expression)
    yield "sign", _parsed(f"-({text})"), None
    yield from _everywhere(expression, around)
    for a in around:
        for form in FACTORS:
            yield "factor-missing", _parsed(form.format(e=f"({text})", a=a)), None


def _everywhere(expression: ast.expr, around: Sequence[str]) -> Iterator[Made]:
    """One atom for another at every place."""
    atoms = [text_of(a) for a in atoms_in(expression)]
    for atom in dict.fromkeys(a for a in atoms if atoms.count(a) > 1):
        for other in around:
            if other != atom:
                made = cast("ast.expr", _AtomSwap(atom, other).visit(copy.deepcopy(expression)))
                yield "variable", made, (atom, other)


class _AtomSwap(ast.NodeTransformer):
    def __init__(self, old: str, new: str) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        if is_atom(node) and text_of(node) == self.old:
            return _parsed(self.new)
        return self.generic_visit(node)


def _missing(expression: ast.expr, around: Sequence[str]) -> Iterator[Made]:
    """Terms and factors that may be missing: of an atom, of the whole, or of the inside of a quotient or product."""
    for path, node in _walk(expression):
        if is_atom(node) and isinstance(getattr(node, "ctx", None), ast.Load):
            text = text_of(node)
            for other in around:
                if other != text:
                    for operator in "-+*":
                        kind = "factor-missing" if operator == "*" else "term-missing"
                        yield kind, _with(expression, path, _parsed(f"({text} {operator} {other})")), (text, other)
    places = [((), expression)]
    if isinstance(expression, ast.BinOp) and isinstance(expression.op, (ast.Mult, ast.Div)):
        places += [(("left",), expression.left), (("right",), expression.right)]
    for path, node in places:
        inner = text_of(node)
        for term in _terms(around[:12]):
            for sign in "+-":
                yield "term-missing", _with(expression, path, _parsed(f"({inner}) {sign} {term}")), None


def _terms(around: Sequence[str]) -> Iterator[str]:
    yield from around
    for k, a in enumerate(around):
        for b in around[k + 1 :]:
            yield f"{a} * {b}"
    for a in around:
        for b in around:
            if a != b:
                yield f"{a} @ {b}.T"
                yield f"{b}.T @ {a}"


def around(atoms: Sequence[str], statement: ast.stmt, most: int = 24) -> list[str]:
    """The atoms that may be meant: those of the statement's own neighbourhood first."""
    own = [text_of(a) for a in atoms_in(statement)]
    return list(dict.fromkeys([*own, *atoms]))[:most]
