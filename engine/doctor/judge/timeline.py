"""The timeline: all recorded values in order, each compared with the reference, and the first one that is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from engine.doctor.judge.data_flow import feeding
from engine.doctor.read.kinds import is_array
from engine.doctor.read.source import SourceFile
from engine.doctor.reference.values import Match, Reference
from engine.doctor.run.events import Event
from engine.doctor.run.instrument import Site
from engine.doctor.vocabulary.packing import OWN, SECOND, Order, is_role, parameters_in
from engine.doctor.vocabulary.readings import SIMPLE, Names
from engine.doctor.vocabulary.targets import base_name, final_name, grad_param, read_names
from engine.language.functions import Array

SAME_SCALE = 1e-6
_KEYED = re.compile(r"\[[^\]]*['\"]")
_BLANK = re.compile(r"(?:\w+\.)?empty(?:_like)?\(")


@dataclass(frozen=True, eq=False)
class ComparedValue:
    """A recorded value and the reference's values that it equals: all matches, whether one of them belongs in this
    place, and whether also in scale."""

    event: Event
    matches: tuple[Match, ...]
    right: bool
    strictly: bool

    @property
    def line(self) -> int:
        """Its line."""
        return self.event.site.line

    @property
    def is_part(self) -> bool:
        """Whether it is only part of a line's expression."""
        return self.event.site.kind == "part"

    def of(self, *names: str) -> bool:
        """Whether it is one of these quantities' values."""
        return any(m.entry.name in names and m.entry.kind != "derivative" for m in self.matches)


@dataclass(frozen=True)
class Scales:
    """What counts as right in a program: the scale of its loss, which weights are transposed (`turned`), what its names
    mean; and which gradients are wrong."""

    base: float
    wrong: frozenset[str]
    turned: frozenset[str] = frozenset()
    names: Names = SIMPLE
    order: Order = OWN


