# ruff: noqa: UP031, RUF005  (Python 3.8)
# pyright: basic, reportArgumentType=false
"""Finds a way to call the backward passes of a file: arguments that are made up, until they fit.

The job's options name the passes. The answer, `calls.json`, has for each the text that calls it, below the file's own, or why there is
none; and the statements that failed when the file was loaded. Where a backward pass takes dL/d(outputs), the loss is
L = sum(upstream * outputs). Shapes come from how arguments are used and from NumPy's exceptions (see `sizes`): each attempt is run.
"""

import __future__

import ast
import copy
import functools
import heapq
import itertools
import json
import os
import re
import types

import numpy as np

from .. import plain, progress
from ..division import floored
from . import driven, guesses, steady
from .sizes import Sizes
from .wanted import WantedArguments

ATTEMPTS, ROUNDS, BEST, MORE = 300, 50, 3, 20
ROOM = 1 << 22
"""How many numbers of arrays are kept: 32 MB."""
_WHOLE = ("i0", "i1", "i2")


def run(job):
    module = plain.main_module(job)
    replaced, failed, tree = loaded(str(job["text"]), str(job["file"]), module.__dict__, job["python_2"])
    answers = []
    for asked in job["options"]["passes"]:
        try:
            answer = _answer(tree, module.__dict__, asked)
        except Exception as error:  # of one pass; the others are looked at
            answer = {"texts": [], "reason": "%s: %s" % (type(error).__name__, error)}
        answers.append({**answer, "reason": _cause(failed, answer["reason"])})
    progress.over()
    with open(os.path.join(job["record"], "calls.json"), "w", encoding="utf-8") as file:
        file.write(json.dumps({"calls": answers, "replaced": replaced}))
    return {}


def loaded(text, file, space, python_2=False):
    """Loads the statements one by one: lines of those that failed and what stands there instead, why what they would make is not there, and
    the tree."""
    tree = ast.parse(text, file)
    meant = floored(copy.deepcopy(tree)) if python_2 else copy.deepcopy(tree)
    space["_driver_asserted"] = asserted
    replaced, failed, flags = [], {}, 0
    for statement, run in zip(tree.body, meant.body):
        code = ast.fix_missing_locations(ast.Module([_Telling().visit(run)], []))
        if isinstance(statement, ast.ImportFrom) and statement.module == "__future__":  # holds for the whole text
            flags |= sum(getattr(__future__, name.name).compiler_flag for name in statement.names)
        try:
            exec(compile(code, file, "exec", flags, True), space)
        except Exception as error:
            first = min([statement.lineno] + [d.lineno for d in getattr(statement, "decorator_list", ())])
            why = "line %d fails with %s: %s" % (first, type(error).__name__, error)
            why = _cause(failed, str(error), why)
            failed.update((name, why) for name in _made_by(statement))
            instead = "pass"
            reads = any(isinstance(n, ast.Name) and n.id == "open" for n in ast.walk(statement))
            if reads and isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
                instead = "%s = %r" % (statement.targets[0].id, "the sea was calm and the sky was blue\n" * 4)
                exec(instead, space)
            replaced.append([first, statement.end_lineno, instead])
    return replaced, failed, tree


def _cause(failed, message, otherwise=None):
    """Why a name is not there of which an exception says so: what should have made it failed, or an import of all that a module has. What
    the exception says, or `otherwise`, where that is not so."""
    found = re.search(r"name '(\w+)' is not defined", message)
    why = failed.get(found.group(1)) or failed.get("*") if found else None
    return why or otherwise or message


def _made_by(statement):
    """The names that a statement defines, imports or assigns."""
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        return [statement.name]
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return [(one.asname or one.name).partition(".")[0] for one in statement.names]
    return [n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]


class _Telling(ast.NodeTransformer):
    """Lets what is asserted of shapes say which they are, as NumPy's exceptions do."""

    def visit_Assert(self, node):
        test = node.test
        if isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq):
            sides = [copy.deepcopy(test.left), copy.deepcopy(test.comparators[0])]
            node.msg = ast.Call(ast.Name("_driver_asserted", ast.Load()), sides, [])
        return node


