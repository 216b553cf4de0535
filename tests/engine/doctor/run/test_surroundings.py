"""Where a program belongs, what is copied of it, which Python runs it, and how much it may use."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from engine.doctor.run import interpreter, program
from engine.doctor.run.launch import working_folders
from engine.doctor.run.limits import Limits, limits
from engine.doctor.run.program import ProgramFile, belonging
from engine.doctor.run.workplace import Workplace
from engine.errors import InputError
from tests.engine.doctor.run.launching import launch, written


def test_where_a_program_belongs_and_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    folder = home / "work" / "mine"
    folder.mkdir(parents=True)
    (home / "tools").mkdir()
    path = folder / "mine.py"
    alone = belonging(ProgramFile(path, "import numpy, tools\nfrom . import x"))
    assert alone.package == "mine"  # `python -m mine.mine`, as good as any guess
    assert (alone.root, alone.path) == (folder, folder.parent)
    assert belonging(ProgramFile(path, "import tools")).more == ()  # nothing is looked for in a home folder
    assert belonging(ProgramFile(path, "from ... import x")).package is None
    assert belonging(ProgramFile(path, "this is no Python")).root == folder
    (folder / "__init__.py").touch()
    assert belonging(ProgramFile(path, "from mine import tools")).more == (folder.parent,)
    (folder / "__init__.py").unlink()
    cells = home / "my-work" / "cells"  # no package can be called my-work
    cells.mkdir(parents=True)
    for part in (cells, cells.parent):
        (part / "__init__.py").touch()
    as_part = belonging(ProgramFile(cells / "lstm.py", "from .base import Cell"))
    assert (as_part.package, as_part.root, as_part.path) == ("cells", cells.parent, cells.parent)
    (home / ".git").mkdir()  # a home folder under version control is no project
    assert program.project_root(folder) is None

    (folder / "below").mkdir()
    plain = ProgramFile(path, "")
    assert working_folders(plain, folder) == [folder]
    assert working_folders(plain, folder.parent) == [folder.parent, folder]
    assert working_folders(plain, folder / "below") == [folder / "below", folder]
    assert working_folders(plain, home) == [folder, home]
    assert working_folders(plain, home / "tools") == [folder, home / "tools"]
    assert working_folders(ProgramFile(folder / "mine.ipynb", ""), folder.parent) == [folder, folder.parent]
    cells = ProgramFile(folder / "mine.ipynb", "a = 1\nb = 2\nc = 3\n", (1, 3))
    assert [cells.place(n) for n in (2, 3)] == ["cell 1, line 2", "cell 2, line 1"]


def test_a_workplace_copies_small_files_links_large_ones_and_follows_no_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "project"
    written(root / "mine.py", "x = 1\n")
    written(root / "sub" / "data.txt", "data")
    written(root / "node_modules" / "much.js", "")
    written(root / "environment" / "pyvenv.cfg", "")
    written(tmp_path / "other" / "far.txt", "far")
    (root / "large.bin").write_bytes(bytes(2000))
    (root / "loop").symlink_to(root)
    (root / "far").symlink_to(tmp_path / "other")
    (root / "broken").symlink_to(root / "nowhere")
    os.mkfifo(root / "pipe")
    monkeypatch.setattr("engine.doctor.run.workplace.FILE", 1000)
    with Workplace(root, tmp_path / "other") as place:
        there = place.there(root)
        assert (there / "sub" / "data.txt").read_text() == "data"
        assert not (there / "sub" / "data.txt").is_symlink()
        assert (there / "large.bin").is_symlink()
        assert (there / "loop").resolve() == there
        assert (there / "far" / "far.txt").read_text() == "far"
        assert sorted(p.name for p in there.iterdir()) == ["broken", "far", "large.bin", "loop", "mine.py", "sub"]
        assert not place.there(tmp_path / "other").is_symlink()  # the user stands there
        assert (place.there(tmp_path / "other") / "far.txt").is_symlink()
        assert place.written() == ()
        (there / "sub" / "new.txt").write_text("new")
        (there / "mine.py").write_text("x = 2\n")
        assert place.written() == (str(root / "mine.py"), str(root / "sub" / "new.txt"))
        assert place.at_home(f"in {there}/mine.py") == f"in {root}/mine.py"
        (there / "sub").chmod(0)
    assert not place.base.exists()
    monkeypatch.setattr("engine.doctor.run.workplace.MANY", 0)
    with Workplace(root, root) as place:
        assert (place.there(root) / "sub").is_symlink()
    monkeypatch.setattr("engine.doctor.run.workplace.ENTRIES", 1)
    with Workplace(root, root, root / "sub") as place:
        assert not (place.there(root) / "sub" / "data.txt").is_symlink()  # the program's own folder comes first
        assert (place.there(root) / "mine.py").is_symlink()


def test_the_interpreter_is_the_users(tmp_path: Path) -> None:
    def python(folder: Path, says: str) -> Path:
        path = written(folder / "bin" / "python", f"#!/bin/sh\n{says}\n")
        path.chmod(0o755)
        return path

    project = tmp_path / "project"
    own = interpreter.find(project, environment={})
    assert own.why.startswith("our own")
    good = 'echo \'{"python": "3.8.1", "numpy": "1.19.0"}\''
    beside = python(project / ".venv", good)
    found = interpreter.find(project, environment={})
    assert (found.path, found.python, found.numpy) == (beside, "3.8.1", "1.19.0")
    assert found.why == "the environment beside the program"
    python(tmp_path / "active", 'echo \'{"python": "3.12.1", "without": "ModuleNotFoundError"}\'')
    conda = python(tmp_path / "conda", good)
    active = {"VIRTUAL_ENV": str(tmp_path / "active"), "CONDA_PREFIX": str(tmp_path / "conda")}
    found = interpreter.find(project, environment=active)
    assert (found.path, found.why) == (conda, "the active conda environment")
    assert found.passed_over == (f"{tmp_path}/active/bin/python: NumPy cannot be imported there",)
    for says, why in (
        ('echo \'{"python": "2.7.18", "numpy": "1.16.0"}\'', "it is Python 2.7.18"),
        ('echo \'{"python": "3.8.0", "numpy": "1.18.5"}\'', "it has NumPy 1.18.5"),
        ("echo hello", "no Python that answers"),
        ("exit 3", "no Python that answers"),
    ):
        with pytest.raises(InputError, match=why):
            interpreter.find(project, str(python(tmp_path / "bad", says)))
    with pytest.raises(InputError, match="cannot be started"):
        interpreter.find(project, str(tmp_path / "nowhere"))


def test_limits_are_given_in_words() -> None:
    assert limits("120") == Limits(120.0)
    assert limits("8GB") == Limits(memory=8 << 30)
    assert limits("5min, 512MB") == Limits(300.0, 512 << 20)
    for text in ("", "0", "-1", "1e9", "8 TB", "1MB", "9" * 30, "nan", "60,\x1b"):
        with pytest.raises(InputError, match="seconds of computing, memory or both"):
            limits(text)


def test_beside_a_program_in_a_home_folder_only_files_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # the private folder lies in the very folder that is copied
    written(tmp_path / "data.txt", "data")
    written(tmp_path / "folder" / "more.txt", "more")
    text = """
        import os
        print(sorted(os.listdir()), os.path.islink("folder"), os.path.islink("data.txt"))
        print(open("folder/more.txt").read())
        open("folder/more.txt", "w")
        print(os.path.islink("folder"))
    """
    outcome = launch(tmp_path / "mine.py", text)
    shown = outcome.output.splitlines()
    assert "['data.txt', 'folder', 'mine.py'" in shown[0]
    assert shown[0].endswith("True False")
    assert shown[1:] == ["more", "False"]
    assert (tmp_path / "folder" / "more.txt").read_text() == "more"
