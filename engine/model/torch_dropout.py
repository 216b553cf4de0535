"""What torch drops between the layers of a recurrent module, which cannot be seen from outside, drawn again."""

from __future__ import annotations

import sys
from typing import Any

from engine.language.functions import Array
from engine.model.pytorch import as_array, width_of
from engine.model.torch_parts import is_recurrent, samples_and_steps, unpacked


def drops_between_layers(recurrent: Any) -> bool:
    """Whether a recurrent module drops values between its layers as it is now."""
    share = getattr(recurrent, "dropout", 0)
    return is_recurrent(recurrent) and recurrent.num_layers > 1 and share > 0 and getattr(recurrent, "training", True)


def generator_before(inputs: Any) -> Any:
    """The state of torch's generator, from which a call of a module with these inputs draws; None where it is not that of the processor."""
    torch: Any = sys.modules.get("torch")
    device = getattr(getattr(inputs, "data", None), "device", None)
    return torch.get_rng_state() if torch is not None and getattr(device, "type", "") == "cpu" else None


def masks_of(recurrent: Any, inputs: Any, generator: Any) -> list[Array]:
    """What each layer but the last handed on, (B, T, H), was multiplied with: 0 where it was dropped, else 1/(1 − P).

    torch draws a mask a layer, as large as what the layer hands on, time first or packed, while it goes through the layers: the same draws
    from the same state of its generator are the same masks.
    """
    torch: Any = sys.modules["torch"]
    samples, steps = samples_and_steps(inputs, recurrent)
    packed = hasattr(inputs, "batch_sizes")
    width = width_of(recurrent) * (2 if recurrent.bidirectional else 1)
    ones = torch.ones(*((len(inputs.data),) if packed else (steps, samples)), width, dtype=inputs.data.dtype)
    before = torch.get_rng_state()
    torch.set_rng_state(generator)
    try:
        drawn = [torch.nn.functional.dropout(ones, recurrent.dropout, True) for _ in range(recurrent.num_layers - 1)]
    finally:
        torch.set_rng_state(before)
    if packed:
        return [rows[0] for mask in drawn if (rows := unpacked(inputs._replace(data=mask))) is not None]
    return [as_array(mask).swapaxes(0, 1) for mask in drawn]
