"""Pieces of an array, as the gates of `z[:H]`, `z[H:2 * H]`, ...: their gradients side by side are that of the whole."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class _CutPiece:
    """A piece along an axis, from where to where; "" at the ends."""

    index: str
    axis: int
    low: str
    high: str


def pieces_of(name: str, body: Sequence[ast.stmt]) -> dict[str, int]:
    """The indices by which a block reads what has a name, in their order in it, and their axes: where each is a piece, read once, and one
    begins where another ends. Nothing where it is read in another way."""
    inside = [n for s in body for n in ast.walk(s)]
    read = [n for n in inside if isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Load)]
    cut = [n for n in inside if isinstance(n, ast.Subscript) and n.value in read]
    rest = [piece for n in cut if (piece := _piece(n)) is not None]
    if len(rest) < 2 or len(rest) != len(read):
        return {}
    ordered, at = list[_CutPiece](), ""
    while rest:
        following = next((one for one in rest if one.low == at and one.axis == rest[0].axis), None)
        if following is None or bool(following.high) == (len(rest) == 1):
            return {}
        rest.remove(following)
        ordered.append(following)
        at = following.high
    return {one.index: one.axis for one in ordered}


def _piece(node: ast.Subscript) -> _CutPiece | None:
    """The piece that an index cuts out of a whole; None of any other part."""
    parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    cut = [k for k, part in enumerate(parts) if ast.unparse(part) != ":"]
    piece = parts[cut[0]] if len(cut) == 1 else None
    if not isinstance(piece, ast.Slice) or piece.step is not None:
        return None
    low, high = (ast.unparse(end) if end is not None else "" for end in (piece.lower, piece.upper))
    return _CutPiece(ast.unparse(node.slice), cut[0], "" if low == "0" else low, high)
