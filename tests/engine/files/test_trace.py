"""A trace gives back what was recorded, opens as a network again, and is refused in a sentence when it is something else."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.lib import format as npy
from numpy.typing import NDArray

from engine.errors import InputError
from engine.files import trace as module
from engine.files.trace import Trace, read_trace, write_trace
from engine.files.trace_model import initial_of, network_of
from engine.files.writing import write_npz
from engine.model.network import Network
from engine.recording.record import record
from engine.recording.tape import Tape
from engine.recording.threads import processors
from engine.registry import ACTIVATIONS, LOSSES
from engine.tables.cells import CELLS

META = {"iteration": 3, "classes": ["no", "yes ✓", "\x1b[31m"]}


def batch() -> tuple[NDArray[np.float64], NDArray[np.int64], dict[str, NDArray[np.float64]]]:
    rng = np.random.default_rng(5)
    return rng.standard_normal((4, 6, 2)), np.array([0, 2, 1, 1]), {"a": rng.standard_normal((4, 5))}


def tape_of(*, initial: bool = False, **options: object) -> Tape:
    X, y, state = batch()
    made = Network(**{"inputs": 2, "outputs": 3, "hidden": 5, "seed": 9, **options})
    return record(made, X, y, initial=state if initial else None)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "run.npz"
    write_trace(path, tape_of(activation="relu", initial=True), meta=META)
    return path


def changed(path: Path, change: Callable[[dict[str, object]], None]) -> Path:
    """The trace at `path` with its arrays (and `meta` as a dictionary) changed."""
    with np.load(path) as archive:
        arrays: dict[str, object] = dict(archive)
    arrays["meta"] = json.loads(str(arrays["meta"]))
    change(arrays)
    if isinstance(arrays.get("meta"), dict):
        arrays["meta"] = np.array(json.dumps(arrays["meta"]))
    np.savez(path, **arrays)
    return path


# Round trip


def test_numpy_alone_reads_every_quantity_of_the_table(written: Path) -> None:
    tape = tape_of(activation="relu", initial=True)
    forward = {"x": (6, 4, 2), "z": (6, 4, 5), "a": (7, 4, 5), "logits": (4, 3), "p": (4, 3), "y": (4,), "loss": ()}
    backward = dict.fromkeys(("da", "da_out", "da_next"), (7, 4, 5))
    backward |= {"dx": (6, 4, 2), "dz": (6, 4, 5), "dlogits": (4, 3)}
    weights = {"Wx": (2, 5), "Wa": (5, 5), "ba": (5,), "Wy": (5, 3), "by": (3,)}
    gradients = {f"d{name}": shape for name, shape in weights.items()}
    with np.load(written, allow_pickle=False) as archive:
        arrays = dict(archive)
    text = arrays.pop("meta")
    assert {n: a.shape for n, a in arrays.items()} == {**forward, **backward, **weights, **gradients}
    assert all(a.tobytes() == tape[n].tobytes() and a.dtype == tape[n].dtype for n, a in arrays.items())
    assert np.array_equal(arrays["da"], arrays["da_out"] + arrays["da_next"])
    assert text.shape == () and text.dtype.kind == "U"
    assert json.loads(str(text))["classes"] == META["classes"]


def test_reading_gives_the_same_bits_and_the_description(written: Path) -> None:
    tape = tape_of(activation="relu", initial=True)
    trace = read_trace(written)
    assert all(array.tobytes() == tape[name].tobytes() for name, array in trace.arrays.items())
    assert not any(array.flags.writeable for array in trace.arrays.values())
    assert trace.file == "run.npz"
    assert (trace.meta["iteration"], trace.meta["classes"], trace.meta["seed"]) == (3, META["classes"], 9)
    assert trace.meta["options"]["cell"] == "rnn"
    assert trace.meta["options"]["activation"] == "relu"
    assert trace.meta["versions"]["numpy"] == np.__version__
    assert set(trace.meta["versions"]) == {"rnn-tui", "numpy", "python"}
    lines = [line for block in trace.meta["equations"] for line in block["lines"]]
    assert {"z_t = x_t·Wx + a_{t-1}·Wa + ba", "dz_t = da_t ⊙ 1[z_t > 0]"} <= set(lines)
    assert [b["phase"] for b in trace.meta["equations"]][0::5] == ["forward", "update"]
    assert trace.meta["matrix_library"]["processors"] == processors()


def test_the_description_names_threads_but_nothing_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    monkeypatch.setenv("OMP_NUM_THREADS", "/home/someone")
    path = tmp_path / "run.npz"
    write_trace(path, tape_of(), meta={})
    meta = read_trace(path).meta
    assert meta["matrix_library"]["threads"]["OPENBLAS_NUM_THREADS"] == 3
    assert "OMP_NUM_THREADS" not in meta["matrix_library"]["threads"]
    text = json.dumps(dict(meta))
    assert str(tmp_path) not in text and "/home" not in text and "site-packages" not in text


def test_what_the_tape_tells_goes_before_what_is_given(tmp_path: Path) -> None:
    path = tmp_path / "run.npz"
    write_trace(path, tape_of(), meta={"options": {}, "seed": 1, "format": 7, "data": "x.csv", "at": np.int64(2)})
    meta = read_trace(path).meta
    assert (meta["options"]["hidden"], meta["seed"], meta["format"], meta["data"], meta["at"]) == (5, 9, 1, "x.csv", 2)
    assert (meta["iteration"], meta["classes"]) == (0, [])


@pytest.mark.parametrize("rate", [float("inf"), float("-inf"), float("nan"), 1])
def test_a_rate_that_is_not_finite_survives(tmp_path: Path, rate: float) -> None:
    path = tmp_path / "run.npz"
    write_trace(path, tape_of(lr=rate), meta={})
    with np.load(path) as archive:
        json.loads(str(archive["meta"]), parse_constant=lambda constant: pytest.fail(f"{constant} is not JSON"))
    lr = network_of(read_trace(path))[0].lr
    assert lr == rate or (lr != lr and rate != rate)


def test_two_traces_of_one_tape_are_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_trace(tmp_path / name, tape_of(), meta=META)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


# Back to a network


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("initial", [False, True])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_the_rebuilt_network_records_the_same_bits(tmp_path: Path, dtype: str, initial: bool, activation: str) -> None:
    tape = tape_of(dtype=dtype, activation=activation, reduction="sum", lr=0.3, initial=initial)
    path = tmp_path / "run.npz"
    write_trace(path, tape, meta={})
    trace = read_trace(path)
    network, X, y = network_of(trace)
    again = record(network, X, y, initial=initial_of(trace))
    assert bool(initial_of(trace)) is initial
    assert (network.dtype, network.activation, network.reduction, network.lr) == (dtype, activation, "sum", 0.3)
    for name, array in tape.arrays.items():
        assert again[name].tobytes() == array.tobytes(), name


def test_weights_of_a_later_iteration_are_the_ones_that_come_back(tmp_path: Path) -> None:
    X, y, _ = batch()
    made = Network(inputs=2, outputs=3, hidden=5, seed=9)
    later = {name: value + 1 for name, value in made.weights.items()}
    tape = record(made, X, y, parameters=later)
    write_trace(tmp_path / "run.npz", tape, meta={"iteration": 1})
    network, _, _ = network_of(read_trace(tmp_path / "run.npz"))
    assert all(np.array_equal(network.weights[name], value) for name, value in later.items())


def test_a_cell_of_ones_own_must_be_given(tmp_path: Path) -> None:
    own = replace(CELLS["rnn"], name="mine")
    write_trace(tmp_path / "run.npz", tape_of(cell=own), meta={})
    trace = read_trace(tmp_path / "run.npz")
    with pytest.raises(InputError, match=r"cell mine, which does not come with rnn-tui; give its file with --cell"):
        network_of(trace)
    network, X, y = network_of(trace, cell=own)
    assert record(network, X, y).loss == float(trace.arrays["loss"])


def option(name: str, value: object) -> Callable[[dict[str, dict[str, dict[str, object]]]], None]:
    return lambda arrays: arrays["meta"]["options"].__setitem__(name, value)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (option("hidden", 10**12), "Wx has shape (2, 5), its network needs (2, 1000000000000)"),
        (option("hidden", "8"), 'the option hidden cannot be "8"'),
        (option("hidden", 5.0), "the option hidden cannot be 5.0"),
        (option("hidden", True), "the option hidden cannot be true"),
        (option("lr", [0.1]), "the option lr cannot be [0.1]"),
        (option("activation", "exec"), f"activation 'exec' does not exist; choose {', '.join(ACTIVATIONS)}"),
        (option("loss", "none"), f"loss 'none' does not exist; choose {', '.join(LOSSES)}"),
        (option("seed", -1), "seed must be 0 or more, not -1"),
        (option("future", 1), "there is no option future; is it of a newer version?"),
        (lambda a: a["meta"]["options"].pop("dtype"), "the option dtype is missing in meta"),
        (lambda a: a["meta"].__setitem__("options", 1), "meta has no options; write it again with rnn-tui trace"),
        (lambda a: a.update(x=np.zeros((6, 4))), "x has shape (6, 4), it needs (time steps, samples, 2)"),
        (lambda a: a.update(y=np.full(4, 3)), "y holds classes 3 to 3, this network has the classes 0 to 2"),
        (lambda a: a.update(Wa=np.zeros((5, 4))), "Wa has shape (5, 4), its network needs (5, 5)"),
    ],
)
def test_options_and_arrays_that_do_not_fit_are_refused(
    written: Path, change: Callable[[dict[str, object]], None], sentence: str
) -> None:
    trace = read_trace(changed(written, change))
    with pytest.raises(InputError) as refused:
        network_of(trace)
    assert str(refused.value) == f"run.npz: {sentence}"


def test_a_missing_weight_is_refused(written: Path) -> None:
    trace = read_trace(changed(written, lambda arrays: arrays.pop("Wa")))
    with pytest.raises(InputError, match=r"run\.npz has no array named Wa, so it is no whole trace"):
        network_of(trace)


def test_an_initial_state_of_the_wrong_shape_is_refused(written: Path) -> None:
    trace = read_trace(changed(written, lambda arrays: arrays.update(a=np.zeros((7, 3, 5)))))
    with pytest.raises(InputError, match=r"run\.npz: a has shape \(7, 3, 5\)"):
        initial_of(trace)


# Refusals of reading


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda a: a.pop("meta"), "run.npz has no array named meta, so it is no trace; write one with rnn-tui trace"),
        (lambda a: a["meta"].update(format=2), "run.npz is a trace of format 2, this version reads format 1"),
        (lambda a: a.update(z=np.array("text")), "run.npz: z holds text; save numbers (integers, floats or booleans)"),
        (
            lambda a: a.update(z=np.array([{}], dtype=object)),
            "run.npz: z holds Python objects (a pickle); save numbers (integers, floats or booleans)",
        ),
    ],
)
def test_what_is_no_trace_is_refused(written: Path, change: Callable[[dict[str, object]], None], sentence: str) -> None:
    with pytest.raises(InputError) as refused:
        read_trace(changed(written, change))
    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    "meta",
    [
        np.array([{}], dtype=object),
        np.array(["{}"]),
        np.array(1.0),
        np.array("{"),
        np.array("[1]"),
        np.array("[" * 100_000),
        np.frombuffer(b"\xff\xff\xff\x7f", dtype="<U1").reshape(()),
    ],
    ids=["pickle", "row", "number", "not JSON", "list", "deep", "no character"],
)
def test_a_meta_that_is_no_description_is_refused(written: Path, meta: NDArray[np.generic]) -> None:
    with pytest.raises(InputError) as refused:
        read_trace(changed(written, lambda arrays: arrays.update(meta=meta)))
    assert str(refused.value) == (
        "run.npz: meta does not hold the description of a trace; write it again with rnn-tui trace"
    )


def test_a_meta_that_claims_to_be_huge_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    header = io.BytesIO()
    npy.write_array_header_1_0(header, {"shape": (), "fortran_order": False, "descr": "<U500000000"})
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("meta.npy", header.getvalue())
    monkeypatch.setattr(npy, "read_array", lambda *_, **__: pytest.fail("unpacked"))
    with pytest.raises(InputError, match=r"bomb\.npz: meta does not hold"):
        read_trace(path)


def test_a_meta_longer_than_any_is_refused(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with np.load(written) as archive:
        length = archive["meta"].dtype.itemsize
    monkeypatch.setattr(module, "META_LIMIT", length)
    read_trace(written)
    monkeypatch.setattr(module, "META_LIMIT", length - 1)
    with pytest.raises(InputError, match=r"run\.npz: meta does not hold"):
        read_trace(written)


def test_a_changed_letter_of_meta_is_noticed(written: Path) -> None:
    content = written.read_bytes()
    for old, new in (("yes", "yet"), ("relu", "tanh")):
        one, other = old.encode("utf-32-le"), new.encode("utf-32-le")
        assert content.count(one) >= 1
        written.write_bytes(content.replace(one, other))
        with pytest.raises(InputError, match=r"run\.npz: meta does not hold"):
            read_trace(written)


def test_damaged_bytes_are_refused(written: Path) -> None:
    content = written.read_bytes()
    with np.load(written) as archive:
        place = content.index(archive["dWa"].tobytes())  # of a header not every bit matters
    flipped = content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
    for damaged in (content[: len(content) // 2], flipped, b"", b"text", b"PK\3\4"):
        written.write_bytes(damaged)
        with pytest.raises(InputError, match=r"^run\.npz"):
            read_trace(written)


def test_a_missing_file_and_a_limit_are_refused(written: Path) -> None:
    with pytest.raises(InputError, match=r"none\.npz cannot be read"):
        read_trace(written.parent / "none.npz")
    with pytest.raises(InputError, match="more than the limit of 100 bytes"):
        read_trace(written, limit=100)


# Writing


def test_the_suffix_is_not_forced_and_nothing_else_is_left(tmp_path: Path) -> None:
    write_trace(tmp_path / "plain", tape_of(), meta={})
    assert [path.name for path in tmp_path.iterdir()] == ["plain"]
    assert isinstance(read_trace(tmp_path / "plain"), Trace)


def test_an_existing_file_is_replaced_at_once(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the rename the old file is whole, and the new one lies beside it."""
    before = written.read_bytes()
    seen: list[bool] = []
    rename = Path.replace

    def replace_(self: Path, target: Path) -> Path:
        seen.append(written.read_bytes() == before and self.parent == written.parent and zipfile.is_zipfile(self))
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", replace_)
    write_trace(written, tape_of(activation="tanh"), meta={})
    assert seen == [True]
    assert read_trace(written).meta["options"]["activation"] == "tanh"


