"""Notations: the names and the array layout of a source, for equations on the screen, generated programs and files of weights."""

from engine.notation.layout import Layout
from engine.notation.spelling import Spelling
from engine.notation.tables import NOTATIONS, Notation
from engine.notation.weights import from_notation, recipe_in, stored
from engine.notation.writer import Symbols, Writer, assignment, parse_cell

__all__ = [
    "NOTATIONS",
    "Layout",
    "Notation",
    "Spelling",
    "Symbols",
    "Writer",
    "assignment",
    "from_notation",
    "parse_cell",
    "recipe_in",
    "stored",
]
