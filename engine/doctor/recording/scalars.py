# pyright: basic, reportArgumentType=false, reportAttributeAccessIssue=false
"""Single numbers with lineage: they are Python floats, or NumPy's, in every respect, and know their id.

NumPy takes the kind of a number from the first of its type's bases, so `Lineage` is the second, and its methods are put
into each class.
"""

import numpy as np

from .codes import CODES


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

    def _plain(self):
        return float(self)

    def __reduce__(self):
        return (float, (float(self),))

    def __reduce_ex__(self, protocol):
        return self.__reduce__()


class TracedFloat64(np.float64, Lineage):
    """A `numpy.float64`."""

    def _plain(self):
        return _float64(self)

    def __reduce__(self):
        return np.float64(float(self)).__reduce__()

    def __reduce_ex__(self, protocol):
        return self.__reduce__()


class TracedFloat32(np.float32, Lineage):
    """A `numpy.float32`."""

    def _plain(self):
        return np.float32(float(self))

    def __reduce__(self):
        return np.float32(float(self)).__reduce__()

    def __reduce_ex__(self, protocol):
        return self.__reduce__()


def _float64(x):
    return np.float64(float(x))


HOOKS = {}
_KINDS = {np.float64: TracedFloat64, np.float32: TracedFloat32, float: TracedFloat}


def made(value, number):
    """`value`, a single number, with this id; what is neither float64, float32 nor float has no lineage."""
    kind = _KINDS.get(type(value))
    if kind is None:
        return value
    out = kind.__new__(kind, value)
    out._i = number
    return out


def as_float(x):
    """A Python float with the lineage of x."""
    if isinstance(x, Lineage):
        out = TracedFloat.__new__(TracedFloat, float(x))
        out._i = x._i
        return out
    return x.item() if isinstance(x, (np.ndarray, np.generic)) else x


def unary(code, x, value):
    store = HOOKS["store"]()
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


def _binary(name, forward, backward, in_python, in_numpy):
    code = CODES[name]

    def compute(a, b):
        store = HOOKS["store"]()
        first = (_float64(a), a._i) if type(a) is TracedFloat64 else _number(a)
        second = (_float64(b), b._i) if type(b) is TracedFloat64 else _number(b)
        if first is None or second is None:
            other = b if first is not None else a
            if isinstance(other, np.ndarray):
                return HOOKS["ufunc"](in_numpy, "__call__", (a, b), {})
            return NotImplemented
        value = in_python(first[0], second[0])
        if not store.on or type(value) not in _KINDS:
            return value
        one = first[1] if first[1] is not None else store.constant(first[0])
        two = second[1] if second[1] is not None else store.constant(second[0])
        return made(value, store.computed(code, value, one, two))

    def left(self, other):
        return compute(self, other)

    def right(self, other):
        return compute(other, self)

    setattr(Lineage, forward, left)
    setattr(Lineage, backward, right)


_binary("add", "__add__", "__radd__", lambda a, b: a + b, np.add)
_binary("subtract", "__sub__", "__rsub__", lambda a, b: a - b, np.subtract)
_binary("multiply", "__mul__", "__rmul__", lambda a, b: a * b, np.multiply)
_binary("divide", "__truediv__", "__rtruediv__", lambda a, b: a / b, np.true_divide)
_binary("power", "__pow__", "__rpow__", lambda a, b: a**b, np.power)

_OWN = {"__dict__", "__weakref__", "__module__", "__doc__", "__slots__", "__qualname__"}
for _kind in (TracedFloat, TracedFloat64, TracedFloat32):
    for _name, _method in list(vars(Lineage).items()):
        if _name not in _OWN and _name not in vars(_kind):
            setattr(_kind, _name, _method)
for _name in ("sum", "mean", "max", "min", "copy", "squeeze"):
    delattr(TracedFloat, _name)
