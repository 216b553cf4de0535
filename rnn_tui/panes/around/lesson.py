"""The lesson's card: one step, its choices and its keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from rich.cells import cell_len
from rich.style import Style

from rnn_tui.render.canvas import Canvas
from rnn_tui.shown.card import Choice, LessonCard
from rnn_tui.shown.frame import Frame
from rnn_tui.shown.look import Look
from rnn_tui.shown.targets import Press

if TYPE_CHECKING:
    from rnn_tui.shown.walk_frame import WalkFrame

NOT_FIRST = "，。、；：？！）》”’"
"""What does not begin a line in Chinese."""


CardLine: TypeAlias = list[tuple[str, Style, str]]
"""Pieces of text with their styles, and the action of a click ("" for none)."""


def draw_lesson(frame: Frame | WalkFrame, width: int, height: int) -> Canvas:
    """Texts and choices, as far as there is room; the keys in the lower edge."""
    look, card = frame.look, frame.lesson
    canvas = Canvas(width, height, look.canvas)
    if card is None:
        return canvas
    canvas.frame(0, 0, width, height, f"{card.title} · {card.place}", look.accent, look.bold)
    for y, line in enumerate(lesson_lines(card, look, width - 4)[: height - 2], 1):
        x = 2
        for text, style, action in line:
            x = canvas.text(x, y, text, style, Press(action) if action else None)
    x = 2
    for key, label, action in card.keys:
        target = Press(action) if action else None
        after = canvas.text(x, height - 1, f" {key} ", look.accent, target)
        x = canvas.text(after, height - 1, f"{label} ", look.text, target)
    return canvas


def lesson_lines(card: LessonCard, look: Look, width: int) -> list[CardLine]:
    """The lines of a card: the question, its choices, what follows from the answer."""
    styles = {"say": look.text, "ask": look.bold, "hint": look.accent, "dim": look.dim}
    asked = [(text, tone) for text, tone in card.texts if tone == "ask"]
    lines: list[CardLine] = []
    for text, tone in asked:
        lines += [[(line, styles[tone], "")] for line in folded(text, width)]
    lines += _choices(card.choices, look, width)
    for text, tone in card.texts:
        if tone != "ask":
            lines += [[(line, styles[tone], "")] for line in folded(text, width)]
    return lines


def _choices(choices: tuple[Choice, ...], look: Look, width: int) -> list[CardLine]:
    """Each choice with its mark, ✓ is right, ✗ was guessed and is not: on one line where they fit, else one below the other."""
    lines: list[CardLine] = []
    for number, choice in enumerate(choices):
        mark = "" if choice.right is None else " ✓" if choice.right else " ✗" if choice.guessed else ""
        style = look.forward if choice.right else look.error if choice.guessed else look.text
        action = f"answer({number})" if choice.right is None else ""
        first, *rest = folded(f"{choice.text}{mark}", width - 6)
        lines.append([(f"{choice.key}) ", look.accent, action), (f"{first}    ", style, action)])
        lines += [[(f"   {line}", style, action)] for line in rest]
    together = [piece for line in lines for piece in line]
    return [together] if together and sum(cell_len(text) for text, _, _ in together) <= width else lines


def folded(text: str, width: int) -> list[str]:
    """Lines of at most `width` cells: broken at blanks, and between two wide characters unless the second may not begin a line."""
    lines, line, room = list[str](), "", max(4, width)
    for piece in _pieces(text):
        if line and cell_len(line) + cell_len(piece.rstrip()) > room:
            lines.append(line.rstrip())
            line = ""
        line += piece.lstrip() if not line else piece
    return [*lines, line.rstrip()]


def _pieces(text: str) -> list[str]:
    """What is not broken: words with the blank after them, single wide characters with what must follow them."""
    pieces = [""]
    for before, character in zip(" " + text, text, strict=False):
        breaks = before == " " or cell_len(before) == 2 or cell_len(character) == 2
        if breaks and character != " " and character not in NOT_FIRST:
            pieces.append("")
        pieces[-1] += character
    return [piece for piece in pieces if piece]
