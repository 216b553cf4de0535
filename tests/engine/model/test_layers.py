"""Layers: their names and axes, the order in which they run, and what is refused."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import InputError, Network, record
from engine.debug.debugger import Debugger
from engine.debug.whatif import what_if
from engine.explain.findings import findings
from engine.explain.flow import bottleneck, gain
from engine.explain.spectrum import spectra
from engine.files.trace import read_trace, write_trace
from engine.files.trace_model import initial_of, network_of, start_of
from engine.model.build import build
from engine.session import Session, open_session
from engine.tables.cells import CELLS
from engine.tables.cells.rnn import RNN
from tests.engine import pytorch
from tests.engine.strategies import case


def test_the_layers_number_follows_every_name() -> None:
    network = Network(inputs=2, outputs=4, hidden=(3, 5))
    assert network.parameter_axes == {
        "Wx1": ("D", "H1"),
        "Wa1": ("H1", "H1"),
        "ba1": ("H1",),
        "Wx2": ("H1", "H2"),
        "Wa2": ("H2", "H2"),
        "ba2": ("H2",),
        "Wy": ("H2", "C"),
        "by": ("C",),
    }
    assert network.sizes == {"D": 2, "H1": 3, "H2": 5, "C": 4}
    assert network.state_axes == {"a1": ("B", "H1"), "a2": ("B", "H2")}
    assert network.table.output == build(network, 3).output == "a2"
    names = Network(inputs=1, outputs=2, hidden=(3, 3), cell="lstm").table.names["pytorch"]
    assert (names["Wxi2"], names["bo1"]) == ("W_ii2", "b_o1")
    assert network.table.names["karpathy"]["da1_next"] == "dhnext1"
    assert network.table.names["wildml"]["dz2"] == "delta2"


def test_r_marks_the_reverse_direction() -> None:
    network = Network(inputs=2, outputs=4, hidden=(3, 5), bidirectional=True)
    axes = network.parameter_axes
    assert list(axes) == [f"{name}{n}{way}" for n in "12" for way in ("", "r") for name in ("Wx", "Wa", "ba")] + [
        "Wy",
        "by",
    ]
    assert (axes["Wx1r"], axes["Wx2"], axes["Wa2r"], axes["Wy"]) == (
        ("D", "H1"),
        ("HH1", "H2"),
        ("H2", "H2"),
        ("HH2", "C"),
    )
    assert network.sizes == {"D": 2, "H1": 3, "H2": 5, "HH1": 6, "HH2": 10, "C": 4}
    assert network.table.output == "a2"
    assert list(Network(inputs=1, outputs=2, bidirectional=True).weights)[:4] == ["Wx1", "Wa1", "ba1", "Wx1r"]
    assert Network(inputs=1, outputs=2, bidirectional=True).table.names["karpathy"]["da1r_next"] == "dhnext1r"


def test_a_layer_is_two_loops_and_backward_the_exact_reverse() -> None:
    program = build(Network(inputs=1, outputs=2, hidden=(3, 4), bidirectional=True), 3)
    ran = [(block.title, block.loop.value[-5:]) for block in program.blocks if block.in_time]
    assert ran[:4] == [
        ("layer 1", "1 … T"),
        ("layer 1, reverse", "T … 1"),
        ("layer 2", "1 … T"),
        ("layer 2, reverse", "T … 1"),
    ]
    assert ran[4:] == [(title, way[::-1]) for title, way in ran[3::-1]]
    point = program.point(1 + program.written("a1r", 3))
    assert (point.t, point.line) == (3, "a1r")
    assert program.steps_of("a1r") == program.steps_of("da1r_next") == range(1, 5)
    assert program.written("a1r", 4) == -1 and program.written("da1r", 4) == program.written("da1r_next", 4) > 0


def test_the_reverse_direction_begins_at_each_samples_own_end() -> None:
    one = case(steps=4, batch=2, bidirectional=True)
    lengths = np.array([4, 2])
    whole = record(one.network, one.X, one.y, initial=one.initial, lengths=lengths)
    assert one.initial is not None
    np.testing.assert_array_equal(whole["a1r"][4], one.initial["a1r"])
    initial = {name: value[1:] for name, value in one.initial.items()}
    short = record(one.network, one.X[1:, :2], one.y[1:], initial=initial)
    np.testing.assert_allclose(whole["a1r"][:3, 1], short["a1r"][:, 0], rtol=1e-14)
    np.testing.assert_allclose(whole["both1"][1], short["both1"][0], rtol=1e-14)


@pytest.mark.parametrize("hidden", [5, (5,)])
def test_one_layer_keeps_the_cells_names(hidden: int | tuple[int, ...]) -> None:
    network = Network(inputs=2, outputs=4, hidden=hidden)
    assert network.table is CELLS["rnn"]
    assert (network.hidden, network.units) == (5, (5,))


def test_forward_goes_up_and_backward_down_the_layers() -> None:
    blocks = [(block.title, block.phase) for block in build(Network(inputs=1, outputs=2, hidden=(3, 4)), 3).blocks]
    assert blocks == [
        ("layer 1", "forward"),
        ("layer 2", "forward"),
        ("read-out", "forward"),
        ("loss", "loss"),
        ("read-out", "backward"),
        ("layer 2", "backward"),
        ("layer 1", "backward"),
        ("update", "update"),
    ]


def test_each_layers_weights_are_drawn_within_its_own_bound() -> None:
    weights = Network(inputs=1, outputs=30, hidden=(4, 100)).weights
    for name, hidden in (("Wa1", 4), ("Wx2", 100), ("Wy", 100)):
        assert 0.8 / np.sqrt(hidden) < np.abs(weights[name]).max() <= 1 / np.sqrt(hidden), name


def test_a_single_layer_draws_what_it_always_drew() -> None:
    rng = np.random.default_rng(3)
    for value in Network(inputs=2, outputs=2, hidden=4, cell="gru", seed=3).weights.values():
        np.testing.assert_array_equal(value, rng.uniform(-0.5, 0.5, value.shape))


def test_only_recurrent_weights_have_a_spectrum() -> None:
    one = case(hidden=(3, 3), cell="gru")
    assert set(spectra(record(one.network, one.X, one.y))) == {f"Wh{gate}{n}" for n in "12" for gate in "rzn"}


def test_names_that_would_be_alike_are_refused() -> None:
    rnn = CELLS["rnn"]
    equations = ("z = x @ Wx + a_prev @ Wa + ba", "z1 = z", "a = tanh(z1)")
    with pytest.raises(InputError, match="two layers of the cell mine would both have a quantity z11"):
        Network(inputs=1, outputs=2, hidden=(2,) * 11, cell=replace(rnn, name="mine", equations=equations))


@pytest.mark.parametrize("hidden", [(), (3, 0)])
def test_sizes_that_make_no_network_are_refused(hidden: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="hidden"):
        Network(inputs=1, outputs=2, hidden=hidden)


def test_an_initial_state_has_its_layers_size() -> None:
    one = case(hidden=(3, 2), cell="lstm")
    assert one.initial is not None
    wrong = {**one.initial, "c2": one.initial["c1"]}
    with pytest.raises(InputError, match=re.escape("initial c2 has shape (4, 3), this network needs (4, 2)")):
        record(one.network, one.X, one.y, initial=wrong)


@pytest.mark.parametrize(("hidden", "both"), [((3, 2), False), ((2, 2, 2), False), ((3, 2), True)])
def test_a_trace_opens_with_the_same_bits(tmp_path: Path, hidden: tuple[int, ...], both: bool) -> None:
    kind: dict[str, Any] = {"bidirectional": both, "learn_initial": both, "embedding": 4 if both else None}
    kind |= {"dropout": 0.4 if both else None, "residual": hidden == (2, 2, 2)}
    one = case(hidden=hidden, cell="lstm", predict="every", truncate=2, truncate_by="chunk", **kind)
    tape = record(one.network, one.X, one.y, initial=one.initial, updates=2)
    write_trace(tmp_path / "run.npz", tape, meta={})
    trace = read_trace(tmp_path / "run.npz")
    network, X, y = network_of(trace)
    assert {name: getattr(network, name) for name in ("hidden", *kind)} == {"hidden": hidden, **kind}
    again = record(network, X, y, initial=initial_of(trace), updates=start_of(trace, network).updates)
    assert all(again[name].tobytes() == value.tobytes() for name, value in tape.arrays.items())


def session(tmp_path: Path, arrays: dict[str, Any] | None = None, **options: Any) -> Session:
    np.savez(tmp_path / "d.npz", **{"X": np.ones((2, 3, 1)), "y": np.array([0, 1]), **(arrays or {})})
    return open_session(tmp_path / "d.npz", options)


def test_the_options_make_layers(tmp_path: Path) -> None:
    def hidden(**options: Any) -> Any:
        return session(tmp_path, **options).debugger.network.hidden

    assert hidden(layers=3) == (8, 8, 8)
    assert hidden(hidden=(4, 2)) == hidden(hidden=[4, 2], layers=2) == (4, 2)
    assert hidden(layers=1) == 8
    assert session(tmp_path, hidden=(4, 2)).description.startswith("rnn tanh 1→4→2→2 ·")
    with pytest.raises(InputError, match="--hidden 4,2 makes 2 layers, not 3"):
        hidden(hidden=(4, 2), layers=3)


def test_inputs_that_are_classes_are_embedded(tmp_path: Path) -> None:
    X = np.array([[[0], [2], [1]], [[4], [0], [0]]])
    opened = session(tmp_path, {"X": X}, embedding=2, hidden=3)
    network, tape = opened.debugger.network, opened.debugger.tape(0)
    assert (network.inputs, network.parameter_axes["We"], network.parameter_axes["Wx"]) == (5, ("D", "E"), ("E", "H"))
    assert network.layers[0].title == "" and network.table.meanings["a"] == "state"
    np.testing.assert_array_equal(tape["e"], network.weights["We"][np.moveaxis(X[..., 0], 0, 1)])
    assert not tape["dWe"][3].any()  # no sample has that class
    with pytest.raises(InputError, match=r"sample 1 holds -1 at t = 3, which is no class"):
        session(tmp_path, {"X": X - np.eye(3)[2][:, None] * [[[0]], [[1]]]}, embedding=2)


def test_dropout_hands_on_what_its_masks_keep() -> None:
    one = case(hidden=(3, 2), bidirectional=True, dropout=0.4)
    debugger = Debugger(one.network, one.X, one.y, initial=one.initial)
    first, second = debugger.tape(0), debugger.tape(1)
    assert first["keep1"].shape == (5, 4, 6) and first["keep2"].shape == (4, 4)
    assert set(np.unique(first["keep1"])) == {0, 1 / 0.6} and (first["keep1"] != second["keep1"]).any()
    np.testing.assert_array_equal(first["kept1"], first["both1"] * first["keep1"])
    assert one.network.meanings["kept2"] == "both2 after dropout"
    without = record(replace(one.network, dropout=None), one.X, one.y, initial=one.initial)
    predicted = what_if(debugger, "keep1 = 1", "keep2 = 1").tape(0)
    np.testing.assert_allclose(predicted["logits"], without["logits"], rtol=1e-14)
    np.testing.assert_allclose(predicted["dWx1r"], without["dWx1r"], rtol=1e-12)
    dropped = what_if(debugger, "keep1@3[0,:] = 0")
    assert not dropped.tape(0)["dboth1"][2, 0].any()
    with pytest.raises(InputError, match="dropout must be a number between 0 and 1, not 1"):
        replace(one.network, dropout=1)
    with pytest.raises(InputError, match="has a keep of its own; take another name, or leave --dropout away"):
        replace(one.network, cell=replace(RNN, equations=("keep = x @ Wx", *RNN.equations)))


def test_a_layer_adds_what_the_layer_below_hands_on() -> None:
    network = Network(inputs=2, outputs=2, hidden=(3, 4, 4, 4), residual=True, bidirectional=True)
    assert [layer.output for layer in network.layers if not layer.reverse] == ["a1", "a2", "res3", "res4"]
    assert network.sizes == {"D": 2, "H1": 3, "H2": 4, "HH1": 6, "HH2": 8, "C": 2}
    assert network.meanings["res4r"] == "a4r and res3r added up"
    tape = record(network, np.ones((1, 3, 2)), np.zeros(1, int))
    np.testing.assert_array_equal(tape["res4r"], tape["a4r"][:-1] + tape["res3r"])
    assert not tape["dres4"][:2].any() and tape["dres4"][2].all()  # read out at the last step alone
    with pytest.raises(InputError, match="no two of these layers are of one size"):
        Network(inputs=2, outputs=2, hidden=(3, 4), residual=True)


def test_a_file_gives_the_initial_states_of_all_layers(tmp_path: Path) -> None:
    """PyTorch's (layers · directions, N, H): the forward direction of a layer before its reverse."""
    h0, c0 = np.arange(24.0).reshape(4, 2, 3), -np.arange(24.0).reshape(4, 2, 3)
    options: dict[str, Any] = {"cell": "lstm", "hidden": 3, "layers": 2, "bidirectional": True}
    initial = session(tmp_path, {"h0": h0, "c0": c0}, **options).debugger.initial
    for number, mark in enumerate(("1", "1r", "2", "2r")):
        np.testing.assert_array_equal(initial[f"h{mark}"], h0[number])
        np.testing.assert_array_equal(initial[f"c{mark}"], c0[number])
    with pytest.raises(
        InputError,
        match=re.escape("a0 has shape (2, 3), this network needs one for each layer and direction; save (2, 2, 3)"),
    ):
        session(tmp_path, {"a0": np.ones((2, 3))}, hidden=3, layers=2)
    unequal = "the initial a2 is for 3 hidden units, the network has 4; save one array for each layer, a02 of this one"
    with pytest.raises(InputError, match=unequal):
        session(tmp_path, {"a0": np.ones((2, 2, 3))}, hidden=(3, 4))


