"""Runs a program as it is, without recording anything: what the confinement does can be seen alone."""

from __future__ import annotations

import importlib
import importlib.machinery
import linecache
import sys
import types
from typing import Any


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Runs the program of a job as `__main__`, to its end."""
    module = main_module(job)
    exec(compile(str(job["text"]), str(job["file"]), "exec", dont_inherit=True), module.__dict__)
    return {}


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
