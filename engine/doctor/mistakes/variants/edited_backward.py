"""A backward pass carried out line by line, in the plainest way, with edits: what a mistake would have computed.

The lines are those of the reference's program. An edit changes one line's tree, or what the pass has stored, the order of its loop, how
terms are added up. Everything is computed when asked for and kept by the edits it depends on, so that a thousand hypotheses share
their common parts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from engine.doctor.reference.problem import Problem
from engine.language.expression import Call, Expression, Name, computed
from engine.language.functions import COMPUTE, Array, compute_name
from engine.language.printing import NumpySyntax, show
from engine.model.blocks import Loop, Quantity
from engine.model.program import Program

Values: TypeAlias = dict[str, Any]
Line: TypeAlias = Callable[[Values, int], Any]
Keep: TypeAlias = Callable[[str, int, Any], None]
"""Is told a line, a step and the value."""

HEAD = ("Wy", "by")
CELL = ("Wx", "Wa", "ba")
PARAMETERS = (*HEAD, *CELL)
BACK = "da_prev"
"""The line that hands the gradient to the step before, whatever the program calls what it writes."""


@dataclass(frozen=True, eq=False)
class LineEdit:
    """Another tree for a line, at the steps t of T for which `when` holds (at all without it)."""

    stage: str
    change: Callable[[Expression], Expression]
    when: Callable[[int, int], bool] | None = None


@dataclass(frozen=True, eq=False)
class StoredEdit:
    """Other values for what the backward pass finds stored: a function of the values that gives those that change."""

    change: Callable[[Values], Values]
    stage: str = "stored"


@dataclass(frozen=True, eq=False)
class ForwardEdit:
    """Another forward pass: from the values, those that change, the loss (`loss`) among them."""

    change: Callable[[Values], Values]
    stage: str = "forward"


@dataclass(frozen=True, eq=False)
class OrderEdit:
    """Other steps, or another order of them: for the loop ("order"), or for the read-out's lines inside it ("head order")."""

    change: Callable[[list[int], int], list[int]]
    """Of the steps T … 1 and B, the steps that are run."""
    stage: str = "order"


@dataclass(frozen=True, eq=False)
class ScanEdit:
    """Another loop: from the values, a step's dz."""

    change: Callable[[Executor, Values, Edits], dict[int, Array]]
    reads: frozenset[str] = frozenset()
    """Other lines that run in it."""
    stage: str = "scan"


@dataclass(frozen=True, eq=False)
class SumEdit:
    """Another way to add up a gradient's terms, which come in the order in which they were computed."""

    stage: str
    change: Callable[[list[Array], Values], Array]


Edit: TypeAlias = LineEdit | StoredEdit | ForwardEdit | OrderEdit | ScanEdit | SumEdit
Edits: TypeAlias = tuple[Edit, ...]

_READ_OUT = frozenset({"stored", "forward", "dlogits"})
_LOOP = _READ_OUT | {"da_out", "da", "dz", BACK, "order", "scan"}
_DEPENDS: dict[str, frozenset[str]] = {
    "loss": frozenset({"forward"}),
    "dlogits": _READ_OUT,
    "scan": _LOOP,
    **{name: _READ_OUT | {"head order", f"d{name}", f"sum d{name}"} for name in HEAD},
    **{name: _LOOP | {f"d{name}", f"sum d{name}"} for name in CELL},
}


