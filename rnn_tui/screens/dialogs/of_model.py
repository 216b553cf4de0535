"""Examples of what may be typed, in the names of the model on the screen."""

from __future__ import annotations

import re

from engine.debug.debugger import Debugger
from engine.debug.places import number_named
from engine.language.derive import gradient
from engine.notation import Spelling
from engine.tables.heads import LOGITS, PROBABILITIES

GAP = r"( {2,})"
"""What stands between what may be typed and what it means."""


def of_model(text: str, debugger: Debugger, spelling: Spelling) -> str:
    """A text in the names of the built-in example, the simple network, in those of this model and notation; its columns stay in line."""
    program = debugger.program
    square = next(
        (name for name, axes in debugger.plan.axes.items() if name in program.parameters and axes == ("H", "H")), None
    )
    own = {"z": next(iter(program.lines)).name, "a": program.output, "Wa": square or next(iter(program.parameters))}
    names = {"z": own["z"], "Wa": own["Wa"], **{gradient(old): gradient(new) for old, new in own.items()}}
    if PROBABILITIES not in program.quantities:
        names[PROBABILITIES] = LOGITS
    return "\n".join(
        _in_line(line, {old: spelling.name(new) for old, new in names.items()}) for line in text.split("\n")
    )


def number_of(debugger: Debugger, spelling: Spelling) -> str:
    """The name of a number that there is, as it is on the screen."""
    return number_named(debugger, spelling.layout, spelling.name)


def _in_line(line: str, names: dict[str, str]) -> str:
    """A line with other names; what stands behind a gap stays where it is, as long as there is room."""
    written, at = "", 0
    for part in re.split(GAP, line):
        at += len(part)
        if part.isspace():
            written = (written + "  ").ljust(at)
        else:
            written += re.sub(r"[^\W\d]\w*", lambda word: names.get(word[0], word[0]), part)
    return written
