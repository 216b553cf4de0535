"""The problem that a run solved, settled: its targets and read-out, the samples that were run, what came before the first update."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from engine.doctor.read.kinds import is_array
from engine.doctor.recognise.per_step_arrays import step_by_step
from engine.doctor.reference import layouts
from engine.doctor.reference.layouts import ArrayLayout
from engine.doctor.reference.problem import Problem
from engine.doctor.reference.values import Reference
from engine.doctor.run.events import Event
from engine.doctor.run.instrument import Site
from engine.doctor.vocabulary import roles
from engine.doctor.vocabulary.packing import is_role
from engine.doctor.vocabulary.readings import Names
from engine.doctor.vocabulary.targets import final_name
from engine.language.functions import Array
from engine.tables.heads import HEADS

CANDIDATES = 4
"""Values tried for one role."""
FORWARD_EVENTS = 6000
"""Among which the forward pass is looked for."""
SAME_SUM, SAME_SUM_SINGLE = 1e-9, 1e-5
Known = Mapping[str, list[tuple[int, Array, str]]]
"""Arrays by role: the event's number, the value, the name."""
CLASS_LOSSES = tuple(name for name, head in HEADS.items() if head.output_a_class)
TWO_CLASS_LOSSES = tuple(name for name, head in HEADS.items() if head.two_classes)
NUMBER_LOSSES = tuple(name for name, head in HEADS.items() if not head.classes)
DATA = ("X", "y", "a0", "c0", "lengths", "mask")


@dataclass(frozen=True, eq=False)
class ScriptProblem:
    """The problem that a run solved: the reference's, the events up to the first update, and how the arrays lie.

    `arrays` are the user's names by role, `meaning` what names mean, `share` the share of time steps whose state was computed.
    """

    problem: Problem
    events: tuple[Event, ...]
    arrays: Mapping[str, str]
    layout: ArrayLayout
    meaning: Names
    share: float
    samples: tuple[int, ...] = ()
    has_targets: bool = True
    update: Event | None = None
    """In which a weight first takes a new value."""

    @property
    def held(self) -> frozenset[str]:
        """The parameters that the program has."""
        return layouts.parameters_held(self.arrays, self.problem.network.table, self.layout)

    @property
    def missing(self) -> frozenset[str]:
        """The parameters that it does not have."""
        return frozenset(self.problem.parameters) - self.held


def settled(found: ScriptProblem, known: Known) -> ScriptProblem:
    """With its targets and read-out, the samples that were really run, and only what came before the first update."""
    update = _first_update(found)
    events = tuple(e for e in found.events if update is None or e.number < update.number)
    found = replace(found, update=update)
    best: tuple[int, Problem, str] | None = None
    for problem, name in with_targets(found, known):
        score = _agreement(problem, events)
        if best is None or score > best[0]:
            best = score, problem, name
    if best is None:
        return replace(found, events=events, has_targets=False)
    problem, names = best[1], {**found.arrays, **({"y": best[2]} if best[2] else {})}
    samples = _samples_run(problem, events)
    if 0 < len(samples) < len(problem.X):
        some = list(samples)
        lengths = None if problem.lengths is None else problem.lengths[some]
        initial = {name: value[some] for name, value in problem.initial.items()}
        problem = replace(problem, X=problem.X[some], y=problem.y[some], lengths=lengths, initial=initial)
    return replace(found, problem=problem, events=events, arrays=names, samples=samples)


def _first_update(found: ScriptProblem) -> Event | None:
    """The first event in which a weight takes a new value, where the backward pass is done; if it is not done yet then, the next such
    event, or the one with which the next forward pass begins."""
    roles_of = [role for role in found.arrays if is_role(role, found.problem.network.table)]
    weights = [(role, w) for role in roles_of if (w := layouts.weight(role, found.problem, found.layout)).any()]
    forward = _forward_sites(found)
    begun = early = False
    for before, event in itertools.pairwise(found.events):
        is_gradient = bool(event.target) and gradient_meant(found, event.target) is not None
        begun = begun or is_gradient
        if early and event.site in forward:
            return event
        if not begun or is_gradient or not is_array(event.value) or not _may_be_update(found, event):
            continue
        if not any(_is_changed(found, event, before, role, weight) for role, weight in weights):
            continue
        if event.site.loops and not any(event.site.loops[-1] in site.loops for site in forward):
            early = True  # inside the loop of the backward pass
        else:
            return event
    return None


