"""A whole script, global variables and all: it runs once, its arrays are recognised by name, shape and value, and the reference runs on the
same data and weights, up to the first update. A function that makes its own weights and trains inside is the same, with our data."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from engine.cells import CELLS
from engine.doctor import comparing, layouts, placing, roles
from engine.doctor.anatomy import Function, Program
from engine.doctor.calls import LEARNING_RATE
from engine.doctor.diagnose import (
    OTHER_LOSS,
    CannotRun,
    Patient,
    is_of_loss,
    is_single_precision,
    located,
    shown_axes,
    unless_forward_unknown,
    without_read_out,
)
from engine.doctor.instrument import Site, instrument
from engine.doctor.layouts import Layout
from engine.doctor.losses import Loss, agrees, another_loss
from engine.doctor.matching import MOST_STEPS, SINGLE, Reference
from engine.doctor.placing import Compared
from engine.doctor.problem import Measurement, Problem, make_problem
from engine.doctor.process import Process
from engine.doctor.report import Finding, Place, Report
from engine.doctor.scale import Scale, find_scale
from engine.doctor.trying import Event, Finder, Run, events_of
from engine.doctor.values import is_array
from engine.doctor.variants import CATALOGUE
from engine.errors import InputError
from engine.functions import Array
from engine.network import TRUNCATIONS, Network

SECONDS = 3.0
CANDIDATES = 4
"""Values tried for one role."""
MARGIN = 500
"""Values that a changed script may record more than the one it was made from, in one pass."""
FORWARD_EVENTS = 6000
"""Among which the forward pass is looked for."""


@dataclass(frozen=True, eq=False)
class Found:
    """The problem that a run solved: the reference's, the events up to the first update, and how the arrays lie."""

    problem: Problem
    events: tuple[Event, ...]
    names: Mapping[str, str]
    turned: frozenset[str]
    x_layout: str
    share: float
    samples: tuple[int, ...]
    update: Event | None = None
    """In which a weight first takes a new value."""


def examine_script(found: Program, process: Process) -> Report:
    """The report on a script, or on the function of it that trains."""
    trainer = found.trainer()
    made = instrument(found.source.tree())
    patient = Patient(found, process, made.sites, made.loops)
    if trainer is not None and not _is_called(found, trainer):
        return _examine_trainer(patient, trainer)
    answer = process.ask(
        "load",
        seconds=SECONDS,
        file=str(process.file),
        name="__main__",
        text=found.source.text,
        record=True,
        stops=True,
    )
    events = _events(patient, answer)
    return _examine_events(patient, events, answer.get("error"), {}, "")


def _is_called(found: Program, function: Function) -> bool:
    """Whether the script itself calls a function, directly or through others."""
    names = {f.node.name for f in found.functions if f is function or found.calls(f, function)}
    for statement in found.tree.body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            continue
        if any(
            isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id in names for n in ast.walk(statement)
        ):
            return True
    return False


def _events(patient: Patient, answer: Mapping[str, Any]) -> tuple[Event, ...]:
    return tuple(events_of(patient.sites, answer))


def _examine_trainer(patient: Patient, trainer: Function) -> Report:
    """Calls the function with our data, in one layout after the other."""
    answer = patient.process.ask("load", file=str(patient.process.file), name="program", text=patient.source.text)
    if "error" in answer:
        raise CannotRun(patient.failed(answer["error"]), answer["error"].get("line"))
    problem = make_problem(initial=False)
    best: tuple[tuple[float, ...], Any, tuple[Event, ...]] | None = None
    for layout, y in itertools.product((*layouts.BATCHES, *layouts.FLAT[:2]), ("B", "BC", "CB", "B1")):
        data = make_problem(initial=False, inputs=1) if layout in layouts.FLAT else problem
        own = Layout(layout, y=y)
        request = {
            "function": trainer.node.name,
            "method": False,
            "named": _trainer_arguments(trainer, data, own),
        }
        result = patient.process.ask("call", seconds=1.0, record=True, stops=True, calls=[request])
        events = _events(patient, result)
        given = {"X": data.X, "y": data.y}
        found = _recognised(events, given)
        rank = (found.share if found else 0.0, "error" not in result, len(events))
        if best is None or rank > best[0]:
            best = rank, (result.get("error"), given), events
        if rank[0] == 1.0 and rank[1]:
            break
    assert best is not None
    return _examine_events(patient, best[2], best[1][0], best[1][1], trainer.name)


def _trainer_arguments(trainer: Function, problem: Problem, layout: Layout) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for name, default in trainer.parameters:
        meant = roles.role(name)
        if meant == "X":
            named[name] = layouts.inputs(problem, layout, None)
        elif meant == "y":
            named[name] = layouts.targets(problem, layout, None)
        elif meant == "once":
            named[name] = 1
        elif default is None:
            sizes = {**problem.network.sizes, "B": len(problem.X), "T": problem.X.shape[1], "lr": LEARNING_RATE}
            if meant not in sizes:
                raise CannotRun(
                    f"{trainer.name} takes {name}, which no known name explains; give it a default value",
                    trainer.node.lineno,
                )
            named[name] = sizes[meant]
    return named


