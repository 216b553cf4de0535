# pyright: basic, reportAttributeAccessIssue=false
"""Statements that are run without being recorded, since what they compute fills the record: an evaluation of a whole text before the
first update, say.

What they leave came from outside, and is known to have come from them: a gradient that was made from it is not called wrong.
"""

import weakref

import numpy as np

from . import traced
from .traced import Traced

MOST = 64
"""So many entries of a list are looked at."""


class Unfollowed:
    """Told when such a statement begins and ends, and of the arrays that are seen in between."""

    def __init__(self, store):
        self.store = store
        self.before = []  # whether it was being recorded when those that run now began
        self.seen = {}
        self.written = {}

    def begins(self):
        """What follows is not recorded."""
        self.before.append(self.store.on)
        self.store.on = False
        self.store.unfollowed = self

    def ends(self):
        """It is recorded as before: arrays that were written into meanwhile came from outside."""
        self.store.on = self.before.pop()
        if self.store.on:
            for array in self.written.values():
                traced.anew(array)
                self.store.lose("")
            self.written = {}

    def saw(self, value):
        """A value that was assigned, or came from a call, while nothing is recorded."""
        if self.before and type(value) in (list, tuple):
            for each in value[:MOST]:
                self.saw(each)
        elif self.before and isinstance(value, np.ndarray) and value.dtype.kind == "f":
            key = id(value)
            self.seen[key] = weakref.ref(value, lambda _: self.seen.pop(key, None))

    def wrote(self, array):
        """Something was written into an array of the record."""
        if self.before and type(array) is Traced:
            self.written[id(array)] = array

    def read(self, value):
        """A plain array begins to be recorded: one that such a statement made is told as that."""
        for array in (value, value.base):
            seen = self.seen.get(id(array))
            if seen is not None and seen() is array:
                self.store.lose("")
                return
