"""From the user's forward pass to its backward pass: run and seen, differentiated line by line, proved by the program's own run."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from engine.doctor.derive.derived import Derived, DerivedLine, Gap, Keep
from engine.doctor.derive.forward import ForwardPass, forward_pass
from engine.doctor.derive.heads import OutputValue, short_form
from engine.doctor.derive.helpers import known_helpers
from engine.doctor.derive.reach import reached
from engine.doctor.derive.reverse import OutputLines, Reversed
from engine.doctor.derive.rules import Refused, logistic
from engine.doctor.derive.shapes import SeenShapes
from engine.doctor.derive.statements import step_of, targets
from engine.doctor.derive.steps import Steps, split
from engine.doctor.derive.syntax_of import base, names, parsed, path, reads
from engine.doctor.derive.values import ForwardValues
from engine.doctor.lineage.carry_back import carried_back
from engine.doctor.lineage.loss import ChosenLoss
from engine.doctor.lineage.reading import Floats, Ids, Record, RecordedArray, RecordedEvent
from engine.doctor.lineage.returned import inputs
from engine.doctor.lineage.running import Runs
from engine.doctor.lineage.updates import ArrayNames, levels_of
from engine.doctor.lineage.windows import ends, window
from engine.doctor.read.source import SourceFile
from engine.doctor.vocabulary.roles import parameter, role
from engine.doctor.walk.opening import likeliest_loss
from engine.errors import InputError
from engine.text import clean

CLOSE = 1e-9
MOST_NAMED = 12
"""So many arrays of data are named."""
RATE = "learning_rate"


def derive(runs: Runs, source: SourceFile) -> Derived:
    """The backward pass of a program's forward pass. Raises InputError where it cannot be run, computes no loss, or nothing of it can be
    derived."""
    file = clean(source.path.name)
    outcome, record = runs.followed()
    if isinstance(record, str):
        raise InputError(f"{file}: {outcome.sentence()}; {record}")
    first = window(record, 0, ends(record)[0])
    loss = likeliest_loss(first)
    if loss is None or loss.assumed:
        if not outcome.is_whole:
            raise InputError(f"{file}: {clean(outcome.sentence())}; rnn-tui doctor says how to repair it")
        raise InputError(f"{file}: it computes no loss; compute one, as loss = ..., and it is derived from there")
    _, seen = runs.seen(source.text)
    if seen is None:
        raise InputError(f"{file}: what its expressions are was not seen")
    shapes = SeenShapes(seen)
    forward = forward_pass(source.tree(), loss.line, loss.name, shapes, _computed(first), known_helpers(source.tree()))
    if forward is None or not forward.parameters:
        raise InputError(
            f"{file}: no way from the loss of line {loss.line} to weights was followed; functions within functions and branches are not"
        )
    if (filled := _filled_elsewhere(forward, source.tree())) is not None:
        raise InputError(f"{file}: {clean(filled)} is filled by a function that is not followed")
    made = _reversed(forward, source, first, loss)
    return _proved(runs, source, forward, made, f"{loss.name}, line {loss.line}")


def _reversed(
    forward: ForwardPass, source: SourceFile, record: Record, loss: ChosenLoss
) -> tuple[Reversed, ForwardValues]:
    """The way back, made twice: the first time shows of which values the rounds before are needed."""
    tree = source.tree()
    taken = names(tree)
    helpers = known_helpers(tree)
    receivers = {called.receiver for called in forward.flat.calls}
    own = [(name.removeprefix("self."), kind) for name, kind in helpers.items() if name.startswith("self.")]
    helpers |= {f"{receiver}.{name}": kind for receiver in receivers for name, kind in own}
    old: frozenset[tuple[str, int]] = frozenset()
    while True:
        steps = Steps(forward)
        values = ForwardValues(forward, steps, set(taken), old)
        made = Reversed(forward, steps, values, helpers, set(taken), _heads(forward, record, loss, helpers))
        made.run()
        if values.needs_old <= old:
            return made, values
        old |= values.needs_old


def _filled_elsewhere(forward: ForwardPass, tree: ast.Module) -> str | None:
    """What looks like a weight, and is an array of which a function writes the entries."""
    stores = (t for s in ast.walk(tree) if isinstance(s, ast.Assign) for t in s.targets if isinstance(t, ast.Subscript))
    words = {base(t).rpartition(".")[2] for t in stores if not path(t)}
    named = [name for name in forward.parameters if "[" not in name and parameter(name.rpartition(".")[2]) is None]
    return next((name for name in named if name.rpartition(".")[2] in words), None)


def _computed(record: Record) -> set[str]:
    """The names of arrays that are no leaves of the run, nor scaled from one: something was computed into them."""
    leaves = {(int(ids[0]), len(ids)) for ids in inputs(record)}
    named = {e.name for e in record.events if e.value.size and (e.value.first, e.value.size) in leaves}
    return {e.name for e in record.events if e.value.size > 1} - named


# The output


def _heads(forward: ForwardPass, record: Record, loss: ChosenLoss, helpers: Mapping[str, str]) -> list[OutputLines]:
    """The output's short form, where it has one."""
    adjoint = carried_back(record, loss.seeds)
    statements = [s for s in _simple(forward.body) if isinstance(s, ast.Assign | ast.AugAssign)]
    by_line = {s.lineno: s for s in statements if isinstance(s, ast.Assign)}
    values: dict[str, OutputValue] = {}
    made_by: dict[str, ast.stmt] = {}
    for event in _round(forward, record, loss):
        statement = by_line.get(event.site.line)
        if (
            event.site.kind not in ("assign", "step")
            or statement is None
            or event.part
            or (event.site.file != loss.file and loss.file)
        ):
            continue
        (target, *others) = list(targets(statement))
        if others:
            continue
        text = _text_of(target, statement, statements)
        value, back = event.value.of(record.pool), event.value.of(adjoint)
        before = values.get(text, OutputValue(text, ()))
        active = forward.is_sought(target)
        values.pop(text, None)
        values[text] = OutputValue(text, (*before.values, value), (*before.gradients, back) if active else ())
        made_by[text] = statement
    for statement in list(made_by.values()):
        _add_unnamed(statement, values, made_by, helpers)
    final = [s for s in statements if forward.is_active(s) and loss.name.partition("[")[0] in names(s)]
    rows = list(_read_by_step(forward, statements, values))
    while (
        found := short_form([*values.values(), *rows], statements, _counts(forward, final), _whole(forward, final))
    ) is not None:
        after = made_by[found.of]
        around = forward.loops[id(after)]
        skipped = _only_from(forward, after, ast.unparse(next(targets(after))))
        if skipped is not None and all(forward.loops[id(s)] in ((), around) for s in statements if id(s) in skipped):
            through = _argument(after, helpers) if found.of.startswith(INTO) else None
            beside = [s for s in statements if id(s) in skipped and forward.loops[id(s)] == around]
            if beside or not around:
                return [OutputLines(after, beside[-1] if beside else after, found.lines, found.why, skipped, through)]
        values[found.of] = replace(values[found.of], gradients=())  # another value may be nearer to the loss
    return []


