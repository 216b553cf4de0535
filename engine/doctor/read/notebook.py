"""A notebook with some lines of its code cells changed: what else is in it stays as it is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast


def with_lines(path: Path, cells: Sequence[int], lines: Sequence[str], numbers: Sequence[int]) -> str:
    """The notebook at a path with these lines in its code cells: `cells` are the first lines of them in the joined text, `numbers` say
    which line of that each line is, 0 of a new one. Cells that change lose what they have printed."""
    document: Any = json.loads(path.read_bytes())
    every = cast("list[Any]", document["cells"] if "cells" in document else document["worksheets"][0]["cells"])
    code = [cell for cell in every if cell["cell_type"] == "code"]
    for k, cell in enumerate(code):
        key = "source" if "source" in cell else "input"
        own = _lines(cell[key])
        first, end = cells[k], cells[k + 1] if k + 1 < len(cells) else cells[k] + len(own)
        made = [own[n - first] if n else line for n, line in _between(numbers, lines, first, end)]
        if made != own:
            cell[key] = [f"{line}\n" for line in made[:-1]] + made[-1:]
            cell["outputs"] = []
            cell["execution_count" if "source" in cell else "prompt_number"] = None
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _between(numbers: Sequence[int], lines: Sequence[str], first: int, end: int) -> list[tuple[int, str]]:
    """The lines of a cell: its own, and the new ones before a line of the next."""
    made: list[tuple[int, str]] = []
    number = 0
    for n, line in zip(numbers, lines, strict=True):
        number = n or number
        if first <= max(number, 1) < end:
            made.append((n, line))
    return made


def _lines(source: Any) -> list[str]:
    text = source if isinstance(source, str) else "".join(str(part) for part in source)
    return text.split("\n") or [""]
