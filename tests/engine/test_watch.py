"""Modules of one's own taken apart, and watched while they are trained; torch is played by stand-ins with the attributes that are used."""

from __future__ import annotations

import re
import sys
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from engine import InputError, Network, record
from engine.explain.gradcheck import check
from engine.files.trace import is_trace, write_trace
from engine.in_memory import session_of
from engine.model import torch_embedding
from engine.model.torch_stack import kept_between
from engine.session import Session, open_session
from engine.watch import Watch
from engine.watched_stack import masks_between
from tests.engine import pytorch
from tests.engine.codegen.test_codegen import assert_same
from tests.engine.pytorch import Leaf, Trained, both_directions

Array = np.ndarray[Any, Any]

X = np.random.default_rng(1).normal(size=(4, 6, 2))
Y = np.array([0, 1, 1, 0])
PackedSequence = namedtuple("PackedSequence", "data batch_sizes sorted_indices unsorted_indices")


# --- taken apart


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("every", [False, True])
def test_the_layers_inside_a_module_are_found_and_its_own_output_is_theirs(cell: str, every: bool) -> None:
    y = np.random.default_rng(0).integers(0, 2, (4, 6)) if every else Y
    session = session_of(pytorch.network(cell, every=every), X, y)
    parts = (pytorch.Module(pytorch.state(cell)), pytorch.Module(pytorch.linear()))
    assert (
        session.debugger.tape(0).loss
        == record(Network.from_torch(*parts, predict="every" if every else "last"), X, y).loss
    )
    assert session.data.said[0].startswith(
        "rnn (Trained), fc (Trained): logits is what the model computes (largest difference "
    )


@pytest.mark.parametrize("every", [False, True])
def test_both_directions_inside_a_module(every: bool) -> None:
    y = np.random.default_rng(0).integers(0, 2, (4, 6)) if every else Y
    session = session_of(pytorch.network("lstm", every=every, bidirectional=True), X, y)
    assert session.debugger.network.description == "lstm 2→⇄3→2"
    assert "logits is what the model computes (largest difference " in session.data.said[0]


def test_a_model_that_reads_the_reverse_direction_where_it_begins_is_told_so() -> None:
    """output[:, -1] of two directions, which many programs take for their last states."""
    model = pytorch.network("lstm", bidirectional=True)
    model.call = lambda self, X: model.parts["fc"](model.parts["rnn"](Leaf(X))[:, -1])
    assert "the reverse one has seen that step alone" in session_of(model, X, Y).data.said[0]


def above_each_other(between: Any = np.asarray, state: Any = None) -> Trained:
    """A module of two recurrent ones, what is done between them, and linear ones of which one is not used."""
    model = pytorch.network("gru")
    lower, used = model.parts["rnn"], model.parts["fc"]
    arrays = pytorch.state("gru", 3, 2)
    upper = Trained(
        arrays,
        lambda self, input, hx=None: (Leaf(both_directions("gru", self.leaves, np.asarray(input))), None),
        input_size=3,
        hidden_size=2,
    )
    layer = lower.call
    lower.call = lambda self, input: (Leaf(layer(self, input)), None)
    readout = Trained(
        pytorch.linear(2),
        lambda self, h: h @ self.leaves["weight"].T + self.leaves["bias"],
        in_features=2,
        out_features=2,
    )
    hx = {} if state is None else {"hx": state}
    model.call = lambda self, X: readout(upper(between(lower(Leaf(X))[0]), **hx)[0][:, -1])
    named = [("", model), ("unused", used), ("lower", lower), ("upper", upper), ("out", readout)]
    model.named_modules = lambda: named
    return model


def test_recurrent_modules_one_above_the_other_are_layers() -> None:
    model = above_each_other(state=np.zeros((1, 4, 2)))
    session = session_of(model, X, Y)
    assert session.debugger.network.description == "gru 2→3→2→2"
    said = "lower (Trained), upper (Trained), out (Trained): logits is what the model computes (largest difference "
    assert session.data.said[0].startswith(said)
    tape = session.debugger.tape(0)
    lower = both_directions("gru", pytorch.state("gru"), X)
    np.testing.assert_allclose(np.swapaxes(tape["h1"][1:], 0, 1), lower, rtol=1e-12)
    assert check(session.debugger.network, X, Y).ok


@pytest.mark.parametrize(
    "model",
    [above_each_other(np.tanh), above_each_other(state=np.ones((1, 4, 2))), above_each_other(lambda h: h[:, ::-1])],
    ids=["something between", "a state handed over", "turned round"],
)
def test_recurrent_modules_that_are_no_layers_are_not_taken_for_them(model: Trained) -> None:
    with pytest.raises(InputError, match=r"holds 2 \(lower, upper\); they are not layers one above the other"):
        session_of(model, X, Y)


def called_step_by_step(*, resets: str = "") -> Trained:
    """A model that calls two cells, the second above the first, and a linear layer in a loop of its own; `resets` names the cell whose
    state is set to zero once."""

    def step(self: Trained, input: Array, hx: Array) -> Array:
        W = self.leaves
        return np.tanh(input @ W["weight_ih"].T + W["bias_ih"] + hx @ W["weight_hh"].T + W["bias_hh"])

    def cell(inputs: int, hidden: int) -> Trained:
        arrays = {name.removesuffix("_l0"): array for name, array in pytorch.state("rnn", inputs, hidden).items()}
        made = Trained(arrays, step, input_size=inputs, hidden_size=hidden, **arrays)
        del made.num_layers  # what torch's cells do not have
        return made

    lower, upper = cell(2, 3), cell(3, 4)
    out = Trained(
        pytorch.linear(4),
        lambda self, h: h @ self.leaves["weight"].T + self.leaves["bias"],
        in_features=4,
        out_features=2,
    )

    def forward(self: Trained, X: Array) -> Array:
        h, above, outputs = Leaf(np.zeros((len(X), 3))), Leaf(np.zeros((len(X), 4))), []
        for t in range(X.shape[1]):
            h = lower(X[:, t], 0 * h if resets == "lower" and t == 3 else h)
            above = upper(h, 0 * above if resets == "upper" and t == 3 else above)
            outputs.append(out(above))
        return np.stack(outputs, axis=1)

    model = Trained({}, forward)
    model.named_modules = lambda: [("", model), ("lower", lower), ("upper", upper), ("out", out)]
    return model


