"""Which scalar is the loss: the decisions, in one place, in the order in which they are tried.

1. Only a single number that was computed from what is stepped, and from none of the stepped versions, can be it. 2. Of
the values that one line gave, the last one counts (a loss is added up), or all of them together (gradients gathered
over several sequences). 3. Of several, the one with which most updates agree; then the one that is called as losses
are; then the one computed last. 4. Where none was computed, or none agrees: outputs and targets are compared as squared
error, cross-entropy or binary cross-entropy.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.doctor.lineage.record.carry_back import Marks, carried_back, depending, reached, reached_by_each, touched
from engine.doctor.lineage.record.matching import Agreement, compared, same
from engine.doctor.lineage.record.moved import moved_for_a_check
from engine.doctor.lineage.record.reading import Floats, Record, RecordedArray, RecordedEvent, RecordedOperation
from engine.doctor.lineage.record.tables import Spot
from engine.doctor.lineage.record.updates import Step
from engine.doctor.recording.calls.driven import LOSS
from engine.doctor.recording.tracing.codes import NAMES
from engine.remembered import last_remembered

CALLED = re.compile(r"loss|cost|objective|^[JL]$|perdida|costo|verlust|kosten|coste|perte|custo", re.I)
"""What is called so is what a program minimizes; a likelihood or an error may be a measure beside it."""
NAMED = re.compile(CALLED.pattern + r"|err|entropy|^E$|^ce$|bce|xent|nll|mse|fehler|likelihood|criterion", re.I)
MEASURED = re.compile(r"err|mse|mae|acc|fehler", re.I)
"""Names of losses that may as well be measures of how well the outputs fit, beside a loss that is not computed."""
SMOOTHED = re.compile(r"smooth|avg|average|mean|total|running|ema|best|prev|old", re.I)
MOST = 16
MOST_TERMS = 512
"""Of more values of one line only the last may be the loss."""
NEARLY = 0.999
"""Two losses whose gradients have such a cosine may be one: the logarithm is taken of p + 1e-5, say."""

Of = Callable[[Floats, Floats], Floats]
KNOWN: dict[str, tuple[Of, Of]] = {
    "half the squared error": (lambda p, y: p - y, lambda p, y: 0.5 * (p - y) ** 2),
    "the cross-entropy": (lambda p, y: -y / p, lambda p, y: -y * np.log(p)),
    "the binary cross-entropy": (
        lambda p, y: (p - y) / (p * (1 - p)),
        lambda p, y: -y * np.log(p) - (1 - y) * np.log(1 - p),
    ),
}
"""The losses that are taken for one that is not computed: dL/d(output) and L, of outputs p and targets y."""


@dataclass(frozen=True, eq=False)
class ChosenLoss:
    """A loss: the numbers that it is the sum of, with dL/d(each); `name`, `line` and `file` for people; `assumed`
    where the program computes none."""

    name: str
    line: int
    seeds: tuple[tuple[RecordedArray, Floats], ...]
    value: float
    assumed: str = ""
    file: str = ""

    @property
    def is_given(self) -> bool:
        """Whether it was made of what functions returned by the text that calls them."""
        return self.name == LOSS

    @property
    def ids(self) -> NDArray[np.int32]:
        return np.concatenate([r.ids().ravel() for r, _ in self.seeds])


@last_remembered(2)
def adjoint_of(record: Record, loss: ChosenLoss) -> Floats:
    """dL/d(every number of a record), to be read only."""
    made = carried_back(record, loss.seeds)
    made.setflags(write=False)
    return made


@last_remembered(2)
def forward_of(record: Record, loss: ChosenLoss) -> NDArray[np.bool_]:
    """Which numbers of a record a loss was made from, to be read only."""
    made = reached(record, [reference for reference, _ in loss.seeds])
    made.setflags(write=False)
    return made


def sources(steps: Sequence[Sequence[Step]]) -> list[NDArray[np.int32]]:
    """The arrays that were stepped: what a loss was made from. Where some are known to be, not what may be: a target is,
    in `y - p`."""
    sure = [group for group in steps if any(step.sure for step in group)]
    return [level for group in sure or steps for step in group for level in step.levels]


def given(record: Record, file: str, last_line: int) -> ChosenLoss | None:
    """The loss that is made below a file's last line, where what calls its functions stands; None where there is no such text."""
    below = [
        e
        for e in record.events
        if e.site.line > last_line and e.site.file == file and e.name == LOSS and e.value.size == 1
    ]
    seen = [e for e in record.events if e.value.size == 1 and e.value.first == below[-1].value.first] if below else []
    return max((_chosen(record, [e]) for e in seen), key=_rank, default=None)  # by the name that `candidates` gives it


