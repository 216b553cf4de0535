"""Names that exist nowhere, are no more, or are another's: what the text alone shows, and what only looks like it."""

from __future__ import annotations

from typing import Any

import pytest

from engine.doctor.recording.trials import seen as trials
from engine.doctor.repair import names
from engine.doctor.repair.scopes import Scopes
from engine.doctor.repair.seen import SeenRun
from engine.doctor.repair.slip import TextChange, changed


def read(text: str, **told: Any) -> SeenRun:
    """A text that was not run."""
    nothing = {"values": [], "places": [], "begun": [], "stores": [], "missing": [], "gone": [], "arguments": {}}
    return SeenRun(text, None, {**nothing, **told})  # pyright: ignore[reportArgumentType]


def repaired(text: str, kind: Any, **told: Any) -> str:
    seen = read(text, **told)
    return changed(text, [change for slip in kind(seen) for change in slip.changes])


@pytest.mark.parametrize(
    "text",
    [
        "def f(xs):\n    return [x for x in xs if x]\n",
        "def f(n):\n    for k in range(n):\n        if k:\n            print(last)\n        last = k\n",
        "try:\n    read = raw_input\nexcept NameError:\n    read = input\n",
        "from numpy import *\nprint(zeroes(3))\n",
        "class A:\n    size = 3\n    def f(self):\n        return __class__, self.size\n",
        "def f():\n    global total\n    total = 1\nf()\nprint(total)\n",
        "def f(n):\n    def g():\n        return state\n    state = n\n    return g()\n",
        "import numpy.linalg\nprint((lambda q, *r, s=1, **u: (q, r, s, u))(1), numpy.linalg)\n",
        "def f(items):\n    with open(items) as file:\n        (a, *b), c = file\n    return {a: b for b in c}, b\n",
    ],
)
def test_right_names_are_left_alone(text: str) -> None:
    seen = read(text)
    assert [*names.misspelt(seen), *names.hides_outer(seen)] == []


def test_a_misspelt_name_is_the_nearest_in_reach() -> None:
    text = "def f(n_hidden):\n    n_hidden2 = 1\n    return n_hiden\ndef g(n_hidded):\n    return n_hidded\n"
    assert repaired(text, names.misspelt).split("\n")[2] == "    return n_hidden"


def test_a_name_that_is_not_bound_yet_is_not_meant() -> None:
    text = "for epoch in range(epochs):\n    print(epoch)\n"
    assert [*names.misspelt(read(text))] == []
    assert [slip.id for slip in names.misspelt(read("epoch = 3\n" + text))] == ["misspelt-name"]


def test_names_of_python_2() -> None:
    assert repaired("for k in xrange(3): print(k)\n", names.misspelt) == "for k in range(3): print(k)\n"
    (slip,) = names.misspelt(read("print(reduce(max, [1, 2]))\n"))
    assert (slip.id, slip.changes[0].shown) == ("python-name-gone", "functools.reduce")


def test_a_missing_import_is_told_once() -> None:
    seen = read("def f(x):\n    return np.exp(x)\nprint(np.pi)\n")
    assert [slip.id for slip in names.misspelt(seen)] == ["import-missing"]


@pytest.mark.parametrize(("outer", "word"), [("W = 1\n", "global"), ("", "nonlocal")])
def test_a_local_variable_hides_an_outer_one(outer: str, word: str) -> None:
    inner = "def step(g):\n    '''Steps.'''\n    W = W - g\n"
    text = outer + inner if outer else "def all(W):\n" + "".join(f"    {line}\n" for line in inner.strip().split("\n"))
    assert f"{word} W; W = W - g" in repaired(text, names.hides_outer)
    compile(repaired(text, names.hides_outer), "mine.py", "exec")


