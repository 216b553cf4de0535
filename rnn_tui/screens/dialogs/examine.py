"""The dialog that asks for the user's program."""

from __future__ import annotations

from pathlib import Path

from engine.files.locate import existing
from rnn_tui.screens.dialogs.dialog import AskScreen

HELP = """\
a Python file or notebook with a backward pass you wrote: a function, a class or a whole script
it is run, with your rights, in a process of its own with limits of time and memory
enter examines it, esc closes"""


def _program(typed: str) -> Path:
    return existing(str(Path(typed).expanduser()) if typed else "", "Python")


class ExamineScreen(AskScreen[Path]):
    """Asks for the file; gives its path."""

    def __init__(self) -> None:
        super().__init__("your own backward pass", "mine.py", HELP, _program)
