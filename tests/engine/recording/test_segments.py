"""Checkpoints: whatever is read is what a recording that keeps everything would hold, bit for bit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import engine.recording.compiled
import engine.recording.plan
from engine import Debugger, InputError, Network, Tape
from engine.language.derive import OUT
from engine.recording.checks import refuse_too_large
from engine.recording.plan import plan
from engine.recording.pooling import Pooled
from engine.recording.record import record_with
from engine.recording.segments import SEGMENTS_KEPT, Segments

Array = np.ndarray[Any, Any]
BATCH, INPUTS, HIDDEN = 3, 2, 5

MODELS: dict[str, dict[str, Any]] = {
    "rnn": {},
    "relu in float32": {"activation": "relu", "dtype": "float32"},
    "lstm": {"cell": "lstm"},
    "gru": {"cell": "gru"},
    "every": {"predict": "every"},
    "every lstm": {"cell": "lstm", "predict": "every"},
    "chunks": {"cell": "gru", "predict": "every", "truncate": 4, "truncate_by": "chunk"},
    "window": {"cell": "lstm", "truncate": 4},
    "a window for each loss": {"cell": "lstm", "predict": "every", "truncate": 4},
    "layers": {"cell": "lstm", "hidden": (5, 3)},
    "residual": {"hidden": (5, 5), "residual": True},
    "layers, every": {"hidden": (3, 5), "predict": "every", "truncate": 4, "truncate_by": "chunk"},
    "two directions": {"bidirectional": True, "cell": "lstm"},
    "two directions, every": {
        "bidirectional": True,
        "cell": "gru",
        "predict": "every",
        "truncate": 4,
        "truncate_by": "chunk",
    },
    "two directions, window": {"bidirectional": True, "truncate": 4},
    "two directions, layers": {"bidirectional": True, "cell": "lstm", "hidden": (5, 3), "predict": "every"},
    "two directions, a window for each loss": {
        "bidirectional": True,
        "hidden": (5, 3),
        "predict": "every",
        "truncate": 2,
    },
    "two directions, residual": {
        "bidirectional": True,
        "hidden": (5, 5),
        "residual": True,
        "dropout": 0.5,
        "learn_initial": True,
    },
    "learned initial states": {
        "cell": "lstm",
        "hidden": (3, 5),
        "predict": "every",
        "learn_initial": True,
        "dropout": 0.5,
    },
}


def both(monkeypatch: pytest.MonkeyPatch, steps: int, *, short: bool = False, **options: Any) -> tuple[Tape, Tape]:
    """One recording with checkpoints and one without, in the same blocks of steps."""
    network = Network(inputs=INPUTS, outputs=3, **{"hidden": HIDDEN, **options})
    rng = np.random.default_rng(1)
    X = rng.normal(size=(BATCH, steps, INPUTS))
    y = rng.integers(3, size=(BATCH, steps) if network.predict == "every" else BATCH)
    learned = {name: rng.normal(size=network.weights[name].shape) for name in network.table.initial.values()}
    network = replace(network, weights={**network.weights, **learned})
    states = {name: rng.normal(size=(BATCH, network.sizes[axis])) for name, (_, axis) in network.state_axes.items()}
    given: dict[str, Any] = {
        "initial": {} if learned else states,
        "lengths": np.array([steps, 2, steps - 1]) if short else None,
    }
    sparse = plan(network, BATCH, steps, masked=short, checkpoints=True)
    monkeypatch.setattr(engine.recording.plan, "BLOCK_VALUES", sparse.block_steps * BATCH * HIDDEN)
    if steps > 10:
        monkeypatch.setattr(engine.recording.compiled, "MANY", 0)  # as in large networks
    full = plan(network, BATCH, steps, masked=short)
    assert full.bounds == sparse.bounds
    return record_with(sparse, X, y, **given), record_with(full, X, y, **given)


@pytest.fixture(params=MODELS, ids=list(MODELS))
def model(request: pytest.FixtureRequest) -> dict[str, Any]:
    return MODELS[request.param]


@pytest.mark.parametrize("steps", [1, 9, 11])
def test_every_row_of_every_quantity(monkeypatch: pytest.MonkeyPatch, model: dict[str, Any], steps: int) -> None:
    """Samples of one length or of several, by turns."""
    short = steps > 1 and (list(MODELS.values()).index(model) + steps // 10) % 2 == 1
    sparse, full = both(monkeypatch, steps, short=short, **model)
    assert set(sparse.arrays) == set(full.arrays)
    order = np.random.default_rng(0)
    for name, quantity in full.plan.program.quantities.items():
        assert np.asarray(sparse[name]).tobytes() == full[name].tobytes(), name
        assert sparse[name].shape == full[name].shape
        if quantity.rows:
            for t in order.permutation(np.array(quantity.steps(steps))):
                row = sparse.at(name, int(t))
                assert row.tobytes() == full.at(name, int(t)).tobytes(), (name, t)
                assert not row.flags.writeable


def test_partial_gradients_terms_and_updates(monkeypatch: pytest.MonkeyPatch, model: dict[str, Any]) -> None:
    sparse, full = both(monkeypatch, 11, **model)
    assert sparse.loss == full.loss
    for name in full.gradients:
        assert sparse["d" + name].tobytes() == full["d" + name].tobytes(), name
        assert sparse.updates[name].tobytes() == full.updates[name].tobytes(), name
        (line,) = full.plan.program.writers("d" + name)
        looped = full.plan.program.blocks[line.block].in_time
        for t in range(1, 12):
            assert sparse.partial("d" + name, t).tobytes() == full.partial("d" + name, t).tobytes(), (name, t)
            if looped:
                assert sparse.term(line, t).tobytes() == full.term(line, t).tobytes(), (name, t)


def test_figures_of_all_rows(monkeypatch: pytest.MonkeyPatch, model: dict[str, Any]) -> None:
    sparse, full = both(monkeypatch, 11, **model)
    for name, quantity in full.plan.program.quantities.items():
        if quantity.rows:
            np.testing.assert_allclose(sparse.norms(name), full.norms(name), rtol=1e-14)
            if "B" in quantity.axes and len(quantity.axes) > 1:
                np.testing.assert_allclose(sparse.norms(name, 1), full.norms(name, 1), rtol=1e-14)
            assert sparse.scale(name) == full.scale(name)
            assert sparse.depth(name) == full.depth(name)


def test_flows_that_no_line_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    sparse, full = both(monkeypatch, 9)
    for name in ("da_next", "da" + OUT):
        assert np.asarray(sparse[name]).tobytes() == full[name].tobytes()
        assert sparse.at(name, 4).tobytes() == full.at(name, 4).tobytes()


def test_numbers_that_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network(inputs=1, outputs=2, hidden=3, activation="relu", init_scale=1e60)
    sparse = record_with(plan(network, 2, 9, checkpoints=True), np.ones((2, 9, 1)), np.zeros(2, int))
    full = record_with(plan(network, 2, 9), np.ones((2, 9, 1)), np.zeros(2, int))
    assert not np.isfinite(full["a"]).all()
    assert (sparse.scale("a"), sparse.depth("a")) == (full.scale("a"), full.depth("a"))
    np.testing.assert_array_equal(sparse["a"], full["a"])


def test_only_some_segments_are_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    sparse, full = both(monkeypatch, 100, cell="lstm")
    assert isinstance(sparse.arrays, Segments)
    for t in range(1, 101):
        sparse.at("i", t)
        assert len(sparse.arrays._segments) <= SEGMENTS_KEPT
    kept = sum(a.nbytes for a in (*sparse.arrays.kept.values(), *sparse.arrays.sums.values()))
    assert kept == sparse.plan.nbytes() < full.plan.nbytes()


def test_rows_stand_for_an_array(monkeypatch: pytest.MonkeyPatch) -> None:
    sparse, full = both(monkeypatch, 11)
    rows, array = sparse["z"], full["z"]
    assert (len(rows), rows.ndim, rows.dtype) == (len(array), array.ndim, array.dtype)
    for key in (3, -1, slice(2, 9), slice(None, None, 2), [4, 1], (5, 1), (slice(1, 3), 2), (slice(None), 0), ...):
        np.testing.assert_array_equal(rows[key], array[key])
    np.testing.assert_array_equal(np.abs(rows), np.abs(array))
    assert rows.max() == array.max()
    assert rows[5:2].shape == array[5:2].shape
    with pytest.raises(IndexError):
        rows[11]


@pytest.mark.parametrize("checkpoints", [False, True], ids=["everything kept", "checkpoints"])
def test_progress_grows_to_one_and_may_end_the_recording(monkeypatch: pytest.MonkeyPatch, checkpoints: bool) -> None:
    network = Network(inputs=1, outputs=2, hidden=4)
    monkeypatch.setattr(engine.recording.plan, "BLOCK_VALUES", 12)
    prepared = plan(network, 1, 9, checkpoints=checkpoints)
    told: list[float] = []
    record_with(prepared, np.ones((1, 9, 1)), np.zeros(1, int), progress=told.append)
    assert told == sorted(told)
    assert len(told) == 2 * len(prepared.bounds) == 8
    assert told[0] > 0
    assert told[-1] == pytest.approx(1)

    def enough(share: float) -> None:
        if share > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        record_with(prepared, np.ones((1, 9, 1)), np.zeros(1, int), progress=enough)


def test_what_does_not_fit_is_refused_with_its_size_and_a_remedy() -> None:
    large = plan(Network(inputs=1, outputs=2, hidden=64), 1, 100_000)
    refuse_too_large(large, None)
    refuse_too_large(large, large.nbytes())
    with pytest.raises(InputError, match=r"T = 100000, H = 64 takes 197M, .* --memory-limit 100M; with --checkpoints"):
        refuse_too_large(large, 100 << 20)
    with pytest.raises(InputError, match="raise the limit"):
        refuse_too_large(replace(large, checkpoints=True), 1 << 20)
    with pytest.raises(InputError, match="--batch-size"):
        refuse_too_large(replace(large, batch=9), 1 << 20)


def test_the_debugger_refuses_before_it_records() -> None:
    network, X, y = Network(inputs=1, outputs=2, hidden=4), np.ones((2, 50, 1)), np.zeros(2, int)
    with pytest.raises(InputError, match="--memory-limit 1K"):
        Debugger(network, X, y, memory_limit=1024)
    told: list[float] = []
    debugger = Debugger(network, X, y, memory_limit=1 << 20, checkpoints=True)
    debugger.pace.progress = told.append
    whole = Debugger(network, X, y)
    for position in (0, 3, 60, debugger.program.length + 5):
        debugger.go(position)
        whole.go(position)
        assert debugger.view.point == whole.view.point
        np.testing.assert_allclose(debugger.view.tape["dz"], whole.view.tape["dz"], rtol=1e-12)
    assert told


@pytest.mark.parametrize("sample", [None, 2])
@pytest.mark.parametrize("columns", [1, 5, 12])
def test_many_steps_in_few_columns(monkeypatch: pytest.MonkeyPatch, columns: int, sample: int | None) -> None:
    for tape in both(monkeypatch, 11, short=True, cell="lstm"):
        padded = np.concatenate([np.zeros((1, BATCH), bool), tape["mask"] == 0])
        for name in ("h", "dh", "dzi", "i", "dc_next", "dh_next", "mask"):
            array = np.array(tape[name])
            array = array if array.ndim == 3 else array[..., None]
            array = np.concatenate([np.zeros((12 - len(array), *array.shape[1:])), array])
            if name != "mask":
                array[padded] = 0
            chosen = array if sample is None else array[:, sample : sample + 1]
            edges = [column * 12 // columns for column in range(columns + 1)]
            for column, found in enumerate(tape.pooled(name, columns, sample)):
                entries = chosen[edges[column] : edges[column + 1]].reshape(-1, array.shape[2])
                largest = np.abs(entries).argmax(axis=0)
                np.testing.assert_array_equal(found, entries[largest, np.arange(array.shape[2])], f"{name} {column}")


def test_columns_show_numbers_that_are_none() -> None:
    pooled = Pooled(4, 2, 3, np.dtype(float))
    pooled.add(np.array([[[1.0, -np.inf, np.nan]], [[-1.0, 5.0, np.inf]], [[-2.0, 1.0, 0.0]]]), 0)
    pooled.add(np.array([[[1.0, -1.0, 0.0]]]), 3)
    np.testing.assert_array_equal(pooled.values, [[1, -np.inf, np.nan], [-2, 1, 0]])
