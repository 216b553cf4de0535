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
FLOW_CUT_REVERSE = "cutr"
"""(T, B), the same of the reverse direction: 1 where nothing flows from a step to the one after."""
ENTRIES = "N"
"""How many entries a mean is taken over where every step has a loss."""

GIVEN = (MASK, FLOW_CUT, FLOW_CUT_REVERSE, ENTRIES)

_EQUATIONS: dict[str, str] = {
    MASK: "t <= ends",
    ENTRIES: "sum(ends)",
}
_CUTS: dict[str, str] = {
    # K steps before the one loss there is, at the sample's end. Padded steps only hand the state on to it, so nothing is cut there.
    "window": "t == ends - K",
    # Between runs of K steps.
    "chunk": "((t - 1) % K == 0) & (t > 1) & (t <= ends)",
}
_CUTS_REVERSE: dict[str, str] = {
    # The one loss reads the state of step 1, and the gradient flows on to the sample's end.
    "window": "(t == K + 1) & (t <= ends)",
    "chunk": "(t % K == 0) & (ends > t)",
}


@cache
def given_equation(name: str, truncate_by: str) -> Expression:
    """The equation of a quantity that is known beforehand, for a network that truncates so."""
    cuts = {FLOW_CUT: _CUTS[truncate_by], FLOW_CUT_REVERSE: _CUTS_REVERSE[truncate_by]}
    return parse((_EQUATIONS | cuts)[name], masks=True)
