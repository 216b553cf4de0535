"""The forward pass backwards: every statement gives the lines that carry its gradient back, every loop a loop that runs the other way."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from engine.doctor.derive.backward.heads import OutputLines
from engine.doctor.derive.backward.loops import LoopsBack
from engine.doctor.derive.backward.pieces import are_apart, split_of
from engine.doctor.derive.backward.rules import Gradient
from engine.doctor.derive.derived import Refused
from engine.doctor.derive.forward.passes import ForwardPass
from engine.doctor.derive.forward.steps import Steps, singular
from engine.doctor.derive.tree.statements import appended, targets
from engine.doctor.derive.tree.syntax_of import base, call, minus, over, parsed, path, times
from engine.doctor.derive.values.values import ForwardValues


class Reversed(LoopsBack):
    """Makes the backward pass of a forward pass."""

    def __init__(
        self,
        forward: ForwardPass,
        steps: Steps,
        values: ForwardValues,
        helpers: Mapping[str, str],
        taken: set[str],
        heads: Sequence[OutputLines] = (),
    ) -> None:
        super().__init__(forward, steps, values, helpers, taken)
        self.heads = heads
        self.vectors: dict[str, str] = {}
        self.skipped = {one for head in heads for one in head.skipped}
        self.into_output = {call: into for head in heads for call, into in head.inside.items()}
        """What goes into an output function, by the statement that calls it, where dL/d(that) is known before its loop."""

    def run(self) -> None:
        """Goes back through the whole pass."""
        self.symbols[f"d{self.forward.loss}"] = ast.Constant(1)
        self._unpack()
        self.block(self.forward.body)
        self._vectors_together()
        parts = [name for name in self.made if self.forward.flat.is_part(name)]
        self.made = {name: d for name, d in self.made.items() if name not in parts} | self.vectors

    def _vectors_together(self) -> None:
        """The gradient of a vector of which weights are slices: theirs, one after the other."""
        for name, d in self.made.items():
            if d in self.pieces:
                self._together(d, parsed(name))

    def _unpack(self) -> None:
        """Where weights are views of a vector's parts, their gradients are of a vector like it: zeros at first, to which all is added."""
        for one in self.forward.flat.unpacked:
            d = self.values.names.gradient_name
            vector = self.vectors[one.vector] = d(one.vector)
            self.emit(f"{vector} = np.zeros_like({one.vector})", makes=vector, kind="init")
            given = ", ".join(map(d, one.names))
            self.emit(f"{given} = {one.call.format(vector)}", "its parts, as views", makes=given, kind="init")
            begun = {vector, *(d(name) for name in self.forward.parameters if one.gives(name))}
            self.live |= begun
            self.owned |= begun

    # Statements

    def block(self, body: Sequence[ast.stmt]) -> None:
        """Goes back through statements."""
        for statement in reversed(body):
            self.statement = statement
            head = next((one for one in self.heads if one.after is statement), None)
            if statement in self.skipped and head is None:
                continue
            try:
                if head is not None:
                    self._head(head)
                if head is None or head.through is None:
                    self._back(statement)
            except Refused as refused:
                self.gaps.append((statement.lineno, str(refused)))

    def _head(self, head: OutputLines) -> None:
        if head.inside:
            written = [path(t) for s in head.inside for t in targets(s) if path(t)]
            self.values.names.of_outputs([head.container, *written])
            self.steps.used[head.container] = self.values.names.gradient_name(head.container)
        if head.through is not None:
            name = self.values.names.free_name("z", head.after)
            shape = head.shape or self.shapes.shape(head.through)
        elif head.container:
            name, shape = self.steps.use_container(head.container), head.shape
        else:
            (target,) = targets(head.after)
            name, shape = self._key(target, writing=True), self._shape_of(target)
        self.statement = head.at  # it is of the call that goes on from the output to the loss
        for k, line in enumerate(head.lines):
            text = self._as_known(ast.parse(line.format(name)).body[0], head.at)
            self.emit(text, head.why if k == 0 else "", makes=name, shape=shape, kind="head", of=head.at.lineno)
        self.statement = head.after
        self.live.add(name)
        self.owned.add(name)
        if head.through is not None and head.container:
            self.add(head.through, Gradient(parsed(name), shape or ()))
        elif head.through is not None:
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
            self.loop(statement)
        elif put is not None and isinstance(statement, ast.Expr):
            (target,) = targets(statement)
            self._assign(target, put, is_append=True)
        elif isinstance(statement, ast.Assign):
            if self.forward.flat.unpacks(statement) is None:
                self._assigned(statement)
        elif isinstance(statement, ast.AugAssign):
            self._augmented(statement)
        elif isinstance(statement, ast.With):
            self.block(statement.body)
        elif isinstance(statement, ast.If):
            if any(self.forward.is_active(n) for n in ast.walk(statement) if isinstance(n, ast.expr)):
                self.branch(statement)
        elif isinstance(statement, ast.While | ast.Try) and any(
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
        elif isinstance(target, ast.Tuple) and (cut := split_of(statement.value)) is not None:
            self._side_by_side(target, *cut)
        elif isinstance(target, ast.Tuple):
            if self.forward.is_active(statement.value) and any(
                self._has(self._key(t, writing=True)) for t in target.elts
            ):
                raise Refused(f"{ast.unparse(statement.value)[:60]} gives several values")
        else:
            self._assign(target, statement.value)

    def _side_by_side(self, target: ast.Tuple, whole: ast.expr, axis: int) -> None:
        """dL/d(an array that was cut into pieces): theirs, side by side."""
        names = [self._key(one, writing=True) for one in target.elts]
        if not any(self._has(name) for name in names):
            return
        parts = [self._taken_from(one, name, False) for one, name in zip(target.elts, names, strict=True)]
        zeros = (call("np.zeros_like", self.values.text(one, self.statement, after=True)) for one in target.elts)
        whole_parts = [zero if part is None else part for part, zero in zip(parts, zeros, strict=True)]
        made = call("np.concatenate", ast.Tuple(whole_parts, ast.Load()), axis=axis)
        self.push(whole, Gradient(made, self.shapes.shape(whole) or ()), None)

    def _assign(self, target: ast.expr, value: ast.expr, *, is_append: bool = False) -> None:
        value = self.into_output.get(self.statement, value)
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
        elif name not in self.live and name not in self.zeros:
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
        order = self.forward.order[self.statement]
        earlier = [d for d in earlier if not any(are_apart(target, other) for other in targets(d.statement))]
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
        by = self.values.text(value, statement)
        if self.forward.is_active(value):
            before = self.values.text(_loaded(target), statement)
            whole = times(now, before)
            share = (
                whole
                if isinstance(statement.op, ast.Mult)
                else over(minus(whole), ast.BinOp(by, ast.Pow(), ast.Constant(2)))
            )
            self.push(value, Gradient(share, shape), None)
        d = over(now, by) if isinstance(statement.op, ast.Div) else times(now, by)
        if name in self.symbols:
            self.symbols[name] = d
        else:
            self.emit(f"{name} = {ast.unparse(d)}", "", makes=name, shape=shape)


def _loaded(node: ast.expr) -> ast.expr:
    return parsed(ast.unparse(node))
