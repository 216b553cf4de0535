"""How a function of the user's is called on a problem: what each argument, global or attribute stands for, and what comes back."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np

from engine.doctor.read.syntax import UserFunction, UserProgram
from engine.doctor.reference import layouts
from engine.doctor.reference.layouts import ArrayLayout
from engine.doctor.reference.problem import Problem
from engine.doctor.vocabulary.packing import ALL, is_role
from engine.doctor.vocabulary.readings import SIMPLE, Names, has_weights
from engine.tables.heads import READ_OUT

LEARNING_RATE = 0.05
FAR = 10_000


@dataclass(frozen=True)
class Argument:
    """One argument: its name, the role it plays, and for a container how parameters lie in it.

    A role `result` takes what an earlier call returned, along `path`; `default` leaves the argument away. `made` says that parameters lie
    in the attributes of an object, of that class where it is not "".
    """

    name: str
    role: str
    keys: Mapping[str, str] = field(default_factory=dict[str, str])
    order: tuple[str, ...] = ()
    path: tuple[int | str, ...] = ()
    made: str | None = None


@dataclass(frozen=True, eq=False)
class FunctionCall:
    """A call of one function."""

    function: UserFunction
    arguments: tuple[Argument, ...]


@dataclass(frozen=True, eq=False)
class CallRecipe:
    """Everything that is set and called for one problem: module globals, an instance with its attributes, calls in order."""

    calls: tuple[FunctionCall, ...]
    globals: tuple[Argument, ...] = ()
    owner: ast.ClassDef | None = None
    construct: tuple[Argument, ...] = ()
    attributes: tuple[Argument, ...] = ()
    names: Names = SIMPLE
    guessed: bool = False
    """Whether an argument has its role by elimination only."""

    @property
    def main(self) -> UserFunction:
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

    def request(self, problem: Problem, layout: ArrayLayout, sample: int | None) -> dict[str, Any]:
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


def _value(argument: Argument, problem: Problem, layout: ArrayLayout, sample: int | None) -> Any:
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
        case "da" | "dlogits":
            return layouts.upstream(problem, layout, sample, of_outputs=argument.role == "dlogits")
        case "dc":  # the loss depends on the cell state through the output alone
            return np.zeros_like(layouts.state(problem, layout, sample))
        case "mask":
            return layouts.mask(problem, layout, sample)
        case "lengths":
            return layouts.lengths(problem, sample)
        case "params" if argument.order:
            return [layouts.weight(name, problem, layout) for name in argument.order]
        case "params":
            held = {key: layouts.weight(name, problem, layout) for key, name in argument.keys.items()}
            return held if argument.made is None else ("made", argument.made, held)
        case "result":
            return ("result", 0, list(argument.path))
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


def recipes(program: UserProgram, main: UserFunction) -> list[CallRecipe]:
    """The ways in which a backward pass may be called, the likeliest first. Raises Unknown."""
    plain = _recipes(program, main, frozenset())
    if plain and all(_is_whole(recipe) for recipe in plain):
        return _either_upstream(plain)
    # Names that mean something else elsewhere: what they stand for here is for the shapes to say.
    doubtful = frozenset(a.name for call in _calls_of(program, main) for a in call if a.role in _DOUBTFUL)
    found = plain + (_recipes(program, main, doubtful) if doubtful else [])
    if not found:
        unresolved: list[str] = []
        _arguments(program, main, unresolved, doubtful)
        raise Unknown(
            f"{main.name} takes {', '.join(unresolved)}, which no known name and no function of the file explains; "
            f"give a function of inputs, targets and weights with --function, or name its arguments as in {_examples(program.names)}"
        )
    return _either_upstream(found)


_DOUBTFUL = ("B", "T", "D", "H", "C", "params", "a0", "lengths", "mask")
"""Roles of names that are taken for another where one that is needed is missing."""
_UPSTREAM = {"da": "dlogits", "dlogits": "da"}


def _is_whole(recipe: CallRecipe) -> bool:
    """Whether what every backward pass needs is handed over: inputs, weights, and targets or a gradient."""
    given = recipe.given
    return "X" in given and has_weights(recipe.names, given) and bool({"y", "da", "dlogits"} & given)


def _either_upstream(found: list[CallRecipe]) -> list[CallRecipe]:
    """The recipes, and those in which the gradient that the caller supplies is of the outputs instead of the states, or the reverse."""
    others: list[CallRecipe] = []
    for recipe in found[:8]:
        last = recipe.calls[-1]
        if any(a.role in _UPSTREAM for a in last.arguments) and "Wy" in recipe.given and "y" not in recipe.given:
            turned = tuple(replace(a, role=_UPSTREAM.get(a.role, a.role)) for a in last.arguments)
            others.append(replace(recipe, calls=(*recipe.calls[:-1], replace(last, arguments=turned))))
    return found + others


def _calls_of(program: UserProgram, main: UserFunction) -> Iterator[tuple[Argument, ...]]:
    yield _arguments(program, main, [], frozenset())


def _recipes(program: UserProgram, main: UserFunction, doubtful: frozenset[str]) -> list[CallRecipe]:
    """The ways to call, the arguments of doubtful names among those that are told by elimination."""
    forward = program.forward(main)
    needs_forward = forward is not None and not program.calls(main, forward)
    unresolved: list[str] = []
    arguments = _arguments(program, main, unresolved, doubtful)
    if unresolved and forward is not None and forward.owner is main.owner:
        needs_forward = True
    calls: list[FunctionCall] = []
    if forward is not None and needs_forward and (unresolved or main.owner is not None):
        missing: list[str] = []
        before = _arguments(program, forward, missing, doubtful)
        if not missing:
            calls.append(FunctionCall(forward, before))
            arguments, unresolved = _from_forward(arguments, unresolved, forward, main)
    base = replace(_surroundings(program, main, calls), guessed=bool(unresolved))
    given = base.given | {a.role for a in arguments}
    choices = _by_elimination(arguments, unresolved, given, program.names)
    return [replace(base, calls=(*calls, FunctionCall(main, choice))) for choice in choices]


def _examples(names: Names) -> str:
    """How arguments may be called."""
    cell = names.cell
    if names.simple:
        return "X, y, Wx, Wa, Wy, ba, by"
    return f"X, y, {', '.join((*cell.parameters, *READ_OUT))} (the cell {cell.name}; a cell of your own needs --cell CELL.py)"


def _arguments(
    program: UserProgram, function: UserFunction, unresolved: list[str], doubtful: frozenset[str]
) -> tuple[Argument, ...]:
    result: list[Argument] = []
    taken: set[str] = set()
    for name, default in function.parameters:
        own = _argument(program, function, name, default, taken) if name not in doubtful else Argument(name, "?")
        if own.role == "?" and default is not None:
            own = Argument(name, "default")
        result.append(own)
        if own.role == "?":
            unresolved.append(name)
        taken.add(own.role)
    return tuple(result)


def _argument(
    program: UserProgram, function: UserFunction, name: str, default: ast.expr | None, taken: set[str]
) -> Argument:
    container, meant = program.is_container(function, name), program.names.role(name)
    if container == "object":
        return Argument(name, "params", keys=program.fields(name), made=program.maker(function, name))
    if (container == "dict" and not _alike(name, "cache")) or (
        container is None and meant == "params" and program.keys and not _is_list(program, name)
    ):
        return Argument(name, "params", keys=program.keys)
    if container == "list" or (container is None and meant == "params"):
        return Argument(name, "params", order=program.order(name))
    if meant is None and name in ("a", "h") and default is not None:
        return Argument(name, "a0")
    if meant in ("far", "off", "once", "lr") or (meant is not None and meant not in taken and meant != "params"):
        optional = meant in ("B", "T", "D", "C", "H", "mask", "lengths")
        kept = optional and default is not None and not _is_number(default)
        return Argument(name, "default" if kept else meant)
    return Argument(name, "?")


def _is_number(node: ast.expr) -> bool:
    """Whether a default is a size that someone had in mind: ours is another."""
    return isinstance(node, ast.Constant) and type(node.value) is int


def _is_list(program: UserProgram, name: str) -> bool:
    return any(
        isinstance(n, ast.Assign)
        and isinstance(n.value, ast.Name)
        and n.value.id == name
        and isinstance(n.targets[0], ast.Tuple)
        for n in ast.walk(program.tree)
    )


def _from_forward(
    arguments: tuple[Argument, ...], unresolved: list[str], forward: UserFunction, main: UserFunction
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


_ORDERS = (
    ("X", "y", "Wx", "Wa", "Wy", "ba", "by", "a0"),
    ("X", "Wx", "Wa", "Wy", "ba", "by", "y", "a0"),
    ("X", "y", "Wx", "Wa", "ba", "Wy", "by", "a0"),
    ("X", "Wx", "Wa", "ba", "Wy", "by", "y", "a0"),
    ("Wx", "Wa", "Wy", "ba", "by", "X", "y", "a0"),
    ("Wx", "Wa", "ba", "Wy", "by", "X", "y", "a0"),
    ("X", "y", "a0", "Wx", "Wa", "Wy", "ba", "by"),
    ("X", "y", "Wa", "Wx", "Wy", "ba", "by", "a0"),
)
"""The orders in which people list arguments."""


def _by_elimination(
    arguments: tuple[Argument, ...], unresolved: list[str], given: frozenset[str], names: Names
) -> Iterator[tuple[Argument, ...]]:
    """The remaining roles for arguments that no list names, in the usual orders first."""
    if not unresolved:
        yield arguments
        return
    ruled_out = {*given, *(ALL if names.apart else ())}  # where each gate's weights are called by the gate
    remaining = [tuple(r for r in order if r not in ruled_out) for order in _ORDERS]
    if "params" in given:
        remaining = [tuple(r for r in order if r in ("X", "y", "a0")) for order in remaining]
    seen = set[tuple[str, ...]]()
    for order in itertools.islice(_in_order(remaining, unresolved, given), 400):
        if order in seen or len(seen) >= 150:
            continue
        seen.add(order)
        chosen = dict(zip(unresolved, order, strict=True))
        yield tuple(replace(a, role=chosen[a.name]) if a.role == "?" else a for a in arguments)


def _in_order(
    remaining: Sequence[tuple[str, ...]], unresolved: list[str], given: frozenset[str]
) -> Iterator[tuple[str, ...]]:
    """The orders of roles; what is called a gradient, beside what a forward pass returned, is the one the caller supplies."""
    supplied = [k for k, name in enumerate(unresolved) if _SUPPLIED.match(name)]
    if "result" in given and not _UPSTREAM.keys() & given and len(supplied) == 1:
        k = supplied[0]
        for order in _usual(remaining, len(unresolved) - 1):
            yield (*order[:k], "da", *order[k:])
    yield from _usual(remaining, len(unresolved))


def _usual(remaining: Sequence[tuple[str, ...]], count: int) -> Iterator[tuple[str, ...]]:
    """So many roles, in the order of one list after the other, then in any."""
    rounds = itertools.zip_longest(*(itertools.combinations(order, count) for order in remaining))
    yield from (order for those in rounds for order in those if order is not None)
    yield from itertools.permutations(remaining[0], count)


_SUPPLIED = re.compile(r"d_?[A-Z]|d_?(?:h|s|out|y|a(?!ta))|grad|upstream")
"""What the gradient is called that the caller of a backward pass supplies."""


def _surroundings(program: UserProgram, main: UserFunction, calls: list[FunctionCall]) -> CallRecipe:
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
        return CallRecipe((), tuple(settable), names=program.names)
    constructor = next((f for f in program.functions if f.owner is main.owner and f.node.name == "__init__"), None)
    construct: list[Argument] = []
    parameters = constructor.parameters if constructor else ()
    left = [r for r in ("D", "H", "C", "B", "T") if r not in {program.names.role(name) for name, _ in parameters}]
    for name, default in parameters:
        meant = program.names.role(name)
        if _is_weight(program, meant) or meant in ("D", "H", "C", "lr", "B", "T", "far", "once", "off", "X", "y"):
            kept = default is not None and meant in ("B", "T", "far", "off")
            construct.append(Argument(name, "default" if kept else cast("str", meant)))
        elif default is not None:
            construct.append(Argument(name, "default"))
        elif left:  # a size, most likely; the weights are set afterwards anyway
            construct.append(Argument(name, left.pop(0)))
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
    return CallRecipe((), tuple(settable), main.owner, tuple(construct), tuple(attributes), program.names)


def _is_weight(program: UserProgram, role: str | None) -> bool:
    """Whether a role is that of an array of parameters."""
    return role is not None and is_role(role, program.names.cell)
