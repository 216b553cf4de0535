"""What CONTRIBUTING.md says is done in a copy of the project, all sections at once; each must then work everywhere."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.extended import SECTIONS

ROOT = Path(__file__).resolve().parents[1]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"```(python|diff)\n(.*?)```", re.DOTALL)
HEADINGS = re.findall(r"^## (Add .*)$", CONTRIBUTING, re.MULTILINE)


def add_file(project: Path, text: str) -> None:
    """A file of a section: the path stands in its first line; the worked cell goes where the project's own cells are."""
    first, _, rest = text.partition("\n")
    path = first.removeprefix("# ") if first.startswith("# ") else "engine/tables/cells/my_mgu.py"
    content = rest if first.startswith("# ") else text.replace("engine.cells", "engine.tables.cells.base")
    assert not (project / path).exists(), path
    (project / path).write_text(content, encoding="utf-8")


def change(project: Path, block: str) -> None:
    """The changes of a block: see the introduction of CONTRIBUTING.md."""
    for part in block.split("--- ")[1:]:
        path, *lines = part.rstrip("\n").split("\n")
        file = project / path
        text = file.read_text(encoding="utf-8").split("\n")
        added: list[str] = []
        place = -1
        for line in lines:
            if line.startswith("+"):
                added.append(line[1:])
                continue
            matching = [number for number, there in enumerate(text) if there == line[1:]]
            assert len(matching) == 1, f"{path}: {line[1:]!r} stands there {len(matching)} times"
            if added and place >= 0 and lines[lines.index(line) - len(added) - 1].startswith("-"):
                text[place:place] = added  # what was taken out is replaced
                matching = [text.index(line[1:])]
            elif added:
                text[matching[0] : matching[0]] = added
                matching = [text.index(line[1:])]
            added = []
            place = matching[0]
            if line.startswith("-"):
                del text[place]
            else:
                place += 1
        text[place:place] = added
        file.write_text("\n".join(text), encoding="utf-8")


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What went wrong in each section, tried in a copy with all of them."""
    project = tmp_path_factory.mktemp("extended")
    for folder in ("engine", "rnn_tui", "sample_data"):
        shutil.copytree(ROOT / folder, project / folder)  # with what is compiled already
    for kind, text in BLOCK.findall(CONTRIBUTING):
        (add_file if kind == "python" else change)(project, text)
    done = subprocess.run(
        [sys.executable, "-W", "error", str(ROOT / "tests" / "extended.py")],
        cwd=project,
        env={**os.environ, "PYTHONPATH": f"{project}{os.pathsep}{ROOT}", "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_section_is_tried() -> None:
    assert list(SECTIONS) == HEADINGS


@pytest.mark.parametrize("section", SECTIONS)
def test_what_a_section_says_is_all_that_is_needed(tried: dict[str, str], section: str) -> None:
    assert not tried[section], tried[section]
