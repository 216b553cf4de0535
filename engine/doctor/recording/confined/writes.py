"""Where a program may write: into the copy of its folder, and nowhere else.

Python tells a hook of every file it is about to open for writing, remove, rename or make. Inside the copy all of it is allowed. What is
only linked there, a large file or a whole folder, becomes real at the moment it is written to: a file is copied, a folder is replaced by
one of links to what it holds. Anything else is refused. Libraries that write past Python (an image written by compiled code) are held
to the copy by their working folder alone.
"""

# The user may have a pathlib of his own, and this must be quick.

from __future__ import annotations

import errno
import os
import shutil
import sys
from _thread import get_ident
from collections.abc import Callable
from typing import Any

_ROOM = os.path.dirname(__file__)
_PACKAGE = os.path.dirname(_ROOM) + os.sep
_DECIDING = (__file__, os.path.join(_ROOM, "confinement.py"))
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
LARGEST = 1 << 30
"""Bytes of a linked file that is copied because it is written to; a larger one cannot be changed."""
MOST = 20_000
"""Entries of a linked folder that is made real because something in it is written to."""


class Writes:
    """Decides on what a program is about to do to files. `inside` are the folders it may change."""

    def __init__(self, inside: list[str], refused: Callable[[str, str], None]) -> None:
        self.inside = tuple(os.path.realpath(folder) for folder in inside)
        self.refused = refused
        self._busy: set[int] = set()
        self.last = ""
        """The path that was last opened for writing, as the program gave it."""
        self.events: dict[str, Callable[[Any], None]] = {
            "open": self._open,
            "os.remove": lambda a: self._entry(a[0], a[1]),
            "os.rmdir": lambda a: self._entry(a[0], a[1]),
            "os.mkdir": lambda a: self._entry(a[0], a[2]),
            "os.rename": self._rename,
            "os.symlink": lambda a: self._entry(a[1], a[2]),
            "os.link": self._link,
            "os.truncate": lambda a: self._content(a[0], -1),
            "os.chmod": lambda a: self._content(a[0], a[2]),
            "os.chown": lambda a: self._content(a[0], a[3]),
            "os.utime": lambda a: self._content(a[0], a[3]),
        }

    def _open(self, arguments: Any) -> None:
        path, _, flags = arguments
        if isinstance(flags, int) and flags & _WRITING:
            self.last = path if isinstance(path, str) else os.fsdecode(path) if not isinstance(path, int) else ""
            self._content(path, -1, emptied=bool(flags & os.O_TRUNC))

    def _rename(self, arguments: Any) -> None:
        self._entry(arguments[0], arguments[2])
        self._entry(arguments[1], arguments[3])

    def _link(self, arguments: Any) -> None:
        self._content(arguments[0], arguments[2])  # under its second name it could be written to
        self._entry(arguments[1], arguments[3])

    def _entry(self, path: Any, folder: Any) -> None:
        """An entry of a folder comes, goes or gets another name: the folder must be inside."""
        self._decide(path, folder, self._within)

    def _content(self, path: Any, folder: Any, emptied: bool = False) -> None:
        """A file's content changes: where the path leads, through links, must be inside; a link that leads out becomes the file."""

        def decide(place: str) -> bool:
            if self._within(os.path.realpath(place)):
                return True
            return self._within(place) and os.path.islink(place) and self._own(place, emptied)

        self._decide(path, folder, decide)

    def _decide(self, path: Any, folder: Any, allowed: Callable[[str], bool]) -> None:
        me = get_ident()
        if isinstance(path, int) or me in self._busy or _is_ours():
            return  # an open descriptor was decided on when it was opened
        self._busy.add(me)
        try:
            full = _absolute(path, folder)
            if full.startswith(("/dev/", "/proc/self/")):
                return
            place = _place(full)
            if allowed(place) or (self._make_real(full) and allowed(_place(full))):
                return
        finally:
            self._busy.discard(me)
        self.refused("write", full)
        raise PermissionError(errno.EACCES, "the doctor lets a program write only into the copy of its folder", full)

    def _within(self, path: str) -> bool:
        return any(path.startswith(folder + os.sep) for folder in self.inside)

    def _own(self, link: str, emptied: bool) -> bool:
        """Puts the file itself in the place of a link to it."""
        target = os.path.realpath(link)
        if emptied or not os.path.exists(target):
            os.unlink(link)
            return True
        if os.path.isdir(target) or os.path.getsize(target) > LARGEST:
            return False
        shutil.copyfile(target, link + ".copying")
        os.replace(link + ".copying", link)
        return True

    def _make_real(self, full: str) -> bool:
        """Makes the linked folders real on the way to a path that lies inside by its name; whether there were any."""
        path, made = os.path.normpath(full), False
        home = next((folder for folder in self.inside if path.startswith(folder + os.sep)), None)
        if home is None:
            return False
        place = home
        for part in os.path.dirname(path)[len(home) + 1 :].split(os.sep):
            place = os.path.join(place, part)
            if os.path.islink(place) and os.path.isdir(place):
                target = os.path.realpath(place)
                if self._within(target):
                    continue
                names = os.listdir(target)
                if len(names) > MOST:
                    return False
                os.unlink(place)
                os.mkdir(place)
                for name in names:
                    os.symlink(os.path.join(target, name), os.path.join(place, name))
                made = True
        return made


def _is_ours() -> bool:
    """Whether what is about to be done is done by this package itself: the record is written, and how the run ended."""
    frame: Any = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    while frame is not None and frame.f_code.co_filename in _DECIDING:
        frame = frame.f_back
    return frame is not None and frame.f_code.co_filename.startswith(_PACKAGE)


def _place(full: str) -> str:
    """The path with all links on the way resolved, its own not."""
    folder, name = os.path.split(full)
    if name in ("", ".", ".."):
        return os.path.realpath(full)
    return os.path.join(os.path.realpath(folder), name)


def _absolute(path: Any, folder: Any) -> str:
    text: str = os.fsdecode(path)
    if os.path.isabs(text):
        return text.rstrip(os.sep) or os.sep
    if isinstance(folder, int) and folder >= 0:
        return os.path.join(_opened(folder), text)
    return os.path.join(os.getcwd(), text).rstrip(os.sep)


def _opened(folder: int) -> str:
    """The path of an open folder."""
    try:
        return os.readlink(f"/proc/self/fd/{folder}")
    except OSError:
        import fcntl

        return os.fsdecode(fcntl.fcntl(folder, 50, bytes(1024)).rstrip(b"\0"))  # F_GETPATH, where there is no /proc