@pytest.mark.parametrize(
    ("failure", "raised", "sentence"),
    [
        (OSError(28, "No space left on device"), InputError, "run.npz cannot be written (No space left on device)"),
        (PermissionError(13, "Permission denied"), InputError, "run.npz cannot be written (Permission denied)"),
        (KeyboardInterrupt(), KeyboardInterrupt, ""),
        (MemoryError(), MemoryError, ""),
    ],
)
@pytest.mark.parametrize("place", ["write", "rename"])
def test_a_failure_leaves_the_old_file_and_nothing_beside_it(
    written: Path,
    monkeypatch: pytest.MonkeyPatch,
    failure: BaseException,
    raised: type[BaseException],
    sentence: str,
    place: str,
) -> None:
    before = written.read_bytes()
    beside: list[str] = []

    def fail(*_: object, **__: object) -> None:
        beside.extend(path.name for path in written.parent.iterdir() if path != written)
        raise failure

    if place == "write":
        monkeypatch.setattr(module.npy, "write_array", fail)
    else:
        monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(raised) as refused:
        write_trace(written, tape_of(), meta={})
    assert str(refused.value).startswith(sentence)
    assert len(beside) == 1
    assert written.read_bytes() == before
    assert [path.name for path in written.parent.iterdir()] == ["run.npz"]


