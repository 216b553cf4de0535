"""The gradients that a program computes already, as its run shows them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from engine.doctor.derive.derived import OwnGradient
from engine.doctor.derive.program.ready import ReadyProgram
from engine.doctor.lineage.gradients.comparison import ComparedGradient
from engine.doctor.lineage.record.reading import Record
from engine.doctor.lineage.the_loss.loss import ChosenLoss
from engine.doctor.lineage.verdict.verdict import judged


def own_rows(program: ReadyProgram, parameters: Collection[str]) -> dict[str, ComparedGradient]:
    """For each parameter of which the program has a gradient what is said of it."""
    return rows_of(program.record, program.loss, parameters)


def rows_of(record: Record, loss: ChosenLoss, parameters: Collection[str]) -> dict[str, ComparedGradient]:
    """The same of a run and its loss."""
    verdict = judged(record, loss)
    agrees = verdict.verdict == "wrong" or any(row.status == "right" for row in verdict.compared)
    last = {name.rpartition(".")[2]: name for name in parameters}
    of_ids = {
        e.value.ids().tobytes(): last[e.name.rpartition(".")[2]]
        for e in record.events
        if e.name.rpartition(".")[2] in last
    }
    found: dict[str, ComparedGradient] = {}
    for row in verdict.compared:
        name = row.name if row.name in parameters else last.get(row.name.rpartition(".")[2])
        name = name or of_ids.get(row.own.tobytes())
        is_chance = row.update is None and abs(factor_of(row) - 1) > 1e-9 and int(row.own.max()) < int(loss.ids[0])
        if is_chance:
            continue  # a state, of which with one output a weight's gradient is a multiple: made before the loss, and used for no step
        if name is not None and (row.status == "right" or (agrees and row.status in ("wrong", "zero"))):
            found.setdefault(name, row)
    return found


def own_gradients(rows: Mapping[str, ComparedGradient], *, anew: bool) -> tuple[OwnGradient, ...]:
    """Whether each is right, and where it is used or seen; `anew` where all are made anew if one of them is not right."""
    right = {name: row.status == "right" for name, row in rows.items()}
    anew = anew and not all(right.values())
    return tuple(OwnGradient(name, row.line, right[name], factor_of(row), anew) for name, row in rows.items())


def factor_of(row: ComparedGradient) -> float:
    """How many times dL/d(it) a gradient is."""
    match = row.bare or row.match
    return 1.0 if match is None else abs(match.factor)
