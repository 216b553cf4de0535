"""How a run ended, told in plain values: what was raised, where in the user's files, and what of it is a condition of the run."""

from __future__ import annotations

import ast
import errno
import linecache
import re
from typing import Any

from .absent import Absent, top_of

LONGEST = 2000
FRAMES, SHAPES = 40, 40
_NOT_FOUND = re.compile(
    r"^(?P<a>.+?) not found\.?$|name = '(?P<b>[^']+)', errno = 2|No such file or directory: '(?P<c>[^']+)'"
)


class RunStopped(BaseException):
    """The run is stopped from outside; no `except Exception` of the program's holds it up. `args[0]` says why."""


class Left(SystemExit):
    """The program called `os._exit`, or put another program in its place: the record is written first. `what` names the call."""

    def __init__(self, code: Any, what: str) -> None:
        super().__init__(code)
        self.what = what


def describe(error: BaseException, file: str, folders: Any, text: str = "", written: str = "") -> dict[str, Any]:
    """How a run ended that this ended. `file` is the program, `folders` hold the user's other files, `text` is the program's text, and
    `written` the path that was last opened for writing.

    `kind` is time, waiting, memory, exit, input, file, folder, program, module or exception; `type` and `message` are the exception's;
    `frames` are the traceback's places in the user's files, the outermost first, `line` is the last one in the program itself; `name`
    is the missing file, module or name; `shapes` are those of what the last line uses, by its text.
    """
    frames = _frames(error, file, tuple(folders))
    lines = [frame["line"] for frame in frames if frame["file"] == file]
    answer: dict[str, Any] = {
        "kind": "exception",
        "type": type.__getattribute__(type(error), "__name__"),
        "message": said(error),
        "frames": frames,
        "line": lines[-1] if lines else None,
    }
    if isinstance(error, SyntaxError) and error.filename == file:
        answer["line"] = error.lineno
    answer.update(_kind(error, answer["message"]))
    if answer["kind"] == "file" and answer["name"] == written:
        answer["kind"] = "folder"  # to write to a file it need not be there
    if answer["kind"] == "file" and _innermost(error).endswith("subprocess.py"):
        answer["kind"] = "program"
    if answer["kind"] == "exception" and (module := _refused(error, answer["message"])):
        answer.update(kind="module", name=module)
    if answer["kind"] == "exception":
        answer.update(_values(error, file, text))
    return answer


def said(error: BaseException) -> str:
    """What an exception says, cut; nothing when it cannot say it."""
    try:
        return str(error)[:LONGEST]
    except BaseException:
        return ""


def _kind(error: BaseException, message: str) -> dict[str, Any]:
    if isinstance(error, RunStopped):
        return {"kind": message}
    if isinstance(error, SystemExit):
        what = error.what if isinstance(error, Left) else "exit"
        return {"kind": "exit", "code": _code(error), "call": what}
    if isinstance(error, MemoryError):
        return {"kind": "memory"}
    if isinstance(error, EOFError) and message.startswith("EOF when reading a line"):
        return {"kind": "input"}
    if type(error).__name__ == "BdbQuit":
        return {"kind": "input"}
    if isinstance(error, ModuleNotFoundError):
        return {"kind": "module", "name": str(error.name or message)}
    if isinstance(error, OSError) and (name := _missing(error, message)):
        return {"kind": "file", "name": name}
    return {}


def _code(error: SystemExit) -> int:
    """The code that the process would have ended with."""
    code = error.code
    return 0 if code is None else int(code) & 0xFF if isinstance(code, int) else 1


def _missing(error: OSError, message: str) -> str:
    """The file that is not there, where that is what the error says."""
    found = _NOT_FOUND.search(message)
    if isinstance(error.filename, (str, bytes)) and error.errno == errno.ENOENT:
        return error.filename if isinstance(error.filename, str) else error.filename.decode("utf-8", "replace")
    if isinstance(error, FileNotFoundError) or found:
        return next((part for part in found.groups() if part), "") if found else message
    return ""


def _innermost(error: BaseException) -> str:
    """The file in which it was raised."""
    trace, name = error.__traceback__, ""
    while trace is not None:
        name, trace = trace.tb_frame.f_code.co_filename, trace.tb_next
    return name


def _refused(error: BaseException, message: str) -> str:
    """The module that is not installed of which something was handed on to what takes no such thing, and says so; "" for none."""
    trace, name = error.__traceback__, ""
    while trace is not None and isinstance(error, TypeError) and Absent.__name__ in message:
        frame = trace.tb_frame
        own = {**frame.f_globals, **frame.f_locals}
        words = re.findall(r"\w+", linecache.getline(frame.f_code.co_filename, trace.tb_lineno))
        name = next((top_of(own[word]) for word in words if type(own.get(word)) is Absent), name)
        trace = trace.tb_next
    return name


def _frames(error: BaseException, file: str, folders: Any) -> list[dict[str, Any]]:
    result: list[dict[str, Any]] = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        name = code.co_filename
        if name == file or (name.startswith(folders) and "site-packages" not in name):
            text = linecache.getline(name, trace.tb_lineno).strip()[:160]
            result.append({"file": name, "line": trace.tb_lineno, "function": code.co_name, "text": text})
        trace = trace.tb_next
    return result if len(result) <= FRAMES else result[: FRAMES // 2] + result[-FRAMES // 2 :]


def _values(error: BaseException, file: str, text: str) -> dict[str, Any]:
    """The shapes, and the whole numbers, of what the last line of the program uses."""
    last: Any = None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            last = trace
        trace = trace.tb_next
    if last is None:
        return {}
    frame, line = last.tb_frame, last.tb_lineno
    own = {**frame.f_globals, **frame.f_locals}
    numbers = {k: v for k, v in own.items() if type(v) is int and abs(v) < 1 << 31 and not k.startswith("_")}
    name = getattr(error, "name", None) if isinstance(error, NameError) else None
    answer = {"shapes": _shapes(frame, line, text), "numbers": dict(list(numbers.items())[:200])}
    return {**answer, "name": name} if isinstance(name, str) else answer


def _shapes(frame: Any, line: int, text: str) -> dict[str, Any]:
    """The shapes of names and simple expressions in a line, by their text; of what has none, its type."""
    result: dict[str, Any] = {}
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return result
    for node in ast.walk(tree):
        first = getattr(node, "lineno", 0)
        if not isinstance(node, _READ) or not first <= line <= (node.end_lineno or first) or len(result) >= SHAPES:
            continue
        if not all(isinstance(part, _HARMLESS) for part in ast.walk(node)):
            continue
        source = ast.get_source_segment(text, node)
        if not source or source in result:
            continue
        try:
            value = eval(
                compile(ast.parse(source.strip(), mode="eval"), "<shape>", "eval"), frame.f_globals, frame.f_locals
            )
            shape: Any = getattr(value, "shape", None)
            result[source] = [int(n) for n in tuple(shape)] if shape is not None else type(value).__name__
        except Exception:
            continue
    return result


_READ = (ast.Name, ast.Attribute, ast.Subscript, ast.BinOp)
_HARMLESS = (
    *_READ,
    ast.Constant,
    ast.expr_context,
    ast.UnaryOp,
    ast.operator,
    ast.unaryop,
    ast.Slice,
    ast.Tuple,
    getattr(ast, "Index", ast.Slice),
)
