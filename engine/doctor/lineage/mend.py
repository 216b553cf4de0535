"""The wrong line and its correction: small edits of the lines that a wrong gradient was made by.

An edit is tried where its line runs, in a second identical run; what survives is put into the program and run, and is
the correction when all gradients are right then. Its kind is the mistake's name.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, cast

import numpy as np

from engine.doctor.lineage import edits, naming
from engine.doctor.lineage.atoms import atoms_in, text_of
from engine.doctor.lineage.carries import never_updated
from engine.doctor.lineage.carry_back import reached, touched
from engine.doctor.lineage.correction import Correction
from engine.doctor.lineage.edits import KINDS, Slot, StatementEdit
from engine.doctor.lineage.loops import headers
from engine.doctor.lineage.matching import DOUBLE, SINGLE, compared, tolerance
from engine.doctor.lineage.reading import Floats, Record, UserLine
from engine.doctor.lineage.right_values import RightValues
from engine.doctor.lineage.running import Runs, Trials
from engine.doctor.lineage.verdict import RunVerdict, judged

TRIALS = 16
SEVERAL = 4
"""So many wrong lines are corrected one after the other."""
EVALUATIONS = 200_000


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


@dataclass(eq=False)
class EditPlace:
    """A statement of the program, its function's atoms, and how often it ran before the round and until its end."""

    statement: ast.stmt
    body: list[ast.stmt]
    atoms: list[str]
    before: int = 0
    total: int = 0
    tries: list[StatementEdit] = field(default_factory=list[StatementEdit])
    holes: list[tuple[Slot, str, str]] = field(default_factory=list["tuple[Slot, str, str]"])
    given: bool = False
    mistaken: bool = False
    moves: bool = False


def blamed(runs: Runs, record: Record, verdict: RunVerdict) -> list[Blamed]:
    """The lines to blame for a wrong verdict, the mended one first."""
    part = verdict.record
    if part is None or verdict.loss is None:
        return []
    name = runs.name
    known = [Blamed(name, part.lines[n].number, id, "") for id, n in naming.without_edit(verdict)]
    if known:
        kept = [b for b in known if b.id == "gradients-not-reset"]
        return list(dict.fromkeys(kept or known))
    made, moved = slice_lines(part, verdict)
    own = sorted({line.number for line in [*made, *moved] if Path(line.file).name == name})
    moving = {line.number for line in moved}
    tree = ast.parse(runs.program.text)
    places = [p for p in _places(tree) if any(p.statement.lineno <= n <= (p.statement.end_lineno or 0) for n in own)]
    given, mistaken = _given_lines(part, verdict, name), _mistaken(verdict)
    for place in places:
        _count(record, part, place, name)
        place.given = place.statement.lineno in given
        place.moves = place.statement.lineno in moving
        place.mistaken = place.statement.lineno in mistaken
    places = [p for p in places if p.total > p.before]
    if not places:
        return unstored(part, verdict, name) or _makers(part, verdict, name)
    with Trials(runs) as trials:
        trial = Trial(runs, runs.program.text, verdict, record, trials)
        return _searched(trial, places, ast.unparse(tree))


def _searched(trial: Trial, places: list[EditPlace], whole: str) -> list[Blamed]:
    """One edit of a line that fails, then `+=`, then a missing term, then another order, then edits of lines that do
    not fail."""
    name, part = trial.runs.name, trial.verdict.record
    assert part is not None
    table = _table(trial.verdict)
    everywhere = [text_of(a) for a in atoms_in(ast.parse(whole))]
    first: list[EditPlace] = []
    later: list[Survivor] = []
    every = places
    for missing in (False, True):
        answers = _probed(trial, _requests(places, name, everywhere if missing else None), table)
        if answers is None:
            break
        suspects, others = _survivors(places, answers)
        found = _settled(trial, [s for s in suspects if not s[0][0]])
        if found is None and not missing:
            found = _settled(trial, _accumulations(places)) or carried(trial) or looped(trial, places)
        if found is not None:
            return [found]
        later += [s for s in suspects if s[0][0]] + others[:12]
        failing = _failing(places, answers)
        first = first or failing[:3]
        places = [*failing[:4], *_beside(places, failing)]
    several = chained(trial, every, table)
    if several:
        return several
    found = _settled(trial, sorted(later, key=lambda s: s[0]), 12) or rearranged(trial, first)
    if found is not None:
        return [found]
    left = [Blamed(name, p.statement.lineno, "", text_of(p.statement)) for p in first]
    return left or unstored(part, trial.verdict, name) or _makers(part, trial.verdict, name)


