"""The built-in examples: each opens, and shows the phenomenon it names with the weights of its own options."""

from __future__ import annotations

import math
import re
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.debug.debugger import Debugger
from engine.files.data import Data, load
from engine.files.locate import sample_folder, sample_names
from engine.files.project import samples
from engine.recording.record import record
from engine.session import open_session

ACTIVATIONS = {
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0) * 1.0),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "identity": (lambda z: z, np.ones_like),
}


class Pass:
    """z, dz (row t-1 holds step t), da (row t) and the loss of one pass, by the equations and initial weights agreed."""

    def __init__(self, data: Data) -> None:
        options: Any = data.options
        (N, T, D), H, C = data.X.shape, options["hidden"], len(data.classes)
        s = options.get("init-scale", 1.0) / np.sqrt(H)
        rng = np.random.default_rng(options["seed"])
        shapes = ((D, H), (H, H), (H,), (H, C), (C,))
        Wx, Wa, ba, Wy, by = (rng.uniform(-s, s, size=shape) for shape in shapes)
        function, derivative = ACTIVATIONS[options["activation"]]
        a = np.zeros((N, H))
        self.z, self.dz, self.da = np.zeros((T, N, H)), np.zeros((T, N, H)), np.zeros((T + 1, N, H))
        for t in range(T):
            self.z[t] = data.X[:, t] @ Wx + a @ Wa + ba
            a = function(self.z[t])
        logits = a @ Wy + by
        log_p = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
        self.loss = -log_p[np.arange(N), data.y].mean()
        self.da[T] = (np.exp(log_p) - np.eye(C)[data.y]) / N @ Wy.T
        for t in range(T, 0, -1):
            self.dz[t - 1] = self.da[t] * derivative(self.z[t - 1])
            self.da[t - 1] = self.dz[t - 1] @ Wa.T

    @property
    def norms(self) -> NDArray[Any]:
        """‖da_t‖ for t = 1..T."""
        return np.linalg.norm(self.da[1:].reshape(len(self.z), -1), axis=1)


@pytest.mark.parametrize("name", sample_names())
def test_every_example_opens(name: str) -> None:
    data = load(name)
    assert data.name == name
    assert data.title
    assert data.look_for
    assert np.isfinite(data.X).all()
    assert np.isfinite(data.y).all()
    assert bool(data.classes) == (data.options.get("loss") != "squared")


NAMES = (
    "many_to_one",
    "adding",
    "delayed_recall",
    "dying_relu",
    "exploding",
    "reber",
    "sonnet",
    "sunspots",
    "temporal_order",
    "vanishing",
)


def test_the_list_of_examples() -> None:
    found = samples()
    assert tuple(sample.name for sample in found) == NAMES
    for sample in found:
        data = load(sample.name)
        assert (data.title, data.look_for) == (sample.title, sample.look_for)
        assert len(sample.look_for) <= 104  # one line of a terminal 120 wide, after the names
        assert len(sample.title) <= 64  # of one 80 wide


def test_every_file_is_small_and_belongs_to_a_project() -> None:
    files = [path for path in sample_folder().iterdir() if path.name != "lessons"]
    for path in files:
        assert path.stem in sample_names()
        assert path.stat().st_size < 20_000
    assert sum(path.stat().st_size for path in files) < 60_000


def test_the_script_makes_the_same_files_again() -> None:
    script = Path(__file__).parents[3] / "docs" / "make_samples.py"
    tables = runpy.run_path(str(script))["TABLES"]
    assert set(tables) == {"adding", "delayed_recall", "temporal_order", "reber"}
    for name, table in tables.items():
        assert (sample_folder() / f"{name}.csv").read_bytes() == table().encode()


def test_many_to_one() -> None:
    data = load(None)
    assert data.X.shape == (10, 10, 1)
    assert data.y.tolist() == [0, 1, 1, 1, 0, 0, 1, 1, 0, 1]
    assert set(data.X.ravel().tolist()) == {0, 1, 2, 3, 4, 5}
    found = Pass(data)
    on = (found.z > 0).mean(axis=(0, 1))
    assert on.min() > 0.2
    assert on.max() < 0.9
    assert np.linalg.norm(found.dz[0], axis=1).min() > 0  # every sample's gradient reaches t = 1


def test_vanishing() -> None:
    norms = Pass(load("vanishing")).norms
    assert norms[-1] / norms[0] > 1e10
    assert (np.diff(norms) > 0).all()


def test_exploding() -> None:
    norms = Pass(load("exploding")).norms
    assert norms[0] / norms[-1] > 5e3
    assert (np.diff(norms) < 0).all()


