"""The user's program as a syntax tree: its functions and classes, which of them is the backward pass, and what its arguments mean."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from engine.doctor.read.source import SourceFile
from engine.doctor.vocabulary import roles
from engine.doctor.vocabulary.readings import SIMPLE, Names, words_in
from engine.tables.cells import Cell

_BACKWARD = (
    r"^(?:loss_?and_?grad\w*|lossfun\w*|loss_fun\w*|forward_?backward|forward_and_backward|fwd_?bwd|compute_loss_and_\w*grad\w*)$",
    r"^(?:rnn_?)?(?:bptt|backward|backward_?pass|back_?prop\w*|gradients?|grads?|compute_grad\w*|get_grad\w*|calc_grad\w*|rnn_backward)$",
    r"bptt|backprop|back_prop|backward|gradient|grads?(?:_|$)|_bwd|bwd_|loss_?grad",
)
_STEP = re.compile(
    r"cell|step|one_|single|softmax|tanh|relu|sigmoid|activation|check|numeric|update|clip|_test|test_|apply|layer_norm",
    re.I,
)
_FORWARD = re.compile(
    r"^(?:rnn_?)?(?:forward\w*|fprop|feed_?forward|predict|forward_?pass|run|fwd)$|forward|fprop|_fwd", re.I
)
_OF_WEIGHTS = re.compile(r"d_?[WUVb][A-Za-z_]")
_TRAIN = re.compile(r"train|fit|learn|^rnn|^main$|^run|sgd|optimi[sz]e|model", re.I)


@dataclass(frozen=True, eq=False)
class UserFunction:
    """A function of the program; `owner` is its class, if it is a method."""

    node: ast.FunctionDef
    owner: ast.ClassDef | None = None

    @property
    def name(self) -> str:
        """Its name, with its class's before it."""
        return f"{self.owner.name}.{self.node.name}" if self.owner else self.node.name

    @cached_property
    def parameters(self) -> tuple[tuple[str, ast.expr | None], ...]:
        """Its parameters with their defaults, without `self`."""
        arguments = self.node.args
        positional = [*arguments.posonlyargs, *arguments.args]
        defaults = [None] * (len(positional) - len(arguments.defaults)) + list(arguments.defaults)
        pairs = [(a.arg, d) for a, d in zip(positional, defaults, strict=True)]
        pairs += [(a.arg, d) for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]
        is_method = self.owner is not None and not any(
            isinstance(d, ast.Name) and d.id == "staticmethod" for d in self.node.decorator_list
        )
        return tuple(pairs[1:] if is_method and pairs else pairs)

    @cached_property
    def returned(self) -> tuple[str, ...]:
        """The names of what it returns, as far as its last `return` says: of a tuple the names of its elements."""
        returns = [n for n in _own_nodes(self.node) if isinstance(n, ast.Return) and n.value is not None]
        if not returns:
            return ()
        return _element_names(returns[-1].value, self.node)

    @cached_property
    def called(self) -> frozenset[str]:
        """The names of what it calls."""
        return frozenset(called_name(n) for n in ast.walk(self.node) if isinstance(n, ast.Call)) - {""}


