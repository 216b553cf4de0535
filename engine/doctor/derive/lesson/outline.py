"""The order of steps of a derived backward pass, with shapes and without code: what one asks for before one writes it oneself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from engine.doctor.derive.derived import Derived, DerivedLine, shape_text
from engine.text import clean

UPDATE = "the update: each parameter less the learning rate times its gradient"
LONGEST = 90
"""So many characters of a line of the forward pass are shown."""


def outline(derived: Derived, text: str) -> str:
    """The steps, numbered, an indented one for each line of the forward pass whose gradient they carry back. `text` is the program's."""
    forward = text.split("\n")
    lines = [f"the order of the backward pass of {derived.file}, from {derived.loss}", ""]
    if derived.keeps:
        lines += ["  before it: what the forward pass has to keep", *(f"      {one}" for one in _kept(derived)), ""]
    lines += _steps(derived.lines, forward)
    lines += [f"  open: line {gap.line}, {gap.why}" for gap in derived.gaps]
    return "\n".join(lines) + "\n"


def _kept(derived: Derived) -> Iterator[str]:
    for keep in derived.keeps:
        yield f"after line {keep.after}: {keep.why or 'a value of every step'}"


def _steps(lines: Sequence[DerivedLine], forward: Sequence[str]) -> Iterator[str]:
    """A line a step: what its gradients are, and the line of the forward pass that says how they come about."""
    number = 0
    for (kind, of), group in groupby(lines, lambda line: (line.kind, line.of)):
        some = list(group)
        says = _said(kind, some, forward[of - 1].strip() if of and of <= len(forward) else "", of)
        if says:
            number += 1
            yield f"  {_indent(some[0])}{number:>2}. {says}"


def _said(kind: str, lines: Sequence[DerivedLine], source: str, of: int | None) -> str:
    made = ", ".join(dict.fromkeys(f"{one.makes} {shape_text(one.shape)}".strip() for one in lines if one.makes))
    where = f"  ←  line {of}: {clean(source, LONGEST)}" if of else ""
    if kind == "update":
        return UPDATE
    if kind == "init":
        return f"zeros for {made}" if made else ""
    if kind == "loop":
        return f"backwards over the loop of line {of}, from its last round to its first" if of else "backwards"
    if kind == "branch":
        return f"where it went this way{where}"
    return f"{'dL/d of the output: ' if kind == 'head' else ''}{made}{where}" if made else ""


def _indent(line: DerivedLine) -> str:
    return " " * (len(line.text) - len(line.text.lstrip()))
