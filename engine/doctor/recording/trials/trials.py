"""Changed texts of a program, run one after the other, each in a copy of this process in which everything is loaded already.

Two pipes lie in the job's folder: over `ask` comes the path of a folder for each, over `told` goes a line when it is over. It ends with
an empty line, or when `ask` is closed. In the folder lies `trial.json`: text; `texts` of other files, by their names; runner, the module
that runs it (`runner` or `probe`); seconds of computing; options.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import resource
import select
import signal
import types
from typing import Any

from ..tracing import instrument, patches, runner, traced  # pyright: ignore[reportUnknownVariableType]
from . import probe  # pyright: ignore[reportUnknownVariableType]

LOOK = 0.005
"""Seconds between two looks at whether a copy has ended."""


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Runs what is asked for; first loads what the program's own run has loaded from outside its files (`modules` of the options), and
    rewrites what most changed texts have in common."""
    folder = job["record"]
    nothing: Any = types.SimpleNamespace(on=False)
    traced.STORE[0] = nothing
    patches.install()
    for name in job["options"]["modules"]:
        with contextlib.suppress(BaseException):  # as the program's own import of it may be
            importlib.import_module(name)
    runner.leave_out(job)  # pyright: ignore[reportUnknownMemberType]
    instrument.know(job["text"], job["file"])  # pyright: ignore[reportUnknownMemberType]
    with open(os.path.join(folder, "ask")) as ask, open(os.path.join(folder, "told"), "w") as told:
        for line in ask:
            if line == "\n":
                break
            _in_a_copy(job, line.rstrip("\n"), ask)
            told.write("over\n")
            told.flush()
    return {}


def _in_a_copy(job: dict[str, Any], folder: str, ask: Any) -> None:
    child = os.fork()
    if child == 0:
        try:
            _run(job, folder)
        finally:
            os._exit(0)
    while os.waitpid(child, os.WNOHANG)[0] == 0:
        ready, _, _ = select.select([ask], [], [], LOOK)
        if ready:  # the end, or closed: nobody waits for it
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return


def _run(job: dict[str, Any], folder: str) -> None:
    with open(os.path.join(folder, "trial.json"), encoding="utf-8") as file:
        trial = json.load(file)
    seconds = int(trial["seconds"]) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    asked = {"text": trial["text"], "texts": trial["texts"], "record": folder, "options": trial["options"]}
    module: Any = {"tracing.runner": runner, "trials.probe": probe}[trial["runner"]]
    module.run({**job, **asked})
