"""What a program is compiled to: which lines run together, and what one product takes."""

from __future__ import annotations

from engine.model.network import Network
from engine.recording.compiled import CompiledProgram
from engine.recording.plan import plan


def compiled(network: Network) -> CompiledProgram:
    prepared = plan(network, 4, 7)
    return CompiledProgram(
        network, prepared.program, prepared.axes, prepared.sizes, prepared.step_values, prepared.block_steps
    )


def test_gates_come_from_one_product_each_as_an_array_of_its_own() -> None:
    """Columns of a wider array have others between their rows, which costs more than a stack of matrices does."""
    source = compiled(Network(inputs=2, outputs=2, hidden=5, cell="gru")).blocks[0].inside.__doc__ or ""
    assert source.count("matmul(") == 1
    assert "w0_2 = w0[2]\n" in source
    assert "joined(values, ('Whr', 'Whz', 'Whn'), False, None)" in source
