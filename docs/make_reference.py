"""Writes docs/reference.md from the code: commands, options, keys, conditions, cells, examples, lessons, and what Python can import."""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Iterable, Iterator
from pathlib import Path

import engine
import rnn_tui
from engine.debug.predicates import FUNCTIONS, WORDS
from engine.files.options import OPTIONS
from engine.files.project import samples
from engine.lessons.lesson import lesson_names, read_lesson
from engine.tables.cells import BY_NAME
from rnn_tui import arguments
from rnn_tui.keys.bindings import COMMANDS, with_keys
from rnn_tui.keys.walk_bindings import WALK_COMMANDS

PAGE = Path(__file__).parent / "reference.md"
HEAD = """\
# Reference

Made from the code by `make reference`; the sentences are those of `--help`, of the help screen (`?`) and of the docstrings.
"""


def cell(text: str) -> str:
    """A text as a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    yield from (f"| {' | '.join(map(cell, row))} |" for row in rows)
    yield ""


def options_of(parser: argparse.ArgumentParser) -> list[tuple[str, str]]:
    """Arguments and options of a parser that are no option of the model, with their help."""
    rows: list[tuple[str, str]] = []
    for action in parser._actions:
        known = [text.removeprefix("--") for text in action.option_strings]
        if action.dest == "help" or any(name in OPTIONS for name in known):
            continue
        choices = "|".join(map(str, action.choices)) if action.choices else ""
        shown = str(action.metavar or choices or ("" if action.nargs == 0 else action.dest.upper()))
        rows.append((f"{', '.join(action.option_strings)} {shown}".strip(), action.help or ""))
    return rows


def told_commands() -> Iterator[tuple[str, str, argparse.ArgumentParser]]:
    """The commands: name, what each does, parser."""
    for name, command in arguments.COMMANDS.items():
        parser = arguments.parser_of(name)
        yield name, parser.description or command.help, parser


def told_model() -> list[tuple[str, ...]]:
    """The options of the model: name, what it is, what is allowed, default."""
    return [
        (
            f"--{name}",
            option.help,
            option.expected(),
            "" if option.default in (None, False, ()) else str(option.default),
        )
        for name, option in OPTIONS.items()
    ]


def told_keys() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """The keys of a screen and a group, with what they do."""
    for screen, listed in (("the debugger", COMMANDS), ("the walk through a program", WALK_COMMANDS)):
        for group in dict.fromkeys(command.group for command in listed):
            shown = [command for command in listed if command.group == group and not command.back]
            yield f"{screen}: {group}", [(c.footer_keys, with_keys(c.line or c.help, listed)) for c in shown]


def as_code(rows: Iterable[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The rows with their first cell as code."""
    return [(f"`{name}`", *texts) for name, *texts in rows]


def commands() -> Iterator[str]:
    yield "## Commands\n"
    yield "### rnn-tui [DATA]\n"
    yield "Opens the debugger; without DATA on the built-in example.\n"
    yield from table(("argument", "meaning"), as_code(options_of(arguments.parser_of(None))))
    for name, text, parser in told_commands():
        takes_model = any("--hidden" in action.option_strings for action in parser._actions)
        yield f"### rnn-tui {name}\n"
        yield f"{text}\n"
        yield from table(("argument", "meaning"), as_code(options_of(parser)))
        if takes_model:
            yield "Also the options of the model, below.\n"


def model() -> Iterator[str]:
    yield "## Options of the model\n"
    yield from table(("option", "meaning", "allowed", "default"), as_code(told_model()))


def keys() -> Iterator[str]:
    yield "## Keys\n"
    for title, rows in told_keys():
        yield f"### Keys of {title}\n"
        yield from table(("key", "does"), as_code(rows))


def conditions() -> Iterator[str]:
    yield "## Conditions and watches\n"
    yield "`q` is the row computed last, `q@k` row k, `q[:]` all rows, `q[0,5]` a cell; arithmetic, comparisons, `and`, `or`, `not`."
    yield "As on paper, `max|q|` is `max(abs(q))` and `||q||` is `norm(q)`.\n"
    words = ", ".join(f"`{name}`" for name in WORDS)
    yield f"Words: {words}. Functions: {', '.join(f'`{name}`' for name in FUNCTIONS)}.\n"


def listed() -> Iterator[str]:
    yield "## Cells\n"
    yield from table(("cell", "what it is"), [(f"`{name}`", one.source) for name, one in BY_NAME.items()])
    yield "## Examples\n"
    yield from table(("example", "what it is", "look for"), [(f"`{s.name}`", s.title, s.look_for) for s in samples()])
    yield "## Lessons\n"
    lessons = [(name, read_lesson(path)) for name, path in lesson_names().items()]
    yield from table(
        ("lesson", "in English", "in Chinese"), [(f"`{n}`", *map(str, o.title.values())) for n, o in lessons]
    )


def python() -> Iterator[str]:
    yield "## Python\n"
    for module in (engine, rnn_tui):
        for name in sorted(module.__all__):
            thing = getattr(module, name)
            yield f"### {module.__name__}.{name}\n"
            yield f"{(inspect.getdoc(thing) or '').strip()}\n"


def page() -> str:
    """The whole page."""
    parts = (commands(), model(), keys(), conditions(), listed(), python())
    return "\n".join([HEAD, *(line for part in parts for line in part)]).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
