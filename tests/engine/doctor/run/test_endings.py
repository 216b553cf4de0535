"""However a program ends there is a sentence, nothing is left running and nothing is left over."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from engine.doctor.lineage.record import running
from engine.doctor.run.launch import Wishes, run
from engine.doctor.run.limits import Limits
from engine.doctor.run.program import ProgramFile
from engine.errors import InputError
from tests.engine.doctor.run.launching import launch

ROOT = Path(__file__).parents[4]


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own for what is temporary: whatever is left in it, this run has left."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def is_running(process: int) -> bool:
    status = Path(f"/proc/{process}/status")
    try:
        return "State:\tZ" not in status.read_text()
    except OSError:
        return False


@pytest.mark.parametrize(
    ("text", "kind", "says"),
    [
        ("x = 1\nwhile True: pass", "time", "still computing after 0.5 s at line 2 (while True: pass)"),
        ("while True:\n    try:\n        while True: pass\n    except: pass", "time", "still computing"),
        ("import time\ntime.sleep(1000)", "waiting", "it waited at line 2"),
        (
            "x = []\nwhile True: x.append(bytearray(1 << 32))",
            "memory",
            "line 2 (while True: x.append(bytearray(1 << 32)))",
        ),
        ("import sys\nsys.exit(3)", "exit", "line 2 (sys.exit(3)) ends the program (exit, code 3)"),
        ("import os\nos._exit(7)", "exit", "ends the program (os._exit, code 7)"),
        ("import os\nos.execv('/bin/true', ['true'])", "exit", "(os.exec, code 0)"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)", "signal", "SIGSEGV at line 2"),
        ("import ctypes\nctypes.string_at(0)", "signal", "SIGSEGV at line 2 (ctypes.string_at(0)) (a crash inside"),
        ("import os\nos.abort()", "signal", "SIGABRT"),
        ("name = input('?')", "input", "line 1 (name = input('?')) asks for input"),
        (
            "import nosuch.thing\nx = 1 + nosuch.thing.run()",
            "module",
            "line 2 (x = 1 + nosuch.thing.run()) needs a module that is not installed: nosuch",
        ),
        (
            "import numpy as np\nnp.loadtxt('no.txt')",
            "file",
            "line 2 (np.loadtxt('no.txt')) reads a file that is not there: no.txt",
        ),
        (
            "open('no/out.txt', 'w')",
            "folder",
            "line 1 (open('no/out.txt', 'w')) writes a file into a folder that is not there",
        ),
        ("import subprocess\nsubprocess.run(['nosuch'])", "program", "starts a program that is not there: nosuch"),
        ("import sys\nrate = float(sys.argv[1])", "exception", "give its arguments after --"),
        (
            "import argparse\np = argparse.ArgumentParser()\np.add_argument('x')\np.parse_args()",
            "exit",
            "(exit, code 2); it reads",
        ),
        ("import os\nos.kill(os.getppid(), 9)", "exception", "does not let a program end what it did not start"),
        ("x = 1\ny = = 2", "exception", "line 2 (y = = 2) fails with SyntaxError"),
        ("raise RuntimeError('\\x1b[31m')", "exception", "RuntimeError: \N{SYMBOL FOR ESCAPE}[31m"),
        (
            "class E(Exception):\n    def __str__(self): raise self\nraise E",
            "exception",
            "line 3 (raise E) fails with E: ",
        ),
        ("def f(): f()\nf()", "exception", "RecursionError"),
        ("raise BaseException", "exception", "fails with BaseException"),
        ("raise KeyboardInterrupt", "exception", "fails with KeyboardInterrupt"),
        ("import os\nos.closerange(0, 100)\nprint(1)", "exception", "line 3 (print(1)) fails with OSError"),
        ("import sys\nsys.stdout = None\nsys.stderr = 3", "end", "it ran to its end"),
        ("import os, shutil\nshutil.rmtree(os.getcwd())", "end", "it ran to its end"),
        ("import os, shutil\nshutil.rmtree(os.environ['TMPDIR'] + '/../..')", "exception", "PermissionError"),
        (
            "import os\nos.system('rm -rf $TMPDIR/../../rnn-tui-*')\nos._exit(5)",
            "code",
            "exit code 5 and without a word",
        ),
        (
            "import atexit, threading, time\natexit.register(time.sleep, 1000)\n"
            "threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()",
            "end",
            "it ran to its end",
        ),
        ("import threading, time\nthreading.Thread(target=time.sleep, args=(1000,)).start()", "waiting", "it waited"),
        (
            "import threading\ndef work():\n    while True: pass\nt = threading.Thread(target=work)\nt.start()\nt.join()",
            "time",
            "still computing after 0.5 s at line 6",
        ),
        (
            "import signal\nfor n in (2, 15, 1, 27): signal.signal(n, signal.SIG_IGN)\nwhile True: pass",
            "time",
            "still computing",
        ),
        ("import os\nos.chmod('.', 0)\nos.fork()", "end", "it ran to its end"),
        (
            "import subprocess\nsubprocess.run(['python3', '-c', 'import socket; socket.socket()'], check=True)",
            "exception",
            "CalledProcessError",
        ),
        ("import socket\nsocket.create_connection(('10.0.0.1', 80))", "exception", "it has no network here"),
    ],
)
def test_a_program_that_ends_in_some_way_ends_in_a_sentence(
    tmp_path: Path, temporary: Path, text: str, kind: str, says: str
) -> None:
    path = tmp_path / "mine" / "mine.py"
    limits = {"time": Limits(0.5), "memory": Limits(memory=1 << 30), "waiting": Limits(waiting=1.0)}.get(kind)
    outcome = launch(path, text, limits=limits)
    assert outcome.ending.kind == kind, outcome.sentence()
    assert says in outcome.sentence()
    assert path.read_text() == text
    assert list(temporary.iterdir()) == []


def test_a_full_disk_ends_a_program_and_no_room_at_all_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mine" / "mine.py"
    monkeypatch.setattr("engine.doctor.run.watching.ROOM", 1 << 60)
    assert launch(path, "import time\ntime.sleep(100)").sentence() == "it was ended because it had filled the disk"
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match=r"^mine\.py could not be run: No such file or directory: .*; is there room"):
        launch(path)


def test_nothing_that_a_program_started_outlives_it(tmp_path: Path) -> None:
    """A fork, a daemon with a session of its own, a process with an environment of its own, a shell's; one that would start more."""
    text = """
        import os, subprocess, sys, time
        started = [subprocess.Popen(["sleep", "1000"], start_new_session=True, env={"PATH": os.environ["PATH"]}).pid]
        os.system("setsid sleep 1000 & echo $!")
        if (forked := os.fork()) == 0:
            os.setsid()
            while True: time.sleep(0.001)
        read, write = os.pipe()
        if os.fork() == 0:
            os.setsid()
            if (daemon := os.fork()) != 0:
                os.write(write, str(daemon).encode())
                os._exit(0)
            while True: time.sleep(0.001)
        print(started[0], forked, os.read(read, 99).decode(), flush=True)
        count = 0
        try:
            while True:
                if os.fork() == 0:
                    os._exit(0)
                count += 1
        except OSError as error:
            print(error)
    """
    outcome = launch(tmp_path / "mine" / "mine.py", text)
    assert outcome.ending.kind == "end", outcome.sentence()
    assert "the doctor lets a program start 200 processes" in outcome.output
    assert [(r.kind, r.line) for r in outcome.refused] == [("process", 19)]
    numbers = [int(word) for word in outcome.output.split() if word.isdecimal() and int(word) != 200]
    assert len(numbers) == 4
    for _ in range(200):
        if not any(map(is_running, numbers)):
            return
        time.sleep(0.01)
    pytest.fail("some still run")


