"""The command line: what each command prints, and how each kind of wrong use is refused."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from engine.debug.whatif import what_if
from engine.explain.gradcheck import check
from engine.files.locate import sample_names
from engine.files.project import samples
from engine.registry import CELLS
from engine.session import open_session
from rnn_tui import cli, start
from rnn_tui.arguments import COMMANDS

ROOT = Path(__file__).resolve().parents[2]


class Done(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def rnn_tui(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Runs the console script's function in this process."""

    def run(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["rnn-tui", *arguments])
        with pytest.raises(SystemExit) as caught:
            cli.entry()
        out, err = capsys.readouterr()
        return Done(int(caught.value.code or 0), out, err)

    return run


def process(*arguments: str, script: str = "-m rnn_tui", **options) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *script.split(), *arguments]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command, capture_output=True, text=True, encoding="utf-8", check=False, timeout=60, env=environ, stdin=subprocess.DEVNULL, **options
    )  # fmt: skip


def assert_refused(done: Done, *parts: str) -> None:
    """Exit code 2 and one sentence, on standard error only."""
    assert done.code == 2
    assert done.out == ""
    assert done.err.startswith("rnn-tui: ")
    assert done.err.endswith("\n")
    assert len(done.err.splitlines()) == 1
    assert "Traceback" not in done.err
    for part in parts:
        assert part in done.err


# Help and version


def test_help_names_every_option_and_every_command(rnn_tui: Callable[..., Done]) -> None:
    done = rnn_tui("--help")
    assert (done.code, done.err) == (0, "")
    for name in ("--hidden", "--activation", "--timesteps", "--init-scale", "--allow-nan", "--color", "--no-mouse"):
        assert name in done.out
    for name in COMMANDS:
        assert f"\n  {name} " in done.out


@pytest.mark.parametrize("command", list(COMMANDS))
def test_help_of_a_command(rnn_tui: Callable[..., Done], command: str) -> None:
    done = rnn_tui(command, "--help")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"usage: rnn-tui {command}")
    assert ("--hidden" in done.out) == (
        command not in ("cells", "completion", "config", "derive", "doctor", "examples", "learn", "serve")
    )


def test_version(rnn_tui: Callable[..., Done]) -> None:
    assert rnn_tui("--version") == Done(0, f"rnn-tui {version('rnn-tui')}\n", "")


# Refusals before NumPy is loaded


EARLY: list[tuple[tuple[str, ...], tuple[str, ...]]] = [
    (("--hiden", "3"), ("there is no option --hiden (did you mean --hidden?)", "rnn-tui --help")),
    (("check", "--sead=3"), ("there is no option --sead=3 (did you mean --seed?)", "rnn-tui check --help")),
    (("cells", "foo"), ("foo is one argument too many", "rnn-tui cells --help")),
    (("show", "da", "--hidden", "3", "many_to_one", "foo"), ("foo is one argument too many",)),
    (("show", "da", "--hidden", "3", "no_such.csv"), ("no_such.csv",)),  # the data behind an option
    (("show", "da", "--hidden", "3", "many_to_one", "--zzz"), ("there is no option --zzz",)),
    (("--zzzzzz",), ("there is no option --zzzzzz;",)),
    (("code", "--hid", "3"), ("there is no option --hid",)),
    (("--bad\x1b[2J",), ("there is no option --bad␛[2J",)),
    (("show",), ("QUANTITY",)),
    (("derive",), ("FILE",)),
    (("derive", "mine.py", "--hint", "5"), ("--hint", "5")),
    (("derive", "mine.py", "--outline", "--hint", "1"), ("--outline",)),
    (("derive", "mine.py", "--outline", "-o", "new.py"), ("-o", "--outline")),
    (("derive", "mine.py", "-o", "new.ipynb"), ("mine.py is no notebook; give -o a name that ends in .py",)),
    (("derive", "mine.py", "-o", "README.md"), ("README.md is there already; give -o a new name",)),
    (("trace",), ("-o",)),
    (("--hidden",), ("--hidden", "expected one argument")),
    (("--color", "pink"), ("--color", "pink", "truecolor")),
    (("learn", "vanishin"), ("there is no lesson vanishin; did you mean vanishing?",)),
    (("learn", "nowhere.toml"), ("there is no lesson file named nowhere.toml",)),
    (("serve", "--hiden", "3"), ("there is no option --hiden (did you mean --hidden?)",)),
    (("serve", "vanishin"), ("did you mean vanishing?",)),
    (("learn", "walk"), ("needs a terminal",)),
    (("vanishin",), ("there is no file and no example named vanishin; did you mean vanishing?", "rnn-tui examples")),
    (("code", "sample_data/vanishing.cvs"), ("did you mean", "vanishing.csv")),
    (("check", "nowhere.csv"), ("there is no file and no example named nowhere.csv",)),
    (("code", "."), (". is a folder, not a data file",)),
    (("code", ""), ("the name of the data file is empty",)),
    (("code", "--hidden", "0"), ("--hidden 0 is not possible; it must be a whole number, 1 or more",)),
    (("code", "--hidden", "many"), ("--hidden many is not possible",)),
    (("code", "--hidden", "4,0"), ("--hidden 4,0 is not possible", "or one for each layer: 64,32")),
    (("code", "--hidden", "4,"), ("--hidden 4, is not possible",)),
    (("code", "--layers", "65"), ("--layers 65 is not possible; it must be a whole number from 1 to 64",)),
    (("code", "--hidden", "2.5"), ("--hidden 2.5 is not possible",)),
    (("code", "--hidden=-3"), ("--hidden -3 is not possible",)),
    (("code", "--hidden", "99999999999"), ("--hidden 99999999999 is not possible",)),
    (("code", "--seed=-1"), ("--seed -1 is not possible; it must be a whole number, 0 or more",)),
    (("code", "--lr", "0"), ("--lr 0 is not possible; it must be a number above 0",)),
    (("code", "--lr", "nan"), ("--lr nan is not possible",)),
    (("code", "--lr", "inf"), ("--lr inf is not possible",)),
    (("code", "--init-scale=-1"), ("--init-scale -1 is not possible",)),
    (("code", "--drop", ","), ("--drop , is not possible; it must be a list of names",)),
    (("code", "--activation", "gelu"), ("--activation gelu is not possible; it must be one of tanh, relu, sigmoid",)),
    (("code", "--cell", "elman"), (f"--cell elman is not possible; it must be one of {', '.join(CELLS)}",)),
    (("code", "--cell", "elman"), ("or a file that ends in .py",)),
    (("code", "--cell", "nowhere.py"), ("there is no cell file named nowhere.py; check its name",)),
    (("code", "--weights", "sample_data"), ("sample_data is a folder, not a weights file",)),
    (("code", "--weights", "sample_data/vanishing.npz"), ("no weights file named", "did you mean vanishing.")),
    (("code", "--weights", " "), ("the name of the weights file is empty",)),
    (("code", "--dtype", "float16"), ("--dtype float16", "float64, float32")),
    (("code", "--timesteps", "0"), ("--timesteps 0 is not possible",)),
    (("code", "--iteration=-1"), ("--iteration -1",)),
    (("run", "--iterations", "9" * 5000), ("is not possible; it must be a whole number, 1 or more",)),
    (("check", "--tolerance", "0"), ("0 is not possible; it must be a number from 1e-10",)),
    (("check", "--tolerance", "x"), ("x is not possible",)),
    (("code", "a.csv", "b.csv"), ("b.csv",)),
    (("show", "da", "--set", "da@3"), ("da@3 sets nothing; write for example da@3[0,5] = 0",)),
    (("show", "da", "--set", "da@3 = \x1b[2J"), ("␛[2J is no number",)),
    (("trace", "-o", "x.npz", "--set", "da@3[x] = 1"), ("x is no index",)),
    (("show", "da", "--sett", "da@3=0"), ("there is no option --sett (did you mean --set?)",)),
    ((), ("the debugger needs a terminal", "`rnn-tui trace`")),
    (("vanishing", "--color", "none"), ("the debugger needs a terminal",)),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "parts"), EARLY, ids=[" ".join(a).replace("\x1b", "ESC") for a, _ in EARLY])
