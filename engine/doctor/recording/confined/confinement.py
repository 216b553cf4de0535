"""What a user's program is held to while it runs here: limits, files, network, input, plots, and ways out of the process.

It runs with the user's rights. This protects from accidents: a loop without end, memory without end, a program that writes over its
own data or ends the process. It is no protection from malice.
"""

# The user may have a pathlib of his own.

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from .. import progress
from .absent import Absentees
from .drawing import Windowless
from .ending import Left, RunStopped
from .implicit import OwnPackage
from .network import SocketRules, close
from .stubs import Finder, Hidden
from .writes import Writes

TICK = 0.1
"""Seconds of computing from one look at the limits to the next."""
PROCESSES = 200
"""How many processes a program may start, those that its own start counted too."""
FILE = 1 << 30
"""Bytes of one file."""


class Confinement:
    """Everything a program is held to. `finish` ends the process at once, for good."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.job = job
        self.own, self.parent = os.getpid(), os.getppid()
        self.refusals: list[dict[str, Any]] = []
        self.stubs = Finder()
        self.finish: Callable[[int], None] = os._exit
        self.file = str(job["file"])
        self.users = tuple(str(folder) for folder in job["user"])
        self.absent = Absentees(self.users, lambda frame: _line(frame, self.file))
        self.implicit = OwnPackage(self.users)
        self.seconds = float(job["seconds"])
        self.started = time.process_time()
        self.network_is_closed = False
        self.events: dict[str, Callable[[Any], None]] = {}

    def begin(self) -> None:
        """From here on the program is held to it all."""
        self._limits()
        if not self.job.get("network"):
            self.network_is_closed = close()
        sys.meta_path.insert(0, Windowless())
        sys.meta_path.insert(0, Hidden(self.job["hidden"], self.users))
        sys.meta_path += [self.implicit, self.stubs, self.absent]
        self._ways_out()
        self.writes = Writes(self.job["inside"], self._refused)
        self.events.update(self.writes.events)
        self.events.update({"os.fork": self._starts, "os.forkpty": self._starts, "subprocess.Popen": self._starts})
        self.events.update({"os.kill": self._ends, "os.killpg": self._ends})
        self.events.update({"os.system": self._starts, "os.posix_spawn": self._starts, "os.exec": self._replaces})
        if not self.job.get("network"):
            self.events.update(SocketRules(self._refused).events)
        sys.addaudithook(_hook(self.events))
        self.started = time.process_time()
        signal.signal(signal.SIGPROF, self._tick)
        signal.setitimer(signal.ITIMER_PROF, TICK, TICK)

    def end(self) -> None:
        """The program is over: its limit of time no longer counts, nor does what it left to happen at the end."""
        progress.over()
        signal.setitimer(signal.ITIMER_PROF, 0)

    def computed(self) -> float:
        """Seconds that the program has computed, all its threads together."""
        return time.process_time() - self.started

    # Limits

    def _limits(self) -> None:
        if (tasks := _tasks()) is not None:
            _limit(resource.RLIMIT_NPROC, tasks + 2 * PROCESSES)  # of the user's, all together; root has no such limit
        memory = int(self.job["memory"])
        # Data, not address space: libraries for graphics processors reserve more addresses than any machine has memory.
        _limit(resource.RLIMIT_DATA if sys.platform.startswith("linux") else resource.RLIMIT_AS, memory)
        _limit(resource.RLIMIT_FSIZE, FILE)
        _limit(resource.RLIMIT_CORE, 0)
        if sys.platform.startswith("linux"):
            ctypes.CDLL(None).prctl(
                1, int(signal.SIGKILL), 0, 0, 0
            )  # PR_SET_PDEATHSIG: it ends with whoever waits for it

    def _tick(self, number: int, frame: Any) -> None:
        """Comes every `TICK` seconds of computing, in the main thread; also when the program waits too long, from outside."""
        if os.getpid() != self.own:
            return
        if os.getppid() != self.parent:
            self.finish(1)
        computed = self.computed()
        progress.tell(line=_line(frame, self.file) or None, computed=computed)
        if progress.is_over():
            return
        if computed > self.seconds:
            raise RunStopped("time")
        if progress.is_asked_to_stop():
            raise RunStopped("waiting")

    # Ways out

    def _ways_out(self) -> None:
        """What would end the process without a word is an ending like others: the record is written first."""
        leave = os._exit

        def _exit(status: int = 0) -> None:
            if os.getpid() == self.own and threading.current_thread() is threading.main_thread():
                raise Left(status, "os._exit")
            leave(status)

        os._exit = _exit  # type: ignore[assignment]
        self.finish = leave
        size, terminal = os.get_terminal_size, os.terminal_size

        def get_terminal_size(*arguments: int) -> os.terminal_size:
            try:
                return size(*arguments)
            except OSError:
                return terminal((80, 24))  # by hand there would be a terminal

        os.get_terminal_size = get_terminal_size

    def _replaces(self, arguments: Any) -> None:
        if os.getpid() == self.own:
            raise Left(0, "os.exec")

    def _ends(self, arguments: Any) -> None:
        """Whoever waits for the program is not to be ended by it, nor is everything that its user runs."""
        if arguments[0] in (-1, self.parent, os.getpgid(self.parent)):
            self._refused("process", f"ending process {arguments[0]}")
            raise PermissionError(1, "the doctor does not let a program end what it did not start")

    def _starts(self, arguments: Any) -> None:
        count = progress.one_more_process()
        name, value = self.job["mark"]  # by it the process is found again and ended
        os.environ[name] = value
        if len(arguments) == 4 and isinstance(arguments[3], dict):
            arguments[3][name] = value
        if count > PROCESSES:
            self._refused("process", f"more than {PROCESSES}")
            raise BlockingIOError(11, f"the doctor lets a program start {PROCESSES} processes")

    def _refused(self, kind: str, what: str) -> None:
        """Remembers what was refused, and at which line of the program; what libraries try while they are imported is theirs."""
        frame: Any = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
        inner = frame
        while inner is not None and not inner.f_code.co_filename.startswith(self.users):
            if inner.f_code.co_filename.startswith("<frozen importlib"):
                return
            inner = inner.f_back
        told = {"kind": kind, "what": what[:300], "line": _line(frame, self.file)}
        if len(self.refusals) < 20 and told not in self.refusals:
            self.refusals.append(told)


def _hook(events: dict[str, Callable[[Any], None]]) -> Callable[[str, Any], None]:
    """The hook that Python calls for everything it is about to do. It is called often and must be quick."""
    wanted = events.get

    def hook(event: str, arguments: Any) -> None:
        decide = wanted(event)
        if decide is not None:
            decide(arguments)

    return hook


def _line(frame: Any, file: str) -> int:
    """The line of the program that runs, whatever it has called; 0 when it is not among its callers."""
    while frame is not None:
        if frame.f_code.co_filename == file:
            return int(frame.f_lineno or 0)
        frame = frame.f_back
    return 0


def _tasks() -> int | None:
    """How many processes and threads the user has; None where the system does not show it."""
    count, own = 0, os.getuid()
    try:
        processes = [name for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return None
    for name in processes:
        try:
            count += len(os.listdir(f"/proc/{name}/task")) if os.stat(f"/proc/{name}").st_uid == own else 0
        except OSError:  # gone
            continue
    return count


def _limit(kind: int, value: int) -> None:
    try:
        _, hard = resource.getrlimit(kind)
        resource.setrlimit(kind, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))
    except (ValueError, OSError):  # a system without that limit: whoever waits for the process looks at it too
        return