def _examine_events(
    patient: Patient,
    events: tuple[Event, ...],
    error: Mapping[str, Any] | None,
    given: Mapping[str, Array],
    function: str,
) -> Report:
    found = _recognised(events, given)
    harmless = error is not None and error["kind"] == "Stopped" and found is not None and found.share == 1.0
    if found is None or found.share < 1.0:
        if error is not None:
            raise CannotRun(patient.failed(error, SECONDS), error.get("line"))
        raise CannotRun(_unrecognised(events, found))
    reference = Reference(found.problem)
    run = Run((), (), found.events)
    gradients = _gradients(found, reference)
    conventions = _conventions(found)
    right = placing.Scales(1.0, frozenset(), found.turned)
    base = Report("wrong", "", function, conventions, compared=Compared(patient.source, found.events, reference, right))
    if error is not None and not harmless:
        around = _loop_of_gradients(patient, found, error)
        missing = around is not None or len(gradients) < len([n for n in found.names if n in roles.PARAMETERS])
        if missing and (not _outputs_seen(reference, found.events) or is_of_loss(patient, error)):
            raise CannotRun(patient.failed(error, SECONDS), error.get("line"))
        if missing:
            line = error.get("line") or 1
            place = Place(line, patient.source.line(line), why=str(error["message"])[:200])
            reason = f"the forward pass is right; in the backward pass {patient.failed(error, SECONDS)}"
            named = _over_samples(patient, found, error, around)
            return replace(
                base, reason=reason, reason_line=line, first_divergence=place, loss_matches=True, diagnoses=named
            )
    if not gradients:
        raise CannotRun(
            "its forward pass is that of a simple RNN, but nothing in it is called a gradient of the weights (dWx, grad_Wa, ...)"
        )
    single_pass = len(found.samples) == 1
    measured = Measurement(None, gradients)
    scale, other = _scale(patient, found, run, measured, reference)
    if single_pass:
        scale = replace(scale, words=scale.words.replace("mean over the batch", "one sample at a time"))
    gradients = _without_penalty(found.problem, gradients, other, scale)
    if other is not None and agrees(other, Measurement(None, gradients)):
        parameters = {n: comparing.compare(value, other.gradients[n]) for n, value in gradients.items()}
        conventions = {**conventions, "reduction": scale.words}
        return replace(base, verdict="correct", conventions=conventions, loss_matches=True, parameters=parameters)
    missing_names = frozenset(found.problem.parameters) - found.names.keys()
    tolerance = comparing.RIGHT_SINGLE if is_single_precision(run) else comparing.RIGHT
    parameters = comparing.compare_all(found.problem, gradients, missing_names, tolerance=tolerance)
    wrong = frozenset(name for name, each in parameters.items() if not each.ok)
    outputs = _outputs_seen(reference, found.events)
    notes = [*_script_notes(found, error if harmless else None), *([] if scale.loss_agrees else [OTHER_LOSS])]
    report = replace(
        base,
        verdict="wrong" if wrong or not outputs else "correct",
        conventions={**conventions, "reduction": scale.words},
        loss_matches=outputs and scale.loss_agrees,
        parameters=parameters,
        notes=tuple(notes),
        compared=Compared(patient.source, found.events, reference, placing.Scales(scale.factor, wrong, found.turned)),
    )
    assert report.compared is not None
    if report.verdict == "correct":
        return report
    if harmless and len(found.events) == len(events):
        raise CannotRun(
            "it computes more in one backward pass than can be recorded, so the end of the pass was not seen; "
            "examine it on fewer samples or time steps"
        )
    line_up = report.compared.timeline
    own = Measurement(None, gradients, frozenset(found.problem.parameters) - gradients.keys())

    def measure(problem: Problem) -> Measurement:
        return (
            own
            if problem is found.problem
            else Measurement(None, {}, error="the script fixes its own data and weights")
        )

    def verify(text: str) -> bool:
        return not given and _is_right(patient, text, 2 * len(found.events) + MARGIN)

    report = without_read_out(located(patient, report, line_up, measure, found.problem, verify), other)
    if outputs and not report.diagnoses and (steps := _truncation(found, gradients, missing_names, tolerance)):
        mistake = CATALOGUE["truncated-early"]
        finding = Finding("truncated-early", mistake.title, tuple(sorted(wrong)), 0.0, report.first_divergence)
        words = f"the gradients are those of truncated backpropagation with K = {steps}"
        report = replace(report, diagnoses=(finding,), notes=(*report.notes, words))
    return unless_forward_unknown(report, outputs)


