"""Edits of a whole expression: of the activation's derivative in a product, of sums and slices, of what a function is applied to."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from itertools import combinations

from engine.doctor.mending.edits.atoms import atoms_in, is_atom, parsed, replaced
from engine.doctor.mending.edits.expression_text import text_of

Made = tuple[str, ast.expr, "tuple[str, str] | None"]

SLOPES = ("(1 - {a} ** 2)", "({a} * (1 - {a}))", "({a} > 0)", "(1 - np.tanh({a}) ** 2)")
"""The derivatives of the usual activations, of what they made or were applied to."""
LIKELY = 24
"""So many of the nearest atoms may be what a derivative is of, or what is meant instead of an expression."""
SUMS = (
    *("{a}.sum(axis=0)", "{a}.sum(axis=1)", "{a}.sum(axis=0, keepdims=True)", "{a}.sum(axis=1, keepdims=True)"),
    "{a}.sum(axis=(0, 1))",
)


def of_whole(expression: ast.expr, around: Sequence[str]) -> Iterator[Made]:
    """Edits of several places at once."""
    yield from _slopes(expression, around)
    yield from _deltas(expression)
    yield from _jacobians(expression)
    yield from _sums(expression)
    yield from _entries(expression)
    yield from _slices(expression)
    yield from _unapplied(expression)


def _slopes(expression: ast.expr, around: Sequence[str]) -> Iterator[Made]:
    """The derivative of another activation, or of another value, for the one in a product; none, where that is one too many."""
    for product in _products(expression):
        factors = _factors(product)
        for left_out in _derivatives_in(factors):
            rest = [f for k, f in enumerate(factors) if k not in left_out]
            text = " * ".join(f"({text_of(f)})" for f in rest)
            gone = " * ".join(f"({text_of(factors[k])})" for k in left_out)
            yield "factor-dropped", _put(expression, product, parsed(text)), None
            for a in around[:LIKELY]:
                for form in SLOPES:
                    yield "derivative", _put(expression, product, parsed(f"{text} * {form.format(a=a)}")), (gone, a)


def _products(expression: ast.expr) -> Iterator[ast.BinOp]:
    """The largest products inside."""
    if isinstance(expression, ast.BinOp) and isinstance(expression.op, ast.Mult):
        yield expression
        return
    for inner in ast.iter_child_nodes(expression):
        if isinstance(inner, ast.expr) and not isinstance(inner, (ast.Lambda, ast.Subscript)):
            yield from _products(inner)


def _factors(product: ast.expr) -> list[ast.expr]:
    if isinstance(product, ast.BinOp) and isinstance(product.op, ast.Mult):
        return [*_factors(product.left), *_factors(product.right)]
    return [product]


def _derivatives_in(factors: Sequence[ast.expr]) -> Iterator[tuple[int, ...]]:
    """The factors that may be a derivative: the two of a * (1 - a), 1 - a ** 2, a > 0, a call; last, of two factors, a name."""
    texts = [text_of(f) for f in factors]
    for k, m in combinations(range(len(factors)), 2):
        if (f"1 - {texts[m]}" in (texts[k], f"({texts[k]})") or f"1 - {texts[k]}" in texts[m]) and len(factors) > 2:
            yield k, m
    for k, factor in enumerate(factors):
        one_less = isinstance(factor, ast.BinOp) and isinstance(factor.op, (ast.Sub, ast.Pow))
        if one_less or isinstance(factor, (ast.Compare, ast.Call)):
            yield (k,)
    yield from ((k,) for k, factor in enumerate(factors) if len(factors) == 2 and is_atom(factor))


def _deltas(expression: ast.expr) -> Iterator[Made]:
    """Of two arrays, and what the whole is divided by, their difference: the gradient of the usual losses."""
    match expression:
        case ast.BinOp(left=inside, op=ast.Div(), right=number) if len(list(atoms_in(inside))) > 1:
            overs = [f" / ({text_of(number)})", ""]
        case _:
            inside, overs = expression, [""]
    atoms = list(dict.fromkeys(text_of(a) for a in atoms_in(inside)))
    if len(atoms) == 2:
        for one, two in (atoms, atoms[::-1]):
            for over in overs:
                yield "delta", parsed(f"({one} - {two}){over}"), (one, two)


SOFTMAX_JACOBIANS = (
    "{p} * ({d} - ({d} * {p}).sum(axis=-1, keepdims=True))",
    "{p} * ({d} - ({d} * {p}).sum(axis=0, keepdims=True))",
)
"""What softmax's derivative, a matrix, makes of dL/dp, in rows and in columns."""


