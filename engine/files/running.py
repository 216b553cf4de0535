"""Runs a file of the user's inside this process, as far as that can be kept from breaking it: what it prints is cleaned, it ends in time,
and what it does to the interpreter does not outlive it. That protects from accidents, not from malice."""

from __future__ import annotations

import atexit
import contextlib
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Generator
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, TextIO

import numpy as np

from engine.errors import InputError
from engine.files.raw import shown
from engine.text import clean

SECONDS = 30.0
"""How long a file may run: it imports and defines, and computes next to nothing."""


class _TooLong(BaseException):
    """The file did not end in time."""


class _CleanedStream:
    """Another stream (None: nowhere), without anything that a terminal would act upon."""

    def __init__(self, target: TextIO | None) -> None:
        self.target = target

    def write(self, text: str) -> int:
        if self.target is not None:
            self.target.write("\n".join(map(clean, text.split("\n"))))
        return len(text)

    def flush(self) -> None:
        """Nothing is kept back."""


def run(path: Path, code: CodeType) -> ModuleType:
    """The module that `code` of the file at `path` makes; InputError with the line where it raises, or does not end."""
    module = ModuleType("cell_of_ones_own")
    module.__file__ = str(path)
    try:
        with _within_bounds(path):
            exec(code, module.__dict__)
    except (InputError, KeyboardInterrupt):
        raise
    except _TooLong:
        raise InputError(
            f"{shown(path)} has not ended after {SECONDS:g} s; leave out what runs for long, a cell only defines"
        ) from None
    except BaseException as error:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == str(path)]
        place = f"{shown(path)}, line {lines[-1]}" if lines else shown(path)
        raise InputError(f"{place}: {told(error)}; correct what it does there") from None
    return module


def told(error: BaseException) -> str:
    """An exception's type and message; its type alone where the message cannot be made."""
    try:
        return f"{clean(type(error).__name__, 60)}: {clean(str(error))}"
    except BaseException:
        return clean(type(error).__name__, 60)


@contextlib.contextmanager
def _within_bounds(path: Path) -> Generator[None]:
    namespace: dict[str, Any] = np.__dict__
    numpy, register, start = dict(namespace), atexit.register, threading.Thread.start

    def start_as_daemon(thread: threading.Thread) -> None:
        thread.daemon = True  # or the program would wait for it at its end
        start(thread)

    def no_register(function: Any, *_: Any, **__: Any) -> Any:
        return function

    stream: Any = _CleanedStream(sys.stderr)
    atexit.register, threading.Thread.start = no_register, start_as_daemon  # pyright: ignore[reportAttributeAccessIssue]
    try:
        with (
            contextlib.redirect_stdout(stream),
            contextlib.redirect_stderr(stream),
            warnings.catch_warnings(),
            _in_time(),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        atexit.register, threading.Thread.start = register, start
        changed = [name for name in numpy if namespace.get(name) is not numpy[name]]
        namespace.update(numpy)
    if changed:
        raise InputError(
            f"{shown(path)} changes NumPy itself ({clean(changed[0], 40)}); leave that out, everything else needs it"
        )


@contextlib.contextmanager
def _in_time() -> Generator[None]:
    """Ends what runs for longer than SECONDS, where the system has timers and this is the main thread."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(*_: object) -> None:
        raise _TooLong

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, SECONDS, 1.0)  # again and again, for what catches everything
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
