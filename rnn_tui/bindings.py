"""Every key in one list, from which the key map, the footer, the help screen and the command palette are made."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """One thing the user can do: `keys` as Textual names them, `shown` as people write them.

    `footer` is its label there (empty: not in the footer), `help` a full sentence, `group` its heading in the help.
    """

    action: str
    keys: str
    shown: str
    group: str
    help: str
    footer: str = ""
    footer_keys: str = ""


MOVE, STOP, LOOK, OTHER = "Move through the program", "Breakpoints", "Look at numbers", "Other"

COMMANDS: tuple[Command, ...] = (
    Command("step(1)", "right", "→", MOVE, "Run one line.", "line", "← →"),
    Command("step(-1)", "left", "←", MOVE, "Go back one line."),
    Command(
        "next",
        "n",
        "n",
        MOVE,
        "The same line at the next time step (back in time during the backward pass).",
        "time step",
        "n p",
    ),
    Command("previous", "p", "p", MOVE, "The same line at the previous time step: undoes n."),
    Command("finish", "f", "f", MOVE, "To the end of the phase: forward, loss, backward, update.", "phase", "f F"),
    Command("start_of_phase", "F", "F", MOVE, "To the start of the phase."),
    Command("run", "space", "space", MOVE, "Run line by line, or pause.", "run"),
    Command("faster", "plus,equals_sign", "+", MOVE, "Run faster."),
    Command("slower", "minus", "−", MOVE, "Run slower."),
    Command("goto", "g", "g", MOVE, "Go to a point: 7, backward 7, dz@7, loss, iteration 3.", "go to"),
    Command(
        "toggle_breakpoint", "b", "b", STOP, "Set or clear a breakpoint on the line (of the listing's cursor).", "break"
    ),
    Command("continue", "c", "c", STOP, "Continue to the next breakpoint, over updates too.", "continue", "c C"),
    Command("reverse_continue", "C", "C", STOP, "Continue backwards to the breakpoint before."),
    Command("list_up", "up", "↑", STOP, "Listing cursor up."),
    Command("list_down", "down", "↓", STOP, "Listing cursor down."),
    Command("cell(0,-1)", "h,shift+left", "h", LOOK, "Cell cursor left.", "cell", "h j k l"),
    Command("cell(1,0)", "j,shift+down", "j", LOOK, "Cell cursor down."),
    Command("cell(-1,0)", "k,shift+up", "k", LOOK, "Cell cursor up."),
    Command("cell(0,1)", "l,shift+right", "l", LOOK, "Cell cursor right."),
    Command("operand(1)", "tab", "tab", LOOK, "Cell cursor to the next picture of this line.", "picture"),
    Command("operand(-1)", "shift+tab", "shift+tab", LOOK, "Cell cursor to the picture before."),
    Command(
        "sample(1)",
        "right_square_bracket",
        "]",
        LOOK,
        "Next sample; after the last one the whole batch.",
        "sample",
        "[ ]",
    ),
    Command("sample(-1)", "left_square_bracket", "[", LOOK, "Previous sample, or the whole batch."),
    Command("find", "slash", "/", LOOK, "Find a quantity and show its flow.", "find"),
    Command("log", "s", "s", LOOK, "Colours on a logarithmic or a linear scale."),
    Command("page('program')", "1", "1", LOOK, "View: the program, this line and the flow.", "view", "1–3"),
    Command("page('flow')", "2", "2", LOOK, "View: the flow of one quantity, large."),
    Command("page('weights')", "3", "3", LOOK, "View: weights, gradients, and each step's term."),
    Command("help", "question_mark", "?", OTHER, "This help.", "help"),
    Command("command_palette", "ctrl+p", "ctrl+p", OTHER, "Every command by its name."),
    Command("quit", "q", "q", OTHER, "Quit.", "quit"),
)

FOOTER_ORDER = (
    "step(1)", "next", "finish", "run", "toggle_breakpoint", "continue", "sample(1)", "cell(0,-1)", "operand(1)", "page('program')",
    "help", "quit", "goto", "find",
)  # fmt: skip
