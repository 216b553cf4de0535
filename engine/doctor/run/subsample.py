"""Runs a script on fewer samples or time steps than it has, where its whole run is more than can be examined.

Data arrays are cut when they are assigned, and numbers in the text that are their lengths are changed too, so that both
agree. Where they do not, the script fails and is not examined.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np

from engine.doctor.read.kinds import is_array, is_sequence, is_whole
from engine.doctor.vocabulary import roles
from engine.language.functions import Array

MANY, LONG = 12, 64
"""Samples above which a run of too many is cut; time steps above which mistakes are looked for in fewer."""
SAMPLES, STEPS = 7, 11
"""The numbers they are reduced to: sizes that hardly any other axis has."""
TOGETHER = 800
"""Samples times time steps whose values can all be recorded."""

DataShapes = Mapping[str, Sequence[tuple[int, ...]]]
"""The shapes that were assigned to each target that means data."""


@dataclass(frozen=True)
class Subsample:
    """How lengths of data change, the new ones by the old: numbers of samples, and of time steps; `double` makes single
    precision double. `targets` mean data."""

    targets: frozenset[str]
    samples: Mapping[int, int] = field(default_factory=dict[int, int])
    steps: Mapping[int, int] = field(default_factory=dict[int, int])
    double: bool = True

    @property
    def words(self) -> str:
        """What was done, for people."""
        parts = [f"{new} of its {old} samples" for old, new in list(self.samples.items())[-1:]]
        parts += [f"{new} of its {old} time steps" for old, new in list(self.steps.items())[:1]]
        return f"examined in another run {'on ' + ' and '.join(parts) if parts else 'in double precision'}"

    @property
    def ratios(self) -> tuple[float, ...]:
        """How many times fewer samples there are."""
        return tuple(old / new for old, new in self.samples.items())

    def to_request(self) -> dict[str, Any]:
        """As it is sent to the worker."""
        most = min(self.samples.values(), default=0)
        lengths = {**self.samples, **self.steps}
        return {"lengths": lengths, "targets": sorted(self.targets), "samples": most, "double": self.double}


def data_targets(targets: Collection[str]) -> frozenset[str]:
    """Of what is assigned to, what is called inputs or targets."""
    return frozenset(t for t in targets if t and _role(t) in ("X", "y"))


def _role(target: str) -> str | None:
    name = target.replace('"', "'")
    key = name.rpartition("['")[2].removesuffix("']") if name.endswith("']") else name
    return roles.role(key.removeprefix("self."))


Further = Callable[[DataShapes, Subsample | None], Subsample | None]
"""From the data's shapes and the cut that worked before to another one; None where there is nothing to cut."""


