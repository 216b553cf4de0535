"""Slips that raise nothing: softmax over everything, an index minus probabilities, a rate applied twice, states that are overwritten."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from engine.doctor.read.syntax import called_name
from engine.doctor.repair.dataflow import made_by
from engine.doctor.repair.labels import against_labels
from engine.doctor.repair.products import product_of
from engine.doctor.repair.seen import SeenRun, SeenValue
from engine.doctor.repair.slip import Slip, TextChange, after, instead


def softmax_over_all(seen: SeenRun) -> Iterator[Slip]:
    """Exponentials divided by the sum of them all, where there are several rows."""
    for node in seen.nodes:
        if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Div):
            continue
        total = node.right
        summed = _summed(total)
        if summed is None or ast.unparse(summed) != ast.unparse(node.left) or not _is_exponential(seen, node.left):
            continue
        several = [v for v in seen.arrays(node.left) if sum(n > 1 for n in v.shape) > 1]
        if several and isinstance(total, ast.Call):
            shape = several[0].shape
            axis, each = (0, "column") if _in_columns(seen, shape) else (-1, "row")
            title = f"softmax over all the {shape} numbers at once; each {each} needs a sum of its own"
            line, end = total.end_lineno or total.lineno, (total.end_col_offset or 1) - 1
            comma = ", " if total.args else ""
            change = TextChange(line, end, line, end, f"{comma}axis={axis}, keepdims=True")
            yield Slip("softmax-wrong-axis", title, node.lineno, (change,))


def _in_columns(seen: SeenRun, shape: tuple[int, ...]) -> bool:
    """Whether outputs of this shape stand in columns: they are weights times something."""
    for node in seen.nodes:
        operands = product_of(node)
        if operands is not None and isinstance(node, ast.expr) and shape in {v.shape for v in seen.arrays(node)}:
            left, right = ({bool(v.maker) for v in seen.arrays(o)} for o in operands)
            if left == {True} and right == {False}:
                return True
    return False


def _summed(node: ast.expr) -> ast.expr | None:
    """What is summed over all its axes."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="np" | "numpy"), attr="sum"), args=[one], keywords=[]):
            return one
        case ast.Call(func=ast.Attribute(value=value, attr="sum"), args=[], keywords=[]):
            return value
        case _:
            return None


def _is_exponential(seen: SeenRun, node: ast.expr) -> bool:
    """Whether it is `exp` of something, or a name that only that is given to."""
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Attribute) and node.func.attr == "exp"
    made = [s for s in seen.nodes if isinstance(s, ast.Assign) and ast.unparse(s.targets[0]) == ast.unparse(node)]
    inside = [s for s in made if seen.functions(s)[:1] == seen.functions(node)[:1]]
    return bool(inside) and all(isinstance(s.value, ast.Call) and _is_exponential(seen, s.value) for s in inside)


def index_minus_probabilities(seen: SeenRun) -> Iterator[Slip]:
    """The number of a class where a 1 in its place is meant; for a gradient the probabilities come first."""
    for node, index, output in against_labels(seen):
        shape = next(v.shape for v in seen.arrays(output) if v.is_probabilities)
        label, outputs = ast.unparse(index), ast.unparse(output)
        onehot = _onehot(label, outputs, shape, seen.values(index))
        falls = not _adds(seen)
        text = f"{outputs} - {onehot}" if falls else f"{onehot} - {outputs}"
        gradient = ", and for a gradient probability minus one-hot" if falls and index is node.left else ""
        title = f"{label} is the number of a class, {outputs} are probabilities: 1 in its place (one-hot) is meant{gradient}"
        yield Slip("index-for-one-hot", title, node.lineno, (instead(node, text),))


def _onehot(label: str, outputs: str, shape: tuple[int, ...], values: Sequence[SeenValue]) -> str:
    """The labels as rows with a 1 each, in the shape of the probabilities."""
    if not all(v.type == "int" or v.kind in "iu" for v in values):
        label = f"{label}.astype(int)" if any(v.is_array for v in values) else f"int({label})"
    column = len(shape) == 2 and shape[1] == 1
    rows = f"np.eye({outputs}.shape[{0 if column else -1}])"
    axes = {len(v.shape) for v in values}
    if column:
        return f"{rows}[{label}].reshape(-1, 1)"
    if len(shape) == 2 and axes == {2}:
        return (
            f"{rows}[{label.removesuffix('.reshape(-1, 1)')}]"
            if label.endswith(".reshape(-1, 1)")
            else f"{rows}[{label}.ravel()]"
        )
    return f"{rows}[{label}]"


def _adds(seen: SeenRun) -> bool:
    """Whether the updates add: `W += rate * ...`."""
    return sum(sign for _, _, _, sign in updates(seen)) > 0


def updates(seen: SeenRun) -> Iterator[tuple[ast.stmt, str, ast.expr, int]]:
    """Statements that step something by a rate times something: the statement, the rate's text, the other factor, the sign."""
    for node in seen.nodes:
        match node:
            case ast.AugAssign(op=ast.Add() | ast.Sub() as op, value=step):
                pass
            case ast.Assign(targets=[target], value=ast.BinOp(left=left, op=ast.Add() | ast.Sub() as op, right=step)):
                if ast.unparse(left) != ast.unparse(target):
                    continue
            case _:
                continue
        if isinstance(step, ast.BinOp) and isinstance(step.op, ast.Mult):
            for rate, gradient in ((step.left, step.right), (step.right, step.left)):
                if isinstance(rate, ast.Name | ast.Attribute | ast.Subscript) and _is_number(seen, rate):
                    yield node, ast.unparse(rate), gradient, 1 if isinstance(op, ast.Add) else -1


