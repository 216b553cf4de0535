"""The short form of the gradient at the output, `(p - y) * factor`, recognised by what the program computed: by numbers, not by names.

Of softmax with cross-entropy, sigmoid with binary cross-entropy and the squared error, dL/d(what goes into the output function) is the
output minus the target, times the loss's factor (Bishop 2006: Pattern Recognition and Machine Learning, 4.3.6).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from engine.doctor.derive.tree.syntax_of import called
from engine.doctor.lineage.record.reading import Floats

CLOSE = 1e-9
ONE = {1.0: "1"}
NUMERATORS = {1.0: "1", 2.0: "2", 0.5: "0.5"}
SAID = {
    "softmax": "softmax with cross-entropy: p - y",
    "sigmoid": "sigmoid with binary cross-entropy: p - y",
    "": "squared error: output - target",
}


@dataclass(frozen=True)
class OutputLines:
    """The short form at the output: after which statement of the forward pass it stands, and its lines with the gradient's name in them.
    `at` is a statement of the same loop that comes after all that they read; where `through` is an expression, the gradient is that of
    what goes into the output function, and `after` the statement that calls it. Where the loss reads outputs that a loop before put
    together, `container` is what they are in, and `inside` what goes into the output function, by the statement that calls it; `after` is
    that loop, or of a loss that another loop adds up the first statement that reads the entry `through`, which has a `shape`."""

    after: ast.stmt
    at: ast.stmt
    lines: tuple[str, ...]
    why: str
    skipped: frozenset[ast.stmt]
    through: ast.expr | None = None
    container: str = ""
    shape: tuple[int, ...] = ()
    inside: Mapping[ast.stmt, ast.expr] = field(default_factory=dict[ast.stmt, ast.expr])


@dataclass(frozen=True, eq=False)
class OutputValue:
    """A value near the loss as the program writes it (`ps[t]`): what it was and dL/d(it), in every round of the loop in which it is made;
    no gradient of what nothing flows back to, as targets."""

    text: str
    values: tuple[Floats, ...]
    gradients: tuple[Floats, ...] = ()


@dataclass(frozen=True)
class ShortForm:
    """Lines that make dL/d(`of`), which is called `{0}` in them, and why."""

    of: str
    lines: tuple[str, ...]
    why: str


def short_form(
    values: Sequence[OutputValue],
    statements: Sequence[ast.stmt],
    counts: Mapping[str, int],
    whole: Mapping[str, tuple[int, ...]] | None = None,
) -> ShortForm | None:
    """The short form of the output, if it has one. `values` are in the order in which they were made, `statements` those that compute the
    loss of them, `counts` the names of whole numbers, `whole` what the loss reads that consists of whole numbers, with its shape."""
    values = [one for one in values if len({v.ndim for v in one.values}) == 1]
    for said, function in (("softmax", _log_softmaxes), ("sigmoid", _sigmoids), ("", _unchanged)):
        for source in (one for one in values if one.gradients):
            for output in values:
                with np.errstate(all="ignore"):  # most values are no output
                    written = function(source, output)
                if written is not None and (
                    found := _lines(source, written, output, values, statements, counts, whole or {})
                ):
                    return ShortForm(source.text, found, SAID[said])
    return None


def _lines(
    source: OutputValue,
    written: str,
    output: OutputValue,
    values: Sequence[OutputValue],
    statements: Sequence[ast.stmt],
    counts: Mapping[str, int],
    whole: Mapping[str, tuple[int, ...]],
) -> tuple[str, ...] | None:
    """The lines where dL/d(source) is a factor times the output less a target; `written` is the output's text."""
    outputs = output.values if written == output.text else tuple(map(np.exp, output.values))

    def divided(factor: float | None, numerators: Mapping[float, str]) -> tuple[str, str] | None:
        if factor is None:
            return None
        sizes = _sizes(outputs[0], written, statements, counts, squared=output is source)
        return _factor_text(factor, sizes, numerators)

    for target in values:
        if target is output or target is source or target.gradients or not _same_shapes(target.values, outputs):
            continue
        factor = _factor([p - y for p, y in zip(outputs, target.values, strict=True)], source.gradients)
        by = divided(factor, NUMERATORS if output is source else ONE)
        if by is not None:
            return (f"{{0}} = {_scaled(f'{written} - {target.text}', by)}",)
    by = divided(_one_hot(outputs, source.gradients), ONE)
    if by is None:
        return None
    labels = next((text for text, shape in whole.items() if shape == outputs[0].shape), None)
    if labels is not None:
        return (f"{{0}} = {_scaled(f'{written} - {labels}', by)}",)
    picked = _picked(output.text, statements)
    if picked is None:
        return None
    copied = f"{written}.copy()" if written == output.text else written
    number, size = by
    scaled = [f"{{0}} *= {number}"] if number else []
    scaled += [f"{{0}} /= {size.removeprefix('(').removesuffix(')') if _is_wrapped(size) else size}"] if size else []
    return (f"{{0}} = {copied}", f"{{0}}[{picked}] -= 1", *scaled)


def _log_softmaxes(source: OutputValue, output: OutputValue) -> str | None:
    """How the softmax of the source is written by means of the output: the output itself, or the exponential of its logarithm."""
    for text, function in ((output.text, _same), (f"np.exp({output.text})", np.exp)):
        for axes in _class_axes(source.values[0]):
            if not _same_shapes(source.values, output.values) or any(z.ndim <= axes for z in source.values):
                continue
            if _are([_softmax(z, axes) for z in source.values], list(map(function, output.values))):
                return text
    return None


