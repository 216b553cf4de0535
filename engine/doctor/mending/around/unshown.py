"""Corrections that no single value shows: of loops, carries, sums, and of gradients that nothing reads."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice

import numpy as np

from engine.doctor.lineage.record.matching import compared
from engine.doctor.lineage.record.reading import Floats, Record, RecordedEvent, UserLine
from engine.doctor.lineage.the_loss.loss import adjoint_of, forward_of
from engine.doctor.lineage.verdict.run_verdict import RunVerdict
from engine.doctor.mending.around.carries import MissingCarry, handed_nowhere, never_there, never_updated, read_nowhere
from engine.doctor.mending.around.loops import counted, cut, headers
from engine.doctor.mending.edits import edits, entries, multiples
from engine.doctor.mending.edits.atoms import atoms_in
from engine.doctor.mending.edits.expression_text import text_of
from engine.doctor.mending.edits.wholes import SOFTMAX_JACOBIANS
from engine.doctor.mending.naming import names
from engine.doctor.mending.trials.places import EditPlace, statements
from engine.doctor.mending.trials.proposal import Blamed, Proposal, instead, of_edit

CARRIES, TRIALS = 6, 16
"""So many updates of a carry are tried, and so many factors that may be missing at the end of a block."""


def carried(texts: Mapping[str, str], verdict: RunVerdict, is_right: Callable[[Floats], bool]) -> Iterator[Proposal]:
    """A carry that is read at every step and never updated, though what it should be may be there."""
    part = verdict.record
    assert part is not None
    for file, text in texts.items():
        for statement, made in islice(handed_nowhere(ast.parse(text), file, part, is_right), CARRIES):
            yield instead(file, statement, made, id="carry-never-updated")
        for statement, made, replaces in islice(never_updated(ast.parse(text), verdict), CARRIES):
            yield instead(file, statement, made, id="recurrence-dropped" if replaces else "carry-never-updated")
        for missing in islice(never_there(ast.parse(text), verdict), CARRIES):
            yield _handed_to_the_next_round(file, missing)


def taken_up(texts: Mapping[str, str], places: Sequence[EditPlace]) -> Iterator[Proposal]:
    """What a loop hands on to its next round and nothing reads: computed for nothing."""
    for file, text in texts.items():
        lines = {p.statement.lineno for p in places if p.file == file}
        for statement, made in read_nowhere(ast.parse(text), lines):
            yield instead(file, statement, made, id="future-gradient-dropped")


def _handed_to_the_next_round(file: str, missing: MissingCarry) -> Proposal:
    adds, loop, name = missing.adds, missing.loop, missing.name
    made = text_of(ast.Assign(adds.targets, ast.BinOp(adds.value, ast.Add(), ast.Name(name)), lineno=0))
    flow = missing.flow, f"{text_of(missing.flow)}; {name} = {missing.product}"
    begin = loop.iter, f"({name} := 0, {text_of(loop.iter)})[1]"
    mended = f"{made}  # {name} = {missing.product} of the round before, 0 at first"
    return Proposal(file, adds, adds, made, "", text_of(adds), mended, "future-gradient-dropped", (flow, begin))


def looped(texts: Mapping[str, str], places: Sequence[EditPlace], verdict: RunVerdict) -> Iterator[Proposal]:
    """A loop around lines that made the gradients, that runs over other steps, or in another order; last those in which the loss is made
    or weights are stepped, for these repeat the training."""
    training = _training_lines(verdict)
    for file in dict.fromkeys(p.file for p in places):
        lines = {p.statement.lineno for p in places if p.file == file}
        for loop, made, order in headers(ast.parse(texts[file]), lines, [n for of, n in training if of == file]):
            old, head = text_of(loop.iter), f"for {text_of(loop.target)} in "
            id = names.of_loop(old, made, order=order)
            yield Proposal(file, loop, loop.iter, made, "", f"{head}{old}:", f"{head}{made}:", id)
        for loop, made in cut(ast.parse(texts[file]), lines):
            head, id = f"for {text_of(loop.target)} in ", "truncated-early"
            old, mended = f"{head}{text_of(loop.iter)}:", f"{head}{made}:"
            yield Proposal(file, loop, loop.iter, made, "", old, mended, id, cuts=True)
        for statement, part, made, id in counted(ast.parse(texts[file]), lines):
            old = text_of(statement).partition("\n")[0]
            yield Proposal(file, statement, part, made, "", old, old.replace(text_of(part), made), id)


def _training_lines(verdict: RunVerdict) -> list[tuple[str, int]]:
    """The files and numbers of the lines of the loss and of the updates."""
    record, loss = verdict.record, verdict.loss
    steps = [record.lines[row.update.line] for row in verdict.compared if row.update] if record is not None else []
    return [*([(loss.file, loss.line)] if loss is not None else []), *((line.file, line.number) for line in steps)]


def inserted(places: Sequence[EditPlace]) -> Iterator[Proposal]:
    """A statement that is missing: one like another one with the entry next to it, or at the end of a block."""
    for place in places:
        for statement, other in islice(_alike(place), CARRIES):
            yield instead(place.file, statement, f"{text_of(statement)}; {other}", "inserted")
    for place in places[:2]:
        yield from islice(_inserted(place), TRIALS)


def through_softmax(verdict: RunVerdict, every: Sequence[EditPlace]) -> Iterator[Proposal]:
    """dL/dp where dL/d(what softmax was applied to) is meant: softmax's derivative is missing after it."""
    at = {(p.file, p.statement.lineno): p for p in every}
    for event, p in _of_probabilities(verdict):
        place = at.get((event.site.file, event.site.line))
        if place is not None:
            for form in SOFTMAX_JACOBIANS:
                made = f"{text_of(place.statement)}; {event.name} = {form.format(d=event.name, p=p)}"
                yield instead(place.file, place.statement, made, "delta")


