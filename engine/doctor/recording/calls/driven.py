# ruff: noqa: UP031  (Python 3.8)
# pyright: basic, reportArgumentType=false
"""The text that calls a backward pass, below the user's own: values that are made up, the calls, and the loss between them."""

from __future__ import annotations

import math
import re

from . import guesses
from .wanted import object_argument

LARGEST = 3000000
LOSS = "_driver_made_loss"
"""What the loss is called that is made of outputs: `loss` may be one of the user's functions."""

KEPT = "_driver_kept"
"""What the gradients are called that an object keeps."""
BACK = "_driver_back"
"""What the arrays are called that came back."""
HELPERS = """
import re as _driver_re
import types as _driver_types

import numpy as _driver_np

_driver, _driver_upstream = _driver_types.SimpleNamespace(), _driver_types.SimpleNamespace()


def _driver_dict(name, values):
    return values


def _driver_object(name, values):
    return _driver_types.SimpleNamespace(**values)


def _driver_normal(seed, shape):
    # so small that products with it keep their size: an output that is sure of one class has no gradient to compare
    return _driver_np.random.RandomState(seed).standard_normal(shape) / max([1, *shape[-1:]]) ** 0.5


def _driver_state(seed, shape):
    return _driver_normal(seed, shape)


def _driver_rest(seed, shape):
    return _driver_np.zeros(shape)


def _driver_whole(seed, shape):
    return _driver_np.random.RandomState(seed).randint(0, 3, shape)


def _driver_like(seed, value):
    if isinstance(value, dict):
        return {k: _driver_like(seed + i, v) for i, (k, v) in enumerate(value.items())}
    if isinstance(value, (list, tuple)):
        return [_driver_like(seed + i, v) for i, v in enumerate(value)]
    return _driver_normal(seed, _driver_np.shape(value))


def _driver_hot(seed, shape, axis):
    chosen = _driver_np.random.RandomState(seed).randint(0, shape[axis], shape).take([0], axis)
    where = [-1 if k == axis else 1 for k in range(len(shape))]
    return 1.0 * (_driver_np.arange(shape[axis]).reshape(where) == chosen)


def _driver_target(seed, value):
    if isinstance(value, dict):
        return {k: _driver_target(seed + i, v) for i, (k, v) in enumerate(value.items())}
    if isinstance(value, (list, tuple)):
        return [_driver_target(seed + i, v) for i, v in enumerate(value)]
    for axis in range(_driver_np.ndim(value)):
        if _driver_np.shape(value)[axis] > 1 and _driver_np.allclose(_driver_np.sum(value, axis), 1.0):
            return _driver_hot(seed, _driver_np.shape(value), axis)
    made = _driver_normal(seed, _driver_np.shape(value))
    return 1 / (1 + _driver_np.exp(-made)) if _driver_np.min(value) > 0 and _driver_np.max(value) < 1 else made


def _driver_sum(value, factor):
    if isinstance(value, dict):
        return sum(_driver_sum(v, factor[k]) for k, v in value.items())
    if isinstance(value, (list, tuple)):
        return sum(_driver_sum(v, f) for v, f in zip(value, factor))
    return _driver_np.sum(value * factor)


def _driver_rows(value):
    if isinstance(value, list):
        return len(value) > 0 and all(_driver_rows(v) for v in value) and len({_driver_np.shape(v) for v in value}) == 1
    return isinstance(value, float)


def _driver_listed(value, depth=0):
    if depth > 4 or isinstance(value, (str, bytes)):
        return []
    value = _driver_np.array(value) if isinstance(value, list) and _driver_rows(value) else value
    value = value if isinstance(value, (dict, list, tuple, _driver_np.ndarray)) else getattr(value, "__dict__", ())
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    made = [value] if isinstance(value, _driver_np.ndarray) and value.dtype.kind == "f" else []
    return made + [a for part in parts for a in _driver_listed(part, depth + 1)]


def _driver_gradients(value):
    return {k: v for k, v in getattr(value, "__dict__", {}).items() if _driver_re.match(GRADIENT, k.lstrip("_"))}


def _driver_loss(value):
    parts = value if isinstance(value, (list, tuple)) else [value]
    return next((p for p in parts if _driver_np.ndim(p) == 0 and not isinstance(p, (int, dict))), None)


"""


def back(name: str) -> str:
    """The last line: the arrays of all that came back under a name, however they are packed."""
    return "%s = _driver_listed(%s)[:64]" % (BACK, name)


def at_rest(text: str) -> str:
    """The same calls with first states of zeros; "" where they are handed none."""
    return text.replace("_driver_state(", "_driver_rest(") if "_driver_state(" in text else ""


def again(text: str) -> str:
    """The lines of a text by which functions are called, for a second call."""
    return "\n".join(
        line for line in text.split("\n") if re.match(r"(?:_driver_[01]|%s|%s|%s) = " % (LOSS, KEPT, BACK), line)
    )


HELPERS = HELPERS.replace("GRADIENT", repr(guesses.GRADIENT.pattern + r"|^g_?[A-Za-z]{1,3}$"))


