"""What a program is compiled to: which lines run together, and what one product takes."""

from __future__ import annotations

from engine.language.equation import equation
from engine.language.expression import Expression, names
from engine.model.network import Network
from engine.recording.compiled import CompiledProgram
from engine.recording.plan import plan
from engine.recording.schedule import halves


def compiled(network: Network) -> CompiledProgram:
    prepared = plan(network, 4, 7)
    return CompiledProgram(
        network, prepared.program, prepared.axes, prepared.sizes, prepared.step_values, prepared.block_steps
    )


def test_gates_come_from_one_product_each_as_an_array_of_its_own() -> None:
    """Columns of a wider array have others between their rows, which costs more than a stack of matrices does."""
    source = compiled(Network(inputs=2, outputs=2, hidden=5, cell="gru")).blocks[0].inside[0].__doc__ or ""
    assert source.count("matmul(") == 1
    assert "w0_2 = w0[2]\n" in source
    assert "joined(values, ('Whr', 'Whz', 'Whn'), False, None)" in source


def test_what_comes_after_a_loop_is_two_halves_of_about_the_same_work() -> None:
    costs = {"p": 7, "q": 2, "r": 3, "s": 2, "t": 1}

    def parts(*lines: str, shared: str = "") -> list[list[str]]:
        def same(expression: Expression) -> Expression:
            return equation("k = shared").expression if names(expression)[0].name in shared else expression

        found = halves([equation(line) for line in lines], lambda e: costs[names(e)[0].name], same)
        return [[line.target for line in part] for part in found]

    assert parts("a = q", "b = p", "c = r", "d = s") == [["b"], ["a", "c", "d"]]
    assert parts("a = q", "b = p", "c = r + a", "d = t * b") == [["b", "d"], ["a", "c"]]
    assert parts("a = p", "b = r", "c = q", "d = s", shared="pq") == [["a", "c"], ["b", "d"]]
    assert parts("a = p", "b = q * a") == [["a", "b"]]
    assert parts() == []


def test_gates_weights_that_one_product_gives_are_in_one_half() -> None:
    network = Network(inputs=32, outputs=2, hidden=64, cell="lstm", predict="every")
    prepared = plan(network, 64, 3)
    made = CompiledProgram(network, prepared.program, prepared.axes, prepared.sizes, 1 << 20, 1)
    first, second = (part.__doc__ or "" for part in made.blocks[-1].after)
    assert (first + second).count("matmul(") == 4  # dWy, dx, all Wx's and all Wh's
    assert sum("dWh" in part for part in (first, second)) == 1
