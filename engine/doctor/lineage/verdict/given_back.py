"""What the last of the calls below a file's text gave back: each array of it is the gradient of something that was handed over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from engine.doctor.lineage.gradients.comparison import ComparedGradient
from engine.doctor.lineage.gradients.inputs import inputs
from engine.doctor.lineage.gradients.optimizers import unlimited
from engine.doctor.lineage.gradients.stepped import ONE
from engine.doctor.lineage.record.array_names import ArrayNames
from engine.doctor.lineage.record.arrays import whole_numbers
from engine.doctor.lineage.record.carry_back import touched
from engine.doctor.lineage.record.matching import DOUBLE, compared, same
from engine.doctor.lineage.record.reading import Floats, Ids, Record
from engine.doctor.lineage.roles import Roles
from engine.doctor.lineage.the_loss.begin import at_the_begin
from engine.doctor.lineage.the_loss.loss import NAMED, ChosenLoss, adjoint_of, forward_of
from engine.doctor.lineage.verdict.factors import LIKELIHOOD, one_factor
from engine.doctor.lineage.verdict.of_round import ONLY_ONE
from engine.doctor.lineage.verdict.run_verdict import RunVerdict
from engine.doctor.recording.calls.driven import BACK, KEPT

RETURNED = "it is right on the way, but not what is returned"
NOTHING_ELSE = "it is returned, and is the gradient of nothing else"
NOTHING = "it is returned, and is the gradient of nothing that was handed over"
NONE_CAME = "it moves the loss, and no gradient of it comes back"


OTHER_SIGN = (
    "all gradients have the other sign than the loss's: they are right only where they are added, and that was not seen"
)
SCALED = (": the loss is divided by ", ", and the way back begins with 1 times")
"""So end, or go on, the reasons of gradients that are wrong by one factor that all of them have."""
COUNTS = 10_000
"""A factor that is larger is not taken for a count: some whole number is near any large one."""
NEGATED = "it has the other sign, and nothing in the file adds it to what it is the gradient of"


def as_returned(verdict: RunVerdict, name: str, last_line: int, *, is_added: bool | None = False) -> RunVerdict:
    """Where functions were called from below the last line of the user's file `name`: a gradient that was right on the way counts by what
    the last call gives back for it; what it gives back and is the gradient of nothing is that of the one array of its size that has none,
    and wrong, or is not compared. `is_added` says whether the file adds gradients to weights, which makes the other sign the right one;
    None where it may.
    """
    record, loss = verdict.record, verdict.loss
    if record is None or loss is None:
        return verdict
    back, kept = _given_back(record, loss, name, last_line)
    if back is None:
        return verdict
    if verdict.reason == ONLY_ONE and (back or kept):  # a part may have but one
        verdict = replace(verdict, verdict="right", reason="", not_compared=())
    adjoint = adjoint_of(record, loss)
    left = _unexplained(record, verdict, back, adjoint)
    rows = list(_by_what_is_returned(record, verdict, back, left))
    others = {**left, **_unexplained(record, verdict, kept, adjoint)}
    rows = _with_the_others(rows, _of_the_others(record, loss, rows, others, adjoint))
    rows = _without_the_carry(record, rows, back)
    rows = _with_one_factor(record, rows, back, loss)
    rows = _by_sign(rows, loss) if is_added is False else rows
    rows = _scaled_on_the_way(record, rows, loss)
    left = {first: ids for first, ids in left.items() if first in others}
    said = tuple(f"an array of {len(ids)} numbers: {NOTHING}" for ids in left.values())
    said += tuple(_without_gradients(record, loss, rows, back | kept, adjoint))
    said += tuple(_numbers_without_gradients(record, loss, rows, last_line, adjoint))
    word = verdict.verdict
    if word == "wrong" and rows and all(row.status == "right" for row in rows):
        word = "right"
    if any(row.status in ("wrong", "zero") and row not in verdict.compared for row in rows):
        word = "wrong"
    elif said and word == "right":
        word = "undecided"
    elif word == "right" and not is_added and _is_negative(rows):
        return replace(verdict, verdict="undecided", compared=tuple(rows), reason=OTHER_SIGN)
    return replace(verdict, verdict=word, compared=tuple(rows), not_compared=(*verdict.not_compared, *said))


def _without_gradients(
    record: Record, loss: ChosenLoss, rows: Sequence[ComparedGradient], back: Mapping[int, Ids], adjoint: Floats
) -> Iterator[str]:
    """Weights and biases that move the loss, and of which no gradient came back, while those of others did: what is multiplied by these is
    data."""
    known = {int(number) for row in rows if row.status != "not compared" for number in row.own}
    handed = {int(ids[0]): ids for ids in inputs(record)}
    names, roles = ArrayNames(record), Roles(record, loss, list(handed.values()))
    asked = list[Ids]()
    for weight in roles.weights:
        others = [r.first for use in weight.uses for r in use.operands if r.first not in weight.own]
        if not all(first in known for first in others):
            asked += [ids for first, ids in handed.items() if first in weight.own][:1]
    for ids in (*asked, *(handed[first] for first in _biases(record, roles, handed))):
        is_without = int(ids[0]) not in known and adjoint[ids].any()
        if is_without and not any(_is_right(record, own, adjoint[ids]) for own in back.values()):
            yield f"{names.of(ids)}: {NONE_CAME}"


def _numbers_without_gradients(
    record: Record, loss: ChosenLoss, rows: Sequence[ComparedGradient], last_line: int, adjoint: Floats
) -> Iterator[str]:
    """The lines that made single numbers, entries of lists, before the functions were called, which move the loss and of which no gradient
    came back, while those of others did."""
    leaves = (whole_numbers(leaf) for leaf in record.leaves)
    begin = next((start for start, _, line in leaves if line >= 0 and record.lines[line].number > last_line), 0)
    known = [number for row in rows if row.status != "not compared" for number in whole_numbers(row.own)]
    operations, forward = record.operations, forward_of(record, loss)
    singles = (operations.codes > 0) & forward[record.starts] & (record.starts > begin)
    read = np.concatenate([column[singles] for column in (operations.one, operations.two)])
    own = np.unique(read[(read > 0) & (read < begin)])
    left = own[(adjoint[own] != 0.0) & ~np.isin(own, [*known, *record.constants])]
    events, inside = record.events, np.zeros(len(record.pool), bool)
    for event in events.at(np.flatnonzero((events.sizes > 1) & (events.firsts < begin))) if len(left) else ():
        inside[event.value.ids()] = True
    left = left[inside[left]]
    names = ArrayNames(record)
    for line in dict.fromkeys(names.made(int(number)) for number in left):
        yield f"what line {line} makes, number by number: {NONE_CAME}"


def _biases(record: Record, roles: Roles, handed: Mapping[int, Ids]) -> list[int]:
    """Which of these arrays, by their first numbers, are added as they are to what weights make, and to more than one thing as large: a
    state or data are added once."""
    added, count = np.zeros(len(record.pool), bool), Counter[int]()
    for use in (use for weight in roles.weights for use in weight.uses):
        added[use.start : use.stop] = True
    for operation in record.operations.at(record.operations.named(("add",))):
        if roles.forward[operation.start] and any(touched(added, r) for r in operation.operands):
            added[operation.start : operation.stop] = True
            whole = [r for r in operation.operands if r.first in handed and r.size == len(handed[r.first])]
            for own in whole:
                count[own.first] += operation.size // own.size
    return [first for first, times in count.items() if times > 1]


def _given_back(
    record: Record, loss: ChosenLoss, name: str, last_line: int
) -> tuple[dict[int, Ids] | None, dict[int, Ids]]:
    """The arrays of several numbers that the last line made, after the loss, by their first numbers, and those that an object keeps among
    its gradients, which a loss that is computed on the way back comes after; None for the first where no function was called."""
    below = [e for e in record.events if e.site.file == name and e.site.line > last_line]
    made = [e for e in below if e.site.kind == "assign" and e.value.size > 1]
    after = [e for e in made if int(e.value.ids().min()) > int(loss.ids.max())]
    last = [e.value for e in after if e.site.line == made[-1].site.line and e.name.startswith(BACK)]
    forward = forward_of(record, loss)

    def is_made(ids: Ids) -> bool:
        return bool((record.makers(ids) >= 0).all()) and not forward[ids].any()

    named = [(e, e.value.ids().ravel()) for e in made if e.name.startswith(KEPT)]
    kept = {int(ids[0]): ids for event, ids in named if event in after or is_made(ids)}
    return {v.first: v.ids().ravel() for v in last} if made else None, kept


def _unexplained(record: Record, verdict: RunVerdict, back: Mapping[int, Ids], adjoint: Floats) -> dict[int, Ids]:
    """What came back and is the gradient of nothing: of nothing that is compared, nor of a state that began as zeros; no
    weight after its update either."""
    known = [row.right for row in verdict.compared]
    known += [record.pool[row.gradient] for row in verdict.compared if row.status == "wrong"]
    if len(adjoint):
        known += [adjoint[first : first + n] for first, n, _ in record.leaves.tolist() if n > 1]
    return {
        first: ids
        for first, ids in back.items()
        if not any(_is_right(record, ids, right) for right in known)
        and not any(_is_step(record, ids, row.own) for row in verdict.compared)
    }


def _by_what_is_returned(
    record: Record, verdict: RunVerdict, back: Mapping[int, Ids], left: dict[int, Ids]
) -> Iterator[ComparedGradient]:
    """What is compared, those that were handed over by what came back for them; what is taken for one is `left` no more."""
    for row in verdict.compared:
        handed_over = row.name.startswith("_driver") and row.status in ("right", "not compared")
        known = [ids for first, ids in back.items() if first not in left and _is_right(record, ids, row.right)]
        instead = [first for first, ids in left.items() if len(ids) == len(row.right)]
        if handed_over and known:
            yield _with_its_factor(record, row, known)
        elif handed_over and len(instead) == 1:
            yield _instead(record, row, left.pop(instead[0]), RETURNED)
        else:
            yield row


def _with_its_factor(record: Record, row: ComparedGradient, back: Sequence[Ids]) -> ComparedGradient:
    """The same of what came back, where that is not what was right on the way but a multiple of it."""
    matches = [(ids, match) for ids in back if (match := compared(record.pool[ids], row.right)) is not None]
    factor = row.match.factor if row.match is not None else 1.0
    if row.status != "right" or not matches or any(not m.right or same(m.factor, factor) for _, m in matches):
        return row
    ids, match = matches[-1]
    if not _is_of_numbers(record, match.factor / factor):
        return row
    return replace(row, match=match, bare=match, gradient=ids)


def _without_the_carry(record: Record, rows: list[ComparedGradient], back: Mapping[int, Ids]) -> list[ComparedGradient]:
    """The same without what does not come back and has another factor than what does: limits and numbers at the end are not put on it."""

    def comes_back(row: ComparedGradient) -> bool:
        return any(_is_right(record, ids, row.right) for ids in back.values())

    if not any(comes_back(row) for row in rows):
        return rows
    return [row for row in rows if not _is_a_multiple(row) or comes_back(row)]


def _with_one_factor(
    record: Record, rows: list[ComparedGradient], back: Mapping[int, Ids], loss: ChosenLoss
) -> list[ComparedGradient]:
    """The same, where those that came back have one factor: what was only right on the way may have another."""
    came = [row for row in rows if any(_is_right(record, ids, row.right) for ids in back.values())]
    multiples = [replace(row, status="right", reason="") if _is_a_multiple(row) else row for row in came]
    made, _ = one_factor(multiples, loss)
    judged = {id(row): one for row, one in zip(came, made, strict=True)}
    return [judged.get(id(row), row) for row in rows]


def _is_a_multiple(row: ComparedGradient) -> bool:
    """Whether nothing but a factor is wrong."""
    return row.status == "wrong" and row.match is not None and row.match.right


def _is_of_numbers(record: Record, factor: float) -> bool:
    """Whether a factor is a count, one part of one, or a number of the program's text: one that is computed from gradients limits them."""
    many = max(abs(factor), 1 / abs(factor))
    stated = [abs(float(record.pool[n])) for n in record.constants]
    is_count = many < COUNTS and same(many, round(many), DOUBLE)
    return is_count or any(same(abs(factor), n, DOUBLE) for n in stated if n)


