"""Finds the file that the user means by what was typed. Standard library only, so that the command line starts quickly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from engine.errors import InputError
from engine.text import clean

BUILT_IN = "many_to_one"
PROGRAMS = (".py", ".ipynb")
"""The suffixes of files that hold a program of the user's own."""
_EXAMPLES = "`rnn-tui examples` lists the built-in ones"
_NEIGHBOURS = 10_000  # names looked at in a folder for a suggestion


def sample_folder() -> Path:
    """The folder of the sample data: inside the package when installed, at the repository's top level in a checkout."""
    package = Path(__file__).resolve().parents[1]
    places = (package / "sample_data", package.parent / "sample_data")
    for place in places:
        if (place / f"{BUILT_IN}.toml").is_file():
            return place
    raise InputError("the sample data is missing from this installation; install rnn-tui again or name a data file")


def sample_names() -> tuple[str, ...]:
    """The samples' bare names, the built-in example first, the rest in alphabetical order."""
    names = {path.stem for path in sample_folder().glob("*.toml")}
    return (BUILT_IN, *sorted(names - {BUILT_IN}))


def resolve(source: str | Path | None) -> Path:
    """The absolute path of the file that `source` names: None is the built-in example, a bare name may be a sample's.

    A file that exists comes first; only then is a name without suffix and separator looked up among the samples.
    """
    text = BUILT_IN if source is None else str(source)
    path = Path(text)
    if source is not None:
        if seen(path.is_file):
            return path.absolute()
        if not _is_bare(text):
            raise InputError(_no_such_file(path, text))
    if text in sample_names():
        return sample_folder() / f"{text}.toml"
    raise InputError(_no_such_file(path, text))


def existing(text: str, kind: str) -> Path:
    """The absolute path of a file that must be there; `kind` says in the refusal what it was to be, as "weights"."""
    if not text.strip():
        raise InputError(f"the name of the {kind} file is empty; give the name of a file")
    path = Path(text)
    if seen(path.is_file):
        return path.absolute()
    if other_kind := _kind(path):
        raise InputError(f"{clean(text)} is {other_kind}, not a {kind} file; give the name of a file")
    close = _close(path.name, _neighbours(path), 0.5)
    meant = f"did you mean {' or '.join(clean(name) for name in close)}?" if close else "check its name"
    raise InputError(f"there is no {kind} file named {clean(text)}; {meant}")


def _is_bare(text: str) -> bool:
    return bool(text) and not any(mark in text for mark in "./\\\0")


def seen(ask: Callable[[], bool]) -> bool:
    """What `path.exists` and the like say; False where the system refuses to look: a name too long, a NUL in it, a closed folder."""
    try:
        return ask()
    except (OSError, ValueError):
        return False


def _no_such_file(path: Path, text: str) -> str:
    shown = clean(text)
    if not text.strip():
        return f"the name of the data file is empty; give a file or the name of an example: {_EXAMPLES}"
    kind = _kind(path)
    if kind:
        return f"{shown} is {kind}, not a data file; give a CSV, NPZ, text or TOML file, or an example: {_EXAMPLES}"
    known = sample_names() if _is_bare(text) else _neighbours(path)
    close = _close(path.stem if _is_bare(text) else path.name, known, 0.6)
    meant = f"did you mean {' or '.join(clean(name) for name in close)}? " if close else ""
    return f"there is no file and no example named {shown}; {meant}{_EXAMPLES}"


def _kind(path: Path) -> str:
    return "a folder" if seen(path.is_dir) else "a device or a pipe" if seen(path.exists) else ""


def _neighbours(path: Path) -> list[str]:
    try:
        return [entry.name for entry, _ in zip(path.parent.iterdir(), range(_NEIGHBOURS), strict=False)]
    except (OSError, ValueError):
        return []


def _close(name: str, known: Sequence[str], least: float) -> list[str]:
    """At most two names that are like this one."""
    import difflib  # most commands need no suggestion

    return difflib.get_close_matches(name, known, n=2, cutoff=least)
