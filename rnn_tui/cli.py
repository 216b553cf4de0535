"""The command line: `rnn-tui [DATA] [options]` opens the debugger, `rnn-tui COMMAND` works without a terminal.

Whatever can be refused is refused before NumPy or Textual is loaded. Exit codes: 0 done, 1 a check failed, 2 wrong use or bad input
(one sentence on standard error), 128+n by signal n.
"""

from __future__ import annotations

import argparse
import difflib
import io
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from engine.errors import InputError
from engine.files.locate import resolve, sample_names
from engine.files.options import LARGEST, OPTIONS
from engine.size import Size
from engine.text import clean, whole_number

if TYPE_CHECKING:
    from engine.doctor.report.lockstep import Lockstep
    from engine.doctor.walk.walk import ProgramWalk
    from engine.session import Session
    from rnn_tui.settings import Settings

FUNCTION = "the function to examine (found by its name and arguments)"
COLORS = ("auto", "truecolor", "256", "16", "none")
SHELLS = ("bash", "zsh", "fish")
PROGRAM = "rnn-tui"
SMALLEST_TOLERANCE = 1e-10


class _ArgumentParser(argparse.ArgumentParser):
    """argparse whose errors are one sentence, without the usage before it."""

    def error(self, message: str) -> NoReturn:
        unknown = message.removeprefix("unrecognized arguments: ")
        if unknown != message:
            message = f"there is no option {clean(unknown.split()[0], 40)}{_close(unknown.split()[0].split('=')[0])}"
        raise InputError(f"{message}; see {self.prog} --help")


def _close(word: str) -> str:
    other_options = ("color", "no-mouse", "json", "all", "tolerance", "function", "set", "difference")
    known = [f"--{name}" for name in (*OPTIONS, *other_options)]
    match = difflib.get_close_matches(word, known, 1)
    return f" (did you mean {match[0]}?)" if match else ""


DATA = "a CSV (.gz), NPZ, NPY, Parquet, text or TOML file, or an example's name"


def _common(parser: argparse.ArgumentParser, text: str = DATA) -> None:
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


def _trace(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o", "--output", required=True, metavar="FILE.npz", help="where to write; replaces what is there"
    )
    _edits(parser)
    _common(parser)


def _edits(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set",
        action="append",
        type=_edit,
        default=[],
        metavar="EDIT",
        help="what if: 'da@3 = 0', 'Wa[2,3] *= 2', 'y[4] = flip', 'flow@3 = 0', 'activation = relu'; more than once",
    )


def _check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="the result as JSON")
    parser.add_argument("--all", action="store_true", help="every entry of every parameter, not 50 drawn ones")
    parser.add_argument("--tolerance", type=_tolerance, default=1e-6, metavar="X", help="largest relative error (1e-6)")
    _common(parser)


def _show(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "quantity",
        metavar="QUANTITY",
        help="a name, with @t for one time step: da@3, dWa, z, dWa@7; or reach, or ledger dWa[2,3]",
    )
    parser.add_argument("--color", choices=COLORS, default="auto", help="depth of colour (auto; none when piped)")
    _edits(parser)
    parser.add_argument("--difference", action="store_true", help="with --set: edited − original")
    _common(parser)


def _run(parser: argparse.ArgumentParser) -> None:
    wanted = parser.add_mutually_exclusive_group(required=True)
    wanted.add_argument("--break", dest="condition", metavar="EXPR", help="a condition, for example 'norm(da) < 1e-3'")
    wanted.add_argument("--findings", action="store_true", help="what is wrong, found without asking: a line each")
    parser.add_argument(
        "--iterations", type=_count, default=1, metavar="N", help="how many iterations to look through (1)"
    )
    parser.add_argument("--reverse", action="store_true", help="the last point where it holds, not the first")
    parser.add_argument("--json", action="store_true", help="the result as JSON")
    _common(parser)


