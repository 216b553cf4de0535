"""What a comparison of arrays found, as values, as JSON and as text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.doctor.reference.results import GradientComparison


@dataclass(frozen=True)
class ArrayComparison:
    """One array: its name in the file, the reference's quantity, the comparison, and the step at which it first diverges."""

    name: str
    quantity: str
    comparison: GradientComparison
    t: int | None = None


@dataclass(frozen=True)
class ArrayReport:
    """All arrays in the order in which their quantities are computed; `unknown` are names that mean nothing here.

    `conventions` are what the file's framework does otherwise and the fit needs; `ratio` says by what all gradients differ alike.
    """

    file: str
    rows: tuple[ArrayComparison, ...]
    unknown: tuple[str, ...]
    weights: str
    conventions: tuple[str, ...] = ()
    ratio: str = ""

    @property
    def ok(self) -> bool:
        """Whether everything that was compared is right."""
        return all(row.comparison.ok for row in self.rows)

    @property
    def first(self) -> ArrayComparison | None:
        """The first divergence."""
        return next((row for row in self.rows if not row.comparison.ok), None)

    def to_json(self) -> dict[str, Any]:
        """The same figures as the doctor's."""
        first = self.first
        return {
            "verdict": "correct" if self.ok else "wrong",
            "arrays": {
                row.name: {"quantity": row.quantity, "t": row.t, **row.comparison.to_json()} for row in self.rows
            },
            "first_divergence": {"array": first.name, "quantity": first.quantity, "t": first.t} if first else None,
            "conventions": list(self.conventions),
            "unknown": list(self.unknown),
            "notes": [self.weights, *([self.ratio] if self.ratio else [])],
        }


def text(report: ArrayReport) -> str:
    """The report for people."""
    first = report.first
    needed = f", with {'; with '.join(report.conventions)}" if report.conventions else ""
    head = (
        f"everything that was compared is right{needed}"
        if report.ok
        else f"the first that is wrong is {first.name if first else ''}"
    )
    lines = [f"{report.file}: {head}"]
    if first is not None:
        when = "" if first.t is None else f" at t = {first.t}"
        what = "is not the reference's" if first.name == first.quantity else f"should be {first.quantity}"
        lines += ["", f"  {first.name} {what}{when}"]
    width, meant = (
        max([least, *map(len, names)])
        for least, names in (
            (14, (row.name for row in report.rows)),
            (9, (row.quantity for row in report.rows)),
        )
    )
    lines += ["", f"  {'array':<{width}} {'quantity':<{meant}}  relative error   cosine   norm ratio"]
    for row in report.rows:
        each = row.comparison
        mark = "ok   " if each.ok else "WRONG"
        if each.max_relative_error is None:
            lines.append(f"  {row.name:<{width}} {row.quantity:<{meant}} {mark} {each.note}")
            continue
        cosine = "-" if each.cosine is None else f"{each.cosine:.4f}"
        ratio = "-" if each.norm_ratio is None else f"{each.norm_ratio:.4g}"
        when = "" if row.t is None else f"  from t = {row.t} on"
        lines.append(
            f"  {row.name:<{width}} {row.quantity:<{meant}} {mark} {each.max_relative_error:>9.2e}   {cosine:>6}   {ratio:>10}{when}"
        )
    lines += ["", f"  note: {report.weights}"]
    lines += [f"  note: {report.ratio}"] if report.ratio else []
    if report.conventions and not report.ok:
        lines.append(f"  note: nearest with {'; with '.join(report.conventions)}")
    if report.unknown:
        lines.append(f"  note: not compared, of unknown names: {', '.join(report.unknown[:12])}")
    return "\n".join(lines) + "\n"
