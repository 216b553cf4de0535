"""Slips that an exception tells: an attribute, a key or an argument that is called otherwise, `self` that is missing, what is no array."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TypeVar

from engine.doctor.read.syntax import called_name
from engine.doctor.repair.names import LIKE, nearest, own_attributes
from engine.doctor.repair.products import closed
from engine.doctor.repair.seen import SeenRun
from engine.doctor.repair.slip import Slip, before, instead

Node = TypeVar("Node", bound=ast.AST)

_ATTRIBUTE = re.compile(r"^'(\w+)' object has no attribute '(\w+)'")
_KEYWORD = re.compile(r"^(?:\w+\.)*(\w+)\(\) got an unexpected keyword argument '(\w+)'")
_NEEDS_WHOLE = re.compile(
    r"'float' object cannot be interpreted as an integer|indices must be integers|only integers, slices"
)
_NEEDS_NUMBER = re.compile(
    r"^only (?:0-dimensional|length-1|size-1) arrays can be|^setting an array element with a sequence"
)
_ITERATOR = re.compile(
    r"^'(zip|map|filter|dict_keys|dict_values|dict_items)' object is not (?:reversible|subscriptable)"
    r"|^object of type '(zip|map|filter)' has no len"
)
_COUNT = re.compile(r"^(?:\w+\.)*(\w+)\(\) takes (\d+) positional arguments? but (\d+) were given")


def misspelt_member(seen: SeenRun) -> Iterator[Slip]:
    """An attribute, a key of a dict or an argument's name that is not there, beside one that is."""
    ending, failed = seen.outcome.ending, seen.failed
    if failed is None:
        return
    if ending.type == "AttributeError" and (found := _ATTRIBUTE.match(ending.message)):
        for node in _inside(failed, ast.Attribute):
            if node.attr == found[2] and isinstance(node.value, ast.Name) and node.value.id == "self":
                methods = {
                    f.name
                    for c in seen.around(node)
                    if isinstance(c, ast.ClassDef)
                    for f in c.body
                    if isinstance(f, ast.FunctionDef)
                }
                if near := nearest(node.attr, (own_attributes(seen, node) | methods) - {node.attr}, LIKE):
                    title = f"self.{node.attr} exists nowhere; self.{near} does"
                    yield Slip("misspelt-name", title, node.lineno, (instead(node, f"self.{near}"),), stops=True)
    elif ending.type == "KeyError":
        for node in _inside(failed, ast.Subscript):
            keys = {k for v in seen.values(node.value) for k in v.keys}
            key = node.slice.value if isinstance(node.slice, ast.Constant) else None
            if isinstance(key, str) and key not in keys and (near := nearest(key, keys, LIKE)):
                title = f"there is no entry {key!r}; {near!r} is one"
                yield Slip("misspelt-name", title, node.lineno, (instead(node.slice, repr(near)),), stops=True)
    elif ending.type == "TypeError" and (found := _KEYWORD.match(ending.message)):
        for node in _inside(failed, ast.Call):
            for keyword in node.keywords:
                known = _arguments(seen, node)
                if keyword.arg == found[2] and known and (near := nearest(found[2], known, LIKE)):
                    title = f"there is no argument {found[2]}; {near} is one"
                    yield Slip(
                        "misspelt-name",
                        title,
                        node.lineno,
                        (instead(keyword, f"{near}={ast.unparse(keyword.value)}"),),
                        stops=True,
                    )


def self_missing(seen: SeenRun) -> Iterator[Slip]:
    """A method that does not take its object."""
    found = _COUNT.match(seen.outcome.ending.message) if seen.outcome.ending.type == "TypeError" else None
    if found is None or int(found[3]) != int(found[2]) + 1:
        return
    for node in seen.nodes:
        if (
            isinstance(node, ast.FunctionDef)
            and node.name == found[1]
            and isinstance(seen.parents.get(node), ast.ClassDef)
        ):
            given = [a.arg for a in node.args.args]
            if node.decorator_list or given[:1] in (["self"], ["cls"]) or len(given) != int(found[2]):
                continue
            title = f"{node.name} is a method and must take its object first"
            if node.args.args:
                first = node.args.args[0]
                yield Slip("self-missing", title, node.lineno, (before(first, "self, "),), stops=True)


