"""The file that the user points at, as text and tree: a Python file, or the code cells of a notebook."""

from __future__ import annotations

import ast
import codecs
import collections
import collections.abc
import json
import re
import sys
import tokenize
import warnings
from dataclasses import dataclass, replace
from io import BytesIO, StringIO
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

from engine.doctor.read.python2 import converted
from engine.errors import InputError
from engine.files.raw import opened, shown, unreadable
from engine.text import clean

LARGEST = 4 << 20
_MAGIC = re.compile(r"^(\s*)(?:[%!?].*|[\w.]+\?\??\s*|get_ipython\(.*)$")
_ASSIGNED_MAGIC = re.compile(r"^(\s*\w+\s*=\s*)[%!].*$")
_AUTOMATIC_MAGIC = re.compile(
    r"(alias|autoreload|cat|cd|clear|conda|config|cp|debug|dhist|dirs|edit|env|history|less|load|load_ext|ls|man|matplotlib|mkdir|more|mv|"
    r"notebook|pdb|pip|popd|psearch|pushd|pwd|pylab|reload_ext|reset|rm|rmdir|set_env|store|system|unalias|uv|who|whos|xmode) "
)
"""What IPython takes for a magic or a shell's command without a % or ! before it, other than those that run Python."""
_LANGUAGES = (
    "%%bash",
    "%%sh",
    "%%html",
    "%%javascript",
    "%%js",
    "%%latex",
    "%%markdown",
    "%%writefile",
    "%%script",
    "%%cython",
)

MOVED = {
    "float": "float",
    "int": "int",
    "bool": "bool",
    "object": "object",
    "str": "str",
    "complex": "complex",
    "long": "int",
    "unicode": "str",
    "float_": "np.float64",
    "complex_": "np.complex128",
    "unicode_": "np.str_",
    "string_": "np.bytes_",
    "asscalar": "x.item()",
    "product": "np.prod",
    "cumproduct": "np.cumprod",
    "sometrue": "np.any",
    "alltrue": "np.all",
    "row_stack": "np.vstack",
    "trapz": "np.trapezoid",
    "in1d": "np.isin",
    "infty": "np.inf",
    "Inf": "np.inf",
    "Infinity": "np.inf",
    "PINF": "np.inf",
    "NINF": "-np.inf",
    "NaN": "np.nan",
    "NAN": "np.nan",
    "msort": "np.sort(a, axis=0)",
    "round_": "np.round",
    "mat": "np.asmatrix, or better np.array with @",
    "cast": "np.asarray(x, dtype=...)",
    "random_integers": "np.random.randint",
}
"""NumPy's names that are gone, and what to write in their place."""
MOVED_IN_PYTHON = {
    "time.clock": "time.perf_counter",
    "fractions.gcd": "math.gcd",
    "inspect.getargspec": "inspect.getfullargspec",
    "itertools.izip": "zip",
    "itertools.imap": "map",
    "itertools.ifilter": "filter",
    "itertools.izip_longest": "itertools.zip_longest",
    "os.getcwdu": "os.getcwd",
    "string.letters": "string.ascii_letters",
    "string.lowercase": "string.ascii_lowercase",
    "string.uppercase": "string.ascii_uppercase",
    "string.maketrans": "str.maketrans",
    "sys.maxint": "sys.maxsize",
    **{f"collections.{name}": f"collections.abc.{name}" for name in dir(collections.abc) if not name.startswith("_")},
}
"""Names of Python's own modules that are gone, and what they are called now."""


RENAMED = {"xrange": "range", "raw_input": "input", "unicode": "str", "long": "int", "reduce": "functools.reduce"}
"""Python 2's names, and what they are called now."""
_PYTHON_2 = {
    r"(?:^|:\s*)print\s+[^(=\s.]|^print\s*>>": "print needs parentheses: print(...)",
    r"^except\s+[\w.]+\s*,\s*\w+\s*:": "write except ... as ...:",
    r"^raise\s+[\w.]+\s*,": "write raise ...(...)",
    r"^exec\s+[^(=\s.]": "exec needs parentheses: exec(...)",
}


def _python_2(text: str) -> str | None:
    """What to write in place of a statement that only Python 2 knows."""
    return next((remedy for pattern, remedy in _PYTHON_2.items() if re.search(pattern, text)), None)


class Unreadable(Exception):
    """The file is no program that could run: one sentence and its line."""

    def __init__(self, sentence: str, line: int | None = None) -> None:
        super().__init__(sentence)
        self.line = line


