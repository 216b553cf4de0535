"""Outputs that a loop puts together in an array, and a loss reads behind it: all at once, or by the entries that another loop reads."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from engine.doctor.derive.backward.forms import logistic, softmax_of
from engine.doctor.derive.backward.heads import OutputValue
from engine.doctor.derive.forward.carried import rebinds
from engine.doctor.derive.forward.passes import ForwardPass
from engine.doctor.derive.forward.steps import Filled, Steps, split
from engine.doctor.derive.tree.statements import all_statements, step_of, targets
from engine.doctor.derive.tree.syntax_of import parsed, path
from engine.doctor.lineage.record.reading import Floats

INTO = "into "
"""What goes into an output function is known by the text of what comes out, with this before it."""


@dataclass(frozen=True, eq=False)
class PutTogether:
    """Outputs in an array: its name, what goes into the output function by the statement that calls it, and in which loops the loss reads
    them: all at once behind `loop`, or an `entry` a round."""

    name: str
    around: tuple[ast.For, ...]
    loop: ast.For | None = None
    entry: ast.expr | None = None
    inside: Mapping[ast.stmt, ast.expr] = field(default_factory=dict[ast.stmt, ast.expr])


def add_together(
    forward: ForwardPass,
    steps: Steps,
    values: dict[str, OutputValue],
    made_by: dict[str, ast.stmt],
    helpers: Mapping[str, str],
) -> dict[str, PutTogether]:
    """The arrays that a loop fills with what comes out of an output function, and what goes into it in all rounds: by their texts, which
    `values` and `made_by` are given as well."""
    found: dict[str, PutTogether] = {}
    for name in forward.definitions:
        filled = steps.get(name)
        rows = None if filled is None else values.get(ast.unparse(next(targets(filled.made.statement))))
        if filled is None or rows is None or filled.is_list or steps.is_carried(name) or not rows.gradients:
            continue
        call = _output_call(forward, filled, helpers)
        read = {(ast.unparse(one), around) for one, around in _entries_read(forward, filled)}
        if call is None or len(read) > 1 or len({v.shape for v in rows.values}) != 1:
            continue
        if read:
            ((text, around),) = read
            index = text.partition("[")[2]
            one, value = PutTogether(name, around, entry=parsed(f"{name}[{index}")), replace(rows, text=text)
        else:
            one = PutTogether(name, forward.loops[filled.made.statement][:-1], filled.loop)
            value = _stacked(rows, values.get(name), filled)
        if value is None:
            continue
        statement, argument, along = call
        shape = value.values[0]
        sums = (str(k) for k in range(shape.ndim) if np.allclose(shape.sum(axis=k), 1, rtol=1e-9, atol=0))
        along = next(sums, "") if along else ""
        pairs = (into_of(p, g, along) for p, g in zip(value.values, value.gradients, strict=True))
        into, back = zip(*pairs, strict=True)
        text = f"{INTO}{value.text}"
        values[value.text], values[text] = value, OutputValue(text, into, back)
        made_by[value.text] = made_by[text] = filled.made.statement
        found[value.text], found[text] = one, replace(one, inside={statement: argument})
    return found


def _stacked(rows: OutputValue, begun: OutputValue | None, filled: Filled) -> OutputValue | None:
    """The array as a whole, in every round around the loop that fills it, of which the array that it begins with tells the shape; None
    where the loop does not fill all of it."""
    axis = filled.pattern.split(", ").index("{}") if filled.pattern else 0
    shapes = [] if begun is None else [one.shape for one in begun.values]
    row = rows.values[0].shape
    if begun is None or any((*row[:axis], *shape[axis : axis + 1], *row[axis:]) != shape for shape in shapes):
        return None
    ends = np.cumsum([shape[axis] for shape in shapes])
    if not shapes or ends[-1] != len(rows.values):
        return None

    def put_together(some: Sequence[Floats]) -> tuple[Floats, ...]:
        starts = (0, *map(int, ends[:-1]))
        return tuple(np.stack(some[start:end], axis) for start, end in zip(starts, map(int, ends), strict=True))

    return OutputValue(filled.name, put_together(rows.values), put_together(rows.gradients))


def _output_call(
    forward: ForwardPass, filled: Filled, helpers: Mapping[str, str]
) -> tuple[ast.stmt, ast.expr, str] | None:
    """The statement that calls the output function of which an array is filled, and what goes into it."""
    statement: ast.stmt | None = filled.made.statement
    while statement is not None:
        if (known := argument_of(statement, helpers)) is not None:
            return statement, *known
        order, name = forward.order[statement], path(getattr(statement, "value", statement))
        before = [d for d in forward.definitions.get(name, []) if filled.loop in d.loops and d.order < order]
        statement = before[-1].statement if before and rebinds(before[-1], name) else None
    return None


def _entries_read(forward: ForwardPass, filled: Filled) -> Iterator[tuple[ast.expr, tuple[ast.For, ...]]]:
    """The entries of an array that loops read behind the one that fills it, under its name or another one, and these loops."""
    known = {filled.name}
    for statement in (s for s in all_statements(forward.body) if not isinstance(s, ast.For)):
        if isinstance(statement, ast.Assign) and path(statement.value) in known:
            known |= set(map(path, statement.targets))
        loops = forward.loops.get(statement, ())
        if not loops or filled.loop in loops or forward.order[statement] < filled.made.order:
            continue
        for node in (n for n in ast.walk(statement) if isinstance(n, ast.Subscript) and path(n.value) in known):
            index = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            first = index[: filled.pattern.count(",") + 1]
            entry = ast.Subscript(node.value, ast.Tuple(first, ast.Load()) if len(first) > 1 else first[0], ast.Load())
            if split(entry, step_of(loops[-1]) or "") == (filled.pattern, filled.offset):
                yield entry, loops


def argument_of(statement: ast.stmt, helpers: Mapping[str, str]) -> tuple[ast.expr, str] | None:
    """What goes into a softmax or sigmoid, where a statement writes what comes out of one, and along which axis the softmax goes: its
    number, or `all`; of a sigmoid ""."""
    value = getattr(statement, "value", None)
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Div):
        into = logistic(value.left, value.right)
        return (into, "") if into is not None else softmax_of(value.left, value.right, value.left)
    kind, _, along = helpers.get(path(value.func), "").partition(" ") if isinstance(value, ast.Call) else ("", "", "")
    return (value.args[0], along) if isinstance(value, ast.Call) and kind in ("softmax", "sigmoid") else None


def into_of(outputs: Floats, gradients: Floats, along: str) -> tuple[Floats, Floats]:
    """What goes into a softmax along an axis, or into a sigmoid, up to what makes no difference, and dL/d(it)."""
    with np.errstate(all="ignore"):
        if not along:
            return np.log(outputs / (1 - outputs)), gradients * outputs * (1 - outputs)
        axis = None if along == "all" else int(along)
        total = (gradients * outputs).sum(axis=axis, keepdims=True)
        return np.log(outputs), outputs * (gradients - total)