def chained(trial: Trial, places: Sequence[EditPlace], table: Floats) -> list[Blamed]:
    """Several wrong lines: the one that fails first is corrected, then the next, until all gradients are right; [] where
    they never are."""
    name, text = trial.runs.name, trial.text
    made: list[Blamed] = []
    try:
        for _ in range(SEVERAL):
            now = _again(places, trial.text)
            answers = _probed(trial, _requests(now, name, None), table)
            chosen = _first_survivor(now, answers) if answers is not None else None
            if chosen is None:
                return []
            place, edit = chosen
            old, new = text_of(place.statement), edit.statement
            trial.text = replaced(trial.text, place.statement, new)
            done = makes_right(trial, trial.text)
            made.append(trial.named(place.statement, edit.kind, old, new))
            if done:
                return made
        return []
    finally:
        trial.text = text


def _again(places: Sequence[EditPlace], text: str) -> list[EditPlace]:
    """The same places in a text of which statements were replaced."""
    known = {(p.statement.lineno, p.statement.col_offset): p for p in places}
    made: list[EditPlace] = []
    for place in _places(ast.parse(text)):
        old = known.get((place.statement.lineno, place.statement.col_offset))
        if old is not None:
            place.before, place.total = old.before, old.total
            place.given, place.mistaken, place.moves = old.given, old.mistaken, old.moves
            made.append(place)
    return made


def _first_survivor(places: list[EditPlace], answers: list[dict[str, Any]]) -> tuple[EditPlace, StatementEdit] | None:
    """The likeliest edit of the line that fails first, among the lines that have one."""
    suspects = [s for s in _survivors(places, answers)[0] if not s[0][0]]
    for place in _failing(places, answers):
        own = [s for s in suspects if s[1] is place]
        if own:
            return place, own[0][2]
    return None


def _beside(places: list[EditPlace], failing: list[EditPlace]) -> list[EditPlace]:
    """What stands beside the first line that fails: a share of what it should be looks right."""
    if not failing:
        return []
    body = failing[0].body
    at = body.index(failing[0].statement)
    near = [p for p in places if p.body is body and p not in failing[:4] and not p.given]
    return [p for p in near if abs(body.index(p.statement) - at) <= 4]


def _makers(record: Record, verdict: RunVerdict, name: str) -> list[Blamed]:
    """The lines that made the wrong gradients last."""
    made: list[Blamed] = []
    for row in verdict.compared:
        k = record.maker(int(row.gradient[-1])) if row.status == "wrong" else -1
        line = record.lines[record.operations[k].line] if k >= 0 else None
        if line is not None and Path(line.file).name == name:
            made.append(Blamed(name, line.number, "", ""))
    return list(dict.fromkeys(made))[:3]


Survivor = tuple[tuple[int, ...], EditPlace, StatementEdit]


@dataclass(eq=False)
class Trial:
    """A program that is run again with one statement replaced."""

    runs: Runs
    text: str
    verdict: RunVerdict
    record: Record
    trials: Trials
    left: int = TRIALS
    after: Record | None = None
    """The record of the last text that was run."""
    corrected: RunVerdict | None = None
    """The verdict on it."""

    def blames(self, statement: ast.stmt, kind: str, made: str) -> Blamed | None:
        """The line, where this text in its place makes all gradients right."""
        if self.left <= 0:
            return None
        self.left -= 1
        if not makes_right(self, replaced(self.text, statement, made)):
            return None
        return self.named(statement, kind, text_of(statement), made)

    def named(self, statement: ast.stmt, kind: str, old: str, made: str) -> Blamed:
        """The line with its correction, which was run last, under the mistake's name."""
        correction = Correction(kind, old, made, statement.lineno, self.verdict, self.after)
        return Blamed(self.runs.name, statement.lineno, naming.name_of(correction), old, made, True, self.corrected)