def test_refused(
    rnn_tui: Callable[..., Done], monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    monkeypatch.chdir(ROOT)
    assert_refused(rnn_tui(*arguments), *parts)


def test_these_refusals_wait_for_neither_numpy_nor_textual() -> None:
    script = f"""
        import contextlib, io, json, sys
        from rnn_tui.cli import entry
        codes = []
        for arguments in {[list(arguments) for arguments, _ in EARLY]!r}:
            sys.argv = ["rnn-tui", *arguments]
            with contextlib.redirect_stderr(io.StringIO()):
                try:
                    entry()
                except SystemExit as end:
                    codes.append(end.code)
            heavy = [name for name in ("numpy", "textual", "rich", "asyncio") if name in sys.modules]
            if heavy:
                raise AssertionError(f"{{arguments}} loads {{heavy}}")
        print(json.dumps(codes))
    """
    done = process("-c", textwrap.dedent(script), script="-X utf8", cwd=ROOT)
    assert done.stderr == ""
    assert json.loads(done.stdout) == [2] * len(EARLY)


@pytest.mark.parametrize("arguments", [("--version",), ("--help",), ("check", "--help")])
def test_help_and_version_are_quick(arguments: tuple[str, ...]) -> None:
    done = process(*arguments, script="-X importtime -m rnn_tui", cwd=ROOT)
    assert done.returncode == 0
    assert "argparse" in done.stderr
    assert "numpy" not in done.stderr
    assert "textual" not in done.stderr
    loaded = set(re.findall(r"\| +(\S+)$", done.stderr, re.MULTILINE))
    assert arguments == ("--version",) or not loaded & {"typing", "shutil", "dataclasses"}


# Refusals of what is in the files


def test_time_steps_that_do_not_divide(rnn_tui: Callable[..., Done]) -> None:
    assert_refused(
        rnn_tui("check", "many_to_one", "--timesteps", "3"), "10 columns", "3 time steps", "1, 2, 5 or 10 time steps"
    )


BAD_FILES = [
    ("1,2,0\n3,x,1\n", "mine.csv: row 2, column 2 holds 'x', which is not a number"),
    ("a,b,label\n1,2,0\n3,,4,1\n", "row 3"),
    ("1,2,0\n,,1\n", "row 2 has no values"),
    ("1,2,0\n3,nan,1\n", "row 2, column 2"),
    ("1,2,0\n3,1e999,1\n", "row 2, column 2"),
    ("1,2,0\n3,4,0\n", "every sample is of class 0"),
    ("", "mine.csv"),
    ("\n\n", "mine.csv"),
]


@pytest.mark.parametrize(("text", "part"), BAD_FILES)
@pytest.mark.parametrize("command", ["check", "code"])
def test_bad_tables(rnn_tui: Callable[..., Done], tmp_path: Path, command: str, text: str, part: str) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(text)
    assert_refused(rnn_tui(command, str(path)), part, "mine")


BAD_ARRAYS: list[tuple[dict[str, Any], str]] = [
    ({"X": [[1.0, np.nan]], "y": [0]}, "mine.npz: X[0, 1] is nan; save finite numbers, or let it in with --allow-nan"),
    ({"X": [[1.0, 2.0]], "y": [np.inf]}, "mine.npz: y[0] is inf"),
    ({"X": [[1.0, 2.0]], "y": [0], "lengths": [0]}, "mine.npz: lengths[0] is 0; a length must be from 1 to 2"),
    ({"X": [[1.0, 2.0]], "y": [0], "lengths": [3]}, "mine.npz: lengths[0] is 3; a length must be from 1 to 2"),
    ({"X": [[1.0, 2.0]], "y": [0], "lengths": [1.0]}, "mine.npz: lengths has shape (1,) and type float64"),
    ({"X": [["a", "b"]], "y": [0]}, "mine.npz: X holds text"),
    ({"X": [[1.0, 2.0]], "y": [0], "a0": [[0.0] * 3]}, "use --hidden 3"),
    ({"X": np.zeros((0, 2)), "y": []}, "mine.npz: X has shape (0, 2) and so holds nothing"),
]


@pytest.mark.parametrize(("arrays", "part"), BAD_ARRAYS)
def test_bad_arrays(rnn_tui: Callable[..., Done], tmp_path: Path, arrays: dict[str, Any], part: str) -> None:
    np.savez(tmp_path / "mine.npz", **arrays)
    assert_refused(rnn_tui("check", str(tmp_path / "mine.npz"), "--outputs", "2"), part)


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "mine.txt is empty"),
        (b"too short", "mine.txt has 9 characters, too few for a window of 25 time steps"),
        (b"\xff" * 30, "mine.txt: row 1 is not UTF-8 text"),
        (b"a" * 30, "every sample is of class a"),
    ],
)
def test_bad_texts(rnn_tui: Callable[..., Done], tmp_path: Path, content: bytes, part: str) -> None:
    (tmp_path / "mine.txt").write_bytes(content)
    assert_refused(rnn_tui("check", str(tmp_path / "mine.txt")), part)