def asserted(one, two):
    """What an assertion that failed says of two shapes, or lengths; "" of anything else."""
    one, two = ((n,) if type(n) is int else n for n in (one, two))
    if not all(isinstance(each, tuple) and all(isinstance(n, (int, np.integer)) for n in each) for each in (one, two)):
        return ""
    one, two = (tuple(int(n) for n in each) for each in (one, two))
    return "an output operand of the shape %s does not broadcast to what is asserted, %s" % (one, two)


def _answer(tree, space, asked):
    """How a pass is called; where None is no value for what is None by default, with something in its place, and where nothing comes back,
    with what is False by default True and the other way round."""
    search = CallSearch(tree, space, asked)
    answer, other = search.answer(), {}
    if not answer["texts"] and "NoneType" in answer["reason"]:
        other = {"instead_of_none": True}
    elif answer["texts"] and search.wanted.flags() and not search.makes_something(answer["texts"][0]):
        other = {"other_way": True}
    if not other:
        return answer
    instead = CallSearch(tree, space, asked, **other)
    found = instead.answer()
    return {**found, "flags": instead.wanted.turned()} if found["texts"] else answer


class _Kept:
    """A function of numbers and shapes that makes no array twice, while there is room: most attempts ask for those of the one before."""

    def __init__(self, make):
        self.make, self.made, self.room = make, {}, ROOM

    def __call__(self, *given):
        if given not in self.made:
            array = self.make(*given)
            if array.size > self.room:
                return array
            self.room -= array.size
            self.made[given] = array
        return self.made[given].copy()


