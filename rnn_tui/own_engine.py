"""Our package `engine`, whatever else is called so: people keep a file engine.py beside their script."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

NAME = "engine"
_HOME = Path(__file__).resolve().parents[1] / NAME
_ours: dict[str, ModuleType] = {}
"""Our modules, while another package has the name."""


@contextmanager
def own_engine() -> Generator[None]:
    """Within it `engine` is ours; a module of that name that the user's program has imported has it again afterwards."""
    found = sys.modules.get(NAME) or _importable()
    if found is None or _is_ours(found):
        yield
        return
    theirs = _taken()
    sys.modules.update(_ours or {NAME: _loaded()})
    try:
        yield
    finally:
        _ours.update(_taken())
        sys.modules.update(theirs)


def keep_own_engine() -> None:
    """`engine` is ours from now on: in a process that runs nothing of the user's."""
    if not _is_ours(sys.modules.get(NAME) or _importable()):
        _taken()
        sys.modules[NAME] = _loaded()


def _importable() -> object:
    """What importing the name would find."""
    return importlib.util.find_spec(NAME)


def _is_ours(found: object) -> bool:
    origin = getattr(found, "__file__", None) or getattr(found, "origin", None)
    return origin is not None and Path(origin).resolve().parent == _HOME


def _taken() -> dict[str, ModuleType]:
    """Takes the package and its modules out of those that are imported."""
    names = [name for name in sys.modules if name.partition(".")[0] == NAME]
    return {name: sys.modules.pop(name) for name in names}


def _loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location(NAME, _HOME / "__init__.py", submodule_search_locations=[str(_HOME)])
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = module
    spec.loader.exec_module(module)
    return module
