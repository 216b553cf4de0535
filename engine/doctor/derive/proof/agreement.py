"""The derived lines run in the program, and what they make compared with the loss carried back over the record of that run."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from engine.doctor.derive.derived import BackwardFunction, DerivedLine, Keep
from engine.doctor.derive.forward.passes import ForwardPass
from engine.doctor.derive.program.ready import ReadyProgram, in_double
from engine.doctor.derive.proof.placed import run_text
from engine.doctor.lineage.gradients.inputs import inputs
from engine.doctor.lineage.record.array_names import ArrayNames
from engine.doctor.lineage.record.carry_back import carried_back
from engine.doctor.lineage.record.levels import levels_of
from engine.doctor.lineage.record.looked_up import Lookup
from engine.doctor.lineage.record.matching import DOUBLE, same
from engine.doctor.lineage.record.reading import Floats, Ids, Record, RecordedArray
from engine.doctor.lineage.record.windows import window
from engine.doctor.lineage.the_loss.loss import ChosenLoss
from engine.doctor.walk.opening import likeliest_loss
from engine.text import clean

MOST_NAMED = 12
"""So many arrays of data are named."""


@dataclass(frozen=True)
class ProvenGradients:
    """How far each parameter's derived gradient is from the loss carried back, relative to its norm. `data` is what else the loss changes
    with; `steps` are the lines of which a value is neither dL/d(a value), nor a share or a sum of shares of one: steps on the way.
    `why` says what ended the run before anything could be compared, "" where nothing did."""

    errors: dict[str, float]
    data: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    why: str = ""


def agreement(
    program: ReadyProgram,
    forward: ForwardPass,
    keeps: Sequence[Keep],
    lines: Sequence[DerivedLine],
    pairs: Mapping[str, str],
    functions: Sequence[BackwardFunction] = (),
) -> ProvenGradients:
    """Runs the program with the lines in it, and compares what they make with the loss carried back over the record of that run."""
    shown = [
        f"proof_{k} = {name}\nproof_d{k} = {gradient}".split("\n") for k, (name, gradient) in enumerate(pairs.items())
    ]
    every = [*(line.text for line in lines), *(line for two in shown for line in two), "raise SystemExit"]
    text = in_double(run_text(program, forward, keeps, every, functions))
    outcome, record = program.with_text(text).followed()
    limit = "" if outcome.ending.kind in ("exception", "exit", "end") else outcome.sentence()
    failed = ProvenGradients(dict.fromkeys(pairs, float("inf")), why=limit)
    if isinstance(record, str):
        return failed
    events = {e.name: e for e in record.events if re.fullmatch(r"proof_d?\d+", e.name)}
    first = min((e.time for e in events.values()), default=0)
    kept = window(record, 0, first) if first else record
    loss = likeliest_loss(kept, program.name or program.loss.name) or (None if program.name else likeliest_loss(kept))
    if loss is None or not any(f"proof_{k}" in events for k in range(len(pairs))):
        return failed
    lookup = _Seen(record, loss, text.split("\n"), [line.text for line in lines if line.kind in ("back", "head")])
    adjoint = carried_back(record, loss.seeds, lookup.share)
    errors: dict[str, float] = {}
    for k, name in enumerate(pairs):
        one, other = events.get(f"proof_{k}"), events.get(f"proof_d{k}")
        if one is None or other is None:
            errors[name] = float("inf")
            continue
        right, own = one.value.of(adjoint), other.value.of(record.pool)
        size = float(np.linalg.norm(right))
        off = float(np.linalg.norm(own - right)) if own.shape == right.shape else float("inf")
        errors[name] = off / size if size else 0.0 if not off else float("inf")
    parameters = [events[f"proof_{k}"].value.ids().ravel() for k in range(len(pairs)) if f"proof_{k}" in events]
    return ProvenGradients(errors, tuple(_data(kept, adjoint, np.concatenate(parameters))), lookup.steps(adjoint))


class _Seen:
    """Which values of the derived lines are dL/d(a value of the program), or a share of one, or a sum of shares: looked up while the loss
    is carried back."""

    def __init__(self, record: Record, loss: ChosenLoss, text: Sequence[str], lines: Sequence[str]) -> None:
        self._record = record
        wanted = {line.strip() for line in lines}
        written = {k: one.strip() for k, one in enumerate(text, 1) if one.strip() in wanted}
        after = max((e.time for e in record.events if loss.ids[0] in e.value.ids()), default=0)
        own = [e for e in record.events if e.site.line in written and e.time > after and e.value.size]
        own = [e for e in own if not re.fullmatch(r"proof_d?\d+", e.name)]
        self._before = [e for e in record.events if e.time <= after and e.value.size]
        self._of = [written[e.site.line] for e in own]
        self._values = [e.value.of(record.pool) for e in own]
        self._lookup = Lookup(self._values, [1.0], DOUBLE)
        self._uses: Counter[tuple[int, int]] = Counter()

    def share(self, k: int, which: int, g: Floats, part: Floats, total: Floats) -> None:
        """A share of dL/d(an operand), and the sum of its shares up to it."""
        del g
        if part.size in self._lookup.sought:
            self._lookup.add(part, "share", k, which)
            reference = self._record.operations[k].operands[which]
            self._uses[reference.first, reference.size] += 1
            if self._uses[reference.first, reference.size] > 1 and total.shape == part.shape:
                self._lookup.add(np.array(total), "sum", k, which)

    def steps(self, adjoint: Floats) -> tuple[str, ...]:
        """The lines with a value that is none of these."""
        for k, event in enumerate(self._before):
            self._lookup.add(event.value.of(adjoint), "whole", k, 0)
        self._lookup.finish()
        tells = [v.size > 1 and np.isfinite(v).all() and np.ptp(v) > 0 for v in self._values]
        known = [any(same(hit.factor, 1.0, DOUBLE) for hit in hits) for hits in self._lookup.hits]
        unknown = (line for line, v, is_known in zip(self._of, tells, known, strict=True) if v and not is_known)
        return tuple(dict.fromkeys(unknown))


def _data(record: Record, adjoint: Floats, parameters: Ids) -> Iterator[str]:
    """The arrays from outside that move the loss and are none of the parameters, each once by its first name."""
    arrays = ArrayNames(record)
    is_parameter = np.zeros(len(record.pool), bool)
    is_parameter[parameters] = True
    named: dict[str, None] = {}
    for ids in inputs(record):
        if any(is_parameter[level].any() for level in levels_of(record, RecordedArray(ids.shape, kept=ids))):
            continue  # one, or gathered from one
        if _is_put_together(record, ids):
            continue
        if adjoint[ids].any() and record.pool[ids].any():
            names_ = [name.removeprefix("_driver.") for name in arrays.all_of(ids)]
            plain = (name for name in names_ if name.isidentifier())
            named[clean(next(plain, arrays.of(ids)), 40)] = None
    yield from list(named)[:MOST_NAMED]


def _is_put_together(record: Record, ids: Ids) -> bool:
    """Whether an array was gathered from several others."""
    maker = record.maker(int(ids.min()))
    gathered = [one.ids() for one in record.operations[maker].operands] if maker >= 0 else []
    ends = {int(end) for one in gathered if one.size for end in (one.min(), one.max())}
    return len({(record.maker(one), record.leaf(one) if record.maker(one) < 0 else -1) for one in ends}) > 1