def of_several_numbers(
    record: Record, made_from: Sequence[NDArray[np.int32]], gradients: Sequence[NDArray[np.int32]]
) -> RecordedEvent | None:
    """What is called a loss and is several numbers, where no single number is called so; none that gradients are made of."""
    if any(NAMED.search(each.name) for each in candidates(record, made_from)):
        return None
    depends = depending(record, made_from)
    back = reached(record, [RecordedArray(ids.shape, kept=ids) for ids in gradients])
    called = record.events.where(lambda kind: bool(CALLED.search(kind.name))) & (record.events.sizes > 1)
    seen = [e for e in record.events.at(np.flatnonzero(called)) if depends[e.value.ids()].any()]
    last = next((e.value.first for e in reversed(seen) if not back[e.value.ids()].any()), None)
    return next((e for e in seen if e.value.first == last), None)


APART = 4
"""So many values of one place may each be the loss of other data."""


def candidates(
    record: Record,
    made_from: Sequence[NDArray[np.int32]],
    same_as: ChosenLoss | None = None,
    stepped: NDArray[np.bool_] | None = None,
) -> list[ChosenLoss]:
    """What may be the loss, made from any of these arrays, the likeliest first; of one that is known, what its line gave. `stepped` is what
    was made from weights once they were stepped."""
    depends = depending(record, made_from)
    made: dict[tuple[int, ...], ChosenLoss] = {}
    for places in _by_site(record, depends, same_as):
        of_moved = moved_for_a_check(record)[record.events.firsts[places]]
        places = places if of_moved.all() else places[~of_moved]
        places = _before(record, places, stepped)
        distinct = list(record.events.at(places if len(places) <= MOST_TERMS else places[-1:]))
        sums = [distinct] if len(distinct) > 1 else []
        last = (
            [] if sums and distinct[0].site.kind == "increment" else [distinct[-1:]]
        )  # one of several terms is no loss
        for chosen in (*last, *sums, *_alone(record, distinct, depends, made_from)):
            key = tuple(e.value.first for e in chosen)
            loss = _chosen(record, chosen)
            if key not in made or _rank(loss) > _rank(made[key]):
                made[key] = loss
    return sorted(made.values(), key=_rank, reverse=True)[:MOST]


def _before(record: Record, places: NDArray[np.int64], stepped: NDArray[np.bool_] | None) -> NDArray[np.int64]:
    """Of the values of one line those that were there before weights were stepped, where the others are made from stepped ones: these are
    the next round's."""
    numbers = record.events.firsts[places]
    if stepped is None or not stepped[numbers].any():
        return places
    kept = places[~stepped[numbers]]
    return kept if len(kept) and int(record.events.firsts[kept].max()) < int(stepped.argmax()) else places


