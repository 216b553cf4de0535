"""The recording of a run: what moves numbers keeps them known, arithmetic is written down, and the program does what it
did."""

from __future__ import annotations

import ast
import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.doctor.lineage.record import carry_back
from engine.doctor.lineage.record.array_names import ArrayNames
from engine.doctor.lineage.record.carry_back import CutOperands, carried_back
from engine.doctor.lineage.record.reading import Record, RecordedEvent, read
from engine.doctor.recording.tracing import instrument, store, updates
from engine.doctor.run.limits import Limits
from engine.errors import InputError
from tests.engine.doctor.lineage.programs import TAGGER, changed, run, runs_of

LOSSES = [
    "W.T[1:].sum() * 2",
    "(W[[0, 2, 0]] * np.arange(9.0).reshape(3, 3)).sum()",
    "(W[:, [1, 1]] ** 3).sum()",
    "(np.concatenate([W, W * W]) * 0.5).sum()",
    "(np.stack([W[0], W[1]], axis=1) @ np.ones(2)).sum()",
    "np.where(W > 0, W ** 2, 3 * W).sum()",
    "np.maximum(W, 0.12).sum()",
    "W.max(axis=1).sum() + W.min()",
    "(np.tile(W[0], (2, 1)) ** 2).sum()",
    "(np.repeat(W, 2, axis=0) ** 2).sum()",
    "np.einsum('ij,kj->ik', W, W).sum()",
    "np.tensordot(W, W, axes=([0], [1])).sum()",
    "np.outer(W[0], W[1]).sum() + np.dot(W[0], W[2])",
    "np.linalg.norm(W) + np.var(W) + W.std()",
    "np.log(np.sum(np.exp(W - W.max(axis=1, keepdims=True)), axis=1)).sum()",
    "np.cumsum(W, axis=0)[2].sum() + np.prod(W[0])",
    "np.array([W[0, 0] * 2, W[1, 1], 1.0]).dot(np.array([W[2, 2], 3.0, W[0, 1]]))",
    "math.exp(W[0, 1]) * float(W[2, 0]) + sum([float(v) for v in W[1]])",
    "np.clip(W, -0.33, 0.33).sum() + np.abs(W).mean()",
    "(np.pad(W, 1) ** 2)[1:3].sum()",
    "filled(W)",
    "scattered(W)",
    "overwritten(W)",
    "W.tolist()[0][1] ** 2 + W.ravel()[4].item() * W.flatten()[2]",
    "np.hstack((W, W.T)).reshape(-1)[::2].sum() * W.trace()",
    "np.mean([W[0] * 2, W[1]], axis=0) @ np.square([W[1, 0], W[2, 1], W[0, 0]])",
    "np.sum([row * k for k, row in enumerate(W)]) * np.linalg.norm([W[0], W[2]])",
    "(np.hstack((W[0], W[1, 2])) ** 2).sum() + np.append(W[2], W[0, 0]).sum()",
    "np.subtract(*np.broadcast_arrays(W[0] ** 2, W[1:])).max() + (np.broadcast_arrays(W[1], W * W)[0] ** 3).sum()",
    "(np.compress([True, False, True], W, axis=0) * np.extract(W > 0, W)[:1]).sum()",
    "sum(v.sum() * k for k, v in enumerate(np.atleast_2d(W[0], W[1] ** 2), 1)) * np.atleast_1d(W)[0, 1]",
    "np.vectorize(lambda a, b: math.tanh(a) * b)(W, W[0]).sum() + np.vectorize(abs)(W[1, 1])",
    "put_into(W)",
    "np.swapaxes(W[:, :, None], 0, 1)[1].sum() + np.expand_dims(W, 0).squeeze(0)[0, 2]",
]
BODY = """
def filled(W):
    h = np.zeros((4, 3))
    for t in range(3):
        h[t + 1] = np.tanh(W @ h[t] + W[t])
    h[1] *= 2
    return (h ** 2).sum()

def scattered(W):
    out = np.zeros((2, 3))
    np.add.at(out, [0, 1, 0], W * W)
    return (out * out).sum()

def put_into(W):
    one, two = W * 2, W * 3
    np.putmask(one, W < 0, W[0] * W[1])
    np.place(two, W > 0.4, [W[0, 0], 7.0])
    return (one ** 2).sum() + (two ** 2).sum()

def overwritten(W):
    buffer = W * 2
    kept = buffer[0] * W[1]
    buffer[0] = W[2] * W[2]
    buffer -= W
    return kept.sum() + (buffer ** 2).sum()
"""
START = "import math\nimport numpy as np\nW = np.array([[0.3, -0.2, 0.5], [0.7, 0.15, -0.4], [-0.6, 0.8, 0.2]])\n"


