"""The simple network with rectified units whose recurrent weights start as the identity and whose biases start at 0."""

from __future__ import annotations

from dataclasses import replace

from engine.tables.cells.rnn import RNN

IRNN = replace(
    RNN,
    name="irnn",
    source="IRNN, an initialisation: Le, Jaitly and Hinton 2015, A Simple Way to Initialize Recurrent Networks",
    equations=(RNN.equations[0], "a = relu(z)"),
    start={"Wa": "identity", "ba": 0.0},
    has_activation=False,
    torch={},
)
