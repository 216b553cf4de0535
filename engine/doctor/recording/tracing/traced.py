# ruff: noqa: C419, RUF005  (Python 3.8, and few calls where every operation passes)
# pyright: basic, reportAssignmentType=false, reportAttributeAccessIssue=false, reportGeneralTypeIssues=false, reportOptionalSubscript=false
"""A traced array: a NumPy array that carries, in a shadow array of the same shape, the id of each of its numbers.

It must pass for a plain array everywhere. What moves numbers is done by the same call on the shadow.
"""

import numpy as np

from . import scalars
from .store import LISTED, Root

STORE = scalars.STORE
PLAIN = np.ndarray
_ID = np.int32
_get = np.ndarray.__getitem__
_set = np.ndarray.__setitem__


def store():
    return STORE[0]


class Traced(np.ndarray):
    """`_s` the shadow (int32), `_root` what all views of one result share; None where the lineage is unknown."""

    _s = None
    _root = None
    __array_priority__ = 20.0

    def __getitem__(self, key):
        if type(key) is not int:
            key = _key(key)
        value = _get(self, key)
        shadow = self._s
        if shadow is None:
            return unknown(value)
        if type(value) is Traced:
            moved = shadow[key]
            base = moved.base
            if base is not None and (
                base is shadow or base is shadow.base
            ):  # a copy, too, may be a view of what NumPy made it in
                value._s = moved
                value._root = self._root
                return value
            if value.size:
                value._s, value._root = STORE[0].gathered(value, moved)
            else:
                value._s, value._root = moved, None
            return value
        root = self._root
        if (
            root is not None
            and (root.leaf or root.stepped)
            and root.first >= 0
            and STORE[0].on
            and (not root.stepped or shadow.item(key) >= root.began)  # an entry that waits for its step comes not round
        ):
            STORE[0].updates.read(root, root.owner.shape)  # a loop reads an array number by number
        kind = scalars.KINDS.get(type(value))
        if kind is None:
            return value
        out = kind.__new__(kind, value)
        out._i = shadow.item(key)
        return out

    def __setitem__(self, key, value):
        if type(key) is not int:
            key = _key(key)
        if self._s is None:
            adopt(self)
        kind = type(value)
        if kind in scalars.TRACED and type(before := self._s[key]) is _ID:
            root = self._root
            _set(self, key, value)
            self._s[key] = value._i
            if root is not None:
                root.clean = False
                root.version += 1
                if root.first > 0 and STORE[0].on and STORE[0].has_added(int(before), value._i):
                    root.began = root.began if root.stepped else value._i
                    STORE[0].updates.step(root, root)  # a loop steps an array number by number
            return
        if isinstance(value, (list, tuple)):
            value = as_traced(value)
            kind = type(value)
        ids = None
        if kind is Traced:
            if value._s is None:
                adopt(value)
            ids = value._s
        elif isinstance(value, scalars.Lineage):
            ids = value._i
        elif isinstance(value, np.ndarray) and value.ndim:
            ids = STORE[0].leaf(np.asarray(value))[0]
        _set(self, key, value.view(PLAIN) if kind is Traced else value)
        filled = _get(_view(self, PLAIN), key)
        several = isinstance(filled, np.ndarray) and filled.size > (1 if ids is None else np.size(ids))
        if several and self.dtype.kind == "f" and STORE[0].on:  # each is a number of its own: `b[:] = 1.0` fills a bias
            if ids is None:
                ids = STORE[0].leaf(filled)[0]
            else:
                ids = STORE[0].gathered(filled, np.broadcast_to(np.asarray(ids, np.int32), filled.shape))[0]
        elif ids is None:
            ids = STORE[0].constant(value)
        self._s[key] = ids
        written(self)
        if kind is Traced and None not in (self._root, value._root) and value.size == self._root.owner.size:
            self._root.follow(value._root)  # `W[:] = W - rate * dW`

    def __iter__(self):
        if self.ndim == 0:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self)))

    def __array_ufunc__(self, function, method, *inputs, **options):
        return HOOKS["ufunc"](function, method, inputs, options)

    def __array_function__(self, function, types, inputs, options):
        return HOOKS["function"](function, inputs, options)

    def __repr__(self):
        return repr(self.view(PLAIN))

    def __str__(self):
        return str(self.view(PLAIN))

    def __format__(self, how):
        return format(self.view(PLAIN), how)

    def __reduce__(self):
        return self.view(PLAIN).__reduce__()

    def __reduce_ex__(self, protocol):
        return self.view(PLAIN).__reduce_ex__(protocol)

    def __copy__(self):
        return self.copy()

    def __deepcopy__(self, memo):
        return self.copy()

    def __float__(self):
        return float(self.view(PLAIN))

    def __bool__(self):
        return bool(self.view(PLAIN))

    __hash__ = None

    # Movement

    @property
    def T(self):
        return moved(self, self.view(PLAIN).T, None if self._s is None else self._s.T)

    @property
    def flat(self):
        return self.ravel() if self.flags.c_contiguous else self.view(PLAIN).flat

    @flat.setter
    def flat(self, value):
        self.reshape(-1)[...] = value

    @property
    def real(self):
        return self

    def item(self, *key):
        if key:
            one = (
                self[key[0] if len(key) == 1 and isinstance(key[0], tuple) else key]
                if len(key) > 1 or self.ndim == 1
                else self.ravel()[key[0]]
            )
        elif self.size == 1:
            one = self.reshape(-1)[0]
        else:
            return self.view(PLAIN).item()
        return scalars.as_float(one)

    def tolist(self):
        if self.ndim == 0:
            return self.item()
        if self.ndim == 1:
            return [scalars.as_float(x) for x in self]
        return [row.tolist() for row in self]

    def astype(self, dtype, *rest, **options):
        value = self.view(PLAIN).astype(dtype, *rest, **options)
        if value.dtype.kind != "f" or self._s is None:
            return value
        shadow = np_array(self._s)
        made = Root(shadow, False, self._root is not None and self._root.leaf)
        return wrap(value, shadow, _followed(made, self._root))

    def fill(self, value):
        self[...] = value

    def view(self, *kind, **options):
        if not kind and not options:
            return moved(self, _view(self, PLAIN), self._s)
        value = _view(self, *kind, **options)
        if type(value) is Traced:
            value._s = self._s if value.shape == self.shape and value.dtype == self.dtype else None
            value._root = self._root
        return value

    def resize(self, *shape, **options):
        raise ValueError("cannot resize an array that references or is referenced by another array in this way.")

    def sort(self, axis=-1, **options):
        self[...] = np.sort(self, axis=axis)