def carried(trial: Trial) -> Blamed | None:
    """A carry that is read at every step and never updated."""
    for statement, made, replaces in islice(never_updated(ast.parse(trial.text), trial.verdict), 6):
        if makes_right(trial, replaced(trial.text, statement, made)):
            id = "recurrence-dropped" if replaces else "carry-never-updated"
            return Blamed(trial.runs.name, statement.lineno, id, text_of(statement), made, True, trial.corrected)
    return None


def looped(trial: Trial, places: Sequence[EditPlace]) -> Blamed | None:
    """A loop around lines that made the gradients, that runs over other steps, or in another order."""
    trial.left, tree = TRIALS, ast.parse(trial.text)
    for loop, made, order in headers(tree, {p.statement.lineno for p in places}):
        if trial.left <= 0:
            break
        trial.left -= 1
        if makes_right(trial, replaced(trial.text, loop.iter, made)):
            old, target = text_of(loop.iter), text_of(loop.target)
            id = naming.of_loop(old, made, order=order)
            head = f"for {target} in "
            return Blamed(trial.runs.name, loop.lineno, id, f"{head}{old}:", f"{head}{made}:", True)
    return None


def rearranged(trial: Trial, places: Sequence[EditPlace]) -> Blamed | None:
    """Edits that no single value shows: statements that are missing at the end of a block, deleted, or in another
    order."""
    trial.left = TRIALS
    for place in places[:2]:
        body = place.body
        last, at = body[-1], body.index(place.statement)
        names = [text_of(t) for t in getattr(place.statement, "targets", [])]
        if isinstance(last, (ast.Assign, ast.AugAssign, ast.Expr)):
            for name in names:
                for other in place.atoms[:14]:
                    if other != name and (
                        found := trial.blames(last, "inserted", f"{text_of(last)}; {name} = {name} * {other}")
                    ):
                        return found
        for k in (at + 1, at - 1):
            if 0 <= k < len(body) and isinstance(body[k], (ast.Assign, ast.AugAssign, ast.Expr)):
                first, second = sorted((at, k))
                made = f"{text_of(body[second])}; {text_of(body[first])}"
                if (found := trial.blames(body[first], "moved", made)) is not None:
                    return found
    return None


def unstored(record: Record, verdict: RunVerdict, name: str) -> list[Blamed]:
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
                if match is not None and match.right and Path(event.site.file).name == name:
                    return [Blamed(name, event.site.line, "gradient-never-stored", event.site.text)]
    return []


def _mistaken(verdict: RunVerdict) -> set[int]:
    """Lines that step an array by the gradient of another one."""
    assert verdict.record is not None
    found: set[int] = set()
    for row in [r for r in verdict.compared if r.status == "wrong"]:
        given = verdict.record.pool[row.gradient]
        for other in verdict.compared:
            if other is not row and len(other.own) == len(row.own) > 2:
                match = compared(given, other.right)
                if match is not None and match.right:
                    found.add(row.line)
    return found


def _given_lines(record: Record, verdict: RunVerdict, name: str) -> set[int]:
    """Lines that only compute forward values again: nothing that comes back from the loss goes into them."""
    assert verdict.loss is not None
    forward = reached(record, [reference for reference, _ in verdict.loss.seeds])
    back = np.zeros(len(record.pool), bool)
    lines: dict[int, bool] = {}
    for operation in record.operations:
        if forward[operation.start : operation.stop].any():
            continue
        moved = operation.name == "subtract" or any(touched(back, r) for r in operation.operands)
        back[operation.start : operation.stop] = moved
        lines[operation.line] = lines.get(operation.line, False) or moved
    if not any(back[row.gradient].any() for row in verdict.compared if row.status == "wrong"):
        return set()  # the backward pass begins with no difference: nothing tells where
    return {
        record.lines[n].number for n, moved in lines.items() if not moved and Path(record.lines[n].file).name == name
    }


