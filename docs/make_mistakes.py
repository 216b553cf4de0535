"""Writes docs/mistakes.md from the catalogue: `make mistakes`."""

from __future__ import annotations

from pathlib import Path

from engine.doctor.mistakes.catalogue import SECTIONS
from engine.doctor.mistakes.mistake import Mistake

PAGE = Path(__file__).with_name("mistakes.md")
HEAD = """\
# Mistakes that have a name

What `rnn-tui doctor` calls the mistakes that it finds. Each has a file in a folder of `engine/doctor/mistakes/`, from which this page is
made (`make mistakes`). A mistake in the backward pass is named when the corrected line was put into the program, and all gradients are
right then; what has no name is told by what the correction does. A program that runs is judged by the loss that its forward pass
computes. What is seen in its forward pass, or in what its updates do, is told as a remark, which is no verdict: entries that say so.
"""


def page() -> str:
    """The page's text."""
    parts = [HEAD]
    for title, mistakes in SECTIONS.items():
        parts += [f"## {title}\n", *map(_entry, mistakes)]
    return "\n".join(parts)


def _entry(mistake: Mistake) -> str:
    remark = " *A remark.*" if mistake.remark else ""
    told = f"### {mistake.id}\n\n{_sentence(mistake.title)} {_sentence(mistake.advice)}{remark}\n"
    example = mistake.example
    if example is None:
        return told
    wrong, right = (_lines(text) or "(nothing)" for text in (example.wrong, example.right))
    return f"{told}\n```\nwrong   {wrong}\nright   {right}\n```\n"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _lines(text: str) -> str:
    return "\n        ".join(line.strip() for line in text.strip().splitlines())


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