def test_cells_in_a_loop_of_ones_own_are_layers() -> None:
    session = session_of(called_step_by_step(), X, np.random.default_rng(0).integers(0, 2, (4, 6)))
    network = session.debugger.network
    assert (network.description, network.predict) == ("rnn tanh 2→3→4→2", "every")
    said = "lower (Trained), upper (Trained), out (Trained): logits is what the model computes (largest difference "
    assert session.data.said[0].startswith(said)


def test_cells_whose_state_is_not_handed_on_are_none() -> None:
    with pytest.raises(
        InputError, match=r"lower runs one step at a time: a torch\.nn\.LSTM with its weights is the same"
    ):
        session_of(called_step_by_step(resets="lower"), X, Y)


def test_what_lies_between_the_layers_is_not_passed_over_in_silence() -> None:
    model = pytorch.network()
    plain = model.call
    model.call = lambda self, X: plain(self, X) * 2 + 1
    assert "the model computes something else (largest difference " in session_of(model, X, Y).data.said[0]
    model.call = lambda self, X: plain(self, X)[:, :1]
    said = session_of(model, X, Y).data.said[0]
    assert said.endswith("the model's own output was not compared; it has 4 numbers, logits has 4×2")


@pytest.mark.parametrize(
    ("y", "outputs", "loss"),
    [
        (Y, 1, "binary"),
        (Y.astype(float), 1, "binary"),
        (np.array([0.5, 1, 2, 3]), 1, "squared"),
        (np.arange(8.0).reshape(4, 2), 2, "squared"),
        (Y, 2, "cross-entropy"),
        (Y.astype(float), 2, "cross-entropy"),
    ],
)
def test_the_loss_is_the_one_that_the_targets_are_of(y: Array, outputs: int, loss: str) -> None:
    session = session_of(pytorch.network(outputs=outputs), X, y)
    assert session.debugger.network.loss == loss
    assert any("as y is; loss= says another" in text for text in session.data.said) == (loss != "cross-entropy")
    if outputs == 1:
        assert session_of(pytorch.network(outputs=1), X, y, loss="squared").debugger.network.loss == "squared"


@pytest.mark.parametrize("steps", [4, 6])
def test_a_model_that_turns_its_inputs_itself_is_given_them_as_it_takes_them(steps: int) -> None:
    model, given = pytorch.network(), X[:, :steps]
    wanted = session_of(model, given, Y).debugger.tape(0)["h"]
    rnn = model.parts["rnn"]
    layer, rnn.batch_first = rnn.call, False
    rnn.call = lambda self, input: np.swapaxes(layer(self, np.swapaxes(input, 0, 1)), 0, 1)
    turned = type("Turned", (), {"__call__": lambda self, X: np.swapaxes(rnn(np.swapaxes(X, 0, 1)), 0, 1)})()
    model.call = lambda self, X: model.parts["fc"](turned(X)[:, -1])
    np.testing.assert_array_equal(session_of(model, given, Y).debugger.tape(0)["h"], wanted)


def test_what_is_dropped_while_they_train_is_said() -> None:
    two = {"input_size": 2, "hidden_size": 3, "num_layers": 2, "dropout": 0.3}
    said = "drops 0.3 between its layers while it trains; here nothing is dropped, as after eval()"
    for training, told in ((True, (f"the recurrent layer {said}",)), (False, ())):
        assert session_of(pytorch.modules("lstm", training=training, **two), X, Y).data.said == told
    model = pytorch.network()
    model.parts["rnn"].__dict__ |= two
    model.parts["drop"] = type("Dropout", (Trained,), {})({}, None, p=0.5)
    model.named_modules = lambda: [("", model), *model.parts.items()]
    said = (
        "rnn drops 0.3 between its layers and drop drops 0.5 while it trains; here nothing is dropped, as after eval()"
    )
    assert session_of(model, X, Y).data.said[1] == said
    for part in model.parts.values():
        part.training = False
    assert len(session_of(model, X, Y).data.said) == 1


@pytest.mark.parametrize("fails", [False, True])
def test_each_module_stays_in_its_mode(fails: bool) -> None:
    model = pytorch.network()
    model.parts["rnn"].training = False  # frozen
    plain, seen = model.call, []

    def call(self: Trained, X: Any) -> Any:
        seen.append([module.training for _, module in model.named_modules()])
        return 1 / 0 if fails else plain(self, X)

    model.call = call
    said = session_of(model, X, Y).data.said[0]
    assert said.endswith("its own output was not compared") == fails
    assert seen == [[False, False, False]]
    assert [module.training for _, module in model.named_modules()] == [True, False, True]


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 2, 1)])
def test_an_output_of_every_step_is_known_in_any_order_of_its_axes(outputs: int, order: tuple[int, ...]) -> None:
    model = pytorch.network(every=True, outputs=outputs)
    plain = model.call

    def call(self: Trained, X: Any) -> Any:
        made = plain(self, X)
        if len(order) == 3:
            return made.transpose(order)  # as torch's cross-entropy takes it
        return made.transpose(*order, 2).reshape([-1, 2] if outputs == 2 else [-1])  # as one that flattens it

    model.call = call
    options = {"loss": "squared"} if outputs == 1 else {}
    y = np.random.default_rng(0).integers(0, 2, (4, 6))
    session = session_of(model, X, y, **options)
    assert session.debugger.network.predict == "every"
    assert ": logits is what the model computes" in session.data.said[0]


