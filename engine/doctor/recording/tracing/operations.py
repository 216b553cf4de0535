# ruff: noqa: C419, SIM109  (Python 3.8, and few calls where every operation passes)
# pyright: basic, reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportOptionalSubscript=false
"""What NumPy's own calls do to lineage: ufuncs here, functions in `functions`. One table, a row a function.

Every other call is made on plain arrays; where floating-point numbers come out of it their lineage is lost, and that is
recorded.
"""

import numpy as np

from . import scalars, traced
from .codes import ADD, CODES, MULTIPLY, SUBTRACT
from .traced import PLAIN, Traced, adopt, plain, reference, shadow_of, stripped, wrap, written

UFUNCS = {name: code for name, code in CODES.items() if 2 <= code < CODES["sum"]}
UFUNCS.update(
    {
        "true_divide": CODES["divide"],
        "fabs": CODES["absolute"],
        "float_power": CODES["power"],
        "fmax": CODES["maximum"],
        "fmin": CODES["minimum"],
        "mod": CODES["remainder"],
        "fmod": CODES["remainder"],
        "logit": CODES["logit"],
    }
)
PIECEWISE = {"sign", "floor", "ceil", "rint", "trunc", "floor_divide", "heaviside", "spacing", "copysign", "nextafter"}
SAME = {"positive", "conjugate"}
_float = "f"


def store():
    return traced.STORE[0]


def result(code, value, references, parameters=()):
    """A traced result with its operation recorded. `value` is plain."""
    if not isinstance(value, np.ndarray):
        value = np.asarray(value)
        shadow, _ = store().made(code, value, references, parameters)
        return scalars.made(value[()], int(shadow))
    shadow, root = store().made(code, value, references, parameters)
    return wrap(value, shadow, root)


def ufunc(function, method, inputs, options):
    """`__array_ufunc__` of everything traced."""
    if method == "__call__":
        if options.get("out"):
            return _call(function, inputs, options)  # it may have been written there before it fails
        try:
            return _call(function, inputs, options)
        except Exception:
            pass  # what fails only where it is recorded is done on plain arrays
        return lost(function, method, inputs, options)
    if method == "at":
        return _at(function, inputs)
    handler = REDUCTIONS.get((function.__name__, method))
    if handler is not None:
        return handler(inputs, options)
    if method == "outer" and function.__name__ in UFUNCS:
        a, b = [x if type(x) is Traced else traced.as_traced(x) for x in inputs]
        return _call(function, (a.reshape(a.shape + (1,) * b.ndim), b), options)
    return lost(function, method, inputs, options)


def _plain_options(options):
    return {k: (tuple([plain(x) for x in v]) if type(v) is tuple else plain(v)) for k, v in options.items()}


def lost(function, method, inputs, options):
    """The call on plain arrays; what comes out starts anew."""
    value = getattr(function, method)(*[_bare(x) for x in inputs], **_plain_options(options))
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind == _float:
        store().lose(function.__name__)
        out = options.get("out")
        if out:
            if type(out[0]) is Traced:
                out[0]._s = None
                adopt(out[0])
            return out[0]
    return value


def _bare(x):
    return traced.stripped(x) if not isinstance(x, scalars.Lineage) else x._plain()


def _call(function, inputs, options):
    name = function.__name__
    code = UFUNCS.get(name)
    if name == "matmul":
        return matmul(inputs[0], inputs[1], options.get("out"))
    inputs = tuple([traced.as_traced(x) if type(x) in (list, tuple) else x for x in inputs])
    bare = [_bare(x) for x in inputs]
    if code is None and name not in SAME:
        if name in PIECEWISE:
            return piecewise(function, inputs, bare, options)
        return lost(function, "__call__", inputs, options)
    out = options.get("out")
    if not out:
        value = function(*bare, **_plain_options(options)) if options else function(*bare)
        if not isinstance(value, (np.ndarray, np.generic)) or value.dtype.kind != _float or not store().on:
            return value
        if name in SAME:
            return wrap(value, np.array(shadow_of(inputs[0])[0]), None)
        if code == ADD or code == SUBTRACT:
            return _sum(code, value, inputs)
        if code == MULTIPLY and any([type(x) in (int, float) and x == 0 for x in inputs]):
            return wrap(value, *store().leaf(np.asarray(value)))  # `dW = 0 * W`: zeros, and no weight that is scaled
        return _given(code, result(code, value, [reference(x) for x in inputs]), inputs)
    return _into(function, code, inputs, bare, options)


