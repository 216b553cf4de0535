"""What deriving a backward pass gives: its lines, what the forward pass has to keep for them, and what could not be derived."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from engine.doctor.read.source import SourceFile

LineKind = Literal["init", "back", "loop", "branch", "update", "head"]
AS_BEFORE, KEPT = "as in the forward pass", "what the forward pass kept"
"""Why lines stand that carry nothing back: they make again, or read, what the forward pass made."""
WIDTH = 48
"""Where comments begin, if the line is not longer."""


class Refused(Exception):
    """A line through which nothing is carried back, and why."""


@dataclass(frozen=True)
class DerivedLine:
    """A line of the backward pass, with its indentation relative to the block that it stands in. `why` is a few words of mathematics, `of`
    the line of the forward pass whose gradient it carries back, `makes` the name that it writes and `shape` its value's."""

    text: str
    why: str = ""
    of: int | None = None
    file: str = ""
    makes: str = ""
    shape: tuple[int, ...] | None = None
    kind: LineKind = "back"
    calls: tuple[int, ...] = ()
    """The calls of the program's own functions that it goes back through, the outermost first, by their place in the forward pass."""


@dataclass(frozen=True)
class BackwardFunction:
    """A function of the backward pass, which belongs after a line of the program: beside the function `of`, that it goes back through."""

    name: str
    of: str
    after: int
    indent: str
    parameters: tuple[str, ...]
    lines: tuple[DerivedLine, ...]

    def head(self) -> str:
        """Its first line."""
        return f"def {self.name}({', '.join(self.parameters)}):"

    def text(self) -> str:
        """The function, as it stands in its place."""
        inner = "\n".join(f"{self.indent}    {line.text}" for line in self.lines)
        return f"{self.indent}{self.head()}\n{inner}"


@dataclass(frozen=True)
class Keep:
    """A line to add after a line of the forward pass, or to write instead of it, which keeps for the backward pass what would be lost."""

    after: int
    file: str
    text: str
    why: str = ""
    replaces: bool = False


@dataclass(frozen=True)
class Gap:
    """A line of the forward pass through which nothing was derived, and why."""

    line: int
    file: str
    why: str


@dataclass(frozen=True)
class Repair:
    """What has to be written in a line before the program comes to its end."""

    line: int
    file: str
    text: str


@dataclass(frozen=True)
class OwnGradient:
    """A gradient that the program has already: of what, the line where it is used or seen, whether it is right, and how many times that of
    the loss it is."""

    name: str
    line: int
    is_right: bool
    factor: float = 1.0
    is_anew: bool = False
    """Whether it is made anew though it is right: where a call that makes others wrong is left out."""

    @property
    def is_used(self) -> bool:
        """Whether it is used as it is."""
        return self.is_right and abs(self.factor - 1) < 1e-9 and not self.is_anew

    def said(self) -> str:
        """In a sentence."""
        what = f"the gradient of {self.name}, line {self.line}"
        if self.is_used:
            return f"Right already, and used as it is: {what}."
        if self.is_anew and self.is_right:
            return f"{what[0].upper()}{what[1:]}, is right, and made below with the others."
        times = f"is {self.factor:.4g} times that of this loss" if self.is_right else "is not right"
        return f"{what[0].upper()}{what[1:]}, {times}; the one below takes its place."