VECTORS = np.random.default_rng(3).normal(size=(9, 2))
WORDS = np.random.default_rng(4).integers(0, 9, (4, 6))


def added_up(words: Array, dx: Array) -> Array:
    """The gradient of the vectors of words (B, T): of each the sum over the steps that have it; dx (T, B, E)."""
    total = np.zeros((9, dx.shape[2]))
    np.add.at(total, words.T, dx)
    return total


def test_an_embedding_before_the_layer_is_part_of_the_network() -> None:
    model = pytorch.network(embedding=VECTORS)
    session = session_of(model, WORDS, Y)
    (said,) = session.data.said
    assert re.fullmatch(
        r"emb \(Trained\), rnn \(Trained\), fc \(Trained\): logits is what the model computes \(largest difference \de-16\)",
        said,
    )
    tape = session.debugger.tape(0)
    np.testing.assert_array_equal(tape["e"], VECTORS[WORDS.T])
    alone = session_of((model.parts["rnn"], model.parts["fc"]), VECTORS[WORDS], Y).debugger.tape(0)
    np.testing.assert_allclose(tape.gradients["We"], added_up(WORDS, alone["dx"]), rtol=1e-12, atol=1e-15)
    parts = session_of((model.parts["emb"], model.parts["rnn"], model.parts["fc"]), WORDS, Y)
    np.testing.assert_array_equal(parts.debugger.tape(0).gradients["We"], tape.gradients["We"])
    with pytest.raises(InputError, match="X goes from 9 to 14, the embedding has numbers from 0 to 8"):
        session_of(model, WORDS % 6 + 9, Y)
    with pytest.raises(InputError, match="X holds float64, the embedding needs whole numbers from 0 to 8"):
        session_of(model, WORDS + 0.5, Y)
    with pytest.raises(InputError, match=r"give \(rnn, linear\) or \(embedding, rnn, linear\), not 1 modules"):
        session_of((model.parts["rnn"],), WORDS, Y)


@pytest.mark.parametrize("row", [0.0, 0.5])
def test_the_row_of_padding_has_no_gradient_as_in_torch(row: float) -> None:
    vectors = VECTORS.copy()
    vectors[3] = row
    model = pytorch.network(embedding=vectors)
    plain = session_of(model, WORDS, Y).debugger.tape(0).gradients["We"]
    model.parts["emb"].padding_idx = 3
    session = session_of(model, WORDS, Y)
    assert "logits is what the model computes" in session.data.said[0]
    given = session.debugger.tape(0).gradients["We"]
    others = np.arange(9) != 3
    np.testing.assert_allclose(given[others], plain[others], rtol=1e-12)
    assert plain[3].any() and given[3].any() == bool(row)
    assert session.data.said[1] == "PyTorch gives row 3 of emb (padding_idx) no gradient" + (
        "; that row is not zero, and dWe[3] is what it would be" if row else ": x is zero there, and so is dWe[3]"
    )


def test_of_a_large_embedding_the_rows_that_occur_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    model, words = pytorch.network(embedding=VECTORS), WORDS % 3 * 2 + 1
    plain = session_of(model, words, Y).debugger.tape(0).gradients["We"]
    monkeypatch.setattr(torch_embedding, "ONE_HOT_LIMIT", 9 * 8 * words.size - 1)
    session = session_of(model, words, Y)
    np.testing.assert_allclose(session.debugger.tape(0).gradients["We"], plain[[1, 3, 5]], rtol=1e-12)
    assert session.data.said[1] == (
        "of the 9 rows of emb We has the 3 that the inputs name, in their order; the others have no gradient"
    )


def test_modules_that_hold_no_pair_or_several() -> None:
    model = pytorch.network()
    model.parts["second"] = model.parts["fc"]
    with pytest.raises(
        InputError, match=r"Trained needs one torch.nn.Linear, and holds 2 \(fc, second\); give the two as debug"
    ):
        session_of(model, X, Y)
    del model.parts["rnn"]
    with pytest.raises(InputError, match=r"Trained needs one torch.nn.RNN, LSTM or GRU, and holds 0 \(none\)"):
        session_of(model, X, Y)
    rnn = pytorch.network().parts["rnn"]
    model.named_modules = lambda: [("", model), ("one", rnn), ("two", rnn)]
    with pytest.raises(
        InputError, match=r"holds 2 \(one, two\); .* give one of them, rnn_tui.watch\(model\.one, \.\.\.\)"
    ):
        session_of(model, X, Y)


def test_a_packed_sequence() -> None:
    lengths = np.array([2, 6, 3, 5])
    order = np.argsort(-lengths)
    sizes = [(lengths > t).sum() for t in range(6)]
    data = np.concatenate([X[order[:size], t] for t, size in enumerate(sizes)])
    packed = PackedSequence(data, np.array(sizes), order, np.argsort(order))
    rnn, linear = pytorch.modules("gru", batch_first=False)
    session = session_of((rnn, linear), packed, Y)
    assert session.debugger.tape(0).loss == record(Network.from_torch(rnn, linear), X, Y, lengths=lengths).loss


# --- watched


class CrossEntropyLoss(Trained):
    """torch's, on logits (n, C)."""

    def __init__(self) -> None:
        super().__init__({}, self.computed)

    @staticmethod
    def computed(_: Any, input: Array, target: Array) -> Array:
        rows = np.asarray(input).reshape(-1, input.shape[-1])
        chosen = rows[np.arange(len(rows)), np.asarray(target).ravel()]
        return Leaf((np.log(np.exp(rows).sum(1)) - chosen).mean())


