"""Conventions found out by trying: a function is called in one layout after the other until its forward pass computes the reference's
states and outputs. What it returns is then comparable."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.doctor.recognise.call_recipes import CallRecipe
from engine.doctor.recognise.cell_search import StateFinder, readings_of
from engine.doctor.recognise.program_under_test import ProgramUnderTest
from engine.doctor.reference import layouts
from engine.doctor.reference.layouts import ArrayLayout
from engine.doctor.reference.problem import Problem
from engine.doctor.reference.values import Reference
from engine.doctor.run import clock
from engine.doctor.run.events import Run
from engine.doctor.run.instrument import Site
from engine.doctor.run.process import Process
from engine.doctor.vocabulary.packing import Order, is_bias, is_role, unstacked
from engine.doctor.vocabulary.readings import has_weights
from engine.tables.cells import CELLS, Cell

if TYPE_CHECKING:
    pass

SEARCH_SECONDS, LEAST = 1.6, 0.6
"""For all readings of the names, and for each at least."""
HEADS = (("cross-entropy", 4), ("binary", 1), ("squared", 3), ("squared", 1), ("cross-entropy", 2))


@dataclass(frozen=True, eq=False)
class CallAttempt:
    """What came of one way of calling: `states` is the share of time steps whose state was found among what it computed, `outputs`
    how well outputs and loss were, `done` whether it returned."""

    recipe: CallRecipe
    layout: ArrayLayout
    cell: Cell = CELLS["rnn"]
    activation: str = "tanh"
    predict: str = "last"
    loss: str = "cross-entropy"
    outputs_count: int = 4
    states: float = 0.0
    outputs: float = 0.0
    done: bool = False
    agrees: bool = False
    """Whether every gradient is the reference's, up to one factor."""
    run: Run | None = None
    problem: Problem | None = None
    others: tuple[CallAttempt, ...] = ()
    """Other readings of the program that it completed; where no reading's outputs are right, one of them may be what is meant."""

    @property
    def rank(self) -> tuple[float, ...]:
        """Better trials come later."""
        length = len(self.run.events) if self.run and not self.done else 0
        return (round(self.states, 6), self.agrees, self.done and self.outputs >= 2.0, self.outputs, self.done, length)


def search(
    process: Process, sites: Sequence[Site], recipes: Sequence[CallRecipe], *, seconds: float = SEARCH_SECONDS
) -> CallAttempt:
    """The way of calling whose forward pass is the reference's; the nearest one where none is."""
    end = clock.now() + seconds
    readings = [list(own) for _, own in itertools.groupby(recipes, key=lambda recipe: recipe.names)]
    best: CallAttempt | None = None
    for k, own in enumerate(readings):  # each reading of the names gets its share of the time that is left
        now = clock.now()
        found = _searched(process, sites, own, now + max((end - now) / (len(readings) - k), LEAST))
        if best is None or found.rank > best.rank:
            best = found
        if best.states == 1.0 or _ran_out(found):
            break
    assert best is not None
    return best


def _searched(process: Process, sites: Sequence[Site], recipes: Sequence[CallRecipe], deadline: float) -> CallAttempt:
    """The same for one reading of the names."""
    nearest: CallAttempt | None = None
    best: CallAttempt | None = None
    for recipe, layout in _ways(recipes):
        if layout.single and best is not None and best.done and best.outputs >= 2.0 and not best.layout.single:
            continue  # what takes batches is not tried on one sample, where mistakes about batches hide
        if nearest is not None and clock.now() > deadline:
            break
        attempt = _states(process, sites, recipe, layout)
        if 0.0 < attempt.states < 1.0 and attempt.run is not None and attempt.run.error is not None:
            attempt = _with_other_targets(process, sites, attempt)
        if _ran_out(attempt):
            return attempt
        if nearest is None or attempt.rank > nearest.rank:
            nearest = attempt
        if attempt.states == 1.0 and not _is_known(best, attempt):
            found = _read_out(process, sites, attempt, clock.now() + READING_SECONDS, best)
            if best is None or found.rank > best.rank:
                best = found
            if best.agrees:
                return best
            if best.done and best.outputs >= PERFECT:
                deadline = min(deadline, clock.now() + DOUBT_SECONDS)
    assert nearest is not None
    return best or nearest


