# ruff: noqa: C419, UP031  (Python 3.8, and few calls where every operation passes)
# pyright: basic, reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportOperatorIssue=false, reportOptionalSubscript=false, reportUnusedExpression=false
"""NumPy functions that are no ufuncs."""

import numpy as np

from . import scalars, traced
from .codes import CODES
from .operations import chosen, cumulative, dot, einsum, into, lost_function, matmul, reduce, result, store
from .traced import PLAIN, Traced, as_traced, plain, reference, shadow_of, shadows, stripped, wrap

_MOVING = [
    "reshape",
    "transpose",
    "ravel",
    "squeeze",
    "expand_dims",
    "swapaxes",
    "moveaxis",
    "rollaxis",
    "concatenate",
    "stack",
    "hstack",
    "vstack",
    "dstack",
    "column_stack",
    "row_stack",
    "split",
    "array_split",
    "hsplit",
    "vsplit",
    "dsplit",
    "roll",
    "flip",
    "flipud",
    "fliplr",
    "copy",
    "diagonal",
    "rot90",
    "delete",
    "append",
    "resize",
    "triu",
    "tril",
    "diag",
    "diagflat",
    "block",
    "unstack",
    "matrix_transpose",
    "permute_dims",
    "concat",
]
_GATHERING = ["repeat", "tile", "broadcast_to", "take", "take_along_axis"]
_WITHOUT = [
    "argmax",
    "argmin",
    "argsort",
    "shape",
    "size",
    "ndim",
    "any",
    "all",
    "array_equal",
    "allclose",
    "isclose",
    "nonzero",
    "flatnonzero",
    "argwhere",
    "array2string",
    "array_repr",
    "array_str",
    "searchsorted",
    "count_nonzero",
    "result_type",
    "min_scalar_type",
    "can_cast",
    "may_share_memory",
    "shares_memory",
    "iscomplexobj",
    "isrealobj",
    "array_equiv",
    "histogram",
    "bincount",
    "digitize",
    "lexsort",
    "argpartition",
    "isin",
    "in1d",
    "save",
    "savetxt",
    "savez",
    "savez_compressed",
    "iscomplex",
    "isreal",
    "common_type",
    "isposinf",
    "isneginf",
    "nanargmax",
    "nanargmin",
    "unravel_index",
    "ravel_multi_index",
    "ix_",
]
TABLE = {}
WRITING = {getattr(np, name) for name in ("copyto", "fill_diagonal", "place", "put", "put_along_axis", "putmask")}
"""Functions that write into their first argument."""


def function(called, inputs, options):
    """`__array_function__` of everything traced."""
    handler = TABLE.get(called)
    if handler is None or not store().on:
        if not store().on:
            if store().unfollowed is not None:
                for written in (options.get("out"), inputs[0] if called in WRITING else None):
                    store().unfollowed.wrote(written)
            return called(*[stripped(x) for x in inputs], **{k: stripped(v) for k, v in options.items()})
        return lost_function(called, inputs, options)
    if options.get("out") is not None:
        return handler(*inputs, **options)  # it may have been written there before it fails
    try:
        return handler(*inputs, **options)
    except Exception:
        pass  # what fails only where it is recorded is done on plain arrays; what fails there, too, fails as at home
    return lost_function(called, inputs, options)


def _public(names):
    return [getattr(np, n) for n in names if hasattr(np, n)]


def _shadowed(value, shadow, gather):
    if isinstance(value, (list, tuple)):
        return type(value)([_shadowed(v, s, gather) for v, s in zip(value, shadow)])
    if not isinstance(value, np.ndarray) or value.dtype.kind != "f":
        return value
    shadow = np.asarray(shadow, np.int32)
    if gather:
        return wrap(value, *store().gathered(value, shadow))
    return wrap(value, shadow, None)


