"""The rows as a table for people and as JSON for programs."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from benchmarks.measure import Row, one_thread

HEAD = ("name", "median", "min–max", "p95", "bound", "")


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {
        "python": platform.python_version(),
        "numpy": version("numpy"),
        "textual": version("textual"),
        "processors": os.cpu_count(),
        "matrix products": "one thread, processor time" if one_thread() else "all threads, elapsed time",
        "load": round(os.getloadavg()[0], 2),
    }


def as_json(about: Mapping[str, Any], rows: Sequence[Row]) -> str:
    """Everything the table says, and how many values each row stands for."""
    return json.dumps({"machine": dict(about), "rows": [_object(row) for row in rows]}, indent=1, ensure_ascii=False)


def as_table(about: Mapping[str, Any], rows: Sequence[Row]) -> str:
    """One line a row, in columns."""
    lines = [HEAD, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    text = "\n".join(
        "  ".join(cell.rjust(width) if i else cell.ljust(width) for i, (cell, width) in enumerate(pairs)).rstrip()
        for pairs in (list(zip(line, widths, strict=True)) for line in lines)
    )
    return " · ".join(f"{key} {value}" for key, value in about.items()) + "\n" + text


def _cells(row: Row) -> tuple[str, ...]:
    spread = f"{_number(min(row.values))}–{_number(max(row.values))}"
    p95 = "" if row.p95 is None else _number(row.p95)
    bound = "" if row.bound is None else f"≤ {row.bound:g} {row.unit}"
    return (row.name, f"{_number(row.median)} {row.unit}", spread, p95, bound, row.verdict)


def _number(value: float) -> str:
    """Three digits."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}" if value < 10 else f"{value:.1f}"


def _object(row: Row) -> dict[str, Any]:
    return {
        "name": row.name,
        "unit": row.unit,
        "median": row.median,
        "min": min(row.values),
        "max": max(row.values),
        "p95": row.p95,
        "samples": len(row.values),
        "bound": row.bound,
        "ok": None if row.bound is None else row.verdict == "ok",
    }