def value(of: str, w: Any) -> float:
    import math

    space: dict[str, Any] = {"np": np, "math": math, "W": w}
    exec(BODY, space)
    return float(eval(of, space))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Record:
    text = START + BODY + "".join(f"loss_{k} = {text}\n" for k, text in enumerate(LOSSES))
    record = run(tmp_path_factory.mktemp("losses"), text)
    assert record.outcome["ended"] == "end", record.outcome
    return record


def event(record: Record, name: str) -> RecordedEvent:
    return next(e for e in record.events if e.name == name)


@pytest.mark.parametrize("k", range(len(LOSSES)), ids=LOSSES)
def test_the_derivative_of_what_ran_is_the_derivative_of_the_function(recorded: Record, k: int) -> None:
    loss = event(recorded, f"loss_{k}").value
    ids = event(recorded, "W").value.ids()
    w = recorded.pool[ids]
    adjoint = carried_back(recorded, [(loss, np.ones(loss.shape))])[ids]
    assert recorded.pool[loss.first] == pytest.approx(value(LOSSES[k], w), rel=1e-12)
    direction = np.random.default_rng(k).normal(size=w.shape)
    slope = (value(LOSSES[k], w + 1e-6 * direction) - value(LOSSES[k], w - 1e-6 * direction)) / 2e-6
    assert (adjoint * direction).sum() == pytest.approx(slope, rel=1e-6, abs=1e-8)


def test_a_traced_array_passes_for_a_plain_one(tmp_path: Path) -> None:
    """The program asserts; an exception would be its outcome."""
    record = run(tmp_path, PASSES)
    assert record.outcome["ended"] == "end", record.outcome


