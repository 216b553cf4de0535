"""A script's arrays recognised: by names and shapes, and of all ways to read them the one whose states it computed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from engine.cells import CELLS, Cell
from engine.doctor import layouts, roles
from engine.doctor.finding import Finder, readings_of
from engine.doctor.instrument import Site
from engine.doctor.layouts import Layout
from engine.doctor.listed import listed
from engine.doctor.matching import MOST_STEPS, Reference
from engine.doctor.names import Names, has_weights, readings
from engine.doctor.problem import Problem
from engine.doctor.stacking import Order, axes_of, is_matrix, is_role, shape_of, unstacked
from engine.doctor.targets import final_name
from engine.doctor.trying import Event
from engine.doctor.values import is_array
from engine.functions import Array
from engine.network import Network

CANDIDATES = 4
"""Values tried for one role."""
FORWARD_EVENTS = 6000
"""Among which the forward pass is looked for."""
TRIED, FEW = 200, 4
"""Ways tried for one meaning of the names; readings of one way that are all followed to the end."""

SAME_SUM, SAME_SUM_SINGLE = 1e-9, 1e-5

Known = Mapping[str, list[tuple[int, Array, str]]]
"""Arrays by role: the event's number, the value, the name."""
_DATA = ("X", "y", "a0", "c0", "lengths", "mask")


@dataclass(frozen=True, eq=False)
class Found:
    """The problem that a run solved: the reference's, the events up to the first update, and how the arrays lie.

    `arrays` are the user's names by role, `meaning` what names mean, `share` the share of time steps whose state was computed.
    """

    problem: Problem
    events: tuple[Event, ...]
    arrays: Mapping[str, str]
    layout: Layout
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


def recognised(
    events: tuple[Event, ...], given: Mapping[str, Array], words: frozenset[str], own: Sequence[Cell] = ()
) -> Found | None:
    """The problem that these events solve; None where no array could be it. `words` are those of the program's text,
    `own` cells of the user's own.

    Where no reading's states were all computed, it is the nearest one.
    """
    best: Found | None = None
    named = frozenset(final_name(e.target) for e in events if e.target and is_array(e.value))
    said = {word for word in words if any(name in word.lower() for name in CELLS)}
    for meaning in readings(named | said, own):
        known = _by_role(events, meaning)
        for name, value in given.items():
            known[name] = [(-1, value, name), *known.get(name, [])]
        if not meaning.simple and not has_weights(meaning, known):
            continue
        found = _nearest(ways(known, events, meaning), events, meaning)
        if found is not None and (best is None or found.share > best.share):
            best = found
            if best.share > 0.5:
                return _settled(best, known)
    return best


def _by_role(events: Sequence[Event], meaning: Names) -> dict[str, list[tuple[int, Array, str]]]:
    """Arrays by the role of what they are assigned to, in order."""
    found: dict[str, list[tuple[int, Array, str]]] = {}
    for event in events:
        value = event.value
        if event.site.kind in ("part", "increment", "return") or not is_array(value):
            continue
        name = final_name(event.target)
        meant = meaning.role(name) if name else None
        if meant is not None and (meant in _DATA or is_role(meant, meaning.cell)):
            found.setdefault(meant, []).append((event.number, value, name))
    for number, target, value, lengths in listed(events, lambda target: _is_data(target, meaning)):
        name = final_name(target)
        found.setdefault(meaning.role(name) or "", []).append((number, value, name))
        if lengths is not None:
            found.setdefault("lengths", []).append((number, lengths, name))
    return {role: sorted(own, key=lambda entry: entry[0]) for role, own in found.items()}


def _is_data(target: str, meaning: Names) -> bool:
    return meaning.role(final_name(target)) in ("X", "y")


Way = tuple[Problem, dict[str, str], Layout]
"""A problem (targets aside), the user's names by role, and how the arrays lie."""