def slice_lines(record: Record, verdict: RunVerdict) -> tuple[list[UserLine], list[UserLine]]:
    """The lines that made the wrong gradients, from the update back to forward values, and those that only handed
    values on."""
    assert verdict.loss is not None
    forward = reached(record, [reference for reference, _ in verdict.loss.seeds])
    marked = np.zeros(len(record.pool), bool)
    lines: dict[int, None] = {}
    for row in verdict.compared:
        if row.status in ("wrong", "zero"):
            marked[row.gradient] = True
            if row.update is not None:
                lines.update({record.operations[k].line: None for k in row.update.made})
    for operation in reversed(record.operations):
        if marked[operation.start : operation.stop].any() and not forward[operation.start : operation.stop].any():
            lines[operation.line] = None
            for reference in operation.operands:
                marked[reference.ids()] = True
    made = [record.lines[n] for n in lines if n > 0]
    seen = [e.site for e in record.events if e.value.size and marked[e.value.first] and not forward[e.value.first]]
    return made, [one for one in dict.fromkeys(UserLine(s.file, s.line) for s in seen) if one not in made]


def _places(tree: ast.Module) -> Iterator[EditPlace]:
    """Every simple statement."""

    def of(body: list[ast.stmt], function: ast.AST) -> Iterator[EditPlace]:
        for statement in body:
            inner = [getattr(statement, f, None) for f in ("body", "orelse", "finalbody")]
            blocks = [cast("list[ast.stmt]", b) for b in inner if isinstance(b, list) and b]
            scope = statement if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)) else function
            if blocks:
                for block in blocks:
                    yield from of(block, scope)
            elif isinstance(statement, (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Return, ast.Expr)):
                yield EditPlace(statement, body, _atoms(body, function))

    yield from of(tree.body, tree)


def _atoms(body: list[ast.stmt], function: ast.AST) -> list[str]:
    """The atoms of a block, then those of its function."""
    near = [text_of(a) for s in body for a in atoms_in(s)]
    targets = [
        text_of(t)
        for s in body
        if isinstance(s, ast.Assign)
        for e in s.targets
        for t in (e.elts if isinstance(e, ast.Tuple) else [e])
    ]
    far = [text_of(a) for a in atoms_in(function)] if not isinstance(function, ast.Module) else []
    if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
        far += [a.arg for a in function.args.args if a.arg != "self"]
    return list(dict.fromkeys([*near, *targets, *far]))


def _count(record: Record, part: Record, place: EditPlace, name: str) -> None:
    """How often the statement ran, from the events of one of its sites."""
    end = max((e.time for e in part.events), default=0)
    begin = min((e.time for e in part.events), default=0)
    counts: dict[tuple[int, int], list[int]] = {}
    for event in record.events:
        if (
            event.site.line == place.statement.lineno
            and Path(event.site.file).name == name
            and event.site.kind != "step"
        ):
            count = counts.setdefault((id(event.site), event.part), [0, 0])
            count[0] += event.time < begin
            count[1] += event.time <= end
    if counts:
        place.before, place.total = max(counts.values(), key=lambda c: c[1])


def _requests(places: Sequence[EditPlace], name: str, everywhere: list[str] | None) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    missing = everywhere is not None
    for place in places:
        around = edits.around(place.atoms, place.statement)
        place.tries = list(edits.of_statement(place.statement, around, missing=missing))
        place.holes = list(edits.holes(place.statement)) if missing else []
        value = edits.made_by(place.statement)
        statement = place.statement
        adds = (
            text_of(statement.target)
            if isinstance(statement, ast.AugAssign) and isinstance(statement.op, ast.Add)
            else None
        )
        rows.append(
            {
                "file": name,
                "line": place.statement.lineno,
                "column": place.statement.col_offset,
                "before": place.before,
                "total": place.total,
                "value": text_of(value) if value is not None else "",
                "prefix": adds,
                "edits": [[e.value, e.same, e.checked] for e in place.tries],
                "holes": [[t, i] for _, t, i in place.holes],
                "atoms": list(dict.fromkeys([*around, *(everywhere or [])]))[:120] if missing else [],
            }
        )
    return rows


