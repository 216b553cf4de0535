"""Small edits of a statement: what people mistake for one another. Each has a kind, which is the mistake's name.

An edit is text: the statement with one thing changed. `value` is the changed expression, where the edit is one of an
expression that is assigned, added, returned or handed on; `same` are two texts that must have the same shape for the
edit to make sense.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from engine.doctor.mending.edits.atoms import is_atom, parsed, replaced_in
from engine.doctor.mending.edits.entries import at_another_index
from engine.doctor.mending.edits.expression_text import text_of
from engine.doctor.mending.edits.expressions import missing_from, of_expression, walk, with_part
from engine.doctor.recording.trials.terms import WHOLE

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
    "jacobian",
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
    "made-again",
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


def of_statement(
    statement: ast.stmt, around: Sequence[str], body: Sequence[ast.stmt] = (), *, missing: bool = False
) -> Iterator[StatementEdit]:
    """The edits of one statement's expressions, or (`missing`) those that add a term. `around` are the atoms of its
    function, `body` the statements of its block."""
    taken = _taken(statement, body)
    for slot in slots(statement):
        expression = slot.get()
        old = text_of(expression)
        seen: dict[str, StatementEdit] = {}
        for kind, made, same in (
            missing_from(expression, around) if missing else of_expression(expression, around, taken)
        ):
            text = text_of(made)
            if _scatters(statement) and slot.path[-1] in (0, 1) and kind not in ("variable", "index"):
                continue
            known = seen.get(text)
            if text != old and (known is None or KINDS.index(kind) < KINDS.index(known.kind)):
                seen[text] = StatementEdit(statement.lineno, kind, text, old, same, slot)
        yield from seen.values()


def _taken(statement: ast.stmt, body: Sequence[ast.stmt]) -> dict[str, ast.Subscript]:
    """The entries that variables are names of, by the statements before this one."""
    made: dict[str, ast.Subscript] = {}
    for other in body:
        match other:
            case _ if other is statement:
                break
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Subscript() as entry):
                made[name] = entry
            case _:
                pass
    return made


def slots(statement: ast.stmt) -> list[Slot]:
    """The expressions of a statement that make arrays: of what is unpacked, `*parts`, none is one."""
    return [slot for slot in _slots(statement) if not isinstance(slot.get(), ast.Starred)]


def _slots(statement: ast.stmt) -> list[Slot]:
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


def holes(statement: ast.stmt) -> Iterator[tuple[Slot, str, str, bool]]:
    """Where a term or factor may be missing, or what the whole may be instead: the place, the expression with `%s` for it, what it is put
    to, and whether it is one array."""
    for slot in slots(statement):
        expression = slot.get()
        if not is_atom(expression):
            yield slot, WHOLE, text_of(expression), False
        for path, node in walk(expression):
            alone = is_atom(node) and isinstance(getattr(node, "ctx", None), ast.Load)
            sum_ = isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub))
            if not path or sum_ or alone or path in (("left",), ("right",)):
                inner = text_of(node)
                marked = text_of(with_part(expression, path, parsed("__term__"))).replace("%", "%%")
                text = marked.replace("__term__", f"({inner.replace('%', '%%')}%s)")
                yield slot, text, inner, alone and len(path) > 1
