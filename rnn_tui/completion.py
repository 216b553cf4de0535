"""What a shell offers after Tab: argcomplete asks the parser of the command that is being typed.

It needs the extra `completion`. Examples, lessons and files are what is there at that moment, so nothing is made anew when they change.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, cast

from engine.errors import InputError
from engine.files.locate import sample_names
from engine.files.options import OPTIONS
from engine.lessons.lesson import lesson_names

ParserOf = Callable[[str | None], argparse.ArgumentParser]


def shell_script(shell: str) -> str:
    """What a shell reads to ask the program after Tab; InputError where the extra is not installed."""
    try:
        from argcomplete.shell_integration import shellcode
    except ModuleNotFoundError:
        raise InputError("completion needs argcomplete: pip install 'rnn-tui[completion]'") from None
    return shellcode(["rnn-tui"], shell=shell)


def answer(parser_of: ParserOf, commands: dict[str, str]) -> None:
    """Answers the shell, and ends the process. `commands` are the words that a line may begin with, with their meanings."""
    import argcomplete
    from argcomplete.lexers import split_line

    line, point = os.environ["COMP_LINE"], int(os.environ["COMP_POINT"])
    typed = split_line(line, point)[3]
    command = typed[1] if len(typed) > 1 and typed[1] in commands else None
    first = {} if len(typed) > 1 else commands

    def offered(prefix: str, action: argparse.Action, **_: object) -> dict[str, str]:
        told = candidates(action, prefix)
        return {**first, **told} if action.dest == "data" else told

    os.environ["_ARGCOMPLETE"] = (
        "1" if command is None else "2"
    )  # the words before the arguments: a command's name is one
    any_callable = cast(Any, offered)  # argcomplete's own type is a class
    argcomplete.autocomplete(parser_of(command), always_complete_options=False, default_completer=any_callable)


def candidates(action: argparse.Action, prefix: str) -> dict[str, str]:
    """What the value of an argument may be, with a word on each; nothing for numbers and for names that only the data know."""
    option, metavar = OPTIONS.get(action.dest.replace("_", "-")), str(action.metavar)
    named: Iterable[str] = option.choices if option else ()
    kind = ""
    if action.dest == "data":
        named, kind = sample_names(), "example"
    elif action.dest == "lesson":
        named, kind = lesson_names(), "lesson"
    told = dict.fromkeys(named, kind)
    if kind or any(word in metavar for word in ("FILE", ".", "WEIGHTS", "PATH")):
        told |= dict.fromkeys(files(prefix), "")
    return told


def files(prefix: str) -> list[str]:
    """The files and folders whose names go on from what was typed; hidden ones only after a dot."""
    head, _, begun = prefix.rpartition("/")
    head = f"{head}/" if "/" in prefix else ""
    try:
        entries = sorted(Path(head or ".").expanduser().iterdir())
    except OSError:
        return []
    names = [f"{path.name}/" if path.is_dir() else path.name for path in entries if path.name.startswith(begun)]
    return [head + name for name in names if begun or not name.startswith(".")]
