"""NPZ archives read safely: names, types and sizes are checked in the headers before a single value is unpacked.

Nothing is ever unpickled, memory is bounded by `limit`, and every refusal is an InputError. Only the members asked for
are opened.
"""

from __future__ import annotations

import math
import warnings
from typing import IO, TYPE_CHECKING, Any

from numpy.lib import format as npy
from numpy.typing import NDArray

from engine.errors import InputError
from engine.files.raw import opened, shown, size, unreadable
from engine.text import clean

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Collection, Iterator
    from pathlib import Path

    import numpy as np

Array = NDArray[Any]

MEMORY_LIMIT = 2 << 30  # bytes, counted as if every value were a float64
_SUFFIX = ".npy"
_KINDS = {
    "O": "Python objects (a pickle)",
    "U": "text",
    "S": "text",
    "T": "text",
    "V": "records",
    "c": "complex numbers",
}


def read_npz(
    path: Path, names: Collection[str] | None = None, *, required: Collection[str] = (), limit: int = MEMORY_LIMIT
) -> dict[str, Array]:
    """The arrays called `names` (None: all) that the archive holds, each of booleans, integers or real numbers.

    Arrays of other names are left unread; one that is `required` and missing is refused, telling what there is.
    """
    try:
        with opened(path) as file, _open(path, file) as archive:
            members = _members(path, archive, names, required)
            _check(path, archive, members, limit)
            return {name: _read(path, archive, info) for name, info in members.items()}
    except OSError as error:
        raise unreadable(path, error) from error


def read_npy(path: Path, limit: int = MEMORY_LIMIT) -> Array:
    """The one array of a .npy file, of booleans, integers or real numbers, checked in its header like those of an archive."""
    damaged = InputError(f"{shown(path)} is no .npy file, or damaged; write it again with np.save")
    try:
        with opened(path) as file:
            try:
                shape, dtype, start = _read_header(file)
            except Exception as error:
                raise damaged from error
            _check_kind(shown(path), "the array", dtype)
            _check_size(shown(path), "the array", shape, dtype, limit)
            if start + math.prod(shape) * dtype.itemsize > path.stat().st_size:
                raise InputError(f"{shown(path)} is cut off; write it again with np.save")
            file.seek(0)
            return _values(file, shown(path), damaged)
    except OSError as error:
        raise unreadable(path, error) from error


def array_names(path: Path) -> list[str]:
    """The names of the arrays that an archive's directory lists; none of what is no archive, damaged, or cannot be read."""
    import zipfile

    try:
        with opened(path) as file, zipfile.ZipFile(file) as archive:
            return [name for name, _ in _arrays(archive)]
    except Exception:  # damaged bytes fail in many ways inside zipfile
        return []


def _arrays(archive: zipfile.ZipFile) -> Iterator[tuple[str, zipfile.ZipInfo]]:
    for info in archive.infolist():
        if info.filename.endswith(_SUFFIX):
            yield info.filename.removesuffix(_SUFFIX), info


def _open(path: Path, file: IO[bytes]) -> zipfile.ZipFile:
    start = file.read(len(npy.MAGIC_PREFIX))
    if not start:
        raise InputError(f"{shown(path)} is empty; write it with np.savez")
    if start == npy.MAGIC_PREFIX:
        raise InputError(f"{shown(path)} is a single .npy array, not an NPZ archive; write it with np.savez")
    import zipfile

    try:
        return zipfile.ZipFile(file)
    except Exception as error:  # damaged bytes fail in many ways inside zipfile
        reason = "cut off or damaged" if start.startswith(b"PK") else "not an NPZ archive"
        raise InputError(f"{shown(path)} is {reason}; write it again with np.savez") from error


def _members(
    path: Path, archive: zipfile.ZipFile, names: Collection[str] | None, required: Collection[str]
) -> dict[str, zipfile.ZipInfo]:
    members: dict[str, zipfile.ZipInfo] = {}
    held: list[str] = []
    for name, info in _arrays(archive):
        held.append(name)
        if names is not None and name not in names:
            continue
        if name in members:
            raise InputError(
                f"{shown(path)} holds two arrays named {clean(name)}; write it again with one of each name"
            )
        members[name] = info
    for name in required:
        if name not in members:
            held_names = ", ".join(clean(name, 40) for name in held[:8]) or "nothing"
            raise InputError(
                f"{shown(path)} has no array named {name} (it holds {held_names}); save it under that name"
            )
    return members


def _check(path: Path, archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], limit: int) -> None:
    total = 0
    for name, info in members.items():
        shape, dtype, start = _header(path, archive, info)
        _check_kind(shown(path), clean(name), dtype)
        count = math.prod(shape)
        total += _check_size(shown(path), clean(name), shape, dtype, limit, total)
        if start + count * dtype.itemsize != info.file_size:
            raise _damaged(path, name)


def _check_kind(file: str, name: str, dtype: np.dtype[Any]) -> None:
    if dtype.hasobject or dtype.kind not in "biuf":
        held = _KINDS.get("O" if dtype.hasobject else dtype.kind, f"values of type {clean(str(dtype), 40)}")
        raise InputError(f"{file}: {name} holds {held}; save numbers (integers, floats or booleans)")


def _check_size(file: str, name: str, shape: tuple[int, ...], dtype: np.dtype[Any], limit: int, before: int = 0) -> int:
    """The bytes that an array takes; refused where they are too many together with those `before`."""
    taken = math.prod(shape) * max(dtype.itemsize, 8)
    if before + taken > limit:
        raise InputError(
            f"{file}: {name} of shape {_shape(shape)} would need {size(before + taken)} of memory, more than "
            f"the limit of {size(limit)}; save fewer samples"
        )
    return taken


def _read_header(member: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any], int]:
    """Shape, type and length of the header itself, with whatever errors damaged bytes make."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy's remark on headers written under Python 2
        read = npy.read_array_header_1_0 if npy.read_magic(member) == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = read(member)
    if any(length < 0 for length in shape):
        raise ValueError("a negative length")
    return shape, dtype, member.tell()


def _header(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> tuple[tuple[int, ...], np.dtype[Any], int]:
    """Shape, type and length of the header itself; at most a few kilobytes are unpacked for it."""
    try:
        with archive.open(info) as member:
            return _read_header(member)
    except Exception as error:  # damaged bytes fail in many ways inside zipfile, zlib and numpy
        raise _damaged(path, info.filename.removesuffix(_SUFFIX)) from error


def _read(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Array:
    name = info.filename.removesuffix(_SUFFIX)
    damaged = _damaged(path, name)
    try:
        member = archive.open(info)
    except Exception as error:
        raise damaged from error
    with member:
        return _values(member, f"{shown(path)}: {clean(name)}", damaged)


def _values(member: IO[bytes], what: str, damaged: InputError) -> Array:
    """The array of which the header was checked, to the end of the file; `damaged` where it is none all the same (too many axes)."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            array: Array = npy.read_array(member, allow_pickle=False)
            member.read(1)  # reaches the end, where an archive's checksum is compared
            return array
    except MemoryError as error:
        raise InputError(f"{what} does not fit into memory; save fewer samples") from error
    except Exception as error:  # damaged bytes fail in many ways inside zipfile, zlib and numpy
        raise damaged from error


def _damaged(path: Path, name: str) -> InputError:
    return InputError(f"{shown(path)}: array {clean(name)} is cut off or damaged; write it again with np.savez")


def _shape(shape: tuple[int, ...]) -> str:
    return clean(str(shape), 60)
