# ruff: noqa: RUF005  (Python 3.8, and few calls where every operation passes)
# pyright: basic
"""The store of a recording: numbers, operations and events, as streams of whole numbers that are cheap to write.

Every recorded number has an id, counted from 1. `pool` holds the value of id i at place i (id 0 is never used). The
streams are tables of rows, each as wide as what most rows need where a program computes number by number:

    ops       code, line, start, one, two   a single number that was made of one or two others (`two` is 0 where it is one)
    events    site, part, time, number      a single number that was seen

What does not fit into a row stands in the stream `wide`, from a place on: then `code` is below 0, `one` the place, and `two`
how much there is; `number` is -1 minus the place.

    ndim, *shape, operands, operand..., parameters, *parameters      of an operation
    reference                                                        of an event

An operand, and the array of an event, is a `reference`: how the ids of an array are found.

    0, base, ndim, *shape, *strides   ids are base + sum(stride * index): a view of one result
    1, offset, ndim, *shape           ids are kept one by one in `refs`, from offset on, in C order
"""

import os
import sys
from array import array
from bisect import bisect_right

import numpy as np

from .. import progress
from .codes import ADD, CODES, GATHER, MULTIPLY, OF_NUMBERS, SUBTRACT
from .stacks import Stacks

VIEW, KEPT = 0, 1
LISTED = (1,)
"""The parameters of a gather that makes one array of a list's numbers."""
FLUSH = 1 << 16
OPERATION, ROW = 22, 3
"""An operation counts as so many numbers where memory is limited: what reads the record keeps an object of about 700 bytes of each on
arrays, and rows of each on single numbers."""
EVENTS = 4000000
"""So many events are recorded at most."""
SINGLES = 2000000
"""So many single numbers are computed, without an update that is seen: a program that computes number by number is given up."""
STREAM = 1 << 15
"""So many whole numbers of a stream are kept in memory."""
OPERATION_ROW, EVENT_ROW = 5, 4
"""How wide the rows of operations and events are."""
NOWHERE = {}
_frame = sys._getframe
_FLOAT = np.dtype(np.float64)
_WHOLE = (np.integer, np.bool_)
_array, _join = np.array, np.concatenate  # before anything is patched


def number_of(reference):
    """The id of the single number that a reference is of, 0 where it is of an array."""
    return reference[1] if len(reference) == 3 and reference[0] == VIEW else 0


class Root:
    """The ids of one result, shared by every view of it, until something is written into it."""

    __slots__ = ("began", "clean", "first", "leaf", "lines", "owner", "since", "stepped", "version")

    def __init__(self, owner, clean=True, leaf=False):
        self.owner = owner
        self.clean = clean
        self.version = 0
        self.leaf = leaf
        self.first = 0  # the line on which a leaf was read first, -1 where it was added to before
        self.lines = ()  # the lines on which it was read before it was stepped last
        self.since = ()  # and since then, which count once it is stepped again
        self.stepped = 0
        self.began = 0  # the first number that an entry was stepped to, where entries are stepped one by one

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


class Crowded(Full):
    """So many values were seen that it would take minutes to judge them."""

    ended, why = "events", f"{EVENTS:,} values were seen in it"


class Stop(BaseException):
    """The first update is complete: what follows is not needed."""