_LINE = re.compile(r"(cell \d+, )?\bline (\d+)\b(?! of )")


@dataclass(frozen=True, eq=False)
class SourceFile:
    """A program's text. For a notebook `cells` are the first lines of its code cells in the joined text."""

    path: Path
    text: str
    cells: tuple[int, ...] = ()
    from_python_2: bool = False
    """Whether the text is a conversion of the file's, line by line."""
    left_out: str = ""
    """The file's whole text, where some of it was left out."""
    unread: tuple[str, ...] = ()
    """What is to be said of the cells of a notebook that are no Python and were left out."""
    files: tuple[tuple[str, int], ...] = ()
    """Of a text that several files are joined in, for each line its file and its number there."""

    @property
    def lines(self) -> list[str]:
        """The text by lines, as Python counts them."""
        return self.text.split("\n")

    def line(self, number: int) -> str:
        """The text of a line, without its indentation."""
        lines = self.lines
        return clean(lines[number - 1].strip(), 160) if 1 <= number <= len(lines) else ""

    def origin(self, number: int) -> tuple[str, int]:
        """The file that a line is of, and its number there."""
        return self.files[number - 1] if 1 <= number <= len(self.files) else (self.path.name, number)

    def place(self, number: int) -> str:
        """`line 12`, in a notebook `cell 3, line 4`, in another file `line 12 of layers.py`."""
        if self.files:
            file, own = self.origin(number)
            return f"line {own}" if file == self.path.name else f"line {own} of {clean(file, 80)}"
        starts = [k for k, first in enumerate(self.cells) if first <= number]
        return f"cell {starts[-1] + 1}, line {number - self.cells[starts[-1]] + 1}" if starts else f"line {number}"

    def in_cells(self, sentence: str) -> str:
        """A sentence on lines of this text; of a notebook each is told by its cell, of several files by its file."""
        if not self.cells and not self.files:
            return sentence
        return _LINE.sub(lambda found: found[0] if found[1] else self.place(int(found[2])), sentence)

    def tree(self) -> ast.Module:
        """Its syntax tree; Unreadable when it has none."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return ast.parse(self.text)
        except SyntaxError as error:
            raise Unreadable(self.not_python(error), error.lineno) from None
        except (ValueError, RecursionError, MemoryError) as error:
            raise Unreadable(f"it is no Python program: {clean(str(error), 80)}") from None

    def not_python(self, error: SyntaxError, above: int = 0) -> str:
        """What is wrong with a line, where a part of the text was read that has so many lines above it."""
        line = (error.lineno or 0) + above
        told = re.sub(r" \(detected at line \d+\)$", "", error.msg or "invalid syntax")
        at, text, message = self.place(line), self.line(line), clean(told, 120)
        if isinstance(error, TabError):
            return (
                f"{at} is indented with tabs where the lines around it have spaces; indent with four spaces everywhere"
            )
        if isinstance(error, IndentationError):
            remedy = (
                "indent the body of the statement above it"
                if message.startswith("expected")
                else "align it with the other lines of its block"
            )
            return f"{at} is wrongly indented ({message}): {text}; {remedy}"
        if old := _python_2(text):
            return f"{at} is Python 2: {text}; {old}{self._more_of_it(line)}"
        if message.startswith("f-string") and sys.version_info < (3, 12):
            return (
                f"{at} is not Python {sys.version_info[0]}.{sys.version_info[1]} ({message}), 3.12 may take it: {text}"
            )
        return f"{at} is not Python ({message}): {text}"

    def _more_of_it(self, first: int) -> str:
        """What else of a program is in Python 2, so that all can be changed at once."""
        others = [n for n, text in enumerate(self.lines, 1) if n != first and _python_2(text.strip())]
        renamed = [f"{new} for {old}" for old, new in RENAMED.items() if re.search(rf"\b{old}\(", self.text)]
        also = f"; the same goes for {', '.join(map(self.place, others[:12]))}" if others else ""
        return also + (f"; write {' and '.join(renamed)}" if renamed else "")


def read_source(path: Path) -> SourceFile:
    """The program at `path`. Raises InputError when there is no such file, Unreadable when it is no text or no notebook."""
    try:
        if path.is_dir():
            raise InputError(f"{shown(path)} is a folder; give the file with the backward pass")
        if path.stat().st_size > LARGEST:
            raise InputError(f"{shown(path)} is larger than 4 MB; give the file with the backward pass")
        with opened(path) as file:
            raw = file.read()
    except OSError as error:
        raise unreadable(path, error) from error
    if path.suffix.lower() == ".ipynb":
        return _notebook(path, raw)
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise Unreadable("it is text in UTF-16, which Python does not read; save it as UTF-8")
    if b"\0" in raw:
        raise Unreadable("it is a binary file, not Python source")
    try:
        text = raw.decode(_encoding(raw))
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise Unreadable(f"line {line} is not text in UTF-8; save the file as UTF-8", line) from None
    except (SyntaxError, LookupError):
        raise Unreadable(
            "its first lines name an encoding that it does not have; save it as UTF-8 and take that line out"
        ) from None
    if not text.strip("\ufeff \t\r\n"):
        raise Unreadable("it is empty")
    text = text.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff")
    return _read(path, text)


def _read(path: Path, text: str, cells: tuple[int, ...] = ()) -> SourceFile:
    new = converted(text)
    return SourceFile(path, text if new is None else new, cells, from_python_2=new is not None)


def _encoding(raw: bytes) -> str:
    """The encoding that a file's first lines name, else UTF-8."""
    try:
        return tokenize.detect_encoding(BytesIO(raw).readline)[0]
    except SyntaxError:
        if b"coding" in b"".join(raw.splitlines()[:2]):
            raise
        return "utf-8"