PASSES = """
import copy, json, pickle, random, math
import numpy as np

x = np.array([[1.5, 2.0], [3.0, 4.0]])
single = x.astype(np.float32) * np.float32(2)
assert single.dtype == np.float32 and (single @ single).dtype == np.float32 and isinstance(single[0, 0], np.float32)
try:
    x.coppy()
except AttributeError as error:
    assert "'ndarray' object has no attribute 'coppy'" in str(error).replace("numpy.", ""), error
assert isinstance(x, np.ndarray) and type(x).__name__ == "ndarray" and isinstance(x[0, 0], float) and isinstance(x[0, 0], np.float64)
assert "%.2f" % x[0, 0] == "1.50" == f"{x[0, 0]:.2f}" == "{:.2f}".format(x.sum() - 9)
assert str(x) == "[[1.5 2. ]\\n [3.  4. ]]" and repr(x[0]) == "array([1.5, 2. ])" and f"{x[0]}" == "[1.5 2. ]"
assert round(float(x[0, 0])) == 2 and round(x.mean(), 1) == 2.6 and int(x[1, 0]) == 3
assert json.dumps({"a": float(x[0, 0]), "b": x.tolist(), "c": x[0, 1].item()}) == '{"a": 1.5, "b": [[1.5, 2.0], [3.0, 4.0]], "c": 2.0}'
assert (pickle.loads(pickle.dumps(x)) == x).all() and (copy.deepcopy(x) == x).all()
assert pickle.loads(pickle.dumps(x[0, 0])) == 1.5 and copy.copy(x[0, 0]) == 1.5
assert x.argmax() == 3 and x.argmax(axis=0).tolist() == [1, 1] and (x > 2).sum() == 2 and (x[x > 2]).tolist() == [3.0, 4.0]
assert np.random.RandomState(0).choice(2, p=np.array([0.25, 0.75]) * x[0, 1] / 2.0) in (0, 1)
assert list(map(type, np.unravel_index(x.argmin(), x.shape)))[0] in (np.int64, np.int32)
assert np.allclose(x, x + 1e-12) and np.array_equal(x, x.copy()) and not np.isnan(x).any()
assert max(x[0]) == 2.0 and sorted(x.ravel(), reverse=True)[0] == 4.0 and sum(x[0]) == 3.5
out = np.empty((2, 2))
assert np.multiply(x, 2, out=out) is out and out[1, 1] == 8.0
total = 0.0
for row in x:
    for entry in row:
        total += entry * entry
assert total == 31.25 and isinstance(total, float)
y = x
y += 1
assert x[0, 0] == 2.5
assert x.T.flags.f_contiguous and x.ravel().base is not None and x.size == 4 and len(x) == 2
assert bool(x[0, 0]) and (x[0, 0] or 3) == 2.5 and -x[0, 0] == -2.5 and x[0, 0] ** 2 == 6.25 and 2 ** x[0, 1] == 8.0
assert hash(x[0, 0]) == hash(2.5) and {x[0, 0]: 1}[2.5] == 1
assert np.float64(x[0, 0]) == 2.5 and np.asarray(x) is x and np.array(x) is not x
a, b = np.split(x, 2)
assert a.shape == (1, 2) and math.tanh(x[0, 0]) == math.tanh(2.5) and math.log(x[0, 1], 10) == math.log(3.0, 10)
w = [[random.uniform(-1, 1) for _ in range(3)] for _ in range(2)]
assert all(isinstance(v, float) for row in w for v in row) and np.array(w).shape == (2, 3)
assert np.vstack([x, [[1, 2]]]).shape == (3, 2) and np.append(x, 1.0).shape == (5,) and np.insert(x[0], 1, 9.0)[1] == 9.0
assert np.append(x, [["a", "b"]], axis=0).dtype.kind == "U"
assert [(k, float(v)) for k, v in np.ndenumerate(x[:1])] == [((0, 0), 2.5), ((0, 1), 3.0)] == list(np.ndenumerate(x[:1].tolist()))
assert sum(x[0]) == sum(x[0].tolist()) and type(sum(x[0])) is type(x[0, 0]) and sum(x).tolist() == x.sum(axis=0).tolist()
twice = np.fromiter((2 * entry for entry in x[0]), float)
assert twice.tolist() == [5.0, 6.0] and type(twice) is type(x) and np.fromiter(range(2), int).tolist() == [0, 1]
one = np.dot(x[0], x[1])
assert (one + [1.0, 2.0]).tolist() == [one.item() + 1, one.item() + 2] == ([1.0, 2.0] + one).tolist()
try:
    [1.0, 2.0] * one
    raise AssertionError("NumPy multiplies no list")
except TypeError:
    pass
column = np.empty(2)
column.shape = (2, 1)
column[0], column[1] = np.array([3.0]), x[0, 0]
assert column.shape == (2, 1) and (column * 2).ravel().tolist() == [6.0, 5.0]
assert np.append(x[:1], np.atleast_2d(["a", "b"]), axis=0).tolist() == [["2.5", "3.0"], ["a", "b"]]
endless = [x[0, 0]]
endless += [endless, endless]
assert np.array(endless, dtype=object).shape == (3,)
try:
    np.concatenate([x[0], endless])
    raise AssertionError("a list that contains itself is no array of numbers")
except ValueError:
    pass
np.random.shuffle(x)
assert sorted(x[:, 0].tolist()) == [2.5, 4.0]
"""


DRAWN = """
import numpy as np
import matplotlib.pyplot as plt
plt.style.use("a style that is gone")
h = np.ones(3) * 0.5
plt.plot(h, [h[0], 1.0 - h[1]])
figure, axes = plt.subplots()
axes.plot(h.reshape(3, 1), label=h[2])
assert axes.shared("x") == "x"
plt.show()
"""


