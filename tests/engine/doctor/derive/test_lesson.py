"""The backward pass as a lesson: the order of steps without code, and hints one at a time."""

from __future__ import annotations

import pytest

from engine.doctor.derive.derived import Derived, DerivedLine, Gap, Keep
from engine.doctor.derive.lesson.hints import hint
from engine.doctor.derive.lesson.outline import outline
from engine.doctor.reference.results import NamedMistake, Place
from engine.doctor.report.report import Report

PROGRAM = """\
h = np.zeros((2, 3))
for t in range(4):
    z = x[t] @ W + h @ U
    h = np.tanh(z)
loss = 0.5 * np.sum((h - y) ** 2)
"""
DERIVED = Derived(
    "mine.py",
    "loss, line 5",
    keeps=(Keep(4, "mine.py", "    hs.append(h)", "h of every step"),),
    lines=(
        DerivedLine("dh = h - y", "squared error: output - target", 5, "mine.py", "dh", (2, 3), "head"),
        DerivedLine("dW, dU = np.zeros_like(W), np.zeros_like(U)", "", None, "mine.py", "dW, dU", None, "init"),
        DerivedLine("for t in reversed(range(4)):", "", 2, "mine.py", kind="loop"),
        DerivedLine("    dz = dh * (1 - hs[t + 1] ** 2)", "tanh' = 1 - h ** 2", 4, "mine.py", "dz", (2, 3)),
        DerivedLine("    dW += x[t].T @ dz", "", 3, "mine.py", "dW", (2, 3)),
        DerivedLine("    dh = dz @ U.T", "", 3, "mine.py", "dh", (2, 3)),
        DerivedLine("W -= learning_rate * dW", "", None, "mine.py", "W", None, "update"),
    ),
    gaps=(Gap(1, "mine.py", "np.zeros has no rule"),),
)


def test_the_outline_has_shapes_and_no_code() -> None:
    assert (
        outline(DERIVED, PROGRAM)
        == """\
the order of the backward pass of mine.py, from loss, line 5

  before it: what the forward pass has to keep
      after line 4: h of every step

   1. dL/d of the output: dh (2, 3)  ←  line 5: loss = 0.5 * np.sum((h - y) ** 2)
   2. zeros for dW, dU
   3. backwards over the loop of line 2, from its last round to its first
       4. dz (2, 3)  ←  line 4: h = np.tanh(z)
       5. dW (2, 3), dh (2, 3)  ←  line 3: z = x[t] @ W + h @ U
   6. the update: each parameter less the learning rate times its gradient
  open: line 1, np.zeros has no rule
"""
    )


HINTS = (
    "first missing: dz (2, 3)\n",
    "it is fed by\n  line 4: h = np.tanh(z)\n  dh (2, 3)\n",
    "line 4 is h = np.tanh(z): what is dL/d(z), when dL/d of what that line makes is known?  (tanh' = ?)\n",
    "dz = dh * (1 - hs[t + 1] ** 2)\n",
)


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_hints_are_about_the_first_quantity_that_is_missing(number: int) -> None:
    assert hint(DERIVED, PROGRAM + "dh = h - y\n", number) == HINTS[number - 1]


def test_hints_are_about_the_line_that_the_doctor_names() -> None:
    text = PROGRAM + "dh = h - y\nda = dz @ U\n"
    place = Place(7, "da = dz @ U")
    mistake = NamedMistake("wa-not-transposed", "U is not transposed", ("U",), None, place, "da = dz @ U.T")
    report = Report("wrong", "mine.py", diagnoses=(mistake,))
    hints = [hint(DERIVED, text, k, report) for k in (1, 2, 3, 4)]
    assert hints[0] == "first wrong: da, line 7\n"
    assert hints[2:] == ["U is not transposed. What should da be then?\n", "da = dz @ U.T\n"]


def test_where_all_is_there_nothing_is_missing() -> None:
    assert "nothing is missing" in hint(DERIVED, PROGRAM + "dh = h - y\ndz = dh\ndW = dz\n", 1)


def test_the_printed_pass_says_what_to_keep_and_what_is_left_open() -> None:
    text = DERIVED.text()
    assert "#   after line 4:  hs.append(h)" in text
    assert "# Not derived: line 1, np.zeros has no rule." in text
    assert "    dz = dh * (1 - hs[t + 1] ** 2)                # (2, 3)  tanh' = 1 - h ** 2" in text