def test_places_that_cannot_be_written_are_refused(tmp_path: Path) -> None:
    for path, sentence in (
        (tmp_path / "no" / "run.npz", "the folder of run.npz does not exist; make it first, or give another name"),
        (tmp_path, f"{tmp_path.name} is a folder; give the name of a file to write"),
    ):
        with pytest.raises(InputError) as refused:
            write_trace(path, tape_of(), meta={})
        assert str(refused.value) == sentence
    assert list(tmp_path.iterdir()) == []


def test_a_device_is_never_replaced_by_a_file(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(InputError, match="pipe is not an ordinary file"):
        write_npz(pipe, {"x": np.zeros(1)})
    assert pipe.is_fifo()


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"old")
    link = tmp_path / "link"
    link.symlink_to("target")
    write_npz(link, {"x": np.arange(3)})
    assert link.is_symlink()
    with np.load(tmp_path / "target") as archive:
        assert archive["x"].tolist() == [0, 1, 2]


def test_any_name_of_an_array_can_be_written(tmp_path: Path) -> None:
    write_npz(tmp_path / "x.npz", {"file": np.zeros(2), "allow_pickle": np.ones(3)})
    with np.load(tmp_path / "x.npz") as archive:
        assert sorted(archive) == ["allow_pickle", "file"]


def test_objects_are_never_pickled(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="allow_pickle=False"):
        write_npz(tmp_path / "x.npz", {"x": np.array([{}], dtype=object)})
    assert list(tmp_path.iterdir()) == []
