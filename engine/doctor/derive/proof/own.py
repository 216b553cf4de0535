"""The gradients that a program computes already, as its run shows them."""

from __future__ import annotations

from collections.abc import Collection

from engine.doctor.derive.derived import OwnGradient
from engine.doctor.derive.program.ready import ReadyProgram
from engine.doctor.lineage.verdict.verdict import judged


def own_gradients(program: ReadyProgram, parameters: Collection[str]) -> tuple[OwnGradient, ...]:
    """For each parameter of which the program has a gradient whether it is right, and where it is used or seen."""
    verdict = judged(program.record, program.loss)
    agrees = any(row.status == "right" for row in verdict.compared)
    last = {name.rpartition(".")[2]: name for name in parameters}
    found: dict[str, OwnGradient] = {}
    for row in verdict.compared:
        name = row.name if row.name in parameters else last.get(row.name.rpartition(".")[2])
        if name is not None and (row.status == "right" or (agrees and row.status in ("wrong", "zero"))):
            match = row.bare or row.match
            factor = 1.0 if match is None else abs(match.factor)
            found.setdefault(name, OwnGradient(name, row.line, row.status == "right", factor))
    return tuple(found.values())
