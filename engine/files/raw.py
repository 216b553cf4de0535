"""Reads a whole text file; every way in which that can fail is one sentence."""

from __future__ import annotations

import gzip
import zlib
from typing import IO, TYPE_CHECKING

from engine.errors import InputError
from engine.text import clean

if TYPE_CHECKING:
    from pathlib import Path


def shown(path: Path) -> str:
    """The file's name as messages show it."""
    return clean(path.name)


def plain_suffix(path: Path) -> str:
    """What a file's name ends in, in small letters, `.gz` left out: that of x.csv.gz is .csv."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    return suffixes[-2] if suffixes[-1:] == [".gz"] and len(suffixes) > 1 else path.suffix.lower()


def unreadable(path: Path, error: OSError) -> InputError:
    """The refusal of a file that the system does not let us read."""
    reason = clean(error.strerror or type(error).__name__)
    return InputError(f"{shown(path)} cannot be read ({reason}); check its name and its permissions")


def too_large(path: Path, needed: int, limit: int) -> InputError:
    """The refusal of a file that would take more memory than it may."""
    return InputError(f"{shown(path)} would need {size(needed)} of memory, more than the limit of {size(limit)}")


def opened(path: Path) -> IO[bytes]:
    """The file, to be read; a pipe or a device is refused, for it might be waited for without end. OSError for what cannot be opened."""
    if path.exists() and not path.is_file():
        kind = "a folder" if path.is_dir() else "a device or a pipe"
        raise InputError(f"{shown(path)} is {kind}, and only files are read; give the name of a file")
    return path.open("rb")


def read_text(path: Path, limit: int) -> str:
    """The file's text, which must be UTF-8 (a byte order mark is dropped) of at most `limit` bytes, without NUL."""
    packed = path.suffix.lower() == ".gz"
    try:
        with opened(path) as raw, gzip.open(raw) if packed else raw as file:
            content = b"" if (large := not packed and path.stat().st_size > limit) else file.read(limit + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{shown(path)} is no gzip file, or cut off or damaged; compress it again") from error
    except OSError as error:
        raise unreadable(path, error) from error
    if large or len(content) > limit:
        raise InputError(
            f"{shown(path)} is larger than {size(limit)}, the most that is read; split it, or save numbers as NPZ"
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = content.count(b"\n", 0, error.start) + 1
        raise InputError(f"{shown(path)}: row {row} is not UTF-8 text; save the file as UTF-8") from error
    if (nul := text.find("\0")) >= 0:
        row = text.count("\n", 0, nul) + 1
        raise InputError(f"{shown(path)}: row {row} contains a NUL byte; save the file as plain UTF-8 text")
    return text


def size(count: int) -> str:
    """A number of bytes for people: 1536 becomes '1.5 KiB'."""
    if count >= 1 << 70:
        return "more than a ZiB"
    value, unit = float(count), "bytes"
    for larger in ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{value:.0f} {unit}" if 1000 <= value < 10_000 else f"{value:.3g} {unit}"
