"""The program under test: runs it on problems, with the conventions found so far, and measures its gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np

from engine.doctor.recognise.call_recipes import CallRecipe
from engine.doctor.recognise.returned import gradients_in, recorded
from engine.doctor.reference import layouts
from engine.doctor.reference.layouts import ArrayLayout
from engine.doctor.reference.problem import Measure, Measurement, Problem, make_problem
from engine.doctor.reference.reductions import Penalty, scales
from engine.doctor.run.events import Event, Run, events_of
from engine.doctor.run.instrument import Site
from engine.doctor.run.process import Process
from engine.doctor.vocabulary.packing import is_role
from engine.language.functions import Array
from engine.model.network import Network
from engine.tables.cells import CELLS, Cell

CALL_SECONDS, BRIEF_SECONDS = 1.5, 0.3


@dataclass
class ProgramUnderTest:
    """A program under test: its process, its recipe, and the conventions found so far."""

    process: Process
    sites: Sequence[Site]
    recipe: CallRecipe
    layout: ArrayLayout = field(default_factory=ArrayLayout)
    cell: Cell = CELLS["rnn"]
    activation: str = "tanh"
    predict: str = "last"
    loss: str = "cross-entropy"
    outputs: int = 4
    scale: float = 1.0
    """The user's loss in units of the reference's mean."""
    unit: str | None = None
    penalty: Penalty | None = None
    """What the user's loss has on the weights."""
    seconds: float = CALL_SECONDS
    """For one call."""

    def run(self, problem: Problem, *, layout: ArrayLayout | None = None, record: bool = False, times: int = 1) -> Run:
        """Calls the program on a problem, one sample at a time where it wants that; stops at the first error. With `times` it is called
        that often on the same instance."""
        own = layout or self.layout
        values: list[Any] = []
        fields: list[Mapping[str, Any]] = []
        events: list[Event] = []
        for sample in range(len(problem.X)) if own.single else (None,):
            request = self.recipe.request(problem, own, sample)
            answer = self.process.ask("call", seconds=self.seconds, record=record, stops=record, times=times, **request)
            events += events_of(self.sites, answer, first=len(events), sample=sample)
            if "error" in answer:
                return Run(tuple(values), tuple(fields), tuple(events), answer["error"])
            values.append(answer["result"]["value"])
            fields.append(answer["result"]["fields"])
        return Run(tuple(values), tuple(fields), tuple(events))

    def __call__(self, problem: Problem) -> Measurement:
        """What the program says of a problem, in our names, layout and scale."""
        try:
            run = self.run(problem)
        except Exception as ended:
            return Measurement(None, {}, error=str(ended))
        if run.error is not None:
            return Measurement(None, {}, error=f"{run.error['kind']}: {run.error['message']}")
        measured = self.measurement(problem, run)
        return measured if measured.gradients else self.measurement(problem, self.run(problem, record=True))

    @property
    def second(self) -> Measure | None:
        """What it says when it is called a second time on the same instance; None for what is no method."""
        return self._second if self.recipe.owner is not None else None

    def _second(self, problem: Problem) -> Measurement:
        run = self.run(problem, times=2)
        return Measurement(None, {}, error="") if run.error is not None else self.measurement(problem, run)

    def measurement(self, problem: Problem, run: Run) -> Measurement:
        """The gradients of a run in our names and layout, samples added up, divided by the scale of the user's loss."""
        held = self.held(problem)
        shapes = {role: np.shape(layouts.weight(role, problem, self.layout)) for role in held}
        total: dict[str, Array] = {}
        losses: list[float] = []
        for k, (value, fields) in enumerate(zip(run.values, run.fields, strict=True)):
            found, loss = gradients_in(value, fields, self.recipe, shapes)
            if not found.keys() & shapes.keys():
                own_sample = k if self.layout.single else None
                own_events = [event for event in run.events if event.sample == own_sample]
                found = recorded(own_events, self.recipe.names, shapes)
            for role, array in found.items():
                for name, own in self._parts(role, np.asarray(array, dtype=np.float64), problem).items():
                    same = name in total and total[name].shape == own.shape
                    total[name] = (total[name] + own) if same else own.copy()
            if loss is not None:
                losses.append(loss)
        calls = len(run.values) if self.layout.single and problem.network.reduction == "mean" else 1
        divisor = self._scale(problem) * calls
        if self.penalty is not None:
            own = {n: calls * self.penalty.gradient(problem, n) for n in total if n in self.penalty.names}
            total |= {n: total[n] - extra for n, extra in own.items() if np.shape(extra) == total[n].shape}
            losses = [loss - self.penalty.loss(problem) for loss in losses]
        total = {name: value / divisor for name, value in total.items()}
        for name in self.recipe.names.states:
            state = total.pop(name, None)
            if state is not None and not self.layout.single:
                total[name] = layouts.to_layout(state, self.layout.state, "BH") if state.ndim == 2 else state
        missing = frozenset(problem.parameters) - total.keys()
        loss = float(np.sum(losses)) / divisor if losses else None
        return Measurement(loss, total, missing)

    def held(self, problem: Problem) -> frozenset[str]:
        """The roles of the arrays whose gradients are looked for: those that are handed over, or else a parameter each."""
        given = frozenset(role for role in self.recipe.given if is_role(role, self.cell))
        return given | (problem.parameters.keys() - layouts.parameters_held(given, self.cell, self.layout))

    def _parts(self, role: str, array: Array, problem: Problem) -> Mapping[str, Array]:
        """The gradients in an array, in our names and layout."""
        if role in self.recipe.names.states:
            return {role: array}
        return layouts.weight_back(role, array, problem, self.layout) if is_role(role, self.cell) else {}

    def _scale(self, problem: Problem) -> float:
        """The scale on a problem: a sum over the batch is another number for another batch."""
        found = {words: factor for factor, words in scales(problem, self.layout.single).items()}
        return found.get(self.unit or "", self.scale)

    def problem(self, seed: int = 0, **changes: Any) -> Problem:
        """A problem the program can take; `changes` are arguments of `make_problem`."""
        return self.another(seed=seed, **changes)

    def another(self, **changes: Any) -> Problem:
        """Another problem that this program can take: the keywords of `make_problem`, those that it fixes left as they must be."""
        wanted: dict[str, Any] = {
            "cell": self.cell,
            "activation": self.activation,
            "predict": self.predict,
            "loss": self.loss,
            "outputs": self.outputs,
            "initial": "a0" in self.recipe.given,
            **self._fixed(),
            **{
                k: v
                for k, v in changes.items()
                if k not in ("cell", "activation", "predict", "loss", "outputs", "initial")
            },
        }
        if changes.get("initial") is False:
            wanted["initial"] = False
        if self.layout.tokens:
            wanted.pop("inputs", None)
        held = layouts.parameters_held(self.recipe.given, self.cell, self.layout)
        given = held | (self.recipe.given & {*self.recipe.names.states})
        return _adapted(_made(**wanted), given, tokens=self.layout.tokens, one_vocabulary=self.recipe.one_vocabulary)

    def _fixed(self) -> dict[str, Any]:
        if self.layout.tokens:
            return {"inputs": self.outputs if self.recipe.one_vocabulary else 5}
        return {"inputs": 1} if self.layout.x in layouts.FLAT else {}


