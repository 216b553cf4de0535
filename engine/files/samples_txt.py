"""A text file as samples for a character model: windows of characters, each to predict the character that follows."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

import numpy as np

from engine.errors import InputError
from engine.files.arrays import MEMORY_LIMIT
from engine.files.raw import read_text, shown, size
from engine.files.samples import Array, Samples, Wanted
from engine.files.targets import of_classes
from engine.tables.heads import usual_head
from engine.text import clean

if TYPE_CHECKING:
    from pathlib import Path

TIMESTEPS = 25
SIZE_LIMIT = 128 << 20  # bytes; a longer text does not fit into MEMORY_LIMIT even with two different characters
_UNSEEN = ("Zs", "Mn", "Me", "Mc")  # other spaces, and marks that would land on what stands before them


def read_characters(path: Path, wanted: Wanted, *, limit: int = MEMORY_LIMIT) -> Samples:
    """The text in the file at `path` as one-hot windows X (N, T, V) that do not overlap, V the number of different characters.

    y (N, T) is the next character at every step, or (N,) the one after the window with `--predict last`. The last characters, fewer
    than a window and the one after it, are left out, so all windows have the same length. Line ends are read as line feeds.
    """
    file = shown(path)
    text = read_text(path, SIZE_LIMIT).replace("\r\n", "\n").replace("\r", "\n")
    T, predict = wanted.timesteps or TIMESTEPS, wanted.predict or "every"
    if len(text) <= T:
        raise _too_short(file, len(text), T)
    N, characters = (len(text) - 1) // T, sorted(set(text))
    V = len(characters)
    if (needed := N * T * V * 8) > limit:
        raise InputError(
            f"{file}: {len(text)} characters, {V} different ones, would need {size(needed)} of memory as one-hot vectors, more than "
            f"the limit of {size(limit)}; keep the first {limit // (8 * V)} characters"
        )
    if wanted.head is not None and not wanted.head.classes:
        raise InputError(
            f"{file}: characters are classes, not numbers; "
            f"choose --loss {usual_head(classes=True).name} instead of {wanted.loss}"
        )
    indices = np.searchsorted(_codes("".join(characters)), _codes(text[: N * T + 1]))
    X = np.zeros((N * T, V))
    X[np.arange(N * T), indices[:-1]] = 1
    following = indices[1:].reshape(N, T)
    y = following if predict == "every" else following[:, -1]
    names = [_name(character) for character in characters]
    targets = of_classes(names, y, numeric=False, head=wanted.head, where=file)
    return Samples(X.reshape(N, T, V), targets.y, targets.classes, predict)


def _codes(text: str) -> Array:
    return np.frombuffer(text.encode("utf-32-le"), dtype="<u4")


def _too_short(file: str, length: int, T: int) -> InputError:
    if not length:
        return InputError(f"{file} is empty; give a text of {T + 1} characters or more")
    remedy = f"use --timesteps {length - 1} or less, or give more text" if length > 1 else "give more text"
    noun = "character" if length == 1 else "characters"
    return InputError(
        f"{file} has {length} {noun}, too few for a window of {T} time steps and the character after it; {remedy}"
    )


def _name(character: str) -> str:
    """A character as people can see it: ␠ for the space, ␊ for the line feed, U+00A0 for what has no picture of its own."""
    if character == " ":
        return "␠"
    visible = clean(character)
    unseen = visible == "\ufffd" or unicodedata.category(character) in _UNSEEN
    return f"U+{ord(character):04X}" if unseen else visible
