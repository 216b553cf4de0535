"""What the statements after one make of its value: by that it is told which of several right values is meant."""

from __future__ import annotations

import ast
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np

from engine.doctor.mending.trials.following import following, in_next_round
from engine.doctor.mending.trials.places import EditPlace, statements
from engine.doctor.recording.trials.expressions import (  # pyright: ignore[reportUnknownVariableType]
    WITH,
    Consequences,
    Gains,
    with_entry,
)

LOOP = """
for t in steps:
    d = up[t] + back
    other = 3 * up[t]
    d *= s[t]
    dW += d @ W.T
    dU['x'] += d
    back = d @ W
"""


def _places() -> dict[str, EditPlace]:
    return {ast.unparse(p.statement): p for p in statements("mine.py", ast.parse(LOOP))}


def test_statements_that_read_it_are_expressions_in_what_was_made() -> None:
    places = _places()
    (path,), (rows,) = following(places["d = up[t] + back"])
    assert path == ("value",)
    aside = [row for row in rows if "up" in row[0]]
    texts = [text for text, _, _ in rows if "up" not in text]
    names = [name for text, name, _ in rows if name and "up" not in text]
    assert texts[0] == "__rt_made__"
    assert texts[1] == f"{names[0]} * s[t]"
    assert f"{names[1]} @ W.T" in texts
    assert f"{names[1]} @ W" in texts
    assert [(text, checked) for text, _, checked in aside] == [("3 * up[t]", False)]  # made anew for those that read it
    ((again, _),) = in_next_round(places["back = d @ W"], places["d = up[t] + back"])
    assert f"up[t] + {again[0][1]}" in [text for text, _, _ in again]


def test_the_next_round_reads_what_the_rest_of_this_one_has_made_of_it() -> None:
    text = "for t in steps:\n    dz = dh * s[t]\n    dh = dz * f\n    dh += dz @ W\n"
    begin, middle, _ = statements("mine.py", ast.parse(text))
    (here,), ((again, _),) = following(middle)[1], in_next_round(middle, begin)
    (added,) = [name for text, name, _ in here if "dz @ W" in text]
    assert f"{added} * s[t]" in [text for text, _, _ in again]
    s, f, W, dz = np.ones(1), 3 * np.ones((1, 2)), np.eye(2), np.ones((1, 2))
    known = {"dz": dz, "W": W, "s": s, "f": f, "t": 0}
    rest, next_round = Consequences(here), Consequences(again)
    stored = rest.stored(dz * f, {}, known)
    _, made = rest.rights(stored, lambda _: False, {}, known)
    assert next_round.rights(stored, lambda v: bool((v == 4).all()), {}, {**known, **made})[0] == 2


def test_what_else_the_next_round_makes_is_made_anew_there() -> None:
    text = "for t in steps:\n    dh = up[t] + dh\n    ds = dc + dh * s[t]\n    dc = ds * f\n    dh = ds @ W\n"
    begin, _, middle, _ = statements("mine.py", ast.parse(text))
    ((again, _),) = in_next_round(middle, begin)
    up, s, W = np.arange(2.0), np.ones(2), np.eye(2)
    known = {"up": up, "s": s, "W": W, "t": 1, "dh": np.full(2, 7.0)}
    made, right = Consequences(again), []
    made.rights((np.full(2, 5.0), None), lambda v: right.append(v.tolist()), {}, known)
    assert right[0] == [13.0, 13.0]  # 5 + (1 + 7) * 1: of what dh is in that round


def test_an_entry_is_read_at_another_index_in_the_next_round() -> None:
    text = "for t in steps:\n    d = U @ z[t + 1]\n    z[t] = d * s[t]\n"
    first, second = statements("mine.py", ast.parse(text))
    ((rows, whole),) = in_next_round(second, first)
    made = Consequences(rows, whole)
    s, z, U, t = np.ones(3), np.zeros((3, 2)), 2 * np.eye(2), 1
    stored = made.stored(np.ones(2), {}, {"s": s, "z": z, "t": t})
    assert made.rights(stored, lambda v: bool((v == 2).all()), {}, {"s": s, "z": z, "U": U, "t": t - 1})[0] == 2
    assert not z.any()


def test_an_edit_gains_what_becomes_right_here_and_in_the_next_round() -> None:
    right = np.array([[2.0, 3.0]])

    def has(value: Any) -> bool:
        return bool(np.array_equal(value, right))

    gains, edit = Gains(has), SimpleNamespace(makes=0, gain=None)
    here = [Consequences([("__rt_made__", "__rt_0__", False), ("__rt_0__ * s", "", True)])]
    next_round = [Consequences([("__rt_made__", "__rt_0__", False), ("__rt_0__ + up", "", True)])]
    line = SimpleNamespace(following=here, again=next_round, begins=4, left=100)
    s, up = 2.0, right / 2
    frame = sys._getframe()
    gains.of(edit, right / 2, right, line, frame)
    assert edit.gain == 1
    gains.begun(3, frame)
    assert edit.gain == 1
    gains.begun(4, frame)
    assert edit.gain == 2
    assert (s, up.shape) == (2.0, (1, 2))


def test_what_is_made_and_never_read_may_be_what_a_line_leaves_out() -> None:
    text = "def f(xs):\n    up, down = g(xs)\n    for t in xs:\n        d[t] = down[t] * s[t]\n"
    *_, place = statements("mine.py", ast.parse(text))
    assert "up[t]" in place.atoms


def test_an_entry_that_is_stepped_changes_what_is_read_of_the_whole() -> None:
    text = "for t in steps:\n    d = p[t]\n    d[y] -= 1\n    dV += outer(d, h)\n"
    first, *_ = statements("mine.py", ast.parse(text))
    ((rows,),) = (following(first)[1],)
    made, seen = Consequences(rows), list[list[float]]()
    names = {"y": 1, WITH: with_entry, "outer": np.outer, "h": np.ones(1)}
    d = np.array([2.0, 3.0])
    made.rights((d, None), lambda v: seen.append(np.ravel(v).tolist()), {}, names)
    assert seen == [[2.0, 2.0], [2.0, 2.0]]
    assert d.tolist() == [2.0, 3.0]
