"""Changes of a program that may be its correction, and the lines to blame when one is."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass

from engine.doctor.lineage.verdict.run_verdict import RunVerdict
from engine.doctor.mending.edits.edits import StatementEdit
from engine.doctor.mending.edits.expression_text import text_of
from engine.doctor.mending.trials.places import EditPlace, replaced

PartText = tuple[ast.stmt | ast.expr, str]
"""A part of a file, and the text in its place."""


@dataclass(frozen=True)
class Blamed:
    """A line to blame: what it says, what it should say ("" where that is not known) and the kind of the edit."""

    file: str
    line: int
    id: str
    old: str
    mended: str = ""
    verified: bool = False
    corrected: RunVerdict | None = None
    """The verdict on the program with that correction."""
    mends: tuple[str, ...] = ()
    """The gradients that a run showed to be right with it, where others stay wrong."""
    leaves: tuple[str, ...] = ()
    """The gradients that stay wrong with it."""
    begins: int = 0
    """The line on which its statement begins, where that is another one."""
    more: bool = False
    """Whether corrections were left untried: there were too many, or the search was ended."""


@dataclass(frozen=True, eq=False)
class Proposal:
    """A text, `made`, in the place of a `part` of a statement of a file, and perhaps texts in the place of `others` with it. `old` and
    `mended` say it to people; it is called `id`, or where that is "" by the `kind` of the edit and what it reads."""

    file: str
    statement: ast.stmt
    part: ast.stmt | ast.expr
    made: str
    kind: str
    old: str
    mended: str
    id: str = ""
    others: tuple[PartText, ...] = ()
    all_wrong: bool = False
    """Whether the other statements are wrong, too."""
    says: tuple[str, ...] = ()
    """What these should be, as people write it, "" for those that are not told; () where that is as it is tried."""
    place: EditPlace | None = None
    edit: StatementEdit | None = None
    forward: bool = False
    """Whether it is the forward pass that is changed: the loss may be another one then."""
    cuts: bool = False
    """Whether errors go back a number of steps with it, and are right as such."""

    def applied(self, texts: Mapping[str, str]) -> dict[str, str]:
        """The program's texts with the change; every other line stays where it is."""
        text = texts[self.file]
        changes = [(self.part, self.made), *self.others]
        for part, made in sorted(changes, key=lambda change: (change[0].lineno, change[0].col_offset), reverse=True):
            text = replaced(text, part, made)  # from the end on: what stands before stays where it is
        return {**texts, self.file: text}

    def on_its_line(self, text: str) -> tuple[int, str, str]:
        """The line that changes, its text and what it should be: of a statement over several lines the one that holds the change."""
        first, last = self.statement.lineno, self.statement.end_lineno
        if first != last and not self.others and not isinstance(self.part, ast.expr):
            old, new = differing(self.statement, ast.parse(self.made or "pass").body[0])
            for written in (text_of(new), f"({text_of(new)})") if old.lineno == old.end_lineno else ():
                changed = replaced(text, old, written)
                if _same(changed, self.applied({self.file: text})[self.file]):
                    before, after = (one.splitlines()[old.lineno - 1].strip() for one in (text, changed))
                    return old.lineno, before, after
        return first, self.old, self.mended


def differing(old: ast.stmt | ast.expr, new: ast.stmt | ast.expr) -> tuple[ast.stmt | ast.expr, ast.stmt | ast.expr]:
    """The smallest parts by which two statements differ."""
    nodes = [
        (a, b)
        for a, b in zip(ast.iter_child_nodes(old), ast.iter_child_nodes(new), strict=False)
        if ast.dump(a) != ast.dump(b)
    ]
    plain = [[v for _, v in ast.iter_fields(one) if isinstance(v, str)] for one in (old, new)]
    match nodes:
        case [(ast.expr() as a, ast.expr() as b)] if type(old) is type(new) and plain[0] == plain[1]:
            return differing(a, b)
        case _:
            return old, new


def _same(one: str, other: str) -> bool:
    """Whether two texts are one program."""
    try:
        return ast.dump(ast.parse(one)) == ast.dump(ast.parse(other))
    except SyntaxError:
        return False


def instead(
    file: str,
    statement: ast.stmt,
    made: str,
    kind: str = "",
    *,
    id: str = "",
    others: tuple[PartText, ...] = (),
    all_wrong: bool = False,
) -> Proposal:
    """A text in the place of a statement."""
    return Proposal(file, statement, statement, made, kind, text_of(statement), made, id, others, all_wrong)


def of_edit(place: EditPlace, edit: StatementEdit) -> Proposal:
    """An edit of a statement."""
    old, made = text_of(place.statement), edit.statement
    return Proposal(place.file, place.statement, place.statement, made, edit.kind, old, made, place=place, edit=edit)
