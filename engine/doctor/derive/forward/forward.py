"""The forward pass as its statements: the block up to the loss, what in it depends on the weights, which lists and arrays are filled step
by step."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from engine.doctor.derive.forward.call_targets import aliases
from engine.doctor.derive.forward.flat import flattened
from engine.doctor.derive.forward.flat_pass import FlatPass
from engine.doctor.derive.forward.fused import fused
from engine.doctor.derive.forward.rebound import with_own_names
from engine.doctor.derive.forward.sunk import sunk
from engine.doctor.derive.forward.totals import with_totals
from engine.doctor.derive.tree.shapes import SeenShapes
from engine.doctor.derive.tree.statements import all_statements, appended, blocks, enclosing, targets
from engine.doctor.derive.tree.syntax_of import base, called, names, path, reads
from engine.doctor.vocabulary.roles import parameter, role

DATA = (
    "X",
    "y",
    "a0",
    "c0",
    "da",
    "dc",
    "dlogits",
    "lengths",
    "mask",
    "lr",
    "T",
    "D",
    "H",
    "C",
    "off",
    "far",
    "once",
)
TARGETS = {"target", "targets", "label", "labels", "truth"}
"""Words in the names of what outputs are compared with: `target_norm`, `train_labels`."""
Loops = tuple[ast.For, ...]


@dataclass(frozen=True, eq=False)
class Definition:
    """A statement that writes a name, path or container, and the loops of the block that it stands in."""

    statement: ast.stmt
    loops: Loops
    body: Sequence[ast.stmt]
    order: int


@dataclass(eq=False)
class ForwardPass:
    """`body` are the statements up to the loss, `last` is the one after which the backward pass stands, in `function`, if in one."""

    body: list[ast.stmt]
    last: ast.stmt
    loss: str
    function: ast.FunctionDef | None
    shapes: SeenShapes
    definitions: dict[str, list[Definition]] = field(default_factory=dict[str, list[Definition]])
    order: dict[int, int] = field(default_factory=dict[int, int])
    loops: dict[int, Loops] = field(default_factory=dict[int, Loops])
    parameters: list[str] = field(default_factory=list[str])
    active: set[str] = field(default_factory=set[str])
    flat: FlatPass = field(default_factory=FlatPass)
    indents: dict[tuple[int, int], int] = field(default_factory=dict[tuple[int, int], int])
    """How far the block is indented in which a statement stands, by the statement's line and column: several may stand on one line."""

    def indent(self, statement: ast.stmt) -> str:
        """The white space before a line beside a statement."""
        return " " * self.indents.get((statement.lineno, statement.col_offset), statement.col_offset)

    def is_active(self, node: ast.AST) -> bool:
        """Whether an expression depends on the sought parameters."""
        return any(self.is_sought(one) for one in reads(node))

    def is_sought(self, node: ast.expr) -> bool:
        return path(node) in self.active or base(node) in self.active


