"""Functions that give views of the parts of a vector, as programs have them that keep all weights in one: called with a gradient of that
shape they give its parts, too."""

from __future__ import annotations

import ast

from engine.doctor.derive.forward.flat_pass import Unpacked
from engine.doctor.derive.tree.statements import targets
from engine.doctor.derive.tree.syntax_of import called, path


def unpacked(statement: ast.stmt, function: ast.FunctionDef, call: ast.Call) -> Unpacked | None:
    """The parts that a statement unpacks by a call of a function with one argument; None where the function does something else."""
    own = [a.arg for a in function.args.args if a.arg != "self"]
    if not isinstance(statement, ast.Assign) or statement.value is not call or len(own) != 1 or len(call.args) != 1:
        return None
    end = function.body[-1]
    gives = end.value if isinstance(end, ast.Return) else None
    names = tuple(path(t) for t in targets(statement))
    is_many = isinstance(gives, ast.Tuple) and len(names) == len(gives.elts) > 1
    is_one = isinstance(gives, ast.Name | ast.Dict) and len(names) == 1 and _fills(function, gives)
    vector = path(call.args[0])
    if not (is_many or is_one) or not vector or not all(names) or not _only_cuts(function, own[0]):
        return None
    return Unpacked(vector, f"{ast.unparse(call.func)}({{}})", names)


def _fills(function: ast.FunctionDef, gives: ast.expr) -> bool:
    """Whether what is returned is a dictionary that the function fills."""
    made = [s for s in ast.walk(function) if isinstance(s, ast.Assign)]
    stores = (t for s in made for t in targets(s) if isinstance(t, ast.Subscript))
    return isinstance(gives, ast.Dict) or any(path(t.value) == path(gives) for t in stores)


def _only_cuts(function: ast.FunctionDef, name: str) -> bool:
    """Whether a function reads an array only in slices, several or in a loop, which it reshapes at most."""
    read = [n for n in ast.walk(function) if isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Load)]
    cut = [
        n
        for n in ast.walk(function)
        if isinstance(n, ast.Subscript) and n.value in read and isinstance(n.slice, ast.Slice)
    ]
    kept = {id(n) for n in cut}
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and called(node) in ("reshape", "view"):
            parts = [node.func.value] if isinstance(node.func, ast.Attribute) else []
            kept |= {id(node) for part in (*parts, *node.args[:1]) if id(part) in kept}
    values = {id(n) for s in ast.walk(function) if isinstance(s, ast.Assign | ast.Return) for n in _values(s)}
    left = [n for n in cut if not _reaches(n, function, kept, values)]
    in_loop = any(n in cut for loop in ast.walk(function) if isinstance(loop, ast.For) for n in ast.walk(loop))
    return bool(cut) and len(cut) == len(read) and not left and (in_loop or len(cut) > 1)


def _values(statement: ast.Assign | ast.Return) -> list[ast.expr]:
    value = statement.value
    if isinstance(value, ast.Tuple):
        return value.elts
    return value.values if isinstance(value, ast.Dict) else [] if value is None else [value]


def _reaches(part: ast.Subscript, function: ast.FunctionDef, kept: set[int], values: set[int]) -> bool:
    """Whether a part, reshaped or not, is what a statement gives a name or returns."""
    around = [n for n in ast.walk(function) if id(n) in kept and part in ast.walk(n)]
    return any(id(n) in values for n in around)
