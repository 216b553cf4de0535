# ruff: noqa: C419  (Python 3.8)
# pyright: basic, reportArgumentType=false, reportAttributeAccessIssue=false, reportAssignmentType=false, reportCallIssue=false, reportIndexIssue=false
"""np.matrix with lineage: two axes always, and `*` is the matrix product.

A matrix is a traced array under another class. What is done with one is done with that array, and what comes out is a
matrix again where NumPy makes one.
"""

import numpy as np

from . import functions, operations, traced
from .operations import store
from .traced import PLAIN, Traced, adopt, anywhere, has_lineage, replaced

MATRIX = np.matrix  # before anything is patched
_view = np.ndarray.view
_NO_MATRIX = ("where", "outer", "einsum", "tensordot", "ravel", "diag", "diagonal")
"""Functions of NumPy's that make plain arrays of matrices."""
_KEEPING = ("sum", "mean", "max", "min", "amax", "amin", "prod", "std", "var")
"""Functions that keep the axis that they reduce."""


class TracedMatrix(Traced):
    """A matrix with lineage."""

    __array_priority__ = 30.0
    __hash__ = None

    def __getitem__(self, key):
        key = bare(key)
        value = bare(self)[key]
        if isinstance(value, np.ndarray) and value.ndim == 1:
            is_column = isinstance(key, tuple) and len(key) > 1 and np.isscalar(key[1])
            value = value.reshape(-1, 1) if is_column else value.reshape(1, -1)
        return matrix(value)

    def __setitem__(self, key, value):
        bare(self)[bare(key)] = bare(value)

    def __iter__(self):
        return (self[k] for k in range(len(self)))

    def __mul__(self, other):
        if isinstance(other, (np.ndarray, list, tuple)):
            return matrix(operations.dot(bare(self), _two_axes(other)))
        return self.__array_ufunc__(np.multiply, "__call__", self, other)

    def __rmul__(self, other):
        if isinstance(other, (np.ndarray, list, tuple)):
            return matrix(operations.dot(_two_axes(other), bare(self)))
        return self.__array_ufunc__(np.multiply, "__call__", other, self)

    def __imul__(self, other):
        self[:] = self * other
        return self

    def __pow__(self, times):
        if not isinstance(times, (int, np.integer)) or times < 1:
            return np.linalg.matrix_power(self, times)
        made = self
        for _ in range(int(times) - 1):
            made = made * self
        return made

    def __repr__(self):
        return repr(_view(_view(self, PLAIN), MATRIX))

    def __reduce_ex__(self, protocol):
        return _view(_view(self, PLAIN), MATRIX).__reduce_ex__(protocol)

    def __reduce__(self):
        return self.__reduce_ex__(2)

    @property
    def T(self):
        return matrix(bare(self).T)

    @property
    def A(self):
        return bare(self)

    @property
    def A1(self):
        return bare(self).ravel()

    @property
    def I(self):  # noqa: E743  (NumPy's name)
        return np.linalg.inv(self)

    def getA(self):
        return self.A

    def getA1(self):
        return self.A1

    def getT(self):
        return self.T

    def getI(self):
        return self.I

    def item(self, *key):
        return bare(self).item(*key)

    def tolist(self):
        return bare(self).tolist()


def _as_array(name):
    def method(self, *rest, **options):
        return matrix(getattr(bare(self), name)(*[bare(x) for x in rest], **options))

    method.__name__ = name
    return method


def _reducing(name):
    def method(self, axis=None, **options):
        if axis is None:
            return getattr(bare(self), name)(**options)
        return matrix(getattr(np, name)(bare(self), axis=axis, keepdims=True, **options))

    method.__name__ = name
    return method


for _name in ("reshape", "transpose", "ravel", "flatten", "copy", "swapaxes", "astype", "dot", "clip", "round"):
    setattr(TracedMatrix, _name, _as_array(_name))
for _name in ("sum", "mean", "max", "min", "prod", "std", "var"):
    setattr(TracedMatrix, _name, _reducing(_name))


def _as_home(name):
    """A method that is not spelt out here does what NumPy's does; the numbers of what it gives back start anew."""

    def method(self, *rest, **options):
        value = getattr(_at_home(self), name)(*[_at_home(x) for x in rest], **options)
        return _anew(value, name)

    method.__name__ = name
    return method


_WRITING = ("view", "fill", "put", "sort", "itemset", "resize", "setfield", "setflags", "partition", "byteswap")
"""Methods that write into an array, or look at its memory: a matrix is one."""
for _name in dir(MATRIX):
    if not _name.startswith("_") and _name not in (*vars(TracedMatrix), *_WRITING) and callable(getattr(MATRIX, _name)):
        setattr(TracedMatrix, _name, _as_home(_name))
