"""How a value of the forward pass is written in the backward pass: by its own name, as an entry of a list that keeps it, or made again."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Collection, Iterator
from keyword import iskeyword

from engine.doctor.derive.derived import Keep, Refused
from engine.doctor.derive.forward.flat import BEFORE
from engine.doctor.derive.forward.forward import Definition, ForwardPass
from engine.doctor.derive.forward.steps import Steps, plus_number, singular, split
from engine.doctor.derive.tree.shapes import Shape
from engine.doctor.derive.tree.statements import appended, step_of, targets
from engine.doctor.derive.tree.syntax_of import base, called, names, parsed, path
from engine.doctor.derive.values.counters import Counters
from engine.doctor.mending.edits.atoms import replaced


class ForwardValues:
    """Writes values of the forward pass as the backward pass can read them. `keeps` is what the forward pass has to keep for that."""

    def __init__(self, forward: ForwardPass, steps: Steps, taken: set[str], old: frozenset[tuple[str, int]]) -> None:
        self._forward, self._steps, self._taken, self._old = forward, steps, taken, old
        self.keeps: list[Keep] = []
        self.needs_old: set[tuple[str, int]] = set()
        self._lists: dict[tuple[str, int], str] = {}
        self._again: dict[int, list[ast.stmt]] = {}
        self._remade: dict[int, dict[str, tuple[int, str]]] = {}
        self._unpackings: dict[int, dict[str, list[str]]] = {}
        self.counters = Counters(forward)
        self._read: defaultdict[str, list[ast.expr]] = defaultdict(list)
        for node in (n for s in forward.body for n in ast.walk(s) if isinstance(n, ast.Attribute | ast.Subscript)):
            self._read[path(node)].append(node)

    # Values

    def text(self, node: ast.expr, statement: ast.stmt, *, after: bool = False) -> ast.expr:
        """The expression with every value written as it can be read on the way back."""

        def change(part: ast.expr) -> ast.expr | None:
            if isinstance(part, ast.Subscript) and not path(part):
                filled = self._steps.get(base(part))
                relation = self._steps.relation(part, statement) if filled is not None else ""
                if filled is not None and filled.is_list and relation in ("new", "old"):
                    index = plus_number(self.counters.of(filled.loop), filled.offset - (relation == "old"))
                    return ast.Subscript(self.text(part.value, statement, after=after), index, ast.Load())
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load):
                return self._name(part.id, statement, after=after)
            return self._refilled(path(part), statement) if isinstance(part, ast.Attribute) else None

        return replaced(node, change)

    def kept_before(self, texts: Collection[str]) -> Iterator[Keep]:
        """The lines that keep first values which these lines read, before their names are taken."""
        flat = self._forward.flat
        words = {word for text in texts for word in re.findall(r"[A-Za-z_]\w*", text)}
        for new in words & set(flat.before):
            name, statement = flat.before[new]
            own, indent = flat.own_name(name), self._forward.indent(statement)
            yield Keep(
                statement.lineno - 1, "", f"{indent}{own}{BEFORE} = {own}", f"{own} has another value afterwards"
            )

    def result(self, target: ast.expr, statement: ast.stmt, is_append: bool) -> ast.expr | None:
        """The value that a statement wrote."""
        if is_append:
            return parsed(
                f"{ast.unparse(self.text(_read(target), statement))}[{self.position(target, statement, True)}]"
            )
        if isinstance(target, ast.Name):
            try:
                return self._name(target.id, statement, after=True) or parsed(target.id)
            except Refused:
                return None
        return self.text(_read(target), statement, after=True)

    def is_put_away(self, node: ast.expr, statement: ast.stmt) -> bool:
        """Whether the program itself keeps the value that a round gave a name."""
        loops = self._forward.loops.get(id(statement), ())
        if not isinstance(node, ast.Name) or not loops:
            return False
        made = [
            d
            for d in self._forward.definitions.get(node.id, [])
            if loops[-1] in d.loops and _binds(d.statement, node.id)
        ]
        return len(made) == 1 and bool(
            self._stored(node.id, loops[-1], made[0], True) or self._unpacked(node.id, loops[-1], made[0], True)
        )

    def position(self, target: ast.expr, statement: ast.stmt, is_append: bool) -> str:
        """The index of the entry that a statement writes."""
        filled = self._steps.get(base(target))
        if is_append:
            if filled is None:
                raise Refused(f"how {ast.unparse(target)} grows is not followed")
            return ast.unparse(plus_number(self.counters.of(filled.loop), filled.offset))
        return ast.unparse(target)[len(ast.unparse(target.value)) + 1 : -1] if isinstance(target, ast.Subscript) else ""

    def _name(self, name: str, statement: ast.stmt, *, after: bool) -> ast.expr | None:
        definitions = self._forward.definitions.get(name, [])
        order = self._forward.order.get(id(statement), 0)
        for loop in reversed(self._forward.loops.get(id(statement), ())):
            inside = [d for d in definitions if loop in d.loops]
            if any(d.statement is loop for d in inside):
                return None
            made = [d for d in inside if _binds(d.statement, name)]
            if made:
                return self._in_loop(name, loop, made, statement, order, after)
            if self._is_refilled(name, loop):
                kept = self._stored(name, loop, inside[-1], True) or self._kept(name, loop, inside[-1], True)
                self._unpackings.setdefault(id(loop), {})[kept] = [name]
                return None
        later = [
            d
            for d in definitions
            if _binds(d.statement, name) and (d.order > order or (d.statement is statement and not after))
        ]
        before = [d for d in definitions if _binds(d.statement, name) and d.order < order]
        if later and after:
            raise Refused(f"{name} has another value afterwards")
        if later and (before or any(d.statement is not statement for d in later)):
            return self._made_before(name, before)
        left = (
            next((d.loops[-1] for d in reversed(before) if d.loops), None)
            if name in self._forward.flat.hidden
            else None
        )
        text = self.after_loop(name, left) if left is not None else name
        return parsed(text) if text != name else None

    def _made_before(self, name: str, before: list[Definition]) -> ast.expr:
        """A value that another one has taken the name of: as the expression that made it."""
        made = before[-1].statement if before else None
        if not isinstance(made, ast.Assign) or len(made.targets) > 1 or path(made.targets[0]) != name:
            raise Refused(f"{name} has another value afterwards; give one of the two a name of its own")
        return self.text(made.value, made)

    def _refilled(self, name: str, statement: ast.stmt) -> ast.expr | None:
        """What an object holds of a round, where each round fills it anew: an entry of a list that keeps it."""
        for loop in reversed(self._forward.loops.get(id(statement), ())):
            if name and self._is_refilled(name, loop):
                last = [d for d in self._forward.definitions[name] if loop in d.loops][-1]
                return parsed(self._kept(name, loop, last, True))
        return None

    def _is_refilled(self, name: str, loop: ast.For) -> bool:
        """Whether every round fills the same container anew, so that in the end it holds what the last round put there."""
        filled = self._steps.get(name)
        if filled is None or filled.loop is loop or loop not in filled.made.loops:
            return False
        if filled.is_list:
            raise Refused(f"{name} grows on from one round of line {loop.lineno} to the next; begin it anew in each")
        counted = {n.id for n in ast.walk(loop.target) if isinstance(n, ast.Name)}
        return not counted & names(parsed(f"_[{filled.pattern.replace('{}', '0')}]"))

    def _in_loop(
        self, name: str, loop: ast.For, made: list[Definition], statement: ast.stmt, order: int, after: bool
    ) -> ast.expr | None:
        if name not in self._forward.active or self._is_row(made, name):
            self._make_again(loop, name)
            return None
        last = max((d for d in made if d.order < order), key=lambda d: d.order, default=None)
        if last is not None and last.loops[-1] is not loop and last.loops[-1] not in self._forward.loops[id(statement)]:
            return self._left(name, last, statement)
        if len(made) > 1 and not all(d.body is made[0].body for d in made):
            raise Refused(f"{name} is written {len(made)} times in a round; give each value a name of its own")
        before = [d for d in made if d.order < order or (after and d.statement is statement)]
        one, is_new = (before or made)[-1], bool(before)
        value = getattr(one.statement, "value", None)
        if is_new and isinstance(value, ast.Subscript) and self._steps.relation(value, one.statement):
            return self.text(value, one.statement)
        if is_new and isinstance(value, ast.IfExp):
            self._remake(name, loop, one)
            return None
        stored = self._stored(name, loop, one, is_new)
        if not stored and self._unpacked(name, loop, one, is_new):
            return None
        if not stored and is_new and self._is_local(name, loop):
            self._remake(name, loop, one)
            return None
        return self.text(parsed(stored), statement) if stored else parsed(self._kept(name, loop, one, is_new))

    def _is_local(self, name: str, loop: ast.For) -> bool:
        """Whether it is a local of a function that a round calls, of this loop or of one around in another function."""
        flat, around = self._forward.flat, self._forward.loops.get(id(loop), ())
        own = flat.within.get(id(loop))
        is_far = any(flat.within.get(id(outer)) is not own for outer in around[-1:])
        return name not in flat.held and (flat.function_of(name) is not own or is_far)

    def _left(self, name: str, made: Definition, statement: ast.stmt) -> ast.expr:
        """The value that a loop inside a round left: the last entry of what keeps it."""
        loop = made.loops[-1]
        stored = self._stored(name, loop, made, True)
        container = base(parsed(stored or self._kept(name, loop, made, True)))
        last = self._steps.last_text(container) if self._steps.get(container) is not None else f"{container}[-1]"
        return self.text(parsed(last), statement)

    def _remake(self, name: str, loop: ast.For, made: Definition) -> None:
        """A local of a function that a round calls, which nothing keeps, is computed again where the round begins."""
        remade = self._remade.setdefault(id(loop), {})
        if name not in remade and isinstance(made.statement, ast.Assign):
            value = self.text(made.statement.value, made.statement)
            remade[name] = (made.order, f"{name} = {ast.unparse(value)}")
            for d in self._forward.definitions[name]:  # what is written into it part by part
                part = d.statement
                target = part.targets[0] if isinstance(part, ast.Assign) else None
                if isinstance(part, ast.Assign) and isinstance(target, ast.Subscript) and d.body is made.body:
                    index, value = self.text(target.slice, part), self.text(part.value, part)
                    written = ast.unparse(ast.Subscript(ast.Name(name), index, ast.Store()))
                    remade[f"{name} {d.order}"] = (d.order, f"{written} = {ast.unparse(value)}")

    def _unpacked(self, name: str, loop: ast.For, made: Definition, is_new: bool) -> bool:
        """Whether a tuple that each round puts away has the value; it is unpacked where the round begins."""
        until = self._until(name, made)
        packed = {
            path(s.targets[0]): s
            for s in loop.body
            if isinstance(s, ast.Assign) and isinstance(s.value, ast.Tuple) and path(s.targets[0])
        }
        for statement in loop.body:
            put, entry = self._put_away(statement, loop)
            if put is None or not (isinstance(put, ast.Tuple) or path(put) in packed):
                continue
            outer = packed.get(path(put), statement)
            for source, tuples in _tuples(outer, put, packed):
                if name in tuples[-1][1] and is_new == (made.order < self._forward.order[id(source)] < until):
                    for where, given in [(entry, tuples[0][1]), *tuples[1:]]:
                        self._unpackings.setdefault(id(loop), {})[where] = given
                    return True
        return False

    def _put_away(self, statement: ast.stmt, loop: ast.For) -> tuple[ast.expr | None, str]:
        """What a statement puts into a list or an entry, and how that is read on the way back."""
        put = appended(statement)
        if put is not None:
            (target,) = targets(statement)
            return put, f"{ast.unparse(target)}[{self.counters.of(loop)}]"
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Subscript):
            return statement.value, ast.unparse(statement.targets[0])
        return None, ""

    def _is_row(self, made: list[Definition], name: str) -> bool:
        """Whether a name stands for a part of a parameter, as a row of an embedding does."""
        del name
        value = made[0].statement.value if len(made) == 1 and isinstance(made[0].statement, ast.Assign) else None
        return isinstance(value, ast.Subscript) and base(value) in self._forward.parameters

    def _stored(self, name: str, loop: ast.For, made: Definition, is_new: bool) -> str:
        """Where the program itself keeps the value, in this round or the one before; under another name, too, where it has two."""
        value = getattr(made.statement, "value", None)
        others = self._forward.definitions.get(value.id, []) if isinstance(value, ast.Name) else []
        if isinstance(value, ast.Name) and (
            other := [d for d in others if d.order < made.order and d.body is made.body]
        ):
            return self._stored_as(name, loop, made, is_new) or self._stored_as(value.id, loop, other[-1], is_new)
        return self._stored_as(name, loop, made, is_new)

    def _stored_as(self, name: str, loop: ast.For, made: Definition, is_new: bool) -> str:
        until = self._until(name, made)
        for statement in loop.body:
            if not made.order < self._forward.order.get(id(statement), -1) < until:
                continue
            put = appended(statement)
            if put is not None and name in (path(put), _copied(put)):
                (container,) = targets(statement)
                filled = self._steps.get(base(container))
                if filled is not None and (is_new or filled.offset):
                    return f"{base(container)}[{ast.unparse(plus_number(self.counters.of(loop), filled.offset - (not is_new)))}]"
            if isinstance(statement, ast.Assign) and path(statement.value) == name and len(statement.targets) == 1:
                parts = split(statement.targets[0], step_of(loop) or "")
                if parts is not None and (is_new or parts[1] == 1):
                    index = ast.unparse(plus_number(step_of(loop) or "t", parts[1] - (not is_new)))
                    return f"{base(statement.targets[0])}[{parts[0].replace('{}', index)}]"
        return ""

    def _kept(self, name: str, loop: ast.For, made: Definition, is_new: bool) -> str:
        """An entry of a list that is added to the forward pass."""
        is_last = self._until(name, made) == self._until("", made)
        key = (name if is_last else f"{name} of {made.order}", loop.lineno)
        if not is_new:
            self.needs_old.add(key)
        keeps_first = key in self._old
        if key not in self._lists:
            flat = self._forward.flat
            is_called = name in {**flat.hidden, **flat.held} or flat.within.get(id(loop)) is not None
            own = flat.own_name(name) if is_called else name
            self._lists[key] = self._plural(own)
            plural, why = self._lists[key], f"{own} of every round"
            first = f"[{own}]" if keeps_first else "[]"
            self.keeps.append(Keep(loop.lineno - 1, "", self._forward.indent(loop) + f"{plural} = {first}", why))
            last = (
                made.statement
                if made.body is loop.body
                else next(s for s in loop.body if made.statement in list(ast.walk(s)))
            )
            end = self._in_text(loop, self._last_change(name, loop, last) if is_last else last)
            is_same = not _binds(made.statement, name)
            kept = f"{own}.copy()" if is_same or not is_last else own
            self.keeps.append(
                Keep(end.end_lineno or end.lineno, "", self._forward.indent(end) + f"{plural}.append({kept})", why)
            )
        index = plus_number(self.counters.of(loop), int(keeps_first) - (not is_new))
        self._keep_all(self._lists[key], loop)
        return f"{self._lists[key]}[{ast.unparse(index)}]"

    def _keep_all(self, kept: str, loop: ast.For) -> None:
        """A list that each round of a loop around begins anew is kept in another one, and taken out of it where the round begins."""
        within = self._forward.flat.within
        for outer in self._forward.loops.get(id(loop), ())[-1:]:
            if within.get(id(outer)) is not within.get(id(loop)):
                raise Refused(
                    f"{kept} of each call of {getattr(within.get(id(loop)), 'name', '')} is needed: return it"
                )
            key, why = (kept, outer.lineno), f"{kept} of every round"
            if key not in self._lists:
                self._lists[key] = self._plural(kept)
                every, indent = self._lists[key], self._forward.indent
                self.keeps.append(Keep(outer.lineno - 1, "", f"{indent(outer)}{every} = []", why))
                self.keeps.append(Keep(loop.end_lineno or 0, "", f"{indent(loop)}{every}.append({kept})", why))
            entry = f"{self._lists[key]}[{self.counters.of(outer)}]"
            self._unpackings.setdefault(id(outer), {})[entry] = [kept]
            self._keep_all(self._lists[key], outer)

    def after_loop(self, name: str, loop: ast.For) -> str:
        """The value that the last round left: by its name, or, of a called function's local, by the entry that keeps it."""
        for statement in loop.body if name in self._forward.flat.hidden else []:
            put, _ = self._put_away(statement, loop)
            container = base(next(targets(statement))) if put is not None and path(put) == name else ""
            if container and self._steps.get(container) is not None:
                return self._steps.last_text(container)
        return name

    def _until(self, name: str, made: Definition) -> float:
        """When a name that is written several times in a round gets its next value."""
        later = [
            d.order
            for d in self._forward.definitions.get(name, [])
            if d.body is made.body and _binds(d.statement, name)
        ]
        return min((order for order in later if order > made.order), default=float("inf"))

    def _plural(self, name: str) -> str:
        """A free name for the list of a value of every round."""
        name = name.rpartition(".")[2]
        plural = f"all_{name}" if name.endswith("s") else f"{name[:-1]}ies" if name.endswith("ry") else f"{name}s"
        options = [plural, f"{name}_kept", *(f"{name}_kept{k}" for k in range(2, 50))]
        found = next(one for one in options if one not in self._taken and not iskeyword(one))
        self._taken.add(found)
        return found

    def _in_text(self, loop: ast.For, statement: ast.stmt) -> ast.stmt:
        """The statement of the loop's own text that a statement is run by: itself, or the call of its function."""
        calls = [one.statement for one in self._forward.flat.called_at.get(id(statement), [])]
        inside = range(loop.lineno, (loop.end_lineno or loop.lineno) + 1)
        return next((s for s in (statement, *calls) if s.lineno in inside), statement)

    def _last_change(self, name: str, loop: ast.For, made: ast.stmt) -> ast.stmt:
        """The last statement of a loop that changes a value, as `hs.append(h)` changes hs."""
        changed = [s for s in loop.body for d in self._forward.definitions[name] if d.statement in list(ast.walk(s))]
        return changed[-1] if changed else made

    # Loops

    def top(self, loop: ast.For, used: set[str]) -> Iterator[str]:
        """What a round begins with: what it iterates over, and what it makes again."""
        for entry, given in self._unpackings.get(id(loop), {}).items():
            yield f"{', '.join(name if name.isidentifier() else '_' for name in given)} = {entry}"
        given = {name for names_ in self._unpackings.get(id(loop), {}).values() for name in names_}
        again = [s for s in self._again.get(id(loop), []) if not self._is_given(s, given)]
        remade = self._remade.get(id(loop), {}).values()
        needed = used | {n for s in [*again, *(ast.parse(text) for _, text in remade)] for n in names(s)}
        for name, entry in self.entries(loop):
            if name in needed:
                yield f"{name} = {entry}"
        made = [(self._forward.order[id(s)], ast.unparse(s)) for s in again]
        yield from (text for _, text in sorted([*made, *remade]))

    def _is_given(self, statement: ast.stmt, given: set[str]) -> bool:
        """Whether a statement makes only what was unpacked: a name that has one value in a round."""
        made = list(targets(statement))
        return bool(made) and all(path(one) in given and len(self._forward.definitions[path(one)]) == 1 for one in made)

    def entries(self, loop: ast.For) -> Iterator[tuple[str, str]]:
        """What a loop's names are in a round, where it iterates over arrays or lists."""
        name = called(loop.iter)
        if name in ("range", "arange", "reversed"):
            return
        step = self.counters.of(loop)
        arguments = loop.iter.args if isinstance(loop.iter, ast.Call) and name in ("zip", "enumerate") else [loop.iter]
        parts = (
            loop.target.elts if isinstance(loop.target, ast.Tuple) and name in ("zip", "enumerate") else [loop.target]
        )
        parts = parts[1:] if name == "enumerate" else parts
        for part, iterated in zip(parts, arguments, strict=False):
            across = iterated.value if isinstance(iterated, ast.Attribute) and iterated.attr == "T" else None
            text = ast.unparse(self.text(iterated if across is None else across, loop))
            if isinstance(part, ast.Name):
                yield part.id, f"{text}[{step}]" if across is None else f"{text}[:, {step}]"
            elif isinstance(part, ast.Tuple):
                for k, inner in enumerate(part.elts):
                    yield ast.unparse(inner), f"{text}[{step}][{k}]"

    def _make_again(self, loop: ast.For, name: str) -> None:
        again = self._again.setdefault(id(loop), [])
        for d in self._forward.definitions[name]:
            if isinstance(d.statement, ast.For) and d.statement is not loop and loop in d.loops:
                raise Refused("what a loop inside a round makes is not kept")
            if loop in d.loops and d.statement in loop.body and d.statement not in again:
                again.append(d.statement)
                for other in sorted(names(d.statement) - {name}):
                    for made in self._forward.definitions.get(other, []):
                        if (
                            loop in made.loops
                            and made.statement in loop.body
                            and other not in self._forward.active
                            and made.statement not in again
                        ):
                            self._make_again(loop, other)

    # Names

    def gradient_name(self, name: str) -> str:
        """`dW` of `W` and `self.W`, `dp['W']` of `p['W']`; `dW_gate` of `self.gate.W` where another object has a W too."""
        name = name.partition(BEFORE)[0]
        if "[" in name:
            head, _, rest = name.partition("[")
            return f"d{head.rpartition('.')[2]}[{rest}"
        holder, _, word = name.rpartition(".")
        is_one_of_many = any(one != name and one.rpartition(".")[2] == word for one in self._forward.parameters)
        return f"d{word}_{holder.rpartition('.')[2]}" if is_one_of_many and holder else f"d{word}"

    def free_name(self, hint: str, statement: ast.stmt) -> str:
        """A name for a gradient in the middle of a statement: `dz`, or `dz_f` where f is made; another one each time."""
        written = next(iter(targets(statement)), None)
        target = singular(base(written)) if written is not None and base(written) else ""
        options = [f"d{hint}", *([f"d{hint}_{target}"] if target else []), *(f"d{hint}{k}" for k in range(2, 50))]
        if hint in self._forward.definitions or (hint == "z" and target and self._is_gate(statement)):
            options = options[1:]
        name = next(n for n in options if n not in self._taken)
        self._taken.add(name)
        return name

    def _is_gate(self, statement: ast.stmt) -> bool:
        """Whether its loop has several activations, each of which has a name of its own for what goes into it."""
        loops = self._forward.loops.get(id(statement), ())
        calls = [n for n in ast.walk(loops[-1]) if isinstance(n, ast.Call)] if loops else []
        return sum(called(n) in ("tanh", "sigmoid", "sig", "relu", "maximum") for n in calls) > 1

    def shape_of(self, name: str) -> Shape | None:
        """The shape of what a name was given last."""
        for d in reversed(self._forward.definitions.get(name, [])):
            value = getattr(d.statement, "value", None)
            written = d.statement.targets[0] if isinstance(d.statement, ast.Assign) else None
            shape = self._forward.shapes.shape(value) if isinstance(value, ast.expr) else None
            if written is not None and path(written) == name and shape is not None:
                return shape
        return next((shape for n in self._read[name] if (shape := self._forward.shapes.shape(n)) is not None), None)

    def is_array(self, name: str) -> bool:
        return name in self._forward.parameters or self.shape_of(name) not in (None, ())


