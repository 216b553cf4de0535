"""`python -m benchmarks [NAME...] [--json]`: one table of medians, spreads and bounds. Judges nothing by its exit code."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

from benchmarks.measure import Row
from benchmarks.table import as_json, as_table, machine

# Processes first: they are started before NumPy is loaded here.
NAMES = (
    "first_picture",
    "refusals",
    "repaint",
    "slow_line",
    "seek",
    "recording",
    "threads",
    "long",
    "findings",
    "doctor",
)


def main() -> int:
    """Measures what was asked for, all by default."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measures rnn-tui.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"what to measure: {', '.join(NAMES)} (all)")
    parser.add_argument("--json", action="store_true", help="the result as JSON")
    arguments = parser.parse_args()
    for name in arguments.names:
        if name not in NAMES:
            parser.error(f"there is no benchmark {name}; there are {', '.join(NAMES)}")
    about = machine()
    rows: list[Row] = []
    for name in arguments.names or NAMES:
        print(f"measuring {name} ...", file=sys.stderr)
        rows += import_module(f"benchmarks.{name}").measure()
    about["load after"] = machine()["load"]
    print(as_json(about, rows) if arguments.json else as_table(about, rows))
    return 0


sys.exit(main())