def _loop_of_gradients(patient: Patient, found: Found, error: Mapping[str, Any]) -> int | None:
    """The number of the loop of the backward pass in which the script failed; None where it failed elsewhere."""
    if found.update is not None:
        return None
    loops = {e.site.loops[-1] for e in found.events if e.site.loops and e.target and _gradient(found, e.target)}
    failed = {site.loops[-1] for site in patient.sites if site.line == error.get("line") and site.loops}
    loops |= {s.loops[-1] for s in patient.sites if s.loops and s.target and _gradient(found, s.target)}
    return next(iter(loops & failed), None)


def _over_samples(patient: Patient, found: Found, error: Mapping[str, Any], around: int | None) -> tuple[Finding, ...]:
    """The finding that a loop over time counts samples, where an index beyond the last step says so."""
    if around is None or error["kind"] not in ("IndexError", "KeyError"):
        return ()
    line = patient.loops[around][0]
    loop = next(n for n in ast.walk(patient.program.tree) if isinstance(n, ast.For | ast.While) and n.lineno == line)
    head = loop.iter if isinstance(loop, ast.For) else loop.test
    names = {n.id for n in ast.walk(head) if isinstance(n, ast.Name)}
    lengths = {e.target: len(e.array) for e in found.events if e.target in names and e.array is not None}
    counts = {count for name, count in {**lengths, **error.get("counts", {})}.items() if name in names}
    B, T = found.problem.X.shape[:2]
    if B not in counts or T in counts:
        return ()
    id_ = "loop-over-wrong-axis"
    return (Finding(id_, CATALOGUE[id_].title, (), None, Place(line, patient.source.line(line))),)


def _scale(
    patient: Patient, found: Found, run: Run, measured: Measurement, reference: Reference
) -> tuple[Scale, Loss | None]:
    scale = find_scale(found.problem, run, measured, reference, single=False)
    computed = scale.loss_agrees and scale.source in ("loss", "gradients")
    if computed or not found.problem.network.table.has_activation:
        return scale, None
    other = another_loss(found.problem, run, measured, False, patient.program.tree)
    return (scale, None) if other is None else (other.scale, other)


def _without_penalty(
    problem: Problem, gradients: Mapping[str, Array], other: Loss | None, scale: Scale
) -> dict[str, Array]:
    """Gradients in the reference's scale, without what a penalty on the weights adds."""
    penalty = other.penalty if other is not None else None
    return {
        name: (value - (penalty.gradient(problem, name) if penalty else 0.0)) / scale.factor
        for name, value in gradients.items()
    }


def _truncation(found: Found, gradients: Mapping[str, Array], missing: frozenset[str], tolerance: float) -> int | None:
    """The number of steps to which backpropagation was cut short, where that alone explains the gradients; None otherwise."""
    steps = found.problem.X.shape[1]
    for reach in range(1, steps if steps <= MOST_STEPS else 1):
        for how in TRUNCATIONS:
            network = replace(found.problem.network, truncate=reach, truncate_by=how)
            cut = replace(found.problem, network=network)
            if all(each.ok for each in comparing.compare_all(cut, gradients, missing, tolerance=tolerance).values()):
                return reach
    return None


def _is_right(patient: Patient, text: str, most: int) -> bool:
    """Whether a changed script's gradients are right, as far as that many recorded values show."""
    tree = ast.parse(text)
    made = instrument(tree)
    file = str(patient.process.file)
    answer = patient.process.ask(
        "load", seconds=1.0, file=file, name="__main__", text=text, record=True, stops=True, most=most
    )
    changed = replace(patient, sites=made.sites, loops=made.loops)
    found = _recognised(_events(changed, answer), {})
    if found is None or found.share < 1.0:
        return False
    reference = Reference(found.problem)
    gradients = _gradients(found, reference)
    run = Run((), (), found.events)
    scale, other = _scale(patient, found, run, Measurement(None, gradients), reference)
    tolerance = comparing.RIGHT_SINGLE if is_single_precision(run) else comparing.RIGHT
    missing = frozenset(found.problem.parameters) - found.names.keys()
    scaled = _without_penalty(found.problem, gradients, other, scale)
    return all(e.ok for e in comparing.compare_all(found.problem, scaled, missing, tolerance=tolerance).values())


def _unrecognised(events: Sequence[Event], found: Found | None) -> str:
    if found is None:
        names = sorted({placing.final_name(e.target) for e in events if e.array is not None and e.target})[:12]
        return (
            "there is no function that is a backward pass by its name, and among its arrays "
            f"({', '.join(names) or 'none'}) X, Wx, Wa and Wy were not all found by their names; "
            "name the function with --function"
        )
    if found.share:
        cell = found.problem.network.table
        what = "a simple RNN" if cell.has_activation else f"the cell {cell.name}"
        return (
            f"it computes the states of {what} on its arrays at some steps only; "
            "is it another cell, or are its sequences of different lengths?"
        )
    return "its arrays are known, but nothing it computes is a state of a simple RNN (tanh, relu or sigmoid) on them"