Traced.__name__, Traced.__qualname__, Traced.__module__ = "ndarray", "ndarray", "numpy"  # what exceptions call it


_view = np.ndarray.view
HOOKS = {}


def _key(key):
    """An index without lineage: traced arrays in it are plain."""
    kind = type(key)
    if kind is Traced:
        return _view(key, PLAIN)
    if kind is tuple:
        for part in key:
            if type(part) is Traced or type(part) is list:
                return tuple([_key(part) for part in key])
    elif kind is list:
        return [_key(part) for part in key]
    return key


def written(array):
    """Something was written into this array: what was known of its ids as a whole is known no more."""
    root = array._root
    if root is not None:
        root.clean = False
        root.version += 1


def adopt(array):
    """Ids for an array whose lineage is unknown."""
    array._s, array._root = STORE[0].leaf(_view(array, PLAIN))


def anew(array):
    """Ids anew for the numbers of an array, and of its views, that something unknown was written into."""
    if array._s is None:
        adopt(array)
    else:
        array._s[...] = STORE[0].leaf(_view(array, PLAIN))[0]
        written(array)


def unknown(value):
    if type(value) is Traced:
        if value.dtype.kind != "f":
            return _view(value, PLAIN)
        adopt(value)
    return value


def wrap(value, shadow, root):
    """`value` (a plain array or a NumPy number) with this shadow."""
    if not isinstance(value, np.ndarray):
        return scalars.made(value, int(shadow))
    out = _view(value, Traced)
    out._s = shadow
    out._root = Root(shadow, False) if root is None else root
    return out


def moved(source, value, shadow):
    """The result of a movement: a view shares the root, a copy has none."""
    if shadow is None or value.dtype.kind != "f":
        return value if shadow is not None else unknown(_view(value, Traced))
    if not isinstance(value, np.ndarray):
        return scalars.made(value, int(shadow))
    root = source._root
    if root is not None and shadow.base is not root.owner and shadow is not root.owner:
        root = _followed(Root(shadow, False, root.leaf), root)  # a copy of what came from outside does so, too
    out = _view(value, Traced)
    out._s = shadow
    out._root = root
    return out


def _followed(made, before):
    """The root of a copy, which is the array still where all of it was copied."""
    if before is not None and made.owner.size == before.owner.size:
        made.follow(before)
    return made


def plain(x):
    return _view(x, PLAIN) if type(x) is Traced else x


def shadow_of(x):
    """(shadow, root) of anything that takes part in arithmetic, as an int32 array."""
    kind = type(x)
    if kind is Traced:
        if x._s is None:
            adopt(x)
        return x._s, x._root
    if isinstance(x, scalars.Lineage):
        return np.array(x._i, np.int32), None
    if isinstance(x, np.ndarray) and x.ndim:
        return STORE[0].leaf(x)
    return np.array(STORE[0].constant(x), np.int32), None


