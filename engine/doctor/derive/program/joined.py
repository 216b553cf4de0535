"""A program of several files as one text: in the place of each import of a file of its own stands that file."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from engine.doctor.derive.tree.syntax_of import path
from engine.doctor.read.source import SourceFile

TextOf = Callable[[str], str | None]
"""The text of one of a program's files, by its path from the program's folder; None of what is none."""
WrittenOtherwise = tuple[int, int, int, str]
"""A line, from which byte of it to which one, and what stands there instead."""
ALONE = '__name__ == "__main__"'


def joined(source: SourceFile, text_of: TextOf) -> SourceFile | None:
    """The program with its other files in the place of their imports, its lines told by their files; None where it imports none, or where
    they do not fit into one text."""
    if source.cells:
        return None
    files = _JoinedFiles(text_of)
    try:
        main = files.opened(source.path.name, source.text)
        lines = list(files.put(main))
    except (SyntaxError, ValueError, RecursionError):
        return None
    if len(files.known) < 2:
        return None
    text = "\n".join(line for _, _, line in lines)
    places = ((name, number) for name, number, _ in lines)
    return replace(source, text=text, files=tuple(places))


@dataclass(eq=False)
class _JoinedFile:
    """A file: what its global names are called in the one text, where not as in it, and, for its names of modules, these modules."""

    name: str
    text: str
    tree: ast.Module
    called: dict[str, str] = field(default_factory=dict[str, str])
    modules: dict[str, _JoinedFile] = field(default_factory=dict[str, "_JoinedFile"])
    imports: dict[ast.stmt, list[_JoinedFile]] = field(default_factory=dict[ast.stmt, "list[_JoinedFile]"])
    is_put: bool = False


class _JoinedFiles:
    """The files of a program. Names that two of them give to different things are told apart by their file's name."""

    def __init__(self, text_of: TextOf) -> None:
        self._text_of = text_of
        self.known: dict[str, _JoinedFile] = {}
        self._bound: dict[str, str] = {}
        """What each global name of the one text stands for."""

    def opened(self, name: str, text: str) -> _JoinedFile:
        """A file with those that it imports."""
        made = self.known[name] = _JoinedFile(name, text, ast.parse(text))
        given = _bindings(made.tree)
        others = {*given}
        for word, means in given.items():
            if self._bound.setdefault(word, means) != means:
                stem = PurePosixPath(name).stem
                new = next(n for n in (f"{word}_{stem}", f"{word}_of_{stem}") if n not in self._bound | given)
                self._bound[new] = means
                made.called[word] = new
        for statement in made.tree.body:
            if isinstance(statement, ast.Import | ast.ImportFrom):
                made.imports[statement] = list(self._imported(made, statement, others))
        return made

    def _imported(
        self, into: _JoinedFile, statement: ast.Import | ast.ImportFrom, others: Collection[str]
    ) -> Iterator[_JoinedFile]:
        """The files of a program that a statement imports; what it says is known in `into` then."""
        if isinstance(statement, ast.Import):
            for one in statement.names:
                if (file := self._file(into, one.name, 0)) is not None:
                    into.modules[one.asname or one.name] = file
                    yield file
            return
        whole = self._file(into, statement.module or "", statement.level)
        if whole is not None:
            yield whole
        for one in statement.names:
            if whole is not None and one.name == "*":
                into.called |= {w: n for w, n in whole.called.items() if w not in others and not w.startswith("_")}
            elif whole is not None and one.name in _bindings(whole.tree) | whole.called:
                into.called[one.asname or one.name] = whole.called.get(one.name, one.name)
            elif (
                file := self._file(into, f"{statement.module or ''}.{one.name}".strip("."), statement.level)
            ) is not None:
                into.modules[one.asname or one.name] = file
                yield file
            elif whole is not None:
                raise ValueError(one.name)

    def _file(self, into: _JoinedFile, module: str, level: int) -> _JoinedFile | None:
        """The file of a module, as another file names it."""
        parts = PurePosixPath(into.name).parent.parts
        above = parts[: len(parts) - level + 1] if level else ()
        inner = "/".join(module.split("."))
        for start in (above, parts) if not level else (above,):
            for name in (f"{inner}.py", f"{inner}/__init__.py") if inner else ():
                found = str(PurePosixPath(*start, name))
                if found in self.known:
                    return self.known[found]
                if (text := self._text_of(found)) is not None:
                    return self.opened(found, text)
        return None

    def put(self, file: _JoinedFile) -> Iterator[tuple[str, int, str]]:
        """Its lines, each with its file and number there."""
        file.is_put = True
        lines = _edited(file.text, sorted(_edits(file)))
        starts = {s.lineno: s for s in file.tree.body}
        inside = {n for s, files in file.imports.items() if files for n in range(s.lineno, (s.end_lineno or 0) + 1)}
        if len(starts) < len(file.tree.body) and inside:
            raise ValueError("several statements on a line")
        is_main = next(iter(self.known)) == file.name
        for number, line in enumerate(lines, 1):
            statement = starts.get(number)
            for other in file.imports.get(statement, []) if statement is not None else []:
                if not other.is_put:
                    yield from self.put(other)
            if number in inside:
                continue
            is_future = isinstance(statement, ast.ImportFrom) and statement.module == "__future__"
            is_alone = isinstance(statement, ast.If) and ast.unparse(statement.test) == ast.unparse(ast.parse(ALONE))
            if not is_main and is_alone:
                yield file.name, number, "if False:"
            elif is_main or not is_future:
                yield file.name, number, line


