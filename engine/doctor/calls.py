"""How a function of the user's is called on a problem: what each argument, global or attribute stands for, and what comes back."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np

from engine.doctor import layouts
from engine.doctor.anatomy import Function, Program
from engine.doctor.layouts import Layout
from engine.doctor.names import SIMPLE, Names
from engine.doctor.problem import Problem
from engine.doctor.stacking import is_role
from engine.doctor.values import is_array
from engine.functions import Array

LEARNING_RATE = 0.05
FAR = 10_000


@dataclass(frozen=True)
class Argument:
    """One argument: its name, the role it plays, and for a container how parameters lie in it.

    A role `result` takes what an earlier call returned, along `path`; `default` leaves the argument away.
    """

    name: str
    role: str
    keys: Mapping[str, str] = field(default_factory=dict[str, str])
    order: tuple[str, ...] = ()
    path: tuple[int | str, ...] = ()


@dataclass(frozen=True, eq=False)
class Call:
    """A call of one function."""

    function: Function
    arguments: tuple[Argument, ...]


@dataclass(frozen=True, eq=False)
class Recipe:
    """Everything that is set and called for one problem: module globals, an instance with its attributes, calls in order."""

    calls: tuple[Call, ...]
    globals: tuple[Argument, ...] = ()
    owner: ast.ClassDef | None = None
    construct: tuple[Argument, ...] = ()
    attributes: tuple[Argument, ...] = ()
    names: Names = SIMPLE

    @property
    def main(self) -> Function:
        """The backward pass itself."""
        return self.calls[-1].function

    @property
    def arguments(self) -> Iterator[Argument]:
        """All that is handed over, in whatever way."""
        for call in self.calls:
            yield from call.arguments
        yield from (*self.globals, *self.construct, *self.attributes)

    @property
    def given(self) -> frozenset[str]:
        """The roles that are handed over, those inside containers too."""
        found: set[str] = set()
        for argument in self.arguments:
            found |= {argument.role, *argument.keys.values(), *argument.order}
        return frozenset(found)

    @property
    def one_vocabulary(self) -> bool:
        """Whether one number stands for both D and C: characters in, characters out."""
        names = {a.name.strip("_").lower() for a in self.arguments if a.role in ("D", "C")}
        return bool(names & {"vocab_size", "word_dim", "n_vocab", "v_size"}) and "C" not in {
            a.role for a in self.arguments
        }

    def request(self, problem: Problem, layout: Layout, sample: int | None) -> dict[str, Any]:
        """The request to the worker."""

        def value(argument: Argument) -> Any:
            return _value(argument, problem, layout, sample)

        calls = [
            {
                "function": call.function.node.name,
                "method": call.function.owner is not None,
                "named": {a.name: value(a) for a in call.arguments if a.role != "default"},
            }
            for call in self.calls
        ]
        request: dict[str, Any] = {"calls": calls, "globals": {a.name: value(a) for a in self.globals}}
        if self.owner is not None:
            request["instance"] = {
                "class": self.owner.name,
                "arguments": {a.name: value(a) for a in self.construct if a.role != "default"},
                "attributes": {a.name: value(a) for a in self.attributes},
            }
        return request


def _value(argument: Argument, problem: Problem, layout: Layout, sample: int | None) -> Any:
    network = problem.network
    match argument.role:
        case "X":
            return layouts.inputs(problem, layout, sample)
        case "y":
            return layouts.targets(problem, layout, sample)
        case "a0":
            return layouts.state(problem, layout, sample)
        case "c0":
            return layouts.state(problem, layout, sample, "c")
        case "da":
            return layouts.upstream(problem, layout, sample)
        case "dc":  # the loss depends on the cell state through the output alone
            return np.zeros_like(layouts.state(problem, layout, sample))
        case "params" if argument.order:
            return [layouts.weight(name, problem, layout) for name in argument.order]
        case "params":
            return {key: layouts.weight(name, problem, layout) for key, name in argument.keys.items()}
        case "result":
            return ("result", 0, list(argument.path))
        case "lengths":
            return np.full(len(problem.X) if sample is None else 1, problem.X.shape[1])
        case "mask":
            ones = np.ones((len(problem.X) if sample is None else 1, problem.X.shape[1]))
            return ones.T if layout.x.upper().startswith("T") else ones
        case "lr":
            return LEARNING_RATE
        case "off":
            return 0.0
        case "far":
            return FAR
        case "once":
            return 1
        case "B":
            return len(problem.X) if sample is None else 1
        case "T":
            return problem.X.shape[1]
        case "D" | "H" | "C":
            return network.sizes[argument.role]
        case _:
            return layouts.weight(argument.role, problem, layout)


class Unknown(Exception):
    """A function that cannot be called: one sentence that says which argument nobody can supply."""


def recipes(program: Program, main: Function) -> list[Recipe]:
    """The ways in which a backward pass may be called, the likeliest first. Raises Unknown."""
    forward = program.forward(main)
    needs_forward = forward is not None and not program.calls(main, forward)
    unresolved: list[str] = []
    arguments = _arguments(program, main, unresolved)
    if unresolved and forward is not None and forward.owner is main.owner:
        needs_forward = True
    calls: list[Call] = []
    if forward is not None and needs_forward and (unresolved or main.owner is not None):
        missing: list[str] = []
        before = _arguments(program, forward, missing)
        if not missing:
            calls.append(Call(forward, before))
            arguments, unresolved = _from_forward(arguments, unresolved, forward, main)
    base = _surroundings(program, main, calls)
    results: list[Recipe] = []
    for choice in _by_elimination(arguments, unresolved, base.given | {a.role for a in arguments}):
        results.append(replace(base, calls=(*calls, Call(main, choice))))
    if not results:
        lacking = ", ".join(unresolved)
        raise Unknown(
            f"{main.name} takes {lacking}, which no known name and no function of the file explains; "
            "give a function of inputs, targets and weights with --function, or name its arguments as in X, y, Wx, Wa, Wy, ba, by"
        )
    return results


def _arguments(program: Program, function: Function, unresolved: list[str]) -> tuple[Argument, ...]:
    result: list[Argument] = []
    taken: set[str] = set()
    for name, default in function.parameters:
        container = program.is_container(function, name)
        meant = program.names.role(name)
        if (container == "dict" and not _alike(name, "cache")) or (
            container is None and meant == "params" and program.keys and not _is_list(program, name)
        ):
            result.append(Argument(name, "params", keys=program.keys))
        elif container == "list" or (container is None and meant == "params"):
            result.append(Argument(name, "params", order=program.order(name)))
        elif meant is None and name in ("a", "h") and default is not None:
            result.append(Argument(name, "a0"))
        elif meant in ("far", "off", "once", "lr") or (meant is not None and meant not in taken and meant != "params"):
            kept = meant in ("B", "T", "D", "C", "H") and default is not None and not _is_number(default)
            result.append(Argument(name, "default" if kept else meant))
        elif default is not None:
            result.append(Argument(name, "default"))
        else:
            result.append(Argument(name, "?"))
            unresolved.append(name)
        taken.add(result[-1].role)
    return tuple(result)


def _is_number(node: ast.expr) -> bool:
    """Whether a default is a size that someone had in mind: ours is another."""
    return isinstance(node, ast.Constant) and type(node.value) is int


def _is_list(program: Program, name: str) -> bool:
    return any(
        isinstance(n, ast.Assign)
        and isinstance(n.value, ast.Name)
        and n.value.id == name
        and isinstance(n.targets[0], ast.Tuple)
        for n in ast.walk(program.tree)
    )


def _from_forward(
    arguments: tuple[Argument, ...], unresolved: list[str], forward: Function, main: Function
) -> tuple[tuple[Argument, ...], list[str]]:
    """What a forward pass returns put in where the backward pass asks for it: by name, else in order."""
    returned = forward.returned
    single = len(returned) == 1
    places: dict[str, tuple[int, ...]] = {name: () if single else (k,) for k, name in enumerate(returned)}
    result: list[Argument] = []
    left: list[str] = []
    used: set[str] = set()
    for argument in arguments:
        if (argument.role in ("?",) and argument.name in places) or (
            argument.role in ("a0", "T", "H", "default")
            and argument.name in places
            and argument.name not in dict(forward.parameters)
        ):
            result.append(Argument(argument.name, "result", path=places[argument.name]))
            used.add(argument.name)
        else:
            result.append(argument)
    rest = [name for name in returned if name not in used]
    wanted = [a.name for a in result if a.role == "?" and not _SUPPLIED.match(a.name)]
    for k, argument in enumerate(result):
        if argument.role != "?":
            continue
        if _SUPPLIED.match(argument.name):
            left.append(argument.name)
            continue
        near = next((n for n in rest if _alike(n, argument.name)), None)
        if near is None and len(wanted) == 1 and single:
            near = rest[0] if rest else None
        if near is None and len(wanted) == len(rest):
            near = rest[wanted.index(argument.name)]
        if near is None and len(wanted) == 1 and rest:
            near = rest[-1]
        if near is not None:
            result[k] = Argument(argument.name, "result", path=places[near])
            used.add(near)
        else:
            left.append(argument.name)
    return tuple(result), left


def _alike(one: str, other: str) -> bool:
    """Whether two names are one word with an ending: cache and caches, hs and h, y_hat and yhat."""
    a, b = (s.lower().replace("_", "").rstrip("s") for s in (one, other))
    groups = (
        {"p", "prob", "yhat", "ypred", "output", "o", "a2", "out", "pred"},
        {"cache", "store", "ctx", "tape", "memory", "mem"},
        {"h", "hidden", "state", "a", "activation", "hiddenstate"},
    )
    return bool(a) and (a == b or any(a in group and b in group for group in groups))


def _by_elimination(
    arguments: tuple[Argument, ...], unresolved: list[str], given: frozenset[str]
) -> Iterator[tuple[Argument, ...]]:
    """The remaining roles for arguments that no list names, in the usual order first."""
    if not unresolved:
        yield arguments
        return
    usual = [r for r in ("X", "y", "Wx", "Wa", "Wy", "ba", "by", "a0") if r not in given]
    if "params" in given:
        usual = [r for r in usual if r in ("X", "y", "a0")]
    count = len(unresolved)
    if count > len(usual):
        return
    for order in itertools.islice(_in_order(usual, unresolved, given), 150):
        chosen = dict(zip(unresolved, order, strict=True))
        yield tuple(replace(a, role=chosen[a.name]) if a.role == "?" else a for a in arguments)


def _in_order(usual: list[str], unresolved: list[str], given: frozenset[str]) -> Iterator[tuple[str, ...]]:
    """The orders of roles; what is called a gradient, beside what a forward pass returned, is the one the caller supplies."""
    supplied = [k for k, name in enumerate(unresolved) if _SUPPLIED.match(name)]
    if "result" in given and "da" not in given and len(supplied) == 1:
        k = supplied[0]
        for order in itertools.permutations(usual, len(unresolved) - 1):
            yield (*order[:k], "da", *order[k:])
    yield from itertools.permutations(usual, len(unresolved))


_SUPPLIED = re.compile(r"d_?[A-Z]|d_?(?:h|s|out|y|a(?!ta))|grad|upstream")
"""What the gradient is called that the caller of a backward pass supplies."""


def _surroundings(program: Program, main: Function, calls: list[Call]) -> Recipe:
    """The module globals and the instance that the calls need."""
    functions = [*(c.function for c in calls), main]
    named = {name for f in functions for name, _ in f.parameters}
    free = frozenset(n for f in functions for n in program.free_names(f)) - named
    handed: set[str] = set()
    for function in functions:
        for name, _ in function.parameters:
            meant = program.names.role(name)
            handed |= {meant} if meant else set()
    settable: list[Argument] = []
    for name in sorted(free):
        meant = program.names.role(name)
        if meant == "params":
            if program.keys and "params" not in handed:
                settable.append(Argument(name, "params", keys=program.keys))
        elif (_is_weight(program, meant) and meant not in handed and "params" not in handed) or (
            meant in ("D", "H", "C", "T", "B") and len(name) > 1
        ):
            settable.append(Argument(name, cast("str", meant)))
    if main.owner is None:
        return Recipe((), tuple(settable), names=program.names)
    constructor = next((f for f in program.functions if f.owner is main.owner and f.node.name == "__init__"), None)
    construct: list[Argument] = []
    for name, default in constructor.parameters if constructor else ():
        meant = program.names.role(name)
        if _is_weight(program, meant) or meant in ("D", "H", "C", "lr", "B", "T", "far", "once", "off", "X", "y"):
            kept = default is not None and meant in ("B", "T", "far", "off")
            construct.append(Argument(name, "default" if kept else cast("str", meant)))
        elif default is not None:
            construct.append(Argument(name, "default"))
        else:
            raise Unknown(
                f"{main.owner.name} is made with {name}, which no known name explains; give it a default value"
            )
    attributes: list[Argument] = []
    taken: set[str] = set()
    for name in program.attributes(main.owner):
        meant = program.names.role(name)
        if meant == "params" and program.keys:
            attributes.append(Argument(name, "params", keys=program.keys))
        elif _is_weight(program, meant) and meant not in taken and not program.names.gradient(name):
            attributes.append(Argument(name, cast("str", meant)))
            taken.add(cast("str", meant))
        elif meant == "far":
            attributes.append(Argument(name, "far"))
    return Recipe((), tuple(settable), main.owner, tuple(construct), tuple(attributes), program.names)


def _is_weight(program: Program, role: str | None) -> bool:
    """Whether a role is that of an array of parameters."""
    return role is not None and is_role(role, program.names.cell)


def gradients_in(
    value: Any, fields: Mapping[str, Any], recipe: Recipe, shapes: Mapping[str, tuple[int, ...]]
) -> tuple[dict[str, Array], float | None]:
    """The gradients by the roles of arrays (in the user's layout) and the loss, from what a call returned or left on its instance.

    Names decide where they are known, else shapes (`shapes` of what was handed over).
    """
    names, main = recipe.names, recipe.main
    found: dict[str, Array] = {}
    loss: list[float] = []
    unnamed: list[Array] = []

    def visit(item: Any, name: str) -> None:
        if is_array(item):
            array = item
            if array.size == 1 and is_loss(name):
                loss.append(float(array.ravel()[0]))
                return
            meant = names.gradient(name) or names.parameter(name) or _state(names, name)
            if (
                meant is not None
                and meant in shapes
                and array.size != _count(shapes[meant])
                and any(array.size == _count(s) for s in shapes.values())
            ):
                meant = None  # called like one, shaped like another
            if meant is not None and meant not in found:
                found[meant] = array
            elif meant is None:
                unnamed.append(array)
        elif isinstance(item, dict):
            for key, inside in cast("dict[Any, Any]", item).items():
                visit(inside, str(key))
        elif isinstance(item, tuple | list):
            items = cast("list[Any]", item)
            for inside, own in zip(items, _names_of(name, main, len(items)), strict=True):
                visit(inside, own)
        elif isinstance(item, float) and (is_loss(name) or not name):
            loss.append(item)

    top = main.returned
    if isinstance(value, tuple) and len(cast("tuple[Any, ...]", value)) == len(top):
        for item, name in zip(cast("tuple[Any, ...]", value), top, strict=True):
            visit(item, name)
    else:
        visit(value, top[0] if len(top) == 1 else "")
    if not found and not unnamed:
        for name, item in fields.items():
            if names.gradient(name) or "grad" in name.lower() or name in ("d", "deltas"):
                visit(item, name)
    for array in unnamed:
        for name in sorted(shapes, key=lambda n: array.shape != shapes[n]):
            same = array.shape == shapes[name] or sorted(s for s in array.shape if s > 1) == sorted(
                s for s in shapes[name] if s > 1
            )
            if name not in found and same:
                found[name] = array
                break
    return found, loss[0] if loss else None


def _state(names: Names, name: str) -> str | None:
    """The initial state that a name means: its gradient may be called so too."""
    found = names.role(name)
    return found if found in names.states else None


def _count(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape))


def is_loss(name: str) -> bool:
    """Whether a name is one that people give a loss."""
    lowered = name.lower()
    return lowered in ("l", "j", "e", "ce", "nll", "total", "error", "err") or any(
        w in lowered for w in ("loss", "cost", "entropy", "objective")
    )


def _names_of(name: str, main: Function, count: int) -> list[str]:
    if name.startswith("[") and len(name.strip("[]").split(" ")) == count:
        return name.strip("[]").split(" ")
    prefix = f"{name}|"
    own = [n.removeprefix(prefix) for n in main.returned if n.startswith(prefix)]
    if len(own) == count:
        return own
    if len(main.returned) == count:
        return list(main.returned)
    return [""] * count
