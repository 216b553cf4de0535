"""Where a user's program works: a private folder in which everything lies as at home, and from which nothing comes back.

The private folder repeats the whole path, `/tmp/…/view/home/u/project/mine.py` for `/home/u/project/mine.py`: so a path relative to
anywhere, also above the program, leads to what it leads to at home, and a message is right again once the first part is taken out.
The program's folder, or its project's, is copied; large files, and what lies in the folders above, are links.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from engine.doctor.run.program import is_too_high
from engine.text import clean

FILE, ALL = 16 << 20, 256 << 20
"""Bytes of a file that is copied, and of all together; what is larger is linked."""
ENTRIES = 4000
"""Files and folders that are copied; more are linked."""
MANY = 2000
"""Entries of a folder that is linked as a whole: of images, say. The program's own folder is copied for all that."""
LINKS = 4000
"""Entries of one folder that are linked one by one; more are not there."""
LEVELS = 4
"""Folders above the copied one whose other entries are there as links."""
LISTED = 100
"""Written files that are named."""
LEFT_OUT = {".git", ".hg", ".svn", ".venv", "venv", "node_modules", "__pycache__", ".tox", ".ipynb_checkpoints"}
_ENVIRONMENT = ("pyvenv.cfg", "conda-meta")


class Workplace:
    """The private folder of one run. Use it in a `with` block.

    `root` is copied, `stand` is a folder that must be there to work in; both are absolute, with links resolved.
    """

    def __init__(self, root: Path, stand: Path, first: Path | None = None) -> None:
        self.base = Path(os.path.realpath(tempfile.mkdtemp(prefix="rnn-tui-run-")))
        self.view = self.base / "view"
        self.temporary = self.base / "tmp"
        self._known: dict[str, tuple[int, int, int]] = {}
        self._bytes = self._entries = 0
        try:
            self.view.mkdir()
            self.temporary.mkdir()
            self._copy(root, first or root)
            for above in list(root.parents)[:LEVELS]:
                if above != above.parent:
                    self._link_rest(above)
            self._real(stand, root)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Workplace:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def there(self, path: Path) -> Path:
        """Where a path lies in the private folder."""
        return self.view / path.relative_to(path.anchor)

    def at_home(self, text: str) -> str:
        """A text with the user's own paths for those in here."""
        return text.replace(str(self.view), "")

    def written(self) -> tuple[str, ...]:
        """The files that the program made or changed, as paths at home; at most `LISTED`, then how many more."""
        found: list[str] = []
        for path in _files(self.view):
            if self._known.get(path) != _state(path):
                found.append(clean(self.at_home(path)))
        found.sort()
        more = len(found) - LISTED
        return (*found[:LISTED], f"and {more} more") if more > 0 else tuple(found)

    def close(self) -> None:
        """Removes it all, whatever the program made of it."""
        shutil.rmtree(self.base, ignore_errors=True)
        if self.base.exists():
            for folder, _, _ in os.walk(self.base):
                with contextlib.suppress(OSError):
                    os.chmod(folder, 0o700)  # noqa: PTH101 - a program may have forbidden it to us
            shutil.rmtree(self.base, ignore_errors=True)

    # Copying

    def _copy(self, root: Path, first: Path) -> None:
        """Copies a tree, one folder of it before all others; nearer files come first, and where too much is copied the rest is linked.
        Of a home folder, and of the one for all that is temporary, only the files are copied that lie directly in it."""
        waiting = deque([first, root] if first != root else [root])
        shallow = is_too_high(root) or root == self.base.parent
        while waiting:
            folder = waiting.popleft()
            entries = _entries(folder)
            if len(entries) > MANY and folder not in (first, root) and not self.there(folder).exists():
                _linked(folder, self.there(folder))
                continue
            self.there(folder).mkdir(parents=True, exist_ok=True)
            for entry in entries:
                path = Path(entry.path)
                place = self.there(path)
                if entry.is_dir(follow_symlinks=False) and place.is_dir() and not place.is_symlink():
                    waiting.append(path)  # on the way to the first folder
                elif os.path.lexists(place) or _is_left_out(entry) or path == self.base:
                    continue
                elif entry.is_symlink():
                    self._link(path, root)
                elif entry.is_dir() and self._entries < ENTRIES and not shallow:
                    self._entries += 1
                    waiting.append(path)
                elif entry.is_dir() or not self._copied(path, place):
                    _linked(path, place)

    def _copied(self, path: Path, place: Path) -> bool:
        try:
            size = path.stat().st_size
            if size > FILE or self._bytes + size > ALL or self._entries >= ENTRIES:
                return False
            shutil.copy2(path, place)
            self._bytes += size
            self._entries += 1
            self._known[str(place)] = _state(str(place))
        except OSError:  # unreadable: the link says so to whoever opens it
            place.unlink(missing_ok=True)
            return False
        return True

    def _link(self, path: Path, root: Path) -> None:
        """A link stays one; a link to what is copied leads to the copy."""
        target = Path(os.path.realpath(path))
        inside = target == root or root in target.parents
        _linked(self.there(target) if inside else target, self.there(path))

    # Links

    def _link_rest(self, folder: Path) -> None:
        """Links what a folder holds and what is not there yet."""
        there = self.there(folder)
        there.mkdir(parents=True, exist_ok=True)
        for entry in _entries(folder)[:LINKS]:
            if entry.name != self.base.name and not os.path.lexists(there / entry.name):
                _linked(Path(entry.path), there / entry.name)

    def _real(self, folder: Path, root: Path) -> None:
        """Makes a folder real in which the program is to work, with links to what it holds."""
        place = self.view
        so_far = Path(folder.anchor)
        for part in folder.parts[1:]:
            place, so_far = place / part, so_far / part
            if place.is_symlink():
                place.unlink()
                self._link_rest(so_far)
            place.mkdir(exist_ok=True)
        if folder != root and root not in folder.parents:
            self._link_rest(folder)


def _linked(path: Path, place: Path) -> None:
    with contextlib.suppress(OSError):
        place.symlink_to(path)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return []


def _is_left_out(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is nothing that a program needs: repositories, environments, caches, pipes and devices."""
    if entry.name in LEFT_OUT:
        return True
    if entry.is_symlink():
        return False
    if entry.is_dir():
        return any(os.path.lexists(Path(entry.path) / name) for name in _ENVIRONMENT)
    return not entry.is_file()


def _files(folder: Path) -> Iterator[str]:
    """All regular files below a folder, links not followed."""
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in files:
            path = f"{place}/{name}"
            with contextlib.suppress(OSError):
                if stat.S_ISREG(os.lstat(path).st_mode):
                    yield path


def _state(path: str) -> tuple[int, int, int]:
    found = os.lstat(path)
    return found.st_mtime_ns, found.st_size, found.st_ino