def _by_site(record: Record, depends: NDArray[np.bool_], same_as: ChosenLoss | None) -> list[NDArray[np.int64]]:
    """The events in which computed single numbers were seen that depend on what was asked for, by what one line gave: each number as it was
    seen there last, in the order in which they were seen first."""
    events, numbers = record.events, record.events.firsts

    def may_be(kind: Spot) -> bool:
        if same_as is not None and kind.site.line != same_as.line:
            return False
        # `loss -= log(p)`: what is taken off is the loss with the other sign
        return kind.site.kind != "increment" or not re.search(r"[^-]-=", kind.site.text)

    seen = np.flatnonzero(events.where(may_be) & (events.sizes == 1) & depends[numbers])
    own, which = np.unique(numbers[seen], return_inverse=True)
    computed = record.makers(own) >= 0
    taken = record.operations.named(["subtract", "multiply", "divide"])
    for k in np.flatnonzero(np.isin(record.makers(own), taken)).tolist():
        computed[k] = _is_computed(record, depends, int(own[k]))
    seen = seen[computed[which]]
    sites: dict[tuple[int, int, str], int] = {}
    groups = [sites.setdefault((k.site.line, k.part, k.site.kind), len(sites)) for k in events.kinds]
    site = np.array(groups, np.int64)[events.spots[seen]]
    made: list[NDArray[np.int64]] = []
    for group in site[np.sort(np.unique(site, return_index=True)[1])].tolist():
        places = seen[site == group]
        last = dict(zip(numbers[places].tolist(), places.tolist(), strict=True))
        made.append(np.array(list(last.values())))
    return made


def _alone(
    record: Record, events: Sequence[RecordedEvent], depends: NDArray[np.bool_], weights: Sequence[NDArray[np.int32]]
) -> list[list[RecordedEvent]]:
    """Of a few values of one place those before the last, where each was computed by itself: the loss of the training data, say, before
    that of the test data. Such values have nothing in common but the weights."""
    if not 1 < len(events) <= APART:
        return []
    made_from = reached_by_each(record, [[e.value] for e in events])
    made_from[np.concatenate([ids.ravel() for ids in weights])] = 0
    several = (made_from & (made_from - (made_from > 0))) != 0
    return [] if (several & depends).any() else [[e] for e in events[:-1]]


def _chosen(record: Record, events: Sequence[RecordedEvent]) -> ChosenLoss:
    return ChosenLoss(
        _name(events[-1]),
        events[-1].site.line,
        tuple((e.value, np.ones(e.value.shape)) for e in events),
        float(sum(record.pool[e.value.first] for e in events)),
        file=events[-1].site.file,
    )


def _is_computed(record: Record, depends: NDArray[np.bool_], number: int) -> bool:
    """Whether a number is the result of an operation, other than of `y - p`, perhaps times a rate: a residual is no loss."""
    k = record.maker(number)
    while k >= 0 and record.operations[k].name in ("multiply", "divide"):
        moving = [r for r in record.operations[k].operands if touched(depends, r)]
        if len(moving) != 1 or moving[0].size != 1:
            return True
        k = record.maker(moving[0].first)
    if k < 0 or record.operations[k].name != "subtract":
        return k >= 0
    operands = record.operations[k].operands
    moving = [touched(depends, r) for r in operands]
    if moving[0] == moving[1]:
        return True
    target = operands[1] if moving[0] else operands[0]
    if record.makers(target.ids()).max() >= 0 or record.is_earlier(target.first):
        return True
    return target.shape == () and record.pool[target.first] == 0.0


def assumed(
    record: Record, made_from: Sequence[NDArray[np.int32]], stated: ChosenLoss | None = None
) -> list[ChosenLoss]:
    """The losses whose gradients begin with a difference of outputs and targets, where the program computes none. Where the loss that is
    `stated` is one of them, perhaps with a penalty, or another one of these outputs, it is taken for no other."""
    depends = depending(record, made_from)
    first = {int(ids.flat[0]) for ids in made_from if ids.size}
    pairs = _differences(record, depends, first)
    if not pairs and (others := without_targets(record, made_from)):
        pairs = _differences(record, depending(record, others), first)
    if not pairs:
        return []
    lines = [record.operations[k].line for _, _, k in pairs]
    made = _taken_for(record, pairs)
    for line in dict.fromkeys(lines) if 1 < len({*lines}) <= APART else ():  # of one of several forward passes
        made += _taken_for(record, [pair for pair, of in zip(pairs, lines, strict=True) if of == line], " alone")
    if stated is None or not made:
        return made
    matches = [(c, _at_outputs(record, c, stated)) for c in made]
    agreeing = [c for c, match in matches if match is not None and match.right]
    return agreeing or [c for c, match in matches if match is None or match.cosine > NEARLY]