def shape_in_parts(seen: SeenRun) -> Iterator[Slip]:
    """`np.zeros(n, m)`, where the second argument is the kind of numbers: a shape is one argument."""
    ending, failed = seen.outcome.ending, seen.failed
    if failed is None or ending.type != "TypeError" or "data type" not in ending.message:
        return
    for node in _inside(failed, ast.Call):
        if called_name(node) in ("zeros", "ones", "empty") and len(node.args) > 1 and not node.keywords:
            text = f"{ast.unparse(node.func)}(({', '.join(map(ast.unparse, node.args))}))"
            title = f"{called_name(node)} takes a shape as one argument, ({', '.join(map(ast.unparse, node.args))})"
            yield Slip("shape-in-parts", title, node.lineno, (instead(node, text),), stops=True)


def iterator_for_list(seen: SeenRun) -> Iterator[Slip]:
    """What was a list in Python 2 and is gone through once in Python 3: `reversed(zip(...))`, `d.keys()[0]`."""
    ending, failed = seen.outcome.ending, seen.failed
    found = _ITERATOR.match(ending.message) if ending.type == "TypeError" else None
    if found is None or failed is None:
        return
    kind = found[1] or found[2]
    for node in [*_inside(failed, ast.Call), *_inside(failed, ast.Name)]:
        made = called_name(node) == kind.rpartition("_")[2] if isinstance(node, ast.Call) else seen.values(node)
        if made is True or (made and any(value.type == kind for value in made)):
            title = f"{ast.unparse(node)} is no list in Python 3"
            yield Slip(
                "iterator-for-list", title, node.lineno, (instead(node, f"list({ast.unparse(node)})"),), stops=True
            )


def no_array(seen: SeenRun) -> Iterator[Slip]:
    """A list where an array is meant: in arithmetic, or asked for what arrays have."""
    ending, failed = seen.outcome.ending, seen.failed
    if failed is None or ending.type not in ("TypeError", "AttributeError"):
        return
    for node in [*_inside(failed, ast.BinOp), *_inside(failed, ast.Attribute)]:
        parts = [node.left, node.right] if isinstance(node, ast.BinOp) else [node.value]
        if seen.values(node) or (isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load)):
            continue
        lists = [p for p in parts if any(v.type == "list" and v.inner != "str" for v in seen.values(p))]
        if lists and (
            isinstance(node, ast.BinOp) or node.attr in ("T", "shape", "dot", "reshape", "sum", "mean", "ravel")
        ):
            names = " and ".join(ast.unparse(p) for p in lists)
            title = f"{names} is a list, with which NumPy's arithmetic does not work: make it an array"
            changes = tuple(instead(p, f"np.array({ast.unparse(p)})") for p in lists)
            yield Slip("list-for-array", title, failed.lineno, changes, stops=True)


def math_of_array(seen: SeenRun) -> Iterator[Slip]:
    """A function of `math` is called with an array."""
    failed = seen.failed
    if failed is None or seen.outcome.ending.type != "TypeError":
        return
    for node in _inside(failed, ast.Call):
        function = node.func
        if not isinstance(function, ast.Attribute) or ast.unparse(function.value) != "math" or not node.args:
            continue
        if seen.arrays(node.args[0]):
            title = f"math.{function.attr} takes single numbers, and {ast.unparse(node.args[0])} is an array"
            yield Slip("math-of-array", title, node.lineno, (instead(function, f"np.{function.attr}"),), stops=True)


