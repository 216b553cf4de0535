"""Entries of lists and arrays that may be meant in the place of others: at indices beside theirs, and of other lists at the same ones."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from engine.doctor.mending.edits.atoms import atoms_in, is_atom, parsed, replaced, replaced_in
from engine.doctor.mending.edits.expression_text import text_of


def around(atoms: Sequence[str], statement: ast.stmt, most: int = 80) -> list[str]:
    """The atoms that may be meant: those of the statement's own neighbourhood first."""
    own = [text_of(a) for a in atoms_in(statement)]
    return list(dict.fromkeys([*own, *atoms, *_other_entries(own, atoms)]))[:most]


def _other_entries(own: Sequence[str], atoms: Sequence[str]) -> Iterator[str]:
    """The other lists and arrays that entries are read from, at the indices of the statement, then at those beside them; what is left
    without the last entry of what is read without its first, and the other way round; and the entries beside those nearby."""
    entries = [node for a in (*own, *atoms) if isinstance(node := parsed(a), ast.Subscript)]
    own_entries = [node for a in own if isinstance(node := parsed(a), ast.Subscript)]
    at = [node.slice for node in own_entries] + [e.slice for node in own_entries for e in at_another_index(node, ())]
    bases = {text_of(node.value): (node.value, _rank(node.slice)) for node in entries}
    for index in [one for one in at if not _is_key(one)]:
        yield from (text_of(ast.Subscript(base, index)) for base, rank in bases.values() if rank == _rank(index))
    keys = {text_of(node.slice): node.slice for node in entries if _is_key(node.slice)}
    keyed = {text_of(node.value): node.value for node in own_entries if _is_key(node.slice)}
    yield from (text_of(ast.Subscript(base, key)) for base in keyed.values() for key in keys.values())
    yield from (text_of(ast.Subscript(node.value, other)) for node in entries for other in _other_end(node.slice))
    yield from (text_of(other) for node in entries for other in at_another_index(node, ()))


def _rank(index: ast.expr) -> int:
    return len(index.elts) if isinstance(index, ast.Tuple) else 1


def _is_key(index: ast.expr) -> bool:
    return isinstance(index, ast.Constant) and isinstance(index.value, str)


def _other_end(index: ast.expr) -> Iterator[ast.expr]:
    """`1:` of `:-1`, and the other way round."""
    if isinstance(index, ast.Tuple):
        for k, part in enumerate(index.elts):
            yield from (replaced_in(index, ("elts", k), other) for other in _other_end(part))
    elif isinstance(index, ast.Slice):
        yield from {":-1": [_AFTER_THE_FIRST], "1:": [_BEFORE_THE_LAST]}.get(text_of(index), [])


_AFTER_THE_FIRST, _BEFORE_THE_LAST = ast.Slice(ast.Constant(1)), ast.Slice(None, ast.Constant(-1))


def at_another_index(node: ast.Subscript, around: Sequence[str]) -> Iterator[ast.Subscript]:
    """The entry at indices beside its own, or at those that entries nearby are read at; also where one is an entry itself, `x[ids[t]]`."""
    several = isinstance(node.slice, ast.Tuple)
    if isinstance(node.slice, ast.Tuple) and not any(isinstance(part, ast.Slice) for part in node.slice.elts):
        yield ast.Subscript(node.value, ast.Tuple(node.slice.elts[::-1], ast.Load()), node.ctx)
    if isinstance(node.value, ast.Subscript) and not isinstance(node.slice, ast.Slice):
        yield ast.Subscript(ast.Subscript(node.value.value, node.slice, ast.Load()), node.value.slice, node.ctx)
    for k, part in enumerate(node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]):
        if isinstance(part, ast.Slice):
            yield from (
                replaced_in(node, ("slice", "elts", k) if several else ("slice",), other) for other in _other_part(part)
            )
            continue
        if isinstance(part, ast.Constant) and not isinstance(part.value, int):
            continue
        text = text_of(part)
        inside = at_another_index(part, around) if isinstance(part, ast.Subscript) else ()
        others = [*beside(part, text), *_by_other_variables(part, _indices(around)), *map(text_of, inside)]
        for made in dict.fromkeys(others):
            yield replaced_in(node, ("slice", "elts", k) if several else ("slice",), parsed(made))


