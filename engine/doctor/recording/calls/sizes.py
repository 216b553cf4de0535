# ruff: noqa: C419  (several are made to fit at once)
# pyright: basic
"""Sizes of arrays that are made up: each axis has a number of its own, until NumPy says which two must be the same.

An exception names the numbers that do not fit. Two axes that do not fit are one from then on; an axis that does not fit
a number that no axis has (a sum, a half, a constant of the program) takes that number.
"""

import re

PRIMES = (
    7,
    11,
    13,
    17,
    19,
    23,
    29,
    31,
    37,
    41,
    43,
    47,
    53,
    59,
    61,
    67,
    71,
    73,
    79,
    83,
    89,
    97,
    101,
    103,
    107,
    109,
    113,
)
SMALL = (3, 5, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20)
OPEN = 211
"""Where sizes that follow from others begin."""
LONGEST = 3000
"""What does not fit with shorter axes does not fit with longer ones: sums that never agree make them longer with each attempt."""
_TWO = (
    re.compile(r"size (\d+) is different from (\d+)"),
    re.compile(r"(\d+) \(dim \d+\) != (\d+) \(dim \d+\)"),
    re.compile(r"array at index \d+ has size (\d+) and the array at index \d+ has size (\d+)"),
)
_RESHAPED = re.compile(r"cannot reshape array of size (\d+) into shape \(([\d, ]+)\)")
_BEYOND = re.compile(r"index (\d+) is out of bounds for axis (\d+) with size (\d+)")
_SHAPE = re.compile(r"\((\d+(?:,\s?\d+)*|\d+,)\)")


