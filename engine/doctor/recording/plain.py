"""Runs a program as it is, without recording anything: what the confinement does can be seen alone."""

from __future__ import annotations

import ast
import importlib
import importlib.machinery
import linecache
import sys
import types
from typing import Any

from .division import floored


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Runs the program of a job as `__main__`, to its end."""
    left: list[list[Any]] = []
    tree = ast.parse(str(job["text"]), str(job["file"]))
    execute(floored(tree) if job["python_2"] else tree, job, main_module(job).__dict__, left)
    return {"left": left}


def execute(tree: ast.Module, job: dict[str, Any], space: dict[str, Any], left: list[list[Any]]) -> None:
    """Runs a program's tree. A notebook's cell that fails because only a later one binds a name is left there, as its user goes on with the
    next; its line and the name are added to `left`."""
    file, flags = str(job["file"]), 0
    for end in [*job["cells"][1:], sys.maxsize]:
        part = ast.Module([statement for statement in tree.body if statement.lineno < end], [])
        tree.body = tree.body[len(part.body) :]
        code = compile(part, file, "exec", flags, dont_inherit=True)
        flags |= code.co_flags & annotations.compiler_flag  # of one cell, for all that follow
        try:
            exec(code, space)
        except NameError as error:
            name = str(error).split("'")[1:2]
            if type(error) is not NameError or not set(name) & _bound(tree):
                raise
            trace = error.__traceback__
            while trace is not None and trace.tb_frame.f_code.co_filename != file:
                trace = trace.tb_next
            left.append([trace.tb_lineno if trace is not None else 0, *name])


def _bound(tree: ast.Module) -> set[str]:
    """The names that a module's statements bind."""
    defined = (ast.FunctionDef, ast.ClassDef)
    found = {statement.name for statement in tree.body if isinstance(statement, defined)}
    for statement in tree.body:
        nodes = [] if isinstance(statement, defined) else list(ast.walk(statement))
        found |= {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        found |= {(n.asname or n.name).partition(".")[0] for n in nodes if isinstance(n, ast.alias)}
    return found


def main_module(job: dict[str, Any]) -> types.ModuleType:
    """The module `__main__` of a job, in place but empty; with `package` it is part of that package, as under `python -m`."""
    module = types.ModuleType("__main__")
    file, package = str(job["file"]), job.get("package")
    module.__dict__.update(__file__=file, __builtins__=__builtins__, __package__=None, __spec__=None, __cached__=None)
    if package:
        importlib.import_module(str(package))
        name = f"{package}.{file.rpartition('/')[2].rpartition('.')[0]}"
        module.__package__ = str(package)
        module.__spec__ = importlib.machinery.ModuleSpec(name, None, origin=file)
    if job.get("notebook"):
        module.__dict__.update(display=_shown, get_ipython=_no_shell)
    sys.modules["__main__"] = module
    text = str(job["text"])
    linecache.cache[file] = (len(text), None, text.splitlines(True), file)
    return module


def _shown(*things: Any, **named: Any) -> None:
    """What a notebook shows needs no place here."""


def _no_shell() -> Any:
    """A notebook's shell is not there."""
    return None
