"""What the doctor says: for people as text, for scripts as JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from engine.doctor.reference.results import GradientComparison, NamedMistake, Place

Verdict = Literal["correct", "wrong", "undecided", "cannot-run"]
WIDTH = 80
EXIT_CODES: Mapping[Verdict, int] = {"correct": 0, "wrong": 1, "undecided": 2, "cannot-run": 2}


@dataclass(frozen=True)
class Report:
    """The whole answer."""

    verdict: Verdict
    file: str
    function: str = ""
    conventions: Mapping[str, str] = field(default_factory=dict[str, str])
    remarks: tuple[tuple[str, str], ...] = ()
    """What was seen of the forward pass and the updates and is no verdict: its name in the catalogue, and a sentence with the line."""
    loss_matches: bool = False
    parameters: Mapping[str, GradientComparison] = field(default_factory=dict[str, GradientComparison])
    compared_with: str = ""
    """What was changed in memory before these were compared, as `with each sample's kept`; "" for the file as it is."""
    diagnoses: tuple[NamedMistake, ...] = ()
    notes: tuple[str, ...] = ()
    reason: str = ""
    """Of what could not run, or of an exception in the backward pass: one sentence."""
    reason_line: int | None = None
    candidates: tuple[Place, ...] = ()
    """Lines of which one is wrong, the likeliest first, where it is not known which."""
    not_compared: tuple[tuple[str, str], ...] = ()
    """What was left out of the comparison, and why."""
    meanings: tuple[Mapping[str, Any], ...] = ()
    """What lines of the backward pass make, see `engine.doctor.report.meanings`."""
    meanings_left: str = ""
    """Which of them are not listed, and why."""
    beside: tuple[str, ...] = ()
    """What the lines before the wrong one make, and what it should: sentences."""
    loss: Mapping[str, Any] | None = None
    """Which value was taken to be the loss: `line`, `source`, `assumed` (where the program computes none), and for people `where`."""
    run: Mapping[str, Any] | None = None
    """The program's own run (see `engine.doctor.run.outcome`), None where there was none."""
    followed_on: bool = False
    """Whether it stopped at its first slip and was followed on with repairs in memory (see `engine.doctor.repair`)."""

    @property
    def exit_code(self) -> int:
        """0 right, 1 wrong, 2 undecided or could not run."""
        return EXIT_CODES[self.verdict]

    @property
    def first_wrong(self) -> Place | None:
        """The first line to look at: the first that is named, else the likeliest of those of which one is wrong."""
        named = (finding.place for finding in self.diagnoses if finding.place is not None)
        return next(iter((*named, *self.candidates)), None)

    def to_json(self) -> dict[str, Any]:
        """The contract's object; every number is finite. A correction is told when a run has shown it: there are no alternatives."""
        notes = [self.reason, *self.notes] if self.reason else list(self.notes)
        notes += [self.meanings_left] if self.meanings_left else []
        if self.candidates:
            notes.append(f"one of these is wrong: {', '.join(each.shown for each in self.candidates)}")
        return {
            "verdict": self.verdict,
            "file": self.file,
            "function": self.function or None,
            "run": dict(self.run) if self.run is not None else None,
            "loss": {k: v for k, v in self.loss.items() if k != "where"} if self.loss is not None else None,
            "conventions": {**self.conventions, **_by_name(self.remarks)},
            "loss_matches": self.loss_matches,
            "parameters": {name: each.to_json() for name, each in self.parameters.items()},
            "not_compared": [{"name": name, "reason": reason} for name, reason in self.not_compared],
            "meanings": [dict(each) for each in self.meanings],
            "first_divergence": self.first_wrong.to_json() if self.first_wrong else None,
            "diagnoses": [finding.to_json() for finding in self.diagnoses],
            "alternatives": [],
            "notes": notes,
        }


def _counted(remarks: int) -> str:
    return "one remark" if remarks == 1 else f"{remarks} remarks"


