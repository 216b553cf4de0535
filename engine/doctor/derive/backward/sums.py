"""Where gradients go: a name of its own for each, sums of what comes back from several places, zeros where sums over rounds begin."""

from __future__ import annotations

import ast
from collections.abc import Callable

from engine.doctor.derive.backward.lines import BackwardLines
from engine.doctor.derive.backward.pieces import pieces_of
from engine.doctor.derive.backward.rules import Gradient, NamedResult, fitted
from engine.doctor.derive.derived import Refused
from engine.doctor.derive.forward.carried import is_read_before, rebinds
from engine.doctor.derive.forward.steps import singular
from engine.doctor.derive.tree.statements import targets
from engine.doctor.derive.tree.syntax_of import base, names, parsed, path, reads, times


class GradientSums(BackwardLines):
    """Adds up what comes back to each value, in lines."""

    def add(self, node: ast.expr, gradient: Gradient) -> None:
        """Adds a contribution to dL/d(a name, path or entry)."""
        name, shape = path(node), self.shapes.shape(node)
        if name:
            name = self._held(name)
            key = self.values.names.gradient_name(name)
            if name in self.forward.parameters:
                self.made[name] = key
                self._parameter(key, name, gradient, shape)
                return
            if self.steps.get(name) is not None:
                self._whole(name, gradient)
                return
            put, next_ = self.steps.put_away(name, self.statement), self._handed_on(name)
            key = f"d{singular(put)}" if put else self.values.names.gradient_name(next_)
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

    def _held(self, name: str) -> str:
        """The entry that a name is another name for, where that is a weight: `parameters['W']` of W."""
        values = [getattr(d.statement, "value", None) for d in self.forward.definitions.get(name, [])]
        held = {path(value) if isinstance(value, ast.expr) else "" for value in values}
        one = next(iter(held), "")
        return (
            one if len(held) == 1 and one in self.forward.parameters and name not in self.forward.parameters else name
        )

    def _handed_on(self, name: str) -> str:
        """The state that a loop before made of a name for its next round, `h_prev = h`: behind it both are the same; else the name."""
        order, around = self.forward.order[self.statement], self.forward.loops[self.statement]
        own = [d.order for d in self.forward.definitions.get(name, []) if d.order < order]
        for other, definitions in self.forward.definitions.items():
            for d in (d for d in definitions if d.loops and other.isidentifier() and other in self.forward.active):
                is_it = isinstance(d.statement, ast.Assign) and path(d.statement.value) == name
                if is_it and d.loops[-1] not in around and max(own, default=order) < d.order < order:
                    inside = [one for one in definitions if d.loops[-1] in one.loops]
                    if is_read_before(self.forward, d.loops[-1], other, inside):
                        return other
        return name

    def _left(self, container: str) -> ast.expr | None:
        """The name whose last value is the last entry of a list: a state that the loop carries and puts away."""
        filled = self.steps.get(container)
        if filled is None or not isinstance(filled.value, ast.Name) or self.steps.is_carried(container):
            return None
        name, loop = filled.value.id, filled.loop
        inside = [d for d in self.forward.definitions.get(name, []) if loop in d.loops and rebinds(d, name)]
        is_last = bool(inside) and max(d.order for d in inside) < filled.made.order
        is_carried = is_read_before(self.forward, loop, name, inside) or self._handed_on(name) != name
        return filled.value if is_last and is_carried else None

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
        container = self._held(container)
        if container in self.forward.parameters:
            name = self.made[container] = self.values.names.gradient_name(container)
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

    def part_of(self, node: ast.Subscript, gradient: Gradient) -> Gradient:
        whole = self.shape(node.value)
        name = self.values.names.free_name("whole", self.statement)
        self.emit(f"{name} = np.zeros({whole})", makes=name, kind="init")
        index = self.values.text(node.slice, self.statement)
        part = ast.Subscript(parsed(name), index, ast.Store())
        adds = "+=" if self.shapes.is_index(node.slice) else "="
        self.emit(
            f"{ast.unparse(part)} {adds} {ast.unparse(gradient.node)}",
            "the rest has no share",
            makes=name,
            shape=gradient.shape,
        )
        return Gradient(parsed(name), whole)

    def _piece(self, name: str, node: ast.expr, root: ast.expr, gradient: Gradient) -> bool:
        """Whether a part is one of those that together are a whole: its gradient is kept till all are there."""
        pieces = pieces_of(path(root), self.forward.body)
        if not pieces or not isinstance(node, ast.Subscript) or node.value is not root:
            return False
        is_whole = base(root) in self.forward.parameters and not self.forward.loops[self.statement]
        part = gradient if is_whole else self.named(gradient, "z")  # `dW.ravel()` stays as it is till the end
        self.pieces.setdefault(name, {})[ast.unparse(node.slice)] = part.node
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
        is_of_objects = container in self.forward.flat.fields and container in self.forward.parameters
        if is_of_objects or (is_filled and not self.values.is_array(container)):
            made = self.steps.zeros(container)
        else:
            made = f"np.zeros_like({ast.unparse(self._like(root))})"
        if (loop := self._adding(container) if is_whole else self._within(container)) is not None:
            self.zeros[name] = made, loop
            return
        self.emit(f"{name} = {made}", "", makes=name, kind="init")
        self.live.add(name)
        self.owned.add(name)

    def _within(self, container: str) -> ast.For | None:
        """The loop around this statement whose rounds all read the same entry of a container, in the loop that fills it."""
        filled, around = self.steps.get(container), self.forward.loops[self.statement]
        inner = around[around.index(filled.loop) + 1 :] if filled is not None and filled.loop in around else ()
        return inner[0] if inner else None

    def _like(self, root: ast.expr) -> ast.expr:
        """A value of the same shape: of one that a round makes, a part of a weight that it is made from, which need not be kept."""
        loops, shape = self.forward.loops[self.statement], self.shapes.shape(root)
        made = [d.statement for d in self.forward.definitions.get(path(root), []) if loops and loops[-1] in d.loops]
        parts = [n for s in made[:1] for n in reads(s) if isinstance(s, ast.Assign) and isinstance(n, ast.Subscript)]
        like = next((n for n in parts if base(n) in self.forward.parameters and self.shapes.shape(n) == shape), root)
        return self.values.text(like, self.statement)

    def sized(self, node: ast.expr) -> ast.expr:
        loops, shape = self.forward.loops[self.statement][-1:], self.shapes.shape(node)
        made = [d for d in self.forward.definitions.get(path(node), []) if d.loops[-1:] == loops]
        if not loops or not made or self.values.is_put_away(node, made[-1].statement):
            return self.value(node)
        for name, definitions in self.forward.definitions.items():
            other, last = ast.Name(name, ast.Load()), definitions[-1]
            is_of_the_round = last.loops[-1:] == loops and self.values.shape_of(name) == shape
            if is_of_the_round and self.values.is_put_away(other, last.statement):  # the value itself need not be kept
                return self.values.text(other, last.statement, after=True)
        return self.value(node)

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
        around = self.forward.loops[self.statement]
        name = self.forward.flat.fields.get(name, (name, ()))[0]
        made = [d for d in self.forward.definitions.get(name, []) if rebinds(d, name)]
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