def test_what_is_added_to_needs_a_first_value() -> None:
    text = "def f(xs):\n    n = 0\n    for x in xs:\n        total += x\n    return total\n"
    assert repaired(text, names.hides_outer).split("\n")[1] == "    total = 0.0; n = 0"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("np.float(x)", "float(x)"),
        ("np.product(x)", "np.prod(x)"),
        ("np.asscalar(x[0])", "(x[0]).item()"),
        ("np.msort(x)", "np.sort(x, axis=0)"),
        ("np.mat(x)", "np.asmatrix(x)"),
        ("np.random.random_integers(5, size=3)", "np.random.randint(1, 6, size=3)"),
        ("np.random.random_integers(low=0, high=k)", "np.random.randint(low=0, high=k + 1)"),
    ],
)
def test_names_that_numpy_has_no_more(old: str, new: str) -> None:
    name = old.partition("(")[0].removeprefix("np.")
    text = f"import numpy as np\nx, k = np.arange(3), 2\ny = {old}\n"
    assert repaired(text, names.gone_from_numpy, missing=[[3, name]]).split("\n")[2] == f"y = {new}"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("start = time.clock()", "start = time.perf_counter()"),
        (
            "from collections import deque, Iterable as I",
            "from collections import deque; from collections.abc import Iterable as I",
        ),
        ("from itertools import izip", "izip = zip"),
        ("from itertools import izip_longest", "from itertools import zip_longest as izip_longest"),
        ("from time import time", "from time import time"),
    ],
)
def test_names_that_python_has_no_more(old: str, new: str) -> None:
    assert repaired(old, names.gone_from_python, gone=trials.gone(old)) == new


def test_an_argument_that_numpy_calls_otherwise() -> None:
    told = {"arguments": {"reshape": ["newshape"]}}
    assert repaired("y = np.reshape(x, newshape=(2, 3))", names.gone_arguments, **told) == "y = np.reshape(x, (2, 3))"
    text = "y = np.reshape(x, order='C', newshape=(2, 3))"
    assert repaired(text, names.gone_arguments, **told) == "y = np.reshape(x, order='C', shape=(2, 3))"


def test_changes_keep_the_numbers_of_lines() -> None:
    text = "a = f(\n    1,\n    2,\n)\nb = é + 1\n"
    changes = [TextChange(1, 4, 4, 1, "g()"), TextChange(5, 4, 5, 6, "c"), TextChange(5, 0, 5, 0, "x; ")]
    assert changed(text, changes) == "a = g()\n\n\n\nx; b = c + 1\n"


def test_scopes_do_not_see_through_classes() -> None:
    import ast

    text = "class A:\n    size = 1\n    def f(self):\n        return size\n"
    assert [name.id for name, _ in Scopes(ast.parse(text)).undefined] == ["size"]


@pytest.mark.parametrize(
    ("wrong", "right"), [("zeros_lik", "zeros_like"), ("tahn", "tanh"), ("random.norml", "random.normal")]
)
def test_a_misspelt_name_of_numpy(wrong: str, right: str) -> None:
    text = f"import numpy as np\nprint(np.{wrong}(3))\n"
    assert repaired(text, names.misspelt_numpy, missing=[[2, wrong]]) == text.replace(wrong, right)


def test_a_name_that_numpy_never_had_is_not_guessed() -> None:
    """`relu` is like `real`, `sigmoid` like nothing."""
    text = "import numpy as np\nprint(np.relu(3), np.sigmoid(3))\n"
    assert repaired(text, names.misspelt_numpy, missing=[[2, "relu"], [2, "sigmoid"]]) == text


def test_a_letter_that_is_there_twice() -> None:
    assert names.nearest("dzz", {"dz", "dh", "x"}) == "dz"
    assert names.nearest("dhh", {"dz", "x"}) is None


def test_the_sum_of_a_generator() -> None:
    text = "import numpy as np\nprint(np.sum(k * k for k in [1, 2]), np.sum([1, 2]))\n"
    assert repaired(text, names.summed_generator, arguments={"sum": ["generator"]}) == text.replace("np.sum(k", "sum(k")
    assert repaired(text, names.summed_generator) == text
