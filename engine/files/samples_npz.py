"""An NPZ file as samples: X, y, and optional lengths and initial states, with shapes that fit each other."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from engine.errors import InputError
from engine.files.arrays import array_names, read_npz
from engine.files.raw import shown
from engine.files.samples import Array, Samples, Wanted, time_steps, within
from engine.files.series import series_of
from engine.files.targets import Targets, from_array
from engine.model.initial_states import INITIAL_STATE
from engine.tables.heads import Head, usual_head

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_NAMES = ("X", "y", "lengths")


def read_arrays(path: Path, wanted: Wanted) -> Samples:
    """The samples in the NPZ file at `path`; what stands beyond a sample's length, in X or y, is padding and is not looked at."""
    file = shown(path)
    if wanted.series:
        arrays = read_npz(path, ("X", "y"), required=("X", "y"))
        return _series(file, arrays["X"], arrays["y"], wanted)
    states = [name for name in array_names(path) if INITIAL_STATE.fullmatch(name)]
    arrays = read_npz(path, (*_NAMES, *states), required=("X", "y"))
    X = _inputs(file, arrays["X"], wanted.timesteps)
    N, T, _ = X.shape
    every = _is_every(file, arrays["y"], N, T, wanted)
    lengths = _lengths(file, arrays["lengths"], N, T) if "lengths" in arrays else None
    valid = within(lengths, N, T)
    X[~valid] = 0
    if every:
        arrays["y"][~valid] = 0
    if not wanted.allow_nan:
        for name, array in {**arrays, "X": X.reshape(arrays["X"].shape)}.items():
            _check_finite(file, name, array)
    targets = _targets(file, arrays["y"], valid, every, wanted.head)
    _check_twice(file, states)
    initial = {name: _state(file, name, arrays[name], N) for name in states}
    shapes = {name: value.shape for name, value in initial.items() if len(name) == len("h0")}
    if len({shape[:-1] for shape in shapes.values()}) > 1:  # which of them may be narrower is the cell's to say
        (state, first), (cell, second) = shapes.items()
        raise InputError(f"{file}: {state} has shape {first} and {cell} {second}; give both the same")
    return Samples(X, targets.y, targets.classes, "every" if every else "last", lengths, initial)


def _series(file: str, X: Array, y: Array, wanted: Wanted) -> Samples:
    """A time step a row of X, and its target in the same row of y."""
    if X.ndim not in (1, 2) or y.ndim not in (1, 2) or len(X) != len(y) or 0 in (*X.shape, *y.shape):
        raise InputError(
            f"{file}: X has shape {X.shape} and y {y.shape}; a series needs a row a time step in both: X (rows, D), y (rows,)"
        )
    if not wanted.allow_nan:
        _check_finite(file, "X", X)
        _check_finite(file, "y", y)
    values = X.astype(np.float64, order="C").reshape(len(X), -1)
    parsed = from_array(y, f"{file}: y", wanted.head)
    if parsed.classes and y.ndim == 2:
        raise InputError(f"{file}: y has shape {y.shape}; class numbers are one a row ({len(y)},)")
    predict = wanted.predict or "last"
    series = series_of(
        file,
        *values.shape,
        window=wanted.window or wanted.timesteps,
        ahead=wanted.ahead or 0,
        every=predict == "every",
        apart=wanted.stateful,
    )
    cut, targets = series.cut(values, parsed.y)
    return Samples(cut, targets, parsed.classes, predict, series=series, said=(series.said,))


def _check_finite(file: str, name: str, array: Array) -> None:
    if array.dtype.kind != "f" or np.isfinite(array).all():
        return
    at = tuple(np.argwhere(~np.isfinite(array))[0].tolist())
    place = f"{name}[{', '.join(map(str, at))}]"
    raise InputError(f"{file}: {place} is {array[at]}; save finite numbers, or let it in with --allow-nan")


