"""The derived pass with the updates that the program would make, and the program's text with all of it in its place."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from engine.doctor.derive.derived import Derived, DerivedLine
from engine.doctor.derive.forward.passes import ForwardPass
from engine.doctor.derive.program.ready import ReadyProgram
from engine.doctor.derive.proof.in_place import OwnPass
from engine.doctor.derive.proof.own import factor_of, rows_of
from engine.doctor.derive.proof.placed import placed, rest_of_line, text_of
from engine.doctor.derive.tree.statements import all_statements, targets
from engine.doctor.derive.tree.syntax_of import path
from engine.doctor.lineage.gradients.comparison import ComparedGradient
from engine.doctor.lineage.record.matching import same
from engine.doctor.read.source import SourceFile
from engine.doctor.vocabulary.roles import role
from engine.doctor.walk.opening import likeliest_loss

RATE = "learning_rate"
_ENTRY = re.compile(r"(.+)\['(\w+)'\]")
CHOSEN = DerivedLine(f"{RATE} = 0.1", "yours to choose: the program has none", kind="update")


def finished(
    bare: Derived,
    program: ReadyProgram,
    shown: SourceFile,
    forward: ForwardPass,
    proven: Mapping[str, str],
    own: OwnPass,
) -> Derived:
    """The pass with its updates. Of the gradients that are `proven` those that the program has already are not right: the lines stand in
    their place, and where that cannot be, there is no program with them."""
    stepped = {*proven} if program.given else {one.name for one in bare.own if not one.is_anew}
    updates = _updates(forward, {name: d for name, d in proven.items() if name not in stepped}, program, own.rows)
    again = {keep.after for keep in bare.keeps if keep.replaces}
    added = [replace(keep, file=bare.file) for keep in program.added if not (keep.replaces and keep.after in again)]
    after = (forward.last.end_lineno or forward.last.lineno) - bool(rest_of_line(program, forward))
    made = replace(
        bare,
        lines=(*bare.lines, *updates),
        body=(*bare.body, *updates) if bare.functions else (),
        repairs=program.repairs,
        added=tuple(added),
        after=after,
        header=program.header,
    )
    is_there = bool(own.rows) and all(one.is_used for one in bare.own)
    if is_there and not updates:
        return replace(made, is_there=True)
    if (program.given and not bare.functions) or program.repairs:
        return made
    wrong = {name: d for name, d in proven.items() if name in own.rows and not is_there}
    lines = bare.body if bare.functions else bare.lines
    for place, renamed in own.places(wrong, lines):
        at = place.after or after
        then = max(place.then, at)
        texts: dict[int, list[str]] = {at: [line.text for line in renamed]}
        texts.setdefault(then, []).extend(line.text for line in updates)
        text = placed(shown, forward, [*added, *bare.keeps], texts, bare.functions, place.left_out)
        if not own.rows or _is_right(program, text_of(text), {*own.rows, *proven}):
            if own.rows:
                made = replace(made, lines=(*renamed, *updates), after=at, left_out=place.left_out)
            numbers = tuple(number for number, _ in text)
            then = then if then != at and updates else 0
            return replace(made, program=text_of(text), numbers=numbers, then=then)
    return replace(made, stands_aside=True)


def _is_right(program: ReadyProgram, text: str, parameters: Collection[str]) -> bool:
    """Whether all these gradients of the program with the lines in it are right, as often as they are dL/d(it)."""
    _, record = program.with_text(text).followed()
    loss = None if isinstance(record, str) else likeliest_loss(record, program.name or program.loss.name)
    if isinstance(record, str) or loss is None:
        return False
    rows = rows_of(record, loss, parameters)
    return all(name in rows and rows[name].status == "right" and same(factor_of(rows[name]), 1) for name in parameters)


def _updates(
    forward: ForwardPass, made: Mapping[str, str], program: ReadyProgram, rows: Mapping[str, ComparedGradient]
) -> list[DerivedLine]:
    pairs = [(name, made[name]) for name in forward.parameters if name in made]
    if not pairs:
        return []
    tree = program.source.tree()
    rate = _rate(forward, tree) or _number(tree, rows)
    first = [] if rate else [CHOSEN]
    rate = rate or RATE
    entries = [(_ENTRY.fullmatch(name), _ENTRY.fullmatch(d)) for name, d in pairs]
    holders = {(one[1], other[1]) for one, other in entries if one and other and one[2] == other[2]}
    if len(pairs) > 2 and len(holders) == 1 and all(one and other for one, other in entries):
        ((holder, gradients),) = holders
        return [
            *first,
            DerivedLine(f"for name in {gradients}:", kind="update"),
            DerivedLine(f"    {holder}[name] -= {rate} * {gradients}[name]", kind="update"),
        ]
    if forward.function is not None and len(pairs) > 1 and not _numbers(forward) & {name for name, _ in pairs}:
        parameters, gradients = ", ".join(n for n, _ in pairs), ", ".join(g for _, g in pairs)
        return [
            *first,
            DerivedLine(f"for W, dW in zip([{parameters}], [{gradients}]):", kind="update"),
            DerivedLine(f"    W -= {rate} * dW", "in place", kind="update"),
        ]
    return [*first, *(DerivedLine(f"{name} -= {rate} * {d}", makes=name, kind="update") for name, d in pairs)]


def _numbers(forward: ForwardPass) -> set[str]:
    """What is a single number in the forward pass: no step changes it in place."""
    read = (n for s in forward.body for n in ast.walk(s) if isinstance(n, ast.expr) and path(n))
    return {forward.flat.shown(path(n)) for n in read if forward.shapes.shape(n) == ()}


def _rate(forward: ForwardPass, tree: ast.Module) -> str:
    """What the program calls its learning rate, where the backward pass stands; "" where it has none there."""
    around = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and _is_in(forward.last, n)]
    arguments = [a.arg for function in around for a in function.args.args]
    known = [*all_statements(tree.body), *(s for function in around for s in all_statements(function.body))]
    here = [path(t) for s in known if isinstance(s, ast.Assign) for t in s.targets]
    held = [path(t) for t in _written(tree)]
    names = [*arguments, *here, *(name for name in held if name.startswith("self."))]
    found = next((name for name in names if role(name.rpartition(".")[2]) == "lr"), "")
    if not found.startswith("self.") or "self" in arguments:
        return found
    holders = [c for c in ast.walk(tree) if isinstance(c, ast.ClassDef) and found in map(path, _written(c))]
    methods = {one.lineno for c in holders for one in c.body if isinstance(one, ast.FunctionDef)}
    called = (one for one in forward.flat.calls if one.function.lineno in methods and one.receiver.isidentifier())
    receiver = next((one.receiver for one in called), "")
    return found.replace("self", receiver, 1) if receiver else ""


def _written(tree: ast.AST) -> Iterator[ast.expr]:
    return (t for s in ast.walk(tree) if isinstance(s, ast.Assign) for t in targets(s))


def _number(tree: ast.Module, rows: Mapping[str, ComparedGradient]) -> str:
    """The number that the program's own updates multiply their gradients by, where it is written in it."""
    rates = [abs(r.match.factor / r.bare.factor) for r in rows.values() if r.match and r.bare and r.bare.factor]
    numbers = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, float)]
    return next((repr(n) for n in numbers if rates and all(same(n, r) for r in rates)), "")


def _is_in(statement: ast.stmt, function: ast.FunctionDef) -> bool:
    return function.lineno < statement.lineno <= (function.end_lineno or 0)
