"""One process that has NumPy and the worker loaded, and becomes the worker of one program after the other by copying itself.

Starting Python and NumPy is most of what a worker costs. A copy (`fork`) of a process that never ran a user's code is what a new process
would be, but for one thing: /proc shows the environment of the process that it was copied from. So what looks for marked processes,
the tests of hostile programs, starts workers as users do.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = str(Path(__file__).resolve().parents[3])
START = f"import sys; sys.path.insert(0, {ROOT!r}); from tests.engine.doctor import warm_worker as w; w.serve(int(sys.argv[1]))"
LONGEST = 1 << 20


class WarmWorker:
    """Starts workers. `started` is for `engine.doctor.run.process._started`."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-c", START, str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=environment,
            pass_fds=(theirs.fileno(),),
        )
        theirs.close()

    def started(
        self, arguments: Sequence[str], folder: Path, environment: Mapping[str, str], files: Sequence[int]
    ) -> Copy:
        request = {"arguments": list(arguments), "folder": str(folder), "environment": dict(environment)}
        request |= {"numbers": list(files), "cwd": str(Path.cwd())}
        socket.send_fds(self._ours, [json.dumps(request).encode()], list(files))
        return Copy(json.loads(self._ours.recv(LONGEST)), self)

    def ended(self, pid: int) -> int | None:
        """How a copy ended, as `Popen.returncode`; None while it runs."""
        self._ours.send(json.dumps({"ended": pid}).encode())
        return json.loads(self._ours.recv(LONGEST))

    def close(self) -> None:
        self._ours.close()
        self._process.wait()


class Copy:
    """A copy of the warm process, with what is used of a `Popen`."""

    def __init__(self, pid: int, starter: WarmWorker) -> None:
        self.pid = pid
        self._starter = starter
        self._code: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        end = None if timeout is None else time.monotonic() + timeout
        while self._code is None:
            self._code = self._starter.ended(self.pid)
            if self._code is None:
                if end is not None and time.monotonic() > end:
                    raise subprocess.TimeoutExpired("worker", timeout or 0.0)
                time.sleep(0.002)
        return self._code


def serve(channel: int) -> None:
    """The warm process: answers requests until the channel is closed."""
    import numpy as np  # loaded here, once

    from engine.doctor.run import worker

    sys.path.remove(ROOT)
    own = socket.socket(fileno=channel)
    while True:
        text, files, _, _ = socket.recv_fds(own, LONGEST, 8)
        if not text:
            return
        request = json.loads(text)
        if "ended" in request:
            pid, status = os.waitpid(request["ended"], os.WNOHANG)
            own.send(json.dumps(os.waitstatus_to_exitcode(status) if pid else None).encode())
            continue
        pid = os.fork()
        if pid == 0:
            own.close()
            np.random.seed()  # the numbers that a new process would draw, not those of every copy
            _become(worker.main, request, files)
        for file in files:
            os.close(file)
        own.send(json.dumps(pid).encode())


def _become(main, request, files: Sequence[int]) -> None:
    """The copy becomes a worker as a new process would be one; it never returns."""
    code = 1
    try:
        os.setsid()
        os.chdir(request["folder"])
        os.environ.clear()
        os.environ.update(request["environment"])
        quiet = os.open(os.devnull, os.O_WRONLY)
        for stream in (1, 2):
            os.dup2(quiet, stream)
        kept = [os.dup(file) for file in files]  # out of the way of the numbers that they should have
        for number, file in zip(request["numbers"], kept, strict=True):
            os.dup2(file, number)
        for file in {*kept, *files, quiet} - set(request["numbers"]):
            os.close(file)
        signal.set_wakeup_fd(-1)
        sys.argv = ["-c", *request["arguments"]]
        sys.path[:] = ["", *sys.path, request["cwd"]]
        main(request["arguments"])
        code = 0
    finally:
        os._exit(code)
