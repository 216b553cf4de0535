"""Pieces of an array, as the gates of `z[:H]`, ... or of `np.split(z, 4)`: their gradients side by side are that of the whole."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from engine.doctor.derive.tree.syntax_of import called


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


def are_apart(one: ast.expr, other: ast.expr) -> bool:
    """Whether two indices of an array name pieces of which one ends where the other begins: `[t, :n]` and `[t, n:]`."""
    if not isinstance(one, ast.Subscript) or not isinstance(other, ast.Subscript):
        return False
    parts = [k.slice.elts if isinstance(k.slice, ast.Tuple) else [k.slice] for k in (one, other)]
    pieces = ((a, b) for a, b in zip(*parts, strict=False) if isinstance(a, ast.Slice) and isinstance(b, ast.Slice))
    ends = ((a.upper, b.lower, b.upper, a.lower) for a, b in pieces)
    return any(
        (u is not None and v is not None and ast.unparse(u) == ast.unparse(v))
        or (x is not None and y is not None and ast.unparse(x) == ast.unparse(y))
        for u, v, x, y in ends
    )


def split_of(value: ast.expr) -> tuple[ast.expr, int] | None:
    """What `np.split(z, 4, axis=1)` cuts into pieces, and along which axis; None of any other expression."""
    name = called(value)
    if not isinstance(value, ast.Call) or name not in ("split", "array_split", "hsplit", "vsplit") or not value.args:
        return None
    axis: ast.expr | None = next((k.value for k in value.keywords if k.arg == "axis"), None)
    axis = value.args[2] if axis is None and len(value.args) == 3 else axis
    try:
        number = ast.literal_eval(axis) if axis is not None else 0
    except ValueError:
        return None
    return value.args[0], {"hsplit": 1, "vsplit": 0}.get(name, number)


def _piece(node: ast.Subscript) -> _CutPiece | None:
    """The piece that an index cuts out of a whole; None of any other part."""
    parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    cut = [k for k, part in enumerate(parts) if ast.unparse(part) != ":"]
    piece = parts[cut[0]] if len(cut) == 1 else None
    if not isinstance(piece, ast.Slice) or piece.step is not None:
        return None
    low, high = (ast.unparse(end) if end is not None else "" for end in (piece.lower, piece.upper))
    return _CutPiece(ast.unparse(node.slice), cut[0], "" if low == "0" else low, high)