def train(
    model: Trained, criterion: Any, steps: int, change: float = 0.1, batch: Any = lambda n: (X, Y)
) -> list[float]:
    """A loop as users have it, with a rule of its own in the optimizer's place."""
    losses = []
    for number in range(steps):
        x, y = batch(number)
        with np.errstate(all="ignore"):
            output = model(Leaf(x))
            losses.append(float(criterion(output.reshape(-1, output.shape[-1]), Leaf(y))))
        for part in model.parts.values():
            for leaf in part.parameters():
                for hook in list(leaf.hooks):
                    hook(np.ones(leaf.shape) * number)
                leaf += change
    return losses


def watched(
    model: Trained, tmp_path: Path, **options: Any
) -> tuple[Watch, list[tuple[Session, str]], CrossEntropyLoss]:
    seen: list[tuple[Session, str]] = []
    criterion = CrossEntropyLoss()
    watch = Watch(model, criterion, path=tmp_path / "w.npz", found=lambda *found: seen.append(found), **options)
    return watch, seen, criterion


@pytest.mark.parametrize("every", [False, True])
def test_the_last_iterations_are_kept_with_the_weights_they_met(tmp_path: Path, every: bool) -> None:
    model = pytorch.network("gru", every=every)
    watch, seen, criterion = watched(model, tmp_path, keep=3)
    y = np.random.default_rng(0).integers(0, 2, (4, 6)).ravel() if every else Y
    with watch:
        losses = train(model, criterion, 5, batch=lambda n: (X + n, y))
    assert [kept.number for kept in watch.iterations] == [2, 3, 4] and not seen
    for kept, loss in zip(watch.iterations, losses[2:], strict=True):
        assert watch.session(kept).debugger.tape(0).loss == pytest.approx(loss, rel=1e-12)
        assert not watch.session(kept).data.said
    assert not any(part.hooks["before"] + part.hooks["after"] for part in (*model.parts.values(), criterion))


@pytest.mark.parametrize("samples", [4, 6])
@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("batch_first", [False, True])
def test_targets_of_every_step_in_the_order_that_gives_the_loss(
    tmp_path: Path, samples: int, flat: bool, batch_first: bool
) -> None:
    """The loss is given (B, T) targets, whatever the layer's own order is; with 6 samples of 6 steps the shapes do not tell."""
    x, y = np.random.default_rng(2).normal(size=(samples, 6, 2)), np.random.default_rng(0).integers(0, 2, (samples, 6))
    model = pytorch.network("gru", every=True)
    rnn = model.parts["rnn"]
    if not batch_first:
        plain = rnn.call
        rnn.batch_first = False
        rnn.call = lambda self, X: np.swapaxes(plain(self, np.swapaxes(X, 0, 1)), 0, 1)
    watch, _, criterion = watched(model, tmp_path)
    with watch:
        logits = np.asarray(model(Leaf(x if batch_first else np.swapaxes(x, 0, 1))))
        rows = logits if batch_first else np.swapaxes(logits, 0, 1)
        criterion(input=rows.reshape(-1, 2), target=Leaf(y.ravel() if flat else y))
    session = watch.session()
    assert session.data.y.tolist() == y.tolist()
    assert session.debugger.tape(0).loss == pytest.approx(watch.iterations[0].loss, rel=1e-12)
    watch.iterations[0].targets = Leaf(y.ravel()[1:])
    with pytest.raises(InputError, match=rf"the targets have shape \({samples * 6 - 1},\), the inputs "):
        watch.session()


def test_what_is_kept_stays_as_it_was_when_the_layer_was_called(tmp_path: Path) -> None:
    model = pytorch.network("lstm")
    states = (Leaf(np.ones((1, 4, 3))), Leaf(np.ones((1, 4, 3))))
    packed = PackedSequence(Leaf(np.ones((4, 2))), Leaf(np.array([2, 1, 1])), None, None)
    watch, _, _ = watched(model, tmp_path)
    with watch:
        model.parts["rnn"](input=Leaf(X), hx=states)
        model.parts["rnn"].call = lambda self, input: Leaf(np.zeros((2, 3, 3)))
        model.parts["rnn"](packed)
        for changed in (*states, packed.data):
            changed[...] = 7
    first, second = watch.iterations
    assert [state.max() for state in first.initial] == [1, 1] and first.inputs.tolist() == X.tolist()
    assert second.inputs.data.max() == 1 and second.initial is None


@pytest.mark.parametrize("packed", ["", "padded", "rows"])
def test_an_embedding_is_watched_with_the_numbers_that_it_was_given(tmp_path: Path, packed: str) -> None:
    model = pytorch.network(embedding=VECTORS.copy())
    emb, rnn, fc = (model.parts[name] for name in ("emb", "rnn", "fc"))
    lengths = np.array([2, 6, 3, 5])
    order = np.argsort(-lengths)
    sizes = np.array([(lengths > t).sum() for t in range(6)])
    rows = np.concatenate([WORDS[order[:size], t] for t, size in enumerate(sizes)])
    watch, _, criterion = watched(model, tmp_path)
    if packed:
        rnn.call = lambda self, input: Leaf(np.zeros((4, 3)))

    def forward(words: Array) -> Any:
        vectors = emb(Leaf(rows) if packed == "rows" else Leaf(words))
        if not packed:
            return fc(rnn(Leaf(vectors))[:, -1])
        return fc(rnn(PackedSequence(Leaf(VECTORS[rows]), sizes, order, np.argsort(order))))

    with watch:
        criterion(forward(np.pad(WORDS, ((0, 0), (0, 2)) if packed else 0)), Leaf(Y))
        emb.leaves["weight"] += 7  # what is kept are copies
    session = watch.session()
    alone = session_of((rnn, fc), VECTORS[WORDS], Y, **({"lengths": lengths} if packed else {})).debugger.tape(0)
    tape = session.debugger.tape(0)
    assert tape.loss == pytest.approx(alone.loss, rel=1e-12)
    np.testing.assert_allclose(tape.gradients["We"], added_up(WORDS, alone["dx"]), rtol=1e-12, atol=1e-15)


