# pyright: basic, reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
"""Single numbers with lineage: they are Python floats, or NumPy's, in every respect, and know their id.

NumPy takes the kind of a number from the first of its type's bases, so `Lineage` is the second, and its methods are put
into each class.

A list of single numbers that came from outside is an array: its numbers are entries, which a loop reads and steps one by one.
"""

import numpy as np

from .codes import ADD, CODES, MULTIPLY, SUBTRACT
from .store import Root

STORE = [None]
HOOKS = {}
_DIVIDE = CODES["divide"]
TINY, HUGE = 1e-300, 1e300
"""Between these the arithmetic of Python's floats is that of NumPy's, without a warning or an exception."""


class Lineage:
    """A number with an id, `_i`."""

    __slots__ = ()

    def __array_ufunc__(self, function, method, *inputs, **options):
        return HOOKS["ufunc"](function, method, inputs, options)

    def __array_function__(self, function, types, inputs, options):
        return HOOKS["function"](function, inputs, options)

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    def __neg__(self):
        return unary(CODES["negative"], self, -self._plain())

    def __pos__(self):
        return self

    def __abs__(self):
        return unary(CODES["absolute"], self, abs(self._plain()))

    def __round__(self, digits=None):
        return round(self._plain(), digits) if digits is not None else round(self._plain())

    def item(self):
        return as_float(self)

    def _same(self, *rest, **options):
        return self

    sum = mean = max = min = copy = squeeze = conj = conjugate = _same
    del _same


class TracedFloat(float, Lineage):
    """A Python float."""

    __slots__ = ("_i",)

    def _plain(self):
        return float(self)

    def __reduce__(self):
        return (float, (float(self),))

    def __reduce_ex__(self, protocol):
        return self.__reduce__()


class Given(TracedFloat):
    """A number that came from outside, or is made of nothing but such numbers."""

    __slots__ = ()


class ListEntry(TracedFloat):
    """A number of a list that came from outside. All of a list's share a root."""

    __slots__ = ("_root",)


class ListRoot(Root):
    """What the numbers of one list share; `stepped_to` what they share once they are stepped. `begun` tells the list from others, also
    once it is stepped: functions for matrices in lists read all of them on one line."""

    __slots__ = ("begun", "shape", "stepped_to")

    def __init__(self, first, shape, before=None):
        Root.__init__(self, np.array([first], np.int32), False, before is None)
        self.shape = shape
        self.begun = -first if before is None else before.begun
        self.stepped_to = None


class TracedFloat64(np.float64, Lineage):
    """A `numpy.float64`."""

    __slots__ = ("_i",)

    def _plain(self):
        return _float64(self)

    def __reduce__(self):
        return np.float64(float(self)).__reduce__()

    def __reduce_ex__(self, protocol):
        return self.__reduce__()


class TracedFloat32(np.float32, Lineage):
    """A `numpy.float32`."""

    __slots__ = ("_i",)

    def _plain(self):
        return np.float32(float(self))

    def __reduce__(self):
        return np.float32(float(self)).__reduce__()

    def __reduce_ex__(self, protocol):
        return self.__reduce__()


def _float64(x):
    return np.float64(float(x))


GIVEN = {float, int, Given, ListEntry}
"""Numbers that came from outside."""
TRACED = {TracedFloat, Given, ListEntry, TracedFloat64, TracedFloat32}
KINDS = {np.float64: TracedFloat64, np.float32: TracedFloat32, float: TracedFloat}
for _kind in TRACED:  # what exceptions call it, as they call the user's own
    _plain_kind = next(kind for kind in _kind.__mro__ if kind in KINDS)
    _kind.__name__, _kind.__qualname__, _kind.__module__ = (
        _plain_kind.__name__,
        _plain_kind.__name__,
        _plain_kind.__module__,
    )


def made(value, number):
    """`value`, a single number, with this id; what is neither float64, float32 nor float has no lineage."""
    kind = KINDS.get(type(value))
    if kind is None:
        return value
    out = kind.__new__(kind, value)
    out._i = number
    return out


def given(value, number):
    """A Python float that came from outside, with this id."""
    out = Given.__new__(Given, value)
    out._i = number
    return out


def entry(value, number, root):
    """A number of a list."""
    out = ListEntry.__new__(ListEntry, value)
    out._i, out._root = number, root
    return out


def read(x):
    """A number of a list takes part in an operation."""
    root = x._root
    if (root.leaf or root.stepped) and root.first >= 0:
        came = STORE[0].updates.read(root, root.shape)
        if came:
            STORE[0].again.append(root.owner.item(0))


def _of_entries(code, one, two, made):
    """What an operation made of numbers of which one is a list's: that list's still where it is stepped or scaled."""
    if type(one) is ListEntry and code in (ADD, SUBTRACT) and type(two) in _COMPUTED:
        return _stepped(one._root, made)
    for x in (one, two):
        if type(x) is ListEntry:
            read(x)
    scaled, by = (one, two) if type(one) is ListEntry else (two, one)
    is_list = scaled._root.shape != ()  # a weight of its own times an input is no weight
    if is_list and type(by) in _OUTSIDE and (code == MULTIPLY or (code == _DIVIDE and scaled is one)):
        return entry(made, made._i, scaled._root)
    return made