INTO = "into "


def _round(forward: ForwardPass, record: Record, loss: ChosenLoss) -> list[RecordedEvent]:
    """What the round of training made that computed the loss."""
    wanted = int(loss.ids[0])
    made = [
        e.time for e in record.events if e.value.size and wanted in (e.value.first, e.value.first + e.value.size - 1)
    ]
    end = min(made, default=record.events[-1].time)
    first = next((s.lineno for s in forward.body if isinstance(s, ast.Assign)), 0)
    start = max((e.time for e in record.events if e.site.line == first and e.time <= end), default=0)
    return [e for e in record.events if start <= e.time <= end]


def _text_of(target: ast.expr, statement: ast.stmt, statements: Sequence[ast.stmt]) -> str:
    """A value as the program writes it; of one that another of that name follows in its block, no text that could be read."""
    text = ast.unparse(target)
    last = [s for s in statements if isinstance(s, ast.Assign) and text in map(ast.unparse, s.targets)][-1]
    return text if last is statement else f"{text} of line {statement.lineno}"


def _argument(statement: ast.stmt, helpers: Mapping[str, str]) -> ast.expr | None:
    """What goes into a softmax or sigmoid, where a statement writes what comes out of one."""
    value = getattr(statement, "value", None)
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Div):
        return logistic(value.left, value.right)
    known = isinstance(value, ast.Call) and helpers.get(path(value.func), "").split(" ")[0] in ("softmax", "sigmoid")
    return value.args[0] if known and isinstance(value, ast.Call) else None


