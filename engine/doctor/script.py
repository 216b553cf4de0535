"""A whole script, global variables and all: it runs once, its arrays are recognised by name, shape and value, and the reference runs on the
same data and weights, up to the first update. A function that makes its own weights and trains inside is the same, with our data."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from engine.doctor import comparing, layouts, placing, roles
from engine.doctor.anatomy import Function, Program
from engine.doctor.calls import LEARNING_RATE
from engine.doctor.conventions import of_weights
from engine.doctor.diagnose import (
    OTHER_LOSS,
    CannotRun,
    Patient,
    is_of_loss,
    is_single_precision,
    located,
    shown_axes,
    unless_forward_unknown,
)
from engine.doctor.instrument import instrument
from engine.doctor.layouts import Layout
from engine.doctor.matching import MOST_STEPS, SINGLE, Reference
from engine.doctor.names import words_in
from engine.doctor.placing import Compared
from engine.doctor.problem import Measurement, Problem, kind_of, make_problem
from engine.doctor.process import Process
from engine.doctor.raised import raised
from engine.doctor.recognising import Found, gradient_meant, gradients_of, recognised
from engine.doctor.report import Finding, Report
from engine.doctor.scale import find_scale
from engine.doctor.trying import Event, Run, events_of
from engine.doctor.values import is_array
from engine.doctor.variants import CATALOGUE
from engine.functions import Array
from engine.network import TRUNCATIONS

SECONDS = 3.0
CANDIDATES = 4
"""Values tried for one role."""


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
        found = recognised(events, given, words_in(patient.program.tree))
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
    found = recognised(events, given, words_in(patient.program.tree))
    harmless = error is not None and error["kind"] == "Stopped" and found is not None and found.share == 1.0
    if found is None or found.share < 1.0:
        if error is not None:
            raise CannotRun(patient.failed(error, SECONDS), error.get("line"))
        raise CannotRun(_unrecognised(events, found))
    reference = Reference(found.problem)
    run = Run((), (), found.events)
    gradients = gradients_of(found, reference)
    conventions = _conventions(found)
    right = _scales(found, 1.0)
    base = Report("wrong", "", function, conventions, compared=Compared(patient.source, found.events, reference, right))
    if error is not None and not harmless and _is_unfinished(patient, found, events, error):
        ends = error["kind"] in ("SystemExit", "EOFError", "MemoryError", "_ArrayMemoryError", "RecursionError")
        if ends or not _outputs_seen(reference, found.events) or is_of_loss(patient, error):
            raise CannotRun(patient.failed(error, SECONDS), error.get("line"))
        return raised(patient, error, base, found.problem, lambda text: not given and _is_right(patient, text))
    if not gradients:
        raise CannotRun(
            f"its forward pass is that of {kind_of(found.problem)}, but nothing in it is called a gradient of the weights "
            "(dWx, grad_Wa, ...)"
        )
    single_pass = len(found.samples) == 1
    measured = Measurement(None, gradients)
    scale = find_scale(found.problem, run, measured, reference, single=False)
    if single_pass:
        scale = replace(scale, words=scale.words.replace("mean over the batch", "one sample at a time"))
    gradients = {name: value / scale.factor for name, value in gradients.items()}
    missing_names = found.missing
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
        compared=Compared(patient.source, found.events, reference, _scales(found, scale.factor, wrong)),
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
        return not given and _is_right(patient, text)

    report = located(patient, report, line_up, measure, found.problem, verify)
    if outputs and not report.diagnoses and (steps := _truncation(found, gradients, missing_names, tolerance)):
        mistake = CATALOGUE["truncated-early"]
        finding = Finding("truncated-early", mistake.title, tuple(sorted(wrong)), 0.0, report.first_divergence)
        words = f"the gradients are those of truncated backpropagation with K = {steps}"
        report = replace(report, diagnoses=(finding,), notes=(*report.notes, words))
    return unless_forward_unknown(report, outputs)


def _scales(found: Found, factor: float, wrong: frozenset[str] = frozenset()) -> placing.Scales:
    turned = layouts.turned(found.problem.network.table, found.layout)
    return placing.Scales(factor, wrong, turned, found.meaning, found.layout.order)


def _is_unfinished(patient: Patient, found: Found, events: Sequence[Event], error: Mapping[str, Any]) -> bool:
    """Whether an exception came before the gradients were complete: no weight is updated yet, and gradients come on that line or later."""
    if len(found.events) < len(events):
        return False
    lines = [site.end for site in patient.sites if site.target and gradient_meant(found, site.target)]
    return not lines or (error.get("line") or 0) <= max(lines)


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


def _is_right(patient: Patient, text: str) -> bool:
    """Whether a changed script's gradients are right."""
    tree = ast.parse(text)
    made = instrument(tree)
    answer = patient.process.ask(
        "load", seconds=1.0, file=str(patient.process.file), name="__main__", text=text, record=True, stops=True
    )
    changed = replace(patient, sites=made.sites, loops=made.loops)
    found = recognised(_events(changed, answer), {}, words_in(tree))
    if found is None or found.share < 1.0:
        return False
    reference = Reference(found.problem)
    gradients = gradients_of(found, reference)
    run = Run((), (), found.events)
    scale = find_scale(found.problem, run, Measurement(None, gradients), reference, single=False)
    tolerance = comparing.RIGHT_SINGLE if is_single_precision(run) else comparing.RIGHT
    missing = found.missing
    scaled = {name: value / scale.factor for name, value in gradients.items()}
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
        return (
            f"it computes the states of {kind_of(found.problem)} on its arrays at some steps only; "
            "is it another cell, or are its sequences of different lengths?"
        )
    return "its arrays are known, but nothing it computes is a state of a simple RNN (tanh, relu or sigmoid) on them"


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
    result = {
        "input": shown_axes(found.layout.x),
        "sizes": f"B = {len(problem.X)}, T = {problem.X.shape[1]}, D = {problem.X.shape[2]}, H = {problem.network.hidden}, "
        f"C = {problem.network.outputs}",
        **of_weights(problem.network.table, problem.network.activation, found.arrays, found.layout),
        "predict": "the last step" if problem.network.predict == "last" else "every step",
        "read-out": problem.network.loss,
    }
    if problem.lengths is not None:
        result["lengths"] = f"{min(problem.lengths)} to {max(problem.lengths)} steps"
    names = ", ".join(f"{name} is {role}" for role, name in found.arrays.items() if name != role)
    return {**result, "names": names} if names else result


def _script_notes(found: Found, stopped: Mapping[str, Any] | None) -> list[str]:
    notes = ["the script's own data and weights were used, up to the first update of the weights"]
    if 0 < len(found.samples) < 2:
        notes.append("the weights change after each sample: the first one was examined")
    if stopped is not None:
        notes.append("the script was stopped once enough was recorded")
    return notes
