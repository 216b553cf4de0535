"""The lines that ran, in the order of the run, each with the arrays that it made."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from engine.doctor.lineage.record.reading import RecordedEvent

_IN_PLACE = re.compile(r"(\*\*|//|[-+*/@%])=")
_INCREMENTS = {"+": "added to", "-": "taken from", "*": "factor of", "/": "divisor of"}
"""What goes into a value that a line changes in place, by the operator."""
_IDENTIFIER = re.compile(r"^[A-Za-z_]\w*(?:\.[A-Za-z_]\w*|\[[^\[\]]*\])*$")


@dataclass(frozen=True, eq=False)
class ExecutedLine:
    """A line that ran: `before` is how often it had run before, `made` what was seen there, in order.

    A line that calls a function of the program's is left and come back to: it then stands here in parts, with the same `before`.
    """

    file: str
    line: int
    function: str
    before: int
    made: tuple[RecordedEvent, ...]

    @property
    def place(self) -> tuple[str, int]:
        """The line, apart from when it ran."""
        return self.file, self.line


def executed(events: Sequence[RecordedEvent]) -> tuple[ExecutedLine, ...]:
    """Events one after the other at one line are one execution of it, until one of its values comes again."""
    made: list[ExecutedLine] = []
    count: dict[tuple[str, int], int] = {}
    seen: dict[tuple[str, int], set[tuple[int, int]]] = {}
    parts: list[RecordedEvent] = []

    def close() -> None:
        if parts:
            site = parts[0].site
            place = (site.file, site.line)
            made.append(ExecutedLine(site.file, site.line, site.function, count[place], tuple(parts)))
            parts.clear()

    for event in events:
        if not event.value.size:
            continue
        place, key = (event.site.file, event.site.line), (id(event.site), event.part)
        again = key in seen.setdefault(place, set())
        if again or (parts and (parts[0].site.file, parts[0].site.line) != place):
            close()
        if again or place not in count:
            count[place] = count.get(place, -1) + 1
            seen[place].clear()
        seen[place].add(key)
        parts.append(event)
    close()
    return tuple(made)


def called(event: RecordedEvent) -> str:
    """What a value is called where it was seen."""
    match event.site.kind:
        case "increment":
            operator = _IN_PLACE.search(event.site.text)
            return f"{_INCREMENTS.get(operator[1], 'put into') if operator else 'added to'} {event.name}"
        case "return":
            return event.name if is_name(event.name) else "returned"
        case "append":
            return f"{event.name}[-1]" if ".append(" in event.site.text else f"put into {event.name}"
        case _:
            return event.name


def is_name(text: str) -> bool:
    """Whether it is a variable, an attribute or an entry, and no longer expression."""
    return bool(_IDENTIFIER.match(text))
