"""Corrections of what stands around the lines that made a gradient: with what a loop begins, under which condition statements run, in
which order, and what two of them exchanged. No single value shows them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, islice

from engine.doctor.lineage.record.reading import Record
from engine.doctor.lineage.verdict.run_verdict import RunVerdict
from engine.doctor.mending.around.loops import holds, in_the_first_round, inside
from engine.doctor.mending.edits.expression_text import text_of
from engine.doctor.mending.trials.places import EditPlace, with_anothers
from engine.doctor.mending.trials.proposal import Proposal, instead

FEW = 8
"""So many moves of a statement are tried."""
FURTHEST = 6
"""So far a statement is moved."""


def begun(texts: Mapping[str, str], places: Sequence[EditPlace]) -> Iterator[Proposal]:
    """A loop that begins with what another one left, or that does not, because it is overwritten before."""
    for file, tree, lines in _files(texts, places):
        for carry in _carries(tree, lines):
            if carry.overwritten:
                old = text_of(carry.start)
                yield Proposal(file, carry.start, carry.start, "pass", "", old, "", "layer-above-not-handed-down")
            else:
                head = f"for {text_of(carry.loop.target)} in {text_of(carry.loop.iter)}:"
                first = f"{carry.name} = {text_of(carry.value)}"
                steps = f"({carry.name} := {text_of(carry.value)}, {text_of(carry.loop.iter)})[1]"
                mended = f"{first}; {head}"
                yield Proposal(file, carry.loop, carry.loop.iter, steps, "", head, mended, "carry-left-over")


def never_kept(texts: Mapping[str, str], places: Sequence[EditPlace]) -> Iterator[Proposal]:
    """A sum that stands alone, `db + dz`: it is computed and kept nowhere."""
    for file, tree, _ in _files(texts, places):
        for node in ast.walk(tree):
            match node:
                case ast.Expr(
                    value=ast.BinOp(left=(ast.Name() | ast.Attribute() | ast.Subscript()) as to, op=ast.Add(), right=by)
                ):
                    yield instead(file, node, f"{text_of(to)} += {text_of(by)}", id="gradient-never-stored")
                case _:
                    pass


@dataclass(frozen=True)
class LoopCarry:
    """A variable that a loop hands on from step to step: the statement that gives it its first value, and whether that comes after another
    loop that made it, too (`overwritten`), or before (what that loop left is there)."""

    loop: ast.For
    name: str
    start: ast.Assign
    value: ast.expr
    overwritten: bool


def _carries(tree: ast.Module, lines: set[int]) -> Iterator[LoopCarry]:
    """The carries of the loops around these lines that another loop makes, too, before they begin or around them."""
    for scope in [n for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.Module))]:
        own = list(inside(scope))
        loops = [n for n in own if isinstance(n, (ast.For, ast.While))]
        starts = [(n, name, value) for n in own if isinstance(n, ast.Assign) for name, value in _first_values(n)]
        for loop in [n for n in loops if isinstance(n, ast.For) and any(holds(n, line) for line in lines)]:
            for name in _handed_on(loop):
                others = [k for k in loops if k is not loop and name in _stored(k) and k.lineno < loop.lineno]
                apart = [k for k in others if not holds(k, loop.lineno)]
                before = [s for s in starts if s[1] == name and s[0].lineno < loop.lineno]
                before = [s for s in before if not any(holds(k, s[0].lineno) for k in apart)]
                if not before or not others:
                    continue
                start, _, value = max(before, key=lambda s: s[0].lineno)
                after = [k for k in others if (k.end_lineno or 0) < start.lineno]
                left = [k for k in others if k.lineno > start.lineno]
                if left or after:
                    yield LoopCarry(loop, name, start, value, not left)


def _first_values(statement: ast.Assign) -> Iterator[tuple[str, ast.expr]]:
    """The names that a statement sets, each with its expression."""
    for target in statement.targets:
        match target, statement.value:
            case ast.Tuple(elts=targets), ast.Tuple(elts=values) if len(targets) == len(values):
                yield from ((t.id, v) for t, v in zip(targets, values, strict=True) if isinstance(t, ast.Name))
            case ast.Name(id=name), value:
                yield name, value
            case _:
                pass


def _handed_on(loop: ast.For) -> list[str]:
    """The variables that a loop reads before it makes them anew."""
    read: dict[str, None] = {}
    stored: set[str] = set()
    for statement in loop.body:
        names = [n for n in ast.walk(statement) if isinstance(n, ast.Name)]
        read.update({n.id: None for n in names if isinstance(n.ctx, ast.Load) and n.id not in stored})
        stored |= {n.id for n in names if isinstance(n.ctx, ast.Store)}
    kept = {n.id for n in ast.walk(loop.target) if isinstance(n, ast.Name)}
    added = {n.target.id for n in ast.walk(loop) if isinstance(n, ast.AugAssign) and isinstance(n.target, ast.Name)}
    return [name for name in read if name in stored - kept - added]


def _stored(loop: ast.For | ast.While) -> set[str]:
    return {n.id for s in loop.body for n in ast.walk(s) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def for_the_last_output(texts: Mapping[str, str], places: Sequence[EditPlace]) -> Iterator[Proposal]:
    """Terms and values of a loop back through time that belong to its first round alone, where only the last step has an output."""
    for file, tree, lines in _files(texts, places):
        stepped = {p.statement.lineno for p in places if p.file == file and p.steps}
        for changes in in_the_first_round(tree, lines, stepped):
            (statement, made), *rest = [(s, text_of(changed)) for s, changed in changes]
            id = "output-gradient-every-step"
            yield instead(file, statement, made, id=id, others=tuple(rest), all_wrong=bool(rest))


def unconditional(texts: Mapping[str, str], places: Sequence[EditPlace]) -> Iterator[Proposal]:
    """Statements that run under a condition, and should always."""
    for file, tree, lines in _files(texts, places):
        guards = [
            n for n in ast.walk(tree) if isinstance(n, ast.If) and any(holds(s, k) for s in n.body for k in lines)
        ]
        for guard in sorted(guards, key=lambda n: -n.lineno):
            if "__name__" not in text_of(guard.test):
                inside = "; ".join(text_of(s) for s in guard.body)
                old = f"if {text_of(guard.test)}: {inside}"
                yield Proposal(file, guard, guard.test, "True", "condition", old, inside)


def masked(texts: Mapping[str, str], places: Sequence[EditPlace], record: Record, *, idle: bool) -> Iterator[Proposal]:
    """A number that is put where a condition holds, `d[a < 0] = 0`, under another condition; `idle` are those that never held: nothing that
    was made shows such a line. First the bound itself, and what the function is handed and never reads."""
    written = [e for e in record.events if not record.constants.isdisjoint(e.value.ids().ravel().tolist())]
    wrote = {(e.site.file, e.site.line) for e in written}
    for file, tree, lines in _files(texts, places):
        for scope in [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and any(holds(n, k) for k in lines)]:
            read = {n.id for n in ast.walk(scope) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
            handed = sorted((a.arg for a in scope.args.args), key=lambda name: name in read)
            for statement in [n for n in inside(scope) if isinstance(n, ast.Assign)]:
                match statement.targets if ((file, statement.lineno) not in wrote) == idle else []:
                    case [ast.Subscript(value=into, slice=ast.Compare(left=left, ops=[op], comparators=[bound]))]:
                        forms = [f"{text_of(left)} {_WITH_BOUND.get(type(op), '')} {text_of(bound)}"]
                        forms = [] if type(op) not in _WITH_BOUND else forms
                        names = [name for name in handed if name not in (text_of(left), "self")]
                        sign = text_of(ast.Compare(ast.Name("x"), [op], [bound]))[1:]
                        for made in [*forms, *(f"{name}{sign}" for name in names)]:
                            text = f"{text_of(into)}[{made}] = {text_of(statement.value)}"
                            yield instead(file, statement, text, "mask")
                    case _:
                        pass


_WITH_BOUND: dict[type[ast.cmpop], str] = {ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">"}
"""The same order with its bound, or without it."""


def stepped_early(places: Sequence[EditPlace]) -> Iterator[Proposal]:
    """A weight that was handed over and is stepped while gradients are still made with it."""
    for place in [p for p in places if p.repeats and not p.given]:
        match place.statement:
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AugAssign(target=ast.Name(id=name)):
                if name in _names(place.statement)[0] and name in place.arguments:
                    id, statement = "weights-updated-during-backward", place.statement
                    yield Proposal(place.file, statement, statement, "pass", "", text_of(statement), "", id)
            case _:
                continue


def reordered(places: Sequence[EditPlace]) -> Iterator[Proposal]:
    """A statement on the other side of one that it reads from, or that reads from it."""
    for place in places:
        for other in islice(_movable(place), FEW):
            first, second = (
                (place.statement, other) if other.lineno > place.statement.lineno else (other, place.statement)
            )
            made = f"{text_of(second)}; {text_of(first)}"
            at, gone = (first, second) if first is place.statement else (second, first)
            yield instead(place.file, at, made, "moved", others=((gone, ""),))


def _movable(place: EditPlace) -> Iterator[ast.stmt]:
    """Statements of the block that change what a statement reads, or read what it changes, the nearest first."""
    body, at = place.body, place.body.index(place.statement)
    reads, writes = _names(place.statement)
    near = sorted(range(len(body)), key=lambda k: (abs(k - at), k < at))
    for k in near[1:]:
        other = body[k]
        if abs(k - at) > FURTHEST or not isinstance(other, (ast.Assign, ast.AugAssign, ast.Expr)):
            continue
        read, written = _names(other)
        if (reads & written or writes & read) and other.lineno != place.statement.lineno:
            yield other


def _names(statement: ast.stmt) -> tuple[set[str], set[str]]:
    """The variables that a statement reads, and those that it changes."""
    targets = getattr(statement, "targets", [getattr(statement, "target", None)])
    written = {n.id for t in targets if t is not None for n in ast.walk(t) if isinstance(n, ast.Name)}
    value = getattr(statement, "value", None)
    read = {n.id for n in ast.walk(value) if isinstance(n, ast.Name)} if value is not None else set[str]()
    return read | (written if isinstance(statement, ast.AugAssign) else set()), written


def interchanged(places: Sequence[EditPlace]) -> Iterator[Proposal]:
    """Two statements of which each has the other's value."""
    for place in places:
        at = place.body.index(place.statement)
        for other in place.body[at + 1 : at + 3]:
            pair = _with_each_others(place.statement, other)
            if pair is not None:
                yield instead(
                    place.file, place.statement, pair[0], "variable", others=((other, pair[1]),), all_wrong=True
                )


