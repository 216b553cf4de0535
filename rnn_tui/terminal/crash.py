"""What is left of a crash: one line for the user, and a report in a file, in which there is no data."""

from __future__ import annotations

import platform
import traceback
from collections.abc import Iterator
from pathlib import Path

from engine.errors import InputError
from engine.text import clean

EXIT_CODE = 2
"""Not 1, which is the answer of a check that fails."""
PACKAGES = ("rnn-tui", "numpy", "textual", "rich")


def crashed(error: BaseException) -> str:
    """Writes the report; the line that says what happened and where the report is."""
    from engine.files.writing import replaced

    said = f"rnn-tui: an error of its own ended it ({_last_place(error)})"
    try:
        from platformdirs import user_state_path

        path = user_state_path("rnn-tui") / "crash.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        with replaced(path) as file:
            file.write(report(error).encode())
    except (ImportError, OSError, InputError):
        return f"{said}; no report could be written:\n{report(error)}"
    return f"{said}; please send its maintainers the report, without your data, that is in {clean(str(path), 400)}"


def report(error: BaseException) -> str:
    """Versions, and the lines that ran: no message, no local variable and no line of a file, for any of them may hold data."""
    return "\n".join((*_versions(), "", *_traceback(error), ""))


def _versions() -> Iterator[str]:
    from importlib.metadata import PackageNotFoundError, version  # nothing else waits for it

    yield f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    for package in PACKAGES:
        try:
            yield f"{package} {version(package)}"
        except PackageNotFoundError:
            yield f"{package} is not installed"


def _traceback(error: BaseException) -> Iterator[str]:
    cause = error.__cause__ or error.__context__
    if cause is not None:
        yield from _traceback(cause)
        yield "and then"
    for frame in traceback.extract_tb(error.__traceback__):
        yield f"  {clean('/'.join(Path(frame.filename).parts[-3:]), 200)}:{frame.lineno} in {clean(frame.name, 80)}"
    yield type(error).__name__


def _last_place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    place = f", {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
    return clean(type(error).__name__ + place, 200)
