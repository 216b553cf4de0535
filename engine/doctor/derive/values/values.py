"""How a value of the forward pass is written in the backward pass: by its own name, as an entry of a list that keeps it, or made again."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Sequence

from engine.doctor.derive.derived import Refused
from engine.doctor.derive.forward.carried import binds
from engine.doctor.derive.forward.passes import Definition, ForwardPass
from engine.doctor.derive.forward.steps import Steps, plus_number, split
from engine.doctor.derive.tree.shapes import Shape
from engine.doctor.derive.tree.statements import appended, step_of, targets
from engine.doctor.derive.tree.syntax_of import base, called, names, parsed, path
from engine.doctor.derive.values.counters import Counters
from engine.doctor.derive.values.given_names import GivenNames
from engine.doctor.derive.values.keeping import Keeping
from engine.doctor.derive.values.put_away import copied, tuples_in
from engine.doctor.derive.values.rounds import RoundsBegin
from engine.doctor.mending.edits.atoms import replaced


class ForwardValues:
    """Writes values of the forward pass as the backward pass can read them. `keeping` is what the forward pass has to keep for that."""

    def __init__(self, forward: ForwardPass, steps: Steps, taken: set[str], old: frozenset[tuple[str, int]]) -> None:
        self._forward, self._steps = forward, steps
        self.counters, self.names = Counters(forward), GivenNames(forward, taken)
        self.begin = RoundsBegin(forward, self.counters, self.text)
        self.keeping = Keeping(forward, self.names, self.begin, self.counters, old)
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
        loops = self._forward.loops.get(statement, ())
        if not isinstance(node, ast.Name) or not loops:
            return False
        made = [
            d
            for d in self._forward.definitions.get(node.id, [])
            if loops[-1] in d.loops and binds(d.statement, node.id)
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
        order = self._forward.order.get(statement, 0)
        for loop in reversed(self._forward.loops.get(statement, ())):
            inside = [d for d in definitions if loop in d.loops]
            if any(d.statement is loop for d in inside):
                if len(inside) > 1:  # `for x in xs: x = x.reshape(-1, 1)`
                    self.begin.make_again(loop, name)
                return None
            made = [d for d in inside if binds(d.statement, name)]
            if made:
                try:
                    return self._in_loop(name, loop, made, statement, order, after)
                except Refused:
                    if not self._is_left_by_call(name, loop, inside):
                        raise
                    definitions = inside
                    break
            if inside and loop is not inside[0].loops[-1] and self._is_left_by_call(name, loop, inside):
                definitions = inside
                break
            if self._is_refilled(name, loop):
                kept = self._stored(name, loop, inside[-1], True) or self.keeping.kept(name, loop, inside[-1], True)
                self.begin.unpackings.setdefault(loop, {})[kept] = [name]
                return None
        later = [
            d
            for d in definitions
            if binds(d.statement, name) and (d.order > order or (d.statement is statement and not after))
        ]
        before = [d for d in definitions if binds(d.statement, name) and d.order < order]
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

    def _is_left_by_call(self, name: str, loop: ast.For, inside: Sequence[Definition]) -> bool:
        """Whether it is a function's that each round calls, which is called again on the way back."""
        flat = self._forward.flat
        is_local = {name, flat.fields.get(name, ("", ()))[0]} & {*flat.hidden, *flat.held}
        is_computed = name in self._forward.active or any(d.loops[-1] is not loop for d in inside)
        if not is_local or not is_computed:
            return False
        return all(self.begin.calls_again(loop, d.statement) for d in inside)

    def _made_before(self, name: str, before: list[Definition]) -> ast.expr:
        """A value that another one has taken the name of: as the expression that made it."""
        made = before[-1].statement if before else None
        if not isinstance(made, ast.Assign) or len(made.targets) > 1 or path(made.targets[0]) != name:
            raise Refused(f"{name} has another value afterwards; give one of the two a name of its own")
        return self.text(made.value, made)

    def _refilled(self, name: str, statement: ast.stmt) -> ast.expr | None:
        """What an object holds of a round, where each round fills it anew: an entry of a list that keeps it."""
        for loop in reversed(self._forward.loops.get(statement, ())):
            if name and self._is_refilled(name, loop):
                last = [d for d in self._forward.definitions[name] if loop in d.loops][-1]
                return parsed(self.keeping.kept(name, loop, last, True))
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
            is_kept = len(made) == 1 and order > made[0].order and made[0].body is loop.body
            kept = parsed(self._stored_as(name, loop, made[0], True) or "_") if is_kept else ast.Name("_")
            if base(kept) not in ("_", *self._forward.flat.hidden):
                return kept
            self.begin.make_again(loop, name)
            return None
        last = max((d for d in made if d.order < order), key=lambda d: d.order, default=None)
        if last is not None and last.loops[-1] is not loop and last.loops[-1] not in self._forward.loops[statement]:
            return self._left(name, last, statement)
        if len(made) > 1 and not all(d.body is made[0].body for d in made):
            here = [
                d for d in made if statement in d.body and (d.order < order or (after and d.statement is statement))
            ]
            if (both := self._of_a_branch(loop, made)) is not None and not here and statement is not both:
                is_new = order > max(d.order for d in made)
                return parsed(self.keeping.kept(name, loop, made[-1], is_new))
            made = here
        if not made:
            raise Refused(f"{name} is written {len(made)} times in a round; give each value a name of its own")
        before = [d for d in made if d.order < order or (after and d.statement is statement)]
        one, is_new = (before or made)[-1], bool(before)
        value = getattr(one.statement, "value", None)
        if is_new and isinstance(value, ast.Subscript) and self._steps.relation(_whole(value), one.statement):
            return self.text(value, one.statement)
        if is_new and isinstance(value, ast.IfExp):
            self.begin.remake(name, loop, one)
            return None
        stored = self._stored(name, loop, one, is_new)
        if (not stored or self._is_of_an_object(stored, one)) and self._unpacked(name, loop, one, is_new):
            return None
        if not stored and is_new and isinstance(value, ast.Name):
            other = [
                d for d in self._forward.definitions.get(value.id, []) if d.body is one.body and d.order < one.order
            ]
            if other and self._unpacked(value.id, loop, other[-1], True):
                return parsed(value.id)
        if not stored and is_new and (name in self._forward.flat.unnamed or self._is_local(name, loop)):
            self.begin.remake(name, loop, one)
            return None
        return self.text(parsed(stored), statement) if stored else parsed(self.keeping.kept(name, loop, one, is_new))

    def _is_of_an_object(self, stored: str, made: Definition) -> bool:
        """Whether a value is made in a method of an object of each round, and what keeps it is none of that object's."""
        calls = self._forward.flat.called_at.get(made.statement, [])
        return bool(calls) and calls[0].receiver.endswith("]") and base(parsed(stored)) not in self._forward.flat.fields

    def _of_a_branch(self, loop: ast.For, made: Sequence[Definition]) -> ast.stmt | None:
        """The branch of a round in which all of these statements stand, on its one side or the other."""
        around = [s for s in loop.body if any(d.statement in list(ast.walk(s)) for d in made)]
        return around[0] if len(around) == 1 and isinstance(around[0], ast.If) else None

    def _is_local(self, name: str, loop: ast.For) -> bool:
        """Whether it is a local of a function that a round calls, of this loop or of one around in another function."""
        flat, around = self._forward.flat, self._forward.loops.get(loop, ())
        own = flat.within.get(loop)
        is_far = any(flat.within.get(outer) is not own for outer in around[-1:])
        return name not in flat.held and (flat.function_of(name) is not own or is_far)

    def _left(self, name: str, made: Definition, statement: ast.stmt) -> ast.expr:
        """The value that a loop inside a round left: the last entry of what keeps it."""
        loop = made.loops[-1]
        stored = self._stored(name, loop, made, True)
        container = base(parsed(stored or self.keeping.kept(name, loop, made, True)))
        last = self._steps.last_text(container) if self._steps.get(container) is not None else f"{container}[-1]"
        return self.text(parsed(last), statement)

    def _unpacked(self, name: str, loop: ast.For, made: Definition, is_new: bool) -> bool:
        """Whether a tuple that each round puts away has the value; it is unpacked where the round begins."""
        until = self.keeping.until(name, made)
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
            for source, tuples in tuples_in(outer, put, packed):
                if name in tuples[-1][1] and is_new == (made.order < self._forward.order[source] < until):
                    for where, given in [(entry, tuples[0][1]), *tuples[1:]]:
                        self.begin.unpackings.setdefault(loop, {})[where] = given
                    return True
        return False

    def _put_away(self, statement: ast.stmt, loop: ast.For) -> tuple[ast.expr | None, str]:
        """What a statement puts into a list or an entry, and how that is read on the way back."""
        put = appended(statement)
        if put is not None:
            (target,) = targets(statement)
            filled = self._steps.get(base(target))
            index = plus_number(self.counters.of(loop), filled.offset if filled is not None else 0)
            return put, f"{ast.unparse(target)}[{ast.unparse(index)}]"
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
        if (stored := self._stored_as(name, loop, made, is_new)) or not is_new:
            return stored
        until = self.keeping.until(name, made)
        for other, definitions in self._forward.definitions.items():
            for d in (d for d in definitions if d.body is loop.body and made.order < d.order < until):
                if binds(d.statement, other) and path(getattr(d.statement, "value", d.statement)) == name:
                    stored = stored or self._stored_as(other, loop, d, is_new)
        return stored

    def _stored_as(self, name: str, loop: ast.For, made: Definition, is_new: bool) -> str:
        until = self.keeping.until(name, made)
        first = min(d.order for d in self._forward.definitions[name] if loop in d.loops)
        for statement in loop.body:
            order = self._forward.order.get(statement, -1)
            is_before = not is_new and order < first  # it still has the value of the round before
            if not (is_before or made.order < order < until):
                continue
            earlier = int(not is_new and not is_before)
            put = appended(statement)
            if put is not None and name in (path(put), copied(put)):
                (container,) = targets(statement)
                filled = self._steps.get(base(container))
                if filled is not None and filled.offset >= earlier:
                    return f"{base(container)}[{ast.unparse(plus_number(self.counters.of(loop), filled.offset - earlier))}]"
            if isinstance(statement, ast.Assign) and path(statement.value) == name and len(statement.targets) == 1:
                parts = split(statement.targets[0], step_of(loop) or "")
                if parts is not None and (not earlier or parts[1] + _first(loop) == 1):
                    index = ast.unparse(plus_number(step_of(loop) or "t", parts[1] - earlier))
                    return f"{base(statement.targets[0])}[{parts[0].replace('{}', index)}]"
        return ""

    def after_loop(self, name: str, loop: ast.For) -> str:
        """The value that the last round left: by its name, or, of a called function's local, by the entry that keeps it."""
        for statement in loop.body if name in self._forward.flat.hidden else []:
            put, _ = self._put_away(statement, loop)
            container = base(next(targets(statement))) if put is not None and path(put) == name else ""
            value = statement.value if isinstance(statement, ast.Assign) and binds(statement, name) else None
            if isinstance(value, ast.Subscript) and self._steps.relation(value, statement) == "new":
                container = base(value)
            if container and self._steps.get(container) is not None:
                return self._steps.last_text(container)
        return name

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


def _first(loop: ast.For) -> int:
    """What a loop counts from, 0 where it is not written out."""
    over = loop.iter
    first = over.args[0] if isinstance(over, ast.Call) and called(over) == "range" and len(over.args) == 2 else None
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, int) else 0


def _whole(node: ast.Subscript) -> ast.Subscript:
    """The entry that a part is of: `hs[t]` of `hs[t][layer]`."""
    while isinstance(node.value, ast.Subscript) and not path(node.value):
        node = node.value
    return node


def _read(target: ast.expr) -> ast.expr:
    return parsed(ast.unparse(target))
