"""Breakpoints on the user's lines, and conditions in the user's names: `55`, `55 if norm(dh) > 5`, `max(abs(self.h)) > 1`.

The language is that of `engine.debug.predicates`. A name stands for the array that it was given last; `t` is how often the line had run
before, `phase` forward, loss, backward or update.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from engine.debug.conditions import Predicate
from engine.debug.predicate_values import Value, truth
from engine.debug.predicates import parse
from engine.doctor.lineage.record.reading import RecordedEvent
from engine.doctor.walk.executed import is_name
from engine.doctor.walk.walk import ProgramWalk
from engine.errors import InputError
from engine.language.expression import ExpressionError
from engine.language.functions import Array
from engine.text import clean

_ON_LINE = re.compile(r"^\s*(\d+)\s*(?:if\s+(.*))?$", re.S)


@dataclass(frozen=True)
class WalkStop:
    """A line to stop at, or any (None), and what must hold there. `text` is as it was typed; `file` "" is the program's own."""

    text: str
    line: int | None = None
    condition: Predicate | None = None
    file: str = ""


class WalkStops:
    """The breakpoints of one walk."""

    def __init__(self, walk: ProgramWalk) -> None:
        self.walk = walk
        self.stops: tuple[WalkStop, ...] = ()
        self._names = _names(walk)

    def toggle(self, line: int, file: str = "") -> bool:
        """Sets a breakpoint on a line, or takes those on it away; whether one is set now."""
        left = tuple(stop for stop in self.stops if (stop.line, stop.file) != (line, file))
        known = len(left) < len(self.stops)
        self.stops = left if known else (*self.stops, WalkStop(f"{file} {line}".strip(), line, file=file))
        return not known

    def add(self, text: str) -> None:
        """One more, as it was typed; InputError where it means nothing."""
        on_line = _ON_LINE.match(text)
        line = int(on_line[1]) if on_line else None
        condition = on_line[2] if on_line else text
        if line is not None and not 1 <= line <= len(self.walk.source.lines):
            raise InputError(f"there is no line {line}")
        try:
            predicate = self._parsed(condition) if condition else None
            if predicate is not None:
                truth(predicate, self._line(len(self.walk) - 1))
        except ExpressionError as error:
            raise InputError(clean(str(error), 200)) from None
        self.stops = (*self.stops, WalkStop(text.strip(), line, predicate))

    def remove(self, number: int) -> None:
        """Takes one away."""
        self.stops = (*self.stops[:number], *self.stops[number + 1 :])

    def moved_to(self, walk: ProgramWalk, lines: Mapping[int, int]) -> WalkStops:
        """The same breakpoints on a walk through the program with further lines in it; `lines` are its lines there."""
        made = WalkStops(walk)
        for stop in self.stops:
            line = stop.line if stop.line is None or stop.file else lines.get(stop.line)
            if line is not None or stop.line is None:
                text = stop.text if line == stop.line else stop.text.replace(str(stop.line), str(line), 1)
                made.stops = (*made.stops, replace(stop, text=text, line=line))
        return made

    def at(self, place: int) -> WalkStop | None:
        """The stop that an executed line is one for."""
        line = self.walk.lines[place]
        file = "" if line.file == self.walk.main else line.file
        for stop in self.stops:
            if stop.line is not None and (stop.line, stop.file) != (line.line, file):
                continue
            if stop.condition is None:
                return stop
            read = {one.name for one in stop.condition.reads}
            made = {key for event in line.made if (key := self._names.get(event.name)) is not None}
            if (stop.line is not None or not read or read & made) and self._holds(stop.condition, place):
                return stop
        return None

    def next(self, place: int, direction: int) -> int | None:
        """Where the next one is, or the one before."""
        return self.walk.next_where(place, direction, lambda k: self.at(k) is not None)

    def _parsed(self, text: str) -> Predicate:
        """A condition; names such as `self.h[t]` are put into one word first."""
        spelt = text
        for name in sorted(self._names, key=len, reverse=True):
            if name != self._names[name]:
                spelt = spelt.replace(name, self._names[name])
        return parse(spelt, dict.fromkeys(self._names.values(), True))

    def _line(self, place: int) -> _AtLine:
        return _AtLine(self.walk, place, self._latest)

    def _holds(self, condition: Predicate, place: int) -> bool:
        try:
            return bool(truth(condition, self._line(place))[0])
        except ExpressionError:  # it was accepted: the name has another shape there
            return False

    def _latest(self, key: str, place: int) -> RecordedEvent | None:
        """The value that a name was given last."""
        for k in range(place, -1, -1):
            for event in reversed(self.walk.lines[k].made):
                if event.site.kind != "increment" and self._names.get(event.name) == key:
                    return event
        return None


def _names(walk: ProgramWalk) -> Mapping[str, str]:
    """What may be written in a condition: each name of the run, and the word it is to the language."""
    names: dict[str, str] = {}
    for line in walk.lines:
        for event in line.made:
            if event.name not in names and is_name(event.name):
                names[event.name] = event.name if event.name.isidentifier() else f"name_{len(names)}_"
    return names


class _AtLine:
    """One executed line, as the points at which a condition is evaluated."""

    count = 1

    def __init__(self, walk: ProgramWalk, place: int, latest: Callable[[str, int], RecordedEvent | None]) -> None:
        self.walk, self.place = walk, place
        self._find = latest

    def word(self, name: str) -> Array:
        line = self.walk.lines[self.place]
        values = {"t": line.before, "iteration": 0, "phase": self.walk.phase(self.place), "line": line.line}
        return np.array([values[name]])

    def latest(self, name: str) -> Value:
        event = self._find(name, self.place)
        if event is None:
            return Value(np.zeros((1,)), np.zeros(1, bool))
        return Value(self.walk.value(event)[None], np.ones(1, bool))

    def rows(self, name: str, rows: Array) -> Value:
        raise ExpressionError("a value at another time is not known by a number: leave @ away", name, 1)

    def all_rows(self, name: str) -> Value:
        return self.latest(name)

    def of_all_samples(self) -> _AtLine:
        return self
