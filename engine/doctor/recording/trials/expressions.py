# pyright: basic
"""Expressions of the program that are evaluated once more, beside it: where that changes nothing."""

import ast
import copy

import numpy as np

LARGEST = 4000000
"""So many numbers an array may have."""
SAFE = set(
    """dot sum mean reshape copy ravel flatten transpose max min T outer tanh exp log matmul einsum zeros_like zeros ones sqrt where
    sign clip maximum minimum square abs len concatenate hstack vstack tensordot multiply add subtract expand_dims squeeze astype
    stack cosh power float int atleast_2d""".split()  # noqa: SIM905
)
"""What may be called twice; a probing run adds the program's own functions that change nothing."""


def compiled(text):
    """The code of an expression; None where it calls what must not be called twice."""
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError):
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            function = node.func
            name = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
            if name not in SAFE:
                return None
        elif isinstance(node, (ast.Yield, ast.Await, ast.NamedExpr)):
            return None
    return compile(tree, "<edit>", "eval")


def evaluated(code, spaces, variables):
    """What an expression makes: an array of floats; None where it makes none."""
    try:
        value = np.asarray(eval(code, spaces, variables))
    except Exception:
        return None
    if value.dtype.kind not in "fiub" or value.size == 0 or value.size > LARGEST:
        return None
    return value.astype(float, copy=False)


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
        """How many of the statements would make what is right if this had been put there."""
        value = self._read(stored, spaces, variables)
        if value is None:
            return 0
        variables = dict(variables, **{self.name: value})
        count = 0
        for code, name, checked in self.rows:
            value = None if code is None else evaluated(code, spaces, variables)
            if name and value is not None:
                variables[name] = value
            elif name:
                variables.pop(name, None)
            count += bool(checked and value is not None and has(value))
        return count

    def _read(self, stored, spaces, variables):
        """What others read: what was put there, or a copy of the whole with that in it."""
        value, index = stored
        if value is None or len(self.whole) < 2:
            return value
        try:
            whole = copy.copy(eval(self.whole[0], spaces, variables))
            whole[index] = value
        except Exception:
            return None
        return whole


class Gains:
    """By how many more statements than as it stands an edit makes right what follows: in the rest of the block, and, where that is a
    loop's, in its next round, once that begins."""

    def __init__(self, has):
        self.has = has
        self.waiting = {}

    def of(self, edit, value, original, line, frame):
        """Tells an edit what it gains here; what follows in the next round is told then."""
        for which, rest in enumerate((line.following, line.again)):
            following = rest[edit.makes] if rest and edit.makes >= 0 else None
            if following is None or not following.checks:
                continue
            old, new = [
                (None, None) if v is None else following.stored(v, frame.f_globals, frame.f_locals)
                for v in (original, value)
            ]
            line.left -= len(following.rows)
            if which:
                self.waiting.setdefault(line.begins, []).append((edit, following, old, new))
            else:
                self.add(edit, following, old, new, frame)

    def begun(self, number, frame):
        """At the first line of a round: what was made in the one before."""
        for edit, following, old, new in self.waiting.pop(number, ()):
            self.add(edit, following, old, new, frame)

    def add(self, edit, following, old, new, frame):
        right, before = [following.rights(v, self.has, frame.f_globals, frame.f_locals) for v in (new, old)]
        edit.gain = (edit.gain or 0) + right - before