def _first(called, x, rest, options, gather):
    """A movement of its first argument, an array or a list of arrays."""
    value = called(
        stripped(x), *[stripped(r) for r in rest], **{k: stripped(v) for k, v in options.items() if k != "out"}
    )
    shadow = shadows(x) if type(x) in (list, tuple) else shadow_of(x)[0]
    moved = called(
        shadow,
        *[stripped(r) for r in rest],
        **{k: stripped(v) for k, v in options.items() if k not in ("out", "dtype")},
    )
    if isinstance(moved, np.ndarray) and not moved.all():  # the zeros that diag, triu and tril fill in
        if _is_from_outside(x) and isinstance(value, PLAIN):  # a weight: each zero is a number of its own
            return into(wrap(value, *store().leaf(plain(value))), options.get("out"))
        moved = np.where(moved, moved, np.int32(store().constant(0.0)))
    if not gather and type(x) is Traced and isinstance(value, PLAIN):
        return traced.moved(x, value, moved)
    is_from_outside = _is_from_outside(x)
    made = _shadowed(value, moved, gather or is_from_outside)  # weights that are put together are numbers of their own
    if type(made) is Traced and is_from_outside:
        made._root.leaf = True
    return into(made, options.get("out"))


def _is_from_outside(x):
    """Whether an array came from outside, or all of several did: what they are put together to did, too."""
    if type(x) in (list, tuple):
        return len(x) > 0 and all([_is_from_outside(each) for each in x])
    return type(x) is Traced and x._root is not None and x._root.leaf


def _register_moving(called, gather):
    def handler(x, *rest, **options):
        return _first(called, x, rest, options, gather)

    TABLE[called] = handler


for _called in _public(_MOVING):
    _register_moving(_called, False)
for _called in _public(_GATHERING):
    _register_moving(_called, True)
WITHOUT = set(_public(_WITHOUT))
"""What gives back no numbers that have lineage."""
for _called in WITHOUT:
    TABLE[_called] = (lambda f: lambda *a, **k: f(*[stripped(x) for x in a], **{i: stripped(j) for i, j in k.items()}))(
        _called
    )


def row(name):
    """Registers the handler of a NumPy function under its name, where this NumPy has it."""

    def register(handler):
        called = np
        for part in name.split("."):
            called = getattr(called, part, None)
        if called is not None:
            TABLE[called] = handler
        return handler

    return register


for _name in ("sum", "mean", "prod"):
    row(_name)(
        (
            lambda n: (
                lambda a, axis=None, dtype=None, out=None, keepdims=False, **k: reduce(
                    n, a, axis, _given(keepdims), dtype, out, **_set(k)
                )
            )
        )(_name)
    )
for _name in ("max", "min"):
    _handler = (
        lambda n: (
            lambda a, axis=None, out=None, keepdims=False, **k: chosen(n, a, axis, _given(keepdims), out, **_set(k))
        )
    )(_name)
    row(_name)(_handler), row("a" + _name)(_handler)
row("cumsum")(lambda a, axis=None, dtype=None, out=None: cumulative("cumsum", a, axis, dtype, out))
row("cumprod")(lambda a, axis=None, dtype=None, out=None: cumulative("cumprod", a, axis, dtype, out))
row("dot")(dot)
row("matmul")(matmul)
row("nansum")(
    lambda a, axis=None, **k: reduce("sum", where(np.isnan(plain(a)), 0.0, a), axis, bool(k.get("keepdims", False)))
)


def _given(x):
    return False if x is np._NoValue else x


def _set(options):
    return {k: v for k, v in options.items() if v is not None and v is not np._NoValue}


@row("einsum")
def _einsum(*operands, **options):
    if isinstance(operands[0], str):
        return einsum(*operands, **{k: v for k, v in options.items() if k == "out"})
    return lost_function(np.einsum, operands, options)


@row("outer")
def _outer(a, b, out=None):
    return into(einsum("i,j->ij", as_traced(a).reshape(-1), as_traced(b).reshape(-1)), out)


@row("inner")
def _inner(a, b):
    a, b = as_traced(a), as_traced(b)
    if a.ndim == 0 or b.ndim == 0:
        return a * b
    return dot(a, b) if b.ndim == 1 else tensordot(a, b, ([-1], [-1]))


@row("vdot")
def _vdot(a, b):
    return dot(as_traced(a).reshape(-1), as_traced(b).reshape(-1))


@row("tensordot")
def tensordot(a, b, axes=2):
    a, b = as_traced(a), as_traced(b)
    if isinstance(axes, (int, np.integer)):
        axes = (list(range(a.ndim - axes, a.ndim)), list(range(axes)))
    one, two = [[x] if isinstance(x, (int, np.integer)) else list(x) for x in axes]
    one, two = [i % a.ndim for i in one], [j % b.ndim for j in two]
    first, second = list("abcdefghij"[: a.ndim]), list("klmnopqrst"[: b.ndim])
    for i, j in zip(one, two):
        second[j] = first[i]
    out = [c for i, c in enumerate(first) if i not in one] + [c for j, c in enumerate(second) if j not in two]
    return einsum("%s,%s->%s" % ("".join(first), "".join(second), "".join(out)), a, b)


