"""What several commands do first: open the data, make the edits, choose names and colours."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.files.locate import resolve
from engine.files.raw import shown
from engine.session import Session, open_session

if TYPE_CHECKING:
    from engine.debug.debugger import Debugger
    from engine.notation import Spelling


def opened(arguments: argparse.Namespace, given: dict[str, Any]) -> Session:
    """The session; what was decided when the data were read is said on standard error."""
    session = open_session(arguments.data, given)
    for sentence in session.data.said:
        print(f"{shown(session.data.path)}: {sentence}", file=sys.stderr)
    return session


def output_of(arguments: argparse.Namespace, session: Session, *, weights_too: bool = False) -> Path:
    """The file that `-o` names; InputError where it cannot be, or was read: data, project, cell, weights unless `weights_too`."""
    from engine.files.writing import place_of

    output, cell = Path(arguments.output), session.options["cell"]
    cells = (cell,) if isinstance(cell, Path) else ()
    weights = () if session.weights is None or weights_too else (session.weights.path,)
    place_of(output, resolve(arguments.data), session.data.path, *cells, *weights)
    return output


def edited(session: Session, edits: list[str]) -> Debugger:
    """The debugger with the edits of `--set` made, in the iteration asked for."""
    if not edits:
        return session.debugger
    from engine.debug.whatif import what_if

    return what_if(session.debugger, *edits, iteration=session.options["iteration"])


def texts_of(debugger: Debugger) -> list[str]:
    """The edits in force."""
    from engine.debug.whatif import Branch

    return [edit.text for edit in debugger.edits] if isinstance(debugger, Branch) else []


def spelling_of(session: Session) -> Spelling:
    """The names of the notation that was chosen: what is typed may be in them, what is printed is."""
    from engine.explain.line_parts import writer_for

    return writer_for(session.debugger.plan, session.options["notation"]).spelling


def color_mode_of(arguments: argparse.Namespace) -> str:
    """How deep the colours on standard output are: none when it is piped, unless they are asked for."""
    from rnn_tui import terminal

    piped = arguments.color == "auto" and not sys.stdout.isatty()
    return terminal.color_mode("none" if piped else arguments.color, os.environ)