def _explain(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("number", metavar="CELL", help="a number: da@3[0,5], dWa[2,3], dWa@7[2,3], loss")
    parser.add_argument("--json", action="store_true", help="the whole arithmetic as JSON")
    parser.add_argument("--top", type=_count, metavar="N", help="the N largest terms, the rest as one sum")
    _common(parser)


def _train(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--iterations", required=True, type=_count, metavar="N", help="how many updates to make")
    parser.add_argument(
        "-o", "--output", metavar="WEIGHTS", help="where to write the trained weights (.npz); replaces what is there"
    )
    _common(parser)


def _doctor(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Finds what is wrong in a backward pass through time that you wrote by hand, where and why, or says that it is right. "
        "FILE is run, with your rights: as `python FILE ARGS` would run it, up to its first updates, in a copy of its folder with limits "
        "of time and memory, which protects from accidents, not from malice. Where that leaves it open its functions are examined."
    )
    parser.add_argument(
        "file", metavar="FILE", help="a Python file or notebook (.ipynb) with a backward pass, or a whole script"
    )
    parser.add_argument("--function", metavar="NAME", help=FUNCTION)
    parser.add_argument(
        "--call",
        action="append",
        metavar="CALL",
        help="call FILE's functions so and examine what comes back: 'loss_fun(X, y, params)'; "
        "again for a forward pass before it: 'h, cache = forward(x, W)'",
    )
    parser.add_argument(
        "--data",
        dest="example",
        metavar="EXAMPLE",
        help="with --call: more names for it, from a .npz, .json or .py file",
    )
    parser.add_argument(
        "--cell", metavar="CELL.py", help="the file of a cell of your own that the code is of; it is run"
    )
    _run_of_a_program(parser)
    parser.add_argument(
        "--loss", choices=("cross-entropy", "binary", "squared"), help="what the loss is where FILE does not compute it"
    )
    parser.add_argument("--json", action="store_true", help="the result as JSON")
    parser.add_argument("--color", choices=COLORS, default="auto", help="depth of colour (auto; none when piped)")
    parser.usage = "%(prog)s FILE [options] [-- ARGS]"
    parser.epilog = "ARGS are FILE's own. exit codes: 0 right, 1 wrong, 2 undecided or could not be run"
    parser.set_defaults(data=None)


def _run_of_a_program(parser: argparse.ArgumentParser) -> None:
    """How a program of the user's own is run; the loss that it computes."""
    parser.set_defaults(loss=None)
    parser.add_argument(
        "--python",
        metavar="PATH",
        help="the Python that runs FILE (an active or near environment with NumPy, else our own)",
    )
    parser.add_argument(
        "--limit", metavar="LIMIT", help="seconds of computing, memory or both, as 120, 8GB or 5min,8GB (60s,4GB)"
    )
    parser.add_argument("--network", action="store_true", help="let FILE use the network")


def _derive(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Writes the backward pass that belongs to a forward pass of your own: plain NumPy, in its names and its style, each line with its "
        "shape and why. FILE is run, with your rights, as the doctor runs it; only what agrees with its own numbers is printed."
    )
    parser.add_argument("file", metavar="FILE", help="a Python file or notebook (.ipynb) with a forward pass")
    parser.add_argument(
        "-o", "--output", metavar="NEW.py", help="write FILE with its backward pass in place here; replaces nothing"
    )
    lesson = parser.add_mutually_exclusive_group()
    lesson.add_argument("--outline", action="store_true", help="the order of steps with shapes, and no code")
    lesson.add_argument(
        "--hint",
        type=int,
        choices=(1, 2, 3, 4),
        metavar="N",
        help="1 the first quantity that is wrong or missing, 2 what feeds it, 3 its rule as a question, 4 its line",
    )
    _run_of_a_program(parser)
    parser.add_argument(
        "--function",
        metavar="NAME",
        help="the backward pass of this function, called with arguments that are made up; for files of functions that nothing runs",
    )
    parser.add_argument(
        "--loss",
        dest="taken_loss",
        default="",
        metavar="NAME|EXPR",
        help="what the loss is, where FILE computes none: cross-entropy, binary or squared of its outputs and targets, or an expression "
        "of its names, as 'np.mean((y_hat - Y) ** 2)'",
    )
    parser.usage = "%(prog)s FILE [options] [-- ARGS]"
    parser.epilog = (
        "ARGS are FILE's own. exit codes: 0 derived, 1 part of it is left open and named, 2 nothing was derived"
    )
    parser.set_defaults(data=None)


def _compare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", metavar="MINE.npz", help="arrays of your own: weights, gradients, states under any known names"
    )
    parser.add_argument("--json", action="store_true", help="the result as JSON")
    _common(parser)


def _learn(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Opens a lesson in the debugger: it tells, asks before it shows, and gives something to do; every number in it comes from the "
        "recording. Without NAME it asks which. docs/lessons.md says how to write one."
    )
    parser.add_argument("lesson", nargs="?", metavar="NAME", help="a lesson's name, or a TOML file of your own")
    _screen(parser)
    parser.set_defaults(data=None)


def _serve(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Opens the debugger in a browser on this machine: prints an address with a token that only this run takes. It listens to this "
        "machine alone and answers only to its own page. DATA and all options of the debugger may follow."
    )
    parser.add_argument("--port", type=_count, metavar="N", help="where to listen (a free one)")
    parser.usage = "%(prog)s [--port N] [DATA] [options]"
    parser.set_defaults(data=None)


def _shot(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Opens DATA without a terminal, goes to PLACE and saves the screen there. FILE's ending says as what: .svg a picture, .txt text, "
        ".html or .md a report with the arithmetic of the number, .csv the numbers of the picture at the cursor."
    )
    parser.add_argument(
        "place", metavar="PLACE", help="dz@7, da@3[2,4], loss, backward 7: what `g` takes in the debugger"
    )
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="where to write; replaces what is there")
    parser.add_argument("--size", type=_size, default=(120, 36), metavar="WxH", help="columns and lines (120x36)")
    parser.add_argument("--view", choices=VIEWS, default=VIEWS[0], help="which view (program)")
    parser.add_argument(
        "--theme", metavar="NAME", default="dark", help="dark, light, contrast or one of Textual's (dark)"
    )
    _edits(parser)
    _common(parser)


