"""The backward pass in functions as the forward pass is: what goes back through a call stands in a function beside the one called."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from engine.doctor.derive.derived import AS_BEFORE, KEPT, BackwardFunction, DerivedLine, Keep
from engine.doctor.derive.forward.branches import ending
from engine.doctor.derive.forward.flat_pass import Called
from engine.doctor.derive.forward.passes import ForwardPass
from engine.doctor.derive.proof.line_names import (
    adds,
    backward_name,
    entries_named,
    is_computed,
    loaded,
    named_anew,
    needed,
    ordered,
    rewritten,
    stored,
    targets_inside,
    width,
)
from engine.doctor.derive.proof.reach import names_in
from engine.doctor.derive.tree.statements import all_statements
from engine.doctor.derive.tree.syntax_of import names

FEWEST = 3
"""A call of fewer lines than this is carried back in the place of the call."""


def folded(
    forward: ForwardPass, tree: ast.Module, lines: Sequence[DerivedLine], wanted: Collection[str]
) -> tuple[list[DerivedLine], list[BackwardFunction]]:
    """The lines with those of each call in a function of its own, and these functions. `wanted` are the gradients to be known
    after them."""
    folding = _Folding(forward, tree, lines, wanted)
    return folding.stretch(0, len(lines), 0), list(folding.functions.values())


def whole(
    forward: ForwardPass,
    tree: ast.Module,
    lines: Sequence[DerivedLine],
    wanted: Collection[str],
    given: Collection[str],
) -> tuple[list[DerivedLine], list[BackwardFunction], list[Keep]]:
    """All lines in one function, beside the one that they stand in, which is `given` the gradients of what that returns; the call of
    it that would stand in the latter, and what that has to keep or return for it."""
    function = forward.function
    if function is None or not lines:
        return [], [], []
    folding = _Folding(forward, tree, lines, wanted, given)
    is_method = bool(function.args.args) and function.args.args[0].arg == "self"
    call = Called(function, forward.last, ast.Call(ast.Name(function.name), [], []), {}, "self" if is_method else "")
    made = folding.call_of(call, folding.stretch(0, len(lines), 0))
    return made, list(folding.functions.values()), list(_handed(forward, function, folding.needed))


def _handed(forward: ForwardPass, function: ast.FunctionDef, needed: Mapping[str, str]) -> Iterator[Keep]:
    """How a function hands on what its backward pass needs: on its object, or returned with the rest."""
    end = ending(function, forward.shapes)
    indent, why = forward.indent(end), "for the backward pass"
    held = {n: attribute for n, attribute in needed.items() if attribute != n}
    yield from (Keep(end.lineno - 1, "", f"{indent}{attribute} = {n}", why) for n, attribute in held.items())
    value = end.value if isinstance(end, ast.Return) else None
    returned = [ast.unparse(e) for e in (value.elts if isinstance(value, ast.Tuple) else [value] if value else [])]
    own = {a.arg for a in (*function.args.args, *function.args.kwonlyargs)}
    more = [n for n in needed if n not in (*returned, *own, *held)]
    if more:
        yield Keep(end.lineno, "", f"{indent}return {', '.join([*returned, *more])}", why, replaces=True)


class _Folding:
    def __init__(
        self,
        forward: ForwardPass,
        tree: ast.Module,
        lines: Sequence[DerivedLine],
        wanted: Collection[str],
        given: Collection[str] = (),
    ) -> None:
        self._forward, self._tree, self._lines, self._given = forward, tree, lines, given
        self._wanted = {re.split(r"\W", name)[0] for name in wanted}
        self._taken = {n for line in lines for n in names_in(line.text)} | names(tree)
        self.functions: dict[int, BackwardFunction] = {}
        self.needed: dict[str, str] = {}
        """What the function that all stands beside has to hand on, and what its backward pass knows it by."""

    def stretch(self, start: int, end: int, depth: int) -> list[DerivedLine]:
        """Some of the lines, with calls of this depth folded."""
        made: list[DerivedLine] = []
        for first, last, call in self._groups(start, end, depth):
            if call is not None and self._is_in_its_loop(call, first):
                made += self.stretch(first, last, depth + 1)
                continue
            moved = self._moved(start, first, last, depth, call) if call is not None else []
            together = self._call(call, moved, first, last, depth) if call is not None else None
            if together is None:
                made += [self._lines[k] for k in range(first, last)]
            else:
                made = [line for line in made if not any(line is self._lines[k] for k in moved)]
                made += together
        return made

    def _groups(self, start: int, end: int, depth: int) -> Iterator[tuple[int, int, Called | None]]:
        """The stretches of lines, each of one call or of none; a call whose lines are apart is of none."""
        of = [self._lines[k].calls[depth : depth + 1] for k in range(start, end)]
        k = 0
        while k < len(of):
            stop = next((j for j in range(k, len(of)) if of[j] != of[k]), len(of))
            is_whole = bool(of[k]) and of.count(of[k]) == stop - k and self._is_block(start + k, start + stop)
            yield start + k, start + stop, self._forward.flat.calls[of[k][0]] if is_whole else None
            k = stop

    def _is_in_its_loop(self, call: Called, first: int) -> bool:
        """Whether a line stands in a loop of the function that is called: all rounds are of one call, which began before the loop."""
        own = range(call.function.lineno, (call.function.end_lineno or 0) + 1)
        return any(self._lines[k].of in own for k in self._around(first))

    def _is_block(self, start: int, end: int) -> bool:
        widths = [width(self._lines[k]) for k in range(start, end)]
        return end - start >= FEWEST and min(widths) == widths[0]

    def _moved(self, start: int, first: int, last: int, depth: int, call: Called) -> list[int]:
        """The lines before a call that make again what only the lines of the call read, if it is not given that, and dictionaries that only
        they fill."""
        found: list[int] = []
        for k in reversed(range(start, first)):
            line = self._lines[k]
            own = stored(line) - {"_"}
            is_beside = line.calls[depth:] == () and width(line) == width(self._lines[first])
            is_beside = is_beside and not (own & set(call.given.values()) and is_computed(line))
            is_dict = line.text.endswith(" = {}")
            if not is_beside or not (is_dict or line.why in (AS_BEFORE, KEPT)):
                continue
            inside = {*found, *range(first, last)}
            others = [j for j in range(first if is_dict else len(self._lines)) if j != k and j not in inside]
            if any(own & loaded(self._lines[j]) for j in inside) and not any(
                own & loaded(self._lines[j]) for j in others
            ):
                found.insert(0, k)
        return found

    # One call

    def _call(self, call: Called, moved: Sequence[int], first: int, last: int, depth: int) -> list[DerivedLine] | None:
        lines = [*(self._lines[k] for k in moved), *self.stretch(first, last, depth + 1)]
        wide = width(self._lines[first])
        body = [replace(one, text=one.text.strip()) for one in lines[: len(moved)]]
        body += [replace(one, text=one.text[wide:]) for one in lines[len(moved) :]]
        body = [rewritten(one, {}, call.receiver) for one in body] if "[" in call.receiver else body
        counters, outputs = self._counters(first), self._outputs(first, last)
        outputs = [*(self._lines[k].makes for k in moved if self._lines[k].text.endswith(" = {}")), *outputs]
        body, added = self._added_up(body, outputs, first)
        body, entries = entries_named(body, counters, self._entry_names(call))
        own = self._own_names(call, body, outputs, entries)
        inputs = self._inputs(call, body, entries)
        body = [rewritten(line, own, call.receiver) for line in body]
        body, given = named_anew(body, [own.get(n, n) for n in outputs])
        function = self._function(call, body, [own.get(n, n) for n in inputs], given)
        same = self.functions.setdefault(call.function.lineno, function)
        if same.text() != function.text():
            return None
        arguments = ", ".join(entries.get(n, n) for n in inputs)
        results = {n: self._part(n) if n in added else n for n in outputs}
        name = f"{call.receiver}.{function.name}" if call.receiver else function.name
        left = f"{', '.join(results.values())} = " if outputs else ""
        of = call.statement.lineno
        texts = [f"{left}{name}({arguments})", *(f"{n} += {results[n]}" for n in added)]
        return [DerivedLine(" " * wide + text, of=of, file=self._lines[first].file) for text in texts]

    def call_of(self, call: Called, body: list[DerivedLine]) -> list[DerivedLine]:
        """The call of a function that all of the lines are put in."""
        outputs = self._outputs(0, len(self._lines))
        inputs = self._inputs(call, body, {})
        self.needed = {n: n for n in inputs if n not in self._given}
        if call.receiver and (owner := self._owner(call.function)) is not None:
            taken = {n.attr for n in ast.walk(owner) if isinstance(n, ast.Attribute)}
            self.needed = {n: f"self.{n}_kept" if n in taken else f"self.{n}" for n in self.needed}
            body = [rewritten(line, self.needed, "") for line in body]
            inputs = [n for n in inputs if n not in self.needed]
        function = self._function(call, body, inputs, outputs)
        self.functions[-1] = function
        name = f"self.{function.name}" if call.receiver else function.name
        return [DerivedLine(f"{', '.join(outputs)} = {name}({', '.join(inputs)})")]

    def _function(
        self, call: Called, body: list[DerivedLine], parameters: list[str], given: list[str]
    ) -> BackwardFunction:
        function, owner = call.function, self._owner(call.function)
        around = owner.body if owner is not None else list(ast.walk(self._tree))
        taken = {n.name for n in around if isinstance(n, ast.FunctionDef)}
        returned = [DerivedLine(f"return {', '.join(given)}")] if given else []
        private = f"self._{owner.name.lstrip('_')}__" if owner is not None else "self.__"
        body = [replace(line, text=line.text.replace(private, "self.__")) for line in body]
        return BackwardFunction(
            backward_name(function.name, taken),
            f"{owner.name}.{function.name}" if owner is not None else function.name,
            function.end_lineno or function.lineno,
            " " * function.col_offset,
            (*(["self"] if owner is not None and call.receiver else []), *parameters),
            (*body, *returned),
        )

    def _owner(self, function: ast.FunctionDef) -> ast.ClassDef | None:
        """The class that a function is a method of."""
        classes = (c for c in ast.walk(self._tree) if isinstance(c, ast.ClassDef))
        return next((c for c in classes if any(s.lineno == function.lineno for s in c.body)), None)

    def _part(self, name: str) -> str:
        """What one call gives of a sum."""
        return next(n for n in (f"{name}_t", f"{name}_part", f"{name}_part2") if n not in self._taken)

    def _counters(self, first: int) -> set[str]:
        """What the loops around a line count with."""
        return set[str]().union(*(stored(self._lines[k]) for k in self._around(first)))

    def _around(self, first: int) -> list[int]:
        """The lines with which the loops around a line begin, the outermost first."""
        wide, found = width(self._lines[first]), list[int]()
        for k in reversed(range(first)):
            if width(self._lines[k]) < wide:
                wide = width(self._lines[k])
                found.insert(0, k)
        return found

    def _next_reads(self, loop: int, last: int) -> Iterator[str]:
        """What the next round of a loop reads of what is there behind a line of it."""
        wide, lines = width(self._lines[loop]), self._lines
        end = next((k for k in range(loop + 1, len(lines)) if width(lines[k]) <= wide), len(lines))
        yield from needed([*lines[last:end], *lines[loop:end]])

    def _outputs(self, first: int, last: int) -> list[str]:
        """What is made by lines and read after them, or before them in the next round."""
        around = self._around(first)
        read = {
            *needed(self._lines[last:]),
            *(n for k in around for n in self._next_reads(k, last)),
            *self._wanted,
        }
        made = [n for k in range(first, last) for n in ordered(self._lines[k]) if n in stored(self._lines[k])]
        if around:
            made = [n for n in made if n not in targets_inside(self._lines[first:last])]
        return [n for n in dict.fromkeys(made) if n in read]

    def _added_up(
        self, body: list[DerivedLine], outputs: Collection[str], first: int
    ) -> tuple[list[DerivedLine], list[str]]:
        """The body with a sum of its own for each output that it only adds to; these outputs."""
        found: list[str] = []
        for name in outputs:
            places = [k for k, line in enumerate(body) if name in stored(line)]
            if any(name in loaded(line, is_sum=False) for line in body) or not all(adds(body[k]) for k in places):
                continue
            k = places[0]
            if width(body[k]) == 0:
                body = [*body[:k], replace(body[k], text=body[k].text.replace(" += ", " = ", 1)), *body[k + 1 :]]
            else:
                begun = [one for one in self._lines[:first] if one.makes == name and one.kind == "init"]
                if not begun:
                    continue
                body = [replace(begun[-1], text=begun[-1].text.strip()), *body]
            found.append(name)
        return body, found

    def _inputs(self, call: Called, body: Sequence[DerivedLine], entries: Mapping[str, str]) -> list[str]:
        """What the function is given: gradients first; not what it can read itself."""
        free = self._free(call.function)
        read = [rewritten(line, {}, call.receiver) for line in body]
        wanted = [n for n in dict.fromkeys(needed(read)) if (n not in free or n in entries) and n != "self"]
        makes = {*(line.makes for line in self._lines), *self._given}
        sums = {line.makes for line in self._lines if line.text.endswith(" = {}")}
        gradients = [n for n in wanted if n in makes or entries.get(n, "").startswith("d")]
        return sorted(wanted, key=lambda n: (n not in gradients, n in sums))

    def _free(self, function: ast.FunctionDef) -> set[str]:
        """The names that a function beside this one can read: what is imported or defined, and what this one reads from outside."""
        stored = {n.id for n in ast.walk(self._tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        known = {*(set(dir(builtins)) - stored), *(one.name for one in self.functions.values())}
        for s in self._tree.body:
            if isinstance(s, ast.Import | ast.ImportFrom):
                known |= {(a.asname or a.name).partition(".")[0] for a in s.names}
            elif isinstance(s, ast.FunctionDef | ast.ClassDef):
                known.add(s.name)
        arguments = function.args
        own = {a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
        inside = [n for s in function.body for n in ast.walk(s) if isinstance(n, ast.Name)]
        own |= {n.id for n in inside if isinstance(n.ctx, ast.Store)}
        return known | ({n.id for n in inside} - own)

    def _entry_names(self, call: Called) -> dict[str, str]:
        """What the function calls entries of its caller's lists: its arguments, and what is put there when it is over."""
        own = {text: name for name, text in call.given.items() if text != call.receiver}
        inverse = {new: name for name, new in call.renamed.items()}
        for s in all_statements(self._forward.body):
            value, target = (s.value, s.targets[0]) if isinstance(s, ast.Assign) else (None, None)
            if isinstance(value, ast.Name) and value.id in inverse and isinstance(target, ast.Subscript):
                own.setdefault(ast.unparse(target), inverse[value.id])
        return own

    def _own_names(
        self, call: Called, body: Sequence[DerivedLine], outputs: Sequence[str], entries: Mapping[str, str]
    ) -> dict[str, str]:
        """What names of the caller are in the function: those of its locals, and temporary ones counted anew."""
        used = list(dict.fromkeys(n for line in body for n in ordered(line)))
        likely = {text: name for name, text in call.given.items() if text.isidentifier()}
        likely |= {new: name for name, new in call.renamed.items()}
        likely |= {f"d{new}": f"d{name}" for new, name in likely.items()}
        holder = call.receiver.rpartition(".")[2]
        likely |= {
            n: n.removesuffix(f"_{holder}") for n in used if holder and n.startswith("d") and n.endswith(f"_{holder}")
        }
        read = set(needed(body))
        local = [n for n in used if n not in outputs and n not in read and n not in likely]
        for name in local:
            stem = re.match(r"d[A-Za-z_]+(?=\d+$)", name)
            likely |= {name: stem.group()} if stem else {}
        own: dict[str, str] = {}
        for name in used:
            if (word := likely.get(name, name)) == name:
                continue
            taken = {own.get(n, n) for n in used if n != name}
            is_earlier = name in outputs or (name in entries and "+ 1" in entries.get(word, ""))
            is_of_holder = bool(holder) and name == f"{word}_{holder}"
            numbered = () if is_of_holder else (f"{word}{k}" for k in range(2, 50))
            options = (word, *([f"{word}_prev"] if is_earlier and not is_of_holder else []), *numbered, name)
            own[name] = next(n for n in options if n not in taken)
        shown = {own.get(n, n) for n in used}
        for name in (n for n in outputs if n in read):  # what it is given comes from the next step
            stem = re.sub(r"\d+$", "", own.get(name, name))
            if stem != own.get(name, name) and stem in shown and f"{stem}_next" not in shown:
                own[name] = f"{stem}_next"
        return own
