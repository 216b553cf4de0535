"""The dialog that asks for the user's program."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from engine.errors import InputError
from engine.files.locate import PROGRAMS, existing, seen
from engine.text import clean
from rnn_tui.screens.dialogs.dialog import AskScreen

HELP = """\
a Python file or notebook with a backward pass you wrote: a function, a class or a whole script
it is run, with your rights, in a process of its own with limits of time and memory
enter examines it, → completes a name, esc closes"""
LOOKED_AT, NAMED = 10_000, 3
"""How many files of the folder are looked at, and how many are named where nothing is typed."""


def _programs() -> list[str]:
    """The programs in the current folder, the one changed last first; not those whose names cannot be typed."""
    try:
        there = [
            (path.stat().st_mtime, path.name)
            for path in islice(Path().iterdir(), LOOKED_AT)
            if path.suffix in PROGRAMS and seen(path.is_file) and clean(path.name) == path.name
        ]
    except OSError:
        return []
    return [name for _, name in sorted(there, reverse=True)]


class ExamineScreen(AskScreen[Path]):
    """Asks for the file; gives its path. Behind what is typed stands the rest of the name of a program in the current folder."""

    def __init__(self) -> None:
        programs = _programs()

        def take(typed: str) -> Path:
            if not typed and programs:
                raise InputError(f"type the beginning of its name: {', '.join(programs[:NAMED])}")
            return existing(str(Path(typed).expanduser()) if typed else "", "Python")

        example = programs[0] if programs else "mine.py"
        super().__init__("your own backward pass", example, HELP, take, proposals=programs)
