"""Changed texts of a program, run one after the other, each in a copy of this process in which everything is loaded already.

Two pipes lie in the job's folder: over `ask` comes a line of JSON for each (text: a file with the text; record: a folder; seconds: of
computing; options), over `told` goes a line when it is over. It ends when `ask` is closed.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
from typing import Any

from .runner import run as followed  # pyright: ignore[reportUnknownVariableType]

LOOK = 0.005
"""Seconds between two looks at whether a copy has ended."""


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Runs what is asked for."""
    folder = job["record"]
    with open(os.path.join(folder, "ask")) as ask, open(os.path.join(folder, "told"), "w") as told:
        for line in ask:
            _in_a_copy(job, json.loads(line), ask)
            told.write("over\n")
            told.flush()
    return {}


def _in_a_copy(job: dict[str, Any], trial: dict[str, Any], ask: Any) -> None:
    child = os.fork()
    if child == 0:
        try:
            _run(job, trial)
        finally:
            os._exit(0)
    while os.waitpid(child, os.WNOHANG)[0] == 0:
        ready, _, _ = select.select([ask], [], [], LOOK)
        if ready:  # closed: nobody waits for it
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return


def _run(job: dict[str, Any], trial: dict[str, Any]) -> None:
    seconds = int(trial["seconds"]) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    with open(trial["text"], encoding="utf-8") as file:
        text = file.read()
    followed({**job, "text": text, "record": trial["record"], "options": trial["options"]})
