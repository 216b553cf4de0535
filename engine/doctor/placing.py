"""Where it goes wrong: recorded values in the order in which they were made, the first that is not the reference's."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np

from engine.doctor import roles
from engine.doctor.feeding import feeding
from engine.doctor.instrument import Site
from engine.doctor.matching import Entry, Match, Reference
from engine.doctor.names import SIMPLE, Names
from engine.doctor.source import Source
from engine.doctor.stacking import OWN, SECOND, Order, is_role, parameters_in
from engine.doctor.trying import Event
from engine.doctor.values import is_array
from engine.functions import Array

SAME_SCALE = 1e-6
_KEYED = re.compile(r"\[[^\]]*['\"]")
_BLANK = re.compile(r"(?:\w+\.)?empty(?:_like)?\(")
_KEY = re.compile(r"\[['\"]([\w.\- ]+)['\"]\]$")


@dataclass(frozen=True, eq=False)
class Seen:
    """An event and what it is of the reference: all its matches, whether it is right in its place, and whether also in scale."""

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
    """What is right in a program: the scale of its loss, the way round of its weights (`turned`); what its names mean, and which gradients
    are wrong."""

    base: float
    wrong: frozenset[str]
    turned: frozenset[str] = frozenset()
    names: Names = SIMPLE
    order: Order = OWN


@dataclass(frozen=True, eq=False)
class Timeline:
    """All recorded arrays in order, each compared with the reference; `start` is where the backward pass begins."""

    seen: tuple[Seen, ...]
    start: int
    by_site: Mapping[Site, tuple[Seen, ...]]
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

    def first_wrong(self) -> Seen | None:
        """The first value of the backward pass that is not the reference's and that no right value is made from."""
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

    def _feeds(self, seen: Seen) -> bool:
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

    def index(self, seen: Seen) -> int:
        """Its place in the order."""
        return self.seen.index(seen)

    def _in_caller(self, k: int) -> Seen:
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

    def sites_of(self, parameter: str) -> Iterator[Seen]:
        """What is called the gradient of a parameter."""
        return (s for s in self.seen if s.event.target and parameter in self.meant(s.event.target))


@dataclass(frozen=True, eq=False)
class Compared:
    """A run of a program and the reference it was compared with; compared value by value only where that is asked for."""

    source: Source
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
    seen: list[Seen] = []
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
                seen.append(Seen(event, (), right, right))
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
        seen.append(Seen(event, tuple(matches), right, strict))
        for name, first in outputs.items():
            if not first and any(m.entry.name == name and abs(m.scale - 1) < SAME_SCALE for m in matches):
                outputs[name] = len(seen)
    outputs = {name: min(first, len(seen) - 1) for name, first in outputs.items()}
    by_site: dict[Site, list[Seen]] = {}
    for each in seen:
        by_site.setdefault(each.event.site, []).append(each)
    start = outputs["p"] or outputs["logits"] or _last_state(seen, reference)
    sites = {site: tuple(those) for site, those in by_site.items()}
    return Timeline(tuple(seen), start, sites, reference, events, scales)


def _last_state(seen: Sequence[Seen], reference: Reference) -> int:
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


# Named mistakes


_BEFORE = {
    "activation-derivative-missing",
    "activation-derivative-some-steps",
    "activation-derivative-of-another",
    "wa-not-applied",
    "future-gradient-dropped",
    "output-gradient-dropped",
    "recurrence-dropped",
}
"""Mistakes whose line computes what is right for something else: a later one is the first that is wrong."""
_STORED = {"state-aliased", "last-sample-only"}
_SUMMED = {"initial-state-ignored", "overwritten-not-accumulated", "averaged-over-time"}


