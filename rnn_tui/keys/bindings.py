"""The debugger's list of all keys, from which the key map, the footer, the help screen and the command palette are made."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rnn_tui.keys.command import Command, key_name

MOVE, STOP, LOOK, OTHER = "Move through the program", "Breakpoints", "Look at numbers", "Other"
WHAT_IF, LEARN = "What if", "Lessons"

COMMANDS: tuple[Command, ...] = (
    Command("step(1)", "right", "→", MOVE, "Run one line", "line", "← →", "one line back, one line on"),
    Command("step(-1)", "left", "←", MOVE, "Go back one line", back=True),
    Command(
        "next",
        "n",
        "n",
        MOVE,
        "Next time step, same line",
        "time step",
        "n p",
        "same line, next or previous time step run",
    ),
    Command("previous", "p", "p", MOVE, "Previous time step, same line", back=True),
    Command("finish", "f", "f", MOVE, "Finish the phase", "phase", "f F", "end, start of the phase (forward, loss, …)"),
    Command("start_of_phase", "F", "F", MOVE, "Start of the phase", back=True),
    Command(
        "iteration(1)",
        "i",
        "i",
        MOVE,
        "Same place, next iteration",
        footer="iteration",
        pair="i I",
        line="same place, next or previous iteration",
    ),
    Command("iteration(-1)", "I", "I", MOVE, "Same place, previous iteration", back=True),
    Command("run", "space", "space", MOVE, "Run or pause", "run", line="run step by step through time, or pause"),
    Command("run_lines", "full_stop", ".", MOVE, "Run line by line, or pause", line="run line by line, or pause"),
    Command("faster", "plus,equals_sign", "+", MOVE, "Run faster", pair="+ −", line="run faster, slower"),
    Command("slower", "minus", "−", MOVE, "Run slower", back=True),
    Command("goto", "g", "g", MOVE, "Go to a point", "go to", line="go to: 7, da@3[2,4], p[5], loss, max|da|<0.1"),
    Command(
        "toggle_breakpoint",
        "b",
        "b",
        STOP,
        "Set or clear a breakpoint on the line",
        "break",
        line="breakpoint on the line",
    ),
    Command(
        "toggle_breakpoint_here",
        "B",
        "B",
        STOP,
        "Set or clear a breakpoint on the line, at this time step only",
        line="the same, at this time step only",
    ),
    Command(
        "continue",
        "c",
        "c",
        STOP,
        "Continue to the next breakpoint",
        "continue",
        "c C",
        "to the next, previous breakpoint",
    ),
    Command("reverse_continue", "C", "C", STOP, "Continue backwards to the breakpoint before", back=True),
    Command(
        "breakpoints",
        "d",
        "d",
        STOP,
        "Breakpoints, conditions, logpoints and watchpoints: list, add, remove",
        footer="conditions",
        line="list, add, remove: conditions, samples, logs, …",
    ),
    Command(
        "logged", "D", "D", STOP, "The log: what logpoints have printed", line="the log: what logpoints have printed"
    ),
    Command(
        "watch",
        "w",
        "w",
        STOP,
        "Watch an expression, or stop watching it",
        footer="watch",
        line="watch an expression at every stop",
    ),
    Command("list_up", "up", "↑", STOP, "Listing cursor up", pair="↑ ↓", line="choose a line in the listing"),
    Command("list_down", "down", "↓", STOP, "Listing cursor down", back=True),
    Command(
        "cell(0,-1)",
        "h,shift+left",
        "h",
        LOOK,
        "Cell cursor left",
        "cell",
        "h j k l",
        "move the cell cursor (also shift+arrows)",
    ),
    Command("cell(1,0)", "j,shift+down", "j", LOOK, "Cell cursor down", back=True),
    Command("cell(-1,0)", "k,shift+up", "k", LOOK, "Cell cursor up", back=True),
    Command("cell(0,1)", "l,shift+right", "l", LOOK, "Cell cursor right", back=True),
    Command(
        "operand(1)",
        "tab",
        "tab",
        LOOK,
        "Cell cursor to the next picture",
        "picture",
        line="cell cursor to the next picture, `shift+tab` to the one before",
    ),
    Command("operand(-1)", "shift+tab", "shift+tab", LOOK, "Cell cursor to the picture before", back=True),
    Command(
        "sample(1)", "right_square_bracket", "]", LOOK, "Next sample", "sample", "[ ]", "one sample, or the whole batch"
    ),
    Command("sample(-1)", "left_square_bracket", "[", LOOK, "Previous sample", back=True),
    Command(
        "find", "slash", "/", LOOK, "Find a quantity and show its flow", "find", line="find a quantity, show its flow"
    ),
    Command(
        "zoom",
        "z",
        "z",
        LOOK,
        "Zoom: the picture at the cursor alone, then its numbers",
        "zoom",
        line="zoom: the picture at the cursor alone, its numbers, back",
    ),
    Command(
        "log",
        "s",
        "s",
        LOOK,
        "Colour scale: logarithmic, linear or automatic",
        line="colour scale: automatic, log, linear",
    ),
    Command(
        "notation",
        "N",
        "N",
        LOOK,
        "The next notation (ng, pytorch, karpathy, wildml, goodfellow)",
        footer="names",
        line="the next notation: names and layout",
    ),
    Command(
        "page('program')",
        "1",
        "1",
        LOOK,
        "View 1: this line and the flow",
        "view",
        "1–6",
        "views: this line, flow, weights, training, findings, yours",
    ),
    Command("page('flow')", "2", "2", LOOK, "View 2: the flow of as many quantities as fit", back=True),
    Command("page('weights')", "3", "3", LOOK, "View 3: weights, gradients, each step's term", back=True),
    Command(
        "page('training')", "4", "4", LOOK, "View 4: loss, accuracy and gradient by iteration and time step", back=True
    ),
    Command("page('findings')", "5", "5", LOOK, "Findings: what is wrong (view 5)", back=True),
    Command("page('yours')", "6", "6", LOOK, "Yours: your own backward pass beside the reference (view 6)", back=True),
    Command(
        "reach",
        "v",
        "v",
        LOOK,
        "Which loss reaches which step, or the flow (view 2)",
        line="view 2: which loss reaches which step",
    ),
    Command(
        "examine",
        "r",
        "r",
        OTHER,
        "Yours: examine your file again, or open one",
        "examine again",
        line="examine your own file again, or open one (view 6)",
    ),
    Command(
        "file",
        "G",
        "G",
        OTHER,
        "Yours: the next file of your program",
        "next file",
        line="the next file of your own program (view 6)",
    ),
    Command(
        "derived",
        "m",
        "m",
        OTHER,
        "The missing backward pass of your own program",
        line="the backward pass that your own program lacks",
    ),
    Command(
        "train",
        "t",
        "t",
        MOVE,
        "Train on, or pause",
        "train",
        line="train on iteration by iteration, or pause (view 4)",
    ),
    Command(
        "back", "backspace", "backspace", LOOK, "Back to the number asked about before", line="return to the one before"
    ),
    Command("close_why", "escape", "esc", LOOK, "Close the explanation", line="close the explanation"),
    Command(
        "enter",
        "enter",
        "enter",
        LOOK,
        "Why is the number under the cursor what it is?",
        "why",
        line="why this number; follow one in it",
    ),
    Command(
        "set_cell",
        "e",
        "e",
        WHAT_IF,
        "What if: set this cell to another number",
        "what if",
        line="set the cell under the cursor, or anything else, and run on",
    ),
    Command("undo_edit", "u", "u", WHAT_IF, "What if: undo the last edit", "undo", line="undo the last edit"),
    Command(
        "beside",
        "o",
        "o",
        WHAT_IF,
        "What if: the original and the difference beside it",
        "original",
        line="the original and the difference beside it",
    ),
    Command(
        "lessons",
        "L",
        "L",
        LEARN,
        "Lessons: choose one, or leave it",
        footer="lessons",
        line="choose a lesson, or leave it",
    ),
    Command(
        "lesson_next",
        "greater_than_sign",
        ">",
        LEARN,
        "Lesson: the next step",
        pair="> <",
        line="next step, step before; a guess: 1 to 5",
    ),
    Command("lesson_back", "less_than_sign", "<", LEARN, "Lesson: the step before", back=True),
    Command("hint", "H", "H", LEARN, "Lesson: a hint, then more", line="a hint, then more"),
    Command(
        "save",
        "x",
        "x",
        OTHER,
        "Save the screen, an array, the program, a recording or a report",
        footer="save",
        line="save: the name's ending says what (svg, csv, py, html …)",
    ),
    Command(
        "copy",
        "y",
        "y",
        OTHER,
        "Copy the number at the cursor",
        pair="y Y",
        line="copy the number at the cursor, the whole picture",
    ),
    Command("copy_all", "Y", "Y", OTHER, "Copy the whole picture at the cursor", back=True),
    Command(
        "program",
        "P",
        "P",
        OTHER,
        "Show this model as a plain NumPy program",
        footer="as NumPy",
        line="this model as a plain NumPy program",
    ),
    Command(
        "open_other",
        "O",
        "O",
        OTHER,
        "Open another file or example",
        footer="open",
        line="open another file or example",
    ),
    Command("help", "question_mark", "?", OTHER, "Help", "help", line="this help"),
    Command("app.palette", "ctrl+p", "ctrl+p", OTHER, "Command palette", line="every command by its name"),
    Command("quit", "q", "q", OTHER, "Quit", "quit", line="quit (so does ctrl+c; ctrl+z suspends)"),
)

ANSWERS: tuple[Command, ...] = tuple(
    Command(f"answer({n})", str(n + 1), str(n + 1), LEARN, f"Lesson: guess {n + 1}") for n in range(5)
)
"""What the digits do while a lesson's question is open, before they are views."""