# Recognising


def _by_role(events: Sequence[Event]) -> dict[str, list[tuple[int, Array, str]]]:
    """Arrays by the role of what they are assigned to, in order: the event's number, the value, the name."""
    found: dict[str, list[tuple[int, Array, str]]] = {}
    for event in events:
        value = event.value
        if event.site.kind in ("part", "increment", "return") or not is_array(value):
            continue
        name = placing.final_name(event.target)
        meant = roles.role(name) if name else None
        if meant in ("X", "y", "a0", *roles.PARAMETERS):
            found.setdefault(meant, []).append((event.number, value, name))
    return found


def _matrices(events: Sequence[Event]) -> list[tuple[int, Array, str]]:
    """What may be a weight though its name says nothing: matrices that are assigned and not zero."""
    first: dict[tuple[Site, str], tuple[int, Array, str]] = {}
    for e in events:
        if e.array is not None and e.array.ndim == 2 and e.site.kind == "assign" and e.target and e.array.any():
            first.setdefault((e.site, e.target), (e.number, e.array, placing.final_name(e.target)))
    outermost = sorted(first, key=lambda place: bool(place[0].loops or place[0].function))
    return [first[place] for place in outermost]


def _step_by_step(events: Sequence[Event], size: int, role: str | None = None) -> Iterator[tuple[Array, str]]:
    """Arrays (T, size) of what is made anew in every round of a loop, or appended there, such as the inputs of one sample."""
    runs: dict[Any, list[Event]] = {}
    for event in events[:4000]:
        site = event.site
        if site.kind not in ("assign", "append") or not site.loops or not is_array(event.value):
            continue
        if event.value.size == size and (role is None or roles.role(placing.final_name(event.target)) == role):
            runs.setdefault((site, event.rounds[:-2]), []).append(event)
    seen: set[Site] = set()
    for (site, _), own in runs.items():
        whole = len(own) > 1 and [e.rounds[-2] for e in own] == list(range(len(own)))
        if whole and site not in seen and (size == 1 or any(e.value.any() for e in own)):
            seen.add(site)
            yield np.array([e.value.ravel() for e in own]), site.target


def _recognised(events: tuple[Event, ...], given: Mapping[str, Array]) -> Found | None:
    """The problem that these events solve: of all ways to read its arrays the one whose states were computed."""
    if (gated := _gated(events, given)) is not None:
        return gated
    if (spelt := _spelt(events)) is not None:
        raise CannotRun(
            f"it is {spelt} by its weights' names; such cells are examined only with their weights called as in the notation ng "
            "of rnn-tui code, one sample a row, and sequences of one length"
        )
    known = _by_role(events)
    for name, value in given.items():
        known[name] = [(-1, value, name), *known.get(name, [])]
    for name in ("Wx", "Wa", "Wy"):
        known[name] = [entry for entry in known.get(name, []) if entry[1].ndim == 2]
    others = _matrices(events)
    known["Wa"] = known["Wa"] or [w for w in others if w[1].shape[0] == w[1].shape[1]][:CANDIDATES]
    units = {w[1].shape[0] for w in known["Wa"]}
    for name in ("Wx", "Wy"):
        known[name] = [w for w in known[name] if units & set(w[1].shape)]
    taken = {w[2] for role in ("Wx", "Wa", "Wy") for w in known[role]}
    unnamed = [w for w in others if w[2] not in taken and units & set(w[1].shape)]
    known |= {name: known[name] or unnamed[:CANDIDATES] for name in ("Wx", "Wy")}
    if not known["Wa"] or not known["Wx"] or not known["Wy"]:
        return None
    best: Found | None = None
    for tried, (problem, names, turned, x_layout) in enumerate(_readings(known, events)):
        finder = Finder(problem)
        activation, share = finder.found(events)
        steps = problem.X.shape[1]
        if best is None or (share, steps > 1) > (best.share, best.problem.X.shape[1] > 1):
            network = replace(problem.network, activation=activation)
            best = Found(replace(problem, network=network), events, names, turned, x_layout, share, ())
        if (share == 1.0 and steps > 1) or tried > 200:
            break
    if best is None or best.share == 0.0:
        return best
    if best.problem.X.shape[1] <= MOST_STEPS and _share(best.problem, events) == 0.0:
        return replace(best, share=0.0)  # numbers of the same sum, not the states
    return _settled(best, known)


