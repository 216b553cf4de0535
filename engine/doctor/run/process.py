"""Runs the user's code in a separate process: with limits of time and memory, in a private copy of its folder, its output kept apart.

The code runs with the user's rights; this protects from accidents (a loop without end, memory without end, `exit`, a file that deletes
itself), not from malice.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from engine.doctor.read.kinds import is_dict
from engine.doctor.read.source import SourceFile
from engine.doctor.run import clock, wire
from engine.doctor.run.limits import ONE_THREAD
from engine.text import clean

MEMORY = 2 << 30
"""Bytes of address space."""
SECONDS = 3.0
STARTING = 20.0
GRACE = 1.0
"""Seconds after its time is up in which the worker may still stop the code itself; then the process is killed."""
COPIED, COPIED_IN_ALL, NEIGHBOURS = 1 << 20, 20 << 20, 500


MARK = "RNN_TUI_DOCTOR"
"""The environment variable that marks every process started by the code, so that all of them can be ended."""


class Ended(Exception):
    """The process is gone: one clause that says how."""


class Process:
    """A worker for one program. Use it in a `with` block."""

    def __init__(self, source: SourceFile, *, memory: int = MEMORY) -> None:
        self.started = clock.now()
        self.folder = Path(tempfile.mkdtemp(prefix="rnn-tui-doctor-"))
        self.file = self.folder / f"{source.path.stem}.py"
        self.source = source
        self.asked = 0
        _furnish(source, self.folder)
        self.file.write_text(source.text, encoding="utf-8")
        to_child, self.to = os.pipe()
        self.back, from_child = os.pipe()
        environment = {
            **os.environ,
            **ONE_THREAD,
            "MPLBACKEND": "Agg",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONSAFEPATH": "1",
            MARK: str(self.folder),
        }
        arguments = [str(to_child), str(from_child), str(memory), str(self.folder)]
        self.process = _started(arguments, self.folder, environment, (to_child, from_child))
        atexit.register(self.close)  # a thread in which it is asked is not waited for when the program ends
        os.close(to_child)
        os.close(from_child)
        self._receive(
            time.monotonic() + STARTING
        )  # the worker is ready: from now on the time counts as that of the user's code

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def ask(self, do: str, *, seconds: float = SECONDS, **request: Any) -> Mapping[str, Any]:
        """The worker's answer to a request; Ended when there is none."""
        try:
            self.asked += 1
            wire.send(self.to, {"do": do, "seconds": seconds, "number": self.asked, **request})
        except OSError:
            raise Ended(self._end()) from None
        return self._receive(time.monotonic() + seconds + GRACE)

    def _receive(self, deadline: float) -> Mapping[str, Any]:
        try:
            header = wire.HEADER.unpack(self._read(wire.HEADER.size, deadline))
            if sum(header) > wire.LARGEST:
                raise ValueError("too large")
            answer = wire.unpack(self._read(header[0], deadline), self._read(header[1], deadline))
        except (ValueError, KeyError, TypeError):
            self.close()
            raise Ended("wrote what is no answer into the doctor's own pipe") from None
        if not is_dict(answer) or answer.get("number") != self.asked:
            self.close()
            raise Ended("wrote what is no answer into the doctor's own pipe")
        if isinstance(computed := answer.get("computed"), float):
            clock.count(computed)
        return answer

    def close(self) -> None:
        """Ends the process and its children, and removes its folder."""
        atexit.unregister(self.close)
        with contextlib.suppress(OSError, ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for file in (self.to, self.back):
            with contextlib.suppress(OSError):
                os.close(file)
        self.to = self.back = -1
        _end_marked(str(self.folder))
        shutil.rmtree(self.folder, ignore_errors=True)

    def _read(self, count: int, deadline: float) -> bytes:
        parts: list[bytes] = []
        while count:
            ready, _, _ = select.select([self.back], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise Ended("did not end in its time, and could not be stopped but by ending its process")
            part = os.read(self.back, min(count, 1 << 20))
            if not part:
                raise Ended(self._end())
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def _end(self) -> str:
        try:
            code = self.process.wait(GRACE)
        except subprocess.TimeoutExpired:
            return "closed the doctor's own pipe"
        if code >= 0:
            return f"ended the process with exit code {code} ({_BROKEN if code == 1 else 'os._exit or the like'})"
        names: dict[int, str] = {
            signal.SIGSEGV: "a crash inside a library",
            signal.SIGKILL: "the system killed it, most likely for its memory",
        }
        name = clean(signal.Signals(-code).name) if -code in set(signal.Signals) else str(-code)
        return f"ended the process with signal {name} ({names.get(-code, 'sent from inside')})"


def _started(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], files: Sequence[int]
) -> subprocess.Popen[bytes]:
    """`worker.main` with these arguments in a new process, in a session of its own."""
    root = str(Path(__file__).resolve().parents[3])
    # The project's own folder is put on the path inside, only to start; the user's packages lie where the user is, and come last.
    start = (
        f"import sys; sys.path.insert(0, {root!r}); import engine.doctor.run.worker as w; "
        f"sys.path.remove({root!r}); sys.path.insert(0, ''); sys.path.append({str(Path.cwd())!r}); w.main(sys.argv[1:])"
    )
    return subprocess.Popen(
        [sys.executable, "-c", start, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # nobody reads it, and a file could be filled
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env=environment,
        pass_fds=files,
        start_new_session=True,
    )


_BROKEN = "os._exit, or it closed or replaced what the process cannot live without"


def _end_marked(mark: str) -> None:
    """Ends processes that the code has started in other sessions, where the system lets us read their environment."""
    wanted = f"{MARK}={mark}".encode()
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if wanted in (entry / "environ").read_bytes().split(b"\0"):
                os.kill(int(entry.name), signal.SIGKILL)


def _furnish(source: SourceFile, folder: Path) -> None:
    """Puts the files that lie beside the program into the private folder, small ones as copies, the rest as links: code finds its data."""
    copied = 0
    neighbours = sorted(source.path.resolve().parent.iterdir())[:NEIGHBOURS]
    for neighbour in neighbours:
        if neighbour.name == source.path.name or neighbour.name == f"{source.path.stem}.py":
            continue
        if not _is_named(neighbour, source.text) or neighbour.name.startswith("."):
            continue
        with contextlib.suppress(OSError):
            size = neighbour.stat().st_size
            if neighbour.is_file() and size <= COPIED and copied + size <= COPIED_IN_ALL:
                shutil.copyfile(neighbour, folder / neighbour.name)
                copied += size
            else:
                (folder / neighbour.name).symlink_to(neighbour)


def _is_named(path: Path, text: str) -> bool:
    return path.suffix == ".py" or path.name in text or path.stem in text
