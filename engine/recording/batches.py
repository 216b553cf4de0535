"""Which samples an iteration works on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from engine.errors import InputError
from engine.language.functions import Array


@dataclass(frozen=True)
class Batches:
    """Mini-batches of `size` of `samples` samples, None for all of them at once.

    Every epoch goes through all samples once, in an order drawn from the seed and the epoch's number, so that the batch of any iteration
    is known without those before it. The last batch of an epoch holds what is left.

    Where they are `stateful` the samples follow each other: they are parted into `size` runs (one, when it is None) of equal length, and
    each iteration takes the next sample of every run. What is left over is never taken.
    """

    samples: int
    size: int | None
    seed: int
    stateful: bool = False

    def __post_init__(self) -> None:
        if self.size is not None and self.size < 1:
            raise InputError(f"batch_size must be at least 1, not {self.size}")
        if self.stateful and self.runs > self.samples:
            raise InputError(
                f"--stateful needs a sample for each of the {self.runs} of a batch, and there are {self.samples}; "
                f"choose --batch-size {self.samples} or less"
            )

    @property
    def runs(self) -> int:
        """How many runs of samples that follow each other."""
        return self.size or 1

    @property
    def whole(self) -> bool:
        """Whether every iteration works on all samples."""
        return not self.stateful and (self.size is None or self.size >= self.samples)

    @property
    def per_epoch(self) -> int:
        """How many iterations an epoch has."""
        if self.stateful:
            return self.samples // self.runs
        return 1 if self.size is None else -(-self.samples // self.size)

    def goes_on(self, iteration: int) -> bool:
        """Whether an iteration's samples follow those of the iteration before."""
        return self.stateful and iteration % self.per_epoch > 0

    def indices(self, iteration: int) -> Array:
        """The samples of an iteration, (B,) indices into the data."""
        epoch, number = divmod(iteration, self.per_epoch)
        if self.stateful:
            return np.arange(self.runs) * self.per_epoch + number
        if self.size is None or self.whole:
            return np.arange(self.samples)
        return _order(self.samples, self.seed, epoch)[number * self.size : (number + 1) * self.size]


@lru_cache(maxsize=8)
def _order(samples: int, seed: int, epoch: int) -> Array:
    return np.random.default_rng((seed, epoch)).permutation(samples)
