"""The process that runs the user's code. Started as a program of its own: `python worker.py REQUESTS ANSWERS`.

It reads requests and writes answers (see `engine.doctor.run.wire`) on two pipes of its own; what the user's code prints
goes to a file. It is sent a source text, runs it as rewritten by `engine.doctor.run.instrument`, and then calls its
functions as often as asked, with or without recording. Whatever goes wrong is an answer; what cannot be answered any
more (the process ended) is told by the parent.
"""

from __future__ import annotations

import ast
import linecache
import math
import os
import resource
import signal
import sys
import time
import types
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np

from engine.doctor.read.kinds import is_array, is_dict, is_real, is_sequence, is_whole
from engine.doctor.run import stub_modules, wire
from engine.doctor.run.first_update import Updates
from engine.doctor.run.instrument import AFTER, LOOP, RECORD, ROUND, Site, instrument
from engine.doctor.run.subsample import Shortener

EVENTS = 30_000
BYTES = 160 << 20
"""How much is recorded of one run; a run that goes on is stopped then, for it has shown what it does."""
MORE = 500
"""How many values are recorded after the first update, on top of as many as before it."""
OF_DATA = 200
"""How many values of one place are recorded while there are no weights yet: data are being made."""
OF_ONE = 2_000_000
DEMONSTRATION_SECONDS = 0.5


class Stopped(BaseException):
    """Raised when the time is up or enough is recorded; a user's `except Exception` does not catch it."""


class Recorder:
    """Keeps the values that the rewritten code passes to it."""

    def __init__(self) -> None:
        self.on = False
        self.stops = False
        self.room = BYTES
        self.sites: list[Site] = []
        self.shortener: Shortener | None = None
        self.clear()

    def clear(self) -> None:
        self.events: list[tuple[int, Any, str, tuple[int, ...]]] = []
        self.bytes = 0
        self.full = False
        self.loops: dict[int, list[int]] = {}
        self.filled: dict[int, tuple[int, Any]] = {}
        self.updates = Updates()
        self.often: dict[int, int] = {}
        self.end = EVENTS

    def record(self, number: int, value: Any) -> Any:
        if self.on:
            site = self.sites[number]
            if self.shortener is not None and site.kind == "assign":
                value = self.shortener.taken(site.target, site.names, value)
            elif self.shortener is not None and site.kind == "append":
                self.shortener.appended(site.target, value)
            if site.names and is_sequence(value) and not site.target:
                for name, item in zip(site.names, cast("Sequence[Any]", value), strict=False):
                    self._keep(number, item, name)
            else:
                self._keep(number, value, site.target)
        return value

    def after(self, number: int, base: Any, key: Any) -> None:
        if not self.on:
            return
        if is_array(base) or (key is None and np.isscalar(base)):
            self._keep(number, base, self.sites[number].target.partition("[")[0])
        elif key is not None and isinstance(base, dict | list):
            try:
                self._keep(number, base[key], self.sites[number].target)
            except (LookupError, TypeError):
                return

    def loop(self, number: int) -> None:
        self.loops[number] = [-1, -1]

    def round(self, number: int, *variable: Any) -> None:
        state = self.loops.setdefault(number, [-1, -1])
        state[0] += 1
        if variable:
            value = variable[0]
            state[1] = int(value) if is_whole(value) else -1

    def _keep(self, number: int, value: Any, target: str) -> None:
        if is_sequence(value):
            items = cast("Sequence[Any]", value)
            if 0 < len(items) <= 64 and all(is_array(i) for i in items):
                for item in items:
                    self._keep(number, item, target)
                return
            if not 0 < len(items) <= 10_000 or not isinstance(items[0], int | float | list | np.number):
                return
            try:
                value = np.array(items)
            except ValueError:
                return
        if is_dict(value):
            return
        original = value
        if is_array(value):
            array = cast("np.ndarray[Any, Any]", value)
            if array.dtype.kind not in "biuf" or array.size > OF_ONE or array.size == 0:
                self._passed_over(number, array.nbytes)
                return
            value, size = np.array(array), array.nbytes
        elif is_real(value):
            value, size = float(value), 8
        elif is_whole(value) and self.sites[number].kind != "part":
            value, size = int(value), 8
        else:
            return
        if self.full:
            if self.stops:
                raise Stopped("full")
            return
        site = self.sites[number]
        rounds = tuple(x for loop in site.loops for x in self.loops.get(loop, (-1, -1)))
        if self.updates.first(target, site.kind, value):
            self.end = min(EVENTS, 2 * len(self.events) + MORE)
        if not self.updates.has_weights and site.kind != "append":
            self.often[number] = self.often.get(number, 0) + 1
            if self.often[number] > OF_DATA:
                return
        if site.rows and site.loops:
            self._replace(number, original, rounds)
        self.events.append((number, value, target, rounds))
        self._count(size)

    def _replace(self, number: int, array: Any, rounds: tuple[int, ...]) -> None:
        """Of an array that is filled in a loop only the last state is kept: all of them together are very large."""
        last, same = self.filled.get(number, (0, None))
        if same is array:
            _, value, target, before = self.events[last]
            if before[:-2] == rounds[:-2] and before[-2] < rounds[-2]:
                self.events[last] = (number, None, target, before)
                self.bytes -= value.nbytes
        self.filled[number] = len(self.events), array

    def _passed_over(self, number: int, size: int) -> None:
        """What is too large to be recorded counts where it is computed again and again."""
        if self.sites[number].loops:
            self._count(size)
        if self.full and self.stops:
            raise Stopped("full")

    def _count(self, size: int) -> None:
        self.bytes += size
        self.full = len(self.events) >= self.end or self.bytes > self.room