def test_what_is_drawn_is_drawn_from_plain_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Matplotlib asserts that arrays are NumPy's own; here a module in its place asserts it of all that it is given."""
    package = tmp_path / "site-packages" / "matplotlib"
    package.mkdir(parents=True)
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    (tmp_path / "own").mkdir()
    (package / "__init__.py").write_text("def use(backend): raise ImportError\n")
    (package / "style.py").write_text("def use(name): raise OSError\n")
    (package / "pyplot.py").write_text(
        "from matplotlib import style\n"
        "kinds = []\n"
        "class Axes:\n"
        "    @staticmethod\n"
        "    def shared(axis): return axis\n"
        "    def plot(self, *given, label=None):\n"
        "        kinds.extend(type(e).__name__ for each in (*given, [label]) for e in (each if type(each) is list else [each]))\n"
        "def plot(*given): Axes().plot(*given)\n"
        "def subplots(): return None, Axes()\n"
        "def show(): raise AssertionError\n"
    )
    record = run(tmp_path / "own", DRAWN + "assert set(plt.kinds) == {'ndarray', 'float64', 'NoneType'}, plt.kinds\n")
    assert record.outcome["ended"] == "end", record.outcome


SINGLES = """
import operator
import warnings
import zlib
import numpy as np

values = [1.5, -2.25, 0.0, -0.0, 1e-310, 1e200, -1e200, float("inf"), float("nan"), 3, 10**400]
numbers = [*np.array(values[:-1]), *np.array([1.5, -2.25, 1e-40, 1e30], np.float32), *[float(v) for v in values[:-1]], *values, True]


def shown(operation, a, b):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            made = operation(a, b)
            text = (np.asarray(made).dtype.name, isinstance(made, np.generic), repr(np.asarray(made).tolist()))
        except Exception as error:
            text = type(error).__name__
    return text, [str(warning.message) for warning in caught]


for operation in operator.add, operator.sub, operator.mul, operator.truediv, operator.pow:
    for a in numbers[:-12]:
        made = repr([(shown(operation, a, b), shown(operation, b, a)) for b in numbers])
        print(operation.__name__, repr(a), zlib.crc32(made.encode()))
"""


def test_a_line_that_fills_data_with_a_number_is_not_recorded_each_time(tmp_path: Path) -> None:
    text = """
import numpy as np
rows = np.zeros((30, 1000))
for k in range(25000):
    rows[k % 30, k % 1000] = 1.0
W = np.full(30, 0.5)
W[0] = 0.25
loss = (W @ rows).sum()
"""
    record = run(tmp_path, text)
    filled = [e for e in record.events if e.site.line == 5]
    assert len(filled) < 25000
    assert len(record.pool) < 30 * 1000 + 30 * 1000 + 15000
    (weight,) = [e for e in record.events if e.site.line == 7]
    assert int(weight.value.first) not in record.constants


def test_arithmetic_of_single_numbers_is_what_it_was(tmp_path: Path) -> None:
    """Bits, kinds, warnings and exceptions of Python's floats, float64 and float32 beside one another."""
    plain = subprocess.run([sys.executable, "-c", SINGLES], capture_output=True, text=True, check=True).stdout
    outcome, _ = runs_of(tmp_path, SINGLES).followed()
    assert outcome.output.splitlines() == plain.splitlines()


def test_the_program_runs_as_it_did_with_the_same_random_numbers_twice(tmp_path: Path) -> None:
    one, two = run(tmp_path, TAGGER, rounds=1), run(tmp_path, TAGGER, rounds=1)
    assert one.outcome["ended"] == "update" == two.outcome["ended"]
    assert np.array_equal(one.pool, two.pool)


def test_what_is_written_into_in_a_way_that_is_not_followed_starts_anew(tmp_path: Path) -> None:
    """Also in views: what the numbers were made of before says nothing of what is there now."""
    text = """
import numpy as np
W = np.array([[0.5, -0.3], [0.2, 0.4]])
h = W * 2.0
row = h[0]
np.put_along_axis(h, np.array([[0], [1]]), 7.0, axis=1)
loss = (row * row).sum()
"""
    record = run(tmp_path, text)
    (loss,) = [e for e in record.events if e.name == "loss"]
    adjoint = carried_back(record, [(loss.value, np.ones(()))])
    assert record.pool[loss.value.number(0)] == pytest.approx(7.0**2 + 0.6**2)
    (w,) = [e for e in record.events if e.name == "W"]
    assert not adjoint[w.value.ids()].any()
    assert [line for what, line, _ in record.lost if what == "put_along_axis"]


