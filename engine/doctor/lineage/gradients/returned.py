"""Gradients of a program that steps nothing: what is returned, stored or left in a variable.

An input of the loss (weights, data, first states) has a gradient where something that was made on the way back equals
dL/d(it), or is called after it: `dWxh` of Wxh, `grads['Wx']` of an entry Wx, `self.W_grad` of self.W.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from engine.doctor.lineage.gradients.comparison import ComparedGradient
from engine.doctor.lineage.gradients.gradient_names import KEY, last_of, meant
from engine.doctor.lineage.gradients.inputs import inputs
from engine.doctor.lineage.record.array_names import ArrayNames
from engine.doctor.lineage.record.arrays import any_from, whole_numbers
from engine.doctor.lineage.record.carry_back import Marks
from engine.doctor.lineage.record.matching import common, compared, same
from engine.doctor.lineage.record.reading import Floats, Ids, Record, RecordedArray, RecordedEvent
from engine.doctor.lineage.record.tables import IN_PLACE
from engine.doctor.lineage.the_loss.loss import NAMED, ChosenLoss
from engine.doctor.lineage.the_loss.right_values import KnownValues, RightValues
from engine.doctor.lineage.the_loss.right_values import known as looked_up
from engine.doctor.recording.calls.driven import BACK

FILLED_ZERO, ZERO, LATER = 1, 2, 3
"""What a value is beside the forward pass: zeros that something was added to, other zeros from outside, or made from forward values."""
MOST_VERSIONS = 64
"""So many values of one name and size are looked at, the last ones."""


def rows(
    record: Record, names: ArrayNames, *, trusted: bool = False
) -> Callable[[ChosenLoss, Callable[[], Floats], NDArray[np.bool_], object], list[ComparedGradient]]:
    """What to compare for a loss: its inputs with what is returned or named as their gradients. `trusted` says that it is known to be the
    loss, though no gradient agrees with it; one that a called function computes under its name is, too."""
    sources = inputs(record)
    called = bool(record.events.where(lambda kind: kind.name.startswith(BACK)).any())
    last: tuple[ChosenLoss, list[RecordedEvent], _Rights] | None = None  # one loss is asked for with several adjoints

    def compare(
        chosen: ChosenLoss, carried: Callable[[], Floats], forward: NDArray[np.bool_], may_win: object
    ) -> list[ComparedGradient]:
        nonlocal last
        del may_win
        if last is None or last[0] is not chosen:
            last = chosen, _on_the_way_back(record, forward), _Rights(record, chosen, forward)
        _, later, known = last
        adjoint = carried()
        moving = [ids for ids in sources if forward[ids].any() and adjoint[ids].any()]
        if not moving or not later:
            return []
        sizes: dict[int, list[RecordedEvent]] = defaultdict(list)
        for event in later:
            sizes[event.value.size].append(event)
        rows = [
            r
            for ids in moving
            if (r := _of_input(record, ids, adjoint[ids], sizes[len(ids)], names, known)) is not None
        ]
        made = _without_others(record, rows, names, known)
        taken = {int(r.gradient[0]) for r in made}
        rest = [i for i in moving if not any(r.own is i for r in made)]
        sure = made or trusted or (called and not chosen.assumed and NAMED.search(chosen.name))
        returned = _returned(record, later, forward) if sure else []
        found = _left(record, known, rest, made, returned, adjoint, names, taken)
        again = read_again(record, forward) if rest else set[tuple[int, int]]()
        open_ = [i for i in rest if not any(r.own is i for r in found) and (int(i[0]), len(i)) in again]
        left = [row for ids in open_ for row in _not_settled(ids, sizes[len(ids)], names)]
        if made:
            left += _of_numbers(record, sizes[1], forward, adjoint, names, made)
        return _as_far_as_it_came(record, chosen, made + found + left)

    return compare


class _Rights:
    """The right arrays for a loss, looked for only where an array is not what its name says."""

    def __init__(self, record: Record, chosen: ChosenLoss, forward: NDArray[np.bool_]) -> None:
        self._asked = record, chosen, forward

    @cached_property
    def _table(self) -> Floats:
        return RightValues(*self._asked).table()

    @cached_property
    def exactly(self) -> KnownValues:
        return looked_up(self._table, [1.0], 1e-5)

    @cached_property
    def up_to_sign(self) -> KnownValues:
        return looked_up(self._table, [1.0, -1.0], 1e-5)


def _without_others(
    record: Record, rows: list[ComparedGradient], names: ArrayNames, known: _Rights
) -> list[ComparedGradient]:
    """The same without arrays that are dL/d(something else), as it is or with the factor that all have: `p - y` is dL/d(p), and -1 times
    dL/d(y)."""
    factors = {1.0, common([r.match.factor for r in rows if r.status == "right" and r.match])} - {None}

    def is_others(row: ComparedGradient) -> bool:
        if row.status != "right" or row.match is None or any(same(row.match.factor, f) for f in factors if f):
            return False
        named = {what for name in names.all_of(row.gradient) for what in meant(name)}
        return not named & _own_names(row.own, names) and any(
            known.exactly.has(record.pool[row.gradient] / f) is True for f in factors if f
        )

    return [row for row in rows if not is_others(row)]


def _as_far_as_it_came(record: Record, chosen: ChosenLoss, rows: list[ComparedGradient]) -> list[ComparedGradient]:
    """Of a program that stopped by an exception or at a limit, a gradient that is not right may only not be complete: but for one that a
    function has returned together with the loss."""
    if record.outcome.get("ended") not in ("error", "full", "singles", "events"):
        return rows
    stopped = {"status": "not compared", "reason": "the program stopped before it was complete"}
    open_ = [row for row in rows if row.status in ("wrong", "zero")]
    complete = _returned_with(record, chosen) if open_ else set[tuple[int, int]]()
    left = [row for row in open_ if (int(row.gradient[0]), len(row.gradient)) not in complete]
    return [replace(row, **stopped) if row in left else row for row in rows]


def _returned_with(record: Record, chosen: ChosenLoss) -> set[tuple[int, int]]:
    """The arrays (their first number and size) that one return statement handed back with a loss, or with what is called so."""
    events, firsts = record.events, {reference.first for reference, _ in chosen.seeds}
    returned = list(events.at(np.flatnonzero(events.where(lambda kind: kind.site.kind == "return"))))
    losses = (e for e in returned if e.value.size == 1 and (e.value.first in firsts or NAMED.search(e.name)))
    places = {(id(e.site), e.time) for e in losses}
    return {(e.value.first, e.value.size) for e in returned if (id(e.site), e.time) in places}


def _own_names(ids: Ids, names: ArrayNames) -> set[str]:
    """What an array is called, without what stands around the last part of a name."""
    return {last_of(n) for n in names.all_of(ids) if "[" not in n or KEY.search(n)}


def read_again(record: Record, forward: NDArray[np.bool_]) -> set[tuple[int, int]]:
    """The arrays (their first number and size) that a line of the forward pass reads more than once, as it does weights."""
    operations, arrays = record.operations, record.operations.arrays
    users, _, used = operations.reads
    is_forward = np.flatnonzero(any_from(forward, operations.starts[users], operations.sizes[users]))
    known, which = np.unique(arrays.firsts[used].astype(np.int64) << 32 | arrays.sizes[used], return_inverse=True)
    read = np.unique(users[is_forward] << 32 | which[is_forward])  # once by an operation
    of_arrays = known[read & 0xFFFFFFFF], operations.lines[read >> 32]
    numbers = np.flatnonzero((operations.codes > 0) & forward[operations.starts])
    one, two, lines = operations.one[numbers], operations.two[numbers], operations.lines[numbers]
    two = np.where(two == one, 0, two)
    of_numbers = np.concatenate((one, two)).astype(np.int64) << 32 | 1, np.concatenate((lines, lines))
    keys, lines = (np.concatenate(both) for both in zip(of_arrays, of_numbers, strict=True))
    known, which = np.unique(keys, return_inverse=True)
    read, often = np.unique(which.astype(np.int64) << 32 | lines, return_counts=True)
    again = whole_numbers(np.unique(known[read[often > 1] >> 32]))
    return {(key >> 32, size) for key in again if (size := key & 0xFFFFFFFF) and key >> 32}


def _not_settled(ids: Ids, fitting: list[RecordedEvent], names: ArrayNames) -> list[ComparedGradient]:
    """A weight of which there are gradients, by their name, and none that could be compared."""
    own = _own_names(ids, names)
    named = [e for e in fitting if meant(e.name) & own]
    if not named:
        return []
    given = named[-1].value.ids().ravel()
    reason = "it is not known which array is its gradient"
    return [ComparedGradient(names.of(ids), named[-1].site.line, "not compared", None, ids, given, np.zeros(0), reason)]


def _of_numbers(
    record: Record,
    fitting: list[RecordedEvent],
    forward: NDArray[np.bool_],
    adjoint: Floats,
    names: ArrayNames,
    made: list[ComparedGradient],
) -> list[ComparedGradient]:
    """The single numbers of which no value that is called their gradient is right, as one output's bias: not compared, and never wrong by
    their names alone."""
    by_name: dict[str, list[RecordedEvent]] = defaultdict(list)
    for event in fitting:
        if record.pool[event.value.number(0)]:  # a sum begins at 0
            for name in meant(event.name):
                by_name[name].append(event)
    factor = common([r.match.factor for r in made if r.status == "right" and r.match]) or 1.0
    left: list[ComparedGradient] = []
    for ids in inputs(record, by_name.keys()) if by_name else []:
        right, called = adjoint[ids], [e for name in _own_names(ids, names) for e in by_name.get(name, [])]
        agree = [same(float(record.pool[e.value.number(0)]), factor * float(right[0])) for e in called]
        if called and right.any() and forward[ids].any() and not any(agree):
            given, reason = (
                called[-1].value.ids().ravel(),
                "it is a single number, and what is called its gradient is another",
            )
            line = called[-1].site.line
            left.append(ComparedGradient(names.of(ids), line, "not compared", None, ids, given, right, reason))
    return left


def _on_the_way_back(record: Record, forward: NDArray[np.bool_]) -> list[RecordedEvent]:
    """The last version of each named value that was made, in part, from forward values, and is none itself."""
    events, operations, added_to = record.events, record.operations, np.zeros(len(record.pool), bool)
    into = operations.operands[0][operations.have(IN_PLACE)[operations.wide]]
    for _, ids in operations.arrays.parts(np.unique(into[into >= 0])):
        added_to[ids] = True
    back = Marks(record, forward, but=forward).numbers()
    names = {(k.site.function, k.name) for k in events.seen_kinds}
    filled = {(function, name.split("[")[0]) for function, name in names if "[" in name and not KEY.search(name)}
    is_filled = events.where(lambda kind: (kind.site.function, kind.name) in filled)

    def told(value: RecordedArray) -> int:
        if not value.size or value.of(forward).any():
            return 0
        if record.maker(value.first) < 0 and not value.of(record.pool).any():
            return FILLED_ZERO if value.of(added_to).any() else ZERO
        return LATER if value.of(back).any() else 0

    numbers = events.firsts
    zero = (record.makers(numbers) < 0) & (record.pool[numbers] == 0)
    of_numbers = np.where(zero, np.where(added_to[numbers], FILLED_ZERO, ZERO), np.where(back[numbers], LATER, 0))
    what = events.of_each(told, np.where(forward[numbers], 0, of_numbers))
    # zeros that are filled step by step are no gradient yet
    later = (what == LATER) | ((what == ZERO) & ~is_filled)
    later &= events.where(lambda kind: kind.site.kind != "increment")
    return list(events.at(_last_versions(record, np.flatnonzero(later))))


def _last_versions(record: Record, places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of these events those that the next one of the same name and size does not follow; of each name the last ones."""
    events = record.events
    keys = [(kind.site.function, kind.name or str(kind.site.line)) for kind in events.kinds]
    name_of = {key: k for k, key in enumerate(dict.fromkeys(keys))}
    names = np.array([name_of[key] for key in keys], np.int64)[events.spots[places]]
    _, groups, counts = np.unique(names << 32 | events.sizes[places], return_inverse=True, return_counts=True)
    parts = np.split(places[np.argsort(groups, kind="stable")], np.cumsum(counts)[:-1])
    kept: list[tuple[int, int, int]] = []
    for part in parts if len(places) else ():
        begun, follow = int(part[0]), _follow(record, part)
        kept += [(int(events.times[k]), begun, k) for k in islice(_not_followed(part, follow), MOST_VERSIONS)]
    return np.array([k for _, _, k in sorted(kept)], np.int64)