def _gated(events: tuple[Event, ...], given: Mapping[str, Array]) -> Found | None:
    """The same for a cell with gates, whose weights are called as its table calls them."""
    arrays: dict[str, Array] = {}
    for event in events:
        if event.site.kind == "assign" and is_array(event.value):  # of one number too: by of one output
            arrays.setdefault(placing.final_name(event.target), event.value)
    for cell in CELLS.values():
        if cell.has_activation or not cell.parameters.keys() <= arrays.keys() or "Wy" not in arrays:
            continue
        own = {name: arrays[name] for name in (*cell.parameters, "Wy", "by") if name in arrays}
        first = next(name for name, axes in cell.parameters.items() if axes == ("D", "H"))
        if own[first].ndim != 2 or own["Wy"].ndim != 2:
            continue
        (features, hidden), outputs = own[first].shape, own["Wy"].shape[1]
        weights: dict[str, Array] = {"by": np.zeros(outputs), **own}
        try:
            network = Network(features, outputs, hidden, cell=cell, weights=weights)
        except InputError:
            continue
        known = _by_role(events)
        known["X"] = [*((-1, v, n) for n, v in given.items() if n == "X"), *known.get("X", [])]
        known["y"] = [*((-1, v, n) for n, v in given.items() if n == "y"), *known.get("y", [])]
        for X, layout, name in _inputs(known, events, features):
            problem = Problem(network, X, np.zeros(len(X), int))
            share = _share(problem, events)
            if share > 0:
                names = {**{n: n for n in own}, "X": name}
                return _settled(Found(problem, events, names, frozenset(), layout, share, ()), known)
    return None


def _spelt(events: Sequence[Event]) -> str | None:
    """The cell with gates all of whose weights' names in some notation are assigned, biases aside."""
    names = {placing.final_name(e.target) for e in events if e.site.kind == "assign" and is_array(e.value)}
    own_names: Mapping[str, str] = {}
    for cell in CELLS.values():
        weights = [name for name, axes in cell.parameters.items() if len(axes) == 2]
        for spelling in (own_names, *cell.names.values()):
            if not cell.has_activation and {spelling.get(name, name) for name in weights} <= names:
                return f"the cell {cell.name}"
    return None


def _share(problem: Problem, events: Sequence[Event]) -> float:
    """The share of time steps whose state was computed."""
    output, reference = problem.network.table.output, Reference(problem)
    seen: set[int] = set()
    for event in events:
        if event.array is not None and event.array.size <= len(problem.X) * problem.network.hidden:
            seen |= {m.entry.t for m in reference.matches(event.array) if m.entry.name == output and m.entry.t}
    return len(seen) / problem.X.shape[1]


def _readings(
    known: Mapping[str, list[tuple[int, Array, str]]], events: Sequence[Event]
) -> Iterator[tuple[Problem, dict[str, str], frozenset[str], str]]:
    """The ways to read the arrays as a problem (targets aside), the plainest first."""
    for wa in known["Wa"][:CANDIDATES]:
        hidden = wa[1].shape[0]
        if wa[1].shape != (hidden, hidden):
            continue
        for wx in known["Wx"][:CANDIDATES]:
            for wx_turned in [t for t in (False, True) if wx[1].shape[0 if t else 1] == hidden]:
                for wa_turned in (wx_turned, not wx_turned):
                    features = wx[1].shape[1 if wx_turned else 0]
                    yield from _with_inputs(known, events, wa, wx, wa_turned, wx_turned, hidden, features)


def _with_inputs(
    known: Mapping[str, list[tuple[int, Array, str]]],
    events: Sequence[Event],
    wa: tuple[int, Array, str],
    wx: tuple[int, Array, str],
    wa_turned: bool,
    wx_turned: bool,
    hidden: int,
    features: int,
) -> Iterator[tuple[Problem, dict[str, str], frozenset[str], str]]:
    weights: dict[str, Array] = {
        "Wx": wx[1].T if wx_turned else wx[1],
        "Wa": wa[1].T if wa_turned else wa[1],
    }
    names = {"Wx": wx[2], "Wa": wa[2]}
    biases = [b for b in known.get("ba", []) if b[1].size == hidden][:1]
    if biases:
        weights["ba"], names["ba"] = biases[0][1].reshape(hidden), biases[0][2]
    for wy in [w for w in known["Wy"][:CANDIDATES] if w[2] != wx[2]]:
        for wy_turned in [t for t in (wx_turned, not wx_turned) if wy[1].shape[1 if t else 0] == hidden]:
            outputs = wy[1].shape[0 if wy_turned else 1]
            own = {**weights, "Wy": wy[1].T if wy_turned else wy[1]}
            all_names = {**names, "Wy": wy[2]}
            for by in [b for b in known.get("by", []) if b[1].size == outputs][:1]:
                own["by"], all_names["by"] = by[1].reshape(outputs), by[2]
            turned = frozenset(n for n, t in (("Wx", wx_turned), ("Wa", wa_turned), ("Wy", wy_turned)) if t)
            network = Network(features, outputs, hidden, weights={**_zeros(features, hidden, outputs), **own})
            for X, layout, name in _inputs(known, events, features):
                y = np.zeros(len(X), int)
                yield Problem(network, X, y), {**all_names, "X": name}, turned, layout


