"""Functions that a file's own top level calls, with dL/d(outputs) that it makes up."""

from __future__ import annotations

import textwrap
from pathlib import Path

from engine.doctor.diagnose import diagnose
from engine.doctor.report.report import Report
from engine.doctor.run.launch import Wishes

PROGRAM = """import numpy as np

def forward(x, a0, weights):
    a, states = np.zeros((4, 6, x.shape[2])), [a0]
    for t in range(x.shape[2]):
        states.append(np.tanh(weights["Wx"] @ x[:, :, t] + weights["Wa"] @ states[-1] + weights["b"]))
        a[:, :, t] = states[-1]
    return a, (states, x, weights)

def backward(da, cache):
    states, x, weights = cache
    first, second, third, fourth = states  # three steps, as below
    dWx, dWa, db = (np.zeros_like(weights[name]) for name in ("Wx", "Wa", "b"))
    later = np.zeros_like(first)
    for t in (2, 1, 0):
        dz = (da[:, :, t] + later) * (1 - states[t + 1] ** 2)
        dWx += dz @ x[:, :, t].T
        dWa += dz @ states[{state}].T
        db += dz.sum(1, keepdims=True)
        later = weights["Wa"].T @ dz
    return {{"dWx": dWx, "dWa": dWa, "db": db, "da0": later}}

np.random.seed(1)
x, a0, da = np.random.randn(2, 6, 3), np.random.randn(4, 6), np.random.randn(4, 6, 3)
weights = {{"Wx": np.random.randn(4, 2), "Wa": np.random.randn(4, 4), "b": np.random.randn(4, 1)}}
a, cache = forward(x, a0, weights)
gradients = backward(da, cache)
print(gradients["dWx"][0])
"""


def examined(folder: Path, state: str, *, guarded: bool = False) -> Report:
    path, text = folder / "mine.py", PROGRAM.format(state=state)
    if guarded:
        functions, _, rest = text.partition("np.random.seed(1)\n")
        text = f"{functions}if __name__ == '__main__':\n{textwrap.indent(rest, '    ')}"
    path.write_text(text)
    return diagnose(path, None, Wishes(stand=folder))


def test_what_no_arguments_are_found_for_is_called_as_the_file_calls_it(tmp_path: Path) -> None:
    report = examined(tmp_path, "t")
    assert report.verdict == "correct"
    assert report.notes[-2:] == (
        "called as in line 27: backward(da, cache)",
        "the loss is the sum of what was made times its da",
    )
    assert {"weights['Wx']", "weights['Wa']", "weights['b']", "states[0]"} <= set(report.parameters)


def test_its_mistake_is_found(tmp_path: Path) -> None:
    report = examined(tmp_path, "t + 1", guarded=True)
    assert report.verdict == "wrong"
    assert [found.place and found.place.line for found in report.diagnoses] == [18]