def _not_followed(places: NDArray[np.int64], follow: Callable[[int], bool]) -> Iterator[int]:
    """The last first."""
    for k in range(len(places) - 1, -1, -1):
        if k == len(places) - 1 or not follow(k):
            yield int(places[k])


def _follow(record: Record, places: NDArray[np.int64]) -> Callable[[int], bool]:
    """Whether in the events of one name and size the one after that at a place follows it. Single numbers are looked at all at once."""
    events, operations = record.events, record.operations
    if events.sizes[places[0]] > 1:
        return lambda k: _follows(record, events[int(places[k])], events[int(places[k + 1])])
    numbers = events.firsts[places]
    before, after, makers = numbers[:-1], numbers[1:], record.makers(numbers[1:])
    made_by = np.maximum(makers, 0)
    known = before == after
    if len(operations):
        known |= (makers >= 0) & ((operations.one[made_by] == before) | (operations.two[made_by] == before))
        for k in np.flatnonzero(~known & (makers >= 0) & (operations.codes[made_by] < 0)).tolist():
            known[k] = any(r.holds(int(before[k])) for r in operations[int(makers[k])].operands)
    return lambda k: bool(known[k])


def _follows(record: Record, earlier: RecordedEvent, event: RecordedEvent) -> bool:
    """Whether a value is the next version of one of the same name: made from it, or the same array with something
    written into it."""
    before, after = earlier.value, event.value
    both_follow = before.follows and after.follows
    if before.base == after.base if both_follow else (before.ids().ravel() == after.ids().ravel()).any():
        return True
    maker, last = record.maker(after.number(after.size - 1)), before.number(before.size - 1)
    return maker >= 0 and any(r.holds(last) for r in record.operations[maker].operands)


