"""Truncation by a window where each step has a loss: what is cut off, which belongs to a loss and not to a step.

The loss of step s goes back to step s − K in the forward direction of every layer, and on to step s + K in the reverse one. What is cut
off is what that loss alone would send one step further. The backward pass is linear in the gradients that come from the losses, so one
pass over all steps carries every loss by one step: the distance s − t says which loss a gradient at step t is of.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from engine.language.derive import CUT, FULL, NEXT, gradient
from engine.language.functions import Array
from engine.model.program import Program
from engine.recording.compiled import Carrier
from engine.tables.given import MASK
from engine.tables.heads import LOGITS


def carry_losses(
    program: Program,
    carriers: Sequence[Carrier],
    spans: Sequence[tuple[int, int]],
    window: int,
    values: dict[str, Array],
) -> None:
    """Records what each flow would receive from the loss just beyond the window, among `values`, which hold what the backward pass reads.

    The carriers run one after the other through all distances; what a later one reads is kept by its distance.
    """
    reach = min(window, program.steps + 1)  # from beyond all steps nothing arrives, however long the window is
    kept: defaultdict[int, dict[str, Array]] = defaultdict(dict)
    for number, carrier in enumerate(carriers):
        read_later = {name for later in carriers[number + 1 :] for name in later.reads}
        arriving = {name for earlier in carriers[:number] for name in earlier.written} & carrier.reads
        alone = {**values, **{name: np.zeros_like(values[name]) for name in carrier.written | arriving}}
        begun = [0, *(distance for distance, names in kept.items() if arriving & {*names})]
        distances = range(max(begun), -reach - 1, -1) if carrier.up else range(min(begun), reach + 1)
        for distance in distances:
            for name in arriving:
                alone[name][...] = kept[distance].get(name, 0)
            run = carrier.onward if distance else carrier.first
            for low, high in spans:
                run(alone, low, high)
            kept[distance] |= {n: alone[n].copy() for n in carrier.written & read_later if alone[n].any()}
            for name in carrier.handed_on:
                base = name.removesuffix(FULL)
                if base != name:
                    arrives = alone[base + NEXT] if base + NEXT in alone else alone[base]
                    arrives[...] = alone[name]
            alone[gradient(LOGITS)] = np.zeros_like(values[gradient(LOGITS)])
        for name in [name for name in carrier.handed_on if name.endswith(CUT)]:
            values[name][...] = alone[name.removesuffix(CUT) + FULL]
            if (
                carrier.up and MASK in values
            ):  # padded steps, which the reverse direction runs first, hand everything on
                values[name][1:] *= values[MASK][..., None]
