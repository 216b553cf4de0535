"""What a program gets is what its user would give it; what it does is noticed and thrown away."""

from __future__ import annotations

import json
import os
import tempfile
import textwrap
from importlib.util import find_spec
from pathlib import Path

import pytest

from engine.doctor.run.launch import Wishes, run
from engine.doctor.run.program import ProgramFile
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
    written(
        root / "tools" / "data.py",
        "from numbers_of_mine import DATA, __name__ as NAME\nassert NAME == 'tools.numbers_of_mine'\n",
    )
    written(root / "tools" / "numbers_of_mine.py", "DATA = 3\n")
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
    assert outcome.implicit == ("numbers_of_mine",)
    assert outcome.folder == str(root / "train")
    assert "where input.txt lies" in outcome.note
    assert outcome.ending.kind == "file"
    assert outcome.ending.name == "nowhere.txt"
    assert outcome.ending.line == 12
    assert outcome.sentence().startswith('line 12 (open("nowhere.txt")) reads a file that is not there: nowhere.txt')


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
        if plt.version_info[:2] >= (8, 24) or plt.version_info < (1,): print("a version")
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
        if bar.n < 2 or bar.total != 2: print("counted", bar.n)
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


def test_a_missing_module_stops_a_program_where_it_uses_it(tmp_path: Path) -> None:
    text = """
        import nowhere_a, nowhere_b
        from nowhere_a.parts import nothing, Base
        import importlib.util, json
        def sized(x: nothing) -> nowhere_b.Size: return x
        try:
            import nowhere_c
        except ImportError:
            nowhere_c = None
        def loaded():
            import nowhere_d
        try:
            loaded()
        except ModuleNotFoundError as error:
            print(error.name)
        try:
            importlib.import_module("nowhere_e")
        except ModuleNotFoundError as error:
            print(error.name)
        print(nowhere_c, importlib.util.find_spec("nowhere_f"), sized(nowhere_b) is nowhere_b, isinstance(1, nothing))
    """
    outcome = launch(tmp_path / "mine" / "mine.py", text)
    assert outcome.output == "nowhere_d\nnowhere_e\nNone None True False\n"
    assert (outcome.ending.kind, outcome.absent) == ("end", ("nowhere_a", "nowhere_b"))
    uses = (
        "class Own(Base): pass",
        "nowhere_a.x + 1",
        "1 @ nowhere_a.x()",
        "for each in nothing(): pass",
        "if nothing(): pass",
        "open(nothing['x'])",
        "import numpy; numpy.exp(nothing)",
    )
    trying = "\n".join(f"try: exec({use!r})\nexcept ImportError as error: print(error.name)" for use in uses)
    outcome = launch(tmp_path / "mine" / "mine.py", f"{textwrap.dedent(text)}{trying}\njson.dumps(Base)\n")
    assert outcome.output.endswith("\n" + "nowhere_a\n" * len(uses))
    assert (outcome.ending.kind, outcome.ending.name, outcome.absent) == ("module", "nowhere_a", ("nowhere_b",))
    outcome = launch(tmp_path / "mine" / "mine.py", "from nowhere_a import *\nprint(1)\n")
    assert (outcome.ending.kind, outcome.ending.line, outcome.output) == ("module", 1, "")


def test_what_a_missing_module_gives_may_be_shown_and_handed_on(tmp_path: Path) -> None:
    text = """
        import nowhere_a, nowhere_b.parts
        import nowhere_c
        nowhere_a.enable(); first, second = nowhere_b.parts.pair(1)["x"]
        with nowhere_b.parts.opened() as log: log.level = 3
        print(first, f"{second:>3}|", nowhere_a.RED + "text", nowhere_a.__version__)
    """
    outcome = launch(tmp_path / "mine" / "mine.py", text)
    assert (outcome.ending.kind, outcome.output) == ("end", " | text \n")
    assert (outcome.stubs, outcome.absent) == (("nowhere_a", "nowhere_b"), ("nowhere_c",))
    assert outcome.lacks().startswith("line 4 (nowhere_a.enable(); first, second = nowhere_b.parts.pair(1)")


def test_progress_is_one_line_on_a_terminal_and_nothing_elsewhere(tmp_path: Path) -> None:
    path = written(
        tmp_path / "mine" / "mine.py", "import time\nend = time.time() + 1\nwhile time.time() < end: x = 1\n"
    )
    ours, theirs = os.openpty()
    wishes = Wishes(stand=path.parent, runner="plain")
    with os.fdopen(theirs, "w") as terminal:
        run(ProgramFile(path, path.read_text()), wishes, tmp_path / "record", terminal)
        os.set_blocking(ours, False)
        shown = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert "\rmine.py runs: 0 s of computing, line 3 (Ctrl+C ends it)\x1b[K" in shown
    assert shown.endswith("\r\x1b[K")
    assert "\n" not in shown
    with (tmp_path / "piped").open("w+") as file:
        run(ProgramFile(path, "x = 1"), wishes, tmp_path / "record", file)
        assert file.tell() == 0


def test_a_notebook_runs_in_its_own_folder_and_is_told_by_cells(tmp_path: Path) -> None:
    path = written(tmp_path / "mine" / "mine.ipynb", "{}")
    written(tmp_path / "mine" / "data.txt", "7")
    text = "x = open('data.txt').read()\ndisplay(x)\nget_ipython()\ny = 1\n"
    wishes = Wishes(stand=tmp_path, runner="plain")
    early = f"from __future__ import annotations\ny = f(3)\nprint(y)\n{text}def f(x: Nothing): return x\n"
    outcome = run(ProgramFile(path, early, (1, 4, 7)), wishes, tmp_path / "record")
    assert (outcome.sentence(), outcome.left) == ("it ran to its end", ((2, "f"),))
    outcome = run(ProgramFile(path, text + "print(x / 2)\n", (1, 4)), wishes, tmp_path / "record")
    assert outcome.where == "cell 2, line 2"
    assert outcome.folder == str(tmp_path / "mine")
