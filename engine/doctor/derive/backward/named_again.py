"""Values of the forward pass that several lines make again, `np.tanh(c[t + 1])` or `np.hstack((h, x))`: made once, under a name."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Sequence
from dataclasses import replace

from engine.doctor.derive.backward.tidied import depth_of, loaded, parsed_line, stored
from engine.doctor.derive.derived import AS_BEFORE, DerivedLine
from engine.doctor.derive.forward.steps import singular
from engine.doctor.derive.tree.syntax_of import base, called

_FUNCTION = re.compile(r"tanh|sig|logistic|expit|exp|softplus|concatenate|[hv]stack", re.I)


def with_values_named(lines: Sequence[DerivedLine], taken: Collection[str]) -> list[DerivedLine]:
    """The lines, with what is made twice in a block made once before, under a name that is not `taken`."""
    made = list(lines)
    known = {*taken, *(name for line in lines for name in stored(line) | loaded(line))}
    k = 0
    while k < len(made):
        for call in _calls(made[k]):
            text = ast.unparse(call)
            uses = [n for n in _block(made, k) if text in made[n].text]
            same = sum(made[n].text.count(text) for n in uses)
            if same < 2 or any(loaded_names(call) & stored(made[n]) for n in range(k, uses[-1])):
                continue
            name = _name(call, made[k], known)
            known.add(name)
            for n in uses:
                made[n] = replace(made[n], text=made[n].text.replace(text, name))
            again = replace(
                made[k], text=f"{' ' * depth_of(made[k])}{name} = {text}", why=AS_BEFORE, makes="", kind="init"
            )
            is_one = not isinstance(call.args[0], ast.List | ast.Tuple)
            made.insert(k, again if is_one else replace(again, shape=None))
            break
        else:
            k += 1
    return made


def _calls(line: DerivedLine) -> list[ast.Call]:
    """The values of activations and what is put together in a line, the outermost first; none of a line that only gives one a name."""
    tree = parsed_line(line)
    value = tree.body[0].value if isinstance(tree.body[0], ast.Assign | ast.AugAssign) else None
    if value is None or line.kind not in ("back", "head"):
        return []
    return [n for n in ast.walk(value) if isinstance(n, ast.Call) and _FUNCTION.search(called(n)) and len(n.args) == 1]


def _block(lines: Sequence[DerivedLine], k: int) -> list[int]:
    """The lines of the block of line `k`, from it on."""
    found: list[int] = []
    for n in range(k, len(lines)):
        if depth_of(lines[n]) < depth_of(lines[k]) or (n > k and depth_of(lines[n]) != depth_of(lines[k])):
            break
        found.append(n)
    return found


def loaded_names(node: ast.AST) -> set[str]:
    """The names that an expression reads."""
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}


def _name(call: ast.Call, line: DerivedLine, known: Collection[str]) -> str:
    """`tanh_c` of `np.tanh(c[t + 1])`, `hx` of what puts h and x together; after the gradient that it is made for where it is of more than
    a name."""
    parts = call.args[0].elts if isinstance(call.args[0], ast.List | ast.Tuple) else []
    together = "".join(singular(base(one).rpartition(".")[2]) for one in parts)
    if together.isidentifier():
        return next(one for one in (together, *(f"{together}{n}" for n in range(2, 99))) if one not in known)
    of = singular(base(call.args[0]).rpartition(".")[2])
    word = of if of.isidentifier() else re.sub(r"^d(z_)?", "", line.makes.partition("[")[0]) or "value"
    name = f"{called(call)}_{word}"
    return next(one for one in (name, *(f"{name}{n}" for n in range(2, 99))) if one not in known)
