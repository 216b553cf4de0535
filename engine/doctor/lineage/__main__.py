"""`python -m engine.doctor.lineage FILE [--json] [-- ARGS]`: the verdict on one program, for trying things out."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from engine.doctor.lineage.mend import blamed
from engine.doctor.lineage.running import recorded, text_of
from engine.doctor.lineage.verdict import RunVerdict, judged
from engine.errors import InputError


def content(verdict: RunVerdict) -> dict[str, object]:
    """The verdict as JSON has it."""
    rows = [
        {
            "parameter": c.name,
            "line": c.line,
            "status": c.status,
            "reason": c.reason,
            "factor": c.match.factor if c.match else None,
            "cosine": c.match.cosine if c.match else None,
            "error": c.match.error if c.match else None,
            "bare": c.bare.factor if c.bare else None,
        }
        for c in verdict.compared
    ]
    chosen = verdict.loss
    return {
        "verdict": verdict.verdict,
        "reason": verdict.reason,
        "compared": rows,
        "conventions": list(verdict.conventions),
        "not_compared": list(verdict.not_compared),
        "loss": None
        if chosen is None
        else {"name": chosen.name, "line": chosen.line, "value": chosen.value, "assumed": chosen.assumed},
    }


def main(arguments: list[str]) -> int:
    """Prints the verdict; the exit code is 0 (right), 1 (wrong) or 2."""
    own, rest = (arguments, []) if "--" not in arguments else _split(arguments)
    path = Path(next(a for a in own if not a.startswith("--")))
    try:
        began = time.perf_counter()
        record = recorded(path, rest)
        ran = time.perf_counter()
        verdict = judged(record)
        judged_at = time.perf_counter()
        blame = blamed(path, record, verdict, text_of(path), rest) if verdict.verdict == "wrong" else []
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    told = {
        **content(verdict),
        "run": {
            **record.outcome,
            "numbers": len(record.pool),
            "took": [ran - began, judged_at - ran, time.perf_counter() - judged_at],
        },
        "blamed": [vars(b) for b in blame],
    }
    if "--json" in own:
        print(json.dumps(told))
    else:
        _printed(told)
    return {"right": 0, "wrong": 1}.get(verdict.verdict, 2)


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    at = arguments.index("--")
    return arguments[:at], arguments[at + 1 :]


def _printed(told: dict[str, object]) -> None:
    for key, value in told.items():
        if isinstance(value, list):
            print(key)
            for row in value:
                print("   ", *(row.values() if isinstance(row, dict) else [row]))
        else:
            print(key, value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
