"""Writes docs/rnn-tui.1, the page that `man rnn-tui` shows, from what docs/reference.md is made from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from docs.make_reference import options_of, told_commands, told_keys, told_model
from rnn_tui.arguments import parser_of

PAGE = Path(__file__).parent / "rnn-tui.1"
EXIT_CODES = (
    ("0", "done; a backward pass is right"),
    ("1", "the check failed; a backward pass is wrong"),
    ("2", "wrong use or bad input: one sentence on standard error"),
    ("3", "nothing found"),
    ("128+n", "ended by signal n"),
)
FILES = (
    ("$XDG_CONFIG_HOME/rnn-tui/settings.toml", "the settings: rnn-tui config says where, and all that can stand in it"),
    ("$XDG_STATE_HOME/rnn-tui/", "where data were left; --fresh begins anew"),
)


def roff(text: str) -> str:
    """A text as it is: roff reads a backslash, and a line that begins with a dot or an apostrophe."""
    text = " ".join(text.split()).replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^(?=[.'])", r"\\&", text)


def entries(rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """Names, each with its explanation indented below it."""
    for name, *texts in rows:
        yield from (".TP", f"\\fB{roff(name)}\\fR", roff("; ".join(text for text in texts if text)) or "\\&")


def commands() -> Iterator[str]:
    for name, text, parser in told_commands():
        yield from (f'.SS "{roff(f"rnn-tui {name}")}"', roff(text))
        yield from entries(options_of(parser))


def keys() -> Iterator[str]:
    for title, rows in told_keys():
        yield f'.SS "{roff(title)}"'
        yield from entries(rows)


def page() -> str:
    """The whole page."""
    lines = [
        '.TH RNN\\-TUI 1 "" "rnn\\-tui" "User Commands"',
        ".SH NAME",
        "rnn\\-tui \\- a visual debugger for backpropagation through time",
        ".SH SYNOPSIS",
        ".B rnn\\-tui\n[\\fICOMMAND\\fR] [\\fIDATA\\fR] [\\fIoptions\\fR]",
        ".SH DESCRIPTION",
        "Without a command, opens the debugger; without DATA, on the built\\-in example.",
        *entries(options_of(parser_of(None))),
        ".SH COMMANDS",
        "Those that take DATA take the options of the model, too.",
        *commands(),
        ".SH OPTIONS OF THE MODEL",
        *entries((*texts, f"default {default}" if default else "") for *texts, default in told_model()),
        ".SH KEYS",
        *keys(),
        ".SH EXIT STATUS",
        *entries(EXIT_CODES),
        ".SH FILES",
        *entries(FILES),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