@dataclass(frozen=True, eq=False)
class Timeline:
    """All recorded arrays in order, each compared with the reference; `start` is where the backward pass begins."""

    seen: tuple[ComparedValue, ...]
    start: int
    by_site: Mapping[Site, tuple[ComparedValue, ...]]
    reference: Reference
    events: Sequence[Event] = ()
    scales: Scales = field(default_factory=lambda: Scales(1.0, frozenset()))

    @property
    def base(self) -> float:
        """The right scale of the gradients."""
        return self.scales.base

    def meant(self, target: str) -> frozenset[str]:
        """The parameters (or the initial state) whose gradients a target is called."""
        return meant_by(target, self.scales, self.reference)

    def first_wrong(self) -> ComparedValue | None:
        """The first wrong value of the backward pass from which no right value is computed later."""
        for strict in (False, True):
            if strict and 0 < len(self.scales.wrong) < len(self.reference.problem.parameters) - 1:
                made = [s for p in sorted(self.scales.wrong) for s in self.sites_of(p) if not s.is_part]
                looped = [s for s in made if s.event.site.loops]  # where it is summed, not where it is handed on
                made = looped or [s for s in made if s.event.site.kind != "return" and not s.event.site.plain] or made
                if made:
                    return made[-1]
            for k in range(self.start, len(self.seen)):
                seen = self.seen[k]
                right = seen.strictly if strict else seen.right
                if not right and not seen.is_part and self._feeds(seen) and not self.is_harmless(k, strict=strict):
                    return self._in_caller(k)
        return None

    def _feeds(self, seen: ComparedValue) -> bool:
        """Whether a value may have a part in the gradients that are wrong: those of a loss that is only printed have none."""
        if not self._feeding:
            return True
        site, target = seen.event.site, seen.event.target
        names = {base_name(target), final_name(target)} if target else {site.function.rpartition(".")[2]}
        return bool(names & self._feeding)

    @cached_property
    def _feeding(self) -> frozenset[str]:
        """The names that feed the wrong gradients; none where these are not known by their names."""
        sites = dict.fromkeys(event.site for event in self.events if event.site.kind != "part")
        gradients = {
            name
            for site in sites
            for target in (*site.names, site.target)
            if target and self.meant(target) & self.scales.wrong
            for name in (base_name(target), final_name(target))
        }
        lines = [
            (
                site,
                tuple(n for t in (*site.names, site.target) if t for n in (base_name(t), final_name(t))),
                read_names(site.source),
            )
            for site in sites
        ]
        return feeding(lines, gradients) if gradients else frozenset()

    def index(self, seen: ComparedValue) -> int:
        """Its place in the order."""
        return self.seen.index(seen)

    def _in_caller(self, k: int) -> ComparedValue:
        """A wrong value of a helper that is right elsewhere was given something wrong: it is the caller's line that counts."""
        seen = self.seen[k]
        site = seen.event.site
        if site.kind != "return" or not any(other.right and other.matches for other in self.by_site[site]):
            return seen
        for later in self.seen[k + 1 : k + 8]:
            if later.event.site.function != site.function and not later.right:
                return later
        return seen

    def is_harmless(self, k: int, *, strict: bool = False) -> bool:
        """Whether a value that is none of the reference's is only on the way to one that is, or is never used."""
        seen = self.seen[k]
        site, name = seen.event.site, base_name(seen.event.target)
        if strict and seen.matches:
            return False
        before = self.seen[k - 1]
        if site.kind == "after" and (before.event.site.line, before.event.site.kind, before.right) == (
            site.line,
            "assign",
            True,
        ):
            return True  # an array of which only a part was written, and that part is right
        if site.kind == "after" and self.by_site[site][-1].right:
            return True  # filled part by part
        if not name:
            return self._is_harmless_result(k)
        plain_target = seen.event.target == name
        entry = seen.event.target if _KEYED.search(seen.event.target) else ""
        added = {other.line for other in self.by_site if other.kind == "increment" and other.function == site.function}
        used, forward = False, self.reference.problem.network.table.states
        for later in self.seen[k + 1 :]:
            own = later.event.site
            if own.function != site.function or later.event.sample != seen.event.sample:
                continue
            if name in read_names(own.source) and entry in own.source and (own.line != site.line or own is site):
                used = used or own.line != site.line
                if later.right and (
                    later.of("p", "logits", "z", *forward) or any(m.entry.is_gradient for m in later.matches)
                ):
                    return True
            if plain_target and later.event.target == name and own.kind in ("assign", "after"):
                if name in read_names(own.source) or own.line in added:
                    continue  # it is added to, and lives on in what comes of it
                break
        return not used and not self.meant(seen.event.target) and not name.startswith(("d", "g", "D"))

    def _is_harmless_result(self, k: int) -> bool:
        """Of what a function returns: whether what the caller makes of it is right."""
        seen = self.seen[k]
        function = seen.event.site.function
        for later in self.seen[k + 1 : k + 12]:
            own = later.event.site
            if own.kind == "return" and own.function == function and own.line == seen.line:
                continue
            same = later.event.array is not None and np.array_equal(later.event.array, np.asarray(seen.event.value))
            if same and own.kind != "part":
                return later.right
            if own.function != function and own.kind != "part":
                return later.right
        return False

    def sites_of(self, parameter: str) -> Iterator[ComparedValue]:
        """What is called the gradient of a parameter."""
        return (s for s in self.seen if s.event.target and parameter in self.meant(s.event.target))


@dataclass(frozen=True, eq=False)
class Compared:
    """A run of a program and its reference; they are compared value by value only when the timeline is asked for."""

    source: SourceFile
    events: Sequence[Event]
    reference: Reference
    scales: Scales

    @cached_property
    def timeline(self) -> Timeline:
        """Every recorded array beside the reference."""
        return timeline(self.events, self.reference, self.scales)


def meant_by(target: str, scales: Scales, reference: Reference) -> frozenset[str]:
    """The parameters (or the initial state) whose gradients a target is called."""
    role, cell = grad_param(target, scales.names), reference.problem.network.table
    if role is None or scales.names.simple or not is_role(role, cell):
        return frozenset() if role is None else frozenset((role,))
    return frozenset(cell.torch["bias_hh"]) if role == SECOND else parameters_in(role, cell, scales.order)


def _is_gradient_of(match: Match, called: frozenset[str], reference: Reference) -> bool:
    """Whether an entry is no parameter's gradient, or that of those."""
    own = frozenset(name.removeprefix("d") for name in match.entry.quantities if name.startswith("d"))
    return not own <= reference.problem.parameters.keys() or not own or own <= called


