# ruff: noqa: C419  (Python 3.8, and few calls where every operation passes)
# pyright: basic, reportGeneralTypeIssues=false, reportArgumentType=false, reportAttributeAccessIssue=false, reportIndexIssue=false
"""What the rewritten code calls: leaves and events."""

import itertools
import re
import types

import numpy as np

from . import scalars, traced
from .matrices import MATRIX, TracedMatrix, bare
from .matrices import leaf as matrix_leaf
from .scalars import TRACED, Given, ListEntry, ListRoot, TracedFloat64
from .store import LISTED, VIEW, Root
from .traced import Traced, wrap
from .unfollowed import Unfollowed

LARGEST = 4000000
LONGEST, DEEPEST = 20000, 3
FILLING = 10000
"""So often one line assigns a number that is written there, before it only fills data."""
_PLAIN = np.ndarray
_NUMBER = re.compile(r"^-?[\d.e+-]+$")
_RANDOM = np.random.RandomState  # before anything is patched, and apart from the program's own
_RECORDED = {Traced, TracedMatrix, *TRACED}
_OUTSIDE = {float, Given, ListEntry}
_NUMBERS = {int, float, *TRACED}
_FLOATS = (np.float64, np.float32)


def rows_of(items, depth=0):
    """The innermost lists of a list of numbers, or of lists of as many numbers, and the shape; no lists where it is something else."""
    if not items or type(items[0]) is not list:
        return [items], (len(items),)
    if depth > DEEPEST:
        return [], ()
    within = [rows_of(item, depth + 1) if type(item) is list else ([], ()) for item in items]
    if len({shape for _, shape in within}) > 1:
        return [], ()
    return [row for rows, _ in within for row in rows], (len(items), *within[0][1])


