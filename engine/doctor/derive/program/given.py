"""The loss of a function that computes none: dL/d(what it returns) is given, as the backward pass of a part takes it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from engine.doctor.derive.derived import Keep
from engine.doctor.derive.program.taken_loss import TakenLoss, free_name
from engine.doctor.derive.tree.shapes import SeenShapes
from engine.doctor.read.source import SourceFile
from engine.doctor.repair.slip import before, changed, instead
from engine.errors import InputError

_DRAWN = "np.random.RandomState(0).standard_normal"


def given_back(source: SourceFile, found: ast.FunctionDef, shapes: SeenShapes) -> TakenLoss:
    """The loss sum(output * dL/d(output)) of what a function returns: its arrays of floats, else a list of them. An expression that it
    returns gets a name. Raises InputError where it returns neither."""
    tree, function = source.tree(), found.name
    end = found.body[-1]
    if not isinstance(end, ast.Return) or end.value is None:
        raise InputError(
            f"{function}() computes no loss, and its last line returns nothing; --loss EXPR of its names says one"
        )
    parts = end.value.elts if isinstance(end.value, ast.Tuple) else [end.value]
    named = {id(part): name for part, name in _named(tree, parts, shapes)}
    lists = [p.id for p in parts if isinstance(p, ast.Name) and shapes.is_list_of_arrays(p)]
    if not named and not lists:
        raise InputError(
            f"{function}() computes no loss, and returns no array of floats; --loss EXPR of its names says one"
        )
    given = list(named.values()) or lists[:1]
    drawn = [f"d{name} = {_DRAWN}(np.shape({name}))" for name in given]
    terms = [f"np.sum({name if named else f'np.stack({name})'} * d{name})" for name in given]
    made = [(part, named[id(part)]) for part in parts if id(part) in named and not isinstance(part, ast.Name)]
    assigned = [f"{name} = {ast.unparse(part)}" for part, name in made]
    loss = free_name(tree, "loss", "total_loss")
    inline = "; ".join([*assigned, *drawn, f"{loss} = {' + '.join(terms)}"])
    changes = [before(end, f"{inline}; "), *(instead(part, name) for part, name in made)]
    said = f"{', '.join(f'd{name}' for name in given)}, dL/d of what {function}() returns, given"
    indent = " " * end.col_offset
    returned = ", ".join(named.get(id(part), ast.unparse(part)) for part in parts)
    keeps = [Keep(end.lineno - 1, "", indent + text) for text in assigned]
    keeps += [Keep(end.lineno, "", f"{indent}return {returned}", "", replaces=True)] if assigned else []
    text = changed(source.text, changes)
    return TakenLoss(
        loss, text, tuple(keeps), said, "What it returns needs a name:", tuple(f"d{name}" for name in given)
    )


def _named(tree: ast.Module, parts: list[ast.expr], shapes: SeenShapes) -> Iterator[tuple[ast.expr, str]]:
    """The parts that are floats, each with its name; an expression alone on its line gets one."""
    likely = [name for name in ("out", "y", "outputs") if name == free_name(tree, name)]
    for part in parts:
        if not shapes.is_float(part):
            continue
        if isinstance(part, ast.Name):
            yield part, part.id
        elif isinstance(part, ast.BinOp | ast.Call | ast.Subscript) and part.lineno == part.end_lineno and likely:
            yield part, likely.pop(0)