class CallSearch:
    """The search for one pass."""

    def __init__(self, tree, space, asked, **other):
        self.space, self.asked = space, asked
        exec(driven.HELPERS, space)
        space.update(_driver_dict=driven.FoundDict, _driver_object=driven.FoundObject)
        for name in ("_driver_normal", "_driver_whole", "_driver_hot"):
            space[name] = _Kept(space[name])
        self.wanted = WantedArguments(tree, asked, **other)
        self.text = driven.CallText(self.wanted)
        self.attempts = 0
        self.reason = ""

    def answer(self):
        best = []
        while True:
            try:
                for score, order, text in self._tried():
                    best.append((tuple([-part for part in score]), order, text))
                    best = sorted(best)[:BEST]
                break
            except driven.LookedUp as found:
                if len(self.wanted.items) > 80 or not isinstance(found.args[1], (str, int)):
                    break
                self.wanted.entry(*found.args)
        if not best:
            return {"texts": [], "reason": self.reason or "no arguments were found that fit"}
        return {
            "texts": [text for score, _, text in best if score == best[0][0]],
            "score": -best[0][0][0],
            "reason": "",
        }

    def makes_something(self, text):
        """Whether a call's backward pass gives back, or its object holds after it, any array other than zeros that was not there before."""
        space, listed = self.space, self.space["_driver_listed"]
        at = text.index("_driver_1 = ")
        with np.errstate(all="ignore"):
            exec(text[:at], space)
        held = [a.copy() for a in listed(space.get("_driver_self")) + listed(space.get("_driver_0"))]
        with np.errstate(all="ignore"):
            exec(text[at:], space)
        made = listed(space["_driver_1"]) + listed(space.get("_driver_self"))
        return any(a.any() and not any(np.array_equal(a, one) for one in held) for a in made)

    def _tried(self):
        """Choices of what the arguments are that run, with how well what comes back fits the arguments."""
        empty = [s.name for s in self.wanted.slots if not s.choices]
        if empty:
            self.reason = "%s: it is not known what it is" % empty[0]
            return
        groups = list(dict.fromkeys(s.group for s in self.wanted.slots))
        counts = [next(len(s.choices) for s in self.wanted.slots if s.group == g) for g in groups]
        heap, seen = [(0, (0,) * len(counts))], {(0,) * len(counts)}
        order = itertools.count()
        enough, best = ATTEMPTS, (0.0,)
        while heap and self.attempts < enough:
            cost, chosen = heapq.heappop(heap)
            self.attempts += 1
            taken = [s.choices[chosen[groups.index(s.group)]] for s in self.wanted.slots]
            made = self._fitted(taken)
            if made is not None and (made[0][2] > 1 or not self._has_weights(taken)):
                yield (made[0], next(order), made[1])
                if made[0] > best:
                    best, enough = made[0], min(ATTEMPTS, self.attempts + MORE * (1 if made[0][0] >= 1.0 else 3))
            for k, count in enumerate(counts):
                if chosen[k] + 1 < count:
                    another = chosen[:k] + (chosen[k] + 1,) + chosen[k + 1 :]
                    if another not in seen:
                        seen.add(another)
                        heapq.heappush(heap, (cost + 1, another))

    def _has_weights(self, chosen):
        """Whether several weights are made up: where all of their axes had to be one, they fit by being alike, not by what they are."""
        made = [s for s, (how, kind) in zip(self.wanted.slots, chosen) if how == "made" and kind in guesses.ARRAYS]
        return sum(bool(guesses.WEIGHT.search(str(s.owner[1]) if s.owner else s.name)) for s in made) > 1

    def _fitted(self, chosen):
        """The score and text of one choice: its sizes found by running it, then made small. The score: see `_scored`; how many sizes could
        be chosen; how few axes of a backward pass have one entry, since a sequence of one step shows little."""
        for parts in self.wanted.parts:
            made = self._in_parts(chosen, parts)
            if made is not None:
                return made
        return None

    def _in_parts(self, chosen, parts):
        sizes = Sizes(parts, self.wanted.written)
        axes = [self._axes(kind, sizes, s) for s, kind in zip(self.wanted.slots, chosen)]
        if not self._runs(chosen, axes, sizes) or any(_is_one_number(sizes, each) for each in axes):
            return None
        if self._kept_states(sizes) and not self._runs(chosen, axes, sizes):
            return None
        free = sizes.freedom() + 2 * sum(kind == "far" for _, kind in chosen)  # more general than any size
        for factor in (parts, 1) if parts > 1 and not sizes.multiple else (1,):
            sizes.shrink(factor)
            done = self._runs(chosen, axes, sizes)
            if done:
                ones = sum(a == 1 or (isinstance(a, tuple) and sizes.size(a[0]) == 1) for each in axes for a in each)
                return (*done[0], free, 0 if self.asked["is_forward"] else -ones), done[1]
        return None

    def _kept_states(self, sizes):
        """Gives first states the shapes of what the forward pass makes of them; whether some had others. A function of one step runs with
        any."""
        made = [(n, getattr(eval(text, self.space), "shape", ())) for n, text in self.wanted.outputs if n]
        changed = False
        for slot in self.wanted.slots:
            own = getattr(_looked_up(self.space, slot), "shape", ()) if slot.is_state else ()
            name = guesses.state_of(slot.name)
            after = [shape for n, shape in made if guesses.state_of(n) == name and len(shape) == len(own)]
            if own and len(after) == 1:
                for a, b in zip(own, after[0]):
                    changed = (a != b and sizes.same(a, b)) or changed
        return changed

    @staticmethod
    def _axes(choice, sizes, slot):
        how, kind = choice
        if how != "made":
            return ()
        if kind == "size":
            return (sizes.axis(),)
        compared = kind in _WHOLE or bool(
            guesses.TARGET.search(slot.name)
        )  # with what is computed: it makes nothing more general
        axes = enumerate(guesses.ARRAYS.get(kind, ()))
        return tuple(1 if a == 1 else (sizes.axis(k, slot.is_state, compared),) for k, a in axes)

    def _runs(self, chosen, axes, sizes):
        for _ in range(ROUNDS):
            try:
                lines, space = self.text.lines(chosen, axes, sizes), self.space
                space["_driver"], space["_driver_upstream"] = types.SimpleNamespace(), types.SimpleNamespace()
                with np.errstate(all="ignore"):
                    for line in lines:
                        exec(_statement(line), space)
            except driven.LookedUp:
                raise
            except Exception as error:
                self.reason = "%s: %s" % (type(error).__name__, error)
                if not sizes.mend(str(error)):
                    return None
                continue
            return self._scored(chosen, space, "\n".join(lines) + "\n")
        return None

    def _scored(self, chosen, space, text):
        """How many of the arrays that were made up have one of their shape among what came back, each another one, of all; whole numbers
        have none. Then how many of those that came back have the shape of one that was made up."""
        listed = space["_driver_listed"]
        back = listed(space.get("_driver_1")) + listed(getattr(space.get("_driver_self"), "__dict__", {}))
        if not back or not all(np.isfinite(a).all() for a in back):
            return None
        if self.asked["is_forward"]:
            return (self._forward_score(chosen, space, text), 1.0), text
        made = [
            (s, kind in _WHOLE)
            for s, (how, kind) in zip(self.wanted.slots, chosen)
            if how == "made" and kind[0] in "acrsi" and kind in guesses.ARRAYS
        ]
        shown = [(s, whole, _looked_up(space, s)) for s, whole in made if not guesses.TARGET.search(s.name)]
        asked = [(s.name, None if whole else np.shape(value)) for s, whole, value in shown if value is not None]
        weights = [shape for name, shape in asked if not guesses.STATE.search(name)]
        left = [np.shape(a) for a in back]
        good = sum(shape == () or _taken(left, shape) for shape in weights)
        handed = [
            getattr(space["_driver"], s.name, None) for s, (how, _) in zip(self.wanted.slots, chosen) if how == "made"
        ]
        given = [np.shape(a) for a in listed(space.get("_driver_1")) if np.ndim(a)]
        if self.asked[
            "owner"
        ]:  # several are gradients of what an object holds; one alone may be that of a state, which is not asked for
            handed.append(space["_driver_self"].__dict__)
            given = given if len(given) > 1 else []
        known = {np.shape(a) for a in listed(handed)}
        explained = sum(shape in known for shape in given)
        return (good / len(weights) if weights else 1.0, explained / len(given) if given else 1.0), text

    def _forward_score(self, chosen, space, text):
        """1 where weights have two axes, biases those of weights, states at most two, and what is computed keeps its shapes, less where
        they do not: what comes back of a forward pass has not its weights' shapes."""
        made = [s for s, (how, kind) in zip(self.wanted.slots, chosen) if how == "made" and kind in guesses.ARRAYS]
        shapes = [(s, getattr(_looked_up(space, s), "shape", ())) for s in made]
        weights = [shape for s, shape in shapes if not s.is_state and guesses.WEIGHT.search(s.name)]
        axes = {1}.union(*weights)
        odd = sum(len(shape) != 2 for shape in weights)
        odd += sum(s.is_state and len(shape) > 2 for s, shape in shapes)
        odd += sum(bool(guesses.BIAS.search(s.name)) and not axes.issuperset(shape) for s, shape in shapes)
        with np.errstate(all="ignore"):
            return 1.0 - odd / len(chosen) - (not steady.is_steady(text, space))


@functools.lru_cache(maxsize=4096)
def _statement(line):
    """A statement compiled: from one attempt to the next few of them change."""
    return compile(line, "<call>", "exec")


def _taken(left, one):
    """Takes one of a list, where it is in it."""
    if one not in left:
        return False
    left.remove(one)
    return True


def _is_one_number(sizes, axes):
    """Whether all of several axes that were open had to be one: what is computed with such an array does not show what it is."""
    made = [a[0] for a in axes if isinstance(a, tuple)]
    return len(made) > 1 and all(sizes.size(a) == 1 for a in made)


def _looked_up(space, slot):
    driver = space["_driver"]
    try:
        if slot.owner is None:
            return getattr(driver, slot.name, None)
        held = getattr(driver, slot.owner[0])
        return held[slot.owner[1]] if isinstance(held, dict) else getattr(held, slot.owner[1], None)
    except (AttributeError, KeyError, TypeError):
        return None