def _notebook(path: Path, raw: bytes) -> SourceFile:
    try:
        document: Any = json.loads(raw)
        cells = cast("list[Any]", document["cells"] if "cells" in document else document["worksheets"][0]["cells"])
        sources = [_cell(cell) for cell in cells if cell["cell_type"] == "code"]
    except ValueError:
        raise Unreadable("it is not a notebook: it is no JSON, or only part of it") from None
    except (KeyError, TypeError, IndexError, RecursionError):
        raise Unreadable("it is not a notebook: its JSON has no cells") from None
    if not any(line.strip() for cell in sources for line in cell):
        raise Unreadable("its cells hold no code")
    lines: list[str] = []
    starts: list[int] = []
    for cell in sources:
        starts.append(len(lines) + 1)
        foreign = next((line for line in cell if line.strip()), "").startswith(_LANGUAGES)
        lines += ["pass"] * len(cell) if foreign else _without_magics(cell)
    return _without_unread_cells(_read(path, "\n".join(lines) + "\n", tuple(starts)))


def _without_unread_cells(source: SourceFile) -> SourceFile:
    """The same without the cells that are no Python, where others are: a notebook runs cell by cell."""
    if _is_python(source.text):
        return source
    lines, unread = source.lines, list[str]()
    for first, end in pairwise((*source.cells, len(lines))):
        cell = "\n".join(lines[first - 1 : end - 1]) + "\n"
        try:
            ast.parse(cell)
        except SyntaxError as error:
            if converted(cell) is None:
                unread.append(f"a cell was left out: {source.not_python(error, first - 1)}")
                lines[first - 1 : end - 1] = ["pass"] * (end - first)
        except (ValueError, RecursionError, MemoryError):
            return source
    made = _read(source.path, "\n".join(lines), source.cells)
    return replace(made, unread=tuple(unread)) if set(lines) != {"pass", ""} and _is_python(made.text) else source


def _cell(cell: Any) -> list[str]:
    source = cell.get("source", cell.get("input", ""))
    text = source if isinstance(source, str) else "".join(str(part) for part in source)
    return text.split("\n") or [""]


def _without_magics(cell: list[str]) -> list[str]:
    """A cell's lines as Python: without the indentation that its first one has; a magic stands only where a statement begins."""
    made: list[str] = []
    first = next((line for line in cell if line.strip()), "")
    indentation = first[: len(first) - len(first.lstrip())]
    for line in (each.removeprefix(indentation) for each in cell):
        own = _without_magic(line)
        made.append(line if own != line and _goes_on(made) else own)
    return made


def _goes_on(lines: list[str]) -> bool:
    """Whether the last statement is not complete: within brackets or a string, or after a backslash."""
    text = "\n".join(lines) + "\n"
    try:
        collections.deque(tokenize.generate_tokens(StringIO(text).readline), 0)
    except tokenize.TokenError as error:
        return "in multi-line" in str(error) or "triple-quoted" in str(error)
    except SyntaxError:
        return False
    return False


def _without_magic(line: str) -> str:
    if assigned := _ASSIGNED_MAGIC.match(line):
        return f"{assigned[1]}None"
    if magic := _MAGIC.match(line):
        return f"{magic[1]}pass"
    if _AUTOMATIC_MAGIC.match(line) and not _is_python(line):
        return "pass"
    return line


def _is_python(text: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
