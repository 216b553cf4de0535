"""The forward pass backwards: every statement gives the lines that carry its gradient back, every loop a loop that runs the other way."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from engine.doctor.derive.backward.function_rules import FunctionRules
from engine.doctor.derive.backward.pieces import pieces_of
from engine.doctor.derive.backward.rules import Gradient, NamedResult, fitted
from engine.doctor.derive.derived import DerivedLine, LineKind, Refused
from engine.doctor.derive.forward.forward import Definition, ForwardPass
from engine.doctor.derive.forward.steps import Steps, singular
from engine.doctor.derive.tree.statements import appended, targets
from engine.doctor.derive.tree.syntax_of import base, is_number, minus, names, over, parsed, path, reads, times
from engine.doctor.derive.values.values import ForwardValues


@dataclass(frozen=True)
class OutputLines:
    """The short form at the output: after which statement of the forward pass it stands, and its lines with the gradient's name in them.
    `at` is a statement of the same loop that comes after all that they read; where `through` is an expression, the gradient is that of
    what goes into the output function, and `after` the statement that calls it."""

    after: ast.stmt
    at: ast.stmt
    lines: tuple[str, ...]
    why: str
    skipped: frozenset[int]
    through: ast.expr | None = None


class Reversed(FunctionRules):
    """Makes the backward pass of a forward pass. `lines` are what it made."""

    def __init__(
        self,
        forward: ForwardPass,
        steps: Steps,
        values: ForwardValues,
        helpers: Mapping[str, str],
        taken: set[str],
        heads: Sequence[OutputLines] = (),
    ) -> None:
        super().__init__(forward.shapes, helpers)
        self.forward, self.steps, self.values, self.taken = forward, steps, values, taken
        self.heads = heads
        self.skipped = {one for head in heads for one in head.skipped}
        self.lines: list[DerivedLine] = []
        self.gaps: list[tuple[int, str]] = []
        self.live: set[str] = set()
        self.owned: set[str] = set()
        self.symbols: dict[str, ast.expr] = {}
        self.zeros: dict[str, tuple[str, ast.For]] = {}
        """Zeros for what every round adds to, and the loop before which they stand."""
        self.deferred: list[tuple[str, Gradient]] | None = None
        self.deferred_for = ""
        self.depth = 0
        self.statement: ast.stmt = forward.last
        self.pieces: dict[str, dict[str, ast.expr]] = {}
        """Gradients of which the pieces are known, by their names: that of each index."""
        self.made: dict[str, str] = {}
        """The gradient's name of each parameter."""

    def run(self) -> None:
        """Goes back through the whole pass."""
        self.symbols[f"d{self.forward.loss}"] = ast.Constant(1)
        self._block(self.forward.body)

    # Statements

    def _block(self, body: Sequence[ast.stmt]) -> None:
        for statement in reversed(body):
            if id(statement) in self.skipped:
                continue
            self.statement = statement
            head = next((one for one in self.heads if one.after is statement), None)
            try:
                if head is not None:
                    self._head(head)
                if head is None or head.through is None:
                    self._back(statement)
            except Refused as refused:
                self.gaps.append((statement.lineno, str(refused)))

    def _head(self, head: OutputLines) -> None:
        (target,) = targets(head.after)
        name = self._key(target, writing=True) if head.through is None else self.values.free_name("z", head.after)
        shape = self._shape_of(target)
        for k, line in enumerate(head.lines):
            text = self._as_known(ast.parse(line.format(name)).body[0], head.at)
            self.emit(text, head.why if k == 0 else "", makes=name, shape=shape, kind="head", of=head.at.lineno)
        self.live.add(name)
        self.owned.add(name)
        if head.through is not None:
            self.push(head.through, Gradient(parsed(name), shape or ()), None)

    def _as_known(self, statement: ast.stmt, at: ast.stmt) -> str:
        """A line of the short form, what it reads written as it can be read on the way back."""
        assert isinstance(statement, ast.Assign | ast.AugAssign)
        statement.value = self.values.text(statement.value, at, after=True)
        target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
        if isinstance(target, ast.Subscript):
            target.slice = self.values.text(target.slice, at, after=True)
        return ast.unparse(ast.fix_missing_locations(statement))

    def _back(self, statement: ast.stmt) -> None:
        put = appended(statement)
        if isinstance(statement, ast.For):
            self._loop(statement)
        elif put is not None and isinstance(statement, ast.Expr):
            (target,) = targets(statement)
            self._assign(target, put, is_append=True)
        elif isinstance(statement, ast.Assign):
            self._assigned(statement)
        elif isinstance(statement, ast.AugAssign):
            self._augmented(statement)
        elif isinstance(statement, ast.With):
            self._block(statement.body)
        elif isinstance(statement, ast.If | ast.While | ast.Try) and any(
            self.forward.is_active(n) for n in ast.walk(statement) if isinstance(n, ast.expr)
        ):
            raise Refused(f"gradients through {type(statement).__name__.lower()} are not carried back")

    def _assigned(self, statement: ast.Assign) -> None:
        target = statement.targets[-1]
        for extra in statement.targets[:-1]:
            self._assign(extra, _loaded(target))
        if isinstance(target, ast.Tuple) and isinstance(statement.value, ast.Tuple):
            for one, value in zip(reversed(target.elts), reversed(statement.value.elts), strict=True):
                self._assign(one, value)
        elif isinstance(target, ast.Tuple):
            if self.forward.is_active(statement.value) and any(
                self._has(self._key(t, writing=True)) for t in target.elts
            ):
                raise Refused(f"{ast.unparse(statement.value)[:60]} gives several values")
        else:
            self._assign(target, statement.value)

    def _assign(self, target: ast.expr, value: ast.expr, *, is_append: bool = False) -> None:
        if not self.forward.is_active(value):
            self._forget(target)
            return
        if isinstance(value, ast.List) and self._first_entries(target, value):
            return
        name = self._key(target, writing=True, is_append=is_append)
        gradient = self._taken_from(target, name, is_append)
        if gradient is None:
            return
        shape = self.shapes.shape(value)
        is_same = path(value) and self.steps.get(path(value)) is None and self._key(value) == name
        if is_same and ast.unparse(gradient) == name:
            self.live.add(name)  # the same gradient under the same name
            return
        self.deferred, self.deferred_for = [], name
        statement = self.statement
        gradient = self._as_written(Gradient(gradient, shape if shape is not None else ()), target, is_append=is_append)
        self.push(value, gradient, lambda: self.values.result(target, statement, is_append))
        deferred, self.deferred = self.deferred, None
        if deferred:
            total = deferred[0][1]
            for _, one in deferred[1:]:
                total = Gradient(ast.BinOp(total.node, ast.Add(), one.node), max(total.shape, one.shape, key=len))
            self._accumulate(name, total, shape)

    def _first_entries(self, target: ast.expr, value: ast.List) -> bool:
        """What the first round left to the one entry with which a list begins."""
        name = f"d{singular(path(target))}"
        if len(value.elts) != 1 or self.steps.get(path(target)) is None or name not in self.live:
            return False
        self.live.discard(name)
        (first,) = value.elts
        if name != self._key(first) or path(first) == "":
            self.push(first, Gradient(parsed(name), self.shapes.shape(first) or ()), None)
        else:
            self.live.add(name)
        return True

    def _as_written(self, gradient: Gradient, target: ast.expr, *, is_append: bool) -> Gradient:
        """With the axes of length 1 that a value has beyond those of the entry that it was written to."""
        whole = self.values.shape_of(base(target)) if isinstance(target, ast.Subscript) and not path(target) else None
        if (
            whole is None
            or is_append
            or not isinstance(gradient.node, ast.Subscript)
            or not isinstance(target, ast.Subscript)
        ):
            return gradient
        parts = target.slice.elts if isinstance(target.slice, ast.Tuple) else [target.slice]
        missing = len(gradient.shape) - (len(whole) - sum(not isinstance(p, ast.Slice) for p in parts))
        if missing <= 0 or any(n != 1 for n in gradient.shape[:missing]):
            return gradient
        node = gradient.node
        for _ in range(missing):
            node = ast.Subscript(node, ast.Constant(None), ast.Load())
        return Gradient(node, gradient.shape)

    def _taken_from(self, target: ast.expr, name: str, is_append: bool) -> ast.expr | None:
        """dL/d(what is written here), which ends with it; None where nothing came back to it."""
        if name in self.symbols:
            return self.symbols.pop(name)
        container = self.steps.container(base(target))
        entry = None
        is_entry = is_append or (isinstance(target, ast.Subscript) and not path(target))
        if container and is_entry and (container in self.live or container in self.zeros):
            where = self.values.position(target, self.statement, is_append)
            entry = f"{container}[{where}]"
        if name in self.live and entry is not None and name not in (entry, container):
            added = f"{name} += {entry}" if name in self.owned else f"{name} = {name} + {entry}"
            self.owned.add(name)
            self.emit(
                added, "what comes back from here, and from the next step", makes=name, shape=self._shape_of(target)
            )
        elif entry is not None:
            return parsed(entry)
        elif name not in self.live:
            return None
        if name in self.pieces:
            self._together(name, target)
        elif is_entry and self.steps.get(base(target)) is None and not self.steps.relation(target, self.statement):
            return self._part(name, target)
        self.live.discard(name)
        return parsed(name)

    def _part(self, name: str, target: ast.expr) -> ast.expr:
        """dL/d(a part that is written), of dL/d(the whole): what the whole had there before has no share in the loss."""
        assert isinstance(target, ast.Subscript)
        index = self.values.text(target.slice, self.statement)
        earlier = [d for d in self.forward.definitions[base(target)] if d.statement is not self.statement]
        order = self.forward.order[id(self.statement)]
        values = [getattr(d.statement, "value", None) for d in earlier if d.order < order]
        part = ast.Subscript(parsed(name), index, ast.Load())
        if not any(isinstance(v, ast.expr) and self.forward.is_active(v) for v in values):
            return part
        taken = self.named(
            Gradient(ast.Call(ast.Attribute(part, "copy"), [], []), self._shape_of(target) or ()), "part"
        )
        self.emit(f"{ast.unparse(part)} = 0", "written over", makes=name)
        return taken.node

    def _forget(self, target: ast.expr) -> None:
        if isinstance(target, ast.Name):
            self.live.discard(f"d{target.id}")

    def _augmented(self, statement: ast.AugAssign) -> None:
        target, value = statement.target, statement.value
        name = self._key(target, writing=True)
        if not self._has(name):
            return
        now = self.symbols.get(name, None) or parsed(name)
        shape = self._shape_of(target) or self.shapes.shape(value) or ()
        if isinstance(statement.op, ast.Add | ast.Sub):
            d = minus(now) if isinstance(statement.op, ast.Sub) else now
            self.push(value, Gradient(d, shape), None)
            return
        if self.forward.is_active(value):
            raise Refused("a value is multiplied or divided in place by what depends on the weights")
        by = self.values.text(value, statement)
        d = over(now, by) if isinstance(statement.op, ast.Div) else times(now, by)
        if name in self.symbols:
            self.symbols[name] = d
        else:
            self.emit(f"{name} = {ast.unparse(d)}", "", makes=name, shape=shape)

    # Loops

    def _loop(self, loop: ast.For) -> None:
        if not any(self.forward.is_sought(t) for s in ast.walk(loop) if isinstance(s, ast.stmt) for t in targets(s)):
            return
        carried = self._carried(loop)
        inits: list[tuple[str, str, tuple[int, ...] | None]] = []
        for name, value, shape in carried:
            if name not in self.live:
                inits.append((name, value if shape != () else "", shape))
                self.live.add(name)
                self.owned.add(name)
        outer, self.lines = self.lines, []
        live_before = set(self.live)
        self.depth += 1
        self._block(loop.body)
        self._unpacked(loop)
        body, self.lines = self.lines, outer
        self.depth -= 1
        if not body:
            self.live = live_before
            return
        self.statement = loop
        for name, value, shape in inits:
            value = f"np.zeros_like({self._read_here(value, loop)})" if value else "0.0"
            self.emit(
                f"{name} = {value}", "nothing comes back from after the last step", makes=name, shape=shape, kind="init"
            )
        for name in [name for name, (_, before) in self.zeros.items() if before is loop]:
            self.emit(f"{name} = {self.zeros.pop(name)[0]}", "", makes=name, kind="init")
            self.live.add(name)
            self.owned.add(name)
        self.emit(self.values.counters.header(loop), "from the last round to the first", kind="loop", of=loop.lineno)
        self.depth += 1
        used = {word for line in body for word in re.findall(r"[A-Za-z_]\w*", line.text)}
        for text in self.values.top(loop, used):
            self.emit(text, "as in the forward pass", kind="init")
        self.depth -= 1
        self.lines += body

    def _read_here(self, value: str, loop: ast.For) -> str:
        """What a loop left, where a round of another one is gone back through: out of what is kept of that round."""
        if not self.forward.loops[id(loop)]:
            return value
        try:
            return ast.unparse(self.values.text(parsed(value), loop, after=True))
        except Refused:
            return value  # its shape alone is read

    def _unpacked(self, loop: ast.For) -> None:
        """What iterating over a list that depends on the weights carries back to its entries."""
        for name, entry in self.values.entries(loop):
            if f"d{name}" in self.live:
                self.live.discard(f"d{name}")
                self._entry(parsed(entry), Gradient(parsed(f"d{name}"), self.values.shape_of(name) or ()))

    def _carried(self, loop: ast.For) -> list[tuple[str, str, tuple[int, ...] | None]]:
        """What one round of a loop leaves to the next: the gradient's name, the value's text after the loop, its shape."""
        found: dict[str, tuple[str, tuple[int, ...] | None]] = {}
        for container in self.steps.in_loop(loop):
            if self.steps.is_carried(container):
                found[f"d{singular(container)}"] = (self.steps.last_text(container), self.steps.shape(container))
        for name, definitions in self.forward.definitions.items():
            if name not in self.forward.active or not name.isidentifier() or self.steps.get(name) is not None:
                continue
            inside = [d for d in definitions if loop in d.loops and _rebinds(d, name)]
            inside = [d for d in inside if id(d.statement) not in self.skipped]
            if inside and _is_read_before(self.forward, loop, name, inside) and f"d{name}" not in self.symbols:
                found[f"d{name}"] = (self.values.after_loop(name, loop), self.values.shape_of(name))
        return [(name, value, shape) for name, (value, shape) in found.items()]

    # Where gradients go

    def add(self, node: ast.expr, gradient: Gradient) -> None:
        """Adds a contribution to dL/d(a name, path or entry)."""
        name, shape = path(node), self.shapes.shape(node)
        if name:
            key = self._key(node)
            if name in self.forward.parameters:
                self.made[name] = key
                self._parameter(key, name, gradient, shape)
                return
            if self.steps.get(name) is not None:
                self._whole(name, gradient)
                return
            put, next_ = self.steps.put_away(name, self.statement), self._handed_on(name)
            key = f"d{singular(put)}" if put else self.values.gradient_name(next_)
            if not put and not self._has(key) and key not in self.zeros and (loop := self._adding(next_)) is not None:
                self.zeros[key] = f"np.zeros_like({next_})" if shape else "0.0", loop
            self._accumulate(key, gradient, shape)
            return
        container = base(node)
        relation = self.steps.relation(node, self.statement)
        if relation == "last" and (left := self._left(container)) is not None:
            self.add(left, gradient)
        elif relation and container not in self.forward.parameters:
            self._accumulate(f"d{singular(container)}", gradient, shape)
        else:
            self._entry(node, gradient)

    def _handed_on(self, name: str) -> str:
        """The state that a loop before made of a name for its next round, `h_prev = h`: behind it both are the same; else the name."""
        order, around = self.forward.order[id(self.statement)], self.forward.loops[id(self.statement)]
        own = [d.order for d in self.forward.definitions.get(name, []) if d.order < order]
        for other, definitions in self.forward.definitions.items():
            for d in (d for d in definitions if d.loops and other.isidentifier() and other in self.forward.active):
                is_it = isinstance(d.statement, ast.Assign) and path(d.statement.value) == name
                if is_it and d.loops[-1] not in around and max(own, default=order) < d.order < order:
                    inside = [one for one in definitions if d.loops[-1] in one.loops]
                    if _is_read_before(self.forward, d.loops[-1], other, inside):
                        return other
        return name

    def _left(self, container: str) -> ast.expr | None:
        """The name whose last value is the last entry of a list: a state that the loop carries and puts away."""
        filled = self.steps.get(container)
        if filled is None or not isinstance(filled.value, ast.Name) or self.steps.is_carried(container):
            return None
        name, loop = filled.value.id, filled.loop
        inside = [d for d in self.forward.definitions.get(name, []) if loop in d.loops and _rebinds(d, name)]
        is_last = bool(inside) and max(d.order for d in inside) < filled.made.order
        return filled.value if is_last and _is_read_before(self.forward, loop, name, inside) else None

    def elementwise(self, name: str, argument: ast.expr, d: Gradient, result: Callable[[], ast.expr]) -> None:
        """Through a function that works number by number; that of relu is known from what goes into it, too, where only that is kept."""
        target = next(targets(self.statement), None)
        has_result = (
            target is None or not isinstance(target, ast.Name) or self.values.is_put_away(target, self.statement)
        )
        if name == "relu" and not has_result and self.values.is_put_away(argument, self.statement):
            super().elementwise(name, argument, d, lambda: self.value(argument))
        else:
            super().elementwise(name, argument, d, result)

    def push(self, node: ast.expr, gradient: Gradient, result: NamedResult) -> None:
        """Carries dL/d(node) on; through `h0 if t == 0 else hs[t - 1]` to the entry: what comes back to the first is not sought."""
        super().push(self._side(node) if isinstance(node, ast.IfExp) else node, gradient, result)

    def _side(self, node: ast.IfExp) -> ast.expr:
        sides = [side for side in (node.body, node.orelse) if self.is_active(side)]
        if len(sides) != 1 or self.steps.relation(sides[0], self.statement) != "old":
            raise Refused(f"no rule for {ast.unparse(node)[:60]}")
        return sides[0]

    def _whole(self, container: str, gradient: Gradient) -> None:
        """dL/d(a list or array that the loop fills step by step), all of it."""
        name = self.steps.use_container(container)
        gradient = fitted(gradient, gradient.shape)
        if name in self.live:
            self.emit(f"{name} += {ast.unparse(gradient.node)}", "", makes=name, shape=gradient.shape)
        else:
            self.emit(f"{name} = {ast.unparse(gradient.node)}", "of every step", makes=name, shape=gradient.shape)
            self.live.add(name)

    def _entry(self, node: ast.expr, gradient: Gradient) -> None:
        """dL/d(an entry or a part) is added to that part of dL/d(the whole)."""
        container, root = base(node), node
        while isinstance(root, ast.Subscript) and not path(root) and not self.steps.relation(root, self.statement):
            root = root.value
        read = self.steps.relation(root, self.statement) if isinstance(root, ast.Subscript) and not path(root) else ""
        if container in self.forward.parameters:
            name = self.made[container] = self._key(root)
        elif read or self.steps.get(container) is None:
            name = f"d{singular(container)}" if read else self._key(root)
        else:
            name = self.steps.use_container(container)
        if self._piece(name, node, root, gradient):
            return
        index = _index_of(node, root, lambda one: self.values.text(one, self.statement))
        if name not in self.live and name not in self.zeros:
            self._start(name, container, root, is_whole=not read)
        parts = [n for k in _slices(node, root) for n in (k.elts if isinstance(k, ast.Tuple) else [k])]
        if any(self.shapes.is_index(n) for n in parts) and container in self.forward.parameters:
            inside = index[1:-1]
            inside = f"np.s_[{inside}]" if any(isinstance(n, ast.Slice) for n in parts) else inside
            self.emit(
                f"np.add.at({name}, {f'({inside})' if len(parts) > 1 and '_[' not in inside else inside}, {ast.unparse(gradient.node)})",
                "rows that are read more than once add up",
                makes=name,
            )
            return
        self.emit(f"{name}{index} += {ast.unparse(gradient.node)}", self.why, makes=name, shape=gradient.shape)

    def _piece(self, name: str, node: ast.expr, root: ast.expr, gradient: Gradient) -> bool:
        """Whether a part is one of those that together are a whole: its gradient is kept till all are there."""
        pieces = pieces_of(path(root), self.forward.body)
        if not pieces or not isinstance(node, ast.Subscript) or node.value is not root:
            return False
        self.pieces.setdefault(name, {})[ast.unparse(node.slice)] = self.named(gradient, "z").node
        self.live.add(name)
        return True

    def _together(self, name: str, target: ast.expr) -> None:
        """The pieces of a gradient side by side."""
        pieces, known = pieces_of(path(target), self.forward.body), self.pieces.pop(name)
        if set(pieces) != set(known):
            raise Refused(f"a part of {path(target)} has no share in the loss")
        axis = {f"axis={axis}" for axis in pieces.values() if axis}
        parts = f"({', '.join(ast.unparse(known[one]) for one in pieces)})"
        self.owned.add(name)
        made = f"{name} = np.concatenate({', '.join([parts, *axis])})"
        self.emit(made, "side by side", makes=name, shape=self._shape_of(target))

    def _start(self, name: str, container: str, root: ast.expr, *, is_whole: bool) -> None:
        """Zeros for what entries are added to: before the loops where all rounds add to one whole."""
        is_filled = self.steps.get(container) is not None and is_whole
        if is_filled and not self.values.is_array(container):
            made = self.steps.zeros(container)
        else:
            made = f"np.zeros_like({ast.unparse(self._like(root))})"
        if is_whole and (loop := self._adding(container)) is not None:
            self.zeros[name] = made, loop
            return
        self.emit(f"{name} = {made}", "", makes=name, kind="init")
        self.live.add(name)
        self.owned.add(name)

    def _like(self, root: ast.expr) -> ast.expr:
        """A value of the same shape: of one that a round makes, a part of a weight that it is made from, which need not be kept."""
        loops, shape = self.forward.loops[id(self.statement)], self.shapes.shape(root)
        made = [d.statement for d in self.forward.definitions.get(path(root), []) if loops and loops[-1] in d.loops]
        parts = [n for s in made[:1] for n in reads(s) if isinstance(s, ast.Assign) and isinstance(n, ast.Subscript)]
        like = next((n for n in parts if base(n) in self.forward.parameters and self.shapes.shape(n) == shape), root)
        return self.values.text(like, self.statement)

    def _parameter(self, key: str, name: str, gradient: Gradient, shape: tuple[int, ...] | None) -> None:
        gradient = fitted(gradient, shape or ())
        if key not in self.live and key not in self.zeros:
            if (loop := self._adding(name)) is None:
                self._set(key, gradient, shape, name)
                return
            self.zeros[key] = f"np.zeros_like({name})" if shape else "0.0", loop
        self.emit(f"{key} += {ast.unparse(gradient.node)}", self.why, makes=key, shape=shape)

    def _adding(self, name: str) -> ast.For | None:
        """The outermost loop around this statement whose rounds all read the same value of a name, so that what comes back adds up."""
        around = self.forward.loops[id(self.statement)]
        made = [d for d in self.forward.definitions.get(name, []) if _rebinds(d, name)]
        return next((loop for loop in around if not any(loop in d.loops for d in made)), None)

    def _accumulate(self, key: str, gradient: Gradient, shape: tuple[int, ...] | None) -> None:
        if self.deferred is not None and key == self.deferred_for:
            self.deferred.append((key, gradient))
            return
        gradient = fitted(gradient, shape or ())
        text = ast.unparse(gradient.node)
        if key in self.symbols:
            self.symbols[key] = ast.BinOp(self.symbols[key], ast.Add(), gradient.node)
        elif key in self.zeros:
            self.emit(f"{key} += {text}", self.why, makes=key, shape=shape)
        elif key in self.live:
            self.emit(
                f"{key} += {text}" if key in self.owned else f"{key} = {key} + {text}", self.why, makes=key, shape=shape
            )
            self.owned.add(key)
        elif shape == () and not any(n.startswith("d") for n in names(gradient.node)) and self._is_fixed(gradient.node):
            self.symbols[key] = gradient.node
        else:
            self._set(key, gradient, shape, "")

    def _is_fixed(self, node: ast.expr) -> bool:
        return not any(d.loops for n in names(node) for d in self.forward.definitions.get(n, []))

    def _set(self, key: str, gradient: Gradient, shape: tuple[int, ...] | None, value: str) -> None:
        node = gradient.node
        if shape and gradient.shape != shape:
            node = (
                times(node, parsed(f"np.ones({shape})")) if not value else times(node, parsed(f"np.ones_like({value})"))
            )
        self.emit(f"{key} = {ast.unparse(node)}", self.why, makes=key, shape=shape)
        self.live.add(key)
        (self.owned.discard if isinstance(node, ast.Name | ast.Subscript | ast.Attribute) else self.owned.add)(key)

    def _has(self, name: str) -> bool:
        return name in self.live or name in self.symbols

    def _key(self, node: ast.expr, *, writing: bool = False, is_append: bool = False) -> str:
        """What dL/d(it) is called."""
        name = path(node)
        if name and not is_append:
            return self.values.gradient_name(name)
        container = base(node)
        if is_append or (writing and self.steps.get(container) is not None):
            return f"d{singular(container)}"
        return f"d{container}"

    def _shape_of(self, target: ast.expr) -> tuple[int, ...] | None:
        value = getattr(self.statement, "value", None)
        return self.shapes.shape(value) if isinstance(value, ast.expr) else None

    # Lines

    def named(self, gradient: Gradient, hint: str) -> Gradient:
        """The gradient under a name of its own, where it is more than a name."""
        if isinstance(gradient.node, ast.Name) or (is_number(gradient.node, 1)):
            return gradient
        name = self.values.free_name(hint, self.statement)
        self.emit(f"{name} = {ast.unparse(gradient.node)}", self.why, makes=name, shape=gradient.shape)
        self.why = ""
        return Gradient(parsed(name), gradient.shape)

    def own_name(self, name: str) -> str:
        return self.forward.flat.own_name(name)

    def value(self, node: ast.expr) -> ast.expr:
        return self.values.text(node, self.statement)

    def is_active(self, node: ast.expr) -> bool:
        return self.forward.is_active(node)

    def emit(
        self,
        text: str,
        why: str = "",
        *,
        makes: str = "",
        shape: tuple[int, ...] | None = None,
        kind: LineKind = "back",
        of: int | None = None,
    ) -> None:
        """One more line, if it says anything."""
        left, _, right = text.partition(" = ")
        if left == right:
            return
        self.why = ""
        at = of if of is not None else self.statement.lineno if kind in ("back", "head") else None
        flat = self.forward.flat
        calls = tuple(flat.calls.index(one) for one in reversed(flat.called_at.get(id(self.statement), [])))
        self.lines.append(DerivedLine("    " * self.depth + text, why, at, "", makes, shape, kind, calls))