def test_nan_in_an_archive_may_be_let_in(rnn_tui: Callable[..., Done], tmp_path: Path) -> None:
    X = np.array([[1.0, np.nan, 2.0], [1.0, 2.0, np.nan]])
    np.savez(tmp_path / "mine.npz", X=X, y=[0, 1], lengths=[3, 2])
    done = rnn_tui("show", "a@3", str(tmp_path / "mine.npz"), "--allow-nan")
    assert (done.code, done.err) == (0, "")
    assert "NaN" in done.out
    np.savez(tmp_path / "mine.npz", X=X[1:], y=[0], lengths=[2])  # only beyond the sample's end
    done = rnn_tui("show", "a@3", str(tmp_path / "mine.npz"), "--outputs", "2")
    assert (done.code, done.err) == (0, "")
    assert "NaN" not in done.out


def test_a_hostile_file_name_and_cell_are_made_safe(rnn_tui: Callable[..., Done], tmp_path: Path) -> None:
    path = tmp_path / "a\x1b]52;c;aGk=\x07.csv"
    path.write_text("1,\x1b[31mred\u202e,0\n2,3,1\n", encoding="utf-8")
    done = rnn_tui("check", str(path))
    assert_refused(done)
    assert all(character.isprintable() or character == "\n" for character in done.err)
    assert_refused(rnn_tui("check", str(tmp_path / "\x1b[2J.csv")), "␛[2J.csv")


# trace


NAMES = {
    "x", "z", "a", "y", "logits", "p", "loss", "dlogits", "da", "da_out", "da_next", "dz", "dx",
    "Wx", "Wa", "ba", "Wy", "by", "dWx", "dWa", "dba", "dWy", "dby", "meta",
}  # fmt: skip


def test_trace(rnn_tui: Callable[..., Done], tmp_path: Path) -> None:
    path = tmp_path / "out.npz"
    path.write_text("what was there before")
    done = rnn_tui("trace", "-o", str(path), "--iteration", "2")
    assert (done.code, done.out) == (0, "")
    assert done.err == f"wrote {path}\n"
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.npz"]
    tape = open_session(None, {}).debugger.tape(2)
    with np.load(path, allow_pickle=False) as loaded:
        assert set(loaded) == NAMES
        for name in NAMES - {"meta"}:
            np.testing.assert_array_equal(loaded[name], tape[name])
        np.testing.assert_array_equal(loaded["da"], loaded["da_out"] + loaded["da_next"])
        shapes = {name: loaded[name].shape for name in ("x", "z", "a", "da", "logits", "y", "loss", "dWx")}
        meta = json.loads(str(loaded["meta"]))
    assert shapes == {
        "x": (10, 10, 1), "z": (10, 10, 8), "a": (11, 10, 8), "da": (11, 10, 8), "logits": (10, 2), "y": (10,), "loss": (), "dWx": (1, 8),
    }  # fmt: skip
    assert (meta["iteration"], meta["seed"], meta["classes"]) == (2, 152, ["0", "1"])
    assert meta["versions"]["rnn-tui"] == version("rnn-tui")
    lines = [line for block in meta["equations"] for line in block["lines"]]
    assert "dWa += a_{t-1}ᵀ·dz_t" in lines