def _scaled_on_the_way(record: Record, rows: list[ComparedGradient], loss: ChosenLoss) -> list[ComparedGradient]:
    """What comes back beside the loss that the program computes is no multiple of its gradients where the way back begins with dL/d(an
    output) as it is, or where it is as many times as what the loss is divided by, or one part of as many."""
    right = [row for row in rows if row.status == "right" and row.match is not None and row.update is None]
    right = [row for row in right if len(row.own) > ONE]
    factors = [row.match.factor for row in right if row.match is not None]
    if loss.assumed or loss.is_given or not right or any(same(abs(f), 1.0) for f in factors):
        return rows
    if not _is_of_numbers(record, factors[0]):
        return rows
    begin = at_the_begin(record, loss)
    many = max(abs(factors[0]), 1 / abs(factors[0]))
    if begin and all(same(f, 1.0) for f in begin):
        why = SCALED[1]
    elif any(same(many, number) for number in _averaged_over(record, loss)):
        why = f"{SCALED[0]}{many:.4g}"
    else:
        return rows
    return [
        replace(row, status="wrong", reason=f"it is {row.match.factor:.4g} times dL/d(it){why}")
        if row in right and row.match is not None
        else row
        for row in rows
    ]


def is_by_scale(verdict: RunVerdict) -> bool:
    """Whether all that is wrong is one factor that all gradients have."""
    wrong = [row for row in verdict.compared if row.status in ("wrong", "zero")]
    return bool(wrong) and all(map(_is_scaled, wrong))