def _is_changed(found: ScriptProblem, event: Event, before: Event, role: str, weight: Array) -> bool:
    """Whether an event gives a weight another value: under its name, by adding to it under any name, or one near it."""
    value = np.asarray(event.value)
    if value.size != weight.size or (weight.ndim == 2 and value.shape != weight.shape):
        return False
    change, size = value.ravel() - weight.ravel(), float(np.linalg.norm(weight))
    distance = float(np.linalg.norm(change)) / size
    if 0.0 < distance < 0.5 or (distance and final_name(event.target) == found.arrays.get(role)):
        return True
    if event.site.kind != "after" or (before.site.line, before.site.kind) != (event.site.line, "increment"):
        return False
    added = np.abs(np.asarray(before.value))
    return added.size == change.size and np.allclose(np.abs(change), added.ravel(), rtol=1e-6, atol=1e-9 * size)


def _forward_sites(found: ScriptProblem) -> set[Site]:
    """Where states of the forward pass are computed."""
    states = np.asarray(found.problem.tape[found.problem.network.table.output])[1:]
    sums = np.sort([float(np.abs(part).sum()) for state in states for part in (state, *state)])
    sites: set[Site] = set()
    for event in found.events[:FORWARD_EVENTS]:
        value = event.array
        if value is None or event.site.kind == "part" or value.size not in (states[0].size, states[0, 0].size):
            continue
        near = SAME_SUM_SINGLE if value.dtype == np.float32 else SAME_SUM
        total = float(np.abs(value).sum(dtype=np.float64))
        k = int(np.searchsorted(sums, total * (1 - near)))
        if k < len(sums) and 0 < sums[k] <= total * (1 + near):
            sites.add(event.site)
    return sites


def _may_be_update(found: ScriptProblem, event: Event) -> bool:
    """Whether a weight may be what an event changes: it is called like one, or something is changed in place."""
    name = final_name(event.target)
    meant = found.meaning.role(name) if name else None
    named = name in found.arrays.values() or meant == "params" or (meant or "") in found.arrays
    return event.site.kind == "after" or (event.site.kind == "assign" and named and meant not in DATA)


def with_targets(found: ScriptProblem, known: Known) -> Iterator[tuple[Problem, str]]:
    B, T = found.problem.X.shape[:2]
    C = found.problem.network.outputs
    seen, fits = list[Array](), False
    rows = ((y, name) for size in {1, C} for y, name in step_by_step(found.events, size, found.meaning))
    stepwise = [(y[None], name) for y, name in rows if B == 1 and len(y) == T]
    for value, name in (*stepwise, *((value, name) for _, value, name in known.get("y", [])[: 4 * CANDIDATES])):
        if any(s.shape == value.shape and np.array_equal(s, value) for s in seen):
            continue
        if value.ndim > 1 and not value.any():
            continue  # before it is filled
        seen.append(value)
        for loss, predict, y in _target_readings(value, B, T, C):
            fits = True
            network = replace(found.problem.network, loss=loss, predict=predict)
            yield replace(found.problem, network=network, y=y), name
    if not fits and B == 1:  # a target that is the variable of a loop, or one of those of all samples
        network = replace(found.problem.network, loss=(CLASS_LOSSES if C > 1 else TWO_CLASS_LOSSES)[0])
        yield from ((replace(found.problem, network=network, y=np.array([c])), "") for c in range(max(C, 2)))


