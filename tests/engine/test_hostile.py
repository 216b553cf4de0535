"""What broke when it was attacked: each a sentence now, and nothing read, run or allocated before it is checked."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.debug.whatif import what_if
from engine.doctor.compare.arrays import compare_arrays
from engine.doctor.read.source import read_source
from engine.errors import InputError
from engine.explain.why import parse_place, why
from engine.files import cells, running
from engine.files.cell import read_cell
from engine.files.data import load
from engine.files.trace import is_trace, read_trace
from engine.files.weights import read_weights
from engine.session import open_session
from engine.size import Size
from engine.text import listed
from tests import fuzz

ROOT = Path(__file__).resolve().parents[2]


def refusal(call: Any, *arguments: Any, **options: Any) -> str:
    with pytest.raises(InputError) as caught:
        call(*arguments, **options)
    return str(caught.value)


# --- files


@pytest.mark.parametrize("version", [64, 255])
def test_an_archive_of_a_version_that_there_is_not(tmp_path: Path, version: int) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, X=np.zeros((2, 3)), y=np.zeros(2))
    content = bytearray(path.read_bytes())
    content[content.find(b"PK\x01\x02") + 6] = version
    path.write_bytes(content)
    assert not is_trace(path)
    for read in (load, read_weights, read_trace, lambda it: open_session(it, {})):
        assert refusal(read, path).startswith("x.npz is cut off or damaged")


def test_a_header_with_a_shape_beyond_all_floats(tmp_path: Path) -> None:
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({10**400}, 5), }}".ljust(500) + "\n"
    member = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode()
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("X.npy", member)
        archive.writestr("y.npy", member)
    (tmp_path / "x.npy").write_bytes(member)
    for name in ("x.npz", "x.npy"):
        assert "would need more than a ZiB of memory, more than the limit of 2 GiB" in refusal(load, tmp_path / name)


@pytest.mark.parametrize("shape", ["1, " * 70, f"0, {10**20}"], ids=["too many axes", "none of too many"])
def test_a_header_that_is_well_formed_and_of_no_array(tmp_path: Path, shape: str) -> None:
    for version in (1, 2, 9):
        header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({shape}), }}".ljust(500) + "\n"
        length = len(header).to_bytes(2 if version == 1 else 4, "little")
        (tmp_path / "x.npy").write_bytes(b"\x93NUMPY" + bytes([version, 0]) + length + header.encode() + bytes(8))
        assert refusal(load, tmp_path / "x.npy").startswith("x.npy is no .npy file, or damaged")


def test_a_table_with_more_cells_than_python_should_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells, "CELLS_LIMIT", 10)
    monkeypatch.setattr(cells, "_rows", lambda *_: pytest.fail("no row is read"))
    (tmp_path / "x.csv").write_text("1,2,0\n" * 5)
    assert "x.csv has about 15 cells, more than the 10 that a table may have" in refusal(load, tmp_path / "x.csv")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.npz")
    for read in (read_weights, read_trace, load, read_source, lambda it: compare_arrays(it, None, {})):
        assert "is a device or a pipe" in refusal(read, tmp_path / "pipe.npz")


def test_messages_name_the_file_with_its_ending(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("1,2,0\n3,4,0\n")
    assert refusal(open_session, tmp_path / "x.csv", {}).startswith("x.csv: every sample is of class 0")
    (tmp_path / "p.toml").write_text('data = "x.csv"\nbreakpoints = ["q@1"]\n[options]\noutputs = 2\n')
    assert refusal(open_session, tmp_path / "p.toml", {}).startswith("p.toml: ")


# --- options and texts


def test_weights_are_measured_before_they_are_drawn() -> None:
    message = refusal(open_session, None, {"hidden": 2**31 - 1})
    assert "Wa is (2147483647, 2147483647)), more than 2G; take fewer units" in message


@pytest.mark.parametrize("truncate", [5, 6, 7])
def test_a_window_beyond_all_steps_takes_no_longer(tmp_path: Path, truncate: int) -> None:
    (tmp_path / "x.txt").write_text("to be or not to be")
    debugger, endless = (
        open_session(tmp_path / "x.txt", {"timesteps": 5, "truncate": reach}).debugger
        for reach in (truncate, 2**31 - 1)
    )
    for name in ("dWa", "da"):
        np.testing.assert_array_equal(debugger.tape(0)[name], endless.tape(0)[name])


@pytest.mark.parametrize("text", ["9" * 400 + "T", "1" * 400, "0", "-1", ""])
def test_sizes_beyond_all_floats(text: str) -> None:
    with pytest.raises(ValueError):
        Size.parse(text)


LONG = "9" * 5000


@pytest.mark.parametrize(
    "text", [f"dz@{LONG}", f"dz hit {LONG}", f"da_next@1{LONG}", f"{LONG} > {LONG}", f"dz sample {LONG}"]
)
def test_numbers_of_thousands_of_digits(text: str) -> None:
    debugger = open_session(None, {}).debugger
    assert len(refusal(debugger.add, text)) < 500
    assert len(refusal(parse_place, text, debugger, 0)) < 500


@pytest.mark.parametrize("value", ["1e30", "-1", "2", "1e308", "-1e30"])
def test_a_class_that_there_is_not(value: str) -> None:
    assert "this network has the classes 0 to 1" in refusal(what_if, open_session(None, {}).debugger, f"y[0] = {value}")


@pytest.mark.parametrize("name", ["da_next", "da_out", "da", "Wa", "dWa", "loss", "y", "logits"])
def test_cells_that_are_not_there(name: str) -> None:
    debugger = open_session(None, {}).debugger
    for step in ("", "@0", "@1", "@10", "@11", "@-1"):
        for index in ("", "[0]", "[0,0]", "[0,0,0]", "[99,0]", "[0,99]", "[-1,0]"):
            try:
                found = why(debugger, parse_place(name + step + index, debugger, 0))
                assert np.isfinite(found.value)
            except InputError as error:
                assert len(str(error)) < 300


def test_of_many_names_a_message_lists_the_first() -> None:
    debugger = open_session(None, {"cell": "lstm", "hidden": (3, 3, 3)}).debugger
    message = refusal(parse_place, "nothing[0]", debugger, 0)
    assert len(message) < 300 and message.endswith(" in all)")
    assert listed(["a\x1b", "b", "a\x1b"]) == "a␛, b"


# --- a cell's file

CELL = """
from engine.cells import Cell