def _taken_for(record: Record, pairs: Sequence[tuple[RecordedArray, Floats, int]], which: str = "") -> list[ChosenLoss]:
    """The losses that are known, of these outputs and their targets; `which` tells them from others of the same line."""
    line = record.lines[record.operations[pairs[0][2]].line].number
    made: list[ChosenLoss] = []
    with np.errstate(all="ignore"):
        for name, (seed, value) in KNOWN.items():
            seeds = tuple((ids, seed(record.pool[ids.ids()], target)) for ids, target, _ in pairs)
            if all(bool(np.isfinite(one).all()) for _, one in seeds):
                total = float(sum(float(value(record.pool[ids.ids()], target).sum()) for ids, target, _ in pairs))
                made.append(ChosenLoss(name, line, seeds, total, f"{name} of outputs and targets, line {line}{which}"))
    return made


def differs(record: Record, taken: ChosenLoss, computed: ChosenLoss) -> bool:
    """Whether a computed loss gives the outputs other gradients than the one that is taken for it, and not these up to a factor. Of one
    that was made from the outputs of another forward pass it is not known."""
    match = _at_outputs(record, taken, computed)
    return match is not None and not match.right


def _at_outputs(record: Record, taken: ChosenLoss, computed: ChosenLoss) -> Agreement | None:
    """How the gradients of the outputs compare; where the computed loss was not made from them, those of what both were made from, as of
    logits whose softmax is computed once more on the way back. None where there is nothing of the kind."""
    adjoint = adjoint_of(record, computed)
    given = np.concatenate([adjoint[reference.ids()].ravel() for reference, _ in taken.seeds])
    match = compared(given, np.concatenate([seed.ravel() for _, seed in taken.seeds]))
    if match is not None:
        return match
    both = np.flatnonzero(forward_of(record, taken) & forward_of(record, computed)).astype(np.int32)
    both = both[record.makers(both) >= 0]
    return compared(adjoint[both], adjoint_of(record, taken)[both])


def covers(record: Record, taken: ChosenLoss, computed: ChosenLoss) -> bool:
    """Whether a loss that is taken for one has all outputs of its forward pass that a computed loss has: a backward pass that leaves
    steps out is no other loss."""
    marked, known = forward_of(record, computed), forward_of(record, taken)
    own = {int(k) for reference, _ in taken.seeds for k in record.makers(reference.ids().ravel()) if k >= 0}
    kinds = {(o.line, o.name, o.shape) for o in (record.operations[k] for k in own)}
    left = [
        o
        for k, o in enumerate(record.operations)
        if k not in own
        and (o.line, o.name, o.shape) in kinds
        and (marked[o.start : o.stop] & ~known[o.start : o.stop]).any()
    ]
    return not any(_shares(record, known, operation) for operation in left[-2:])


def _shares(record: Record, known: NDArray[np.bool_], operation: RecordedOperation) -> bool:
    """Whether an operation belongs to the same forward pass: what it was made from holds computed values that are `known`."""
    both = np.flatnonzero(reached(record, [operation.result]) & known)
    return bool((record.makers(both.astype(np.int32)) >= 0).any())


