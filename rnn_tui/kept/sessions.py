"""Keeps how each session was left, in a file of the platform's folder for that; a file that cannot be read or written is no session."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.errors import InputError
from engine.files.writing import replaced

LARGEST = 100_000
"""Bytes of a file that is looked at."""


def session_file(data: Path, given: Mapping[str, Any]) -> Path:
    """Where a session on this data with these options is kept."""
    from platformdirs import user_state_path

    options = sorted((name, str(value)) for name, value in given.items())
    name = hashlib.sha256(json.dumps([str(data), options]).encode()).hexdigest()[:24]
    return user_state_path("rnn-tui") / "sessions" / f"{name}.json"


def remembered(path: Path) -> dict[str, Any] | None:
    """How it was left; None where nothing is kept."""
    with contextlib.suppress(OSError, ValueError, RecursionError):
        if path.stat().st_size <= LARGEST:
            kept = json.loads(path.read_text(encoding="utf-8"))
            return kept if isinstance(kept, dict) else None
    return None


def remember(path: Path, left: Mapping[str, Any]) -> None:
    """Keeps how it is left; a folder that cannot be written to is no reason to complain at the end."""
    with contextlib.suppress(OSError, InputError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replaced(path) as file:
            file.write(json.dumps(dict(left)).encode())
