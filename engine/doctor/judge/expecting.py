"""What a wrong value should have been, and what its line reads, judging by the other recorded values."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from engine.doctor.judge.timeline import ComparedValue, Timeline
from engine.doctor.reference.values import Entry
from engine.doctor.vocabulary.targets import base_name, read_names
from engine.language.functions import Array


def expected(line_up: Timeline, seen: ComparedValue) -> tuple[str, int | None]:
    """What a wrong value should have been: the quantity and its step, as far as the place's other values and its loop tell."""
    site = seen.event.site
    own = [s for s in line_up.by_site[site] if s.event.sample == seen.event.sample]
    count = own.index(seen)
    steps = line_up.reference.problem.X.shape[1]
    for k, other in enumerate(own):
        found = [m.entry for m in other.matches if m.entry.is_gradient and m.entry.t is not None and other.right]
        if found:  # of several the one that it is called
            entry = next((e for e in found if e.name == base_name(seen.event.target)), found[0])
            return entry.name, max((entry.t or 0) - (count - k), 0)
    for match in seen.matches:
        if match.entry.is_gradient:
            return match.entry.name, match.entry.t
    meant = line_up.meant(seen.event.target) if seen.event.target else frozenset[str]()
    named = base_name(seen.event.target)  # perhaps as the reference calls it
    known = named if np.asarray(seen.event.value).size in line_up.reference.sizes(named) and named[:1] == "d" else ""
    made = _made_from(line_up, seen) if not meant else None
    if made is not None and known in ("", made.name):
        return made.name, made.t
    called = " ".join(f"d{n}" for n in line_up.reference.problem.parameters if n in meant)
    name = called or known or _by_shape(line_up, seen)
    looped = bool(site.loops) or len(own) > 1
    output = f"d{line_up.reference.problem.network.table.output}"
    if name == output and looped and _made_before(line_up, seen, output, steps):
        count += 1  # the last step's is made before the loop: what the loop makes first is that of the step before
    return name, steps - count if looped and name != "dlogits" and count < steps else None


def operands(line_up: Timeline, seen: ComparedValue) -> Iterator[tuple[str, ComparedValue]]:
    """The names that a value's line reads, each with the value it holds there, where that was recorded."""
    event = seen.event
    before = [s for s in line_up.seen if s.event.number < event.number and not s.is_part]
    # Of an array of which a part was written that part says more than the whole.
    written = {(s.line, s.event.rounds) for s in before if s.event.site.kind == "assign" and "[" in s.event.target}
    before = [s for s in before if s.event.site.kind != "after" or (s.line, s.event.rounds) not in written]
    for name in sorted(read_names(event.site.source)):
        for earlier in reversed(before):
            own = earlier.event
            same_call = (own.site.function, own.sample) == (event.site.function, event.sample)
            if same_call and base_name(own.target) == name:
                yield name, earlier
                break


def _made_from(line_up: Timeline, seen: ComparedValue) -> Entry | None:
    """What the reference makes of the gradients that a line reads, where they are right; of several the one most like the value."""
    reference = line_up.reference
    program = reference.problem.tape.plan.program
    read = [m.entry for _, operand in operands(line_up, seen) if operand.right for m in operand.matches]
    value = np.asarray(seen.event.value, dtype=float)
    candidates: dict[tuple[str, int | None], Entry] = {}
    for source in read:
        if not source.is_gradient or source.kind != "value":
            continue
        for line in program.lines:
            for name in line.equation.reads if line.phase == "backward" else ():
                t = None if source.t is None else source.t - name.step + line.equation.step
                entry = reference.find(line.name, t, source.sample)
                if name.name == source.name and entry is not None and entry.value.size == value.size:
                    candidates[line.name, t] = entry
    return max(candidates.values(), key=lambda entry: abs(_cosine(entry.value, value)), default=None)


def _cosine(one: Array, other: Array) -> float:
    """Of two arrays of one size; where their axes lie in another order it is what the numbers in order of size have."""
    a, b = one.squeeze(), other.squeeze()
    if a.shape != b.shape:
        a, b = np.sort(a, axis=None), np.sort(b, axis=None)
    return float(np.vdot(a, b)) / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-300)


def _made_before(line_up: Timeline, seen: ComparedValue, output: str, steps: int) -> bool:
    """Whether the last step's gradient of the state was there before a value, at another line."""
    earlier = line_up.seen[: line_up.index(seen)]
    return any(
        s.line != seen.line and any(m.entry.name == output and m.entry.t == steps for m in s.matches) for s in earlier
    )


def _by_shape(line_up: Timeline, seen: ComparedValue) -> str:
    """The quantity of the backward pass that such a shape is."""
    shape = sorted(np.asarray(seen.event.value).squeeze().shape)
    for name, t in (
        ("da", 1),
        ("dh", 1),
        ("dlogits", None),
        ("dlogits", 1),
        ("dWa", None),
        ("dWx", None),
        ("dWy", None),
    ):
        for b in (None, 0):
            entry = line_up.reference.find(name, t, b)
            if entry is not None and sorted(entry.value.squeeze().shape) == shape:
                return name
    return ""