def _of_input(
    record: Record, ids: Ids, right: Floats, fitting: list[RecordedEvent], names: ArrayNames, known: _Rights
) -> ComparedGradient | None:
    """The gradient of one input. What is assigned once under its gradient's name, the last such, must be it; else any of its size
    (`fitting`) may, of which some have its name if they are kept beyond their function."""
    own = _own_names(ids, names)
    fitting = fitting if len(ids) > 1 else []
    named = [e for e in fitting if meant(e.name) & own]
    single = [e for e in named if "[" not in e.name or KEY.search(e.name)]
    once = [
        e for e in single if sum(_called(e) == _called(other) for other in named) == 1
    ]  # others are made anew in each step
    if once and once[-1] is not named[-1] and not record.pool[once[-1].value.ids()].any():
        once.pop()  # zeros that something else was set in the place of
    once = [e for e in once if record.pool[e.value.ids()].any()] or once  # zeros beside it are an optimizer's sums, say
    final = [e for e in once if not e.site.function or e.site.kind == "return"]
    for event in reversed(final or once):
        row = _never_stored(record, _row(record, ids, right, event, names), event, named, fitting)
        of_another = row.status == "wrong" and known.up_to_sign.has(record.pool[event.value.ids()]) is not False
        if final or not of_another:
            return row
    largest, next_ = (int(place) for place in np.argsort(-np.abs(right), kind="stable")[:2]) if fitting else (0, 0)
    kept = [e for e in fitting if e.site.kind == "return" or "." in e.name or "[" in e.name] if named else fitting
    for event in (*reversed(named), *reversed(kept)):
        one, two = (float(record.pool[event.value.number(place)]) for place in (largest, next_))
        most, more = float(right[largest]), float(right[next_])
        if abs(two * most - one * more) > 0.01 * abs(one * most):
            continue  # most arrays are told from it by two of their numbers
        row = _row(record, ids, right, event, names)
        if row.status == "right":
            return row
    return None