def one_number_in_an_array(seen: SeenRun) -> Iterator[Slip]:
    """An array of one number where a number is needed, which NumPy took for one once: printed by a format, an entry of an array."""
    failed, message = seen.failed, seen.outcome.ending.message
    if failed is None or not _NEEDS_NUMBER.search(message):
        return
    for node in _where_numbers_are_needed(failed):
        shape = next((v.shape for v in seen.arrays(node) if v.shape and set(v.shape) == {1}), None)
        if shape is not None:
            title = f"{ast.unparse(node)} is an array of one number, {shape}, and NumPy takes it for a number no more"
            change = instead(node, f"{closed(node)}.item()")
            yield Slip("array-for-number", title, node.lineno, (change,), stops=True)


def _where_numbers_are_needed(failed: ast.AST) -> Iterator[ast.expr]:
    """What a statement formats, makes a number of, or writes into an entry."""
    for node in _inside(failed, ast.BinOp):
        if isinstance(node.op, ast.Mod):
            yield from node.right.elts if isinstance(node.right, ast.Tuple) else [node.right]
    for call in _inside(failed, ast.Call):
        if called_name(call) in ("float", "int", "complex") and call.args:
            yield call.args[0]
    if isinstance(failed, ast.Assign | ast.AugAssign):
        yield failed.value


def divided_whole_numbers(seen: SeenRun) -> Iterator[Slip]:
    """A quotient of whole numbers where a whole number is needed: an index, a length, a number of rounds."""
    failed, message = seen.failed, seen.outcome.ending.message
    if failed is None or not _NEEDS_WHOLE.search(message):
        return
    read = {ast.unparse(node) for node in [*_inside(failed, ast.Name), *_inside(failed, ast.Attribute)]}
    found = list[ast.BinOp]()
    for node in seen.nodes:
        if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Div):
            continue
        statement = seen.statement(node)
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        goes_in = statement is failed or any(ast.unparse(target) in read for target in targets)
        if goes_in and all(_is_whole(seen, part) for part in (node.left, node.right)):
            found.append(node)
    for node in found[:1]:
        told = " and ".join(dict.fromkeys(ast.unparse(each) for each in found))
        title = (
            f"{told} has a remainder since Python 3, and a whole number is needed in line {failed.lineno}: divide by //"
        )
        changes = tuple(instead(n, f"{closed(n.left)} // {closed(n.right)}") for n in found)
        yield Slip("whole-division", title, node.lineno, changes, stops=True)


def _is_whole(seen: SeenRun, node: ast.expr) -> bool:
    """Whether an expression was a whole number whenever it was evaluated."""
    kinds = {value.type for value in seen.values(node)}
    return kinds == {"int"} or (isinstance(node, ast.Constant) and type(node.value) is int)


def whole_numbers(seen: SeenRun) -> Iterator[Slip]:
    """Decimals are added into an array of whole numbers."""
    failed = seen.failed
    if not isinstance(failed, ast.AugAssign) or "Cannot cast" not in seen.outcome.ending.message:
        return
    target = ast.unparse(failed.target)
    for node in seen.nodes:
        if not isinstance(node, ast.Assign) or ast.unparse(node.targets[0]) != target:
            continue
        kinds = {v.kind for v in seen.arrays(node.value)}
        if kinds and kinds <= set("iub"):
            title = f"{target} holds whole numbers, and line {failed.lineno} adds decimals to it: make it an array of decimals"
            yield Slip(
                "whole-numbers",
                title,
                node.lineno,
                (instead(node.value, f"{closed(node.value)}.astype(float)"),),
                stops=True,
            )


def _arguments(seen: SeenRun, call: ast.Call) -> set[str]:
    """The arguments that a function or class of the file takes."""
    name = called_name(call)
    named = {n.name: n for n in seen.nodes if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    found: ast.AST | None = named.get(name)
    if isinstance(found, ast.ClassDef):
        found = next((f for f in found.body if isinstance(f, ast.FunctionDef) and f.name == "__init__"), None)
    if isinstance(found, ast.FunctionDef):
        return {a.arg for a in [*found.args.args, *found.args.kwonlyargs]} - {"self"}
    return set()


def _inside(node: ast.AST, kind: type[Node]) -> list[Node]:
    return [n for n in ast.walk(node) if isinstance(n, kind)]
