"""Values of the forward pass of which only the last step's is kept: the way back reads it at every step.

What a loop, or a method that is called for each step, makes anew each time is put on a list, and the way back takes it from the list's end:
what was made last is read first.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from engine.doctor.lineage.record.reading import Record
from engine.doctor.lineage.the_loss.loss import forward_of
from engine.doctor.lineage.verdict.run_verdict import RunVerdict
from engine.doctor.mending.around.loops import holds
from engine.doctor.mending.edits.expression_text import text_of
from engine.doctor.mending.trials.places import SIMPLE, EditPlace
from engine.doctor.mending.trials.proposal import PartText, Proposal

FEW = 4
"""So many values are tried alone, where several are kept of the last step only."""


@dataclass(frozen=True, eq=False)
class KeptOnce:
    """A variable, or an attribute of `self`, with the statement that makes it last at each step."""

    name: str
    made: ast.stmt

    @property
    def steps(self) -> str:
        """What the list of all steps' values is called."""
        return f"{self.name}_of_steps"

    @property
    def now(self) -> str:
        """What the step's own value is called."""
        return f"{self.name.removeprefix('self.')}_now"

    @property
    def holder(self) -> str:
        """An expression for the dictionary that holds the list."""
        return "self.__dict__" if self.name.startswith("self.") else "globals()"

    @property
    def key(self) -> str:
        return repr(self.steps.removeprefix("self."))


def kept_of_each_step(texts: Mapping[str, str], verdict: RunVerdict, places: Sequence[EditPlace]) -> Iterator[Proposal]:
    """Every step's own values, first of all that are kept of the last step only, in the place of these."""
    record = verdict.record
    if record is None or verdict.loss is None:
        return
    several = _made_several_times(record, verdict)
    for file, text in texts.items():
        lines = {p.statement.lineno for p in places if p.file == file}
        for body, found in _pairs(ast.parse(text), lines):
            own = [each for each in found if (file, each.made.lineno) in several]
            for some in [own, *([each] for each in own[:FEW] if len(own) > 1)] if own else ():
                readers = _readers(body, some)
                if readers:
                    yield _proposed(file, readers, some)


def _made_several_times(record: Record, verdict: RunVerdict) -> set[tuple[str, int]]:
    """The lines that make arrays of the forward pass more than once."""
    assert verdict.loss is not None
    forward = forward_of(record, verdict.loss)
    firsts: dict[tuple[str, int], set[int]] = {}
    for event in record.events:
        if event.value.size > 1 and forward[event.value.first]:
            firsts.setdefault((event.site.file, event.site.line), set()).add(event.value.first)
    return {line for line, seen in firsts.items() if len(seen) > 1}


def _pairs(tree: ast.Module, lines: set[int]) -> Iterator[tuple[list[ast.stmt], list[KeptOnce]]]:
    """The statements of each step of the way back, with what they read of what those of a step forward make anew: of two loops of a
    function, and of two methods of a class, or a loop in each."""
    for scope in [n for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.Module))]:
        loops = [n for n in _loops(scope) if not isinstance(scope, ast.Module) or not _trains(n, lines)]
        for back in [n for n in loops if any(holds(n, k) for k in lines)]:
            for forth in [n for n in loops if n.lineno < back.lineno and not holds(n, back.lineno)]:
                yield back.body, _read_of(back.body, forth.body, "")
    for owner in [n for n in ast.walk(tree) if isinstance(n, ast.ClassDef)]:
        methods = [n for n in owner.body if isinstance(n, ast.FunctionDef) and n.name != "__init__"]
        for back in [n for n in methods if any(holds(n, k) for k in lines)]:
            for forth in [n for n in methods if n is not back]:
                looped = [_loops(each) for each in (forth, back)]
                if not looped[0] and not looped[1]:
                    yield back.body, _read_of(back.body, forth.body, "self.")
                for one in looped[0]:
                    yield from ((other.body, _read_of(other.body, one.body, "self.")) for other in looped[1])


def _loops(scope: ast.AST) -> list[ast.For]:
    inside = list[ast.For]()
    for node in ast.iter_child_nodes(scope):
        if not isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Lambda)):
            inside += [node] if isinstance(node, ast.For) else []
            inside += _loops(node)
    return inside


