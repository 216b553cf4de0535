"""Edits tried where their lines run, in a second identical run: which of them make what is right."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from engine.doctor.lineage.record.matching import DOUBLE, SINGLE, tolerance
from engine.doctor.lineage.record.reading import Floats, Record
from engine.doctor.lineage.record.running import Trials
from engine.doctor.lineage.the_loss.begin import at_the_begin
from engine.doctor.lineage.the_loss.loss import ChosenLoss, adjoint_of, forward_of
from engine.doctor.lineage.the_loss.right_values import KnownValues, RightValues, known, totals
from engine.doctor.lineage.verdict.run_verdict import RunVerdict
from engine.doctor.mending.edits import edits, entries, made_again
from engine.doctor.mending.edits.edits import KINDS, Slot, StatementEdit
from engine.doctor.mending.edits.expression_text import text_of
from engine.doctor.mending.trials.following import following, in_next_round
from engine.doctor.mending.trials.places import EditPlace
from engine.doctor.mending.trials.pure import safe_functions
from engine.doctor.recording.trials.terms import WHOLE

EVALUATIONS = 200_000
MISSING = 120
"""So many atoms of the program may be what is missing."""
Survivor = tuple[tuple[int, ...], EditPlace, StatementEdit]


@dataclass(frozen=True, eq=False)
class Request:
    """What is tried at a place: its edits, or the places in it at which a term may be missing."""

    place: EditPlace
    row: dict[str, Any]
    tries: list[StatementEdit]
    holes: list[tuple[Slot, str, str, bool]]


class Prober:
    """Tries edits where their lines run. What was asked and answered is kept."""

    def __init__(self, trials: Trials, verdict: RunVerdict, everywhere: Sequence[str]) -> None:
        self.trials = trials
        self.verdict = verdict
        self.everywhere = everywhere
        """The atoms of the program."""
        self._kept: dict[tuple[Any, ...], Request] = {}
        self._answered: dict[tuple[Any, ...], list[Probed] | None] = {}

    def probed(self, texts: Mapping[str, str], places: Sequence[EditPlace], *, missing: bool) -> list[Probed] | None:
        """What comes of the edits of these statements, or (`missing`) of terms put into them; None where nothing is said."""
        key = (missing, tuple(texts.items()), tuple(p.line for p in places))
        if key not in self._answered:
            requests = [self._request(p, missing) for p in places]
            self._answered[key] = self._asked(texts, requests)
        return self._answered[key]

    def _request(self, place: EditPlace, missing: bool) -> Request:
        key = (place.line, place.statement.col_offset, text_of(place.statement), tuple(place.atoms), missing)
        if key not in self._kept:
            self._kept[key] = request(place, self.everywhere if missing else None)
        return replace(self._kept[key], place=place)

    @cached_property
    def _table(self) -> Floats:
        part, loss = self.verdict.record, self.verdict.loss
        assert part is not None and loss is not None
        forward = forward_of(part, loss)
        return RightValues(part, loss, forward, parts=True).table()

    @cached_property
    def _allowed(self) -> float:
        """By how much numbers may differ."""
        verdict, part = self.verdict, self.verdict.record
        assert part is not None
        wrong = next(r for r in verdict.compared if r.status in ("wrong", "zero"))
        return 30 * SINGLE / 10 if tolerance(part.pool[wrong.gradient]) == SINGLE else 10 * DOUBLE

    @cached_property
    def _known(self) -> KnownValues:
        return known(self._table, _factors(self.verdict), self._allowed)

    @cached_property
    def _known_totals(self) -> KnownValues:
        part, loss = self.verdict.record, self.verdict.loss
        assert part is not None and loss is not None
        return known(
            totals(part, adjoint_of(part, loss), forward_of(part, loss)), _factors(self.verdict), self._allowed
        )

    def is_total(self, value: Floats) -> bool:
        """Whether an array is dL/d(something), and no share of it."""
        return self._known_totals.has(value) is True

    def is_right(self, value: Floats) -> bool:
        """Whether an array is dL/d(something), or a share or sum of shares of it."""
        return self._known.has(value) is True

    def _asked(self, texts: Mapping[str, str], requests: Sequence[Request]) -> list[Probed] | None:
        asked = {
            "lines": [{**r.row, **_consequences(r.place, requests)} for r in requests],
            "factors": _factors(self.verdict),
            "allowed": self._allowed,
            "limit": EVALUATIONS,
            "safe": safe_functions(texts),
        }
        answer = self.trials.probed(texts, asked, self._table)
        try:
            return None if answer is None else [_checked(one, r) for one, r in zip(answer, requests, strict=True)]
        except (ValueError, KeyError, TypeError):
            return None


def request(place: EditPlace, everywhere: Sequence[str] | None) -> Request:
    """The edits of a statement, or, with the atoms of the program, those that put in what is missing."""
    statement, missing = place.statement, everywhere is not None
    around = entries.around(place.atoms, statement)
    paths, _ = following(place)
    slots = [slot.path for slot in edits.slots(statement)]
    parts = made_again.products(place.body, statement) if missing else []
    known = list(dict.fromkeys([*around, *parts, *everywhere]))[:MISSING] if everywhere is not None else around
    others = [one for one in known if one not in parts]
    tries = list(edits.of_statement(statement, others, place.body, missing=missing))
    tries += [] if missing else made_again.with_values(statement, place.values)
    holes = list(edits.holes(statement)) if missing else []
    value = edits.made_by(statement)
    changes = isinstance(statement, ast.AugAssign) and isinstance(statement.op, (ast.Add, ast.Mult))
    adds = text_of(statement.target) if isinstance(statement, ast.AugAssign) and changes else None
    row = {
        "file": place.file,
        "line": statement.lineno,
        "column": statement.col_offset,
        "lost": place.lost,
        "before": place.before,
        "total": place.total,
        "value": text_of(value) if value is not None else "",
        "prefix": adds,
        "multiplies": isinstance(statement, ast.AugAssign) and isinstance(statement.op, ast.Mult),
        "slots": [text_of(slot.get()) for slot in edits.slots(statement)],
        "edits": [
            [e.value, e.same, e.checked and not place.takes, _index(paths, e.slot.path), slots.index(e.slot.path)]
            for e in tries
        ],
        "holes": [[text, i, alone, _index(paths, s.path), slots.index(s.path)] for s, text, i, alone in holes],
        "atoms": known if missing else [],
    }
    return Request(place, row, tries, holes)


def _consequences(place: EditPlace, requests: Sequence[Request]) -> dict[str, Any]:
    """What the rest of the place's block, and the next round of its loop, make of what it puts somewhere, and the request with which that
    round begins."""
    same = [k for k, r in enumerate(requests) if r.place.body is place.body]
    begins = min(same, key=lambda k: requests[k].place.statement.lineno)
    again = in_next_round(place, requests[begins].place) if place.repeats else []
    return {"following": following(place)[1], "again": again, "begins": begins}


def _index(paths: Sequence[tuple[str | int, ...]], path: tuple[str | int, ...]) -> int:
    return paths.index(path) if path in paths else -1


def _factors(verdict: RunVerdict) -> list[float]:
    """By what a right value may be multiplied: what the gradients that are right are, and their steps."""
    found = [r.bare.factor for r in verdict.compared if r.status == "right" and r.bare and len(r.own) > 2]
    steps = [r.match.factor for r in verdict.compared if r.status == "right" and r.match and len(r.own) > 2]
    rough = [*found, *steps, *(-s for s in steps)] or [1.0, -1.0]
    if verdict.record is not None and verdict.loss is not None:
        rough += at_the_begin(verdict.record, verdict.loss)
        rough += [] if found or steps else _divided_by(verdict.record, verdict.loss)
    made: list[float] = []
    for factor in rough:
        if not any(abs(factor - f) <= 1e-3 * abs(f) for f in made):
            made.append(factor)
    return made[:8]


def _divided_by(record: Record, loss: ChosenLoss) -> Iterator[float]:
    """The numbers that values of the way back are divided by: before such a line they are so many times what they should be."""
    forward = forward_of(record, loss)
    after = int(loss.ids.max())
    for operation in record.operations:
        if operation.start > after and operation.name == "divide" and not forward[operation.start]:
            by = operation.operands[-1]
            if by.size == 1 and operation.size > 1:
                yield float(record.pool[by.first])


ToldEdit = tuple[int, int, str, int, "int | None"]


@dataclass(frozen=True, eq=False)
class Probed:
    """What came of one statement: how often what it makes was right, wrong and zero; when it was wrong first (-1: never); the edits that
    lived: each with its number, how often it was right, its text, whether that was so only until something else was wrong, and how many
    statements after it are right by it (None: nothing was seen of them)."""

    asked: Request
    original: tuple[int, int, int]
    first: int
    edits: list[ToldEdit]

    @property
    def place(self) -> EditPlace:
        return self.asked.place

    @property
    def fails(self) -> bool:
        """Whether the line makes what is not right, or never anything but zeros."""
        right, wrong, zero = self.original
        return wrong > 0 or (right == 0 and zero > 0)


def _checked(answer: dict[str, Any], asked: Request) -> Probed:
    """What a probe says of one line, with every number in its range: it comes from the process of the user's program."""
    right, wrong, zero = (int(n) for n in answer["original"])
    tries: list[ToldEdit] = []
    for number, count, value, late, gain in answer["edits"]:
        if not -len(asked.holes) <= int(number) < len(asked.tries):
            raise ValueError
        ast.parse(str(value), mode="eval")
        tries.append((int(number), int(count), str(value), int(bool(late)), None if gain is None else int(gain)))
    return Probed(asked, (right, wrong, zero), int(answer["first"]), tries)


