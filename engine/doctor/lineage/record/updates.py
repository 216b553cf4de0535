"""The updates of a run: which arrays were stepped, and by what.

A step adds an array to another, or subtracts it. It is an update only if the result takes the other's place: written in
place, bound to a name that it had, or read again where it was read first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.doctor.lineage.record.array_names import ArrayNames
from engine.doctor.lineage.record.arrays import whole_numbers
from engine.doctor.lineage.record.beginning import begin_of
from engine.doctor.lineage.record.levels import DEEPEST, keeping, levels_of, may_go_back, scaled
from engine.doctor.lineage.record.reading import Floats, Ids, Record, RecordedArray, RecordedOperation
from engine.doctor.lineage.record.tables import IN_PLACE
from engine.doctor.recording.tracing.codes import ADD


@dataclass(frozen=True, eq=False)
class Step:
    """By operation `made` an array was stepped by the numbers `by`, added (`sign` 1) or subtracted (-1).

    `levels` are the ids of the array: as it was stepped, and what it was before weight decay, a gather or the scaling
    of its first values. `further` are steps of what it made, as where two parts of a gradient are subtracted one after the other.
    """

    levels: tuple[Ids, ...]
    by: Ids
    sign: float
    made: RecordedOperation
    sure: bool
    further: tuple[FurtherStep, ...] = ()

    @property
    def every(self) -> tuple[RecordedOperation, ...]:
        """The operations of all steps, the last one last."""
        return (self.made, *(operation for f in self.further for operation in f.made))


@dataclass(frozen=True, eq=False)
class FurtherStep:
    """By the operations `made` what a step had made was stepped again, by the numbers `by`: added (`sign` 1) or subtracted (-1)."""

    by: Ids
    sign: float
    made: tuple[RecordedOperation, ...]


@dataclass(frozen=True, eq=False)
class Update:
    """All steps of one array. `by` and `signs` go with each level's ids; `made` are the operations, `line` of the first. `further` are
    steps of what one operation had made of the whole array, or of which it made that; their operations are the last of `made`."""

    line: int
    levels: tuple[Ids, ...]
    by: Ids
    signs: NDArray[np.float64]
    made: tuple[RecordedOperation, ...]
    sure: bool
    further: tuple[FurtherStep, ...] = ()

    def step(self, record: Record) -> Floats:
        """What was added to each number in all."""
        return sum((f.sign * record.pool[f.by] for f in self.further), record.pool[self.by] * self.signs)

    def one_by_one(self) -> Iterator[tuple[Update, Update]]:
        """Each of the steps as an update of its own, and the whole beginning with it."""
        first = replace(self, made=self.made[: len(self.made) - sum(len(f.made) for f in self.further)], further=())
        yield first, self
        for f in self.further:
            own = replace(first, line=f.made[0].line, by=f.by, signs=np.full(len(f.by), f.sign), made=f.made)
            others = FurtherStep(self.by, float(self.signs[0]), first.made), *(o for o in self.further if o is not f)
            yield own, replace(own, made=(*f.made, *(k for o in others for k in o.made)), further=others)


def found(record: Record, names: ArrayNames) -> list[list[Step]]:
    """The arrays that may have been stepped in the first round, in the order of their steps: for each its steps; of an array that is surely
    stepped, as a bias is, without the sums that a line makes of it again and again."""
    steps: dict[_Owner, list[Step]] = defaultdict(list)
    confirmed = {int(record.maker(number)) for number in (*record.again, *(first for _, first in record.rounds))}
    lines, operations = record.stepping, record.operations
    origins = dict[tuple[RecordedArray, bool], _LeavesOfArray](), names
    rows, which = _may_step(record, lines, confirmed)
    is_known = np.isin(operations.lines[rows], list(lines)) | np.isin(rows, list(confirmed))
    is_other = ~is_known & ~operations.have(IN_PLACE)[rows]
    surely, read_on = set[_Owner](), set[tuple[RecordedArray, int]]()
    for k in whole_numbers(is_other.argsort(kind="stable")):
        operation, operand = operations[int(rows[k])], int(which[k])
        place = operation.operands[operand], operation.line
        if place in read_on and surely.issuperset(origins[0][place[0], False].owners):
            continue
        steps_of = list(_steps(record, operation, operand, origins, bool(is_known[k])))
        for owner, step in steps_of:
            steps[owner].append(step)
        sure = {owner for owner, step in steps_of if step.sure}
        surely |= sure
        if is_other[k] and place[0].size > 1 and steps_of and not sure:
            read_on.add(place)
    groups = [sorted(group, key=lambda step: step.made.start) for group in steps.values() if not _begins_anew(group)]
    groups.sort(key=lambda group: group[0].made.start)
    return _with_further(record, names, _by_velocities(record, _without_means(record, names, groups)), lines)


_Owner = tuple[int | str, int]
"""What tells the steps of one array from those of others, see `_owner`, and how often it was scaled before it was stepped."""


def _begins_anew(steps: Sequence[Step]) -> bool:
    """Whether several sums begin with multiples of one single number, as each sequence's states do with the first: it is what it was, and
    not stepped."""
    begun = {int(s.levels[1][0]) for s in steps if len(s.by) == 1 and len(s.levels) > 1}
    return len(steps) > 1 == len(begun) and all(len(s.by) == 1 and len(s.levels) > 1 for s in steps)


def _without_means(record: Record, names: ArrayNames, groups: list[list[Step]]) -> list[list[Step]]:
    """Without a mean of weights over rounds: it begins as a copy of them, and what is added to it is a part of them after their step."""
    firm = {s.made.start: s for group in groups for s in group if s.sure and len(s.by) > 1}
    firm = {start: s for start, s in firm.items() if s.made.operands[0].first == s.levels[0][0]}

    def is_mean(step: Step) -> bool:
        of = firm.get(scaled_from(record, step.by)) if step.sure and len(step.by) > 1 else None
        if of is None or of.levels[-1][0] != step.levels[-1][0]:
            return False
        return of.made.parameters == IN_PLACE or names.bound_again([*of.levels], of.made)

    left = ([s for s in group if not is_mean(s)] for group in groups)
    return [group for group in left if group]


def _by_velocities(record: Record, groups: list[list[Step]]) -> list[list[Step]]:
    """The steps, of which those are sure, too, that add what another sure step has just made to a whole array: a velocity. Weights that are
    only ever added to, as in `ahead = w + mu * v`, are not seen to come round; a sample that is taken from all data is no whole array."""
    firm = {(s.made.start, len(s.by)) for group in groups for s in group if s.sure and len(s.by) > 1}

    def of(step: Step) -> Step:
        first = int(step.levels[-1][0])
        is_whole = record.maker(first) >= 0 or int(record.leaves[record.leaf(first), 1]) == len(step.by) > 1
        if step.sure or not is_whole or (scaled_from(record, step.by), len(step.by)) not in firm:
            return step
        return replace(step, sure=True)

    return [[of(step) for step in group] for group in groups]


def scaled_from(record: Record, ids: Ids) -> int:
    """The first number of what an array is a multiple of."""
    may_scale, _ = keeping(record)
    for _ in range(DEEPEST):
        k = record.maker(int(ids[0]))
        if k < 0 or not may_scale[k]:
            break  # as nearly always: one number tells it, without a look at the others
        makers = record.makers(ids)
        if makers.min() != makers.max():
            break
        operation = record.operations[k]
        kept = scaled(operation)
        if kept is None:
            break
        ids = operation.operands[kept].ids().ravel()[ids - operation.start]
    return int(ids[0])


def moved_ahead(record: Record, forward: NDArray[np.bool_]) -> Iterator[RecordedOperation]:
    """What adds another array, perhaps scaled, to one in place before the loss is made from it: a velocity, by which Nesterov's momentum
    moves the weights to where their gradient is taken."""
    operations = record.operations
    rows = np.array([*operations.sums.values()], np.int64)
    for operation in operations.at(rows[operations.have(IN_PLACE)[rows] & forward[operations.starts[rows]]]):
        moved, by = operation.operands
        if levels_of(record, by) and levels_of(record, moved):
            yield operation


def _with_further(record: Record, names: ArrayNames, groups: list[list[Step]], lines: Set[int]) -> list[list[Step]]:
    """The steps, with those of what they made themselves, as long as nothing else was made from that. What nothing was made from before
    its first step is no weight, but what a gradient is summed up in."""
    operations, seen = record.operations, set[int]()
    are_single = any(step.sure and len(step.by) == step.made.size == 1 for group in groups for step in group)
    singles = _single_sums(record, lines) if are_single else {}

    def of(step: Step) -> Step:
        if step.made.start in seen:  # a step further of one before
            return step
        if step.sure and len(step.by) == step.made.size == 1:
            return of_one(step)
        first = int(step.levels[0][0])
        until = operations.first_read(first, len(step.by))
        is_sum = until is None or until >= step.made.start
        if not step.sure or len(step.by) != step.made.size or (is_sum and not np.ptp(record.pool[step.levels[0]])):
            return step
        further, last = list[FurtherStep](), step.made
        while (k := operations.sums.get(last.start)) is not None:
            made = operations[k]
            known = made.parameters == IN_PLACE or made.line in lines or names.bound_again([*step.levels], made)
            if not known or not np.array_equal(made.operands[0].ids().ravel(), np.arange(last.start, last.stop)):
                break
            further.append(FurtherStep(made.operands[1].ids().ravel(), 1.0 if made.name == "add" else -1.0, (made,)))
            last = made
            seen.add(made.start)
        return replace(step, further=tuple(further)) if further else step

    def of_one(step: Step) -> Step:
        further, last = list[FurtherStep](), step.made
        while (k := singles.get(last.start)) is not None:
            made = operations[k]
            by = made.operands[1 if made.operands[0].first == last.start else 0].ids().ravel()
            further.append(FurtherStep(by, 1.0 if made.name == "add" else -1.0, (made,)))
            last = made
            seen.add(made.start)
        return replace(step, further=tuple(further)) if further else step

    return [[of(step) for step in group] for group in groups]


def _single_sums(record: Record, lines: Set[int]) -> dict[int, int]:
    """By single numbers: the place of what adds another to them on one of these lines, or takes it off, if no single number was made of
    them before."""
    operations = record.operations
    rows = operations.named(("add", "subtract"))
    rows = rows[(operations.codes[rows] > 0) & np.isin(operations.lines[rows], list(lines))]
    pairs = [(operations.one, rows), (operations.two, rows[operations.codes[rows] == ADD])]
    numbers = np.unique(np.concatenate([column[some] for column, some in pairs]))
    numbers = numbers[record.makers(numbers) >= 0]
    first = np.full(len(numbers), len(operations))
    for column in (operations.one, operations.two) if len(numbers) else ():
        own = np.minimum(numbers.searchsorted(column), len(numbers) - 1)
        readers, read = np.flatnonzero(numbers[own] == column)[::-1], np.full(len(numbers), len(operations))
        read[own[readers]] = readers  # the first one is written last
        np.minimum(first, read, out=first)
    made: dict[int, int] = {}
    for column, some in pairs:
        known = np.isin(column[some], numbers)
        some = some[known][first[numbers.searchsorted(column[some[known]])] == some[known]]
        made.update(zip(whole_numbers(column[some]), whole_numbers(some), strict=True))
    return made


def _may_step(record: Record, lines: Set[int], confirmed: set[int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The places of the operations that may step an array, or a single number, and for each the operand that it may step: most sums are not
    of what came from outside and what was computed, which is seen at once."""
    operations = record.operations
    rows = operations.named(("add", "subtract"))
    is_sure = np.isin(operations.lines[rows], list(lines)) | np.isin(rows, list(confirmed))
    is_added = np.abs(operations.codes[rows]) == ADD
    alone = operations.codes[rows] > 0
    one, two = operations.one[rows], operations.two[rows]
    may = np.zeros((len(rows), 2), bool)
    may[:, 0] = alone & may_go_back(record, one) & (record.makers(two) >= 0)
    may[:, 1] = alone & is_sure & is_added & may_go_back(record, two) & (record.makers(one) >= 0)
    wide = np.flatnonzero(~alone)
    several = operations.sizes[rows[wide]] > 1
    second = is_added[wide] & (several | is_sure[wide]) & ~operations.have(IN_PLACE)[rows[wide]]
    tried = np.stack((np.ones(len(wide), bool), second), axis=1)
    may[wide] = tried & _arrays_may_step(record, rows[wide], is_sure[wide])
    ks, which = np.nonzero(may)
    return rows[ks], which


