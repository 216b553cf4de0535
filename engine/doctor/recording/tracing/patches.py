# pyright: basic, reportArgumentType=false, reportAttributeAccessIssue=false, reportOptionalSubscript=false
"""What is patched in the process, or put around the program's calls, because NumPy hands it to nobody."""

import math

import numpy as np

from ..confined.drawing import Windowless
from . import functions, matrices, operations, scalars, traced
from .codes import CODES
from .operations import store
from .traced import PLAIN, Traced, has_lineage, plain, reference, shadow_of, stripped

_array, _asarray = np.array, np.asarray


def _new_array(real):
    def made(x, *rest, **options):
        x = matrices.bare(x)
        if not has_lineage(x) or not store().on:
            return real(x, *rest, **options)
        if type(x) is Traced and real is not _array:
            value = real(plain(x), *rest, **options)
            return x if value.dtype == x.dtype else x.astype(value.dtype)
        value = real(stripped(x), *rest, **options)
        if value.dtype.kind != "f" or type(value) is not PLAIN:
            return value
        if type(x) is Traced and np.shares_memory(value, plain(x)):
            return x.reshape(value.shape)
        if type(x) is Traced:
            return x.astype(value.dtype).reshape(value.shape)
        return traced.put_together(value, x)

    made.__name__ = real.__name__
    made.__doc__ = real.__doc__
    return made


def _math(name, code):
    real = getattr(math, name)

    def one(x):
        x = matrices.bare(x)
        value = real(x)
        if isinstance(x, scalars.Lineage):
            return _python(code, value, (x,))
        if type(x) is Traced and x.size == 1:
            return _python(code, value, (x.item(),))
        return value

    one.__name__ = name
    return one


def _zeroed(real):
    """Memory that nobody has written is the same in every run."""

    def made(*given, **options):
        value = real(*given, **options)
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            value.fill(0)
        return value

    made.__name__ = real.__name__
    made.__doc__ = real.__doc__
    return made


def _python(code, value, numbers):
    """A Python float with lineage."""
    if not store().on or type(value) is not float:
        return value
    references = [reference(n) for n in numbers]
    start = store().single(value)
    store().operation(code, start, (), references)
    return scalars.made(value, start)


def _math_pow(x, y, real=math.pow):
    value = real(x, y)
    return _python(CODES["power"], value, (x, y)) if has_lineage([x, y]) else value


def _math_log(x, *base, real=math.log):
    value = real(x, *base)
    if base or not isinstance(x, scalars.Lineage):
        return value
    return _python(CODES["log"], value, (x,))


def _fsum(values, real=math.fsum):
    values = list(values)
    return scalars.as_float(sum(values)) if has_lineage(values) else real(values)


def _shuffle(real):
    def shuffle(x, *rest):
        if type(x) is not Traced:
            return real(x, *rest)
        order = np.arange(len(x))
        real(order, *rest)
        value, shadow = _array(plain(x))[order], _array(shadow_of(x)[0])[order]
        plain(x)[...] = value
        x._s[...] = shadow
        traced.written(x)
        return None

    return shuffle


def listed(root, value):
    """The first argument of a function of NumPy's: an array where it is a list of traced ones. `root` is the module or the function."""
    if (type(value) is not list and type(value) is not tuple) or not store().on or not has_lineage(value):
        return value
    of_numpy = root is np or isinstance(root, np.ufunc) or str(getattr(root, "__module__", "")).startswith("numpy")
    return traced.as_traced(value) if of_numpy else value


def dotted(x, y):
    """`x.dot(y)`, of which NumPy asks nobody where x is an array of whole numbers, as a sample of bits is."""
    return np.dot(x, y) if type(x) is PLAIN and store().on and has_lineage(y) else x.dot(y)


def by_type(method, *given, **named):
    """`np.ndarray.copy(x)`, which passes by what a recorded array does itself; any other call as it is."""
    of_arrays = getattr(method, "__objclass__", None) is PLAIN and given and type(given[0]) is Traced
    return getattr(given[0], method.__name__)(*given[1:], **named) if of_arrays else method(*given, **named)