def _add_unnamed(
    statement: ast.stmt, values: dict[str, OutputValue], made_by: dict[str, ast.stmt], helpers: Mapping[str, str]
) -> None:
    """What goes into an output function and has no name: it is known from what comes out."""
    argument = _argument(statement, helpers)
    (target,) = targets(statement)
    out = values.get(ast.unparse(target))
    if (
        out is None
        or argument is None
        or path(argument)
        or (isinstance(argument, ast.Subscript) and not path(argument))
        or not out.gradients
    ):
        return
    value = statement.value if isinstance(statement, ast.Assign) else argument
    kind = helpers.get(path(value.func), "") if isinstance(value, ast.Call) else "sigmoid"
    kind, _, axis = kind.partition(" ")
    with np.errstate(all="ignore"):
        if kind == "sigmoid":
            into = [np.log(p / (1 - p)) for p in out.values]
            back = [g * p * (1 - p) for p, g in zip(out.values, out.gradients, strict=True)]
        else:
            along = None if axis == "all" else int(axis)
            into = [np.log(p) for p in out.values]
            sums = [(g * p).sum(axis=along, keepdims=True) for p, g in zip(out.values, out.gradients, strict=True)]
            back = [p * (g - total) for p, g, total in zip(out.values, out.gradients, sums, strict=True)]
    text = f"{INTO}{ast.unparse(target)}"
    made_by[text] = statement
    values[text] = OutputValue(text, tuple(into), tuple(back))


def _simple(body: Sequence[ast.stmt]) -> list[ast.stmt]:
    return [n for s in body for n in ast.walk(s) if isinstance(n, ast.stmt)]


def _counts(forward: ForwardPass, statements: Sequence[ast.stmt]) -> dict[str, int]:
    """Whole numbers as the program writes them: what a loss is divided by first, then names."""
    divisors = [
        n.right for s in statements for n in ast.walk(s) if isinstance(n, ast.BinOp) and isinstance(n.op, ast.Div)
    ]
    divisors += [s.value for s in statements if isinstance(s, ast.AugAssign) and isinstance(s.op, ast.Div)]
    read = {
        n.id: n for s in forward.body for n in ast.walk(s) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)
    }
    counts = {
        f"({ast.unparse(n)})" if isinstance(n, ast.BinOp) else ast.unparse(n): forward.shapes.whole(n) for n in divisors
    }
    counts |= {name: forward.shapes.whole(node) for name, node in read.items()}
    loops = {
        n.id
        for s in _simple(forward.body)
        if isinstance(s, ast.For)
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
        loops = forward.loops.get(id(statement), ())
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
            ):
                continue
            rows = np.moveaxis(whole.values[0], parts[0].split(", ").index("{}"), 0)
            yield OutputValue(ast.unparse(node), tuple(np.asarray(row, np.float64) for row in rows))


def _only_from(forward: ForwardPass, after: ast.stmt, text: str) -> frozenset[int] | None:
    """The statements from there to the loss, all of which depend on the weights through it alone; None where one does not."""
    reached, skipped = {path(parsed(text)) or base(parsed(text))}, set[int]()
    start = forward.order[id(after)]
    for statement in sorted(_simple(forward.body), key=lambda s: forward.order.get(id(s), -1)):
        value = getattr(statement, "value", None)
        if forward.order.get(id(statement), -1) <= start or not isinstance(value, ast.expr):
            continue
        written = {path(t) or base(t) for t in targets(statement)}
        read = {path(n) or base(n) for n in reads(value)} | {base(n) for n in reads(value)}
        if read & reached and forward.is_active(value):
            if read & set(forward.parameters):
                return None
            skipped.add(id(statement))
            reached |= written
        elif isinstance(statement, ast.AugAssign) and written & reached:
            skipped.add(id(statement))
    return frozenset(skipped)


# The whole program


