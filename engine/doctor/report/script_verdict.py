"""The verdict on a run of a script: its gradients compared with the reference's, then the mistakes that explain the differences."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from engine.doctor.judge.place_of import place_of
from engine.doctor.judge.timeline import Compared, Scales
from engine.doctor.mistakes.catalogue import CATALOGUE
from engine.doctor.mistakes.variants.naming import constants
from engine.doctor.read.kinds import is_array
from engine.doctor.recognise.loaded_program import CannotRun, LoadedProgram, is_of_loss
from engine.doctor.recognise.losses import Loss, agrees, another_loss
from engine.doctor.recognise.reduction import Scale, find_scale
from engine.doctor.recognise.script_arrays import recognised
from engine.doctor.recognise.script_gradients import gradients_of
from engine.doctor.recognise.script_problem import ScriptProblem, gradient_meant
from engine.doctor.reference import layouts, tolerances
from engine.doctor.reference.packed_values import Arrays
from engine.doctor.reference.problem import Measurement, Problem, is_simple, kind_of
from engine.doctor.reference.reductions import scales
from engine.doctor.reference.results import NamedMistake
from engine.doctor.reference.values import MOST_SAMPLES, SINGLE, Reference
from engine.doctor.report.conventions import of_weights, shown_axes
from engine.doctor.report.exceptions import raised
from engine.doctor.report.explain import OTHER_LOSS, located, unless_forward_unknown, without_read_out
from engine.doctor.report.report import Report
from engine.doctor.run.events import Event, Run, events_of
from engine.doctor.run.instrument import instrument
from engine.doctor.run.subsample import LONG, Further, Subsample, fewer_samples, fewer_steps, in_double
from engine.doctor.vocabulary.readings import words_in
from engine.doctor.vocabulary.targets import final_name
from engine.language.functions import Array
from engine.registry import TRUNCATIONS

SECONDS, AGAIN = 2.5, 1.2
"""For the script's own run; for another one with fewer data or another line."""
ROOM = 48 << 20
"""Bytes recorded of the script's own run; of a smaller one four times as many."""
LARGEST = 500_000
"""Samples times steps times units for which every mistake can be tried in time."""
WHOLE = Subsample(frozenset(), double=False)


@dataclass(frozen=True, eq=False)
class ScriptVerdict:
    """The compared gradients of a run: a report that names no mistakes yet, and what is needed to name them. `given`
    are data that were handed over, `cut` how the script's own were made fewer, `other` the loss that is computed where
    it is not the read-out's own."""

    report: Report
    script_problem: ScriptProblem
    gradients: Mapping[str, Array] = field(default_factory=dict[str, Array])
    given: Mapping[str, Array] = field(default_factory=dict[str, Array])
    cut: Subsample = WHOLE
    outputs: bool = True
    tolerance: float = tolerances.RIGHT
    other: Loss | None = None

    @property
    def is_single(self) -> bool:
        """Whether it was computed in single precision."""
        return self.tolerance != tolerances.RIGHT

    def gains_from(self, further: Further) -> bool:
        """Whether a run that is smaller in this way would tell more."""
        samples, steps, _ = self.script_problem.problem.X.shape
        large: dict[Further, bool] = {
            fewer_samples: samples > MOST_SAMPLES,
            fewer_steps: steps > LONG,
            in_double: self.is_single,
        }
        return self.report.verdict == "wrong" and not self.report.reason and large[further]


def run_script(loaded: LoadedProgram, text: str, cut: Subsample) -> Mapping[str, Any]:
    """Runs the script in its process; returns the worker's answer."""
    return loaded.process.ask(
        "load",
        seconds=AGAIN if cut.double else SECONDS,
        room=4 * ROOM if cut.double else ROOM,
        file=str(loaded.process.file),
        name="__main__",
        text=text,
        record=True,
        stops=True,
        cut=cut.to_request(),
    )


def events_in(loaded: LoadedProgram, answer: Mapping[str, Any]) -> tuple[Event, ...]:
    return tuple(events_of(loaded.sites, answer))


