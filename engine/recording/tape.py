"""The tape: everything that one iteration computed, one read-only array per quantity, time first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from engine.language.derive import NEXT, OUT, gradient
from engine.language.evaluate import evaluate
from engine.language.expression import Name
from engine.language.functions import Array
from engine.model.blocks import Line
from engine.model.program import carried_over
from engine.recording.figures import row_norms
from engine.recording.plan import Plan
from engine.recording.pooling import Pooled
from engine.recording.segments import Segments
from engine.remembered import remembered
from engine.tables.given import GIVEN, MASK
from engine.tables.optimizers import UPDATE_NUMBER

POOLED_KEPT = 128
PARTIALS_KEPT = 32
"""Partial gradients kept at a time: a screen asks for the same few again and again."""


@dataclass(frozen=True, eq=False)
class Tape:
    """The recording of one iteration.

    `tape["da"]` is a recorded array by its name in ARCHITECTURE.md's table (shapes there), a parameter, or a flow (`da_out`, `da_next`)
    that is derived when asked for. All arrays are read-only.
    """

    plan: Plan
    arrays: Mapping[str, Array]
    parameters: Mapping[str, Array]
    updates_before: int = 0
    kept: Mapping[str, Array] = field(default_factory=dict[str, Array])
    """What the optimizer kept of the iteration before: none before the first."""
    samples: Array | None = None
    """Which samples of the data the batch holds, (B,) indices; None: all of them in order."""
    change_update: Callable[[str, Array], None] | None = None
    """Alters what a line of the update has written: a number put in to see what follows from it."""
    _sums: dict[str, tuple[int, Array]] = field(default_factory=dict[str, tuple[int, Array]], init=False, repr=False)
    _pooled: dict[tuple[str, int, int | None], Array] = field(
        default_factory=dict[tuple[str, int, int | None], Array], init=False, repr=False
    )
    _partials: dict[tuple[str, int], Array] = field(
        default_factory=dict[tuple[str, int], Array], init=False, repr=False
    )

    drawn: ClassVar[Callable[[Tape], str] | None] = None
    """Draws a recording as HTML, where a front end that can has been imported."""

    def __repr__(self) -> str:
        size = f"T = {self.plan.steps}, {self.plan.batch} samples"
        return f"<Tape: {self.plan.network.description}, {size}, loss {self.loss:.6g}>"

    def _repr_html_(self) -> str | None:
        return None if Tape.drawn is None else Tape.drawn(self)

    def __getitem__(self, name: str) -> Array:
        for place in (self.arrays, self.parameters):
            if name in place:
                return place[name]
        if name in self.plan.program.updates:
            return self.updates[name]
        flow = self._flow(name)
        if flow is None:
            raise KeyError(name)
        return flow

    def __contains__(self, name: str) -> bool:
        recorded = name in self.arrays or name in self.parameters or name in self.plan.program.updates
        return recorded or self._flow(name) is not None

    @property
    def loss(self) -> float:
        """The loss, as a plain number."""
        return float(self.arrays["loss"])

    @cached_property
    def gradients(self) -> Mapping[str, Array]:
        """dL/dparameter by the parameter's name."""
        return MappingProxyType({name: self.arrays[gradient(name)] for name in self.parameters})

    @cached_property
    def updates(self) -> Mapping[str, Array]:
        """What the update's lines write: the new parameters by their names, and the update's quantities (`dWa_clipped`, `vWa`, `gnorm`)."""
        kept = {name: self.before(name) for name in carried_over(self.plan.program)}
        gradients = {gradient(name): value for name, value in self.gradients.items()}
        before = {**self.parameters, **gradients, **kept}
        return MappingProxyType(self.plan.update(before, self.updates_before + 1, self.change_update))

    def before(self, name: str) -> Array:
        """A parameter or an optimizer's quantity as the iteration before left it; zero before the first."""
        if name in self.parameters:
            return self.parameters[name]
        if name in self.kept:
            return self.kept[name]
        return np.zeros(self.plan.shape(self.plan.program.updates[name]), self.plan.network.dtype)

    @property
    def kept_after(self) -> Mapping[str, Array]:
        """What the optimizer keeps for the next iteration."""
        return {name: self.updates[name] for name in carried_over(self.plan.program)}

    @property
    def lengths(self) -> Array | None:
        """(B,) the time steps of each sample where they differ, else None."""
        return self.arrays[MASK].sum(axis=0).astype(np.int64) if MASK in self.arrays else None

    @cached_property
    def clipped_entries(self) -> tuple[int, int]:
        """How many entries of all gradients are at the limit of clipping by value, and how many there are."""
        limit = self.plan.network.clip_value
        clipped = [self.updates[f"{gradient(name)}_clipped"] for name in self.parameters] if limit is not None else []
        return sum(int((np.abs(array) >= limit).sum()) for array in clipped), sum(array.size for array in clipped)

    @cached_property
    def padding(self) -> Array | None:
        """(T+1, B) True where step t is beyond the sample's length (row 0 never is); None when no sample is short."""
        if MASK not in self.arrays:
            return None
        mask = self.arrays[MASK]
        return np.concatenate([np.zeros_like(mask[:1], dtype=bool), mask == 0])

    @remembered
    def norms(self, name: str, sample: int | None = None) -> Array:
        """‖row‖ over samples and units (or one sample's units) for each row of a quantity in time, (T,) or (T+1,)."""
        if isinstance(self.arrays, Segments) and (norms := self.arrays.norms(name, sample)) is not None:
            return norms
        return row_norms(self[name] if sample is None else self[name][:, sample])

    @remembered
    def norms_by_sample(self, name: str) -> Array:
        """‖row‖ over units for each row and sample of a quantity in time, (T, B) or (T+1, B)."""
        if isinstance(self.arrays, Segments) and name in self.plan.program.quantities:
            return np.stack([self.norms(name, sample) for sample in range(self.plan.batch)], axis=1)
        rows = np.asarray(self[name])
        return row_norms(rows.reshape(-1, *rows.shape[2:])).reshape(rows.shape[:2])

    def finite(self, name: str) -> Array:
        """Whether each row of a quantity in time holds finite numbers alone, (T,) or (T+1,); of another quantity whether all of it does."""
        if isinstance(self.arrays, Segments) and (finite := self.arrays.finite(name)) is not None:
            return finite
        finite = np.isfinite(self[name])
        if not self.plan.program.quantities[name].rows:
            return np.asarray(finite.all())
        return np.asarray(finite.reshape(len(finite), -1).all(axis=1))

    @remembered
    def scale(self, name: str) -> float:
        """The largest finite magnitude of a quantity over all its rows, for one colour scale over time; 1.0 when there is none."""
        if isinstance(self.arrays, Segments) and (scale := self.arrays.scale(name)):
            return scale
        magnitude = np.abs(self[name])
        largest = float(magnitude.max(initial=0.0))
        if not np.isfinite(largest):
            largest = float(magnitude[np.isfinite(magnitude)].max(initial=0.0))
        return largest or 1.0

    @remembered
    def depth(self, name: str) -> float:
        """The largest magnitude of the smallest row that is not all zero, as a share of `scale`: the range that a
        logarithmic colour scale must cover."""
        if isinstance(self.arrays, Segments) and (depth := self.arrays.depth(name)):
            return depth
        magnitude = np.abs(self[name])
        largest = magnitude.reshape(len(magnitude) if magnitude.ndim > 1 else 1, -1).max(axis=1, initial=0.0)
        rows = largest[np.isfinite(largest) & (largest > 0)]
        return float(rows.min()) / self.scale(name) if rows.size else 1.0

    def pooled(self, name: str, columns: int, sample: int | None = None) -> Array:
        """(columns, units): all steps (`Program.span`) of a quantity in time, gathered by `Pooled`; steps beyond a sample's length count as
        zero.

        All samples together, or one of them. With checkpoints one pass over the segments serves all quantities.
        """
        key = name, columns, sample
        if key not in self._pooled:
            if len(self._pooled) > POOLED_KEPT:
                self._pooled.clear()
            recorded = [n for n, q in self.plan.program.quantities.items() if q.rows]
            together = recorded if isinstance(self.arrays, Segments) and name in recorded else [name]
            self._pooled.update(
                {
                    (quantity, columns, sample): columns_of
                    for quantity, columns_of in self._pool(together, columns, sample)
                }
            )
        return self._pooled[key]

    def _pool(self, together: list[str], columns: int, sample: int | None) -> Iterator[tuple[str, Array]]:
        program, padding = self.plan.program, self.padding
        rows = len(program.span)
        sources = {name: self[name] for name in together}
        pools = {name: Pooled(rows, columns, a.shape[2] if a.ndim > 2 else 1, a.dtype) for name, a in sources.items()}
        beyond = [(self.plan.steps, self.plan.steps + 1)] if program.span[-1] > self.plan.steps else []
        for low, high in [(-1, 0), *self.plan.bounds, *beyond]:
            for name, source in sources.items():
                held = program.steps_of(name)
                first = held.start
                block = source[low + 1 - first : high + 1 - first] if low + 1 in held else np.zeros_like(source[:1])
                block = block if block.ndim > 2 else block[..., None]
                if padding is not None and name not in GIVEN and high <= self.plan.steps:
                    block = np.where(padding[low + 1 : high + 1, :, None], 0, block)
                pools[name].add(block if sample is None else block[:, sample : sample + 1], low + 1)
        for name, pool in pools.items():
            yield name, pool.values

    def at(self, name: str, t: int | None = None) -> Array:
        """The row of a quantity at step t (the whole array for what is not in time): a view, nothing is copied."""
        steps = self.plan.program.steps_of(name)
        return self[name] if not steps or t is None else self[name][t - steps.start]

    def partial(self, name: str, t: int) -> Array:
        """A gradient that accumulates over time, as far as it is summed when step t is done."""
        line = next(self.plan.program.writers(name))
        if not line.equation.accumulate or t == self.plan.program.summed(line)[-1]:
            return self[name]
        if (name, t) not in self._partials:
            if len(self._partials) > PARTIALS_KEPT:
                self._partials.clear()
            partial = self.arrays.partial(name, t) if isinstance(self.arrays, Segments) else self._summed(name, t)
            self._partials[name, t] = partial
        return self._partials[name, t]

    def _summed(self, name: str, t: int) -> Array:
        """`Plan.gradient`, continued from the sum of the last call: steps are mostly asked for one after another."""
        prepared = self.plan
        values = {**self.arrays, **self.parameters}
        block = prepared.program.blocks[next(prepared.program.writers(name)).block]
        spans = prepared.spans(block)
        number = next(n for n, (low, high) in enumerate(spans) if low < t <= high)
        done, above = self._sums.get(name, (0, np.zeros_like(self[name])))
        if done > number:
            done, above = 0, np.zeros_like(self[name])
        with np.errstate(all="ignore"):
            above = above.copy()
            for low, high in spans[done:number]:
                prepared.add_terms({**values, name: above}, name, low, high)
            self._sums[name] = number, above
            result = above.copy()
            rows = prepared.reached(block, spans[number], t)
            prepared.add_terms({**values, name: result}, name, rows.start, rows.stop)
        result.flags.writeable = False
        return result

    def lookup(self, name: Name, t: int | None, sample: int | None = None) -> Any:
        """What a name in a line stands for when the line runs at step t; with `sample`, that sample's row of what has a batch axis."""
        if name.name in self.plan.sizes:
            return self.plan.sizes[name.name]
        if name.name == UPDATE_NUMBER:
            return self.updates_before + 1
        if name.name in self.plan.network.hyperparameters:
            return self.plan.network.hyperparameters[name.name]
        step = t + name.step if t is not None else name.step or None
        steps = self.plan.program.steps_of(name.name)
        if step is not None and steps and step not in steps:
            return np.zeros_like(self.at(name.name, steps[-1]))  # beyond the first and the last step there is nothing
        value = self.at(name.name, step)
        if sample is not None and self.plan.axes[name.name][:1] == ("B",):
            return value[sample : sample + 1]
        return value

    def update_lookup(self, name: Name) -> Any:
        """What a name stands for in a line of the update into which a parameter's name has been put."""
        if name.step < 0:
            return self.before(name.name)
        return self.updates[name.name] if name.name in self.updates else self.lookup(name, None)

    def term(self, line: Line, t: int | None, sample: int | None = None) -> Array:
        """What one run of a line computes, evaluated afresh.

        For a gradient that accumulates this is the term of step t, `dWa@t`, and with a sample that sample's term of it, `dWa@t,b`.
        """
        with np.errstate(all="ignore"):
            return np.asarray(
                evaluate(line.equation.expression, lambda name: self.lookup(name, t, sample), self.plan.axes)
            )

    def _flow(self, name: str) -> Array | None:
        """A flow that no line writes because it is the whole gradient or zero: da_out, da_next."""
        for suffix in (OUT, NEXT):
            base = name.removesuffix(suffix)
            if base == name or base not in self.arrays:
                continue
            program = self.plan.program
            quantity, written = program.quantities[base], np.zeros(len(self.arrays[base]), bool)
            for line in program.writers(base):
                from_next = program.blocks[line.block].in_time and line.equation.step != 0
                if from_next == (suffix == NEXT):
                    written[np.array(program.summed(line)) + line.equation.step - quantity.first] = True
            if isinstance(self.arrays, Segments):
                return self.arrays.where(written, base)
            result = np.where(written[:, None, None], self.arrays[base], 0)
            result.flags.writeable = False
            return result
        return None