class Worker:
    """Answers requests until there are no more."""

    def __init__(self) -> None:
        self.recorder = Recorder()
        self.file = ""
        self.space: dict[str, Any] = {}
        self.instance: Any = None

    def serve(self, requests: int, answers: int) -> None:
        process_id = os.getpid()
        wire.send(answers, {"ready": True, "number": 0})
        while True:
            message = _read(requests)
            if message is None:
                return
            try:
                answer = self.answer(message)
            except Stopped as stopped:
                answer = {"error": self.failure(stopped)}
            if os.getpid() != process_id:
                os._exit(0)  # a copy that the code made of this process: one of them answers
            wire.send(answers, {**answer, "number": message["number"]})

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        work: dict[str, Callable[[dict[str, Any]], Any]] = {"load": self.load, "call": self.call}
        self.recorder.clear()
        self.recorder.on = bool(request.get("record"))
        self.recorder.stops = bool(request.get("stops"))
        self.recorder.room = int(request.get("room", BYTES))
        answer: dict[str, Any] = {}
        started = time.process_time()
        signal.setitimer(signal.ITIMER_REAL, float(request["seconds"]), 0.2)
        try:
            answer["result"] = work[request["do"]](request)
        except BaseException as error:  # whatever it is, also SystemExit and KeyboardInterrupt, is an answer
            answer["error"] = self.failure(error)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            self.recorder.on = False
        if request.get("record"):
            answer["events"] = wire.Whole(list(e) for e in self.recorder.events if e[1] is not None)
            answer["full"] = self.recorder.full
            answer["updated"] = self.recorder.updates.has_update
            answer["shapes"] = self.recorder.shortener.shapes if self.recorder.shortener else {}
        answer["computed"] = time.process_time() - started
        return answer

    # Loading

    def load(self, request: dict[str, Any]) -> dict[str, Any]:
        """Runs the module; with `lenient`, statements that fail for want of a data file, and what follows from it, are left out."""
        self.file = request["file"]
        module = types.ModuleType(request["name"])
        module.__file__ = self.file
        sys.modules[request["name"]] = module
        tree = ast.parse(request["text"])
        cut = request.get("cut")
        self.recorder.shortener = (
            Shortener(frozenset(cut["targets"]), cut["lengths"], cut["samples"], cut["double"]) if cut else None
        )
        if self.recorder.shortener:
            tree = self.recorder.shortener.rewritten(tree)
        made = instrument(tree)
        tree = stub_modules.in_double(stub_modules.without_absent(tree))
        self.recorder.sites = made.sites
        self.space = module.__dict__
        self.space.update(
            {
                RECORD: self.recorder.record,
                AFTER: self.recorder.after,
                LOOP: self.recorder.loop,
                ROUND: self.recorder.round,
                stub_modules.STAND_IN: stub_modules.Missing,
            }
        )
        linecache.cache[self.file] = (len(request["text"]), None, request["text"].splitlines(True), self.file)
        if request.get("lenient"):
            return {"skipped": self._run(tree.body, set(request["demonstrations"]), request["after"])}
        exec(compile(tree, self.file, "exec"), self.space)
        return {"skipped": []}

    def _run(self, body: Sequence[ast.stmt], demonstrations: set[int], after: int) -> list[dict[str, Any]]:
        """The statements one by one; what was left out, with the reason. A demonstration may fail or take too long, after which there is
        no other; a program may end once the line `after` is reached."""
        skipped: list[dict[str, Any]] = []
        for statement in body:
            is_demonstration = statement.lineno in demonstrations
            if is_demonstration and any(s["kind"] == "Stopped" for s in skipped):
                continue
            try:
                if is_demonstration and _is_endless(statement):
                    raise Stopped("endless")
                if is_demonstration:
                    signal.setitimer(signal.ITIMER_REAL, DEMONSTRATION_SECONDS, 0.2)
                exec(compile(ast.Module([statement], []), self.file, "exec"), self.space)
            except SystemExit:
                if statement.lineno <= after:
                    raise
                break
            except (Exception, Stopped) as error:
                if not (is_demonstration and error.args != ("full",)) and not _for_want_of_data(
                    error, bool(skipped), statement
                ):
                    raise
                skipped.append({"end": statement.end_lineno, **self.failure(error), "line": statement.lineno})
            if is_demonstration:
                signal.setitimer(signal.ITIMER_REAL, 3.0, 0.2)
        return skipped

    # Calling

    def call(self, request: dict[str, Any]) -> dict[str, Any]:
        """Sets module globals, makes an instance, calls functions one after the other; later ones may take what earlier ones returned."""
        self.space.update({k: self._argument(v, []) for k, v in request.get("globals", {}).items()})
        results: list[Any] = []
        instance: Any = None
        if wanted := request.get("instance"):
            with_arguments = {k: self._argument(v, []) for k, v in wanted["arguments"].items()}
            instance = self.space[wanted["class"]](**with_arguments)
            for name, value in wanted["attributes"].items():
                setattr(instance, name, self._argument(value, []))
        for call in request["calls"] * int(request.get("times", 1)):
            owner = instance if call.get("method") else None
            function = getattr(owner, call["function"]) if owner is not None else self.space[call["function"]]
            positional = [self._argument(v, results) for v in call.get("arguments", ())]
            named = {k: self._argument(v, results) for k, v in call.get("named", {}).items()}
            results.append(function(*positional, **named))
        fields: dict[str, Any] = {}
        if instance is not None:
            attributes = cast("dict[str, Any]", vars(instance))
            fields = {
                k: v
                for k, v in attributes.items()
                if is_array(v) or is_dict(v) or is_sequence(v) or isinstance(v, float)
            }
        wanted_globals = {k: self.space.get(k) for k in request.get("read", ())}
        return {"value": results[-1] if results else None, "fields": fields, "globals": wanted_globals}

    def _argument(self, value: Any, results: list[Any]) -> Any:
        """An argument as it was sent; `("result", k, path)` stands for what call k returned, and the part of it along the path,
        `("made", name, fields)` for an object."""
        if isinstance(value, tuple):
            items = cast("tuple[Any, ...]", value)
            if len(items) == 3 and items[0] == "result":
                result = results[items[1]]
                for key in items[2]:
                    result = result[key]
                return result
            if len(items) == 3 and items[0] == "made":
                return self._made(items[1], self._argument(items[2], results))
            return tuple(self._argument(item, results) for item in items)
        if isinstance(value, list):
            return [self._argument(item, results) for item in cast("list[Any]", value)]
        if is_dict(value):
            return {k: self._argument(item, results) for k, item in value.items()}
        if is_array(value):
            return np.array(value)
        return value

    def _made(self, name: str, fields: dict[str, Any]) -> Any:
        """An object with these attributes, of a class of the user's where there is one."""
        maker = self.space.get(name)
        if maker is None:
            return types.SimpleNamespace(**fields)
        try:
            return maker(**fields)
        except TypeError:
            result = object.__new__(maker)
            for key, value in fields.items():
                setattr(result, key, value)
            return result

    # Failures

    def failure(self, error: BaseException) -> dict[str, Any]:
        """What went wrong, and where in the user's file: kind, message, line, function, and the shapes of what the line uses."""
        kind = type(error).__name__
        message = str(error)[:400]
        if isinstance(error, Stopped):
            kind = "Stopped"
        frames: list[types.FrameType] = []
        lines: list[int] = []
        trace = error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == self.file:
                frames.append(trace.tb_frame)
                lines.append(trace.tb_lineno)
            trace = trace.tb_next
        answer: dict[str, Any] = {
            "kind": kind,
            "message": message,
            "line": lines[-1] if lines else None,
            "lines": lines,
        }
        if isinstance(error, SystemExit):
            answer["message"] = str(error.code)
        if isinstance(error, NameError):
            answer["name"] = getattr(error, "name", None)
        if frames:
            frame = frames[-1]
            answer["function"] = frame.f_code.co_name
            answer["shapes"] = self._shapes(frame, lines[-1])
            variables = {**frame.f_globals, **frame.f_locals}
            answer["numbers"] = {k: int(v) for k, v in variables.items() if is_whole(v) and abs(v) < 1 << 31}
        return answer

    def _shapes(self, frame: types.FrameType, line: int) -> dict[str, Any]:
        """The shapes of names and of simple expressions in a line: what it takes to see which operand does not fit."""
        text = "".join(linecache.getlines(self.file))
        result: dict[str, Any] = {}
        self.recorder.on = False
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError):
            return result
        for node in ast.walk(tree):
            if not isinstance(node, ast.Name | ast.Attribute | ast.Subscript | ast.BinOp | ast.Call):
                continue
            if not (node.lineno <= line <= (node.end_lineno or node.lineno)) or len(result) > 40:
                continue
            if not all(isinstance(part, _HARMLESS) for part in ast.walk(node)):
                continue
            try:
                value = eval(ast.unparse(node), frame.f_globals, frame.f_locals)  # what is assigned to, too
            except Exception:
                continue
            if is_array(value) or isinstance(value, np.generic):
                result[ast.unparse(node)] = list(cast("Any", value).shape)
            elif isinstance(value, int | float) or is_sequence(value) or is_dict(value):
                result[ast.unparse(node)] = type(value).__name__
        return result


