"""From the line with a wrong value to the line with the mistake: inside the function that it calls, or where a variable
that it reads was assigned."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

import numpy as np

from engine.doctor.judge.timeline import ComparedValue, Timeline
from engine.doctor.reference.values import Entry, same
from engine.doctor.run.events import Event
from engine.doctor.run.instrument import Site
from engine.doctor.vocabulary.targets import base_name, read_names

NEAR = 400
"""Events before a call's own among which those of the function called are looked for."""
_READS = {
    "dwa-uses-current-state": "dWa",
    "dwa-uses-preactivation": "dWa",
    "initial-state-wraps": "dWa",
    "initial-state-ignored": "dWa",
    "dwx-wrong-step": "dWx",
    "dwy-wrong-state": "dWy",
}
"""Mistakes about what a gradient's line reads."""
_FLOW = {"da": ("da", "da_next", "dz"), "dz": ("dz",)}
"""What the line of a quantity, or what is made from it, is where it is right."""
_ABOUT_CALL = ("derivative", "mask", "value-for")
"""In the ids of mistakes about the derivative, which a function may be given the wrong thing for."""


def refined(line_up: Timeline, id_: str, quantity: str, line: int) -> int:
    """The line of a mistake about a quantity of the backward pass, given the line at which its value shows."""
    own = [
        e
        for e in line_up.events
        if e.site.line == line and e.array is not None and e.site.kind not in ("part", "passed")
    ]
    begun = line_up.seen[line_up.start].event.number if line_up.seen else 0
    own = [e for e in own if e.number >= begun]
    if not own:
        return line
    if id_ in _READS and (found := _read_from(line_up, _READS[id_], own)) is not None:
        return found
    caller = _caller(line_up, own[0])
    if caller is not None and quantity in _FLOW and _is_right_elsewhere(line_up, own[0].site, *_FLOW[quantity]):
        return caller.site.line  # right at other steps: it was given something wrong
    if caller is not None and any(word in id_ for word in _ABOUT_CALL):
        return caller.site.line if _is_given_wrong(line_up, caller, own[0].site.function) else line
    return _in_function(line_up, id_, quantity.partition(" ")[0], own[0]) or line


def _read_from(line_up: Timeline, stage: str, own: Sequence[Event]) -> int | None:
    """Where what a gradient's line reads was assigned, if that is not the state or input of its step."""
    steps = line_up.reference.problem.X.shape[1]
    network = line_up.reference.problem.network
    quantity, shift = {"dWa": (network.table.output, -1), "dWx": ("x", 0), "dWy": (network.table.output, 0)}[stage]
    rounds = [e for e in own if e.site is own[0].site and e.sample == own[0].sample]
    for count, event in enumerate(rounds):
        t = steps - count + shift
        for name in read_names(event.site.source):
            source = _last_assigned(line_up.events, event, name)
            if source is None or source.array is None or source.site.names:
                continue
            matches = line_up.reference.matches(source.array)
            if _is_read_elsewhere(line_up.events, source, name, event):
                continue
            one_step = (m.entry for m in matches if m.entry.t is not None and m.entry.kind == "value")
            is_forward = any(entry.name in ("a", "x", "z") for entry in one_step)
            is_right = any(m.entry.name == quantity and m.entry.t == t for m in matches)
            is_nothing = not source.array.any() and np.any(
                np.asarray(line_up.reference.problem.tape[quantity])[max(t, 0)]
            )
            if (is_forward and not is_right) or (is_nothing and quantity != "x"):
                return source.site.line
    return None


def _last_assigned(events: Sequence[Event], event: Event, name: str) -> Event | None:
    """The assignment of a variable that an event in the same round of a loop reads."""
    for other in reversed(events[max(0, event.number - NEAR) : event.number]):
        site = other.site
        if site.function == event.site.function and site.kind == "assign" and other.target == name:
            return other if site.loops == event.site.loops and other.rounds == event.rounds else None
    return None


def _caller(line_up: Timeline, event: Event) -> Event | None:
    """What the function in which an event is was called for; None where that is not in the text of a line."""
    name = event.site.function.rpartition(".")[2]
    later = line_up.events[event.number + 1 : event.number + NEAR]
    after = next((e for e in later if e.site.function != event.site.function and e.site.kind != "part"), None)
    return after if after is not None and name in read_names(after.site.source) else None


def _is_read_elsewhere(events: Sequence[Event], source: Event, name: str, event: Event) -> bool:
    """Whether other lines read a variable too: then it is what it should be, and the wrong one to read here."""
    later = events[source.number + 1 : source.number + NEAR]
    own = (e.site for e in later if e.site.function == source.site.function)
    return any(site.line != event.site.line and name in read_names(site.source) for site in own)


def _in_function(line_up: Timeline, id_: str, quantity: str, event: Event) -> int | None:
    """The line of the function that a line calls in which its value was made, where that function is to blame."""
    called = read_names(event.site.source)
    own = [e for e in _during(line_up.events, event) if e.site.function.rpartition(".")[2] in called]
    wanted = Entry("", None, None, "value", np.asarray(event.array, dtype=np.float64))
    made = [e for e in own if e.array is not None and (m := same(e.array.astype(np.float64), wanted)) and m.scale > 0]
    made = [e for e in made if e.site.kind != "part"]
    if not made or any(_is_right_elsewhere(line_up, e.site, quantity) for e in own):
        return None
    if any(word in id_ for word in _ABOUT_CALL) and _is_given_wrong(line_up, event, made[-1].site.function):
        return None
    computed = [e for e in made if e.site.kind != "passed"]
    return (computed or made)[-1].site.line


def _during(events: Sequence[Event], event: Event) -> Iterator[Event]:
    """What the functions did that were called for an event, in order."""
    start = event.number
    while start > 0 and event.number - start < NEAR:
        before = events[start - 1].site
        if before.function == event.site.function and before.line != event.site.line:
            break
        start -= 1
    return (e for e in events[start : event.number] if e.site.function != event.site.function)


def _is_right_elsewhere(line_up: Timeline, site: Site, *quantities: str) -> bool:
    own = line_up.by_site.get(site, ())
    begun = line_up.seen[line_up.start].event.number
    results = [seen for seen in own if site.kind == "return" and seen.right and seen.matches]
    # Going forward it is no mistake; on the way back a value of the forward pass may be one.
    was_right = any(s.event.number < begun or any(m.entry.is_gradient for m in s.matches) for s in results)
    return was_right or any(seen.right and seen.of(*quantities) for seen in own)


def _is_given_wrong(line_up: Timeline, event: Event, function: str) -> bool:
    """Whether a function for a derivative is given gradients only, and nothing of the forward pass."""
    name = function.rpartition(".")[2]
    try:
        tree = ast.parse(event.site.source, mode="eval")
    except SyntaxError:
        return False
    for call in (n for n in ast.walk(tree) if isinstance(n, ast.Call)):
        if name not in (getattr(call.func, "id", ""), getattr(call.func, "attr", "")):
            continue
        given = [_value_of(line_up, event, ast.unparse(argument)) for argument in call.args]
        return bool(given) and all(seen is not None and seen.of("da", "dz", "da_out") for seen in given)
    return False


def _value_of(line_up: Timeline, event: Event, text: str) -> ComparedValue | None:
    """What was last assigned to a variable or an entry, as it is written."""
    own = (s for s in reversed(line_up.seen) if s.event.number < event.number and s.event.target == text)
    return next((s for s in own if base_name(text) and s.event.site.function == event.site.function), None)