def _differences(
    record: Record, depends: NDArray[np.bool_], stepped: set[int]
) -> list[tuple[RecordedArray, Floats, int]]:
    """Outputs, their targets and the operation that first takes their difference: an array minus a given one, or 1
    taken off one entry. What is `stepped` (first numbers) is no output: `2 * random(...) - 1` is a weight; nor is what was made from such a
    difference: `momentum * v - rate * dW` is a step."""
    pairs: dict[int, tuple[RecordedArray, Floats, int]] = {}
    back, operations = Marks(record), record.operations
    both = operations.named(["subtract", "add"])
    is_moving = (operations.codes[both] < 0) | (depends[operations.one[both]] != depends[operations.two[both]])
    for k, operation in zip(both[is_moving].tolist(), operations.at(both[is_moving]), strict=True):
        before = len(pairs)
        if len(operation.operands) != 2 or back.is_marked(k) or moved_for_a_check(record)[operation.start]:
            continue
        moving = [touched(depends, r) for r in operation.operands]
        if moving[0] == moving[1]:
            continue
        out, target = operation.operands if moving[0] else operation.operands[::-1]
        if operation.start in stepped or out.first in stepped:
            continue
        if moving[1] and target.size == 1 and _is_written(record, target.first):
            continue  # 1 - p, of a derivative
        if moving[1] and target.size > 1 and (target.of(record.pool) == 1.0).all():
            continue  # np.ones(H) - z, of a gate
        out, factor = _unscaled(record, out)
        values = np.broadcast_to(target.of(record.pool), operation.shape) / (
            -factor if operation.name == "add" else factor
        )
        is_one = (
            target.size == 1 and record.maker(target.first) < 0 and moving[0] and same(abs(float(values.flat[0])), 1.0)
        )
        if is_one and (_is_written(record, target.first) or _is_part(record, out)):
            _one_taken_off(record, k, out, pairs)
        elif operation.name == "subtract" and out.shape == operation.shape and (target.size > 1 or out.size == 1):
            given = _settled(record, out)
            if given is not None:
                pairs.setdefault(given.first, (given, values.reshape(given.shape), k))
        if len(pairs) > before:
            back.mark(k)
    return _without_inner(record, list(pairs.values()))


def _without_inner(
    record: Record, pairs: Sequence[tuple[RecordedArray, Floats, int]]
) -> list[tuple[RecordedArray, Floats, int]]:
    """Without what another line takes a given array from and the outputs were made of: `candidate - state`, with a first state of zeros."""
    lines = [record.operations[k].line for _, _, k in pairs]
    outputs = [out for (out, _, _), line in zip(pairs, lines, strict=True) if line == lines[0]]
    inner = reached(record, outputs) if len(set(lines)) > 1 else np.zeros(len(record.pool), bool)
    return [pair for pair, line in zip(pairs, lines, strict=True) if line == lines[0] or not inner[pair[0].ids()].any()]


def without_targets(record: Record, arrays: Sequence[NDArray[np.int32]]) -> list[NDArray[np.int32]]:
    """Of arrays that were handed over those that are not only subtracted, as targets are."""
    owner = np.full(len(record.pool), -1, np.int32)
    for k, ids in enumerate(arrays):
        owner[ids] = k
    uses: list[set[str]] = [set() for _ in arrays]
    operations = record.operations
    for column in (operations.one, operations.two):
        by = owner[column]
        for k, code in np.unique(np.stack((by, operations.codes))[:, by >= 0], axis=1).T.tolist():
            uses[int(k)].add(NAMES[int(code)])
    owned = owner >= 0
    users, _, used = operations.reads
    own, which = np.unique(used, return_inverse=True)
    is_owned = operations.arrays.touched(owned, own)
    pairs = np.unique(np.stack((which, -operations.codes[users]))[:, is_owned[which]], axis=1)
    for some, ids in operations.arrays.parts(own[pairs[0]]):
        by = owner[ids]
        codes = np.repeat(pairs[1, some], operations.arrays.sizes[own[pairs[0, some]]])
        for k, code in np.unique(np.stack((by, codes))[:, by >= 0], axis=1).T.tolist():
            uses[int(k)].add(NAMES[int(code)])
    return [ids for ids in arrays if not ids.size or uses[owner[ids.flat[0]]] != {"subtract"}]


def _is_written(record: Record, number: int) -> bool:
    """Whether a number stands in the program's text."""
    leaf = record.leaf(number)
    return record.maker(number) < 0 and leaf >= 0 and int(record.leaves[leaf, 2]) < 0


