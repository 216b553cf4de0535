"""Where the derived lines stand in a program that has a backward pass already: in the place of what is wrong in it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from engine.doctor.derive.derived import DerivedLine
from engine.doctor.derive.forward.passes import ForwardPass
from engine.doctor.derive.program.ready import ReadyProgram
from engine.doctor.derive.tree.reading_order import loaded, read_after, read_first
from engine.doctor.derive.tree.statements import all_statements, blocks, targets
from engine.doctor.derive.tree.syntax_of import base, called
from engine.doctor.lineage.gradients.comparison import ComparedGradient
from engine.doctor.lineage.record.reading import RecordedEvent


@dataclass(frozen=True)
class LinesInPlace:
    """The derived lines come after line `after` (0: where the forward pass ends), their updates after line `then`; the lines `left_out` of
    the program make nothing else, and are taken out for them."""

    after: int = 0
    then: int = 0
    left_out: tuple[int, ...] = ()


class OwnPass:
    """The backward pass that a program has already: its gradients, and the statements after its forward pass that make and use them."""

    def __init__(self, program: ReadyProgram, forward: ForwardPass, rows: Mapping[str, ComparedGradient]) -> None:
        self._tree = program.source.tree()
        self.rows = rows
        self._following = _following(self._tree, forward.last)
        self._seen = {name: _seen(program, self._following, row) for name, row in rows.items()}
        self.alone = self._found_alone()
        """The statement in which all gradients are made and used, if there is one: a call, or a loop over them."""

    def places(
        self, wrong: Mapping[str, str], lines: Sequence[DerivedLine]
    ) -> Iterator[tuple[LinesInPlace, list[DerivedLine]]]:
        """In which places the lines may stand, and how they read there, the likeliest first. `wrong` are the derived names of the gradients
        that the program has, and has not right."""
        if wrong and self.alone is not None:
            end = self.alone.end_lineno or self.alone.lineno
            yield LinesInPlace(end, end, tuple(_lines(self.alone))), list(lines)
            return
        last = max((s.end_lineno or s.lineno for name in self.rows for s in self._uses(name)[-1:]), default=0)
        sought = wrong or self.rows
        if self.rows and all(self._seen[name] for name in sought):
            made = max(event.site.line for name in sought for event in self._seen[name])
            before = self._following[: next(k for k, s in enumerate(self._following, 1) if made in _lines(s))]
            end = before[-1].end_lineno or before[-1].lineno
            renamed = _renamed(lines, {d: self._seen[name][-1].name for name, d in wrong.items()})
            left_out = _left_out(self._tree, before, renamed) if wrong else set[int]()
            kept = [s for s in before if not left_out & {*_lines(s)}]
            yield LinesInPlace(end, max(end, last), tuple(sorted(left_out))), _not_there(renamed, kept)
            yield LinesInPlace(end, max(end, last)), renamed
        if not wrong:
            yield LinesInPlace(then=last), list(lines)
            yield LinesInPlace(after=last, then=last), list(lines)

    def _uses(self, name: str) -> list[ast.stmt]:
        """The statements in which a gradient is used or seen; those that call the function where it is."""
        row = self.rows[name]
        lines = {row.line, *(e.site.line for e in self._seen[name])}
        found = [s for s in self._following if lines & {*_lines(s)}]
        functions = [n for n in ast.walk(self._tree) if isinstance(n, ast.FunctionDef) and row.line in _lines(n)]
        names = {one.name for one in functions}
        return found or [
            s for s in self._following if names & {called(n) for n in ast.walk(s) if isinstance(n, ast.Call)}
        ]

    def _found_alone(self) -> ast.stmt | None:
        uses = {id(s): s for name in self.rows for s in self._uses(name)}
        (alone,) = uses.values() if len(uses) == 1 else (None,)
        is_stepped = all(row.update is not None for row in self.rows.values())
        is_call = isinstance(alone, ast.Expr) and isinstance(alone.value, ast.Call)
        return alone if is_stepped and (is_call or isinstance(alone, ast.For)) else None


def _not_there(lines: Sequence[DerivedLine], statements: Sequence[ast.stmt]) -> list[DerivedLine]:
    """The lines without those that the program has already, and whose values stand unchanged after these statements."""
    made = {_plain(line.text) for line in lines if not line.text.startswith(" ")}
    there: dict[str, set[str]] = {}
    for statement in statements:
        text = ast.unparse(statement)
        for name in {base(t) for s in all_statements([statement]) for t in targets(s)}:
            there[name] = there.get(name, set()) | {text} if text in made else set()
    texts = set[str]().union(*there.values())
    return [line for line in lines if line.text.startswith(" ") or _plain(line.text) not in texts]


def _following(tree: ast.Module, last: ast.stmt) -> list[ast.stmt]:
    """The statements after one in its block."""
    every = [tree.body, *(b for s in ast.walk(tree) if isinstance(s, ast.stmt) for b in blocks(s))]
    for block in every:
        for k, statement in enumerate(block, 1):
            if (statement.lineno, statement.col_offset) == (last.lineno, last.col_offset):
                return block[k:]
    return []


def _seen(program: ReadyProgram, following: Sequence[ast.stmt], row: ComparedGradient) -> list[RecordedEvent]:
    """Where in these statements a gradient was seen under a name, as it is used."""
    within = {number for s in following for number in _lines(s)}
    near = (
        e
        for e in program.record.events
        if e.site.line in within
        and e.site.kind in ("assign", "step", "increment", "argument")
        and e.site.file in ("", program.runs.name)
        and e.value.size == len(row.gradient)
        and re.fullmatch(r"[A-Za-z_][\w.]*(\['\w+'\]|\[\d+\])?", e.name)
    )
    return [e for e in near if np.array_equal(e.value.ids().ravel(), row.gradient)]


def _lines(statement: ast.stmt) -> range:
    return range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)


def _renamed(lines: Sequence[DerivedLine], own: Mapping[str, str]) -> list[DerivedLine]:
    """The lines with the program's own names for its gradients."""
    if not own:
        return list(lines)
    pattern = re.compile(
        "|".join(rf"(?<![\w.]){re.escape(name)}(?![\w\[])" for name in sorted(own, key=len, reverse=True))
    )
    made = [
        replace(line, text=pattern.sub(lambda f: own[f[0]], line.text), makes=own.get(line.makes, line.makes))
        for line in lines
    ]
    return [
        line
        for line in made
        if not re.fullmatch(r"(\w+) = \{\}", line.text) or line.makes not in map(_of, own.values())
    ]


def _of(name: str) -> str:
    return name.partition("[")[0]


def _plain(text: str) -> str:
    try:
        return ast.unparse(ast.parse(text))
    except SyntaxError:
        return text


def _left_out(tree: ast.Module, statements: Sequence[ast.stmt], lines: Sequence[DerivedLine]) -> set[int]:
    """The lines of those of these statements that make only what the derived lines make anew, or what nothing reads afterwards."""
    derived = ast.parse("\n".join(line.text for line in lines)).body
    after = read_after(tree, statements[-1])
    live = read_first(derived) | (after - {t.id for s in derived for t in targets(s) if isinstance(t, ast.Name)})
    gone: set[int] = set()
    for statement in reversed(statements):
        written = {base(t).partition(".")[0].partition("[")[0] for s in all_statements([statement]) for t in targets(s)}
        if _is_plain(statement) and not written & live:
            gone |= {*_lines(statement)}
        else:
            live |= loaded(statement)
    return gone


def _is_plain(statement: ast.stmt) -> bool:
    """Whether a statement does nothing but to write what has a name."""
    every = list(all_statements([statement]))
    return all(isinstance(s, ast.Assign | ast.AugAssign | ast.For) for s in every)
