"""The forward pass in one block: the program's own functions that it calls, put in the place of their calls, under names that fit there.
The copied statements keep their places in the text, so what was seen of them holds."""

from __future__ import annotations

import ast
import copy
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from engine.doctor.derive.forward.branches import as_run, chosen, taken_ways, unrolled
from engine.doctor.derive.tree.elementwise import derivative
from engine.doctor.derive.tree.shapes import SeenShapes
from engine.doctor.derive.tree.syntax_of import called, names, parsed, path, written_into
from engine.doctor.mending.edits.atoms import replaced

BEFORE = "_before"


@dataclass(eq=False)
class Called:
    """A call that was put in its place: the function, the statement that calls it, the names of its locals there (in the block) by their
    names in the function, and what `self` is."""

    function: ast.FunctionDef
    statement: ast.stmt
    call: ast.Call
    renamed: dict[str, str]
    receiver: str
    inside: Called | None = None
    given: dict[str, str] = field(default_factory=dict[str, str])
    """What its arguments are where it is called, by their names in the function."""


@dataclass(eq=False)
class FlatPass:
    """The statements, and of which call each local name is."""

    body: list[ast.stmt] = field(default_factory=list[ast.stmt])
    hidden: dict[str, Called] = field(default_factory=dict[str, Called])
    """Names of the block that the place of the backward pass does not know: locals of functions that were put in."""
    calls: list[Called] = field(default_factory=list[Called])
    within: dict[int, ast.FunctionDef | None] = field(default_factory=dict[int, ast.FunctionDef | None])
    """In whose text a loop stands, by its identity; None of the block itself."""

    called_at: dict[int, list[Called]] = field(default_factory=dict[int, list[Called]])
    """For each statement of a function that was put in, by its identity, the calls of it, the innermost first."""

    given_back: dict[str, str] = field(default_factory=dict[str, str])
    """What a function calls that which its caller gives a name to when it is returned, by the caller's name."""

    held: dict[str, str] = field(default_factory=dict[str, str])
    """The attributes of objects that stand under names of their own in the block."""

    before: dict[str, tuple[str, ast.stmt]] = field(default_factory=dict[str, tuple[str, ast.stmt]])
    """Names for first values of names that get another one, and the statement that gives it to them."""

    def named_before(self, name: str, statement: ast.stmt) -> str:
        """A name for the value that a name has before a statement."""
        own = self.own_name(name)
        before = next(n for k in range(1, 50) if (n := f"{own}{BEFORE}{k if k > 1 else ''}") not in self.before)
        new = f"{name}{before.removeprefix(own)}"
        self.before[new] = name, statement
        inside = self.hidden.get(name) or next(iter(self.called_at.get(id(statement), [])), None)
        if inside is not None:
            self.hidden[new] = inside
            inside.renamed[before] = new
        return new

    def own_name(self, name: str) -> str:
        """What a name of the block is called in the function that it is a local of."""
        renamed = self.hidden[name].renamed if name in self.hidden else {}
        return next((own for own, new in renamed.items() if new == name), self.given_back.get(name, name))

    def opened(self, function: ast.FunctionDef, name: str) -> str:
        """The block goes on in a function: its locals are known there. What one of them is called in the block."""
        own = [one for one in self.calls if one.function is function]
        self.hidden = {local: one for local, one in self.hidden.items() if one not in own}
        return next((one.renamed[name] for one in own if name in one.renamed), name)

    def function_of(self, name: str) -> ast.FunctionDef | None:
        """The function whose local a name is."""
        return self.hidden[name].function if name in self.hidden else None


def flattened(
    tree: ast.Module,
    body: Sequence[ast.stmt],
    last: ast.stmt,
    shapes: SeenShapes,
    helpers: Collection[str],
    until: ast.stmt | None = None,
) -> FlatPass:
    """The statements of a block, up to `last`, with the program's own functions in place of the calls that numbers go through.
    They end with `until`, where that is a statement of one of them."""
    known = {n for s in body if not isinstance(s, ast.FunctionDef | ast.ClassDef) for n in names(s)}
    return _Flattening(tree, shapes, helpers, known, until).made(list(body[: body.index(last) + 1]))


