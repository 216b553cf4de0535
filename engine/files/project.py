"""Project files (TOML): which data, which model options, what to look for. Standard library only.

A project names data and numbers, never code: its files lie inside its own folder, its cell is a built-in one.
"""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, cast

from engine.errors import InputError
from engine.files.locate import sample_folder, sample_names
from engine.files.options import OPTIONS, File
from engine.files.raw import read_text, shown
from engine.size import Size
from engine.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_SIZE_LIMIT = 1 << 20
_TEXT_LIMIT = 500
_KEYS = ("data", "title", "look_for", "options", "breakpoints", "watches")


@dataclass(frozen=True)
class Project:
    """A project file's contents, checked; `data` and the option `weights` are absolute paths of existing files."""

    path: Path
    data: Path
    title: str = ""
    look_for: str = ""
    options: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    breakpoints: tuple[str, ...] = ()
    watches: tuple[str, ...] = ()


class Sample(NamedTuple):
    """One built-in example as `rnn-tui examples` lists it."""

    name: str
    title: str
    look_for: str


def samples() -> list[Sample]:
    """Every built-in example, the default one first; reads the project files only."""
    folder = sample_folder()
    listing: list[Sample] = []
    for name in sample_names():
        path = folder / f"{name}.toml"
        table = read_table(path)
        listing.append(Sample(clean(name), text_of(path, table, "title"), text_of(path, table, "look_for")))
    return listing


def read_project(path: Path) -> Project:
    """The project in the TOML file at `path`."""
    table = read_table(path)
    for unknown in table.keys() - set(_KEYS):
        remedy = "; model options go into the table [options]" if unknown in OPTIONS else suggestion(unknown, _KEYS)
        raise InputError(f"{shown(path)}: unknown key {clean(unknown, 60)}{remedy}")
    if "data" not in table:
        raise InputError(f'{shown(path)}: the key data is missing; name the data file: data = "numbers.csv"')
    data = file_inside(path, "data", table["data"])
    if data.suffix.lower() == ".toml":
        raise InputError(f"{shown(path)}: data names another project, {shown(data)}; name a CSV, NPZ or text file")
    return Project(
        path=path,
        data=data,
        title=text_of(path, table, "title"),
        look_for=text_of(path, table, "look_for"),
        options=options_of(path, table.get("options", {})),
        breakpoints=_texts(path, table, "breakpoints"),
        watches=_texts(path, table, "watches"),
    )


def read_table(path: Path) -> dict[str, object]:
    """The contents of a TOML file."""
    text = read_text(path, _SIZE_LIMIT)
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise InputError(f"{shown(path)}: its arrays or tables are nested too deeply; none are needed here") from error
    except ValueError as error:  # TOMLDecodeError, and what its numbers and dates let through
        raise InputError(f"{shown(path)} is not valid TOML: {clean(str(error))}; correct that line") from error


def suggestion(name: str, known: Iterable[str]) -> str:
    """What an unknown name may have meant, as the end of a refusal."""
    known = tuple(known)
    close = difflib.get_close_matches(name.lower().replace("_", "-"), known, n=2, cutoff=0.5)
    return f"; did you mean {' or '.join(close)}?" if close else f"; known are {', '.join(known)}"


def text_of(path: Path, table: Mapping[str, object], key: str) -> str:
    value = table.get(key, "")
    if not isinstance(value, str):
        raise InputError(f'{shown(path)}: {key} must be text in quotes: {key} = "..."')
    return clean(" ".join(value.split()), _TEXT_LIMIT)


def _texts(path: Path, table: Mapping[str, object], key: str) -> tuple[str, ...]:
    value = table.get(key, [])
    items = cast("list[object]", value) if isinstance(value, list) else [None]
    texts = tuple(clean(item, _TEXT_LIMIT) for item in items if isinstance(item, str))
    if len(texts) != len(items):
        raise InputError(f'{shown(path)}: {key} must be a list of texts: {key} = ["...", "..."]')
    return texts


def options_of(path: Path, value: object) -> Mapping[str, object]:
    """The model's options in a table [options]."""
    if not isinstance(value, dict):
        raise InputError(f"{shown(path)}: options must be a table: a line [options], then one option a line")
    options: dict[str, object] = {}
    for name, given in cast("dict[str, object]", value).items():
        if name not in OPTIONS:
            remedy = suggestion(name, OPTIONS)
            raise InputError(f"{shown(path)}: unknown option {clean(name, 60)} under [options]{remedy}")
        options[name] = _option(path, name, given)
    return MappingProxyType(options)


def _option(path: Path, name: str, value: object) -> object:
    wanted = OPTIONS[name]
    if not wanted.accepts(value):
        given = clean(repr(value), 60)
        raise InputError(f"{shown(path)}: option {name} = {given} under [options] must be {wanted.expected(value)}")
    if wanted.kind is File:
        return file_inside(path, f"option {name}", value)
    if wanted.kind is Size:
        return Size.parse(cast("str", value))
    if isinstance(value, list):
        return tuple(cast("list[object]", value))
    if wanted.kind is str and wanted.several:
        return (value,)
    return float(cast("float", value)) if wanted.kind is float else value


def file_inside(path: Path, key: str, value: object) -> Path:
    """The existing file called `value`, which must lie in the project's folder, links followed."""
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise InputError(f"{shown(path)}: {key} must be the name of a file in quotes")
    folder = path.parent.resolve()
    windows = PureWindowsPath(value)  # also splits at /, and knows drives
    refusal = InputError(
        f"{shown(path)}: {key} = {clean(value)} leads out of the project's folder; put the file inside it"
    )
    if windows.drive or windows.root or ".." in windows.parts:
        raise refusal
    try:
        target = (folder / value).resolve()
        is_file = target.is_file()
    except (OSError, RuntimeError, ValueError):  # a name too long, links in a circle
        target, is_file = folder, False
    if not target.is_relative_to(folder):
        raise refusal
    if not is_file:
        raise InputError(f"{shown(path)}: {key} = {clean(value)} is not a file in the project's folder; check its name")
    return target
