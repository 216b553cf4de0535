"""Started by its path, `python warm_process.py CHANNEL START`: loads NumPy and the recording's START, and runs one job after the other in a
copy of itself. Requests come over the socket CHANNEL, see `WarmRuns`."""

from __future__ import annotations

import importlib.util
import sys

del sys.path[0]  # nothing of ours is found by name
_FOUND = importlib.util.spec_from_file_location("start", sys.argv[2])
assert _FOUND is not None
assert _FOUND.loader is not None
start = importlib.util.module_from_spec(_FOUND)
_FOUND.loader.exec_module(start)  # first of all: it looks at what is loaded already

import json  # noqa: E402
import os  # noqa: E402
import signal  # noqa: E402
import socket  # noqa: E402
from collections.abc import Mapping  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402

start._load()
folder = Path(sys.argv[2]).parent
for file in sorted(folder.rglob("*.py")):
    if file.name not in ("__init__.py", "start.py"):
        importlib.import_module(".".join((start.PACKAGE, *file.relative_to(folder).with_suffix("").parts)))

LONGEST = 1 << 20


def serve(channel: int) -> None:
    """Answers requests until the channel is closed."""
    own = socket.socket(fileno=channel)
    while True:
        text, files, _, _ = socket.recv_fds(own, LONGEST, 1)
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
            _become(request, files[0])
        os.close(files[0])
        own.send(json.dumps(pid).encode())


def _become(request: Mapping[str, Any], output: int) -> None:
    """The copy becomes the run that a new process would be; it never returns."""
    try:
        os.setsid()
        os.chdir(request["folder"])
        os.environ.clear()
        os.environ.update(request["environment"])
        for stream in (1, 2):
            os.dup2(output, stream)
        os.close(output)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        np.random.seed()  # the numbers that a new process would draw, not those of every copy
        start.main(request["job"])
    finally:
        os._exit(1)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
