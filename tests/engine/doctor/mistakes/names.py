"""The whole doctor on every example of the catalogue: verdict, line and name. `make doctor-names`; NAMES=text for some of them."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from engine.doctor.lineage.record.running import Runs
from engine.doctor.lineage.verdict.verdict import judged
from engine.doctor.mending.mend import blamed
from engine.doctor.mistakes.catalogue import CATALOGUE
from engine.doctor.mistakes.mistake import Example
from engine.doctor.run.launch import Wishes
from engine.doctor.run.program import ProgramFile


def found(folder: Path, example: Example) -> tuple[str, int, str]:
    """Verdict, line and name for an example's wrong program."""
    path = folder / "program.py"
    path.write_text(example.wrong_text)
    runs = Runs(ProgramFile(path, example.wrong_text), Wishes(stand=folder))
    _, record = runs.followed()
    if isinstance(record, str):
        return record, 0, ""
    verdict = judged(record)
    lines = blamed(runs, record, verdict) if verdict.verdict == "wrong" else []
    return (verdict.verdict, lines[0].line, lines[0].id) if lines else (verdict.verdict, 0, "")


def main() -> None:
    """One line for each mistake, and how many were found, placed and named."""
    asked = sys.argv[1] if len(sys.argv) > 1 else ""
    chosen = [m for m in CATALOGUE.values() if m.example is not None and not m.remark and asked in m.id]
    wrong = placed = named = 0
    for mistake in chosen:
        assert mistake.example is not None
        begin = time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            verdict, line, name = found(Path(folder), mistake.example)
        right = mistake.example.wrong_line
        wrong, placed, named = wrong + (verdict == "wrong"), placed + (line == right), named + (name == mistake.id)
        seconds = time.process_time() - begin
        print(f"{mistake.id:36} {verdict:9} line {line} of {right}  {name or '-':36} {seconds:5.1f} s", flush=True)
    print(f"{len(chosen)} examples: {wrong} wrong, {placed} at the line, {named} named")


if __name__ == "__main__":
    main()
