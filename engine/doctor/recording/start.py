"""Started by its path in the user's own interpreter: `python start.py JOB`. Runs a user's program, and tells how it ended.

JOB is a file of JSON:

    file, text     the program's path in the copy of its folder, and its text (a notebook's cells joined)
    cells          the first lines of a notebook's cells
    python_2       whether / between whole numbers drops its remainder
    texts          of its other files, in the place of their own, by their paths from its folder
    argv, folder   its arguments, the first its own name, and where it works
    path, package  the first entry of `sys.path`, and for `python -m` the package that it is part of
    more           folders that are looked through last for modules
    user           folders whose files are the user's own
    inside         folders that it may change
    hidden         packages of the doctor's that must not be found by name
    compiled       whether this package may be kept compiled, as Python keeps what it imports
    mark           name and value of the environment variable that every process it starts must have
    network        whether it may use the network
    seconds        of computing; memory: bytes
    runner         the module of this package whose `run(job)` runs the program
    options        what the runner is told
    unfollowed     file and text of a line of each statement that is run without being recorded
    alone          whether single numbers may be weights, each by itself
    record         a folder for what the runner records
    result, progress, fault   files: how it ended (written here), how far it is (see `progress`), where it crashed

`run(job)` returns plain values for `recorded` in the result: nothing in it is looked at here but `error`, an exception that ended the
program and was held back, and `stopped`, why the recording stopped the program, with `line`. What it raises ended the program. As
soon as the program itself is over it calls `progress.over()`, and may take its time; meanwhile it calls `progress.tell(numbers=n)`.
"""

# As little as can be is imported here, so that a user's module called like one of Python's own is the user's own.

from __future__ import annotations

import sys

_BEFORE = set(sys.modules)
_FOLDER = __file__.rpartition("/")[0]
if sys.path and sys.path[0] == _FOLDER:
    del sys.path[0]  # nothing of ours is found by name

import faulthandler  # noqa: E402
import importlib.util  # noqa: E402
import io  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import threading  # noqa: E402
from typing import Any  # noqa: E402

PACKAGE = "_rnn_tui_recording"
WAIT = 3600.0
_OPEN, _REPLACE, _TEXT = open, os.replace, json.dumps  # whatever the program makes of their names


def main(path: str) -> None:
    """Runs a job, writes its result, ends the process."""
    with open(path, encoding="utf-8") as file:
        job: dict[str, Any] = json.load(file)
    sys.dont_write_bytecode, keeps_none = not job["compiled"], sys.dont_write_bytecode
    package = _load()
    progress, ending, limits, runner = (
        importlib.import_module(f"{PACKAGE}.{name}")
        for name in ("progress", "confined.ending", "confined.confinement", job["runner"])
    )
    assert package is not None
    sys.dont_write_bytecode = keeps_none
    own = os.getpid()
    progress.begin(job["progress"])
    faulthandler.enable(open(job["fault"], "w"), all_threads=False)  # noqa: SIM115 - it stays open to the end
    confinement = limits.Confinement(job)
    _take_place(job)
    confinement.begin()
    result: dict[str, Any] = {"ended": {"kind": "end"}}
    try:
        result["recorded"] = _run(runner, job, result, ending, confinement)
    except BaseException as error:  # whatever it is, also SystemExit and KeyboardInterrupt, ended the program
        progress.over()
        result["ended"] = _described(ending, error, job, confinement)
    if os.getpid() != own:
        confinement.finish(0)  # a copy that the program made of this process
    confinement.end()
    result.update(computed=confinement.computed(), stubs=confinement.stubs.used, absent=confinement.absent.unused)
    result.update(called=confinement.absent.called, implicit=confinement.implicit.found)
    result.update(refused=confinement.refusals, filtered=confinement.network_is_closed)
    try:
        _write(job["result"], result)
    except OSError:  # a shell has removed the folder: whoever waits sees how the process ends
        confinement.finish(result["ended"].get("code", 0))
    _flush()
    confinement.finish(0)  # threads, and what the program left to happen at its end, end here


def _run(runner: Any, job: dict[str, Any], result: dict[str, Any], ending: Any, confinement: Any) -> dict[str, Any]:
    recorded = dict(runner.run(job) or {})
    error = recorded.pop("error", None)
    if isinstance(error, BaseException):
        result["ended"] = _described(ending, error, job, confinement)
    elif recorded.get("stopped"):
        result["ended"] = {"kind": "stopped", "why": str(recorded["stopped"]), "line": recorded.get("line")}
    else:
        for thread in threading.enumerate():  # Python waits for them, too
            if thread is not threading.main_thread() and not thread.daemon:
                thread.join(WAIT)
    return recorded


def _described(ending: Any, error: BaseException, job: dict[str, Any], confinement: Any) -> dict[str, Any]:
    try:
        return dict(ending.describe(error, job["file"], job["user"], job["text"], confinement.writes.last))
    except BaseException as another:  # no memory left, or an exception made to be unreadable
        return {
            "kind": "exception",
            "type": "an exception",
            "message": type(another).__name__,
            "frames": [],
            "line": None,
        }


def _load() -> Any:
    """The package beside this file, under a name of its own."""
    spec = importlib.util.spec_from_file_location(
        PACKAGE, os.path.join(_FOLDER, "__init__.py"), submodule_search_locations=[_FOLDER]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = module
    spec.loader.exec_module(module)
    return module


def _take_place(job: dict[str, Any]) -> None:
    """Everything as `python FILE` would have it: folder, path, arguments; modules of the user's that are called like Python's own win."""
    os.chdir(job["folder"])
    first = str(job["path"])
    if not os.environ.get("PYTHONSAFEPATH"):
        sys.path.insert(0, first)
    sys.path.extend(str(folder) for folder in job["more"])
    sys.argv = [str(word) for word in job["argv"]]
    beside = {name.partition(".")[0] for name in _names(first)}
    for name in set(sys.modules) - _BEFORE:
        if name.partition(".")[0] in beside and name.partition(".")[0] not in ("numpy", PACKAGE):
            del sys.modules[name]
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)  # as on a terminal


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _write(path: str, result: dict[str, Any]) -> None:
    with _OPEN(path + ".new", "w", encoding="utf-8") as file:
        file.write(_TEXT(result, default=lambda thing: type(thing).__name__))
    _REPLACE(path + ".new", path)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        try:
            if isinstance(stream, io.TextIOWrapper):  # one of the user's own making might never come back
                stream.flush()
        except BaseException:  # closed
            continue


if __name__ == "__main__":
    main(sys.argv[1])
