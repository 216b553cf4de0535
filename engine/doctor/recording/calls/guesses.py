# ruff: noqa: UP031  (Python 3.8)
# pyright: basic, reportAttributeAccessIssue=false
"""What an argument may be (an array of so many axes, whole numbers, a size, a rate, a dictionary): from its uses and its name."""

from __future__ import annotations

import ast
import re

ARRAYS = {
    "a0": (),
    "a1": (0,),
    "a2": (0, 0),
    "a3": (0, 0, 0),
    "a4": (0, 0, 0, 0),
    "col": (0, 1),
    "row": (1, 0),
    "steps": (0, 0, 1),
    "rows": (0, 1, 0),
    "i0": (),
    "i1": (0,),
    "i2": (0, 0),
    "h1": (0,),
    "h2": (0, 0),
    "h3": (0, 0, 0),
    "hcols": (0, 0),
    "hcols3": (0, 0, 0),
    "hsteps": (0, 0, 1),
    "hcol": (0, 1),
}
"""The axes of each kind: 1 where there is but one row or column."""
HOT = {"h1": 0, "h2": 1, "h3": 2, "hcols": 0, "hcols3": 0, "hsteps": 1, "hcol": 0}
"""Targets: the axis along which one entry is 1, the others 0."""
WORD = "word:"
"""So begins the kind of an argument that is one text."""
BIAS = re.compile(r"^(?:b|beta|gamma)[A-Z_a-z0-9]{0,3}$|bias|^b_|_b$", re.I)
WEIGHT = re.compile(r"^[WUVwuvR](?:[A-Z_a-z]{0,4}|_\w*)$|weight|kernel|embed", re.I)
STATE = re.compile(r"^[ahcs]_?(?:0|prev|init|last)\w*$|prev|state|^hidden|init|^[hcas]$|last", re.I)
SIZE = re.compile(
    r"^n_?[A-Za-z]*$|^num|_?(?:size|dim|dims|len|length|steps?|units|count|features|neurons)$|^seq_len|^T(?:_\w)?$|hidden|inputs?|outputs?|vocab|^[HDVNMBT]$",
    re.I,
)
RATE = re.compile(r"^(?:lr|alpha|eta|eps\w*|rate|lambda\w*|lamb\w*|reg|decay|learning\w*|l2\w*|dropout\w*)$", re.I)
FAR = re.compile(r"bpt|trunc", re.I)
"""How many steps the way back goes: nothing is cut off where that is as many as there may be."""
TARGET = re.compile(r"^y\w*$|^t$|target|label|truth|expected|correct", re.I)
GRADIENT = re.compile(
    r"^(?:d|d_?[A-Za-z]\w*|grads?_?\w*|delta\w*|deltas|up\w*|top\w*|err\w*|\w*_grad|\w*_?delta|nabla\w*)$"
)
BACKWARD = re.compile(r"backward|backprop|bprop|bptt", re.I)
"""What backward passes are called."""
NO_GRADIENT = {
    "data",
    "dim",
    "dims",
    "dictionary",
    "depth",
    "dtype",
    "dropout",
    "decay",
    "debug",
    "dt",
    "day",
    "grad_clip",
}
_OF_ARRAYS = {
    "shape", "T", "dot", "sum", "copy", "reshape", "astype", "transpose", "mean", "size", "ndim", "max", "min", "ravel",
    "flatten", "tolist", "swapaxes", "argmax", "squeeze", "any", "all", "std",
}  # fmt: skip
_OF_DICTS_AND_LISTS = {"items", "keys", "values", "get", "append"}


def is_gradient(name: str) -> bool:
    return bool(GRADIENT.match(name)) and name not in NO_GRADIENT and not TARGET.match(name)


def state_of(name: str) -> str:
    """What a state is called, of whatever step: `a` of `a_prev` and `a_next`."""
    return re.sub(r"_?(?:prev|previous|next|new|old|init|last|current|curr?|t|0|1)$", "", name)


class Uses:
    """How a function, and those that it hands the argument on to, use one argument."""

    def __init__(self):
        self.keys, self.attributes, self.unpacked = set(), set(), ()
        self.methods = set()  # what of its attributes is called
        self.rank, self.subscripts, self.index, self.range, self.called = 0, 0, False, False, False
        self.factor, self.addend, self.array = (
            False,
            False,
            False,
        )  # of a matrix product; to one; zeros are made like it
        self.alone = False  # it is the only index of an axis
        self.is_hot = False  # it is asked where it is 1
        self.words = ()  # texts that it is compared with, or that its annotation lists