def without_targets(texts: Mapping[str, str], places: Sequence[EditPlace]) -> Iterator[Proposal]:
    """The target that is never taken off: `d[y] -= 1` after a line that makes d of outputs p, where the loss reads `log(p[y])`."""
    for file, text in texts.items():
        chosen = [_chosen_by_target(n) for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Call)]
        for place in [p for p in places if p.file == file]:
            for output, index in dict.fromkeys(each for some in chosen for each in some):
                match place.statement:
                    case ast.Assign(targets=[target], value=value) if output in {text_of(a) for a in atoms_in(value)}:
                        made = f"{text_of(place.statement)}; {text_of(target)}[{index}] -= 1"
                        yield instead(file, place.statement, made, id="delta-without-target")
                    case _:
                        pass


def _chosen_by_target(call: ast.Call) -> list[tuple[str, str]]:
    """The entries that a logarithm is taken of, each as what it is an entry of and its index."""
    if "log" not in (getattr(call.func, "attr", ""), getattr(call.func, "id", "")):
        return []
    inside = [n for a in call.args for n in ast.walk(a) if isinstance(n, ast.Subscript)]
    return [(text_of(n.value), text_of(n)[len(text_of(n.value)) + 1 : -1]) for n in inside]


def _of_probabilities(verdict: RunVerdict) -> list[tuple[RecordedEvent, str]]:
    """The variables of the way back that are dL/dp for numbers p above 0 that add up to 1 along an axis, each with p's name."""
    record, loss = verdict.record, verdict.loss
    if record is None or loss is None:
        return []
    forward, adjoint = forward_of(record, loss), adjoint_of(record, loss)
    shares: dict[str, list[Floats]] = {}
    found: dict[tuple[str, str, int], tuple[RecordedEvent, str]] = {}
    for event in record.events:
        if event.value.size < 2 or not event.name.isidentifier():
            continue
        ids = event.value.ids()
        values = record.pool[ids]
        if forward[ids].any():
            if values.min() > 0 and any(np.allclose(values.sum(axis), 1.0) for axis in (0, -1)):
                shares.setdefault(event.name, []).append(adjoint[ids].ravel())
            continue
        for p, rights in shares.items():
            match = compared(values.ravel(), rights[-1]) if rights[-1].size == values.size else None
            if match is not None and match.right:
                found.setdefault((event.name, p, event.site.line), (event, p))
    return list(found.values())


def _inserted(place: EditPlace) -> Iterator[Proposal]:
    """A factor of what a statement makes, at the end of its block."""
    last = place.body[-1]
    if isinstance(last, (ast.Assign, ast.AugAssign, ast.Expr)):
        for name in [text_of(t) for t in getattr(place.statement, "targets", [])]:
            for other in [a for a in place.atoms[:14] if a != name]:
                yield instead(place.file, last, f"{text_of(last)}; {name} = {name} * {other}", "inserted")


