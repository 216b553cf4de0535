"""NPZ files: shapes, types and sizes are checked by the headers; damage and tricks end in InputError."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import InputError
from engine.files.arrays import read_npz
from engine.files.data import Data, load
from tests.engine.files import is_clean

X = np.arange(24.0).reshape(4, 3, 2)
Y = np.array([2, 0, 2, 0])
RELAXED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.fixture(name="path")
def npz_path(tmp_path: Path) -> Path:
    return tmp_path / "x.npz"


def saved(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def data(
    path: Path, timesteps: int | None = None, loss: str | None = None, predict: str | None = None, **arrays: Any
) -> Data:
    return load(saved(path, **arrays), timesteps=timesteps, loss=loss, predict=predict)


def refusal(
    path: Path, timesteps: int | None = None, loss: str | None = None, predict: str | None = None, **arrays: Any
) -> str:
    with pytest.raises(InputError) as caught:
        data(path, timesteps, loss, predict, **arrays)
    assert "x.npz" in str(caught.value)
    return str(caught.value)


def archive(path: Path, *members: tuple[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in members:
            file.writestr(name, content)
    return path


def npy(array: np.ndarray[Any, Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def header(shape: tuple[int, ...], descr: object = "<f8") -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": descr, "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def read_refusal(path: Path, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        read_npz(path, **options)
    assert is_clean(str(caught.value))
    return str(caught.value)


# --- data in NPZ


def test_x_and_y(path: Path) -> None:
    found = data(path, X=X, y=Y)
    np.testing.assert_array_equal(found.X, X)
    assert found.y.tolist() == [1, 0, 1, 0]
    assert found.classes == ("0", "2")
    assert (found.table, found.lengths, {**found.initial}) == (None, None, {})
    assert not found.X.flags.writeable


@pytest.mark.parametrize("dtype", ["?", "u1", ">i4", "f2", "<f4", ">f8"])
def test_all_real_types_become_float64(path: Path, dtype: str) -> None:
    found = data(path, X=np.ones((2, 3, 1), dtype=dtype), y=[0, 1])
    assert found.X.dtype == np.float64
    assert (found.X == 1).all()


def test_fortran_order_and_compression(path: Path) -> None:
    np.savez_compressed(path, X=np.asfortranarray(X), y=Y)
    np.testing.assert_array_equal(load(path).X, X)


def test_two_dimensions_are_one_value_a_step_unless_folded(path: Path) -> None:
    flat = np.arange(12.0).reshape(2, 6)
    assert data(path, X=flat, y=[0, 1]).X.shape == (2, 6, 1)
    np.testing.assert_array_equal(data(path, 3, X=flat, y=[0, 1]).X, flat.reshape(2, 3, 2))
    assert "6 columns: 1, 2, 3 or 6 time steps" in refusal(path, 4, X=flat, y=[0, 1])


def test_three_dimensions_have_their_time_steps(path: Path) -> None:
    assert data(path, 3, X=X, y=Y).X.shape == (4, 3, 2)
    assert "has 3 time steps, not 2; omit --timesteps" in refusal(path, 2, X=X, y=Y)


def test_y_by_type_and_loss(path: Path) -> None:
    assert data(path, X=X, y=Y / 2).classes == ()
    assert data(path, X=X, y=Y / 2).y.tolist() == [1, 0, 1, 0]
    assert data(path, None, "cross-entropy", X=X, y=Y / 4).classes == ("0", "0.5")
    assert data(path, None, "squared", X=X, y=Y).y.dtype == np.float64
    booleans = data(path, X=X, y=Y > 0)
    assert (booleans.classes, booleans.y.tolist()) == (("0", "1"), [1, 0, 1, 0])
    assert data(path, None, "binary", X=X, y=np.ones(4)).y.tolist() == [1, 1, 1, 1]
    assert "the targets have 4" in refusal(path, None, "binary", X=X, y=np.arange(4))


def test_y_a_step_and_y_of_several_outputs(path: Path) -> None:
    steps = data(path, X=X, y=np.arange(12).reshape(4, 3) % 2)
    assert steps.y.tolist() == [[0, 1, 0], [1, 0, 1], [0, 1, 0], [1, 0, 1]]
    assert data(path, X=X, y=np.ones((4, 5))).y.shape == (4, 5)
    assert data(path, X=X, y=np.ones((4, 3, 5))).y.shape == (4, 3, 5)
    assert data(path, X=X, y=Y[:, None]).y.tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize(
    ("y", "loss", "found", "by_itself"),
    [
        (np.zeros(4, dtype=int), None, "last", True),
        (np.zeros((4, 1)), None, "last", True),
        (np.zeros((4, 5)), None, "last", True),
        (np.zeros((4, 3), dtype=int), None, "every", True),
        (np.zeros((4, 3)), None, "every", True),
        (np.zeros((4, 3)), None, "last", False),  # three outputs
        (np.zeros((4, 3), dtype=int), "squared", "last", False),
        (np.zeros((4, 3, 2)), None, "every", True),
        (np.zeros((4, 3, 1), dtype=int), "binary", "every", True),
    ],
)
def test_the_shape_of_y_decides_where_the_read_out_is(
    path: Path, y: np.ndarray[Any, Any], loss: str | None, found: str, by_itself: bool
) -> None:
    assert data(path, None, loss, found, X=X, y=y).options["predict"] == found
    assert (data(path, None, loss, X=X, y=y).options["predict"] == found) == by_itself


def test_one_step(path: Path) -> None:
    one = np.array([[0], [1], [0], [0]])
    assert data(path, X=X[:, :1], y=one).y.tolist() == [0, 1, 0, 0]
    assert data(path, None, None, "every", X=X[:, :1], y=one).y.tolist() == one.tolist()


def test_one_row_and_one_class(path: Path) -> None:
    found = data(path, X=X[:1], y=[3])
    assert (found.X.shape, found.y.tolist(), found.classes) == ((1, 3, 2), [0], ("3",))
    found = data(path, X=X[:1], y=[[3, 3, 3]])
    assert (found.y.tolist(), found.classes) == ([[0, 0, 0]], ("3",))


def test_targets_that_the_read_out_cannot_have_are_refused(path: Path) -> None:
    every, last = "save y as (4, 3), or choose --predict last", "save y as (4,), or choose --predict every"
    for y in (Y, np.ones((4, 5)), np.ones((4, 1))):
        message = refusal(path, None, None, "every", X=X, y=y)
        assert f"y has shape {y.shape}, and --predict every needs one target a step; {every}" in message
    message = refusal(path, None, None, "last", X=X, y=np.ones((4, 3, 2)))
    assert f"y has shape (4, 3, 2), and --predict last needs one target a sample; {last}" in message
    message = refusal(path, None, None, "last", X=X, y=np.ones((4, 3), dtype=int))
    assert "one a step (4, 3) with --predict every" in message
    assert "y has shape (4, 3, 2); class numbers are" in refusal(path, X=X, y=np.ones((4, 3, 2), dtype=int))


# --- short samples


def test_what_stands_beyond_a_samples_length_is_padding(path: Path) -> None:
    padded = X.copy()
    padded[0, 1:] = np.nan
    y = np.array([[5, -1, -1], [5, 7, 7], [5, 5, 5], [7, 7, 7]])
    found = data(path, X=padded, y=y, lengths=[1, 3, 3, 3])
    assert found.classes == ("5", "7")
    assert found.y.tolist() == [[0, 0, 0], [0, 1, 1], [0, 0, 0], [1, 1, 1]]
    assert found.X[0].tolist() == [[0, 1], [0, 0], [0, 0]]
    np.testing.assert_array_equal(found.X[1:], X[1:])
    floats = data(path, X=X, y=np.where(y < 0, np.nan, y / 2), lengths=[1, 3, 3, 3])
    assert floats.y.tolist() == [[2.5, 0, 0], [2.5, 3.5, 3.5], [2.5, 2.5, 2.5], [3.5, 3.5, 3.5]]
    outputs = data(path, X=X, y=np.full((4, 3, 2), 0.5), lengths=[1, 3, 3, 3])
    assert outputs.y[0].tolist() == [[0.5, 0.5], [0, 0], [0, 0]]


def test_what_is_not_finite_within_a_short_sample_is_still_refused(path: Path) -> None:
    bad, y = np.where(X == 9, np.nan, X), np.ones((4, 3))
    assert "X[1, 1, 1] is nan" in refusal(path, X=bad, y=y, lengths=[1, 2, 3, 3])
    assert "y[1, 1] is inf" in refusal(path, X=X, y=np.where(X[:, :, 1] == 9, np.inf, y), lengths=[1, 2, 3, 3])
    flat = bad.reshape(4, 6)  # the place is the file's, whatever the time steps
    assert "X[1, 3] is nan" in refusal(path, 3, X=flat, y=Y, lengths=[1, 2, 3, 3])


def test_lengths_count_folded_steps(path: Path) -> None:
    found = data(path, 3, X=X.reshape(4, 6), y=Y, lengths=[1, 2, 3, 3])
    assert not found.X[0, 1:].any()
    assert "a length must be from 1 to 3" in refusal(path, 3, X=X.reshape(4, 6), y=Y, lengths=[1, 2, 3, 4])


def test_lengths_that_shorten_nothing_are_none(path: Path) -> None:
    assert data(path, X=X, y=Y, lengths=[3, 3, 3, 3]).lengths is None


def test_one_hot_rows_are_told_the_remedy(path: Path) -> None:
    message = refusal(path, X=X, y=np.eye(4, dtype=int)[:, :2])
    assert "y has shape (4, 2)" in message
    assert "y.argmax(axis=-1)" in message


def test_lengths_and_initial_states(path: Path) -> None:
    found = data(path, X=X, y=Y, lengths=np.array([1, 2, 3, 3], dtype="u1"), h0=np.ones((4, 5)), c0=np.zeros((4, 5)))
    assert found.lengths is not None
    assert found.lengths.tolist() == [1, 2, 3, 3]
    assert {name: value.shape for name, value in found.initial.items()} == {"h0": (4, 5), "c0": (4, 5)}
    assert data(path, X=X, y=Y, a0=np.full((4, 2), 3)).initial["a0"].tolist() == [[3.0, 3.0]] * 4
    assert data(path, **{"X": X, "y": Y, "deep/a0": X, "a0.old": X}).initial == {}
    layers = data(path, X=X, y=Y, h01=np.zeros((4, 5)), h0_2=np.zeros((4, 6)), c01r=np.zeros((4, 5))).initial
    assert {name: value.shape for name, value in layers.items()} == {"h01": (4, 5), "h0_2": (4, 6), "c01r": (4, 5)}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"X": np.ones(4)}, "X has shape (4,); save it as (N, T, D) or (N, T)"),
        ({"X": np.ones((4, 0, 2))}, "holds nothing"),
        ({"X": X[:3]}, "X has 3 samples and y has 4"),
        ({"X": np.where(X == 9, np.nan, X)}, "X[1, 1, 1] is nan; save finite numbers, or let it in with --allow-nan"),
        ({"X": X.astype(str)}, "X holds text; save numbers"),
        ({"X": X.astype(complex)}, "X holds complex numbers"),
        ({"X": X.astype("M8[s]")}, "X holds values of type datetime64[s]"),
        ({"X": np.zeros(4, dtype=[("a", "f8")])}, "X holds records"),
        ({"y": np.array(["a"] * 4)}, "y holds text"),
        ({"y": np.array([None] * 4)}, "y holds Python objects (a pickle)"),
        ({"y": np.array(3)}, "y has shape ()"),
        ({"y": np.array([0, 1, np.inf, 0])}, "y[2] is inf"),
        ({"y": np.ones((4, 2, 1))}, "y has 2 steps and X has 3"),
        ({"lengths": np.array([1, 0, 3, 3])}, "lengths[1] is 0; a length must be from 1 to 3"),
        ({"lengths": np.array([1, 2, 3, 4])}, "lengths[3] is 4; a length must be from 1 to 3"),
        ({"lengths": np.ones(4)}, "lengths has shape (4,) and type float64; save one integer a sample, shape (4,)"),
        ({"lengths": np.ones(3, dtype=int)}, "lengths has shape (3,)"),
        ({"lengths": np.array([1, -1, 3, 3])}, "lengths[1] is -1; a length must be from 1 to 3"),
        ({"lengths": np.ones(4, dtype=bool)}, "lengths has shape (4,) and type bool"),
        ({"X": np.zeros((0, 3, 2)), "y": np.zeros(0)}, "X has shape (0, 3, 2) and so holds nothing"),
        ({"y": Y * 1j}, "y holds complex numbers"),
        ({"a0": np.ones(4)}, "a0 has shape (4,); save it as (4, H)"),
        ({"h0": np.ones((3, 5))}, "h0 has shape (3, 5); save it as (4, H)"),
        ({"a0": np.ones((4, 5)), "h0": np.ones((4, 5))}, "both a0 and h0"),
        ({"h0": np.ones((4, 5)), "c0": np.ones((1, 4, 5))}, "h0 has shape (4, 5) and c0 (1, 4, 5)"),
        ({"c0": np.full((4, 5), np.nan)}, "c0[0, 0] is nan"),
        ({"h01": np.ones((4, 5)), "h0": np.ones((4, 5))}, "both h01 and h0"),
        ({"a01": np.ones((4, 5)), "h0_1": np.ones((4, 5))}, "both a01 and h0_1"),
        ({"h02": np.ones((2, 4, 5))}, "h02 has shape (2, 4, 5); save it as (4, H), one row a sample of X"),
    ],
)
def test_what_does_not_fit_is_refused(path: Path, change: dict[str, Any], words: str) -> None:
    assert words in refusal(path, **{"X": X, "y": Y, **change})


def test_missing_arrays_are_named_with_what_there_is(path: Path) -> None:
    message = refusal(path, inputs=X, labels=Y)
    assert "no array named X (it holds inputs, labels); save it under that name" in message
    assert "(it holds nothing)" in refusal(path)


def test_nan_may_be_let_in(path: Path) -> None:
    saved(path, X=np.full((1, 2, 1), np.nan), y=[0])
    assert np.isnan(load(path, allow_nan=True).X).all()


# --- the safe reader


def test_arrays_not_asked_for_are_not_looked_at(path: Path) -> None:
    archive(path, ("a.npy", npy(X)), ("b.npy", b"rubbish"), ("readme.txt", b"hello"))
    assert list(read_npz(path, ("a", "z"))) == ["a"]
    assert "array b is cut off or damaged" in read_refusal(path)


def test_without_names_everything_is_read(path: Path) -> None:
    found = read_npz(saved(path, a=X, b=Y, c=np.float32(2)))
    assert list(found) == ["a", "b", "c"]
    np.testing.assert_array_equal(found["a"], X)
    assert found["c"] == 2


def test_a_zip_bomb_is_refused_by_its_header(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 1 << 22  # 32 MiB of zeros in a file of some 32 KB: honest about its size, and above the limit
    archive(path, ("X.npy", header((count,)) + bytes(8 * count)), compression=zipfile.ZIP_DEFLATED)
    unpacked = 0
    read = zipfile.ZipExtFile.read

    def counted(self: zipfile.ZipExtFile, n: int | None = -1) -> bytes:
        nonlocal unpacked
        content = read(self, n)
        unpacked += len(content)
        return content

    monkeypatch.setattr(zipfile.ZipExtFile, "read", counted)
    message = read_refusal(path, limit=1 << 24)
    assert "X of shape (4194304,) would need 32 MiB of memory, more than the limit of 16 MiB" in message
    assert unpacked < 1000


def test_the_limit_is_for_all_arrays_together_and_counts_float64(path: Path) -> None:
    saved(path, a=np.zeros(10, dtype="u1"), b=np.zeros(10, dtype="u1"))
    assert len(read_npz(path, limit=160)) == 2
    assert "b of shape (10,) would need 160 bytes" in read_refusal(path, limit=159)


@pytest.mark.parametrize("shape", [(1 << 62, 1 << 62), (1 << 40,)])
def test_a_shape_beyond_all_memory_is_refused(path: Path, shape: tuple[int, ...]) -> None:
    assert "more than the limit of 2 GiB" in read_refusal(archive(path, ("X.npy", header(shape))))


@pytest.mark.parametrize(
    "content",
    [
        header((3,)) + bytes(23),
        header((3,)) + bytes(25),
        header((-3,)) + bytes(24),
        header((-3, -1)) + bytes(24),
        npy(X)[:20],
        b"",
        b"\x93NUMPY\x07\x00" + bytes(100),
        b"\x93NUMPY\x01\x00\xff\xff{'descr'",
    ],
)
def test_arrays_that_are_not_what_they_claim_are_refused(path: Path, content: bytes) -> None:
    assert "array X is cut off or damaged; write it again with np.savez" in read_refusal(
        archive(path, ("X.npy", content))
    )


def test_a_changed_byte_is_noticed(path: Path) -> None:
    content = bytearray(saved(path, X=X).read_bytes())
    content[content.index(struct.pack("<d", 17.0)) + 7] ^= 1
    path.write_bytes(content)
    assert "array X is cut off or damaged" in read_refusal(path)


def test_a_truncated_archive_is_refused(path: Path) -> None:
    path.write_bytes(saved(path, X=X).read_bytes()[:-30])
    assert "x.npz is cut off or damaged" in read_refusal(path)


def test_two_arrays_of_one_name_are_refused(path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        archive(path, ("X.npy", npy(X)), ("X.npy", npy(Y)))
    assert "two arrays named X" in read_refusal(path)


@pytest.mark.parametrize(
    ("content", "expected"), [(b"", "is empty"), (b"hello", "not an NPZ archive"), (npy(X), "single .npy array")]
)
def test_what_is_no_archive_is_refused(path: Path, content: bytes, expected: str) -> None:
    path.write_bytes(content)
    message = read_refusal(path)
    assert expected in message
    assert "np.savez" in message


def test_pickles_are_never_loaded(path: Path) -> None:
    class Trap:
        sprung = False

        def __reduce__(self) -> tuple[Any, ...]:
            return exec, (f"import pathlib; pathlib.Path({str(path) + '.sprung'!r}).touch()",)

    np.savez(path, X=np.array([Trap()], dtype=object))
    assert "Python objects (a pickle)" in read_refusal(path)
    assert not Path(f"{path}.sprung").exists()


def test_an_encrypted_member_is_refused(path: Path) -> None:
    content = bytearray(archive(path, ("X.npy", npy(X))).read_bytes())
    content[6] |= 1  # the flag in the local header and in the directory
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    assert "array X is cut off or damaged" in read_refusal(path)


def test_hostile_names_are_clean_in_messages(path: Path) -> None:
    message = read_refusal(archive(path, ("\x1b[31m\u202e.npy", b"")))
    assert "␛[31m\ufffd" in message


def test_a_missing_file_is_a_sentence(path: Path) -> None:
    assert "cannot be read (No such file or directory)" in read_refusal(path)


@RELAXED
@given(st.binary(max_size=300))
def test_any_bytes_are_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    read_refusal(path)


@RELAXED
@given(st.lists(st.tuples(st.integers(0, 1500), st.integers(1, 255)), min_size=1, max_size=4), st.booleans())
def test_any_damage_is_data_or_an_input_error(path: Path, changes: list[tuple[int, int]], compress: bool) -> None:
    (np.savez_compressed if compress else np.savez)(path, X=X, y=Y)
    content = bytearray(path.read_bytes())
    for at, change in changes:
        content[at % len(content)] ^= change
    path.write_bytes(content)
    try:
        found = load(path)
    except InputError as error:
        assert is_clean(str(error))
    else:  # the change hit something that no reader looks at, a date for example
        np.testing.assert_array_equal(found.X, X)