def uses(function, name, functions, depth=0, found=None):
    """`functions` are the file's, by name."""
    found = Uses() if found is None else found
    for argument in function.args.args + function.args.kwonlyargs:
        if argument.arg == name and argument.annotation is not None and "Literal" in ast.dump(argument.annotation):
            found.words += _texts(argument.annotation)
    for node in ast.walk(function):
        if isinstance(node, (ast.For, ast.comprehension)):
            _loop(function, node, name, functions, depth, found)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple):
            count = len(node.targets[0].elts)
            if _is(node.value, name) and count > 1:
                found.unpacked = tuple(
                    e.id if isinstance(e, ast.Name) else "_%d" % k for k, e in enumerate(node.targets[0].elts)
                )
            elif isinstance(node.value, ast.Attribute) and node.value.attr == "shape" and _is(node.value.value, name):
                found.rank = count
        elif isinstance(node, ast.Subscript):
            _subscript(node, name, found)
        elif isinstance(node, ast.Attribute) and _is(node.value, name):
            found.attributes.add(node.attr)
        elif isinstance(node, ast.Compare):
            _compared(node, name, found)
        elif isinstance(node, ast.Call):
            _call(function, node, name, functions, depth, found)
        found.factor = found.factor or any(_is(_turned(side), name) for side in _factors(node))
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            sides = [node.left, node.right] if any(_factors(n) for n in ast.walk(node)) else []
            found.addend = found.addend or any(_is(side, name) for side in sides)
    return found


def _compared(node, name, found):
    """What an argument is compared with."""
    if _is(node.left, name):
        found.words += _texts(node.comparators[0])
    if _is(_base(node.left), name) and isinstance(node.ops[0], ast.Eq):
        found.is_hot = found.is_hot or getattr(node.comparators[0], "value", None) == 1


def _texts(node):
    constants = (n.value for n in ast.walk(node) if isinstance(n, ast.Constant))
    return tuple(value for value in constants if isinstance(value, str))


def _factors(node):
    """The two sides of a matrix product."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
        return [node.left, node.right]
    if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("dot", "matmul"):
        return [*node.args, node.func.value][:2] if len(node.args) < 2 else node.args[:2]
    return []


def _turned(node):
    """What an array is that may be transposed."""
    return node.value if isinstance(node, ast.Attribute) and node.attr == "T" else node


def _loop(function, node, name, functions, depth, found):
    """What is looped over: entries that serve as an index make it one."""
    over, target = node.iter, node.target
    if isinstance(over, ast.Call) and over.args:
        targets = target.elts if isinstance(target, ast.Tuple) else [target]
        places = [k for k, a in enumerate(over.args) if _is(a, name)]
        target = (
            targets[-1]
            if _name_of(over.func) == "enumerate"
            else targets[places[0]]
            if places and places[0] < len(targets)
            else None
        )
        if not places:
            return
    elif not _is(over, name):
        return
    if isinstance(target, ast.Name) and target.id != name and depth < 3:
        inner = uses(function, target.id, functions, depth + 1)
        found.index = found.index or inner.index
        found.subscripts = max(found.subscripts, 1)


def _name_of(node):
    """A variable's name, or that of an attribute of an object's own, with `self`."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
        return "self." + node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _subscript(node, name, found):
    inside = node.slice.value if type(node.slice).__name__ == "Index" else node.slice
    if _is(node.value, name):
        if isinstance(inside, ast.Constant) and isinstance(inside.value, str):
            found.keys.add(inside.value)
        elif isinstance(inside, ast.Tuple):
            found.subscripts = max(found.subscripts, len(inside.elts))
        else:
            found.subscripts = max(found.subscripts, 1)
    else:
        parts = inside.elts if isinstance(inside, ast.Tuple) else [inside]
        if any(_is(_base(p), name) for p in parts if not isinstance(p, ast.Slice)):
            found.index = True
            found.alone = all(_is(p, name) or isinstance(p, ast.Constant) for p in parts)


def _call(function, node, name, functions, depth, found):
    called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
    if _is(node.func, name):
        found.called = True
        found.methods.add("__call__")
    if isinstance(node.func, ast.Attribute) and _is(node.func.value, name):
        found.methods.add(node.func.attr)
    if called.endswith("_like") and any(_is(a, name) for a in node.args):
        found.array = True
    if called == "range" and any(_is(a, name) for a in node.args):
        found.range = True
    inner = functions.get(called)
    if inner is None or depth > 2 or (inner is function and _is_of_another(node.func)):
        return
    names = [a.arg for a in inner.args.args]
    if names[:1] == ["self"] and (isinstance(node.func, ast.Attribute) or inner.name == "__init__"):
        names = names[1:]
    for given, argument in zip(names, node.args):
        if _is(argument, name):
            uses(inner, given, functions, depth + 1, found)
    for keyword in node.keywords:
        if keyword.arg and _is(keyword.value, name):
            uses(inner, keyword.arg, functions, depth + 1, found)


def _is_of_another(called):
    """Whether what is called is a method of another object, also where it is called as the function is in which that stands."""
    return isinstance(called, ast.Attribute) and not _is(called.value, "self")


