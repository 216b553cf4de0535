"""Text files for character models: windows, the characters that follow, names of characters, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import InputError
from engine.files import samples_txt
from engine.files.data import Data, load
from engine.files.samples import Wanted
from engine.files.samples_txt import read_characters
from tests.engine.files import is_clean

RELAXED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.fixture(name="path")
def txt_path(tmp_path: Path) -> Path:
    return tmp_path / "x.txt"


def data(
    path: Path,
    content: str | bytes,
    timesteps: int | None = None,
    predict: str | None = None,
    loss: str | None = None,
) -> Data:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return load(path, timesteps=timesteps, predict=predict, loss=loss)


def refusal(path: Path, content: str | bytes, timesteps: int | None = None, loss: str | None = None) -> str:
    with pytest.raises(InputError) as caught:
        data(path, content, timesteps, loss=loss)
    assert "x.txt" in str(caught.value)
    assert is_clean(str(caught.value))
    return str(caught.value)


def text_of(found: Data) -> list[str]:
    """The windows as text again."""
    return ["".join(found.classes[k] for k in row) for row in found.X.argmax(axis=2)]


def test_windows_and_the_characters_that_follow(path: Path) -> None:
    found = data(path, "hello world", 5)
    assert found.classes == ("␠", "d", "e", "h", "l", "o", "r", "w")
    assert found.X.shape == (2, 5, 8)
    assert found.X.dtype == np.float64
    assert (found.X.sum(axis=2) == 1).all()
    assert text_of(found) == ["hello", "␠worl"]
    assert ["".join(found.classes[k] for k in row) for row in found.y] == ["ello␠", "world"]
    assert found.y.dtype == np.int64
    assert found.options["predict"] == "every"
    assert (found.table, found.lengths, found.name) == (None, None, "x")
    assert not found.X.flags.writeable


def test_predict_last_is_the_character_after_the_window(path: Path) -> None:
    found = data(path, "hello world", 5, "last")
    assert text_of(found) == ["hello", "␠worl"]
    assert [found.classes[k] for k in found.y] == ["␠", "d"]
    assert found.options["predict"] == "last"


def test_windows_are_of_25_characters_and_the_rest_is_left_out(path: Path) -> None:
    assert data(path, "ab" * 13).X.shape == (1, 25, 2)
    assert data(path, "ab" * 37).X.shape == (2, 25, 2)
    assert data(path, "ab" * 12 + "axyz", 24).classes == ("a", "b", "x", "y", "z")  # the text's, whatever the windows


def test_line_ends_and_the_byte_order_mark(path: Path) -> None:
    found = data(path, "\ufeffa\r\nb\rc\nd", 6)
    assert found.classes == ("␊", "a", "b", "c", "d")
    assert text_of(found) == ["a␊b␊c␊"]


def test_characters_are_shown_as_what_can_be_seen(path: Path) -> None:
    found = data(path, "\t\x1b~é\u00a0\u200b\u0301\u202e漢🙂\x9b", 3)
    assert found.classes == (
        "␉", "␛", "~", "U+009B", "U+00A0", "é", "U+0301", "U+200B", "U+202E", "漢", "🙂",
    )  # fmt: skip
    assert all(is_clean(name) for name in found.classes)


def test_one_character_is_one_class(path: Path) -> None:
    found = data(path, "aaaa", 3)
    assert (found.X.shape, found.y.tolist(), found.classes) == ((1, 3, 1), [[0, 0, 0]], ("a",))


def test_two_characters_may_be_binary(path: Path) -> None:
    assert data(path, "0110", 3, loss="binary").y.tolist() == [[1, 1, 0]]
    assert "--loss binary needs two classes, or 0 and 1, and the targets have 3" in refusal(path, "abca", 3, "binary")


def test_characters_are_no_numbers(path: Path) -> None:
    message = refusal(path, "0110", 3, "squared")
    assert "characters are classes, not numbers; choose --loss cross-entropy instead of squared" in message


@pytest.mark.parametrize(
    ("content", "timesteps", "words"),
    [
        ("", None, "x.txt is empty; give a text of 26 characters or more"),
        ("\ufeff", 3, "x.txt is empty; give a text of 4 characters or more"),
        (
            "a",
            None,
            "has 1 character, too few for a window of 25 time steps and the character after it; give more text",
        ),
        ("hello", None, "has 5 characters, too few for a window of 25 time steps"),
        ("hello", 5, "use --timesteps 4 or less, or give more text"),
        (b"a\nb\xff", 1, "row 2 is not UTF-8 text; save the file as UTF-8"),
        ("hello".encode("utf-16"), 1, "is not UTF-8 text"),
        (b"a\n\nb\0c", 1, "row 3 contains a NUL byte"),
    ],
)
def test_what_is_no_text_or_too_short_is_refused(
    path: Path, content: str | bytes, timesteps: int | None, words: str
) -> None:
    assert words in refusal(path, content, timesteps)


def test_a_text_too_large_as_one_hot_vectors_is_refused_before_they_are_made(path: Path) -> None:
    content = "abcdefgh" * 100
    path.write_text(content)
    assert read_characters(path, Wanted(), limit=800 * 8 * 8).X.shape == (31, 25, 8)
    with pytest.raises(InputError) as caught:
        read_characters(path, Wanted(), limit=20_000)
    assert str(caught.value) == (
        "x.txt: 800 characters, 8 different ones, would need 48.4 KiB of memory as one-hot vectors, more than the limit of "
        "19.5 KiB; keep the first 312 characters"
    )
    path.write_text(content[:312])
    assert read_characters(path, Wanted(), limit=20_000).X.nbytes <= 20_000


def test_a_file_above_the_limit_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples_txt, "SIZE_LIMIT", 8)
    assert "larger than 8 bytes" in refusal(path, "a" * 9)


def test_a_project_may_name_a_text(path: Path) -> None:
    path.write_text("hello world")
    (path.parent / "p.toml").write_text('data = "x.txt"\n[options]\ntimesteps = 4\npredict = "last"\n')
    found = load(path.parent / "p.toml")
    assert found.X.shape == (2, 4, 8)
    assert found.y.shape == (2,)


@RELAXED
@given(st.text(min_size=2, max_size=60), st.integers(1, 20))
def test_the_windows_are_the_text(tmp_path: Path, text: str, timesteps: int) -> None:
    text = text.replace("\r", "").replace("\0", "").removeprefix("\ufeff")
    path = tmp_path / "x.txt"
    try:
        found = data(path, text, timesteps)
    except InputError as error:
        assert len(text) <= timesteps
        assert is_clean(str(error))
        return
    N = (len(text) - 1) // timesteps
    characters = np.array(sorted(set(text)))
    assert "".join(characters[found.X.argmax(axis=2)].ravel()) == text[: N * timesteps]
    assert "".join(characters[found.y].ravel()) == text[1 : N * timesteps + 1]
    np.testing.assert_array_equal(data(path, text, timesteps, "last").y, found.y[:, -1])


@RELAXED
@given(st.binary(max_size=80))
def test_any_bytes_are_data_or_an_input_error(tmp_path: Path, content: bytes) -> None:
    try:
        found = data(tmp_path / "x.txt", content, 2)
    except InputError as error:
        assert is_clean(str(error))
    else:
        assert all(is_clean(name) for name in found.classes)