def test_what_comes_between_an_embedding_and_the_layer_is_said(tmp_path: Path) -> None:
    model = pytorch.network(embedding=VECTORS)
    watch, _, criterion = watched(model, tmp_path)
    with watch:
        dropped = np.asarray(model.parts["emb"](Leaf(WORDS))) * (np.arange(6)[:, None] % 2)
        criterion(model.parts["fc"](model.parts["rnn"](Leaf(dropped))[:, -1]), Leaf(Y))
    session = watch.session()
    assert session.data.said == ("the recurrent layer was given something else than emb looks up; We is not shown",)
    np.testing.assert_array_equal(session.data.X, dropped)


@pytest.mark.parametrize("head", ["none", "two", "dropped", "last state"])
def test_a_layer_is_shown_with_what_came_back_to_it_whatever_comes_after(tmp_path: Path, head: str) -> None:
    """No linear layer, two of them, or one behind something that is not seen: the layer's gradients are those of the whole."""
    model = pytorch.network("lstm")
    rnn, fc = model.parts["rnn"], model.parts["fc"]
    wanted, factor = session_of((rnn, fc), X, Y).debugger.tape(0), 0.5 if head == "dropped" else 1.0
    gradient = np.zeros((4, 6, 3))
    gradient[:, -1] = wanted["dlogits"] @ wanted.parameters["Wy"].T * factor
    if head in ("none", "last state"):
        del model.parts["fc"]
    elif head == "two":
        model.parts["second"] = fc
    watch, _, criterion = watched(model, tmp_path)
    states, ends = Leaf(both_directions("lstm", rnn.leaves, X)), (Leaf(np.ones((1, 4, 3))), Leaf(np.ones((1, 4, 3))))
    rnn.call = lambda self, input: (states, ends)
    with watch:
        rnn(Leaf(X))
        with pytest.raises(InputError, match="the targets are not known"):
            watch.session()
        logits = fc(np.asarray(states)[:, -1] * factor)
        criterion(logits, Leaf(Y))
        assert head == "dropped" or watch.session().debugger.network.loss == "given"
        if head == "last state":
            ends[0].hooks[0](gradient[None, :, -1])
            ends[1].hooks[0](np.zeros((1, 4, 3)))
            states.hooks[0](None)  # as torch tells that nothing came back
        else:
            states.hooks[0](gradient)
    tape, said = watch.session().debugger.tape(0), watch.session().data.said[-1]
    assert said.startswith(
        "what comes after the recurrent layer is not shown; y is what came back from there, dL/d(output)"
    )
    for name in ("Wxi", "Whf", "bo"):
        np.testing.assert_allclose(tape.gradients[name], wanted.gradients[name] * factor, rtol=1e-12, atol=1e-16)
    np.testing.assert_allclose(tape["dx"], wanted["dx"] * factor, rtol=1e-12, atol=1e-16)


@pytest.mark.parametrize(("cell", "short"), [("lstm", True), ("gru", False)])
def test_what_flows_into_last_states_is_part_of_the_gradient(tmp_path: Path, cell: str, short: bool) -> None:
    """Of two layers in two directions: central differences of a loss that also reads h_n and c_n; also from a trace, and printed."""
    rng = np.random.default_rng(0)
    network = Network(
        inputs=2, outputs=1, hidden=(3, 3), cell=cell, bidirectional=True, loss="squared", predict="every"
    )
    options: dict[str, Any] = {"lengths": np.array([6, 2, 5, 3]) if short else None}
    y = rng.normal(size=(4, 6, 1))
    options["initial"] = {f"d{state}_next": rng.normal(size=(4, 3)) for state in network.table.states}
    report = check(network, X, y, **options, draws=2)
    assert report.ok, report
    name = "Whn1r" if cell == "gru" else "Whf1r"
    assert report.parameters[name].tested
    without = record(network, X, y, lengths=options["lengths"]).gradients
    assert not np.allclose(record(network, X, y, **options).gradients[name], without[name])
    debugger = session_of(network, X, y, **options).debugger
    write_trace(tmp_path / "t.npz", debugger.tape(0), meta={})
    again = open_session(tmp_path / "t.npz", {})
    assert again.debugger.tape(0)["dh1_next"].tobytes() == debugger.tape(0)["dh1_next"].tobytes()
    assert_same(again)


@pytest.mark.parametrize("predict", ["last", "every"])
def test_masks_that_are_given_are_those_of_the_first_iteration(tmp_path: Path, predict: str) -> None:
    """In numbers, in a trace, and printed; later iterations draw their own."""
    rng = np.random.default_rng(0)
    network = Network(inputs=2, outputs=2, hidden=(3, 4), cell="gru", dropout=0.4, bidirectional=True, predict=predict)
    y = rng.integers(0, 2, (4, 6) if predict == "every" else 4)
    shapes = {"keep1": (4, 6, 6), "keep2": (4, 6, 8) if predict == "every" else (4, 8)}
    masks = {name: (rng.random(shape) > 0.4) / 0.6 for name, shape in shapes.items()}
    assert check(network, X, y, initial=masks, draws=2).ok
    debugger = session_of(network, X, y, initial=masks).debugger
    tape = debugger.tape(0)
    np.testing.assert_array_equal(np.moveaxis(tape["keep1"], 0, 1), masks["keep1"])
    second = record(network, X, y, updates=1)
    np.testing.assert_array_equal(debugger.tape(1)["keep2"], second["keep2"])
    write_trace(tmp_path / "t.npz", tape, meta={})
    again = open_session(tmp_path / "t.npz", {})
    assert again.debugger.tape(0)["logits"].tobytes() == tape["logits"].tobytes()
    assert_same(again)
    assert_same(open_session(tmp_path / "t.npz", {"notation": "karpathy"}))
    with pytest.raises(InputError, match=r"keep1 has shape \(4, 3\), this network needs \(4, 6, 6\)"):
        record(network, X, y, initial={"keep1": np.ones((4, 3))})


