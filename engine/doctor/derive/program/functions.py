"""Functions that nothing runs: each is called with arguments that are made up, and its backward pass stands in it."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator
from dataclasses import replace

from engine.doctor.derive.program.given import given_back
from engine.doctor.derive.program.ready import NoLossFound, ReadyProgram, loss_of, run_of, with_loss
from engine.doctor.derive.tree.helpers import known_helpers
from engine.doctor.derive.tree.shapes import SeenShapes
from engine.doctor.derive.tree.syntax_of import called, path
from engine.doctor.lineage.record.running import Runs
from engine.doctor.lineage.the_loss.loss import NAMED
from engine.doctor.read.source import SourceFile
from engine.doctor.read.syntax import UserFunction, UserProgram, program
from engine.doctor.read.top_level import without_its_run
from engine.doctor.recognise.calls import calls
from engine.doctor.recognise.passes import Pass, is_backward
from engine.errors import InputError
from engine.text import clean

MOST = 3
"""So many functions are tried where none is named."""
_WEIGHT = re.compile(r"[WUV](?:_?\w*)$|w(?:_\w+|[xha]\w*)$|weights?_?\w*$")
_FORWARD = re.compile(r"forward|fprop|fwd|feed|loss|cost|predict|call", re.I)


def called_functions(runs: Runs, source: SourceFile, function: str, asked: str) -> Iterator[ReadyProgram | InputError]:
    """The program with a call of the function that is named, else of those that look like forward passes, in every way that fits; errors
    where there is none. Raises InputError where no function has that name."""
    bare = without_its_run(source)
    found = program(bare.tree())
    file = clean(source.path.name)
    named = found.named(function, file) if function else None
    for one in [named] if named is not None else _forward(found, bare.tree())[:MOST]:
        call = calls(replace(runs.program, text=bare.text), [Pass(one)], runs.wishes, is_forward=True)[0]
        if not call.texts:
            yield InputError(f"{file}: {one.name}() could not be called with arguments that are made up: {call.reason}")
        for text in [*(more for best in call.texts[:1] for more in _single(best)), *call.texts]:
            try:
                yield replace(_ready(runs, replace(bare, text=text), one, asked), function=one.name)
            except InputError as error:
                yield error


def _single(text: str) -> Iterator[str]:
    """The call with one column in place of a length that no other argument has: an array of several fits, too, where a column is meant."""
    shapes = [
        [int(n) for n in one.split(",") if n.strip()]
        for one in re.findall(r"_driver_(?:normal|state)\(\d+, \(([\d, ]+)\)", text)
    ]
    lengths = [n for shape in shapes for n in shape]
    for shape in shapes:
        if len(shape) == 2 and shape[-1] != 1 and lengths.count(shape[-1]) == 1:
            yield text.replace(repr(tuple(shape)), repr((shape[0], 1)))


def _forward(found: UserProgram, tree: ast.Module) -> list[UserFunction]:
    """The functions that look like forward passes and that no other one of them calls, the likeliest first."""
    helpers = {name.removeprefix("self.") for name in known_helpers(tree)} | {"__init__"}
    free = [f for f in found.functions if f.node.name not in helpers and f.parameters]
    free = [f for f in free if not is_backward(f) or NAMED.search(f.node.name)]
    outer = [f for f in free if not any(f.node.name in other.called for other in free if other is not f)]
    loops = [f for f in outer if any(isinstance(n, ast.For | ast.While) for n in ast.walk(f.node))]
    return sorted(loops or outer, key=lambda f: not _FORWARD.search(f.node.name))


def _ready(runs: Runs, source: SourceFile, function: UserFunction, asked: str) -> ReadyProgram:
    """The program with that call, and the loss: what the function computes, what is asked for, or of given gradients of what it returns."""
    file, name = clean(source.path.name), function.name
    node = _in(source.tree(), function.node)
    wishes = replace(runs.wishes, arguments=())
    runs = replace(runs.with_texts({runs.name: source.text}), wishes=wishes)
    if asked:
        return with_loss(runs, source, loss_of(source, asked, node))
    outcome, record, first, loss = run_of(runs)
    if isinstance(record, str) or first is None:
        raise InputError(f"{file}: {name}(): {clean(outcome.sentence())}")
    inside = range(function.node.lineno, (function.node.end_lineno or 0) + 1)
    if loss is not None and not loss.assumed and loss.line in inside and NAMED.search(loss.name):
        return ReadyProgram(runs, source, record, first, loss, f"{loss.name}, line {loss.line}")
    _, seen = runs.seen()
    if seen is None:
        raise InputError(f"{file}: what the expressions of {name}() are was not seen")
    try:
        return with_loss(runs, source, given_back(source, node, SeenShapes(seen)))
    except NoLossFound:
        raise
    except InputError as error:
        raise InputError(f"{file}: {clean(str(error))}") from None


def functions_beside(source: SourceFile, function: str, weights: Collection[str]) -> list[UserFunction]:
    """The functions of a file that multiply weights which are none of these, and that a function does not call, directly or not."""
    found = program(source.tree())
    reached, before = {function.rpartition(".")[2]}, 0
    while before != len(reached):
        before = len(reached)
        reached |= {name for f in found.functions if f.node.name in reached for name in f.called}
    known = {name.rpartition(".")[2] for name in weights}
    others = [f for f in found.functions if f.node.name not in reached and not is_backward(f)]
    return [f for f in others if _multiplied(f.node) - known and not f.node.name.startswith("__")]


def _multiplied(function: ast.FunctionDef) -> set[str]:
    """What a function multiplies by, and is called as weights are."""
    products = (n for n in ast.walk(function) if isinstance(n, ast.BinOp) and isinstance(n.op, ast.Mult | ast.MatMult))
    calls = (n for n in ast.walk(function) if isinstance(n, ast.Call) and called(n) in ("dot", "matmul"))
    read = (path(n).rpartition(".")[2] for product in (*products, *calls) for n in ast.walk(product))
    return {name for name in read if _WEIGHT.match(name)}


def _in(tree: ast.Module, function: ast.FunctionDef) -> ast.FunctionDef:
    """A function in the tree of the same text with more behind it."""
    every = (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef))
    return next(n for n in every if (n.name, n.lineno) == (function.name, function.lineno))