def compared_run(
    loaded: LoadedProgram,
    events: tuple[Event, ...],
    error: Mapping[str, Any] | None,
    given: Mapping[str, Array],
    function: str,
    cut: Subsample = WHOLE,
) -> ScriptVerdict:
    """The gradients that a run computed, compared with the reference's."""
    script_problem = recognised(events, given, words_in(loaded.program.tree), loaded.program.cells)
    harmless = (
        error is not None and error["kind"] == "Stopped" and script_problem is not None and script_problem.share == 1.0
    )
    if script_problem is None or script_problem.share < 1.0:
        if error is not None:
            raise CannotRun(loaded.failed(error, SECONDS), error.get("line"))
        raise CannotRun(_unrecognised(events, script_problem))
    reference = Reference(script_problem.problem, Arrays(frozenset(script_problem.arrays), script_problem.layout.order))
    run = Run((), (), script_problem.events)
    gradients = gradients_of(script_problem, reference)
    conventions = _conventions(script_problem)
    right = _scales(script_problem, 1.0)
    base = Report(
        "wrong", "", function, conventions, compared=Compared(loaded.source, script_problem.events, reference, right)
    )
    if error is not None and not harmless and _is_unfinished(loaded, script_problem, events, error):
        ends = error["kind"] in ("SystemExit", "EOFError", "MemoryError", "_ArrayMemoryError", "RecursionError")
        if ends or not _outputs_seen(reference, script_problem.events) or is_of_loss(loaded, error):
            raise CannotRun(loaded.failed(error, SECONDS), error.get("line"))
        report = raised(
            loaded, error, base, script_problem.problem, lambda text: not given and _is_right(loaded, text, cut)
        )
        return ScriptVerdict(report, script_problem)
    if not gradients:
        raise CannotRun(
            f"its forward pass is that of {kind_of(script_problem.problem)}, but nothing in it is called a gradient of the weights "
            "(dWx, grad_Wa, ...)"
        )
    scale, other = _scale(loaded, script_problem, gradients, reference)
    gradients = _without_penalty(script_problem.problem, gradients, other, scale)
    conventions["reduction"] = scale.words
    if other is not None and agrees(other, Measurement(None, gradients)):
        parameters = {n: tolerances.compare(value, other.gradients[n]) for n, value in gradients.items()}
        right_for_it = replace(base, verdict="correct", loss_matches=True, parameters=parameters)
        return ScriptVerdict(replace(right_for_it, conventions=conventions), script_problem)
    tolerance = tolerances.RIGHT_SINGLE if run.is_single else tolerances.RIGHT
    parameters = tolerances.compare_all(script_problem.problem, gradients, script_problem.missing, tolerance=tolerance)
    if not all(comparison.ok for comparison in parameters.values()) and (
        renamed := _in_other_words(script_problem, gradients, scale, cut)
    ):
        scale, gradients = renamed
        parameters = tolerances.compare_all(
            script_problem.problem, gradients, script_problem.missing, tolerance=tolerance
        )
    wrong = frozenset(name for name, comparison in parameters.items() if not comparison.ok)
    outputs = _outputs_seen(reference, script_problem.events)
    if wrong and not script_problem.has_targets:
        raise CannotRun(
            f"its forward pass is that of {kind_of(script_problem.problem)}, but which of its arrays holds the targets is not known; "
            "call it y, labels or targets"
        )
    if (wrong or not outputs) and harmless and len(script_problem.events) == len(events):
        raise CannotRun(
            "it computes more in one backward pass than can be recorded, so the end of the pass was not seen; "
            "examine it on fewer samples or time steps"
        )
    notes = [*_script_notes(script_problem, error if harmless else None), *([] if scale.loss_agrees else [OTHER_LOSS])]
    report = replace(
        base,
        verdict="wrong" if wrong or not outputs else "correct",
        conventions=conventions,
        loss_matches=outputs and scale.loss_agrees,
        parameters=parameters,
        notes=tuple(notes),
        compared=Compared(
            loaded.source, script_problem.events, reference, _scales(script_problem, scale.factor, wrong)
        ),
    )
    return ScriptVerdict(report, script_problem, gradients, given, cut, outputs, tolerance, other)


def _scale(
    loaded: LoadedProgram, script_problem: ScriptProblem, gradients: Mapping[str, Array], reference: Reference
) -> tuple[Scale, Loss | None]:
    """The scale of the program's loss, and what that loss is where it is not the read-out's own."""
    run, measured = Run((), (), script_problem.events), Measurement(None, gradients)
    scale, other = find_scale(script_problem.problem, run, measured, reference, single=False), None
    computed = scale.loss_agrees and scale.source in ("loss", "gradients")
    if not computed and is_simple(script_problem.problem):
        other = another_loss(script_problem.problem, run, measured, False, loaded.program.tree)
        scale = other.scale if other is not None else scale
    if len(script_problem.samples) == 1:
        scale = replace(scale, words=scale.words.replace("mean over the batch", "one sample at a time"))
    return scale, other