def forward_pass(
    tree: ast.Module, line: int, loss: str, shapes: SeenShapes, computed: Collection[str], helpers: Collection[str]
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
    """Where a loss stays in the function that computes it: the backward pass stands there too."""
    inside = [k for k, (one, _) in enumerate(chain) if isinstance(one, ast.FunctionDef)]
    function = chain[inside[-1]][0] if inside else None
    if not isinstance(function, ast.FunctionDef) or inside[-1] + 1 == len(chain):
        return None
    gives = any(isinstance(n, ast.Return) and n.value is not None for n in ast.walk(function))
    return None if gives else (function, chain[inside[-1] + 1][0])


def _passed(
    tree: ast.Module,
    chain: Chain,
    loss: str,
    shapes: SeenShapes,
    computed: Collection[str],
    helpers: Collection[str],
    place: PassPlace | None,
) -> ForwardPass | None:
    """The pass in one block, where a loss is computed in it."""
    *above, (last, body) = chain
    if isinstance(last, ast.Return):
        return None
    while above and isinstance(above[-1][0], ast.For | ast.If) and _accumulates(last, loss, body):
        last, body = above.pop()
    function = next((n for n, _ in reversed(above) if isinstance(n, ast.FunctionDef)), None)
    before = list(body[: body.index(last)])
    end = last
    if loss.endswith("()"):
        call = next((n for n in ast.walk(last) if isinstance(n, ast.Call) and called(n) == loss[:-2]), None)
        target = last.targets[0] if isinstance(last, ast.Assign) and last.value is call else None
        loss = target.id if isinstance(target, ast.Name) else "loss"
        if call is not None and target is None:
            end = _named(loss, call, last)
    elif (put := appended(last)) is not None:
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
        found.parameters = [name for name in _parameters(found) if name not in computed]
        _spread(found)
        changed = with_own_names(flat, found.active - set(found.parameters), shapes)
        changed = changed or fused(flat.body, found.parameters, shapes)
        if changed is None:
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
    if isinstance(statement, ast.For | ast.If | ast.AugAssign | ast.Assign):
        first = [s for s in body if isinstance(s, ast.Assign) and any(path(t) == loss for t in s.targets)]
        return not any(loss not in names(s.value) for s in first)
    return False


def _scan(found: ForwardPass, body: Sequence[ast.stmt], loops: Loops) -> None:
    for statement in body:
        found.order[id(statement)] = len(found.order)
        found.loops[id(statement)] = loops
        for target in targets(statement):
            around = (*loops, statement) if isinstance(statement, ast.For) else loops
            made = Definition(statement, around, body, found.order[id(statement)])
            found.definitions.setdefault(base(target) or "?", []).append(made)
        inner = (*loops, statement) if isinstance(statement, ast.For) else loops
        if not isinstance(statement, ast.FunctionDef | ast.ClassDef):
            for block in blocks(statement):
                _scan(found, block, inner)


def _values(statement: ast.stmt) -> Iterator[ast.expr]:
    """What a statement writes its targets from."""
    value = statement.iter if isinstance(statement, ast.For) else getattr(statement, "value", None)
    if (put := appended(statement)) is not None:
        value = put
    if isinstance(value, ast.expr):
        yield value


def _parameters(found: ForwardPass) -> list[str]:
    """The weights: arrays of floats that are read whole, that nothing of the pass is computed into, and that no one calls data."""
    counters = {
        n.id
        for loops in found.loops.values()
        for loop in loops
        for n in ast.walk(loop.target)
        if isinstance(n, ast.Name) and _counts(loop)
    }
    seen: dict[str, bool] = {}
    for statement in all_statements(found.body):
        for value in _values(statement):
            if isinstance(value, ast.Dict):
                continue  # `p = {"W": W}` only gives another name
            iterated = {path(n) for n in ast.walk(value)} if isinstance(statement, ast.For) else set[str]()
            for node in reads(value):
                inside = isinstance(node, ast.Subscript) and not path(node) and bool(_direct(node.slice) & counters)
                name = path(node) or base(node)
                core = _core(node)
                fits = found.shapes.is_float(core) and found.shapes.shape(core) is not None
                fits = fits and (found.shapes.shape(core) != () or role(name) in ("by", "ba"))
                seen[name] = (
                    seen.get(name, True) and fits and not (inside and parameter(name) is None) and name not in iterated
                )
    needed = _reaching(found)
    wanted = [name for name, fits in seen.items() if fits and _is_weight(name) and needed & set(_wholes(name))]
    return [name for name in wanted if not _is_computed(found, name, set(wanted))]


def _reaching(found: ForwardPass) -> set[str]:
    """What the loss is computed from, by names: a forward pass that was only tried before it has no part in it."""
    needed, before = {found.loss}, 0
    while before != len(needed):
        before = len(needed)
        for statement in all_statements(found.body):
            if any({path(t), base(t)} & needed for t in targets(statement)):
                needed |= {one for v in _values(statement) for n in ast.walk(v) for one in (path(n),) if one}
    return needed


def _wholes(name: str) -> Iterator[str]:
    """A name, and what it is a part of: `cell.p['W']`, `cell.p`, `cell`."""
    yield name
    for k in range(len(name) - 1, 0, -1):
        if name[k] in ".[":
            yield name[:k]


def _direct(index: ast.expr) -> set[str]:
    """The names that an index counts with, without those of which it reads an entry: t of `[t + 1]`, none of `[ids[t]]`."""
    parts = index.elts if isinstance(index, ast.Tuple) else [index]
    return set[str]().union(*(names(p) for p in parts if not any(isinstance(n, ast.Subscript) for n in ast.walk(p))))


def _core(node: ast.expr) -> ast.expr:
    while isinstance(node, ast.Subscript) and not path(node):
        node = node.value
    return node


def _counts(loop: ast.For) -> bool:
    return called(loop.iter) in ("range", "arange", "enumerate", "reversed")


def _is_weight(name: str) -> bool:
    last = name.rpartition(".")[2]
    word = last.partition("['")[2].rstrip("']") or last
    container = last.partition("[")[0]
    if container != last and role(container) == "params":
        return True
    if set(word.lower().split("_")) & TARGETS:
        return False
    return role(word.lower()) not in DATA or (role(word.lower()) in ("H", "C", "D") and word[0].isupper())


def _is_computed(found: ForwardPass, name: str, wanted: set[str]) -> bool:
    for one in found.definitions.get(name, []):
        if isinstance(one.statement, ast.AugAssign | ast.For) or one.loops:
            return True
        if any((path(n) or base(n)) in wanted for v in _values(one.statement) for n in reads(v)):
            return True
        if appended(one.statement) is not None:
            return True
    return False


def _spread(found: ForwardPass) -> None:
    """What depends on the parameters, by names."""
    found.active = set(found.parameters)
    before = -1
    while before != len(found.active):
        before = len(found.active)
        for statement in all_statements(found.body):
            if any(found.is_active(value) for value in _values(statement)):
                found.active |= {base(target) for target in targets(statement)} - {""}