HELPS, LIKELY, UNLIKELY = range(3)
"""An edit by which statements after it become right; one after which nothing is seen; one that helps nothing where another one does, or
only until something else is wrong."""


def survivors(answers: Sequence[Probed]) -> tuple[list[Survivor], list[Survivor]]:
    """What may be the correction, the likeliest first: edits of lines that make what is not right or by which others become right, and
    those of other lines."""
    suspects: list[Survivor] = []
    others: list[Survivor] = []
    for answer in answers:
        place = answer.place
        fails = (answer.fails and not (place.given or place.takes)) or place.mistaken
        derives = (
            place.given and answer.fails and not answer.original[0]
        )  # what a helper makes of a forward value is never right
        most = max((gain or 0 for *_, gain in answer.edits), default=0)
        alone = _read_here_alone(place)
        for number, count, value, late, gain in answer.edits:
            edit = _edit_of(answer.asked, number, value)
            first = derives and count == sum(answer.original)
            helps = first or (gain is not None and gain > 0)
            if place.takes and not helps:
                continue
            unlikely = late or (gain is not None and (gain < 0 or most > 0))
            idle = bool(alone) and _leaves_unread(edit, alone)
            likely = UNLIKELY if idle or (unlikely and not helps) else HELPS if helps else LIKELY
            gained = -(gain or 0) if helps else 0
            longer = len(edit.value) - len(edit.old)
            by_form = KINDS.index(edit.kind), abs(longer) if place.takes else longer  # a copy is to stay one
            rank = (likely, idle, not first, gained, late, *by_form, -count)
            (suspects if fails or helps else others).append((rank, place, edit))
    return sorted(suspects, key=lambda s: s[0]), sorted(others, key=lambda s: s[0])


