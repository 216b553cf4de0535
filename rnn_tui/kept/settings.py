"""The settings file: how the app looks, which keys do what. TOML in the platform's folder for that; checked strictly."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from engine.errors import InputError
from engine.files.project import read_table
from engine.registry import LANGUAGES
from engine.text import clean
from rnn_tui.keys.bindings import COMMANDS
from rnn_tui.keys.command import Command, key_name

COLORS = ("auto", "truecolor", "256", "16", "none")
CHOICES = {"color": COLORS, "lang": ("", *LANGUAGES)}
_NAMED = (
    "enter|escape|tab|space|backspace|delete|insert|home|end|pageup|pagedown|up|down|left|right|plus|minus|slash|full_stop|comma|"
    "question_mark|left_square_bracket|right_square_bracket|semicolon|colon|less_than_sign|greater_than_sign|equals_sign"
)
KEY = re.compile(rf"((ctrl|shift|alt)\+)*([a-zA-Z0-9]|f[1-9]|f1[0-9]|f2[0-4]|{_NAMED})")
NOT_FREE = ("ctrl+c", "ctrl+z")


@dataclass(frozen=True)
class Settings:
    """What the settings file says, or would say."""

    theme: str = "dark"
    color: str = "auto"
    mouse: bool = True
    lang: str = ""
    """Empty: the locale's."""
    sessions: bool = True
    """Whether data opens again as it was left."""
    keys: Mapping[str, str] = field(default_factory=dict[str, str])
    """Other keys of commands, by the commands' names."""


def settings_path() -> Path:
    """Where the settings file is, or would be."""
    from platformdirs import user_config_path  # comes with Textual; where programs keep settings, on every platform

    return user_config_path("rnn-tui") / "settings.toml"


def read_settings(path: Path | None = None) -> Settings:
    """The settings; the defaults where there is no file. InputError names the file and what is wrong in it."""
    path = path or settings_path()
    if not path.exists():
        return Settings()
    try:
        return checked(read_table(path))
    except InputError as error:
        raise InputError(f"settings {clean(str(path))}: {clean(str(error), 300)}") from None


def checked(given: dict[str, Any]) -> Settings:
    """Settings from what a file says; InputError for what it must not say."""
    known = {one.name: type(getattr(Settings(), one.name)) for one in fields(Settings)}
    for name, value in given.items():
        _refuse_unknown(name, known, "setting")
        kind = dict if name == "keys" else known[name]
        if not isinstance(value, kind):
            wanted = {str: "a text", bool: "true or false", dict: "a table"}[kind]
            raise InputError(f"{name} must be {wanted}")
        if name in CHOICES and value not in CHOICES[name]:
            raise InputError(f"{name} must be one of {', '.join(filter(None, CHOICES[name]))}")
    _check_keys(given.get("keys", {}))
    return Settings(**given)


def _refuse_unknown(name: str, known: Mapping[str, object], kind: str) -> None:
    if name not in known:
        close = difflib.get_close_matches(name, known, 1)
        meant = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
        raise InputError(f"there is no {kind} {clean(name, 40)}; {meant}")


def _check_keys(keys: dict[str, Any]) -> None:
    """Every name is a command's, every key can be pressed, and no key is left with two commands."""
    commands = {command.name: command for command in COMMANDS}
    taken: dict[str, str] = {}
    for name, value in keys.items():
        _refuse_unknown(name, commands, "command")
        if not isinstance(value, str) or not value:
            raise InputError(f"keys.{name} must be a text: one key, or several with commas between them")
    for name, command in commands.items():
        for key in keys.get(name, command.keys).split(","):
            if name in keys and (not KEY.fullmatch(key) or key in NOT_FREE):
                raise InputError(
                    f"keys.{name}: {clean(key, 40)} is no key that can be given; write q, Q, f5, ctrl+s, space, slash …"
                )
            if key in taken:
                raise InputError(
                    f"keys: {clean(key, 40)} would be both {taken[key]} and {name}; give one of them another key"
                )
            taken[key] = name


def remapped(commands: tuple[Command, ...], keys: Mapping[str, str]) -> tuple[Command, ...]:
    """The commands with other keys, also where they are shown."""
    changed = [
        replace(c, keys=keys[c.name], shown=key_name(keys[c.name]), pair="") if c.name in keys else c for c in commands
    ]
    # The first of a pair shows the keys of those that follow it.
    for i, (before, after) in enumerate(zip(commands, changed, strict=True)):
        followers = [c for c in _following(changed, i) if before.pair]
        if before.pair and (before is not after or any(c.name in keys for c in followers)):
            changed[i] = replace(after, pair=" ".join(c.shown for c in (after, *followers)))
    return tuple(changed)


def _following(commands: list[Command], at: int) -> list[Command]:
    """The opposites of a command: those right after it that have no line of their own."""
    end = next((i for i in range(at + 1, len(commands)) if not commands[i].back), len(commands))
    return commands[at + 1 : end]


def settings_text(settings: Settings, path: Path) -> str:
    """The settings as a file that could stand there."""
    there = "" if path.exists() else " (not there: these are the defaults)"
    values = [f"{one.name} = {_toml(getattr(settings, one.name))}" for one in fields(Settings) if one.name != "keys"]
    commands = {command.name: command for command in COMMANDS}
    width = max(map(len, commands))
    keys = [
        f"{'' if name in settings.keys else '# '}{name:<{width}} = {_toml(settings.keys.get(name, command.keys))}"
        for name, command in commands.items()
    ]
    return "\n".join([f"# {path}{there}", *values, "", "[keys]", *keys, ""])


def _toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else f'"{value}"'