def place(
    line_up: Timeline, id_: str, quantity: str, kind: str, parameters: Sequence[str], loop_line: int | None
) -> Seen | int | None:
    """Where a named mistake is: at a value, or at the line of a loop. `kind` is line, loop, missing or forward."""
    first = line_up.first_wrong()
    if kind == "loop" and loop_line is not None:
        return loop_line
    if id_ in ("softmax-wrong-axis", "output-activation-twice"):
        return _forward(line_up, id_) or first
    if id_ in _STORED:
        return _stored(line_up) or first
    if id_ == "weights-updated-during-backward":
        return _updated(line_up) or first
    if id_ in ("batch-not-averaged", "delta-sign", "delta-without-target") and quantity == "dlogits":
        return next((s for s in line_up.seen if s.of("dlogits") and not s.strictly and not s.is_part), None) or first
    if id_ == "batch-not-averaged":
        return next((s for s in line_up.seen if s.of("dlogits") and not s.strictly and not s.is_part), None) or first
    if id_ == "wa-applied-twice" and first is not None:
        return _second_product(line_up, first)
    if id_ == "probabilities-overwritten":
        changed = (s for s in line_up.seen[line_up.start :] if s.event.site.kind == "after" and s.of("dlogits"))
        return next(changed, None) or first
    name = quantity.partition(" ")[0].removeprefix("d")
    if id_ == "gradients-not-reset":
        return next(line_up.sites_of(name if name in roles.PARAMETERS else "Wa"), None) or first
    wanted = [name] if name in roles.PARAMETERS else [p for p in parameters if id_ in _SUMMED]
    for parameter in wanted:
        found = _of_weight(line_up, parameter, id_)
        if found is not None:
            return found
    if id_ in _BEFORE and first is not None:
        return _before(line_up, first)
    return first


def in_helper(line_up: Timeline, found: Seen | int | None) -> Seen | int | None:
    """The line of the helper that a line calls for the derivative, where what that helper returns is never right."""
    line = found.line if isinstance(found, Seen) else found
    own = [s for s in line_up.seen if s.line == line]
    if not own:
        return found
    called = frozenset(n for s in own for n in read_names(s.event.site.source))
    results = [
        s
        for s in line_up.seen[line_up.start :]
        if s.event.site.kind == "return" and s.event.site.function.rpartition(".")[2] in called
    ]
    if (
        not results
        or any(s.right for s in results)
        or any(s.event.site.function == own[0].event.site.function for s in results)
    ):
        return found
    sizes = {np.asarray(s.event.value).size for s in own}
    return results[0] if np.asarray(results[0].event.value).size in sizes else found


def _second_product(line_up: Timeline, first: Seen) -> Seen:
    """Of the lines that multiply by the recurrent weights and are wrong, the second one, or the only one."""
    products = [
        s
        for s in line_up.seen[line_up.index(first) :]
        if not s.right
        and not s.is_part
        and _is_product(s.event.site.source)
        and any(roles.parameter(n) == "Wa" for n in read_names(s.event.site.source))
    ]
    lines = list(dict.fromkeys(s.line for s in products))
    return next((s for s in products if s.line == lines[1]), first) if len(lines) > 1 else (products or [first])[0]


def _is_product(source: str) -> bool:
    return any(sign in source for sign in ("@", "dot(", "matmul(", "einsum("))


def _forward(line_up: Timeline, id_: str) -> Seen | None:
    """The line between the logits, which are right, and the outputs, which are not."""
    tape = line_up.reference.problem.tape
    size = int(np.asarray(tape["logits"]).size)
    seen = line_up.seen
    start = next((k for k, s in enumerate(seen) if s.of("logits")), 0)
    after = [s for s in seen[start + 1 :] if not s.right and s.event.array is not None and s.event.array.size <= size]
    if id_ == "output-activation-twice":
        return after[0] if after else None
    return next((s for s in after if "/" in s.event.site.source and not s.is_part), None) or next(iter(after), None)


def _stored(line_up: Timeline) -> Seen | None:
    """The line that stores the states."""
    output = line_up.reference.problem.network.table.output
    states = [s for s in line_up.seen if s.of(output) and not s.is_part]
    forward = [s for s in states if s.event.site.kind in ("assign", "append", "after") and not s.event.site.plain]
    return forward[0] if forward else None


def _updated(line_up: Timeline) -> Seen | None:
    """The line that changes the recurrent weights."""
    weight = np.asarray(line_up.reference.problem.parameters["Wa"])
    for seen in line_up.seen[line_up.start :]:
        if (
            roles.parameter(final_name(seen.event.target)) == "Wa"
            and seen.event.array is not None
            and not seen.is_part
            and (
                seen.event.array.shape == weight.shape
                and not seen.of("Wa")
                and seen.event.site.kind in ("assign", "after")
            )
        ):
            return seen
    return None


