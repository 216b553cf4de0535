"""The updates of a run: which arrays were stepped, and by what.

A step adds an array to another, or subtracts it. It is an update only if the result takes the other's place: written in
place, bound to a name that it had, or read again where it was read first.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.doctor.lineage.record.arrays import whole_numbers
from engine.doctor.lineage.record.called_names import ARGUMENT
from engine.doctor.lineage.record.derivatives import PRODUCTS, UNARY
from engine.doctor.lineage.record.reading import Floats, Ids, Record, RecordedArray, RecordedOperation
from engine.doctor.lineage.record.tables import Spot
from engine.doctor.recording.tracing.codes import ADD, CODES, GATHER, MULTIPLY, SUBTRACT
from engine.remembered import remembered

DIVIDE = CODES["divide"]
IN_PLACE = (1,)
"""What an operation's parameters are that puts its result in the place of its first operand."""
_DEEPEST = 4
NAMELESS = ("the array made in", "an array")
"""How arrays without a name are called."""
_NAME = re.compile(r"^[^\W\d][\w.]*(\[[^()]*\])*([.][\w.]+(\[[^()]*\])*)*$")


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


@dataclass(frozen=True, eq=False)
class FurtherStep:
    """By operation `made` what a step had made was stepped again, by the numbers `by`: added (`sign` 1) or subtracted (-1)."""

    by: Ids
    sign: float
    made: RecordedOperation


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
        first = replace(self, made=self.made[: len(self.made) - len(self.further)], further=())
        yield first, self
        for f in self.further:
            own = replace(first, line=f.made.line, by=f.by, signs=np.full(len(f.by), f.sign), made=(f.made,))
            others = FurtherStep(self.by, float(self.signs[0]), self.made[0]), *(o for o in self.further if o is not f)
            yield own, replace(own, made=(f.made, *(o.made for o in others)), further=others)


def found(record: Record, names: ArrayNames) -> list[list[Step]]:
    """The arrays that may have been stepped in the first round, in the order of their steps: for each its steps."""
    steps: dict[tuple[int | str, int], list[Step]] = defaultdict(list)
    confirmed = {int(record.maker(number)) for number in (*record.again, *(first for _, first in record.rounds))}
    lines = {record.operations[k].line for k in confirmed if k >= 0}
    origins = dict[tuple[RecordedArray, bool], _LeavesOfArray](), names
    for k, which in _may_step(record, lines, confirmed):
        operation = record.operations[k]
        for step in _steps(record, operation, which, origins, operation.line in lines or k in confirmed):
            steps[_owner(record, step.levels[-1], names), len(step.levels)].append(step)
    return _with_further(record, names, _without_means(record, names, list(steps.values())), lines)


def _without_means(record: Record, names: ArrayNames, groups: list[list[Step]]) -> list[list[Step]]:
    """Without a mean of weights over rounds: it begins as a copy of them, and what is added to it is a part of them after their step."""

    firm = {s.made.start: s for group in groups for s in group if s.sure and len(s.by) > 1}
    firm = {start: s for start, s in firm.items() if s.made.operands[0].first == s.levels[0][0]}

    def is_mean(step: Step) -> bool:
        of = firm.get(_scaled_from(record, step.by)) if step.sure and len(step.by) > 1 else None
        if of is None or of.levels[-1][0] != step.levels[-1][0]:
            return False
        return of.made.parameters == IN_PLACE or names.bound_again([*of.levels], of.made)

    left = ([s for s in group if not is_mean(s)] for group in groups)
    return [group for group in left if group]


def _scaled_from(record: Record, ids: Ids) -> int:
    """The first number of what an array is a multiple of."""
    for _ in range(_DEEPEST):
        makers = record.makers(ids)
        if makers.min() < 0 or makers.min() != makers.max():
            break
        operation = record.operations[int(makers[0])]
        kept = _scaled(operation)
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