def _is_settled(attempt: CallAttempt) -> bool:
    """Whether no other read-out need be tried: the gradients agree, or outputs and loss do and the program fails afterwards."""
    return attempt.agrees or (attempt.outputs >= PERFECT and not attempt.done)


def _ways(recipes: Sequence[CallRecipe]) -> Iterator[tuple[CallRecipe, ArrayLayout]]:
    """Every way to call in every layout; where it is not known what arguments are, the usual layouts of all ways come first."""
    rest = [(recipe, _first_layouts(recipe)) for recipe in recipes]
    at_once = USUAL_LAYOUTS if any(recipe.guessed for recipe in recipes) else None
    while rest:
        lots = [(recipe, own, list(itertools.islice(own, at_once))) for recipe, own in rest]
        yield from ((recipe, layout) for recipe, _, lot in lots for layout in lot)
        rest = [(recipe, own) for recipe, own, lot in lots if lot]


USUAL_LAYOUTS = 14


def _with_other_targets(process: Process, sites: Sequence[Site], attempt: CallAttempt) -> CallAttempt:
    """A forward pass that stopped on its way, most likely at the targets: the same layout with others."""
    for y in (
        ("T", "TC", "C", "C1", "TC1", "1")
        if attempt.layout.single
        else ("BT", "TB", "BTC", "TBC", "CBT", "BC", "CB", "B1")
    ):
        other = _states(process, sites, attempt.recipe, replace(attempt.layout, y=y))
        if other.rank > attempt.rank:
            attempt = other
        if attempt.states == 1.0:
            break
    return attempt


def _is_known(best: CallAttempt | None, attempt: CallAttempt) -> bool:
    """Whether a layout is one that was looked at, but for what the read-out decides."""
    return best is not None and replace(best.layout, y="", wy=False, out_bias="") == replace(
        attempt.layout, y="", wy=False, out_bias=""
    )


READING_SECONDS, DOUBT_SECONDS = 1.2, 0.3
"""For the read-out of one layout; for other layouts when one explains the forward pass, but the gradients are wrong."""


def _ran_out(attempt: CallAttempt) -> bool:
    """Whether the code did not end in its time: it is not tried again."""
    return attempt.run is not None and attempt.run.error is not None and attempt.run.error["kind"] == "Stopped"


def _first_layouts(recipe: CallRecipe) -> Iterator[ArrayLayout]:
    """Layouts that the forward pass up to the states tells apart, the usual combinations first."""
    kinds = [Order(joined=joined) for joined in unstacked(recipe.given)]
    return (replace(layout, order=order) for layout in _plain_layouts(recipe) for order in kinds)


def _plain_layouts(recipe: CallRecipe) -> Iterator[ArrayLayout]:
    """The same but for what lies in one array."""
    names = {a.name for a in recipe.arguments}
    tokens = layouts.TOKENS if recipe.one_vocabulary or {"vocab_size"} & names else ()
    inputs = (*tokens, *layouts.BATCHES, *layouts.SINGLES, *layouts.FLAT, *(layouts.TOKENS if not tokens else ()))
    has_state, has_bias = "a0" in recipe.given, any(is_bias(role, recipe.names.cell) for role in recipe.given)
    has_params = has_weights(recipe.names, recipe.given)
    seen: set[ArrayLayout] = set()

    def family(x: str, columns: bool, wa: bool, bias: str, state: str, y: str) -> ArrayLayout:
        single = "B" not in x.upper()
        out = bias.replace("H", "C")
        every_upstream = "HBT" if columns else "TBH"
        return ArrayLayout(x, columns, wa, columns, bias, out, state, y, every_upstream if not single else "TH")

    for y_batch, y_single in (("B", ""), ("BC", "T"), ("CB", "C1"), ("BT", "C")):
        for x, (columns, bias, rows) in itertools.product(inputs, _FAMILIES):
            single = "B" not in x.upper()
            y, state = (y_single, _STATES[bias]) if single else (y_batch, "BH" if rows else "HB")
            layout = family(x, columns, columns, bias if has_bias else "H", state if has_state else "BH", y)
            if layout not in seen:
                seen.add(layout)
                yield layout
    if not has_params:
        return
    for x, columns, wa in itertools.product(inputs, (False, True), (False, True)):
        single = "B" not in x.upper()
        ys = ("", "C", "C1", "T") if single else ("B", "BC", "CB", "BT")
        biases = ("H", "1H", "H1") if has_bias else ("H",)
        states = layouts.state_layouts(single) if has_state else ("H" if single else "BH",)
        for y, bias, state in itertools.product(ys, biases, states):
            layout = family(x, columns, wa, bias, state, y)
            if layout not in seen:
                seen.add(layout)
                yield layout