def _without_penalty(
    problem: Problem, gradients: Mapping[str, Array], other: Loss | None, scale: Scale
) -> dict[str, Array]:
    """Gradients in the reference's scale, without what a penalty on the weights adds."""
    penalty = other.penalty if other is not None else None
    return {
        name: (value - (penalty.gradient(problem, name) if penalty else 0.0)) / scale.factor
        for name, value in gradients.items()
    }


def _in_other_words(
    script_problem: ScriptProblem, gradients: Mapping[str, Array], scale: Scale, cut: Subsample
) -> tuple[Scale, dict[str, Array]] | None:
    """The gradients where the number of all samples stands in the text as something else, as in a mean taken by times 0.001."""
    for ratio, (factor, words) in itertools.product(cut.ratios, scales(script_problem.problem, single=False).items()):
        rescaled = {name: value * scale.factor * ratio / factor for name, value in gradients.items()}
        if all(
            comparison.ok
            for comparison in tolerances.compare_all(script_problem.problem, rescaled, script_problem.missing).values()
        ):
            return Scale(factor / ratio, words, "gradients", scale.loss_agrees), rescaled
    return None


def explained(loaded: LoadedProgram, verdict: ScriptVerdict) -> Report:
    """The report with the mistakes, their places and corrected lines."""
    report, script_problem, gradients = verdict.report, verdict.script_problem, verdict.gradients
    if report.verdict == "correct" or report.reason:
        return report
    assert report.compared is not None
    measured = Measurement(None, gradients, frozenset(script_problem.problem.parameters) - gradients.keys())

    def measure(problem: Problem) -> Measurement:
        return (
            measured
            if problem is script_problem.problem
            else Measurement(None, {}, error="the script fixes its own data and weights")
        )

    def verify(text: str) -> bool:
        return not verdict.given and _is_right(loaded, text, verdict.cut)

    if (
        script_problem.problem.X.shape[0] * script_problem.problem.X.shape[1] * script_problem.problem.network.units[0]
        > LARGEST
    ):
        first = report.compared.timeline.first_wrong()
        place = place_of(loaded, report.compared.timeline, first) if first is not None else None
        words = "it is too large for its mistakes to be looked for by name; examine it on fewer samples or time steps"
        report = replace(report, first_divergence=place, notes=(*report.notes, words))
        return unless_forward_unknown(report, verdict.outputs)
    report = located(loaded, report, report.compared.timeline, measure, script_problem.problem, verify)
    report = without_read_out(report, verdict.other)
    if verdict.outputs and not report.diagnoses and (steps := _truncation(loaded, verdict)):
        mistake = CATALOGUE["truncated-early"]
        wrong = tuple(sorted(name for name, comparison in report.parameters.items() if not comparison.ok))
        finding = NamedMistake("truncated-early", mistake.title, wrong, 0.0, report.first_divergence)
        words = f"the gradients are those of truncated backpropagation with K = {steps}"
        report = replace(report, diagnoses=(finding,), notes=(*report.notes, words))
    return unless_forward_unknown(report, verdict.outputs)


def _scales(script_problem: ScriptProblem, factor: float, wrong: frozenset[str] = frozenset()) -> Scales:
    turned = layouts.turned(script_problem.problem.network.table, script_problem.layout)
    return Scales(factor, wrong, turned, script_problem.meaning, script_problem.layout.order)


def _is_unfinished(
    loaded: LoadedProgram, script_problem: ScriptProblem, events: Sequence[Event], error: Mapping[str, Any]
) -> bool:
    """Whether an exception came before the gradients were complete: no weight is updated yet, and gradients come on that line or later,
    or are added to in the loop that it is in."""
    if len(script_problem.events) < len(events):
        return False
    line = error.get("line") or 0
    gradient_sites = [site for site in loaded.sites if site.target and gradient_meant(script_problem, site.target)]
    loops = {site.loops[-1:] for site in loaded.sites if site.line <= line <= site.end} - {()}
    added = any(site.kind == "increment" and site.loops[-1:] in loops for site in gradient_sites)
    return not gradient_sites or added or line <= max(site.end for site in gradient_sites)


