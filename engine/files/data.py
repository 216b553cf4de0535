"""Data for the network, from a file, a project or the built-in examples, ready to use or refused in one sentence."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError
from engine.files.arrays import MEMORY_LIMIT
from engine.files.locate import resolve
from engine.files.project import Project, read_project
from engine.files.raw import plain_suffix, shown, size
from engine.files.samples import Samples, TableLayout, Wanted
from engine.files.samples_npz import read_arrays
from engine.files.samples_table import read_rows
from engine.files.samples_txt import read_characters
from engine.files.series import Series
from engine.registry import LOSSES, PREDICT
from engine.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = ["Data", "TableLayout", "load"]

Array = NDArray[Any]

_NAME_LIMIT = 40
_SERIES = ("series", "window", "ahead", "target", "drop", "stateful")
READING = ("timesteps", "predict", "loss", "allow-nan", *_SERIES)
"""The options that say how a file is read."""
_TEXT = (".csv", ".tsv", ".txt", "")
_READERS: dict[str, Callable[[Path, Wanted], Samples]] = {
    **dict.fromkeys((".csv", ".tsv", "", ".npy", ".parquet"), read_rows),
    ".npz": read_arrays,
    ".txt": read_characters,
}


@dataclass(frozen=True, eq=False)
class Data:
    """Samples and all that their file says about them; every array is read-only, every text is safe to show."""

    name: str
    path: Path  # the data file itself, absolute; with a project, the file that it names
    X: Array  # (N, T, D) float64; 0 where a sample has ended
    y: Array  # int64 class indices (N,) or (N, T); float64 for regression, then also (N, K) or (N, T, K)
    classes: tuple[str, ...]  # sorted; () for regression
    table: TableLayout | None  # None when it is read from arrays or a text
    lengths: Array | None  # (N,) int64 in time steps, None when no sample is short
    # a0, h0 or c0 (N, H), of several layers or directions (layers · directions, N, H), or h01, h02, c01r … (N, H); float64
    initial: Mapping[str, Array] = field(default_factory=lambda: MappingProxyType({}))
    series: Series | None = None
    one_hot: bool = False  # the file holds the number of a class a step, X a 1 in its place
    said: tuple[str, ...] = ()  # what was decided without being asked: a sentence each
    title: str = ""
    look_for: str = ""
    # A project's, under their command-line names (see engine.files.options), and `predict`, which the targets decide.
    options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    breakpoints: tuple[str, ...] = ()
    watches: tuple[str, ...] = ()
    file: str = ""
    """The name of the file that the user named, as messages say it; of what came from memory its name there."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "file", self.file or self.name)


def one_hot(data: Data, at_least: int = 0) -> Data:
    """The data with inputs that are classes, one whole number from 0 a step, as rows with a 1 in their place; others stay as they are.

    There are `at_least` so many classes. InputError for other numbers, and where the rows would not fit into memory.
    """
    if data.X.shape[2] != 1:
        return data
    numbers = data.X[..., 0]
    wrong = np.argwhere(~(np.isfinite(numbers) & (numbers >= 0) & (numbers == np.floor(numbers))))
    if len(wrong):
        sample, step = wrong[0]
        raise InputError(
            f"{data.name}: sample {sample} holds {numbers[sample, step]:g} at t = {step + 1}, which is no class; --embedding needs whole "
            "numbers from 0, or more than one value a step"
        )
    classes = max(int(numbers.max()) + 1, at_least)
    if 8 * numbers.size * classes > MEMORY_LIMIT:
        raise InputError(
            f"{data.name}: {classes} classes one-hot take {size(8 * numbers.size * classes)}; number them from 0 without gaps"
        )
    X = (numbers[..., None] == np.arange(classes)).astype(np.float64)
    X.flags.writeable = False
    return replace(data, X=X, one_hot=True)


def load(
    source: str | Path | None = None,
    *,
    timesteps: int | None = None,
    predict: str | None = None,
    loss: str | None = None,
    allow_nan: bool = False,
    **series: Any,
) -> Data:
    """The data that `source` names: a table, NPZ, text or TOML file or an example's bare name; None is the built-in example.

    Arguments override a project's options; what neither says, the file's targets decide. `series` are the further fields of `Wanted`.
    """
    if timesteps is not None and timesteps < 1:
        raise InputError(f"{timesteps} time steps are impossible; --timesteps must be 1 or more")
    for name, value, allowed in (("predict", predict, PREDICT), ("loss", loss, LOSSES)):
        if value is not None and value not in allowed:
            raise InputError(f"there is no {name} {clean(value, 40)}; --{name} is one of {', '.join(allowed)}")
    path = resolve(source)
    project = read_project(path) if path.suffix.lower() == ".toml" else Project(path, path)
    options: dict[str, Any] = dict(project.options)
    suffix = plain_suffix(project.data)
    reader = _READERS.get(suffix)
    if project.data.suffix.lower() == ".gz" and suffix not in _TEXT:
        raise InputError(
            f"{shown(project.data)}: only text is read compressed ({', '.join(filter(None, _TEXT))}); unpack it with gunzip"
        )
    if reader is None:
        raise InputError(
            f"{shown(project.data)} is of no known kind; data files end in .csv, .tsv, .npz, .npy, .parquet, .txt or .toml"
        )
    wanted = Wanted(
        timesteps or options.get("timesteps"),
        predict or options.get("predict"),
        loss or options.get("loss"),
        allow_nan or bool(options.get("allow-nan")),
        **{name: value for name, value in {**options, **series}.items() if name in _SERIES},
    )
    _check_series(project.data, wanted)
    samples = reader(project.data, wanted)
    lengths = samples.lengths
    if lengths is not None and (lengths == samples.X.shape[1]).all():
        lengths = None
    for array in (samples.X, samples.y, lengths, *samples.initial.values()):
        if array is not None:
            array.flags.writeable = False
    return Data(
        name=clean(path.name.removesuffix(".gz").rpartition(".")[0] or path.name, _NAME_LIMIT),
        path=project.data,
        X=samples.X,
        y=samples.y,
        classes=samples.classes,
        table=samples.layout,
        lengths=lengths,
        initial=MappingProxyType({**samples.initial}),
        series=samples.series,
        said=samples.said,
        title=project.title,
        look_for=project.look_for,
        options=MappingProxyType({**options, "predict": samples.predict}),
        breakpoints=project.breakpoints,
        watches=project.watches,
        file=shown(path),
    )


def _check_series(path: Path, wanted: Wanted) -> None:
    """Refuses options that this kind of file, or a file of samples, does not have."""
    suffix = plain_suffix(path)
    if suffix == ".txt" and (wanted.series or wanted.target or wanted.drop):
        raise InputError(
            f"{shown(path)} is a text, a series of characters already; --timesteps says how long a window is"
        )
    if suffix == ".npz" and (wanted.target or wanted.drop):
        raise InputError(f"{shown(path)} has no columns with names; --target and --drop are for tables")
    for name in ("window", "ahead"):
        if not wanted.series and getattr(wanted, name) is not None:
            raise InputError(f"--{name} is about rows that are time steps; say --series, too")
    if wanted.window and wanted.timesteps and wanted.window != wanted.timesteps:
        raise InputError(
            f"--window {wanted.window} and --timesteps {wanted.timesteps} contradict each other; leave one away"
        )
