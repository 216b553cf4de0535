"""Whether a full-screen program can run here, in which colours, and how to run one.

Imports the standard library only, and that sparingly: a missing terminal is reported before Textual is loaded.
The order is `ready`, then import the app, then `run`.
"""

from __future__ import annotations

import os
import sys

from engine.errors import InputError

TYPE_CHECKING = False  # typing would take a tenth of the time to `--help`
if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping
    from typing import Any, TextIO

    from textual.app import App

HEADLESS = "`rnn-tui trace`, `rnn-tui show`, `rnn-tui check` or, for a program of yours, `rnn-tui doctor`"
TTY = "/dev/tty"
SMALLEST = (60, 18)
"""Columns and lines that the screen needs."""
WEB = "textual.drivers.web_driver:WebDriver"
"""What textual-serve sets as TEXTUAL_DRIVER: there is a browser in the terminal's place."""

# Our names to those Textual knows; without colour it still needs one, for bold and underline.
_TEXTUAL_COLOR_SYSTEMS = {"truecolor": "truecolor", "256": "256", "16": "standard", "none": "standard"}


def problem(
    environ: Mapping[str, str], stdin: TextIO | None, stdout: TextIO | None, stderr: TextIO | None
) -> str | None:
    """Why no full-screen program can run here: one sentence with the remedy; None when it can.

    Changes nothing. A standard input that is not a terminal is no obstacle as long as the terminal can be opened
    by its own name; `run` does that, so that whatever comes in on standard input can be read before.
    """
    if in_browser(environ):
        return None
    if sys.platform == "win32":
        return f"the debugger needs a POSIX terminal; on Windows start it in WSL. {HEADLESS} work without"
    if "JPY_PARENT_PID" in environ and environ.get("TERM") == "xterm-color":  # as IPython's kernel sets them, for `!`
        return (
            f"a notebook's cell takes no keys; start rnn-tui in a terminal, call rnn_tui.debug here, or use {HEADLESS}"
        )
    for name, stream in (("output", stdout), ("error", stderr)):
        if not _is_terminal(stream):
            return f"the debugger needs a terminal, and standard {name} is not one; without one use {HEADLESS}"
    term = environ.get("TERM", "")
    if term in ("", "dumb"):
        what = f"TERM is {term}" if term else "TERM is not set"
        return f"{what}, so the screen cannot be drawn; set it, e.g. TERM=xterm-256color, or use {HEADLESS}"
    if not _is_terminal(stdin) and not _can_open_tty():
        return (
            f"the debugger needs a terminal for its keys: standard input is not one and {TTY} cannot be opened; "
            f"without one use {HEADLESS}"
        )
    encoding = getattr(stderr, "encoding", None) or "ascii"
    if not _is_utf8(encoding) and not _locale_allows_utf8(environ):
        return f"the locale's encoding is {encoding}, which lacks the characters drawn here; set LC_ALL=C.UTF-8"
    return None


def in_browser(environ: Mapping[str, str]) -> bool:
    """Whether the screen is sent to a browser, by `rnn-tui serve` or `textual serve`."""
    return environ.get("TEXTUAL_DRIVER") == WEB


def require() -> None:
    """InputError where no full-screen program can run."""
    if wrong := problem(os.environ, sys.stdin, sys.stdout, sys.stderr):
        raise InputError(wrong)


def ready(choice: str) -> str:
    """The colours of a full-screen program here, with the environment prepared for it; InputError where none can run."""
    require()
    mode = color_mode(choice, os.environ)
    prepare_environment(mode, os.environ)
    return mode


def color_mode(choice: str, environ: Mapping[str, str]) -> str:
    """The colours to draw in: 'truecolor', '256', '16' or 'none'. A `choice` other than 'auto' is final."""
    if choice != "auto":
        return choice
    if in_browser(environ):
        return "truecolor"
    if environ.get("NO_COLOR"):
        return "none"
    term = environ.get("TERM", "").lower()
    # GNU screen drops 24-bit colour silently, but passes COLORTERM on.
    if "TMUX" not in environ and ("STY" in environ or term.startswith("screen")):
        return "256"
    if environ.get("COLORTERM", "").strip().lower() in ("truecolor", "24bit") or term.endswith("-direct"):
        return "truecolor"
    if "256color" in term or "kitty" in term:
        return "256"
    return "16"


def prepare_environment(mode: str, environ: MutableMapping[str, str]) -> None:
    """Make Textual and Rich draw in exactly `mode`. Call before the first import of textual, which reads it once."""
    environ["TEXTUAL_COLOR_SYSTEM"] = _TEXTUAL_COLOR_SYSTEMS[mode]
    # Textual takes even an empty NO_COLOR for a wish; an explicit choice of colours overrules a full one.
    environ.pop("NO_COLOR", None)
    environ.pop("COLORTERM", None)
    if mode == "none":
        environ["NO_COLOR"] = "1"
    elif mode == "truecolor":
        environ["COLORTERM"] = "truecolor"


def attach_tty() -> bool:
    """Make the terminal standard input, where Textual reads its keys; False when there is none."""
    try:
        descriptor = os.open(TTY, os.O_RDWR)
    except OSError:
        return False
    if descriptor != 0:
        os.dup2(descriptor, 0)
        os.close(descriptor)
    # New objects: the old ones may be closed, missing, or hold what was piped in.
    stream = open(0, encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115 - a descriptor, for good
    sys.stdin = sys.__stdin__ = stream  # pyright: ignore[reportAttributeAccessIssue] - Textual reads the latter
    return True


def use_utf8(stream: TextIO | None) -> None:
    """Let `stream` write UTF-8, and never fail: an exception would end Textual's writer and freeze the screen."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(encoding="utf-8", errors="replace")


def run(app: App[Any], *, mouse: bool = True) -> int:
    """Run `app` until it ends and return the exit code: its own, 1 after an exception, 128+n after signal n."""
    if in_browser(os.environ):
        app.run(mouse=mouse)
        return app.return_code or 0
    from rnn_tui.terminal import lifecycle

    if not _is_terminal(sys.__stdin__) and not attach_tty():
        sys.stderr.write(f"rnn-tui: {TTY} cannot be opened, so no key can be read\n")
        return 2
    use_utf8(sys.__stderr__)
    return lifecycle.run(app, mouse=mouse)


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except (OSError, ValueError):  # closed
        return False


def _can_open_tty() -> bool:
    try:
        os.close(os.open(TTY, os.O_RDWR))
    except OSError:
        return False
    return True


def _is_utf8(encoding: str) -> bool:
    return encoding.lower().replace("-", "").replace("_", "") == "utf8"


def _locale_allows_utf8(environ: Mapping[str, str]) -> bool:
    """Whether nothing says that the terminal is not UTF-8. The C locale says nothing: Python writes UTF-8 there too."""
    locale = next(filter(None, (environ.get(name) for name in ("LC_ALL", "LC_CTYPE", "LANG"))), "C")
    name, _, charset = locale.partition(".")
    return name in ("C", "POSIX") or _is_utf8(charset.partition("@")[0]) or _is_utf8(locale)
