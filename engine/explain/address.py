"""The address of a number that can be explained; apart from its explanation, for what only points at numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CellAddress:
    """A cell to explain: a quantity, its iteration, time step and index; `reached` is the step up to which an
    accumulating gradient is summed."""

    name: str
    iteration: int
    t: int | None
    index: tuple[int, ...]
    reached: int | None = None
    one_step: bool = False
    sample: int | None = None

    @property
    def text(self) -> str:
        """`dWa[2,3]`, `da@3[0,5]`; of a gradient's sum `dWa@3[2,3]` is one step's term, `dWa@3,1[2,3]` what sample 1 adds to that."""
        return f"{self.name}{self.when}" + (f"[{','.join(map(str, self.index))}]" if self.index else "")

    @property
    def when(self) -> str:
        """`@3`, `@3,1`."""
        return ("" if self.t is None else f"@{self.t}") + ("" if self.sample is None else f",{self.sample}")
