"""The output's short form in a forward pass: the values near the loss as the run made them, shown to `heads`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from engine.doctor.derive.backward.heads import OutputLines, OutputValue, ShortForm, short_form
from engine.doctor.derive.backward.outputs_together import INTO, PutTogether, add_together, argument_of, into_of
from engine.doctor.derive.forward.passes import ForwardPass
from engine.doctor.derive.forward.steps import Steps, split
from engine.doctor.derive.tree.statements import all_statements, step_of, targets
from engine.doctor.derive.tree.syntax_of import base, called, names, parsed, path, reads
from engine.doctor.lineage.record.reading import Record, RecordedEvent
from engine.doctor.lineage.the_loss.loss import ChosenLoss, adjoint_of


def output_lines(
    forward: ForwardPass, steps: Steps, record: Record, loss: ChosenLoss, helpers: Mapping[str, str]
) -> list[OutputLines]:
    """The output's short form, where it has one."""
    statements = [s for s in all_statements(forward.body) if isinstance(s, ast.Assign | ast.AugAssign)]
    values, made_by = _seen(forward, statements, record, loss)
    for statement in list(made_by.values()):
        _add_unnamed(statement, values, made_by, helpers)
    together = add_together(forward, steps, values, made_by, helpers)
    _add_named(forward, statements, values, helpers)
    read = {n.id for s in statements for n in ast.walk(s) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    values = {text: one for text, one in values.items() if one.gradients or re.split(r"\W", text)[0] in read}
    losses = {forward.loss, loss.name.partition("[")[0]}
    final = [s for s in statements if forward.is_active(s) and losses & names(s)]
    rows = list(_read_by_step(forward, statements, values))
    counts, whole = _counts(forward, final), _whole(forward, final)
    while (found := short_form([*values.values(), *rows], statements, counts, whole)) is not None:
        head = _placed(forward, found, made_by[found.of], values[found.of], statements, together.get(found.of), helpers)
        if head is not None:
            return [head]
        values[found.of] = replace(values[found.of], gradients=())  # another value may be nearer to the loss
    return []


def _seen(
    forward: ForwardPass, statements: Sequence[ast.stmt], record: Record, loss: ChosenLoss
) -> tuple[dict[str, OutputValue], dict[str, ast.stmt]]:
    """What the statements wrote in a round and dL/d(it), by their targets' texts, and the statements."""
    adjoint = adjoint_of(record, loss)
    by_line: dict[int, list[ast.Assign]] = {}
    for one in statements:
        if isinstance(one, ast.Assign):
            by_line.setdefault(one.lineno, []).append(one)

    def is_moved(statement: ast.stmt) -> bool:
        calls = forward.flat.called_at.get(statement, [])
        loops = [loop.body for loop in forward.loops[statement]] or [forward.body]
        return any(forward.moved_behind(one, loops[-1]) for one in (statement, *(call.statement for call in calls)))

    values: dict[str, OutputValue] = {}
    made_by: dict[str, ast.stmt] = {}
    for event in _round(forward, record, loss):
        statement = _written_as(event, by_line.get(event.site.line, []))
        is_elsewhere = bool(loss.file) and event.site.file != loss.file
        if event.site.kind not in ("assign", "step") or statement is None or is_elsewhere:
            continue
        (target, *others) = list(targets(statement))
        if others:
            continue
        text = _text_of(target, statement, statements)
        value, back = event.value.of(record.pool), event.value.of(adjoint)
        active = forward.is_sought(target)
        if active and not back.any() and is_moved(statement):
            continue  # of its rounds the last one counts
        is_only = not forward.loops[statement] and (back.any() or not active)  # of the rounds it ran in, the last one
        before = OutputValue(text, ()) if is_only or text not in values else values[text]
        values.pop(text, None)
        values[text] = OutputValue(text, (*before.values, value), (*before.gradients, back) if active else ())
        made_by[text] = statement
    return values, made_by


def _placed(
    forward: ForwardPass,
    found: ShortForm,
    after: ast.stmt,
    value: OutputValue,
    statements: Sequence[ast.stmt],
    together: PutTogether | None,
    helpers: Mapping[str, str],
) -> OutputLines | None:
    """A short form where it stands in the backward pass; None where what it leaves out is not only the way from there to the loss."""
    skipped = _only_from(forward, after, ast.unparse(next(targets(after))))
    around = forward.loops[after] if together is None else together.around
    if skipped is None or any(forward.loops[s] not in ((), around) for s in statements if s in skipped):
        return None
    beside = [s for s in statements if s in skipped and forward.loops[s] == around]
    if together is not None and beside:
        start = together.loop or beside[0]
        lines = OutputLines(start, beside[-1], found.lines, found.why, skipped, together.entry)
        return replace(lines, container=together.name, shape=value.values[0].shape, inside=together.inside)
    if together is None and (beside or not around):
        known = argument_of(after, helpers) if found.of.startswith(INTO) else None
        through = known[0] if known is not None else None
        return OutputLines(after, beside[-1] if beside else after, found.lines, found.why, skipped, through)
    return None


def _written_as(event: RecordedEvent, statements: Sequence[ast.Assign]) -> ast.Assign | None:
    """Of the statements of a line the one that writes a value, by its name where there are several values or statements."""
    named = [s for s in statements if any(path(t) == event.name for t in s.targets)]
    if event.part:
        return named[0] if named else None
    return next(iter([*(named if len(statements) > 1 else []), *reversed(statements)]), None)


def _round(forward: ForwardPass, record: Record, loss: ChosenLoss) -> list[RecordedEvent]:
    """What the round of training made that computed the loss."""
    wanted = int(loss.ids[0])
    made = [
        e.time for e in record.events if e.value.size and wanted in (e.value.first, e.value.first + e.value.size - 1)
    ]
    end = min(made, default=record.events[-1].time)
    lines = [s.lineno for s in forward.body if isinstance(s, ast.Assign)]
    times: dict[int, int] = {e.site.line: e.time for e in record.events if e.time < end}
    start = min((times[line] for line in lines if line in times), default=0)
    return [e for e in record.events if start <= e.time <= end]


def _text_of(target: ast.expr, statement: ast.stmt, statements: Sequence[ast.stmt]) -> str:
    """A value as the program writes it; of one that another of that name follows in its block, no text that could be read."""
    text = ast.unparse(target)
    last = [s for s in statements if isinstance(s, ast.Assign) and text in map(ast.unparse, s.targets)][-1]
    return text if last is statement else f"{text} of line {statement.lineno}"


def _add_unnamed(
    statement: ast.stmt, values: dict[str, OutputValue], made_by: dict[str, ast.stmt], helpers: Mapping[str, str]
) -> None:
    """What goes into an output function, known from what comes out: it may have no name, or be read elsewhere, too."""
    known = argument_of(statement, helpers)
    (target,) = targets(statement)
    out = values.get(ast.unparse(target))
    if out is None or known is None or not out.gradients:
        return
    into, back = zip(*(into_of(p, g, known[1]) for p, g in zip(out.values, out.gradients, strict=True)), strict=True)
    text = f"{INTO}{ast.unparse(target)}"
    made_by[text] = statement
    values[text] = OutputValue(text, into, back)


def _add_named(
    forward: ForwardPass, statements: Sequence[ast.stmt], values: dict[str, OutputValue], helpers: Mapping[str, str]
) -> None:
    """Outputs that the program reads at once and gives no name: they are known from what goes in."""
    for statement in statements:
        name = path(next(targets(statement)))
        if name not in forward.flat.unnamed or not isinstance(statement, ast.Assign):
            continue
        known = argument_of(statement, helpers)
        into = values.get(ast.unparse(known[0])) if known is not None else None
        if into is not None and known is not None and known[1]:
            along = None if known[1] == "all" else int(known[1])
            powers = [np.exp(z - z.max(axis=along, keepdims=True)) for z in into.values]
            values[name] = OutputValue(name, tuple(e / e.sum(axis=along, keepdims=True) for e in powers))


def _counts(forward: ForwardPass, statements: Sequence[ast.stmt]) -> dict[str, int]:
    """Whole numbers as the program writes them: what a loss is divided by first, then names."""
    divisors = [
        n.right for s in statements for n in ast.walk(s) if isinstance(n, ast.BinOp) and isinstance(n.op, ast.Div)
    ]
    divisors += [s.value for s in statements if isinstance(s, ast.AugAssign) and isinstance(s.op, ast.Div)]
    divisors = [n.args[0] if isinstance(n, ast.Call) and called(n) == "float" and n.args else n for n in divisors]
    read = {
        n.id: n for s in forward.body for n in ast.walk(s) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)
    }
    counts = {
        f"({ast.unparse(n)})" if isinstance(n, ast.BinOp) else ast.unparse(n): forward.shapes.whole(n) for n in divisors
    }
    at = [s.lineno for s in statements]
    own = ((name, call.function) for name, call in forward.flat.hidden.items())
    hidden = {
        name for name, f in own if not any(f.lineno <= n <= (f.end_lineno or n) for n in at)
    }  # another function's
    counts |= {name: forward.shapes.whole(node) for name, node in read.items() if name not in hidden}
    loops = {
        n.id
        for s in all_statements(forward.body)
        if isinstance(s, ast.For | ast.AugAssign)
        for n in ast.walk(s.target)
        if isinstance(n, ast.Name)
    }
    return {name: number for name, number in counts.items() if number is not None and number > 1 and name not in loops}