def _is_part(record: Record, reference: RecordedArray) -> bool:
    """Whether an array is a part of what an operation made, and not the only number of it."""
    given = _settled(record, reference)
    makers = record.makers(given.ids().ravel()) if given is not None else np.zeros(0, np.int32)
    return any(record.operations[int(maker)].size > 1 for maker in np.unique(makers[makers >= 0]))


def _one_taken_off(
    record: Record, k: int, out: RecordedArray, pairs: dict[int, tuple[RecordedArray, Floats, int]]
) -> None:
    """`p[target] -= 1`: p is the whole result that the entry belongs to, and its target is 1 there."""
    given = _settled(record, out)
    if given is None:
        return
    makers = record.makers(given.ids().ravel())
    for maker in np.unique(makers[makers >= 0]):
        operation = record.operations[int(maker)]
        if operation.size <= 1:
            continue
        known = pairs.get(operation.start)
        if (
            known is None or known[1].size != operation.size
        ):  # of its first entry alone a difference may have been taken before
            pairs[operation.start] = operation.result, np.zeros(operation.shape), k
        places = given.ids().ravel()[makers == maker] - operation.start
        pairs[operation.start][1].reshape(-1)[places] = 1.0


def _settled(record: Record, reference: RecordedArray) -> RecordedArray | None:
    """The array itself where it was gathered or copied from."""
    ids = reference.ids()
    for _ in range(3):
        makers = record.makers(ids.ravel())
        if makers.min() == makers.max() >= 0 and record.operations[int(makers[0])].name == "gather":
            operation = record.operations[int(makers[0])]
            ids = operation.operands[0].ids().ravel()[ids - operation.start]
        else:
            break
    return RecordedArray(ids.shape, kept=np.ascontiguousarray(ids)) if ids.size else None


def _unscaled(record: Record, reference: RecordedArray) -> tuple[RecordedArray, float]:
    """What an array is a multiple of, as in `p / N - y / N`, and the number by which it was multiplied; else the array itself, and 1."""
    ids = reference.ids()
    makers = np.unique(record.makers(ids.ravel()))
    operation = record.operations[int(makers[0])] if len(makers) == 1 and makers[0] >= 0 else None
    if operation is None or operation.name not in ("multiply", "divide"):
        return reference, 1.0
    operands = operation.operands
    first = operation.name == "multiply" and operands[0].size < operands[1].size
    number, whole = operands if first else operands[::-1]
    value = float(record.pool[number.first])
    if number.size > 1 or whole.size != operation.size or record.maker(number.first) >= 0 or not value:
        return reference, 1.0
    ids = whole.ids().ravel()[ids - operation.start]
    return RecordedArray(
        ids.shape, kept=np.ascontiguousarray(ids)
    ), value if operation.name == "multiply" else 1 / value


def _name(event: RecordedEvent) -> str:
    is_first = event.part <= 1  # of several values that a function returns, as of `return loss, accuracy`
    if event.site.kind == "return" and is_first and not NAMED.search(event.name) and "[" not in event.name:
        return event.site.function.rsplit(".", 1)[-1] + "()"
    return event.name


def is_called_so(loss: ChosenLoss) -> bool:
    """Whether the program calls this its loss."""
    return bool(CALLED.search(loss.name)) and not SMOOTHED.search(loss.name) and not loss.assumed


def is_summand(record: Record, part: ChosenLoss, whole: ChosenLoss) -> bool:
    """Whether a loss is added to another one as it is, perhaps times a number."""
    slopes = carried_back(record, whole.seeds, down_to=int(part.ids.min()))[part.ids]
    return bool(slopes.all()) and same(float(slopes.min()), float(slopes.max()))


def _rank(loss: ChosenLoss) -> tuple[bool, bool, bool, bool, int]:
    last = loss.name.rsplit(".", 1)[-1]
    named = bool(NAMED.search(last))
    is_loss = named and not SMOOTHED.search(last)
    return (is_loss, is_loss and not MEASURED.search(last), named, len(loss.seeds) == 1, int(loss.ids.max()))
