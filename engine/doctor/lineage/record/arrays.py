"""Arrays of a run: which numbers each was made of. There may be very many, so they are columns; what one stands for is made when it is
asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any, TypeVar, cast, overload

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ids = NDArray[np.int32]

MANY = 1 << 18
"""About so many numbers of arrays are looked at at once."""

AnyNumber = TypeVar("AnyNumber", bound=np.generic)


def in_order(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides of an array whose entries follow one another in C order."""
    strides: list[int] = []
    step = 1
    for n in reversed(shape):
        strides.insert(0, step)
        step *= n
    return tuple(strides)


def follow(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    """Whether the entries of an array with these strides follow one another in C order: along an axis of length 1 none does."""
    return strides == (own := in_order(shape)) or all(
        n == 1 or stride == step for n, stride, step in zip(shape, strides, own, strict=True)
    )


@dataclass(frozen=True, eq=False)
class RecordedArray:
    """Which numbers an array was made of: a strided view of ids that follow one another (`strides`), or ids kept one by
    one (`kept`)."""

    shape: tuple[int, ...]
    base: int = 0
    strides: tuple[int, ...] = ()
    kept: Ids | None = None

    @property
    def size(self) -> int:
        return prod(self.shape)

    def ids(self) -> Ids:
        """The ids, in the array's shape."""
        if self.kept is not None:
            return self.kept
        if self.follows:
            return np.arange(self.base, self.base + self.size, dtype=np.int32).reshape(self.shape)
        out = np.full(self.shape, self.base, np.int32)
        for axis, (length, stride) in enumerate(zip(self.shape, self.strides, strict=True)):
            along = np.arange(length, dtype=np.int32) * stride
            out += along.reshape((length,) + (1,) * (len(self.shape) - axis - 1))
        return out

    @cached_property
    def follows(self) -> bool:
        """Whether the ids follow one another in C order."""
        return self.kept is None and follow(self.shape, self.strides)

    def holds(self, number: int) -> bool:
        """Whether a number stands in it."""
        return self.base <= number < self.base + self.size if self.follows else number in self.ids()

    def number(self, place: int) -> int:
        """The id at one place, counted in C order."""
        return self.base + place if self.follows or not self.shape else int(self.ids().flat[place])

    def at(self, places: NDArray[np.integer[Any]], shape: tuple[int, ...]) -> Ids:
        """The ids at these places of the array repeated to a shape, counted in C order. ValueError where it cannot be."""
        if self.follows and shape == self.shape:
            return (places + self.base).astype(np.int32)
        return np.broadcast_to(self.ids(), shape).ravel()[places]

    def of(self, numbers: NDArray[AnyNumber]) -> NDArray[AnyNumber]:
        """The array's entries out of one that has a place for every number: a view where the ids follow one another, else a copy."""
        if self.kept is not None:
            return numbers[self.kept]
        width = numbers.itemsize
        strides = [width * s for s in self.strides]
        return np.ndarray(self.shape, numbers.dtype, numbers, width * self.base, strides)

    @cached_property
    def repeats(self) -> bool:
        """Whether a number stands in it more than once."""
        if self.kept is None:
            return self.size > 1 and 0 in self.strides
        following = np.diff(self.kept.ravel())
        return not (following > 0).all() and bool((np.diff(np.sort(self.kept, axis=None)) == 0).any())

    @property
    def first(self) -> int:
        return self.base if self.kept is None or not self.kept.size else int(self.kept.flat[0])


def whole_numbers(numbers: NDArray[np.integer[Any]]) -> list[int]:
    """As Python's."""
    return cast("list[int]", numbers.tolist())


def single(number: int) -> RecordedArray:
    """A single number. There are very many: nothing is set but what tells it from others."""
    made = object.__new__(RecordedArray)
    made.__dict__.update(shape=(), base=number)
    return made


def ranges(firsts: NDArray[np.integer[Any]], sizes: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """From each first number on as many as its size says, one range behind the other."""
    stops = np.cumsum(sizes, dtype=np.int64)
    return np.repeat(firsts - (stops - sizes), sizes) + np.arange(stops[-1] if len(stops) else 0)


def any_from(marked: NDArray[np.bool_], firsts: Ids, sizes: Ids) -> NDArray[np.bool_]:
    """Whether any of so many numbers from each first one on is marked."""
    counts = np.cumsum(marked, dtype=np.int32)
    firsts = np.minimum(firsts, len(marked) - 1)  # what is empty may begin behind the last number
    lasts = firsts + np.maximum(sizes, 1) - 1
    return (sizes > 0) & (counts[lasts] - counts[firsts] + marked[firsts] > 0)


class ArrayForm:
    """What arrays have in common that differ by their first number: their shape, and their strides (None where numbers are kept one by
    one)."""

    def __init__(self, shape: tuple[int, ...], strides: tuple[int, ...] | None) -> None:
        self.shape, self.strides = shape, strides
        self.size = prod(shape)
        along = [(n - 1) * s for n, s in zip(shape, strides or (), strict=False) if n > 1]
        self.low = sum(step for step in along if step < 0)
        """How far the lowest number lies from the first, and the highest."""
        self.high = sum(step for step in along if step > 0)
        self.follows = strides is not None and follow(shape, strides)


class ArrayTable(Sequence[RecordedArray]):
    """A column each: `forms` (the place among all), and `bases`, the first number, or, where numbers are kept one by one, the place of the
    first in `refs`."""

    def __init__(self, all_forms: Sequence[ArrayForm], forms: Ids, bases: Ids, refs: Ids) -> None:
        self._all_forms, self._forms, self._bases, self._refs = all_forms, forms, bases, refs
        self._made: list[RecordedArray | None] = [None] * len(forms)

    @classmethod
    def of(cls, arrays: Sequence[RecordedArray]) -> ArrayTable:
        """A table of these."""
        kept = [array.kept for array in arrays]
        begins = np.cumsum([0, *(0 if ids is None else ids.size for ids in kept)])
        refs = np.concatenate([np.zeros(0, np.int32), *(ids.ravel() for ids in kept if ids is not None)])
        forms = [ArrayForm(array.shape, array.strides if array.kept is None else None) for array in arrays]
        bases = [a.base if a.kept is None else k for a, k in zip(arrays, begins[:-1].tolist(), strict=True)]
        table = cls(forms, np.arange(len(arrays), dtype=np.int32), np.array(bases, np.int32), refs)
        table._made[:] = arrays
        return table

    def __len__(self) -> int:
        return len(self._forms)

    @overload
    def __getitem__(self, key: int) -> RecordedArray: ...
    @overload
    def __getitem__(self, key: slice) -> Sequence[RecordedArray]: ...
    def __getitem__(self, key: int | slice) -> RecordedArray | Sequence[RecordedArray]:
        if isinstance(key, slice):
            return [self[k] for k in range(*key.indices(len(self)))]
        made = self._made[key]
        if made is None:
            made = self._made[key] = self._array(self._all_forms[int(self._forms[key])], int(self._bases[key]))
        return made

    def _array(self, form: ArrayForm, base: int) -> RecordedArray:
        if form.strides is None:
            return RecordedArray(form.shape, kept=self._refs[base : base + form.size].reshape(form.shape))
        return RecordedArray(form.shape, base, form.strides)

    def __iter__(self) -> Iterator[RecordedArray]:
        return (self[k] for k in range(len(self)))

    @cached_property
    def sizes(self) -> Ids:
        """How many numbers there are in each."""
        return np.array([form.size for form in self._all_forms], np.int32)[self._forms]

    @property
    def forms(self) -> Ids:
        """The place of each one's form among all."""
        return self._forms

    @cached_property
    def shapes(self) -> Ids:
        """What tells the shape of each from others."""
        known = dict[tuple[int, ...], int]()
        places = [known.setdefault(form.shape, len(known)) for form in self._all_forms]
        return np.array(places, np.int32)[self._forms]

    @cached_property
    def follows(self) -> NDArray[np.bool_]:
        """Whether its numbers follow one another."""
        return np.array([form.follows for form in self._all_forms], bool)[self._forms]

    @cached_property
    def kept(self) -> NDArray[np.bool_]:
        """Whether its numbers are kept one by one."""
        return np.array([form.strides is None for form in self._all_forms], bool)[self._forms]

    @cached_property
    def firsts(self) -> Ids:
        """The first number, 0 where there is none."""
        made, kept = self._bases.copy(), np.flatnonzero(self.kept & (self.sizes > 0))
        made[kept] = self._refs[self._bases[kept]]
        made[self.sizes == 0] = 0
        return made

    @cached_property
    def lowest(self) -> Ids:
        """The lowest number of each whose numbers are not kept one by one, of the others the first."""
        return self.firsts + np.array([form.low for form in self._all_forms], np.int32)[self._forms]

    @cached_property
    def highest(self) -> Ids:
        """The same of the highest."""
        return self.firsts + np.array([form.high for form in self._all_forms], np.int32)[self._forms]

    def parts(self, places: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], Ids]]:
        """Which of these arrays are looked at at once, so that they are of about so many numbers, with all their numbers."""
        filled = np.cumsum(self.sizes[places], dtype=np.int64) // MANY
        for some in np.split(np.arange(len(places)), np.flatnonzero(np.diff(filled)) + 1) if len(places) else ():
            yield some, self.numbers(places[some])

    def touched(self, marked: NDArray[np.bool_], places: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether any number of each of these arrays is marked."""
        sizes, follows = self.sizes[places], self.follows[places]
        made = follows & any_from(marked, self.firsts[places], sizes)
        others = np.flatnonzero(~follows & (sizes > 0))
        for some, ids in self.parts(places[others]):
            own = others[some]
            made[own] = np.logical_or.reduceat(marked[ids], np.cumsum(sizes[own]) - sizes[own])
        return made

    def numbers(self, places: NDArray[np.integer[Any]]) -> Ids:
        """The numbers of these arrays, one array behind the other."""
        sizes, kept = self.sizes[places], self.kept[places]
        made = ranges(self._bases[places], sizes)
        listed = np.flatnonzero(np.repeat(kept, sizes))
        made[listed] = self._refs[made[listed]]
        begins = np.cumsum(sizes) - sizes
        for k in whole_numbers(np.flatnonzero(~kept & ~self.follows[places])):
            made[begins[k] : begins[k] + sizes[k]] = self[int(places[k])].ids().ravel()
        return made.astype(np.int32)