def _zeros(features: int, hidden: int, outputs: int) -> dict[str, Array]:
    return {
        "Wx": np.zeros((features, hidden)),
        "Wa": np.zeros((hidden, hidden)),
        "ba": np.zeros(hidden),
        "Wy": np.zeros((hidden, outputs)),
        "by": np.zeros(outputs),
    }


def _inputs(
    known: Mapping[str, list[tuple[int, Array, str]]], events: Sequence[Event], features: int
) -> Iterator[tuple[Array, str, str]]:
    """Arrays that may be X, as (B, T, D): the last ones called so first, since data are often reshaped before they are used."""
    named = known.get("X", [])
    distinct: list[tuple[int, Array, str]] = []
    for entry in [*named[:1], *reversed(named[1 : 4 * CANDIDATES])]:
        if not any(d[1].shape == entry[1].shape and np.array_equal(d[1], entry[1]) for d in distinct):
            distinct.append(entry)
    distinct.sort(key=lambda e: (-e[1].ndim, e[0]))
    others = [
        (e.number, e.array, e.target)
        for e in events[:400]
        if e.array is not None and e.array.ndim == 3 and e.site.kind == "assign"
    ]
    for _, value, name in (*distinct, *others[:CANDIDATES]):
        X = value.astype(float)
        if X.ndim == 3:
            for letters in layouts.BATCHES:
                if X.shape[letters.index("D")] == features:
                    order = [letters.index(axis) for axis in "BTD"]
                    yield X.transpose(order), letters, name
        elif X.ndim == 2:
            if features == 1:
                yield X[:, :, None], "BT", name
                yield X.T[:, :, None], "TB", name
            elif value.dtype.kind in "iu" and value.min() >= 0 and value.max() < features:
                yield np.eye(features)[value], "bt", name
            if X.shape[1] == features:
                yield X[None], "TD", name
            if X.shape[0] == features:
                yield X.T[None], "DT", name
        elif X.ndim == 1:
            if features == 1:
                yield X[None, :, None], "T", name
            elif value.dtype.kind in "iu" and value.min() >= 0 and value.max() < features:
                yield np.eye(features)[value][None], "t", name
    for rows, name in _step_by_step(events, features):
        yield rows[None].astype(float), "TD", name


def _settled(found: Found, known: Mapping[str, list[tuple[int, Array, str]]]) -> Found:
    """With its targets and read-out, the samples that were really run, and only what came before the first update."""
    update = _first_update(found)
    events = tuple(e for e in found.events if update is None or e.number < update.number)
    found = replace(found, update=update)
    best: tuple[int, Problem, str] | None = None
    for problem, name in _with_targets(found, known):
        score = _agreement(problem, events)
        if best is None or score > best[0]:
            best = score, problem, name
    if best is None:
        return replace(found, events=events)
    problem, names = best[1], {**found.names, **({"y": best[2]} if best[2] else {})}
    samples = _samples_run(problem, events)
    if 0 < len(samples) < len(problem.X):
        problem = replace(problem, X=problem.X[list(samples)], y=problem.y[list(samples)])
    return replace(found, problem=problem, events=events, names=names, samples=samples)


def _first_update(found: Found) -> Event | None:
    """The first event in which a weight takes a new value near its old one, where the backward pass is done; if it is not done yet then,
    the next such event, or the one with which the next forward pass begins."""
    weights = [(name, np.asarray(value)) for name, value in found.problem.parameters.items() if value.any()]
    forward = _forward_sites(found)
    begun = early = False
    for event in found.events:
        value = event.value
        if event.target and _gradient(found, event.target):
            begun = True
        if early and event.site in forward:
            return event
        if not begun or not is_array(value) or event.site.kind in ("part", "increment"):
            continue
        if _gradient(found, event.target) is not None or not _is_changed(found, value, weights):
            continue
        if event.site.loops and not any(event.site.loops[-1] in site.loops for site in forward):
            early = True  # inside the loop of the backward pass
        else:
            return event
    return None


def _is_changed(found: Found, value: Array, weights: Sequence[tuple[str, Array]]) -> bool:
    """Whether a value is near a weight, but not the weight."""
    for name, weight in weights:
        own = value.T if name in found.turned and value.ndim == 2 else value
        if own.size != weight.size or (weight.ndim == 2 and own.shape != weight.shape):
            continue
        distance = float(np.linalg.norm(own.ravel() - weight.ravel())) / float(np.linalg.norm(weight))
        if 0.0 < distance < 0.5:
            return True
    return False


