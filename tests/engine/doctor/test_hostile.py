"""Code that does not end, ends the process, or is no Python: a clear sentence, and nothing of ours harmed."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import InputError
from tests.engine.doctor.reports import examine

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
        ("if True:\nx = 1", "wrongly indented"),
        ("x = (1", "is not Python"),
    ],
)
def test_what_is_no_python_is_told_why(tmp_path: Path, first: str, says: str) -> None:
    report = examine(written(tmp_path, f"{first}\n{BACKWARD}"))
    assert (report.verdict, report.exit_code) == ("cannot-run", 2)
    assert says in report.reason
    assert report.to_json()["verdict"] == "cannot-run"


@pytest.mark.parametrize(
    "first",
    [
        "import os; os.remove('program.py')",
        "import subprocess; subprocess.Popen(['sleep', '100'])",
        "import os; os.fork()",
        "import matplotlib.pyplot as plt; fig, ax = plt.subplots(); ax.plot([1, 2]); plt.show()",
    ],
)
def test_what_does_no_harm_is_examined(tmp_path: Path, first: str, capfd: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, f"{first}\n{BACKWARD}")
    assert examine(path).verdict == "correct"
    assert path.exists()
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("    da = d @ Wy.T\n", "", "could not be called"),
        ("    s = a[-1] @ Wy\n", "    s = a[-1] @ nowhere\n", "nowhere"),
    ],
)
def test_an_exception_on_arguments_that_were_made_up_is_no_mistake(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    assert old in BACKWARD
    report = examine(written(tmp_path, BACKWARD.replace(old, new)))
    assert report.verdict == "cannot-run"
    assert says in report.reason


def test_files_that_are_no_programs(tmp_path: Path) -> None:
    for name, content, says in (
        ("a.py", b"\x00\x01binary", "binary file"),
        ("b.py", b'x = "\xe9"\n', "UTF-8"),
        ("c.ipynb", b"{}", "no cells"),
        ("f.ipynb", b"{", "no JSON"),
        ("d.py", b"", "it is empty"),
        ("e.py", b"x = 1\n", "no backward pass that could be called"),
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