_FAMILIES = (
    (False, "H", True),
    (True, "H1", False),
    (True, "H", True),
    (False, "1H", True),
    (True, "H1", True),
    (True, "1H", True),
    (True, "H", False),
)
"""Weights transposed or not, the biases' shape, states in rows or columns: what goes together."""
_STATES = {"H": "H", "1H": "1H", "H1": "H1"}


def _subject(process: Process, sites: Sequence[Site], attempt: CallAttempt) -> ProgramUnderTest:
    return ProgramUnderTest(
        process,
        sites,
        attempt.recipe,
        attempt.layout,
        attempt.cell,
        attempt.activation,
        attempt.predict,
        attempt.loss,
        attempt.outputs_count,
    )


def _problem(process: Process, sites: Sequence[Site], attempt: CallAttempt, **changes: Any) -> Problem:
    return _subject(process, sites, attempt).another(**changes)


@lru_cache(maxsize=64)
def _finder(problem: Problem, roles: frozenset[str], cells: tuple[Cell, ...], order: Order) -> StateFinder:
    return StateFinder(problem, readings_of(problem, roles, cells, order))


@lru_cache(maxsize=64)
def _reference(problem: Problem) -> Reference:
    return Reference(problem)


def _states(process: Process, sites: Sequence[Site], recipe: CallRecipe, layout: ArrayLayout) -> CallAttempt:
    """A trial for the states only: whatever the read-out makes of a random target."""
    every = "T" in layout.y or bool({"da", "dlogits"} & recipe.given)
    attempt = CallAttempt(recipe, layout, recipe.names.cell, predict="every" if every else "last")
    # of a ReLU's problems no unit is dead, whatever the activation
    activation = "relu" if attempt.cell.has_activation else attempt.activation
    problem = _problem(process, sites, replace(attempt, activation=activation))
    run = _subject(process, sites, attempt).run(problem, record=True)
    values = [e.array for e in run.events if e.sample in (None, 0)]
    held = frozenset(role for role in recipe.given if is_role(role, recipe.names.cell))
    reading, share = _finder(problem, held, recipe.names.cells, layout.order).found(values)
    return replace(
        attempt,
        cell=reading.cell,
        activation=reading.activation,
        layout=replace(layout, order=reading.order),
        states=share,
        done=run.error is None,
        run=run,
        problem=problem,
    )


def _read_out(
    process: Process, sites: Sequence[Site], start: CallAttempt, deadline: float, known: CallAttempt | None = None
) -> CallAttempt:
    """Which read-out, which targets, last or every step, which way round Wy: the best of all, that of a known trial first."""
    if _ran_out(start):
        return start
    best = replace(start, outputs=-1.0)
    completed: list[CallAttempt] = []
    heads = HEADS if "y" in start.recipe.given else HEADS[:1]
    # A gradient that the caller supplies comes at every step, where most shows.
    predicts = ("last", "every") if "y" in start.recipe.given else ("every", "last")
    choices = list(itertools.product(heads, predicts))
    if known is not None and known.outputs >= 2.0:
        choices.sort(key=lambda choice: choice != ((known.loss, known.outputs_count), known.predict))
    for (head, count), predict in choices:
        if count < best.outputs_count and head == best.loss and best.done and best.outputs >= 2.0:
            continue  # fewer outputs hide more
        attempt = replace(start, loss=head, outputs_count=count, predict=predict)
        try:
            problem = _problem(process, sites, attempt)
        except ValueError:
            continue
        reference = _reference(problem)
        base = _weights_first(process, sites, attempt, problem, reference)
        for layout in _target_layouts(replace(start, layout=base), problem):
            own = _tried(process, sites, replace(attempt, layout=layout), problem, reference)
            if own.rank > best.rank:
                best = own
            if own.done:
                completed.append(own)
            if clock.now() > deadline or _is_settled(best) or _ran_out(own):
                break
        if clock.now() > deadline or _is_settled(best):
            break
    best = _most_general(best, completed)
    completed.sort(key=lambda attempt: -attempt.outputs)
    return replace(best, others=tuple(attempt for attempt in completed if attempt is not best))