def _forward_sites(found: Found) -> set[Site]:
    """Where states of the forward pass are computed."""
    states = np.asarray(found.problem.tape[found.problem.network.table.output])[1:]
    sums = np.sort([float(np.abs(part).sum()) for state in states for part in (state, *state)])
    sites: set[Site] = set()
    for event in found.events[:FORWARD_EVENTS]:
        if (
            event.array is not None
            and event.site.kind != "part"
            and event.array.size in (states[0].size, states[0, 0].size)
        ):
            total = float(np.abs(event.array.astype(float)).sum())
            k = int(np.searchsorted(sums, total * (1 - 1e-9)))
            if k < len(sums) and 0 < sums[k] <= total * (1 + 1e-9):
                sites.add(event.site)
    return sites


def _with_targets(found: Found, known: Mapping[str, list[tuple[int, Array, str]]]) -> Iterator[tuple[Problem, str]]:
    B, T = found.problem.X.shape[:2]
    C = found.problem.network.outputs
    seen: list[Array] = []
    stepwise = [(y[None], name) for size in {1, C} for y, name in _step_by_step(found.events, size, "y") if len(y) == T]
    values = [(value, name) for _, value, name in known.get("y", [])[: 4 * CANDIDATES]]
    for value, name in (*(stepwise if B == 1 else ()), *values):
        if any(s.shape == value.shape and np.array_equal(s, value) for s in seen):
            continue
        if value.ndim > 1 and not value.any():
            continue  # before it is filled
        seen.append(value)
        for loss, predict, y in _target_readings(value, B, T, C):
            network = replace(found.problem.network, loss=loss, predict=predict)
            yield replace(found.problem, network=network, y=y), name
    if seen or B > 1:
        return
    classes = range(max(C, 2))
    if C > 1:  # a target that is the variable of a loop
        yield from ((replace(found.problem, y=np.array([c])), "") for c in classes)
    else:
        network = replace(found.problem.network, loss="binary")
        yield from ((replace(found.problem, network=network, y=np.array([c])), "") for c in classes)


def _target_readings(value: Array, B: int, T: int, C: int) -> Iterator[tuple[str, str, Array]]:
    whole = value.dtype.kind in "iub" or bool(np.all(value == np.round(value)))
    flat = value.squeeze() if value.ndim > 1 else value
    for predict, shape in (("last", (B,)), ("every", (B, T)), ("every", (T, B))):
        every = predict == "every"
        numbers = value if value.shape == shape else flat if flat.shape == shape else None
        if numbers is None and value.size == int(np.prod(shape)) and B == 1:
            numbers = value.reshape(shape)
        if numbers is not None:
            turned = numbers.T if every and shape == (T, B) and B != T else numbers
            if C > 1 and whole and numbers.min() >= 0 and numbers.max() < C:
                yield "cross-entropy", predict, turned.astype(int)
            if C == 1 and whole and set(np.unique(numbers)) <= {0, 1}:
                yield "binary", predict, turned.astype(int)
            if C == 1:
                yield "squared", predict, turned.astype(float)[..., None]
        for order in itertools.permutations((*shape, C)):
            if value.shape != order or (every and shape == (T, B)):
                continue
            axes = [order.index(n) for n in (*shape, C)]
            turned = value.transpose(axes) if len(set(axes)) == len(axes) else value
            if C > 1 and whole and np.array_equal(turned.sum(axis=-1), np.ones(shape)):
                yield "cross-entropy", predict, turned.argmax(axis=-1)
            yield "squared", predict, turned.astype(float)


def _agreement(problem: Problem, events: Sequence[Event]) -> int:
    """How many outputs, deltas and read-out gradients of the problem were computed."""
    reference = Reference(problem)
    wanted = ("p", "logits", "dlogits", "dWy") if problem.network.head.classes else ("dlogits", "dWy")
    seen: set[tuple[str, int | None, int | None]] = set()
    for event in events[:4000]:
        value = event.array
        if value is None:
            continue
        for match in reference.matches(value)[:3]:
            if match.entry.name in wanted:
                seen.add((match.entry.name, match.entry.t, match.entry.sample))
    return len(seen) + 3 * len({s[0] for s in seen} & {"dlogits"}) + (len({s[1] for s in seen if s[0] == "p"}) > 1)


def _samples_run(problem: Problem, events: Sequence[Event]) -> tuple[int, ...]:
    """The samples whose last state was computed; all of them where they were computed together."""
    a = np.asarray(problem.tape[problem.network.table.output])[-1]
    sums = [float(np.abs(row).sum()) for row in a]
    whole = float(np.abs(a).sum())
    seen: set[int] = set()
    for event in events:
        value = event.array
        if value is None:
            continue
        total = float(np.abs(value.astype(float)).sum())
        if (
            value.size >= a.size
            and (abs(total - whole) < 1e-9 * whole or value.ndim >= 3)
            and abs(total - whole) < 1e-9 * whole
        ):
            return tuple(range(len(a)))
        if value.size == a.shape[1]:
            seen |= {b for b, own in enumerate(sums) if abs(total - own) < 1e-9 * max(own, 1e-9)}
    return tuple(sorted(seen)) or tuple(range(len(a)))