class Drawing:
    """As much of torch as draws masks of dropout."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(5)
        self.nn = self.functional = self

    def get_rng_state(self) -> Any:
        return self.rng.bit_generator.state

    def set_rng_state(self, state: Any) -> None:
        self.rng.bit_generator.state = state

    def ones(self, *shape: int, dtype: Any) -> Array:
        return np.ones(shape, dtype)

    def dropout(self, ones: Array, share: float, training: bool) -> Array:
        assert training
        return ones * (self.rng.random(ones.shape) >= share) / (1 - share)


class OnProcessor(Leaf):
    """A tensor that says where it is."""

    device = SimpleNamespace(type="cpu")

    @property
    def data(self) -> Any:
        return self

    def clone(self) -> Leaf:
        return OnProcessor(self.copy())


@pytest.mark.parametrize("other", [False, True])
def test_what_was_dropped_between_layers_is_drawn_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: bool
) -> None:
    """Where the layers then hand on what they did; with `other` draws nothing is dropped, and that is said."""
    torch = Drawing()
    monkeypatch.setitem(sys.modules, "torch", torch)
    rng = np.random.default_rng(1)
    shapes = {"weight_ih": (9, 2), "weight_hh": (9, 3), "bias_ih": (9,), "bias_hh": (9,)}
    arrays = {f"{name}_l0": rng.normal(size=shape) for name, shape in shapes.items()}
    arrays |= {f"{name}_l1": rng.normal(size=(9, 3) if name == "weight_ih" else shapes[name]) for name in shapes}
    rnn = Trained(arrays, None, input_size=2, hidden_size=3, num_layers=2, dropout=0.4)
    network = Network.from_torch(rnn, None, dropout=0.4, loss="given", reduction="sum", predict="every")
    back, made = rng.normal(size=(4, 6, 3)), dict[str, Any]()

    def call(self: Trained, input: Any) -> Any:
        mask = torch.dropout(np.ones((6, 4, 3)), 0.4, True).swapaxes(0, 1)
        mask = mask[::-1] if other else mask
        made["tape"] = record(network, X, back, initial={"keep1": mask, "keep2": np.ones((4, 6, 3))})
        made["states"] = Leaf(np.moveaxis(made["tape"]["h2"][1:], 0, 1))
        return made["states"], Leaf(np.stack([made["tape"][state][-1] for state in ("h1", "h2")]))

    rnn.call = call
    with Watch(rnn, path=tmp_path / "w.npz") as watch:
        rnn(OnProcessor(X))
        made["states"].hooks[0](back)
        before = torch.get_rng_state()
        session = watch.session()
        assert torch.get_rng_state() == before  # the loop's own draws stay what they would be
    gradients, wanted = session.debugger.tape(0).gradients, made["tape"].gradients
    said = "what PyTorch dropped between the layers is dropped here as well"
    assert session.data.said[0].startswith(said) != other
    assert np.allclose(gradients["Whn1"], wanted["Whn1"], rtol=1e-12) != other
    assert session.data.said[-1].endswith("and what PyTorch dropped between its layers is not") == other


def test_what_came_back_to_c_n_and_to_lower_layers_is_shown(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    model = pytorch.network("lstm")
    rnn = model.parts["rnn"]
    watch, _, _ = watched(model, tmp_path)
    states, ends = Leaf(both_directions("lstm", rnn.leaves, X)), (Leaf(np.ones((1, 4, 3))), Leaf(np.ones((1, 4, 3))))
    rnn.call = lambda self, input: (states, ends)
    back = {"h": rng.normal(size=(1, 4, 3)), "c": rng.normal(size=(1, 4, 3))}
    with watch:
        rnn(Leaf(X))
        for name, leaf in zip("hc", ends, strict=True):
            leaf.hooks[0](back[name])
    session = watch.session()
    tape = session.debugger.tape(0)
    np.testing.assert_array_equal(tape["dc_next"][-1], back["c"][0])
    np.testing.assert_allclose(tape["dh"][-1], back["h"][0])
    assert session.data.said[-1].endswith("; what came back to last states stands in the last row of dc_next")


@pytest.mark.parametrize("reason", [{"plateau": 1}, {"when": "norm(dh@1) > 0"}, {"gradient_norm": 1e-9}])
def test_what_asks_for_gradients_waits_until_they_have_come_back(tmp_path: Path, reason: dict[str, Any]) -> None:
    model = pytorch.network("lstm")
    model.parts["second"] = model.parts["fc"]
    rnn = model.parts["rnn"]
    watch, seen, criterion = watched(model, tmp_path, **reason)
    with watch:
        for _ in range(3):
            states = Leaf(both_directions("lstm", rnn.leaves, X))
            rnn.call = lambda self, input, states=states: (states, ())
            rnn(Leaf(X))
            criterion(model.parts["fc"](np.asarray(states)[:, -1]), Leaf(Y))
            states.hooks[0](np.ones((4, 6, 3)))
            for leaf in rnn.parameters():
                for hook in leaf.hooks:
                    hook(np.ones(leaf.shape))
    ((session, _),) = seen
    assert session.debugger.tape(0)["dh"].any() and session.data.said[-1].startswith(
        "what comes after the recurrent layer"
    )


def test_an_iteration_without_a_backward_pass_has_its_forward_pass(tmp_path: Path) -> None:
    model = pytorch.network("lstm")
    model.parts["second"] = model.parts["fc"]
    watch, seen, criterion = watched(model, tmp_path)
    with watch:
        train(model, criterion, 2, batch=lambda n: (X * (np.nan if n else 1), Y))
    ((session, reason),) = seen
    assert reason == "the loss of iteration 1 is nan"
    said = "the backward pass of iteration 1 had not come back to the layer: its gradients are 0 here"
    assert session.data.said == (said,) and np.isnan(session.debugger.tape(0)["h"]).any()


def test_a_loss_that_is_not_finite_ends_the_loop_and_is_written(tmp_path: Path) -> None:
    model = pytorch.network()
    watch, seen, criterion = watched(model, tmp_path)
    with watch:
        train(model, criterion, 9, batch=lambda n: (X * (np.inf if n == 4 else 1), Y))
    ((session, reason),) = seen
    assert reason == watch.reason == "the loss of iteration 4 is nan"
    assert np.isinf(session.data.X).any() and session.data.name == "iteration 4"
    assert is_trace(tmp_path / "w.npz")
    assert np.isnan(open_session(tmp_path / "w.npz", {}).debugger.tape(0).loss)


@pytest.mark.parametrize(
    ("options", "change", "reason"),
    [
        ({"gradient_norm": 25.0}, 0.1, "the norm of the gradients of iteration 3 is 28.775"),
        ({"plateau": 2}, 0.0, "the loss has not become better than 0.761068 for 2 iterations"),
        ({"when": "iteration > 1 and norm(dh@1) > 0"}, 0.1, "iteration > 1 and norm(dh@1) > 0 holds in iteration 2"),
    ],
)
def test_what_else_ends_the_loop(tmp_path: Path, options: dict[str, Any], change: float, reason: str) -> None:
    model = pytorch.network()
    watch, seen, criterion = watched(model, tmp_path, **options)
    with watch:
        train(model, criterion, 9, change)
    assert len(seen) == 1 and seen[0][1].startswith(reason)


def test_an_interrupt_is_written_and_goes_on(tmp_path: Path) -> None:
    model = pytorch.network()
    watch, seen, criterion = watched(model, tmp_path)

    def interrupted(number: int) -> tuple[Array, Array]:
        if number == 2:
            raise KeyboardInterrupt
        return X, Y

    with pytest.raises(KeyboardInterrupt), watch:
        train(model, criterion, 9, batch=interrupted)
    assert [reason for _, reason in seen] == ["interrupted"]
    assert (tmp_path / "w.npz").exists()


def test_another_error_is_the_users_and_nothing_is_written(tmp_path: Path) -> None:
    watch, seen, _ = watched(pytorch.network(), tmp_path)
    with pytest.raises(ZeroDivisionError), watch:
        raise ZeroDivisionError
    assert not seen and not (tmp_path / "w.npz").exists()


def test_a_layer_called_again_with_its_own_states_is_one_call_of_several(tmp_path: Path) -> None:
    """As where a loop over time calls torch.nn.GRU once a step: what is seen of the last call is not the whole gradient."""
    rnn = Trained(
        pytorch.state("gru"),
        lambda self, input, hx=None: (
            h := Leaf(both_directions("gru", self.leaves, np.asarray(input))),
            Leaf(h[None, :, -1]),
        ),
        input_size=2,
        hidden_size=3,
    )
    with Watch(rnn, path=tmp_path / "w.npz") as watch:
        _, state = rnn(Leaf(X))
        _, other = rnn(Leaf(X), state)
        rnn(Leaf(X), Leaf(np.array(other)))  # detached
    assert [kept.goes_on for kept in watch.iterations] == [False, True, False]
    for kept in watch.iterations:
        kept.back["output"] = np.ones((4, 6, 3))
    said = [any("one call of several" in text for text in watch.session(number).data.said) for number in range(3)]
    assert said == [False, True, False]


@pytest.mark.parametrize("elsewhere", [False, True])
def test_modules_one_above_the_other_are_watched_with_what_was_dropped_between(tmp_path: Path, elsewhere: bool) -> None:
    rng = np.random.default_rng(0)
    mask, back = (rng.random((4, 6, 3)) > 0.4) * 2.0, rng.normal(size=(4, 6, 2))
    model = above_each_other(lambda h: Leaf(h * mask))
    with Watch(model, path=tmp_path / "w.npz") as watch:
        model(X)
    alike = Network.from_torch(watch.parts.recurrent, None, dropout=0.5, loss="given", reduction="sum", predict="every")
    tape = record(alike, X, back, initial={"keep1": mask, "keep2": np.ones((4, 6, 2))})
    modules = watch.parts.recurrent.modules
    assert masks_between([(1.0, None)], X, modules) == [], "nothing was dropped, and nothing is kept of that"
    first, last = masks_between([(2.0, mask != 0)], X, modules)
    assert (first == mask).all() and (last == 1).all()
    kept = watch.iterations[-1]
    kept.back |= {"output": back, "output.0": np.swapaxes(tape["dh1_out"][1:], 0, 1) + elsewhere}
    if elsewhere:
        with pytest.raises(InputError, match="what one hands on goes elsewhere, too"):
            watch.session()
        return
    session = watch.session()
    assert session.data.said[0] == "what was dropped between the modules is dropped here as well"
    np.testing.assert_allclose(session.debugger.tape(0)["dx"], tape["dx"], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("state", [None, np.ones((1, 4, 2))])
def test_modules_that_are_no_layers_are_refused_in_the_second_iteration(tmp_path: Path, state: Any) -> None:
    model = above_each_other(
        lambda h: Leaf(h if state is not None else np.tanh(h)), None if state is None else Leaf(state)
    )
    with (
        pytest.raises(InputError, match="are not layers one above the other"),
        Watch(model, path=tmp_path / "w.npz") as watch,
    ):
        model(X)
        watch.step(1.0, Leaf(Y))
        model(X)


def test_cells_that_the_loop_calls_are_watched_as_layers(tmp_path: Path) -> None:
    model, y = called_step_by_step(), np.random.default_rng(0).integers(0, 2, (4, 6))
    criterion = CrossEntropyLoss()
    with Watch(model, criterion, path=tmp_path / "w.npz") as watch:
        outputs = model(Leaf(X))
        loss = criterion(Leaf(np.reshape(outputs, (-1, 2))), Leaf(y.ravel()))
        model(Leaf(X + 1))
    assert len(watch.iterations) == 2
    session = watch.session(0)
    assert session.debugger.network.description == "rnn tanh 2→3→4→2"
    assert session.debugger.tape(0).loss == pytest.approx(float(loss), rel=1e-12)


@pytest.mark.parametrize("c_read", [False, True])
def test_what_comes_back_to_a_cells_output_is_what_the_next_step_does_not_send(tmp_path: Path, c_read: bool) -> None:
    """By a recording: dL/dh and its share from the next step are what torch would send back to the states' views."""
    arrays = {name.removesuffix("_l0"): array for name, array in pytorch.state("lstm").items()}
    cell = Trained(arrays, lambda self, input, hx=None: (Leaf(np.ones((4, 3))), Leaf(np.ones((4, 3)))), input_size=2,
                   hidden_size=3, **arrays)  # fmt: skip
    del cell.num_layers
    back = np.random.default_rng(0).normal(size=(4, 6, 3))
    with Watch(cell, path=tmp_path / "w.npz") as watch:
        state = None
        for t in range(6):
            state = cell(Leaf(X[:, t]), state)
    tape = record(
        Network.from_torch(watch.parts.recurrent, None, loss="given", reduction="sum", predict="every"), X, back
    )
    kept = watch.iterations[-1]
    for t in range(6):
        kept.back |= {f"0:0.{t}": tape["dh"][t + 1], f"0:0.{t} next": tape["dh_next"][t + 1]}
        kept.back |= {f"0:1.{t}": tape["dc_next"][t + 1] + c_read, f"0:1.{t} next": tape["dc_next"][t + 1]}
    if c_read:
        with pytest.raises(InputError, match="something else than the next step reads c"):
            watch.session()
        return
    np.testing.assert_allclose(watch.session().debugger.tape(0)["dx"], tape["dx"], rtol=1e-12, atol=1e-15)


