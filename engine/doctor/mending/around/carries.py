"""Carries that are initialised and never updated: nothing flows back from a step to the one before.

A loop of the backward pass reads a variable that was made before the loop and that nothing in it makes anew. What it should be at the
end of a step follows from the forward pass: the product with recurrent weights, W h, gives h the gradient of the product times W.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import permutations

from engine.doctor.lineage.record.called_names import as_written
from engine.doctor.lineage.record.matching import compared
from engine.doctor.lineage.record.reading import Floats, Record, RecordedEvent
from engine.doctor.lineage.roles import Roles, Weight
from engine.doctor.lineage.the_loss.loss import adjoint_of, forward_of
from engine.doctor.lineage.verdict.run_verdict import RunVerdict
from engine.doctor.mending.around.loops import holds, inside
from engine.doctor.mending.edits.expression_text import text_of

PARTS = 4
"""Of so few operations' results a value is cut out."""

Carry = tuple[ast.stmt, str, bool]
"""A statement, what stands there when the carry is updated, and whether the statement itself made the carry."""


def never_updated(tree: ast.Module, verdict: RunVerdict) -> Iterator[Carry]:
    """The loops' last statements, or the ones that make the carry of nothing, with the update that follows from the forward pass. What
    holds a value that the loss was made from, as the last state, is no carry."""
    record, loss = verdict.record, verdict.loss
    if record is None or loss is None:
        return
    roles = Roles(record, loss, [row.own for row in verdict.compared])
    adjoint, forward = adjoint_of(record, loss), forward_of(record, loss) & (record.pool != 0)
    states = {e.name for e in record.events if e.value.size and forward[e.value.first]}
    for weight in [w for w in roles.weights if w.recurrent]:
        right = adjoint[weight.last.start : weight.last.stop]
        made = [e for e in record.events if e.value.size == len(right) and e.site.kind == "assign"]
        names = {
            (e.site.line, e.name)
            for e in made
            if (m := compared(record.pool[e.value.ids()].ravel(), right)) is not None and m.right
        }
        called = next((row.name for row in verdict.compared if int(row.own.flat[0]) in weight.own), "")
        state = next((r.size for r in weight.last.operands if r.first not in weight.own), 0)
        if not (called and state):  # a product of a weight with itself, or a part of one
            continue
        like = {e.name for e in record.events if e.value.size == state} - states
        loops = [n for n in ast.walk(tree) if isinstance(n, (ast.For, ast.While))]
        for loop in sorted(loops, key=lambda n: -n.lineno):
            inside = {name for line, name in names if loop.lineno < line <= (loop.end_lineno or 0)}
            for name in sorted(inside):
                for carry, statement in [c for c in _read_only(tree, loop) if c[0] in like]:
                    product = f"{carry} = {_product(weight, called, name)}"
                    if statement is None:
                        last = loop.body[-1]
                        if not isinstance(last, (ast.Assign, ast.AugAssign, ast.Expr)):  # a block
                            last = _last_of(loop, {carry}, {line for line, of in names if of == name}) or last
                        yield last, f"{text_of(last)}; {product}", False
                    else:
                        yield statement, product, True


@dataclass(frozen=True)
class MissingCarry:
    """What a loop must hand on to its next round as `name`, of what its statement `flow` makes, and the statement that must add it."""

    loop: ast.For
    flow: ast.Assign
    adds: ast.Assign
    name: str
    product: str


def never_there(tree: ast.Module, verdict: RunVerdict) -> Iterator[MissingCarry]:
    """Loops that make dL/d(the product with recurrent weights) and hand nothing of it on to the round after, and what they must hand on."""
    record, loss = verdict.record, verdict.loss
    if record is None or loss is None:
        return
    taken = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    adjoint = adjoint_of(record, loss)
    for weight in [w for w in Roles(record, loss, [row.own for row in verdict.compared]).weights if w.recurrent]:
        right = adjoint[weight.last.start : weight.last.stop]
        called = as_written(next((row.name for row in verdict.compared if int(row.own.flat[0]) in weight.own), ""))
        if not called:
            continue
        written = dict.fromkeys([called, *re.findall(r"\['(\w+)'\]$", called)])
        for loop in [n for n in ast.walk(tree) if isinstance(n, ast.For)]:
            made = [s for s in loop.body if isinstance(s, ast.Assign) and isinstance(s.targets[0], ast.Name)]
            for flow in [s for s in made if _makes(record, s, right)]:
                read = {n.id for n in ast.walk(flow.value) if isinstance(n, ast.Name)}
                for adds in [s for s in made if s.lineno < flow.lineno and text_of(s.targets[0]) in read]:
                    name = f"{text_of(adds.targets[0])}_next"
                    if name not in taken:
                        products = (_product(weight, each, text_of(flow.targets[0])) for each in written)
                        yield from (MissingCarry(loop, flow, adds, name, product) for product in products)


