"""Where a named mistake is: the line whose recorded value is the wrong one that the mistake's own variant computes.

The hypothesis is carried out with and without the mistake; the first value of the concerned line that it changes is looked for among
the recorded ones, up to the order of axes, as computed for all samples or for one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from engine.doctor.judge.timeline import ComparedValue, Timeline
from engine.doctor.mistakes.edited_backward import BACK, Edits, LineEdit, OrderEdit, SumEdit
from engine.doctor.mistakes.edited_trace import EditedTrace, TracedLine
from engine.doctor.mistakes.hypotheses import Hypothesis, VariantComparison
from engine.doctor.mistakes.tree_edits import CURVED, Variation, before_last_step, scaled
from engine.doctor.read.kinds import is_array
from engine.doctor.reference.values import Entry, Match, same
from engine.doctor.run.events import Event
from engine.doctor.run.instrument import Site
from engine.doctor.vocabulary import roles
from engine.doctor.vocabulary.targets import base_name, grad_param
from engine.language.functions import FUNCTIONS, Array

CLOSE = 1e-6
_GRADIENTS = ("dWx", "dWa", "dba", "dWy", "dby")
_LAST_LOSS = scaled("dlogits", "*", "0", before_last_step)
"""With it, only the last step's loss sends a gradient back."""
FLOW = ("dlogits", "da_out", "da", "dz", BACK)
"""The lines through which the gradient goes, in that order."""


@dataclass(frozen=True, eq=False)
class Hit:
    """A recorded value that is the one looked for, `scale` times."""

    event: Event
    scale: float