def _nearest(ways: Iterator[Way], events: tuple[Event, ...], meaning: Names) -> Found | None:
    """Of all ways to read the arrays the one whose states were computed."""
    best: Found | None = None
    values = [event.array for event in events]
    for tried, (problem, arrays, layout) in enumerate(ways):
        choice = readings_of(problem, frozenset(arrays), meaning.cells, layout.order)
        if len(choice) > FEW:  # the first steps tell them apart
            first = replace(problem, X=problem.X[:, :FEW], lengths=None)
            choice = [Finder(first, choice).found(values)[0]]
        reading, share = Finder(problem, choice).found(values)
        steps = problem.X.shape[1]
        if best is None or (share, steps > 1) > (best.share, best.problem.X.shape[1] > 1):
            weights = {**problem.parameters, **reading.parameters}
            weights = {n: w for n, w in weights.items() if n in axes_of(reading.cell)}
            network = replace(problem.network, cell=reading.cell, activation=reading.activation, weights=weights)
            own = replace(layout, order=reading.order)
            found = _checked(Found(replace(problem, network=network), events, arrays, own, meaning, share))
            if best is None or (found.share, steps > 1) > (best.share, best.problem.X.shape[1] > 1):
                best = found
        if (best.share == 1.0 and best.problem.X.shape[1] > 1) or tried > TRIED:
            break
    return best


def _checked(found: Found) -> Found:
    """Numbers of the same sum need not be the states: those of other samples, or of the same ones in another order."""
    short = found.share > 0.0 and found.problem.X.shape[1] <= MOST_STEPS
    return replace(found, share=0.0) if short and _share(found.problem, found.events) == 0.0 else found


def _share(problem: Problem, events: Sequence[Event]) -> float:
    """The share of time steps whose state was computed."""
    output = problem.network.table.output
    reference = Reference(problem, only=(output,))
    sizes, steps = {problem.network.hidden, len(problem.X) * problem.network.hidden}, problem.X.shape[1]
    seen: set[int] = set()
    for event in events:
        if event.array is not None and event.array.size in sizes:
            seen |= {m.entry.t for m in reference.matches(event.array) if m.entry.name == output and m.entry.t}
            if len(seen) == steps:
                break
    return len(seen) / steps


def ways(known: dict[str, list[tuple[int, Array, str]]], events: Sequence[Event], meaning: Names) -> Iterator[Way]:
    """The ways to read the arrays as a problem, the plainest first."""
    cell = meaning.cell
    weights = {role: own for role, own in known.items() if is_role(role, cell)}
    for role in weights:
        if is_matrix(role, cell):
            weights[role] = [entry for entry in weights[role] if entry[1].ndim == 2]
    if meaning.simple:
        weights |= _with_unnamed(weights, _matrices(events))
    if not has_weights(meaning, (role for role, own in weights.items() if own)) or not weights.get("Wy"):
        return
    matrices = [role for role in weights if is_matrix(role, cell)]
    most = CANDIDATES if len(matrices) <= 3 else 1
    for values in itertools.product(*(weights[role][:most] for role in matrices)):
        chosen = dict(zip(matrices, values, strict=True))
        if len({name for _, _, name in values}) < len(values):
            continue
        for features, hidden, outputs, layout in _fitting({role: v[1] for role, v in chosen.items()}, meaning):
            network = Network(features, outputs, hidden, cell=cell)
            own = dict(chosen)
            for role, vectors in weights.items():
                size = shape_of(role, cell, network.sizes, layout.order)[-1]
                fits = [] if role in chosen else [entry for entry in vectors if entry[1].size == size]
                own |= {role: fits[0]} if fits else {}
            zero = Problem(network, np.zeros((1, 1, features)), np.zeros(1, int))
            parameters = {name: np.zeros_like(value) for name, value in network.weights.items()}
            for role, (_, array, _) in own.items():
                parameters |= layouts.weight_back(role, array.astype(float), zero, layout)
            network = replace(network, weights=parameters)
            names = {role: name for role, (_, _, name) in own.items()}
            for X, axes, name in _inputs(known, events, features):
                nothing = Problem(network, X, np.zeros(len(X), int))
                for lengths, initial in itertools.product(_lengths(known, nothing), _initial(known, nothing)):
                    problem = replace(nothing, lengths=lengths, initial=initial)
                    yield problem, {**names, "X": name}, replace(layout, x=axes)