@pytest.mark.parametrize("name", ["vanishing", "exploding"])
def test_the_label_is_in_the_first_step(name: str) -> None:
    data = load(name)
    assert data.X[:, 0, 0].tolist() == (2.0 * data.y - 1).tolist()
    assert abs(data.X[:, 1:]).max() <= 0.5


def test_dying_relu() -> None:
    data = load("dying_relu")
    assert data.y.tolist() == (data.X[:, -1, 0] > data.X[:, 0, 0]).astype(int).tolist()
    found = Pass(data)
    dead = ~(found.z > 0).any(axis=(0, 1))
    assert dead.sum() == 6
    assert not found.dz[:, :, dead].any()
    assert np.linalg.norm(found.dz[0]) > 0


def test_sunspots() -> None:
    data = load("sunspots")
    assert data.X.shape == (100, 11, 1)
    assert data.classes == ("falls", "rises")
    years = {1700 + 3 * row + t: value for row, x in enumerate(data.X[:, :, 0].tolist()) for t, value in enumerate(x)}
    assert (years[1705], years[1778], years[1957]) == (0.58, 1.544, 1.902)
    rows = range(len(data.X))
    rises = [years[1711 + 3 * row] > years[1710 + 3 * row] for row in rows if 1711 + 3 * row in years]
    assert [data.classes[y] == "rises" for y in data.y[: len(rises)]] == rises
    norms = Pass(data).norms
    assert norms[-3:].sum() > 0.6 * norms.sum()  # it listens to the last years


# The newer samples: what their data are, and what recording them shows


def debugger(name: str, **given: Any) -> Debugger:
    """The debugger on a sample with its own options, or those given instead."""
    return open_session(name, given).debugger


def symbols(data: Data, letters: str) -> list[str]:
    """One-hot samples as text."""
    lengths = np.full(len(data.X), data.X.shape[1]) if data.lengths is None else data.lengths
    assert (data.X.sum(axis=2) == (np.arange(data.X.shape[1]) < lengths[:, None])).all()
    return ["".join(letters[k] for k in row[:n].argmax(axis=1)) for row, n in zip(data.X, lengths, strict=True)]


def test_adding_is_the_sum_of_the_marked_values() -> None:
    data = load("adding")
    assert data.X.shape == (12, 30, 2)
    values, marks = data.X[:, :, 0], data.X[:, :, 1]
    assert set(marks.ravel().tolist()) == {0, 1}
    assert marks[:, 1:7].sum(axis=1).tolist() == marks[:, 15:28].sum(axis=1).tolist() == [1] * 12
    assert marks.sum() == 24
    np.testing.assert_allclose(data.y, (values * marks).sum(axis=1), rtol=1e-12)


def test_adding_lstm_reaches_the_first_mark_and_rnn_does_not() -> None:
    data = load("adding")
    lstm, rnn = debugger("adding"), debugger("adding", cell="rnn")
    tape = lstm.tape(0)
    assert tape["f"][:, :, 3].min() > 0.85
    assert tape["f"][:, :, 3].mean() == pytest.approx(0.97, abs=0.01)
    first = 7  # the last step at which a first mark stands: from there to step 2 it is fainter still
    dc = np.linalg.norm(tape["dc"], axis=1)  # (T+1, H)
    assert dc[2, 3] / dc[30, 3] > 0.1
    assert dc[first, 3] > 0.99 * np.linalg.norm(dc[first])
    da = rnn.tape(0).norms("da")
    assert da[first] / da[30] < 1e-15
    for sample, marks in enumerate(data.X[:, :, 1]):
        mark = int(marks.argmax()) + 1
        assert tape.norms("dc", sample)[mark] / tape.norms("dc", sample)[30] > 0.01
        assert rnn.tape(0).norms("da", sample)[mark] / rnn.tape(0).norms("da", sample)[30] < 1e-12
    assert lstm.tape(200).loss < 0.01  # and what the gradient reaches is learnt
    assert rnn.tape(200).loss > 0.1


def test_delayed_recall_asks_for_the_bit_four_steps_before() -> None:
    data = load("delayed_recall")
    bits = data.X[:, :, 0]
    assert data.classes == ("0", "1")
    assert set(bits.ravel().tolist()) == {0, 1}
    np.testing.assert_array_equal(data.y[:, 4:], bits[:, :-4])
    assert not data.y[:, :4].any()
    assert data.options["truncate"] == 3