def _alike(place: EditPlace) -> Iterator[tuple[ast.AugAssign, str]]:
    """What is added somewhere from an entry, and the like with the next entry, which nothing in the block reads, added next to it."""
    known = {text_of(n) for s in place.body for n in ast.walk(s) if isinstance(n, ast.Subscript)}
    for statement in place.body:
        match statement:
            case ast.AugAssign(
                target=ast.Subscript() as into, value=ast.Subscript(value=base, slice=ast.Constant(value=int(k)))
            ):
                for entry in [f"{text_of(base)}[{n}]" for n in (k + 1, k - 1) if n >= 0]:
                    if entry not in known:
                        for index in entries.beside(into.slice, text_of(into.slice)):
                            target = ast.Subscript(into.value, ast.parse(index, mode="eval").body, ast.Store())
                            value = ast.parse(entry, mode="eval").body
                            yield statement, text_of(ast.AugAssign(target, statement.op, value))
            case _:
                pass


def unstored(record: Record, verdict: RunVerdict) -> list[Blamed]:
    """A gradient that is zero though it was computed: the line that made it, or what becomes it when it is summed."""
    for row in verdict.compared:
        if row.status != "zero":
            continue
        right = row.right
        for event in reversed(record.events):
            values = record.pool[event.value.ids()] if event.value.size else np.zeros(0)
            shown = [values.ravel()] + ([values.sum(0).ravel()] if values.ndim > 1 else [])
            for one in shown:
                match = compared(one, right) if one.size == right.size else None
                if match is not None and match.right:
                    return [Blamed(event.site.file, event.site.line, "gradient-never-stored", event.site.text)]
    return []


def accumulations(places: Sequence[EditPlace]) -> list[Proposal]:
    """`=` for `+=` at lines that run several times: no single value shows it. First where no right gradient was made, and what is put into
    an array."""
    often = [p for p in places if p.total - p.before > 1 and not p.given]
    written = [p for p in often if isinstance(p.statement, ast.Assign)]
    written.sort(key=lambda p: (not p.apart, "[" not in text_of(p.statement).split("=", 1)[0]))
    into = [p for p in places if isinstance(p.statement, ast.AugAssign)]
    made = [of_edit(p, e) for p in written for e in edits.accumulation(p.statement)]
    repeated = [of_edit(p, e) for p in into for e in edits.accumulation(p.statement) if e.kind == "repeated"]
    return [*made[:8], *repeated][:12]


def rebound(texts: Mapping[str, str], verdict: RunVerdict) -> Iterator[Proposal]:
    """`+=` for `=` where another array is put each time in the place of a part of a larger one, which stays as it was: so many numbers of
    the gradient, or more, are zero and should not be."""
    record = verdict.record
    if record is None:
        return
    rows = [row for row in verdict.compared if row.status in ("wrong", "zero") and len(row.gradient) == len(row.right)]
    most = max((int(((record.pool[row.gradient] == 0) & (row.right != 0)).sum()) for row in rows), default=0)
    stored = [e.site for e in record.events if e.site.kind == "assign" and 1 < e.value.size <= most]
    often = [(site.file, site.line) for site in dict.fromkeys(stored) if stored.count(site) > 1]
    for file, text in texts.items():
        for place in statements(file, ast.parse(text)) if any(of == file for of, _ in often) else ():
            match place.statement:
                case ast.Assign(targets=[ast.Subscript() | ast.Attribute()]) if (file, place.line.number) in often:
                    yield from (of_edit(place, edit) for edit in edits.accumulation(place.statement))
                case _:
                    pass


def scaled(texts: Mapping[str, str], verdict: RunVerdict, places: Sequence[EditPlace]) -> Iterator[Proposal]:
    """Where gradients are a multiple of what they should be: what they were multiplied by last, left out of the whole statement (of all
    entries of a tuple, or of what a comprehension makes), and the first lines after the loss divided by what the loss is divided by."""
    record, lines = verdict.record, set[UserLine]()
    for row in verdict.compared:
        if record is not None and row.status == "wrong" and row.match is not None and row.match.right:
            maker = record.maker(int(row.gradient[-1]))
            lines |= {record.lines[record.operations[maker].line]} if maker >= 0 else set()
    if lines:
        yield from (of_edit(p, e) for p in places if p.line in lines for e in multiples.unscaled(p.statement))
        yield from _divided_as_the_loss(texts, verdict, places)