def _is_scaled(row: ComparedGradient) -> bool:
    """Whether it is wrong by the one factor that all have."""
    return row.status == "wrong" and any(why in row.reason for why in SCALED)


def unless_scaled(verdict: RunVerdict) -> RunVerdict:
    """Right, where nothing but one factor is wrong: without a correction that may as well come from the sizes that were made up. Beside
    gradients that are wrong otherwise those with the factor are not."""
    if verdict.verdict != "wrong":
        return verdict
    left = "wrong" if not is_by_scale(verdict) else "undecided" if verdict.not_compared else "right"
    rows = (replace(row, status="right", reason="") if _is_scaled(row) else row for row in verdict.compared)
    return replace(verdict, verdict=left, compared=tuple(rows))


def _averaged_over(record: Record, loss: ChosenLoss) -> Iterator[float]:
    """What single numbers are divided by on the way to the loss, and of how many, along each axis, the means are."""
    forward = forward_of(record, loss)
    operations = record.operations
    for operation in operations.at(operations.named(("divide", "mean"))):
        if operation.size == 1 and forward[operation.start]:
            if operation.name == "divide":
                yield float(record.pool[operation.operands[-1].first])
            elif operation.name == "mean":
                yield from (float(n) for n in (operation.operands[0].size, *operation.operands[0].shape) if n > 1)


