# ruff: noqa: C419, UP031  (Python 3.8, and few calls where every operation passes)
# pyright: basic
"""A second, identical run in which small edits of lines are tried: each is evaluated where its line runs, and lives
while what it makes is right.

What is right is told by fingerprints: a table with a row (size, norm, and two more numbers) for each right array, and
the factors allowed.
"""

import ast
import builtins
import json
import os
import sys

import numpy as np

from ..tracing import runner
from ..tracing.store import Stop
from .expressions import SAFE, WITH, Consequences, Gains, compiled, evaluated, with_entry
from .fingerprints import RightTable
from .terms import TERM, WHOLE, AtomValues, terms

NAME = "__rt_probe__"
NUMBERS = 500
"""So many numbers cost as much as one more evaluation."""


class ProbedEdit:
    """An expression in the place of a statement's; `makes` is what comes of it in the block (an index, -1: nothing), `place` the number of
    the expression that it replaces."""

    def __init__(self, number, text, code, checked, makes, place, term=None):
        self.number, self.text, self.code, self.checked = number, text, code, checked
        self.makes, self.place = makes, place
        self.term = term  # what the code reads as TERM
        self.count = 0  # how often it was right
        self.differs = self.late = False
        self.gain = None

    def value(self, atoms):
        if self.term is not None:
            atoms.variables[TERM] = term = self.term.value(atoms)
            if term is None:
                return None
        return evaluated(self.code, atoms.spaces, atoms.variables)

    def told(self):
        return [self.number, self.count, self.text, int(self.late), self.gain]


class ProbedLine:
    """One statement's expression, and the edits of it that are still alive."""

    def __init__(self, row, limit):
        self.before, self.total = row["before"], row["total"]
        self.lost = row["lost"]  # nothing that comes back goes into it: what it makes is not what it should be
        self.prefix, self.multiplies = row["prefix"], row["multiplies"]
        self.seen = 0
        self.edits = None
        self.rows = row["edits"]
        self.holes, self.atoms = row["holes"], row["atoms"]
        self.values = AtomValues()
        self.following = [Consequences(rows) for rows in row["following"]]
        self.again = [Consequences(rows, whole) for rows, whole in row["again"]]
        self.begins = row["begins"]  # the number of the line with which the loop's next round begins
        self.text = row["value"]
        self.original = compiled(self.text)
        self.slots = row["slots"]  # the expressions that edits replace
        self.rights = [0] * len(self.slots)  # how often each was right
        self.late = []
        self.left = limit
        self.counts = [0, 0, 0]
        self.first = -1


def _same(a, b):
    return b is not None and a.shape == b.shape and bool(np.allclose(a, b, 1e-9, 0.0))


def _alike(a, b):
    """Whether they are the same but for the sign, by which what is right stays so."""
    return b is not None and (_same(a, b) or _same(a, -b))


