"""The user's program, loaded in its process; or the reason why it cannot be examined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.doctor.read.source import SourceFile
from engine.doctor.read.syntax import UserProgram
from engine.doctor.recognise.returned import is_loss
from engine.doctor.run import clock, failures
from engine.doctor.run.instrument import Site
from engine.doctor.run.process import MEMORY, SECONDS, Process
from engine.doctor.vocabulary.targets import base_name
from engine.text import clean

WHOLE = 4.0
"""Seconds for a whole diagnosis, as far as it is up to the doctor."""


class CannotRun(Exception):
    """The code could not be examined: one sentence, and the line it is about."""

    def __init__(self, sentence: str, line: int | None = None) -> None:
        super().__init__(sentence)
        self.line = line
        self.driver = ""
        """What calls the function, see `recognise.driver`, where a way to call it is known."""


@dataclass(frozen=True, eq=False)
class LoadedProgram:
    """A program, loaded in its process."""

    program: UserProgram
    process: Process
    sites: Sequence[Site]
    loops: Sequence[tuple[int, str]] = ()
    notes: tuple[str, ...] = ()

    @property
    def source(self) -> SourceFile:
        """Its text."""
        return self.program.source

    def time_left(self) -> float:
        """Seconds that may still be spent on what is only convenient."""
        return max(0.0, min(1.0, WHOLE - (clock.now() - self.process.started)))

    def failed(self, failure: Mapping[str, Any], seconds: float = SECONDS) -> str:
        """The sentence for a failure."""
        return failures.sentence(failure, self.source, self.program.tree, seconds, MEMORY)


def own_failure(error: Exception) -> str:
    """What to say of an error in the doctor itself."""
    return (
        f"the doctor itself failed ({type(error).__name__}: {clean(str(error), 80)}); please report this with the file"
    )


def is_of_loss(loaded: LoadedProgram, error: Mapping[str, Any]) -> bool:
    """Whether the line that failed computes the loss: part of the forward pass."""
    line = error.get("line") or 0
    return any(s.line <= line <= s.end and s.kind != "part" and is_loss(base_name(s.target)) for s in loaded.sites)
