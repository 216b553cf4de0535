"""The dialogs of the walk: its breakpoints, the line to go to, and the words of its help."""

from __future__ import annotations

from engine.doctor.walk.stops import WalkStops
from engine.errors import InputError
from engine.text import whole_number
from rnn_tui.screens.dialogs.dialog import AskScreen, ListScreen

WALK_WORDS = """\
value             what the line made, by the names of the program; a vector in rows of 8 numbers
dL/d(value)       what the loss says about a forward value, carried back over this very run
it should be      where a value is wrong: what the corrected program makes there
t, time           how often the line had run before: t is 0 the first time; on the way back that is time 1
∂ (press `m`)       below a forward line: the lines of a backward pass that carry its gradient back, derived from it
error             above the source: how large dL/d is at each line, from left to right

Colours are signed: blue below zero, red above, dark is zero. ✗ is to be corrected, ≠ follows from it, ● is a breakpoint.
`enter` takes the number under the cursor apart; `enter` again follows a number of the explanation."""


STOPS_HELP = """\
55                     on line 55
55 if t == 3           there, the fourth time it runs
max(abs(dh)) > 5       where dh is made; any name of your program
enter adds · ↑ ↓ and delete (or a click) remove · esc closes"""


class WalkStopsScreen(ListScreen):
    """The breakpoints of a walk."""

    def __init__(self, stops: WalkStops) -> None:
        def texts() -> list[str]:
            return [stop.text for stop in stops.stops]

        super().__init__("breakpoints", "max(abs(dh)) > 5", STOPS_HELP, texts, stops.add, stops.remove)


class GotoLineScreen(AskScreen[int]):
    """Asks for a line of the source."""

    def __init__(self, last: int) -> None:
        def line_of(text: str) -> int:
            line = whole_number(text, 1, last)
            if line is None:
                raise InputError(f"a line is a number from 1 to {last}")
            return line

        super().__init__("go to line", "55", "to where that line runs next; enter goes, esc closes", line_of)
