# ruff: noqa: C419, UP031  (Python 3.8)
# pyright: basic
"""Terms that may be missing from a sum: of one array or two, made of the values that are there."""

import numpy as np

from .expressions import compiled, evaluated

TERM, WHOLE = "__rt_term__", "(%s)"
"""What stands for a term; the expression into which one is put that is to be all of it: a product of two arrays."""
PRODUCTS = {"*": np.multiply, "@": np.matmul, "outer": np.outer}


class MissingTerm:
    """An array, or the product of two (`by` is `*`, `@` or `outer`), and the sign with which it is put in."""

    def __init__(self, sign, first, by="", second=""):
        self.sign, self.first, self.by, self.second = sign, first, by, second
        self.product = "np.outer(%s, %s)" % (first, second) if by == "outer" else "%s %s %s" % (first, by, second)
        self.text = " %s %s" % (sign, self.product if by else first)

    def value(self, atoms):
        """What it is worth where the atoms are evaluated; None where it is nothing."""
        first, second = _turned(atoms, self.first), _turned(atoms, self.second) if self.by else None
        if first is None or not self.by or second is None:
            return None if self.by else first
        try:
            return PRODUCTS[self.by](first, second)
        except ValueError:
            return None


def _turned(atoms, text):
    """An atom's value, or that of its transposed."""
    if not text.endswith(".T"):
        return atoms.value(text)
    value = atoms.value(text[:-2])
    return None if value is None else value.T


class AtomValues:
    """The values of expressions where a statement runs, each evaluated once an execution."""

    def __init__(self):
        self.codes = {}
        self.values = {}

    def begin(self, spaces, variables):
        self.spaces, self.variables, self.values = spaces, variables, {}

    def value(self, text):
        if text not in self.values:
            if text not in self.codes:
                self.codes[text] = compiled(text)
            code = self.codes[text]
            self.values[text] = None if code is None else evaluated(code, self.spaces, self.variables)
        return self.values[text]

    def shape(self, text):
        value = self.value(text)
        return None if value is None else value.shape


def terms(known, wanted, alone=False):
    """Terms of one or two of the arrays (text, shape) that have this shape, or of one alone; single numbers are factors only."""
    for a, one in known:
        if one and _spreads(one, wanted):
            for sign in "+-*":
                yield MissingTerm(sign, a)
    if alone:
        return
    for k, (a, one) in enumerate(known):
        for b, two in known[k:]:
            if (
                one == two == wanted
                or (one == wanted and _spreads(two, wanted))
                or (two == wanted and _spreads(one, wanted))
            ):
                yield MissingTerm("+", a, "*", b)
                yield MissingTerm("-", a, "*", b)
    for a, one in known:
        for b, two in known:
            if a != b and 0 < len(one) <= 2 and 0 < len(two) <= 2:
                for first, x in ((a, one), (a + ".T", one[::-1])):
                    for second, y in ((b, two), (b + ".T", two[::-1])):
                        if x[-1] == y[0] and x[:-1] + y[1:] == tuple(wanted) and (len(one) + len(two) > 2):
                            yield MissingTerm("+", first, "@", second)
            if a != b and len(one) == len(two) == 1 and one + two == tuple(wanted):
                yield MissingTerm("+", a, "outer", b)


def _spreads(shape, wanted):
    wanted = wanted[len(wanted) - len(shape) :] if len(shape) <= len(wanted) else ()
    return len(shape) == len(wanted) and all([m in (1, n) for m, n in zip(shape, wanted)])