def _matrices(events: Sequence[Event]) -> list[tuple[int, Array, str]]:
    """What may be a weight though its name says nothing: matrices that are assigned and not zero."""
    first: dict[tuple[Site, str], tuple[int, Array, str]] = {}
    for e in events:
        if e.array is not None and e.array.ndim == 2 and e.site.kind == "assign" and e.target and e.array.any():
            first.setdefault((e.site, e.target), (e.number, e.array, final_name(e.target)))
    outermost = sorted(first, key=lambda place: bool(place[0].loops or place[0].function))
    return [first[place] for place in outermost]


def _with_unnamed(weights: Known, others: list[tuple[int, Array, str]]) -> Known:
    """A simple RNN's weights, other matrices in place of those that no name says."""
    found = {role: weights.get(role, []) for role in ("Wx", "Wa", "Wy")}
    found["Wa"] = found["Wa"] or [w for w in others if w[1].shape[0] == w[1].shape[1]]
    units = {w[1].shape[0] for w in found["Wa"]}
    named = {role: [w for w in found[role] if units & set(w[1].shape)] for role in ("Wx", "Wy")}
    taken = {w[2] for role in ("Wx", "Wa", "Wy") for w in named.get(role, found[role])}
    unnamed = [w for w in others if w[2] not in taken and units & set(w[1].shape)]
    return {**found, **{role: own or unnamed for role, own in named.items()}}


def _step_by_step(events: Sequence[Event], size: int, meaning: Names | None = None) -> Iterator[tuple[Array, str]]:
    """Arrays (T, size) of what is made anew in every round of a loop, or appended there, such as the inputs of one sample; with a meaning
    of names only what is called targets."""
    runs: dict[Any, list[Event]] = {}
    for event in events[:4000]:
        site = event.site
        if site.kind not in ("assign", "append") or not site.loops or not is_array(event.value):
            continue
        if event.value.size == size and (meaning is None or meaning.role(final_name(event.target)) == "y"):
            runs.setdefault((site, event.rounds[:-2]), []).append(event)
    seen: set[Site] = set()
    for (site, _), own in runs.items():
        whole = len(own) > 1 and [e.rounds[-2] for e in own] == list(range(len(own)))
        if whole and site not in seen and (size == 1 or any(e.value.any() for e in own)):
            seen.add(site)
            yield np.array([e.value.ravel() for e in own]), site.target


