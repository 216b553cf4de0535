"""Cells that the user's own loop calls once a step, watched: the calls of one sequence are put together as the one call of a layer.

What comes back to a state h_t is one sum, of what reads it and of the next step. So each step hands on views of its states, and the next
one is given views of these: what comes back to them is its share, and the rest is dL/d(output) as a layer would get it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from typing import Any, cast
from weakref import ref

import numpy as np

from engine.errors import InputError
from engine.language.functions import Array
from engine.model.pytorch import as_array
from engine.watched import Watched, copy_of, keep_in, parts_of_state

ROUNDING = 1e-5
"""The share of a gradient that another one, taken from it, may leave of it by rounding in float32."""
BROKEN = (
    "the cells in the loop do not each go on from the state that they made in the step before; give one of them, "
    "rnn_tui.watch(model.NAME, ...)"
)
ELSEWHERE = "something else than the next step reads c, the state inside the cell; that is not shown"


@dataclass(eq=False)
class CellCalls:
    """The calls of one cell in one sequence."""

    back: dict[str, Any]
    """dL/d(state) by `name`, the state's place and the step, and the next step's share of it; the iteration's."""
    name: str
    state: Any = None
    """What it began with."""
    given: list[Any] = field(default_factory=list[Any])
    made: list[Any] = field(default_factory=list[Any])
    ends: list[ref[Any]] = field(default_factory=list[Any])
    whole: bool = True

    def goes_on(self, state: Any) -> bool:
        """Whether a call with this state is the sequence's next one."""
        parts = parts_of_state(state)
        return bool(parts) and [id(handed()) for handed in self.ends] == [*map(id, parts)]

    def called(self, given: Any, state: Any) -> Any:
        """Keeps what a step is given; returns the state to give it: a view of its own, so that its share of the gradient is seen."""
        step, goes_on = len(self.given), self.goes_on(state)
        self.given.append(copy_of(given))
        if not step:
            self.state = copy_of(state)
        self.whole = self.whole and (goes_on or not step)
        if not goes_on:
            return state
        return self._views(state, step - 1, " next")

    def handed_on(self, state: Any, *, below: bool) -> Any:
        """Returns the state to hand on; of a cell below another one its output is kept, too."""
        views = self._views(state, len(self.given) - 1)
        parts = parts_of_state(views)
        self.ends = [ref(part) for part in parts]
        if below:
            self.made.append(copy_of(parts[0]))
        return views

    def _views(self, state: Any, step: int, which: str = "") -> Any:
        """Views of a state that ask for what comes back to them."""
        views = tuple(part[...] for part in parts_of_state(state))
        for place, view in enumerate(views):
            if view.requires_grad:
                view.register_hook(partial(keep_in, self.back, f"{self.name}{place}.{step}{which}"))
        return views if isinstance(state, tuple) else views[0]

    @property
    def inputs(self) -> Array:
        """(B, T, D)."""
        return np.stack([as_array(given) for given in self.given], axis=1)

    def flow(self, place: int) -> Array | None:
        """(B, T, H): what came back to a state from elsewhere than the next step; None where nothing came back."""
        steps = range(len(self.given))
        came = [[self.back.get(f"{self.name}{place}.{step}{which}") for step in steps] for which in ("", " next")]
        some = next((one for each in came for one in each if one is not None), None)
        if some is None:
            return None
        none = np.zeros(some.shape)
        totals, shares = (np.stack([none if one is None else as_array(one) for one in each], axis=1) for each in came)
        rest = totals - shares
        return np.where(np.abs(rest) <= ROUNDING * np.abs(totals).max(initial=0), 0, rest) if place else rest


def together(kept: Watched) -> Watched:
    """An iteration in which cells were called, as if each had been a layer called once. Raises InputError where their states are not
    handed on from step to step, and where c is read elsewhere."""
    cells: tuple[CellCalls, ...] = kept.cells
    last, back = cells[-1], dict[str, Any]()
    if not all(one.whole for one in cells) or len({len(one.given) for one in cells}) > 1:
        raise InputError(BROKEN)
    for number, one in enumerate(cells):
        place = "" if one is last else f".{number}"
        if (output := one.flow(0)) is not None:
            back[f"output{place}"] = output
        if (inside := one.flow(1)) is not None:
            if inside[:, :-1].any():
                raise InputError(ELSEWHERE)
            back[f"c_n{place}"] = inside[:, -1][None]
    between: list[Any] = []
    for below, above in pairwise(cells):
        zeros = all(not as_array(part).any() for part in parts_of_state(above.state))
        handed = np.stack([as_array(made) for made in below.made], axis=1)
        between.append((handed, above.inputs) if zeros else None)
    initial = tuple(as_array(part)[None] for part in parts_of_state(cells[0].state)) or None
    steps, shape = len(last.given), kept.shape
    if kept.read == steps > 1:  # the linear layer was called once a step, too
        shape = cast("tuple[int, ...]", (shape[0], steps, *shape[1:]))
    targets = kept.targets if kept.told == 1 else None
    return replace(
        kept, inputs=cells[0].inputs, initial=initial, between=between, back=back, shape=shape, targets=targets
    )