def reference(x, read=True):
    """The reference of an operand (`read`), or of what is only looked at; see `store`."""
    kind = type(x)
    if kind is Traced:
        if x._s is None:
            adopt(x)
        root = x._root
        if root is None:
            return STORE[0].reference(x._s, None)
        if read and (root.leaf or root.stepped) and root.first >= 0:
            STORE[0].updates.read(root, x.shape)
        if root.clean:
            return STORE[0].reference(x._s, root)
        cached = x.__dict__.get("_kept")
        if cached is not None and cached[0] == root.version:
            return cached[1]
        made = STORE[0].reference(x._s, root)
        x._kept = (root.version, made)
        return made
    if isinstance(x, scalars.Lineage):
        return (0, x._i, 0)
    if isinstance(x, np.ndarray) and x.ndim:
        shadow, root = STORE[0].leaf(x)
        return STORE[0].reference(shadow, root)
    return (0, STORE[0].constant(x), 0)


_NESTED = frozenset([list, tuple])


def anywhere(x, test, seen=None):
    """Whether anything in a structure of lists and tuples, which may contain itself, passes the test."""
    if type(x) not in _NESTED:
        return test(x)
    seen = set() if seen is None else seen
    if id(x) in seen:
        return False
    seen.add(id(x))
    return any([anywhere(i, test, seen) if type(i) in _NESTED else test(i) for i in x])


def replaced(x, one, made=None):
    """The same structure of lists and tuples, also where it contains itself, with `one` of everything else in it."""
    if type(x) not in _NESTED:
        return one(x)
    made = {} if made is None else made
    if id(x) in made:
        return made[id(x)]
    new = made[id(x)] = []
    new.extend([replaced(i, one, made) if type(i) in _NESTED else one(i) for i in x])
    if type(x) is tuple:
        new = made[id(x)] = tuple(new)
    return new


def _is_traced(x):
    return type(x) is Traced or isinstance(x, scalars.Lineage)


def has_lineage(x):
    return anywhere(x, _is_traced)


def _plainly(x):
    if type(x) is Traced:
        return _view(x, PLAIN)
    return x._plain() if isinstance(x, scalars.Lineage) else x


def stripped(x):
    """A structure of lists and tuples with plain arrays and numbers in it."""
    return replaced(x, _plainly)


def shadows(x):
    """The same structure with the shadows in the place of the arrays."""
    return replaced(x, lambda part: shadow_of(part)[0])


def as_traced(x, dtype=None):
    """An array made of a structure in which there are traced numbers."""
    value = np_array(stripped(x)) if dtype is None else np_array(stripped(x), dtype)
    if value.dtype.kind != "f":
        return value
    if type(x) is Traced:
        return x if value.dtype == x.dtype else x.astype(value.dtype)
    if not has_lineage(x):
        shadow, root = STORE[0].leaf(value)
        return wrap(value, shadow, root)
    return put_together(value, x)


def put_together(value, x):
    """`value`, made of the numbers and arrays in lists: a weight where all came from outside."""
    shadow = np.array(np_array(shadows(x)), np.int32).reshape(value.shape)
    if not _is_given(x):
        return wrap(value, shadow, None)
    shadow, root = STORE[0].gathered(value, shadow, LISTED)
    root.leaf = True
    return wrap(value, shadow, root)


def _is_given(x):
    kind = type(x)
    if kind is list or kind is tuple:
        return all([_is_given(i) for i in x])
    return x._root is not None and x._root.leaf if kind is Traced else kind in scalars.GIVEN


np_array = np.array


def _moving(name):
    method, original = getattr(np.ndarray, name), getattr(np.ndarray, name)

    def move(self, *rest, **options):
        rest = tuple([plain(x) for x in rest])
        value = method(_view(self, PLAIN), *rest, **options)
        if self._s is None:
            return unknown(_view(value, Traced)) if isinstance(value, np.ndarray) else value
        return moved(self, value, original(self._s, *rest, **options))

    move.__name__ = name
    return move


for _name in ("reshape", "transpose", "ravel", "flatten", "copy", "squeeze", "swapaxes", "diagonal"):
    setattr(Traced, _name, _moving(_name))


def _by_function(name):
    function = getattr(np, name)

    def method(self, *rest, **options):
        return HOOKS["function"](function, (self,) + rest, options)

    method.__name__ = name
    return method


for _name in (
    "sum",
    "mean",
    "max",
    "min",
    "prod",
    "var",
    "std",
    "cumsum",
    "cumprod",
    "dot",
    "take",
    "repeat",
    "clip",
    "trace",
    "round",
    "ptp",
):
    if hasattr(PLAIN, _name):
        setattr(Traced, _name, _by_function(_name))


def _compress(self, condition, axis=None, out=None):
    return HOOKS["function"](np.compress, (condition, self), {"axis": axis, "out": out})


Traced.compress = _compress


def _without(name):
    method = getattr(np.ndarray, name)

    def call(self, *rest, **options):
        return method(_view(self, PLAIN), *[plain(x) for x in rest], **options)

    call.__name__ = name
    return call


for _name in (
    "argmax",
    "argmin",
    "any",
    "all",
    "argsort",
    "nonzero",
    "searchsorted",
    "argpartition",
    "tobytes",
    "dump",
    "dumps",
    "tofile",
):
    setattr(Traced, _name, _without(_name))