def test_what_loses_its_lineage_is_said_with_its_line(tmp_path: Path) -> None:
    record = run(tmp_path, "import numpy as np\nA = np.eye(3) * 2.0\n\nB = np.linalg.inv(A)\n")
    assert [(what, record.lines[line].number) for what, line, _ in record.lost] == [("inv", 4)]


def test_an_exception_is_told_with_the_programs_own_line(tmp_path: Path) -> None:
    outcome, record = runs_of(tmp_path, "import numpy as np\nx = np.ones(3)\ny = x + np.ones(4)\n").followed()
    assert not isinstance(record, str)
    assert record.outcome["ended"] == "error"
    assert (outcome.ending.type, outcome.ending.line) == ("ValueError", 3)


def test_a_helper_module_is_recorded_and_a_users_engine_is_his(tmp_path: Path) -> None:
    (tmp_path / "engine.py").write_text("import numpy as np\n\ndef twice(x):\n    y = x * 2.0\n    return y\n")
    record = run(tmp_path, "import numpy as np\nimport engine\nz = engine.twice(np.ones(3))\n")
    assert record.outcome["ended"] == "end"
    assert any(e.name == "y" and Path(e.site.file).name == "engine.py" for e in record.events)


def test_a_file_that_runpy_runs_is_recorded_too(tmp_path: Path) -> None:
    (tmp_path / "part.py").write_text("import numpy as np\nw = np.ones(3)\ny = w * 2.0\n")
    record = run(tmp_path, "import runpy\nrunpy.run_path('part.py', run_name='__main__')\n")
    assert [record.lines[o.line].file for o in record.operations] == ["part.py"]


def test_a_helper_module_in_a_folder_above_is_recorded_too(tmp_path: Path) -> None:
    (tmp_path / "common").mkdir()
    (tmp_path / "common" / "layers.py").write_text(
        "import numpy as np\n\ndef kept(x):\n    hs = np.empty(3, 'f')\n    hs[:] = x\n    return hs\n"
    )
    (tmp_path / "first").mkdir()
    text = "import sys\nimport numpy as np\nsys.path.append('..')\nfrom common.layers import kept\nz = kept(np.ones(3)) * 2\n"
    record = run(tmp_path / "first", text)
    assert record.outcome["ended"] == "end"
    assert ["hs", "../common/layers.py"] in [[e.name, e.site.file] for e in record.events]
    assert not record.lost


def test_entries_of_a_list_are_called_by_their_places(tmp_path: Path) -> None:
    record = run(tmp_path, "import numpy as np\nparams = [np.ones(3), np.zeros(2)]\na, b = params\n")
    assert [e.name for e in record.events] == ["params[0]", "params[1]", "a", "b"]


@pytest.mark.parametrize("name", ["pool", "ops", "events", "wide", "refs", "record.json"])
def test_a_damaged_record_is_one_sentence(tmp_path: Path, name: str) -> None:
    files = {
        "pool": np.zeros(3),
        "ops": np.array([30, 0, 1, 1, 1, -30, 0, 2, 0, 9], np.int32),
        "wide": np.array([0, 2, 0, 1, 0, 0, 1, 0, 0], np.int32),
        "refs": np.ones(1, np.int32),
        "events": np.array([0, 0, 1, 2], np.int32),
    }
    for file, numbers in {**files, "leaves": np.zeros(0, np.int32)}.items():
        numbers.tofile(tmp_path / file)
    empty = ("lost", "names", "rounds", "again")
    sites = [["program.py", 1, "assign", "a", "", "a = b", [], "b"]]
    given = {"version": 2, "numbers": 3, "lines": [["", 0]], "sites": sites, "outcome": {}}
    text = json.dumps({**given, **{key: [] for key in empty}})
    (tmp_path / "record.json").write_text(text)
    read(tmp_path)
    damage = {
        "pool": b"",
        "ops": np.array([30, 0, 1, 1, 99], np.int32).tobytes(),
        "events": np.array([0, 0, 1, 3], np.int32).tobytes(),
        "wide": np.array([0, 99], np.int32).tobytes(),
        "refs": np.array([7], np.int32).tobytes(),
        "record.json": b"{",
    }
    (tmp_path / name).write_bytes(damage[name])
    with pytest.raises(InputError, match="damaged"):
        read(tmp_path)