def _with_further(record: Record, names: ArrayNames, groups: list[list[Step]], lines: set[int]) -> list[list[Step]]:
    """The steps, with those of what they made themselves, as long as nothing else was made from that. What nothing was made from before
    its first step is no weight, but what a gradient is summed up in."""
    operations = record.operations

    def of(step: Step) -> Step:
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
            further.append(FurtherStep(made.operands[1].ids().ravel(), 1.0 if made.name == "add" else -1.0, made))
            last = made
        return replace(step, further=tuple(further)) if further else step

    return [[of(step) for step in group] for group in groups]


def _may_step(record: Record, lines: set[int], confirmed: set[int]) -> list[tuple[int, int]]:
    """The operations that may step an array, or a single number, each with the operand that it may step: most sums are not of what came
    from outside and what was computed, which is seen at once."""
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
    return list(zip(whole_numbers(rows[ks]), whole_numbers(which), strict=True))


@remembered
def _keeping(record: Record) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which operations may leave an operand what it was, but for a scale or the order of its entries, as far as sizes tell (all on single
    numbers); and which also if it may have been scaled by an array."""
    operations, arrays, wide = record.operations, record.operations.arrays, record.operations.wide
    both, codes = operations.operands[:2], np.abs(operations.codes[wide])
    scales = (arrays.sizes[both] == 1) & (arrays.sizes[both[::-1]] == operations.sizes[wide])
    scales &= (both[1] >= 0) & (operations.operands[2] < 0)
    scales[0] &= codes != DIVIDE
    products = np.isin(codes, (MULTIPLY, DIVIDE))
    kept = np.ones(len(operations), bool)
    kept[wide] = (codes == GATHER) | (scales.any(axis=0) & (products | np.isin(codes, (ADD, SUBTRACT))))
    by_arrays = kept.copy()
    by_arrays[wide] |= products
    return kept, by_arrays


def _arrays_may_step(record: Record, rows: NDArray[np.int64], is_sure: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether these sums of arrays may step their first operand, and their second, as far as sizes and what made the first numbers tell."""
    operations, arrays, wide = record.operations, record.operations.arrays, record.operations.wide
    kept, by_arrays = _keeping(record)
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


def may_go_back(record: Record, numbers: Ids, alone: bool = True) -> NDArray[np.bool_]:
    """Which of these numbers, `alone` or the first of arrays, may go back to a leaf, as `levels_of` sees it, as far as what made them
    tells."""
    operations, makers = record.operations, record.makers(numbers)
    may = ~np.isin(numbers, list(record.constants))
    computed = makers >= 0
    made_by = makers[computed]
    codes = operations.codes[made_by]
    scaled = np.isin(np.abs(codes), (GATHER, MULTIPLY, DIVIDE))
    is_sum = np.isin(np.abs(codes), (ADD, SUBTRACT))
    if alone:
        is_sum &= (codes < 0) | (record.makers(operations.two[made_by]) < 0)
    may[computed] = _keeping(record)[0][made_by] & (scaled | is_sum)
    return may | (computed & (numbers < begin_of(record)))


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


def _steps(
    record: Record,
    operation: RecordedOperation,
    which: int,
    origins: tuple[dict[tuple[RecordedArray, bool], _LeavesOfArray], ArrayNames],
    sure: bool,
) -> Iterable[Step]:
    """The steps that a sum makes of one of its operands, if it does: one for each leaf that this goes back to. `origins` are those of the
    arrays that were asked for before."""
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
    if (record.makers(added) < 0).all():
        return
    sign = 1.0 if operation.name == "add" else -1.0
    is_bound = sure or operation.parameters == IN_PLACE or names.bound_again(origin.levels, operation)
    for levels, own in origin.parts:
        yield Step(levels, added[own], sign, operation, is_bound)


def _is_given(record: Record, number: int) -> bool:
    """Whether a number comes from outside, or is a product of a few that do: `2 * h`, by which a numerical check moves a weight."""
    waiting = [number]
    for _ in range(_DEEPEST):
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


