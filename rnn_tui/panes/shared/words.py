"""Sentences about a number: where a flow comes from, where a sample ended, what truncation and clipping took away."""

from __future__ import annotations

import math

import numpy as np

from engine.debug.moves import end_of_phase
from engine.explain.flow import norm_of
from engine.explain.length import length
from engine.language.derive import CUT, FULL, NEXT, OUT, REVERSE, STEPS, SUFFIXES, gradient, whole
from engine.language.functions import Array
from engine.model.program import carries_losses
from rnn_tui.render.numbers import number
from rnn_tui.shown.frame import Frame

POOLED = "÷"
"""The mark of a picture whose cells stand for several numbers each."""
NORM = "gnorm"
FLOWS = {
    NEXT: "through the next step",
    FULL: "all that flows back",
    CUT: "cut off by truncation",
    STEPS: "through the time steps",
    REVERSE: "through the reverse direction",
}
"""Where a flow comes from, by the ending of its name."""


def pooled_words(frame: Frame) -> str:
    """What the mark means, for the edge of a pane."""
    return frame.named(f" {POOLED} pooled: `z` zooms ")


def keys_to(frame: Frame, phase: str) -> str:
    """The key that finishes a phase, as often as it leads to the end of one that is ahead: `f f`; "" where it does not work."""
    key = next((keys.split()[0] for keys, _, action in frame.keys if action == "finish"), "")
    program, position, pressed = frame.view.program, frame.view.position, list[str]()
    while key and (position == 0 or program.point(position).phase != phase):
        position = end_of_phase(program, position)
        pressed.append(key)
    return " ".join(pressed)


def flow_words(frame: Frame, name: str) -> str:
    """Where a flow comes from, `through the next step`; "" for a quantity that is not a flow."""
    base = whole(name)
    if base == name:
        return ""
    if name.endswith(OUT):
        layers = frame.view.tape.plan.network.layers
        own = next((layer for layer in layers if base in map(gradient, layer.table.states)), layers[-1])
        if base != gradient(own.table.output):
            return f"through this step's {frame.writer.spelling.name(own.table.output)}"
        return (
            "through this step's output" if own.number == layers[-1].number else "through the layer above, at this step"
        )
    quantity = frame.view.program.quantities.get(base)
    reverse = quantity is not None and quantity.reverse
    suffix = name.removeprefix(base)
    return "through the step before" if suffix == NEXT and reverse else FLOWS[suffix]


def flow_meaning(frame: Frame, name: str) -> str:
    """The same in few characters, and what a gradient or a flow is the sum or the rest of."""
    quantities, base = frame.view.program.quantities, whole(name)
    source = ""
    if base != name:
        words = flow_words(frame, name)
        source = f"← {words.removeprefix('through ')}" if words.startswith("through") else words
    if name + OUT in quantities:
        return f"= {_name(frame, name + OUT)} + {_name(frame, name + NEXT)}"
    rest = name == base + NEXT or (name == base and base + NEXT not in quantities)
    if rest and base + CUT in quantities:
        return f"{source} = {_name(frame, base + FULL)} − {_name(frame, base + CUT)}".strip()
    return source


def since_before(now: float, before: float | None) -> str:
    """By how much the loss has changed since the iteration before: "fell 0.0223"; "" where that cannot be said."""
    if before is None or not math.isfinite(now - before):
        return ""
    if now == before:
        return "unchanged"
    return f"{'fell' if now < before else 'rose'} {number(abs(now - before), 8, 3, trim=True)}"


def class_words(frame: Frame, number_of_class: int) -> str:
    """A class by its name, where it has one."""
    return frame.classes[number_of_class] if number_of_class < len(frame.classes) else str(number_of_class)


def prediction_words(frame: Frame, row: int, t: int | None) -> str:
    """What is predicted for a sample, with which probability, and whether it is right: `predicted mid 0.412 ✗, target low`."""
    tape = frame.view.tape
    head, target = tape.plan.network.head, int(tape.at("y", t)[row])
    given = tape.at(head.prediction, t)
    predicted = int(head.predicted(given)[row])
    chance = f" {number(float(given[row, predicted]), 7, 3)}" if given.shape[-1] == len(frame.classes) else ""
    said = f"predicted {class_words(frame, predicted)}{chance}"
    return f"{said} ✓" if predicted == target else f"{said} ✗, target {class_words(frame, target)}"