def _is_number(seen: SeenRun, node: ast.expr) -> bool:
    """Whether it is one and the same number wherever it is read: what a loop computes is no rate."""
    same = seen.spelt.get(ast.unparse(node), [])
    values = {v for n in same for v in seen.values(n)}
    counted = [n for n in same if isinstance(n, ast.Name) and isinstance(seen.parents[n], ast.For | ast.comprehension)]
    return len(values) == 1 and not counted and all(v.type in ("int", "float") for v in values)


def rate_twice(seen: SeenRun) -> Iterator[Slip]:
    """The rate of an update is a factor of what its gradient was made from."""
    told: set[int] = set()
    for statement, rate, gradient, _ in updates(seen):
        for made, factor in _factors(seen, gradient, statement, rate):
            if made.lineno not in told and not isinstance(made, ast.AugAssign):
                told.add(made.lineno)
                title = f"{rate} is applied twice: here, and in the update in line {statement.lineno}"
                other = factor.right if ast.unparse(factor.left) == rate else factor.left
                yield Slip("learning-rate-in-gradient", title, made.lineno, (instead(factor, ast.unparse(other)),))


def _factors(seen: SeenRun, gradient: ast.expr, statement: ast.stmt, rate: str) -> Iterator[tuple[ast.stmt, ast.BinOp]]:
    """Products by the rate in the statements that a gradient was made by; what steps something else is none of them."""
    steps = {id(step) for step, _, _, _ in updates(seen)}
    for made, value in made_by(seen, gradient, statement):
        if id(made) not in steps:
            yield from ((made, f) for f in ast.walk(value) if isinstance(f, ast.BinOp) and _is_by(f, rate))


def _is_by(node: ast.BinOp, rate: str) -> bool:
    return isinstance(node.op, ast.Mult) and rate in (ast.unparse(node.left), ast.unparse(node.right))


def overwritten(seen: SeenRun) -> Iterator[Slip]:
    """Entries that every sample writes anew, and that are read when all samples are done: only the last one's are left."""
    for store in seen.stores:
        if store.most < 2:
            continue
        written = next((n for n in seen.nodes if isinstance(n, ast.Assign) and n.lineno == store.line), None)
        if written is None or not isinstance(target := written.targets[0], ast.Subscript):
            continue
        loop = _samples(seen, written)
        base = ast.unparse(target.value)
        late = [
            n
            for n in seen.nodes
            if isinstance(n, ast.Subscript)
            and isinstance(n.ctx, ast.Load)
            and ast.unparse(n.value) == base
            and seen.first(n) > store.last
        ]
        if loop is None or not late:
            continue
        where = f"line {late[0].lineno}"
        title = (
            f"every sample of the loop in line {loop.lineno} overwrites {base}; {where} reads it when all are done, "
            "and sees only the last one's"
        )
        kept = f"all_{_last(base)}"
        fix = f"{kept} = [] before that loop, {kept}.append(dict({base})) after each sample; or go backward inside the loop"
        yield Slip("last-sample-only", title, written.lineno, tuple(_kept(seen, written, target, late)), fix)


def _samples(seen: SeenRun, written: ast.Assign) -> ast.For | None:
    """The loop around a call of the function that writes, which gathers something of every round."""
    functions = seen.functions(written)
    name = functions[0].name if functions else ""
    for loop in seen.nodes:
        if not isinstance(loop, ast.For):
            continue
        calls = any(isinstance(n, ast.Call) and called_name(n) == name for n in ast.walk(loop))
        inner = any(
            n is not loop and isinstance(n, ast.For) and any(m is written for m in ast.walk(n)) for n in ast.walk(loop)
        )
        gathers = any(isinstance(n, ast.Attribute) and n.attr == "append" for n in ast.walk(loop))
        if gathers and ((name and calls) or inner):
            return loop
    return None


def _kept(
    seen: SeenRun, written: ast.Assign, target: ast.Subscript, late: Sequence[ast.Subscript]
) -> Iterator[TextChange]:
    """In memory: every sample's entries are kept beside, and read one below the other."""
    if not any(v.type == "dict" for v in seen.values(target.value)) and not any(
        v.type == "dict" for n in late for v in seen.values(n.value)
    ):
        return
    base, key = ast.unparse(target.value), ast.unparse(target.slice)
    yield after(written, f"; {base}.setdefault(('all', {key}), []).append({base}[{key}])", "")
    for node in late:
        key, sample = ast.unparse(node.slice), _sample_of(seen, node)
        if sample:
            one = f"({base}['all', {key}][{sample}] if ('all', {key}) in {base} else {base}[{key}])"
            yield instead(node, one, f"all_{_last(base)}[{sample}][{key}]")
        else:
            rows = f"np.vstack([each[{key}] for each in all_{_last(base)}])"
            yield instead(node, f"np.vstack({base}['all', {key}])", rows)


def _sample_of(seen: SeenRun, node: ast.AST) -> str:
    """The number of the sample that the outermost loop around a place counts; "" where none does."""
    found = ""
    parent = seen.parents.get(node)
    while parent is not None:
        match parent:
            case ast.For(target=ast.Name(id=name), iter=ast.Call(func=ast.Name(id="range"))):
                found = name
            case _:
                pass
        parent = seen.parents.get(parent)
    return found


def _last(name: str) -> str:
    return name.rpartition(".")[2]