class _Flattening:
    def __init__(
        self, tree: ast.Module, shapes: SeenShapes, helpers: Collection[str], known: set[str], until: ast.stmt | None
    ) -> None:
        self._shapes, self._helpers, self._until = shapes, helpers, until
        self._functions = {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef)}
        classes = [n for n in tree.body if isinstance(n, ast.ClassDef)]
        self._classes = {c.name: c for c in classes}
        methods = [(m.name, m) for c in classes for m in c.body if isinstance(m, ast.FunctionDef)]
        self._methods = {name: m for name, m in methods if sum(name == other for other, _ in methods) == 1}
        self._instances = {
            path(t): self._classes[s.value.func.id]
            for s in ast.walk(tree)
            if isinstance(s, ast.Assign) and isinstance(s.value, ast.Call) and isinstance(s.value.func, ast.Name)
            for t in s.targets
            if s.value.func.id in self._classes
        }
        self._aliases = aliases(tree, shapes)
        globals_ = {
            n.id
            for s in tree.body
            if isinstance(s, ast.Assign)
            for t in s.targets
            for n in ast.walk(t)
            if isinstance(n, ast.Name)
        }
        self._taken = set(known)
        self._stored_names = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        self._globals = globals_
        self._flat = FlatPass([])
        self._nested: set[str] = set()
        """Functions within functions: they read what is around them, and need no arguments for it."""
        self._inside: list[Called] = []
        self._around: list[set[str]] = []
        self._counters: set[str] = set()

    def made(self, body: list[ast.stmt]) -> FlatPass:
        self._flat.body = self._with_states(list(self._block(body)))
        return self._flat

    def _with_states(self, body: list[ast.stmt]) -> list[ast.stmt]:
        """States that an object holds, `self.h`, which a loop gives a new value each round, under names of their own in the block."""
        loops = [s for s in body if isinstance(s, ast.For)]
        held = {
            path(t): loop
            for loop in loops
            for s in ast.walk(loop)
            if isinstance(s, ast.Assign) and self._shapes.shape(s.value)
            for t in s.targets
            if isinstance(t, ast.Attribute) and path(t)
        }
        for attribute, loop in held.items():
            name = self._local(attribute.rpartition(".")[2], {})
            is_method = self._flat.within.get(id(loop)) is not None
            self._flat.given_back[name] = f"self.{attribute.rpartition('.')[2]}" if is_method else attribute
            self._flat.held[name] = attribute
            first = _at(ast.Assign([ast.Name(name, ast.Store())], parsed(attribute)), loop)
            before = body.index(loop)
            begun = any(path(t) == attribute for s in body[:before] if isinstance(s, ast.Assign) for t in s.targets)
            body = [_named_state(s, attribute, name) for s in body]
            body = body if begun else [*body[:before], first, *body[before:]]
        return body

    def _block(self, body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
        for statement in body:
            if isinstance(statement, ast.FunctionDef):
                self._functions[statement.name] = statement
                self._nested.add(statement.name)
            if isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.Nonlocal | ast.Global):
                continue
            statement = chosen(statement, self._shapes)
            one_way = as_run(statement, self._shapes) if isinstance(statement, ast.If) else None
            if one_way is not None:
                yield from self._block(one_way)
            elif isinstance(statement, ast.For):
                for one in unrolled(statement):
                    yield from self._compound(one) if isinstance(one, ast.For) else self._block([one])
            elif isinstance(statement, ast.With | ast.If | ast.While | ast.Try):
                yield from self._compound(statement)
            else:
                yield from self._simple(statement)

    def _compound(self, statement: ast.stmt) -> Iterator[ast.stmt]:
        changed = copy.copy(statement)
        counted = (
            {n.id for n in ast.walk(statement.target) if isinstance(n, ast.Name)}
            if isinstance(statement, ast.For)
            else set[str]()
        )
        self._around.append(counted)
        for name in ("body", "orelse", "finalbody"):
            block = getattr(statement, name, None)
            if isinstance(block, list):
                setattr(changed, name, list(self._block(cast("list[ast.stmt]", block))))
        self._around.pop()
        self._flat.within[id(changed)] = self._inside[-1].function if self._inside else None
        self._counters |= counted
        yield changed

    def _simple(self, statement: ast.stmt) -> Iterator[ast.stmt]:
        statement, before = self._summed(statement)
        if before:
            yield from self._block(before)
        calls = [n for n in ast.walk(statement) if isinstance(n, ast.Call) and self._function(n) is not None]
        if not calls:
            yield from map(self._out_of_place, _single(statement))
            return
        changed: dict[ast.Call, ast.expr] = {}
        inside = len(self._inside)
        put: list[Called] = []
        for call in reversed(calls):
            if any(call in list(ast.walk(other)) and call is not other for other in calls):
                continue  # an argument: the next time
            lines, changed[call], one = self._put(call, statement)
            put.append(one)
            yield from lines
        result = _with(statement, changed)
        if isinstance(result, ast.Expr) and not isinstance(result.value, ast.Call):
            return
        self._inside += put
        for one in _single(result):
            if not (
                isinstance(one, ast.Assign)
                and len(one.targets) == 1
                and ast.unparse(one.targets[0]) == ast.unparse(one.value)
            ):
                made = list(self._simple(one))
                if getattr(statement, "value", None) in changed and not path(getattr(one, "value", one)):
                    for line in made:  # what a function returns is a line of it
                        self._flat.called_at.setdefault(id(line), []).append(put[-1])
                yield from made
        del self._inside[inside:]

    def _summed(self, statement: ast.stmt) -> tuple[ast.stmt, list[ast.stmt]]:
        """`sum(... for ...)` and `np.sum(np.log([... for ...]))` as a loop before the statement."""
        for node in ast.walk(statement):
            inner, through = _listed(node)
            if inner is None or not isinstance(node, ast.Call) or len(inner.generators) != 1 or inner.generators[0].ifs:
                continue
            name = self._local("total", {})
            (over,) = inner.generators
            value = inner.elt
            for function in reversed(through):
                value = ast.Call(function, [value], [])
                self._shapes.know(value, ())
            adding = _at(ast.AugAssign(ast.Name(name, ast.Store()), ast.Add(), value), statement)
            loop = _at(ast.For(over.target, over.iter, [adding], []), statement)
            first = _at(ast.Assign([ast.Name(name, ast.Store())], ast.Constant(0)), statement)
            read: ast.expr = ast.Name(name, ast.Load())
            shape = self._shapes.shape(inner.elt) or ()
            self._shapes.know(read, shape)
            inside = self._inside[-1] if self._inside else None
            for hidden in [name, *(n.id for n in ast.walk(over.target) if isinstance(n, ast.Name))] if inside else []:
                self._flat.hidden.setdefault(hidden, cast("Called", inside))
            if called(node) == "mean":
                count = parsed(f"len({ast.unparse(_counted(over.iter))})")
                self._shapes.know(count, ())
                read = ast.BinOp(read, ast.Div(), count)
                self._shapes.know(read, shape)
            return replaced_in(statement, node, read), [first, loop]
        return statement, []

    def _out_of_place(self, statement: ast.stmt) -> ast.stmt:
        """`p /= p.sum()` and `np.clip(p, -9, 9, out=p)` as the assignments that they are, so that both values of p are seen."""
        if (into := written_into(statement)) is not None:
            return _at(ast.Assign([ast.Name(into[0], ast.Store())], into[1]), statement)
        if not isinstance(statement, ast.AugAssign) or not isinstance(statement.target, ast.Name):
            return statement
        name = statement.target.id
        if name not in names(statement.value):
            return statement
        read = ast.copy_location(ast.Name(name, ast.Load()), statement.target)
        value = ast.copy_location(ast.BinOp(read, statement.op, statement.value), statement)
        made = _at(ast.Assign([ast.Name(name, ast.Store())], value), statement)
        shape = next(
            (
                s
                for n in ast.walk(statement.value)
                if isinstance(n, ast.Name) and n.id == name and (s := self._shapes.shape(n)) is not None
            ),
            None,
        )
        if shape is not None:
            self._shapes.know(read, shape)
            self._shapes.know(value, shape)
        return made

    # Which calls

    def _function(self, call: ast.Call) -> tuple[ast.FunctionDef, str] | None:
        """The function that a call is of, and what `self` is in it; None where it is left as it is."""
        found, receiver = self._target(call)
        if found is None or any(found is one.function for one in self._inside):
            return None
        name = f"self.{found.name}" if found.args.args and found.args.args[0].arg == "self" else found.name
        body = taken_ways(found.body, self._shapes)
        returns = [n for s in body for n in ast.walk(s) if isinstance(n, ast.Return)]
        is_plain = not returns or (len(returns) == 1 and returns[0] is body[-1])
        if name in self._helpers or not is_plain or found.args.vararg or found.args.kwarg:
            return None
        given = (*call.args, *(k.value for k in call.keywords))
        carries = receiver or any(self._carries(a) for a in given)
        from_outside = found.name in self._nested or any(self._shapes.is_index(a) for a in given)
        carries = carries or (self._shapes.is_float(call) and from_outside)
        return (found, receiver) if carries else None

    def _target(self, call: ast.Call) -> tuple[ast.FunctionDef | None, str]:
        function = call.func
        if isinstance(function, ast.Name) and function.id in self._functions:
            return self._functions[function.id], ""
        if path(function) in self._instances:
            return self._method(self._instances[path(function)], "__call__"), path(function)
        if isinstance(function, ast.Attribute) and path(function.value):
            seen = self._shapes.of(function.value)
            name = self._aliases.get(function.attr, function.attr)
            own = self._method(self._classes[seen[0]], name) if seen and seen[0] in self._classes else None
            return own or self._methods.get(name), path(function.value)
        return None, ""

    def _method(self, of: ast.ClassDef, name: str) -> ast.FunctionDef | None:
        """A method of a class, or of those that it is made from."""
        own = next((m for m in of.body if isinstance(m, ast.FunctionDef) and m.name == name), None)
        above = (self._classes[path(b)] for b in of.bases if path(b) in self._classes and path(b) != of.name)
        return own or next((found for one in above if (found := self._method(one, name)) is not None), None)

    def _carries(self, node: ast.expr) -> bool:
        """Whether numbers go into a call here: arrays of floats, lists and dictionaries of them."""
        if isinstance(node, ast.Constant):
            return False
        of = self._shapes.of(node)
        if of is None:
            return False
        return of[1] == "f" if of[0] == "array" else of[0] in ("list", "tuple", "dict", *self._classes)

    # One call

    def _put(self, call: ast.Call, statement: ast.stmt) -> tuple[list[ast.stmt], ast.expr, Called]:
        function, receiver = self._function(call) or (None, "")
        assert function is not None
        ways = taken_ways(function.body, self._shapes)
        ends = next((k for k, s in enumerate(ways) if s is self._until), len(ways) - 1)
        body = copy.deepcopy(ways[: ends + 1])
        if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
            body = body[1:]
        end = body.pop() if isinstance(body[-1], ast.Return) else None
        value: ast.expr = end.value if isinstance(end, ast.Return) and end.value is not None else ast.Constant(None)
        stored = _stored(body)
        written = _written(statement)
        given = dict(_given(function, call, receiver))
        before: list[ast.stmt] = []
        renames: dict[str, ast.expr] = {}
        renamed: dict[str, str] = {}
        outer = _targets_of(value, statement)
        for name, argument in given.items():
            if name in stored and outer.get(name) == path(argument):
                renamed[name] = outer[name]  # `h = step(x, h)`: it has a new value there, and after the call
                self._flat.given_back[renamed[name]] = name
                continue
            if (
                name not in stored
                and (path(argument) or isinstance(argument, ast.Constant) or self._is_entry(argument))
                and not (names(argument) & written)
            ):
                renames[name] = argument
                continue
            renamed[name] = self._local(name, {})
            if renamed[name] != ast.unparse(argument):
                before.append(_at(ast.Assign([ast.Name(renamed[name], ast.Store())], argument), statement))
        for name in stored:
            if name not in given:
                renamed[name] = self._local(name, outer, is_counter=_only_counts(name, body))
                if renamed[name] in outer.values():
                    self._flat.given_back[renamed[name]] = name
        body = _apart(body, renamed)
        one = Called(function, statement, call, renamed, receiver, self._inside[-1] if self._inside else None)
        for name in renamed.values():
            if name not in outer.values():
                self._flat.hidden.setdefault(name, one)
        every = renames | {name: ast.Name(new, ast.Load()) for name, new in renamed.items() if new != name}
        body = [_renamed(s, every) for s in body]
        value = replaced(value, lambda n: _other(n, every))
        self._flat.calls.append(one)
        self._inside.append(one)
        one.given = {name: ast.unparse(argument) for name, argument in given.items()}
        first = list(self._block(before))
        lines = list(self._block(body))
        self._inside.pop()
        for inner in (n for line in lines for n in ast.walk(line) if isinstance(n, ast.stmt)):
            self._flat.called_at.setdefault(id(inner), []).append(one)
        return [*first, *lines], value, one

    def _is_entry(self, node: ast.expr) -> bool:
        """Whether an argument is a part of something: written as it is where it is read."""
        return isinstance(node, ast.Subscript) and not any(
            isinstance(n, ast.Call | ast.BinOp) for n in ast.walk(node.value)
        )

    def _local(self, name: str, outer: Mapping[str, str], *, is_counter: bool = False) -> str:
        if name in outer:
            return outer[name]
        if is_counter and name in self._counters and not any(name in one for one in self._around):
            return name
        name = f"{name}_" if name.startswith("d") and name[1:] in self._stored_names else name  # no gradient's name
        new, k = name, 2
        while new in self._taken:
            new, k = f"{name}{k}", k + 1
        self._taken.add(new)
        return new


