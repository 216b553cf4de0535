"""Changes of a program that may be its correction, and the lines to blame when one is."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass

from engine.doctor.lineage.verdict.verdict import RunVerdict
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
    place: EditPlace | None = None
    edit: StatementEdit | None = None

    def applied(self, texts: Mapping[str, str]) -> dict[str, str]:
        """The program's texts with the change; every other line stays where it is."""
        text = texts[self.file]
        changes = [(self.part, self.made), *self.others]
        for part, made in sorted(changes, key=lambda change: (change[0].lineno, change[0].col_offset), reverse=True):
            text = replaced(text, part, made)  # from the end on: what stands before stays where it is
        return {**texts, self.file: text}


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
