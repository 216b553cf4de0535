"""Where it goes wrong: recorded values in the order in which they were made, the first that is not the reference's."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from engine.doctor import roles
from engine.doctor.instrument import Site
from engine.doctor.matching import Match, Reference
from engine.doctor.trying import Event

SAME_SCALE = 1e-6


@dataclass(frozen=True, eq=False)
class Seen:
    """An event and what it is of the reference: all its matches, and whether it is right."""

    event: Event
    matches: tuple[Match, ...]
    right: bool


@dataclass(frozen=True)
class Role:
    """What the values of a site are for, as far as the right ones say: a quantity of the reference."""

    name: str
    kind: str


@dataclass(frozen=True, eq=False)
class Timeline:
    """All recorded arrays in order, each compared with the reference; `start` is where the backward pass begins."""

    seen: tuple[Seen, ...]
    start: int
    by_site: Mapping[Site, tuple[Seen, ...]]
    events: Sequence[Event] = ()
    base: float = 1.0

    def first_wrong(self) -> Seen | None:
        """The first value of the backward pass that is not the reference's and that no right value is made from."""
        for k in range(self.start, len(self.seen)):
            seen = self.seen[k]
            if seen.right or seen.event.site.kind == "part" or seen.event.site.plain:
                continue
            if not self.is_harmless(k):
                return seen
        return None

    def is_harmless(self, k: int) -> bool:
        """Whether a value that is none of the reference's is only on the way to one that is, or is never used."""
        event = self.seen[k].event
        name = base_name(event.target) if event.target else ""
        if not name:
            return any(s.right for s in self.seen[k + 1 : k + 3] if s.event.site.kind != "part")
        used = False
        for later in self.seen[k + 1 :]:
            site = later.event.site
            if (
                site.function == event.site.function
                and base_name(later.event.target) == name
                and site.kind in ("assign", "append")
            ):
                if site.line != event.site.line and name not in read_names(site.source):
                    break
            if name in read_names(site.source) and site.line != event.site.line:
                used = True
                if later.right and any(
                    m.entry.is_gradient or m.entry.name in ("p", "logits", "a", "z") for m in later.matches
                ):
                    return True
        return not used and roles.gradient(event.target) is None and not name.startswith(("d", "g", "D"))


def timeline(events: Sequence[Event], reference: Reference, base: float, wrong: frozenset[str]) -> Timeline:
    """`base` is the scale that the user's gradients rightly have; `wrong` are the parameters whose gradients are not right."""
    seen: list[Seen] = []
    baseline: dict[str, float] = {}
    forward_end = 0
    for event in events:
        value = event.array
        if value is None or value.dtype.kind in "ib" or not value.any():
            continue
        matches = [
            m for m in reference.matches(value) if m.entry.sample is None or event.sample in (None, m.entry.sample)
        ]
        right = any(_is_right(m, base, baseline, wrong) for m in matches)
        seen.append(Seen(event, tuple(matches), right))
        if any(m.entry.name in ("p", "logits") and abs(m.scale - 1) < SAME_SCALE for m in matches) and not forward_end:
            forward_end = len(seen)
    by_site: dict[Site, list[Seen]] = {}
    for each in seen:
        by_site.setdefault(each.event.site, []).append(each)
    sites = {site: tuple(those) for site, those in by_site.items()}
    return Timeline(tuple(seen), forward_end, sites, events, base)


def _is_right(match: Match, base: float, baseline: dict[str, float], wrong: frozenset[str]) -> bool:
    """A forward value must be equal; a gradient may have another scale than the final one as long as it keeps it to the end."""
    entry = match.entry
    if not entry.is_gradient:
        return abs(match.scale - 1) < SAME_SCALE or entry.name in ("onehot",)
    if entry.kind == "derivative":
        return abs(match.scale - 1) < SAME_SCALE
    ratio = match.scale / base
    family = entry.name if entry.name.removeprefix("d") in roles.PARAMETERS else "delta"
    first = baseline.setdefault(family, ratio)
    if abs(ratio - 1) < SAME_SCALE:
        return True
    if ratio < 0 or (family == "delta" and len(wrong) >= 4) or entry.name.removeprefix("d") in wrong:
        return False
    return abs(ratio / first - 1) < SAME_SCALE