def _of_the_others(
    record: Record, loss: ChosenLoss, rows: Sequence[ComparedGradient], left: dict[int, Ids], adjoint: Floats
) -> Iterator[ComparedGradient]:
    """What came back and is the gradient of nothing, as that of the one array of its size that the loss was made from and that has none."""
    if not left:
        return
    forward, names = forward_of(record, loss), ArrayNames(record)
    seen = {int(row.own[0]) for row in rows if row.status != "not compared"}
    moving = [i for i in inputs(record) if int(i[0]) not in seen and forward[i].any() and adjoint[i].any()]
    for first, ids in list(left.items()):
        own = [i for i in moving if len(i) == len(ids)]
        rivals = [other for other in left.values() if len(other) == len(ids)]
        if len(own) == len(rivals) == 1 and not _is_step(record, ids, own[0]):
            row = ComparedGradient(names.of(own[0]), 0, "wrong", None, own[0], ids, adjoint[own[0]])
            yield _instead(record, row, left.pop(first), NOTHING_ELSE)


def _is_negative(rows: Sequence[ComparedGradient]) -> bool:
    """Whether everything that came back has the other sign."""
    factors = [row.match.factor for row in rows if row.match is not None and row.update is None and len(row.own) > ONE]
    return bool(factors) and len(factors) == len(rows) and all(factor < 0 for factor in factors)


def _by_sign(rows: list[ComparedGradient], loss: ChosenLoss) -> list[ComparedGradient]:
    """The gradients of a loss that is computed under its name have its sign, where nothing but they was seen."""
    right = [row for row in rows if row.status == "right"]
    stated = NAMED.search(loss.name) and not (LIKELIHOOD.search(loss.name) or loss.assumed or loss.is_given)
    if not stated or any(row.update is not None or row.match is None or row.match.factor > 0 for row in right):
        return rows
    return [replace(row, status="wrong", reason=NEGATED) if row.status == "right" else row for row in rows]


def _with_the_others(rows: Sequence[ComparedGradient], others: Iterable[ComparedGradient]) -> list[ComparedGradient]:
    """All rows, without those that could not be compared of what can."""
    made = {int(row.own[0]): row for row in others}
    return [row for row in rows if int(row.own[0]) not in made or row.status != "not compared"] + list(made.values())


def _instead(record: Record, row: ComparedGradient, ids: Ids, reason: str) -> ComparedGradient:
    match = compared(record.pool[ids], row.right)
    status = "zero" if match is None else "wrong"
    return replace(row, status=status, match=match, bare=match, gradient=ids, reason=reason)


def _is_step(record: Record, ids: Ids, own: Ids) -> bool:
    """Whether an array is what an update made of another."""
    maker = record.maker(int(ids[0]))
    operands = record.operations[maker].operands if maker >= 0 else ()
    return any(int(own[0]) in reference.ids() for reference in operands if reference.size)


def _is_right(record: Record, ids: Ids, right: Floats) -> bool:
    """Whether an array is the right one, perhaps before a limit that it went through."""
    if len(ids) != len(right):
        return False
    match = compared(record.pool[ids], right)
    if match is not None and not match.right:
        match = compared(record.pool[unlimited(record, ids)], right)
    return match is not None and match.right