def _arrays_may_step(record: Record, rows: NDArray[np.int64], is_sure: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether these sums of arrays may step their first operand, and their second, as far as sizes and what made the first numbers tell."""
    operations, arrays, wide = record.operations, record.operations.arrays, record.operations.wide
    kept, by_arrays = keeping(record)
    both = operations.operands[:2]
    are_two, sizes = (both[1] >= 0) & (operations.operands[2] < 0), operations.sizes[wide]
    own = wide.searchsorted(rows)
    in_place = is_sure | operations.have(IN_PLACE)[rows]
    may = np.zeros((len(rows), 2), bool)
    for which in (0, 1):
        stepped, by = both[which, own], both[1 - which, own]
        size, first = arrays.sizes[stepped], arrays.firsts[stepped]
        maker = record.makers(first)
        from_leaf = (maker < 0) | ((size > 1) & (first < begin_of(record)))
        from_leaf |= np.where(in_place, by_arrays[maker], kept[maker])
        is_computed = arrays.kept[by] | (record.makers(arrays.firsts[by]) >= 0)
        fits = (size == sizes[own]) & (size > 0) & ((arrays.sizes[by] > 1) | (size == 1))
        may[:, which] = are_two[own] & fits & from_leaf & is_computed
    return may


def _owner(record: Record, ids: Ids, names: ArrayNames) -> int | str:
    """What tells the steps of one array from those of others: its leaf, the operation that made one of a list's numbers, or what the
    numbers are called that were stepped one by one."""
    first = int(ids.flat[0])
    if ids.size == 1 and first in names.known:
        return names.known[first]
    k = record.maker(first)
    return record.leaf(first) if k < 0 else -record.operations[k].start


class _LeavesOfArray:
    """What an array that may be stepped goes back to: its levels, and the leaves that it is put together of."""

    def __init__(self, record: Record, names: ArrayNames, array: RecordedArray, in_place: bool) -> None:
        levels = levels_of(record, array) or (levels_of(record, array, by_vectors=True) if in_place else [])
        self.levels = levels
        self.parts = list[tuple[tuple[Ids, ...], NDArray[np.bool_] | slice]]()
        """The levels of each leaf, and which numbers of the array are of it."""
        self.owners = list[_Owner]()
        if not levels:
            return
        self.is_renamed = names.renamed(levels)
        owners = record.leaf_starts.searchsorted(levels[-1], "right")
        owned = np.unique(owners).tolist()
        if len(owned) > 1:  # put together of arrays that have no name, or a few numbers were changed
            without_name = len(levels) > 1 and not any(names.leaf(owner - 1) for owner in owned)
            if without_name or (record.makers(levels[-1]) >= 0).any():
                owned = owned[:1]
        for owner in owned:
            own = owners == owner if len(owned) > 1 else slice(None)
            self.parts.append((tuple(level[own] for level in levels), own))
        self.owners = [(_owner(record, of_leaf[-1], names), len(of_leaf)) for of_leaf, _ in self.parts]


def _steps(
    record: Record,
    operation: RecordedOperation,
    which: int,
    origins: tuple[dict[tuple[RecordedArray, bool], _LeavesOfArray], ArrayNames],
    sure: bool,
) -> Iterable[tuple[_Owner, Step]]:
    """The steps that a sum makes of one of its operands, if it does: one for each leaf that this goes back to, with whose it is. `origins`
    are those of the arrays that were asked for before."""
    stepped, by = operation.operands[which], operation.operands[1 - which]
    if stepped.shape != operation.shape or (by.size == 1 and stepped.size > 1):
        return
    if by.size == 1 and _is_given(record, by.first):
        return
    in_place = sure or operation.parameters == IN_PLACE
    known, names = origins
    origin = known.get((stepped, in_place))
    if origin is None:
        origin = known[stepped, in_place] = _LeavesOfArray(record, names, stepped, in_place)
    if not origin.levels or (not sure and origin.is_renamed):
        return
    added = (by.ids() if by.shape == operation.shape else np.broadcast_to(by.ids(), operation.shape)).ravel()
    if record.maker(int(added[0])) < 0 and (record.makers(added) < 0).all():
        return
    sign = 1.0 if operation.name == "add" else -1.0
    is_bound = sure or operation.parameters == IN_PLACE or names.bound_again(origin.levels, operation)
    for owner, (levels, own) in zip(origin.owners, origin.parts, strict=True):
        yield owner, Step(levels, added[own], sign, operation, is_bound)


def _is_given(record: Record, number: int) -> bool:
    """Whether a number comes from outside, or is a product of a few that do: `2 * h`, by which a numerical check moves a weight."""
    waiting = [number]
    for _ in range(DEEPEST):
        if not waiting:
            return True
        k = record.maker(waiting.pop())
        if k < 0:
            continue
        operation = record.operations[k]
        if operation.name not in ("multiply", "divide", "negative") or any(r.size != 1 for r in operation.operands):
            return False
        waiting += [r.first for r in operation.operands]
    return not waiting


def joined(steps: Sequence[Step]) -> Update:
    """The steps of one array as one update."""
    signs = np.concatenate([np.full(len(s.by), s.sign) for s in steps])
    levels = tuple(np.concatenate(same) for same in zip(*(s.levels for s in steps), strict=True))
    by = np.concatenate([s.by for s in steps])
    further = _all_together([step.further for step in steps])
    made = *dict.fromkeys(s.made for s in steps), *(k for f in further for k in f.made)
    return Update(made[0].line, levels, by, signs, made, any(s.sure for s in steps), further)


def _all_together(several: Sequence[tuple[FurtherStep, ...]]) -> tuple[FurtherStep, ...]:
    """The further steps of the numbers of an array, one after the other; none where some numbers are stepped more often."""
    if len({tuple(f.sign for f in further) for further in several}) > 1:
        return ()
    return tuple(
        FurtherStep(np.concatenate([f.by for f in same]), same[0].sign, tuple(k for f in same for k in f.made))
        for same in zip(*several, strict=True)
    )