@row("kron")
def _kron(a, b):
    a, b = as_traced(a), as_traced(b)
    if a.ndim != 2 or b.ndim != 2:
        return lost_function(np.kron, (a, b), {})
    return einsum("ij,kl->ikjl", a, b).reshape(a.shape[0] * b.shape[0], a.shape[1] * b.shape[1])


@row("trace")
def _trace(a, offset=0, axis1=0, axis2=1, dtype=None, out=None):
    return into(a.diagonal(offset, axis1, axis2).sum(-1), out)


@row("where")
def where(condition, *choices):
    if not choices:
        return np.where(plain(condition))
    x, y = [_number_or_array(c) for c in choices]
    value = np.where(plain(condition), stripped(x), stripped(y))
    if value.dtype.kind != "f":
        return value
    mask = np.asarray(plain(condition), bool).astype(float)
    return result(CODES["where"], value, [reference(mask if mask.ndim else float(mask)), reference(x), reference(y)])


def _number_or_array(x):
    return as_traced(x) if type(x) in (list, tuple) else x


@row("clip")
def clip(a, a_min=None, a_max=None, out=None, **options):
    low, high = options.get("min", a_min), options.get("max", a_max)
    made = a if type(a) is Traced or isinstance(a, scalars.Lineage) else as_traced(a)
    for bound, choose in ((low, np.maximum), (high, np.minimum)):
        if bound is not None and bound is not np._NoValue:
            made = choose(made, bound)
    return into(made, out)