def called_name(call: ast.Call) -> str:
    """The name of the function or method that is called, without what it belongs to; "" for what has none."""
    match call.func:
        case ast.Name(name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def _own_nodes(function: ast.FunctionDef) -> Iterator[ast.AST]:
    stack: list[ast.AST] = list(function.body)
    while stack:
        node = stack.pop(0)
        yield node
        if not isinstance(node, ast.FunctionDef | ast.Lambda | ast.ClassDef):
            stack = [*ast.iter_child_nodes(node), *stack]


def _element_names(value: ast.expr | None, function: ast.FunctionDef) -> tuple[str, ...]:
    if isinstance(value, ast.Tuple | ast.List):
        return tuple(_name_in(element, function) for element in value.elts)
    if isinstance(value, ast.Name):
        for node in _own_nodes(function):
            if not (isinstance(node, ast.Assign) and isinstance(node.value, ast.List | ast.Tuple) and node.value.elts):
                continue
            if any(isinstance(t, ast.Name) and t.id == value.id for t in node.targets):
                return (value.id, *(f"{value.id}|{_name_in(e, function)}" for e in node.value.elts))
        return (value.id,)
    return (_name_in(value, function),) if value is not None else ()


def _name_in(element: ast.expr, function: ast.FunctionDef) -> str:
    """The name of a returned element: a variable's, or the one in the expression that means a gradient."""
    if isinstance(element, ast.Name):
        return element.id
    if isinstance(element, ast.List | ast.Tuple):
        return "[" + " ".join(_name_in(e, function) for e in element.elts) + "]"
    names = [n.id for n in ast.walk(element) if isinstance(n, ast.Name)]
    names += [n.attr for n in ast.walk(element) if isinstance(n, ast.Attribute)]
    return next((n for n in names if roles.gradient(n) or _OF_WEIGHTS.match(n)), "")


@dataclass(frozen=True, eq=False)
class UserProgram:
    """A program's functions, and what its text says about names."""

    source: SourceFile
    tree: ast.Module
    functions: tuple[UserFunction, ...] = field(default=())
    names: Names = SIMPLE
    """What its names mean."""
    cells: tuple[Cell, ...] = ()
    """The user's cells that it may implement."""

    @cached_property
    def assigned(self) -> frozenset[str]:
        """The names that the module assigns at its top level, also inside `if` and loops."""
        names: set[str] = set()
        stack: list[ast.AST] = list(self.tree.body)
        while stack:
            node = stack.pop()
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Lambda):
                continue
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.add(node.id)
            stack += ast.iter_child_nodes(node)
        return frozenset(names)

    @cached_property
    def keys(self) -> dict[str, str]:
        """Keys by which parameters are taken from dicts: our parameter by key, the one used first where several mean the same."""
        by_key: dict[str, str] = {}
        taken: set[str] = set()
        for node in ast.walk(self.tree):
            key: object = None
            if (
                isinstance(node, ast.Subscript)
                and isinstance(node.slice, ast.Constant)
                and isinstance(node.ctx, ast.Load)
            ):
                key = node.slice.value
            elif (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "get"
                and node.args
            ):
                key = node.args[0].value if isinstance(node.args[0], ast.Constant) else None
            elif isinstance(node, ast.Tuple | ast.List) and len(node.elts) > 2:  # for key in ("Wx", "Wa", ...)
                listed = [e.value for e in node.elts if isinstance(e, ast.Constant) and isinstance(e.value, str)]
                listed_keys = {k: m for k in listed if (m := self.names.parameter(k))}
                if len(set(listed_keys.values())) == len(node.elts):
                    return listed_keys
            if isinstance(key, str) and (meant := self.names.parameter(key)) and meant not in taken:
                by_key[key] = meant
                taken.add(meant)
        return by_key

    def fields(self, name: str) -> dict[str, str]:
        """The attributes of a variable that hold parameters: our parameter by attribute, the one used first where several mean the same."""
        by_field: dict[str, str] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == name:
                meant = self.names.parameter(node.attr)
                if meant and meant not in by_field.values():
                    by_field[node.attr] = meant
        return by_field

    def maker(self, function: UserFunction, name: str) -> str:
        """The class of the program that a parameter is annotated with, or else the one whose fields are used of it; "" for none."""
        classes = [n for n in ast.walk(self.tree) if isinstance(n, ast.ClassDef)]
        annotated = next((a.annotation for a in function.node.args.args if a.arg == name), None)
        used = {n.id for n in ast.walk(annotated) if isinstance(n, ast.Name)} if annotated else set[str]()
        for node in classes:
            declared = {
                n.target.id for n in node.body if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)
            }
            if node.name in used or self.fields(name).keys() <= declared:
                return node.name
        return ""

    def is_container(self, function: UserFunction, name: str) -> str | None:
        """`dict`, `list` or `object` when the function uses that parameter as a container of weights, else None."""
        if len(self.fields(name)) > 1 and name != "self":
            return "object"
        for node in ast.walk(function.node):
            if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id == name:
                key = node.slice.value if isinstance(node.slice, ast.Constant) else None
                if isinstance(key, str):
                    return "dict" if self.names.parameter(key) else None
            elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Name) and node.value.id == name:
                target = node.targets[0]
                elements = target.elts if isinstance(target, ast.Tuple | ast.List) else []
                if sum(isinstance(t, ast.Name) and self.names.parameter(t.id) is not None for t in elements) >= 2:
                    return "list"
        return None

    def order(self, name: str) -> tuple[str, ...]:
        """The parameters in the order in which a list called so is unpacked."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name) and node.value.id == name:
                target = node.targets[0]
                if isinstance(target, ast.Tuple | ast.List):
                    meant = [self.names.parameter(t.id) if isinstance(t, ast.Name) else None for t in target.elts]
                    if all(meant):
                        return tuple(m for m in meant if m)
        return (*roles.PARAMETERS[:2], "Wy", "ba", "by")

    def free_names(self, function: UserFunction) -> frozenset[str]:
        """The module's variables that a function reads, itself or through the functions of the program that it calls."""
        seen: set[str] = set()
        read: set[str] = set()
        queue = [function]
        while queue:
            current = queue.pop()
            if current.name in seen:
                continue
            seen.add(current.name)
            local = {n.id for n in ast.walk(current.node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
            local |= {a.arg for a in ast.walk(current.node) if isinstance(a, ast.arg)}
            loaded = {n.id for n in ast.walk(current.node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
            read |= loaded - local
            queue += [f for f in self.functions if f.node.name in current.called]
        return frozenset(read & self.assigned)

    def words_around(self, function: UserFunction) -> frozenset[str]:
        """The names in a function, its class, its forward pass and whatever of the program they call."""
        forward, words, seen = self.forward(function), frozenset[str](), set[str]()
        queue = [function, *([forward] if forward is not None else [])]
        while queue:
            current = queue.pop()
            if current.name in seen:
                continue
            seen.add(current.name)
            words |= words_in(current.node if current.owner is None else current.owner)
            queue += [f for f in self.functions if f.node.name in current.called]
        return words

    def calls(self, function: UserFunction, other: UserFunction) -> bool:
        """Whether a function calls another one, itself or through others."""
        seen: set[str] = set()
        queue = [function]
        while queue:
            current = queue.pop()
            if other.node.name in current.called:
                return True
            seen.add(current.name)
            queue += [f for f in self.functions if f.node.name in current.called and f.name not in seen]
        return False

    def attributes(self, owner: ast.ClassDef) -> tuple[str, ...]:
        """The attributes that a class's methods assign on `self`."""
        return tuple(
            dict.fromkeys(
                n.attr
                for n in ast.walk(owner)
                if isinstance(n, ast.Attribute)
                and isinstance(n.ctx, ast.Store)
                and isinstance(n.value, ast.Name)
                and n.value.id == "self"
            )
        )

    def resets(self, main: UserFunction) -> bool:
        """Whether another method of its class, which the backward pass does not call, is there to reset the gradients."""
        others = [f for f in self.functions if f.owner is main.owner and f is not main and f.node.name != "__init__"]
        named = {f.name for f in others if re.search("(zero|reset|clear|init).*grad", f.node.name, re.I)}
        named |= {
            f.name
            for f in others
            for n in ast.walk(f.node)
            if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store) and self.names.gradient(n.attr)
        }
        return any(not self.calls(main, f) for f in others if f.name in named)

    def find(self, name: str) -> UserFunction | None:
        """The function called so; of a class as `Class.method` or by the method's name alone."""
        return next((f for f in self.functions if name in (f.name, f.node.name)), None)

    def backward(self) -> UserFunction | None:
        """The function that is the backward pass by its name and its parameters; None when there is none."""
        best = max(self.functions, key=self._rank, default=None)
        return best if best is not None and self._rank(best) > 0 else None

    def _rank(self, function: UserFunction) -> float:
        """How likely a function is the whole backward pass: one of a part, such as a step or a layer, is less so."""
        is_part = function.owner is not None and self._is_part(function.owner)
        return self._backwardness(function) * (0.3 if is_part else 1.0)

    def rivals(self, main: UserFunction) -> tuple[str, ...]:
        """Other functions that are backward passes by their names, and have nothing to do with this one."""
        others = (f for f in self.functions if f is not main and not _STEP.search(f.node.name))
        return tuple(
            f.name
            for f in others
            if self._backwardness(f) >= 1.0 and not self.calls(f, main) and not self.calls(main, f)
        )

    def _is_part(self, owner: ast.ClassDef) -> bool:
        """Whether another class of the program with a backward pass makes instances of a class."""
        others = {f.owner for f in self.functions if f.owner not in (None, owner) and self._backwardness(f)}
        return any(isinstance(n, ast.Name) and n.id == owner.name for o in others if o for n in ast.walk(o))

    def _backwardness(self, function: UserFunction) -> float:
        name = function.node.name
        rank = next((3.0 - k for k, pattern in enumerate(_BACKWARD) if re.search(pattern, name, re.I)), 0.0)
        meant = {roles.role(parameter) for parameter, _ in function.parameters}
        if not rank or (not function.parameters and function.owner is None):
            return 0.0
        if _STEP.search(name):
            rank *= 0.2
        return rank + ("X" in meant) + ("y" in meant) * 0.5 + ("params" in meant or "Wa" in meant) * 0.3

    def forward(self, backward: UserFunction) -> UserFunction | None:
        """The forward pass that goes with a backward pass."""
        candidates = [
            f
            for f in self.functions
            if f.owner is backward.owner
            and f is not backward
            and _FORWARD.search(f.node.name)
            and not _STEP.search(f.node.name)
        ]
        return min(
            candidates, key=lambda f: (f.node.name not in ("forward", "rnn_forward"), f.node.lineno), default=None
        )

    def trainer(self) -> UserFunction | None:
        """A function that makes its own weights and trains on X and y."""
        for function in self.functions:
            meant = [roles.role(parameter) for parameter, _ in function.parameters]
            trains = function.owner is None and {"X", "y"} <= set(meant) and not {"Wa", "Wx", "params"} & set(meant)
            names = (n.id for n in ast.walk(function.node) if isinstance(n, ast.Name))
            if trains and (_TRAIN.search(function.node.name) or any(map(roles.gradient, names))):
                return function
        return None


def program(source: SourceFile, tree: ast.Module) -> UserProgram:
    """The program of a source text."""
    functions: list[UserFunction] = []
    classes: dict[str, ast.ClassDef] = {}
    for node in tree.body:
        inside = [node] if not isinstance(node, ast.If | ast.Try) else ast.walk(node)
        for inner in inside:
            if isinstance(inner, ast.FunctionDef):
                functions.append(UserFunction(inner))
            elif isinstance(inner, ast.ClassDef):
                classes[inner.name] = inner
                functions += [UserFunction(m, inner) for m in inner.body if isinstance(m, ast.FunctionDef)]
            elif isinstance(inner, ast.Assign):
                functions = [_owned(f, inner, classes) for f in functions]
    return UserProgram(source, tree, tuple(functions))


def _owned(function: UserFunction, node: ast.Assign, classes: dict[str, ast.ClassDef]) -> UserFunction:
    """A function that a statement makes a method, as in `RNN.bptt = bptt`, which notebooks do."""
    match node:
        case ast.Assign(targets=[ast.Attribute(value=ast.Name(id=owner), attr=name)], value=ast.Name(id=own)):
            if own == name == function.node.name and owner in classes and function.owner is None:
                return UserFunction(function.node, classes[owner])
        case _:
            pass
    return function