KEEPING = {CODES[name] for name in ("multiply", "divide", "negative", "add", "subtract", "minimum", "maximum")}


def _given(code, made, inputs):
    """What came from outside and is only scaled, shifted or limited by a number counts as coming from outside: `randn(4, 4) * 0.1` is a
    weight, and one that was read before is that weight still: `0.99 * W - rate * dW`."""
    if code in KEEPING and type(made) is Traced:
        arrays = [x for x in inputs if isinstance(x, np.ndarray) and x.ndim]
        if len(arrays) == 1 and type(arrays[0]) is Traced and arrays[0]._root is not None:
            made._root.leaf = arrays[0]._root.leaf
            made._root.follow(arrays[0]._root)
    return made


def _sum(code, value, inputs):
    """A sum or difference: its first part may be a weight that is stepped."""
    first, second = inputs
    if type(first) is not Traced or type(second) is not Traced or first._root is None or value.shape != first.shape:
        return _given(code, result(code, value, [reference(x) for x in inputs]), inputs)
    made = result(code, value, [reference(first, False), reference(second)])
    if first._root.first == 0:
        first._root.first = -1
    elif type(made) is Traced:
        store().updates.step(first._root, made._root)
    return made


def _into(function, code, inputs, bare, options):
    """A call with `out=`: the result is written into an array that is there."""
    target = out = options["out"][0]
    in_place = len(inputs) == 2 and inputs[0] is target
    stepped = (code == ADD or code == SUBTRACT) and in_place and type(inputs[1]) is Traced
    references = [reference(x, not (stepped and x is target)) for x in inputs]
    before = None
    where = options.get("where", True)
    if where is not True:
        before = np.array(shadow_of(target)[0])
    value = function(*bare, **_plain_options(options))
    if target.dtype.kind != _float or not store().on:
        if store().unfollowed is not None:
            store().unfollowed.wrote(target)
        return target if type(target) is not Traced else out
    if type(target) is not Traced:
        target = target.view(Traced)  # a plain array that takes part from now on, under the name it is bound to anew
    shadow, root = (
        store().made(code, np.asarray(value), references, (1,) if stepped or (in_place and code == MULTIPLY) else ())
        if code is not None
        else (shadow_of(inputs[0])[0], None)
    )
    if target is not out or target._s is None:
        target._s, target._root = shadow, root
        return target
    if before is not None:
        shadow = np.where(plain(where), shadow, before)
    target._s[...] = shadow
    written(target)
    if stepped and target._root is not None and target.size == target._root.owner.size:
        store().updates.step(target._root, target._root)
    if code == MULTIPLY and inputs[0] is target and target._root is not None and np.ndim(bare[1]):
        target._root.first = -1  # by an array, as a state is by a gate: no weight, which may decay by a number
    return target


def piecewise(function, inputs, bare, options):
    """A function that is constant but for its jumps: no derivative flows, but it is known what it was made of."""
    value = function(*bare, **_plain_options(options))
    if not isinstance(value, (np.ndarray, np.generic)) or value.dtype.kind != _float or options.get("out"):
        return value
    return result(CODES["constant_of"], value, [reference(x) for x in inputs])


def _at(function, inputs):
    """`ufunc.at`: each place is written once for every time that it stands in the index."""
    target, index = inputs[0], inputs[1]
    values = inputs[2] if len(inputs) > 2 else None
    if type(target) is not Traced:
        store().lose(function.__name__ + ".at") if traced.has_lineage(values) else None
        function.at(target, _bare(index), *[_bare(x) for x in inputs[2:]])
        return
    code = UFUNCS.get(function.__name__)
    if code is None or values is None or target.dtype.kind != _float:
        function.at(plain(target), _bare(index), *[_bare(x) for x in inputs[2:]])
        target._s = None
        adopt(target)
        return
    index = traced._key(index)
    if target._s is None:
        adopt(target)
    place = np.arange(target.size).reshape(target.shape)[index]
    given, _ = shadow_of(values) if not isinstance(values, (list, tuple)) else shadow_of(traced.as_traced(values))
    given = np.array(np.broadcast_to(given, place.shape)).reshape(-1)
    flat_values = np.array(np.broadcast_to(np.asarray(_bare(values)), place.shape)).reshape(-1)
    place = np.asarray(place).reshape(-1)
    _in_rounds(function, code, target, place, given, flat_values)
    return


