# pyright: basic, reportCallIssue=false, reportAssignmentType=false, reportAttributeAccessIssue=false
"""A run in which it is seen what every expression of one of the program's files was (option `see` names it): kinds and shapes, not
numbers. Nothing is recorded besides.

The answer, `seen.json` in the job's folder:

    values   for each expression (line, column, end line, end column): [[value, how often], ...], and when it was first evaluated
    begun    how often each line's statement began
    places   all expressions, also those that were not evaluated
    stores   for each store into an entry: its line, how many keys, how often one was written at most, when the last time
    missing  names of NumPy that the program uses and this NumPy has not, with their lines
    gone     names of Python's own modules that the program uses and this Python has not
    arguments  names of arguments that it no longer takes, by function; `version` is NumPy's

A value is a list: its type, then for arrays the kind of numbers, the shape, what is known of the numbers, and the expression that made the
array, where that is one that says its shape; for lists their length, what their first entry is, and the types of all where these are
unlike.
"""

import ast
import builtins
import importlib
import json
import os
import warnings

import numpy as np

from ..tracing import instrument, runner
from ..tracing.store import Stop

SEE, AT, KEY = "__rt_see__", "__rt_at__", "__rt_key__"
LIMIT = 200000
"""So many expressions are evaluated at most."""
VALUES, KEPT, LARGE, MOST_TYPES = 12, 4000, 20000, 12
_MADE = {
    "zeros",
    "ones",
    "empty",
    "full",
    "rand",
    "randn",
    "uniform",
    "normal",
    "random",
    "standard_normal",
    "randint",
    "zeros_like",
}
_WORDS = {"np", "numpy", "math", "super", "random"}
_OLD = ("collections", "fractions", "inspect", "itertools", "os", "string", "sys", "time")
"""Python's own modules that once had more names."""
_FUNCTIONS = ("function", "ufunc", "_ArrayFunctionDispatcher")


def of(value, makers):
    """What is seen of a value."""
    if isinstance(value, np.ndarray):
        maker = makers.get(id(value))
        return ["array", value.dtype.kind, list(value.shape), _numbers(value), maker[0] if maker else -1]
    if isinstance(value, (bool, np.bool_)):
        return ["bool", bool(value)]
    if isinstance(value, (int, np.integer)):
        return ["int", int(value) if abs(int(value)) < 1 << 31 else 0]
    if isinstance(value, (float, np.floating)):
        return ["float", float(value) if np.isfinite(value) else 0.0]
    if isinstance(value, (list, tuple)):
        inner = value[0] if value else None
        types = [type(one).__name__ for one in value[:MOST_TYPES]]
        unlike = types if len(value) <= MOST_TYPES and len(set(types)) > 1 else []
        return [type(value).__name__, len(value), type(inner).__name__, list(getattr(inner, "shape", ())), unlike]
    if isinstance(value, dict):
        return ["dict", [k for k in value if isinstance(k, str)][:60]]
    if type(value).__name__ in _FUNCTIONS:
        return [type(value).__name__, value.__name__]
    return [type(value).__name__]


def _numbers(value):
    """Of whole numbers the smallest and largest and how many there are; of others over which axes they sum to 1."""
    if value.size == 0 or value.size > LARGE or value.dtype.kind not in "iuf":
        return []
    if value.dtype.kind in "iu" or bool((value == np.rint(value)).all()):
        low, high = float(value.min()), float(value.max())
        if abs(low) > 1 << 31 or abs(high) > 1 << 31:
            return []
        return ["whole", int(low), int(high), len(np.unique(value))]
    if not (float(value.min()) >= 0.0 and float(value.max()) <= 1.0 + 1e-9):
        return []
    ones = [axis for axis in range(value.ndim) if np.allclose(value.sum(axis), 1.0)]
    return ["sums", ones, bool(np.isclose(value.sum(), 1.0))]