def _fitting(arrays: Mapping[str, Array], meaning: Names) -> Iterator[tuple[int, int, int, Layout]]:
    """D, H, C and the way round of weights with which all arrays have the shapes they should have, all alike first."""
    cell, gates = meaning.cell, len(meaning.cell.torch.get("weight_ih", ())) or 1
    dimensions = {size for array in arrays.values() for size in array.shape}
    for hidden in sorted({size // k for size in dimensions for k in (1, gates) if size % k == 0}):
        features = sorted({size - extra for size in dimensions for extra in (0, hidden, hidden + 1) if size > extra})
        for wx, wa, wy in sorted(itertools.product((False, True), repeat=3), key=lambda flags: len(set(flags))):
            outputs = arrays["Wy"].shape[0 if wy else 1]
            for joined, inputs in itertools.product(unstacked(frozenset(arrays)), features):
                layout = Layout(wx=wx, wa=wa, wy=wy, order=Order(joined=joined))
                sizes = {"D": inputs, "H": hidden, "C": outputs}
                if all(array.shape == layouts.shape_in(role, cell, sizes, layout) for role, array in arrays.items()):
                    yield inputs, hidden, outputs, layout


def _inputs(known: Known, events: Sequence[Event], features: int) -> Iterator[tuple[Array, str, str]]:
    """Arrays that may be X, as (B, T, D): the last ones called so first, since data are often reshaped before they are used."""
    named = known.get("X", [])
    distinct: list[tuple[int, Array, str]] = []
    for entry in [*named[:1], *reversed(named[1 : 4 * CANDIDATES])]:
        if not any(d[1].shape == entry[1].shape and np.array_equal(d[1], entry[1]) for d in distinct):
            distinct.append(entry)
    distinct.sort(key=lambda e: (-e[1].ndim, e[0]))
    others = [
        (e.number, e.array, e.target)
        for e in events[:400]
        if e.array is not None and e.array.ndim == 3 and e.site.kind == "assign"
    ]
    for _, value, name in (*distinct, *others[:CANDIDATES]):
        X = value.astype(float)
        if X.ndim == 3:
            for letters in layouts.BATCHES:
                if X.shape[letters.index("D")] == features:
                    order = [letters.index(axis) for axis in "BTD"]
                    yield X.transpose(order), letters, name
        elif X.ndim == 2:
            if features == 1:
                if X.shape[1] == 1:  # one long sequence, more likely than many of one step
                    yield X[None], "TD", name
                yield X[:, :, None], "BT", name
                yield X.T[:, :, None], "TB", name
            elif value.dtype.kind in "iu" and value.min() >= 0 and value.max() < features:
                yield np.eye(features)[value], "bt", name
            if X.shape[1] == features:
                yield X[None], "TD", name
            if X.shape[0] == features:
                yield X.T[None], "DT", name
        elif X.ndim == 1:
            if features == 1:
                yield X[None, :, None], "T", name
            elif value.dtype.kind in "iu" and value.min() >= 0 and value.max() < features:
                yield np.eye(features)[value][None], "t", name
    for rows, name in _step_by_step(events, features):
        yield rows[None].astype(float), "TD", name


def _lengths(known: Known, problem: Problem) -> Iterator[Array | None]:
    """How many steps of each sample count, where something says it: all of them, or so many."""
    yield None
    B, T = problem.X.shape[:2]
    for _, value, _ in known.get("lengths", [])[:CANDIDATES]:
        if value.shape == (B,) and value.dtype.kind in "iu" and 0 < value.min() < T == value.max():
            yield value
    for _, value, _ in known.get("mask", [])[:CANDIDATES]:
        own = value.T if value.shape == (T, B) else value
        if own.shape == (B, T) and not own.all():
            yield own.sum(axis=1).astype(int)


def _initial(known: Known, problem: Problem) -> Iterator[Mapping[str, Array]]:
    """Initial states: none but zeros, or those that are called so."""
    yield {}
    network, found = problem.network, dict[str, Array]()
    for name in network.table.states:
        for _, value, _ in known.get("a0" if name == network.table.output else f"{name}0", [])[:1]:
            own = value.T if value.shape == (network.hidden, len(problem.X)) else value
            if own.shape == (len(problem.X), network.hidden) and own.any():
                found[name] = own.astype(float)
    if found:
        yield found


def _settled(found: Found, known: Known) -> Found:
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


def _first_update(found: Found) -> Event | None:
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


def _is_changed(found: Found, event: Event, before: Event, role: str, weight: Array) -> bool:
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


def _forward_sites(found: Found) -> set[Site]:
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


def _may_be_update(found: Found, event: Event) -> bool:
    """Whether a weight may be what an event changes: it is called like one, or something is changed in place."""
    name = final_name(event.target)
    meant = found.meaning.role(name) if name else None
    named = name in found.arrays.values() or meant == "params" or (meant or "") in found.arrays
    return event.site.kind == "after" or (event.site.kind == "assign" and named and meant not in _DATA)


def with_targets(found: Found, known: Known) -> Iterator[tuple[Problem, str]]:
    B, T = found.problem.X.shape[:2]
    C = found.problem.network.outputs
    seen, fits = list[Array](), False
    rows = ((y, name) for size in {1, C} for y, name in _step_by_step(found.events, size, found.meaning))
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
        network = replace(found.problem.network, loss="cross-entropy" if C > 1 else "binary")
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
                yield "cross-entropy", predict, turned.astype(int)
            if C == 1 and whole and set(np.unique(numbers)) <= {0, 1}:
                yield "binary", predict, turned.astype(int)
            if C == 1:
                yield "squared", predict, turned.astype(float)[..., None]
        sizes = (*shape, C)
        for order in itertools.permutations(range(len(sizes))):
            if value.shape != tuple(sizes[k] for k in order) or (every and shape == (T, B)):
                continue
            turned = value.transpose(np.argsort(order))
            if C > 1 and whole and np.array_equal(turned.sum(axis=-1), np.ones(shape)):
                yield "cross-entropy", predict, turned.argmax(axis=-1)
            yield "squared", predict, turned.astype(float)


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


# Gradients


def gradients_of(found: Found, reference: Reference) -> dict[str, Array]:
    """The last value of each gradient before the first update, in our layout."""
    result: dict[str, Array] = {}
    problem, cell = found.problem, found.problem.network.table
    shapes = {
        r: layouts.weight(r, problem, found.layout).size for r in (*found.arrays, *cell.parameters) if is_role(r, cell)
    }
    held = found.held
    for event in found.events:
        value = event.array if event.array is not None else (event.value if is_array(event.value) else None)
        if value is None or event.site.kind in ("part", "increment", "append"):
            continue
        meant = gradient_meant(found, event.target)
        if meant in shapes and value.size == shapes[meant]:
            own = layouts.weight_back(meant, value.astype(float), problem, found.layout)
            result |= {name: part for name, part in own.items() if name in held}
    for event in found.events if held - result.keys() else ():
        if event.array is None or found.meaning.role(final_name(event.target)) is not None:
            continue
        for match in reference.matches(event.array):
            name = match.entry.name.removeprefix("d")
            if match.entry.kind == "value" and name in held and match.entry.is_gradient and name not in result:
                result |= layouts.weight_back(name, event.array.astype(float), problem, found.layout)
    return {name: -value for name, value in result.items()} if _is_added(found, result) else result


def _is_added(found: Found, gradients: Mapping[str, Array]) -> bool:
    """Whether the first update adds what is called the gradient: then it is the direction of descent."""
    problem, cell = found.problem, found.problem.network.table
    value = found.update.value if found.update is not None else None
    if not is_array(value):
        return False
    for role in found.arrays:
        if not is_role(role, cell) or value.shape != layouts.weight(role, problem, found.layout).shape:
            continue
        for name, part in layouts.weight_back(role, value.astype(float), problem, found.layout).items():
            change = part.ravel() - np.ravel(problem.parameters[name])
            gradient = np.ravel(gradients.get(name, np.zeros_like(part)))
            size = float(np.linalg.norm(change) * np.linalg.norm(gradient))
            if abs(float(change @ gradient)) > 0.9 * size > 0:
                return bool(change @ gradient > 0)
    return False


def gradient_meant(found: Found, target: str) -> str | None:
    """The array of parameters whose gradient a target is called."""
    name = final_name(target)
    if name in found.arrays.values():
        return None  # the weights of the gate g end in g, as gradients may: Wxg
    cell = found.problem.network.table
    roles_of = {own: role for role, own in found.arrays.items() if is_role(role, cell)}
    meant = next((roles_of[own] for own in roles.differentiated(name) if own in roles_of), None)
    meant = meant or found.meaning.gradient(name)
    return meant if meant is not None and is_role(meant, cell) else None