def test_trace_refuses_a_folder_and_leaves_nothing_behind(rnn_tui: Callable[..., Done], tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    assert_refused(rnn_tui("trace", "-o", str(tmp_path / "folder")), "folder")
    assert_refused(rnn_tui("trace", "-o", str(tmp_path / "missing" / "out.npz")), "does not exist")
    assert [entry.name for entry in tmp_path.rglob("*")] == ["folder"]


def test_a_failing_trace_leaves_the_old_file(rnn_tui: Callable[..., Done], tmp_path: Path) -> None:
    path = tmp_path / "out.npz"
    path.write_text("old")
    assert rnn_tui("trace", "vanishing", "-o", str(path), "--timesteps", "7").code == 2
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.npz"]


# check


def test_a_recording_that_does_not_fit_is_refused_before_it_is_made(rnn_tui: Callable[..., Done]) -> None:
    assert_refused(rnn_tui("show", "da@3", "--memory-limit", "10K"), "B = 10, T = 10, H = 8", "--memory-limit 10K")
    assert_refused(rnn_tui("show", "da@3", "--memory-limit", "much"), "it must be a size, like 500M or 2G")


def test_checkpoints_show_the_same_numbers(rnn_tui: Callable[..., Done], tmp_path: Path) -> None:
    for arguments in (("show", "da@3"), ("show", "dWa@7"), ("show", "z"), ("explain", "dWa[2,3]"), ("check",)):
        done = rnn_tui(*arguments, "--checkpoints")
        assert (done.code, done.err) == (0, "")
        assert done.out == rnn_tui(*arguments).out
    whole, sparse = tmp_path / "whole.npz", tmp_path / "sparse.npz"
    assert rnn_tui("trace", "-o", str(whole)).code == rnn_tui("trace", "-o", str(sparse), "--checkpoints").code == 0
    with np.load(whole) as expected, np.load(sparse) as found:
        assert set(expected) == set(found)
        for name in set(expected) - {"meta"}:
            np.testing.assert_allclose(found[name], expected[name], rtol=1e-12, atol=1e-15)


def test_show_a_ledger(rnn_tui: Callable[..., Done]) -> None:
    done = rnn_tui("show", "ledger dWa[2,3]")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    stored = float(rnn_tui("show", "dWa[2,3]").out)
    assert lines[0].replace("−", "-").startswith(f"dWa[2,3] = {stored!r}: what each sample")
    assert lines[3].split()[-1] == lines[-1].split()[0] == "sum"
    assert float(lines[-1].split()[-1].replace("−", "-")) == pytest.approx(stored, rel=1e-3)
    assert len(lines) == 4 + 10 + 1
    assert_refused(rnn_tui("show", "ledger dz@3[0,0]"), "leave @3 away")
    assert_refused(rnn_tui("show", "ledger z[0,0]"), "no gradient of a parameter")


def test_show_which_loss_reaches_which_step(rnn_tui: Callable[..., Done]) -> None:
    done = rnn_tui("show", "reach", "delayed_recall")
    assert (done.code, done.err) == (0, "")
    assert "rows are the losses of the steps s" in done.out
    assert done.out.splitlines()[-1].split()[0] == "16"
    assert_refused(rnn_tui("show", "reach", "vanishing"), "one loss only", "--predict every")


def test_findings_are_a_line_each_the_serious_ones_first(rnn_tui: Callable[..., Done]) -> None:
    done = rnn_tui("run", "dying_relu", "--findings")
    assert (done.code, done.err) == (0, "")
    first, second = done.out.splitlines()
    assert first.startswith("! dead units: 6 of 8 units of a are off")
    assert first.endswith("(iteration 0, forward, t = 1, a)")
    assert second.startswith("· vanishing: ")


def test_findings_as_json_lead_to_points(rnn_tui: Callable[..., Done]) -> None:
    done = rnn_tui("run", "exploding", "--findings", "--iterations", "3", "--json")
    assert (done.code, done.err) == (0, "")
    found = json.loads(done.out)["findings"]
    assert set(found[0]) == {"kind", "text", "severity", "point", "quantity", "index"}
    assert found[0]["kind"] == "exploding"
    assert found[0]["point"] == {"iteration": 0, "phase": "backward", "t": 8, "line": "da"}


def test_nothing_found_is_no_failure(rnn_tui: Callable[..., Done]) -> None:
    done = rnn_tui("run", "many_to_one", "--findings")
    assert (done.code, done.out, done.err) == (0, "", "nothing is wrong\n")
    assert json.loads(rnn_tui("run", "many_to_one", "--findings", "--json").out) == {"findings": []}


def test_run_takes_a_breakpoint_as_the_app_does(rnn_tui: Callable[..., Done]) -> None:
    done = rnn_tui("run", "vanishing", "--break", "dz if norm(dz) < 1e-3 and t < 30")
    assert (done.code, done.out.split(", ")[3].strip()) == (0, "dz")
    assert_refused(rnn_tui("run", "vanishing", "--break", "dz hit 3"), "hit count")
    assert_refused(rnn_tui("run", "vanishing", "--break", "nothing"), "names no line")


def test_run_needs_a_condition_or_findings(rnn_tui: Callable[..., Done]) -> None:
    assert_refused(rnn_tui("run", "vanishing"), "--break", "--findings")
    assert_refused(rnn_tui("run", "vanishing", "--findings", "--break", "t == 3"), "not allowed")
    assert_refused(rnn_tui("run", "vanishing", "--findings", "--reverse"), "--reverse")


def test_check_as_json(rnn_tui: Callable[..., Done]) -> None:
    done = rnn_tui("check", "--json")
    assert (done.code, done.err) == (0, "")
    report = json.loads(done.out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert {"ok", "max_relative_error", "parameters"} <= set(report)
    assert report["ok"] is True
    assert 0 <= report["max_relative_error"] <= 1e-6
    assert list(report["parameters"]) == ["Wx", "Wa", "ba", "Wy", "by"]
    tape = open_session(None, {}).debugger.tape(0)
    for name, found in report["parameters"].items():
        assert set(found) == {"max_relative_error", "index", "analytic", "numeric", "kinks"}
        assert found["analytic"] == pytest.approx(float(tape[f"d{name}"][tuple(found["index"])]), rel=1e-9)
        assert found["numeric"] == pytest.approx(found["analytic"], rel=1e-5)
        assert isinstance(found["kinks"], int)


@pytest.mark.parametrize("arguments", [(), ("--all",), ("--dtype", "float32"), ("--iteration", "3")])
def test_check_passes(rnn_tui: Callable[..., Done], arguments: tuple[str, ...]) -> None:
    done = rnn_tui("check", "many_to_one", *arguments)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[-1].startswith("the gradients are right: largest relative error ")
    checked = {line.split()[0]: int(line.split()[1]) for line in done.out.splitlines()[1:6]}
    assert checked == {"Wx": 8, "Wa": 64 if "--all" in arguments else 50, "ba": 8, "Wy": 16, "by": 2}


def test_check_says_where_numbers_stop_being_finite(rnn_tui: Callable[..., Done], tmp_path: Path) -> None:
    cell = tmp_path / "cell.py"
    cell.write_text(
        "from engine.cells import Cell\n"
        "NORM = Cell(name='norm', equations=('u = x @ Wx + h_prev @ Wh', 'v = sqrt(u - u ** 2)', 'h = tanh(v)'),\n"
        "    parameters={'Wx': ('D', 'H'), 'Wh': ('H', 'H')}, states=('h',), output='h')\n"
    )
    done = rnn_tui("check", "--cell", str(cell))
    assert (done.code, done.err) == (1, "")
    assert "WRONG" not in done.out and "inf" not in done.out
    first, last = done.out.splitlines()
    assert first.startswith("v@1[") and "is NaN" in first
    assert last == "the gradients are neither right nor wrong: numbers that are not finite cannot be compared"


def test_check_fails_on_a_wrong_gradient(rnn_tui: Callable[..., Done], monkeypatch: pytest.MonkeyPatch) -> None:
    gradients = dict(open_session(None, {}).debugger.tape(0).gradients)
    gradients["Wa"] = gradients["Wa"] * np.float64(1.001)
    monkeypatch.setattr("engine.explain.gradcheck.check", partial(check, gradients=gradients))
    done = rnn_tui("check", "--json")
    assert (done.code, done.err) == (1, "")
    report = json.loads(done.out)
    assert report["ok"] is False
    assert report["parameters"]["Wa"]["max_relative_error"] == pytest.approx(1e-3, rel=0.01)
    assert report["parameters"]["Wx"]["max_relative_error"] < 1e-6
    table = rnn_tui("check")
    assert table.code == 1
    assert "the gradients are WRONG" in table.out
    assert rnn_tui("check", "--tolerance", "0.01").code == 0
    monkeypatch.setattr("engine.explain.gradcheck.check", lambda *a, **k: replace(check(*a, **k), ok=False))
    untested = rnn_tui("check")
    assert untested.code == 1
    assert "WRONG" not in untested.out and "neither right nor wrong" in untested.out


def test_check_with_nan_in_the_data_is_still_json(rnn_tui: Callable[..., Done], tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("1,nan,0\n3,2,1\n")
    done = rnn_tui("check", str(path), "--allow-nan", "--json")
    assert (done.code, done.err) == (1, "")
    report = json.loads(done.out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert report["parameters"]["Wa"]["analytic"] == "NaN"


# show


DA3 = """\
da@3  10×8
min −0.000294  max 0.000236  zeros 0%  ‖·‖ 0.000857

sample     unit 0    unit 1    unit 2    unit 3    unit 4    unit 5    unit 6    unit 7
    0   −6.458e−5  0.000182  0.000209  0.000123  2.376e−5  0.000142 −4.035e−5 −2.353e−5
    1   −0.000237 −0.000294 −0.000179  0.000115  9.158e−5 −0.000144  0.000208  0.000149
    2   −5.096e−5 −8.358e−5 −2.753e−5  4.289e−5 −4.924e−6  5.826e−6 −9.711e−5  4.195e−5
"""


def test_show_a_step(rnn_tui: Callable[..., Done]) -> None:
    done = rnn_tui("show", "da@3")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(DA3)
    assert len(done.out.splitlines()) == 4 + 10
    assert "\x1b" not in done.out


@pytest.mark.parametrize("name", ["dWa", "dWa@7", "a", "da", "logits", "x", "Wy", "dba", "da_next"])
def test_show(rnn_tui: Callable[..., Done], golden: Callable[[str, str], None], name: str) -> None:
    done = rnn_tui("show", name)
    assert (done.code, done.err) == (0, "")
    assert "\x1b" not in done.out
    golden(f"show-{name.replace('@', '-at-')}", done.out.rstrip("\n"))


def test_show_a_number(rnn_tui: Callable[..., Done]) -> None:
    done = rnn_tui("show", "loss")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("0.7296630268")
    assert float(done.out) == open_session(None, {}).debugger.tape(0).loss


def test_show_a_cell(rnn_tui: Callable[..., Done]) -> None:
    tape = open_session(None, {}).debugger.tape(0)
    for argument, value in (
        ("dWa[2,3]", tape["dWa"][2, 3]),
        ("da@3[0,5]", tape["da"][3, 0, 5]),
        ("a@0[0,0]", 0.0),
        ("x@1[0,0]", 5.0),
        ("ba[0]", tape["ba"][0]),
    ):
        done = rnn_tui("show", argument)
        assert (done.code, done.err) == (0, "")
        assert float(done.out) == value
    first, later = rnn_tui("show", "dWa[2,3]"), rnn_tui("show", "dWa[2,3]", "--iteration", "1")
    assert first.out != later.out


def test_a_cell_of_a_term_is_the_terms(rnn_tui: Callable[..., Done]) -> None:
    terms = [float(rnn_tui("show", f"dWa@{t}[2,3]").out) for t in range(1, 11)]
    assert sum(terms) == pytest.approx(float(rnn_tui("show", "dWa[2,3]").out), rel=1e-12)


SHOW_REFUSED = [
    ("nope", "there is no quantity 'nope'; there are x, y, z, a"),
    ("\x1b[31m", "there is no quantity"),
    ("d" * 9_999, f"there is no quantity '{'d' * 39}…'; there are x"),
    ("da@11", "da has the time steps 0 to 10, not 11"),
    ("z@0", "z has the time steps 1 to 10, not 0"),
    ("dWa@0", "dWa has the time steps 1 to 10, not 0"),
    ("dWa@11", "dWa has the time steps 1 to 10, not 11"),
    ("a@-1", "a has the time steps 0 to 10, not -1"),
    ("Wa@3", "Wa is not in time; show it without @3"),
    ("loss@3", "loss is not in time"),
    ("da@x", "is not of the form da@3[0,5]"),
    ("da@3[0", "da@3[0"),
    ("dWa[8,0]", "dWa has the shape 8×8; [8, 0] is not a cell of it"),
    ("dWa[-1,0]", "dWa has the shape 8×8; [-1, 0] is not a cell of it"),
    ("dWa[1]", "dWa has the shape 8×8; [1] is not a cell of it"),
    ("da[1,2]", "da"),
    ("dWa[a,b]", "is not of the form"),
    ("", "''"),
]


@pytest.mark.parametrize(("argument", "part"), SHOW_REFUSED)
def test_show_refuses(rnn_tui: Callable[..., Done], argument: str, part: str) -> None:
    done = rnn_tui("show", argument)
    assert_refused(done, part)
    assert done.err.rstrip("\n").isprintable()


# What if


def test_show_as_it_would_be(rnn_tui: Callable[..., Done]) -> None:
    original = open_session(None, {}).debugger.tape(0)
    edited = what_if(open_session(None, {}).debugger, "da@3[0,5] = 0").tape(0)
    cells = {"da@3[0,5]": 0.0, "da@2[0,0]": edited["da"][2, 0, 0], "da@4[0,0]": original["da"][4, 0, 0]}
    for cell, value in cells.items():
        done = rnn_tui("show", cell, "--set", "da@3[0,5]=0")
        assert (done.code, float(done.out), done.err) == (0, value, "")
    several = rnn_tui("show", "Wa", "--set", "Wa[0,0] = 2", "--set", "Wa[0,0] *= 3")
    assert several.out.splitlines()[1] == "what if: Wa[0,0] = 2; Wa[0,0] *= 3"
    assert float(rnn_tui("show", "Wa[0,0]", "--set", "Wa[0,0]=2", "--set", "Wa[0,0] *= 3").out) == 6


def test_show_the_difference(rnn_tui: Callable[..., Done]) -> None:
    done = rnn_tui("show", "da@2", "--set", "da@3[0,:] = 0", "--difference")
    assert done.out.splitlines()[:3] == [
        "da@2  10×8",
        "what if: da@3[0,:] = 0",
        "edited − original: 32 of 880 differ, first after backward, t = 4, da",
    ]
    original, edited = (float(rnn_tui("show", "loss", *edit).out) for edit in ((), ("--set", "y[4] = flip")))
    assert float(rnn_tui("show", "loss", "--set", "y[4] = flip", "--difference").out) == edited - original
    nothing = rnn_tui("show", "a@3", "--set", "da@3 = 0", "--difference").out
    assert "nothing differs" in nothing
    weight = rnn_tui("show", "Wa", "--set", "Wa[2,3] = 0.5", "--difference").out
    assert "1 of 64 differ, from the start" in weight
    term = rnn_tui("show", "dWa@2", "--set", "da@3 = 0", "--difference")
    assert (term.code, term.err) == (0, "")


def test_an_edit_belongs_to_the_iteration_asked_for(rnn_tui: Callable[..., Done]) -> None:
    own = what_if(open_session(None, {}).debugger, "z@2 = 0", iteration=2).tape(2)
    done = rnn_tui("show", "loss", "--iteration", "2", "--set", "z@2 = 0")
    assert float(done.out) == own.loss


def test_a_trace_of_what_was_set_opens_as_it_was_set(rnn_tui: Callable[..., Done], tmp_path: Path) -> None:
    path = tmp_path / "edited.npz"
    edits = ("--set", "da@3 = 0", "--set", "Wa[0,0] *= 2", "--set", "y[4] = flip", "--set", "activation = tanh")
    assert rnn_tui("trace", "-o", str(path), *edits).code == 0
    with np.load(path) as trace:
        meta = json.loads(str(trace["meta"]))
        assert meta["what_if"] == list(edits[1::2])
        assert not trace["da"][3].any()
        again = open_session(path, {}).debugger.tape(0)
        assert all((again[name] == trace[name]).all() for name in ("da", "dWa", "Wa", "y", "dWa", "loss"))
    assert float(rnn_tui("show", "da@3[0,0]", str(path)).out) == 0


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("show", "da", "--difference"), "give --set too"),
        (("show", "da", "--set", "da@33 = 0"), "da@33 is computed by no line; T is 10"),
        (("show", "da", "--set", "q = 0"), "there is no quantity 'q' to set; there are"),
        (("show", "da", "--set", "da@3[0] = 0"), "da is 10×8 here; da@3[0] is not a place in it"),
        (("show", "da", "--set", "activation = gelu"), "gelu"),
        (("trace", "-o", "never.npz", "--set", "y[4] = 2"), "the classes 0 to 1"),
        (("show", "h", "--cell", "lstm", "--set", "activation = relu"), "has its own activations"),
    ],
)
def test_an_edit_that_cannot_be_is_refused(rnn_tui: Callable[..., Done], arguments: tuple[str, ...], part: str) -> None:
    assert_refused(rnn_tui(*arguments), part)


@pytest.mark.parametrize("mode", ["truecolor", "256", "16"])
def test_show_in_colour_when_asked_to(rnn_tui: Callable[..., Done], mode: str) -> None:
    colored, plain = rnn_tui("show", "dWa", "--color", mode), rnn_tui("show", "dWa", "--color", "none")
    assert "\x1b[" in colored.out
    assert "\x1b" not in plain.out
    assert ("38;2;" in colored.out) == (mode == "truecolor")
    assert ("38;5;" in colored.out) == (mode == "256")


def test_show_what_is_not_finite(rnn_tui: Callable[..., Done], tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("1,nan,0\n3,2,1\n4,inf,1\n")
    for name in ("x@2", "z", "dWa", "dWa@2", "dx@1", "loss", "a@1"):
        done = rnn_tui("show", name, str(path), "--allow-nan")
        assert (done.code, done.err) == (0, "")
        assert ("NaN" in done.out) == (name != "a@1")


def test_infinity_times_zero_warns_nobody(rnn_tui: Callable[..., Done], tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("1,nan,2,0\n3,2,inf,1\n")
    done = rnn_tui("show", "dWx@3", str(path), "--allow-nan")
    assert (done.code, done.err) == (0, "")
    assert "NaN" in done.out


# code, examples, the rest


def test_code(rnn_tui: Callable[..., Done]) -> None:
    done = rnn_tui("code")
    assert (done.code, done.err) == (0, "")
    piped = subprocess.run(
        [sys.executable, "-I", "-"], input=done.out, capture_output=True, text=True, check=False, timeout=60
    )
    assert (piped.returncode, piped.stderr) == (0, "")
    assert piped.stdout.startswith(f"loss {open_session(None, {}).debugger.tape(0).loss:.12g}\n")


def test_examples(rnn_tui: Callable[..., Done]) -> None:
    done = rnn_tui("examples")
    assert (done.code, done.err) == (0, "")
    *lines, blank, last = done.out.splitlines()
    assert lines == [
        line for sample in samples() for line in (f"{sample.name:<16}{sample.title}", f"{'':<16}{sample.look_for}")
    ]
    assert (blank, last) == ("", "Open one by its name: rnn-tui vanishing")
    assert len(done.out.splitlines()) < 24  # one screen
    assert max(map(len, lines)) <= 120


def test_examples_are_wrapped_to_the_terminal(rnn_tui: Callable[..., Done], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    lines = rnn_tui("examples").out.splitlines()[:-2]
    assert all(len(line) <= 60 for line in lines)
    assert [line.split()[0] for line in lines if line[:16].strip()] == list(sample_names())
    assert " ".join(" ".join(lines).split()) == " ".join(" ".join(map(" ".join, samples())).split())


def test_examples_takes_no_data(rnn_tui: Callable[..., Done]) -> None:
    assert_refused(rnn_tui("examples", "vanishing"), "vanishing")


@pytest.mark.parametrize("command", ["code", "examples", "show z"])
def test_a_reader_that_goes_away(command: str) -> None:
    line = f"{sys.executable} -m rnn_tui {command} | head -n 1; exit $PIPESTATUS"
    done = subprocess.run(["bash", "-c", line], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1
    assert done.returncode in (0, 141)


def test_a_reader_that_was_never_there() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "rnn_tui", "code"], cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, text=True, check=False, timeout=60
    )  # fmt: skip
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


def test_an_interrupt_before_a_command_has_begun_is_its_exit_code_alone(
    monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    def interrupted(arguments: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "main", interrupted)
    with pytest.raises(SystemExit) as ended:
        cli.entry()
    assert (ended.value.code, *capfd.readouterr()) == (130, "", "")


def test_an_interrupt_while_it_is_loaded_is_its_exit_code_alone(monkeypatch: pytest.MonkeyPatch, capfd: Any) -> None:
    class Interrupting:
        def find_spec(self, name: str, *_: object) -> None:
            if name == "rnn_tui.cli":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "rnn_tui.cli")
    monkeypatch.delattr(sys.modules["rnn_tui"], "cli")
    monkeypatch.setattr(sys, "meta_path", [Interrupting(), *sys.meta_path])
    with pytest.raises(SystemExit) as ended:
        start.entry()
    assert (ended.value.code, *capfd.readouterr()) == (130, "", "")


@pytest.mark.parametrize(
    ("output", "said"),
    [(">&-", "standard output is closed"), (">/dev/full", "No space left on device"), (">&- 2>&-", "")],
)
def test_output_that_cannot_be_written(output: str, said: str) -> None:
    line = f"{sys.executable} -m rnn_tui examples {output}"
    done = subprocess.run(["bash", "-c", line], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr and done.stderr.count("\n") == bool(said)


def test_an_error_of_our_own_is_one_line_and_a_report_without_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(arguments: Sequence[str]) -> int:
        raise ValueError("0.12345 of the user's")

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(cli, "main", broken)
    with pytest.raises(SystemExit) as ended:
        cli.entry()
    said, report = capsys.readouterr().err, (tmp_path / "rnn-tui" / "crash.txt").read_text()
    assert (ended.value.code, said.count("\n")) == (2, 1)
    assert "ended it (ValueError, test_cli.py, line" in said and "crash.txt" in said
    assert "in broken" in report and "0.12345" not in report + said


def test_as_a_module_in_a_real_process() -> None:
    good = process("show", "loss", cwd=ROOT)
    assert (good.returncode, good.stderr) == (0, "")
    assert float(good.stdout) == open_session(None, {}).debugger.tape(0).loss
    bad = process("show", "nope", cwd=ROOT)
    assert_refused(Done(bad.returncode, bad.stdout, bad.stderr), "there is no quantity 'nope'")
    no_terminal = process(cwd=ROOT)
    assert_refused(Done(no_terminal.returncode, no_terminal.stdout, no_terminal.stderr), "needs a terminal")


def test_output_that_is_not_utf8() -> None:
    environ = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "rnn_tui", "show", "da@3"], cwd=ROOT, capture_output=True, env=environ, check=False, timeout=60
    )  # fmt: skip
    assert b"Traceback" not in done.stderr
    assert done.returncode in (0, 2)


# Training


TRAINED = ("--cell", "gru", "--optimizer", "adam", "--batch-size", "4", "--clip-norm", "0.5", "--lr", "0.02")


def _arrays(path: Path) -> dict[str, Any]:
    """What a .npz file holds; the file is closed."""
    with np.load(path) as stored:
        return dict(stored)


def test_training_is_reproducible_and_saves_weights_that_open_again(
    rnn_tui: Callable[..., Done], tmp_path: Path
) -> None:
    paths = tmp_path / "one.npz", tmp_path / "two.npz"
    first, second = (rnn_tui("train", "--iterations", "30", *TRAINED, "-o", str(path)) for path in paths)
    assert (first.code, second.code) == (0, 0), first.err
    assert first.out == second.out
    assert "iteration 29" in first.out
    one, two = (_arrays(path) for path in paths)
    assert all(one[name].tobytes() == two[name].tobytes() for name in one)
    given = {"cell": "gru", "optimizer": "adam", "batch-size": 4, "clip-norm": 0.5, "lr": 0.02}
    debugger = open_session(None, given).debugger
    assert all(debugger.tape(30).parameters[name].tobytes() == one[name].tobytes() for name in one)
    shown = rnn_tui("show", "Whn", "--weights", str(paths[0]))
    assert shown.code == 0
    assert "Whn" in shown.out


@pytest.mark.parametrize("count", ["0", "-1", "x", "1.5"])
def test_how_often_to_train_is_a_whole_number(rnn_tui: Callable[..., Done], count: str) -> None:
    assert_refused(rnn_tui("train", f"--iterations={count}"), "--iterations", "whole number")


def test_where_weights_cannot_be_written_nothing_is_trained(rnn_tui: Callable[..., Done], tmp_path: Path) -> None:
    output = tmp_path / "no" / "w.npz"
    assert_refused(rnn_tui("train", "--iterations", "1000000", "-o", str(output)), "folder of")


def test_an_interrupt_saves_what_there_is(tmp_path: Path) -> None:
    output = tmp_path / "w.npz"
    command = [sys.executable, "-c", INTERRUPTED, "train", "--iterations", "1000000", "-o", str(output)]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=environ)
    assert done.returncode == 130, done.stderr
    assert "the weights after 50 updates" in done.stderr
    assert "loss" in done.stdout
    assert np.isfinite(_arrays(output)["Wa"]).all()


INTERRUPTED = """
import os, signal
from engine.debug import recordings
from rnn_tui.cli import entry

measure = recordings.measure
measured = []

def interrupting(tape):
    measured.append(tape)
    if len(measured) == 51:
        os.kill(os.getpid(), signal.SIGINT)
    return measure(tape)

recordings.measure = interrupting
entry()
"""


# A cell of one's own


@pytest.fixture
def mgu(tmp_path: Path) -> str:
    """The worked example of CONTRIBUTING.md, as it stands there."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    example = next(part for part in text.split("```python\n")[1:] if 'name="my_mgu"' in part).partition("```")[0]
    (tmp_path / "mgu.py").write_text(example, encoding="utf-8")
    return str(tmp_path / "mgu.py")


def test_every_command_works_for_a_cell_of_ones_own(rnn_tui: Callable[..., Done], mgu: str, tmp_path: Path) -> None:
    checked = rnn_tui("check", "--cell", mgu, "--json")
    assert (checked.code, checked.err) == (0, "")
    assert list(json.loads(checked.out)["parameters"]) == ["Wxf", "Whf", "bf", "Wxn", "Whn", "bn", "Wy", "by"]

    tape = open_session(None, {"cell": Path(mgu)}).debugger.tape(0)
    (tmp_path / "program.py").write_text(rnn_tui("code", "--cell", mgu).out, encoding="utf-8")
    printed = subprocess.run([sys.executable, tmp_path / "program.py"], capture_output=True, text=True, check=True)
    assert printed.stdout.startswith(f"loss {tape.loss:.12g}\n\ndWxf (1, 8)\n")

    trace = str(tmp_path / "run.npz")
    assert rnn_tui("trace", "--cell", mgu, "-o", trace) == Done(0, "", f"wrote {trace}\n")
    shown = rnn_tui("show", "dWhn@3", "--cell", mgu)
    assert shown.out.startswith("dWhn@3: the term of step 3\n")
    assert rnn_tui("show", "dWhn@3", trace, "--cell", mgu).out == shown.out
    assert_refused(rnn_tui("show", "dWhn@3", trace), "recorded with the cell my_mgu", "give its file with --cell")


def test_a_mistake_in_a_cell_is_one_sentence(rnn_tui: Callable[..., Done], mgu: str) -> None:
    path = Path(mgu)
    path.write_text(path.read_text(encoding="utf-8").replace("sigmoid(zf)", "sigmod(zf)"), encoding="utf-8")
    assert_refused(rnn_tui("check", "--cell", mgu), "mgu.py, line 9: there is no function 'sigmod'")