@pytest.mark.parametrize("mark", ["", "_"])
def test_a_file_gives_the_initial_states_of_single_layers(tmp_path: Path, mark: str) -> None:
    """Of layers of unequal sizes each its own; what is not given is zero."""
    options: dict[str, Any] = {"cell": "lstm", "hidden": (3, 4), "bidirectional": True}
    sizes = {"h01": 3, "h01r": 3, "h02r": 4, "c02": 4}
    given = {name: np.full((2, size), number + 1.0) for number, (name, size) in enumerate(sizes.items())}
    arrays = {name[:2] + mark + name[2:]: value for name, value in given.items()}
    made = session(tmp_path, arrays, **options)
    initial = made.debugger.initial
    assert sorted(initial) == ["c2", "h1", "h1r", "h2r"]
    for name, value in given.items():
        np.testing.assert_array_equal(initial[name[0] + name[2:]], value)
    tape = made.debugger.tape(0)
    np.testing.assert_array_equal(tape["h1r"][-1], given["h01r"])
    assert not tape["c1"][0].any() and tape["c2"][0].all()
    with pytest.raises(
        InputError,
        match=re.escape("h03 is the initial state of a layer that is not there; this network has h01, h01r, h02"),
    ):
        session(tmp_path, {"h03": np.ones((2, 3))}, **options)
    with pytest.raises(InputError, match="the initial h2 is for 3 hidden units, the network has 4; use --hidden 3,3"):
        session(tmp_path, {"h02": np.ones((2, 3))}, **options)
    with pytest.raises(InputError, match="it holds an initial c, which the cell rnn does not have"):
        session(tmp_path, {"c02": np.ones((2, 3))}, hidden=(3, 4))


