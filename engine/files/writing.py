"""Writes files under a temporary name and renames them: at the given name is always the old file or the whole new one."""

from __future__ import annotations

import contextlib
import os
import stat
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from engine.errors import InputError
from engine.files.locate import seen
from engine.files.raw import shown
from engine.text import clean

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

Array = NDArray[Any]


@contextlib.contextmanager
def replaced(path: Path) -> Generator[IO[bytes]]:
    """A new file to write to, which takes the place of `path` when the block ends well and vanishes when it does not.

    A link is followed. Raises InputError when the folder is missing, the system refuses, or `path` is something else than a file.
    """
    target = place_of(path)
    import secrets  # not before something is written

    beside = target.parent / f".rnn-tui-{os.getpid()}-{secrets.token_hex(4)}.tmp"
    try:
        try:
            with beside.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())  # a name that is there after a power cut has all of it
            beside.replace(target)
        except BaseException:  # an interrupt too must leave nothing behind
            with contextlib.suppress(OSError):
                beside.unlink()
            raise
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError | ValueError) -> InputError:
    reason = clean((error.strerror if isinstance(error, OSError) else str(error)) or type(error).__name__)
    return InputError(
        f"{shown(path)} cannot be written ({reason}); check the folder, its permissions and the free space"
    )


def place_of(path: Path, *read: Path) -> Path:
    """Where a file of that name is written, a link followed; InputError when it cannot be, or is one of the files that were read."""
    try:
        target = Path(os.path.realpath(path))
        mode = _mode(target)
    except (OSError, ValueError) as error:  # a name too long, or with a NUL in it; a closed folder
        raise _unwritable(path, error) from error
    if mode is not None and stat.S_ISDIR(mode):
        raise InputError(f"{shown(path)} is a folder; give the name of a file to write")
    if mode is not None and not stat.S_ISREG(mode):
        raise InputError(f"{shown(path)} is not an ordinary file; give the name of a file to write")
    if not target.parent.is_dir():
        raise InputError(f"the folder of {shown(path)} does not exist; make it first, or give another name")
    if mode is not None and any(seen(partial(target.samefile, one)) for one in read):
        raise InputError(f"{shown(path)} is what was read, and would be lost; give -o another name")
    return target


def _mode(path: Path) -> int | None:
    """What a path leads to, None for nothing. (`is_dir` says False of what the system refuses to look at, too, since Python 3.14.)"""
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None


def write_npz(path: Path, arrays: Mapping[str, Array]) -> None:
    """An uncompressed NPZ archive, like np.savez, which cannot write arrays called `file` or `allow_pickle`; see `replaced`."""
    import zipfile

    with replaced(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                npy.write_array(member, np.asarray(array), allow_pickle=False)