_HARMLESS = (
    ast.Name,
    ast.Attribute,
    ast.Subscript,
    ast.Constant,
    ast.expr_context,
    ast.BinOp,
    ast.UnaryOp,
    ast.operator,
    ast.unaryop,
    ast.Slice,
    ast.Tuple,
)


def _is_endless(statement: ast.stmt) -> bool:
    """Whether a statement is a loop that nothing in it leaves."""
    leaves = any(isinstance(n, ast.Break | ast.Raise) for n in ast.walk(statement))
    return isinstance(statement, ast.While) and isinstance(statement.test, ast.Constant) and not leaves


def _for_want_of_data(error: BaseException, anything_skipped: bool, statement: ast.stmt) -> bool:
    """Whether a statement failed because a file is missing, or what reads it, or what it would have given."""
    if isinstance(error, ModuleNotFoundError):
        return not isinstance(statement, ast.Import | ast.ImportFrom)
    return isinstance(error, FileNotFoundError) or (anything_skipped and isinstance(error, NameError))


def _read(file: int) -> Any:
    header = _exactly(file, wire.HEADER.size)
    if header is None:
        return None
    text, body = wire.HEADER.unpack(header)
    return wire.unpack(_exactly(file, text) or b"", _exactly(file, body) or b"")


def _exactly(file: int, count: int) -> bytes | None:
    parts: list[bytes] = []
    while count:
        part = os.read(file, min(count, 1 << 20))
        if not part:
            return None
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def _time_is_up(number: int, frame: types.FrameType | None) -> None:
    raise Stopped("time")


def _limit(kind: int, value: int) -> None:
    try:
        _, hard = resource.getrlimit(kind)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, hard))
    except (ValueError, OSError):  # a system without that limit: the parent's clock remains
        return


def main(arguments: Sequence[str]) -> None:
    """Sets the limits and serves."""
    requests, answers, memory, folder = int(arguments[0]), int(arguments[1]), int(arguments[2]), arguments[3]
    _limit(resource.RLIMIT_AS, memory)
    _limit(resource.RLIMIT_FSIZE, 64 << 20)
    _limit(resource.RLIMIT_CORE, 0)
    signal.signal(signal.SIGALRM, _time_is_up)
    sys.path[0] = folder
    for name in [name for name in sys.modules if name.partition(".")[0] == "engine"]:
        del sys.modules[name]  # the user's program may have an engine of its own
    sys.argv = [os.path.join(folder, "program.py")]  # noqa: PTH118 - no Path before NumPy's own import of it
    sys.meta_path.append(stub_modules.StubFinder())
    sys.setrecursionlimit(1500)
    np.seterr(all="ignore")
    assert math.isfinite(memory)
    Worker().serve(requests, answers)


if __name__ == "__main__":
    main(sys.argv[1:])