def _factors(verdict: RunVerdict) -> list[float]:
    """By what a right value may be multiplied: what the gradients that are right are, and their steps."""
    found = [r.bare.factor for r in verdict.compared if r.status == "right" and r.bare and len(r.own) > 2]
    steps = [r.match.factor for r in verdict.compared if r.status == "right" and r.match and len(r.own) > 2]
    rough = [*found, *steps, *(-s for s in steps)] or [1.0, -1.0]
    made: list[float] = []
    for factor in rough:
        if not any(abs(factor - f) <= 1e-3 * abs(f) for f in made):
            made.append(factor)
    return made[:8]


def _table(verdict: RunVerdict) -> Floats:
    part, loss = verdict.record, verdict.loss
    assert part is not None and loss is not None
    forward = reached(part, [reference for reference, _ in loss.seeds])
    return RightValues(part, loss, forward).table()


def _probed(trial: Trial, rows: list[dict[str, Any]], table: Floats) -> list[dict[str, Any]] | None:
    verdict, part = trial.verdict, trial.verdict.record
    assert part is not None
    wrong = next(r for r in verdict.compared if r.status in ("wrong", "zero"))
    single = tolerance(part.pool[wrong.gradient]) == SINGLE
    request = {
        "lines": rows,
        "factors": _factors(verdict),
        "allowed": 30 * SINGLE / 10 if single else 10 * DOUBLE,
        "limit": EVALUATIONS,
    }
    answer = trial.runs.probed(trial.text, request, table)
    try:
        return None if answer is None else [_checked(one, row) for one, row in zip(answer, rows, strict=True)]
    except (ValueError, KeyError, TypeError):
        return None


