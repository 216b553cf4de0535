"""How a run ended, and what it did on the way."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.doctor.run.interpreter import Interpreter
from engine.text import clean


@dataclass(frozen=True)
class TracebackPlace:
    """A line of the user's files that a traceback goes through."""

    file: str
    line: int
    function: str
    text: str


@dataclass(frozen=True)
class Refusal:
    """What a program was not let do: kind is write, network or process; the line of the program, 0 when it is not known."""

    kind: str
    what: str
    line: int


@dataclass(frozen=True)
class Ending:
    """How a run ended.

    `kind` is one of

        stopped     by the recorder, `message` says why
        end         the program's own
        exit        sys.exit or the like, with `code`; `name` is the call
        exception   `type` and `message`, `frames` the places in the user's files
        file        a missing file, `name`
        folder      a missing folder of a file to be written, `name`
        program     a missing program to be started, `name`
        module      a missing module, `name`
        input       input() or a debugger, at the end of file
        time        computed longer than it may
        waiting     waited for something that does not come
        memory      more than it may
        disk        nearly no room left
        processes   started too many
        code        the process ended with `code` and without a word
        signal      the process ended by the signal `name`

    `line` is the program's own line, where it is known; `shapes` are those of what that line uses, `numbers` the whole numbers.
    """

    kind: str
    line: int | None = None
    message: str = ""
    type: str = ""
    name: str = ""
    code: int = 0
    frames: tuple[TracebackPlace, ...] = ()
    shapes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    numbers: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, eq=False)
class Outcome:
    """A run: how it ended, what it printed (`cut`: only the beginning and the end of it), what it wrote (thrown away), what it was run
    with. `stubs` and `absent` are modules that are not installed: replaced, and imported but not used; `called` those of them that a
    program may need, with the place that called them first; `implicit` are found in the package of what imports them, as Python 2 found
    them; `left` are lines at which a notebook's cell was left, and the names that only a later one binds. `recorded` is what the recorder
    says of its record, `folder` where the program worked, as at home; `note` says why there."""

    ending: Ending
    where: str
    text: str
    output: str
    cut: bool
    written: tuple[str, ...]
    stubs: tuple[str, ...]
    absent: tuple[str, ...]
    called: tuple[tuple[str, str], ...]
    implicit: tuple[str, ...]
    left: tuple[tuple[int, str], ...]
    refused: tuple[Refusal, ...]
    interpreter: Interpreter
    command: str
    folder: str
    note: str
    computed: float
    recorded: Mapping[str, Any]
    limit: Mapping[str, float]

    @property
    def is_whole(self) -> bool:
        """Whether the program went as far as it was wanted, or as far as it goes."""
        return self.ending.kind in ("stopped", "end") or (self.ending.kind == "exit" and self.ending.code == 0)

    def sentence(self) -> str:
        """How it ended, in a sentence without its full stop."""
        ending, at = self.ending, f"{self.where} ({self.text})" if self.text else self.where
        sentence = _SENTENCES[ending.kind].format(
            at=at or "the program",
            where=f" at {at}" if at else "",
            next=f"; {at} would run next" if at else "",
            message=clean(ending.message) or "it stopped recording",
            type=clean(ending.type, 60),
            name=clean(ending.name, 120),
            code=ending.code,
            means=_MEANINGS.get(ending.name, "sent from inside"),
            **self.limit,
        )
        return sentence + self._reason()

    def lacks(self) -> str:
        """What a program that shows nothing may need, in a sentence without its full stop; "" where it has every module that it calls."""
        return next((_SENTENCES["module"].format(at=at or "the program", name=name) for name, at in self.called), "")

    def _reason(self) -> str:
        """The reason, where the run and not the program has it: no arguments, no network."""
        if self.ending.type in ("SystemExit", "IndexError") and re.search(r"\bargv\b|parse_args", self.text):
            return "; it reads the command line: give its arguments after --"
        here = [r for r in self.refused if r.line and r.line == self.ending.line and r.kind != "write"]
        if self.ending.kind == "exception" and any(r.kind == "network" for r in here):
            return "; it has no network here: --network allows it"
        return ""

    def to_json(self) -> dict[str, Any]:
        """What reports show of it under `run`."""
        return {
            "command": self.command,
            "folder": self.folder,
            "note": self.note,
            "interpreter": self.interpreter.to_json(),
            "ended": self.ending.kind,
            "line": self.ending.line,
            "where": self.where,
            "stopped": self.sentence(),
            "computed": round(self.computed, 3),
            "written": list(self.written),
            "stubs": list(self.stubs),
            "absent": list(self.absent),
            "implicit": list(self.implicit),
            "refused": [{"kind": r.kind, "what": r.what, "line": r.line} for r in self.refused],
            "output": self.output,
            "output_cut": self.cut,
        }


_MEANINGS = {
    "SIGSEGV": "a crash inside a library",
    "SIGBUS": "a crash inside a library",
    "SIGILL": "a crash inside a library",
    "SIGFPE": "a crash inside a library",
    "SIGABRT": "a library gave up",
    "SIGKILL": "the system killed it, most likely for its memory, or it killed itself",
}
_SENTENCES = {
    "stopped": "it was followed until {message}{next}",
    "end": "it ran to its end",
    "exit": "{at} ends the program ({name}, code {code})",
    "exception": "{at} fails with {type}: {message}",
    "file": "{at} reads a file that is not there: {name}; put it there, or make the data in the file",
    "folder": "{at} writes a file into a folder that is not there: {name}; make the folder first",
    "program": "{at} starts a program that is not there: {name}",
    "module": "{at} needs a module that is not installed: {name}; install it, or give the Python that has it with --python",
    "input": "{at} asks for input, and there is nobody to answer; put the value into the file",
    "time": "it was still computing after {seconds:g} s{where}; if that loop never ends give it an end, else allow more with --limit",
    "waiting": "it waited{where} for something that does not come; after {waiting:g} s without computing it was ended",
    "memory": "{at} needs more memory than the {gigabytes:g} GB that it may have; does something grow without end? --limit allows more",
    "disk": "it was ended because it had filled the disk{where}",
    "processes": "it was ended because it started processes without end{where}",
    "code": "it ended the process with exit code {code} and without a word{where}",
    "signal": "its process ended by the signal {name}{where} ({means})",
}