def levels_of(record: Record, array: RecordedArray, by_vectors: bool = False) -> list[Ids]:
    """The array, and what it was before it was scaled or gathered, down to a leaf; [] where it goes back to no leaf. `by_vectors` is
    whether it may have been scaled by arrays, as the columns of an orthogonal matrix are by signs."""
    if array.size == 0:
        return []
    if array.size == 1:
        return [np.array([number], np.int32) for number in _levels_of_one(record, array.first)]
    first, begin = record.maker(array.first), begin_of(record)
    if array.first >= begin and first >= 0 and _kept(record, record.operations[first], by_vectors) is None:
        return []  # as nearly always: one number tells it, without a look at the others
    ids = array.ids().ravel()
    levels = [ids]
    for _ in range(_DEEPEST):
        makers = record.makers(ids)
        if (makers < 0).all():
            constant = record.leaves[record.leaf_starts.searchsorted(ids, "right") - 1, 2] < 0
            return [] if constant.any() else levels
        if makers.min() != makers.max():
            return levels if ids.max() < begin or _is_tried_out(record, ids, makers) else []
        operation = record.operations[int(makers[0])]
        if operation.joins_a_list:
            return levels
        kept = _kept(record, operation, by_vectors)
        if kept is None:
            return levels if operation.stop <= begin else []
        ids = operation.operands[kept].ids().ravel()[ids - operation.start]
        levels.append(ids)
    return levels if ids.max() < begin else []


def _is_tried_out(record: Record, ids: Ids, makers: NDArray[np.int32]) -> bool:
    """Whether all but a few numbers of an array are those of a weight, and these were changed one by one, as a numerical check does it."""
    found, counts = np.unique(makers, return_counts=True)
    most = int(found[counts.argmax()])
    changed = [record.operations[int(k)] for k in found if k not in (most, -1)]
    if 2 * counts.max() < len(makers) or len(changed) != len(found) - 1 or not changed:
        return False
    if not all(o.size == 1 and o.name in ("add", "subtract") for o in changed):
        return False
    rest = ids[makers == most]
    return bool(levels_of(record, RecordedArray(rest.shape, kept=rest)))


@remembered
def begin_of(record: Record) -> int:
    """The first number of the first product, or of the arguments with which functions are called: arrays that were made before are what
    the program begins with, however they were made, `0.5 * np.eye(n) + noise` or zeros of which some were set to 1."""
    products = record.operations.named(PRODUCTS)
    arguments = record.events.where(lambda kind: kind.name.startswith(ARGUMENT))
    called = int(record.events.times[arguments].min()) if arguments.any() else 0
    return max(int(record.starts[products[0]]) if len(products) else 0, called)


def _levels_of_one(record: Record, number: int) -> list[int]:
    """`levels_of` for a single number: where a program computes number by number, there are very many. A list's goes back to the list."""
    levels = [number]
    for _ in range(_DEEPEST):
        k = record.maker(number)
        if k < 0:
            return [] if number in record.constants else levels
        operation = record.operations[k]
        if operation.joins_a_list:
            return levels
        kept = _scaled(operation)
        if kept is None:
            return []
        if operation.name in ("add", "subtract") and record.maker(operation.operands[1 - kept].first) >= 0:
            return []  # a step before this one
        number = operation.operands[kept].number(number - operation.start)
        levels.append(number)
    return []


def _kept(record: Record, operation: RecordedOperation, by_vectors: bool) -> int | None:
    """The operand that an operation leaves what it was, but for a scale or the order of its entries."""
    kept = _scaled(operation)
    return _scaled_by_given(record, operation) if kept is None and by_vectors else kept


def _scaled(operation: RecordedOperation) -> int | None:
    """The operand that an operation only scales, shifts by a number or gathers."""
    if operation.name == "gather":
        return 0
    if operation.name in ("multiply", "divide", "add", "subtract") and len(operation.operands) == 2:
        one, two = operation.operands
        if one.shape == operation.shape and two.size == 1:
            return 0
        if two.shape == operation.shape and one.size == 1 and operation.name != "divide":
            return 1
    return None


