"""The conventions of a program (layout, cell, loss) that were found by trying, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from engine.doctor.recognise.call_recipes import FAR
from engine.doctor.recognise.layout_search import CallAttempt
from engine.doctor.recognise.reduction import Scale
from engine.doctor.reference.layouts import ArrayLayout, is_turned
from engine.doctor.reference.problem import Measurement
from engine.doctor.vocabulary.packing import ALL, JOINED, gates, is_bias, is_matrix, is_role
from engine.tables.cells import Cell
from engine.tables.heads import HEADS

_WORDS = {"h": "the state's", "x": "the input's", "1": "the biases"}


def of_weights(cell: Cell, activation: str, roles: Iterable[str], layout: ArrayLayout) -> dict[str, str]:
    """The cell or activation, which weights are transposed, and how they lie together in one array."""
    weights = [role for role in roles if is_role(role, cell)]
    matrices = [role for role in weights if is_matrix(role, cell)]
    turned = [role for role in matrices if is_turned(role, cell, layout)]
    conventions: dict[str, str] = {} if cell.has_activation else {"cell": cell.name}
    which = "all" if len(turned) == len(matrices) > 3 else ", ".join(turned)
    conventions["weights"] = f"{which} transposed: outputs first" if turned else "inputs first, as in x·Wx"
    joined = [role for role in weights if role.partition(".")[0] == JOINED]
    if len(gates(cell)) > 1 and any(role in ALL or role == JOINED for role in weights):
        conventions["gates"] = f"side by side in the order {' '.join(layout.order.gates or gates(cell))}"
    if joined:
        first, *rest = (_WORDS[letter] for letter in layout.order.joined)
        conventions["joined"] = f"weights of state and input in one array: {first} first, then {', then '.join(rest)}"
    return {**conventions, "activation": activation} if cell.has_activation else conventions


def notes_of(attempt: CallAttempt, measured: Measurement) -> list[str]:
    """What there is to know of how a function was called."""
    notes: list[str] = []
    if "a0" in attempt.recipe.given and "a0" not in measured.gradients:
        notes.append(
            "the initial state's gradient is not returned; it is needed only where that state is learned or handed on"
        )
    far = [a.name for a in attempt.recipe.arguments if a.role == "far"]
    if far:
        notes.append(f"{', '.join(far)} was set to {FAR}, so that nothing is cut")
    off = [a.name for a in attempt.recipe.arguments if a.role == "off"]
    if off:
        notes.append(f"{', '.join(off)} was set to 0")
    return notes


AXES: Mapping[str, str] = {"B": "B", "T": "T", "D": "D", "H": "H", "C": "C", "1": "1"}


def shown_axes(layout: str) -> str:
    """`DBT` as `(D, B, T)`."""
    inside = ", ".join(AXES.get(letter.upper(), letter) for letter in layout)
    return f"({inside}{',' if len(layout) == 1 else ''})" if layout else "a number"


def of_call(attempt: CallAttempt, scale: Scale) -> dict[str, str]:
    """The conventions of a call: how a function is called and what it computes."""
    layout, given = attempt.layout, attempt.recipe.given
    conventions: dict[str, str] = {}
    if "X" in given:
        how = "whole numbers, made one-hot inside" if layout.tokens else ""
        one = ", one sample at a time" if layout.single else ""
        conventions["input"] = f"{shown_axes(layout.x)}{f' {how}' if how else ''}{one}"
    conventions |= of_weights(attempt.cell, attempt.activation, (a for a in sorted(given)), layout)
    if any(is_bias(role, attempt.cell) for role in given):
        conventions["biases"] = shown_axes(layout.bias)
    if "a0" in given:
        conventions["initial state"] = shown_axes(layout.state)
    if "y" in given:
        kind = (
            "one-hot"
            if "C" in layout.y and HEADS[attempt.loss].output_a_class
            else "classes"
            if HEADS[attempt.loss].classes
            else "numbers"
        )
        conventions["targets"] = f"{kind}, {shown_axes(layout.y.replace('l', ''))}"
    if "da" in given:
        conventions["da"] = f"supplied by the caller, {shown_axes(layout.upstream)}"
    if "dlogits" in given:
        axes = layout.upstream.replace("H", "C")
        conventions["dlogits"] = (
            f"supplied by the caller, {shown_axes(axes if attempt.predict == 'every' else axes.replace('T', ''))}"
        )
    if "y" in given:
        conventions["predict"] = "the last step" if attempt.predict == "last" else "every step"
        conventions["read-out"] = HEADS[attempt.loss].text
        if scale.words:
            how = {
                "gradients": " (no loss is computed; all gradients agree on it)",
                "delta": " (no loss is computed; the output's delta says so)",
            }
            conventions["reduction"] = scale.words + how.get(scale.source, "")
    names = ", ".join(
        f"{a.name} is {a.role}" for a in attempt.recipe.arguments if a.role in _SHOWN and a.name != a.role
    )
    if names:
        conventions["names"] = names
    return conventions


_SHOWN = ("X", "y", "Wx", "Wa", "Wy", "ba", "by", "a0", "da", "dlogits")