def test_output_without_end_is_cut_and_no_harm(tmp_path: Path) -> None:
    text = "import os\nprint('first \x1b[31m')\nblock = b'x' * (1 << 16)\nfor i in range(2000): os.write(1, block)\nprint('\\nlast')"
    outcome = launch(tmp_path / "mine" / "mine.py", text)
    assert outcome.sentence() == "it ran to its end"
    assert outcome.output.startswith("first \N{SYMBOL FOR ESCAPE}[31m\nxxx")
    assert outcome.output.endswith("…\nlast\n")
    assert outcome.cut
    assert len(outcome.output) < 40_000


def test_ctrl_c_and_the_end_of_the_doctor_end_the_program(tmp_path: Path, temporary: Path) -> None:
    path = tmp_path / "mine" / "mine.py"
    told = tmp_path / "told.txt"
    path.parent.mkdir()
    path.write_text("import os, time\nprint(os.getpid())\nwhile True: time.sleep(0.01)\n")
    doctor = f"""
import os, sys
from pathlib import Path
from engine.doctor.run.launch import Wishes, run
from engine.doctor.run.program import ProgramFile
from engine.doctor.run import watching
add = watching.Output.add
def heard(self, part):
    add(self, part)
    Path({str(told)!r}).open("ab").write(part)
watching.Output.add = heard
path = Path({str(path)!r})
run(ProgramFile(path, path.read_text()), Wishes(runner="plain"), path.parent / "record")
"""
    environment = {**os.environ, "TMPDIR": str(temporary)}
    for number, code in ((signal.SIGINT, -signal.SIGINT), (signal.SIGTERM, 128 + signal.SIGTERM), (signal.SIGKILL, -9)):
        told.unlink(missing_ok=True)
        running = subprocess.Popen([sys.executable, "-c", doctor], stderr=subprocess.DEVNULL, cwd=ROOT, env=environment)
        for _ in range(2000):
            if told.exists() and told.read_text().endswith("\n"):
                break
            time.sleep(0.01)
        process = int(told.read_text())
        running.send_signal(number)
        assert running.wait(20) == code
        for _ in range(500):
            if not is_running(process):
                break
            time.sleep(0.01)
        assert not is_running(process)
        if number != signal.SIGKILL:
            assert list(temporary.iterdir()) == []


def test_trials_that_are_given_up_while_their_process_starts_end_by_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[str] = []
    monkeypatch.setattr(running, "run", lambda *asked: ended.append(run(*asked).ending.kind))
    (tmp_path / "mine.py").write_text("")
    runs = running.Runs(ProgramFile(tmp_path / "mine.py", ""), Wishes(stand=tmp_path, limits=Limits(waiting=6.0)))
    with running.Trials(runs) as trials:
        trials._begin()  # what Ctrl+C in the first moment leaves
    assert ended == ["end"]
