"""What a program gets is what its user would give it; what it does is noticed and thrown away."""

from __future__ import annotations

import json
import os
import tempfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from engine.doctor.run import interpreter, program
from engine.doctor.run.launch import Wishes, run, working_folders
from engine.doctor.run.limits import Limits, limits
from engine.doctor.run.program import UserProgram, belonging
from engine.doctor.run.workplace import Workplace
from engine.errors import InputError
from tests.engine.doctor.run.launching import launch, written

EVERYTHING = """
    import os, sys, json
    import numpy as np
    import engine, rnn_tui, numpy_helper          # the user's own, beside the program
    import mmap                                   # also one called like a module of Python's
    from tqdm import tqdm
    import matplotlib.pyplot as plt

    seen = {"argv": sys.argv, "name": __name__, "file": __file__, "cwd": os.getcwd(), "path": sys.path[0]}
    seen["own"] = [engine.MINE, rnn_tui.MINE, numpy_helper.MINE, mmap.MINE]
    seen["data"] = open("data.txt").read() + open("../above/more.txt").read()
    seen["bar"] = [i for i in tqdm(range(3), desc="x")]
    figure, axes = plt.subplots()
    axes.plot(seen["bar"])
    plt.show()
    seen["environment"] = [os.environ["MINE"], os.environ["MPLBACKEND"]]
    open("data.txt", "w").write("overwritten")
    os.makedirs("results/deep")
    np.save("results/deep/weights.npy", np.ones(3))
    os.remove("numpy_helper.py")
    open("../above/more.txt", "a").write("more")  # a linked folder
    for path in (ELSEWHERE, ABSOLUTE):
        try:
            open(path, "w")
        except PermissionError as error:
            seen.setdefault("refused", []).append(error.filename)
    try:
        import urllib.request
        urllib.request.urlopen("http://example.com/data.txt")
    except OSError as error:
        seen["network"] = str(error)
    breakpoint()
    print(json.dumps(seen))
    def loss(x):
        return x @ np.ones((3, 2))
    loss(np.ones((2, 2)))
"""


def test_a_program_has_what_its_user_gives_it_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "home" / "mine"
    for name in ("engine", "rnn_tui", "numpy_helper", "mmap"):
        written(folder / f"{name}.py", f"MINE = {name!r}\n")
    written(folder / "data.txt", "data ")
    more = written(tmp_path / "home" / "above" / "more.txt", "more")
    elsewhere = tmp_path / "elsewhere.txt"
    monkeypatch.setenv("MINE", "mine")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    text = EVERYTHING.replace("ELSEWHERE", repr(str(elsewhere))).replace("ABSOLUTE", repr(str(folder / "data.txt")))
    outcome = launch(folder / "mine.py", text, "--rate", "0.1")

    seen = json.loads(outcome.output.splitlines()[-1])  # an installed tqdm has shown its bar before
    assert seen["argv"] == ["mine.py", "--rate", "0.1"]
    assert seen["name"] == "__main__"
    assert [seen["file"], seen["cwd"], seen["path"]] == [str(folder / "mine.py"), str(folder), str(folder)]
    assert seen["own"] == ["engine", "rnn_tui", "numpy_helper", "mmap"]
    assert seen["data"] == "data more"
    assert seen["bar"] == [0, 1, 2]
    assert seen["environment"] == ["mine", "Agg"]
    assert seen["refused"] == [str(elsewhere), str(folder / "data.txt")]
    assert "--network allows it" in seen["network"]

    assert (folder / "data.txt").read_text() == "data "
    assert more.read_text() == "more"
    assert not (folder / "results").exists()
    assert (folder / "numpy_helper.py").exists()
    assert not elsewhere.exists()
    assert outcome.written == (str(more), str(folder / "data.txt"), str(folder / "results/deep/weights.npy"))

    ending = outcome.ending
    assert (ending.kind, ending.type) == ("exception", "ValueError")
    assert [(place.file, place.function) for place in ending.frames] == [
        (str(folder / "mine.py"), "<module>"),
        (str(folder / "mine.py"), "loss"),
    ]
    assert ending.shapes["x"] == [2, 2]
    assert outcome.sentence().startswith(f"line {ending.line} (return x @ np.ones((3, 2))) fails with ValueError")
    assert outcome.command.endswith("mine.py --rate 0.1")
    assert [(r.kind, r.what) for r in outcome.refused] == [
        ("write", str(elsewhere)),
        ("write", str(folder / "data.txt")),
        ("network", "example.com"),
    ]
    assert not outcome.is_whole
    assert not outcome.is_condition
    assert json.dumps(outcome.to_json())
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_part_of_a_package_is_run_as_one(tmp_path: Path) -> None:
    root = tmp_path / "project"
    (root / ".git").mkdir(parents=True)
    for package in ("net", "net/cells"):
        written(root / package / "__init__.py", "")
    written(root / "net" / "steps.py", "from .cells import gates\nSTEPS = gates.GATES + 1\n")
    written(root / "net" / "cells" / "gates.py", "GATES = 4\n")
    text = """
        from ..steps import STEPS
        from . import gates
        print(STEPS, gates.GATES, __package__, open("numbers.txt").read(), __name__)
    """
    written(root / "numbers.txt", "7")
    path = root / "net" / "cells" / "lstm.py"
    outcome = launch(path, text, stand=root)
    assert outcome.sentence() == "it ran to its end"
    assert outcome.output == "5 4 net.cells 7 __main__\n"
    assert outcome.command.endswith(" -m net.cells.lstm")
    assert outcome.folder == str(root)


