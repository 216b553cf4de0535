"""A loss for a program that computes none: as a statement where outputs and targets meet, or the expression that is asked for. In memory
it stands on the line of another statement, so that every line keeps its number."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from engine.doctor.derive.derived import Keep
from engine.doctor.derive.shapes import SeenShapes
from engine.doctor.derive.statements import all_statements, blocks, enclosing, targets
from engine.doctor.derive.syntax_of import names
from engine.doctor.lineage import loss as losses
from engine.doctor.lineage.loss import ChosenLoss
from engine.doctor.lineage.reading import Floats, Record
from engine.doctor.lineage.returned import inputs
from engine.doctor.lineage.updates import ArrayNames
from engine.doctor.read.source import SourceFile
from engine.doctor.repair.slip import TextChange, after, before, changed
from engine.doctor.vocabulary.roles import role

MOST = 12
"""So many arrays are tried as targets."""
FORMS = {
    "squared": ("half the squared error", "0.5 * np.sum(({p} - {y}) ** 2)"),
    "cross-entropy": ("the cross-entropy", "-np.sum({y} * np.log({p}))"),
    "binary": ("the binary cross-entropy", "-np.sum({y} * np.log({p}) + (1 - {y}) * np.log(1 - {p}))"),
}
"""What a loss is called and how it is written, of outputs p and targets y, by its name on the command line."""


@dataclass(frozen=True, eq=False)
class TakenLoss:
    """A loss that is added: `text` is the program with it, `keeps` are its statements as they are shown, `line` is where it is, `said` what
    it was taken to be."""

    name: str
    line: int
    text: str
    keeps: tuple[Keep, ...]
    said: str
    is_given: bool = False
    """Whether its gradient is what comes from outside."""


def taken_loss(source: SourceFile, record: Record, kind: str) -> TakenLoss | None:
    """The loss whose gradient begins with the first difference of outputs and targets; of the kind that is asked for, else of the one that
    belongs to outputs of their sort. None where there is no difference."""
    tree = source.tree()
    meetings = ((one, _meeting(tree, one.line, record, one)) for one in _differences(record))
    met = next(((one, found) for one, found in meetings if found is not None), None)
    if met is None:
        return None
    assumed, (statement, output, target) = met
    kind = kind or _kind(assumed, record.pool)
    said, form = FORMS[kind]
    text = form.format(p=_factor(output, kind), y=_factor(target, kind))
    return _added(source, tree, statement, text, f"{said} of outputs and targets")


def _differences(record: Record) -> Iterator[ChosenLoss]:
    """Half the squared errors of what may be outputs and targets. Of arrays from outside each may be the targets, the likeliest first."""
    sources, arrays = inputs(record), ArrayNames(record)
    yield from losses.assumed(record, sources)[:1]
    likeliest = sorted(sources, key=lambda ids: role(arrays.of(ids).rpartition(".")[2]) != "y")
    for targets_ in likeliest[:MOST]:
        yield from losses.assumed(record, [ids for ids in sources if ids is not targets_])[:1]


def asked_loss(source: SourceFile, expression: str, function: str = "") -> TakenLoss | None:
    """The loss that an expression is, after the last statement that makes something that it reads; None where no block knows all of it.
    With the name of a `function` it is in that one."""
    tree = source.tree()
    read = names(ast.parse(expression, mode="eval"))
    module = {n for s in tree.body for n in _given(s)}
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
    inner = [(f.body, {a.arg for a in f.args.args}) for f in functions if function in ("", f.name)]
    for body, own in inner if function else [(tree.body, set[str]()), *inner]:
        inside = [s for s in body if read & {n for one in all_statements([s]) for n in _given(one)}]
        known = own | module | {n for s in all_statements(body) for n in _given(s)}
        if inside and all(
            n in known for n in read if n not in ("np", "numpy", "math", "len", "sum", "zip", "range", "abs")
        ):
            return _added(source, tree, inside[-1], expression, "the loss that is asked for")
    return None


def given_back(source: SourceFile, function: str, shapes: SeenShapes) -> TakenLoss | None:
    """The loss of a function that computes none: dL/d(what it returns) is given, as a backward pass of a part takes it. None where what it
    returns has no names."""
    tree = source.tree()
    found = next(n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == function)
    end = found.body[-1]
    value = end.value if isinstance(end, ast.Return) and len(found.body) > 1 else None
    parts = value.elts if isinstance(value, ast.Tuple) else [value]
    floats = [p.id for p in parts if isinstance(p, ast.Name) and shapes.is_float(p) and shapes.shape(p)]
    if not floats:
        return None
    made = "; ".join(f"d{name} = np.random.RandomState(0).standard_normal({name}.shape)" for name in floats)
    text = " + ".join(f"np.sum({name} * d{name})" for name in floats)
    said = f"{', '.join(f'd{name}' for name in floats)}, dL/d of what {function}() returns, given"
    taken = _added(source, tree, found.body[-2], text, said, made)
    return None if taken is None else replace(taken, keeps=(), is_given=True)


def _given(statement: ast.stmt) -> Iterator[str]:
    """The names that a statement gives a value."""
    for target in targets(statement):
        yield from (n.id for n in ast.walk(target) if isinstance(n, ast.Name))
    if isinstance(statement, ast.Import | ast.ImportFrom | ast.FunctionDef):
        yield from (
            [a.asname or a.name for a in statement.names]
            if not isinstance(statement, ast.FunctionDef)
            else [statement.name]
        )


def _meeting(
    tree: ast.Module, line: int, record: Record, taken: ChosenLoss
) -> tuple[ast.stmt, ast.expr, ast.expr] | None:
    """The statement in which outputs and targets meet, the outputs and the targets in it."""
    chain = enclosing(tree, line)
    if chain is None:
        return None
    statement = chain[-1][0]
    numbers = record.pool[taken.seeds[0][0].ids()].ravel()
    made = next((o for o in record.operations if record.lines[o.line].number == line and o.name == "subtract"), None)
    for node in ast.walk(statement):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub) and made is not None:
            left = made.operands[0].of(record.pool).ravel()
            is_first = left.shape == numbers.shape and bool(np.array_equal(left, numbers))
            return statement, *((node.left, node.right) if is_first else (node.right, node.left))
    return None


def _kind(taken: ChosenLoss, pool: Floats) -> str:
    """Which loss belongs to outputs: cross-entropy to shares of one, its binary form to single shares, else the squared error."""
    outputs = pool[taken.seeds[0][0].ids()]
    if not bool(((outputs > 0) & (outputs < 1)).all()):
        return "squared"
    sums = [outputs.sum(axis=axis) for axis in range(outputs.ndim) if outputs.shape[axis] > 1]
    if any(np.allclose(one, 1.0) for one in sums):
        return "cross-entropy"
    targets_ = np.concatenate([np.ravel(_target(pool[ids.ids()], seed)) for ids, seed in taken.seeds])
    return "binary" if set(np.round(targets_, 9)) <= {0.0, 1.0} else "squared"


def _target(output: Floats, seed: Floats) -> Floats:
    """The targets, of the squared error's gradient `output - target`."""
    return output - seed