def _divided_as_the_loss(
    texts: Mapping[str, str], verdict: RunVerdict, places: Sequence[EditPlace]
) -> Iterator[Proposal]:
    loss = verdict.loss
    if loss is None or loss.file not in texts:
        return
    stated = [n for n in ast.walk(ast.parse(texts[loss.file])) if getattr(n, "lineno", 0) == loss.line]
    numbers = [text_of(n.right) for n in stated if isinstance(n, ast.BinOp) and isinstance(n.op, ast.Div)]
    after = [p for p in places if p.file == loss.file and p.statement.lineno > loss.line]
    for place in sorted(after, key=lambda p: p.statement.lineno)[:3]:
        if isinstance(place.statement, ast.Assign):
            yield from (of_edit(place, multiples.divided(place.statement, n)) for n in dict.fromkeys(numbers))


def stored_elsewhere(places: Sequence[EditPlace]) -> list[Proposal]:
    """What is put into an array at another index: no value shows it. First where no right gradient is made."""
    first = sorted([p for p in places if not p.given], key=lambda place: not place.apart)
    turned = [
        instead(p.file, p.statement, made, "index") for p in first if (made := _shifted_the_other_way(p.statement))
    ]
    return turned + [of_edit(p, e) for p in first for e in edits.stored_elsewhere(p.statement, p.atoms)]


def _shifted_the_other_way(statement: ast.stmt) -> str:
    """The statement with all but the first where it has all but the last, and the other way round; "" where it has not both."""
    late, early = "1:", ":-1"
    text = text_of(statement)
    if not all(re.search(rf"[\[ ]{part}[],]", text) for part in (late, early)):
        return ""
    return re.sub(rf"(?<=[\[ ])({late}|{early})(?=[],])", lambda m: early if m[0] == late else late, text)


def turned_round(places: Sequence[EditPlace]) -> Iterator[Proposal]:
    """What a layer that reads in the other direction gives back, in that direction's order: it is to be turned round, as other lines of
    its block turn arrays."""
    for place in places:
        turns = any("::-1" in text_of(s) for s in place.body)
        calls = [n for n in ast.walk(place.statement) if isinstance(n, ast.Call)] if turns and not place.given else []
        for call in calls:
            root = text_of(call.func).partition(".")[0]
            if root not in ("np", "numpy"):
                old, made = text_of(place.statement), f"{text_of(call)}[::-1]"
                yield Proposal(place.file, place.statement, call, made, "index", old, old.replace(text_of(call), made))


def of_floats(texts: Mapping[str, str], *, stated: bool) -> Iterator[Proposal]:
    """Arrays that are made as whole numbers, where that is `stated`, or like another one: of floats, which keep what is added to them."""
    for file, text in texts.items():
        for statement in [n for n in ast.walk(ast.parse(text)) if isinstance(n, (ast.Assign, ast.AnnAssign))]:
            for call in [n for n in ast.walk(statement) if isinstance(n, ast.Call)]:
                made = _of_floats(call, stated)
                if made:
                    old = text_of(statement)
                    mended = old.replace(text_of(call), made)
                    yield Proposal(file, statement, call, made, "", old, mended, "whole-number-array")


def _of_floats(call: ast.Call, stated: bool) -> str:
    """The call that makes the same array of floats; "" where it makes one of floats, or nothing new."""
    name = text_of(call.func).rpartition(".")[2]
    known = next((k for k in call.keywords if k.arg == "dtype"), None)
    if name.removesuffix("_like") not in ("zeros", "ones", "empty", "full") or stated != (known is not None):
        return ""
    if known is None:
        return f"{text_of(call)[:-1]}, dtype=float)" if name.endswith("_like") else ""
    others = [*map(text_of, call.args), *(text_of(k) for k in call.keywords if k is not known)]
    return f"{text_of(call.func)}({', '.join([*others, 'dtype=float'])})" if "int" in text_of(known.value) else ""


def handed_on(places: Sequence[EditPlace]) -> list[Proposal]:
    """`+=` for `=` where what is added to is handed on to the next step: the sum may as well lack the term that is there already."""
    often = [p for p in places if p.total - p.before > 1 and not p.given and isinstance(p.statement, ast.AugAssign)]
    found = [(p, e) for p in often if _is_read_beside(p) for e in edits.accumulation(p.statement)]
    return [of_edit(p, e) for p, e in found if e.kind == "accumulation"][:4]


def _is_read_beside(place: EditPlace) -> bool:
    """Whether what a statement adds to is read by another statement of its block, as what is handed on to the next step is."""
    target = text_of(getattr(place.statement, "target", place.statement))
    others = [s for s in place.body if s is not place.statement]
    return any(text_of(a) == target for s in others for a in atoms_in(s))
