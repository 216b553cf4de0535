"""The report on a notebook: lines are told as one finds them there, by the cell and the line in it."""

from __future__ import annotations

import re
from dataclasses import replace

from engine.doctor.read.source import SourceFile
from engine.doctor.report.report import Report

_LINE = re.compile(r"(cell \d+, )?\bline (\d+)\b(?! of )")


def in_cells(report: Report, source: SourceFile) -> Report:
    """The same report; of a file that is no notebook it is left as it is, as are sentences that have what Python itself says."""
    if not source.cells:
        return report

    def told(sentence: str) -> str:
        def place(found: re.Match[str]) -> str:
            is_own = not found[1] and 0 < int(found[2]) <= len(source.lines)
            return source.place(int(found[2])) if is_own else found[0]

        return _LINE.sub(place, sentence)

    loss = report.loss
    if loss is not None:
        loss = {
            **loss,
            "assumed": told(loss["assumed"]) if loss["assumed"] else None,
            "where": source.place(loss["line"]),
        }
    return replace(
        report,
        parameters={
            name: replace(each, where=source.place(each.line).replace("cell ", "").replace(", line ", ":"))
            if each.line and each.line <= len(source.lines)
            else each
            for name, each in report.parameters.items()
        },
        conventions={name: told(says) for name, says in report.conventions.items()},
        beside=tuple(map(told, report.beside)),
        loss=loss,
    )
