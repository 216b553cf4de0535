"""What a mistake is called: the kind of the edit that corrects it, and what that edit changed."""

from __future__ import annotations

import re
from collections.abc import Iterator

from engine.doctor.lineage import gradients
from engine.doctor.lineage.verdict import ADDED, ComparedGradient, RunVerdict

_SLOPE = re.compile(r"1 - [^()+]*\*\* ?2|\*\* ?2|> 0|\* \(1 - ")
_COUNT = re.compile(r"/ (?:\(?len\(|T\b|n_?steps|seq|steps|time)", re.I)


def name_of(kind: str, old: str, mended: str) -> str:
    """The mistake's id, from the kind of the edit and the statement before and after it; the kind where there is no
    other name."""
    if kind == "transpose":
        return "wa-not-transposed" if mended.count(".T") > old.count(".T") else "transposed-too-often"
    if kind == "accumulation":
        return "overwritten-not-accumulated" if "+=" in mended else "carry-not-reset"
    if kind == "derivative":
        if "tanh(" in old and mended.count("tanh(") < old.count("tanh("):
            return "tanh-derivative-of-activation"
        return (
            "tanh-derivative-misplaced-square"
            if re.search(r"\(1 - [^()]+\) \*\* 2", old)
            else "activation-derivative-of-another"
        )
    if kind == "factor-missing":
        return "activation-derivative-missing" if len(_SLOPE.findall(mended)) > len(_SLOPE.findall(old)) else kind
    if kind == "factor-dropped":
        return "averaged-over-time" if _COUNT.search(old) and not _COUNT.search(mended) else "factor-too-many"
    if kind == "term-missing" and re.fullmatch(r"[\w.]+ = .+ \+ [\w.\[\]]+", mended) and mended.startswith(old):
        return "future-gradient-dropped"
    return OTHERS.get(kind, kind)


OTHERS = {
    "index": "wrong-step",
    "variable": "wrong-variable",
    "complement": "complement-forgotten",
    "parentheses": "parentheses",
    "sum-for-mean": "sum-or-mean",
    "axis": "wrong-axis",
    "inserted": "statement-missing",
    "moved": "statements-in-wrong-order",
}


def without_edit(verdict: RunVerdict) -> Iterator[tuple[str, int]]:
    """Mistakes that no edit of a backward line corrects, with the number of a line in the record: gradients that are added to the weights,
    and gradients in which those of the round before are left."""
    for row in verdict.compared:
        if row.reason == ADDED and row.update is not None:
            yield "gradients-added", row.update.line
        elif row.status == "wrong" and verdict.round > 0 and (line := _kept_from_before(verdict, row)):
            yield "gradients-not-reset", line


def _kept_from_before(verdict: RunVerdict, row: ComparedGradient) -> int:
    """The line that adds to what was left of the round before, 0 where there is none."""
    record = verdict.record
    first = gradients.kept(record, row.walk, row.gradient, row.right) if record and row.walk else 0
    if record is None or not first:
        return 0
    reads = (o.line for o in record.operations if any(r.size and r.first == first for r in o.operands))
    return next(reads, row_line(row))


def row_line(row: ComparedGradient) -> int:
    """The number of the update's line."""
    return row.update.line if row.update is not None else 0