@lru_cache(maxsize=64)
def _cached(items: tuple[tuple[str, Any], ...]) -> Problem:
    return make_problem(**dict(items))


def _made(**wanted: Any) -> Problem:
    return _cached(tuple(sorted(wanted.items())))


@lru_cache(maxsize=256)
def _adapted(problem: Problem, given: frozenset[str], *, tokens: bool, one_vocabulary: bool) -> Problem:
    """The problem as this program can take it: one-hot inputs for tokens; biases and initial states that it does not have at zero."""
    network, x = problem.network, problem.X
    weights = {
        name: np.zeros_like(value) if value.ndim == 1 and name not in given else value
        for name, value in network.weights.items()
    }
    initial = {name: value for name, value in problem.initial.items() if _state_role(name, network) in given}
    if initial.keys() != problem.initial.keys():
        problem = replace(problem, initial=initial)
    if tokens:
        rng = np.random.default_rng(5)
        size = network.outputs if one_vocabulary else network.inputs
        x = np.eye(size)[rng.integers(0, size, x.shape[:2])]
        if size != network.inputs:
            for name, axes in network.table.parameters.items():
                if axes[0] == "D":
                    shape = (size, *weights[name].shape[1:])
                    weights[name] = rng.uniform(0.25, 0.75, shape) * rng.choice((-1.0, 1.0), shape)
            network = replace(network, inputs=size, weights=weights)
    elif all(weights[name] is value for name, value in network.weights.items()):
        return problem
    return replace(problem, network=replace(network, weights=weights), X=x)


def _state_role(name: str, network: Network) -> str:
    return "a0" if name == network.table.output else f"{name}0"
