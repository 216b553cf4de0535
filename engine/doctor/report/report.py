"""What the doctor says: for people as text, for scripts as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from engine.doctor.judge.ablation import words
from engine.doctor.reference.results import GradientComparison, NamedMistake, Place

if TYPE_CHECKING:
    from engine.doctor.judge.timeline import Compared

Verdict = Literal["correct", "wrong", "cannot-run"]
EXIT_CODES: Mapping[Verdict, int] = {"correct": 0, "wrong": 1, "cannot-run": 2}


@dataclass(frozen=True)
class Report:
    """The whole answer."""

    verdict: Verdict
    file: str
    function: str = ""
    conventions: Mapping[str, str] = field(default_factory=dict[str, str])
    loss_matches: bool = False
    parameters: Mapping[str, GradientComparison] = field(default_factory=dict[str, GradientComparison])
    first_divergence: Place | None = None
    diagnoses: tuple[NamedMistake, ...] = ()
    alternatives: tuple[tuple[str, ...], ...] = ()
    notes: tuple[str, ...] = ()
    reason: str = ""
    """Of what could not run, or of an exception in the backward pass: one sentence."""
    reason_line: int | None = None
    pattern: Mapping[str, bool] = field(default_factory=dict[str, bool])
    """Whether the gradients are right at T = 1, B = 1, H = 1, a0 = 0 and with a linear activation, see `parts`."""
    compared: Compared | None = None
    """The run and the reference, to step through both; None when nothing was comparable."""

    @property
    def exit_code(self) -> int:
        """0 right, 1 wrong, 2 could not run."""
        return EXIT_CODES[self.verdict]

    def to_json(self) -> dict[str, Any]:
        """The contract's object; every number is finite."""
        notes = [self.reason, *self.notes] if self.reason else list(self.notes)
        return {
            "verdict": self.verdict,
            "file": self.file,
            "function": self.function or None,
            "conventions": dict(self.conventions),
            "loss_matches": self.loss_matches,
            "parameters": {name: each.to_json() for name, each in self.parameters.items()},
            "first_divergence": self.first_divergence.to_json() if self.first_divergence else None,
            "diagnoses": [finding.to_json() for finding in self.diagnoses],
            "alternatives": [list(ids) for ids in self.alternatives],
            "notes": notes,
        }


def text(report: Report) -> str:
    """The report for people."""
    head = {
        "correct": f"{report.file}: the backward pass is right",
        "wrong": f"{report.file}: the backward pass is wrong",
        "cannot-run": f"{report.file}: could not be examined",
    }[report.verdict]
    lines = [head + (f"  ({report.function})" if report.function else "")]
    if report.reason:
        lines += ["", f"  {report.reason}"]
    for finding in report.diagnoses:
        lines += ["", f"  {finding.title}  [{finding.id}]", *_placed(finding)]
    if report.alternatives:
        others = "; ".join(" + ".join(ids) for ids in report.alternatives)
        lines += ["", f"  it may as well be: {others}"]
    if report.first_divergence and not report.reason:
        lines += ["", *_divergence(report.first_divergence)]
    if report.parameters:
        lines += ["", *_table(report.parameters)]
    if report.pattern:
        lines += ["", *(f"  {each}" for each in words(report.pattern))]
    if report.conventions:
        width = max(map(len, report.conventions))
        lines += [
            "",
            "  conventions, as found by trying",
            *(f"    {k:<{width}}  {v}" for k, v in report.conventions.items()),
        ]
    if report.notes:
        lines += ["", *(f"  note: {note}" for note in report.notes)]
    return "\n".join(lines) + "\n"


def _placed(finding: NamedMistake) -> list[str]:
    if finding.place is None:
        return []
    lines = [f"    {finding.place.shown}:  {finding.place.source}"]
    if finding.fix:
        lines.append(f"    should be:  {finding.fix}")
    return lines


def _divergence(place: Place) -> list[str]:
    when = "" if place.t is None else f" at t = {place.t}"
    which = "" if place.sample is None else f", sample {place.sample}"
    lines = [f"  the first value that is not the reference's: {place.quantity or 'a value'}{when}{which}"]
    lines.append(f"    {place.shown}:  {place.source}")
    if place.why:
        lines.append(f"    {place.why}")
    return lines


def _table(parameters: Mapping[str, GradientComparison]) -> list[str]:
    lines = ["  gradient      relative error   cosine   norm ratio"]
    for name, each in parameters.items():
        mark = "ok   " if each.ok else "WRONG"
        if each.max_relative_error is None:
            lines.append(f"  d{name:<4} {mark}  {each.note or 'not compared'}")
        else:
            cosine = "-" if each.cosine is None else f"{each.cosine:.4f}"
            ratio = "-" if each.norm_ratio is None else f"{each.norm_ratio:.4g}"
            lines.append(
                f"  d{name:<4} {mark}   {each.max_relative_error:>13.2e}   {cosine:>6}   {ratio:>10}  {each.note}".rstrip()
            )
    return lines
