"""A hypothesis about what someone's backward pass does, and its comparison with what was measured.

A hypothesis is refuted at the first gradient that differs, in the order of the backward pass, and gradients are kept by the edits they
depend on; so of many thousand pairs few are computed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np

from engine.doctor.mistakes.variants.catalogue import RANKS
from engine.doctor.mistakes.variants.edited_backward import Edits, Executor
from engine.doctor.mistakes.variants.tree_edits import Variation
from engine.doctor.reference.problem import Measurement, Problem

TOLERANCE = 1e-9
"""Of the largest gradient: gradients that differ by less are the same."""
ORDER = ("by", "Wy", "ba", "Wa", "Wx")
"""In which gradients are compared: what few mistakes reach first, what is cheap first."""


@dataclass(frozen=True, eq=False)
class Hypothesis:
    """Variations that act together, and the gradients for which those hold that were not made for all of them."""

    variations: tuple[Variation, ...]
    chosen: Mapping[str, Edits] = field(default_factory=dict[str, Edits])
    kept: frozenset[str] = frozenset()

    @property
    def ids(self) -> tuple[str, ...]:
        """The mistakes' ids in the order of the catalogue."""
        return tuple(sorted({v.id for v in self.variations}, key=RANKS.__getitem__))

    def with_kept(self, names: frozenset[str]) -> Hypothesis:
        """The same, and gradients that are kept from call to call."""
        kept = Variation("gradients-not-reset", ())
        return replace(self, variations=(*self.variations, kept), kept=names)

    @property
    def preference(self) -> tuple[int, int, tuple[int, ...]]:
        """Usual ways before unusual ones, then the catalogue's order; a bias alone is first of all not summed."""
        unusual = sum(v.rank + 2 * self._on_bias_alone(v) for v in self.variations)
        return len(self.variations), unusual, tuple(RANKS[id] for id in self.ids)

    def _on_bias_alone(self, variation: Variation) -> bool:
        names = {n for n, edits in self.chosen.items() if any(edit in edits for edit in variation.edits)}
        return variation.each and names <= {"ba", "by"}


class VariantComparison:
    """A measurement beside the reference and its variants on one problem."""

    def __init__(self, problem: Problem, measured: Measurement) -> None:
        self.problem = problem
        self.measured = measured
        self.executor = Executor(problem)
        reference = self.executor.gradients()
        self.scale = max(float(np.abs(value).max()) for value in reference.values())
        self.names = tuple(
            name
            for name in ORDER
            if name in measured.gradients and np.shape(measured.gradients[name]) == reference[name].shape
        )
        self._agrees: dict[tuple[str, Edits], bool] = {}
        self._losses: dict[Edits, bool] = {}

    def agrees(self, name: str, edits: Edits) -> bool:
        """Whether a gradient is the measured one."""
        key = name, self.executor.key(name, edits)
        if key not in self._agrees:
            self._agrees[key] = self.difference(name, edits) <= TOLERANCE * self.scale
        return self._agrees[key]

    def difference(self, name: str, edits: Edits = ()) -> float:
        """The largest difference to the measured gradient."""
        with np.errstate(all="ignore"):
            found = np.abs(self.executor.gradient(name, edits) - self.measured.gradients[name]).max()
        return float(found) if np.isfinite(found) else float("inf")

    def agrees_in_loss(self, edits: Edits) -> bool:
        """Whether the loss is the measured one; true when none was measured."""
        if self.measured.loss is None:
            return True
        key = self.executor.key("loss", edits)
        if key not in self._losses:
            ours, theirs = self.executor.loss(key), self.measured.loss
            self._losses[key] = bool(np.isclose(ours, theirs, rtol=1e-8, atol=1e-10, equal_nan=True))
        return self._losses[key]

    def fit(self, own: tuple[Variation, ...], *, loss: bool = True) -> Hypothesis | None:
        """The variations as a hypothesis if they explain the measurement."""
        whole = tuple(edit for variation in own for edit in variation.edits)
        if loss and not self.agrees_in_loss(whole):
            return None
        chosen: dict[str, Edits] = {}
        for name in self.names:
            edits = next((edits for edits in choices(own, name) if self.agrees(name, edits)), None)
            if edits is None:
                return None
            chosen[name] = edits
        return Hypothesis(own, chosen)

    def residual(self, hypothesis: Hypothesis) -> float:
        """The largest difference that a hypothesis leaves, relative to the largest gradient."""
        return max(self.difference(name, edits) for name, edits in hypothesis.chosen.items()) / self.scale

    @property
    def right(self) -> bool:
        """Whether loss and gradients are the reference's."""
        return self.agrees_in_loss(()) and all(self.agrees(name, ()) for name in self.names)


def choices(own: tuple[Variation, ...], name: str) -> Iterator[Edits]:
    """The edits for one gradient: with and without those that may have been made for some gradients only."""
    options: list[tuple[Edits, ...]] = []
    for variation in own:
        edits = variation.edits
        if variation.each:
            edits = tuple(e for e in edits if e.stage.removeprefix("sum ") == f"d{name}")
        options.append((edits, ()) if variation.each and edits else (edits,))
    for combination in product(*options):
        yield tuple(edit for edits in combination for edit in edits)
