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
    """

    samples: int
    size: int | None
    seed: int

    def __post_init__(self) -> None:
        if self.size is not None and self.size < 1:
            raise InputError(f"batch_size must be at least 1, not {self.size}")

    @property
    def whole(self) -> bool:
        """Whether every iteration works on all samples."""
        return self.size is None or self.size >= self.samples

    @property
    def per_epoch(self) -> int:
        """How many iterations an epoch has."""
        return 1 if self.size is None else -(-self.samples // self.size)

    def indices(self, iteration: int) -> Array:
        """The samples of an iteration, (B,) indices into the data."""
        if self.size is None or self.whole:
            return np.arange(self.samples)
        epoch, number = divmod(iteration, self.per_epoch)
        return _order(self.samples, self.seed, epoch)[number * self.size : (number + 1) * self.size]


@lru_cache(maxsize=8)
def _order(samples: int, seed: int, epoch: int) -> Array:
    return np.random.default_rng((seed, epoch)).permutation(samples)