def _jacobians(expression: ast.expr) -> Iterator[Made]:
    """Softmax's whole derivative for a part of it, as `d * p * (1 - p)`: along an axis of one number that part is all of it."""
    atoms = list(dict.fromkeys(text_of(a) for a in atoms_in(expression)))
    if len(atoms) == 2:
        for d, p in (atoms, atoms[::-1]):
            for form in SOFTMAX_JACOBIANS:
                yield "jacobian", parsed(form.format(d=d, p=p)), (d, p)


def _sums(expression: ast.expr) -> Iterator[Made]:
    """A sum over other axes, and a product without the sums of what is multiplied."""
    inside = list(dict.fromkeys(text_of(of) for n in ast.walk(expression) if (of := _reduced(n)) is not None))
    for text in inside:
        for form in SUMS:
            yield "sum-missing", parsed(form.format(a=f"({text})")), None
    if len(inside) == 2:
        yield "means", replaced(expression, _reduced), None
        for one, two in (inside, inside[::-1]):
            yield "means", parsed(f"({one}).T @ ({two})"), None
            yield "means", parsed(f"({one}) @ ({two}).T"), None


def _reduced(node: ast.AST) -> ast.expr | None:
    """What is summed or averaged, where this is a call that does."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("sum", "mean")):
        return None
    if text_of(node.func.value) in ("np", "numpy"):
        return node.args[0] if node.args else None
    return node.func.value


def _entries(expression: ast.expr) -> Iterator[Made]:
    """The sum over the entries of which one is taken."""
    for node in ast.walk(expression):
        match node:
            case ast.Subscript(slice=ast.Tuple(elts=parts)):
                for k in [k for k, part in enumerate(parts) if isinstance(part, ast.Constant)]:
                    index = ", ".join(":" if m == k else text_of(p) for m, p in enumerate(parts))
                    axis = sum(isinstance(p, ast.Slice) for p in parts[:k])
                    summed = f"{text_of(node.value)}[{index}].sum(axis={axis})"
                    yield "sum-missing", _put(expression, node, parsed(summed)), None
            case _:
                pass


def _slices(expression: ast.expr) -> Iterator[Made]:
    """All that is sliced, or all but the first for all but the last."""
    cut = [n for n in ast.walk(expression) if isinstance(n, ast.Slice) and (n.lower or n.upper) and not n.step]
    for one in cut:
        match one:
            case ast.Slice(lower=ast.Constant(value=int(k)), upper=None):
                other = ast.Slice(None, ast.UnaryOp(ast.USub(), ast.Constant(k)))
            case ast.Slice(lower=None, upper=ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(k)))):
                other = ast.Slice(ast.Constant(k))
            case _:
                other = ast.Slice()
        yield "index", _put(expression, one, other), None
        yield "index", _put(expression, one, ast.Slice()), None
    if len(cut) > 1:
        yield "index", replaced(expression, lambda n: ast.Slice() if isinstance(n, ast.Slice) else None), None


def _unapplied(expression: ast.expr) -> Iterator[Made]:
    """Arguments for what a function of one argument makes of them; of two, the other way round."""
    for call in ast.walk(expression):
        match call:
            case ast.Call(func=ast.Name(), args=[one], keywords=[]) if not isinstance(one, ast.Starred):
                yield "derivative", _put_everywhere(expression, text_of(call), one), None
            case ast.Call(func=ast.Name(), args=[one, two], keywords=[]):
                yield "exchanged", _put(expression, call, ast.Call(call.func, [two, one], [])), None
            case _:
                pass


def _put(expression: ast.expr, node: ast.AST, made: ast.expr) -> ast.expr:
    """The expression with another one in the place of a node in it."""
    return replaced(expression, lambda n: made if n is node else None)


def _put_everywhere(expression: ast.expr, text: str, made: ast.expr) -> ast.expr:
    """The same in the places of all that is written so."""
    return replaced(expression, lambda n: made if text_of(n) == text else None)