def share_words(term: Array, total: Array) -> str:
    """How much a term is of a sum that is not 0, by norm: `all`, or a factor of one digit."""
    return "all" if np.array_equal(term, total) else number(length(term) / length(total), 7, 1, trim=True)


def other_layers(frame: Frame) -> str:
    """Of which other layers and directions the same can be shown, for a title; "" where there is one alone."""
    others = [frame.writer.spelling.name(output) for output in frame.view.program.outputs if output != frame.layer]
    return frame.named(f" · `tab`: {', '.join(others)}") if others else ""


def flows_with(frame: Frame, name: str) -> list[str]:
    """A gradient and its flows, the one that `name` belongs to first, to be shown side by side. `name` alone when it has none."""
    quantities = frame.view.program.quantities
    base = whole(name) if whole(name) in quantities else name
    derived = (OUT, NEXT) if name.endswith((OUT, NEXT)) else ()
    flows = [base + suffix for suffix in SUFFIXES if base + suffix in quantities or suffix in derived]
    return [base, *flows] if name in (base, *flows) else [name]


def padding_words(frame: Frame, sample: int, t: int) -> str:
    """That a sample has ended before step t, `padding: sample 3 ended at t = 5`; "" when it has not."""
    padding = frame.view.tape.padding
    if padding is None or not padding[t, sample]:
        return ""
    ended = int(len(padding) - 1 - padding[:, sample].sum())
    return f"padding: sample {frame.number_of(sample)} ended at t = {ended}"


def truncation_words(frame: Frame) -> str:
    """At the lines of truncation, what was cut off between two steps and how much; "" elsewhere."""
    view = frame.view
    line, t = view.line, view.point.t
    if line is None or t is None or line.phase != "backward":
        return ""
    base = whole(line.name)
    if base + CUT not in view.program.quantities or line.equation.step == 0:
        return ""
    sample = frame.sample
    further = t + line.equation.step
    full, cut = (norm_of(view.tape, base + suffix, further, sample) for suffix in (FULL, CUT))
    way = f"from t = {t} to t = {further}"
    if not cut:
        return f"nothing is cut off {way}: ‖{_name(frame, base + FULL)}‖ {_number(full)} flows on"
    much = f"‖{_name(frame, base + CUT)}‖ {_number(cut)} of ‖{_name(frame, base + FULL)}‖ {_number(full)}"
    return f"cut off {way}: {much}"


def carried_words(frame: Frame) -> str:
    """Which loss a flow is cut off of, where each loss reaches a number of steps back; "" where whole flows are cut."""
    network, line, t = frame.view.tape.plan.network, frame.view.line, frame.view.point.t
    if not carries_losses(network) or network.truncate is None or line is None or t is None:
        return ""
    loss = t - line.equation.step * network.truncate
    if not 1 <= loss <= frame.view.program.steps:
        return f"no loss is more than {network.truncate} steps away yet"
    return f"it is what the loss of t = {loss} alone sends back; it has come {network.truncate} steps"


def clipping_words(frame: Frame) -> str:
    """In the update, what clipping did to the gradients, `gradients clipped: ‖g‖ 5.31 → 1`; "" without clipping."""
    view = frame.view
    network = view.tape.plan.network
    if view.point.phase != "update" or (network.clip_norm is None and network.clip_value is None):
        return ""
    parts: list[str] = []
    if network.clip_norm is not None:
        norm, limit = float(view.tape.updates[NORM]), network.clip_norm
        clipped = norm + 1e-6 > limit
        parts.append(
            f"gradients clipped: ‖g‖ {_number(norm)} → {limit:g}"
            if clipped
            else f"not clipped: ‖g‖ {_number(norm)} ≤ {limit:g}"
        )
    if network.clip_value is not None:
        count, size = view.tape.clipped_entries
        parts.append(f"{count} of {size} entries clipped to ±{network.clip_value:g}")
    return ", ".join(parts)


def _name(frame: Frame, name: str) -> str:
    return frame.writer.spelling.name(name)


def _number(value: float) -> str:
    return number(value, 8, 3, trim=True)