def test_a_module_of_the_projects_root_is_found_last(tmp_path: Path) -> None:
    root = tmp_path / "project"
    (root / ".git").mkdir(parents=True)
    written(root / "tools" / "data.py", "DATA = 3\n")
    written(root / "train" / "input.txt", "beside")
    text = """
        from tools.data import DATA
        try:
            from .nowhere import nothing
        except ImportError:
            nothing = None
        try:
            import rnn_tui
        except ModuleNotFoundError as error:
            print(error.name)
        print(DATA, open("input.txt").read(), nothing)
        open("nowhere.txt")
    """
    outcome = launch(root / "train" / "mine.py", text, stand=root)
    # Not found where the user stands, so it was run again beside the program.
    assert outcome.output == "rnn_tui\n3 beside None\n"
    assert outcome.folder == str(root / "train")
    assert "where input.txt lies" in outcome.note
    assert outcome.ending.kind == "file"
    assert outcome.ending.name == "nowhere.txt"
    assert outcome.ending.line == 12
    assert outcome.is_condition
    assert outcome.sentence().startswith('line 12 (open("nowhere.txt")) reads a file that is not there: nowhere.txt')


def test_where_a_program_belongs_and_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    folder = home / "work" / "mine"
    folder.mkdir(parents=True)
    (home / "tools").mkdir()
    path = folder / "mine.py"
    alone = belonging(UserProgram(path, "import numpy, tools\nfrom . import x"))
    assert alone.package == "mine"  # `python -m mine.mine`, as good as any guess
    assert (alone.root, alone.path) == (folder, folder.parent)
    assert belonging(UserProgram(path, "import tools")).more == ()  # nothing is looked for in a home folder
    assert belonging(UserProgram(path, "from ... import x")).package is None
    assert belonging(UserProgram(path, "this is no Python")).root == folder
    (home / ".git").mkdir()  # a home folder under version control is no project
    assert program.project_root(folder) is None

    (folder / "below").mkdir()
    plain = UserProgram(path, "")
    assert working_folders(plain, folder) == [folder]
    assert working_folders(plain, folder.parent) == [folder.parent, folder]
    assert working_folders(plain, folder / "below") == [folder / "below", folder]
    assert working_folders(plain, home) == [folder, home]
    assert working_folders(plain, home / "tools") == [folder, home / "tools"]
    assert working_folders(UserProgram(folder / "mine.ipynb", ""), folder.parent) == [folder, folder.parent]
    cells = UserProgram(folder / "mine.ipynb", "a = 1\nb = 2\nc = 3\n", (1, 3))
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