def _trains(loop: ast.For, lines: set[int]) -> bool:
    """Whether a loop of a program without functions is the one around both ways."""
    return any(isinstance(n, ast.For) and any(holds(n, k) for k in lines) for s in loop.body for n in ast.walk(s))


def _read_of(back: Sequence[ast.stmt], forth: Sequence[ast.stmt], prefix: str) -> list[KeptOnce]:
    """What statements read and do not make, of what others make: variables, or attributes of `self`."""
    read, written = (_named(back, prefix, kind) for kind in (ast.Load, ast.Store))
    last: dict[str, ast.stmt] = {}
    for statement in forth:
        if isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
            last.update(dict.fromkeys(_named([statement], prefix, ast.Store), statement))
    return [KeptOnce(name, made) for name, made in last.items() if name in read and name not in written]


def _named(statements: Sequence[ast.stmt], prefix: str, kind: type[ast.expr_context]) -> dict[str, None]:
    nodes = [n for s in statements for n in ast.walk(s)]
    if prefix:
        named = (n for n in nodes if isinstance(n, ast.Attribute) and text_of(n.value) == "self")
        return {text_of(n): None for n in named if isinstance(n.ctx, kind)}
    return {n.id: None for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, kind)}


def _readers(body: Sequence[ast.stmt], own: Sequence[KeptOnce]) -> list[ast.stmt]:
    """The statements that read one of these, the first of them one of `body`; [] where one is a block that reads it in its head."""
    names = {each.name for each in own}

    def reads(node: ast.AST) -> bool:
        return any(text_of(n) in names for n in ast.walk(node) if isinstance(n, (ast.Name, ast.Attribute)))

    found: list[ast.stmt] = [s for each in body for s in ast.walk(each) if isinstance(s, SIMPLE) and reads(s)]
    heads = [n for each in body for n in ast.walk(each) if isinstance(n, (ast.If, ast.For, ast.While))]
    blocks = any(reads(n.iter if isinstance(n, ast.For) else n.test) for n in heads)
    found.sort(key=lambda s: s.lineno)
    return found if found and found[0] in body and not blocks else []


def _proposed(file: str, readers: Sequence[ast.stmt], own: Sequence[KeptOnce]) -> Proposal:
    """What is kept goes into variables of its own: an attribute may be a state that is carried on."""
    first, *further = readers
    taken = "; ".join(f"{each.now} = {each.holder}[{each.key}].pop()" for each in own)
    shown = "; ".join(f"{each.now} = {each.steps}.pop()" for each in own)
    stores: dict[int, tuple[ast.stmt, list[KeptOnce]]] = {}
    for each in own:
        stores.setdefault(id(each.made), (each.made, []))[1].append(each)
    others: list[tuple[PartText, str]] = []
    for made, some in stores.values():
        kept = [f"{each.holder}.setdefault({each.key}, []).append({each.name})" for each in some]
        says = "; ".join([text_of(made), *(f"{each.steps}.append({each.name})" for each in some)])
        others.append(((made, "; ".join([text_of(made), *kept])), says))
    others += [((statement, _of_now(statement, own)), "") for statement in further]
    old, made = text_of(first), _of_now(first, own)
    return Proposal(
        file,
        first,
        first,
        f"{taken}; {made}",
        "",
        old,
        f"{shown}; {made}",
        "one-object-for-all-steps",
        tuple(other for other, _ in others),
        all_wrong=True,
        says=tuple(says for _, says in others),
    )


def _of_now(statement: ast.stmt, own: Sequence[KeptOnce]) -> str:
    """A statement that reads the step's own values."""
    return text_of(_Now({each.name: each.now for each in own}).visit(ast.parse(text_of(statement)).body[0]))


class _Now(ast.NodeTransformer):
    """Other names for some variables and attributes."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self.names = names

    def visit(self, node: ast.AST) -> ast.AST:
        name = self.names.get(text_of(node)) if isinstance(node, (ast.Name, ast.Attribute)) else None
        return self.generic_visit(node) if name is None else ast.Name(name, ast.Load())