def fewer_samples(shapes: DataShapes, cut: Subsample | None) -> Subsample | None:
    """The cut to a few samples: along the lengths that inputs and targets share; None where they are short."""
    shared = _shared(shapes)
    if not shared:
        return None
    longest = max((n for listed in shapes.values() for s in listed for n in s[1:] if n not in shared), default=1)
    samples = _free(max(3, min(SAMPLES, TOGETHER // longest)), shapes)
    return replace(
        cut or Subsample(frozenset(shapes)), samples={n: samples + 2 * k for k, n in enumerate(sorted(shared))}
    )


def fewer_steps(shapes: DataShapes, cut: Subsample | None) -> Subsample | None:
    """The same cut along all other long axes too; None where there are none. A multiple of a length stays one."""
    known = cut or Subsample(frozenset(shapes))
    sizes = {size for listed in shapes.values() for shape in listed for size in shape}
    lengths: dict[int, int] = {}
    for size in sorted(size for size in sizes - _shared(shapes) if size > LONG):
        unit = next((other for other in lengths if size % other == 0), None)
        lengths[size] = lengths[unit] * (size // unit) if unit else _free(STEPS + 2 * len(lengths), shapes)
    return replace(known, steps=lengths) if lengths else None


def in_double(shapes: DataShapes, cut: Subsample | None) -> Subsample | None:
    """The same script in double precision: every smaller run is in double precision."""
    return None if cut is not None else Subsample(frozenset(shapes))


def _shared(shapes: DataShapes) -> set[int]:
    """The lengths that inputs and targets share: numbers of samples, with a target at every step those of steps too."""
    sizes: dict[str, set[int]] = {"X": set(), "y": set()}
    for target, listed in shapes.items():
        sizes[_role(target) or "X"] |= {size for shape in listed for size in shape}
    return {size for size in sizes["X"] & sizes["y"] if size > MANY}


def _free(size: int, shapes: DataShapes) -> int:
    """The size itself, or one near it that no axis of the data has."""
    taken = {n for listed in shapes.values() for shape in listed for n in shape}
    return next(n for n in range(size, size + 99, 2) if n not in taken)


# In the process that runs the script


@dataclass
class Shortener:
    """Notes the shapes of data arrays when they are assigned, and cuts them."""

    targets: frozenset[str]
    lengths: Mapping[int, int] = field(default_factory=dict[int, int])
    samples: int = 0
    double: bool = False
    shapes: dict[str, list[tuple[int, ...]]] = field(default_factory=dict[str, list[tuple[int, ...]]])
    _counts: dict[str, tuple[int, tuple[int, ...]]] = field(default_factory=dict[str, tuple[int, tuple[int, ...]]])

    def taken(self, target: str, names: Sequence[str], value: Any) -> Any:
        """What is to be assigned in a value's place."""
        if names and not target and is_sequence(value):
            whole = len(value) == len(names)
            parts = [self._one((name,), item) for name, item in zip(names, value, strict=False)]
            return (tuple(parts) if isinstance(value, tuple) else parts) if whole else value
        return self._one((target, *names), value)

    def appended(self, target: str, item: Any) -> None:
        """Notes that a list of data has grown by an item."""
        if target in self.targets:
            self._counts[target] = count, inner = self._counts.get(target, (0, ()))[0] + 1, np.shape(item)
            self.shapes[target] = [(count, *inner)]

    def _one(self, targets: Sequence[str], value: Any) -> Any:
        if is_whole(value) and not isinstance(value, bool):
            return self.lengths.get(int(value), value)
        data = next((target for target in targets if target in self.targets), None)
        if data is None:
            return value
        if is_array(value):
            self._note(data, value.shape)
            return self._shorter(value)
        if is_sequence(value) and len(value) > MANY:
            first: Any = value[0]
            self._note(
                data, (len(value), *(first.shape if is_array(first) else (len(first),) if is_sequence(first) else ()))
            )
            kept = [value[k] for k in self._places(len(value))]
            return tuple(kept) if isinstance(value, tuple) else kept
        return value

    def _note(self, target: str, shape: tuple[int, ...]) -> None:
        known = self.shapes.setdefault(target, [])
        if shape not in known and len(known) < 8:
            known.append(shape)

    def _places(self, length: int) -> list[int]:
        """Which entries are left: spread evenly, for data are often sorted."""
        return [int(k) for k in np.linspace(0, length - 1, self.lengths.get(length, length))]

    def _shorter(self, value: Array) -> Array:
        for axis, length in enumerate(value.shape):
            if length in self.lengths:
                value = value.take(self._places(length), axis=axis)
        return value

    def rewritten(self, tree: ast.Module) -> ast.Module:
        """The program with the numbers in it that are lengths changed, and the size of a batch no more than there are samples."""
        return cast("ast.Module", _Numbers(self).visit(tree)) if self.lengths or self.double else tree


class _Numbers(ast.NodeTransformer):
    def __init__(self, shortener: Shortener) -> None:
        self.lengths, self.samples = shortener.lengths, shortener.samples
        self.kinds = {"float32": "float64", "single": "double", "f4": "f8"} if shortener.double else {}

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        node.attr = self.kinds.get(node.attr, node.attr)
        return self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        value = node.value
        if isinstance(value, str) and value in self.kinds:
            return ast.copy_location(ast.Constant(self.kinds[value]), node)
        if type(value) in (int, float) and (new := self.lengths.get(cast("int", value))) is not None:
            return ast.copy_location(ast.Constant(float(new) if isinstance(value, float) else new), node)
        return node

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        for target in node.targets:
            pairs = [(target, node.value)]
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = list(zip(target.elts, node.value.elts, strict=False))
            for name, value in pairs:
                if isinstance(name, ast.Name | ast.Attribute):
                    self._batch(name.id if isinstance(name, ast.Name) else name.attr, value)
        return self.generic_visit(node)

    def visit_keyword(self, node: ast.keyword) -> ast.AST:
        self._batch(node.arg or "", node.value)
        return self.generic_visit(node)

    def visit_arguments(self, node: ast.arguments) -> ast.AST:
        positional = [*node.posonlyargs, *node.args]
        for argument, default in _defaults(positional, node.defaults):
            self._batch(argument.arg, default)
        for argument, default in zip(node.kwonlyargs, node.kw_defaults, strict=True):
            if default is not None:
                self._batch(argument.arg, default)
        return self.generic_visit(node)

    def _batch(self, name: str, value: ast.expr) -> None:
        """A number of samples that is more than there are is made as many."""
        if not self.samples or roles.role(name) != "B" or not isinstance(value, ast.Constant):
            return
        if type(value.value) is int and value.value not in self.lengths:
            value.value = min(value.value, self.samples)


def _defaults(arguments: Sequence[ast.arg], defaults: Sequence[ast.expr]) -> Iterator[tuple[ast.arg, ast.expr]]:
    return zip(arguments[len(arguments) - len(defaults) :], defaults, strict=True)
