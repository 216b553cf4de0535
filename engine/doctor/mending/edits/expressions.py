"""Small edits of an expression: a transpose, an index, a sign, a term or factor that is one too many or missing, another atom."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from types import MappingProxyType
from typing import cast

from engine.doctor.mending.edits.atoms import atoms_in, filled, is_atom, parsed, replaced, replaced_in
from engine.doctor.mending.edits.entries import at_another_index, guarded
from engine.doctor.mending.edits.expression_text import text_of
from engine.doctor.mending.edits.wholes import LIKELY, Made, of_whole

MOST_ENTRIES = 8
"""Of lists of so many entries, as those that are put side by side, each two may be exchanged."""
ELEMENT = "elt"
"""The part of a comprehension that is evaluated for each entry, with variables of its own: nothing of it is known outside."""
FACTORS = ("{e} * (1 - {a} ** 2)", "{e} * {a} * (1 - {a})", "{e} * ({a} > 0)", "{e} * {a}", "{e} * (1 - {a})")
PRODUCTS = ("{a}.T @ {e}", "{e} @ {a}.T", "{a} @ {e}", "{e} @ {a}")
FACTORS_OF_INDICES = ("{e} * ({a} > 0)",)
"""Those that a number of a step may be in."""


def of_expression(
    expression: ast.expr, around: Sequence[str], taken: Mapping[str, ast.Subscript] = MappingProxyType({})
) -> Iterator[Made]:
    """The edits of an expression, each with its kind and two texts that must have the same shape; `around` are the atoms nearby, `taken`
    the entries that variables of the block are names of."""
    comparisons = [n for n in ast.walk(expression) if isinstance(n, ast.Compare)]
    in_comparisons = {id(n) for comparison in comparisons for n in ast.walk(comparison)}
    for path, node in walk(expression):
        for kind, made, same in _of_node(node, around):
            if kind != "complement" or id(node) not in in_comparisons:  # 1 - h > 0 is no factor of anything
                yield kind, with_part(expression, path, made), same if ELEMENT not in path else None
        for kind, made, _ in (
            _of_index(taken[node.id], around) if isinstance(node, ast.Name) and node.id in taken else ()
        ):
            yield kind, with_part(expression, path, made), None
    yield from _at_root(expression, around)


def walk(expression: ast.expr) -> Iterator[tuple[tuple[str | int, ...], ast.expr]]:
    """Every expression inside, with the way to it; of what is unpacked, `*parts`, the parts."""
    stack: list[tuple[tuple[str | int, ...], ast.AST]] = [((), expression)]
    while stack:
        path, node = stack.pop()
        if isinstance(node, ast.expr) and not isinstance(node, ast.Starred):
            yield path, node
        if isinstance(node, ast.Subscript):  # indices have edits of their own
            stack.append(((*path, "value"), node.value))
            continue
        if isinstance(node, ast.IfExp):  # a condition is taken or left as a whole
            stack += [((*path, "body"), node.body), ((*path, "orelse"), node.orelse)]
            continue
        if isinstance(node, (ast.ListComp, ast.GeneratorExp)):
            stack.append(((*path, ELEMENT), node.elt))
            continue
        if isinstance(node, (ast.Lambda, ast.DictComp, ast.SetComp)):
            continue
        for field, inside in ast.iter_fields(node):
            if isinstance(inside, ast.AST):
                stack.append(((*path, field), inside))
            elif isinstance(inside, list):
                entries = cast("list[object]", inside)
                stack += [((*path, field, k), x) for k, x in enumerate(entries) if isinstance(x, ast.AST)]


def with_part(expression: ast.expr, path: tuple[str | int, ...], made: ast.expr) -> ast.expr:
    """The expression with another one at the end of a way."""
    return cast("ast.expr", replaced_in(expression, path, made))


def _of_node(node: ast.expr, around: Sequence[str]) -> Iterator[Made]:
    if isinstance(node, ast.BinOp):
        yield from _of_operation(node)
    if isinstance(node, (ast.BinOp, ast.IfExp)):
        inner = text_of(node)
        for other in around[:LIKELY]:
            yield "variable", parsed(other), (inner, other)
    if isinstance(node, ast.BinOp):
        yield from _split(node, around)
    if isinstance(node, (ast.List, ast.Tuple)) and 1 < len(node.elts) <= MOST_ENTRIES:
        for k, j in combinations(range(len(node.elts)), 2):
            swapped = [node.elts[{k: j, j: k}.get(n, n)] for n in range(len(node.elts))]
            yield "exchanged", type(node)(swapped, ast.Load()), (text_of(node.elts[k]), text_of(node.elts[j]))
    if isinstance(node, ast.Call) and not any(isinstance(a, ast.Starred) for a in node.args):
        yield from _of_call(node)
        yield from _masked(node, around)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield "sign", node.operand, None
    if isinstance(node, ast.IfExp):
        yield "condition", node.body, None
        yield "condition", node.orelse, None
    if isinstance(node, ast.Attribute) and node.attr == "T":
        yield "transpose", node.value, None
    elif is_atom(node) and isinstance(getattr(node, "ctx", None), ast.Load):
        yield from _of_atom(node, around)
    if isinstance(node, ast.Subscript):
        yield from _of_index(node, around)


def _of_atom(node: ast.expr, around: Sequence[str]) -> Iterator[Made]:
    text = text_of(node)
    yield "transpose", parsed(f"{text}.T"), None
    yield "transpose", parsed(f"list(zip(*{text}))"), None  # of a list of lists
    yield "complement", parsed(f"(1 - {text})"), None
    for other in around:
        if other != text:
            yield "index" if _is_entry_beside(text, other) else "variable", parsed(other), (text, other)


def _is_entry_beside(one: str, other: str) -> bool:
    """Whether both are entries of the same array or list."""
    base = one.partition("[")[0]
    return "[" in one and other.startswith(f"{base}[")


def _of_operation(node: ast.BinOp) -> Iterator[Made]:
    left, right = node.left, node.right
    match node.op:
        case ast.Add() | ast.Sub():
            flipped = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
            yield "sign", ast.BinOp(left, flipped, right), None
            if isinstance(node.op, ast.Sub):
                yield "exchanged", ast.BinOp(right, node.op, left), None
            yield "term-dropped", left, None
            yield "term-dropped", right if isinstance(node.op, ast.Add) else ast.UnaryOp(ast.USub(), right), None
            if isinstance(right, ast.BinOp) and isinstance(right.op, (ast.Mult, ast.Div, ast.MatMult)):
                yield "parentheses", ast.BinOp(ast.BinOp(left, node.op, right.left), right.op, right.right), None
            if isinstance(left, ast.BinOp) and isinstance(left.op, (ast.Mult, ast.MatMult)):
                yield "parentheses", ast.BinOp(left.left, left.op, ast.BinOp(left.right, node.op, right)), None
            yield from _derivatives(node)
        case ast.Mult() | ast.Div():
            if isinstance(node.op, ast.Mult) and text_of(left) == text_of(right):
                yield "derivative", parsed(f"(1 - {text_of(node)})"), None
            yield "factor-dropped", left, None
            if isinstance(node.op, ast.Mult):
                yield "factor-dropped", right, None
                yield "mask", ast.BinOp(left, node.op, parsed(f"({text_of(right)} > 0)")), None
                yield "mask", ast.BinOp(parsed(f"({text_of(left)} > 0)"), node.op, right), None
            if isinstance(left, ast.BinOp) and isinstance(left.op, (ast.Add, ast.Sub)):
                yield "parentheses", ast.BinOp(left.left, left.op, ast.BinOp(left.right, node.op, right)), None
                yield "parentheses", ast.BinOp(ast.BinOp(left.left, node.op, right), left.op, left.right), None
            if isinstance(right, ast.BinOp) and isinstance(right.op, (ast.Add, ast.Sub)):
                yield "parentheses", ast.BinOp(ast.BinOp(left, node.op, right.left), right.op, right.right), None
        case ast.MatMult():
            yield "exchanged", ast.BinOp(right, node.op, left), None
            yield "factor-dropped", left, None
            yield "factor-dropped", right, None
        case ast.Pow():
            yield "derivative", parsed(f"(1 - {text_of(node)})"), None
            yield "factor-dropped", left, None
            if isinstance(left, ast.BinOp):  # (1 - a) ** 2
                yield from _derivatives(left)
        case _:
            return


def _split(node: ast.BinOp, around: Sequence[str]) -> Iterator[Made]:
    """Terms of a sum that are multiplied by one array, and each should be by its own: `(df + di) * pf` for `df * pf + di * pi`."""
    if not isinstance(node.op, (ast.Mult, ast.MatMult)):
        return
    for on_the_left, terms, factor in ((False, node.left, node.right), (True, node.right, node.left)):
        if not (isinstance(terms, ast.BinOp) and isinstance(terms.op, (ast.Add, ast.Sub)) and is_atom(factor)):
            continue
        if not (is_atom(terms.left) and is_atom(terms.right)):
            continue  # 1 - h is one factor
        for other in [a for a in around if a != text_of(factor)]:
            for first, second in ((factor, parsed(other)), (parsed(other), factor)):
                pairs = [(first, terms.left), (second, terms.right)]
                one, two = (ast.BinOp(*((a, node.op, b) if on_the_left else (b, node.op, a))) for a, b in pairs)
                yield "variable", ast.BinOp(one, terms.op, two), (text_of(factor), other)


def _derivatives(node: ast.BinOp) -> Iterator[Made]:
    """`1 - x`, of some x: the derivative of another function, or of a value that is already activated."""
    if not (isinstance(node.left, ast.Constant) and node.left.value == 1 and isinstance(node.op, ast.Sub)):
        return
    inside = list(dict.fromkeys(text_of(n) for _, n in walk(node.right) if is_atom(n)))
    for a in inside:
        for form in ("(1 - {a} ** 2)", "({a} * (1 - {a}))", "({a} > 0)", "(1 - np.tanh({a}) ** 2)", "(1 - {a})", "1.0"):
            yield "derivative", parsed(form.format(a=a)), None


def _masked(node: ast.Call, around: Sequence[str]) -> Iterator[Made]:
    """The mask of an activation where it is applied itself: `np.maximum(d, 0)` for `d * (z > 0)`."""
    match node.args:
        case [inside, ast.Constant(value=0 | 0.0)] | [ast.Constant(value=0 | 0.0), inside]:
            if getattr(node.func, "attr", "") == "maximum":
                for a in around:
                    yield "masked", ast.BinOp(inside, ast.Mult(), parsed(f"({a} > 0)")), (text_of(inside), a)
        case _:
            return


def _of_call(node: ast.Call) -> Iterator[Made]:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    if name in ("sum", "mean"):
        other = copy.deepcopy(node)
        assert isinstance(other.func, ast.Attribute)
        other.func.attr = "mean" if name == "sum" else "sum"
        yield "sum-for-mean", other, None
        yield from _along_another(node)
    if name in ("dot", "outer", "matmul") and len(node.args) == 2:
        yield "exchanged", ast.Call(node.func, node.args[::-1], node.keywords), None
        yield "factor-dropped", node.args[0], None
        yield "factor-dropped", node.args[1], None
    if name == "dot" and len(node.args) == 1 and isinstance(node.func, ast.Attribute):
        yield "factor-dropped", node.args[0], None
        yield "factor-dropped", node.func.value, None
        yield "exchanged", ast.Call(ast.Attribute(node.args[0], "dot", ast.Load()), [node.func.value], []), None
    if name == "einsum" and node.args:
        yield from _by_other_letters(node)
    if name == "tanh" and len(node.args) == 1:
        yield "derivative", node.args[0], None
    if name == "clip" and node.args:
        yield "clip", node.args[0], None
    if name == "stack":
        stated = [k.value for k in node.keywords if k.arg == "axis"]
        others = [a for a in (0, 1) if text_of(ast.Constant(a)) != (text_of(stated[0]) if stated else "0")]
        for axis in others:
            kept = [k for k in node.keywords if k.arg != "axis"]
            yield "axis", ast.Call(node.func, node.args[:1], [*kept, ast.keyword("axis", ast.Constant(axis))]), None
    if name == "zeros_like" and len(node.args) == 1:
        yield "term-missing", node.args[0], None


def _along_another(node: ast.Call) -> Iterator[Made]:
    """A sum over another axis."""
    of_array = not (isinstance(node.func, ast.Attribute) and text_of(node.func.value) in ("np", "numpy"))
    places = [("keywords", k) for k, keyword in enumerate(node.keywords) if keyword.arg == "axis"]
    places += [("args", k) for k in ((0,) if of_array else (1,)) if k < len(node.args)]
    for field, k in places:
        found = node.keywords[k].value if field == "keywords" else node.args[k]
        own = found.operand if isinstance(found, ast.UnaryOp) else found
        if not (isinstance(own, ast.Constant) and isinstance(own.value, int)):
            continue
        for axis in ("0", "1", "-1"):
            path = (field, k, "value") if field == "keywords" else (field, k)
            if axis != text_of(found):
                yield "axis", cast("ast.expr", replaced_in(node, path, parsed(axis))), None


def _by_other_letters(node: ast.Call) -> Iterator[Made]:
    """A sum of products by index with two letters of an operand, or of the result, exchanged."""
    if not (isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str)):
        return
    letters = node.args[0].value
    for k, j in combinations([k for k, letter in enumerate(letters) if letter.isalpha()], 2):
        if letters[k] != letters[j] and letters[k : j + 1].isalpha():
            made = letters[:k] + letters[j] + letters[k + 1 : j] + letters[k] + letters[j + 1 :]
            yield "axis", ast.Call(node.func, [ast.Constant(made), *node.args[1:]], node.keywords), None


def _of_index(node: ast.Subscript, around: Sequence[str]) -> Iterator[Made]:
    for part in node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]:
        match part:
            case ast.BinOp(left=ast.Name(id=t), op=ast.Sub(), right=ast.Constant(value=int(k))):
                for other in around:  # below 0 an index takes entries from the end
                    yield "wraps", parsed(f"{text_of(node)} if {t} > {k - 1} else {other}"), None
            case _:
                pass
    if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, int):
        yield "sum-missing", parsed(f"{text_of(node.value)}.sum(axis=0)"), None
    for changed in at_another_index(node, around):
        yield "index", changed, None
        if (first := guarded(changed)) is not None:
            yield "index", first, None


def _at_root(expression: ast.expr, around: Sequence[str]) -> Iterator[Made]:
    """A factor or a term that is missing from the whole, or from the inside of a quotient or product."""
    text = text_of(expression)
    yield "sign", parsed(f"-({text})"), None
    if not is_atom(expression):
        yield from (("variable", parsed(other), (text, other)) for other in around[:LIKELY])
    for number in ("0.5", "2"):  # of a square, or of its half
        yield "factor-missing", parsed(f"{number} * ({text})"), None
    yield from _everywhere(expression, around)
    yield from of_whole(expression, around)
    inner = expression
    while isinstance(inner, ast.BinOp) and isinstance(inner.op, ast.Mult):  # several factors too many
        inner = inner.left
        yield "factor-dropped", inner, None
    indices = _read_at([text, *around])
    for a in around:
        for form in FACTORS if a not in indices else FACTORS_OF_INDICES:
            yield "factor-missing", filled(form, e=expression, a=parsed(a)), (text, a)


def _read_at(texts: Sequence[str]) -> set[str]:
    """The variables of the indices at which entries are read: of such a number there is no activation."""
    entries = [n for text in texts for n in ast.walk(parsed(text)) if isinstance(n, ast.Subscript)]
    return {n.id for entry in entries for n in ast.walk(entry.slice) if isinstance(n, ast.Name)}


def _everywhere(expression: ast.expr, around: Sequence[str]) -> Iterator[Made]:
    """One atom for another at every place."""
    atoms = [text_of(a) for a in atoms_in(expression)]
    for atom in dict.fromkeys(a for a in atoms if atoms.count(a) > 1):
        for other in around:
            if other != atom:
                swap = {atom: parsed(other)}
                made = replaced(expression, lambda node, swap=swap: swap.get(text_of(node)) if is_atom(node) else None)
                yield "variable", made, (atom, other)


def missing_from(expression: ast.expr, around: Sequence[str]) -> Iterator[Made]:
    """Products of the whole with a matrix that may be missing."""
    for a in around:
        for form in PRODUCTS:
            yield "factor-missing", filled(form, e=expression, a=parsed(a)), None
    for path, node in walk(expression):
        if path and is_atom(node) and isinstance(getattr(node, "ctx", None), ast.Load):
            text = text_of(node)
            for a in [a for a in around if a != text and ("[" not in a or "['" in a)]:  # weights are whole arrays
                for form in PRODUCTS:
                    made = filled(form, e=node, a=parsed(a))
                    yield "factor-missing", with_part(expression, path, made), (text, f"({form.format(e=text, a=a)})")