class Locator:
    """The recorded values of one run, and what a hypothesis says they should be."""

    def __init__(
        self,
        line_up: Timeline,
        loops: Sequence[tuple[int, str]],
        sites: Sequence[Site],
        main: str,
        comparison: VariantComparison,
        found: Hypothesis,
    ) -> None:
        self.base, self.loops, self.sites, self.main = line_up.base, loops, sites, main
        self.events = [event for event in line_up.events if event.site.kind != "passed"]
        first = line_up.seen[line_up.start].event.number if line_up.start < len(line_up.seen) else 0
        self.helpers = frozenset(
            site
            for site, own in line_up.by_site.items()
            if site.kind == "return"
            and any(
                (s.right and (s.of(*_GRADIENTS, *FLOW) or (s.of("a", "z") and s.event.number < first))) or _is_slope(s)
                for s in own
            )
        )
        """What functions return that is right elsewhere: if it is wrong here, they were given something wrong."""
        outputs = (
            s.event.number
            for s in line_up.seen
            if s.of("p") and s.event.site.kind not in ("part", "return") and _computed(s.event)
        )
        self.first_output = next(outputs, -1)
        self.backward = [event for event in self.events if event.number >= first]
        self.executor = comparison.executor
        self.hypothesis = found
        self.extra: Edits = ()

    @cached_property
    def trace(self) -> EditedTrace:
        """What the hypothesis computes."""
        return self._trace(())

    def _trace(self, without: Iterable[Variation]) -> EditedTrace:
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

    def line(self, id_: str) -> int | None:
        """The line of a mistake; None when it cannot be told this way."""
        if id_ == "gradients-not-reset":
            return self._first_assigned(self.hypothesis.kept)
        variation = next((v for v in self.hypothesis.variations if v.id == id_), None)
        if variation is None:
            return None
        special = _SPECIAL.get(id_)
        if special is not None:
            return special(self, variation)
        if any(isinstance(edit, OrderEdit) for edit in variation.edits):
            return self.loop()
        return self._by_value(variation)

    # Values

    def hits(self, step: TracedLine, events: Iterable[Event], *, exact: bool = True, parts: bool = False) -> list[Hit]:
        """The recorded values that are a step's, or one of its samples': to the user's scale if `exact`, else to any positive one."""
        return self._hits((step.value, *step.rows), events, self.base if exact else None, parts=parts)

    def _hits(
        self, wanted: Sequence[Array], events: Iterable[Event], scale: float | None, *, parts: bool = False
    ) -> list[Hit]:
        entries = [Entry("", None, None, "value", np.asarray(w)) for w in wanted if np.any(w)]
        sizes = {entry.value.size for entry in entries}
        found: list[Hit] = []
        for event in events:
            value = event.array if event.array is not None or scale is None else _as_array(event.value)
            if value is None or value.size not in sizes or value.dtype.kind in "iub" or event.site in self.helpers:
                continue
            if event.site.kind == "part" and not parts:
                continue
            matches = (same(value.astype(np.float64), entry) for entry in entries if entry.value.size == value.size)
            match = next((m for m in matches if m is not None and _fits(m, scale)), None)
            if match is not None:
                found.append(Hit(event, match.scale))
        return found

    def _by_value(self, variation: Variation) -> int | None:
        before = self._trace((variation,))
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
            before = own._trace((variation,))
            slope = own._slope(before) if "dz" in flow else None
            return slope or own._in_flow((*rest, "dz"), before, averaging=averaging)
        own = [s.removeprefix("sum ") for s in stages]
        changed = [s for s in dict.fromkeys(own) if self._is_changed(s, before)]
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
        alone = self._trace(others)
        step = _first_difference(stage, alone, self._trace((variation, *others)))
        hits = self._wanted(step, alone, exact=True) if step is not None and np.any(step.value) else []
        return hits[0].event.site.line if hits else None

    def _is_changed(self, stage: str, before: EditedTrace) -> bool:
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
        own = [e for e in self.backward if gradient_of(e) not in roles.PARAMETERS and _computed(e)]
        if step.stage == "dlogits":  # p itself may become the delta
            own = [*(e for e in self.events if e.number == self.first_output), *own]
        return self._hits([step.value, *rows, *stacked], own, self.base if exact else None)

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
        hits = self._hits([factor, *rows], (e for e in self.backward if e.number < end), 1.0)
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
                    hits = [hit for hit in hits if hit.event.site.loops or not self._in_main(hit.event.site)]
                if hits and not self._is_source(later, step, hits):
                    site = self._chosen(later, step, hits).site
                    return (self._call_of(site) if later != stages[0] == "da" else None) or site.line
        return None

    def _call_of(self, site: Site) -> int | None:
        """Where the function that is examined calls the one that a place is in: what was handed to it is wrong."""
        name = site.function.rpartition(".")[2]
        calls = [s.line for s in self.sites if self._in_main(s) and f"{name}(" in s.source]
        return calls[-1] if calls and not self._in_main(site) else None

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
                hits = [h for h in hits if self._in_main(h.event.site)] or hits
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
            return self._added_to(stage)
        return self._returned() or self._added_to(stage)

    def _differs(self, stage: str, step: TracedLine, before: EditedTrace) -> bool:
        """Whether a term is not only scaled."""
        other = before.get(stage, step.t)
        return other is None or not _parallel(step.value, other.value)

    # Lines by what they are for

    def _added_to(self, stage: str) -> int | None:
        """Where a gradient is added to, or assigned, inside a loop."""
        own = [e for e in self.backward if gradient_of(e) == stage.removeprefix("d") and e.site.kind != "part"]
        looped = [e for e in own if e.site.loops]
        filled = [e for e in own if e.array is not None and e.array.any()]  # in a function that the loop calls
        return (looped or filled or own)[0].site.line if own else None

    def _first_assigned(self, names: Iterable[str]) -> int | None:
        """Where the gradients' arrays come from."""
        wanted = set(names)
        own = sorted(
            site.line
            for site in self.sites
            if site.kind == "assign"
            and not site.loops
            and site.function in ("", self.main)
            and (
                grad_param(site.target) in wanted
                or ("grad" in base_name(site.target).lower() and "[" not in site.target)
            )
        )
        return own[0] if own else None

    def _returned(self) -> int | None:
        """The line that returns the result."""
        returned = [site.line for site in self.sites if site.kind == "return" and site.function == self.main]
        return returned[-1] if returned else None

    def loop(self) -> int | None:
        """The line of the loop over time of the backward pass: the innermost one round most of what is done there."""
        votes: dict[int, int] = {}
        flow = np.size(self.executor.values["a"][0])
        looped = [event for event in self.backward if event.site.loops]
        for event in [event for event in looped if self._in_main(event.site)] or looped:
            if event.site.kind != "part":
                number = event.site.loops[-1]
                own = gradient_of(event) in ("Wx", "Wa", "ba") or np.size(event.value) == flow
                votes[number] = votes.get(number, 0) + 1 + 10 * own
        return self.loops[max(votes, key=lambda n: votes[n])][0] if votes else None

    def _in_main(self, site: Site) -> bool:
        """Whether a place is in the function that is examined, and not in one that it calls."""
        return site.function.rpartition(".")[2] == self.main.rpartition(".")[2]

    def _in_loop(self) -> list[Event]:
        """What is done in that loop."""
        around = self.loop()
        numbers = {k for k, (line, _) in enumerate(self.loops) if line == around}
        return [event for event in self.backward if numbers & set(event.site.loops)]

    # Mistakes of their own kind

    def probabilities(self, variation: Variation) -> int | None:
        """Probabilities that are none of the right ones."""
        p = self.executor.stored(variation.edits)["p"]
        hits = self._hits(
            (p, *p) if self.executor.every else (p, *(p[b : b + 1] for b in range(len(p)))), self.events, 1.0
        )
        return hits[0].event.site.line if hits else None

    def activated(self, variation: Variation) -> int | None:
        """Logits that have gone through another function."""
        values = self.executor.stored(variation.edits)
        for function in (*CURVED, "softmax"):
            scores = FUNCTIONS[function].compute(values["logits"])
            if not any(
                np.allclose(FUNCTIONS[f].compute(scores), values["p"]) for f in ("softmax", "sigmoid", "identity")
            ):
                continue
            rows = scores if self.executor.every else [scores[b : b + 1] for b in range(len(scores))]
            own = (event for event in self.events if not event.site.names)
            hits = self._hits((scores, *rows), own, 1.0, parts=True)
            outermost = [h for h in hits if h.event.site.function == hits[-1].event.site.function]
            if outermost:
                return outermost[0].event.site.line
        return self.probabilities(variation)

    def stored_state(self, variation: Variation) -> int | None:
        """Where the first step's state is put."""
        if not any(edit.stage in ("stored", "forward") for edit in variation.edits):
            return self._added_to("dWa")
        first = self.executor.values["a"][1]
        hits = self._hits((first, *(first[b : b + 1] for b in range(len(first)))), self.events, 1.0)
        put = [h for h in hits if h.event.site.kind in ("append", "after") or "[" in h.event.target]
        return (put or hits)[0].event.site.line if hits else None

    def overwritten_probabilities(self, variation: Variation) -> int | None:
        """Where p becomes p − y."""
        del variation
        step = next(EditedTrace(self.executor, {}, ()).of("dlogits"))
        for event in self.events:
            if event.site.kind in ("after", "increment") and self.hits(step, [event], exact=False):
                return event.site.line
        hits = self.hits(step, self.events, exact=False)
        return hits[0].event.site.line if hits else None

    def overwritten(self, variation: Variation) -> int | None:
        """Where a step's term is assigned inside a loop, under the gradient's name if it has one."""
        before = self._trace((variation,))
        stages = [e.stage.removeprefix("sum ") for e in variation.edits if isinstance(e, SumEdit)]
        for stage in (s for s in stages if self._is_changed(s, before)):
            looped = [e for e in self._in_loop() if e.site.kind in ("assign", "after")]
            own = [h.event for step in self.trace.of(stage) for h in self.hits(step, looped)]
            named = [e for e in own if gradient_of(e) == stage.removeprefix("d")]
            if own:
                return (named or own)[0 if named else -1].site.line
        return self._by_value(variation)

    def dropped_flow(self, variation: Variation) -> int | None:
        """Where what flows to the step before is lost; where no line makes it, at the end of the loop."""
        if not variation.rank:
            return self._by_value(variation)
        return max((event.site.line for event in self._in_loop()), default=None)

    def dropped_outputs(self, variation: Variation) -> int | None:
        """Where only the last step's output still passes something on: all steps at once, zeros but for the last, or in the loop."""
        for stage in ("da_out", "dlogits"):
            steps = sorted(EditedTrace(self.executor, {}, ()).of(stage), key=lambda step: step.t)
            if not steps:
                continue
            rows = np.array([step.value for step in steps])
            rows[:-1] = 0.0
            hits = self._hits([rows, rows.swapaxes(0, 1)], self.backward, self.base)
            if hits:
                return hits[0].event.site.line
        return self._by_value(variation)

    def without_derivative(self, variation: Variation) -> int | None:
        """Where da is used as dz: where only the loop uses it, at the head of the loop, after which the derivative belongs."""
        line, loop = self._by_value(variation), self.loop()
        own = [e for e in self.backward if e.site.line == line and e.site.kind != "part"]
        alone = variation.edits and all(getattr(edit, "when", None) is None for edit in variation.edits)
        return (
            loop
            if alone and own and loop and not any(e.site.loops for e in own) and own[0].site.function == self.main
            else line
        )

    def updated_weights(self, variation: Variation) -> int | None:
        """Where something near Wa, but not Wa, is made."""
        del variation
        weights = np.asarray(self.executor.values["Wa"])
        entry = Entry("Wa", None, None, "value", weights)
        for event in self.backward:
            value = event.array
            if value is None or value.shape != weights.shape or event.site.kind == "part" or same(value, entry):
                continue
            near = min(float(np.linalg.norm(value - w)) for w in (weights, weights.T))
            if near < 0.3 * float(np.linalg.norm(weights)):
                return event.site.line
        return None


