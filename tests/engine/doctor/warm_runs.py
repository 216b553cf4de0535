"""Runs of users' programs in copies of one process that has NumPy loaded: starting Python and NumPy is most of a short run.

A copy (`fork`) of a process that never ran a user's code is what a new process would be, but for one thing: /proc shows the environment
of the process that it was copied from. So tests of what a program leaves behind, which is found by its environment, start processes as
users do.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.doctor.run import launch

LONGEST = 1 << 20
SERVER = str(Path(__file__).with_name("warm_process.py"))
EACH_ITS_OWN = (launch.MARK, "TMPDIR", "PYTEST_CURRENT_TEST")
"""Variables of the environment that differ from run to run and mean nothing to a Python that starts."""


class WarmRuns:
    """`started` stands in for `launch._started`; what another Python or another environment is to run is started anew."""

    def __init__(self) -> None:
        self._anew = launch._started
        self._environment: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def started(self, command: Sequence[Path], folder: str, environment: Mapping[str, str]) -> Any:
        alike = {name: value for name, value in environment.items() if name not in EACH_ITS_OWN}
        with self._lock:
            if self._process is None:
                self._begin(Path(command[1]), alike)
        if str(command[0]) != sys.executable or alike != self._environment:
            return self._anew(command, folder, environment)
        ours, theirs = os.pipe()
        pid = self.ask({"job": str(command[2]), "folder": folder, "environment": dict(environment)}, theirs)
        os.close(theirs)
        return Copy(pid, os.fdopen(ours, "rb", buffering=0), self)

    def _begin(self, start: Path, environment: dict[str, str]) -> None:
        self._environment = environment
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, SERVER, str(theirs.fileno()), str(start)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=environment, pass_fds=(theirs.fileno(),)
        )
        theirs.close()

    def ask(self, request: Mapping[str, object], *files: int) -> Any:
        with self._lock:
            socket.send_fds(self._ours, [json.dumps(request).encode()], files)
            return json.loads(self._ours.recv(LONGEST))

    def close(self) -> None:
        if self._process is not None:
            self._ours.close()
            self._process.communicate()


class Copy:
    """A copy of the warm process, with what is used of a `Popen`."""

    def __init__(self, pid: int, stdout: Any, runs: WarmRuns) -> None:
        self.pid, self.stdout = pid, stdout
        self.returncode: int | None = None
        self._runs = runs

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self._runs.ask({"ended": self.pid})
        return self.returncode

    def wait(self) -> int:
        while self.poll() is None:
            time.sleep(0.002)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)