@dataclass(frozen=True, eq=False)
class Derived:
    """The backward pass of a program. `loss` says what the loss was taken to be; `agreement` is, for each parameter, how far its derived
    gradient is from the loss carried back over the record, relative to the array's norm; `program` is the program's text with what is
    to be kept and the backward pass in their places; `data` are the other arrays that the loss changes with, for which nothing is
    derived. `repairs` come before all: without them the program does not run. `added` are the statements of a loss that is asked for or
    that the program does not compute, `own` the gradients that it has already: right ones are used as they are."""

    file: str
    loss: str
    keeps: tuple[Keep, ...] = ()
    lines: tuple[DerivedLine, ...] = ()
    gaps: tuple[Gap, ...] = ()
    agreement: Mapping[str, float] = field(default_factory=dict[str, float])
    program: str = ""
    numbers: tuple[int, ...] = ()
    """What number each line of it has in the program as it is; 0 of a new one."""
    data: tuple[str, ...] = ()
    repairs: tuple[Repair, ...] = ()
    added: tuple[Keep, ...] = ()
    own: tuple[OwnGradient, ...] = ()
    after: int = 0
    """The line after which it stands."""
    header: str = ""
    """What is said above the statements that are added."""
    functions: tuple[BackwardFunction, ...] = ()
    """The functions that it is written in, where the forward pass is in functions."""
    body: tuple[DerivedLine, ...] = ()
    """What stands in its place then: calls of these functions, and what is around them. `lines` are all in one block."""
    steps: tuple[str, ...] = ()
    """The lines of which some value is no dL/d(a value of the run), nor a share of one or a sum of shares: steps on the way."""
    left_out: tuple[int, ...] = ()
    """The lines of the program that make only what it makes anew."""
    then: int = 0
    """The line after which its updates stand, where they do not stand with it: after the program's own."""
    is_there: bool = False
    """Whether the program makes every gradient already, and right."""
    stands_aside: bool = False
    """Whether it has no place in the program, whose own backward pass is in its way."""
    made_up: bool = False
    """Whether a function was called with arguments that were made up."""
    source: SourceFile | None = None
    """The text that its lines are numbered in: the program's own, or one that all its files are joined in."""

    def text(self) -> str:
        """The backward pass as it is printed: what is to be kept for it, then every line with the shape of what it makes and why."""
        said = (
            [f"# {self.file} does not run yet. Write first (rnn-tui doctor {self.file} says why):"]
            if self.repairs
            else []
        )
        said += [f"#   line {repair.line}:  {repair.text}" for repair in self.repairs]
        said += [f"# The backward pass of {self.file}, from {self.loss}."]
        said += [f"# Its files are {self._files()}; what -o writes is one file of them all."] if self._files() else []
        said += ["# Nothing runs it: it was called with arguments that were made up."] if self.made_up else []
        said += [f"# {self._place()}"] if self.after and (self.body or not self.functions) else []
        said += [f"# {self.header}"] if self.added else []
        said += map(_kept, self.added)
        said += [f"# {one.said()}" for one in self.own]
        if self.data:
            said += [f"# Taken as data, so without gradients: {', '.join(self.data)}."]
        if self.keeps:
            said += ["# The forward pass has to keep for it:"]
            said += map(_kept, self.keeps)
        said += [f"# Not derived: line {gap.line}, {gap.why}." for gap in self.gaps]
        shown = [line for one in self.functions for line in _function(one)]
        return "\n".join([*said, "", *shown, *map(_commented, self.body if self.functions else self.lines)]) + "\n"

    def _files(self) -> str:
        names = list(dict.fromkeys(name for name, _ in self.source.files)) if self.source is not None else []
        return f"{', '.join(names[:-1])} and {names[-1]}" if names else ""

    def _place(self) -> str:
        if self.is_there:
            return "The program makes every gradient already, and right; these lines make the same."
        if self.stands_aside:
            return f"It goes back from line {self.after}; the program's own backward pass leaves no place for it: put it there by hand."
        place = f"It stands after line {self.after}"
        if self.left_out:
            place += f", in the place of {_ranges(self.left_out)}"
        return f"{place}, its updates after line {self.then}." if self.then else f"{place}."


def _ranges(numbers: Sequence[int]) -> str:
    """`line 7`, `line 7 to line 9 and line 12`: each line by itself, for a notebook tells it by its cell."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    parts = [f"line {run[0]} to line {run[-1]}" if len(run) > 1 else f"line {run[0]}" for run in runs]
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]


def _function(one: BackwardFunction) -> list[str]:
    """A function with its comments."""
    lines = [_commented(replace(line, text=f"    {line.text}")) for line in one.lines]
    return [f"# beside {one.of}(), after line {one.after}:", one.head(), *lines, ""]


def _kept(keep: Keep) -> str:
    return f"#   {'instead of' if keep.replaces else 'after'} line {keep.after}:  {_with(keep.text.strip(), keep.why)}"


def shape_text(shape: tuple[int, ...] | None) -> str:
    """`(3, 4)`, as NumPy writes it; "" of a single number."""
    return str(tuple(shape)) if shape else ""


def _commented(line: DerivedLine) -> str:
    """A line with its comment: `dz = dh * (1 - h**2)  # (3, 4)  through z: tanh' = 1 - h**2`."""
    said = "  ".join(part for part in (shape_text(line.shape), line.why) if part)
    return _with(line.text, said)


def _with(text: str, said: str) -> str:
    return f"{text:<{WIDTH}}  # {said}" if said else text
