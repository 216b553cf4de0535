"""The command line: `rnn-tui [DATA] [options]` opens the debugger, `rnn-tui COMMAND` works without a terminal.

Whatever can be refused is refused before NumPy or Textual is loaded. Exit codes: 0 done, 1 a check failed, 2 wrong use or bad input
(one sentence on standard error), 128+n by signal n.
"""

from __future__ import annotations

import io
import os
import sys
from importlib import import_module

from engine.errors import InputError
from engine.recording.threads import one_matrix_thread
from engine.text import clean
from rnn_tui.arguments import COMMANDS, model_options, parser_of
from rnn_tui.arguments.parts import PROGRAM

TYPE_CHECKING = False  # typing would take a tenth of the time to `--help`
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

BROKEN_PIPE, INTERRUPTED = 128 + 13, 128 + 2
"""128 + the signal's number."""


def main(arguments: Sequence[str]) -> int:
    """Runs the program with these arguments; returns the exit code. Raises InputError for what it refuses."""
    command = arguments[0] if arguments and arguments[0] in COMMANDS else None
    own, program = list(arguments), list[str]()
    if command in (None, "doctor", "derive") and "--" in own:
        own, program = own[: own.index("--")], own[own.index("--") + 1 :]
    if command is None:
        _refuse_misspelt(own)
    parser = parser_of(command)
    words = own if command is None else own[1:]
    parsed, rest = parser.parse_known_args(words)
    if rest and command != "serve":
        if options := [word for word in rest if word.startswith("-")]:
            parser.error(f"unrecognized arguments: {' '.join(options)}")
        parsed, rest = parser.parse_intermixed_args(words), []  # the data behind an option
    if command is None and parsed.version:
        from importlib.metadata import version

        print(f"{PROGRAM} {version(PROGRAM)}")
        return 0
    parsed.arguments, parsed.rest = tuple(program), rest
    given = model_options(parsed)
    from engine.files.locate import resolve

    resolve(parsed.data)
    module = "screen" if command is None else COMMANDS[command].module
    function = getattr(import_module(f"rnn_tui.commands.{module}"), command or "debugger")
    return function(parsed, given)


def _refuse_misspelt(arguments: Sequence[str]) -> None:
    """A first word that is no file and nearly a command, and not nearer to an example's name, is meant as one."""
    word = next(iter(arguments), "-")
    if word.startswith("-"):
        return
    from pathlib import Path

    from engine.files.locate import sample_names, seen

    if seen(Path(word).exists) or word in sample_names():
        return
    import difflib  # not before there is something to suggest

    meant = difflib.get_close_matches(word, (*COMMANDS, *sample_names()), 1)
    if meant and meant[0] in COMMANDS:
        raise InputError(f"there is no command and no file {clean(word, 40)} (did you mean {meant[0]}?)")


def entry() -> NoReturn:
    """The console script: messages to standard error, exit codes as promised."""
    one_matrix_thread()
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - closed: what is said has no reader
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # an encoding without √ or − is no reason to fail
    try:
        if "_ARGCOMPLETE" in os.environ:  # a shell asks what may be typed next
            from rnn_tui.completion import answer

            answer(parser_of, {name: command.help for name, command in COMMANDS.items()})
        if sys.stdout is None:
            raise InputError(f"standard output is closed; send it to a file or to {os.devnull}")
        code = main(sys.argv[1:])
        sys.stdout.flush()
    except InputError as error:
        code = _refuse(str(error))
    except MemoryError:
        code = _refuse("this needs more memory than there is; take a smaller --hidden or less data")
    except BrokenPipeError:  # `rnn-tui code | head`: nobody is reading any more
        _leave_output()
        code = BROKEN_PIPE
    except OSError as error:  # a disk that is full or failing
        _leave_output()
        code = _refuse(f"{clean(str(error.filename or 'standard output'))}: {error.strerror}")
    except KeyboardInterrupt:
        code = INTERRUPTED
    except Exception as error:  # no fault of the user's
        from rnn_tui.terminal.crash import EXIT_CODE, crashed

        print(crashed(error), file=sys.stderr)
        code = EXIT_CODE
    sys.exit(code)


def _refuse(sentence: str) -> int:
    print(f"{PROGRAM}: {sentence}", file=sys.stderr)
    return 2


def _leave_output() -> None:
    """What is still to be written goes nowhere: writing it at the end would fail once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