def summed(function, x):
    """Python's own `sum(x)`, which asks an array for one number after the other: recorded as one sum, with the value that it has."""
    if function is not sum or type(x) is not Traced or x.ndim != 1 or x.size < 2 or not store().on:
        return function(x)
    return operations.result(CODES["sum"], sum(plain(x)), [reference(x)], operations.axes(None, 1))


def shaped(x, shape):
    """`x.shape = shape`, for which NumPy asks nobody."""
    x.shape = shape
    if type(x) is Traced and x._s is not None:
        again = traced.moved(x, x.view(PLAIN), x._s.reshape(x.shape))
        x._s, x._root = again._s, again._root
        x.__dict__.pop("_kept", None)


def cast(kind, *values, **options):
    """`float(x)`, `np.float64(x)` and the like, keeping the lineage of a single number."""
    if len(values) != 1 or options or not has_lineage(values[0]) or not isinstance(kind, type):
        return kind(*values, **options)
    x = matrices.bare(values[0])
    if kind is float and np.size(plain(x)) == 1:
        return scalars.as_float(x if isinstance(x, scalars.Lineage) else x.reshape(-1)[0])
    if issubclass(kind, np.floating):
        if isinstance(x, scalars.Lineage):
            return scalars.made(kind(x._plain()), x._i)
        return x.astype(kind)
    return kind(*values)


def _ndenumerate(real):
    """np.ndenumerate with traced numbers; the real one asks `array.flat` for what only NumPy's own iterator has."""

    def ndenumerate(arr):
        arr = np.asarray(arr)
        if type(arr) is not Traced:
            return real(arr)
        return ((index, arr[index]) for index in np.ndindex(arr.shape))

    return ndenumerate


def _from_iterable(real):
    """np.fromiter, which asks the numbers that it is given for nothing but their values."""

    def fromiter(iter, dtype, *rest, **options):
        if rest or options or np.dtype(dtype).kind != "f" or not store().on:
            return real(iter, dtype, *rest, **options)
        numbers = list(iter)
        return np.array(numbers, dtype) if has_lineage(numbers) else real(numbers, dtype)

    return fromiter


def _vectorize(real):
    """np.vectorize, whose function is called number by number."""

    class vectorize(real):
        def __call__(self, *values, **options):
            plainly = options or self.signature is not None or self.excluded or self.otypes is not None
            if plainly or not has_lineage(values) or not store().on:
                return super().__call__(*values, **options)
            arrays = np.broadcast_arrays(*[traced.as_traced(x) for x in values])
            flat = [x.reshape(-1) for x in arrays]
            made = [self.pyfunc(*[x[k] for x in flat]) for k in range(flat[0].size)]
            return traced.as_traced(made).reshape(arrays[0].shape)

    return vectorize


def install():
    """Puts the hooks and patches in place, once in a process."""
    if "function" in traced.HOOKS:
        return
    hooks = {
        "ufunc": matrices.of_matrices(operations.ufunc),
        "function": matrices.of_matrix_functions(functions.function),
    }
    traced.HOOKS.update(hooks)
    scalars.HOOKS.update(hooks, store=store)
    matrices.install()
    for name in ("array", "asarray", "asanyarray", "ascontiguousarray", "asfarray"):
        if hasattr(np, name):
            setattr(np, name, _new_array(getattr(np, name)))
    for name, code in (
        ("exp", "exp"),
        ("tanh", "tanh"),
        ("sqrt", "sqrt"),
        ("sin", "sin"),
        ("cos", "cos"),
        ("log2", "log2"),
        ("log10", "log10"),
        ("log1p", "log1p"),
        ("expm1", "expm1"),
        ("fabs", "absolute"),
        ("atan", "arctan"),
        ("sinh", "sinh"),
        ("cosh", "cosh"),
        ("erf", "erf"),
    ):
        setattr(math, name, _math(name, CODES[code]))
    math.pow, math.log, math.fsum = _math_pow, _math_log, _fsum
    Windowless.plain = staticmethod(stripped)
    np.random.shuffle = _shuffle(np.random.shuffle)
    np.ndenumerate, np.fromiter = _ndenumerate(np.ndenumerate), _from_iterable(np.fromiter)
    np.vectorize = _vectorize(np.vectorize)
    np.empty, np.empty_like = _zeroed(np.empty), _zeroed(np.empty_like)
