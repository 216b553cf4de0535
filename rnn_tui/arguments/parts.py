"""What several commands' arguments are made of: the parser, kinds of values, groups of options. Standard library only."""

from __future__ import annotations

import argparse
import os

from engine.errors import InputError
from engine.files.options import LARGEST, OPTIONS
from engine.registry import LANGUAGES
from engine.size import Size
from engine.text import clean, whole_number
from rnn_tui.terminal import SMALLEST

TYPE_CHECKING = False  # typing would take a tenth of the time to `--help`
if TYPE_CHECKING:
    from typing import NoReturn

PROGRAM = "rnn-tui"
DATA = "a CSV (.gz), NPZ, NPY, Parquet, text or TOML file, or an example's name"
FUNCTION = "the function to examine (found by its name and arguments)"
COLORS = ("auto", "truecolor", "256", "16", "none")
SMALLEST_TOLERANCE = 1e-10
WIDTH = 80
"""Columns of help that goes to no terminal."""


class Help(argparse.HelpFormatter):
    """argparse's help, which knows the width of the terminal without `shutil` and all its archives: a parser asks at every argument."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)


class RawHelp(Help, argparse.RawDescriptionHelpFormatter):
    """The same, its description as it stands."""


def _columns() -> int:
    if written := whole_number(os.environ.get("COLUMNS", ""), 1, 10_000):
        return written
    try:
        return os.get_terminal_size().columns or WIDTH
    except OSError:
        return WIDTH


class SentenceParser(argparse.ArgumentParser):
    """argparse whose errors are one sentence, without the usage before it."""

    def error(self, message: str) -> NoReturn:
        unknown = message.removeprefix("unrecognized arguments: ")
        if unknown != message:
            word = unknown.split()[0]
            said = clean(word, 40)
            option = f"there is no option {said}{self._close(word.split('=')[0])}"
            message = option if word.startswith("-") else f"{said} is one argument too many"
        raise InputError(f"{message}; see {self.prog} --help")

    def _close(self, word: str) -> str:
        import difflib

        match = difflib.get_close_matches(word, self._option_string_actions, 1)
        return f" (did you mean {match[0]}?)" if match else ""


def data_and_model(parser: argparse.ArgumentParser, text: str = DATA) -> None:
    """The data, and the options of the model on it."""
    parser.add_argument("data", nargs="?", metavar="DATA", help=text)
    group = parser.add_argument_group("model")
    for name, option in OPTIONS.items():
        if option.kind is bool:
            group.add_argument(f"--{name}", action="store_true", default=argparse.SUPPRESS, help=option.help)
            continue
        if option.kind is str and not option.choices:
            action = "append" if option.several else "store"
            group.add_argument(f"--{name}", action=action, metavar="NAME", default=argparse.SUPPRESS, help=option.help)
            continue
        files = [f"FILE{option.suffix}"] if option.suffix else []
        shown = "|".join((*option.choices, *files)) or {int: "N", float: "X", Size: "SIZE"}.get(option.kind, "FILE")  # pyright: ignore[reportArgumentType]
        shown += "|N,N" if option.several else ""
        default = "" if option.default is None else f" ({option.default})"
        group.add_argument(f"--{name}", metavar=shown, default=argparse.SUPPRESS, help=option.help + default)


def edits(parser: argparse.ArgumentParser) -> None:
    """What if: `--set`."""
    parser.add_argument(
        "--set",
        action="append",
        type=_edit,
        default=[],
        metavar="EDIT",
        help="what if: 'da@3 = 0', 'Wa[2,3] *= 2', 'y[4] = flip', 'flow@3 = 0', 'activation = relu'; more than once",
    )


def screen(parser: argparse.ArgumentParser) -> None:
    """What the screen looks like."""
    parser.add_argument("--color", choices=COLORS, help="depth of colour (auto, or as `rnn-tui config` says)")
    parser.add_argument("--theme", metavar="NAME", help="dark, light, contrast or one of Textual's (dark, or as set)")
    parser.add_argument("--no-mouse", action="store_true", help="leave the mouse to the terminal")
    parser.add_argument("--lang", choices=LANGUAGES, help="language of the lessons (default: the locale's)")


def how_it_is_run(parser: argparse.ArgumentParser, where: str = "") -> None:
    """How a program of the user's own is run; `where` says of what these options are, where a program is not all that can be given."""
    it = "it" if where else "FILE"
    parser.add_argument(
        "--python",
        metavar="PATH",
        help=f"{where}the Python that runs {it} (an active or near environment with NumPy, else our own)",
    )
    parser.add_argument(
        "--limit",
        metavar="LIMIT",
        help=f"{where}seconds of computing, memory or both, as 120, 8GB or 5min,8GB (60s,4GB)",
    )
    parser.add_argument("--network", action="store_true", help=f"{where}let {it} use the network")


def _edit(text: str) -> str:
    from engine.debug.edits import parse_edit

    try:
        return parse_edit(text).text
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def count(text: str) -> int:
    """A whole number, 1 or more."""
    number = whole_number(text, 1, LARGEST)
    if number is None:
        raise argparse.ArgumentTypeError(f"{clean(text, 40)} is not possible; it must be a whole number, 1 or more")
    return number


def size(text: str) -> tuple[int, int]:
    """Columns and lines of a screen."""
    width, _, height = text.lower().partition("x")
    columns, lines = (whole_number(text, least, 1000) for text, least in zip((width, height), SMALLEST, strict=True))
    if columns is None or lines is None:
        raise argparse.ArgumentTypeError(
            f"{clean(text, 40)} is not possible; write columns x lines, {SMALLEST[0]}x{SMALLEST[1]} to 1000x1000, as 120x36"
        )
    return columns, lines


def tolerance(text: str) -> float:
    """A relative error that differences of the loss can tell."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not SMALLEST_TOLERANCE <= value < 1:
        raise argparse.ArgumentTypeError(
            f"{clean(text, 40)} is not possible; it must be a number from {SMALLEST_TOLERANCE:g} (what differences can tell) to below 1"
        )
    return value
