"""All mistakes that have a name: a file each, in a folder for each part of a program that they are made in."""

from __future__ import annotations

import pkgutil
from importlib import import_module

from engine.doctor import mistakes
from engine.doctor.mistakes.mistake import Mistake

# As one meets them on the way from the loss to the update.
FOLDERS = (
    "the_output",
    "the_activation",
    "through_what",
    "what_is_handed_on",
    "which_steps",
    "the_weights",
    "a_line",
    "the_update",
    "the_forward_pass",
)


def _listed(folder: str) -> tuple[str, tuple[Mistake, ...]]:
    package = import_module(f"{mistakes.__name__}.{folder}")
    names = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    entries = tuple(import_module(f"{package.__name__}.{name}").MISTAKE for name in names)
    return (package.__doc__ or folder).rstrip("."), entries


SECTIONS: dict[str, tuple[Mistake, ...]] = dict(map(_listed, FOLDERS))
"""The mistakes by the part of a program that they are made in."""

CATALOGUE: dict[str, Mistake] = {mistake.id: mistake for entries in SECTIONS.values() for mistake in entries}
