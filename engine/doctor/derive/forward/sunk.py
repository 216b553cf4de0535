"""What every round of a loop computes and only the last is asked for, as the output of a many-to-one network, belongs behind the loop:
there its gradient comes back once."""

from __future__ import annotations

import ast
from collections.abc import Container, Iterator, Sequence

from engine.doctor.derive.forward.copies import renamed_in
from engine.doctor.derive.forward.steps import plus_number
from engine.doctor.derive.tree.statements import all_statements, appended, blocks, stop_of, targets
from engine.doctor.derive.tree.syntax_of import base, path


def sunk(
    body: Sequence[ast.stmt], hidden: Container[str], whole: Sequence[ast.stmt] | None = None
) -> list[ast.stmt] | None:
    """The block with such statements behind their loop; None where there are none. `whole` is the pass that it is a block of, `hidden` are
    names that are not known where the backward pass stands."""
    whole = body if whole is None else whole
    for k, loop in enumerate(body):
        for inner in blocks(loop) if isinstance(loop, ast.For | ast.With) else ():
            if (one := sunk(inner, hidden, whole)) is not None:
                inner[:] = one
                return list(body)
        if isinstance(loop, ast.For) and _with_names(loop, body[k + 1 :], hidden):
            return list(body)
        if isinstance(loop, ast.For) and (last := _only_last(loop, whole)):
            loop.body = [s for s in loop.body if s not in last]
            return [*body[: k + 1], *(_in_last_round(s, loop) for s in last), *body[k + 1 :]]
    return None


def _with_names(loop: ast.For, rest: Sequence[ast.stmt], hidden: Container[str]) -> bool:
    """Reads the last entry of a list behind its loop, which no round reads, by the name of what the loop put there; whether it does."""
    put = {base(next(targets(s))): value for s in loop.body if isinstance(value := appended(s), ast.Name)}
    read = {n for s in all_statements(loop.body) if not appended(s) for n in _read(s)}
    named = {
        name: value
        for name, value in put.items()
        if name not in read and value.id not in hidden and not _is_carried(value.id, loop)
    }
    changed = False

    class _Last(ast.NodeTransformer):
        def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
            nonlocal changed
            if isinstance(node.ctx, ast.Load) and ast.unparse(node.slice) == "-1" and path(node.value) in named:
                changed = True
                return ast.copy_location(ast.Name(named[path(node.value)].id, ast.Load()), node)
            return self.generic_visit(node)

    for statement in rest:
        _Last().visit(statement)
    return changed


def _is_carried(name: str, loop: ast.For) -> bool:
    """Whether a round reads the value that the round before gave a name, or changes it after it was put away."""
    for statement in loop.body:
        if name in _made(statement):
            return name in _read(statement)
        if name in {n for s in all_statements([statement]) for n in _read(s)}:
            return True
    return True


def _only_last(loop: ast.For, whole: Sequence[ast.stmt]) -> list[ast.stmt]:
    """The statements of a loop that make names which only what comes behind the loop reads, of values that the round leaves."""
    inside = set(map(id, all_statements([loop])))
    around = [s for s in all_statements(whole) if id(s) not in inside]
    unread = _unread(whole)
    found = [s for s in loop.body if _made(s) and not isinstance(s, ast.AugAssign)]
    while True:
        rest = [s for s in all_statements(loop.body) if s not in found and not _only_puts(s, unread)]
        read = set[str]().union(*map(_read, rest))
        kept = [s for s in found if not _made(s) & read and not _changes(s, loop, found)]
        if kept == found:
            break
        found = kept
    asked = set[str]().union(*map(_read, around))
    made = set[str]().union(*map(_made, found))
    return found if made & asked and len(found) < len(loop.body) else []


def _made(statement: ast.stmt) -> set[str]:
    """The names that a plain assignment gives values; none of other statements."""
    if not isinstance(statement, ast.Assign):
        return set()
    written = list(targets(statement))
    return (
        {t.id for t in written if isinstance(t, ast.Name)} if all(isinstance(t, ast.Name) for t in written) else set()
    )


def _read(statement: ast.stmt) -> set[str]:
    """The names that a statement reads itself, not in its blocks."""
    parts = (n for n in ast.iter_child_nodes(statement) if isinstance(n, ast.expr))
    read = {n.id for part in parts for n in ast.walk(part) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    added = {base(statement.target)} if isinstance(statement, ast.AugAssign) else set[str]()
    return read | added


def _unread(whole: Sequence[ast.stmt]) -> set[str]:
    """The containers into which entries are put that nothing reads."""
    put = {_container(s) for s in all_statements(whole)} - {""}
    read = (n for s in all_statements(whole) if _container(s) == "" for n in _reads_of(s))
    return put - set(read)


def _reads_of(statement: ast.stmt) -> Iterator[str]:
    yield from _read(statement)
    inside = (n for part in ast.iter_child_nodes(statement) if isinstance(part, ast.expr) for n in ast.walk(part))
    yield from (path(n) for n in inside if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Load))


def _container(statement: ast.stmt) -> str:
    """What a statement puts an entry into."""
    if appended(statement) is not None:
        return base(next(targets(statement)))
    one = statement.targets[0] if isinstance(statement, ast.Assign) and len(statement.targets) == 1 else None
    return base(one) if isinstance(one, ast.Subscript) else ""


def _only_puts(statement: ast.stmt, unread: set[str]) -> bool:
    """Whether a statement only puts something into a container that nothing reads."""
    return _container(statement) in unread


def _changes(statement: ast.stmt, loop: ast.For, found: Sequence[ast.stmt]) -> bool:
    """Whether what it reads gets another value in the same round there or later, or what it makes is made elsewhere in the loop, too, by
    statements that stay."""
    here = loop.body.index(statement)
    made = set[str]().union(*(_made(s) for s in loop.body[:here] if s in found))
    changed = {base(t) for s in all_statements(loop.body[here:]) for t in targets(s)} - made
    others = {base(t) for s in all_statements([s for s in loop.body if s not in found]) for t in targets(s)}
    return bool(changed & _read(statement) or others & _made(statement)) or not _is_told(statement, loop)


def _is_told(statement: ast.stmt, loop: ast.For) -> bool:
    """Whether it does not read the count of the rounds, or the count's last value can be written."""
    counted = {n.id for n in ast.walk(loop.target) if isinstance(n, ast.Name)}
    return not counted & _read(statement) or (isinstance(loop.target, ast.Name) and stop_of(loop) is not None)


def _in_last_round(statement: ast.stmt, loop: ast.For) -> ast.stmt:
    """A statement with the last value of the count in its place."""
    stop = stop_of(loop) if isinstance(loop.target, ast.Name) else None
    if stop is None or not isinstance(loop.target, ast.Name) or loop.target.id not in _read(statement):
        return statement
    return renamed_in(statement, {loop.target.id: plus_number(stop, -1)})