def _bindings(tree: ast.Module) -> dict[str, str]:
    """The global names that a file gives to something of its own or of a package, and what to."""
    found: dict[str, str] = {}
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            found[statement.name] = ast.unparse(statement)
        elif isinstance(statement, ast.Import):
            found |= {
                one.asname or one.name.partition(".")[0]: one.name
                for one in statement.names
                if one.asname or "." not in one.name
            }
        elif not isinstance(statement, ast.ImportFrom):
            stored = (n for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
            found |= {n.id: ast.unparse(statement) for n in stored}
    return found


def _edits(file: _JoinedFile) -> Iterator[WrittenOtherwise]:
    """What is written otherwise in a file: its names that are others in the one text, and what it reads of modules."""
    yield from _of_block(file.tree.body, file.called, file.modules, file.text.split("\n"))


def _of_block(
    body: Sequence[ast.AST], called: Mapping[str, str], modules: Mapping[str, _JoinedFile], lines: Sequence[str]
) -> Iterator[WrittenOtherwise]:
    for node in body:
        if isinstance(node, ast.Attribute) and path(node.value) in modules:
            name = modules[path(node.value)].called.get(node.attr, node.attr)
            yield node.lineno, node.col_offset, node.end_col_offset or 0, name
            continue
        if isinstance(node, ast.Name) and node.id in called:
            yield node.lineno, node.col_offset, node.end_col_offset or 0, called[node.id]
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name in called and node.col_offset == 0:
            found = re.match(r"(?:def|class)\s+", lines[node.lineno - 1])
            if found:
                yield node.lineno, found.end(), found.end() + len(node.name.encode()), called[node.name]
        inner, known = called, modules
        if isinstance(node, ast.FunctionDef | ast.Lambda):
            own = _locals(node)
            inner = {name: new for name, new in called.items() if name not in own}
            known = {name: file for name, file in modules.items() if name not in own}
        yield from _of_block(list(ast.iter_child_nodes(node)), inner, known, lines)


def _locals(function: ast.FunctionDef | ast.Lambda) -> set[str]:
    """The names that are a function's own."""
    arguments = function.args
    every = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg)
    own = {a.arg for a in every if a is not None}
    body = function.body if isinstance(function.body, list) else [function.body]
    found = [n for s in body for n in ast.walk(s)]
    shared = {name for n in found if isinstance(n, ast.Global) for name in n.names}
    return own | {n.id for n in found if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)} - shared


def _edited(text: str, edits: Sequence[WrittenOtherwise]) -> list[str]:
    """The lines of a text with these changes."""
    lines = text.split("\n")
    for number, start, end, new in reversed(edits):
        line = lines[number - 1].encode()
        lines[number - 1] = (line[:start] + new.encode() + line[end:]).decode()
    return lines