def _whole(forward: ForwardPass, statements: Sequence[ast.stmt]) -> dict[str, tuple[int, ...]]:
    """What the loss reads that does not depend on the weights and consists of zeros and ones: labels."""
    read = [
        n
        for s in statements
        for n in ast.walk(s)
        if isinstance(n, ast.Name | ast.Subscript) and not forward.is_active(n)
    ]
    shapes = {ast.unparse(n): forward.shapes.shape(n) for n in read if forward.shapes.is_binary(n)}
    return {text: shape for text, shape in shapes.items() if shape is not None}


def _read_by_step(
    forward: ForwardPass, statements: Sequence[ast.stmt], values: Mapping[str, OutputValue]
) -> Iterator[OutputValue]:
    """Entries of data that the loss reads, a round one: `labels[i]`, `y[:, t]`."""
    for statement in statements:
        loops = forward.loops.get(statement, ())
        step = step_of(loops[-1]) if loops else None
        for node in ast.walk(statement):
            parts = split(node, step) if step is not None and isinstance(node, ast.expr) else None
            whole = values.get(base(node)) if parts is not None and isinstance(node, ast.expr) else None
            if (
                parts is None
                or whole is None
                or len(whole.values) != 1
                or parts[1]
                or not set(parts[0]) <= set("{}:, ")
                or whole.values[0].ndim <= parts[0].split(", ").index("{}")
            ):
                continue
            rows = np.moveaxis(whole.values[0], parts[0].split(", ").index("{}"), 0)
            yield OutputValue(ast.unparse(node), tuple(np.asarray(row, np.float64) for row in rows))


def _only_from(forward: ForwardPass, after: ast.stmt, text: str) -> frozenset[ast.stmt] | None:
    """The statements from there to the loss, all of which depend on the weights through it alone; None where one does not."""
    reached, skipped = {path(parsed(text)) or base(parsed(text))}, set[ast.stmt]()
    start = forward.order[after]
    for statement in sorted(all_statements(forward.body), key=lambda s: forward.order.get(s, -1)):
        value = getattr(statement, "value", None)
        if forward.order.get(statement, -1) <= start or not isinstance(value, ast.expr):
            continue
        written = {path(t) or base(t) for t in targets(statement)}
        read = {path(n) or base(n) for n in reads(value)} | {base(n) for n in reads(value)}
        if read & reached and forward.is_active(value):
            others = [n for n in reads(value) if forward.is_sought(n) and not {path(n) or base(n), base(n)} & reached]
            if read & set(forward.parameters) or any((path(n) or base(n)) not in written for n in others):
                return None
            skipped.add(statement)
            reached |= written
        elif isinstance(statement, ast.AugAssign) and written & reached:
            skipped.add(statement)
    return frozenset(skipped)
