"""Code that does not end, ends the process, or is no Python: a clear sentence, and nothing of ours harmed."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from engine.doctor.by_reference import examine
from engine.errors import InputError

BACKWARD = """
import numpy as np


def backward(X, y, Wx, Wa, Wy):
    B, T, D = X.shape
    a = [np.zeros((B, len(Wa)))]
    for t in range(T):
        a.append(np.tanh(X[:, t] @ Wx + a[-1] @ Wa))
    s = a[-1] @ Wy
    p = np.exp(s) / np.exp(s).sum(1, keepdims=True)
    d = (p - np.eye(Wy.shape[1])[y]) / B
    dWy = a[-1].T @ d
    da = d @ Wy.T
    dWx, dWa = np.zeros_like(Wx), np.zeros_like(Wa)
    for t in reversed(range(T)):
        dz = da * (1 - a[t + 1] ** 2)
        dWx += X[:, t].T @ dz
        dWa += a[t].T @ dz
        da = dz @ Wa.T
    return dWx, dWa, dWy
"""


def written(tmp_path: Path, text: str, name: str = "program.py") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("first", "says"),
    [
        ("while True: pass", "still running"),
        ("while True:\n    try:\n        while True: pass\n    except: pass", "could not be stopped"),
        ("x = bytearray(10 ** 12)", "more memory"),
        ("import sys; sys.exit(3)", "ends the program (exit 3)"),
        ("import os; os._exit(7)", "exit code 7"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV"),
        ("def f(): f()\nf()", "calls itself without end"),
        ("input('?')", "asks for input"),
        ("import nosuchmodule", "needs a module that is not here"),
        ("open('nosuchfile.txt')\nraise ValueError('then')", "fails with ValueError"),
        ("raise RuntimeError('\\x1b[31m')", "RuntimeError: \N{SYMBOL FOR ESCAPE}[31m"),
        ("import numpy as np; np.float(3)", "np.float, which NumPy no longer has; write float"),
        ("import numpy as np; np.asscalar(np.ones(1))", "write x.item()"),
        ("print(foo)", "uses foo, which exists nowhere"),
        ("print(foo)\nfoo = 1", "uses foo before it exists: its first value comes in line 2"),
        ("for i in xrange(3): pass", "write range"),
        ("print 'hello'", "Python 2"),
        ("if True:\nx = 1", "wrongly indented"),
        ("x = (1", "is not Python"),
        ("import os\nfor fd in range(3, 50):\n    try: os.write(fd, b'x' * 99)\n    except OSError: pass", "no answer"),
        ("import os\nos.closerange(3, 50)", "the code"),
        ("import sys\nrate = float(sys.argv[1])", "reads the command line"),
        ("import numpy as np\nx = float(np.ones((1, 1)))", "write array.item()"),
    ],
)
def test_code_that_cannot_run_is_told_why(tmp_path: Path, first: str, says: str) -> None:
    report = examine(written(tmp_path, f"{first}\n{BACKWARD}"))
    assert report.verdict == "cannot-run"
    assert says in report.reason
    assert report.exit_code == 2
    assert report.to_json()["verdict"] == "cannot-run"


@pytest.mark.parametrize(
    "first",
    [
        "import os; os.remove(__file__)",
        "import os; os.remove('program.py')",
        "import sys; sys.stdout.buffer.write(bytes(range(256)) * 1000)",
        "import subprocess; subprocess.Popen(['sleep', '100'])",
        "import os; os.fork()",
        "for i in range(200): print('x' * 1000000)",
        "import pandas, sklearn.metrics as m\nfrom scipy import stats as s\ntry:\n    import torch\nexcept ImportError:\n    pass",
        "import matplotlib.pyplot as plt; fig, ax = plt.subplots(); ax.plot([1, 2]); plt.show()",
        "from tqdm import tqdm\nfor i in tqdm([1, 2]): assert i in (1, 2)",
    ],
)
def test_what_does_no_harm_is_examined(tmp_path: Path, first: str, capfd: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, f"{first}\n{BACKWARD}")
    assert examine(path).verdict == "correct"
    assert path.exists()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("old", "new", "verdict", "says"),
    [
        ("    da = d @ Wy.T\n", "    da = d @ Wy\n", "wrong", "d @ Wy.T would fit"),
        ("    da = d @ Wy.T\n", "", "cannot-run", "uses da before it exists"),
        ("    dWy = a[-1].T @ d\n", "    dWy = a[-1].T @ d * np.float(1)\n", "wrong", "write float"),
        ("        dz = da", "        while True: pass\n        dz = da", "cannot-run", "still running"),
        ("    B, T, D = X.shape\n", "    B, T, D = X.shape\n    while True: pass\n", "cannot-run", "still running"),
        ("    s = a[-1] @ Wy\n", "    s = a[-1] @ Wyy\n", "cannot-run", "uses Wyy"),
        ("    s = a[-1] @ Wy\n", "    scores = a[-1] @ Wy\n    s = score\n", "cannot-run", "is scores meant?"),
        (
            "        dWa += a[t].T @ dz",
            "        dWa += a[t].T @ X[:, t]",
            "wrong",
            "what is added to it, a[t].T @ X[:, t], is (7, 2)",
        ),
        (
            "        dWx += X[:, t].T @ dz",
            "        dWx += X[:, t] @ dz",
            "wrong",
            "it should be: dWx += X[:, t].T @ dz",
        ),
    ],
)
def test_exceptions_in_the_backward_pass_are_findings(
    tmp_path: Path, old: str, new: str, verdict: str, says: str
) -> None:
    assert old in BACKWARD
    report = examine(written(tmp_path, BACKWARD.replace(old, new)))
    assert report.verdict == verdict
    assert says in report.reason
    assert report.reason_line is not None


def test_files_that_are_no_programs(tmp_path: Path) -> None:
    for name, content, says in (
        ("a.py", b"\x00\x01binary", "binary file"),
        ("b.py", b'x = "\xe9"\n', "UTF-8"),
        ("c.ipynb", b"{}", "no cells"),
        ("f.ipynb", b"{", "no JSON"),
        ("d.py", b"", "it is empty"),
        ("e.py", b"x = 1\n", "no function that is a backward pass"),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        report = examine(path)
        assert report.verdict == "cannot-run"
        assert says in report.reason
    with pytest.raises(InputError, match=r"missing\.py"):
        examine(tmp_path / "missing.py")
    with pytest.raises(InputError, match="folder"):
        examine(tmp_path)
    with pytest.raises(InputError, match="is backward meant"):
        examine(written(tmp_path, BACKWARD), "backwards")
    with pytest.raises(InputError, match="there is no function other; it has backward"):
        examine(written(tmp_path, BACKWARD), "other")


def test_nothing_that_the_code_started_is_left(tmp_path: Path) -> None:
    first = "import subprocess; p = subprocess.Popen(['sleep', '100'], start_new_session=True); open(PID, 'w').write(str(p.pid))"
    told = tmp_path / "told"
    assert examine(written(tmp_path, f"PID = {str(told)!r}\n{first}\n{BACKWARD}")).verdict == "correct"
    status = Path(f"/proc/{told.read_text()}/status")
    for _ in range(200):  # it is told to end; that it has ended shows a little later
        if not status.exists() or "State:\tZ" in status.read_text():
            return
        time.sleep(0.01)
    pytest.fail("it still runs")