FOOTER_ORDER = (
    "step(1)", "next", "finish", "run", "train", "enter", "examine", "file", "toggle_breakpoint", "continue", "sample(1)", "cell(0,-1)",
    "operand(1)", "page('program')", "help", "quit", "goto", "find", "iteration(1)", "set_cell", "notation", "program", "save",
    "breakpoints", "watch", "zoom", "lessons", "open_other",
)  # fmt: skip

EDITED = ("undo_edit", "beside")
"""What comes before that in the footer while something is set."""

WITHOUT_KEY: tuple[tuple[str, str, str], ...] = (
    ("zero_gradient", "What if: zero this gradient", "the gradient under the cursor becomes 0 at this time step"),
    ("cut_flow", "What if: cut the flow here", "nothing flows back from this time step to the one before"),
    ("flip_label", "What if: flip this label", "another target for the sample under the cursor"),
    ("change_weight", "What if: change this weight", "the weight under the cursor, from this iteration on"),
    ("replace_activation", "What if: replace the activation", "from this iteration on"),
)
"""Action, name and explanation of what is in the palette only."""

_BY_KEY = {
    key: command.name for command in COMMANDS for key in (command.shown, *map(key_name, command.keys.split(",")))
}


def with_keys(text: str, commands: Iterable[Command]) -> str:
    """A text that names keys, in backticks as they are without settings (`enter`, `f`), with those that the commands have now."""
    if "`" not in text:
        return text
    shown = {command.name: command.shown for command in commands}

    def now(named: re.Match[str]) -> str:
        command = _BY_KEY.get(named[1])
        return named[0] if command is None else shown.get(command, named[1])

    return re.sub(r"`([^`\s]+)`", now, text)
