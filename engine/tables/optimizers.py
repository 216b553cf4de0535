"""Optimizers and clipping: equations that run once for each parameter W, in PyTorch's formulas.

In a name W stands for the parameter: `dW` is its gradient, `vW` a quantity that the optimizer keeps. `_prev` is the
iteration before (zero before the first), `count` counts the updates from 1. The optimizer reads `dW`, or `dW_clipped`
where gradients are clipped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.language.equation import Equation, equation
from engine.language.expression import Expression, Name, Sum, parse, rewrite, total


@dataclass(frozen=True)
class Optimizer:
    """The lines of an update; `constants` are scalars with fixed values, `lr` and `count` are given by the network and the iteration."""

    name: str
    equations: tuple[str, ...]
    constants: Mapping[str, float] = field(default_factory=dict[str, float])


SGD = Optimizer(name="sgd", equations=("W = W_prev - lr * {dW}",))

MOMENTUM = Optimizer(
    name="momentum",
    equations=("vW = momentum * vW_prev + {dW}", "W = W_prev - lr * vW"),
    constants={"momentum": 0.9},
)

# Kingma and Ba 2015, algorithm 1.
ADAM = Optimizer(
    name="adam",
    equations=(
        "mW = beta1 * mW_prev + (1 - beta1) * {dW}",
        "vW = beta2 * vW_prev + (1 - beta2) * {dW} ** 2",
        "mW_hat = mW / (1 - beta1 ** count)",
        "vW_hat = vW / (1 - beta2 ** count)",
        "W = W_prev - lr * mW_hat / (sqrt(vW_hat) + eps)",
    ),
    constants={"beta1": 0.9, "beta2": 0.999, "eps": 1e-8},
)

OPTIMIZERS: dict[str, Optimizer] = {optimizer.name: optimizer for optimizer in (SGD, MOMENTUM, ADAM)}

PARAMETER = "W"


def prefixes() -> tuple[str, ...]:
    """What stands before a parameter in the names of the optimizers' own quantities: m and v of mWa and vWa."""
    targets = (source.partition(" = ")[0] for rule in OPTIMIZERS.values() for source in rule.equations)
    return tuple(dict.fromkeys(before for target in targets if (before := target.partition(PARAMETER)[0])))


UPDATE_NUMBER = "count"
"""The number of the update, from 1, as the optimizers' equations call it."""


def norm_equations(clip_norm: float | None) -> list[Equation]:
    """The norm of all gradients together (Pascanu, Mikolov, Bengio 2013), when gradients are clipped by it."""
    if clip_norm is None:
        return []
    squares = Equation("gnorm_squared", Sum(PARAMETER, parse("sum(dW ** 2)")))
    return [squares, equation("gnorm = sqrt(gnorm_squared)")]


def update_equations(optimizer: Optimizer, clip_norm: float | None, clip_value: float | None) -> list[Equation]:
    """The lines that run for each parameter: clipping and what it removed, then the optimizer's."""
    clipped = "dW" if clip_norm is None else "dW * min(1, clip_norm / (gnorm + 1e-6))"
    if clip_value is not None:
        clipped = f"clip({clipped}, clip_value)"
    clipping = [] if clipped == "dW" else [f"dW_clipped = {clipped}", "dW_cut = dW - dW_clipped"]
    gradient = "dW_clipped" if clipping else "dW"
    return [equation(source.format(dW=gradient)) for source in (*clipping, *optimizer.equations)]


def named(name: str, parameter: str) -> str:
    """A name in an update's line with one parameter put in: `vW` of Wa is vWa."""
    return name.replace(PARAMETER, parameter)


def for_parameter(line: Equation, parameter: str | None, parameters: tuple[str, ...]) -> Equation:
    """A line of the update with the names of one parameter put in, and sums over the parameters written out."""

    def change(node: Expression) -> Expression | None:
        if isinstance(node, Sum) and node.axis == PARAMETER:
            return total(
                [for_parameter(Equation("", node.operand), other, parameters).expression for other in parameters]
            )
        if isinstance(node, Name) and parameter is not None:
            return Name(named(node.name, parameter), node.step)
        return None

    target = line.target if parameter is None else named(line.target, parameter)
    return Equation(target, rewrite(line.expression, change), line.step)
