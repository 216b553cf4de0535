"""Text from outside, made safe: what `clean` returns can be written to any terminal."""

from __future__ import annotations

TYPE_CHECKING = False  # typing would take a tenth of the time to `--help`
if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_LENGTH = 200
LISTED = 24
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def clean(text: str, limit: int = MAX_LENGTH) -> str:
    """`text` with nothing in it that a terminal would act upon.

    C0 controls become their control pictures (ESC is shown as ␛), C1, bidirectional, zero-width, unassigned and surrogate
    characters become U+FFFD, and what is longer than `limit` characters ends in an ellipsis.
    """
    text = text[: limit - 1] + "…" if len(text) > limit else text
    return "".join(_visible(c) for c in text)


def listed(names: Iterable[str], most: int = LISTED) -> str:
    """The names with commas between them; of many the first, and how many there are."""
    known = list(dict.fromkeys(names))
    shown = ", ".join(clean(name, 40) for name in known[:most])
    return f"{shown}, … ({len(known)} in all)" if len(known) > most else shown


def listed_near(word: str, names: Iterable[str]) -> str:
    """The same; of many the ones that are most like a word."""
    known = list(dict.fromkeys(names))
    if len(known) > LISTED:
        from difflib import SequenceMatcher  # seldom needed

        known.sort(key=lambda name: -SequenceMatcher(None, word, name).ratio())
    return listed(known)


def whole_number(text: str, low: int, high: int) -> int | None:
    """The whole number, from `low` ≥ 0 to `high`, that someone wrote in the digits 0 to 9; None of anything else.

    `str.isdigit` takes ² too, which `int` refuses, and of very many digits `int` makes no number either.
    """
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        return None
    return number if low <= (number := int(text)) <= high else None


def _visible(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    if code < 0x7F:
        return character
    import unicodedata  # seldom needed

    return "\ufffd" if unicodedata.category(character) in _INVISIBLE else character