def _rate(forward: ForwardPass, tree: ast.Module) -> str:
    assigned = [path(t) for s in ast.walk(tree) if isinstance(s, ast.Assign) for t in s.targets if path(t)]
    arguments = [a.arg for a in forward.function.args.args] if forward.function else []
    return next((name for name in (*arguments, *assigned) if role(name.rpartition(".")[2]) == "lr"), RATE)


def _updates(forward: ForwardPass, made: Mapping[str, str], rate: str) -> list[DerivedLine]:
    pairs = [(name, made[name]) for name in forward.parameters if name in made]
    if forward.function is not None and len(pairs) > 1:
        parameters, gradients = ", ".join(n for n, _ in pairs), ", ".join(g for _, g in pairs)
        return [
            DerivedLine(f"for W, dW in zip([{parameters}], [{gradients}]):", kind="update"),
            DerivedLine(f"    W -= {rate} * dW", "in place", kind="update"),
        ]
    return [DerivedLine(f"{name} -= {rate} * {gradient}", makes=name, kind="update") for name, gradient in pairs]


def _placed(source: SourceFile, forward: ForwardPass, keeps: Sequence[Keep], lines: Sequence[str]) -> str:
    """The program's text with what is to be kept, and lines after the forward pass."""
    text = source.text.split("\n")
    end = forward.last.end_lineno or forward.last.lineno
    added: dict[int, list[str]] = {}
    for keep in keeps:
        if not keep.replaces:
            added.setdefault(keep.after, []).append(keep.text)
    instead = {keep.after: keep.text for keep in keeps if keep.replaces}
    indent = forward.indent(forward.last)
    added.setdefault(end, []).extend(["", *(f"{indent}{line}" if line else "" for line in lines)])
    result = list(added.get(0, []))
    for number, line in enumerate(text, 1):
        result += [instead.get(number, line), *added.get(number, [])]
    return "\n".join(result)


def _proved(
    runs: Runs, source: SourceFile, forward: ForwardPass, made: tuple[Reversed, ForwardValues], loss: str
) -> Derived:
    """The derived pass with how far each gradient is from the loss carried back over a run of the program with it in place."""
    back, values = made
    file = source.path.name
    tree = source.tree()
    rate = _rate(forward, tree)
    try:
        lines, kept = reached(forward, back.lines, values.keeps)
    except Refused as refused:
        raise InputError(f"{clean(file)}: nothing could be derived; {clean(str(refused))}") from None
    dicts = dict.fromkeys(name.partition("[")[0] for name in back.made.values() if name.endswith("]"))
    lines = [*(DerivedLine(f"{name} = {{}}", makes=name, kind="init") for name in dicts), *lines]
    body = [replace(line, file=file) for line in lines]
    keeps = [replace(keep, file=file) for keep in kept]
    gaps = [Gap(line, file, why) for line, why in back.gaps]
    pairs = {name: back.made[name] for name in forward.parameters if name in back.made}
    agreement, data = _agreement(runs, source, forward, keeps, [line.text for line in body], pairs)
    wrong = [name for name, error in agreement.items() if not error <= CLOSE]
    last = forward.last.lineno
    if not gaps:
        left = [name for name in forward.parameters if name not in pairs and not _is_only_put(forward, name)]
        gaps += [Gap(last, file, f"nothing comes back to {name}") for name in left]
    gaps += [
        Gap(last, file, f"{pairs[name]} does not agree with the loss carried back, and is left out") for name in wrong
    ]
    proven = {name: pairs[name] for name in pairs if name not in wrong}
    if not proven:
        raise InputError(f"{clean(file)}: nothing could be derived; line {gaps[0].line}: {clean(gaps[0].why)}")
    if wrong or gaps:
        body = _needed(body, set(proven.values()))
        agreement, data = _agreement(runs, source, forward, keeps, [line.text for line in body], proven)
        if not all(error <= CLOSE for error in agreement.values()):
            raise InputError(f"{clean(file)}: nothing could be derived; line {gaps[0].line}: {clean(gaps[0].why)}")
    updates = _updates(forward, proven, rate)
    known = [f"{RATE} = 0.1"] if rate == RATE and RATE not in names(tree) else []
    program = _placed(source, forward, keeps, [*(line.text for line in body), *known, *(u.text for u in updates)])
    return Derived(file, loss, tuple(keeps), (*body, *updates), tuple(gaps), agreement, program, data)