def _most_general(best: CallAttempt, others: Sequence[CallAttempt]) -> CallAttempt:
    """A program that is right for one output only, but whose outputs are right for several too, is judged by several."""
    wider = [
        other
        for other in others
        if best.agrees
        and (other.loss, other.predict) == (best.loss, best.predict)
        and other.outputs_count > best.outputs_count
        and other.done
        and other.outputs >= PERFECT
    ]
    return max(wider, key=lambda other: other.rank, default=best)


def _tried(
    process: Process, sites: Sequence[Site], attempt: CallAttempt, problem: Problem, reference: Reference
) -> CallAttempt:
    run = _subject(process, sites, attempt).run(problem, record=True)
    own = replace(
        attempt, run=run, problem=problem, done=run.error is None, outputs=_outputs(attempt, problem, reference, run)
    )
    return replace(own, agrees=own.done and own.outputs >= 2.0 and _agrees(_subject(process, sites, own), problem, run))


def _agrees(tested: ProgramUnderTest, problem: Problem, run: Run) -> bool:
    """Whether all gradients are the reference's times one positive factor."""
    ratios: list[float] = []
    for name, value in tested.measurement(problem, run).gradients.items():
        wanted = problem.tape.gradients.get(name)
        if wanted is None:
            continue
        if wanted.shape != value.shape or not np.isfinite(value).all():
            return False
        ratio = float(np.vdot(wanted, value) / max(float(np.vdot(wanted, wanted)), 1e-300))
        if ratio <= 0.0 or np.abs(value - ratio * wanted).max() > 1e-3 * ratio * np.abs(wanted).max():
            return False
        ratios.append(ratio)
    return bool(ratios) and max(ratios) < min(ratios) * (1 + 1e-3)


def _weights_first(
    process: Process, sites: Sequence[Site], attempt: CallAttempt, problem: Problem, reference: Reference
) -> ArrayLayout:
    """The way round of Wy and the shape of by with which the outputs are computed, whatever becomes of the targets."""
    given, base = attempt.recipe.given, attempt.layout
    turns = ((base.wy, False), (not base.wy, False)) if "Wy" in given else ((base.wy, False),)
    biases = tuple(dict.fromkeys((base.out_bias, "C", "C1", "1C"))) if "by" in given else (base.out_bias,)
    if attempt.outputs_count == 1:  # no axis for the one output
        turns, biases = (*turns, (base.wy, True)), (*biases, "") if "by" in given else biases
    targets = layouts.target_layouts(problem, base.single) if "y" in given else (base.y,)
    for (turned, flat), bias in itertools.product(turns, biases):
        layout = replace(base, wy=turned, flat=flat, out_bias=bias, y=targets[0])
        run = _subject(process, sites, replace(attempt, layout=layout)).run(problem, record=True)
        if run.error is None or _has_outputs(problem, reference, run):
            return layout
    return base


def _has_outputs(problem: Problem, reference: Reference, run: Run) -> bool:
    size = problem.tape["logits"].size
    for event in run.events:
        value = event.array if event.sample in (None, 0) else None
        if (
            value is not None
            and value.size <= size
            and any(m.entry.name in ("logits", "p") for m in reference.matches(value))
        ):
            return True
    return False


PERFECT = 3.0