def _of_weight(line_up: Timeline, parameter: str, id_: str) -> Seen | None:
    """The line that makes a parameter's gradient, or adds to it."""
    named = [s for s in line_up.sites_of(parameter) if not s.is_part]
    if id_ == "overwritten-not-accumulated":
        looped = [s for s in named if s.event.site.loops and s.event.site.kind == "assign"]
        return looped[-1] if looped else None
    if id_ == "initial-state-ignored":
        summed = [s for s in named if s.event.site.loops and s.event.site.kind in ("increment", "assign")]
        return (summed or named or [None])[-1]
    size = np.asarray(line_up.reference.problem.parameters[parameter]).size
    wrong = [s for s in named if not s.right] or [s for s in named if not s.strictly]
    if wrong:
        return wrong[0]
    own = [s for s in line_up.seen[line_up.start :] if not s.right and not s.is_part]
    own = [s for s in own if np.asarray(s.event.value).size == size and s.event.target]
    computed = [s for s in named if not s.event.site.plain]
    return next(iter(own), None) or next(iter(computed), None)


def _before(line_up: Timeline, first: Seen) -> Seen:
    """The value from which the first wrong one was made: the last of a state's size before it."""
    if first.event.array is not None and not first.event.array.any():
        return first
    reference = line_up.reference
    hidden = reference.sizes("da", f"d{reference.problem.network.table.output}")
    for seen in reversed(line_up.seen[line_up.start : line_up.index(first)]):
        site = seen.event.site
        if seen.is_part or site.kind in ("increment", "after") or np.asarray(seen.event.value).size not in hidden:
            continue
        if any(not m.entry.is_gradient for m in seen.matches) or not seen.event.target:
            continue
        return seen
    return first


# Names and loops


@lru_cache(maxsize=4096)
def read_names(source: str) -> frozenset[str]:
    """The names that an expression reads."""
    try:
        tree = ast.parse(source, mode="eval")
    except SyntaxError:
        return frozenset()
    called = {id(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
    return frozenset(
        [n.id for n in ast.walk(tree) if isinstance(n, ast.Name)]
        + [n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute) and id(n) not in called]
    )


def base_name(target: str) -> str:
    """The variable of a target: `grads` of `grads["Wx"]`, `dWx` of `self.dWx`."""
    return target.partition("[")[0].removeprefix("self.").rpartition(".")[2]


def final_name(target: str) -> str:
    """The name that says what a target is: `Wx` of `params["Wx"]` and of `self.Wx`, `grads` of `grads[t]`."""
    if found := _KEY.search(target):
        return found[1]
    return base_name(target)


@lru_cache(maxsize=4096)
def grad_param(target: str, names: Names = SIMPLE) -> str | None:
    """The array of parameters whose gradient a target is called: `dWx`, `grads["Wx"]`."""
    name = final_name(target)
    found = names.gradient(name)
    if found is None and _KEY.search(target) and re.search(r"^d$|^g$|gr?a?d|delta|^d_?", base_name(target), re.I):
        found = names.parameter(name)
    return found if found not in ("X", "ba2" if names.simple else "X") else None


def backward_loop(line_up: Timeline, loops: Sequence[tuple[int, str]]) -> int | None:
    """The line of the loop over time in the backward pass: the innermost one around what adds to the weights' gradients."""
    votes: dict[int, float] = {}
    for seen in line_up.seen[line_up.start :]:
        site = seen.event.site
        if not site.loops or seen.is_part:
            continue
        cell = line_up.reference.problem.network.table
        sure = bool(line_up.meant(site.target) & cell.parameters.keys()) or seen.of("dz", "da", f"d{cell.output}")
        votes[site.loops[-1]] = votes.get(site.loops[-1], 0.0) + (1.0 if sure else 0.1)
    return loops[max(votes, key=lambda n: votes[n])][0] if votes else None


def expected(line_up: Timeline, seen: Seen) -> tuple[str, int | None]:
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


def operands(line_up: Timeline, seen: Seen) -> Iterator[tuple[str, Seen]]:
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


def _made_from(line_up: Timeline, seen: Seen) -> Entry | None:
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


def _made_before(line_up: Timeline, seen: Seen, output: str, steps: int) -> bool:
    """Whether the last step's gradient of the state was there before a value, at another line."""
    earlier = line_up.seen[: line_up.index(seen)]
    return any(
        s.line != seen.line and any(m.entry.name == output and m.entry.t == steps for m in s.matches) for s in earlier
    )


def _by_shape(line_up: Timeline, seen: Seen) -> str:
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
