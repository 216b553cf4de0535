"""The language of the lessons, and the few words of the card around them."""

from __future__ import annotations

from collections.abc import Mapping

from engine.registry import LANGUAGES


def language(wanted: str | None, environ: Mapping[str, str]) -> str:
    """The one asked for; else that of the locale where lessons are in it; else the first."""
    if wanted:
        return wanted
    locale = next((environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environ.get(name)), "")
    known = locale[:2].lower()
    return known if known in LANGUAGES else LANGUAGES[0]


WORDS: dict[str, dict[str, str]] = {
    "en": {
        "next": "next",
        "skip": "skip",
        "back": "back",
        "hint": "hint",
        "hinted": "hint {}: ",
        "lessons": "lessons",
        "right": "✓ Right. ",
        "wrong": "✗ Not quite. ",
        "why": "✗ Not quite, see why. ",
        "done": "✓ Done. ",
        "guess": "Guess first",
        "try": "What if: ",
        "over": "That was the lesson.",
        "minutes": "min",
        "opens": "enter opens, esc closes",
        "leave": "Leave the lesson, back to what was open before",
    },
    "zh": {
        "next": "继续",
        "skip": "跳过",
        "back": "后退",
        "hint": "提示",
        "hinted": "提示 {}：",
        "lessons": "课程",
        "right": "✓ 对了。",
        "wrong": "✗ 不对。",
        "why": "✗ 不对，看 why。",
        "done": "✓ 完成。",
        "guess": "先猜一猜",
        "try": "如果：",
        "over": "本课结束。",
        "minutes": "分钟",
        "opens": "回车打开，esc 关闭",
        "leave": "离开课程，回到之前打开的内容",
    },
}
"""What the card says around the texts of a lesson, by language."""