class Store:
    """Where a run is recorded. `line` is a function that gives the number of the user's line that runs now."""

    def __init__(self, pool, line, limit=50000000):
        self.pool = pool
        self.line = line
        self.places = getattr(line, "places", {})  # where it has found lines before
        self.limit = limit
        self.n = 1
        self.ops = []  # to put a row behind a list takes a fifth of the time that it takes behind an array
        self.events = []
        self.wide = array("i")
        self.widened = 0  # how long that stream is, with what is in its file
        self.refs = []
        self.kept = 0
        self.constants = {}
        self.lost = {}
        self.classes = {}  # of arrays, other than NumPy's, with the line on which each was seen first: these are not followed
        self.leaves = array("i")  # start, size, line of every array that came from outside
        self.leaf_starts = array("i")  # the first column of these alone, to look numbers up in
        self.singles = array("d")  # the last numbers, as long as they came one by one
        self.buffer = [np.zeros(1)]
        self.waiting = 1
        self.on = True
        self.cost = 0  # of the operations, in numbers; of the rows in memory not yet
        self.on_arrays = 0  # so many of these are not of single numbers
        self.events_left = EVENTS
        self.stacks = Stacks(line)
        self.unfollowed = None
        self.half = 0  # the line on which an array of half precision was seen first
        self.updates = None
        self.names = {}
        self.rounds = []
        self.again = []  # a number of each array or list that was read, once it was stepped, where it had been read before
        self.singles_left = SINGLES  # endless once an update was seen
        self.room = self.events_room = 0  # so long these streams may become before a limit is looked at
        self.make_room()
        self.make_events_room()

    def fresh(self, value):
        """The first of the ids of a new array; its values go to the pool."""
        size = value.size
        numbers = _array(value, _FLOAT, subok=False).ravel()
        start = self.n
        if start + size + self.cost > self.limit:
            self.on = False
            raise Full()
        self.n = start + size
        if value.dtype.char == "e" and not self.half:
            self.half = self.line()
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
        if start + self.cost >= self.limit:
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
            self.stacks.look()
            progress.tell(numbers=self.n)

    def overflow(self, name):
        """What there is of a stream goes to its file, behind what went before."""
        stream = getattr(self, name)
        self.stacks.look()
        with open(os.path.join(os.path.dirname(self.pool.name), name), "ab") as file:
            array("i", stream).tofile(file)
        setattr(self, name, stream[:0])

    def leaf(self, value):
        """Ids for an array that came from outside: (shadow, root)."""
        if self.unfollowed is not None:
            self.unfollowed.read(value)
        start = self.fresh(value)
        self.came(start, value.size, self.line())
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
            self.came(start, 1, self.line())
            return start
        key = float(value)
        if key != key:
            key = "nan"
        found = self.constants.get(key)
        if found is None:
            found = self.constants[key] = self.single(float(value))
            self.came(found, 1, -1)
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
        numbers = [] if shape or parameters or code not in OF_NUMBERS else [number_of(operand) for operand in operands]
        if 0 < len(numbers) <= 2 and min(numbers):
            self.row(code, self.line(), start, numbers[0], numbers[1] if len(numbers) == 2 else 0)
            return
        out = [len(shape)]
        out.extend(shape)
        out.append(len(operands))
        for operand in operands:
            out.extend(operand)
        out.append(len(parameters))
        out.extend(parameters)
        self.row(-code, self.line(), start, self.widen(out), len(out))
        self.on_arrays += 1
        self.cost += OPERATION

    def widen(self, numbers):
        """The place in `wide` where these stand."""
        if len(self.wide) > STREAM:
            self.overflow("wide")
        place = self.widened
        self.wide.extend(numbers)
        self.widened += len(numbers)
        return place

    def row(self, code, line, start, one, two):
        """An operation's row, the last one in the stream."""
        if len(self.ops) > self.room:
            self.make_room()
        self.ops.extend((code, line, start, one, two))

    def make_room(self):
        """Empties the stream of operations, and looks at what is left of the limits."""
        rows = len(self.ops) // OPERATION_ROW
        self.cost += ROW * rows
        self.singles_left -= rows - self.on_arrays
        self.on_arrays = 0
        if self.n + self.cost >= self.limit:
            self.on = False
            raise Full()
        if self.singles_left < 0:
            self.on = False
            raise Singles()
        if rows:
            self.overflow("ops")
        if len(self.singles) > FLUSH:
            self.flush()
        left = min(self.singles_left, (self.limit - self.n - self.cost) // (ROW + 1))
        self.room = min(STREAM, OPERATION_ROW * left)

    def updated(self):
        """An update was seen: single numbers are followed on, however many there are."""
        self.singles_left, self.room = sys.maxsize, STREAM

    def computed(self, code, value, one, two):
        """The id of a single number that was computed from two others: `single` and `row` in one, since a program that computes number by
        number does little else."""
        if len(self.ops) > self.room:
            self.make_room()
        start = self.n
        self.n = start + 1
        self.singles.append(value)
        frame = _frame(2)
        line = self.places.get(id(frame.f_code), NOWHERE).get(frame.f_lasti)
        self.ops.extend((code, self.line(3) if line is None else line, start, one, two))
        return start

    def has_added(self, before, number):
        """Whether a number was made last, as another one with something computed added to it or subtracted from it. What a numerical
        check of the gradients adds to a weight comes from outside."""
        code, _, start, one, two = self.ops[-OPERATION_ROW:] if self.ops else (0,) * OPERATION_ROW
        added = two if before == one else one
        return start == number and code in (ADD, SUBTRACT) and before in (one, two) and not self.is_given(added)

    def is_given(self, number):
        """Whether a number that was added last came from outside, or is two such numbers' product, as `2 * h` is."""
        code, _, start, one, two = self.ops[-2 * OPERATION_ROW : -OPERATION_ROW] or (0,) * OPERATION_ROW
        made = start == number and code in (MULTIPLY, CODES["divide"])
        return all(self.is_leaf(each) for each in ((one, two) if made else (number,)))

    def is_leaf(self, number):
        """Whether a number came from outside."""
        place = bisect_right(self.leaf_starts, number) - 1
        return place >= 0 and number < self.leaf_starts[place] + self.leaves[3 * place + 1]

    def came(self, start, size, line):
        """Numbers came from outside."""
        self.leaves.extend((start, size, line))
        self.leaf_starts.append(start)

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
        """A value was seen, of this reference."""
        self.event_row(site, part, number_of(reference) or -1 - self.widen(reference))

    def event_row(self, site, part, number):
        """The same of a single number."""
        if len(self.events) > self.events_room:
            self.make_events_room()
        self.events.extend((site, part, self.n, number))

    def make_events_room(self):
        """Empties the stream of events, where there are not too many of them."""
        self.events_left -= len(self.events) // EVENT_ROW
        if self.events_left < 0:
            self.on = False
            raise Crowded()
        if self.events:
            self.overflow("events")
        self.events_room = min(STREAM, EVENT_ROW * self.events_left)

    def lose(self, what):
        key = (what, self.line())
        self.lost[key] = self.lost.get(key, 0) + 1