class ValueWatch:
    """Makes leaves of plain arrays and records what is assigned. `sites` is the list of the rewritten modules; `shifts` says which arrays
    start from other values: the number that comes next, the array's size, and by how much its entries are shifted."""

    def __init__(self, store, sites, shifts=(), alone=False):
        self.store = store
        self.shifts = {start: (size, by) for start, size, by in shifts}
        self.sites = sites
        self.filled = {}
        self.alone = alone  # whether single numbers from outside may be weights
        self.unfollowed = Unfollowed(store)

    def leaf(self, value):
        """A plain array, a float or a list of them: traced from here on. Lists are changed in place."""
        kind = type(value)
        if kind is _PLAIN:
            if value.dtype.kind == "f" and value.size <= LARGEST and self.store.on:
                if self.shifts:
                    self.shift(value)
                shadow, root = self.store.leaf(value)
                return wrap(value, shadow, root)
            self.unfollowed.saw(value)
            return value
        if kind is Traced or kind is TracedMatrix or not self.store.on:
            return value
        if kind is MATRIX and value.dtype.kind == "f" and value.size <= LARGEST:
            return matrix_leaf(value)
        if kind is float or kind in _FLOATS:
            number = self.store.single(value)
            self.store.came(number, 1, self.store.line())
            return scalars.given(value, number) if kind is float else scalars.made(value, number)
        if kind is list:
            self.inside(value, 0)
        elif isinstance(value, tuple) and hasattr(kind, "_make"):
            return kind._make([self.leaf(i) for i in value])  # what np.linalg.svd and others hand back under names
        elif kind is tuple and any([type(i) in (_PLAIN, float, list) or type(i) in _FLOATS for i in value]):
            return tuple([self.leaf(i) for i in value])
        elif kind is dict and len(value) <= 256:
            for key, item in value.items():
                if type(item) is _PLAIN and item.dtype.kind == "f":
                    value[key] = self.leaf(item)
                elif type(item) is list or type(item) is dict:
                    self.leaf(item)
        elif isinstance(value, _PLAIN) and value.dtype.kind == "f" and kind.__module__.split(".")[0] != "numpy":
            self.store.classes.setdefault(kind.__name__, self.store.line())
        return value

    def shift(self, value):
        """Other first values, in place: what the program holds is what is recorded."""
        start = self.store.n
        size, by = self.shifts.get(start, (-1, 0.0))
        if size == value.size and value.flags.writeable:
            value += (by * _RANDOM(start).standard_normal(value.shape)).astype(value.dtype)

    def listed(self, items):
        """Makes the numbers of a list that came from outside entries of one array; whether it is such a list. Those of lists that nothing
        was read of yet are entries of the list that these are put into."""
        rows, shape = rows_of(items)
        if not rows or not rows[0] or type(rows[0][0]) not in _OUTSIDE:
            return False
        numbers = [n for row in rows for n in row]
        kinds = set(map(type, numbers))
        if not kinds <= _OUTSIDE:
            return False
        roots = {id(n._root): n._root for n in numbers if type(n) is ListEntry} if ListEntry in kinds else {}
        if len(roots) == 1 or any([root.first for root in roots.values()]):
            return kinds == {ListEntry}
        value = np.array(numbers, float).reshape(shape)
        if kinds != {float}:
            ids = np.array([self.leaf(n)._i for n in numbers], np.int32).reshape(shape)
            start = self.store.gathered(value, ids, LISTED)[0].item(0)
        else:
            if self.shifts:
                self.shift(value)
            start = self.store.leaf(value)[0].item(0)
        root = ListRoot(start, shape)
        made = [scalars.entry(n, start + k, root) for k, n in enumerate(value.ravel().tolist())]
        for k, row in enumerate(rows):
            row[:] = made[k * shape[-1] : (k + 1) * shape[-1]]
        return True

    def one(self, value):
        """A number that came from outside, as an array of its own."""
        value = float(value)
        number = self.store.single(value)
        self.store.came(number, 1, self.store.line())
        return scalars.entry(value, number, ListRoot(number, ()))

    def inside(self, items, depth):
        if not items or len(items) > LONGEST or depth > DEEPEST or self.listed(items):
            return
        kind = type(items[-1])
        if kind in (_PLAIN, list, float, dict, tuple) or kind in _FLOATS:
            for k, item in enumerate(items):
                kind = type(item)
                if kind is list:
                    self.inside(item, depth + 1)
                elif kind in (_PLAIN, float, dict) or kind in _FLOATS:
                    items[k] = self.leaf(item)

    def event(self, value, number, entry=0):
        """What is assigned, returned or appended at a site; `entry` is what it is called there, where the site does not say it."""
        if not self.store.on:
            self.unfollowed.saw(value)
            return value
        kind = type(value)
        if self.alone and (kind is float or kind is Given or (kind is TracedFloat64 and self.store.is_leaf(value._i))):
            value, kind = self.one(value), ListEntry
        if kind in TRACED:  # as nearly always, where a program computes number by number
            if entry:
                self.store.event_row(number, self.store.named(entry), value._i)
                return value
            store = self.store
            if len(store.events) > store.events_room:
                store.make_events_room()
            store.events.extend((number, 0, store.n, value._i))
            return value
        if kind in _RECORDED:
            self.keep(number, entry, value)
            return value
        if kind is types.GeneratorType:
            names = self.sites[number].names
            if not names or any([n.startswith("*") for n in names]):
                return value
            value = tuple(itertools.islice(value, len(names) + 1))  # as unpacking does
        if kind is float and self.fills(number):
            return value
        value = self.leaf(value)
        kind = type(value)
        if kind is list or isinstance(value, tuple):
            self.keep(number, 0, value)
            self.several(number, value)
        elif kind is dict and len(value) <= 256:
            self.entries(number, value)
        elif kind is types.SimpleNamespace or hasattr(kind, "__dataclass_fields__"):
            self.attributes(number, value)
        else:
            self.keep(number, entry, value)
        return value

    def fills(self, number):
        """Whether a line assigns the number that is written in it so often that it only fills data, such as one-hot rows."""
        count = self.filled[number] = self.filled.get(number, 0) + 1
        return count > FILLING and _NUMBER.match(self.sites[number].value) is not None

    def attributes(self, number, value):
        """The arrays that an object is made of which is nothing but its attributes."""
        site = self.sites[number]
        target = site.target if site.kind == "assign" else ""
        for key, item in list(getattr(value, "__dict__", {}).items())[:256]:
            self.keep(number, f"{target}.{key:.40}", item)

    def entries(self, number, value):
        site = self.sites[number]
        target = site.target if site.kind == "assign" else ""
        for key, item in value.items():
            self.keep(number, f"{target}[{key!r:.40}]", item)

    def several(self, number, values):
        """The entries of a tuple or list, and of those in it where they are returned."""
        if len(values) > 64:
            return
        site = self.sites[number]
        for part, item in enumerate(values):
            if self.keep(number, part + 1, item):
                continue
            if site.kind == "return" and type(item) in (tuple, list, dict) and len(item) <= 64:
                name = site.names[part] if part < len(site.names) else f"{site.target}[{part}]"
                for key, one in item.items() if type(item) is dict else enumerate(item):
                    self.keep(number, f"{name}[{key!r:.40}]", one)

    def keep(self, number, part, value):
        """Records what was seen at a site, if it has lineage: the `part` of what is there, by its place from 1 on (0: all of it) or by a
        name of its own. Whether it has."""
        reference = self.reference(value)
        if reference is None:
            return False
        self.store.event(number, self.store.named(part) if type(part) is str else part, reference)
        return True

    def reference(self, value):
        """How the numbers of a value are found again; None for what has no lineage."""
        kind = type(value)
        if kind in TRACED:
            return (VIEW, value._i, 0)
        if kind in _RECORDED:
            return traced.reference(bare(value), False)
        if kind is not list or len(value) > LONGEST:
            return None
        rows, shape = rows_of(value)
        kinds = {type(n) for row in rows for n in row}
        if not kinds & TRACED or not kinds <= _NUMBERS:
            return None
        ids = [n._i if type(n) in TRACED else self.store.constant(n) for row in rows for n in row]
        shadow = np.array(ids, np.int32).reshape(shape)
        return self.store.reference(shadow, Root(shadow, bool((np.diff(ids) == 1).all())))

    def after(self, value, number):
        """What is there after a statement that may have written into it."""
        store = self.store
        if not store.on:
            return
        if type(value) in TRACED:
            if len(store.events) > store.events_room:
                store.make_events_room()
            store.events.extend((number, 0, store.n, value._i))
        else:
            self.keep(number, 0, value)

    def whole(self, value, number):
        """A list is there as a whole after the loop that filled it."""
        if self.store.on and type(value) is list:
            self.keep(number, 0, self.leaf(value))
