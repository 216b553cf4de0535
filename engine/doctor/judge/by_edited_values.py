"""Where a named mistake is: the line whose recorded value is the wrong one that the mistake's own variant computes.

The hypothesis is carried out with and without the mistake; the first value of the concerned line that it changes is looked for among
the recorded ones, up to the order of axes, as computed for all samples or for one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy
from functools import cached_property

import numpy as np

from engine.doctor.judge.recorded_run import CLOSE, FLOW, Hit, RecordedRun, gradient_of, is_computed
from engine.doctor.judge.timeline import Timeline
from engine.doctor.mistakes.variants.edited_backward import BACK, Edits, LineEdit, SumEdit
from engine.doctor.mistakes.variants.edited_trace import EditedTrace, TracedLine
from engine.doctor.mistakes.variants.hypotheses import Hypothesis, VariantComparison
from engine.doctor.mistakes.variants.tree_edits import Variation, before_last_step, scaled
from engine.doctor.run.events import Event
from engine.doctor.run.instrument import Site
from engine.doctor.vocabulary import roles
from engine.doctor.vocabulary.targets import base_name
from engine.language.functions import Array

_LAST_LOSS = scaled("dlogits", "*", "0", before_last_step)
"""With it, only the last step's loss sends a gradient back."""


class Locator(RecordedRun):
    """What a hypothesis says the recorded values of a run should be, and the lines that made them."""

    def __init__(
        self,
        line_up: Timeline,
        loops: Sequence[tuple[int, str]],
        sites: Sequence[Site],
        main: str,
        comparison: VariantComparison,
        hypothesis: Hypothesis,
    ) -> None:
        super().__init__(line_up, loops, sites, main, np.size(comparison.executor.values["a"][0]))
        self.executor = comparison.executor
        self.hypothesis = hypothesis
        self.extra: Edits = ()

    @cached_property
    def trace(self) -> EditedTrace:
        """What the hypothesis computes."""
        return self.trace_without(())

    def trace_without(self, without: Iterable[Variation]) -> EditedTrace:
        """What the hypothesis computes when some of its mistakes are left out."""
        left_out = {id(edit) for variation in without for edit in variation.edits}
        chosen = {
            name: tuple(edit for edit in edits if id(edit) not in left_out)
            for name, edits in self.hypothesis.chosen.items()
        }
        common = tuple(e for v in self.hypothesis.variations if not v.each and v not in without for e in v.edits)
        chosen = {name: (*edits, *self.extra) for name, edits in chosen.items()}
        return EditedTrace(self.executor, chosen, (*common, *self.extra))

    def _of_last_loss(self) -> Locator | None:
        """The same for what the last step's loss alone sends back, where that is what the program computes; else None."""
        steps = self.executor.steps
        if not self.executor.every or steps < 3:
            return None
        alone = copy(self)
        alone.extra = (_LAST_LOSS,)
        alone.__dict__.pop("trace", None)
        theirs, ours = alone.trace.get("dz", steps - 1), self.trace.get("dz", steps - 1)
        if theirs is None or ours is None or not self.hits(theirs, self.backward, exact=False):
            return None
        return None if self.hits(ours, self.backward, exact=False) else alone

    def by_value(self, variation: Variation) -> int | None:
        """The line whose recorded value is the first one that the mistake makes wrong."""
        before = self.trace_without((variation,))
        stages = [edit.stage for edit in variation.edits if isinstance(edit, LineEdit | SumEdit)]
        flow = [stage for stage in FLOW if stage in stages]
        if flow and (found := self._between(variation, flow[0])) is not None:
            return found
        if flow:
            averaging = variation.id.startswith("batch-")
            first, rest = FLOW[FLOW.index(flow[0]) :][:1], FLOW[FLOW.index(flow[0]) :]
            if first == ("dlogits",) and (found := self._in_flow(first, before, averaging=averaging)) is not None:
                return found
            own = self._of_last_loss() or self
            before = own.trace_without((variation,))
            slope = own._slope(before) if "dz" in flow else None
            return slope or own._in_flow((*rest, "dz"), before, averaging=averaging)
        own = [s.removeprefix("sum ") for s in stages]
        changed = [s for s in dict.fromkeys(own) if self.is_changed(s, before)]
        if (found := self._scaled_delta(changed, before)) is not None:
            return found
        for stage in changed:
            if (found := self._in_sum(stage, before)) is not None:
                return found
        return None

    def _between(self, variation: Variation, stage: str) -> int | None:
        """Of two mistakes about one line, of which one comes first: what that one alone makes of it."""
        others = tuple(
            v for v in self.hypothesis.variations if v is not variation and any(e.stage == stage for e in v.edits)
        )
        if not others:
            return None
        alone = self.trace_without(others)
        step = _first_difference(stage, alone, self.trace_without((variation, *others)))
        hits = self._wanted(step, alone, exact=True) if step is not None and np.any(step.value) else []
        return hits[0].event.site.line if hits else None

    def is_changed(self, stage: str, before: EditedTrace) -> bool:
        """Whether a gradient is another without the mistake."""
        own, other = list(self.trace.of(f"sum {stage}")), list(before.of(f"sum {stage}"))
        return bool(own) and bool(other) and not np.allclose(own[-1].value, other[-1].value, rtol=CLOSE, atol=1e-12)

    def _scaled_delta(self, changed: list[str], before: EditedTrace) -> int | None:
        """Gradients that are all wrong by one factor: where the delta first has it."""
        ratios: list[float] = []
        for stage in changed:
            own, other = list(self.trace.of(f"sum {stage}"))[-1].value, list(before.of(f"sum {stage}"))[-1].value
            if not _parallel(own, other):
                return None
            ratios.append(float(np.vdot(other, own) / np.vdot(other, other)))
        if len(changed) < 3 or not np.allclose(ratios, ratios[0], rtol=CLOSE):
            return None
        steps = [TracedLine(step.stage, step.t, step.value * ratios[0]) for step in before.of("dlogits")]
        right = [h for step in before.of("dlogits") for h in self._wanted(step, before, exact=True)]
        wrong = [h for step in steps for h in self._wanted(step, before, exact=True, factor=ratios[0])]
        last = right[-1].event.number if right else -1
        return wrong[0].event.site.line if wrong and wrong[0].event.number > last else None

    def _wanted(self, step: TracedLine, trace: EditedTrace, *, exact: bool, factor: float = 1.0) -> list[Hit]:
        """Recorded values on the way back that are a step's: of all samples, of one, or of all steps in one array."""
        whole = [other.value * factor for other in trace.of(step.stage)]
        stacked = [np.array(whole[::-1]), np.array(whole[::-1]).swapaxes(0, 1)] if len(whole) > 1 else []
        rows = [step.value[b : b + 1] for b in range(len(step.value))] if step.value.ndim == 2 else []
        if stacked:
            rows += list(stacked[1])  # one sample's, of all steps
        own = [e for e in self.backward if gradient_of(e) not in roles.PARAMETERS and is_computed(e)]
        if step.stage == "dlogits":  # p itself may become the delta
            own = [*(e for e in self.events if e.number == self.first_output), *own]
        return self.hits_of([step.value, *rows, *stacked], own, self.base if exact else None)

    def _slope(self, before: EditedTrace) -> int | None:
        """Where a wrong derivative is computed by itself."""
        step = self._first_changed("dz", before)
        da = self.trace.get("da", step.t) if step else None
        if step is None or da is None or np.any(da.value == 0):
            return None
        factor = step.value / da.value
        if np.ptp(factor) < CLOSE:
            return None
        rows = [factor[b : b + 1] for b in range(len(factor))]
        made = self._wanted(step, self.trace, exact=False)
        end = made[0].event.number if made else float("inf")
        hits = self.hits_of([factor, *rows], (e for e in self.backward if e.number < end), 1.0)
        return hits[-1].event.site.line if hits else None

    def _first_changed(self, stage: str, before: EditedTrace) -> TracedLine | None:
        """The first value of a line that is another without the mistake."""
        return _first_difference(stage, self.trace, before)

    def _in_flow(self, stages: Sequence[str], before: EditedTrace, *, averaging: bool) -> int | None:
        """Of a line on the way back; where its value is never assigned, the next line's."""
        for later in stages:
            step = self._first_changed(later, before)
            if step is None:
                continue
            if not np.any(step.value):
                return self._zero(step)
            one = step.value.size == 1 or (bool(step.rows) and step.rows[0].size == 1)
            for exact in (False,) if later == "dlogits" and not (averaging or one) else (True, False):
                hits = self._wanted(step, self.trace, exact=exact)
                if later == "da":  # what comes from the outputs alone may be there for all steps before the loop
                    hits = [hit for hit in hits if hit.event.site.loops or not self.in_main(hit.event.site)]
                if hits and not self._is_source(later, step, hits):
                    site = self._chosen(later, step, hits).site
                    return (self.call_of(site) if later != stages[0] == "da" else None) or site.line
        return None

    def _is_source(self, stage: str, step: TracedLine, hits: list[Hit]) -> bool:
        """Whether what is handed back is never assigned, and the hits are only what it is equal to, the step's dz."""
        own = self.trace.get("dz", step.t) if stage == BACK else None
        return own is not None and _parallel(own.value, step.value) and len({h.event.site.line for h in hits}) == 1

    def _chosen(self, stage: str, step: TracedLine, hits: list[Hit]) -> Event:
        """Which of several equal values is the line's own: equal ones before it are what it was copied from."""
        same_as = {"dz": ("da",), BACK: ("dz", "da"), "da": ("da_out",), "dlogits": ()}.get(stage, ())
        sources = [s for name in same_as if (s := self.trace.get(name, step.t)) and _parallel(s.value, step.value)]
        if stage == "dlogits":
            values = self.executor.values
            outputs = np.asarray(values["p"] if "p" in values else values["logits"])
            outputs = outputs[step.t - 1] if self.executor.every else outputs
            if _parallel(step.value, outputs):  # nothing is subtracted from it
                hits = [h for h in hits if self.in_main(h.event.site)] or hits
            return self._delta(step, hits)
        lines = list(dict.fromkeys(h.event.site.line for h in hits))
        if stage in ("dz", "da"):
            end = self._downstream(stage, step, hits[0].event)
            inside = [h.event for h in hits if h.event.number < end]
            return inside[-1]
        wanted = lines[min(len(sources) > 0, len(lines) - 1)]
        return next(h.event for h in hits if h.event.site.line == wanted)

    def _delta(self, step: TracedLine, hits: list[Hit]) -> Event:
        """Of values that are the wrong delta, up to scale, the first under the name under which it is used: p may be one of them."""
        end = self._downstream("dlogits", step, hits[0].event)
        used = [h.event for h in hits if h.event.number < end][-1]
        return next(h.event for h in hits if base_name(h.event.target) == base_name(used.target))

    def _downstream(self, stage: str, step: TracedLine, first: Event) -> float:
        """When what is made from a value comes."""
        ends = [first.number + 1.0] if stage == "da" else []
        names = {"dz": (BACK, "dWx", "dWa", "dba"), "da": ("dz",), "dlogits": ("dWy", "da_out", "da")}[stage]
        later = [event for event in self.backward if event.number > first.number]
        for name in names:
            made = self.trace.get(name, step.t)
            if made is None or _parallel(made.value, step.value):
                continue
            hits = self.hits(made, later, exact=False)
            if hits:
                ends.append(float(hits[0].event.number))
        found = [end for end in ends if end > first.number + 1] or ends
        return min(found, default=first.number + 1.0)

    def _zero(self, step: TracedLine) -> int | None:
        """A value that is nothing but zeros, made inside the loop."""
        sizes = {step.value.size, *(row.size for row in step.rows)}
        for event in self.backward:
            if event.array is not None and event.site.loops and event.array.size in sizes and not event.array.any():
                return event.site.line
        looped = [event for event in self.backward if event.site.loops]
        return looped[-1].site.line if looped else None

    def _in_sum(self, stage: str, before: EditedTrace) -> int | None:
        """Of a gradient's own line: its term, the sum on the way, what is returned, or the line by its name."""
        step = self._first_changed(stage, before)
        if step is not None and np.any(step.value):
            for parts in (False, True):
                hits = self.hits(step, self.backward, parts=parts)
                named = [h for h in hits if gradient_of(h.event) == stage.removeprefix("d")]
                if hits:
                    return (named if named and stage in ("dba", "dby") else hits)[0].event.site.line
        sums = list(self.trace.of(f"sum {stage}"))
        partial = self._first_changed(f"sum {stage}", before) if step is None else None
        for wanted in (partial, sums[-1] if sums else None):
            hits = self.hits(wanted, self.backward) if wanted is not None else []
            named = [h for h in hits if gradient_of(h.event) == stage.removeprefix("d")]
            if hits:
                return (named or hits)[-1 if wanted is partial else 0].event.site.line
        if step is not None and np.any(step.value):
            hits = self.hits(step, self.backward, exact=False)
            if hits and not np.isclose(hits[0].scale, self.base, rtol=CLOSE) and self._differs(stage, step, before):
                return hits[0].event.site.line
        if (step is not None and not np.any(step.value)) or partial is not None:
            return self.added_to(stage)
        return self.returned() or self.added_to(stage)

    def _differs(self, stage: str, step: TracedLine, before: EditedTrace) -> bool:
        """Whether a term is not only scaled."""
        other = before.get(stage, step.t)
        return other is None or not _parallel(step.value, other.value)


def _first_difference(stage: str, trace: EditedTrace, other: EditedTrace) -> TracedLine | None:
    """The first value of a line that another trace does not have."""
    for step in trace.of(stage):
        beside = other.get(stage, step.t)
        if beside is None or not np.allclose(step.value, beside.value, rtol=CLOSE, atol=1e-12):
            return step
    return None


def _parallel(one: Array, other: Array) -> bool:
    """Whether two arrays are the same up to a factor."""
    if one.shape != other.shape:
        return False
    factor = float(np.vdot(other, one)) / max(float(np.vdot(other, other)), 1e-300)
    return bool(np.allclose(one, factor * other, rtol=CLOSE, atol=1e-12)) and factor != 0
