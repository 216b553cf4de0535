"""The language of the lessons, and the few words of the card around them."""

from __future__ import annotations

from collections.abc import Mapping

from engine.lessons.lesson import LANGUAGES


def language(wanted: str | None, environ: Mapping[str, str]) -> str:
    """The one asked for; else that of the locale where lessons are in it; else the first."""
    if wanted:
        return wanted
    locale = next((environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environ.get(name)), "")
    known = locale[:2].lower()
    return known if known in LANGUAGES else next(iter(LANGUAGES))


WORDS: dict[str, dict[str, str]] = {
    "en": {
        "next": "next",
        "skip": "skip",
        "back": "back",
        "hint": "hint",
        "lessons": "lessons",
        "right": "✓ Right.",
        "wrong": "✗ Not quite.",
        "why": "✗ Not quite, see why.",
        "done": "✓ Done.",
        "guess": "Guess first",
        "try": "What if: ",
        "over": "That was the lesson.",
    },
    "zh": {
        "next": "继续",
        "skip": "跳过",
        "back": "后退",
        "hint": "提示",
        "lessons": "课程",
        "right": "✓ 对了。",
        "wrong": "✗ 不对。",
        "why": "✗ 不对，看 why。",
        "done": "✓ 完成。",
        "guess": "先猜一猜",
        "try": "如果：",
        "over": "本课结束。",
    },
}
"""What the card says around the texts of a lesson, by language."""
