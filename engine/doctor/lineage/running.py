"""Runs a program in a process of its own and reads its record: for trying things out, in a copy of the program's folder."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

from engine.doctor.lineage.reading import Record, read
from engine.errors import InputError

RECORDING = Path(__file__).resolve().parent.parent / "recording"
SECONDS = 60.0
START = """
import importlib.util, sys
folder = sys.argv[1]
spec = importlib.util.spec_from_file_location("_rnn_tui_recording", folder + "/__init__.py", submodule_search_locations=[folder])
package = importlib.util.module_from_spec(spec)
sys.modules["_rnn_tui_recording"] = package
spec.loader.exec_module(package)
from _rnn_tui_recording import runner
runner.main(sys.argv[2:])
"""


def text_of(path: Path) -> str:
    """The program: a Python file, or the code cells of a notebook, where lines that are no Python (magics) are left empty."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return text
    cells = cast("list[dict[str, Any]]", json.loads(text)["cells"])
    lines: list[str] = []
    for cell in cells:
        if cell.get("cell_type") == "code":
            source = cell.get("source", "")
            lines += ("".join(source) if isinstance(source, list) else str(source)).splitlines()
    return "\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in lines) + "\n"


def recorded(
    path: Path, arguments: Sequence[str] = (), text: str | None = None, python: str = sys.executable, **options: Any
) -> Record:
    """The record of a run of `path`, or of `text` in its place. InputError where no record was written."""
    chosen = json.dumps({"arguments": list(arguments), **options})
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MPLBACKEND": "Agg"}
    with copied(path, text_of(path) if text is None else text) as file:
        out = file.parent.parent / "out"
        out.mkdir()
        try:
            subprocess.run(
                [python, "-c", START, str(RECORDING), str(file), str(out), chosen],
                cwd=file.parent,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise InputError(f"{path.name} did not come to its first update in {SECONDS:g} s") from None
        return read(out)


@contextlib.contextmanager
def copied(path: Path, text: str) -> Iterator[Path]:
    """The program with this text in a copy of its folder, which is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="rnn-tui-lineage-") as temporary:
        copy = Path(temporary) / "run"
        shutil.copytree(path.resolve().parent, copy, ignore=shutil.ignore_patterns(".git", "__pycache__"))
        file = copy / (path.stem + ".py")
        file.write_text(text, encoding="utf-8")
        yield file
