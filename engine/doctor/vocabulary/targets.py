"""What the text of a place says: which names it reads, and what its target is called."""

from __future__ import annotations

import ast
import re
from functools import lru_cache

from engine.doctor.vocabulary.readings import SIMPLE, Names

_KEY = re.compile(r"\[['\"]([\w.\- ]+)['\"]\]$")


@lru_cache(maxsize=4096)
def read_names(source: str) -> frozenset[str]:
    """The names that an expression reads."""
    try:
        tree = ast.parse(source, mode="eval")
    except SyntaxError:
        return frozenset()
    called = {id(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
    return frozenset(
        [n.id for n in ast.walk(tree) if isinstance(n, ast.Name)]
        + [n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute) and id(n) not in called]
    )


def base_name(target: str) -> str:
    """The variable of a target: `grads` of `grads["Wx"]`, `dWx` of `self.dWx`."""
    return target.partition("[")[0].removeprefix("self.").rpartition(".")[2]


def final_name(target: str) -> str:
    """The name that says what a target is: `Wx` of `params["Wx"]` and of `self.Wx`, `grads` of `grads[t]`."""
    if match := _KEY.search(target):
        return match[1]
    return base_name(target)


@lru_cache(maxsize=4096)
def grad_param(target: str, names: Names = SIMPLE) -> str | None:
    """The array of parameters whose gradient a target is called: `dWx`, `grads["Wx"]`."""
    name = final_name(target)
    meant = names.gradient(name)
    if meant is None and _KEY.search(target) and re.search(r"^d$|^g$|gr?a?d|delta|^d_?", base_name(target), re.I):
        meant = names.parameter(name)
    return meant if meant not in ("X", "ba2" if names.simple else "X") else None
