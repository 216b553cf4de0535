"""Data flow by names: from a gradient back to all variables that it may be computed from."""

from __future__ import annotations

from collections.abc import Iterable, Set

from engine.doctor.run.instrument import Site


def feeding(lines: Iterable[tuple[Site, tuple[str, ...], Set[str]]], gradients: Set[str]) -> frozenset[str]:
    """The names that may have a part in these gradients, themselves among them; names are not told apart by function, so rather too many.

    Of each line: its site, the names it assigns, the names it reads. A function's name stands for all that is assigned in it; where
    something in a function has a part, so has all that its callers hand to it.
    """
    lines = list(lines)
    made: dict[str, set[str]] = {}
    inside: dict[str, set[str]] = {}
    for site, targets, reads in lines:
        own = site.function.rpartition(".")[2]
        for target in targets:
            made.setdefault(target, set()).update(reads)
            if own:
                made.setdefault(own, set()).add(target)
                inside.setdefault(target, set()).add(own)
        if own:
            made.setdefault(own, set()).update(reads if site.kind == "return" else ())
    callers: dict[str, set[str]] = {}
    for _, _, reads in lines:
        for name in reads & made.keys():
            callers.setdefault(name, set()).update(reads)
    functions = {site.function.rpartition(".")[2] for site, _, _ in lines} - {""}
    found: set[str] = set()
    todo = list(gradients)
    while todo:
        name = todo.pop()
        if name in found:
            continue
        found.add(name)
        todo += made.get(name, ())
        for function in inside.get(name, set()) & functions:
            todo += callers.get(function, ())
    return frozenset(found)
