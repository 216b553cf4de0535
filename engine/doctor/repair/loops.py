"""Slips in what loops count: one that runs beyond the steps that there are."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from engine.doctor.read.syntax import called_name
from engine.doctor.repair.seen import SeenRun
from engine.doctor.repair.slip import Slip, instead


def wrong_axis(seen: SeenRun) -> Iterator[Slip]:
    """A loop that fails by an index, and counts a larger length than another loop does."""
    if seen.failed is None or seen.outcome.ending.type != "IndexError":
        return
    loops = [node for node in seen.nodes if isinstance(node, ast.For)]
    for loop in (node for node in seen.around(seen.failed) if isinstance(node, ast.For)):
        for bound, counted in _bounds(seen, loop):
            others = {ast.unparse(b): n for other in loops if other is not loop for b, n in _bounds(seen, other)}
            for name, length in others.items():
                if length < counted:
                    title = f"the loop counts {counted} ({ast.unparse(bound)}), and there are not so many steps: another counts {length}"
                    yield Slip("loop-over-wrong-axis", title, loop.lineno, (instead(bound, name),))


def _bounds(seen: SeenRun, loop: ast.For) -> Iterator[tuple[ast.expr, int]]:
    """What a loop counts to or from, and how many that is: the names in its range."""
    for call in ast.walk(loop.iter):
        if isinstance(call, ast.Call) and called_name(call) == "range":
            for argument in call.args:
                for node in ast.walk(argument):
                    if isinstance(node, ast.Name) and (number := seen.number(node)) is not None and number > 1:
                        yield node, number
