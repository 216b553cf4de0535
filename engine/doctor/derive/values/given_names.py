"""Names that are given: those of gradients, and of lists that keep a value of every round."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from keyword import iskeyword

from engine.doctor.derive.forward.flat_pass import BEFORE
from engine.doctor.derive.forward.passes import ForwardPass
from engine.doctor.derive.forward.steps import singular
from engine.doctor.derive.forward.weights import bare
from engine.doctor.derive.tree.statements import targets
from engine.doctor.derive.tree.syntax_of import NUMBERED, base, called, path, public


class GivenNames:
    """Gives names that the program has not `taken`."""

    def __init__(self, forward: ForwardPass, taken: set[str]) -> None:
        self._forward, self._taken = forward, taken
        self._into_output: dict[str, str] = {}

    def gradient_name(self, name: str) -> str:
        """`dW` of `W` and `self.W`, `dp['W']` of `p['W']`; `dW_gate` of `self.gate.W` where another object has a W too."""
        name = name.partition(BEFORE)[0]
        if name in self._into_output:
            return self._into_output[name]
        if NUMBERED in name:
            return f"d{self._with_number(name)}"
        if "[" in name:
            head, _, rest = name.partition("[")
            return f"d{head.rpartition('.')[2]}[{rest}"
        holder, _, word = bare(name).rpartition(".")
        others = [bare(one) for one in self._forward.parameters if one != name]
        is_one_of_many = any(one.rpartition(".")[2] == word for one in others)
        is_one_of_many = is_one_of_many or self._is_a_value(word, name)  # a gate is called as its weight is
        word = public(word)
        return f"d{word}_{holder.rpartition('.')[2]}" if is_one_of_many and holder else f"d{word}"

    def of_outputs(self, names: Iterable[str]) -> None:
        """From now on the gradients of these outputs of a softmax or sigmoid are those of what goes into it: `dz_p`."""
        for name in names:
            word = f"dz_{public(name.rpartition('.')[2])}"
            self._into_output[name] = self._free(word, *(f"{word}{k}" for k in range(2, 50)))

    def _free(self, *options: str) -> str:
        name = next(n for n in options if n not in self._taken)
        self._taken.add(name)
        return name

    def _with_number(self, name: str) -> str:
        """What a weight is called that a list holds, or an object in one: as where it is read, or as its attribute; with its holder or that
        one's number where another one is called so, too."""
        word = self._word(name)
        if not any(self._word(one) == word for one in self._forward.parameters if one != name):
            return word
        holders = name.split(".")[:-1]
        numbers = [one.rpartition(NUMBERED)[2].removesuffix("']") for one in holders if NUMBERED in one]
        return f"{word}_{(numbers or holders or [word])[-1]}"

    def _word(self, name: str) -> str:
        last, _, number = bare(name).rpartition(".")[2].removesuffix("']").partition(f"['{NUMBERED}")
        return self._forward.flat.entry_names.get(name) or (f"{public(last)}_{number}" if number else public(last))

    def _is_a_value(self, word: str, weight: str) -> bool:
        """Whether something else than a weight has the last word of its name."""
        values = [getattr(d.statement, "value", None) for d in self._forward.definitions.get(word, [])]
        return word in self._forward.active and not any(isinstance(v, ast.expr) and path(v) == weight for v in values)

    def free_name(self, hint: str, statement: ast.stmt) -> str:
        """A name for a gradient in the middle of a statement: `dz`, or `dz_f` where f is made; another one each time."""
        written = next(iter(targets(statement)), None)
        target = singular(base(written)) if written is not None and base(written) else ""
        options = [f"d{hint}", *([f"d{hint}_{target}"] if target else []), *(f"d{hint}{k}" for k in range(2, 50))]
        if hint in self._forward.definitions or (hint == "z" and target and self._is_gate(statement)):
            options = options[1:]
        return self._free(*options)

    def _is_gate(self, statement: ast.stmt) -> bool:
        """Whether its loop has several activations, each of which has a name of its own for what goes into it."""
        loops = self._forward.loops.get(statement, ())
        calls = [n for n in ast.walk(loops[-1]) if isinstance(n, ast.Call)] if loops else []
        return sum(called(n) in ("tanh", "sigmoid", "sig", "relu", "maximum") for n in calls) > 1

    def plural(self, name: str) -> str:
        """A free name for the list of a value of every round."""
        name = public(name.rpartition(".")[2])
        plural = f"all_{name}" if name.endswith("s") else f"{name[:-1]}ies" if name.endswith("ry") else f"{name}s"
        options = [plural, f"{name}_kept", *(f"{name}_kept{k}" for k in range(2, 50))]
        found = next(one for one in options if one not in self._taken and not iskeyword(one))
        self._taken.add(found)
        return found
