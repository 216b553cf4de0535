"""The keys of the walk through a program that is not one of ours: the debugger's that mean something there, in other words."""

from __future__ import annotations

from dataclasses import replace

from rnn_tui.keys.bindings import COMMANDS, LOOK
from rnn_tui.keys.command import Command

_WALK_WORDS: dict[str, dict[str, str]] = {
    "next": {
        "help": "The same line, the next time it runs",
        "footer": "same line",
        "line": "the same line, the next or the previous time it runs",
    },
    "previous": {"help": "The same line, the time before"},
    "finish": {"line": "end, start of the phase (forward, loss, backward, update)"},
    "goto": {"help": "Go to a line", "line": "go to where a line runs next: 55"},
    "continue": {
        "help": "Continue to the next breakpoint; where none is set, to what should be another value",
        "line": "to the next, previous breakpoint, or to what is wrong",
    },
    "reverse_continue": {"help": "Continue backwards"},
    "breakpoints": {
        "help": "Breakpoints and conditions in your own names: list, add, remove",
        "line": "list, add, remove: 55, 55 if t == 3, max(abs(dh)) > 5",
    },
    "list_up": {"line": "choose a line in the source (`enter` goes there)"},
    "log": {"help": "Colour scale: logarithmic or linear", "line": "colour scale: linear, logarithmic"},
    "examine": {"help": "Run your file again", "line": "run your file again, after a change", "footer": "run again"},
    "operand(1)": {"line": "the next value or picture; `shift+tab` the one before"},
    "enter": {"line": "why this number, or dL/d(number); follow one in it"},
    "derived": {
        "group": LOOK,
        "help": "The missing backward pass: below each line what carries its gradient back",
        "footer": "backward pass",
        "line": "show, hide the missing backward pass, below each line and in its place",
    },
    "save": {
        "help": "Save the screen, or the numbers at the cursor",
        "line": "save: the name's ending says what (svg, txt, csv, npy)",
    },
    "copy": {
        "help": "Copy the corrected line, or the number at the cursor",
        "line": "copy the corrected line or the number, the whole picture",
    },
    "back": {"footer": "back"},
    "close_why": {"footer": "close"},
}
"""What the keys say on the walk through a program that is not one of ours; the other words are the same."""
_WALK_ORDER = (
    "step(1)", "step(-1)", "next", "previous", "finish", "start_of_phase", "run", "faster", "slower", "goto", "toggle_breakpoint",
    "continue", "reverse_continue", "breakpoints", "list_up", "list_down", "cell(0,-1)", "cell(1,0)", "cell(-1,0)", "cell(0,1)",
    "operand(1)", "operand(-1)", "zoom", "log", "derived", "enter", "back", "close_why", "examine", "save",
    "copy", "copy_all", "lessons", "lesson_next", "lesson_back",
    "hint", "help", "app.palette", "quit",
)  # fmt: skip
WALK_COMMANDS: tuple[Command, ...] = tuple(
    replace(command, **_WALK_WORDS.get(command.action, {}))
    for action in _WALK_ORDER
    for command in COMMANDS
    if command.action == action
)
WALK_FOOTER = (
    "back", "close_why", "step(1)", "enter", "continue", "next", "finish", "operand(1)", "cell(0,-1)", "toggle_breakpoint", "run", "help",
    "quit", "goto", "examine", "derived", "breakpoints", "zoom", "save", "lessons",
)  # fmt: skip