def _loaded(node: ast.expr) -> ast.expr:
    return parsed(ast.unparse(node))


def _slices(node: ast.expr, root: ast.expr) -> list[ast.expr]:
    """The indices that lead from a whole to a part of it, the outermost first."""
    found: list[ast.expr] = []
    while node is not root and isinstance(node, ast.Subscript):
        found.insert(0, node.slice)
        node = node.value
    return found


def _index_of(node: ast.expr, root: ast.expr, written: Callable[[ast.expr], ast.expr]) -> str:
    """These indices as text: `[t][0]`."""
    return "".join(
        f"[{ast.unparse(written(one)).removeprefix('(').removesuffix(')') if isinstance(one, ast.Tuple) else ast.unparse(written(one))}]"
        for one in _slices(node, root)
    )


def _rebinds(one: Definition, name: str) -> bool:
    return any(path(target) == name for target in targets(one.statement)) and not isinstance(one.statement, ast.Expr)


def _is_read_before(forward: ForwardPass, loop: ast.For, name: str, inside: Sequence[Definition]) -> bool:
    """Whether a round reads what the round before left."""
    first = min(d.order for d in inside)
    for statement in ast.walk(loop):
        if (
            isinstance(statement, ast.stmt)
            and not isinstance(statement, ast.For)
            and forward.order[id(statement)] <= first
        ):
            value = getattr(statement, "value", None)
            if isinstance(value, ast.expr) and any(path(n) == name or base(n) == name for n in reads(value)):
                return True
            if isinstance(statement, ast.AugAssign) and path(statement.target) == name:
                return True
    return False
