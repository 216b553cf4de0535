# pyright: basic
"""Where a run may stop: weights were stepped, and the program has come round to the lines on which they were read
before.

An array that came from outside is stepped when something computed is added to it, or subtracted from it, as a whole. It
has come round when it is read again on a line where it was read before that: not the last of several such lines, which
is the backward pass's, and where it may be stepped at every time step; unless another array has just come round there,
as where a sample was the first to read both. (The first line alone would not do: some programs try their weights out, in
a sample, before they train.)

A round is complete when two arrays of different shapes have come round, so that a state that is added to is not taken
for a weight, or three that were read first on different lines, or one that is a part of a larger array that was stepped;
an array that was added to before it was ever read is an accumulator, and does not count.
"""

import sys

from .store import NOWHERE, Stop

_frame = sys._getframe
ALONE = 64
"""After so many rounds of one shape alone they count too."""
SEVERAL = 3
"""So many arrays of one shape, read first on lines of their own, are weights: a state has a cell's beside it at most."""
MOST_LINES = 15
ROUNDS = 8
ENOUGH, TWO = 400000, 10000000
"""Rounds are recorded until there are so many of them, or so many numbers; two, if these are not too many: in the first one the state that
a round begins with is nothing, and gradients that are never reset are right."""


class UpdateWatch:
    """Told of every array that is read and of every one that is stepped."""

    def __init__(self, store, stops=True, rounds=ROUNDS):
        self.store = store
        self.line = store.line
        self.stops = stops
        self.rounds = rounds
        self.generation = 1
        self.shapes = {}
        self.begun_on = set()
        self.round_on = set()
        self.came = []  # a number of each array that has come round since the last round
        self.imports = 0
        self.others = []  # the rounds of modules that train while they are imported
        self.begin = 0  # the number that comes next after the last of them

    def importing(self, begins):
        """A module of the user's own begins to be imported, or is: what it trains by itself is not what the program trains."""
        self.imports += 1 if begins else -1
        if self.others and not self.imports:
            self.store.on = True
            self.begin = self.begin if self.store.rounds else self.store.n

    def read(self, root, shape):
        """An array takes part in an operation: whether it has come round. Only called for what came from outside, or was stepped."""
        frame = _frame(2)
        line = self.store.places.get(id(frame.f_code), NOWHERE).get(frame.f_lasti)
        if line is None:
            line = self.line(3)
        lines = root.lines
        if not root.stepped:  # as nearly always, where a loop reads number by number
            if root.first == 0:
                root.first = line
            if line not in lines:
                root.lines = (*lines[-MOST_LINES:], line)
            return False
        came = line in (lines[:-1] or lines) or (line in self.round_on and line in lines)
        if root.stepped < self.generation:
            root.stepped = 0
            if line not in root.lines:
                root.lines = (*root.lines[-MOST_LINES:], line)
        elif came:
            root.stepped = 0
            self.round_on.add(line)
            self.came.append(int(root.owner.reshape(-1)[0]))
            self.begun_on.add(root.begun)
            self.shapes[shape] = self.shapes.get(shape, 0) + 1
            several = len(self.shapes) > 1 or len(self.begun_on) >= SEVERAL
            if several or self.shapes[shape] > ALONE or _size(shape) < root.owner.size:
                self.complete(root)
        elif line not in root.since and line not in root.lines:
            root.since = (*root.since[-MOST_LINES:], line)
        return came

    def complete(self, root):
        """A round is complete."""
        rounds = self.others if self.imports else self.store.rounds
        rounds.append([self.store.n, int(root.owner.reshape(-1)[0])])
        self.store.updated()
        self.store.again += self.came
        self.came = []
        self.generation += 1
        self.shapes = {}
        self.begun_on = set()
        self.round_on = set()
        enough = self.store.n > (TWO if len(rounds) < 2 else ENOUGH)
        if self.stops and (len(rounds) >= self.rounds or enough):
            if not self.imports:
                raise Stop()
            self.store.on = False  # until the module is imported

    def step(self, old, new):
        """`new` (the same one where it was written in place) is `old` with something added."""
        if old.first == 0:
            old.leaf = old.leaf and new is not old
        elif old.first > 0 and self.line(3) != old.first:
            new.first, new.leaf, new.stepped = old.first, old.leaf, self.generation
            new.lines, new.since = (*old.lines, *old.since)[-MOST_LINES:], ()
        elif old.lines == (old.first,) and not old.stepped:
            old.first = -1  # `g[0] += d`: an entry was read to be added to, and nothing else


def _size(shape):
    size = 1
    for n in shape:
        size *= n
    return size