def _read_here_alone(place: EditPlace) -> set[str]:
    """The variables that other statements of its block make and none of them reads: they were made to be used here."""
    others = [
        node for s in place.body if s is not place.statement for node in ast.walk(s) if isinstance(node, ast.Name)
    ]
    read, made = ({n.id for n in others if isinstance(n.ctx, kind)} for kind in (ast.Load, ast.Store))
    return made - read


def _leaves_unread(edit: StatementEdit, names: set[str]) -> bool:
    """Whether an edit takes away the only place where one of these variables is read."""
    old, new = ({n.id for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Name)} for text in (edit.old, edit.value))
    return bool((old - new) & names)


def _edit_of(asked: Request, number: int, value: str) -> StatementEdit:
    """An edit by its number; below 0 are those that put a term into a hole."""
    if number >= 0:
        return asked.tries[number]
    slot, template, *_ = asked.holes[-1 - number]
    made, line = ast.parse(value, mode="eval").body, asked.place.statement.lineno
    if template == WHOLE:
        return StatementEdit(line, made_again.MADE_AGAIN, text_of(made), text_of(slot.get()), None, slot)
    kind = "term-missing" if _grows(slot.get(), value) else "factor-missing"
    return StatementEdit(line, kind, text_of(made), text_of(slot.get()), None, slot)


def _grows(old: ast.expr, value: str) -> bool:
    """Whether a term was added, rather than a factor."""
    return value.count(" + ") + value.count(" - ") > text_of(old).count(" + ") + text_of(old).count(" - ")


def failing(answers: Sequence[Probed]) -> list[EditPlace]:
    """The lines that make what is not right, the one that ran first in front; lines that never make anything known come last, before
    them those by which a gradient was made that is right: what they make is only not known; and before all these an optimizer's."""
    found = [a for a in answers if (a.fails or a.place.mistaken) and not a.place.given and not a.place.moves]
    found = [a for a in found if not a.place.takes]
    return [a.place for a in sorted(found, key=lambda a: (not a.place.apart, a.place.steps, a.first % (1 << 30)))]