def guarded(entry: ast.expr) -> ast.expr | None:
    """An entry of one step before, `h[t - 1]`, that is nothing where there is none: below 0 an index takes entries from the end."""
    match entry:
        case ast.Subscript(slice=index):
            parts = index.elts if isinstance(index, ast.Tuple) else [index]
        case _:
            return None
    for part in parts:
        match part:
            case ast.BinOp(left=ast.Name(id=t), op=ast.Sub(), right=ast.Constant(value=1)):
                own = replaced(entry, lambda n, part=part, t=t: ast.Name(t) if n is part else None)
                return parsed(f"({text_of(entry)} if {t} > 0 else 0 * {text_of(own)})")
            case _:
                pass
    return None


def _other_part(part: ast.Slice) -> Iterator[ast.Slice]:
    """The other part of what a slice cuts in two, or as much from the other end: of `z[D:]`, the part behind D, `z[:D]`, `z[:-D]` and
    `z[-D:]`; and the same entries in the other order."""
    match part:
        case ast.Slice(lower=ast.Name() | ast.Attribute() as n, upper=None, step=None):
            less = ast.UnaryOp(ast.USub(), n)
            yield from (ast.Slice(None, less), ast.Slice(None, n), ast.Slice(less, None))
        case ast.Slice(lower=None, upper=ast.Name() | ast.Attribute() as n, step=None):
            less = ast.UnaryOp(ast.USub(), n)
            yield from (ast.Slice(less, None), ast.Slice(n, None), ast.Slice(None, less))
        case ast.Slice(lower=None, upper=None, step=ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=1))):
            yield ast.Slice(None, None)
        case _:
            return


def _by_other_variables(part: ast.expr, variables: Sequence[str]) -> Iterator[str]:
    """The index with another variable in the place of one of its own: `t - 1` for `T - 1`; and the variable alone."""
    for other in variables:
        for name in dict.fromkeys(n.id for n in ast.walk(part) if isinstance(n, ast.Name) and is_atom(n)):
            if other != name and not isinstance(part, (ast.Name, ast.Subscript)):
                yield text_of(replaced(part, lambda n, name=name, other=other: _if_called(n, name, other)))
        if other != text_of(part):
            yield other


def _if_called(node: ast.expr, name: str, other: str) -> ast.expr | None:
    return parsed(other) if isinstance(node, ast.Name) and node.id == name else None


def _indices(around: Sequence[str], most: int = 8) -> list[str]:
    """The variables that entries nearby are read at, those alone first."""
    at = [n.slice for a in around for n in ast.walk(parsed(a)) if isinstance(n, ast.Subscript)]
    alone = [n.id for n in at if isinstance(n, ast.Name)]
    parts = [e for n in at for e in (n.elts if isinstance(n, ast.Tuple) else [n]) if isinstance(e, ast.BinOp)]
    return list(
        dict.fromkeys([*alone, *(n.id for e in parts for n in ast.walk(e) if isinstance(n, ast.Name) and is_atom(n))])
    )[:most]


def beside(part: ast.expr, text: str) -> list[str]:
    """An index (its text) one further, one nearer, or without what is added to it."""
    if isinstance(part, ast.Constant) and isinstance(part.value, int):
        return [str(part.value + 1), str(part.value - 1)]
    made = [f"{text} + 1", f"{text} - 1"]
    if isinstance(part, ast.BinOp) and isinstance(part.right, ast.Constant) and isinstance(part.op, (ast.Add, ast.Sub)):
        left, step = text_of(part.left), part.right.value
        made = [left, f"{left} {'-' if isinstance(part.op, ast.Add) else '+'} {step}", *made]
    return made