@pytest.mark.skipif(any(map(find_spec, ("matplotlib", "seaborn", "numba", "tensorboardX"))), reason="they are here")
def test_stubs_stand_for_what_only_shows_something(tmp_path: Path) -> None:
    text = """
        from helper import trained
        import matplotlib; matplotlib.use("TkAgg")
        import matplotlib.pyplot as plt, seaborn as sns
        from tensorboardX import SummaryWriter
        from IPython.display import clear_output
        from numba import jit, njit, prange
        from colorama import Fore
        from termcolor import colored
        import tqdm
        SummaryWriter("runs").add_scalar("loss", 1.0, 2)
        figure, axes = plt.subplots(2, 2)
        line, = axes[0, 1].plot([1, 2])
        counts, bins, patches = plt.hist([1, 2])
        while plt.fignum_exists(1): pass
        plt.pause(1000)
        @jit
        def add(x): return x + 1
        @njit(parallel=True)
        def total(n):
            s = 0
            for i in prange(n): s += i
            return s
        for i in tqdm.trange(3): pass
        bar = tqdm.tqdm([1, 2])
        for i in bar: bar.set_description("two")
        print(add(1), total(4), Fore.RED + "text", colored("blue", "blue"), f"{plt}", i)
        trained()
    """
    written(tmp_path / "mine" / "helper.py", "def trained():\n    sns.load_dataset('iris')\nimport seaborn as sns\n")
    outcome = launch(tmp_path / "mine" / "mine.py", text)
    assert outcome.output == "2 6 text blue  2\n"
    assert {"seaborn", "tensorboardX", "IPython", "numba"} <= set(outcome.stubs)
    assert outcome.sentence().startswith(
        "line 2 of helper.py (sns.load_dataset('iris')) needs a module that is not installed"
    )


def test_progress_is_one_line_on_a_terminal_and_nothing_elsewhere(tmp_path: Path) -> None:
    path = written(
        tmp_path / "mine" / "mine.py", "import time\nend = time.time() + 1\nwhile time.time() < end: x = 1\n"
    )
    ours, theirs = os.openpty()
    wishes = Wishes(stand=path.parent, runner="plain")
    with os.fdopen(theirs, "w") as terminal:
        run(UserProgram(path, path.read_text()), wishes, tmp_path / "record", terminal)
        os.set_blocking(ours, False)
        shown = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert "\rmine.py runs: 0 s of computing, line 3 (Ctrl+C ends it)\x1b[K" in shown
    assert shown.endswith("\r\x1b[K")
    assert "\n" not in shown
    with (tmp_path / "piped").open("w+") as file:
        run(UserProgram(path, "x = 1"), wishes, tmp_path / "record", file)
        assert file.tell() == 0


def test_limits_are_given_in_words() -> None:
    assert limits("120") == Limits(120.0)
    assert limits("8GB") == Limits(memory=8 << 30)
    assert limits("5min, 512MB") == Limits(300.0, 512 << 20)
    for text in ("", "0", "-1", "1e9", "8 TB", "1MB", "9" * 30, "nan", "60,\x1b"):
        with pytest.raises(InputError, match="seconds of computing, memory or both"):
            limits(text)


def test_a_notebook_runs_in_its_own_folder_and_is_told_by_cells(tmp_path: Path) -> None:
    path = written(tmp_path / "mine" / "mine.ipynb", "{}")
    written(tmp_path / "mine" / "data.txt", "7")
    text = "x = open('data.txt').read()\ndisplay(x)\nget_ipython()\ny = 1\n"
    wishes = Wishes(stand=tmp_path, runner="plain")
    outcome = run(UserProgram(path, text, (1, 4)), wishes, tmp_path / "record")
    assert outcome.sentence() == "it ran to its end"
    outcome = run(UserProgram(path, text + "print(x / 2)\n", (1, 4)), wishes, tmp_path / "record")
    assert outcome.where == "cell 2, line 2"
    assert outcome.folder == str(tmp_path / "mine")
