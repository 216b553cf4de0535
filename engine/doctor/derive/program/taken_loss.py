"""A loss for a program that computes none: as a statement where outputs and targets meet, or the expression that is asked for. In memory
it stands on the line of another statement, so that every line keeps its number."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace

import numpy as np

from engine.doctor.derive.derived import Keep
from engine.doctor.derive.tree.statements import all_statements, blocks, enclosing, targets
from engine.doctor.derive.tree.syntax_of import names
from engine.doctor.lineage.gradients.inputs import inputs
from engine.doctor.lineage.record.array_names import ArrayNames
from engine.doctor.lineage.record.reading import Floats, Record
from engine.doctor.lineage.the_loss import loss as losses
from engine.doctor.lineage.the_loss.loss import ChosenLoss
from engine.doctor.read.source import SourceFile
from engine.doctor.repair.slip import TextChange, after, before, changed
from engine.doctor.vocabulary.roles import role
from engine.errors import InputError

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
    """A loss that is added: `text` is the program with it, `keeps` are its statements as they are shown, after a `header`, `said` what it
    was taken to be."""

    name: str
    text: str
    keeps: tuple[Keep, ...]
    said: str
    header: str = "It computes no loss; to see it:"
    given: tuple[str, ...] = ()
    """The names of gradients that come from outside."""


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


class UnknownNames(InputError):
    """An expression of names that are not known where it would stand."""


def asked_loss(source: SourceFile, expression: str, function: ast.FunctionDef | None = None) -> TakenLoss:
    """The loss that an expression is, in the innermost block where all of it is known, after the last statement that makes something it
    reads. With a `function` of the source it is in that one. Raises InputError where there is no such place, SyntaxError of no
    expression."""
    tree = source.tree()
    read = _read(ast.parse(expression, mode="eval"))
    module = {n for s in tree.body for n in _given(s)} | set(dir(builtins))
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
    functions = [n for n in functions if function is None or n.lineno == function.lineno]
    inner = [(f.body, {a.arg for a in (*f.args.args, *f.args.kwonlyargs)} | module) for f in functions]
    scopes = inner if function else [(tree.body, module), *inner]
    every = [(body, known | {n for s in all_statements(body) for n in _given(s)}) for body, known in scopes]
    for body, known in every:
        statement = _last_maker(body, read) if read <= known else None
        if statement is not None:
            return replace(
                _added(source, tree, statement, expression, "the loss that is asked for"), header="To compute it:"
            )
    unknown = read.difference(*(known for _, known in every))
    where = f"{function.name}()" if function else "the program"
    if unknown:
        has = f"; its names are {', '.join(sorted(every[0][1] - module - {'self'}))}" if function else ""
        raise UnknownNames(f"{where} has no {' and no '.join(sorted(unknown))}{has}")
    if function is not None:
        raise UnknownNames(f"{where} computes nothing that it reads")
    raise InputError("there is no place where all its names are known; write loss = ... there")


def _read(node: ast.AST) -> set[str]:
    """The names that an expression reads from around it."""
    own = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return names(node) - own - {a.arg for n in ast.walk(node) if isinstance(n, ast.Lambda) for a in n.args.args}


def _last_maker(body: Sequence[ast.stmt], read: Set[str]) -> ast.stmt | None:
    """The last statement of a block that makes one of some names; within one that has a block, the last of that, but of a loop whose rounds
    give a value to names only once all of them are over."""
    inside = [s for s in body if not read.isdisjoint(_assigned(s))]
    if not inside or (isinstance(inside[-1], ast.For) and not _has_each_round(inside[-1], read)):
        return inside[-1] if inside else None
    within = [found for block in blocks(inside[-1]) if (found := _last_maker(block, read)) is not None]
    return within[0] if len(within) == 1 and not isinstance(inside[-1], ast.FunctionDef | ast.ClassDef) else inside[-1]


def _assigned(statement: ast.stmt) -> set[str]:
    """The names that it gives values, and the statements in it, but for what counts rounds: many loops may count with one name."""
    return {n for one in all_statements([statement]) if not isinstance(one, ast.For) for n in _given(one)}


def _has_each_round(loop: ast.For, read: Set[str]) -> bool:
    """Whether an expression of names has its own value in each round: where rounds repeat the same, as epochs do, or where one of the names
    is that round's of data."""
    made, counted = _made_in(loop, read), set(_given(loop))
    own = (n for n in read if n in counted or (made.get(n, set()) & counted and not made[n] & made.keys()))
    return not _is_counted(loop, read) or any(True for _ in own)