def _is_only_put(forward: ForwardPass, name: str) -> bool:
    """Whether a name is read only to put the array into a dictionary, whose entry is the parameter then."""
    body = [s for s in forward.body if not isinstance(s, ast.FunctionDef | ast.ClassDef)]
    put = {id(n) for s in body for d in ast.walk(s) if isinstance(d, ast.Dict) for n in d.values}
    read = [
        n for s in body for n in ast.walk(s) if isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Load)
    ]
    return bool(read) and all(id(n) in put for n in read)


def _needed(lines: Sequence[DerivedLine], gradients: Collection[str]) -> list[DerivedLine]:
    """The lines that these gradients are made by, directly or not."""
    needed = {ast.unparse(ast.parse(one)).partition("[")[0] for one in gradients}
    before = -1
    while before != len(needed):
        before = len(needed)
        for line in lines:
            if line.makes.partition("[")[0] in needed:
                needed |= set(re.findall(r"[A-Za-z_]\w*", line.text))
    kept = [line for line in lines if line.kind == "loop" or line.makes.partition("[")[0] in needed or not line.makes]
    return [one for k, one in enumerate(kept) if one.kind != "loop" or _is_deeper(kept[k + 1 : k + 2], one)]


def _is_deeper(following: Sequence[DerivedLine], line: DerivedLine) -> bool:
    """Whether a loop still has a body."""
    return any(len(one.text) - len(one.text.lstrip()) > len(line.text) - len(line.text.lstrip()) for one in following)


def _agreement(
    runs: Runs,
    source: SourceFile,
    forward: ForwardPass,
    keeps: Sequence[Keep],
    lines: Sequence[str],
    pairs: Mapping[str, str],
) -> tuple[dict[str, float], tuple[str, ...]]:
    """For each parameter how far its derived gradient is from the loss carried back; and what else the loss changes with."""
    shown = [
        f"proof_{k} = {name}\nproof_d{k} = {gradient}".split("\n") for k, (name, gradient) in enumerate(pairs.items())
    ]
    text = _placed(source, forward, keeps, [*lines, *(line for two in shown for line in two), "raise SystemExit"])
    outcome, record = replace(runs, program=replace(runs.program, text=text), progress=None).followed()
    del outcome
    failed = dict.fromkeys(pairs, float("inf"))
    if isinstance(record, str):
        return failed, ()
    events = {e.name: e for e in record.events if re.fullmatch(r"proof_d?\d+", e.name)}
    first = min((e.time for e in events.values()), default=0)
    kept = window(record, 0, first) if first else record
    loss = likeliest_loss(kept)
    if loss is None or not any(f"proof_{k}" in events for k in range(len(pairs))):
        return failed, ()
    adjoint = carried_back(record, loss.seeds)
    errors: dict[str, float] = {}
    for k, name in enumerate(pairs):
        one, other = events.get(f"proof_{k}"), events.get(f"proof_d{k}")
        if one is None or other is None:
            errors[name] = float("inf")
            continue
        right, own = one.value.of(adjoint), other.value.of(record.pool)
        size = float(np.linalg.norm(right))
        errors[name] = float(np.linalg.norm(own - right)) / size if size and own.shape == right.shape else float("inf")
    parameters = [events[f"proof_{k}"].value.ids().ravel() for k in range(len(pairs)) if f"proof_{k}" in events]
    return errors, tuple(_data(kept, adjoint, np.concatenate(parameters)))


def _data(record: Record, adjoint: Floats, parameters: Ids) -> Iterator[str]:
    """The arrays from outside that move the loss and are none of the parameters, each once by its first name."""
    arrays = ArrayNames(record)
    is_parameter = np.zeros(len(record.pool), bool)
    is_parameter[parameters] = True
    named: dict[str, None] = {}
    for ids in inputs(record):
        if any(is_parameter[level].any() for level in levels_of(record, RecordedArray(ids.shape, kept=ids))):
            continue  # one, or gathered from one
        if adjoint[ids].any() and record.pool[ids].any():
            plain = (name for name in arrays.all_of(ids) if name.isidentifier())
            named[clean(next(plain, arrays.of(ids)), 40)] = None
    yield from list(named)[:MOST_NAMED]