def _tuples(
    made: ast.stmt, put: ast.expr, packed: dict[str, ast.Assign]
) -> Iterator[tuple[ast.stmt, list[tuple[str, list[str]]]]]:
    """A tuple and those in it: the statement that makes the last one, and what is unpacked to come to it, names of entries by place."""
    value = made.value if isinstance(made, ast.Assign) and path(put) in packed else put
    if isinstance(value, ast.Tuple):
        given = [path(e) for e in value.elts]
        yield made, [("", given)]
        for name in given:
            if name in packed:
                for source, tuples in _tuples(packed[name], parsed(name), packed):
                    yield source, [("", given), (name, tuples[0][1]), *tuples[1:]]


def _copied(node: ast.expr) -> str:
    """What an expression is a copy of: `states` of `dict(states)` and `states.copy()`."""
    if not isinstance(node, ast.Call) or called(node) not in ("dict", "list", "copy", "deepcopy", "array"):
        return ""
    return path(node.args[0]) if node.args else path(node.func.value) if isinstance(node.func, ast.Attribute) else ""


def _binds(statement: ast.stmt, name: str) -> bool:
    """Whether it gives the name another value, and does not only change what it holds."""
    if isinstance(statement, ast.Expr):
        return False
    return any(isinstance(t, ast.Name) and t.id == name for t in targets(statement))


def _read(target: ast.expr) -> ast.expr:
    return parsed(ast.unparse(target))