# Gradients


def _gradients(found: Found, reference: Reference) -> dict[str, Array]:
    """The last value of each gradient before the first update, in our layout."""
    result: dict[str, Array] = {}
    shapes = {name: np.asarray(value).shape for name, value in found.problem.parameters.items()}
    layout = Layout(wx="Wx" in found.turned, wa="Wa" in found.turned, wy="Wy" in found.turned)
    for event in found.events:
        value = event.array if event.array is not None else (event.value if is_array(event.value) else None)
        if value is None or event.site.kind in ("part", "increment", "append"):
            continue
        meant = _gradient(found, event.target)
        if meant in found.names and meant in shapes and value.size == int(np.prod(shapes[meant])):
            result[meant] = layouts.weight_back(meant, value.astype(float), shapes[meant], layout)
    for event in found.events if len(result) < len(found.names) - 2 else ():
        if event.array is None:
            continue
        for match in reference.matches(event.array):
            name = match.entry.name.removeprefix("d")
            if match.entry.kind == "value" and name in found.names and name in shapes and name not in result:
                result[name] = layouts.weight_back(name, event.array.astype(float), shapes[name], layout)
    return {name: -value for name, value in result.items()} if _is_added(found, result) else result


def _is_added(found: Found, gradients: Mapping[str, Array]) -> bool:
    """Whether the first update adds what is called the gradient: then it is the direction of descent."""
    event = found.update
    if event is None:
        return False
    for name, gradient in gradients.items():
        weight = np.asarray(found.problem.parameters[name])
        value = np.asarray(event.value).T if name in found.turned else np.asarray(event.value)
        if value.size == weight.size and (weight.ndim == 1 or value.shape == weight.shape):
            change = value.ravel() - weight.ravel()
            size = float(np.linalg.norm(change) * np.linalg.norm(gradient))
            if abs(float(change @ gradient.ravel())) > 0.9 * size > 0:
                return bool(change @ gradient.ravel() > 0)
    return False


def _gradient(found: Found, target: str) -> str | None:
    """The parameter whose gradient a target is called."""
    name = placing.final_name(target)
    if name in found.names.values():
        return None  # the weights of the gate g end in g, as gradients may: Wxg
    own = name.removeprefix("d")
    if own != name and own in found.problem.parameters:
        return own
    by_name = {used: role for role, used in found.names.items() if role in roles.PARAMETERS}
    if meant := next((by_name[base] for base in roles.differentiated(name) if base in by_name), None):
        return meant
    return roles.gradient(name) if found.problem.network.table.has_activation else None


def _outputs_seen(reference: Reference, events: Sequence[Event]) -> bool:
    """Whether the outputs were computed: p, or for a squared loss the logits; in one array, by step, by sample or number by number."""
    problem = reference.problem
    name = "p" if problem.network.head.classes else "logits"
    numbers = np.ravel(problem.tape[name]) if problem.network.outputs == 1 else np.empty(0)
    for event in events:
        if event.array is None:
            if is_array(event.value) or isinstance(event.value, float | int):
                own = np.asarray(event.value, dtype=float)
                if own.size == 1 and np.isclose(own.item(), numbers, rtol=SINGLE, atol=0.0).any():
                    return True
        elif event.array.size <= problem.tape["logits"].size and any(
            m.entry.name == name and abs(m.scale - 1) < 1e-6 for m in reference.matches(event.array)
        ):
            return True
    return False


def _conventions(found: Found) -> dict[str, str]:
    problem = found.problem
    turned = ", ".join(n for n in ("Wx", "Wa", "Wy") if n in found.turned)
    result = {
        "input": shown_axes(found.x_layout),
        "sizes": f"B = {len(problem.X)}, T = {problem.X.shape[1]}, D = {problem.X.shape[2]}, H = {problem.network.hidden}, "
        f"C = {problem.network.outputs}",
        "weights": f"{turned} transposed: outputs first" if turned else "inputs first, as in x·Wx",
        "activation": problem.network.activation,
        "predict": "the last step" if problem.network.predict == "last" else "every step",
        "read-out": problem.network.loss,
    }
    names = ", ".join(f"{name} is {role}" for role, name in found.names.items() if name != role)
    return {**result, "names": names} if names else result


def _script_notes(found: Found, stopped: Mapping[str, Any] | None) -> list[str]:
    notes = ["the script's own data and weights were used, up to the first update of the weights"]
    if 0 < len(found.samples) < 2:
        notes.append("the weights change after each sample: the first one was examined")
    if stopped is not None:
        notes.append("the script was stopped once enough was recorded")
    return notes