def _by_name(remarks: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The sentences of remarks of one name as one."""
    return {name: "; ".join(says for other, says in remarks if other == name) for name, _ in remarks}


def text(report: Report) -> str:
    """The report for people."""
    head = {
        "correct": f"{report.file}: the backward pass is right",
        "wrong": f"{report.file}: the backward pass is wrong",
        "undecided": f"{report.file}: undecided; nothing was found wrong, but not all could be compared",
        "cannot-run": f"{report.file}: {'it cannot run as it is' if report.diagnoses else 'could not be examined'}",
    }[report.verdict]
    if report.followed_on:
        stops = f"it stops at {report.run['where']}" if report.run is not None else "it cannot run as it is"
        head = f"{report.file}: {stops}; with repairs in memory it was followed on"
    head += f"; {_counted(len(report.remarks))}" if report.remarks else ""
    lines = [head + (f"  ({report.function})" if report.function else "")]
    if report.remarks:
        lines += ["", "  seen in the program, and no verdict"]
        lines += [line for name, says in report.remarks for line in _wrapped(f"{says}  [{name}]", "    ")]
    if report.reason and not report.followed_on:
        lines += ["", *_wrapped(report.reason)]
    for finding in report.diagnoses:
        lines += ["", *(_followed(finding) if report.followed_on else _found(finding))]
    if report.beside:
        lines += [
            "",
            "  where it is first not right, and what goes into it",
            *(line for one in report.beside for line in _wrapped(one, "    ")),
        ]
    if report.candidates:
        missing = "no correction was found" if not report.diagnoses else "what else is wrong was not found"
        lines += ["", f"  {missing}; look first at"]
        lines += [f"    {each.shown}:  {each.source}" for each in report.candidates]
    if report.parameters:
        lines += ["", *([f"  {report.compared_with}:"] if report.compared_with else []), *_table(report.parameters)]
    if report.conventions:
        width = max(map(len, report.conventions))
        lines += [
            "",
            "  conventions, taken to be meant",
            *(f"    {k:<{width}}  {v}" for k, v in report.conventions.items()),
        ]
    if report.not_compared:
        lines += ["", "  not compared"]
        lines += [line for name, why in report.not_compared for line in _wrapped(f"{name}: {why}", "    ")]
    if report.notes:
        lines += ["", *(line for note in report.notes for line in _wrapped(f"note: {note}"))]
    if report.run is not None:
        lines += ["", *_run(report.run, report.loss)]
    return "\n".join(lines) + "\n"


def _wrapped(sentence: str, indent: str = "  ") -> list[str]:
    """A sentence in lines of at most 80 columns; what has no blank in it is not broken."""
    return textwrap.wrap(
        sentence,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + "  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _run(run: Mapping[str, Any], loss: Mapping[str, Any] | None) -> list[str]:
    """What was run, how it ended, and which value is the loss."""
    lines = [*_wrapped(f"run: {run['command']}"), *_wrapped(str(run["stopped"]), "       ")]
    if run["note"]:
        lines += _wrapped(str(run["note"]), "       ")
    if loss is not None:
        taken = f"taken to be {loss['assumed']}" if loss["assumed"] else f"{loss['where']}: {loss['source']}"
        lines += _wrapped(f"loss: {taken}")
    if run["written"]:
        lines += _wrapped(f"written and thrown away: {', '.join(run['written'][:8])}")
    if run["stubs"]:
        lines += _wrapped(f"not installed, replaced by modules that do nothing: {', '.join(run['stubs'])}")
    if run["absent"]:
        lines += _wrapped(f"not installed, imported and not used up to there: {', '.join(run['absent'])}")
    if run["implicit"]:
        said = "found beside the module that imports it, as by Python 2 (Python 3 needs: from . import ...)"
        lines += _wrapped(f"{said}: {', '.join(run['implicit'])}")
    lines += [
        line
        for each in run["refused"][:4]
        for line in _wrapped(f"refused: {each['kind']} {each['what']}, line {each['line']}")
    ]
    return lines


def _table(parameters: Mapping[str, GradientComparison]) -> list[str]:
    """The comparison under the user's names; the line is the one that made the gradient."""
    width = min(max(9, *map(len, parameters)), 30)
    placed = {name: each.where or str(each.line or "") for name, each in parameters.items()}
    room = max(5, *map(len, placed.values()))
    head = "place" if any(each.where for each in parameters.values()) else "line"
    lines = [f"  {'gradient of':<{max(width, 11)}}         {head:>{room}}   relative error    cosine      factor"]
    for name, each in parameters.items():
        mark = "ok" if each.ok else "WRONG"
        head = f"  {name:<{max(width, 11)}}  {mark:<5}  {placed[name]:>{room}}"
        if each.max_relative_error is None:
            lines.append(f"{head}   {each.note or 'not compared'}")
            continue
        cosine = "-" if each.cosine is None else f"{each.cosine:.4f}"
        factor = "-" if each.norm_ratio is None else f"{each.norm_ratio:.4g}"
        lines.append(f"{head}   {each.max_relative_error:>14.2e}   {cosine:>7}  {factor:>10}")
        if each.note:
            lines += _wrapped(each.note, " " * (len(head) + 3))
    return lines


def _found(finding: NamedMistake) -> list[str]:
    effect = _wrapped(finding.effect, "    ") if finding.effect else []
    return [*_wrapped(f"{finding.title}  [{finding.id}]"), *_placed(finding), *effect]


def _followed(finding: NamedMistake) -> list[str]:
    """A finding of a program that was followed on, as one reads the file: the line, what is wrong, what to write."""
    lines = [f"  {finding.place.shown}:  {finding.place.source}"] if finding.place is not None else []
    lines += _wrapped(f"{finding.title}  [{finding.id}]", "    ")
    if finding.fix:
        lines.append(f"    write:  {finding.fix}")
    if finding.after is not None:
        lines.append(f"    (seen after {finding.after.shown} is repaired)")
    return lines


def _placed(finding: NamedMistake) -> list[str]:
    if finding.place is None:
        return []
    lines = [f"    {finding.place.shown}:  {finding.place.source}"]
    if finding.fix:
        meant = "perhaps" if finding.id == "misspelt-name" else "should be"  # what is nearest, and no run has shown it
        lines.append(f"    {meant}:  {finding.fix}")
    return lines
