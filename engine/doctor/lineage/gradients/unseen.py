"""Backward passes of a program that no compared gradient came from: a verdict on the others says nothing about them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

import numpy as np

from engine.doctor.lineage.gradients.gradient_names import last_of, meant
from engine.doctor.lineage.record.arrays import whole_numbers
from engine.doctor.lineage.record.carry_back import reached, touched
from engine.doctor.lineage.record.reading import Ids, Record, RecordedArray
from engine.doctor.recording.calls.guesses import BACKWARD

NOTHING_CAME = "no gradient that was compared came from it"
"""What is said of such a function."""


def unseen(record: Record, gradients: Sequence[Ids]) -> list[str]:
    """The functions that are called as backward passes are, made gradients of arrays that came from outside, and had no
    part in these gradients."""
    marked = reached(record, [RecordedArray(ids.shape, kept=ids) for ids in gradients])
    events = record.events
    several = np.flatnonzero(events.sizes > 2)
    outside = {last_of(e.name) for e in events.at(several[record.makers(events.firsts[several]) < 0])}
    is_back = events.where(lambda kind: bool(BACKWARD.search(kind.site.function.rsplit(".", 1)[-1])))
    one = np.flatnonzero(is_back & (events.sizes == 1) & marked[events.firsts])
    made, used = dict[str, None](), {events.kinds[k].site.function for k in whole_numbers(np.unique(events.spots[one]))}
    for event in events.at(np.flatnonzero(is_back & (events.sizes > 1))):
        if touched(marked, event.value):
            used.add(event.site.function)
        elif event.value.size > 2 and record.maker(event.value.first) >= 0 and meant(event.name) & outside:
            made[event.site.function] = None
    return [function for function in made if function not in used]


def never_run(record: Record, file: str, tree: ast.Module) -> list[str]:
    """The functions of a file that are called as backward passes are, and of which nothing was seen to run."""
    ran = {kind.site.function for kind in record.events.kinds if kind.site.file == file}
    return [name for name in _functions(tree, "") if BACKWARD.search(name.rsplit(".", 1)[-1]) and name not in ran]


def _functions(node: ast.AST, inside: str) -> Iterator[str]:
    """The names of functions, with those of the classes that they are in, that assign something."""
    for inner in ast.iter_child_nodes(node):
        if isinstance(inner, ast.ClassDef):
            yield from _functions(inner, f"{inside}{inner.name}.")
        elif isinstance(inner, ast.FunctionDef) and any(map(_assigns, ast.walk(inner))):
            yield inside + inner.name


def _assigns(node: ast.AST) -> bool:
    return isinstance(node, (ast.Assign, ast.AugAssign))
