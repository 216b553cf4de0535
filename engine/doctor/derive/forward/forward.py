"""The forward pass as its statements: the block up to the loss, what in it depends on the weights, which lists and arrays are filled step
by step."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping, Sequence

from engine.doctor.derive.forward.branches import is_every_time
from engine.doctor.derive.forward.call_targets import aliases
from engine.doctor.derive.forward.flat import flattened
from engine.doctor.derive.forward.fused import fused
from engine.doctor.derive.forward.passes import Definition, ForwardPass, Loops
from engine.doctor.derive.forward.rebound import with_own_names
from engine.doctor.derive.forward.sunk import sunk
from engine.doctor.derive.forward.totals import with_totals
from engine.doctor.derive.forward.weights import values_of, weights_of
from engine.doctor.derive.tree.shapes import SeenShapes
from engine.doctor.derive.tree.statements import all_statements, appended, blocks, enclosing, targets
from engine.doctor.derive.tree.syntax_of import base, called, names, path, reads


def forward_pass(
    tree: ast.Module, line: int, loss: str, shapes: SeenShapes, computed: Collection[str], helpers: Mapping[str, str]
) -> ForwardPass | None:
    """The forward pass that computes the loss of a line, None where no statement does. `computed` are names of no leaves of the run."""
    chain, place = enclosing(tree, line, loss), None
    while chain is not None:
        found = _passed(tree, chain, loss, shapes, computed, helpers, place)
        if found is not None and found.parameters:
            return found
        place = place or _place(chain)
        chain, called_ = _caller(tree, chain, loss, shapes)
        loss = loss if place is not None else called_
    return None


Chain = list[tuple[ast.stmt, list[ast.stmt]]]
PassPlace = tuple[ast.FunctionDef, ast.stmt]
"""A function in which the backward pass stands, and the statement after which it does."""


def _place(chain: Chain) -> PassPlace | None:
    """Where a loss stays in the function that computes it, or that goes on to step weights: the backward pass stands there too."""
    inside = [k for k, (one, _) in enumerate(chain) if isinstance(one, ast.FunctionDef)]
    function = chain[inside[-1]][0] if inside else None
    if not isinstance(function, ast.FunctionDef) or inside[-1] + 1 == len(chain):
        return None
    last = chain[inside[-1] + 1][0]
    gives = any(isinstance(n, ast.Return) and n.value is not None for n in ast.walk(function))
    steps = (s for s in all_statements(function.body) if s.lineno > last.lineno and isinstance(s, ast.AugAssign))
    return None if gives and not any(isinstance(s.target, ast.Attribute) for s in steps) else (function, last)


def _passed(
    tree: ast.Module,
    chain: Chain,
    loss: str,
    shapes: SeenShapes,
    computed: Collection[str],
    helpers: Mapping[str, str],
    place: PassPlace | None,
) -> ForwardPass | None:
    """The pass in one block, where a loss is computed in it."""
    *above, (last, body) = chain
    if isinstance(last, ast.Return):
        return None
    while above and isinstance(above[-1][0], ast.For | ast.If | ast.Try | ast.With) and _accumulates(last, loss, body):
        last, body = above.pop()
    while above and is_every_time(branch := above[-1][0], shapes):
        around = above.pop()[1]  # a block that runs every time: what stands before it is of the pass, too
        body = [*around[: around.index(branch)], *body]
    function = next((n for n, _ in reversed(above) if isinstance(n, ast.FunctionDef)), None)
    before = list(body[: body.index(last)])
    end = last
    if loss.endswith("()"):
        call = next((n for n in ast.walk(last) if isinstance(n, ast.Call) and called(n) == loss[:-2]), None)
        target = last.targets[0] if isinstance(last, ast.Assign) and last.value is call else None
        loss = target.id if isinstance(target, ast.Name) else "loss"
        if call is not None and target is None:
            end = _named(loss, call, last)
    elif place is None and (put := appended(last)) is not None:
        loss = "loss"
        end = _named(loss, put, last)
    flat = flattened(tree, [*before, end], end, shapes, helpers, None if place is None else place[1])
    if end is not last and isinstance(end, ast.Assign):
        flat.unnamed[loss] = ast.unparse(end.value)
    if place is not None:
        function, last = place
        loss = flat.opened(function, loss)
    indents = dict(_indents(tree.body))
    flat.body = with_totals(flat.body, shapes)
    while (behind := sunk(flat.body, flat.hidden)) is not None:
        flat.body = behind
    while True:
        found = ForwardPass(flat.body, last, loss, function, shapes, flat=flat, indents=indents)
        _scan(found, found.body, ())
        found.parameters = [name for name in weights_of(found) if flat.is_part(name) or name not in computed]
        _spread(found)
        found.parameters = [name for name in found.parameters if not _is_made(found, name)]
        _spread(found)
        changed = with_own_names(flat, found.active - set(found.parameters), shapes)
        changed = changed or fused(flat, found.parameters, shapes)
        if changed is None:
            found.leading = _leading(found)
            return found
        flat.body = changed


def _named(name: str, value: ast.expr, statement: ast.stmt) -> ast.stmt:
    """A loss that goes into a list, as an assignment."""
    return ast.fix_missing_locations(ast.copy_location(ast.Assign([ast.Name(name, ast.Store())], value), statement))


def _indents(block: list[ast.stmt]) -> Iterator[tuple[tuple[int, int], int]]:
    for statement in block:
        yield (statement.lineno, statement.col_offset), block[0].col_offset
        for inner in blocks(statement):
            yield from _indents(inner)


def _caller(tree: ast.Module, chain: Chain, loss: str, shapes: SeenShapes) -> tuple[Chain | None, str]:
    """The statement that calls the function in which a loss is computed, and what the loss is called there."""
    functions = [s for s, _ in chain if isinstance(s, ast.FunctionDef)]
    if not functions:
        return None, loss
    name = functions[-1].name
    held = aliases(tree, shapes)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        is_called = name in (called(node), held.get(called(node))) or (
            name == "__call__" and isinstance(node.func, ast.Name)
        )
        if is_called and not functions[-1].lineno <= node.lineno <= (functions[-1].end_lineno or 0):
            return enclosing(tree, node.lineno), f"{called(node)}()"
    return None, loss


def _accumulates(statement: ast.stmt, loss: str, body: Sequence[ast.stmt]) -> bool:
    """Whether a loss goes on from round to round: nothing in the loop's body gives it its first value."""
    if isinstance(statement, ast.Assign) and loss not in {
        ast.unparse(n) for n in ast.walk(statement.value) if isinstance(n, ast.Name)
    }:
        return False
    if isinstance(statement, ast.For | ast.If | ast.Try | ast.With | ast.AugAssign | ast.Assign):
        first = [s for s in body if isinstance(s, ast.Assign) and any(path(t) == loss for t in s.targets)]
        return not any(loss not in names(s.value) for s in first)
    return False