def _makes(record: Record, statement: ast.Assign, right: Floats) -> bool:
    """Whether a statement made these values, up to a factor."""
    name = text_of(statement.targets[0])
    own = [e for e in record.events if (e.site.line, e.name) == (statement.lineno, name) and e.value.size == len(right)]
    matches = (compared(record.pool[e.value.ids()].ravel(), right) for e in own[:1])
    return any(match is not None and match.right for match in matches)


def handed_nowhere(
    tree: ast.Module, file: str, record: Record, is_right: Callable[[Floats], bool]
) -> Iterator[tuple[ast.stmt, str]]:
    """Statements of loops, each with updates of carries by right values that the loop's round has made: of all carries, then of one."""
    events = [e for e in record.events if e.site.file == file]
    for loop in [n for n in ast.walk(tree) if isinstance(n, (ast.For, ast.While))]:
        inside = [e for e in events if loop.lineno < e.site.line <= (loop.end_lineno or 0)]
        functions = {e.site.function for e in inside}
        own = [e for e in events if e.site.function in functions and e.value.shape]
        something = {e.name for e in own if record.pool[e.value.ids()].any()}
        shapes = {e.name: _long(e) for e in own if e.name not in something}
        carries = [name for name, made in _read_only(tree, loop) if made is None and name in shapes]
        first = {e.name: e for e in reversed(inside) if _long(e) in [shapes[c] for c in carries]}
        right = {name: e for name, e in first.items() if _is_of_right(record, e, is_right)}
        for some in (carries, *([c] for c in carries)) if len(carries) > 1 else [carries]:
            for names in permutations(right, len(some)) if some else ():
                if all(_long(right[n]) == shapes[c] for c, n in zip(some, names, strict=True)):
                    lines = {right[n].site.line for n in names}
                    statement = _last_of(loop, set(some), lines)
                    if statement is not None:
                        updates = [f"{c} = {n}" for c, n in zip(some, names, strict=True)]
                        yield statement, "; ".join([text_of(statement), *updates])


def _long(event: RecordedEvent) -> tuple[int, ...]:
    """The axes of more than one entry: zeros of shape (H,) become a state of shape (1, H) where one is added to them."""
    return tuple(n for n in event.value.shape if n > 1)


def never_handed_on(tree: ast.Module, file: str, verdict: RunVerdict, lines: set[int]) -> Iterator[ast.stmt]:
    """The last statements of loops around these lines that add, at every step, what nothing is ever handed on to: a variable as large as
    the state, made of zeros before and no part of the forward pass, as a bias is, though the network is recurrent."""
    record, loss = verdict.record, verdict.loss
    if record is None or loss is None:
        return
    roles = Roles(record, loss, [row.own for row in verdict.compared])
    weights = [w for w in roles.weights if w.recurrent]
    states = {r.size for w in weights for r in w.last.operands if r.first not in w.own}
    for loop in [n for n in ast.walk(tree) if isinstance(n, (ast.For, ast.While))]:
        end = loop.end_lineno or 0
        if any(loop.lineno < k <= end for k in lines):
            own = [
                e for e in record.events if e.site.file == file and e.site.line < loop.lineno and e.value.size in states
            ]
            zeros = {
                e.name for e in own if not (record.pool[e.value.ids()].any() or roles.forward[e.value.ids()].any())
            }
            added = {
                n.id
                for s in loop.body
                for o in ast.walk(s)
                if isinstance(o, ast.BinOp) and isinstance(o.op, ast.Add)
                for n in (o.left, o.right)
                if isinstance(n, ast.Name)
            }
            if any(made is None and name in zeros & added for name, made in _read_only(tree, loop)):
                yield loop.body[-1]


