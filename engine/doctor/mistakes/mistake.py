"""What a mistake is: its name, what it is in a sentence, what to do, and a small program that makes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.doctor.mistakes.programs import PROGRAMS


@dataclass(frozen=True)
class Example:
    """A line of one of the right programs, and the line that stands there instead.

    `changes` are made in the program before: what makes the mistake possible, and is right. `line` stands in the wrong program where not
    the changed line itself is to blame.
    """

    program: str
    right: str
    wrong: str
    changes: Mapping[str, str] = field(default_factory=dict[str, str])
    line: str = ""

    @property
    def right_text(self) -> str:
        """The right program."""
        text = PROGRAMS[self.program]
        for old, new in {**self.changes, self.right: self.right}.items():
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        return text

    @property
    def wrong_text(self) -> str:
        """The program with the mistake."""
        return self.right_text.replace(self.right, self.wrong)

    @property
    def wrong_line(self) -> int:
        """The number of the line to blame."""
        text = self.wrong_text
        return text[: text.index(self.line or self.wrong)].count("\n") + 1


@dataclass(frozen=True)
class Mistake:
    """One entry of the catalogue: `id` is its name, `title` says what is wrong, `advice` what to do.

    `remark` ones are no mistakes of the backward pass: of a program that runs they are told as what was seen, and no verdict.
    """

    id: str
    title: str
    advice: str
    example: Example | None = None
    remark: bool = False