def site_role(timeline_: Timeline, site: Site) -> Role | None:
    """What a site is for: what its right values are, else what its target is called."""
    for seen in timeline_.by_site.get(site, ()):
        for match in seen.matches:
            if match.entry.is_gradient:
                return Role(match.entry.name, match.entry.kind)
    meant = roles.gradient(site.target) if site.target else None
    return Role(f"d{meant}", "value") if meant else None


@lru_cache(maxsize=4096)
def read_names(source: str) -> frozenset[str]:
    """The names that an expression reads."""
    try:
        tree = ast.parse(source, mode="eval")
    except SyntaxError:
        return frozenset()
    return frozenset(
        [n.id for n in ast.walk(tree) if isinstance(n, ast.Name)]
        + [n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)]
    )


def base_name(target: str) -> str:
    """The variable of a target: `grads` of `grads["Wx"]`, `dWx` of `self.dWx`."""
    return target.partition("[")[0].removeprefix("self.").rpartition(".")[2]


def expected(timeline_: Timeline, seen: Seen, reference: Reference) -> tuple[str, int | None]:
    """What a wrong value should have been: the quantity and its step, as far as the place's other values and its loop tell."""
    site = seen.event.site
    own = timeline_.by_site[site]
    count = [s for s in own if s.event.sample == seen.event.sample].index(seen)
    steps = reference.problem.X.shape[1]
    for k, other in enumerate(own):
        for match in other.matches:
            if match.entry.is_gradient and match.entry.t is not None and other.right:
                return match.entry.name, max(match.entry.t - (count - k), 0)
    role = site_role(timeline_, site)
    looped = len(own) > 1
    name = role.name if role else _by_shape(seen, reference)
    t = steps - count if looped and name not in ("dlogits",) and count < steps else None
    return name, t


def _by_shape(seen: Seen, reference: Reference) -> str:
    """The quantity of the backward pass that such a shape is."""
    value = np.asarray(seen.event.value)
    shape = sorted(value.squeeze().shape)
    for name, t in (("da", 1), ("dlogits", None), ("dlogits", 1), ("dWa", None), ("dWx", None), ("dWy", None)):
        for b in (None, 0):
            entry = reference.by_name.get((name, t, b, "value"))
            if entry is not None and sorted(entry.value.squeeze().shape) == shape:
                return name
    return ""


def place(
    timeline_: Timeline, id_: str, quantity: str, kind: str, reference: Reference, loop_line: int | None
) -> Seen | int | None:
    """Where a named mistake is: a wrong value, or the line of a loop. `kind` is line, loop, missing or forward."""
    if kind == "loop" and loop_line is not None:
        return loop_line
    wrong = [s for s in timeline_.seen if not s.right and s.event.site.kind != "part"]
    name = quantity.partition(" ")[0].removeprefix("d")
    if name in roles.PARAMETERS:
        size = np.asarray(reference.problem.parameters[name]).size
        own = [s for s in wrong if s.event.array is not None and s.event.array.size == size and not s.event.site.plain]
        named = [s for s in own if roles.gradient(s.event.target) == name]
        for candidates in (named, own):
            if candidates:
                return candidates[0]
    return timeline_.first_wrong()


def backward_loop(timeline_: Timeline, loops: Sequence[tuple[int, str]]) -> int | None:
    """The line of the loop over time in the backward pass: the innermost one around what adds to the weights' gradients."""
    votes: dict[int, int] = {}
    for seen in timeline_.seen:
        site = seen.event.site
        if not site.loops or site.kind == "part":
            continue
        if roles.gradient(site.target) in ("Wx", "Wa", "ba") or any(m.entry.name in ("dz", "da") for m in seen.matches):
            number = site.loops[-1]
            votes[number] = votes.get(number, 0) + 1
    return loops[max(votes, key=lambda n: votes[n])][0] if votes else None
