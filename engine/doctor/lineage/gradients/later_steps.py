"""What the rest of a run says of steps that looked right: one whose result nobody reads is no update, and one by a gradient of an earlier
round is not by that of its own. And of steps that were not seen: the loss was made from gradients."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from engine.doctor.lineage.gradients.comparison import ComparedGradient
from engine.doctor.lineage.record.array_names import ArrayNames
from engine.doctor.lineage.record.arrays import whole_numbers
from engine.doctor.lineage.record.carry_back import reached, touched
from engine.doctor.lineage.record.derivatives import PRODUCTS
from engine.doctor.lineage.record.levels import levels_of
from engine.doctor.lineage.record.matching import compared
from engine.doctor.lineage.record.reading import Record, RecordedArray, RecordedOperation
from engine.doctor.lineage.record.tables import IN_PLACE
from engine.doctor.lineage.record.updates import found, moved_ahead
from engine.doctor.lineage.the_loss.loss import ChosenLoss, adjoint_of, forward_of

DROPPED = "what its step makes is dropped: line {} reads it again as it was"
NOT_SEEN = "the loss was made from what line {} made before: arrays were stepped by it in a way that was not seen"
HANDED_IN = "line {} adds to the error what was handed in from outside: of which loss that is a part is not seen"
OF_ANOTHER_PASS = (
    "the loss of line {} was computed in another forward pass than the gradients came from, and from other numbers"
)
NOT_FOLLOWED = "gradients were made from what line {} makes with NumPy's {}, which is not followed"
UNFOLLOWED = "gradients were made from what line {} makes or reads, which was computed without being followed"
AHEAD = "line {} moves weights by another array before their gradient is taken, as Nesterov's momentum does: that is not followed"
HALF = 1e-2
"""So far gradients may lie apart, relative to the largest entry, where states have the three digits of half precision."""
IN_HALF = (
    "gradients lie at most {:.1g} of their largest entry beside dL/d(weights), and line {} keeps numbers in half precision, "
    "which has three digits: whether they are right is not seen from them"
)
READ_OTHERWISE = "line {} steps it, and the loss is made from it in a way that was not followed"
REUSED = "line {} steps it once more by what was computed before its last update"
BY_A_NUMBER = "line {} changes all of it by the same number, which is no gradient"

ArrayKey = tuple[int, int]
"""An array by its first number and its size."""


def dropped(whole: Record, record: Record, rows: Sequence[ComparedGradient]) -> list[str]:
    """A sentence on each array of a round (`record`) that is read again, on a line that read it before, as it was, while nothing ever
    reads what it was stepped to."""
    sums = _sums(record, [int(row.own[0]) for row in rows])
    steps = {
        (int(row.own[0]), len(row.own)): (row.name, step.start)
        for row in rows
        if (step := _step_of(record, row, sums)) is not None
    }
    stepped = {start: key for key, (_, start) in steps.items()}
    lines, again = {key: set[int]() for key in steps}, dict[ArrayKey, int]()
    for operation in whole.operations if steps else ():
        for operand in operation.operands:
            if operand.first in stepped:
                steps.pop(stepped[operand.first], None)
            key = (operand.first, operand.size)
            if key in steps and operand.kept is None and operation.start < steps[key][1]:
                lines[key].add(operation.line)
            elif key in steps and operation.start > steps[key][1] and operation.line in lines[key]:
                again.setdefault(key, operation.line)
        if not steps:
            break
    return [
        f"{name}: {DROPPED.format(whole.lines[again[key]].number)}" for key, (name, _) in steps.items() if key in again
    ]


def _sums(record: Record, firsts: Sequence[int]) -> list[RecordedOperation]:
    """The sums of arrays of several numbers, of which the first begins with one of these, that are not put in its place."""
    operations = record.operations
    rows = operations.sums_on_arrays
    own = operations.arrays.firsts[operations.operands[0][operations.wide.searchsorted(rows)]]
    rows = rows[np.isin(own, firsts) & (operations.sizes[rows] > 1) & ~operations.have(IN_PLACE)[rows]]
    return list(operations.at(rows))


def _step_of(record: Record, row: ComparedGradient, sums: Sequence[RecordedOperation]) -> RecordedOperation | None:
    """The operation that steps an array into a new one, as a whole: its update's, or, of `sums`, the first of a line that steps it by a
    multiple of its gradient."""
    if row.update is not None:
        made = row.update.made
        return made[0] if len(made) == 1 and made[0].size == len(row.own) and made[0].parameters != IN_PLACE else None
    steps: dict[int, RecordedOperation] = {}
    for operation in sums:
        own, by = operation.operands[0], operation.operands[-1]
        if own.first == row.own[0] and own.size == by.size == operation.size == len(row.own):
            steps.setdefault(operation.line, operation)
            match = compared(by.of(record.pool).ravel(), row.right)
            if match is not None and match.right:
                return steps[operation.line]
    return None


def reused(record: Record, versions: Mapping[int, str]) -> list[str]:
    """A sentence on each array that a round steps by numbers which were all computed before. `versions` says what arrays are called, by
    their first number as an earlier round left them."""
    told: dict[str, str] = {}
    operations = record.operations
    rows = operations.sums_on_arrays
    own = operations.arrays.firsts[operations.operands[0][operations.wide.searchsorted(rows)]]
    for operation in operations.at(rows[operations.have(IN_PLACE)[rows] & np.isin(own, list(versions))]):
        own, by = operation.operands
        known = own.first in versions and own.size == by.size > 1 and record.is_earlier(by.first)
        if known and (record.makers(by.ids().ravel()) < 0).all():
            told.setdefault(versions[own.first], REUSED.format(record.lines[operation.line].number))
    return [f"{name}: {why}" for name, why in told.items()]


def by_a_number(record: Record, loss: ChosenLoss) -> list[str]:
    """A sentence on each array of several numbers that moves the loss and is changed by one number as a whole, as `W -= rate` does."""
    names = ArrayNames(record)
    steps = [o for o in _by_one_number(record, loss, names) if record.pool[o.operands[1].first]]
    lines = {names.of(o.operands[0].ids()): record.lines[o.line].number for o in reversed(steps)}
    return [f"{name}: {BY_A_NUMBER.format(line)}" for name, line in lines.items()]


def by_zero(record: Record, loss: ChosenLoss) -> list[ComparedGradient]:
    """The arrays of several numbers that move the loss and are stepped by a single 0: their gradient is zero, as nothing was added."""
    names, made = ArrayNames(record), dict[int, ComparedGradient]()
    for operation in _by_one_number(record, loss, names):
        own, by = (r.ids().ravel() for r in operation.operands)
        if not record.pool[by[0]]:
            line, right = record.lines[operation.line].number, adjoint_of(record, loss)[own]
            row = ComparedGradient(names.of(own), line, "zero", None, own, by, right)
            made.setdefault(int(own[0]), row)
    return list(made.values())


def read_otherwise(
    record: Record,
    loss: ChosenLoss,
    rows: Sequence[ComparedGradient],
    later: Sequence[tuple[Record | None, ChosenLoss | None]],
) -> list[str]:
    """A sentence on each array without a row that is stepped, and that the loss is made from in a way that is not followed: from an array
    from outside with the same numbers, or, in a `later` round, from what the step has made."""
    names, inside, own = ArrayNames(record), forward_of(record, loss), {int(row.own[0]) for row in rows}
    leaves = [
        (start, start + size) for start, size, _ in map(whole_numbers, record.leaves) if size > 1 and inside[start]
    ]
    read = {record.pool[start:stop].tobytes() for start, stop in leaves}
    after = [forward_of(its, loss_) for its, loss_ in later if its is not None and loss_ is not None]
    left = list[str]()
    for step in (s for group in found(record, names) for s in group if s.by.size > 1):
        values = record.pool[step.levels[0]]
        if any(inside[ids].any() or int(ids[0]) in own for ids in step.levels) or not np.ptp(values):
            continue
        made = step.every[-1]
        if values.tobytes() in read or (step.sure and any(forward[made.start] for forward in after)):
            left.append(f"{names.of(step.levels[-1])}: {READ_OTHERWISE.format(record.lines[step.made.line].number)}")
    return left


def _by_one_number(record: Record, loss: ChosenLoss, names: ArrayNames) -> Iterator[RecordedOperation]:
    """Where an array of several numbers that moves the loss is changed by one number as a whole."""
    forward, operations = forward_of(record, loss), record.operations
    rows = operations.sums_on_arrays
    rows = rows[(operations.sizes[rows] > 1) & ~forward[operations.starts[rows]]]
    by_one = operations.arrays.sizes[operations.operands[1][operations.wide.searchsorted(rows)]] == 1
    for operation in operations.at(rows[by_one]):
        own = operation.operands[0]
        if own.size != operation.size or not forward[own.first]:
            continue
        levels = levels_of(record, own)
        is_step = operation.parameters == IN_PLACE or names.bound_again(levels, operation)
        if levels and is_step and adjoint_of(record, loss)[own.ids()].any():
            yield operation


def not_seen(record: Record, loss: ChosenLoss, rows: Sequence[ComparedGradient]) -> str:
    """A sentence where the loss was made from what the places made before that make the gradients which are not right; "" where none was:
    then the weights were stepped in between, and the loss is not that of the round."""
    first = {int(row.gradient[0]) for row in rows if row.update is None and row.status == "wrong" and row.gradient.size}
    own = [
        e for e in record.events if not e.name.startswith("_driver")
    ]  # what calls functions holds all that comes back at once
    made = [e for e in own if e.site.kind in ("assign", "increment") and e.value.size > 1]
    places = {(id(e.site), e.part) for e in made if e.value.first in first}
    forward = forward_of(record, loss)
    line = next((e.site.line for e in made if (id(e.site), e.part) in places and forward[e.value.ids()].any()), 0)
    return NOT_SEEN.format(line) if line else ""


def handed_in(record: Record, loss: ChosenLoss, rows: Sequence[ComparedGradient]) -> str:
    """A sentence where what gradients that are not right were made from is a sum with an array from outside that is not zero and has no
    part in the loss: the derivative of a loss that comes after this one. "" where there is none."""
    wrong = [RecordedArray(row.gradient.shape, kept=row.gradient) for row in rows if row.status == "wrong"]
    if loss.is_given or not wrong:
        return ""
    marked, forward = reached(record, wrong), forward_of(record, loss)
    for operation in record.operations.at(record.operations.named(("add",))):
        if operation.size < 2 or not marked[operation.start] or forward[operation.start]:
            continue
        given = [r for r in operation.operands if r.size == operation.size and record.maker(r.first) < 0]
        given = [r for r in given if not touched(forward, r) and _is_handed_in(record, loss, r)]
        if len(given) == 1 and not record.is_earlier(given[0].first):
            return HANDED_IN.format(record.lines[operation.line].number)
    return ""


def stepped_ahead(record: Record, loss: ChosenLoss, rows: Sequence[ComparedGradient]) -> str:
    """A sentence where weights were moved by what an earlier round left, and the loss was made from both. "" where they were not."""
    if not any(row.status == "wrong" and row.update is not None for row in rows):
        return ""
    line = next((o.line for o in moved_ahead(record, forward_of(record, loss))), 0)
    return AHEAD.format(record.lines[line].number) if line else ""


def _is_handed_in(record: Record, loss: ChosenLoss, array: RecordedArray) -> bool:
    """Whether an array is not zero, and was there before the loss or is one number throughout: others may have been computed in a way that
    was not followed."""
    values = array.of(record.pool)
    return bool(values.all()) and (array.first < loss.ids.min() or float(np.ptp(values)) == 0.0)


def not_followed(record: Record, loss: ChosenLoss, rows: Sequence[ComparedGradient]) -> str:
    """A sentence where what gradients that are not right were made from begins with what a function made that is not followed, or with
    what a statement did that is not recorded. "" where there is none."""
    wrong = [RecordedArray(row.gradient.shape, kept=row.gradient) for row in rows if row.status == "wrong"]
    functions = {line: name for name, line, _ in record.lost if line}
    if not wrong or not functions:
        return ""
    marked = reached(record, wrong)
    alone = marked & ~forward_of(record, loss)
    for start, size, line in (whole_numbers(leaf) for leaf in record.leaves):
        function = functions.get(line)
        if function == "" and marked[start : start + size].any():
            return UNFOLLOWED.format(record.lines[line].number)
        if function and alone[start : start + size].any():
            return NOT_FOLLOWED.format(record.lines[line].number, function)
    return ""


def in_half_precision(record: Record, loss: ChosenLoss, rows: Sequence[ComparedGradient]) -> str:
    """A sentence where gradients that are not right are so nearly, and numbers were kept in half precision. "" where it is not so."""
    del loss
    wrong = [row for row in rows if row.status in ("wrong", "zero")]
    matches = [compared(record.pool[row.gradient], row.right) for row in wrong] if record.half else []
    errors = [HALF if match is None else match.error for match in matches]
    return IN_HALF.format(max(errors), record.lines[record.half].number) if errors and max(errors) < HALF else ""


def of_another_pass(record: Record, loss: ChosenLoss, rows: Sequence[ComparedGradient]) -> str:
    """A sentence where gradients that are not right came from no product of the loss's forward pass, and that pass is not one that ran
    twice: after the last update, say, and with other data. "" where it is not so."""
    wrong = [RecordedArray(row.gradient.shape, kept=row.gradient) for row in rows if row.status == "wrong"]
    if not wrong or loss.is_given:
        return ""
    marked, forward = reached(record, wrong), forward_of(record, loss)
    products = list(record.operations.at(record.operations.named(PRODUCTS)))
    own = [o for o in products if o.size > 1 and forward[o.start]]
    others = [o for o in products if o.size > 1 and not forward[o.start]]
    if not own or any(marked[o.start] for o in own):
        return ""
    made = {record.pool[o.start : o.stop].tobytes() for o in others}
    is_twice = all(record.pool[o.start : o.stop].tobytes() in made for o in own)
    return "" if is_twice else OF_ANOTHER_PASS.format(loss.line)