def _factor(node: ast.expr, kind: str) -> str:
    """An operand's text, in brackets where it has to be."""
    text = ast.unparse(node)
    return f"({text})" if isinstance(node, ast.BinOp | ast.UnaryOp | ast.IfExp) else text


def _added(
    source: SourceFile, tree: ast.Module, statement: ast.stmt, text: str, said: str, first: str = ""
) -> TakenLoss | None:
    """A loss of this expression after a statement, with what comes `first`; where a loop goes through it, added up from 0 on."""
    chain = enclosing(tree, statement.lineno)
    if chain is None:
        return None
    taken = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    name = next(n for n in ("loss", "total_loss", *(f"loss{k}" for k in range(2, 50))) if n not in taken)
    inside = [k for k, (one, _) in enumerate(chain) if isinstance(one, ast.FunctionDef)]
    loops = [pair for pair in chain[inside[-1] + 1 if inside else 0 :] if isinstance(pair[0], ast.For | ast.While)]
    own = f"{name} += {text}" if loops and loops[0][0] is not statement else f"{name} = {text}"
    lines = [(statement, chain[-1][1], own)]
    if "+=" in own:
        loop, body = loops[0]
        if body.index(loop) == 0:
            return None
        lines.insert(0, (body[body.index(loop) - 1], body, f"{name} = 0"))
    keeps = [
        Keep(one.end_lineno or one.lineno, "", " " * body[0].col_offset + line, said if line == own else "")
        for one, body, line in lines
    ]
    changes = [_inline(source, one, body, f"{first}; {line}" if first else line) for one, body, line in lines]
    if any(change is None for change in changes):
        return None
    made = changed(source.text, [c for c in changes if c is not None])
    at = next(k for k, line in enumerate(made.split("\n"), 1) if own in line)
    return TakenLoss(name, at, made, tuple(keeps), said)


def _inline(source: SourceFile, statement: ast.stmt, body: Sequence[ast.stmt], text: str) -> TextChange | None:
    """The statement that is added, on the line of another, so that every line keeps its number; None where there is none for it."""
    if not any(True for _ in blocks(statement)):
        return after(statement, f"; {text}")
    later = body[body.index(statement) + 1 :]
    if later and not any(True for _ in blocks(later[0])):
        return before(later[0], f"{text}; ")
    lines = source.lines
    is_end = not later and statement.col_offset == 0
    return (
        TextChange(len(lines), len(lines[-1].encode()), len(lines), len(lines[-1].encode()), f"\n{text}")
        if is_end
        else None
    )