class Sizes:
    """The sizes of axes. `times` is how many parts some axes have, as gates stacked in one array; 1 for none. `written` are the whole
    numbers of the program: one of them may be how far a loop goes."""

    def __init__(self, times=1, written=()):
        self.times, self.written = times, sorted(written)
        self.parent, self.free, self.fixed, self.multiple = [], [], {}, {}
        self.states, self.places, self.whole, self.moved = [], [], [], set()
        self.small = False
        self.taken = set()
        """Which axis has been given which size that follows from others."""
        self.lengths = set()
        """The axes that are as long as a loop of the program goes."""

    def freedom(self):
        """How many sizes could be chosen."""
        counted = {self.root(k) for k, whole in enumerate(self.whole) if not whole}
        return sum((k not in self.fixed or k in self.lengths) and k not in self.multiple for k in counted)

    def axis(self, place=0, is_state=False, is_whole=False):
        """The number of a new axis, the one at `place` of its array; a state's is the first to give way where a sum does not fit. Those
        of whole numbers alone make nothing more general."""
        number = len(self.parent)
        self.places.append(place)
        self.whole.append(is_whole)
        self.states.append(is_state)
        self.parent.append(number)
        self.free.append(self.times * PRIMES[number % len(PRIMES)] + number // len(PRIMES))
        return number

    def root(self, axis):
        while self.parent[axis] != axis:
            axis = self.parent[axis]
        return axis

    def size(self, axis):
        root = self.root(axis)
        if root in self.multiple:
            return self.times * self.size(self.multiple[root])
        return self.fixed.get(root, self.free[root])

    def shrink(self, factor):
        """The same axes with small sizes; what followed from others is to be found again."""
        self.small = True
        self.moved, self.taken = set(), set()
        used = iter(SMALL)
        for k, axis in enumerate(self.parent):
            if axis == k and k not in self.multiple and k not in self.fixed:
                self.free[k] = factor * next(used, 21 + k)
        for k, axis in enumerate(list(self.fixed)):
            if self.fixed[axis] != 1 and axis not in self.lengths:
                self.fixed[axis] = OPEN + 2 * k

    def _with(self, number):
        """The axis of that size, one whose size is free first; None where there is none."""
        roots = [k for k, p in enumerate(self.parent) if p == k and self.size(k) == number]
        return min(roots, key=lambda k: (k in self.fixed or k in self.multiple, k), default=None)

    def mend(self, message):
        """Makes fit what an exception says does not; whether there was something to do, and no axis has become too long by it."""
        return self._mended(message) and max(map(self.size, range(len(self.parent))), default=0) <= LONGEST

    def _mended(self, message):
        beyond = _BEYOND.search(message)
        if beyond:
            return self._longer(*map(int, beyond.groups()))
        reshaped = _RESHAPED.search(message)
        if reshaped:
            return self._reshaped(int(reshaped.group(1)), [int(n) for n in reshaped.group(2).split(",") if n.strip()])
        return any([self.same(a, b) for a, b in misfits(message)])

    def _reshaped(self, size, shape):
        """An array that is to have another shape: one of its axes stands there with another size."""
        whole = 1
        for n in shape:
            whole *= n
        for n in shape:
            own, rest = divmod(size * n, whole) if whole else (0, 1)
            if not rest and own != n and (self._with(own) is not None or self._with(n) is not None):
                return self.same(own, n)
        return len([n for n in shape if n > 1]) == 1 and self.same(size, whole)

    def _longer(self, index, place, size):
        axis = self._with(size)
        if axis is None:
            return False
        longer = [k for k, p in enumerate(self.parent) if p == k and self.size(k) > size and k != axis]
        same = {self.root(k) for k, p in enumerate(self.places) if p == place}
        other = min(longer, key=lambda k: (k in self.fixed, k not in same, k), default=None)
        if other is None or other in self.fixed or self.small:
            far = next((n for n in self.written if n > index), None)
            if far is not None:
                self.fixed[axis] = far
                self.lengths.add(axis)
                return True
        if other is None or self.small:
            return False
        self.parent[axis] = other
        self.fixed.pop(axis, None)
        return True

    def same(self, a, b):
        """Makes the axes of these two sizes one; whether there was something to do."""
        one, two = self._with(a), self._with(b)
        if self.small:
            for axis, number in ((one, b), (two, a)):
                if axis in self.fixed and number:
                    self.fixed[axis] = number
                    return True
            return self._by_difference(a, b)
        if one is not None and two is not None:
            if one in self.fixed or one in self.multiple:
                one, two = two, one
            if two in self.multiple and one in self.multiple:
                return False
            if one > two and two not in self.fixed and two not in self.multiple:
                one, two = two, one  # what was first is small: parts are cut out of what comes later
            self.fixed.pop(two, None)
            self.multiple.pop(two, None)
            self.parent[two] = one
            return True
        if one is None and two is None:
            return self._as_sums(a, b) or self._by_difference(a, b)
        axis, number = (one, b) if one is not None else (two, a)
        if self.times > 1 and self._in_parts(axis, number):
            return True
        if axis in self.multiple or not number:
            return False
        if (axis, number) in self.taken and self._state_that_differs(abs(a - b)):
            return True
        self.taken.add((axis, number))
        self.fixed[axis] = number
        return True

    def _state_that_differs(self, difference):
        """A sum that is one number at the first step and another one after it: the first state, which is part of it, has the
        size of another array along that axis."""
        for axis in [k for k, p in enumerate(self.parent) if p == k and self.states[k] and k not in self.fixed]:
            for size in (self.size(axis) + difference, self.size(axis) - difference):
                others = {self.root(k) for k, place in enumerate(self.places) if place == self.places[axis]} - {axis}
                other = min((k for k in others if self.size(k) == size), default=None)
                if other is not None:
                    self.parent[axis] = other
                    self.taken = set()
                    return True
        return False

    def _as_sums(self, a, b):
        """Two sums of two axes' sizes, as of arrays that were joined, perhaps with a column of ones: one axis is part of both, the other
        two are the same."""
        roots = [k for k, p in enumerate(self.parent) if p == k and k not in self.multiple]
        for shared in [self.size(k) + more for more in (0, 1) for k in roots]:
            one, two = self._with(a - shared), self._with(b - shared)
            if one is not None and two is not None:
                return self.same(self.size(one), self.size(two))
        return False

    def _by_difference(self, a, b):
        """Two sums that differ: an axis that is part of one of them takes the difference."""
        roots = [k for k, p in enumerate(self.parent) if p == k and k not in self.multiple and k not in self.moved]
        if self.small:
            roots = [k for k in roots if k in self.fixed]
        for axis in sorted(roots, key=lambda k: (not self.states[k], k)):
            made = (self.size(axis) + b - a, self.size(axis) + a - b)
            for size in (
                sorted(made) if self.small else made
            ):  # where sizes were made small, what followed from others is large
                if size > 0:
                    self.moved.add(axis)
                    self.fixed[axis] = size
                    return True
        return False

    def _in_parts(self, axis, number):
        """An axis that was cut into parts of another's size, so that a shorter rest was left: it is so many times that."""
        part = self.size(axis)
        for other, parent in enumerate(self.parent):
            if parent != other or other == axis or other in self.multiple:
                continue
            whole = self.size(other)
            rests = [max(0, min(whole, (k + 1) * part) - k * part) for k in range(self.times)]
            if number in rests and whole != self.times * part and number != part and number:
                self.fixed.pop(other, None)
                self.multiple[other] = axis
                return True
        return False


def misfits(message):
    """The pairs of numbers that an exception of NumPy's says should be the same."""
    for pattern in _TWO:
        found = pattern.search(message)
        if found:
            return [(int(found.group(1)), int(found.group(2)))]
    if "broadcast" not in message:
        return []
    shapes = [[int(n) for n in s.replace(" ", "").split(",") if n] for s in _SHAPE.findall(message)]
    if len(shapes) < 2:
        return []
    one, two = shapes[0][::-1], shapes[1][::-1]
    is_output = "output operand" in message or "input array" in message
    put_into = one[len(two) :] if "input array" in message else []  # axes that it may only have if they are of one
    pairs = [(a, b) for a, b in zip(one, two) if a != b and (is_output or 1 not in (a, b))]
    return pairs + [(n, 1) for n in put_into if n != 1]