TracedMatrix.__name__, TracedMatrix.__qualname__ = "matrix", "matrix"  # what exceptions call it


def _array(x):
    kind = type(x)
    if kind is TracedMatrix:
        if x._s is None:
            adopt(x)
        made = _view(x, Traced)
        made._s, made._root = x._s, x._root
        return made
    return _view(x, PLAIN) if kind is MATRIX else x


def bare(x):
    """The traced array that a matrix is; in lists and tuples, too."""
    return replaced(x, _array)


def matrix(value):
    """An array as a matrix; what is no array stays what it is."""
    if type(value) is Traced and value.ndim < 3:
        flat = value if value.ndim == 2 else value.reshape(1, -1)
        made = _view(flat, TracedMatrix)
        made._s, made._root = flat._s, flat._root
        return made
    return _view(np.atleast_2d(value), MATRIX) if type(value) is PLAIN and value.ndim < 3 else value


def _is_one(x):
    kind = type(x)
    return kind is TracedMatrix or kind is MATRIX


def is_matrix(x):
    """Whether it is one, or has one in it."""
    return anywhere(x, _is_one)


def _own(x):
    return _view(_view(x, PLAIN), MATRIX) if type(x) is TracedMatrix else traced.stripped(x)


def _at_home(x):
    """Plain matrices in the place of those with lineage; in lists and tuples, too."""
    return replaced(x, _own)


def _anew(value, name):
    """What NumPy's own call on plain matrices gave back."""
    if type(value) is MATRIX and value.dtype.kind == "f" and store().on:
        store().lose(name)
        return leaf(value)
    return value


def _two_axes(x):
    """The array of a matrix, or of what would be one."""
    x = bare(x)
    x = x if isinstance(x, np.ndarray) else traced.as_traced(x)
    return x if x.ndim == 2 else x.reshape(1, -1)


def of_matrices(hook):
    """The hook for ufuncs, with matrices in its inputs as arrays."""

    def ufunc(function, method, inputs, options):
        if not any([is_matrix(x) for x in inputs]):
            return hook(function, method, inputs, options)
        out = options.get("out") or ()
        arrays = {id(x): bare(x) for x in (*inputs, *out)}  # of what is read and written the same
        if out:
            options = {**options, "out": tuple([arrays[id(x)] for x in out])}
        value = hook(function, method, tuple([arrays[id(x)] for x in inputs]), options)
        return out[0] if out else matrix(value)

    return ufunc


def of_matrix_functions(hook):
    """The hook for functions, with matrices in its inputs as arrays."""

    def function(called, inputs, options):
        if not any([is_matrix(x) for x in inputs]):
            return hook(called, inputs, options)
        name = getattr(called, "__name__", "")
        if called not in functions.TABLE or called in functions.WITHOUT:
            value = called(*[_at_home(x) for x in inputs], **{k: _at_home(v) for k, v in options.items()})
            return _anew(value, name)
        if name in _KEEPING and (options.get("axis") is not None or len(inputs) > 1):
            options = {**options, "keepdims": True}
        value = hook(called, tuple([bare(x) for x in inputs]), {k: bare(v) for k, v in options.items()})
        return value if name in _NO_MATRIX else matrix(value)

    return function


def leaf(value):
    """A matrix from outside."""
    shadow, root = store().leaf(_view(value, PLAIN))
    return matrix(traced.wrap(_view(value, PLAIN), shadow, root))


class _AlsoTraced(type(MATRIX)):
    def __instancecheck__(cls, x):
        return isinstance(x, MATRIX) or type(x) is TracedMatrix


class NewMatrix(MATRIX, metaclass=_AlsoTraced):
    """What np.matrix is while a program is recorded."""

    def __new__(cls, data, dtype=None, copy=True):
        inside = bare(data)
        if isinstance(data, str) or not has_lineage(inside) or not store().on:
            return MATRIX(inside, dtype=dtype, copy=copy)
        made = traced.as_traced(inside, dtype)
        return matrix(made.astype(made.dtype) if copy and made is inside else made)


def install():
    """Puts NumPy's functions for matrices in place."""

    def product(self, other, real=MATRIX.__mul__):
        if isinstance(other, Traced):  # of whole numbers by a traced one
            return matrix(operations.dot(_view(self, PLAIN), _two_axes(other)))
        return real(self, other)

    MATRIX.__mul__ = product
    NewMatrix.__name__, NewMatrix.__qualname__, NewMatrix.__module__ = "matrix", "matrix", "numpy"
    np.matrix = NewMatrix
    for name in ("asmatrix", "mat"):
        if name in vars(np):
            setattr(np, name, lambda data, dtype=None: NewMatrix(data, dtype, copy=False))
