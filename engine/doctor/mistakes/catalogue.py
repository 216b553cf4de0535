"""All mistakes that have a name: one file of this folder each."""

from __future__ import annotations

import pkgutil
from importlib import import_module

from engine.doctor import mistakes
from engine.doctor.mistakes.mistake import Mistake


def _listed() -> dict[str, Mistake]:
    names = sorted(module.name for module in pkgutil.iter_modules(mistakes.__path__) if not module.ispkg)
    modules = [import_module(f"{mistakes.__name__}.{name}") for name in names]
    found = [module.MISTAKE for module in modules if hasattr(module, "MISTAKE")]
    return {mistake.id: mistake for mistake in found}


CATALOGUE: dict[str, Mistake] = _listed()