def _sigmoids(source: OutputValue, output: OutputValue) -> str | None:
    return output.text if _are([1 / (1 + np.exp(-z)) for z in source.values], output.values) else None


def _unchanged(source: OutputValue, output: OutputValue) -> str | None:
    return output.text if source is output else None


def _same(u: Floats) -> Floats:
    return u


def _softmax(z: Floats, axis: int | None) -> Floats:
    e = np.exp(z - z.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def _class_axes(z: Floats) -> Iterator[int]:
    yield from (axis for axis in reversed(range(z.ndim)) if z.shape[axis] > 1)


def _same_shapes(some: Sequence[Floats], others: Sequence[Floats]) -> bool:
    return len(some) == len(others) and all(a.shape == b.shape for a, b in zip(some, others, strict=True))


def _are(some: Sequence[Floats], others: Sequence[Floats]) -> bool:
    """Whether arrays have the same shapes and numbers."""
    return _same_shapes(some, others) and all(
        np.allclose(a, b, rtol=CLOSE, atol=1e-300) for a, b in zip(some, others, strict=True)
    )


def _factor(parts: Sequence[Floats], gradients: Sequence[Floats]) -> float | None:
    """The one number by which the parts are multiplied to give the gradients; None where there is none."""
    if not _same_shapes(parts, gradients):
        return None
    d, g = (np.concatenate([one.ravel() for one in some]) for some in (parts, gradients))
    if not np.any(d) or not np.any(g):
        return None
    factor = float(d @ g / (d @ d))
    return factor if np.linalg.norm(g - factor * d) <= CLOSE * np.linalg.norm(g) else None


def _one_hot(outputs: Sequence[Floats], gradients: Sequence[Floats]) -> float | None:
    """The factor, where the gradients are a factor times the outputs less a target of ones and zeros."""
    if not _same_shapes(outputs, gradients):
        return None
    p, g = (np.concatenate([one.ravel() for one in some]) for some in (outputs, gradients))
    if not (p.all() and g.all() and np.all(p < 1)):
        return None
    for ones in (g < 0, g > 0):
        factors = g / np.where(ones, p - 1, p)
        if ones.any() and np.allclose(factors, factors[0], rtol=CLOSE, atol=0):
            return float(factors[0])
    return None


def _picked(text: str, statements: Sequence[ast.stmt]) -> str | None:
    """With which index the statements that compute the loss read the output's entries: `np.arange(m), y`."""
    inside = f"{text[:-1]}, " if text.endswith("]") else ""
    for statement in statements:
        nodes = [n for n in ast.walk(statement) if not isinstance(getattr(n, "ctx", None), ast.Store)]
        parts = {id(n.value) for n in nodes if isinstance(n, ast.Subscript)}
        if any(id(n) in parts and isinstance(n, ast.Subscript) and ast.unparse(n.value) == text for n in nodes):
            return None  # `p[0][k]`: a part of a part
        for node in nodes:
            if inside and isinstance(node, ast.Subscript) and (whole := ast.unparse(node)).startswith(inside):
                return whole[len(inside) : -1]
            if isinstance(node, ast.Subscript) and ast.unparse(node.value) == text:
                index = ast.unparse(node.slice)
                return index[1:-1] if isinstance(node.slice, ast.Tuple) and index.startswith("(") else index
    return None


def _factor_text(
    factor: float, sizes: Sequence[tuple[str, int]], numerators: Mapping[float, str]
) -> tuple[str, str] | None:
    """What `p - y` is multiplied by and divided by, "" for 1; None where it is not known what the factor is."""
    sign = "" if factor > 0 else "-"
    for text, size in sizes:
        for number, shown in numerators.items():
            if abs(number / abs(factor) - size) <= CLOSE * size:
                return ("" if number == 1.0 and not sign else f"{sign}{shown}"), text
    return None


def _scaled(text: str, by: tuple[str, str]) -> str:
    number, size = by
    inner = f"({text})" if number or size else text
    return f"{f'{number} * ' if number else ''}{inner}{f' / {size}' if size else ''}"


def _is_wrapped(text: str) -> bool:
    """Whether one pair of brackets is around the whole text."""
    return text.startswith("(") and text.endswith(")") and ast.unparse(ast.parse(text, mode="eval")) == text[1:-1]


def _sizes(
    output: Floats, written: str, statements: Sequence[ast.stmt], counts: Mapping[str, int], *, squared: bool
) -> list[tuple[str, int]]:
    """What a loss may be divided by, the likeliest first: the counts that its statements read, the output's size or length, other
    counts, and products of two."""
    read = {node.id for statement in statements for node in ast.walk(statement) if isinstance(node, ast.Name)}
    own = [(f"{written}.size", output.size), (f"len({written})", len(output) if output.ndim else 0)]
    named = [(name, number) for name, number in counts.items() if name in read or not name.isidentifier()]
    others = [(name, number) for name, number in counts.items() if name not in read and name.isidentifier()]
    means = any(called(n) == "mean" for s in statements for n in ast.walk(s) if isinstance(n, ast.Call))
    first = [*own, *named] if squared else [*named, *own]
    first = first if means else [("", 1), *named, *own]
    alone = [(text, size) for text, size in (*first, *others) if size > 1 or not text]
    alone += [("", 1)] if means else []
    alone += [(f"{written}.shape[{axis}]", size) for axis, size in enumerate(output.shape) if axis and size > 1]
    return alone + [(f"({one} * {other})", m * n) for (one, m), (other, n) in combinations(alone, 2) if one and other]