class Executor:
    """The reference's backward pass on one problem, and every edited one."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        tape = problem.tape
        self.program: Program = tape.plan.program
        self.steps = self.program.steps
        self.every = problem.network.predict == "every"
        self.trees = _trees(self.program)
        self.values = _values(problem)
        rows = self.program.quantities
        self._rows = {**rows, "p": rows["logits"]}
        self._kept: dict[tuple[str, Edits], Any] = {}
        self._compiled: dict[tuple[str, Edits], Line] = {}
        self._programs: dict[Expression, Line] = {}

    def gradient(self, name: str, edits: Edits = ()) -> Array:
        """dL/dparameter as the edited pass computes it."""
        return self._keep(name, edits, self._gradient)

    def gradients(self, edits: Edits = ()) -> dict[str, Array]:
        """All of them."""
        return {name: self.gradient(name, edits) for name in PARAMETERS}

    def loss(self, edits: Edits = ()) -> float:
        """The loss as the edited forward pass computes it."""
        return self._keep("loss", edits, lambda _, own: float(self.stored(own)["loss"]))

    def key(self, name: str, edits: Edits) -> Edits:
        """The edits that a gradient (or the loss) depends on."""
        stages = _DEPENDS[name]
        if "scan" in stages:
            for edit in edits:
                if isinstance(edit, ScanEdit):
                    stages |= edit.reads
        return tuple(edit for edit in edits if edit.stage in stages)

    def line(self, stage: str, t: int, edits: Edits) -> Line:
        """The function that runs a line at step t: of the values, and t."""
        active = tuple(
            edit
            for edit in edits
            if isinstance(edit, LineEdit) and edit.stage == stage and (edit.when is None or edit.when(t, self.steps))
        )
        found = self._compiled.get((stage, active))
        if found is None:
            tree = self.trees[stage]
            for edit in active:
                tree = edit.change(tree)
            if tree not in self._programs:
                self._programs[tree] = compile_line(tree, self._rows)
            found = self._compiled[stage, active] = self._programs[tree]
        return found

    def order(self, edits: Edits, stage: str = "order") -> list[int]:
        """The steps of the loop in the order in which it runs."""
        steps = list(range(self.steps, 0, -1))
        for edit in edits:
            if isinstance(edit, OrderEdit) and edit.stage == stage:
                steps = edit.change(steps, self.values["B"])
        return steps

    def delta(self, edits: Edits) -> dict[int, Array]:
        """dlogits by step: at T alone where only the last step predicts."""
        return self._keep("dlogits", edits, self._delta)

    def _keep(self, name: str, edits: Edits, compute: Callable[[str, Edits], Any]) -> Any:
        own = self.key(name, edits)
        if (name, own) not in self._kept:
            with np.errstate(all="ignore"):
                self._kept[name, own] = compute(name, own)
        return self._kept[name, own]

    def stored(self, edits: Edits) -> Values:
        """What the backward pass finds: the tape's values, some of them changed."""
        values = dict(self.values)
        for kind in (ForwardEdit, StoredEdit):
            for edit in edits:
                if isinstance(edit, kind):
                    values |= edit.change(values)
        return values

    def _delta(self, _: str, edits: Edits) -> dict[int, Array]:
        values = self.stored(edits)
        steps = range(1, self.steps + 1) if self.every else (self.steps,)
        return {t: self.line("dlogits", t, edits)(values, t) for t in steps}

    def _gradient(self, name: str, edits: Edits) -> Array:
        values = self.stored(edits)
        target = f"d{name}"
        if name in HEAD:
            received = self.delta(edits)
            steps = self.order(edits, "head order") if self.every else [self.steps]
            values_of = "dlogits"
        else:
            received = self._keep("scan", edits, lambda _, own: self.scan(own))
            steps, values_of = list(received), "dz"
        terms: list[Array] = []
        for t in steps:
            values[values_of] = received[t]
            terms.append(self.line(target, t, edits)(values, t))
        return self.total(target, terms, values, edits)

    def total(self, target: str, terms: list[Array], values: Values, edits: Edits) -> Array:
        """The sum of a gradient's terms, as edited."""
        for edit in edits:
            if isinstance(edit, SumEdit) and edit.stage == f"sum {target}":
                return edit.change(terms, values)
        return sum(terms[1:], terms[0]) if terms else np.zeros_like(self.values[target.removeprefix("d")])

    def scan(self, edits: Edits, keep: Keep | None = None) -> dict[int, Array]:
        """dz by step, in the order of the loop; `keep` is told every line's value."""
        values = self.stored(edits)
        for edit in edits:
            if isinstance(edit, ScanEdit):
                return edit.change(self, values, edits)
        return self.loop(values, self.delta(edits), edits, keep=keep)

    def loop(
        self,
        values: Values,
        delta: Mapping[int, Array],
        edits: Edits,
        after: Callable[[Values, int], None] | None = None,
        keep: Keep | None = None,
    ) -> dict[int, Array]:
        """The loop over time: from each step's dlogits to its dz. `after` runs when a step's dz is there."""
        told = keep or _untold
        values["last dlogits"] = delta[self.steps]
        flow: Any = np.zeros_like(values["a"][0])
        if not self.every:
            values["dlogits"] = delta[self.steps]
            values["da_out"] = flow = self.line("da_out", self.steps, edits)(values, self.steps)
        result: dict[int, Array] = {}
        for t in self.order(edits):
            if self.every:
                values["dlogits"], values["da_next"] = delta[t], flow
                values["da_out"] = self.line("da_out", t, edits)(values, t)
                values["da"] = self.line("da", t, edits)(values, t)
                told("da_out", t, values["da_out"])
            else:
                values["da"] = flow
            values["dz"] = result[t] = self.line("dz", t, edits)(values, t)
            told("da", t, values["da"])
            told("dz", t, result[t])
            if after:
                after(values, t)
            flow = self.line(BACK, t, edits)(values, t)
            told(BACK, t, flow)
        return result


