"""How the doctor does on planted mistakes: `python -m tests.engine.doctor.score [--pairs N] [--style WORDS] [--misses]`.

Found: called wrong (or, where it cannot run, said so with the line). Named: the planted mistakes are the first diagnosis. Line: the
diagnosis, or with none the first line that is told, is a right one. False alarm: a correct program that is not called correct.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.doctor.report.report import Report
from tests.engine.doctor.planted import STYLES, differs, pairs, singles
from tests.engine.doctor.reports import examine
from tests.engine.doctor.styles.style import Planted


@dataclass(frozen=True)
class Outcome:
    """What the doctor said of a planted program."""

    planted: Planted
    report: Report
    seconds: float

    @property
    def found(self) -> bool:
        """Called wrong."""
        return self.report.verdict == "wrong"

    @property
    def named(self) -> bool:
        """The planted mistakes, and only they, come first."""
        return {finding.id for finding in self.report.diagnoses} == set(self.planted.ids)

    @property
    def placed(self) -> bool:
        """Every diagnosis, or with none the first line that is told, at a right line."""
        places = [finding.place for finding in self.report.diagnoses] or [self.report.first_wrong]
        return all(place is not None and place.line in self.planted.lines for place in places)


def examined(source: str, folder: Path) -> tuple[Report, float]:
    """The report on a text."""
    path = folder / "planted.py"
    path.write_text(source)
    start = time.perf_counter()
    report = examine(path)
    return report, time.perf_counter() - start


def outcomes(planted: Iterable[Planted], folder: Path) -> Iterator[Outcome]:
    """What the doctor says of each."""
    for each in planted:
        yield Outcome(each, *examined(each.source, folder))


def row(name: str, those: list[Outcome]) -> str:
    """One line of the table."""
    count = len(those)
    if not count:
        return ""
    shares = (sum(getattr(o, what) for o in those) / count for what in ("found", "named", "placed"))
    found, named, placed = (f"{share:7.1%}" for share in shares)
    return f"{name:50} {count:5} {found} {named} {placed} {max(o.seconds for o in those):6.1f}"


HEAD = f"{'':50} {'':>5} {'found':>7} {'named':>7} {'line':>7} {'max s':>6}"


def main() -> int:
    """Prints the table; 1 when a correct program raises an alarm."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=10, help="sampled pairs a style")
    parser.add_argument("--style", default="", help="only styles whose name has this in it")
    parser.add_argument("--misses", action="store_true", help="print every program that was not found, named or placed")
    options = parser.parse_args()
    by_style: dict[str, list[Outcome]] = defaultdict(list)
    by_id: dict[str, list[Outcome]] = defaultdict(list)
    alarms: list[str] = []
    inapplicable: dict[str, int] = defaultdict(int)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for style in STYLES:
            if options.style not in style.name:
                continue
            report, _ = examined(style.source, folder)
            if report.verdict != "correct":
                alarms.append(f"{style.name}: {report.verdict} {report.reason}")
            for kind, planted in (("", singles(style)), (", two at once", pairs(style, options.pairs))):
                applicable = [p for p in planted if not differs(p, style)]
                inapplicable[style.name] += len(planted) - len(applicable)
                for outcome in outcomes(applicable, folder):
                    by_style[style.name + kind].append(outcome)
                    if not kind:
                        by_id[outcome.planted.ids[0]].append(outcome)
                    if options.misses and not (outcome.found and outcome.named and outcome.placed):
                        print(miss(outcome), flush=True)
    for title, groups in (("style", by_style), ("mistake", by_id)):
        print(f"\n{title:50}{HEAD[50:]}")
        print("\n".join(row(name, those) for name, those in sorted(groups.items())))
    everything = [outcome for those in by_style.values() for outcome in those]
    print("\n" + row("all", everything))
    print(
        f"not applicable: {sum(inapplicable.values())}; false alarms: {len(alarms)} of {len(STYLES)} correct programs"
    )
    print("\n".join(alarms))
    return int(bool(alarms))


def miss(outcome: Outcome) -> str:
    """One line on a program that was not found, named or placed."""
    report = outcome.report
    said = [(finding.id, finding.place.line if finding.place else None) for finding in report.diagnoses]
    first = report.first_wrong.line if report.first_wrong else None
    lacks = " ".join(what for what in ("found", "named", "placed") if not getattr(outcome, what))
    return (
        f"not {lacks}: {outcome.planted.style} {outcome.planted.ids} lines {sorted(outcome.planted.lines)}; "
        f"{report.verdict} {said} first {first} {report.reason}"
    )


if __name__ == "__main__":
    raise SystemExit(main())
