"""What can be typed: the commands, the arguments of each, and the model's options as values. Standard library only, for whatever can be
refused is refused before NumPy or Textual is loaded.
"""

from __future__ import annotations

import argparse

from engine.files.options import OPTIONS
from rnn_tui.arguments import of_data, of_programs
from rnn_tui.arguments.parts import (
    DATA,
    FUNCTION,
    PROGRAM,
    Help,
    RawHelp,
    SentenceParser,
    count,
    data_and_model,
    how_it_is_run,
    screen,
)

TYPE_CHECKING = False  # typing would take a tenth of the time to `--help`
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

SHELLS = ("bash", "zsh", "fish")


def _learn(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Opens a lesson in the debugger: it tells, asks before it shows, and gives something to do; every number in it comes from the "
        "recording. Without NAME it asks which. docs/lessons.md says how to write one."
    )
    parser.add_argument("lesson", nargs="?", metavar="NAME", help="a lesson's name, or a TOML file of your own")
    screen(parser)


def _serve(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Opens the debugger in a browser on this machine: prints an address with a token that only this run takes. It listens to this "
        "machine alone and answers only to its own page. DATA and all options of the debugger may follow."
    )
    parser.add_argument("--port", type=count, metavar="N", help="where to listen (a free one)")
    parser.usage = "%(prog)s [--port N] [DATA] [options]"


def _completion(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Prints what a shell reads to complete commands, options, examples and files after Tab: "
        'eval "$(rnn-tui completion bash)", the same with zsh, or rnn-tui completion fish | source.'
    )
    parser.add_argument("shell", metavar="SHELL", choices=SHELLS, help="bash, zsh or fish")


def _nothing(parser: argparse.ArgumentParser) -> None:
    """No arguments."""


class Subcommand:
    """A command: its line of help, what adds its arguments to a parser, and the module of `rnn_tui.commands` in which its function is.

    The function has the command's name.
    """

    def __init__(self, help: str, arguments: Callable[[argparse.ArgumentParser], None], module: str) -> None:
        self.help, self.arguments, self.module = help, arguments, module


COMMANDS: dict[str, Subcommand] = {
    "trace": Subcommand("write one iteration's quantities to an NPZ file", of_data.trace, "recording"),
    "gradients": Subcommand("write every gradient as a weights file has its weights", of_data.trace, "recording"),
    "check": Subcommand("check the gradients against finite differences", of_data.check, "recording"),
    "show": Subcommand("show a quantity as a heatmap with numbers", of_data.show, "recording"),
    "code": Subcommand("print a plain NumPy program for this very model and data", data_and_model, "recording"),
    "run": Subcommand(
        "run to the first point at which a condition holds, or list what is wrong", of_data.run, "recording"
    ),
    "explain": Subcommand("why a number is what it is: the arithmetic with its numbers", of_data.explain, "recording"),
    "train": Subcommand("train without a screen and save the weights", of_data.train, "recording"),
    "compare": Subcommand("compare arrays of your own with the reference's; runs no code", of_data.compare, "programs"),
    "doctor": Subcommand("find what is wrong in a backward pass of your own", of_programs.doctor, "programs"),
    "learn": Subcommand("open a lesson, in English or Chinese", _learn, "screen"),
    "serve": Subcommand("open the debugger in a browser on this machine", _serve, "screen"),
    "cells": Subcommand("list the cells that come along, with their equations", _nothing, "lists"),
    "derive": Subcommand(
        "write the backward pass that belongs to a forward pass of your own", of_programs.derive, "programs"
    ),
    "shot": Subcommand("save a picture or a report of the screen at a place", of_data.shot, "screen"),
    "config": Subcommand("print where the settings are, and what they say", _nothing, "lists"),
    "completion": Subcommand("print what a shell needs to complete commands after Tab", _completion, "lists"),
    "examples": Subcommand("list the built-in examples", _nothing, "lists"),
}


def _open_parser() -> SentenceParser:
    commands = "\n".join(f"  {name:<12}{command.help}" for name, command in COMMANDS.items())
    parser = SentenceParser(
        prog=PROGRAM,
        description="A visual debugger for backpropagation through time. Without DATA it opens the built-in example.",
        epilog=f"commands; only learn needs a terminal (rnn-tui COMMAND --help):\n{commands}",
        formatter_class=RawHelp,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="store_true", help="print the version")
    parser.add_argument("--fresh", action="store_true", help="begin at the start, not where this data was left")
    screen(parser)
    parser.add_argument("--function", metavar="NAME", help=f"with a Python file: {FUNCTION}")
    how_it_is_run(parser, "with a Python file: ")
    data_and_model(
        parser,
        f"{DATA}; or your own program, a Python file or notebook: it is run, see doctor --help (-- ARGS are its own)",
    )
    return parser


def parser_of(command: str | None) -> argparse.ArgumentParser:
    """The parser of a command's arguments; None: of what opens the debugger."""
    if command is None:
        return _open_parser()
    described = COMMANDS[command]
    text = f"{described.help[0].upper()}{described.help[1:]}."
    parser = SentenceParser(prog=f"{PROGRAM} {command}", description=text, formatter_class=Help, allow_abbrev=False)
    parser.set_defaults(data=None)  # of a command that takes none
    described.arguments(parser)
    return parser


def model_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """The model's options that were given, by their command-line names, as values."""
    given: dict[str, Any] = {}
    for name, option in OPTIONS.items():
        text = getattr(arguments, name.replace("-", "_"), None)
        if text is not None:
            text = ",".join(text) if isinstance(text, list) else text
            given[name] = text if option.kind is bool else option.parse(name, text)
    return given
