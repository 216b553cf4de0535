# ruff: noqa: RUF005  (Python 3.8, and few calls where every operation passes)
# pyright: basic
"""The store of a recording: numbers, operations and events, as streams of whole numbers that are cheap to write.

Every recorded number has an id, counted from 1. `pool` holds the value of id i at place i (id 0 is never used). The
stream of operations:

    code, line, start, ndim, *shape, operands, operand..., parameters, *parameters

An operand, and the array of an event, is a `reference`: how the ids of an array are found.

    0, base, ndim, *shape, *strides   ids are base + sum(stride * index): a view of one result
    1, offset, ndim, *shape           ids are kept one by one in `refs`, from offset on, in C order
"""

import os
from array import array

import numpy as np

from .. import progress
from .codes import ADD, GATHER, SUBTRACT

VIEW, KEPT = 0, 1
LISTED = (1,)
"""The parameters of a gather that makes one array of a list's numbers."""
FLUSH = 1 << 18
OPERATION = 22
"""An operation counts as so many numbers where memory is limited: what reads the record keeps an object of each, of about 700 bytes."""
SINGLES = 400000
"""So many single numbers are computed, without an update that is seen: a program that computes number by number is given up."""
STREAM = 1 << 20
"""So many whole numbers of a stream are kept in memory."""
_FLOAT = np.dtype(np.float64)
_WHOLE = (np.integer, np.bool_)
_array, _join = np.array, np.concatenate  # before anything is patched


class Root:
    """The ids of one result, shared by every view of it, until something is written into it."""

    __slots__ = ("clean", "first", "leaf", "lines", "owner", "since", "stepped", "version")

    def __init__(self, owner, clean=True, leaf=False):
        self.owner = owner
        self.clean = clean
        self.version = 0
        self.leaf = leaf
        self.first = 0  # the line on which a leaf was read first, -1 where it was added to before
        self.lines = ()  # the lines on which it was read before it was stepped last
        self.since = ()  # and since then, which count once it is stepped again
        self.stepped = 0

    @property
    def begun(self):
        """What tells an array from others: the line on which it was read first."""
        return self.first

    def follow(self, before):
        """An array that was read before, or was just stepped, is that array still when it is copied, scaled or limited."""
        if len(before.lines) > 1 or before.stepped:
            self.leaf, self.first, self.lines, self.stepped = before.leaf, before.first, before.lines, before.stepped


class Full(BaseException):
    """Enough is recorded."""

    ended, why = "full", "as many numbers were recorded as its memory limit leaves room for"


class Singles(Full):
    """So many single numbers were computed that it would take minutes to judge them."""

    ended, why = "singles", f"{SINGLES:,} single numbers were computed, and no update was seen in them"


class Stop(BaseException):
    """The first update is complete: what follows is not needed."""


