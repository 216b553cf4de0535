"""The engine knows no screen, and no import goes round in a circle."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]

SCRIPT = """
import importlib, pkgutil, sys
import engine
names = [module.name for module in pkgutil.walk_packages(engine.__path__, "engine.")]
for name in names:
    importlib.import_module(name)
assert {"engine.recording.plan", "engine.debug.debugger", "engine.tables.cells.rnn"} <= set(names), names
loaded = {name.partition(".")[0] for name in sys.modules}
print(",".join(sorted(loaded & {"rnn_tui", "textual", "rich"})) or "none")
"""


def test_the_engine_loads_no_screen() -> None:
    result = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout.strip()) == (0, "none"), result.stderr


def modules(folder: Path) -> dict[str, Path]:
    """The files of the two packages by the names of their modules."""
    files = [path for package in ("engine", "rnn_tui") for path in (folder / package).rglob("*.py")]
    names = [".".join(path.relative_to(folder).with_suffix("").parts).removesuffix(".__init__") for path in files]
    return dict(zip(names, files, strict=True))


def imported(name: str, known: dict[str, Path]) -> Iterator[str]:
    """The modules that a module imports anywhere in its file: at the top, under TYPE_CHECKING, inside functions."""
    path = known[name]
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            start = ".".join(package.split(".")[: len(package.split(".")) + 1 - node.level]) if node.level else ""
            source = ".".join(part for part in (start, node.module) if part)
            for inside in (f"{source}.{alias.name}" for alias in node.names):
                if inside in known or source in known:
                    yield inside if inside in known else source


def arrows_in(folder: Path) -> dict[str, set[str]]:
    """What each module imports."""
    known = modules(folder)
    return {name: set(imported(name, known)) - {name} for name in known}


def circles(arrows: dict[str, set[str]]) -> list[list[str]]:
    """The groups of modules each of which leads to every other of its group."""
    reached: dict[str, set[str]] = {}
    for start in arrows:
        seen, ahead = set[str](), list(arrows[start])
        while ahead:
            if (name := ahead.pop()) not in seen:
                seen.add(name)
                ahead += arrows[name]
        reached[start] = seen
    groups = {tuple(sorted(b for b in reached[a] if a in reached[b])) for a in arrows if a in reached[a]}
    return [list(group) for group in sorted(groups)]


def test_no_import_goes_round_in_a_circle() -> None:
    arrows = arrows_in(ROOT)
    assert sum(map(len, arrows.values())) > 500
    assert circles(arrows) == []


def test_a_circle_would_be_found(tmp_path: Path) -> None:
    (tmp_path / "engine").mkdir()
    for name, text in (
        ("__init__", ""),
        ("a", "from . import b\n"),
        ("b", "def f():\n    import engine.c\n"),
        ("c", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .a import A\n"),
        ("d", "from engine.a import A\n"),
    ):
        (tmp_path / "engine" / f"{name}.py").write_text(text)
    assert circles(arrows_in(tmp_path)) == [["engine.a", "engine.b", "engine.c"]]