@row("var")
def var(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False, **others):
    if _set(others):
        return into(lost_function(np.var, (a, axis, dtype), {"ddof": ddof, "keepdims": keepdims, **others}), out)
    a, axis = as_traced(a), axis if not isinstance(axis, list) else tuple(axis)
    centred = a - reduce("mean", a, axis, True)
    count = a.size / max(1, centred.size // max(1, a.size) * np.size(np.sum(plain(a), axis=axis)))
    return into(reduce("sum", centred * centred, axis, _given(keepdims)) / (count - ddof), out)


@row("std")
def std(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False, **others):
    return into(np.sqrt(var(a, axis, ddof=ddof, keepdims=keepdims, **others)), out)


@row("average")
def _average(a, axis=None, weights=None):  # with further options it is called on plain arrays
    if weights is None:
        return reduce("mean", a, axis)
    return (
        lost_function(np.average, (a,), {"axis": axis, "weights": weights})
        if np.ndim(plain(weights)) != np.ndim(plain(a))
        else (reduce("sum", as_traced(a) * weights, axis) / reduce("sum", as_traced(weights), axis))
    )


@row("ptp")
def _ptp(a, axis=None, out=None, keepdims=False):
    return into(chosen("max", a, axis, _given(keepdims)) - chosen("min", a, axis, _given(keepdims)), out)


@row("linalg.norm")
def _norm(x, ord=None, axis=None, keepdims=False):
    x = as_traced(x)
    if ord in (None, 2, "fro") and not (ord == 2 and x.ndim == 2 and axis is None):
        return np.sqrt(reduce("sum", x * x, axis, keepdims))
    if ord == 1 and (x.ndim == 1 or axis is not None):
        return reduce("sum", np.abs(x), axis, keepdims)
    if ord == 2 and not keepdims:  # the largest singular value, u' x v, whose derivative is u v'
        u, _, v = np.linalg.svd(plain(x), full_matrices=False)
        return reduce("sum", x * np.outer(u[:, 0], v[0]), None, False)
    return lost_function(np.linalg.norm, (x, ord, axis, keepdims), {})


@row("diff")
def _diff(a, n=1, axis=-1):
    for _ in range(n):
        a = np.moveaxis(np.moveaxis(a, axis, 0)[1:] - np.moveaxis(a, axis, 0)[:-1], 0, axis)
    return a


@row("nan_to_num")
def _nan_to_num(x, copy=True, nan=0.0, posinf=None, neginf=None):
    value = np.nan_to_num(plain(x), True, nan, posinf, neginf)
    return x if np.array_equal(value, plain(x)) else where(np.isfinite(plain(x)), x, value)


def _round(a, decimals=0, out=None):
    value = np.round(stripped(a), decimals)
    return into(result(CODES["constant_of"], value, [reference(a)]), out) if isinstance(value, np.ndarray) else value


row("round")(_round), row("around")(_round)


@row("pad")
def _pad(array, pad_width, mode="constant", **options):
    if mode != "constant" or any([k != "constant_values" for k in options]):
        return lost_function(np.pad, (array, pad_width, mode), options)
    value = np.pad(plain(array), pad_width, mode, **options)
    filled = store().constant(np.asarray(options.get("constant_values", 0.0)).reshape(-1)[0])
    return wrap(value, np.pad(shadow_of(array)[0], pad_width, "constant", constant_values=filled), None)


@row("insert")
def _insert(arr, obj, values, axis=None):
    value = np.insert(plain(arr), stripped(obj), stripped(values), axis)
    given = shadow_of(_number_or_array(values))[0]
    return wrap(value, np.insert(shadow_of(arr)[0], stripped(obj), given, axis), None)


@row("append")
def _append(arr, values, axis=None):
    arr, values = as_traced(arr), as_traced(values)
    return np.concatenate(
        (arr.reshape(-1), values.reshape(-1)) if axis is None else (arr, values), 0 if axis is None else axis
    )


@row("sort")
def _sort(a, axis=-1, kind=None, order=None, **options):
    order_ = np.argsort(plain(a), axis=axis, kind="stable")
    return np.take_along_axis(a, order_, axis) if axis is not None else _sort(a.reshape(-1))


@row("take_along_axis")
def _take_along_axis(arr, indices, axis=-1):
    value = np.take_along_axis(plain(arr), plain(indices), axis)
    return wrap(value, *store().gathered(value, np.take_along_axis(shadow_of(arr)[0], plain(indices), axis)))


@row("compress")
def _compress(condition, a, axis=None, out=None):
    return into(np.take(as_traced(a), np.flatnonzero(plain(condition)), axis=axis), out)


@row("extract")
def _extract(condition, arr):
    return np.take(as_traced(arr), np.flatnonzero(plain(condition)))


@row("broadcast_arrays")
def _broadcast_arrays(*arrays, **options):
    made = np.broadcast_arrays(*[plain(a) for a in arrays])
    return type(made)([np.broadcast_to(as_traced(a), m.shape) for a, m in zip(arrays, made)])


def _at_least(name):
    called = getattr(np, name)

    def handler(*arrays):
        made = called(*[plain(a) for a in arrays])
        if len(arrays) == 1:
            return as_traced(arrays[0]).reshape(made.shape)
        return type(made)([as_traced(a).reshape(m.shape) for a, m in zip(arrays, made)])

    TABLE[called] = handler


for _called in ("atleast_1d", "atleast_2d", "atleast_3d"):
    _at_least(_called)


@row("copyto")
def _copyto(dst, src, casting="same_kind", where=True):
    if where is True:
        dst[...] = src
    else:
        dst[plain(where)] = np.broadcast_to(src, dst.shape)[plain(where)] if np.ndim(plain(src)) else src


@row("fill_diagonal")
def _fill_diagonal(a, val, wrap=False):
    index = np.arange(min(a.shape))
    a[index, index] = val


@row("put")
def _put(a, ind, v, mode="raise"):
    a.reshape(-1)[ind] = v


@row("putmask")
def _putmask(a, mask, values):
    mask, values = np.asarray(plain(mask), bool), as_traced(values).reshape(-1)
    a[mask] = values[np.flatnonzero(mask) % values.size]


@row("place")
def _place(arr, mask, vals):
    mask, vals = np.asarray(plain(mask), bool), as_traced(vals).reshape(-1)
    arr[mask] = vals[np.arange(np.count_nonzero(mask)) % vals.size]


def _like(name):
    real = getattr(np, name)

    def handler(a, *rest, **options):
        value = real(
            plain(a), *[stripped(r) for r in rest], **{k: stripped(v) for k, v in options.items() if k != "subok"}
        )
        if value.dtype.kind != "f" or type(value) is not PLAIN:
            return value
        return wrap(value, *store().leaf(value))

    TABLE[real] = handler


for _name in ("zeros_like", "ones_like", "empty_like", "full_like"):
    _like(_name)
