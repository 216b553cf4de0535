"""Names become files: what exists comes first, then the examples; everything else is refused with a suggestion."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import InputError
from engine.files import locate
from engine.files.locate import resolve, sample_folder, sample_names
from tests.engine.files import is_clean


def test_nothing_means_the_built_in_example() -> None:
    assert resolve(None) == sample_folder() / "many_to_one.toml"
    assert sample_names()[0] == "many_to_one"


def test_a_bare_name_is_an_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "exploding").mkdir()  # a folder is not a data file
    for name in sample_names():
        assert resolve(name) == sample_folder() / f"{name}.toml"
        assert resolve(Path(name)) == resolve(name)


def test_an_existing_file_comes_before_an_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("vanishing").write_text("1,2\n")
    assert resolve("vanishing") == tmp_path / "vanishing"
    assert resolve("vanishing").is_absolute()


def test_a_misspelt_example_is_suggested() -> None:
    with pytest.raises(InputError, match=r"named vanshing; did you mean vanishing\?.*rnn-tui examples"):
        resolve("vanshing")


def test_a_misspelt_file_is_suggested(tmp_path: Path) -> None:
    (tmp_path / "numbers.csv").write_text("1,2\n")
    with pytest.raises(InputError, match=r"did you mean numbers\.csv\?"):
        resolve(tmp_path / "nubmers.csv")


def test_an_example_with_a_suffix_is_a_file_that_does_not_exist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"no example named vanishing\.csv"):
        resolve("vanishing.csv")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("", "is empty"),
        ("  ", "is empty"),
        ("no\0such", "named no␀such"),
        ("x" * 100_000, "no example named xxx"),
        ("/no/such/folder/file.csv", "no example named /no/such"),
        ("\x1b]52;c;eA==\x07.csv", "␛]52;c;eA==␇.csv"),
    ],
)
def test_hopeless_names_are_refused_in_clean_text(source: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        resolve(source)
    assert words in str(caught.value)
    assert is_clean(str(caught.value))


def test_folders_and_pipes_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path.parent)
    for name in (tmp_path, tmp_path.name):
        with pytest.raises(InputError, match="is a folder, not a data file"):
            resolve(name)
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(InputError, match="is a device or a pipe"):
        resolve(tmp_path / "pipe.csv")


@pytest.mark.parametrize("place", ["package/sample_data", "sample_data"])
def test_samples_are_found_in_a_wheel_and_in_a_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    (tmp_path / place).mkdir(parents=True)
    (tmp_path / place / "many_to_one.toml").write_text("")
    monkeypatch.setattr(locate, "__file__", str(tmp_path / "package" / "files" / "locate.py"))
    assert sample_folder() == (tmp_path / place).resolve()


def test_an_installation_without_samples_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locate, "__file__", str(tmp_path / "package" / "files" / "locate.py"))
    with pytest.raises(InputError, match="sample data is missing"):
        resolve(None)


def test_finding_files_and_listing_examples_loads_no_numpy() -> None:
    program = (
        "import sys; from engine.files.locate import resolve; from engine.files.project import samples; "
        "resolve(None); assert samples(); sys.exit('numpy' in sys.modules)"
    )
    root = Path(__file__).resolve().parents[3]
    assert subprocess.run([sys.executable, "-c", program], cwd=root, check=False).returncode == 0