VIEWS = ("program", "flow", "weights", "training", "findings")


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    columns, lines = whole_number(width, 18, 1000), whole_number(height, 18, 1000)
    if columns is None or lines is None:
        raise argparse.ArgumentTypeError(
            f"{clean(text, 40)} is not possible; write columns x lines, 60x18 to 1000x1000, as 120x36"
        )
    return columns, lines


def _screen(parser: argparse.ArgumentParser) -> None:
    """What the screen looks like."""
    parser.add_argument("--color", choices=COLORS, help="depth of colour (auto, or as `rnn-tui config` says)")
    parser.add_argument("--theme", metavar="NAME", help="dark, light, contrast or one of Textual's (dark, or as set)")
    parser.add_argument("--no-mouse", action="store_true", help="leave the mouse to the terminal")
    parser.add_argument("--lang", choices=("en", "zh"), help="language of the lessons (default: the locale's)")


def _completion(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Prints what a shell reads to complete commands, options, examples and files after Tab: "
        'eval "$(rnn-tui completion bash)", the same with zsh, or rnn-tui completion fish | source.'
    )
    parser.add_argument("shell", metavar="SHELL", choices=SHELLS, help="bash, zsh or fish")
    parser.set_defaults(data=None)


def _examples(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(data=None)


COMMANDS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None]]] = {
    "trace": ("write one iteration's quantities to an NPZ file", _trace),
    "gradients": ("write every gradient as a weights file has its weights", _trace),
    "check": ("check the gradients against finite differences", _check),
    "show": ("show a quantity as a heatmap with numbers", _show),
    "code": ("print a plain NumPy program for this very model and data", _common),
    "run": ("run to the first point at which a condition holds, or list what is wrong", _run),
    "explain": ("why a number is what it is: the arithmetic with its numbers", _explain),
    "train": ("train without a screen and save the weights", _train),
    "compare": ("compare arrays of your own with the reference's; runs no code", _compare),
    "doctor": ("find what is wrong in a backward pass of your own", _doctor),
    "learn": ("open a lesson, in English or Chinese", _learn),
    "serve": ("open the debugger in a browser on this machine", _serve),
    "cells": ("list the cells that come along, with their equations", _examples),
    "derive": ("write the backward pass that belongs to a forward pass of your own", _derive),
    "shot": ("save a picture or a report of the screen at a place", _shot),
    "config": ("print where the settings are, and what they say", _examples),
    "completion": ("print what a shell needs to complete commands after Tab", _completion),
    "examples": ("list the built-in examples", _examples),
}


def _edit(text: str) -> str:
    from engine.debug.edits import parse_edit

    try:
        return parse_edit(text).text
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _count(text: str) -> int:
    number = whole_number(text, 1, LARGEST)
    if number is None:
        raise argparse.ArgumentTypeError(f"{clean(text, 40)} is not possible; it must be a whole number, 1 or more")
    return number