def _never_stored(
    record: Record,
    row: ComparedGradient,
    event: RecordedEvent,
    named: list[RecordedEvent],
    fitting: list[RecordedEvent],
) -> ComparedGradient:
    """The row of the attribute that is there for a gradient and stays zero, where what is right is in a local variable that nothing hands
    on."""

    def is_kept(e: RecordedEvent) -> bool:
        return "." in e.name or e.site.kind == "return"

    is_local = row.status == "right" and event.site.function and not is_kept(event)
    if not is_local or any(is_kept(e) and e.value.first == event.value.first for e in fitting):
        return row
    attributes = {e.name: e for e in named if "." in e.name and "[" not in e.name}
    empty = [e for e in attributes.values() if not record.pool[e.value.ids()].any()]
    if len(empty) != 1 or len(attributes) != 1:
        return row
    reason = f"{empty[0].name} is zero; line {event.site.line} makes its gradient, and nothing keeps it"
    return replace(row, status="zero", gradient=empty[0].value.ids().ravel(), match=None, bare=None, reason=reason)


def _row(record: Record, ids: Ids, right: Floats, event: RecordedEvent, names: ArrayNames) -> ComparedGradient:
    given = event.value.ids().ravel()
    match = compared(record.pool[given], right)
    status = "zero" if not record.pool[given].any() else "right" if match is not None and match.right else "wrong"
    return ComparedGradient(names.of(ids), event.site.line, status, match, ids, given, right, "", None, None, match)