def _is_counted(loop: ast.stmt, read: Set[str]) -> bool:
    """Whether the values of names differ from round to round by what the loop goes over; those of an epoch do not."""
    made, known, more = _made_in(loop, read), set[str](), set(read)
    while more:
        known |= more
        more = set[str]().union(*(made.get(name, set()) for name in more)) - known
    return bool(known & set(_given(loop)))


def _made_in(loop: ast.stmt, read: Set[str]) -> dict[str, set[str]]:
    """What each name is made of in a loop, up to the last statement that makes one of some."""
    made, until = dict[str, set[str]](), dict[str, set[str]]()
    for statement in [s for block in blocks(loop) for s in all_statements(block)]:
        for name in _given(statement):
            made[name] = made.get(name, set()) | _read_by(statement)
        until = {name: set(of) for name, of in made.items()} if not read.isdisjoint(_given(statement)) else until
    return until


def _read_by(statement: ast.stmt) -> set[str]:
    """The names that a statement reads itself, not in its blocks."""
    parts = (n for n in ast.iter_child_nodes(statement) if isinstance(n, ast.expr))
    return {n.id for part in parts for n in ast.walk(part) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}


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


def _added(source: SourceFile, tree: ast.Module, statement: ast.stmt, text: str, said: str) -> TakenLoss:
    """A loss of this expression after a statement; where a loop goes through it, added up from 0 on. Raises InputError where no line has a
    place for it."""
    chain = enclosing(tree, statement.lineno) or []
    name = free_name(tree, "loss", "total_loss")
    inside = [k for k, (one, _) in enumerate(chain) if isinstance(one, ast.FunctionDef)]
    read = _read(ast.parse(text, mode="eval")) | set(_given(statement))
    around = [pair for pair in chain[inside[-1] + 1 if inside else 0 : -1] if isinstance(pair[0], ast.For)]
    loops = [pair for pair in around if _is_counted(pair[0], read)]
    own = f"{name} += {text}" if loops else f"{name} = {text}"
    lines = [(statement, chain[-1][1], own)]
    if "+=" in own:
        loop, body = loops[0]
        if body.index(loop) == 0:
            raise InputError(f"the loss is added up in the loop of line {loop.lineno}; write {name} = 0 before it")
        lines.insert(0, (body[body.index(loop) - 1], body, f"{name} = 0"))
    keeps = [
        Keep(one.end_lineno or one.lineno, "", " " * body[0].col_offset + line, said if line == own else "")
        for one, body, line in lines
    ]
    changes = [_inline(source, one, body, line) for one, body, line in lines]
    if any(change is None for change in changes):
        raise InputError(f"the loss belongs after line {keeps[-1].after}; write {name} = {text} there")
    made = changed(source.text, [c for c in changes if c is not None])
    return TakenLoss(name, made, tuple(keeps), said)


def free_name(tree: ast.Module, *likely: str) -> str:
    """The first of some names that a program does not use."""
    options = (*likely, *(f"{likely[0]}{k}" for k in range(2, 50)))
    return next(name for name in options if name not in names(tree))


def _inline(source: SourceFile, statement: ast.stmt, body: Sequence[ast.stmt], text: str) -> TextChange | None:
    """The statement that is added, on the line of another, so that every line keeps its number; None where there is none for it."""
    if not any(True for _ in blocks(statement)):
        return after(statement, f"; {text}")
    later = body[body.index(statement) + 1 :]
    if later and not any(True for _ in blocks(later[0])):
        return before(later[0], f"{text}; ")
    lines = source.lines
    if later or any(line.strip() for line in lines[statement.end_lineno or 0 :]):
        return None
    end = len(lines), len(lines[-1].encode())
    return TextChange(*end, *end, f"\n{' ' * body[0].col_offset}{text}")