def exchanged(texts: Mapping[str, str], verdict: RunVerdict, places: Sequence[EditPlace]) -> Iterator[Proposal]:
    """Two names or entries in each other's place, where a weight gets the gradient of another one: in lists that a loop goes through
    together, first those whose entries are called after the other's, or among those to which a function's results are given."""
    pairs = list(dict.fromkeys((_plain(row.name), _plain(other.name)) for row, other in with_anothers(verdict)))
    lists = [found for file, text in texts.items() for pair in pairs for found in _listed(file, ast.parse(text), *pair)]
    yield from (proposal for crossed, proposal in lists if crossed)
    for place in places if pairs else ():
        match place.statement:
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Call() as call):
                for k, j in combinations(range(len(targets)), 2):
                    whole = ast.Tuple(_exchanged(targets, k, j), ast.Store())
                    made = text_of(ast.Assign([whole], call, lineno=0))
                    yield instead(place.file, place.statement, made, "exchanged")
            case _:
                pass
    yield from (proposal for crossed, proposal in lists if not crossed)


def _plain(name: str) -> str:
    """The name without the number that tells several of one name apart."""
    return name.partition(" (")[0]


def _listed(file: str, tree: ast.Module, one: str, other: str) -> Iterator[tuple[bool, Proposal]]:
    """Lists that loops go through together, one of which has both names, with the two entries there exchanged; and whether these are called
    after each other's: `dV` where the weight is U, and `dU` where it is V."""
    together = [n.iter.args for n in ast.walk(tree) if isinstance(n, ast.For) and isinstance(n.iter, ast.Call)]
    for arguments in together:
        lists = [n for n in arguments if isinstance(n, (ast.List, ast.Tuple))]
        entries = [[text_of(e) for e in each.elts] for each in lists]
        named = next((own for own in entries if one in own and other in own), None)
        if named is None:
            continue
        k, j = named.index(one), named.index(other)
        for own, each in zip(entries, lists, strict=True):
            if max(k, j) < len(own):
                crossed = other in own[k] and one in own[j] and one not in own[k] and other not in own[j]
                yield crossed, _swapped(file, each, k, j)