CELL = Cell("n", ("h = tanh(x @ Wx + h_prev @ Wh)",), {"Wx": ("D", "H"), "Wh": ("H", "H")}, ("h",), "h")
"""


@pytest.mark.parametrize(
    ("added", "part"),
    [
        ("raise BaseException('no')", "line 5: BaseException: no; correct what it does there"),
        ("raise GeneratorExit", "line 5: GeneratorExit: ; correct"),
        ("class E(Exception):\n    def __str__(self): raise ValueError\nraise E", "line 7: E; correct"),
        ("import numpy\nnumpy.exp = None", "cell.py changes NumPy itself (exp)"),
        ("while True: pass", "cell.py has not ended after 0.2 s"),
        ("while True:\n    try:\n        while True: pass\n    except Exception: pass", "has not ended after 0.2 s"),
        (
            f"CELL = Cell('m', ('h = tanh(x @ W) * {LONG[:400]}',), {{'W': ('D', 'H')}}, ('h',), 'h')",
            "a number too large",
        ),
        ("CELL = Cell('m', 5, {}, ('h',), 'h')", "equations must be a tuple of texts"),
    ],
)
def test_files_of_cells_that_break(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, added: str, part: str) -> None:
    monkeypatch.setattr(running, "SECONDS", 0.2)
    (tmp_path / "cell.py").write_text(CELL + added)
    assert part in refusal(read_cell, tmp_path / "cell.py")
    assert callable(np.exp)


def test_what_a_cells_file_leaves_behind(tmp_path: Path) -> None:
    """A thread without end, an exit handler that raises, an object that lies, escape codes: the cell is read and the program ends."""
    (tmp_path / "cell.py").write_text(
        CELL
        + "import atexit, sys, threading, time, warnings\n"
        + "class Lie:\n    def __getattribute__(self, name): raise RuntimeError(name)\nlie = Lie()\n"
        + "threading.Thread(target=lambda: time.sleep(1e6)).start()\natexit.register(lambda: 1 / 0)\n"
        + "print('\\x1b[31mred')\nwarnings.warn('\\x1b[2J')\nsys.stderr.write('\\x1b[31mred\\n')\n"
    )
    script = "from pathlib import Path; from engine.files.cell import read_cell; print(read_cell(Path('cell.py')).name)"
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "n\n")
    assert "\x1b" not in done.stderr and "Error" not in done.stderr and "␛[31mred" in done.stderr
    assert threading.Thread.start.__name__ == "start"


def test_no_command_uses_the_network(tmp_path: Path) -> None:
    """Every use of a socket is an audit event of Python's."""
    (tmp_path / "x.csv").write_text("1,2,0\n3,4,1\n")
    script = """
import sys
def refuse(event, arguments):
    if event.startswith(("socket.", "urllib.", "http.", "ftplib.", "smtplib.")):
        raise SystemExit(f"{event} {arguments}")
sys.addaudithook(refuse)
from rnn_tui.cli import main
for command in ("run x.csv --findings", "check x.csv", "code x.csv", "explain loss x.csv", "train x.csv --iterations 2", "cells"):
    assert main(command.split()) == 0
"""
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-300:]


# --- a little of `make fuzz`


@pytest.fixture(name="ground", scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> fuzz.Ground:
    return fuzz.ground_in(tmp_path_factory.mktemp("fuzz"))


@pytest.mark.parametrize(("kind", "trials"), [("files", 150), ("options", 80), ("texts", 400)])
@pytest.mark.filterwarnings("error")
def test_what_is_drawn_ends_in_a_sentence_or_is_right(ground: fuzz.Ground, kind: str, trials: int) -> None:
    errors = {number: fuzz.attempt(kind, f"suite {number}", ground) for number in range(trials)}
    assert {number: error for number, error in errors.items() if error} == {}