def _inputs(file: str, X: Array, timesteps: int | None) -> Array:
    if X.ndim not in (2, 3):
        raise InputError(f"{file}: X has shape {X.shape}; save it as (N, T, D) or (N, T)")
    if 0 in X.shape:
        raise InputError(f"{file}: X has shape {X.shape} and so holds nothing; save at least one sample and one step")
    if X.ndim == 2:
        T = timesteps or X.shape[1]
        return X.astype(np.float64, order="C").reshape(len(X), T, time_steps(file, X.shape[1], T))
    if timesteps and timesteps != X.shape[1]:
        raise InputError(f"{file}: X of shape {X.shape} has {X.shape[1]} time steps, not {timesteps}; omit --timesteps")
    return X.astype(np.float64, order="C")


def _is_every(file: str, y: Array, N: int, T: int, wanted: Wanted) -> bool:
    """Whether y holds a target a step: what is wanted if its shape allows it, and by itself if it has the steps of X."""
    if y.ndim not in (1, 2, 3) or 0 in y.shape:
        raise InputError(f"{file}: y has shape {y.shape}; save one target a sample ({N},) or one a step ({N}, {T})")
    if len(y) != N:
        raise InputError(f"{file}: X has {N} samples and y has {len(y)}; save one target a sample")
    if y.ndim == 3 and y.shape[1] != T:
        raise InputError(f"{file}: y has {y.shape[1]} steps and X has {T}; save y as ({N}, {T}, outputs)")
    steps = y.shape[:2] == (N, T)
    if wanted.predict == "every" and not steps:
        raise InputError(
            f"{file}: y has shape {y.shape}, and --predict every needs one target a step; "
            f"save y as ({N}, {T}), or choose --predict last"
        )
    if wanted.predict == "last" and y.ndim == 3:
        raise InputError(
            f"{file}: y has shape {y.shape}, and --predict last needs one target a sample; "
            f"save y as ({N},), or choose --predict every"
        )
    return steps and (wanted.predict == "every" or (wanted.predict is None and (T > 1 or y.ndim == 3)))


def _targets(file: str, y: Array, valid: Array, every: bool, head: Head | None) -> Targets:
    """y as it is shaped; with one a step, only those of `valid` (N, T) make classes, and the others are 0."""
    where = f"{file}: y"
    parsed = from_array(y[valid] if every else y, where, head)
    values = parsed.y
    if parsed.classes and values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if parsed.classes and values.ndim > 1:
        N, T = valid.shape
        raise InputError(
            f"{where} has shape {y.shape}; class numbers are one a sample ({N},) or one a step ({N}, {T}) with --predict every: "
            f"make one-hot rows class numbers with y.argmax(axis=-1), or save floats for --loss {usual_head(classes=False).name}"
        )
    if every:
        values, targets = np.zeros((*valid.shape, *values.shape[1:]), values.dtype), values
        values[valid] = targets
    return Targets(values, parsed.classes, parsed.numeric)


def _lengths(file: str, lengths: Array, N: int, T: int) -> Array:
    if lengths.shape != (N,) or lengths.dtype.kind not in "iu":
        kind = f"shape {lengths.shape} and type {lengths.dtype}"
        raise InputError(f"{file}: lengths has {kind}; save one integer a sample, shape ({N},)")
    wrong = np.flatnonzero((lengths < 1) | (lengths > T))
    if wrong.size:
        at = int(wrong[0])
        raise InputError(f"{file}: lengths[{at}] is {lengths[at]}; a length must be from 1 to {T}, the steps of X")
    return lengths.astype(np.int64)


def _check_twice(file: str, states: Sequence[str]) -> None:
    """Refuses two arrays for one initial state: a and h are the same, and an array of all layers is one of each."""
    kinds = {
        name: (match["kind"].replace("a", "h"), match["layer"])
        for name in states
        if (match := INITIAL_STATE.fullmatch(name))
    }
    for (one, (kind, layer)), (other, (of, there)) in combinations(kinds.items(), 2):
        if kind == of and (layer == there or "" in (layer, there)):
            raise InputError(f"{file} holds both {one} and {other}, which are the same initial state; keep one")


def _state(file: str, name: str, state: Array, N: int) -> Array:
    alone = len(name) > len("h0")
    if state.ndim not in ((2,) if alone else (2, 3)) or state.shape[-2] != N or 0 in state.shape:
        layers = "" if alone else f", of several layers or two directions as (layers · directions, {N}, H)"
        raise InputError(f"{file}: {name} has shape {state.shape}; save it as ({N}, H), one row a sample of X{layers}")
    return state.astype(np.float64)
