"""What is known before an iteration begins, beside the data and the parameters, as equations of the steps and the lengths.

No line of the program computes it: it is laid out once, by the recording and by the printed program, from the equations here. `t` are
the steps 1 … T, `ends` the last step of each sample that counts, `K` how many steps truncation lets a gradient go back.
"""

from __future__ import annotations

from functools import cache

from engine.language.expression import Expression, parse

MASK = "mask"
"""(T, B), only where lengths differ: 1 at a step within the sample's length."""
FLOW_CUT = "cut"
"""(T, B), only where truncation cuts whole flows: 1 where nothing flows from a step to the one before."""
ENTRIES = "N"
"""How many entries a mean is taken over where every step has a loss."""

_EQUATIONS: dict[str, str] = {
    MASK: "t <= ends",
    ENTRIES: "sum(ends)",
}
_CUTS: dict[str, str] = {
    # K steps before the one loss there is, at the sample's end. Padded steps only hand the state on to it, so nothing is cut there.
    "window": "t <= ends - K",
    # Between runs of K steps.
    "chunk": "((t - 1) % K == 0) & (t > 1) & (t <= ends)",
}


@cache
def given_equation(name: str, truncate_by: str) -> Expression:
    """The equation of a quantity that is known beforehand, for a network that truncates so."""
    return parse(_CUTS[truncate_by] if name == FLOW_CUT else _EQUATIONS[name], masks=True)
