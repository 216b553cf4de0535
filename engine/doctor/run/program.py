"""The program to be run: its file, its text, and what its imports say of where it belongs."""

from __future__ import annotations

import ast
import os
import tokenize
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import takewhile
from pathlib import Path

from engine.doctor.read.python2 import converted
from engine.doctor.read.source import SourceFile
from engine.text import clean

LEVELS = 3
"""Folders above the program's own that are looked through for a module where no project's root is known."""


@dataclass(frozen=True, eq=False)
class ProgramFile:
    """A file and its text. For a notebook the text is that of its code cells, and `cells` are their first lines in it. `others` are texts
    in the place of its other files' own, by their paths from its folder. `python_2` says that `/` means what it means there."""

    path: Path
    text: str
    cells: tuple[int, ...] = ()
    others: Mapping[str, str] = field(default_factory=dict[str, str])
    python_2: bool = False

    @property
    def is_notebook(self) -> bool:
        """Whether the text was put together from cells."""
        return self.path.suffix.lower() == ".ipynb"

    @property
    def file(self) -> Path:
        """The file itself, links resolved."""
        return self.path.resolve()

    @property
    def folder(self) -> Path:
        """The folder it lies in, links resolved."""
        return self.file.parent

    def line(self, number: int | None) -> str:
        """The text of a line, without its indentation."""
        lines = self.text.split("\n")
        return clean(lines[number - 1].strip(), 160) if number and 1 <= number <= len(lines) else ""

    def place(self, number: int) -> str:
        """`line 12`, in a notebook `cell 3, line 4`."""
        starts = [k for k, first in enumerate(self.cells) if first <= number]
        return f"cell {starts[-1] + 1}, line {number - self.cells[starts[-1]] + 1}" if starts else f"line {number}"


def program_of(source: SourceFile, text: str | None = None) -> ProgramFile:
    """The program that a file is, or that it is with another text: with the modules of its folder that it imports converted where they are
    in Python 2."""
    others = _old_modules(source.path.resolve().parent, source.text)
    python_2 = source.from_python_2 or bool(others)
    return ProgramFile(source.path, source.text if text is None else text, source.cells, others, python_2)


def _old_modules(folder: Path, text: str) -> Mapping[str, str]:
    """The modules in Python 2, of a folder or of one above it, that a program imports, or what it imports does, converted."""
    texts: dict[str, str] = {}
    left, seen = [text], set[str]()
    places = [folder, *_above(folder, project_root(folder))]
    while left:
        for name in _imports(left.pop())[1] - seen:
            seen.add(name)
            path = next((part / f"{name}.py" for part in places if _has(part, name)), folder)
            try:
                with tokenize.open(path) as file:
                    own = file.read()
            except (OSError, SyntaxError, ValueError):
                continue
            if (new := converted(own)) is not None:
                texts[os.path.relpath(path, folder)] = new
            left.append(new or own)
    return texts


@dataclass(frozen=True)
class Belonging:
    """Where a program belongs.

    `root` is the folder that is copied; `path` the first place where modules are looked for, `more` the last ones; `package` is the
    package that it is part of, when it can only be run as such (`python -m package.name`), as its relative imports say.
    """

    root: Path
    path: Path
    package: str | None = None
    more: tuple[Path, ...] = ()


def belonging(program: ProgramFile) -> Belonging:
    """Where it belongs: its own folder, or a project's when it imports from above its folder."""
    folder = program.folder
    level, names = _imports(program.text)
    if level and not program.is_notebook:
        above = [folder, *folder.parents]
        possible = takewhile(lambda part: part.name.isidentifier() and not is_too_high(part), above)
        inside = list(possible)[: max(level, len(_packages(folder)))]
        parts = len(inside)
        if parts >= level:
            package = ".".join(part.name for part in reversed(inside))
            root = project_root(folder)
            return Belonging(root if root and root in above[parts - 1 :] else inside[-1], above[parts], package)
    missing = [name for name in names if not _has(folder, name)]
    root = project_root(folder)
    above = _above(folder, root)
    more = tuple(part for part in above if any(_has(part, name) for name in missing))
    return Belonging(root if root and more else folder, folder, None, more)


def _above(folder: Path, root: Path | None) -> list[Path]:
    """The folders above a program's in which its modules may lie."""
    above = [part for part in folder.parents if not is_too_high(part)]
    if root is None:
        return above[:LEVELS]
    highest = (
        root.parent if (root / "__init__.py").is_file() else root
    )  # a package is found in the folder that it lies in
    return [part for part in above if part == highest or highest in part.parents]


def project_root(folder: Path) -> Path | None:
    """The root of the project that a folder belongs to: of its repository, or the highest folder of its package. Never a home folder."""
    for part in (folder, *folder.parents):
        if is_too_high(part):
            break
        if (part / ".git").exists():
            return part
    packages = [part for part in _packages(folder) if not is_too_high(part)]
    return packages[-1] if packages else None


def is_too_high(folder: Path) -> bool:
    """Whether a folder is nobody's project: a home folder or one that home folders lie in."""
    try:
        home = Path.home().resolve()
    except (RuntimeError, OSError):
        home = Path("/")
    return folder == home or folder in home.parents or folder == Path(folder.anchor)


def _packages(folder: Path) -> list[Path]:
    """The folders from this one upwards that are packages by an `__init__.py`."""
    result: list[Path] = []
    for part in (folder, *folder.parents):
        if not (part / "__init__.py").is_file():
            break
        result.append(part)
    return result


def _has(folder: Path, name: str) -> bool:
    """Whether a folder holds a module or package of this name."""
    return (folder / f"{name}.py").is_file() or (folder / name).is_dir()


@lru_cache(maxsize=8)  # a text is run several times
def _imports(text: str) -> tuple[int, frozenset[str]]:
    """How many levels up its relative imports reach (those that it does without are not counted), and the first names of the others."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return 0, frozenset()
    tried = {id(n) for block in ast.walk(tree) if isinstance(block, ast.Try) for s in block.body for n in ast.walk(s)}
    level, names = 0, set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            if node.level and id(node) not in tried:
                level = max(level, node.level)
            elif not node.level and node.module:
                names.add(node.module.partition(".")[0])
    return level, frozenset(names)