def _checked(answer: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    """What a probe says of one line, with every number in its range: it comes from the process of the user's program."""
    right, wrong, zero = (int(n) for n in answer["original"])
    tries: list[tuple[int, int, str, int]] = []
    for number, count, value, late in answer["edits"]:
        if not -len(row["holes"]) <= int(number) < len(row["edits"]):
            raise ValueError
        ast.parse(str(value), mode="eval")
        tries.append((int(number), int(count), str(value), int(bool(late))))
    return {"original": (right, wrong, zero), "first": int(answer["first"]), "edits": tries}


def _survivors(places: list[EditPlace], answers: list[dict[str, Any]]) -> tuple[list[Survivor], list[Survivor]]:
    """What may be the correction, the likeliest first: edits of lines that make what is not right, and those of other
    lines."""
    suspects: list[Survivor] = []
    others: list[Survivor] = []
    for place, answer in zip(places, answers, strict=True):
        fails = (_fails(answer) and not place.given) or place.mistaken
        for number, count, value, late in answer["edits"]:
            edit = _edit_of(place, int(number), str(value))
            rank = (int(late), KINDS.index(edit.kind), len(edit.value) - len(edit.old), -int(count))
            (suspects if fails else others).append((rank, place, edit))
    return sorted(suspects, key=lambda s: s[0]), sorted(others, key=lambda s: s[0])


def _edit_of(place: EditPlace, number: int, value: str) -> StatementEdit:
    """An edit by its number; below 0 are those that put a term into a hole."""
    if number >= 0:
        return place.tries[number]
    slot = place.holes[-1 - number][0]
    kind = "term-missing" if _grows(slot.get(), value) else "factor-missing"
    return StatementEdit(
        place.statement.lineno, kind, text_of(ast.parse(value, mode="eval")), text_of(slot.get()), None, slot
    )


def _grows(old: ast.expr, value: str) -> bool:
    """Whether a term was added, rather than a factor."""
    return value.count(" + ") + value.count(" - ") > text_of(old).count(" + ") + text_of(old).count(" - ")


def _accumulations(places: list[EditPlace]) -> list[Survivor]:
    """`=` for `+=` at lines that run several times: no single value shows it."""
    often = [p for p in places if p.total - p.before > 1 and not p.given]
    written = [p for p in often if isinstance(p.statement, ast.Assign)]
    into = [p for p in places if isinstance(p.statement, ast.AugAssign)]
    carried_on = [p for p in into if p in often and _is_read_beside(p)]
    made = [((0,), p, e) for p in [*carried_on, *written] for e in edits.accumulation(p.statement)]
    repeated = [((0,), p, e) for p in into for e in edits.accumulation(p.statement) if e.kind == "repeated"]
    return [*made[:8], *repeated][:12]


def _is_read_beside(place: EditPlace) -> bool:
    """Whether what a statement adds to is read by another statement of its block, as what is handed on to the next step is."""
    target = text_of(getattr(place.statement, "target", place.statement))
    others = [s for s in place.body if s is not place.statement]
    return any(text_of(a) == target for s in others for a in atoms_in(s))


def _settled(trial: Trial, survivors: Sequence[Survivor], most: int = TRIALS) -> Blamed | None:
    """The first edit that makes all gradients right."""
    trial.left = most
    for _, place, edit in survivors[:most]:
        if (found := trial.blames(place.statement, edit.kind, edit.statement)) is not None:
            return _at_its_source(trial, place, edit) or found
    return None


def _at_its_source(trial: Trial, place: EditPlace, edit: StatementEdit) -> Blamed | None:
    """A term that is missing from a variable may as well be missing where the variable was made: that line is to
    blame."""
    at = place.body.index(place.statement)
    if edit.kind != "term-missing":
        return None
    for source in reversed(place.body[:at]):
        if (
            not isinstance(source, ast.Assign)
            or len(source.targets) != 1
            or not isinstance(source.targets[0], ast.Name)
        ):
            continue
        name = source.targets[0].id
        found = re.search(rf"\({name} ([-+]) ([^()]+)\)", edit.value)
        if found:
            trial.left = max(trial.left, 1)
            return trial.blames(source, edit.kind, f"{name} = {text_of(source.value)} {found[1]} {found[2]}")
    return None


def _failing(places: list[EditPlace], answers: list[dict[str, Any]]) -> list[EditPlace]:
    """The lines that make what is not right, the one that ran first in front; lines that never make anything known come
    last."""
    failing = [(p, a) for p, a in zip(places, answers, strict=True) if _fails(a) or p.mistaken]
    failing = [(p, a) for p, a in failing if not p.given and not p.moves]
    failing.sort(key=lambda pa: pa[1]["first"] % (1 << 30))
    return [p for p, _ in failing]


def _fails(answer: dict[str, Any]) -> bool:
    """Whether a line makes what is not right, or never anything but zeros."""
    right, wrong, zero = answer["original"]
    return wrong > 0 or (right == 0 and zero > 0)


def replaced(text: str, statement: ast.stmt | ast.expr, made: str) -> str:
    """The program with one statement replaced, every other line where it was."""
    lines = text.splitlines(keepends=True)
    first, last = statement.lineno - 1, (statement.end_lineno or statement.lineno) - 1
    head = lines[first].encode()[: statement.col_offset].decode()
    tail = lines[last].encode()[statement.end_col_offset or 0 :].decode()
    gone = "\n" * (last - first)
    return "".join([*lines[:first], head + (made or "pass") + tail + gone, *lines[last + 1 :]])


def makes_right(trial: Trial, text: str) -> bool:
    """Whether the program with this text has gradients that are all right, where the verdict was wrong."""
    verdict, seconds = trial.verdict, 2.0 + 5 * float(trial.record.outcome.get("seconds", 1.0))
    numbers = 2 * len(trial.record.pool) + 100_000
    record = trial.trials.recorded(text, seconds, rounds=verdict.round + 1, numbers=numbers)
    trial.after = record
    if record is None:
        return False
    taken = verdict.loss.name if verdict.loss is not None and trial.runs.wishes.loss else ""
    again = judged(record, verdict.loss, taken, cut=False)  # right only as a cut would be right by another reading
    trial.corrected = again
    if again.loss is None or verdict.loss is None or again.loss.name != verdict.loss.name:
        return False
    if set(again.conventions) - set(verdict.conventions):
        return False  # right only by another reading
    settled = [r.name for r in again.compared if r.status == "right"]
    wanted = [r.name for r in verdict.compared if r.status != "not compared"]
    return again.verdict != "wrong" and all(settled.count(n) >= wanted.count(n) for n in wanted)
