"""Slips in names: NumPy's that are gone, misspelt ones, imports that are missing, local variables that hide outer ones."""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Iterable, Iterator

import numpy as np

from engine.doctor.read.source import MOVED, MOVED_IN_PYTHON, RENAMED
from engine.doctor.repair.products import closed
from engine.doctor.repair.scopes import Scope, Scopes
from engine.doctor.repair.seen import SeenRun
from engine.doctor.repair.slip import Slip, TextChange, before, instead

NEAR = 0.7
"""How alike a misspelt name and the one that is meant are at least."""
LIKE = 0.6
"""How alike a member is: what is tried may be less like than what is only read."""
FADING = {"random.random_integers"}
"""Names that newer versions of NumPy no longer have, while older ones may."""
NUMPY = ("", "random", "linalg")
"""NumPy's modules whose names are looked through for one that is meant."""
SURE = 0.8
"""How alike a name is to one of NumPy's: it has so many that `relu` is near `real`."""
MODULES = {"np": "import numpy as np", "numpy": "import numpy", "math": "import math", "random": "import random"}


def gone_from_numpy(seen: SeenRun) -> Iterator[Slip]:
    """Names that the NumPy that runs has no more."""
    gone = {name for _, name in seen.missing} | FADING
    for node in seen.nodes:
        name = dotted(node) if isinstance(node, ast.Attribute) else ""
        last = name.rpartition(".")[2]
        if not isinstance(node, ast.Attribute) or name not in gone or last not in MOVED:
            continue
        fades = all(name != missing for _, missing in seen.missing)
        change = list(_renamed(seen, node, last))
        told = "is deprecated, and newer versions of NumPy no longer have it" if fades else "no longer exists"
        closed = ", which does not draw its upper bound" if last == "random_integers" else ""
        yield Slip(
            "numpy-name-gone",
            f"np.{name} {told}; it is {MOVED[last]} now{closed}",
            node.lineno,
            tuple(change),
            stops=True,
        )


def gone_from_python(seen: SeenRun) -> Iterator[Slip]:
    """Names that Python's own modules have no more."""
    for node in seen.nodes:
        moved = {
            name: MOVED_IN_PYTHON[name] for name in _of_modules(node) if name in seen.gone & MOVED_IN_PYTHON.keys()
        }
        if isinstance(node, ast.ImportFrom):
            left = ", ".join(ast.unparse(one) for one in node.names if f"{node.module}.{one.name}" not in moved)
            parts = [f"from {node.module} import {left}"] if left else []
            bound = {f"{node.module}.{one.name}": one.asname or one.name for one in node.names}
            parts += [_imported(new, bound[old]) for old, new in moved.items()]
            change = (instead(node, "; ".join(parts)),)
        elif isinstance(node, ast.Attribute):
            change = tuple(instead(node, new) for new in moved.values())
        else:
            continue
        if moved:
            told = " and ".join(f"{old} no longer exists; it is {new} now" for old, new in moved.items())
            yield Slip("python-name-gone", told, node.lineno, change, stops=True)


def _of_modules(node: ast.AST) -> list[str]:
    """The dotted names of what is imported from a module, or taken of it."""
    if isinstance(node, ast.ImportFrom):
        return [f"{node.module}.{one.name}" for one in node.names]
    return [ast.unparse(node)] if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) else []


def _imported(dotted_name: str, bound: str) -> str:
    """What binds a name to something of a module's, or of Python's own."""
    module, _, name = dotted_name.rpartition(".")
    if module in ("", "str"):
        return f"{bound} = {dotted_name}"
    return f"from {module} import {name}" + (f" as {bound}" if bound != name else "")