def kept_as(maker, name):
    """Under which attributes an object keeps an argument of the function that makes it, as it is."""
    pairs = [(n.targets[0], n.value) for n in ast.walk(maker) if isinstance(n, ast.Assign) and len(n.targets) == 1]
    several = [(t, v) for t, v in pairs if isinstance(t, ast.Tuple) and isinstance(v, ast.Tuple)]
    pairs += [pair for t, v in several for pair in zip(t.elts, v.elts)]
    return [_name_of(target) for target, value in pairs if _is(value, name) and isinstance(target, ast.Attribute)]


def _is(node, name):
    return _name_of(node) == name


def _base(node):
    while isinstance(node, ast.Subscript):
        node = node.value
    return node


def own_methods(used):
    """The methods of an argument that no array has."""
    return used.methods - _OF_ARRAYS - _OF_DICTS_AND_LISTS


def kinds(name, used, text="", maker=False):
    """What it may be, the likeliest first; `text` is the function's documentation, `maker` whether it is a class's own call."""
    if used.called:
        return []
    if used.words:
        return [WORD + word for word in dict.fromkeys(used.words)]
    if used.keys:
        return ["dict"]
    if used.unpacked and not used.rank:
        return ["seq"]
    if used.attributes - _OF_ARRAYS - _OF_DICTS_AND_LISTS:
        return ["object"]
    if RATE.match(name):
        return ["rate"]
    is_array = used.subscripts or used.rank or used.array or used.factor or used.addend or used.attributes & _OF_ARRAYS
    if used.range or (maker and not is_array):
        return ["far", "size"] if FAR.search(name) else ["size"]
    told = documented(name, text)
    if used.index and used.alone and TARGET.search(name) and not used.rank and not used.subscripts:
        stated = [told.replace("a", "i")] if told in ("a0", "a1", "a2") else []
        return list(dict.fromkeys([*stated, "i0", "i1", "i2"]))
    if used.is_hot and not TARGET.search(name):
        return ["h2", "h3", "hcols", "hsteps"]
    if used.index:
        return ["i1", "i2"] if used.rank != 2 and used.subscripts < 2 else ["i2"]
    if used.rank:
        return ["a%d" % min(4, used.rank), *(["col", "row"] if used.rank == 2 else ["steps"] if used.rank == 3 else [])]
    made = _by_name(name, used)
    if used.subscripts > 1 and not WEIGHT.search(name):
        made = ["a3", "a2", "i2"] if used.subscripts < 3 else ["a3", "a4"]
    made = ([told] if TARGET.search(name) else [told, *made]) if told else made
    if TARGET.search(name):  # ones and zeros are good targets of any loss: numbers drawn at random are not
        made = [hot for k in made for hot in _HOT.get(k, (k,))]
    return list(dict.fromkeys(made))


_HOT = {"a1": ("i1", "h1"), "a2": ("hcols", "h2"), "col": ("hcol",), "a3": ("h3", "hcols3"), "steps": ("hsteps",)}


def _by_name(name, used):
    if re.match(r"^(?:param\w*|weights|model|theta|p|net)$", name):
        return ["dict", "seq"]
    if (BIAS.search(name) and not used.factor) or (used.addend and not used.factor and not used.subscripts):
        return ["a1", "col", "row"]
    if WEIGHT.search(name):
        return ["a2", "a1"]
    if STATE.search(name):
        return ["a2", "col", "a1", "row", "a3"]
    if TARGET.search(name):
        return ["i1", "h2", "hcols", "h3", "i2", "hcols3", "hsteps", "h1"]
    if SIZE.search(name) and not re.match(r"^inputs?$", name):
        return ["size", "a2"]
    if used.factor and not used.subscripts:
        return ["a2", "a1", "col", "row", "a3"]
    return ["a3", "a2", "steps", "a1", "col", "rows", "i1", "i2"]


def documented(name, text):
    """The kind of which a docstring gives the shape, as `x -- of shape (n_x, m, T_x)`, or says that it is a number."""
    number = r"\b%s\b[^\n(;,]*?\b(?:a number|scalar|0 or 1)\b" % re.escape(name)
    if re.search(number, text or "", re.I):
        return "i0" if TARGET.search(name) else "a0"
    found = re.search(r"(?m)^.*?\b%s\b[^\n;(]*?\(([\w\s*+,]+)\)" % re.escape(name), text or "")
    if not found:
        return ""
    parts = [p.strip() for p in found.group(1).split(",") if p.strip()]
    if not 1 <= len(parts) <= 4 or not all(re.match(r"^[\w\s*+]+$", p) for p in parts):
        return ""
    if len(parts) == 2 and parts[1] == "1":
        return "col"
    if len(parts) == 2 and parts[0] == "1":
        return "row"
    return "a%d" % len(parts) if "shape" in found.group(0) or "(" in found.group(0) else ""
