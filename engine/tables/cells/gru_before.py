"""The gated recurrent unit as in its paper: the reset gate acts on the state, before the product with Whn."""

from __future__ import annotations

from dataclasses import replace

from engine.tables.cells.gru import GRU, VARIANTS

GRU_BEFORE = replace(
    VARIANTS[0],
    name="gru-before",
    source="GRU with the reset gate before the product: Cho et al. 2014 (Keras: reset_after=False)",
    meanings={
        **{name: text for name, text in GRU.meanings.items() if name != "hn"},
        "rh": "what the reset gate leaves of h",
    },
)
