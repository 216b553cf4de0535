"""What there is: examples, cells, settings, and what a shell reads to complete all of it."""

from __future__ import annotations

import argparse
import shutil
import sys
import textwrap
from typing import Any


def cells(arguments: argparse.Namespace, given: dict[str, Any]) -> int:
    """`rnn-tui cells`."""
    from engine.tables.cells import BY_NAME

    indent = max(map(len, BY_NAME)) + 2
    for name, cell in BY_NAME.items():
        print(f"{name:<{indent}}{cell.source}")
        for line in cell.equations:
            print(" " * indent + line.format(activation="activation"))
    print("\nTake one by its name: rnn-tui --cell lru; or write one of your own: rnn-tui --cell FILE.py")
    return 0


def config(arguments: argparse.Namespace, given: dict[str, Any]) -> int:
    """`rnn-tui config`: the settings in force, as a file that could stand there."""
    from rnn_tui.kept.settings import read_settings, settings_path, settings_text
    from rnn_tui.themes import theme_named

    path = settings_path()
    settings = read_settings(path)
    theme_named(settings.theme)  # the one name that is read without Textual, which knows it, being loaded
    sys.stdout.write(settings_text(settings, path))
    return 0


def completion(arguments: argparse.Namespace, given: dict[str, Any]) -> int:
    """`rnn-tui completion SHELL`."""
    from rnn_tui.completion import shell_script

    print(shell_script(arguments.shell))
    return 0


def examples(arguments: argparse.Namespace, given: dict[str, Any]) -> int:
    """`rnn-tui examples`."""
    from engine.files.project import samples

    listing = samples()
    indent = max(len(sample.name) for sample in listing) + 2
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize
    wrapper = textwrap.TextWrapper(max(columns, 2 * indent), subsequent_indent=" " * indent, break_on_hyphens=False)
    for sample in listing:
        for start, text in ((sample.name, sample.title), ("", sample.look_for)):
            wrapper.initial_indent = f"{start:<{indent}}"
            print(wrapper.fill(text))
    print("\nOpen one by its name: rnn-tui vanishing")
    return 0