def test_of_a_program_that_never_ends_what_was_recorded_counts(tmp_path: Path) -> None:
    runs = runs_of(tmp_path, FOREVER)
    outcome, record = replace(runs, wishes=replace(runs.wishes, limits=Limits(1.0))).followed()
    assert outcome.ending.kind == "time"
    assert not isinstance(record, str)
    assert len(record.events) > 0


FOREVER = """
import numpy as np
x = np.ones(2)
while True:
    try:
        len(x)
    except Exception:
        pass
"""


def test_single_numbers_without_an_update_are_not_followed_for_ever() -> None:
    kept = store.Store(io.BytesIO(), lambda *_: 1)
    number = kept.single(1.0)
    kept.singles_left = 2
    kept.make_room()
    for _ in range(3):
        number = kept.computed(0, 1.0, number, number)
    with pytest.raises(store.Singles):
        kept.computed(0, 1.0, number, number)


def test_after_an_update_single_numbers_are_followed_on() -> None:
    watch = updates.UpdateWatch(store.Store(io.BytesIO(), lambda *_: 1))
    watch.complete(store.Root(np.arange(3)))
    assert watch.store.singles_left > store.SINGLES


def test_one_number_that_is_stepped_in_place_keeps_its_name(tmp_path: Path) -> None:
    text = "import numpy as np\nb, d = np.zeros(1), np.ones(1)\nfor k in range(2):\n    b -= 0.1 * (d + b)\n    print(b * 2)\n"
    record = run(tmp_path, text)
    stepped = [event.value.ids().ravel() for event in record.events if event.site.kind == "step"]
    assert len(stepped) == 2
    assert all(ArrayNames(record).all_of(ids) == ["b"] for ids in stepped)


def test_an_entry_is_called_by_its_key_where_that_is_put_together(tmp_path: Path) -> None:
    loop = "for gate in 'if':\n    w['U' + gate] = np.random.randn(2, 2)\n    w[f'b{gate}'] = w['U' + gate] * 2\n"
    text = f"import numpy as np\nw = {{}}\n{loop}"
    record = run(tmp_path, text)
    assert [e.name for e in record.events] == ["w['Ui']", "w['bi']", "w['Uf']", "w['bf']"]


