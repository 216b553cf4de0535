"""What gradients are called: `dWx` is that of Wx, `grads['Wx']` that of an entry Wx."""

from __future__ import annotations

import re

_BEFORE = re.compile(r"^(?:d_?|D|g_?|grads?_?|gradient_?|delta_?|nabla_?|dL_?d?|dJ_?d?|del_?)(?=.)")
_AFTER = re.compile(r"(?<=.)(?:_?grad(?:ient)?s?|_?diff|_?delta|_d|_g)$")
KEY = re.compile(r"\[[\"']([^\[\]\"']+)[\"']\]$")
"""The key of an entry, at the end of a name."""


def last_of(name: str) -> str:
    """The last part of a name: an entry's key, an attribute, a variable; without what says that it is an object's own."""
    key = KEY.search(name)
    last = key.group(1) if key else name.split("[")[0].rsplit(".", 1)[-1]
    return last.lstrip("_") or last


def meant(name: str) -> set[str]:
    """What a gradient of this name may be the gradient of."""
    last = last_of(name)
    made = {last} if KEY.search(name) else set[str]()
    for pattern in (_BEFORE, _AFTER):
        if pattern.search(last):
            made.add(pattern.sub("", last))
    return made