def _stepped(root, made):
    """`made` is a number of a list with something computed added to it: see `operations`, where an array is."""
    if root.first == 0:
        root.first = -1
    if root.first < 0 or not (root.leaf or root.stepped):
        return made
    if root.stepped_to is None:
        root.stepped_to = ListRoot(made._i, root.shape, root)
    STORE[0].updates.step(root, root.stepped_to)
    return entry(made, made._i, root.stepped_to) if root.stepped_to.stepped else made


def as_float(x):
    """A Python float with the lineage of x."""
    if isinstance(x, TracedFloat):
        return x
    if isinstance(x, Lineage):
        out = TracedFloat.__new__(TracedFloat, float(x))
        out._i = x._i
        return out
    return x.item() if isinstance(x, (np.ndarray, np.generic)) else x


def unary(code, x, value):
    store = STORE[0]
    if not store.on:
        return value
    start = store.single(value)
    store.operation(code, start, (), ((0, x._i, 0),))
    return made(value, start)


def _number(x):
    """(plain value, id) of a single number, or None where it is an array or something else."""
    if isinstance(x, Lineage):
        return x._plain(), x._i
    kind = type(x)
    if kind is float or kind is int or kind is bool or isinstance(x, np.generic):
        if isinstance(x, np.generic) and x.dtype.kind not in "biuf":
            return None
        return x, None
    return None


_OUTSIDE, _COMPUTED, _NUMPY = (float, int, Given), (TracedFloat, TracedFloat64), (np.float64, TracedFloat64)
_PYTHON = (*_OUTSIDE, TracedFloat, ListEntry)
_FLOATS = {**dict.fromkeys(_PYTHON, TracedFloat), **dict.fromkeys(_NUMPY, TracedFloat64)}
_BESIDE = {
    TracedFloat: _FLOATS,
    ListEntry: _FLOATS,
    Given: {**_FLOATS, **dict.fromkeys(_OUTSIDE, Given)},
    TracedFloat64: dict.fromkeys(_PYTHON + _NUMPY, TracedFloat64),
    TracedFloat32: {},
}
"""What a number of this kind and one of that kind make, where Python's floats compute it as NumPy does."""


def _binary(name, forward, backward, in_python, in_numpy):
    code = CODES[name]

    def compute(a, b):
        store = STORE[0]
        first = _number(a)
        second = _number(b)
        if first is None or second is None:
            one, other = (a, b) if first is not None else (b, a)
            of_numpy = isinstance(one, np.generic) and type(other) in (list, tuple) and name != "multiply"
            if isinstance(other, np.ndarray) or of_numpy:
                return HOOKS["ufunc"](in_numpy, "__call__", (a, b), {})
            return NotImplemented
        value = in_python(first[0], second[0])
        if not store.on or type(value) not in KINDS:
            return value
        one = first[1] if first[1] is not None else store.constant(first[0])
        two = second[1] if second[1] is not None else store.constant(second[0])
        return made(value, store.computed(code, value, one, two))

    def operator(in_floats, swapped):
        def operate(self, other):
            own, kind = type(self), type(other)
            result = _BESIDE[own].get(kind)
            store = STORE[0]
            value = 0.0
            if result is not None and in_floats is not None and store.on:
                try:
                    value = in_floats(self, other)
                except ArithmeticError:
                    value = 0.0
            if not TINY < abs(value) < HUGE:
                out = compute(other, self) if swapped else compute(self, other)
            else:
                one, two = self._i, other._i if kind in TRACED else store.constant(other)
                out = result.__new__(result, value)
                out._i = store.computed(code, value, two, one) if swapped else store.computed(code, value, one, two)
            if (own is ListEntry or kind is ListEntry) and type(out) in TRACED:
                return _of_entries(code, other, self, out) if swapped else _of_entries(code, self, other, out)
            return out

        return operate

    in_floats = (None, None) if name == "power" else (getattr(float, forward), getattr(float, backward))
    left, right = operator(in_floats[0], False), operator(in_floats[1], True)
    setattr(Lineage, forward, left)
    setattr(Lineage, backward, right)


_binary("add", "__add__", "__radd__", lambda a, b: a + b, np.add)
_binary("subtract", "__sub__", "__rsub__", lambda a, b: a - b, np.subtract)
_binary("multiply", "__mul__", "__rmul__", lambda a, b: a * b, np.multiply)
_binary("divide", "__truediv__", "__rtruediv__", lambda a, b: a / b, np.true_divide)
_binary("power", "__pow__", "__rpow__", lambda a, b: a**b, np.power)

_OWN = {"__dict__", "__weakref__", "__module__", "__doc__", "__slots__", "__qualname__"}
for _kind in (TracedFloat, TracedFloat64, TracedFloat32):  # the others are made of the first
    for _name, _method in list(vars(Lineage).items()):
        if _name not in _OWN and _name not in vars(_kind):
            setattr(_kind, _name, _method)
for _name in ("sum", "mean", "max", "min", "copy", "squeeze"):
    delattr(TracedFloat, _name)