def test_a_module_that_runpy_starts_is_the_program(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("import numpy as np\nx = np.ones(3)\ny = 2 * x\n")
    record = run(tmp_path, "import runpy\nrunpy.run_module('own', run_name='__main__')\n")
    assert [(e.name, e.site.file) for e in record.events] == [("x", "own.py"), ("y", "own.py")]


THREADS = """
import threading
import time
from multiprocessing.pool import ThreadPool
import numpy as np

W = np.array([[0.3, -0.2], [0.7, 0.15]])
begun = threading.Event()


def powers(k):
    begun.set()
    made = W * k
    for _ in range(200):
        made = made @ W
    return made


def alone():
    begun.wait()
    while len(kept) < 4:
        time.sleep(0.01)
    kept.append(powers(9))


kept = []
waiting = threading.Thread(target=alone)
waiting.start()
kept += ThreadPool(2).map(powers, range(1, 5), 1)
waiting.join()
print(len(kept))
"""


def test_threads_are_recorded_one_after_the_other(tmp_path: Path) -> None:
    """Products let other threads run: without turns their operations come in any order, or write over one another."""
    record = run(tmp_path, THREADS)
    assert record.outcome["ended"] == "end"
    begins, ends = ([n for n, line in enumerate(THREADS.split("\n"), 1) if word in line] for word in ("W * k", "@ W"))
    lines = [record.lines[operation.line].number for operation in record.operations]
    assert [line for line in lines if line in (*begins, *ends)] == (begins + ends * 200) * 5


def test_statements_that_were_rewritten_beforehand_are_what_they_would_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies of a process know them; of a changed text only what was changed is rewritten."""
    text = changed(TAGGER, ("later = W.T @ dz", "later = W @ dz"))

    def made(text: str) -> tuple[str, list[list[Any]]]:
        sites: list[Any] = []
        tree = instrument.rewritten(text, "mine.py", sites)
        return ast.dump(tree, include_attributes=True), [site.row() for site in sites]

    expected = made(text)
    monkeypatch.setattr(instrument, "_KNOWN", {})
    instrument.know(TAGGER, "mine.py")
    seen, visit = [], instrument.Rewriter.visit_Assign
    monkeypatch.setattr(instrument.Rewriter, "visit_Assign", lambda self, node: seen.append(node) or visit(self, node))
    assert made(text) == expected
    assert [ast.unparse(node.targets) for node in seen] == ["later"]


def test_many_arrays_of_one_number_are_carried_back_at_once(tmp_path: Path) -> None:
    """What comes back to each is the same number, which may not be written into; what a constant gets is dropped."""
    text = "import numpy as np\nws = [np.ones(1) * k for k in range(6)]\nloss = np.zeros(1)\nfor w in ws:\n    loss = loss + 0.5 * w\n"
    record = run(tmp_path, text)
    last = record.operations[-1].result
    adjoint = carried_back(record, [(last, np.ones(1))])
    halves = [o for o in record.operations if o.name == "multiply" and o.line == record.operations[-1].line]
    assert [adjoint[o.operands[1].first] for o in halves] == [0.5] * 6


LOOP = """
import numpy as np
rng = np.random.RandomState(0)
W, U, X = rng.randn(3, 3), rng.randn(3, 2), rng.randn(9, 2)
h, loss = np.zeros(3), 0.0
for t in range(9):
    h = np.tanh(W @ h + U @ X[t])
    loss = loss + (h ** 2).sum()
loss = loss / 9
"""


def test_a_loop_without_what_it_hands_on_is_carried_back_in_one_piece(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its steps know nothing of one another; operation by operation the same comes out. Through what was made before a number nothing is
    carried that is asked for it alone."""
    record = run(tmp_path, LOOP)
    loss = record.operations[-1]
    products = [k for k, o in enumerate(record.operations) if o.name == "matmul" and o.operands[1].size == 3]
    stops, seeds = CutOperands(record, dict.fromkeys(products, 1)), [(loss.result, np.ones(()))]
    apart = carried_back(record, seeds, lambda *_: None, stops)
    alone, hand_on = [], carry_back._hand_on
    monkeypatch.setattr(carry_back, "_hand_on", lambda *args: alone.append(args[2].name) or hand_on(*args))
    assert carried_back(record, seeds, stops=stops) == pytest.approx(apart, abs=1e-12)
    assert not {"tanh", "matmul"} & set(alone), "nine at once"
    total = loss.operands[0].first
    bare = carried_back(record, seeds, down_to=total)
    assert bare[total] == pytest.approx(1 / 9)
    assert not bare[:total].any()


def test_more_kinds_of_operations_are_carried_back_than_eight_bits_count(tmp_path: Path) -> None:
    sums = "for n in range(2, 200):\n    loss = loss + (w[:n] * w[:n]).sum()\n"
    record = run(tmp_path, "import numpy as np\nw, loss = np.random.RandomState(0).randn(200), 0.0\n" + sums)
    first = record.operations[0]
    seeds = [(record.operations[-1].result, np.ones(()))]
    adjoint = carried_back(record, seeds, stops=CutOperands(record, {0: 1}))
    uses = np.array([198 - 0.5, 198 - 0.5, *range(197, 0, -1)])  # one of the two of the first product is cut
    assert adjoint[first.operands[0].first :][:199] == pytest.approx(
        2 * uses * record.pool[first.operands[0].first :][:199]
    )