def read_nowhere(tree: ast.Module, lines: set[int]) -> Iterator[tuple[ast.stmt, str]]:
    """Statements of loops around these lines, each with what it says if it takes up what the round before handed on as a variable that
    nothing reads: first in the place of zeros, then as a term of what is made on one of the lines."""
    ways = dict[tuple[int, str], ast.stmt]()
    for scope in [n for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.Module))]:
        names = [n for n in ast.walk(scope) if isinstance(n, ast.Name)]
        read = {n.id for n in names if isinstance(n.ctx, ast.Load)}
        for loop in [n for n in inside(scope) if isinstance(n, (ast.For, ast.While))]:
            if not any(holds(loop, line) for line in lines):
                continue
            begun = {n.id for n in names if n.lineno < loop.lineno and isinstance(n.ctx, ast.Store)}
            assigned = [n for n in ast.walk(loop) if isinstance(n, ast.Assign) and len(n.targets) == 1]
            for last in assigned:
                name = text_of(last.targets[0])
                if name not in begun or name in read:
                    continue
                before = [s for s in assigned if s.lineno < last.lineno and text_of(s.targets[0]) != name]
                before = [s for s in before if _is_of_zeros(s.value) or s.lineno in lines]
                for s in sorted(before, key=lambda s: (not _is_of_zeros(s.value), -s.lineno)):
                    made = name if _is_of_zeros(s.value) else f"{text_of(s.value)} + {name}"
                    ways.setdefault((s.lineno, f"{text_of(s.targets[0])} = {made}"), s)
    yield from ((statement, made) for (_, made), statement in ways.items())


def _is_of_zeros(value: ast.expr) -> bool:
    """Whether an expression makes zeros, alone, in an array or in a list."""
    match value:
        case ast.Constant(value=int() | float() as number):
            return number == 0
        case (
            ast.List(elts=[one])
            | ast.ListComp(elt=one)
            | ast.BinOp(left=one, op=ast.Mult(), right=ast.Name() | ast.Attribute() | ast.Call())
        ):
            return _is_of_zeros(one)
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name in ("zeros", "zeros_like")
        case _:
            return False


def _is_of_right(record: Record, event: RecordedEvent, is_right: Callable[[Floats], bool]) -> bool:
    """Whether a value is right, or cut out of what is."""
    ids = event.value.ids()
    if is_right(record.pool[ids]):
        return True
    makers = {int(k) for k in record.makers(ids.ravel())}
    made = [record.operations[k] for k in makers if k >= 0]
    return len(made) == len(makers) < PARTS and all(is_right(o.result.of(record.pool)) for o in made)


def _last_of(loop: ast.For | ast.While, carries: set[str], lines: set[int]) -> ast.stmt | None:
    """The statement after which carries may be updated: the last one that reads them, or stands on one of these lines; None where it is a
    block."""
    found: ast.stmt | None = None
    for statement in loop.body:
        reads = any(isinstance(n, ast.Name) and n.id in carries for n in ast.walk(statement))
        if reads or any(statement.lineno <= k <= (statement.end_lineno or 0) for k in lines):
            found = statement
    return found if isinstance(found, (ast.Assign, ast.AugAssign, ast.Expr)) else None


def _read_only(tree: ast.Module, loop: ast.For | ast.While) -> Iterator[tuple[str, ast.stmt | None]]:
    """The variables that a loop reads, that were made before it, and that it does not make of anything it computes: with the statement
    that makes them of nothing, where there is one."""
    named = [n for s in loop.body for n in ast.walk(s) if isinstance(n, ast.Name)]
    stored = {n.id for n in named if isinstance(n.ctx, ast.Store)}
    before = {
        n.id
        for n in ast.walk(tree)
        if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store) and n.lineno < loop.lineno
    }
    for name in dict.fromkeys(n.id for n in named if isinstance(n.ctx, ast.Load) and n.id in before):
        makers = [
            s
            for s in loop.body
            if isinstance(s, ast.Assign) and any(isinstance(x, ast.Name) and x.id == name for x in s.targets)
        ]
        if name not in stored and not _is_accumulated(loop, name):
            yield name, None
        elif len(makers) == 1 and not any(
            isinstance(x, ast.Name) and x.id in stored for x in ast.walk(makers[0].value)
        ):
            yield name, makers[0]


def _is_accumulated(loop: ast.For | ast.While, name: str) -> bool:
    """Whether entries of a variable are written in the loop."""
    targets = [
        t
        for n in ast.walk(loop)
        if isinstance(n, (ast.Assign, ast.AugAssign))
        for t in (n.targets if isinstance(n, ast.Assign) else [n.target])
    ]
    return any(isinstance(x, ast.Name) and x.id == name for t in targets for x in ast.walk(t))


def _product(weight: Weight, called: str, name: str) -> str:
    """What W h gives back to h, or h W."""
    operands = weight.last.operands
    which = 0 if operands[0].size and operands[0].first in weight.own else 1
    ids = operands[which].ids().ravel().tolist()
    turned = ids != sorted(ids)
    plain = called if turned else f"{called}.T"
    return f"{plain} @ {name}" if which == 0 else f"{name} @ {plain}"