def test_cells_that_do_not_go_on_from_their_own_states_are_refused(tmp_path: Path) -> None:
    model = called_step_by_step(resets="upper")
    with Watch(model, path=tmp_path / "w.npz") as watch:
        model(Leaf(X))
    watch.iterations[-1].back["0:0.5"] = np.ones((4, 3))
    with pytest.raises(InputError, match="do not each go on from the state that they made"):
        watch.session()


@pytest.mark.parametrize("wide", [2, 3])
def test_a_linear_layer_that_reads_something_else_than_the_output_is_none_of_ours(wide: int) -> None:
    model = pytorch.network("gru")
    model.parts["fc"].in_features = wide
    assert (Watch(model).parts.linear is None) == (wide != 3)
    if wide != 3:
        with pytest.raises(InputError, match=r"fc reads 2 values, and rnn hands on 3; rnn_tui\.watch shows it"):
            session_of(model, X, Y)


def test_a_loss_of_each_sample_is_known_by_its_mean(tmp_path: Path) -> None:
    model = pytorch.network("gru")
    with Watch(model, path=tmp_path / "w.npz") as watch:
        model(X)
        watch.step(np.array([1.0, 2.0, 4.0, 5.0]), Leaf(Y))
    assert watch.iterations[-1].loss == 3