def _scan(found: ForwardPass, body: Sequence[ast.stmt], loops: Loops) -> None:
    for statement in body:
        found.order[statement] = len(found.order)
        found.loops[statement] = loops
        for target in targets(statement):
            around = (*loops, statement) if isinstance(statement, ast.For) else loops
            made = Definition(statement, around, body, found.order[statement])
            found.definitions.setdefault(base(target) or "?", []).append(made)
        inner = (*loops, statement) if isinstance(statement, ast.For) else loops
        if not isinstance(statement, ast.FunctionDef | ast.ClassDef):
            for block in blocks(statement):
                _scan(found, block, inner)


def _is_made(found: ForwardPass, name: str) -> bool:
    """Whether something is made of what depends on the weights, and is none itself."""
    made = (d.statement for d in found.definitions.get(name, []) if found.flat.unpacks(d.statement) is None)
    return any(found.is_active(value) for statement in made for value in values_of(statement))


def _spread(found: ForwardPass) -> None:
    """What depends on the parameters, by names."""
    found.active = set(found.parameters)
    before = -1
    while before != len(found.active):
        before = len(found.active)
        for statement in all_statements(found.body):
            if found.flat.unpacks(statement) is None and any(found.is_active(value) for value in values_of(statement)):
                found.active |= {base(target) for target in targets(statement) if _is_reached(found, statement, target)}
    found.active.discard("")


def _leading(found: ForwardPass) -> set[str]:
    """What the loss is made from, by names."""
    made, before = {found.loss}, 0
    while before != len(made):
        before = len(made)
        for statement in all_statements(found.body):
            if any(base(target) in made or path(target) in made for target in targets(statement)):
                made |= {base(n) for value in values_of(statement) for n in reads(value)}
    return made


def _is_reached(found: ForwardPass, statement: ast.stmt, target: ast.expr) -> bool:
    """Whether what depends on the weights comes to a target: of `for y, p in zip(ys, ps)` to p, where ps does."""
    over = statement.iter if isinstance(statement, ast.For) else None
    parts = statement.target.elts if isinstance(statement, ast.For) and isinstance(statement.target, ast.Tuple) else []
    if not isinstance(over, ast.Call) or called(over) != "zip" or len(parts) != len(over.args):
        return True
    return any(target in ast.walk(p) and found.is_active(one) for p, one in zip(parts, over.args, strict=True))