def _listed(node: ast.AST) -> tuple[ast.GeneratorExp | ast.ListComp | None, list[ast.expr]]:
    """What a sum or mean is of, where that is written out entry by entry, and the functions that each entry goes through on the way."""
    through: list[ast.expr] = []
    if not isinstance(node, ast.Call) or called(node) not in ("sum", "mean") or len(node.args) != 1 or node.keywords:
        return None, through
    inner = node.args[0]
    while isinstance(inner, ast.Call) and len(inner.args) == 1 and derivative(called(inner)) is not None:
        through.append(inner.func)
        inner = inner.args[0]
    return (inner if isinstance(inner, ast.GeneratorExp | ast.ListComp) else None), through


def _counted(over: ast.expr) -> ast.expr:
    """What has as many entries as a loop has rounds."""
    return over.args[0] if isinstance(over, ast.Call) and called(over) in ("zip", "enumerate") else over


def aliases(tree: ast.Module, shapes: SeenShapes) -> dict[str, str]:
    """Attributes that the run gave a method, `self.activation = self.relu`, by the method; none that had several."""
    found: dict[str, set[str]] = {}
    assigned = [one for s in ast.walk(tree) if isinstance(s, ast.Assign) for one in _single(s)]
    for s in (one for one in assigned if isinstance(one, ast.Assign)):
        if isinstance(s.value, ast.Attribute) and (shapes.of(s.value) or [""])[0] == "method":
            for target in (t for t in s.targets if isinstance(t, ast.Attribute)):
                found.setdefault(target.attr, set()).add(s.value.attr)
    return {name: next(iter(held)) for name, held in found.items() if len(held) == 1}


