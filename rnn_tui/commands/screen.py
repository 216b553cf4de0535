"""What opens the screen: the debugger on data or on a program, a lesson, in a browser, or for a picture of it alone.

Textual is loaded when all that can be refused is refused.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
from contextlib import contextmanager
from pathlib import Path

from engine.errors import InputError
from engine.files.locate import PROGRAMS, resolve
from engine.text import clean
from rnn_tui import terminal
from rnn_tui.arguments import model_options, parser_of

TYPE_CHECKING = False  # typing would take a tenth of the time to refuse
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

    from engine.doctor.walk.lockstep import Lockstep
    from engine.doctor.walk.walk import ProgramWalk
    from engine.session import Session
    from rnn_tui.kept.settings import Settings

SELDOM = 200_000
"""New objects between two looks for garbage before the first frame: nearly all of them stay, and each look goes through all there are."""
LONG = 20_000_000
"""From this many values on a recording is made before the screen opens, with a progress bar."""


def debugger(parsed: argparse.Namespace, given: dict[str, Any]) -> int:
    """`rnn-tui [DATA]`: the debugger, or the walk through the user's own program."""
    settings = _settled(parsed)
    mode = terminal.ready(parsed.color)
    usual = gc.get_threshold()
    gc.set_threshold(SELDOM)
    opened = opened_of(parsed, given)
    if isinstance(opened, tuple):
        _record_first(opened[0])
    from rnn_tui.app import DebuggerApp, WalkApp
    from rnn_tui.kept.sessions import remember, remembered, session_file
    from rnn_tui.lessons.language import language

    look = {"mode": mode, "theme": parsed.theme, "keys": settings.keys}

    def framed() -> None:
        gc.freeze()
        gc.set_threshold(*usual)

    if not isinstance(opened, tuple):
        walk = WalkApp(opened, **look)
        walk.framed = framed
        return terminal.run(walk, mouse=not parsed.no_mouse)
    comes_back = settings.sessions and opened[1] is None and "iteration" not in given
    kept = session_file(opened[0].data.path, given) if comes_back else None
    left = remembered(kept) if kept and not parsed.fresh else None
    app = DebuggerApp(*opened, **look, lang=language(parsed.lang, os.environ), remembered=left)
    app.framed = framed
    code = terminal.run(app, mouse=not parsed.no_mouse)
    if kept and (left := app.left()):
        remember(kept, left)
    return code


def _settled(parsed: argparse.Namespace) -> Settings:
    """The settings, where there is a terminal; what the command line leaves open is as they say."""
    terminal.require()
    from rnn_tui.kept.settings import read_settings

    settings = read_settings()
    parsed.color = parsed.color or settings.color
    parsed.theme = parsed.theme or settings.theme
    parsed.lang = parsed.lang or settings.lang or None
    parsed.no_mouse = parsed.no_mouse or not settings.mouse
    return settings


def opened_of(parsed: argparse.Namespace, given: dict[str, Any]) -> tuple[Session, Lockstep | None] | ProgramWalk:
    """A session on data, or on the user's program beside the reference; the walk through its own run where there is no reference."""
    if Path(parsed.data or "").suffix not in PROGRAMS:
        if parsed.function:
            raise InputError("--function names a function of a Python file; give that file")
        if parsed.arguments or parsed.python or parsed.limit or parsed.network:
            raise InputError("--python, --limit, --network and what follows -- are for a Python file; give that file")
        from engine.session import open_session

        return open_session(parsed.data, given), None
    own_cell = isinstance(given.get("cell"), Path)
    further = [name for name in given if name not in ("notation", "loss") and not (name == "cell" and own_cell)]
    if further:
        raise InputError(f"{clean(parsed.data)} is a program with a model of its own; leave --{further[0]} away")
    if given.get("loss") == "given":
        raise InputError(
            "--loss given takes the targets of data for gradients; a program's loss is cross-entropy, binary or squared"
        )
    path = resolve(parsed.data)
    with _first_word(f"reading {clean(path.name, 40)}"):
        from engine.doctor.opening import open_program
        from engine.files.cell import read_cell
        from rnn_tui.commands.wishes import wishes_of

        cells = (read_cell(given["cell"]),) if own_cell else ()
        wishes, notation = wishes_of(parsed), given.get("notation")
        return open_program(path, parsed.function, notation, wishes, cells, sys.stderr)


@contextmanager
def _first_word(sentence: str) -> Generator[None]:
    """Says what is going on before what takes a second to load; further words are written over it."""
    shown = sys.stderr.isatty()
    if shown:
        print(f"\r{sentence} …\x1b[K", end="", file=sys.stderr, flush=True)
    try:
        yield
    finally:
        if shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


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
        debugger.pace.progress = lambda share: bar.update(recorded, completed=share)
        debugger.tape(iteration)
        debugger.pace.progress = None


def learn(parsed: argparse.Namespace, given: dict[str, Any]) -> int:
    """`rnn-tui learn [NAME]`: a lesson in the debugger."""
    from engine.lessons.lesson import find_lesson, read_lesson
    from rnn_tui.lessons.language import language

    lesson = read_lesson(find_lesson(parsed.lesson)) if parsed.lesson else None
    settings = _settled(parsed)
    mode = terminal.ready(parsed.color)
    from engine.session import open_session
    from rnn_tui.app import DebuggerApp
    from rnn_tui.screens.lessons.opening import opened

    app = DebuggerApp(
        opened(lesson) if lesson else open_session(None, {}),
        mode=mode,
        theme=parsed.theme,
        keys=settings.keys,
        lang=language(parsed.lang, os.environ),
        learn=lesson or True,
    )
    return terminal.run(app, mouse=not parsed.no_mouse)


def serve(parsed: argparse.Namespace, given: dict[str, Any]) -> int:
    """`rnn-tui serve [--port N] ...`: what follows is what `rnn-tui` takes, and refused here as there."""
    checked = parser_of(None).parse_args(parsed.rest)
    model_options(checked)
    resolve(checked.data)
    try:
        from rnn_tui.serve import GuardedServer, free_port
    except ModuleNotFoundError:
        raise InputError("serve needs textual-serve: pip install 'rnn-tui[web]'") from None
    import shlex

    command = shlex.join([sys.executable, "-m", "rnn_tui", *parsed.rest])
    GuardedServer(command, free_port(parsed.port)).serve()
    return 0


def shot(arguments: argparse.Namespace, given: dict[str, Any]) -> int:
    """`rnn-tui shot PLACE [DATA] -o FILE`."""
    import asyncio
    from dataclasses import replace

    from engine.debug.places import parse_place
    from engine.session import open_session
    from rnn_tui.commands.shared import edited, output_of, spelling_of
    from rnn_tui.kept.saving import kind_of

    kind_of(Path(arguments.output))
    session = open_session(arguments.data, given)
    output = output_of(arguments, session)
    session = replace(session, debugger=edited(session, arguments.set))
    spelling = spelling_of(session)
    place = parse_place(spelling.in_engine_names(arguments.place), session.debugger, spelling.layout, spelling.name)
    terminal.prepare_environment("truecolor", os.environ)
    from rnn_tui.app import DebuggerApp
    from rnn_tui.kept.saving import save

    app = DebuggerApp(session, theme=arguments.theme)

    async def taken() -> str:
        async with app.run_test(size=arguments.size) as pilot:
            app.main.controller.visit(place)
            app.main.controller.turn_to(arguments.view)
            app.main.show()
            await pilot.pause()
            return save(output, app.main.shown)

    print(asyncio.run(taken()), file=sys.stderr)
    return 0
