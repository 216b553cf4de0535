"""Corrections of what stands around lines, as texts: nothing is run."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable

from engine.doctor.mending.around.blocks import begun, interchanged, reordered, unconditional
from engine.doctor.mending.around.loops import headers
from engine.doctor.mending.around.unshown import inserted, turned_round
from engine.doctor.mending.trials.places import EditPlace, statements
from engine.doctor.mending.trials.proposal import Proposal


def _found(
    text: str, wanted: str, proposed: Callable[[dict[str, str], list[EditPlace]], Iterable[Proposal]], lines: set[int]
) -> Proposal:
    """The proposal that makes the wanted text of a program."""
    texts = {"mine.py": text}
    places = [p for p in statements("mine.py", ast.parse(text)) if p.statement.lineno in lines]
    made = {ast.dump(ast.parse(each.applied(texts)["mine.py"])): each for each in proposed(texts, places)}
    return made[ast.dump(ast.parse(wanted))]


TWO_LOOPS = """
def back(up, down, U, V):
    rest = np.zeros(3)
    for t in range(4):
        d = up[t] + rest
        rest = U @ d
    for t in range(4):
        d = down[t] + rest
        rest = V @ d
"""


def test_a_loop_begins_with_what_another_one_left() -> None:
    steps = "for t in range(4):\n        d = down"
    wanted = TWO_LOOPS.replace(steps, "for t in (rest := np.zeros(3), range(4))[1]:\n        d = down")
    found = _found(TWO_LOOPS, wanted, begun, {8, 9})
    assert (found.statement.lineno, found.id) == (7, "carry-left-over")
    assert found.mended.startswith("rest = np.zeros(3)")
    again = TWO_LOOPS.replace("        rest = U @ d\n", "        rest = U @ d\n    rest = np.zeros(3)\n")
    gone = TWO_LOOPS.replace("        rest = U @ d\n", "        rest = U @ d\n    pass\n")
    found = _found(again, gone, begun, {9, 10})
    assert (found.statement.lineno, found.id) == (7, "layer-above-not-handed-down")


def test_a_carry_begins_before_an_outer_loop() -> None:
    text = "rest = 0\nfor n in range(9):\n    for t in range(4):\n        d = up[n][t] + rest\n        rest = U * d\n"
    wanted = text.replace("range(4)", "(rest := 0, range(4))[1]")
    assert _found(text, wanted, begun, {4, 5}).statement.lineno == 3


def test_a_condition_is_too_narrow() -> None:
    text = "for t in range(4):\n    if t > 0:\n        dW += d[t]\n"
    found = _found(text, text.replace("t > 0", "True"), unconditional, {3})
    assert (found.statement.lineno, found.mended) == (2, "dW += d[t]")


def test_a_statement_stands_behind_what_reads_it() -> None:
    text = "d = p.copy()\ndV += h * d\ndc += d\nd /= n\n"
    found = _found(text, "d = p.copy()\nd /= n; dV += h * d\ndc += d\npass\n", lambda _, places: reordered(places), {2})
    assert (found.statement.lineno, found.mended) == (2, "d /= n; dV += h * d")


def test_two_statements_have_each_others_value() -> None:
    text = "dx[t] += z[1]\ndx[t + 1] += z[0]\n"
    found = _found(text, "dx[t] += z[0]\ndx[t + 1] += z[1]\n", lambda _, places: interchanged(places), {1})
    assert (found.statement.lineno, found.mended, found.all_wrong) == (1, "dx[t] += z[0]", True)


def test_the_entry_next_to_one_is_added_nowhere() -> None:
    text = "dx[t + 1] += z[0]\n"
    found = _found(text, "dx[t + 1] += z[0]; dx[t] += z[1]\n", lambda _, places: inserted(places), {1})
    assert (found.statement.lineno, found.kind) == (1, "inserted")


def test_what_the_other_direction_gives_back_is_turned_round() -> None:
    text = "dx = forwards.back(d)\ndx = dx + backwards.back(d[::-1])\n"
    wanted = text.replace("d[::-1])", "d[::-1])[::-1]")
    assert _found(text, wanted, lambda _, places: turned_round(places), {1, 2}).statement.lineno == 2


def test_loops_of_the_training_are_looked_at_last() -> None:
    text = (
        "def back():\n    for t in range(T - 1, 0, -1):\n        d = U @ d\n    for g in (dU, dV):\n        g *= 2\n"
        "for epoch in range(9):\n    for x in data:\n        W -= back()\n"
    )
    found = list(headers(ast.parse(text), {3, 5, 8}, [8]))
    assert (2, "range(T - 1, -1, -1)") in [(loop.lineno, made) for loop, made, _ in found]
    assert [loop.lineno for loop, _, _ in found][-1] == 7