def test_a_projection_has_its_own_size_in_every_layer_and_direction(tmp_path: Path) -> None:
    options: dict[str, Any] = {"cell": "lstmp", "hidden": (5, 4), "projection": 3, "bidirectional": True}
    opened = session(tmp_path, {"h01": np.ones((2, 3)), "c01": np.ones((2, 5))}, residual=True, **options)
    network, tape = opened.debugger.network, opened.debugger.tape(0)
    assert network.sizes == {"D": 1, "H1": 5, "H2": 4, "P1": 3, "PP1": 6, "C": 2}  # what is added up shares its axis
    assert network.description == "lstmp 1→⇄5↘3→⇄4↘3→2"
    assert (tape["h2r"].shape[2], tape["c2r"].shape[2], tape["res2"].shape[2]) == (3, 4, 3)
    assert (tape["h1"][0] == 1).all() and (tape["c1"][0] == 1).all()
    assert Network(inputs=1, outputs=2, hidden=(7, 5), cell="lstmp").projection == 2  # half of H
    with pytest.raises(InputError, match="the initial h1 is for 2 hidden units, the network has 3; use --projection 2"):
        session(tmp_path, {"h01": np.ones((2, 2))}, **options)
    with pytest.raises(
        InputError, match="the initial c is for 5 hidden units, the network has 3; give h and c the same"
    ):
        session(tmp_path, {"h0": np.ones((2, 3)), "c0": np.ones((2, 5))}, cell="lstm", hidden=3)
    with pytest.raises(InputError, match=r"the cell gru has no projection; .* or take a cell with one: lstmp"):
        session(tmp_path, cell="gru", projection=2)


def test_the_gains_are_those_of_the_layer_asked_for() -> None:
    one = case(hidden=(3, 2), activation="tanh")
    tape = record(one.network, one.X, one.y)
    for layer in ("1", "2"):
        norms = tape.norms(f"da{layer}")
        found = [gain(tape, t, output=f"a{layer}") for t in range(1, 6)]
        np.testing.assert_allclose([step.total for step in found], norms[:5] / norms[1:], rtol=1e-12)
    assert [bottleneck(tape, output) for output in (None, "a2", "a1")] == ["dz2", "dz2", None]


def test_the_modules_of_pytorch_may_have_layers() -> None:
    above = {name.replace("_l0", "_l1"): array for name, array in pytorch.state("gru", inputs=3).items()}
    module = pytorch.Module({**pytorch.state("gru"), **above}, num_layers=2)
    assert Network.from_torch(module, pytorch.Module(pytorch.linear())).hidden == (3, 3)


def test_a_gradient_that_vanishes_is_found_in_each_layer(tmp_path: Path) -> None:
    opened = session(tmp_path, layers=2, **{"init-scale": 0.01})
    found = {finding.quantity for finding in findings(opened.debugger, 0) if finding.kind == "vanishing"}
    assert found == {"da1", "da2"}