class LookedUp(Exception):
    """A name that is looked up in an argument that was made up: `args` are the argument and the name."""


class FoundDict(dict):
    def __init__(self, owner, values):
        super().__init__(values)
        self.owner = owner

    def __missing__(self, key):
        raise LookedUp(self.owner, key)


class FoundObject:
    def __init__(self, owner, values):
        self.__dict__.update(values)
        self.__dict__["_driver_owner"] = owner

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        raise LookedUp(self._driver_owner, name)


class CallText:
    """The texts of one pass's calls, statement by statement: `wanted` are its arguments."""

    def __init__(self, wanted):
        self.wanted = wanted

    def lines(self, chosen, axes, sizes):
        values = {
            s.name: self._value(k, s, c, a, sizes) for k, (s, c, a) in enumerate(zip(self.wanted.slots, chosen, axes))
        }
        how = {s.name: c for s, c in zip(self.wanted.slots, chosen)}
        for slot in self.wanted.slots:
            if slot.owner is None and how[slot.name][0] == "made" and how[slot.name][1] in ("dict", "seq", "object"):
                values[slot.name] = self._group(slot.name, how[slot.name][1], values)
            elif how[slot.name][0] == "new":
                values[slot.name] = self._object(how[slot.name][1], values)
        lines, given = [], set()
        for called in ("forward", "loss", "backward"):
            name = self.wanted.asked[called]
            if not name:
                continue
            node, words = self.wanted.node(name), []
            if called == "backward":
                lines += self._upstream(node, how, values)
            for argument in self.wanted.arguments(node):
                is_upstream = how[argument][0] == "up"
                if argument not in given and not is_upstream:
                    lines.append("_driver.%s = %s" % (argument, values[argument]))
                given.add(argument)
                words.append("%s=_driver%s.%s" % (argument, "_upstream" * is_upstream, argument))
            target = {"forward": "_driver_0", "loss": LOSS, "backward": "_driver_1"}[called]
            lines.append("%s = %s%s(%s)" % (target, self._owner(), name, ", ".join(words)))
        if self.wanted.asked["owner"]:
            lines.append("%s = _driver_listed(_driver_gradients(_driver_self))[:64]" % KEPT)
        lines.append(back("_driver_1"))
        made = [s.name[5:] for s in self.wanted.slots if s.owner is None and s.name.startswith("made_")]
        if "__init__" in self.wanted.methods or self.wanted.asked["owner"]:
            words = ", ".join("%s=%s" % (n, values["made_" + n]) for n in made)
            lines.insert(0, "_driver_self = %s(%s)" % (self.wanted.asked["owner"], words))
            lines.insert(0, "_driver_np.random.seed(7)")
        return lines

    def _owner(self):
        return "_driver_self." if self.wanted.asked["owner"] else ""

    def _upstream(self, node, how, values):
        names = [n for n in how if how[n][0] == "up"]
        if not names and self.wanted.asked["forward"] and not self.wanted.asked["loss"]:
            return ["%s = _driver_loss(_driver_0)" % LOSS]
        lines = ["_driver_upstream.%s = %s" % (n, values[n]) for n in names]
        if names:
            terms = ["_driver_sum(%s, _driver_upstream.%s)" % (how[n][1], n) for n in names]
            lines.append("%s = %s" % (LOSS, " + ".join(terms)))
        return lines

    def _value(self, k, slot, choice, axes, sizes):
        how, kind = choice
        if how in ("given", "new"):
            return kind
        if how in ("up", "like"):
            return "_driver_%s(%d, %s)" % ("like" if how == "up" else "target", 1000 + 10 * k, kind)
        if kind.startswith(guesses.WORD):
            return repr(kind[len(guesses.WORD) :])
        if kind == "size":
            return str(sizes.size(axes[0]))
        if kind in ("rate", "far"):
            return "0.01" if kind == "rate" else "100"
        shape = tuple(1 if a == 1 else sizes.size(a[0]) for a in axes)
        if math.prod(shape) > LARGEST:
            raise ValueError("%s would be too large" % slot.name)
        if kind in guesses.HOT:
            return "_driver_hot(%d, %r, %d)" % (k + 1, shape, guesses.HOT[kind])
        made = "whole" if kind in ("i0", "i1", "i2") else "state" if slot.is_state else "normal"
        return "_driver_%s(%d, %r)" % (made, k + 1, shape)

    def _object(self, kind, values):
        given = [(name, values[object_argument(kind, name)]) for name in self.wanted.made_with(kind)]
        return "%s(%s)" % (kind, ", ".join("%s=%s" % each for each in given))

    def _group(self, name, kind, values):
        items = [(key, values["%s[%r]" % (owner, key)]) for owner, key in self.wanted.items if owner == name]
        if kind == "seq":
            return "(%s)" % "".join("%s, " % v for _, v in items)
        inside = "{%s}" % ", ".join("%r: %s" % item for item in items)
        return "_driver_%s(%r, %s)" % (kind, name, inside)
