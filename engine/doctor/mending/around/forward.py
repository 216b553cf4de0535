"""Corrections of the forward pass, where the backward pass is that of another one: copies that are missing, a softmax over another axis, an
activation too many on the output."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from itertools import islice

import numpy as np

from engine.doctor.lineage.record.derivatives import PRODUCTS
from engine.doctor.lineage.roles import ACTIVATIONS
from engine.doctor.lineage.the_loss.loss import forward_of
from engine.doctor.lineage.verdict.run_verdict import RunVerdict
from engine.doctor.mending.edits.atoms import is_atom
from engine.doctor.mending.edits.expression_text import text_of
from engine.doctor.mending.trials.proposal import Proposal, instead

FEW = 3
"""So many copies are tried, and so many corrections of the output."""


def copied(texts: Mapping[str, str]) -> Iterator[Proposal]:
    """An array that is kept under two names, and changed in place under one of them."""
    for file, text in texts.items():
        for statement, atom, taken in islice(_shared(ast.parse(text)), FEW):
            id, old, copy = (
                "probabilities-overwritten" if taken else "state-aliased",
                text_of(statement),
                text_of(atom) + ".copy()",
            )
            mended = re.sub(rf"(?<![\w.]){re.escape(text_of(atom))}(?!\w)(?!.*=)", copy, old)
            yield Proposal(file, statement, atom, copy, "", old, mended, id)
        for statement, made in islice(_written_over(ast.parse(text)), FEW):
            yield instead(file, statement, made, id="state-aliased")


def _written_over(tree: ast.Module) -> Iterator[tuple[ast.stmt, str]]:
    """Statements that write all of an array anew in a loop, and the like that makes another array."""
    for loop in [n for n in ast.walk(tree) if isinstance(n, (ast.For, ast.While))]:
        for statement in ast.walk(loop):
            match statement:
                case ast.Assign(
                    targets=[ast.Subscript(value=ast.Name(id=name), slice=ast.Slice(None, None, None))], value=value
                ):
                    yield statement, f"{name} = {text_of(value)}"
                case _:
                    pass


def _shared(tree: ast.Module) -> Iterator[tuple[ast.stmt, ast.expr, bool]]:
    """Statements that keep an array which is changed in place, with the array, and whether something is taken off it there."""
    for function in [n for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.Module))]:
        changed = _changed_in_place(function)
        for statement in [n for n in ast.walk(function) if isinstance(n, (ast.Assign, ast.Expr))]:
            match statement:
                case ast.Assign(targets=[ast.Name(id=name)], value=value) if is_atom(value):
                    names, kept = [name, text_of(value)], [value]
                case ast.Assign(value=ast.Tuple(elts=kept)):
                    names = []
                case ast.Expr(value=ast.Call(func=ast.Attribute(attr="append"), args=[ast.Tuple(elts=kept)])):
                    names = []
                case ast.Expr(value=ast.Call(func=ast.Attribute(attr="append"), args=kept)):
                    names = []
                case _:
                    continue
            for atom in kept:
                own = [n for n in (*names, text_of(atom)) if n in changed]
                if own and is_atom(atom):
                    yield statement, atom, changed[own[0]]


def _changed_in_place(function: ast.AST) -> dict[str, bool]:
    """The variables that are changed in place, and whether something is taken off them."""
    found: dict[str, bool] = {}
    for node in ast.walk(function):
        match node:
            case ast.AugAssign(target=ast.Name(id=name) | ast.Subscript(value=ast.Name(id=name)), op=op):
                found[name] = isinstance(op, ast.Sub) or found.get(name, False)
            case ast.Assign(targets=[ast.Subscript(value=ast.Name(id=name))]):
                found.setdefault(name, False)
            case ast.keyword(arg="out", value=ast.Name(id=name)):
                found.setdefault(name, False)
            case _:
                pass
    return found


def of_output(texts: Mapping[str, str], verdict: RunVerdict) -> Iterator[Proposal]:
    """A softmax that adds up over another axis, or an activation on what is given out that the gradient knows nothing of."""
    outputs = set(_output_lines(verdict))
    for file, text in texts.items():
        for statement in [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Assign | ast.Return)]:
            found = list(_of_output(statement)) if (file, statement.lineno) in outputs else []
            for id, node, made in (*found, *_twice(statement)):
                old = text_of(statement)
                mended = old.replace(text_of(node), made)
                yield Proposal(file, statement, node, made, "", old, mended, id, forward=True)


def _of_output(statement: ast.Assign | ast.Return) -> Iterator[tuple[str, ast.expr, str]]:
    for node in ast.walk(statement):
        match node:
            case ast.BinOp(op=ast.Div(), right=ast.Call(func=ast.Attribute(value=e, attr="sum"))):
                summed = text_of(node.right) if not text_of(e).startswith("np") else ""
                if summed:
                    yield "softmax-wrong-axis", node.right, f"{text_of(e)}.sum(axis=-1, keepdims=True)"
            case ast.Call(func=ast.Attribute(attr="tanh" | "maximum"), args=[inside, *_]):
                yield "output-activation-twice", node, f"({text_of(inside)})"
            case _:
                pass


def _twice(statement: ast.Assign | ast.Return) -> Iterator[tuple[str, ast.expr, str]]:
    """A function of what it made itself."""
    for node in ast.walk(statement):
        match node:
            case ast.Call(func=function, args=[ast.Call(args=[_], keywords=[]) as inside], keywords=[]):
                if text_of(function) == text_of(inside.func):
                    yield "output-activation-twice", node, text_of(inside)
            case _:
                pass


def _output_lines(verdict: RunVerdict) -> Iterator[tuple[str, int]]:
    """The lines of the forward pass on which sums and activations stand that go into no further product."""
    record, loss = verdict.record, verdict.loss
    if record is None or loss is None:
        return
    forward = forward_of(record, loss)
    inside = np.zeros(len(record.pool), bool)
    for operation in reversed(record.operations):
        if not forward[operation.start : operation.stop].any():
            continue
        goes_on = bool(inside[operation.start : operation.stop].any())
        if operation.name in PRODUCTS or goes_on:
            for reference in operation.operands:
                inside[reference.ids()] = True
        if not goes_on and operation.name in (*ACTIVATIONS, "sum"):
            line = record.lines[operation.line]
            yield line.file, line.number