def timeline(events: Sequence[Event], reference: Reference, scales: Scales) -> Timeline:
    """The events compared with the reference."""
    seen: list[ComparedValue] = []
    baseline: dict[str, float] = {}
    made: dict[Site, frozenset[str]] = {}
    outputs = {"logits": 0, "p": 0}
    forward: set[Site] = set()
    filled = {event.target for event in events if event.array is not None and event.array.any()}
    tape, one = reference.problem.tape, reference.problem.network.outputs == 1
    numbers = {name: np.ravel(tape[name]) for name in outputs if one and name in tape}
    for event in events:
        if event.site.kind == "passed":
            continue
        value = event.array
        for name in numbers:
            if not outputs[name] and _is_number(event, numbers[name]):
                outputs[name] = len(seen) + 1
        if value is None or value.dtype.kind in "iub" or _BLANK.match(event.site.source):
            continue
        if not outputs["logits"]:
            forward.add(event.site)
        if not value.any():
            named = made.get(event.site, frozenset())
            is_start = event.target in filled and grad_param(event.target, scales.names) is not None
            started = event.site.loops and event.site.kind == "assign" and "zeros" not in event.site.source
            if started and not is_start and outputs["logits"] and event.site not in forward:
                right = bool(reference.zeros & named)
                seen.append(ComparedValue(event, (), right, right))
            continue
        matches = [
            m for m in reference.matches(value) if m.entry.sample is None or event.sample in (None, m.entry.sample)
        ]
        called = meant_by(event.target, scales, reference) if event.target else frozenset[str]()
        if called:  # what is called the gradient of a parameter is right as that only
            matches = [m for m in matches if _is_gradient_of(m, called, reference)]
        strict = any(_is_right(m, scales, reference) for m in matches)
        right = strict or any(_keeps_scale(m, scales, baseline, reference) for m in matches)
        made[event.site] = made.get(event.site, frozenset()) | {m.entry.name for m in matches}
        seen.append(ComparedValue(event, tuple(matches), right, strict))
        for name, first in outputs.items():
            if not first and any(m.entry.name == name and abs(m.scale - 1) < SAME_SCALE for m in matches):
                outputs[name] = len(seen)
    outputs = {name: min(first, len(seen) - 1) for name, first in outputs.items()}
    by_site: dict[Site, list[ComparedValue]] = {}
    for each in seen:
        by_site.setdefault(each.event.site, []).append(each)
    start = outputs["p"] or outputs["logits"] or _last_state(seen, reference)
    sites = {site: tuple(those) for site, those in by_site.items()}
    return Timeline(tuple(seen), start, sites, reference, events, scales)


def _last_state(seen: Sequence[ComparedValue], reference: Reference) -> int:
    """Where the forward pass ends that has no outputs: after the last step's state."""
    output, steps = reference.problem.network.table.output, reference.problem.X.shape[1]
    return next(
        (k for k, s in enumerate(seen, 1) for m in s.matches if (m.entry.name, m.entry.t) == (output, steps)), 0
    )


def _is_number(event: Event, wanted: Array) -> bool:
    """Whether an event is one of these numbers, alone: the output of one sample."""
    value = event.value
    if not isinstance(value, float) and not (is_array(value) and value.size == 1):
        return False
    return bool(np.isclose(wanted, float(np.ravel(value)[0]), rtol=1e-9, atol=0.0).any())


def _is_right(match: Match, scales: Scales, reference: Reference) -> bool:
    """Exactly what the reference has, in the user's scale."""
    entry = match.entry
    if not entry.is_gradient or entry.kind == "derivative":
        return abs(match.scale - 1) < SAME_SCALE or entry.name == "onehot"
    if _is_turned_wrongly(match, scales, reference):
        return False
    return abs(match.scale / scales.base - 1) < SAME_SCALE


def _keeps_scale(match: Match, scales: Scales, baseline: dict[str, float], reference: Reference) -> bool:
    """A gradient of another scale that it had from the first: the division by the number of samples may come last."""
    entry = match.entry
    ratio = match.scale / scales.base
    if not entry.is_gradient or entry.kind == "derivative" or ratio < 0 or _is_turned_wrongly(match, scales, reference):
        return False
    if entry.quantities[0].removeprefix("d") in reference.problem.parameters:
        return "delta" in baseline and abs(ratio / baseline["delta"] - 1) < SAME_SCALE
    return abs(ratio / baseline.setdefault("delta", ratio) - 1) < SAME_SCALE


def _is_turned_wrongly(match: Match, scales: Scales, reference: Reference) -> bool:
    entry, name = match.entry, match.entry.name.removeprefix("d")
    if entry.name == name or name not in reference.problem.parameters or entry.value.ndim != 2:
        return False
    return entry.value.shape[0] == entry.value.shape[1] > 1 and match.transposed != (name in scales.turned)