def _swapped(file: str, whole: ast.List | ast.Tuple, k: int, j: int) -> Proposal:
    """Two entries of a list in each other's place."""
    made = text_of(type(whole)(_exchanged(whole.elts, k, j), ast.Load()))
    at = ast.copy_location(ast.Expr(whole), whole)
    return Proposal(file, at, whole, made, "exchanged", text_of(whole), made)


def _exchanged(entries: Sequence[ast.expr], k: int, j: int) -> list[ast.expr]:
    return [entries[{k: j, j: k}.get(n, n)] for n in range(len(entries))]


def _with_each_others(one: ast.stmt, other: ast.stmt) -> tuple[str, str] | None:
    """Both statements, each with the other's value; None where they are not of one kind."""
    match one, other:
        case ast.AugAssign(), ast.AugAssign() if type(one.op) is type(other.op):
            made = [ast.AugAssign(a.target, a.op, b.value) for a, b in ((one, other), (other, one))]
        case ast.Assign(), ast.Assign():
            made = [ast.Assign(a.targets, b.value, lineno=0) for a, b in ((one, other), (other, one))]
        case _:
            return None
    return (text_of(made[0]), text_of(made[1])) if text_of(one.value) != text_of(other.value) else None


def _files(texts: Mapping[str, str], places: Sequence[EditPlace]) -> Iterator[tuple[str, ast.Module, set[int]]]:
    """The files of these places, each with its tree and the places' lines."""
    for file in dict.fromkeys(p.file for p in places):
        yield file, ast.parse(texts[file]), {p.statement.lineno for p in places if p.file == file}