def test_an_evaluation_in_between_is_no_iteration(tmp_path: Path) -> None:
    model = pytorch.network()
    watch, _, criterion = watched(model, tmp_path)
    with watch:
        for part in model.parts.values():
            part.training = False
        train(model, criterion, 2)
    assert not watch.iterations


def test_without_a_criterion_the_loop_tells(tmp_path: Path) -> None:
    model = pytorch.network()
    with Watch(model, path=tmp_path / "w.npz") as watch:
        model(Leaf(X))
        with pytest.raises(InputError, match="the targets are not known; give the criterion to watch, or call step"):
            watch.session()
        watch.step(Leaf(np.float64(0.5)), Leaf(Y))
    assert watch.session().data.y.tolist() == Y.tolist()
    assert watch.session().data.said == ("the loss of iteration 0 was 0.5, that of this recording is 0.761068",)


@pytest.mark.parametrize(
    ("model", "options", "sentence"),
    [
        (pytorch.network(), {"keep": 0}, "keep must be 1 or more, not 0"),
        (pytorch.network(), {"plateau": 0}, "plateau must be 1 or more, not 0"),
        (
            pytorch.network(),
            {"when": "nonsense(("},
            "not an expression; write for example: norm(dzi) < 0.1 (column 10 of 'nonsense((')",
        ),
        (pytorch.network(), {"when": "norm(dhh) < 1"}, "there is no quantity dhh; there are dh, "),
        (pytorch.network(), {"hidden": 3}, "hidden is the modules'; leave it away"),
        ((object(), object()), {}, "object has no state_dict"),
    ],
)
def test_what_cannot_be_watched(model: Any, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError) as refused:
        Watch(model, **options)
    assert str(refused.value).startswith(sentence)


def test_what_stands_between_modules_is_dropout_or_nothing() -> None:
    """An activation leaves nothing below 0, where dropout would leave some."""
    rng = np.random.default_rng(0)
    handed, drawn = rng.normal(size=(4, 5, 6)), (rng.random((4, 5, 6)) < 0.5) * 2.0
    np.testing.assert_array_equal(kept_between(handed, handed * drawn), drawn)
    np.testing.assert_array_equal(kept_between(handed, handed), np.ones_like(handed))
    assert kept_between(handed, np.maximum(handed, 0)) is None
    assert kept_between(handed, np.maximum(handed, 0) * drawn) is None