def dotted(node: ast.expr) -> str:
    """`random.rand` of `np.random.rand`; "" for what is not NumPy's."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.insert(0, node.attr)
        node = node.value
    return ".".join(parts) if isinstance(node, ast.Name) and node.id in ("np", "numpy") else ""


def _renamed(seen: SeenRun, node: ast.Attribute, last: str) -> Iterator[TextChange]:
    """What to write in the place of a name, and of the arguments where they are others."""
    call = seen.parents.get(node)
    given = call.args if isinstance(call, ast.Call) and call.func is node else []
    text = ast.unparse
    if last == "random_integers" and isinstance(call, ast.Call):
        bounds = {k.arg: k.value for k in call.keywords} | dict(zip(("low", "high"), given, strict=False))
        if high := bounds.get("high", bounds.get("low")):
            number = isinstance(high, ast.Constant) and isinstance(high.value, int)
            more = str(int(text(high)) + 1) if number else f"{closed(high)} + 1"
            yield instead(node, f"{text(node.value)}.randint")
            yield instead(high, more if "high" in bounds else f"1, {more}")
    elif last == "asscalar" and isinstance(call, ast.Call) and len(given) == 1:
        yield instead(call, f"({text(given[0])}).item()")
    elif last == "msort" and isinstance(call, ast.Call) and len(given) == 1:
        yield instead(call, f"np.sort({text(given[0])}, axis=0)")
    elif last == "mat":
        yield instead(node, "np.asmatrix")
    elif last != "cast":
        yield instead(node, MOVED[last])


def misspelt_numpy(seen: SeenRun) -> Iterator[Slip]:
    """Names that NumPy has not, beside one that it has: `np.zeros_lik`."""
    missing = {name for _, name in seen.missing}
    for node in seen.nodes:
        name = dotted(node) if isinstance(node, ast.Attribute) else ""
        inside, _, last = name.rpartition(".")
        caught = any(isinstance(outer, ast.Try) for outer in seen.around(node))
        if not isinstance(node, ast.Attribute) or name not in missing or last in MOVED or caught:
            continue
        known = dir(getattr(np, inside) if inside else np) if inside in NUMPY else []
        if near := nearest(last, (n for n in known if not n.startswith("_")), SURE):
            meant = f"{ast.unparse(node.value)}.{near}"
            title = f"{ast.unparse(node)} exists nowhere; {meant} does"
            yield Slip("misspelt-name", title, node.lineno, (instead(node, meant),), stops=True)


def summed_generator(seen: SeenRun) -> Iterator[Slip]:
    """`np.sum` of a generator, which newer versions of NumPy refuse."""
    for node in seen.nodes:
        if (
            not isinstance(node, ast.Call)
            or dotted(node.func) != "sum"
            or "generator" not in seen.arguments.get("sum", ())
        ):
            continue
        if len(node.args) == 1 and isinstance(node.args[0], ast.GeneratorExp) and not node.keywords:
            title = "np.sum no longer takes a generator; sum without np. does"
            yield Slip("numpy-name-gone", title, node.lineno, (instead(node.func, "sum"),), stops=True)


def gone_arguments(seen: SeenRun) -> Iterator[Slip]:
    """Arguments that NumPy calls otherwise now: `reshape(X, newshape=...)`."""
    for node in seen.nodes:
        if not isinstance(node, ast.Call) or dotted(node.func) not in seen.arguments:
            continue
        name = dotted(node.func)
        for keyword in node.keywords:
            if keyword.arg in seen.arguments[name]:
                value = ast.unparse(keyword.value)
                alone = len(node.args) == 1 and node.keywords[0] is keyword
                yield Slip(
                    "numpy-name-gone",
                    f"np.{name} no longer has the argument {keyword.arg}; give the shape without a name",
                    keyword.lineno,
                    (instead(keyword, value if alone else f"shape={value}"),),
                    stops=True,
                )


def unread_import(seen: SeenRun) -> Iterator[Slip]:
    """An import that fails, of names that nothing reads: an editor put it there."""
    failed, ending = seen.failed, seen.outcome.ending
    if ending.type != "ImportError" or not isinstance(failed, ast.Import | ast.ImportFrom):
        return
    missing = re.match(r"cannot import name '(\w+)'", ending.message)
    gone = [one for one in failed.names if missing is None or one.name == missing[1]]
    bound = {(one.asname or one.name).partition(".")[0] for one in gone}
    if not gone or not bound.isdisjoint(n.id for n in seen.nodes if isinstance(n, ast.Name)):
        return
    left = ", ".join(ast.unparse(one) for one in failed.names if one not in gone)
    text = f"from {'.' * failed.level}{failed.module or ''} import {left}" if isinstance(failed, ast.ImportFrom) else ""
    title = f"{' and '.join(sorted(bound))} cannot be imported, and nothing reads it: leave it out"
    yield Slip("import-unread", title, failed.lineno, (instead(failed, text if left else "pass"),), stops=True)


def misspelt(seen: SeenRun) -> Iterator[Slip]:
    """Names that exist nowhere, beside one that does."""
    scopes = Scopes(seen.tree)
    told: set[tuple[str, int]] = set()
    for name, scope in scopes.undefined:
        caught = any(isinstance(outer, ast.Try) for outer in seen.around(name))
        if (name.id, id(scope)) in told or caught:
            continue
        told.add((name.id, id(scope)))
        if name.id in MODULES:
            told.update((name.id, id(other)) for other in scopes.read)
        same = [n for n, s in scopes.undefined if n.id == name.id and s is scope]
        slip = _meant(seen, scopes, name, same, scope)
        if slip is not None:
            yield slip


def _meant(seen: SeenRun, scopes: Scopes, name: ast.Name, same: list[ast.Name], scope: Scope) -> Slip | None:
    if name.id in MODULES:
        simple = [s for s in seen.tree.body if not _is_text(s) and not _is_compound(s)]
        first = next((s for s in simple if not (isinstance(s, ast.ImportFrom) and s.module == "__future__")), None)
        changes = (before(first, f"{MODULES[name.id]}; ", ""),) if first is not None else ()
        title = f"{name.id} is not imported"
        return Slip("import-missing", title, name.lineno, changes, f"{MODULES[name.id]}, at the top", stops=True)
    if (new := RENAMED.get(name.id)) is not None:
        module, _, last = new.rpartition(".")
        text, shown = (f"__import__({module!r}).{last}", new) if module else (new, None)
        title = f"{name.id} no longer exists; it is {new} now"
        return Slip("python-name-gone", title, name.lineno, tuple(instead(n, text, shown) for n in same), stops=True)
    if name.id in own_attributes(seen, name):
        title = f"{name.id} exists nowhere; self.{name.id} does"
        return Slip("misspelt-name", title, name.lineno, tuple(instead(n, f"self.{n.id}") for n in same), stops=True)
    known = {n for n in scopes.visible(scope) if n != name.id and not _is_bound_later(seen, n, name)}
    if (near := nearest(name.id, known)) is None:
        return None
    title = f"{name.id} exists nowhere; {near} does"
    return Slip("misspelt-name", title, name.lineno, tuple(instead(n, near) for n in same), stops=True)


def _is_bound_later(seen: SeenRun, other: str, name: ast.Name) -> bool:
    """Whether a name is bound in the same block of names only, and only from the statement on in which another one is read:
    `for epoch in range(epochs)` binds `epoch` after `epochs` was read."""
    own = _function(seen, name)
    bound = [n for n in seen.nodes if isinstance(n, ast.Name) and n.id == other and isinstance(n.ctx, ast.Store)]
    return bool(bound) and all(_function(seen, n) is own and n.lineno >= name.lineno for n in bound)


def _function(seen: SeenRun, node: ast.AST) -> ast.AST | None:
    functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
    return next((outer for outer in seen.around(node) if isinstance(outer, functions)), None)


def nearest(name: str, known: Iterable[str], near: float = NEAR) -> str | None:
    """The known name that is most like another: the same but for its case, its underscores, a letter that is there twice or the order of
    its letters, or nearly so."""
    names = sorted(known)
    for plainly in (_plain, _once):
        if (same := {plainly(n): n for n in names}.get(plainly(name))) is not None:
            return same
    mixed = [n for n in names if sorted(n) == sorted(name) and n[0] == name[0]]
    least = 1 if near == LIKE else 3
    found = (
        difflib.get_close_matches(name, [n for n in names if len(n) >= least], 1, near) if len(name) >= least else []
    )
    return next(iter(mixed or found), None)


def _plain(name: str) -> str:
    return name.lower().replace("_", "")


def _once(name: str) -> str:
    """With every letter once where it stands several times in a row."""
    return re.sub(r"(.)\1+", r"\1", _plain(name))


def own_attributes(seen: SeenRun, node: ast.AST) -> set[str]:
    """The attributes that the class around a node gives to its objects."""
    for outer in seen.around(node):
        if isinstance(outer, ast.ClassDef):
            inside = [n for n in ast.walk(outer) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)]
            return {n.attr for n in inside if isinstance(n.value, ast.Name) and n.value.id == "self"}
    return set()


def hides_outer(seen: SeenRun) -> Iterator[Slip]:
    """A variable of a function that is read before it has a value, because the outer one of its name is meant."""
    scopes = Scopes(seen.tree)
    for name, binding, function in scopes.unbound():
        at = seen.statement(binding) if not isinstance(binding, ast.stmt) else binding
        outer = scopes.outer[function]
        home = scopes.visible(outer).get(name.id) if outer is not None else None
        if home is None:
            if isinstance(at, ast.AugAssign) and (place := _first_simple(function)) is not None:
                title = f"{name.id} is added to before it has a value; give it one before the loop, zeros of its shape"
                yield Slip(
                    "no-first-value",
                    title,
                    at.lineno,
                    (before(place, f"{name.id} = 0.0; ", ""),),
                    f"{name.id} = np.zeros(...), before line {at.lineno}",
                )
            continue
        word = "global" if isinstance(home, ast.Module) else "nonlocal"
        reading = seen.statement(name)
        place = _first_simple(function) or _first_use(seen, function, name.id)
        of = "the module" if isinstance(home, ast.Module) else str(getattr(home, "name", "the outer function"))
        where = "here" if at.lineno == reading.lineno else f"in line {getattr(at, 'lineno', 0)}"
        title = (
            f"{name.id} is assigned {where}, which makes it local to {function.name}, and it is read before it has a value; "
            f"{of}'s {name.id} is meant"
        )
        changes = (before(place, f"{word} {name.id}; ", ""),) if place is not None else ()
        fix = f"{word} {name.id}, as the first line of {function.name}"
        yield Slip("local-hides-outer", title, reading.lineno, changes, fix, stops=True)


def _first_simple(function: ast.FunctionDef) -> ast.stmt | None:
    for statement in function.body:
        if not _is_text(statement):
            return statement if not _is_compound(statement) else None
    return None


def _first_use(seen: SeenRun, function: ast.FunctionDef, name: str) -> ast.stmt | None:
    """A simple statement of a function up to which a name does not occur in it."""
    first = min(
        ((n.lineno, n.col_offset) for n in ast.walk(function) if isinstance(n, ast.Name) and n.id == name),
        default=(0, 0),
    )
    simple = [n for n in ast.walk(function) if isinstance(n, ast.stmt) and not _is_compound(n) and not _is_text(n)]
    own = [s for s in simple if seen.functions(s)[:1] == [function] and (s.lineno, s.col_offset) <= first]
    return max(own, key=lambda s: (s.lineno, s.col_offset), default=None)


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _is_compound(statement: ast.stmt) -> bool:
    return hasattr(statement, "body")
