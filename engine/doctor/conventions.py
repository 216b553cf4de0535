"""What was found out about a program's weights by trying, in words."""

from __future__ import annotations

from collections.abc import Iterable

from engine.cells import Cell
from engine.doctor.layouts import Layout, is_turned
from engine.doctor.stacking import ALL, JOINED, gates, is_matrix, is_role

_WORDS = {"h": "the state's", "x": "the input's", "1": "the biases"}


def of_weights(cell: Cell, activation: str, roles: Iterable[str], layout: Layout) -> dict[str, str]:
    """The cell or activation, which weights are transposed, and how they lie together in one array."""
    own = [role for role in roles if is_role(role, cell)]
    matrices = [role for role in own if is_matrix(role, cell)]
    turned = [role for role in matrices if is_turned(role, cell, layout)]
    found: dict[str, str] = {} if cell.has_activation else {"cell": cell.name}
    which = "all" if len(turned) == len(matrices) > 3 else ", ".join(turned)
    found["weights"] = f"{which} transposed: outputs first" if turned else "inputs first, as in x·Wx"
    joined = [role for role in own if role.partition(".")[0] == JOINED]
    if len(gates(cell)) > 1 and any(role in ALL or role == JOINED for role in own):
        found["gates"] = f"side by side in the order {' '.join(layout.order.gates or gates(cell))}"
    if joined:
        first, *rest = (_WORDS[letter] for letter in layout.order.joined)
        found["joined"] = f"weights of state and input in one array: {first} first, then {', then '.join(rest)}"
    return {**found, "activation": activation} if cell.has_activation else found