class Sight:
    """What is seen of a run. `places` are those of the expressions, `makes` says which of them say the shape of what they make."""

    def __init__(self):
        self.places, self.makes = [], []
        self.values, self.first = {}, {}
        self.begun, self.stores, self.makers = {}, {}, {}
        self.now = 0

    def see(self, number, value):
        self.now += 1
        if self.now > LIMIT:
            raise Stop()
        if self.makes[number] and isinstance(value, np.ndarray) and len(self.makers) < KEPT:
            self.makers[id(value)] = (number, value)
        counts = self.values.setdefault(number, {})
        if number not in self.first:
            self.first[number] = self.now
        if sum(counts.values()) < 2000:
            try:
                with np.errstate(all="ignore"):
                    key = json.dumps(of(value, self.makers))
            except Exception:
                return value
            if key in counts or len(counts) < VALUES:
                counts[key] = counts.get(key, 0) + 1
        return value

    def at(self, line):
        self.begun[line] = self.begun.get(line, 0) + 1

    def key(self, number, container, key):
        self.now += 1
        store = self.stores.setdefault(number, [{}, 0])
        try:
            name = (id(container), key)
            store[0][name] = store[0].get(name, 0) + 1
        except TypeError:
            pass
        store[1] = self.now
        return key


class Watcher(ast.NodeTransformer):
    """Puts what sees around every expression that is read, and what counts before every statement."""

    def __init__(self, seen, held=()):
        self.seen, self.held = seen, held

    def around(self, node):
        made = any(isinstance(n, ast.Call) and _name(n.func) in _MADE for n in ast.walk(node))
        place = [node.lineno, node.col_offset, node.end_lineno, node.end_col_offset]
        node = self.inner(node)
        self.seen.places.append(place)
        self.seen.makes.append(made and not isinstance(node, (ast.Subscript, ast.Attribute)))
        return self.call(SEE, [ast.Constant(len(self.seen.places) - 1, kind=None), node], node)

    def call(self, name, arguments, where):
        return ast.copy_location(ast.Call(ast.Name(name, ast.Load()), arguments, []), where)

    def inner(self, node):
        if isinstance(node, ast.Call):
            if isinstance(node.func, (ast.Attribute, ast.Name)) and _name(node.func) in self.held:
                node.func = self.visit(node.func)
            elif isinstance(node.func, ast.Attribute):
                node.func.value = self.visit(node.func.value)
            elif not isinstance(node.func, ast.Name):
                node.func = self.visit(node.func)
            node.args = [self.visit(a) for a in node.args]
            node.keywords = [self.visit(k) for k in node.keywords]
            return node
        return super().generic_visit(node)

    def visit_BinOp(self, node):
        return self.around(node)

    visit_Call = visit_Compare = visit_UnaryOp = visit_BoolOp = visit_BinOp

    def visit_Name(self, node):
        return self.around(node) if isinstance(node.ctx, ast.Load) and node.id not in _WORDS else node

    def visit_Attribute(self, node):
        if not isinstance(node.ctx, ast.Load) or (isinstance(node.value, ast.Name) and node.value.id in _WORDS):
            return node
        return self.around(node)

    def visit_Subscript(self, node):
        return self.around(node) if isinstance(node.ctx, ast.Load) else super().generic_visit(node)

    def visit_Assign(self, node):
        target = node.targets[0]
        plain = isinstance(target, ast.Subscript) and isinstance(target.value, (ast.Name, ast.Attribute))
        if plain and not any(
            isinstance(n, ast.Slice) or type(n).__name__ == "ExtSlice" for n in ast.walk(target.slice)
        ):
            key = target.slice.value if type(target.slice).__name__ == "Index" else target.slice
            read = ast.parse(
                instrument.Rewriter("", "", []).segment(target.value) if hasattr(ast, "unparse") else "None"
            )
            container = read.body[0].value
            for part in ast.walk(container):
                ast.copy_location(part, target)
            number = ast.Constant(node.lineno, kind=None)
            target.slice = self.call(KEY, [number, container, self.visit(key)], target)
            node.targets = [target] + [self.visit(t) for t in node.targets[1:]]
            node.value = self.visit(node.value)
            return node
        return super().generic_visit(node)

    def visit_FunctionDef(self, node):
        node.args.defaults = [self.visit(d) for d in node.args.defaults]
        node.body = self.block(node.body)
        return node

    def visit_JoinedStr(self, node):
        return node

    visit_AnnAssign = visit_Delete = visit_JoinedStr

    def generic_visit(self, node):
        for field in ("body", "orelse", "finalbody"):
            body = getattr(node, field, None)
            if isinstance(body, list) and body and isinstance(body[0], ast.stmt):
                setattr(node, field, self.block(body))
        for field, value in ast.iter_fields(node):
            if field in ("body", "orelse", "finalbody") and isinstance(value, list):
                continue
            if field in ("decorator_list", "annotation", "returns", "pattern", "cases"):
                continue
            if isinstance(value, list):
                setattr(node, field, [self.visit(v) if isinstance(v, ast.AST) else v for v in value])
            elif isinstance(value, ast.AST):
                setattr(node, field, self.visit(value))
        return node

    def block(self, body):
        made, head = [], True
        for statement in body:
            text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
            future = isinstance(statement, ast.ImportFrom) and statement.module == "__future__"
            head = head and (text or future)
            if not head and not isinstance(statement, (ast.Global, ast.Nonlocal)):
                call = self.call(AT, [ast.Constant(statement.lineno, kind=None)], statement)
                made.append(ast.copy_location(ast.Expr(call), statement))
            made.append(self.visit(statement))
        return made


