# pyright: basic
"""Expressions of the program that are evaluated once more, beside it: where that changes nothing."""

import ast
import copy
import re
import types

import numpy as np

WITH = "__rt_with__"
"""The name of `with_entry` where expressions are evaluated."""
LARGEST = 4000000
"""So many numbers an array may have."""
SAFE = set(
    """abs absolute add all any arange arccos arcsin arctan arctan2 argmax argmin argsort around array array_split asarray
    ascontiguousarray asfarray astype atleast_1d atleast_2d atleast_3d average bool broadcast_to cbrt ceil clip column_stack
    concatenate conj copy cos cosh count_nonzero cross cumprod cumsum deg2rad diag diagflat diagonal diff divide dot einsum
    empty_like enumerate equal erf exp exp2 expand_dims expit expm1 eye fabs flatten flip fliplr flipud float float32 float64 floor
    fmax fmin full full_like get greater greater_equal heaviside hsplit hstack identity inner int int32 int64 isclose isfinite isinf
    isnan item items keys kron len less less_equal linspace list log log10 log1p log2 log_softmax logaddexp logical_and logical_not
    logical_or logsumexp mask_indices matmul max maximum mean min minimum mod moveaxis multiply nan_to_num negative nonzero norm
    not_equal ones ones_like outer pow power prod range ravel reciprocal repeat reshape reversed rint roll rollaxis round row_stack
    sign sin sinh size softmax sorted split sqrt square squeeze stack std subtract sum swapaxes take tan tanh tensordot tile tolist
    trace transpose tril triu true_divide tuple values var vdot vsplit vstack where zeros zeros_like zip""".split()  # noqa: SIM905
) | {WITH}
"""What may be called twice, of libraries' functions; in a probing run those that do, with the program's own that change nothing."""
_MAY_CALL = re.compile(r"[\w)\]]\s*\(|yield|await|:=")
"""What stands in all expressions that must be looked at before they are evaluated twice: looking takes longer than compiling."""


def compiled(text):
    """The code of an expression; None where it calls what must not be called twice."""
    try:
        if _MAY_CALL.search(text) is None:
            return compile(text, "<edit>", "eval")
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError):
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            function = node.func
            name = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
            if name not in SAFE or _changes_what_it_reads(node):
                return None
        elif isinstance(node, (ast.Yield, ast.Await, ast.NamedExpr)):
            return None
    return compile(tree, "<edit>", "eval")


def _changes_what_it_reads(call):
    """Whether a call writes into one of its arguments, as `np.subtract(W, step, out=W)` does."""
    read = {ast.dump(argument) for argument in call.args}
    return any(given.arg == "out" and ast.dump(given.value) in read for given in call.keywords)


def evaluated(code, spaces, variables):
    """What an expression makes: an array of floats; None where it makes none."""
    if types.CodeType in map(type, getattr(code, "co_consts", ())):
        spaces = dict(spaces, **variables)  # what a comprehension reads it looks for among globals
    try:
        value = np.asarray(eval(code, spaces, variables))
    except Exception:
        return None
    if value.dtype.kind not in "fiub" or value.size == 0 or value.size > LARGEST:
        return None
    return value.astype(float, copy=False)


def with_entry(array, index, value):
    """A copy of an array with other values in an entry."""
    made = copy.copy(array)
    made[index] = value
    return made


class Consequences:
    """What is made of a statement's value. `rows` are (expression, the name under which others read what it makes, whether that can be
    looked up); the first makes what is put somewhere of what the statement makes, `MADE`. Where others read the whole of which it is an
    entry, `whole` is (that, the index): the name stands for it then."""

    MADE = "__rt_made__"

    def __init__(self, rows, whole=None):
        text, self.name, _ = rows[0]
        self.put = compiled(text)
        self.whole = [code for part in whole if (code := compiled(part)) is not None] if whole else []
        self.rows = [(compiled(text), name, checked) for text, name, checked in rows[1:]]
        self.checks = sum([code is not None and checked for code, _, checked in self.rows])

    def stored(self, made, spaces, variables):
        """What is put there, and the index at which."""
        value = None if self.put is None else evaluated(self.put, spaces, dict(variables, **{self.MADE: made}))
        try:
            return value, eval(self.whole[1], spaces, variables) if len(self.whole) > 1 else None
        except Exception:
            return None, None

    def rights(self, stored, has, spaces, variables):
        """How many of the statements would make what is right if this had been put there, and all that they would make, by its names."""
        value = self._read(stored, spaces, variables)
        if value is None:
            return 0, {}
        made = {self.name: value}
        variables = dict(variables, **made)
        count = 0
        for code, name, checked in self.rows:
            value = None if code is None else evaluated(code, spaces, variables)
            if name and value is not None:
                variables[name] = made[name] = value
            elif name:
                for space in (variables, made):
                    space.pop(name, None)
            count += bool(checked and value is not None and has(value))
        return count, made

    def _read(self, stored, spaces, variables):
        """What others read: what was put there, or a copy of the whole with that in it."""
        value, index = stored
        if value is None or len(self.whole) < 2:
            return value
        try:
            return with_entry(eval(self.whole[0], spaces, variables), index, value)
        except Exception:
            return None


class Gains:
    """By how many more statements than as it stands an edit makes right what follows: in the rest of the block, and, where that is a
    loop's, in its next round, once that begins."""

    def __init__(self, has):
        self.has = has
        self.waiting = {}

    def of(self, edit, value, original, line, frame):
        """Tells an edit what it gains here; what follows in the next round is told then."""
        if edit.makes < 0 or not line.following:
            return
        here = line.following[edit.makes]
        again = line.again[edit.makes] if line.again else None
        told = [self._made(v, here, again, line, frame) for v in (original, value)]
        if here.checks:
            edit.gain = (edit.gain or 0) + told[1][0] - told[0][0]
        if again is not None and again.checks:
            self.waiting.setdefault(line.begins, []).append((edit, again, [rest for _, *rest in told]))

    def _made(self, value, here, again, line, frame):
        """How much is right in the rest of the block with this value, what is made there, and what is put somewhere for later rounds."""
        if value is None:
            return 0, {}, (None, None)
        spaces = frame.f_globals, frame.f_locals
        line.left -= len(here.rows)
        count, made = here.rights(here.stored(value, *spaces), self.has, *spaces)
        return count, made, again.stored(value, *spaces) if again is not None else (None, None)

    def begun(self, number, frame):
        """At the first line of a round: what was made in the one before."""
        for edit, again, told in self.waiting.pop(number, ()):
            before, right = [
                again.rights(stored, self.has, frame.f_globals, dict(frame.f_locals, **made))[0]
                for made, stored in told
            ]
            edit.gain = (edit.gain or 0) + right - before
