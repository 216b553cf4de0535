"""Edits of trees in the words in which mistakes are described: another factor, another operand, something around."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from engine.doctor.mistakes.variants.edited_backward import BACK, Edit, LineEdit, OrderEdit, StoredEdit, SumEdit, Values
from engine.doctor.reference.problem import Problem
from engine.language.expression import (
    Binary,
    Call,
    Derivative,
    Expression,
    Name,
    Number,
    Transpose,
    parse,
    rewrite,
    substitute,
)
from engine.language.functions import ACTIVATIONS, FUNCTIONS, Array
from engine.tables.heads import HEADS, Head

When = Callable[[int, int], bool]

CURVED = tuple(
    sorted((name for name, f in ACTIVATIONS.items() if not f.linear), key=lambda name: ACTIVATIONS[name].kink)
)
"""The activations whose derivative is not the same everywhere, the smooth ones first."""
WEIGHTS = ("dWx", "dWa", "dWy")


def first_step(t: int, steps: int) -> bool:
    """At t = 1."""
    del steps
    return t == 1


def last_step(t: int, steps: int) -> bool:
    """At t = T."""
    return t == steps


def before_last_step(t: int, steps: int) -> bool:
    """At every step but T."""
    return t < steps


def after_first_step(t: int, steps: int) -> bool:
    """At every step but 1."""
    del steps
    return t > 1


@dataclass(frozen=True, eq=False)
class Variation:
    """One way to make a mistake: the edits of the reference that compute what it computes.

    `each` says that every edit concerns one gradient only, and that it may have been made for some of them. `rank` puts a usual way
    (0) before an unusual one. `tuned` says that a number in it is one of several tried.
    """

    id: str
    edits: tuple[Edit, ...]
    each: bool = False
    rank: int = 0
    tuned: bool = False


@dataclass(frozen=True)
class Setting:
    """What decides which mistakes are possible."""

    activation: str
    loss: str
    every: bool
    mean: bool
    steps: int
    batch: int
    initial: bool
    constants: tuple[float, ...] = ()
    """Numbers that stand in the user's code: a learning rate or a limit may be among them."""

    @staticmethod
    def of(problem: Problem, constants: Iterable[float] = ()) -> Setting:
        """The setting of a problem."""
        network = problem.network
        batch, steps, _ = problem.X.shape
        every, mean = network.predict == "every", network.reduction == "mean"
        return Setting(
            network.activation, network.loss, every, mean, steps, batch, bool(problem.initial), tuple(constants)
        )

    @property
    def head(self) -> Head:
        """The head of the loss."""
        return HEADS[self.loss]

    @property
    def summed(self) -> tuple[str, ...]:
        """The gradients that are summed over time."""
        return ("dWx", "dWa", "dba", *(("dWy", "dby") if self.every else ()))


def line(stage: str, source: str, when: When | None = None) -> LineEdit:
    """A line replaced by what `source` says."""
    tree = parse(source)
    return LineEdit(stage, lambda _: tree, when)


def swapped(stage: str, old: str | Expression, new: str | Expression, when: When | None = None) -> LineEdit:
    """A line in which one part stands for another."""
    before, after = (parse(part) if isinstance(part, str) else part for part in (old, new))
    return LineEdit(stage, lambda tree: rewrite(tree, lambda node: after if node == before else None), when)


def scaled(stage: str, operator: str, by: str | Expression, when: When | None = None) -> LineEdit:
    """A line's value times or divided by something."""
    factor = parse(by) if isinstance(by, str) else by
    return LineEdit(stage, lambda tree: Binary(operator, tree, factor), when)


def called(stage: str, function: str, *arguments: float) -> LineEdit:
    """A function around a line's value."""
    numbers = tuple(Number(argument) for argument in arguments)
    return LineEdit(stage, lambda tree: Call(function, (tree, *numbers)))


def slope(function: str, argument: str) -> Expression:
    """A function's derivative at a quantity, as the table of functions has it."""
    tree = FUNCTIONS[function].derivative
    assert tree is not None
    return substitute(tree, {Name("u"): Name(argument)})


def derivative(source: str | Expression, when: When | None = None) -> LineEdit:
    """Another factor in place of the activation's derivative in dz = da ⊙ g'(z)."""
    factor = parse(source) if isinstance(source, str) else source

    def change(tree: Expression) -> Expression:
        if isinstance(tree, Name):  # the identity's derivative is not written
            return Binary("*", tree, Derivative("identity", (Name("z"),), factor))
        return rewrite(tree, lambda node: replace(node, body=factor) if isinstance(node, Derivative) else None)

    return LineEdit("dz", change, when)


def no_derivative(when: When | None = None) -> LineEdit:
    """dz = da."""

    def change(tree: Expression) -> Expression:
        match tree:
            case Binary("*", left, Derivative()):
                return left
            case _:
                return tree

    return LineEdit("dz", change, when)


def difference(tree: Expression) -> Binary | None:
    """Prediction minus target, in the line of dlogits."""
    match tree:
        case Binary("-", Name("p" | "logits"), Call("onehot") | Name("y")):
            return tree
        case _:
            return None


def delta(source: str) -> LineEdit:
    """Another expression in `prediction` and `target` in place of their difference; what averages stays around it."""
    pattern = parse(source)

    def replaced(node: Expression) -> Expression | None:
        found = difference(node)
        if found is None:
            return None
        values = {Name("prediction"): found.left, Name("target"): found.right}
        return rewrite(pattern, lambda n: values.get(n) if isinstance(n, Name) else None)

    return LineEdit("dlogits", lambda tree: rewrite(tree, replaced))


def operand(stage: str, source: str | Expression, when: When | None = None) -> LineEdit:
    """Another left operand in a gradient Aᵀ·G: what stands for A."""
    other = parse(source) if isinstance(source, str) else source

    def replaced(node: Expression) -> Expression | None:
        return Binary("@", Transpose(other), node.right) if is_outer(node) and isinstance(node, Binary) else None

    return LineEdit(stage, lambda tree: rewrite(tree, replaced), when)


def wrapped_operand(stage: str, function: str) -> LineEdit:
    """A function around A in Aᵀ·G."""

    def replaced(node: Expression) -> Expression | None:
        match node:
            case Binary("@", Transpose(inner), right):
                return Binary("@", Transpose(Call(function, (inner,))), right)
            case _:
                return None

    return LineEdit(stage, lambda tree: rewrite(tree, replaced))


def is_outer(node: Expression) -> bool:
    """Whether a node is Aᵀ·G."""
    return isinstance(node, Binary) and node.operator == "@" and isinstance(node.left, Transpose)


def order(change: Callable[[list[int], int], list[int]], *, head: bool = False) -> tuple[OrderEdit, ...]:
    """Other steps for the loop, with `head` for the read-out's lines in it too."""
    return (OrderEdit(change), OrderEdit(change, "head order")) if head else (OrderEdit(change),)


def added(target: str, change: Callable[[list[Array]], Array]) -> SumEdit:
    """Another sum of a gradient's terms."""
    return SumEdit(f"sum {target}", lambda terms, _: change(terms))


def sum_of(terms: list[Array]) -> Array:
    """The sum of terms."""
    return np.sum(terms, axis=0)


def stored(change: Callable[[Values], Values]) -> StoredEdit:
    """Other values for what was stored."""
    return StoredEdit(change)


def back(source: str) -> LineEdit:
    """Another line for what flows to the step before."""
    return line(BACK, source)
