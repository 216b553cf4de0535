"""Files are written beside, synced and renamed: whatever fails, what was there is there, and nothing else."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from engine.errors import InputError
from engine.files.writing import place_of, replaced


def test_it_is_synced_before_it_gets_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, seen = tmp_path / "a.csv", list[bytes]()
    path.write_text("old")

    def synced(descriptor: int) -> None:
        seen.extend((Path(f"/proc/self/fd/{descriptor}").read_bytes(), path.read_bytes()))

    monkeypatch.setattr(os, "fsync", synced)
    with replaced(path) as file:
        file.write(b"new")
    assert (seen, path.read_text()) == ([b"new", b"old"], "new")


def test_a_full_disk_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.csv"
    path.write_text("old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with (
        pytest.raises(InputError, match=r"a.csv cannot be written \(No space left on device\)"),
        replaced(path) as file,
    ):
        file.write(b"new")
    assert (path.read_text(), list(tmp_path.iterdir())) == ("old", [path])


def test_what_was_read_is_not_written_over_under_whatever_name(tmp_path: Path) -> None:
    path, link = tmp_path / "a.csv", tmp_path / "b.csv"
    path.write_text("data")
    link.symlink_to(path)
    with pytest.raises(InputError, match=r"b.csv is what was read, and would be lost; give -o another name"):
        place_of(link, path)
    assert place_of(tmp_path / "c.csv", path) == tmp_path / "c.csv"


@pytest.mark.parametrize("name", ["x" * 300, "a\0b"])
def test_a_name_that_no_file_can_have(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        place_of(tmp_path / name)
