"""Which arrays of a forward pass are its weights."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from engine.doctor.derive.forward.passes import ForwardPass
from engine.doctor.derive.tree.statements import all_statements, appended, targets
from engine.doctor.derive.tree.syntax_of import NUMBERED, base, called, names, path, reads
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

HOLDING = ("data", "value", "values", "array")
"""Attributes in which an object that is a weight holds its numbers."""

WEIGHTS = {"matrix", "weight", "weights", "bias", "biases", "kernel"}
"""Words in the names of weights: `hidden_matrix` is none of a state."""

BEFORE = {"prev", "previous"}
"""The same of a state that is handed on from one call to the next."""


def values_of(statement: ast.stmt) -> Iterator[ast.expr]:
    """What a statement writes its targets from."""
    value = statement.iter if isinstance(statement, ast.For) else getattr(statement, "value", None)
    if (put := appended(statement)) is not None:
        value = put
    if isinstance(value, ast.expr):
        yield value


def weights_of(found: ForwardPass) -> list[str]:
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
        for value in values_of(statement):
            if isinstance(value, ast.Dict):
                continue  # `p = {"W": W}` only gives another name
            iterated = {path(n) for n in ast.walk(value)} if isinstance(statement, ast.For) else set[str]()
            for node in reads(value):
                inside = isinstance(node, ast.Subscript) and not path(node) and bool(_direct(node.slice) & counters)
                name = path(node) or base(node)
                core = _core(node) if name not in found.flat.fields else _entry(node)
                is_named = parameter(bare(name).rpartition(".")[2]) is not None or NUMBERED in name
                fits = found.shapes.is_float(core) or (is_named and found.shapes.is_float_array(core))
                fits = fits and found.shapes.shape(core) is not None
                fits = fits and (is_named or (found.shapes.shape(core) != () and not found.shapes.is_labels(core)))
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
                needed |= {one for v in values_of(statement) for n in ast.walk(v) for one in (path(n),) if one}
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


def _entry(node: ast.expr) -> ast.expr:
    """The entry of what objects hold that a part is of."""
    while isinstance(node, ast.Subscript) and isinstance(node.value, ast.Subscript):
        node = node.value
    return node


def _counts(loop: ast.For) -> bool:
    return called(loop.iter) in ("range", "arange", "enumerate", "reversed")


def bare(name: str) -> str:
    """The name of a weight without the attribute in which an object of its own holds the numbers: `cell.weight` of `cell.weight.data`."""
    holder, _, word = name.rpartition(".")
    return holder if holder and word in HOLDING else name


def _is_weight(name: str) -> bool:
    name = bare(name)
    last = name.rpartition(".")[2]
    word = last.partition("['")[2].rstrip("']") or last
    container = last.partition("[")[0]
    word = container if word.startswith(NUMBERED) else word
    if container != last and role(container) == "params":
        return True
    words = set(word.lower().split("_"))
    is_state = any(role(one) in ("a0", "c0") for one in words if one != word.lower()) and not words & WEIGHTS
    if words & TARGETS or words & BEFORE or is_state:
        return False
    return role(word.lower()) not in DATA or (role(word.lower()) in ("H", "C", "D") and word[0].isupper())


def _is_computed(found: ForwardPass, name: str, wanted: set[str]) -> bool:
    for one in found.definitions.get(name, []):
        if found.flat.unpacks(one.statement) is not None:
            continue
        if isinstance(one.statement, ast.AugAssign | ast.For) or one.loops:
            return True
        if any((of := path(v)) and of not in wanted and not _is_weight(of) for v in values_of(one.statement)):
            return True  # another name for data
        if any((path(n) or base(n)) in wanted for v in values_of(one.statement) for n in reads(v)):
            return True
        if appended(one.statement) is not None:
            return True
    return False