def _in_rounds(function, code, target, place, given, values):
    """In each round no place occurs twice, so a round is one operation on whole arrays."""
    order = np.argsort(place, kind="stable")
    ordered = place[order]
    first = np.concatenate(([True], ordered[1:] != ordered[:-1]))
    begin = np.maximum.accumulate(np.where(first, np.arange(len(ordered)), 0))
    rank = np.empty(len(place), int)
    rank[order] = np.arange(len(place)) - begin
    data = plain(target)
    for r in range(int(rank.max()) + 1 if len(rank) else 0):
        chosen = np.flatnonzero(rank == r)
        at = np.unravel_index(place[chosen], target.shape)
        references = [store().reference(target._s[at], None), store().reference(given[chosen], None)]
        value = function(data[at], values[chosen])
        data[at] = value
        target._s[at] = store().made(code, np.asarray(value), references)[0]
    written(target)


# Reductions and products


def axes(axis, ndim):
    """The axes of a reduction as sorted whole numbers from 0."""
    if axis is None:
        return tuple(range(ndim))
    if isinstance(axis, (tuple, list)):
        return tuple(sorted([int(a) % ndim for a in axis]))
    return (int(axis) % ndim,) if ndim else ()


def reduce(name, x, axis=None, keepdims=False, dtype=None, out=None, where=None, initial=None):
    """sum, mean, prod over axes, as one operation."""
    x = x if type(x) is Traced else traced.as_traced(x)
    if isinstance(axis, (np.ndarray, np.generic)):
        axis = int(axis)
    if where is not None and where is not True:
        if name != "sum":
            given = {"axis": axis, "keepdims": keepdims, "dtype": dtype, "initial": initial, "where": where}
            return into(lost_function(getattr(np, name), (x,), _those_given(given)), out)
        x = np.where(plain(where), x, 0.0)
    options = {"axis": axis, "keepdims": bool(keepdims)}
    if dtype is not None:
        options["dtype"] = dtype
    value = getattr(np, name)(plain(x), **options)
    if value.dtype.kind != _float or not store().on:
        return value
    made = result(CODES[name], value, [reference(x)], axes(axis, x.ndim))
    if initial is not None:
        made = made + initial if name == "sum" else made * initial
    return into(made, out)


def _those_given(options):
    return {name: value for name, value in options.items() if value is not None}


def into(value, out):
    """Writes a result into `out`, where one is given."""
    if out is None:
        return value
    out = out[0] if type(out) is tuple else out
    out[...] = value
    return out


def chosen(name, x, axis=None, keepdims=False, out=None, initial=None, where=None):
    """max and min: the numbers chosen are gathered."""
    x = x if type(x) is Traced else traced.as_traced(x)
    if initial is not None or where is not None or isinstance(axis, tuple):
        if initial is None and where is None and len(axis) == x.ndim:
            axis = None
        else:
            given = {"axis": axis, "keepdims": keepdims, "initial": initial, "where": where}
            return into(lost_function(getattr(np, name), (x,), _those_given(given)), out)
    data, index = plain(x), getattr(np, "arg" + name)(plain(x), axis=axis)
    if axis is None:
        at = np.unravel_index(int(index), x.shape) if x.ndim else ()
        picked = x._s[at] if x._s is not None else shadow_of(x)[0][at]
        value = getattr(data, name)(keepdims=bool(keepdims))
        shadow = np.array(picked).reshape(value.shape)
    else:
        where_ = np.expand_dims(index, axis)
        shadow = np.take_along_axis(shadow_of(x)[0], where_, axis)
        shadow = shadow if keepdims else shadow.squeeze(axis)
        value = getattr(data, name)(axis=axis, keepdims=bool(keepdims))
    if isinstance(value, np.ndarray):
        new, root = store().gathered(value, shadow)
        return into(wrap(value, new, root), out)
    new, _ = store().gathered(np.asarray(value), shadow)
    return into(scalars.made(value, int(new)), out)