def _called(event: RecordedEvent) -> tuple[str, str]:
    return event.site.function, event.name


def _returned(record: Record, later: list[RecordedEvent], forward: NDArray[np.bool_]) -> list[RecordedEvent]:
    """What is returned on the way back, without what a forward pass returns that runs once more."""
    kinds = record.events.where(lambda kind: kind.site.kind == "return")
    seen = record.events.at(np.flatnonzero(kinds & (record.events.sizes > 1)))
    places = {(id(e.site), e.part) for e in seen if forward[e.value.ids()].any()}
    return [e for e in later if e.site.kind == "return" and (id(e.site), e.part) not in places]


def _left(
    record: Record,
    known: _Rights,
    inputs_left: list[Ids],
    made: list[ComparedGradient],
    returned: list[RecordedEvent],
    adjoint: Floats,
    names: ArrayNames,
    taken: set[int],
) -> list[ComparedGradient]:
    """What is returned and is the gradient of nothing, where exactly one input of its size has no gradient: that one's,
    and wrong."""
    found: list[ComparedGradient] = []
    given = [e for e in returned if int(e.value.first) not in taken and not _is_right(record, e, made)]
    for ids in inputs_left:
        fitting = {int(e.value.first): e for e in given if e.value.size == len(ids)}
        rivals = [other for other in inputs_left if len(other) == len(ids)]
        if len(fitting) == 1 and len(rivals) == 1 and len(ids) > 1:
            event = next(iter(fitting.values()))
            numbers = event.value.ids().ravel()
            right = adjoint[ids]
            match = compared(record.pool[numbers], right)
            if match is None or known.up_to_sign.has(record.pool[event.value.ids()]) is not False:
                continue
            reason = "it is returned, and is the gradient of nothing else"
            found.append(
                ComparedGradient(
                    names.of(ids), event.site.line, "wrong", match, ids, numbers, right, reason, None, None, match
                )
            )
    return found


def _is_right(record: Record, event: RecordedEvent, made: list[ComparedGradient]) -> bool:
    values = record.pool[event.value.ids()].ravel()
    return any(len(r.gradient) == len(values) and np.array_equal(record.pool[r.gradient], values) for r in made)