def _truncation(loaded: LoadedProgram, verdict: ScriptVerdict) -> int | None:
    """The number of steps to which backpropagation was cut short, where that alone explains the gradients; None otherwise.

    Numbers that stand in the program are tried first, the others as long as there is time.
    """
    script_problem, problem = verdict.script_problem, verdict.script_problem.problem
    steps = problem.X.shape[1]
    written = [int(n) for n in constants(loaded.program.tree) if n == int(n) and 1 <= n < steps]
    for reach in dict.fromkeys((*written, *range(1, steps))):
        for how in TRUNCATIONS:
            cut = replace(problem, network=replace(problem.network, truncate=reach, truncate_by=how))
            compared = tolerances.compare_all(
                cut, verdict.gradients, script_problem.missing, tolerance=verdict.tolerance
            )
            if all(comparison.ok for comparison in compared.values()):
                return reach
        if loaded.time_left() == 0.0:
            break
    return None


def _is_right(loaded: LoadedProgram, text: str, cut: Subsample) -> bool:
    """Whether a changed script's gradients are right."""
    made = instrument(ast.parse(text))
    changed = replace(loaded, sites=made.sites, loops=made.loops)
    try:
        verdict = compared_run(changed, events_in(changed, run_script(changed, text, cut)), None, {}, "")
    except CannotRun:
        return False
    return all(comparison.ok for comparison in verdict.report.parameters.values())


def _unrecognised(events: Sequence[Event], script_problem: ScriptProblem | None) -> str:
    if script_problem is None:
        names = sorted({final_name(e.target) for e in events if e.array is not None and e.target})[:12]
        return (
            "there is no function that is a backward pass by its name, and among its arrays "
            f"({', '.join(names) or 'none'}) X, Wx, Wa and Wy were not all found by their names; "
            "name the function with --function"
        )
    if script_problem.share:
        return (
            f"it computes the states of {kind_of(script_problem.problem)} on its arrays at some steps only; "
            "is it another cell, or are its sequences of different lengths?"
        )
    return "its arrays are known, but nothing it computes is a state of a simple RNN (tanh, relu or sigmoid) on them"


def _outputs_seen(reference: Reference, events: Sequence[Event]) -> bool:
    """Whether the outputs were computed: p, or for a squared loss the logits; in one array, by step, by sample or number by number."""
    problem = reference.problem
    name = problem.network.head.prediction
    numbers = np.ravel(problem.tape[name]) if problem.network.outputs == 1 else np.empty(0)
    for event in events:
        if event.array is None:
            if is_array(event.value) or isinstance(event.value, float | int):
                values = np.asarray(event.value, dtype=float)
                if values.size == 1 and np.isclose(values.item(), numbers, rtol=SINGLE, atol=0.0).any():
                    return True
        elif event.array.size <= problem.tape["logits"].size and any(
            m.entry.name == name and abs(m.scale - 1) < 1e-6 for m in reference.matches(event.array)
        ):
            return True
    return False


def _conventions(script_problem: ScriptProblem) -> dict[str, str]:
    problem = script_problem.problem
    result = {
        "input": shown_axes(script_problem.layout.x),
        "sizes": f"B = {len(problem.X)}, T = {problem.X.shape[1]}, D = {problem.X.shape[2]}, H = {problem.network.units[0]}, "
        f"C = {problem.network.outputs}",
        **of_weights(problem.network.table, problem.network.activation, script_problem.arrays, script_problem.layout),
        "predict": "the last step" if problem.network.predict == "last" else "every step",
        "read-out": problem.network.loss,
    }
    if problem.lengths is not None:
        result["lengths"] = f"{min(problem.lengths)} to {max(problem.lengths)} steps"
    names = ", ".join(f"{name} is {role}" for role, name in script_problem.arrays.items() if name != role)
    return {**result, "names": names} if names else result


def _script_notes(script_problem: ScriptProblem, stopped: Mapping[str, Any] | None) -> list[str]:
    notes = ["the script's own data and weights were used, up to the first update of the weights"]
    if 0 < len(script_problem.samples) < 2:
        notes.append("the weights change after each sample: the first one was examined")
    if stopped is not None:
        notes.append("the script was stopped once enough was recorded")
    return notes