def cumulative(name, x, axis=None, dtype=None, out=None):
    x = x if type(x) is Traced else traced.as_traced(x)
    if axis is None:
        x, axis = x.reshape(-1), 0
    value = getattr(np, name)(plain(x), axis=axis)
    return into(result(CODES[name], value, [reference(x)], (int(axis) % x.ndim,)), out)


def matmul(a, b, out=None):
    a, b = [x if isinstance(x, np.ndarray) else traced.as_traced(x) for x in (a, b)]
    value = np.matmul(plain(a), plain(b))
    if value.dtype.kind != _float or not store().on:
        return into(value, out)
    return into(result(CODES["matmul"], value, [reference(a), reference(b)]), out)


def dot(a, b, out=None):
    a, b = [x if isinstance(x, (np.ndarray, np.generic, float, int)) else traced.as_traced(x) for x in (a, b)]
    if np.ndim(plain(a)) == 0 or np.ndim(plain(b)) == 0:
        return into(_call(np.multiply, (a, b), {}), out)
    value = np.dot(plain(a), plain(b))
    if value.dtype.kind != _float or not store().on:
        return into(value, out)
    name = "matmul" if a.ndim <= 2 and b.ndim <= 2 else "dot"
    return into(result(CODES[name], value, [reference(a), reference(b)]), out)


def einsum(spec, *operands, **options):
    """`spec` as text; the spec is kept as the characters' numbers."""
    operands = [x if isinstance(x, np.ndarray) else traced.as_traced(x) for x in operands]
    value = np.einsum(spec, *[plain(x) for x in operands])
    if value.dtype.kind != _float or not store().on:
        return into(value, options.get("out"))
    made = result(CODES["einsum"], value, [reference(x) for x in operands], [ord(c) for c in explicit(spec, operands)])
    return into(made, options.get("out"))


def explicit(spec, operands):
    """The spec with its output written out, and with letters for an ellipsis."""
    spec = spec.replace(" ", "")
    if "..." in spec:
        free = [c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if c not in spec]
        parts, most = spec.split("->")[0].split(","), 0
        widths = [np.ndim(plain(x)) - len(p.replace("...", "")) if "..." in p else 0 for p, x in zip(parts, operands)]
        most = max(widths)
        names = "".join(free[:most])
        parts = [p.replace("...", names[most - w :]) for p, w in zip(parts, widths)]
        if "->" in spec:
            spec = ",".join(parts) + "->" + spec.split("->")[1].replace("...", names)
        else:
            inside = "".join(parts)
            single = sorted([c for c in set(inside) if inside.count(c) == 1 and c not in names])
            spec = ",".join(parts) + "->" + names + "".join(single)
    if "->" not in spec:
        inside = spec.replace(",", "")
        spec += "->" + "".join(sorted([c for c in set(inside) if inside.count(c) == 1]))
    return spec


def lost_function(function, inputs, options):
    """A function of NumPy's on plain arrays, whose numbers start anew: those that it gives back, or, where it gives back nothing, those of
    the array that it was given to write into."""
    value = function(*[stripped(x) for x in inputs], **{k: stripped(v) for k, v in options.items()})
    if isinstance(value, (PLAIN, np.generic)) and value.dtype.kind == _float:
        store().lose(function.__name__)
    elif value is None and inputs and type(inputs[0]) is Traced:
        traced.anew(inputs[0])
        store().lose(function.__name__)
    return value


def _reduce_with_axis(function):
    def handler(inputs, options):
        options = {k: v for k, v in options.items() if v is not np._NoValue and (v is not None or k == "axis")}
        options.setdefault("axis", 0)
        return function(inputs[0], **options)

    return handler


REDUCTIONS = {
    ("add", "reduce"): _reduce_with_axis(lambda x, **k: reduce("sum", x, **k)),
    ("multiply", "reduce"): _reduce_with_axis(lambda x, **k: reduce("prod", x, **k)),
    ("maximum", "reduce"): _reduce_with_axis(
        lambda x, **k: chosen("max", x, **{i: j for i, j in k.items() if i != "dtype"})
    ),
    ("minimum", "reduce"): _reduce_with_axis(
        lambda x, **k: chosen("min", x, **{i: j for i, j in k.items() if i != "dtype"})
    ),
    ("add", "accumulate"): _reduce_with_axis(lambda x, **k: cumulative("cumsum", x, **k)),
    ("multiply", "accumulate"): _reduce_with_axis(lambda x, **k: cumulative("cumprod", x, **k)),
}
