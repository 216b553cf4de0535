"""What comes of a statement's value in the rest of its block, as expressions that can be evaluated beside the program.

A right value may be a right one of something else. What the statements after it make of it tells: by the value that is meant they become
right, too.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import cast

from engine.doctor.mending.edits.atoms import is_atom
from engine.doctor.mending.edits.expression_text import text_of
from engine.doctor.mending.trials.places import EditPlace
from engine.doctor.recording.trials.expressions import WITH

Path = tuple[str | int, ...]
ExpressionRow = tuple[str, str, bool]
"""An expression, the name under which later ones read what it makes ("" for none), and whether that can be looked up."""

MADE, PUT = "__rt_made__", "__rt_0__"
"""What a statement's expression makes, and what is put somewhere of that."""
ASIDE = "__rt_aside_"
"""How the names begin of what later statements make of other things: it is made anew, but tells nothing."""
FURTHEST = 16
"""So many statements are looked at."""


def following(place: EditPlace) -> tuple[list[Path], list[list[ExpressionRow]]]:
    """Where in a statement expressions stand whose values it puts somewhere, and what the rest of the block makes of each."""
    put = list(_put(place.statement))
    return [path for path, _, _ in put], [_rest_of_block(place, target, value)[0] for _, target, value in put]


def in_next_round(place: EditPlace, begin: EditPlace) -> list[tuple[list[ExpressionRow], list[str]]]:
    """What the next round of a loop makes, from another statement of its block on, of what the statement puts somewhere and of what the
    rest of this round makes of that; and, where it is put into an entry, of what and at which index: another round reads it at another
    one."""
    again = place.body[place.body.index(begin.statement) :]
    made: list[tuple[list[ExpressionRow], list[str]]] = []
    for _, target, value in _put(place.statement):
        _, known = _rest_of_block(place, target, value)
        whole: list[str] = []
        if isinstance(target, ast.Subscript) and not isinstance(target.slice, ast.Slice):
            whole = [text_of(target.value), text_of(target.slice)]
            known = {text: name for text, name in known.items() if text != text_of(target)}
            known[whole[0]] = PUT
        rows = [_first(value), *(row for statement in again[:FURTHEST] for row in _statement(statement, known))]
        made.append((rows, whole))
    return made


def _rest_of_block(place: EditPlace, target: ast.expr, value: ast.expr) -> tuple[list[ExpressionRow], dict[str, str]]:
    """What is put where later statements read it, then these, one after the other; and the names of what they have made, by the texts
    under which it is read."""
    known = {text_of(target): PUT}
    rest = place.body[place.body.index(place.statement) + 1 :][:FURTHEST]
    return [_first(value), *(row for statement in rest for row in _statement(statement, known))], known


def _first(value: ast.expr) -> ExpressionRow:
    return text_of(value), PUT, False


def _put(statement: ast.stmt) -> Iterator[tuple[Path, ast.expr, ast.expr]]:
    """What a statement puts where: the place of the expression in it, the target, and what it becomes of `MADE`."""
    made = ast.Name(MADE, ast.Load())
    match statement:
        case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)) if len(targets) == len(values):
            for k, target in enumerate(targets):
                yield ("value", "elts", k), target, made
        case ast.Assign(targets=[target]) | ast.AnnAssign(target=target) if not isinstance(target, ast.Tuple):
            yield ("value",), target, made
        case ast.AugAssign(target=target, op=op):
            yield ("value",), target, ast.BinOp(_read(target), op, made)
        case _:
            return


def _statement(statement: ast.stmt, known: dict[str, str]) -> Iterator[ExpressionRow]:
    """What a statement makes of it, with what earlier ones have made in the place of what it reads."""
    returned = statement.value if isinstance(statement, ast.Return) else None
    if returned is not None and (text := _of_it(returned, known)) is not None:
        yield text, "", True
    for path, target, value in _put(statement):
        expression = cast("ast.Assign", statement).value
        own = cast("ast.Tuple", expression).elts[cast("int", path[-1])] if len(path) > 1 else expression
        becomes = cast("ast.expr", _Put(MADE, own).visit(value))
        into = known.get(text_of(target.value)) if isinstance(target, ast.Subscript) else None
        if into is not None:
            if not isinstance(statement, ast.AugAssign) and (text := _of_it(own, known)) is not None:
                yield text, "", True
            name = f"{ASIDE if into.startswith(ASIDE) else '__rt_'}{len(known)}_{statement.lineno}__"
            yield _with_entry(cast("ast.Subscript", target), becomes, known), name, not name.startswith(ASIDE)
            known[text_of(cast("ast.Subscript", target).value)] = name
            continue
        whole = _of_it(becomes, known)
        if whole is None:
            known.pop(text_of(target), None)
            if not isinstance(statement, ast.AugAssign) and is_atom(target):
                name = f"{ASIDE}{len(known)}_{statement.lineno}__"
                yield _in_terms(own, known)[0], name, False
                known[text_of(target)] = name
            continue
        added = isinstance(statement, ast.AugAssign) and isinstance(statement.op, (ast.Add, ast.Sub))
        if added and (text := _of_it(own, known)) is not None:
            yield text, "", True
        name = f"__rt_{len(known)}_{statement.lineno}__"
        yield whole, name, not added
        known[text_of(target)] = name


def _with_entry(target: ast.Subscript, value: ast.expr, known: Mapping[str, str]) -> str:
    """An array that is known with a value in an entry; the text is no expression where that is none that can be written apart."""
    index = target.slice
    is_slice = any(isinstance(n, ast.Slice) for n in ast.walk(index))
    at = "" if is_slice else _in_terms(index, known)[0]
    return f"{WITH}({_in_terms(target.value, known)[0]}, {at}, {_in_terms(value, known)[0]})"


def _of_it(expression: ast.expr, known: Mapping[str, str]) -> str | None:
    """The expression in terms of what was made; None where it reads nothing of it but, at most, what was made aside."""
    text, found = _in_terms(expression, known)
    return text if any(not name.startswith(ASIDE) for name in found) else None


def _in_terms(expression: ast.expr, known: Mapping[str, str]) -> tuple[str, list[str]]:
    """The expression with the names of what was made, and these names."""
    named = _Named(known)
    return text_of(named.visit(_read(expression))), named.found


def _read(expression: ast.expr) -> ast.expr:
    return ast.parse(text_of(expression), mode="eval").body


class _Named(ast.NodeTransformer):
    """Names of their own for what was made, in an expression."""

    def __init__(self, known: Mapping[str, str]) -> None:
        self.known = known
        self.found = list[str]()

    def visit(self, node: ast.AST) -> ast.AST:
        name = self.known.get(text_of(node)) if is_atom(node) else None
        if name is None:
            return self.generic_visit(node)
        self.found.append(name)
        return ast.Name(name, ast.Load())


class _Put(ast.NodeTransformer):
    """An expression in the place of a name."""

    def __init__(self, name: str, expression: ast.expr) -> None:
        self.name, self.expression = name, expression

    def visit(self, node: ast.AST) -> ast.AST:
        return self.expression if isinstance(node, ast.Name) and node.id == self.name else self.generic_visit(node)