class Probes:
    """All lines of a probing run."""

    def __init__(self, rows, table, limit):
        self.lines = [ProbedLine(r, limit // max(1, len(rows))) for r in rows]
        self.table = table
        self.gains = Gains(table.has)
        self.order = 0
        self.depth = False

    def __call__(self, number):
        line = self.lines[number]
        if self.depth:
            return
        line.seen += 1
        if line.before < line.seen <= line.total:
            self.order += 1
            self.depth = True
            frame = sys._getframe(1)
            try:
                with np.errstate(all="ignore"):
                    self.gains.begun(number, frame)
                    self.tried(line, frame)
            finally:
                self.depth = False
        if line.seen >= line.total and all([one.seen >= one.total for one in self.lines]):
            raise Stop()

    def tried(self, line, frame):
        """Edits must be right as long as the original is, and where it fails first; what follows from that is
        spoilt."""
        if line.first >= 0:
            return
        values = line.values
        values.begin(frame.f_globals, dict(frame.f_locals))
        right = None
        if line.original is not None:
            value = evaluated(line.original, values.spaces, values.variables)
            right = None if value is None else self.has(line, value) and not line.lost
            line.counts[{True: 0, False: 1, None: 2}[right]] += 1
            if right is False:
                line.first = self.order
        if line.edits is None:
            line.edits = self.begun(line)
        originals = [values.value(text) for text in line.slots]
        rights = [None if v is None else self.has(line, v) and not line.lost for v in originals]
        line.rights = [n + (known is True) for n, known in zip(line.rights, rights)]
        alive = []
        for edit in line.edits:
            if line.left <= 0:
                alive.append(edit)  # what was right until here is still likely
                continue
            value = edit.value(values)
            line.left -= 1 if value is None else 1 + value.size / NUMBERS
            if value is None:
                continue
            found = self.has(line, value) if edit.checked else True
            original, right = originals[edit.place], rights[edit.place]
            if found is None and right and not edit.count:
                continue  # nothing, where something is right; what was right before may be nothing at the first step
            edit.count += found is True
            if found is True and not edit.differs and not (_alike if right else _same)(value, original):
                edit.differs = True
                self.gains.of(edit, value, original, line, frame)
            if found is not False:
                alive.append(edit)
            elif edit.differs and (right is None or (right is False and line.rights[edit.place])):
                edit.late = right is False
                line.late.append(edit)  # what it reads may be spoilt by now
        line.edits = alive

    def has(self, line, value):
        """Whether the value is right, or what is there once it is added, or multiplied by it."""
        if line.multiplies:
            whole = line.values.value(line.prefix)
            made = evaluated("whole * value", {}, {"whole": whole, "value": value})  # they may not fit
            return False if whole is None or made is None or whole.shape != made.shape else self.table.has(made)
        right = self.table.has(value)
        if right is False and line.prefix is not None:
            whole = line.values.value(line.prefix)
            if whole is not None and np.shape(whole) == np.shape(value):
                return self.table.has(whole + value)
        return right

    def begun(self, line):
        """The edits that make sense here: compiled, with shapes that agree where they must."""
        shape, made = line.values.shape, []
        for number, (text, same, checked, makes, place) in enumerate(line.rows):
            if same and not _fit(line.values, *same):
                continue
            edit = ProbedEdit(number, text, compiled(text), checked, makes, place)
            if edit.code is not None:
                made.append(edit)
            elif same or text in line.text:
                edit.count, edit.late = 1, True
                line.late.append(edit)  # it calls what must not be called twice
        known = [(a, shape(a)) for a in line.atoms if shape(a) or _is_part(line.values.value(a))]
        # the rest, of a part: a leaky unit has both, and so has a mask
        known += [("(1 - %s)" % a, one) for a, one in known if one == () or _is_mask(line.values.value(a))]
        for number, (template, inner, alone, makes, place) in enumerate(line.holes):
            codes = {sign: compiled(template % (" %s %s" % (sign, TERM))) for sign in "+-*"}
            for term in terms(known, shape(inner), alone) if shape(inner) is not None else ():
                if template == WHOLE and (not term.by or term.sign != "+"):
                    continue
                code = codes[term.sign]
                twice = term.sign != "*" and term.text.strip(" +-") == inner  # only another factor of the same
                if code is not None and not twice:
                    text = template % (term.product if template == WHOLE else term.text)
                    made.append(ProbedEdit(-1 - number, text, code, True, makes, place, term))
        line.rows = line.holes = []
        return made

    def answer(self):
        return [
            {
                "original": line.counts,
                "first": line.first,
                "edits": [e.told() for e in line.edits or [] if e.count > 0 and (e.differs or line.counts[1])]
                + [e.told() for e in line.late],
            }
            for line in self.lines
        ]


def _fit(values, one, other):
    """Whether the other may stand for the one: of the same shape, for the single 0 with which a carry begins, or for what calls a function:
    that is not called once more, and its shape is not known."""
    shapes = values.shape(one), values.shape(other)
    if None in shapes:
        return shapes[1] is not None and "(" in one.strip("()")
    return shapes[0] == shapes[1] or (shapes[0] == () and float(values.value(one)) == 0)


def _is_part(value):
    """Whether it is a single number between 0 and 1, as the rate of a leaky unit is."""
    return np.shape(value) == () and np.asarray(value).dtype.kind == "f" and 0 < abs(float(value)) < 1


def _is_mask(value):
    """Whether all its numbers are 0 or 1, as those by which padded steps are left out."""
    return value is not None and value.size > 0 and bool(((value == 0) | (value == 1)).all())


class Inserter(ast.NodeTransformer):
    """Puts a probe before each statement that is wanted: `wanted` is {(line, column): number}."""

    def __init__(self, wanted):
        self.wanted = wanted

    def generic_visit(self, node):
        super().generic_visit(node)
        for field in ("body", "orelse", "finalbody"):
            body = getattr(node, field, None)
            if not isinstance(body, list):
                continue
            made = []
            for statement in body:
                for number in self.wanted.get(
                    (getattr(statement, "lineno", -1), getattr(statement, "col_offset", -1)), ()
                ):
                    call = ast.Call(ast.Name(NAME, ast.Load()), [ast.Constant(number, kind=None)], [])
                    made.append(ast.copy_location(ast.Expr(ast.copy_location(call, statement)), statement))
                made.append(statement)
            setattr(node, field, made)
        return node


def run(job):
    """Runs the program of a job with the probes of `probe.json`, and the right arrays of `table`, in the job's folder; the answer is
    `answer.json` there."""
    folder = job["record"]
    with open(os.path.join(folder, "probe.json")) as opened:
        request = json.load(opened)
    rows = np.fromfile(os.path.join(folder, "table"), np.float64).reshape(-1, 4)
    SAFE.clear()
    SAFE.update(request["safe"])
    probes = Probes(request["lines"], RightTable(rows, request["factors"], request["allowed"]), request["limit"])
    wanted = {}
    for number, row in enumerate(request["lines"]):
        wanted.setdefault(row["file"], {}).setdefault((row["line"], row["column"]), []).append(number)
    setattr(builtins, NAME, probes)
    setattr(builtins, WITH, with_entry)

    def rewritten(text, name, sites):
        made = Inserter(wanted.get(runner.shown_name(job, name), {})).visit(ast.parse(text, name))
        return ast.fix_missing_locations(made)

    told = runner.unrecorded(job, rewritten)
    with open(os.path.join(folder, "answer.json"), "w") as opened:
        opened.write(json.dumps(probes.answer()))
    return told