def test_delayed_recall_no_loss_reaches_the_bit_it_asks_for() -> None:
    data = load("delayed_recall")
    three, four = debugger("delayed_recall"), debugger("delayed_recall", truncate=4)
    cut = three.tape(0).norms("da_cut")
    assert (cut[:13] > 0).all()
    assert (cut[13:] == 0).all()  # the losses of the last three steps have not gone three steps back yet
    other = data.y.copy()
    other[:, -1] = 1 - other[:, -1]  # another loss at the last step changes da no further back than it reaches
    for found, reach in ((three, 3), (four, 4)):
        again = record(found.network, data.X, other)
        changed = (abs(again["da"] - found.tape(0)["da"]) > 1e-12).any(axis=(1, 2))
        assert changed.tolist() == [False] * (16 - reach) + [True] * (reach + 1)
    assert three.tape(100).loss > 0.4
    assert four.tape(100).loss < 0.2


def test_temporal_order_is_the_order_of_x_and_y() -> None:
    data = load("temporal_order")
    found = symbols(data, "EBabcdXY")
    for text, label in zip(found, data.y, strict=True):
        assert re.fullmatch(r"E[abcd]+[XY][abcd]+[XY][abcd]+B", text)
        assert "".join(re.findall("[XY]", text)) == data.classes[label]
    for first in range(0, 12, 4):
        assert len({re.sub("[XY]", "-", text) for text in found[first : first + 4]}) == 1
        assert sorted(data.y[first : first + 4]) == [0, 1, 2, 3]


def test_temporal_order_xy_and_yx_are_forgotten() -> None:
    data = load("temporal_order")
    tape = debugger("temporal_order").tape(0)
    for first in range(0, 12, 4):
        assert [data.classes[data.y[first + k]] for k in (1, 2)] == ["XY", "YX"]
        marked = np.flatnonzero(data.X[first, :, 6:].any(axis=1)) + 1  # the steps of X and Y
        apart = np.linalg.norm(tape["h"][:, first + 1] - tape["h"][:, first + 2], axis=1)
        assert not apart[: marked[0]].any()
        assert (apart[marked] > 0.1).all()
        assert apart[24] < 1e-3
    dh = tape.norms("dh")
    assert dh[6] / dh[24] < 1e-3


def test_reber_strings_obey_the_grammar_and_its_second_symbol_comes_again() -> None:
    data = load("reber")
    after_x_or_p = "(XT*VP)*(S|XT*VV)"
    inner = f"B(TS*X{after_x_or_p}|PT*V(V|P{after_x_or_p}))E"
    texts = symbols(data, "BTSXPVE")
    assert data.lengths is not None
    assert data.lengths.max() == data.X.shape[1]
    for text, y in zip(texts, data.y, strict=True):
        string = text[0] + "".join(data.classes[k] for k in y[: len(text)])
        assert string[:-1] == text
        assert re.fullmatch(f"B(T{inner}T|P{inner}P)E", string)
    assert len(set(texts)) == len(texts) == 10


def test_reber_nothing_happens_after_a_strings_end() -> None:
    data = load("reber")
    tape = debugger("reber").tape(0)
    assert data.lengths is not None
    assert len(set(data.lengths.tolist())) > 4
    for sample, length in enumerate(data.lengths):
        for state in ("h", "c"):
            assert (tape[state][length:, sample] == tape[state][length, sample]).all()
        assert not tape["dlogits"][length:, sample].any()
        assert not tape["dzi"][length:, sample].any()
        assert not tape["dx"][length:, sample].any()
        assert tape["dlogits"][length - 1, sample].any()
        assert tape["dx"][0, sample].any()
    one = [record(tape.plan.network, data.X[k : k + 1, :n], data.y[k : k + 1, :n]) for k, n in enumerate(data.lengths)]
    total = sum(tape.loss * int(n) for tape, n in zip(one, data.lengths, strict=True))
    np.testing.assert_allclose(tape.loss, total / data.lengths.sum(), rtol=1e-12)


def test_the_sonnet_is_shakespeares() -> None:
    data = load("sonnet")
    assert data.X.shape == (24, 25, 40)
    assert data.y.shape == (24, 25)
    text = data.path.read_text(encoding="utf-8")
    assert len(text) == 621
    assert text.startswith("Shall I compare thee to a summer's day?\n")
    assert text.endswith("So long lives this, and this gives life to thee.\n")


def test_the_sonnet_every_step_has_a_loss_and_the_first_is_a_blind_guess() -> None:
    found = debugger("sonnet")
    tape = found.tape(0)
    np.testing.assert_allclose(tape["da"], tape["da_out"] + tape["da_next"], rtol=1e-12, atol=1e-18)
    assert (tape.norms("da_out")[1:] > 0).all()
    assert (tape.norms("da_next")[:-1] > 0).all()
    assert tape.norms("da_next")[-1] == 0
    assert tape.loss == pytest.approx(math.log(40), rel=0.02)
    assert found.tape(20).loss < 3