def _target_readings(value: Array, B: int, T: int, C: int) -> Iterator[tuple[str, str, Array]]:
    whole = value.dtype.kind in "iub" or bool(np.all(value == np.round(value)))
    flat = value.squeeze() if value.ndim > 1 else value
    for predict, shape in (("last", (B,)), ("every", (B, T)), ("every", (T, B))):
        every = predict == "every"
        numbers = value if value.shape == shape else flat if flat.shape == shape else None
        if numbers is None and value.size == int(np.prod(shape)) and B == 1:
            numbers = value.reshape(shape)
        if numbers is not None:
            turned = numbers.T if every and shape == (T, B) else numbers
            if C > 1 and whole and numbers.min() >= 0 and numbers.max() < C:
                yield from ((loss, predict, turned.astype(int)) for loss in CLASS_LOSSES)
            if C == 1 and whole and set(np.unique(numbers)) <= {0, 1}:
                yield from ((loss, predict, turned.astype(int)) for loss in TWO_CLASS_LOSSES)
            if C == 1:
                yield from ((loss, predict, turned.astype(float)[..., None]) for loss in NUMBER_LOSSES)
        sizes = (*shape, C)
        for order in itertools.permutations(range(len(sizes))):
            if value.shape != tuple(sizes[k] for k in order) or (every and shape == (T, B)):
                continue
            turned = value.transpose(np.argsort(order))
            if C > 1 and whole and np.array_equal(turned.sum(axis=-1), np.ones(shape)):
                yield from ((loss, predict, turned.argmax(axis=-1)) for loss in CLASS_LOSSES)
            yield from ((loss, predict, turned.astype(float)) for loss in NUMBER_LOSSES)


def _agreement(problem: Problem, events: Sequence[Event]) -> int:
    """How many outputs, deltas and read-out gradients of the problem were computed."""
    wanted = ("p", "logits", "dlogits", "dWy") if problem.network.head.classes else ("dlogits", "dWy")
    reference = Reference(problem, only=wanted)
    seen: set[tuple[str, int | None, int | None]] = set()
    sizes = reference.sizes(*wanted)
    for event in events[:4000]:
        value = event.array
        if value is None or value.size not in sizes:
            continue
        for match in reference.matches(value)[:3]:
            if match.entry.name in wanted:
                seen.add((match.entry.name, match.entry.t, match.entry.sample))
    return len(seen) + 3 * len({s[0] for s in seen} & {"dlogits"}) + (len({s[1] for s in seen if s[0] == "p"}) > 1)


def _samples_run(problem: Problem, events: Sequence[Event]) -> tuple[int, ...]:
    """The samples whose last state was computed; all of them where they were computed together."""
    a = np.asarray(problem.tape[problem.network.table.output])[-1]
    sums = np.abs(a).sum(axis=1)
    whole = float(sums.sum())
    seen = np.zeros(len(a), bool)
    for event in events:
        value = event.array
        if value is None or value.size not in (a.shape[1], a.size):
            continue
        total = float(np.abs(value).sum(dtype=np.float64))
        near = SAME_SUM_SINGLE if value.dtype == np.float32 else SAME_SUM
        if value.size == a.size and abs(total - whole) < near * whole:
            return tuple(range(len(a)))
        if value.size == a.shape[1]:
            seen |= np.abs(sums - total) < near * np.maximum(sums, near)
    return tuple(int(b) for b in np.flatnonzero(seen)) or tuple(range(len(a)))


def gradient_meant(found: ScriptProblem, target: str) -> str | None:
    """The array of parameters whose gradient a target is called."""
    name = final_name(target)
    if name in found.arrays.values():
        return None  # the weights of the gate g end in g, as gradients may: Wxg
    cell = found.problem.network.table
    roles_of = {own: role for role, own in found.arrays.items() if is_role(role, cell)}
    meant = next((roles_of[own] for own in roles.differentiated(name) if own in roles_of), None)
    meant = meant or found.meaning.gradient(name)
    return meant if meant is not None and is_role(meant, cell) else None