def _tolerance(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not SMALLEST_TOLERANCE <= value < 1:
        raise argparse.ArgumentTypeError(
            f"{clean(text, 40)} is not possible; it must be a number from {SMALLEST_TOLERANCE:g} (what differences can tell) to below 1"
        )
    return value


def _open_parser() -> _ArgumentParser:
    commands = "\n".join(f"  {name:<12}{text}" for name, (text, _) in COMMANDS.items())
    parser = _ArgumentParser(
        prog=PROGRAM,
        description="A visual debugger for backpropagation through time. Without DATA it opens the built-in example.",
        epilog=f"commands; only learn needs a terminal (rnn-tui COMMAND --help):\n{commands}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="store_true", help="print the version")
    parser.add_argument("--fresh", action="store_true", help="begin at the start, not where this data was left")
    _screen(parser)
    parser.add_argument("--function", metavar="NAME", help=f"with a Python file: {FUNCTION}")
    parser.add_argument(
        "--python", metavar="PATH", help="with a Python file: the Python that runs it (see doctor --help)"
    )
    _common(
        parser,
        f"{DATA}; or your own program, a Python file or notebook: it is run, see doctor --help (-- ARGS are its own)",
    )
    return parser


def parser_of(command: str | None) -> argparse.ArgumentParser:
    """The parser of a command's arguments; None: of what opens the debugger."""
    if command is None:
        return _open_parser()
    text, options = COMMANDS[command]
    parser = _ArgumentParser(
        prog=f"{PROGRAM} {command}", description=f"{text[0].upper()}{text[1:]}.", allow_abbrev=False
    )
    options(parser)
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


def main(arguments: Sequence[str]) -> int:
    """Runs the program with these arguments; returns the exit code. Raises InputError for what it refuses."""
    command = arguments[0] if arguments and arguments[0] in COMMANDS else None
    own, program = list(arguments), list[str]()
    if command in (None, "doctor", "derive") and "--" in own:
        own, program = own[: own.index("--")], own[own.index("--") + 1 :]
    if command is None:
        _refuse_misspelt(own)
        parsed = parser_of(None).parse_args(own)
        parsed.arguments = tuple(program)
        return _open(parsed)
    parser = parser_of(command)
    if command == "serve":
        return _serve_browser(*parser.parse_known_args(own[1:]))
    parsed = parser.parse_args(own[1:])
    parsed.arguments = tuple(program)
    if command == "derive":
        _refuse_to_replace(parsed)
    if command == "learn":
        return _open_lesson(parsed)
    given = model_options(parsed)
    resolve(parsed.data)
    from rnn_tui import commands

    return getattr(commands, command)(parsed, given)


def _refuse_to_replace(parsed: argparse.Namespace) -> None:
    """`-o` names a new file, and goes without what prints no program."""
    if parsed.output is None:
        return
    if parsed.outline or parsed.hint:
        raise InputError("-o writes the whole program; it goes without --outline and --hint")
    if Path(parsed.output).exists():
        raise InputError(f"{clean(parsed.output)} is there already; give -o a new name")


def _refuse_misspelt(arguments: Sequence[str]) -> None:
    """A first word that is no file and nearly a command is meant as one."""
    word = next(iter(arguments), "-")
    meant = difflib.get_close_matches(word, COMMANDS, 1)
    if meant and not word.startswith("-") and not Path(word).exists() and word not in sample_names():
        raise InputError(f"there is no command and no file {clean(word, 40)} (did you mean {meant[0]}?)")


def _open(parsed: argparse.Namespace) -> int:
    if parsed.version:
        from importlib.metadata import version

        print(f"{PROGRAM} {version(PROGRAM)}")
        return 0
    given = model_options(parsed)
    resolve(parsed.data)
    from rnn_tui import terminal

    settings = _settled(parsed)
    mode = terminal.ready(parsed.color)
    opened = _opened(parsed, given)
    if isinstance(opened, tuple):
        _record_first(opened[0])
    from rnn_tui.app import DebuggerApp, WalkApp
    from rnn_tui.lessons.language import language
    from rnn_tui.sessions import remember, remembered, session_file

    look = {"mode": mode, "theme": parsed.theme, "keys": settings.keys}
    if not isinstance(opened, tuple):
        return terminal.run(WalkApp(opened, **look), mouse=not parsed.no_mouse)
    comes_back = settings.sessions and opened[1] is None and "iteration" not in given
    kept = session_file(opened[0].data.path, given) if comes_back else None
    left = remembered(kept) if kept and not parsed.fresh else None
    app = DebuggerApp(*opened, **look, lang=language(parsed.lang, os.environ), remembered=left)
    code = terminal.run(app, mouse=not parsed.no_mouse)
    if kept and (left := app.left()):
        remember(kept, left)
    return code


def _settled(parsed: argparse.Namespace) -> Settings:
    """The settings; what the command line leaves open is as they say."""
    from rnn_tui.settings import read_settings

    settings = read_settings()
    parsed.color = parsed.color or settings.color
    parsed.theme = parsed.theme or settings.theme
    parsed.lang = parsed.lang or settings.lang or None
    parsed.no_mouse = parsed.no_mouse or not settings.mouse
    return settings


def _open_lesson(parsed: argparse.Namespace) -> int:
    """`rnn-tui learn [NAME]`: a lesson in the debugger."""
    from engine.lessons.lesson import find_lesson, read_lesson
    from rnn_tui import terminal
    from rnn_tui.lessons.language import language

    lesson = read_lesson(find_lesson(parsed.lesson)) if parsed.lesson else None
    settings = _settled(parsed)
    mode = terminal.ready(parsed.color)
    from engine.session import open_session
    from rnn_tui.app import DebuggerApp
    from rnn_tui.lessons.opening import opened

    app = DebuggerApp(
        opened(lesson) if lesson else open_session(None, {}),
        mode=mode,
        theme=parsed.theme,
        keys=settings.keys,
        lang=language(parsed.lang, os.environ),
        learn=lesson or True,
    )
    return terminal.run(app, mouse=not parsed.no_mouse)


def _serve_browser(parsed: argparse.Namespace, rest: list[str]) -> int:
    """`rnn-tui serve [--port N] ...`: what follows is what `rnn-tui` takes, and refused here as there."""
    checked = parser_of(None).parse_args(rest)
    model_options(checked)
    resolve(checked.data)
    try:
        from rnn_tui.serve import GuardedServer, free_port
    except ModuleNotFoundError:
        raise InputError("serve needs textual-serve: pip install 'rnn-tui[web]'") from None
    import shlex

    command = shlex.join([sys.executable, "-m", "rnn_tui", *rest])
    GuardedServer(command, free_port(parsed.port)).serve()
    return 0


def _opened(parsed: argparse.Namespace, given: dict[str, Any]) -> tuple[Session, Lockstep | None] | ProgramWalk:
    """A session on data, or on the user's program beside the reference; the walk through its own run where there is no reference."""
    if Path(parsed.data or "").suffix not in OWN:
        if parsed.function:
            raise InputError("--function names a function of a Python file; give that file")
        if parsed.arguments or parsed.python:
            raise InputError("--python and what follows -- are for a Python file; give that file")
        from engine.session import open_session

        return open_session(parsed.data, given), None
    further = [name for name in given if name != "notation"]
    if further:
        raise InputError(f"{clean(parsed.data)} is a program with a model of its own; leave --{further[0]} away")
    from rich.console import Console

    from engine.doctor.opening import open_program

    wishes = None
    if parsed.arguments or parsed.python:
        from engine.doctor.run.launch import Wishes

        wishes = Wishes(arguments=parsed.arguments, python=parsed.python)
    with Console(stderr=True).status(f"examining {clean(parsed.data)}"):
        return open_program(resolve(parsed.data), parsed.function, given.get("notation"), wishes)


OWN = (".py", ".ipynb")
"""The suffixes of files that hold a user's program."""


LONG = 20_000_000
"""From this many values on a recording is made before the screen opens, with a progress bar."""


def _record_first(session: Session) -> None:
    """Makes the first recording where that takes a while; Ctrl+C ends the program."""
    debugger, iteration = session.debugger, session.options["iteration"]
    if debugger.plan.nbytes() < 8 * LONG and debugger.program.length < 200_000 and iteration < 100:
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        trained = bar.add_task("training", total=iteration) if iteration else None
        if trained is not None:
            debugger.start(iteration, lambda done, _: bar.update(trained, completed=done + 1))
        recorded = bar.add_task("recording", total=1.0)
        debugger.progress = lambda share: bar.update(recorded, completed=share)
        debugger.tape(iteration)
        debugger.progress = None


def entry() -> NoReturn:
    """The console script: messages to standard error, exit codes as promised."""
    sys.stderr = sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115 - closed: what is said has no reader
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # an encoding without √ or − is no reason to fail
    try:
        if "_ARGCOMPLETE" in os.environ:  # a shell asks what may be typed next
            from rnn_tui.completion import answer

            answer(parser_of, {name: text for name, (text, _) in COMMANDS.items()})
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
        code = 128 + signal.SIGPIPE
    except OSError as error:  # a disk that is full or failing
        _leave_output()
        code = _refuse(f"{clean(str(error.filename or 'standard output'))}: {error.strerror}")
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
    sys.exit(code)


def _refuse(sentence: str) -> int:
    print(f"{PROGRAM}: {sentence}", file=sys.stderr)
    return 2


def _leave_output() -> None:
    """What is still to be written goes nowhere: writing it at the end would fail once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
