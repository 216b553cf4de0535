"""Remarks about the output and the loss: which axis adds up to 1, which entries are compared, and with which loss the gradients agree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import heapify, heappop, heappush
from math import prod

import numpy as np

from engine.doctor.lineage.gradients.inputs import inputs
from engine.doctor.lineage.record.array_names import ArrayNames
from engine.doctor.lineage.record.carry_back import reached, touched
from engine.doctor.lineage.record.dependence import dependence
from engine.doctor.lineage.record.derivatives import PRODUCTS
from engine.doctor.lineage.record.matching import compared, same
from engine.doctor.lineage.record.reading import Ids, RecordedArray, RecordedOperation, UserLine
from engine.doctor.lineage.record.updates import found
from engine.doctor.lineage.remarks.remark import Remark, RemarkedRun
from engine.doctor.lineage.remarks.rounds import named_losses
from engine.doctor.lineage.the_loss.loss import KNOWN, NAMED, adjoint_of, assumed, covers, differs, sources
from engine.doctor.lineage.verdict.of_round import of_round
from engine.doctor.lineage.verdict.run_verdict import RunVerdict

ANOTHER_LOSS = "gradient-of-another-loss"
_DEEPEST = 8
_TO_A_LOGARITHM = ("gather", "add", "subtract", "multiply", "maximum", "minimum", "sum")
"""What may stand between probabilities and their logarithm."""


def softmax_axis(seen: RemarkedRun) -> Iterator[Remark]:
    """Sums of exponentials that do not run over the classes of one row. A class is an output of the last weights."""
    for total in seen.of_the_forward_pass("sum"):
        of = total.operands[0]
        lengths = [of.shape[axis] for axis in total.parameters]
        if sum(n > 1 for n in of.shape) < 2 or prod(lengths) < 2:
            continue
        made = seen.maker(of.ids().ravel())
        if made is None or made[0].name != "exp" or not is_output(seen, total):
            continue
        classes = _classes(seen, of.ids().ravel(), 0).reshape(of.shape)
        count = len(np.unique(classes))
        group = np.moveaxis(classes, total.parameters, range(-len(lengths), 0)).reshape(-1, prod(lengths))[0]
        rows = len(group) // len(np.unique(group))
        if count < 2 or (classes < 0).any() or rows == 1:
            continue
        alone = len(np.unique(group)) == 1
        over = f"axis {', '.join(map(str, total.parameters))}" if len(lengths) < len(of.shape) else "all"
        what = (
            "the numbers of each class add up to 1, not those of each row"
            if alone
            else f"{rows} rows add up to 1 together"
        )
        says = f"the softmax's sum runs over {over} of an array {of.shape}: {what}, {rows} rows share one sum"
        yield Remark("softmax-wrong-axis", seen.place(total), says if alone else says.rpartition(",")[0])


def _classes(seen: RemarkedRun, ids: Ids, depth: int) -> Ids:
    """Which output of the last weights each number comes from, -1 where that is not known."""
    classes = np.full(len(ids), -1, np.int32)
    makers = seen.record.makers(ids)
    for k in np.unique(makers[makers >= 0]) if depth <= _DEEPEST else ():
        chosen = makers == k
        operation = seen.record.operations[int(k)]
        places = ids[chosen] - operation.start
        if operation.name in PRODUCTS:
            classes[chosen] = _output_of(seen, operation, places)
            continue
        inside = [r for r in operation.operands if r.shape == operation.shape and seen.record.maker(r.first) >= 0]
        if operation.name in ("exp", "add", "subtract", "multiply", "divide", "gather") and inside:
            classes[chosen] = _classes(seen, inside[0].ids().ravel()[places], depth + 1)
    return classes


def _output_of(seen: RemarkedRun, operation: RecordedOperation, places: Ids) -> Ids:
    """Along which of its rows or columns the weights of a product gave these entries of its result."""
    unknown = np.full(len(places), -1, np.int32)
    if operation.name == "einsum" or len(operation.operands) != 2 or not operation.shape:
        return unknown
    one, two = operation.operands
    if seen.weights[two.first] and len(two.shape) == 2:
        return (places % operation.shape[-1]).astype(np.int32)
    if seen.weights[one.first] and len(one.shape) == 2:
        after = operation.shape[-1] if len(two.shape) > 1 else 1
        return (places // after % one.shape[0]).astype(np.int32)
    return unknown


def is_output(seen: RemarkedRun, of: RecordedOperation) -> bool:
    """Whether the logarithm of what an operation made, or of what was divided by it, is taken, or targets are subtracted from it."""
    if seen.loss.assumed:
        made = np.zeros(len(seen.record.pool), bool)
        made[of.start : of.stop] = True
        makers = (o for seed, _ in seen.loss.seeds for o in _makers(seen, seed))
        if any(o.name == "divide" and touched(made, o.operands[1]) for o in makers):
            return True
    divided, graph = False, dependence(seen.record)
    waiting, met = graph.readers(seen.record.maker(of.start)), set[int]()
    heapify(waiting)
    while waiting:
        k = heappop(waiting)
        operation = seen.record.operations[k]
        if k in met or not seen.forward[operation.start : operation.stop].any():
            continue
        met.add(k)
        if operation.name == "log":
            return True
        if operation.name == "subtract" and any(seen.is_given(r) and r.size > 1 for r in operation.operands):
            return True
        first = operation.name == "divide" and not divided
        if first or operation.name in _TO_A_LOGARITHM:
            divided = divided or first
            for reader in graph.readers(k):
                heappush(waiting, reader)
    return False


def _makers(seen: RemarkedRun, reference: RecordedArray) -> list[RecordedOperation]:
    makers = seen.record.makers(reference.ids().ravel())
    return [seen.record.operations[int(k)] for k in np.unique(makers[makers >= 0])]


def column_minus_row(seen: RemarkedRun) -> Iterator[Remark]:
    """Outputs (N, 1) beside targets (N,), of which an operation makes (N, N)."""
    for operation in seen.of_the_forward_pass("subtract", "multiply"):
        if len(operation.shape) != 2 or len(operation.operands) != 2:
            continue
        count = operation.shape[0]
        if count < 2 or operation.shape[1] != count or any(r.size != count for r in operation.operands):
            continue
        output, target = sorted(operation.operands, key=seen.is_given)
        if seen.is_given(output) or not seen.is_given(target):
            continue
        made = seen.maker(output.ids().ravel())
        if made is None or (operation.name == "multiply" and made[0].name != "log"):
            continue
        shapes = " and ".join(str(r.shape) for r in operation.operands)
        yield Remark(
            "column-minus-row",
            seen.place(operation),
            f"of {shapes} it makes {operation.shape}: each of {count} outputs meets the targets of all",
        )


def another_loss(seen: RemarkedRun) -> Iterator[Remark]:
    """The gradients agree with a known loss of the outputs and targets, and the program computes another."""
    own = [] if seen.loss.assumed or not NAMED.search(seen.loss.name) else [seen.loss]
    gradients = [RecordedArray(row.gradient.shape, kept=row.gradient) for row in seen.compared]
    back = reached(seen.record, gradients)  # `errors[t][y] -= 1`, from which they are made, is no loss
    computed = (each for each in own or named_losses(seen) if not back[each.ids].all())
    verdict, stated = seen.verdict, next(computed, None)
    if stated is None:
        return
    place = UserLine(stated.file, stated.line)
    if seen.loss.assumed and verdict.verdict == "right":
        if differs(seen.record, seen.loss, stated):
            yield Remark(ANOTHER_LOSS, place, _says(seen.loss.name))
        return
    right = sum(row.status == "right" for row in seen.compared)
    but_for_a_penalty = any(row.walk is not None and row.walk.beside for row in seen.compared)
    mostly_wrong = verdict.verdict == "wrong" and not verdict.round and 2 * right <= len(seen.compared)
    differ = verdict.verdict == "right" and _differ(verdict.rounds)
    if not differ and (not mostly_wrong or but_for_a_penalty):
        return
    for name in KNOWN if differ else _fitting(seen):
        other = of_round(seen.record, taken=name, cut=False)
        taken = other.loss if other.verdict == "right" and (differ or len(other.compared) > right) else None
        if taken is not None and covers(seen.record, taken, stated):
            yield Remark(ANOTHER_LOSS, place, _says(name))
            return


def _fitting(seen: RemarkedRun) -> list[str]:
    """The known losses, of outputs and targets, of which a gradient that is wrong is the gradient, up to a factor."""
    record = seen.record
    wrong = [row for row in seen.compared if row.status in ("wrong", "zero")]
    wrong = [row for row in wrong if len(row.own) > 2] or wrong
    fitting, known = set[str](), set[tuple[str, tuple[int, ...]]]()
    for made_from in (sources(found(record, ArrayNames(record))), inputs(record)):
        for other in assumed(record, made_from):
            key = other.name, tuple(reference.first for reference, _ in other.seeds)
            if other.name in fitting or key in known:
                continue
            known.add(key)
            slopes = adjoint_of(record, other)
            matches = (compared(record.pool[ids], slopes[row.own]) for row in wrong for ids in row.made_of())
            if any(match is not None and match.right for match in matches):
                fitting.add(other.name)
    return [name for name in KNOWN if name in fitting]


def _differ(rounds: Sequence[RunVerdict]) -> bool:
    """Whether gradients are another multiple of dL/d(them) at each update, as those of another loss of one sample are."""
    factors = [[r.bare.factor for r in v.compared if r.status == "right" and r.bare and len(r.own) > 2] for v in rounds]
    firsts = [some[0] for some in factors if some and all(same(f, some[0]) for f in some)]
    return len(firsts) > 1 and not same(firsts[0], firsts[1])


def _says(name: str) -> str:
    return f"all gradients are those of {name} of the outputs and targets, which is not the loss that is computed here"