def _target_layouts(start: CallAttempt, problem: Problem) -> Iterator[ArrayLayout]:
    given, base = start.recipe.given, start.layout
    if {"da", "dlogits"} & given and "y" not in given:
        flows = ("TBH", "HBT", "BTH", "BHT", "HTB", "THB", "BH", "HB")
        flows = flows if not base.single else ("TH", "HT", "TH1", "H", "H1", "1H")
        every = problem.network.predict == "every"  # a gradient at every step hides nothing
        own = dict.fromkeys(flow for flow in (base.upstream, *flows) if ("T" in flow) == every)
        yield from (replace(base, upstream=flow) for flow in own)
        return
    for y in layouts.target_layouts(problem, base.single) if "y" in given else (base.y,):
        yield replace(base, y=y)


def _outputs(attempt: CallAttempt, problem: Problem, reference: Reference, run: Run) -> float:
    """How well the outputs are the reference's: 2 for outputs, 1 for the loss or its gradient, 1 for outputs at all steps."""
    if "y" not in attempt.recipe.given:
        return PERFECT if run.error is None else 0.0
    network = problem.network
    seen: set[tuple[str, int | None]] = set()
    for event in run.events:
        if event.sample not in (None, 0):
            continue
        value = event.array
        if value is None and event.value is not None:
            _scalar(event.value, problem, seen)
            continue
        if value is None or value.size > problem.X.shape[0] * problem.X.shape[1] * network.outputs:
            continue
        for match in reference.matches(value):
            name = match.entry.name
            if (name in ("p", "logits") and match.scale > 0 and abs(match.scale - 1) < 1e-6) or name == "dlogits":
                seen.add((name, match.entry.t))
    from engine.doctor.recognise.reduction import has_loss

    if has_loss(problem, run, attempt.layout.single):
        seen.add(("loss", None))
    every, T = network.predict == "every", problem.X.shape[1]
    main = "p" if network.head.classes else "logits"
    wanted = set(range(1, T + 1)) if every else {None, T}
    shown = {t for name, t in seen if name == main}
    score = 0.0
    if shown & wanted or (every and None in shown):
        score += 2.0 if not every or None in shown or shown >= wanted else 1.0
        score += 0.5 if every else 0.0
    if any(name in ("dlogits", "loss") for name, _ in seen):
        score += 1.0
    if not network.head.classes and not any(name in ("dlogits", "loss") for name, _ in seen):
        return min(score, 0.1)
    if score == 0.0 and network.outputs > 1:
        # The outputs are not right: what speaks for this reading are the logits, and for how many steps there are outputs.
        score += 0.3 * any(name == "logits" for name, _ in seen)
        score += 0.2 * (_steps_of_outputs(problem, run) == (T if every else 1))
    return score


def _steps_of_outputs(problem: Problem, run: Run) -> int:
    """At how many steps the program has outputs, by the sizes of what it computes."""
    B, T = problem.X.shape[:2] if run.events and run.events[0].sample is None else (1, problem.X.shape[1])
    C = problem.network.outputs
    own = [e for e in run.events if e.sample in (None, 0) and e.site.kind == "assign" and e.array is not None]
    if any(np.asarray(e.value).size == B * T * C and np.asarray(e.value).ndim > 2 - (B == 1) for e in own):
        return T
    lines = [e.site.line for e in own if np.asarray(e.value).size == B * C]
    return T if any(lines.count(line) == T for line in set(lines)) else 1


def _scalar(value: Any, problem: Problem, seen: set[tuple[str, int | None]]) -> None:
    """One number: the probability of a single output, or the loss, of the first sample."""
    number = float(np.asarray(value).ravel()[0])
    tape, network = problem.tape, problem.network
    if network.outputs != 1:
        return
    for name in ("p", "logits", "dlogits"):
        if name not in tape:
            continue
        rows = np.asarray(tape[name])[..., 0].T  # (B,) or (B, T)
        own = rows[:1].ravel()
        factor = len(problem.X) * (problem.X.shape[1] if network.predict == "every" else 1) if name == "dlogits" else 1
        for t, wanted in enumerate(own, 1):
            if abs(number - wanted * factor) < 1e-9 or (
                not network.head.classes and abs(number * 2 - wanted * factor) < 1e-9
            ):
                seen.add((name, t if network.predict == "every" else None))