def _given(function: ast.FunctionDef, call: ast.Call, receiver: str) -> Iterator[tuple[str, ast.expr]]:
    parameters = [a.arg for a in function.args.args]
    if receiver and parameters:
        yield parameters[0], parsed(receiver)
        parameters = parameters[1:]
    defaults = dict(zip(reversed(parameters), reversed(function.args.defaults), strict=False))
    keywords = {k.arg: k.value for k in call.keywords if k.arg}
    positional = dict(zip(parameters, call.args, strict=False))
    for name in parameters:
        value = positional.get(name) or keywords.get(name) or defaults.get(name)
        if value is not None:
            yield name, value


def _stored(body: Sequence[ast.stmt]) -> list[str]:
    found = [n.id for s in body for n in ast.walk(s) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
    inside = [
        n.id
        for s in body
        for c in ast.walk(s)
        if isinstance(c, ast.ListComp | ast.GeneratorExp | ast.DictComp | ast.SetComp)
        for g in c.generators
        for n in ast.walk(g.target)
        if isinstance(n, ast.Name)
    ]
    others = [name for s in body if isinstance(s, ast.Nonlocal | ast.Global) for name in s.names]
    return [name for name in dict.fromkeys(found) if name not in (*inside, *others)]


def _written(statement: ast.stmt) -> set[str]:
    return {n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def _targets_of(value: ast.expr, statement: ast.stmt) -> dict[str, str]:
    """Which name of the caller a local that is returned gets."""
    if not isinstance(statement, ast.Assign) or not isinstance(statement.value, ast.Call):
        return {}
    target = statement.targets[0]
    if isinstance(target, ast.Name) and isinstance(value, ast.Name):
        return {value.id: target.id}
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
        pairs = zip(target.elts, value.elts, strict=True)
        return {v.id: t.id for t, v in pairs if isinstance(t, ast.Name) and isinstance(v, ast.Name) and t.id != "_"}
    return {}


def _only_counts(name: str, body: Sequence[ast.stmt]) -> bool:
    """Whether a name is that of loops' counters alone."""
    loops = [n.target for s in body for n in ast.walk(s) if isinstance(n, ast.For)]
    counted = {id(n) for target in loops for n in ast.walk(target)}
    return all(
        id(n) in counted
        for s in body
        for n in ast.walk(s)
        if isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Store)
    )


def _apart(body: list[ast.stmt], renamed: dict[str, str]) -> list[ast.stmt]:
    """Where `caches = (caches, x)` packs a list with others, the list gets a name of its own."""
    for k, statement in enumerate(body):
        if not (
            isinstance(statement, ast.Assign)
            and isinstance(statement.value, ast.Tuple)
            and isinstance(statement.targets[0], ast.Name)
        ):
            continue
        name = statement.targets[0].id
        if name in names(statement.value):
            other = {name: ast.Name(f"{name}_t", ast.Load())}
            renamed[f"{name}_t"] = f"{name}_t"
            value = replaced(statement.value, lambda n, other=other: _other(n, other))
            packed = _at(ast.Assign(statement.targets, value), statement)
            return [*(_renamed(s, other) for s in body[:k]), packed, *body[k + 1 :]]
    return body


def _named_state(statement: ast.stmt, attribute: str, name: str) -> ast.stmt:
    """The statement itself, with a name for every read and write of an attribute."""

    class _Held(ast.NodeTransformer):
        def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
            own = path(node) == attribute
            return ast.copy_location(ast.Name(name, node.ctx), node) if own else self.generic_visit(node)

    return cast("ast.stmt", _Held().visit(statement))


def _renamed(statement: ast.stmt, every: Mapping[str, ast.expr]) -> ast.stmt:
    class _Rename(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.AST:
            return _other(node, every) or node

    return _Rename().visit(statement)


def _other(node: ast.expr, every: Mapping[str, ast.expr]) -> ast.expr | None:
    if not isinstance(node, ast.Name) or node.id not in every:
        return None
    new = every[node.id]
    if isinstance(new, ast.Name):
        return ast.copy_location(ast.Name(new.id, node.ctx), node)
    return new


def _with(statement: ast.stmt, changed: Mapping[ast.Call, ast.expr]) -> ast.stmt:
    class _Exchanged(ast.NodeTransformer):
        def visit_Call(self, node: ast.Call) -> ast.AST:
            return changed[node] if node in changed else self.generic_visit(node)

    return _Exchanged().visit(_shallow(statement))


def _shallow(statement: ast.stmt) -> ast.stmt:
    """A copy in which calls are still the same objects: their parents are new."""
    memo = {id(n): n for n in ast.walk(statement) if isinstance(n, ast.Call)}
    return copy.deepcopy(statement, memo)


def replaced_in(statement: ast.stmt, old: ast.AST, other: ast.expr) -> ast.stmt:
    """A copy of a statement with another expression for one of its own."""

    class _Other(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            return other if node is old else self.generic_visit(node)

    return cast("ast.stmt", _Other().visit(copy.deepcopy(statement, {id(old): old})))


def _single(statement: ast.stmt) -> list[ast.stmt]:
    """`a, b = x, y` as two statements, without what is named `_`."""
    if (
        not isinstance(statement, ast.Assign)
        or not isinstance(statement.value, ast.Tuple)
        or not isinstance(statement.targets[0], ast.Tuple)
    ):
        return [statement]
    pairs = list(zip(statement.targets[0].elts, statement.value.elts, strict=True))
    changed = [(ast.unparse(t), v) for t, v in pairs if ast.unparse(t) not in ("_", ast.unparse(v))]
    for name, value in changed:
        others = {other for other, _ in changed if other != name}
        if any(isinstance(n, ast.expr) and ast.unparse(n) in others for n in ast.walk(value)):
            return [statement]  # `a, b = b, a`: all at once
    return [_at(ast.Assign([t], v), statement) for t, v in pairs if (ast.unparse(t), v) in changed]


def _at(made: ast.stmt, statement: ast.stmt) -> ast.stmt:
    """A statement that was made, in the place of one of the text."""
    ast.copy_location(made, statement)
    return ast.fix_missing_locations(made)
