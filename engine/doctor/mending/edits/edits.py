"""Small edits of a statement: what people mistake for one another. Each has a kind, which is the mistake's name.

An edit is text: the statement with one thing changed. `value` is the changed expression, where the edit is one of an
expression that is assigned, added, returned or handed on; `same` are two texts that must have the same shape for the
edit to make sense.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from engine.doctor.mending.edits.atoms import atoms_in, is_atom, parsed, replaced_in, text_of
from engine.doctor.mending.edits.entries import at_another_index
from engine.doctor.mending.edits.wholes import LIKELY, of_whole

FACTORS = ("{e} * (1 - {a} ** 2)", "{e} * {a} * (1 - {a})", "{e} * ({a} > 0)", "{e} * {a}", "{e} * (1 - {a})")
KINDS = (
    "accumulation",
    "repeated",
    "sum-for-mean",
    "axis",
    "transpose",
    "index",
    "sign",
    "exchanged",
    "delta",
    "derivative",
    "condition",
    "wraps",
    "clip",
    "means",
    "sum-missing",
    "complement",
    "factor-dropped",
    "mask",
    "masked",
    "parentheses",
    "term-dropped",
    "variable",
    "factor-missing",
    "term-missing",
    "moved",
    "deleted",
    "inserted",
    "loop",
)


@dataclass(frozen=True)
class Slot:
    """A place in a statement that holds an expression."""

    statement: ast.stmt
    path: tuple[str | int, ...]

    def get(self) -> ast.expr:
        node: Any = self.statement
        for step in self.path:
            node = node[step] if isinstance(step, int) else getattr(node, step)
        return cast("ast.expr", node)


@dataclass(frozen=True)
class StatementEdit:
    """`line` of the statement; `value` the new expression for `old`, in this `slot` of the statement."""

    line: int
    kind: str
    value: str
    old: str
    same: tuple[str, str] | None
    slot: Slot

    @property
    def checked(self) -> bool:
        """Whether what the expression makes can be looked up: the places that are written into are no such thing."""
        return not (_scatters(self.slot.statement) and self.slot.path[-1] in (0, 1))

    @property
    def statement(self) -> str:
        """The statement with the edit."""
        if self.kind == "accumulation":
            return _turned(self.slot.statement)
        if self.kind == "repeated":
            return self.value
        return text_of(replaced_in(self.slot.statement, self.slot.path, parsed(self.value)))


def of_statement(statement: ast.stmt, around: Sequence[str], *, missing: bool = False) -> Iterator[StatementEdit]:
    """The edits of one statement's expressions, or (`missing`) those that add a term. `around` are the atoms of its
    function."""
    for slot in slots(statement):
        expression = slot.get()
        old = text_of(expression)
        seen: dict[str, StatementEdit] = {}
        for kind, made, same in _missing(expression, around) if missing else _of_expression(expression, around):
            text = text_of(made)
            if _scatters(statement) and slot.path[-1] in (0, 1) and kind not in ("variable", "index"):
                continue
            known = seen.get(text)
            if text != old and (known is None or KINDS.index(kind) < KINDS.index(known.kind)):
                seen[text] = StatementEdit(statement.lineno, kind, text, old, same, slot)
        yield from seen.values()


def slots(statement: ast.stmt) -> list[Slot]:
    value = getattr(statement, "value", None)
    if isinstance(statement, (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Return)) and value is not None:
        if isinstance(value, ast.Tuple):
            return [Slot(statement, ("value", "elts", k)) for k in range(len(value.elts))]
        if isinstance(value, ast.Dict):
            return [Slot(statement, ("value", "values", k)) for k in range(len(value.values))]
        handed = range(len(value.args)) if calls_own(statement) else ()
        return [Slot(statement, ("value",)), *(Slot(statement, ("value", "args", k)) for k in handed)]
    if isinstance(statement, ast.Expr) and isinstance(value, ast.Call):
        return [Slot(statement, ("value", "args", k)) for k in range(len(value.args))]
    return []


def calls_own(statement: ast.stmt) -> bool:
    """Whether it calls a function or method of the program: what that gives back may be no array, and what is handed to it one."""
    match getattr(statement, "value", None):
        case ast.Call(func=ast.Name()):
            return True
        case ast.Call(func=ast.Attribute(value=ast.Name(id="self"))):
            return True
        case _:
            return False


def _scatters(statement: ast.stmt) -> bool:
    """Whether a statement is a `ufunc.at`."""
    call = getattr(statement, "value", None)
    return (
        isinstance(statement, ast.Expr)
        and isinstance(call, ast.Call)
        and getattr(call.func, "attr", "") == "at"
        and len(call.args) > 2
    )


def made_by(statement: ast.stmt) -> ast.expr | None:
    """The expression whose value a statement puts somewhere."""
    value = getattr(statement, "value", None)
    if isinstance(statement, ast.Expr) and isinstance(value, ast.Call):
        return value.args[-1] if _scatters(statement) else None
    return None if isinstance(value, (ast.Tuple, ast.Dict)) else value


def accumulation(statement: ast.stmt) -> Iterator[StatementEdit]:
    """`=` for `+=`, the other way round, and `add.at` where an index may repeat."""
    if (
        isinstance(statement, ast.Assign)
        and len(statement.targets) == 1
        and not isinstance(statement.targets[0], ast.Tuple)
    ):
        value = f"{text_of(statement.targets[0])} + ({text_of(statement.value)})"
        yield StatementEdit(
            statement.lineno, "accumulation", value, text_of(statement.value), None, Slot(statement, ("value",))
        )
    elif isinstance(statement, ast.AugAssign) and isinstance(statement.op, ast.Add):
        text = text_of(statement.value)
        yield StatementEdit(statement.lineno, "accumulation", text, text, None, Slot(statement, ("value",)))
        if isinstance(statement.target, ast.Subscript):
            at = f"np.add.at({text_of(statement.target.value)}, {text_of(statement.target.slice)}, {text})"
            yield StatementEdit(statement.lineno, "repeated", at, text, None, Slot(statement, ("value",)))


def stored_elsewhere(statement: ast.stmt, around: Sequence[str]) -> Iterator[StatementEdit]:
    """What a statement puts somewhere, put at other indices."""
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    target = targets[0]
    if len(targets) == 1 and isinstance(target, ast.Subscript):
        slot = Slot(statement, ("targets", 0) if isinstance(statement, ast.Assign) else ("target",))
        for made in at_another_index(target, around):
            yield StatementEdit(statement.lineno, "index", text_of(made), text_of(target), None, slot)


def _turned(statement: ast.stmt) -> str:
    if isinstance(statement, ast.AugAssign):
        return f"{text_of(statement.target)} = {text_of(statement.value)}"
    assert isinstance(statement, ast.Assign)
    return f"{text_of(statement.targets[0])} += {text_of(statement.value)}"


Made = tuple[str, ast.expr, "tuple[str, str] | None"]


def _of_expression(expression: ast.expr, around: Sequence[str]) -> Iterator[Made]:
    comparisons = [n for n in ast.walk(expression) if isinstance(n, ast.Compare)]
    in_comparisons = {id(n) for comparison in comparisons for n in ast.walk(comparison)}
    for path, node in _walk(expression):
        for kind, made, same in _of_node(node, around):
            if kind != "complement" or id(node) not in in_comparisons:  # 1 - h > 0 is no factor of anything
                yield kind, _with(expression, path, made), same
    yield from _at_root(expression, around)


def _walk(expression: ast.expr) -> Iterator[tuple[tuple[str | int, ...], ast.expr]]:
    """Every expression inside, with the way to it."""
    stack: list[tuple[tuple[str | int, ...], ast.AST]] = [((), expression)]
    while stack:
        path, node = stack.pop()
        if isinstance(node, ast.expr):
            yield path, node
        if isinstance(node, ast.Subscript):  # indices have edits of their own
            stack.append(((*path, "value"), node.value))
            continue
        if isinstance(node, ast.IfExp):  # a condition is taken or left as a whole
            stack += [((*path, "body"), node.body), ((*path, "orelse"), node.orelse)]
            continue
        if isinstance(node, (ast.Lambda, ast.ListComp, ast.GeneratorExp, ast.DictComp, ast.SetComp)):
            continue
        for field, inside in ast.iter_fields(node):
            if isinstance(inside, ast.AST):
                stack.append(((*path, field), inside))
            elif isinstance(inside, list):
                entries = cast("list[object]", inside)
                stack += [((*path, field, k), x) for k, x in enumerate(entries) if isinstance(x, ast.AST)]


def _with(expression: ast.expr, path: tuple[str | int, ...], made: ast.expr) -> ast.expr:
    return cast("ast.expr", replaced_in(expression, path, made))


def _of_node(node: ast.expr, around: Sequence[str]) -> Iterator[Made]:
    if isinstance(node, ast.BinOp):
        yield from _of_operation(node)
    if isinstance(node, (ast.BinOp, ast.IfExp)):
        inner = text_of(node)
        for other in around[:LIKELY]:
            yield "variable", parsed(other), (inner, other)
    if isinstance(node, ast.Call):
        yield from _of_call(node)
        yield from _masked(node, around)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield "sign", node.operand, None
    if isinstance(node, ast.IfExp):
        yield "condition", node.body, None
        yield "condition", node.orelse, None
    if isinstance(node, ast.Attribute) and node.attr == "T":
        yield "transpose", node.value, None
    elif is_atom(node) and isinstance(getattr(node, "ctx", None), ast.Load):
        yield from _of_atom(node, around)
    if isinstance(node, ast.Subscript):
        yield from _of_index(node, around)


def _of_atom(node: ast.expr, around: Sequence[str]) -> Iterator[Made]:
    text = text_of(node)
    yield "transpose", parsed(f"{text}.T"), None
    yield "complement", parsed(f"(1 - {text})"), None
    for other in around:
        if other != text:
            yield "index" if _is_entry_beside(text, other) else "variable", parsed(other), (text, other)


def _is_entry_beside(one: str, other: str) -> bool:
    """Whether both are entries of the same array or list."""
    base = one.partition("[")[0]
    return "[" in one and other.startswith(f"{base}[")


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
            if isinstance(node.op, ast.Mult) and text_of(left) == text_of(right):
                yield "derivative", parsed(f"(1 - {text_of(node)})"), None
            yield "factor-dropped", left, None
            if isinstance(node.op, ast.Mult):
                yield "factor-dropped", right, None
                yield "mask", ast.BinOp(left, node.op, parsed(f"({text_of(right)} > 0)")), None
                yield "mask", ast.BinOp(parsed(f"({text_of(left)} > 0)"), node.op, right), None
            if isinstance(left, ast.BinOp) and isinstance(left.op, (ast.Add, ast.Sub)):
                yield "parentheses", ast.BinOp(left.left, left.op, ast.BinOp(left.right, node.op, right)), None
                yield "parentheses", ast.BinOp(ast.BinOp(left.left, node.op, right), left.op, left.right), None
            if isinstance(right, ast.BinOp) and isinstance(right.op, (ast.Add, ast.Sub)):
                yield "parentheses", ast.BinOp(ast.BinOp(left, node.op, right.left), right.op, right.right), None
        case ast.MatMult():
            yield "exchanged", ast.BinOp(right, node.op, left), None
            yield "factor-dropped", left, None
            yield "factor-dropped", right, None
        case ast.Pow():
            yield "derivative", parsed(f"(1 - {text_of(node)})"), None
            yield "factor-dropped", left, None
            if isinstance(left, ast.BinOp):  # (1 - a) ** 2
                yield from _derivatives(left)
        case _:
            return


def _derivatives(node: ast.BinOp) -> Iterator[Made]:
    """`1 - x`, of some x: the derivative of another function, or of a value that is already activated."""
    if not (isinstance(node.left, ast.Constant) and node.left.value == 1 and isinstance(node.op, ast.Sub)):
        return
    inside = list(dict.fromkeys(text_of(n) for _, n in _walk(node.right) if is_atom(n)))
    for a in inside:
        for form in ("(1 - {a} ** 2)", "({a} * (1 - {a}))", "({a} > 0)", "(1 - np.tanh({a}) ** 2)", "(1 - {a})", "1.0"):
            yield "derivative", parsed(form.format(a=a)), None


def _masked(node: ast.Call, around: Sequence[str]) -> Iterator[Made]:
    """The mask of an activation where it is applied itself: `np.maximum(d, 0)` for `d * (z > 0)`."""
    match node.args:
        case [inside, ast.Constant(value=0 | 0.0)] | [ast.Constant(value=0 | 0.0), inside]:
            if getattr(node.func, "attr", "") == "maximum":
                for a in around:
                    yield "masked", ast.BinOp(inside, ast.Mult(), parsed(f"({a} > 0)")), (text_of(inside), a)
        case _:
            return


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
        yield "factor-dropped", node.args[0], None
        yield "factor-dropped", node.args[1], None
    if name == "dot" and len(node.args) == 1 and isinstance(node.func, ast.Attribute):
        yield "factor-dropped", node.args[0], None
        yield "factor-dropped", node.func.value, None
        yield "exchanged", ast.Call(ast.Attribute(node.args[0], "dot", ast.Load()), [node.func.value], []), None
    if name == "tanh" and len(node.args) == 1:
        yield "derivative", node.args[0], None
    if name == "clip" and node.args:
        yield "clip", node.args[0], None
    if name == "zeros_like" and len(node.args) == 1:
        yield "term-missing", node.args[0], None


def _of_index(node: ast.Subscript, around: Sequence[str]) -> Iterator[Made]:
    match node.slice:
        case ast.BinOp(left=ast.Name(id=t), op=ast.Sub(), right=ast.Constant(value=int(k))):
            for other in around:  # below 0 an index takes entries from the end
                yield "wraps", parsed(f"{text_of(node)} if {t} > {k - 1} else {other}"), None
        case ast.Constant(value=int()):
            yield "sum-missing", parsed(f"{text_of(node.value)}.sum(axis=0)"), None
        case _:
            pass
    yield from (("index", changed, None) for changed in at_another_index(node, around))


def _at_root(expression: ast.expr, around: Sequence[str]) -> Iterator[Made]:
    """A factor or a term that is missing from the whole, or from the inside of a quotient or product."""
    text = text_of(expression)
    yield "sign", parsed(f"-({text})"), None
    if not is_atom(expression):
        yield from (("variable", parsed(other), (text, other)) for other in around[:LIKELY])
    yield from _everywhere(expression, around)
    yield from of_whole(expression, around)
    inner = expression
    while isinstance(inner, ast.BinOp) and isinstance(inner.op, ast.Mult):  # several factors too many
        inner = inner.left
        yield "factor-dropped", inner, None
    for a in around:
        for form in FACTORS:
            yield "factor-missing", parsed(form.format(e=f"({text})", a=a)), (text, a)


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
            return parsed(self.new)
        return self.generic_visit(node)


def _missing(expression: ast.expr, around: Sequence[str]) -> Iterator[Made]:
    """Products of the whole with a matrix that may be missing."""
    whole = text_of(expression)
    for a in around:
        for form in ("{a}.T @ ({e})", "({e}) @ {a}.T", "{a} @ ({e})", "({e}) @ {a}"):
            yield "factor-missing", parsed(form.format(e=whole, a=a)), None
    for path, node in _walk(expression):
        if path and is_atom(node) and isinstance(getattr(node, "ctx", None), ast.Load):
            text = text_of(node)
            for a in [a for a in around if a != text and ("[" not in a or "['" in a)]:  # weights are whole arrays
                for form in ("({a}.T @ {e})", "({e} @ {a}.T)", "({a} @ {e})", "({e} @ {a})"):
                    made = form.format(e=text, a=a)
                    yield "factor-missing", _with(expression, path, parsed(made)), (text, made)


def holes(statement: ast.stmt) -> Iterator[tuple[Slot, str, str, bool]]:
    """Where a term or factor may be missing: the place, the expression with `%s` for it, what it is put to, and whether it is one array."""
    for slot in slots(statement):
        expression = slot.get()
        for path, node in _walk(expression):
            alone = is_atom(node) and isinstance(getattr(node, "ctx", None), ast.Load)
            sum_ = isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub))
            if not path or sum_ or alone or path in (("left",), ("right",)):
                inner = text_of(node)
                marked = text_of(_with(expression, path, parsed("__term__"))).replace("%", "%%")
                text = marked.replace("__term__", f"({inner.replace('%', '%%')}%s)")
                yield slot, text, inner, alone and len(path) > 1