class Store:
    """Where a run is recorded. `line` is a function that gives the number of the user's line that runs now."""

    def __init__(self, pool, line, limit=50000000):
        self.pool = pool
        self.line = line
        self.limit = limit
        self.n = 1
        self.ops = array("i")
        self.events = array("i")
        self.refs = []
        self.kept = 0
        self.constants = {}
        self.lost = {}
        self.leaves = array("i")  # start, size, line of every array that came from outside
        self.singles = array("d")  # the last numbers, as long as they came one by one
        self.buffer = [np.zeros(1)]
        self.waiting = 1
        self.on = True
        self.count = 0
        self.updates = None
        self.names = {}
        self.rounds = []
        self.again = []  # a number of each list that was read, once it was stepped, where it had been read before
        self.singles_left = SINGLES  # endless once an update was seen

    def fresh(self, value):
        """The first of the ids of a new array; its values go to the pool."""
        size = value.size
        numbers = _array(value, _FLOAT, subok=False).ravel()
        start = self.n
        if start + size + OPERATION * self.count > self.limit:
            self.on = False
            raise Full()
        self.n = start + size
        if self.singles:
            self.take_singles()
        self.buffer.append(numbers)
        self.waiting += size
        if self.waiting > FLUSH:
            self.flush()
        return start

    def single(self, value):
        """The id of a new single number."""
        start = self.n
        if start + OPERATION * self.count >= self.limit:
            self.on = False
            raise Full()
        self.n = start + 1
        self.singles.append(value)
        if len(self.singles) > FLUSH:
            self.flush()
        return start

    def take_singles(self):
        self.buffer.append(_array(self.singles, _FLOAT))
        self.waiting += len(self.singles)
        self.singles = array("d")

    def flush(self):
        if self.singles:
            self.take_singles()
        if self.buffer:
            buffer, self.buffer, self.waiting = self.buffer, [], 0
            self.pool.write(_join(buffer).tobytes())
            progress.tell(numbers=self.n)

    def overflow(self, name):
        """What there is of a stream goes to its file, behind what went before."""
        stream = getattr(self, name)
        with open(os.path.join(os.path.dirname(self.pool.name), name), "ab") as file:
            stream.tofile(file)
        setattr(self, name, array("i"))

    def leaf(self, value):
        """Ids for an array that came from outside: (shadow, root)."""
        start = self.fresh(value)
        self.leaves.extend((start, value.size, self.line()))
        return self.shadow(start, value.shape, True)

    def shadow(self, start, shape, leaf=False):
        size = 1
        for n in shape:
            size *= n
        owner = np.arange(start, start + size, dtype=np.int32)
        return (owner if len(shape) == 1 else owner.reshape(shape)), Root(owner, True, leaf)

    def constant(self, value):
        """The id of a number that is written in the program; a whole number of NumPy's is an entry of data, such as a target."""
        if isinstance(value, _WHOLE):
            start = self.single(float(value))
            self.leaves.extend((start, 1, self.line()))
            return start
        key = float(value)
        if key != key:
            key = "nan"
        found = self.constants.get(key)
        if found is None:
            found = self.constants[key] = self.single(float(value))
            self.leaves.extend((found, 1, -1))
        return found

    def keep(self, shadow):
        """The place in `refs` of a copy of these ids."""
        offset = self.kept
        self.refs.append(_array(shadow, np.int32).ravel())
        self.kept += shadow.size
        return offset

    def reference(self, shadow, root):
        """How the ids of an array are found again, whatever is written into it later."""
        shape = shadow.shape
        if root is not None and root.clean and shadow.size:
            base = int(shadow[(0,) * len(shape)]) if shape else int(shadow)
            return (VIEW, base, len(shape)) + shape + tuple([s // 4 for s in shadow.strides])
        if shadow.size == 1:
            return (VIEW, int(shadow.reshape(-1)[0]), len(shape)) + shape + (0,) * len(shape)
        return (KEPT, self.keep(shadow), len(shape)) + shape

    def operation(self, code, start, shape, operands, parameters=()):
        """Records that ids from `start` on were made of these references."""
        out = [code, self.line(), start, len(shape)]
        out.extend(shape)
        out.append(len(operands))
        for operand in operands:
            out.extend(operand)
        out.append(len(parameters))
        out.extend(parameters)
        self.ops.extend(out)
        self.count += 1
        if len(self.ops) > STREAM:
            self.overflow("ops")

    def computed(self, code, value, one, two):
        """The id of a single number that was computed from two others."""
        start = self.single(value)
        self.ops.extend((code, self.line(3), start, 0, 2, VIEW, one, 0, VIEW, two, 0, 0))
        self.count += 1
        self.singles_left -= 1
        if self.singles_left < 0:
            self.on = False
            raise Singles()
        if len(self.ops) > STREAM:
            self.overflow("ops")
        return start

    def has_added(self, before, number):
        """Whether a number was made last, as another one with something computed added to it or subtracted from it. What a numerical
        check of the gradients adds to a weight comes from outside."""
        code, _, start, _, _, _, one, _, _, two, _, _ = self.ops[-12:] if len(self.ops) >= 12 else (0,) * 12
        added = two if before == one else one
        return start == number and code in (ADD, SUBTRACT) and before in (one, two) and not self.is_leaf(added)

    def is_leaf(self, number):
        """Whether a number came from outside."""
        low, high = 0, len(self.leaves) // 3
        while low < high:  # bisect has no key before Python 3.10
            middle = (low + high) // 2
            if self.leaves[3 * middle] > number:
                high = middle
            else:
                low = middle + 1
        return low > 0 and number < self.leaves[3 * low - 3] + self.leaves[3 * low - 2]

    def made(self, code, value, operands, parameters=()):
        """A new result and its operation: (shadow, root)."""
        start = self.fresh(value)
        self.operation(code, start, value.shape, operands, parameters)
        return self.shadow(start, value.shape)

    def gathered(self, value, shadow, parameters=()):
        """A copy in which a number may stand several times: each place is a number of its own."""
        return self.made(GATHER, value, [self.reference(shadow, None)], parameters)

    def named(self, name):
        """The part of an event whose value has a name of its own, as the entry of a dict has: below 0."""
        return self.names.setdefault(name, -1 - len(self.names))

    def event(self, site, part, reference):
        self.events.extend((site, part, self.n) + reference)
        if len(self.events) > STREAM:
            self.overflow("events")

    def lose(self, what):
        key = (what, self.line())
        self.lost[key] = self.lost.get(key, 0) + 1
