"""What the text of a place says: which names it reads, and what its target is called."""

from __future__ import annotations

import ast
import re
from functools import lru_cache

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