def _untold(stage: str, t: int, value: Any) -> None:
    """Nobody asks."""


def _trees(program: Program) -> dict[str, Expression]:
    """The backward lines' trees by what they write; the flow to the step before under one name for all programs."""
    trees: dict[str, Expression] = {}
    for line in program.lines:
        if line.phase != "backward":
            continue
        at_end = program.blocks[line.block].loop is Loop.AT_T
        name = BACK if line.equation.step else "da_out" if at_end and line.name == "da" else line.name
        trees[name] = line.equation.expression
    return trees


def _values(problem: Problem) -> Values:
    """What the lines read, by name; beside the tape's, a few that mistakes read."""
    tape = problem.tape
    values: Values = {**tape.plan.sizes, **tape.arrays, **tape.parameters}
    if problem.network.head.two_classes:
        values["y"] = tape["y"][..., None].astype(np.float64)
    batch = values["B"]
    values |= {"a_T": values["a"][-1], "z_T": values["z"][-1], "x_T": values["x"][-1], "x_1": values["x"][0]}
    values |= {"a_0": values["a"][0], "a_1": values["a"][1]}
    values["first_sample"] = np.eye(batch)[:, :1]
    values["last_sample"] = np.eye(batch)[:, -1:]
    return values


@dataclass(frozen=True, eq=False)
class _AtStep(NumpySyntax):
    """Python for a line at step t: `v` holds the values by name, those in time a row a step."""

    quantities: Mapping[str, Quantity]

    def name(self, name: Name) -> str:
        quantity = self.quantities.get(name.name)
        if quantity is None or not quantity.rows or name.name.startswith("d"):
            return f"v[{name.name!r}]"
        shift = name.step - (quantity.rows == "T")
        return f"v[{name.name!r}][t{shift:+d}]" if shift else f"v[{name.name!r}][t]"

    def call(self, node: Call, arguments: list[str]) -> str:
        return f"{compute_name(node.function)}({', '.join(arguments)})"


def _batch_mean(u: Array) -> Array:
    return np.broadcast_to(u.mean(axis=0), u.shape)


def _within_norm(u: Array, limit: float) -> Array:
    norm = float(np.linalg.norm(u))
    return u * np.float64(limit / norm if norm > limit else 1.0)


def _total(u: Array) -> Array:
    result: Array = np.empty_like(u[0])
    result[...] = u.sum()
    return result


_FUNCTIONS: dict[str, Any] = {
    **COMPUTE,
    compute_name("batch_mean"): _batch_mean,
    compute_name("within_norm"): _within_norm,
    compute_name("total"): _total,
    compute_name("row_sum"): lambda u: u.sum(axis=-1, keepdims=True),  # pyright: ignore[reportUnknownLambdaType, reportUnknownMemberType]
    compute_name("not_negative"): lambda u: u >= 0,  # pyright: ignore[reportUnknownLambdaType]
}


def compile_line(tree: Expression, quantities: Mapping[str, Quantity]) -> Line:
    """A function of the values and t that gives the tree's value."""
    return eval(f"lambda v, t: {show(computed(tree), _AtStep(quantities))}", dict(_FUNCTIONS))