def _name(function):
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _held(tree):
    """Names and attributes that are given values, which may be functions."""
    stored = [n for n in ast.walk(tree) if isinstance(n, (ast.Name, ast.Attribute)) and isinstance(n.ctx, ast.Store)]
    defined = {n.name for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
    return ({_name(n) for n in stored} | {n.arg for n in ast.walk(tree) if isinstance(n, ast.arg)}) - defined


def missing(text):
    """Names of NumPy's that a program uses and that are not there: the dotted name, without its module."""
    made = []
    for node in ast.walk(ast.parse(text)):
        parts, inner = [], node
        while isinstance(inner, ast.Attribute):
            parts.insert(0, inner.attr)
            inner = inner.value
        if not parts or not isinstance(inner, ast.Name) or inner.id not in ("np", "numpy"):
            continue
        thing = np
        for part in parts:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                if not hasattr(thing, part):
                    made.append([node.lineno, ".".join(parts)])
                    break
                thing = getattr(thing, part)
            if type(thing).__name__ != "module":
                break
    return made


def gone(text):
    """Names of Python's own modules that a program uses and that are not there: the dotted names."""
    nodes = list(ast.walk(ast.parse(text)))
    pairs = [(n.module, one.name) for n in nodes if isinstance(n, ast.ImportFrom) and n.module for one in n.names]
    pairs += [(n.value.id, n.attr) for n in nodes if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name)]
    modules = {name: importlib.import_module(name) for name in {module for module, _ in pairs} & set(_OLD)}
    return [f"{m}.{name}" for m, name in pairs if m in modules and name != "*" and not hasattr(modules[m], name)]


def no_longer_taken():
    """Names of arguments that this NumPy no longer takes, by function; `generator` is one that is given without a name."""
    tried = {
        "reshape": ("newshape", lambda: np.reshape(np.zeros(1), newshape=(1,))),
        "sum": ("generator", lambda: np.sum(x for x in [1.0])),  # pyright: ignore[reportArgumentType]
    }
    refused = {}
    for name, (argument, call) in tried.items():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                call()
        except TypeError:
            refused[name] = [argument]
    return refused


def run(job):
    """Runs the program of a job and sees it."""
    seen, own = Sight(), [""]
    for name, function in ((SEE, seen.see), (AT, seen.at), (KEY, seen.key)):
        setattr(builtins, name, function)

    def rewritten(text, name, sites):
        tree = ast.parse(text, name)
        if runner.shown_name(job, name) == job["options"]["see"]:
            own[0] = text
            tree.body = Watcher(seen, _held(tree)).block(tree.body)
        return ast.fix_missing_locations(tree)

    told = runner.unrecorded(job, rewritten)
    answer = {
        "values": [
            [seen.places[n], [[json.loads(k), count] for k, count in counts.items()], seen.first[n]]
            for n, counts in seen.values.items()
        ],
        "places": seen.places,
        "begun": [[line, count] for line, count in seen.begun.items()],
        "stores": [[n, len(s[0]), max(list(s[0].values()) or [0]), s[1]] for n, s in seen.stores.items()],
        "missing": missing(own[0]),
        "gone": gone(own[0]),
        "arguments": no_longer_taken(),
        "version": np.__version__,
    }
    with open(os.path.join(job["record"], "seen.json"), "w") as opened:
        opened.write(json.dumps(answer))
    return told