def _scaled_by_given(record: Record, operation: RecordedOperation) -> int | None:
    """The operand that an operation multiplies by an array in which no sum or product of others is."""
    if operation.name not in ("multiply", "divide") or operation.operands[0].shape != operation.shape:
        return None
    k = record.maker(operation.operands[1].first)
    for _ in range(_DEEPEST):
        if k < 0:
            return 0
        if record.operations[k].name not in ("gather", *UNARY):
            break
        k = record.maker(record.operations[k].operands[0].first)
    return None


def joined(steps: Sequence[Step]) -> Update:
    """The steps of one array as one update."""
    signs = np.concatenate([np.full(len(s.by), s.sign) for s in steps])
    levels = tuple(np.concatenate(same) for same in zip(*(s.levels for s in steps), strict=True))
    by = np.concatenate([s.by for s in steps])
    further = steps[0].further if len(steps) == 1 else ()
    made = *dict.fromkeys(s.made for s in steps), *(f.made for f in further)
    return Update(made[0].line, levels, by, signs, made, any(s.sure for s in steps), further)


class ArrayNames:
    """What arrays are called: the events in which they were seen."""

    def __init__(self, record: Record, known: Mapping[int, str] | None = None) -> None:
        """`known` are the names of arrays by their first number: what stepped versions are called."""
        self.record = record
        self.known = known or {}
        self._is_named = record.events.where(
            lambda kind: bool(_NAME.match(kind.name)) and kind.site.kind != "increment"
        )
        self._results: dict[tuple[int, bool], list[str]] = {}
        self._wholes: dict[tuple[int, int], list[str]] = {}
        self._leaves: dict[int, list[str]] = {}
        self._last_parts: dict[tuple[int, bool], frozenset[str]] = {}
        self._parts_at_first: dict[tuple[int, int], frozenset[str]] = {}

    def _named(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Of these events those in which something was seen under a name."""
        return places[self._is_named[places] & (self.record.events.sizes[places] > 0)]

    def _kinds(self, places: NDArray[np.int64]) -> list[Spot]:
        events = self.record.events
        return [events.kinds[k] for k in whole_numbers(events.spots[places])]

    def results(self, first: int, is_one: bool) -> list[str]:
        """The names of arrays by their first number, and whether it is the only one: `w[i]` is not what the array is called that begins
        with it."""
        found = self._results.get((first, is_one))
        if found is None:
            events = self.record.events
            places = self._named(events.beginning(first))
            places = places[(events.sizes[places] == 1) == is_one]
            found = self._results[first, is_one] = [kind.name for kind in self._kinds(places)]
        return found

    def leaf(self, leaf: int) -> list[str]:
        """The names of what begins in a leaf."""
        found = self._leaves.get(leaf)
        if found is None:
            record, starts = self.record, self.record.leaf_starts
            last = int(starts[leaf + 1]) if leaf + 1 < len(starts) else len(record.pool)
            places = self._named(record.events.beginning(int(starts[leaf]) if leaf >= 0 else 0, last))
            places = places[record.makers(record.events.firsts[places]) < 0]
            found = self._leaves[leaf] = [kind.name for kind in self._kinds(places)]
        return found

    def whole(self, first: int, size: int) -> list[str]:
        """The names by the first number and how many there are: a part that begins with the same number has another name. What is returned
        and then assigned is called as what it is assigned to, and no longer as in the function."""
        found = self._wholes.get((first, size))
        if found is None:
            found, returned = list[str](), False
            places = self._named(self.record.events.beginning(first))
            for kind in self._kinds(places[self.record.events.sizes[places] == size]):
                if returned and kind.site.kind == "assign":
                    found.clear()
                found.append(kind.name)
                returned = kind.site.kind == "return"
            self._wholes[first, size] = found
        return found

    def all_of(self, ids: Ids) -> list[str]:
        """Every name that an array was seen under, in the order of the run."""
        first = int(ids.flat[0])
        k = self.record.maker(first)
        if ids.size == 1 and k >= 0 and self.record.operations[k].joins_a_list:
            return self.results(self.record.operations[k].start, False)
        names = self.results(first, ids.size == 1)
        return names or (self.leaf(self.record.leaf(first)) if self.record.maker(first) < 0 else [])

    def last_parts(self, ids: Ids) -> frozenset[str]:
        """The last part of each name of an array: an array that a loop reads is seen very often, under few names."""
        key = int(ids.flat[0]), ids.size == 1
        found = self._last_parts.get(key)
        if found is None:
            found = self._last_parts[key] = frozenset(map(_last, self.all_of(ids)))
        return found

    def of(self, ids: Ids) -> str:
        """The first name of an array, else the line that it was made on."""
        if int(ids.flat[0]) in self.known:
            return self.known[int(ids.flat[0])]
        names = self.whole(int(ids.flat[0]), ids.size) or self.all_of(ids)
        if not names and ids.size > 1:  # its first number was changed, as by a check
            k = self.record.maker(int(ids.flat[-1]))
            names = self.all_of(self.record.operations[k].result.ids() if k >= 0 else ids[-1:])
        if names:
            return re.sub(r"\[:\]$", "", max(names[:8], key=_specific))
        line = self.made(int(ids.flat[0]))
        return f"the array made in line {line}" if line else "an array"

    def made(self, number: int) -> int:
        """The number of the line that made a number, 0 where it is not known."""
        k = self.record.maker(number)
        line = self.record.operations[k].line if k >= 0 else int(self.record.leaves[self.record.leaf(number), 2])
        return self.record.lines[line].number if 0 < line < len(self.record.lines) else 0

    def renamed(self, levels: Sequence[Ids]) -> bool:
        """Whether an array is a scaled or gathered copy under a name of its own: `dW = decay * W` is another array than W, and what
        `w *= decay` makes is not."""
        maker = self.record.maker(int(levels[0].flat[0]))
        if maker >= 0 and self.record.operations[maker].parameters == IN_PLACE:
            return False
        own = self.last_parts(levels[0])
        origin = next((n for level in levels[:0:-1] if (n := self.last_parts(level))), frozenset[str]())
        return bool(own) and bool(origin) and not own & origin

    def bound_again(self, levels: list[Ids], operation: RecordedOperation) -> bool:
        """Whether a result was given a name that the array had before anything was made of it; one number, that of an entry of it. What an
        array of zeros is called on the way back, that the first state was, too, is no name of the state."""
        after = {_last(n) for n in self.results(operation.start, operation.size == 1)}
        if operation.size == 1:
            after |= {n.split("[", 1)[0] for n in after}
        return bool(after) and any(after & self._at_first(level) for level in levels)

    def _at_first(self, ids: Ids) -> frozenset[str]:
        """`last_parts` of the names that an array of several numbers had before anything was made of it."""
        first, size = int(ids.flat[0]), ids.size
        found = self._parts_at_first.get((first, size))
        if found is None:
            until = self.record.operations.first_read(first, size)
            named = frozenset[str]()
            if until is not None:
                events = self.record.events
                places = self._named(events.beginning(first))
                places = places[(events.sizes[places] > 1) & (events.times[places] <= until)]
                named = frozenset(_last(kind.name) for kind in self._kinds(places))
            found = self._parts_at_first[first, size] = named or self.last_parts(ids)
        return found


def _specific(name: str) -> tuple[bool, bool]:
    """Attributes and entries say more than the names of arguments do; of two alike the first."""
    return ("." in name or "[" in name, not name.startswith("return"))


def _last(name: str) -> str:
    return name.rsplit(".", 1)[-1]