_SPECIAL: dict[str, Callable[[Locator, Variation], int | None]] = {
    "softmax-wrong-axis": Locator.probabilities,
    "output-activation-twice": Locator.activated,
    "last-sample-only": Locator.stored_state,
    "state-aliased": Locator.stored_state,
    "overwritten-not-accumulated": Locator.overwritten,
    "recurrence-dropped": Locator.dropped_flow,
    "output-gradient-dropped": Locator.dropped_outputs,
    "activation-derivative-missing": Locator.without_derivative,
    "probabilities-overwritten": Locator.overwritten_probabilities,
    "weights-updated-during-backward": Locator.updated_weights,
}


def _as_array(value: Any) -> Array | None:
    """One number as an array."""
    return np.atleast_1d(value) if isinstance(value, float) or is_array(value) else None


def gradient_of(event: Event) -> str | None:
    """The parameter whose gradient an event's target is called."""
    return grad_param(event.target) if event.target else None


def _first_difference(stage: str, trace: EditedTrace, other: EditedTrace) -> TracedLine | None:
    """The first value of a line that another trace does not have."""
    for step in trace.of(stage):
        beside = other.get(stage, step.t)
        if beside is None or not np.allclose(step.value, beside.value, rtol=CLOSE, atol=1e-12):
            return step
    return None


def _is_slope(seen: ComparedValue) -> bool:
    return seen.right and any(m.entry.kind == "derivative" for m in seen.matches)


def _computed(event: Event) -> bool:
    """Whether a value belongs to its line: not one that a call made and the line only unpacks."""
    return not event.site.names


def _fits(match: Match, scale: float | None) -> bool:
    return match.scale > 0 if scale is None else abs(match.scale / scale - 1) < CLOSE


def _parallel(one: Array, other: Array) -> bool:
    """Whether two arrays are the same up to a factor."""
    if one.shape != other.shape:
        return False
    factor = float(np.vdot(other, one)) / max(float(np.vdot(other, other)), 1e-300)
    return bool(np.allclose(one, factor * other, rtol=CLOSE, atol=1e-12)) and factor != 0
