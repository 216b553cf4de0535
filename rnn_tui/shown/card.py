"""What the lesson's card shows, as one immutable value of the frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CardTone = Literal["say", "ask", "hint", "dim"]


@dataclass(frozen=True)
class Choice:
    """An answer to choose: its key, its text, whether it is the learner's guess and whether it is right (None: not told yet)."""

    key: str
    text: str
    guessed: bool = False
    right: bool | None = None


@dataclass(frozen=True)
class LessonCard:
    """One step: texts with their tones, choices, and (key, label, action) of the lesson's keys. `show` are the panes it talks about."""

    title: str
    place: str
    texts: tuple[tuple[str, CardTone], ...]
    choices: tuple[Choice, ...] = ()
    keys: tuple[tuple[str, str, str], ...] = ()
    show: tuple[str, ...] = ()
